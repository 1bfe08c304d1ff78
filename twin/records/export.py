"""A run for other tools: tickets and feedback as JSON, event logs for process mining."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO
from xml.sax.saxutils import quoteattr

import numpy as np
import pandas as pd
import pydantic_core

from twin.common.files import whole, write_text
from twin.common.formulas import guarded
from twin.common.tables import as_text, is_blank
from twin.records.tables import (
    ACTIVITIES,
    BY_ASSISTANT,
    PAUSED,
    VISIT_ENDS,
    WORKERS,
    WRAP_UP,
    RunLog,
    feedback_dictionary,
    ticket_dictionary,
)
from twin.scenario.model import Scenario
from twin.scenario.sections.assistant import answering_model

# JSON for people and small tools: what does not fit is in the tables.
MAX_JSON_TICKETS = 10_000
_EVENT_COLUMNS = ("case", "activity", "resource", "start", "end")
_EVENTS = ("case", "activity", "resource", "start_s", "end_s")
# Steps of work in the XES extension Lifecycle.
START, RESUME, SUSPEND, COMPLETE = "start", "resume", "suspend", "complete"
_EXTENSIONS = ("Concept", "Time", "Organizational", "Lifecycle")


def ticket_entries(log: RunLog, limit: int = MAX_JSON_TICKETS) -> list[dict[str, Any]]:
    """The first tickets of a run in the shape of `records.ticket_dictionary`."""
    answers = log.answers["text"].tolist()
    columns = ["ticket_id", "text_id", "answer_id", "category", "status"]
    rows: Any = log.tickets[columns].head(limit).itertuples()
    return [
        ticket_dictionary(
            row,
            log.texts[row.text_id] if row.text_id >= 0 else "",
            answers[row.answer_id] if row.answer_id >= 0 else "",
        )
        for row in rows
    ]


def feedback_entries(log: RunLog, limit: int = MAX_JSON_TICKETS) -> list[dict[str, Any]]:
    """Feedback on the first tickets of a run in the shape of `records.feedback_dictionary`.

    What the assistant answered on its own also has category, answer and prompt_version, so that
    another run can start to learn from the file (`assistant.learning.feedback`).
    """
    answers = log.answers["text"].tolist()
    columns = ["text_id", "answer_id", "category", "resolved_by"]
    tickets: list[Any] = list(log.tickets[columns].head(limit).itertuples())
    columns = ["ticket_id", "rating", "model", "prompt_version", "feedback"]
    rows: Any = log.ratings.loc[log.ratings["ticket_id"] <= len(tickets), columns].itertuples()
    entries = []
    for row in rows:
        ticket = tickets[row.ticket_id - 1]
        by_model = not is_blank(row.model)
        entry = feedback_dictionary(
            log.texts[ticket.text_id] if ticket.text_id >= 0 else "",
            answering_model(log.backend, row.model) if by_model else "",
            row.rating,
            as_text(row.feedback),
            log.backend if by_model else "",
        )
        if ticket.resolved_by == WORKERS[BY_ASSISTANT] and ticket.answer_id >= 0:
            entry["category"] = as_text(ticket.category)
            entry["answer"] = answers[ticket.answer_id]
            entry["prompt_version"] = as_text(row.prompt_version)
        entries.append(entry)
    return entries


def tickets_json(log: RunLog) -> str:
    """The first `MAX_JSON_TICKETS` tickets as JSON."""
    return _to_json(ticket_entries(log))


def feedback_json(log: RunLog) -> str:
    """The feedback on the first `MAX_JSON_TICKETS` tickets as JSON."""
    return _to_json(feedback_entries(log))


def write_first(log: RunLog, folder: Path, tables: Sequence[str], private: bool) -> list[str]:
    """Write the first tickets and their feedback as JSON, of tables that are kept; notes on it.

    Parameters
    ----------
    log : RunLog
        With more tickets than are written, where there are more.
    folder : Path
    tables : sequence of str
    private : bool
        Whether nobody else may read them: texts of customers are in them.
    """
    for table, name, made in (
        ("tickets", "tickets.json", tickets_json),
        ("ratings", "feedback.json", feedback_json),
    ):
        if table in tables:
            write_text(folder / name, made(log), private=private)
    if len(log.tickets) <= MAX_JSON_TICKETS:
        return []
    return [f"tickets.json and feedback.json hold the first {MAX_JSON_TICKETS:,} tickets only"]


def _to_json(entries: list[dict[str, Any]]) -> str:
    """Entries of texts and whole numbers as `twin.common.files.to_json`, several times as fast."""
    return pydantic_core.to_json(entries, indent=2).decode() + "\n"


def events(log: RunLog, scenario: Scenario | None = None) -> pd.DataFrame:
    """Events by case and time, as process-mining tools need them.

    Parameters
    ----------
    log : RunLog
    scenario : Scenario, optional
        As run: its agents with names go by them.

    Returns
    -------
    DataFrame
        Columns case (ticket_id), activity, resource, start_s, end_s. Status changes are instants
        named by the new status (by the desk's own name of it, where there is one), without a
        resource; the assistant's calls have the model as resource, agents' visits the pool, and
        behind it the agent's number where agents are told apart. What was under way at the horizon
        has no end; a visit that never started and a call that was never sent are left out.
    """
    return _all_events(log, scenario)[list(_EVENTS)]


def _all_events(log: RunLog, scenario: Scenario | None = None) -> pd.DataFrame:
    """As `events`, with the step of the lifecycle at the start and at the end of each."""
    timeline, visits, calls = log.timeline, log.visits, log.calls
    names = timeline["status"].astype(object)
    if "detail" in timeline:
        names = timeline["detail"].astype(object).fillna(names)
    pool = visits["pool"].astype(object)
    if "agent" in visits:
        told = visits["agent"].notna().to_numpy()
        pool[told] = [
            _named(str(name), agent, scenario)
            for name, agent in zip(pool[told], visits["agent"][told], strict=True)
        ]
    changes = timeline["time_s"]
    kinds = [_events(timeline, names, None, changes, changes).assign(first="", last="", kind=0)]
    activity = visits["activity"].astype(object)
    goes_on = visits["queued_s"].isna() & (activity != ACTIVITIES[WRAP_UP])
    paused = visits["end"] == VISIT_ENDS[PAUSED]
    for table, name, resource, first, last in (
        (calls, calls["step"].astype(object), calls["model"].astype(object), START, COMPLETE),
        (visits, activity, pool, np.where(goes_on, RESUME, START),
         np.where(paused, SUSPEND, COMPLETE)),
    ):  # fmt: skip
        ended = table["ended_s"].where(table["ended_s"] <= log.horizon_s)
        found = _events(table, name, resource, table["started_s"], ended)
        found = found.assign(first=first, last=last, kind=1)
        kinds.append(found[found["start_s"].notna()])
    joined = pd.concat([part for part in kinds if len(part)] or kinds[:1], ignore_index=True)
    # A status change comes before the work that begins at the same moment.
    return joined.sort_values(["case", "start_s", "kind"], kind="stable", ignore_index=True)


def _named(pool: str, agent: float, scenario: Scenario | None) -> str:
    """An agent as the resource of an event: "frontline 3", or "frontline Ann"."""
    if agent != agent:
        return pool
    members = [] if scenario is None else scenario.agents[pool].members
    return f"{pool} {members[int(agent) - 1].name if agent <= len(members) else int(agent)}"


def _events(
    table: pd.DataFrame,
    activity: pd.Series[str],
    resource: pd.Series[str] | None,
    start_s: pd.Series[float],
    end_s: pd.Series[float],
) -> pd.DataFrame:
    named = {"case": table["ticket_id"], "activity": activity, "resource": resource}
    return pd.DataFrame(named | {"start_s": start_s, "end_s": end_s})


def _iso(seconds: pd.Series[float], scenario: Scenario) -> list[str]:
    """ISO times in the scenario's time zone, to the millisecond; empty where missing."""
    milliseconds = np.round((seconds.to_numpy() + scenario.midnight.timestamp()) * 1000)
    missing = np.isnan(milliseconds)
    stamps = np.where(missing, 0.0, milliseconds).astype(np.int64).astype("datetime64[ms]")
    local = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(scenario.zone)
    return [
        "" if gone else moment.isoformat(timespec="milliseconds")
        for moment, gone in zip(local, missing, strict=True)
    ]


def _rows(log: RunLog, scenario: Scenario) -> Iterator[tuple[int, str, str, str, str, str, str]]:
    """Case, activity, resource, start, end, and the steps of the lifecycle at both."""
    frame = _all_events(log, scenario)
    # In slices, so that a million tickets do not stand in memory as text.
    for first in range(0, len(frame), 100_000):
        part = frame.iloc[first : first + 100_000]
        resource = part["resource"].map(as_text)
        start, end = _iso(part["start_s"], scenario), _iso(part["end_s"], scenario)
        yield from zip(
            part["case"].tolist(),
            part["activity"].tolist(),
            resource.tolist(),
            start,
            end,
            part["first"].tolist(),
            part["last"].tolist(),
            strict=True,
        )


def write_csv(log: RunLog, scenario: Scenario, file: TextIO) -> None:
    """Write the event log as CSV: case, activity, resource, start, end (ISO times).

    Parameters
    ----------
    log : RunLog
    scenario : Scenario
        Gives the first day and the time zone.
    file : text file
        Opened with ``newline=""``.
    """
    writer = csv.writer(file)
    writer.writerow(_EVENT_COLUMNS)
    name = cache(guarded)
    for case, activity, resource, start, end, *_ in _rows(log, scenario):
        writer.writerow((case, name(activity), name(resource), start, end))


def write_xes(log: RunLog, scenario: Scenario, file: TextIO) -> None:
    """Write the event log as XES (IEEE 1849-2016), a trace a ticket.

    Work is a start and a complete event of one instance; a status change is complete at once. Work
    that stops at the end of a shift and goes on in a later one is suspended and resumed.

    Parameters
    ----------
    log : RunLog
    scenario : Scenario
        Gives the first day and the time zone.
    file : text file
    """
    file.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    file.write(
        '<log xes.version="1849-2016" xes.features="" xmlns="http://www.xes-standard.org/">\n'
    )
    for name in _EXTENSIONS:
        prefix = {"Organizational": "org"}.get(name, name.lower())
        uri = f"http://www.xes-standard.org/{prefix}.xesext"
        file.write(f'  <extension name="{name}" prefix="{prefix}" uri="{uri}"/>\n')
    file.write('  <classifier name="Activity" keys="concept:name"/>\n')
    file.write(f"  {_attribute('concept:name', scenario.name)}\n")
    case: int | None = None
    suspended: dict[str, int] = {}
    for number, (ticket, activity, resource, start, end, first, last) in enumerate(
        _rows(log, scenario)
    ):
        if ticket != case:
            if case is not None:
                file.write("  </trace>\n")
            file.write(f"  <trace>\n    {_attribute('concept:name', str(ticket))}\n")
            case = ticket
            suspended.clear()
        moments = [(COMPLETE, start)]
        if first:
            moments = [(first, start), (last, end)] if end else [(first, start)]
        instance = suspended.pop(activity, number) if first == RESUME else number
        if last == SUSPEND:
            suspended[activity] = instance
        for transition, moment in moments:
            file.write("    <event>\n")
            file.write(f"      {_attribute('concept:name', activity)}\n")
            file.write(f"      {_attribute('concept:instance', str(instance))}\n")
            file.write(f"      {_attribute('lifecycle:transition', transition)}\n")
            if resource:
                file.write(f"      {_attribute('org:resource', resource)}\n")
            file.write(f'      <date key="time:timestamp" value="{moment}"/>\n')
            file.write("    </event>\n")
    if case is not None:
        file.write("  </trace>\n")
    file.write("</log>\n")


def _attribute(key: str, value: str) -> str:
    # XML knows no control characters, escaped or not.
    clean = "".join(c if c.isprintable() else " " for c in value)
    return f'<string key="{key}" value={quoteattr(clean)}/>'


def write_event_log(log: RunLog, scenario: Scenario, paths: tuple[Path, Path]) -> None:
    """Write the event log as CSV and as XES, each whole or not at all.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    for path, write in zip(paths, (write_csv, write_xes), strict=True):
        with whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            write(log, scenario, file)
