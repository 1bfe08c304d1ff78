"""Charts below each other in the place of one, each with a scale of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from twin.report.plots.style import dress


def below(ax: Axes, ratio: float) -> Axes:
    """Axes below others, in their place: the same x axis, and a scale of their own.

    Two scales beside one plot mislead, as where lines cross depends on the scales alone.

    Parameters
    ----------
    ax : Axes
        Dressed, with its limits and ticks set; the names of its ticks move down.
    ratio : float
        Height of the lower Axes over that of the upper.
    """
    _, lower = stacked(ax, [1.0, ratio], share=True)
    dress(lower, "", ax.get_xlabel())
    ax.set_xlabel("")
    ax.tick_params(axis="x", labelbottom=False)
    return lower


def stacked(ax: Axes, ratios: Sequence[float], *, share: bool = False) -> list[Axes]:
    """Axes below each other in the place of one, which becomes the uppermost.

    Parameters
    ----------
    ax : Axes
    ratios : sequence of float
        Of their heights.
    share : bool
        Whether all have its x axis.
    """
    figure, place = ax.get_figure(root=True), ax.get_subplotspec()
    assert figure is not None
    same = ax if share else None
    if len(ratios) < 2:
        return [ax]
    if place is not None:
        grid = place.subgridspec(len(ratios), 1, height_ratios=ratios)
        ax.set_subplotspec(grid[0])
        lower = [figure.add_subplot(grid[k], sharex=same) for k in range(1, len(ratios))]
        return [ax, *lower]
    # Axes that were put somewhere by hand: their box is divided, with room for ticks between.
    box = ax.get_position()
    whole = math.fsum(ratios)
    heights = [0.88 * box.height * ratio / whole for ratio in ratios]
    gap = 0.12 * box.height / (len(ratios) - 1)
    tops = [box.y1 - math.fsum(heights[:k]) - k * gap for k in range(len(ratios))]
    places = [(box.x0, top - height, box.width, height)
              for top, height in zip(tops, heights, strict=True)]  # fmt: skip
    ax.set_position(places[0])
    return [ax, *(figure.add_axes(one, sharex=same) for one in places[1:])]
