"""One picture of a whole study: a chart a figure, against the factor that has numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from twin.plots import style
from twin.plots.studies import against_load
from twin.studies.sensitivity import numbers_of

if TYPE_CHECKING:
    from twin.studies.results import StudyResults

# More lines in a chart, or charts beside each other, than this cannot be read.
_MOST_LINES, _MOST_COLUMNS = 6, 4


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
        None where the study's factors do not lend themselves to it: none has numbers, there are
        more than three, or too many levels.
    """
    varying = [name for name in found.factors if found.points[name].nunique() > 1]
    numeric = [name for name in varying if numbers_of(found.points[name]) is not None]
    if not numeric or len(varying) > 3 or not len(found.frame):
        return None
    along = next((c["along"] for c in found.crossings if c["along"] in numeric), None)
    levels = {name: len(set(found.points[name])) for name in varying}
    along = along or max(numeric, key=lambda name: levels[name])
    others = sorted((name for name in varying if name != along), key=lambda name: -levels[name])
    lines = others[0] if others else None
    split = others[1] if len(others) > 1 else None
    columns = [None] if split is None else list(dict.fromkeys(found.points[split]))
    if len(columns) > _MOST_COLUMNS or (lines and levels[lines] > _MOST_LINES):
        return None
    summary = found.summary()
    summary[along] = numbers_of(summary[along])
    shown = [name.partition(":")[::2] for name in found.shown]
    figure = Figure(figsize=(6.4 * len(columns), 3.3 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), len(columns), squeeze=False, sharey="row", sharex=True)
    for row, (kpi, group) in enumerate(shown):
        figures = summary[(summary["kpi"] == kpi) & (summary["group"] == group)]
        for column, level in enumerate(columns):
            ax = grid[row, column]
            part = figures if split is None else figures[figures[split] == level]
            by = lines or "scenario"
            part = part if lines else part.assign(scenario=found.name)
            positive = figures["value"][figures["value"] > 0]
            least, unit = 0.0, None
            if len(positive) and figures["unit"].eq("s").all():
                least, unit = float(positive.min()) / 1.5, ""
                style.duration_axis(ax, least, float(positive.max()) * 1.5, axis="y")
            against_load(_possible(part, least), ax, load=along, by=by, unit=unit)
            if split is not None:
                style.dress(ax, f"{ax.get_title(loc='left')}, {level}", along, ax.get_ylabel())
                style.below_title(ax, 1)
            if _by_ratio(figures[along]):
                ax.set_xscale("log")
                ticks = sorted(set(figures[along]))
                ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
                ax.minorticks_off()
    return figure


def _possible(rows: pd.DataFrame, least: float) -> pd.DataFrame:
    """Intervals cut off where no value can be (none is negative, no share above 1) or is drawn."""
    most = 1.0 if rows["unit"].eq("share").all() else None
    return rows.assign(low=rows["low"].clip(least, most), high=rows["high"].clip(least, most))


def _by_ratio(levels: pd.Series[float]) -> bool:
    """Whether levels grow by ratio: then so does the axis."""
    return bool(levels.min() > 0 and levels.max() / levels.min() >= 8)
