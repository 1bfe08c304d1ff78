"""Intercom: conversations with their statistics and parts (JSON), or as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from twin.history.gathered import Choices, Gathered
from twin.history.readers.generic import joined
from twin.history.readers.parted import child, moments, parents, set_changes, words
from twin.history.readers.protocol import best, share
from twin.history.readers.shapes import of_tickets
from twin.history.readers.taken import Names
from twin.history.sheet import Sheet

NAMES = Names(
    seen={
        "id": ("id", "conversation_id"), "created": ("created_at",),
        "first_reply": ("statistics.first_admin_reply_at", "first_admin_reply_at"),
        "solved": ("statistics.last_close_at", "statistics.first_close_at"),
        "first_reply_after": ("statistics.time_to_admin_reply",), "updated": ("updated_at",),
        "status": ("state",), "priority": ("priority",), "group": ("team_assignee_id",),
        "agent": ("admin_assignee_id",), "reopens": ("statistics.count_reopens",),
        "transfers": ("statistics.count_assignments",), "tags": ("tags.tags",),
        "channel": ("source.type",), "subject": ("source.subject",),
        "description": ("source.body",),
    },
    guessed={"rating": ("conversation_rating.rating", "Conversation rating"),
             "solved": ("last_close_at", "Last close (UTC)"), "status": ("Current state",),
             "created": ("Started at",), "comment": ("conversation_rating.remark",)},
)  # fmt: skip
_MARKS = ("waiting_since", "snoozed_until", "state", "statistics.first_admin_reply_at",
          "admin_assignee_id", "team_assignee_id")  # fmt: skip
_PARTS = {"close": "closed", "open": "open", "snoozed": "snoozed", "unsnoozed": "open",
          "timer_unsnooze": "open"}  # fmt: skip


@dataclass(frozen=True)
class Intercom:
    """Exports of Intercom."""

    name: str = "intercom"
    title: str = "Intercom"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By the columns of conversations."""
        return share(best(sheets, NAMES), _MARKS)

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read conversations, and where there are parts each status with its moment."""
        main = [s for s in sheets if s.find("state") and s.find("created_at")] or sheets[:1]
        parts = []
        for sheet in main:
            gathered, taken = of_tickets(sheet, choices, NAMES, self.title)
            # Closed is not for good here: a reply opens it again.
            closed = gathered.tickets["status"].str.casefold() == "closed"
            gathered.tickets["status"] = gathered.tickets["status"].mask(closed, "resolved")
            inner = child(sheets, sheet, "conversation_parts.conversation_parts")
            if inner is not None:
                _add_parts(gathered, inner, choices)
            if "first_reply_after" in taken and "first_reply" not in taken:
                gathered.notes.append("Reply times of Intercom leave out the time outside of "
                                      "office hours: they are too short around the "
                                      "clock.")  # fmt: skip
            parts.append(gathered)
        return joined(parts, self.title)


def _add_parts(gathered: Gathered, inner: Sheet, choices: Choices) -> None:
    kind = words(inner, "part_type")
    rows = pd.DataFrame({
        "ticket": parents(inner), "status": kind.map(_PARTS),
        "at": moments(inner, choices, "created_at"), "agent": words(inner, "author.id"),
        "author": words(inner, "author.type"),
    })  # fmt: skip
    rows["agent"] = rows["agent"].where(rows["author"].isin(("admin", "bot")), None)
    rows["agent"] = rows["agent"].mask(rows["author"] == "bot", "bot")
    # A customer who writes again after the end opens it.
    comes = kind.isin(("comment", "open")) & rows["author"].isin(("user", "lead", "contact"))
    rows["status"] = rows["status"].mask(comes, "open").replace({"closed": "resolved"})
    rows["id"] = gathered.tickets["id"].reindex(rows["ticket"]).to_numpy()
    rows = rows[rows["status"].notna()]
    set_changes(gathered, rows, inner, {"part_type": "status", "created_at": "time"})
