"""Moments of one piece of work, in order even if the machine's clock is set meanwhile."""

from __future__ import annotations

import time


class Watch:
    """A clock that starts at the wall clock's time and runs evenly from there.

    Times between moments of one watch are right even if the machine's clock is set in between;
    moments of different watches are as good as that clock.
    """

    def __init__(self) -> None:
        self._began, self._steady = time.time(), time.monotonic()

    def now(self) -> float:
        """The present moment, seconds since 1970."""
        return self._began + (time.monotonic() - self._steady)
