"""An event loop in a thread of its own, so that a batch is fetched from anywhere.

From a plain program, from a notebook (where a loop runs already) and from a server's threads alike;
and connections stay open from batch to batch.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

# What is under way at Ctrl-C was paid for: it may take so long to end, unless it is pressed again.
GRACE_S = 10.0


class Background:
    """Runs coroutines on a thread that starts with the first of them.

    Parameters
    ----------
    close : callable
        Coroutine function that is run last.
    """

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self._close = close
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="twin-assistant", daemon=True
                )
                self._thread.start()
            return self._loop

    def run(self, work: Coroutine[Any, Any, T], stop: Callable[[], None]) -> T:
        """The result of a coroutine.

        Parameters
        ----------
        work : coroutine
        stop : callable
            Called on the loop at Ctrl-C: lets `work` come to its end.
        """
        loop = self._started()
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                loop.call_soon_threadsafe(stop)
                try:
                    future.exception(timeout=GRACE_S)
                except BaseException:  # Not in time, or pressed again.
                    future.cancel()
            raise

    def close(self) -> None:
        """End the thread. Closed twice is closed once."""
        loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        if threading.current_thread() is self._thread:
            # Collected while the loop itself ran: nobody can wait for it.
            loop.stop()
            return
        with suppress(TimeoutError, RuntimeError):
            asyncio.run_coroutine_threadsafe(self._last(), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            loop.close()

    async def _last(self) -> None:
        here = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not here]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._close()
