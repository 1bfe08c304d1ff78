"""Rosters by date: shifts of exact days, read from a CSV file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import pandas as pd

from twin.common.errors import Fault, ScenarioError, nearest
from twin.common.files import read_texts
from twin.scenario.model import Pool, Scenario
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
    heads : int
    """

    pool: str
    day: date
    start_s: float
    end_s: float
    heads: int


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
    rows = _read(str(path), (stat.st_mtime_ns, stat.st_size))
    pools = list(scenario.agents)
    for line, row in enumerate(rows, 2):
        # A name that is written wrong would be a shift that nobody works, without a word.
        if row.pool and row.pool not in pools:
            hint = nearest(row.pool, pools) or f"there are: {', '.join(pools)}"
            fault = Fault("", f'line {line}: no pool is named "{row.pool}"', hint=hint)
            raise ScenarioError(str(path), [fault])
    return [row for row in rows if row.pool in ("", pool.name)]


@lru_cache(maxsize=16)
def _read(path: str, _stamp: tuple[int, int]) -> tuple[Dated, ...]:
    frame = read_texts(path, ("date", "start", "end", "heads"), "shifts")
    pools = frame["pool"] if "pool" in frame else pd.Series([""] * len(frame))
    columns = (pools, *(frame[name] for name in ("date", "start", "end", "heads")))
    found = []
    for line, cells in enumerate(zip(*columns, strict=True), 2):
        pool, day, start, end, heads = (str(cell).strip() for cell in cells)
        if "pool" in frame and not pool:
            raise ScenarioError(path, [Fault("", f"line {line} has no pool")])
        start_s, end_s = _clock(path, line, "start", start), _clock(path, line, "end", end)
        found.append(
            Dated(
                pool,
                _day(path, line, day),
                start_s,
                end_s if end_s > start_s else end_s + 86400,
                _heads(path, line, heads),
            )
        )
    return tuple(found)


def _fail(path: str, line: int, column: str, reason: str, given: str) -> ScenarioError:
    return ScenarioError(path, [Fault("", f"line {line}: {column} {reason}", given)])


def _day(path: str, line: int, text: str) -> date:
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise _fail(path, line, "date", 'must be a day such as "2026-01-05"', text) from None


def _clock(path: str, line: int, column: str, text: str) -> float:
    try:
        # Spreadsheets write seconds too.
        return parse_clock(re.sub(r"^(\d+:\d\d):00$", r"\1", text))
    except ValueError as error:
        raise _fail(path, line, column, str(error), text) from None


def _heads(path: str, line: int, text: str) -> int:
    # Spreadsheets and data frames write whole numbers as 3.0.
    if re.fullmatch(r"\d{1,9}(\.0*)?", text, re.ASCII) and float(text) <= _MOST_HEADS:
        return int(float(text))
    reason = f"must be a whole number from 0 to {_MOST_HEADS:,}"
    raise _fail(path, line, "heads", reason, text)
