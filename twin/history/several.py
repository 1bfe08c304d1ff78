"""Independent parts of a calibration, in other processes where there are any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from twin.common.errors import TwinError
from twin.experiments import engine

T = TypeVar("T")
R = TypeVar("R")


class LostPart(TwinError, RuntimeError):
    """A part that ends every process that computes it."""


def in_order(function: Callable[[T], R], tasks: Sequence[T], workers: int) -> list[R]:
    """Results of a function for each task, in the order of the tasks.

    Parameters
    ----------
    function : callable
        Pure: the results are the same whatever the number of processes.
    tasks : sequence
    workers : int
        Processes, which stay for the next call; 1: this one.

    Raises
    ------
    LostPart
    """
    if workers == 1 or len(tasks) < 2:
        return [function(task) for task in tasks]
    numbered = list(enumerate(tasks))
    one: Callable[[tuple[int, T]], tuple[int, R]] = partial(_numbered, function)
    found: dict[int, R] = dict(engine.each(one, numbered, workers, _lost, stay=True))
    return [found[k] for k in range(len(tasks))]


def _numbered(function: Callable[[T], R], task: tuple[int, T]) -> tuple[int, R]:
    number, one = task
    return number, function(one)


def _lost(task: tuple[int, T]) -> tuple[int, R]:
    raise LostPart(f"part {task[0] + 1} ended the process that computed it, several times")
