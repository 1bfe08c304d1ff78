"""Agents, lines and routes of a desk as tables, for the compiled machine.

The SimPy desk is put together as always (`twin.desk.availability.agent_pools`), and read off before
its clock starts. So this file and `state`, alone, know private parts of it.
"""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import Any

import numpy as np

from twin.demand.luck import Lazy, Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.agents import AgentPools
from twin.desk.availability import Absence, ComingAndGoing
from twin.desk.compiled.columns import (
    CHANGE,
    EVENT,
    KIND,
    LINE,
    STAGE,
    TEAM,
    VISIT_LUCK,
    WAKE,
    Array,
)  # fmt: skip
from twin.desk.customers import Customers
from twin.desk.kernel import Clock
from twin.desk.shifts import changes_of
from twin.desk.work import WRAPPED_UP
from twin.records.tables import ACTIVITIES
from twin.scenario.model import PRIORITIES, Scenario

# Numbers of each luck of a team's agents that are drawn at first.
_LUCK = 512


class People:
    """Tables of all agents, and of their luck and that of customers, which is drawn as needed.

    Parameters
    ----------
    clock : Clock
        Nothing has happened on it.
    scenario : Scenario
    demand : Demand
    pools : AgentPools
    customers : Customers

    Attributes
    ----------
    tables : dict of str to array
        By their names in `columns.TABLES`.
    comes : bool
        Whether agents of any team come and go.
    most_heads : int
    """

    def __init__(
        self,
        clock: Clock,
        scenario: Scenario,
        demand: Demand,
        pools: AgentPools,
        customers: Customers,
    ) -> None:
        self._pools, self._customers = pools, customers
        self._absences: dict[int, Absence] = {}
        self._names = {id(team): k for k, team in enumerate(pools.teams)}
        self._places = {id(line): k for k, line in enumerate(pools._routes.lines)}
        self.most_heads = max((int(t.calendar.values.max()) for t in pools.teams), default=0)
        self.tables: dict[str, Array] = {}
        self._read_teams(clock)
        self._read_lines(demand)
        self._read_changes(scenario)
        self.comes = bool(self._absences)
        self.tables["agents_luck"] = self._next_luck(_LUCK if self.comes else 0)
        most = scenario.customers.max_reopens + 1
        shape = (len(pools.teams), len(ACTIVITIES), most)
        self.tables |= {name: np.zeros(shape, np.int64) for name in ("work", "wrap_up")}
        self.tables["choices"] = np.zeros(shape[1:], np.int64)
        self.tables["visit_luck"] = np.zeros(most, VISIT_LUCK)
        self._choices: Lazy[Use, memoryview] | None = None
        if scenario.routing.pool_choice == "random":
            self._choices = Lazy(lambda use: view(demand.uniform(Stream.POOL_CHOICE, use=use)))

    def _read_teams(self, clock: Clock) -> None:
        pools = self._pools
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
        self.tables |= {"teams": teams, "events": np.array(sorted(events), EVENT)}

    def _read_lines(self, demand: Demand) -> None:
        pools, codes = self._pools, range(len(demand.categories))
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
        by_category = pools._routes.by_category
        several = pools._routes._by_channel if by_category is None else [by_category]
        skilled, knows = (
            np.array([[code in one for code in codes] for one in several], bool).reshape(
                -1, codes.stop
            )
            for several in (
                [team.skills for team in pools.teams],
                [team.knows for team in pools.teams],
            )
        )
        self.tables |= {
            "lines": lines,
            "ends": np.full((len(lines), len(PRIORITIES), 2), -1),
            "queues": _table(queues),
            "able": _table(able),
            "routes": _table([[self._places[id(line)] for _, line in one] for one in several]),
            "skilled": skilled,
            "knows": knows,
            "watches": watches,
            "stages": np.array(stages, STAGE),
        }

    def _numbers_of(self, teams: Any) -> list[int]:
        return [self._names[id(team)] for team in teams]

    def _read_changes(self, scenario: Scenario) -> None:
        """Changes of the calendar, in the order in which they were scheduled."""
        found = changes_of([team.calendar for team in self._pools.teams], scenario.horizon)
        moments = sorted(found)
        ends = np.cumsum([0, *(len(found[moment]) for moment in moments)])
        changes = np.zeros(len(moments), CHANGE)
        changes["time"], changes["first"], changes["to"] = moments, ends[:-1], ends[1:]
        rows = [change for moment in moments for change in found[moment]]
        self.tables["changes"] = changes
        self.tables["changes_to"] = np.array(rows, np.int64).reshape(-1, 2)

    def _next_luck(self, n: int) -> Array:
        """The next numbers of the luck of agents who come and go, in the order of `columns`."""
        luck = np.zeros((4, len(self._names), n))
        for k, one in self._absences.items():
            of = (one._leaving, one._returning, one._touched, one._going_home)
            for purpose, numbers in enumerate(of):
                luck[purpose, k] = np.fromiter(islice(numbers, n), np.float64, n)
        return luck

    def more_luck(self) -> Array | None:
        """The luck of agents with more of it, where the next event may need more than there is."""
        teams, luck = self.tables["teams"], self.tables["agents_luck"]
        used = [int(teams[name].max(initial=0)) for name in ("leavings", "returnings", "touched")]
        used.append(int(teams["going_home"].max(initial=0)) + self.most_heads)
        drawn = luck.shape[2]
        if not self.comes or max(used) + 2 <= drawn:
            return None
        more = self._next_luck(drawn + self.most_heads)
        self.tables["agents_luck"] = np.concatenate([luck, more], axis=2)
        return self.tables["agents_luck"]

    def draw_work(self, activity: int, visit: int) -> None:
        """Draw the work and wrap-up of all tickets at a visit, of all teams."""
        if self._choices is not None:
            luck = self._choices[Use(visit, activity)]
            self.tables["choices"][activity, visit] = address(luck)
        for k, team in enumerate(self._pools.teams):
            self.tables["work"][k, activity, visit] = address(team.times[activity, visit])
            if team.pool.wrap_up is not None and activity in WRAPPED_UP:
                self.tables["wrap_up"][k, activity, visit] = address(team.after[activity, visit])

    def draw_luck(self, visit: int) -> None:
        """Draw the luck of all answers to a visit."""
        of, row = self._customers, self.tables["visit_luck"][visit]
        row["solved"] = address(of._solved[visit])
        if visit + 1 < len(self.tables["visit_luck"]):
            row["returns"] = address(of._returns[visit])
            if np.any(of._returns[visit]):
                row["delay_s"] = address(of._delay[visit])


def address(column: memoryview) -> int:
    """Where a column is in memory: who asks keeps it."""
    return int(np.asarray(column).__array_interface__["data"][0])


def _table(rows: list[list[int]]) -> Array:
    """Rows of different lengths, filled up with -1."""
    table = np.full((len(rows), max(map(len, rows), default=0)), -1)
    for k, row in enumerate(rows):
        table[k, : len(row)] = row
    return table
