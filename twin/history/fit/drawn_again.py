"""Numbers of a workflow found again with tickets that count more or less than once.

So it is told how far they hang on which tickets came: for intervals blocks of days are left out in
turn, for versions days are drawn again. Choices made by back-test (order, clock, what delays are
told apart by, half-lives) are not made again; hours learnt from the log are, as delays go by them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.history.fit.chances import Chances, old_enough
from twin.history.fit.delay_ways import AROUND, NOTHING, kinds_of
from twin.history.fit.delays import DelaysFit, Step, learnt_from
from twin.history.fit.held_back import CutShort
from twin.history.fit.hour_clocks import HourClock, weights_of
from twin.history.fit.spells import Spells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Numbers:
    """Numbers of a workflow.

    Attributes
    ----------
    start : array of float, shape (s,)
        Chances of the first status.
    chances : dict of (int, int or None) to array
        By status and the one before (None: any), chances of what follows, shape (s + 1,).
    means_s : dict of (int, int, int or None) to float
        Mean delay on its clock, by status, next one, and part of the step (None: all).
    speeds : dict of str to array
        Of the learnt clocks, shape (168,).
    """

    start: Floats
    chances: dict[tuple[int, int | None], Floats]
    means_s: dict[tuple[int, int, int | None], float]
    speeds: dict[str, Floats]


class DrawnAgain:
    """A workflow's numbers by how often each ticket counts.

    Parameters
    ----------
    spells : Spells
    chances : dict of int to Chances
    delays : DelaysFit
    """

    def __init__(self, spells: Spells, chances: dict[int, Chances], delays: DelaysFit) -> None:
        self._spells, self._first = spells, np.flatnonzero(spells.first)
        self._plain = HourClock(spells.midnight, spells.until_s)
        self._hour = self._plain.hour(spells.start_s)
        self._lasted = np.maximum(self._plain.exposure(spells.until_s), 1e-9)
        kinds = learnt_from(spells, delays.human)
        self._learnt = {name: np.flatnonzero(kinds[name]) for name in delays.clocks}
        # Who is cut short is told by the clocks as they were found.
        self._cut = {AROUND: CutShort(spells)}
        for name, speeds in delays.clocks.items():
            pace = HourClock(spells.midnight, spells.until_s, speeds)
            lasted_s = pace.passed(spells.end_s) - pace.passed(spells.start_s)
            self._cut[name] = CutShort(spells, lasted_s)
        self._rows = [_Rows(spells, status, one) for status, one in chances.items()]
        self._steps = [_Delays(spells, step) for step in delays.steps]

    def numbers(self, worth: Floats) -> Numbers:
        """Numbers with so much for each spell; shape (n,), by its ticket.

        A number of which nothing is left is missing.
        """
        spells = self._spells
        weights: dict[tuple[str, float], Floats] = {}

        def weigh(clock: str, life: float) -> Floats:
            if (clock, life) not in weights:
                weights[clock, life] = self._cut[clock].weights(life, worth)
            return weights[clock, life]

        speeds = {
            name: weights_of(self._hour[here], worth[here] / self._lasted[self._hour[here]])
            for name, here in self._learnt.items()
            if worth[here].any()
        }
        delay_s = {AROUND: spells.end_s - spells.start_s}
        for name, own in speeds.items():
            pace = HourClock(spells.midnight, spells.until_s, own)
            delay_s[name] = pace.passed(spells.end_s) - pace.passed(spells.start_s)
        start = np.bincount(spells.status[self._first], worth[self._first], spells.none)
        chances: dict[tuple[int, int | None], Floats] = {}
        for rows in self._rows:
            weight = weigh(AROUND, rows.life)
            chances |= rows.chances(weight, worth)
        means: dict[tuple[int, int, int | None], float] = {}
        for step in self._steps:
            if step.clock in delay_s:
                means |= step.means_s(weigh(step.clock, step.life), delay_s[step.clock])
        return Numbers(start / max(float(start.sum()), 1e-300), chances, means, speeds)


class _Rows:
    """Chances of what follows a status."""

    def __init__(self, spells: Spells, status: int, found: Chances) -> None:
        here = np.flatnonzero(spells.status == status)
        own = spells.some(spells.status == status)
        old, stayed = old_enough(own)
        self.life, self._status, self._none = found.half_life, status, spells.none
        self._old, self._stayed = here[old], here[stayed]
        parts: dict[int | None, Ints] = {None: here}
        parts |= {before: here[own.before == before] for before in found.after}
        self._parts = {before: (rows, spells.next[rows]) for before, rows in parts.items()}

    def chances(self, weight: Floats, worth: Floats) -> dict[tuple[int, int | None], Floats]:
        rest = worth[self._stayed].sum() / max(float(worth[self._old].sum()), 1e-300)
        found = {}
        for before, (rows, follows) in self._parts.items():
            share = np.bincount(follows, weight[rows], self._none + 1).astype(np.float64)
            share[self._none] = 0.0
            whole = share.sum()
            share = share * (1 - rest) / whole if whole > 0 else np.full(len(share), np.nan)
            share[self._none] = rest
            found[self._status, before] = share
        return found


class _Delays:
    """Mean delays of a step, whole and by its parts."""

    def __init__(self, spells: Spells, step: Step) -> None:
        mask = (spells.status == step.status) & (spells.next == step.next)
        here = np.flatnonzero(mask)
        self.life, self.clock = step.way.half_life, step.way.clock
        self._step = (step.status, step.next)
        self._parts: dict[int | None, Ints] = {None: here}
        if step.way.split != NOTHING:
            kind = kinds_of(spells.some(mask), step.bounds_s, step.way.split)
            self._parts |= {part: here[kind == part] for part in step.parts}

    def means_s(self, weight: Floats, delay_s: Floats) -> dict[tuple[int, int, int | None], float]:
        found = {}
        for part, rows in self._parts.items():
            whole = float(weight[rows].sum())
            mean = float(weight[rows] @ delay_s[rows]) / whole if whole > 0 else np.nan
            found[(*self._step, part)] = mean
        return found
