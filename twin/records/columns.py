"""The columns of the tables of a run: types, units and meanings.

All moments (``..._s`` without another word in the meaning) are simulated seconds since the start of
the run, midnight of the scenario's first day in its time zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from twin.common.errors import nearest


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
        ("sample", "int16", "", "which of several recorded answers it is, 0 first; -1: of none"),
        ("key", "category", "", "its line in the recording; missing where none was recorded"),
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

# What a run writes in any case: its figures, and whether it adds up.
ALWAYS_KEPT = ("sanity", "kpis")


def tables_kept(wanted: Iterable[str] | None) -> tuple[str, ...]:
    """The tables that a run writes where these are asked for, in the order in which it does.

    Parameters
    ----------
    wanted : iterable of str, optional
        By default all.

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> tables_kept(["tickets"])
    ('tickets', 'sanity', 'kpis')
    """
    asked = RUN_TABLES if wanted is None else {*wanted, *ALWAYS_KEPT}
    for name in asked:
        if name not in RUN_TABLES:
            raise ValueError(f"no table {name!r}; {nearest(name, RUN_TABLES)}")
    return tuple(name for name in RUN_TABLES if name in asked)


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
