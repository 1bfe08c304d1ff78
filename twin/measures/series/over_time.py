"""Series over the run: flows, levels, statuses, ratings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import numpy as np
import pandas as pd

from twin.measures.levels import edges, is_resolved
from twin.measures.series.grid import (
    ByReplication,
    Floats,
    banded,
    bins,
    counts,
    interval_length,
    intervals,
    over,
    own_names,
    replications_of,
    spans_of,
)
from twin.records.arrays import Arrays
from twin.records.tables import STATUSES

# Arguments are described in each function, so that its help stands alone.

# Statuses in which a ticket still needs work.


def throughput(
    tickets: pd.DataFrame | Iterable[pd.DataFrame],
    horizon_s: float,
    every_s: float | None = None,
    start: datetime | None = None,
) -> pd.DataFrame:
    """Tickets that arrive and that are resolved, an hour, over the run; warm-up included.

    Parameters
    ----------
    tickets : DataFrame, or iterable of DataFrame
        Columns arrived_s, resolved_s, status and, with several, replication; or pieces of it.
    horizon_s : float
        Length of the run.
    every_s : float, optional
        Length of an interval; by default an hour, longer in long runs.
    start : datetime, optional
        Of the run, as `Scenario.midnight`: intervals then go by its clock.

    Returns
    -------
    DataFrame
        Columns start_s, end_s, flow (arrivals or resolved, by the last resolution), mean (tickets
        an hour), low, high (band).

    Examples
    --------
    >>> frame = series.throughput(log.tickets, desk.horizon)
    >>> round(frame.query("flow == 'arrivals'")["mean"].sum()) == len(log.tickets)  # by the hour
    True
    """
    at = bins(horizon_s, every_s or interval_length(horizon_s), start)
    flows = {"arrivals": ByReplication(at), "resolved": ByReplication(at)}
    for piece in [tickets] if isinstance(tickets, pd.DataFrame) else tickets:
        done_s = np.where(is_resolved(Arrays(piece)), piece["resolved_s"].to_numpy(), np.nan)
        flows["arrivals"].add(piece, piece["arrived_s"].to_numpy())
        flows["resolved"].add(piece, done_s)
    parts = [
        over(at, banded(counted.whole() / np.diff(at) * 3600), flow=flow)
        for flow, counted in flows.items()
    ]
    return pd.concat(parts, ignore_index=True)


def levels_over_time(
    levels: pd.DataFrame | Callable[[], Iterable[pd.DataFrame]],
    every_s: float | None = None,
    start: datetime | None = None,
) -> pd.DataFrame:
    """Backlog, queue, busy, staffed and absent agents over the run, of all pools; with warm-up.

    Parameters
    ----------
    levels : DataFrame, or callable
        The table levels, of one or many replications; or what gives pieces of it.
    every_s : float, optional
        Length of an interval, no shorter than the table's; by default so that there are at most
        240.
    start : datetime, optional
        Of the run, as `Scenario.midnight`: intervals then go by its clock.

    Returns
    -------
    DataFrame
        Columns start_s, end_s, level, mean (average over time), low, high (band).

    Examples
    --------
    >>> frame = series.levels_over_time(results.table("levels"))
    >>> frame["level"].unique().tolist()
    ['backlog', 'queue', 'busy', 'staffed']
    """
    read = (lambda: [levels]) if isinstance(levels, pd.DataFrame) else levels
    horizon_s = own_s = 0.0
    for piece in read():
        if len(piece):
            horizon_s = max(horizon_s, float(piece["end_s"].max()))
            own_s = max(own_s, float((piece["end_s"] - piece["start_s"]).max()))
    at = bins(horizon_s, max(own_s, every_s or interval_length(horizon_s, own_s)), start)
    areas = {name: ByReplication(at) for name in ("backlog", "queue", "busy", "staffed", "away")}
    for piece in read():
        start_s = piece["start_s"].to_numpy()
        area = piece["mean"].to_numpy() * (piece["end_s"].to_numpy() - start_s)
        for level, summed in areas.items():
            of = (piece["level"] == level).to_numpy()
            if of.any():
                summed.add(piece[of], start_s[of], area[of])
    parts = [
        over(at, banded(summed.whole() / np.diff(at)), level=level)
        for level, summed in areas.items()
        if summed
    ]
    empty = over(at, banded(np.zeros((1, len(at) - 1))), level="")[:0]
    return pd.concat(parts, ignore_index=True) if parts else empty


def statuses(
    timeline: pd.DataFrame,
    horizon_s: float,
    every_s: float | None = None,
    start: datetime | None = None,
) -> pd.DataFrame:
    """Number of tickets in each status over the run; warm-up included.

    Parameters
    ----------
    timeline : DataFrame
        The table timeline, of one or many replications.
    horizon_s : float
        Length of the run.
    every_s : float, optional
        Length of an interval; by default an hour, longer in long runs.
    start : datetime, optional
        Of the run, as `Scenario.midnight`: intervals then go by its clock.

    Returns
    -------
    DataFrame
        Columns start_s, end_s, status, name (the desk's own, of a workflow; else the status), mean
        (tickets, averaged over the interval and over replications); statuses and names that never
        occur are left out.

    Examples
    --------
    >>> frame = series.statuses(log.timeline, desk.horizon)
    >>> "In Progress" in set(frame["status"])
    True
    """
    at = bins(horizon_s, every_s or interval_length(horizon_s), start)
    _, replications = replications_of(timeline)
    ordered, until = spans_of(timeline, horizon_s)
    since = ordered["time_s"].to_numpy()
    status, names = ordered["status"].to_numpy(), own_names(ordered)
    parts = []
    for core in STATUSES:
        here = np.asarray(status == core)
        for code in np.unique(names.codes[here]).tolist():
            of = here & (names.codes == code)
            area = _ramp(since[of], at) - _ramp(until[of], at)
            mean = np.diff(area) / np.diff(at) / replications
            # Sums of many floats: what is nothing must read as nothing.
            mean = np.clip(mean, 0, None)
            parts.append(over(at, {"mean": mean}, status=core, name=str(names.categories[code])))
    empty = over(at, {"mean": np.zeros(len(at) - 1)}, status="", name="")[:0]
    return pd.concat(parts, ignore_index=True) if parts else empty


def _ramp(moments_s: Floats, at: Floats) -> Floats:
    """Sum over moments of the time that has passed since each, at each of `at`."""
    moments_s = np.sort(moments_s)
    total = np.concatenate([[0.0], np.cumsum(moments_s)])
    k = np.searchsorted(moments_s, at)
    passed: Floats = k * at - total[k]
    return passed


def ratings_over_time(
    ratings: pd.DataFrame, horizon_s: float, every_s: float | None = None
) -> pd.DataFrame:
    """Mean rating over the run, with the version of the prompts in use; warm-up included.

    Parameters
    ----------
    ratings : DataFrame
        The table ratings, of one or many replications.
    horizon_s : float
        Length of the run.
    every_s : float, optional
        Length of an interval; by default at least 6 hours, and at most 60 of them.

    Returns
    -------
    DataFrame
        Columns start_s, end_s, ratings (how many), mean, low, high (interval; missing with one
        replication), version (most frequent among the assistant's rated answers; missing without).
        Intervals without ratings are left out.

    Examples
    --------
    >>> frame = series.ratings_over_time(results.table("ratings"), desk.horizon)
    >>> bool(frame["mean"].between(1, 5).all())
    True
    """
    at = edges(horizon_s, every_s or interval_length(horizon_s, 21600.0, 60))
    moments_s = ratings["rated_s"].to_numpy()
    count = counts(ratings, moments_s, at)
    total = counts(ratings, moments_s, at, ratings["rating"])
    version = pd.Categorical(ratings["prompt_version"])
    used = np.zeros((len(version.categories) + 1, len(at) - 1))
    for k in range(len(version.categories)):
        of = version.codes == k
        used[k] = counts(ratings[of], moments_s[of], at).sum(axis=0)
    names = np.array([*map(str, version.categories), ""], dtype=object)
    frame = over(at, intervals(np.transpose(total), np.transpose(count)))
    frame.insert(2, "ratings", count.sum(axis=0))
    most_used = names[used.argmax(axis=0)]
    most_used[~used.any(axis=0)] = None
    frame.insert(len(frame.columns), "version", most_used)
    return frame[frame["ratings"] > 0].reset_index(drop=True)
