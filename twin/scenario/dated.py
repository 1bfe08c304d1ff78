"""Rosters by date: shifts of exact days, read from a CSV file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from twin.common.errors import Fault, ScenarioError, nearest
from twin.common.tables import read_table
from twin.scenario import clock
from twin.scenario.model import Pool, Scenario
from twin.scenario.sections.base import whole
from twin.scenario.units import parse_clock

# More is a wrong column.
_MOST_HEADS = 100_000


@dataclass(frozen=True)
class Dated:
    """A shift of one day: a row of a roster file.

    Attributes
    ----------
    pool : str
        Empty: of whichever pool reads the file.
    day : date
        Local day on which it starts.
    start_s, end_s : float
        Seconds after midnight of that day on the local clock; an end above 86,400 is on the next.
    heads : float
    """

    pool: str
    day: date
    start_s: float
    end_s: float
    heads: float


def dated_shifts(pool: Pool, scenario: Scenario) -> list[Dated]:
    """The shifts of a pool with a roster by date, in the order of the file.

    Raises
    ------
    ScenarioError
        Naming the file, and the line of the first fault in it.
    """
    path = Path(pool.roster or "")
    try:
        stat = path.stat()
    except OSError:
        raise ScenarioError(str(path), [Fault("", "no such file")]) from None
    stamp = stat.st_mtime_ns, stat.st_size
    pools = list(scenario.agents)
    for name, place in _pools(str(path), stamp).items():
        # A name that is written wrong would be a shift that nobody works, without a word.
        if name and name not in pools:
            fault = Fault("", f'{place}: no pool is named "{name}"', hint=nearest(name, pools))
            raise ScenarioError(str(path), [fault])
    return list(_of_pool(str(path), stamp, pool.name))


def days_without(pool: Pool, scenario: Scenario) -> list[date]:
    """Days of a run on which no shift of a roster by date starts.

    Raises
    ------
    ScenarioError
        As of `dated_shifts`.
    """
    known = {shift.day for shift in dated_shifts(pool, scenario)}
    days = clock.days(scenario.midnight, scenario.horizon)
    return [day for day, _ in days if day not in known]


def notes(scenario: Scenario) -> list[str]:
    """A sentence on each roster by date that leaves a week or more of a run to nobody."""
    found = []
    for name, pool in scenario.agents.items():
        if pool.roster is None:
            continue
        days = days_without(pool, scenario)
        week = next((k for k in range(len(days) - 6) if (days[k + 6] - days[k]).days == 6), None)
        if week is not None:
            found.append(
                f"the roster of {name} ({Path(pool.roster).name}) has no shift for a week or more, "
                f"from {days[week]} on: nobody works then"
            )
    return found


@lru_cache(maxsize=16)
def _pools(path: str, stamp: tuple[int, int]) -> dict[str, str]:
    """Names of pools in a file, each with its first place in it."""
    found: dict[str, str] = {}
    for row, place in _read(path, stamp):
        found.setdefault(row.pool, place)
    return found


@lru_cache(maxsize=64)
def _of_pool(path: str, stamp: tuple[int, int], pool: str) -> tuple[Dated, ...]:
    return tuple(row for row, _ in _read(path, stamp) if row.pool in ("", pool))


@lru_cache(maxsize=16)
def _read(path: str, _stamp: tuple[int, int]) -> tuple[tuple[Dated, str], ...]:
    """The rows of a file, each with its place in it."""
    columns = ("date", "start", "end", "heads")
    table = read_table(path, columns, ("pool",), "shifts")
    cells = [table.need(name) for name in columns]
    pools = table.need("pool") if "pool" in table else [""] * len(cells[0])

    def fail(column: str, reason: str, given: str, place: str) -> ScenarioError:
        return ScenarioError(path, [Fault("", f"{place}: {column} {reason}", given)])

    found = []
    for row, (pool, *texts) in enumerate(zip(pools, *cells, strict=True)):
        day, start, end, heads = (text.strip() for text in texts)
        place = table.place(row)
        try:
            start_s = _clock(start)
        except ValueError as error:
            raise fail("start", str(error), start, place) from None
        try:
            end_s = _clock(end)
        except ValueError as error:
            raise fail("end", str(error), end, place) from None
        try:
            at = _day(day)
        except ValueError:
            raise fail("date", 'must be a day such as "2026-01-05"', day, place) from None
        if not re.fullmatch(r"\d{1,9}(\.\d*)?", heads, re.ASCII) or float(heads) > _MOST_HEADS:
            reason = f"must be a number from 0 to {_MOST_HEADS:,}"
            raise fail("heads", reason, heads, place)
        end_s = end_s if end_s > start_s else end_s + 86400
        # Spreadsheets and data frames write whole numbers as 3.0.
        found.append((Dated(pool.strip(), at, start_s, end_s, whole(float(heads))), place))
    return tuple(found)


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError
    return date.fromisoformat(text)


def _clock(text: str) -> float:
    # Spreadsheets write seconds too.
    return parse_clock(re.sub(r"^(\d+:\d\d):00$", r"\1", text))
