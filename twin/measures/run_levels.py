"""The levels of a run by name: as step functions, or as areas at moments that were asked ahead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from twin.measures import levels
from twin.scenario.calendars import Staircase, combine

if TYPE_CHECKING:
    from twin.records.tables import RunLog
    from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]

# Levels of a run, and of each pool: those of the table levels, and agents on shift who are busy,
# and agents who are paid, as they are on shift or busy past its end.
OF_RUN = ("backlog", "queue")
OF_POOL = ("busy", "staffed", "in hand", "away", "used", "paid")
LOWER_OF, HIGHER_OF = np.minimum, np.maximum


class Level(Protocol):
    """A level over time."""

    @property
    def values(self) -> npt.NDArray[Any]:
        """Its values, the last one that at the end of the run."""

    def integral(self, t: Floats) -> Floats:
        """Area under the level from 0 to each moment (seconds)."""


class Levels(ABC):
    """Levels of a run by name: those of `OF_RUN`, and those of `OF_POOL` of each pool."""

    @abstractmethod
    def level(self, kind: str, pool: str = "") -> Level:
        """A level of the run, or of a pool.

        Raises
        ------
        KeyError
            If the run has no such level: nobody of the pool comes and goes.
        """

    @abstractmethod
    def has(self, kind: str, pool: str = "") -> bool:
        """True if the run has such a level."""

    def area(self, kind: str, pool: str, start_s: float, end_s: float) -> float:
        """Area under a level between two moments."""
        low, high = self.level(kind, pool).integral(np.array([start_s, end_s]))
        return float(high - low)


class RunLevels(Levels):
    """Levels of a run whose tables are in memory.

    Parameters
    ----------
    log : RunLog
    scenario : Scenario
    """

    def __init__(self, log: RunLog, scenario: Scenario) -> None:
        self._log, self._scenario = log, scenario
        self._known: dict[tuple[str, str], Staircase | None] = {}

    def level(self, kind: str, pool: str = "") -> Level:
        """A level of the run, or of a pool; see `Levels.level`."""
        found = self._of(kind, pool)
        if found is None:
            raise KeyError(kind)
        return found

    def has(self, kind: str, pool: str = "") -> bool:
        """True if the run has such a level."""
        return self._of(kind, pool) is not None

    def _of(self, kind: str, pool: str) -> Staircase | None:
        if (kind, pool) not in self._known:
            self._known[kind, pool] = self._made(kind, pool)
        return self._known[kind, pool]

    def _made(self, kind: str, pool: str) -> Staircase | None:
        log, scenario = self._log, self._scenario
        if kind == "backlog":
            return levels.backlog(log)
        if kind == "queue":
            return levels.queue(log)
        if kind == "busy":
            return levels.busy(log, pool)
        if kind == "in hand":
            return levels.in_hand(log, pool)
        if kind == "staffed":
            return levels.on_shift(log, scenario, pool)
        if kind == "away":
            return levels.away(log, scenario, pool)
        busy, staffed = self._of("busy", pool), self._of("staffed", pool)
        assert busy is not None
        assert staffed is not None
        return combine(busy, staffed, {"used": LOWER_OF, "paid": HIGHER_OF}[kind])
