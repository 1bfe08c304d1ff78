"""Ridge regression of categories on sentence embeddings: learnt in a moment, without a library."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from twin.assistant.features import Floats, Ints
from twin.assistant.knowledge.embedding import DIMENSIONS, embed
from twin.assistant.mixing import Mix, mix_of

_PENALTIES = (1.0, 2.0, 4.0, 8.0)  # Candidates of the cross-validation.
_MOST = 24.0  # Weight of the scores.
# Without train texts; about what the shipped corpus gives.
_PENALTY, _OWN, _ARTICLES = 2.0, 4.0, 16.0
_CONSTANT = 0.3  # Size of the constant feature: ridge should shrink the level little.


class Ridge:
    """Ridge regression of one-hot categories on embeddings, by leave-one-out cross-validation.

    Ridge regression has the cross-validation in closed form.

    Parameters
    ----------
    size : int
        Number of categories.
    texts, category
        As of `Classifier`.
    examples : sequence of (str, int)
        More to learn from, which is never left out: names, titles and phrases of articles.
    evidence : array of float, shape (n, categories)
        Of the articles, by train text.

    Attributes
    ----------
    mix : Mix
        Weights of the scores and of the articles, and levels of the categories.
    accuracy, log_loss, left_out
        As of `Classifier`.
    """

    def __init__(
        self,
        size: int,
        texts: Sequence[str],
        category: Ints,
        examples: Sequence[tuple[str, int]],
        evidence: Floats,
    ) -> None:
        n = len(texts)
        more = np.array([code for _, code in examples], dtype=np.int64)
        targets = np.eye(size)[np.concatenate([category, more]).astype(int)]
        features = _features([*texts, *(text for text, _ in examples)])
        self.accuracy = self.log_loss = float("nan")
        self.left_out: tuple[Ints, Ints, Floats] = (
            np.arange(n),
            np.zeros(n, dtype=np.int64),
            np.zeros(n),
        )
        penalty, self.mix = _PENALTY, Mix(_OWN, _ARTICLES, np.zeros(size))
        for candidate in _PENALTIES if n else ():
            hat, weights = _ridge(features, targets, candidate)
            # The prediction for a row by a fit without it.
            leverage = np.minimum(np.einsum("nd,dn->n", features, hat), 0.999)[:n, None]
            left_out = (features[:n] @ weights - leverage * targets[:n]) / (1 - leverage)
            mix, chance = mix_of(left_out, evidence, category, _MOST)
            loss = -float(chance[np.arange(n), category].mean())
            if not loss >= self.log_loss:
                self.log_loss, penalty, self.mix = loss, candidate, mix
                given = chance.argmax(axis=1)
                self.accuracy = float((given == category).mean())
                self.left_out = np.arange(n), given, np.exp(chance.max(axis=1))
        self._weights = _ridge(features, targets, penalty)[1]

    def scores(self, texts: Sequence[str]) -> Floats:
        """Scores by category; a row depends on its text only."""
        # Row by row (see `embedding.similarity`).
        found: Floats = np.matmul(_features(texts)[:, None, :], self._weights)[:, 0, :]
        return found


def _features(texts: Sequence[str]) -> Floats:
    constant = np.full((len(texts), 1), _CONSTANT)
    return np.hstack([embed(texts).astype(float), constant])


def _ridge(features: Floats, targets: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Matrix that makes weights of targets, shape (d, n), and the weights, shape (d, c)."""
    # One thread: sums over several differ in their last bits.
    with threadpool_limits(1, "blas"):
        gram = features.T @ features + penalty * np.eye(DIMENSIONS + 1)
        hat = np.asarray(np.linalg.solve(gram, features.T), dtype=np.float64)
        return hat, hat @ targets
