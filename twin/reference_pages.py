"""Pages of the reference runs that hold several points: their figures, as tables and drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin import plots, series
from twin.comparison import compare
from twin.display import label
from twin.markup import Html, html, table, tag
from twin.plots import pair, style
from twin.studies.sensitivity import crossings
from twin.wording import amount, with_interval

if TYPE_CHECKING:
    from twin.results import Results
    from twin.scenario import Scenario
    from twin.studies.results import StudyResults

# Figures that tell desks apart, for the pages that set many beside each other.
FIGURES = ("service_level", "resolution_within_target", "csat", "categorization_accuracy",
           "containment", "abandonment_rate", "occupancy", "cost_per_resolution")  # fmt: skip
_DRAWN = ("service_level", "csat", "cost_per_resolution")
_MOST_DRAWN = 3


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
    drawn = []
    for kpi in _DRAWN:
        part = _by_size(found.table[found.table["kpi"] == kpi])

        def draw(ax: Any, part: pd.DataFrame = part) -> object:
            return _forest(part, ax)

        title = f"Difference in {label(kpi)} from {first.scenario}"
        height = plots.forest_height(len(part))
        drawn.append(_picture(title, f"forest-{kpi.replace('_', '-')}", draw, height))
    said = tag("p", found.method[0].upper() + found.method[1:] + ".", class_="small")
    asked = table(["scenario", "question"], questions, "Scenarios and what they ask")
    figures = table(head, rows, "Scenarios and their main figures", numbers=True)
    return _page(
        "The shipped what-ifs",
        f"What do {len(others)} changes do to the desk of {first.scenario}?",
        [
            ("In pictures", [said, tag("div", *drawn, class_="pictures")]),
            ("Key figures", [figures]),
            ("What they ask", [asked]),
        ],
        first.asked,
    )


def _by_size(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one figure with an interval, best first, named by their scenarios."""
    rows = rows[rows["low"].notna()].sort_values("difference", ascending=False)
    return rows.assign(kpi=rows["scenario"], scenario="")


def _forest(rows: pd.DataFrame, ax: Any) -> Any:
    plots.forest(rows, ax)
    share = (rows["unit"] == "share").all()
    if share:
        style.percent_axis(ax, axis="x")
    ax.set_xlabel("difference in points" if share else f"difference in {rows['unit'].iloc[0]}")
    return ax


def of_study(study: StudyResults) -> str:
    """A study as a page: its points, where limits are crossed, and its figures along a factor."""
    summary = study.summary()
    kpis = [name.partition(":")[0] for name in study.shown]
    rows = []
    for point in study.points.to_dict("records"):
        own = summary[summary["scenario"] == point["scenario"]]
        rows.append([*(_plain(point[name]) for name in study.factors), *_cells(own, kpis)])
    parts: list[tuple[str, list[Html]]] = []
    for one in study.crossings:
        where = crossings(study, one["kpi"], one["along"], one["limit"])
        unit = str(study.frame.loc[study.frame["kpi"] == one["kpi"], "unit"].iloc[0])
        heading = f"Where {label(one['kpi'])} crosses {amount(one['limit'], unit)}"
        columns = [c for c in where if c not in ("kpi", "along", "limit", "before", "after")]
        cells = [[_plain(row[c]) for c in columns] for row in where.to_dict("records")]
        names = [one["along"] if c == "at" else c for c in columns]
        parts.append((heading, [table(names, cells, heading)]))
    first = [one["kpi"] for one in study.crossings]
    drawn = list(dict.fromkeys([*first, *kpis]))[:_MOST_DRAWN]
    parts.append(("In pictures", [tag("div", *_along(study, summary, drawn), class_="pictures")]))
    head = [*study.factors, *map(label, kpis)]
    parts.append(("All points", [table(head, rows, "Points and their figures", numbers=True)]))
    if study.notes:
        parts.append(("Notes", [tag("ul", [tag("li", note) for note in study.notes])]))
    return _page(study.name, study.question, parts, int(study.points["asked"].max()))


def _along(study: StudyResults, summary: pd.DataFrame, kpis: list[str]) -> Iterator[Html]:
    """Figures along the last factor, a line for each level of the first, a picture for the rest."""
    load, *others = reversed(study.factors)
    others.reverse()
    whole = summary[summary["group"] == ""]
    if not others:
        whole, others = whole.assign(all="all tickets"), ["all"]
    by, *rest = others
    for kpi in kpis:
        rows = whole[whole["kpi"] == kpi]
        panels: Any = rows.groupby(rest, sort=False) if rest else [((), rows)]
        for k, (levels, part) in enumerate(panels):
            words = ", ".join(f"{name} {level}" for name, level in zip(rest, levels, strict=True))
            title = f"{label(kpi)} by {load}" + (f" ({words})" if words else "")

            def draw(ax: Any, part: pd.DataFrame = part) -> object:
                return plots.against_load(part, ax, load=load, by=by)

            yield _picture(title, f"{kpi.replace('_', '-')}-{k}", draw)


def readme_figure(results: Results, scenario: Scenario, every: Results, path: Path) -> None:
    """A week at the desk, and what changes do to it: the picture of the README."""
    levels = series.levels_over_time(results.table("levels"))
    clock: dict[str, Any] = {"start": scenario.start, "warm_up_s": scenario.warm_up}
    changes = _by_size(compare(every, scenario.name, ["service_level"]).table)
    pair.write(
        ("A week at the desk", lambda ax: plots.backlog(levels, ax, **clock)),
        ("What happens to the service level if ...?", lambda ax: _forest(changes, ax)),
        path,
    )


def _cells(summary: pd.DataFrame, kpis: Any) -> list[str]:
    whole = summary[summary["group"].isin(["", "all"])]
    rows = {row["kpi"]: row for row in whole.to_dict("records")}
    return [
        with_interval(rows[kpi]["value"], rows[kpi]["half_width"], rows[kpi]["unit"])
        if kpi in rows
        else "-"
        for kpi in kpis
    ]


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.3g}"
    return str(value)


def _picture(title: str, name: str, draw: Any, height: float = 3.1) -> Html:
    svg = plots.svg(draw, name, height)
    # The numbers behind it are in the tables of the page.
    named = Html(svg.replace("<svg ", f'<svg role="img" aria-label="{html(title)}" ', 1))
    return tag("figure", tag("h4", title), named)


def _page(title: str, question: str, parts: list[tuple[str, list[Html]]], replications: int) -> str:
    css = (resources.files("twin.report") / "page.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{title}: support desk"),
        tag("style", Html(css)),
    )
    remark = f"A small reference run: {replications} replications. ± is the 95 % interval."
    header = tag("header", tag("h1", title), tag("p", question, class_="question"),
                 tag("p", remark, class_="small"))  # fmt: skip
    body = [tag("section", tag("h2", heading), *content) for heading, content in parts]
    whole = tag("html", head, tag("body", header, tag("main", *body)), lang="en")
    return f"<!doctype html>\n{whole}\n"
