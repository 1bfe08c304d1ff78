"""Ranking and selection: the best of several settings, with a stated probability.

Both procedures compare settings on the same replications (common random numbers), so that what
counts is the spread of differences, and both leave settings that are clearly worse.

`kn` promises: for normally distributed figures it selects, with at least the stated probability,
a setting that is best or within the indifference zone of it. `ocba` spends its replications where
they tell most and states the probability that it estimates from the data (not a promise made
beforehand). Both take the same arguments, so that one may replace the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
# Figures of some settings in replications first ... last - 1: shape (settings, last - first).
Sample = Callable[[Sequence[int], int, int], npt.ArrayLike]


@dataclass(frozen=True)
class Selection:
    """Result of a selection procedure.

    Attributes
    ----------
    best : int
        Index of the selected setting.
    decided : bool
        Whether the stated probability was reached within the budget.
    probability : float
        For `kn` the probability promised (0 if the budget ran out), for `ocba` the one estimated,
        that `best` is best or within the indifference zone of it.
    means : array of float, shape (k,)
        Mean of each setting over the replications that it got.
    replications : array of int, shape (k,)
        Replications that each setting got.
    left_in : tuple of int
        Settings not ruled out.
    """

    best: int
    decided: bool
    probability: float
    means: Floats
    replications: npt.NDArray[np.int64]
    left_in: tuple[int, ...]

    @property
    def total(self) -> int:
        """Replications played in all."""
        return int(self.replications.sum())


class _Played:
    """Figures so far, larger is better; settings by row, replications by column."""

    def __init__(self, sample: Sample, count: int, sign: float) -> None:
        self._sample = sample
        self._sign = sign
        self.values: list[list[float]] = [[] for _ in range(count)]

    def extend(self, wanted: Sequence[int], upto: int) -> None:
        """Play settings until each has `upto` replications."""
        by_start: dict[int, list[int]] = {}
        for k in wanted:
            by_start.setdefault(len(self.values[k]), []).append(k)
        for start, settings in by_start.items():
            if start >= upto:
                continue
            new = np.asarray(self._sample(settings, start, upto), dtype=float)
            if not np.isfinite(new).all():
                raise ValueError("the figure is missing in a replication: nothing was counted")
            for k, row in zip(settings, new, strict=True):
                self.values[k] += (self._sign * row).tolist()

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        return np.array([len(row) for row in self.values])

    def result(
        self, best: int, decided: bool, probability: float, left: Sequence[int]
    ) -> Selection:
        means = np.array([self._sign * np.mean(row) for row in self.values])
        return Selection(best, decided, probability, means, self.counts, tuple(left))


def _checked(count: int, indifference: float, confidence: float, first: int) -> None:
    if count < 2:
        raise ValueError("selection needs two settings or more")
    if not indifference > 0:
        raise ValueError("indifference must be above 0: the smallest difference that matters")
    if not 1 / count < confidence < 1:
        raise ValueError(f"confidence must be above 1/{count} and below 1")
    if first < 3:
        raise ValueError("first must be 3 or more")


def kn(
    sample: Sample,
    count: int,
    indifference: float,
    confidence: float = 0.95,
    *,
    larger: bool = True,
    first: int = 10,
    budget: int = 10_000,
    step: int = 1,
) -> Selection:
    """Select the best by the fully sequential procedure of Kim and Nelson.

    Parameters
    ----------
    sample : callable
        Gives figures of settings in replications first to last - 1.
    count : int
        Settings.
    indifference : float
        The smallest difference that matters, in the figure's unit.
    confidence : float
        Probability of a correct selection: that the selected one is best, or within `indifference`
        of the best.
    larger : bool
        Whether more is better.
    first : int
        Replications of every setting before any is ruled out.
    budget : int
        Most replications in all.
    step : int
        Replications played at a time, for the sake of several workers. What is selected does not
        depend on it; up to ``step - 1`` replications a setting may be in vain.

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        If a parameter is out of range or a figure is missing.

    Notes
    -----
    Kim and Nelson 2001, A fully sequential procedure for indifference-zone selection in simulation
    (ACM TOMACS 11), with c = 1: h2 = 2 eta (n0 - 1), eta = ((2 alpha / (k - 1))^(-2 / (n0 - 1)) -
    1) / 2. After r replications i is ruled out by j if its sum falls behind by more than
    max(0, h2 S2ij / (2 d) - d r / 2), with S2ij the variance of the differences in the first n0
    replications and d the indifference. Valid under common random numbers.
    """
    _checked(count, indifference, confidence, first)
    played = _Played(sample, count, 1.0 if larger else -1.0)
    everyone = list(range(count))
    played.extend(everyone, first)
    start = np.array(played.values)
    spread = (start[:, None, :] - start[None, :, :]).var(axis=2, ddof=1)
    alpha = 1 - confidence
    eta = 0.5 * ((2 * alpha / (count - 1)) ** (-2 / (first - 1)) - 1)
    reach = 2 * eta * (first - 1) * spread / (2 * indifference)
    left, r = everyone, first
    while True:
        sums = np.array([math.fsum(played.values[k][:r]) for k in left])
        allowed = np.maximum(0.0, reach[np.ix_(left, left)] - indifference * r / 2)
        behind = sums[None, :] - sums[:, None] > allowed
        left = [k for k, out in zip(left, behind.any(axis=1), strict=True) if not out]
        if len(left) == 1:
            return played.result(left[0], True, confidence, left)
        # At this point the rule holds for differences of any size: all that are left are equal.
        if (allowed == 0).all():
            return played.result(
                left[int(np.argmax(_sums(played, left, r)))], True, confidence, left
            )
        r += 1
        if r > len(played.values[left[0]]):
            room = (budget - int(played.counts.sum())) // len(left)
            if room < 1:
                best = left[int(np.argmax(_sums(played, left, r - 1)))]
                return played.result(best, False, 0.0, left)
            played.extend(left, r - 1 + min(step, room))


def _sums(played: _Played, settings: Sequence[int], r: int) -> Floats:
    return np.array([math.fsum(played.values[k][:r]) for k in settings])


def ocba(
    sample: Sample,
    count: int,
    indifference: float,
    confidence: float = 0.95,
    *,
    larger: bool = True,
    first: int = 10,
    budget: int = 10_000,
    step: int = 10,
) -> Selection:
    """Select the best by optimal computing budget allocation.

    Parameters
    ----------
    sample, count, larger, first, budget
        As for `kn`.
    indifference : float
        A setting worse by less than this counts as a correct selection.
    confidence : float
        It ends when the estimated probability of a correct selection is this high.
    step : int
        Replications handed out in a round.

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        If a parameter is out of range or a figure is missing.

    Notes
    -----
    A rival gets replications in proportion to (spread / distance to the best)^2 (Chen, Lin, Yucesan
    and Chick 2000, Simulation budget allocation for further enhancing the efficiency of ordinal
    optimization, Discrete Event Dynamic Systems 10). Under common random numbers the spread is that
    of the difference from the best over the replications that both have, and the best gets as many
    as the rival that has most, so that all of them pair. The probability is that of Slepian's
    inequality: the product over rivals of the chance, by Student's t, that the best is ahead
    (Branke, Chick and Schmidt 2007, Selecting a selection procedure, Management Science 53). A
    rival nearer than the indifference is treated as that far off (as in Chen and Kelton 2005,
    European Journal of Operational Research 166). It is an estimate, looked at again and again.
    """
    _checked(count, indifference, confidence, first)
    played = _Played(sample, count, 1.0 if larger else -1.0)
    everyone = list(range(count))
    played.extend(everyone, first)
    while True:
        best, distance, error, spread = _rivals(played, everyone)
        chances = _chances(np.maximum(distance, indifference), error, played.counts, best)
        probability = float(np.prod(chances))
        left = [k for k in everyone if k == best or chances[k] < confidence]
        if probability >= confidence:
            return played.result(best, True, probability, left)
        room = budget - int(played.counts.sum())
        if room < 1:
            return played.result(best, False, probability, left)
        wanted = _allocation(
            np.maximum(distance, indifference), spread, played.counts, best, min(step, room)
        )
        for k in everyone:
            played.extend([k], int(wanted[k]))


def _rivals(played: _Played, everyone: Sequence[int]) -> tuple[int, Floats, Floats, Floats]:
    """The best so far; and of each rival its distance, the standard error of that, the spread."""
    best = int(np.argmax([np.mean(row) for row in played.values]))
    distance, error, spread = np.zeros((3, len(everyone)))
    for k in everyone:
        both = min(len(played.values[best]), len(played.values[k]))
        ahead = np.array(played.values[best][:both]) - np.array(played.values[k][:both])
        distance[k] = ahead.mean()
        spread[k] = ahead.std(ddof=1)
        error[k] = spread[k] / np.sqrt(both)
    return best, distance, error, spread


def _chances(ahead: Floats, error: Floats, counts: npt.NDArray[np.int64], best: int) -> Floats:
    freedom = np.minimum(counts, counts[best]) - 1
    # Without any spread the sign decides.
    z = np.divide(
        ahead, error, out=np.copysign(np.full(len(ahead), np.inf), ahead), where=error > 0
    )
    chances: Floats = stats.t.cdf(z, freedom)
    chances[best] = 1.0
    return chances


def _allocation(
    distance: Floats, spread: Floats, counts: npt.NDArray[np.int64], best: int, room: int
) -> npt.NDArray[np.int64]:
    """Replications that each needs in total, after `room` more."""
    near = np.maximum(distance, 1e-3 * max(float(np.abs(distance).max()), 1e-300))
    share = (spread / near) ** 2
    share[best] = 0.0
    share[best] = share.max()
    total = counts.sum() + room
    target = (
        share / share.sum() * total if share.sum() > 0 else np.full(len(share), total / len(share))
    )
    lack = np.maximum(target - counts, 0.0)
    more = np.floor(room * lack / lack.sum()).astype(np.int64) if lack.sum() > 0 else 0 * counts
    wanted: npt.NDArray[np.int64] = counts + more
    # Replications left over by rounding go to those that lack most.
    rest = room - int(more.sum())
    wanted[int(np.argmax(lack))] += rest
    return wanted
