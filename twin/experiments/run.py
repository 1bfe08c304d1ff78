"""Replications of scenarios: played in this process or in workers, saved as they finish.

A replication is a pure function of its scenario (with the seed in it) and its number, so results
are the same whatever the number of workers. One that raises becomes a row in the failures.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.desk.engines import engine_of
from twin.experiments import engine as places
from twin.experiments import manifest as provenance
from twin.experiments.checks import check, check_recording
from twin.experiments.checks import notes as unused_inputs
from twin.experiments.replication import Outcome, Played, Task, asks_live, lost, play, replicate
from twin.experiments.results import Results, Run
from twin.measures.figures import figure_of
from twin.measures.theory import erlang_bounds
from twin.records import storage
from twin.records.columns import RUN_TABLES
from twin.records.tables import RunLog
from twin.scenario.model import Scenario
from twin.stats import sequential

__all__ = ["Interrupted", "Played", "play", "run"]

Progress = Callable[[int, int], None]
_LUCK_ALONE = (
    "precision is that of luck alone: what the history or stated assumptions leave open comes on "
    "top, whatever the number of replications"
)


class Interrupted(KeyboardInterrupt):
    """Runs that were cut short; the text says what is whole and where."""


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
    # Notes on parts of its files that are not used.
    unused: tuple[str, ...] = ()

    def begin(self, out: Path | None) -> None:
        scenario = self.scenario
        self.manifest = {
            "scenario": scenario.name,
            "question": scenario.question,
            "status": "running",
            "seed": scenario.seed,
            "replications": {"asked": self.asked, "whole": 0, "failed": 0},
            "engine": self.engine,
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
            "tables": list(RUN_TABLES),
            "scenario_as_run": scenario.as_data(),
            "base": provenance.base(scenario),
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
        return sum(outcome.failure is None for outcome in self.outcomes)

    @property
    def failed(self) -> int:
        return len(self.outcomes) - self.whole

    @property
    def notes(self) -> tuple[str, ...]:
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
            outcome.kpis[outcome.kpis["kpi"].isin(names)].assign(replication=outcome.replication)
            for outcome in sorted(outcomes, key=lambda outcome: outcome.replication)
            if outcome.kpis is not None
        ]
        return pd.concat(frames)

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


def run(
    scenarios: Scenario | Sequence[Scenario],
    replications: int | None = None,
    workers: int = 1,
    seed: int | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    *,
    precision: Mapping[str, float] | None = None,
    max_replications: int = sequential.MAX_REPLICATIONS,
    keep_logs: bool = False,
    event_log: bool = False,
    cluster: str | None = None,
    engine: str = "simpy",
) -> Results:
    """Play scenarios, each as often as it says, and measure.

    Parameters
    ----------
    scenarios : Scenario or sequence of Scenario
        With different names.
    replications, seed : int, optional
        Instead of the scenarios' own. The same seed in all means common random numbers.
    workers : int
        Processes; 1 plays everything in this one. Results do not depend on it. Calls of a live
        model are made by this process, whatever workers or cluster there are: there is one pace to
        keep, and one recording to write.
    out : path, optional
        Folder of results; each scenario's run gets a new folder in it. By default nothing is saved.
    progress : callable, optional
        Called with the replications done and all of them (so far), after each.
    precision : mapping of str to float, optional
        Half-width of the 95 % interval wanted by figure ("service_level") or figure and group
        ("service_level:urgent"), in the figure's unit. Replications are added until it is reached;
        the scenario's own number, 10 or more, is the first stage. See `twin.stats.sequential` for
        what is promised. The notes say what was reached.
    max_replications : int
        With `precision`: never more than these for a scenario.
    keep_logs : bool
        Keep the tables in memory, for `Results.table` and `Results.log` without a folder.
    event_log : bool
        Also write an event log of each replication, as CSV and XES (with `out`).
    cluster : str, optional
        Address of a Dask scheduler: its workers play instead, and reach `out` by the same path.
    engine : str
        "simpy", "compiled" or "auto": see `twin.simulate`. The manifest says which one played.

    Returns
    -------
    Results

    Raises
    ------
    ScenarioError
        If a scenario cannot run; nothing is played then.
    ValueError
        If a precision names no figure or is not above 0, or the engine cannot play (EngineError).
    Interrupted
        On Ctrl-C; what was whole by then stays in its folder.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> results = twin.run(desk, replications=3)
    >>> [(run.scenario, run.status, run.whole) for run in results.runs]
    [('scenario', 'complete', 3)]
    """
    if workers < 1:
        raise ValueError("workers must be 1 or more")
    _check_precision(precision or {}, max_replications)
    desks = _prepare(scenarios, replications, seed)
    runs = [_in_progress(desk, precision, max_replications) for desk in desks]
    for one in runs:
        one.engine = engine_of(one.scenario, engine)
    workers = max(1, min(workers, sum(one.asked for one in runs if not one.live)))
    done = 0
    try:
        for one in runs:
            one.workers = 1 if one.live else workers if cluster is None else None
            one.begin(None if out is None else Path(out))
        while any(one.status == "running" for one in runs):
            tasks = [
                Task(number, one.scenario, k, one.folder, keep_logs, event_log, one.engine)
                for number, one in enumerate(runs)
                for k in range(len(one.outcomes), one.asked)
            ]
            # Closed before anything is swept up: no worker writes after that.
            files = [path for one in runs if not one.live for path in one.read]
            played = places.each(
                replicate, tasks, workers, lost, cluster, here=asks_live, files=files
            )
            with closing(played) as outcomes:
                for outcome in outcomes:
                    runs[outcome.number].add(outcome)
                    done += 1
                    if progress is not None:
                        progress(done, sum(one.asked for one in runs))
    except KeyboardInterrupt:
        _end_all(runs, "interrupted")
        raise Interrupted(_what_is_left(runs)) from None
    except BaseException:
        _end_all(runs, "failed")
        raise
    return _results(runs)


def _in_progress(desk: Scenario, precision: Mapping[str, float] | None, most: int) -> RunInProgress:
    unused = tuple(unused_inputs(desk))
    if not precision:
        return RunInProgress(desk, workers=1, asked=desk.replications, unused=unused)
    if desk.uncertainty is not None:
        unused += (_LUCK_ALONE,)
    first = min(max(desk.replications, sequential.FIRST_STAGE), most)
    return RunInProgress(
        desk, workers=1, asked=first, aim=_Aim(dict(precision), first, most), unused=unused
    )


def _check_precision(precision: Mapping[str, float], most: int) -> None:
    for name, half_width in precision.items():
        figure_of(name)
        if not (half_width > 0 and math.isfinite(half_width)):
            raise ValueError(f"precision of {name}: the half-width must be above 0")
    if precision and most < sequential.FIRST_STAGE:
        raise ValueError(f"a precision needs at least {sequential.FIRST_STAGE} replications")


def _prepare(
    scenarios: Scenario | Sequence[Scenario], replications: int | None, seed: int | None
) -> list[Scenario]:
    given = [scenarios] if isinstance(scenarios, Scenario) else list(scenarios)
    changes = {"replications": replications, "seed": seed}
    changes = {key: value for key, value in changes.items() if value is not None}
    desks = [desk.vary(changes, name=desk.name) if changes else desk for desk in given]
    names = [desk.name for desk in desks]
    for desk in desks:
        if names.count(desk.name) > 1:
            raise ScenarioError(desk.name, [Fault("name", "two scenarios have this name")])
        check(desk)
        check_recording(desk)
    return desks


def _end_all(runs: list[RunInProgress], status: str) -> None:
    for one in runs:
        if one.status == "running":
            # The error that ends all of them is told, not that one could not be written any more.
            with suppress(OSError):
                one.end(status)


def _what_is_left(runs: list[RunInProgress]) -> str:
    lines = []
    for one in runs:
        asked = one.asked
        where = f"in {one.folder}" if one.folder else "nothing was kept"
        whole = len(storage.whole(one.folder)) if one.folder else 0
        name = one.scenario.name
        lines.append(f"{name}: {one.status}, {whole} of {asked} replications are whole, {where}")
    return "\n".join(lines)


def _results(runs: list[RunInProgress]) -> Results:
    kpis, checks, failures = [], [], []
    logs: dict[tuple[str, int], tuple[RunLog, pd.DataFrame]] = {}
    for one in runs:
        name = one.scenario.name
        for outcome in sorted(one.outcomes, key=lambda outcome: outcome.replication):
            k = outcome.replication
            if outcome.kpis is not None:
                kpis.append((name, storage.as_arrow("kpis", k, outcome.kpis)))
            if outcome.sanity is not None:
                checks.append((name, storage.as_arrow("sanity", k, outcome.sanity)))
            if outcome.failure is not None:
                failures.append((name, storage.as_arrow("failures", k, outcome.failure)))
            if outcome.log is not None:
                logs[name, k] = outcome.log
    return Results(
        storage.join(kpis, "kpis"),
        storage.join(failures, "failures"),
        tuple(one.run() for one in runs),
        logs,
        storage.join(checks, "sanity"),
    )
