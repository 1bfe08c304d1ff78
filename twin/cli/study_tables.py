"""Findings of a study as tables for people, and as data for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from twin.cli.figure_tables import as_rows
from twin.common.text import amount, change_of, level
from twin.experiments.studies.sensitivity import crossings, effects
from twin.measures.figures import FIGURES, figure_of

if TYPE_CHECKING:
    import pandas as pd

    from twin.experiments.studies.findings import SearchResults
    from twin.experiments.studies.results import StudyResults

# A longer cell is words.
_SENTENCE = 30


def points_table(found: StudyResults) -> Table:
    """A row a point: the factors, and the figures that the study shows with their intervals."""
    factors = [*found.names.values()] or ["scenario"]
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
        along_name = found.names[along]
        words = amount(limit, FIGURES[figure_of(kpi)[0]].unit)
        where = crossings(found, kpi, along, limit).drop(columns=["kpi", "along", "limit"])
        table = plain_table(where.rename(columns=found.names))
        tables.append((f"Where {kpi} crosses {words} along {along_name}:", table))
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
        table.add_row(label, found.names[row["factor"]], row["level"], change, standardised, fit)
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


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Rows of text; all but the first column to the right, sentences excepted."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for k, head in enumerate(heads):
        long = any(len(row[k]) > _SENTENCE for row in rows)
        table.add_column(head, overflow="fold", justify="right" if k and not long else "left")
    for row in rows:
        table.add_row(*row)
    return table


def search_data(found: SearchResults) -> dict[str, Any]:
    """Findings of a search as plain data; missing is None."""
    frames = ("changes", "roster", "figures", "near_misses", "finalists")
    return {
        "statement": found.statement,
        "path": None if found.path is None else str(found.path),
        "found": None if found.scenario is None else found.scenario.as_data(),
        **{name: as_rows(getattr(found, name)) for name in frames},
        "settings": as_rows(found.table),
        "notes": list(found.notes),
    }


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
