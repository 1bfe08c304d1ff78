"""Tickets and feedback in the shapes in which the live desk shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from twin.common.text import moment
from twin.records.tables import feedback_dictionary

# Largest number that a column of whole numbers holds in every database.
MAX_ID = 2**31 - 1

Row = Mapping[str, Any]


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
        "model": row["model"],
        "use_rag": row["use_rag"],
        "confidence": row["confidence"],
        "categorized_by": row["categorized_by"],
        "articles": json.loads(row["articles"]),
        "received_at": moment(row["received_at"]),
        "responded_at": moment(row["responded_at"]),
        "resolved_at": moment(row["resolved_at"]),
        "resolved_by": row["resolved_by"],
        "reopens": row["reopens"],
        "first_response_due": moment((due or {}).get("first_response")),
        "resolution_due": moment((due or {}).get("resolution")),
    }


def shown_change(row: Row) -> dict[str, Any]:
    """A change of status."""
    return {"status": row["status"], "at": moment(row["at"]), "by": row["by"]}


def shown_feedback(row: Row) -> dict[str, Any]:
    """A piece of feedback."""
    shape = feedback_dictionary(row["description"], row["model"], row["rating"], row["feedback"])
    return shape | {
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
        "model": row["model"],
        "use_rag": row["use_rag"],
        "latency_s": None if ended is None else round(max(ended - began, 0.0), 6),
        "prompt_tokens": sum(call["prompt_tokens"] for call in calls),
        "completion_tokens": sum(call["completion_tokens"] for call in calls),
    }
