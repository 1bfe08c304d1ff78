"""Delays between statuses: on which clock, and by what they are told apart, chosen by back-test."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import nan

import numpy as np
import numpy.typing as npt

from twin.history.fit.delay_scores import Part
from twin.history.fit.delay_ways import (
    AGES,
    AROUND,
    CLOCK_SPLITS,
    FEWEST_IN_PART,
    NOTHING,
    SPLITS,
    WORKING,
    Score,
    Way,
    bounds_of,
    kinds_of,
    listed_of,
    pairs_of,
)
from twin.history.fit.held_back import (
    ALL,
    CutShort,
    better,
    effective,
    folds,
    half_lives,
    lasting,
    usual_life,
)
from twin.history.fit.hour_clocks import HourClock, weights_of
from twin.history.fit.spells import Spells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# With fewer delays a step takes what most steps take.
FEWEST = 60
# From so many events on, those of a status have hours of their own.
_FEWEST_OWN = 300


@dataclass(frozen=True)
class Step:
    """Delays of the change from one status to another.

    Attributes
    ----------
    status, next : int
    way : Way
    values_s : array of float, shape (k,)
        Delays on the clock, in order, each equally likely.
    parts : dict of int to array
        The same by the status before (`BEFORE`) or the band of age; what is missing has values_s.
    bounds_s : array of float
        Bounds of the bands of age, in seconds around the clock; empty where ages do not count.
    mean_s, error_s : float
        Mean on the clock, and its standard error.
    n : int
        Delays seen.
    scores : dict of Way to Score
        Empty where there are too few to choose by.
    """

    status: int
    next: int
    way: Way
    values_s: Floats
    parts: dict[int, Floats]
    bounds_s: Floats
    mean_s: float
    error_s: float
    n: int
    scores: dict[Way, Score]


@dataclass(frozen=True)
class DelaysFit:
    """Delays of all steps.

    Attributes
    ----------
    steps : tuple of Step
    clocks : dict of str to array
        Speeds of the learnt clocks that are used, shape (168,).
    human : array of bool
        By status: whether its beginnings tell the hours of work.
    """

    steps: tuple[Step, ...]
    clocks: dict[str, Floats]
    human: Mask


def fit_delays(spells: Spells, final: Mask) -> DelaysFit:
    """Fit the delays of all steps."""
    pairs, count = np.unique(pairs_of(spells)[spells.over], return_counts=True)
    size = spells.none + 1
    lives = half_lives(spells)
    # First guess of what people do: all but the last status, which often comes by itself.
    human = ~final
    chosen: dict[int, tuple[Way, dict[Way, Score]]] = {}
    for _ in range(2):
        chosen = _chosen(spells, pairs[count >= FEWEST], lives, human)
        work = {pair % size for pair, (way, _) in chosen.items() if way.clock != AROUND}
        again = np.isin(np.arange(spells.none), [*work]) | (~final & ~_is_next(spells))
        if (again == human).all() or not work:
            break
        human = again
    usual = _usual(chosen, dict(zip(pairs.tolist(), count.tolist(), strict=True)))
    made = clocks_of(spells, human)
    steps = []
    for pair in pairs.tolist():
        way, scores = chosen.get(pair, (usual, {}))
        steps.append(_step(spells, pair, way, scores, made[way.clock][1]))
    used = {step.way.clock for step in steps} - {AROUND}
    clocks = {name: speeds for name, (speeds, _) in made.items() if name in used}
    return DelaysFit(tuple(steps), clocks, human)


def _is_next(spells: Spells) -> Mask:
    found = np.zeros(spells.none, dtype=np.bool_)
    found[np.unique(spells.next[spells.over])] = True
    return found


def _usual(chosen: dict[int, tuple[Way, dict[Way, Score]]], count: dict[int, int]) -> Way:
    """The clock that most delays go by; nothing else told apart."""
    votes: dict[str, int] = {AROUND: 0}
    for pair, (way, _) in chosen.items():
        name = way.clock if way.clock == AROUND else WORKING
        votes[name] = votes.get(name, 0) + count[pair]
    return Way(max(votes, key=votes.__getitem__), NOTHING, ALL)


def clocks_of(spells: Spells, human: Mask) -> dict[str, tuple[Floats, HourClock]]:
    """Speeds and clocks by name, learnt from the moments of the log.

    Parameters
    ----------
    spells : Spells
    human : array of bool
        As of `DelaysFit`.
    """
    plain = HourClock(spells.midnight, spells.until_s)
    lasted = np.maximum(plain.exposure(spells.until_s), 1e-9)
    hour = plain.hour(spells.start_s)
    found = {AROUND: (np.ones(168), plain)}
    for name, here in learnt_from(spells, human).items():
        speeds = weights_of(hour[here], 1.0 / lasted[hour[here]])
        found[name] = (speeds, HourClock(spells.midnight, spells.until_s, speeds))
    return found


def learnt_from(spells: Spells, human: Mask) -> dict[str, Mask]:
    """Spells whose beginnings tell the hours of a learnt clock, by its name, shape (n,) each."""
    kinds = {WORKING: human[spells.status]}
    n = np.bincount(spells.status, minlength=spells.none)
    for status in np.flatnonzero(n >= _FEWEST_OWN).tolist():
        kinds[f"hours of {spells.names[status]}"] = spells.status == status
    return {name: here for name, here in kinds.items() if here.sum() >= FEWEST}


def _chosen(
    spells: Spells, pairs: Ints, lives: tuple[float, ...], human: Mask
) -> dict[int, tuple[Way, dict[Way, Score]]]:
    """The way that predicts best for each step, with all scores."""
    parts = [Part(fold, clocks_of(fold.known, human), spells) for fold in folds(spells)]
    logs: dict[int, dict[tuple[str, str], Floats]] = {}
    errors: dict[int, dict[tuple[str, float], Floats]] = {}
    for pair in pairs.tolist():
        tests = [test for part in parts if (test := part.of(pair)) is not None]
        if not tests:
            continue
        own = f"hours of {spells.names[pair % (spells.none + 1)]}"
        names = [name for name in (AROUND, WORKING, own) if all(name in t.clocks for t in tests)]
        logs[pair] = {(name, split): np.concatenate([test.log(name, split) for test in tests])
                      for name, split in product(names, CLOCK_SPLITS)}  # fmt: skip
        clock = _best_clock(logs[pair])
        own_spells = spells.some(spells.status == pair // (spells.none + 1))
        borne = {life: lasting(own_spells, life, lives) for life in lives}
        tried = {
            (split, life): np.concatenate([test.error_h(clock, split, life) for test in tests])
            for split, life in product(SPLITS, {*borne.values()})
        }
        errors[pair] = {(split, life): tried[split, borne[life]]
                        for split, life in product(SPLITS, lives)}  # fmt: skip
    plain = {pair: min(SPLITS, key=lambda split: float(table[split, ALL].mean()))
             for pair, table in errors.items()}  # fmt: skip
    together = {life: np.concatenate([table[plain[pair], life] for pair, table in errors.items()])
                for life in (lives if errors else ())}  # fmt: skip
    usual = usual_life(together, _least(together.get(ALL)))
    found = {}
    for pair, table in errors.items():
        scores = {Way(name, split, ALL): Score(float(value.mean()), nan)
                  for (name, split), value in logs[pair].items()}  # fmt: skip
        clock = _best_clock(logs[pair])
        for (split, life), value in table.items():
            way = Way(clock, split, life)
            scores[way] = Score(scores[way].log if way in scores else nan, float(value.mean()))
        split, life = _simplest(table, usual)
        own_spells = spells.some(spells.status == pair // (spells.none + 1))
        bands = int(split.split()[0]) // AGES[0] if "ages" in split else 1
        life = lasting(own_spells, life, lives, bands)
        found[pair] = (Way(clock, split, life), scores)
    return found


def _best_clock(logs: dict[tuple[str, str], Floats]) -> str:
    clock, _ = max(logs, key=lambda key: float(logs[key].mean()))
    return clock


def _least(errors: Floats | None) -> float:
    """Smallest mean gain that matters: a hundredth of the error."""
    return 0.0 if errors is None else 0.01 * float(errors.mean())


def _simplest(errors: dict[tuple[str, float], Floats], usual: float) -> tuple[str, float]:
    """The split and half-life of least error, without what they gain by chance only."""
    best = min(errors, key=lambda key: float(errors[key].mean()))
    for simpler in ((best[0], usual), (NOTHING, best[1]), (NOTHING, usual)):
        gains = errors[simpler] - errors[best]
        if simpler != best and not better(gains, _least(errors[simpler])):
            best = simpler
    return best


def _step(spells: Spells, pair: int, way: Way, scores: dict[Way, Score], pace: HourClock) -> Step:
    size = spells.none + 1
    spells = spells.some(spells.status == pair // size)
    here = (spells.next == pair % size) & spells.over
    lasted_s = pace.passed(spells.end_s) - pace.passed(spells.start_s)
    own, delay_s = spells.some(here), lasted_s[here]
    weight = CutShort(spells, lasted_s).weights(way.half_life)[here]
    parts, bounds_s = {}, bounds_of(own, way.split)
    if way.split != NOTHING:
        kind = kinds_of(own, bounds_s, way.split)
        for one in np.unique(kind).tolist():
            mine = kind == one
            if mine.sum() >= FEWEST_IN_PART:
                parts[one] = listed_of(delay_s[mine], weight[mine])
    mean = float((delay_s * weight).sum() / weight.sum())
    n = effective(weight)
    spread = float((weight * (delay_s - mean) ** 2).sum() / weight.sum())
    error = np.sqrt(spread / max(n - 1, 1.0)) if n > 1 else float("nan")
    listed = listed_of(delay_s, weight)
    return Step(
        pair // size, pair % size, way, listed, parts, bounds_s, mean, float(error),
        int(here.sum()), scores,
    )  # fmt: skip
