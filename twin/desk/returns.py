"""Tickets that return to the agent who knows them, and wait for this one for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twin.demand.luck import Lazy, Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.agent import Agent
from twin.desk.individuals import Crew
from twin.desk.kernel import Clock
from twin.desk.waiting import Visit
from twin.scenario.model import Routing


class Knower(NamedTuple):
    """The agent who worked on a ticket last."""

    crew: Crew
    agent: Agent
    joined_s: float | None


class Returns:
    """The agent who knows a ticket takes it again: a further touch, or a ticket that is reopened.

    Who is on shift and has no free place gets it into a queue of their own, which stands beside
    the one of all: next is who comes first in both. After a while anybody may take it. It holds a
    place in the queue of all from the first, and is turned away where there is none.

    Parameters
    ----------
    clock : Clock
    routing : Routing
    demand : Demand
    wait_for : callable
        Lets a visit wait for an agent; returns whether it found a place.
    anybody : callable
        Gives a visit to any agent, or lets it wait for one.
    """

    def __init__(
        self,
        clock: Clock,
        routing: Routing,
        demand: Demand,
        wait_for: Callable[[Agent, Visit], bool],
        anybody: Callable[[Visit], None],
    ) -> None:
        self._clock = clock
        self._chance = routing.same_agent
        self._for_s = routing.same_agent_for
        self._wait_for, self._anybody = wait_for, anybody
        self._luck: Lazy[Use, memoryview] = Lazy(
            lambda use: view(demand.uniform(Stream.SAME_AGENT, use=use))
        )
        self._known: dict[int, Knower] = {}

    def worked(self, ticket: int, crew: Crew, agent: Agent) -> None:
        """Note who has worked on a ticket, to answer it or to follow up."""
        self._known[ticket] = Knower(crew, agent, crew.joined_s(agent))

    def goes_on(self, visit: Visit) -> bool:
        """True if the agent who knows the ticket takes it, or has it in their own queue now.

        Or if the customer found no place there, and has left.
        """
        known = self._known.get(visit.ticket)
        if known is None or known.agent.leaving or not known.agent.on_shift:
            return False
        if known.crew.joined_s(known.agent) != known.joined_s:
            # Somebody else by now.
            return False
        if not self._luck[Use(visit.returns, visit.activity)][visit.ticket] < self._chance:
            return False
        if known.crew.may_take(known.agent, visit):
            known.crew.gives(known.agent, visit)
        elif self._for_s > 0:
            if not self._wait_for(known.agent, visit):
                return True
            until = self._clock.at(self._clock.now + self._for_s)
            until.callbacks = [lambda _: self._let_go(known.agent, visit)]
        else:
            return False
        return True

    def take_out(self, visit: Visit) -> None:
        """Remove a visit from the queue of the agent for whom it waits, if it does."""
        known = self._known.get(visit.ticket)
        if known is not None:
            known.agent.own.take_out(visit)

    def _let_go(self, agent: Agent, visit: Visit) -> None:
        if (visit.place, visit) in agent.own:
            agent.own.take_out(visit)
            self._anybody(visit)

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        self._luck.clear()
        self._known.clear()
