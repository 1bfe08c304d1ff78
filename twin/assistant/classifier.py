"""Category of a text with the chance of being right, learnt from texts and articles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from twin.assistant.features import Floats, Ints
from twin.assistant.knowledge.embedding import embed, embed_kept, similarity
from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.logistic import Logistic
from twin.assistant.ridge import Ridge

# With articles and fewer train texts, ridge regression: there the articles decide, and the logistic
# model is no better (see tests/benchmarks/README.md) and takes a second more to train.
_FEW_BESIDE_ARTICLES = 1_000


class Classifier:
    """Category of a text with the chance of being right.

    The chances are the softmax of two weighted scores a category: those that were learnt from the
    train texts and, where there are articles, the best score of the category's articles, with a
    level a category (`mixing`). They are
    learnt by logistic regression on words, pieces of words and sentence embeddings (`logistic`),
    or, beside articles and from few texts, by ridge regression on the embeddings (`ridge`). A
    category's own name is one more example of it, and counts as an article, so that a category
    without train texts, or a text of two words, is matched by the name. Penalty and weights are
    those of the least log loss in cross-validation; as log loss punishes false certainty, they make
    the confidence the chance of being right, too. Where the logistic model learns, its left-out
    texts also teach how often an answer of so large a chance is right (`sureness`).

    Parameters
    ----------
    categories : sequence of str
    texts : sequence of str, length n
        Train texts.
    category : array of int, shape (n,)
        Their indices into `categories`.
    knowledge : Knowledge, optional

    Attributes
    ----------
    accuracy, log_loss : float
        Of the cross-validation; NaN without train texts.
    left_out : (array of int, array of int, array of float)
        Places of the train texts that were left out in turn, and the category and confidence that a
        fit without them gave; of many train texts only some are.
    """

    def __init__(
        self,
        categories: Sequence[str],
        texts: Sequence[str],
        category: Ints,
        knowledge: Knowledge | None = None,
    ) -> None:
        self._knowledge = knowledge
        self._owner = _owners(categories, knowledge)
        # "Authentication/Login Issues" goes by two names.
        names = [name.split("/") for name in categories]
        self._names = embed_kept([one for several in names for one in several])
        self._starts = np.cumsum([0, *map(len, names[:-1])])
        examples = self._examples(categories)
        few = bool(self._owner.any()) and len(texts) < _FEW_BESIDE_ARTICLES
        few = few or len(categories) < 2 or not len(texts)
        codes = np.asarray(category, dtype=np.int64)
        learn: type[Ridge | Logistic] = Ridge if few else Logistic
        key = knowledge.key if knowledge else ""
        self._learnt = learn(categories, texts, codes, examples, self._evidence, key)
        self.accuracy, self.log_loss = self._learnt.accuracy, self._learnt.log_loss
        self.left_out = self._learnt.left_out

    def _examples(self, categories: Sequence[str]) -> list[tuple[str, int]]:
        """Names of the categories, and titles and phrases of their articles."""
        code = {name: k for k, name in enumerate(categories)}
        found = list(code.items())
        for article in self._knowledge.articles.values() if self._knowledge else ():
            if article.category in code:
                said = (article.title, *article.phrases)
                found += [(text, code[article.category]) for text in said]
        return found

    def _evidence(self, texts: Sequence[str]) -> Floats:
        """Best score by category: of its articles, or of its name where that is more like the text.

        Categories without articles get the middle of others.
        """
        if self._knowledge is None or not self._owner.any() or not len(texts):
            return np.zeros((len(texts), len(self._owner)))
        scores = self._knowledge.scores(texts)
        best = np.stack([scores[:, own].max(axis=1, initial=-1) for own in self._owner], axis=1)
        has = self._owner.any(axis=1)
        best[:, ~has] = np.median(best[:, has], axis=1, keepdims=True)
        named = np.maximum.reduceat(similarity(embed(texts), self._names), self._starts, axis=1)
        either: Floats = np.maximum(best, named)
        return either

    def classify(self, texts: Sequence[str]) -> tuple[Ints, Floats]:
        """Category index and confidence (0 to 1) of each text; a row depends on its text only."""
        scores = self._learnt.mix.scores(self._learnt.scores(texts), self._evidence(texts))
        chance: Floats = special.softmax(scores, axis=1)
        best = chance.argmax(axis=1).astype(np.int64)
        confidence = np.round(self._learnt.sureness.of(chance.max(axis=1, initial=0.0)), 6)
        return best, confidence


@lru_cache(maxsize=4)
def classifier_of(
    categories: tuple[str, ...],
    texts: tuple[str, ...],
    category: tuple[int, ...],
    knowledge: Knowledge | None = None,
) -> Classifier:
    """A classifier, trained once for the same texts and articles: replications share it."""
    return Classifier(categories, texts, np.array(category, dtype=np.int64), knowledge)


def _owners(categories: Sequence[str], knowledge: Knowledge | None) -> npt.NDArray[np.bool_]:
    """Matrix of categories (rows) and the articles (columns) that belong to them."""
    if knowledge is None:
        return np.zeros((len(categories), 0), dtype=bool)
    return np.array([knowledge.categories == name for name in categories])
