"""Names beside points, placed so that they cover no other name and little else."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from twin.report.plots import style

# Where a name may stand: distance from its point, in points (1/72 inch), nearest first.
_AROUND = ((8.0, 5.0), (8.0, -5.0), (-8.0, 5.0), (-8.0, -5.0), (0.0, 9.0), (0.0, -9.0))
_REACHES = (1.0, 2.2, 3.6)
# Covering a name is worst, then a point, then the line of an interval.
_NAME, _POINT, _LINE = 100.0, 10.0, 1.0


def put(
    ax: Axes, names: Sequence[str], at: npt.ArrayLike, obstacles: Sequence[npt.ArrayLike] = ()
) -> None:
    """Write names beside points; a thin line leads to names that are farther away.

    Parameters
    ----------
    ax : Axes
        With all else drawn and its limits set.
    names : sequence of str
    at : array of float, shape (n, 2)
        Places of the points, in data; those beyond the names are only kept free.
    obstacles : sequence of array of float, shape (2, 2)
        Ends of lines that names should not cover, in data.
    """
    places = ax.transData.transform(np.asarray(at, dtype=np.float64).reshape(-1, 2))
    taken = [(_around(place, 5.0), _POINT) for place in places]
    taken += [(_box(ax.transData.transform(np.asarray(ends))), _LINE) for ends in obstacles]
    frame = ax.get_window_extent()
    points_a_pixel = 72 / ax.figure.dpi
    for name, place in zip(names, places[: len(names)], strict=True):
        found: list[tuple[float, float, float, Bbox]] = []
        size = _size(ax, name)
        for reach in _REACHES:
            for dx, dy in _AROUND:
                offset = np.array([dx, dy]) * reach / points_a_pixel
                box = _beside(place + offset, size, dx, dy)
                # Half of a name beyond the frame is as bad as a name covered.
                outside = 1 - _shared(box, frame)
                cost = _NAME * outside + math.fsum(w * _shared(box, other) for other, w in taken)
                found.append((cost + 0.05 * reach, dx * reach, dy * reach, box))
        _, dx, dy, box = min(found, key=lambda one: one[0])
        far = max(abs(dx), abs(dy)) > 10
        ax.annotate(
            name, _data_of(ax, place), textcoords="offset points", xytext=(dx, dy),
            ha="left" if dx > 0 else "right" if dx < 0 else "center",
            va="bottom" if dy > 0 else "top", fontsize=style.SIZE, color=style.INK,
            arrowprops={"arrowstyle": "-", "color": style.MUTED, "lw": 0.6} if far else None,
        )  # fmt: skip
        taken.append((box, _NAME))


def _data_of(ax: Axes, place: npt.NDArray[np.float64]) -> tuple[float, float]:
    """A place on the canvas as data."""
    x, y = ax.transData.inverted().transform(place)
    return float(x), float(y)


def _size(ax: Axes, name: str) -> tuple[float, float]:
    """Width and height of a name on the canvas."""
    text = ax.text(0, 0, name, fontsize=style.SIZE)
    box = text.get_window_extent()
    text.remove()
    return float(box.width), float(box.height)


def _beside(
    corner: npt.NDArray[np.float64], size: tuple[float, float], dx: float, dy: float
) -> Bbox:
    x, y = float(corner[0]), float(corner[1])
    left = x if dx > 0 else x - size[0] if dx < 0 else x - size[0] / 2
    return Bbox.from_bounds(left, y if dy > 0 else y - size[1], *size)


def _around(place: npt.NDArray[np.float64], half: float) -> Bbox:
    return Bbox.from_extents(*(place - half), *(place + half))


def _box(ends: npt.NDArray[np.float64]) -> Bbox:
    return Bbox.from_extents(*(ends.min(axis=0) - 1), *(ends.max(axis=0) + 1))


def _shared(box: Bbox, other: Bbox) -> float:
    """Share of a box that another covers."""
    both = Bbox.intersection(box, other)
    return 0.0 if both is None else float(both.width * both.height / (box.width * box.height))
