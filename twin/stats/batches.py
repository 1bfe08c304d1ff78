"""Batch means: an interval from one long run; takes numbers and frames only.

Values that follow each other in a run are correlated, so their own spread does not tell the spread
of their mean. Means of long batches hardly are. Law and Carson (1979), "A sequential procedure for
determining the length of a steady-state simulation", Operations Research 27: 40 batches, taken to
be independent once the lag-1 correlation of 400 shorter ones is below 0.4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
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
    return _means_of(lambda: [(y, w)], int(np.count_nonzero(~np.isnan(y))), level)


def _means_of(
    pieces: Callable[[], Iterable[tuple[Floats, Floats]]], n: int, level: float = 0.95
) -> BatchMeans:
    """Batch means of values and weights that come in pieces, `n` of which are there."""
    finer = BATCHES * _FINER
    if n < _LEAST:
        raise ValueError(f"batch means need at least {_LEAST} values, not {n}")
    # Values that do not fill a batch are dropped at the start, where the run is youngest.
    size = n // finer
    place = size * finer - n
    over, under = np.zeros((2, finer))
    for y, w in pieces():
        there = ~np.isnan(y)
        y, w = y[there], w[there]
        batch = (place + np.arange(len(y))) // size
        used = batch >= 0
        over += np.bincount(batch[used], (y * w)[used], finer)
        under += np.bincount(batch[used], w[used], finer)
        place += len(y)
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
    tables = {"tickets": tickets.sort_values("arrived_s"), "levels": levels}
    return long_run_of(lambda table: [tables[table]], warm_up_s)


# Columns that are looked at.
COLUMNS = {
    "tickets": ("arrived_s", "responded_s", "resolved_s", "status"),
    "levels": ("start_s", "end_s", "level", "mean"),
}
_FIGURES = {
    "first_response_mean": ("s", "tickets", "responded_s"),
    "resolution_mean": ("s", "tickets", "resolved_s"),
    "backlog": ("tickets", "levels", "backlog"),
    "queue": ("visits", "levels", "queue"),
}


def long_run_of(
    read: Callable[[str], Iterable[pd.DataFrame]], warm_up_s: float = 0.0
) -> pd.DataFrame:
    """Figures as `long_run`, of tables that come in pieces.

    Parameters
    ----------
    read : callable
        Gives the pieces of the table tickets or levels, with `COLUMNS`, whenever it is asked;
        tickets in the order in which they arrived.
    warm_up_s : float
    """
    found = []
    for kpi, (unit, table, of) in _FIGURES.items():

        def pieces(table: str = table, of: str = of) -> Iterator[tuple[Floats, Floats]]:
            for frame in read(table):
                yield (_times if table == "tickets" else _means)(frame, of, warm_up_s)

        n = math.fsum(np.count_nonzero(~np.isnan(y)) for y, _ in pieces())
        if n >= _LEAST:
            found.append({"kpi": kpi, "unit": unit, **asdict(_means_of(pieces, int(n)))})
    columns = ["kpi", "unit", *(field.name for field in fields(BatchMeans))]
    return pd.DataFrame(found, columns=columns)


def _times(tickets: pd.DataFrame, column: str, warm_up_s: float) -> tuple[Floats, Floats]:
    """Time of each ticket until a moment; missing where it was not reached."""
    tickets = tickets[(tickets["arrived_s"] >= warm_up_s).to_numpy()]
    waited = tickets[column].to_numpy() - tickets["arrived_s"].to_numpy()
    if column == "resolved_s":
        done = tickets["status"].isin(["Resolved", "Closed"]).to_numpy()
        waited = np.where(done, waited, np.nan)
    return waited, np.ones(len(waited))


def _means(levels: pd.DataFrame, level: str, warm_up_s: float) -> tuple[Floats, Floats]:
    """Means of a level over its intervals, and their lengths."""
    of = (levels["start_s"] >= warm_up_s) & (levels["level"] == level)
    rows = levels[of.to_numpy()]
    return rows["mean"].to_numpy(), (rows["end_s"] - rows["start_s"]).to_numpy()


def lag_correlation(values: Floats) -> float:
    """Correlation of neighbours, its bias of order 1 / n removed by halves (a jackknife)."""
    half = len(values) // 2
    parts = [_lag1(part) for part in (values, values[:half], values[half:])]
    return 2 * parts[0] - (parts[1] + parts[2]) / 2


def _lag1(values: Floats) -> float:
    y = values - values.mean()
    total = float(y @ y)
    return float(y[1:] @ y[:-1]) / total if total > 0 else 0.0
