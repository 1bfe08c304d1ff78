"""An agent who is told apart, and the parts of the desk that such agents need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from simpy.events import Event

from twin.desk.waiting import Line, OwnLine, Visit
from twin.scenario.model import Pool


class Places(Protocol):
    """A pool at work, as `twin.desk.teams` keeps it: its agents need no more of it."""

    number: int
    pool: Pool
    numbers: tuple[int, ...]
    weights: tuple[int, ...]
    staffed: int
    busy: int
    stops: bool


class Ties(NamedTuple):
    """Services of the desk that the agents of a pool need.

    Attributes
    ----------
    fill : callable
        Give the pool's free agents their next visits.
    stop : callable
        Put a visit back into the queue; it asks `Crew.let_go` for what is left of it.
    after_s : callable
        Wrap-up of a visit, in seconds of work.
    pick_up : callable
        Begin a visit: it calls `Crew.take` with its work.
    first : callable
        The line whose head is next for the pool.
    abandon, wait, anybody : callable
        Let a visit end whose customer has left, wait in the line of all, or go to whoever is free.
    worked : callable or None
        Note who worked on a ticket, where it may return to them.
    """

    fill: Callable[[], None]
    stop: Callable[[Visit], None]
    after_s: Callable[[Visit], float]
    pick_up: Callable[[Visit], None]
    first: Callable[[], Line | None]
    abandon: Callable[[Visit], None]
    wait: Callable[[Visit], None]
    anybody: Callable[[Visit], None]
    worked: Callable[[int, Any, Agent], None] | None


class Agent:
    """An agent: what they have in hand, and since when they have taken or ended nothing."""

    def __init__(self, number: int, speed: float) -> None:
        self.number = number
        self.speed = speed
        self.in_hand: list[Visit] = []
        # Places that these take.
        self.taken = 0
        # Visits that wait for this agent.
        self.own = OwnLine()
        self.since_s = 0.0
        self.on_shift = False
        # On shift until nothing is left in hand: to go home or, where they come and go, away.
        self.leaving = False
        self.drains = False
        self.away = False
        # Speed of each ticket in hand.
        self.rate = speed
        # Place in the order in which tickets were taken.
        self.latest = 0
        # The next end of a visit, where ends change; older ones are not listened to.
        self.alarm: Event | None = None
        # Changes with each change of the agent: offers of before do not count.
        self.stamp = 0
