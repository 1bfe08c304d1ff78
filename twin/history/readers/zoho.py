"""Zoho Desk: tickets of its API, and the CSV of its page."""

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
        "created": ("createdTime",), "agent": ("assigneeId",), "group": ("departmentId",),
        "status": ("status",), "channel": ("channel",), "priority": ("priority",),
        "subject": ("subject",), "description": ("description",),
    },
    guessed={
        "id": ("ticketNumber", "Ticket Id", "Request Id"), "closed": ("closedTime",
                                                                      "Ticket Closed Time"),
        "created": ("Created Time", "Created Time (Ticket)"), "updated": ("modifiedTime",
                                                                          "Modified Time"),
        "first_reply": ("customerResponseTime",), "first_reply_after": ("firstResponseTime",),
        "category": ("category", "classification"), "reopens": ("reopenCount",),
        "rating": ("happinessRating", "Happiness Rating"),
        "status": ("Status (Ticket)",), "agent": ("Ticket Owner",),
        "group": ("Department", "Team Id"), "channel": ("Channel (Ticket)",),
        "priority": ("Priority (Ticket)",),
    },
)  # fmt: skip
_MARKS = ("ticketNumber", "createdTime", "departmentId", "assigneeId", "onholdTime", "closedTime",
          "isSpam", "webUrl")  # fmt: skip
_PAGE = ("Ticket Id", "Created Time (Ticket)", "Status (Ticket)", "Ticket Owner",
         "Ticket Closed Time", "Channel (Ticket)")  # fmt: skip


@dataclass(frozen=True)
class Zoho:
    """Exports of Zoho Desk."""

    name: str = "zoho"
    title: str = "Zoho Desk"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By the keys of its API, or the columns of its page."""
        sheet = best(sheets, NAMES)
        return min(1.0, 1.5 * max(share(sheet, _MARKS), share(sheet, _PAGE)))

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read tickets."""
        sheets = [s for s in sheets if any(map(s.find, ("createdTime", "Created Time",
                  "Created Time (Ticket)")))] or sheets[:1]  # fmt: skip
        gathered = joined([of_tickets(s, choices, NAMES, self.title)[0] for s in sheets],
                          self.title)  # fmt: skip
        # It tells one end only.
        if "closed" in gathered.columns:
            gathered.known.add("resolutions")
        return gathered
