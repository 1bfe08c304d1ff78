"""Tools of all series: intervals of time, bands and confidence intervals, spans."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.measures.levels import edges
from twin.scenario import clock
from twin.stats.intervals import ratio_interval

Floats = npt.NDArray[np.float64]

BAND = (0.1, 0.9)
_FEWEST_FOR_A_BAND = 3
_LENGTHS_S = (900.0, 3600.0, 7200.0, 10800.0, 21600.0, 43200.0, 86400.0, 604800.0, 2419200.0)


def interval_length(horizon_s: float, at_least_s: float = 3600.0, most: int = 240) -> float:
    """A round length of intervals, so that a run has at most so many of them; seconds.

    Examples
    --------
    >>> interval_length(7 * 86400), interval_length(365 * 86400)
    (3600.0, 604800.0)
    """
    fits = (s for s in _LENGTHS_S if s >= at_least_s and horizon_s / s <= most)
    return next(fits, float(np.ceil(horizon_s / most / 604800) * 604800))


def bins(horizon_s: float, every_s: float, start: datetime | None = None) -> Floats:
    """Edges of intervals that cover a run; with its start they go by the local clock.

    Where the clocks change, an interval is an hour shorter or longer, so that those of the days
    after begin at the hours of those before. A rest of less than half an interval belongs to the
    last one: a few events in a minute would look like a rush.

    Examples
    --------
    >>> bins(7260.0, 3600.0).tolist()
    [0.0, 3600.0, 7260.0]
    """
    at = edges(horizon_s, every_s)
    if start is not None and clock.changes(start, horizon_s):
        at = _local_edges(horizon_s, every_s, start)
    if len(at) > 2 and at[-1] - at[-2] < every_s / 2:
        at = np.delete(at, -2)
    return at


def _local_edges(horizon_s: float, every_s: float, start: datetime) -> Floats:
    found = [0.0]
    for k, (day, _) in enumerate(clock.days(start, horizon_s)):
        if every_s < clock.DAY_S:
            parts = np.arange(0.0, clock.DAY_S, every_s)
            found += [clock.moment(day, float(clock_s), start) for clock_s in parts]
        elif k % round(every_s / clock.DAY_S) == 0:
            found.append(clock.moment(day, 0.0, start))
    inside = [at for at in found if 0.0 <= at < horizon_s]
    return np.append(np.unique(inside), horizon_s)


def replications_of(table: pd.DataFrame) -> tuple[npt.NDArray[np.intp], int]:
    """Index of each row's replication, and how many there are; without the column, one."""
    if "replication" not in table:
        return np.zeros(len(table), dtype=np.intp), 1
    found, names = pd.factorize(table["replication"])
    return found, max(1, len(names))


def banded(values: Floats) -> dict[str, Floats]:
    """Mean and band of values, shape (replications, n)."""
    low, high = np.full((2, values.shape[1]), np.nan)
    if len(values) >= _FEWEST_FOR_A_BAND:
        low, high = np.quantile(values, BAND, axis=0)
    return {"mean": values.mean(axis=0), "low": low, "high": high}


def counts(table: pd.DataFrame, moments_s: Floats, at: Floats, weights: Any = None) -> Floats:
    """Events (or their weights) by replication and interval, shape (replications, n)."""
    which, replications = replications_of(table)
    n = len(at) - 1
    inside = (moments_s >= at[0]) & (moments_s <= at[-1])  # missing moments are neither
    k = np.clip(np.searchsorted(at, moments_s[inside], side="right") - 1, 0, n - 1)
    weights = None if weights is None else np.asarray(weights, dtype=np.float64)[inside]
    flat = np.bincount(which[inside] * n + k, weights, minlength=replications * n)
    return flat.reshape(replications, n).astype(np.float64)


class ByReplication:
    """Events (or their weights) by replication and interval, of a table that comes in pieces.

    Parameters
    ----------
    at : array of float, shape (n + 1,)
        Edges of the intervals.
    """

    def __init__(self, at: Floats) -> None:
        self._at = at
        self._found: dict[Any, Floats] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, table: pd.DataFrame, moments_s: Floats, weights: Any = None) -> None:
        """Count a piece; see `counts`."""
        names = table["replication"].unique() if "replication" in table else [0]
        for name, row in zip(names, counts(table, moments_s, self._at, weights), strict=False):
            self._found[name] = self._found[name] + row if name in self._found else row

    def whole(self) -> Floats:
        """All of it, shape (replications, n)."""
        return np.array([*self._found.values()] or [np.zeros(len(self._at) - 1)])


def over(at: Floats, values: dict[str, Floats], **names: str) -> pd.DataFrame:
    """Values by interval as a frame: start_s, end_s, names, values."""
    return pd.DataFrame({"start_s": at[:-1], "end_s": at[1:], **names, **values})


def own_names(timeline: pd.DataFrame) -> pd.Categorical[str]:
    """The desk's own name of each status in a timeline, where it has one, else the status."""
    status = pd.Categorical(timeline["status"])
    if "detail" not in timeline or not timeline["detail"].notna().any():
        return status
    own = pd.Categorical(timeline["detail"])
    names = [*map(str, own.categories), *map(str, status.categories)]
    place = {name: k for k, name in enumerate(dict.fromkeys(names))}
    # By codes, as a timeline may have millions of rows; a name may also be that of a status.
    code = np.where(own.codes >= 0, own.codes, status.codes + len(own.categories))
    which = np.array([place[name] for name in names])[code]
    return pd.Categorical.from_codes(which, categories=pd.Index(list(place)))


def spans_of(timeline: pd.DataFrame, horizon_s: float) -> tuple[pd.DataFrame, Floats]:
    """The timeline in the order of its tickets, and when each status ended (at the latest then)."""
    times = timeline["time_s"].to_numpy()
    tickets = timeline["ticket_id"].to_numpy()
    which, _ = replications_of(timeline)
    step = (which[1:] != which[:-1]) | (tickets[1:] != tickets[:-1])
    ordered = (
        np.all(which[1:] >= which[:-1])
        and np.all(tickets[1:][which[1:] == which[:-1]] >= tickets[:-1][which[1:] == which[:-1]])
        and np.all((times[1:] >= times[:-1]) | step)
    )
    if not ordered:
        order = np.lexsort((times, tickets, which))
        timeline, times = timeline.iloc[order], times[order]
        step = (np.diff(which[order]) != 0) | (np.diff(tickets[order]) != 0)
    until = np.append(times[1:], horizon_s)
    until[np.append(step, True)] = horizon_s
    return timeline, until


def intervals(over: npt.ArrayLike, under: npt.ArrayLike) -> dict[str, Floats]:
    """Ratios of sums with their intervals; arrays of shape (n, replications)."""
    found = np.array(
        [ratio_interval(a, b) for a, b in zip(np.asarray(over), np.asarray(under), strict=True)]
    )
    value, low, high = found.reshape(-1, 3).T
    return {"mean": value, "low": low, "high": high}
