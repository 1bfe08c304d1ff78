"""The tables of a run: columns, types, units and meanings; ticket statuses and their transitions.

Everything is recorded and nothing deleted: warm-up, windows and horizons are filters at measuring
time. All moments (``..._s`` without another word in the meaning) are simulated seconds since the
start of the run, midnight of the scenario's first day in its time zone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from twin.common.tables import as_text

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
    # Back to the queue; without a reply a ticket is resolved automatically.
    WAITING_FOR_CUSTOMER: frozenset({OPEN, RESOLVED, PENDING_REVIEW}),
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


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, pandas type, unit and meaning."""

    name: str
    dtype: str
    unit: str
    meaning: str


def _columns(*rows: tuple[str, str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


TABLES: dict[str, tuple[Column, ...]] = {
    "tickets": _columns(
        ("ticket_id", "int32", "", "number of the ticket, 1 is the first to arrive"),
        ("arrived_s", "float64", "s", "moment of arrival; below 0: of the opening backlog"),
        ("text_id", "int32", "", "row of the text in the corpus (0 first); -1 without a text"),
        ("category_true", "category", "", "what the ticket is about"),
        ("priority", "category", "", "urgent, high, normal or low"),
        ("channel", "category", "", "by which it came; missing where it is not known"),
        ("category", "category", "", "what it was categorized as; missing if it never was"),
        ("confidence", "float64", "0-1", "the assistant's confidence in its category"),
        ("categorized_by", "category", "", "assistant or agent"),
        ("responded_s", "float64", "s", "first response: an answer is sent or an agent picks up"),
        ("resolved_s", "float64", "s", "last resolution"),
        (
            "resolved_by",
            "category",
            "",
            "assistant, agent, reviewed draft or automatic (last resolution)",
        ),
        ("solved", "float64", "0/1", "whether the last answer solved it; missing if unresolved"),
        ("quality", "float64", "0-1", "judged quality of the assistant's answer"),
        ("answer_id", "int32", "", "row in the table answers (0 first); -1 without a text"),
        ("transfers", "int16", "", "times it went to another hand (assistant to agent, hand-over)"),
        ("reopens", "int16", "", "times the customer came back"),
        ("status", "category", "", "status at the horizon"),
    ),
    "timeline": _columns(
        ("ticket_id", "int32", "", "number of the ticket"),
        ("time_s", "float64", "s", "moment of the change"),
        ("status", "category", "", "the new status"),
        ("detail", "category", "", "the desk's own name of it (workflow); missing: it has none"),
    ),
    "visits": _columns(
        ("ticket_id", "int32", "", "number of the ticket"),
        ("pool", "category", "", "agents' pool; missing while nobody took it"),
        (
            "activity",
            "category",
            "",
            "handle, triage, review, follow up (a further touch) or wrap-up",
        ),
        (
            "queued_s",
            "float64",
            "s",
            "moment it joined the queue; missing for wrap-up and after a pause: it does not wait",
        ),
        ("started_s", "float64", "s", "moment an agent took it"),
        ("ended_s", "float64", "s", "moment the agent was done or the customer left"),
        (
            "end",
            "category",
            "",
            "done, handed over, paused (the rest is the ticket's next row), abandoned, blocked, "
            "balked or open (at the horizon)",
        ),
        (
            "agent",
            "float64",
            "",
            "number of the agent in the pool, 1 first; missing where agents are not told apart",
        ),
    ),
    "calls": _columns(
        ("ticket_id", "int32", "", "number of the ticket"),
        ("step", "category", "", "categorize or respond"),
        ("model", "category", "", "language model"),
        ("prompt_version", "category", "", "version of the prompts"),
        ("asked_s", "float64", "s", "moment the desk wanted the answer"),
        ("started_s", "float64", "s", "moment the last attempt was sent"),
        ("ended_s", "float64", "s", "moment the answer or the final failure came"),
        ("quota_wait_s", "float64", "s", "length of the pauses after a 429"),
        ("attempts", "int16", "", "times it was sent"),
        ("rate_limited", "int16", "", "attempts answered 429"),
        ("prompt_tokens", "int32", "tokens", "tokens in; 0 when it failed"),
        ("completion_tokens", "int32", "tokens", "tokens out; 0 when it failed"),
        ("cost_usd", "float64", "USD", "price of the tokens; missing where the price is unknown"),
        (
            "outcome",
            "category",
            "",
            "ok, or why the last attempt failed; calls under way at the horizon have no row",
        ),
    ),
    "ratings": _columns(
        ("ticket_id", "int32", "", "number of the ticket"),
        ("rated_s", "float64", "s", "moment of the rating (at resolution)"),
        ("rating", "int8", "1-5", "stars"),
        ("model", "category", "", "model that answered; missing for agents"),
        ("prompt_version", "category", "", "version of its prompts"),
        ("feedback", "category", "", "the customer's comment"),
    ),
    "learning": _columns(
        ("time_s", "float64", "s", "moment of the change"),
        ("category", "string", "", "where it holds; missing for all categories"),
        ("prompt_version", "string", "", "version of the prompts"),
        ("event", "string", "", "held back, live, promoted or rolled back"),
        (
            "evidence",
            "float64",
            "",
            "p-value of the ratings; at time 0 the gain on held-out tickets",
        ),
    ),
    "staffing": _columns(
        ("pool", "category", "", "agents' pool; without a row it was staffed as scheduled"),
        ("time_s", "float64", "s", "moment of the change; the first is 0"),
        ("on_shift", "int32", "agents", "on shift from then on, those who are away included"),
        ("away", "int32", "agents", "of them, away"),
    ),
    "levels": _columns(
        ("start_s", "float64", "s", "start of the interval"),
        ("end_s", "float64", "s", "end of the interval"),
        ("level", "category", "", "backlog, queue, busy, staffed, in hand or away"),
        ("pool", "category", "", "agents' pool for busy, staffed, in hand and away"),
        ("mean", "float64", "tickets or agents", "time average over the interval"),
    ),
    "answers": _columns(
        ("text", "string", "", "an answer the assistant wrote"),
        ("articles", "string", "", "slugs of the articles it rests on, by comma"),
    ),
    "kpis": _columns(
        ("kpi", "string", "", "name of the figure"),
        (
            "group",
            "string",
            "",
            "what it is split by (a priority, channel, pool, category); empty: all",
        ),
        ("unit", "string", "", "unit of value"),
        ("numerator", "float64", "", "summed over replications before dividing"),
        ("denominator", "float64", "", "summed over replications before dividing"),
        ("value", "float64", "", "numerator over denominator; missing where nothing was counted"),
        (
            "by_text",
            "binary",
            "",
            "float64 values: number of distinct texts, then numerators and "
            "denominators without each of 30 groups of texts; empty for figures of no texts",
        ),
    ),
    "sanity": _columns(
        ("check", "string", "", "conservation, or Little's law of tickets, queue or a pool"),
        ("expected", "float64", "", "arrivals; arrival rate times mean stay"),
        ("found", "float64", "", "outcomes and open tickets; average over time"),
        ("ok", "int8", "0/1", "1: they agree but for rounding"),
    ),
    "failures": _columns(
        ("scenario", "string", "", "name of the scenario"),
        ("stage", "string", "", "draw, answer, simulate, measure or save"),
        ("type", "string", "", "type of the exception"),
        ("message", "string", "", "its message"),
        ("traceback", "string", "", "where it was raised"),
    ),
}

# Tables of a single replication, in the order they are written; kpis last: with it, it is whole.
RUN_TABLES = (
    "tickets",
    "timeline",
    "visits",
    "calls",
    "ratings",
    "learning",
    "staffing",
    "levels",
    "answers",
    "sanity",
    "kpis",
)


def _as_scheduled() -> pd.DataFrame:
    columns = TABLES["staffing"]
    return pd.DataFrame({c.name: pd.Series([], dtype=c.dtype) for c in columns})


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
    tickets: pd.DataFrame
    timeline: pd.DataFrame
    visits: pd.DataFrame
    calls: pd.DataFrame
    ratings: pd.DataFrame
    answers: pd.DataFrame
    learning: pd.DataFrame
    texts: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    backend: str = ""
    # A log from before there was this table was staffed as scheduled.
    staffing: pd.DataFrame = field(default_factory=_as_scheduled)
    unknown: frozenset[str] = frozenset()


def codes(values: Any, names: tuple[str, ...] | list[str]) -> pd.Categorical[str]:
    """A categorical column from indices into `names`; negative means missing."""
    made: pd.Categorical[str] = pd.Categorical.from_codes(
        np.asarray(values), categories=pd.Index(names)
    )
    return made


def frame(table: str, columns: dict[str, Any]) -> pd.DataFrame:
    """A frame with exactly the columns of `table`, in order and type.

    Raises
    ------
    KeyError
        If a column is missing.
    """
    data = {}
    for column in TABLES[table]:
        values = columns[column.name]
        plain = column.dtype not in ("category", "string", "binary")
        data[column.name] = np.ascontiguousarray(values, column.dtype) if plain else values
    return pd.DataFrame(data, copy=False)


def data_dictionary() -> str:
    """The tables as Markdown, as in results/README.md."""
    lines = []
    for table, columns in TABLES.items():
        lines += [
            f"### {table}",
            "",
            "| column | type | unit | meaning |",
            "| --- | --- | --- | --- |",
        ]
        lines += [f"| {c.name} | {c.dtype} | {c.unit} | {c.meaning} |" for c in columns]
        lines.append("")
    return "\n".join(lines)


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
