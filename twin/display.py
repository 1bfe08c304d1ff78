"""What notebooks show of results and scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twin.markup import Html, html, table, tag
from twin.wording import MAIN_FIGURES, amount, with_interval

if TYPE_CHECKING:
    import pandas as pd

    from twin.comparison import Comparison
    from twin.results import Results
    from twin.scenario import Scenario
    from twin.studies.results import StudyResults

# A study has hundreds of points; a notebook shows the first of them.
_MOST_ROWS = 40


def label(kpi: str, group: str = "") -> str:
    """The name of a figure as words.

    Examples
    --------
    >>> label("service_level", "urgent"), label("csat")
    ('service level, urgent', 'CSAT')
    """
    words = {"csat": "CSAT"}.get(kpi, kpi.replace("_", " "))
    return f"{words}, {group}" if group else words


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Keys by their last parts, as few as tell them apart.

    Examples
    --------
    >>> list(short_names(["model", "arrivals.scale", "agents.a.shifts.0.heads"]).values())
    ['model', 'arrivals.scale', 'shifts.0.heads']
    """
    found = {}
    for key in keys:
        parts = key.split(".")
        # A last part alone, such as scale or heads, would leave open of what.
        for k in range(max(len(parts) - 2, 0), -1, -1):
            short = ".".join(parts[k:])
            alone = sum(f".{other}".endswith(f".{short}") for other in keys) == 1
            # A number alone is the place in a list, and says nothing without the list.
            if alone and not parts[k].isdigit():
                break
        found[key] = short
    return found


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


def comparison_html(found: Comparison) -> Html:
    """Each figure with its difference, interval and verdict; how they were come to."""
    from twin.comparison import BETTER, WORSE, signed

    parts: list[object] = []
    for name, rows in found.table.groupby("scenario", sort=False):
        cells: list[list[object]] = []
        for row in rows.to_dict("records"):
            unit = row["unit"]
            bounds = "-"
            if row["low"] == row["low"]:
                bounds = f"{signed(row['low'], unit)} to {signed(row['high'], unit)}"
            verdict: object = row["verdict"]
            # In words and in bold: colours alone would say it to some only.
            verdict = tag("strong", verdict) if verdict in (BETTER, WORSE) else verdict
            cells.append([label(row["kpi"], row["group"]), amount(row["baseline"], unit),
                          amount(row["what_if"], unit), signed(row["difference"], unit), bounds,
                          verdict])  # fmt: skip
        head = ["figure", found.baseline, name, "difference", "interval", "verdict"]
        parts.append(table(head, cells, f"{name} against {found.baseline}", numbers=True))
    parts.append(tag("p", found.method.replace("%", " %")))
    parts += [tag("p", f"note: {text}") for text in found.notes]
    return tag("div", *parts)


def study_html(found: StudyResults) -> Html:
    """The points of a study with the figures that it shows."""
    cells = {
        (row["scenario"], row["kpi"], row["group"]): with_interval(
            row["value"], row["half_width"], row["unit"]
        )
        for row in (found.summary().to_dict("records") if len(found.frame) else [])
    }
    shown = [name.partition(":")[::2] for name in found.shown]
    short = short_names(found.factors)
    rows: list[list[object]] = [
        [*(tag("span", point[name], style="white-space: nowrap") for name in found.factors),
         *(cells.get((point["scenario"], kpi, group), "-") for kpi, group in shown)]
        for point in found.points.head(_MOST_ROWS).to_dict("records")
    ]  # fmt: skip
    head = [*(short[name] for name in found.factors), *(label(*figure) for figure in shown)]
    parts: list[object] = [tag("strong", found.name)]
    if found.question:
        parts.append(html(f": {found.question}"))
    if found.factors:
        parts.append(table(head, rows, "Points and their figures", numbers=True))
    more = len(found.points) - _MOST_ROWS
    whole, asked = (int(found.points[name].sum()) for name in ("whole", "asked"))
    said = f"{whole} of {asked} replications of {len(found.points)} points; ± is the 95 % interval"
    parts.append(tag("p", said + (f"; {more} more points are in .points" if more > 0 else "")))
    parts += [tag("p", f"note: {text}") for text in found.notes]
    return tag("div", *parts)
