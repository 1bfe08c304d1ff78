"""Hours learnt from a log: clocks on which time passes as fast as things happen."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt

from twin.scenario import clock

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WEEK_HOURS = 168
# With fewer events an hour of the week, busy days share the course of a day, and quiet ones do.
_FEW = 20.0
# A weekday is a busy one from this share of the busiest one's events on.
_BUSY = 0.5


class HourClock:
    """A clock with a speed for each hour of the week.

    Parameters
    ----------
    midnight : datetime
        Moment 0; a local midnight.
    until_s : float
        Last moment of interest.
    weights : array of float, shape (168,), optional
        Speeds, from Monday midnight, relative to their mean; by default time passes as always.
    """

    def __init__(self, midnight: datetime, until_s: float, weights: Floats | None = None) -> None:
        self._edges = clock.hours(midnight, until_s + clock.WEEK_S)
        self._hour = clock.hour_of_week(self._edges, midnight)
        speeds = np.ones(WEEK_HOURS) if weights is None else weights / weights.mean()
        self._speed = speeds[self._hour]
        steps = np.diff(self._edges) * self._speed[:-1]
        self._passed = np.concatenate([[0.0], np.cumsum(steps)])

    def passed(self, at_s: Floats) -> Floats:
        """Time on this clock since midnight."""
        found: Floats = np.interp(at_s, self._edges, self._passed)
        return found

    def moment(self, passed_s: Floats) -> Floats:
        """First moment at which so much has passed since midnight."""
        found: Floats = np.interp(passed_s, self._passed, self._edges)
        # While nothing passes, that is the last such moment.
        first = np.minimum(np.searchsorted(self._passed, passed_s), len(self._passed) - 1)
        return np.where(self._passed[first] == passed_s, self._edges[first], found)

    def speed(self, at_s: Floats) -> Floats:
        """Speed at moments."""
        found: Floats = self._speed[np.searchsorted(self._edges, at_s, side="right") - 1]
        return found

    def hour(self, at_s: Floats) -> Ints:
        """Hour of the week at moments."""
        found: Ints = self._hour[np.searchsorted(self._edges, at_s, side="right") - 1]
        return found

    def exposure(self, until_s: float) -> Floats:
        """Time in each hour of the week until a moment, shape (168,), in hours."""
        lasted = np.diff(np.minimum(self._edges, until_s)) / clock.HOUR_S
        return np.bincount(self._hour[:-1], lasted, WEEK_HOURS).astype(np.float64)


def weights_of(hour: Ints, weight: Floats | None = None) -> Floats:
    """Speeds by hour of the week, from the hours of events, mean 1.

    Parameters
    ----------
    hour : array of int, shape (n,)
        Hour of the week of each event.
    weight : array of float, shape (n,), optional
        Of each event.

    Returns
    -------
    array of float, shape (168,)
        An hour without an event has 0 where the events are many; where they are few, busy weekdays
        share their hours, and quiet ones do.
    """
    counts = np.bincount(hour, weight, WEEK_HOURS).reshape(7, 24).astype(np.float64)
    if len(hour) < _FEW * WEEK_HOURS:
        totals = counts.sum(axis=1)
        busy = totals >= _BUSY * totals.max()
        for alike in (busy, ~busy):
            course = counts[alike].sum(axis=0)
            if course.sum() > 0:
                counts[alike] = totals[alike, None] * course / course.sum()
    flat: Floats = counts.ravel() / counts.mean()
    return flat
