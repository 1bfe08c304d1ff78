"""The live desk's store: tickets, their changes of status, model calls and feedback.

When a method returns, its changes are on the disk. A status changes only by the table of
transitions, and only from the status and the lease that the caller saw: of two callers who change
one ticket at once only one succeeds, and whoever lost a lease changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from twin.live import tables
from twin.live.database import Database, StoreError
from twin.live.kept import (
    OPINION,
    REQUEST,
    Row,
    as_row,
    digest,
    file_ticket,
    keep_feedback,
)
from twin.live.moves import Change, change, check_path, is_held, lease
from twin.live.promises import Promises, behind, place
from twin.live.watch import Watch
from twin.records.tables import (
    AUTOMATIC,
    CATEGORIZED,
    CLOSED,
    DESK,
    ESCALATED,
    IN_PROGRESS,
    OPEN,
    OWNERS,
    RESOLVED,
    STATUSES,
    WAITING_FOR_CUSTOMER,
    WORKERS,
)

_CALL = insert(tables.calls)
_TWICE = "the same key is being written by somebody else"
# Statuses in which the assistant may be at work.
WORKED_ON = tuple(STATUSES[k] for k in (OPEN, CATEGORIZED, IN_PROGRESS))
# Those in which the desk has to act next, not the customer or a third party.
FOR_THE_DESK = tuple(STATUSES[k] for k, owner in OWNERS.items() if owner == DESK)
# What a customer's word changes: statuses, values of the ticket, and messages of its own.
Outcome = tuple[Sequence[Change], Mapping[str, Any], Sequence[Mapping[str, Any]]]


class Store:
    """The store in a database.

    Parameters
    ----------
    database : str
        See `twin.live.database.Database`.
    """

    def __init__(self, database: str) -> None:
        self.database = Database(database)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def ping(self) -> None:
        """See that the database answers.

        Raises
        ------
        StoreError
            If it does not.
        """
        with self.database.reading() as connection:
            connection.execute(select(tables.schema.c.version)).scalar_one()

    def note_desk(self, scenario: str, at: float) -> None:
        """Keep the scenario (JSON) that the desk is run by, where it changed."""
        with self.database.writing() as connection:
            newest = select(tables.desks.c.scenario).order_by(tables.desks.c.id.desc()).limit(1)
            if connection.execute(newest).scalar_one_or_none() != scenario:
                connection.execute(insert(tables.desks).values(at=at, scenario=scenario))

    def desk(self) -> str | None:
        """The scenario (JSON) that the desk was last run by."""
        with self.database.reading() as connection:
            newest = select(tables.desks.c.scenario).order_by(tables.desks.c.id.desc()).limit(1)
            return connection.execute(newest).scalar_one_or_none()

    # Tickets

    def receive(self, values: Mapping[str, Any], same: Sequence[str] = REQUEST) -> tuple[Row, bool]:
        """File a ticket, once for each idempotency key (`values["key"]`, or None).

        Parameters
        ----------
        values : mapping
        same : sequence of str
            Of these, what came with the same key before must be equal.

        Returns
        -------
        ticket : dict
        fresh : bool
            Whether it was filed now; else it is as it was found.

        Raises
        ------
        KeyReused
            If the key came with another ticket.
        """
        return self._once(partial(file_ticket, same=same), [values])[0]

    def receive_all(self, tickets: Sequence[Mapping[str, Any]]) -> int:
        """File many tickets, all or none; returns how many were new. See `receive`."""
        return sum(fresh for _, fresh in self._once(file_ticket, tickets))

    def _once(
        self,
        keep: Callable[[Connection, Mapping[str, Any]], tuple[Row, bool]],
        items: Sequence[Mapping[str, Any]],
    ) -> list[tuple[Row, bool]]:
        """Keep items in one transaction; returns the row of each, and whether it is new."""
        for _ in range(2):
            try:
                with self.database.writing() as connection:
                    return [keep(connection, values) for values in items]
            except IntegrityError:
                # Another process was first with a key; now it is there to be found.
                continue
        raise StoreError(_TWICE)

    def clock(self) -> float:
        """The present moment by the clock that leases go by; see `Database.clock`."""
        return self.database.clock()

    def lease(self, lease_s: float) -> Row:
        """Values of a ticket that hold it for an assistant from now on."""
        return lease(self.clock(), lease_s)

    def take(self, ticket: Mapping[str, Any], lease_s: float) -> Row | None:
        """Hold a ticket for the assistant; the ticket, or None if somebody holds it already.

        Parameters
        ----------
        ticket : mapping
            As the caller saw it.
        lease_s : float
        """
        taken = self.lease(lease_s)
        if is_held(ticket, taken["held_since"]):
            return None
        return self.move(ticket, [], taken)

    def claim(self) -> None:
        """Make this desk the only one of a store in a file, and let go of what a dead one held.

        Several desks may share a PostgreSQL store: there the leases of a dead one run out.

        Raises
        ------
        StoreUnusable
            If another desk runs on the file.
        StoreError
        """
        if self.database.hold():
            t = tables.tickets
            held = t.c.held_until.is_not(None)
            with self.database.writing() as connection:
                connection.execute(update(t).where(held).values(held_until=0.0))

    def move(
        self,
        ticket: Mapping[str, Any],
        changes: Sequence[Change],
        values: Mapping[str, Any],
        calls: Sequence[Mapping[str, Any]] = (),
        messages: Sequence[Mapping[str, Any]] = (),
        version: int | None = None,
    ) -> Row | None:
        """Change a ticket and note how.

        Parameters
        ----------
        ticket : mapping
            As the caller saw it.
        changes, values, messages, version
            See `twin.live.moves.change`.
        calls : sequence of mapping
            Rows of model calls.

        Returns
        -------
        dict or None
            The ticket as it is now; None if its status or its lease is no longer what the caller
            saw. The calls are kept all the same.

        Raises
        ------
        NotAllowed
            If a change is not by the table of transitions.
        """
        check_path([ticket["status"], *(status for status, _, _ in changes)])
        with self.database.writing() as connection:
            if calls:
                connection.execute(_CALL, [{"ticket_id": ticket["id"], **call} for call in calls])
            return change(connection, ticket, changes, values, messages, version)

    def hear(
        self,
        ticket_id: int,
        keep: Callable[[Connection, Row, float], tuple[Row, bool]],
        then: Callable[[Row, str, float], Outcome],
    ) -> Row | None:
        """Keep a customer's word on a ticket, and change the ticket by it: both, once, or neither.

        Parameters
        ----------
        ticket_id : int
        keep : callable
            Of the connection, the ticket and the moment; keeps the word, and says if it is new.
        then : callable
            Of the ticket, who changed its status last, and the moment; the outcome.

        Returns
        -------
        dict or None
            The ticket as it is now; None if there is none.

        Raises
        ------
        KeyReused, NotAllowed, StoreError
        """
        t, c = tables.tickets, tables.changes
        for _ in range(2):
            try:
                with self.database.writing() as connection:
                    query = select(t).where(t.c.id == ticket_id).with_for_update()
                    found = connection.execute(query).first()
                    if found is None:
                        return None
                    ticket = as_row(found)
                    last = connection.execute(
                        select(c.c.by, c.c.at).where(c.c.ticket_id == ticket_id)
                        .order_by(c.c.id.desc()).limit(1)
                    ).first()  # fmt: skip
                    by, at = ("desk", 0.0) if last is None else (str(last[0]), float(last[1]))
                    # Also when the clock was set back, nothing comes before what led to it.
                    now = Watch(at).now()
                    if not keep(connection, ticket, now)[1]:
                        return ticket
                    changes, values, messages = then(ticket, by, now)
                    check_path([ticket["status"], *(status for status, _, _ in changes)])
                    if not changes and not messages:
                        heard = update(t).where(t.c.id == ticket_id).returning(t)
                        heard = heard.values(version=t.c.version + 1, **values)
                        return as_row(connection.execute(heard).one())
                    return change(connection, ticket, changes, values, messages)
            except IntegrityError:
                continue
        raise StoreError(_TWICE)

    def ticket(self, ticket_id: int) -> Row | None:
        """A ticket, or None."""
        t = tables.tickets
        return next(iter(self._rows(t, t.c.id == ticket_id, limit=1)), None)

    def tickets(
        self,
        status: str | None = None,
        before: int | None = None,
        limit: int | None = None,
        wanted: Sequence[ColumnElement[bool]] = (),
    ) -> list[Row]:
        """Tickets, newest first; of one status, or below a number, where that is given."""
        t = tables.tickets
        where = [*wanted, *([t.c.status == status] if status else [])]
        where += [t.c.id < before] if before is not None else []
        return self._rows(t, *where, limit=limit)

    def queue(
        self,
        promises: Promises,
        status: str | None = None,
        after: str | None = None,
        limit: int | None = None,
        wanted: Sequence[ColumnElement[bool]] = (),
    ) -> list[tuple[Row, str]]:
        """Tickets that wait for the desk, or those of a status, with places; most urgent first.

        See `Promises`.

        Raises
        ------
        ValueError
            If `after`, behind which the tickets are wanted, is no place.
        """
        t = tables.tickets
        order = promises.urgency()
        where = [t.c.status == status if status else t.c.status.in_(FOR_THE_DESK), *wanted]
        where += [behind(order, after)] if after is not None else []
        keys = [column.label(f"key{n}") for n, column in enumerate(order)]
        query = select(t, *keys).where(*where).order_by(*order).limit(limit)
        with self.database.reading() as connection:
            found = connection.execute(query).all()
        most = len(order)
        names = t.columns.keys()
        return [(dict(zip(names, row, strict=False)), place(*row[-most:])) for row in found]

    def history(self, ticket_id: int) -> list[Row]:
        """Changes of status of a ticket, oldest first."""
        c = tables.changes
        return self._rows(c, c.c.ticket_id == ticket_id)[::-1]

    def messages(self, ticket: Row) -> list[Row]:
        """The thread of a ticket, oldest first: its description, and all that was said since."""
        m = tables.messages
        first = {"by": "customer", "at": ticket["received_at"], "text": ticket["description"]}
        first |= {"helped": None, "person": False}
        return [first, *self._rows(m, m.c.ticket_id == ticket["id"])[::-1]]

    def last_change(self, ticket_id: int) -> float:
        """Moment of a ticket's last change of status; 0 where there is none."""
        c = tables.changes
        latest = select(func.max(c.c.at)).where(c.c.ticket_id == ticket_id)
        with self.database.reading() as connection:
            return connection.execute(latest).scalar_one() or 0.0

    def counts(self) -> dict[str, int]:
        """Number of tickets by status."""
        t = tables.tickets
        with self.database.reading() as connection:
            found = connection.execute(select(t.c.status, func.count()).group_by(t.c.status))
            return {row[0]: row[1] for row in found}

    def tidy(self, now: float, close_after_s: float) -> None:
        """Give work that the assistant abandoned to agents, resolve and close quiet tickets."""
        t = tables.tickets
        stuck = t.c.status.in_(WORKED_ON) & (t.c.held_until < self.clock())
        for row in self._rows(t, stuck):
            at = max(now, self.last_change(row["id"]))
            self.move(row, [(STATUSES[ESCALATED], at, "desk")], {})
        quiet = (t.c.status == STATUSES[WAITING_FOR_CUSTOMER]) & (t.c.resolves_at < now)
        for row in self._rows(t, quiet):
            # Its own answer stands; what was asked was never answered.
            asked = row["answered_by"] is None or self.history(row["id"])[-1]["by"] == "agent"
            by = WORKERS[AUTOMATIC] if asked else row["answered_by"]
            values = {"resolved_at": row["resolves_at"], "resolved_by": by}
            self.move(row, [(STATUSES[RESOLVED], row["resolves_at"], "desk")], values)
        old = (t.c.status == STATUSES[RESOLVED]) & (t.c.resolved_at < now - close_after_s)
        for row in self._rows(t, old):
            at = row["resolved_at"] + close_after_s
            self.move(row, [(STATUSES[CLOSED], at, "desk")], {})

    # Feedback

    def add_feedback(
        self, values: Mapping[str, Any], same: Sequence[str] = OPINION
    ) -> tuple[Row, bool]:
        """Keep a piece of feedback, once for each idempotency key; see `receive`."""
        return self._once(partial(keep_feedback, same=same), [values])[0]

    def add_all_feedback(self, entries: Sequence[Mapping[str, Any]]) -> int:
        """Keep many pieces of feedback, all or none; returns how many were new."""
        return sum(fresh for _, fresh in self._once(keep_feedback, entries))

    def ticket_of(self, description: str, model: str) -> Row | None:
        """The newest answered ticket of a description; of the model asked for, or that answered."""
        t = tables.tickets
        where = [t.c.digest == digest(description), t.c.response.is_not(None)]
        if model:
            where.append((t.c.model == model) | (t.c.answered_model == model))
        return next(iter(self._rows(t, *where, limit=1)), None)

    def feedback(self, before: int | None = None, limit: int | None = None) -> list[Row]:
        """Feedback, newest first."""
        f = tables.feedback
        return self._rows(f, *([f.c.id < before] if before is not None else []), limit=limit)

    def calls(self, ticket_id: int | None = None) -> list[Row]:
        """Model calls, newest first; of one ticket where it is given."""
        c = tables.calls
        return self._rows(c, *([c.c.ticket_id == ticket_id] if ticket_id is not None else []))

    def changes(self) -> list[Row]:
        """All changes of status, newest first."""
        return self._rows(tables.changes)

    def _rows(
        self, table: Table, *where: ColumnElement[bool], limit: int | None = None
    ) -> list[Row]:
        query = select(table).where(*where).order_by(table.c.id.desc()).limit(limit)
        with self.database.reading() as connection:
            return [as_row(row) for row in connection.execute(query)]
