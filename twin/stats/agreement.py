"""Agreement of judges who rated the same answers, and a mean calibrated by people's ratings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]


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
    given = np.asarray(ratings, dtype=float)
    given = given[:, np.isfinite(given).sum(axis=0) >= 2]
    there = np.isfinite(given)
    each = there.sum(axis=0)
    n = int(each.sum())
    if n == 0:
        return np.nan
    values = np.where(there, given, 0.0)
    # Sums of squared differences of all ordered pairs, within answers and over all.
    within = 2 * (each * (values**2).sum(axis=0) - values.sum(axis=0) ** 2)
    observed = float((within / (each - 1)).sum()) / n
    expected = 2 * float(n * (values**2).sum() - values.sum() ** 2) / (n * (n - 1))
    return 1.0 - observed / expected if expected > 1e-12 else np.nan


def alpha_bounds(
    ratings: npt.ArrayLike, level: float = 0.95, draws: int = 1000, seed: int = 1
) -> tuple[float, float, float]:
    """Krippendorff's alpha and its bounds, by a bootstrap over answers.

    Returns
    -------
    alpha, low, high : float
    """
    given = np.asarray(ratings, dtype=float)
    given = given[:, np.isfinite(given).sum(axis=0) >= 2]
    value, n = alpha(given), given.shape[1]
    if n < 2 or not np.isfinite(value):
        return value, np.nan, np.nan
    rng = np.random.default_rng(seed)
    drawn = np.array([alpha(given[:, rng.integers(0, n, n)]) for _ in range(draws)])
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return value, float(low), float(high)


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
