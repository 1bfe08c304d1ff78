"""Agreement of judges who rated the same answers, and a mean calibrated by people's ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# Of fewer nothing is said of how sure an agreement is.
_FEW_GROUPS = 5
# Fisher's z has no end.
_NEARLY = 1 - 1e-9


def alpha(ratings: npt.ArrayLike) -> float:
    """Krippendorff's alpha with squared differences: 1 is agreement, 0 what chance would give.

    Parameters
    ----------
    ratings : array-like of float, shape (judges, answers)
        NaN where a judge did not rate an answer.

    Returns
    -------
    float
        NaN where no two judges rated the same answer, or all ratings are alike.

    Notes
    -----
    Krippendorff (2011), Computing Krippendorff's alpha-reliability, for interval data.

    Examples
    --------
    >>> alpha([[1, 2, 3, 4], [1, 2, 3, 4]]), round(alpha([[1, 2, 3, 4], [2, 2, 3, 3]]), 3)
    (1.0, 0.708)
    """
    _, parts = _parts(ratings)
    return float(_alpha(parts.sum(axis=1)))


def _parts(ratings: npt.ArrayLike) -> tuple[Ints, Floats]:
    """Answers that two judges or more rated, and what each adds to alpha's four sums.

    These are of ratings, of differences within the answer, of squared ratings and of ratings.
    """
    given = np.asarray(ratings, dtype=float)
    rated = np.flatnonzero(np.isfinite(given).sum(axis=0) >= 2)
    given = given[:, rated]
    there = np.isfinite(given)
    each, values = there.sum(axis=0), np.where(there, given, 0.0)
    squares, total = (values**2).sum(axis=0), values.sum(axis=0)
    within = 2 * (each * squares - total**2) / (each - 1)
    return rated, np.array([each, within, squares, total], dtype=float)


def _alpha(sums: Floats) -> Floats:
    n, within, squares, total = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        # Squared differences of all ordered pairs, within answers and over all.
        expected = 2 * (n * squares - total**2) / (n * (n - 1))
        return np.asarray(np.where(expected > 1e-12, 1 - within / n / expected, np.nan))


def alpha_bounds(
    ratings: npt.ArrayLike, groups: npt.ArrayLike | None = None, level: float = 0.95
) -> tuple[float, float, float]:
    """Krippendorff's alpha and its bounds, by the jackknife on the scale of Fisher's z.

    `tests/test_agreement.py` says how often they hold.

    Parameters
    ----------
    ratings : array-like of float, shape (judges, answers)
    groups : array-like of int, shape (answers,), optional
        Answers of one number, as to the same ticket, are left out together; by default each is
        independent of the others.

    Returns
    -------
    alpha, low, high : float
        Bounds are NaN for fewer than five groups, and where all agree: nothing tells how far others
        would not.
    """
    rated, parts = _parts(ratings)
    value = float(_alpha(parts.sum(axis=1)))
    numbers = np.arange(len(rated)) if groups is None else np.asarray(groups)[rated]
    _, number = np.unique(numbers, return_inverse=True)
    n = int(number.max()) + 1 if len(number) else 0
    if n < _FEW_GROUPS or not value < 1 - 1e-9:
        return value, np.nan, np.nan
    of_groups = np.array([np.bincount(number, part, n) for part in parts])
    without = _alpha(parts.sum(axis=1)[:, None] - of_groups)
    if not np.isfinite(without).all():
        return value, np.nan, np.nan
    z, each = (np.arctanh(np.clip(x, -_NEARLY, _NEARLY)) for x in (value, without))
    values = n * z - (n - 1) * each
    half = special.stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(n)
    return value, float(np.tanh(z - half)), float(np.tanh(z + half))


def calibrated_mean(
    judged: npt.ArrayLike, rated: npt.ArrayLike, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean rating that people would give, by a judge's ratings of all answers and theirs of some.

    The judge's mean, mended by how far people are from the judge on answers that both rated
    (prediction-powered inference: Angelopoulos et al. 2023, Science 382). It holds whatever the
    judge is worth, where the rated answers were drawn at random; a good judge makes it narrower.

    Parameters
    ----------
    judged : array-like of float, shape (n,)
    rated : array-like of float, shape (n,)
        NaN where nobody rated.

    Returns
    -------
    mean, low, high : float
        NaN with fewer than two answers that both rated.
    """
    f, y = np.asarray(judged, dtype=float), np.asarray(rated, dtype=float)
    f, y = f[np.isfinite(f)], y[np.isfinite(f)]
    some = np.isfinite(y)
    n, whole = int(some.sum()), len(f)
    if n < 2:
        return np.nan, np.nan, np.nan
    apart = y[some] - f[some]
    # As much of the judge as it is worth (power tuning, Angelopoulos et al. 2023 b).
    spread = float(f.var(ddof=1)) if whole > 1 else 0.0
    cov = float(np.cov(f[some], y[some])[0, 1])
    weight = float(np.clip(cov / (spread * (1 + n / whole)), 0.0, 1.0)) if spread > 0 else 0.0
    apart = y[some] - weight * f[some]
    mean = weight * float(f.mean()) + float(apart.mean())
    error = np.sqrt(weight**2 * spread / whole + float(apart.var(ddof=1)) / n)
    half = float(special.stdtrit(n - 1, (1 + level) / 2)) * float(error)
    return mean, mean - half, mean + half


@dataclass(frozen=True)
class InOrder:
    """Agreement of two judges on the order of the same answers.

    Attributes
    ----------
    n : int
        Answers that both judged.
    rank, low, high : float
        Spearman's rank correlation and its bounds at 95 %, by a bootstrap over answers. NaN where
        one judge gives the same mark to all.
    difference : float
        Mean of the second less the mean of the first.
    near : float
        Share of answers whose marks, from 0 to 1, are at most a quarter apart.
    """

    n: int
    rank: float
    low: float
    high: float
    difference: float
    near: float


def in_order(
    first: npt.ArrayLike, second: npt.ArrayLike, draws: int = 1000, seed: int = 1
) -> InOrder:
    """Agreement of two judges' marks from 0 to 1; answers that lack one are left out.

    Examples
    --------
    >>> found = in_order([0.0, 0.2, 0.6, 1.0], [0.25, 0.25, 0.5, 1.0])
    >>> found.n, round(found.rank, 3), found.near
    (4, 0.949, 1.0)
    """
    both = np.column_stack([first, second]).astype(float)
    both = both[np.isfinite(both).all(axis=1)]
    n = len(both)
    if not n:
        return InOrder(0, np.nan, np.nan, np.nan, np.nan, np.nan)
    gap = both[:, 1] - both[:, 0]
    rank, low, high = _rank(both), np.nan, np.nan
    if np.isfinite(rank):
        rng = np.random.default_rng(seed)
        drawn = np.array([_rank(both[rng.integers(0, n, n)]) for _ in range(draws)])
        low, high = np.nanquantile(drawn, [0.025, 0.975])
    near = float((np.abs(gap) <= 0.25 + 1e-9).mean())
    return InOrder(n, rank, float(low), float(high), float(gap.mean()), near)


def _rank(both: Floats) -> float:
    """Spearman's correlation: Pearson's of the ranks, ties sharing their mean rank."""
    ranks = stats.rankdata(both, axis=0)
    ranks -= ranks.mean(axis=0)
    size = np.sqrt((ranks**2).sum(axis=0)).prod()
    return float((ranks[:, 0] * ranks[:, 1]).sum() / size) if size > 0 else np.nan
