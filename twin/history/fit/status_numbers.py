"""Numbers of a workflow as its section holds them: where each lies, and how sure it is.

Intervals come from blocks of neighbouring days that are left out in turn, each with all that their
tickets did: so what the tickets of a day share, the hours that were learnt, and the weights for
what was cut short are in them. A share has the interval of Korn and Graubard (1998, Survey
Methodology 24): that of Wilson for as many tickets as would be as uncertain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.history.fit.chances import Chances
from twin.history.fit.delay_ways import BEFORE, NOTHING
from twin.history.fit.delays import DelaysFit, Step, learnt_from
from twin.history.fit.drawn_again import DrawnAgain, Numbers
from twin.history.fit.estimate import Estimate
from twin.history.fit.held_back import ALL, CutShort, effective
from twin.history.fit.spells import Spells
from twin.scenario import clock
from twin.stats.intervals import quantile_t
from twin.stats.shares import wilson_of_groups

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Key = tuple[str, ...]

START, CHANCE, DELAY, CLOCK = "start", "chance", "delay", "clock"
# Blocks of days that are left out in turn, at most.
_BLOCKS = 20
# What a log resolves moments to, in seconds: the coarsest that holds for all.
_RESOLUTIONS_S = (86_400.0, 3_600.0, 60.0, 1.0)
_FINEST_S = 0.001


class Told(NamedTuple):
    """A number of a section, and what it is of the workflow.

    Attributes
    ----------
    key : tuple of str
        Within the section; a number among parts is the place in a list.
    kind : {"start", "chance", "delay", "clock"}
    status, next : int
        Of the step; -1 where there is none.
    part : int or None
        The status before, or the band of age; None: any.
    name : str
        Of the clock.
    """

    key: Key
    kind: str
    status: int = -1
    next: int = -1
    part: int | None = None
    name: str = ""


def told(section: Mapping[str, Any], names: Sequence[str], steps: Sequence[Step]) -> Iterator[Told]:
    """The numbers of a section that a log tells: chances, delays and hours learnt.

    Parameters
    ----------
    section : mapping
        As `WorkflowFit.as_data` gives it.
    names : sequence of str
        Of statuses.
    steps : sequence of Step
    """
    number = {name: k for k, name in enumerate(names)} | {"start": len(names)}
    known = {(step.status, step.next): step for step in steps}
    for name in section["start"]:
        yield Told(("start", name), START, number[name])
    bounds_s = np.array([0.0, *(float(age.removesuffix("s")) for age in section.get("ages", ()))])
    for name, status in section["statuses"].items():
        one = number[name]
        tables: list[tuple[Key, int | None, Mapping[str, Any]]] = [
            (("next",), None, status.get("next", {}))
        ]
        tables += [(("after", before), number[before], table)
                   for before, table in status.get("after", {}).items()]  # fmt: skip
        for path, before, table in tables:
            for other, given in table.items():
                key, follows = ("statuses", name, *path, other), number[other]
                entry = given if isinstance(given, dict) else {}
                yield Told((*key, "chance"), CHANCE, one, follows, before)
                if "delay" in entry:
                    yield Told((*key, "delay"), DELAY, one, follows, before)
                for k in range(len(entry.get("delay_by_age", ()))):
                    step = known[one, follows]
                    band = int(np.searchsorted(step.bounds_s, bounds_s[k], side="right"))
                    part = band if band in step.parts else None
                    yield Told((*key, "delay_by_age", str(k)), DELAY, one, follows, part)
    for name in section.get("clocks", {}):
        yield Told(("clocks", name), CLOCK, name=name)


def value_of(one: Told, numbers: Numbers) -> Floats:
    """Value of a number, shape (), or (168,) of a clock; missing where nothing is left of it."""
    if one.kind == START:
        return np.asarray(numbers.start[one.status])
    if one.kind == CHANCE:
        row = numbers.chances.get((one.status, one.part), numbers.chances[one.status, None])
        return np.asarray(row[one.next])
    if one.kind == DELAY:
        return np.asarray(numbers.means_s.get((one.status, one.next, one.part), np.nan))
    return np.asarray(numbers.speeds.get(one.name, np.full(168, np.nan)))


@dataclass(frozen=True)
class _Sure:
    """Value of a number and its standard error (missing: all in one block), with its freedom."""

    value: Floats
    error: Floats
    freedom: int


class Estimates:
    """Estimates of the numbers of a section.

    Parameters
    ----------
    spells : Spells
    chances : dict of int to Chances
    delays : DelaysFit
    """

    def __init__(self, spells: Spells, chances: dict[int, Chances], delays: DelaysFit) -> None:
        self._spells, self._chances = spells, chances
        self._delays = {(step.status, step.next): step for step in delays.steps}
        self._kinds = learnt_from(spells, delays.human)
        self._again = DrawnAgain(spells, chances, delays)
        self._whole = self._again.numbers(np.ones(len(spells)))
        self._without: dict[float, list[Numbers]] = {}
        self._cut = CutShort(spells)
        self._resolution_s = resolution_s(spells)

    def of(self, section: Mapping[str, Any]) -> Iterator[Estimate]:
        """Estimates with their keys in a scenario, `workflow` first."""
        n_started = int(self._spells.first.sum())
        for one in told(section, self._spells.names, [*self._delays.values()]):
            key = ".".join(("workflow", *one.key))
            if one.kind == START:
                sure = self._sure(one, ALL)
                value, n = float(sure.value), round(float(sure.value) * n_started)
                low, high = _share(sure, n_started)
                yield Estimate(key, value, "share", low, high, n, "counted")
            elif one.kind == CHANCE:
                yield self._chance(one, key, section)
            elif one.kind == DELAY:
                yield self._delay(one, key)
            else:
                yield self._clock(one, key)
        if section.get("ages"):
            bounds = [float(age.removesuffix("s")) for age in section["ages"]]
            method = "the middle one; chosen so that about as many delays begin between any two"
            n = int(self._spells.over.sum())
            yield Estimate("workflow.ages", float(np.median(bounds)), "s", n=n, method=method)

    def _sure(self, one: Told, life: float) -> _Sure:
        if life not in self._without:
            block = blocks(self._spells, life)
            self._without[life] = [
                self._again.numbers((block != k).astype(np.float64)) for k in np.unique(block)
            ]
        value = value_of(one, self._whole)
        each = np.array([value_of(one, numbers) for numbers in self._without[life]])
        # Where all of it is in one block, there is no telling without that.
        each = np.where(np.isnan(each), value, each)
        groups = len(each)
        if groups < 2:
            return _Sure(value, np.full_like(value, np.nan), 1)
        square = ((each - each.mean(axis=0)) ** 2).sum(axis=0)
        return _Sure(value, np.sqrt((groups - 1) / groups * square), groups - 1)

    def _chance(self, one: Told, key: str, section: Mapping[str, Any]) -> Estimate:
        spells, found = self._spells, self._chances[one.status]
        own = spells.status == one.status
        told_apart = one.part is not None and one.part in found.after
        if told_apart:
            own &= spells.before == one.part
        n = effective(self._cut.weights(found.half_life)[own])
        order = "order 1" if not found.after else f"order 2 from {found.floor:g} spells on"
        life = _life(found.half_life)
        method = f"weighted for spells cut short; {order}, {life}"
        if one.part is not None and not told_apart:
            method += "; as after any status, the delay alone is told apart"
        low, high = _share(self._sure(one, found.half_life), n)
        seen = int((own & (spells.next == one.next)).sum())
        value = float(value_of(one, self._whole))
        if not isinstance(_at(section, one.key[:-1]), dict):
            key = key.removesuffix(".chance")
        return Estimate(key, value, "share", low, high, seen, method)

    def _delay(self, one: Told, key: str) -> Estimate:
        step = self._delays[one.status, one.next]
        part = one.part
        n = step.n if part is None else self._n_of(step, part)
        key = _as_row(key)
        sure = self._sure(one, step.way.half_life)
        mean_s = float(sure.value)
        if n < 2:
            method = f"seen {n} times: too few for an interval"
            return Estimate(key, mean_s, "s", n=n, method=method)
        error, freedom = float(sure.error), min(sure.freedom, n - 1)
        if np.isnan(error):
            error, freedom = step.error_s, n - 1
        half = float(quantile_t(freedom, 0.975)) * error
        # Equal delays are known as far as the log resolves them, not better.
        half = max(half, self._resolution_s)
        method = f"mean on the clock {step.way.clock}"
        if step.way.split != NOTHING:
            method += f", told apart by {step.way.split}"
        if step.way.half_life < ALL:
            method += f", {_life(step.way.half_life)}"
        return Estimate(key, mean_s, "s", max(mean_s - half, 0.0), mean_s + half, n, method)

    def _n_of(self, step: Step, part: int) -> int:
        spells = self._spells
        own = spells.some((spells.status == step.status) & (spells.next == step.next))
        if step.way.split == BEFORE:
            return int((own.before == part).sum())
        band = np.searchsorted(step.bounds_s, own.age_s, side="right")
        return int((band == part).sum())

    def _clock(self, one: Told, key: str) -> Estimate:
        sure = self._sure(one, ALL)
        there = sure.value > sure.value.mean()
        half = quantile_t(sure.freedom, 0.975) * sure.error[there] / sure.value[there]
        wide = float(np.median(half)) if there.any() else 0.0
        n = int(self._kinds[one.name].sum())
        method = "beginnings of spells by hour of week; mean; hours above it are within as much"
        return Estimate(key, 1.0, "", max(1 - wide, 0.0), 1 + wide, n, method)


def blocks(spells: Spells, life: float = ALL) -> Ints:
    """Block of days in which the ticket of each spell arrived, shape (n,).

    Neighbouring days are in one block; all blocks weigh about as much.

    Parameters
    ----------
    spells : Spells
    life : float
        Half-life of weights in days.
    """
    born_s = spells.born_s
    day = np.floor(clock.local_s(born_s, spells.midnight) / clock.DAY_S).astype(np.int64)
    day -= day.min(initial=0)
    worth = np.where(spells.first, 0.5 ** ((born_s.max(initial=0.0) - born_s) / clock.DAY_S / life),
                     0.0)  # fmt: skip
    by_day = np.bincount(day, worth)
    middle = (np.cumsum(by_day) - by_day / 2) / max(float(by_day.sum()), 1e-300)
    return np.minimum((middle * _BLOCKS).astype(np.int64), _BLOCKS - 1)[day]


def resolution_s(spells: Spells) -> float:
    """Seconds to which a log tells its moments, by the local clock."""
    at = clock.local_s(spells.start_s, spells.midnight)
    for size in _RESOLUTIONS_S:
        if (np.abs(at - np.round(at / size) * size) < 1e-6).all():
            return size
    return _FINEST_S


def _share(sure: _Sure, n: float) -> tuple[float, float]:
    """95 % interval of a share of n tickets with a standard error that blocks of days tell."""
    return wilson_of_groups(float(sure.value), n, float(sure.error), float(sure.freedom))


def _life(half_life: float) -> str:
    return "all alike" if half_life == ALL else f"half-life of {half_life:g} days"


def _at(section: Any, key: Key) -> Any:
    for part in key:
        section = section[int(part)] if isinstance(section, list) else section[part]
    return section


def _as_row(key: str) -> str:
    """Key of a comment: that of a row in a list of delays by age has its place in brackets."""
    head, found, place = key.rpartition(".delay_by_age.")
    return f"{head}.delay_by_age[{place}]" if found else key
