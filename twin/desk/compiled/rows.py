"""Events scheduled, and rows written, by the compiled machine."""

from __future__ import annotations

from math import nan
from typing import Any

from twin.assistant.protocol import OK
from twin.desk.compiled.columns import NORMAL
from twin.desk.compiled.heap import compiled, push
from twin.desk.compiled.tables import (
    calls,
    events,
    ratings,
    slots,
    staffing,
    tickets,
    timeline,
    visits,
    whole_of,
)  # fmt: skip
from twin.records.tables import DONE


@compiled
def schedule(d: Any, moment: float, priority: int, who: int) -> None:
    """Let something happen at a moment: priority 0 is URGENT."""
    push(events(d), d.events, moment, priority + d.seq, who)
    d.events += 1
    d.seq += 1


@compiled
def later(d: Any, moment: float, who: int) -> None:
    """Clock.at."""
    schedule(d, moment, NORMAL, who)


@compiled
def status_at(d: Any, i: int, status: int, moment: float) -> None:
    """Ledger.status_at."""
    if moment < d.horizon:
        row = timeline(d)[d.timeline]
        row.ticket = i
        row.when = moment
        row.status = status
        d.timeline += 1


@compiled
def status_now(d: Any, i: int, status: int) -> None:
    """Ledger.status."""
    row = timeline(d)[d.timeline]
    row.ticket = i
    row.when = d.now
    row.status = status
    d.timeline += 1


@compiled
def visit_row(
    d: Any, i: int, pool: int, activity: int, queued: float, started: float, ended: float, end: int,
    agent: int,
) -> None:  # fmt: skip
    """A row of the visits: see the two below."""
    row = visits(d)[d.visits]
    row.ticket = i
    row.pool = pool
    row.activity = activity
    row.queued = queued
    row.started = started
    row.ended = ended
    row.end = end
    row.agent = agent
    d.visits += 1


@compiled
def begun(
    d: Any, i: int, pool: int, activity: int, queued: float, ended: float, agent: int
) -> None:
    """Ledger.picked_up without its statuses, or wraps_up."""
    visit_row(d, i, pool, activity, queued, d.now, ended, DONE, agent)


@compiled
def ended(d: Any, row: int) -> None:
    """Ledger.ended."""
    visits(d)[row].ended = d.now


@compiled
def stopped(d: Any, row: int, end: int) -> None:
    """Ledger.stopped."""
    visits(d)[row].ended = d.now
    visits(d)[row].end = end


@compiled
def never_served(d: Any, i: int, left: float, end: int) -> None:
    """Ledger.never_served."""
    visit = tickets(d)[i]
    visit_row(d, i, -1, visit.activity, visit.queued_s, nan, left, end, 0)


@compiled
def call_row(d: Any, i: int) -> None:
    """The row that Provider.ask writes."""
    call, slot, row = tickets(d)[i], slots(d)[tickets(d)[i].first_slot], calls(d)[d.calls]
    heard = call.outcome == OK
    row.ticket = i
    row.step = call.step
    row.model = slot.name
    row.version = slot.version
    row.asked = call.asked_s
    row.started = call.started_s
    row.ended = d.now
    row.quota = call.quota_s
    row.attempts = call.attempts
    row.limited = call.limited
    row.tokens_in = call.tokens_in if heard else 0
    row.tokens_out = call.tokens_out if heard else 0
    row.outcome = call.outcome
    row.reply = whole_of(slot.reply, i) if heard and slot.reply != 0 else -1
    d.calls += 1


@compiled
def rating_row(d: Any, i: int, rating: int, model: int, version: int, feedback: int) -> None:
    """Ledger.rated."""
    row = ratings(d)[d.ratings]
    row.ticket = i
    row.when = d.now
    row.rating = rating
    row.model = model
    row.version = version
    row.feedback = feedback
    d.ratings += 1


@compiled
def staffing_row(d: Any, team: Any) -> None:
    """Absence._written."""
    row = staffing(d)[d.staffing]
    row.pool = team.pool
    row.when = d.now
    row.on_shift = team.heads
    row.away = team.away
    d.staffing += 1
