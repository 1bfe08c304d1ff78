"""Chances of the next status, by the last one or the last two."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from twin.history.fit.held_back import better, folds, half_lives, lasting, usual_life, weights
from twin.history.fit.spells import Spells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# From so many spells on, a status before is told apart: tried in turn, from never on.
_FLOORS = (inf, 200.0, 60.0, 20.0)
# Share of spells old enough to be over that may still be open by chance of a long delay.
_OLD = 0.99
# Gain of the logarithm of chances, in nats, from which it matters.
_LEAST = 0.002


@dataclass(frozen=True)
class Chances:
    """Chances of what follows a status.

    Attributes
    ----------
    usual : array of float, shape (s + 1,)
        By number of the next status; the last is that the ticket rests.
    after : dict of int to array
        The same by the status before (the last number: none), where that predicts better.
    floor : float
        Spells from which on a status before is told apart; infinite: order 1.
    half_life : float
        In days; infinite: all alike.
    scores : dict of (float, float) to float
        Mean logarithm of the chance of what came, by floor and half-life, on parts predicted from
        those before; empty where there are too few.
    n : array of float, shape (s + 1,)
        Spells behind each chance.
    """

    usual: Floats
    after: dict[int, Floats]
    floor: float
    half_life: float
    scores: dict[tuple[float, float], float]
    n: Floats


def fit_chances(spells: Spells, final: Mask) -> dict[int, Chances]:
    """Fit the chances that follow each status that is not final."""
    lives = half_lives(spells)
    tries = [(floor, life) for life in lives for floor in _FLOORS]
    gained: dict[int, list[Floats]] = {}
    for fold in folds(spells):
        weight = {life: weights(fold.known, life) for life in lives}
        for status in np.unique(fold.part.status).tolist():
            if final[status]:
                continue
            known = fold.known.status == status
            part = fold.part.some(fold.part.status == status)
            old = fold.known.some(known)
            rows = np.stack([
                _predict(old, weight[life][known], floor, part) for floor, life in tries
            ])  # fmt: skip
            gained.setdefault(status, []).append(rows)
    tables = {status: np.concatenate(parts, axis=1) for status, parts in gained.items()}
    plain = {life: tries.index((inf, life)) for life in lives}
    usual = usual_life(
        {
            life: -np.concatenate([table[k] for table in tables.values()])
            for life, k in (plain.items() if tables else ())
        },
        _LEAST,
    )
    usual_try = plain[usual]
    found = {}
    for status in np.flatnonzero(~final).tolist():
        here = spells.status == status
        own = spells.some(here)
        if not own.over.any():
            continue
        (floor, life), scores = tries[usual_try], {}
        if status in tables:
            table = tables[status]
            best = int(table.mean(axis=1).argmax())
            if better(table[best] - table[usual_try], _LEAST):
                floor, life = tries[best]
            scores = dict(zip(tries, table.mean(axis=1).tolist(), strict=True))
        life = lasting(own, life, lives)
        weight = weights(spells, life)[here]
        rest = _rest(own)
        chances = _shares(own, weight, rest)
        after = {
            before: _shares(own.some(own.before == before), weight[own.before == before], rest)
            for before in _told_apart(own, floor)
        }
        n = np.bincount(own.next, minlength=own.none + 1).astype(np.float64)
        found[status] = Chances(chances, after, floor, life, scores, n)
    return found


def _told_apart(own: Spells, floor: float) -> list[int]:
    n = np.bincount(own.before[own.over], minlength=own.none + 1)
    told: list[int] = np.flatnonzero(n >= floor).tolist()
    return told


def _shares(own: Spells, weight: Floats, rest: float) -> Floats:
    share = np.bincount(own.next, weight, own.none + 1).astype(np.float64)
    share[own.none] = 0.0
    share *= (1 - rest) / max(share.sum(), 1e-300)
    share[own.none] = rest
    return share


def _rest(own: Spells) -> float:
    """Chance that a ticket stays for good: share still there of those old enough to be gone."""
    old, stayed = old_enough(own)
    return float(stayed.sum() / max(old.sum(), 1))


def old_enough(own: Spells) -> tuple[Mask, Mask]:
    """Spells of a status that are old enough to be over, and those of them that are not."""
    lasted = own.end_s - own.start_s
    long_s = float(np.quantile(lasted[own.over], _OLD))
    old: Mask = own.start_s < own.until_s - long_s
    return old, old & ~own.over & (lasted > long_s)


def _predict(old: Spells, weight: Floats, floor: float, part: Spells) -> Floats:
    """Logarithm of the chance of what came, shape (n,)."""
    size = old.none
    usual = np.bincount(old.next, weight, size + 1)[:size]
    # A change never seen before may come: one spell's worth of chance for all that are known.
    usual = (usual + 1 / size) / (usual.sum() + 1)
    table = np.tile(usual, (size + 1, 1))
    for before in _told_apart(old, floor):
        here = old.before == before
        own = np.bincount(old.next[here], weight[here], size + 1)[:size]
        table[before] = (own + usual) / (own.sum() + 1)
    return np.asarray(np.log(table[part.before, part.next]))
