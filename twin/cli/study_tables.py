"""Findings of a study as tables for people, and as data for programs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rich.table import Table

from twin.cli.figure_tables import as_rows
from twin.common.text import amount, change_of, level
from twin.experiments.studies.sensitivity import crossings, effects
from twin.measures.figures import FIGURES, figure_of

if TYPE_CHECKING:
    import pandas as pd

    from twin.experiments.studies.results import StudyResults


def points_table(found: StudyResults) -> Table:
    """A row a point: the factors, and the figures that the study shows with their intervals."""
    factors = [*found.factors] or ["scenario"]
    labels = [f"{kpi}, {group}" if group else kpi for kpi, group in map(figure_of, found.shown)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in (*factors, *labels):
        # A long name goes on in the next line; it is not cut off.
        table.add_column(head, overflow="fold")
    for levels, figures in found.rows():
        table.add_row(*levels, *figures)
    return table


def crossing_tables(found: StudyResults) -> list[tuple[str, Table]]:
    """For each limit of the study a sentence, and where it is crossed."""
    tables = []
    for one in found.crossings:
        kpi, along, limit = one["kpi"], one["along"], one["limit"]
        words = amount(limit, FIGURES[figure_of(kpi)[0]].unit)
        where = crossings(found, kpi, along, limit).drop(columns=["kpi", "along", "limit"])
        tables.append((f"Where {kpi} crosses {words} along {along}:", plain_table(where)))
    return tables


def effects_table(found: StudyResults) -> Table:
    """Effects of factors on figures: a row a factor, of factors with texts a row a level."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure", no_wrap=True)
    for head in ("factor", "level"):
        table.add_column(head, overflow="fold")
    for head in ("effect (interval)", "in deviations", "fit"):
        table.add_column(head, justify="right")
    for row in effects(found).to_dict("records"):
        label = f"{row['kpi']}, {row['group']}" if row["group"] else row["kpi"]
        change = change_of(row["effect"], row["low"], row["high"], row["unit"])
        standardised = level(round(row["standardised"], 2))
        fit = amount(row["fit"], "share")
        table.add_row(label, row["factor"], row["level"], change, standardised, fit)
    return table


def plain_table(frame: pd.DataFrame, units: Mapping[str, str] | None = None) -> Table:
    """A frame as it is; columns of figures, whose units are given, as figures are read."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in frame.columns:
        table.add_column(str(name), overflow="fold")
    for row in frame.to_dict("records"):
        cells = (
            amount(value, units[str(name)]) if units and name in units else level(value)
            for name, value in row.items()
        )
        table.add_row(*cells)
    return table


def units_of(frame: pd.DataFrame) -> dict[str, str]:
    """Units of the columns that are figures ("csat") or figures and groups ("csat:urgent")."""
    found = {}
    for name in map(str, frame.columns):
        # Other columns are factors.
        with suppress(ValueError):
            found[name] = FIGURES[figure_of(name)[0]].unit
    return found


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
