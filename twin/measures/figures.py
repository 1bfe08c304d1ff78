"""Key figures of a run: each a small function that says population, unit and what it leaves out.

Warm-up is applied here and nowhere else: figures of tickets cover those that arrived at or after
it, with all their visits, calls and ratings; figures over time (throughput, backlog, queue,
occupancy, workload, staffing costs) cover the time from its end to the horizon.

A figure is a numerator and a denominator, to be summed over replications before dividing. Where
the denominator is 0 the value is missing, never 0. Quantiles have the run's quantile as numerator
and 1 as denominator (0 and 0 without data): over replications the figure is the mean of the runs'
quantiles.

In the words below a ticket is *resolved* if its status at the horizon is Resolved or Closed,
*abandoned* if Abandoned, *open* otherwise (a reopened one too, until it is resolved again).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd

from twin.common.errors import nearest
from twin.measures import levels
from twin.measures.figure import MEAN, QUANTILE, RATIO, Better, Estimation, Figure, Section
from twin.measures.population import Population, Row, Rows
from twin.measures.promises import ROUNDING_S
from twin.records import tables
from twin.scenario.clock import WEEK_S

if TYPE_CHECKING:
    from twin.records.tables import RunLog
    from twin.scenario.model import Scenario

# The one list of all figures, in the order in which they are defined below.
FIGURES: dict[str, Figure] = {}


def _figure(
    unit: str,
    better: Better,
    population: str,
    estimation: Estimation,
    main: Section = "",
    *,
    guarded: bool = True,
    follows_load: bool = False,
) -> Callable[[Callable[[Population], Rows]], Figure]:
    """Add a figure to the list; name and description are those of its function."""

    def add(rows: Callable[[Population], Rows]) -> Figure:
        found = Figure(
            rows.__name__, unit, better, population, estimation, main, guarded, follows_load, rows
        )
        FIGURES[found.name] = found
        return found

    return add


@_figure("tickets", "", "arrivals", MEAN, main="Demand")
def arrivals(run: Population) -> Rows:
    """Tickets that arrived."""
    return [Row("", float(len(run.tickets)), 1.0)]


@_figure("tickets/h", "higher", "resolutions after warm-up", RATIO, main="Demand",
         follows_load=True)  # fmt: skip
def throughput(run: Population) -> Rows:
    """Resolved tickets an hour, by the moment of their last resolution.

    Tickets that came during warm-up and were resolved after it count: this is a flow over time.
    """
    done = run.resolved_in_window.astype(np.float64)
    return [run.flow(done.sum(), run.length_s / 3600.0, done, run.log.tickets)]


@_figure("s", "lower", "tickets with a first response", MEAN, main="Speed")
def first_response_mean(run: Population) -> Rows:
    """Mean time from arrival to first response, over tickets that had one."""
    return run.split(run.response_s)


@_figure("s", "lower", "tickets with a first response", QUANTILE)
def first_response_median(run: Population) -> Rows:
    """Median time from arrival to first response, over tickets that had one."""
    return run.split(run.response_s, 0.5)


@_figure("s", "lower", "tickets with a first response", QUANTILE, main="Speed")
def first_response_p90(run: Population) -> Rows:
    """90th percentile of time from arrival to first response, over tickets that had one."""
    return run.split(run.response_s, 0.9)


@_figure("s", "lower", "tickets with a first response", QUANTILE)
def first_response_p95(run: Population) -> Rows:
    """95th percentile of time from arrival to first response, over tickets that had one."""
    return run.split(run.response_s, 0.95)


@_figure("s", "lower", "resolved tickets", MEAN, main="Speed")
def resolution_mean(run: Population) -> Rows:
    """Mean time from arrival to last resolution, over resolved tickets."""
    return run.split(run.resolved_s - run.arrived_s)


@_figure("s", "lower", "resolved tickets", QUANTILE)
def resolution_median(run: Population) -> Rows:
    """Median time from arrival to last resolution, over resolved tickets."""
    return run.split(run.resolved_s - run.arrived_s, 0.5)


@_figure("s", "lower", "resolved tickets", QUANTILE, main="Speed")
def resolution_p90(run: Population) -> Rows:
    """90th percentile of time from arrival to last resolution, over resolved tickets."""
    return run.split(run.resolved_s - run.arrived_s, 0.9)


@_figure("s", "lower", "resolved tickets", QUANTILE)
def resolution_p95(run: Population) -> Rows:
    """95th percentile of time from arrival to last resolution, over resolved tickets."""
    return run.split(run.resolved_s - run.arrived_s, 0.95)


@_figure("share", "higher", "tickets whose promise is kept or broken", RATIO, main="Speed",
         guarded=False)  # fmt: skip
def service_level(run: Population) -> Rows:
    """Share of tickets with a first response within the target of their priority.

    Abandoned without a response, or open without one and past the target: missed. Open and not yet
    past it: left out, like priorities without a target. Time counts by the clock of the targets.
    The assistant's reply counts like a person's: it says nothing of how long people wait for one
    (see human_service_level).
    """
    return run.within(run.tickets["responded_s"].to_numpy(), run.scenario.targets.first_response)


@_figure("s", "lower", "tickets that needed a person and got a reply", MEAN)
def human_response_mean(run: Population) -> Rows:
    """Mean time until a person replies, from when a ticket first waits for one.

    Over tickets that waited for an agent and got a reply from one: an agent takes the ticket up
    to answer it, or approves a draft. Those without such a reply, abandoned or open, are left out:
    it can fall because customers leave.
    """
    return run.split(run.human_response_s)


@_figure("s", "lower", "tickets that needed a person and got a reply", QUANTILE)
def human_response_median(run: Population) -> Rows:
    """Median time until a person replies, as in human_response_mean."""
    return run.split(run.human_response_s, 0.5)


@_figure("s", "lower", "tickets that needed a person and got a reply", QUANTILE, main="Speed")
def human_response_p90(run: Population) -> Rows:
    """90th percentile of time until a person replies, as in human_response_mean."""
    return run.split(run.human_response_s, 0.9)


@_figure("s", "lower", "tickets that needed a person and got a reply", QUANTILE)
def human_response_p95(run: Population) -> Rows:
    """95th percentile of time until a person replies, as in human_response_mean."""
    return run.split(run.human_response_s, 0.95)


@_figure("share", "higher", "tickets that need a person, promise kept or broken", RATIO,
         main="Speed", guarded=False)  # fmt: skip
def human_service_level(run: Population) -> Rows:
    """Share with a person's reply within the target of their priority, if they need a person.

    Of tickets that waited for an agent, and from when they first did. Targets are those of
    targets.first_human_response, else of targets.first_response. Abandoned without such a reply,
    or open without one and past the target: missed. Open and not yet past it: left out. It says
    nothing of tickets that the assistant settled alone.
    """
    targets = run.scenario.targets
    promised = targets.first_human_response or targets.first_response
    return run.within(run.human_replied_s, promised, run.human_wanted_s)


@_figure("share", "higher", "tickets whose promise is kept or broken", RATIO, guarded=False)
def resolution_within_target(run: Population) -> Rows:
    """Share of tickets resolved (for the last time) within the target of their priority.

    Abandoned, or open and past the target: missed. Open and not yet past it: left out, like
    priorities without a target. Time counts by the clock of the targets.
    """
    return run.within(run.resolved_s, run.scenario.targets.resolution)


@_figure("s", "lower", "visits started or abandoned", MEAN, main="Speed")
def agent_wait_mean(run: Population) -> Rows:
    """Mean wait in the agents' queue, over visits that were started or abandoned there.

    Visits to handle, to categorize and to review alike, and each of a ticket's visits; those still
    waiting at the horizon are left out.
    """
    return [run.row(run.waits_s, of=run.waited)]


@_figure("share", "lower", "visits started or abandoned", RATIO)
def agent_wait_share(run: Population) -> Rows:
    """Share that had to wait for an agent, over visits that were started or abandoned."""
    return [run.row(run.waits_s > ROUNDING_S, of=run.waited)]


@_figure("tickets", "lower", "time after warm-up", RATIO, main="Demand")
def backlog(run: Population) -> Rows:
    """Open tickets, averaged over time; reopened ones count again until they are resolved."""
    timeline = run.log.timeline
    after_s = run.log.horizon_s - np.maximum(timeline["time_s"].to_numpy(), run.start_s)
    parts = levels.backlog_changes(run.log) * np.maximum(after_s, 0.0)
    return [run.flow(run.area(levels.backlog(run.log)), run.length_s, parts, timeline)]


@_figure("visits", "lower", "time after warm-up", RATIO)
def queue(run: Population) -> Rows:
    """Visits waiting for an agent, averaged over time."""
    visits = run.log.visits
    waits = run.within_window(visits["queued_s"].to_numpy(), levels.wait_ends(visits))
    return [run.flow(run.area(levels.queue(run.log)), run.length_s, waits, visits)]


def _by_pool(run: Population, work: Literal["used", "busy"]) -> Rows:
    """Work of a kind over staffed time, in all and by pool."""
    visits = run.log.visits
    worked = run.within_window(visits["started_s"].to_numpy(), visits["ended_s"].to_numpy())
    total, staffed = (sum(getattr(p, name) for p in run.pools) for name in (work, "staffed"))
    rows = [run.flow(total, staffed, worked, visits)]
    for p in run.pools:
        mine = np.where((visits["pool"] == p.pool).to_numpy(), worked, 0.0)
        rows.append(run.flow(getattr(p, work), p.staffed, mine, visits, p.pool))
    return rows


@_figure("share", "", "staffed time after warm-up", RATIO, main="People")
def occupancy(run: Population) -> Rows:
    """Share of staffed time in which agents are busy, in all and by pool.

    Work past the end of a shift is not in it: busy counts up to the number staffed.
    """
    return _by_pool(run, "used")


@_figure("ratio", "", "staffed time after warm-up", RATIO)
def workload_ratio(run: Population) -> Rows:
    """Agents' work over staffed time, work past the end of shifts included, in all and by pool.

    Above 1 where agents go on after their shifts. It says nothing of work that still waits.
    """
    return _by_pool(run, "busy")


@_figure("share", "higher", "arrivals", RATIO, main="Outcome", guarded=False)
def solved(run: Population) -> Rows:
    """Share of all customers who were helped by the horizon, whoever did it.

    Over all arrivals: resolved, and the last answer solved the problem. Abandoned, resolved
    without a solution and still open ones count as not helped, so that a desk gains nothing by
    leaving tickets open; in a short run those that came last weigh on it. Missing where it is not
    known whether answers solved, as in the history of a real desk.
    """
    return [run.row(run.helped)]


@_figure("share", "higher", "tickets resolved or abandoned", RATIO, main="Outcome")
def containment(run: Population) -> Rows:
    """Share resolved by the assistant, without any agent and never reopened.

    Over tickets resolved or abandoned; open ones are left out.
    """
    alone = run.resolved & (run.tickets["resolved_by"] == "assistant").to_numpy()
    alone &= (run.tickets["reopens"] == 0).to_numpy() & ~run.ever(run.log.visits)
    return [run.row(alone, run.finished)]


@_figure("share", "lower", "arrivals", RATIO, main="Outcome")
def escalation_rate(run: Population) -> Rows:
    """Share of tickets that were ever Escalated, over all arrivals, open and abandoned included."""
    timeline = run.log.timeline
    return [run.row(run.ever(timeline[timeline["status"] == "Escalated"]))]


@_figure("share", "lower", "tickets ever resolved", RATIO, main="Outcome")
def reopen_rate(run: Population) -> Rows:
    """Share reopened at least once, over tickets ever resolved, whatever became of them."""
    reopened = (run.tickets["reopens"] > 0).to_numpy()
    return [run.row(reopened & run.ever_resolved, run.ever_resolved)]


@_figure("share", "lower", "tickets resolved or abandoned", RATIO, main="Outcome",
         guarded=False)  # fmt: skip
def abandonment_rate(run: Population) -> Rows:
    """Share abandoned, over tickets resolved or abandoned; open ones are left out."""
    return [run.row(run.abandoned, run.finished)]


@_figure("share", "lower", "arrivals", RATIO, guarded=False)
def blocked_share(run: Population) -> Rows:
    """Share turned away because all places to wait were taken, over all arrivals.

    They are abandoned, too. There only where queue.capacity is set: else nobody is turned away.
    Who was put off by the length of the queue (queue.balking) is in abandonment_rate alone.
    """
    if run.scenario.queue.capacity is None:
        return []
    visits = run.log.visits
    return [run.row(run.ever(visits[(visits["end"] == "blocked").to_numpy()]))]


@_figure("share", "higher", "tickets that go by the assistant's category", RATIO, main="Outcome")
def categorization_accuracy(run: Population) -> Rows:
    """Share categorized rightly, over tickets that go by the assistant's category.

    In all and by true category. Open and abandoned ones included; those handed to an agent to
    categorize are not.
    """
    tickets = run.categorized
    right = tickets["category"].astype(object) == tickets["category_true"].astype(object)
    return run.by_category(right, tickets)


@_figure("0-1", "higher", "answers of the assistant", MEAN)
def quality(run: Population) -> Rows:
    """Mean judged quality of the assistant's answers, 0 to 1, in all and by true category.

    Over tickets that it answered and whose answer was judged, open and abandoned ones included.
    It says nothing of tickets that agents answered.
    """
    tickets = run.tickets[run.tickets["quality"].notna().to_numpy()]
    return run.by_category(tickets["quality"], tickets)


@_figure("share", "", "tickets that go by the assistant's category", RATIO)
def confusion(run: Population) -> Rows:
    """Share of a true category's tickets given each category ("true -> given") by the assistant.

    Over tickets that go by the assistant's category, open and abandoned ones included.
    """
    tickets = run.categorized
    true, given = pd.Categorical(tickets["category_true"]), pd.Categorical(tickets["category"])
    width = len(given.categories)
    cells = true.codes.astype(np.int64) * width + given.codes
    table = np.bincount(cells, minlength=len(true.categories) * width).reshape(-1, max(width, 1))
    # Cells of 0 stay: each is a count out of the category's tickets.
    return [
        Row(f"{name} -> {other}", float(table[k, j]), float(table[k].sum()))
        for k, name in enumerate(true.categories)
        for j, other in enumerate(given.categories)
        if table[k].any()
    ]


@_figure("share", "higher", "ratings", RATIO, main="Outcome")
def csat(run: Population) -> Rows:
    """Share of ratings that are 4 or 5; a ticket rated twice counts twice.

    In all and by true category. Who gave up is not asked: it can rise because customers leave
    (see csat_all).
    """
    return run.by_category(run.satisfied, run.ratings)


@_figure("share", "higher", "arrivals", RATIO, main="Outcome", guarded=False)
def csat_all(run: Population) -> Rows:
    """Share of all customers who are satisfied: who gave up or still waits is not.

    Over all arrivals. Resolved tickets that nobody rated count like those that were: the share of
    ratings that are 4 or 5, times the resolved tickets. Missing where some are resolved and none
    is rated.
    """
    resolved, ratings = float(run.resolved.sum()), len(run.satisfied)
    if resolved and not ratings:
        return [Row("", 0.0, 0.0)]
    rate = float(run.satisfied.mean()) if resolved else 0.0
    of_ratings = run.row(run.satisfied, of=run.ratings)
    of_tickets = run.row(run.resolved)
    texts = None
    if of_ratings.texts is not None and of_tickets.texts is not None:
        (happy, rated), (done, came) = of_ratings.texts, of_tickets.texts
        shares = np.divide(happy, rated, out=np.full(len(rated), rate), where=rated > 0)
        texts = np.stack([shares * done, came])
    return [Row("", rate * resolved, float(len(run.tickets)), texts)]


@_figure("1-5", "higher", "ratings", MEAN, main="Outcome")
def rating_mean(run: Population) -> Rows:
    """Mean rating, 1 to 5."""
    return [run.row(run.ratings["rating"], of=run.ratings)]


@_figure("share", "", "ratings", RATIO)
def rating_share(run: Population) -> Rows:
    """Share of ratings with each number of stars."""
    stars = run.ratings["rating"].to_numpy()
    return [run.row(stars == k, of=run.ratings, group=str(k)) for k in range(1, 6)]


@_figure("share", "", "tickets ever resolved", RATIO)
def rated_share(run: Population) -> Rows:
    """Share rated at least once, over tickets ever resolved, whatever became of them."""
    return [run.row(run.ever(run.log.ratings) & run.ever_resolved, run.ever_resolved)]


def _per_arrival(run: Population, column: str, calls: pd.DataFrame) -> Rows:
    return [run.row(run.by_ticket(calls, column))]


@_figure("tokens/ticket", "lower", "arrivals", RATIO)
def prompt_tokens(run: Population) -> Rows:
    """Tokens sent to models, per arrival; failed calls count none."""
    return _per_arrival(run, "prompt_tokens", run.calls)


@_figure("tokens/ticket", "lower", "arrivals", RATIO)
def completion_tokens(run: Population) -> Rows:
    """Tokens written by models, per arrival; failed calls count none."""
    return _per_arrival(run, "completion_tokens", run.calls)


@_figure("USD/ticket", "lower", "arrivals", RATIO, main="Cost")
def model_cost(run: Population) -> Rows:
    """Price of model calls per arrival; missing if the price of any call is unknown."""
    return _per_arrival(run, "cost_usd", run.ended_calls)


@_figure("USD/ticket", "lower", "arrivals", RATIO, main="Cost", follows_load=True)
def human_cost(run: Population) -> Rows:
    """Paid time of agents per arrival: time on shift, busy or not, and work past its end.

    Missing unless all pools that work have a cost.
    """
    return [Row("", run.human_usd, float(len(run.tickets)))]


@_figure("USD/ticket", "lower", "tickets resolved after warm-up", RATIO, main="Cost",
         follows_load=True)  # fmt: skip
def cost_per_resolution(run: Population) -> Rows:
    """Model and human cost together, over tickets resolved (as in throughput).

    Resolved is not solved, and a desk that serves only what is easy looks cheap: see
    helped_per_dollar and solved.
    """
    done = run.resolved_in_window.astype(np.float64)
    resolved = run.flow(done.sum(), 1.0, done, run.log.tickets)
    return [run.over_flow(run.total_usd, resolved)]


@_figure("USD/ticket", "lower", "arrivals", RATIO, follows_load=True)
def cost_per_arrival(run: Population) -> Rows:
    """Model and human cost together, per arrival, whatever became of it.

    It falls when fewer are helped at less cost: read it beside solved.
    """
    return [Row("", run.total_usd, float(len(run.tickets)))]


@_figure("USD/week", "lower", "spending after warm-up", RATIO, main="Cost", follows_load=True)
def cost_week(run: Population) -> Rows:
    """Model and human cost together, per week of 168 hours.

    What is paid, however much is done for it: read it beside solved. Where the time measured is no
    whole number of weeks, shifts are paid as in the first week of the roster, so that a run from
    Monday to Wednesday knows of the weekend; work past their end and model calls are scaled up.
    """
    weeks = run.length_s / WEEK_S
    return [Row("", run.total_usd + run.roster_usd(weeks), weeks)]


@_figure("customers/USD", "higher", "arrivals", RATIO, main="Cost", follows_load=True)
def helped_per_dollar(run: Population) -> Rows:
    """Customers helped (as in solved) per dollar of model and human cost.

    Those who were not helped are in the cost and not in the count. A desk that helps few very
    cheaply stands high: read it beside solved.
    """
    helped = run.helped
    return [run.flow(helped.sum(), run.total_usd, np.nan_to_num(helped), run.tickets)]


@_figure("s", "lower", "model calls that ended", MEAN, main="Model")
def quota_wait_mean(run: Population) -> Rows:
    """Mean length of pauses after answers 429, over model calls that ended."""
    return [run.row(run.ended_calls["quota_wait_s"], of=run.ended_calls)]


@_figure("share", "lower", "attempts of model calls", RATIO, main="Model")
def rate_limited_share(run: Population) -> Rows:
    """Share of attempts answered 429, over attempts of model calls."""
    calls = run.calls
    return [run.row(calls["rate_limited"], calls["attempts"], of=calls)]


@_figure("share", "lower", "model calls that ended", RATIO, main="Model")
def call_failure_share(run: Population) -> Rows:
    """Share of model calls that failed for good, over calls that ended."""
    return [run.row(run.ended_calls["outcome"] != "ok", of=run.ended_calls)]


@_figure("s", "lower", "model calls that were answered", MEAN, main="Model")
def model_latency_mean(run: Population) -> Rows:
    """Mean time from sending the last attempt to the answer, over calls that were answered."""
    good = run.calls[(run.calls["outcome"] == "ok").to_numpy()]
    return [run.row(good["ended_s"] - good["started_s"], of=good)]


# The figures shown first, by section.
MAIN_FIGURES: dict[str, tuple[str, ...]] = {
    section: tuple(figure.name for figure in FIGURES.values() if figure.main == section)
    for section in get_args(Section)
    if section
}
MAIN = tuple(name for names in MAIN_FIGURES.values() for name in names)
# Those of them that can be better or worse: fewer rows of a comparison, so narrower intervals.
JUDGED = tuple(name for name in MAIN if FIGURES[name].better)
# Figures that get worse when customers are lost or left to wait.
GUARDS = ("solved", "abandonment_rate", "backlog")


def figure_of(name: str) -> tuple[str, str]:
    """Name and group of a figure given as "service_level" or "service_level:urgent".

    Raises
    ------
    ValueError
        If there is no such figure.

    Examples
    --------
    >>> figure_of("service_level"), figure_of("service_level: urgent")
    (('service_level', ''), ('service_level', 'urgent'))
    """
    kpi, _, group = (part.strip() for part in name.partition(":"))
    if kpi not in FIGURES:
        raise ValueError(f'no figure "{kpi}"; {nearest(kpi, FIGURES)} (`twin kpis` lists them)')
    return kpi, group


def kpi_table() -> pd.DataFrame:
    """Every figure: its name, unit, which direction is better, and what it is.

    Returns
    -------
    DataFrame
        Columns kpi, unit, better ("higher", "lower" or "": neither), description, population
        (what it covers), estimation ("mean", "ratio" or "quantile"), main (section of the main
        figures, or ""), gone (what abandoned and open tickets do to it), judged (when a difference
        is called better or worse); see `twin.measures.figure.Figure`.

    Examples
    --------
    >>> import twin
    >>> twin.kpi_table().set_index("kpi").at["csat", "better"]
    'higher'
    """
    rows = [
        asdict(figure)
        | {"kpi": figure.name, "description": figure.description, "gone": figure.gone}
        | {"judged": figure.when_judged}
        for figure in FIGURES.values()
    ]
    columns = ["kpi", "unit", "better", "description", "population", "estimation", "main",
               "gone", "judged"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


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
        rows with a group: the priorities that occur, the pools, the stars, categories, pairs of
        categories.

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
        (figure.name, row.group, figure.unit, row.numerator, row.denominator, _packed(run, row))
        for figure in FIGURES.values()
        for row in figure.rows(run)
    ]
    names, groups, units, numerators, denominators, by_text = map(list, zip(*rows, strict=True))
    over, under = np.array(numerators), np.array(denominators)
    value = np.divide(over, under, out=np.full(len(over), np.nan), where=under != 0)
    return tables.frame(
        "kpis",
        {
            "kpi": names,
            "group": groups,
            "unit": units,
            "numerator": over,
            "denominator": under,
            "value": value,
            "by_text": by_text,
        },
    )


def _packed(run: Population, row: Row) -> bytes:
    """The column by_text: number of texts, numerators, denominators; empty without texts."""
    if row.texts is None:
        return b""
    return np.concatenate([[float(run.texts)], row.texts.ravel()]).astype("<f8").tobytes()
