"""Jira Service Management: issues with their changelog (JSON), and the CSV of its page."""

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
        "id": ("key", "Issue key"), "created": ("fields.created",),
        "status": ("fields.status.name",), "priority": ("fields.priority.name",),
        "category": ("fields.issuetype.name",), "agent": ("fields.assignee.accountId",
                                                          "fields.assignee.name"),
        "updated": ("fields.updated",), "subject": ("fields.summary",),
        "description": ("fields.description",), "tags": ("fields.labels",),
    },
    guessed={
        "solved": ("fields.resolutiondate", "Resolved", "Resolution date"),
        "created": ("Created",), "status": ("Status",), "priority": ("Priority",),
        "category": ("Request type", "Issue Type"), "agent": ("Assignee",), "updated": ("Updated",),
        "rating": ("Satisfaction rating", "fields.satisfaction.rating"), "tags": ("Labels",),
        "group": ("fields.project.key", "Project key"), "channel": ("Request channel type",),
    },
)  # fmt: skip
_MARKS = ("fields.created", "fields.status.name", "fields.issuetype.name")
_PAGE = ("Issue key", "Issue Type", "Issue id", "Project key", "Reporter")


@dataclass(frozen=True)
class Jira:
    """Exports of Jira Service Management."""

    name: str = "jira"
    title: str = "Jira Service Management"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By the fields of issues, or the columns of its page."""
        sheet = best(sheets, NAMES)
        return max(share(sheet, _MARKS), share(sheet, _PAGE))

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read issues, and where there is a changelog each status with its moment."""
        main = [s for s in sheets if s.find("fields.created") or s.find("Issue key")
                or ("created" in s and "key" in s)] or sheets[:1]  # fmt: skip
        parts = []
        for sheet in main:
            gathered, _ = of_tickets(sheet, choices, NAMES, self.title)
            histories = child(sheets, sheet, "changelog.histories")
            items = child(sheets, sheet, "changelog.histories.items")
            if histories is not None and items is not None:
                _add_changelog(gathered, histories, items, choices)
            parts.append(gathered)
        return joined(parts, self.title)


def _add_changelog(gathered: Gathered, histories: Sheet, items: Sheet, choices: Choices) -> None:
    above = pd.DataFrame({
        "ticket": parents(histories), "at": moments(histories, choices, "created"),
        "agent": words(histories, "author.accountId", "author.name", "author.displayName"),
    })  # fmt: skip
    rows = pd.DataFrame({
        "history": parents(items), "field": words(items, "field"),
        "status": words(items, "toString"), "before": words(items, "fromString"),
    })  # fmt: skip
    rows = rows.join(above, on="history")
    rows["id"] = gathered.tickets["id"].reindex(rows["ticket"]).to_numpy()
    status = rows[rows["field"] == "status"].sort_values("at", kind="stable")
    # The status that it was filed in stands in the first change only.
    first = status.drop_duplicates("id")
    created = gathered.tickets.drop_duplicates("id").set_index("id")["created"]
    opened = first.assign(status=first["before"], at=created.reindex(first["id"]).to_numpy(),
                          agent=None)  # fmt: skip
    hands = rows[rows["field"] == "assignee"].groupby("id").size()
    gathered.tickets["transfers"] = (hands.reindex(gathered.tickets["id"]).fillna(0) - 1).clip(
        lower=0).to_numpy()  # fmt: skip
    set_changes(gathered, pd.concat([opened, status]), items,
                {"toString": "status", "fromString": "status"})  # fmt: skip
