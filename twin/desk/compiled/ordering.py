"""Rows of the timeline in order of time, put there by the compiled machine.

Most are written as they happen; those of what is known ahead, and of arrivals, are not. A sort that
may compare alone takes three times as long: here rows go into spans of time of equal length, as
they come, and then each to its place among the few of its span.
"""

from __future__ import annotations

from typing import Any

from twin.desk.compiled.heap import compiled
from twin.desk.compiled.tables import in_order, spans, timeline

# Steps a row, on average, after which rows are too crowded for it: they are sorted otherwise.
_MOST_STEPS = 16


@compiled
def _span(d: Any, row: int) -> int:
    """The span of time that a row of the timeline is in."""
    last: int = spans(d).size - 2
    return min(int(timeline(d)[row].when / d.horizon * last), last)


@compiled
def put_in_order(d: Any) -> bool:
    """Write the timeline into `in_order`, rows of one moment as they come; False where crowded."""
    # Where each span begins, and then where its next row goes.
    begin, rows, ordered = spans(d), timeline(d), in_order(d)
    for i in range(d.timeline):
        begin[_span(d, i) + 1] += 1
    for k in range(begin.size - 1):
        begin[k + 1] += begin[k]
    for i in range(d.timeline):
        k = _span(d, i)
        row = ordered[begin[k]]
        row.ticket = rows[i].ticket
        row.when = rows[i].when
        row.status = rows[i].status
        begin[k] += 1
    steps = 0
    for i in range(1, d.timeline):
        ticket, when, status = ordered[i].ticket, ordered[i].when, ordered[i].status
        to = i
        while to > 0 and ordered[to - 1].when > when:
            ordered[to].ticket = ordered[to - 1].ticket
            ordered[to].when = ordered[to - 1].when
            ordered[to].status = ordered[to - 1].status
            to -= 1
        if to < i:
            ordered[to].ticket = ticket
            ordered[to].when = when
            ordered[to].status = status
            steps += i - to
            if steps > _MOST_STEPS * d.timeline:
                return False
    return True
