"""The whole local days of a history."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from twin.common.errors import Fault, ScenarioError
from twin.history.desk_history import DeskHistory
from twin.history.fit.arrivals import DailyCounts
from twin.scenario import clock

Floats = npt.NDArray[np.float64]
# Fewer days do not show a week.
FEWEST_DAYS = 7
# A last day is whole where so few of the arrivals of other days come later than it goes.
_REST = 0.02


@dataclass(frozen=True)
class Days:
    """The whole local days of a history, with those without data left out.

    Attributes
    ----------
    days : tuple of date
    starts : array of float, shape (n + 1,)
        Moments at which days begin, without gaps left out: day k of the history is at number k.
    known : array of bool, shape (n,)
    """

    days: tuple[date, ...]
    starts: Floats
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, history: DeskHistory) -> Days:
        """The days of a history."""
        desk, horizon_s = history.desk, history.log.horizon_s
        found = list(clock.days(desk.midnight, horizon_s))
        end = clock.moment(desk.start + timedelta(days=len(found)), 0.0, desk.midnight)
        if len(found) > 1 and _later_share(history, found[-1][1]) > _REST:
            end = found.pop()[1]
        days = tuple(day for day, _ in found)
        starts = np.array([*(at for _, at in found), end])
        gaps = set(history.gaps)
        return cls(days, starts, np.array([day not in gaps for day in days]))

    def without(self, odd: Collection[date]) -> Days:
        """The same, with some of the days as if nothing were known of them."""
        usual = np.array([day not in odd for day in self.days])
        return replace(self, known=self.known & usual)

    def counts(self, moments_s: Floats, start: datetime) -> DailyCounts:
        """Moments by day and local hour."""
        inside = (moments_s >= 0) & (moments_s < self.starts[-1])
        at = moments_s[inside]
        day = np.searchsorted(self.starts, at, side="right") - 1
        hour = clock.hour_of_week(at, start) % 24
        counts = np.zeros((len(self.days), 24))
        np.add.at(counts, (day, hour), 1)
        return self.only_known(counts)

    def only_known(self, by_day: Floats) -> DailyCounts:
        """A value for each hour of each day, without the days of which nothing is known."""
        kept = tuple(day for day, known in zip(self.days, self.known, strict=True) if known)
        return DailyCounts(kept, by_day[self.known])


def _later_share(history: DeskHistory, last_s: float) -> float:
    """Share of the arrivals of other days that come later in the day than the last one goes."""
    at = history.log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    at = at[(at >= 0) & (at < last_s)]
    start = history.desk.midnight
    until = clock.local_s(np.array([history.log.horizon_s]), start)[0] % clock.DAY_S
    if not until or not len(at):
        return 0.0
    return float((clock.local_s(at, start) % clock.DAY_S >= until).mean())


def days_of(history: DeskHistory) -> Days:
    """The days of a history that is long enough to calibrate a desk to.

    Raises
    ------
    ScenarioError
        If it is not.
    """
    days = Days.of(history)
    known = int(days.known.sum())
    if known < FEWEST_DAYS:
        reason = f"holds {known} whole days with data; at least {FEWEST_DAYS} are needed"
        where = "the history" if history.path is None else str(history.path)
        raise ScenarioError(where, [Fault("days", reason)])
    return days
