"""Quality of an answer for its ticket, judged by the article that solves the ticket.

A yardstick and no person: it rewards answers that say what the article says, in its words or in
others, and cannot see whether an answer is polite, or right in a way that no article knows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from twin.assistant.knowledge.articles import Article
from twin.assistant.knowledge.embedding import Vectors, embed, similarity
from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.protocol import OK, Answers, Floats, Ints, Questions

# Ratings of different versions do not compare: stored with results.
RATER_VERSION = "1"

# A step counts as covered by a sentence at least so similar. On the shipped articles 99.8 % of
# the pairs of steps of different articles are below; six of seven paraphrases by hand are above.
STEP_SIMILARITY = 0.55
# Similarity of answer and article that counts nothing, and that counts in full: nine in ten pairs
# of different articles are below .45; an article's own steps reach .9.
_UNLIKE, _ALIKE = 0.45, 0.85
_STEPS_WEIGHT = 0.7
# A ticket that no article solves: how far an answer in its category goes is anyone's guess.
NO_ARTICLE = 0.5

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_NUMBER = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+")


class Rater(Protocol):
    """A judge of answers."""

    @property
    def rater(self) -> str:
        """Name and version, kept with results."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Remarks on the judging that a reader of the results needs."""
        ...

    def quality(
        self, questions: Questions, answers: Answers, article_slugs: Sequence[str]
    ) -> Floats:
        """Quality of each answer of a batch, 0 to 1; see `Judge.quality`."""
        ...


def to_judge(questions: Questions, answers: Answers) -> tuple[npt.NDArray[np.bool_], Ints, Any]:
    """Answers to be judged in a batch, each distinct pair once.

    Returns
    -------
    there : array of bool, shape (n,)
        Which questions have an answer.
    pairs : array of int, shape (k, 2)
        Index into the questions' texts and into the answers' texts.
    row : array of int, shape (number of answers,)
        The pair of each question that has an answer.

    Raises
    ------
    ValueError
        If the answers have no texts.
    """
    if answers.written is None or questions.category is None:
        raise ValueError("only answers of step respond, with texts, can be judged")
    there = (answers.outcome == OK) & (answers.written >= 0)
    size = max(len(answers.texts), 1)
    both, row = np.unique(
        questions.text[there] * size + answers.written[there], return_inverse=True
    )
    return there, np.stack([both // size, both % size], axis=1).astype(np.int64), row


class Judge:
    """Judge of answers by the articles that solve their tickets.

    Parameters
    ----------
    knowledge : Knowledge or None
        All articles there are, whether or not the assistant may look them up.
    """

    rater = f"evidence-{RATER_VERSION}"
    notes: Sequence[str] = ()

    def __init__(self, knowledge: Knowledge | None) -> None:
        self._articles = knowledge.articles if knowledge is not None else {}
        self._known: dict[str, tuple[Vectors, Vectors]] = {}
        self._cache: dict[tuple[str, str], float] = {}

    def quality(
        self, questions: Questions, answers: Answers, article_slugs: Sequence[str]
    ) -> Floats:
        """Quality of each answer of a batch.

        Parameters
        ----------
        questions : Questions
            Of step respond.
        answers : Answers
            With texts; where a backend gave the quality itself, that is returned.
        article_slugs : sequence of str
            By row of `questions.texts`: the article that solves it, empty where none does.

        Returns
        -------
        array of float, shape (n,)
            0 to 1. NaN where there is no answer because the call failed: a failure of the service
            says nothing about the model.
        """
        if answers.quality is not None:
            return np.where(answers.outcome == OK, answers.quality, np.nan)
        there, pairs, row = to_judge(questions, answers)
        out = np.full(len(questions), np.nan)
        judged = np.array(
            [
                self.judge(article_slugs[text], answers.texts[answer].text)
                for text, answer in pairs.tolist()
            ],
            dtype=float,
        )[row]
        assert questions.category is not None
        fits = questions.category[there] == questions.truth[there]
        out[there] = np.where(np.isnan(judged), np.where(fits, NO_ARTICLE, 0.0), judged)
        return out

    def judge(self, slug: str, answer: str) -> float:
        """Quality of an answer to a ticket that the article `slug` solves; NaN without article.

        Seven tenths for the share of the article's steps that some sentence of the answer covers,
        three for the similarity of answer and article as wholes.
        """
        article = self._articles.get(slug)
        if article is None:
            return float("nan")
        key = (slug, answer)
        if key not in self._cache:
            if len(self._cache) >= 100_000:
                self._cache.clear()
            self._cache[key] = self._judge(article, answer)
        return self._cache[key]

    def _judge(self, article: Article, answer: str) -> float:
        if article.slug not in self._known:
            whole = " ".join([article.title, article.summary, *article.steps, article.closing])
            self._known[article.slug] = (embed(article.steps), embed([whole]))
        steps, whole_vector = self._known[article.slug]
        sentences = [_NUMBER.sub("", s) for s in _SENTENCE.split(answer)]
        # A step may hold several sentences, so that lines are compared whole, too.
        sentences += [_NUMBER.sub("", line) for line in answer.splitlines()]
        found = list(dict.fromkeys(s for s in sentences if s.strip()))
        if not found:
            return 0.0
        best = similarity(steps, embed(found)).max(axis=1)
        covered = float((best >= STEP_SIMILARITY).mean())
        likeness = float(similarity(embed([answer]), whole_vector)[0, 0])
        close = min(max((likeness - _UNLIKE) / (_ALIKE - _UNLIKE), 0.0), 1.0)
        return round(_STEPS_WEIGHT * covered + (1 - _STEPS_WEIGHT) * close, 6)


@lru_cache(maxsize=4)
def judge_of(knowledge: Knowledge | None) -> Judge:
    """The judge by these articles: replications share what it has judged."""
    return Judge(knowledge)
