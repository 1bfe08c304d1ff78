"""Recordings of models of known skill, written by hand: each ticket has a chance of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from twin.assistant.difficulty import beta_chances
from twin.assistant.judging.rubric import judge_messages
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.recorded.recording import Reply, request_key
from twin.demand.corpus import load_corpus
from twin.scenario.file import starter

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
                yield reply("judge", "judge", messages, verdict, 0, version, number, skill)


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
