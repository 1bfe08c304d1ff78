"""Messages for the tickets of a help desk, by what the live desk made of each customer's word.

One at most follows a word: the assistant's answer or question, a draft, or that a person is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twin.live.bodies import FOR_AGENTS
from twin.live.connectors.help_desk import Said, Writing
from twin.records.tables import ESCALATED, PENDING_REVIEW, REOPENED, STATUSES
from twin.scenario.model import PRIORITIES, Priority

# Kinds of messages. Those after which the ticket waits for its customer; those that only say that a
# person has it from now on.
ANSWER, QUESTION, DRAFT, PERSON, HANDED_ON, RATED = (
    "answer", "question", "draft", "person", "handed on", "rated",
)  # fmt: skip
ASKS = (ANSWER, QUESTION)
AFTERWARDS = (HANDED_ON, RATED)
_NEEDED = (STATUSES[ESCALATED], STATUSES[REOPENED])
_KINDS = {ANSWER: "Suggested answer", QUESTION: "Suggested question to the customer",
          DRAFT: "Draft, to be looked over"}  # fmt: skip

# A line before a quoted mail: it has a year or an address, and ends as such lines do. And the one
# below which a mail is quoted whole.
_LEAD = re.compile(r"(?:\b20[0-9]{2}\b|@).*:\s*$")
_BELOW = re.compile(r"-{3,} ?(?:Original Message|Forwarded message) ?-{3,}", re.IGNORECASE)


def word_of(found: Mapping[str, Any]) -> int:
    """Number of the customer's words in the thread of a ticket of the desk, but for the first."""
    return sum(message["by"] == "customer" for message in found["messages"][1:])


def message_of(
    found: Mapping[str, Any], public: bool, priorities: Mapping[str, Priority], had: str,
    stars: int | None = None,
) -> dict[str, Any] | None:  # fmt: skip
    """Message to be written back for the customer's newest word; None where nothing is to be.

    Parameters
    ----------
    found : mapping
        The desk's ticket with `messages` and `changes`.
    public : bool
        True if the customer gets the assistant's own answers and questions.
    priorities : mapping of str to Priority
        By category.
    had : str
        Priority with which the desk got the ticket, one of `PRIORITIES`.
    stars : int, optional
        If the word is a rating.
    """
    messages = found["messages"]
    newest = max(k for k, message in enumerate(messages) if message["by"] == "customer")
    said = [m["text"] for m in messages[newest + 1 :] if m["by"] == "assistant"]
    first = newest == 0
    if said:
        kind, text = (ANSWER if said[-1] == found["response"] else QUESTION), said[-1]
    elif found["draft"] and (first or found["status"] == STATUSES[PENDING_REVIEW]):
        kind, text, public = DRAFT, found["draft"], False
    elif first:
        kind, text, public = PERSON, "", False
    elif not _hands_on(found, messages[newest]["at"]):
        return None
    elif stars is not None:
        told = f"The customer gave {stars} of 5 stars: a person is needed."
        kind, text, public = RATED, told, False
    elif public:
        kind, text = HANDED_ON, FOR_AGENTS
    else:
        return None
    sure = found["categorized_by"] == "assistant"
    if not public and kind != RATED:
        text = note(found["category"], sure, kind, text)
    category = found["category"] if sure else ""
    return {"kind": kind, "text": text, "public": public, "category": category,
            "priority": _priority(found, priorities.get(category), had)}  # fmt: skip


def _hands_on(found: Mapping[str, Any], at: str) -> bool:
    """True if a person has the ticket since a moment, and had it not before."""
    return found["status"] in _NEEDED and any(one["at"] >= at for one in found["changes"])


def _priority(found: Mapping[str, Any], wanted: Priority | None, had: str) -> Priority | None:
    """The category's priority, or that to which the desk raised the ticket: the more urgent one."""
    raised = found["priority"] if found["priority"] != had else None
    return min(filter(None, (wanted, raised)), key=PRIORITIES.index, default=None)


def note(category: str, sure: bool, kind: str, text: str) -> str:
    """An internal note for the agents of the help desk."""
    told = f"Category: {category or 'none'}" + ("" if sure or not category else " (not sure)")
    if kind not in _KINDS:
        return f"{told}\n\nThe assistant suggests no answer: a person is needed."
    return f"{told}\n\n{_KINDS[kind]}:\n\n{text}"


def as_note(writing: Writing, kind: str) -> Writing:
    """A message for a customer as a note for the agents instead."""
    text = note(writing.category, bool(writing.category), kind, writing.text)
    return replace(writing, text=text, public=False, waits=False)


def is_theirs(thread: list[Said]) -> bool:
    """True if somebody of the help desk has answered the customer, other than the assistant."""
    return any(said.by == "desk" and said.public and not said.marker for said in thread)


def is_ours(thread: list[Said]) -> bool:
    """True if the assistant has written to the customer."""
    return any(said.public and said.marker for said in thread)


def own_words(text: str) -> str:
    """A customer's reply without the mail that it quotes, and without the line that leads to it."""
    lines: list[str] = []
    quoted = False
    for line in text.splitlines():
        if _BELOW.fullmatch(line.strip()):
            break
        if line.startswith(">"):
            if not quoted:
                _drop_lead(lines)
        else:
            lines.append(line)
        quoted = line.startswith(">")
    return "\n".join(lines)


def _drop_lead(lines: list[str]) -> None:
    """Drop the line that names who wrote what is quoted below, such as "On Monday, Ann wrote:"."""
    said = len(lines)
    while said and not lines[said - 1].strip():
        said -= 1
    if said and _LEAD.search(lines[said - 1]):
        del lines[said - 1 :]
