"""CSV as people's tools write it: any usual sign between cells, packed or not, as a stream.

Only the columns that are wanted are kept, so that texts of gigabytes pass by without standing in
memory. A row of more or fewer cells than the first is a fault, as its cells may stand below other
names than their own; so is a quote that is never closed.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin.common.tables import is_blank, trimmed
from twin.history.sheet import (
    SAMPLE_ROWS,
    BadRows,
    Columns,
    Sheet,
    check_rows,
    fault,
    names_of,
    opened,
)

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLE_BYTES = 1 << 18
# A row with more is no row of an export, but a quote that was never closed.
_LONGEST_ROW = 1 << 25
_NO_TEXT = {
    "utf-16": "begins as UTF-16 text, and is none at its end: is it whole?",
    "cp1252": "neither UTF-8 nor Windows-1252 text",
}
_AS_TEXT = "save it as CSV in UTF-8"
_SIGNS = (",", ";", "\t", "|")


def read_csv(path: Path) -> list[Sheet]:
    """The sheet of a CSV file, as the only one of a list."""
    with opened(path) as file:
        first = file.read(_SAMPLE_BYTES)
    notes = []
    encoding = _encoding(path, first)
    if encoding == "cp1252":
        notes.append("not UTF-8 text: read as Windows-1252, so some letters may be others")
    text = first.decode(encoding, errors="replace").removeprefix("\ufeff")
    if not trimmed(text):
        raise ValueError("it is empty")
    sign = _sign(text)
    if sign != ",":
        notes.append(f"cells are parted by {'tabs' if sign == chr(9) else sign!r}")
    try:
        head = next(_rows(io.StringIO(text, newline=""), sign))
    except csv.Error as error:
        raise ValueError(f"line 1: {error}") from None
    names = names_of(head)

    bad = BadRows()

    def load(wanted: Sequence[str]) -> Columns:
        return _load_csv(path, encoding, sign, names, wanted, bad)

    rows = _sample_rows(text, sign, len(first) == _SAMPLE_BYTES, names)
    sample = pd.DataFrame(rows, columns=[name for name in names if name], dtype="str")
    stem = path.name.removesuffix(".gz").rpartition(".")[0] or path.name
    return [Sheet(str(path), stem, tuple(filter(None, names)), sample, load, tuple(notes), bad)]


def _encoding(path: Path, first: bytes) -> str:
    if first.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with opened(path) as file:
            while chunk := file.read(1 << 22):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _sign(text: str) -> str:
    """The sign between cells: that which parts the first lines into most cells, all alike."""
    best, most = ",", 1
    for sign in _SIGNS:
        try:
            lines = csv.reader(io.StringIO(text[:20_000], newline=""), delimiter=sign)
            widths = [len(cells) for cells, _ in zip(lines, range(20), strict=False)]
        except csv.Error:
            continue
        if widths[0] > most:
            best, most = sign, widths[0]
    return best


def _rows(text: Iterable[str], sign: str, *, strict: bool = False) -> Iterator[list[str]]:
    """Cells of rows, also of those with a mail of megabytes in a cell."""
    usual = csv.field_size_limit(_LONGEST_ROW)
    try:
        yield from csv.reader(text, delimiter=sign, strict=strict)
    finally:
        csv.field_size_limit(usual)


def _sample_rows(text: str, sign: str, cut: bool, names: Sequence[str]) -> list[list[str]]:
    """Cells of the first rows, of the columns that have names; `cut`: the last one may be torn."""
    rows: list[list[str]] = []
    reader = _rows(io.StringIO(text, newline=""), sign)
    try:
        next(reader)
        for cells in reader:
            if not all(map(is_blank, cells)):
                cells += [""] * (len(names) - len(cells))
                rows.append([cell for cell, name in zip(cells, names, strict=False) if name])
            if len(rows) > SAMPLE_ROWS:
                break
    except csv.Error:
        # It is told with its row when the whole is read.
        pass
    return rows[:-1] if cut and 1 < len(rows) <= SAMPLE_ROWS else rows[:SAMPLE_ROWS]


def _load_csv(
    path: Path, encoding: str, sign: str, names: Sequence[str], wanted: Sequence[str], bad: BadRows
) -> Columns:
    import pyarrow as pa
    from pyarrow import csv as reading

    odd: list[Any] = []

    def refuse(row: Any) -> str:
        odd.append(row)
        return "skip"

    own = {f"f{k}": name for k, name in enumerate(names) if name in set(wanted)}
    options = reading.ConvertOptions(
        column_types={f"f{k}": pa.string() for k in range(len(names))},
        include_columns=list(own),
        strings_can_be_null=False,
    )
    parse = reading.ParseOptions(
        delimiter=sign, newlines_in_values=True, invalid_row_handler=refuse, ignore_empty_lines=True
    )
    how = reading.ReadOptions(
        autogenerate_column_names=True, use_threads=False, block_size=_LONGEST_ROW,
        encoding=encoding,
    )  # fmt: skip
    try:
        _check_quotes(path, encoding, sign)
        with opened(path) as file:
            batches = reading.open_csv(file, how, parse, options)
            table = pa.Table.from_batches(list(_bounded(batches, path)), batches.schema)
    except pa.ArrowException as error:
        if "straddling" in str(error) or "block" in str(error):
            mb = _LONGEST_ROW // 2**20
            why = f"a row of more than {mb} MB: is there a quote that is never closed?"
            raise fault(str(path), why) from None
        raise fault(str(path), f"not readable as CSV: {str(error).partition(chr(10))[0]}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise fault(str(path), f"packed, and damaged: {error}") from None
    except UnicodeDecodeError:
        raise fault(str(path), _NO_TEXT.get(encoding, _NO_TEXT["cp1252"]), _AS_TEXT) from None
    if odd:
        return _load_slowly(path, encoding, sign, names, wanted, bad)
    # The first row is the head.
    return _frames(table.slice(1), own)


def _bounded(batches: Iterable[Any], path: Path) -> Iterator[Any]:
    count = 0
    for batch in batches:
        count += len(batch)
        check_rows(str(path), count)
        yield batch


def _check_quotes(path: Path, encoding: str, sign: str) -> None:
    """Refuse a quote that is never closed: all rows up to the next one would be a single cell."""
    quotes = 0
    with opened(path) as file:
        for block in iter(lambda: file.read(2**20), b""):
            quotes += block.count(b'"')
    if quotes % 2 == 0:
        return
    # An odd one may stand within a cell, as in 5" of a screen: there it opens nothing.
    whole = 0
    try:
        with opened(path) as file, io.TextIOWrapper(file, encoding, newline="") as text:
            for _ in _rows(text, sign, strict=True):
                whole += 1
    except csv.Error:
        # The head is row 0.
        why = f"row {whole} opens a quote that is never closed"
        raise fault(str(path), why, "remove the quote, or double it") from None


def _load_slowly(
    path: Path, encoding: str, sign: str, names: Sequence[str], wanted: Sequence[str], bad: BadRows
) -> Columns:
    """A CSV whose rows differ in length: by blanks behind the last name, or by a fault."""
    least = max(k for k, name in enumerate(names) if name) + 1
    bad.kept.clear()
    places = {name: k for k, name in enumerate(names) if name in set(wanted)}
    found: dict[str, list[str]] = {name: [] for name in places}
    with opened(path) as file, io.TextIOWrapper(file, encoding, newline="") as text:
        for number, cells in enumerate(_rows(text, sign)):
            if number == 0 or all(map(is_blank, cells)):
                continue
            if len(cells) < least or not all(map(is_blank, cells[len(names) :])):
                why = f"has {len(cells)} cells, the first has {len(names)}"
                if not bad.skip:
                    hint = "is a text not in quotes? Leave such rows out with --skip-bad"
                    raise fault(str(path), f"row {number} {why}", hint)
                bad.why[number] = why
                continue
            bad.kept.append(number)
            for name, k in places.items():
                found[name].append(cells[k])
    return {name: pd.Series(cells, dtype="str") for name, cells in found.items()}


def _frames(table: pa.Table, own: dict[str, str]) -> Columns:
    frame = table.rename_columns([own[name] for name in table.column_names]).to_pandas()
    return {str(name): frame[name].reset_index(drop=True) for name in frame.columns}
