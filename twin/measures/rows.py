"""Rows of figures, numerator and denominator by group, and the time of a pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from twin.measures.promises import Floats

# Texts are left out in so many groups, to see how much hangs on which texts there are.
TEXT_GROUPS = 30


class Row(NamedTuple):
    """A figure of a run, in all or of a group.

    Attributes
    ----------
    group : str
        Empty: all.
    numerator, denominator : float
    texts : array of float, shape (2, TEXT_GROUPS), or None
        Numerator and denominator without each group of texts in turn; None where the figure is of
        no tickets, or the tickets have no texts.
    """

    group: str
    numerator: float
    denominator: float
    texts: Floats | None = None


Rows = list[Row]


@dataclass(frozen=True)
class PoolTime:
    """Agent-seconds of a pool between warm-up and horizon.

    Attributes
    ----------
    staffed, used, paid, away : float
        On shift; busy while on shift; on shift or still busy after its end; on shift and away.
    """

    pool: str
    staffed: float
    used: float
    paid: float
    away: float = 0.0

    @property
    def busy(self) -> float:
        """Busy time, on shift or past its end."""
        return self.paid + self.used - self.staffed
