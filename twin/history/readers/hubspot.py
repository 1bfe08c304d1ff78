"""HubSpot: tickets of its API with the history of their stage, and the CSV of its page."""

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

_STAGE = "hs_pipeline_stage"


def _both(*names: str) -> tuple[str, ...]:
    return (*names, *(f"properties.{name}" for name in names))


NAMES = Names(
    seen={
        "id": ("id",), "created": ("createdAt",), "updated": ("updatedAt",),
        "priority": _both("hs_ticket_priority"), "category": _both("hs_ticket_category"),
        "status": _both(_STAGE), "subject": _both("subject"), "description": _both("content"),
    },
    guessed={
        "id": _both("hs_object_id", "Ticket ID"), "created": _both("createdate", "Create date"),
        "solved": _both("closed_date", "Close date"),
        "first_reply": _both("first_agent_reply_date", "First agent email response date"),
        "agent": _both("hubspot_owner_id", "Ticket owner"),
        "updated": _both("hs_lastmodifieddate", "Last modified date"),
        "channel": _both("source_type", "Source"), "status": ("Ticket status",),
        "group": _both("hs_pipeline", "Pipeline"), "priority": ("Priority",),
        "category": ("Category",),
    },
)  # fmt: skip
_MARKS = ("hs_pipeline_stage", "hs_ticket_priority", "hs_ticket_category", "hubspot_owner_id")
_PAGE = ("Ticket ID", "Ticket name", "Create date", "Ticket status", "Pipeline", "Ticket owner")
# The stages of the pipeline that every account begins with.
_STAGES = {"1": "New", "2": "Waiting on contact", "3": "Waiting on us", "4": "Closed"}


@dataclass(frozen=True)
class HubSpot:
    """Exports of HubSpot."""

    name: str = "hubspot"
    title: str = "HubSpot"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By its properties, or the columns of its page."""
        sheet = best(sheets, NAMES)
        api = max(share(sheet, _MARKS), share(sheet, [f"properties.{one}" for one in _MARKS]))
        return max(api, share(sheet, _PAGE))

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read tickets, and where there is a history of the stage each stage with its moment."""
        main = [s for s in sheets if any(map(s.find, (*_both(_STAGE), "Ticket status")))]
        parts = []
        for sheet in main or sheets[:1]:
            gathered, _ = of_tickets(sheet, choices, NAMES, self.title)
            stages = child(sheets, sheet, f"propertiesWithHistory.{_STAGE}")
            if stages is not None:
                rows = pd.DataFrame({
                    "ticket": parents(stages), "status": words(stages, "value"),
                    "at": moments(stages, choices, "timestamp"),
                })  # fmt: skip
                rows["id"] = gathered.tickets["id"].reindex(rows["ticket"]).to_numpy()
                # Zero or more stages of one moment stand in the order newest first.
                rows = rows.iloc[::-1]
                set_changes(gathered, rows, stages, {"value": "status", "timestamp": "time"},
                            _STAGES)  # fmt: skip
            stage = gathered.tickets["status"]
            gathered.tickets["status"] = stage.map(lambda one: _STAGES.get(one, one))
            parts.append(gathered)
        return joined(parts, self.title)
