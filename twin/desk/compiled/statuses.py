"""Lives by a desk's own statuses, compiled: `twin.desk.workflow.WorkflowLife`."""

from __future__ import annotations

from math import isnan
from typing import Any

from twin.desk.compiled.clocks import after, passed
from twin.desk.compiled.columns import KIND, READY, ROOM, SOLVED, SPACE, STATUSES
from twin.desk.compiled.feedback import collect_feedback
from twin.desk.compiled.heap import compiled
from twin.desk.compiled.rows import later, status_now
from twin.desk.compiled.serving import ask_for, come, take_place
from twin.desk.compiled.tables import (
    ages,
    delays,
    number_of,
    own_statuses,
    paces,
    tickets,
    timeline,
    visit_luck,
    ways,
    ways_from,
)  # fmt: skip
from twin.desk.statuses import OwnStatuses
from twin.records.tables import BY_AGENT, FOLLOW_UP, HANDLE

_FIRST = OwnStatuses.FIRST
_MOST = ROOM // 4


@compiled
def live_on(d: Any, i: int) -> None:
    """WorkflowLife.life, from the status in `way` until the ticket has to wait for something."""
    ticket = tickets(d)[i]
    first, end = ways_from(d)[i], ways_from(d)[i + 1]
    while first + ticket.way < end:
        # Statuses without a delay follow each other at once.
        if d.timeline + _MOST > timeline(d).size:
            ask_for(d, i, SPACE, STATUSES)
            return
        place = first + ticket.way
        status = ways(d)[place].status
        own = own_statuses(d)[status]
        if own.resolves and not ticket.rests and visit_luck(d)[ticket.reopens].solved == 0:
            ask_for(d, i, SOLVED, STATUSES)
            return
        if ticket.by_taking:
            ticket.taken_as = _FIRST + status
        elif place > first:
            status_now(d, i, _FIRST + status)
        if own.responds and not ticket.by_taking and isnan(ticket.responded_s):
            ticket.responded_s = d.now
        if ticket.rests and own.open:
            ticket.reopens += 1
        if own.resolves and not ticket.rests:
            _resolve(d, i, place, end)
        ticket.rests = not own.open
        if not ticket.by_taking:
            ticket.ready_s = _ready_s(d, i, place)
        if ticket.ready_s >= d.horizon:
            return
        ticket.way += 1
        more = place + 1 < end
        next_works = more and own_statuses(d)[ways(d)[place + 1].status].works
        ticket.by_taking = own.until_taken and next_works
        if ticket.by_taking:
            continue
        if own.works:
            # WorkflowLife.work
            take_place(d, i)
            ticket.to_work = 1
            if ticket.ready_s > d.now:
                later(d, ticket.ready_s, (READY << KIND) + i)
            else:
                ready(d, i)
            return
        if more and ticket.ready_s > d.now:
            later(d, ticket.ready_s, (READY << KIND) + i)
            return


@compiled
def ready(d: Any, i: int) -> None:
    """The delay of a status is over: WorkflowLife.work goes on."""
    ticket = tickets(d)[i]
    ticket.to_work = 0
    activity = FOLLOW_UP if ticket.worked else HANDLE
    ticket.further += ticket.worked
    come(d, i, ticket.truth, activity, ticket.further)
    ticket.placed = 1


@compiled
def _ready_s(d: Any, i: int, place: int) -> float:
    """WorkflowLife.ready_s."""
    kind = ways(d)[place].delay
    if kind < 0:
        return float(d.now)
    band = 0
    if ages(d).size:
        arrived_s = tickets(d)[i].arrived_s
        age_s = passed(d, d.aging_from, d.aging_to, d.now)
        age_s -= passed(d, d.aging_from, d.aging_to, arrived_s)
        for bound in ages(d):
            if age_s >= bound:
                band += 1
    delay_s = delays(d)[min(band, delays(d).shape[0] - 1), place]
    return float(after(d, paces(d)[kind, 0], paces(d)[kind, 1], d.now, delay_s))


@compiled
def _resolve(d: Any, i: int, place: int, end: int) -> None:
    """WorkflowLife.resolve, and whether it is for the last time."""
    ticket = tickets(d)[i]
    last = True
    for k in range(place + 1, end):
        if own_statuses(d)[ways(d)[k].status].open:
            last = False
    if isnan(ticket.responded_s):
        ticket.responded_s = d.now
    ticket.resolved_s = d.now
    ticket.resolved_by = BY_AGENT
    solved = last and number_of(visit_luck(d)[ticket.reopens].solved, i) < d.agent_solves
    ticket.solved = solved
    if last and ticket.surveyed:
        collect_feedback(d, i, BY_AGENT, solved, True)
