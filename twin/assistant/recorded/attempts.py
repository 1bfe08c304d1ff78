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
from twin.assistant.judging.rubric import parse_score, quality_of
from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.recorded.recorded_calls import MeasuringError, asked_of, said_of
from twin.assistant.recorded.recording import Reply, read_lines
from twin.common.errors import Fault, ScenarioError
from twin.common.formulas import unguarded
from twin.common.tables import as_number, read_table, shown_cell
from twin.demand.corpus import Corpus

# Judged quality from which an answer in the right category counts as one that solves (assumed).
SOLVES = 0.5
_CUT = ("length", "max_tokens", "model_length", "content_filter", "safety")


@dataclass(frozen=True)
class Attempts:
    """Attempts of one model and prompt version.

    Attributes
    ----------
    model, version : str
    table : DataFrame
        A row an attempt: ticket, truth, sample, category, right, confidence, answer, articles
        (their titles), quality, quality_by_model, quality_by_people
        (NaN until `with_ratings`), solved, latency_s, queue_s, tokens_in,
        tokens_out, cost_usd, repaired, cut, recorded, categorize_key, respond_key. `right` and
        `solved` are 1, 0, or NaN where nothing tells; latencies, tokens and cost are of both steps.
    calls : DataFrame
        A row a call: key, step, tokens_in, tokens_out, latency_s, queue_s, recorded.
    requests : dict of str to list
        Messages of each call, by its key.
    label : str
        Instead of model and prompts, where several recordings hold the same.
    """

    model: str
    version: str
    table: pd.DataFrame
    calls: pd.DataFrame
    requests: dict[str, list[dict[str, str]]]
    label: str = ""

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


def read_ratings(path: str | Path) -> dict[tuple[str, str], float]:
    """Qualities by people, 0 to 1, by ticket and answer: the mean of all who rated.

    Parameters
    ----------
    path : str or Path
        CSV with columns ticket, answer, rating (1 to 5).

    Raises
    ------
    ScenarioError
        If it cannot be read, or a rating is no number from 1 to 5.
    """
    columns = read_table(path, ("ticket", "answer", "rating")).columns
    found: dict[tuple[str, str], list[float]] = {}
    rows = zip(columns["ticket"], columns["answer"], columns["rating"], strict=True)
    for number, (ticket, answer, cell) in enumerate(rows):
        rating = as_number(cell)
        if not 1 <= rating <= 5:
            fault = Fault("rating", "must be a number from 1 to 5", shown_cell(cell))
            raise ScenarioError(f"{path}, row {number + 1}", [fault])
        found.setdefault((unguarded(str(ticket)), unguarded(str(answer))), []).append(
            (rating - 1) / 4
        )
    return {both: float(np.mean(ratings)) for both, ratings in found.items()}


def with_ratings(attempts: Attempts, ratings: dict[tuple[str, str], float]) -> Attempts:
    """The attempts with the ratings that people gave their answers."""
    both = zip(attempts.table["ticket"], attempts.table["answer"], strict=True)
    rated = [ratings.get(one, np.nan) for one in both]
    return replace(attempts, table=attempts.table.assign(quality_by_people=rated))


def _verdicts(replies: Sequence[Reply]) -> dict[tuple[str, str], float]:
    """Qualities by a model that judged, by ticket and answer."""
    found = {}
    for reply in replies:
        asked = asked_of(reply)
        if reply.step == "judge" and {"ticket", "answer"} <= set(asked):
            try:
                score = parse_score(reply.answer)
            except (BadAnswer, ValueError):
                continue
            found[str(asked["ticket"]), str(asked["answer"])] = quality_of(score)
    return found


class _Known:
    """A ticket as far as its text tells, and an answer as far as judges do."""

    def __init__(
        self,
        corpus: Corpus | None,
        judge: Judge,
        judged: dict[tuple[str, str], float],
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
        quality, by_model = np.nan, np.nan
        if said is not None:
            if article:
                quality = self._judge.judge(article, said.answer, ticket)
            by_model = self._judged.get((ticket, said.answer), np.nan)
        right = float(category == truth) if truth and category else np.nan
        solved = right
        if said is not None and right == 1:
            solved = float(quality >= self._solves) if np.isfinite(quality) else np.nan
        both = [reply for reply in (named, said) if reply is not None]
        costs = [np.nan if reply.cost_usd is None else reply.cost_usd for reply in both]
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
            "quality_by_model": by_model,
            "quality_by_people": np.nan,
            "solved": solved,
            "latency_s": float(np.sum([reply.latency_s for reply in both])),
            "queue_s": float(np.sum([reply.timings.get("queue_time", np.nan) for reply in both])),
            "tokens_in": int(np.sum([reply.prompt_tokens for reply in both])),
            "tokens_out": int(np.sum([reply.completion_tokens for reply in both])),
            "cost_usd": float(np.sum(costs)),
            "repaired": any(reply.repaired for reply in both),
            "cut": any(reply.finish in _CUT for reply in both),
            "recorded": max((reply.recorded for reply in both), default=""),
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
            r.recorded,
        )
        for r in replies
    ]
    columns = ["key", "step", "tokens_in", "tokens_out", "latency_s", "queue_s", "recorded"]
    requests = {r.key: list(r.request.get("messages", [])) for r in replies}
    return Attempts(
        model, version, pd.DataFrame(rows), pd.DataFrame(calls, columns=columns), requests
    )
