"""Figures of several scenarios: differences, load, cost against satisfaction; and the warm-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from twin.comparison import signed
from twin.display import label
from twin.plots import style
from twin.wording import amount

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


def forest(frame: pd.DataFrame, ax: Axes | None = None, *, relative: bool | None = None) -> Axes:
    """What-if differences with their intervals, a row each; the line at zero is no difference.

    Parameters
    ----------
    frame : DataFrame
        Columns kpi, group, difference, low, high, verdict and, where differences are shown in per
        cent of it, baseline (the value there); unit, where known, gives the numbers at the right.
    ax : Axes, optional
    relative : bool, optional
        Whether to divide by the baseline; by default if there is one, and the units differ. Rows
        whose baseline is 0 or missing are left out then.
    """
    units = frame["unit"].nunique() if "unit" in frame else 2
    if relative is None:
        relative = "baseline" in frame and units > 1
    rows = frame.dropna(subset="difference")
    if relative:
        rows = rows[rows["baseline"].notna() & (rows["baseline"] != 0)]
    ax = style.axes(ax, height=forest_height(len(rows)), width=5.0)
    one_unit = str(frame["unit"].iloc[0]) if "unit" in frame and units == 1 and len(frame) else ""
    x_label = "change, % of the baseline" if relative else f"difference {one_unit}".strip()
    style.dress(ax, "Differences from the baseline", x_label, grid="x")
    if not len(rows):
        return style.nothing(ax, "no differences to show")
    scale = 100 / rows["baseline"].abs() if relative else pd.Series(1.0, index=rows.index)
    middle, low, high = (rows[name] * scale for name in ("difference", "low", "high"))
    ax.axvline(0, color=style.MUTED, linewidth=1.1)
    marks: dict[str, tuple[str, str]] = {}
    for y, k in enumerate(rows.index):
        verdict = str(rows.at[k, "verdict"])
        colour, mark = _VERDICTS.get(verdict, _OTHER)
        marks.setdefault(verdict, (colour, mark))
        ax.plot([low[k], high[k]], [y, y], color=colour, linewidth=2, label=verdict)
        ax.plot([middle[k]], [y], mark, color=colour, markersize=6.5, gid="difference")
    _keep_near(ax, middle, relative)
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
    handles = [
        Line2D([], [], color=colour, marker=mark, markersize=6.5, linewidth=2, label=verdict)
        for verdict, (colour, mark) in marks.items()
    ]
    style.below_title(ax, 1)
    ax.legend(handles=handles, fontsize=style.SMALL, frameon=False, labelcolor=style.INK,
              ncols=4, loc="lower right", bbox_to_anchor=(1.2, 1.0), borderaxespad=0.1,
              columnspacing=1.0, handlelength=1.6)  # fmt: skip
    return ax


def _keep_near(ax: Axes, middle: pd.Series[float], relative: bool) -> None:
    """Where few changes dwarf the others, cut the axis; arrows at its end stand for the rest."""
    if not relative or middle.abs().max() <= _FAR:
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


def forest_height(rows: int) -> float:
    """Height in inches at which so many rows are legible."""
    return 1.0 + 0.27 * max(2, rows)


def against_load(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    load: str = "arrivals.scale",
    by: str = "assistant.model",
    unit: str | None = None,
) -> Axes:
    """A key figure against load, a line a model, with intervals.

    Parameters
    ----------
    frame : DataFrame
        Rows of one key figure of a study: columns `load`, `by`, kpi, value, low, high and, where
        known, unit.
    ax : Axes, optional
    load, by : str
        The factors along the axis and by line.
    unit : str, optional
        Unit of the figure; by default the column unit.
    """
    ax = style.axes(ax)
    kpis = list(dict.fromkeys(frame["kpi"]))
    if len(kpis) > 1:
        raise ValueError(f"one key figure a chart, not {len(kpis)}: {', '.join(kpis)}")
    if unit is None:
        unit = str(frame["unit"].iloc[0]) if "unit" in frame and len(frame) else ""
    name = label((kpis or ["figure"])[0])
    shown = {"share": "", "s": "seconds"}.get(unit, unit)
    style.dress(ax, f"{name} by {load}", load, f"{name} ({shown})" if shown else name)
    if not len(frame):
        return style.nothing(ax, "no runs")
    ends = []
    for k, (line, rows) in enumerate(frame.groupby(by, sort=False)):
        rows = rows.sort_values(load)
        colour, mark = style.COLOURS[k % len(style.COLOURS)], style.MARKERS[k % len(style.MARKERS)]
        ax.fill_between(rows[load], rows["low"], rows["high"], color=colour, alpha=0.2,
                        linewidth=0)  # fmt: skip
        ax.plot(rows[load], rows["value"], color=colour, marker=mark, markersize=5, linewidth=1.6,
                label=str(line))  # fmt: skip
        ends.append((float(rows["value"].iloc[-1]), style.short(str(line), 22), colour))
    ax.margins(x=0.02)
    if unit == "share":
        style.percent_axis(ax)
    style.label_ends(ax, ends)
    if frame["low"].notna().any():
        style.note(ax, "shaded: 95 % interval")
    return ax


def pareto(frame: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Cost against satisfaction: what no other scenario beats in both lies on the line.

    Parameters
    ----------
    frame : DataFrame
        From `twin.series.pareto`.
    ax : Axes, optional
    """
    ax = style.axes(ax)
    style.dress(ax, "Cost against satisfaction", "cost per resolution (USD)",
                "CSAT (ratings of 4 or 5)", grid="both")  # fmt: skip
    if not len(frame):
        return style.nothing(ax, "no scenario has both")
    front = frame[frame["front"]]
    ax.step(front["cost"], front["good"], where="post", color=style.BLUE, linewidth=1.4,
            label="front")  # fmt: skip
    for is_front, colour, mark in ((True, style.BLUE, "o"), (False, style.GREY, "s")):
        rows = frame[frame["front"] == is_front]
        ax.hlines(rows["good"], rows["cost_low"], rows["cost_high"], color=colour, linewidth=1.2)
        ax.vlines(rows["cost"], rows["good_low"], rows["good_high"], color=colour, linewidth=1.2)
        ax.plot(rows["cost"], rows["good"], mark, color=colour, markersize=6,
                label="on the front" if is_front else "beaten")  # fmt: skip
    ax.margins(0.16)
    middle = float(np.mean(ax.get_xlim()))
    for row in style.rows_of(frame):
        left = row.cost < middle
        ax.annotate(
            style.short(str(row.scenario)),
            (row.cost, row.good),
            textcoords="offset points",
            xytext=(7 if left else -7, 5 if row.front else -13),
            ha="left" if left else "right",
            fontsize=style.SIZE,
            color=style.INK,
        )
    style.percent_axis(ax)
    style.note(ax, "stepped line: the front · crosses: 95 % intervals")
    return ax


def warm_up(
    frame: pd.DataFrame, ax: Axes | None = None, *, name: str = "", warm_up_s: float = 0.0
) -> Axes:
    """Welch's plot: the mean over replications, smoothed, and where it seems to have settled.

    Parameters
    ----------
    frame : DataFrame
        Columns time_s, mean (over replications), smoothed (moving average; missing at the ends),
        suggestion (seconds; the same in every row, missing without one).
    ax : Axes, optional
    name : str
        What is averaged, with its unit.
    warm_up_s : float
        The scenario's own warm-up in seconds.
    """
    ax = style.axes(ax)
    style.dress(ax, "Warm-up (Welch)", y=name or "mean over replications")
    if not len(frame):
        return style.nothing(ax, "no data")
    style.clock_axis(ax, float(frame["time_s"].max()), None, warm_up_s)
    ax.plot(frame["time_s"], frame["mean"], color=style.SKY, linewidth=0.8, label="mean")
    ax.plot(frame["time_s"], frame["smoothed"], color=style.BLUE, linewidth=2, label="smoothed")
    ax.set_ylim(bottom=min(0.0, float(frame["mean"].min())))
    last = frame["smoothed"].dropna()
    ends = [(float(frame["mean"].iloc[-1]), "mean", style.SKY)]
    if len(last):
        ends.append((float(last.iloc[-1]), "smoothed", style.BLUE))
    suggestion_s = float(frame["suggestion"].iloc[0])
    if np.isfinite(suggestion_s):
        ax.axvline(suggestion_s, color=style.RED, linewidth=1.4, linestyle="--", gid="suggestion")
        ax.text(
            suggestion_s,
            0.02,
            f" suggested: {amount(suggestion_s, 's')}",
            fontsize=style.SIZE,
            color=style.INK,
            transform=ax.get_xaxis_transform(),
        )
    style.label_ends(ax, ends)
    return ax
