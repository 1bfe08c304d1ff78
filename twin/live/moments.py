"""Moments of one piece of work, which stay in order though the machine's clock is set meanwhile."""

from __future__ import annotations

import time


class Watch:
    """Starts on the wall clock and goes on evenly from there.

    What is measured with one watch is never negative nor an hour too long, whatever happens to the
    clock of the machine in between; moments of different watches are as good as that clock.
    """

    def __init__(self) -> None:
        self._began, self._steady = time.time(), time.monotonic()

    def now(self) -> float:
        """The present moment, seconds since 1970."""
        return self._began + (time.monotonic() - self._steady)
