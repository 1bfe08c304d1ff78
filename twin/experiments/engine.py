"""Places where replications are played: this process, local processes, or a cluster.

Results come back as they are ready, in any order. A worker that dies takes no finished work with
it: what it had in hand is played again, and a task under which workers keep dying comes back as
lost, so that the rest goes on.
"""

from __future__ import annotations

import re
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from typing import Any, TypeVar

from twin.common.errors import TwinError
from twin.experiments import manifest as provenance

T = TypeVar("T")
R = TypeVar("R")

# A task that was in hand this often when a worker died is played alone; if one dies then, the
# task is to blame.
_SUSPECT = 2
# Seconds within which a scheduler must answer.
_CONNECT_S = 10.0


class ClusterError(TwinError, ConnectionError):
    """A cluster that cannot be used; its text says what to do."""


def each(
    function: Callable[[T], R],
    tasks: Sequence[T],
    workers: int,
    lost: Callable[[T], R],
    cluster: str | None = None,
) -> Generator[R, None, None]:
    """Results of a function for each task, as they are ready.

    Parameters
    ----------
    function : callable
        Pure, and known by its name to other processes.
    tasks : sequence
    workers : int
        Processes; 1 without a cluster computes in this one. On a cluster: tasks under way at once
        are as many as it has workers.
    lost : callable
        Makes the result of a task that ends every worker that takes it on.
    cluster : str, optional
        Address of a Dask scheduler, as ``tcp://10.0.0.1:8786``.

    Raises
    ------
    ClusterError
        If the cluster cannot be reached, or its workers would compute something else.
    """
    if workers == 1 and cluster is None:
        yield from map(function, tasks)
        return
    left = dict(enumerate(tasks))
    blamed = dict.fromkeys(left, 0)
    with _where(workers, cluster) as (settings, width, deaths):
        while left:
            alone = next((k for k in left if blamed[k] >= _SUSPECT), None)
            now = list(left) if alone is None else [alone]
            try:
                tasks_now = {k: left[k] for k in now}
                with closing(_parallel(function, tasks_now, settings, deaths)) as results:
                    for number, result in results:
                        del left[number]
                        yield result
            except deaths:
                if alone is not None:
                    yield lost(left.pop(alone))
                # Tasks are handed out in order: these were in hand.
                for number in list(left)[:width]:
                    blamed[number] += 1


def _numbered(function: Callable[[T], R], number: int, task: T) -> tuple[int, R]:
    return number, function(task)


def _parallel(
    function: Callable[[T], R],
    tasks: dict[int, T],
    settings: dict[str, Any],
    deaths: tuple[type[BaseException], ...],
) -> Generator[tuple[int, R], None, None]:
    import joblib

    with joblib.parallel_config(**settings):
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        with _uninterrupted():
            results = parallel(joblib.delayed(_numbered)(function, k, t) for k, t in tasks.items())
        try:
            yield from results
        except deaths:
            raise
        except BaseException:
            # joblib warns of results that were not taken, which is on purpose here.
            with suppress(Exception):
                results.close()
            if settings["backend"] == "loky":
                from joblib.externals.loky import get_reusable_executor

                # The one that works, whichever way it was made.
                get_reusable_executor(reuse=True).shutdown(kill_workers=True)
            raise


@contextmanager
def _where(
    workers: int, cluster: str | None
) -> Iterator[tuple[dict[str, Any], int, tuple[type[BaseException], ...]]]:
    """Settings of joblib, how many tasks are in hand at once, and what a worker's death raises."""
    if cluster is None:
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        # Joblib warns when it replaces workers that grew too much, which users cannot change.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
        # One thread a worker: the workers are the parallelism. Orphans of a killed run end soon.
        settings = {"backend": "loky", "n_jobs": workers, "inner_max_num_threads": 1}
        yield settings | {"idle_worker_timeout": 30}, workers, (TerminatedWorkerError,)
        return
    with closing(connect(cluster)) as client:
        from distributed import KilledWorker

        width = len(client.nthreads())
        yield {"backend": "dask", "client": client, "n_jobs": -1}, width, (KilledWorker,)


def connect(cluster: str) -> Any:
    """A client of a Dask cluster whose workers run the same code.

    Parameters
    ----------
    cluster : str
        Address of its scheduler, as ``tcp://10.0.0.1:8786``.

    Returns
    -------
    distributed.Client

    Raises
    ------
    ClusterError
        If it cannot be reached, has no workers, has several threads a worker (warnings and garbage
        collection are settings of a process), or other code.
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
