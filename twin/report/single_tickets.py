"""The page of single tickets of a run: text, answer, marks, prompts and timeline, to be searched.

All texts are a customer's or a model's: they are escaped, and the page's own script only hides and
shows what is there. Without it everything is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twin.common.files import write_text
from twin.common.html import Html, table, tag
from twin.common.text import amount
from twin.experiments.single_tickets import SingleTicket, SingleTickets
from twin.records.tables import ABANDONED, RESOLVED_STATUSES, STATUSES
from twin.report import frame
from twin.report.attempts import first_words, mark, prompts, search, search_script
from twin.scenario import clock
from twin.scenario.model import Scenario

_OUTCOMES = {
    "": "all",
    "solved": "solved",
    "unsolved": "not solved",
    "abandoned": "abandoned",
    "open": "open at the end",
}


def write(found: SingleTickets, path: str | Path) -> Path:
    """Write the page of single tickets; an older one is replaced."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page(found), private=True)
    return path


def page(found: SingleTickets) -> str:
    """The page of single tickets as HTML; see `write`."""
    name = found.scenario.name
    said = f"{len(found.tickets):,} of {found.whole:,} tickets of {name}"
    choices = {
        "outcome": ("Outcome ", _OUTCOMES),
        "category": ("Category ", _values(found, "category_true")),
        "resolved": ("Resolved by ", _values(found, "resolved_by")),
    }
    parts: list[frame.Part] = [
        ("search", "Search", [
            tag("p", f"{said}, replication {found.replication}."),
            *(tag("p", note, class_="small") for note in found.notes),
            search("tickets", choices),
        ]),
        ("tickets", "Tickets", [_ticket(one, found.scenario) for one in found.tickets]),
    ]  # fmt: skip
    return frame.frame("Single tickets", [], parts, f"from a run of {name}", search_script())


def _values(found: SingleTickets, column: str) -> dict[str, str]:
    """Values of a column that can be chosen."""
    names = sorted({str(one.row[column]) for one in found.tickets} - {""})
    return {"": "all"} | {name: name for name in names}


def outcome(row: dict[str, Any]) -> str:
    """Outcome of a ticket, of those that can be chosen."""
    if row["status"] == STATUSES[ABANDONED]:
        return "abandoned"
    if row["status"] not in RESOLVED_STATUSES or math.isnan(row["solved"]):
        return "open"
    return "solved" if row["solved"] else "unsolved"


def _ticket(one: SingleTicket, scenario: Scenario) -> Html:
    went, row = outcome(one.row), one.row
    words = [f"ticket {row['ticket_id']}", str(row["category_true"]), first_words(one.text)]
    return tag(
        "details",
        tag("summary", tag("strong", _OUTCOMES[went]), *(f" · {word}" for word in words if word)),
        tag("div", list(_inside(one, scenario)), class_="attempt"),
        data_outcome=went,
        data_category=row["category_true"],
        data_resolved=row["resolved_by"],
    )


def _inside(one: SingleTicket, scenario: Scenario) -> Iterator[Html]:
    row = one.row
    yield tag("h3", "Ticket")
    yield tag("pre", one.text or "(its text is not known)")
    yield tag("h3", "Answer of the assistant")
    yield tag("pre", one.answer or "(none was written)")
    marks = [
        ("category", f"{row['category'] or '-'} (true: {row['category_true'] or 'not known'})"),
        ("confidence", mark(row["confidence"])),
        ("quality, as rated in the run", mark(row["quality"])),
        *((f"quality, by {rater}", mark(value)) for rater, value in one.marks.items()),
        ("solved", {1.0: "yes", 0.0: "no"}.get(row["solved"], "-")),
        ("resolved by", row["resolved_by"] or "-"),
        ("articles", one.articles.replace(",", ", ") or "none"),
        ("priority", row["priority"] or "-"),
        ("channel", row["channel"] or "-"),
    ]
    yield table(["mark", "value"], marks, "Marks")
    lines = [
        (f"{clock.local(moment, scenario.midnight):%a %d %b %H:%M:%S}",
         amount(round(moment - row["arrived_s"], 3) + 0.0, "s"), what, details)
        for moment, what, details in sorted(_events(one), key=lambda event: event[0])
    ]  # fmt: skip
    head = ["moment", "after arrival", "what", "details"]
    yield table(head, lines, f"Timeline of ticket {row['ticket_id']}")
    for call in one.happened["calls"]:
        if call["key"] in one.prompts:
            title = f"Prompt to {call['step']}, {call['key'][:12]}"
            yield prompts(title, one.prompts[call["key"]])


def _events(one: SingleTicket) -> Iterator[tuple[float, str, str]]:
    """Events of a ticket: moment in seconds, kind and words; those of one moment in this order."""
    for row in one.happened["timeline"]:
        yield row["time_s"], "status", _joined(row["status"], row["detail"])
    for row in one.happened["calls"]:
        recorded = f"sample {row['sample']}, key {row['key'][:12]}" if row["key"] else ""
        tokens = f"{row['prompt_tokens']:,} tokens in, {row['completion_tokens']:,} out"
        sent = f"sent {row['attempts']} times" if row["attempts"] > 1 else ""
        took = f"{row['outcome']} after {amount(row['ended_s'] - row['asked_s'], 's')}"
        yield row["asked_s"], f"call: {row['step']}", _joined(
            row["model"], took, sent, tokens, recorded
        )  # fmt: skip
    for row in one.happened["visits"]:
        waited = row["started_s"] if not math.isnan(row["started_s"]) else row["ended_s"]
        queued = amount(waited - row["queued_s"], "s") if waited > row["queued_s"] else ""
        took = amount(row["ended_s"] - row["started_s"], "s")
        agent = "" if math.isnan(row["agent"]) else f"agent {row['agent']:.0f}"
        begun = math.isnan(row["started_s"])
        moment = row["queued_s"] if begun else row["started_s"]
        yield moment, f"agents: {row['activity']}", _joined(
            row["pool"], agent, queued and f"waited {queued}", took != "-" and f"took {took}",
            row["end"],
        )  # fmt: skip
    for row in one.happened["ratings"]:
        yield row["rated_s"], "rating", _joined(f"{row['rating']} of 5 stars", row["feedback"])


def _joined(*words: Any) -> str:
    return ", ".join(str(word) for word in words if word)
