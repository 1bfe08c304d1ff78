"""Files that people export, as sheets.

CSV, Parquet, XLSX, JSON, JSON lines, XES and the live desk's store. A file is data of
strangers: it is bounded in size, never executed, and a damaged one is a fault that names it.
"""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from twin.common.errors import ScenarioError
from twin.common.files import reason, regular_file
from twin.common.tables import shown_cell
from twin.history import xes
from twin.history.delimited import read_csv
from twin.history.nested import flattened
from twin.history.sheet import (
    GZIP,
    MOST_BYTES,
    MOST_WHOLE_BYTES,
    SAMPLE_ROWS,
    Columns,
    Sheet,
    check_rows,
    fault,
    opened,
)
from twin.history.workbook import read_workbook

# Tables of the live desk's store.
_STORE = ("tickets", "changes", "feedback", "desks")
# JSON's way to write a half of a sign beyond 16 bits; emojis have two of them.
_HALF_SIGN = re.compile(r"\\u[dD][89a-fA-F]")
_ZIP, _PARQUET, _SQLITE = b"PK\x03\x04", b"PAR1", b"SQLite format 3\x00"


def read_sheets(path: Path) -> list[Sheet]:
    """The sheets of a file.

    Raises
    ------
    ScenarioError
        If it is not there, too large, damaged or of a kind that is not known.
    """
    where = str(path)
    try:
        size = regular_file(path)
        if path.is_dir():
            raise fault(where, "is a folder; name the files in it")
        if size > MOST_BYTES:
            raise fault(where, f"larger than {MOST_BYTES // 10**9} GB", "export fewer months")
        with path.open("rb") as file:
            head = file.read(16)
        found = _kind(path, head)(path)
    except FileNotFoundError:
        raise fault(where, "no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise fault(where, f"packed, and damaged: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "not UTF-8 text"
        raise fault(where, why) from None
    except ScenarioError:
        raise
    except ValueError as error:
        raise fault(where, reason(error).partition("\n")[0]) from None
    found = [sheet for sheet in found if len(sheet.sample)]
    if not found:
        raise fault(where, "holds no rows")
    return found


def _kind(path: Path, head: bytes) -> Callable[[Path], list[Sheet]]:
    name = path.name.lower().removesuffix(".gz")
    if head.startswith(_PARQUET):
        return _parquet
    if head.startswith(_SQLITE):
        return _sqlite
    if head.startswith(_ZIP):
        return _xlsx
    if name.endswith(".xes"):
        return _xes
    if name.endswith((".json", ".jsonl", ".ndjson")) or head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (
        b"{",
        b"[",
    ):
        return _json
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise ValueError("an old Excel file (.xls): save it as .xlsx or CSV")
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff", GZIP)):
        raise ValueError("neither CSV, Parquet, XLSX, JSON, XES nor a store of the live desk")
    return read_csv


def _eager(file: str, name: str, data: Columns, notes: tuple[str, ...] = ()) -> Sheet:
    """A sheet whose cells are all there."""
    sample = pd.DataFrame({key: cells.head(SAMPLE_ROWS) for key, cells in data.items()})
    return Sheet(
        file, name, tuple(data), sample, lambda wanted: {k: data[k] for k in wanted}, notes
    )


def _parquet(path: Path) -> list[Sheet]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def flat(names: Sequence[str], first: bool = False) -> pd.DataFrame:
        try:
            with pq.ParquetFile(path) as file:
                part: Any
                if first:
                    part = next(file.iter_batches(SAMPLE_ROWS, columns=list(names)), None)
                else:
                    part = file.read(columns=list(names))
                if part is None:
                    return pd.DataFrame()
                # Texts that are none would fail anywhere.
                part.validate(full=True)
                found: pd.DataFrame = part.to_pandas()
                return found
        except (pa.ArrowException, KeyError, TypeError, OverflowError, MemoryError) as error:
            raise fault(str(path), f"not readable as Parquet: {error}") from None

    try:
        with pq.ParquetFile(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
    except pa.ArrowException as error:
        raise ValueError(f"not readable as Parquet: {error}") from None
    check_rows(str(path), count)
    names = [
        field.name
        for field in schema
        if not pa.types.is_nested(field.type) and not pa.types.is_binary(field.type)
    ]

    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two columns are called {shown_cell(twice)}: rename one")

    def load(wanted: Sequence[str]) -> Columns:
        frame = flat(list(wanted))
        return {name: frame[name] for name in wanted}

    return [Sheet(str(path), path.stem, tuple(names), flat(names, first=True), load)]


def _xlsx(path: Path) -> list[Sheet]:
    book = read_workbook(path, MOST_WHOLE_BYTES)
    return [_eager(str(path), name, data) for name, data in book.items()]


def _json(path: Path) -> list[Sheet]:
    with opened(path, MOST_WHOLE_BYTES) as file:
        text = file.read().decode("utf-8-sig")
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        lines = _json_lines(text)
        if lines is None:
            place = f"line {error.lineno}, column {error.colno}"
            raise ValueError(f"not valid JSON at {place}") from None
        data = lines
    if _HALF_SIGN.search(text):
        # Halves of signs that stand alone are no text.
        text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace").decode()
        data = json.loads(text)
    sheets = flattened(data, path.name.partition(".")[0])
    return [
        _eager(str(path), name, {k: pd.Series(v, dtype="object") for k, v in columns.items()})
        for name, columns in sheets.items()
    ]


def _json_lines(text: str) -> list[Any] | None:
    """An object a line; None where the first lines are none."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(json.loads(line))
        except (json.JSONDecodeError, RecursionError):
            if number <= 2:
                return None
            raise ValueError(f"not valid JSON at line {number}") from None
    return found


def _xes(path: Path) -> list[Sheet]:
    with opened(path) as file:
        columns = xes.read(file)
    data = {name: pd.Series(cells, dtype="str") for name, cells in columns.items()}
    return [_eager(str(path), path.name.partition(".")[0], data)]


def is_database(path: str | Path) -> bool:
    """True if it names a database of PostgreSQL, not a file."""
    return str(path).startswith(("postgresql://", "postgres://"))


def read_database(url: str) -> tuple[str, list[Sheet]]:
    """Name of a database without its password, and the sheets of the live desk's store in it.

    Raises
    ------
    ScenarioError
        If it cannot be read; its message holds no password.
    """
    try:
        from sqlalchemy import create_engine, text
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError
    except ModuleNotFoundError:
        hint = 'pip install "support-desk-twin[live]"'
        raise fault("the database", "to read PostgreSQL takes an extra", hint) from None
    try:
        where = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        hint = "it is written postgresql://HOST/NAME"
        raise fault("the database", "is no address of PostgreSQL", hint) from None
    # What follows the ? may be a password, too.
    shown = where.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
    found = []
    try:
        engine = create_engine(where, hide_parameters=True, connect_args={"connect_timeout": 20})
        try:
            # One moment for all tables, and nothing that could be changed.
            same = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            with engine.connect() as connection:
                store = connection.execution_options(**same)
                for name in _STORE:
                    rows = store.execute(text(f"SELECT * FROM {name}"))
                    frame = pd.DataFrame(rows.fetchall(), columns=list(rows.keys()))
                    found.append(_eager(shown, name, {str(k): frame[k] for k in frame}))
        finally:
            engine.dispose()
    except ModuleNotFoundError as error:
        hint = 'pip install "support-desk-twin[live]"'
        raise fault(shown, f"to read it takes {error.name}", hint) from None
    except SQLAlchemyError as error:
        # Its own words may hold more than is to be shown.
        kind = type(getattr(error, "orig", None) or error).__name__
        reason = f"holds no store of the live desk, or cannot be read ({kind})"
        raise fault(shown, reason) from None
    if not len(found[0].sample):
        raise fault(shown, "holds no tickets")
    return shown, found


def _sqlite(path: Path) -> list[Sheet]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
            found = []
            for name in _STORE:
                cursor = store.execute(f"SELECT * FROM {name}")
                rows: Iterable[Any] = cursor.fetchall()
                heads = [column[0] for column in cursor.description]
                frame = pd.DataFrame(rows, columns=heads)
                found.append(_eager(str(path), name, {k: frame[k] for k in heads}))
    except sqlite3.Error as error:
        raise ValueError(f"no store of the live desk: {error}") from None
    return found
