"""Clocks that run faster or slower: desk hours, and hours of the week weighted by what happens."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from datetime import timedelta
from math import inf

import numpy as np
import numpy.typing as npt

from twin.scenario import clock
from twin.scenario.calendars import desk_hours
from twin.scenario.clock import DAY_S
from twin.scenario.model import Scenario
from twin.scenario.sections.workflow import AROUND, DESK_HOURS

Floats = npt.NDArray[np.float64]


class PacedClock:
    """A clock whose speed changes in steps.

    Parameters
    ----------
    times : array of float, shape (k,)
        Seconds; rising, the first is 0, or below.
    speed : array of float, shape (k,)
        From each moment to the next (the last: for ever), none below 0. Before the first it is 1.

    Examples
    --------
    >>> nine_to_five = PacedClock(np.array([0.0, 9.0, 17.0, 33.0]), np.array([0.0, 1, 0, 1]))
    >>> nine_to_five.after(10.0, 3.0), nine_to_five.after(16.0, 3.0), nine_to_five.between(3, 12)
    (13.0, 35.0, 3.0)
    """

    def __init__(self, times: Floats, speed: Floats) -> None:
        self._times: list[float] = times.tolist()
        self._speed: list[float] = speed.tolist()
        passed = np.concatenate([[0.0], np.cumsum(np.diff(times) * speed[:-1])])
        self._passed: list[float] = passed.tolist()

    def _at(self, moment_s: float) -> float:
        """Time passed on this clock from the first moment to another."""
        if moment_s <= self._times[0]:
            return moment_s - self._times[0]
        k = bisect_right(self._times, moment_s) - 1
        return self._passed[k] + (moment_s - self._times[k]) * self._speed[k]

    def moved(self, by_s: float) -> PacedClock:
        """The same clock, that much later."""
        return PacedClock(np.array(self._times) + by_s, np.array(self._speed))

    def between(self, start_s: float, end_s: float) -> float:
        """Time that passes on this clock between two moments."""
        return self._at(end_s) - self._at(start_s)

    def after(self, moment_s: float, delay_s: float) -> float:
        """First moment at which so much has passed on this clock; infinite: never.

        Reckoned from step to step, not from 0, so that a delay within a step ends where it would
        on a clock without steps, to the last bit.
        """
        if delay_s <= 0:
            return moment_s
        if moment_s < 0:
            if delay_s <= -moment_s:
                return moment_s + delay_s
            moment_s, delay_s = 0.0, delay_s + moment_s
        times, passed = self._times, self._passed
        k, left = bisect_right(times, moment_s) - 1, delay_s
        if k + 1 < len(times):
            spell = (times[k + 1] - moment_s) * self._speed[k]
            if left > spell:
                left, moment_s = left - spell, times[k + 1]
                # The first step in which so much has passed at its end.
                before = passed[k + 1]
                k = bisect_left(passed, left, k + 1, key=lambda p: p - before) - 1
                left, moment_s = left - (passed[k] - before), times[k]
        speed = self._speed[k]
        return moment_s + left / speed if speed else inf


def clock_of(name: str, scenario: Scenario) -> PacedClock | None:
    """A clock of a scenario, by name; None: around the clock."""
    if name == AROUND:
        return None
    if name == DESK_HOURS:
        hours = desk_hours(scenario)
        return PacedClock(hours.times, hours.values.astype(np.float64))
    assert scenario.workflow is not None
    weights = np.array(scenario.workflow.clocks[name])
    edges = clock.hours(scenario.midnight, scenario.horizon)
    hour = clock.hour_of_week(edges, scenario.midnight)
    return PacedClock(edges, (weights / weights.mean())[hour])


def past_clock(name: str, scenario: Scenario, first_s: float) -> PacedClock | None:
    """As `clock_of`, of what was before a run: from a moment below 0 to its start.

    Agents are taken to have been on shift as in the scenario's usual week.
    """
    if name == AROUND:
        return None
    days = math.ceil(-first_s / DAY_S) + 1
    start = scenario.start - timedelta(days=days)
    # By timestamps: dates of one zone would be subtracted by the clock, whatever it skipped.
    before_s = scenario.midnight.timestamp() - clock.midnight(start, scenario.zone).timestamp()
    earlier = scenario.model_copy(update={"start": start, "horizon": before_s})
    found = clock_of(name, earlier)
    assert found is not None
    return found.moved(-before_s)
