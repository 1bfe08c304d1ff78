"""Customers' words on their tickets: whether an answer helped, replies, ratings."""

from __future__ import annotations

import time

from sqlalchemy import Connection

from twin.common.errors import TwinError
from twin.live.bodies import FeedbackIn, ReplyIn, what_answered
from twin.live.desk import TAKEN, Conflict, Desk, NoSuchTicket, priority_of
from twin.live.kept import Row, keep_feedback, keep_message
from twin.live.moves import NotAllowed
from twin.live.store import Outcome
from twin.records.tables import (
    BY_AGENT,
    BY_ASSISTANT,
    ESCALATED,
    FINAL_STATUSES,
    OPEN,
    REOPENED,
    RESOLVED,
    STATUSES,
    WAITING_FOR_CUSTOMER,
    WORKERS,
)

# Stars up to which a rating says that the answer did not help (assumed).
BAD_RATING = 2
_NOTHING: Outcome = ([], {}, [])


class NoAnswer(TwinError, ValueError):
    """A word on whether an answer helped, where there is none."""


class IsMerged(TwinError, ValueError):
    """A word on a ticket that is a part of another one."""

    def __init__(self, number: int) -> None:
        super().__init__(f"this ticket is a part of ticket {number} now: write there")


class Customers:
    """The customers of a desk.

    A customer who says that an answer did not help, or who writes again, comes back as in the twin:
    the ticket is Reopened and waits for a person, with the whole thread. A reply to an agent's
    question is no return: the ticket goes on as Open. So does one to the assistant's question, and
    there the assistant reads on. Angry words raise the priority, as those of a new ticket do.

    Parameters
    ----------
    desk : Desk
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def reply(self, ticket_id: int, body: ReplyIn, key: str | None) -> Row:
        """Take a customer's reply; the ticket as it is then.

        Raises
        ------
        NoSuchTicket, IsMerged, NoAnswer, NotAllowed, KeyReused, StoreError
        Conflict
            If the assistant is at work on what this very request brought before.
        """
        desk = self._desk
        lease = desk.store.lease(desk.lease_s) if desk.rules.asks else {}

        def keep(connection: Connection, ticket: Row, at: float) -> tuple[Row, bool]:
            said = {"text": body.text, "helped": body.helped, "person": body.person}
            return keep_message(
                connection, {"key": key, "ticket_id": ticket_id, "at": at, "by": "customer", **said}
            )

        def then(ticket: Row, last: str, at: float) -> Outcome:
            if ticket["merged_into"] is not None:
                raise IsMerged(ticket["merged_into"])
            waits = ticket["status"] == STATUSES[WAITING_FOR_CUSTOMER]
            if body.helped is not None and not ticket["response"] and not waits:
                raise NoAnswer
            if body.helped:
                return _helped(ticket, last, at)
            if ticket["status"] in FINAL_STATUSES:
                raise NotAllowed(ticket["status"])
            return _heeded(self._back(ticket, last, at, body, lease), ticket, body.text)

        found = desk.store.hear(ticket_id, keep, then)
        if found is None:
            raise NoSuchTicket
        # Held under this request's own lease: the assistant is to read on.
        if lease and found["held_by"] == lease["held_by"]:
            return desk.read_on(found)
        # Sent again, while the assistant reads on or after the desk that let it do so has died.
        if lease and found["status"] == STATUSES[OPEN] and found["held_until"] is not None:
            taken = desk.store.take(found, desk.lease_s)
            if taken is None:
                raise Conflict(TAKEN)
            return desk.read_on(taken)
        return found

    def _back(
        self,
        ticket: Row,
        last: str,
        at: float,
        body: ReplyIn | None = None,
        lease: Row | None = None,
    ) -> Outcome:
        """Changes of a ticket whose customer wants more than was answered, if anything was.

        A reply to the assistant's question takes the lease under which it reads on.
        """
        status = STATUSES.index(ticket["status"])
        if status == WAITING_FOR_CUSTOMER and last == "assistant" and not ticket["response"]:
            opened = (STATUSES[OPEN], at, "customer")
            if body is not None and not body.person and lease:
                return [opened], lease, []
            return [opened, (STATUSES[ESCALATED], at, "customer")], {}, []
        if status == WAITING_FOR_CUSTOMER and last == "agent":
            return [(STATUSES[OPEN], at, "customer")], {}, []
        if status in (WAITING_FOR_CUSTOMER, RESOLVED):
            values = {"reopens": ticket["reopens"] + 1}
            return [(STATUSES[REOPENED], at, "customer")], values, []
        # A ticket without a lease is with people already; one with a lease is the assistant's.
        person = self._desk.rules.handed_on()
        if ticket["held_until"] is not None and person is not None:
            return [(STATUSES[person], at, "customer")], {}, []
        return _NOTHING

    def rate(self, body: FeedbackIn, key: str | None) -> None:
        """Keep a customer's opinion, with the ticket that it is about where that can be found.

        A bad rating of a ticket that is named by its number says that the answer did not help.

        Raises
        ------
        NoSuchTicket, KeyReused, StoreError
        """
        store = self._desk.store
        # Not by what is looked up: that may be another ticket when it is sent again.
        same = ["description", "rating", "feedback"]
        same += [name for name in ("model", "ticket_id") if getattr(body, name)]
        if body.ticket_id is None:
            ticket = store.ticket_of(body.description, body.model)
            store.add_feedback(_opinion(body, key, ticket), same)
            return

        def keep(connection: Connection, ticket: Row, _at: float) -> tuple[Row, bool]:
            return keep_feedback(connection, _opinion(body, key, ticket), same)

        def then(ticket: Row, last: str, at: float) -> Outcome:
            over = ticket["status"] in FINAL_STATUSES
            if body.rating > BAD_RATING or over or not ticket["response"]:
                return _NOTHING
            changes, values, _ = _heeded(self._back(ticket, last, at), ticket, body.feedback)
            said = {"at": at, "by": "customer", "text": body.feedback, "helped": False}
            return changes, values, [said]

        if store.hear(body.ticket_id, keep, then) is None:
            raise NoSuchTicket


def _heeded(outcome: Outcome, ticket: Row, text: str) -> Outcome:
    """An outcome, with the priority that the customer's words ask for: see `priority_of`."""
    changes, values, messages = outcome
    priority = priority_of(ticket["priority"], text)
    return changes, {**values, "priority": priority}, messages


def _helped(ticket: Row, last: str, at: float) -> Outcome:
    """Changes of a ticket whose customer says that the answer, or the question, helped."""
    if ticket["status"] != STATUSES[WAITING_FOR_CUSTOMER]:
        return _NOTHING
    by = WORKERS[BY_AGENT] if last == "agent" else ticket["answered_by"]
    values = {"resolved_at": at, "resolved_by": by}
    return [(STATUSES[RESOLVED], at, "customer")], values, []


def _opinion(body: FeedbackIn, key: str | None, ticket: Row | None) -> Row:
    """A row of feedback, with what the ticket tells."""
    values: Row = {
        "key": key,
        "at": time.time(),
        "description": body.description,
        "model": body.model,
        "rating": body.rating,
        "feedback": body.feedback,
    }
    if ticket is None:
        return values
    said = what_answered(ticket)
    values |= {"ticket_id": ticket["id"], "category": ticket["category"]}
    values |= {**said, "answered_model": said["model"], "model": body.model or ticket["model"]}
    # An agent's words are not the model's to learn from.
    if ticket["answered_by"] == WORKERS[BY_ASSISTANT]:
        values["answer"] = ticket["response"]
    return values
