"""Everything weighted by time: backlog, queue, agents and their work as exact step functions.

Levels are derived afterwards from the moments in the tables; the desk keeps no counters. Averages
are areas under the steps, never samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.records import tables
from twin.scenario.calendars import Staircase, staffing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from twin.records.arrays import Arrays
    from twin.records.tables import RunLog
    from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVELS = ("backlog", "queue", "busy", "staffed", "in hand", "away")

# What a new status does to the number of open tickets; Closed follows Resolved, so it changes none.
CHANGES = {"Open": 1, "Resolved": -1, "Reopened": 1, "Abandoned": -1}


def steps(moments: Floats, changes: Ints) -> Staircase:
    """A level that starts at 0 and changes at moments, in any order.

    Parameters
    ----------
    moments : array of float, shape (n,)
        Seconds, none before 0.
    changes : array of int, shape (n,)
    """
    order = np.argsort(moments, kind="stable")
    return Staircase(
        np.concatenate([[0.0], moments[order]]), np.concatenate([[0], np.cumsum(changes[order])])
    )


def count_between(start_s: Floats, end_s: Floats) -> Staircase:
    """Number of spans under way at each moment.

    Parameters
    ----------
    start_s, end_s : array of float, shape (n,)
        Seconds. A missing start is a span that never was; a missing end one that goes on.
    """
    there = ~np.isnan(start_s)
    start_s, end_s = start_s[there], end_s[there]
    end_s = end_s[~np.isnan(end_s)]
    changes = np.ones(len(start_s) + len(end_s), dtype=np.int64)
    changes[len(start_s) :] = -1
    return steps(np.concatenate([start_s, end_s]), changes)


def area(level: Staircase, start_s: float, end_s: float) -> float:
    """Area under a level between two moments (its unit times seconds)."""
    low, high = level.integral(np.array([start_s, end_s]))
    return float(high - low)


def backlog(log: RunLog) -> Staircase:
    """Open work: tickets that are neither Resolved, Closed nor Abandoned; Reopened ones again."""
    timeline = log.arrays("timeline")

    def made() -> Staircase:
        change = backlog_changes(log)
        counts = np.flatnonzero(change)
        return steps(timeline["time_s"].take(counts), change.take(counts))

    return timeline.made("backlog", made)


def backlog_changes(log: RunLog) -> npt.NDArray[np.int64]:
    """Change of the open work at each row of the timeline: 1, -1 or 0."""
    return log.arrays("timeline").made("change of the backlog", lambda: _changes(log))


def _changes(log: RunLog) -> npt.NDArray[np.int64]:
    timeline = log.arrays("timeline")
    if "detail" in timeline and (timeline.codes("detail")[0] >= 0).any():
        return _changes_of_own(timeline)
    codes, names = timeline.codes("status")
    if not names:
        return np.zeros(0, dtype=np.int64)
    of_status = np.array([CHANGES.get(str(name), 0) for name in names], dtype=np.int64)
    change: Ints = of_status.take(codes)
    # A ticket that waited for the customer or a third party was open all the time.
    opened = np.flatnonzero(timeline.among("status", ["Open"]))
    if len(opened) > len(log.arrays("tickets")):
        again = pd.Series(timeline["ticket_id"][opened]).duplicated().to_numpy()
        change[opened[again]] = 0
    return change


def _changes_of_own(timeline: Arrays) -> npt.NDArray[np.int64]:
    """Changes of the open work where any status may follow any other, of a desk's own."""
    ids = timeline["ticket_id"]
    order = by_ticket(ids)
    ids = ids[order]
    is_open = timeline.among("status", tables.OPEN_STATUSES)[order].astype(np.int64)
    before = np.concatenate([[0], is_open[:-1]])
    before[np.concatenate([[True], ids[1:] != ids[:-1]])] = 0
    change = np.zeros(len(ids), dtype=np.int64)
    change[order] = is_open - before
    return change


def queue(log: RunLog) -> Staircase:
    """Visits that wait for an agent."""
    visits = log.arrays("visits")
    return visits.made("queue", lambda: count_between(visits["queued_s"], wait_ends(visits)))


def spells(log: RunLog, statuses: Collection[str]) -> tuple[Ints, Floats, Floats]:
    """Spells of tickets in some statuses: row in the table tickets, start, end in seconds.

    A spell that is under way at the horizon ends there. Tickets must be in the order of
    ``ticket_id``.
    """
    ids, begun_s, ended_s = stays(log, statuses)
    row = np.searchsorted(log.arrays("tickets")["ticket_id"], ids)
    return row.astype(np.int64), begun_s, ended_s


def stays(log: RunLog, statuses: Collection[str]) -> tuple[Ints, Floats, Floats]:
    """Spells as of `spells`, with the ticket's id in place of its row."""
    timeline = log.arrays("timeline")
    times, ids = timeline["time_s"], timeline["ticket_id"]
    order = by_ticket(ids)
    times, ids = times.take(order), ids.take(order)
    until = np.append(times[1:], log.horizon_s)
    until[np.append(ids[1:] != ids[:-1], True)] = log.horizon_s
    # To look up places is quicker than to leave out what is not True.
    here = np.flatnonzero(timeline.among("status", statuses).take(order))
    return ids.take(here), times.take(here), until.take(here)


def by_ticket(ids: Ints) -> Ints:
    """Places of rows by their ticket, those of one ticket as they come; ids are from 0 on."""
    # numpy sorts short integers by radix, which takes a tenth of the time.
    short = len(ids) and ids.max() <= np.iinfo(np.uint16).max
    order: Ints = np.argsort(ids.astype(np.uint16) if short else ids, kind="stable")
    return order


def wait_ends(visits: Arrays) -> Floats:
    """Moment each visit left the queue: it was taken, or the customer left; missing: neither."""
    return np.where(visits.known("started_s"), visits["started_s"], visits["ended_s"])


def busy(log: RunLog, pool: str) -> Staircase:
    """Agents of a pool who are in a visit or wrap one up, also past the end of their shift.

    Where agents are told apart, one who has several tickets in hand is busy once.
    """

    def made() -> Staircase:
        start_s, end_s, agent = _work(log, pool)
        if not np.isnan(agent).all():
            start_s, end_s = union(agent, start_s, np.where(np.isnan(end_s), np.inf, end_s))
            end_s = np.where(np.isinf(end_s), np.nan, end_s)
        return count_between(start_s, end_s)

    return log.arrays("visits").made(f"busy agents of {pool}", made)


def in_hand(log: RunLog, pool: str) -> Staircase:
    """Tickets that agents of a pool have in hand, those that they wrap up included."""
    return count_between(*_work(log, pool)[:2])


def _work(log: RunLog, pool: str) -> tuple[Floats, Floats, Floats]:
    """Start, end and agent of all work of a pool."""
    visits = log.arrays("visits")
    here = visits.at(visits.among("pool", [pool]))
    return here["started_s"], here["ended_s"], here["agent"]


def union(of: Floats, start_s: Floats, end_s: Floats) -> tuple[Floats, Floats]:
    """Spells in which at least one span of the same owner is under way: starts and ends.

    Parameters
    ----------
    of : array of float, shape (n,)
        Owner of each span.
    start_s, end_s : array of float, shape (n,)
        Infinite: it goes on.

    Examples
    --------
    >>> of, start_s, end_s = np.array([[1, 0, 4], [1, 2, 5], [1, 7, 8], [2, 4, 9]], float).T
    >>> [spells.tolist() for spells in union(of, start_s, end_s)]
    [[0.0, 7.0, 4.0], [5.0, 8.0, 9.0]]
    """
    order = np.lexsort((start_s, of))
    of, start_s, end_s = of[order], start_s[order], end_s[order]
    first = np.flatnonzero(np.append(True, of[1:] != of[:-1])[: len(of)])
    for begin, over in zip(first, np.append(first[1:], len(of)), strict=True):
        np.maximum.accumulate(end_s[begin:over], out=end_s[begin:over])
    # A spell begins where nothing of before is under way.
    fresh = np.ones(len(of), dtype=np.bool_)
    fresh[1:] = (start_s[1:] > end_s[:-1]) | (of[1:] != of[:-1])
    begins = np.flatnonzero(fresh)
    return start_s[begins], end_s[np.append(begins[1:], len(of)) - 1]


def on_shift(log: RunLog, scenario: Scenario, pool: str) -> Staircase:
    """Agents of a pool on shift, away or not, as played; else as the scenario's calendar says."""
    played = _staffing(log, pool, "on_shift")
    return staffing(scenario.agents[pool], scenario) if played is None else played


def away(log: RunLog, scenario: Scenario, pool: str) -> Staircase | None:
    """Agents of a pool who are on shift and away; None where its agents do not come and go."""
    if scenario.agents[pool].away is None:
        return None
    return _staffing(log, pool, "away")


def _staffing(log: RunLog, pool: str, column: str) -> Staircase | None:
    """A column of the table staffing as a level; None where the pool has no rows."""
    staffing = log.arrays("staffing")
    here = staffing.at(staffing.among("pool", [pool]))
    if not len(here):
        return None
    return Staircase(here["time_s"], here[column].astype(np.int64))


def edges(horizon_s: float, every_s: float) -> Floats:
    """Edges of intervals of a length that cover the run; the last may be shorter.

    Raises
    ------
    ValueError
        If the length is not above 0.
    """
    if not every_s > 0:
        raise ValueError("intervals must be longer than 0 s")
    starts = np.arange(int(np.ceil(horizon_s / every_s)), dtype=np.float64) * every_s
    return np.append(starts[starts < horizon_s], horizon_s)


def levels(log: RunLog, scenario: Scenario, every_s: float = 900.0) -> pd.DataFrame:
    """Time averages of backlog, queue, busy, staffed and absent agents, interval by interval.

    Of pools whose agents have several tickets in hand, the number in hand, too.

    The average over an interval is the area under the steps over its length: exact, whatever the
    length of the interval.

    Parameters
    ----------
    log : RunLog
    scenario : Scenario
        As run; it says which pools there are and when they are staffed.
    every_s : float
        Length of an interval in seconds.

    Returns
    -------
    DataFrame
        Columns of the table levels, see `twin.records.tables`; the whole run, warm-up included.

    Raises
    ------
    ValueError
        If `every_s` is not above 0.
    """
    at = edges(log.horizon_s, every_s)
    pools = list(scenario.agents)
    rows: list[tuple[str, int, Staircase]] = [
        ("backlog", -1, backlog(log)),
        ("queue", -1, queue(log)),
    ]
    rows += [("busy", k, busy(log, name)) for k, name in enumerate(pools)]
    rows += [("staffed", k, on_shift(log, scenario, name)) for k, name in enumerate(pools)]
    several = ((k, p) for k, p in enumerate(pools) if scenario.agents[p].concurrency > 1)
    rows += [("in hand", k, in_hand(log, p)) for k, p in several]
    absent = [(k, away(log, scenario, name)) for k, name in enumerate(pools)]
    rows += [("away", k, level) for k, level in absent if level is not None]
    return level_table([(kind, k, level.integral(at)) for kind, k, level in rows], at, pools)


def level_table(
    rows: Sequence[tuple[str, int, Floats]], at: Floats, pools: Sequence[str]
) -> pd.DataFrame:
    """Levels as the table levels.

    Parameters
    ----------
    rows : sequence of (str, int, array)
        Of each level its name, number of the pool (-1: of the run), area under it up to each edge.
    at : array of float, shape (n,)
        Edges of intervals.
    pools : sequence of str
    """
    count = len(at) - 1
    return tables.frame(
        "levels",
        {
            "start_s": np.tile(at[:-1], len(rows)),
            "end_s": np.tile(at[1:], len(rows)),
            "level": tables.codes(np.repeat([LEVELS.index(r[0]) for r in rows], count), LEVELS),
            "pool": tables.codes(np.repeat([r[1] for r in rows], count), [*pools]),
            "mean": np.concatenate([np.diff(r[2]) / np.diff(at) for r in rows]),
        },
    )


def is_resolved(tickets: Arrays) -> npt.NDArray[np.bool_]:
    """True for tickets that are Resolved or Closed at the horizon."""
    return tickets.among("status", tables.RESOLVED_STATUSES)


def throughput(log: RunLog, every_s: float = 3600.0) -> pd.DataFrame:
    """Tickets that arrived and that were resolved, interval by interval; warm-up included.

    Parameters
    ----------
    log : RunLog
    every_s : float
        Length of an interval in seconds; the last one may be shorter.

    Returns
    -------
    DataFrame
        Columns start_s, arrivals, resolved (resolved tickets, by their last resolution).

    Raises
    ------
    ValueError
        If `every_s` is not above 0.
    """
    at = edges(log.horizon_s, every_s)
    tickets = log.arrays("tickets")
    done = tickets["resolved_s"][is_resolved(tickets)]
    return pd.DataFrame(
        {
            "start_s": at[:-1],
            "arrivals": np.histogram(tickets["arrived_s"], at)[0],
            "resolved": np.histogram(done, at)[0],
        }
    )
