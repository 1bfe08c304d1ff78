"""Batch means: an interval from one long run; takes numbers and frames only.

Values that follow each other in a run are correlated, so their own spread does not tell the spread
of their mean. Means of long batches hardly are. Law and Carson (1979), "A sequential procedure for
determining the length of a steady-state simulation", Operations Research 27: 40 batches, taken to
be independent once the lag-1 correlation of 400 shorter ones is below 0.4.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.stats.intervals import Floats, ratio_interval

BATCHES = 40
_FINER = 10
MOST_CORRELATION = 0.4
_LEAST = 2 * BATCHES * _FINER


@dataclass(frozen=True)
class BatchMeans:
    """A mean from one run.

    Attributes
    ----------
    value, low, high : float
        The bounds are missing if the batches are not long enough.
    batches, batch_size : int
    lag1 : float
        Correlation of neighbours among 400 shorter batches.
    long_enough : bool
        Whether that is below 0.4, so that 40 batches count as independent.
    """

    value: float
    low: float
    high: float
    batches: int
    batch_size: int
    lag1: float
    long_enough: bool


def batch_means(
    values: npt.ArrayLike, weights: npt.ArrayLike | None = None, level: float = 0.95
) -> BatchMeans:
    """Mean of values that follow each other in one run, with an interval from 40 batches.

    Parameters
    ----------
    values : array of float, shape (n,)
        In order of time, such as the first response of each ticket in order of arrival; the
        warm-up is left out by the caller. Missing ones are dropped.
    weights : array of float, shape (n,), optional
        Lengths of intervals that the values are averages over.
    level : float

    Returns
    -------
    BatchMeans

    Raises
    ------
    ValueError
        If there are fewer than 800 values, or the level is out of range.

    Examples
    --------
    >>> import numpy as np, twin
    >>> found = twin.batch_means(np.random.default_rng(1).exponential(5, 4000))
    >>> bool(found.low < 5 < found.high)
    True
    """
    y = np.asarray(values, dtype=float)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=float)
    if y.ndim != 1 or y.shape != w.shape:
        raise ValueError("values and weights must be two lists of the same length")
    y, w = y[~np.isnan(y)], w[~np.isnan(y)]
    finer = BATCHES * _FINER
    if len(y) < _LEAST:
        raise ValueError(f"batch means need at least {_LEAST} values, not {len(y)}")
    # Values that do not fill a batch are dropped at the start, where the run is youngest.
    size = len(y) // finer
    y, w = (x[len(x) - size * finer :].reshape(finer, size) for x in (y, w))
    over, under = (y * w).sum(axis=1), w.sum(axis=1)
    lag1 = lag_correlation(over / under)
    long_enough = lag1 < MOST_CORRELATION
    over, under = (part.reshape(BATCHES, _FINER).sum(axis=1) for part in (over, under))
    value, low, high = ratio_interval(over, under, level)
    if not long_enough:
        low = high = math.nan
    return BatchMeans(value, low, high, BATCHES, size * _FINER, lag1, long_enough)


def long_run(tickets: pd.DataFrame, levels: pd.DataFrame, warm_up_s: float = 0.0) -> pd.DataFrame:
    """Figures of a single run with intervals from batch means.

    They hold for desks whose hours are alike; where days differ, neighbouring batches go together
    and the run counts as too short until a batch is many days.

    Parameters
    ----------
    tickets, levels : DataFrame
        Tables of one replication.
    warm_up_s : float
        Left out.

    Returns
    -------
    DataFrame
        Columns kpi, unit, value, low, high, batches, batch_size, lag1, long_enough; figures of
        which the run has fewer than 800 values are left out.
    """
    tickets = tickets[tickets["arrived_s"] >= warm_up_s].sort_values("arrived_s")
    levels = levels[levels["start_s"] >= warm_up_s]
    arrived = tickets["arrived_s"].to_numpy()
    series: dict[str, tuple[str, Floats, Floats]] = {}
    for kpi, column in (("first_response_mean", "responded_s"), ("resolution_mean", "resolved_s")):
        waited = tickets[column].to_numpy() - arrived
        if kpi == "resolution_mean":
            waited = np.where(tickets["status"].isin(["Resolved", "Closed"]), waited, np.nan)
        series[kpi] = ("s", waited, np.ones(len(waited)))
    for kpi, unit in (("backlog", "tickets"), ("queue", "visits")):
        rows = levels[levels["level"] == kpi]
        lengths = (rows["end_s"] - rows["start_s"]).to_numpy()
        series[kpi] = (unit, rows["mean"].to_numpy(), lengths)
    found = []
    for kpi, (unit, values, weights) in series.items():
        if np.count_nonzero(~np.isnan(values)) >= _LEAST:
            found.append({"kpi": kpi, "unit": unit, **asdict(batch_means(values, weights))})
    columns = ["kpi", "unit", *(field.name for field in fields(BatchMeans))]
    return pd.DataFrame(found, columns=columns)


def lag_correlation(values: Floats) -> float:
    """Correlation of neighbours, its bias of order 1 / n removed by halves (a jackknife)."""
    half = len(values) // 2
    parts = [_lag1(part) for part in (values, values[:half], values[half:])]
    return 2 * parts[0] - (parts[1] + parts[2]) / 2


def _lag1(values: Floats) -> float:
    y = values - values.mean()
    total = float(y @ y)
    return float(y[1:] @ y[:-1]) / total if total > 0 else 0.0
