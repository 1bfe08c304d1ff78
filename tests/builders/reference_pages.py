"""The page of all shipped what-ifs, and the figure of the README."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from twin.common.html import table, tag
from twin.common.text import estimate, interval, label
from twin.experiments.comparison import Comparison, compare
from twin.measures import series
from twin.report import frame, plots
from twin.report.pictures import drawn
from twin.report.plots import style
from twin.report.plots.picture import compact
from twin.stats.verdicts import BETTER, WORSE

if TYPE_CHECKING:
    from twin.experiments.results import Results
    from twin.scenario.model import Scenario

# Figures that tell desks apart, for the pages that set many beside each other.
FIGURES = ("service_level", "resolution_within_target", "csat", "categorization_accuracy",
           "containment", "abandonment_rate", "occupancy", "cost_per_resolution")  # fmt: skip
Titled = tuple[str, Callable[[Axes], object]]
_DRAWN = ("service_level", "csat", "cost_per_resolution")


def what_ifs(results: Results) -> str:
    """All shipped scenarios against the first, as a page."""
    first, *others = results.runs
    summary = results.summary()
    found = compare(results, first.scenario, list(_DRAWN))
    questions = [[run.scenario, run.question] for run in results.runs]
    rows = [
        [run.scenario, *_cells(summary[summary["scenario"] == run.scenario], FIGURES)]
        for run in results.runs
    ]
    head = ["scenario", *map(label, FIGURES)]
    shown = []
    for kpi in _DRAWN:
        part = _by_size(found.table[found.table["kpi"] == kpi])

        def draw(ax: Any, part: pd.DataFrame = part) -> None:
            plots.forest(part, ax)

        title = f"Difference in {label(kpi)} from {first.scenario}"
        counts = part["verdict"].value_counts()
        words = f"A row a scenario: {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}."
        height = plots.forest_height(len(part))
        shown.append(drawn(f"forest-{kpi.replace('_', '-')}", title, words, draw, height))
    method = found.method[0].upper() + found.method[1:].replace("%", " %") + "."
    asked = table(["scenario", "question"], questions, "Scenarios and what they ask")
    figures = table(head, rows, "Scenarios and their main figures", numbers=True)
    remark = f"{first.asked} replications of each. ± is the 95 % interval over replications."
    return frame.frame(
        "The shipped what-ifs",
        [f"What do {len(others)} changes do to the desk of {first.scenario}?"],
        [
            frame.answer(_answer(found), remark),
            ("pictures", "In pictures", [tag("p", method, class_="small"), frame.figures(shown)]),
            ("figures", "Key figures", [figures]),
            ("questions", "What they ask", [asked]),
        ],
        "from a small reference run",
    )


def _answer(found: Comparison) -> list[str]:
    """A sentence a figure: which scenario moves it most to either side."""
    sentences = []
    for kpi in _DRAWN:
        rows = _by_size(found.table[found.table["kpi"] == kpi])
        sides = []
        for verdict, word in ((BETTER, "improves"), (WORSE, "worsens")):
            mine = rows[rows["verdict"] == verdict]
            if len(mine):
                most = mine.loc[[mine["difference"].abs().idxmax()]].to_dict("records")[0]
                row = {str(key): value for key, value in most.items()}
                sides.append(f"{row['kpi']} {word} it most, by {interval(row)}")
        said = "; ".join(sides) or f"no change is shown to move it from {found.baseline}"
        name = label(kpi)
        sentences.append(f"{name[0].upper()}{name[1:]}: {said}.")
    return sentences


def _by_size(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one figure with an interval, best first, named by their scenarios."""
    rows = rows[rows["low"].notna()].sort_values("difference", ascending=False)
    return rows.assign(kpi=rows["scenario"], scenario="")


def readme_figure(results: Results, scenario: Scenario, every: Results, path: Path) -> None:
    """A week at the desk, and what changes do to it: the picture of the README."""
    levels = series.levels_over_time(results.table("levels"))
    clock: dict[str, Any] = {"start": scenario.start, "warm_up_s": scenario.warm_up}
    changes = _by_size(compare(every, scenario.name, ["service_level"]).table)
    _write_pair(
        ("A week at the desk", lambda ax: plots.backlog(levels, ax, **clock)),
        ("What happens to the service level if ...?", lambda ax: plots.forest(changes, ax)),
        path,
    )


def _write_pair(left: Titled, right: Titled, path: Path) -> None:
    """Write two figures, each with its title, as one SVG that needs no fonts; the same each time.

    Parameters
    ----------
    left, right : (str, callable)
        A title, and a function that draws into the Axes that it is given.
    path : Path
        The file.
    """
    settings = {"svg.fonttype": "path", "svg.hashsalt": "pair", "path.simplify_threshold": 0.2}
    with mpl.rc_context(settings):  # type: ignore[arg-type]
        figure = Figure(figsize=(11, 3.9), layout="constrained", facecolor="white")
        places = figure.subplots(1, 2, width_ratios=[1.15, 1])
        for ax, (title, draw) in zip(places, (left, right), strict=True):
            draw(ax)
            # Above the note or the key, which stand right above the axes.
            ax.set_title(title, loc="left", pad=20, fontsize=style.SIZE + 2, fontweight="bold")
        file = StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    path.write_text(compact(file.getvalue(), "pair"), encoding="utf-8", newline="\n")


def _cells(summary: pd.DataFrame, kpis: Any) -> list[str]:
    whole = summary[summary["group"].isin(["", "all"])]
    rows = {row["kpi"]: row for row in whole.to_dict("records")}
    return [estimate(rows[kpi]) if kpi in rows else "-" for kpi in kpis]
