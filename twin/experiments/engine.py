"""Places where replications are played: this process, local processes, or a cluster.

Results come back as they are ready, in any order. A worker that dies takes no finished work with
it: what it had in hand is played again, and a task under which workers keep dying comes back as
lost, so that the rest goes on.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import lru_cache, partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import twin
from twin.common.errors import TwinError
from twin.experiments import manifest as provenance
from twin.experiments.forked import LOOK_S, Copies, CopyDied, can_fork, in_copies, possible
from twin.experiments.signals import signals_reach, signals_wait, uninterrupted

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")
Results = Generator[tuple[int, R], None, None]

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
    *,
    here: Callable[[T], bool] | None = None,
    files: Iterable[Path] = (),
    prepare: Callable[[Sequence[T]], object] | None = None,
    stay: bool = False,
    copies: Copies | None = None,
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
    here : callable, optional
        Says of a task that only this process may compute it; such tasks come last, one by one.
    files : iterable of Path
        What the tasks read; the workers of a cluster must find the same there.
    prepare : callable, optional
        Makes what the tasks have in common, where workers are copies of this process: they have it.
    stay : bool
        Whether the processes stay for the next call: for many calls of few tasks.
    copies : Copies, optional
        Such processes of the caller's own, which have what was prepared for the first call.

    Raises
    ------
    ClusterError
        If the cluster cannot be reached, or its workers would compute something else.
    """
    own = [task for task in tasks if here is not None and here(task)]
    others = [task for task in tasks if here is None or not here(task)]
    if possible(workers) > 1 or cluster is not None:
        if others:
            place = _place(workers, cluster, files, stay, copies)
            fresh = copies is None or not copies.are_there
            if cluster is None and prepare is not None and fresh and can_fork():
                with _one_thread():
                    prepare(others)
            yield from _elsewhere(function, others, lost, place)
        others = []
    for task in [*others, *own]:
        with signals_reach(), _one_thread():
            result = function(task)
        yield result


def _one_thread() -> AbstractContextManager[Any]:
    """Linear algebra on one thread, as workers have it: more cost time on small matrices."""
    # It looks for libraries in a callback of C, where Python drops every exception.
    with signals_wait():
        limits: AbstractContextManager[Any] = _algebra(len(sys.modules)).limit(limits=1)
    return limits


@lru_cache(maxsize=1)
def _algebra(modules: int) -> ThreadpoolController:
    """Libraries of linear algebra; looked for again when further modules have been imported."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _elsewhere(
    function: Callable[[T], R],
    tasks: Sequence[T],
    lost: Callable[[T], R],
    place: AbstractContextManager[_Place],
) -> Generator[R, None, None]:
    left = dict(enumerate(tasks))
    blamed = dict.fromkeys(left, 0)
    with place as (start, width, deaths):
        while left:
            alone = next((k for k in left if blamed[k] >= _SUSPECT), None)
            now = list(left) if alone is None else [alone]
            try:
                with closing(start(function, {k: left[k] for k in now})) as results:
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


_Place = tuple[Callable[..., Results[Any]], int, tuple[type[BaseException], ...]]


def _place(
    workers: int, cluster: str | None, files: Iterable[Path], stay: bool, copies: Copies | None
) -> AbstractContextManager[_Place]:
    if cluster is not None:
        return _dask(cluster, files)
    # Copies of this process, for this call or for further ones.
    start: Callable[..., Results[Any]] = partial(in_copies, workers=workers)
    if copies is not None and (copies.are_there or can_fork()):
        return nullcontext((copies.results, workers, (CopyDied,)))
    if can_fork() and not stay:
        return nullcontext((start, workers, (CopyDied,)))
    return _local(workers)


@contextmanager
def _local(workers: int) -> Iterator[_Place]:
    """Processes of this machine: how to start tasks, how many are in hand, what a death raises."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # Joblib warns when it replaces workers that grew too much, which users cannot change.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
    # One thread a worker: the workers are the parallelism.
    settings = {"backend": "loky", "n_jobs": workers, "inner_max_num_threads": 1}
    settings |= {
        "idle_worker_timeout": 30,
        "initializer": _BEGIN,
        "initargs": (os.getpid(), _paths(), LOOK_S),
    }

    def start(function: Callable[[T], R], tasks: dict[int, T]) -> Results[R]:
        return _in_processes(function, tasks, settings)

    with _safe_path():
        yield start, workers, (TerminatedWorkerError,)


def _in_processes(
    function: Callable[[T], R], tasks: dict[int, T], settings: dict[str, Any]
) -> Results[R]:
    import joblib
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    results: Any = None
    try:
        with joblib.parallel_config(**settings):
            parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
            with uninterrupted():
                results = parallel(
                    joblib.delayed(_numbered)(function, k, t) for k, t in tasks.items()
                )
            yield from results
    except TerminatedWorkerError:
        raise
    except BaseException:
        # joblib warns of results that were not taken, which is on purpose here.
        with suppress(Exception):
            results.close()
        # The one that works, whichever way it was made.
        get_reusable_executor(reuse=True).shutdown(kill_workers=True)
        raise


def _paths() -> tuple[str, ...]:
    """Folders in which a worker looks for modules: those of this process, but not the working one.

    A file there that is named like a module, such as random.py, must not stand in its place.
    """
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    ours = {os.path.realpath(p) for p in ("", *([os.path.dirname(script)] if script else []))}
    paths = [p for p in sys.path if os.path.realpath(p) not in ours]
    package = str(Path(twin.__file__).resolve().parents[1])
    # In a checkout that is not installed, the working folder is where the twin is.
    there = {os.path.realpath(p) for p in paths}
    return tuple(paths if package in there else [package, *paths])


def _made() -> Callable[[int, tuple[str, ...], float], None]:
    # Within a function, so that it goes to the worker as code: to import it by its name there would
    # take the very path that it mends.
    def begin(parent: int, paths: tuple[str, ...], look_s: float) -> None:
        """Settle a worker: its path, and that only its parent ends it, or the parent's end."""
        import os
        import sys
        import time

        sys.path[:] = paths
        # They go to the whole group; the parent ends its workers itself.
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        if os.name == "nt":
            # There its pipes break then, which ends it.
            return

        def watch() -> None:
            while os.getppid() == parent:
                time.sleep(look_s)
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()

    return begin


_BEGIN = _made()


@contextmanager
def _safe_path() -> Iterator[None]:
    """Python processes started within do not put the working folder on their path."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


@contextmanager
def _dask(cluster: str, files: Iterable[Path]) -> Iterator[_Place]:
    """Workers of a cluster; as `_local`."""
    with closing(connect(cluster, files)) as client:
        from distributed import KilledWorker

        width = len(client.nthreads())

        def start(function: Callable[[T], R], tasks: dict[int, T]) -> Results[R]:
            return _on_cluster(client, function, tasks, width)

        yield start, width, (KilledWorker,)


def _on_cluster(
    client: Any, function: Callable[[T], R], tasks: dict[int, T], width: int
) -> Results[R]:
    waiting = iter(tasks.items())
    under_way: set[Any] = set()
    ready = import_module("distributed").as_completed(loop=client.loop)

    def send() -> None:
        # A few at a time: each takes its scenario along, and the scheduler keeps them in memory.
        for number, task in islice(waiting, 2 * width - len(under_way)):
            future = client.submit(_numbered, function, number, task, pure=False)
            under_way.add(future)
            ready.add(future)

    try:
        send()
        for future in ready:
            found = future.result()
            under_way.remove(future)
            send()
            yield found
    finally:
        client.cancel(list(under_way), force=True)


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
