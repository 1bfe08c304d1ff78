"""Agents told apart who come and go: who leaves, and who is back.

Who leaves after a touch with more tickets in hand takes no new one, and is away when the last of
them is done.
"""

from __future__ import annotations

from typing import Protocol

from twin.desk.agent import Agent
from twin.desk.individuals import Crew
from twin.desk.waiting import Visit


class Clocks(Protocol):
    """Clocks by which agents leave and return, as `twin.desk.availability` keeps them."""

    def touch_ends(self) -> bool:
        """True if the agent whose touch ends now leaves."""

    def goes(self) -> None:
        """Count an agent who is away from now on."""

    def refresh(self) -> None:
        """Go by the state of the desk as it is now."""


class ComingCrew(Crew):
    """The agents of a pool who come and go."""

    absence: Clocks

    def idle(self) -> list[Agent]:
        """Agents who have nothing in hand, and may take a ticket."""
        return [agent for agent in self.agents if self.is_free(agent) and not agent.in_hand]

    def away(self) -> list[Agent]:
        """Agents who are away."""
        return [agent for agent in self.agents if agent.away]

    def leaves(self, agent: Agent) -> None:
        """An agent with nothing in hand is away from now on."""
        if agent.drains:
            agent.drains = agent.leaving = False
        else:
            self._team.staffed -= self._most
        agent.on_shift, agent.away = False, True
        self._offer(agent)
        self.absence.goes()
        self._sends_on(agent)

    def returns(self, agent: Agent) -> None:
        """An agent is back; where somebody works on past the end of their shift, to go home."""
        agent.on_shift, agent.away = True, False
        agent.since_s = self._clock._now
        self._team.staffed += self._most
        self._offer(agent)
        if self._leaving:
            self._goes_home(agent)

    def _release(self, agent: Agent, visit: Visit) -> None:
        leaves = self.absence.touch_ends()
        self._drop(agent, visit)
        if agent.in_hand:
            if leaves and not agent.leaving:
                self._drains(agent)
        elif self._leaving:
            # Somebody's shift is over: they go home in their place.
            if agent.drains:
                agent.drains = agent.leaving = False
                self._team.staffed += self._most
        elif leaves or agent.drains:
            self.leaves(agent)
        self._goes_on(agent)
        self.absence.refresh()

    def _drains(self, agent: Agent) -> None:
        agent.drains = agent.leaving = True
        self._team.staffed -= self._most
        self._team.busy -= agent.taken
        self._offer(agent)
        self._sends_on(agent)

    def _sends_on(self, agent: Agent) -> None:
        """Tickets that wait for an agent who leaves are anybody's."""
        while agent.own:
            self._ties.anybody(agent.own.take())
