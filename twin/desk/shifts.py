"""Changes of shift of all pools."""

from __future__ import annotations

from collections.abc import Sequence

from twin.scenario.calendars import Staircase


def changes_of(
    calendars: Sequence[Staircase], horizon_s: float
) -> dict[float, list[tuple[int, int]]]:
    """Changes of heads during a run by their moment, each as (number of the calendar, heads)."""
    changes: dict[float, list[tuple[int, int]]] = {}
    for number, calendar in enumerate(calendars):
        steps = zip(calendar.times.tolist(), calendar.values.tolist(), strict=True)
        for moment, heads in steps:
            if 0 < moment < horizon_s:
                changes.setdefault(moment, []).append((number, heads))
    return changes
