"""A number that was found in a history: its value, how sure it is, and how it was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import numpy.typing as npt

from twin.common.text import amount
from twin.stats.intervals import quantile_t

Floats = npt.NDArray[np.float64]
# Groups that are left out in turn, at most: enough for a steady interval.
_GROUPS = 40


@dataclass(frozen=True)
class Estimate:
    """An estimate of a part of a desk.

    Attributes
    ----------
    key : str
        Dotted key of the scenario that it goes to.
    value : float
    unit : str
        Of the value, as in the tables; empty for a plain number.
    low, high : float
        95 % interval; missing where nothing is known of it.
    n : int
        Observations that it rests on.
    method : str
        How it was found; for what is assumed, why it could not be.
    assumed : bool
        Whether the history does not tell it.
    """

    key: str
    value: float
    unit: str = ""
    low: float = nan
    high: float = nan
    n: int = 0
    method: str = ""
    assumed: bool = False

    def __str__(self) -> str:
        """Words that stand beside the number in a scenario file.

        Examples
        --------
        >>> print(Estimate("customers.patience", 300.0, "s", 280.0, 322.0, 120, "censored mean"))
        5.00 min (4.67 min to 5.37 min; n 120; censored mean)
        >>> print(Estimate("customers.reopen_rate", 0.7, method="none came back", assumed=True))
        assumed: none came back
        """
        if self.assumed:
            return f"assumed: {self.method}"
        sure = ""
        if not isnan(self.low):
            sure = f"{amount(self.low, self.unit)} to {amount(self.high, self.unit)}; "
        return f"{amount(self.value, self.unit)} ({sure}n {self.n:,}; {self.method})"


def jackknife(fit: Callable[[npt.NDArray[np.bool_]], Floats], n: int) -> tuple[Floats, Floats]:
    """95 % interval of statistics by leaving out groups of observations in turn.

    Parameters
    ----------
    fit, n
        As of `jackknife_error`; the interval is of Student's t.

    Returns
    -------
    low, high : array of float, shape (k,)
    """
    middle, error, freedom = jackknife_error(fit, n)
    half = quantile_t(freedom, 0.975) * error
    return middle - half, middle + half


def jackknife_error(
    fit: Callable[[npt.NDArray[np.bool_]], Floats], n: int
) -> tuple[Floats, Floats, int]:
    """Standard errors of statistics by leaving out groups of observations in turn.

    The delete-a-group jackknife of Kott (2001). It holds for statistics that are smooth, and unlike
    a bootstrap it never takes an observation twice, which would look like less spread.

    Parameters
    ----------
    fit : callable
        From a mask of the observations kept, shape (n,), to statistics, shape (k,).
    n : int
        Number of observations, such as days; above 1.

    Returns
    -------
    values, errors : array of float, shape (k,)
    freedom : int
    """
    groups = min(n, _GROUPS)
    # Neighbours fall in different groups, so that each group is spread over the history.
    group = np.arange(n) % groups
    without = np.array([fit(group != k) for k in range(groups)])
    middle = fit(np.ones(n, dtype=np.bool_))
    error = np.sqrt((groups - 1) / groups * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    return middle, error, groups - 1
