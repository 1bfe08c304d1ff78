"""Mix of tickets: shares of categories, and how they change with the hour of the day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.history.fit.estimate import Estimate, jackknife_error
from twin.stats.shares import wilson_of_groups

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Weight of the whole day in an hour's shares, in tickets: an hour with few tickets says little.
_PRIOR = 50.0


@dataclass(frozen=True)
class MixFit:
    """Shares of categories.

    Attributes
    ----------
    shares : array of float, shape (k,)
    hours : array of float, shape (24, k), or None
        Factors of each share by local hour, where they predict better than none.
    gain : float
        Mean gain of the logarithm of the chance of a held-back ticket's category by hours.
    estimates : tuple of Estimate, length k
    """

    shares: Floats
    hours: Floats | None
    gain: float
    estimates: tuple[Estimate, ...]


def fit_mix(category: Ints, hour: Ints, day: Ints, names: tuple[str, ...], key: str) -> MixFit:
    """Fit the mix of tickets.

    Hours are used where they predict the categories of weeks left out in turn better. The intervals
    of shares rest on days, as the tickets of a day may be alike.

    Parameters
    ----------
    category, hour, day : array of int, shape (n,)
        Index into `names`, local hour of the day, and local day of each ticket.
    names : tuple of str
    key : str
        Of the mix in the scenario.
    """
    size, n = len(names), len(category)
    shares = np.bincount(category, minlength=size) / max(n, 1)
    days, which = np.unique(day, return_inverse=True)
    counts = np.zeros((len(days), size))
    np.add.at(counts, (which, category), 1)

    def among(kept: npt.NDArray[np.bool_]) -> Floats:
        some = counts[kept].sum(axis=0)
        return np.asarray(some / max(some.sum(), 1.0))

    bounds = np.full((size, 2), np.nan)
    if len(days) > 1:
        _, errors, freedom = jackknife_error(among, len(days))
        for k, error in enumerate(errors):
            bounds[k] = wilson_of_groups(float(shares[k]), n, float(error), freedom)
    estimates = [
        Estimate(
            f"{key}.{name}",
            float(shares[k]),
            "share",
            float(bounds[k, 0]),
            float(bounds[k, 1]),
            n,
            "counted",
        )
        for k, name in enumerate(names)
    ]
    week = day // 7
    gains, weeks = np.zeros(n), np.unique(week)
    for k in weeks if len(weeks) > 1 else ():
        out = week == k
        by_hour, all_day = _by_hour(category[~out], hour[~out], size)
        chance = by_hour[hour[out], category[out]]
        usual = all_day[category[out]]
        gains[out] = np.log(chance) - np.log(usual)
    gain = float(gains.mean()) if n else 0.0
    error = float(gains.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    factors = None
    if gain > 2 * error:
        by_hour, all_day = _by_hour(category, hour, size)
        factors = by_hour / all_day
    return MixFit(shares, factors, gain, tuple(estimates))


def _by_hour(category: Ints, hour: Ints, size: int) -> tuple[Floats, Floats]:
    """Chance of each category by hour, shape (24, size), and whatever the hour, shape (size,)."""
    counts = np.zeros((24, size))
    np.add.at(counts, (hour, category), 1)
    all_day = counts.sum(axis=0) + 0.5
    all_day /= all_day.sum()
    by_hour = counts + _PRIOR * all_day
    return by_hour / by_hour.sum(axis=1, keepdims=True), all_day
