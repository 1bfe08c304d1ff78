"""Replications of studies: figures by content, so that nothing is ever played twice.

A replication is filed under a hash of all that its figures depend on: the scenario without its
name, the content of the files it reads, and the code. Its number names the file. So another level
of a factor, another study beside it, or a study that was killed find what is there already. What
asks for some figures only, as a search does, keeps its replications in a folder of their own there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from functools import cache, cached_property
from math import fsum, inf
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from twin.common.errors import DamagedFile
from twin.common.files import read_json, reason, unsealed
from twin.common.kept import MadeOnce
from twin.desk.engines import engine_of
from twin.experiments import manifest as provenance
from twin.experiments.checks import expected_tickets
from twin.experiments.replication import Task
from twin.experiments.studies.playing import NOTES, Player
from twin.measures.figures import figure_of
from twin.records import storage
from twin.records.tables import Columns
from twin.scenario.changes import PATH_KEYS
from twin.scenario.model import Scenario

# Keys of a scenario that change none of its figures.
_LABELS = {"name", "question", "replications", "work_rules"}
# Begin of the name of a folder of replications of which only some figures were worked out.
_SOME = "some"
_AGAIN = "remove it and start again"

Progress = Callable[[int, int], None]
Wanted = tuple[Scenario, int]
# Numerator and denominator of each figure, by its name and group.
_Pairs = dict[tuple[str, str], tuple[float, float]]


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
    asked : iterable of str
        Figures that replications are played for, as "kpi" or "kpi:group": only these are worked
        out. By default all.
    again : bool
        Whether the same replications are asked for again and again, with other settings.

    Attributes
    ----------
    played : int
        Replications played by this store, failed ones included; the others were there. One that is
        played again for its other figures counts once.
    outdated : int
        Those of them that another version of the code had stored before.
    """

    def __init__(
        self,
        folder: Path,
        workers: int = 1,
        cluster: str | None = None,
        engine: str = "auto",
        asked: Iterable[str] = (),
        again: bool = False,
    ) -> None:
        self.folder = folder
        self.played = 0
        self.outdated = 0
        self._player = Player(workers, cluster)
        self._again = again
        self._engine = engine
        self._asked = tuple(sorted({figure_of(name)[0] for name in asked}))
        self._share = uuid4().hex
        self._keys = MadeOnce[str](most=100_000)
        self._engines: dict[str, str] = {}
        self._digests: dict[Path, str] = {}
        # By folder and number of the replication.
        self._values: dict[tuple[Path, int], _Pairs] = {}

    def close(self) -> None:
        """End the workers that are there for the next call of `play`."""
        self._player.close()

    def home(self, scenario: Scenario) -> Path:
        """Folder of a scenario's replications."""
        return self.folder / self._keys.get(scenario, lambda: self._key(scenario))

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

    def _some(self, home: Path) -> Path:
        """Folder of the replications of a scenario with the figures asked for, no others."""
        digest = hashlib.sha256(" ".join(self._asked).encode()).hexdigest()[:8]
        return home / f"{_SOME}-{digest}"

    def play(
        self,
        wanted: Iterable[Wanted],
        progress: Progress | None = None,
        *,
        again: bool = False,
        every: bool = False,
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
        every : bool
            All figures are needed, not only those that the store is asked for.
        """
        parts: dict[Path, tuple[Scenario, dict[int, None]]] = {}
        for scenario, k in wanted:
            parts.setdefault(self.home(scenario), (scenario, {}))[1][k] = None
        figures = () if every else self._asked
        tasks: list[Task] = []
        known = 0
        # Of a search nobody knows how many are still to come.
        tickets = inf
        if not self._asked:
            tickets = fsum(len(new) * expected_tickets(one) for one, new in parts.values())
        for home, (scenario, numbers) in parts.items():
            whole = set() if again else set(storage.whole(home))
            some = set(storage.whole(self._some(home))) if self._asked else set()
            there = whole if again or not figures else whole | some
            new = [k for k in numbers if k not in there]
            if new:
                some_home = self._some(home) if figures else home
                _open(home, some_home, scenario, new, self._digest)
                tasks += [self._task(home, scenario, k, figures, tickets) for k in new]
                known += len(some.intersection(new))
                if not again and self._by_other_code:
                    other = self._by_other_code.get(_without_labels(scenario), set())
                    self.outdated += len(other.intersection(new))
        total = sum(len(numbers) for _, numbers in parts.values())
        done = total - len(tasks)
        if progress is not None:
            progress(done, total)
        self.played += self._play_tasks(tasks, progress, done, total) - known

    def _task(
        self, home: Path, scenario: Scenario, k: int, figures: tuple[str, ...], tickets: float
    ) -> Task:
        if home.name not in self._engines:
            self._engines[home.name] = engine_of(scenario, self._engine, tickets)
        folder = self._some(home) if figures else home
        return Task(0, scenario, k, folder, False, False, self._engines[home.name],
                    figures=figures, share=self._share, again=self._again)  # fmt: skip

    def _play_tasks(
        self, tasks: list[Task], progress: Progress | None, done: int, total: int
    ) -> int:
        with closing(self._player.play(tasks)) as played:
            for task, outcome in played:
                if outcome.kpis is not None and self._asked:
                    assert task.folder is not None
                    self._values[task.folder, outcome.replication] = _pairs_of(outcome.kpis)
                done += 1
                if progress is not None:
                    progress(done, total)
        return len(tasks)

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
                    for folder in (path.parent, *path.parent.glob(f"{_SOME}-*")):
                        found.setdefault(key, set()).update(storage.whole(folder))
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
        """Numbers of the replications that are there with all their figures."""
        return storage.whole(self.home(scenario))

    def figures(self, scenario: Scenario, replication: int) -> pa.Table | None:
        """The table kpis of a replication, if it is there: with all figures, or those asked for.

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
        for folder in self._folders(self.home(scenario)):
            path = storage.part_path(folder, table, replication)
            if path.exists():
                return _read(path)
        return None

    def _folders(self, home: Path) -> list[Path]:
        """Folders that may hold a replication, that with all figures first."""
        return [home, self._some(home)] if self._asked else [home]

    def notes(self, scenario: Scenario) -> list[str]:
        """Remarks that the reader of a scenario's figures needs."""
        paths = sorted((self.home(scenario) / NOTES).glob("r*.json"))
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
        # Of a figure that was not asked for, only a replication with all of them tells.
        folders = self._folders(home) if figure[0] in self._asked else [home]
        return [self._pairs(scenario, folders, k).get(figure, (0.0, 0.0)) for k in replications]

    def _pairs(self, scenario: Scenario, folders: Sequence[Path], k: int) -> _Pairs:
        for folder in folders:
            known = self._values.get((folder, k))
            if known is not None:
                return known
        for folder in folders:
            path = storage.part_path(folder, "kpis", k)
            if path.exists():
                found = self._values[folder, k] = _pairs_of(_read(path))
                return found
        failed = self.failure(scenario, k)
        reason = failed["message"][0].as_py() if failed else "it is not there"
        raise RuntimeError(f"{scenario.name}: replication {k} failed: {reason}")


def _pairs_of(kpis: pa.Table | Columns) -> _Pairs:
    """Numerator and denominator of each figure of a table kpis, by its name and group."""
    columns = [kpis[name] for name in ("kpi", "group", "numerator", "denominator")]
    names, groups, over, under = (
        one.to_pylist() if isinstance(kpis, pa.Table) else list(one) for one in columns
    )
    return dict(zip(zip(names, groups, strict=True), zip(over, under, strict=True), strict=True))


def _open(
    home: Path,
    folder: Path,
    scenario: Scenario,
    replications: Iterable[int],
    known: Callable[[Path], str],
) -> None:
    """Make the folders of replications; the manifest names the scenario and the code."""
    for of, table in ((folder, "kpis"), (home, "failures"), (folder, "failures")):
        old = storage.parts(of, table)
        for k in old and replications:
            if k in old:
                old.pop(k).unlink()
    folder.mkdir(parents=True, exist_ok=True)
    if not (home / storage.MANIFEST).exists():
        manifest = {
            "scenario_as_run": scenario.as_data(),
            # What is being recorded changes between two scenarios.
            "files": provenance.file_hashes(
                scenario, None if scenario.assistant.asks_live else known
            ),
        }
        storage.write_manifest(home, manifest | _code())


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
