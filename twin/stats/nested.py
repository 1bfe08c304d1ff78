"""Figures over versions of a desk: how sure they are, split into its sources.

Where the numbers of a desk come from a history, more replications never tell how it would be with
another stretch of history. So replications play resampled versions of it, and the spread between
versions, less that of luck alone, is the variance that the data leave (input uncertainty: Barton,
Nelson and Xie 2014, "Quantifying input uncertainty via simulation confidence intervals", INFORMS
Journal on Computing 26; Song, Nelson and Pegden 2014, "Advanced tutorial: input uncertainty
quantification", Winter Simulation Conference). The same holds for ways in which arrivals may go on
(a forecast), and for values drawn from the range of a number that is assumed; these are nested in
the versions, in this order, where there are several.

The estimator is that of random effects by the analysis of variance (Searle, Casella and McCulloch
1992, "Variance Components", chapter 3): `EACH` replications in a row share the innermost draw, and
`EACH` of these the next. With means of groups, a of them,

    luck        S2(outer means) / a, the error of the mean that was played
    data        S2(outer means) - S2(inner means within) / 2
    assumed     S2(inner means within) - S2(replications within) / 2

and a forecast likewise between the two. A ratio of sums goes in by its linear part, (N - R D) /
mean D. A version is one draw of what the history might have been, so its variance is not divided by
the number of versions: the whole is the sum of all. Data, forecast and assumptions, which are
differences of mean squares, are too small as often as too large, and most so where luck hides them.
So the interval has their standard error on top; then it holds the truth in 95 of 100 cases whatever
their share (`tests/test_uncertainty.py`). It is that of Student's t with a - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.stats.sums import Floats, Sums, divide

LUCK, DATA, FORECAST, ASSUMED = PARTS = ("luck", "data", "forecast", "assumed")
# Replications of one draw, and draws of one version.
EACH = 2
# Components below this share of the whole variance are the rounding of floats.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Drawn:
    """Replications that play versions of a desk.

    Attributes
    ----------
    numbers : array of int, shape (n,)
        Numbers of the replications.
    sources : tuple of str
        Of uncertainty beside luck, the outer one first.
    """

    numbers: npt.NDArray[np.int64]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Parts:
    """Variance of k figures by what it comes from; shape (k,) each.

    Attributes
    ----------
    luck : array of float
        Of the replications, and of which versions they played: more of them make it smaller.
    data : array of float
        Of what the history leaves open.
    forecast : array of float
        Of arrivals that nobody knows yet.
    assumed : array of float
        Of the stated ranges of assumed numbers.
    fixed : array of float
        Of data, forecast and assumptions together, with the margin that the interval takes.
    freedom : array of float
        Degrees of freedom of the whole.
    """

    luck: Floats
    data: Floats
    forecast: Floats
    assumed: Floats
    fixed: Floats
    freedom: Floats

    @property
    def whole(self) -> Floats:
        """The variance that the interval goes by; missing with fewer than two versions."""
        return self.luck + self.fixed

    def __add__(self, other: Parts) -> Parts:
        """Of a difference of two that know nothing of each other."""
        return Parts(
            self.luck + other.luck,
            self.data + other.data,
            self.forecast + other.forecast,
            self.assumed + other.assumed,
            self.fixed + other.fixed,
            np.minimum(self.freedom, other.freedom),
        )


def only_luck(variance: Floats, freedom: npt.ArrayLike) -> Parts:
    """Variance of figures of a desk that is played as it stands."""
    none = np.zeros(len(variance))
    return Parts(variance, none, none, none, none, np.asarray(freedom, dtype=np.float64))


def influence(sums: Sums) -> Floats:
    """Linear part of each replication in ratios of sums, shape (k, n); their mean is 0."""
    under = sums.under.mean(axis=-1, keepdims=True)
    return divide(sums.over - sums.value[:, None] * sums.under, under)


def parts(values: Floats, replications: npt.NDArray[np.int64], sources: Sequence[str]) -> Parts:
    """Variance of means over replications, split by its sources.

    Parameters
    ----------
    values : array of float, shape (k, n)
        Of k figures in n replications.
    replications : array of int, shape (n,)
        Their numbers: replications share a draw, and draws a version, by their number alone.
    sources : sequence of str
        Beside luck, the outer one first: some of `DATA`, `FORECAST` and `ASSUMED`.

    Examples
    --------
    >>> values = np.array([[1.0, 1.2, 3.0, 2.8, 2.1, 1.9]])
    >>> found = parts(values, np.arange(6), [DATA])
    >>> round(float(found.luck[0]), 3), round(float(found.data[0]), 3)
    (0.27, 0.8)
    """
    size = EACH ** len(sources)
    complete = _complete(replications, size)
    nothing = np.full(len(values), np.nan)
    if len(complete) < 2:
        return Parts(nothing, nothing, nothing, nothing, nothing, np.ones(len(values)))
    cube = values[:, complete].reshape((len(values), -1, *(EACH,) * len(sources)))
    # Mean squares of the means of each level within the level above, the innermost first.
    within, freedom = [], []
    while cube.ndim > 1:
        within.append(cube.var(axis=-1, ddof=1).reshape(len(values), -1).mean(axis=1))
        freedom.append((cube.shape[-1] - 1) * math.prod(cube.shape[1:-1]))
        cube = cube.mean(axis=-1)
    found = {}
    fixed, error = np.zeros(len(values)), np.zeros(len(values))
    for k, name in enumerate(reversed(list(sources))):
        one = within[k + 1] - within[k] / EACH
        fixed = fixed + one
        found[name] = np.where(one <= _ROUNDING * within[k + 1], 0.0, one)
    for k, (square, free) in enumerate(zip(within, freedom, strict=True)):
        # Of each mean square in the sum: the outermost whole, the innermost less, both between.
        weight = 1.0 - (1.0 / EACH if k < len(sources) else 0.0) - (1.0 if k == 0 else 0.0)
        error = error + 2 * (weight * square) ** 2 / free
    none = np.zeros(len(values))
    data, ahead, assumed = (found.get(name, none) for name in (DATA, FORECAST, ASSUMED))
    groups = len(complete)
    return Parts(
        within[-1] / groups,
        data,
        ahead,
        assumed,
        np.maximum(fixed + np.sqrt(error), data + ahead + assumed),
        np.full(len(values), groups - 1.0),
    )


def _complete(replications: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Positions of the replications of each group of which none is missing, shape (a, size)."""
    order = np.argsort(replications, kind="stable")
    group = replications[order] // size
    _, first, count = np.unique(group, return_index=True, return_counts=True)
    whole = first[count == size]
    return order[whole[:, None] + np.arange(size)] if len(whole) else np.zeros((0, size), np.int64)
