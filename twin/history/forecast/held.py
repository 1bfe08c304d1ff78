"""Rolling back-test of a forecast: the share of a history that its bands held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from scipy import stats

from twin.history.fit.arrivals import DailyCounts
from twin.history.forecast.level import fit_level

# Origins at most, and days before the first.
_ORIGINS, _FIRST = 12, 14
# Days between two moments, and the shortest stretch of a long one that is tried in its place.
_EVERY, _LEAST = 7, 7
_PATHS = 1000
_SEED = 18
# Chance of so few held, below which bands are said to be too narrow.
_RARE = 0.01


@dataclass(frozen=True)
class Held:
    """Days and stretches of a history that bands from before them held.

    Attributes
    ----------
    ahead : int
        Days of each stretch: those asked for, or fewer in a short history.
    origins : int
        Moments from which was forecast; 0 where the history is too short.
    days, totals : int
        Days and stretches that were forecast.
    days80, days95, totals80, totals95 : int
        Those within the bands of 80 and 95 %.
    apart : int
        Stretches that do not overlap.
    """

    ahead: int
    origins: int = 0
    days: int = 0
    days80: int = 0
    days95: int = 0
    totals: int = 0
    totals80: int = 0
    totals95: int = 0
    apart: int = 0

    def __str__(self) -> str:
        """Sentence on the back-test."""
        if not self.origins:
            return "Back-test: the history is too short to forecast any of it from what was before."
        times = f"from {self.origins} moments" if self.origins > 1 else "from one moment"
        return (
            f"Back-test, {self.ahead} days ahead {times} of this history: the 80 % bands held "
            f"{100 * self.days80 / self.days:.0f} % of {self.days:,} days and {self.totals80} of "
            f"{self.totals} totals, the 95 % bands {100 * self.days95 / self.days:.0f} % of the "
            f"days and {self.totals95} of the totals."
        )

    @property
    def warning(self) -> str:
        """Sentence where they held far too few; else empty.

        Stretches that overlap miss together, so only as many count as lie apart.
        """
        if not self.apart:
            return ""
        share = self.totals95 / self.totals
        chance = float(stats.binom.cdf(round(share * self.apart), self.apart, 0.95))
        if chance >= _RARE:
            return ""
        return (
            f"The bands were too narrow for this history: of {self.totals} totals in its back-test "
            f"the 95 % bands held {self.totals95}. Its level jumps in a way that was not to be "
            "foreseen; plan for more than the bands say."
        )


def held_on(history: DailyCounts, ahead: int) -> Held:
    """Back-test a history: forecast from several moments of it, and count what was held.

    Parameters
    ----------
    history : DailyCounts
        Without unusual days.
    ahead : int
        Days ahead; a stretch holds those of them with data.
    """
    last = int(history.number[-1]) + 1
    ahead = min(ahead, max((last - _FIRST) // 2, _LEAST))
    first = max(_FIRST, ahead)
    most = last - ahead
    if most < first:
        return Held(ahead)
    every = _EVERY if most - first >= 4 * _EVERY else 2
    count = min(_ORIGINS, (most - first) // every + 1)
    starts = np.unique(np.linspace(first, most, count).round().astype(int))
    number = dict.fromkeys(
        ("origins", "days", "days80", "days95", "totals", "totals80", "totals95"), 0
    )
    rng = np.random.default_rng(np.random.SeedSequence(_SEED))
    for start in starts:
        before = history.some(history.number < start)
        after = history.some((history.number >= start) & (history.number < start + ahead))
        if len(before.days) < _FIRST or not len(after.days):
            continue
        begin = before.days[-1] + timedelta(days=1)
        place = np.array([(day - begin).days for day in after.days])
        paths = fit_level(before).paths(int(place[-1]) + 1, _PATHS, rng)
        drawn = paths.counts(rng)[:, place]
        number["origins"] += 1
        for name, ways, seen in (
            ("days", drawn, after.totals),
            ("totals", drawn.sum(axis=1, keepdims=True), np.array([after.totals.sum()])),
        ):
            number[name] += len(seen)
            for band, tail in (("80", 0.1), ("95", 0.025)):
                low, high = np.quantile(ways, (tail, 1 - tail), axis=0)
                number[f"{name}{band}"] += int(((seen >= low) & (seen <= high)).sum())
    if not number["origins"]:
        return Held(ahead)
    apart = max(int((starts[-1] - starts[0]) // ahead) + 1, 1)
    return Held(ahead, apart=min(apart, number["totals"]), **number)
