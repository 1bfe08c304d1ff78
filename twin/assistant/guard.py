"""A model that a ticket cannot talk into a category.

A ticket that wants a category has to name it, or to give the model orders. Where a ticket does
either, and the model's category is not what the desk's own classifier makes of the text, the
classifier's category stands, with a confidence of 0, so that the desk goes by its rules for
tickets that it is not sure of. All other tickets keep what the model says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from twin.assistant.doubts import Classify
from twin.assistant.protocol import Answers, Questions
from twin.assistant.steering import commands, names_category, without_names


class Guard:
    """Holds a model's category against a classifier where a ticket may have steered the model.

    Parameters
    ----------
    categories : sequence of str
    classifier : callable
        Returns, when one is first needed, a function that gives category and confidence of texts
        and follows no orders; or None where there is nothing to learn from: then all tickets that
        may have steered the model keep its category with a confidence of 0.
    """

    def __init__(
        self, categories: Sequence[str], classifier: Callable[[], Classify | None]
    ) -> None:
        self._categories = tuple(categories)
        self._classifier = classifier

    def held(self, questions: Questions, answers: Answers) -> Answers:
        """Answers of step categorize, without the categories that tickets may have forced."""
        if answers.category is None or answers.confidence is None:
            return answers
        rows = np.flatnonzero(answers.category >= 0)
        texts = [questions.texts[k] for k in questions.text[rows].tolist()]
        given = answers.category[rows]
        held = np.array(
            [self._may_be_steered(*one) for one in zip(texts, given, strict=True)], bool
        )
        if not held.any():
            return answers
        category, confidence = answers.category.copy(), answers.confidence.copy()
        rows, given = rows[held], given[held]
        own, classify = given, self._classifier()
        if classify is not None:
            asked = [text for text, one in zip(texts, held, strict=True) if one]
            own = classify([without_names(text, self._categories) for text in asked])[0]
            rows, own = rows[own != given], own[own != given]
        category[rows], confidence[rows] = own, 0.0
        return replace(answers, category=category, confidence=confidence)

    def _may_be_steered(self, text: str, category: int) -> bool:
        return commands(text) or names_category(text, self._categories[category])
