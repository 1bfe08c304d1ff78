"""Tables of no known tool: tickets, calls and event logs, by the names that people give columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from twin.history import cells
from twin.history.gathered import CHANGES, SPELLS, Choices, Gathered
from twin.history.readers.shapes import (
    OF_CALLS,
    OF_CASES,
    OF_EVENTS,
    OF_TICKETS,
    of_calls,
    of_events,
    of_tickets,
)
from twin.history.readers.taken import Names, Taken
from twin.history.sheet import Sheet

_NO_NAMES = Names()
# XES, and the CSV that process-mining tools and the twin write.
_EVENT_NAMES = Names(seen={
    "id": ("case:concept:name", "case"), "activity": ("concept:name", "activity"),
    "time": ("time:timestamp",), "agent": ("org:resource", "resource"), "group": ("org:group",),
    "lifecycle": ("lifecycle:transition",), "start": ("start",), "end": ("end",),
})  # fmt: skip


def _probe(sheet: Sheet, fields: Sequence[str], names: Names = _NO_NAMES) -> Taken:
    """Columns of a sheet as they would be guessed, asking nobody."""
    return Taken(sheet, Choices(), names, fields)


def _several_a_case(sheet: Sheet, taken: Taken) -> bool:
    ids = cells.texts(sheet.sample[taken.columns["id"]]).dropna()
    return bool(len(ids) > ids.nunique())


def joined(parts: Sequence[Gathered], tool: str) -> Gathered:
    """Facts of several files of the same kind, as one."""
    first = parts[0]
    if len(parts) == 1:
        return first

    def together(frames: list[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
        kept = [frame for frame in frames if len(frame)]
        return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=list(columns))

    made = Gathered(tool, together([p.tickets for p in parts], ()))
    made.changes = together([p.changes for p in parts], CHANGES)
    made.spells = together([p.spells for p in parts], SPELLS)
    made.texts = together([p.texts for p in parts], ("id",))
    made.known = set.intersection(*(p.known for p in parts))
    for part in parts:
        made.understood += part.understood
        made.notes += [note for note in part.notes if note not in made.notes]
        made.columns |= part.columns
        made.local = made.local or part.local
    made.priorities = first.priorities
    return made


@dataclass(frozen=True)
class Tickets:
    """Tickets, a row each."""

    name: str = "tickets"
    title: str = "a table of tickets"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """Low, so that any tool that knows its columns goes first."""
        return max(0.2 if "created" in _probe(sheet, OF_TICKETS) else 0.05 for sheet in sheets)

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read each sheet that has moments of creation."""
        if not choices.columns.get("created"):
            sheets = [s for s in sheets if "created" in _probe(s, OF_TICKETS)] or sheets[:1]
        parts = [of_tickets(sheet, choices, _NO_NAMES, self.title)[0] for sheet in sheets]
        return joined(parts, self.title)


@dataclass(frozen=True)
class Calls:
    """Calls, a row each: queued, answered, ended, agent."""

    name: str = "calls"
    title: str = "a log of calls"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By the moments that only calls have."""

        def of(sheet: Sheet) -> float:
            taken = _probe(sheet, OF_CALLS)
            waits = {"answered", "wait"} & set(taken.columns)
            ends = {"ended", "talk", "outcome"} & set(taken.columns)
            return 0.4 if "queued" in taken and waits and ends else 0.0

        return max(map(of, sheets))

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read each sheet."""
        return joined([of_calls(s, choices, _NO_NAMES, self.title) for s in sheets], self.title)


@dataclass(frozen=True)
class Events:
    """Event logs: XES, the CSV of process-mining tools, and the twin's own."""

    name: str = "events"
    title: str = "an event log"

    def score(self, sheets: Sequence[Sheet]) -> float:
        """By several rows of one case, each with an activity and a moment."""

        def of(sheet: Sheet) -> float:
            taken = _probe(sheet, (*OF_EVENTS, *OF_CASES), _EVENT_NAMES)
            whole = {"id", "activity"} <= set(taken.columns)
            timed = {"time", "start"} & set(taken.columns)
            if not whole or not timed or not _several_a_case(sheet, taken):
                return 0.0
            return 0.6 if taken.columns["activity"].endswith(("concept:name", "ctivity")) else 0.3

        return max(map(of, sheets))

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read each sheet; the twin's own log tells waits and work of agents."""
        parts = [of_events(sheet, choices, _EVENT_NAMES, self.title) for sheet in sheets]
        return joined(parts, self.title)


@dataclass(frozen=True)
class Store:
    """The live desk's store, in a file of SQLite."""

    name: str = "store"
    title: str = "the live desk's store"
    marks: tuple[str, ...] = ("received_at", "digest", "answered_model", "held_until")

    def score(self, sheets: Sequence[Sheet]) -> float:
        """1 where its tables are there."""
        names = {sheet.name: sheet for sheet in sheets}
        if not {"tickets", "changes"} <= set(names):
            return 0.0
        return 1.0 if all(mark in names["tickets"] for mark in self.marks) else 0.0

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Read tickets that arrived live, changes with who made them, feedback."""
        names = {sheet.name: sheet for sheet in sheets}
        wanted = ["id", "origin", "received_at", "priority", "status", "category", "responded_at",
                  "resolved_at", "resolved_by", "reopens", "description"]  # fmt: skip
        # A store of an earlier version has no answers that wait for the customer's word.
        waits = "answered_by" in names["tickets"]
        wanted += ["answered_at", "answered_by"] if waits else []
        merges = "merged_into" in names["tickets"]
        wanted += ["merged_into"] if merges else []
        wanted += ["assignee"] if "assignee" in names["tickets"] else []
        rows = pd.DataFrame(names["tickets"].load(wanted))
        rows = rows[rows["origin"] == "live"]
        if waits:
            for column, own in (("resolved_at", "answered_at"), ("resolved_by", "answered_by")):
                rows[column] = rows[own].where(rows["answered_by"].notna(), rows[column])
        ids = rows["id"].astype(str)
        by = rows["resolved_by"].replace({"agent": "agent", "reviewed draft": "agent"})
        gathered = Gathered(self.title, pd.DataFrame({
            "id": ids, "created": rows["received_at"].astype(float),
            "first_reply": rows["responded_at"].astype(float),
            "solved": rows["resolved_at"].astype(float), "closed": np.nan, "updated": np.nan,
            "status": rows["status"], "priority": rows["priority"], "category": rows["category"],
            "reopens": rows["reopens"].astype(float), "resolver": by, "left_out": None,
        }))  # fmt: skip
        if merges:
            part = rows["merged_into"].notna().to_numpy()
            gathered.tickets.loc[part, "left_out"] = "merged into another"
        changes = pd.DataFrame(names["changes"].load(["ticket_id", "at", "status", "by"]))
        named = rows.set_index("id")["assignee"] if "assignee" in rows else pd.Series(dtype=object)
        gathered.spells = _work(changes, named)
        if len(gathered.spells) and named.astype(bool).any():
            gathered.notes.append("Whose ticket it is counts as who worked on it; where it went "
                                  "from one agent to another, as the last one's.")  # fmt: skip
        # As in the twin, the assistant's answer resolves: the time until the customer's word is not
        # the desk's, and one that did not help is a return.
        answered = (changes["status"] == "Waiting for customer") & (changes["by"] == "assistant")
        gathered.changes = pd.DataFrame({
            "id": changes["ticket_id"].astype(str), "at": changes["at"].astype(float),
            "status": changes["status"].where(~answered, "Resolved"), "agent": changes["by"],
            "group": None,
        })  # fmt: skip
        if answered.any():
            gathered.notes.append("An answer of the assistant resolves a ticket when it is given, "
                                  "as in the twin; what the customer says of it later reopens it "
                                  "or changes nothing.")  # fmt: skip
        gathered.known |= {"responses", "resolutions", "reopens", "abandonments", "assistant"}
        gathered.known |= {"work"} if len(gathered.spells) else set()
        if "feedback" in names:
            given = pd.DataFrame(names["feedback"].load(["ticket_id", "at", "rating"]))
            given = given.dropna(subset="ticket_id").drop_duplicates("ticket_id", keep="last")
            given["id"] = given["ticket_id"].astype(int).astype(str)
            gathered.tickets = gathered.tickets.merge(
                given[["id", "at", "rating"]].rename(columns={"at": "rated"}), "left", "id"
            )
            gathered.tickets["rating"] = _texts(gathered.tickets["rating"])
            gathered.known.add("ratings")
            _last_word(gathered, given)
        if choices.texts:
            gathered.texts = pd.DataFrame({"id": ids, "description": rows["description"]})
        gathered.notes.append("Model calls of the store are not in the history: "
                              "`twin live-scenario` measures them.")  # fmt: skip
        return gathered


# Statuses in which a ticket waits for somebody to take it.
_WAITS = ("Open", "Categorized", "Escalated", "Pending Review", "Reopened")


def _last_word(gathered: Gathered, given: pd.DataFrame) -> None:
    """Let the record go on until its newest rating, where that came after all changes."""
    changes = gathered.changes
    newest = given.sort_values("at").tail(1)
    if len(newest) and len(changes) and newest["at"].iloc[0] > changes["at"].max():
        ticket = newest["id"].iloc[0]
        stays = changes[changes["id"] == ticket].sort_values("at", kind="stable").tail(1)
        again = stays.assign(at=float(newest["at"].iloc[0]))
        gathered.changes = pd.concat([changes, again], ignore_index=True)


def _texts(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.map(lambda one: None if pd.isna(one) else f"{one:g}")


def _work(changes: pd.DataFrame, named: pd.Series[Any]) -> pd.DataFrame:
    """Spells of agents: from taking a ticket to the next change; waits from the change before.

    Tickets that still wait for an agent have a spell without a start, and so have those whose
    customers left.

    Parameters
    ----------
    changes : DataFrame
    named : Series of str
        Agents by number of their ticket; empty where it is nobody's.
    """
    rows = changes.sort_values(["ticket_id", "at"], kind="stable")
    before, after = (rows.groupby("ticket_id")["at"].shift(k) for k in (1, -1))
    then = rows.groupby("ticket_id")["status"].shift(-1)
    taken = ((rows["status"] == "In Progress") & (rows["by"] == "agent")).to_numpy()
    left = (rows["status"].isin(_WAITS) & (then == "Abandoned")).to_numpy()
    waits = (rows["status"].isin(_WAITS) & then.isna()).to_numpy()
    kept = taken | left | waits
    mine, at = rows[kept], rows["at"].astype(float)
    ended = after.where(taken | left)[kept].astype(float)
    who = mine["ticket_id"].map(named).astype(object)
    who = who.where(who.notna() & (who != ""), "agent").where(taken[kept], None)
    return pd.DataFrame({
        "id": mine["ticket_id"].astype(str),
        "queued": before.where(taken, at).fillna(at)[kept].astype(float),
        "started": at.where(taken)[kept], "ended": ended,
        "agent": who,
        "group": None, "activity": "handle",
        "end": np.where(ended.isna(), "open", np.where(left[kept], "abandoned", "done")),
    })  # fmt: skip
