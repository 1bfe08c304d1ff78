"""Clocks that run faster or slower, compiled: `twin.desk.clocks`."""

from __future__ import annotations

from math import inf
from typing import Any

from twin.desk.compiled.heap import compiled
from twin.desk.compiled.tables import steps


@compiled
def _step(d: Any, first: int, to: int, moment_s: float) -> int:
    """The step that a moment is in: bisect_right, less one."""
    low, high = first, to
    while low < high:
        middle = (low + high) // 2
        if steps(d)[middle].time <= moment_s:
            low = middle + 1
        else:
            high = middle
    return low - 1


@compiled
def passed(d: Any, first: int, to: int, moment_s: float) -> float:
    """PacedClock._at; of a clock without steps the moment itself."""
    if first == to:
        return moment_s
    if moment_s <= steps(d)[first].time:
        return float(moment_s - steps(d)[first].time)
    k = _step(d, first, to, moment_s)
    return float(steps(d)[k].passed + (moment_s - steps(d)[k].time) * steps(d)[k].speed)


@compiled
def after(d: Any, first: int, to: int, moment_s: float, delay_s: float) -> float:
    """PacedClock.after, of a moment from 0 on; a clock without steps is around the clock."""
    if first == to:
        return moment_s + delay_s
    if delay_s <= 0:
        return moment_s
    k, left = _step(d, first, to, moment_s), delay_s
    if k + 1 < to:
        spell = (steps(d)[k + 1].time - moment_s) * steps(d)[k].speed
        if left > spell:
            left -= spell
            # The first step in which so much has passed at its end.
            before = steps(d)[k + 1].passed
            low, high = k + 1, to
            while low < high:
                middle = (low + high) // 2
                if steps(d)[middle].passed - before < left:
                    low = middle + 1
                else:
                    high = middle
            k = low - 1
            left -= steps(d)[k].passed - before
            moment_s = steps(d)[k].time
    speed = steps(d)[k].speed
    return moment_s + left / speed if speed else inf
