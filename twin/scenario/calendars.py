"""Weekly shifts, or a roster by date, of a pool as a staircase of heads over simulated time.

Where it is drawn who comes to a shift (fractional heads, shrinkage), heads are those expected
unless it is said who comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from math import inf
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from twin.common.kept import MadeOnce
from twin.scenario import clock
from twin.scenario.dated import dated_shifts
from twin.scenario.model import Break, Member, Pool, Scenario, Shift, parse_days
from twin.scenario.sections.base import whole

Floats = npt.NDArray[np.float64]
# Of heads: integers, or floats where heads are those expected.
Ints = npt.NDArray[Any]


class Turnout(Protocol):
    """Heads who come to a shift, from its day, its number on that day and those scheduled.

    With the number of a member: whether this one comes to a shift of their own.
    """

    def __call__(self, day: date, number: int, heads: float, member: int = 0, /) -> int:
        """Heads who come."""


@dataclass(frozen=True)
class Staircase:
    """A level that is ``values[k]`` from ``times[k]`` until ``times[k + 1]`` (the last: forever).

    Attributes
    ----------
    times : array of float, shape (k,)
        Seconds; rising, the first is 0.
    values : array of int or float, shape (k,)
    """

    times: Floats
    values: Ints

    def integral(self, t: Floats) -> Floats:
        """Area under the level from 0 to each moment of `t` (seconds)."""
        area = self._area
        k = np.maximum(np.searchsorted(self.times, t, side="right") - 1, 0)
        return area[k] + (np.asarray(t) - self.times[k]) * self.values[k]

    @cached_property
    def _area(self) -> Floats:
        """Area under the level up to each of its moments."""
        return np.concatenate([[0.0], np.cumsum(np.diff(self.times) * self.values[:-1])])

    def at(self, t: Floats) -> Ints:
        """The level at each moment of `t` (seconds), which may not lie before it begins."""
        found: Ints = self.values[np.searchsorted(self.times, t, side="right") - 1]
        return found


def staircase(changes: list[tuple[float, float]]) -> Staircase:
    """Sum of changes (moment, difference) as a level; changes before 0 hold from 0."""
    total: dict[float, float] = {0.0: 0}
    for moment, difference in changes:
        moment = max(moment, 0.0)
        total[moment] = total.get(moment, 0) + difference
    times = np.array(sorted(total))
    values = np.cumsum([total[t] for t in times])
    if values.dtype.kind == "f":
        # What comes and goes must leave nothing behind.
        values = np.round(values, 9)
    keep = np.concatenate([[True], np.diff(values) != 0])
    return Staircase(times[keep], values[keep])


def together(levels: Sequence[Staircase]) -> Staircase:
    """Sum of levels, with the changes of the sum only."""
    return staircase(
        [
            (moment, change)
            for level in levels
            for moment, change in zip(
                level.times.tolist(), np.diff(level.values, prepend=0).tolist(), strict=True
            )
        ]
    )


def staffing(pool: Pool, scenario: Scenario, turnout: Turnout | None = None) -> Staircase:
    """Heads of a pool that are on shift and not on a break, over the run.

    Those who come by the pool's calendar (see `pool_hours`), and members with shifts of their own.
    """
    if turnout is not None or pool.roster is not None:
        return _staffing(pool, scenario, turnout)
    key = scenario.start, scenario.zone, scenario.horizon
    return _levels.get(pool, lambda: _staffing(pool, scenario, None), ("with members", *key))


# A run asks for them again and again, and so do further replications; a search has hundreds.
_levels = MadeOnce["Staircase"](most=1024)


def _staffing(pool: Pool, scenario: Scenario, turnout: Turnout | None) -> Staircase:
    level = pool_hours(pool, scenario, turnout)
    own = [
        member_hours(pool, k, scenario, turnout)
        for k, member in enumerate(pool.members, 1)
        if member.shifts is not None
    ]
    return together([level, *own]) if own else level


def own_shifts(member: Member) -> list[Shift]:
    """Shifts of a member who has their own, as those of a pool of one; else none."""
    return [
        Shift.model_construct(
            days=shift.days,
            start=shift.start,
            end=shift.end,
            heads=1,
            breaks=[Break.model_construct(start=p.start, end=p.end, heads=1) for p in shift.breaks],
        )
        for shift in member.shifts or []
    ]


def member_hours(
    pool: Pool, number: int, scenario: Scenario, turnout: Turnout | None = None
) -> Staircase:
    """Hours of a member with shifts of their own, as `pool_hours`; members count from 1."""
    shifts = own_shifts(pool.members[number - 1])
    as_pool = pool.model_copy(
        update={"heads": None, "roster": None, "shifts": shifts, "extra_heads": 0}
    )

    def comes(day: date, k: int, heads: float, member: int = 0, /) -> int:
        assert turnout is not None
        return turnout(day, k, heads, number)

    level = pool_hours(as_pool, scenario, None if turnout is None else comes)
    # Shifts that overlap are one.
    return Staircase(level.times, np.minimum(level.values, 1))


def pool_hours(pool: Pool, scenario: Scenario, turnout: Turnout | None = None) -> Staircase:
    """Heads of a pool by its heads, shifts or roster; at work, not on a break.

    Local clock times are turned into simulated time day by day, so a shift stays at its local
    hours when the clocks change.

    Parameters
    ----------
    pool : Pool
    scenario : Scenario
    turnout : callable, optional
        Says who comes; by default heads are those expected.

    Raises
    ------
    ScenarioError
        If its roster file is unusable.
    """
    if turnout is None and pool.roster is None:
        key = scenario.start, scenario.zone, scenario.horizon
        return _levels.get(pool, lambda: _pool_hours(pool, scenario, None), key)
    return _pool_hours(pool, scenario, turnout)


def _pool_hours(pool: Pool, scenario: Scenario, turnout: Turnout | None) -> Staircase:
    if pool.heads is not None:
        heads = _scheduled(pool, pool.heads)
        if turnout is None or (not pool.shrinkage and isinstance(heads, int)):
            return staircase([(0.0, _expected(heads, pool.shrinkage))])
    zone = ZoneInfo(pool.time_zone) if pool.time_zone else scenario.zone
    # A day to either side: shifts over midnight, and pools in other time zones.
    days = [
        scenario.start + timedelta(days=k) for k in range(-2, int(scenario.horizon // 86400) + 3)
    ]
    changes: list[tuple[float, float]] = []
    midnight = scenario.midnight
    for day, steps in _steps(pool, scenario, days, turnout):
        later, backward = inf, []
        for clock_s, difference in reversed(steps):
            # A clock time that is left out when the clocks go forward would lie after later
            # ones: it comes when the next one does.
            later = min(later, clock.moment(day, clock_s, midnight, zone))
            backward.append((later, difference))
        changes += reversed(backward)
    return staircase(changes)


Steps = Sequence[tuple[float, float]]


def _steps(
    pool: Pool, scenario: Scenario, days: Sequence[date], turnout: Turnout | None
) -> Iterator[tuple[date, Steps]]:
    """Days, each with the changes of heads over a shift that starts on it, by the local clock."""
    if pool.roster is not None:
        # Rows with the same hours are one: a file may hold a row an agent a day.
        together: dict[tuple[date, float, float], float] = {}
        rows: Counter[date] = Counter()
        for row in dated_shifts(pool, scenario):
            heads = _scheduled(pool, row.heads)
            if days[0] <= row.day <= days[-1]:
                hours = row.day, row.start_s, row.end_s
                there = _who_come(pool, heads, turnout, row.day, rows[row.day])
                together[hours] = together.get(hours, 0) + there
                rows[row.day] += 1
        for (day, start_s, end_s), there in together.items():
            yield day, [(start_s, there), (end_s, -there)]
        return
    if pool.heads is not None:
        for day in days:
            there = _who_come(pool, _scheduled(pool, pool.heads), turnout, day, 0)
            yield day, [(0.0, there), (86400.0, -there)]
        return
    known: dict[tuple[int, float], Steps] = {}
    weekdays = [parse_days(shift.days) for shift in pool.shifts or []]
    for day in days:
        if day in pool.holidays:
            continue
        for number, shift in enumerate(pool.shifts or []):
            if day.weekday() not in weekdays[number]:
                continue
            heads, shrinkage = _scheduled(pool, shift.heads), pool.shrinkage
            if turnout is not None:
                heads, shrinkage = turnout(day, number, heads), 0.0
            if (number, heads) not in known:
                known[number, heads] = shift_changes(shift, heads, shrinkage)
            yield day, known[number, heads]


def _scheduled(pool: Pool, heads: float) -> float:
    return whole(float(max(0, heads + pool.extra_heads)))


def _who_come(pool: Pool, heads: float, turnout: Turnout | None, day: date, number: int) -> float:
    return _expected(heads, pool.shrinkage) if turnout is None else turnout(day, number, heads)


def _expected(heads: float, shrinkage: float, less: float = 0) -> float:
    """Mean of the heads who come less those on a break, never below 0."""
    if not shrinkage and isinstance(heads, int):
        return max(heads - less, 0)
    if not less:
        return heads * (1 - shrinkage)
    least = int(heads)
    number, come = np.arange(least + 2), 1 - shrinkage
    # Imported here: it takes longer to import than a short run to play, and few desks need it.
    from scipy import stats

    chance = (1 - heads + least) * stats.binom.pmf(number, least, come)
    chance += (heads - least) * stats.binom.pmf(number, least + 1, come)
    return float(chance @ np.maximum(number - less, 0))


def shift_changes(shift: Shift, heads: float, shrinkage: float = 0.0) -> Steps:
    """Changes of heads over one shift, as (seconds after midnight, difference).

    Heads are those expected, where it is a chance who comes.
    """
    end_s = shift.end if shift.end > shift.start else shift.end + 86400
    # All are there less those on a break, of whom there are fewer than `more`.
    more = 1 + sum(int(pause.heads) for pause in shift.breaks)
    changes: list[tuple[float, float]] = [(shift.start, more), (end_s, -more)]
    for pause in shift.breaks:
        begin_s = pause.start if pause.start >= shift.start else pause.start + 86400
        over_s = begin_s + (pause.end - pause.start) % 86400
        changes += [(begin_s, -pause.heads), (over_s, pause.heads)]
    level = staircase(changes)
    # Breaks may overlap, but there are never fewer than 0 heads.
    heads_then = [
        _expected(heads, shrinkage, more - there) if there else 0 for there in level.values.tolist()
    ]
    return list(zip(level.times.tolist(), np.diff(heads_then, prepend=0).tolist(), strict=True))


def combine(first: Staircase, second: Staircase, how: Callable[[Ints, Ints], Ints]) -> Staircase:
    """Two levels as one, exactly: the change points of both, such as with ``np.minimum``."""
    times = np.concatenate([first.times, second.times])
    times.sort(kind="stable")
    return Staircase(times, how(first.at(times), second.at(times)))


def desk_hours(scenario: Scenario) -> Staircase:
    """1 while at least one agent is on shift, else 0; a desk without agents is always open."""
    total: Staircase | None = None
    for pool in scenario.agents.values():
        heads = staffing(pool, scenario)
        total = heads if total is None else combine(total, heads, np.add)
    if total is None:
        return Staircase(np.zeros(1), np.ones(1, dtype=np.int64))
    return Staircase(total.times, (total.values > 0).astype(np.int64))
