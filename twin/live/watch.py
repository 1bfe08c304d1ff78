"""Moments that stay in order while somebody sets the machine's clock."""

from __future__ import annotations

import time


class Watch:
    """A clock that starts at the wall clock's time and runs evenly from there.

    Times between moments of one watch are right even if the machine's clock is set in between;
    moments of different watches are as good as that clock.

    Parameters
    ----------
    earliest : float
        Where the wall clock says that it is earlier, the watch starts then.
    """

    def __init__(self, earliest: float = 0.0) -> None:
        self._began, self._steady = max(time.time(), earliest), time.monotonic()

    def now(self) -> float:
        """The present moment, seconds since 1970."""
        return self._began + (time.monotonic() - self._steady)
