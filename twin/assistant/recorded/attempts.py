"""Attempts at tickets, read from a recording: both steps of each side by side, and how they went.

An attempt is a sample of a ticket's calls by one model and prompt version: the category it named
and the answer it wrote, each under the key of its line in the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twin.assistant.errors import BadAnswer, RecordingError
from twin.assistant.judging.judge import Judge
from twin.assistant.judging.rubric import RUBRIC_VERSION, parse_score, quality_of
from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.recorded.ratings import Ratings
from twin.assistant.recorded.recorded_calls import MeasuringError, asked_of, said_of
from twin.assistant.recorded.recording import Reply, read_lines
from twin.demand.corpus import Corpus

# Judged quality from which an answer in the right category counts as one that solves (assumed).
SOLVES = 0.5
# Columns of judging models are called by it and their name.
JUDGED = "judged by "
_CUT = ("length", "max_tokens", "model_length", "content_filter", "safety")


@dataclass(frozen=True)
class Attempts:
    """Attempts of one model and prompt version.

    Attributes
    ----------
    model, version : str
    table : DataFrame
        A row an attempt: ticket, truth, sample, category, right, confidence, answer, articles
        (their titles), quality, quality_by_model (the mean of models that judged; each has a
        column of its own, `JUDGED` and its name), quality_by_people
        (NaN until `with_ratings`), solved, latency_s, queue_s, tokens_in,
        tokens_out, cost_usd, repaired, cut, recorded, categorize_key, respond_key. `right` and
        `solved` are 1, 0, or NaN where nothing tells; latencies, tokens and cost are of both steps.
    calls : DataFrame
        A row a call: key, step, tokens_in, tokens_out, latency_s, queue_s, first_token_s (NaN
        where the answer did not come as a stream), at_once (calls under way when it was sent; 0:
        not told), recorded.
    requests : dict of str to list
        Messages of each call, by its key.
    label : str
        Instead of model and prompts, where several recordings hold the same.
    ratings : Ratings, optional
        By people.
    """

    model: str
    version: str
    table: pd.DataFrame
    calls: pd.DataFrame
    requests: dict[str, list[dict[str, str]]]
    label: str = ""
    ratings: Ratings | None = None

    @property
    def judges(self) -> tuple[str, ...]:
        """Names of the models that judged."""
        columns = [name for name in self.table if str(name).startswith(JUDGED)]
        return tuple(str(name).removeprefix(JUDGED) for name in columns)

    @property
    def name(self) -> str:
        """Model, and its prompts where they are not the first."""
        if self.label:
            return self.label
        return self.model if self.version == "1" else f"{self.model} (prompts {self.version})"


def read_attempts(
    path: str | Path,
    corpus: Corpus | None = None,
    knowledge: Knowledge | None = None,
    solves: float = SOLVES,
) -> list[Attempts]:
    """Attempts of all models and prompt versions of a recording.

    Parameters
    ----------
    path : str or Path
    corpus : Corpus, optional
        Knows true categories, and the articles that solve tickets.
    knowledge : Knowledge, optional
        For the judge.
    solves : float
        Quality from which an answer in the right category solves.

    Raises
    ------
    RecordingError
        If the file cannot be read.
    MeasuringError
        If it holds no calls.
    """
    if not Path(path).is_file():
        raise RecordingError(f"{path}: no such recording")
    replies = list(read_lines(Path(path))[0].values())
    judged = _verdicts(replies)
    groups: dict[tuple[str, str], list[Reply]] = {}
    for reply in replies:
        if reply.step in ("categorize", "respond"):
            groups.setdefault((reply.model, reply.prompt_version), []).append(reply)
    if not groups:
        raise MeasuringError("the recording holds no calls")
    known = _Known(corpus, Judge(knowledge), judged, solves)
    return [
        _attempts(model, version, mine, known) for (model, version), mine in sorted(groups.items())
    ]


def with_ratings(attempts: Attempts, ratings: Ratings) -> Attempts:
    """The attempts with the ratings that people gave their answers, the mean of all who rated."""
    both = zip(attempts.table["ticket"], attempts.table["answer"], strict=True)
    rated = [ratings.mean(*one) for one in both]
    table = attempts.table.assign(quality_by_people=rated)
    return replace(attempts, table=table, ratings=ratings)


# Qualities by text of ticket and answer, by the name of the model that judged.
_Judged = dict[str, dict[tuple[str, str], float]]


def _verdicts(replies: Sequence[Reply]) -> _Judged:
    """Qualities by models that judged; verdicts of different rubrics do not compare."""
    found: _Judged = {}
    for reply in replies:
        asked = asked_of(reply)
        if reply.step == "judge" and {"ticket", "answer"} <= set(asked):
            try:
                score = parse_score(reply.answer)
            except (BadAnswer, ValueError):
                continue
            newest = reply.prompt_version == f"rubric-{RUBRIC_VERSION}"
            name = reply.model if newest else f"{reply.model} ({reply.prompt_version})"
            found.setdefault(name, {})[str(asked["ticket"]), str(asked["answer"])] = quality_of(
                score
            )
    return dict(sorted(found.items()))


class _Known:
    """A ticket as far as its text tells, and an answer as far as judges do."""

    def __init__(
        self,
        corpus: Corpus | None,
        judge: Judge,
        judged: _Judged,
        solves: float,
    ) -> None:
        self._judge, self._judged, self._solves = judge, judged, solves
        self._rows: dict[str, tuple[str, str]] = {}
        if corpus is not None:
            for text, code, article in zip(
                corpus.texts, corpus.category.tolist(), corpus.article, strict=True
            ):
                # As prompts write it: lone surrogates cannot be sent.
                sent = text.encode("utf-8", "replace").decode("utf-8")
                self._rows[sent] = (corpus.categories[code], article)

    def row(self, ticket: str, sample: int, named: Reply | None, said: Reply | None) -> Any:
        truth, article = self._rows.get(ticket, ("", ""))
        answer = said_of(named.answer) if named is not None else {}
        asked = asked_of(said) if said is not None else {}
        category = str(answer.get("category") or asked.get("category") or "")
        quality, by_model = np.nan, dict.fromkeys(self._judged, np.nan)
        if said is not None:
            if article:
                quality = self._judge.judge(article, said.answer, ticket)
            both = ticket, said.answer
            by_model = {name: of.get(both, np.nan) for name, of in self._judged.items()}
        marks = [mark for mark in by_model.values() if np.isfinite(mark)]
        right = float(category == truth) if truth and category else np.nan
        solved = right
        if said is not None and right == 1:
            solved = float(quality >= self._solves) if np.isfinite(quality) else np.nan
        calls = [reply for reply in (named, said) if reply is not None]
        costs = [np.nan if reply.cost_usd is None else reply.cost_usd for reply in calls]
        confidence = answer.get("confidence")
        return {
            "ticket": ticket,
            "truth": truth,
            "sample": sample,
            "category": category,
            "right": right,
            "confidence": float(confidence) if isinstance(confidence, int | float) else np.nan,
            "answer": said.answer if said is not None else "",
            "articles": [str(one.get("title", "")) for one in asked.get("articles", ())],
            "quality": quality,
            "quality_by_model": float(np.mean(marks)) if marks else np.nan,
            **{f"{JUDGED}{name}": mark for name, mark in by_model.items()},
            "quality_by_people": np.nan,
            "solved": solved,
            "latency_s": float(np.sum([reply.latency_s for reply in calls])),
            "queue_s": float(np.sum([reply.timings.get("queue_time", np.nan) for reply in calls])),
            "tokens_in": int(np.sum([reply.prompt_tokens for reply in calls])),
            "tokens_out": int(np.sum([reply.completion_tokens for reply in calls])),
            "cost_usd": float(np.sum(costs)),
            "repaired": any(reply.repaired for reply in calls),
            "cut": any(reply.finish in _CUT for reply in calls),
            "recorded": max((reply.recorded for reply in calls), default=""),
            "categorize_key": named.key if named is not None else "",
            "respond_key": said.key if said is not None else "",
        }


def _attempts(model: str, version: str, replies: Sequence[Reply], known: _Known) -> Attempts:
    named: dict[tuple[str, int], Reply] = {}
    answers: dict[tuple[str, int], list[Reply]] = {}
    for reply in replies:
        at = (str(asked_of(reply).get("ticket", "")), int(reply.sample))
        if reply.step == "categorize":
            named.setdefault(at, reply)
        else:
            answers.setdefault(at, []).append(reply)
    rows = []
    for ticket, sample in sorted({*named, *answers}):
        categorized = named.get((ticket, sample))
        category = said_of(categorized.answer).get("category") if categorized else None
        written = answers.get((ticket, sample), [])
        # The one that was asked for in the category it named; others follow an agent's word.
        own = [r for r in written if asked_of(r).get("category") == category] or written
        rows.append(known.row(ticket, sample, categorized, own[0] if own else None))
    calls = [
        (
            r.key,
            r.step,
            r.prompt_tokens,
            r.completion_tokens,
            r.latency_s,
            r.timings.get("queue_time", np.nan),
            r.timings.get("first_token_time", np.nan),
            r.at_once,
            r.recorded,
        )
        for r in replies
    ]
    columns = ["key", "step", "tokens_in", "tokens_out", "latency_s", "queue_s", "first_token_s",
               "at_once", "recorded"]  # fmt: skip
    requests = {r.key: list(r.request.get("messages", [])) for r in replies}
    return Attempts(
        model, version, pd.DataFrame(rows), pd.DataFrame(calls, columns=columns), requests
    )
