"""Visits to the agents, compiled: see `twin.desk.agents`."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Any

from twin.desk.compiled.answered import answered
from twin.desk.compiled.columns import END, FREE, KIND, NORMAL, ORDINAL, OVERFLOW, STAGE_OF
from twin.desk.compiled.coming import leaves_after_touch, refresh, settle
from twin.desk.compiled.heap import compiled, push
from twin.desk.compiled.lines import first, unlink, wait_in, waiting_now
from twin.desk.compiled.rows import schedule, status_row, visit_row
from twin.records.tables import ABANDONED, BALKED, BLOCKED, DONE, HANDLE, IN_PROGRESS, WRAP_UP


@compiled
def pick_up(
    d: Any, events: Any, patience_ends: Any, tickets: Any, teams: Any, watches: Any, work: Any,
    timeline: Any, visits: Any, k: int, i: int,
) -> None:  # fmt: skip
    """AgentPools._pick_up and Ledger.picked_up; ComingAndGoing._pick_up around them."""
    visit, team = tickets[i], teams[k]
    line = -1
    if d.comes:
        settle(d, patience_ends, tickets, teams, watches)
        line = visit.watched_in
        visit.watched_in = -1
        if line >= 0:
            for j in range(teams.size):
                if watches[line, j]:
                    teams[j].queued -= 1
    visit.waits = 0
    visit.team = k
    team.busy += 1
    ends_s = d.now + work[k * (d.most_returns + 1) + tickets[i].reopens, i]
    visit_row(d, visits, i, team.pool, HANDLE, visit.queued_s, d.now, ends_s, DONE)
    status_row(d, timeline, i, d.now, IN_PROGRESS)
    if isnan(visit.responded_s):
        visit.responded_s = d.now
    schedule(d, events, ends_s, 0, (END << KIND) + i)
    if d.comes:
        if line >= 0:
            for j in range(teams.size):
                if watches[line, j]:
                    refresh(d, events, teams, j)
        if team.comes and (line < 0 or not watches[line, k]):
            refresh(d, events, teams, k)


@compiled
def fill(
    d: Any, events: Any, patience_ends: Any, tickets: Any, teams: Any, lines: Any, ends: Any,
    queues: Any, watches: Any, work: Any, timeline: Any, visits: Any, k: int,
) -> None:  # fmt: skip
    """AgentPools._fill."""
    while teams[k].busy < teams[k].staffed:
        i = first(d, tickets, lines, ends, queues, timeline, visits, k)
        if i < 0:
            return
        unlink(d, tickets, lines, ends, i)
        pick_up(d, events, patience_ends, tickets, teams, watches, work, timeline, visits, k, i)


@compiled
def _taken(
    d: Any, events: Any, patience_ends: Any, tickets: Any, teams: Any, able: Any, watches: Any,
    work: Any, timeline: Any, visits: Any, row: int, i: int,
) -> bool:  # fmt: skip
    """Give a visit to the first of some teams that has a free place; False: none has."""
    k = _first_free(teams, able, row)
    if k < 0:
        return False
    pick_up(d, events, patience_ends, tickets, teams, watches, work, timeline, visits, k, i)
    return True


@compiled
def _first_free(teams: Any, able: Any, row: int) -> int:
    """The first of some teams that has a free place; -1: none has."""
    for place in range(able.shape[1]):
        k = able[row, place]
        if k < 0:
            break
        if teams[k].busy < teams[k].staffed:
            return int(k)
    return -1


@compiled
def _drawn(
    tickets: Any, teams: Any, able: Any, skilled: Any, choices: Any, row: int, i: int
) -> int:
    """The order of choice.pool_choice, by chance: any free team with the skill, else the first."""
    category = tickets[i].category
    skilled_and_free = 0
    for place in range(able.shape[1]):
        k = able[row, place]
        if k >= 0 and teams[k].busy < teams[k].staffed and skilled[k, category]:
            skilled_and_free += 1
    if skilled_and_free < 2:
        return _first_free(teams, able, row)
    left = int(choices[tickets[i].reopens, i] * skilled_and_free)
    for place in range(able.shape[1]):
        k = able[row, place]
        if k >= 0 and teams[k].busy < teams[k].staffed and skilled[k, category]:
            if left == 0:
                return int(k)
            left -= 1
    return -1


@compiled
def _refused(
    d: Any, expiries: Any, tickets: Any, lines: Any, timeline: Any, visits: Any, line: int, i: int
) -> bool:
    """AgentPools._let_in and Entrance.refuses: True if the customer does not join the line."""
    visit = tickets[i]
    waiting = waiting_now(d, expiries, tickets, lines, line)
    if waiting >= d.capacity:
        end = BLOCKED
    elif waiting > visit.most_ahead:
        end = BALKED
    else:
        if visit.deadline_s < inf:
            push(expiries, d.expiries, visit.deadline_s, visit.number, i)
            d.expiries += 1
        return False
    visit_row(d, visits, i, -1, HANDLE, d.now, nan, d.now, end)
    if d.now < d.horizon:
        status_row(d, timeline, i, d.now, ABANDONED)
    return True


@compiled
def come(
    d: Any, events: Any, patience_ends: Any, expiries: Any, tickets: Any, teams: Any, lines: Any,
    ends: Any, able: Any, skilled: Any, stages: Any, watches: Any, work: Any, choices: Any,
    timeline: Any, visits: Any, i: int,
) -> None:  # fmt: skip
    """AgentPools.visit."""
    visit = tickets[i]
    visit.queued_s = d.now
    visit.number = d.numbers
    visit.ordinal += 1
    visit.watched_in = -1
    visit.counted_out = 0
    d.numbers += 1
    visit.place = visit.place_s if d.strict else d.now + visit.place_s
    line = visit.first_line
    if d.by_chance:
        k = _drawn(tickets, teams, able, skilled, choices, line, i)
    else:
        k = _first_free(teams, able, line)
    if k >= 0:
        pick_up(d, events, patience_ends, tickets, teams, watches, work, timeline, visits, k, i)
        return
    visit.deadline_s = d.now + visit.patience_s
    if d.counted and _refused(d, expiries, tickets, lines, timeline, visits, line, i):
        return
    # AgentPools._join
    wait_in(d, events, patience_ends, tickets, teams, lines, ends, watches, line, i)
    for stage in range(lines[line].stages_from, lines[line].stages_to):
        moment = max(visit.queued_s + stages[stage].after_s, d.now)
        who = (OVERFLOW << KIND) + (stage << STAGE_OF) + (visit.ordinal << ORDINAL) + i
        schedule(d, events, moment, NORMAL, who)


@compiled
def overflow(
    d: Any, events: Any, patience_ends: Any, tickets: Any, teams: Any, lines: Any, ends: Any,
    able: Any, stages: Any, watches: Any, work: Any, timeline: Any, visits: Any, stage: int,
    ordinal: int, i: int,
) -> None:  # fmt: skip
    """AgentPools._overflow."""
    visit = tickets[i]
    if visit.ordinal != ordinal or not visit.waits or visit.deadline_s <= d.now:
        return
    unlink(d, tickets, lines, ends, i)
    if not _taken(
        d, events, patience_ends, tickets, teams, able, watches, work, timeline, visits, lines.size
        + stage, i,
    ):  # fmt: skip
        wait_in(
            d, events, patience_ends, tickets, teams, lines, ends, watches, stages[stage].line, i
        )


@compiled
def release(
    d: Any, events: Any, patience_ends: Any, tickets: Any, teams: Any, lines: Any, ends: Any,
    queues: Any, watches: Any, luck: Any, work: Any, timeline: Any, visits: Any, staffing: Any,
    k: int,
) -> None:  # fmt: skip
    """AgentPools._release; ComingAndGoing._release around it."""
    team = teams[k]
    if team.comes:
        settle(d, patience_ends, tickets, teams, watches)
        leaves_after_touch(d, teams, luck, staffing, k)
    team.busy -= 1
    fill(
        d, events, patience_ends, tickets, teams, lines, ends, queues, watches, work, timeline,
        visits, k,
    )  # fmt: skip
    if team.comes:
        refresh(d, events, teams, k)


@compiled
def end_visit(
    d: Any, events: Any, patience_ends: Any, tickets: Any, teams: Any, lines: Any, ends: Any,
    queues: Any, watches: Any, luck: Any, work: Any, wrap_up: Any, solves: Any, delays: Any,
    timeline: Any, visits: Any, ratings: Any, staffing: Any, i: int,
) -> None:  # fmt: skip
    """The end of a visit: AgentPools._release or _wrap_up, and on with the ticket."""
    k, lasts_s = tickets[i].team, 0.0
    if teams[k].wraps:
        lasts_s = wrap_up[k * (d.most_returns + 1) + tickets[i].reopens, i]
    if lasts_s != 0.0:
        ends_s = d.now + lasts_s
        visit_row(d, visits, i, teams[k].pool, WRAP_UP, nan, d.now, ends_s, DONE)
        schedule(d, events, ends_s, 0, (FREE << KIND) + k)
    else:
        release(
            d, events, patience_ends, tickets, teams, lines, ends, queues, watches, luck, work,
            timeline, visits, staffing, k,
        )  # fmt: skip
    answered(d, events, tickets, solves, delays, timeline, ratings, i)
