"""Bounds on what clients may ask: how often each, and how many at once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twin.common.errors import TwinError

# Clients that are remembered; the one that was quiet longest is forgotten first.
_MOST_CLIENTS = 10_000


class RateLimit:
    """A token bucket for each client: `rate` requests a second, and two seconds' worth at once.

    Parameters
    ----------
    rate : float
        Requests a second; 0 is no limit.
    clock : callable, optional
        Seconds, rising.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._room = max(2 * rate, 1.0)
        self._clock = clock
        self._lock = threading.Lock()
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Take a token; returns 0, or the seconds until there is one."""
        if not self._rate:
            return 0.0
        now = self._clock()
        with self._lock:
            level, at = self._clients.pop(client, (self._room, now))
            level = min(self._room, level + (now - at) * self._rate)
            wait = max((1.0 - level) / self._rate, 0.0)
            self._clients[client] = (level if wait else level - 1.0, now)
            while len(self._clients) > _MOST_CLIENTS:
                self._clients.popitem(last=False)
        return wait


class Busy(TwinError, RuntimeError):
    """As many requests as may be are under way already."""


class Gate:
    """A limit on how many pass at once; further ones are refused, not kept waiting."""

    def __init__(self, places: int) -> None:
        self._free = threading.Semaphore(places)

    @contextmanager
    def pass_through(self) -> Iterator[None]:
        """Hold one of the gate's places during the context.

        Raises
        ------
        Busy
            If it is full.
        """
        if not self._free.acquire(blocking=False):
            raise Busy
        try:
            yield
        finally:
            self._free.release()
