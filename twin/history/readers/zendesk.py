"""Zendesk: CSV of views and of Explore; JSON of tickets, metric sets, metric events.

Tickets come with their metric sets, or as the incremental export writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from twin.history import cells
from twin.history.gathered import Choices, Gathered
from twin.history.readers.generic import joined
from twin.history.readers.protocol import best, share
from twin.history.readers.shapes import finish, of_tickets
from twin.history.readers.taken import KNOWN, Names, Taken
from twin.history.sheet import Sheet

_MIN = 60.0
NAMES = Names(
    seen={
        "id": ("id", "ticket_id", "Ticket ID", "ticket.id"),
        "created": ("created_at", "Ticket created - Timestamp"),
        "first_reply_after": ("metric_set.reply_time_in_minutes.calendar",
                              "reply_time_in_minutes.calendar",
                              "First reply time in minutes within calendar hours",
                              "first_reply_time_in_minutes"),
        "solved": ("solved_at", "metric_set.solved_at", "Ticket solved - Timestamp"),
        "solved_after": ("metric_set.full_resolution_time_in_minutes.calendar",
                         "full_resolution_time_in_minutes.calendar",
                         "Full resolution time in minutes within calendar hours",
                         "full_resolution_time_in_minutes"),
        "updated": ("updated_at",), "status": ("status",), "priority": ("priority",),
        "category": ("type", "ticket_type"), "channel": ("via.channel", "via", "channel"),
        "group": ("group_id", "group_name", "Ticket group"),
        "agent": ("assignee_id", "assignee_name", "Assignee name"),
        "reopens": ("metric_set.reopens", "reopens"),
        "transfers": ("metric_set.assignee_stations", "assignee_stations"),
        "rating": ("satisfaction_rating.score", "satisfaction_score", "satisfaction_rating",
                   "satisfaction"),
        "tags": ("tags", "current_tags"), "subject": ("subject",),
        "description": ("description",), "comment": ("satisfaction_rating.comment",),
    },
    guessed={
        "created": ("Created", "Requested", "Ticket created - Date", "Created at"),
        "solved": ("Solved", "Solved at", "Ticket solved - Date"),
        "first_reply_after": ("First reply time (min)", "First reply time in minutes"),
        "solved_after": ("Full resolution time (min)", "Full resolution time in minutes"),
        "status": ("Status", "Ticket status"), "priority": ("Priority", "Ticket priority"),
        "group": ("Group",), "agent": ("Assignee",), "rating": ("Satisfaction Score",),
        "channel": ("Ticket channel",), "category": ("Topic", "Ticket type"),
    },
    units={"first_reply_after": _MIN, "solved_after": _MIN},
)  # fmt: skip
# Columns that few other tools have.
_MARKS = ("requester_id", "assignee_id", "group_id", "via.channel", "satisfaction_rating.score")
_EXPLORE = ("Ticket created - Timestamp", "Ticket ID", "Ticket group", "Ticket status",
            "Assignee name", "Ticket solved - Timestamp", "Ticket channel")  # fmt: skip
_VIEW = ("Requester", "Requested", "Assignee", "Group", "Satisfaction Score", "Ticket status")
_METRICS = Names(seen={
    "id": ("ticket_id",), "created": ("created_at",), "reopens": ("reopens",),
    "transfers": ("assignee_stations",), "solved": ("solved_at",),
    "first_reply_after": ("reply_time_in_minutes.calendar",),
    "solved_after": ("full_resolution_time_in_minutes.calendar",),
}, units={"first_reply_after": _MIN, "solved_after": _MIN})  # fmt: skip
# Metric events: what the requester waits for (the desk's turn) begins, pauses and ends.
_TURNS = {"activate": "open", "pause": "pending", "fulfill": "solved"}


@dataclass(frozen=True)
class Zendesk:
    """Exports of Zendesk."""

    name: str = "zendesk"
    title: str = "Zendesk"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By columns of tickets, metric sets, metric events, Explore or views."""
        if _events(sheets) is not None or _metric_sets(sheets) is not None:
            return 0.9
        sheet = best(sheets, NAMES)
        return max(share(sheet, _MARKS), 0.95 * share(sheet, _EXPLORE), 0.9 * share(sheet, _VIEW))

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read tickets; metric sets and metric events add to them, or stand alone."""
        events, metrics = _events(sheets), _metric_sets(sheets)
        main = [s for s in sheets if s is not events and s is not metrics and _is_main(s)]
        if not main and events is not None:
            return _of_events(events, choices)
        if not main and metrics is not None:
            return of_tickets(metrics, choices, _METRICS, self.title, generic=False)[0]
        parts = [of_tickets(sheet, choices, NAMES, self.title)[0] for sheet in main or sheets]
        gathered = joined(parts, self.title)
        if metrics is not None:
            _add_metrics(gathered, of_tickets(metrics, choices, _METRICS, self.title,
                                              generic=False)[0])  # fmt: skip
        if events is not None:
            told = _of_events(events, choices)
            gathered.changes = told.changes
            gathered.understood += told.understood
            gathered.known |= {"resolutions", "reopens"}
        # The first reply in Zendesk's minutes is cut to whole ones.
        if "first_reply_after" in gathered.columns:
            gathered.notes.append("Reply times of Zendesk are whole minutes: shorter ones are 0.")
        unrated = gathered.tickets["rating"].isin(("offered", "unoffered"))
        gathered.tickets.loc[unrated, "rating"] = None
        return gathered


def _is_main(sheet: Sheet) -> bool:
    created = NAMES.seen["created"] + NAMES.guessed["created"]  # type: ignore[operator]
    return (any(map(sheet.find, created)) and sheet.find("status") is not None) or any(
        sheet.find(mark) for mark in ("Ticket created - Timestamp", "Requested")
    )


def _metric_sets(sheets: Sequence[Sheet]) -> Sheet | None:
    return next((s for s in sheets if s.find("ticket_id") and s.find("assignee_stations")
                 and not s.find("status")), None)  # fmt: skip


def _events(sheets: Sequence[Sheet]) -> Sheet | None:
    return next((s for s in sheets if s.find("metric") and s.find("instance_id")
                 and s.find("time") and s.find("ticket_id")), None)  # fmt: skip


def _add_metrics(gathered: Gathered, metrics: Gathered) -> None:
    """Fill what tickets do not tell from their metric sets."""
    extra = metrics.tickets.drop_duplicates("id", keep="last").set_index("id")
    tickets = gathered.tickets
    for name in ("first_reply", "solved", "reopens", "transfers"):
        found = extra[name].reindex(tickets["id"]).to_numpy(dtype=np.float64)
        own = tickets[name].to_numpy(dtype=np.float64)
        tickets[name] = np.where(np.isnan(own), found, own)
    gathered.known |= metrics.known
    gathered.understood += metrics.understood
    gathered.columns |= {
        key: c for key, c in metrics.columns.items() if key not in ("id", "created")
    }


def _of_events(sheet: Sheet, choices: Choices) -> Gathered:
    """Metric events: when a ticket was opened, paused and solved, again and again."""
    names = Names(seen={"id": ("ticket_id",), "time": ("time",), "activity": ("type",)})
    taken = Taken(sheet, choices, names, ("id", "time", "activity"), ("id", "time", "activity"),
                  generic=False)  # fmt: skip
    metric = cells.texts(sheet.load([str(sheet.find("metric"))])[str(sheet.find("metric"))])
    rows = pd.DataFrame({"id": taken.word("id"), "at": taken.time("time"),
                         "type": taken.word("activity"), "metric": metric.to_numpy()})  # fmt: skip
    rows = rows[rows["id"].notna() & rows["at"].notna()].sort_values("at", kind="stable")
    gathered = Gathered("Zendesk", pd.DataFrame())
    turns = rows[(rows["metric"] == "requester_wait_time") & rows["type"].isin(list(_TURNS))]
    if not len(turns):
        turns = rows[rows["metric"].isin(("resolution_time", "agent_work_time"))
                     & rows["type"].isin(list(_TURNS))]  # fmt: skip
    gathered.changes = pd.DataFrame({
        "id": turns["id"], "at": turns["at"], "status": turns["type"].map(_TURNS), "agent": None,
        "group": None,
    })  # fmt: skip
    reply = rows[(rows["metric"] == "reply_time") & (rows["type"] == "fulfill")]
    first = rows.drop_duplicates("id").set_index("id")["at"]
    tickets: Any = pd.DataFrame({"id": first.index, "created": first.to_numpy()})
    tickets["first_reply"] = reply.drop_duplicates("id").set_index("id")["at"].reindex(
        tickets["id"]).to_numpy()  # fmt: skip
    for name in ("solved", "closed", "updated", "reopens", "transfers"):
        tickets[name] = np.nan
    for name in ("status", "priority", "category", "channel", "group", "agent", "rating",
                 "left_out"):  # fmt: skip
        tickets[name] = None
    gathered.tickets = tickets
    gathered.known |= {"responses", "resolutions", "reopens"}
    taken.how |= {"metric": KNOWN}
    taken.columns |= {}
    finish(gathered, taken)
    return gathered
