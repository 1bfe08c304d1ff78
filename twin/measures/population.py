"""Population of a run's key figures: the tickets after warm-up, and all that belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.measures import levels
from twin.scenario.calendars import Staircase, staffing
from twin.scenario.model import PRIORITIES

if TYPE_CHECKING:
    from twin.records.tables import RunLog
    from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
# Group ("" is all), numerator, denominator.
Rows = list[tuple[str, float, float]]

# Moments are sums of floats: what is late by less than this is rounding, not lateness.
ROUNDING_S = 1e-6


@dataclass(frozen=True)
class PoolTime:
    """Agent-seconds of a pool between warm-up and horizon.

    Attributes
    ----------
    staffed, used, paid : float
        On shift; busy while on shift; on shift or still busy after its end.
    """

    pool: str
    staffed: float
    used: float
    paid: float

    @property
    def busy(self) -> float:
        """Busy time, on shift or past its end."""
        return self.paid + self.used - self.staffed


@dataclass(frozen=True)
class Population:
    """A run as the key figures see it.

    Tickets that arrived at or after warm-up, with all their visits, calls and ratings; levels from
    the end of warm-up to the horizon. The table tickets must be in the order of ``ticket_id``.
    """

    log: RunLog
    scenario: Scenario

    @property
    def start_s(self) -> float:
        """End of warm-up."""
        return self.scenario.warm_up

    @property
    def length_s(self) -> float:
        """Time from the end of warm-up to the horizon."""
        return self.log.horizon_s - self.start_s

    @cached_property
    def _counted(self) -> Mask:
        return self.log.tickets["arrived_s"].to_numpy() >= self.start_s

    def _rows_of(self, table: pd.DataFrame) -> npt.NDArray[np.intp]:
        ids = self.log.tickets["ticket_id"].to_numpy()
        return np.searchsorted(ids, table["ticket_id"].to_numpy())

    def _theirs(self, table: pd.DataFrame) -> pd.DataFrame:
        return table if self._counted.all() else table[self._counted[self._rows_of(table)]]

    def ever(self, table: pd.DataFrame) -> Mask:
        """True for tickets that occur in a table."""
        found = np.zeros(len(self.log.tickets), dtype=np.bool_)
        found[self._rows_of(table)] = True
        return found[self._counted]

    @cached_property
    def tickets(self) -> pd.DataFrame:
        """Tickets that arrived at or after warm-up."""
        return self.log.tickets if self._counted.all() else self.log.tickets[self._counted]

    @cached_property
    def visits(self) -> pd.DataFrame:
        """Their visits to the agents."""
        return self._theirs(self.log.visits)

    @cached_property
    def calls(self) -> pd.DataFrame:
        """Their model calls."""
        return self._theirs(self.log.calls)

    @cached_property
    def ended_calls(self) -> pd.DataFrame:
        """Their model calls that were not still under way at the horizon."""
        return self.calls[self.calls["outcome"].notna()]

    @cached_property
    def ratings(self) -> pd.DataFrame:
        """Their ratings."""
        return self._theirs(self.log.ratings)

    @cached_property
    def arrived_s(self) -> Floats:
        """Moments of arrival."""
        return self.tickets["arrived_s"].to_numpy()

    @cached_property
    def resolved(self) -> Mask:
        """True for tickets that are Resolved or Closed at the horizon."""
        return levels.is_resolved(self.tickets)

    @cached_property
    def abandoned(self) -> Mask:
        """True for tickets that are Abandoned."""
        return (self.tickets["status"] == "Abandoned").to_numpy()

    @cached_property
    def resolved_s(self) -> Floats:
        """Last resolution of resolved tickets; missing for all others."""
        return np.where(self.resolved, self.tickets["resolved_s"].to_numpy(), np.nan)

    @cached_property
    def ever_resolved(self) -> Mask:
        """True for tickets that were resolved at least once, whatever followed."""
        return self.tickets["resolved_s"].notna().to_numpy()

    @property
    def finished(self) -> float:
        """Number of tickets resolved or abandoned."""
        return float(np.count_nonzero(self.resolved | self.abandoned))

    @cached_property
    def categorized(self) -> pd.DataFrame:
        """Tickets that go by the assistant's category.

        A category that an agent replaced (confidence below the threshold) is the agent's.
        """
        return self.tickets[(self.tickets["categorized_by"] == "assistant").to_numpy()]

    @cached_property
    def response_s(self) -> Floats:
        """Time to first response; missing without one, whether the ticket is open or abandoned."""
        return self.tickets["responded_s"].to_numpy() - self.arrived_s

    @cached_property
    def waits_s(self) -> Floats:
        """Waits for an agent, of visits that were started or abandoned."""
        visits = self.visits
        left = visits["started_s"].notna() | (visits["end"] == "abandoned")
        waited: Floats = levels.wait_ends(visits) - visits["queued_s"].to_numpy()
        return waited[left.to_numpy()]

    @cached_property
    def human_wanted_s(self) -> Floats:
        """Moment at which each ticket first waits for an agent; missing where it never did."""
        return self._first(self.visits, "queued_s")

    @cached_property
    def human_replied_s(self) -> Floats:
        """Moment of the first reply of a person: taken up to be answered, or a draft approved."""
        visits = self.visits
        taken = self._first(visits[(visits["activity"] == "handle").to_numpy()], "started_s")
        review = (visits["activity"] == "review") & (visits["end"] == "done")
        return np.fmin(taken, self._first(visits[review.to_numpy()], "ended_s"))

    @cached_property
    def human_response_s(self) -> Floats:
        """Time until a person replies, from when the ticket first waits for one."""
        return self.human_replied_s - self.human_wanted_s

    def _first(self, visits: pd.DataFrame, column: str) -> Floats:
        """The earliest moment in a column of some visits, by ticket."""
        found = np.full(len(self.tickets), np.inf)
        rows = np.searchsorted(self.tickets["ticket_id"].to_numpy(), visits["ticket_id"].to_numpy())
        np.fmin.at(found, rows, visits[column].to_numpy(dtype=np.float64))
        return np.where(np.isinf(found), np.nan, found)

    @cached_property
    def helped(self) -> float:
        """Number of customers whose ticket is resolved by an answer that solved it.

        Missing where it is not known of all resolved tickets whether it did.
        """
        # Not pandas' sum: an unknown outcome must make the whole unknown.
        return float(self.tickets["solved"].to_numpy()[self.resolved].sum())

    @cached_property
    def satisfied(self) -> Floats:
        """1 for ratings of 4 or 5, 0 for others."""
        return (self.ratings["rating"].to_numpy() >= 4).astype(np.float64)

    @cached_property
    def rated_category(self) -> pd.Series[Any]:
        """True category of the ticket of each rating."""
        return self.log.tickets["category_true"].iloc[self._rows_of(self.ratings)]

    @property
    def total_usd(self) -> float:
        """Price of model calls and of the agents' paid time together."""
        return self.model_usd + self.human_usd

    @property
    def model_usd(self) -> float:
        """Price of their model calls; missing if that of any is unknown."""
        # Not pandas' sum: an unknown price must make the whole unknown.
        return float(self.ended_calls["cost_usd"].to_numpy().sum())

    @property
    def human_usd(self) -> float:
        """Price of the agents' paid time; missing if a pool that works has no cost."""
        costs = {name: pool.cost for name, pool in self.scenario.agents.items()}
        priced = ((p.paid, costs[p.pool]) for p in self.pools if p.paid)
        return sum(paid / 3600.0 * (np.nan if cost is None else cost) for paid, cost in priced)

    @cached_property
    def resolved_in_window(self) -> float:
        """Number of tickets with their last resolution after warm-up, whenever they came."""
        done = self.log.tickets["resolved_s"].to_numpy()[levels.is_resolved(self.log.tickets)]
        return float(np.count_nonzero(done >= self.start_s))

    @cached_property
    def by_priority(self) -> dict[str, Mask]:
        """The priorities that occur, each with its tickets."""
        masks = {name: (self.tickets["priority"] == name).to_numpy() for name in PRIORITIES}
        return {name: mask for name, mask in masks.items() if mask.any()}

    def split(self, values: Floats, how: Callable[[Floats], tuple[float, float]]) -> Rows:
        """A figure over the values that are not missing, of all tickets and by priority."""
        there = ~np.isnan(values)
        rows = [("", *how(values[there]))]
        return rows + [(name, *how(values[there & of])) for name, of in self.by_priority.items()]

    def within(
        self, done_s: Floats, targets: Mapping[Any, float], begun_s: Floats | None = None
    ) -> Rows:
        """Share of tickets that reached a moment within the target of their priority, by priority.

        Parameters
        ----------
        done_s : array of float, shape (tickets,)
            Missing where it was not reached: missed if abandoned or past the target, else left out.
        targets : mapping of priority to seconds
            Priorities without one are left out.
        begun_s : array of float, shape (tickets,), optional
            Moment from which it is promised; by default the arrival. Missing: nothing is promised.
        """
        kept = promise_kept(
            self.tickets, done_s, targets, self.scenario, self.log.horizon_s, begun_s
        )
        return [row for row in self.split(kept, mean) if row[0] in ("", *targets)]

    def area(self, level: Staircase) -> float:
        """Area under a level between warm-up and horizon."""
        return levels.area(level, self.start_s, self.log.horizon_s)

    @cached_property
    def pools(self) -> list[PoolTime]:
        """Agent-seconds by pool."""
        found = []
        for name, pool in self.scenario.agents.items():
            staffed, busy = staffing(pool, self.scenario), levels.busy(self.log, name)
            used = levels.combine(busy, staffed, np.minimum)
            paid = levels.combine(busy, staffed, np.maximum)
            found.append(PoolTime(name, *(self.area(level) for level in (staffed, used, paid))))
        return found


def spent_s(begun_s: Floats, until_s: Floats, scenario: Scenario) -> Floats:
    """Time between moments, by the clock of the targets."""
    if scenario.targets.clock == "desk hours":
        hours = levels.desk_hours(scenario)
        return hours.integral(until_s) - hours.integral(begun_s)
    return until_s - begun_s


def promise_kept(
    tickets: pd.DataFrame,
    done_s: Floats,
    targets: Mapping[Any, float],
    scenario: Scenario,
    horizon_s: float,
    begun_s: Floats | None = None,
) -> Floats:
    """The service level, ticket by ticket: 1 for a promise kept, 0 for one missed.

    Missing where it cannot be said: without a target, or open and not yet past it.

    Parameters
    ----------
    tickets : DataFrame
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
    """
    arrived_s = tickets["arrived_s"].to_numpy()
    wanted = np.ones(len(tickets), np.bool_) if begun_s is None else ~np.isnan(begun_s)
    begun_s = arrived_s if begun_s is None else np.where(wanted, begun_s, arrived_s)
    limit_s = np.full(len(tickets), np.nan)
    for name, seconds in targets.items():
        limit_s[(tickets["priority"] == name).to_numpy()] = seconds
    done = ~np.isnan(done_s)
    abandoned = (tickets["status"] == "Abandoned").to_numpy()
    late = spent_s(begun_s, np.where(done, done_s, horizon_s), scenario) > limit_s + ROUNDING_S
    judged = wanted & ~np.isnan(limit_s) & (done | abandoned | late)
    return np.where(judged, done & ~late, np.nan)


def mean(values: Floats) -> tuple[float, float]:
    """Numerator and denominator of a mean."""
    return float(values.sum()), float(len(values))


def by_category(category: pd.Series[Any], values: Floats) -> Rows:
    """Means of values in all and by category, in the order of their names."""
    names = pd.Categorical(category)
    known = names.codes >= 0
    codes, size = names.codes[known], len(names.categories)
    sums = np.bincount(codes, values[known], minlength=size)
    counts = np.bincount(codes, minlength=size)
    rows = [
        (str(name), float(sums[k]), float(counts[k]))
        for k, name in enumerate(names.categories)
        if counts[k]
    ]
    return [("", float(values.sum()), float(len(values))), *rows]


def quantile(q: float) -> Callable[[Floats], tuple[float, float]]:
    """Numerator and denominator of the quantile at `q` as a function of values."""

    def of(values: Floats) -> tuple[float, float]:
        return (float(np.quantile(values, q)), 1.0) if len(values) else (0.0, 0.0)

    return of
