"""Figures of people and outcomes: occupancy, solved and lost tickets, categories, ratings."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from twin.measures.figure import MEAN, RATIO, figure
from twin.measures.population import Population
from twin.measures.rows import Row, Rows


def _by_pool(run: Population, work: Literal["used", "busy"]) -> Rows:
    """Work of a kind over staffed time, in all and by pool."""
    visits = run.log.arrays("visits")
    worked = run.within_window(visits["started_s"], visits["ended_s"])
    total, staffed = (
        float(np.sum([getattr(p, name) for p in run.pools])) for name in (work, "staffed")
    )
    rows = [run.flow(total, staffed, worked, visits)]
    for p in run.pools:
        mine = np.where(visits.among("pool", [p.pool]), worked, 0.0)
        rows.append(run.flow(getattr(p, work), p.staffed, mine, visits, p.pool))
    return rows


@figure("share", "", "staffed time after warm-up", RATIO, main="People")
def occupancy(run: Population) -> Rows:
    """Share of staffed time in which agents are busy, in all and by pool.

    An agent with anything in hand is busy, whatever places of the concurrency it takes. Work past
    the end of a shift is not in it: busy counts up to the number staffed.
    """
    return _by_pool(run, "used")


@figure("ratio", "", "staffed time after warm-up", RATIO)
def workload_ratio(run: Population) -> Rows:
    """Agents' work over staffed time, work past the end of shifts included, in all and by pool.

    Above 1 where agents go on after their shifts. It says nothing of work that still waits.
    """
    return _by_pool(run, "busy")


@figure("share", "", "staffed time after warm-up", RATIO, main="People")
def away_share(run: Population) -> Rows:
    """Share of staffed time in which agents are away, in all and by pool.

    Only where agents come and go (agents.POOL.away); in all counts the time of those pools alone.
    """
    pools = [p for p in run.pools if run.scenario.agents[p.pool].away is not None]
    if not pools:
        return []
    of = [("", pools), *((p.pool, [p]) for p in pools)]
    return [Row(group, math.fsum(p.away for p in some), math.fsum(p.staffed for p in some))
            for group, some in of]  # fmt: skip


@figure("share", "higher", "arrivals", RATIO, main="Outcome", guarded=False)
def solved(run: Population) -> Rows:
    """Share of all customers who were helped by the horizon, whoever did it.

    Over all arrivals: resolved, and the last answer solved the problem. Abandoned, resolved
    without a solution and still open ones count as not helped, so that a desk gains nothing by
    leaving tickets open; in a short run those that came last weigh on it. Missing where it is not
    known whether answers solved, as in the history of a real desk.
    """
    return run.by("channel", run.helped)


@figure("share", "higher", "tickets resolved or abandoned", RATIO, main="Outcome")
def containment(run: Population) -> Rows:
    """Share resolved by the assistant, without any agent and never reopened.

    Over tickets resolved or abandoned; open ones are left out.
    """
    alone = run.resolved & run.tickets.among("resolved_by", ["assistant"])
    alone &= (run.tickets["reopens"] == 0) & ~run.ever(run.log.arrays("visits"))
    return [run.row(alone, run.finished)]


@figure("share", "lower", "arrivals", RATIO, main="Outcome")
def escalation_rate(run: Population) -> Rows:
    """Share of tickets that were ever Escalated, over all arrivals, open and abandoned included."""
    timeline = run.log.arrays("timeline")
    return [run.row(run.ever(timeline.at(timeline.among("status", ["Escalated"]))))]


@figure("share", "lower", "tickets ever resolved", RATIO, main="Outcome")
def reopen_rate(run: Population) -> Rows:
    """Share reopened at least once, over tickets ever resolved, whatever became of them."""
    reopened = run.tickets["reopens"] > 0
    return [run.row(reopened & run.ever_resolved, run.ever_resolved)]


@figure("share", "lower", "tickets resolved or abandoned", RATIO, main="Outcome",
         guarded=False)  # fmt: skip
def abandonment_rate(run: Population) -> Rows:
    """Share abandoned, over tickets resolved or abandoned; open ones are left out."""
    return run.by("channel", run.abandoned, run.finished)


@figure("share", "lower", "arrivals", RATIO, guarded=False)
def blocked_share(run: Population) -> Rows:
    """Share turned away because all places to wait were taken, over all arrivals.

    They are abandoned, too, or try again. There only where queue.capacity is set: else nobody is
    turned away.
    Who was put off by the length of the queue (queue.balking) is in abandonment_rate alone.
    """
    if run.scenario.queue.capacity is None:
        return []
    visits = run.log.arrays("visits")
    return [run.row(run.ever(visits.at(visits.among("end", ["blocked"]))))]


@figure("share", "lower", "arrivals", RATIO, guarded=False)
def first_attempt_abandonment(run: Population) -> Rows:
    """Share who left at their first attempt to reach an agent, over all arrivals.

    Gave up, were turned away or put off, whether or not they tried again. There only where
    customers.retrial is set: abandonment_rate tells who was lost for good, and who will try again
    is open until then.
    """
    if run.scenario.customers.retrial is None:
        return []
    visits = run.visits.at(run.visits.known("queued_s"))
    visits = visits.at(np.lexsort((visits["queued_s"], visits["ticket_id"])))
    first = visits.at(np.diff(visits["ticket_id"], prepend=-1) != 0)
    left = first.at(first.among("end", ["abandoned", "blocked", "balked"]))
    return run.by("channel", run.ever(left))


@figure("share", "higher", "tickets that go by the assistant's category", RATIO, main="Outcome")
def categorization_accuracy(run: Population) -> Rows:
    """Share categorized rightly, over tickets that go by the assistant's category.

    In all and by true category. Open and abandoned ones included; those handed to an agent to
    categorize are not.
    """
    tickets = run.categorized
    codes, names = tickets.codes("category")
    true, true_names = tickets.codes("category_true")
    # Places in the list of true names; what is not in it is right for none.
    places = [true_names.index(name) if name in true_names else -2 for name in (*names, None)]
    right = np.array(places)[codes] == true
    return run.by("category_true", right, of=tickets)


@figure("0-1", "higher", "answers of the assistant", MEAN)
def quality(run: Population) -> Rows:
    """Mean judged quality of the assistant's answers, 0 to 1, in all and by true category.

    Over tickets that it answered and whose answer was judged, open and abandoned ones included.
    It says nothing of tickets that agents answered.
    """
    tickets = run.tickets.at(run.tickets.known("quality"))
    return run.by("category_true", tickets["quality"], of=tickets)


@figure("share", "", "tickets that go by the assistant's category", RATIO)
def confusion(run: Population) -> Rows:
    """Share of a true category's tickets given each category ("true -> given") by the assistant.

    Over tickets that go by the assistant's category, open and abandoned ones included.
    """
    tickets = run.categorized
    true, true_names = tickets.codes("category_true")
    given, given_names = tickets.codes("category")
    width = len(given_names)
    cells = true.astype(np.int64) * width + given
    size = len(true_names) * width
    table = run.totals.of(
        ("pairs",), lambda: np.bincount(cells, minlength=size).reshape(-1, max(width, 1))
    )
    # Cells of 0 stay: each is a count out of the category's tickets.
    return [
        Row(f"{name} -> {other}", float(table[k, j]), float(table[k].sum()))
        for k, name in enumerate(true_names)
        for j, other in enumerate(given_names)
        if table[k].any()
    ]


@figure("share", "higher", "ratings", RATIO, main="Outcome")
def csat(run: Population) -> Rows:
    """Share of ratings that are 4 or 5; a ticket rated twice counts twice.

    In all, by true category and by channel. Who gave up is not asked: it can rise because customers
    leave (see csat_all).
    """
    by_category = run.by("category_true", run.satisfied, of=run.ratings)
    return by_category + run.by("channel", run.satisfied, of=run.ratings)[1:]


@figure("share", "higher", "arrivals", RATIO, main="Outcome", guarded=False)
def csat_all(run: Population) -> Rows:
    """Share of all customers who are satisfied: who gave up or still waits is not.

    Over all arrivals. Resolved tickets that nobody rated count like those that were: the share of
    ratings that are 4 or 5, times the resolved tickets. Missing where some are resolved and none
    is rated.
    """
    of_ratings = run.row(run.satisfied, of=run.ratings, key=("ratings",))
    of_tickets = run.row(run.resolved, key=("tickets",))
    resolved, ratings = of_tickets.numerator, of_ratings.denominator
    if resolved and not ratings:
        return [Row("", 0.0, 0.0)]
    rate = of_ratings.numerator / ratings if resolved else 0.0
    texts = None
    if of_ratings.texts is not None and of_tickets.texts is not None:
        (happy, rated), (done, came) = of_ratings.texts, of_tickets.texts
        shares = np.divide(happy, rated, out=np.full(len(rated), rate), where=rated > 0)
        texts = np.stack([shares * done, came])
    return [Row("", rate * resolved, of_tickets.denominator, texts)]


@figure("1-5", "higher", "ratings", MEAN, main="Outcome")
def rating_mean(run: Population) -> Rows:
    """Mean rating, 1 to 5."""
    return [run.row(run.ratings["rating"], of=run.ratings)]


@figure("share", "", "ratings", RATIO)
def rating_share(run: Population) -> Rows:
    """Share of ratings with each number of stars."""
    stars = run.ratings["rating"]
    return [run.row(stars == k, of=run.ratings, group=str(k)) for k in range(1, 6)]


@figure("share", "", "tickets ever resolved", RATIO)
def rated_share(run: Population) -> Rows:
    """Share rated at least once, over tickets ever resolved, whatever became of them."""
    return [run.row(run.ever(run.log.arrays("ratings")) & run.ever_resolved, run.ever_resolved)]
