"""Names of people in a history: codes in their place, so that the history holds nobody's name."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from twin.history.gathered import Gathered

# Names that programs go by: they are told apart from people.
_PROGRAM = re.compile(
    r"\b(?:chat)?bots?\b|\bautomat|\bsystem\b|\bapi\b|\bworkflow|\btrigger|\brobot|virtual agent|"
    r"answer ?bot|\bauto[- ]?(?:close|assign|reply)|\bsla\b|integration|\bai agent|\bfin\b|webhook|"
    r"\bvirtual\b",
    re.I,
)
_MAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[A-Za-z]{2,}")
# Words of the twin's own store for who did something.
_ROLES = {"customer": None, "desk": None, "assistant": "assistant"}
_MASK = "(mail address)"


def is_program(name: str) -> bool:
    """True if a name is one that programs go by.

    Examples
    --------
    >>> is_program("Answer Bot"), is_program("Abbot"), is_program("system")
    (True, False, True)
    """
    return _PROGRAM.search(name.replace("_", " ")) is not None


def coded(gathered: Gathered, keep_names: bool) -> dict[str, str]:
    """Put codes in the place of agents' names, and mask mail addresses; returns codes by names.

    Programs are ``bot1`` and so on, people ``A001`` in the order in which they come first.
    """
    frames = (gathered.changes, gathered.spells, gathered.tickets)
    names: dict[str, None] = {}
    for frame in frames:
        if "agent" in frame:
            names |= dict.fromkeys(str(name) for name in frame["agent"].dropna().unique())
    codes: dict[str, str | None] = {}
    people = programs = 0
    for name in names:
        if name in _ROLES:
            codes[name] = _ROLES[name]
        elif is_program(name):
            programs += 1
            codes[name] = f"bot{programs}"
        else:
            people += 1
            codes[name] = name if keep_names else f"A{people:03d}"
    for frame in frames:
        for column in ("agent", "resolver"):
            if column in frame:
                frame[column] = frame[column].map(codes.get, na_action="ignore")
    for frame in frames:
        for column in ("group", "category", "channel", "status", "priority"):
            if not keep_names and column in frame:
                frame[column] = _without_mails(frame[column])
    return {name: code for name, code in codes.items() if code is not None}


def _without_mails(words: pd.Series[Any]) -> pd.Series[Any]:
    table = {
        word: _MAIL.sub(_MASK, word)
        for word in words.dropna().unique()
        if isinstance(word, str) and "@" in word
    }
    return words.replace(table) if table else words
