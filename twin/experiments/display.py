"""Results, comparisons and studies as HTML, for notebooks: frames and words in, markup out."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from twin.common.html import Html, html, table, tag
from twin.common.text import amount, estimate, label, signed, size_in
from twin.measures.figures import MAIN, figure_of
from twin.stats.verdicts import BETTER, WORSE

if TYPE_CHECKING:
    import pandas as pd

# Known where a model was called, whatever became of the calls; what means nothing where none was.
_CALLED = "call_failure_share"
_OF_ASSISTANT = ("containment", "escalation_rate", "model_cost")
# A study has hundreds of points; a notebook shows the first of them.
_MOST_ROWS = 40


def of_no_assistant(summary: pd.DataFrame, scenarios: Collection[str]) -> set[str]:
    """Figures of an assistant's work that are 0 as no scenario has an assistant.

    Empty where a model was called in any of them, or where that is not known, as in the history of
    a real desk: there a 0 says something.

    Parameters
    ----------
    summary : DataFrame
        From `Results.summary`.
    scenarios : collection of str
    """
    rows = summary[(summary["group"] == "") & summary["scenario"].isin(list(scenarios))]
    values = rows.groupby("kpi")["value"].agg(list).to_dict()
    spent = values.get("model_cost", [])
    called = any(not math.isnan(value) for value in values.get(_CALLED, []))
    if called or len(spent) != len(set(scenarios)) or any(value != 0 for value in spent):
        return set()
    return {kpi for kpi in _OF_ASSISTANT if not any(values.get(kpi, ()))}


def figure_rows(
    summary: pd.DataFrame,
    kpis: Sequence[str],
    scenarios: Sequence[str],
    assumed: Collection[str] = (),
) -> list[list[str]]:
    """Figures of all tickets with their intervals: a row a figure, a column a scenario.

    A star marks figures that rest on an assumed number.
    """
    rows = summary[(summary["group"] == "") & summary["kpi"].isin(list(kpis))]
    cells = {(row["kpi"], row["scenario"]): estimate(row) for row in rows.to_dict("records")}
    none = of_no_assistant(summary, scenarios)
    star = {kpi: " *" if kpi in assumed else "" for kpi in kpis}
    found = [
        [f"{label(kpi)}{star[kpi]}", *(cells.get((kpi, name), "-") for name in scenarios)]
        for kpi in kpis
        if kpi not in none
    ]
    # Figures that no scenario has, such as calls on a desk of agents only, are left out.
    return [row for row in found if set(row[1:]) != {"-"}]


def results_html(
    summary: pd.DataFrame, whole: int, asked: int, failed: int, notes: Sequence[str]
) -> Html:
    """Main figures with their intervals, a column a scenario.

    Parameters
    ----------
    summary : DataFrame
        From `Results.summary`; empty without a whole replication.
    whole, asked, failed : int
        Numbers of replications.
    notes : sequence of str
    """
    parts: list[object] = []
    if len(summary):
        scenarios = list(dict.fromkeys(summary["scenario"]))
        rows = figure_rows(summary, MAIN, scenarios)
        parts.append(table(["figure", *scenarios], rows, "Key figures", numbers=True))
    said = f"{whole} of {asked} replications" + (f", {failed} failed" if failed else "")
    parts.append(tag("p", f"{said}; ± is the 95 % interval"))
    parts += [tag("p", f"note: {text}") for text in notes]
    return tag("div", *parts)


def comparison_html(
    differences: pd.DataFrame, baseline: str, method: str, notes: Sequence[str]
) -> Html:
    """Each figure with its difference, interval and verdict, and the method of these.

    Parameters
    ----------
    differences : DataFrame
        `Comparison.table`.
    baseline, method : str
    notes : sequence of str
    """
    parts: list[object] = []
    for name, rows in differences.groupby("scenario", sort=False):
        cells: list[list[object]] = []
        for row in rows.to_dict("records"):
            unit, size = row["unit"], size_in(row)
            bounds = "-"
            if row["low"] == row["low"]:
                bounds = " to ".join(signed(row[k], unit, size) for k in ("low", "high"))
            verdict: object = row["verdict"]
            # In words and in bold, as not everybody sees colours.
            verdict = tag("strong", verdict) if verdict in (BETTER, WORSE) else verdict
            cells.append([label(row["kpi"], row["group"]), amount(row["baseline"], unit, size),
                          amount(row["what_if"], unit, size),
                          signed(row["difference"], unit, size), bounds, verdict,
                          row.get("reason", ""), row.get("rests_on", "")])  # fmt: skip
        head = ["figure", baseline, name, "difference", "interval", "verdict", "why not judged",
                "assumed numbers it rests on"]  # fmt: skip
        parts.append(table(head, cells, f"{name} against {baseline}", numbers=True))
    parts.append(tag("p", method.replace("%", " %")))
    parts += [tag("p", f"note: {text}") for text in notes]
    return tag("div", *parts)


def study_html(
    title: Sequence[str],
    points: pd.DataFrame,
    factors: Sequence[str],
    shown: Sequence[str],
    rows: Sequence[tuple[Sequence[str], Sequence[str]]],
    notes: Sequence[str],
) -> Html:
    """The points of a study with the figures that it shows.

    Parameters
    ----------
    title : (str, str)
        Name and question.
    points : DataFrame
        `StudyResults.points`.
    factors, shown : sequence of str
        Names of what is varied; figures, as "service_level" or "service_level:urgent".
    rows : sequence of (sequence of str, sequence of str)
        `StudyResults.rows`.
    notes : sequence of str
    """
    cells: list[list[object]] = [
        [*(tag("span", text, style="white-space: nowrap") for text in levels), *figures]
        for levels, figures in rows[:_MOST_ROWS]
    ]
    head = [*(factors or ["scenario"]), *(label(*figure_of(name)) for name in shown)]
    parts: list[object] = [tag("strong", title[0])]
    if title[1]:
        parts.append(html(f": {title[1]}"))
    parts.append(table(head, cells, "Points and their figures", numbers=True))
    more = len(points) - _MOST_ROWS
    whole, asked = (int(points[name].sum()) for name in ("whole", "asked"))
    said = f"{whole} of {asked} replications of {len(points)} points; ± is the 95 % interval"
    parts.append(tag("p", said + (f"; {more} more points are in .points" if more > 0 else "")))
    parts += [tag("p", f"note: {text}") for text in notes]
    return tag("div", *parts)


def search_html(
    title: Sequence[str],
    statement: str,
    tables: Sequence[tuple[str, list[str], list[list[str]]]],
    notes: Sequence[str],
) -> Html:
    """The finding of a search, and the tables that go with it.

    Parameters
    ----------
    title : (str, str)
        Name and question.
    statement : str
    tables : sequence of (str, list of str, list of list of str)
        `SearchResults.tables`.
    notes : sequence of str
    """
    parts: list[object] = [tag("strong", title[0])]
    if title[1]:
        parts.append(html(f": {title[1]}"))
    parts.append(tag("p", statement))
    parts += [table(heads, rows, caption, numbers=True) for caption, heads, rows in tables]
    parts += [tag("p", f"note: {text}") for text in notes]
    return tag("div", *parts)
