"""Spread of tickets' chances of success, from several attempts at each, with an interval.

The spread is the correlation between two attempts at a ticket, as of `twin.stats.passes`: 0 where
attempts are independent coins, 1 where tickets are solved always or never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

Floats = npt.NDArray[np.float64]
# Of less or more spread nothing could be told apart from none, or from all.
_LEAST, _MOST = 1e-6, 1 - 1e-6


@dataclass(frozen=True)
class Spread:
    """A spread that was estimated.

    Attributes
    ----------
    tickets, attempts : int
        Tickets with two attempts or more, and these attempts.
    mean : float
        Mean chance of success.
    value, low, high : float
        The spread and its bounds at 95 %; NaN where nothing tells it.
    """

    tickets: int
    attempts: int
    mean: float
    value: float
    low: float
    high: float


def fit_spread(marks: Sequence[npt.ArrayLike], level: float = 0.95) -> Spread:
    """Spread of tickets by the likelihood of beta-binomial successes.

    Bounds are where twice the logarithm of the likelihood, at the best mean for each spread, is as
    far below its largest value as the chi-squared distribution says (profile likelihood).
    `tests/test_spread.py` says how often they hold.

    Parameters
    ----------
    marks : sequence of array-like of float
        Marks of each ticket's attempts, each 1 or 0, or a chance to succeed: then the likelihood is
        the expected one over successes and failures, and bounds are wider than they need be.
        Tickets with one attempt tell the mean alone.

    Examples
    --------
    >>> found = fit_spread([[1, 1, 1, 1]] * 40 + [[1, 0, 1, 0]] * 20 + [[0, 0, 0, 0]] * 40)
    >>> round(found.mean, 2), round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (0.5, 0.77, 0.67, 0.85)
    """
    given = [np.asarray(each, dtype=float) for each in marks if len(np.atleast_1d(each))]
    several = [len(each) for each in given if len(each) > 1]
    tickets, tries = len(several), int(np.sum(several))
    mean = float(np.concatenate(given).mean()) if given else np.nan
    if not tickets or not 0 < mean < 1:
        # Where all succeed, or all fail, chances may differ or not.
        return Spread(tickets, tries, mean, np.nan, np.nan, np.nan)
    pairs, times = _counted(given)

    def at_best_mean(spread: float) -> tuple[float, float]:
        found = optimize.minimize_scalar(
            lambda at: -_likelihood(float(special.expit(at)), spread, pairs, times),
            bracket=(special.logit(mean) - 0.5, special.logit(mean) + 0.5),
            options={"xtol": 1e-5},
        )
        return -float(found.fun), float(special.expit(found.x))

    found = optimize.minimize_scalar(
        lambda spread: -at_best_mean(spread)[0], bounds=(0, 1), method="bounded"
    )
    # The best one may lie on the edge.
    value = max((0.0, float(found.x), _MOST), key=lambda spread: at_best_mean(spread)[0])
    most, mean = at_best_mean(value)
    far = most - float(special.chdtri(1, 1 - level)) / 2

    def above(spread: float) -> float:
        return at_best_mean(spread)[0] - far

    low = 0.0 if above(0.0) >= 0 else optimize.brentq(above, 0.0, value, xtol=1e-4)
    high = 1.0 if above(_MOST) >= 0 else optimize.brentq(above, value, _MOST, xtol=1e-4)
    return Spread(tickets, tries, mean, value, float(low), float(high))


def _likelihood(mean: float, spread: float, pairs: Floats, times: Floats) -> float:
    """Logarithm of the likelihood, less what no parameter changes."""
    c, n = pairs.T
    mean = min(max(mean, 1e-12), 1 - 1e-12)
    if spread < _LEAST:
        each = c * np.log(mean) + (n - c) * np.log1p(-mean)
    else:
        total = 1 / min(spread, _MOST) - 1
        a, b = total * mean, total * (1 - mean)
        each = special.betaln(c + a, n - c + b) - special.betaln(a, b)
    return float(times @ each)


def _counted(marks: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Numbers of successes and attempts, and how many tickets are expected to have each."""
    found: dict[tuple[int, int], float] = {}
    for each in marks:
        chances = np.ones(1)
        for mark in each:
            chances = np.convolve(chances, [1 - mark, mark])
        for successes in np.flatnonzero(chances > 0).tolist():
            pair = successes, len(each)
            found[pair] = found.get(pair, 0.0) + float(chances[successes])
    return np.array([*found], dtype=float), np.array([*found.values()])
