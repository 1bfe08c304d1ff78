"""People's ratings of recorded answers: the file that they fill in, and how it is read.

A file is CSV with the columns ticket, answer, rating (1 to 5) and, where several people rate,
rater; or JSON lines with the same names. A rating left empty is none yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twin.common.errors import Fault, ScenarioError
from twin.common.files import read_text, reason
from twin.common.formulas import unguarded
from twin.common.tables import as_number, is_blank, read_table, shown_cell

_MAX_BYTES = 50_000_000
_NEEDED = ("ticket", "answer", "rating")
STARS = (1, 5)


@dataclass(frozen=True)
class Ratings:
    """Qualities by people, 0 to 1.

    Attributes
    ----------
    by_answer : dict of (str, str) to dict of str to float
        By text of ticket and answer: a quality by each rater. Raters without a name are numbered.
    """

    by_answer: dict[tuple[str, str], dict[str, float]]

    @property
    def raters(self) -> tuple[str, ...]:
        """Names of all who rated."""
        return tuple(sorted({name for given in self.by_answer.values() for name in given}))

    def mean(self, ticket: str, answer: str) -> float:
        """Mean quality of all who rated an answer; NaN if nobody did."""
        given = self.by_answer.get((ticket, answer))
        return float(np.mean([*given.values()])) if given else float("nan")


def read_ratings(path: str | Path) -> Ratings:
    """Read ratings.

    Parameters
    ----------
    path : str or Path
        CSV or Parquet; or, by its name, JSON lines.

    Raises
    ------
    ScenarioError
        If it cannot be read, a rating is no number from 1 to 5, somebody rated an answer twice, or
        nothing is rated.
    """
    path = Path(path)
    lines = path.suffix.lower() in (".jsonl", ".ndjson")
    found: dict[tuple[str, str], dict[str, float]] = {}
    for place, row in _lines(path) if lines else _rows(path):
        cell = row["rating"]
        if is_blank(cell):
            continue
        rating = as_number(cell)
        if not STARS[0] <= rating <= STARS[1]:
            fault = Fault("rating", "must be a number from 1 to 5", shown_cell(cell))
            raise ScenarioError(f"{path}, {place}", [fault])
        ticket, answer = (unguarded(str(row[name])) for name in ("ticket", "answer"))
        given = found.setdefault((ticket, answer), {})
        named = not is_blank(row["rater"])
        name = unguarded(str(row["rater"])).strip() if named else f"rater {len(given) + 1}"
        if name in given:
            # Also where somebody is called as one without a name is numbered.
            fault = Fault("rater", "rated this answer twice", name)
            raise ScenarioError(f"{path}, {place}", [fault])
        given[name] = (rating - 1) / 4
    if not found:
        raise ScenarioError(str(path), [Fault("rating", "nothing is rated yet")])
    return Ratings(found)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    columns = read_table(path, _NEEDED, ("rater",)).columns
    raters = columns.get("rater", [""] * len(columns["ticket"]))
    rows = zip(*(columns[name] for name in _NEEDED), raters, strict=True)
    for number, cells in enumerate(rows, 1):
        yield f"row {number}", dict(zip((*_NEEDED, "rater"), cells, strict=True))


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = read_text(path, _MAX_BYTES, "ratings")
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise ScenarioError(str(path), [Fault("", why)]) from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        texts = isinstance(row, dict) and all(isinstance(row.get(k), str) for k in _NEEDED[:2])
        if not texts or isinstance(row.get("rating"), bool | list | dict):
            fault = Fault("", "not an object with ticket, answer and rating")
            raise ScenarioError(f"{path}, line {number}", [fault])
        yield f"line {number}", {"rating": None, "rater": ""} | row
