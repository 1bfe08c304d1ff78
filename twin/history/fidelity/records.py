"""Records of a desk from a folder: those of a run that stands in for a history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from twin.experiments.results import open_results
from twin.history.desk_history import holds_history, open_history
from twin.records.columns import TABLES
from twin.records.tables import RunLog
from twin.scenario.model import Scenario, from_data


class Recorded(Protocol):
    """Records of a desk: tables as of a run, and the scenario that says when they start."""

    @property
    def log(self) -> RunLog:
        """The tables."""

    @property
    def desk(self) -> Scenario | Mapping[str, Any]:
        """Start, time zone, and what else is known of the desk; a scenario or its plain data."""


@dataclass(frozen=True)
class Records:
    """Records of a desk that are in memory, such as a run that stands in for a history.

    Attributes
    ----------
    log : RunLog
    desk : Scenario or mapping
    gaps : tuple of date
        Days without data.
    """

    log: RunLog
    desk: Scenario | Mapping[str, Any]
    gaps: tuple[date, ...] = ()


def open_records(path: str | Path) -> Recorded:
    """Records of a desk from a folder: a history, or the first replication of a run.

    Raises
    ------
    ValueError
        If the folder holds neither.
    """
    if holds_history(Path(path)):
        return open_history(path)
    results = open_results(path)
    (run,) = results.runs
    found: dict[str, Any] = {}
    for name in ("tickets", "timeline", "visits", "calls", "ratings", "answers", "learning"):
        table = results.table(name)
        first = table[table["replication"] == 0]
        found[name] = first[[c.name for c in TABLES[name]]].reset_index(drop=True)
    desk = from_data(run.manifest["scenario_as_run"])
    return Records(RunLog(horizon_s=desk.horizon, **found), desk)
