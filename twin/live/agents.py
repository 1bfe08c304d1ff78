"""Agents' work on live tickets: taking, categorizing, answering, approving, merging, closing."""

from __future__ import annotations

from contextlib import suppress

from twin.common.errors import TwinError
from twin.live.asking import Failed
from twin.live.bodies import ChangeIn, MergeIn
from twin.live.desk import Conflict, Desk
from twin.live.kept import Row
from twin.live.merging import merge
from twin.live.moves import NotAllowed, check_path, is_held
from twin.live.watch import Watch
from twin.records.tables import (
    ABANDONED,
    BY_AGENT,
    BY_REVIEW,
    CATEGORIZED,
    FINAL_STATUSES,
    IN_PROGRESS,
    PENDING_REVIEW,
    REOPENED,
    RESOLVED,
    STATUSES,
    WAITING_FOR_CUSTOMER,
    WORKERS,
)


class Unprocessable(TwinError, ValueError):
    """A request that makes no sense on this desk."""


class MergedWithItself(TwinError, ValueError):
    """A ticket that is to become a part of itself."""


class ChangedMeanwhile(TwinError, RuntimeError):
    """A ticket that is no longer as the agent saw it.

    Attributes
    ----------
    ticket : dict
        As it is now.
    """

    def __init__(self, ticket: Row) -> None:
        self.ticket = ticket
        super().__init__("somebody else changed this ticket, or its customer wrote: look again")


class Agents:
    """The agents of a desk.

    Parameters
    ----------
    desk : Desk
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def change(self, ticket_id: int, body: ChangeIn) -> Row:
        """Change a ticket as an agent asks: take it, name its category, answer it or close it.

        Raises
        ------
        NoSuchTicket, NotAllowed, ChangedMeanwhile, Conflict, Unprocessable, StoreError
        """
        ticket = self._seen(ticket_id, body.version)
        # Also when the machine's clock was set back, nothing comes before what led to it.
        watch = Watch(self._desk.store.last_change(ticket_id))
        now = watch.now()
        if body.category is not None and body.category not in self._desk.categories:
            raise Unprocessable(f"unknown category; there are: {', '.join(self._desk.categories)}")
        values: Row = {}
        if body.priority is not None:
            values["priority"] = body.priority
        if body.category is not None:
            values |= {"category": body.category, "categorized_by": WORKERS[BY_AGENT]}
        changes, said = [], []
        if body.status is not None:
            check_path([ticket["status"], body.status])
            code = STATUSES.index(body.status)
            changes.append((body.status, now, _who(code)))
            values |= self._values(code, ticket, body, now)
            text = body.response
            if code == RESOLVED and text is None and _is_reviewed(ticket):
                text = ticket["draft"]
            if text:
                said.append({"at": now, "by": "agent", "text": text})
        if body.assignee is not None:
            values["assignee"] = " ".join(body.assignee.split())
        moved = self._desk.store.move(
            ticket, changes, values, messages=said, version=ticket["version"]
        )
        if moved is None:
            raise ChangedMeanwhile(self._desk.ticket(ticket_id))
        if body.status == STATUSES[CATEGORIZED]:
            return self._hand_back(moved, watch)
        return moved

    def merge(self, ticket_id: int, body: MergeIn) -> Row:
        """Make a ticket a part of another one: it is Closed, and both keep their threads.

        Raises
        ------
        NoSuchTicket, MergedWithItself, NotAllowed, ChangedMeanwhile, Conflict, StoreError
        """
        if body.into == ticket_id:
            raise MergedWithItself
        ticket, other = self._seen(ticket_id, body.version), self._seen(body.into, None)
        for one in (ticket, other):
            if one["status"] in FINAL_STATUSES:
                raise NotAllowed(one["status"])
        now = Watch(self._desk.store.last_change(ticket_id)).now()
        merged = merge(self._desk.store.database, ticket, other, now)
        if merged is None:
            raise ChangedMeanwhile(self._desk.ticket(ticket_id))
        return merged

    def _seen(self, ticket_id: int, version: int | None) -> Row:
        """A ticket that an agent works on, as it was seen."""
        ticket = self._desk.ticket(ticket_id)
        if is_held(ticket, self._desk.store.clock()):
            raise Conflict("the assistant is at work on this ticket")
        if version is not None and version != ticket["version"]:
            raise ChangedMeanwhile(ticket)
        return ticket

    def _values(self, code: int, ticket: Row, body: ChangeIn, now: float) -> Row:
        """Values that change together with a status that an agent sets."""
        if code == IN_PROGRESS:
            # An agent who picks up is a first response, as in the twin.
            return {"responded_at": ticket["responded_at"] or now}
        if code == REOPENED:
            return {"reopens": ticket["reopens"] + 1}
        if code == CATEGORIZED:
            if not (body.category or ticket["category"]):
                raise Unprocessable("status Categorized needs a category")
            unsure = ticket["confidence"] is not None and ticket["categorized_by"] is None
            if not self._desk.rules.responds and not unsure:
                raise Unprocessable("no assistant answers on this desk")
            lease = self._desk.store.lease(self._desk.lease_s)
            return lease | {"categorized_by": WORKERS[BY_AGENT]}
        if code == WAITING_FOR_CUSTOMER:
            # A question, as that of a touch in the twin.
            waits_s = self._desk.asked_s
            return {
                "responded_at": ticket["responded_at"] or now,
                "resolves_at": None if waits_s is None else now + waits_s,
            }
        if code == RESOLVED:
            return _resolved(ticket, body, now)
        return {}

    def _hand_back(self, ticket: Row, watch: Watch) -> Row:
        """Let a ticket whose category an agent named go on by the rules, as in the twin."""
        # If the assistant fails, the ticket's status shows that it is with the agents again.
        with suppress(Failed):
            self._desk.answer(ticket, watch, from_scratch=False)
        return self._desk.ticket(ticket["id"])


def _is_reviewed(ticket: Row) -> bool:
    return bool(ticket["status"] == STATUSES[PENDING_REVIEW])


def _resolved(ticket: Row, body: ChangeIn, now: float) -> Row:
    """Values of a ticket that an agent resolves: by an answer, or by letting one stand."""
    values: Row = {"responded_at": ticket["responded_at"] or now, "resolved_at": now}
    waits = ticket["status"] == STATUSES[WAITING_FOR_CUSTOMER]
    if waits and body.response is None and ticket["answered_by"] is not None:
        return values | {"resolved_by": ticket["answered_by"]}
    reviewed = _is_reviewed(ticket)
    by = WORKERS[BY_REVIEW if reviewed else BY_AGENT]
    response = body.response or (ticket["draft"] if reviewed else ticket["response"])
    answered = {"answered_at": now, "answered_by": by}
    return values | answered | {"response": response, "resolved_by": by}


def _who(code: int) -> str:
    return "customer" if code in (REOPENED, ABANDONED) else "agent"
