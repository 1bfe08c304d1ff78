"""Tables of a replication written as they come: a part of a run in row groups, whole or not at all.

A part is written under another name, sealed as all Parquet files are (`twin.common.parquet`), and
renamed when its table is whole.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twin.common.files import CHECKSUM, whole
from twin.common.parquet import BLANK, DIGITS, SEAL
from twin.records.storage import as_arrow, empty

# Rows of a group: a table of a few columns takes some MB then.
_ROWS = 250_000
_AT_ONCE = 1 << 22


class RowGroups:
    """A part of a run that is being written; as a context, it is whole at the end or not there.

    Parameters
    ----------
    folder : Path
        Of the run.
    table : str
    replication : int

    Raises
    ------
    OSError
        If it cannot be written; it names the part.
    """

    def __init__(self, folder: Path, table: str, replication: int) -> None:
        self._table, self._replication = table, replication
        self._path = folder / table / f"r{replication:04d}.parquet"
        self._stack = ExitStack()
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pd.DataFrame] = []

    def __enter__(self) -> RowGroups:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._part = self._stack.enter_context(whole(self._path))
        return self

    def add(self, frame: pd.DataFrame) -> None:
        """Add rows behind those that are there."""
        self._waiting.append(frame)
        if sum(map(len, self._waiting)) >= _ROWS:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        parts = [as_arrow(self._table, self._replication, frame) for frame in self._waiting]
        self._waiting = []
        rows = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
        try:
            if self._writer is None:
                named = [one.name for one in rows.schema if pa.types.is_dictionary(one.type)]
                schema = rows.schema.with_metadata({CHECKSUM.encode(): BLANK})
                self._writer = pq.ParquetWriter(
                    self._part,
                    schema,
                    compression="lz4",
                    use_dictionary=named or False,
                    write_statistics=False,
                )
            sealed = rows.replace_schema_metadata(self._writer.schema.metadata)
            self._writer.write_table(sealed, row_group_size=_ROWS)
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(self._path)) from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                if self._writer is None and not self._waiting:
                    self._waiting.append(empty(self._table))
                self._write()
            if self._writer is not None:
                self._writer.close()
            if kind is None:
                seal(self._part)
        except BaseException as fault:
            kind, error, trace = type(fault), fault, fault.__traceback__
            raise
        finally:
            # With an error nothing is renamed, and the file beside the part is removed.
            self._stack.__exit__(kind, error, trace)


def seal(path: Path) -> None:
    """Put the checksum of a file into its blank, which is near its end."""
    digest = hashlib.sha256()
    with path.open("rb+") as file:
        while data := file.read(_AT_ONCE):
            digest.update(data)
        size = file.tell()
        start = max(0, size - _AT_ONCE)
        file.seek(start)
        at = start + file.read().rindex(BLANK) + len(SEAL)
        file.seek(at)
        file.write(digest.hexdigest().encode())
        assert file.tell() == at + DIGITS
        file.flush()
        os.fsync(file.fileno())
