"""The API's description of itself (OpenAPI 3.1), made from the models that check the bodies."""

from __future__ import annotations

from typing import Any

import twin
from twin.live.bodies import (
    FILLED,
    MAX_ID,
    MAX_NAME,
    TOLD,
    ChangeIn,
    FeedbackIn,
    MergeIn,
    ReplyIn,
    TicketIn,
)
from twin.live.promises import PLACE
from twin.records.tables import STATUSES
from twin.scenario.model import PRIORITIES

_TEXT = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}
_WHOLE = {"type": "integer"}
_ID = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
_SHARE = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_STATUS = {"type": "string", "enum": list(STATUSES)}
_MOMENT = {"type": ["string", "null"], "format": "date-time"}

_WHY = {
    "400": "Not JSON, or no description.",
    "401": "The token is missing or wrong.",
    "403": "A page of another site asks, and there is no token.",
    "404": "There is no such thing here.",
    "409": "The ticket is in another state or being worked on, or the key was used before.",
    "413": "The body is too large.",
    "415": "The body is not said to be JSON.",
    "421": "The host name is not one of this desk's.",
    "422": "JSON that does not say what it must.",
    "429": "Too many requests.",
    "500": "A fault of this program.",
    "502": "The provider failed; the ticket is kept for an agent.",
    "503": "Too busy, or the provider or the store is not there.",
    "504": "The provider was too slow; the ticket is kept for an agent.",
    "507": "The store's disk is full.",
}
_ALWAYS = ("403", "421", "429", "500", "503")
_WITH_BODY = ("400", "413", "415", "422", "507")


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_ARTICLE = _object(slug=_TEXT, title=_TEXT, score={"type": "number"})
_WITH_TEXT = _object(slug=_TEXT, title=_TEXT, score={"type": "number"}, text=_TEXT)
_CHANGE = _object(status=_STATUS, at=_MOMENT, by=_TEXT)
_ANSWERED = {
    "backend": {
        **_TEXT, "description": "that wrote the answer or draft; empty: a person, or not known",
    },
    "model": {**_TEXT, "description": "language model that wrote it; empty: none did"},
    "prompt_version": {**_TEXT, "description": "version of its prompts"},
    "model_wanted": {**_TEXT, "description": "language model that was asked for"},
}  # fmt: skip
_SUGGESTION = {
    **_object(text=_TEXT, backend=_TEXT, model=_TEXT, prompt_version=_TEXT,
              articles=_many(_ARTICLE),
              sent={"type": "boolean", "description": "True: the customer had this very answer"}),
    "description": "draft by the assistant that an agent asked for; nothing of it was sent",
}  # fmt: skip
_SHOWN = {
    "ticket_id": _ID,
    "description": _TEXT,
    "category": _TEXT,
    "response": _TEXT,
    "status": _STATUS,
    "draft": _TEXT,
    "priority": _TEXT,
    **_ANSWERED,
    "use_rag": {"type": "boolean"},
    "confidence": _SHARE,
    "categorized_by": _MAYBE_TEXT,
    "articles": _many(_ARTICLE),
    "received_at": _MOMENT,
    "responded_at": _MOMENT,
    "resolved_at": _MOMENT,
    "resolved_by": _MAYBE_TEXT,
    "answered_at": {**_MOMENT, "description": "of the newest answer"},
    "answered_by": {**_MAYBE_TEXT, "description": "who gave the newest answer"},
    "resolves_at": {
        **_MOMENT,
        "description": "when it is resolved if its customer says nothing",
    },
    "reopens": _WHOLE,
    "version": {**_WHOLE, "description": "rises with every change and every word of the customer"},
    "assignee": {**_TEXT, "description": "the agent whose ticket it is; empty: nobody's"},
    "merged_into": {"type": ["integer", "null"], "description": "ticket that it is a part of"},
    "suggestion": {"anyOf": [_SUGGESTION, {"type": "null"}]},
    "first_response_due": _MOMENT,
    "resolution_due": _MOMENT,
}
_TICKET = _object(**_SHOWN)
_MESSAGE = _object(
    at=_MOMENT,
    by={**_TEXT, "description": "customer, assistant or agent; desk: not known"},
    text=_TEXT,
    helped={"type": ["boolean", "null"], "description": "whether the answer before it helped"},
    person={"type": "boolean", "description": "whether the customer asks for a person"},
)
_WHOLE_TICKET = _object(
    **_SHOWN,
    messages=_many(_MESSAGE),
    changes=_many(_CHANGE),
    parts={**_many(_ID), "description": "tickets that became a part of it"},
)
_ANSWER = _object(
    category=_TEXT,
    response=_TEXT,
    ticket_id=_ID,
    status=_STATUS,
    confidence=_SHARE,
    articles=_many(_ARTICLE),
    **_ANSWERED,
    use_rag={"type": "boolean"},
    resolved_by=_MAYBE_TEXT,
    answered_by=_MAYBE_TEXT,
    latency_s={"type": ["number", "null"]},
    prompt_tokens=_WHOLE,
    completion_tokens=_WHOLE,
)
_RATED = _object(
    description=_TEXT,
    **_ANSWERED,
    rating={"type": "integer", "minimum": 1, "maximum": 5},
    feedback=_TEXT,
    feedback_id=_ID,
    ticket_id={"type": ["integer", "null"]},
    category=_TEXT,
    at=_MOMENT,
)
_NEXT = {"type": ["integer", "null"], "description": "ask with `before` set to this for more"}
_COUNTS = {"type": "object", "additionalProperties": _WHOLE}
_NEXT_AFTER = {
    **_MAYBE_TEXT, "description": "ask with `after` set to this for more",
}  # fmt: skip
_MODEL = _object(
    name=_TEXT,
    context=_WHOLE,
    price_in={"type": ["number", "null"]},
    price_out={"type": ["number", "null"]},
    retired=_MAYBE_TEXT,
    successor=_MAYBE_TEXT,
)
_DESK = _object(
    scenario=_TEXT,
    question=_TEXT,
    categories=_many(_TEXT),
    statuses=_many(_STATUS),
    transitions={"type": "object", "additionalProperties": _many(_STATUS)},
    use_rag={"type": "boolean"},
)
_HEALTH = _object(
    status={"const": "ok"}, backend=_TEXT, model=_TEXT, note=_TEXT, version=_TEXT
)  # fmt: skip


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _operation(
    name: str,
    summary: str,
    answer: dict[str, Any],
    *why: str,
    body: str | None = None,
    parameters: tuple[dict[str, Any], ...] = (),
    protected: bool = True,
) -> dict[str, Any]:
    reasons = {*why, *_ALWAYS, *(_WITH_BODY if body else ()), *(("401",) if protected else ())}
    fault = {"$ref": "#/components/schemas/Fault"}
    responses = {"200": {"description": "As asked.", **_json(answer)}}
    responses |= {code: {"description": _WHY[code], **_json(fault)} for code in sorted(reasons)}
    found: dict[str, Any] = {"operationId": name, "summary": summary, "responses": responses}
    if parameters:
        found["parameters"] = list(parameters)
    if body is not None:
        reference = {"$ref": f"#/components/schemas/{body}"}
        found["requestBody"] = {"required": True, **_json(reference)}
    if protected:
        found["security"] = [{"token": []}]
    return found


def _parameter(name: str, where: str, schema: Any, words: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "schema": schema,
        "description": words,
    }


_KEY = _parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "pattern": "^[!-~]{1,128}$"},
    "the same request sent again under the same key counts once",
)
_TICKET_ID = _parameter("ticket_id", "path", _ID, "number of the ticket")
_LIMIT = _parameter(
    "limit", "query", {"type": "integer", "minimum": 1, "maximum": 500}, "most rows; default 100"
)
_BEFORE = _parameter("before", "query", _ID, "only rows of lower numbers")
_AFTER = _parameter(
    "after", "query", {"type": "string", "pattern": PLACE},
    "only tickets behind `next_after` of an earlier answer",
)  # fmt: skip
_OF_STATUS = _parameter("status", "query", _STATUS, "only tickets of this status")
_NAME = {"type": "string", "maxLength": MAX_NAME, "pattern": "^[^\\u0000]*$"}
_SEARCH = (
    _OF_STATUS,
    _parameter("text", "query", _NAME, "only tickets with this in description or thread"),
    _parameter("category", "query", _NAME, "only tickets of this category"),
    _parameter("priority", "query", {"enum": list(PRIORITIES)}, "only tickets of this priority"),
    _parameter("assignee", "query", _NAME, "only tickets of this agent; empty: of nobody"),
)


def describe(models: list[str], categories: list[str], protected: bool) -> dict[str, Any]:
    """The description of an API.

    Parameters
    ----------
    models : list of str
        Models that can be asked for.
    categories : list of str
    protected : bool
        Whether it asks for a token.
    """
    schemas: dict[str, Any] = {"Fault": _object(error=_TEXT)}
    for kind in (TicketIn, FeedbackIn, ReplyIn, ChangeIn, MergeIn):
        made = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= made.pop("$defs", {})
        schemas[kind.__name__] = made
    schemas["TicketIn"]["properties"]["model"]["anyOf"][0] = {"type": "string", "enum": models}
    schemas["ChangeIn"]["properties"]["category"]["anyOf"][0] = {
        "type": "string",
        "enum": categories,
    }
    schemas["ChangeIn"] |= _change_rules()
    schemas["ReplyIn"] |= _reply_rules()

    def operation(*args: Any, **options: Any) -> dict[str, Any]:
        options.setdefault("protected", True)
        options["protected"] = options["protected"] and protected
        return _operation(*args, **options)

    paths = {
        "/process_ticket": {
            "post": operation(
                "process_ticket", "File a ticket and get its category and answer.", _ANSWER,
                "409", "502", "504", body="TicketIn", parameters=(_KEY,),
            )
        },
        "/submit_feedback": {
            "post": operation(
                "submit_feedback", "Say what an answer was worth.", _object(message=_TEXT),
                "404", "409", body="FeedbackIn", parameters=(_KEY,),
            )
        },
        "/tickets": {
            "get": operation(
                "tickets", "Tickets, newest first.",
                _object(tickets=_many(_TICKET), next_before=_NEXT, counts=_COUNTS),
                "422", parameters=(*_SEARCH, _LIMIT, _BEFORE),
            )
        },
        "/queue": {
            "get": operation(
                "queue", "Tickets for the desk, or those of a status, the most overdue first.",
                _object(tickets=_many(_TICKET), next_after=_NEXT_AFTER, counts=_COUNTS),
                "422", parameters=(*_SEARCH, _LIMIT, _AFTER),
            )
        },
        "/tickets/{ticket_id}": {
            "get": operation(
                "ticket", "A ticket, its thread and its changes of status.", _WHOLE_TICKET,
                "404", parameters=(_TICKET_ID,),
            ),
            "patch": operation(
                "change_ticket", "What an agent does with a ticket.", _TICKET,
                "404", "409", body="ChangeIn", parameters=(_TICKET_ID,),
            ),
        },
        "/tickets/{ticket_id}/reply": {
            "post": operation(
                "reply", "Say whether an answer helped, write again, or ask for a person.",
                _WHOLE_TICKET, "404", "409", body="ReplyIn", parameters=(_TICKET_ID, _KEY),
            )
        },
        "/tickets/{ticket_id}/articles": {
            "get": operation(
                "articles", "Help articles that fit what the customer wrote, for agents.",
                _object(articles=_many(_WITH_TEXT)), "404", parameters=(_TICKET_ID,),
            )
        },
        "/tickets/{ticket_id}/draft": {
            "post": operation(
                "draft", "Have the assistant write a draft for an agent, once.", _WHOLE_TICKET,
                "404", "409", "422", "502", "504", "507", parameters=(_TICKET_ID,),
            )
        },
        "/tickets/{ticket_id}/merge": {
            "post": operation(
                "merge", "Make a ticket a part of another one.", _WHOLE_TICKET,
                "404", "409", body="MergeIn", parameters=(_TICKET_ID,),
            )
        },
        "/feedback": {
            "get": operation(
                "feedback", "Feedback, newest first.",
                _object(feedback=_many(_RATED), next_before=_NEXT),
                "422", parameters=(_LIMIT, _BEFORE),
            )
        },
        "/models": {
            "get": operation(
                "models", "Models that can be asked for.",
                _object(models=_many(_MODEL), default=_TEXT),
            )
        },
        "/desk": {"get": operation("desk", "Categories, statuses and rules.", _DESK)},
        "/health": {
            "get": operation("health", "Whether the desk works.", _HEALTH, protected=False)
        },
        "/openapi.json": {
            "get": operation("openapi", "This document.", {"type": "object"}, protected=False)
        },
    }  # fmt: skip
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Live desk",
            "version": twin.__version__,
            "description": "A support desk whose tickets the twin simulates.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if protected:
        scheme = {"type": "http", "scheme": "bearer"}
        document["components"]["securitySchemes"] = {"token": scheme}
    return document


def _change_rules() -> dict[str, Any]:
    """The rules that `ChangeIn` checks beyond its single fields."""

    def given(name: str) -> dict[str, Any]:
        return {"required": [name], "properties": {name: {"type": "string"}}}

    told = {"required": ["status"], "properties": {"status": {"enum": list(TOLD)}}}
    return {
        "anyOf": [
            given(name) for name in ("status", "response", "category", "priority", "assignee")
        ],
        "if": given("response"),
        "then": told,
    }


def _reply_rules() -> dict[str, Any]:
    """The rules that `ReplyIn` checks beyond its single fields."""

    def given(name: str, **schema: Any) -> dict[str, Any]:
        return {"required": [name], "properties": {name: schema}}

    person, helped = given("person", const=True), given("helped", const=True)
    said = given("helped", type="boolean"), given("text", pattern=FILLED)
    return {"anyOf": [*said, person], "not": {"allOf": [person, helped]}}
