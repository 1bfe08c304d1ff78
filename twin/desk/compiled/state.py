"""The desk at the start of a run as columns, for the compiled machine.

The SimPy desk is put together as always (`twin.desk.availability.agent_pools`), and read off before
its clock starts: teams, lines and routes, calendars, and who comes and goes. So this file, alone,
knows private parts of it.
"""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import Any

import numpy as np

from twin.demand.luck import Lazy, Stream, Use
from twin.demand.tickets import Demand
from twin.desk.agents import AgentPools
from twin.desk.availability import Absence, ComingAndGoing
from twin.desk.compiled.columns import (
    CHANGE,
    EVENT,
    KIND,
    LINE,
    NUMBERS,
    ROOM,
    STAGE,
    TEAM,
    TICKET,
    WAKE,
    Array,
    Columns,
)  # fmt: skip
from twin.desk.customers import Customers
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.desk.shifts import changes_of
from twin.records.tables import BY_AGENT, HANDLE
from twin.scenario.model import PRIORITIES, Scenario

# Numbers of each luck of a team's agents that are drawn at first.
_LUCK = 512
# Tables of the ledger, with the rows that a ticket has as a rule.
_TABLES = {"timeline": 3.4, "visits": 1.2, "ratings": 0.4, "staffing": 0.0}
_HEAPS = ("events", "patience_ends", "expiries")


class State:
    """All columns of a desk.

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

    Attributes
    ----------
    columns : Columns
        For `machine.play`.
    """

    def __init__(
        self, clock: Clock, scenario: Scenario, demand: Demand, ledger: Ledger, pools: AgentPools,
        customers: Customers,
    ) -> None:  # fmt: skip
        self._absences: dict[int, Absence] = {}
        self._most_heads = max((int(t.calendar.values.max()) for t in pools.teams), default=0)
        self._names = {id(team): k for k, team in enumerate(pools.teams)}
        self._places = {id(line): k for k, line in enumerate(pools._routes.lines)}
        # Where every answer solves, or nobody comes back, the luck of later visits is not drawn.
        settings = scenario.customers
        back = settings.solved.agent < 1 and settings.reopen_rate > 0
        self._most_returns = settings.max_reopens if back else 0
        columns = {name: np.empty(1024, EVENT) for name in _HEAPS}
        columns |= self._teams(clock, pools)
        columns |= self._lines(pools)
        columns |= _changes(scenario, pools)
        columns |= self._tickets(scenario, demand, pools, customers)
        columns |= self._luck_of_tickets(len(demand), pools, customers)
        columns |= self._choices(scenario, demand, pools)
        columns |= {name: ledger.rows(name) for name in _TABLES}
        columns["numbers"] = self._numbers(clock, scenario, pools, columns)
        for name, share in _TABLES.items():
            columns[name] = _roomy(columns[name], int(share * len(demand)) + 8 * ROOM)
        columns["luck"] = self._luck_of_agents(_LUCK)
        self.columns = Columns(**columns)

    def _teams(self, clock: Clock, pools: AgentPools) -> dict[str, Array]:
        found = pools._absences if isinstance(pools, ComingAndGoing) else {}
        keys = {event: number for _, _, number, event in clock._queue}
        teams = np.zeros(len(pools.teams), TEAM)
        events: list[tuple[float, int, int]] = []
        for k, team in enumerate(pools.teams):
            row = teams[k]
            row["pool"], row["staffed"] = team.number, team.staffed
            row["wraps"] = team.pool.wrap_up is not None
            row["event_s"], row["event_key"] = inf, -1
            one = found.get(team)
            if one is None:
                continue
            self._absences[k] = one
            row["comes"], row["heads"], row["away"] = True, one._heads, one.away
            row["after_touch"], row["while_idle"] = one._after_touch, one._while_idle
            row["returns"], row["per_queued"] = one._returns, one.per_queued
            row["to_leave"], row["to_return"] = one._to_leave, one._to_return
            row["since_s"] = one._since_s
            row["leave_rate"], row["return_rate"] = one._leave_rate, one._return_rate
            if one._event is not None:
                row["event_s"], row["event_key"] = one._event_s, keys[one._event]
                events.append((one._event_s, keys[one._event], (WAKE << KIND) + k))
        # Sorted is a heap.
        first = np.array(sorted(events), EVENT)
        self._events = len(first)
        return {"teams": teams, "events": _roomy(first, 4096)}

    def _lines(self, pools: AgentPools) -> dict[str, Array]:
        found = pools._routes.lines
        lines = np.zeros(len(found), LINE)
        lines["first"] = np.arange(len(found))
        watches = np.zeros((len(found), len(pools.teams)), bool)
        able: list[list[int]] = [[] for _ in found]
        for teams, line in pools._routes._found.values():
            able[self._places[id(line)]] = self._numbers_of(teams)
        stages: list[tuple[float, int]] = []
        for k, line in enumerate(found):
            lines[k]["stages_from"] = len(stages)
            for one in line.overflows:
                later = self._places[id(one.line)]
                lines[later]["first"] = k
                stages.append((one.after_s, later))
                able.append(self._numbers_of(one.teams))
            lines[k]["stages_to"] = len(stages)
            watches[k, self._numbers_of(absence.team for absence in line.watchers)] = True
        queues = [[self._places[id(line)] for line in team.queues] for team in pools.teams]
        return {
            "lines": lines,
            "ends": np.full((len(lines), len(PRIORITIES), 2), -1),
            "queues": _table(queues),
            "able": _table(able),
            "watches": watches,
            "stages": np.array(stages, STAGE),
        }

    def _numbers_of(self, teams: Any) -> list[int]:
        return [self._names[id(team)] for team in teams]

    def _tickets(
        self, scenario: Scenario, demand: Demand, pools: AgentPools, customers: Customers
    ) -> dict[str, Array]:
        bonus_s, entrance = scenario.routing.wait_bonus, pools._entrance
        ahead = None if entrance is None else entrance.most_ahead
        tickets = np.zeros(len(demand), TICKET)
        tickets["arrived_s"] = demand.arrived_s
        tickets["place_s"] = demand.priority * (1.0 if bonus_s is None else bonus_s)
        tickets["patience_s"] = inf if customers._patience is None else customers._patience
        tickets["most_ahead"] = inf if ahead is None else ahead
        tickets["opinion"] = customers._opinion[0]
        tickets["surveyed"] = customers._surveyed[0]
        tickets["comment"] = customers._comment[0]
        tickets["rank"], tickets["category"] = demand.priority, demand.category
        tickets["first_line"] = self._first_lines(demand, pools)
        tickets["responded_s"] = tickets["resolved_s"] = np.nan
        for name in ("before", "behind", "watched_in", "solved"):
            tickets[name] = -1
        opening = sorted(demand.opening, key=lambda ticket: demand.priority[ticket])
        return {"tickets": tickets, "opening": np.array(opening, np.int64)}

    def _first_lines(self, demand: Demand, pools: AgentPools) -> Array:
        """The line in which each ticket waits first, by category or by channel and category."""
        routes = pools._routes
        several = [routes.by_category] if routes.by_category is not None else routes._by_channel
        table = np.array([[self._places[id(line)] for _, line in one] for one in several])
        if routes.by_category is not None:
            return np.asarray(table[0][demand.category])
        # That of an unknown channel, -1, is the last one.
        return np.asarray(table[demand.channel, demand.category])

    def _luck_of_tickets(self, n: int, pools: AgentPools, customers: Customers) -> dict[str, Array]:
        several = range(self._most_returns + 1)

        def times(of: Lazy[tuple[int, int], memoryview]) -> list[Any]:
            return [of[HANDLE, visit] for visit in several]

        teams = pools.teams
        wraps = any(team.pool.wrap_up is not None for team in teams)
        none = [0.0] * len(several)
        wrap_up = [t for team in teams for t in (times(team.after) if team.pool.wrap_up else none)]
        delays = [
            np.where(customers._returns[visit], customers._delay[visit], -1.0)
            for visit in range(self._most_returns)
        ]
        return {
            "work": _rows([one for team in teams for one in times(team.times)], n),
            "wrap_up": _rows(wrap_up if wraps else [], n),
            "solves": _rows([customers._solved[visit] for visit in several], n),
            "delays": _rows(delays, n),
        }

    def _choices(self, scenario: Scenario, demand: Demand, pools: AgentPools) -> dict[str, Array]:
        """The luck of the choice among pools, and which categories each team is chosen for."""
        skilled = np.zeros((len(pools.teams), len(demand.categories)), bool)
        for k, team in enumerate(pools.teams):
            skilled[k, [code for code in team.skills if code < skilled.shape[1]]] = True
        drawn = []
        if scenario.routing.pool_choice == "random":
            drawn = [
                demand.uniform(Stream.POOL_CHOICE, use=Use(visit, HANDLE))
                for visit in range(self._most_returns + 1)
            ]
        return {"skilled": skilled, "choices": _rows(drawn, len(demand))}

    def _luck_of_agents(self, n: int) -> Array:
        """The next numbers of the luck of agents who come and go, in the order of `columns`."""
        luck = np.zeros((4, len(self._names), n))
        for k, one in self._absences.items():
            of = (one._leaving, one._returning, one._touched, one._going_home)
            for purpose, numbers in enumerate(of):
                luck[purpose, k] = np.fromiter(islice(numbers, n), np.float64, n)
        return luck

    def _numbers(
        self, clock: Clock, scenario: Scenario, pools: AgentPools, columns: dict[str, Array]
    ) -> Array:
        numbers = np.zeros(1, NUMBERS)
        row, settings, entrance = numbers[0], scenario.customers, pools._entrance
        row["horizon"], row["close_after"] = scenario.horizon, settings.close_after
        row["solves"], weight = settings.solved.agent, settings.satisfaction
        row["weight_wait"], row["weight_reopened"] = weight.wait, weight.reopened
        row["weight_unsolved"] = weight.unsolved
        row["capacity"] = inf if entrance is None else entrance.places
        row["counted"], row["comes"] = entrance is not None, bool(self._absences)
        row["strict"] = scenario.routing.wait_bonus is None
        row["by_chance"] = len(columns["choices"]) > 0
        row["most_returns"], row["most_heads"] = self._most_returns, self._most_heads
        row["seq"], row["events"] = next(clock._eid), self._events
        row["arrived"] = len(columns["opening"])
        row["arrival_key"] = row["stop_key"] = -1
        for name in _TABLES:
            row[name] = len(columns[name])
        return numbers

    def grow(self) -> None:
        """Make room in all that may be full."""
        columns, numbers = self.columns, self.columns.numbers[0]
        more = 3 * int(numbers["queued"]) + 2 * len(columns.teams) + 2 * ROOM
        grown = {
            name: _roomy(rows, len(rows) // 2 + more)
            for name in (*_TABLES, *_HEAPS)
            if int(numbers[name]) + more > len(rows := getattr(columns, name))
        }
        teams, drawn = columns.teams, columns.luck.shape[2]
        used = [int(teams[name].max(initial=0)) for name in ("leavings", "returnings", "touched")]
        used.append(int(teams["going_home"].max(initial=0)) + self._most_heads)
        if max(used) + 2 > drawn:
            next_ones = self._luck_of_agents(drawn + self._most_heads)
            grown["luck"] = np.concatenate([columns.luck, next_ones], axis=2)
        self.columns = columns._replace(**grown)

    def write(self, ledger: Ledger) -> None:
        """Write all that was played into the ledger."""
        for name in _TABLES:
            used = int(self.columns.numbers[0][name])
            ledger.put(name, getattr(self.columns, name)[:used])
        tickets, demand = self.columns.tickets, ledger.demand
        answered = ~np.isnan(tickets["resolved_s"])
        for column, values in (
            (ledger.category, np.where(answered, demand.category, -1)),
            (ledger.categorized_by, np.where(answered, BY_AGENT, -1)),
            (ledger.resolved_by, np.where(answered, BY_AGENT, -1)),
            (ledger.responded_s, tickets["responded_s"]),
            (ledger.resolved_s, tickets["resolved_s"]),
            (ledger.solved, tickets["solved"]),
            (ledger.reopens, tickets["reopens"]),
        ):
            np.frombuffer(column, np.dtype(column.typecode))[:] = values


def _changes(scenario: Scenario, pools: AgentPools) -> dict[str, Array]:
    """Changes of the calendar, in the order in which they were scheduled."""
    found = changes_of([team.calendar for team in pools.teams], scenario.horizon)
    moments = sorted(found)
    ends = np.cumsum([0, *(len(found[moment]) for moment in moments)])
    changes = np.zeros(len(moments), CHANGE)
    changes["time"], changes["first"], changes["to"] = moments, ends[:-1], ends[1:]
    rows = [change for moment in moments for change in found[moment]]
    return {"changes": changes, "changes_to": np.array(rows, np.int64).reshape(-1, 2)}


def _roomy(rows: Array, more: int) -> Array:
    """The same rows with room for more."""
    roomy = np.empty(len(rows) + more, rows.dtype)
    roomy[: len(rows)] = rows
    return roomy


def _table(rows: list[list[int]]) -> Array:
    """Rows of different lengths, filled up with -1."""
    table = np.full((len(rows), max(map(len, rows), default=0)), -1)
    for k, row in enumerate(rows):
        table[k, : len(row)] = row
    return table


def _rows(columns: list[Any], n: int) -> Array:
    table = np.empty((len(columns), n))
    for k, column in enumerate(columns):
        table[k] = column
    return table
