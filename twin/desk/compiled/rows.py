"""Events scheduled, and rows written, by the compiled machine."""

from __future__ import annotations

from typing import Any

from twin.desk.compiled.heap import compiled, push


@compiled
def schedule(d: Any, events: Any, time: float, priority: int, who: int) -> None:
    """Let something happen at a moment: priority 0 is URGENT."""
    push(events, d.events, time, priority + d.seq, who)
    d.events += 1
    d.seq += 1


@compiled
def status_row(d: Any, timeline: Any, i: int, moment: float, status: int) -> None:
    """Ledger.status_at, before the horizon."""
    row = timeline[d.timeline]
    row.ticket = i
    row.when = moment
    row.status = status
    d.timeline += 1


@compiled
def visit_row(
    d: Any, visits: Any, i: int, pool: int, activity: int, queued: float, started: float, ended:
    float, end: int,
) -> None:  # fmt: skip
    """Ledger.picked_up, wraps_up or never_served."""
    row = visits[d.visits]
    row.ticket = i
    row.pool = pool
    row.activity = activity
    row.queued = queued
    row.started = started
    row.ended = ended
    row.end = end
    row.agent = 0
    d.visits += 1


@compiled
def staffing_row(d: Any, staffing: Any, team: Any) -> None:
    """Absence._written."""
    row = staffing[d.staffing]
    row.pool = team.pool
    row.when = d.now
    row.on_shift = team.heads
    row.away = team.away
    d.staffing += 1
