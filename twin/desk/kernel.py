"""The few SimPy extensions that make the desk fast: one event a visit, processes started eagerly.

Each is proven equal to the plain SimPy form in tests/test_kernel.py. What costs in SimPy are events
(about 0.7 us) and processes (3.6 us), not generators: so a ticket's life is a plain generator that
waits on events, and a visit to a server is one event, scheduled when service begins.

At equal times what ends comes before what begins (release before seize): ends are URGENT,
arrivals and pauses NORMAL; within each, in the order of scheduling.
"""

from __future__ import annotations

from collections.abc import Generator
from heapq import heappush
from typing import Any

import simpy
from simpy.events import NORMAL, URGENT, Event

# A process: waits on events, is sent nothing, may return something to who waits for it.
Life = Generator[Event, None, Any]


class Clock(simpy.Environment):
    """A SimPy environment that also schedules at a moment.

    ``now + (moment - now)`` is not always `moment` in floating point; a moment that was computed
    ahead must come to the last bit. The hottest lines of the desk read the moment from `_now`:
    SimPy's `now` is a property over it, and costs a call.
    """

    def schedule_at(self, event: Event, moment: float, priority: Any = URGENT) -> None:
        """Let `event` happen at `moment` (seconds, not before now)."""
        heappush(self._queue, (moment, priority, next(self._eid), event))

    def at(self, moment: float) -> Event:
        """An event that happens at `moment` (seconds, not before now)."""
        event = Happening(self)
        heappush(self._queue, (moment, NORMAL, next(self._eid), event))
        return event


class Happening(Event):
    """An event whose success is certain; not yet scheduled.

    Its value is None, not itself: an object that holds itself waits for the garbage collector,
    and a run makes several a ticket.
    """

    # Of the class: the same for all of them.
    _ok = True
    _value = None

    def __init__(self, env: simpy.Environment) -> None:
        # Not Event.__init__: these are its lines without the outcome.
        self.env = env
        self.callbacks = []


class Process:
    """A generator that waits on events, started at once.

    It does without the events that simpy.Process needs to start and to end. The generator yields
    events that have not happened yet; an exception raised in it ends the run, as in SimPy.
    """

    __slots__ = ("_life",)

    def __init__(self, life: Life) -> None:
        self._life = life
        self.resume(None)

    def resume(self, _: Event | None) -> None:
        """Go on to the next event that it waits for."""
        event = next(self._life, None)
        if event is not None:
            event.callbacks.append(self.resume)
