"""Frames of speed, quality and cost; warm-up is left out, by the rules of `measures.figures`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.measures.levels import is_resolved
from twin.measures.promises import promise_kept, spent_s
from twin.measures.series.grid import Floats, intervals, replications_of
from twin.records.arrays import Arrays
from twin.scenario import clock
from twin.scenario.model import PRIORITIES

if TYPE_CHECKING:
    from twin.scenario.model import Scenario

Promise = Literal["first response", "resolution"]


def measured(table: pd.DataFrame, scenario: Scenario) -> pd.DataFrame:
    """The rows of the table tickets that key figures count: arrived at or after the warm-up.

    Examples
    --------
    >>> len(series.measured(log.tickets, desk)) < len(log.tickets)  # the first hours are warm-up
    True
    """
    counted = table["arrived_s"].to_numpy() >= scenario.warm_up
    return table if counted.all() else table[counted]


# Tickets of a real desk whose priority is not told.
NO_PRIORITY = "no priority"


def _moments(tickets: pd.DataFrame, of: Promise) -> Floats:
    """Moments of answer or resolution; missing where there is none."""
    if of == "first response":
        moments: Floats = tickets["responded_s"].to_numpy()
        return moments
    return np.where(is_resolved(Arrays(tickets)), tickets["resolved_s"].to_numpy(), np.nan)


def response_times(
    tickets: pd.DataFrame, scenario: Scenario, of: Promise = "first response", points: int = 200
) -> pd.DataFrame:
    """Share of tickets answered (or resolved) within a time, by priority.

    Parameters
    ----------
    tickets : DataFrame
        The table tickets, of one or many replications.
    scenario : Scenario
        As run: warm-up, targets and their clock.
    of : {"first response", "resolution"}
        Which of the two times; resolution is the last one.
    points : int
        Steps of the curve of a priority at most.

    Returns
    -------
    DataFrame
        Columns priority ("no priority" where a history tells none), seconds, share (of tickets
        with that time, or abandoned without: a curve ends below 1 where customers left; open ones
        are left out), target_s (missing without one, and for resolutions where targets.pauses stop
        the clock: times here are whole).

    Examples
    --------
    >>> frame = series.response_times(log.tickets, desk)
    >>> frame.groupby("priority")["share"].is_monotonic_increasing.all().item()
    True
    """
    tickets = measured(tickets, scenario)
    moments_s = _moments(tickets, of)
    spent = spent_s(
        tickets["arrived_s"].to_numpy(), np.where(np.isnan(moments_s), 0.0, moments_s), scenario
    )
    spent = np.where(np.isnan(moments_s), np.nan, spent)
    counted = ~np.isnan(spent) | (tickets["status"] == "Abandoned").to_numpy()
    promises: dict[str, float] = {**_promised(scenario, of)}
    parts = []
    for name in (*PRIORITIES, NO_PRIORITY):
        of_it = tickets["priority"].isna() if name == NO_PRIORITY else tickets["priority"] == name
        mine = spent[counted & of_it.to_numpy()]
        done = np.sort(mine[~np.isnan(mine)])
        if not len(done):
            continue
        # Of many tickets the curve keeps `points` steps, each still exact.
        k = np.unique(np.linspace(0, len(done) - 1, min(points, len(done))).astype(np.intp))
        parts.append(
            pd.DataFrame(
                {
                    "priority": name,
                    "seconds": done[k],
                    "share": (k + 1) / len(mine),
                    "target_s": promises.get(name, np.nan),
                }
            )
        )
    empty = pd.DataFrame({"priority": [], "seconds": [], "share": [], "target_s": []})
    return pd.concat(parts, ignore_index=True) if parts else empty


def _promised(scenario: Scenario, of: Promise) -> dict[str, float]:
    targets = scenario.targets
    promised = targets.first_response if of == "first response" else targets.resolution
    if of == "resolution" and targets.pauses:
        # The table tickets does not tell for how long the clock stood still.
        promised = {}
    return {str(name): seconds for name, seconds in promised.items()}


def _promised_by_channel(scenario: Scenario, of: Promise) -> dict[str, float]:
    targets = scenario.targets
    if of == "first response":
        return targets.first_response_by_channel
    return {} if targets.pauses else targets.resolution_by_channel


def service_by_hour(
    tickets: pd.DataFrame, scenario: Scenario, of: Promise = "first response"
) -> pd.DataFrame:
    """Share answered within the target of the priority, by local hour of the week of arrival.

    What counts is as in the key figure service_level (or resolution_within_target): abandoned
    without, or open and past the target: missed; open and not yet past it: left out.

    Parameters
    ----------
    tickets : DataFrame
        The table tickets, of one or many replications.
    scenario : Scenario
        As run: warm-up, targets and their clock, start and time zone.
    of : {"first response", "resolution"}
        No resolution is judged where targets.pauses stop the clock, as the table tickets does not
        tell for how long.

    Returns
    -------
    DataFrame
        168 rows: day (0 is Monday), hour, tickets (how many were judged, in all replications),
        share (missing without any).

    Examples
    --------
    >>> frame = series.service_by_hour(log.tickets, desk)
    >>> len(frame), bool(frame["share"].dropna().between(0, 1).all())
    (168, True)
    """
    tickets = measured(tickets, scenario)
    moments_s, promised = _moments(tickets, of), _promised(scenario, of)
    own = _promised_by_channel(scenario, of)
    horizon_s = scenario.horizon
    kept = promise_kept(Arrays(tickets), moments_s, promised, scenario, horizon_s, by_channel=own)
    judged = ~np.isnan(kept)
    hour = hour_of_week(tickets["arrived_s"].to_numpy()[judged], scenario)
    count = np.bincount(hour, minlength=168)
    good = np.bincount(hour, weights=kept[judged], minlength=168)
    share = np.divide(good, count, out=np.full(168, np.nan), where=count > 0)
    week = np.arange(168)
    return pd.DataFrame({"day": week // 24, "hour": week % 24, "tickets": count, "share": share})


def arrivals_by_hour(
    tickets: pd.DataFrame, scenario: Scenario, gaps: Sequence[date] = ()
) -> pd.DataFrame:
    """Tickets that arrive an hour, by local hour of the week.

    Parameters
    ----------
    tickets : DataFrame
        Columns arrived_s and, with several, replication.
    scenario : Scenario
        As run: warm-up, horizon, start and time zone.
    gaps : sequence of date
        Local days that are left out, as without data.

    Returns
    -------
    DataFrame
        168 rows: day (0 is Monday), hour, hours (how often it came, in all replications), mean
        (tickets an hour; missing where it never came).

    Examples
    --------
    >>> frame = series.arrivals_by_hour(log.tickets, desk)
    >>> came = (frame["mean"] * frame["hours"]).sum()
    >>> len(frame), round(came) == len(series.measured(log.tickets, desk))
    (168, True)
    """
    start, end_s = scenario.midnight, scenario.horizon
    edges = clock.hours(start, end_s)
    # Before the warm-up nothing is measured, and the last hour may be cut.
    edges = np.unique(np.clip(edges, scenario.warm_up, end_s))
    middle = (edges[:-1] + edges[1:]) / 2
    missing = [(day - scenario.start).days for day in gaps]

    def seen(moments_s: Floats) -> npt.NDArray[np.bool_]:
        return ~np.isin(clock.local_s(moments_s, start) // clock.DAY_S, missing)

    arrived = tickets["arrived_s"].to_numpy()
    arrived = arrived[(arrived >= scenario.warm_up) & (arrived < end_s)]
    arrived = arrived[seen(arrived)]
    count = np.bincount(hour_of_week(arrived, scenario), minlength=168)
    there = seen(middle)
    seen_s = np.bincount(hour_of_week(middle, scenario)[there], np.diff(edges)[there], 168)
    hours = seen_s / clock.HOUR_S
    hours = hours * (tickets["replication"].nunique() if "replication" in tickets else 1)
    mean = np.divide(count, hours, out=np.full(168, np.nan), where=hours > 0)
    week = np.arange(168)
    return pd.DataFrame({"day": week // 24, "hour": week % 24, "hours": hours, "mean": mean})


def hour_of_week(moments_s: Floats, scenario: Scenario) -> npt.NDArray[np.intp]:
    """Local hour of the week of moments, 0 is Monday midnight; shape as given.

    Examples
    --------
    >>> import numpy as np
    >>> series.hour_of_week(np.array([0.0, 5400.0, 86400.0]), desk).tolist()  # starts on a Monday
    [0, 1, 24]
    """
    return clock.hour_of_week(moments_s, scenario.midnight).astype(np.intp)


def rating_shares(summary: pd.DataFrame) -> pd.DataFrame:
    """Share of ratings with each number of stars, with its interval.

    Parameters
    ----------
    summary : DataFrame
        `Results.summary` of one scenario.

    Returns
    -------
    DataFrame
        Columns rating (1 to 5), share, low, high.

    Examples
    --------
    >>> frame = series.rating_shares(results.summary().query("scenario == 'small'"))
    >>> frame["rating"].tolist(), round(frame["share"].sum(), 6).item()
    ([1, 2, 3, 4, 5], 1.0)
    """
    rows = summary[summary["kpi"] == "rating_share"]
    frame = rows[["group", "value", "low", "high"]].rename(columns={"value": "share"})
    frame.insert(0, "rating", rows["group"].astype(int))
    return frame.drop(columns="group").sort_values("rating", ignore_index=True)


def ratings_by_category(ratings: pd.DataFrame, tickets: pd.DataFrame) -> pd.DataFrame:
    """Mean rating by true category, best first.

    Parameters
    ----------
    ratings, tickets : DataFrame
        Tables, of the same replications; ratings of other tickets are left out.

    Returns
    -------
    DataFrame
        Columns category, ratings (how many), mean, low, high (interval over replications; with one
        replication of the ratings as independent).

    Examples
    --------
    >>> frame = series.ratings_by_category(log.ratings, log.tickets)
    >>> int(frame["ratings"].sum()) == len(log.ratings)
    True
    """
    keys = [key for key in ("replication", "ticket_id") if key in ratings and key in tickets]
    about = tickets[[*keys, "category_true"]]
    joined = ratings[[*keys, "rating"]].merge(about, on=keys)
    which, replications = replications_of(joined)
    stars = joined["rating"].to_numpy(dtype=np.float64)
    category, names = pd.factorize(joined["category_true"].astype(str), sort=True)
    cell = category * replications + which
    shape = (len(names), replications)
    count = np.bincount(cell, minlength=len(names) * replications).astype(float).reshape(shape)
    total = np.bincount(cell, stars, minlength=len(names) * replications).reshape(shape)
    found = intervals(total, count)
    n = count.sum(axis=1)
    if replications == 1:
        squares = np.bincount(category, stars**2, minlength=len(names))
        variance = np.maximum(squares / n - found["mean"] ** 2, 0) * n / np.maximum(n - 1, 1)
        half = np.where(n > 1, 1.96 * np.sqrt(variance / n), np.nan)
        found |= {"low": found["mean"] - half, "high": found["mean"] + half}
    frame = pd.DataFrame({"category": names, "ratings": n.astype(int), **found})
    return frame.sort_values("mean", ascending=False, kind="stable", ignore_index=True)


def confusion(tickets: pd.DataFrame, scenario: Scenario) -> pd.DataFrame:
    """Categories given by the assistant, by true category.

    Parameters
    ----------
    tickets : DataFrame
        The table tickets; those that go by an agent's category are left out.
    scenario : Scenario
        As run: warm-up.

    Returns
    -------
    DataFrame
        Columns true, given, tickets (in all replications), share (of the true category); a row for
        each pair of categories that occur.

    Examples
    --------
    >>> frame = series.confusion(log.tickets, desk)
    >>> bool(frame.groupby("true")["share"].sum().round(6).eq(1).all())
    True
    """
    tickets = measured(tickets, scenario)
    tickets = tickets[(tickets["categorized_by"] == "assistant").to_numpy()]
    true, given = pd.Categorical(tickets["category_true"]), pd.Categorical(tickets["category"])
    names = sorted({str(name) for of in (true, given) for name in of.unique()})
    n = len(names)
    # Each column's own codes, as places among the names of both; names that do not occur have none.
    place = {name: k for k, name in enumerate(names)}
    row, column = (
        np.array([place.get(str(name), 0) for name in of.categories], dtype=np.intp)[of.codes]
        for of in (true, given)
    )
    count = np.bincount(row * n + column, minlength=n * n).reshape(n, n)
    total = count.sum(axis=1, keepdims=True)
    share = np.divide(count, total, out=np.full((n, n), np.nan), where=total > 0)
    return pd.DataFrame(
        {
            "true": np.repeat(names, n),
            "given": np.tile(names, n),
            "tickets": count.ravel(),
            "share": share.ravel(),
        }
    )


def pareto(
    summary: pd.DataFrame, cost: str = "cost_per_arrival", good: str = "csat_all"
) -> pd.DataFrame:
    """Scenarios by what they cost and what they give, and which of them no other beats in both.

    Parameters
    ----------
    summary : DataFrame
        `Results.summary` of several scenarios.
    cost, good : str
        The figure to be low and the one to be high; by default of all who came, as cost and CSAT
        of resolved tickets praise a desk that loses its customers.

    Returns
    -------
    DataFrame
        Columns scenario, cost, cost_low, cost_high, good, good_low, good_high, front (bool),
        cheapest first; scenarios without either figure are left out. The front goes by the values,
        not by their intervals.

    Examples
    --------
    >>> frame = series.pareto(results.summary())
    >>> sorted(frame["scenario"]), bool(frame["front"].any())
    (['busy', 'small'], True)
    """
    whole = summary[summary["group"] == ""]
    parts = []
    for name, kpi in (("cost", cost), ("good", good)):
        rows = whole[whole["kpi"] == kpi].set_index("scenario")[["value", "low", "high"]]
        parts.append(rows.set_axis([name, f"{name}_low", f"{name}_high"], axis=1))
    frame = parts[0].join(parts[1], how="inner").dropna(subset=["cost", "good"]).reset_index()
    frame = frame.sort_values(["cost", "good"], ascending=[True, False], ignore_index=True)
    best = np.concatenate([[-np.inf], np.maximum.accumulate(frame["good"].to_numpy())[:-1]])
    return frame.assign(front=frame["good"].to_numpy() > best[: len(frame)])
