"""Plays of a search, kept in a folder as they are made, so that a search that was ended goes on.

A play is known by what it plays: the scenario, the tables that it reads, the replication and the
version of the twin. A search that asks for the same play again, in another process, gets the same
waits to the last bit, and so takes the same way. Of another history or another seed no play is
known, so nothing of it is ever taken.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from twin.common.errors import TwinError
from twin.common.parquet import write_parquet
from twin.common.toml import dump
from twin.common.version import VERSION
from twin.history.calibrated import Data
from twin.history.fit.waits import Waits
from twin.history.several import in_order
from twin.records.storage import read_frame

# Play a replication of a scenario whose tables lie in a folder; or several of them.
PlayOf = Callable[[Path, Data, int], Waits]
EachOf = Callable[[Path, Data, Sequence[int]], list[Waits]]


class KeptPlays:
    """Plays, counted, and kept where a folder is given.

    Parameters
    ----------
    play : callable
    folder : Path, optional
        Made when the first play is kept.
    progress : callable, optional
        Called with the plays done and all of them, after each.
    total : int
        All plays, at most.
    workers : int
        Processes that play.
    """

    def __init__(
        self,
        play: PlayOf,
        folder: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
        total: int = 0,
        workers: int = 1,
    ) -> None:
        self._play, self._folder, self._workers = play, folder, workers
        self._progress, self._total = progress, total
        self.done = self.taken_up = 0

    def play(self, tables: Path, data: Data, replication: int) -> Waits:
        """Waits of a replication of a scenario whose tables lie in a folder."""
        return self.each(tables, data, [replication])[0]

    def each(self, tables: Path, data: Data, replications: Sequence[int]) -> list[Waits]:
        """Waits of several replications of a scenario whose tables lie in a folder."""
        paths: dict[int, Path] = {}
        if self._folder is not None:
            known = _key(tables, data)
            paths = {k: self._folder / f"{_with(known, k)}.parquet" for k in replications}
        found = {k: waits for k, path in paths.items() if (waits := _kept(path)) is not None}
        self.taken_up += len(found)
        left = [k for k in replications if k not in found]
        tasks = [(self._play, tables, data, k) for k in left]
        for k, waits in zip(left, in_order(_played, tasks, self._workers), strict=True):
            found[k] = waits
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_parquet(paths[k], _table(waits))
        for _ in replications:
            self.done += 1
            if self._progress is not None:
                self._progress(min(self.done, self._total), self._total)
        return [found[k] for k in replications]


def _played(task: tuple[PlayOf, Path, Data, int]) -> Waits:
    play, tables, data, replication = task
    return play(tables, data, replication)


def _table(waits: Waits) -> pa.Table:
    columns = {"hour": waits.hour, "wait_s": waits.wait_s, "served": waits.served}
    more = {"day": waits.day, "kind": waits.kind}
    columns |= {name: column for name, column in more.items() if column is not None}
    return pa.table(columns)


def folder_of(path: Path) -> Path:
    """Folder of the plays of a calibration that goes to a scenario file."""
    return path.with_name(f".{path.stem}-plays")


def forget(folder: Path) -> None:
    """Remove what was kept; files of others stay."""
    for path in folder.glob("*.parquet"):
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _key(tables: Path, data: Data) -> hashlib._Hash:
    """Digest of a scenario and its tables."""
    found = hashlib.sha256(json.dumps([VERSION, dump(data)]).encode())
    for path in sorted(tables.glob("*.csv")):
        found.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return found


def _with(known: hashlib._Hash, replication: int) -> str:
    found = known.copy()
    found.update(f" {replication}".encode())
    return found.hexdigest()[:32]


def _kept(path: Path) -> Waits | None:
    if not path.exists():
        return None
    try:
        frame = read_frame(path)
        return Waits(
            frame["hour"].to_numpy(dtype=np.int64),
            frame["wait_s"].to_numpy(dtype=np.float64),
            frame["served"].to_numpy(dtype=np.bool_),
            frame["day"].to_numpy(dtype=np.int64) if "day" in frame else None,
            frame["kind"].to_numpy(dtype=object) if "kind" in frame else None,
        )
    except (TwinError, KeyError, ValueError):
        # Half written as the machine stopped: it is played again.
        return None
