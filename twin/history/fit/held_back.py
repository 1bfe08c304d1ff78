"""Rolling back-test: what a log told up to a moment, scored on what came next."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from twin.history.fit.spells import Spells
from twin.scenario.clock import DAY_S, WEEK_S
from twin.stats.intervals import quantile_t

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# The first half of a log is never predicted; the rest in so many parts at most, of a week at least.
_FIRST, _PARTS = 0.5, 8
# Half-lives in days of a spell's weight; those that a log is long enough to tell apart are tried.
_HALF_LIVES = (364.0, 182.0, 84.0, 42.0, 21.0, 10.0, 5.0, 2.5)
ALL = float("inf")
# Observations that a half-life must leave of a step or status.
_ENOUGH = 200.0
# A spell is heavy that stands for so many; a half-life may leave so much of the weight to these.
_HEAVY, _OF_HEAVY = 4.0, 0.1
# Chance that a way which is no better than a simpler one is not believed to be: that of two
# standard errors, where there are many observations.
_CERTAIN = 0.977


class Fold(NamedTuple):
    """A part of a log to predict.

    Attributes
    ----------
    known : Spells
        The log as it stood when the part began.
    part : Spells
        Spells of tickets that arrived in the part, if they ended within the log.
    rows : array of int
        Their rows in the whole log.
    """

    known: Spells
    part: Spells
    rows: Ints


def folds(spells: Spells) -> Iterator[Fold]:
    """Parts of the second half of a log's arrivals, each with what was known before it."""
    if not len(spells):
        return
    born_s = spells.born_s
    begin, end = float(born_s.min()), float(born_s.max())
    first = begin + _FIRST * (end - begin)
    count = int(np.clip(round((end - first) / WEEK_S), 1, _PARTS))
    edges = np.linspace(first, end, count + 1)
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        here = (born_s >= low) & (born_s < high) & spells.over
        yield Fold(spells.known_at(low), spells.some(here), np.flatnonzero(here))


def half_lives(spells: Spells) -> tuple[float, ...]:
    """Half-lives worth a try, in days; the first is endless: all spells count alike."""
    span = float(np.ptp(spells.born_s)) / DAY_S
    return (ALL, *(days for days in _HALF_LIVES if days <= span / 2.5))


class CutShort:
    """Spells that the end of the log cut short, and weights of the others that make up for them.

    A spell that ended counts for those that began as early but whose end, as late as its own, the
    log would not have shown: inverse probability of censoring weights (Robins and Rotnitzky 1992),
    by a Kaplan-Meier estimate for each status.

    Parameters
    ----------
    spells : Spells
    lasted_s : array of float, shape (n,), optional
        How long spells lasted, on the clock that their delays go by. Around the clock, by default:
        where a desk works by day, what began on a Friday then lasts long and has the less time left
        in the log, and the weights of long delays are too large.
    """

    def __init__(self, spells: Spells, lasted_s: Floats | None = None) -> None:
        lasted = spells.end_s - spells.start_s if lasted_s is None else lasted_s
        # Of the same length, those that ended come first.
        order = np.lexsort((~spells.over, lasted, spells.status))
        self._parts = np.split(order, np.flatnonzero(np.diff(spells.status[order])) + 1)
        self._open = ~spells.over
        self._age = (spells.born_s.max(initial=0.0) - spells.born_s) / DAY_S

    def weights(self, half_life: float = ALL, worth: Floats | None = None) -> Floats:
        """Weights of spells; 0 for those still open at the end, shape (n,).

        Parameters
        ----------
        half_life : float
            In days between a ticket's arrival and the last one's: a log may follow its last tickets
            for long, and what only the slow ones do is not what is new.
        worth : array of float, shape (n,), optional
            How often each spell counts; by default once.
        """
        own = np.ones(len(self._open)) if worth is None else worth
        if half_life < ALL:
            own = own * 0.5 ** (self._age / half_life)
        found = np.zeros(len(own))
        for here in self._parts:
            is_open, mine = self._open[here], own[here]
            # What is recent is cut short most, so the weights belong into this estimate, too.
            at_risk = np.maximum(np.cumsum(mine[::-1])[::-1], 1e-300)
            stays = np.cumprod(np.where(is_open, 1 - mine / at_risk, 1.0))
            before = np.r_[1.0, stays[:-1]]
            found[here] = np.where(is_open, 0.0, mine / np.maximum(before, 1e-9))
        return found


def weights(spells: Spells, half_life: float = ALL) -> Floats:
    """Weights of spells that make up for those cut short, around the clock: see `CutShort`."""
    return CutShort(spells).weights(half_life)


def lasting(spells: Spells, life: float, lives: tuple[float, ...], parts: int = 1) -> float:
    """The half-life, or the next longer one that some spells bear.

    Enough of them must count, and few may stand for many that are still open: else the long ones
    among the last tickets, which the log does not show yet, rest on next to nothing.

    Parameters
    ----------
    spells : Spells
        Of one status, with those that are still open.
    life : float
    lives : tuple of float
        Half-lives to choose from.
    parts : int
        Parts in which the spells are told apart.
    """
    for longer in sorted(one for one in lives if one >= life):
        weight = weights(spells, longer)
        age = (spells.born_s.max(initial=0.0) - spells.born_s) / DAY_S
        heavy = weight > _HEAVY * 0.5 ** (age / longer)
        few = weight[heavy].sum() > _OF_HEAVY * weight.sum()
        if longer == ALL or (effective(weight) >= _ENOUGH * parts and not few):
            return longer
    return ALL


def effective(weight: Floats) -> float:
    """Number of observations of one weight that would be worth as much (Kish)."""
    square = float((weight**2).sum())
    return float(weight.sum()) ** 2 / square if square > 0 else 0.0


def better(gains: Floats, least: float) -> bool:
    """True if the mean of gains, one an observation, is beyond chance, and large enough to matter.

    Several ways are tried, and the best of them looks good by chance, too: so it must be beyond
    the 0.977 quantile of the t distribution, about two standard errors.
    """
    n = len(gains)
    if n < 2:
        return False
    sure = float(quantile_t(n - 1, _CERTAIN)) * float(gains.std(ddof=1)) / sqrt(n)
    return bool(gains.mean() > max(least, sure))


def usual_life(errors: dict[float, Floats], least: float) -> float:
    """Half-life that predicts all steps together best; endless where that may be chance.

    One step alone tells little of drift, all together more.

    Parameters
    ----------
    errors : dict of float to array
        Errors of what was predicted, by half-life, for the same observations.
    least : float
        Smallest mean gain that matters.
    """
    best = min(errors, key=lambda life: float(errors[life].mean()), default=ALL)
    return best if best != ALL and better(errors[ALL] - errors[best], least) else ALL
