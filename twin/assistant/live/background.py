"""An event loop in a thread of its own, so that a batch is fetched from anywhere.

From a plain program, from a notebook (where a loop runs already) and from a server's threads alike;
and connections stay open from batch to batch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from threading import Lock
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")

# What is under way at Ctrl-C was paid for: it may take so long to end, unless it is pressed again.
GRACE_S = 10.0


class Background:
    """A portal to a thread that starts with the first work.

    Parameters
    ----------
    close : callable
        Coroutine function that is run last.
    """

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self._close = close
        self._portal: BlockingPortal | None = None
        self._thread = ExitStack()
        self._starting = Lock()

    def _started(self) -> BlockingPortal:
        with self._starting:
            if self._portal is None:
                self._portal = self._thread.enter_context(start_blocking_portal())
            return self._portal

    def run(self, work: Callable[[], Awaitable[T]], stop: Callable[[], None]) -> T:
        """Run a coroutine function, and return its result.

        Parameters
        ----------
        work : callable
        stop : callable
            Called on the loop at Ctrl-C: lets `work` come to its end.
        """
        portal = self._started()
        future = portal.start_task_soon(work)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                portal.start_task_soon(stop)
                try:
                    future.exception(timeout=GRACE_S)
                except BaseException:  # Not in time, or pressed again.
                    future.cancel()
            raise

    def close(self) -> None:
        """End the thread and what it does. Closed twice is closed once."""
        portal, self._portal = self._portal, None
        if portal is None:
            return
        with suppress(TimeoutError, RuntimeError):
            portal.start_task_soon(self._close).result(timeout=5)
        # Collected on the loop's own thread, it cannot wait for that: it ends with the process.
        with suppress(RuntimeError):
            portal.call(portal.stop, True)
            self._thread.close()
