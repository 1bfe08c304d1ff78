"""The live desk: the life cycle of the twin, with real tickets instead of simulated time.

Receive, categorize, respond, update status, collect feedback: by the same scenario, the same
assistant, the same rules and the same table of transitions; agents are people who use the page.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from twin.assistant.backends import build as build_backend
from twin.assistant.careful import doubts_of
from twin.assistant.knowledge.knowledge import knowledge_of
from twin.assistant.protocol import Step, Written
from twin.assistant.tone import is_angry
from twin.common.errors import TwinError
from twin.demand.corpus import load_corpus
from twin.demand.tickets import category_names
from twin.desk.rules import Rules
from twin.live.asking import Asker, Build, Failed, Said
from twin.live.bodies import FOR_AGENTS, MAX_DESCRIPTION, TicketIn, answered
from twin.live.kept import Row
from twin.live.moves import Change, is_held
from twin.live.promises import Promises
from twin.live.store import Store
from twin.live.watch import Watch
from twin.records.tables import (
    BY_ASSISTANT,
    ESCALATED,
    IN_PROGRESS,
    OPEN,
    PENDING_REVIEW,
    RESOLVED,
    STATUSES,
    WAITING_FOR_CUSTOMER,
    WORKERS,
)
from twin.scenario.model import Priority, Scenario
from twin.scenario.sections.assistant import answering_model

# Longest time for all calls of a ticket together, in seconds.
TIMEOUT_S = 60.0
# Time without a word from the customer after which the assistant's answer counts as having helped,
# where the scenario does not say: as Zendesk counts automated resolutions (support.zendesk.com,
# "About automated resolutions for AI agents", read in November 2026).
QUIET_S = 72 * 3600.0
# A desk that died is not waited for longer than its calls could have taken, and this.
_MARGIN_S = 15.0

FOR_REVIEW = "Thank you. An agent is looking over our answer and will send it to you soon."
FAILED = (
    "We cannot answer automatically at the moment. Your ticket is not lost: an agent will "
    "answer you as soon as possible."
)


# What the assistant asks, by what it doubts. Who wants a person gets one and no question.
QUESTIONS = {
    "empty": "Thank you for your message. What can we help you with? Please tell us in a sentence "
    "or two what happened, and what you would like.",
    "unreadable": "Sorry, we could not make out what you need. Please describe it in other words, "
    "in the language of our help pages if you can. If you would rather have a person read it, ask "
    "for one.",
    "several": "You seem to write about more than one thing, and each needs an answer of its own. "
    "Which may we begin with? If you would rather have a person look at all of it, ask for one.",
}
TAKEN = "this ticket is being answered"


class NoSuchTicket(TwinError, LookupError):
    """A number that no ticket has."""


class Conflict(TwinError, RuntimeError):
    """A ticket that somebody else is working on; try again."""


@dataclass
class _Work:
    """Work of the assistant on a ticket so far; `deadline` is on `time.monotonic`."""

    ticket: Row
    watch: Watch
    deadline: float
    changes: list[Change] = field(default_factory=list)
    values: Row = field(default_factory=dict)
    calls: list[Row] = field(default_factory=list)
    # What the customer is asked, where the ticket is not clear.
    question: str | None = None
    may_ask: bool = True

    def note(self, code: int | None) -> None:
        """Note a change of status; None: the ticket keeps the status that it has."""
        if code is not None:
            self.changes.append((STATUSES[code], self.watch.now(), "assistant"))


class Desk:
    """A desk that answers tickets.

    Parameters
    ----------
    scenario : Scenario
        The assistant and its rules, the categories, the targets.
    store : Store
    timeout_s : float, optional
        Longest time for all model calls of a ticket together.
    build : callable, optional
        Makes the assistant; `twin.assistant.backends.build` by default.

    Raises
    ------
    ScenarioError
        If the scenario's files cannot be used, or the assistant cannot be built.
    """

    def __init__(
        self,
        scenario: Scenario,
        store: Store,
        timeout_s: float = TIMEOUT_S,
        build: Build = build_backend,
    ) -> None:
        self.scenario = scenario
        self.store = store
        self.categories = category_names(scenario)
        corpus = load_corpus(scenario.tickets.corpus) if scenario.tickets.corpus else None
        knowledge = knowledge_of(scenario.assistant)
        articles = knowledge.articles if knowledge is not None else {}
        self._titles = {slug: article.title for slug, article in articles.items()}
        self.asker = Asker(scenario, self.categories, corpus, build)
        self.timeout_s = timeout_s
        self.lease_s = timeout_s + _MARGIN_S
        self.rules = Rules.of(scenario, self.categories)
        self._doubts = doubts_of(scenario, self.categories, corpus) if self.rules.asks else None
        self.promises = Promises(scenario.targets)
        waiting = scenario.touches.waiting if scenario.touches is not None else None
        close = waiting.close_after if waiting is not None else None
        # Of an agent's question: as in the twin it waits on where the scenario does not say.
        self.asked_s = close.mean_value() if close is not None else None
        self.quiet_s = QUIET_S if self.asked_s is None else self.asked_s
        store.note_desk(json.dumps(scenario.as_data(), ensure_ascii=False), time.time())

    def process(self, body: TicketIn, key: str | None) -> dict[str, Any]:
        """Answer a ticket; one that was filed before under the same key is not filed again.

        Raises
        ------
        UnusableModel, KeyReused, Conflict, StoreError
        Failed
            If the assistant cannot answer; the ticket is kept for agents (`ticket` on the error).
        """
        model = body.model or self.scenario.assistant.model
        self.asker.check(model)
        use_rag = body.use_rag if body.use_rag is not None else self.scenario.assistant.retrieval
        watch = Watch()
        asks = self.scenario.assistant.role != "off"
        # Not by what the desk added: it may be run by other rules when a request is sent again.
        same = ["description", "priority", *(["model"] if body.model else [])]
        same += ["use_rag"] if body.use_rag is not None else []
        ticket, fresh = self.store.receive(
            {
                "key": key,
                "received_at": watch.now(),
                "description": body.description,
                "priority": priority_of(body.priority, body.description),
                "model": model,
                "use_rag": use_rag,
                **(self.store.lease(self.lease_s) if asks else {}),
            },
            same,
        )
        # One that agents set to Open again has no lease: the assistant had its turn.
        unasked = ticket["status"] == STATUSES[OPEN] and ticket["held_until"] is not None
        if asks and not fresh and unasked:
            taken = self.store.take(ticket, self.lease_s)
            if taken is None:
                raise Conflict(TAKEN)
            ticket, fresh, watch = taken, True, Watch(ticket["received_at"])
        if asks and fresh:
            return self.answer(ticket, watch, from_scratch=True)
        return self.shown(ticket)

    def shown(self, ticket: Row) -> dict[str, Any]:
        """A ticket as its customer sees it."""
        note = FOR_REVIEW if ticket["status"] == STATUSES[PENDING_REVIEW] else FOR_AGENTS
        if ticket["status"] == STATUSES[WAITING_FOR_CUSTOMER] and not ticket["response"]:
            asked = [m["text"] for m in self.store.messages(ticket) if m["by"] != "customer"]
            note = asked[-1] if asked else note
        return answered(ticket, note, self.store.calls(ticket["id"]))

    def answer(
        self, ticket: Row, watch: Watch, from_scratch: bool, may_ask: bool = True
    ) -> dict[str, Any]:
        """Let the assistant work on a ticket that is held for it.

        Parameters
        ----------
        ticket : dict
        watch : Watch
            Of what the customer, or the agent, waits for.
        from_scratch : bool
            Whether its category is still to be found.
        may_ask : bool
            Whether the customer may be asked, where the ticket is not clear; once is enough.

        Raises
        ------
        Failed, StoreError
        Conflict
            If the lease ran out and another desk is at work on the ticket now.
        """
        work = _Work(ticket, watch, time.monotonic() + self.timeout_s, may_ask=may_ask)
        failure: Failed | None = None
        try:
            if not from_scratch or self._categorize(work):
                self._respond(work)
        except Failed as error:
            failure = error
            work.note(self.rules.handed_on())
        said = []
        if work.question is not None:
            at = watch.now()
            work.note(WAITING_FOR_CUSTOMER)
            work.values["resolves_at"] = at + self.quiet_s
            said.append({"at": at, "by": "assistant", "text": work.question})
        elif work.changes and work.changes[-1][0] == STATUSES[WAITING_FOR_CUSTOMER]:
            # The latest moment that is known counts, as the customer has the answer only then.
            at = watch.now()
            work.changes[-1] = (STATUSES[WAITING_FOR_CUSTOMER], at, "assistant")
            work.values |= {"responded_at": ticket["responded_at"] or at, "answered_at": at}
            work.values["resolves_at"] = at + self.quiet_s
            said.append({"at": at, "by": "assistant", "text": work.values["response"]})
        moved = self.store.move(ticket, work.changes, work.values, work.calls, said)
        if moved is None:
            # An agent was quicker, or the lease ran out and another desk took it; theirs stays.
            moved = self.ticket(ticket["id"])
            if is_held(moved, self.store.clock()):
                raise Conflict(TAKEN)
        elif failure is not None:
            failure.ticket = moved
            raise failure
        note = FOR_REVIEW if moved["status"] == STATUSES[PENDING_REVIEW] else FOR_AGENTS
        return answered(moved, work.question or note, work.calls)

    def read_on(self, ticket: Row) -> Row:
        """Let the assistant work on a ticket whose customer has replied to its question.

        It reads all that the customer wrote. What is still not clear goes to an agent, and so does
        what it fails at. The ticket has to be held for it; returns it as it is then.

        Raises
        ------
        StoreError
        """
        said = [m["text"] for m in self.store.messages(ticket) if m["by"] == "customer"]
        whole = "\n\n".join(filter(None, said))[-MAX_DESCRIPTION:]
        watch = Watch(self.store.last_change(ticket["id"]))
        # The ticket shows what became of it.
        with suppress(Failed, Conflict):
            self.answer(ticket | {"description": whole}, watch, from_scratch=True, may_ask=False)
        return self.ticket(ticket["id"])

    def _ask(self, step: Step, work: _Work, category: int | None) -> Said:
        settings = self.scenario.assistant
        asked = step, work.ticket, category, work.calls, work.deadline
        try:
            return self.asker.ask(*asked)
        except Failed:
            if settings.on_failure != "fallback":
                raise
            return self.asker.ask(*asked, settings.fallback_model)

    def _categorize(self, work: _Work) -> bool:
        """Name the category; return whether it is sure enough to go on."""
        said = self._ask("categorize", work, None)
        name = self.categories[said.category]
        # A guess that is not sure enough is kept, too: the agent may find it useful.
        work.values |= {"category": name, "confidence": said.confidence}
        status = self.rules.categorized(said.confidence)
        if status == ESCALATED:
            if self._doubts is not None and self.rules.handled(said.confidence) and work.may_ask:
                doubt = self._doubts.of(work.ticket["description"])
                work.question = QUESTIONS.get(doubt or "")
            if work.question is None:
                work.note(status)
            return False
        work.note(status)
        work.values["categorized_by"] = WORKERS[BY_ASSISTANT]
        return True

    def _respond(self, work: _Work) -> None:
        category = self.categories.index(work.values.get("category") or work.ticket["category"])
        status = self.rules.routed(category)
        work.note(status)
        if status != IN_PROGRESS:
            return
        said = self._ask("respond", work, category)
        written = said.written
        assert written is not None
        call = work.calls[-1]
        work.values |= {
            "draft": written.text,
            "backend": call["backend"],
            "answered_model": answering_model(call["backend"], call["model"]),
            "prompt_version": call["prompt_version"],
            "articles": json.dumps(self.cited(written), ensure_ascii=False),
        }
        status = self.rules.drafted(category)
        # Whether it helped only the customer can say: until then the answer waits for them.
        work.note(WAITING_FOR_CUSTOMER if status == RESOLVED else status)
        if status == RESOLVED:
            work.values |= {"response": written.text, "answered_by": WORKERS[BY_ASSISTANT]}

    def cited(self, written: Written) -> list[dict[str, Any]]:
        """Articles that a text was written from."""
        return [
            {"slug": slug, "title": self._titles.get(slug, slug), "score": score}
            for slug, score in zip(written.articles, written.scores, strict=True)
        ]

    def ticket(self, ticket_id: int) -> Row:
        """A ticket.

        Raises
        ------
        NoSuchTicket
        """
        found = self.store.ticket(ticket_id)
        if found is None:
            raise NoSuchTicket
        return found

    def tidy(self) -> None:
        """Make the changes that need nobody: see `Store.tidy`."""
        self.store.tidy(time.time(), self.scenario.customers.close_after)


def priority_of(given: Priority, text: str) -> Priority:
    """Priority of a ticket: high instead of normal where its customer is angry."""
    return "high" if given == "normal" and is_angry(text) else given
