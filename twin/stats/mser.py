"""Start-up of a run: MSER-5 and Welch's moving average; takes frames only.

A desk that starts empty is not yet the desk in question. MSER-5 (White 1997, "An effective
truncation heuristic for bias reduction in simulation output", Simulation 69) cuts off as many
batches of five points as make the mean of the rest most precise: with d of n batches cut,

    MSER(d) = sum over the rest of (batch - mean of the rest)^2 / (n - d)^2.

Cuts are sought in the first half of the run, since the spread of a short rest is known by accident
only (White, Cobb and Spratt 2000); a best cut at the end of that half, where the run still drifts,
says that it is too short to tell. Welch (1983), "The statistical
analysis of simulation results", averages over replications and smooths over time, for the eye.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.stats.sums import Floats, divide

BATCH = 5
# A best cut in the last tenth of the first half.
_DRIFTING = 0.45


@dataclass(frozen=True)
class Settling:
    """The start-up of a figure.

    Attributes
    ----------
    suggestion_s : float
        Warm-up in seconds; missing if the figure had not settled by the middle of the run.
    before, usual : float
        Mean of the figure until then, and from then on (where hours differ: in the same hours of
        the second half of the run); before is missing without a start-up.
    frame : DataFrame
        For Welch's plot: time_s (start of the interval), mean (over replications), smoothed
        (missing at the ends), suggestion (seconds, the same in every row).
    """

    suggestion_s: float
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


def settling(points: pd.DataFrame, every_s: float, cycle_s: float = 0.0) -> Settling:
    """Find the start-up of a figure, by MSER-5 on its mean over replications.

    Parameters
    ----------
    points : DataFrame
        Columns time_s (start of the interval), numerator, denominator; a row an interval and
        replication.
    every_s : float
        Length of an interval.
    cycle_s : float
        Length of the cycle (a day, a week) after which hours are alike again, 0 if all hours are:
        what is judged then is how far each interval is from the same hour of later cycles, those
        of the second half of the run. The suggestion is whole days.

    Raises
    ------
    ValueError
        If there are too few points, or fewer than three cycles.
    """
    sums = points.groupby("time_s")[["numerator", "denominator"]].sum()
    times = sums.index.to_numpy(dtype=float)
    over, under = (sums[name].to_numpy(dtype=float) for name in ("numerator", "denominator"))
    mean = divide(over, under)
    judged, usual, width = mean, None, max(1, len(mean) // 20)
    if cycle_s > 0:
        a_cycle = round(cycle_s / every_s)
        cycles = len(mean) // a_cycle
        if cycles < 3:
            raise ValueError("a desk whose hours differ needs a run of at least three cycles")
        late = slice(cycles // 2 * a_cycle, cycles * a_cycle)
        by_phase = [values[late].reshape(-1, a_cycle).sum(axis=0) for values in (over, under)]
        usual = np.tile(divide(*by_phase), cycles)
        judged = mean[: len(usual)] - usual
        width = a_cycle // 2
    cut, _ = mser5(judged)
    suggestion_s = cut * every_s if cut >= 0 else math.nan
    if cycle_s > 0 and not math.isnan(suggestion_s):
        # The last batch cut may have begun before the day's end.
        suggestion_s = math.ceil((suggestion_s - (BATCH - 1) * every_s) / 86400) * 86400.0
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
    return Settling(suggestion_s, float(before), float(later), frame)
