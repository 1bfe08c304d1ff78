"""Agents on shift who come and go: free, busy or away (Erlang-S).

After Azriel, Feigin and Mandelbaum (2019), Erlang-S: a data-based model of servers in queueing
networks, Management Science 65(10), 4607-4635. An agent who is away takes no ticket.

Rates change with the state of the desk, so clocks go by integrated rates: the next to leave (or to
return) does so when the integral of the rate since the last one reaches an exponential of mean 1.
That is exact, and the luck belongs to the pool, whatever happens at the desk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import chain
from math import inf

import numpy as np
import numpy.typing as npt
from simpy.events import Event

from twin.demand.luck import Stream, of_agents
from twin.demand.tickets import Demand
from twin.desk.agent import Agent
from twin.desk.agents import AgentPools
from twin.desk.coming import ComingCrew
from twin.desk.individuals import Crew
from twin.desk.kernel import Clock, Happening
from twin.desk.ledger import Ledger
from twin.desk.teams import Team
from twin.desk.waiting import Line, Place, Visit
from twin.scenario.model import Away, Pool, Scenario

# Numbers of luck that a team has: its leavings, returns, touches, goings home, and who they are.
_PURPOSES = 10


def agent_pools(clock: Clock, scenario: Scenario, demand: Demand, ledger: Ledger) -> AgentPools:
    """All human pools of a desk, with what it takes where agents come and go."""
    comes_and_goes = any(pool.away is not None for pool in scenario.agents.values())
    kind = ComingAndGoing if comes_and_goes else AgentPools
    return kind(clock, scenario, demand, ledger)


class ComingAndGoing(AgentPools):
    """Agent pools of which some have agents who come and go.

    The number of agents of a team who may work is that on shift less those away.
    """

    def __init__(self, clock: Clock, scenario: Scenario, demand: Demand, ledger: Ledger) -> None:
        super().__init__(clock, scenario, demand, ledger)
        # Visits that wait and are counted, by when their patience ends.
        self._deadlines: list[tuple[float, Place, Visit]] = []
        self._absences: dict[Team, Absence] = {}
        for team in self.teams:
            if team.pool.away is not None:
                kind = Absence if team.crew is None else CrewAbsence
                self._absences[team] = kind(self, team, team.pool.away, clock, demand, ledger)
        for one in self._absences.values():
            one.mates = [self._absences[mate] for mate in one.team.mates or (one.team,)]
        for one in self._absences.values():
            one.start()
        for line in self._lines:
            line.watchers = tuple(
                absence
                for absence in self._absences.values()
                if absence.per_queued and any(own is line for own in absence.team.queues)
            )

    def settle(self) -> None:
        """Count out those whose patience has ended, each at that moment."""
        deadlines, now = self._deadlines, self._clock._now
        while deadlines and deadlines[0][0] <= now:
            moment, _, visit = heappop(deadlines)
            for absence in visit.watchers:
                absence.waits_less(moment)
            visit.watchers = ()

    def _crew(self, pool: Pool) -> type[Crew]:
        return Crew if pool.away is None else ComingCrew

    def _wait_in(self, line: Line, visit: Visit) -> None:
        super()._wait_in(line, visit)
        self._count(line, visit)

    def _wait_for(self, agent: Agent, visit: Visit) -> bool:
        waits = super()._wait_for(agent, visit)
        if waits:
            self._count(self._line_of(visit), visit)
        return waits

    def _count(self, line: Line, visit: Visit) -> None:
        """Count a visit among those that wait for teams whose agents return for them."""
        more = [one for one in line.watchers if one not in visit.watchers]
        if not more:
            return
        self.settle()
        if not visit.watchers and visit.deadline_s < inf:
            heappush(self._deadlines, (visit.deadline_s, visit.place, visit))
        visit.watchers = line.watchers
        for absence in more:
            absence.queued += 1
            absence.refresh()

    def _pick_up(self, team: Team, visit: Visit) -> None:
        self.settle()
        watchers, visit.watchers = visit.watchers, ()
        for absence in watchers:
            absence.queued -= 1
        super()._pick_up(team, visit)
        for absence in watchers:
            absence.refresh()
        own = self._absences.get(team)
        if own is not None and own not in watchers:
            own.refresh()

    def _release(self, team: Team, visit: Visit) -> None:
        own = self._absences.get(team)
        if own is None:
            super()._release(team, visit)
            return
        self.settle()
        own.after_touch()
        super()._release(team, visit)
        own.refresh()

    def _staff(self, team: Team, heads: int) -> None:
        own = self._absences.get(team)
        if own is None:
            super()._staff(team, heads)
        else:
            own.change(heads)

    def _change(self, changes: list[tuple[int, int]]) -> None:
        self.settle()
        super()._change(changes)
        for absence in self._absences.values():
            absence.refresh()

    def returned(self, team: Team) -> None:
        """An agent is back: they take who waits."""
        team.fill()


class Absence:
    """The agents of a team who are away, and the clocks by which they leave and return.

    Parameters
    ----------
    pools : ComingAndGoing
    team : Team
    rates : Away
    clock : Clock
    demand : Demand
        For the luck.
    ledger : Ledger

    Attributes
    ----------
    away, queued : int
        Agents away; tickets that wait for the team, where that makes agents return.
    """

    def __init__(
        self,
        pools: ComingAndGoing,
        team: Team,
        rates: Away,
        clock: Clock,
        demand: Demand,
        ledger: Ledger,
    ) -> None:
        self.team = team
        self.away = self.queued = 0
        self.per_queued = rates.returns_per_queued
        self._pools, self._clock, self._ledger = pools, clock, ledger
        self._heads = int(team.calendar.values[0])
        self._after_touch, self._while_idle = rates.after_touch, rates.while_idle
        self._returns = rates.returns

        # Of several teams of a pool each has luck of its own.
        place = _PURPOSES * team.mates.index(team) if team.mates else 0

        def luck(purpose: int) -> np.random.Generator:
            use = place + purpose
            return of_agents(demand.seed, demand.replication, Stream.AWAY, team.pool.name, use)

        self._luck = luck
        self._leaving, self._returning = _exponentials(luck(0)), _exponentials(luck(1))
        self._touched, self._going_home = _uniforms(luck(2)), _uniforms(luck(3))
        # What is left of the two integrals, up to which moment they were reckoned, and their rates.
        self._to_leave, self._to_return = next(self._leaving), next(self._returning)
        self._since_s = 0.0
        self._leave_rate = self._return_rate = 0.0
        # The next event, and its moment; those before it are ignored.
        self._event: Event | None = None
        self._event_s = inf
        # Of all teams of the pool.
        self.mates = [self]

    def start(self) -> None:
        """Begin, with all others known."""
        self._written()
        self.refresh()

    def after_touch(self) -> None:
        """A touch ends now: the agent may leave. Who stayed on past their shift goes home."""
        leaves = next(self._touched) < self._after_touch
        if leaves and self.team.busy - 1 + self.away < self._heads:
            self._leave()

    def change(self, heads: int) -> None:
        """Agents come on shift, free, or go off it: who goes may be any of them, also one away."""
        for before in range(self._heads, heads, -1):
            if next(self._going_home) * before < self.away:
                self.away -= 1
        self._heads = heads
        self.team.staffed = heads - self.away
        self._written()

    def waits_less(self, moment: float) -> None:
        """A ticket that waited left at a moment, now or before."""
        self._reckon(moment)
        self.queued -= 1
        self._return_rate = self._rate_of_returns()

    def refresh(self) -> None:
        """Go by the state of the desk as it is now, after whatever has changed in it."""
        free = self._free()
        leave_rate = self._while_idle * free if free > 0 else 0.0
        return_rate = self._rate_of_returns()
        same = leave_rate == self._leave_rate and return_rate == self._return_rate
        if same and self._event is not None:
            return
        self._reckon(self._clock._now)
        self._leave_rate, self._return_rate = leave_rate, return_rate
        moment = inf
        if leave_rate:
            moment = self._since_s + self._to_leave / leave_rate
        if return_rate:
            moment = min(moment, self._since_s + self._to_return / return_rate)
        # An event that is now too early stays: when it comes, the rest of the time is known. So a
        # rate may also fall without a word, as when a patience ends.
        if moment < self._event_s:
            event = Happening(self._clock)
            event.callbacks = [self._wake]
            # By rounding the rest may be just below 0.
            self._event, self._event_s = event, max(moment, self._since_s)
            self._clock.schedule_at(event, self._event_s)

    def _rate_of_returns(self) -> float:
        return self.away * (self._returns + self.per_queued * self.queued)

    def _reckon(self, moment: float) -> None:
        passed_s = moment - self._since_s
        self._to_leave -= self._leave_rate * passed_s
        self._to_return -= self._return_rate * passed_s
        self._since_s = moment

    def _wake(self, event: Event) -> None:
        if event is not self._event:
            return
        self._event, self._event_s = None, inf
        self._pools.settle()
        now = self._clock._now
        self._reckon(now)
        # Within the rounding of moments: what is left takes no time.
        if self._return_rate and now + self._to_return / self._return_rate <= now:
            self._to_return = next(self._returning)
            self.away -= 1
            self._is_back()
            self._written()
            self._pools.returned(self.team)
        elif self._leave_rate and now + self._to_leave / self._leave_rate <= now:
            self._to_leave = next(self._leaving)
            self._leave()
        self.refresh()

    def _free(self) -> int:
        return self.team.staffed - self.team.busy

    def _leave(self) -> None:
        self.team.staffed -= 1
        self.goes()

    def _is_back(self) -> None:
        self.team.staffed += 1

    def goes(self) -> None:
        """Count an agent who is away from now on."""
        self.away += 1
        self._written()

    def _written(self) -> None:
        heads = math.fsum(one._heads for one in self.mates)
        away = math.fsum(one.away for one in self.mates)
        self._ledger.staffed(self.team.number, self._clock._now, int(heads), int(away))


class CrewAbsence(Absence):
    """The same of agents who are told apart: any of the idle leaves, any of those away returns."""

    def __init__(
        self,
        pools: ComingAndGoing,
        team: Team,
        rates: Away,
        clock: Clock,
        demand: Demand,
        ledger: Ledger,
    ) -> None:
        super().__init__(pools, team, rates, clock, demand, ledger)
        assert isinstance(team.crew, ComingCrew)
        self._crew = team.crew
        self._crew.absence = self
        self._who_leaves, self._who_returns = _uniforms(self._luck(4)), _uniforms(self._luck(5))

    def touch_ends(self) -> bool:
        """True if the agent whose touch ends now leaves; who is to go home may do so instead."""
        self._pools.settle()
        return next(self._touched) < self._after_touch

    def change(self, heads: int) -> None:
        """Agents come on shift, free, or go off it: who goes may be any of them, also one away."""
        for before in range(self._heads, heads, -1):
            one = int(next(self._going_home) * before)
            if one < self.away:
                self.away -= 1
                self._crew.away()[one].away = False
        self._heads = heads
        self._crew.change(heads - self.away)
        self._written()

    def _free(self) -> int:
        return len(self._crew.idle())

    def _leave(self) -> None:
        idle = self._crew.idle()
        self._crew.leaves(idle[int(next(self._who_leaves) * len(idle))])

    def _is_back(self) -> None:
        away = self._crew.away()
        self._crew.returns(away[int(next(self._who_returns) * len(away))])


def _exponentials(luck: np.random.Generator) -> Iterator[float]:
    return chain.from_iterable(_lists(luck.standard_exponential))


def _uniforms(luck: np.random.Generator) -> Iterator[float]:
    return chain.from_iterable(_lists(luck.random))


def _lists(draw: Callable[[int], npt.NDArray[np.float64]]) -> Iterator[list[float]]:
    while True:
        yield draw(256).tolist()
