"""Variance components of a nested design; takes numbers only.

A figure of a run varies with the day (arrivals and queues), on the same day with what the model
answers, and for the same answers with who rates them how. With `a` days, `b` draws of the model's
luck on each and `c` draws of the raters' on each of these, the mean squares of the nested analysis
of variance give the three components, which add up to the variance of a single run:

    raters = MS_raters,   model = (MS_model - MS_raters) / c,   days = (MS_days - MS_model) / (b c).

Intervals are those of Ting, Burdick, Graybill, Jeyaratnam and Lu (1990), "Confidence intervals on
linear combinations of variance components", Journal of Statistical Computation and Simulation 35
(see Burdick and Graybill 1992, section 3.3), exact for one mean square and close for a difference
of two, for normal figures. A component below 0, which can come out by luck, is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

ANSWERS = "the model's answers"
SOURCES = ("arrivals and queues", ANSWERS, "raters")


@dataclass(frozen=True)
class _Square:
    """A mean square and its degrees of freedom."""

    value: float
    freedom: int

    def quantile(self, p: float) -> float:
        """Quantile of chi-squared over its degrees of freedom."""
        return float(stats.chi2.ppf(p, self.freedom)) / self.freedom


def components(values: npt.ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """Variance components of a figure.

    Parameters
    ----------
    values : array of float, shape (days, answers, ratings)
        The figure by draw; at least two of each.
    level : float
        Confidence level of each interval on its own.

    Returns
    -------
    DataFrame
        A row a source and one for the whole run ("a run"): source, variance, low, high, share (of
        the sum of the components), deviation (square root of variance, in the figure's unit).

    Raises
    ------
    ValueError
        If the shape or the level is out of range.
    """
    y = np.asarray(values, dtype=float)
    if y.ndim != 3 or min(y.shape) < 2:
        raise ValueError("a nested design needs two or more days, answers and ratings each")
    if not 0 < level < 1:
        raise ValueError("level must be above 0 and below 1")
    a, b, c = y.shape
    of_answers, of_days = y.mean(axis=2), y.mean(axis=(1, 2))
    raters = _Square(_sum((y - of_answers[:, :, None]) ** 2, a * b * (c - 1)), a * b * (c - 1))
    answers = _Square(c * _sum((of_answers - of_days[:, None]) ** 2, a * (b - 1)), a * (b - 1))
    days = _Square(b * c * _sum((of_days - of_days.mean()) ** 2, a - 1), a - 1)
    tail = (1 - level) / 2
    found = [
        _difference(days, answers, b * c, tail),
        _difference(answers, raters, c, tail),
        (
            raters.value,
            raters.value / raters.quantile(1 - tail),
            raters.value / raters.quantile(tail),
        ),
    ]
    table = pd.DataFrame(found, columns=["variance", "low", "high"]).clip(lower=0.0)
    table.insert(0, "source", SOURCES)
    total = float(table["variance"].sum())
    whole = {"source": "a run", "variance": total, "low": math.nan, "high": math.nan}
    table = pd.concat([table, pd.DataFrame([whole])], ignore_index=True)
    table["share"] = table["variance"] / total if total > 0 else math.nan
    return table.assign(deviation=np.sqrt(table["variance"]))


def _sum(squares: npt.NDArray[np.float64], freedom: int) -> float:
    return float(squares.sum()) / freedom


def _difference(
    first: _Square, second: _Square, divisor: int, tail: float
) -> tuple[float, float, float]:
    """(first - second) / divisor with its bounds, each missed with probability `tail`."""
    one, two = first.value / divisor, second.value / divisor
    n, m = first.freedom, second.freedom
    upper, lower = float(stats.f.ppf(1 - tail, n, m)), float(stats.f.ppf(tail, n, m))
    # Names as in the book: G for the side where the estimate is too high, H for the other.
    g1, g2 = 1 - 1 / first.quantile(1 - tail), 1 - 1 / second.quantile(1 - tail)
    h1, h2 = 1 / first.quantile(tail) - 1, 1 / second.quantile(tail) - 1
    g12 = ((upper - 1) ** 2 - (g1 * upper) ** 2 - h2**2) / upper
    h12 = ((1 - lower) ** 2 - (h1 * lower) ** 2 - g2**2) / lower
    below = (g1 * one) ** 2 + (h2 * two) ** 2 + g12 * one * two
    above = (h1 * one) ** 2 + (g2 * two) ** 2 + h12 * one * two
    value = one - two
    return value, value - math.sqrt(max(below, 0.0)), value + math.sqrt(max(above, 0.0))
