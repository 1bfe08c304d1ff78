"""Exact quantiles of more values than fit in memory, with each group of values left out in turn.

Values lie in a file as they came. How many of each group lie in each of many narrow intervals is
counted as they come; so it is known in which intervals the neighbours of a quantile lie, and only
the values in these are read again and put in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from twin.stats.quantiles import Floats

Ints = npt.NDArray[np.int64]
_ROW = np.dtype([("value", "f8"), ("group", "i1")])
# Rows that are read at once; and so many of those wanted are kept before equal ones are one.
_AT_ONCE = 100_000
# An interval has all floats with the same first bits: sign, exponent, 8 bits behind it.
_BITS = 44
_ALL = -1
_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


class RankedInFile:
    """Values with their groups in a file, for several quantiles of the same ones.

    It gives what `twin.stats.quantiles.Ranked` gives, to the last bit.

    Parameters
    ----------
    path : Path
        Of a file that is written.
    groups : int
        How many groups there are.
    """

    def __init__(self, path: Path, groups: int) -> None:
        self._path, self._groups = path, groups
        # Number of values by interval and group, where there are any.
        self._cells, self._counts = np.zeros((2, 0), np.int64)
        self._n = 0
        self._found: dict[float, tuple[float, Floats, Floats]] = {}
        path.write_bytes(b"")

    def __len__(self) -> int:
        return self._n

    def add(self, values: Floats, group: npt.NDArray[np.integer[Any]]) -> None:
        """Add values, none of them missing, and their groups, from 0 on."""
        rows = np.empty(len(values), _ROW)
        rows["value"], rows["group"] = values, group
        with self._path.open("ab") as file:
            file.write(rows.tobytes())
        cells, counts = np.unique(_interval(values) * self._groups + group, return_counts=True)
        both, place = np.unique(np.concatenate([self._cells, cells]), return_inverse=True)
        before, self._cells, self._counts = self._counts, both, np.zeros(len(both), np.int64)
        self._counts[place[: len(before)]] = before
        self._counts[place[len(before) :]] += counts
        self._n += len(values)
        self._found.clear()

    def quantile(self, q: float) -> float:
        """The quantile of all values, as `Ranked.quantile`."""
        return self._at(q)[0]

    def without_each(self, q: float) -> tuple[Floats, Floats]:
        """The quantile of all values but those of a group, for each group, as of `Ranked`."""
        return self._at(q)[1:]

    def _at(self, q: float) -> tuple[float, Floats, Floats]:
        if q not in self._found:
            self._found[q] = self._select(q)
        return self._found[q]

    def _select(self, q: float) -> tuple[float, Floats, Floats]:
        intervals, place = np.unique(self._cells // self._groups, return_inverse=True)
        table = np.zeros((len(intervals), self._groups), np.int64)
        table[place, self._cells % self._groups] = self._counts
        # Ranks of both neighbours: of all values, and without each group.
        left = self._n - np.concatenate([[0], table.sum(axis=0)])
        at = np.maximum(left - 1, 0) * q
        low = at.astype(np.int64)
        high = np.minimum(low + 1, np.maximum(left - 1, 0))
        up_to = np.cumsum(table.sum(axis=1))[:, None] - np.cumsum(
            np.concatenate([np.zeros((len(intervals), 1), np.int64), table], axis=1), axis=0
        )
        wanted = [
            (rank, group, int(np.searchsorted(up_to[:, group + 1], rank, side="right")))
            for ranks in (low, high)
            for group, rank in enumerate(ranks.tolist(), _ALL)
            if left[group + 1]
        ]
        inside = self._inside(intervals[sorted({k for _, _, k in wanted})])
        found = np.zeros((2, self._groups + 1))
        for number, (rank, group, k) in enumerate(wanted):
            before = int(up_to[k - 1, group + 1]) if k else 0
            of_low = number < len(wanted) // 2
            found[0 if of_low else 1, group + 1] = inside.value(
                int(intervals[k]), rank - before, group
            )
        below, above = found
        share, apart = at - low, above - below
        values = np.where(share >= 0.5, above - apart * (1 - share), below + apart * share)
        there = left > 0
        values = np.where(there, values, 0.0)
        return float(values[0]), values[1:], there[1:].astype(np.float64)

    def _inside(self, intervals: Ints) -> _Inside:
        """The values in some intervals."""
        inside = _Inside()
        for rows in self._rows():
            of = _interval(rows["value"])
            k = np.minimum(np.searchsorted(intervals, of), len(intervals) - 1)
            inside.add(rows[intervals[k] == of])
        return inside

    def _rows(self) -> Iterator[npt.NDArray[Any]]:
        with self._path.open("rb") as file:
            while data := file.read(_AT_ONCE * _ROW.itemsize):
                yield np.frombuffer(data, _ROW)


class _Inside:
    """Values in order with their groups; equal ones of a group are kept once, with their number."""

    def __init__(self) -> None:
        self._parts: list[tuple[Floats, Ints, Ints]] = []
        self._waiting = 0
        # The intervals of the values, when no more come.
        self._of: Ints | None = None

    def add(self, rows: npt.NDArray[Any]) -> None:
        group = rows["group"].astype(np.int64)
        self._parts.append((rows["value"].copy(), group, np.ones(len(rows), np.int64)))
        self._waiting += len(rows)
        if self._waiting > _AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        values, group, count = (np.concatenate(of) for of in zip(*self._parts, strict=True))
        order = np.lexsort((group, values))
        values, group, count = values[order], group[order], count[order]
        new = np.ones(len(values), np.bool_)
        new[1:] = (values[1:] != values[:-1]) | (group[1:] != group[:-1])
        starts = np.flatnonzero(new)
        counts = np.add.reduceat(count, starts) if len(starts) else count
        self._parts = [(values[starts], group[starts], counts)]
        self._waiting = 0

    def value(self, interval: int, rank: int, without: int) -> float:
        """The value of a rank among those in an interval, from 0 on, without those of a group."""
        if self._of is None:
            self._settle()
            self._of = _interval(self._parts[0][0])
        values, group, count = self._parts[0]
        here = slice(*(int(np.searchsorted(self._of, interval, side)) for side in _SIDES))
        counted = np.where(group[here] == without, 0, count[here])
        at = np.searchsorted(np.cumsum(counted), rank, side="right")
        return float(values[here][at])


def _interval(values: Floats) -> Ints:
    """Number of the interval of each value, rising with the values."""
    # Without the sign of a zero.
    bits = (np.ascontiguousarray(values, np.float64) + 0.0).view(np.int64)
    # Bits of numbers below 0 rise as the numbers fall.
    rising = np.where(bits < 0, bits ^ np.int64(0x7FFF_FFFF_FFFF_FFFF), bits)
    found: Ints = rising >> _BITS
    return found
