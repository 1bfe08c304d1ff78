"""Tables of a run that do not fit in memory: read row group by row group, and put in ranges.

The tables are the Parquet parts that every run has. Of what is read, `pyarrow.parquet` gives one
row group after the other, which is all that is needed here; a query engine would be a second place
where figures are defined.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twin.common.errors import DamagedFile
from twin.common.files import CHECKSUM_DIFFERS
from twin.common.parquet import BLANK, DIGITS, SEAL
from twin.records import in_parts
from twin.records.in_parts import OF_TICKETS
from twin.records.storage import part
from twin.records.tables import RunLog

T = TypeVar("T")
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_AT_ONCE = 1 << 22
# Rows of so many ranges are kept when a row group is read.
_NEAR = 4


class FarTable:
    """A table of one replication on disk.

    Parameters
    ----------
    folder : Path
        Of the run.
    table : str
    replication : int
    check : bool
        Whether to look at its checksum.

    Raises
    ------
    DamagedFile
        If it is not as it was written.
    ValueError
        If it is missing.
    """

    def __init__(self, folder: Path, table: str, replication: int, check: bool = True) -> None:
        self.name = table
        self._path = part(folder, table, replication)
        try:
            if check:
                _check(self._path)
            self._file = pq.ParquetFile(self._path)
        except (pa.ArrowException, OSError) as error:
            raise DamagedFile(self._path, str(error)) from None

    def close(self) -> None:
        """Close its file: some systems remove none that is open."""
        self._file.close()

    @property
    def groups(self) -> int:
        """Number of row groups."""
        return int(self._file.num_row_groups)

    @property
    def columns(self) -> list[str]:
        """Names of the columns that it has."""
        return [str(name) for name in self._file.schema_arrow.names]

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def without_rows(self, columns: Sequence[str]) -> pa.Table:
        """Some columns without any rows."""
        return self._file.schema_arrow.empty_table().select([*columns])

    def group(self, k: int, columns: Sequence[str]) -> pa.Table:
        """Some columns of a row group."""
        # What Arrow keeps of row groups that are gone would add up.
        pa.default_memory_pool().release_unused()
        try:
            return self._file.read_row_group(k, [*columns], use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise DamagedFile(self._path, str(error)) from None

    def numbers(self, k: int, column: str) -> npt.NDArray[Any]:
        """A column of numbers of a row group."""
        return numbers(self.group(k, [column]), column)

    def frames(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Some columns, row group by row group."""
        for k in range(self.groups):
            yield self.group(k, columns).to_pandas()


def numbers(rows: pa.Table, column: str) -> npt.NDArray[Any]:
    """A column of numbers; what is missing is no number."""
    found: npt.NDArray[Any] = rows.column(column).to_numpy()
    return found


def _check(path: Path) -> None:
    """Look at the checksum of a file without having all of it in memory."""
    digest, told = hashlib.sha256(), b""
    size = path.stat().st_size
    with path.open("rb") as file:
        # It is in the footer; files of others have none.
        start = max(0, size - _AT_ONCE)
        file.seek(start)
        at = file.read().rfind(SEAL)
        if at < 0:
            return
        file.seek(start + at)
        told = file.read(len(BLANK))[len(SEAL) :]
        file.seek(0)
        here = 0
        while data := bytearray(file.read(_AT_ONCE)):
            # The digits count as zeros, some of which may lie behind the next edge.
            first = start + at + len(SEAL)
            begin, end = max(first - here, 0), min(first + DIGITS - here, len(data))
            if begin < end:
                data[begin:end] = b"0" * (end - begin)
            digest.update(data)
            here += len(data)
    if told != digest.hexdigest().encode():
        raise DamagedFile(path, CHECKSUM_DIFFERS)


def in_ranges(
    groups: int,
    ranges: int,
    keys_of: Callable[[int], Ints],
    read: Callable[[int], tuple[Ints, T]],
    take: Callable[[T, Mask], T],
) -> Iterator[list[T]]:
    """Rows of groups range by range, in the order of the groups.

    Parameters
    ----------
    groups, ranges : int
    keys_of : callable
        Ranges of the rows of a group; they are looked at once, ahead.
    read : callable
        Ranges of the rows of a group, and its rows.
    take : callable
        Some of these rows.

    Notes
    -----
    Rows of a range mostly lie in neighbouring groups. A group with rows of ranges far apart is read
    again for each.
    """
    touched = [set(np.unique(keys_of(k)).tolist()) for k in range(groups)]
    wanted: list[list[int]] = [[] for _ in range(ranges)]
    for k, found in enumerate(touched):
        for number in found:
            wanted[number].append(k)
    kept: dict[tuple[int, int], T] = {}
    for number in range(ranges):
        for k in wanted[number]:
            if (number, k) not in kept:
                keys, rows = read(k)
                for near in touched[k].intersection(range(number, number + _NEAR)):
                    kept[near, k] = take(rows, keys == near)
        yield [kept.pop((number, k)) for k in wanted[number]]


# Columns of parts of a log that figures are made of.
_WANTED = {
    "tickets": ("ticket_id", "arrived_s", "text_id", "category_true", "priority", "channel",
                "category", "categorized_by", "responded_s", "resolved_s", "resolved_by", "solved",
                "quality", "transfers", "reopens", "status"),
    "timeline": ("ticket_id", "time_s", "status", "detail"),
    "visits": ("ticket_id", "pool", "activity", "queued_s", "started_s", "ended_s", "end", "agent"),
    "calls": ("ticket_id", "started_s", "ended_s", "quota_wait_s", "attempts", "rate_limited",
              "prompt_tokens", "completion_tokens", "cost_usd", "outcome"),
    "ratings": ("ticket_id", "rated_s", "rating"),
}  # fmt: skip


def parts_of_run(
    tables: dict[str, FarTable], horizon_s: float, backend: str, size: int | None = None
) -> Iterator[RunLog]:
    """The log of a replication in parts, as of `twin.records.in_parts.parts_of`.

    Parameters
    ----------
    tables : dict of str to FarTable
        Tickets, numbered from 1 on without a gap, and those whose rows belong to tickets.
    horizon_s : float
    backend : str
        Of the assistant.
    size : int, optional
        Tickets of a part.

    Returns
    -------
    iterator of RunLog
        With the columns that figures are made of; a run without tickets is one part.
    """
    size = in_parts.PART if size is None else size
    ranges = max(1, -(-len(tables["tickets"]) // size))
    found = {name: _by_ticket(tables[name], ranges, size) for name in ("tickets", *OF_TICKETS)}
    for _ in range(ranges):
        frames: dict[str, Any] = {name: next(pieces) for name, pieces in found.items()}
        none = pd.DataFrame()
        yield RunLog(horizon_s, **frames, answers=none, learning=none, backend=backend)


def _by_ticket(table: FarTable, ranges: int, size: int) -> Iterator[pd.DataFrame]:
    columns = _WANTED[table.name]

    def keys(ids: npt.NDArray[Any]) -> Ints:
        return (ids.astype(np.int64) - 1) // size

    def read(k: int) -> tuple[Ints, pa.Table]:
        rows = table.group(k, columns)
        return keys(numbers(rows, "ticket_id")), rows

    found = in_ranges(
        table.groups, ranges, lambda k: keys(table.numbers(k, "ticket_id")), read, _rows
    )
    for pieces in found:
        yield pa.concat_tables(pieces or [_none(table, columns)]).unify_dictionaries().to_pandas()


def _rows(rows: pa.Table, mask: Mask) -> pa.Table:
    return rows if mask.all() else rows.filter(pa.array(mask))


def _none(table: FarTable, columns: Sequence[str]) -> pa.Table:
    """No rows of a table, whose columns know the names of its first row group."""
    return table.group(0, columns).slice(0, 0) if table.groups else table.without_rows(columns)
