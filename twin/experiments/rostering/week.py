"""Intervals of a local week: which moments of a run lie in which, and heads by interval."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.common.errors import Fault, ScenarioError
from twin.scenario import clock
from twin.scenario.calendars import staffing
from twin.scenario.clock import DAY_S
from twin.scenario.model import DAYS, Scenario, days_text
from twin.scenario.units import format_clock

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Week:
    """Intervals of equal length from Monday midnight on, by the local clock of a desk.

    Attributes
    ----------
    scenario : Scenario
        Its start, time zone, warm-up and horizon say which intervals a run sees.
    length_s : float
        Length of an interval; a day holds a whole number of them.
    seen : array of float, shape (n,)
        How often each interval comes in the measured part of the run.
    """

    scenario: Scenario
    length_s: float
    seen: Floats = field(init=False)

    def __post_init__(self) -> None:
        if self.length_s < 60 or DAY_S % self.length_s:
            raise ValueError("a day must hold a whole number of intervals, each of 1 min or more")
        count = np.bincount(self.slot(self.starts_s), minlength=self.size)
        object.__setattr__(self, "seen", count.astype(np.float64))

    @property
    def a_day(self) -> int:
        """Intervals of a day."""
        return round(DAY_S / self.length_s)

    @property
    def size(self) -> int:
        """Intervals of the week."""
        return len(DAYS) * self.a_day

    @property
    def days(self) -> list[int]:
        """Weekdays of which a run sees something; 0 is Monday."""
        by_day = self.seen.reshape(len(DAYS), -1).sum(axis=1)
        return np.flatnonzero(by_day > 0).tolist()

    @property
    def starts_s(self) -> Floats:
        """Moments at which the whole intervals of the measured part begin."""
        begin, end = self.span_s
        found: Floats = np.arange(begin, end - self.length_s / 2, self.length_s)
        return found

    @property
    def span_s(self) -> tuple[float, float]:
        """Start and end of the measured part, without intervals that are cut short."""
        begin = math.ceil(self.scenario.warm_up / self.length_s) * self.length_s
        end = math.floor(self.scenario.horizon / self.length_s) * self.length_s
        if end <= begin:
            raise ValueError("the run holds no whole interval after its warm-up")
        return begin, end

    def slot(self, moments_s: npt.ArrayLike) -> Ints:
        """The interval in which each moment lies."""
        start = self.scenario.midnight
        # A moment is a sum of floats: just before an interval begins it lies in it.
        local = clock.local_s(moments_s, start) + 1e-6 + start.weekday() * DAY_S
        found: Ints = (local // self.length_s).astype(np.int64) % self.size
        return found

    def agents(self, pool: str) -> Floats:
        """Agents of a pool on shift and not on a break, on average over each interval."""
        level = staffing(self.scenario.agents[pool], self.scenario)
        begin = self.starts_s
        area = level.integral(begin + self.length_s) - level.integral(begin)
        total = np.bincount(self.slot(begin), area, self.size)
        return np.divide(total, self.seen * self.length_s, out=np.zeros(self.size),
                         where=self.seen > 0)  # fmt: skip

    def label(self, slot: int) -> tuple[str, str, str]:
        """Day, start and end of an interval, as people say them.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...     "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> Week(desk, 1800.0).label(49)
        ('Tue', '00:30', '01:00')
        """
        day, k = divmod(slot, self.a_day)
        return DAYS[day], format_clock(k * self.length_s), format_clock((k + 1) * self.length_s)

    def shifts(self, heads: Ints) -> list[dict[str, Any]]:
        """Heads by interval as shifts of a scenario: one for each stretch with the same heads.

        Parameters
        ----------
        heads : array of int, shape (n,)
        """
        days = defaultdict(list)
        for day, of_day in enumerate(heads.reshape(len(DAYS), -1)):
            edges = np.flatnonzero(np.diff(of_day, prepend=-1, append=-1))
            for begin, end in pairwise(edges):
                if of_day[begin] > 0:
                    days[int(begin), int(end), int(of_day[begin])].append(day)
        return [
            shift(on, begin * self.length_s, end * self.length_s, number)
            for (begin, end, number), on in sorted(days.items())
        ]


def shift(days: list[int], start_s: float, end_s: float, heads: int) -> dict[str, Any]:
    """A shift as a scenario file says it; an end past midnight is on the next day."""
    start, end = (format_clock(at % DAY_S) for at in (start_s, end_s))
    return {"days": days_text(days), "start": start, "end": end, "heads": heads}


def staffed(scenario: Scenario, pool: str, shifts: list[dict[str, Any]]) -> Scenario:
    """The scenario with a pool on these shifts, and no other agents in it."""
    # Without any it would have no calendar.
    shifts = shifts or [shift([0], 0.0, 60.0, 0)]
    keys = {"heads": None, "roster": None, "extra_heads": 0, "shifts": shifts}
    changes = {f"agents.{pool}.{key}": value for key, value in keys.items()}
    return scenario.vary(changes, name=scenario.name)


def check_pool(scenario: Scenario, pool: str | None) -> str:
    """The pool whose roster is asked for: the one named, or the only one.

    Raises
    ------
    ScenarioError
        If it cannot be told, or its agents are not what a roster of heads says.
    """

    def fail(key: str, reason: str) -> ScenarioError:
        return ScenarioError(scenario.name, [Fault(key, reason)])

    names = list(scenario.agents)
    if pool is None and len(names) != 1:
        raise fail("agents", f"name a pool with --pool: {', '.join(names) or 'there is none'}")
    found = names[0] if pool is None else pool
    if found not in names:
        raise fail("agents", f'no pool is named "{found}": {", ".join(names)}')
    given = scenario.agents[found]
    if given.time_zone is not None and given.time_zone != scenario.time_zone:
        raise fail(f"agents.{found}.time_zone", "a roster goes by the time zone of the scenario")
    if any(member.shifts is not None for member in given.members):
        raise fail(f"agents.{found}.members", "members with shifts of their own have their roster")
    if not scenario.targets.first_response and not scenario.targets.first_response_by_channel:
        raise fail("targets.first_response", "a roster needs what is promised to customers")
    return found
