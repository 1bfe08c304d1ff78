"""Words of help desks for statuses, priorities and ratings, in those of the twin's tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.records.tables import (
    ABANDONED,
    CATEGORIZED,
    CLOSED,
    ESCALATED,
    IN_PROGRESS,
    ON_HOLD,
    OPEN,
    PENDING_REVIEW,
    REOPENED,
    RESOLVED,
    STATUSES,
    WAITING_FOR_CUSTOMER,
)

# No change of status: it says something else.
NO_STATUS = -1

_EXACT: dict[int, tuple[str, ...]] = {
    OPEN: ("new", "open", "opened", "todo", "to do", "created", "waiting for support",
           "waiting for agent", "waiting on us", "reported", "queued", "backlog", "logged",
           "unassigned", "submitted", "received", "activate", "not started", "ready"),
    CATEGORIZED: ("categorized", "triaged", "classified"),
    IN_PROGRESS: ("in progress", "work in progress", "active", "assigned", "accepted", "working",
                  "investigating", "handle", "started", "in treatment", "wip", "follow up"),
    WAITING_FOR_CUSTOMER: (
        "pending", "waiting for customer", "waiting on customer", "waiting on contact",
        "awaiting user info", "awaiting customer", "awaiting caller", "awaiting reply", "snoozed",
        "pending customer", "waiting for reply", "pause", "paused by customer", "wait"),
    ON_HOLD: ("hold", "on hold", "on-hold", "waiting on third party", "waiting for third party",
              "awaiting vendor", "awaiting problem", "awaiting change", "awaiting evidence",
              "deferred", "paused", "pending vendor", "waiting for approval"),
    PENDING_REVIEW: ("pending review", "in review", "review"),
    ESCALATED: ("escalated",),
    RESOLVED: ("solved", "resolved", "done", "completed", "complete", "fixed", "fulfilled",
               "fulfill", "answered", "verified"),
    CLOSED: ("closed", "cancelled", "canceled", "invalid", "rejected", "archived", "autoclosed"),
    REOPENED: ("reopened", "re-opened"),
    ABANDONED: ("abandoned",),
}  # fmt: skip
# Where no word is known, parts of it, in this order: "Resolve ticket", "Take in charge ticket".
_PARTS = (
    (REOPENED, r"re-?open"), (ABANDONED, r"abandon|hung ?up|gave up"),
    (WAITING_FOR_CUSTOMER, r"(wait|await|pend).*(customer|user|caller|client|requester|contact)"),
    (ON_HOLD, r"hold|vendor|third|supplier"), (CLOSED, r"clos|cancel"),
    (RESOLVED, r"resolv|solv|fulfil"), (WAITING_FOR_CUSTOMER, r"\bwait|await|pending|snooz"),
    (ESCALATED, r"escalat"), (IN_PROGRESS, r"progress|take in charge|\bassigned|\baccept|working"),
    (OPEN, r"^new\b|\bopen|insert ticket|\bcreate ticket|submit"),
)  # fmt: skip
_WORDS = {word: code for code, words in _EXACT.items() for word in words}

_PRIORITIES = {
    "urgent": ("urgent", "critical", "blocker", "highest", "p1", "1", "emergency", "very high",
               "sev1", "immediate", "dringend", "urgente", "sehr hoch", "kritisch"),
    "high": ("high", "major", "p2", "2", "sev2", "priority", "important", "hoch",
             "alta", "haute", "élevée"),
    "normal": ("normal", "medium", "moderate", "p3", "3", "sev3", "standard", "average",
               "not_priority", "regular", "mittel", "normale", "media", "moyenne"),
    "low": ("low", "lowest", "minor", "trivial", "planning", "p4", "p5", "4", "5", "sev4",
            "niedrig", "gering", "bassa", "basse", "faible", "baja"),
}  # fmt: skip
_PRIORITY = {word: name for name, words in _PRIORITIES.items() for word in words}

# Stars by the words of surveys: Zendesk, faces, thumbs.
_STARS = {
    "good": 5, "goodwithcomment": 5, "bad": 1, "badwithcomment": 1, "satisfied": 5, "happy": 5,
    "unsatisfied": 1, "dissatisfied": 1, "unhappy": 1, "neutral": 3, "amazing": 5, "great": 5,
    "okay": 3, "terrible": 1, "very satisfied": 5, "very dissatisfied": 1, "excellent": 5,
    "poor": 2, "positive": 5, "negative": 1, "awesome": 5,
}  # fmt: skip


def plain(word: str) -> str:
    """A word as it is compared: small, without signs and numbers before it.

    Examples
    --------
    >>> plain("3 - Moderate"), plain("In_Progress"), plain("P1")
    ('moderate', 'in progress', 'p1')
    """
    small = " ".join(word.casefold().replace("_", " ").split())
    return re.sub(r"^\d+\s*[-:.)]\s*", "", small)


def status_code(word: str, own: Mapping[str, str]) -> int:
    """Code of a desk's own status, or `NO_STATUS`.

    Parameters
    ----------
    word : str
    own : mapping of str to str
        The user's words for some of them, by name; their own statuses are the keys.

    Examples
    --------
    >>> [STATUSES[status_code(w, {})] for w in ("Solved", "Waiting on contact", "Resolve ticket")]
    ['Resolved', 'Waiting for customer', 'Resolved']
    >>> status_code("Assign seriousness", {})
    -1
    """
    if word in own:
        return STATUSES.index(own[word]) if own[word] in STATUSES else NO_STATUS
    small = plain(word)
    if small in _WORDS:
        return _WORDS[small]
    return next((code for code, part in _PARTS if re.search(part, small)), NO_STATUS)


def status_codes(words: pd.Series[Any], own: Mapping[str, str]) -> npt.NDArray[np.int64]:
    """Codes of a column of statuses; `NO_STATUS` where it is missing or no status."""
    places, names = pd.factorize(words)
    codes = [status_code(str(name), own) for name in names]
    return np.array([*codes, NO_STATUS], dtype=np.int64)[places]


# Numbers that count from 0, as of customers' ranks: taken to rise with the priority (assumed).
_FROM_ZERO = {
    1: {"0": "normal", "1": "high"},
    2: {"0": "low", "1": "normal", "2": "high"},
    3: {"0": "low", "1": "normal", "2": "high", "3": "urgent"},
}


def from_zero(words: pd.Series[Any]) -> dict[str, str]:
    """Priorities by number where a column counts from 0; empty where it does not.

    Examples
    --------
    >>> from_zero(pd.Series(["0", "2", "1"]))
    {'0': 'low', '1': 'normal', '2': 'high'}
    >>> from_zero(pd.Series(["1", "2"]))
    {}
    """
    found = {str(word).removesuffix(".0") for word in words.dropna().unique()}
    if "0" not in found or not found <= {"0", "1", "2", "3"}:
        return {}
    return _FROM_ZERO.get(int(max(found)), {})


def priorities(words: pd.Series[Any], own: Mapping[str, str]) -> tuple[pd.Series[Any], list[str]]:
    """A column as urgent, high, normal or low, and the words that are none of them.

    Parameters
    ----------
    words : Series of str
    own : mapping of str to str
        Words of the tool, as Freshdesk's 1 for low, and of the user.
    """
    table = {}
    for word in words.dropna().unique():
        small = plain(str(word).removesuffix(".0"))
        table[word] = own.get(small) or _PRIORITY.get(small) or _PRIORITY.get(str(word).casefold())
    return words.map(table), sorted(str(word) for word, name in table.items() if name is None)


def stars(words: pd.Series[Any]) -> tuple[npt.NDArray[np.float64], bool]:
    """Ratings as 1 to 5 stars, missing where none was given; and whether they are words."""
    numbers = pd.to_numeric(words, errors="coerce")
    if numbers.notna().any():
        inside = numbers.where((numbers >= 1) & (numbers <= 5))
        return np.asarray(inside.round(), dtype=np.float64), False
    named = words.str.casefold().map(_STARS)
    return np.asarray(named, dtype=np.float64), True
