"""A replication that is never in memory as a whole: played to its tables, and measured from them.

Tickets come in blocks, and what is over goes to Parquet; figures, checks and levels are made of
the tables, a part of the tickets at a time. All results are those of a replication in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa

from twin.demand.blocks import DemandInBlocks
from twin.desk.compiled.coverage import why_not_in_blocks
from twin.desk.engines import EngineError
from twin.measures.far import READ, FarRun
from twin.records import export, storage
from twin.records.columns import TABLES
from twin.records.far_tables import FarTable
from twin.records.row_groups import RowGroups
from twin.records.tables import Columns, RunLog
from twin.scenario.model import Scenario

# Tickets of a replication from which it is streamed by itself: 300 MB or more in memory, and as
# much again while it is measured.
FROM = 1_000_000
# Share of the time that playing takes, about; the rest is measuring.
_PLAYING = 0.6


def streams(
    scenario: Scenario, wanted: bool | None, engine: str, tickets: float, keeps: str
) -> bool:
    """True if replications are streamed.

    Parameters
    ----------
    scenario : Scenario
    wanted : bool, optional
        By default a replication of more than `FROM` tickets is, where it can be.
    engine : str
        That plays it.
    tickets : float
        Expected in a replication.
    keeps : str
        What takes its log in memory, in words; empty: nothing.

    Raises
    ------
    EngineError
        If it is wanted and cannot be.
    """
    if wanted is False or (wanted is None and tickets <= FROM):
        return False
    reason = keeps
    if not reason and engine != "compiled":
        reason = "it takes the compiled engine"
    if not reason and (why := why_not_in_blocks(scenario)) is not None:
        reason = f"it does not cover {why}"
    if reason and wanted:
        raise EngineError(f"{scenario.name}: this run cannot be streamed: {reason}")
    return not reason


@dataclass(frozen=True)
class Streamed:
    """A replication whose tables are on disk: figures, checks, and notes for the reader."""

    kpis: Columns
    sanity: Columns
    notes: list[str]


def play_streamed(
    scenario: Scenario,
    demand: DemandInBlocks,
    folder: Path,
    tables: Sequence[str],
    at: Callable[[str], None],
    told: Callable[[float], None] | None = None,
) -> Streamed:
    """Play a replication to its tables and measure it; all but the tables sanity and kpis is saved.

    Parameters
    ----------
    scenario : Scenario
        As played.
    demand : DemandInBlocks
    folder : Path
        Of the run.
    tables : sequence of str
        Tables that are kept.
    at : callable
        Told the stage that begins.
    told : callable, optional
        Told the share of the work that is done.
    """
    # It takes numba, which takes half a second to import.
    from twin.desk.compiled.play import write

    told = told or (lambda share: None)
    number = demand.replication
    at("simulate")
    notes = write(scenario, demand, folder, at=lambda share: told(share * _PLAYING))
    at("measure")
    # What is in it is gone with the context; with a kill it stays, under a name of unfinished work.
    with TemporaryDirectory(prefix=".measuring-", suffix=".part", dir=folder) as scratch:
        run = FarRun(folder, number, scenario, check=False)
        kpis, checks = run.measure(
            Path(scratch), at=lambda share: told(_PLAYING + share * (1 - _PLAYING))
        )
    at("save")
    if "levels" in tables:
        with RowGroups(folder, "levels", number) as part:
            for frame in run.levels():
                part.add(frame)
    if number == 0:
        texts = bool(scenario.tickets.corpus or scenario.arrivals.trace)
        first = _first(demand, folder, scenario.assistant.backend)
        notes += export.write_first(first, folder, tables, private=texts)
    run.close()
    for table in {*READ, "learning", "answers"} - {*tables}:
        storage.part_path(folder, table, number).unlink(missing_ok=True)
    return Streamed(kpis, checks, notes)


def _first(demand: DemandInBlocks, folder: Path, backend: str) -> RunLog:
    """The first tickets with their ratings, and all answers."""
    number, most = demand.replication, export.MAX_JSON_TICKETS + 1
    found: dict[str, Any] = {}
    for name in ("tickets", "ratings"):
        table = FarTable(folder, name, number, check=False)
        columns = [column.name for column in TABLES[name]]
        parts = [table.without_rows(columns)]
        for k in range(table.groups):
            early = table.numbers(k, "ticket_id") <= most
            if early.any():
                parts.append(table.group(k, columns).filter(pa.array(early)))
        found[name] = pa.concat_tables(parts).unify_dictionaries().to_pandas()
    answers = storage.read_part(storage.part(folder, "answers", number)).to_pandas()
    none = pd.DataFrame()
    return RunLog(
        0.0, timeline=none, visits=none, calls=none, answers=answers, learning=none,
        texts=demand.texts, backend=backend, **found,
    )  # fmt: skip
