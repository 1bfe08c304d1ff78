"""Request Tracker 5: tickets with their transactions, as `twin pull rt` writes them."""

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
        "id": ("id",), "created": ("Created",), "solved": ("Resolved",),
        "updated": ("LastUpdated",), "status": ("Status",), "priority": ("Priority",),
        "group": ("Queue.Name",), "agent": ("Owner.id",), "category": ("Category",),
        "rating": ("Satisfaction",), "subject": ("Subject",), "description": ("Description",),
    },
)  # fmt: skip
_MARKS = ("LastUpdated", "Queue.Name", "Owner.id", "Status")
# Stalled: "waiting for something", by RT's manual most often for the requestor's answer.
_STATES = {"stalled": "Waiting for customer", "rejected": "Closed"}
# $PriorityAsString, as RT comes.
_PRIORITIES = {"0": "Low", "50": "Medium", "100": "High"}
_NOBODY = "Nobody"


@dataclass(frozen=True)
class RequestTracker:
    """Exports of Request Tracker."""

    name: str = "rt"
    title: str = "Request Tracker"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By the fields of tickets."""
        return share(best(sheets, NAMES), _MARKS)

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read tickets; their transactions tell each status and the first reply."""
        main = [s for s in sheets if s.find("LastUpdated")] or sheets[:1]
        parts = []
        for sheet in main:
            gathered, _ = of_tickets(sheet, choices, NAMES, self.title)
            told = child(sheets, sheet, "Transactions")
            if told is not None:
                _add_transactions(gathered, told, choices)
            tickets = gathered.tickets
            tickets["status"] = tickets["status"].map(lambda one: _STATES.get(one, one))
            tickets["agent"] = tickets["agent"].where(tickets["agent"] != _NOBODY, None)
            own = choices.priorities
            tickets["priority"] = tickets["priority"].map(
                lambda one, own=own: one if one in own else _PRIORITIES.get(one, one)
            )
            parts.append(gathered)
        return joined(parts, self.title)


def _add_transactions(gathered: Gathered, told: Sheet, choices: Choices) -> None:
    rows = pd.DataFrame({
        "ticket": parents(told), "at": moments(told, choices, "Created"),
        "type": words(told, "Type"), "field": words(told, "Field"),
        "status": words(told, "NewValue"), "before": words(told, "OldValue"),
        "agent": words(told, "Creator"),
    })  # fmt: skip
    tickets = gathered.tickets
    rows["id"] = tickets["id"].reindex(rows["ticket"]).to_numpy()
    rows = rows.sort_values("at", kind="stable")
    status = rows[rows["type"] == "Status"]
    # The status that it was filed in stands in the first change, or is the one that it has.
    first = status.drop_duplicates("id").set_index("id")["before"]
    filed = tickets.drop_duplicates("id")
    opened = pd.DataFrame({
        "id": filed["id"], "at": filed["created"], "agent": None,
        "status": first.reindex(filed["id"]).fillna(filed.set_index("id")["status"]).to_numpy(),
    })  # fmt: skip
    replies = rows[(rows["type"] == "Correspond") & rows["agent"].notna()]
    reply = replies.drop_duplicates("id").set_index("id")["at"]
    tickets["first_reply"] = reply.reindex(tickets["id"]).to_numpy(dtype="float64")
    gathered.known.add("responses")
    hands = rows[(rows["field"] == "Owner") & (rows["before"] != _NOBODY)].groupby("id").size()
    tickets["transfers"] = hands.reindex(tickets["id"]).fillna(0).to_numpy(dtype="float64")
    changes = pd.concat([opened, status.drop(columns=["ticket", "type", "field", "before"])])
    set_changes(gathered, changes, told, {"NewValue": "status", "Created": "time"}, _STATES)
