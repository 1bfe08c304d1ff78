"""Tickets that become a part of another one."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from twin.live import tables
from twin.live.database import Database
from twin.live.kept import Row, as_row
from twin.live.moves import NO_LEASE
from twin.records.tables import CLOSED, STATUSES


def merge(database: Database, ticket: Row, other: Row, at: float) -> Row | None:
    """Close a ticket as a part of another; None if one of them is no longer as it was seen.

    That it is Closed from any status is the one change beside the table of transitions: the work
    goes on in the other ticket, so nothing was resolved. Tickets that were a part of it are a part
    of the other one from now on.
    """
    t = tables.tickets
    with database.writing() as connection:
        # In the order of their numbers, so that two agents do not wait for each other for ever.
        both = sorted((ticket, other), key=lambda row: int(row["id"]))
        for seen in both:
            query = select(t.c.version).where(t.c.id == seen["id"]).with_for_update()
            if connection.execute(query).scalar_one() != seen["version"]:
                return None
        values = {"status": STATUSES[CLOSED], "merged_into": other["id"], "resolves_at": None}
        rise = {"version": t.c.version + 1}
        closed = update(t).where(t.c.id == ticket["id"]).values(**NO_LEASE, **values, **rise)
        row = connection.execute(closed.returning(t)).one()
        parts = update(t).where(t.c.merged_into == ticket["id"])
        connection.execute(parts.values(merged_into=other["id"]))
        connection.execute(update(t).where(t.c.id == other["id"]).values(**rise))
        change = {"ticket_id": ticket["id"], "at": at, "status": STATUSES[CLOSED], "by": "agent"}
        connection.execute(insert(tables.changes), [change])
        return as_row(row)


def parts_of(database: Database, number: int) -> list[int]:
    """Numbers of the tickets that became a part of one."""
    t = tables.tickets
    query = select(t.c.id).where(t.c.merged_into == number).order_by(t.c.id)
    with database.reading() as connection:
        return [int(row[0]) for row in connection.execute(query)]
