"""Single tickets and single model calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from twin.measures.levels import edges, is_resolved
from twin.measures.series.grid import (
    Floats,
    counts,
    interval_length,
    over,
    own_names,
    replications_of,
    spans_of,
)
from twin.records.arrays import Arrays
from twin.records.tables import (
    AUTOMATIC,
    FINAL_STATUSES,
    OPEN_STATUSES,
    RESOLVED,
    STATUSES,
    WORKERS,
)


def stories(tickets: pd.DataFrame, waited: Iterable[int] = ()) -> pd.DataFrame:
    """One ticket for each way in which tickets end, the one of median length.

    Parameters
    ----------
    tickets : DataFrame
        The table tickets of one replication.
    waited : iterable of int
        Numbers of tickets that waited for the customer: a way of their own.

    Returns
    -------
    DataFrame
        Columns ticket_id, story; what never happened is left out.

    Examples
    --------
    >>> "answered by the assistant" in set(series.stories(log.tickets)["story"])
    True
    """
    length_s = tickets["resolved_s"] - tickets["arrived_s"]
    resolved = is_resolved(Arrays(tickets))
    alone = (tickets["transfers"] == 0) & (tickets["reopens"] == 0)
    by_agent = resolved & (tickets["resolved_by"] == "agent") & (tickets["reopens"] == 0)
    asked = tickets["ticket_id"].isin(list(waited))
    kinds = {
        "answered by the assistant": resolved & alone & (tickets["resolved_by"] == "assistant"),
        "draft approved by an agent": resolved & (tickets["resolved_by"] == "reviewed draft"),
        "resolved by an agent": by_agent & ~asked,
        "resolved by an agent who asked back": by_agent & asked,
        "resolved automatically": resolved
        & (tickets["resolved_by"] == WORKERS[AUTOMATIC])
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
    timeline: pd.DataFrame,
    tickets: Sequence[int] | pd.DataFrame,
    horizon_s: float,
    stays_resolved: bool = True,
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
    stays_resolved : bool
        Whether a ticket that was resolved and not closed by then stays resolved until then; else
        its life ends as it is resolved, for the last time.

    Returns
    -------
    DataFrame
        Columns ticket_id, story, status, name (the desk's own, of a workflow; else the status),
        start_s, end_s (both since arrival). Statuses that took no time are left out; Closed and
        Abandoned have an end that is their start.

    Examples
    --------
    >>> frame = series.ticket_lives(log.timeline, [1], desk.horizon)
    >>> frame["status"].iloc[0], float(frame["start_s"].iloc[0])
    ('Open', 0.0)
    """
    if isinstance(tickets, pd.DataFrame):
        story = dict(zip(tickets["ticket_id"], tickets["story"], strict=True))
    else:
        story = dict.fromkeys(tickets, "")
    spans, until = spans_of(timeline[timeline["ticket_id"].isin(list(story))], horizon_s)
    first_s = spans.groupby("ticket_id")["time_s"].transform("min").to_numpy()
    since = spans["time_s"].to_numpy() - first_s
    status = spans["status"].astype(str).to_numpy()
    final = np.isin(status, FINAL_STATUSES)
    if not stays_resolved:
        last = ~spans["ticket_id"].duplicated(keep="last").to_numpy()
        final |= last & (status == STATUSES[RESOLVED])
    frame = pd.DataFrame(
        {
            "ticket_id": spans["ticket_id"].to_numpy(),
            "story": [story[number] for number in spans["ticket_id"]],
            "status": status,
            "name": np.asarray(own_names(spans), dtype=object),
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
    """Model calls under the provider's limits, over the run; warm-up included.

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

    Examples
    --------
    >>> frame = series.calls_over_time(log.calls, desk.horizon)
    >>> int(frame["calls"].sum()) == len(log.calls)
    True
    """
    at = edges(horizon_s, every_s or interval_length(horizon_s))
    asked_s = calls["asked_s"].to_numpy()
    _, replications = replications_of(calls)
    bad = (calls["outcome"].notna() & (calls["outcome"] != "ok")).to_numpy()

    def total(weights: Any = None) -> Floats:
        summed: Floats = counts(calls, asked_s, at, weights).sum(axis=0)
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
    return over(at, columns)


def call_sample(calls: pd.DataFrame, most: int = 150) -> pd.DataFrame:
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

    Examples
    --------
    >>> series.call_sample(log.calls, most=5)["step"].value_counts().to_dict()
    {'categorize': 5, 'respond': 5}
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
