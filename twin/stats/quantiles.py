"""Quantiles of what is left when one group of values after the other is left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Ranked:
    """Values in order, with their groups, for several quantiles of the same ones.

    Parameters
    ----------
    values : array of float, shape (n,)
        None missing.
    group : array of int, shape (n,)
        Group of each value, from 0 on.
    groups : int
        How many there are.
    """

    def __init__(self, values: Floats, group: npt.NDArray[np.integer], groups: int) -> None:
        order = np.argsort(values, kind="stable")
        self.values = values[order]
        self._group = group[order]
        self._groups = groups

    def __len__(self) -> int:
        """Number of values."""
        return len(self.values)

    def quantile(self, q: float) -> float:
        """The quantile of all values: that of `numpy.quantile` to the last bit, without sorting.

        Examples
        --------
        >>> Ranked(np.array([1.0, 9.0, 2.0]), np.zeros(3, int), 1).quantile(0.75)
        5.5
        """
        at = (len(self.values) - 1) * q
        low = int(at)
        share = at - low
        below, above = self.values[low], self.values[min(low + 1, len(self.values) - 1)]
        apart = above - below
        return float(above - apart * (1 - share) if share >= 0.5 else below + apart * share)

    def without_each(self, q: float) -> tuple[Floats, Floats]:
        """The quantile of all values but those of a group, for each group.

        It sorts once, where `numpy.quantile` would for each group, and gives the same to the last
        bit.

        Parameters
        ----------
        q : float
            From 0 to 1.

        Returns
        -------
        quantile, there : array of float, shape (groups,)
            The quantile, and 1; both 0 where nothing is left.

        Examples
        --------
        >>> values, group = np.array([1.0, 9.0, 2.0, 4.0]), np.array([0, 1, 0, 2])
        >>> Ranked(values, group, 3).without_each(0.5)[0].tolist()
        [6.5, 2.0, 2.0]
        """
        values, group, groups = self.values, self._group, self._groups
        counts = np.bincount(group, minlength=groups)
        left = len(values) - counts
        # As numpy.quantile does by default: between two neighbours, by the share of the way.
        at = np.maximum(left - 1, 0) * q
        low = np.floor(at).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(left - 1, 0))
        # Both neighbours lie here, whichever group is left out: at most all of it stand before.
        first, last = int(low.min()), min(int((high + counts).max()) + 1, len(values))
        of_groups = group[first:last, None] == np.arange(groups)
        before = np.bincount(group[:first], minlength=groups) + np.cumsum(of_groups, axis=0)
        others = np.arange(first + 1, last + 1)[:, None] - before
        below, above = (values[first + (others > rank).argmax(axis=0)] for rank in (low, high))
        share, apart = at - low, above - below
        found = np.where(share >= 0.5, above - apart * (1 - share), below + apart * share)
        there = left > 0
        return np.where(there, found, 0.0), there.astype(np.float64)


class Rankings:
    """Values of some things in order, kept by name: several quantiles are taken of the same ones.

    Parameters
    ----------
    groups : int
        How many groups there are.
    """

    def __init__(self, groups: int) -> None:
        self._groups = groups
        self._known: dict[tuple[int, str], tuple[Floats, Ranked]] = {}

    def of(
        self, values: Floats, chosen: npt.NDArray[np.bool_], name: str,
        group: npt.NDArray[np.integer] | None,
    ) -> Ranked:  # fmt: skip
        """The chosen values in order; the same array has the same ones chosen by a name.

        Parameters
        ----------
        values : array of float, shape (n,)
        chosen : array of bool, shape (n,)
        name : str
        group : array of int, shape (n,), optional
            Group of each value; by default all are of the first.
        """
        known = self._known.get((id(values), name))
        if known is None or known[0] is not values:
            groups = np.zeros(len(values), dtype=np.int8) if group is None else group
            ranked = Ranked(values[chosen], groups[chosen], self._groups)
            # The array is kept, too: ids of what is gone are given again.
            known = self._known[id(values), name] = (values, ranked)
        return known[1]
