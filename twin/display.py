"""What notebooks show of results and scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twin.markup import Html, html, table, tag
from twin.wording import MAIN_FIGURES, with_interval

if TYPE_CHECKING:
    import pandas as pd

    from twin.results import Results
    from twin.scenario import Scenario


def label(kpi: str, group: str = "") -> str:
    """The name of a figure as words.

    Examples
    --------
    >>> label("service_level", "urgent"), label("csat")
    ('service level, urgent', 'CSAT')
    """
    words = {"csat": "CSAT"}.get(kpi, kpi.replace("_", " "))
    return f"{words}, {group}" if group else words


def figure_rows(
    summary: pd.DataFrame, kpis: Sequence[str], scenarios: Sequence[str]
) -> list[list[str]]:
    """Figures of all tickets with their intervals: a row a figure, a column a scenario."""
    rows = summary[(summary["group"] == "") & summary["kpi"].isin(list(kpis))]
    cells = {
        (row["kpi"], row["scenario"]): with_interval(row["value"], row["half_width"], row["unit"])
        for row in rows.to_dict("records")
    }
    found = [[label(kpi), *(cells.get((kpi, name), "-") for name in scenarios)] for kpi in kpis]
    # What no scenario has, such as calls on a desk of agents only, says nothing.
    return [row for row in found if set(row[1:]) != {"-"}]


def results_html(results: Results) -> Html:
    """Main figures with their intervals, a column a scenario."""
    parts: list[object] = []
    if len(results.kpis):
        summary = results.summary()
        scenarios = list(dict.fromkeys(summary["scenario"]))
        kpis = [kpi for kpis in MAIN_FIGURES.values() for kpi in kpis]
        rows = figure_rows(summary, kpis, scenarios)
        parts.append(table(["figure", *scenarios], rows, "Key figures", numbers=True))
    whole, asked = (sum(getattr(run, n) for run in results.runs) for n in ("whole", "asked"))
    failed = sum(run.failed for run in results.runs)
    said = f"{whole} of {asked} replications" + (f", {failed} failed" if failed else "")
    parts.append(tag("p", f"{said}; ± is the 95 % interval"))
    parts += [tag("p", f"note: {text}") for text in results.notes]
    return tag("div", *parts)


def changes_table(changes: Sequence[Sequence[str]], base: str) -> Html:
    """What a scenario changes in its base."""
    head = ["key", base, "here"]
    rows = [[tag("code", key), old, new] for key, old, new in changes]
    return table(head, rows, f"Differences from {base}")


def scenario_html(scenario: Scenario) -> Html:
    """Name, question, and the difference from the file it rests on, or all that was set."""
    from twin.explain import changes, set_values
    from twin.faults import ScenarioError

    parts: list[object] = [tag("strong", scenario.name)]
    if scenario.question:
        parts.append(html(f": {scenario.question}"))
    try:
        base, changed = changes(scenario)
    except ScenarioError:  # the file has gone since
        base, changed = "", []
    if changed:
        parts.append(changes_table(changed, base))
    else:
        if base:
            parts.append(tag("p", f"as in {base}"))
        rows = [[tag("code", key), value] for key, value in set_values(scenario)]
        inner = table(["key", "value"], rows, "What was set")
        parts.append(tag("details", tag("summary", "what was set"), inner))
    return tag("div", *parts)
