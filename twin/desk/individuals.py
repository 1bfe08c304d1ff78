"""Agents told apart: who takes a ticket, how many each has in hand, and how fast these go on.

Of such a pool the desk asks what it asks of any other: is there a free place? Here places are
those for tickets in hand, of which a ticket may take several. Work in hand goes on at a speed that
changes with the number of tickets, so its end is set anew whenever that number does.

Whose shift ends takes nothing new. Agents with nothing in hand go first; where more have to go,
those go who are first to have nothing left: so one ticket a hand is the desk that only counts.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf

from simpy.events import Event

from twin.demand.luck import Lazy, Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.agent import Agent, Places, Ties
from twin.desk.kernel import Clock, Happening
from twin.desk.ledger import Ledger
from twin.desk.tenure import Tenures
from twin.desk.waiting import Visit
from twin.records.tables import FOLLOW_UP, HANDLE, WRAP_UP
from twin.scenario.model import Scenario

# Activities after which an agent knows the ticket.
TOUCHES = (HANDLE, FOLLOW_UP)

# What a free agent is chosen by, their number, and their stamp then.
Offer = tuple[tuple[float, ...], int, int]


class Crew:
    """The agents of a pool.

    Parameters
    ----------
    clock : Clock
    ledger : Ledger
    team : Places
        Its counts of places are kept here.
    scenario : Scenario
    demand : Demand
    ties : Ties
    """

    def __init__(
        self,
        clock: Clock,
        ledger: Ledger,
        team: Places,
        scenario: Scenario,
        demand: Demand,
        ties: Ties,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._team = team
        self._ties = ties
        pool = team.pool
        self._most = pool.concurrency
        # By the number in hand; with none of them the one to come is alone.
        self._speeds = (1.0, *pool.speeds)
        self._tenures: Tenures | None = None
        if scenario.assistant.support is not None or pool.turnover:
            self._tenures = Tenures(team.number, pool, scenario.assistant.support, demand)
        support = scenario.assistant.support
        self._better = self._tenures if support is not None and support.changes_quality else None
        # Ends of visits are known when they begin, as long as all go on at one speed.
        one_speed = self._tenures is None or self._most == 1
        reached = self._speeds[: 1 + self._most // min(team.weights)]
        self._steady = one_speed and len(set(reached)) == 1
        self._choice = scenario.routing.choice or "least loaded"
        self.by_chance = self._choice == "random"
        self._luck: Lazy[Use, memoryview] = Lazy(
            lambda use: view(demand.uniform(Stream.AGENT_CHOICE, use=use))
        )
        self.agents: list[Agent] = []
        self._numbered: dict[int, Agent] = {}
        self._leaving: list[Agent] = []
        self._taken = 0
        # Free agents by the places of a ticket, the next one first; offers that were overtaken are
        # thrown away when found.
        self._free: dict[int, list[Offer]] = {places: [] for places in team.weights}
        self._weighs = team.weights != (1,)
        heads, team.staffed = team.staffed, 0
        self.change(heads)

    def take(self, visit: Visit, work_s: float) -> None:
        """The agent of the visit takes it, else one with a free place."""
        if visit.agent is None:
            visit.agent = self._next(visit)
        agent = visit.agent
        visit.callbacks.insert(0, lambda _: self._done(visit))
        ends_s = inf
        if self._steady:
            ends_s = self._clock._now + work_s / self._rate(agent, len(agent.in_hand) + 1)
        visit.row = self._ledger.picked_up(
            visit.ticket, self._team.number, visit.activity, visit.queued_s, ends_s, visit.fresh,
            agent.number,
        )  # fmt: skip
        places = visit.places(self._team.number) if self._weighs else 1
        self._team.busy += places
        agent.taken += places
        self._taken += 1
        agent.latest = self._taken
        agent.in_hand.append(visit)
        self._changed(agent, visit, work_s)

    def gives(self, agent: Agent, visit: Visit) -> None:
        """An agent with a free place takes a visit."""
        visit.agent = agent
        self._ties.pick_up(visit)

    def idle_since(self, visit: Visit) -> tuple[int, float]:
        """Places taken, and since when, of the agent who may take a visit and is idle longest."""
        return min((agent.taken, agent.since_s) for agent in self.free(visit))

    def let_go(self, visit: Visit) -> float:
        """Take a visit out of its agent's hand; returns the work that is left, at speed 1."""
        agent = visit.agent
        left_s: float = (visit.ends_s - self._clock._now) * agent.rate
        self._drop(agent, visit)
        return left_s

    def change(self, heads: int) -> None:
        """Agents come on shift, or go off it: `heads` stay."""
        on_shift = [agent for agent in self.agents if agent.on_shift]
        going = sorted(on_shift, key=self._first_to_go)[: max(len(on_shift) - heads, 0)]
        for agent in on_shift:
            if agent.leaving and not agent.drains and agent not in going:
                self._stays(agent)
        for _ in range(heads - len(on_shift)):
            self._comes()
        self._send_home([agent for agent in going if agent.drains or not agent.leaving])

    def _comes(self) -> None:
        """The first agent who is not on shift comes."""
        off = (agent for agent in self.agents if not agent.on_shift and not agent.away)
        agent = next(off, None)
        if agent is None:
            agent = self._another()
        agent.on_shift = True
        agent.since_s = self._clock._now
        self._team.staffed += self._most
        self._offer(agent)

    def _another(self) -> Agent:
        """One who has not been there: the members of the team, then agents without a name."""
        k, numbers, members = len(self.agents), self._team.numbers, self._team.pool.members
        if k < len(numbers):
            agent = Agent(numbers[k], members[numbers[k] - 1].speed)
        else:
            agent = Agent(len(members) + 1 + k - len(numbers), 1.0)
        self.agents.append(agent)
        self._numbered[agent.number] = agent
        return agent

    def _send_home(self, going: list[Agent]) -> None:
        """End the shifts of agents; who has work in hand finishes it or stops."""
        for agent in going:
            self._is_to_go(agent)
        if self._team.stops:
            in_hand = [visit for agent in going for visit in agent.in_hand]
            # Who began last stops first.
            for visit in sorted(in_hand, key=lambda visit: visit.row, reverse=True):
                if self._may_stop(visit):
                    self._ties.stop(visit)
        for agent in going:
            if not agent.in_hand:
                self._goes(agent)

    def _may_stop(self, visit: Visit) -> bool:
        # Wrap-up is finished; work that ends now is left to end.
        return visit.activity != WRAP_UP and visit.ends_s > self._clock._now

    def _first_to_go(self, agent: Agent) -> tuple[int, ...]:
        in_hand = len(agent.in_hand)
        if not in_hand:
            return 0, 0, 0, -agent.number
        stays = self._team.stops and not all(map(self._may_stop, agent.in_hand))
        return 1, stays, in_hand, -agent.latest

    def _is_to_go(self, agent: Agent) -> None:
        """The agent takes nothing new, and goes home when nothing is left in hand."""
        self._leaving.append(agent)
        if agent.drains:
            agent.drains = False
            return
        agent.leaving = True
        self._team.staffed -= self._most
        self._team.busy -= agent.taken
        self._offer(agent)
        while agent.own:
            self._ties.wait(agent.own.take())

    def _stays(self, agent: Agent) -> None:
        """An agent who was to go stays."""
        agent.leaving = False
        self._leaving.remove(agent)
        self._team.staffed += self._most
        self._team.busy += agent.taken
        self._offer(agent)

    def _goes_home(self, agent: Agent) -> None:
        """One with nothing in hand goes, in place of one who has something left to do."""
        if not agent.leaving:
            self._stays(self._leaving[0])
            self._is_to_go(agent)
        self._goes(agent)

    def _goes(self, agent: Agent) -> None:
        """An agent who was to go has nothing left in hand."""
        agent.on_shift = agent.leaving = False
        self._leaving.remove(agent)

    def _next(self, visit: Visit) -> Agent:
        """The agent who takes a visit; there is one with a free place."""
        if self.by_chance:
            return self.drawn(visit, self.free(visit))
        return self._numbered[self._offers(visit)[0][1]]

    def free(self, visit: Visit) -> list[Agent]:
        """Agents who may take a visit now."""
        places = visit.places(self._team.number)
        return [agent for agent in self.agents if self.is_free(agent, places)]

    def has_room(self, visit: Visit) -> bool:
        """True if one of the agents, of whom some have free places, may take a visit now."""
        if not self._weighs:
            return True
        if self.by_chance:
            return bool(self.free(visit))
        return bool(self._offers(visit))

    def may_take(self, agent: Agent, visit: Visit) -> bool:
        """True if the agent may take a visit now."""
        return self.is_free(agent, visit.places(self._team.number))

    def drawn(self, visit: Visit, free: list[Agent]) -> Agent:
        """One of some free agents, by the luck of a ticket."""
        u = self._luck[Use(visit.returns, visit.activity)][visit.ticket]
        return free[int(u * len(free))]

    def offer(self, visit: Visit) -> tuple[tuple[float, ...], int]:
        """The agent who is next to take a visit: what they are chosen by, and their number."""
        key, number, _ = self._offers(visit)[0]
        return key, number

    def _offers(self, visit: Visit) -> list[Offer]:
        """Offers of agents with enough places for a visit, of which the first holds."""
        offers = self._free[visit.places(self._team.number) if self._weighs else 1]
        while offers and self._numbered[offers[0][1]].stamp != offers[0][2]:
            heappop(offers)
        return offers

    def is_free(self, agent: Agent, places: int = 1) -> bool:
        """True if the agent may take a ticket of so many places now."""
        return agent.on_shift and not agent.leaving and agent.taken + places <= self._most

    def _offer(self, agent: Agent) -> None:
        """The agent may take tickets, or may not any more."""
        agent.stamp += 1
        if self.by_chance or not self.is_free(agent):
            return
        key: tuple[float, ...] = ()
        if self._choice == "least loaded":
            key = (agent.taken, agent.since_s)
        elif self._choice == "longest idle":
            key = (agent.since_s,)
        offer = key, agent.number, agent.stamp
        if not self._weighs:
            heappush(self._free[1], offer)
            return
        for places, offers in self._free.items():
            if agent.taken + places <= self._most:
                heappush(offers, offer)

    def _done(self, visit: Visit) -> None:
        """The ticket goes on. Its agent is free for another one, or wraps it up first."""
        agent = visit.agent
        if not self._steady:
            self._ledger.ended(visit.row)
        if self._ties.worked is not None and visit.activity in TOUCHES and not visit.misrouted:
            self._ties.worked(visit.ticket, self, agent)
        if self._better is not None and visit.activity in TOUCHES:
            better = self._better.solves_more(agent.number, self._clock._now)
            self._ledger.solves_more[visit.ticket] = better
        lasts_s = self._ties.after_s(visit)
        if not lasts_s:
            self._release(agent, visit)
            return
        # It stays in hand: so nothing changes for the other tickets.
        after = Visit(self._clock, visit.ticket, visit.category, WRAP_UP, visit.returns)
        after.agent, after.weights = agent, visit.weights
        after.callbacks = [lambda _: self._wrapped_up(after)]
        ends_s = self._clock._now + lasts_s / agent.rate
        known_s = ends_s if self._steady else inf
        after.row = self._ledger.wraps_up(visit.ticket, self._team.number, known_s, agent.number)
        agent.in_hand[agent.in_hand.index(visit)] = after
        after.ends_s = ends_s
        if self._steady:
            self._clock.schedule_at(after, ends_s)
        else:
            self._set_alarm(agent)

    def _wrapped_up(self, after: Visit) -> None:
        if not self._steady:
            self._ledger.ended(after.row)
        self._release(after.agent, after)

    def _release(self, agent: Agent, visit: Visit) -> None:
        self._drop(agent, visit)
        self._goes_on(agent)

    def _goes_on(self, agent: Agent) -> None:
        """An agent who has let go of a visit goes home, or takes the next one."""
        if not agent.in_hand and self._leaving:
            self._goes_home(agent)
        if agent.own:
            self._next_of_both(agent)
        if self._team.busy < self._team.staffed:
            self._ties.fill()

    def _next_of_both(self, agent: Agent) -> None:
        """Give a free agent the first of their own queue, if it comes before the line of all."""
        own, now, number = agent.own, self._clock._now, self._team.number
        while own and own[0][1].deadline_s <= now:
            self._ties.abandon(own.take())
        while (visit := own.first(number, self._most - agent.taken, now)) is not None:
            line = self._ties.first()
            if line is None or (visit.place, visit) < line[0]:
                own.take_out(visit)
                self.gives(agent, visit)
            elif self._weighs:
                # Several may fit in the place of one.
                self._ties.pick_up(heappop(line)[1])
            else:
                return

    def _drop(self, agent: Agent, visit: Visit) -> None:
        agent.in_hand.remove(visit)
        places = visit.places(self._team.number) if self._weighs else 1
        agent.taken -= places
        if not agent.leaving:
            self._team.busy -= places
        self._changed(agent)

    def _changed(self, agent: Agent, new: Visit | None = None, work_s: float = 0.0) -> None:
        """The number of tickets in hand has changed: so has their speed."""
        now = agent.since_s = self._clock._now
        before, rate = agent.rate, self._rate(agent, len(agent.in_hand))
        agent.rate = rate
        if rate != before:
            for visit in agent.in_hand:
                if visit is not new:
                    visit.ends_s = now + (visit.ends_s - now) * before / rate
        if new is not None:
            new.ends_s = now + work_s / rate
        if not self._steady:
            self._set_alarm(agent)
        elif new is not None:
            self._clock.schedule_at(new, new.ends_s)
        self._offer(agent)

    def _rate(self, agent: Agent, in_hand: int) -> float:
        """Speed of each ticket of an agent who has so many in hand now."""
        rate = agent.speed * self._speeds[in_hand]
        if self._tenures is not None:
            rate *= self._tenures.factor(agent.number, self._clock._now)
        return rate

    def joined_s(self, agent: Agent) -> float | None:
        """Moment at which an agent joined; None where it is not known, or nobody leaves."""
        if self._tenures is None:
            return None
        return self._tenures.joined_s(agent.number, self._clock._now)

    def _set_alarm(self, agent: Agent) -> None:
        """Let the next end of a visit happen, in place of what was to happen before."""
        agent.alarm = None
        if agent.in_hand:
            first = min(agent.in_hand, key=lambda visit: visit.ends_s)
            alarm = agent.alarm = Happening(self._clock)
            alarm.callbacks = [lambda _: self._ring(agent, alarm, first)]
            self._clock.schedule_at(alarm, first.ends_s)

    def _ring(self, agent: Agent, alarm: Event, visit: Visit) -> None:
        if agent.alarm is not alarm:
            return
        callbacks, visit.callbacks = visit.callbacks, []
        for callback in callbacks:
            callback(visit)

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        self._luck.clear()
