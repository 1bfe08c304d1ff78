"""Visits to the agents, compiled: see `twin.desk.agents`."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Any

from twin.desk.compiled.columns import (
    END,
    FREE,
    KIND,
    LUCK,
    ORDINAL,
    OVERFLOW,
    REOPEN,
    STAGE_OF,
    VISIT,
    WORK,
)  # fmt: skip
from twin.desk.compiled.coming import leaves_after_touch, refresh, settle
from twin.desk.compiled.heap import compiled, push
from twin.desk.compiled.lines import first, unlink, wait_in, waiting_now
from twin.desk.compiled.rows import begun, later, never_served, schedule, status_at, status_now
from twin.desk.compiled.tables import (
    able,
    choices,
    expiries,
    knows,
    lines,
    number_of,
    routes,
    skilled,
    stages,
    teams,
    tickets,
    visit_luck,
    watches,
    work,
    wrap_up,
)  # fmt: skip
from twin.records.tables import (
    ABANDONED,
    BALKED,
    BLOCKED,
    HANDLE,
    IN_PROGRESS,
    REVIEW,
    TRIAGE,
    WRAP_UP,
)  # fmt: skip


@compiled
def ask_for(d: Any, i: int, what: int, then: int) -> None:
    """Stop for something that only Python can make, and go on with a ticket when it is there."""
    d.asks_for = what
    d.pending = i
    d.resume = then


@compiled
def pick_up(d: Any, k: int, i: int) -> None:
    """AgentPools._pick_up and Ledger.picked_up; ComingAndGoing._pick_up around them."""
    visit, team = tickets(d)[i], teams(d)[k]
    line = -1
    if d.comes:
        settle(d)
        line = visit.watched_in
        visit.watched_in = -1
        if line >= 0:
            for j in range(teams(d).size):
                if watches(d)[line, j]:
                    teams(d)[j].queued -= 1
    visit.waits = 0
    visit.team = k
    activity = visit.activity
    if activity == HANDLE and not knows(d)[k, visit.truth]:
        visit.misrouted = 1
        activity = TRIAGE
    team.busy += 1
    ends_s = d.now + number_of(work(d)[k, activity, visit.returns], i)
    begun(d, i, team.pool, visit.activity, visit.queued_s, ends_s)
    if visit.activity != REVIEW:
        status_now(d, i, IN_PROGRESS)
        if visit.activity == HANDLE and isnan(visit.responded_s):
            visit.responded_s = d.now
    schedule(d, ends_s, 0, (END << KIND) + i)
    if d.comes:
        if line >= 0:
            for j in range(teams(d).size):
                if watches(d)[line, j]:
                    refresh(d, j)
        if team.comes and (line < 0 or not watches(d)[line, k]):
            refresh(d, k)


@compiled
def fill(d: Any, k: int) -> None:
    """AgentPools._fill."""
    while teams(d)[k].busy < teams(d)[k].staffed:
        i = first(d, k)
        if i < 0:
            return
        unlink(d, i)
        pick_up(d, k, i)


@compiled
def _taken(d: Any, row: int, i: int) -> bool:
    """Give a visit to the first of some teams that has a free place; False: none has."""
    k = _first_free(d, row)
    if k < 0:
        return False
    pick_up(d, k, i)
    return True


@compiled
def _first_free(d: Any, row: int) -> int:
    """The first of some teams that has a free place; -1: none has."""
    for place in range(able(d).shape[1]):
        k = able(d)[row, place]
        if k < 0:
            break
        if teams(d)[k].busy < teams(d)[k].staffed:
            return int(k)
    return -1


@compiled
def _drawn(d: Any, row: int, i: int) -> int:
    """The order of choice.pool_choice, by chance: any free team with the skill, else the first."""
    visit = tickets(d)[i]
    free = 0
    for place in range(able(d).shape[1]):
        k = able(d)[row, place]
        if k >= 0 and teams(d)[k].busy < teams(d)[k].staffed and skilled(d)[k, visit.to]:
            free += 1
    if free < 2:
        return int(_first_free(d, row))
    left = int(number_of(choices(d)[visit.activity, visit.returns], i) * free)
    for place in range(able(d).shape[1]):
        k = able(d)[row, place]
        if k >= 0 and teams(d)[k].busy < teams(d)[k].staffed and skilled(d)[k, visit.to]:
            if left == 0:
                return int(k)
            left -= 1
    return -1


@compiled
def _refused(d: Any, line: int, i: int) -> bool:
    """AgentPools._let_in and Entrance.refuses: True if the customer does not join the line."""
    visit = tickets(d)[i]
    waiting = waiting_now(d, line)
    if waiting >= d.capacity:
        end = BLOCKED
    elif waiting > visit.most_ahead:
        end = BALKED
    else:
        if visit.deadline_s < inf:
            push(expiries(d), d.expiries, visit.deadline_s, visit.number, i)
            d.expiries += 1
        return False
    never_served(d, i, d.now, end)
    status_at(d, i, ABANDONED, d.now)
    return True


@compiled
def come(d: Any, i: int, category: int, activity: int, returns: int) -> None:
    """Lifecycle._agent."""
    visit = tickets(d)[i]
    visit.to = category
    visit.activity = activity
    visit.returns = returns
    visit_agents(d, i)


@compiled
def _is_drawn(d: Any, i: int) -> bool:
    """True if the work of a visit is drawn, whoever takes it."""
    visit = tickets(d)[i]
    if teams(d).size == 0:
        return True
    if work(d)[0, visit.activity, visit.returns] == 0:
        return False
    # Who goes by a wrong category may meet an agent who finds that out.
    wrong = visit.activity == HANDLE and visit.to != visit.truth
    return not wrong or work(d)[0, TRIAGE, visit.returns] != 0


@compiled
def visit_agents(d: Any, i: int) -> None:
    """AgentPools.visit."""
    visit = tickets(d)[i]
    if not _is_drawn(d, i):
        ask_for(d, i, WORK, VISIT)
        return
    visit.queued_s = d.now
    visit.number = d.numbers
    visit.ordinal += 1
    visit.watched_in = -1
    visit.counted_out = 0
    visit.misrouted = 0
    d.numbers += 1
    visit.place = visit.place_s if d.strict else d.now + visit.place_s
    line = routes(d)[visit.channel, visit.to]
    k = _drawn(d, line, i) if d.by_chance else _first_free(d, line)
    if k >= 0:
        pick_up(d, k, i)
        return
    visit.deadline_s = d.now + visit.patience_s
    if d.counted and _refused(d, line, i):
        return
    # AgentPools._join
    wait_in(d, line, i)
    for stage in range(lines(d)[line].stages_from, lines(d)[line].stages_to):
        moment = max(visit.queued_s + stages(d)[stage].after_s, d.now)
        later(d, moment, (OVERFLOW << KIND) + (stage << STAGE_OF) + (visit.ordinal << ORDINAL) + i)


@compiled
def overflow(d: Any, stage: int, ordinal: int, i: int) -> None:
    """AgentPools._overflow."""
    visit = tickets(d)[i]
    if visit.ordinal != ordinal or not visit.waits or visit.deadline_s <= d.now:
        return
    unlink(d, i)
    if not _taken(d, lines(d).size + stage, i):
        wait_in(d, stages(d)[stage].line, i)


@compiled
def release(d: Any, k: int) -> None:
    """AgentPools._release; ComingAndGoing._release around it."""
    team = teams(d)[k]
    if team.comes:
        settle(d)
        leaves_after_touch(d, k)
    team.busy -= 1
    fill(d, k)
    if team.comes:
        refresh(d, k)


@compiled
def end_visit(d: Any, i: int) -> None:
    """The end of a visit for its agent: AgentPools._release or _wrap_up."""
    visit = tickets(d)[i]
    k, lasts_s = visit.team, 0.0
    if teams(d)[k].wraps and visit.activity == HANDLE and not visit.misrouted:
        lasts_s = number_of(wrap_up(d)[k, visit.activity, visit.returns], i)
    if lasts_s != 0.0:
        ends_s = d.now + lasts_s
        begun(d, i, teams(d)[k].pool, WRAP_UP, nan, ends_s)
        schedule(d, ends_s, 0, (FREE << KIND) + k)
    else:
        release(d, k)


@compiled
def luck_is_drawn(d: Any, i: int, visit: int) -> bool:
    """True if the luck of the answer to a visit is drawn; else it is asked for."""
    if visit_luck(d)[visit].solved != 0:
        return True
    ask_for(d, i, LUCK, REOPEN)
    return False
