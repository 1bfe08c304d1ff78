"""Spells of tickets in statuses, out of a log of status changes, and what the log leaves out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.scenario import clock

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Statuses that a workflow may have at most; rarer ones are one.
MOST_STATUSES = 60
OTHER = "Other"
# A status that fewer of the later tickets begin with is no beginning: a ticket that does so in the
# first days of a log was there before it.
_RARE_START = 0.01
# Share of the log in which tickets from before it are looked for.
_EARLY = 0.1
# A status from which fewer tickets go on is final.
_FINAL = 0.02


@dataclass(frozen=True)
class Spells:
    """Spells of tickets in statuses, by ticket and moment; all columns have length n.

    Attributes
    ----------
    midnight : datetime
        Moment 0, in the desk's time zone.
    until_s : float
        End of the log.
    names : tuple of str
        Statuses by number; one more than the last stands for none.
    case : array of int
        Number of the ticket.
    status, before, next : array of int
        Numbers of statuses; no next one: the ticket is still there at the end of the log.
    start_s, end_s : array of float
        Seconds since midnight; a spell that is not over ends with the log.
    age_s : array of float
        Of the ticket as the spell begins.
    resource, group : array of int
        Who took the status, and where; -1: unknown.
    """

    midnight: datetime
    until_s: float
    names: tuple[str, ...]
    case: Ints
    status: Ints
    before: Ints
    next: Ints
    start_s: Floats
    end_s: Floats
    age_s: Floats
    resource: Ints
    group: Ints

    def __len__(self) -> int:
        return len(self.case)

    @property
    def none(self) -> int:
        """Number that stands for no status."""
        return len(self.names)

    @property
    def over(self) -> Mask:
        """True for spells that ended within the log."""
        mask: Mask = self.next < self.none
        return mask

    @property
    def born_s(self) -> Floats:
        """Arrival of the ticket."""
        return self.start_s - self.age_s

    @property
    def first(self) -> Mask:
        """True for the first spell of a ticket."""
        return np.r_[True, self.case[1:] != self.case[:-1]] if len(self) else np.zeros(0, bool)

    def some(self, rows: Mask) -> Spells:
        """Only some of the spells."""
        columns = ("case", "status", "before", "next", "start_s", "end_s", "age_s", "resource",
                   "group")  # fmt: skip
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def known_at(self, moment_s: float) -> Spells:
        """The same log as it stood at a moment: later spells missing, those under way open."""
        part = self.some(self.start_s < moment_s)
        ended = part.end_s <= moment_s
        return replace(
            part,
            until_s=moment_s,
            next=np.where(ended, part.next, part.none),
            end_s=np.where(ended, part.end_s, moment_s),
        )


def spells_of(events: pd.DataFrame, zone: tzinfo = UTC) -> tuple[Spells, list[str]]:
    """Spells of a log of status changes.

    Parameters
    ----------
    events : DataFrame
        With columns case, status and moment (with a time zone, or local), and perhaps resource and
        group. Rows of the same moment count in their order.
    zone : tzinfo, optional
        Of the desk: its hours count, and moments without a zone are of it.

    Returns
    -------
    Spells
    list of str
        What was changed or seems to be missing.
    """
    notes: list[str] = []
    log = events[["case", "status", "moment"]].copy()
    for name in ("resource", "group"):
        values = events[name].replace("", None) if name in events else pd.Series(None, events.index)
        log[name] = pd.factorize(values)[0]
    missing = log[["case", "status", "moment"]].isna().any(axis=1)
    if missing.any():
        notes.append(f"{int(missing.sum())} events without a ticket, status or moment left out")
        log = log[~missing]
    at = pd.to_datetime(log["moment"])
    if at.dt.tz is None:
        at = at.dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    log["at_s"] = at.dt.as_unit("us").astype("int64") / 1e6
    log["case"] = pd.factorize(log["case"])[0]
    log = log.sort_values(["case", "at_s"], kind="stable")
    names = log["status"].astype(str).str.strip()
    often = names.value_counts()
    if len(often) > MOST_STATUSES:
        rare = set(often.index[MOST_STATUSES - 1 :])
        names = names.where(~names.isin(rare), OTHER)
        notes.append(f"the {len(rare)} rarest statuses taken together as {OTHER}")
    # A workflow's words of its own.
    names = names.replace({"end": "End", "start": "Start"})
    code, found = pd.factorize(names, sort=False)
    first_day = datetime.fromtimestamp(float(log["at_s"].min()), zone).date()
    midnight = clock.midnight(first_day, zone)
    start_s = log["at_s"].to_numpy() - midnight.timestamp()
    case, none = log["case"].to_numpy(), len(found)
    status = code.astype(np.int64)
    opens = np.r_[True, case[1:] != case[:-1]]
    closes = np.r_[opens[1:], True]
    until_s = float(start_s.max())
    next_ = np.where(closes, none, np.r_[status[1:], none])
    end_s = np.where(closes, until_s, np.r_[start_s[1:], until_s])
    born_s = start_s[opens][np.cumsum(opens) - 1]
    spells = Spells(
        midnight, until_s, tuple(str(name) for name in found), case, status,
        np.where(opens, none, np.r_[none, status[:-1]]), next_, start_s, end_s, start_s - born_s,
        log["resource"].to_numpy(), log["group"].to_numpy(),
    )  # fmt: skip
    spells = _without_the_old(spells, notes)
    notes += _gaps(spells)
    return spells, notes


def final_statuses(spells: Spells) -> Mask:
    """True for statuses that tickets hardly ever leave, by their number."""
    n = np.bincount(spells.status, minlength=spells.none)
    left = np.bincount(spells.status[spells.over], minlength=spells.none)
    # What begins shortly before the end of the log has had no time to be left.
    final: Mask = (n > 0) & (left <= _FINAL * n)
    return final


def cut_at_final(spells: Spells, final: Mask, notes: list[str]) -> Spells:
    """Spells up to the first final status of each ticket."""
    ends = final[spells.status]
    seen: Ints = np.cumsum(ends) - ends
    base: Ints = seen[spells.first][np.cumsum(spells.first) - 1]
    after: Mask = seen > base
    if after.any():
        cases = len(np.unique(spells.case[after]))
        notes.append(
            f"{int(after.sum())} status changes of {cases} tickets after a final status left out"
        )
    kept = spells.some(~after)
    rests = final[kept.status]
    return replace(
        kept,
        next=np.where(rests, kept.none, kept.next),
        end_s=np.where(rests, kept.until_s, kept.end_s),
    )


def _without_the_old(spells: Spells, notes: list[str]) -> Spells:
    """Spells of tickets that began within the log."""
    first = spells.first
    status, start_s = spells.status[first], spells.start_s[first]
    early = start_s < spells.start_s.min() + _EARLY * np.ptp(spells.start_s)
    later = np.bincount(status[~early], minlength=spells.none)
    usual = later >= _RARE_START * max(later.sum(), 1)
    old = early & ~usual[status]
    # With next to no later tickets nothing can be said.
    if later.sum() < 50 or not old.any():
        return spells
    notes.append(
        f"{int(old.sum())} tickets were there before the log: left out of arrivals and first "
        "statuses, with all that they did"
    )
    cases = spells.case[first][old]
    return spells.some(~np.isin(spells.case, cases))


def _gaps(spells: Spells) -> Iterable[str]:
    """Traps of an export: tickets chosen by their closing date or by how long they lived."""
    last = np.r_[spells.first[1:], True]
    final = final_statuses(spells)
    is_open = ~final[spells.status[last]]
    born_s = spells.start_s[spells.first]
    ended_s = spells.start_s[last]
    lived_s = (ended_s - born_s)[~is_open]
    if not len(lived_s):
        return
    # Of tickets that arrived so shortly before the end, half should still be open.
    recent = born_s > spells.until_s - np.quantile(lived_s, 0.5)
    if not is_open.any():
        tail = spells.until_s - born_s.max()
        if recent.sum() >= 10 or tail < np.quantile(lived_s, 0.9):
            yield (
                "no ticket is open at the end of the log: it seems to hold closed tickets only, so "
                "long lives are missing among the last ones, and arrivals fall off at its end"
            )
    top = np.sort(lived_s)[-20:]
    if len(lived_s) >= 200 and top[0] > 0.95 * top[-1] and top[-1] > 1.2 * np.median(lived_s):
        yield (
            f"no ticket lived longer than {top[-1] / clock.DAY_S:.3g} days, though many lived "
            "nearly as long: it seems to hold tickets below a duration only"
        )
