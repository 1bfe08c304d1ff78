"""Queues for agents, and who of them takes a ticket."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from twin.scenario.sections.base import Count, Section, Share
from twin.scenario.sections.individuals import AgentChoice, PoolChoice
from twin.scenario.units import Duration


class Queue(Section):
    """Tickets that wait for agents: one queue for those that the same pools can take."""

    capacity: Count | None = Field(
        None,
        description="places to wait in a queue; who finds none is turned away at once (counted "
        "as abandoned); who waits for one agent (routing.same_agent) takes a place, too; "
        "default: no limit",
    )
    balking: Share = Field(
        0.0,
        description="share that each ticket in the queue puts off: who finds n waiting stays with "
        "chance (1 - balking)^n, else leaves at once (counted as abandoned)",
    )


class Routing(Section):
    """Order in which agents take tickets."""

    wait_bonus: Duration | None = Field(
        None,
        description="a ticket that has waited so much longer goes before one of the next higher "
        "priority (0s: first come, first served); default: priority always comes first",
    )
    choice: AgentChoice | None = Field(
        None,
        description="who of a pool's free agents takes a ticket: who has fewest in hand and, of "
        "those, has been idle longest; who took or ended none for longest; by chance; or the first "
        "in order; given: agents are told apart; default: least loaded",
    )
    pool_choice: PoolChoice = Field(
        "in order",
        description="which pool takes a ticket that several with a free agent may take: the first "
        "in the file; the one whose free agent has been idle longest (agents are told apart); or "
        "any of them by chance; pools that take it by overflow come after the others",
    )
    same_agent: Share = Field(
        0.0,
        description="chance that a ticket that returns (a further touch, a reopening) goes to the "
        "agent who worked on it last, if on shift; above 0 agents are told apart",
    )
    same_agent_for: Duration = Field(
        3600.0,
        description="how long it waits for this agent at most (assumed); then anybody takes it",
    )
    max_transfers: Annotated[int, Field(ge=1, le=10_000)] = Field(
        20,
        description="most transfers of a ticket from pool to pool (agents.POOL.transfers_to); "
        "after them it goes to no other (assumed)",
    )
