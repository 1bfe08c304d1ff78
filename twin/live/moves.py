"""A change of a live ticket: what may follow what, who holds the ticket, and the change itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, update

from twin.common.errors import TwinError
from twin.live import tables
from twin.live.kept import Row, add_messages, as_row, note_changes
from twin.records.tables import STATUSES, TRANSITIONS

# A new status, its moment, and by whom: customer, assistant, agent or desk.
Change = tuple[str, float, str]
# A clock that is set back by no more than this leaves leases as they are.
_SET_BACK_S = 60.0
NO_LEASE: dict[str, Any] = {"held_until": None, "held_since": None, "held_by": None}


class NotAllowed(TwinError, ValueError):
    """A change of status that the table of transitions does not know.

    Attributes
    ----------
    status : str
        Where the ticket is.
    """

    def __init__(self, status: str) -> None:
        self.status = status
        next_ones = [STATUSES[k] for k in sorted(TRANSITIONS[STATUSES.index(status)])]
        ways = f"can only become {' or '.join(next_ones)}" if next_ones else "stays as it is"
        super().__init__(f"a ticket that is {status} {ways}")


def check_path(statuses: Sequence[str]) -> None:
    """See that each status may follow the one before it.

    Raises
    ------
    NotAllowed
    """
    codes = [STATUSES.index(name) for name in statuses]
    for before, after in pairwise(codes):
        if after not in TRANSITIONS[before]:
            raise NotAllowed(STATUSES[before])


def is_held(ticket: Mapping[str, Any], now: float) -> bool:
    """True if some desk's assistant is at work on a ticket, at a moment of the store's clock."""
    until = ticket["held_until"]
    # A lease that is yet to begin is from before the clock was set back.
    return until is not None and (ticket["held_since"] or 0.0) - _SET_BACK_S <= now < until


def lease(now: float, lease_s: float) -> dict[str, Any]:
    """Values of a ticket that is held from a moment on, for a time, under a name of its own."""
    return {"held_until": now + lease_s, "held_since": now, "held_by": uuid4().hex}


def change(
    connection: Connection,
    ticket: Mapping[str, Any],
    changes: Sequence[Change],
    values: Mapping[str, Any],
    messages: Sequence[Mapping[str, Any]],
    version: int | None = None,
) -> Row | None:
    """Change a ticket within a transaction; None if it is no longer as the caller saw it.

    Parameters
    ----------
    connection : Connection
    ticket : mapping
        As the caller saw it: its status and its lease count.
    changes : sequence of Change
        Each new status with its moment and by whom.
    values : mapping
        New values of the ticket's other columns. A lease ends unless they hold one.
    messages : sequence of mapping
        Of the ticket's thread: moment, by whom, text.
    version : int, optional
        That the caller saw, if nothing at all may have changed since.
    """
    t = tables.tickets
    new = NO_LEASE | dict(values)
    if changes:
        # Whatever it waited for is over, unless the new values say until when it waits.
        new = {"resolves_at": None} | new | {"status": changes[-1][0]}
    same_lease = t.c.held_by.is_not_distinct_from(ticket["held_by"])
    here = (t.c.id == ticket["id"]) & (t.c.status == ticket["status"]) & same_lease
    if version is not None:
        here &= t.c.version == version
    new["version"] = t.c.version + 1
    row = connection.execute(update(t).where(here).values(**new).returning(t)).first()
    if row is None:
        return None
    if changes:
        noted = [
            {"ticket_id": ticket["id"], "status": status, "at": at, "by": by}
            for status, at, by in changes
        ]
        note_changes(connection, noted)
    add_messages(connection, ticket["id"], messages)
    return as_row(row)
