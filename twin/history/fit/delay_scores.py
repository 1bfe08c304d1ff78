"""Scores of ways to tell a step's delays, on the delays that came later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.history.fit.delay_ways import FEWEST_IN_PART, bounds_of, kinds_of, pairs_of, quantiles
from twin.history.fit.held_back import ALL, Fold, effective, weights
from twin.history.fit.hour_clocks import HourClock
from twin.history.fit.spells import Spells
from twin.scenario.clock import DAY_S, HOUR_S

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# A delay is resolved to a minute: exports often are.
_RESOLUTION_S = 60.0
# Share of chance for what no earlier delay is like, and the longest of these, in days.
_SURPRISE, _LONGEST = 1e-2, 400.0
# Levels of the quantiles that stand for a predicted delay.
_LEVELS = (np.arange(39) + 0.5) / 39


class Part:
    """A part of a log to predict, with the clocks as they were known before it."""

    def __init__(
        self, fold: Fold, clocks: dict[str, tuple[Floats, HourClock]], spells: Spells
    ) -> None:
        self._fold, self._pairs = fold, (pairs_of(fold.known), pairs_of(fold.part))
        self._clocks = {
            name: (old, HourClock(spells.midnight, spells.until_s, speeds))
            for name, (speeds, old) in clocks.items()
        }
        self._weights: dict[float, Floats] = {}

    def of(self, pair: int) -> StepTest | None:
        """The delays of one step, if there are any to predict."""
        old, new = (pairs == pair for pairs in self._pairs)
        if not new.any() or not old.any():
            return None
        known, part = self._fold.known.some(old), self._fold.part.some(new)

        def weigh(life: float) -> Floats:
            if life not in self._weights:
                self._weights[life] = weights(self._fold.known, life)
            found: Floats = self._weights[life][old]
            return found

        return StepTest(known, part, self._clocks, weigh)


@dataclass(frozen=True)
class StepTest:
    """Delays of a step to predict from earlier ones."""

    old: Spells
    new: Spells
    clocks: dict[str, tuple[HourClock, HourClock]]
    weigh: Callable[[float], Floats]

    def log(self, name: str, split: str) -> Floats:
        """Logarithm of the density, an hour, of the moments at which spells ended, shape (n,)."""
        before, now = self.clocks[name]
        new = self.new
        later_s = now.passed(new.end_s) - now.passed(new.start_s)
        density = np.zeros(len(later_s))
        for mine, values, weight in self._alike(before, split, ALL):
            density[mine] = _histogram(values, weight, later_s[mine])
        return _log(density * now.speed(new.end_s), new.end_s - new.start_s)

    def error_h(self, name: str, split: str, life: float) -> Floats:
        """Continuous ranked probability score of the delays, in hours around the clock."""
        before, now = self.clocks[name]
        new = self.new
        found = np.zeros(len(new))
        for mine, values, weight in self._alike(before, split, life):
            start_s, end_s = new.start_s[mine][:, None], new.end_s[mine][:, None]
            listed = quantiles(values, weight, _LEVELS)
            # A delay of nothing ends where it begins, also where nobody works.
            beyond = end_s - np.maximum(now.moment(now.passed(start_s) + listed), start_s)
            loss = np.where(beyond >= 0, _LEVELS * beyond, (_LEVELS - 1) * beyond)
            found[mine] = 2 * loss.mean(axis=1) / HOUR_S
        return found

    def _alike(
        self, before: HourClock, split: str, life: float
    ) -> Iterator[tuple[Mask, Floats, Floats]]:
        """Delays to predict with those, on the clock, that they are predicted from."""
        weight = self.weigh(life)
        seen = weight > 0
        values = before.passed(self.old.end_s) - before.passed(self.old.start_s)
        bounds_s = bounds_of(self.old, split)
        kind, later = (kinds_of(one, bounds_s, split) for one in (self.old, self.new))
        for one in np.unique(later).tolist():
            here = seen & (kind == one)
            if here.sum() < FEWEST_IN_PART:
                here = seen
            yield later == one, values[here], weight[here]


def log_density(known: Floats, values: Floats, speed: Floats, lasted_s: Floats) -> Floats:
    """Logarithm of the density, an hour, of moments at which clocks show some values.

    Parameters
    ----------
    known : array of float
        Values to predict from, each equally likely.
    values : array of float, shape (n,)
    speed : array of float, shape (n,)
        Of the clock at these moments.
    lasted_s : array of float, shape (n,)
        Since the ticket came, around the clock.
    """
    return _log(_histogram(known, np.ones(len(known)), values) * speed, lasted_s)


def _log(density: Floats, lasted_s: Floats) -> Floats:
    """The logarithm of a density in seconds, with a chance left for what was never seen."""
    broad = 1 / (lasted_s + 60.0) / np.log1p(_LONGEST * DAY_S / 60.0)
    return np.asarray(np.log(((1 - _SURPRISE) * density + _SURPRISE * broad) * HOUR_S))


def _histogram(values: Floats, weight: Floats, at: Floats) -> Floats:
    """Density by a histogram whose bins hold the same weight each, shape of `at`."""
    if not len(values):
        return np.zeros(len(at))
    bins = int(np.clip(np.sqrt(effective(weight)), 2, 60))
    edges = np.unique(np.round(quantiles(values, weight, np.arange(bins + 1) / bins), 3))
    # Bins of a resolution at least, so that many delays alike make no endless density.
    edges = edges[np.r_[True, np.diff(edges // _RESOLUTION_S) > 0]]
    edges = np.r_[edges, max(edges[-1], values.max()) + _RESOLUTION_S]
    mass = np.histogram(values, edges, weights=weight)[0] / weight.sum()
    bin_ = np.searchsorted(edges, at, side="right") - 1
    inside = (bin_ >= 0) & (bin_ < len(mass))
    density = np.zeros(len(at))
    density[inside] = (mass / np.diff(edges))[bin_[inside]]
    return density
