"""Files: bounded reading of what people bring, and writing that is whole or does not happen."""

from __future__ import annotations

import json
import os
import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any

from twin.common.errors import Fault, ScenarioError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# No JSON file that the twin writes or reads comes near it.
MOST_JSON_BYTES = 200_000_000


def read_text(path: Path, most_bytes: int, expected: str) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Parameters
    ----------
    path : Path
    most_bytes : int
        A larger file is not read.
    expected : str
        Kind of file, for the message of one that is too large.

    Raises
    ------
    ValueError
        If it is too large, no regular file or no such text; see `reason`.
    OSError
        If it cannot be read.
    """
    try:
        found = path.stat()
    except ValueError as error:
        raise ValueError(f"not a file name: {error}") from None
    # A pipe or a device has no size, and may never end; a folder says itself what it is.
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise ValueError("not a regular file")
    if stat.S_ISREG(found.st_mode) and found.st_size > most_bytes:
        k = most_bytes // 1000
        size = f"{k // 1000} MB" if k >= 1000 else f"{k} kB"
        raise ValueError(f"larger than {size}: not {expected}")
    try:
        # Some editors on Windows put a byte order mark in front.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text (byte {error.start})") from None


def read_json(path: Path, expected: str, most_bytes: int = MOST_JSON_BYTES) -> Any:
    """Read a JSON file; see `read_text`. No text of the file is shown in an error."""
    text = read_text(path, most_bytes, expected)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"not valid JSON at {place}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def reason(error: OSError | ValueError) -> str:
    """Words for why a file cannot be read, without its name."""
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or 'no reason given'}"
    # The rest of the message is advice to programmers.
    return str(error).partition(";")[0]


def read_csv(path: str | Path, **how: Any) -> pd.DataFrame:
    """Read a CSV file; a row longer than the first one is a fault.

    Where all rows are longer, pandas would take their first cells for row labels and move all
    others to the left.

    Parameters
    ----------
    path : str or Path
    **how
        See `pandas.read_csv`.

    Raises
    ------
    ValueError
        If it is no CSV file, or not in UTF-8.
    OSError
        If it cannot be read.
    """
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            frame: pd.DataFrame = pd.read_csv(path, index_col=False, encoding="utf-8", **how)
        except pd.errors.ParserWarning:
            raise ValueError("its rows have more cells than its first line has names") from None
    return frame


def read_texts(path: str | Path, needed: Sequence[str], rows: str) -> pd.DataFrame:
    """Read a CSV file of texts.

    Parameters
    ----------
    path : str or Path
    needed : sequence of str
        Columns that must be there, without blank cells.
    rows : str
        What its rows are, for the message where there are none.

    Raises
    ------
    ScenarioError
        Naming the file, and the line of the first fault.
    """

    def fail(reason: str, hint: str = "") -> ScenarioError:
        return ScenarioError(str(path), [Fault("", reason, hint=hint)])

    try:
        frame = read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise fail("no such file") from None
    except OSError as error:
        raise fail(reason(error)) from None
    except ValueError as error:  # Not UTF-8, not CSV, or empty: all of them are ValueErrors.
        raise fail(f"not a readable CSV file: {error}") from None
    missing = [name for name in needed if name not in frame]
    if missing:
        raise fail(f"no column {' or '.join(missing)}", f"it has: {', '.join(map(str, frame))}")
    if frame.empty:
        raise fail(f"holds no {rows}")
    for name in needed:
        blank = (frame[name].str.strip() == "").to_numpy().nonzero()[0]
        if len(blank):
            raise fail(f"line {blank[0] + 2} has no {name}")
    return frame


@contextmanager
def whole(path: Path, sync: bool = False) -> Iterator[Path]:
    """Give a file beside `path` to write to, and rename it at the end: whole or not there.

    Parameters
    ----------
    path : Path
        An older file stays as it was until then, and where the writing fails.
    sync : bool
        Make sure that the disk has it before it is renamed.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.part")
    try:
        yield part
        if sync:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str, sync: bool = False) -> None:
    """Write a text file, whole or not at all; see `whole`.

    Raises
    ------
    OSError
        If it cannot be written; it names `path`.
    """
    try:
        with whole(path, sync) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        # A disk that is full does not say where, and nobody knows the file beside.
        raise OSError(error.errno, error.strerror, str(path)) from None


def to_json(data: Any) -> str:
    """Data as JSON that people can read."""
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def write_json(path: Path, data: Any, sync: bool = False) -> None:
    """Write a file of `to_json`, whole or not at all; see `write_text`."""
    write_text(path, to_json(data), sync)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as a Parquet file, whole or not at all; see `whole`.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import pyarrow.parquet as pq

    with whole(path) as part:
        pq.write_table(table, part, compression="zstd")
