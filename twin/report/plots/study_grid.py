"""One picture of a whole study: a chart a figure, against the factor that has numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from twin.experiments.studies.sensitivity import numbers_of
from twin.measures.figures import figure_of
from twin.report.plots import style
from twin.report.plots.studies import against_load, possible

if TYPE_CHECKING:
    from twin.experiments.studies.results import StudyResults

# More lines in a chart, or charts beside each other, than this cannot be read.
_MOST_LINES, _MOST_COLUMNS = 6, 4


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
