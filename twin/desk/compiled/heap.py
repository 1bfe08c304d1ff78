"""A heap of events, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function when it is first called, mostly by others that are compiled.

    Without numba's fast-math: a sum of floats must come to the last bit. Python cannot call it:
    what that needs takes half of the time to compile.
    """
    options: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast(F, njit(error_model="numpy", **options)(function))


@compiled
def push(heap: Any, size: int, time: float, key: int, who: int) -> None:
    """Put an event into a heap that has `size`; by time, then by key."""
    k = size
    while k > 0:
        up = (k - 1) >> 1
        if heap[up].time < time or (heap[up].time == time and heap[up].key < key):
            break
        heap[k].time = heap[up].time
        heap[k].key = heap[up].key
        heap[k].who = heap[up].who
        k = up
    heap[k].time = time
    heap[k].key = key
    heap[k].who = who


@compiled
def drop_first(heap: Any, size: int) -> None:
    """Take the first event out of a heap that has `size`."""
    last = size - 1
    time, key, who = heap[last].time, heap[last].key, heap[last].who
    k = 0
    while True:
        down = 2 * k + 1
        if down >= last:
            break
        if down + 1 < last and (
            heap[down + 1].time < heap[down].time
            or (heap[down + 1].time == heap[down].time and heap[down + 1].key < heap[down].key)
        ):
            down += 1
        if time < heap[down].time or (time == heap[down].time and key < heap[down].key):
            break
        heap[k].time = heap[down].time
        heap[k].key = heap[down].key
        heap[k].who = heap[down].who
        k = down
    heap[k].time = time
    heap[k].key = key
    heap[k].who = who
