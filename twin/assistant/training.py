"""Training of the classifier, by scikit-learn; imported only where nothing trained is stored.

Logistic regression on TF-IDF of words and of pieces of words together with the sentence embedding.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from twin.assistant.features import ANALYZERS, Floats, Ints, Terms
from twin.assistant.knowledge.embedding import embed

_MOST_TERMS = 50_000  # Of a kind; the commonest.
_MOST_STEPS = 25
# Beyond so many texts a solver that passes over them a few times: the other takes minutes.
MANY_TEXTS = 20_000
_PASSES = 4


class Fitted(NamedTuple):
    """Weights of a linear model: rows of features (all terms, then the embedding), by category."""

    weights: Floats
    level: Floats


class Material:
    """Features of the texts to learn from.

    Parameters
    ----------
    texts : sequence of str
    category : array of int
    size : int
        Number of categories; each has a text.
    """

    def __init__(self, texts: Sequence[str], category: Ints, size: int) -> None:
        self._category, self._size = category, size
        self.terms: list[Terms] = []
        parts = []
        for analyzer in ANALYZERS:
            maker = TfidfVectorizer(analyzer=analyzer, sublinear_tf=True, max_features=_MOST_TERMS)
            try:
                parts.append(maker.fit_transform(texts))
            except ValueError:  # No text has any term.
                self.terms.append(Terms({}, np.zeros(0)))
                continue
            place = {str(term): int(k) for term, k in maker.vocabulary_.items()}
            self.terms.append(Terms(place, np.asarray(maker.idf_, dtype=np.float64)))
        parts.append(sparse.csr_matrix(embed(texts).astype(float)))
        self._features = sparse.hstack(parts).tocsr()

    def fit(self, rows: npt.NDArray[np.bool_], penalty: float) -> Fitted:
        """A model of some of the texts; categories without any of them get weights of 0."""
        few = rows.sum() <= MANY_TEXTS
        solver, steps = ("lbfgs", _MOST_STEPS) if few else ("sag", _PASSES)
        model = LogisticRegression(C=penalty, random_state=0, solver=solver, max_iter=steps)
        width = self._features.shape[1]
        # One thread: sums over several differ in their last bits.
        with warnings.catch_warnings(), threadpool_limits(1, "blas"):
            # It stops after few steps on purpose: more gain nothing on texts held back.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(self._features[np.flatnonzero(rows)], self._category[rows])
        weights, level = np.zeros((width, self._size)), np.zeros(self._size)
        if len(model.classes_) == 2:
            # The library keeps one column for two; half of it each is the same model.
            pair = np.array([-0.5, 0.5])
            weights[:, model.classes_] = model.coef_.T * pair
            level[model.classes_] = model.intercept_ * pair
        else:
            weights[:, model.classes_] = model.coef_.T
            level[model.classes_] = model.intercept_
        return Fitted(weights, level)

    def scores(self, fitted: Fitted, rows: Ints) -> Floats:
        """Scores of texts by category."""
        found: Floats = self._features[rows] @ fitted.weights + fitted.level
        return found
