"""A run as the report reads it: its scenario, its figures, its tables a few columns at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin.common.files import read_json
from twin.common.text import amount, estimate
from twin.records import export, storage
from twin.report.far_source import FarSource
from twin.scenario.model import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twin.experiments.results import Results, Run


@dataclass(frozen=True)
class Source:
    """One scenario's run.

    Attributes
    ----------
    results : Results
    run : Run
    summary : DataFrame
        Its figures over the replications, from `Results.summary`.
    averaged : bool
        Whether lines over time are means over replications; of a history there is one.
    gaps : sequence of (float, float)
        Stretches without data, seconds since the start: lines over time leave them out.
    """

    results: Results
    run: Run
    summary: pd.DataFrame
    averaged: bool = True
    gaps: Sequence[tuple[float, float]] = ()

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return self.run.scenario

    @property
    def manifest(self) -> Any:
        """The scenario as run, seed, versions and more."""
        return self.run.manifest

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario as run; its files are not read, as they may be gone."""
        return Scenario.model_validate(self.manifest["scenario_as_run"])

    def table(
        self, name: str, columns: Sequence[str], replication: int | None = None
    ) -> pd.DataFrame:
        """Some columns of a table, and the replication; of one or all replications.

        Raises
        ------
        ValueError
            If the tables were neither saved nor kept, or a file is damaged.
        """
        if self.run.path is not None:
            wanted = [(self.name, self.run.path)]
            frame = storage.read_table(wanted, name, columns, replication)
            return frame.drop(columns="scenario")
        frame = self.results.table(name)
        rows = frame["scenario"] == self.name
        if replication is not None:
            rows &= frame["replication"] == replication
        return frame.loc[rows, ["replication", *columns]]

    @cached_property
    def _far(self) -> FarSource | None:
        """Its tables, where they may not fit in memory: those of a streamed run."""
        if self.run.path is None or not self.manifest.get("streamed"):
            return None
        return FarSource(self.run.path, self.scenario.warm_up)

    def pieces(self, name: str, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        """Some columns of a table, and the replication, piece by piece; raises as `table`."""
        if self._far is not None:
            return self._far.pieces(name, columns)
        return iter([self.table(name, columns)])

    @property
    def one_in(self) -> int:
        """Of so many tickets `sampled` takes one: 1, but of long runs that were streamed."""
        return 1 if self._far is None else self._far.one_in

    def sampled(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """A table as of `table`, of one in so many tickets, evenly spread."""
        return self.table(name, columns) if self._far is None else self._far.sampled(name, columns)

    def early(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """A table of the first replication as of `table`; of a streamed run the first tickets."""
        if self._far is not None:
            return self._far.early(name, columns)
        return self.table(name, columns, replication=self.first or 0)

    @property
    def first(self) -> int | None:
        """The first replication that is whole."""
        of = self.results.kpis["scenario"] == self.name
        numbers = self.results.kpis.loc[of, "replication"]
        return int(numbers.min()) if len(numbers) else None

    def texts(self) -> dict[int, dict[str, Any]]:
        """The first tickets of replication 0 in the shape of exports, by number."""
        path = self.run.path
        if path is None:
            try:
                entries = export.ticket_entries(self.results.log(self.name, 0), 10_000)
            except KeyError:
                entries = []
        else:
            try:
                entries = read_json(path / "tickets.json", "the tickets of a run")
                return {int(entry["ticket_id"]): entry for entry in entries}
            except (OSError, ValueError, TypeError, KeyError):
                entries = []
        return {int(entry["ticket_id"]): entry for entry in entries}

    def row(self, kpi: str, group: str = "") -> dict[str, Any] | None:
        """A figure, if it was counted."""
        rows = self.summary
        of = (rows["kpi"] == kpi) & (rows["group"] == group) & rows["value"].notna()
        found: list[dict[str, Any]] = rows[of].to_dict("records")  # type: ignore[assignment]
        return found[0] if found else None

    def any(self, kpi: str) -> bool:
        """True if a figure was counted and is not 0."""
        row = self.row(kpi)
        return row is not None and row["value"] != 0

    def said(self, kpi: str, group: str = "") -> str | None:
        """A figure with its interval, in words; None where nothing was counted."""
        row = self.row(kpi, group)
        return None if row is None else estimate(row)

    def value(self, kpi: str, group: str = "") -> str:
        """A figure in words, without its interval; "-" where nothing was counted."""
        row = self.row(kpi, group)
        return "-" if row is None else amount(row["value"], row["unit"])
