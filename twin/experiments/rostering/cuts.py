"""The cheapest shifts that meet a target in the simulation, by simulation cuts.

Atlason, Epelman and Henderson (2004, Call center staffing with simulation and cutting plane
methods; 2008, Optimizing call center staffing using simulation and analytic center cutting plane
methods), Cezik and L'Ecuyer (2008, Staffing multiskill call centers via linear programming and
simulation). The sampled problem: of all plans that keep the rules of work, the cheapest with which
the same replications meet the target in each period. An integer program proposes a plan; the
replications play it; for a period that misses, they play it again with one agent more in each of
its intervals, and by these differences a cut forbids all plans that cannot meet the target unless a
further agent helped more than the first. That is what cuts rest on: that each further agent helps
less. Where staff is very short it is not so, hence plans start from a floor: agents for the share
of the work that must be answered, in each interval. Each cut is held against all plans played; one
that forbids a plan that was seen to meet the target is dropped, and the bound is found without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.experiments.rostering.cover import Cover, Covered, Cut
from twin.experiments.rostering.plan import scenario_shifts
from twin.experiments.rostering.sample import Counted, Player, total
from twin.experiments.rostering.week import Week, staffed
from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Masks = dict[str, npt.NDArray[np.bool_]]

_ROUNDING = 1e-9
# Agents whose help is counted together where days hang together: those of so many hours.
_BLOCK_H = 2
# Steps from a plan that misses towards one that meets the target.
_HALVES = 3


@dataclass(frozen=True)
class _Point:
    """Heads that were played, and what came of it by period."""

    heads: Ints
    kept: dict[str, float]
    judged: dict[str, float]

    def ahead(self, period: str, target: float) -> float:
        """Tickets answered in time beyond those that must be; below 0: it misses."""
        return self.kept[period] - target * self.judged[period]


@dataclass(frozen=True)
class _Slope:
    """Help of one agent more in each interval, at a point, for a period."""

    period: str
    point: _Point
    help: Floats

    def cut(self, target: float) -> Cut:
        """The bound on heads by which the period may meet a target."""
        least = float(self.help @ self.point.heads) - self.point.ahead(self.period, target)
        return Cut(self.help, least)


@dataclass(frozen=True)
class Sampled:
    """Result of the sampled problem.

    Attributes
    ----------
    best : Covered or None
        The cheapest shifts found that meet the target in the replications.
    bound : float
        No plan that keeps the rules and the floor costs less and meets it, as far as each further
        agent helps less; in the unit of `Covered.cost`.
    rounds, cuts, dropped : int
        Plans proposed, cuts made, and those of them that a plan played showed to be wrong.
    why : str
        The reason to stop: "optimal", "rounds" or "repeated".
    """

    best: Covered | None
    bound: float
    rounds: int
    cuts: int
    dropped: int
    why: str

    @property
    def gap(self) -> float:
        """Share of its cost by which the best may be beaten at most."""
        if self.best is None or not self.best.cost:
            return 0.0
        return max(0.0, (self.best.cost - self.bound) / self.best.cost)


@dataclass
class Cuts:
    """A search for the cheapest plan on a sample; targets may be raised, and it goes on.

    Attributes
    ----------
    player : Player
    cover : Cover
    parts : dict of str to array of bool
        Periods with their intervals.
    floor : array of int, shape (n,)
        Least heads of each interval.
    asked : array of bool, shape (n,)
        Intervals in which tickets are judged.
    numbers : range
        Replications of the sample.
    slow : bool
        Whether days hang together.
    """

    player: Player
    cover: Cover
    parts: Masks
    floor: Ints
    asked: npt.NDArray[np.bool_]
    numbers: range
    slow: bool = False
    _slopes: list[_Slope] = field(default_factory=list)
    _points: dict[bytes, _Point] = field(default_factory=dict)
    _plans: list[tuple[Covered, _Point]] = field(default_factory=list)

    def run(self, targets: dict[str, float], rounds: int, start: Covered | None) -> Sampled:
        """Search until a proposed plan meets the targets, or for so many rounds.

        Parameters
        ----------
        targets : dict of str to float
            By period.
        rounds : int
        start : Covered, optional
            A plan to begin with, which may be good already.
        """
        if start is not None:
            self._plans.append((start, self._point(start)))
        bound, why, made = 0.0, "rounds", 0
        for made in range(1, rounds + 1):
            proposed = self.cover.solve(self.floor, [one.cut(targets[one.period])
                                                     for one in self._slopes])  # fmt: skip
            if proposed is None:
                why = "nothing keeps the rules"
                break
            bound = proposed.bound
            known = proposed.heads.tobytes() in self._points
            point = self._point(proposed)
            self._plans.append((proposed, point))
            missed = [name for name in self.parts if point.ahead(name, targets[name]) < -_ROUNDING]
            best = self._best(targets)
            if not missed or (best is not None and best.cost <= bound):
                why = "optimal"
                break
            if known and made > 1:
                why = "repeated"
                break
            between = self._towards(point, best, missed, targets)
            self._look(between, [n for n in missed if between.ahead(n, targets[n]) < -_ROUNDING])
        bound, dropped = self._checked(targets, bound)
        return Sampled(self._best(targets), bound, made, len(self._slopes), dropped, why)

    def _best(self, targets: dict[str, float]) -> Covered | None:
        good = [
            (plan.cost, k)
            for k, (plan, point) in enumerate(self._plans)
            if all(point.ahead(name, targets[name]) >= -_ROUNDING for name in self.parts)
        ]
        return self._plans[min(good)[1]][0] if good else None

    def _point(self, plan: Covered) -> _Point:
        key = plan.heads.tobytes()
        if key not in self._points:
            desk = self._desk(scenario_shifts(self.cover, plan.number))
            self._keep(plan.heads, self.player.play([desk], self.numbers)[0])
        return self._points[key]

    def _desk(self, shifts: list[dict[str, Any]]) -> Scenario:
        return staffed(self.player.week.scenario, self.player.pool, shifts)

    def _at(self, heads: Ints) -> _Point:
        """What comes of heads that no plan may give."""
        if heads.tobytes() not in self._points:
            desk = self._desk(self.player.week.shifts(heads))
            self._keep(heads, self.player.play([desk], self.numbers)[0])
        return self._points[heads.tobytes()]

    def _towards(
        self, low: _Point, best: Covered | None, missed: list[str], targets: dict[str, float]
    ) -> _Point:
        """A point on the way from one that misses to the best plan, where periods still miss.

        Each period goes its own way, by halves: the nearer to where the target is met, the more a
        cut there forbids (in-out separation: Ben-Ameur and Neto 2007). What just meets it is tried
        as a plan.
        """
        if best is None:
            return low
        below, above = low.heads.copy(), np.maximum(best.heads, low.heads)
        for _ in range(_HALVES):
            middle = (below + above) // 2
            point = self._at(middle)
            for name in missed:
                slots = self.parts[name]
                meets = point.ahead(name, targets[name]) >= -_ROUNDING
                (above if meets else below)[slots] = middle[slots]
        plan = self.cover.solve(above)
        if plan is not None and plan.cost < best.cost:
            self._plans.append((plan, self._point(plan)))
        return self._at(below)

    def _keep(self, heads: Ints, counted: list[Counted]) -> _Point:
        summed = total(counted)
        point = self._points[heads.tobytes()] = _Point(
            heads,
            {name: float(summed.kept[slots].sum()) for name, slots in self.parts.items()},
            {name: float(summed.judged[slots].sum()) for name, slots in self.parts.items()},
        )
        return point

    def _look(self, point: _Point, missed: list[str]) -> None:
        """Make a cut for each period that misses, from one agent more in its intervals."""
        sets = self._sets(missed)
        base = self.player.week.shifts(point.heads)
        desks = [
            self._desk([*base, *self.player.week.shifts(more.astype(np.int64))]) for more in sets
        ]
        # One at a time for each period: what its own intervals bring.
        played = self.player.play(desks, self.numbers)
        helped = {name: np.zeros(len(point.heads)) for name in missed}
        for more, counted in zip(sets, played, strict=True):
            further = self._keep(point.heads + more, counted)
            for name in missed:
                own = more if self.slow else more & self.parts[name]
                gain = further.kept[name] - point.kept[name]
                if own.any():
                    helped[name][own] = max(0.0, gain) / np.count_nonzero(own)
        for name in missed:
            if helped[name].any():
                self._slopes.append(_Slope(name, point, helped[name]))

    def _sets(self, missed: list[str]) -> list[npt.NDArray[np.bool_]]:
        """Intervals that get one agent more together."""
        week = self.player.week
        slot = np.arange(week.size)
        if self.slow:
            block = slot // round(_BLOCK_H * 3600 / week.length_s)
            # Before and after opening, agents may work off what waits.
            return [block == k for k in np.unique(block[np.isin(slot // week.a_day, week.days)])]
        wanted = np.logical_or.reduce([self.parts[name] for name in missed])
        # Days of which the one does not reach into the other are looked at together.
        times = np.unique(slot[wanted & self.asked] % week.a_day)
        return [wanted & (slot % week.a_day == at) for at in times]

    def _checked(self, targets: dict[str, float], bound: float) -> tuple[float, int]:
        """The bound without cuts that forbid what was seen to meet the target, and their number."""
        good, dropped = [], 0
        for one in self._slopes:
            cut = one.cut(targets[one.period])
            wrong = any(
                point.ahead(one.period, targets[one.period]) >= 0
                and cut.slope @ point.heads < cut.least - 1e-6
                for point in self._points.values()
            )
            dropped += wrong
            if not wrong:
                good.append(cut)
        if not dropped:
            return bound, 0
        found = self.cover.solve(self.floor, good)
        return (bound if found is None else min(bound, found.bound)), dropped


def floor_of(
    week: Week,
    load: Floats,
    asked: npt.NDArray[np.bool_],
    target: float,
    shrinkage: float,
    slow: bool,
) -> Ints:
    """Least heads of each interval: for the share of its work that must be answered.

    Parameters
    ----------
    load : array of float, shape (n,)
        Agents whom the tickets of each interval keep busy.
    asked : array of bool, shape (n,)
        Whether tickets are judged in it; else nobody is needed.
    slow : bool
        Whether work may wait for a later interval: then there is no floor.
    """
    if slow:
        return np.zeros(week.size, dtype=np.int64)
    needed = np.ceil(target * load / (1 - shrinkage) - _ROUNDING).astype(np.int64)
    return np.where(asked, np.maximum(needed, 1), 0)
