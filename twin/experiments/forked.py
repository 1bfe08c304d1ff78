"""Workers that are copies of this process: they start at once, with all that it has in memory.

A copy of a process has only the thread that made it; what the others had locked stays locked. So
this is for a process without other threads, such as a command's, on Linux, which lists them.
Elsewhere workers start anew, which takes each a second of the processor to import what it needs.
"""

from __future__ import annotations

import errno
import gc
import io
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from twin.common.errors import TwinError
from twin.experiments.signals import signals_wait
from twin.scenario.model import Scenario

T = TypeVar("T")
R = TypeVar("R")

_THREADS = Path("/proc/self/task")
# Threads of libraries that make themselves anew in a copy: this one is of the memory that pyarrow
# takes (jemalloc registers with pthread_atfork).
_HARMLESS = {"jemalloc_bg_thd"}
# Seconds between two looks of a worker at whether its parent is there.
LOOK_S = 1.0


class CopyDied(TwinError, RuntimeError):
    """A copy of this process that ended before its task was done."""


@dataclass
class _Worker:
    process: BaseProcess
    # Tasks go there, and results come back.
    line: Connection
    # How many of the scenarios were sent to it.
    has: int

    def hand(self, message: bytes, scenarios: list[Scenario]) -> None:
        try:
            self.line.send((scenarios[self.has :], message))
        except OSError:
            raise CopyDied from None
        self.has = len(scenarios)


def possible(workers: int) -> int:
    """Processes that this one may start of those wanted; a worker of somebody's pool, none."""
    return 1 if multiprocessing.current_process().daemon else workers


def can_fork() -> bool:
    """True where a copy of this process can work: it has no other thread that it would miss."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    # Where the end of a process is not told, nobody can wait for it.
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        return False
    try:
        others = [one for one in _THREADS.iterdir() if int(one.name) != os.getpid()]
        return {(one / "comm").read_text().strip() for one in others} <= _HARMLESS
    except OSError:
        return False


class Copies:
    """Copies of this process that stay between calls, until they are closed.

    They are made when a call needs them. What is made in this process later, they do not have; what
    they make themselves, they keep.

    Parameters
    ----------
    workers : int
        Copies at once.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._packer = _Packer()
        self._there: list[_Worker] = []
        # Who forgets to close them must not wait at the end of the process: they heed no signal.
        weakref.finalize(self, _end, self._there)

    @property
    def are_there(self) -> bool:
        """True if they were made and have not ended."""
        return bool(self._there)

    def results(
        self, function: Callable[[T], R], tasks: dict[int, T]
    ) -> Generator[tuple[int, R], None, None]:
        """Results of tasks by their number, as they are ready; tasks are handed out in order.

        Parameters
        ----------
        function : callable
            Known by its name, as to other processes.
        tasks : dict of int to T

        Raises
        ------
        CopyDied
            If a copy ended; what was not told is not done. All others are ended, too.
        """
        messages = iter([self._packer.packed((n, function, task)) for n, task in tasks.items()])
        scenarios = self._packer.scenarios
        whole = False
        try:
            self._make(min(self.workers, len(tasks)) - len(self._there))
            busy = {}
            for one, message in zip(self._there, messages, strict=False):
                one.hand(message, scenarios)
                busy[one.line] = one
            while busy:
                for line in wait(list(busy)):
                    one = busy.pop(line)  # type: ignore[call-overload]
                    try:
                        number, result, error = one.line.recv()
                    except (EOFError, OSError):
                        raise CopyDied from None
                    following = next(messages, None)
                    if following is not None:
                        one.hand(following, scenarios)
                        busy[one.line] = one
                    if error is not None:
                        raise error
                    yield number, result
            whole = True
        finally:
            if not whole:
                # They have in hand what nobody waits for.
                self.close()

    def close(self) -> None:
        """End them; the next call makes new ones."""
        _end(self._there)

    def _make(self, workers: int) -> None:
        if workers <= 0:
            return
        # What is there by now stays: a copy that looks for garbage in it would only copy its pages.
        gc.freeze()
        with signals_wait():
            for _ in range(workers):
                try:
                    others = [one.line for one in self._there]
                    self._there.append(_copy(self._packer.scenarios, others))
                except OSError as refused:
                    # The system gives no further process: those that are there do the work.
                    if not self._there or refused.errno not in (errno.EAGAIN, errno.ENOMEM):
                        raise
                    break


def _end(there: list[_Worker]) -> None:
    # A second Ctrl-C waits, too: a worker heeds no other signal, so one left over would stay.
    with signals_wait():
        ended = [*there]
        there.clear()
        for one in ended:
            one.process.kill()
        for one in ended:
            one.process.join()
            one.process.close()
            one.line.close()
        if ended:
            gc.unfreeze()


class _Packer(pickle.Pickler):
    """Tasks as bytes, in which scenarios are numbers: many tasks have the same.

    So each goes to a copy only once, and all tasks there have the same object.
    """

    def __init__(self) -> None:
        # They stay, so ids stay theirs.
        self.scenarios: list[Scenario] = []
        self._numbers: dict[int, int] = {}

    def packed(self, task: Any) -> bytes:
        room = io.BytesIO()
        super().__init__(room, protocol=pickle.HIGHEST_PROTOCOL)
        self.dump(task)
        return room.getvalue()

    def persistent_id(self, one: Any) -> int | None:
        if not isinstance(one, Scenario):
            return None
        if id(one) not in self._numbers:
            self._numbers[id(one)] = len(self.scenarios)
            self.scenarios.append(one)
        return self._numbers[id(one)]


class _Unpacker(pickle.Unpickler):
    """Tasks of such bytes."""

    def __init__(self, message: bytes, scenarios: list[Scenario]) -> None:
        super().__init__(io.BytesIO(message))
        self._scenarios = scenarios

    def persistent_load(self, number: Any) -> Any:
        return self._scenarios[number]


def in_copies(
    function: Callable[[T], R], tasks: dict[int, T], workers: int
) -> Generator[tuple[int, R], None, None]:
    """As `Copies.results`, of copies for this call alone."""
    with closing(Copies(workers)) as copies:
        yield from copies.results(function, tasks)


def _copy(scenarios: list[Scenario], others: list[Connection]) -> _Worker:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    args = (there, scenarios, os.getpid(), [*others, here])
    process = context.Process(target=_work, args=args, daemon=True)
    with warnings.catch_warnings():
        # Python warns of any second thread.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    # So that the line breaks with the copy.
    there.close()
    return _Worker(process, here, len(scenarios))


def _work(
    line: Connection, scenarios: list[Scenario], parent: int, others: list[Connection]
) -> None:
    """Compute what is asked for; only the parent ends a worker, or the parent's end."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    # The parent's ends of lines: with them open here, no line would break when the parent ends.
    for other in others:
        other.close()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    # A task makes many objects and few cycles: looked for as seldom as within a run.
    gc.set_threshold(100_000, 50, 100)
    try:
        while True:
            more, message = line.recv()
            scenarios += more
            number, function, task = _Unpacker(message, scenarios).load()
            try:
                found = pickle.dumps((number, function(task), None))
            except Exception as error:
                found = _told(number, error)
            line.send_bytes(found)
    except (EOFError, OSError):
        # The parent is gone.
        os._exit(1)


def _told(number: int, error: Exception) -> bytes:
    """An error of a task, with where it was raised; in words where it cannot be sent itself."""
    where = "In a worker:\n" + "".join(traceback.format_tb(error.__traceback__))
    error.add_note(where)
    try:
        found = pickle.dumps((number, None, error))
        pickle.loads(found)
    except Exception:
        words = RuntimeError(f"{type(error).__name__}: {error}")
        words.add_note(where)
        found = pickle.dumps((number, None, words))
    return found
