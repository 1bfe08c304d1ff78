"""Visits to the agents, compiled: see `twin.desk.agents`."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Any

from twin.desk.compiled.columns import (
    END,
    FREE,
    GIVE_UP,
    IN_ORDER,
    KIND,
    LONGEST_IDLE,
    LUCK,
    ORDINAL,
    ORDINALS,
    VISIT,
    WORK,
)  # fmt: skip
from twin.desk.compiled.coming import leaves_after_touch, refresh, settle
from twin.desk.compiled.crew import (
    drop,
    ends_s,
    goes_home,
    idle_before,
    next_agent,
    place_of,
    takes,
    wraps_up,
)  # fmt: skip
from twin.desk.compiled.heap import compiled, push
from twin.desk.compiled.lines import abandon, first, join, left, unlink, wait_in, waiting_now
from twin.desk.compiled.rows import begun, ended, later, never_served, schedule, status_now
from twin.desk.compiled.stopping import leaves_work
from twin.desk.compiled.tables import (
    able,
    agents,
    choices,
    expiries,
    helpers,
    knows,
    lines,
    number_of,
    retrial_luck,
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
    BALKED,
    BLOCKED,
    FOLLOW_UP,
    HANDLE,
    IN_PROGRESS,
    OPEN,
    PENDING_REVIEW,
    REVIEW,
    TRIAGE,
    WRAP_UP,
)  # fmt: skip


@compiled
def ask_for(d: Any, i: int, what: int, then: int) -> None:
    """Stop for something that only Python can make, and go on with a ticket when it is there."""
    d.asks_for = what
    go_on(d, i, then)


@compiled
def go_on(d: Any, i: int, then: int) -> None:
    """Go on with a ticket at the end of the event: what is long is compiled in one place only."""
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
    fresh = isnan(visit.remaining_s)
    lasts_s = visit.remaining_s
    if fresh:
        # Of the visit that the ticket's life waits for, of which others may do the rest.
        visit.taken_by = k
        visit.wrong = visit.misrouted
        lasts_s = number_of(work(d)[k, activity, visit.returns], i)
    number = 0
    if team.crew:
        visit.agent = next_agent(d, k, i)
        number = agents(d)[visit.agent].number
        visit.ends_s = ends_s(d, k, visit.agent, lasts_s)
    else:
        team.busy += 1
        visit.ends_s = d.now + lasts_s
    visit.row = d.visits
    begun(d, i, team.pool, visit.activity, visit.queued_s, visit.ends_s, number)
    if fresh and visit.activity != REVIEW:
        if not d.workflow:
            status_now(d, i, IN_PROGRESS)
        elif visit.taken_as >= 0:
            status_now(d, i, visit.taken_as)
            visit.taken_as = -1
        if visit.activity == HANDLE and isnan(visit.responded_s):
            visit.responded_s = d.now
    if team.crew:
        takes(d, k, i, lasts_s)
    else:
        schedule(d, visit.ends_s, 0, (END << KIND) + (visit.ordinal << ORDINAL) + i)
    if team.stops and not team.crew:
        # To Team.in_work: a chain, as nothing of it is in a line.
        visit.before = team.last
        visit.behind = -1
        if team.last >= 0:
            tickets(d)[team.last].behind = i
        team.last = i
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
def _chosen(d: Any, row: int, i: int) -> int:
    """The order of choice.pool_choice: one of the free teams with the skill, else the first."""
    visit = tickets(d)[i]
    free, idlest = 0, -1
    for place in range(able(d).shape[1]):
        k = able(d)[row, place]
        if k >= 0 and teams(d)[k].busy < teams(d)[k].staffed and skilled(d)[k, visit.to]:
            free += 1
            if d.pool_choice == LONGEST_IDLE and (idlest < 0 or idle_before(d, k, idlest)):
                idlest = k
    if free < 2:
        return int(_first_free(d, row))
    if d.pool_choice == LONGEST_IDLE:
        return int(idlest)
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
    """AgentPools._let_in and Entrance.ends: True if the customer does not join the line."""
    visit = tickets(d)[i]
    waiting = waiting_now(d, line)
    if waiting >= d.capacity:
        end = BLOCKED
    elif waiting > visit.most_ahead:
        end = BALKED
    else:
        if visit.called_back and waiting >= d.callback_at:
            visit.deadline_s = inf
        return False
    visit.deadline_s = d.now
    never_served(d, i, d.now, end)
    left(d, i)
    return True


@compiled
def come(d: Any, i: int, category: int, activity: int, returns: int) -> None:
    """Lifecycle._agent."""
    visit = tickets(d)[i]
    visit.to = category
    visit.activity = activity
    visit.returns = returns
    visit.placed = 0
    go_on(d, i, VISIT)


@compiled
def take_place(d: Any, i: int) -> None:
    """The place in the queues that a ticket has from now on: `waiting.places`."""
    visit = tickets(d)[i]
    visit.number = d.numbers
    d.numbers += 1
    visit.place = visit.place_s if d.strict else d.now + visit.place_s


@compiled
def _is_drawn(d: Any, i: int) -> bool:
    """True if the work of a visit is drawn, whoever takes it, and if its customer tries again."""
    visit = tickets(d)[i]
    if visit.tries < d.most_tries and retrial_luck(d)[visit.tries].again == 0:
        return False
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
    if d.comes and visit.watched_in >= 0:
        # A customer who left is counted out before they are back.
        settle(d)
    visit.queued_s = d.now
    visit.ordinal = (visit.ordinal + 1) & ORDINALS
    visit.watched_in = -1
    visit.counted_out = 0
    visit.misrouted = 0
    visit.wrong = 0
    visit.remaining_s = nan
    if not visit.placed:
        take_place(d, i)
    line = routes(d)[visit.channel, visit.to]
    k = _first_free(d, line) if d.pool_choice == IN_ORDER else _chosen(d, line, i)
    if k >= 0:
        pick_up(d, k, i)
        return
    visit.deadline_s = d.now + visit.patience_s
    if lines(d)[line].counted:
        if d.entrance and _refused(d, line, i):
            return
        if visit.deadline_s < inf:
            who = (visit.ordinal << ORDINAL) + i
            push(expiries(d), d.expiries, visit.deadline_s, visit.number, who)
            d.expiries += 1
    join(d, line, i)
    if d.most_tries and visit.deadline_s < inf:
        later(d, visit.deadline_s, (GIVE_UP << KIND) + (visit.ordinal << ORDINAL) + i)
    for place in range(lines(d)[line].helpers_from, lines(d)[line].helpers_to):
        if waiting_now(d, line) >= helpers(d)[place].least:
            fill(d, helpers(d)[place].team)


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
def give_up(d: Any, ordinal: int, i: int) -> None:
    """AgentPools._give_up."""
    if tickets(d)[i].ordinal == ordinal and tickets(d)[i].waits:
        unlink(d, i)
        abandon(d, i)


@compiled
def try_again(d: Any, i: int) -> None:
    """Lifecycle._agent, when a customer who left is back."""
    status_now(d, i, PENDING_REVIEW if tickets(d)[i].activity == REVIEW else OPEN)
    go_on(d, i, VISIT)


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
def let_go(d: Any, a: int, place: int) -> None:
    """Crew._release."""
    drop(d, a, place)
    k = agents(d)[a].team
    if agents(d)[a].in_hand == 0 and teams(d)[k].going:
        goes_home(d, a)
    fill(d, k)


@compiled
def end_visit(d: Any, i: int) -> None:
    """The end of a visit for its agent: AgentPools._release or _wrap_up; Crew._done."""
    visit = tickets(d)[i]
    k, lasts_s = visit.team, 0.0
    if teams(d)[k].stops and not teams(d)[k].crew:
        leaves_work(d, k, i)
    wrapped_up = visit.activity == HANDLE or visit.activity == FOLLOW_UP
    if teams(d)[k].wraps and wrapped_up and not visit.misrouted:
        lasts_s = number_of(wrap_up(d)[k, visit.activity, visit.returns], i)
    if teams(d)[k].crew:
        place = place_of(d, visit.agent, visit.row)
        if not teams(d)[k].steady:
            ended(d, visit.row)
        if lasts_s != 0.0:
            wraps_up(d, k, visit.agent, place, lasts_s)
        else:
            let_go(d, visit.agent, place)
    elif lasts_s != 0.0:
        ends = d.now + lasts_s
        begun(d, i, teams(d)[k].pool, WRAP_UP, nan, ends, 0)
        schedule(d, ends, 0, (FREE << KIND) + k)
    else:
        release(d, k)


@compiled
def has_wrapped_up(d: Any, a: int, row: int) -> None:
    """Crew._wrapped_up."""
    if not teams(d)[agents(d)[a].team].steady:
        ended(d, row)
    let_go(d, a, place_of(d, a, row))


@compiled
def next_is_drawn(d: Any, i: int, then: int) -> bool:
    """True if the luck of the answer to a ticket's next visit is drawn; else it is asked for."""
    if visit_luck(d)[tickets(d)[i].reopens + 1].solved != 0:
        return True
    ask_for(d, i, LUCK, then)
    return False
