"""Population of a run's key figures: the tickets after warm-up, and all that belongs to them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.measures import levels
from twin.measures.promises import ROUNDING_S, Floats, Mask, paused_s, promise_kept
from twin.measures.rows import TEXT_GROUPS, PoolTime, Row, Rows
from twin.scenario.calendars import Staircase, combine, staffing
from twin.scenario.clock import WEEK_S
from twin.scenario.model import PRIORITIES
from twin.stats.quantiles import Rankings

if TYPE_CHECKING:
    from twin.records.arrays import Arrays
    from twin.records.tables import RunLog
    from twin.scenario.model import Scenario

# Columns made here: place of a row's ticket among all tickets, and the group of its text.
_PLACE, _TEXT_GROUP = "place of the ticket", "group of the text"


@dataclass(frozen=True)
class Population:
    """A run as the key figures see it.

    Tickets that arrived at or after warm-up, with all their visits, calls and ratings; levels from
    the end of warm-up to the horizon. The table tickets must be in the order of ``ticket_id``.
    """

    log: RunLog
    scenario: Scenario
    _rankings: Rankings = field(default_factory=lambda: Rankings(TEXT_GROUPS), init=False)

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

    @property
    def total_usd(self) -> float:
        """Price of model calls and of the agents' paid time together."""
        return self.model_usd + self.human_usd

    @property
    def model_usd(self) -> float:
        """Price of their model calls; missing if any price is unknown."""
        return float(self.ended_calls["cost_usd"].sum())

    @property
    def human_usd(self) -> float:
        """Price of the agents' paid time; missing if a pool that works has no cost."""
        costs = {name: pool.cost for name, pool in self.scenario.agents.items()}
        priced = ((p.paid, costs[p.pool]) for p in self.pools if p.paid)
        return math.fsum(
            paid / 3600.0 * (np.nan if cost is None else cost) for paid, cost in priced
        )

    def roster_usd(self, weeks: float) -> float:
        """Price of so many weeks of the roster, less that of the shifts in the time measured.

        0 for whole weeks, which are what they are, holidays and all. A roster by date has no usual
        week: it is paid as in the time measured.
        """
        if weeks >= 1 and abs(weeks - round(weeks)) < ROUNDING_S:
            return 0.0
        week = self.scenario.model_copy(update={"horizon": WEEK_S})
        more = 0.0
        for p in self.pools:
            pool = self.scenario.agents[p.pool]
            usual_s = float(staffing(pool, week).integral(np.array([week.horizon]))[0])
            hours = (usual_s * weeks - p.staffed) / 3600.0
            if hours and pool.roster is None:
                more += hours * (np.nan if pool.cost is None else pool.cost)
        return more

    @cached_property
    def resolved_in_window(self) -> Mask:
        """True for tickets of the log with their last resolution after warm-up."""
        done = self._all["resolved_s"] >= self.start_s
        return done & levels.is_resolved(self._all)

    @cached_property
    def by_priority(self) -> dict[str, Mask]:
        """The priorities that occur, each with its tickets."""
        masks = {name: self.tickets.among("priority", [name]) for name in PRIORITIES}
        return {name: mask for name, mask in masks.items() if mask.any()}

    @cached_property
    def by_channel(self) -> dict[str, Mask]:
        """The channels that occur, each with its tickets; none on a desk without channels."""
        codes, names = self.tickets.codes("channel")
        masks = {str(name): codes == k for k, name in enumerate(names)}
        return {name: mask for name, mask in masks.items() if mask.any()}

    @cached_property
    def _text_group(self) -> npt.NDArray[np.int64] | None:
        """Group of the text of each ticket of the log, warm-up included.

        None where no answer hangs on a text: without texts or assistant, and on backend "profile",
        whose answers are drawn ticket by ticket.
        """
        assistant = self.scenario.assistant
        if assistant.role == "off" or assistant.backend == "profile":
            return None
        text = self._all["text_id"]
        return text % TEXT_GROUPS if len(text) and text.min() >= 0 else None

    @cached_property
    def texts(self) -> int:
        """Number of distinct texts of the tickets; 0 without texts."""
        return 0 if self._text_group is None else len(np.unique(self.tickets["text_id"]))

    def row(
        self, over: Any, under: Any = None, *, of: Arrays | None = None, group: str = ""
    ) -> Row:
        """Sums over things that belong to tickets.

        Parameters
        ----------
        over, under : array, shape (n,)
            What is added up to the numerator and to the denominator; by default all count 1 in the
            denominator.
        of : Arrays, optional
            Table with a row for each of them and a column ticket_id; by default the tickets.
        group : str
        """
        over = np.asarray(over, dtype=np.float64)
        under = np.ones(len(over)) if under is None else np.asarray(under, dtype=np.float64)
        total = np.array([over.sum(), under.sum()])
        if self._text_group is None:
            return Row(group, float(total[0]), float(total[1]))
        where = self._groups_of(of)
        parts = [np.bincount(where, weights, TEXT_GROUPS) for weights in (over, under)]
        return Row(group, float(total[0]), float(total[1]), total[:, None] - np.stack(parts))

    def quantile(self, values: Floats, q: float, tickets: Mask, group: str = "") -> Row:
        """The quantile at `q` of the values of some tickets, which are those of the group."""
        of = None if self._text_group is None else self._groups_of(None)
        ranked = self._rankings.of(values, tickets, group, of)
        if not len(ranked.values):
            return Row(group, 0.0, 0.0)
        left_out = None if of is None else np.stack(ranked.without_each(q))
        return Row(group, ranked.quantile(q), 1.0, left_out)

    def flow(
        self, total: float, length: float, weights: Floats, of: Arrays, group: str = ""
    ) -> Row:
        """A total over time or staff, of which parts belong to tickets.

        Parameters
        ----------
        total, length : float
            Numerator and denominator.
        weights : array of float, shape (n,)
            The parts of the total, or what they are proportional to.
        of : Arrays
            Table with a row for each part and a column ticket_id.
        group : str

        Notes
        -----
        Without some texts as many tickets would come, with the other texts: so what is left of the
        total is scaled up by the tickets that are left out.
        """
        if self._text_group is None or not weights.sum():
            return Row(group, total, length)
        parts = np.bincount(self._groups_of(of), weights, TEXT_GROUPS) / weights.sum()
        tickets = np.bincount(self._groups_of(None), minlength=TEXT_GROUPS) / len(self.tickets)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where(tickets < 1, total * (1 - parts) / (1 - tickets), 0.0)
        return Row(group, total, length, np.stack([left, np.full(TEXT_GROUPS, length)]))

    def over_flow(self, total: float, flow: Row) -> Row:
        """A fixed total over a flow."""
        texts = None if flow.texts is None else np.stack([np.full(TEXT_GROUPS, total),
                                                          flow.texts[0]])  # fmt: skip
        return Row(flow.group, total, flow.numerator, texts)

    def by(self, column: str, over: Any, under: Any = None, *, of: Arrays | None = None) -> Rows:
        """Sums over things that belong to tickets, as `row`: in all, and by a column of tickets."""
        over = np.asarray(over, dtype=np.float64)
        under = np.ones(len(over)) if under is None else np.asarray(under, dtype=np.float64)
        codes, names = self.tickets.codes(column) if of is None else self._all.codes(column)
        if of is not None:
            codes = codes[self._rows_of(of)]
        rows = [self.row(over, under, of=of)]
        for k, name in enumerate(names):
            here = codes == k
            if here.any():
                parts = np.where(here, over, 0.0), np.where(here, under, 0.0)
                rows.append(self.row(*parts, of=of, group=str(name)))
        return rows

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

    def _groups_of(self, table: Arrays | None) -> npt.NDArray[np.int64]:
        of_ticket = self._text_group
        assert of_ticket is not None
        table = self.tickets if table is None else table
        return table.made(_TEXT_GROUP, lambda: of_ticket[self._rows_of(table)])

    def split(self, values: Floats, q: float | None = None) -> Rows:
        """Mean or quantile of values that are not missing: in all, by priority and by channel."""
        there = ~np.isnan(values)
        parts = {**self.by_priority, **self.by_channel}
        groups = {"": there} | {name: there & of for name, of in parts.items()}
        if q is not None:
            return [self.quantile(values, q, mask, name) for name, mask in groups.items()]
        return [
            self.row(np.where(mask, values, 0.0), mask, group=name) for name, mask in groups.items()
        ]

    def within(
        self,
        done_s: Floats,
        targets: Mapping[Any, float],
        begun_s: Floats | None = None,
        paused_s: Floats | float = 0.0,
        by_channel: Mapping[str, float] | None = None,
    ) -> Rows:
        """Share of tickets that reached a moment within their target, by priority and by channel.

        Parameters
        ----------
        done_s : array of float, shape (tickets,)
            Missing where it was not reached: missed if abandoned or past the target, else left out.
        targets : mapping of priority to seconds
            Priorities without one are left out.
        begun_s : array of float, shape (tickets,), optional
            Moment from which it is promised; by default the arrival. Missing: nothing is promised.
        paused_s : float or array of float, shape (tickets,)
            Time that does not count.
        by_channel : mapping of channel to seconds, optional
            Targets that go before those of a priority.
        """
        horizon_s = self.log.horizon_s
        kept = promise_kept(
            self.tickets, done_s, targets, self.scenario, horizon_s, begun_s, paused_s, by_channel
        )
        shown = ("", *targets, *self.by_channel)
        return [row for row in self.split(kept) if row.group in shown]

    def area(self, level: Staircase) -> float:
        """Area under a level between warm-up and horizon."""
        return levels.area(level, self.start_s, self.log.horizon_s)

    @cached_property
    def pools(self) -> list[PoolTime]:
        """Agent-seconds by pool."""
        found = []
        for name in self.scenario.agents:
            staffed = levels.on_shift(self.log, self.scenario, name)
            busy, away = levels.busy(self.log, name), levels.away(self.log, self.scenario, name)
            used = combine(busy, staffed, np.minimum)
            paid = combine(busy, staffed, np.maximum)
            away_s = 0.0 if away is None else self.area(away)
            areas = self.area(staffed), self.area(used), self.area(paid)
            found.append(PoolTime(name, *areas, away=away_s))
        return found
