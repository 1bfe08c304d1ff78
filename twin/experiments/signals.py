"""Signals that end a command, where they must wait or are not for what is started."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


def _callables() -> dict[int, Callable[[int, FrameType | None], object]]:
    """Handlers in Python of the signals that end a command."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    return {number: handler for number, handler in handlers.items() if callable(handler)}


@contextmanager
def signals_wait() -> Iterator[None]:
    """Handlers of signals are called at the end instead, so that what they raise is not lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    callables = _callables()
    for number in callables:
        signal.signal(number, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in callables.items():
            signal.signal(number, handler)
        for number, frame in came:
            callables[number](number, frame)


@contextmanager
def signals_reach() -> Iterator[None]:
    """Call handlers of signals that came again at the end, if what they raised did not arrive.

    Python drops what is raised while a generator is closed as garbage, as those of a SimPy desk
    are, in a destructor, and in a callback of C.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    callables = _callables()

    def handle(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))
        callables[number](number, frame)

    for number in callables:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in callables.items():
            # A handler may have put another in its place.
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)
    for number, frame in came:
        callables[number](number, frame)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Processes started here inherit that Ctrl-C, and the end of the terminal, are not for them.

    Workers are ended by this one, and what clears up after them ends with the last of them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), signal.SIG_IGN) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
