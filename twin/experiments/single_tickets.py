"""Single tickets of a run: texts, answers, marks, and all that happened to each.

A call of a run knows the key of the recorded answer that it replayed, by which its prompt is found
in the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twin.assistant.errors import RecordingError
from twin.assistant.recorded.recording import read_lines
from twin.common.errors import TwinError
from twin.common.tables import as_text
from twin.demand.corpus import load_corpus
from twin.demand.tickets import draw
from twin.experiments import manifest as provenance
from twin.experiments.rerate import FOLDER
from twin.experiments.versions import as_played
from twin.records import storage
from twin.records.columns import TABLES
from twin.records.far_tables import FarTable
from twin.scenario.model import Scenario

# Of each of these all rows of a ticket are read.
_OF_TICKETS = ("timeline", "visits", "calls", "ratings")


@dataclass(frozen=True)
class SingleTicket:
    """A ticket of a run.

    Attributes
    ----------
    row : dict
        Its row of the table tickets.
    text, answer, articles : str
        What the customer wrote, the assistant's answer, and slugs of the articles it rests on;
        empty where there is none.
    marks : dict of str to float
        Quality of the answer by other raters (`twin rate`), 0 to 1.
    happened : dict of str to list of dict
        Rows of the tables timeline, visits, calls and ratings.
    prompts : dict of str to list
        Messages by the key of a call, as far as the recording is there.
    """

    row: dict[str, Any]
    text: str
    answer: str
    articles: str
    marks: dict[str, float]
    happened: dict[str, list[dict[str, Any]]]
    prompts: dict[str, list[dict[str, str]]]


@dataclass(frozen=True)
class SingleTickets:
    """Some tickets of one replication of a run.

    Attributes
    ----------
    scenario : Scenario
        As run.
    replication, whole : int
        `whole` is how many tickets the replication has.
    tickets : tuple of SingleTicket
    notes : tuple of str
        What is not there any more.
    """

    scenario: Scenario
    replication: int
    whole: int
    tickets: tuple[SingleTicket, ...]
    notes: tuple[str, ...]


def read_tickets(
    folder: Path, replication: int = 0, numbers: Sequence[int] = (), most: int = 500
) -> SingleTickets:
    """Single tickets of a saved run.

    Parameters
    ----------
    folder : Path
        Of the run.
    replication : int
    numbers : sequence of int
        Of the tickets; by default the first ones.
    most : int
        Tickets at most.

    Raises
    ------
    ValueError
        If the folder is no run, the replication or a table is missing or damaged, or there is no
        ticket of a number.
    """
    manifest = storage.read_manifest(folder)
    scenario = Scenario.model_validate(manifest["scenario_as_run"])
    table = FarTable(folder, "tickets", replication)
    whole = len(table)
    wanted = np.unique([*numbers])[:most] if numbers else np.arange(1, min(most, whole) + 1)
    rows = _rows(table, wanted)
    gone = sorted({*wanted.tolist()} - {*rows["ticket_id"]})
    if gone:
        raise ValueError(f"{folder}: no ticket {gone[0]}; its tickets are 1 to {whole}")
    happened = {
        name: _by_ticket(_rows(FarTable(folder, name, replication), wanted)) for name in _OF_TICKETS
    }
    answers = storage.read_frame(storage.part(folder, "answers", replication))
    texts, notes = _texts(scenario, manifest, replication)
    keys = {call["key"] for calls in happened["calls"].values() for call in calls} - {""}
    prompts, gone_prompts = _prompts(scenario, keys)
    marks = _marks(folder, replication, wanted)
    found = []
    for row in rows.to_dict("records"):
        number = int(row["ticket_id"])
        mine = {name: of.get(number, []) for name, of in happened.items()}
        said = answers.iloc[row["answer_id"]] if row["answer_id"] >= 0 else None
        found.append(
            SingleTicket(
                row={str(name): value for name, value in row.items()},
                text=texts[row["text_id"]] if 0 <= row["text_id"] < len(texts) else "",
                answer="" if said is None else str(said["text"]),
                articles="" if said is None else str(said["articles"]),
                marks=marks.get(number, {}),
                happened=mine,
                prompts={
                    call["key"]: prompts[call["key"]]
                    for call in mine["calls"]
                    if call["key"] in prompts
                },
            )
        )
    return SingleTickets(scenario, replication, whole, tuple(found), (*notes, *gone_prompts))


def _rows(table: FarTable, wanted: Any) -> pd.DataFrame:
    """Rows of some tickets, with all of today's columns."""
    columns = [column.name for column in TABLES[table.name]]
    there = [name for name in columns if name in table.columns]
    found = [frame[frame["ticket_id"].isin(wanted)] for frame in table.frames(there)]
    table.close()
    frame = pd.concat(found, ignore_index=True) if found else storage.empty(table.name)
    for column in TABLES[table.name]:
        if column.dtype == "category":
            given = frame[column.name] if column.name in frame else [""] * len(frame)
            frame[column.name] = [as_text(value) for value in given]
    if table.name == "calls" and "sample" not in frame:
        frame["sample"] = -1
    return frame[columns]


def _by_ticket(rows: pd.DataFrame) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows.to_dict("records"):
        found.setdefault(int(row["ticket_id"]), []).append({str(k): v for k, v in row.items()})
    return found


def _texts(
    scenario: Scenario, manifest: dict[str, Any], replication: int
) -> tuple[tuple[str, ...], list[str]]:
    """Texts that the table tickets points at, as long as their files are those of the run."""
    if not (scenario.tickets.corpus or scenario.arrivals.trace):
        return (), ["Tickets of this run have no texts."]
    gone = ["The files of the tickets' texts are gone or have changed since the run."]
    then, now = manifest.get("files", {}), provenance.file_hashes(scenario)
    if any(then.get(key) != now.get(key) for key in ("tickets.corpus", "arrivals.trace")):
        return (), gone
    with suppress(TwinError, OSError):
        if scenario.arrivals.trace is None:
            assert scenario.tickets.corpus is not None
            return load_corpus(scenario.tickets.corpus).texts, []
        return draw(as_played(scenario, replication), replication).texts, []
    return (), gone


def _prompts(
    scenario: Scenario, keys: set[str]
) -> tuple[dict[str, list[dict[str, str]]], list[str]]:
    """Messages by key, from the recording of the scenario."""
    path = scenario.assistant.recording
    if not keys or path is None:
        return {}, []
    try:
        replies = read_lines(Path(path))[0]
    except RecordingError as error:
        return {}, [f"The recording cannot be read, so prompts are not shown ({error})."]
    found = {key: list(replies[key].request.get("messages", [])) for key in keys if key in replies}
    if len(found) < len(keys):
        return found, [f"{path} is gone or has changed since the run: some prompts are not shown."]
    return found, []


def _marks(folder: Path, replication: int, wanted: Any) -> dict[int, dict[str, float]]:
    """Qualities by raters of `twin rate`."""
    found: dict[int, dict[str, float]] = {}
    for path in sorted((folder / FOLDER).glob(f"*/r{replication:04d}.parquet")):
        frame = storage.read_frame(path)
        frame = frame[frame["ticket_id"].isin(wanted) & frame["quality"].notna()]
        for number, quality in zip(frame["ticket_id"], frame["quality"], strict=True):
            found.setdefault(int(number), {})[path.parent.name] = float(quality)
    return found
