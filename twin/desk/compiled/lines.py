"""Lines in which tickets wait for agents, compiled: see `twin.desk.agents` and `waiting`.

Visits of one priority come to a line in the order of their places there, so a line is a chain of
visits for each priority, and who is next is the first of some chain.
"""

from __future__ import annotations

from math import inf
from typing import Any

from twin.desk.compiled.columns import (
    KIND,
    ORDINAL,
    OVERFLOW,
    STAGE_OF,
    TICKET_OF,
    TRY_AGAIN,
)  # fmt: skip
from twin.desk.compiled.coming import refresh, settle
from twin.desk.compiled.heap import compiled, drop_first, push
from twin.desk.compiled.rows import later, never_served, status_at, status_now
from twin.desk.compiled.tables import (
    byte_of,
    ends,
    expiries,
    helps,
    lines,
    number_of,
    patience_ends,
    queues,
    retrial_luck,
    stages,
    teams,
    tickets,
    watches,
)  # fmt: skip
from twin.records.tables import ABANDONED, LEFT, WAITING_FOR_CUSTOMER


@compiled
def unlink(d: Any, i: int) -> None:
    """Take a visit out of its line."""
    visit = tickets(d)[i]
    line, rank = visit.line, visit.rank
    if visit.before >= 0:
        tickets(d)[visit.before].behind = visit.behind
    else:
        ends(d)[line, rank, 0] = visit.behind
    if visit.behind >= 0:
        tickets(d)[visit.behind].before = visit.before
    else:
        ends(d)[line, rank, 1] = visit.before
    lines(d)[lines(d)[line].first].waiting -= 1
    d.queued -= 1


@compiled
def head(d: Any, line: int) -> int:
    """The visit that is next in a line; -1 where nobody waits."""
    best = -1
    for rank in range(ends(d).shape[1]):
        i = ends(d)[line, rank, 0]
        if i >= 0 and (best < 0 or before(tickets(d)[i], tickets(d)[best])):
            best = i
    return best


@compiled
def before(one: Any, other: Any) -> bool:
    """True if a visit has the smaller place in the queues."""
    if one.place != other.place:
        return bool(one.place < other.place)
    return bool(one.number < other.number)


@compiled
def abandon(d: Any, i: int) -> None:
    """AgentPools._abandon, and how the ticket's life goes on."""
    visit = tickets(d)[i]
    visit.waits = 0
    never_served(d, i, visit.deadline_s, LEFT)
    if visit.counted_out:
        visit.counted_out = 0
        lines(d)[lines(d)[visit.line].first].gone -= 1
    left(d, i)


@compiled
def left(d: Any, i: int) -> None:
    """Lifecycle._agent, where the customer has left; Customers.tries_again_s."""
    visit = tickets(d)[i]
    if visit.tries < d.most_tries:
        luck = retrial_luck(d)[visit.tries]
        if byte_of(luck.again, i) != 0:
            visit.tries += 1
            status_now(d, i, WAITING_FOR_CUSTOMER)
            later(d, d.now + number_of(luck.delay_s, i), (TRY_AGAIN << KIND) + i)
            return
    status_at(d, i, ABANDONED, visit.deadline_s)


@compiled
def _first_in(d: Any, line: int, first: int) -> int:
    """The visit that is next in a line, if it comes before another one (-1: there is no other)."""
    i = head(d, line)
    while i >= 0 and tickets(d)[i].deadline_s <= d.now:
        unlink(d, i)
        abandon(d, i)
        i = head(d, line)
    return int(i if i >= 0 and (first < 0 or before(tickets(d)[i], tickets(d)[first])) else first)


@compiled
def first(d: Any, k: int) -> int:
    """AgentPools._first: the visit that is next for a team; -1 where nobody waits."""
    first = -1
    for place in range(queues(d).shape[1]):
        line = queues(d)[k, place]
        if line < 0:
            break
        first = _first_in(d, line, first)
    # Team.may_take
    for place in range(teams(d)[k].helps_from, teams(d)[k].helps_to):
        line = helps(d)[place].line
        if waiting_now(d, line) >= helps(d)[place].least:
            first = _first_in(d, line, first)
            for stage in range(lines(d)[line].stages_from, lines(d)[line].stages_to):
                first = _first_in(d, stages(d)[stage].line, first)
    return first


@compiled
def wait_in(d: Any, line: int, i: int) -> None:
    """AgentPools._wait_in and ComingAndGoing._count.

    Nearly all visits of a priority come to a line in the order of their places: so a line is a
    chain for each.
    """
    visit = tickets(d)[i]
    rank = visit.rank
    last, next_ = ends(d)[line, rank, 1], -1
    while last >= 0 and before(visit, tickets(d)[last]):
        last, next_ = tickets(d)[last].before, last
    visit.line = line
    visit.waits = 1
    visit.before = last
    visit.behind = next_
    if last >= 0:
        tickets(d)[last].behind = i
    else:
        ends(d)[line, rank, 0] = i
    if next_ >= 0:
        tickets(d)[next_].before = i
    else:
        ends(d)[line, rank, 1] = i
    lines(d)[lines(d)[line].first].waiting += 1
    d.queued += 1
    if not d.comes:
        return
    old = visit.watched_in
    more = False
    for k in range(teams(d).size):
        if watches(d)[line, k] and (old < 0 or not watches(d)[old, k]):
            more = True
    if not more:
        return
    settle(d)
    if old < 0 and visit.deadline_s < inf:
        who = (visit.ordinal << ORDINAL) + i
        push(patience_ends(d), d.patience_ends, visit.deadline_s, visit.number, who)
        d.patience_ends += 1
    visit.watched_in = line
    for k in range(teams(d).size):
        if watches(d)[line, k] and (old < 0 or not watches(d)[old, k]):
            teams(d)[k].queued += 1
            refresh(d, k)


@compiled
def join(d: Any, line: int, i: int) -> None:
    """AgentPools._join."""
    visit = tickets(d)[i]
    wait_in(d, line, i)
    for stage in range(lines(d)[line].stages_from, lines(d)[line].stages_to):
        moment = max(visit.queued_s + stages(d)[stage].after_s, d.now)
        later(d, moment, (OVERFLOW << KIND) + (stage << STAGE_OF) + (visit.ordinal << ORDINAL) + i)


@compiled
def waiting_now(d: Any, line: int) -> int:
    """WaitingCount.now; the ends of patience of all lines are in one heap."""
    while d.expiries > 0 and expiries(d)[0].time <= d.now:
        ordinal, i = expiries(d)[0].who >> ORDINAL, expiries(d)[0].who & TICKET_OF
        drop_first(expiries(d), d.expiries)
        d.expiries -= 1
        visit = tickets(d)[i]
        if visit.ordinal == ordinal and visit.waits and not visit.counted_out:
            visit.counted_out = 1
            lines(d)[lines(d)[visit.line].first].gone += 1
    return int(lines(d)[lines(d)[line].first].waiting - lines(d)[lines(d)[line].first].gone)
