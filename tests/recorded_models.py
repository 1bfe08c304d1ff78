"""Recordings of models of known skill, written by hand: each ticket has a chance of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from twin.assistant import catalogue
from twin.assistant.asking import Asking
from twin.assistant.difficulty import beta_chances
from twin.assistant.judging.rubric import judge_messages
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.recorded.recording import Recording, Reply, request_key
from twin.demand.corpus import load_corpus
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.scenario.file import starter
from twin.scenario.model import from_data

CORPUS = starter() / "corpus" / "tickets.csv"
KNOWLEDGE = starter() / "knowledge"
SCENARIO = starter() / "baseline.toml"
MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Skill:
    """Chance and spread of the right category, seconds and tokens of a call, seconds apart."""

    chance: float = 0.8
    spread: float = 0.5
    seconds: float = 0.5
    per_token: float = 0.002
    every: float = 5.0
    judged: bool = False


def replies(model, skill, tickets=40, samples=4, seed=1, version="1", extra=()):
    """Replies of both steps to tickets of the shipped corpus; `extra` are texts of attackers."""
    corpus, knowledge = load_corpus(str(CORPUS)), load_knowledge(str(KNOWLEDGE))
    known = [k for k, slug in enumerate(corpus.article) if slug][:tickets]
    rng = np.random.default_rng(seed)
    chances = beta_chances(skill.chance, skill.spread, rng.random(len(known)))
    rows = [
        (corpus.texts[k], corpus.categories[corpus.category[k]], corpus.article[k], chance)
        for k, chance in zip(known, chances, strict=True)
    ]
    rows += [(text, "Other", "", 0.0) for text in extra]
    number = 0
    for text, truth, slug, chance in rows:
        article = knowledge.articles.get(slug)
        for sample in range(samples):
            right = rng.random() < chance
            named = truth if right else next(c for c in corpus.categories if c != truth)
            steps = article.steps if article and right else ["Please wait."]
            answer = " ".join(steps[: 1 + sample]) if extra else "\n".join(steps)
            shown = [{"title": article.title, "text": article.body}] if article else []
            asked = [
                (
                    "categorize",
                    {"ticket": text},
                    json.dumps({"category": named, "confidence": 0.9}),
                ),
                ("respond", {"ticket": text, "category": named, "articles": shown}, answer),
            ]
            for step, content, said in asked:
                number += 1
                user = {"role": "user", "content": json.dumps(content)}
                messages = [{"role": "system", "content": f"You {step}."}, user]
                yield reply(model, step, messages, said, sample, version, number, skill)
            if skill.judged:
                number += 1
                verdict = json.dumps({"score": 5 if right else 1, "reason": "as it is"})
                messages = judge_messages(text, answer, article)
                yield reply("judge", "judge", messages, verdict, 0, "rubric-1", number, skill)


def reply(model, step, messages, said, sample, version, number, skill):
    """A reply of a skill; latency grows with the tokens that were written."""
    request = {"model": model, "messages": messages, "max_completion_tokens": 200}
    tokens_in, tokens_out = 200 + 7 * (number % 11), 10 + 3 * (number % 17)
    latency_s = skill.seconds + skill.per_token * tokens_out
    ended = MONDAY + timedelta(seconds=number * skill.every + latency_s)
    return Reply(
        key=request_key(request, sample, version),
        step=step,
        model=model,
        prompt_version=version,
        sample=sample,
        request=request,
        answer=said,
        finish="stop",
        repaired=False,
        prompt_tokens=tokens_in,
        completion_tokens=tokens_out,
        latency_s=latency_s,
        cost_usd=1e-6 * tokens_out,
        timings={},
        recorded=ended.isoformat(timespec="milliseconds"),
    )


def write(path, *several):
    """Write replies into a recording."""
    path.write_bytes(b"".join(one.to_line() for each in several for one in each))
    return path


class Recorder:
    """An assistant that writes what it says into a recording, as if a provider had said it.

    Its first samples are right; the others name a wrong category and solve nothing.
    """

    columnar = False
    prompt_version = "1"

    def __init__(self, scenario, categories, recording):
        self.model = scenario.assistant.model
        self._asking = Asking(scenario, categories, catalogue.model(self.model))
        self._categories, self._recording = categories, recording

    def answer(self, questions):
        asks, row = self._asking.asks(questions)
        first = np.unique(row, return_index=True)[1]
        for ask, k in zip(asks, first, strict=True):
            code = (questions.truth[k] + ask.sample) % len(self._categories)
            said = json.dumps({"category": self._categories[code], "confidence": 0.9})
            if ask.step == "respond":
                said = f"<b>Do this</b>, {ask.sample}."
            self._recording.add(
                Reply(
                    key=ask.key, step=ask.step, model=self.model, prompt_version=ask.version,
                    sample=ask.sample, request=ask.request, answer=said, finish="stop",
                    repaired=False, prompt_tokens=100, completion_tokens=7, latency_s=0.5,
                    recorded="2026-11-01T10:00:00.000+00:00",
                )
            )  # fmt: skip
        replies = {ask.key: self._recording.get(ask.key) for ask in asks}
        return self._asking.answers(questions, asks, row, replies)


def recorded_desk(folder, **changes):
    """A day of a desk that replays two samples of each prompt, with all its answers recorded."""
    desk = from_data(
        {
            "name": "recorded",
            "horizon": "1d",
            "replications": 1,
            "arrivals": {"rate": "2/h"},
            "tickets": {"corpus": str(CORPUS)},
            "assistant": {
                "backend": "replay",
                "role": "full",
                "knowledge": str(KNOWLEDGE),
                "recording": str(folder / "recording.jsonl"),
                "samples": 2,
            },
            "customers": {"survey_rate": 1.0, "reopen_rate": 1.0, "reopen_delay": "1h"},
            "agents": {"all": {"heads": 2, "handle_time": "8min"}},
        }
    ).vary(changes, name="recorded")
    recording, demand = Recording(folder / "recording.jsonl"), draw(desk)
    simulate(desk, demand, Recorder(desk, demand.categories, recording))
    recording.close()
    return desk, demand
