"""Histories of tickets in tables of their own: a child table of JSON, or a file of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from twin.history import cells
from twin.history.cells import Floats
from twin.history.gathered import CHANGES, Choices, Gathered, Understood
from twin.history.nested import PARENT
from twin.history.readers.taken import KNOWN
from twin.history.sheet import Place, Sheet


def child(sheets: Sequence[Sheet], of: Sheet | None, ending: str) -> Sheet | None:
    """The table of a list within the objects of a sheet."""
    if of is None:
        return None
    return next((s for s in sheets if s.file == of.file and s.name == f"{of.name}.{ending}"), None)


def words(sheet: Sheet, *names: str) -> pd.Series[Any]:
    """The first of some columns that is there, as texts; missing where none is."""
    column = next((found for name in names if (found := sheet.find(name))), None)
    if column is None:
        return pd.Series([None] * count(sheet), dtype="str")
    return cells.texts(sheet.load([column])[column]).reset_index(drop=True)


def moments(sheet: Sheet, choices: Choices, *names: str) -> Floats:
    """The first of some columns that is there, as seconds since 1970."""
    column = next((found for name in names if (found := sheet.find(name))), None)
    if column is None:
        return np.full(count(sheet), np.nan)
    loaded, where = sheet.load([column])[column], Place(sheet.file, column)
    order = choices.days_first
    order = cells.day_first([loaded], where) if order is None else order
    return cells.times(loaded, choices.zone, where, order)[0]


def count(sheet: Sheet) -> int:
    """Number of rows."""
    return len(sheet.load(sheet.names[:1])[sheet.names[0]])


def parents(sheet: Sheet) -> pd.Series[Any]:
    """Numbers of the rows above, of a child table."""
    return sheet.load([PARENT])[PARENT].astype("int64").reset_index(drop=True)


def set_changes(
    gathered: Gathered, changes: pd.DataFrame, sheet: Sheet, columns: Mapping[str, str],
    names: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Give a history of statuses to what is gathered.

    Parameters
    ----------
    gathered : Gathered
    changes : DataFrame
        Columns of `CHANGES`; those that are not there are missing.
    sheet : Sheet
        It is from.
    columns : mapping of str to str
        Its columns and what they mean.
    names : mapping of str to str
        Words of statuses by the tool's codes.
    """
    for name in CHANGES:
        if name not in changes:
            changes[name] = None
    if names:
        changes["status"] = changes["status"].map(lambda one: names.get(one, one))
    keep = changes["id"].notna() & changes["at"].notna()
    gathered.changes = changes.loc[keep, list(CHANGES)].sort_values("at", kind="stable")
    # Where the history of a ticket is there, its counts follow from it.
    gathered.known |= {"resolutions", "reopens"}
    found = [(sheet.find(column), meaning) for column, meaning in columns.items()]
    gathered.understood += [
        Understood(sheet.name, column, meaning, KNOWN) for column, meaning in found if column
    ]
