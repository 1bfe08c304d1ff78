"""Frames of what happens over the run: flows, levels, statuses, single tickets, calls, ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.levels import edges, is_resolved
from twin.records import STATUSES
from twin.stats import ratio_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

BAND = (0.1, 0.9)
_FEWEST_FOR_A_BAND = 3
_LENGTHS_S = (900.0, 3600.0, 7200.0, 10800.0, 21600.0, 43200.0, 86400.0, 604800.0, 2419200.0)
# What of a ticket's life is work that someone still has to do.
OPEN_STATUSES = tuple(s for s in STATUSES if s not in ("Resolved", "Closed", "Abandoned"))


def interval_length(horizon_s: float, at_least_s: float = 3600.0, most: int = 240) -> float:
    """A round length of intervals, so that a run has at most so many of them; seconds.

    Examples
    --------
    >>> interval_length(7 * 86400), interval_length(365 * 86400)
    (3600.0, 604800.0)
    """
    fits = (s for s in _LENGTHS_S if s >= at_least_s and horizon_s / s <= most)
    return next(fits, float(np.ceil(horizon_s / most / 604800) * 604800))


def replications_of(table: pd.DataFrame) -> tuple[npt.NDArray[np.intp], int]:
    """Index of each row's replication, and how many there are; without the column, one."""
    if "replication" not in table:
        return np.zeros(len(table), dtype=np.intp), 1
    found, names = pd.factorize(table["replication"])
    return found, max(1, len(names))


def _banded(values: Floats) -> dict[str, Floats]:
    """Mean and band of values, shape (replications, n)."""
    low, high = np.full((2, values.shape[1]), np.nan)
    if len(values) >= _FEWEST_FOR_A_BAND:
        low, high = np.quantile(values, BAND, axis=0)
    return {"mean": values.mean(axis=0), "low": low, "high": high}


def _counts(table: pd.DataFrame, moments_s: Floats, at: Floats, weights: Any = None) -> Floats:
    """Events (or their weights) by replication and interval, shape (replications, n)."""
    which, replications = replications_of(table)
    n = len(at) - 1
    inside = (moments_s >= at[0]) & (moments_s <= at[-1])  # missing moments are neither
    k = np.clip(np.searchsorted(at, moments_s[inside], side="right") - 1, 0, n - 1)
    weights = None if weights is None else np.asarray(weights, dtype=np.float64)[inside]
    flat = np.bincount(which[inside] * n + k, weights, minlength=replications * n)
    return flat.reshape(replications, n).astype(np.float64)


def throughput(
    tickets: pd.DataFrame, horizon_s: float, every_s: float | None = None
) -> pd.DataFrame:
    """Tickets that arrive and that are resolved, an hour, over the run; warm-up included.

    Parameters
    ----------
    tickets : DataFrame
        Columns arrived_s, resolved_s, status and, with several, replication.
    horizon_s : float
        Length of the run.
    every_s : float, optional
        Length of an interval; by default an hour, longer in long runs.

    Returns
    -------
    DataFrame
        Columns start_s, end_s, flow (arrivals or resolved, by the last resolution), mean (tickets
        an hour), low, high (band).
    """
    at = edges(horizon_s, every_s or interval_length(horizon_s))
    done_s = np.where(is_resolved(tickets), tickets["resolved_s"].to_numpy(), np.nan)
    parts = []
    for flow, moments_s in (("arrivals", tickets["arrived_s"].to_numpy()), ("resolved", done_s)):
        per_hour = _counts(tickets, moments_s, at) / np.diff(at) * 3600
        parts.append(_over(at, _banded(per_hour), flow=flow))
    return pd.concat(parts, ignore_index=True)


def _over(at: Floats, values: dict[str, Floats], **names: str) -> pd.DataFrame:
    return pd.DataFrame({"start_s": at[:-1], "end_s": at[1:], **names, **values})


def levels_over_time(levels: pd.DataFrame, every_s: float | None = None) -> pd.DataFrame:
    """Backlog, queue, busy and staffed agents over the run, pools added up; warm-up included.

    Parameters
    ----------
    levels : DataFrame
        The table levels, of one or many replications.
    every_s : float, optional
        Length of an interval, no shorter than the table's; by default so that there are at most
        240.

    Returns
    -------
    DataFrame
        Columns start_s, end_s, level, mean (average over time), low, high (band).
    """
    start_s, end_s = levels["start_s"].to_numpy(), levels["end_s"].to_numpy()
    horizon_s = float(end_s.max()) if len(levels) else 0.0
    own_s = float((end_s - start_s).max()) if len(levels) else 0.0
    at = edges(horizon_s, max(own_s, every_s or interval_length(horizon_s, own_s)))
    area = levels["mean"].to_numpy() * (end_s - start_s)
    parts = []
    for level in ("backlog", "queue", "busy", "staffed"):
        of = (levels["level"] == level).to_numpy()
        if of.any():
            mean = _counts(levels[of], start_s[of], at, area[of]) / np.diff(at)
            parts.append(_over(at, _banded(mean), level=level))
    empty = _over(at, _banded(np.zeros((1, len(at) - 1))), level="")[:0]
    return pd.concat(parts, ignore_index=True) if parts else empty


def _spans(timeline: pd.DataFrame, horizon_s: float) -> tuple[pd.DataFrame, Floats]:
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


def statuses(
    timeline: pd.DataFrame, horizon_s: float, every_s: float | None = None
) -> pd.DataFrame:
    """How many tickets are in each status over the run; warm-up included.

    Parameters
    ----------
    timeline : DataFrame
        The table timeline, of one or many replications.
    horizon_s : float
        Length of the run.
    every_s : float, optional
        Length of an interval; by default an hour, longer in long runs.

    Returns
    -------
    DataFrame
        Columns start_s, end_s, status, mean (tickets, averaged over the interval and over
        replications); statuses that never occur are left out.
    """
    at = edges(horizon_s, every_s or interval_length(horizon_s))
    _, replications = replications_of(timeline)
    ordered, until = _spans(timeline, horizon_s)
    since = ordered["time_s"].to_numpy()
    status = ordered["status"].to_numpy()
    parts = []
    for name in STATUSES:
        of = np.asarray(status == name)
        if of.any():
            area = _ramp(since[of], at) - _ramp(until[of], at)
            mean = np.diff(area) / np.diff(at) / replications
            # Sums of many floats: what is nothing must read as nothing.
            parts.append(_over(at, {"mean": np.clip(mean, 0, None)}, status=name))
    empty = _over(at, {"mean": np.zeros(len(at) - 1)}, status="")[:0]
    return pd.concat(parts, ignore_index=True) if parts else empty


def _ramp(moments_s: Floats, at: Floats) -> Floats:
    """Sum over moments of the time that has passed since each, at each of `at`."""
    moments_s = np.sort(moments_s)
    total = np.concatenate([[0.0], np.cumsum(moments_s)])
    k = np.searchsorted(moments_s, at)
    passed: Floats = k * at - total[k]
    return passed


def stories(tickets: pd.DataFrame) -> pd.DataFrame:
    """One ticket for each thing that may become of tickets, the one of median length.

    Parameters
    ----------
    tickets : DataFrame
        The table tickets of one replication.

    Returns
    -------
    DataFrame
        Columns ticket_id, story; what never happened is left out.
    """
    length_s = tickets["resolved_s"] - tickets["arrived_s"]
    resolved = is_resolved(tickets)
    alone = (tickets["transfers"] == 0) & (tickets["reopens"] == 0)
    kinds = {
        "answered by the assistant": resolved & alone & (tickets["resolved_by"] == "assistant"),
        "draft approved by an agent": resolved & (tickets["resolved_by"] == "reviewed draft"),
        "resolved by an agent": resolved
        & (tickets["resolved_by"] == "agent")
        & (tickets["reopens"] == 0),
        "reopened, then resolved": resolved & (tickets["reopens"] > 0),
        "abandoned": (tickets["status"] == "Abandoned"),
        "still open": tickets["status"].isin(OPEN_STATUSES),
    }
    found = []
    for story, mask in kinds.items():
        ids = tickets["ticket_id"].to_numpy()[np.asarray(mask)]
        if len(ids):
            order = np.argsort(length_s.to_numpy()[np.asarray(mask)], kind="stable")
            found.append((int(ids[order[len(ids) // 2]]), story))
    return pd.DataFrame(found, columns=["ticket_id", "story"])


def ticket_lives(
    timeline: pd.DataFrame, tickets: Sequence[int] | pd.DataFrame, horizon_s: float
) -> pd.DataFrame:
    """The statuses of single tickets, each with its start and end since the ticket arrived.

    Parameters
    ----------
    timeline : DataFrame
        The table timeline of one replication.
    tickets : sequence of int, or DataFrame
        Ticket numbers, in the order wanted; or a frame of `stories`.
    horizon_s : float
        Length of the run: what lasts longer is cut there.

    Returns
    -------
    DataFrame
        Columns ticket_id, story, status, start_s, end_s (both since arrival). Statuses that took no
        time are left out; Closed and Abandoned have an end that is their start.
    """
    if isinstance(tickets, pd.DataFrame):
        story = dict(zip(tickets["ticket_id"], tickets["story"], strict=True))
    else:
        story = dict.fromkeys(tickets, "")
    spans, until = _spans(timeline[timeline["ticket_id"].isin(list(story))], horizon_s)
    first_s = spans.groupby("ticket_id")["time_s"].transform("min").to_numpy()
    since = spans["time_s"].to_numpy() - first_s
    status = spans["status"].astype(str).to_numpy()
    final = np.isin(status, ["Closed", "Abandoned"])
    frame = pd.DataFrame(
        {
            "ticket_id": spans["ticket_id"].to_numpy(),
            "story": [story[number] for number in spans["ticket_id"]],
            "status": status,
            "start_s": since,
            "end_s": np.where(final, since, until - first_s),
        }
    )
    frame = frame[final | (frame["end_s"] > frame["start_s"])]
    place = {number: k for k, number in enumerate(story)}
    order = np.argsort(frame["ticket_id"].map(place).to_numpy(), kind="stable")
    return frame.iloc[order].reset_index(drop=True)


def calls_over_time(
    calls: pd.DataFrame, horizon_s: float, every_s: float | None = None
) -> pd.DataFrame:
    """What the provider's limits do to model calls, over the run; warm-up included.

    Parameters
    ----------
    calls : DataFrame
        The table calls, of one or many replications.
    horizon_s : float
        Length of the run.
    every_s : float, optional
        Length of an interval; by default an hour, longer in long runs.

    Returns
    -------
    DataFrame
        Columns start_s, end_s, calls (asked for in the interval, a replication), quota_wait_s (mean
        pause after answers 429, over them; missing without calls), rate_limited (answers 429, a
        replication), failed (calls that failed for good, a replication).
    """
    at = edges(horizon_s, every_s or interval_length(horizon_s))
    asked_s = calls["asked_s"].to_numpy()
    _, replications = replications_of(calls)
    bad = (calls["outcome"].notna() & (calls["outcome"] != "ok")).to_numpy()

    def total(weights: Any = None) -> Floats:
        summed: Floats = _counts(calls, asked_s, at, weights).sum(axis=0)
        return summed

    count = total()
    wait_s = np.full(len(count), np.nan)
    np.divide(total(calls["quota_wait_s"]), count, out=wait_s, where=count > 0)
    columns = {
        "calls": count / replications,
        "quota_wait_s": wait_s,
        "rate_limited": total(calls["rate_limited"]) / replications,
        "failed": total(bad) / replications,
    }
    return _over(at, columns)


def call_sample(calls: pd.DataFrame, most: int = 300) -> pd.DataFrame:
    """Answered model calls, evenly spread over the table, with their tokens and latency.

    Parameters
    ----------
    calls : DataFrame
        The table calls.
    most : int
        Calls a step at most.

    Returns
    -------
    DataFrame
        Columns step, model, tokens (out: they take the time), latency_s (of the last attempt).
    """
    parts = []
    for step in ("categorize", "respond"):
        rows = np.flatnonzero(((calls["outcome"] == "ok") & (calls["step"] == step)).to_numpy())
        if len(rows) > most:
            rows = rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]
        some = calls.iloc[rows]
        parts.append(
            pd.DataFrame(
                {
                    "step": step,
                    "model": some["model"].astype(str).to_numpy(),
                    "tokens": some["completion_tokens"].to_numpy(),
                    "latency_s": (some["ended_s"] - some["started_s"]).to_numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


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
    """
    at = edges(horizon_s, every_s or interval_length(horizon_s, 21600.0, 60))
    moments_s = ratings["rated_s"].to_numpy()
    count = _counts(ratings, moments_s, at)
    total = _counts(ratings, moments_s, at, ratings["rating"])
    version = pd.Categorical(ratings["prompt_version"])
    used = np.zeros((len(version.categories) + 1, len(at) - 1))
    for k in range(len(version.categories)):
        of = version.codes == k
        used[k] = _counts(ratings[of], moments_s[of], at).sum(axis=0)
    names = np.array([*map(str, version.categories), ""], dtype=object)
    frame = _over(at, intervals(np.transpose(total), np.transpose(count)))
    frame.insert(2, "ratings", count.sum(axis=0))
    most_used = names[used.argmax(axis=0)]
    most_used[~used.any(axis=0)] = None
    frame.insert(len(frame.columns), "version", most_used)
    return frame[frame["ratings"] > 0].reset_index(drop=True)


def intervals(over: npt.ArrayLike, under: npt.ArrayLike) -> dict[str, Floats]:
    """Ratios of sums with their intervals; arrays of shape (n, replications)."""
    found = np.array(
        [ratio_interval(a, b) for a, b in zip(np.asarray(over), np.asarray(under), strict=True)]
    )
    value, low, high = found.reshape(-1, 3).T
    return {"mean": value, "low": low, "high": high}
