"""Versions of a desk known by its statuses: its numbers as days drawn again give them.

All numbers of a version rest on the same days: who arrived, what followed which status, after how
long, and the hours that were learnt. A ticket counts with all that it did as often as the day of
its arrival was drawn; what the end of the log cut short is made up for anew. See
`twin.history.versions` for how days are drawn, and `twin.history.fit.drawn_again` for what is
found again and what is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.history.calibrated import Calibration, Data, Factors
from twin.history.desk_history import DeskHistory
from twin.history.fit.arrivals import ArrivalsFit
from twin.history.fit.drawn_again import DrawnAgain, Numbers
from twin.history.fit.status_numbers import CHANCE, CLOCK, DELAY, START, Told, told, value_of
from twin.history.fit.statuses import WorkflowFit
from twin.history.fit.turns_found import POOL
from twin.history.versions import (
    REPLICATIONS,
    VERSIONS,
    ByDay,
    arrivals_factors,
    draws,
    mean_of,
    mix_factors,
    steady,
)
from twin.history.whole_days import Days

Floats = npt.NDArray[np.float64]
_ROWS = (START, CHANCE)


def with_status_versions(
    found: Calibration,
    history: DeskHistory,
    days: Days,
    came: ArrivalsFit,
    workflow: WorkflowFit,
    number: int = VERSIONS,
) -> Calibration:
    """A calibration of a desk known by its statuses with versions of its numbers.

    Parameters
    ----------
    found : Calibration
    history : DeskHistory
    days : Days
        Those that it rests on are known.
    came : ArrivalsFit
    workflow : WorkflowFit
        What the section of the workflow was made from.
    number : int
        Of versions.
    """
    arrived = history.log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    usual = days.counts(arrived, history.desk.midnight)
    drawn = draws(usual, came, number, found.data.get("seed"))
    by_day = ByDay(history, days, drawn)
    factors = [*arrivals_factors(found.data, usual, came, drawn), *mix_factors(found.data, by_day)]
    again = DrawnAgain(workflow.spells, workflow.chances, workflow.delays)
    offset_s = workflow.spells.midnight.timestamp() - history.desk.midnight.timestamp()
    times = by_day.times(workflow.spells.born_s + offset_s)
    each = [again.numbers(one) for one in times]
    whole = again.numbers(np.ones(len(workflow.spells)))
    factors += _workflow(found.data, workflow, whole, each)
    if workflow.work is not None:
        key = ("agents", POOL, "handle_time", "unit")
        factors.append(Factors(key, steady(workflow.work.factors(times))))
    said = (
        f"What the history leaves open is in {number} versions of these numbers, from days drawn "
        "again (arrivals, mix, chances of the next status, delays, learnt hours, work, all of the "
        "same days); heads and the form of delays are not in them. Two replications in a row play "
        "one of them."
    )
    data = found.data | {"replications": REPLICATIONS}
    return replace(found, data=data, versions=tuple(factors), said=(*found.said, said))


def _workflow(
    data: Data, workflow: WorkflowFit, whole: Numbers, each: Sequence[Numbers]
) -> Iterator[Factors]:
    section = data["workflow"]
    rows: dict[tuple[str, ...], list[Told]] = {}
    for one in told(section, workflow.names, workflow.delays.steps):
        key = ("workflow", *one.key)
        if one.kind in _ROWS:
            rows.setdefault(one.key[: -1 if one.kind == START else -2], []).append(one)
            continue
        was = value_of(one, whole)
        new = np.array([value_of(one, numbers) for numbers in each])
        ratio = np.divide(new, was, out=np.ones_like(new), where=(was > 0) & np.isfinite(new))
        if one.kind == DELAY:
            leaf = mean_of(_at(section, one.key))
            if leaf:
                yield Factors((*key, leaf), steady(ratio))
        elif one.kind == CLOCK:
            yield Factors(key, steady(ratio))
    for own in rows.values():
        yield from _chances(section, own, whole, each, workflow)


def _chances(
    section: Data,
    row: Sequence[Told],
    whole: Numbers,
    each: Sequence[Numbers],
    workflow: WorkflowFit,
) -> Iterator[Factors]:
    """Factors of chances that add up as before; what was seen never becomes impossible.

    So the chances of all days count for one spell beside those of the days drawn.
    """
    was = np.array([_chance(_at(section, one.key[:-1]), one) for one in row])
    new = np.array([[float(value_of(one, numbers)) for one in row] for numbers in each])
    seen = _spells(workflow, row[0])
    known = np.isfinite(new).all(axis=1, keepdims=True)
    new = (np.where(known, new, was) * seen + was) / (seen + 1)
    # What the ticket does not leave for is rest, and may differ; what adds up to 1 still does.
    if abs(float(was.sum()) - 1) < 1e-9:
        new /= new.sum(axis=1, keepdims=True)
    for k, one in enumerate(row):
        yield Factors(("workflow", *one.key), new[:, k] / was[k])


def _chance(table: Any, one: Told) -> float:
    """Chance as it stands in the file: a number, or in a table."""
    return float(table[one.key[-1]] if isinstance(table, dict) else table)


def _spells(workflow: WorkflowFit, one: Told) -> int:
    """Spells that a row of chances rests on."""
    spells = workflow.spells
    if one.kind == START:
        return int(spells.first.sum())
    own = (spells.status == one.status) & spells.over
    if one.part in workflow.chances[one.status].after:
        own &= spells.before == one.part
    return int(own.sum())


def _at(section: Any, key: Sequence[str]) -> Any:
    for part in key:
        section = section[int(part)] if isinstance(section, list) else section[part]
    return section
