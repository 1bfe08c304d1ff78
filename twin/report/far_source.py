"""Tables of a streamed run as the report reads them: piece by piece, or a part of the tickets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from twin.records import storage
from twin.records.far_tables import FarTable, numbers

# Curves and areas hardly look another way with more tickets.
MOST = 100_000
# Of so many tickets at the start single ones are told: of the first ones there are texts.
EARLY = 8_000


class FarSource:
    """The tables of a run on disk.

    Parameters
    ----------
    folder : Path
    warm_up_s : float
    """

    def __init__(self, folder: Path, warm_up_s: float) -> None:
        self._folder, self._warm_up_s = folder, warm_up_s
        self._known: dict[tuple[str, int], FarTable] = {}
        self._replications = storage.whole(folder)

    def _table(self, name: str, replication: int) -> FarTable:
        # Its checksum is looked at once.
        if (name, replication) not in self._known:
            self._known[name, replication] = FarTable(self._folder, name, replication)
        return self._known[name, replication]

    @cached_property
    def one_in(self) -> int:
        """Of so many tickets one is taken where not all are."""
        count = np.sum([len(self._table("tickets", k)) for k in self._replications])
        return max(1, -(-int(count) // MOST))

    def pieces(self, name: str, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Some columns of a table, and the replication, piece by piece."""
        for number in self._replications:
            for frame in self._table(name, number).frames(columns):
                frame.insert(0, "replication", number)
                yield frame

    def sampled(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Some columns of a table, and the replication, of tickets whose number is a multiple."""
        parts: list[pa.Table] = []
        for number in self._replications:
            table = self._table(name, number)
            for k in range(table.groups):
                rows = table.group(k, [*dict.fromkeys(["ticket_id", *columns])])
                mask = numbers(rows, "ticket_id") % self.one_in == 0
                some = rows.filter(pa.array(mask)).select([*columns])
                which = pa.array(np.full(len(some), number, np.int32))
                parts.append(some.add_column(0, "replication", which))
        frame: pd.DataFrame = pa.concat_tables(parts).unify_dictionaries().to_pandas()
        return frame

    @cached_property
    def _early(self) -> tuple[int, int]:
        """First and last number of the first tickets after warm-up, of the first replication."""
        table, found = self._table("tickets", self._replications[0]), np.zeros(0, np.int64)
        for k in range(table.groups):
            rows = table.group(k, ["ticket_id", "arrived_s"])
            counted = numbers(rows, "arrived_s") >= self._warm_up_s
            found = np.concatenate([found, numbers(rows, "ticket_id")[counted]])[:EARLY]
            if len(found) == EARLY:
                break
        return (int(found[0]), int(found[-1])) if len(found) else (1, 0)

    def early(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Some columns of a table, and the replication, of the first tickets after warm-up."""
        number, (first, last) = self._replications[0], self._early
        table, parts = self._table(name, number), list[pa.Table]()
        for k in range(table.groups):
            rows = table.group(k, [*dict.fromkeys(["ticket_id", *columns])])
            ids = numbers(rows, "ticket_id")
            mask = (ids >= first) & (ids <= last)
            if mask.any() or not parts:
                parts.append(rows.filter(pa.array(mask)).select([*columns]))
        frame: pd.DataFrame = pa.concat_tables(parts).unify_dictionaries().to_pandas()
        frame.insert(0, "replication", number)
        return frame
