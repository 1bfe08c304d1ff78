"""Runs under way: their folders, their manifests, and what has come back of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from twin.experiments import manifest as provenance
from twin.experiments.checks import notes as unused_inputs
from twin.experiments.replication import Outcome
from twin.experiments.results import Run
from twin.measures.figures import figure_of
from twin.measures.theory import erlang_bounds
from twin.records import storage
from twin.records.columns import RUN_TABLES
from twin.scenario.model import Scenario
from twin.stats import sequential

_LUCK_ALONE = (
    "precision is that of luck alone: what the history or stated assumptions leave open comes on "
    "top, whatever the number of replications"
)


@dataclass
class RunInProgress:
    """One scenario's run while it is played: its folder, its manifest, and what has come back."""

    scenario: Scenario
    # On a cluster its workers count, which nobody asked of here.
    workers: int | None
    folder: Path | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    manifest: dict[str, Any] = field(default_factory=dict)
    status: str = "running"
    asked: int = 0
    aim: _Aim | None = None
    engine: str = "simpy"
    tables: tuple[str, ...] = RUN_TABLES
    stream: bool = False
    # Notes on parts of its files that are not used.
    unused: tuple[str, ...] = ()

    def begin(self, out: Path | None) -> None:
        """Write its manifest down, in a new folder below `out`, if there is one."""
        scenario = self.scenario
        self.manifest = {
            "scenario": scenario.name,
            "question": scenario.question,
            "status": "running",
            "seed": scenario.seed,
            "replications": {"asked": self.asked, "whole": 0, "failed": 0},
            "engine": self.engine,
            "streamed": self.stream,
            "place": "local processes" if self.workers else "Dask cluster",
            "workers": self.workers,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_time_s": None,
            "versions": provenance.versions(),
            "commit": provenance.commit(),
            "pairs_by": provenance.pairs_by(scenario),
            "files": provenance.file_hashes(scenario),
            "raters": provenance.raters(scenario),
            "notes": [],
            "tables": list(self.tables),
            "scenario_as_run": scenario.as_data(),
            "base": provenance.base(scenario),
            "read_from": provenance.read_from(scenario),
            "erlang_bounds": erlang_bounds(scenario),
        }
        if out is not None:
            digest = provenance.scenario_digest(scenario)
            folder = storage.new_run_folder(out, scenario.name, digest)
            try:
                storage.write_manifest(folder, self.manifest)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self.folder = folder

    def add(self, outcome: Outcome) -> None:
        """Take in a replication; with the last one asked for, ask for more or end."""
        self.outcomes.append(outcome)
        if len(self.outcomes) < self.asked:
            return
        if self.aim is not None and self.whole:
            self.asked = self.aim.wanted(self.outcomes)
            if len(self.outcomes) < self.asked:
                return
            self.manifest["precision"] = self.aim.reached(self.outcomes)
        self.end("complete" if self.whole else "failed")

    @property
    def live(self) -> bool:
        """True if it calls a live model: then this process plays it, whatever workers there are."""
        return self.scenario.assistant.asks_live

    @property
    def read(self) -> list[Path]:
        """Files and folders that its replications read, and one in the folder they write to."""
        written = [self.folder / storage.MANIFEST] if self.folder else []
        return [*provenance.named_files(self.scenario).values(), *written]

    @property
    def whole(self) -> int:
        """Replications that came back with figures."""
        return sum(outcome.failure is None for outcome in self.outcomes)

    @property
    def failed(self) -> int:
        """Replications that raised."""
        return len(self.outcomes) - self.whole

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that the reader of its results needs, each once."""
        ordered = sorted(self.outcomes, key=lambda outcome: outcome.replication)
        notes = dict.fromkeys(note for outcome in ordered for note in outcome.notes)
        found = self.manifest.get("precision", {}).get("found", ())
        return (*self.unused, *notes, *found)

    def end(self, status: str) -> None:
        """Settle the status and write it down; of a run cut short keep what is whole."""
        self.status = status
        if self.folder is None:
            return
        if status == "interrupted":
            storage.sweep(self.folder)
            if not self.folder.exists():
                self.folder = None
                return
        whole = len(storage.whole(self.folder))
        self.manifest |= {
            "status": status,
            "replications": {
                "asked": self.asked,
                "whole": whole,
                "failed": self.failed,
            },
            "wall_time_s": round(time.monotonic() - self.begun, 3),
            "notes": list(self.notes),
        }
        storage.write_manifest(self.folder, self.manifest)

    def run(self) -> Run:
        """Facts about it for its results."""
        return Run(
            scenario=self.scenario.name,
            question=self.scenario.question,
            status=self.status,
            asked=self.asked,
            whole=self.whole,
            failed=self.failed,
            path=self.folder,
            notes=self.notes,
            manifest=self.manifest,
        )


@dataclass(frozen=True)
class _Aim:
    """Precision wanted of some figures; the rule is `twin.stats.sequential`'s."""

    precision: Mapping[str, float]
    first: int
    most: int

    @property
    def by_figure(self) -> dict[tuple[str, str], float]:
        """Half-widths by figure and group."""
        return {figure_of(name): wanted for name, wanted in self.precision.items()}

    def _kpis(self, outcomes: Sequence[Outcome]) -> pd.DataFrame:
        names = {kpi for kpi, _ in self.by_figure}
        frames = [
            outcome.kpis.frame().assign(replication=outcome.replication)
            for outcome in sorted(outcomes, key=lambda outcome: outcome.replication)
            if outcome.kpis is not None
        ]
        found = pd.concat(frames)
        return found[found["kpi"].isin(names)]

    def wanted(self, outcomes: Sequence[Outcome]) -> int:
        kpis, played = self._kpis(outcomes), len(outcomes)
        rule = sequential.wanted_replications
        return rule(kpis, self.by_figure, played, self.first, self.most)

    def reached(self, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        table = sequential.reached(self._kpis(outcomes), self.by_figure)
        return {
            "wanted": dict(self.precision),
            "first_stage": self.first,
            "max_replications": self.most,
            "found": sequential.sentences(table),
        }


def under_way(desk: Scenario, precision: Mapping[str, float] | None, most: int) -> RunInProgress:
    """The run of a scenario before it begins; with `precision`, its first stage."""
    unused = tuple(unused_inputs(desk))
    if not precision:
        return RunInProgress(desk, workers=1, asked=desk.replications, unused=unused)
    if desk.uncertainty is not None:
        unused += (_LUCK_ALONE,)
    first = min(max(desk.replications, sequential.FIRST_STAGE), most)
    return RunInProgress(
        desk, workers=1, asked=first, aim=_Aim(dict(precision), first, most), unused=unused
    )
