"""Some days of records, as flat frames: those of a desk and those of a twin alike.

Definitions, the same on both sides. A ticket belongs to the local day and hour at which it arrived.
A ticket that is over before it joins a queue (its only visits were turned away or put off) is no
load and no abandonment. Its wait is that of its first visit that queued. A day that is not among
the days of a period is missing, not empty. Open work and resolutions are counted over those days
and nothing is cut: a ticket from before them is open work, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.measures import levels
from twin.records.tables import ABANDONED, RESOLVED_STATUSES, STATUSES, RunLog
from twin.scenario import clock
from twin.scenario.calendars import Staircase
from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Part of a day's tickets that have come when it counts as a whole one.
_NEARLY = 0.98
# Ends of visits of those who never joined the queue.
_NEVER_JOINED = ("blocked", "balked")


@dataclass(frozen=True)
class Period:
    """Some days of records.

    Attributes
    ----------
    tickets : DataFrame
        A row a ticket that joined: ticket_id, day (proleptic ordinal of the local date), weekday (0
        is Monday), hour (local), kind (what it is about), priority, channel, served (an agent took
        its first visit), abandoned, wait_s (of its first visit; missing while it waits, and without
        one), response_s, resolution_s (missing unless resolved).
    touches : DataFrame
        A row a finished spell of work on these tickets, wrap-up left out: day, weekday and hour
        (of the ticket's arrival), kind, priority, channel, handle_s.
    days : DataFrame
        A row a day: day, weekday, length_s, arrivals, resolved (tickets with their last resolution
        on it), open_s and busy_s (areas under open tickets and under agents at work).
    unknown : frozenset of str
        Facts that the records do not hold (see `twin.history.fidelity.measures.NEEDS`).
    copies : float
        Times the desk's tickets are in it: 5 for five runs of these days together, 0.5 for every
        other ticket.
    """

    tickets: pd.DataFrame
    touches: pd.DataFrame
    days: pd.DataFrame
    copies: float = 1.0
    unknown: frozenset[str] = frozenset()

    @property
    def dates(self) -> list[int]:
        """Its days, as ordinals, in order."""
        return sorted(int(day) for day in self.days["day"].unique())

    @property
    def busy_dates(self) -> list[int]:
        """Its days on which somebody came."""
        return sorted(int(day) for day in self.tickets["day"].unique())

    def on(self, days: Iterable[int]) -> Period:
        """Records of some of its days."""
        wanted = np.array(sorted(days), dtype=np.int64)
        tickets, touches, rows = (
            frame[np.isin(frame["day"].to_numpy(), wanted)]
            for frame in (self.tickets, self.touches, self.days)
        )
        return replace(self, tickets=tickets, touches=touches, days=rows)

    def lean(self) -> Period:
        """The columns that measures read, without kinds, priorities and channels."""
        return replace(
            self,
            tickets=self.tickets.drop(columns=["ticket_id", "kind", "priority", "channel"]),
            touches=self.touches[["day", "handle_s"]],
        )

    def where(self, column: str, name: str) -> Period:
        """Tickets of one kind, priority or channel; open work and agents are not told apart."""
        blank = {"arrivals": np.nan, "resolved": np.nan, "open_s": np.nan, "busy_s": np.nan}
        return replace(
            self,
            tickets=self.tickets[(self.tickets[column] == name).to_numpy()],
            touches=self.touches[(self.touches[column] == name).to_numpy()],
            days=self.days.assign(**blank),
        )

    def standing_for(self, source: Mapping[int, int]) -> Period:
        """The records of some days, taken to be those of others.

        Parameters
        ----------
        source : mapping of int to int
            By day, the day whose records stand for it.
        """
        frames = []
        for frame in (self.tickets, self.touches, self.days):
            day = frame["day"].to_numpy()
            parts = [frame[day == old].assign(day=new) for new, old in source.items()]
            frames.append(pd.concat(parts, ignore_index=True) if parts else frame.iloc[:0])
        return replace(self, tickets=frames[0], touches=frames[1], days=frames[2])


def whole_days(log: RunLog, scenario: Scenario) -> list[int]:
    """Ordinals of the local days that lie wholly within a log, after its warm-up.

    Parameters
    ----------
    log : RunLog
    scenario : Scenario
        It says when the log starts, and on which clock.
    """
    found = []
    for day, at in clock.days(scenario.midnight, log.horizon_s):
        over = clock.moment(day + timedelta(days=1), 0.0, scenario.midnight)
        if at >= scenario.warm_up and over <= log.horizon_s + 1.0:
            found.append(day.toordinal())
    return found


def with_data(log: RunLog, scenario: Scenario, gaps: Sequence[date] = ()) -> list[int]:
    """Days of a log that hold data: whole days, but for those that are missing in it.

    A day is missing where it is named as a gap, or where nobody came though somebody comes on
    most days of its weekday. The last day counts, too, where the log ends at an hour by which 98 %
    of the tickets of a day have come (assumed): a history often ends with its last ticket.
    """
    days = whole_days(log, scenario)
    arrived = log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    arrived = arrived[arrived >= 0]
    came = set(np.unique(_place(arrived, scenario)[0]).tolist())
    ends = float(clock.local_s([log.horizon_s], scenario.midnight)[0])
    last = scenario.start.toordinal() + int(ends // clock.DAY_S)
    by_clock = clock.local_s(arrived, scenario.midnight) % clock.DAY_S
    if days and last == days[-1] + 1 and (by_clock <= ends % clock.DAY_S).mean() >= _NEARLY:
        days.append(last)
    days = [day for day in days if date.fromordinal(day) not in set(gaps)]
    usual = {
        weekday: np.mean([day in came for day in days if (day - 1) % 7 == weekday])
        for weekday in {(day - 1) % 7 for day in days}
    }
    return [day for day in days if day in came or usual[(day - 1) % 7] <= 0.5]


def period(
    log: RunLog,
    scenario: Scenario,
    days: Iterable[int] | None = None,
    every: tuple[int, int] = (0, 1),
) -> Period:
    """Some days of a log.

    Parameters
    ----------
    log : RunLog
        Of a run, or of a desk's history.
    scenario : Scenario
        It says when the log starts, and on which clock.
    days : iterable of int, optional
        Ordinals of local dates; by default those of `with_data`.
    every : (int, int)
        First ticket and step: (1, 2) is every other ticket from the second on.
    """
    wanted = np.array(sorted(with_data(log, scenario) if days is None else days), dtype=np.int64)
    if every != (0, 1):
        log = _some(log, every)
    copies = 1.0 / every[1]
    tickets, counted = _tickets(log, scenario, wanted)
    return Period(
        tickets[counted].reset_index(drop=True),
        _touches(log, tickets, counted),
        _days(log, scenario, wanted, tickets[counted]),
        copies,
        # Records of a real desk name what they do not hold; those of a run hold all.
        log.unknown,
    )


def pooled(periods: Sequence[Period]) -> Period:
    """Several runs of the same days together."""
    frames = [
        pd.concat([getattr(one, name) for one in periods], ignore_index=True)
        for name in ("tickets", "touches", "days")
    ]
    # A day is one row: what was counted on it is the sum over runs.
    sums = dict.fromkeys(("arrivals", "resolved", "open_s", "busy_s"), "sum")
    first = dict.fromkeys(("weekday", "length_s"), "first")
    days = frames[2].groupby("day", as_index=False).agg({**first, **sums})
    return Period(frames[0], frames[1], days, float(np.sum([one.copies for one in periods])))


def _place(moments_s: Floats, scenario: Scenario) -> tuple[Ints, Ints]:
    """Local day and hour of moments; those before the start lie on day 0, which is no day."""
    before = ~(moments_s >= 0)
    local = clock.local_s(np.where(before, 0.0, moments_s), scenario.midnight)
    day = scenario.start.toordinal() + (local // clock.DAY_S).astype(np.int64)
    hour = (local % clock.DAY_S // clock.HOUR_S).astype(np.int64)
    return np.where(before, 0, day), hour


def _some(log: RunLog, every: tuple[int, int]) -> RunLog:
    first, step = every
    order = np.argsort(log.tickets["arrived_s"].to_numpy(), kind="stable")
    keep = np.sort(order[first::step])
    tickets = log.tickets.iloc[keep]
    ids = tickets["ticket_id"].to_numpy()
    timeline, visits = (
        frame[np.isin(frame["ticket_id"].to_numpy(), ids)] for frame in (log.timeline, log.visits)
    )
    return replace(log, tickets=tickets, timeline=timeline, visits=visits)


def _tickets(log: RunLog, scenario: Scenario, wanted: Ints) -> tuple[pd.DataFrame, Mask]:
    """All tickets of a log, and which of them count: those of the days that joined."""
    given = log.tickets
    arrived = given["arrived_s"].to_numpy(dtype=np.float64)
    day, hour = _place(arrived, scenario)
    ids, visits = given["ticket_id"].to_numpy(), log.visits
    row = np.searchsorted(ids, visits["ticket_id"].to_numpy())
    turned_away = visits["end"].isin(_NEVER_JOINED).to_numpy()
    queued = visits["queued_s"].to_numpy(dtype=np.float64)
    joined = ~turned_away & ~np.isnan(queued)
    # The first visit of each ticket.
    order = np.lexsort((queued, row))
    order = order[joined[order]]
    firsts, where = np.unique(row[order], return_index=True)
    first = order[where]
    started = visits["started_s"].to_numpy(dtype=np.float64)[first]
    ended = visits["ended_s"].to_numpy(dtype=np.float64)[first]
    left = (visits["end"] == "abandoned").to_numpy()[first]
    wait = np.full(len(given), np.nan)
    wait[firsts] = np.where(np.isnan(started) & left, ended, started) - queued[first]
    served = np.zeros(len(given), dtype=np.bool_)
    served[firsts] = ~np.isnan(started)
    status = given["status"]
    abandoned = (status == STATUSES[ABANDONED]).to_numpy()
    has_joined = np.zeros(len(given), dtype=np.bool_)
    has_joined[row[joined]] = True
    # An assistant's tickets need no visit; who left without one never joined.
    counted = np.isin(day, wanted) & ~(abandoned & ~has_joined)
    resolved = status.isin(RESOLVED_STATUSES).to_numpy()
    frame = pd.DataFrame(
        {
            "ticket_id": ids,
            "day": day,
            "weekday": (day - 1) % 7,
            "hour": hour,
            "kind": given["category_true"].astype(object).fillna("").to_numpy(),
            "priority": given["priority"].astype(object).fillna("").to_numpy(),
            "channel": given["channel"].astype(object).fillna("").to_numpy(),
            "served": served,
            "abandoned": abandoned,
            "wait_s": wait,
            "response_s": given["responded_s"].to_numpy(dtype=np.float64) - arrived,
            "resolution_s": np.where(
                resolved, given["resolved_s"].to_numpy(dtype=np.float64) - arrived, np.nan
            ),
        }
    )
    return frame, counted


def _touches(log: RunLog, tickets: pd.DataFrame, counted: Mask) -> pd.DataFrame:
    """Finished spells of work; the parts of one that was paused are one."""
    visits = log.visits[(log.visits["activity"] != "wrap-up").to_numpy()]
    visits = visits[visits["started_s"].notna().to_numpy()]
    row = np.searchsorted(tickets["ticket_id"].to_numpy(), visits["ticket_id"].to_numpy())
    started, ended = (visits[k].to_numpy(dtype=np.float64) for k in ("started_s", "ended_s"))
    order = np.lexsort((started, row))
    row, work, end = row[order], (ended - started)[order], visits["end"].to_numpy()[order]
    # A spell ends where it was not paused, or where the next row is of another ticket.
    goes_on = np.asarray(end == "paused") & np.append(row[1:] == row[:-1], False)
    spell = np.concatenate([[0], np.cumsum(~goes_on)])[: len(row)]
    last = np.flatnonzero(~goes_on)
    handle = np.bincount(spell, work, len(last)) if len(row) else np.zeros(0)
    over = pd.Series(end[last]).isin(["done", "handed over"]).to_numpy()
    done = over & ~np.isnan(handle) & counted[row[last]]
    here = tickets.iloc[row[last][done]]
    names = ("day", "weekday", "hour", "kind", "priority", "channel")
    columns = {name: here[name].to_numpy() for name in names}
    return pd.DataFrame({**columns, "handle_s": handle[done]})


def _days(log: RunLog, scenario: Scenario, wanted: Ints, tickets: pd.DataFrame) -> pd.DataFrame:
    dates = [date.fromordinal(int(day)) for day in wanted]
    begun = np.array([max(clock.moment(d, 0.0, scenario.midnight), 0.0) for d in dates])
    over = np.array([clock.moment(d + timedelta(days=1), 0.0, scenario.midnight) for d in dates])
    over = np.minimum(over, log.horizon_s)

    def area(level: Staircase) -> Floats:
        found: Floats = level.integral(over) - level.integral(begun) if len(over) else np.zeros(0)
        return found

    all_tickets = log.arrays("tickets")
    at = all_tickets["resolved_s"][levels.is_resolved(all_tickets)]
    resolved_on, _ = _place(at, scenario)
    visits = log.visits
    # Work that was under way when the records begin counts from there; work that ended, nobody
    # knows when, counts for nothing.
    visits = visits[visits["ended_s"].notna().to_numpy() | (visits["end"] == "open").to_numpy()]
    spells = [
        np.maximum(visits[name].to_numpy(dtype=np.float64), 0.0)
        for name in ("started_s", "ended_s")
    ]
    busy = levels.count_between(*spells)
    return pd.DataFrame(
        {
            "day": wanted,
            "weekday": (wanted - 1) % 7,
            "length_s": over - begun,
            "arrivals": _count(tickets["day"].to_numpy(), wanted),
            "resolved": _count(resolved_on, wanted),
            "open_s": area(levels.backlog(_from_zero(log))),
            "busy_s": area(busy),
        }
    )


def _from_zero(log: RunLog) -> RunLog:
    """The log with changes before its start at the start: levels begin there."""
    moments = log.timeline["time_s"].to_numpy(dtype=np.float64)
    if not len(moments) or moments.min() >= 0:
        return log
    return replace(log, timeline=log.timeline.assign(time_s=np.maximum(moments, 0.0)))


def _count(values: Ints, wanted: Ints) -> Floats:
    found = np.searchsorted(wanted, values)
    found = found[np.isin(values, wanted)]
    counts: Floats = np.bincount(found, minlength=len(wanted)).astype(np.float64)
    return counts
