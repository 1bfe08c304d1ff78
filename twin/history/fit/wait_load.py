"""Waits and load: whether waits at a desk follow the load, or only the clock.

Where agents are short, who comes after more calls than usual at that time waits longer. Where waits
are long only at certain hours, whatever the load, a log does not tell what more calls or fewer
agents would do. The load is made of arrivals alone, not of the queue: that is long where waits are
long, for whatever reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from twin.scenario.clock import DAY_S

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Chance, at most, that waits which only follow the clock are found to follow the load; and the
# level of the test, which keeps to that with room: waits of a day are alike.
SIZE, _LEVEL = 0.05, 0.01
# A rank correlation that such a test must be able to find with a chance of 80 %, to say "no": on
# planted desks whose waits follow the load it was .38 and more (tests/benchmarks/README.md).
ENOUGH = 0.2
_FEWEST_DAYS, _FEWEST_WAITS = 7, 100
# From so many weeks on, a day is compared with the same weekday.
_WEEKS = 3
_SHORTEST_S, _LONGEST_S = 300.0, 3600.0


@dataclass(frozen=True)
class WaitTest:
    """Rank correlation of waits with the load beyond what is usual at that time.

    Attributes
    ----------
    correlation : float
        Within hours and days.
    error : float
        Its standard error, from day to day.
    n, days : int
        Waits and days.
    waited : float
        Share of the waits that are above a second.
    """

    correlation: float
    error: float
    n: int
    days: int
    waited: float

    @property
    def p_value(self) -> float:
        """Chance of such a correlation, or a higher one, where waits follow the clock alone."""
        if not self.error > 0:
            return 1.0
        return float(stats.t.sf(self.correlation / self.error, self.days - 1))

    @property
    def detectable(self) -> float:
        """Correlation that would be found with a chance of 80 %."""
        return float((special.ndtri(1 - _LEVEL) + special.ndtri(0.8)) * self.error)

    @property
    def follows(self) -> bool:
        """True if waits follow the load beyond chance."""
        return self.p_value < _LEVEL

    @property
    def clock_only(self) -> bool:
        """True if they do not, and would have been found to."""
        return not self.follows and 0 < self.detectable <= ENOUGH

    def __str__(self) -> str:
        """Words for a report."""
        if not self.error > 0:
            return f"too few waits to tell (n {self.n:,}, {self.days} days)"
        return (
            f"rank correlation {self.correlation:.2f} with the calls of the last while, beyond "
            f"what is usual at that time, n {self.n:,}, {self.days} days; the test finds a "
            f"correlation where there is none in {SIZE:.0%} of desks at most, and one of "
            f"{self.detectable:.2f} with a chance of 80 %"
        )


def wait_test(queued_s: Floats, wait_s: Floats, memory_s: float) -> WaitTest:
    """Test whether waits follow the load.

    Parameters
    ----------
    queued_s : array of float, shape (n,)
        Moments since local midnight of the first day, by the local clock.
    wait_s : array of float, shape (n,)
        Until served, or given up.
    memory_s : float
        For how long a call counts as load: about that of its wait and its work.
    """
    order = np.argsort(queued_s, kind="stable")
    at, wait = queued_s[order], wait_s[order]
    waited = float((wait > 1.0).mean()) if len(wait) else 0.0
    day = np.floor(at / DAY_S).astype(np.int64)
    days = np.unique(day)
    if len(days) < _FEWEST_DAYS or (wait > 1.0).sum() < _FEWEST_WAITS:
        return WaitTest(0.0, 0.0, len(at), len(days), waited)
    memory_s = float(np.clip(memory_s, _SHORTEST_S, _LONGEST_S))
    load = _beyond_usual(at, day, days, memory_s)
    alike = (day % 7) * 24 if len(days) >= 7 * _WEEKS else np.zeros(len(at), dtype=np.int64)
    cell = alike + np.floor(at % DAY_S / 3600.0).astype(np.int64)
    ranks = stats.rankdata(wait) / len(wait)
    x, y = load.copy(), ranks.copy()
    # Hours and days in turn: what is common to one is the clock's, or that day's, and not load.
    for group in (cell, day, cell, day, cell, day):
        x, y = _without(x, group), _without(y, group)
    scale = float(np.sqrt((x @ x) * (y @ y)))
    if not scale > 0:
        return WaitTest(0.0, 0.0, len(at), len(days), waited)
    _, which = np.unique(day, return_inverse=True)
    sums = np.bincount(which, x * y)
    error = float(np.sqrt(len(days) / (len(days) - 1) * ((sums - sums.mean()) ** 2).sum()))
    return WaitTest(float(x @ y) / scale, error / scale, len(at), len(days), waited)


def _without(values: Floats, group: Ints) -> Floats:
    _, which = np.unique(group, return_inverse=True)
    found: Floats = values - (np.bincount(which, values) / np.bincount(which))[which]
    return found


def _beyond_usual(at: Floats, day: Ints, days: Ints, memory_s: float) -> Floats:
    """Load at each arrival, less that of other days at the same time."""
    parts = {int(one): at[day == one] - one * DAY_S for one in days}
    own = {one: _load(times, times, memory_s, strict=True) for one, times in parts.items()}
    found = np.empty(len(at))
    same = len(days) >= 7 * _WEEKS
    for one, times in parts.items():
        others = [k for k in parts if k != one and (not same or k % 7 == one % 7)]
        usual = np.zeros(len(times))
        for k in others:
            usual += _load(parts[k], times, memory_s, strict=False)
        found[day == one] = own[one] - usual / max(len(others), 1)
    return found


def _load(came: Floats, moments: Floats, memory_s: float, *, strict: bool) -> Floats:
    """Arrivals before moments of a day, each fading away."""
    k = np.searchsorted(came, moments, side="left" if strict else "right")
    # As a sum of exponentials: days are short enough beside the memory to stay within floats.
    level, last = np.zeros(len(came) + 1), 0.0
    for i, moment in enumerate(came.tolist()):
        level[i + 1] = level[i] * np.exp((last - moment) / memory_s) + 1.0
        last = moment
    since = moments - np.concatenate([[0.0], came])[k]
    found: Floats = level[k] * np.exp(-since / memory_s)
    return found
