"""Ridge regression of categories on sentence embeddings: learnt in a moment, without a library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from twin.assistant.features import Floats, Ints
from twin.assistant.knowledge.embedding import DIMENSIONS, EMBEDDING_VERSION, embed
from twin.assistant.mixing import Mix, mix_of
from twin.assistant.sureness import Sureness
from twin.common import cache

_PENALTIES = (1.0, 2.0, 4.0, 8.0)  # Candidates of the cross-validation.
_MOST = 24.0  # Weight of the scores.
# Without train texts; about what the shipped corpus gives.
_PENALTY, _OWN, _ARTICLES = 2.0, 4.0, 16.0
_LIBRARIES = ("numpy", "scipy", "tokenizers")
_CODE = ("ridge.py", "mixing.py", "features.py", "classifier.py")
_CONSTANT = 0.3  # Size of the constant feature: ridge should shrink the level little.


class Ridge:
    """Ridge regression of one-hot categories on embeddings, by leave-one-out cross-validation.

    Ridge regression has the cross-validation in closed form.

    Parameters
    ----------
    categories, texts, category
        As of `Classifier`.
    examples : sequence of (str, int)
        More to learn from, which is never left out: names, titles and phrases of articles.
    evidence : callable
        Gives the articles' scores by category, shape (n, categories), of texts.
    knowledge : str
        The articles' hash.

    Attributes
    ----------
    mix : Mix
        Weights of the scores and of the articles, and levels of the categories.
    sureness : Sureness
        The largest chances are the confidences as they are: learnt from 300 texts, another would
        put all of them above .4, where desks' thresholds stand (see tests/benchmarks/README.md).
    accuracy, log_loss, left_out
        As of `Classifier`.
    """

    def __init__(
        self,
        categories: Sequence[str],
        texts: Sequence[str],
        category: Ints,
        examples: Sequence[tuple[str, int]],
        evidence: Callable[[Sequence[str]], Floats],
        knowledge: str,
    ) -> None:
        self._size = len(categories)
        self.sureness = Sureness()

        def train() -> cache.Arrays:
            return _train(self._size, texts, category, examples, evidence(texts))

        code = map(Path(__file__).with_name, _CODE)
        labels = list(map(int, category))
        of = EMBEDDING_VERSION, knowledge, list(categories), list(texts), labels, list(examples)
        stored = cache.arrays("ridge", cache.key_of(code, _LIBRARIES, *of), train)
        try:
            self._take(stored)
        except (KeyError, ValueError, TypeError):  # Of no such regression: damaged.
            self._take(train())

    def _take(self, made: cache.Arrays) -> None:
        """Take what was trained, or stored.

        Raises
        ------
        KeyError, ValueError, TypeError
            If it cannot be what was stored.
        """
        self._weights = made["weights"]
        own, articles, *level = map(float, made["mix"])
        shape = DIMENSIONS + 1, self._size
        fits = self._weights.shape == shape and np.isfinite(self._weights).all()
        if not fits or len(level) != self._size:
            raise ValueError("not a stored regression of these categories")
        self.mix = Mix(own, articles, np.array(level))
        self.accuracy, self.log_loss = map(float, made["told"])
        self.left_out: tuple[Ints, Ints, Floats] = (made["out"], made["given"], made["sure"])

    def scores(self, texts: Sequence[str]) -> Floats:
        """Scores by category; a row depends on its text only."""
        # Row by row (see `embedding.similarity`).
        found: Floats = np.matmul(_features(texts)[:, None, :], self._weights)[:, 0, :]
        return found


def _train(
    size: int,
    texts: Sequence[str],
    category: Ints,
    examples: Sequence[tuple[str, int]],
    evidence: Floats,
) -> cache.Arrays:
    """Train with cross-validation of the penalty and the mix."""
    n = len(texts)
    more = np.array([code for _, code in examples], dtype=np.int64)
    targets = np.eye(size)[np.concatenate([category, more]).astype(int)]
    features = _features([*texts, *(text for text, _ in examples)])
    accuracy = log_loss = float("nan")
    given, sure = np.zeros(n, dtype=np.int64), np.zeros(n)
    penalty, mix = _PENALTY, Mix(_OWN, _ARTICLES, np.zeros(size))
    for candidate in _PENALTIES if n else ():
        hat, weights = _ridge(features, targets, candidate)
        # The prediction for a row by a fit without it.
        leverage = np.minimum(np.einsum("nd,dn->n", features, hat), 0.999)[:n, None]
        left_out = (features[:n] @ weights - leverage * targets[:n]) / (1 - leverage)
        found, chance = mix_of(left_out, evidence, category, _MOST)
        loss = -float(chance[np.arange(n), category].mean())
        if not loss >= log_loss:
            log_loss, penalty, mix = loss, candidate, found
            given, sure = chance.argmax(axis=1), np.exp(chance.max(axis=1))
            accuracy = float((given == category).mean())
    return {
        "weights": _ridge(features, targets, penalty)[1],
        "mix": np.array([mix.own, mix.articles, *mix.level]),
        "told": np.array([accuracy, log_loss]),
        "out": np.arange(n),
        "given": given,
        "sure": sure,
    }


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
