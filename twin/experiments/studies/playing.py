"""Replications of a study, played by workers and filed as they are ready."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from twin.common.files import write_sealed
from twin.experiments import engine
from twin.experiments import manifest as provenance
from twin.experiments.forked import Copies
from twin.experiments.replication import (
    Outcome,
    Task,
    asks_live,
    lost,
    prepare,
    replicate,
)
from twin.records import storage

# Folder of remarks on replications.
NOTES = "notes"
# Replications that settings take turns in.
_TURNS = 4


class Player:
    """Plays tasks and files their figures.

    Parameters
    ----------
    workers : int
    cluster : str, optional
        See `twin.experiments.engine.each`.
    """

    def __init__(self, workers: int, cluster: str | None) -> None:
        self._workers, self._cluster = workers, cluster
        # They keep what the replications of the next call may share with those of this one.
        self._copies = Copies(workers)

    def close(self) -> None:
        """End the workers that are there for the next call."""
        self._copies.close()

    def play(self, tasks: Sequence[Task]) -> Generator[tuple[Task, Outcome], None, None]:
        """Each task with its outcome, as they are ready; all that is told is on disk.

        Parameters
        ----------
        tasks : sequence of Task
            With their folders.
        """
        elsewhere = sum(not asks_live(task) for task in tasks)
        workers = max(1, min(self._workers, elsewhere))
        # Settings of a replication beside each other, as they share its demand: so that each worker
        # has one of its own, as many replications as there are workers take turns.
        turns = min(workers, _TURNS)
        ordered = sorted(tasks, key=lambda task: task.replication // turns)
        ordered = [replace(task, number=number) for number, task in enumerate(ordered)]
        with closing(self._each(ordered, workers)) as outcomes:
            for outcome in outcomes:
                task = ordered[outcome.number]
                # A worker that shares no folder with this process leaves the writing to it.
                _keep(task.folder, outcome)
                yield task, outcome

    def _each(self, tasks: list[Task], workers: int) -> Generator[Outcome, None, None]:
        files: set[Path] = set()
        if self._cluster is not None:
            scenarios = {id(task.scenario): task.scenario for task in tasks if not asks_live(task)}
            files = {p for s in scenarios.values() for p in provenance.named_files(s).values()}
        return engine.each(
            _play, tasks, workers, lost, self._cluster, here=asks_live, files=files,
            prepare=prepare, copies=self._copies,
        )  # fmt: skip


def _play(task: Task) -> Outcome:
    """Play one replication and file its figures, where this process reaches the folder."""
    assert task.folder is not None
    if storage.part_path(task.folder, "kpis", task.replication).exists():
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
        if not storage.part_path(folder, "failures", k).exists():
            storage.write_part(folder, "failures", k, outcome.failure)
    elif outcome.kpis is not None and not storage.part_path(folder, "kpis", k).exists():
        if outcome.notes:
            (folder / NOTES).mkdir(exist_ok=True)
            write_sealed(folder / NOTES / f"r{k:04d}.json", {"notes": outcome.notes})
        storage.write_part(folder, "kpis", k, outcome.kpis)
