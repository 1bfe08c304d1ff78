"""XLSX, bounded before a cell of it is read.

The library that reads a sheet makes a field of all cells between the first and the last one: a
single cell at the far edge would take all memory there is, and end the process.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from twin.common.tables import is_blank
from twin.history.sheet import Columns, fault, names_of

_CHUNK = 1 << 22
# Of the field that a sheet takes, and of the text of one row.
_MOST_CELLS, _LONGEST_ROW = 50_000_000, 1 << 26
_PLACE = re.compile(rb"""\sr=["']([A-Za-z]{1,8})([0-9]{1,12})["']""")
_ROW = re.compile(rb"""\A[^<>]*?\sr=["']([0-9]{1,12})["']""")
_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_ROW_BEGINS = re.compile(rb"<(?:\w+:)?row(?=[\s/>])")
_NOT_READABLE = "not readable as XLSX"


def read_workbook(path: Path, most_bytes: int) -> dict[str, Columns]:
    """Columns of each sheet that has rows below its first one; rows without a cell are left out.

    Raises
    ------
    ValueError
        If it is no such file, damaged or too large.
    ScenarioError
        If what reads it is not installed.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            _check(packed, most_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        # A RuntimeError: it is encrypted, or packed in a way that zipfile does not know.
        raise ValueError(f"{_NOT_READABLE}: {error}") from None
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ModuleNotFoundError:
        hint = 'pip install "support-desk-twin[xlsx]", or save it as CSV'
        raise fault(str(path), "an Excel file takes an extra", hint) from None
    found = {}
    try:
        book = CalamineWorkbook.from_path(str(path))
        for name in book.sheet_names:
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=True)
            if columns := _columns(rows):
                found[name] = columns
    except CalamineError as error:
        raise ValueError(f"{_NOT_READABLE}: {error}") from None
    return found


def _columns(rows: list[list[Any]]) -> Columns:
    rows = [row for row in rows if not all(map(is_blank, row))]
    if len(rows) < 2:
        return {}
    return {
        name: pd.Series([row[k] for row in rows[1:]], dtype="object")
        for k, name in enumerate(names_of(rows[0]))
        if name
    }


def _check(packed: zipfile.ZipFile, most_bytes: int) -> None:
    """Refuse what is no workbook, or takes too much memory."""
    parts = packed.infolist()
    if not any(part.filename.startswith("xl/") for part in parts):
        raise ValueError("a packed file that is no XLSX: unpack it first")
    # By what the file says of itself, before anything is unpacked.
    if sum(int(part.file_size) for part in parts) > most_bytes:
        raise ValueError(f"unpacks to more than {most_bytes // 10**6} MB: save it as CSV")
    for part in parts:
        if part.filename.startswith("xl/worksheets/") and part.filename.endswith(".xml"):
            high, wide = _field(packed, part)
            if high * wide > _MOST_CELLS:
                raise ValueError(
                    f"a sheet goes to row {high:,} and column {wide:,}: delete what stands alone "
                    "at its far edge, or save it as CSV"
                )


def _field(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> tuple[int, int]:
    """Rows and columns of a sheet, up to its last cell."""
    high = wide = 0
    letters: set[bytes] = set()
    for count, row in enumerate(_rows(packed, part), 1):
        places = _PLACE.findall(row)
        letters.update(place[0] for place in places)
        told = _ROW.match(row)
        high = max(high, count, int(told[1]) if told else 0)
        if places:
            high = max(high, max(int(place[1]) for place in places))
        wide = max(wide, len(places) or len(_CELL.findall(row)))
    return high, max([wide, *map(_number, letters)])


def _rows(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """The text of each row, without the head of the sheet."""
    rest = b""
    begun = False
    with packed.open(part) as file:
        while chunk := file.read(_CHUNK):
            *rows, rest = _ROW_BEGINS.split(rest + chunk)
            yield from rows if begun else rows[1:]
            begun = begun or bool(rows)
            if len(rest) > _LONGEST_ROW:
                raise ValueError(f"a row of more than {_LONGEST_ROW >> 20} MB: save it as CSV")
    if begun:
        yield rest


def _number(letters: bytes) -> int:
    """Number of a column: A is 1, AA 27."""
    found = 0
    for letter in letters.upper():
        found = found * 26 + letter - 64
    return found
