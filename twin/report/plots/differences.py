"""Differences from a baseline with their intervals, a chart a kind of unit."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from twin.common.text import label, signed
from twin.report.plots import style
from twin.report.plots.stacked import stacked

# Characters of verdicts that fit beside each other in the legend.
_LINE = 40
# Colour and mark by verdict; all others are grey.
_VERDICTS = {
    "better": (style.BLUE, "o"),
    "worse": (style.RED, "X"),
    "higher": (style.PURPLE, "^"),
    "lower": (style.PURPLE, "v"),
}
_OTHER = (style.GREY, "s")
# Per cent of the baseline.
_FAR = 150.0
# Kinds of units, in this order, and what their axis says.
_SHARES = "difference, points"
_KINDS = (_SHARES, "times: change in %", "money: change in %", "others: change in %")


def forest(frame: pd.DataFrame, ax: Axes | None = None, *, relative: bool | None = None) -> Axes:
    """What-if differences with their intervals, a row each; the line at zero is no difference.

    Where units differ, each kind of them has a chart below the others: shares in points, times,
    money and all else in per cent of the baseline. So a backlog that trebles does not flatten a
    service level that falls by three points.

    Parameters
    ----------
    frame : DataFrame
        Columns kpi, group, difference, low, high, verdict and, where differences are shown in per
        cent of it, baseline (the value there); unit, where known, gives the numbers at the right.
    ax : Axes, optional
    relative : bool, optional
        Whether to divide by the baseline, shares aside; by default if there is one, and the units
        differ. Rows whose baseline is 0 or missing are left out then.

    Returns
    -------
    Axes
        The uppermost, where there are several.

    Examples
    --------
    >>> ax = plots.forest(twin.compare(results, "small", ["backlog", "csat"]).table)
    >>> [chart.get_yticklabels()[0].get_text() for chart in ax.figure.axes]
    ['CSAT', 'backlog']
    """
    units = frame["unit"].nunique() if "unit" in frame else 2
    if relative is None:
        relative = "baseline" in frame and units > 1
    rows = shown(frame, relative=relative)
    parts = _parts(rows, relative=relative)
    ax = style.axes(ax, height=forest_height(len(rows), len(parts)), width=5.0)
    style.dress(ax, "Differences from the baseline", _plain(frame, units), grid="x")
    if not len(rows):
        return style.nothing(ax, "no differences to show")
    marks: dict[str, tuple[str, str]] = {}
    charts = stacked(ax, [len(part) + 1.0 for _, part in parts])
    for chart, (kind, part) in zip(charts, parts, strict=True):
        style.dress(chart, "", kind or _plain(frame, units), grid="x")
        _chart(chart, part, marks, relative=bool(kind) and kind != _SHARES)
        if (kind or "unit" in part) and part["unit"].eq("share").all():
            style.percent_axis(chart, axis="x", mark="")
    style.dress(ax, "Differences from the baseline", ax.get_xlabel(), grid="x")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0, labelcolor=style.INK)
    _legend(ax, marks)
    return ax


def shown(frame: pd.DataFrame, *, relative: bool) -> pd.DataFrame:
    """Rows that a forest draws: in per cent of nothing a difference cannot be shown."""
    rows = frame.dropna(subset="difference")
    if not relative:
        return rows
    share = rows["unit"].eq("share") if "unit" in rows else False
    return rows[share | (rows["baseline"].notna() & (rows["baseline"] != 0))]


def kinds(frame: pd.DataFrame) -> int:
    """Number of charts that a forest of relative differences has."""
    return len(_parts(shown(frame, relative=True), relative=True))


def _parts(rows: pd.DataFrame, *, relative: bool) -> list[tuple[str, pd.DataFrame]]:
    """Rows by the kind of their unit, each with the name of its axis; of one unit all rows."""
    if not relative or "unit" not in rows:
        return [(_KINDS[-1].partition(": ")[2] if relative else "", rows)]
    kind = rows["unit"].map(_kind)
    return [(name, rows[kind == name]) for name in _KINDS if (kind == name).any()]


def _kind(unit: str) -> str:
    if unit == "share":
        return _SHARES
    return _KINDS[1] if unit == "s" else _KINDS[2] if unit.startswith("USD") else _KINDS[3]


def _plain(frame: pd.DataFrame, units: int) -> str:
    one = str(frame["unit"].iloc[0]) if "unit" in frame and units == 1 and len(frame) else ""
    named = {"share": "points", "s": "seconds"}.get(one, one)
    return f"difference ({named})" if named else "difference"


def _chart(
    ax: Axes, rows: pd.DataFrame, marks: dict[str, tuple[str, str]], *, relative: bool
) -> None:
    """Draw rows of one kind, and note the mark of each verdict."""
    scale = 100 / rows["baseline"].abs() if relative else pd.Series(1.0, index=rows.index)
    middle, low, high = (rows[name] * scale for name in ("difference", "low", "high"))
    ax.axvline(0, color=style.MUTED, linewidth=1.1)
    for y, k in enumerate(rows.index):
        verdict = str(rows.at[k, "verdict"])
        colour, mark = _VERDICTS.get(verdict, _OTHER)
        marks.setdefault(verdict, (colour, mark))
        ax.plot([low[k], high[k]], [y, y], color=colour, linewidth=2, label=verdict)
        ax.plot([middle[k]], [y], mark, color=colour, markersize=6.5, gid="difference")
    if relative:
        _keep_near(ax, middle)
    several = "scenario" in rows and rows["scenario"].nunique() > 1
    names = [_name(row, several) for row in rows.to_dict("records")]
    ax.set_yticks(np.arange(len(rows)), [style.short(name) for name in names])
    ax.tick_params(axis="y", length=0, labelcolor=style.INK)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.spines["left"].set_visible(False)
    if "unit" in rows:
        for y, row in enumerate(style.rows_of(rows)):
            words = signed(float(row.difference), str(row.unit)).replace(" points", " pts")
            ax.text(1.05, y, style.plain(words), va="center", fontsize=style.SIZE,
                    color=style.INK, transform=ax.get_yaxis_transform())  # fmt: skip


def _legend(ax: Axes, marks: Mapping[str, tuple[str, str]]) -> None:
    handles = [
        Line2D([], [], color=colour, marker=mark, markersize=6.5, linewidth=2, label=verdict)
        for verdict, (colour, mark) in marks.items()
    ]
    # Long verdicts, or many, take more lines.
    columns = 4 if sum(map(len, marks)) <= _LINE else 2
    style.below_title(ax, ceil(len(marks) / columns))
    ax.legend(handles=handles, fontsize=style.SMALL, frameon=False, labelcolor=style.INK,
              ncols=columns, loc="lower right", bbox_to_anchor=(1.2, 1.0), borderaxespad=0.1,
              columnspacing=1.0, handlelength=1.6)  # fmt: skip


def _keep_near(ax: Axes, middle: pd.Series[float]) -> None:
    """Cut the axis where few changes dwarf the others; arrows at its end stand for the rest."""
    if middle.abs().max() <= _FAR:
        return
    low, high = ax.get_xlim()
    ax.set_xlim(max(low, -_FAR), min(high, _FAR))
    for y, value in enumerate(middle):
        if abs(value) > _FAR:
            ax.plot([min(max(value, -_FAR), _FAR)], [y], ">" if value > 0 else "<", markersize=7,
                    color=style.INK, clip_on=False, gid="beyond")  # fmt: skip


def _name(row: Mapping[Any, Any], several: bool) -> str:
    name = label(str(row["kpi"]), str(row["group"]))
    return f"{row['scenario']}: {name}" if several else name


def forest_height(rows: int, charts: int = 1) -> float:
    """Height in inches at which so many rows are legible, in so many charts.

    Examples
    --------
    >>> forest_height(20) > forest_height(10), forest_height(10, 3) > forest_height(10)
    (True, True)
    """
    return 1.0 + 0.27 * max(2, rows) + 0.6 * (charts - 1)
