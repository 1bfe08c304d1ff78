"""The cheapest shifts that meet a target in the simulation, by simulation cuts.

Atlason, Epelman and Henderson (2004, Call center staffing with simulation and cutting plane
methods; 2008, Optimizing call center staffing using simulation and analytic center cutting plane
methods), Cezik and L'Ecuyer (2008, Staffing multiskill call centers via linear programming and
simulation). The sampled problem: of all plans that keep the rules of work, the cheapest with which
the same replications meet the target in each period. An integer program finds the cheapest plan
that the cuts so far allow, which bounds all others. A plan is played that costs less than the best
one, half way to the bound, and lies as far inside of the cuts as it can (a level method:
Lemarechal, Nemirovskii and Nesterov 1995). For a period that misses, it is played again with one
agent more in each of its intervals, and by these differences a cut forbids all plans that cannot
meet the target unless a further agent helped more than the first.
That is what cuts rest on: that each further agent helps less. Where staff is very short it is not
so, hence plans start from a floor: agents for the share of the work that must be answered, in each
interval, or in the whole week where work may wait. Each cut is held against all plans played; one
that forbids a plan that was seen to meet the target is dropped, and the bound is found without it.
The best plan is trimmed, too: shifts go that it seems not to need.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.experiments.rostering.cover import Cover, Covered, Cut
from twin.experiments.rostering.level import inside
from twin.experiments.rostering.plan import scenario_shifts, steady_shifts
from twin.experiments.rostering.points import Mask, Point, Sampled, Slope
from twin.experiments.rostering.sample import Counted, Player, total
from twin.experiments.rostering.trim import trimmed
from twin.experiments.rostering.week import staffed
from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ROUNDING = 1e-9
# Agents whose help is counted together where days hang together: those of so many hours.
_BLOCK_H = 4
# Agents so far apart are added in one play, and what they bring is told apart by the time of the
# tickets; where days hang together: so many days.
_APART_H, _APART_DAYS = 6, 3
# Levels between bound and best that are tried for a plan.
_LEVELS = 4
# Plans of a round that are trimmed, by what the last so many points of a period say.
_TRIMS, _LAST = 4, 3


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
    reach : int
        Intervals before an agent's whose tickets may still be answered in time.
    always : list of Cut
        Bounds on heads that hold whatever was played.
    like : array of int, shape (n,), optional
        Heads that would be about right, for plans of which the cuts say too little.
    """

    player: Player
    cover: Cover
    parts: dict[str, Mask]
    floor: Ints
    asked: Mask
    numbers: range
    slow: bool = False
    reach: int = 1
    always: list[Cut] = field(default_factory=list)
    like: Ints | None = None
    _slopes: list[Slope] = field(default_factory=list)
    _points: dict[bytes, Point] = field(default_factory=dict)
    _plans: list[tuple[Covered, Point]] = field(default_factory=list)
    _known: dict[tuple[int, int, int], None] = field(default_factory=dict)
    # Cost of the plan that was tried last of each group, and of those tried in vain.
    _cutting: bool = True
    _levels: list[float] = field(default_factory=list)
    _vain: dict[tuple[int, ...], float] = field(default_factory=dict)
    # Share of what each group is ahead that may be lost when its shifts are trimmed.
    _share: dict[tuple[int, ...], float] = field(default_factory=dict)

    def run(
        self,
        targets: dict[str, float],
        rounds: int,
        starts: list[Covered],
        asked: dict[str, float] | None = None,
        cutting: bool = True,
    ) -> Sampled:
        """Search until the best plan is as cheap as the bound, or for so many rounds.

        Parameters
        ----------
        targets : dict of str to float
            By period.
        rounds : int
        starts : list of Covered
            Plans to begin with.
        asked : dict of str to float, optional
            Targets of which the bound is told, where those of the search are raised.
        cutting : bool
            Whether cuts are made; else plans are tried by those that there are.
        """
        made, why, self._cutting = 0, "rounds", cutting
        self._vain, self._share = {}, {}
        for plan in starts:
            self._play(plan)
        for made in range(1, rounds + 1):
            self.player.expect((rounds - made + 1) * self._a_round())
            ended = self._round(targets)
            if ended:
                why = ended
                break
        return self.sampled(targets, asked or targets, made, why)

    def sampled(
        self, targets: dict[str, float], asked: dict[str, float], made: int, why: str
    ) -> Sampled:
        """Return what was found by now."""
        return Sampled(self._best(targets), *self.bound(asked), made, len(self._slopes), why)

    def bound(self, targets: dict[str, float]) -> tuple[float, int]:
        """The bound by all cuts but those that were seen to be wrong, and the number of these."""
        cuts = self._cuts(targets)
        found = self.cover.solve(self.floor, cuts)
        dropped = len(self.always) + len(self._slopes) - len(cuts)
        return (0.0 if found is None else found.bound), dropped

    def meets(self, plan: Covered, targets: dict[str, float]) -> bool:
        """True if a plan, played on the sample, meets the targets."""
        return not self._missed(self._play(plan), targets)

    def _round(self, targets: dict[str, float]) -> str:
        """One round: a reason to stop after it, or nothing."""
        cuts = self._cuts(targets)
        proposed = self.cover.solve(self.floor, cuts)
        if proposed is None:
            return "nothing keeps the rules"
        self._play(proposed)
        best = self._best(targets)
        if best is not None and (best.cost <= proposed.bound or best.cost <= proposed.cost):
            return "optimal"
        tried = self._dearest(targets) if self.slow else self._between(proposed, targets, cuts)
        if tried is not None:
            self._try(tried, targets)
        self._join(targets, proposed.bound)
        for _ in range(_TRIMS):
            if self.cover.rules.minimise == "agents" or not self._trim(targets, proposed.bound):
                break
        else:
            return ""
        return "nothing more to try" if self.slow and tried is None else ""

    def _try(self, plan: Covered, targets: dict[str, float]) -> None:
        """Play a plan, and make cuts where it misses."""
        point = self._play(plan)
        missed = self._missed(point, targets)
        for (places, names), level in zip(self._groups, self._levels, strict=False):
            if set(names) & set(missed):
                self._vain[tuple(places)] = level
        if missed and self._cutting:
            self._look(plan, point, missed)

    def _dearest(self, targets: dict[str, float]) -> Covered | None:
        """The dearest plan that misses where none was looked at: the next to those that meet."""
        looked = {id(one.point) for one in self._slopes}
        missing = [
            (plan.cost, k)
            for k, (plan, point) in enumerate(self._plans)
            if id(point) not in looked and self._missed(point, targets)
        ]
        best = self._best(targets)
        if not missing or (best is not None and self._slopes):
            return None
        return self._plans[max(missing)[1]][0]

    def _join(self, targets: dict[str, float], bound: float) -> list[Covered | None]:
        """Play the best that is known of each group together."""
        groups = self._mixed(targets)
        if len(groups) > 1 and None not in groups:
            number = np.zeros((len(self.cover.days), len(self.cover.kinds)), dtype=np.int64)
            for (places, _), plan in zip(self._groups, groups, strict=True):
                assert plan is not None
                number[places] = plan.number[places]
            self._play(self.cover.covered(number, bound))
        return groups

    def _trim(self, targets: dict[str, float], bound: float) -> bool:
        """Play the best plan without what it seems not to need; False: there is no such thing."""
        best = self._best(targets)
        if best is None:
            return False
        point, number, some = self._points[best.heads.tobytes()], best.number, False
        for places, names in self._groups:
            helps = [self._help(name) for name in names]
            if any(not one.any() for one in helps):
                continue
            share = self._share.get(tuple(places), 1.0)
            ahead = [share * point.ahead(self.parts[n], targets[n]) for n in names]
            found = trimmed(self.cover, number, places, ahead, helps, self.floor)
            if found is not None:
                number, some = found, True
        if not some:
            return False
        further = self._play(self.cover.covered(number, bound))
        missed = self._missed(further, targets)
        for places, names in self._groups:
            # More carefully where it was too much.
            if set(names) & set(missed):
                share = self._share.get(tuple(places), 1.0)
                self._share[tuple(places)] = share / 2
        if missed:
            self._join(targets, bound)
        return True

    def _help(self, period: str) -> Floats:
        """Help of an agent more in each interval, by the last points looked at."""
        last = [one.help for one in self._slopes if one.period == period][-_LAST:]
        return np.mean(last, axis=0) if last else np.zeros(len(self.floor))

    def _cuts(self, targets: dict[str, float]) -> list[Cut]:
        """Cuts that forbid nothing which was seen to meet the target."""
        good = list(self.always)
        for one in self._slopes:
            slots, target = self.parts[one.period], targets[one.period]
            cut = one.cut(slots, target)
            if not any(
                point.ahead(slots, target) >= 0 and cut.slope @ point.heads < cut.least - 1e-6
                for point in self._points.values()
            ):
                good.append(cut)
        return good

    def _missed(self, point: Point, targets: dict[str, float]) -> list[str]:
        return [
            name
            for name, slots in self.parts.items()
            if point.ahead(slots, targets[name]) < -_ROUNDING
        ]

    def _a_round(self) -> int:
        """Replications of a round, about."""
        looks = len(self._sets(list(self.parts))) if self._cutting else 0
        return (4 + _TRIMS + looks) * len(self.numbers)

    @property
    def _groups(self) -> list[tuple[list[int], list[str]]]:
        """Days, as places in `cover.days`, that hang together, each with its periods."""
        names = list(self.parts)
        groups = [list(range(len(self.cover.days)))] if self.slow else self.cover.apart(self.floor)
        if len(groups) == 1 or len(names) != len(self.cover.days):
            return [(list(range(len(self.cover.days))), names)]
        return [(places, [names[place] for place in places]) for places in groups]

    def _best(self, targets: dict[str, float]) -> Covered | None:
        """The cheapest plan that was seen to meet the targets."""
        good = [
            (plan.cost, k)
            for k, (plan, point) in enumerate(self._plans)
            if not self._missed(point, targets)
        ]
        return self._plans[min(good)[1]][0] if good else None

    def _mixed(self, targets: dict[str, float]) -> list[Covered | None]:
        """Of each group the plan that meets its targets there at the least cost."""
        found: list[Covered | None] = []
        for places, names in self._groups:
            good = [
                (self.cover.cost(plan, places), k)
                for k, (plan, point) in enumerate(self._plans)
                if all(point.ahead(self.parts[n], targets[n]) >= -_ROUNDING for n in names)
            ]
            found.append(self._plans[min(good)[1]][0] if good else None)
        return found

    def _between(self, low: Covered, targets: dict[str, float], cuts: list[Cut]) -> Covered:
        """A plan that costs less than the best one and lies as far inside of the cuts as it can.

        Days that do not hang together each go their own way.
        """
        number = low.number.copy()
        self._levels = []
        for (places, _), best in zip(self._groups, self._mixed(targets), strict=True):
            floor = self.cover.cost(low, places)
            if best is None:
                self._levels.append(floor)
                continue
            number[places] = best.number[places]
            most = self.cover.cost(best, places)
            # Above what was tried in vain: the optimum is more likely there.
            level = max(floor, self._vain.get(tuple(places), 0.0))
            for _ in range(_LEVELS):
                level += (most - level) // 2
                found = None
                if level < most:
                    like = self.floor if self.like is None else self.like
                    found = inside(self.cover, self.floor, cuts, like, level, places)
                if found is not None:
                    number[places] = found[places]
                    break
                level += 1
            self._levels.append(level)
        return self.cover.covered(number, low.bound)

    def _play(self, plan: Covered) -> Point:
        """The outcome of a plan on the sample; it is kept."""
        key = plan.heads.tobytes()
        if key not in self._points:
            self._keep(plan.heads, self.player.play([self.desk(plan)], self.numbers)[0])
        self._plans.append((plan, self._points[key]))
        return self._points[key]

    def desk(self, plan: Covered) -> Scenario:
        """The scenario on the shifts of a plan."""
        return self._desk(self._shifts(plan))

    def _shifts(self, plan: Covered) -> list[dict[str, Any]]:
        if self.player.week.scenario.agents[self.player.pool].shrinkage:
            return steady_shifts(self.cover, plan.number, self._known)
        return scenario_shifts(self.cover, plan.number)

    def _desk(self, shifts: list[dict[str, Any]]) -> Scenario:
        return staffed(self.player.week.scenario, self.player.pool, shifts)

    def _keep(self, heads: Ints, counted: list[Counted]) -> Point:
        summed = total(counted)
        return self._points.setdefault(heads.tobytes(), Point(heads, summed.kept, summed.judged))

    def _look(self, plan: Covered, point: Point, missed: list[str]) -> None:
        """Make a cut for each period that misses, from one agent more in its intervals."""
        sets = self._sets(missed)
        week = self.player.week
        # Its own shifts first: who comes to them is drawn by their place.
        base = self._shifts(plan)
        desks = [self._desk([*base, *week.shifts((more >= 0).astype(np.int64))]) for more in sets]
        played = self.player.play(desks, self.numbers)
        helped = {name: np.zeros(len(point.heads)) for name in missed}
        for more, counted in zip(sets, played, strict=True):
            further = self._keep(point.heads + (more >= 0), counted)
            for name in missed:
                slots = self.parts[name]
                own = np.where(slots, more, -1)
                starts = np.unique(own[own >= 0])
                if not len(starts):
                    continue
                # A ticket is helped by the last agent added who may come in time for it.
                at = np.searchsorted(starts, np.arange(len(own)) + self.reach, side="right") - 1
                gain = np.where(slots, further.kept - point.kept, 0.0)
                brought = np.bincount(np.maximum(at, 0), gain, len(starts))
                for start, many in zip(starts.tolist(), brought.tolist(), strict=True):
                    block = own == start
                    helped[name][block] = max(0.0, many) / np.count_nonzero(block)
        for name in missed:
            if helped[name].any():
                self._slopes.append(Slope(name, point, helped[name]))

    def _sets(self, missed: list[str]) -> list[Ints]:
        """Intervals that get one agent more together: the first of their block, elsewhere -1."""
        week = self.player.week
        slot = np.arange(week.size)
        if self.slow:
            long = round(_BLOCK_H * 3600 / week.length_s)
            first = slot - slot % long
            day = slot // week.a_day
            # Before and after opening, agents may work off what waits.
            group = np.where(np.isin(day, week.days), slot % week.a_day // long, -1)
            group = np.where(group >= 0, group * _APART_DAYS + day % _APART_DAYS, -1)
        else:
            first = slot
            long = max(1, round(_APART_H * 3600 / week.length_s))
            wanted = np.logical_or.reduce([self.parts[name] for name in missed])
            group = np.where(wanted & self.asked, slot % week.a_day % long, -1)
        return [np.where(group == k, first, -1) for k in np.unique(group[group >= 0])]
