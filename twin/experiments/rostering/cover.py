"""Shifts that cover needs, as an integer program (HiGHS, by scipy): how many of each kind start.

Who works which day comes after (`assign`): here agents are only counted. They have a limit of
shifts and hours a week together, no more of them work on a day than there are, and between two days
the rest must be possible: of those who end late on one day and start early on the next nobody is
both. As the starts that a late end forbids grow with the end, these counts are enough for each pair
of days (König 1931: a matching as large as the smallest cover).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from twin.common.errors import Fault, ScenarioError
from twin.scenario.clock import DAY_S
from twin.scenario.sections.work_rules import WorkRules

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A limit of the search by nodes, not by time: the same plan on each machine.
_NODES = 50_000
_MOST_AGENTS = 10_000
_ROUNDING = 1e-6


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
        if abs(number - round(number)) > _ROUNDING:
            reason = f"must be a whole number of intervals of {length_s / 60:g} min"
            raise ScenarioError("work_rules", [Fault(f"work_rules.{name}", reason)])
        return round(number)

    shortest, longest, step, every = (
        slots(name, getattr(rules, name))
        for name in ("shortest", "longest", "length_step", "start_every")
    )
    starts = [slots("starts", at) for at in rules.starts]
    starts = sorted(set(starts)) or list(range(0, round(DAY_S / length_s), every))
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
    """A bound on heads by interval: ``slope @ heads >= least``."""

    slope: Floats
    least: float


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

    @property
    def gap(self) -> float:
        """Share of its cost by which a plan may be cheaper at most."""
        return max(0.0, (self.cost - self.bound) / self.cost) if self.cost else 0.0


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

    def solve(self, least: npt.ArrayLike, cuts: list[Cut] | None = None) -> Covered | None:
        """Shifts that give at least so many heads in each interval; None: there are none.

        Parameters
        ----------
        least : array of int, shape (n,)
        cuts : list of Cut
            Further bounds.
        """
        rows = [*self._rules(), LinearConstraint(self._wide(self.matrix), lb=np.asarray(least))]
        if cuts:
            slopes = sparse.csr_array(np.array([cut.slope for cut in cuts]))
            floor = np.array([cut.least for cut in cuts])
            # What is a sum of floats is not missed by its last digits.
            rows.append(LinearConstraint(self._wide(slopes @ self.matrix), lb=floor - _ROUNDING))
        work = np.append(np.tile([kind.work for kind in self.kinds], len(self.days)), 0.0)
        agents = np.append(np.zeros(len(work) - 1), 1.0)
        first, second = (work, agents) if self.rules.minimise == "hours" else (agents, work)
        found = self._minimise(first, rows)
        if found is None:
            return None
        solution, bound = found
        cost = float(np.round(first @ solution))
        # As good in what comes first, then the best in the other.
        same = LinearConstraint(first[None, :], ub=cost + _ROUNDING)
        better = self._minimise(second, [*rows, same])
        solution = solution if better is None else better[0]
        whole = np.round(solution).astype(np.int64)
        return Covered(
            number=whole[:-1].reshape(len(self.days), -1),
            heads=np.round(self.matrix @ whole[:-1]).astype(np.int64),
            agents=int(whole[-1]),
            cost=cost,
            bound=math.ceil(bound - _ROUNDING),
        )

    def _minimise(self, cost: Floats, rows: list[LinearConstraint]) -> tuple[Floats, float] | None:
        most = self.rules.agents or _MOST_AGENTS
        found = milp(
            cost,
            constraints=rows,
            bounds=Bounds(0, np.append(np.full(len(cost) - 1, np.inf), most)),
            integrality=np.ones(len(cost)),
            options={"node_limit": _NODES, "mip_rel_gap": 0.0},
        )
        return None if found.x is None else (found.x, float(found.mip_dual_bound))

    def _wide(self, matrix: sparse.sparray) -> sparse.csr_array:
        """The matrix with a column for the number of agents."""
        empty = sparse.csr_array((matrix.shape[0], 1))
        return sparse.csr_array(sparse.hstack([matrix, empty]))

    def _rules(self) -> list[LinearConstraint]:
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
        return [LinearConstraint(sparse.csr_array(np.array(rows)), ub=0.0)]

    def first_start(self, end: int) -> float:
        """First interval of a day in which one may start whose shift of the day before ended."""
        return end + self.rules.rest / self.length_s - self.a_day - _ROUNDING
