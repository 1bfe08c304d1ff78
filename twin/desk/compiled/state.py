"""The desk at the start of a run as tables for the compiled machine, and what it asks for later."""

from __future__ import annotations

from functools import cache
from math import inf
from typing import Any

import numpy as np

from twin.demand.luck import Stream
from twin.demand.tickets import Demand
from twin.desk.agents import AgentPools
from twin.desk.assistant import ServedModel
from twin.desk.compiled.asked import Asked
from twin.desk.compiled.code import Machine
from twin.desk.compiled.columns import (
    ANSWERS,
    ASK_AGAIN,
    ESCALATE,
    EVENT,
    HEAPS,
    IN_ORDER,
    LEAST_LOADED,
    LEDGER,
    LONGEST_IDLE,
    LUCK,
    NEXT_ANSWERS,
    NUMBERS,
    ONE_ANSWER,
    ORDERED,
    RANDOM,
    ROOM,
    RULE,
    SOLVED,
    SPACE,
    TABLES,
    TICKET,
    TOUCH,
    WORK,
    Array,
    as_bytes,
)  # fmt: skip
from twin.desk.compiled.people import People, address
from twin.desk.customers import Customers
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.desk.rules import Rules
from twin.desk.ticket_table import OUTCOMES
from twin.desk.touches import Transfers, Waits
from twin.desk.workflow import WorkflowLife
from twin.records.tables import ESCALATED, HANDLE, IN_PROGRESS, PENDING_REVIEW, TRIAGE
from twin.scenario.model import Scenario

CHOICES = {
    "least loaded": LEAST_LOADED,
    "longest idle": LONGEST_IDLE,
    "random": RANDOM,
    "in order": IN_ORDER,
}
# Rows that a ticket has as a rule in each table of the ledger.
_ROWS = {"timeline": 3.4, "visits": 1.2, "calls": 0.0, "ratings": 0.4, "staffing": 0.0}
_ROWS_WITH_ASSISTANT = {"timeline": 5.4, "visits": 0.8, "calls": 2.0, "ratings": 0.4}


@cache
def _new_ticket() -> Array:
    """A ticket to which nothing has happened."""
    made = np.zeros((), TICKET)
    for name in ("responded_s", "resolved_s", "confidence", "quality"):
        made[name] = np.nan
    for name in ("before", "behind", "watched_in", "solved", "category", "categorized_by",
                 "resolved_by", "answer", "again_slot", "taken_as"):  # fmt: skip
        made[name] = -1
    return made


class State:
    """All tables of a desk.

    Parameters
    ----------
    clock : Clock
        Nothing has happened on it.
    scenario : Scenario
    demand : Demand
    ledger : Ledger
        Its rows so far are taken out of it.
    pools : AgentPools
    customers : Customers
    models : list of ServedModel
        None where humans work alone.
    waits : Waits or None
    transfers : Transfers or None
    life : WorkflowLife or None
        Of a desk that is known by its statuses.

    Attributes
    ----------
    whole : array of NUMBERS, shape (1,)
        For the machine: it says where the tables are.
    numbers : record of NUMBERS
        The row of it.
    """

    def __init__(
        self,
        clock: Clock,
        scenario: Scenario,
        demand: Demand,
        ledger: Ledger,
        pools: AgentPools,
        customers: Customers,
        models: list[ServedModel],
        waits: Waits | None,
        transfers: Transfers | None,
        life: WorkflowLife | None,
    ) -> None:
        self.whole = np.zeros(1, NUMBERS)
        self.numbers = self.whole[0]
        self._people = People(clock, scenario, demand, pools, customers, waits, transfers, life)
        self._asked = Asked(models, scenario.customers.max_reopens + 1)
        self._jitter = memoryview(b"")
        if models:
            self._jitter = demand.column(lambda: demand.uniform(Stream.BACKOFF))
        self._tables: dict[str, Array] = {}
        self._set(clock, scenario, pools)
        self._set_touches(scenario, waits, transfers)
        self.numbers["workflow"] = life is not None
        self.numbers["aging_from"], self.numbers["aging_to"] = self._people.aging
        self.numbers["stops"] = self._people.tables["teams"]["stops"].any()
        lines = self._people.tables["lines"]
        self.numbers["most_stages"] = (lines["stages_to"] - lines["stages_from"]).max(initial=0)
        self.numbers["one_pool"] = len(demand.categories)
        for name, table in self._people.tables.items():
            self._put(name, table)
        for name, table in self._asked.tables.items():
            self._put(name, table)
        rows = _ROWS | (_ROWS_WITH_ASSISTANT if models else {})
        for name in LEDGER:
            table = ledger.rows(name)
            self.numbers[name] = len(table)
            self._put(name, _roomy(table, int(rows[name] * len(demand)) + 8 * ROOM))
        for name in HEAPS:
            table = self._tables.get(name, np.empty(0, EVENT))
            self.numbers[name] = len(table)
            self._put(name, _roomy(table, 1024))
        self._of = scenario, demand, pools, customers
        self._put("tickets", demand.room(TICKET))
        self.come()
        opening = sorted(demand.opening, key=lambda ticket: demand.priority[ticket])
        self.numbers["arrived"] = len(opening)
        self._put("opening", np.array(opening, np.int64))
        self._put("rules", _rules(scenario, demand, customers))
        self._people.draw_luck(0)

    def _put(self, name: str, table: Array) -> None:
        """Keep a table, and tell the machine where it is."""
        dtype, _ = TABLES[name]
        table = self._tables[name] = np.ascontiguousarray(table, dtype)
        # Not by its array interface, which would describe all fields each time.
        self.numbers[f"{name}_at"] = table.ctypes.data
        for k, size in enumerate(table.shape):
            self.numbers[f"{name}_{k}"] = size

    def come(self) -> None:
        """Let the tickets that are here now be those that come next."""
        scenario, demand, pools, customers = self._of
        here = demand.numbers
        bonus_s, entrance = scenario.routing.wait_bonus, pools._entrance
        ahead = None if entrance is None else entrance.most_ahead
        tickets = self._tables["tickets"][here]
        as_bytes(tickets)[:] = as_bytes(_new_ticket())
        tickets["arrived_s"] = demand.arrived_s
        tickets["place_s"] = demand.priority * (1.0 if bonus_s is None else bonus_s)
        tickets["patience_s"] = (
            inf if customers._patience is None else np.asarray(customers._patience)[here]
        )
        tickets["most_ahead"] = inf if ahead is None else np.asarray(ahead)[here]
        if entrance is not None and entrance.called_back is not None:
            tickets["called_back"] = np.asarray(entrance.called_back)[here]
        tickets["opinion"] = np.asarray(customers._opinion[0])[here]
        tickets["surveyed"] = np.asarray(customers._surveyed[0])[here]
        tickets["comment"] = np.asarray(customers._comment[0])[here]
        tickets["rank"] = demand.priority
        tickets["truth"] = demand.category
        if pools._routes.by_category is None and demand.channel is not None:
            tickets["channel"] = demand.channel
        if pools._routes.by_category is None:
            # That of an unknown channel is the last one.
            tickets["channel"] %= len(self._tables["routes"])
        for ticket, escalated in demand.opening.items():
            tickets[ticket]["escalated"] = escalated
        # Those to come are not there yet.
        self.numbers["tickets_0"] = here.stop

    def _set(self, clock: Clock, scenario: Scenario, pools: AgentPools) -> None:
        row, settings, entrance = self.numbers, scenario.customers, pools._entrance
        row["horizon"], row["close_after"] = scenario.horizon, settings.close_after
        solved, weight = settings.solved, settings.satisfaction
        row["agent_solves"], row["reviewed_solves"] = solved.agent, solved.reviewed
        row["assistant_solves"], row["wrong_solves"] = solved.assistant, solved.wrong_category
        row["weight_wait"], row["weight_transfer"] = weight.wait, weight.transfer
        row["weight_reopened"], row["weight_unsolved"] = weight.reopened, weight.unsolved
        row["weight_wrong"] = weight.wrong_category
        row["most_reopens"] = settings.max_reopens
        row["capacity"] = inf if entrance is None else entrance.places
        row["entrance"], row["comes"] = entrance is not None, self._people.comes
        row["callback_at"] = 0 if entrance is None else entrance.callback_at
        row["most_heads"] = self._people.most_heads
        row["choice"] = CHOICES[scenario.routing.choice or "least loaded"]
        row["pool_choice"] = CHOICES[scenario.routing.pool_choice]
        row["places"] = self._people.tables["hands"].size
        row["strict"] = scenario.routing.wait_bonus is None
        assistant, provider = scenario.assistant, scenario.provider
        row["assistant"] = assistant.role != "off"
        rules = Rules.of(scenario, ())
        row["escalates"] = rules.handed_on() == ESCALATED
        row["threshold"], row["handled_below"] = rules.threshold, rules.handled_below
        row["on_failure"] = ASK_AGAIN if assistant.on_failure == "retry" else ESCALATE
        row["retry_after"] = assistant.retry_after
        row["timeout"], row["retries"] = provider.timeout, provider.retries
        row["backoff"], row["max_backoff"] = provider.backoff, provider.max_backoff
        row["jitter"] = address(self._jitter)
        row["seq"] = next(clock._eid)
        row["pending"] = row["asks_for"] = -1
        row["arrival_key"] = row["stop_key"] = -1

    def _set_touches(
        self, scenario: Scenario, waits: Waits | None, transfers: Transfers | None
    ) -> None:
        row, retrial = self.numbers, scenario.customers.retrial
        row["most_tries"] = 0 if retrial is None else retrial.most
        if transfers is not None:
            row["passes"], row["most_passed"] = True, transfers._most
        if waits is None:
            return
        row["touches"], row["most_waits"] = True, waits._most
        if waits._reply is not None:
            reply = waits._reply
            row["asks"], row["never"], row["reply_solved"] = reply.chance, reply.never, reply.solved
            row["closes"] = reply.close_after is not None
            row["reply_from"], row["reply_to"] = self._people.clocks[reply.clock]
        if waits._hold is not None:
            row["holds"] = waits._hold.chance
            row["hold_from"], row["hold_to"] = self._people.clocks[waits._hold.clock]

    def provide(self) -> None:
        """Make what the machine asks for."""
        row = self.numbers
        asks_for, ticket = int(row["asks_for"]), int(row["pending"])
        one = self._tables["tickets"][ticket]
        if asks_for == WORK:
            visit = int(one["returns"])
            self._people.draw_work(int(one["activity"]), visit)
            self._people.draw_retrial(int(one["tries"]))
            if one["activity"] == HANDLE and one["to"] != one["truth"]:
                self._people.draw_work(TRIAGE, visit)
        elif asks_for == LUCK:
            self._people.draw_luck(int(one["reopens"]) + 1)
        elif asks_for == SOLVED:
            self._people.draw_luck(int(one["reopens"]))
        elif asks_for == SPACE:
            self.grow()
        elif asks_for == TOUCH:
            self._people.draw_touch(int(one["touched"]), int(one["waited"]))
        elif asks_for == ANSWERS:
            self._asked.first(*(int(one[name]) for name in ("step", "given", "model", "reopens")))
            self._put("slots", self._asked.tables["slots"])
        elif asks_for == NEXT_ANSWERS:
            self._asked.next(int(one["slot"]))
            self._put("slots", self._asked.tables["slots"])
        else:
            assert asks_for == ONE_ANSWER
            self._asked.one(int(one["first_slot"]), ticket)
        row["asks_for"] = -1

    def grow(self) -> None:
        """Make room in all that may be full."""
        numbers = self.numbers
        more = int(numbers["room"]) + 2 * len(self._tables["teams"]) + ROOM
        for name in (*LEDGER, *HEAPS):
            rows = self._tables[name]
            if int(numbers[name]) + more > len(rows):
                self._put(name, _roomy(rows, len(rows) // 2 + more))
        luck = self._people.more_luck()
        if luck is not None:
            self._put("agents_luck", luck)

    def table(self, name: str) -> Array:
        """A table of the machine."""
        return self._tables[name]

    def used(self, name: str) -> Array:
        """Rows of a heap, or of a table of the ledger, as far as they are used."""
        return self._tables[name][: int(self.numbers[name])]

    def take(self, name: str, row: int | None = None) -> Array:
        """Take the rows of a table of the ledger out of it: all, or those before a row."""
        rows = self.used(name)
        taken = as_bytes(rows[:row]).copy().view(rows.dtype)
        left = as_bytes(rows[len(taken) :]).copy()
        as_bytes(rows)[: len(left)] = left
        self.numbers[name] = len(left)
        return taken

    def order(self, play: Machine) -> None:
        """Put the timeline in order of time, at the end of a run."""
        rows = int(self.numbers["timeline"])
        self._put("in_order", np.empty(rows, TABLES["in_order"][0]))
        self._put("spans", np.zeros(rows // 2 + 2, np.int64))
        self.numbers["ordering"] = True
        if play(self.whole) == ORDERED:
            self._put("timeline", self._tables["in_order"])

    def write(self, ledger: Ledger) -> None:
        """Write all that was played into the ledger."""
        for name in LEDGER:
            ledger.put(name, self._tables[name][: int(self.numbers[name])])
        tickets = self._tables["tickets"]
        for name, _ in OUTCOMES:
            column = getattr(ledger, name)
            np.frombuffer(column, np.dtype(column.typecode))[:] = tickets[name]


def _rules(scenario: Scenario, demand: Demand, customers: Customers) -> Array:
    """Rules of each category."""
    rules = Rules.of(scenario, demand.categories)
    rows: list[tuple[Any, ...]] = [
        (
            rules.routed(code) != IN_PROGRESS,
            rules.drafted(code) == PENDING_REVIEW,
            customers._repair[code],
        )
        for code in range(len(demand.categories))
    ]
    return np.array(rows, RULE)


def _roomy(rows: Array, more: int) -> Array:
    """The same rows with room for more."""
    roomy = np.empty(len(rows) + more, rows.dtype)
    as_bytes(roomy)[: len(rows)] = as_bytes(rows)
    return roomy
