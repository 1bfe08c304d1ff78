"""Intervals over replications; takes frames only and knows nothing of desks.

Every figure is a numerator and a denominator per replication, and its value the ratio of their
sums (a ratio of expectations, not a mean of ratios). The interval is the jackknife's: each
replication is left out in turn, and the spread of the ratios that remain gives the standard error.
Where tickets have texts, the error of which texts there are comes on top: see `sums`.
Shares of counted things have the interval of `shares`, which stays within 0 and 1.
Where replications play versions of a desk, what its history leaves open comes on top: see `nested`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from twin.stats.nested import PARTS, Drawn, influence, parts
from twin.stats.shares import are_counts, share_bounds
from twin.stats.sums import StandardErrors, Sums, error_of, joined, matrices

Floats = npt.NDArray[np.float64]


def ratio_interval(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    level: float = 0.95,
    *,
    share: bool = False,
    drawn: Drawn | None = None,
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
    drawn : Drawn, optional
        Where replications play versions: what these leave open is in the interval, too.

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
    sums = Sums(over[None, :], under[None, :], None, np.zeros(1))
    error = error_of(sums)
    if drawn is not None:
        split = parts(influence(sums), drawn.numbers, drawn.sources)
        error = joined(np.sqrt(split.whole), split.freedom, np.zeros(1), np.ones(1))
    value, low, high = _bounds(sums, np.array([share]), error, level)
    return float(value[0]), float(low[0]), float(high[0])


def summarize(
    kpis: pd.DataFrame,
    level: float = 0.95,
    sources: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Every figure over its replications, with its interval.

    Parameters
    ----------
    kpis : DataFrame
        Columns of the table kpis, replication and, where there are several, scenario. A figure
        without a row in some replication (a priority that did not occur) had nothing to count.
    level : float
        Confidence level of each interval on its own.
    sources : mapping of str to sequence of str, optional
        Scenarios of which replications play versions, with the sources of their uncertainty beside
        luck; see `twin.stats.nested`. Their rows have columns of their own: luck, data,
        forecast and assumed (standard errors by what they come from).

    Returns
    -------
    DataFrame
        A row a (scenario, kpi, group), in the order in which they first occur: scenario (if
        given), kpi, group, unit, value, low, high, half_width (to the farther bound), replications
        (those in which anything was counted), texts (distinct ones that its tickets had; 0 for
        figures of no texts), text_error (standard error from which texts there are; more
        replications do not make it smaller).

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
    if not sources:
        return _summary(kpis, level, ())
    names = dict.fromkeys(kpis["scenario"])
    one_by_one = (
        _summary(kpis[(kpis["scenario"] == name).to_numpy()], level, sources.get(name, ()))
        for name in names
    )
    return pd.concat(one_by_one, ignore_index=True)


def _summary(kpis: pd.DataFrame, level: float, sources: Sequence[str]) -> pd.DataFrame:
    table, sums, replications = matrices(kpis)
    share = (table["unit"] == "share").to_numpy()
    error = error_of(sums)
    split = {}
    if sources:
        found = parts(influence(sums), replications, sources)
        whole, freedom = np.sqrt(found.whole), found.freedom
        error = joined(whole, freedom, error.texts**2, np.maximum(sums.texts - 1, 1))
        split = {name: np.sqrt(getattr(found, name)) for name in PARTS}
    value, low, high = _bounds(sums, share, error, level)
    return table.assign(
        value=value,
        low=low,
        high=high,
        half_width=np.maximum(value - low, high - value),
        replications=sums.seen.sum(axis=-1),
        texts=sums.texts.astype(np.int64),
        text_error=error.texts,
        **split,
    )


def _bounds(
    sums: Sums, share: npt.NDArray[np.bool_], error: StandardErrors, level: float
) -> tuple[Floats, Floats, Floats]:
    """Ratios of sums with their bounds, shape (k,) each.

    `share` says which rows are shares: those of counted things get bounds of their own, those of
    time (occupancy) bounds within 0 and 1.
    """
    check_level(level)
    value = sums.value
    half_width = quantile_t(error.freedom, (1 + level) / 2) * error.whole
    low, high = value - half_width, value + half_width
    low[share], high[share] = np.maximum(low[share], 0.0), np.minimum(high[share], 1.0)
    counts = share & are_counts(sums.over, sums.under)
    low[counts], high[counts] = share_bounds(
        sums.over[counts], sums.under[counts], error.whole[counts], error.freedom[counts], level
    )
    return value, low, high


def check_level(level: float) -> None:
    """Refuse a confidence level that is not between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError("level must be above 0 and below 1")


def quantile_t(degrees: Any, p: Any) -> Floats:
    """Quantile of Student's t; below one degree of freedom that of one, which is not shown."""
    return np.asarray(special.stdtrit(np.maximum(degrees, 1), p), dtype=np.float64)
