"""Parquet files with a checksum of the whole file, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from twin.common.errors import DamagedFile
from twin.common.files import CHECKSUM, CHECKSUM_DIFFERS, whole

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# Rows from which on a table is large.
_LARGE = 1_000_000
# What is before the digits of the checksum, and their number.
SEAL = b"twin-sha256:"
DIGITS = 64
# What stands for it while the file is written.
BLANK = SEAL + b"0" * DIGITS


def write_parquet(path: Path, table: pa.Table, private: bool = False, quick: bool = False) -> None:
    """Write a table as a Parquet file, whole or not at all; see `whole`.

    A quick one takes a third of the time and a quarter more room.

    Its metadata hold the SHA-256 of the whole file, for `checked`. Checksums of Parquet's own are
    of pages only: types and names in the footer would be open to any flipped bit.

    Raises
    ------
    OSError
        If it cannot be written; it names `path`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = table.schema.metadata or {}
    sink = pa.BufferOutputStream()
    sealed = table.replace_schema_metadata({**known, CHECKSUM.encode(): BLANK})
    # Of numbers that are all different a dictionary only costs time and room.
    named = [
        one.name
        for one in table.schema
        if pa.types.is_dictionary(one.type) or pa.types.is_string(one.type)
    ]
    pq.write_table(
        sealed,
        sink,
        compression="lz4" if quick else "zstd",
        use_dictionary=named or False,
        write_statistics=not quick,
    )
    data = bytearray(sink.getvalue())
    # The checksum is that of the file with a blank in its place.
    digest = hashlib.sha256(data).hexdigest().encode()
    at = data.rindex(BLANK) + len(SEAL)
    data[at : at + DIGITS] = digest
    try:
        with whole(path, private=private) as part:
            part.write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def checked(path: Path) -> io.BytesIO:
    """Content of a Parquet file, after a look at its checksum; files of others have none.

    Raises
    ------
    DamagedFile
        If the checksum differs.
    OSError
        If it cannot be read.
    """
    data = bytearray(path.read_bytes())
    at = data.rfind(SEAL) + len(SEAL)
    if at >= len(SEAL):
        told = bytes(data[at : at + DIGITS])
        data[at : at + DIGITS] = b"0" * len(told)
        if told != hashlib.sha256(data).hexdigest().encode():
            raise DamagedFile(path, CHECKSUM_DIFFERS)
    return io.BytesIO(data)


def as_frame(table: pa.Table) -> pd.DataFrame:
    """A table as a frame; a small one without further threads.

    A process that has some can make no copies of itself, so later workers would start anew.
    """
    frame: pd.DataFrame = table.to_pandas(use_threads=len(table) > _LARGE)
    return frame
