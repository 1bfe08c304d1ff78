"""Figures between the points of a grid: straight lines, and how far off they were where checked.

Between two levels of a factor a figure is taken as a straight line, in several factors as the
product of such lines (multilinear interpolation), on the scale of its logarithm where that fits
better. At the points it is what was played.

How far off that is, is asked of the points (cross-validation): each level that has neighbours on
both sides is left out and predicted from them. For a smooth figure and even levels this error is
four times that in the middle between two levels, because its neighbours are twice as far apart
(the remainder of linear interpolation, f'' h^2 / 8: Stoer and Bulirsch 2002, Introduction to
Numerical Analysis, section 2.1.4); where a figure has a bend between two inner levels it is as
large at least. So the larger error of the two levels next to a place is stated there as a bound,
not as an estimate: it is nothing at the points and whole in the middle between them.

The interval of what lies between is the interval of its neighbours, weighted as their values are,
with that error added on both sides. A weighted mean of estimates is never less certain than their
standard errors weighted alike (Minkowski), and under common random numbers hardly more certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Two of so many levels can be left out, so that one that is met by chance does not tell alone.
LEAST_LEVELS = 4
# Of the figure's range over the grid: an error above it says no more than the nearest point does.
USEFUL = 0.1


@dataclass(frozen=True)
class Check:
    """Cross-validation of a figure along an axis.

    Attributes
    ----------
    left_out : int
        Points that were left out and predicted.
    typical, worst : float
        Root mean square and largest absolute error of them, in the figure's unit; missing where
        there are none.
    used : bool
        Whether the figure is interpolated along the axis.
    """

    left_out: int
    typical: float
    worst: float
    used: bool


@dataclass(frozen=True)
class Surrogate:
    """A figure over a grid of d axes.

    Attributes
    ----------
    axes : tuple of array of float
        Positions of each axis' levels, increasing.
    values, below, above : array of float, shape of the grid
        Value and distances to the bounds of its interval; missing where nothing was counted. On
        the scale of logarithms the distances are shares of the value.
    errors : tuple of (array of float or None)
        By axis, the error stated in the middle between two neighbouring levels; of the grid's
        shape, but one less along that axis. None: between the levels of that axis it is not known.
    log : bool
        Whether it is interpolated on the scale of logarithms; then all values are above 0.
    least, most : float
        Bounds of what the figure can be.
    checks : tuple of Check
        By axis.
    """

    axes: tuple[Floats, ...]
    values: Floats
    below: Floats
    above: Floats
    errors: tuple[Floats | None, ...]
    log: bool
    least: float
    most: float
    checks: tuple[Check, ...]

    def at(self, places: npt.ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
        """The figure at places of the grid's box.

        Parameters
        ----------
        places : array of float, shape (m, d)

        Returns
        -------
        value, low, high, error : array of float, shape (m,)
            The bounds hold the error of replications and, beside it, `error`: the distance to each
            bound that interpolation adds. Missing where the figure is not known.

        Raises
        ------
        ValueError
            If a place lies outside of the grid.

        Examples
        --------
        >>> import numpy as np
        >>> x = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
        >>> found = fit([x], [True], x**2, x**2 - 0.1, x**2 + 0.1)
        >>> [round(float(one[0]), 3) for one in found.at([[1.5]])]
        [2.5, 1.4, 3.6, 1.0]
        """
        cells, shares, known = self._cells(np.asarray(places, dtype=float))
        m, d = cells.shape
        middle, below, above, error = (np.zeros(m) for _ in range(4))
        given = np.log(self.values) if self.log else self.values
        for corner in product((0, 1), repeat=d):
            weight = np.prod(np.where(corner, shares, 1 - shares), axis=1)
            used = weight > 0
            index = tuple((cells[used] + corner).T)
            for total, of in ((middle, given), (below, self.below), (above, self.above)):
                total[used] += weight[used] * of[index]
        for axis, stated in enumerate(self.errors):
            if stated is not None:
                error += self._stated(axis, stated, cells, shares)
        value = np.exp(middle) if self.log else middle
        # To both sides what it is upwards, which is the wider.
        added = value * np.expm1(error) if self.log else error
        size = value if self.log else 1.0
        low = np.maximum(value - below * size - added, self.least)
        high = np.minimum(value + above * size + added, self.most)
        missing = np.where(known, 0.0, np.nan)
        return value + missing, low + missing, high + missing, added + missing

    def _cells(self, places: Floats) -> tuple[npt.NDArray[np.int64], Floats, Mask]:
        """Cell and share of the way through it on each axis; whether the figure is known there."""
        cells = np.zeros(places.shape, dtype=np.int64)
        shares = np.zeros(places.shape)
        known = np.ones(len(places), dtype=np.bool_)
        for axis, levels in enumerate(self.axes):
            x = places[:, axis]
            if not ((x >= levels[0]) & (x <= levels[-1])).all():
                raise ValueError("a place lies outside of the grid, where nothing was played")
            # The last level is the begin of a cell of no width.
            cell = np.searchsorted(levels, x, side="right") - 1
            width = np.append(np.diff(levels), 1.0)[cell]
            cells[:, axis], shares[:, axis] = cell, (x - levels[cell]) / width
            if self.errors[axis] is None:
                known &= shares[:, axis] == 0
        return cells, shares, known

    def _stated(
        self, axis: int, stated: Floats, cells: npt.NDArray[np.int64], shares: Floats
    ) -> Floats:
        """The error along an axis, on the scale of interpolation."""
        m, d = cells.shape
        total = np.zeros(m)
        between = shares[:, axis] > 0
        others = [(0,) if k == axis else (0, 1) for k in range(d)]
        for corner in product(*others):
            parts = np.where(corner, shares, 1 - shares)
            parts[:, axis] = 1.0
            weight = np.prod(parts, axis=1)
            used = between & (weight > 0)
            total[used] += weight[used] * stated[tuple((cells[used] + corner).T)]
        t = shares[:, axis]
        return 4 * t * (1 - t) * total


def fit(
    axes: Sequence[npt.ArrayLike],
    ordered: Sequence[bool],
    values: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    share: bool = False,
) -> Surrogate:
    """A figure over a grid, interpolated along the axes where that was checked and is useful.

    Parameters
    ----------
    axes : sequence of array of float
        Positions of each axis' levels, increasing.
    ordered : sequence of bool
        Whether there is anything between the levels of an axis.
    values, low, high : array of float, shape of the grid
        Value and interval at each point; missing where there is none.
    share : bool
        Whether it is a share, within 0 and 1.

    Returns
    -------
    Surrogate
        Along an axis with fewer than four levels, or where a point that is left out is missed by
        more than a tenth of the figure's range and by more than its interval is wide to a side
        (in the root mean square and in the median), only the levels themselves are known.
    """
    at = tuple(np.asarray(one, dtype=float) for one in axes)
    y, lower, upper = (np.asarray(one, dtype=float) for one in (values, low, high))
    positive = bool((y[~np.isnan(y)] > 0).all()) and not np.isnan(y).all()
    ways = [
        (log, _left_out(at, ordered, y, log)) for log in ([False, True] if positive else [False])
    ]
    log, left = min(ways, key=lambda way: _typical([plain for plain, _ in way[1]]))
    half = np.fmax(y - lower, upper - y)
    spread = float(np.nanmax(y) - np.nanmin(y)) if not np.isnan(y).all() else np.nan
    allowed = np.nanmax([USEFUL * spread, 0.0 if np.isnan(half).all() else np.nanmedian(half)])
    checks, errors = [], []
    for axis, (plain, scaled) in enumerate(left):
        seen = np.abs(plain[~np.isnan(plain)])
        typical = _typical([plain])
        used = len(seen) > 0 and bool(typical <= allowed)
        worst = float(seen.max()) if len(seen) else np.nan
        checks.append(Check(len(seen), typical if len(seen) else np.nan, worst, used))
        errors.append(_between(at[axis], scaled, axis) if used else None)
    size = y if log else 1.0
    least = 0.0 if share or log else -np.inf
    return Surrogate(at, y, (y - lower) / size, (upper - y) / size, tuple(errors), log, least,
                     1.0 if share else np.inf, tuple(checks))  # fmt: skip


def _left_out(
    axes: Sequence[Floats], ordered: Sequence[bool], y: Floats, log: bool
) -> list[tuple[Floats, Floats]]:
    """Errors of points that are left out, by axis: in the figure's unit, and on its scale.

    Both have the grid's shape but two less along the axis; nothing along an axis that is not
    ordered or has too few levels.
    """
    z = np.log(y) if log else y
    found = []
    for axis, x in enumerate(axes):
        if not ordered[axis] or len(x) < LEAST_LEVELS:
            found.append((np.zeros(0), np.zeros(0)))
            continue
        moved = np.moveaxis(z, axis, -1)
        share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
        predicted = moved[..., :-2] * (1 - share) + moved[..., 2:] * share
        scaled = moved[..., 1:-1] - predicted
        own = np.moveaxis(y, axis, -1)[..., 1:-1]
        plain = own - np.exp(predicted) if log else scaled
        found.append((np.moveaxis(plain, -1, axis), np.moveaxis(scaled, -1, axis)))
    return found


def _typical(errors: Sequence[Floats]) -> float:
    """Root mean square of errors; 0 without any."""
    flat = np.concatenate([one[~np.isnan(one)] for one in errors])
    return float(np.sqrt(np.mean(flat**2))) if len(flat) else 0.0


def _between(x: Floats, scaled: Floats, axis: int) -> Floats:
    """The error stated between neighbouring levels: the larger of the two levels next to there.

    At the ends of the axis the two nearest levels that could be left out tell. Where a gap is wide
    beside those of a level that was left out, what that one tells is stretched accordingly.
    """
    left = np.abs(np.moveaxis(scaled, axis, -1))
    gaps = np.diff(x)
    n = len(x)
    found = []
    for cell in range(n - 1):
        first = min(max(cell, 1), n - 3)
        stretch = gaps[cell] ** 2 / (4 * gaps[first - 1 : first + 1] * gaps[first : first + 2])
        pair = left[..., first - 1 : first + 1] * np.maximum(stretch, 1.0)
        found.append(np.fmax(pair[..., 0], pair[..., 1]))
    return np.moveaxis(np.stack(found, axis=-1), -1, axis)
