"""Random damage of every file that is read as input: it ends as a value, or as an error that names
the file; never as another error, and never without an end."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd
import pytest
from strategies import DATA

import twin
from twin.assistant.errors import RecordingError
from twin.assistant.knowledge.articles import load_articles
from twin.assistant.knowledge.retrieval_eval import read_questions
from twin.assistant.learning.feedback import load_feedback
from twin.assistant.recorded.recording import Reply, read_lines
from twin.common.errors import ScenarioError
from twin.demand.corpus import load_corpus
from twin.demand.recorded import read_trace
from twin.experiments.studies.file import read_study
from twin.live.exchange import _read_tickets as read_tickets
from twin.scenario.file import starter

TRIES = 120
DESK = {
    "horizon": "1d",
    "agents": {"all": {"heads": 1, "handle_time": "5min"}},
    "arrivals": {"rate": "6/h"},
}
# Signs that mean something to one of the formats.
_SIGNS = [b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"[", b"{", b"'", b"---\n"]
_SIGNS += [b"<!--", b"```", b": ", b"- ", b"&a *a", b"9" * 40, b"-inf", b"nan", b"\\u", b"=", b"#"]


def damaged(data: bytes, luck: random.Random) -> bytes:
    """The data with one to four hits: bits turned, parts cut or doubled or moved, signs put in."""
    found = bytearray(data)
    for _ in range(luck.randint(1, 4)):
        at, length = luck.randrange(len(found) + 1), luck.randint(1, 40)
        kind = luck.randrange(6)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << luck.randrange(8)
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = found[at : at + length]
        elif kind == 3:
            del found[at:]
        elif kind == 4:
            found[at:at] = luck.choice(_SIGNS)
        else:
            to = luck.randrange(len(found) + 1)
            found[to:to] = found[at : at + length]
    return bytes(found)


def trace(path: Path) -> object:
    return read_trace(twin.from_data(DESK | {"arrivals": {"kind": "trace", "trace": str(path)}}))


def measured(path: Path) -> object:
    time = {"distribution": "empirical", "file": str(path), "column": "minutes", "unit": "1min"}
    return twin.from_data(DESK | {"agents": {"all": {"heads": 1, "handle_time": time}}})


def articles(path: Path) -> object:
    return load_articles(path.parent)


def corpus(path: Path) -> object:
    return load_corpus(str(path))


def _parquet(frame: pd.DataFrame, folder: Path) -> bytes:
    frame.to_parquet(folder / "whole.parquet")
    return (folder / "whole.parquet").read_bytes()


TRACE = pd.DataFrame(
    {
        "timestamp": pd.to_datetime(["2026-01-05 01:00", "2026-01-05 00:30"]),
        "category": ["A", "B"],
        "priority": ["high", None],
    }
)
CORPUS = pd.DataFrame({"text": list("abcd"), "category": ["A", "B", "A", "A"], "split": "desk"})
REPLY = Reply(
    key="0" * 64, step="respond", model="m", prompt_version="1", sample=0, request={}, answer="a",
    finish="stop", repaired=False, prompt_tokens=5, completion_tokens=5, latency_s=0.5,
)  # fmt: skip
FEEDBACK = [{"description": "Help", "model": "m", "rating": 4, "feedback": "good"}]
TICKET = {"ticket_id": 1, "description": "d", "category": "c", "response": "r", "status": "Closed"}
TOML = b"""horizon = "1d"
start = 2026-01-05
[arrivals]
rate = "6/h" # an hour
[agents.all]
handle_time = { distribution = "lognormal", mean = "5min", cv = 0.5 }
shifts = [{ days = "Mon-Fri", start = "09:00", end = "17:00", heads = 2 }]
"""
STUDY = b'scenario = "desk.toml"\n[factors]\n"arrivals.scale" = [1, 2]\n'

CASES = {
    "corpus.csv": (corpus, lambda _: (DATA / "corpus.csv").read_bytes()),
    "corpus.parquet": (corpus, lambda folder: _parquet(CORPUS, folder)),
    "trace.csv": (trace, lambda _: (DATA / "trace.csv").read_bytes()),
    "trace.parquet": (trace, lambda folder: _parquet(TRACE, folder)),
    "times.csv": (measured, lambda _: b"n,minutes\n1,5\n2,7.5\n3,1e1\n"),
    "times.parquet": (
        measured, lambda folder: _parquet(pd.DataFrame({"minutes": [5.0, 7.5]}), folder),
    ),
    "questions.csv": (
        read_questions, lambda _: b'question,article,overlap\n"Why, oh why?",card,low\nHow?,b,\n',
    ),
    "article.md": (
        articles, lambda _: (starter() / "knowledge" / "reset-password.md").read_bytes(),
    ),
    "desk.toml": (twin.load, lambda _: TOML),
    "study.toml": (read_study, lambda _: STUDY),
    "feedback.json": (load_feedback, lambda _: json.dumps(FEEDBACK).encode()),
    "tickets.json": (read_tickets, lambda _: json.dumps([TICKET]).encode()),
    "calls.jsonl": (read_lines, lambda _: REPLY.to_line() * 2),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_damage_ends_as_a_value_or_as_an_error_that_names_the_file(tmp_path, name):
    read, make = CASES[name]
    whole = make(tmp_path)
    (tmp_path / "whole.parquet").unlink(missing_ok=True)
    path = tmp_path / name
    if name == "study.toml":
        (tmp_path / "desk.toml").write_text(
            'arrivals.rate = "6/h"\nagents.a = { heads = 1, handle_time = "5min" }\n'
        )
    path.write_bytes(whole)
    read(path)
    luck, said = random.Random(name), []
    for _ in range(TRIES):
        path.write_bytes(damaged(whole, luck))
        try:
            read(path)
        except (ScenarioError, RecordingError) as error:
            said.append(str(error))
    # The damage is seen at least now and then, so that this says something.
    assert len(said) >= TRIES / 20
    assert all(str(tmp_path) in words for words in said)
    assert all(words.count("\n") <= words.count(str(tmp_path)) for words in said)
