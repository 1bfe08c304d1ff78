"""Where a search begins: least heads, and plans where work may wait."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from twin.experiments.rostering.cover import Cover, Covered, Cut
from twin.experiments.rostering.week import Week

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Stretches of time, in hours, whose work is to be done soon after; looked at every so many hours.
_STRETCHES_H, _EVERY_H = (2, 8, 24, 168), 2
# Times the work, between which the right one is looked for; and halvings.
_LOW, _HIGH, _HALVES = 0.8, 1.6, 5


def flowing(cover: Cover, week: Week, load: Floats, wait: int, times: float) -> Covered | None:
    """The cheapest shifts that could do all work soon after it comes, were it a liquid.

    Parameters
    ----------
    cover : Cover
    week : Week
    load : array of float, shape (n,)
        Agents whom the tickets of each interval keep busy.
    wait : int
        Intervals that work may wait.
    times : float
        By how much its agents exceed the load.
    """
    an_hour = 3600 / week.length_s
    twice, cuts = np.concatenate([load, load]), []
    for hours in _STRETCHES_H:
        long = round(hours * an_hour)
        for begin in range(0, week.size, round(_EVERY_H * an_hour)):
            work = times * float(twice[begin : begin + long].sum())
            if work > 0:
                slope = np.zeros(week.size)
                slope[np.arange(begin, begin + min(week.size, long + wait)) % week.size] = 1.0
                cuts.append(Cut(slope, work))
            if long >= week.size:
                break
    return cover.solve(np.zeros(week.size), cuts, roughly=True)


def start(
    make: Callable[[float], Covered | None], meets: Callable[[Covered], bool]
) -> list[Covered]:
    """Plans for so many times the work, by halves between what misses and what meets the target.

    Parameters
    ----------
    make : callable
        See `flowing`.
    meets : callable
        Plays a plan.
    """
    low, high, found = _LOW, _HIGH, []
    for _ in range(_HALVES):
        times = (low + high) / 2
        plan = make(times)
        if plan is None:
            break
        found.append(plan)
        if meets(plan):
            high = times
        else:
            low = times
    return found


def floor_of(
    week: Week,
    load: Floats,
    asked: Mask,
    target: float,
    shrinkage: float,
    slow: bool,
) -> Ints:
    """Least heads of each interval: for the share of its work that must be answered.

    Parameters
    ----------
    load : array of float, shape (n,)
        Agents whom the tickets of each interval keep busy.
    asked : array of bool, shape (n,)
        Whether tickets are judged in it; else nobody is needed.
    slow : bool
        Whether work may wait for a later interval: then there is no floor.
    """
    if slow:
        return np.zeros(week.size, dtype=np.int64)
    needed = np.ceil(target * load / (1 - shrinkage) - 1e-9).astype(np.int64)
    return np.where(asked, np.maximum(needed, 1), 0)
