"""A figure against a limit: met, missed or open, by its interval; arrays only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.stats.intervals import ratio_interval
from twin.stats.nested import Drawn, influence, parts
from twin.stats.sums import Sums, divide

MET, MISSED, OPEN = "met", "missed", "open"


@dataclass(frozen=True)
class Limit:
    """A bound that a figure must keep.

    Attributes
    ----------
    value : float
    at_most : bool
        Else at least.
    share : bool
        Whether the figure is a share, for its interval.
    """

    value: float
    at_most: bool
    share: bool = False


@dataclass(frozen=True)
class Judged:
    """A figure against its limit.

    Attributes
    ----------
    verdict : {"met", "missed", "open"}
        By the interval; missed too if nothing was counted.
    value : float
    gap : float
        By how much the limit is missed, in the figure's unit; below 0: by how much it is kept.
    more : float
        Further replications that would decide, if the value and its spread stay; infinite where
        the value is on the limit, or where versions leave open what no replication tells; missing
        where that cannot be told.
    luck : float
        Share of the variance that more replications make smaller.
    """

    verdict: str
    value: float
    gap: float
    more: float
    luck: float = 1.0


def judge(
    over: npt.ArrayLike,
    under: npt.ArrayLike,
    limit: Limit,
    met_error: float,
    missed_error: float,
    drawn: Drawn | None = None,
) -> Judged:
    """Judge a figure by its interval.

    Parameters
    ----------
    over, under : array of float, shape (n,)
        Numerator and denominator by replication.
    limit : Limit
    met_error, missed_error : float
        Chance that is allowed of calling it met, or missed, where it is not.
    drawn : Drawn, optional
        Where replications play versions.

    Returns
    -------
    Judged

    Examples
    --------
    >>> judge([41, 52, 48, 55, 49, 50], [1000] * 6, Limit(0.05, True, True), 0.025, 0.025).verdict
    'open'
    >>> judge([11, 12, 18, 15, 19, 10], [1000] * 6, Limit(0.05, True, True), 0.025, 0.025).verdict
    'met'
    """
    sign = 1.0 if limit.at_most else -1.0
    far, near = (2, 1) if limit.at_most else (1, 2)
    bounds = [
        ratio_interval(over, under, 1 - 2 * error, share=limit.share, drawn=drawn)
        for error in (met_error, missed_error)
    ]
    value = bounds[0][0]
    gap = sign * (value - limit.value)
    worst, best = sign * (bounds[0][far] - limit.value), sign * (bounds[1][near] - limit.value)
    if worst <= 0:
        return Judged(MET, value, gap, 0.0)
    if best > 0 or math.isnan(value):
        return Judged(MISSED, value, gap, 0.0)
    n = np.count_nonzero((np.asarray(over) != 0) | (np.asarray(under) != 0))
    reach = worst - gap if gap <= 0 else gap - best
    luck = 1.0 if drawn is None else _luck(over, under, drawn)
    # Of the variance, replications make the part of luck smaller, and leave the rest.
    room = (gap / reach) ** 2 - (1 - luck) if reach else math.nan
    more = n * (luck / room - 1) if not room <= 0 else math.inf
    return Judged(OPEN, value, gap, max(more, 1.0) if more == more else more, luck)


def _luck(over: npt.ArrayLike, under: npt.ArrayLike, drawn: Drawn) -> float:
    """Share of a ratio's variance that is the luck of its replications."""
    pairs = np.asarray(over, dtype=float)[None, :], np.asarray(under, dtype=float)[None, :]
    split = parts(influence(Sums(*pairs, None, np.zeros(1))), drawn.numbers, drawn.sources)
    return float(divide(split.luck, split.whole)[0])
