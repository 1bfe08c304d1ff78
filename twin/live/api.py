"""The live desk's HTTP API (Flask): JSON in, JSON out, and every fault as JSON with its status."""

from __future__ import annotations

import hmac
import logging
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, jsonify, request
from sqlalchemy import ColumnElement
from werkzeug.exceptions import HTTPException

import twin
from twin.common.errors import TwinError
from twin.live.agents import Agents, ChangedMeanwhile, MergedWithItself, Unprocessable
from twin.live.asking import Failed, UnusableModel
from twin.live.bodies import (
    IMPOSSIBLE,
    MAX_ID,
    MAX_NAME,
    B,
    ChangeIn,
    Empty,
    FeedbackIn,
    MergeIn,
    ReplyIn,
    TicketIn,
    Unreadable,
    Wrong,
    read,
    shown_change,
    shown_feedback,
    shown_message,
    shown_ticket,
)
from twin.live.customers import Customers, IsMerged, NoAnswer
from twin.live.database import StoreError, StoreFull
from twin.live.desk import FAILED, Conflict, Desk, NoSuchTicket
from twin.live.drafts import Drafts, NoDraft
from twin.live.kept import KeyReused, Row
from twin.live.limits import Busy, Gate, RateLimit
from twin.live.merging import parts_of
from twin.live.moves import NotAllowed
from twin.live.openapi import describe
from twin.live.searching import wanted
from twin.records.tables import STATUSES, TRANSITIONS
from twin.scenario.model import PRIORITIES
from twin.scenario.sections.assistant import answering_model

_log = logging.getLogger(__name__)

MAX_BODY = 256 * 1024
MOST_ROWS = 500
_KEY = re.compile(r"[!-~]{1,128}")
_LOOPBACK = re.compile(r"(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d+)?", re.IGNORECASE)
_OPEN = {"health", "openapi"}


@dataclass(frozen=True)
class Settings:
    """Bounds of the API.

    Attributes
    ----------
    token : str
        Clients must send it; if empty, none is needed, and only this machine may call.
    rate : float
        Requests a second of one client; 0 is no limit.
    places : int
        Tickets answered at the same time; further ones are refused.
    """

    token: str = ""
    rate: float = 1000.0
    places: int = 40


class HttpProblem(TwinError):
    """A refused request: its HTTP status, the reason told to the client, and when to try again."""

    def __init__(self, status: int, reason: str, retry_s: float | None = None) -> None:
        super().__init__(reason)
        self.status, self.retry_s = status, retry_s


def _fault(code: int, reason: str, retry_s: float | None = None, **more: Any) -> Response:
    response = jsonify({"error": reason, **more})
    response.status_code = code
    if retry_s is not None:
        response.headers["Retry-After"] = str(max(1, round(retry_s + 0.5)))
    return response


def create_app(desk: Desk, settings: Settings | None = None) -> Flask:
    """The API of a desk, as a WSGI application.

    Parameters
    ----------
    desk : Desk
    settings : Settings, optional
    """
    settings = settings or Settings()
    app = Flask("twin.live", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _guard(app, settings)
    _faults(app, desk)
    gate = Gate(settings.places)
    customers = Customers(desk)
    _tickets(app, desk, customers, gate)
    _feedback(app, desk, customers)
    _about(app, desk, bool(settings.token))
    return app


def _guard(app: Flask, settings: Settings) -> None:
    limit = RateLimit(settings.rate)
    token = settings.token.encode()

    @app.before_request
    def check() -> None:
        # A page on the internet may point its own name at this machine; that name is refused.
        if not token and not _LOOPBACK.fullmatch(request.host):
            raise HttpProblem(421, "this desk answers on localhost only")
        # Any page that a browser here shows may send a form here, though not read the answer.
        origin = request.headers.get("Origin", "//localhost").partition("//")[2]
        if not token and not _LOOPBACK.fullmatch(origin):
            raise HttpProblem(403, "pages of other sites may not use this desk")
        wait_s = limit.wait_s(request.remote_addr or "")
        if wait_s:
            raise HttpProblem(429, "too many requests: wait a little", wait_s)
        if token and request.endpoint not in _OPEN:
            given = request.headers.get("Authorization", "").encode("utf-8", "replace")
            if not hmac.compare_digest(given, b"Bearer " + token):
                raise HttpProblem(401, "this desk needs its token: Authorization: Bearer ...")

    @app.after_request
    def mark(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response


# Errors of the layers below, with the text for the client; None: the error's own words.
_FAULTS: list[tuple[type[Exception], int, str | None, float | None]] = [
    (Empty, 400, None, None),
    (Unreadable, 400, None, None),
    (Wrong, 422, None, None),
    (UnusableModel, 422, None, None),
    (Unprocessable, 422, None, None),
    (KeyReused, 409, "this Idempotency-Key was used for another request", None),
    (NotAllowed, 409, None, None),
    (IsMerged, 409, None, None),
    (MergedWithItself, 409, "a ticket cannot become a part of itself", None),
    (NoAnswer, 409, "this ticket has no answer yet", None),
    (Conflict, 409, None, 2.0),
    (NoSuchTicket, 404, "there is no such ticket", None),
    (Busy, 503, "too many tickets are being answered: try again in a moment", 2.0),
    (StoreFull, 507, "there is no room left to keep this: send it again later", 60.0),
    (StoreError, 503, "the store cannot be used now: send this again later", 5.0),
]


def _faults(app: Flask, desk: Desk) -> None:
    def tell(error: Exception) -> Response:
        if isinstance(error, HttpProblem):
            return _fault(error.status, str(error), error.retry_s)
        if isinstance(error, ChangedMeanwhile):
            now = shown_ticket(error.ticket, desk.promises.due(error.ticket))
            return _fault(409, str(error), None, ticket=now)
        if isinstance(error, NoDraft):
            return _fault(error.status, str(error))
        for kind, status, words, retry_s in _FAULTS:
            if isinstance(error, kind):
                if status >= 500:
                    _log.error("%s: %s", type(error).__name__, error)
                return _fault(status, words or str(error), retry_s)
        if isinstance(error, Failed):
            assert error.ticket is not None
            kept = {"ticket_id": error.ticket["id"], "status": error.ticket["status"]}
            return _fault(error.status, FAILED, None, **kept)
        if isinstance(error, HTTPException) and error.code is not None:
            response = _fault(error.code, error.name.lower())
            allowed = getattr(error, "valid_methods", None)
            if allowed:
                response.headers["Allow"] = ", ".join(sorted(allowed))
            return response
        # The log gets the place only, as an error's words may hold a customer's.
        places = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s\n%s", type(error).__name__, places)
        return _fault(500, "something went wrong here; it has been logged")

    app.register_error_handler(Exception, tell)


def _body(kind: type[B]) -> B:
    if request.mimetype != "application/json":
        raise HttpProblem(415, "the body must be JSON: Content-Type: application/json")
    if request.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise HttpProblem(415, "the body must be UTF-8")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise HttpProblem(415, "the body must not be compressed")
    return read(request.get_data(cache=False), kind)


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise HttpProblem(
            400, "Idempotency-Key must be 1 to 128 printable characters without spaces"
        )
    return f"client:{key}"


def _number(name: str, default: int | None, most: int) -> int | None:
    given = request.args.get(name)
    if given is None:
        return default
    if not re.fullmatch(r"[0-9]{1,10}", given) or not 1 <= int(given) <= most:
        raise HttpProblem(422, f"{name} must be a whole number from 1 to {most}")
    return int(given)


def _page(rows: Callable[..., list[Any]], **where: Any) -> tuple[list[Any], int | None]:
    """Rows of a list, and the number below which the next ones are."""
    limit = _number("limit", 100, MOST_ROWS) or MOST_ROWS
    found = rows(before=_number("before", None, MAX_ID), limit=limit, **where)
    return found, found[-1]["id"] if len(found) == limit else None


def _status() -> str | None:
    status = request.args.get("status")
    if status is not None and status not in STATUSES:
        raise HttpProblem(422, f"status must be one of {', '.join(STATUSES)}")
    return status


def _wanted() -> Sequence[ColumnElement[bool]]:
    """The search that a list is asked for."""
    given = {name: request.args.get(name) for name in ("text", "category", "priority", "assignee")}
    for name, value in given.items():
        if value is not None and (len(value) > MAX_NAME or IMPOSSIBLE.search(value)):
            raise HttpProblem(422, f"{name} must be text of at most {MAX_NAME} characters")
    if given["priority"] is not None and given["priority"] not in PRIORITIES:
        raise HttpProblem(422, f"priority must be one of {', '.join(PRIORITIES)}")
    return wanted(**given)


def _tickets(app: Flask, desk: Desk, customers: Customers, gate: Gate) -> None:
    agents, drafts = Agents(desk), Drafts(desk)
    due = desk.promises.due

    def whole(row: Row) -> dict[str, Any]:
        """A ticket with its thread and its changes."""
        thread = [shown_message(message) for message in desk.store.messages(row)]
        changes = [shown_change(change) for change in desk.store.history(row["id"])]
        parts = parts_of(desk.store.database, row["id"])
        more = {"messages": thread, "changes": changes, "parts": parts}
        return shown_ticket(row, due(row)) | more

    def known(ticket_id: int) -> int:
        if not 1 <= ticket_id <= MAX_ID:
            raise NoSuchTicket
        return ticket_id

    @app.post("/process_ticket")
    def process_ticket() -> Any:
        body, key = _body(TicketIn), _key()
        with gate.pass_through():
            return jsonify(desk.process(body, key))

    @app.get("/tickets")
    def tickets() -> Any:
        found, below = _page(desk.store.tickets, status=_status(), wanted=_wanted())
        shown = [shown_ticket(row, due(row)) for row in found]
        return jsonify({"tickets": shown, "next_before": below, "counts": desk.store.counts()})

    @app.get("/queue")
    def queue() -> Any:
        limit = _number("limit", 100, MOST_ROWS) or MOST_ROWS
        try:
            where, after = _wanted(), request.args.get("after")
            found = desk.store.queue(desk.promises, _status(), after, limit, where)
        except ValueError:
            raise HttpProblem(422, "after must be next_after of an earlier answer") from None
        shown = [shown_ticket(row, due(row)) for row, _ in found]
        beyond = found[-1][1] if len(found) == limit else None
        return jsonify({"tickets": shown, "next_after": beyond, "counts": desk.store.counts()})

    @app.get("/tickets/<int:ticket_id>")
    def ticket(ticket_id: int) -> Any:
        return jsonify(whole(desk.ticket(known(ticket_id))))

    @app.post("/tickets/<int:ticket_id>/reply")
    def reply(ticket_id: int) -> Any:
        body, key = _body(ReplyIn), _key()
        return jsonify(whole(customers.reply(known(ticket_id), body, key)))

    @app.get("/tickets/<int:ticket_id>/articles")
    def articles(ticket_id: int) -> Any:
        return jsonify({"articles": drafts.articles(desk.ticket(known(ticket_id)))})

    @app.post("/tickets/<int:ticket_id>/draft")
    def draft(ticket_id: int) -> Any:
        with gate.pass_through():
            return jsonify(whole(drafts.draft(known(ticket_id))))

    @app.post("/tickets/<int:ticket_id>/merge")
    def merge(ticket_id: int) -> Any:
        body = _body(MergeIn)
        return jsonify(whole(agents.merge(known(ticket_id), body)))

    @app.patch("/tickets/<int:ticket_id>")
    def change(ticket_id: int) -> Any:
        body = _body(ChangeIn)
        # One that goes back to the assistant takes a place as a new one does.
        with gate.pass_through():
            row = agents.change(known(ticket_id), body)
        return jsonify(shown_ticket(row, due(row)))


def _feedback(app: Flask, desk: Desk, customers: Customers) -> None:
    @app.post("/submit_feedback")
    def submit_feedback() -> Any:
        customers.rate(_body(FeedbackIn), _key())
        return jsonify({"message": "Feedback submitted successfully."})

    @app.get("/feedback")
    def feedback() -> Any:
        found, below = _page(desk.store.feedback)
        return jsonify({"feedback": [shown_feedback(row) for row in found], "next_before": below})


def _about(app: Flask, desk: Desk, protected: bool) -> None:
    asker, scenario = desk.asker, desk.scenario
    document = describe([m.name for m in asker.models()], list(desk.categories), protected)
    allowed = {
        name: [STATUSES[k] for k in sorted(TRANSITIONS[code])] for code, name in enumerate(STATUSES)
    }

    @app.get("/models")
    def models() -> Any:
        known = asker.models()
        shown = [
            {
                "name": model.name,
                "context": model.context,
                "price_in": model.price_in,
                "price_out": model.price_out,
                "retired": model.retired and model.retired.isoformat(),
                "successor": model.successor,
            }
            for model in known
        ]
        return jsonify({"models": shown, "default": scenario.assistant.model})

    @app.get("/desk")
    def about() -> Any:
        return jsonify(
            {
                "scenario": scenario.name,
                "question": scenario.question,
                "categories": list(desk.categories),
                "statuses": list(STATUSES),
                "transitions": allowed,
                "use_rag": scenario.assistant.retrieval,
            }
        )

    @app.get("/health")
    def health() -> Any:
        desk.store.ping()
        real = asker.backend == "groq"
        note = "" if real else (
            "No key is in use, so no language model answers: the desk looks for the help article "
            "that fits best and answers in its words (backend embedded). A model that customers "
            "choose is noted as wanted."
        )  # fmt: skip
        return jsonify(
            {
                "status": "ok",
                "backend": asker.backend,
                "model": answering_model(asker.backend, scenario.assistant.model),
                "note": note,
                "version": twin.__version__,
            }
        )

    @app.get("/openapi.json")
    def openapi() -> Any:
        return jsonify(document)
