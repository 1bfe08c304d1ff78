"""The key figures of results as a table for people, and as data for programs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.table import Table

from twin.common.text import estimate
from twin.measures.figures import MAIN_FIGURES

if TYPE_CHECKING:
    import pandas as pd

    from twin.experiments.results import Results


def figures(summary: pd.DataFrame, every: bool = False) -> Table:
    """The figures of one or several scenarios side by side.

    Parameters
    ----------
    summary : DataFrame
        From `Results.summary`.
    every : bool
        All figures and groups, instead of the main ones.
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
    for keys in _sections(list(cells), every):
        rows = [(key, [cells[key].get(name, "-") for name in scenarios]) for key in keys]
        # Figures that no scenario has, such as calls on a desk of agents only, are left out.
        rows = [(key, texts) for key, texts in rows if every or set(texts) != {"-"}]
        for (kpi, group), texts in rows:
            table.add_row(f"{kpi}, {group}" if group else kpi, *texts)
        if rows:
            table.add_section()
            table.add_row()
    return table


def _sections(keys: list[tuple[str, str]], every: bool) -> list[list[tuple[str, str]]]:
    if every:
        return [keys]
    known = set(keys)
    return [[(kpi, "") for kpi in names if (kpi, "") in known] for names in MAIN_FIGURES.values()]


def as_data(results: Results) -> dict[str, Any]:
    """Results as plain data: runs, figures with intervals, failures; missing is None.

    Tracebacks stay in the table failures.
    """
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
