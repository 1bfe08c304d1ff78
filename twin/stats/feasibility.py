"""Cheapest setting that keeps limits, with a stated confidence; arrays only.

Settings are played until their intervals decide, never dropped for the point estimate of a few
replications. A setting that is open after a look is played as often again, so that the number of
looks is small and known, and the errors of all looks can be added up (Bonferroni).

The error that is allowed is spent in three equal parts:

- A setting that misses a limit is called met. Any setting could be, so the part is divided by the
  settings and the looks. It need not be divided by the limits: a setting that misses one must look
  good in that one too (the intersection-union test, Berger 1982, Technometrics 24).
- The cheapest setting that keeps all limits is called missed. That is one setting, whichever it is,
  so the part is divided by the limits and the looks, not by the settings.
- That setting is called costlier than the one selected. The part is divided by the looks, and among
  settings that are selected one after the other as 1/2, 1/6, 1/12, ... On the earlier replications,
  which say what is played first, luck may have made any setting the one selected: there the part is
  divided by the settings.

Costs are compared by their ratio: customers are the same for all settings, and how many come moves
two costs alike, so that it moves their difference and hardly their ratio.

Settings take turns by their place, the cheapest first, times how often each will have been played:
so the cheap ones are looked at closely before the dear ones are looked at at all, and one that
stays open for long keeps nobody waiting for more than its share (the order in which Levin 1973,
Universal sequential search problems, tries programs by length and time). As soon as one is shown to
keep all limits, those that are shown to cost more are played no further.

To check limits first and compare costs among what keeps them is constrained ranking and selection
(Andradottir and Kim 2010, Fully sequential procedures for comparing constrained systems via
simulation, Naval Research Logistics 57; feasibility with several limits: Batur and Kim 2010,
Finding feasible systems in the presence of constraints on multiple performance measures, ACM TOMACS
20). Their procedures rest on normal figures and on a tolerance within which a setting may be called
either; here it stays open, and the intervals are those of `intervals` and `shares`.

Where replications play versions of a desk, what its history leaves open is in each interval
(`nested`), that of a cost difference by the same versions of both. More replications do not settle
that: a setting that is open for it is not played on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.stats.intervals import quantile_t, ratio_interval
from twin.stats.limits import MET, MISSED, OPEN, Judged, Limit, judge
from twin.stats.nested import Drawn, influence, parts
from twin.stats.sums import Floats, Sums, divide, jackknife_error, leave_one_out

# Settings played in a round; not the number of workers, on which nothing may depend.
_ROUND = 4
_ROUNDING = 1e-9
# With less of the variance from luck, more replications hardly make an interval narrower.
_LITTLE = 0.1
# Numerators and denominators of some settings in replications first ... last - 1: shape (settings,
# 2, figures, last - first). The first figure is the cost, the others have the limits.
Sample = Callable[[Sequence[int], int, int], npt.ArrayLike]


@dataclass(frozen=True)
class Cheapest:
    """Result of `cheapest`; lists have an entry a setting.

    Attributes
    ----------
    best : int or None
        The cheapest setting that was shown to keep its limits.
    verdicts : tuple of str
        met, missed or open.
    judged : tuple of (tuple of Judged)
        Each limit; empty where it was never played.
    replications : tuple of int
    near : tuple of int
        Settings that may be the answer, cheapest first: not missed, and not shown to be costlier.
    ahead : tuple of (float, float, float)
        Cost less that of the best, and its bounds, at the cost of the best; missing without one.
    looks : tuple of int
        Numbers of replications at which settings are judged.
    """

    best: int | None
    verdicts: tuple[str, ...]
    judged: tuple[tuple[Judged, ...], ...]
    replications: tuple[int, ...]
    near: tuple[int, ...]
    ahead: tuple[tuple[float, float, float], ...]
    looks: tuple[int, ...]


def cheapest(
    sample: Sample,
    start: npt.ArrayLike,
    ranks: Sequence[float],
    limits: Sequence[Limit],
    confidence: float = 0.95,
    *,
    first: int = 10,
    budget: int = 2000,
    tolerance: float = 0.01,
    sources: tuple[str, ...] = (),
) -> Cheapest:
    """Find the cheapest of several settings that keeps its limits.

    Parameters
    ----------
    sample : callable
        Gives the figures of settings in replications first to last - 1, the same customers for all.
    start : array of float, shape (settings, 2, n)
        Numerators and denominators of costs in earlier replications, the same for all settings;
        used where two settings have no other replications in common.
    ranks : sequence of float
        Settings with the lowest are played first.
    limits : sequence of Limit
    confidence : float
        Probability that the best keeps its limits, and that the cheapest setting that does is the
        best or among those near; as far as the intervals hold what they promise.
    first : int
        Replications of a setting before it is judged; then twice as many, and so on.
    budget : int
        Most replications in all.
    tolerance : float
        A setting that cannot be shown to be cheaper, and is not by more than this share, is not
        played further; it stays near.
    sources : tuple of str
        Of what versions leave open, where replications play them; see `twin.stats.nested`. The
        replications of `sample` are those that follow the earlier ones.

    Returns
    -------
    Cheapest

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> def sample(settings, begin, end):
    ...     n = end - begin
    ...     return [[[[k + 1.0] * n, rng.binomial(1000, 0.08 / (k + 1), n)], [[1.0] * n, [1e3] * n]]
    ...             for k in settings]
    >>> start = [[[1.0, 1.0], [1.0, 1.0]], [[2.0, 2.0], [1.0, 1.0]], [[3.0, 3.0], [1.0, 1.0]]]
    >>> found = cheapest(sample, start, [0, 1, 2], [Limit(0.05, True, True)])
    >>> found.best, found.verdicts
    (1, ('missed', 'met', 'met'))
    """
    return _Search(
        sample, np.asarray(start, float), limits, confidence, first, budget, sources
    ).run(ranks, tolerance)


class _Search:
    def __init__(
        self,
        sample: Sample,
        start: Floats,
        limits: Sequence[Limit],
        confidence: float,
        first: int,
        budget: int,
        sources: tuple[str, ...],
    ) -> None:
        count = len(start)
        self.sample, self.start, self.limits = sample, start, limits
        self.first, self.budget, self.sources = first, budget, sources
        self.played: list[Floats] = [np.empty((2, 1 + len(limits), 0)) for _ in range(count)]
        self.verdicts = [OPEN] * count
        self.judged: list[tuple[Judged, ...]] = [()] * count
        self.best: int | None = None
        self._bests = 0
        self.looks = tuple(first * 2**k for k in range(1 + int(math.log2(max(budget / first, 1)))))
        looks, part = len(self.looks), (1 - confidence) / 3
        self.errors = part / (count * looks), part / (max(len(limits), 1) * looks)
        self._cost_error = part / (looks + 1)
        # A ratio says nothing where a cost may be 0 or below.
        self._by_ratio = bool((start >= 0).all() and (start.sum(axis=-1) > 0).all())

    def run(self, ranks: Sequence[float], tolerance: float) -> Cheapest:
        while wanted := self._wanted(ranks, tolerance):
            for size in sorted(set(wanted.values())):
                self._extend([k for k, upto in wanted.items() if upto == size], size)
            self._choose()
        ahead = [self.ahead(k) for k in range(len(self.played))]
        near = [
            (ranks[k] if self.best is None else ahead[k][0], k)
            for k, verdict in enumerate(self.verdicts)
            if verdict != MISSED and k != self.best and not ahead[k][1] > 0
        ]
        return Cheapest(
            best=self.best,
            verdicts=tuple(self.verdicts),
            judged=tuple(self.judged),
            replications=tuple(map(self.size, range(len(self.played)))),
            near=tuple(k for _, k in sorted(near)),
            ahead=tuple(ahead),
            looks=self.looks,
        )

    def drawn(self, begin: int, size: int) -> Drawn | None:
        """Replications from a number on, where they play versions."""
        return Drawn(begin + np.arange(size), self.sources) if self.sources else None

    def size(self, k: int) -> int:
        """Replications of a setting."""
        return int(self.played[k].shape[-1])

    def _wanted(self, ranks: Sequence[float], tolerance: float) -> dict[int, int]:
        """The settings to play next, and how often each is to have been played then."""
        left = self.budget - sum(map(self.size, range(len(self.played))))
        upto = {
            k: max(2 * self.size(k), self.first)
            for k in range(len(self.played))
            if self._contends(k, tolerance)
        }
        wanted: dict[int, int] = {}
        places = {k: place for place, k in enumerate(sorted(upto, key=lambda k: (ranks[k], k)), 1)}
        for k in sorted(upto, key=lambda k: (places[k] * upto[k], places[k])):
            both = [k]
            # Costs are compared on replications that both have.
            if self.verdicts[k] == MET and self.best is not None:
                both = [one for one in (k, self.best) if self.size(one) < upto[k]]
            new = {one: upto[k] for one in both if one not in wanted}
            price = sum(size - self.size(one) for one, size in new.items())
            if len(wanted) < _ROUND and price <= left:
                wanted |= new
                left -= price
        return wanted

    def _contends(self, k: int, tolerance: float) -> bool:
        """True if more replications of a setting could change the answer."""
        if self.verdicts[k] == MISSED or k == self.best:
            return False
        open_ones = [one for one in self.judged[k] if one.verdict == OPEN]
        if self.verdicts[k] == OPEN and any(one.luck < _LITTLE for one in open_ones):
            return False
        if self.best is None:
            return True
        _, low, high = self.ahead(k)
        if low > 0:
            return False
        over, under = self._in_common(k)[0][1]
        return not (low > -tolerance * abs(over.sum() / under.sum()) and high >= 0)

    def _extend(self, settings: Sequence[int], upto: int) -> None:
        for begin in sorted({self.size(k) for k in settings}):
            mine = [k for k in settings if self.size(k) == begin]
            new = np.asarray(self.sample(mine, begin, upto), dtype=float)
            for k, values in zip(mine, new, strict=True):
                self.played[k] = np.concatenate([self.played[k], values], axis=-1)
                self._judge(k)

    def _judge(self, k: int) -> None:
        cost, *figures = np.swapaxes(self.played[k], 0, 1)
        self.judged[k] = tuple(
            judge(over, under, limit, *self.errors, self.drawn(self.start.shape[-1], self.size(k)))
            for (over, under), limit in zip(figures, self.limits, strict=True)
        )
        if self.verdicts[k] != OPEN:
            return
        verdicts = {one.verdict for one in self.judged[k]}
        if MISSED in verdicts or math.isnan(ratio_interval(cost[0], cost[1])[0]):
            self.verdicts[k] = MISSED
        elif verdicts <= {MET}:
            self.verdicts[k] = MET

    def _choose(self) -> None:
        before = self.best
        for k, verdict in enumerate(self.verdicts):
            if verdict == MET and (self.best is None or self.ahead(k)[0] < 0):
                self.best = k
        self._bests += self.best != before

    def _in_common(self, k: int) -> tuple[Floats, int]:
        """Costs of a setting and of the best on the same replications, and the first of these.

        Shape (2, 2, n).
        """
        assert self.best is not None
        n = min(self.size(k), self.size(self.best))
        if n < self.first:
            return self.start[[k, self.best]], 0
        fresh = [self.played[one][:, 0, :n] for one in (k, self.best)]
        return np.stack(fresh), int(self.start.shape[-1])

    def ahead(self, k: int) -> tuple[float, float, float]:
        """Cost of a setting less that of the best, and its bounds; missing without a best."""
        if self.best is None:
            return math.nan, math.nan, math.nan
        pairs, begin = self._in_common(k)
        over, under = pairs[:, 0], pairs[:, 1]
        values = divide(over.sum(axis=-1), under.sum(axis=-1))
        error, freedom = self._error(over, under, begin)
        bests = max(self._bests, 1)
        times = bests * (bests + 1) if begin else len(self.played)
        reach = float(quantile_t(freedom, 1 - self._cost_error / times)) * error
        apart = float(self._compared(values))
        # Sums of floats differ in their last digits.
        apart = 0.0 if abs(values[0] - values[1]) <= _ROUNDING * abs(values[1]) else apart
        if not self._by_ratio:
            return apart, apart - reach, apart + reach
        with np.errstate(over="ignore"):
            found, low, high = values[1] * np.expm1([apart, apart - reach, apart + reach])
        return float(found), float(low), float(high)

    def _compared(self, costs: Floats) -> Floats:
        """The first of two costs less the second, as logarithms where costs are above 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = np.log(costs) if self._by_ratio else costs
            return np.asarray(first - second)

    def _error(self, over: Floats, under: Floats, begin: int) -> tuple[float, float]:
        """Standard error of the comparison of two costs, and its degrees of freedom."""
        size = over.shape[-1]
        if (drawn := self.drawn(begin, size)) is not None:
            moved = influence(Sums(over, under, None, np.zeros(2)))
            if self._by_ratio:
                # Of a logarithm: the cost's, as a share of it.
                moved /= divide(over.sum(axis=-1), under.sum(axis=-1))[:, None]
            split = parts(moved[:1] - moved[1:], drawn.numbers, drawn.sources)
            return float(np.sqrt(split.whole[0])), float(split.freedom[0])
        apart = self._compared(leave_one_out(over, under))
        seen = np.ones((1, size), dtype=np.bool_)
        return float(jackknife_error(apart[None, :], seen)[0]), size - 1
