"""Ratings that a change of a prompt is proposed from, and the log of all changes tested."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin.assistant.judging.judge import Judge
from twin.assistant.knowledge.knowledge import knowledge_of
from twin.assistant.learning.change import NOT_SHOWN, Change
from twin.assistant.learning.feedback import Entry, load_feedback
from twin.assistant.recorded.recorded_calls import asked_of
from twin.assistant.recorded.recording import read_lines
from twin.common.errors import DamagedFile
from twin.common.files import CHECKSUM, checksum
from twin.demand.corpus import load_corpus
from twin.scenario.model import Scenario


@dataclass(frozen=True)
class Ratings:
    """Rated answers of one assistant.

    Attributes
    ----------
    name, digest : str
        Name of the file, and SHA-256 of its content.
    entries : tuple of Entry
        As in the file; one that is another assistant's has lost its answer.
    """

    name: str
    digest: str
    entries: tuple[Entry, ...]


def read_ratings(path: Path, scenario: Scenario) -> Ratings:
    """Ratings from a feedback store (JSON), or from a recording whose answers the judge rates.

    A feedback store is what `twin feedback export` writes of a live desk and what a run leaves
    (`feedback.json`). Answers of a recording (its name ends in .jsonl) have no customers: the judge
    by evidence marks those to tickets of the corpus, and a quality of 0 is 1 star, one of 1 is 5.

    Raises
    ------
    ScenarioError, RecordingError
        If the file cannot be read.
    """
    settings = scenario.assistant
    if path.suffix == ".jsonl":
        entries = _judged(path, scenario)
    else:
        entries = [
            entry if entry.is_by(settings.backend, settings.model) or _replays(entry, settings)
            else Entry(entry.description, entry.model, entry.rating, entry.feedback)
            for entry in load_feedback(path)
        ]  # fmt: skip
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Ratings(path.name, digest, tuple(entries))


def _replays(entry: Entry, settings: Any) -> bool:
    """True if the same model answered, whether live or from a recording."""
    of_models = ("groq", "replay")
    return entry.backend in of_models and entry.is_by(entry.backend, settings.model)


def _judged(path: Path, scenario: Scenario) -> list[Entry]:
    corpus = load_corpus(scenario.tickets.corpus) if scenario.tickets.corpus else None
    solved_by = dict(zip(corpus.texts, corpus.article, strict=True)) if corpus else {}
    judge = Judge(knowledge_of(scenario.assistant))
    entries = []
    for reply in read_lines(path)[0].values():
        if reply.step != "respond" or reply.model != scenario.assistant.model:
            continue
        asked = asked_of(reply)
        text, category = str(asked.get("ticket", "")), str(asked.get("category", ""))
        quality = judge.judge(solved_by.get(text, ""), reply.answer, text)
        if quality == quality:
            stars = 1 + round(4 * quality)
            entries.append(Entry(text, reply.model, stars, "", category, reply.answer))
    return entries


def read_log(path: Path) -> list[dict[str, Any]]:
    """Lines of the log, oldest first; none where there is no file yet.

    Raises
    ------
    DamagedFile
        If a line was changed: looks that are not counted would break the promise of the guard.
    """
    found = []
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            data = json.loads(line)
        except ValueError:
            data = None
        if not isinstance(data, dict) or data.pop(CHECKSUM, None) != checksum(data):
            raise DamagedFile(path, f"line {number} is not as it was written")
        found.append(data)
    return found


def look(known: Sequence[dict[str, Any]], name: str, held_back: Sequence[str]) -> int:
    """Number of the look (1 first) that testing a change on these tickets is.

    A test counts if any of its tickets is among these. The same change again on the same tickets is
    the look that it was.
    """
    before = []
    for line in known:
        if not line.get("held_back") or set(held_back).isdisjoint(line["held_back"]):
            continue
        same = line["name"] == name and line["held_back"] == list(held_back)
        if same:
            return int(line["evidence"]["look"])
        before.append(line["evidence"]["look"])
    return max(before, default=0) + 1


def tried(known: Sequence[dict[str, Any]]) -> list[str]:
    """Guidelines of the log that were tested and not shown to help, each once."""
    lines = [line for line in known if line["verdict"] == NOT_SHOWN]
    return list(
        dict.fromkeys(t for line in lines for t in line["after"] if t not in line["before"])
    )


def add_to_log(path: Path, change: Change, held_back: Sequence[str]) -> None:
    """Add a change to the log: what was tested, on which tickets (as hashes), and the verdict."""
    data = json.loads(json.dumps({**change.as_dictionary(), "held_back": list(held_back)}))
    line = json.dumps({**data, CHECKSUM: checksum(data)}, sort_keys=True) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
