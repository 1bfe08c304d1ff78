"""Intervals of shares that are counts of tickets over replications: rare is not never.

A t interval of a share that is nearly 0 or 1 leaves [0, 1], and is nothing wide where no
replication happened to see the rare event. So the share is treated as one of a binomial number of
*effective* tickets, as many as would be as uncertain as those that were counted, and its bounds are
those of Clopper and Pearson (1934), Biometrika 26, for so many.

This is the interval of Korn and Graubard (1998), "Confidence intervals for proportions with small
expected number of positive counts estimated from survey data", Survey Methodology 24, with
replications as clusters: the number counted is divided by the design effect (the variance between
replications over that of independent tickets), at least 1, and multiplied by (z / t)^2, because the
variance is estimated from few replications. Dean and Pagano (2015), "Evaluating confidence interval
methods for binomial proportions in clustered surveys", Journal of Survey Statistics and Methodology
3, found it to cover best where shares are small.

Two things are added for events so rare that their clustering cannot be seen. Events that fall into
m of n replications count as no more than the k that would spread over as many by chance:
m = n (1 - (1 - 1/n)^k). And the effective number is divided by 1 + 3 / (1 + k): by 4 where no
event was seen, by 1.3 after ten. The 3 was chosen by `tests/test_share_intervals.py`, which prints
a table of what is covered.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

_UNSEEN = 3.0


def are_counts(over: Floats, under: Floats) -> npt.NDArray[np.bool_]:
    """Return which rows are shares of counted things: whole numbers, none above its total.

    Parameters
    ----------
    over, under : array of float, shape (k, n)

    Returns
    -------
    array of bool, shape (k,)
    """
    with np.errstate(invalid="ignore"):
        whole = (over == np.rint(over)) & (under == np.rint(under))
        return np.asarray((whole & (over >= 0) & (over <= under)).all(axis=-1), dtype=np.bool_)


def wilson(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Bounds of a share of `n` independent things by Wilson (1927), JASA 22.

    Where each of the `n` was seen several times, `share` is the mean of their shares: the bounds
    are then a little wide, as things seen often differ less than single ones.

    Examples
    --------
    >>> low, high = wilson(0.8, 150)
    >>> round(low, 3), round(high, 3)
    (0.729, 0.856)
    """
    z = float(special.ndtri((1 + level) / 2))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def wilson_of_groups(
    share: float, n: float, error: float, freedom: float, level: float = 0.95
) -> tuple[float, float]:
    """As `wilson`, of things that are alike within groups, such as the tickets of a day.

    As many independent things as would be as uncertain stand for them: the number is divided by the
    design effect, at least 1, and multiplied by (z / t)^2; see the module.

    Parameters
    ----------
    share, n : float
    error, freedom : float
        Standard error of the share as groups tell it, and its degrees of freedom; missing where
        they tell nothing.
    level : float

    Examples
    --------
    >>> [round(bound, 3) for bound in wilson_of_groups(0.02, 600, 0.006, 19)]
    [0.011, 0.037]
    """
    share = min(max(share, 0.0), 1.0)
    alone = share * (1 - share) / max(n, 1.0)
    if not alone > 0 or np.isnan(error):
        return wilson(share, max(n, 1.0), level)
    design = max(error**2 / alone, 1.0)
    tail = (1 + level) / 2
    few = float(special.stdtrit(freedom, tail)) / float(special.ndtri(tail))
    return wilson(share, max(n / design / few**2, 1.0), level)


def share_bounds(
    over: Floats, under: Floats, error: Floats, freedom: Floats, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Bounds of shares of counted things over replications.

    Parameters
    ----------
    over, under : array of float, shape (k, n)
        Counts and totals, a row a share and a column a replication; 0 of 0 is no observation.
    error, freedom : array of float, shape (k,)
        Standard errors of the shares, by the jackknife, and their degrees of freedom.
    level : float
        Confidence level.

    Returns
    -------
    low, high : array of float, shape (k,)
        Within [0, 1]; missing with fewer than two observations.
    """
    n = (under > 0).sum(axis=-1)
    hits, total = over.sum(axis=-1), under.sum(axis=-1)
    misses = total - hits
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hits / total
        rarer = np.minimum(share, 1 - share)
        effective = np.where(error > 0, share * (1 - share) / error**2, np.inf)
        effective = np.minimum(effective, total)
        few = np.minimum(
            np.minimum(hits, _spread_by_chance((over > 0).sum(axis=-1), n)),
            np.minimum(misses, _spread_by_chance((under > over).sum(axis=-1), n)),
        )
        effective = np.where(few > 0, np.minimum(effective, few / rarer), effective)
        tail = (1 - level) / 2
        few_replications = (special.ndtri(1 - tail) / special.stdtrit(freedom, 1 - tail)) ** 2
        effective = effective * few_replications / (1 + _UNSEEN / (1 + few))
        seen = effective * share
        low = special.betaincinv(seen, effective - seen + 1, tail)
        high = special.betaincinv(seen + 1, effective - seen, 1 - tail)
    known = n > 1
    low, high = np.where(hits > 0, low, 0.0), np.where(misses > 0, high, 1.0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _spread_by_chance(occupied: Any, n: Any) -> Floats:
    """Return the number of events that fall by chance into `occupied` of `n` replications."""
    full = occupied >= n
    share = np.where(full, 0.0, occupied / np.maximum(n, 1))
    spread = np.log1p(-share) / np.log1p(-1 / np.maximum(n, 2))
    return np.where(full, np.inf, spread)
