"""Visits to the agents, the lines in which they wait, and who does not join a line.

A line is a heap; who ran out of patience stays in it until found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf, nan
from typing import Any, NamedTuple

import numpy as np

from twin.demand.luck import Floats, Stream, view
from twin.demand.tickets import Demand
from twin.desk.kernel import Clock, Happening
from twin.records.tables import BALKED, BLOCKED
from twin.scenario.model import Scenario

# Place in a line: what comes first is smaller.
Place = tuple[float, int]


def places(clock: Clock, wait_bonus_s: float | None, demand: Demand) -> Callable[[int], Place]:
    """Give each ticket that comes to wait now its place in the queues.

    Parameters
    ----------
    clock : Clock
    wait_bonus_s : float or None
        Time by which the next higher priority is ahead; None: for ever.
    demand : Demand
    """
    arrival, priority = count(), view(demand.priority)
    if wait_bonus_s is None:
        return lambda ticket: (priority[ticket], next(arrival))
    behind_s = view(demand.priority * wait_bonus_s)
    return lambda ticket: (clock.now + behind_s[ticket], next(arrival))


class Overflow(NamedTuple):
    """Teams that may take the visits of a line after a wait, and the line in which they then wait.

    Attributes
    ----------
    after_s : float
    teams : tuple
    line : Line
    """

    after_s: float
    teams: tuple[Any, ...]
    line: Line


class Line(list[tuple[Place, "Visit"]]):
    """Visits that wait for the same teams, as a heap: who is next comes first."""

    # In order of time.
    overflows: tuple[Overflow, ...] = ()
    # Teams that may take its visits while so many wait in it.
    helpers: tuple[tuple[int, Any], ...] = ()
    # Where it matters how many wait.
    waiting: WaitingCount | None = None
    # Of each of its visits, as there.
    weights: tuple[int, ...] = ()
    # Who is told how many wait here (`twin.desk.availability`).
    watchers: tuple[Any, ...] = ()

    @property
    def stages(self) -> list[Line]:
        """The line, and those that its visits overflow to."""
        return [self, *(one.line for one in self.overflows)]

    def take_out(self, visit: Visit) -> None:
        """Remove a visit that waits here, or where it overflowed to."""
        entry = (visit.place, visit)
        for line in self.stages:
            if entry in line:
                line.remove(entry)
                heapify(line)


class OwnLine(Line):
    """Visits that wait for one agent.

    Each holds a place in the queue of all meanwhile, and counts among those who wait there.
    """

    def put(self, visit: Visit, waiting: WaitingCount | None) -> None:
        """Let a visit wait here; it counts in `waiting`, where it matters how many wait."""
        heappush(self, (visit.place, visit))
        if waiting is not None:
            visit.apart_in = waiting
            waiting.apart += 1
            waiting.expect(visit)

    def take(self) -> Visit:
        """Take out who is next."""
        visit = heappop(self)[1]
        self._left(visit)
        return visit

    def first(self, pool: int, free: int, now_s: float) -> Visit | None:
        """The next of those who need at most so many free places of an agent of a pool."""
        fit = (one for one in self if one[1].places(pool) <= free and one[1].deadline_s > now_s)
        return min(fit, default=(None, None))[1]

    def take_out(self, visit: Visit) -> None:
        """Remove a visit, if it waits here."""
        if (visit.place, visit) in self:
            super().take_out(visit)
            self._left(visit)

    def _left(self, visit: Visit) -> None:
        if visit.apart_in is not None:
            visit.apart_in.apart -= 1
            visit.apart_in = None


class Visit(Happening):
    """A ticket's stay with the agents: it waits, then an agent works on it.

    As a process's event it happens when the agent is done or the customer has left.
    """

    deadline_s = inf
    remaining_s = nan
    abandoned = False
    misrouted = False
    fresh = True
    place: Place = (0, 0)
    row = -1
    # Number of the pool whose agent took it, before it was handed over.
    pool = -1
    ends_s = inf
    # Places that it takes in the hand of an agent of each pool; none: one in all.
    weights: tuple[int, ...] = ()
    # Who has it in hand, or waits to: where agents are told apart.
    agent: Any = None
    counted_out: WaitingCount | None = None
    # Where it counts while it waits for one agent.
    apart_in: WaitingCount | None = None
    # Those who count it among the visits that wait.
    watchers: tuple[Any, ...] = ()

    def __init__(
        self, clock: Clock, ticket: int, category: int, activity: int, returns: int
    ) -> None:
        # Not Happening.__init__: its lines, a call less for each visit.
        self.env = clock
        self.callbacks = []
        self.ticket = ticket
        self.category = category
        self.activity = activity
        self.returns = returns
        self.queued_s = clock._now

    def places(self, pool: int) -> int:
        """Places that it takes in the hand of an agent of a pool."""
        return self.weights[pool] if self.weights else 1

    def rest(self, clock: Clock, category: int, remaining_s: float) -> Visit:
        """The visit that goes on with what is left of the work of this one, which has stopped."""
        rest = type(self)(clock, self.ticket, category, self.activity, self.returns)
        # The old event stays in SimPy's heap with nobody to call.
        rest.callbacks, self.callbacks = self.callbacks[1:], []
        rest.remaining_s = remaining_s
        rest.misrouted = self.misrouted
        rest.fresh = False
        rest.place = self.place
        return rest


class WaitingCount:
    """The number of visits that wait in a line, and in those that its visits overflow to.

    Who waits for one agent is counted in `apart`. Who ran out of patience stays in the line until
    found there, and is not counted.
    """

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines
        self._deadlines: list[tuple[float, Place, Visit]] = []
        self.gone = self.apart = 0

    def expect(self, visit: Visit) -> None:
        """Take note of when a visit in the line runs out of patience."""
        if visit.deadline_s < inf:
            heappush(self._deadlines, (visit.deadline_s, visit.place, visit))

    def now(self, now_s: float) -> int:
        """Number of those who wait."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now_s:
            visit = heappop(deadlines)[2]
            if visit.row < 0 and not visit.abandoned and visit.counted_out is None:
                visit.counted_out = self
                self.gone += 1
        return sum(map(len, self._lines)) + self.apart - self.gone


@dataclass(frozen=True)
class Entrance:
    """Conditions on which customers join a line.

    Attributes
    ----------
    places : float
        Visits that may wait in a line; infinite: no limit.
    most_ahead : memoryview or None
        Waiting visits that each customer puts up with; None: any number.
    called_back : memoryview or None
        Whether each customer takes a callback that is offered; None: none is.
    callback_at : int
        It is offered where so many wait.
    """

    places: float
    most_ahead: memoryview | None
    called_back: memoryview | None
    callback_at: int

    @classmethod
    def of(cls, scenario: Scenario, demand: Demand) -> Entrance | None:
        """The entrance of a desk's lines; None where all are let in to wait."""
        queue, callback = scenario.queue, scenario.customers.callback
        if queue.capacity is None and not queue.balking and callback is None:
            return None
        most_ahead = None
        if queue.balking:
            # They stay where u < (1 - balking)^n, solved for n.
            balking = queue.balking

            def ahead() -> Floats:
                u = 1.0 - demand.uniform(Stream.BALKING)
                with np.errstate(divide="ignore"):
                    return np.asarray(np.log(u) / np.log1p(-balking))

            most_ahead = demand.column(ahead)
        called_back = None
        if callback is not None:
            chance = callback.chance
            called_back = demand.column(lambda: demand.uniform(Stream.CALLBACK) < chance)
        places = inf if queue.capacity is None else queue.capacity
        return cls(places, most_ahead, called_back, 0 if callback is None else callback.queue)

    def refuses(self, ticket: int, waiting: int) -> int | None:
        """End of the visit of a customer who finds so many waiting; None: they join them."""
        if waiting >= self.places:
            return BLOCKED
        if self.most_ahead is not None and waiting > self.most_ahead[ticket]:
            return BALKED
        return None

    def ends(self, visit: Visit, waiting: int) -> int | None:
        """End of a visit that finds so many waiting; None: it joins them.

        Who leaves a number there never gives up.
        """
        end = self.refuses(visit.ticket, waiting)
        if end is None and self.calls_back(visit.ticket, waiting):
            visit.deadline_s = inf
        return end

    def calls_back(self, ticket: int, waiting: int) -> bool:
        """True if a customer who joins so many leaves a number, and so never gives up."""
        return (
            self.called_back is not None
            and waiting >= self.callback_at
            and bool(self.called_back[ticket])
        )
