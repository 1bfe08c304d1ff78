"""A backend that is not sure where its tickets are not clear (see `doubts`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from twin.assistant.classifier import classifier_of
from twin.assistant.doubts import Classify, Doubts
from twin.assistant.knowledge.knowledge import Knowledge, knowledge_of
from twin.assistant.protocol import Answers, Assistant, Questions
from twin.common.distinct import distinct
from twin.demand.corpus import Corpus
from twin.scenario.model import Scenario


class Careful:
    """A backend whose confidence is 0 where a ticket's text is not to be answered.

    Parameters
    ----------
    assistant : Assistant
    doubts : Doubts

    Attributes
    ----------
    backend : Assistant
        As it was given.
    """

    def __init__(self, assistant: Assistant, doubts: Doubts) -> None:
        self.backend, self._doubts = assistant, doubts
        self.model, self.columnar = assistant.model, assistant.columnar
        self.prompt_version = assistant.prompt_version

    @property
    def notes(self) -> list[str]:
        """Remarks of the backend that a reader of results must know."""
        return list(getattr(self.backend, "notes", []))

    def answer(self, questions: Questions) -> Answers:
        """Answer a batch as the backend does, but never surely to what is not clear."""
        answers = self.backend.answer(questions)
        if questions.step != "categorize" or answers.confidence is None:
            return answers
        used, row = distinct(questions.text)
        clear = np.array([self._doubts.of(questions.texts[k]) is None for k in used], dtype=bool)
        return replace(answers, confidence=np.where(clear[row], answers.confidence, 0.0))


def learnt(corpus: Corpus | None, categories: Sequence[str]) -> tuple[list[str], list[int]]:
    """Train texts of a corpus, and their categories' places; those of other categories are left."""
    index = {name: k for k, name in enumerate(categories)}
    texts, rows = [], []
    if corpus is not None:
        for k in np.flatnonzero(corpus.train):
            name = corpus.categories[corpus.category[k]]
            if name in index:
                texts.append(corpus.texts[k])
                rows.append(index[name])
    return texts, rows


# Categories, train texts, their categories' places, and articles.
_Material = tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...], Knowledge | None]


def _material(scenario: Scenario, categories: Sequence[str], corpus: Corpus | None) -> _Material:
    texts, rows = learnt(corpus, categories)
    return tuple(categories), tuple(texts), tuple(rows), knowledge_of(scenario.assistant)


def doubts_of(scenario: Scenario, categories: Sequence[str], corpus: Corpus | None) -> Doubts:
    """The rules of a scenario's desk, by its own texts and articles.

    Raises
    ------
    ScenarioError
        If its articles cannot be used.
    """
    return _doubts(*_material(scenario, categories, corpus))


def classify_of(
    scenario: Scenario, categories: Sequence[str], corpus: Corpus | None
) -> Classify | None:
    """The classifier of a scenario's own texts and articles; None where it has neither.

    Raises
    ------
    ScenarioError
        If its articles cannot be used.
    """
    return _classify(*_material(scenario, categories, corpus))


def _classify(
    categories: tuple[str, ...],
    texts: tuple[str, ...],
    rows: tuple[int, ...],
    knowledge: Knowledge | None,
) -> Classify | None:
    if knowledge is None and not texts:
        return None
    return classifier_of(categories, texts, rows, knowledge).classify


@lru_cache(maxsize=4)
def _doubts(
    categories: tuple[str, ...],
    texts: tuple[str, ...],
    rows: tuple[int, ...],
    knowledge: Knowledge | None,
) -> Doubts:
    articles = list(knowledge.articles.values()) if knowledge is not None else []
    return Doubts(texts, articles, _classify(categories, texts, rows, knowledge))
