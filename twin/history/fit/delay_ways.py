"""Delays told in one of several ways: clock, what tells them apart, weight of older ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from twin.history.fit.held_back import effective
from twin.history.fit.spells import Spells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

AROUND, WORKING = "around the clock", "learnt hours"
# What a delay is told apart by: nothing, the status before, or the ticket's age in so many bands.
NOTHING, BEFORE, AGES = "nothing", "status before", (4, 16)
SPLITS = (NOTHING, BEFORE, *(f"{bands} ages" for bands in AGES))
# Clocks are compared by these: what hangs on the age may look as if it went by another clock.
CLOCK_SPLITS = (NOTHING, f"{AGES[0]} ages")
# A part of a step with fewer delays takes those of the whole step.
FEWEST_IN_PART = 25


class Way(NamedTuple):
    """Clock of a step's delay, what it is told apart by, and the half-life of older ones."""

    clock: str
    split: str
    half_life: float


class Score(NamedTuple):
    """Score of a way, on parts predicted from those before; missing where not tried.

    Attributes
    ----------
    log : float
        Mean logarithm of the density at the moments that came, in nats an hour: clocks are chosen
        by it, as it sees at which hours things happen.
    error_h : float
        Mean continuous ranked probability score of the delays, in hours: splits and half-lives are
        chosen by it, as it sees how far off the delays are.
    """

    log: float
    error_h: float


def pairs_of(spells: Spells) -> Ints:
    """Number of the step that ends each spell, shape (n,)."""
    found: Ints = spells.status * (spells.none + 1) + spells.next
    return found


def bounds_of(spells: Spells, split: str) -> Floats:
    """Bounds of ages, in whole minutes, such that about as many spells begin in each band."""
    if split in (NOTHING, BEFORE) or not len(spells):
        return np.zeros(0)
    # As many as the spells fill.
    bands = min(int(split.split()[0]), max(1, len(spells) // FEWEST_IN_PART))
    bounds = np.quantile(spells.age_s, np.arange(1, bands) / bands)
    found: Floats = np.unique(np.round(bounds / 60.0) * 60.0)
    return found[found > 0]


def kinds_of(spells: Spells, bounds_s: Floats, split: str) -> Ints:
    """Part of the step that each spell belongs to: status before, or band of age, shape (n,)."""
    if split == BEFORE:
        return spells.before
    if not len(bounds_s):
        return np.zeros(len(spells), dtype=np.int64)
    return np.searchsorted(bounds_s, spells.age_s, side="right")


def quantiles(values: Floats, weight: Floats, at: Floats) -> Floats:
    """Quantiles of weighted values, shape of `at`."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    place = np.searchsorted(reached, at * reached[-1], side="left")
    found: Floats = values[order][np.minimum(place, len(values) - 1)]
    return found


def listed_of(values: Floats, weight: Floats, most: int = 400) -> Floats:
    """Values that are equally likely, as many as the weights are worth, with the same mean."""
    count = int(np.clip(np.ceil(effective(weight)), 1, most))
    if count == len(values) and np.ptp(weight) == 0:
        return np.sort(values)
    order = np.argsort(values, kind="stable")
    reached = np.r_[0.0, np.cumsum(weight[order])]
    added = np.r_[0.0, np.cumsum((weight * values)[order])]
    # The mean of each part of equal weight, so that long delays count in full.
    parts = np.interp(np.arange(count + 1) / count * reached[-1], reached, added)
    listed: Floats = np.maximum(np.diff(parts) * count / reached[-1], 0.0)
    return listed
