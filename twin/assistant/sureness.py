"""Confidence as the chance of being right, learnt from answers to texts that were left out.

Weights that make the chances of all categories most likely leave the largest of them a little off:
on the shipped train texts answers between .3 and .8 were right more often than they said. So the
confidence is a logistic function of the largest chance's log-odds (Platt, 1999: "Probabilistic
outputs for support vector machines"). It grows with the chance, so the category stays as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special
from threadpoolctl import threadpool_limits

from twin.assistant.features import Floats

_LEAST = 1e-6  # Distance of a chance from 0 and 1.
_PULL = 1.0  # Towards the chance as it is: a few texts do not overrule it.
_SLOPES = (0.05, 20.0)
_FOLDS = 5
_DIGITS = 4  # Of what is kept: below, the last bits of a sum would show.


class Sureness(NamedTuple):
    """Level and slope of the confidence in log-odds."""

    level: float = 0.0
    slope: float = 1.0

    def of(self, chance: Floats) -> Floats:
        """Confidences, from the largest chance of each text."""
        if self == Sureness():
            return chance
        return np.asarray(special.expit(self.level + self.slope * _odds(chance)), dtype=np.float64)


def sureness_of(chance: Floats, right: npt.NDArray[np.bool_]) -> tuple[Sureness, Floats]:
    """Sureness by answers to texts that were left out, and the confidences of these.

    Parameters
    ----------
    chance : array of float, shape (n,)
        Largest chance, by a fit that did not see the text.
    right : array of bool, shape (n,)

    Returns
    -------
    sureness : Sureness
    confidence : array of float, shape (n,)
        Of each text by a sureness that was learnt without it.
    """
    confidence = chance.copy()
    # In order of the chance, so that each part has some of all sizes.
    fold = np.empty(len(chance), dtype=np.int64)
    fold[np.argsort(chance, kind="stable")] = np.arange(len(chance)) % _FOLDS
    for k in range(_FOLDS):
        out = fold == k
        if out.any():
            confidence[out] = _fitted(chance[~out], right[~out]).of(chance[out])
    return _fitted(chance, right), confidence


def _fitted(chance: Floats, right: npt.NDArray[np.bool_]) -> Sureness:
    # It takes as long to import as all else that a run of what was learnt before needs.
    from scipy import optimize

    odds = _odds(chance)
    # As in the paper: a text that is not there yet may be of the other kind.
    hits = int(right.sum())
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (len(right) - hits + 2))

    def loss(weights: Floats) -> tuple[float, Floats]:
        level, slope = weights
        scores = level + slope * odds
        wrong = special.expit(scores) - target
        total = (np.logaddexp(0.0, scores) - target * scores).sum()
        total += _PULL / 2 * (level**2 + (slope - 1) ** 2)
        slopes = [wrong.sum() + _PULL * level, (wrong * odds).sum() + _PULL * (slope - 1)]
        return float(total), np.array(slopes)

    with threadpool_limits(1, "blas"):
        ends = [(None, None), _SLOPES]
        found = optimize.minimize(loss, [0.0, 1.0], jac=True, method="L-BFGS-B", bounds=ends).x
    level, slope = np.round(found, _DIGITS) + 0.0
    return Sureness(float(level), float(slope))


def _odds(chance: Floats) -> Floats:
    clipped = np.clip(chance, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), dtype=np.float64)
