"""Figures of studies: figures under load, the grid of a study, the warm-up."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from twin.common.text import amount, label
from twin.experiments.studies.sensitivity import numbers_of
from twin.measures.figures import figure_of
from twin.report.plots import style

if TYPE_CHECKING:
    from twin.experiments.studies.results import StudyResults

# Most lines of a chart whose intervals are bands; distance between lines, in points.
_MOST_BANDS, _ASIDE = 3, 2.5
# More lines in a chart, or charts beside each other, than this cannot be read.
_MOST_LINES, _MOST_COLUMNS = 6, 4

# Letters of a line's name beside its end.
_LONGEST = 22


def against_load(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    load: str = "arrivals.scale",
    by: str = "assistant.model",
    unit: str | None = None,
    limit: float | None = None,
    span: tuple[float, float] | None = None,
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
    limit : float, optional
        A value of the figure to be marked, such as the one that it must not cross.
    span : (float, float), optional
        Lowest and highest value to make room for, so that charts beside each other compare.

    Examples
    --------
    >>> plan = {"scenario": desk, "factors": {"agents.all.heads": [1, 2], "arrivals.scale": [1, 2]}}
    >>> found = twin.study(plan, replications=2).summary().query("kpi == 'backlog'")
    >>> ax = plots.against_load(found, by="agents.all.heads")
    >>> ax.get_ylabel()
    'backlog (tickets)'
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
    lines = possible(frame).groupby(by, sort=False)
    # Bands of many lines are a mush.
    bands = lines.ngroups <= _MOST_BANDS
    ends = []
    common, names = _apart([str(line) for line, _ in lines])
    for k, (line, rows) in enumerate(lines):
        rows = rows.sort_values(load)
        colour, mark = style.COLOURS[k % len(style.COLOURS)], style.MARKERS[k % len(style.MARKERS)]
        drawn: list[Artist] = []
        if bands:
            drawn.append(ax.fill_between(rows[load], rows["low"], rows["high"], color=colour,
                                         alpha=0.2, linewidth=0))  # fmt: skip
        else:
            drawn.append(ax.vlines(rows[load], rows["low"], rows["high"], color=colour,
                                   linewidth=1.2))  # fmt: skip
        drawn += ax.plot(rows[load], rows["value"], color=colour, marker=mark, markersize=5,
                         linewidth=1.6, label=str(line))  # fmt: skip
        # Side by side, so that equal lines stay visible.
        aside = _ASIDE * (k - (lines.ngroups - 1) / 2)
        where = offset_copy(ax.transData, ax.get_figure(root=True), aside, units="points")
        for one in drawn:  # after drawing, so that the limits hold all
            one.set_transform(where)
        ends.append((float(rows["value"].iloc[-1]), style.short(names[k], _LONGEST), colour))
    # Room for the lines that stand beside the others.
    ax.margins(x=0.02 if bands else 0.04 + 0.008 * max(lines.ngroups - 3, 0))
    style.levels_axis(ax, frame[load])
    if span is not None:
        ax.update_datalim([(ax.dataLim.x0, value) for value in span])
        ax.autoscale_view()
    elif not frame["value"].any():
        ax.set_ylim(0, 0.01 if unit == "share" else 1)
    if limit is not None:
        ax.axhline(limit, color=style.MUTED, linewidth=1.2, linestyle="--", gid="limit")
    if unit == "share":
        style.percent_axis(ax)
    elif unit == "s":
        ax.set_ylim(bottom=0)
        ax.set_ylabel(f"{name} ({style.time_axis(ax)})")
    if len(ends) > 1:  # one line needs no name beside the title
        style.label_ends(ax, ends)
    said = ["dashed: limit"] if limit is not None else []
    if frame["low"].notna().any():
        said.append(f"{'shaded' if bands else 'upright lines'}: 95 % interval")
    rows_of_note = [f"lines: {common}", " · ".join(said)] if common else [" · ".join(said)]
    style.note(ax, "\n".join(rows_of_note))
    style.below_title(ax, len(rows_of_note))
    return ax


def _apart(names: list[str]) -> tuple[str, list[str]]:
    """Words with which all of several long names begin, and the rest of each.

    A name that is cut where it no longer fits would be the same for all lines.

    Examples
    --------
    >>> _apart(["heads, Mon-Fri 12:00-20:00 2", "heads, Mon-Fri 12:00-20:00 3"])
    ('heads, Mon-Fri 12:00-20:00', ['2', '3'])
    >>> _apart(["load 1", "load 2"])
    ('', ['load 1', 'load 2'])
    """
    if len(names) < 2 or max(map(len, names)) <= _LONGEST:
        return "", names
    split = [name.split(" ") for name in names]
    count = 0
    for words in zip(*(one[:-1] for one in split), strict=False):
        if len(set(words)) > 1:
            break
        count += 1
    rest = [" ".join(one[count:]) for one in split]
    return " ".join(split[0][:count]), rest


def possible(rows: pd.DataFrame, least: float = 0.0) -> pd.DataFrame:
    """Intervals cut to possible values: none is negative, no share is above 1."""
    most = 1.0 if "unit" in rows and rows["unit"].eq("share").all() else None
    return rows.assign(low=rows["low"].clip(least, most), high=rows["high"].clip(least, most))


def warm_up(
    frame: pd.DataFrame,
    ax: Axes | None = None,
    *,
    name: str = "",
    start: date | None = None,
    warm_up_s: float = 0.0,
) -> Axes:
    """Welch's plot: the mean over replications, smoothed, and where it seems to have settled.

    Parameters
    ----------
    frame : DataFrame
        Columns time_s, mean (over replications), smoothed (moving average; missing at the ends),
        suggestion (seconds; the same in every row, missing without one).
    ax : Axes, optional
    name : str
        The averaged figure, with its unit.
    start : date or datetime, optional
        `Scenario.midnight`, for local time; without it the axis counts days or hours.
    warm_up_s : float
        The scenario's own warm-up in seconds.

    Examples
    --------
    >>> settled = twin.warm_up(desk, replications=2).figures["backlog"]
    >>> ax = plots.warm_up(settled.frame, name="open tickets")
    >>> ax.get_ylabel()
    'open tickets'
    """
    y = name or "mean over replications"
    ax, any_rows = style.over_time(
        ax, frame, "Warm-up (Welch)", y, "no data", start=start, warm_up_s=warm_up_s
    )
    if not any_rows:
        return ax
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
        style.note(ax, f"dashed: suggested, {amount(suggestion_s, 's')}")
    style.label_ends(ax, ends)
    return ax


def _varying(found: StudyResults) -> list[str]:
    return [name for name in found.factors if found.points[name].nunique() > 1]


def roles(found: StudyResults) -> tuple[str | None, str | None, str | None]:
    """Roles of a study's factors: along the axis, a line a level, a chart a level.

    Parameters
    ----------
    found : StudyResults

    Returns
    -------
    along, lines, split : str or None
        The first is the factor of the study's crossings, or else the one with numbers that has most
        levels; None if there is none. The others are None where no factor is left that has few
        enough levels.
    """
    varying = _varying(found)
    numeric = [name for name in varying if numbers_of(found.points[name]) is not None]
    if not numeric:
        return None, None, None
    levels = {name: found.points[name].nunique() for name in varying}
    along = next((c["along"] for c in found.crossings if c["along"] in numeric), None)
    along = along or max(numeric, key=lambda name: levels[name])
    others = sorted((name for name in varying if name != along), key=lambda name: -levels[name])
    lines = next((name for name in others if levels[name] <= _MOST_LINES), None)
    left = (name for name in others if name != lines and levels[name] <= _MOST_COLUMNS)
    return along, lines, next(left, None)


def study_grid(found: StudyResults) -> Figure | None:
    """The figures that a study shows, each against a factor with numbers.

    A line stands for a level of the next factor, a column of charts for one of a third. The axis is
    the factor of the study's crossings, or else the factor with numbers that has most levels.

    Parameters
    ----------
    found : StudyResults

    Returns
    -------
    Figure or None
        None where the study's factors do not fit: none has numbers, there are more than three, or
        too many levels.
    """
    varying = _varying(found)
    along, lines, split = roles(found)
    shown_all = len([name for name in (along, lines, split) if name]) == len(varying)
    if along is None or not shown_all or not len(found.frame):
        return None
    columns = [None] if split is None else list(dict.fromkeys(found.points[split]))
    summary = found.summary()
    summary[along] = numbers_of(summary[along])
    shown = [figure_of(name) for name in found.shown]
    limits = {figure_of(c["kpi"]): c["limit"] for c in found.crossings if c["along"] == along}
    figure = Figure(figsize=(6.4 * len(columns), 3.3 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), len(columns), squeeze=False, sharey="row", sharex=True)
    for row, (kpi, group) in enumerate(shown):
        figures = summary[(summary["kpi"] == kpi) & (summary["group"] == group)]
        limit = limits.get((kpi, group))
        for column, level in enumerate(columns):
            ax = grid[row, column]
            part = figures if split is None else figures[figures[split] == level]
            by = lines or "scenario"
            part = part if lines else part.assign(scenario=found.name)
            positive = figures["value"][figures["value"] > 0]
            least, unit = 0.0, None
            # Of the whole row: a chart of zeros alone must not set the axis that all share.
            span = (figures["value"].min(), figures["value"].max()) if len(positive) else None
            if len(positive) and figures["unit"].eq("s").all():
                least, unit, span = float(positive.min()) / 1.5, "", None
                style.duration_axis(ax, least, float(positive.max()) * 1.5, axis="y")
            against_load(possible(part, least), ax, load=along, by=by, unit=unit, limit=limit,
                         span=span)  # fmt: skip
            if split is not None:
                style.dress(ax, f"{ax.get_title(loc='left')}, {level}", along, ax.get_ylabel())
                style.below_title(ax, 1)
    return figure
