"""Agents, lines and routes of a desk as tables, for the compiled machine.

The SimPy desk is put together as always (`twin.desk.availability.agent_pools`), and read off before
its clock starts. So this file and `state`, alone, know private parts of it.
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
from twin.desk.clocks import PacedClock
from twin.desk.compiled.columns import (
    AGENT,
    CHANGE,
    EVENT,
    HAND,
    HELP,
    KIND,
    LINE,
    OWN_STATUS,
    PASSING,
    RETRIAL_LUCK,
    STAGE,
    STEP,
    TABLES,
    TEAM,
    TOUCH_LUCK,
    VISIT_LUCK,
    WAKE,
    WAY,
    Array,
)  # fmt: skip
from twin.desk.customers import Customers
from twin.desk.individuals import Crew
from twin.desk.kernel import Clock
from twin.desk.shifts import changes_of
from twin.desk.touches import Transfers, Waits
from twin.desk.work import WRAPPED_UP
from twin.desk.workflow import WorkflowLife
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
    waits : Waits or None
    transfers : Transfers or None
    life : WorkflowLife or None

    Attributes
    ----------
    tables : dict of str to array
        By their names in `columns.TABLES`.
    comes : bool
        Whether agents of any team come and go.
    most_heads : int
    aging : (int, int)
        Steps of the clock of ages, from and to.
    """

    def __init__(
        self,
        clock: Clock,
        scenario: Scenario,
        demand: Demand,
        pools: AgentPools,
        customers: Customers,
        waits: Waits | None,
        transfers: Transfers | None,
        life: WorkflowLife | None,
    ) -> None:
        self._pools, self._customers = pools, customers
        self._waits, self._transfers = waits, transfers
        self._absences: dict[int, Absence] = {}
        self._names = {id(team): k for k, team in enumerate(pools.teams)}
        self._places = {id(line): k for k, line in enumerate(pools._lines)}
        self.most_heads = max((int(t.calendar.values.max()) for t in pools.teams), default=0)
        self.tables: dict[str, Array] = {}
        self._read_teams(clock)
        self._read_lines(demand)
        self._read_changes(scenario)
        self.comes = bool(self._absences)
        self.tables["agents_luck"] = self._next_luck(_LUCK if self.comes else 0)
        self._read_clocks(life)
        longest = self._read_statuses(life)
        # On a desk of its own statuses nobody reopens but by these.
        self._most_reopens = scenario.customers.max_reopens if life is None else 0
        more = 0 if waits is None else waits._most
        more += 0 if transfers is None else transfers._most
        most = self._most_reopens + longest + more + 2
        shape = (len(pools.teams), len(ACTIVITIES), most)
        self.tables |= {name: np.zeros(shape, np.int64) for name in ("work", "wrap_up")}
        for name in ("choices", "agent_choices"):
            self.tables[name] = np.zeros(shape[1:], np.int64)
        self.tables["visit_luck"] = np.zeros(most, VISIT_LUCK)
        self.tables["touch_luck"] = np.zeros(most, TOUCH_LUCK)
        tries = 0 if scenario.customers.retrial is None else scenario.customers.retrial.most
        self.tables["retrial_luck"] = np.zeros(tries, RETRIAL_LUCK)
        self._choices: Lazy[Use, memoryview] | None = None
        if scenario.routing.pool_choice == "random":
            self._choices = Lazy(
                lambda use: demand.column(lambda: demand.uniform(Stream.POOL_CHOICE, use=use))
            )
        crews = [team.crew for team in pools.teams if team.crew is not None]
        self._crew = crews[0] if crews and crews[0].by_chance else None

    def _read_teams(self, clock: Clock) -> None:
        pools = self._pools
        found = pools._absences if isinstance(pools, ComingAndGoing) else {}
        keys = {event: number for _, _, number, event in clock._queue}
        teams = np.zeros(len(pools.teams), TEAM)
        events: list[tuple[float, int, int]] = []
        agents: list[tuple[float, ...]] = []
        for k, team in enumerate(pools.teams):
            row = teams[k]
            row["pool"], row["staffed"] = team.number, team.staffed
            row["wraps"] = team.pool.wrap_up is not None
            row["event_s"], row["event_key"] = inf, -1
            row["stops"], row["last"] = team.stops, -1
            # A team that is all of its pool has one line for all work that it stopped.
            paused = [self._places[id(line)] for line in team.paused.values()]
            row["paused"] = paused[0] if paused else -1
            row["agents_from"] = row["agents_to"] = len(agents)
            if team.crew is not None:
                agents += self._read_crew(row, k, team.crew)
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
        most = int(teams["most"].max(initial=0))
        self.tables["agents"] = np.array(agents, AGENT)
        self.tables["hands"] = np.zeros((len(agents), most), HAND)
        speeds = self.tables["speeds"] = np.ones((len(teams), most + 1))
        for k, team in enumerate(pools.teams):
            if team.crew is not None:
                speeds[k, : len(team.crew._speeds)] = team.crew._speeds

    def _read_crew(self, row: Any, k: int, crew: Crew) -> list[tuple[float, ...]]:
        """Rows of the agents of a team, those who have not come yet included."""
        row["crew"], row["most"], row["steady"] = True, crew._most, crew._steady
        there = {agent.number: agent for agent in crew.agents}
        most = max(len(there), int(self._pools.teams[k].calendar.values.max()))
        row["agents_to"] = row["agents_from"] + most
        on_shift = [n in there and there[n].on_shift for n in range(1, most + 1)]
        return [(0.0, 1.0, k, n + 1, come, 0, 0, 0, 0, 0, -1, -1)
                for n, come in enumerate(on_shift)]  # fmt: skip

    def _read_lines(self, demand: Demand) -> None:
        pools = self._pools
        # Behind the categories: tickets that are passed on to one pool alone.
        codes = range(len(demand.categories) + len(pools.names))
        found = pools._lines
        lines = np.zeros(len(found), LINE)
        lines["first"] = np.arange(len(found))
        watches = np.zeros((len(found), len(pools.teams)), bool)
        able: list[list[int]] = [[] for _ in found]
        for teams, line in pools._routes._found.values():
            able[self._places[id(line)]] = self._numbers_of(teams)
        stages: list[tuple[float, int]] = []
        helpers: list[tuple[int, int, int]] = []
        for k, line in enumerate(found):
            lines[k]["counted"] = line.waiting is not None
            lines[k]["helpers_from"] = len(helpers)
            helpers += [(least, self._names[id(team)], k) for least, team in line.helpers]
            lines[k]["helpers_to"] = len(helpers)
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
            "helpers": np.array(helpers, HELP),
        }
        helps: list[tuple[int, int, int]] = []
        passing: list[tuple[float, int]] = []
        for k, (row, team) in enumerate(zip(self.tables["teams"], pools.teams, strict=True)):
            row["helps_from"], row["to_from"] = len(helps), len(passing)
            helps += [(least, k, self._places[id(line)]) for least, line in team.helps]
            passing += [] if self._transfers is None else self._transfers._to[team.number]
            row["helps_to"], row["to_to"] = len(helps), len(passing)
        self.tables["helps"] = np.array(helps, HELP)
        self.tables["passing"] = np.array(passing, PASSING)

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

    def _read_clocks(self, life: WorkflowLife | None) -> None:
        """Steps of the clocks of waits; `clocks` says from where to where each has its steps."""
        steps: list[tuple[float, float, float]] = []
        named: dict[Any, PacedClock | None] = {}
        if self._waits is not None:
            named |= self._waits._clocks
        if life is not None:
            named |= dict(enumerate(life._paces)) | {"aging": life._aging}
        self.clocks: dict[Any, tuple[int, int]] = {}
        places: dict[int, tuple[int, int]] = {}
        for name, one in named.items():
            if id(one) not in places:
                first = len(steps)
                if one is not None:
                    steps += zip(one._times, one._passed, one._speed, strict=True)
                places[id(one)] = first, len(steps)
            self.clocks[name] = places[id(one)]
        self.tables["steps"] = np.array(steps, STEP)
        self.aging = self.clocks.get("aging", (0, 0))

    def _read_statuses(self, life: WorkflowLife | None) -> int:
        """Ways of tickets through a desk's own statuses; returns the length of the longest."""
        if life is None:
            self.tables |= {
                name: np.zeros((0,) * TABLES[name][1], TABLES[name][0])
                for name in ("ways", "ways_from", "delays", "ages", "paces", "own_statuses")
            }
            return 0
        begin = np.asarray(life._ways.begin)
        ways = np.zeros(begin[-1], WAY)
        ways["status"], ways["delay"] = life._ways.status, life._ways.delay
        own = np.zeros(len(life._works), OWN_STATUS)
        own["works"], own["until_taken"] = life._works, life._until_taken
        own["responds"], own["open"], own["resolves"] = life._responds, life._open, life._resolves
        paces = [self.clocks[kind] for kind in range(len(life._paces))]
        self.tables |= {
            "ways": ways,
            "ways_from": begin,
            "delays": np.array([np.asarray(one) for one in life._ways.delay_s]),
            "ages": np.array(life._ages, dtype=np.float64),
            "paces": np.array(paces, np.int64).reshape(-1, 2),
            "own_statuses": own,
        }
        return int(np.diff(begin).max(initial=0))

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
        if self._crew is not None:
            luck = self._crew._luck[Use(visit, activity)]
            self.tables["agent_choices"][activity, visit] = address(luck)
        for k, team in enumerate(self._pools.teams):
            self.tables["work"][k, activity, visit] = address(team.times[activity, visit])
            if team.pool.wrap_up is not None and activity in WRAPPED_UP:
                self.tables["wrap_up"][k, activity, visit] = address(team.after[activity, visit])

    def draw_luck(self, visit: int) -> None:
        """Draw the luck of all answers to a visit."""
        of, row = self._customers, self.tables["visit_luck"][visit]
        row["solved"] = address(of._solved[visit])
        if visit < self._most_reopens:
            row["returns"] = address(of._returns[visit])
            # Not where some return now: in blocks, the first who does may be still to come.
            if of._settings.reopen_rate > 0:
                row["delay_s"] = address(of._delay[visit])

    def draw_retrial(self, tries: int) -> None:
        """Draw which customers try again after so many tries, and when."""
        if tries < len(self.tables["retrial_luck"]):
            row = self.tables["retrial_luck"][tries]
            row["again"] = address(self._customers._again[tries])
            row["delay_s"] = address(self._customers._again_s[tries])

    def draw_touch(self, touched: int, waited: int) -> None:
        """Draw what touches end with: the transfer after so many of them, the wait after others."""
        table, waits = self.tables["touch_luck"], self._waits
        if self._transfers is not None:
            table[touched]["transfer"] = address(self._transfers._luck[touched])
        if waits is None or waited >= waits._most:
            return
        row = table[waited]
        row["kind"], row["never"] = address(waits._kind[waited]), address(waits._never[waited])
        row["solved"] = address(waits._solved[waited])
        if waits._reply is not None:
            row["reply_s"] = address(waits._reply_s[waited])
            if waits._reply.close_after is not None:
                row["close_s"] = address(waits._close_s[waited])
        if waits._hold is not None:
            row["hold_s"] = address(waits._hold_s[waited])


def address(column: memoryview) -> int:
    """Where a column is in memory: who asks keeps it."""
    return int(np.asarray(column).__array_interface__["data"][0])


def _table(rows: list[list[int]]) -> Array:
    """Rows of different lengths, filled up with -1."""
    table = np.full((len(rows), max(map(len, rows), default=0)), -1)
    for k, row in enumerate(rows):
        table[k, : len(row)] = row
    return table
