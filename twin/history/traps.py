"""Traps in exports, which make figures wrong without any sign of it: looked for, and told."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.text import duration
from twin.history.as_tables import Made
from twin.history.cells import Floats
from twin.history.gathered import Choices, Gathered
from twin.history.zone_guess import zone_guess
from twin.measures import levels
from twin.records.tables import OPEN_STATUSES, RunLog
from twin.scenario import clock
from twin.scenario.clock import DAY_S, HOUR_S, WEEK_S

FEWEST = 50
_EXPECTED = 5.0
# So many days without a ticket, or fewer, were to be expected by luck where one is called a gap.
_RARE = 0.05
_MANY = 200
# Chance of times that end so abruptly, where the export left none out.
_EDGE = 0.005
_LONG_S = 30 * DAY_S


@dataclass(frozen=True)
class Trap:
    """A trap that was found: its name, and a sentence with what to do."""

    name: str
    said: str


def gap_days(log: RunLog, start: datetime) -> list[date]:
    """Days of the history on which tickets were to be expected and none came.

    They count as missing, not as days without work: a holiday, on which the desk was closed, or a
    hole in the data.
    """
    arrived = log.tickets["arrived_s"].to_numpy()
    arrived = arrived[arrived >= 0]
    if not len(arrived):
        return []
    day = (clock.local_s(arrived, start) // DAY_S).astype(np.int64)
    count = int(day.max()) + 1
    each = np.bincount(day, minlength=count)
    weekday = (np.arange(count) + start.weekday()) % 7
    rare = np.zeros(count, dtype=np.bool_)
    for k in range(7):
        mine = each[weekday == k]
        rare[weekday == k] = _chance_of_none(mine[mine > 0], len(mine)) * len(mine) < _RARE
    empty = np.flatnonzero((each == 0) & rare)
    return [start.date() + timedelta(days=int(k)) for k in empty]


def _chance_of_none(counts: npt.NDArray[np.int64], days: int) -> float:
    """Chance of a day without tickets, by the days that have some: negative binomial counts."""
    # A weekday with more days without than with them is one on which the desk is closed.
    if len(counts) < 2 or 2 * len(counts) < days:
        return 1.0
    mean, spread = float(np.mean(counts)), float(np.var(counts, ddof=1))
    if mean < _EXPECTED:
        return 1.0
    if spread <= mean:
        return math.exp(-mean)
    size = mean**2 / (spread - mean)
    return float((1 + mean / size) ** -size)


def find_traps(
    gathered: Gathered, made: Made, choices: Choices, codes: dict[str, str], gaps: list[date]
) -> list[Trap]:
    """Traps of a history, the worst first."""
    return [
        *_zones(gathered, made, choices), *_stray(made), *_gaps(gaps), *_left_out(made),
        *_backlog(made),
        *_open_missing(made), *_filters(made), *_ramps(made), *_resolution(gathered),
        *_bots(gathered, made, codes),
    ]  # fmt: skip


def _zones(gathered: Gathered, made: Made, choices: Choices) -> Iterator[Trap]:
    at = _acts(gathered)
    at = at[at >= made.stretch.began]
    if not choices.zone_given:
        told = (
            "Times name no time zone: they are taken to be UTC. Say the desk's with --zone, as "
            "--zone Europe/Rome."
            if gathered.local
            else "The desk's time zone is not known: hours and days are those of UTC. Say it with "
            "--zone."
        )
        guess = zone_guess(at)
        yield Trap("zone", f"{told} A guess, which changes nothing: {guess}." if guess else told)
    at = at - made.stretch.began
    if len(at) < FEWEST:
        return
    hour = clock.local_s(at, made.stretch.start) % DAY_S / HOUR_S
    night, day = float(np.mean(hour < 6)), float(np.mean((hour >= 9) & (hour < 17)))
    if night > 0.25 and night > day:
        yield Trap("zone", f"{night:.0%} of the agents' work lies between midnight and 6:00 and "
                           f"{day:.0%} between 9:00 and 17:00 by the clock of {choices.zone}: is "
                           "that the desk's time zone? Say it with --zone.")  # fmt: skip


def _acts(gathered: Gathered) -> Floats:
    """Moments at which agents did something, in seconds since 1970."""
    acts = pd.concat([gathered.tickets[n] for n in ("first_reply", "solved")
                      if n in gathered.tickets] + [gathered.spells["started"]])  # fmt: skip
    at: Floats = pd.to_numeric(acts).dropna().to_numpy(dtype=np.float64)
    if len(at) or not len(gathered.changes):
        return at
    # Tickets come when customers write: only what follows may be an agent's.
    changes = gathered.changes.sort_values("at", kind="stable")
    later: Floats = changes["at"][changes["id"].duplicated()].to_numpy(dtype=np.float64)
    return later


def _stray(made: Made) -> Iterator[Trap]:
    """A gap that takes most of the history: a year that was mistyped, a test that was left in."""
    arrived = np.sort(made.log.tickets["arrived_s"].to_numpy())
    arrived = arrived[arrived >= 0]
    if len(arrived) < FEWEST:
        return
    apart = np.diff(arrived)
    k = int(np.argmax(apart))
    before, after = k + 1, len(arrived) - k - 1
    if apart[k] < max(_LONG_S, made.log.horizon_s / 2) or min(before, after) > 0.01 * len(arrived):
        return
    late = after < before
    edge = made.stretch.start + timedelta(seconds=float(arrived[k if late else k + 1]))
    way = f"--until {_after(made, edge)}" if late else f"--since {_day(made, edge)}"
    side = "after" if late else "before"
    yield Trap("stray dates", f"{min(before, after):,} of the {len(arrived):,} tickets came "
               f"{duration(round(float(apart[k])))} {side} all others, and the time between counts "
               "as the desk's: is a date wrong? "
               f"{way} leaves them out.")  # fmt: skip


def _gaps(gaps: list[date]) -> Iterator[Trap]:
    if gaps:
        some = ", ".join(day.isoformat() for day in gaps[:5])
        more = f" and {len(gaps) - 5} more" if len(gaps) > 5 else ""
        yield Trap("gaps", f"No ticket came on {some}{more}, where many were to be expected: "
                           "holidays or missing data. These days count as missing, not as "
                           "zero.")  # fmt: skip


def _left_out(made: Made) -> Iterator[Trap]:
    total = len(made.log.tickets)
    for why, number in made.left_out.items():
        share = number / (number + total)
        name = {"merged into another": "merged", "spam": "spam"}.get(why, "left out")
        yield Trap(name, f"{number:,} tickets ({share:.1%}) are left out, as no work of the desk: "
                         f"{why}.")  # fmt: skip


def _backlog(made: Made) -> Iterator[Trap]:
    log = made.log
    if "resolutions" in log.unknown or len(log.tickets) < FEWEST:
        return
    open_ = levels.backlog(log)
    third = log.horizon_s / 3
    later = levels.area(open_, third, log.horizon_s) / (log.horizon_s - third)
    at_start = int((log.tickets["arrived_s"] < 0).sum())
    if later >= _EXPECTED and at_start < 0.2 * later:
        reached = np.flatnonzero(open_.values >= 0.8 * later)
        day = made.stretch.start + timedelta(seconds=float(open_.times[reached[0]]))
        yield Trap("backlog at the start", f"The history begins with {at_start} open tickets, "
                   f"later {later:,.0f} are open on average: those from before it are not in the "
                   "export. Its first days look quieter than they were; "
                   f"--since {_after(made, day)} leaves them out. Or export the tickets that came "
                   "earlier and were open then, too, and import all with --since "
                   f"{_day(made, made.stretch.start)}.")  # fmt: skip


def _after(made: Made, day: Any) -> str:
    return _day(made, day + timedelta(days=1))


def _day(made: Made, at: Any) -> str:
    return str(at.astimezone(made.stretch.start.tzinfo).date())


def _resolutions(made: Made) -> tuple[Floats, Floats]:
    """Arrivals and times to resolution of the resolved tickets that came within the history."""
    tickets = made.log.tickets
    spent = (tickets["resolved_s"] - tickets["arrived_s"]).to_numpy()
    arrived = tickets["arrived_s"].to_numpy()
    here = ~np.isnan(spent) & (arrived >= 0)
    return arrived[here], spent[here]


def _open_missing(made: Made) -> Iterator[Trap]:
    log = made.log
    if "resolutions" in log.unknown or len(log.tickets) < FEWEST:
        return
    arrived, spent = _resolutions(made)
    if len(spent) < FEWEST:
        return
    # Of tickets that come as they do, so many would still be open at the end.
    left = log.horizon_s - arrived
    lasting = np.sort(spent)
    still = 1 - np.searchsorted(lasting, left, side="right") / len(lasting)
    expected = float(np.sum(still))
    found = int(log.tickets["status"].isin(list(OPEN_STATUSES)).sum())
    if expected >= _EXPECTED and found < 0.1 * expected:
        yield Trap("open tickets missing", f"{found} tickets are open at the end, where about "
                   f"{expected:,.0f} were to be expected: the export seems to hold closed tickets "
                   "only. The last weeks look quieter and quicker than they were; export open "
                   "tickets too, or end earlier with --until.")  # fmt: skip


def _filters(made: Made) -> Iterator[Trap]:
    arrived, spent = _resolutions(made)
    if len(spent) < _MANY:
        return
    top, high, middle = np.quantile(spent, (1.0, 0.99, 0.9))
    # Tails have no edge: going by what lies between the last tenth and the last hundredth, so short
    # a way from there to the longest of all would be rare. Many at the very end are a timer's.
    scale = (high - middle) / math.log(10)
    beyond = 0.01 * len(spent)
    rare = scale > 0 and (1 - math.exp(-(top - high) / scale)) ** beyond < _EDGE
    if rare and float(np.mean(spent > 0.995 * top)) < 0.02:
        yield Trap("filtered by duration", f"No ticket took longer than {duration(round(top))}, "
                   "and the times end there as if cut off: the export seems to leave out tickets "
                   "that took longer.")  # fmt: skip
    done = arrived + spent
    first = float(np.quantile(done, 0.001))
    early = float(np.mean(arrived < first - DAY_S))
    if first > 2 * DAY_S and early > 0.005 and float(np.median(spent)) < first:
        yield Trap("filtered by closing date", f"The first tickets were resolved "
                   f"{duration(round(first))} after the first ones came: the export seems to hold "
                   "what was closed from then on. Of what came before, only slow tickets are "
                   f"there; --since {_after(made, made.stretch.start + timedelta(seconds=first))} "
                   "leaves that time out.")  # fmt: skip


def _ramps(made: Made) -> Iterator[Trap]:
    arrived, spent = _resolutions(made)
    weeks = int(made.log.horizon_s // WEEK_S)
    if weeks < 6 or len(spent) < _MANY:
        return
    week = (arrived // WEEK_S).astype(np.int64)
    medians = pd.Series(spent).groupby(week).median()
    counts = pd.Series(spent).groupby(week).size()
    medians = medians[(counts >= 10) & (medians.index < weeks)]
    if len(medians) >= 6 and medians.nunique() > 1:
        rank = float(np.corrcoef(medians.index, medians.rank())[0, 1])
        first, last = float(medians.iloc[:2].mean()), float(medians.iloc[-2:].mean())
        if abs(rank) > 0.85 and not 1 / 3 < (last + 1) / (first + 1) < 3:
            way = "falls" if last < first else "rises"
            yield Trap("ramp", f"The median time to resolution {way} week by week, from "
                       f"{duration(round(first))} to {duration(round(last))}: by a filter on the "
                       "export, or because the desk changed. A mean over all weeks describes "
                       "none of them.")  # fmt: skip
    came = made.log.tickets["arrived_s"].to_numpy()
    each = np.bincount((came[came >= 0] // WEEK_S).astype(np.int64), minlength=weeks)[:weeks]
    usual = float(np.median(each))
    if usual >= 20 and each[0] < 0.4 * usual and each[1] < 0.8 * usual and weeks >= 6:
        yield Trap("ramp", f"Fewer tickets came in the first weeks ({each[0]:,} and {each[1]:,}, "
                   f"later {usual:,.0f} a week): the desk began then, or the export leaves some "
                   "out.")  # fmt: skip


def _resolution(gathered: Gathered) -> Iterator[Trap]:
    created = pd.to_numeric(gathered.tickets["created"]).dropna().to_numpy(dtype=np.float64)
    if len(created) < FEWEST:
        return
    if np.mean(created % DAY_S == created[0] % DAY_S) > 0.99:
        yield Trap("days only", "Times are days without hours: nothing can be said of times within "
                                "a day, of the hours or of waits.")  # fmt: skip
    elif np.mean(created % 60 == 0) > 0.99:
        yield Trap("minutes only", "Times are whole minutes: shorter waits and lengths are 0, and "
                                   "the order of events within a minute is not known. Mean waits "
                                   "hold; a share answered within a time, and patience, rest on "
                                   "waits that may be off by a minute.")  # fmt: skip


def _bots(gathered: Gathered, made: Made, codes: dict[str, str]) -> Iterator[Trap]:
    programs = sorted(code for code in codes.values() if code.startswith("bot"))
    begun = gathered.spells.rename(columns={"started": "at"})
    acts = pd.concat([frame[["at", "agent"]] for frame in (gathered.changes, begun)])
    acts = acts.dropna()
    if programs:
        share = float(acts["agent"].isin(programs).mean()) if len(acts) else 0.0
        yield Trap("bots", f"{len(programs)} of the agents are programs by their names "
                   f"({', '.join(programs[:5])}; {share:.0%} of the events): what they do is no "
                   "work of people.")  # fmt: skip
    if len(acts):
        at = acts["at"].to_numpy(dtype=np.float64) - made.stretch.began
        there = at >= 0
        acts, at = acts[there], at[there]
        hours = (clock.local_s(at, made.stretch.start) % DAY_S // HOUR_S).astype(int)
        table = pd.crosstab(acts["agent"].to_numpy(), hours)
        total = table.sum(axis=1)
        # Nobody works in 22 hours of the day as much as in the others.
        round_clock = (table.gt(0.01 * total, axis=0).sum(axis=1) >= 22) & (total >= _MANY)
        found = [str(a) for a in table.index[round_clock] if str(a) not in programs]
        if found and len(found) < len(table):
            act = "act" if len(found) > 1 else "acts"
            yield Trap("bots", f"{', '.join(found[:5])} {act} at all hours of the day: a program, "
                       "or an account that several people share.")  # fmt: skip
    keys = made.extra["keys"]
    delay = (keys["closed_at"] - keys["solved_at"]).dropna()
    delay = delay[delay > HOUR_S]
    if len(delay) >= FEWEST:
        usual = (delay / HOUR_S).round()
        top = usual.mode().iloc[0]
        if float((usual == top).mean()) > 0.4:
            yield Trap("automation", f"{(usual == top).mean():.0%} of the tickets were closed "
                       f"{duration(float(top) * HOUR_S)} after they were solved: that is an "
                       "automation, not the desk.")  # fmt: skip
