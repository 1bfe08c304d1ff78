"""ServiceNow: incidents, their audit, and exports with a row for each update of an incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from twin.history import cells
from twin.history.gathered import Choices, Gathered
from twin.history.readers.generic import joined
from twin.history.readers.parted import moments, set_changes, words
from twin.history.readers.protocol import best, share
from twin.history.readers.shapes import cases, final_values, finish, of_tickets, texts_of
from twin.history.readers.taken import Names, Taken
from twin.history.sheet import Sheet

NAMES = Names(
    seen={
        "id": ("number", "task_effective_number"), "created": ("opened_at", "sys_created_at",
                                                               "sys_created_on"),
        "solved": ("resolved_at",), "closed": ("closed_at",),
        "updated": ("sys_updated_at", "sys_updated_on"), "status": ("incident_state", "state"),
        "priority": ("priority",), "category": ("category",), "channel": ("contact_type",),
        "group": ("assignment_group",), "agent": ("assigned_to",),
        "reopens": ("reopen_count",), "transfers": ("reassignment_count",),
        "subject": ("short_description",), "description": ("description",),
    },
    guessed={"solved": ("u_resolved_at",), "solved_after": ("calendar_stc",)},
)  # fmt: skip
_MARKS = ("number", "opened_at", "assignment_group", "assigned_to", "sys_updated_at",
          "reassignment_count", "reopen_count", "incident_state")  # fmt: skip
# A row an update: as the table of incidents, or as people rename it.
_UPDATES = Names(seen={
    "id": ("number", "case"), "activity": ("incident_state", "state"),
    "time": ("sys_updated_at", "sys_updated_on", "time"), "created": ("opened_at", "opened"),
    "solved": ("resolved_at", "resolved"), "closed": ("closed_at", "closed"),
    "priority": ("priority",), "category": ("category",), "channel": ("contact_type", "channel"),
    "group": ("assignment_group", "group"), "agent": ("sys_updated_by", "updated_by"),
    "reopens": ("reopen_count", "reopens"),
    "transfers": ("reassignment_count", "reassignments"),
})  # fmt: skip
_OF_UPDATES = tuple(_UPDATES.seen)
_MOD = ("sys_mod_count", "mod")
# Codes of incident.state.
_STATES = {"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed",
           "8": "Canceled"}  # fmt: skip


@dataclass(frozen=True)
class ServiceNow:
    """Exports of ServiceNow."""

    name: str = "servicenow"
    title: str = "ServiceNow"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By columns of incidents, of their updates or of sys_audit."""
        if any(map(_is_updates, sheets)) or any(map(_is_audit, sheets)):
            return 0.9
        return min(1.0, 1.5 * share(best(sheets, NAMES), _MARKS))

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read incidents or their updates; an audit adds each status with its moment."""
        audit = next(filter(_is_audit, sheets), None)
        parts = []
        for sheet in sheets:
            if _is_updates(sheet):
                parts.append(_of_updates(sheet, choices))
            elif sheet is not audit and sheet.find("number"):
                parts.append(of_tickets(sheet, choices, NAMES, self.title)[0])
        if not parts:
            parts = [of_tickets(s, choices, NAMES, self.title)[0] for s in sheets if s is not audit]
        gathered = joined(parts, self.title)
        if audit is not None:
            _add_audit(gathered, audit, choices)
        status = gathered.tickets["status"]
        gathered.tickets["status"] = status.map(lambda one: _STATES.get(one, one))
        return gathered


def _is_audit(sheet: Sheet) -> bool:
    return all(map(sheet.find, ("documentkey", "fieldname", "newvalue")))


def _is_updates(sheet: Sheet) -> bool:
    key = sheet.find("number") or sheet.find("case")
    state = sheet.find("incident_state") or sheet.find("state")
    if not key or not state or not any(map(sheet.find, _MOD)):
        return False
    ids = cells.texts(sheet.sample[key]).dropna()
    return bool(len(ids) > ids.nunique())


def _of_updates(sheet: Sheet, choices: Choices) -> Gathered:
    """Incidents from the rows of their updates: a change wherever the state differs."""
    taken = Taken(sheet, choices, _UPDATES, _OF_UPDATES, ("id", "activity", "time"), generic=False)
    gathered = Gathered("ServiceNow", pd.DataFrame())
    events = pd.DataFrame({
        "id": taken.word("id"), "status": taken.word("activity"), "at": taken.time("time"),
        "agent": taken.word("agent"), "group": taken.word("group"),
    })  # fmt: skip
    keep = events[events["id"].notna() & events["at"].notna()].sort_values("at", kind="stable")
    gathered.tickets = cases(taken, keep)
    table = gathered.tickets.set_index("id")
    for name in ("solved", "closed"):
        values = taken.time(name)
        table[name] = pd.Series(values, index=events["id"]).groupby(level=0).last()
    table["status"] = keep.drop_duplicates("id", keep="last").set_index("id")["status"]
    gathered.tickets = table.reset_index()
    gathered.tickets["left_out"] = None
    order = keep.sort_values(["id", "at"], kind="stable")
    other = (order["id"] != order["id"].shift()) | (order["status"] != order["status"].shift())
    gathered.changes = order.loc[other, ["id", "at", "status", "agent", "group"]]
    gathered.notes += final_values(taken, events)
    gathered.known |= {"resolutions", "reopens"}
    gathered.texts = texts_of(taken, choices, events["id"])
    finish(gathered, taken)
    return gathered


def _add_audit(gathered: Gathered, audit: Sheet, choices: Choices) -> None:
    rows = pd.DataFrame({
        "id": words(audit, "documentkey"), "field": words(audit, "fieldname"),
        "status": words(audit, "newvalue"), "agent": words(audit, "user", "sys_created_by"),
        "at": moments(audit, choices, "sys_created_on", "sys_created_at"),
    })  # fmt: skip
    states = rows[rows["field"].isin(("state", "incident_state"))].copy()
    known = set(gathered.tickets["id"])
    lost = ~states["id"].isin(known)
    if lost.any():
        gathered.notes.append(f"{lost.sum():,} rows of the audit are of incidents that the export "
                              "does not hold: they are left out.")  # fmt: skip
    set_changes(gathered, states[~lost], audit,
                {"newvalue": "status", "sys_created_on": "time", "documentkey": "id"},
                _STATES)  # fmt: skip
    final = gathered.changes.drop_duplicates("id", keep="last").set_index("id")["status"]
    told = final.reindex(gathered.tickets["id"]).to_numpy()
    own = gathered.tickets["status"].to_numpy()
    gathered.tickets["status"] = np.where(pd.isna(told), own, told)
