"""Tickets of a help desk and the messages for them, in the desk's store: nothing twice or lost.

A message is planned in the same transaction that takes its ticket on, or notes the customer's word
that it follows, and is begun before it is sent, with a marker of its own. One that was begun and
not noted as done may have been written: its marker is looked for in the help desk, after a time in
which a slow request has come to its end, and only where it is not there the message is sent again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, insert, select, update

from twin.live import tables
from twin.live.connectors.help_desk import Place, Remote
from twin.live.database import Database
from twin.live.kept import Row, as_row

# Of a ticket: found, its text read, taken on by the desk; or it never will be.
FOUND, READ, TAKEN, LEFT = "found", "read", "taken", "left"
# A webhook may tell of a ticket before it can be read.
NOT_YET = "not there yet"
# Of a message.
PLANNED, BEGUN, DONE, FAILED = "planned", "begun", "done", "failed"


class Outbox:
    """Tickets and messages of one help desk.

    Parameters
    ----------
    database : Database
    desk : str
        Name of the help desk.
    """

    def __init__(self, database: Database, desk: str) -> None:
        self._database = database
        self._desk = desk

    def begin(self, since: float) -> tuple[Place, float]:
        """The place in the help desk's changes, and the moment from which tickets are answered.

        Both are kept from the first time on.
        """
        c = tables.connections
        with self._database.writing() as connection:
            row = connection.execute(select(c).where(c.c.desk == self._desk)).first()
            if row is None:
                values = {"desk": self._desk, "since": since, "place": "{}"}
                connection.execute(insert(c).values(**values))
                return {}, since
            return json.loads(row.place), float(row.since)

    def found(self, tickets: Sequence[Remote], since: float, place: Place) -> int:
        """Note tickets of a page together with the place behind it; the number of new ones.

        New and open ones are to be answered. Of those that are known, what changed is looked at.
        """
        r, fresh = tables.remote_tickets, 0
        with self._database.writing() as connection:
            for one in tickets:
                mine = (r.c.desk == self._desk) & (r.c.remote == one.id)
                values: dict[str, Any]
                row = connection.execute(select(r).where(mine)).first()
                if row is not None:
                    if row.reason == NOT_YET and one.stage in ("new", "open"):
                        values = {"state": FOUND, "reason": ""}
                        connection.execute(update(r).where(mine).values(**values))
                    elif one.stage == "gone" and row.state in (FOUND, READ):
                        values = {"state": LEFT, "reason": "deleted"}
                        connection.execute(update(r).where(mine).values(**values))
                    elif one.updated != row.updated:
                        values = {"changed": True, "updated": one.updated}
                        connection.execute(update(r).where(mine).values(**values))
                elif one.created >= since and one.stage in ("new", "open"):
                    connection.execute(insert(r).values(
                        desk=self._desk, remote=one.id, updated=one.updated, state=FOUND,
                        priority=one.priority or "normal",
                    ))  # fmt: skip
                    fresh += 1
            c = tables.connections
            connection.execute(
                update(c).where(c.c.desk == self._desk).values(place=json.dumps(place))
            )
        return fresh

    def add(self, remote: str) -> None:
        """Note a ticket that a webhook names; the rest is read from the help desk."""
        r = tables.remote_tickets
        with self._database.writing() as connection:
            mine = (r.c.desk == self._desk) & (r.c.remote == remote)
            if connection.execute(select(r.c.id).where(mine)).first() is None:
                connection.execute(insert(r).values(
                    desk=self._desk, remote=remote, updated=0.0, state=FOUND, priority="normal"
                ))  # fmt: skip
            else:
                connection.execute(update(r).where(mine).values(changed=True))

    def tickets(self, state: str, changed: bool | None = None) -> list[Row]:
        """Tickets in a state, the oldest first."""
        r = tables.remote_tickets
        query = select(r).where(r.c.desk == self._desk, r.c.state == state).order_by(r.c.id)
        if changed is not None:
            query = query.where(r.c.changed.is_(changed))
        with self._database.reading() as connection:
            return [as_row(row) for row in connection.execute(query)]

    def note(self, ticket: Row, **values: Any) -> None:
        """Change a ticket's row."""
        r = tables.remote_tickets
        with self._database.writing() as connection:
            connection.execute(update(r).where(r.c.id == ticket["id"]).values(**values))

    def looked_at(self, ticket: Row, updated: float) -> None:
        """Note that what changed was looked at, unless it changed again meanwhile."""
        r = tables.remote_tickets
        mine = (r.c.id == ticket["id"]) & (r.c.updated <= max(updated, ticket["updated"]))
        with self._database.writing() as connection:
            connection.execute(update(r).where(mine).values(changed=False))

    def plan(
        self, ticket: Row, number: int, word: int, message: Mapping[str, Any] | None, at: float
    ) -> None:  # fmt: skip
        """Note the desk's number of a ticket, and plan what follows a customer's word, or neither.

        Each word counts once: what was planned for it, or for a later one, stays.
        """
        r, o = tables.remote_tickets, tables.outbox
        marker = f"twin-{uuid.uuid4().hex[:16]}"
        with self._database.writing() as connection:
            new = (r.c.state != TAKEN) | (r.c.word < word)
            values = {"state": TAKEN, "ticket_id": number, "word": word}
            taken = update(r).where((r.c.id == ticket["id"]) & new).values(**values)
            if connection.execute(taken).rowcount and message is not None:
                connection.execute(insert(o).values(
                    remote_id=ticket["id"], word=word, marker=marker, state=PLANNED, planned_at=at,
                    tries=0, body=json.dumps(message, ensure_ascii=False),
                ))  # fmt: skip

    def messages(self, *states: str) -> list[Row]:
        """Messages in some states with the number of their ticket (`remote`), the oldest first."""
        r, o = tables.remote_tickets, tables.outbox
        query = (
            select(o, r.c.remote).join(r, o.c.remote_id == r.c.id)
            .where(r.c.desk == self._desk, o.c.state.in_(states)).order_by(o.c.id)
        )  # fmt: skip
        with self._database.reading() as connection:
            return [as_row(row) for row in connection.execute(query)]

    def mark(self, message: Row, state: str, at: float, reason: str = "") -> None:
        """Note what became of a message."""
        o = tables.outbox
        values: dict[str, Any] = {"state": state, "reason": reason[:200]}
        if state == BEGUN:
            values |= {"begun_at": at, "tries": o.c.tries + 1}
        elif state in (DONE, FAILED):
            values |= {"done_at": at}
        with self._database.writing() as connection:
            connection.execute(update(o).where(o.c.id == message["id"]).values(**values))

    def counts(self) -> dict[str, int]:
        """Numbers of tickets and messages by state."""
        r, o = tables.remote_tickets, tables.outbox
        mine = r.c.desk == self._desk
        of_tickets = select(r.c.state, func.count()).where(mine).group_by(r.c.state)
        of_messages = (
            select(o.c.state, func.count()).join(r, o.c.remote_id == r.c.id).where(mine)
            .group_by(o.c.state)
        )  # fmt: skip
        with self._database.reading() as connection:
            rows = [*connection.execute(of_tickets), *connection.execute(of_messages)]
        return {row[0]: row[1] for row in rows}
