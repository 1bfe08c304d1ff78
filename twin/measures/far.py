"""A replication measured from its tables on disk, a part of its tickets at a time.

Figures, checks and levels are those of tables in memory to the last bit: figures are the same
functions (see `twin.measures.totals`), and longer logs in memory are measured in the same parts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twin.measures.balance import Balance
from twin.measures.far_levels import FarLevels
from twin.measures.figures import FiguresOfParts
from twin.measures.levels import level_table
from twin.measures.sanity import checks_of
from twin.records.far_tables import FarTable, parts_of_run
from twin.records.tables import Columns

if TYPE_CHECKING:
    from twin.scenario.model import Scenario

# Tables that are read.
READ = ("tickets", "timeline", "visits", "calls", "ratings", "staffing")


class FarRun:
    """A replication whose tables are on disk.

    Parameters
    ----------
    folder : Path
        Of the run.
    replication : int
    scenario : Scenario
        As played: agents are not told apart, and there are no statuses of its own.
    check : bool
        Whether to look at checksums.
    """

    def __init__(
        self, folder: Path, replication: int, scenario: Scenario, check: bool = True
    ) -> None:
        self._scenario = scenario
        self._tables = {name: FarTable(folder, name, replication, check) for name in READ}
        self._levels = FarLevels(self._tables, scenario)

    def close(self) -> None:
        """Close its files."""
        for table in self._tables.values():
            table.close()

    def levels(self) -> Iterator[pd.DataFrame]:
        """The table levels, as of `twin.measures.levels.levels`, level by level."""
        scenario, at = self._scenario, self._levels.edges
        pools = list(scenario.agents)
        names = [("backlog", -1), ("queue", -1)]
        names += [(kind, k) for kind in ("busy", "staffed") for k in range(len(pools))]
        names += [("in hand", k) for k, p in enumerate(pools) if scenario.agents[p].concurrency > 1]
        names += [("away", k) for k, p in enumerate(pools) if self._levels.has("away", p)]
        for kind, k in names:
            level = self._levels.level(kind, pools[k] if k >= 0 else "")
            yield level_table([(kind, k, level.integral(at))], at, pools)

    def measure(
        self,
        scratch: Path,
        figures: Collection[str] | None = None,
        at: Callable[[float], None] | None = None,
    ) -> tuple[Columns, Columns]:
        """The tables kpis and sanity; see `twin.measures.figures.measure`.

        Parameters
        ----------
        scratch : Path
            An empty folder for files, about 100 bytes a ticket.
        figures : collection of str, optional
        at : callable, optional
            Told the share of the tickets that is measured, after each part.
        """
        scenario, horizon_s = self._scenario, self._scenario.horizon
        found = FiguresOfParts(scenario, self._levels, figures, scratch)
        balance = Balance(scenario, self._levels)
        count, done, part = len(self._tables["tickets"]), 0, None
        for part in parts_of_run(self._tables, horizon_s, scenario.assistant.backend):
            with np.errstate(invalid="ignore"):
                found.add(part)
            balance.add(part)
            done += len(part.tickets)
            if at is not None:
                at(done / max(count, 1))
        assert part is not None
        return found.table(part), checks_of(balance, horizon_s)
