"""Lines in which tickets wait for agents, compiled: see `twin.desk.agents` and `waiting`.

Visits of one priority come to a line in the order of their places there, so a line is a chain of
visits for each priority, and who is next is the first of some chain.
"""

from __future__ import annotations

from math import inf, nan
from typing import Any

from twin.desk.compiled.coming import refresh, settle
from twin.desk.compiled.heap import compiled, drop_first, push
from twin.desk.compiled.rows import status_row, visit_row
from twin.records.tables import ABANDONED, HANDLE, LEFT


@compiled
def unlink(d: Any, tickets: Any, lines: Any, ends: Any, i: int) -> None:
    """Take a visit out of its line."""
    visit = tickets[i]
    line, rank = visit.line, visit.rank
    if visit.before >= 0:
        tickets[visit.before].behind = visit.behind
    else:
        ends[line, rank, 0] = visit.behind
    if visit.behind >= 0:
        tickets[visit.behind].before = visit.before
    else:
        ends[line, rank, 1] = visit.before
    lines[lines[line].first].waiting -= 1
    d.queued -= 1


@compiled
def head(d: Any, tickets: Any, ends: Any, line: int) -> int:
    """The visit that is next in a line; -1 where nobody waits."""
    best = -1
    for rank in range(ends.shape[1]):
        i = ends[line, rank, 0]
        if i >= 0 and (best < 0 or before(tickets[i], tickets[best])):
            best = i
    return best


@compiled
def before(one: Any, other: Any) -> bool:
    """True if a visit has the smaller place in the queues."""
    if one.place != other.place:
        return bool(one.place < other.place)
    return bool(one.number < other.number)


@compiled
def abandon(d: Any, tickets: Any, lines: Any, timeline: Any, visits: Any, i: int) -> None:
    """AgentPools._abandon, and what the ticket's life has to note."""
    visit = tickets[i]
    visit.waits = 0
    visit_row(d, visits, i, -1, HANDLE, visit.queued_s, nan, visit.deadline_s, LEFT)
    if visit.counted_out:
        visit.counted_out = 0
        lines[lines[visit.line].first].gone -= 1
    if visit.deadline_s < d.horizon:
        status_row(d, timeline, i, visit.deadline_s, ABANDONED)


@compiled
def first(
    d: Any, tickets: Any, lines: Any, ends: Any, queues: Any, timeline: Any, visits: Any, k: int
) -> int:
    """AgentPools._first: the visit that is next for a team; -1 where nobody waits."""
    first = -1
    for place in range(queues.shape[1]):
        line = queues[k, place]
        if line < 0:
            break
        i = head(d, tickets, ends, line)
        while i >= 0 and tickets[i].deadline_s <= d.now:
            unlink(d, tickets, lines, ends, i)
            abandon(d, tickets, lines, timeline, visits, i)
            i = head(d, tickets, ends, line)
        if i >= 0 and (first < 0 or before(tickets[i], tickets[first])):
            first = i
    return first


@compiled
def wait_in(
    d: Any, events: Any, patience_ends: Any, tickets: Any, teams: Any, lines: Any, ends: Any,
    watches: Any, line: int, i: int,
) -> None:  # fmt: skip
    """AgentPools._wait_in and ComingAndGoing._count.

    Visits of a priority come to a line in the order of their places: so a line is a chain for each.
    """
    visit = tickets[i]
    rank = visit.rank
    last = ends[line, rank, 1]
    visit.line = line
    visit.waits = 1
    visit.before = last
    visit.behind = -1
    if last >= 0:
        tickets[last].behind = i
    else:
        ends[line, rank, 0] = i
    ends[line, rank, 1] = i
    lines[lines[line].first].waiting += 1
    d.queued += 1
    if not d.comes:
        return
    old = visit.watched_in
    more = False
    for k in range(teams.size):
        if watches[line, k] and (old < 0 or not watches[old, k]):
            more = True
    if not more:
        return
    settle(d, patience_ends, tickets, teams, watches)
    if old < 0 and visit.deadline_s < inf:
        push(patience_ends, d.patience_ends, visit.deadline_s, visit.number, i)
        d.patience_ends += 1
    visit.watched_in = line
    for k in range(teams.size):
        if watches[line, k] and (old < 0 or not watches[old, k]):
            teams[k].queued += 1
            refresh(d, events, teams, k)


@compiled
def waiting_now(d: Any, expiries: Any, tickets: Any, lines: Any, line: int) -> int:
    """WaitingCount.now; the ends of patience of all lines are in one heap."""
    while d.expiries > 0 and expiries[0].time <= d.now:
        number, i = expiries[0].key, expiries[0].who
        drop_first(expiries, d.expiries)
        d.expiries -= 1
        if tickets[i].number == number and tickets[i].waits and not tickets[i].counted_out:
            tickets[i].counted_out = 1
            lines[lines[tickets[i].line].first].gone += 1
    return int(lines[lines[line].first].waiting - lines[lines[line].first].gone)
