"""Inputs of a desk before its outputs, and the alarm that errors cancel.

A twin with handle times too long and capacity too high may have good waits, and no what-if of it
can be believed. So each input of the twin is compared with the desk's over the same days, and the
alarm rings where waits are within the floor and an input is off. An input is off where its joint
interval keeps off no difference, and the difference is 5 % or more (assumed: less moves no
decision). Ratios have jackknife intervals over days, a day left out on both sides at once; shapes
(mix, arrivals by hour) are judged like distances, by the floor of random halves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.history.fidelity.lines import halves, pairs, wider
from twin.history.fidelity.measures import Alike
from twin.history.fidelity.period import Period
from twin.stats.intervals import quantile_t

Floats = npt.NDArray[np.float64]

# Smaller differences of an input move no decision (assumed).
MATTERS = 0.05
# Of all inputs together.
LEVEL = 0.95


@dataclass(frozen=True)
class Ratio:
    """An input that is a ratio of sums over days, and the facts that it rests on."""

    name: str
    label: str
    unit: str
    of: Callable[[Period, list[int]], tuple[Floats, Floats]]
    needs: frozenset[str] = frozenset()


def _by_day(frame: pd.DataFrame, values: Any, days: list[int]) -> Floats:
    place = np.searchsorted(days, frame["day"].to_numpy())
    found: Floats = np.bincount(place, values, minlength=len(days)).astype(np.float64)
    return found


def _load(one: Period, days: list[int]) -> tuple[Floats, Floats]:
    """Tickets a day that joined."""
    count = _by_day(one.tickets, np.ones(len(one.tickets)), days) / one.copies
    return count, np.ones(len(days))


def _handle(one: Period, days: list[int]) -> tuple[Floats, Floats]:
    """Mean length of a finished spell of work."""
    work = one.touches["handle_s"].to_numpy()
    return _by_day(one.touches, work, days), _by_day(one.touches, np.ones(len(work)), days)


def _busy(one: Period, days: list[int]) -> tuple[Floats, Floats]:
    """Agents at work, on average over the time of the days."""
    order = one.days.sort_values("day")
    return order["busy_s"].to_numpy() / one.copies, order["length_s"].to_numpy()


def _patience(one: Period, days: list[int]) -> tuple[Floats, Floats]:
    """Time waited in all over tickets abandoned: the mean of exponential patience."""
    waited = np.nan_to_num(one.tickets["wait_s"].to_numpy())
    gone = one.tickets["abandoned"].to_numpy().astype(np.float64)
    return _by_day(one.tickets, waited, days), _by_day(one.tickets, gone, days)


RATIOS = (
    Ratio("load", "arrivals a day", "tickets", _load),
    Ratio("handle", "handle time", "s", _handle, frozenset({"work"})),
    Ratio("busy", "agents at work", "agents", _busy, frozenset({"work"})),
    Ratio("patience", "patience", "s", _patience, frozenset({"work", "abandonments"})),
)


def _kinds(one: Period, _: Alike) -> pd.DataFrame:
    return pd.crosstab(one.tickets["day"], one.tickets["kind"])


def _hours(one: Period, alike: Alike) -> pd.DataFrame:
    here = one.tickets[alike.of(one.tickets)]
    return pd.crosstab(here["day"], here["hour"])


# Shapes: arrivals by day and by what they are told apart by.
SHAPES: dict[str, tuple[str, Callable[[Period, Alike], pd.DataFrame]]] = {
    "hours": ("arrivals by hour", _hours),
    "mix": ("mix of kinds", _kinds),
}


def variation(one: Floats, two: Floats) -> float:
    """Part of tickets that is elsewhere: half the sum of differences between shares.

    Parameters
    ----------
    one, two : array of float, shape (n,)
        Numbers of tickets by kind, or by hour.

    Examples
    --------
    >>> variation(np.array([3.0, 1.0]), np.array([1.0, 1.0]))
    0.25
    """
    if not one.sum() or not two.sum():
        return math.nan
    return float(np.abs(one / one.sum() - two / two.sum()).sum()) / 2


def inputs(
    test: Period,
    twin: Period,
    alike: Alike,
    train: Period | None = None,
    days: Period | None = None,
) -> pd.DataFrame:
    """Inputs of training, test and twin.

    Parameters
    ----------
    test : Period
        The desk's records.
    twin : Period
        Runs of the same days, pooled.
    alike : Alike
    train : Period, optional
        The training weeks as they stand for the days of the test (replay): weekdays are the same.
    days : Period, optional
        All days of the desk that the limits of shapes may rest on; by default those of the test.

    Returns
    -------
    DataFrame
        A row an input: input, label, unit, training, test, twin; change (test over training, less
        1; of shapes their distance), change_low, change_high (of shapes 0 and the limit), drift
        (whether it is off); gap, gap_low, gap_high, off: the same of the twin over the test.
    """
    level = 1 - (1 - LEVEL) / (len(RATIOS) + len(SHAPES))
    rows: list[dict[str, Any]] = []
    for ratio in RATIOS:
        row: dict[str, Any] = {"input": ratio.name, "label": ratio.label, "unit": ratio.unit}
        for name, one in (("training", train), ("test", test), ("twin", twin)):
            row[name] = math.nan if one is None else _value(ratio, one)
        row |= _named("change", "drift", _compared(ratio, test, train, level))
        row |= _named("gap", "off", _compared(ratio, twin, test, level))
        rows.append(row)
    rows += _shapes(test, twin, alike, train, test if days is None else days, level)
    return pd.DataFrame(rows)


Found = tuple[float, float, float, bool]
_NOTHING: Found = (math.nan, math.nan, math.nan, False)


def _named(what: str, flag: str, found: Found) -> dict[str, Any]:
    return dict(zip((what, f"{what}_low", f"{what}_high", flag), found, strict=True))


def _value(ratio: Ratio, one: Period) -> float:
    if ratio.needs & one.unknown:
        return math.nan
    over, under = ratio.of(one, one.dates)
    return float(over.sum() / under.sum()) if under.sum() else math.nan


def _compared(ratio: Ratio, one: Period | None, two: Period | None, level: float) -> Found:
    """One over two, less 1, with its interval over the days that both have."""
    if one is None or two is None or ratio.needs & (one.unknown | two.unknown):
        return _NOTHING
    days = sorted(set(one.dates) & set(two.dates))
    if len(days) < 3:
        return _NOTHING
    sums = [ratio.of(p.on(days), days) for p in (one, two)]
    totals = np.array([part.sum() for pair in sums for part in pair])
    left = np.array([part.sum() - part for pair in sums for part in pair])
    if not (totals > 0).all() or not (left > 0).all():
        return _NOTHING
    logs = np.log(left[0]) - np.log(left[1]) - np.log(left[2]) + np.log(left[3])
    value = float(np.log(totals) @ np.array([1, -1, -1, 1]))
    n = len(days)
    error = math.sqrt((n - 1) / n * float(((logs - logs.mean()) ** 2).sum()))
    half = float(quantile_t(n - 1, (1 + level) / 2)) * error
    low, high = math.expm1(value - half), math.expm1(value + half)
    off = (low > 0 or high < 0) and abs(math.expm1(value)) >= MATTERS
    return math.expm1(value), low, high, off


def _shapes(
    test: Period, twin: Period, alike: Alike, train: Period | None, days: Period, level: float
) -> list[dict[str, Any]]:
    dates = days.busy_dates
    splits = halves(dates)
    rows = []
    for name, (label, of) in SHAPES.items():
        row: dict[str, Any] = {"input": name, "label": label, "unit": "share"}
        row |= dict.fromkeys(("training", "test", "twin"), math.nan)
        counts = of(days, alike).reindex(dates).fillna(0.0)
        place = {day: k for k, day in enumerate(dates)}
        table = counts.to_numpy(dtype=np.float64)
        gaps = [
            variation(*(table[[place[day] for day in half]].sum(axis=0) for half in split))
            for split in splits
        ]
        limit = math.nan
        if gaps:
            longer = math.sqrt(len(pairs(dates)) / len(test.busy_dates))
            limit = float(np.quantile(gaps, level)) * longer * wider(dates)
        mine = of(test, alike).sum()
        for what, flag, other in (("change", "drift", train), ("gap", "off", twin)):
            gap = math.nan
            if other is not None:
                both = pd.concat([mine, of(other, alike).sum()], axis=1).fillna(0.0)
                gap = variation(both.iloc[:, 0].to_numpy(), both.iloc[:, 1].to_numpy())
            row |= _named(what, flag, (gap, 0.0, limit, bool(gap > limit and gap >= MATTERS)))
        rows.append(row)
    return rows


def cancelling(table: pd.DataFrame, waits_fit: bool) -> list[str]:
    """Inputs that are off though the waits fit: then errors cancel.

    Parameters
    ----------
    table : DataFrame
        From `inputs`.
    waits_fit : bool
        Whether the twin's waits are within the floor.

    Returns
    -------
    list of str
        Their labels; empty: no alarm.
    """
    off: Sequence[str] = table.loc[table["off"].astype(bool), "label"].tolist()
    return list(off) if waits_fit else []
