"""Scenarios beside each other in the figures that decide, mostly a target and the cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from twin.common.text import label
from twin.report.plots import style

_COLOURS = {"met": style.BLUE, "missed": style.RED}
_MARKS = {"met": "o", "missed": "X"}


def decision(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Figures of scenarios with their intervals, a row a scenario and a chart a figure.

    Parameters
    ----------
    frame : DataFrame
        A row a scenario and figure: scenario, kpi, group, unit, value, low, high, limit (the
        target; missing without one), verdict ("met", "missed" or another, against it). Charts and
        rows stand in the order of their first rows.
    ax : Axes, optional

    Examples
    --------
    >>> rows = results.summary().query("kpi in ('service_level', 'cost_week') and group == ''")
    >>> ax = plots.decision(rows.assign(limit=0.9, verdict="open"))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['small', 'busy']
    """
    names = list(dict.fromkeys(frame["scenario"]))
    ax = style.axes(ax, height=decision_height(len(names)))
    style.dress(ax, "Scenarios", "value", grid="x")
    if not len(frame):
        return style.nothing(ax, "no figures to show")
    kinds = list(dict.fromkeys(zip(frame["kpi"], frame["group"], strict=True)))
    charts = _beside(ax, len(kinds))
    for chart, (kpi, group) in zip(charts, kinds, strict=True):
        rows = frame[(frame["kpi"] == kpi) & (frame["group"] == group)]
        style.dress(chart, "", label(kpi, group), grid="x")
        chart.spines["left"].set_visible(False)
        _rows(chart, rows, names)
        _units(chart, str(rows["unit"].iloc[0]))
        chart.set_ylim(len(names) - 0.5, -0.5)
        chart.tick_params(axis="y", length=0, labelcolor=style.INK)
        chart.set_yticks(np.arange(len(names)))
    ax.set_yticks(np.arange(len(names)), [style.short(name, 20) for name in names])
    style.dress(ax, "Scenarios", ax.get_xlabel(), grid="x")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0, labelcolor=style.INK)
    if frame["limit"].notna().any():
        style.note(ax, "dashed: target · lines: 95 % interval")
    elif frame["low"].notna().any():
        style.note(ax, "lines: 95 % interval")
    return ax


def _rows(ax: Axes, rows: pd.DataFrame, names: Sequence[str]) -> None:
    for row in style.rows_of(rows):
        y, verdict = names.index(row.scenario), str(row.verdict)
        colour = _COLOURS.get(verdict, style.GREY)
        ax.plot([row.low, row.high], [y, y], color=colour, linewidth=2, label=row.scenario)
        ax.plot([row.value], [y], _MARKS.get(verdict, "s"), color=colour, markersize=7,
                gid="value")  # fmt: skip
        if row.limit == row.limit:
            ax.plot([row.limit, row.limit], [y - 0.42, y + 0.42], color=style.INK, linewidth=1.4,
                    linestyle="--", gid="limit")  # fmt: skip
    ax.margins(x=0.12)


def _units(ax: Axes, unit: str) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(nbins=2 if unit.startswith("USD") else 4))
    if unit == "share":
        low, high = ax.get_xlim()
        ax.set_xlim(max(low, -0.01), min(high, 1.01))
        style.percent_axis(ax, axis="x")
    elif unit.startswith("USD"):
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: style.plain(f"${v:,.10g}")))
    elif unit == "s":
        size, name = style.unit_of(ax.get_xlim()[1])
        ax.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s / size:.3g}"))
        ax.set_xlabel(f"{ax.get_xlabel()} ({name})")


def _beside(ax: Axes, count: int) -> list[Axes]:
    """Charts beside each other in the place of one, with the same rows."""
    place, figure = ax.get_subplotspec(), ax.get_figure(root=True)
    assert figure is not None
    if count < 2 or place is None:
        return [ax] * count
    grid = place.subgridspec(1, count)
    ax.set_subplotspec(grid[0])
    others = [figure.add_subplot(grid[k]) for k in range(1, count)]
    for other in others:
        other.tick_params(labelleft=False)
    return [ax, *others]


def decision_height(scenarios: int) -> float:
    """Height in inches at which so many scenarios are legible.

    Examples
    --------
    >>> decision_height(8) > decision_height(4)
    True
    """
    return 1.05 + 0.36 * max(2, scenarios)
