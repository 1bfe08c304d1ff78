"""The page's side of the API: requests to the desk, and its faults in words for customers."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode

from twin.common.errors import TwinError
from twin.records.tables import OPEN_STATUSES

BACKEND = "http://127.0.0.1:5000"
# An answer may wait for a model through its retries; all else is a look into the store.
ANSWER_S, LOOK_S = 120.0, 15.0
# In place of an agent's name: tickets that are nobody's. No name holds a line break.
NOBODY = "\n"
_MOST_BYTES = 20_000_000

_UNREACHABLE = "The desk cannot be reached at the moment. Please try again in a minute."
_SLOW = (
    "The desk takes longer than usual to answer. Please try again in a minute; "
    "nothing is filed twice."
)
_WORDS = {
    401: "This page may not talk to the desk: it needs the desk's token from its operator.",
    403: "This page may not talk to the desk: it needs the desk's token from its operator.",
    404: "This ticket is not there (any more).",
    413: "This text is too long. Please shorten it.",
    502: "The assistant cannot answer at the moment. Please try again in a minute.",
    503: "The desk is busy at the moment. Please try again in a minute.",
    504: "The assistant takes too long to answer. Please try again in a minute.",
    507: "The desk cannot keep anything at the moment. Please try again later.",
}
_ANY = "Something went wrong at the desk. Please try again in a minute."


class DeskError(TwinError, RuntimeError):
    """A request that the desk refused or could not answer; the message is for customers.

    Attributes
    ----------
    status : int
        HTTP status; 0 if no answer came.
    ticket : int or None
        Number of the ticket that was filed all the same.
    now : Ticket or None
        The ticket as it is now, where somebody else was quicker.
    """

    def __init__(
        self, message: str, status: int = 0, ticket: int | None = None, now: Ticket | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.ticket = ticket
        self.now = now


@dataclass(frozen=True)
class Message:
    """A message of a ticket's thread; `at` is in seconds since 1970."""

    by: str
    text: str
    at: float = 0.0
    helped: bool | None = None
    person: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Message:
        """From the API's shape."""
        return cls(
            by=str(data["by"]),
            text=str(data["text"]),
            at=_moment(data.get("at")) or 0.0,
            helped=data.get("helped"),
            person=bool(data.get("person")),
        )


@dataclass(frozen=True)
class Suggestion:
    """A draft by the assistant that an agent asked for."""

    text: str
    backend: str = ""
    model: str = ""
    articles: tuple[str, ...] = ()
    sent: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Any] | None) -> Suggestion | None:
        """From the API's shape; None where there is none."""
        if not data:
            return None
        titles = tuple(str(one["title"]) for one in data["articles"])
        by = str(data["backend"]), str(data["model"])
        return cls(str(data["text"]), *by, titles, bool(data.get("sent")))


@dataclass(frozen=True)
class Search:
    """A search in a queue; empty: anything. `NOBODY` is no agent's name."""

    text: str = ""
    category: str = ""
    priority: str = ""
    assignee: str = ""

    @property
    def query(self) -> dict[str, str]:
        """Parameters of a request."""
        asked = {"text": self.text, "category": self.category, "priority": self.priority}
        found = {name: value for name, value in asked.items() if value}
        if self.assignee:
            found["assignee"] = "" if self.assignee == NOBODY else self.assignee
        return found


@dataclass(frozen=True)
class Ticket:
    """A ticket as the pages show it; moments are seconds since 1970, missing ones None.

    Backend and model are those that wrote the answer, or its draft.
    """

    number: int
    description: str
    category: str
    response: str
    status: str
    draft: str = ""
    priority: str = "normal"
    backend: str = ""
    model: str = ""
    model_wanted: str = ""
    answered_by: str = ""
    use_rag: bool = True
    confidence: float | None = None
    articles: tuple[str, ...] = ()
    received: float = 0.0
    responded: float | None = None
    answered: float | None = None
    resolves: float | None = None
    messages: tuple[Message, ...] = ()
    reopens: int = 0
    version: int = 0
    assignee: str = ""
    merged_into: int | None = None
    parts: tuple[int, ...] = ()
    suggestion: Suggestion | None = None
    first_response_due: float | None = None
    resolution_due: float | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Ticket:
        """From the API's shape."""
        return cls(
            number=int(data["ticket_id"]),
            description=str(data.get("description") or ""),
            category=str(data.get("category") or ""),
            response=str(data.get("response") or ""),
            status=str(data["status"]),
            draft=str(data.get("draft") or ""),
            priority=str(data.get("priority") or "normal"),
            backend=str(data.get("backend") or ""),
            model=str(data.get("model") or ""),
            model_wanted=str(data.get("model_wanted") or ""),
            answered_by=str(data.get("answered_by") or ""),
            use_rag=bool(data.get("use_rag", True)),
            confidence=data.get("confidence"),
            articles=tuple(str(one["title"]) for one in data.get("articles") or ()),
            received=_moment(data.get("received_at")) or 0.0,
            responded=_moment(data.get("responded_at")),
            answered=_moment(data.get("answered_at")),
            resolves=_moment(data.get("resolves_at")),
            messages=tuple(Message.of(one) for one in data.get("messages") or ()),
            reopens=int(data.get("reopens") or 0),
            version=int(data.get("version") or 0),
            assignee=str(data.get("assignee") or ""),
            merged_into=data.get("merged_into"),
            parts=tuple(int(number) for number in data.get("parts") or ()),
            suggestion=Suggestion.of(data.get("suggestion")),
            first_response_due=_moment(data.get("first_response_due")),
            resolution_due=_moment(data.get("resolution_due")),
        )

    @property
    def thread(self) -> tuple[Message, ...]:
        """All that was said, as far as it is known here: lists tell no messages."""
        if self.messages:
            return self.messages
        first = Message("customer", self.description, self.received)
        if not self.response:
            return (first,)
        by = "assistant" if self.answered_by == "assistant" else "agent"
        return first, Message(by, self.response, self.answered or 0.0)


def _moment(text: str | None) -> float | None:
    return None if not text else datetime.fromisoformat(text).timestamp()


@contextmanager
def _understood() -> Iterator[None]:
    """Answers of another shape come from something else than a desk."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        raise DeskError(_UNREACHABLE) from None


class Client:
    """Requests to a desk.

    Parameters
    ----------
    backend : str, optional
        Its address; by default that of ``TWIN_BACKEND``, else the one on this machine.
    token : str, optional
        Its API token; by default that of ``TWIN_TOKEN``, else none.
    """

    def __init__(self, backend: str | None = None, token: str | None = None) -> None:
        self.backend = (backend or os.environ.get("TWIN_BACKEND") or BACKEND).rstrip("/")
        self._token = os.environ.get("TWIN_TOKEN", "") if token is None else token
        # The desk is on this machine or network, so proxies of the environment are not used.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def health(self) -> dict[str, Any]:
        """The desk's state, and the backend that answers."""
        return self._ask("GET", "/health")

    @_understood()
    def models(self) -> list[str]:
        """Names of the models to choose from, the desk's own first."""
        found = self._ask("GET", "/models")
        names = [str(model["name"]) for model in found["models"]]
        return list(dict.fromkeys([str(found["default"]), *names]))

    @_understood()
    def file(self, description: str, model: str, use_rag: bool, key: str) -> Ticket:
        """File a ticket and wait for its answer; the same key files nothing twice."""
        body = {"description": description, "model": model, "use_rag": use_rag}
        found = self._ask("POST", "/process_ticket", body, key=key, patience_s=ANSWER_S)
        return Ticket.of({**body, **found})

    def rate(self, ticket: Ticket, rating: int, feedback: str, key: str) -> None:
        """Say what a customer thinks of an answer, 1 to 5."""
        body: dict[str, Any] = {"description": ticket.description, "model": ticket.model_wanted}
        body |= {"rating": rating, "feedback": feedback, "ticket_id": ticket.number}
        self._ask("POST", "/submit_feedback", body, key=key)

    @_understood()
    def ticket(self, number: int) -> Ticket:
        """One ticket."""
        return Ticket.of(self._ask("GET", f"/tickets/{number}"))

    @_understood()
    def reply(self, number: int, key: str, **said: Any) -> Ticket:
        """Say what a customer says: text, whether it helped, whether a person is wanted."""
        return Ticket.of(self._ask("POST", f"/tickets/{number}/reply", said, key=key))

    @_understood()
    def counts(self) -> dict[str, int]:
        """Number of tickets by status."""
        found = self._ask("GET", "/tickets?limit=1")["counts"]
        return {str(status): int(number) for status, number in found.items()}

    @_understood()
    def queue(
        self, status: str, most: int, place: str = "", search: Search | None = None
    ) -> tuple[list[Ticket], str]:
        """Tickets of a status: of an open one the most overdue first, of others the newest.

        Returns
        -------
        tickets : list of Ticket
            Up to `most` of them, those behind `place`.
        place : str
            Behind which the next ones are; empty if there are none.
        """
        path, here, there = "/tickets", "before", "next_before"
        if status in OPEN_STATUSES:
            path, here, there = "/queue", "after", "next_after"
        query = {"status": status, "limit": str(most)} | ({here: place} if place else {})
        query |= {} if search is None else search.query
        found = self._ask("GET", f"{path}?{urlencode(query)}")
        return [Ticket.of(row) for row in found["tickets"]], str(found[there] or "")

    @_understood()
    def change(
        self, number: int, status: str | None = None, response: str | None = None, **more: Any
    ) -> Ticket:
        """Change a ticket as an agent.

        Parameters
        ----------
        number : int
        status : str, optional
        response : str, optional
            The agent's answer, or question.
        more
            Category, priority, assignee, and the version that the agent saw.
        """
        given = {"status": status, "response": response, **more}
        body = {name: value for name, value in given.items() if value is not None}
        return Ticket.of(self._ask("PATCH", f"/tickets/{number}", body))

    @_understood()
    def merge(self, number: int, into: int, version: int) -> Ticket:
        """Make a ticket a part of another one."""
        body = {"into": into, "version": version}
        return Ticket.of(self._ask("POST", f"/tickets/{number}/merge", body))

    @_understood()
    def draft(self, number: int) -> Ticket:
        """Have the assistant write a draft for an agent."""
        path = f"/tickets/{number}/draft"
        return Ticket.of(self._ask("POST", path, {}, patience_s=ANSWER_S))

    @_understood()
    def articles(self, number: int) -> list[tuple[str, str]]:
        """Titles and texts of articles that fit a ticket, the best first."""
        found = self._ask("GET", f"/tickets/{number}/articles")["articles"]
        return [(str(one["title"]), str(one["text"])) for one in found]

    @_understood()
    def categories(self) -> list[str]:
        """Names of the desk's categories."""
        return [str(name) for name in self._ask("GET", "/desk")["categories"]]

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        key: str = "",
        patience_s: float = LOOK_S,
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if key:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.backend + path, data, headers, method=method)
        try:
            with self._opener.open(request, timeout=patience_s) as answer:
                found = json.loads(answer.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                raise _in_words(error) from None
        except TimeoutError:
            raise DeskError(_SLOW) from None
        except urllib.error.URLError as error:
            slow = isinstance(error.reason, TimeoutError)
            raise DeskError(_SLOW if slow else _UNREACHABLE) from None
        except (OSError, ValueError, RecursionError, HTTPException):
            # It went away while it answered, or something else answers at its address.
            raise DeskError(_UNREACHABLE) from None
        if not isinstance(found, dict):
            raise DeskError(_UNREACHABLE)
        return found


def _in_words(error: urllib.error.HTTPError) -> DeskError:
    status = error.code
    said, ticket, now = None, None, None
    try:
        body = json.loads(error.read(100_000))
        said, ticket = body.get("error"), body.get("ticket_id")
        now = Ticket.of(body["ticket"]) if status == 409 and "ticket" in body else None
    except (OSError, ValueError, AttributeError, LookupError, TypeError, ArithmeticError,
            RecursionError, HTTPException):  # fmt: skip
        pass  # Not from the desk, or cut off: what its status says is all there is.
    if status in (409, 422) and isinstance(said, str) and "Idempotency-Key" in said:
        return DeskError("This was sent before.", 409)
    ticket = ticket if isinstance(ticket, int) else None
    if isinstance(said, str) and said and (status in (400, 409, 422) or ticket is not None):
        # The desk tells the ticket's state, or the fault in what was typed.
        return DeskError(said[0].upper() + said[1:], status, ticket, now)
    if status == 429:
        seconds = error.headers.get("Retry-After", "")
        when = f"in {seconds} seconds" if seconds.isdigit() else "in a minute"
        return DeskError(f"Many people are writing at once. Please try again {when}.", status)
    return DeskError(_WORDS.get(status, _ANY), status)
