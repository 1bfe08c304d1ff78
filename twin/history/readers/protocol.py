"""The protocol of readers: one a tool, chosen by the columns of what is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twin.history.gathered import Choices, Gathered
from twin.history.readers.taken import Names
from twin.history.sheet import Sheet


class Reader(Protocol):
    """A reader of a tool's exports.

    Attributes
    ----------
    name : str
        As `--tool` takes it.
    title : str
        For people.
    """

    @property
    def name(self) -> str:
        """As `--tool` takes it."""
        ...

    @property
    def title(self) -> str:
        """For people."""
        ...

    def score(self, sheets: Sequence[Sheet]) -> float:
        """Likelihood, 0 to 1, that the sheets are this tool's; by their columns."""
        ...

    def read(self, sheets: Sequence[Sheet], choices: Choices) -> Gathered:
        """Gather what the sheets tell.

        Raises
        ------
        ScenarioError
            Naming file, row and column of what cannot be read.
        """
        ...


def best(sheets: Sequence[Sheet], names: Names) -> Sheet | None:
    """The sheet with most of a tool's columns; None where none has any."""
    found = max(sheets, key=names.count, default=None)
    return found if found is not None and names.count(found) else None


def share(sheet: Sheet | None, marks: Sequence[str]) -> float:
    """Share of the columns by which a tool is known that a sheet has."""
    if sheet is None:
        return 0.0
    return sum(sheet.find(mark) is not None for mark in marks) / len(marks)
