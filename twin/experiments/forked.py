"""Workers that are copies of this process: they start at once, with all that it has in memory.

A copy of a process has only the thread that made it; what the others had locked stays locked. So
this is for a process without other threads, such as a command's, on Linux, which lists them.
Elsewhere workers start anew, which takes each a second of the processor to import what it needs.
"""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

from twin.common.errors import TwinError
from twin.experiments.signals import signals_wait

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


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    # Numbers of tasks go there, and results come back.
    line: Connection

    def hand(self, number: int | None) -> None:
        try:
            self.line.send(number)
        except OSError:
            raise CopyDied from None


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


def in_copies(
    function: Callable[[T], R], tasks: dict[int, T], workers: int
) -> Generator[tuple[int, R], None, None]:
    """Results of tasks by their number, as they are ready; tasks are handed out in order.

    Parameters
    ----------
    function : callable
    tasks : dict of int to T
        The copies have them in memory.
    workers : int
        Copies at once.

    Raises
    ------
    CopyDied
        If a copy ended; what was not told is not done.
    """
    waiting = iter(tasks)
    idle: list[_Worker] = []
    # What is there by now stays: a copy that looks for garbage in it would only copy its pages.
    gc.freeze()
    try:
        with signals_wait():
            for _ in range(min(workers, len(tasks))):
                try:
                    idle.append(_copy(function, tasks, [one.line for one in idle]))
                except OSError as refused:
                    # The system gives no further process: those that are there do the work.
                    if not idle or refused.errno not in (errno.EAGAIN, errno.ENOMEM):
                        raise
                    break
        busy = {}
        for one, number in zip(idle, waiting, strict=False):
            one.hand(number)
            busy[one.line] = one
        while busy:
            for line in wait(list(busy)):
                one = busy.pop(line)  # type: ignore[call-overload]
                try:
                    number, result, error = one.line.recv()
                except (EOFError, OSError):
                    raise CopyDied from None
                following = next(waiting, None)
                one.hand(following)
                if following is not None:
                    busy[one.line] = one
                if error is not None:
                    raise error
                yield number, result
    finally:
        # A second Ctrl-C waits, too: a worker heeds no other signal, so one left over would stay.
        with signals_wait():
            for one in idle:
                one.process.kill()
            for one in idle:
                one.process.join()
                one.process.close()
                one.line.close()
            gc.unfreeze()


def _copy(function: Callable[[T], R], tasks: dict[int, T], others: list[Connection]) -> _Worker:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    args = (there, function, tasks, os.getpid(), [*others, here])
    process = context.Process(target=_work, args=args, daemon=True)
    with warnings.catch_warnings():
        # Python warns of any second thread.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    # So that the line breaks with the copy.
    there.close()
    return _Worker(process, here)


def _work(
    line: Connection,
    function: Callable[[T], R],
    tasks: dict[int, T],
    parent: int,
    others: list[Connection],
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
    try:
        while (number := line.recv()) is not None:
            try:
                found = pickle.dumps((number, function(tasks[number]), None))
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
