"""Quality of an answer for its ticket, judged by the facts of the article that solves the ticket.

A yardstick and no person. An answer is worth what it says of the facts that its ticket needs, in
the article's words or in others, however brief; what contradicts a fact takes nearly all of that
away. It works by words, vectors of words and rules for plain English, so it cannot see whether an
answer is polite, right in a way that no article knows, or false in a way that neither its facts nor
a rule name. On 104 answers held back from building it, its rank correlation with ratings by reading
is .84, and .69 where authors wrote no facts and steps stand for them (`python -m tests.judges`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from twin.assistant.judging.claims import Rarity, Sheet
from twin.assistant.judging.marking import Asked, asked, mark
from twin.assistant.knowledge.embedding import EMBEDDING_VERSION
from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.protocol import OK, Answers, Floats, Ints, Questions
from twin.common import cache
from twin.common.distinct import distinct

# Ratings of different versions do not compare: stored with results.
RATER_VERSION = "3"

# A ticket that no article solves: how far an answer in its category goes is anyone's guess.
NO_ARTICLE = 0.5
# From so many on, verdicts are looked for in the user's cache: reading them takes a moment, too.
_FEW = 10
_LIBRARIES = ("numpy", "tokenizers")
# So many verdicts are kept; all begin anew beyond.
_MOST_KNOWN = 100_000


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
    both, row = distinct(questions.text[there] * size + answers.written[there])
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
        self._rarity: Rarity | None = None
        self._sheets: dict[str, Sheet] = {}
        self._asked: dict[tuple[str, str], Asked] = {}
        self._known: dict[tuple[str, str, str], float] = {}
        self._key: str | None = None

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
        cases = [
            (article_slugs[text], answers.texts[answer].text, questions.texts[text])
            for text, answer in pairs.tolist()
        ]
        self._remember(cases)
        judged = np.array([self.judge(*one) for one in cases], dtype=float)[row]
        assert questions.category is not None
        fits = questions.category[there] == questions.truth[there]
        out[there] = np.where(np.isnan(judged), np.where(fits, NO_ARTICLE, 0.0), judged)
        return out

    def judge(self, slug: str, answer: str, ticket: str = "") -> float:
        """Quality of an answer to a ticket that the article `slug` solves; NaN without article.

        A function of the texts alone. Without a ticket the facts count that most customers need.
        """
        article = self._articles.get(slug)
        if article is None:
            return float("nan")
        key = (slug, answer, ticket)
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
                self._asked.clear()
            sheet = self._sheet(slug)
            if (slug, ticket) not in self._asked:
                self._asked[slug, ticket] = asked(sheet, ticket)
            self._known[key] = round(mark(sheet, ticket, self._asked[slug, ticket], answer), 6)
        return self._known[key]

    def _remember(self, cases: Sequence[tuple[str, str, str]]) -> None:
        """Take verdicts from the user's cache, or make them and store them, where they are many."""
        new = [one for one in cases if one[0] in self._articles and one not in self._known]
        if len(new) < _FEW:
            return
        if self._key is None:
            code = sorted(Path(__file__).parent.glob("*.py"))
            of = EMBEDDING_VERSION, list(self._articles.values())
            self._key = cache.key_of(code, _LIBRARIES, *of)

        def make() -> cache.Arrays:
            return {"verdicts": np.array([self.judge(*one) for one in new])}

        key = cache.key_of((), (), self._key, new)
        found = cache.arrays("verdicts", key, make).get("verdicts", np.zeros(0))
        if found.shape == (len(new),) and found.dtype == float and (abs(found - 0.5) <= 0.5).all():
            self._known |= dict(zip(new, found.tolist(), strict=True))

    def _sheet(self, slug: str) -> Sheet:
        if self._rarity is None:
            self._rarity = Rarity(self._articles.values())
        if slug not in self._sheets:
            self._sheets[slug] = Sheet(self._articles[slug], self._rarity)
        return self._sheets[slug]


@lru_cache(maxsize=4)
def judge_of(knowledge: Knowledge | None) -> Judge:
    """The judge by these articles: replications share what it has judged."""
    return Judge(knowledge)
