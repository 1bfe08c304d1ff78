"""Shifts that cover needs, as an integer program (HiGHS, by scipy): how many of each kind start.

Who works which day comes after (`assign`): here agents are only counted. They have a limit of
shifts and hours a week together, no more of them work on a day than there are, and between two days
the rest must be possible: of those who end late on one day and start early on the next nobody is
both. As the starts that a late end forbids grow with the end, these counts are enough for each pair
of days (König 1931: a matching as large as the smallest cover).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint

from twin.common.errors import Fault, ScenarioError
from twin.experiments.rostering.program import apart, padded, solved
from twin.scenario.clock import DAY_S
from twin.scenario.sections.work_rules import WorkRules

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A limit of the search by nodes, not by time: the same plan on each machine.
_EXACTLY = {"node_limit": 20_000, "mip_rel_gap": 0.0}
_ROUGHLY = {"node_limit": 200, "mip_rel_gap": 0.02}
MOST_AGENTS = 10_000
ROUNDING = 1e-6


class Kind(NamedTuple):
    """A kind of shift, in intervals of a day.

    Attributes
    ----------
    start, length : int
    pause, pause_length : int
        From its start to its break, and length of that; 0: it has none.
    """

    start: int
    length: int
    pause: int = 0
    pause_length: int = 0

    @property
    def work(self) -> int:
        """Paid intervals."""
        return self.length - self.pause_length

    @property
    def end(self) -> int:
        """First interval after it."""
        return self.start + self.length

    def slots(self) -> list[int]:
        """Intervals in which it gives an agent, from midnight of its day on."""
        away = range(self.pause, self.pause + self.pause_length)
        return [self.start + k for k in range(self.length) if k not in away]


def kinds(rules: WorkRules, length_s: float) -> list[Kind]:
    """Kinds of shifts that the rules allow.

    Raises
    ------
    ScenarioError
        If a rule is no whole number of intervals.
    """

    def slots(name: str, seconds: float) -> int:
        number = seconds / length_s
        if abs(number - round(number)) > ROUNDING:
            reason = f"must be a whole number of intervals of {length_s / 60:g} min"
            raise ScenarioError("work_rules", [Fault(f"work_rules.{name}", reason)])
        return round(number)

    shortest, longest = (slots(name, getattr(rules, name)) for name in ("shortest", "longest"))
    # What is not used need not fit.
    step = slots("length_step", rules.length_step) if longest > shortest else 1
    starts = sorted({slots("starts", at) for at in rules.starts})
    if not starts:
        starts = list(range(0, round(DAY_S / length_s), slots("start_every", rules.start_every)))
    broken = rules.break_length > 0 and rules.longest > rules.break_over
    # Of breaks that no shift has nothing is asked.
    pause, earliest, latest, over = (
        slots(name, getattr(rules, name)) if broken else longest
        for name in ("break_length", "break_earliest", "break_latest", "break_over")
    )
    found = []
    for length in range(shortest, longest + 1, step):
        pauses = [(0, 0)]
        if broken and length > over:
            pauses = [(at, pause) for at in range(earliest, min(latest, length - pause) + 1)]
        found += [Kind(start, length, *one) for start in starts for one in pauses]
    return found


class Cut(NamedTuple):
    """A bound on heads by interval: ``slope @ heads >= least``; in tickets, of so many."""

    slope: Floats
    least: float
    of: float = 1.0


@dataclass(frozen=True)
class Covered:
    """Numbers of shifts of each kind that start on each day.

    Attributes
    ----------
    number : array of int, shape (days, kinds)
    heads : array of int, shape (n,)
        By interval.
    agents : int
        Least agents that can do it, as far as they are only counted.
    cost, bound : float
        Of what is to be low first, in paid intervals or agents; and what no plan can go below.
    """

    number: Ints
    heads: Ints
    agents: int
    cost: float
    bound: float


@dataclass(frozen=True)
class Cover:
    """A cycle of days to be covered by shifts.

    Attributes
    ----------
    kinds : list of Kind
    rules : WorkRules
    length_s : float
        Of an interval.
    days : list of int
        Days on which shifts start.
    cycle : int
        Days after which all comes again.
    """

    kinds: list[Kind]
    rules: WorkRules
    length_s: float
    days: list[int]
    cycle: int = 7

    @property
    def a_day(self) -> int:
        """Intervals of a day."""
        return round(DAY_S / self.length_s)

    @cached_property
    def matrix(self) -> sparse.csc_array:
        """Heads that one shift of each kind gives, by interval: shape (n, days * kinds)."""
        size, places = self.cycle * self.a_day, []
        for place, day in enumerate(self.days):
            for k, kind in enumerate(self.kinds):
                column = place * len(self.kinds) + k
                places += [((day * self.a_day + at) % size, column) for at in kind.slots()]
        rows, columns = np.array(places, dtype=np.int64).reshape(-1, 2).T
        shape = (size, len(self.days) * len(self.kinds))
        return sparse.csc_array((np.ones(len(rows)), (rows, columns)), shape=shape)

    def solve(
        self, least: npt.ArrayLike, cuts: list[Cut] | None = None, roughly: bool = False
    ) -> Covered | None:
        """Shifts that give at least so many heads in each interval; None: there are none.

        Parameters
        ----------
        least : array of int, shape (n,)
        cuts : list of Cut
            Further bounds.
        roughly : bool
            Whether to end early, at about the best.
        """
        least = np.asarray(least, dtype=np.float64)
        needs = [(self.matrix[least > 0], least[least > 0])]
        if cuts:
            slopes = sparse.csr_array(np.array([cut.slope for cut in cuts]))
            # What is a sum of floats is not missed by its last digits.
            floor = np.array([cut.least for cut in cuts]) - ROUNDING
            needs.append((sparse.csr_array(slopes @ self.matrix)[floor > 0], floor[floor > 0]))
        rows = sparse.csr_array(sparse.vstack([row for row, _ in needs]))
        rows.eliminate_zeros()
        floors = np.concatenate([floor for _, floor in needs])
        options = _ROUGHLY if roughly else _EXACTLY
        solve = self._hours if self.alone else self._both
        solved = solve(rows, floors, options)
        if solved is None:
            return None
        number, _, bound = solved
        return self.covered(number.reshape(len(self.days), -1), bound)

    def covered(self, number: Ints, bound: float) -> Covered:
        """Shifts with all that follows from their number, of shape (days, kinds)."""
        heads = np.round(self.matrix @ number.ravel()).astype(np.int64)
        agents = self.fewest(number.ravel())
        made = Covered(number, heads, agents, 0.0, bound)
        return replace(made, cost=self.cost(made, list(range(len(self.days)))))

    def cost(self, covered: Covered, places: list[int]) -> float:
        """Cost of the shifts that start on some days; agents are those of all days."""
        if self.rules.minimise == "agents":
            return float(covered.agents)
        return float((covered.number[places] @ [kind.work for kind in self.kinds]).sum())

    @property
    def alone(self) -> bool:
        """True if only hours count and there are as many agents as it takes."""
        return self.rules.minimise == "hours" and self.rules.agents is None

    def apart(self, least: npt.ArrayLike) -> list[list[int]]:
        """Days whose shifts have no need in common, as places in `days`, in groups."""
        everything = [list(range(len(self.days)))]
        least = np.asarray(least)
        if not self.alone or not (least > 0).any():
            return everything
        groups: list[set[int]] = []
        for _, columns in apart(sparse.csr_array(self.matrix[least > 0])):
            one = set(np.unique(columns // len(self.kinds)).tolist())
            # Two needs of a day may be met by different shifts of it.
            one = one.union(*(other for other in groups if other & one))
            groups = [*(other for other in groups if not other & one), one]
        whole = sorted(place for group in groups for place in group)
        return sorted(map(sorted, groups)) if whole == everything[0] else everything

    def fewest(self, number: Ints) -> int:
        """Least agents that can do shifts, of shape (days * kinds,), as far as they are counted."""
        rules = self.binding
        agents = (rules[:, :-1] @ number) / -rules[:, [-1]].toarray().ravel()
        return math.ceil(float(agents.max(initial=0.0)) - ROUNDING)

    def with_fewest(self, covered: Covered) -> Covered:
        """Shifts that give the same heads at the same cost to as few agents as was found."""
        if self.rules.minimise == "agents":
            return covered
        same = covered.heads > 0
        rows = [self._limits, self._needs(self.matrix[same], covered.heads[same])]
        rows.append(LinearConstraint(self.work[None, :], ub=covered.cost + ROUNDING))
        found = self._minimise(self.agents, rows)
        if found is None:
            return covered
        number = np.round(found[0]).astype(np.int64)[:-1]
        agents = self.fewest(number)
        if agents >= covered.agents:
            return covered
        heads = np.round(self.matrix @ number).astype(np.int64)
        number = number.reshape(len(self.days), -1)
        return replace(covered, number=number, heads=heads, agents=agents)

    def _hours(
        self, rows: sparse.csr_array, floors: Floats, options: dict[str, float]
    ) -> tuple[Ints, float, float] | None:
        """The fewest hours where there are as many agents as it takes: rules bind nothing.

        Days whose shifts have no need in common are programs of their own.
        """
        number, cost, bound = np.zeros(rows.shape[1], dtype=np.int64), 0.0, 0.0
        work = self.work[:-1]
        step = math.gcd(*work.astype(int).tolist())
        for at, columns in apart(rows):
            if not len(columns):
                return None
            part = LinearConstraint(rows[at][:, columns], lb=floors[at])
            found = self._minimise(work[columns], [part], options)
            if found is None:
                return None
            number[columns] = np.round(found[0])
            cost += float(work[columns] @ number[columns])
            # Hours come in whole shifts.
            bound += step * math.ceil(found[1] / step - ROUNDING)
        return number, cost, bound

    def _both(
        self, rows: sparse.csr_array, floors: Floats, options: dict[str, float]
    ) -> tuple[Ints, float, float] | None:
        """The best in what comes first, and with that the best in the other."""
        limits = [self._limits, self._needs(rows, floors)]
        first, second = self.work, self.agents
        if self.rules.minimise == "agents":
            first, second = second, first
        found = self._minimise(first, limits, options)
        if found is None:
            return None
        solution, bound = found
        cost = float(np.round(first @ solution))
        same = LinearConstraint(first[None, :], ub=cost + ROUNDING)
        better = self._minimise(second, [*limits, same], options)
        solution = solution if better is None else better[0]
        number = np.round(solution).astype(np.int64)[:-1]
        return number, cost, float(math.ceil(bound - ROUNDING))

    @property
    def work(self) -> Floats:
        """Paid intervals of a shift of each kind on each day, and of an agent: 0."""
        return np.append(np.tile([float(kind.work) for kind in self.kinds], len(self.days)), 0.0)

    @property
    def agents(self) -> Floats:
        """The number of agents alone, likewise."""
        return np.append(np.zeros(len(self.days) * len(self.kinds)), 1.0)

    @property
    def _limits(self) -> LinearConstraint:
        return LinearConstraint(self.binding, ub=0.0)

    def _needs(self, matrix: sparse.sparray, floors: npt.ArrayLike) -> LinearConstraint:
        """Needs of a program that has a column for the number of agents, too."""
        return LinearConstraint(padded(matrix, 1), lb=floors)

    def _minimise(
        self, cost: Floats, rows: list[LinearConstraint], options: dict[str, float] | None = None
    ) -> tuple[Floats, float] | None:
        most = np.full(len(cost), np.inf)
        if len(cost) == len(self.agents):
            most[-1] = self.rules.agents or MOST_AGENTS
        found = solved(
            cost, constraints=rows, bounds=Bounds(0, most), integrality=np.ones(len(cost)),
            options=_EXACTLY if options is None else options,
        )  # fmt: skip
        return None if found.x is None else (found.x, float(found.mip_dual_bound))

    @cached_property
    def binding(self) -> sparse.csr_array:
        """Rules of what agents can do, as far as they are counted: each row is at most 0."""
        width, rows = len(self.kinds), []

        def row(day_kinds: list[tuple[int, int]], agents: float, weights: list[float]) -> Floats:
            made = np.zeros(len(self.days) * width + 1)
            for (place, k), weight in zip(day_kinds, weights, strict=True):
                made[place * width + k] += weight
            made[-1] = -agents
            return made

        whole = [(p, k) for p in range(len(self.days)) for k in range(width)]
        rows.append(row(whole, self.rules.days_a_week, [1.0] * len(whole)))
        hours = self.rules.hours_a_week / self.length_s
        rows.append(row(whole, hours, [float(self.kinds[k].work) for _, k in whole]))
        for place, day in enumerate(self.days):
            own = [(place, k) for k in range(width)]
            rows.append(row(own, 1.0, [1.0] * width))
            following = (day + 1) % self.cycle
            if following not in self.days or self.cycle == 1:
                continue
            then = self.days.index(following)
            for end in sorted({kind.start + kind.length for kind in self.kinds}):
                limit = self.first_start(end)
                late = [(place, k) for k, kind in enumerate(self.kinds)
                        if kind.start + kind.length >= end]  # fmt: skip
                early = [(then, k) for k, kind in enumerate(self.kinds) if kind.start < limit]
                if early:
                    both = late + early
                    rows.append(row(both, 1.0, [1.0] * len(both)))
        return sparse.csr_array(np.array(rows))

    def first_start(self, end: int) -> float:
        """First interval of a day in which one may start whose shift of the day before ended."""
        return end + self.rules.rest / self.length_s - self.a_day - ROUNDING
