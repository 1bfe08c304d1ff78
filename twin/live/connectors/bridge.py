"""A help desk and the live desk, joined: new tickets in, answers back, replies and ratings in."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from twin.live.connectors.help_desk import HelpDesk, Writing
from twin.live.connectors.live_desk import DeskBusy, DeskRefused, LiveDesk, clean
from twin.live.connectors.messages import (
    AFTERWARDS,
    ANSWER,
    ASKS,
    RATED,
    as_note,
    is_ours,
    is_theirs,
    message_of,
    own_words,
    word_of,
)
from twin.live.connectors.outbox import (
    BEGUN,
    DONE,
    FAILED,
    FOUND,
    LEFT,
    NOT_YET,
    PLANNED,
    READ,
    TAKEN,
    Outbox,
)
from twin.live.connectors.wire import (
    AskedToWait,
    ChangedThere,
    ConnectorError,
    Forbidden,
    NotThere,
    Unclear,
    WrongToken,
)
from twin.live.kept import Row
from twin.scenario.model import Priority

_log = logging.getLogger("twin.connect")

Reply = Literal["note", "public"]
# Pages of changes in one round, so that answers do not wait behind a long list.
_MOST_PAGES = 50
# Of a message that the help desk refuses, and of one that it takes or not, nobody knows.
_REFUSED_TRIES, _TRIES = 3, 10
# Another change of the same second may follow one that is no older; clocks agree so far (assumed).
_SAME_S = 3.0
# A changed ticket that cannot be read is looked for again for so long: it may not be there yet.
_GONE_S = 600.0


@dataclass(frozen=True)
class Manner:
    """Rules by which answers go back.

    Attributes
    ----------
    reply : {"note", "public"}
        public: what the assistant answers or asks on its own goes to the customer, and then that a
        person has the ticket; all else is a note.
    priorities : mapping of str to Priority
        By category, for tickets whose priority nobody set.
    settle_s : float
        Time after which a request whose end is not known has come to one.
    """

    reply: Reply = "note"
    priorities: Mapping[str, Priority] = field(default_factory=dict)
    settle_s: float = 60.0


class Bridge:
    """A help desk and the live desk, joined.

    Parameters
    ----------
    remote : HelpDesk
    desk : LiveDesk
    outbox : Outbox
    manner : Manner
    since : float
        Moment from which tickets are answered, if this is the first time.
    show : callable, optional
        Dry run: gets each ticket's number and what would be written to it, and nothing is.
    clock : callable, optional
    """

    def __init__(
        self, remote: HelpDesk, desk: LiveDesk, outbox: Outbox, manner: Manner, since: float,
        show: Callable[[str, Writing], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._remote, self._desk, self._outbox = remote, desk, outbox
        self._manner, self._show, self._clock = manner, show, clock
        # The tools tell moments in whole seconds: one of this second may look earlier.
        self._place, self._since = outbox.begin(math.floor(since))

    def round(self) -> None:
        """Look once for all that is to be done, and do it.

        What fails for one ticket is told and tried again in the next round.

        Raises
        ------
        ConnectorError
            If the help desk cannot be asked at all now.
        """
        self._look()
        for step in (self._read, self._take):
            for ticket in self._outbox.tickets(FOUND if step == self._read else READ):
                self._each(step, ticket)
        for ticket in self._outbox.tickets(TAKEN, changed=True):
            self._each(self._hear, ticket)
        waiting = set()
        for message in self._outbox.messages(PLANNED, BEGUN):
            # Those of one ticket are written in their order.
            if message["remote_id"] not in waiting and not self._each(self._send, message):
                waiting.add(message["remote_id"])

    def _each(self, step: Callable[[Row], bool | None], row: Row) -> bool | None:
        try:
            return step(row)
        except (WrongToken, AskedToWait):
            # Nothing else would go, either.
            raise
        except (ConnectorError, DeskBusy) as error:
            _log.warning("ticket %s: %s; tried again later", row["remote"], error)
            return False

    def _look(self) -> None:
        """Note what changed in the help desk."""
        for _ in range(_MOST_PAGES):
            page = self._remote.changed(self._place, self._since)
            if page.items or page.place != self._place:
                self._outbox.found(page.items, self._since, page.place)
                self._place = page.place
            if page.done:
                return

    def _read(self, ticket: Row) -> None:
        """Read the customer's text of a new ticket."""
        try:
            # One that a webhook named: all is yet to be seen.
            if ticket["updated"] == 0.0:
                now = self._remote.ticket(ticket["remote"])
                if now.created < self._since or now.stage not in ("new", "open"):
                    self._leave(ticket, "was there before, or is over")
                    return
                if now.priority:
                    ticket = ticket | {"priority": now.priority}
            text = clean(self._remote.opening(ticket["remote"]))
        except NotThere:
            self._leave(ticket, NOT_YET if ticket["updated"] == 0.0 else "deleted")
            return
        if not text:
            self._leave(ticket, "has no text")
            return
        priority = ticket["priority"]
        self._outbox.note(ticket, state=READ, description=text, priority=priority)

    def _leave(self, ticket: Row, reason: str) -> None:
        _log.warning("ticket %s is left to people: it %s", ticket["remote"], reason)
        self._outbox.note(ticket, state=LEFT, reason=reason)

    def _take(self, ticket: Row) -> None:
        """Have the desk work on a ticket, and plan what to write back."""
        try:
            found = self._desk.process(ticket["remote"], ticket["description"], ticket["priority"])
        except DeskRefused as error:
            self._leave(ticket, f"was refused: {error}")
            return
        self._plan(ticket, found)

    def _plan(self, ticket: Row, found: Mapping[str, Any], stars: int | None = None) -> None:
        """Plan what is to be written back for the customer's newest word."""
        word = word_of(found)
        if ticket["state"] == TAKEN and word <= ticket["word"]:
            return
        public = self._manner.reply == "public"
        rules = self._manner.priorities, ticket["priority"], stars
        message = message_of(found, public, *rules)
        self._outbox.plan(ticket, found["ticket_id"], word, message, self._clock())
        ticket["word"] = word

    def _send(self, message: Row) -> bool:
        """Write a message to its ticket, unless it is there already; True where that is over."""
        box, now = self._outbox, self._clock()
        if message["state"] == BEGUN:
            if abs(now - message["begun_at"]) < self._manner.settle_s:
                return False
            if self._is_there(message):
                box.mark(message, DONE, now)
                return True
            if message["tries"] >= _TRIES:
                return self._give_up(message, "no clear answer, again and again")
        body = json.loads(message["body"])
        kind = body.get("kind", ANSWER)
        writing = Writing(body["text"], body["public"], message["marker"], body["category"],
                          body["priority"], body["public"] and kind in ASKS)  # fmt: skip
        if self._show is not None:
            self._show(message["remote"], writing)
            box.mark(message, DONE, now, "dry run")
            return True
        fitting = self._fitting(message["remote"], writing, kind)
        if fitting is None:
            box.mark(message, DONE, now, "not needed: a person has the ticket")
            return True
        box.mark(message, BEGUN, self._clock())
        try:
            self._remote.write(message["remote"], fitting)
        except Unclear:
            # It stays begun: its marker is looked for later.
            raise
        except NotThere:
            return self._give_up(message, "the ticket is gone")
        except (WrongToken, AskedToWait):
            box.mark(message, PLANNED, now)
            raise
        except (Forbidden, ChangedThere) as error:
            box.mark(message, PLANNED, now, str(error))
            most = _REFUSED_TRIES if isinstance(error, Forbidden) else _TRIES
            if message["tries"] + 1 < most:
                raise
            return self._give_up(message, str(error))
        box.mark(message, DONE, self._clock())
        return True

    def _give_up(self, message: Row, reason: str) -> bool:
        _log.error("ticket %s: the message was not written: %s", message["remote"], reason)
        self._outbox.mark(message, FAILED, self._clock(), reason)
        return True

    def _is_there(self, message: Row) -> bool:
        try:
            thread = self._remote.thread(message["remote"])
        except NotThere:
            return False
        return any(said.marker == message["marker"] for said in thread)

    def _fitting(self, remote: str, writing: Writing, kind: str) -> Writing | None:
        """The message as the ticket is now: a note where a person has it, or nothing."""
        if writing.public and self._manner.reply != "public":
            # It was planned when replies were public.
            return None if kind in AFTERWARDS else as_note(writing, kind)
        if not writing.public and kind not in AFTERWARDS:
            return writing
        try:
            seen = self._remote.ticket(remote)
            thread = list(self._remote.thread(remote))
        except NotThere:
            return writing
        over = seen.stage not in ("new", "open")
        if kind in AFTERWARDS:
            # Who is spoken with by a person, or by nobody yet, is told nothing new by it.
            known = is_theirs(thread) or not is_ours(thread) or (over and kind != RATED)
            return None if known else replace(writing, seen=seen.updated)
        if over or is_theirs(thread):
            return as_note(writing, kind)
        return replace(writing, seen=seen.updated)

    def _hear(self, ticket: Row) -> None:
        """Tell the desk what a customer wrote since, and how they rated."""
        number = ticket["ticket_id"]
        try:
            now = self._remote.ticket(ticket["remote"])
            thread = list(self._remote.thread(ticket["remote"]))
        except NotThere:
            if abs(self._clock() - ticket["updated"]) >= _GONE_S:
                self._outbox.looked_at(ticket, ticket["updated"])
            return
        for said in thread[1:]:
            if said.by == "customer" and (text := clean(own_words(said.text))):
                found = self._tell(self._desk.reply, ticket["remote"], number, said.id, text)
                if found is not None:
                    self._plan(ticket, found)
        if now.rating is not None:
            words = ticket["description"], now.rating
            found = self._tell(self._desk.rate, ticket["remote"], number, *words)
            if found is not None:
                self._plan(ticket, found, now.rating)
        # Moments are whole seconds there: in the last one something more may still come.
        if abs(self._clock() - now.updated) >= _SAME_S:
            self._outbox.looked_at(ticket, now.updated)

    def _tell(
        self, how: Callable[..., dict[str, Any]], remote: str, *what: Any
    ) -> dict[str, Any] | None:  # fmt: skip
        try:
            return how(remote, *what)
        except DeskRefused as error:
            # Such as a word on a ticket that is closed, which takes a new one.
            _log.warning("ticket %s: a customer's word was not taken: %s", remote, error)
            return None
