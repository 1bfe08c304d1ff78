"""Backend `profile`: answers drawn from measured or assumed distributions, for a million tickets.

It reads no text. Everything comes from the luck of the question, so that two profiles see the same
customers with the same luck: who is accurate at .8 is right wherever one accurate at .7 is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twin.assistant import catalogue
from twin.assistant.prompts import PROMPT_VERSION
from twin.assistant.protocol import OK, SERVER_ERROR, Answers, Floats, Ints, Questions
from twin.distributions import AnyDistribution, Constant, Triangular
from twin.scenario import Profile, Scenario
from twin.scenario_file import Fault, ScenarioError


def _constant(value: float) -> Constant:
    return Constant(distribution="constant", value=value)


def _triangular(low: float, mode: float, high: float) -> Triangular:
    return Triangular(distribution="triangular", low=low, mode=mode, high=high)


def _answer_order(truth: int, size: int) -> Ints:
    """The true category first, then the others: low luck is right under every accuracy."""
    return np.array([truth, *(k for k in range(size) if k != truth)])


def _confusion(profile: Profile, categories: Sequence[str]) -> Floats:
    """Chances of answers by true category, shape (c, c)."""
    size = len(categories)
    wrong = (1 - profile.accuracy) / (size - 1) if size > 1 else 0.0
    chances = np.full((size, size), wrong)
    np.fill_diagonal(chances, profile.accuracy if size > 1 else 1.0)
    index = {name: k for k, name in enumerate(categories)}
    for truth, weights in (profile.confusion or {}).items():
        key = f"assistant.profile.confusion.{truth}"
        for name in (truth, *weights):
            if name not in index:
                known = f"categories: {', '.join(categories)}"
                raise ScenarioError("scenario", [Fault(key, "unknown category", name, known)])
        total = sum(weights.values())
        if total <= 0:
            raise ScenarioError("scenario", [Fault(key, "must have a weight above 0")])
        chances[index[truth]] = 0.0
        for name, weight in weights.items():
            chances[index[truth], index[name]] = weight / total
    return chances


class ProfileAssistant:
    """Assistant of backend `profile`.

    Parameters
    ----------
    scenario : Scenario
    categories : sequence of str
    model : Model
        For latencies that the profile does not give.

    Raises
    ------
    ScenarioError
        If the confusion table names a category that is not there.
    """

    columnar = True
    prompt_version = PROMPT_VERSION

    def __init__(
        self, scenario: Scenario, categories: Sequence[str], model: catalogue.Model
    ) -> None:
        self.model = model.name
        self._model = model
        self._profile = scenario.assistant.profile
        self._max_tokens = scenario.assistant.max_tokens
        self._categories = tuple(categories)
        self._chances = _confusion(self._profile, categories)

    def answer(self, questions: Questions) -> Answers:
        """Answer a batch from its luck alone."""
        profile, luck, n = self._profile, questions.luck, len(questions)
        categorizing = questions.step == "categorize"
        default_out = 15.0 if categorizing else 120.0
        tokens = profile.categorize_tokens if categorizing else profile.respond_tokens
        limit = getattr(self._max_tokens, questions.step)
        tokens_in = _whole(profile.prompt_tokens or _constant(350.0), luck.tokens_in)
        tokens_out = np.minimum(_whole(tokens or _constant(default_out), luck.tokens_out), limit)
        outcome = np.where(luck.error < profile.error_rate, SERVER_ERROR, OK)
        # A call that fails writes nothing.
        tokens_out = np.where(outcome == OK, tokens_out, 0)
        given = profile.categorize_latency if categorizing else profile.respond_latency
        if given is None:
            latency = catalogue.latency_s(self._model, tokens_in, tokens_out, luck.latency)
        else:
            latency = given.quantile(luck.latency)
        category = confidence = quality = None
        if categorizing:
            category = self._categorize(questions.truth, luck.answer)
            right = category == questions.truth
            confidence = np.empty(n)
            # Defaults stand in the schema's descriptions too (twin.scenario.Profile).
            sure = profile.confidence_right or _triangular(0.4, 0.95, 1.0)
            unsure = profile.confidence_wrong or _triangular(0.1, 0.4, 0.95)
            confidence[right] = sure.quantile(luck.confidence[right])
            confidence[~right] = unsure.quantile(luck.confidence[~right])
            confidence = np.clip(confidence, 0.0, 1.0)
        else:
            drawn = (profile.quality or _constant(0.8)).quantile(luck.quality)
            quality = np.clip(drawn, 0.0, 1.0)
        return Answers(latency, tokens_in, tokens_out, outcome, category, confidence, quality)

    def _categorize(self, truth: Ints, u: Floats) -> Ints:
        size = len(self._categories)
        category = np.empty(len(truth), dtype=np.int64)
        for k in range(size):
            here = truth == k
            order = _answer_order(k, size)
            edges = np.cumsum(self._chances[k][order])
            # Rounding may leave the last edge below 1; the last possible answer takes the rest.
            edges[np.flatnonzero(self._chances[k][order])[-1] :] = 1.0
            category[here] = order[np.searchsorted(edges, u[here], side="right")]
        return category


def _whole(distribution: AnyDistribution, u: Floats) -> Ints:
    return np.maximum(np.rint(distribution.quantile(u)), 0).astype(np.int64)
