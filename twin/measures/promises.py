"""The service level, ticket by ticket: whether a promise of the targets was kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.measures import levels
from twin.scenario.calendars import desk_hours

if TYPE_CHECKING:
    from twin.records.arrays import Arrays
    from twin.records.tables import RunLog
    from twin.scenario.model import Scenario, Targets

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Moments are sums of floats: what is late by less than this is rounding, not lateness.
ROUNDING_S = 1e-6


def spent_s(begun_s: Floats, until_s: Floats, scenario: Scenario) -> Floats:
    """Time between moments, by the clock of the targets."""
    if scenario.targets.clock == "desk hours":
        hours = desk_hours(scenario)
        return hours.integral(until_s) - hours.integral(begun_s)
    return until_s - begun_s


def paused_s(log: RunLog, scenario: Scenario) -> Floats:
    """Time of each ticket, shape (n,), for which the clock of its resolution stood still; seconds.

    It is spent in the statuses of ``targets.pauses``, by the clock of the targets.
    """
    ticket, begun_s, ended_s = levels.spells(log, scenario.targets.pauses)
    spent = spent_s(begun_s, ended_s, scenario)
    return np.bincount(ticket, spent, len(log.arrays("tickets"))).astype(np.float64)


def human_targets(targets: Targets) -> tuple[Mapping[Any, float], Mapping[str, float]]:
    """Times promised until a person replies, by priority and by channel; not given: of anybody."""
    return (
        targets.first_human_response or targets.first_response,
        targets.first_human_response_by_channel or targets.first_response_by_channel,
    )


def promise_kept(
    tickets: Arrays,
    done_s: Floats,
    targets: Mapping[Any, float],
    scenario: Scenario,
    horizon_s: float,
    begun_s: Floats | None = None,
    paused_s: Floats | float = 0.0,
    by_channel: Mapping[str, float] | None = None,
) -> Floats:
    """The service level, ticket by ticket: 1 for a promise kept, 0 for one missed.

    Missing where it cannot be said: without a target, or open and not yet past it.

    Parameters
    ----------
    tickets : Arrays
        The table tickets, or some rows of it.
    done_s : array of float, shape (tickets,)
        Moment of what is promised; missing where it was not reached: missed if the ticket is
        abandoned or past the target.
    targets : mapping of priority to seconds
        What is promised, on the scenario's clock of the targets.
    scenario : Scenario
    horizon_s : float
        End of the run.
    begun_s : array of float, shape (tickets,), optional
        Moment from which it is promised; by default the arrival. Missing: nothing is promised.
    paused_s : float or array of float, shape (tickets,)
        Time that does not count.
    by_channel : mapping of channel to seconds, optional
        Promises that go before those of a priority.
    """
    arrived_s = tickets["arrived_s"]
    wanted = np.ones(len(tickets), np.bool_) if begun_s is None else ~np.isnan(begun_s)
    begun_s = arrived_s if begun_s is None else np.where(wanted, begun_s, arrived_s)
    limit_s = np.full(len(tickets), np.nan)
    for name, seconds in targets.items():
        limit_s[tickets.among("priority", [name])] = seconds
    for channel, seconds in (by_channel or {}).items():
        limit_s[tickets.among("channel", [channel])] = seconds
    done = ~np.isnan(done_s)
    abandoned = tickets.among("status", ["Abandoned"])
    spent = spent_s(begun_s, np.where(done, done_s, horizon_s), scenario) - paused_s
    late = spent > limit_s + ROUNDING_S
    judged = wanted & ~np.isnan(limit_s) & (done | abandoned | late)
    return np.where(judged, done & ~late, np.nan)
