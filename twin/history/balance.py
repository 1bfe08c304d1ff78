"""Changes of status in a history, balanced: a ticket is resolved and reopened in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from twin.history import words
from twin.history.cells import Floats
from twin.history.gathered import Choices, Gathered
from twin.records import tables
from twin.records.columns import TABLES
from twin.records.tables import (
    ABANDONED,
    CLOSED,
    IN_PROGRESS,
    ON_HOLD,
    OPEN,
    PENDING_REVIEW,
    REOPENED,
    RESOLVED,
    STATUSES,
    WAITING_FOR_CUSTOMER,
)

# A status that says somebody has begun, where no reply is told.
BEGUN = (IN_PROGRESS, WAITING_FOR_CUSTOMER, ON_HOLD, PENDING_REVIEW, RESOLVED, CLOSED)
OVER = (RESOLVED, CLOSED, ABANDONED)


def filled(table: str, count: int, columns: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of a table, with columns of it that are not given missing.

    So a history has each column that the tables have, now and later.
    """
    full = {
        c.name: columns[c.name] if c.name in columns else _missing(c.dtype, count)
        for c in TABLES[table]
    }
    return tables.frame(table, full)


def _missing(dtype: str, count: int) -> Any:
    if dtype == "category":
        return tables.codes(np.full(count, -1), [])
    if dtype in ("string", "binary"):
        return [b"" if dtype == "binary" else ""] * count
    return np.full(count, np.nan if dtype == "float64" else 0)


def column(tickets: pd.DataFrame, name: str) -> Floats:
    """A column of moments or numbers; missing where it is not there."""
    if name not in tickets:
        return np.full(len(tickets), np.nan)
    return tickets[name].to_numpy(dtype=np.float64, na_value=np.nan)


def changes(gathered: Gathered, tickets: pd.DataFrame, choices: Choices) -> pd.DataFrame:
    """Changes of status by the row of their ticket; from final moments where need be.

    Columns row, at (seconds since 1970), code, own (the desk's own word; missing where a change
    follows from a final moment).
    """
    rows = pd.Series(np.arange(len(tickets)), index=tickets["id"].to_numpy())
    parts = []
    own = gathered.changes
    if len(own):
        codes = words.status_codes(own["status"], choices.statuses)
        part = pd.DataFrame({"row": rows.reindex(own["id"]).to_numpy(), "at": own["at"].to_numpy(),
                             "code": codes, "own": own["status"].to_numpy()})  # fmt: skip
        parts.append(part[part["row"].notna() & (part["code"] != words.NO_STATUS)])
    told = set(np.unique(parts[0]["row"])) if parts else set()
    alone = ~np.isin(np.arange(len(tickets)), np.fromiter(told, dtype=np.float64, count=len(told)))
    final = words.status_codes(tickets["status"].reset_index(drop=True), choices.statuses)
    closed = column(tickets, "closed")
    solved = column(tickets, "solved")
    # Closed for good without a moment of its solution: that was it.
    is_over = np.isin(final, OVER) | (final == words.NO_STATUS)
    solved = np.where(np.isnan(solved) & is_over, closed, solved)
    updated = column(tickets, "updated")
    waits = np.isin(final, (IN_PROGRESS, WAITING_FOR_CUSTOMER, ON_HOLD, PENDING_REVIEW))
    again = ~is_over & ~np.isnan(solved)
    for code, moments, there in (
        (RESOLVED, solved, ~np.isnan(solved)),
        (CLOSED, closed, ~np.isnan(closed) & is_over),
        (REOPENED, np.fmax(updated, solved), again),
        (final, updated, waits & ~np.isnan(updated)),
    ):
        here = np.flatnonzero(there & alone)
        parts.append(pd.DataFrame({
            "row": here, "at": moments[here],
            "code": np.broadcast_to(code, len(tickets))[here],
        }))  # fmt: skip
    opened = pd.DataFrame({"row": np.arange(len(tickets)), "at": tickets["created"].to_numpy(),
                           "code": OPEN})  # fmt: skip
    joined = pd.concat([opened, *(p for p in parts if len(p))], ignore_index=True)
    # Before it was filed nothing happened to it.
    joined["at"] = np.maximum(joined["at"], opened["at"].to_numpy()[joined["row"].astype(int)])
    joined["row"] = joined["row"].astype(np.int64)
    if "own" not in joined:
        joined["own"] = None
    return joined.sort_values(["row", "at"], kind="stable", ignore_index=True)


def sequence(changes: pd.DataFrame, ended: float) -> pd.DataFrame:
    """Changes up to the end that balance: a ticket is resolved and reopened in turn.

    A history shows what was seen, so it may skip statuses that a run never skips. Put in is only
    what must have been at that moment: Resolved before a Closed of its own, Reopened where work
    goes on after the end.
    """
    rows = changes[changes["at"] < ended]
    row, code = rows["row"].to_numpy(), rows["code"].to_numpy(dtype=np.int64)
    same = np.append(False, row[1:] == row[:-1])
    code = np.where(~same, OPEN, code)
    over = np.isin(code, OVER)
    was_over = same & np.append(False, over[:-1])
    code = np.where((code == REOPENED) & ~was_over, OPEN, code)
    code = np.where((code == OPEN) & was_over, REOPENED, code)
    previous = np.append(-1, code[:-1])
    drop = same & (code == previous)
    drop |= (code == RESOLVED) & was_over
    drop |= (code == ABANDONED) & was_over
    before = np.full(len(code), -1)
    before[(code == CLOSED) & ~was_over & ~drop] = RESOLVED
    before[~over & was_over & (code != REOPENED) & ~drop] = REOPENED
    # The status that a ticket was filed in is that of its first row.
    own = rows["own"].astype("object").to_numpy()
    opened = np.append(~same[:-1] & same[1:] & drop[1:] & (code[1:] == OPEN), False)[: len(own)]
    own = np.where(opened, rows["own"].shift(-1).astype("object").to_numpy(), own)
    found = pd.DataFrame({"row": row, "at": rows["at"].to_numpy(), "code": code, "own": own,
                          "nth": 1.0})[~drop]  # fmt: skip
    extra = before >= 0
    put_in = pd.DataFrame({"row": row[extra], "at": rows["at"].to_numpy()[extra],
                           "code": before[extra], "own": None, "nth": 0.0})  # fmt: skip
    joined = pd.concat([found.assign(place=np.flatnonzero(~drop)),
                        put_in.assign(place=np.flatnonzero(extra))])  # fmt: skip
    joined = joined.sort_values(["place", "nth"], kind="stable", ignore_index=True)
    # What was dropped may leave two of the same behind each other.
    again = (joined["row"].diff() == 0) & (joined["code"].diff() == 0)
    kept: pd.DataFrame = joined.loc[~again, ["row", "at", "code", "own"]].reset_index(drop=True)
    return kept


def timeline(rows: pd.DataFrame, began: float) -> pd.DataFrame:
    """The table timeline; of what was before the start only the state then."""
    at = np.maximum(rows["at"].to_numpy() - began, 0.0)
    order = np.lexsort((np.arange(len(at)), at))
    # Of what was before the start only the last status counts, after the arrival.
    before = rows["at"].to_numpy() < began
    last = ~rows["ticket"].where(before).duplicated(keep="last").to_numpy()
    first = ~rows["ticket"].duplicated().to_numpy()
    codes = rows["code"].to_numpy(dtype=np.int64)
    # One that was over then, and comes back, is resolved from the start on.
    codes = np.where(before & ~first & np.isin(codes, OVER), RESOLVED, codes)
    keep = ~before | first | (last & ~np.isin(codes, (REOPENED, OPEN)))
    order = order[keep[order]]
    return filled("timeline", len(order), {
        "ticket_id": rows["ticket"].to_numpy()[order], "time_s": at[order],
        "status": tables.codes(codes[order], STATUSES),
        "detail": pd.Categorical(rows["own"].to_numpy()[order]),
    })  # fmt: skip
