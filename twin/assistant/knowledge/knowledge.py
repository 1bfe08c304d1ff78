"""Retrieval: index the articles of a folder, find those that fit a ticket.

An article's score joins a similarity of meaning, m, and one of words, w, as m + w - m w: high where
either is, and at most 1. Meaning is the mean of four similarities of the ticket's embedding: with
the whole article, with its best single part (one vector blurs an article, single parts alone lose
what they are about), with its best phrase and with the mean of its phrases. Phrases are the problem
in customers' words, where an article brings them: most tickets share few words with the articles.
Words are BM25 as a share of what the ticket's words could reach at most; it finds the names that
embeddings blur. `twin rag` measures it.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from twin.assistant.knowledge.article import Article
from twin.assistant.knowledge.articles import load_articles
from twin.assistant.knowledge.embedding import (
    EMBEDDING_VERSION,
    Vectors,
    embed,
    similarity,
    stored_vectors,
)
from twin.scenario.sections.assistant import Assistant

Floats = npt.NDArray[np.float64]

# Part of the key of stored indexes: change it with the way articles are cut into parts.
INDEX_VERSION = "2"
# Added to the score of articles of the preferred category, for their order only. Chosen on the
# train tickets of the shipped corpus; more gains little and follows a wrong category further.
PREFERENCE = 0.2
_BLOCK = 512
_K1, _B = 1.2, 0.75

_indexes: dict[str, Knowledge] = {}
# What the articles of a folder looked like when they were read (bad ones left out or not), and the
# key of their index.
_Look = dict[str, tuple[int, int, int, int]]
_seen: dict[tuple[Path, bool], tuple[_Look, str]] = {}
# A file system may give two changes the same time that come closer than this.
_SETTLED_NS = 2_000_000_000


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


def _whole(article: Article) -> str:
    return " ".join([article.title, article.summary, *article.steps, article.closing])


def _parts(article: Article) -> list[str]:
    steps = [f"{article.title}: {step}" for step in article.steps]
    return [article.title, article.summary, *steps]


class _Groups:
    """Vectors of the texts of each article, at least one each."""

    def __init__(self, groups: Sequence[Vectors]) -> None:
        self._vectors = np.concatenate(groups)
        self._starts = np.cumsum([0, *map(len, groups[:-1])])

    def best(self, vectors: Vectors) -> Vectors:
        """Similarity of each vector with the most similar text of each article."""
        found: Vectors = np.maximum.reduceat(
            similarity(vectors, self._vectors), self._starts, axis=1
        )
        return found


def _mean(vectors: Vectors) -> Vectors:
    """Direction of the mean of unit vectors; 0 where there is none."""
    mean: Vectors = vectors.mean(axis=0)
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0 else mean


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
        wholes = [_whole(article) for article in articles]
        parts = [_parts(article) for article in articles]
        # An article without phrases is its own phrases: its score is that of the first two alone.
        phrases = [list(article.phrases) for article in articles]
        texts = [*wholes, *(text for group in (*parts, *phrases) for text in group)]
        vectors = stored_vectors("index", self.key, texts, embed)
        n = len(articles)
        ends = np.cumsum([n, *map(len, parts), *map(len, phrases)])
        groups = np.split(vectors, ends[:-1])
        self._whole = groups[0]
        self._parts = _Groups(groups[1 : n + 1])
        said = [
            own if len(own) else part
            for part, own in zip(groups[1 : n + 1], groups[n + 1 :], strict=True)
        ]
        self._phrases = _Groups(said)
        self._said = np.stack(
            [
                _mean(own) if len(own) else whole
                for own, whole in zip(groups[n + 1 :], groups[0], strict=True)
            ]
        )
        self._titles = [article.title for article in articles]
        self._slugs = list(self.articles)
        self.categories = np.array([article.category for article in articles])
        # The title counts twice: what it names is what the article is about.
        self._count_words(
            [
                words(" ".join([article.title, whole, *article.phrases]))
                for article, whole in zip(articles, wholes, strict=True)
            ]
        )

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

    def parts(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Similarity of meaning and of words, each of shape (len(texts), len(articles))."""
        meaning = np.empty((len(texts), len(self._slugs)))
        lexical = np.empty_like(meaning)
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            vectors = embed(block)
            meaning[start : start + _BLOCK] = (
                similarity(vectors, self._whole)
                + self._parts.best(vectors)
                + self._phrases.best(vectors)
                + similarity(vectors, self._said)
            ) / 4
            lexical[start : start + _BLOCK] = [self._word_scores(text) for text in block]
        return meaning, lexical

    def scores(self, texts: Sequence[str]) -> Floats:
        """Score of every article for every text, shape (len(texts), len(articles)).

        Columns are in the order of `articles`. A row depends on its own text only.
        """
        meaning, lexical = self.parts(texts)
        return meaning + lexical - meaning * lexical

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


def load_knowledge(folder: str | Path, skip_bad: bool = False) -> Knowledge:
    """The index of a folder of articles, built once for the same content; see `load_articles`.

    The files are read again where one looks as if it had changed.

    Raises
    ------
    ScenarioError
        Naming every file that cannot be used, and why.
    """
    path = Path(folder).absolute()
    look = _look(path)
    known, key = _seen.get((path, skip_bad), (None, ""))
    if look is not None and look == known and key in _indexes:
        return _indexes[key]
    articles = load_articles(folder, skip_bad)
    key = _key(articles)
    if key not in _indexes:
        while len(_indexes) >= 8:
            _indexes.pop(next(iter(_indexes)))
        _indexes[key] = Knowledge(articles)
    # What changed while it was read is read again.
    if look is not None and look == _look(path):
        while len(_seen) >= 8:
            _seen.pop(next(iter(_seen)))
        _seen[path, skip_bad] = (look, key)
    return _indexes[key]


def _look(folder: Path) -> _Look | None:
    """Names of a folder's articles, with their times, sizes and numbers.

    None where one changed so lately that a further change might not show in its time.
    """
    try:
        with os.scandir(folder) as entries:
            files = [(one.name, one.stat()) for one in entries if one.name.endswith(".md")]
    except OSError:
        return None
    lately = time.time_ns() - _SETTLED_NS
    if any(it.st_mtime_ns > lately or it.st_ctime_ns > lately for _, it in files):
        return None
    return {name: (it.st_mtime_ns, it.st_ctime_ns, it.st_size, it.st_ino) for name, it in files}


def knowledge_of(settings: Assistant) -> Knowledge | None:
    """The index of the articles that an assistant has, if it has any.

    Raises
    ------
    ScenarioError
        As `load_knowledge`.
    """
    if settings.knowledge is None:
        return None
    return load_knowledge(settings.knowledge, settings.skip_bad_articles)


def _key(articles: Sequence[Article]) -> str:
    digest = hashlib.sha256(repr((INDEX_VERSION, EMBEDDING_VERSION)).encode())
    for article in articles:
        digest.update(repr(article).encode("utf-8", "replace"))
    return digest.hexdigest()
