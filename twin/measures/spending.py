"""Figures of models and money: tokens, costs, quotas, failures, latency."""

from __future__ import annotations

import numpy as np

from twin.measures.figure import MEAN, RATIO, figure
from twin.measures.population import Population
from twin.measures.rows import Row, Rows
from twin.records.arrays import Arrays
from twin.scenario.clock import WEEK_S


def _per_arrival(run: Population, column: str, calls: Arrays) -> Rows:
    return [run.row(run.by_ticket(calls, column))]


@figure("tokens/ticket", "lower", "arrivals", RATIO)
def prompt_tokens(run: Population) -> Rows:
    """Tokens sent to models, per arrival; failed calls count none."""
    return _per_arrival(run, "prompt_tokens", run.calls)


@figure("tokens/ticket", "lower", "arrivals", RATIO)
def completion_tokens(run: Population) -> Rows:
    """Tokens written by models, per arrival; failed calls count none."""
    return _per_arrival(run, "completion_tokens", run.calls)


@figure("USD/ticket", "lower", "arrivals", RATIO, main="Cost")
def model_cost(run: Population) -> Rows:
    """Price of model calls per arrival; missing if the price of any call is unknown."""
    return _per_arrival(run, "cost_usd", run.ended_calls)


@figure("USD/ticket", "lower", "arrivals", RATIO, main="Cost", follows_load=True)
def human_cost(run: Population) -> Rows:
    """Paid time of agents per arrival: time on shift, busy or not, and work past its end.

    Missing unless all pools that work have a cost.
    """
    return [Row("", run.human_usd, run.count)]


@figure("USD/ticket", "lower", "tickets resolved after warm-up", RATIO, main="Cost",
         follows_load=True)  # fmt: skip
def cost_per_resolution(run: Population) -> Rows:
    """Model and human cost together, over tickets resolved (as in throughput).

    Resolved is not solved, and a desk that serves only what is easy looks cheap: see
    helped_per_dollar and solved.
    """
    done = run.resolved_in_window.astype(np.float64)
    total = run.totals.of(("resolved",), done.sum)
    resolved = run.flow(total, 1.0, done, run.log.arrays("tickets"))
    return [run.over_flow(run.total_usd, resolved)]


@figure("USD/ticket", "lower", "arrivals", RATIO, follows_load=True)
def cost_per_arrival(run: Population) -> Rows:
    """Model and human cost together, per arrival, whatever became of it.

    It falls when fewer are helped at less cost: read it beside solved.
    """
    return [Row("", run.total_usd, run.count)]


@figure("USD/week", "lower", "spending after warm-up", RATIO, main="Cost", follows_load=True)
def cost_week(run: Population) -> Rows:
    """Model and human cost together, per week of 168 hours.

    What is paid, however much is done for it: read it beside solved. Where the time measured is no
    whole number of weeks, shifts are paid as in the first week of the roster, so that a run from
    Monday to Wednesday knows of the weekend; work past their end, model calls and rosters by date
    are scaled up.
    """
    weeks = run.length_s / WEEK_S
    return [Row("", run.total_usd + run.roster_usd(weeks), weeks)]


@figure("customers/USD", "higher", "arrivals", RATIO, main="Cost", follows_load=True)
def helped_per_dollar(run: Population) -> Rows:
    """Customers helped (as in solved) per dollar of model and human cost.

    Those who were not helped are in the cost and not in the count. A desk that helps few very
    cheaply stands high: read it beside solved.
    """
    helped = run.helped
    total = run.totals.of(("helped",), helped.sum)
    return [run.flow(total, run.total_usd, np.nan_to_num(helped), run.tickets)]


@figure("s", "lower", "model calls that ended", MEAN, main="Model")
def quota_wait_mean(run: Population) -> Rows:
    """Mean length of pauses after answers 429, over model calls that ended."""
    return [run.row(run.ended_calls["quota_wait_s"], of=run.ended_calls)]


@figure("share", "lower", "attempts of model calls", RATIO, main="Model")
def rate_limited_share(run: Population) -> Rows:
    """Share of attempts answered 429, over attempts of model calls."""
    calls = run.calls
    return [run.row(calls["rate_limited"], calls["attempts"], of=calls)]


@figure("share", "lower", "model calls that ended", RATIO, main="Model")
def call_failure_share(run: Population) -> Rows:
    """Share of model calls that failed for good, over calls that ended."""
    return [run.row(~run.ended_calls.among("outcome", ["ok"]), of=run.ended_calls)]


@figure("s", "lower", "model calls that were answered", MEAN, main="Model")
def model_latency_mean(run: Population) -> Rows:
    """Mean time from sending the last attempt to the answer, over calls that were answered."""
    good = run.calls.at(run.calls.among("outcome", ["ok"]))
    return [run.row(good["ended_s"] - good["started_s"], of=good)]
