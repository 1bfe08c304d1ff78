"""Tables of a run in blocks, written to files as they come: nothing is kept but what is under way.

The table tickets comes last: a ticket of the first day may be under way for long. Until then what
became of tickets lies in a file of rows, beside the parts; a byte a ticket is kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from twin.demand.blocks import DemandInBlocks
from twin.demand.luck import Ints
from twin.desk.compiled.columns import LEDGER, Array
from twin.desk.customers import ALL_COMMENTS
from twin.desk.ledger import Ledger, answer_table, drawn
from twin.desk.names import Names
from twin.desk.ticket_table import OUTCOMES, ticket_table
from twin.records.row_groups import RowGroups
from twin.records.storage import write_part
from twin.scenario.model import Scenario

_DRAWN = (("arrived_s", "f8"), ("text", "i4"), ("category", "i2"), ("priority", "i1"),
          ("channel", "i2"))  # fmt: skip
_CAME = [name for name, _ in _DRAWN]
_BECAME = [name for name, _ in OUTCOMES]
# The category that a ticket has and the one that it gets have one name.
_ROW = np.dtype([(f"drawn {name}", kind) for name, kind in _DRAWN] + list(OUTCOMES))
_AT_ONCE = 100_000


class Filed:
    """Tables that are written; make it with `filing`.

    Parameters
    ----------
    scenario : Scenario
    ledger : Ledger
        It knows the columns.
    pools : list of str
    names : Names
    most : int
        No more tickets come.
    parts : dict of str to RowGroups
        By table.
    rows : Path
        A file for rows of tickets.
    """

    def __init__(
        self,
        scenario: Scenario,
        ledger: Ledger,
        pools: list[str],
        names: Names,
        most: int,
        parts: dict[str, RowGroups],
        rows: Path,
    ) -> None:
        self._scenario, self._ledger = scenario, ledger
        self._pools, self._names = pools, names
        self._parts, self._rows = parts, rows
        self._latest = np.full(most, -1, np.int8)
        self._come = 0
        self._without_rows = set(LEDGER)

    def come(self, demand: DemandInBlocks) -> None:
        """Take the tickets of a block, as they come."""
        rows = np.zeros(len(demand), _ROW)
        for name, values in drawn(demand).items():
            rows[f"drawn {name}"] = values
        with self._rows.open("ab") as file:
            file.write(rows.tobytes())
        self._come = demand.come

    def over(self, numbers: Ints, tickets: Mapping[str, Array]) -> None:
        """Take tickets that are over."""
        # Neighbours are written together; a ticket from long ago is far from the others.
        cuts = np.flatnonzero(np.diff(numbers) > 1000) + 1
        for here in np.split(np.arange(len(numbers)), cuts):
            if not len(here):
                continue
            first, last = int(numbers[here[0]]), int(numbers[here[-1]])
            with self._rows.open("rb+") as file:
                file.seek(first * _ROW.itemsize)
                rows = np.frombuffer(bytearray(file.read((last + 1 - first) * _ROW.itemsize)), _ROW)
                for name in _BECAME:
                    rows[name][numbers[here] - first] = tickets[name][here]
                file.seek(first * _ROW.itemsize)
                file.write(rows.tobytes())

    def rows(self, table: str, rows: Array) -> None:
        """Take rows that follow those taken before."""
        if table == "timeline":
            self._latest[rows["ticket"]] = rows["status"]
        self._without_rows.discard(table)
        self._ledger.put(table, rows)
        self._parts[table].add(self._frame(table))

    def _frame(self, table: str) -> pd.DataFrame:
        return self._ledger.table(
            table, self._pools, self._names, ALL_COMMENTS, self._scenario.models
        ).frame()

    def end(self, folder: Path, replication: int) -> None:
        """Write what is known at the end of the run: tickets, and what the assistant wrote."""
        for table in self._without_rows:
            # It has the names of what could have been in it.
            self._parts[table].add(self._frame(table))
        new, written = self._names.renumbered()
        of = self._ledger.demand
        with self._rows.open("rb") as file:
            for first in range(0, self._come, _AT_ONCE):
                data = file.read(_AT_ONCE * _ROW.itemsize)
                rows = np.frombuffer(bytearray(data), _ROW)
                came = {name: rows[f"drawn {name}"] for name in _CAME}
                became = {name: rows[name] for name in _BECAME}
                answer = became["answer"]
                answer[answer >= 0] = new[answer[answer >= 0]]
                latest = self._latest[first : first + len(rows)]
                made = ticket_table(came, became, latest, of.categories, of.channels, first)
                self._parts["tickets"].add(made.frame())
        write_part(folder, "answers", replication, answer_table(tuple(written)).frame())
        write_part(folder, "learning", replication, self._frame("learning"))


@contextmanager
def filing(
    folder: Path,
    replication: int,
    scenario: Scenario,
    ledger: Ledger,
    pools: list[str],
    names: Names,
    most: int,
) -> Iterator[Filed]:
    """Write the tables of a replication; they are there when all are whole.

    Parameters as of `Filed`.
    """
    with ExitStack() as stack:
        # Beside the parts, and gone with the context: it is never whole.
        rows = folder / f".tickets-r{replication:04d}.part"
        stack.callback(lambda: rows.unlink(missing_ok=True))
        rows.write_bytes(b"")
        parts = {
            name: stack.enter_context(RowGroups(folder, name, replication))
            for name in ("tickets", *LEDGER)
        }
        filed = Filed(scenario, ledger, pools, names, most, parts, rows)
        yield filed
        filed.end(folder, replication)
