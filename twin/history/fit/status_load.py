"""Load and delays: what a desk known by its statuses says about staffing, and what not.

Where tickets queue for agents, delays are long when many tickets are open. Where they are not, the
log cannot tell what fewer agents would do, and a scenario whose delays are as measured must say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from twin.history.fit.hour_clocks import HourClock, weights_of
from twin.history.fit.spells import Spells
from twin.scenario.clock import WEEK_S

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Chance that a desk whose delays do not follow the load at all is found to have any that do.
SIZE = 0.05
# A rank correlation from which delays are said to follow the load. On two public desks it was -.09
# to .17, on queues of the twin .5 and more.
FOLLOWS = 0.2
_FEWEST = 100
# Delays are compared within so many weeks and hours of the day, so that drift and the course of the
# day are no load.
_WEEKS, _HOURS = 4.0, 4


@dataclass(frozen=True)
class LoadTest:
    """Rank correlation of the time in a status with the tickets open as it begins.

    Attributes
    ----------
    status : str
    correlation : float
        Within four weeks and the same hours of the day (Spearman's).
    n : int
    p_value : float
        One-sided, for all statuses together (Holm).
    detectable : float
        Correlation that would have been found with a chance of 80 %.
    """

    status: str
    correlation: float
    n: int
    p_value: float
    detectable: float

    @property
    def follows(self) -> bool:
        """True if delays follow the load beyond chance, and enough to matter."""
        return self.p_value < SIZE and self.correlation >= FOLLOWS

    def __str__(self) -> str:
        """Words for a report."""
        verb = "follow" if self.follows else "do not follow"
        return (
            f"times in {self.status} {verb} the load (rank correlation {self.correlation:.2f}, "
            f"n {self.n:,}; one of {self.detectable:.2f} would be found with a chance of 80 %)"
        )


def load_tests(spells: Spells, working: Mask) -> tuple[LoadTest, ...]:
    """Test all statuses with enough spells.

    Parameters
    ----------
    spells : Spells
    working : array of bool
        By status: whether it is the desk's turn.
    """
    waits = working[spells.status]
    load = _open_at(spells, waits)
    plain = HourClock(spells.midnight, spells.until_s)
    hour = plain.hour(spells.start_s)
    odd = (spells.start_s // WEEK_S).astype(np.int64) % 2 == 1
    delay_s = spells.end_s - spells.start_s
    for here in (odd, ~odd):
        # The clock is learnt from the other weeks: by chance an hour is busy in its own ones, and
        # would seem to be both quick and loaded.
        others = waits & ~here
        if others.sum() >= _FEWEST:
            pace = HourClock(spells.midnight, spells.until_s, weights_of(hour[others]))
            delay_s[here] = pace.passed(spells.end_s[here]) - pace.passed(spells.start_s[here])
    weeks = (spells.start_s // (_WEEKS * WEEK_S)).astype(np.int64)
    alike = weeks * 24 + hour % 24 // _HOURS
    found = []
    for status in np.flatnonzero(working).tolist():
        here = (spells.status == status) & spells.over
        if here.sum() < _FEWEST:
            continue
        value, degrees = _within(delay_s[here], load[here], alike[here])
        if degrees < _FEWEST / 2:
            continue
        error = 1 / np.sqrt(degrees)
        found.append((status, value, int(here.sum()), float(stats.norm.sf(value / error)), error))
    order = np.argsort([row[3] for row in found], kind="stable")
    adjusted = np.zeros(len(found))
    most = 0.0
    for rank, k in enumerate(order.tolist()):
        most = max(most, min(1.0, (len(found) - rank) * found[k][3]))
        adjusted[k] = most
    bound = float(special.ndtri(1 - SIZE / max(len(found), 1)) + special.ndtri(0.8))
    return tuple(
        LoadTest(spells.names[status], value, n, float(adjusted[k]), bound * error)
        for k, (status, value, n, _, error) in enumerate(found)
    )


def sentence(tests: Sequence[LoadTest]) -> str:
    """Words that must stand beside a what-if of staffing or volume on the calibrated desk."""
    rest = (
        "This scenario keeps delays as they were measured: what fewer or more agents, or tickets, "
        "would do to them is not in it."
    )
    if not tests:
        return f"Whether delays follow the load is not known: too few spells to tell. {rest}"
    follow = [test for test in tests if test.follows]
    if not follow:
        most = max(tests, key=lambda test: test.correlation)
        return (
            "Delays at this desk hardly follow its load (largest rank correlation with the tickets "
            f"open {most.correlation:.2f}, in {most.status}, n {most.n:,}): the log does not tell "
            f"what one agent less would do. {rest}"
        )
    names = ", ".join(f"{test.status} ({test.correlation:.2f})" for test in follow)
    return (
        f"Delays follow the load in {names} (rank correlation with the tickets open), so agents "
        f"are short there at times. {rest} A what-if of staffing needs these statuses as work of "
        "agents, with effort and shifts that this log does not hold."
    )


def _open_at(spells: Spells, waits: Mask) -> Floats:
    """Tickets waiting for the desk as each spell begins, without its own."""
    begin, end = np.sort(spells.start_s[waits]), np.sort(spells.end_s[waits])
    before = np.searchsorted(begin, spells.start_s, side="left")
    gone = np.searchsorted(end, spells.start_s, side="left")
    # The ticket itself waited until now, if in its last status.
    own = np.zeros(len(spells), dtype=np.int64)
    own[1:] = waits[:-1] & (spells.start_s[1:] > spells.start_s[:-1]) & ~spells.first[1:]
    found: Floats = (before - gone - own).astype(np.float64)
    return found


def _within(delay: Floats, load: Floats, alike: Ints) -> tuple[float, float]:
    """Rank correlation within groups, and its degrees of freedom."""
    sums = np.zeros(3)
    degrees = 0.0
    for one in np.unique(alike).tolist():
        here = alike == one
        if here.sum() < 5:
            continue
        x, y = (stats.rankdata(values[here]) / here.sum() for values in (delay, load))
        x, y = x - x.mean(), y - y.mean()
        sums += (x @ y, x @ x, y @ y)
        degrees += here.sum() - 1
    if sums[1] <= 0 or sums[2] <= 0:
        return 0.0, degrees
    return float(sums[0] / np.sqrt(sums[1] * sums[2])), degrees
