"""Weekly shifts, or a roster by date, of a pool as a staircase of heads over simulated time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from twin.scenario import clock
from twin.scenario.dated import dated_shifts
from twin.scenario.model import Pool, Scenario, Shift, parse_days

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Staircase:
    """A level that is ``values[k]`` from ``times[k]`` until ``times[k + 1]`` (the last: forever).

    Attributes
    ----------
    times : array of float, shape (k,)
        Seconds; rising, the first is 0.
    values : array of int, shape (k,)
    """

    times: Floats
    values: npt.NDArray[np.int64]

    def integral(self, t: Floats) -> Floats:
        """Area under the level from 0 to each moment of `t` (seconds)."""
        area = np.concatenate([[0.0], np.cumsum(np.diff(self.times) * self.values[:-1])])
        k = np.clip(np.searchsorted(self.times, t, side="right") - 1, 0, None)
        return area[k] + (np.asarray(t) - self.times[k]) * self.values[k]


def staircase(changes: list[tuple[float, int]]) -> Staircase:
    """Sum of changes (moment, difference) as a level; changes before 0 hold from 0."""
    total: dict[float, int] = {0.0: 0}
    for moment, difference in changes:
        moment = max(moment, 0.0)
        total[moment] = total.get(moment, 0) + difference
    times = np.array(sorted(total))
    values = np.cumsum([total[t] for t in times])
    keep = np.concatenate([[True], np.diff(values) != 0])
    return Staircase(times[keep], values[keep])


def staffing(pool: Pool, scenario: Scenario) -> Staircase:
    """Heads of a pool that are on shift and not on a break, over the run.

    Local clock times are turned into simulated time day by day, so a shift stays at its local
    hours when the clocks change.

    Raises
    ------
    ScenarioError
        If its roster file is unusable.
    """
    if pool.heads is not None:
        return staircase([(0.0, max(0, pool.heads + pool.extra_heads))])
    zone = ZoneInfo(pool.time_zone) if pool.time_zone else scenario.zone

    def on(day: date, steps: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
        """The changes of a shift that starts on a day, in simulated time."""
        at = (clock.moment(day, clock_s, scenario.midnight, zone) for clock_s, _ in steps)
        moments = np.array(list(at))
        # A clock time that is left out when the clocks go forward would lie after later
        # ones: it comes when the next one does.
        moments = np.minimum.accumulate(moments[::-1])[::-1]
        return list(zip(moments.tolist(), (difference for _, difference in steps), strict=True))

    # A day to either side: shifts over midnight, and pools in other time zones.
    days = [
        scenario.start + timedelta(days=k) for k in range(-2, int(scenario.horizon // 86400) + 3)
    ]
    changes: list[tuple[float, int]] = []
    if pool.roster is not None:
        # Rows with the same hours are one: a file may hold a row an agent a day.
        together: Counter[tuple[date, float, float]] = Counter()
        for row in dated_shifts(pool, scenario):
            if days[0] <= row.day <= days[-1]:
                heads = max(0, row.heads + pool.extra_heads)
                together[row.day, row.start_s, row.end_s] += heads
        for (day, start_s, end_s), heads in together.items():
            changes += on(day, [(start_s, heads), (end_s, -heads)])
        return staircase(changes)
    shifts = [
        (parse_days(shift.days), shift_changes(shift, max(0, shift.heads + pool.extra_heads)))
        for shift in pool.shifts or []
    ]
    for day in days:
        if day in pool.holidays:
            continue
        for weekdays, steps in shifts:
            if day.weekday() in weekdays:
                changes += on(day, steps)
    return staircase(changes)


def shift_changes(shift: Shift, heads: int) -> list[tuple[float, int]]:
    """Changes of heads over one shift, as (seconds after midnight, difference)."""
    end_s = shift.end if shift.end > shift.start else shift.end + 86400
    changes = [(shift.start, heads), (end_s, -heads)]
    for pause in shift.breaks:
        begin_s = pause.start if pause.start >= shift.start else pause.start + 86400
        over_s = begin_s + (pause.end - pause.start) % 86400
        changes += [(begin_s, -pause.heads), (over_s, pause.heads)]
    level = staircase(changes)
    # Breaks may overlap, but there are never fewer than 0 heads.
    heads_then = np.maximum(level.values, 0)
    return list(zip(level.times.tolist(), np.diff(heads_then, prepend=0).tolist(), strict=True))


def combine(first: Staircase, second: Staircase, how: Callable[[Ints, Ints], Ints]) -> Staircase:
    """Two levels as one, exactly: the change points of both, such as with ``np.minimum``."""
    times = np.concatenate([first.times, second.times])
    times.sort(kind="stable")
    return Staircase(times, how(_at(first, times), _at(second, times)))


def _at(level: Staircase, times: Floats) -> Ints:
    return level.values[np.searchsorted(level.times, times, side="right") - 1]


def desk_hours(scenario: Scenario) -> Staircase:
    """1 while at least one agent is on shift, else 0; a desk without agents is always open."""
    total: Staircase | None = None
    for pool in scenario.agents.values():
        heads = staffing(pool, scenario)
        total = heads if total is None else combine(total, heads, np.add)
    if total is None:
        return Staircase(np.zeros(1), np.ones(1, dtype=np.int64))
    return Staircase(total.times, (total.values > 0).astype(np.int64))
