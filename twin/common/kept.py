"""Results of work on an object, kept as long as few others were asked for since."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class MadeOnce(Generic[T]):
    """Results of work on objects that nobody changes, such as a scenario's pools.

    To look such an object up by its content would mean to read all of it each time, so it is looked
    up by what it is in memory. It is kept beside what was made of it: ids of what is gone are given
    again.

    Parameters
    ----------
    most : int
        Objects that are kept, the last ones that were asked for.

    Examples
    --------
    >>> lengths = MadeOnce[int](most=2)
    >>> text = "a b"
    >>> lengths.get(text, lambda: len(text)), lengths.get(text, lambda: 0)
    (3, 3)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[int, Hashable], tuple[Any, T]] = OrderedDict()

    def get(self, one: object, make: Callable[[], T], more: Hashable = None) -> T:
        """The result for an object, and for what else it was made of."""
        key = id(one), more
        known = self._kept.get(key)
        if known is None or known[0] is not one:
            known = one, make()
            self._kept[key] = known
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return known[1]
