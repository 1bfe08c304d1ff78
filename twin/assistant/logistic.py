"""Logistic regression on words, pieces of words and the sentence embedding.

Training (see `training`) needs scikit-learn. What was trained is kept in the user's cache folder;
using it needs NumPy only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.assistant.features import ANALYZERS, Floats, Ints, Terms
from twin.assistant.knowledge.embedding import DIMENSIONS, EMBEDDING_VERSION, embed
from twin.assistant.mixing import Mix, mix_of
from twin.assistant.sureness import Sureness, sureness_of
from twin.common import cache

_MOST = 6.0  # Weight of what was learnt.
# Candidates of the cross-validation, of C: smaller ones where labels contradict each other.
_PENALTIES = (0.1, 1.0, 10.0)
_PENALTIES_OF_MANY = (10.0,)
_FOLDS = 3
# Of more texts one fold is enough to choose by, of many more a part of one.
_FEW, _MANY, _MOST_LEFT_OUT = 2_000, 20_000, 5_000
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "tokenizers")
_CODE = ("logistic.py", "training.py", "features.py", "mixing.py", "sureness.py",
         "classifier.py")  # fmt: skip

Arrays = Mapping[str, npt.NDArray[Any]]


class Logistic:
    """A trained logistic model, from the cache where it is there.

    Parameters
    ----------
    categories, texts, category
        As of `Classifier`; there are texts, and two categories at least.
    examples : sequence of (str, int)
        More to learn from, which is never left out: names, titles and phrases of articles.
    evidence : callable
        Gives the articles' scores by category, shape (n, categories), of texts.
    knowledge : str
        The articles' hash.

    Attributes
    ----------
    mix, sureness, accuracy, log_loss, left_out
        As of `Ridge`.
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

        def train() -> Arrays:
            return _train(texts, category, examples, self._size, evidence)

        code = map(Path(__file__).with_name, _CODE)
        of = EMBEDDING_VERSION, knowledge, list(categories), list(texts), list(map(int, category))
        stored = cache.arrays("classifier", cache.key_of(code, _LIBRARIES, *of), train)
        try:
            self._take(stored)
        except (KeyError, ValueError, TypeError, IndexError):  # Of no such classifier: damaged.
            self._take(train())

    def _take(self, made: Arrays) -> None:
        """Take what was trained, or stored.

        Raises
        ------
        KeyError, ValueError, TypeError, IndexError
            If it cannot be what was stored.
        """
        self._weights, self._level = made["weights"], made["level"]
        self._terms = []
        for k in range(len(ANALYZERS)):
            listed = json.loads(made[f"terms{k}"].tobytes())
            place = {term: at for at, term in enumerate(listed)}
            self._terms.append(Terms(place, made[f"rarity{k}"]))
        self._starts = np.cumsum([0, *(len(terms.place) for terms in self._terms)])
        fits = (
            self._weights.shape == (self._starts[-1] + DIMENSIONS, self._size)
            and self._level.shape == (self._size,)
            and all(terms.rarity.shape == (len(terms.place),) for terms in self._terms)
            and np.isfinite(self._weights).all()
        )
        if not fits:
            raise ValueError("not a stored classifier of these categories")
        own, articles, *level = map(float, made["mix"])
        if len(level) != self._size:
            raise ValueError("not a stored classifier of these categories")
        self.mix = Mix(own, articles, np.array(level))
        self.sureness = Sureness(*map(float, made["sureness"]))
        self.accuracy, self.log_loss = map(float, made["told"])
        self.left_out: tuple[Ints, Ints, Floats] = (made["out"], made["given"], made["sure"])

    def scores(self, texts: Sequence[str]) -> Floats:
        """Scores by category; a row depends on its text only."""
        vectors = embed(texts).astype(float)
        found = np.empty((len(texts), self._size))
        for row, text in enumerate(texts):
            # Row by row, and without BLAS: no thread and no batch changes a bit.
            total = self._level + (vectors[row][:, None] * self._weights[self._starts[-1] :]).sum(0)
            for start, terms, analyzer in zip(self._starts, self._terms, ANALYZERS, strict=False):
                at, weight = terms.of(analyzer(text))
                total = total + (weight[:, None] * self._weights[start + at]).sum(0)
            found[row] = total
        return found


def _train(
    texts: Sequence[str],
    category: Ints,
    examples: Sequence[tuple[str, int]],
    size: int,
    evidence: Callable[[Sequence[str]], Floats],
) -> Arrays:
    """Train with cross-validation of the penalty and the mix."""
    # Imported here, as it takes half a second: what is stored needs none of it.
    from twin.assistant.training import Material

    labels = np.concatenate([category, np.array([code for _, code in examples], dtype=np.int64)])
    material = Material([*texts, *(text for text, _ in examples)], labels, size)
    every = np.ones(len(labels), dtype=bool)
    folds = _folds(category)
    out = np.concatenate(folds)
    truth, articles = category[out], evidence([texts[k] for k in out])
    tries = []
    for penalty in _PENALTIES if len(texts) <= _MANY else _PENALTIES_OF_MANY:
        found = []
        for fold in folds:
            rest = every.copy()
            rest[fold] = False
            found.append(material.scores(material.fit(rest, penalty), fold))
        scores = np.concatenate(found)
        mix, chance = mix_of(scores, articles, truth, _MOST)
        tries.append((mix, -chance[np.arange(len(truth)), truth], chance))
    chosen = _simplest(np.stack([losses for _, losses, _ in tries]))
    penalty = (_PENALTIES if len(tries) > 1 else _PENALTIES_OF_MANY)[chosen]
    mix, losses, chance = tries[chosen]
    given = chance.argmax(axis=1)
    sureness, sure = sureness_of(np.exp(chance.max(axis=1)), given == truth)
    told: dict[str, npt.NDArray[Any]] = {
        "told": np.array([(given == truth).mean(), losses.mean()]),
        "out": out,
        "given": given,
        "sure": sure,
        "sureness": np.array(sureness),
        "mix": np.array([mix.own, mix.articles, *mix.level]),
    }
    fitted = material.fit(every, penalty)
    made = told | {"weights": fitted.weights, "level": fitted.level}
    for k, terms in enumerate(material.terms):
        listed = sorted(terms.place, key=terms.place.__getitem__)
        made[f"terms{k}"] = np.frombuffer(json.dumps(listed).encode(), dtype=np.uint8)
        made[f"rarity{k}"] = terms.rarity
    return made


def _simplest(losses: Floats) -> int:
    """Row of the first penalty that is within a standard error of the best, by the same texts."""
    best = losses.mean(axis=1).argmin()
    more = losses - losses[best]
    error = more.std(axis=1) / np.sqrt(losses.shape[1])
    return int((more.mean(axis=1) <= error).argmax())


def _folds(category: Ints) -> list[Ints]:
    """Texts to leave out in turn: every third of each category."""
    order = np.argsort(category, kind="stable")
    starts = np.searchsorted(category[order], category[order])
    fold = np.empty(len(category), dtype=np.int64)
    fold[order] = (np.arange(len(category)) - starts) % _FOLDS
    folds = [np.flatnonzero(fold == k) for k in range(_FOLDS if len(category) <= _FEW else 1)]
    # Evenly spread, where they are more than are needed.
    return [out[:: 1 + (len(out) - 1) // _MOST_LEFT_OUT] for out in folds if len(out)]
