"""The folder of a run: Parquet parts by table and replication, and a manifest.

A part is written under another name and renamed, and the part of the table kpis comes last: with
it the replication is whole. So whatever ends a run, what lies there under its name is complete.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twin.common.errors import DamagedFile
from twin.common.files import read_sealed, write_sealed
from twin.common.parquet import as_frame, checked, write_parquet
from twin.records.columns import TABLES, Column
from twin.records.tables import Columns

MANIFEST = "manifest.json"
# A file of a run that is under way: on a full disk it makes room for the manifest's last word.
_RESERVE = ".reserve"
_RESERVE_BYTES = 1 << 16
_PART = re.compile(r"r([0-9]+)\.parquet")
# Keys that are read of a manifest; people and other programs may have changed it.
_NEEDED = {"scenario", "status", "scenario_as_run"}
_KINDS: dict[str, type] = {
    "scenario": str, "status": str, "question": str, "notes": list, "tables": list,
    "replications": dict,
    "scenario_as_run": dict, "pairs_by": dict, "erlang_bounds": dict, "base": dict,
    "read_from": dict,
    "versions": dict, "files": dict, "raters": dict,
}  # fmt: skip
# Columns of numbers that older runs lack, and what stands for them.
_NEW_NUMBERS = {("calls", "sample"): -1}
_TYPES = {
    "category": pa.dictionary(pa.int32(), pa.string()),
    "string": pa.string(),
    "binary": pa.binary(),
    "float64": pa.float64(),
    "int32": pa.int32(),
    "int16": pa.int16(),
    "int8": pa.int8(),
}


def new_run_folder(out: Path, scenario: str, digest: str) -> Path:
    """Make a folder for a run: UTC time and digest; never one that exists.

    Parameters
    ----------
    out : Path
        Folder of all results.
    scenario : str
        Name of the scenario.
    digest : str
        Short hash of what is run.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    parent = out / scenario
    parent.mkdir(parents=True, exist_ok=True)
    for suffix in ["", *(f"-{k}" for k in range(2, 10_000))]:
        folder = parent / f"{stamp}-{digest}{suffix}"
        try:
            folder.mkdir(exist_ok=False)
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"too many runs in {parent}")


def age(folder: Path) -> tuple[str, int]:
    """Rank of a folder of results by its age; the newest has the highest."""
    # Names begin with the time in UTC; folders of one second are told apart by when they began.
    return folder.name[:16], folder.stat().st_mtime_ns


def write_frames(
    folder: Path, frames: Mapping[str, pd.DataFrame], manifest_name: str, manifest: dict[str, Any]
) -> None:
    """Write frames as Parquet and a manifest last, so that a folder with a manifest is whole.

    Where that fails, the folder is removed.
    """
    try:
        for name, frame in frames.items():
            table = pa.Table.from_pandas(frame, preserve_index=False)
            write_parquet(folder / f"{name}.parquet", table)
        write_sealed(folder / manifest_name, manifest)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest of a run, in one piece.

    That of a run under way keeps room on the disk, so that the last one can be written even where
    the run has filled it.
    """
    reserve = folder / _RESERVE
    if manifest.get("status") == "running":
        # No zeros, which some file systems would not store.
        reserve.write_bytes(os.urandom(_RESERVE_BYTES))
    else:
        reserve.unlink(missing_ok=True)
    write_sealed(folder / MANIFEST, manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run.

    Raises
    ------
    ValueError
        If there is none, or it cannot be read.
    """
    try:
        manifest = read_sealed(folder / MANIFEST, "the manifest of a run")
    except FileNotFoundError:
        raise ValueError(f"{folder} is not a run: it has no {MANIFEST}") from None
    except DamagedFile:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder / MANIFEST} cannot be read: {error}") from None
    if not set(manifest) >= _NEEDED:
        raise ValueError(f"{folder / MANIFEST} is not the manifest of a run")
    for key, kind in _KINDS.items():
        if not isinstance(manifest.get(key, kind()), kind):
            raise ValueError(f"{folder / MANIFEST} is not the manifest of a run: see its {key}")
    return manifest


def _array(column: Column, values: Any) -> pa.Array:
    if column.dtype != "category":
        numbers = values.to_numpy() if isinstance(values, pd.Series) else values
        # Numbers that are all there are taken over as they are.
        if isinstance(numbers, np.ndarray) and (
            numbers.dtype.kind == "i" or (numbers.dtype.kind == "f" and not np.isnan(numbers).any())
        ):
            return pa.array(numbers, type=_TYPES[column.dtype])
        return pa.array(values, type=_TYPES[column.dtype], from_pandas=True)
    coded = values.array if isinstance(values, pd.Series) else values
    if not isinstance(coded, pd.Categorical):
        coded = pd.Series(values).astype("category").array
    codes = coded.codes.astype(np.int32)
    names = pa.array([str(name) for name in coded.categories], type=pa.string())
    missing = codes < 0
    places = pa.array(codes, mask=missing) if missing.any() else pa.array(codes)
    return pa.DictionaryArray.from_arrays(places, names)


def as_arrow(table: str, replication: int, given: pd.DataFrame | Columns) -> pa.Table:
    """A table of one replication with the types of its columns, `replication` in front."""
    columns = {c.name: _array(c, given[c.name]) for c in TABLES[table]}
    rows = len(next(iter(columns.values())))
    number = {"replication": pa.array(np.full(rows, replication, dtype=np.int32))}
    return pa.table(number | columns)


def write_part(folder: Path, table: str, replication: int, given: pd.DataFrame | Columns) -> None:
    """Write a table of one replication as Parquet.

    Raises
    ------
    OSError
        If it cannot be written; then nothing is left of it.
    """
    path = part_path(folder, table, replication)
    path.parent.mkdir(exist_ok=True)
    write_parquet(path, as_arrow(table, replication, given), quick=True)


def part_path(folder: Path, table: str, replication: int) -> Path:
    """The file of a table of one replication, there or not."""
    return folder / table / f"r{replication:04d}.parquet"


def parts(folder: Path, table: str) -> dict[int, Path]:
    """The parts of a table by replication, in order."""
    home = folder / table
    try:
        names = os.listdir(home)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = {int(told[1]): home / told[0] for told in map(_PART.fullmatch, names) if told}
    return dict(sorted(found.items()))


def whole(folder: Path) -> list[int]:
    """The replications of which everything was written."""
    return list(parts(folder, "kpis"))


def discard(folder: Path, replication: int) -> None:
    """Remove what a replication that failed has left, but not its failure."""
    for table in TABLES:
        if table != "failures" and (path := parts(folder, table).get(replication)) is not None:
            path.unlink()
    for path in event_logs(folder, replication):
        path.unlink(missing_ok=True)


def event_logs(folder: Path, replication: int) -> tuple[Path, Path]:
    """The files of a replication's event log: CSV and XES."""
    number = f"-r{replication:04d}" if replication else ""
    return folder / f"event_log{number}.csv", folder / f"event_log{number}.xes"


def sweep(folder: Path) -> None:
    """Remove what replications that are not whole have left; the whole folder, if none is."""
    kept = set(whole(folder))
    failed = set(parts(folder, "failures"))
    if not kept and not failed:
        shutil.rmtree(folder)
        return
    for table in TABLES:
        for number, path in parts(folder, table).items():
            if number not in kept and table != "failures":
                path.unlink()
    for path in [*folder.glob("**/.*.part")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def empty(table: str) -> pd.DataFrame:
    """A table without rows."""
    return _empty(table).copy(deep=False)


@cache
def _empty(table: str) -> pd.DataFrame:
    columns = {
        c.name: pd.Series([], dtype="object" if c.dtype == "binary" else c.dtype)
        for c in TABLES[table]
    }
    return pd.DataFrame(columns)


def join(tables: Iterable[tuple[str, pa.Table]], table: str) -> pd.DataFrame:
    """Tables of `as_arrow` as one frame, with a column `scenario` in front.

    Parameters
    ----------
    tables : iterable of (str, Table)
        Name of the scenario, and the table of one of its replications.
    table : str
        Name of the table.
    """
    named, given = [], [*tables]
    if table == "staffing":
        # Most runs have no rows of it, and a column without values keeps no categories on disk.
        given = [one for one in given if len(one[1])]
    for scenario, part in given or [("", as_arrow(table, 0, empty(table)))]:
        if "scenario" in part.column_names:
            part = part.drop_columns(["scenario"])
        if table == "kpis" and "by_text" not in part.column_names:
            # A run from before there was this column.
            part = part.append_column("by_text", pa.array([b""] * len(part), type=pa.binary()))
        missing = {c.name for c in TABLES[table]} - {*part.column_names}
        if table == "visits" and missing == {"agent"}:
            part = part.append_column("agent", pa.nulls(len(part), pa.float64()))
        if table == "timeline" and missing == {"detail"}:
            part = part.append_column("detail", pa.nulls(len(part), _TYPES["category"]))
        codes = pa.array(np.zeros(len(part), dtype=np.int32))
        names = pa.DictionaryArray.from_arrays(codes, pa.array([scenario]))
        named.append(part.add_column(0, "scenario", names))
    frame = as_frame(pa.concat_tables(named).unify_dictionaries())
    # Small tables, in which people look a scenario up by its name.
    return frame.astype({"scenario": "str"}) if table in ("kpis", "sanity", "failures") else frame


def _with_new_columns(part: pa.Table, table: str, wanted: Sequence[str] | None) -> pa.Table:
    """A part of a run from before there were some of today's columns: these are missing in it."""
    new = [
        column
        for column in TABLES[table]
        if column.name not in part.column_names
        and (column.dtype == "category" or (table, column.name) in _NEW_NUMBERS)
    ]
    for column in new:
        if wanted is None or column.name in wanted:
            values = _missing_values(len(part))
            if column.dtype != "category":
                number = _NEW_NUMBERS[table, column.name]
                values = pa.array(np.full(len(part), number), type=_TYPES[column.dtype])
            part = part.append_column(column.name, values)
    order = ["replication", *(column.name for column in TABLES[table])]
    return part.select([name for name in order if name in part.column_names]) if new else part


def _missing_values(n: int) -> pa.Array:
    none = pa.array(np.zeros(n, dtype=np.int32), mask=np.ones(n, np.bool_))
    return pa.DictionaryArray.from_arrays(none, pa.array([], type=pa.string()))


def read_part(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A part, as it was written.

    Raises
    ------
    DamagedFile
        If it is not, or cannot be read.
    """
    try:
        # It is in memory: to read ahead would take as long again.
        return pq.ParquetFile(checked(path), pre_buffer=False).read(columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFile(path, str(error)) from None


def read_frame(path: Path) -> pd.DataFrame:
    """A frame of `write_frames`, or a part; raises as `read_part` does."""
    try:
        return pd.read_parquet(checked(path))
    except (pa.ArrowException, OSError) as error:
        raise DamagedFile(path, str(error)) from None


def part(folder: Path, table: str, replication: int) -> Path:
    """The part of a table of one replication.

    Raises
    ------
    ValueError
        If it is missing, or the run kept no such table.
    """
    found = parts(folder, table).get(replication)
    if found is None:
        raise _missing(folder, table, replication)
    return found


def _missing(folder: Path, table: str, replication: int) -> ValueError:
    kept = [table]
    with suppress(ValueError, OSError):
        kept = read_manifest(folder).get("tables", kept)
    if table in kept:
        return ValueError(f"{folder}: replication {replication} of the table {table} is missing")
    return ValueError(
        f"{folder}: this run kept no table {table} (tables: {', '.join(kept)}); play it again "
        f"without --tables, or with --tables {','.join([*kept, table])}"
    )


def read_table(
    runs: Iterable[tuple[str, Path]],
    table: str,
    columns: Sequence[str] | None = None,
    replication: int | None = None,
) -> pd.DataFrame:
    """A table of several runs, with the columns `scenario` and `replication` in front.

    Only replications that are whole are read (for failures: all).

    Parameters
    ----------
    runs : iterable of (str, Path)
        Name of the scenario and folder of the run.
    table : str
        A key of `records.columns.TABLES`.
    columns : sequence of str, optional
        Only these of its columns (and `replication`), for large tables.
    replication : int, optional
        Only this one.

    Raises
    ------
    ValueError
        If a part is damaged or missing.
    """
    wanted = None if columns is None else ["replication", *columns]
    tables = []
    for scenario, folder in runs:
        there = parts(folder, table)
        if table == "staffing" and not there:
            # A run from before there was this table.
            continue
        numbers = list(there) if table == "failures" else whole(folder)
        for number in numbers if replication is None else [replication]:
            if number not in there:
                raise _missing(folder, table, number)
            part = read_part(there[number], wanted)
            tables.append((scenario, _with_new_columns(part, table, wanted)))
    return join(tables, table)
