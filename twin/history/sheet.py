"""A sheet of a file that people export: named columns, read when they are wanted."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.tables import is_blank, trimmed

# Beyond it a file is refused before its cells are read; packed ones count as unpacked.
MOST_BYTES = 16_000_000_000
# Formats that are read whole.
MOST_WHOLE_BYTES = 500_000_000
# What is small when packed may have any number of rows.
MOST_ROWS = 10_000_000
SAMPLE_ROWS = 200
MOST_COLUMNS = 5000
GZIP = b"\x1f\x8b"

Columns = dict[str, "pd.Series[Any]"]


@dataclass
class BadRows:
    """Rows of a sheet that cannot be read.

    Attributes
    ----------
    skip : bool
        Whether they are left out; else the first is a fault.
    why : dict of int to str
        The reason by the number of the row, of those that were left out.
    kept : list of int
        Numbers of the rows that stayed, where some were left out as the sheet was loaded.
    """

    skip: bool = False
    why: dict[int, str] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Sheet:
    """A table of a file.

    Attributes
    ----------
    file : str
        The file.
    name : str
        Of the table in it: a sheet, a list of JSON; else the file's name without its ending.
    names : tuple of str
        Of its columns.
    sample : DataFrame
        Its first rows.
    load : callable
        Columns by their names, from some names: series of texts, numbers or dates.
    notes : tuple of str
        Things that whoever reads the figures must know of how it was read.
    bad : BadRows
    """

    file: str
    name: str
    names: tuple[str, ...]
    sample: pd.DataFrame
    load: Callable[[Sequence[str]], Columns]
    notes: tuple[str, ...] = ()
    bad: BadRows = field(default_factory=BadRows, compare=False)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @cached_property
    def _simple(self) -> dict[str, str]:
        return {simple(name): name for name in reversed(self.names)}

    def find(self, name: str) -> str | None:
        """Its column of a name, whatever the case and the signs between the words."""
        return self._simple.get(simple(name))


@lru_cache(maxsize=10_000)
def simple(name: str) -> str:
    """A column's name as it is compared.

    Examples
    --------
    >>> simple("Opened on"), simple("opened_on"), simple("Opened-On ")
    ('openedon', 'openedon', 'openedon')
    """
    return "".join(c for c in name.casefold() if c.isalnum() or c == ".")


def fault(file: str, why: str, hint: str = "") -> ScenarioError:
    """A fault of a file."""
    return ScenarioError(file, [Fault("", why, hint=hint)])


@dataclass(frozen=True)
class Place:
    """The place of cells, for messages: their file and the name of their column."""

    file: str
    column: str
    rows: Sequence[int] = ()

    def fail(self, row: int, why: str, hint: str = "") -> BadCell:
        """A fault of a cell; `row` counts from 0, in the message by `rows` where some are left."""
        number = self.rows[row] if len(self.rows) else row + 1
        whole = fault(self.file, f'row {number}, column "{self.column}": {why}', hint)
        return BadCell(whole.where, whole.faults, row, why)


class BadCell(ScenarioError):
    """A cell that cannot be read.

    Attributes
    ----------
    row : int
        Its place among the cells, 0 first.
    why : str
    """

    def __init__(self, where: str, faults: list[Fault], row: int, why: str) -> None:
        super().__init__(where, faults)
        self.row, self.why = row, why


class _Bounded(io.RawIOBase):
    """A stream that refuses to go on for ever, as what is packed small may unpack to anything."""

    def __init__(self, inner: BinaryIO, most: int) -> None:
        self.inner, self.left = inner, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.inner.read(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise ValueError("unpacks to more than is read: export fewer months")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.inner.close()
        super().close()


def opened(path: Path, most: int = MOST_BYTES) -> io.BufferedReader:
    """A file as its bytes, unpacked where it is gzipped."""
    file: Any = path.open("rb")
    if file.read(2) == GZIP:
        file.close()
        file = gzip.open(path)  # noqa: SIM115
    else:
        file.seek(0)
    return io.BufferedReader(_Bounded(file, most), 1 << 20)


def check_rows(file: str, count: int) -> None:
    """Refuse a table of more rows than memory is sure to hold.

    Raises
    ------
    ScenarioError
    """
    if count > MOST_ROWS:
        raise fault(file, f"has more than {MOST_ROWS:,} rows", "export fewer months")


def names_of(head: Sequence[object]) -> list[str]:
    """Names of columns, each once; what has no name stays without one, and is left out."""
    if len(head) > MOST_COLUMNS:
        raise ValueError(f"its first row has {len(head):,} cells: no head of an export")
    names: list[str] = []
    taken: dict[str, int] = {}
    for cell in head:
        name = "" if is_blank(cell) else " ".join(trimmed(str(cell)).split())[:200]
        own, k = name, taken.get(name, 1)
        while own and own in taken:
            k += 1
            own = f"{name} ({k})"
        taken[name] = k
        taken.setdefault(own, 1)
        names.append(own)
    if not any(names):
        raise ValueError("its first row names no column")
    return names
