"""Replications of scenarios: played in this process or in workers, saved as they finish.

A replication is a pure function of its scenario (with the seed in it) and its number, so results
are the same whatever the number of workers. One that raises becomes a row in the failures.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from twin import provenance, storage
from twin.checks import check
from twin.faults import Fault, ScenarioError
from twin.records import RunLog
from twin.replication import Outcome, Played, Task, play, replicate
from twin.results import Results, Run
from twin.scenario import Scenario

__all__ = ["Interrupted", "Played", "play", "run"]

Progress = Callable[[int, int], None]


class Interrupted(KeyboardInterrupt):
    """A study that was cut short; its text says what is whole and where."""


@dataclass
class _Study:
    """One scenario on its way: its folder, its manifest, and what has come back."""

    scenario: Scenario
    workers: int
    folder: Path | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)
    manifest: dict[str, Any] = field(default_factory=dict)
    status: str = "running"

    def begin(self, out: Path) -> None:
        scenario = self.scenario
        self.folder = storage.new_run_folder(
            out, scenario.name, provenance.scenario_digest(scenario)
        )
        self.manifest = {
            "scenario": scenario.name,
            "question": scenario.question,
            "status": "running",
            "seed": scenario.seed,
            "replications": {"asked": scenario.replications, "whole": 0, "failed": 0},
            "workers": self.workers,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_time_s": None,
            "versions": provenance.versions(),
            "commit": provenance.commit(),
            "files": provenance.file_hashes(scenario),
            "notes": [],
            "scenario_as_run": scenario.as_data(),
        }
        storage.write_manifest(self.folder, self.manifest)

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
        return tuple(notes)

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
                "asked": self.scenario.replications,
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
            asked=self.scenario.replications,
            whole=self.whole,
            failed=self.failed,
            path=self.folder,
            notes=self.notes,
        )


def run(
    scenarios: Scenario | Sequence[Scenario],
    replications: int | None = None,
    workers: int = 1,
    seed: int | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    *,
    keep_logs: bool = False,
    event_log: bool = False,
) -> Results:
    """Play scenarios, each as often as it says, and measure.

    Parameters
    ----------
    scenarios : Scenario or sequence of Scenario
        With different names.
    replications, seed : int, optional
        Instead of the scenarios' own. The same seed in all means common random numbers.
    workers : int
        Processes; 1 plays everything in this one. Results do not depend on it.
    out : path, optional
        Folder of results; each scenario's run gets a new folder in it. By default nothing is saved.
    progress : callable, optional
        Called with the replications done and all of them, after each.
    keep_logs : bool
        Keep the tables in memory, for `Results.table` and `Results.log` without a folder.
    event_log : bool
        Also write the event log of each scenario's first replication (with `out`).

    Returns
    -------
    Results

    Raises
    ------
    ScenarioError
        If a scenario cannot run; nothing is played then.
    Interrupted
        On Ctrl-C; what was whole by then stays in its folder.
    """
    if workers < 1:
        raise ValueError("workers must be 1 or more")
    desks = _prepare(scenarios, replications, seed)
    tasks_in_all = sum(desk.replications for desk in desks)
    workers = min(workers, tasks_in_all)
    studies = [_Study(desk, workers) for desk in desks]
    try:
        for study in studies:
            if out is not None:
                study.begin(Path(out))
        tasks = [
            Task(number, study.scenario, k, study.folder, keep_logs, event_log)
            for number, study in enumerate(studies)
            for k in range(study.scenario.replications)
        ]
        # Closed before anything is swept up: no worker writes after that.
        with closing(_outcomes(tasks, workers)) as outcomes:
            for done, outcome in enumerate(outcomes, start=1):
                study = studies[outcome.number]
                study.outcomes.append(outcome)
                if len(study.outcomes) == study.scenario.replications:
                    study.end("complete" if study.whole else "failed")
                if progress is not None:
                    progress(done, tasks_in_all)
    except KeyboardInterrupt:
        _end_all(studies, "interrupted")
        raise Interrupted(_what_is_left(studies)) from None
    except BaseException:
        _end_all(studies, "failed")
        raise
    return _results(studies)


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
    return desks


def _outcomes(tasks: list[Task], workers: int) -> Generator[Outcome, None, None]:
    if workers == 1:
        yield from map(replicate, tasks)
        return
    import joblib
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # One thread a worker: the workers are the parallelism. Orphans of a killed run end soon.
    with joblib.parallel_config("loky", inner_max_num_threads=1, idle_worker_timeout=30):
        parallel = joblib.Parallel(workers, return_as="generator_unordered", batch_size=1)
        with _uninterrupted():
            outcomes = parallel(joblib.delayed(replicate)(task) for task in tasks)
        try:
            yield from outcomes
        except TerminatedWorkerError:
            reason = "a worker process was killed (out of memory?); fewer workers need less memory"
            raise RuntimeError(reason) from None
        except BaseException:
            get_reusable_executor().shutdown(kill_workers=True)
            raise


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes started here inherit that Ctrl-C is not for them: this one ends them itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_all(studies: list[_Study], status: str) -> None:
    for study in studies:
        if study.status == "running":
            study.end(status)


def _what_is_left(studies: list[_Study]) -> str:
    lines = []
    for study in studies:
        asked = study.scenario.replications
        where = f"in {study.folder}" if study.folder else "nothing was kept"
        whole = len(storage.whole(study.folder)) if study.folder else 0
        name = study.scenario.name
        lines.append(f"{name}: {study.status}, {whole} of {asked} replications are whole, {where}")
    return "\n".join(lines)


def _results(studies: list[_Study]) -> Results:
    kpis, failures = [], []
    logs: dict[tuple[str, int], tuple[RunLog, pd.DataFrame]] = {}
    for study in studies:
        name = study.scenario.name
        for outcome in sorted(study.outcomes, key=lambda outcome: outcome.replication):
            k = outcome.replication
            if outcome.kpis is not None:
                kpis.append((name, storage.as_arrow("kpis", k, outcome.kpis)))
            if outcome.failure is not None:
                failures.append((name, storage.as_arrow("failures", k, outcome.failure)))
            if outcome.log is not None:
                logs[name, k] = outcome.log
    return Results(
        storage.join(kpis, "kpis"),
        storage.join(failures, "failures"),
        tuple(study.run() for study in studies),
        logs,
    )
