"""Agents' work: handle times by category, and whether they grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.history.fit.estimate import Estimate, jackknife

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# From so many on, the values themselves are drawn from; below, a lognormal of their mean and cv. A
# lognormal by maximum likelihood had means 13 % too high on a bank's calls: so by mean and cv.
ENOUGH_VALUES = 200
# With fewer, a category is taken together with all others.
FEWEST_HANDLED = 30
# A history of less says nothing of growth.
_TREND_WEEKS = 3.0
_WEEK_S = 604_800.0


@dataclass(frozen=True)
class WorkFit:
    """Handle times of a group of tickets.

    Attributes
    ----------
    values_s : array of float, shape (n,)
        As measured.
    mean_s, cv : float
    estimate : Estimate
    """

    values_s: Floats
    mean_s: float
    cv: float
    estimate: Estimate

    def as_data(self) -> dict[str, object]:
        """The distribution as a scenario file has it, by mean and cv."""
        if self.cv <= 0:
            return {"distribution": "constant", "value": f"{self.mean_s:.6g}s"}
        mean = f"{self.mean_s:.6g}s"
        return {"distribution": "lognormal", "mean": mean, "cv": round(min(self.cv, 20.0), 4)}


def fit_work(values_s: Floats, day: Ints, key: str) -> WorkFit:
    """Fit handle times to measured ones.

    Parameters
    ----------
    values_s : array of float, shape (n,)
        Above 0.
    day : array of int, shape (n,)
        Local day of each; the days of a desk differ, so its interval rests on days, not on tickets.
    key : str
        Where it goes.
    """
    days, which = np.unique(day, return_inverse=True)
    total = np.bincount(which, values_s)
    count = np.bincount(which).astype(np.float64)

    def mean(kept: npt.NDArray[np.bool_]) -> Floats:
        return np.array([total[kept].sum() / max(count[kept].sum(), 1.0)])

    found, n = float(values_s.mean()), len(values_s)
    low = high = float("nan")
    if len(days) > 1:
        ends = jackknife(mean, len(days))
        low, high = float(ends[0][0]), float(ends[1][0])
    cv = float(values_s.std(ddof=1) / found) if n > 1 else 0.0
    method = f"measured over {len(days)} days, cv {cv:.3g}"
    return WorkFit(values_s, found, cv, Estimate(key, found, "s", low, high, n, method))


def work_growth(values_s: Floats, at_s: Floats, category: Ints, key: str) -> Estimate:
    """Rise of handle times a week, within categories, by a regression of their logarithm.

    It is told and not put into the scenario: a rise that went on would be a forecast of its own.

    Parameters
    ----------
    values_s, at_s : array of float, shape (n,)
        Handle times above 0, and the moments at which the tickets arrived; seconds.
    category : array of int, shape (n,)
    key : str
        What it is of.

    Returns
    -------
    Estimate
        Its interval holds 0 where the history tells of no growth, and where it is too short.
    """
    n = len(values_s)
    weeks = at_s / _WEEK_S
    if n < FEWEST_HANDLED or np.ptp(weeks) < _TREND_WEEKS:
        return Estimate(key, 0.0, n=n, method=f"less than {_TREND_WEEKS:g} weeks", assumed=True)
    logs = np.log(values_s)
    day = np.floor(at_s / 86400.0).astype(np.int64)
    days, which = np.unique(day, return_inverse=True)

    def slope(kept: npt.NDArray[np.bool_]) -> Floats:
        here = kept[which]
        x, y, group = weeks[here], logs[here], category[here]
        sizes: Floats = np.maximum(np.bincount(group), 1).astype(np.float64)
        x = x - (np.bincount(group, x) / sizes)[group]
        y = y - (np.bincount(group, y) / sizes)[group]
        return np.array([np.expm1(float(x @ y) / max(float(x @ x), 1e-12))])

    value = float(slope(np.ones(len(days), dtype=np.bool_))[0])
    low, high = jackknife(slope, len(days))
    return Estimate(
        key, value, "", float(low[0]), float(high[0]), n, "regression of logarithms; not used"
    )
