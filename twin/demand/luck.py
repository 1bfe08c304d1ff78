"""All that is random, by name: streams of uniforms that belong to tickets.

Replication k is a pure function of (seed, k): each stream has a generator of its own from
``SeedSequence(seed, spawn_key=(replication, stream))``, so two scenarios see the same customers on
the same day (common random numbers by construction), and a new stream changes no old one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

K = TypeVar("K")
V = TypeVar("V")
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Stream(IntEnum):
    """Purposes of uniforms. Append only: a number, once used, keeps its meaning."""

    ARRIVAL = 0
    DAY = 1
    BURST = 2
    COPY = 3
    CATEGORY = 4
    TEXT = 5
    PRIORITY = 6
    PATIENCE = 7
    HANDLE = 8
    TRIAGE = 9
    REVIEW = 10
    SOLVED = 11
    REOPEN = 12
    REOPEN_DELAY = 13
    SURVEY = 14
    RATING = 15
    COMMENT = 16
    OUTAGE = 17
    BACKOFF = 18
    CATEGORIZE_ANSWER = 20
    CATEGORIZE_CONFIDENCE = 21
    CATEGORIZE_LATENCY = 22
    CATEGORIZE_TOKENS_IN = 23
    CATEGORIZE_TOKENS_OUT = 24
    CATEGORIZE_ERROR = 25
    RESPOND_ANSWER = 30
    RESPOND_QUALITY = 31
    RESPOND_LATENCY = 32
    RESPOND_TOKENS_IN = 33
    RESPOND_TOKENS_OUT = 34
    RESPOND_ERROR = 35
    SAMPLE = 40
    EXPLORE = 41
    CHOICE = 42


def generator(
    seed: int, replication: int, stream: Stream, repeat: int = 0, layer: int = 0
) -> np.random.Generator:
    """The generator of a stream.

    Parameters
    ----------
    seed, replication : int
    stream : Stream
    repeat : int
        0 for a ticket's first use of the stream, 1 for its second (a retry, a return), and so on.
    layer : int
        Layer of the tickets: 0 up to a load of 1, 1 for what comes on top up to 2, and so on; see
        `twin.demand.arrivals`.
    """
    key: tuple[int, ...] = (replication, int(stream), repeat, layer)
    # Without the zeros at its end: a layer or a repeat changes no luck that was there before.
    while len(key) > 2 and key[-1] == 0:
        key = key[:-1]
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def uniforms(
    seed: int, replication: int, stream: Stream, n: int, repeat: int = 0, layer: int = 0
) -> Floats:
    """The first `n` uniforms in [0, 1) of a stream; more of them begin with the same ones."""
    return generator(seed, replication, stream, repeat, layer).random(n)


@dataclass(frozen=True)
class Places:
    """Where the luck of tickets lies: in each stream, at a row of a layer.

    A ticket keeps its place whatever the load, so it keeps its luck.

    Attributes
    ----------
    layer, row : array of int, shape (n,)
    """

    layer: npt.NDArray[np.integer]
    row: npt.NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.row)

    def uniform(self, seed: int, replication: int, stream: Stream, repeat: int = 0) -> Floats:
        """A uniform in [0, 1) for each ticket, shape (n,)."""
        if self._whole:
            return uniforms(seed, replication, stream, len(self), repeat)
        luck = np.empty(len(self))
        for layer, here in self._layers:
            rows = self.row[here]
            several = uniforms(seed, replication, stream, int(rows.max()) + 1, repeat, layer)
            luck[here] = several[rows]
        return luck

    @cached_property
    def _whole(self) -> bool:
        """Whether this is layer 0 with all its rows in order, as at a load of 1."""
        return not self.layer.any() and bool((self.row == np.arange(len(self))).all())

    @cached_property
    def _layers(self) -> list[tuple[int, Ints]]:
        """Each layer with its tickets."""
        layers = np.unique(self.layer).tolist()
        return [(layer, np.flatnonzero(self.layer == layer)) for layer in layers]


def view(values: npt.NDArray[Any]) -> memoryview:
    """The array for reading one value at a time, as plain Python numbers.

    These compute several times faster than numpy's scalars and, unlike a list, cost no memory.
    """
    contiguous: Any = np.ascontiguousarray(values)
    return memoryview(contiguous)


class Lazy(dict[K, V]):
    """Columns that are made when first looked up; after that a look-up is a dict's.

    Parameters
    ----------
    make : callable
        Makes the column of a key.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> V:
        value = self[key] = self._make(key)
        return value
