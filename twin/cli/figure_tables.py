"""The key figures of results as a table for people, and as data for programs."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from rich.table import Table

from twin.common.text import estimate
from twin.experiments.display import of_no_assistant
from twin.measures.figures import MAIN, MAIN_FIGURES
from twin.scenario.model import PRIORITIES

if TYPE_CHECKING:
    import pandas as pd

    from twin.experiments.results import Results

# A priority this much below all tickets gets a row of its own.
_HIDDEN = 0.05


def figures(summary: pd.DataFrame, every: bool = False, assumed: Collection[str] = ()) -> Table:
    """The figures of one or several scenarios side by side.

    Parameters
    ----------
    summary : DataFrame
        From `Results.summary`.
    every : bool
        All figures and groups, instead of the main ones.
    assumed : collection of str
        Figures that rest on an assumed number: they get a star.
    """
    scenarios = list(dict.fromkeys(summary["scenario"]))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure", overflow="fold")
    for name in scenarios:
        label = name if len(scenarios) > 1 else "value"
        table.add_column(f"{label} (95 % interval)", justify="right", overflow="fold")
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in summary.to_dict("records"):
        cell = estimate(row)
        cells.setdefault((row["kpi"], row["group"]), {})[row["scenario"]] = cell
    none = set() if every else of_no_assistant(summary, scenarios)
    for keys in _sections([key for key in cells if key[0] not in none], every):
        rows = [(key, [cells[key].get(name, "-") for name in scenarios]) for key in keys]
        # Figures that no scenario has, such as calls on a desk of agents only, are left out.
        rows = [(key, texts) for key, texts in rows if every or set(texts) != {"-"}]
        for (kpi, group), texts in rows:
            star = " *" if kpi in assumed else ""
            table.add_row(f"{kpi}, {group}{star}" if group else f"{kpi}{star}", *texts)
            for name in () if every else missed_by(summary, kpi):
                texts = [cells[kpi, name].get(one, "-") for one in scenarios]
                table.add_row(f"  {kpi}, {name}", *texts)
        if rows:
            table.add_section()
            table.add_row()
    return table


def missed_by(summary: pd.DataFrame, kpi: str) -> list[str]:
    """Priorities for which a service level is missed, though that of all tickets hides it.

    Those surely below the level of all (whole intervals apart), by five points or more, in a
    scenario.
    """
    if kpi not in ("service_level", "human_service_level"):
        return []
    rows = summary[(summary["kpi"] == kpi).to_numpy()].set_index(["scenario", "group"])
    found = set()
    for scenario, group in rows.index:
        one, whole = rows.loc[(scenario, group)], rows.loc[(scenario, "")]
        below = one["high"] < whole["low"] and one["value"] < whole["value"] - _HIDDEN
        found |= {group} if group and below else set()
    return [name for name in PRIORITIES if name in found]


def _sections(keys: list[tuple[str, str]], every: bool) -> list[list[tuple[str, str]]]:
    if every:
        return [keys]
    known = set(keys)
    return [[(kpi, "") for kpi in names if (kpi, "") in known] for names in MAIN_FIGURES.values()]


def as_data(results: Results) -> dict[str, Any]:
    """Results as plain data: runs, figures with intervals, failures; missing is None.

    Tracebacks stay in the table failures.
    """
    from twin.experiments.versions import spend

    figures = results.summary() if len(results.kpis) else results.kpis
    failures = results.failures[["scenario", "replication", "stage", "type", "message"]]
    return {
        "runs": [
            {
                "scenario": run.scenario,
                "question": run.question,
                "status": run.status,
                "replications": {"asked": run.asked, "whole": run.whole, "failed": run.failed},
                "path": None if run.path is None else str(run.path),
                "notes": list(run.notes),
            }
            for run in results.runs
        ],
        "kpis": as_rows(figures),
        "unset": list(results.unset()),
        "spend": spend(figures, MAIN) if len(figures) else [],
        "sanity": as_rows(results.sanity()),
        "failures": as_rows(failures),
    }


def as_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data; missing is None."""
    return [
        {str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value
