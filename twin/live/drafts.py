"""Help for agents: articles that fit a ticket, and a draft by the assistant."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import insert, update

from twin.assistant.knowledge.knowledge import knowledge_of
from twin.assistant.protocol import Guidance
from twin.common.errors import TwinError
from twin.live import tables
from twin.live.agents import Unprocessable
from twin.live.asking import Failed
from twin.live.bodies import MAX_DESCRIPTION
from twin.live.desk import QUESTIONS, Conflict, Desk
from twin.live.kept import Row
from twin.live.moves import NotAllowed, is_held
from twin.records.tables import FINAL_STATUSES
from twin.scenario.sections.assistant import answering_model

# Answers that a draft is told to avoid, the newest, and how much of the ticket stands with each:
# a prompt has room for so many.
_MOST_AVOIDED, _MOST_OF_TICKET = 3, 500
_BEING_WRITTEN = "a draft for this ticket is being written"


class NoDraft(TwinError, RuntimeError):
    """A draft that the assistant could not write; `status` is the HTTP status that fits."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__("the assistant could not write a draft: try again, or answer yourself")


class Drafts:
    """Articles and drafts for the agents of a desk.

    Parameters
    ----------
    desk : Desk
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._knowledge = knowledge_of(desk.scenario.assistant)
        self._at_work: set[int] = set()
        self._lock = threading.Lock()

    def articles(self, ticket: Row) -> list[dict[str, Any]]:
        """Articles that fit what the customer wrote, the best first, each with its text."""
        if self._knowledge is None:
            return []
        settings = self._desk.scenario.assistant
        category = ticket["category"]
        hits = self._knowledge.retrieve(
            [self._text(ticket)], settings.articles, settings.floor,
            None if category is None else [category],
        )[0]  # fmt: skip
        found = self._knowledge.articles
        return [
            {"slug": h.slug, "title": h.title, "score": h.score, "text": found[h.slug].body}
            for h in hits
        ]

    def draft(self, ticket_id: int) -> Row:
        """Have the assistant write a draft for an agent; once, until the customer writes again.

        It is a suggestion: nothing of it is sent, and the ticket's status stays. It is an answer
        that the customer did not have yet, unless the assistant has no other: then `sent` of the
        suggestion is True.

        Raises
        ------
        NoSuchTicket, NotAllowed, Conflict, Unprocessable, NoDraft, StoreError
        """
        with self._lock:
            if ticket_id in self._at_work:
                raise Conflict(_BEING_WRITTEN)
            self._at_work.add(ticket_id)
        try:
            # Another desk on the same store must not ask for it, too.
            with self._desk.store.database.claiming("draft", ticket_id) as mine:
                if not mine:
                    raise Conflict(_BEING_WRITTEN)
                return self._draft(self._desk.ticket(ticket_id))
        finally:
            with self._lock:
                self._at_work.discard(ticket_id)

    def _draft(self, ticket: Row) -> Row:
        if ticket["status"] in FINAL_STATUSES:
            raise NotAllowed(ticket["status"])
        if not self._desk.rules.responds:
            raise Unprocessable("no assistant answers on this desk")
        if is_held(ticket, self._desk.store.clock()):
            raise Conflict("the assistant is at work on this ticket")
        heard = len(self._desk.store.messages(ticket))
        known = None if ticket["suggestion"] is None else json.loads(ticket["suggestion"])
        if known is not None and known["messages"] == heard:
            return ticket
        calls: list[Row] = []
        try:
            made = self._ask(ticket, calls) | {"messages": heard}
        except Failed as failed:
            self._keep(ticket, {}, calls)
            raise NoDraft(failed.status) from None
        return self._keep(ticket, {"suggestion": json.dumps(made, ensure_ascii=False)}, calls)

    def _ask(self, ticket: Row, calls: list[Row]) -> dict[str, Any]:
        desk = self._desk
        asked = ticket | {"description": self._text(ticket)}
        deadline = time.monotonic() + desk.timeout_s
        category = None
        with suppress(ValueError):
            category = desk.categories.index(ticket["category"])
        if category is None:
            category = desk.asker.ask("categorize", asked, None, calls, deadline).category
        had = self._answers(ticket)
        problem = ticket["description"][:_MOST_OF_TICKET]
        avoid = Guidance(bad=tuple((problem, text) for text in had[-_MOST_AVOIDED:]))
        written = desk.asker.ask(
            "respond", asked, category, calls, deadline, guidance=avoid if had else None
        ).written
        assert written is not None
        call = calls[-1]
        return {
            "text": written.text,
            "backend": call["backend"],
            "model": answering_model(call["backend"], call["model"]),
            "prompt_version": call["prompt_version"],
            "articles": desk.cited(written),
            "sent": written.text.strip() in {text.strip() for text in had},
        }

    def _answers(self, ticket: Row) -> list[str]:
        """Answers that the customer had, oldest first; the assistant's questions are none."""
        said = [m["text"] for m in self._desk.store.messages(ticket) if m["by"] != "customer"]
        return [text for text in dict.fromkeys(said) if text and text not in QUESTIONS.values()]

    def _text(self, ticket: Row) -> str:
        """All that the customer wrote, the last words included where there is not room for all."""
        said = [m["text"] for m in self._desk.store.messages(ticket) if m["by"] == "customer"]
        return "\n\n".join(filter(None, said))[-MAX_DESCRIPTION:]

    def _keep(self, ticket: Row, values: Row, calls: list[Row]) -> Row:
        """Keep a draft whatever became of the ticket, and the calls, which were paid for."""
        t = tables.tickets
        with self._desk.store.database.writing() as connection:
            if calls:
                rows = [{"ticket_id": ticket["id"], **call} for call in calls]
                connection.execute(insert(tables.calls), rows)
            if values:
                connection.execute(update(t).where(t.c.id == ticket["id"]).values(**values))
        return self._desk.ticket(ticket["id"])
