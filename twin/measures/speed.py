"""Figures of demand and speed: arrivals, throughput, responses, resolutions, waits, backlog."""

from __future__ import annotations

import numpy as np

from twin.measures import levels
from twin.measures.figure import MEAN, QUANTILE, RATIO, figure
from twin.measures.population import Population
from twin.measures.promises import ROUNDING_S, human_targets
from twin.measures.rows import Row, Rows
from twin.stats.quantiles import Floats


def _resolution_s(run: Population) -> Floats:
    """Time from arrival to the last resolution of resolved tickets; one array for all figures."""
    return run.tickets.made("resolution_s", lambda: run.resolved_s - run.arrived_s)


@figure("tickets", "", "arrivals", MEAN, main="Demand")
def arrivals(run: Population) -> Rows:
    """Tickets that arrived."""
    counts = {"": run.count}
    for name, of in run.by_channel.items():
        counts[name] = run.totals.of((name,), lambda of=of: float(of.sum()))  # type: ignore[misc]
    return [Row(name, count, 1.0) for name, count in counts.items()]


@figure("tickets/h", "higher", "resolutions after warm-up", RATIO, main="Demand",
         follows_load=True)  # fmt: skip
def throughput(run: Population) -> Rows:
    """Resolved tickets an hour, by the moment of their last resolution.

    Tickets that came during warm-up and were resolved after it count: this is a flow over time.
    """
    done = run.resolved_in_window.astype(np.float64)
    total = run.totals.of(("resolved",), done.sum)
    return [run.flow(total, run.length_s / 3600.0, done, run.log.arrays("tickets"))]


@figure("s", "lower", "tickets with a first response", MEAN, main="Speed")
def first_response_mean(run: Population) -> Rows:
    """Mean time from arrival to first response, over tickets that had one."""
    return run.split(run.response_s)


@figure("s", "lower", "tickets with a first response", QUANTILE)
def first_response_median(run: Population) -> Rows:
    """Median time from arrival to first response, over tickets that had one."""
    return run.split(run.response_s, 0.5)


@figure("s", "lower", "tickets with a first response", QUANTILE, main="Speed")
def first_response_p90(run: Population) -> Rows:
    """90th percentile of time from arrival to first response, over tickets that had one."""
    return run.split(run.response_s, 0.9)


@figure("s", "lower", "tickets with a first response", QUANTILE)
def first_response_p95(run: Population) -> Rows:
    """95th percentile of time from arrival to first response, over tickets that had one."""
    return run.split(run.response_s, 0.95)


@figure("s", "lower", "resolved tickets", MEAN, main="Speed")
def resolution_mean(run: Population) -> Rows:
    """Mean time from arrival to last resolution, over resolved tickets."""
    return run.split(_resolution_s(run))


@figure("s", "lower", "resolved tickets", QUANTILE)
def resolution_median(run: Population) -> Rows:
    """Median time from arrival to last resolution, over resolved tickets."""
    return run.split(_resolution_s(run), 0.5)


@figure("s", "lower", "resolved tickets", QUANTILE, main="Speed")
def resolution_p90(run: Population) -> Rows:
    """90th percentile of time from arrival to last resolution, over resolved tickets."""
    return run.split(_resolution_s(run), 0.9)


@figure("s", "lower", "resolved tickets", QUANTILE)
def resolution_p95(run: Population) -> Rows:
    """95th percentile of time from arrival to last resolution, over resolved tickets."""
    return run.split(_resolution_s(run), 0.95)


@figure("share", "higher", "tickets whose promise is kept or broken", RATIO, main="Speed",
         guarded=False)  # fmt: skip
def service_level(run: Population) -> Rows:
    """Share of tickets with a first response within the target of their priority.

    Abandoned without a response, or open without one and past the target: missed. Open and not yet
    past it: left out, like priorities without a target. Time counts by the clock of the targets.
    The assistant's reply counts like a person's: it says nothing of how long people wait for one
    (see human_service_level).
    """
    targets = run.scenario.targets
    own = targets.first_response_by_channel
    done_s = run.tickets["responded_s"]
    return run.within(done_s, targets.first_response, by_channel=own)


@figure("s", "lower", "tickets that needed a person and got a reply", MEAN)
def human_response_mean(run: Population) -> Rows:
    """Mean time until a person replies, from when a ticket first waits for one.

    Over tickets that waited for an agent and got a reply from one: an agent takes the ticket up
    to answer it, or approves a draft. Those without such a reply, abandoned or open, are left out:
    it can fall because customers leave.
    """
    return run.split(run.human_response_s)


@figure("s", "lower", "tickets that needed a person and got a reply", QUANTILE)
def human_response_median(run: Population) -> Rows:
    """Median time until a person replies, as in human_response_mean."""
    return run.split(run.human_response_s, 0.5)


@figure("s", "lower", "tickets that needed a person and got a reply", QUANTILE, main="Speed")
def human_response_p90(run: Population) -> Rows:
    """90th percentile of time until a person replies, as in human_response_mean."""
    return run.split(run.human_response_s, 0.9)


@figure("s", "lower", "tickets that needed a person and got a reply", QUANTILE)
def human_response_p95(run: Population) -> Rows:
    """95th percentile of time until a person replies, as in human_response_mean."""
    return run.split(run.human_response_s, 0.95)


@figure("share", "higher", "tickets that need a person, promise kept or broken", RATIO,
         main="Speed", guarded=False)  # fmt: skip
def human_service_level(run: Population) -> Rows:
    """Share with a person's reply within the target of their priority, if they need a person.

    Of tickets that waited for an agent, and from when they first did. Targets are those of
    targets.first_human_response, else of targets.first_response. Abandoned without such a reply,
    or open without one and past the target: missed. Open and not yet past it: left out. It says
    nothing of tickets that the assistant settled alone.
    """
    promised, own = human_targets(run.scenario.targets)
    return run.within(run.human_replied_s, promised, run.human_wanted_s, by_channel=own)


@figure("share", "higher", "tickets whose promise is kept or broken", RATIO, guarded=False)
def resolution_within_target(run: Population) -> Rows:
    """Share of tickets resolved (for the last time) within the target of their priority.

    Abandoned, or open and past the target: missed. Open and not yet past it: left out, like
    priorities without a target. Time counts by the clock of the targets, and not while a ticket is
    in one of the statuses of targets.pauses.
    """
    paused_s = run.paused_s if run.scenario.targets.pauses else 0.0
    targets = run.scenario.targets
    own = targets.resolution_by_channel
    return run.within(run.resolved_s, targets.resolution, paused_s=paused_s, by_channel=own)


@figure("s", "lower", "visits started or abandoned", MEAN, main="Speed")
def agent_wait_mean(run: Population) -> Rows:
    """Mean wait in the agents' queue, over visits that were started or abandoned there.

    Visits to handle, to categorize and to review alike, and each of a ticket's visits; those still
    waiting at the horizon are left out.
    """
    return run.by("channel", run.waits_s, of=run.waited)


@figure("share", "lower", "visits started or abandoned", RATIO)
def agent_wait_share(run: Population) -> Rows:
    """Share that had to wait for an agent, over visits that were started or abandoned."""
    return run.by("channel", run.waits_s > ROUNDING_S, of=run.waited)


@figure("tickets", "lower", "time after warm-up", RATIO, main="Demand")
def backlog(run: Population) -> Rows:
    """Open tickets, averaged over time; reopened ones count again until they are resolved."""
    timeline = run.log.arrays("timeline")
    after_s = run.log.horizon_s - np.maximum(timeline["time_s"], run.start_s)
    changes = levels.backlog_changes(run.log).astype(np.float64)
    parts = changes * np.maximum(after_s, 0.0)
    return [run.flow(run.area("backlog"), run.length_s, parts, timeline)]


@figure("visits", "lower", "time after warm-up", RATIO)
def queue(run: Population) -> Rows:
    """Visits waiting for an agent, averaged over time."""
    visits = run.log.arrays("visits")
    waits = run.within_window(visits["queued_s"], levels.wait_ends(visits))
    return [run.flow(run.area("queue"), run.length_s, waits, visits)]
