"""Held-out tickets: what a prompt version is worth before any customer sees it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twin.assistant.judging.judge import Rater
from twin.assistant.learning.learning import Version, paired_gain
from twin.assistant.protocol import Assistant, Floats, Luck, Questions
from twin.demand.corpus import Corpus

# So many are enough to see a loss of a few percent, and a live model is paid for each.
MOST = 100


class HeldOut:
    """Tickets of the corpus that no customer of the desk sends, and the articles that solve them.

    Parameters
    ----------
    assistant : Assistant
    judge : Rater
    corpus : Corpus or None
        Its train rows with a known article, spread evenly; without them nothing is known.
    categories : sequence of str
    examples : int
        Examples a prompt.
    """

    def __init__(
        self,
        assistant: Assistant,
        judge: Rater,
        corpus: Corpus | None,
        categories: Sequence[str],
        examples: int,
    ) -> None:
        self._assistant = assistant
        self._judge = judge
        self._corpus = corpus
        self._categories = tuple(categories)
        self._examples = examples
        self._known: dict[str, Floats] = {}
        rows = np.empty(0, dtype=np.int64)
        if corpus is not None:
            labelled = corpus.train & np.array([slug != "" for slug in corpus.article])
            rows = np.flatnonzero(labelled)
            rows = rows[np.linspace(0, len(rows) - 1, min(MOST, len(rows))).astype(np.int64)]
        self._rows = rows

    def gain(self, before: Version, after: Version) -> float:
        """Mean gain in judged quality of `after` over `before`, ticket by ticket; NaN if unknown.

        The guard asks for no loss: a gain need not be beyond noise, and a loss is not excused by
        it either.
        """
        return paired_gain(self._quality(before), self._quality(after))

    def _quality(self, version: Version) -> Floats:
        if version.name not in self._known:
            self._known[version.name] = self._ask(version)
        return self._known[version.name]

    def _ask(self, version: Version) -> Floats:
        corpus, n = self._corpus, len(self._rows)
        if corpus is None or n == 0:
            return np.empty(0)
        texts = [corpus.texts[k] for k in self._rows]
        names = [corpus.categories[code] for code in corpus.category[self._rows]]
        category = np.array([self._categories.index(name) for name in names])
        questions = Questions(
            step="respond",
            categories=self._categories,
            texts=texts,
            text=np.arange(n),
            category=category,
            truth=category,
            ticket=self._rows,
            luck=Luck.neutral(n),
            version=version.template,
            guidance=version.guidance(texts, category.tolist(), self._examples),
        )
        answers = self._assistant.answer(questions)
        if answers.quality is not None:
            return answers.quality
        return self._judge.quality(questions, answers, [corpus.article[k] for k in self._rows])
