"""Ridge regression of categories on sentence embeddings: learnt in a moment, without a library."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from scipy import special

from twin.assistant.features import Floats, Ints
from twin.assistant.knowledge.embedding import DIMENSIONS, embed

# Candidates of the cross-validation: ridge penalty, and the weights of ridge and articles.
_PENALTIES = (1.0, 2.0, 4.0, 8.0)
_RIDGE_WEIGHTS = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)
_ARTICLE_WEIGHTS = (0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 32.0, 48.0)
_DEFAULT = (2.0, 4.0, 16.0)  # Without train texts; about what the shipped corpus gives.
_CONSTANT = 0.3  # Size of the constant feature: ridge should shrink the level little.


class Ridge:
    """Ridge regression of one-hot categories on embeddings, by leave-one-out cross-validation.

    Ridge regression has the cross-validation in closed form.

    Parameters
    ----------
    categories, texts, category
        As of `Classifier`.
    evidence : array of float, shape (n, categories)
        Of the articles, by train text.

    Attributes
    ----------
    mix : (float, float)
        Weights of the scores and of the articles.
    accuracy, log_loss, left_out
        As of `Classifier`.
    """

    def __init__(
        self, categories: Sequence[str], texts: Sequence[str], category: Ints, evidence: Floats
    ) -> None:
        size, n = len(categories), len(texts)
        targets = np.eye(size)[np.concatenate([category, np.arange(size)]).astype(int)]
        features = _features([*texts, *categories])
        self.accuracy = self.log_loss = float("nan")
        self.left_out: tuple[Ints, Ints, Floats] = (
            np.arange(n),
            np.zeros(n, dtype=np.int64),
            np.zeros(n),
        )
        best = _DEFAULT
        # Where no article tells anything, its weight changes nothing: the first is taken.
        article_weights = _ARTICLE_WEIGHTS if evidence.any() else _ARTICLE_WEIGHTS[:1]
        for penalty in _PENALTIES if n else ():
            hat, weights = _ridge(features, targets, penalty)
            # The prediction for a row by a fit without it.
            leverage = np.minimum(np.einsum("nd,dn->n", features, hat), 0.999)[:n, None]
            left_out = (features[:n] @ weights - leverage * targets[:n]) / (1 - leverage)
            for own, articles in product(_RIDGE_WEIGHTS, article_weights):
                scores = own * left_out + articles * evidence
                chance = special.log_softmax(scores, axis=1)
                loss = -float(chance[np.arange(n), category].mean())
                if not loss >= self.log_loss:
                    self.log_loss, best = loss, (penalty, own, articles)
                    self.accuracy = float((scores.argmax(axis=1) == category).mean())
                    given = scores.argmax(axis=1)
                    self.left_out = np.arange(n), given, np.exp(chance.max(axis=1))
        self.mix = best[1:]
        self._weights = _ridge(features, targets, best[0])[1]

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
    gram = features.T @ features + penalty * np.eye(DIMENSIONS + 1)
    hat = np.asarray(np.linalg.solve(gram, features.T), dtype=np.float64)
    return hat, hat @ targets
