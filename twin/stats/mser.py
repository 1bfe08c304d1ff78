"""Start-up of a run: MSER-5, the half-life of fluctuations, Welch's average; takes frames only.

A desk that starts empty is not yet the desk in question. MSER-5 (White 1997, "An effective
truncation heuristic for bias reduction in simulation output", Simulation 69) cuts off as many
batches of five points as make the mean of the rest most precise: with d of n batches cut,

    MSER(d) = sum over the rest of (batch - mean of the rest)^2 / (n - d)^2.

Cuts are sought in the first half of the run, since the spread of a short rest is known by accident
only (White, Cobb and Spratt 2000); a best cut at the end of that half, where the run still drifts,
says that it is too short to tell. Franklin and White (2008, "Stationarity tests and MSER-5",
Proceedings of the Winter Simulation Conference) apply it to replications; here the cut is the
median over resampled replications, since that of a single mean jumps from one seed to the next
(Breiman 1996, "Bagging predictors", Machine Learning 24), and shortened as long as the last fifth
of what is cut does not differ from what follows.

MSER-5 sees a start-up only where it stands out of the noise. A busy desk fills slowly amid large
fluctuations, and is cut far too early. But it fills at the rates at which its fluctuations die out
(the relaxation time: Odoni and Roth 1983, Operations Research 31; Whitt 1991, Management Science
37), and these show all along the run. So levels are also cut at log2(50) = 5.6 half-lives of their
autocorrelation, by when 98 % of a gap is closed. Of the half-life and the integral of the
autocorrelation, the first varies least from seed to seed.

Welch (1983), "The statistical analysis of simulation results", averages over replications and
smooths over time, for the eye.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from twin.stats.sums import Floats, divide

BATCH = 5
# A best cut in the last tenth of the first half.
_DRIFTING = 0.45
# A start-up that is longer than this share of the run is not known by its half-lives.
_LONGEST = 1 / 3
# A gap that is smaller than this share of the usual level counts as closed.
_REMAINING = 0.02
_HALVINGS = math.log2(1 / _REMAINING)
# A run that begins closer than this to the usual level has no start-up to speak of.
_GAP = 0.1
_RESAMPLES, _LEVEL = 200, 0.95
# Chance that a cut without a start-up is taken for one.
_DOUBT = 0.01


@dataclass(frozen=True)
class Settling:
    """The start-up of a figure.

    Attributes
    ----------
    suggestion_s : float
        Warm-up in seconds; missing if the figure had not settled long before the end of the run.
    low_s, high_s : float
        The middle 95 % of what resampled replications suggest: a spread, and no promise (on desks
        with known answers it held them for 7 to 10 of 10 seeds, `tests/test_warmup.py`). Missing
        without several replications; the upper end is infinite where they leave open whether the
        figure settles.
    before, usual : float
        Mean of the figure until then, and from then on (where hours differ: in the same hours of
        the second half of the run); before is missing without a start-up.
    frame : DataFrame
        For Welch's plot: time_s (start of the interval), mean (over replications), smoothed
        (missing at the ends), suggestion (seconds, the same in every row).
    """

    suggestion_s: float
    low_s: float
    high_s: float
    before: float
    usual: float
    frame: pd.DataFrame


def mser5(values: npt.ArrayLike) -> tuple[int, Floats]:
    """The cut that MSER-5 finds.

    Parameters
    ----------
    values : array of float, shape (n,)
        A series; missing ones are left out of their batch.

    Returns
    -------
    cut : int
        Points to leave out, a multiple of 5; -1: the series had not settled by its middle.
    statistic : array of float, shape (n // 10 + 1,)
        MSER by number of batches cut, up to half of them.

    Raises
    ------
    ValueError
        With fewer than 10 batches of 5 points.

    Examples
    --------
    >>> cut, _ = mser5([0] * 10 + [5, 6, 5, 6, 5] * 20)
    >>> cut
    10
    """
    series = np.asarray(values, dtype=float)
    count = len(series) // BATCH
    if count < 10:
        raise ValueError(f"MSER-5 needs at least {10 * BATCH} points, not {len(series)}")
    batches = series[: count * BATCH].reshape(count, BATCH)
    there = ~np.isnan(batches)
    means = divide(np.where(there, batches, 0.0).sum(axis=1), there.sum(axis=1))
    known = ~np.isnan(means)
    if known.sum() < 10:
        raise ValueError(f"MSER-5 needs at least 10 batches with data, not {known.sum()}")
    # Away from 0, so that the differences of sums do not cancel.
    y = np.where(known, means - means[known].mean(), 0.0)
    left, total, squares = (np.cumsum(v[::-1])[::-1] for v in (known.astype(float), y, y**2))
    spread = squares - divide(total**2, left)
    # Below this it is rounding, which must not decide between equal cuts.
    spread[spread < 1e-12 * squares[0]] = 0.0
    statistic = divide(spread, left**2)[: count // 2 + 1]
    cut = int(np.nanargmin(statistic))
    return (-1 if cut > _DRIFTING * count else cut * BATCH), statistic


def smooth(values: Floats, width: int) -> Floats:
    """Welch's moving average over 2 * width + 1 points.

    At the start over as many as there are on both sides; missing for the last `width` points.
    """
    n = len(values)
    out = np.full(n, np.nan)
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
    counts = np.concatenate([[0], np.cumsum(~np.isnan(values))])
    middle = np.arange(max(n - width, 0))
    reach = np.minimum(middle, width)
    low, high = middle - reach, middle + reach + 1
    out[: len(middle)] = divide(sums[high] - sums[low], counts[high] - counts[low])
    return out


def lag_products(values: Floats) -> Floats:
    """Sums for autocorrelations of replications: products at each lag, shape (replications, n).

    Parameters
    ----------
    values : array of float, shape (replications, n)
        A settled level; its mean is that over all replications.
    """
    count = values.shape[1]
    # Zeros after the end, so that the transform does not run into the beginning again.
    moved = np.fft.rfft(values - values.mean(), 2 * count, axis=1)
    products = np.fft.irfft(np.abs(moved) ** 2, 2 * count, axis=1)[:, :count]
    found: Floats = products / (count - np.arange(count))
    return found


def half_life(products: Floats) -> float:
    """Lag at which the autocorrelation falls to a half, in points; infinite if it does not.

    Parameters
    ----------
    products : array of float, shape (n,)
        As from `lag_products`, added up over replications.
    """
    if products[0] <= 0:
        return 0.0
    ratio = products / products[0]
    below = np.flatnonzero(ratio < 0.5)
    if not len(below):
        return math.inf
    k = int(below[0])
    return float(k - 1 + (ratio[k - 1] - 0.5) / (ratio[k - 1] - ratio[k]))


@dataclass(frozen=True)
class _Series:
    """A figure over time by replication, and how its hours are judged."""

    over: Floats
    under: Floats
    cycle: int
    level: bool

    def judged(self, weights: Floats) -> tuple[Floats, Floats | None]:
        """The mean; where hours differ, less that of the same hour later on, which follows.

        Parameters
        ----------
        weights : array of float, shape (replications,)
        """
        over, under = weights @ self.over, weights @ self.under
        mean = divide(over, under)
        if not self.cycle:
            return mean, None
        cycles = len(mean) // self.cycle
        late = slice(cycles // 2 * self.cycle, cycles * self.cycle)
        by_phase = [v[late].reshape(-1, self.cycle).sum(axis=0) for v in (over, under)]
        usual = np.tile(divide(*by_phase), cycles)
        return mean[: len(usual)] - usual, usual

    def cut(self, weights: Floats) -> float:
        """Points that MSER-5 cuts, in an unsettled series about half of them."""
        return float(BATCH * np.nanargmin(mser5(self.judged(weights)[0])[1]))

    def shown(self, cut: float) -> float:
        """The cut, shortened by fifths until the last fifth surely differs from what follows."""
        while cut >= 1 and not self._differs(int(0.8 * cut), int(cut)):
            cut = int(0.8 * cut)
        return cut

    def _differs(self, low: int, high: int) -> bool:
        """True if the replications differ before `high` points from after, by a t test."""
        usual = self.judged(np.ones(len(self.over)))[1]
        count = self.over.shape[1] if usual is None else len(usual)
        over, under = self.over[:, :count], self.under[:, :count]
        if usual is not None:
            over = over - under * np.nan_to_num(usual)
        early, late = slice(low, high), slice(high, count)
        gaps = divide(over[:, early].sum(axis=1), under[:, early].sum(axis=1)) - divide(
            over[:, late].sum(axis=1), under[:, late].sum(axis=1)
        )
        gaps = gaps[~np.isnan(gaps)]
        if len(gaps) < 2:
            return True
        limit = float(stats.t.ppf(1 - _DOUBT / 2, len(gaps) - 1))
        error = float(gaps.std(ddof=1)) / math.sqrt(len(gaps))
        return abs(float(gaps.mean())) > limit * error

    def products(self, cut: float) -> Floats:
        """Sums for the half-life, of what follows a cut; shape (replications, n)."""
        values = divide(self.over, self.under)
        count = values.shape[1]
        if self.cycle:
            _, usual = self.judged(np.ones(len(values)))
            assert usual is not None
            count = len(usual)
            values = values[:, :count] - usual
        # A fifth is left out, and not a half: the longer the series, the surer the half-life.
        first = max(count // 5, min(int(cut), count // 2))
        return lag_products(np.nan_to_num(values[:, first:count]))

    def gap(self, weights: Floats, points: float) -> float:
        """Distance of the first points from the usual level, as a share of it."""
        judged, usual = self.judged(weights)
        half = judged[len(judged) // 2 :].mean() if usual is None else 0.0
        scale = half if usual is None else usual.mean()
        first = judged[: max(1, math.ceil(points))].mean() - half
        return abs(float(first / scale)) if scale else 0.0


def _cuts(series: _Series) -> tuple[float, float, float]:
    """Points to leave out, and their interval; infinite where the figure had not settled."""
    replications, count = series.over.shape
    everything = np.ones(replications)
    if replications == 1:
        cut = series.cut(everything)
        return (cut if cut <= _DRIFTING * count else math.inf), math.nan, math.nan
    chance = np.full(replications, 1 / replications)
    resampled = np.random.default_rng(0).multinomial(replications, chance, _RESAMPLES).astype(float)
    known = (resampled @ series.under > 0).sum(axis=1)
    resampled = resampled[known >= 10 * BATCH]
    if not len(resampled):
        most_known = int(known.max()) // BATCH
        raise ValueError(f"MSER-5 needs at least 10 batches with data, not {most_known}")
    found = np.array([series.cut(weights) for weights in resampled])
    best = series.shown(float(np.quantile(found, 0.5, method="higher")))
    shown = {cut: series.shown(cut) for cut in np.unique(found).tolist()}
    cuts = np.array([shown[cut] for cut in found.tolist()], dtype=float)
    most = _DRIFTING * count
    if series.level:
        products = series.products(best)
        half = half_life(products.sum(axis=0))
        there = math.isinf(half) or series.gap(everything, half / 4) > _GAP
        if there and 0.8 * best <= _HALVINGS * half:
            best = _HALVINGS * half
            cuts = _HALVINGS * np.array([half_life(weights @ products) for weights in resampled])
            # Of a run that is not many times as long, half-lives come out too short.
            most = _LONGEST * count
    cuts[cuts > most] = math.inf
    best = best if best <= most else math.inf
    tail = (1 - _LEVEL) / 2
    low, high = (float(np.quantile(cuts, q, method="nearest")) for q in (tail, 1 - tail))
    # Resampled means are noisier than the mean itself: the interval holds what is suggested.
    return best, min(low, best), max(high, best)


def settling(
    points: pd.DataFrame, every_s: float, cycle_s: float = 0.0, *, level: bool = False
) -> Settling:
    """Find the start-up of a figure in its replications.

    Parameters
    ----------
    points : DataFrame
        Columns time_s (start of the interval), numerator, denominator and, with several,
        replication; a row an interval and replication.
    every_s : float
        Length of an interval.
    cycle_s : float
        Length of the cycle (a day, a week) after which hours are alike again, 0 if all hours are:
        what is judged then is how far each interval is from the same hour of later cycles, those
        of the second half of the run. The suggestion is whole days.
    level : bool
        Whether the figure is an average over time, of which the half-life is judged as well.

    Raises
    ------
    ValueError
        If there are too few points, too few with data, or fewer than three cycles.
    """
    keys = ["replication"] if "replication" in points else []
    sums = points.groupby([*keys, "time_s"])[["numerator", "denominator"]].sum()
    if not keys:
        sums = pd.concat({0: sums}, names=["replication"])
    wide = [sums[name].unstack("time_s", fill_value=0) for name in sums]
    times = wide[0].columns.to_numpy(dtype=float)
    cycle = round(cycle_s / every_s)
    if cycle and len(times) // cycle < 3:
        raise ValueError("a desk whose hours differ needs a run of at least three cycles")
    tables = [frame.to_numpy(dtype=float) for frame in wide]
    series = _Series(tables[0], tables[1], cycle, level)
    over, under = (table.sum(axis=0) for table in tables)
    mean = divide(over, under)
    _, usual = series.judged(np.ones(len(series.over)))
    width = max(1, cycle // 2 if cycle else len(mean) // 20)

    def seconds(cut: float) -> float:
        if not cycle or not math.isfinite(cut):
            return math.ceil(cut) * every_s if math.isfinite(cut) else cut
        # The last batch cut may have begun before the day's end.
        return max(0.0, math.ceil((cut - (BATCH - 1)) * every_s / 86400) * 86400.0)

    suggestion_s, low_s, high_s = map(seconds, _cuts(series))
    suggestion_s = suggestion_s if math.isfinite(suggestion_s) else math.nan
    early = times < (0.0 if math.isnan(suggestion_s) else suggestion_s)
    before = divide(over[early].sum(), under[early].sum())
    later = divide(over[~early].sum(), under[~early].sum())
    if usual is not None and early.any():
        weights = under[early] * ~np.isnan(usual[: early.sum()])
        later = divide(weights @ np.nan_to_num(usual[: early.sum()]), weights.sum())
    frame = pd.DataFrame(
        {
            "time_s": times,
            "mean": mean,
            "smoothed": smooth(mean, width),
            "suggestion": suggestion_s,
        }
    )
    return Settling(suggestion_s, low_s, high_s, float(before), float(later), frame)
