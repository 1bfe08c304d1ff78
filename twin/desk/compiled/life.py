"""The life of a ticket, compiled: each function repeats one of `twin.desk.lifecycle`.

What waits there by `yield` is cut in two here: `heard` goes on after a model's answer, `done` after
an agent's touch.
"""

from __future__ import annotations

from typing import Any

from twin.assistant.protocol import OK
from twin.desk.compiled.columns import (
    ANSWERS,
    ASK,
    ASK_AGAIN,
    BACK,
    HEARD,
    KIND,
    NEXT_ANSWERS,
    ONE_ANSWER,
    REOPEN,
    REPLIED,
    REPLY,
    RETRY,
    STATUSES,
)  # fmt: skip
from twin.desk.compiled.feedback import collect_feedback
from twin.desk.compiled.heap import compiled
from twin.desk.compiled.provider import next_slot, send
from twin.desk.compiled.rows import later, status_at, status_now
from twin.desk.compiled.serving import ask_for, come, go_on, next_is_drawn
from twin.desk.compiled.tables import (
    byte_of,
    code_of,
    number_of,
    providers,
    rules,
    slots,
    slots_of,
    teams,
    tickets,
    visit_luck,
    whole_of,
)  # fmt: skip
from twin.desk.compiled.touches import next_pool, touch_is_drawn, waits
from twin.records.tables import (
    AUTOMATIC,
    BY_AGENT,
    BY_ASSISTANT,
    BY_REVIEW,
    CATEGORIZED,
    CLOSED,
    ESCALATED,
    FOLLOW_UP,
    HANDLE,
    IN_PROGRESS,
    OPEN,
    PENDING_REVIEW,
    REOPENED,
    RESOLVED,
    REVIEW,
    STEPS,
    TRIAGE,
)

CATEGORIZE, RESPOND = STEPS.index("categorize"), STEPS.index("respond")


@compiled
def begin(d: Any, i: int) -> None:
    """Lifecycle.life."""
    if d.workflow:
        go_on(d, i, STATUSES)
    elif d.assistant and not tickets(d)[i].escalated:
        _ask(d, i, CATEGORIZE)
    else:
        _respond(d, i, -1)


@compiled
def _ask(d: Any, i: int, step: int) -> None:
    """AssistantDesk.ask."""
    call = tickets(d)[i]
    call.step = step
    call.given = 1
    if step == RESPOND:
        call.given = 0 if call.categorized_by == BY_AGENT else 1 + call.named_by
    call.model = 0
    call.again_slot = -1
    go_on(d, i, ASK)


@compiled
def ask_model(d: Any, i: int) -> None:
    """A round of AssistantDesk._ask_in_turn: a model is asked, as Provider.ask does."""
    call = tickets(d)[i]
    slot = slots_of(d)[call.step, call.given, call.model, call.reopens]
    if slot < 0:
        ask_for(d, i, ANSWERS, ASK)
        return
    call.first_slot = slot
    if byte_of(slots(d)[slot].asked, i) == 0:
        ask_for(d, i, ONE_ANSWER, ASK)
        return
    call.slot = slot if call.again_slot < 0 else call.again_slot
    call.asked_s = d.now
    call.attempts = 0
    call.limited = 0
    call.quota_s = 0.0
    send(d, i)


@compiled
def heard(d: Any, i: int) -> None:
    """A model has answered, or failed for good: the rest of _ask_in_turn, and what follows."""
    call = tickets(d)[i]
    if call.outcome == OK:
        if call.step == CATEGORIZE:
            call.named_by = call.model
            _categorize(d, i)
        else:
            call.signed = call.first_slot
            _drafted(d, i)
    elif call.model + 1 < providers(d).size:
        call.model += 1
        go_on(d, i, ASK)
    elif d.on_failure == ASK_AGAIN:
        slot = next_slot(d, i)
        if slot < 0:
            ask_for(d, i, NEXT_ANSWERS, HEARD)
            return
        call.again_slot = slot
        later(d, d.now + d.retry_after, (RETRY << KIND) + i)
    elif call.step == CATEGORIZE:
        _respond(d, i, -1)
    else:
        _respond_by_agent(d, i, call.known)


@compiled
def _categorize(d: Any, i: int) -> None:
    """Lifecycle.categorize, with an answer."""
    ticket, slot = tickets(d)[i], slots(d)[tickets(d)[i].first_slot]
    ticket.confidence = number_of(slot.score, i)
    category = code_of(slot.word, i)
    if ticket.confidence < d.threshold:
        if ticket.confidence < d.handled_below:
            _respond(d, i, -1)
        else:
            status_now(d, i, ESCALATED)
            ticket.transfers += 1
            come(d, i, category, TRIAGE, 0)
        return
    _categorized(d, i, category, BY_ASSISTANT)
    status_now(d, i, CATEGORIZED)
    _respond(d, i, category)


@compiled
def _categorized(d: Any, i: int, category: int, worker: int) -> None:
    tickets(d)[i].category = category
    tickets(d)[i].categorized_by = worker


@compiled
def _respond(d: Any, i: int, category: int) -> None:
    """Lifecycle.respond; a category below 0 is none."""
    if category < 0 or rules(d)[category].for_humans:
        _respond_by_agent(d, i, category)
        return
    status_now(d, i, IN_PROGRESS)
    tickets(d)[i].known = category
    _ask(d, i, RESPOND)


@compiled
def _drafted(d: Any, i: int) -> None:
    """Lifecycle.respond, with an answer."""
    ticket, slot = tickets(d)[i], slots(d)[tickets(d)[i].first_slot]
    ticket.quality = number_of(slot.score, i)
    ticket.answer = whole_of(slot.word, i)
    if rules(d)[ticket.known].for_review:
        status_now(d, i, PENDING_REVIEW)
        come(d, i, ticket.known, REVIEW, ticket.reopens)
    else:
        _update_status(d, i, BY_ASSISTANT)


@compiled
def _respond_by_agent(d: Any, i: int, category: int) -> None:
    """Lifecycle.respond_by_agent."""
    ticket = tickets(d)[i]
    ticket.known = category
    ticket.sent_on = 0
    if d.escalates and not (ticket.reopens and teams(d).size):
        status_now(d, i, ESCALATED)
        ticket.transfers += 1
    come(d, i, ticket.truth if category < 0 else category, HANDLE, ticket.reopens)


@compiled
def done(d: Any, i: int) -> None:
    """An agent's touch has ended: what follows it in Lifecycle."""
    ticket = tickets(d)[i]
    if d.workflow:
        _done_in_status(d, i)
    elif ticket.activity == TRIAGE:
        _categorized(d, i, ticket.truth, BY_AGENT)
        status_now(d, i, CATEGORIZED)
        _respond(d, i, ticket.truth)
    elif ticket.activity == REVIEW:
        _update_status(d, i, BY_REVIEW)
    elif ticket.wrong and not ticket.sent_on:
        ticket.sent_on = 1
        status_now(d, i, ESCALATED)
        ticket.transfers += 1
        come(d, i, ticket.truth, HANDLE, ticket.reopens)
    elif touch_is_drawn(d, i):
        if ticket.known < 0:
            _categorized(d, i, ticket.truth, BY_AGENT)
        pool = next_pool(d, i) if d.passes else -1
        if pool >= 0:
            # Lifecycle.pass_on
            ticket.transfers += 1
            status_now(d, i, ESCALATED)
            _touch_again(d, i, d.one_pool + pool)
        elif not (d.touches and waits(d, i)):
            _update_status(d, i, BY_AGENT)


@compiled
def _done_in_status(d: Any, i: int) -> None:
    """WorkflowLife.work, when the touch has ended."""
    if not touch_is_drawn(d, i):
        return
    pool = next_pool(d, i) if d.passes else -1
    if pool >= 0:
        tickets(d)[i].transfers += 1
        _touch_again(d, i, d.one_pool + pool)
    else:
        tickets(d)[i].worked = 1
        go_on(d, i, STATUSES)


@compiled
def _touch_again(d: Any, i: int, category: int) -> None:
    """Lifecycle._touch_again."""
    tickets(d)[i].further += 1
    come(d, i, category, FOLLOW_UP, tickets(d)[i].further)


@compiled
def resolve_unanswered(d: Any, i: int) -> None:
    """Lifecycle.resolve_unanswered, and what follows in follow_up."""
    ticket = tickets(d)[i]
    ticket.resolved_s = d.now
    ticket.resolved_by = AUTOMATIC
    ticket.solved = ticket.unanswered
    status_now(d, i, RESOLVED)
    closed_s = d.now + d.close_after
    if ticket.back_s < closed_s:
        later(d, ticket.back_s, (REPLY << KIND) + i)
    else:
        status_at(d, i, CLOSED, closed_s)


@compiled
def replied(d: Any, i: int) -> None:
    """Lifecycle.follow_up, when the ticket is back."""
    ticket = tickets(d)[i]
    if not next_is_drawn(d, i, REPLIED):
        return
    ticket.reopens += ticket.late
    status_now(d, i, REOPENED if ticket.late else OPEN)
    _touch_again(d, i, ticket.truth)


@compiled
def _chance(d: Any, i: int, worker: int, right: bool) -> float:
    """Chance that an answer solves a ticket: Customers.is_solved."""
    if worker == BY_AGENT:
        return float(d.agent_solves)
    if worker == BY_REVIEW:
        return float(d.reviewed_solves)
    if right:
        return float(d.assistant_solves * tickets(d)[i].quality)
    return float(d.wrong_solves)


@compiled
def _update_status(d: Any, i: int, worker: int) -> None:
    """Lifecycle.update_status."""
    ticket = tickets(d)[i]
    visit = ticket.reopens
    luck = visit_luck(d)[visit]
    if ticket.responded_s != ticket.responded_s:
        ticket.responded_s = d.now
    ticket.resolved_s = d.now
    ticket.resolved_by = worker
    status_now(d, i, RESOLVED)
    right = worker == BY_AGENT or ticket.category == ticket.truth
    solved = number_of(luck.solved, i) < _chance(d, i, worker, right)
    ticket.solved = solved
    if not solved and visit < d.most_reopens and byte_of(luck.returns, i) != 0:
        later(d, d.now + number_of(luck.delay_s, i), (BACK << KIND) + i)
        return
    status_at(d, i, CLOSED, d.now + d.close_after)
    if ticket.surveyed:
        collect_feedback(d, i, worker, solved, right)


@compiled
def reopen(d: Any, i: int) -> None:
    """Lifecycle.reopen, when the customer is back."""
    ticket = tickets(d)[i]
    if not next_is_drawn(d, i, REOPEN):
        return
    ticket.reopens += 1
    status_now(d, i, REOPENED)
    if teams(d).size == 0:
        _respond(d, i, ticket.category)
        return
    category = ticket.category
    if ticket.resolved_by == BY_ASSISTANT:
        ticket.transfers += 1
    elif ticket.resolved_by == BY_AGENT:
        category = ticket.truth
    _respond_by_agent(d, i, category)
