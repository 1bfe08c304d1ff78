"""All that is random, by name: streams of uniforms that belong to tickets.

Replication k is a pure function of (seed, k): each draw has a generator of its own from
``SeedSequence(seed, spawn_key=key(...))``, and all that a draw is for is a part of the key. So two
scenarios see the same customers on the same day (common random numbers by construction), a new
stream changes no old one, and no two purposes share their luck.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

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
    COPY_MOMENT = 43
    WRAP_UP = 50
    BALKING = 51
    WRAP_UP_LATER = 52
    AWAY = 53
    TURNOUT = 54
    AGENT_CHOICE = 56
    POOL_CHOICE = 57
    SAME_AGENT = 58
    # Of an agent, not of a ticket: by replication, pool and agent.
    TENURE = 59
    PART_OF_DAY = 60
    BACKLOG_AGE = 61
    CHANNEL = 62
    RETRIAL = 63
    RETRIAL_DELAY = 64
    CALLBACK = 65
    TOUCH = 70
    REPLY = 71
    NO_REPLY = 72
    AUTO_CLOSE = 73
    SOLVED_UNANSWERED = 74
    HOLD = 75
    FOLLOW_UP = 76
    NEXT_STATUS = 77
    STATUS_DELAY = 78
    TRANSFER = 79
    MEMBER_TURNOUT = 80
    # Of a ticket, for all attempts at it.
    CATEGORY_DIFFICULTY = 85
    ANSWER_DIFFICULTY = 86
    # Of a stated range, not of a ticket: by the draw's number and the range's key.
    ASSUMED = 95


class Use(NamedTuple):
    """Purpose of a draw within its stream; all 0 is a ticket's first use of it.

    Attributes
    ----------
    visit : int
        Times that the customer came back before; of waits, further touches, transfers and
        statuses of a workflow: how many there were before.
    attempt : int
        Times that the call was made before; of the choice of an agent: the activity.
    model : int
        Number of the model that is asked: 0, or 1 for the one of on_failure "fallback".
    version : int
        Number of the prompt version that is drawn for.
    """

    visit: int = 0
    attempt: int = 0
    model: int = 0
    version: int = 0


FIRST = Use()


def key(replication: int, stream: Stream, layer: int = 0, use: Use = FIRST) -> tuple[int, ...]:
    """Spawn key of a draw: another one for whatever differs. Each part is below 2**32.

    Examples
    --------
    >>> key(3, Stream.HANDLE), key(3, Stream.HANDLE, layer=1), key(3, Stream.HANDLE, use=Use(2))
    ((3, 8), (3, 8, 1), (3, 8, 0, 2))
    """
    parts: tuple[int, ...] = (replication, int(stream), layer, *use)
    # Without the zeros at its end: a part that comes to be changes no luck that was there before.
    while len(parts) > 2 and parts[-1] == 0:
        parts = parts[:-1]
    return parts


def generator(
    seed: int, replication: int, stream: Stream, layer: int = 0, use: Use = FIRST
) -> np.random.Generator:
    """The generator of a stream.

    Parameters
    ----------
    seed, replication : int
    stream : Stream
    layer : int
        Layer of the tickets: 0 up to a load of 1, 1 for what comes on top up to 2, and so on; see
        `twin.demand.arrivals`.
    use : Use
    """
    spawn_key = key(replication, stream, layer, use)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))


def of_agents(
    seed: int, replication: int, stream: Stream, pool: str, *use: int
) -> np.random.Generator:
    """The generator of luck that belongs to the agents of a pool, not to tickets.

    Parameters
    ----------
    seed, replication : int
    stream : Stream
    pool : str
        By its name, so that a pool more or less changes the luck of no other.
    *use : int
        All that the draw is for; always as many numbers for one stream.
    """
    spawn_key = (replication, int(stream), crc32(pool.encode()), *use)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))


def uniforms(
    seed: int,
    replication: int,
    stream: Stream,
    n: int,
    layer: int = 0,
    use: Use = FIRST,
    first: int = 0,
) -> Floats:
    """The next `n` uniforms in [0, 1) of a stream from the one with number `first` on.

    Examples
    --------
    >>> several = uniforms(1, 0, Stream.HANDLE, 9)
    >>> bool((uniforms(1, 0, Stream.HANDLE, 4, first=5) == several[5:]).all())
    True
    """
    rng = generator(seed, replication, stream, layer, use)
    if first:
        # A uniform takes one step of this generator, so those before need not be drawn.
        rng.bit_generator.advance(first)  # type: ignore[attr-defined]
    return rng.random(n)


# Rows further apart than this are drawn apart: to find a place takes as long as so many uniforms.
_FAR = 4096


@dataclass(frozen=True)
class Places:
    """Rows and layers of the luck of tickets, in each stream.

    A ticket keeps its place whatever the load, so it keeps its luck.

    Attributes
    ----------
    layer, row : array of int, shape (n,)
    """

    layer: npt.NDArray[np.integer]
    row: npt.NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.row)

    def uniform(self, seed: int, replication: int, stream: Stream, use: Use = FIRST) -> Floats:
        """A uniform in [0, 1) for each ticket, shape (n,)."""
        if self._in_a_row:
            layer, first = int(self.layer[0]), int(self.row[0])
            return uniforms(seed, replication, stream, len(self), layer, use, first)
        luck = np.empty(len(self))
        for layer, here in self._layers:
            for some in _near(self.row[here]):
                where = here[some]
                rows = self.row[where]
                first, last = int(rows.min()), int(rows.max())
                several = uniforms(seed, replication, stream, last + 1 - first, layer, use, first)
                luck[where] = several[rows - first]
        return luck

    def at(self, rows: Any) -> Places:
        """Those of some tickets."""
        return Places(self.layer[rows], self.row[rows])

    @cached_property
    def _in_a_row(self) -> bool:
        """True if these are rows of one layer in order, without a gap, as at a load of 1."""
        if not len(self):
            return False
        one = bool((self.layer == self.layer[0]).all())
        return one and bool((np.diff(self.row) == 1).all())

    @cached_property
    def _layers(self) -> list[tuple[int, Ints]]:
        """Each layer with its tickets."""
        layers = np.unique(self.layer).tolist()
        return [(layer, np.flatnonzero(self.layer == layer)) for layer in layers]


def _near(rows: npt.NDArray[np.integer]) -> list[Any]:
    """Places of rows that are drawn together: all, unless there are long gaps between them."""
    if int(rows.max()) - int(rows.min()) < _FAR + 8 * len(rows):
        return [slice(None)]
    order = np.argsort(rows, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(rows[order]) > _FAR) + 1)


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
