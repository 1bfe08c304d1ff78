"""A Dask cluster as a place where replications are played.

To hand out one task costs about as much as to play a short replication, so a worker gets several
at once while many are left, and single ones at the end (Polychronopoulos and Kuck 1987, guided
self-scheduling).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from twin.common.errors import TwinError
from twin.experiments import manifest as provenance

T = TypeVar("T")
R = TypeVar("R")
Results = Generator[tuple[int, R], None, None]

# Seconds within which a scheduler must answer.
_CONNECT_S = 10.0
# Most tasks that a worker gets at once: what it has in hand is played again when it dies.
_AT_ONCE = 8


class ClusterError(TwinError, ConnectionError):
    """A cluster that cannot be used; its text says what to do."""


@contextmanager
def on_cluster(
    cluster: str, files: Iterable[Path]
) -> Iterator[tuple[Callable[..., Results[Any]], int, tuple[type[BaseException], ...]]]:
    """Workers of a cluster: how to start tasks, how many are in hand, an exception at a death."""
    with closing(connect(cluster, files)) as client:
        from distributed import KilledWorker

        width = len(client.nthreads())

        def start(function: Callable[[T], R], tasks: dict[int, T]) -> Results[R]:
            return _results(client, function, tasks, width)

        yield start, width * _AT_ONCE, (KilledWorker,)


def _results(
    client: Any, function: Callable[[T], R], tasks: dict[int, T], width: int
) -> Results[R]:
    left = len(tasks)
    waiting = iter(tasks.items())
    under_way: set[Any] = set()
    ready = import_module("distributed").as_completed(loop=client.loop)

    def send() -> None:
        nonlocal left
        # Not all: each takes its scenario along, and the scheduler keeps them in memory.
        while left and len(under_way) < 2 * width:
            some = list(islice(waiting, min(max(left // (2 * width), 1), _AT_ONCE)))
            left -= len(some)
            future = client.submit(_several, function, some, pure=False)
            under_way.add(future)
            ready.add(future)

    try:
        send()
        for future in ready:
            found = future.result()
            under_way.remove(future)
            send()
            yield from found
    finally:
        client.cancel(list(under_way), force=True)


def _several(function: Callable[[T], R], tasks: Sequence[tuple[int, T]]) -> list[tuple[int, R]]:
    return [(number, function(task)) for number, task in tasks]


def connect(cluster: str, files: Iterable[Path] = ()) -> Any:
    """A client of a Dask cluster whose workers run the same code and see the same files.

    Parameters
    ----------
    cluster : str
        Address of its scheduler, as ``tcp://10.0.0.1:8786``.
    files : iterable of Path
        Files and folders that workers must find with the same content.

    Returns
    -------
    distributed.Client

    Raises
    ------
    ClusterError
        If it cannot be reached, has no workers, has several threads a worker (warnings and garbage
        collection are settings of a process), other code or other files.
    """
    if cluster.startswith("ray://"):
        # ray.util.joblib (Ray 2.60) refuses return_as="generator_unordered".
        reason = "Ray cannot hand over results as they are ready; take a Dask cluster"
        raise ClusterError(f"{cluster}: {reason}")
    if not re.fullmatch(r"(tcp|tls)://\S+:\d+", cluster):
        raise ClusterError(
            f"{cluster}: a cluster is a Dask scheduler's address, as tcp://host:8786"
        )
    try:
        distributed = import_module("distributed")
    except ModuleNotFoundError:
        reason = "a cluster needs Dask: pip install 'support-desk-twin[cluster]'"
        raise ClusterError(reason) from None
    try:
        client = distributed.Client(cluster, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError):
        raise ClusterError(f"{cluster}: no Dask scheduler answers there") from None
    try:
        _same_code(client, cluster)
        _same_files(client, cluster, sorted(set(files)))
    except BaseException:
        client.close()
        raise
    return client


def _same_code(client: Any, cluster: str) -> None:
    threads = client.nthreads()
    if not threads:
        raise ClusterError(f"{cluster}: the cluster has no workers")
    if max(threads.values()) > 1:
        reason = "several threads; start them with --nthreads 1 and more of them (--nworkers)"
        raise ClusterError(f"{cluster}: a worker has {reason}")
    try:
        found = set(client.run(provenance.code_digest).values())
    except (ImportError, AttributeError):
        found = set()
    if found != {provenance.code_digest()}:
        reason = "install the same version of the twin and its packages as here"
        raise ClusterError(f"{cluster}: its workers run other code; {reason}")


def _same_files(client: Any, cluster: str, files: Sequence[Path]) -> None:
    here = _digests(files)
    for worker, there in client.run(_digests, files).items():
        for path, found, wanted in zip(files, there, here, strict=True):
            if found != wanted:
                kind = "do not find" if found is None else "find other content in"
                reason = f"its workers {kind} it (seen by {worker})"
                hint = "put it where all of them reach it by this path"
                raise ClusterError(f"{cluster}: {path}: {reason}; {hint}")


def _digests(files: Sequence[Path]) -> list[str | None]:
    """Digest of the content of each file; None where there is none."""
    return [_digest(path) for path in files]


def _digest(path: Path) -> str | None:
    with suppress(OSError):
        if path.exists():
            return provenance.digest(path)
    return None
