"""Intervals over replications; takes frames only and knows nothing of desks.

Every figure is a numerator and a denominator per replication, and its value the ratio of their
sums (a ratio of expectations, not a mean of ratios). The interval is the jackknife's: each
replication is left out in turn, and the spread of the ratios that remain gives the standard error.
Shares of counted things have the interval of `shares`, which stays within 0 and 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from twin.stats.shares import are_counts, share_bounds

Floats = npt.NDArray[np.float64]


def ratio_interval(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    level: float = 0.95,
    *,
    share: bool = False,
) -> tuple[float, float, float]:
    """A ratio of sums over replications with its interval: the jackknife's, or that of a share.

    Parameters
    ----------
    numerators, denominators : array of float, shape (n,)
        One pair a replication. A pair of zeros (nothing was counted) is no observation and is left
        out; a missing numerator makes the whole missing.
    level : float
        Confidence level, above 0 and below 1.
    share : bool
        Whether it is a share: bounds within 0 and 1, see `twin.stats.shares`.

    Returns
    -------
    value, low, high : float
        The bounds are missing with fewer than two observations, or where leaving one out leaves
        nothing to divide by.

    Raises
    ------
    ValueError
        If the shapes differ or the level is out of range.

    Notes
    -----
    With ratios r(i) of n - 1 replications and their mean r., the squared standard error is
    (n - 1) / n * sum((r(i) - r.)^2), and the interval is value +- t(n - 1) * standard error
    (Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 11; for simulation output
    Law 2015, section 9.5). With equal denominators it is the usual t interval of a mean.

    Examples
    --------
    >>> value, low, high = ratio_interval([8, 9, 10], [10, 10, 10])
    >>> round(value, 3), round(low, 3), round(high, 3)
    (0.9, 0.652, 1.148)
    """
    over, under = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if over.ndim != 1 or over.shape != under.shape:
        raise ValueError("numerators and denominators must be two lists of the same length")
    value, low, high, _ = _bounds(over[None, :], under[None, :], np.array([share]), level)
    return float(value[0]), float(low[0]), float(high[0])


def summarize(kpis: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Every figure over its replications, with its interval.

    Parameters
    ----------
    kpis : DataFrame
        Columns of the table kpis, replication and, where there are several, scenario. A figure
        without a row in some replication (a priority that did not occur) had nothing to count.
    level : float
        Confidence level of each interval on its own.

    Returns
    -------
    DataFrame
        A row a (scenario, kpi, group), in the order in which they first occur: scenario (if
        given), kpi, group, unit, value, low, high, half_width (to the farther bound), replications
        (those in which anything was counted).

    Raises
    ------
    ValueError
        If a figure occurs twice in a replication, or the level is out of range.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> summary = twin.summarize(twin.run(desk, replications=4).kpis)
    >>> row = summary.query("kpi == 'arrivals'").iloc[0]
    >>> bool(row["low"] < row["value"] < row["high"])
    True
    """
    table, over, under, _ = matrices(kpis)
    share = (table["unit"] == "share").to_numpy()
    value, low, high, counted = _bounds(over, under, share, level)
    return table.assign(
        value=value,
        low=low,
        high=high,
        half_width=np.maximum(value - low, high - value),
        replications=counted,
    )


def matrices(kpis: pd.DataFrame) -> tuple[pd.DataFrame, Floats, Floats, npt.NDArray[np.int64]]:
    """Figures as arrays with a row a figure and a column a replication.

    Parameters
    ----------
    kpis : DataFrame
        As for `summarize`.

    Returns
    -------
    table : DataFrame
        scenario (if given), kpi, group and unit of each row, in the order of first occurrence.
    numerators, denominators : array of float, shape (rows, replications)
        0 and 0 where a replication has no such row.
    replications : array of int, shape (replications,)
        Their numbers.

    Raises
    ------
    ValueError
        If a figure occurs twice in a replication.
    """
    names = [name for name in ("scenario", "kpi", "group") if name in kpis]
    keys = [pd.factorize(kpis[name])[0] for name in names]
    # Groups follow their figure even if the first replication did not have them.
    order = np.lexsort(keys[::-1])
    sorted_keys = np.stack(keys)[:, order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (sorted_keys[:, 1:] != sorted_keys[:, :-1]).any(axis=0)
    row = np.cumsum(first) - 1
    column, replications = pd.factorize(kpis["replication"])
    cells = row * max(len(replications), 1) + column[order]
    if len(np.unique(cells)) < len(cells):
        raise ValueError("a figure occurs twice in the same replication")
    shape = (int(first.sum()), len(replications))
    over, under = np.zeros(shape), np.zeros(shape)
    over.flat[cells] = kpis["numerator"].to_numpy(dtype=float)[order]
    under.flat[cells] = kpis["denominator"].to_numpy(dtype=float)[order]
    table = kpis[[*names, "unit"]].iloc[order[first]].reset_index(drop=True)
    return table, over, under, np.asarray(replications, dtype=np.int64)


def _bounds(
    over: Floats, under: Floats, share: npt.NDArray[np.bool_], level: float
) -> tuple[Floats, Floats, Floats, Any]:
    """Ratios of sums along the last axis of shape (k, n), bounds, and observations, (k,) each.

    `share` says which rows are shares: those of counted things get bounds of their own, those of
    time (occupancy) bounds within 0 and 1.
    """
    check_level(level)
    seen = (over != 0) | (under != 0)
    value = divide(over.sum(axis=-1), under.sum(axis=-1))
    error = jackknife_error(leave_one_out(over, under), seen)
    n = seen.sum(axis=-1)
    half_width = quantile_t(n - 1, (1 + level) / 2) * error
    low, high = value - half_width, value + half_width
    low[share], high[share] = np.maximum(low[share], 0.0), np.minimum(high[share], 1.0)
    counts = share & are_counts(over, under)
    low[counts], high[counts] = share_bounds(over[counts], under[counts], error[counts], level)
    return value, low, high, n


def check_level(level: float) -> None:
    """Refuse a confidence level that is not between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError("level must be above 0 and below 1")


def quantile_t(degrees: Any, p: Any) -> Floats:
    """Quantile of Student's t; below one degree of freedom that of one, which nobody may use."""
    return np.asarray(special.stdtrit(np.maximum(degrees, 1), p), dtype=np.float64)


def leave_one_out(over: Floats, under: Floats) -> Floats:
    """Ratios of sums along the last axis with each entry left out in turn, same shape."""
    return divide(_without_each(over), _without_each(under))


def jackknife_error(left_out: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
    """Standard errors from estimates with each observation left out in turn.

    Parameters
    ----------
    left_out : array of float, shape (k, n)
    seen : array of bool, shape (k, n)
        True for observations that are there; the others do not count.

    Returns
    -------
    array of float, shape (k,)
        Missing with fewer than two observations.
    """
    n = seen.sum(axis=-1)
    mean = divide(np.where(seen, left_out, 0.0).sum(axis=-1), n)
    squares = np.where(seen, (left_out - mean[:, None]) ** 2, 0.0).sum(axis=-1)
    return np.where(n > 1, np.sqrt(divide((n - 1) * squares, n)), np.nan)


def _without_each(values: Floats) -> Floats:
    """Sums along the last axis with each entry left out in turn.

    From both ends instead of total minus entry: nothing cancels, and sums of zeros stay zero.
    """
    before = np.cumsum(values, axis=-1)[:, :-1]
    after = np.cumsum(values[:, :0:-1], axis=-1)[:, ::-1]
    out = np.zeros_like(values)
    out[:, 1:] += before
    out[:, :-1] += after
    return out


def divide(over: Floats, under: Any) -> Floats:
    """Quotients, missing where there is nothing to divide by."""
    out = np.full(np.shape(over), np.nan)
    np.divide(over, under, out=out, where=np.not_equal(under, 0))
    return out
