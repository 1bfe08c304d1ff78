"""What a study found as tables for people, and as data for programs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.table import Table

from twin.studies.sensitivity import crossings
from twin.wording import amount, with_interval

if TYPE_CHECKING:
    import pandas as pd

    from twin.studies.results import StudyResults


def points_table(found: StudyResults) -> Table:
    """A row a point: the factors, and the figures that the study shows with their intervals."""
    cells = {
        (row["scenario"], row["kpi"], row["group"]): with_interval(
            row["value"], row["half_width"], row["unit"]
        )
        for row in found.summary().to_dict("records")
    }
    shown = [name.partition(":")[::2] for name in found.shown]
    factors = [*found.factors] or ["scenario"]
    labels = [f"{kpi}, {group}" if group else kpi for kpi, group in shown]
    table = Table(*factors, *labels, box=None, pad_edge=False, header_style="bold")
    for row in found.points.to_dict("records"):
        figures = [cells.get((row["scenario"], *figure), "-") for figure in shown]
        table.add_row(*(_cell(row[name]) for name in factors), *figures)
    return table


def crossing_tables(found: StudyResults) -> list[tuple[str, Table]]:
    """For each limit of the study a sentence, and where it is crossed."""
    units = dict(zip(found.frame["kpi"], found.frame["unit"], strict=True))
    tables = []
    for one in found.crossings:
        kpi, along, limit = one["kpi"], one["along"], one["limit"]
        words = amount(limit, units.get(kpi.partition(":")[0], ""))
        where = crossings(found, kpi, along, limit).drop(columns=["kpi", "along", "limit"])
        tables.append((f"Where {kpi} crosses {words} along {along}:", plain_table(where)))
    return tables


def plain_table(frame: pd.DataFrame) -> Table:
    """A frame as it is."""
    table = Table(*map(str, frame.columns), box=None, pad_edge=False, header_style="bold")
    for row in frame.to_dict("records"):
        table.add_row(*(_cell(value) for value in row.values()))
    return table


def as_data(found: StudyResults) -> dict[str, Any]:
    """A study as plain data; missing is None. Tracebacks stay in the failures."""
    where = [crossings(found, c["kpi"], c["along"], c["limit"]) for c in found.crossings]
    return {
        "study": found.name,
        "question": found.question,
        "factors": list(found.factors),
        "path": None if found.path is None else str(found.path),
        "notes": list(found.notes),
        "played": found.played,
        "kpis": as_rows(found.summary()) if len(found.frame) else [],
        "crossings": [row for table in where for row in as_rows(table)],
        "failures": as_rows(found.failures.drop(columns="traceback")),
    }


def as_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data; missing is None."""
    return [
        {str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and math.isnan(value) else value


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.4g}"
    return str(value)
