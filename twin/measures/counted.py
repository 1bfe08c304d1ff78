"""Tickets that are counted, those after warm-up, and all that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.measures import levels
from twin.measures.promises import Floats, Mask, paused_s

if TYPE_CHECKING:
    from twin.records.arrays import Arrays
    from twin.records.tables import RunLog
    from twin.scenario.model import Scenario

# A column made here: place of a row's ticket among all tickets.
_PLACE = "place of the ticket"


@dataclass(frozen=True)
class Counted:
    """Tickets that arrived at or after warm-up, with all their visits, calls and ratings.

    The table tickets must be in the order of ``ticket_id``.

    Attributes
    ----------
    log : RunLog
        Of a run, or of a part of its tickets.
    scenario : Scenario
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
    def _all(self) -> Arrays:
        """All tickets, those of warm-up included."""
        return self.log.arrays("tickets")

    @cached_property
    def _counted(self) -> Mask:
        return self._all["arrived_s"] >= self.start_s

    def _rows_of(self, table: Arrays) -> npt.NDArray[np.intp]:
        """Place of the ticket of each row among all tickets."""
        ids = self._all["ticket_id"]
        if len(ids) and ids[-1] - ids[0] == len(ids) - 1:
            # Rising and without a gap, as in every run.
            return table.made(_PLACE, lambda: (table["ticket_id"] - ids[0]).astype(np.intp))
        return table.made(_PLACE, lambda: np.searchsorted(ids, table["ticket_id"]))

    def _theirs(self, table: str) -> Arrays:
        rows = self.log.arrays(table)
        return rows if self._counted.all() else rows.at(self._counted[self._rows_of(rows)])

    def ever(self, table: Arrays) -> Mask:
        """True for tickets that occur in a table."""
        found = np.zeros(len(self._all), dtype=np.bool_)
        found[self._rows_of(table)] = True
        return found[self._counted]

    @cached_property
    def tickets(self) -> Arrays:
        """Tickets that arrived at or after warm-up."""
        return self._all.at(self._counted)

    @cached_property
    def visits(self) -> Arrays:
        """Their visits to the agents."""
        return self._theirs("visits")

    @cached_property
    def calls(self) -> Arrays:
        """Their model calls."""
        return self._theirs("calls")

    @cached_property
    def ended_calls(self) -> Arrays:
        """Their model calls that were not still under way at the horizon."""
        return self.calls.at(self.calls.codes("outcome")[0] >= 0)

    @cached_property
    def ratings(self) -> Arrays:
        """Their ratings."""
        return self._theirs("ratings")

    @cached_property
    def arrived_s(self) -> Floats:
        """Moments of arrival."""
        return self.tickets["arrived_s"]

    @cached_property
    def resolved(self) -> Mask:
        """True for tickets that are Resolved or Closed at the horizon."""
        return levels.is_resolved(self.tickets)

    @cached_property
    def abandoned(self) -> Mask:
        """True for tickets that are Abandoned."""
        return self.tickets.among("status", ["Abandoned"])

    @cached_property
    def resolved_s(self) -> Floats:
        """Last resolution of resolved tickets; missing for all others."""
        return np.where(self.resolved, self.tickets["resolved_s"], np.nan)

    @cached_property
    def ever_resolved(self) -> Mask:
        """True for tickets that were resolved at least once, whatever followed."""
        return self.tickets.known("resolved_s")

    @property
    def finished(self) -> Mask:
        """True for tickets resolved or abandoned."""
        return self.resolved | self.abandoned

    @cached_property
    def categorized(self) -> Arrays:
        """Tickets that go by the assistant's category.

        A category that an agent replaced (confidence below the threshold) is the agent's.
        """
        return self.tickets.at(self.tickets.among("categorized_by", ["assistant"]))

    @cached_property
    def paused_s(self) -> Floats:
        """Time for which the clock of their resolution stood still, by the targets."""
        return paused_s(self.log, self.scenario)[self._counted]

    def spent_in(self, *statuses: str) -> Floats:
        """Time that each ticket spent in some statuses, up to the horizon."""
        ticket, begun_s, ended_s = levels.spells(self.log, statuses)
        spent = np.bincount(ticket, ended_s - begun_s, len(self._all))
        return np.asarray(spent[self._counted], dtype=np.float64)

    @cached_property
    def response_s(self) -> Floats:
        """Time to first response; missing without one, whether the ticket is open or abandoned."""
        return self.tickets["responded_s"] - self.arrived_s

    @cached_property
    def waited(self) -> Arrays:
        """Visits that were started or abandoned; wrap-up, which never waits, is none of them."""
        visits = self.visits.at(self.visits.known("queued_s"))
        return visits.at(visits.known("started_s") | visits.among("end", ["abandoned"]))

    @cached_property
    def waits_s(self) -> Floats:
        """Their waits for an agent."""
        return levels.wait_ends(self.waited) - self.waited["queued_s"]

    @cached_property
    def human_wanted_s(self) -> Floats:
        """Moment at which each ticket first waits for an agent; missing where it never did."""
        return self._first(self.visits, "queued_s")

    @cached_property
    def human_replied_s(self) -> Floats:
        """Moment of the first reply of a person: taken up to be answered, or a draft approved."""
        visits = self.visits
        taken = self._first(visits.at(visits.among("activity", ["handle"])), "started_s")
        review = visits.among("activity", ["review"]) & visits.among("end", ["done"])
        return np.fmin(taken, self._first(visits.at(review), "ended_s"))

    @cached_property
    def human_response_s(self) -> Floats:
        """Time until a person replies, from when the ticket first waits for one."""
        return self.human_replied_s - self.human_wanted_s

    def _first(self, visits: Arrays, column: str) -> Floats:
        """The earliest moment in a column of some visits, by ticket."""
        found = np.full(len(self._all), np.inf)
        np.fmin.at(found, self._rows_of(visits), visits[column])
        return np.where(np.isinf(found), np.nan, found)[self._counted]

    @cached_property
    def helped(self) -> Floats:
        """1 for tickets resolved by an answer that solved the problem, else 0.

        Missing for resolved tickets of which it is not known.
        """
        return np.where(self.resolved, self.tickets["solved"], 0.0)

    @cached_property
    def satisfied(self) -> Floats:
        """1 for ratings of 4 or 5, 0 for others."""
        return (self.ratings["rating"] >= 4).astype(np.float64)

    @cached_property
    def resolved_in_window(self) -> Mask:
        """True for tickets of the log with their last resolution after warm-up."""
        done = self._all["resolved_s"] >= self.start_s
        return done & levels.is_resolved(self._all)

    def within_window(self, start_s: Any, end_s: Any) -> Floats:
        """Seconds of spells that lie between warm-up and horizon; a missing end is the horizon."""
        end = np.where(np.isnan(end_s), self.log.horizon_s, end_s)
        inside = np.minimum(end, self.log.horizon_s) - np.maximum(start_s, self.start_s)
        return np.asarray(np.fmax(inside, 0.0), dtype=np.float64)

    def by_ticket(self, table: Arrays, column: str | None = None) -> Floats:
        """Sums of a column of a table by the ticket that its rows belong to, or their number."""
        weights = None if column is None else table[column]
        sums = np.bincount(self._rows_of(table), weights, len(self._all))
        return np.asarray(sums[self._counted], dtype=np.float64)
