"""Rows that are kept once each, by the idempotency key of the request that brought them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from twin.assistant.learning.feedback import Entry
from twin.common.errors import TwinError
from twin.live import tables
from twin.records.tables import OPEN, STATUSES

Row = dict[str, Any]
# What makes a ticket, a piece of feedback, or a message another one.
REQUEST = ("description", "model", "use_rag", "priority")
OPINION = ("description", "model", "rating", "feedback")
_WORDS = ("ticket_id", "text", "helped", "person")


# Made once: to make a statement takes longer than to run it.
_NOTE, _SAY = insert(tables.changes), insert(tables.messages)


class KeyReused(TwinError, ValueError):
    """An idempotency key that came with another request before."""


def digest(text: str) -> str:
    """Hash by which a description is found."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _insert_once(
    connection: Connection, table: Table, values: Row, same: Sequence[str]
) -> tuple[Row, bool]:
    """Insert a row unless its key is there already; returns the row, and whether it is new."""
    key = values.get("key")
    if key is not None:
        known = connection.execute(select(table).where(table.c.key == key)).first()
        if known is not None:
            found = as_row(known)
            if any(found[name] != values[name] for name in same):
                raise KeyReused
            return found, False
    added = connection.execute(insert(table).values(**values).returning(table))
    return as_row(added.one()), True


def file_ticket(
    connection: Connection, values: Mapping[str, Any], same: Sequence[str] = REQUEST
) -> tuple[Row, bool]:
    """File a ticket; see `twin.live.store.Store.receive`."""
    full = {
        "origin": "live",
        "digest": digest(values["description"]),
        "status": STATUSES[OPEN],
        "articles": "[]",
        "reopens": 0,
        "prompt_version": "",
        **values,
    }
    row, fresh = _insert_once(connection, tables.tickets, full, same)
    if fresh:
        by = "customer" if row["origin"] == "live" else "desk"
        change = {"ticket_id": row["id"], "at": row["received_at"], "status": row["status"]}
        note_changes(connection, [change | {"by": by}])
        if row["response"]:
            # Of a file: nobody knows who wrote it.
            said = {"at": row["answered_at"] or row["received_at"], "by": "desk"}
            add_messages(connection, row["id"], [{**said, "text": row["response"]}])
    return row, fresh


def keep_feedback(
    connection: Connection, values: Mapping[str, Any], same: Sequence[str] = OPINION
) -> tuple[Row, bool]:
    """Keep a piece of feedback."""
    full = {"origin": "live", "ticket_id": None, **values}
    full |= {name: full.get(name) or "" for name in ("category", "answer", "prompt_version")}
    return _insert_once(connection, tables.feedback, full, same)


def keep_message(connection: Connection, values: Mapping[str, Any]) -> tuple[Row, bool]:
    """Keep a message of a customer."""
    return _insert_once(connection, tables.messages, dict(values), _WORDS)


def add_messages(
    connection: Connection, ticket_id: int, messages: Sequence[Mapping[str, Any]]
) -> None:
    """Add messages to a ticket's thread: moment, by whom, text."""
    rows = [{"ticket_id": ticket_id, **message} for message in messages]
    if rows:
        connection.execute(_SAY, rows)


def note_changes(connection: Connection, changes: Sequence[Mapping[str, Any]]) -> None:
    """Note changes of status: ticket, status, moment, by whom."""
    connection.execute(_NOTE, list(changes))


def as_row(found: Any) -> Row:
    """A row of the database as a dictionary."""
    return dict(zip(found._fields, found, strict=True))


def as_entry(row: Row) -> Entry:
    """A piece of feedback with what answered, never with the model that was asked for."""
    names = [name for name in Entry.__dataclass_fields__ if name != "model"]
    return Entry(model=row["answered_model"], **{name: row[name] for name in names})
