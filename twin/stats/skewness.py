"""Wider bounds where replications are skewed: a few bad days that were not seen yet."""

from __future__ import annotations

import numpy as np

from twin.stats.intervals import quantile_t
from twin.stats.nested import influence
from twin.stats.sums import Floats, Sums, divide


def widening(sums: Sums, tail: float) -> tuple[Floats, Floats]:
    """Factors by which the reach of a t interval is to grow below and above its value.

    Parameters
    ----------
    sums : Sums
        k figures in n replications.
    tail : float
        Chance that is allowed beyond one bound.

    Returns
    -------
    below, above : array of float, shape (k,)
        At least 1: a bound is moved away from the value on the side of the long tail, never
        towards it on the other.

    Notes
    -----
    With a sample skewness g (of the ratios' linear parts) the bound on the side of the long tail
    moves by g * s * (1 + 2 t^2) / (6 n), the first term by which the distribution of a t statistic
    departs from Student's (Johnson 1978, Modified t tests and confidence intervals for asymmetrical
    populations, JASA 73; Hall 1992, On the removal of skewness by transformation, JRSS B 54).

    Examples
    --------
    >>> days = np.array([[1.0, 1.1, 0.9, 1.0, 2.5]])
    >>> below, above = widening(Sums(days, np.ones((1, 5)), None, np.zeros(1)), 0.025)
    >>> float(below[0]), bool(above[0] > 1.5)
    (1.0, True)
    """
    seen = sums.seen
    n = seen.sum(axis=-1).astype(np.float64)
    parts = np.where(seen, np.nan_to_num(influence(sums)), 0.0)
    square, cube = ((parts**power).sum(axis=-1) for power in (2, 3))
    spread = divide(square, n) ** 1.5
    skew = divide(divide(cube, n), spread) * divide(np.sqrt(n * np.maximum(n - 1, 0)), n - 2)
    # Rounding alone is no skewness, and of two replications none is known.
    skew = np.where((n > 2) & (spread > 0), np.nan_to_num(skew), 0.0)
    t = quantile_t(n - 1, 1 - tail)
    size = divide(1 + 2 * t**2, 6 * t * np.sqrt(np.maximum(n, 1)))
    return 1 + np.maximum(-skew, 0.0) * size, 1 + np.maximum(skew, 0.0) * size
