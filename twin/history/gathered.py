"""The neutral form between the tools' files and the tables: what any export can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

# Columns of the three frames; a reader may leave out all but those in front of the bar.
TICKETS = ("id", "created", "first_reply", "solved", "closed", "updated", "status", "priority",
           "category", "channel", "group", "agent", "reopens", "transfers", "rating", "rated",
           "left_out")  # fmt: skip
CHANGES = ("id", "at", "status", "agent", "group")
SPELLS = ("id", "queued", "started", "ended", "agent", "group", "activity", "end")

# Facts that figures rest on, and their words where a history does not hold them.
FACTS = {
    "responses": "when the first reply was sent",
    "resolutions": "when tickets were resolved",
    "reopens": "whether tickets were reopened",
    "abandonments": "whether customers gave up",
    "work": "when agents began and ended their work",
    "staffing": "how many agents were on shift",
    "assistant": "whether an assistant answered",
    "ratings": "how customers rated",
    "solved": "whether answers solved the problem",
}


@dataclass(frozen=True)
class Understood:
    """One column and its meaning.

    Attributes
    ----------
    where : str
        File, or sheet of it.
    column : str
    field : str
        One of `twin.history.fields.FIELDS`, a thing of the tool's own, or empty: left out.
    how : str
        Known (seen in the tool's documentation), guessed, given, or why it was left out.
    """

    where: str
    column: str
    field: str
    how: str


@dataclass(frozen=True)
class Choices:
    """Settings of an import.

    Attributes
    ----------
    zone : str
        Time zone of the desk, and of times that name none.
    zone_given : bool
    days_first : bool or None
        Whether 03/04/2026 is in April, where no row tells.
    columns : mapping of str to str
        Columns by field, as the user gives them; an empty one is not to be read.
    statuses : mapping of str to str
        The twin's statuses by the desk's own, as the user gives them.
    priorities : mapping of str to str
        The twin's priorities by the desk's own, as the user gives them.
    keep_names, texts : bool
        Whether names of agents stay, and whether texts of customers are kept.
    skip_bad : bool
        Whether tickets without a moment of creation are left out instead of being a fault.
    confirm : callable, optional
        Asks the user about guesses: gets the rows and the names of all columns, gives columns by
        field.
    """

    zone: str = "UTC"
    zone_given: bool = False
    days_first: bool | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    priorities: Mapping[str, str] = field(default_factory=dict)
    keep_names: bool = False
    texts: bool = False
    skip_bad: bool = False
    confirm: Callable[[Sequence[Understood], Sequence[str]], Mapping[str, str]] | None = None


@dataclass
class Gathered:
    """Facts that the files of a desk tell, before they are put into tables.

    Attributes
    ----------
    tool : str
        Its name for people.
    tickets : DataFrame
        A row a ticket, columns `TICKETS`: moments as seconds since 1970, statuses in the desk's
        own words. `left_out` says why a ticket is no work of the desk (merged, spam).
    changes : DataFrame
        A row a change of status or of the assignee, columns `CHANGES`.
    spells : DataFrame
        A row a spell of an agent's work, or a wait that ended without one; columns `SPELLS`.
    texts : DataFrame
        Columns id, subject, description, comment, and tags where there are any; empty unless asked
        for.
    known : set of str
        Facts of `FACTS` that it holds.
    understood : list of Understood
    notes : list of str
        Sentences for whoever reads the figures.
    local : bool
        Whether some times named no offset.
    columns : dict of str to str
        Columns by field as they were read, for the next time.
    """

    tool: str
    tickets: pd.DataFrame
    changes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(CHANGES)))
    spells: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(SPELLS)))
    texts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["id"]))
    known: set[str] = field(default_factory=set)
    understood: list[Understood] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    local: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    # Of the priorities, by the tool's own words.
    priorities: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> pd.Series[Any]:
        """A column of the tickets; missing where it is not there."""
        if name in self.tickets:
            return self.tickets[name]
        return pd.Series([None] * len(self.tickets), index=self.tickets.index, dtype="object")
