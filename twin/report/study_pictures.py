"""The figures of a study: key figures along a factor, and cost against benefit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twin.common.text import amount, label, level
from twin.experiments.studies.sensitivity import numbers_of
from twin.measures import series
from twin.measures.figures import figure_of
from twin.report import plots
from twin.report.answer import at, capital, weight
from twin.report.pictures import Picture, drawn
from twin.report.plots.front import MOST_NAMED
from twin.report.plots.studies import possible, roles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from twin.experiments.studies.results import StudyResults

_MOST_CHARTS = 4


def pictures(found: StudyResults, deciding: tuple[str, float] | None = None) -> Iterator[Picture]:
    """Each figure that answers the question, along a factor; then cost against benefit.

    Parameters
    ----------
    found : StudyResults
    deciding : (str, float), optional
        The figure that is drawn first, and its limit.
    """
    yield from _along(found, deciding)
    yield from _front(found)


def _drawn(
    found: StudyResults, deciding: tuple[str, float] | None
) -> list[tuple[str, float | None]]:
    """Figures to draw, those with a limit first."""
    limits = dict([deciding] if deciding else [])
    for one in found.crossings:
        limits.setdefault(one["kpi"], float(one["limit"]))
    targets = found.manifest.get("study_as_run", {}).get("targets", {})
    for name, target in targets.items():
        limits.setdefault(name, float(next(v for v in target.values() if v is not None)))
    names = list(dict.fromkeys([*limits, *sorted(found.shown, key=weight)]))
    *_, split = roles(found)
    panels = found.points[split].nunique() if split is not None else 1
    return [(name, limits.get(name)) for name in names][: max(2, _MOST_CHARTS // panels)]


def _along(found: StudyResults, deciding: tuple[str, float] | None) -> Iterator[Picture]:
    load, line, split = roles(found)
    if load is None:
        return
    short = found.names
    kept = [name for name in (line, split) if name is not None]
    varying = [name for name in found.factors if found.points[name].nunique() > 1]
    pooled = [short[name] for name in varying if name != load and name not in kept]
    by = "all" if line is None else short[line]
    for number, (name, limit) in enumerate(_drawn(found, deciding)):
        kpi, group = figure_of(name)
        of = (found.frame["kpi"] == kpi) & (found.frame["group"] == group)
        rows = series.along(found.frame[of], load, kept)
        rows = rows[rows["value"].notna()]
        if not len(rows):
            continue
        rows[load] = numbers_of(rows[load])
        # The same for all charts of a figure, so that the eye may compare them.
        reach = possible(rows)[["value", "low", "high"]].to_numpy()
        span = (float(np.nanmin(reach)), float(np.nanmax(reach)))
        panels: Any = rows.groupby(split, sort=False) if split is not None else [("", rows)]
        for k, (one, part) in enumerate(panels):
            title = f"{label(kpi, group)} by {short[load]}"
            title += f", {short[split]} {level(one)}" if split is not None else ""
            words = _words(part, load, line, short, pooled)

            part = part.assign(all="all points").rename(columns=short)
            if line is not None and numbers_of(part[by]) is not None:
                part[by] = [f"{by} {level(value)}" for value in part[by]]

            def draw(
                ax: Axes, part: pd.DataFrame = part, limit: float | None = limit, span: Any = span
            ) -> None:
                plots.against_load(part, ax, load=short[load], by=by, limit=limit, span=span)

            yield drawn(f"along-{number}-{k}", capital(title), words, draw)


def _words(
    rows: pd.DataFrame, load: str, line: str | None, short: dict[str, str], pooled: list[str]
) -> str:
    ends = []
    for word, k in (("Lowest", rows["value"].idxmin()), ("highest", rows["value"].idxmax())):
        row = dict(zip(rows.columns, rows.loc[[k]].to_numpy()[0], strict=True))
        where = at({name: row[name] for name in (line, load) if name is not None}, short)
        ends.append(f"{word} {amount(row['value'], row['unit'])} ({where})")
    lines = f"Lines by {short[line]}" if line is not None else "A line"
    over = f", over all levels of {' and '.join(pooled)} together" if pooled else ""
    return f"{lines} with intervals{over}. {', '.join(ends)}."


def _front(found: StudyResults) -> Iterator[Picture]:
    plan = found.manifest.get("study_as_run", {})
    paid = str(plan.get("minimise", "cost_per_resolution"))
    shares = set(found.frame.loc[found.frame["unit"] == "share", "kpi"])
    bought = next(
        (n for n, t in plan.get("targets", {}).items() if t.get("at_least") and n in shares),
        "csat_all",
    )
    summary, short = found.summary(), found.names
    load = next((name for name in found.factors if name.startswith("arrivals.")), None)
    others = [name for name in found.factors if found.points[name].nunique() > 1]
    under = ""
    if load in others and len(others) > 1:
        # A point may be cheap at one load and expensive at another: compare under the same.
        loads = pd.Series(numbers_of(summary[load]), index=summary.index)
        most = float(loads.max())
        summary, under = summary[loads == most], f", {short[load]} {level(most)}"
        others.remove(load)
    units = dict(zip(summary["kpi"], summary["unit"], strict=True))
    if paid not in units or not others or not units[paid].startswith("USD"):
        return
    names = summary[others].map(level).agg(", ".join, axis=1)
    front = series.pareto(summary.assign(scenario=names), paid, bought)
    if len(front) < 3:
        return
    order = ", ".join(short[name] for name in others)
    best = [str(name) for name in front.loc[front["front"], "scenario"]]
    said = "; ".join(best)
    if len(best) > MOST_NAMED:
        said = f"{len(best)} points, from {best[0]} to {best[-1]}"
    yield drawn(
        "front",
        capital(f"{label(paid)} against {label(bought)}{under}"),
        f"Points, named by {order}. No other is both cheaper and better than: {said}.",
        lambda ax: plots.pareto(front, ax, cost=f"{label(paid)} (USD)", good=label(bought)),
    )
