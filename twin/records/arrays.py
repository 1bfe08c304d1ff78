"""The columns of a table as arrays, each read once: figures look at the same ones many times.

pandas makes a new column at each look, which costs more than the arithmetic of a short run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.kept import MadeOnce

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
T = TypeVar("T")


class Arrays:
    """Columns of a table, or of some of its rows.

    Parameters
    ----------
    table : DataFrame or mapping
        Its columns by name: of numbers as arrays, of names as pandas' categories.

    Examples
    --------
    >>> table = pd.DataFrame({"wait_s": [3.0, 8.0, 5.0], "end": ["done", "left", "done"]})
    >>> visits = Arrays(table)
    >>> visits.at(visits.among("end", ["done"]))["wait_s"].tolist()
    [3.0, 5.0]
    """

    def __init__(self, table: pd.DataFrame | Mapping[str, Any]) -> None:
        self._table = table
        self._whole: Arrays | None = None
        self._rows: Array = np.zeros(0, dtype=np.intp)
        self._length = len(table if isinstance(table, pd.DataFrame) else next(iter(table.values())))
        self._found: dict[str, Array] = {}
        self._made: dict[str, Any] = {}
        self._coded: dict[str, tuple[Array, tuple[Any, ...]]] = {}

    def at(self, rows: Array) -> Arrays:
        """Some rows: True for each one wanted, or their places."""
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
            if len(rows) == len(self):
                return self
        some = Arrays(self._table)
        some._whole, some._rows, some._length = self, rows, len(rows)
        return some

    def __len__(self) -> int:
        return self._length

    def __contains__(self, name: str) -> bool:
        return name in self._table

    def __getitem__(self, name: str) -> Array:
        """A column of numbers."""
        found = self._found.get(name)
        if found is None:
            if self._whole is None:
                found = np.asarray(self._table[name])
            else:
                found = self._whole[name].take(self._rows)
            self._found[name] = found
        return found

    def made(self, name: str, make: Callable[[], T]) -> T:
        """A further column, of these rows, or what else is made of them once; then it is kept."""
        if name not in self._made:
            self._made[name] = make()
        found: T = self._made[name]
        return found

    def codes(self, name: str) -> tuple[Array, tuple[Any, ...]]:
        """A column of names as places in a list, -1 where missing; and the list."""
        found = self._coded.get(name)
        if found is None:
            if self._whole is None:
                column: Any = self._table[name]
                if not isinstance(column.dtype, pd.CategoricalDtype):
                    column = pd.Series(column).astype("category")
                named: Any = column.array if isinstance(column, pd.Series) else column
                found = named.codes, _names(named.dtype)
            else:
                codes, names = self._whole.codes(name)
                found = codes.take(self._rows), names
            self._coded[name] = found
        return found

    def among(self, name: str, wanted: Iterable[Any]) -> Mask:
        """True where a column of names has one of those wanted."""
        codes, names = self.codes(name)
        if len(wanted := tuple(wanted)) == 1:
            # To compare is quicker than to look up.
            return cast("Mask", codes == (names.index(wanted[0]) if wanted[0] in names else -2))
        # The last place is that of a missing one, whose code is -1: that is, one before the first.
        is_wanted = np.zeros(len(names) + 1, dtype=np.bool_)
        for one in wanted:
            if one in names:
                is_wanted[names.index(one)] = True
        return is_wanted.take(codes, mode="wrap")

    def known(self, name: str) -> Mask:
        """True where a column of numbers is not missing."""
        return ~np.isnan(self[name])


# All replications of a desk share the types of their columns.
_names_of = MadeOnce[tuple[Any, ...]](most=256)


def _names(dtype: Any) -> tuple[Any, ...]:
    """Categories of a type, which take long to read."""
    return _names_of.get(dtype, lambda: tuple(dtype.categories))
