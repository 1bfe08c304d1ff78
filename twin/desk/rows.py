"""Rows of a table that only grows, packed into bytes and read as columns at the end.

That takes a quarter of the time of lists, 13 numbers a row, and a tenth of the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from struct import Struct

import numpy as np
import numpy.typing as npt

# Types and names of the columns of the ledger's tables.
TIMELINE = ("idb", "ticket", "when", "status")
VISITS = ("ihbdddbi", "ticket", "pool", "activity", "queued", "started", "ended", "end", "agent")
CALLS = (
    "ibbhddddhhiibi", "ticket", "step", "model", "version", "asked", "started", "ended", "quota",
    "attempts", "limited", "tokens_in", "tokens_out", "outcome", "reply",
)  # fmt: skip
RATINGS = ("idbbhi", "ticket", "when", "rating", "model", "version", "feedback")
STAFFING = ("hdii", "pool", "when", "on_shift", "away")


class Rows:
    """Rows of numbers, packed; `data` and `add` are for the hot paths.

    Parameters
    ----------
    types : str
        A struct code a column: b, h, i (integers of 1, 2, 4 bytes) or d (float).
    names : str
        The columns.
    """

    def __init__(self, types: str, *names: str) -> None:
        row = Struct("<" + types)
        self.size = row.size
        self.pack = row.pack
        self.data = bytearray()
        self.add = self.data.extend
        self.dtype, self._places = _columns(types, names)
        self._elsewhere: npt.NDArray[np.void] | None = None

    def mend(self, row: int, name: str, value: float) -> None:
        """Change a value of a row."""
        pack_into, offset = self._places[name]
        pack_into(self.data, row * self.size + offset, value)

    def take(self) -> npt.NDArray[np.void]:
        """The rows as a structured array, once: they are let go with it."""
        elsewhere, self._elsewhere = self._elsewhere, None
        if elsewhere is not None:
            return elsewhere
        data, self.data = self.data, bytearray()
        return np.frombuffer(data, self.dtype)

    def put(self, rows: npt.NDArray[np.void]) -> None:
        """Put a structured array, which nobody writes into any more, in the place of all rows."""
        self.data, self._elsewhere = bytearray(), rows


@cache
def _columns(
    types: str, names: tuple[str, ...]
) -> tuple[np.dtype[np.void], dict[str, tuple[Callable[..., None], int]]]:
    """The type of a row, and of each column how it is packed and from which byte on."""
    kinds = {"b": "i1", "h": "<i2", "i": "<i4", "d": "<f8"}
    row: np.dtype[np.void] = np.dtype([(n, kinds[t]) for n, t in zip(names, types, strict=True)])
    packed = {
        name: (Struct("<" + types[k]).pack_into, Struct("<" + types[:k]).size)
        for k, name in enumerate(names)
    }
    return row, packed
