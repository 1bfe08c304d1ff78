"""A model that is none, for changes of the prompt: what it says follows from what it is asked."""

from __future__ import annotations

import json
from collections import Counter

from twin.assistant.errors import ServerError
from twin.assistant.recorded.recording import Reply

GOOD = "Name every step of the article in its order."
KEYS = ("first", "second", "third")
USELESS = "Write short sentences and plain words."


class Double:
    """Answers with the first step of the best article, and with all of them where told `GOOD`.

    Parameters
    ----------
    proposed : list of str
        What it proposes, whatever it reads.
    answer : callable, optional
        Makes the answer of the system message and the data of the prompt, instead.
    """

    def __init__(self, proposed, answer=None, fails=()):
        self.proposed = list(proposed)
        self.asked = []
        self.counts = Counter()
        self._answer = answer or steps
        self._fails = fails

    def of(self, model):
        return self.fetch

    def fetch(self, asks):
        return {ask.key: self._one(ask) for ask in asks}

    def _one(self, ask):
        self.asked.append(ask)
        self.counts[ask.step] += 1
        if ask.step in self._fails:
            return ServerError(500)
        system, user = (message["content"] for message in ask.request["messages"])
        said = (
            json.dumps(dict(zip(KEYS, [*self.proposed, "", "", ""], strict=False)))
            if ask.step == "reflect"
            else self._answer(system, json.loads(user))
        )
        return Reply(
            key=ask.key,
            step=ask.step,
            model=str(ask.request["model"]),
            prompt_version=ask.version,
            sample=ask.sample,
            request=ask.request,
            answer=said,
            finish="stop",
            repaired=False,
            prompt_tokens=ask.prompt_tokens,
            completion_tokens=len(said) // 4,
            latency_s=0.5,
            cost_usd=0.0,
            recorded="2026-11-27T09:00:00+00:00",
        )


def steps(system, data):
    """The best article's steps: all of them where the prompt says so, else one."""
    articles = data["articles"]
    lines = articles[0]["text"].splitlines() if articles else []
    found = [line.partition(". ")[2] for line in lines if line[:1].isdigit()]
    return "\n".join(found if GOOD in system else found[:1]) or "An agent will help you."
