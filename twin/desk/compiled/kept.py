"""Tables of a run in blocks, kept in memory as columns that grow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from twin.common.pages import Pages
from twin.demand.blocks import DemandInBlocks
from twin.demand.luck import Ints
from twin.demand.tickets import Demand
from twin.desk.compiled.columns import LEDGER, Array
from twin.desk.customers import ALL_COMMENTS
from twin.desk.ledger import Ledger, answer_table, drawn
from twin.desk.names import Names
from twin.desk.ticket_table import OUTCOMES, ticket_table
from twin.records.columns import TABLES
from twin.records.tables import Columns, RunLog
from twin.scenario.model import OwnModel


class Kept:
    """Tables that grow.

    Parameters
    ----------
    demand : Demand
        All tickets.
    ledger : Ledger
        It knows the columns.
    pools : list of str
    names : Names
    own : mapping of str to OwnModel, optional
        The scenario's own models.
    """

    def __init__(
        self,
        demand: Demand,
        ledger: Ledger,
        pools: list[str],
        names: Names,
        own: Mapping[str, OwnModel] | None = None,
    ) -> None:
        self._demand, self._ledger, self._own = demand, ledger, own
        self._pools, self._names = pools, names
        n = len(demand)
        self._became = {name: np.empty(n, kind) for name, kind in OUTCOMES}
        self._latest = np.full(n, -1, np.int8)
        # By table and column; and the names behind codes, of which there may be more with time.
        self._columns: dict[str, dict[str, Growing]] = defaultdict(dict)
        self._named: dict[tuple[str, str], Any] = {}

    def come(self, demand: DemandInBlocks) -> None:
        """All tickets are here already."""

    def over(self, numbers: Ints, tickets: Mapping[str, Array]) -> None:
        """Take tickets that are over."""
        for name, column in self._became.items():
            column[numbers] = tickets[name]

    def rows(self, table: str, rows: Array) -> None:
        """Take rows that follow those taken before."""
        if table == "timeline":
            self._latest[rows["ticket"]] = rows["status"]
        self._add(table, rows)

    def _add(self, table: str, rows: Array) -> None:
        self._ledger.put(table, rows)
        made = self._ledger.table(table, self._pools, self._names, ALL_COMMENTS, self._own)
        columns = self._columns[table]
        for column in TABLES[table]:
            values = made[column.name]
            if isinstance(values, pd.Categorical):
                self._named[table, column.name] = values.dtype
                values = values.codes
            if column.name not in columns:
                columns[column.name] = Growing(8 * len(self._demand))
            columns[column.name].add(np.asarray(values))

    def _table(self, table: str) -> Columns:
        if table not in self._columns:
            self._add(table, self._ledger.rows(table))
        columns = Columns()
        for name, column in self._columns.pop(table).items():
            named = self._named.get((table, name))
            columns[name] = column.whole()
            if named is not None:
                columns[name] = pd.Categorical.from_codes(columns[name], dtype=named)
        return columns

    def log(self, horizon_s: float, notes: list[str], backend: str) -> RunLog:
        """All of it."""
        demand, (new, written) = self._demand, self._names.renumbered()
        answer = self._became["answer"]
        answer[answer >= 0] = new[answer[answer >= 0]]
        tables: dict[str, Any] = {name: self._table(name) for name in LEDGER}
        return RunLog(
            horizon_s=horizon_s,
            tickets=ticket_table(
                drawn(demand), self._became, self._latest, demand.categories, demand.channels
            ),
            learning=self._ledger.table("learning", self._pools, self._names, ALL_COMMENTS),
            answers=answer_table(tuple(written)),
            texts=demand.texts,
            notes=tuple(notes),
            backend=backend,
            **tables,
        )


class Growing:
    """A column to which values are added; it takes memory for those that are there alone.

    Parts put together at the end would be there twice, and leave holes in memory.

    Parameters
    ----------
    room : int
        Values for which there is room without a copy.
    """

    def __init__(self, room: int) -> None:
        self._room, self._used = room, 0
        self._pages = Pages(0, np.int8)

    def add(self, values: Array) -> None:
        """Add values behind those that are there."""
        there = self._used + len(values)
        if there > len(self._pages.array) or self._pages.array.dtype != values.dtype:
            old = self.whole()
            self._room = max(self._room, 2 * there)
            self._pages = Pages(
                self._room, np.promote_types(old.dtype, values.dtype) if len(old) else values.dtype
            )
            self._pages.array[: self._used] = old
        self._pages.array[self._used : there] = values
        self._used = there

    def whole(self) -> Array:
        """All values; none may be added after that."""
        return self._pages.array[: self._used]
