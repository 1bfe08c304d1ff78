"""Key figures of a run: each a small function that says population, unit and what it leaves out.

Warm-up is applied here and nowhere else: figures of tickets cover those that arrived at or after
it, with all their visits, calls and ratings; figures over time (throughput, backlog, queue,
occupancy, staffing costs) cover the time from its end to the horizon.

A figure is a numerator and a denominator, to be summed over replications before dividing. Where
the denominator is 0 the value is missing, never 0. Quantiles have the run's quantile as numerator
and 1 as denominator (0 and 0 without data): over replications the figure is the mean of the runs'
quantiles.

In the words below a ticket is *resolved* if its status at the horizon is Resolved or Closed,
*abandoned* if Abandoned, *open* otherwise (a reopened one too, until it is resolved again).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twin.measures import levels
from twin.measures.levels import conservation, little, throughput
from twin.measures.population import ROUNDING_S, Floats, Mask, Population, Rows, mean, quantile
from twin.records import tables as records

if TYPE_CHECKING:
    from twin.records.tables import RunLog
    from twin.scenario.model import Scenario

__all__ = ["KPIS", "conservation", "kpi_table", "little", "measure", "throughput"]

HOUR_S = 3600.0


def _share(mask: Mask) -> Rows:
    return [("", float(mask.sum()), float(len(mask)))]


def _arrivals(run: Population) -> Rows:
    """Tickets that arrived."""
    return [("", float(len(run.tickets)), 1.0)]


def _throughput(run: Population) -> Rows:
    """Resolved tickets an hour, by the moment of their last resolution.

    Tickets that came during warm-up and were resolved after it count: this is a flow over time.
    """
    return [("", run.resolved_in_window, run.length_s / HOUR_S)]


def _response(run: Population) -> Floats:
    """Time to first response; missing without one, be the ticket open or abandoned."""
    return run.tickets["responded_s"].to_numpy() - run.arrived_s


def _first_response_mean(run: Population) -> Rows:
    """Mean time from arrival to first response, over tickets that had one."""
    return run.split(_response(run), mean)


def _first_response_median(run: Population) -> Rows:
    """Median time from arrival to first response, over tickets that had one."""
    return run.split(_response(run), quantile(0.5))


def _first_response_p90(run: Population) -> Rows:
    """90th percentile of time from arrival to first response, over tickets that had one."""
    return run.split(_response(run), quantile(0.9))


def _first_response_p95(run: Population) -> Rows:
    """95th percentile of time from arrival to first response, over tickets that had one."""
    return run.split(_response(run), quantile(0.95))


def _resolution_mean(run: Population) -> Rows:
    """Mean time from arrival to last resolution, over resolved tickets."""
    return run.split(run.resolved_s - run.arrived_s, mean)


def _resolution_median(run: Population) -> Rows:
    """Median time from arrival to last resolution, over resolved tickets."""
    return run.split(run.resolved_s - run.arrived_s, quantile(0.5))


def _resolution_p90(run: Population) -> Rows:
    """90th percentile of time from arrival to last resolution, over resolved tickets."""
    return run.split(run.resolved_s - run.arrived_s, quantile(0.9))


def _resolution_p95(run: Population) -> Rows:
    """95th percentile of time from arrival to last resolution, over resolved tickets."""
    return run.split(run.resolved_s - run.arrived_s, quantile(0.95))


def _service_level(run: Population) -> Rows:
    """Share of tickets with a first response within the target of their priority.

    Abandoned without a response, or open without one and past the target: missed. Open and not yet
    past it: left out, like priorities without a target. Time counts by the clock of the targets.
    """
    targets = run.scenario.targets.first_response
    return run.within(run.tickets["responded_s"].to_numpy(), targets)


def _resolution_within_target(run: Population) -> Rows:
    """Share of tickets resolved (for the last time) within the target of their priority.

    Abandoned, or open and past the target: missed. Open and not yet past it: left out, like
    priorities without a target. Time counts by the clock of the targets.
    """
    return run.within(run.resolved_s, run.scenario.targets.resolution)


def _waits(run: Population) -> Floats:
    visits = run.visits
    left = visits["started_s"].notna() | (visits["end"] == "abandoned")
    waited: Floats = levels.wait_ends(visits) - visits["queued_s"].to_numpy()
    return waited[left.to_numpy()]


def _agent_wait_mean(run: Population) -> Rows:
    """Mean wait in the agents' queue, over visits that were started or abandoned there.

    Visits to handle, to categorize and to review alike, and each of a ticket's visits; those still
    waiting at the horizon are left out.
    """
    return [("", *mean(_waits(run)))]


def _agent_wait_share(run: Population) -> Rows:
    """Share that had to wait for an agent, over visits that were started or abandoned."""
    return _share(_waits(run) > ROUNDING_S)


def _backlog(run: Population) -> Rows:
    """Open tickets, averaged over time; reopened ones count again until they are resolved."""
    return [("", run.area(levels.backlog(run.log)), run.length_s)]


def _queue(run: Population) -> Rows:
    """Visits waiting for an agent, averaged over time."""
    return [("", run.area(levels.queue(run.log)), run.length_s)]


def _occupancy(run: Population) -> Rows:
    """Share of staffed time in which agents are busy, in all and by pool.

    Work past the end of a shift is not in it: busy counts up to the number staffed.
    """
    total = ("", sum(p.used for p in run.pools), sum(p.staffed for p in run.pools))
    return [total, *((p.pool, p.used, p.staffed) for p in run.pools)]


def _finished(run: Population) -> float:
    return float(np.count_nonzero(run.resolved | run.abandoned))


def _containment(run: Population) -> Rows:
    """Share resolved by the assistant, without any agent and never reopened.

    Over tickets resolved or abandoned; open ones are left out.
    """
    alone = run.resolved & (run.tickets["resolved_by"] == "assistant").to_numpy()
    alone &= (run.tickets["reopens"] == 0).to_numpy() & ~run.ever(run.log.visits)
    return [("", float(alone.sum()), _finished(run))]


def _escalation_rate(run: Population) -> Rows:
    """Share of tickets that were ever Escalated, over all arrivals, open and abandoned included."""
    timeline = run.log.timeline
    return _share(run.ever(timeline[timeline["status"] == "Escalated"]))


def _reopen_rate(run: Population) -> Rows:
    """Share reopened at least once, over tickets ever resolved, whatever became of them."""
    return _share((run.tickets["reopens"] > 0).to_numpy()[run.ever_resolved])


def _abandonment_rate(run: Population) -> Rows:
    """Share abandoned, over tickets resolved or abandoned; open ones are left out."""
    return [("", float(run.abandoned.sum()), _finished(run))]


def _categorized(run: Population) -> pd.DataFrame:
    """Tickets that go by the assistant's category.

    A category that an agent replaced (confidence below the threshold) is the agent's.
    """
    return run.tickets[(run.tickets["categorized_by"] == "assistant").to_numpy()]


def _categorization_accuracy(run: Population) -> Rows:
    """Share categorized rightly, over tickets that go by the assistant's category.

    Open and abandoned ones included; those handed to an agent to categorize are not.
    """
    tickets = _categorized(run)
    right = tickets["category"].astype(object) == tickets["category_true"].astype(object)
    return _share(right.to_numpy())


def _confusion(run: Population) -> Rows:
    """Share of a true category's tickets given each category ("true -> given") by the assistant.

    Over tickets that go by the assistant's category, open and abandoned ones included.
    """
    tickets = _categorized(run)
    true, given = pd.Categorical(tickets["category_true"]), pd.Categorical(tickets["category"])
    width = len(given.categories)
    cells = true.codes.astype(np.int64) * width + given.codes
    table = np.bincount(cells, minlength=len(true.categories) * width).reshape(-1, max(width, 1))
    # Cells of 0 stay: each is a count out of the category's tickets.
    return [
        (f"{name} -> {other}", float(table[k, j]), float(table[k].sum()))
        for k, name in enumerate(true.categories)
        for j, other in enumerate(given.categories)
        if table[k].any()
    ]


def _csat(run: Population) -> Rows:
    """Share of ratings that are 4 or 5; a ticket rated twice counts twice."""
    return _share((run.ratings["rating"] >= 4).to_numpy())


def _rating_mean(run: Population) -> Rows:
    """Mean rating, 1 to 5."""
    return [("", *mean(run.ratings["rating"].to_numpy(dtype=np.float64)))]


def _rating_share(run: Population) -> Rows:
    """Share of ratings with each number of stars."""
    stars = run.ratings["rating"].to_numpy()
    return [(str(k), float((stars == k).sum()), float(len(stars))) for k in range(1, 6)]


def _rated_share(run: Population) -> Rows:
    """Share rated at least once, over tickets ever resolved, whatever became of them."""
    return _share(run.ever(run.log.ratings)[run.ever_resolved])


def _per_arrival(run: Population, total: float) -> Rows:
    return [("", total, float(len(run.tickets)))]


def _prompt_tokens(run: Population) -> Rows:
    """Tokens sent to models, per arrival; failed calls count none."""
    return _per_arrival(run, float(run.calls["prompt_tokens"].sum()))


def _completion_tokens(run: Population) -> Rows:
    """Tokens written by models, per arrival; failed calls count none."""
    return _per_arrival(run, float(run.calls["completion_tokens"].sum()))


def _model_usd(run: Population) -> float:
    # Not pandas' sum: an unknown price must make the whole unknown.
    return float(run.ended_calls["cost_usd"].to_numpy().sum())


def _human_usd(run: Population) -> float:
    agents = run.scenario.agents
    return sum(p.paid / HOUR_S * agents[p.pool].cost for p in run.pools)


def _model_cost(run: Population) -> Rows:
    """Price of model calls per arrival; missing if the price of any call is unknown."""
    return _per_arrival(run, _model_usd(run))


def _human_cost(run: Population) -> Rows:
    """Paid time of agents per arrival: time on shift, busy or not, and work past its end."""
    return _per_arrival(run, _human_usd(run))


def _cost_per_resolution(run: Population) -> Rows:
    """Model and human cost together, over tickets resolved (as in throughput)."""
    return [("", _model_usd(run) + _human_usd(run), run.resolved_in_window)]


def _quota_wait_mean(run: Population) -> Rows:
    """Mean length of pauses after answers 429, over model calls that ended."""
    return [("", *mean(run.ended_calls["quota_wait_s"].to_numpy()))]


def _rate_limited_share(run: Population) -> Rows:
    """Share of attempts answered 429, over attempts of model calls."""
    calls = run.calls
    return [("", float(calls["rate_limited"].sum()), float(calls["attempts"].sum()))]


def _call_failure_share(run: Population) -> Rows:
    """Share of model calls that failed for good, over calls that ended."""
    return _share((run.ended_calls["outcome"] != "ok").to_numpy())


def _model_latency_mean(run: Population) -> Rows:
    """Mean time from sending the last attempt to the answer, over calls that were answered."""
    good = run.calls[(run.calls["outcome"] == "ok").to_numpy()]
    return [("", *mean((good["ended_s"] - good["started_s"]).to_numpy()))]


# Name, unit, which direction is better, function: the one list of all figures.
KPIS: tuple[tuple[str, str, str, Callable[[Population], Rows]], ...] = (
    ("arrivals", "tickets", "", _arrivals),
    ("throughput", "tickets/h", "higher", _throughput),
    ("first_response_mean", "s", "lower", _first_response_mean),
    ("first_response_median", "s", "lower", _first_response_median),
    ("first_response_p90", "s", "lower", _first_response_p90),
    ("first_response_p95", "s", "lower", _first_response_p95),
    ("resolution_mean", "s", "lower", _resolution_mean),
    ("resolution_median", "s", "lower", _resolution_median),
    ("resolution_p90", "s", "lower", _resolution_p90),
    ("resolution_p95", "s", "lower", _resolution_p95),
    ("service_level", "share", "higher", _service_level),
    ("resolution_within_target", "share", "higher", _resolution_within_target),
    ("agent_wait_mean", "s", "lower", _agent_wait_mean),
    ("agent_wait_share", "share", "lower", _agent_wait_share),
    ("backlog", "tickets", "lower", _backlog),
    ("queue", "visits", "lower", _queue),
    ("occupancy", "share", "", _occupancy),
    ("containment", "share", "higher", _containment),
    ("escalation_rate", "share", "lower", _escalation_rate),
    ("reopen_rate", "share", "lower", _reopen_rate),
    ("abandonment_rate", "share", "lower", _abandonment_rate),
    ("categorization_accuracy", "share", "higher", _categorization_accuracy),
    ("confusion", "share", "", _confusion),
    ("csat", "share", "higher", _csat),
    ("rating_mean", "1-5", "higher", _rating_mean),
    ("rating_share", "share", "", _rating_share),
    ("rated_share", "share", "", _rated_share),
    ("prompt_tokens", "tokens/ticket", "lower", _prompt_tokens),
    ("completion_tokens", "tokens/ticket", "lower", _completion_tokens),
    ("model_cost", "USD/ticket", "lower", _model_cost),
    ("human_cost", "USD/ticket", "lower", _human_cost),
    ("cost_per_resolution", "USD/ticket", "lower", _cost_per_resolution),
    ("quota_wait_mean", "s", "lower", _quota_wait_mean),
    ("rate_limited_share", "share", "lower", _rate_limited_share),
    ("call_failure_share", "share", "lower", _call_failure_share),
    ("model_latency_mean", "s", "lower", _model_latency_mean),
)


def kpi_table() -> pd.DataFrame:
    """Every figure: its name, unit, which direction is better, and what it is.

    Returns
    -------
    DataFrame
        Columns kpi, unit, better ("higher", "lower" or "": neither), description.

    Examples
    --------
    >>> import twin
    >>> twin.kpi_table().set_index("kpi").at["csat", "better"]
    'higher'
    """
    rows = [
        (name, unit, better, (function.__doc__ or "").splitlines()[0])
        for name, unit, better, function in KPIS
    ]
    return pd.DataFrame(rows, columns=["kpi", "unit", "better", "description"])


def measure(log: RunLog, scenario: Scenario) -> pd.DataFrame:
    """Key figures of a run, warm-up left out.

    Parameters
    ----------
    log : RunLog
    scenario : Scenario
        As run: warm-up, targets, and pools with their shifts and costs.

    Returns
    -------
    DataFrame
        Columns of the table kpis, see `twin.records.tables`. Figures that are split have further
        rows with a group: the priorities that occur, the pools, the stars, pairs of categories.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> log = twin.simulate(desk, twin.draw(desk))
    >>> kpis = twin.measure(log, desk)
    >>> float(kpis.query("kpi == 'arrivals'")["value"].iloc[0]) == len(log.tickets)
    True
    """
    run = Population(log, scenario)
    rows = [
        (name, group, unit, numerator, denominator)
        for name, unit, _, function in KPIS
        for group, numerator, denominator in function(run)
    ]
    names, groups, units, numerators, denominators = (list(c) for c in zip(*rows, strict=True))
    over, under = np.array(numerators), np.array(denominators)
    value = np.divide(over, under, out=np.full(len(over), np.nan), where=under != 0)
    return records.frame(
        "kpis",
        {
            "kpi": names,
            "group": groups,
            "unit": units,
            "numerator": over,
            "denominator": under,
            "value": value,
        },
    )
