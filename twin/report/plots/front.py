"""The figure of cost against benefit."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from twin.report.plots import names, style

# Of more scenarios than these only some on the front have names and intervals.
MOST_NAMED = 8


def pareto(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    cost: str = "cost per arrival (USD)",
    good: str = "customers satisfied, of all who came",
) -> Axes:
    """Cost against satisfaction; scenarios that no other beats in both lie on the line.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.pareto`.
    ax : Axes, optional
    cost, good : str
        Labels of the axes, with the unit; `good` is a share.

    Examples
    --------
    >>> ax = plots.pareto(series.pareto(results.summary()))
    >>> sorted(text.get_text() for text in ax.texts)[:2]
    ['busy', 'small']
    """
    ax = style.axes(ax)
    style.dress(ax, "Cost against satisfaction", cost, good, grid="both")
    if not len(frame):
        return style.nothing(ax, "no scenario has both")
    front = frame[frame["front"]]
    many = len(frame) > MOST_NAMED
    ax.step(front["cost"], front["good"], where="post", color=style.BLUE, linewidth=1.4,
            label="front")  # fmt: skip
    named = _named(frame)
    for is_front, colour, mark in ((True, style.BLUE, "o"), (False, style.GREY, "s")):
        rows = frame[frame["front"] == is_front]
        shown = named[named["front"] == is_front]
        ax.hlines(shown["good"], shown["cost_low"], shown["cost_high"], color=colour, linewidth=1.2)
        ax.vlines(shown["cost"], shown["good_low"], shown["good_high"], color=colour, linewidth=1.2)
        ax.plot(rows["cost"], rows["good"], mark, color=colour, markersize=3 if many else 6,
                label="on the front" if is_front else "beaten")  # fmt: skip
    ax.margins(0.16)
    ax.autoscale_view()
    # The named come first: the others are only kept free.
    order = [*named.index, *frame.index.difference(named.index)]
    lines = []
    for row in style.rows_of(named):
        lines.append([(row.cost_low, row.good), (row.cost_high, row.good)])
        lines.append([(row.cost, row.good_low), (row.cost, row.good_high)])
    names.put(
        ax,
        [style.short(str(name)) for name in named["scenario"]],
        frame.loc[order, ["cost", "good"]].to_numpy(),
        [ends for ends in lines if pd.notna(ends).all()],
    )
    style.percent_axis(ax)
    # Few ticks, as a cost may have many digits.
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda usd, _: f"{usd:g}"))
    beaten = "; grey: beaten" if many else ""
    style.note(ax, f"stepped line: the front{beaten} · crosses: 95 % intervals")
    return ax


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows to be named, with intervals: of many only some of the front, with its ends."""
    if len(frame) <= MOST_NAMED:
        return frame
    front = frame[frame["front"]]
    if len(front) <= MOST_NAMED:
        return front
    return front.iloc[np.linspace(0, len(front) - 1, MOST_NAMED).round().astype(int)]
