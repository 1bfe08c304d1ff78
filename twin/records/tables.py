"""The log of a run: its tables, the statuses of tickets and their transitions, other codes.

Everything is recorded and nothing deleted: warm-up, windows and horizons are filters at measuring
time. What the columns mean: `twin.records.columns`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from typing import Any, cast, overload

import numpy as np
import pandas as pd

from twin.common.tables import as_text
from twin.records.arrays import Arrays
from twin.records.columns import TABLES

STATUSES = (
    "Open",
    "Categorized",
    "In Progress",
    "Waiting for customer",
    "On hold",
    "Pending Review",
    "Escalated",
    "Resolved",
    "Reopened",
    "Closed",
    "Abandoned",
)
(
    OPEN,
    CATEGORIZED,
    IN_PROGRESS,
    WAITING_FOR_CUSTOMER,
    ON_HOLD,
    PENDING_REVIEW,
    ESCALATED,
    RESOLVED,
    REOPENED,
    CLOSED,
    ABANDONED,
) = range(len(STATUSES))

# Who has to act next, by status; nobody on a ticket that is over.
DESK, CUSTOMER, THIRD_PARTY, AUTOMATION, NOBODY = (
    "desk",
    "customer",
    "third party",
    "automation",
    "nobody",
)
OWNERS: dict[int, str] = {
    OPEN: DESK,
    CATEGORIZED: DESK,
    IN_PROGRESS: DESK,
    WAITING_FOR_CUSTOMER: CUSTOMER,
    ON_HOLD: THIRD_PARTY,
    PENDING_REVIEW: DESK,
    ESCALATED: DESK,
    # Closed after a while, unless the customer comes back.
    RESOLVED: AUTOMATION,
    REOPENED: DESK,
    CLOSED: NOBODY,
    ABANDONED: NOBODY,
}

# The only table of transitions of the twin's life cycle; a workflow brings its own, so any status
# may follow any other there. None stands for a ticket that is not there yet.
TRANSITIONS: dict[int | None, frozenset[int]] = {
    None: frozenset({OPEN}),
    # Waiting for customer also follows where they left without an agent and will try again.
    OPEN: frozenset({CATEGORIZED, IN_PROGRESS, ESCALATED, ABANDONED, WAITING_FOR_CUSTOMER}),
    CATEGORIZED: frozenset({IN_PROGRESS, ESCALATED, ABANDONED, WAITING_FOR_CUSTOMER}),
    IN_PROGRESS: frozenset(
        {CATEGORIZED, PENDING_REVIEW, ESCALATED, RESOLVED, WAITING_FOR_CUSTOMER, ON_HOLD}
    ),
    # Back to the queue; without a reply a ticket is resolved automatically. On the live desk an
    # assistant's answer waits there for the customer's word, and one that did not help is reopened.
    WAITING_FOR_CUSTOMER: frozenset({OPEN, RESOLVED, PENDING_REVIEW, REOPENED}),
    ON_HOLD: frozenset({OPEN}),
    # On the live desk an agent may answer a ticket anew instead of approving its draft.
    PENDING_REVIEW: frozenset({RESOLVED, IN_PROGRESS, ABANDONED, WAITING_FOR_CUSTOMER}),
    ESCALATED: frozenset({IN_PROGRESS, ABANDONED, WAITING_FOR_CUSTOMER}),
    RESOLVED: frozenset({CLOSED, REOPENED}),
    REOPENED: frozenset({IN_PROGRESS, ABANDONED, WAITING_FOR_CUSTOMER}),
    CLOSED: frozenset(),
    ABANDONED: frozenset(),
}

# What has become of a ticket, by its status: all that is said of resolved or open tickets goes by
# these. From a final status no other follows.
RESOLVED_STATUSES = (STATUSES[RESOLVED], STATUSES[CLOSED])
OPEN_STATUSES = tuple(
    name for name in STATUSES if name not in (*RESOLVED_STATUSES, STATUSES[ABANDONED])
)
FINAL_STATUSES = tuple(
    STATUSES[code] for code, after in TRANSITIONS.items() if code is not None and not after
)

# Values of tickets.categorized_by and resolved_by; missing where nobody did it. Automatic: resolved
# since the customer did not reply.
WORKERS = ("assistant", "agent", "reviewed draft", "automatic")
BY_ASSISTANT, BY_AGENT, BY_REVIEW, AUTOMATIC = range(len(WORKERS))

# Kinds of visits. Follow up: a further touch, after a wait. Wrap-up is agents' work like the rest,
# but no ticket waits for it: so it has a row of its own, and handle times stay clean.
ACTIVITIES = ("handle", "triage", "review", "follow up", "wrap-up")
HANDLE, TRIAGE, REVIEW, FOLLOW_UP, WRAP_UP = range(len(ACTIVITIES))

# Ends of a visit to the agents; open ones were waiting or in work at the horizon. Who was turned
# away (blocked) or put off by the queue (balked) left at the moment at which they came.
# Paused work goes on in a row of its own, which did not wait in the queue.
VISIT_ENDS = ("done", "handed over", "abandoned", "open", "blocked", "balked", "paused")
DONE, HANDED_OVER, LEFT, STILL_OPEN, BLOCKED, BALKED, PAUSED = range(len(VISIT_ENDS))

STEPS = ("categorize", "respond")


class Columns(dict[str, Any]):
    """The columns of a table by name.

    To make a frame of them takes longer than the figures of a short run.
    """

    def frame(self) -> pd.DataFrame:
        """They as a frame, which shares their memory."""
        return pd.DataFrame(self, copy=False)


def _as_scheduled() -> pd.DataFrame:
    columns = TABLES["staffing"]
    return pd.DataFrame({c.name: pd.Series([], dtype=c.dtype) for c in columns})


class _Table:
    """A table of a log: a frame, which is made at the first look where columns were given."""

    def __init__(self, by_default: Callable[[], pd.DataFrame] | None = None) -> None:
        self._by_default = by_default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, log: None, owner: type) -> None: ...
    @overload
    def __get__(self, log: RunLog, owner: type) -> pd.DataFrame: ...
    def __get__(self, log: RunLog | None, owner: type) -> pd.DataFrame | None:
        if log is None:
            # So a dataclass asks for the default of a field.
            if self._by_default is None:
                raise AttributeError(self._name)
            return None
        given = log.given(self._name)
        if isinstance(given, Columns):
            given = vars(log)[self._name] = given.frame()
        return given

    def __set__(self, log: RunLog, given: pd.DataFrame | Columns | None) -> None:
        if given is None and self._by_default is not None:
            given = self._by_default()
        vars(log)[self._name] = given


@dataclass(frozen=True)
class RunLog:
    """All tables of one replication.

    Attributes
    ----------
    horizon_s : float
        Length of the run.
    tickets, timeline, visits, calls, ratings, answers, learning, staffing : DataFrame
        See `TABLES` for the columns.
    texts : tuple of str
        The corpus texts that ``tickets.text_id`` points at; empty without a corpus.
    notes : tuple of str
        Things the reader of the results must know, such as an unknown price.
    backend : str
        Of the assistant; empty without one.
    unknown : frozenset of str
        Facts that a real desk's history does not hold (see `twin.measures.inputs.RESTS_ON`):
        figures that rest on them are missing. A run holds all.
    """

    horizon_s: float
    tickets: _Table = _Table()
    timeline: _Table = _Table()
    visits: _Table = _Table()
    calls: _Table = _Table()
    ratings: _Table = _Table()
    answers: _Table = _Table()
    learning: _Table = _Table()
    texts: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    backend: str = ""
    # A log from before there was this table was staffed as scheduled.
    staffing: _Table = _Table(_as_scheduled)
    unknown: frozenset[str] = frozenset()

    def arrays(self, table: str) -> Arrays:
        """The columns of a table as arrays, each read once; tables must not change after it."""
        found = self._arrays.get(table)
        if found is None:
            found = self._arrays[table] = Arrays(self.given(table))
        return found

    def given(self, table: str) -> pd.DataFrame | Columns:
        """A table as it is there: as a frame, or as columns of which no frame was made."""
        given: pd.DataFrame | Columns = vars(self)[table]
        return given

    @cached_property
    def _arrays(self) -> dict[str, Arrays]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """All but the arrays: another process reads its own."""
        return {one.name: vars(self)[one.name] for one in fields(self)}


def codes(values: Any, names: tuple[str, ...] | list[str]) -> pd.Categorical[str]:
    """A categorical column from indices into `names`; negative means missing."""
    named: Any = _named(tuple(names))
    # A copy of its own: a view into the rows of a run would keep all of them in memory.
    # Not validated, which takes as long as the rest: these are the desk's own.
    made: Any = pd.Categorical.from_codes(np.ascontiguousarray(values), dtype=named, validate=False)
    return cast("pd.Categorical[str]", made)


@lru_cache(maxsize=256)
def _named(names: tuple[str, ...]) -> Any:
    # Made once for all replications: pandas looks whether names are given twice.
    return pd.CategoricalDtype(pd.Index(names))


def frame(table: str, columns: dict[str, Any]) -> pd.DataFrame:
    """A frame with exactly the columns of `table`; see `columns_of`."""
    return columns_of(table, columns).frame()


def columns_of(table: str, columns: dict[str, Any]) -> Columns:
    """Exactly the columns of `table`, in order and type.

    Raises
    ------
    KeyError
        If a column is missing.
    """
    data = Columns()
    for column in TABLES[table]:
        values = columns[column.name]
        plain = column.dtype not in ("category", "string", "binary")
        data[column.name] = np.ascontiguousarray(values, column.dtype) if plain else values
    return data


def ticket_dictionary(row: Any, description: str, response: str) -> dict[str, Any]:
    """A ticket in the shape in which it is shown and exported everywhere.

    Parameters
    ----------
    row : named tuple
        A row of the table tickets.
    description, response : str
        Its text and the assistant's answer.
    """
    return {
        "ticket_id": int(row.ticket_id),
        "description": description,
        "category": as_text(row.category),
        "response": response,
        "status": str(row.status),
    }


def feedback_dictionary(
    description: str, model: str, rating: int, feedback: str, backend: str
) -> dict[str, Any]:
    """A feedback entry in the shape in which it is exported everywhere.

    Backend and model are those that answered: both are empty where a person did, and the model
    where no language model did (`embedded`).
    """
    return {
        "description": description,
        "model": model,
        "rating": int(rating),
        "feedback": feedback,
        "backend": backend,
    }
