"""Bodies of requests and answers.

Models check what clients send, and the API is described from them; tickets and feedback are shown
in the shapes of `twin.records`, with more keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from twin.common.errors import TwinError
from twin.common.text import moment
from twin.records.tables import STATUSES, feedback_dictionary
from twin.scenario.model import PRIORITIES, Priority

# Largest number that a column of whole numbers holds in every database.
MAX_ID = 2**31 - 1
MAX_DESCRIPTION, MAX_TEXT, MAX_NAME = 8_000, 8_000, 200
NO_DESCRIPTION = "Please provide a ticket description."
# What customers are told where a person has their ticket.
FOR_AGENTS = "Thank you. An agent will answer you as soon as possible."

# PostgreSQL cannot keep the first, and UTF-8 not the others, which JSON can write as \ud800.
IMPOSSIBLE = re.compile("[\x00\ud800-\udfff]")
# As JSON Schema says it: no NUL, and something to be seen: neither white space nor a mark without
# width.
_ANY = r"^[^\u0000]*$"
_SOME = r"[^\s\u0000\u001c-\u001f\u0085\u00ad\u200b-\u200f\u2060-\u2064\ufeff]"
FILLED = rf"^[^\u0000]*{_SOME}[^\u0000]*$"
_VISIBLE = re.compile(_SOME)

_WORDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "extra_forbidden": "is not a field of this request",
    "missing": "is missing",
    "string_too_long": "must have at most {max_length} characters",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "model_type": "must be a JSON object",
}
_MOST_FAULTS = 10


def _possible(text: str) -> str:
    if IMPOSSIBLE.search(text):
        raise PydanticCustomError("text", "holds characters that are not text")
    return text


def _filled(text: str) -> str:
    if not _VISIBLE.search(text):
        raise PydanticCustomError("text", "must not be empty")
    return text


def _whole(value: Any) -> Any:
    # JSON has one kind of number: 5.0 is a whole one.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _field(longest: int, pattern: str, **more: Any) -> Any:
    return Field(max_length=longest, json_schema_extra={"pattern": pattern}, **more)


Description = Annotated[
    str, _field(MAX_DESCRIPTION, FILLED), AfterValidator(_possible), AfterValidator(_filled)
]
LongText = Annotated[str, _field(MAX_TEXT, _ANY), AfterValidator(_possible)]
FilledText = Annotated[
    str, _field(MAX_TEXT, FILLED), AfterValidator(_possible), AfterValidator(_filled)
]
Name = Annotated[str, _field(MAX_NAME, _ANY), AfterValidator(_possible)]
Number = Annotated[int, Field(ge=1, le=MAX_ID), BeforeValidator(_whole)]
Rating = Annotated[int, Field(ge=1, le=5), BeforeValidator(_whole)]
Status = Literal[
    "Open", "Categorized", "In Progress", "Waiting for customer", "On hold", "Pending Review",
    "Escalated", "Resolved", "Reopened", "Closed", "Abandoned",
]  # fmt: skip
assert get_args(Status) == STATUSES
# Statuses that an agent sets with a text for the customer: an answer, or a question.
TOLD = ("Resolved", "Waiting for customer")


class Body(BaseModel):
    """Base of all bodies: strict in types, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TicketIn(Body):
    """A ticket to be answered."""

    description: Description = Field(description="what the customer writes")
    model: Name | None = Field(
        None,
        description="language model wanted; default: the desk's. The answer says what answered",
    )
    use_rag: bool | None = Field(None, description="look up articles; default: as the desk does")
    priority: Priority = Field("normal", description=f"one of {', '.join(PRIORITIES)}")


class FeedbackIn(Body):
    """A customer's opinion of an answer."""

    description: Description = Field(description="of the ticket")
    model: Name = Field(
        "", description="language model wanted, or that answered; the ticket knows what did"
    )
    rating: Rating = Field(description="stars, 1 to 5")
    feedback: LongText = Field("", description="comment")
    ticket_id: Number | None = Field(None, description="the ticket's number, where it is known")


class ReplyIn(Body):
    """A customer's word on a ticket."""

    helped: bool | None = Field(
        None, description="whether the answer helped; false reopens the ticket for a person"
    )
    text: LongText = Field(
        "", description="what the customer writes; the ticket goes to a person with it"
    )
    person: bool = Field(False, description="the customer asks for a person")

    @model_validator(mode="after")
    def _check(self) -> ReplyIn:
        if self.helped is None and not self.person and not _VISIBLE.search(self.text):
            raise PydanticCustomError("reply", "says nothing")
        if self.helped and self.person:
            raise PydanticCustomError("reply", "helped and person do not go together")
        return self


class ChangeIn(Body):
    """A change that an agent makes to a ticket."""

    status: Status | None = Field(None, description="new status, if the present one allows it")
    response: FilledText | None = Field(
        None,
        description="the agent's answer, or the mended draft, with status Resolved; a question, "
        "with status Waiting for customer",
    )
    category: Name | None = Field(None, description="the right category")
    priority: Priority | None = Field(None, description="new priority")
    assignee: Name | None = Field(
        None, description="name of the agent whose ticket it is; empty: nobody's"
    )
    version: Number | None = Field(
        None, description="of the ticket as the agent saw it; a newer one is a conflict"
    )

    @model_validator(mode="after")
    def _check(self) -> ChangeIn:
        if self.status is None and self.response is None:
            if self.category is None and self.priority is None and self.assignee is None:
                raise PydanticCustomError("change", "says nothing to change")
        elif self.response is not None and self.status not in TOLD:
            raise PydanticCustomError(
                "change", 'a response goes with status "Resolved" or "Waiting for customer"'
            )
        return self


class MergeIn(Body):
    """A ticket that becomes a part of another one."""

    into: Number = Field(description="number of the other ticket")
    version: Number | None = Field(None, description="of the ticket as the agent saw it")


B = TypeVar("B", bound=Body)
Row = Mapping[str, Any]


class Unreadable(TwinError, ValueError):
    """A body that is not JSON text in UTF-8."""


class Empty(TwinError, ValueError):
    """A ticket without a description."""


class Wrong(TwinError, ValueError):
    """A JSON body with missing or wrong fields; the message names them without their values."""


def read(raw: bytes, kind: type[B]) -> B:
    """A body.

    Raises
    ------
    Unreadable, Empty, Wrong
    """
    data = _json(raw)
    if isinstance(data, dict) and "description" in kind.model_fields:
        text = data.get("description")
        if text is None or (isinstance(text, str) and not _VISIBLE.search(text)):
            raise Empty(NO_DESCRIPTION)
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)[:_MOST_FAULTS]
        raise Wrong("; ".join(map(_words, faults))) from None


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the body is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"the body is not JSON ({place})") from None
    except RecursionError:
        raise Unreadable("the body is nested too deeply") from None
    except Unreadable:
        raise
    except ValueError:
        raise Unreadable("the body holds a number that is too long") from None


def _no_constant(name: str) -> Any:
    raise Unreadable(f"the body is not JSON: it has no {name}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unreadable("the body gives a field twice")
    return found


def _words(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    # A name that we did not choose may be anything.
    where = where.encode("ascii", "replace").decode()[:40] or "the body"
    reason = _WORDS.get(fault["type"], fault["msg"]).format(**fault.get("ctx", {}))
    return f"{where} {reason}"


def what_answered(row: Row) -> dict[str, str]:
    """Backend, language model and prompt version of a ticket's answer, or of its draft.

    All are empty where a person wrote what was sent, and the model where no language model did.
    """
    own = not row["response"] or row["response"] == row["draft"]
    return {
        "backend": row["backend"] if own else "",
        "model": row["answered_model"] if own else "",
        "prompt_version": row["prompt_version"] if own else "",
    }


def shown_ticket(row: Row, due: Row | None = None) -> dict[str, Any]:
    """A ticket as lists show it.

    Parameters
    ----------
    row : mapping
        From the store.
    due : mapping, optional
        Moments by which it is to be answered and resolved.
    """
    return {
        "ticket_id": row["id"],
        "description": row["description"],
        "category": row["category"] or "",
        "response": row["response"] or "",
        "status": row["status"],
        "draft": row["draft"] or "",
        "priority": row["priority"],
        **what_answered(row),
        "model_wanted": row["model"],
        "use_rag": row["use_rag"],
        "confidence": row["confidence"],
        "categorized_by": row["categorized_by"],
        "articles": json.loads(row["articles"]),
        "received_at": moment(row["received_at"]),
        "responded_at": moment(row["responded_at"]),
        "resolved_at": moment(row["resolved_at"]),
        "resolved_by": row["resolved_by"],
        "answered_at": moment(row["answered_at"]),
        "answered_by": row["answered_by"],
        "resolves_at": moment(row["resolves_at"]),
        "reopens": row["reopens"],
        "version": row["version"],
        "assignee": row["assignee"],
        "merged_into": row["merged_into"],
        "suggestion": _suggestion(row),
        "first_response_due": moment((due or {}).get("first_response")),
        "resolution_due": moment((due or {}).get("resolution")),
    }


def _suggestion(row: Row) -> dict[str, Any] | None:
    # Of a draft from before it was told, it is not known whether it had been sent.
    return None if row["suggestion"] is None else {"sent": False} | json.loads(row["suggestion"])


def shown_change(row: Row) -> dict[str, Any]:
    """A change of status."""
    return {"status": row["status"], "at": moment(row["at"]), "by": row["by"]}


def shown_message(row: Row) -> dict[str, Any]:
    """A message of a ticket's thread."""
    shown = {name: row[name] for name in ("by", "text", "helped", "person")}
    return {"at": moment(row["at"]), **shown}


def shown_feedback(row: Row) -> dict[str, Any]:
    """A piece of feedback."""
    said = row["description"], row["answered_model"], row["rating"], row["feedback"]
    return feedback_dictionary(*said, row["backend"]) | {
        "prompt_version": row["prompt_version"],
        "model_wanted": row["model"],
        "feedback_id": row["id"],
        "ticket_id": row["ticket_id"],
        "category": row["category"],
        "at": moment(row["at"]),
    }


def answered(row: Row, note: str, calls: Sequence[Row]) -> dict[str, Any]:
    """The answer to a filed ticket; `note` stands in where nothing was sent yet."""
    began = row["received_at"]
    ended = row["responded_at"]
    return {
        "category": row["category"] or "",
        "response": row["response"] or note,
        "ticket_id": row["id"],
        "status": row["status"],
        "confidence": row["confidence"],
        "articles": json.loads(row["articles"]),
        **what_answered(row),
        "model_wanted": row["model"],
        "use_rag": row["use_rag"],
        "resolved_by": row["resolved_by"],
        "answered_by": row["answered_by"],
        "latency_s": None if ended is None else round(max(ended - began, 0.0), 6),
        "prompt_tokens": sum(call["prompt_tokens"] for call in calls),
        "completion_tokens": sum(call["completion_tokens"] for call in calls),
    }
