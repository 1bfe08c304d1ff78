"""Recorded calls as columns, joined with what is known of their tickets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from twin.assistant.errors import RecordingError
from twin.assistant.judging.judge import Judge
from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.prompts import json_said
from twin.assistant.protocol import Floats, Ints, Step
from twin.assistant.recorded.recording import Reply, read_lines
from twin.common.errors import TwinError
from twin.demand.corpus import Corpus

STEPS: tuple[Step, ...] = ("categorize", "respond")


class MeasuringError(TwinError, ValueError):
    """Recorded calls of which no profile can be made, and what to do."""


@dataclass(frozen=True)
class Calls:
    """Recorded calls of one step as columns of shape (n,).

    Attributes
    ----------
    tokens_in, tokens_out : array of float
    latency_s : array of float
    queue_s, reading_s, writing_s : array of float
        As the provider reports them; NaN where it does not.
    truth, said : array of int
        True category and the one that the model said or (respond) was asked to answer in; indices
        into `categories`, -1 where unknown.
    confidence : array of float
        For categorize.
    quality : array of float
        For respond, judged; NaN where no article is known to solve the ticket.
    articles, max_tokens : array of int
        Articles in the prompt, and the token limit.
    text : array of int
        Number of the ticket's text: the same for calls about the same text.
    """

    tokens_in: Floats
    tokens_out: Floats
    latency_s: Floats
    queue_s: Floats
    reading_s: Floats
    writing_s: Floats
    truth: Ints
    said: Ints
    confidence: Floats
    quality: Floats
    articles: Ints
    max_tokens: Ints
    text: Ints

    def __len__(self) -> int:
        return len(self.latency_s)


@dataclass(frozen=True)
class Sample:
    """All recorded calls of one model and prompt version, with what is known of their tickets."""

    model: str
    prompt_version: str
    day: date
    categories: tuple[str, ...]
    steps: dict[Step, Calls]


def read_sample(
    path: str | Path,
    corpus: Corpus | None,
    knowledge: Knowledge | None,
    model: str | None = None,
    prompt_version: str | None = None,
) -> Sample:
    """Recorded calls, joined with the corpus by the text of their ticket.

    Parameters
    ----------
    path : str or Path
        A recording.
    corpus : Corpus or None
        Knows the true categories, and the articles that solve the tickets.
    knowledge : Knowledge or None
        For the judge.
    model, prompt_version : str, optional
        Which to take; needed where the recording holds several.

    Raises
    ------
    RecordingError
        If the file cannot be read.
    MeasuringError
        If no calls are left, or calls of several models or versions.
    """
    if not Path(path).is_file():
        raise RecordingError(f"{path}: no such recording")
    replies = [r for r in read_lines(Path(path))[0].values() if r.step in STEPS]
    model = _only("model", [r.model for r in replies], model)
    replies = [r for r in replies if r.model == model]
    version = _only("prompt version", [r.prompt_version for r in replies], prompt_version)
    replies = [r for r in replies if r.prompt_version == version]
    days = [_day(r) for r in replies if r.recorded]
    if not days:
        raise MeasuringError("the recording does not say when it was made")
    categories = corpus.categories if corpus else ()
    known = _Known(corpus, Judge(knowledge))
    steps = {
        step: _calls([r for r in replies if r.step == step], known)
        for step in STEPS
        if any(r.step == step for r in replies)
    }
    return Sample(model, version, max(days), categories, steps)


def _only(what: str, found: Sequence[str], wanted: str | None) -> str:
    names = sorted(set(found))
    if wanted is not None:
        if wanted not in names:
            there = f"there are: {', '.join(names)}" if names else "it is empty"
            raise MeasuringError(f'the recording holds no calls of {what} "{wanted}"; {there}')
        return wanted
    if not names:
        raise MeasuringError("the recording holds no calls")
    if len(names) > 1:
        option = what.replace(" ", "-")
        raise MeasuringError(
            f"the recording holds calls of several {what}s ({', '.join(names)}): "
            f"choose one with --{option}"
        )
    return names[0]


def _day(reply: Reply) -> date:
    try:
        return date.fromisoformat(reply.recorded[:10])
    except ValueError:
        raise MeasuringError("the recording holds a call without a readable date") from None


class _Known:
    """A ticket as far as its text tells."""

    def __init__(self, corpus: Corpus | None, judge: Judge) -> None:
        self.names = corpus.categories if corpus else ()
        self.judge = judge
        self._rows: dict[str, tuple[int, str]] = {}
        if corpus is not None:
            # As prompts write it: lone surrogates cannot be sent.
            texts = [t.encode("utf-8", "replace").decode("utf-8") for t in corpus.texts]
            self._rows = dict(
                zip(texts, zip(corpus.category.tolist(), corpus.article, strict=True), strict=True)
            )

    def ticket(self, text: str) -> tuple[int, str]:
        """True category (-1: unknown) and the article that solves it (empty: unknown)."""
        return self._rows.get(text, (-1, ""))

    def category(self, name: object) -> int:
        return self.names.index(name) if isinstance(name, str) and name in self.names else -1


def asked_of(reply: Reply) -> dict[str, Any]:
    """Data of a prompt: ticket, category, articles; empty where it cannot be read."""
    try:
        data = json.loads(reply.request["messages"][1]["content"])
        return data if isinstance(data, dict) else {}
    except (KeyError, IndexError, TypeError, ValueError):
        return {}


def _calls(replies: Sequence[Reply], known: _Known) -> Calls:
    rows = []
    texts: dict[str, int] = {}
    for reply in replies:
        asked = asked_of(reply)
        text = str(asked.get("ticket", ""))
        truth, article = known.ticket(text)
        said, confidence, quality = known.category(asked.get("category")), np.nan, np.nan
        if reply.step == "categorize":
            answer = said_of(reply.answer)
            said, confidence = known.category(answer.get("category")), _number(answer, "confidence")
        elif article:
            quality = known.judge.judge(article, reply.answer, text)
        times = [
            _number(reply.timings, f"{name}_time") for name in ("queue", "prompt", "completion")
        ]
        rows.append(
            (
                *(reply.prompt_tokens, reply.completion_tokens, reply.latency_s, *times),
                *(truth, said, confidence, quality, len(asked.get("articles", ()))),
                int(reply.request.get("max_completion_tokens", 1)),
                texts.setdefault(text, len(texts)),
            )
        )
    columns = list(np.array(rows, dtype=float).T)
    whole = {6, 7, 10, 11, 12}
    return Calls(*(c.astype(np.int64) if k in whole else c for k, c in enumerate(columns)))


def said_of(text: str) -> dict[str, Any]:
    """Data of an answer in JSON; empty where it cannot be read."""
    try:
        said = json_said(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _number(data: dict[str, Any], key: str) -> float:
    value = data.get(key)
    return float(value) if isinstance(value, int | float) else np.nan
