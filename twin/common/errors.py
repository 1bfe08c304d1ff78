"""All errors of the twin, in one tree under `TwinError`.

TwinError
    ScenarioError (also a ValueError)     a file or a setting that cannot be used; lists faults
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class TwinError(Exception):
    """What the twin itself raises on purpose; the message says what, where and what is allowed."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where, what was given, what is allowed."""

    key: str
    reason: str
    given: object = None
    hint: str = ""

    def __str__(self) -> str:
        given = "" if self.given is None else f" (given: {_short(self.given)})"
        hint = f"; {self.hint}" if self.hint else ""
        text = f"{self.key or 'file'}: {self.reason}{given}{hint}"
        # A message stays on its line, whatever the file holds.
        return "".join(c if c.isprintable() else "?" for c in text)


class ScenarioError(ValueError):
    """A scenario that cannot run; `faults` lists every fault found.

    Attributes
    ----------
    where : str
        The file, or what else the data came from.
    faults : list of Fault
    """

    def __init__(self, where: str, faults: list[Fault]) -> None:
        self.where = where
        self.faults = faults
        super().__init__(where, faults)

    def __str__(self) -> str:
        return "\n".join(f"{self.where}: {fault}" for fault in self.faults)


def _short(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    if isinstance(value, bool):
        text = str(value).lower()
    # Both ends, since a path is known by its last part.
    return text if len(text) <= 80 else f"{text[:38]}...{text[-38:]}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to `word`, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"known: {', '.join(known)}" if known else ""
