"""Weights by which scores learnt from texts and the articles' evidence become chances.

A chance is the softmax of `own * scores + articles * evidence + level`. The level of a category
makes good what its articles cannot tell: some categories have phrases for all that comes, others
are known by what fits nowhere else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special
from threadpoolctl import threadpool_limits

from twin.assistant.features import Floats, Ints

# Pull of the levels towards 0, in texts; of 0.3, 1 and 3 the best in cross-validation on the train
# part of the shipped corpus (see tests/benchmarks/README.md).
_PULL = 1.0
_MOST_OF_ARTICLES = 48.0
_FOLDS = 5
_DIGITS = 4  # Of the weights that are kept: below, the last bits of a sum would show.


class Mix(NamedTuple):
    """Weights of what was learnt and of the articles, and the level of each category."""

    own: float
    articles: float
    level: Floats

    def scores(self, own: Floats, evidence: Floats) -> Floats:
        """Scores by category, each of shape (n, categories)."""
        found: Floats = self.own * own + self.articles * evidence + self.level
        return found


class Mixed(NamedTuple):
    """A mix, and the logarithms of the chances that fits without a text gave it."""

    mix: Mix
    chance: Floats


def mix_of(own: Floats, evidence: Floats, truth: Ints, most: float) -> Mixed:
    """The mix of the least log loss.

    Parameters
    ----------
    own, evidence : array of float, shape (n, categories)
        By fits that did not see the text.
    truth : array of int, shape (n,)
    most : float
        Largest weight of `own`: texts that are told apart without a fault would have no end to it.
    """
    mix = _fitted(own, evidence, truth, most)
    if not evidence.any():
        # One weight cannot learn the texts by heart.
        return Mixed(mix, special.log_softmax(mix.scores(own, evidence), axis=1))
    chance = np.empty_like(own)
    fold = np.empty(len(truth), dtype=np.int64)
    fold[np.argsort(truth, kind="stable")] = np.arange(len(truth)) % _FOLDS
    for k in range(_FOLDS):
        out = fold == k
        if out.any():
            without = _fitted(own[~out], evidence[~out], truth[~out], most)
            scores = without.scores(own[out], evidence[out])
            chance[out] = special.log_softmax(scores, axis=1)
    return Mixed(mix, chance)


def _fitted(own: Floats, evidence: Floats, truth: Ints, most: float) -> Mix:
    # It takes as long to import as all else that a run of what was learnt before needs.
    from scipy import optimize

    rows, size = np.arange(len(truth)), own.shape[1]
    free = evidence.any()

    def loss(weights: Floats) -> tuple[float, Floats]:
        level = weights[2:]
        scores = weights[0] * own + weights[1] * evidence + level
        chance = special.log_softmax(scores, axis=1)
        wrong = np.exp(chance)
        wrong[rows, truth] -= 1.0
        slopes = np.array([(wrong * own).sum(), (wrong * evidence).sum()])
        total = -chance[rows, truth].sum() + _PULL / 2 * (level * level).sum()
        return float(total), np.concatenate([slopes, wrong.sum(axis=0) + _PULL * level])

    start = np.concatenate([[min(1.0, most), 16.0 if free else 0.0], np.zeros(size)])
    ends: list[tuple[float | None, float | None]] = [(0.0, most)]
    ends += [(0.0, _MOST_OF_ARTICLES if free else 0.0)]
    ends += [(None, None) if free else (0.0, 0.0)] * size
    # Convex: where it ends does not depend on where it begins. One thread: so few numbers are no
    # work for several, which would wait for each other.
    with threadpool_limits(1, "blas"):
        found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=ends).x
    weights = np.round(found, _DIGITS) + 0.0
    return Mix(float(weights[0]), float(weights[1]), weights[2:])
