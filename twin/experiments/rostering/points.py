"""Points that a search for a plan has played, what it learnt there, and what it found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.experiments.rostering.cover import Covered, Cut

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Point:
    """Heads that were played, and what came of it by interval: tickets kept, and judged."""

    heads: Ints
    kept: Floats
    judged: Floats

    def ahead(self, slots: Mask, target: float) -> float:
        """Tickets answered in time beyond those that must be; below 0: it misses."""
        return float(self.kept[slots].sum() - target * self.judged[slots].sum())


@dataclass(frozen=True)
class Slope:
    """Help of one agent more in each interval, at a point, for a period."""

    period: str
    point: Point
    help: Floats

    def cut(self, slots: Mask, target: float) -> Cut:
        """The bound on heads by which the period may meet a target."""
        least = float(self.help @ self.point.heads) - self.point.ahead(slots, target)
        return Cut(self.help, least, float(self.point.judged[slots].sum()))


@dataclass(frozen=True)
class Sampled:
    """Result of the sampled problem.

    Attributes
    ----------
    best : Covered or None
        The cheapest shifts found that meet the target in the replications.
    bound : float
        No plan that keeps the rules and the floor costs less and meets the target as it was asked
        for, as far as each further agent helps less; in the unit of `Covered.cost`.
    dropped, rounds, cuts : int
        Cuts that a plan played showed to be wrong, rounds of the search, cuts made.
    why : str
        The reason to stop: "optimal", "rounds", "nothing keeps the rules" or "ended" (Ctrl-C).
    """

    best: Covered | None
    bound: float
    dropped: int
    rounds: int
    cuts: int
    why: str

    @property
    def gap(self) -> float:
        """Share of its cost by which the best may be beaten at most."""
        if self.best is None or not self.best.cost:
            return 0.0
        return max(0.0, (self.best.cost - self.bound) / self.best.cost)
