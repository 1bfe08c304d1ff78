"""Totals that figures are made of: of a whole run at once, or added up part by part.

A figure is arithmetic on a few totals: sums over tickets and what belongs to them, which names
occur, values in order. Its function asks for each total by a key. Of a run in parts (each holds
some tickets with all their visits, calls and so on) the function is called once a part, which adds
to the totals, and once more on an empty log, which makes the figure of them. So a figure is written
once, and no more than a part is in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt

from twin.measures.rows import TEXT_GROUPS
from twin.stats.far_quantiles import RankedInFile
from twin.stats.quantiles import Floats, Ranked, Rankings

T = TypeVar("T")
Mask = npt.NDArray[np.bool_]
Groups = npt.NDArray[np.integer[Any]]
Key = tuple[str, ...]


class InOrder(Protocol):
    """Values in order, of which quantiles are asked for; see `twin.stats.quantiles.Ranked`."""

    def __len__(self) -> int:
        """Number of values."""

    def quantile(self, q: float) -> float:
        """The quantile of all values."""

    def without_each(self, q: float) -> tuple[Floats, Floats]:
        """The quantile of all values but those of a group, and whether there is one, by group."""


class Totals:
    """Totals of a whole run.

    Attributes
    ----------
    figure : str
        Name of the figure that asks.
    """

    def __init__(self) -> None:
        self.figure = ""
        self._rankings = Rankings(TEXT_GROUPS)

    def of(self, key: Key, make: Callable[[], T]) -> T:
        """A total of the figure that asks: a number or an array; parts of a run add up to it."""
        return make()

    def of_run(self, key: Key, make: Callable[[], T]) -> T:
        """A total as `of`, of all figures together; a part of a run asks for it once."""
        return make()

    def occurs(self, key: Key, mask: Mask) -> bool:
        """True if anything is so; the key is one of all figures."""
        return bool(mask.any())

    def ever(self, key: Key, mask: Mask) -> bool:
        """True if anything is so in the run; of a part that it may be so, in another one."""
        return self.occurs(key, mask)

    def different(self, key: Key, values: npt.NDArray[Any]) -> int:
        """Number of different values."""
        return len(np.unique(values))

    def in_order(self, key: Key, values: Floats, chosen: Mask, group: Groups | None) -> InOrder:
        """The chosen values in order.

        Parameters
        ----------
        key : tuple of str
            Name of what is chosen.
        values : array of float, shape (n,)
            The same array has the same ones chosen by a name.
        chosen : array of bool, shape (n,)
        group : array of int, shape (n,), optional
            Group of each value; by default there are none.
        """
        return self._rankings.of(values, chosen, "/".join(key), group)


class _Numbered:
    """Arrays by the order in which they are first seen: the same in each part, and at the end."""

    def __init__(self) -> None:
        # Kept, as ids of what is gone are given again.
        self._seen: dict[int, tuple[int, Any]] = {}

    def of(self, values: Any) -> int:
        return self._seen.setdefault(id(values), (len(self._seen), values))[0]


class _InMemory:
    """Values of all parts, which are put in order at the end."""

    def __init__(self) -> None:
        self._parts: list[tuple[Floats, Groups]] = []

    def add(self, values: Floats, group: Groups) -> None:
        self._parts.append((values, group))

    def ranked(self) -> InOrder:
        values, group = (np.concatenate(of) for of in zip(*self._parts, strict=True))
        return Ranked(values, group, TEXT_GROUPS)


class PartTotals(Totals):
    """Totals to which parts of a run are added.

    Parameters
    ----------
    folder : Path, optional
        Where values wait until they are put in order; by default in memory.
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._sums: dict[Key, Any] = {}
        self._occurring: set[Key] = set()
        self._values: dict[Key, npt.NDArray[Any]] = {}
        self._kept: dict[tuple[int, Key], _InMemory | RankedInFile] = {}
        self.next()

    def next(self) -> None:
        """Turn to the next part."""
        self._asked: set[Any] = set()
        self._arrays = _Numbered()

    def of(self, key: Key, make: Callable[[], T]) -> T:
        """Add a total of this part; it comes back."""
        return self.of_run((self.figure, *key), make)

    def of_run(self, key: Key, make: Callable[[], T]) -> T:
        """Add a total of this part; it comes back."""
        if key in self._asked:
            raise AssertionError(f"two totals of one part have the key {key}")
        self._asked.add(key)
        value: Any = make()
        self._sums[key] = self._sums[key] + value if key in self._sums else value
        return cast("T", value)

    def occurs(self, key: Key, mask: Mask) -> bool:
        """True if anything is so in this part."""
        found = super().occurs(key, mask)
        if found:
            self._occurring.add(key)
        return found

    def ever(self, key: Key, mask: Mask) -> bool:
        """True: it may be so in another part."""
        self.occurs(key, mask)
        return True

    def different(self, key: Key, values: npt.NDArray[Any]) -> int:
        """Number of different values in this part."""
        found = np.unique(values)
        known = self._values.get(key)
        self._values[key] = found if known is None else np.union1d(known, found)
        return len(found)

    def in_order(self, key: Key, values: Floats, chosen: Mask, group: Groups | None) -> InOrder:
        """Add the chosen values of this part; none of them come back."""
        place = self._arrays.of(values), key
        if place not in self._asked:
            self._asked.add(place)
            if place not in self._kept:
                self._kept[place] = self._place()
            there = values[chosen]
            groups = np.zeros(len(there), np.int8) if group is None else group[chosen]
            self._kept[place].add(there, groups)
        return Ranked(values[:0], np.zeros(0, np.int8), TEXT_GROUPS)

    def _place(self) -> _InMemory | RankedInFile:
        if self._folder is None:
            return _InMemory()
        return RankedInFile(self._folder / f"values-{len(self._kept)}", TEXT_GROUPS)

    def whole(self) -> Totals:
        """Totals of all parts, for the figures of an empty log."""
        return _AddedUp(self)


class _AddedUp(Totals):
    """Totals of parts, added up."""

    def __init__(self, parts: PartTotals) -> None:
        super().__init__()
        self._of = parts
        self._arrays = _Numbered()
        self._ranked: dict[Any, InOrder] = {}

    def of(self, key: Key, make: Callable[[], T]) -> T:
        return self.of_run((self.figure, *key), make)

    def of_run(self, key: Key, make: Callable[[], T]) -> T:
        found: T = self._of._sums[key]
        return found

    def occurs(self, key: Key, mask: Mask) -> bool:
        return key in self._of._occurring

    def different(self, key: Key, values: npt.NDArray[Any]) -> int:
        return len(self._of._values[key])

    def in_order(self, key: Key, values: Floats, chosen: Mask, group: Groups | None) -> InOrder:
        place = self._arrays.of(values), key
        if place not in self._ranked:
            kept = self._of._kept[place]
            self._ranked[place] = kept if isinstance(kept, RankedInFile) else kept.ranked()
        return self._ranked[place]


def ratio(over: Any, under: Any) -> Any:
    """A ratio of totals, without a warning where a part of a run has none of them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(over, under) if np.ndim(over) or under else math.nan
