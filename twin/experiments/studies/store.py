"""Replications of studies: figures by content, so that nothing is ever played twice.

A replication is filed under a hash of all that its figures depend on: the scenario without its
name, the content of the files it reads, and the code. Its number names the file. So another level
of a factor, another study beside it, or a study that was killed find what is there already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from twin.common.errors import DamagedFile
from twin.common.files import read_json, reason, unsealed, write_sealed
from twin.desk.engines import engine_of
from twin.experiments import engine
from twin.experiments import manifest as provenance
from twin.experiments.replication import Outcome, Task, asks_live, lost, prepare, replicate
from twin.records import storage
from twin.scenario.changes import PATH_KEYS
from twin.scenario.model import Scenario

# Keys of a scenario that change none of its figures.
_LABELS = {"name", "question", "replications"}
_NOTES = "notes"
_AGAIN = "remove it and start again"

Progress = Callable[[int, int], None]
Wanted = tuple[Scenario, int]


class StudyStore:
    """Figures of replications in a folder.

    Parameters
    ----------
    folder : Path
        Made when first written to.
    workers : int
    cluster : str, optional
        See `twin.experiments.engine.each`.
    engine : str
        See `twin.simulate`; the figures are the same.

    Attributes
    ----------
    played : int
        Replications played by this store, failed ones included; the others were there.
    outdated : int
        Those of them that another version of the code had stored before.
    """

    def __init__(
        self, folder: Path, workers: int = 1, cluster: str | None = None, engine: str = "auto"
    ) -> None:
        self.folder = folder
        self.played = 0
        self.outdated = 0
        self._workers = workers
        self._cluster = cluster
        self._engine = engine
        self._keys: dict[int, tuple[Scenario, str]] = {}
        self._digests: dict[Path, str] = {}
        # By scenario and replication, the numerator and denominator of each figure.
        self._values: dict[tuple[str, int], dict[tuple[str, str], tuple[float, float]]] = {}

    def home(self, scenario: Scenario) -> Path:
        """Folder of a scenario's replications."""
        known = self._keys.get(id(scenario))
        if known is None or known[0] is not scenario:
            # The scenario is kept with its key: ids of what is gone are given again.
            known = self._keys[id(scenario)] = (scenario, self._key(scenario))
        return self.folder / known[1]

    def _key(self, scenario: Scenario) -> str:
        data = scenario.model_dump(mode="json", exclude=_LABELS)
        # Calls of this backend go into its recording: it is no longer what it was.
        live = scenario.assistant.asks_live
        content = self._by_content(data, PATH_KEYS - {"recording"} if live else PATH_KEYS)
        text = json.dumps([provenance.code_digest(), content], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _by_content(self, data: Any, paths: set[str]) -> Any:
        if isinstance(data, dict):
            return {
                key: self._digest(Path(value))
                if key in paths and isinstance(value, str)
                else self._by_content(value, paths)
                for key, value in data.items()
            }
        return [self._by_content(one, paths) for one in data] if isinstance(data, list) else data

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = provenance.digest(path) if path.exists() else str(path)
        return self._digests[path]

    def play(
        self, wanted: Iterable[Wanted], progress: Progress | None = None, *, again: bool = False
    ) -> None:
        """Play the replications that are not there yet, or that failed before.

        Parameters
        ----------
        wanted : iterable of (Scenario, int)
            Scenarios and numbers of replications.
        progress : callable, optional
            Called with how many of them are done, and how many there are.
        again : bool
            Play all of it, whatever is there.
        """
        parts = {(self.home(scenario), k): scenario for scenario, k in wanted}
        whole = {home: set(storage.whole(home)) for home, _ in parts}
        tasks = [
            Task(number, scenario, k, home, False, False, engine_of(scenario, self._engine))
            for number, ((home, k), scenario) in enumerate(parts.items())
            if again or k not in whole[home]
        ]
        done = len(parts) - len(tasks)
        if progress is not None:
            progress(done, len(parts))
        if not again:
            self.outdated += sum(
                task.replication in self._by_other_code.get(_without_labels(task.scenario), ())
                for task in tasks
            )
        for task in tasks:
            _open(task)
        others = [task.scenario for task in tasks if not asks_live(task)]
        workers = max(1, min(self._workers, len(others)))
        files = {path for one in others for path in provenance.named_files(one).values()}
        places = engine.each(
            _play, tasks, workers, lost, self._cluster, here=asks_live, files=files, prepare=prepare
        )
        with closing(places) as outcomes:
            homes = {task.number: task.folder for task in tasks}
            for outcome in outcomes:
                # A worker that shares no folder with this process leaves the writing to it.
                _keep(homes[outcome.number], outcome)
                self.played += 1
                done += 1
                if progress is not None:
                    progress(done, len(parts))

    @cached_property
    def _by_other_code(self) -> dict[str, set[int]]:
        """Replications that another version of the code stored, by their scenario."""
        found: dict[str, set[int]] = {}
        for path in self.folder.glob(f"*/{storage.MANIFEST}"):
            # A manifest that cannot be read tells nothing.
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                manifest = json.loads(path.read_text(encoding="utf-8"))
                if manifest.get("code") != provenance.code_digest():
                    key = _without_labels(manifest["scenario_as_run"])
                    found.setdefault(key, set()).update(storage.whole(path.parent))
        return found

    def remarks(self) -> list[str]:
        """A sentence on why replications were played that were there, if any were."""
        if not self.outdated:
            return []
        were = "replications were" if self.outdated > 1 else "replication was"
        return [
            f"{self.outdated} {were} played again, because another version of the code, or of a "
            "package it computes with, had stored them"
        ]

    def whole(self, scenario: Scenario) -> list[int]:
        """Numbers of the replications that are there."""
        return storage.whole(self.home(scenario))

    def figures(self, scenario: Scenario, replication: int) -> pa.Table | None:
        """The table kpis of a replication, if it is whole.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        return self._part(scenario, "kpis", replication)

    def failure(self, scenario: Scenario, replication: int) -> pa.Table | None:
        """The table failures of a replication, if it failed."""
        return self._part(scenario, "failures", replication)

    def _part(self, scenario: Scenario, table: str, replication: int) -> pa.Table | None:
        path = storage.parts(self.home(scenario), table).get(replication)
        return None if path is None else _read(path)

    def notes(self, scenario: Scenario) -> list[str]:
        """Remarks that the reader of a scenario's figures needs."""
        paths = sorted((self.home(scenario) / _NOTES).glob("r*.json"))
        return list(dict.fromkeys(note for path in paths for note in _read_notes(path)))

    def values(
        self, scenario: Scenario, figure: tuple[str, str], replications: Sequence[int]
    ) -> list[tuple[float, float]]:
        """Numerator and denominator of a figure (kpi and group) in each replication.

        Raises
        ------
        RuntimeError
            If a replication failed.
        """
        home = self.home(scenario)
        parts = storage.parts(home, "kpis")
        found = []
        for k in replications:
            at = (home.name, k)
            if at not in self._values:
                if k not in parts:
                    failed = self.failure(scenario, k)
                    reason = failed["message"][0].as_py() if failed else "it is not there"
                    raise RuntimeError(f"{scenario.name}: replication {k} failed: {reason}")
                columns = _read(parts[k]).to_pydict()
                names = zip(columns["kpi"], columns["group"], strict=True)
                pairs = zip(columns["numerator"], columns["denominator"], strict=True)
                self._values[at] = dict(zip(names, pairs, strict=True))
            found.append(self._values[at].get(figure, (0.0, 0.0)))
        return found


def _open(task: Task) -> None:
    """Make the folder of a replication; its manifest names the scenario and the code."""
    assert task.folder is not None
    for table in ("kpis", "failures"):
        old = storage.parts(task.folder, table).get(task.replication)
        if old is not None:
            old.unlink()
    if not (task.folder / storage.MANIFEST).exists():
        task.folder.mkdir(parents=True, exist_ok=True)
        manifest = {
            "scenario_as_run": task.scenario.as_data(),
            "files": provenance.file_hashes(task.scenario),
        }
        storage.write_manifest(task.folder, manifest | _code())


def _without_labels(scenario: Scenario | dict[str, Any]) -> str:
    """A scenario as text, without keys that change none of its figures."""
    data = scenario if isinstance(scenario, dict) else scenario.as_data()
    kept = {key: value for key, value in data.items() if key not in _LABELS}
    return json.dumps(kept, sort_keys=True)


@cache
def _code() -> dict[str, Any]:
    # Looked up once: to ask git and packages takes longer than a small replication.
    return {
        "code": provenance.code_digest(),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
    }


def _play(task: Task) -> Outcome:
    """Play one replication and file its figures, where this process reaches the folder."""
    assert task.folder is not None
    if task.replication in storage.parts(task.folder, "kpis"):
        # It was whole when the worker that played it, or another with it, died.
        return Outcome(task.number, task.replication)
    outcome = replicate(replace(task, folder=None))
    if task.folder.is_dir():
        _keep(task.folder, outcome)
    return outcome


def _keep(folder: Path | None, outcome: Outcome) -> None:
    assert folder is not None
    k = outcome.replication
    if outcome.failure is not None:
        if k not in storage.parts(folder, "failures"):
            storage.write_part(folder, "failures", k, outcome.failure)
    elif outcome.kpis is not None and k not in storage.parts(folder, "kpis"):
        if outcome.notes:
            (folder / _NOTES).mkdir(exist_ok=True)
            write_sealed(folder / _NOTES / f"r{k:04d}.json", {"notes": outcome.notes})
        storage.write_part(folder, "kpis", k, outcome.kpis)


def _read_notes(path: Path) -> list[str]:
    try:
        # Of an older version, a list without a checksum.
        found = read_json(path, "notes of a replication")
        return list(found if isinstance(found, list) else unsealed(path, found)["notes"])
    except DamagedFile as error:
        raise ValueError(f"{error}; {_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = reason(error) if isinstance(error, OSError | ValueError) else "no notes"
        raise DamagedFile(path, why, _AGAIN) from None


def _read(path: Path) -> pa.Table:
    try:
        return storage.read_part(path)
    except DamagedFile as error:
        raise ValueError(f"{error}; {_AGAIN}") from None
