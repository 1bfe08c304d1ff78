"""Freshdesk: tickets of its API with their stats, and the CSV of its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twin.history.gathered import Choices, Gathered
from twin.history.readers.generic import joined
from twin.history.readers.protocol import best, share
from twin.history.readers.shapes import of_tickets
from twin.history.readers.taken import Names
from twin.history.sheet import Sheet

NAMES = Names(
    seen={
        "id": ("id",), "created": ("created_at",),
        "first_reply": ("stats.first_responded_at", "stats.firstRespondedAt"),
        "solved": ("stats.resolved_at", "stats.resolvedAt"),
        "closed": ("stats.closed_at", "stats.closedAt"), "updated": ("updated_at",),
        "status": ("status",), "priority": ("priority",), "category": ("type",),
        "group": ("group_id",), "agent": ("responder_id",), "tags": ("tags",),
        "subject": ("subject",), "description": ("description_text",), "channel": ("source",),
    },
    guessed={
        "id": ("Ticket ID",), "created": ("Created time",), "solved": ("Resolved time",),
        "closed": ("Closed time",), "updated": ("Last update time",),
        "first_reply": ("Initial response time",),
        "first_reply_after": ("First response time (in hrs)", "First response time"),
        "solved_after": ("Resolution time (in hrs)", "Resolution time"),
        "status": ("Status",), "priority": ("Priority",), "channel": ("Source",),
        "category": ("Type",), "agent": ("Agent",), "group": ("Group",), "tags": ("Tags",),
        "rating": ("Survey results",), "transfers": ("Agent interactions",),
    },
    units={"first_reply_after": 3600.0, "solved_after": 3600.0},
)  # fmt: skip
_MARKS = ("responder_id", "fr_escalated", "stats.first_responded_at", "stats.resolved_at",
          "fwd_emails", "fr_due_by", "due_by")  # fmt: skip
_PAGE = ("Ticket ID", "Created time", "Resolved time", "Initial response time", "Last update time",
         "Resolution status", "First response status", "Agent interactions")  # fmt: skip
# Codes of its API.
_STATUSES = {"2": "Open", "3": "Pending", "4": "Resolved", "5": "Closed"}
_PRIORITIES = {"1": "low", "2": "normal", "3": "high", "4": "urgent", "medium": "normal"}
_CHANNELS = {"1": "email", "2": "portal", "3": "phone", "7": "chat", "9": "feedback widget",
             "10": "outbound email"}  # fmt: skip


@dataclass(frozen=True)
class Freshdesk:
    """Exports of Freshdesk."""

    name: str = "freshdesk"
    title: str = "Freshdesk"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By the columns of its API or of its page."""
        sheet = best(sheets, NAMES)
        return min(1.0, 2 * max(share(sheet, _MARKS), share(sheet, _PAGE)))

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read tickets; moments of the last resolution and reply only."""
        sheets = [s for s in sheets if s.find("created_at") or s.find("Created time")] or sheets[:1]
        parts = [of_tickets(sheet, choices, NAMES, self.title)[0] for sheet in sheets]
        gathered = joined(parts, self.title)
        gathered.priorities = _PRIORITIES
        for name, table in (("status", _STATUSES), ("channel", _CHANNELS)):
            words = gathered.tickets[name]
            gathered.tickets[name] = words.map(lambda one, of=table: of.get(one, one))
        return gathered
