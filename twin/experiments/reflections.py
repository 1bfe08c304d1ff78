"""Ratings that a change of a prompt is proposed from, and the log of all changes tested."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from twin.assistant.judging.judge import Judge
from twin.assistant.knowledge.knowledge import knowledge_of
from twin.assistant.learning.change import NOT_SHOWN, Change
from twin.assistant.learning.feedback import Entry, load_feedback
from twin.assistant.recorded.recorded_calls import asked_of
from twin.assistant.recorded.recording import read_lines
from twin.common.errors import DamagedFile
from twin.common.files import CHECKSUM, MOST_JSON_BYTES, checksum, read_bytes
from twin.common.growing import append, hold
from twin.demand.corpus import load_corpus
from twin.scenario.model import Scenario

# Not what a test found, but which one it was.
_COUNTED = ("look", "looks")


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
    try:
        data = read_bytes(path, MOST_JSON_BYTES, "a log of changes") if path.exists() else b""
    except ValueError as error:
        raise DamagedFile(path, str(error)) from None
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            one = None
        told = isinstance(one, dict) and one.pop(CHECKSUM, None) == checksum(one)
        if not told or not _is_whole(one):
            raise DamagedFile(path, f"line {number} is not as it was written")
        found.append(one)
    return found


def _is_whole(line: dict[str, Any]) -> bool:
    """True for a line of `add_to_log`: a checksum is no signature."""
    kinds = {"name": str, "verdict": str, "held_back": list, "before": list, "after": list}
    evidence = line.get("evidence")
    if not all(isinstance(line.get(name), kind) for name, kind in kinds.items()):
        return False
    texts = (*line["held_back"], *line["before"], *line["after"])
    looked = not line["held_back"] or (
        isinstance(evidence, dict) and isinstance(evidence.get("look"), int)
    )
    return looked and all(isinstance(text, str) for text in texts)


def look(
    known: Sequence[dict[str, Any]],
    name: str,
    held_back: Sequence[str],
    evidence: Mapping[str, Any] | None = None,
) -> int:
    """Number of the look (1 first) that testing a change on these tickets is.

    A test counts if any of its tickets is among these. The same change again on the same tickets is
    the look that it was if it found the same: other answers, another model or another judge are
    another chance to pass by luck.

    Parameters
    ----------
    known : sequence of dict
        Lines of the log.
    name : str
        Of the change.
    held_back : sequence of str
        Marks of the tickets.
    evidence : mapping, optional
        The result of the test; None before it, where it may turn out to be the same again.
    """
    before = []
    for line in known:
        if not line["held_back"] or set(held_back).isdisjoint(line["held_back"]):
            continue
        number = line["evidence"]["look"]
        same = line["name"] == name and line["held_back"] == list(held_back)
        if same and (evidence is None or _found(line["evidence"]) == _found(evidence)):
            return int(number)
        before.append(number)
    return max(before, default=0) + 1


def _found(evidence: Mapping[str, Any]) -> str:
    """The result of a test as text, so that a missing number (NaN) equals itself."""
    return json.dumps({k: v for k, v in evidence.items() if k not in _COUNTED}, sort_keys=True)


def tried(known: Sequence[dict[str, Any]]) -> list[str]:
    """Guidelines of the log that were tested and not shown to help, each once."""
    lines = [line for line in known if line["verdict"] == NOT_SHOWN]
    return list(
        dict.fromkeys(t for line in lines for t in line["after"] if t not in line["before"])
    )


@contextmanager
def taking_turns(path: Path) -> Iterator[FileIO]:
    """The log, to read and to add to; another process that wants it waits until this is done.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileIO(path, "a") as file:
        hold(file, wait=True)
        yield file


def add_to_log(file: FileIO, change: Change, held_back: Sequence[str]) -> None:
    """Add a change to the log: what was tested, on which tickets (as hashes), and the verdict.

    Raises
    ------
    OSError
        If it cannot be written: the log is as it was.
    """
    data = json.loads(json.dumps({**change.as_dictionary(), "held_back": list(held_back)}))
    line = json.dumps({**data, CHECKSUM: checksum(data)}, sort_keys=True) + "\n"
    append(file, line.encode())
    os.fsync(file.fileno())
