"""Retrieval: index the articles of a folder, find those that fit a ticket.

An article's score joins a similarity of meaning, m, and one of words, w, as m + w - m w: high where
either is, and at most 1. Meaning is the mean similarity of the ticket's embedding with the whole
article and with its best single part: one vector blurs an article, single parts alone lose what
they are about. Words are BM25 as a share of what the ticket's words could reach at most; it finds
the names that embeddings blur. Of the 281 train tickets of the shipped corpus that have an article,
meaning alone puts it first for 61 %, both together for 68 %.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from twin.assistant.articles import Article, load_articles
from twin.assistant.embedding import DIMENSIONS, EMBEDDING_VERSION, Vectors, embed, similarity

Floats = npt.NDArray[np.float64]

# Part of the key of stored indexes: change it with the way articles are cut into parts.
INDEX_VERSION = "1"
# Added to the score of articles of the preferred category, for their order only. Where the category
# is right, the right article then comes first for 83 % of those train tickets; more gains little
# and follows a wrong category further.
PREFERENCE = 0.2
_BLOCK = 512
_K1, _B = 1.2, 0.75

_indexes: dict[str, Knowledge] = {}


@dataclass(frozen=True)
class Hit:
    """An article found for a text; `score` is at most 1."""

    slug: str
    title: str
    score: float


def words(text: str) -> list[str]:
    """Words of a text in lower case, without the commonest English endings."""
    found = re.findall(r"[^\W_]+", text.lower())
    return [re.sub(r"(?:ing|ed|es|s|ly)$", "", w) if len(w) > 4 else w for w in found]


def _parts(article: Article) -> list[str]:
    steps = [f"{article.title}: {step}" for step in article.steps]
    whole = " ".join([article.title, article.summary, *article.steps, article.closing])
    return [whole, article.title, article.summary, *steps]


class Knowledge:
    """An index of articles.

    Parameters
    ----------
    articles : sequence of Article

    Attributes
    ----------
    articles : dict of str to Article
        By slug.
    key : str
        Hash of all that the index depends on.
    """

    def __init__(self, articles: Sequence[Article]) -> None:
        self.articles = {article.slug: article for article in articles}
        self.key = _key(articles)
        parts = [_parts(article) for article in articles]
        vectors = _stored_vectors(self.key, [text for group in parts for text in group])
        starts = np.cumsum([0] + [len(group) for group in parts])
        self._whole = vectors[starts[:-1]]
        self._single = np.delete(vectors, starts[:-1], axis=0)
        # The whole is taken out of every group, so group k begins k rows earlier.
        self._starts = starts[:-1] - np.arange(len(parts))
        self._titles = [article.title for article in articles]
        self._slugs = list(self.articles)
        self.categories = np.array([article.category for article in articles])
        # The title counts twice: what it names is what the article is about.
        self._count_words([words(f"{g[1]} {g[0]}") for g in parts])

    def _count_words(self, texts: list[list[str]]) -> None:
        """Postings of BM25: by word its rarity, the articles that hold it and its weight there."""
        n = len(texts)
        mean = max(sum(map(len, texts)) / n, 1.0)
        found: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for k, text in enumerate(texts):
            longer = _K1 * (1 - _B + _B * len(text) / mean)
            for word, count in Counter(text).items():
                found[word].append((k, count / (count + longer)))
        self._postings: dict[str, tuple[float, npt.NDArray[np.int64], Floats]] = {}
        for word, pairs in found.items():
            rarity = math.log(1 + (n - len(pairs) + 0.5) / (len(pairs) + 0.5))
            at, weight = zip(*pairs, strict=True)
            self._postings[word] = (rarity, np.array(at), rarity * np.array(weight))
        self._unknown = math.log(1 + (n + 0.5) / 0.5)

    def _word_scores(self, text: str) -> Floats:
        score, most = np.zeros(len(self._slugs)), 0.0
        for word in dict.fromkeys(words(text)):
            if word in self._postings:
                rarity, at, weight = self._postings[word]
                score[at] += weight
                most += rarity
            else:
                most += self._unknown
        return score / most if most else score

    def scores(self, texts: Sequence[str]) -> Floats:
        """Score of every article for every text, shape (len(texts), len(articles)).

        Columns are in the order of `articles`. A row depends on its own text only.
        """
        out = np.empty((len(texts), len(self._slugs)))
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            vectors = embed(block)
            single = np.maximum.reduceat(similarity(vectors, self._single), self._starts, axis=1)
            meaning = (similarity(vectors, self._whole) + single) / 2
            lexical = np.stack([self._word_scores(text) for text in block])
            out[start : start + _BLOCK] = meaning + lexical - meaning * lexical
        return out

    def retrieve(
        self, texts: Sequence[str], k: int, floor: float, prefer: Sequence[str] | None = None
    ) -> list[list[Hit]]:
        """The articles that fit each text, best first.

        Parameters
        ----------
        texts : sequence of str
        k : int
            At most so many articles a text.
        floor : float
            Articles with a lower score are left out.
        prefer : sequence of str, optional
            Category of each text: its articles come first where scores are close.
        """
        scores = self.scores(texts)
        rank = np.where(scores >= floor, scores, -np.inf)
        if prefer is not None:
            rank += PREFERENCE * (np.array(prefer)[:, None] == self.categories)
        best = np.argsort(-rank, axis=1, kind="stable")[:, :k]
        return [
            [
                Hit(self._slugs[a], self._titles[a], round(float(scores[row, a]), 6))
                for a in best[row]
                if scores[row, a] >= floor
            ]
            for row in range(len(texts))
        ]


def load_knowledge(folder: str | Path) -> Knowledge:
    """The index of a folder of articles, built once for the same content.

    Raises
    ------
    ScenarioError
        Naming every file that cannot be used, and why.
    """
    articles = load_articles(folder)
    key = _key(articles)
    if key not in _indexes:
        while len(_indexes) >= 8:
            _indexes.pop(next(iter(_indexes)))
        _indexes[key] = Knowledge(articles)
    return _indexes[key]


def _key(articles: Sequence[Article]) -> str:
    digest = hashlib.sha256(repr((INDEX_VERSION, EMBEDDING_VERSION)).encode())
    for article in articles:
        digest.update(repr(article).encode("utf-8", "replace"))
    return digest.hexdigest()


def _stored_vectors(key: str, texts: list[str]) -> Vectors:
    """Vectors of the parts, from the user's cache folder where it has them."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # Nobody's home.
        return embed(texts)
    path = base / "support-desk-twin" / f"index-{key[:32]}.npy"
    try:
        stored = np.load(path, allow_pickle=False)
        fits = stored.shape == (len(texts), DIMENSIONS) and stored.dtype == np.float32
        if fits and np.isfinite(stored).all():
            return np.asarray(stored)
    except (OSError, ValueError, EOFError):
        pass  # Not there, or broken: built anew.
    vectors = embed(texts)
    # A cache that cannot be written costs time only.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so that another process never reads half a file.
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, vectors)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    return vectors
