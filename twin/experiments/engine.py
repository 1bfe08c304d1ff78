"""Places where replications are played: this process, local processes, or a cluster.

Results come back as they are ready, in any order. A worker that dies takes no finished work with
it: what it had in hand is played again, and a task under which workers keep dying comes back as
lost, so that the rest goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import twin
from twin.experiments.cluster import Results, on_cluster
from twin.experiments.forked import LOOK_S, Copies, CopyDied, can_fork, in_copies, possible
from twin.experiments.signals import signals_reach, signals_wait, uninterrupted

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")

# A task that was in hand this often when a worker died is played alone; if one dies then, the
# task is to blame.
_SUSPECT = 2


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
        return on_cluster(cluster, files)
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
