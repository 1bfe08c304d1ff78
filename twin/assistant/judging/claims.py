"""The claims of an article, laid out so that an answer is held against all of them at once.

Words are compared by their stems and, where these differ, by their vectors; a word that few
articles use weighs more. A claim is a statement (`reading.Statement`) of a fact, of what
contradicts a fact, or of the article's own text.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from twin.assistant.judging.amounts import Number
from twin.assistant.judging.reading import Statement, statements
from twin.assistant.knowledge.article import Article, Fact
from twin.assistant.knowledge.embedding import embed
from twin.assistant.protocol import Floats

Bools = npt.NDArray[np.bool_]

# Vectors of two words at least so alike mean about the same; less counts nothing.
_ALIKE = 0.4
# A like word counts less than the same one.
_LIKE = 0.9
# Weight of a word that every article has, and how fast weight grows with rarity.
_LEAST, _POWER = 0.15, 2.0
# A number weighs as much as a rather rare word.
NUMBER = 0.8
_NONE = ""


def facts_of(article: Article) -> tuple[Fact, ...]:
    """Facts of an article: as its author wrote them, else its own steps and last note."""
    if article.facts:
        return article.facts
    steps = [Fact((step,), (), True) for step in article.steps]
    return (*steps, *([Fact((article.closing,))] if article.closing else []))


def told(article: Article) -> tuple[str, ...]:
    """Texts of an article that claim something."""
    return (article.title, *article.steps, article.closing, article.summary)


class Rarity:
    """Weight of a word by how few of the articles use it."""

    def __init__(self, articles: Iterable[Article]) -> None:
        self._found: Counter[str] = Counter()
        self._size = 0
        for article in articles:
            self._size += 1
            said = [one for text in told(article) for one in statements(text)]
            self._found.update({stem for one in said for stem in one.stems})
        self._known: dict[str, float] = {}

    def of(self, stem: str) -> float:
        """Weight of a stem, about 0.15 to 1.7."""
        if stem not in self._known:
            most = math.log((self._size + 1) / 1.5)
            rare = (
                math.log((self._size + 1) / (self._found[stem] + 0.5)) / most if most > 0 else 1.0
            )
            self._known[stem] = _LEAST + max(rare, 0.0) ** _POWER
        return self._known[stem]


class Sheet:
    """Claims of one article, as columns of words.

    Attributes
    ----------
    facts : tuple of Fact
    right : array of bool, shape (claims,)
        False where a claim contradicts a fact.
    fact : array of int, shape (claims,)
        The fact of each claim; -1 for the article's own text.
    step : array of int, shape (claims,)
        The step it stands in; -1 elsewhere.
    start, total : arrays, shape (claims,)
        First column, and weight of all words and numbers.
    weight, sign : arrays, shape (columns,)
    forms, form_fact : arrays, shape (forms,)
        First column of each wording of a fact, and which fact that is. Columns of wordings stand
        first: `formed` of them.
    """

    def __init__(self, article: Article, rarity: Rarity) -> None:
        self._rarity = rarity
        self.facts = facts_of(article)
        claims: list[Statement] = []
        of: list[tuple[bool, int, int]] = []
        forms: list[tuple[int, int]] = []
        for k, fact in enumerate(self.facts):
            for text in fact.says:
                found = statements(text)
                if found:
                    forms.append((len(claims), k))
                claims += found
                of += [(True, k, -1)] * len(found)
        n_formed = len(claims)
        for k, fact in enumerate(self.facts):
            for text in fact.wrong:
                found = statements(text)
                claims += found
                of += [(False, k, -1)] * len(found)
        for k, text in enumerate((*article.steps, article.title, article.closing, article.summary)):
            found = statements(text)
            claims += found
            of += [(True, -1, k if k < len(article.steps) else -1)] * len(found)
        self.claims = claims
        self.right = np.array([right for right, _, _ in of], dtype=bool)
        self.fact = np.array([fact for _, fact, _ in of], dtype=np.int64)
        self.step = np.array([step for _, _, step in of], dtype=np.int64)
        self._lay_out(claims)
        self.formed = int(self.start[n_formed]) if n_formed < len(claims) else len(self.weight)
        self.forms = np.array([self.start[claim] for claim, _ in forms], dtype=np.int64)
        self.form_claims = np.array([claim for claim, _ in forms], dtype=np.int64)
        self.form_fact = np.array([fact for _, fact in forms], dtype=np.int64)
        self.n_formed = n_formed
        # What a clause alone is worth of the fact: most where it is most of the wording.
        of_form = np.add.reduceat(self.total[:n_formed], self.form_claims) if forms else np.zeros(0)
        sizes = np.diff(np.append(self.form_claims, n_formed))
        part = self.total[:n_formed] / np.repeat(of_form, sizes)
        self.worth = np.minimum(0.4 + part, 0.9)
        self.main = np.array([fact.main for fact in self.facts], dtype=bool)
        self.only = np.array([one.only for one in claims], dtype=bool) & self.right
        self._rows: dict[tuple[str, str], Floats] = {}
        self._numbers: dict[Number, tuple[Bools, Bools]] = {}
        self._find_telling()

    def _lay_out(self, claims: Sequence[Statement]) -> None:
        stems: list[str] = []
        signs: list[int] = []
        starts: list[int] = []
        first: dict[str, str] = {}
        for one in claims:
            starts.append(len(stems))
            stems += one.stems or (_NONE,)
            signs += one.signs or (1,)
            for stem, word in zip(one.stems, one.words, strict=True):
                first.setdefault(stem, word)
        first[_NONE] = ""
        self._stems = list(first)
        place = {stem: k for k, stem in enumerate(self._stems)}
        self._at = np.array([place[stem] for stem in stems], dtype=np.int64)
        self._vectors = embed([first[stem] for stem in self._stems])
        self.sign = np.array(signs, dtype=np.int64)
        self.start = np.array(starts, dtype=np.int64)
        self.weight = np.array([self._rarity.of(stem) if stem else 0.0 for stem in stems])
        self.counted = np.array([len(one.numbers) for one in claims], dtype=float)
        self.total = np.add.reduceat(self.weight, self.start) + NUMBER * self.counted
        self.total = np.maximum(self.total, 1e-6)
        sizes = np.diff(np.append(self.start, len(stems)))
        # The rarest words of a claim: without them a text is not about it.
        most = np.repeat(np.maximum.reduceat(self.weight, self.start), sizes)
        self.leading = (self.weight >= 0.9 * most) & (most > 0)
        self.wordless = np.maximum.reduceat(self.weight, self.start) <= 0

    def _find_telling(self) -> None:
        """Weights of the words of contradictions that no right claim says."""
        self.telling = np.zeros(len(self.weight))
        wrong = [k for k, right in enumerate(self.right) if not right]
        if wrong:
            rows, _, signs = self.rows([self.claims[k] for k in wrong])
            right = np.repeat(self.right, np.diff(np.append(self.start, len(self.weight))))
            same = (signs[:, None] * self.sign[None, :] > 0) & right
            known = np.where(same, rows, 0.0).max(axis=1)
            at = 0
            for k in wrong:
                size = max(len(self.claims[k].words), 1)
                here = slice(self.start[k], self.start[k] + size)
                self.telling[here] = self.weight[here] * (known[at : at + size] < _ALIKE)
                at += size
        self.tells = np.add.reduceat(self.telling, self.start)

    def row(self, word: str, stem: str) -> Floats:
        """Likeness of a word with the word of each column, 0 to 1."""
        key = word, stem
        if key not in self._rows:
            if len(self._rows) >= 5_000:
                self._rows.clear()
            alike = (self._vectors @ embed([word])[0]).astype(float)
            like = np.clip((alike - _ALIKE) / (1 - _ALIKE), 0.0, 1.0) * _LIKE
            for k, known in enumerate(self._stems):
                if known == stem:
                    like[k] = 1.0
            like[self._stems.index(_NONE)] = 0.0
            self._rows[key] = like[self._at]
        return self._rows[key]

    def rows(self, said: Sequence[Statement]) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
        """Rows, weights and signs of all words of statements; one of none has a row of 0."""
        rows, weights, signs = [], [], []
        nothing = np.zeros(len(self.weight))
        for one in said:
            for word, stem, sign in zip(one.words, one.stems, one.signs, strict=True):
                rows.append(self.row(word, stem))
                weights.append(self._rarity.of(stem))
                signs.append(sign)
            if not one.words:
                rows.append(nothing)
                weights.append(0.0)
                signs.append(1)
        return np.stack(rows), np.array(weights), np.array(signs, dtype=np.int64)

    def number(self, number: Number) -> tuple[Bools, Bools]:
        """Claims that hold a number, and those that hold another one of what it counts."""
        if number not in self._numbers:
            if len(self._numbers) >= 5_000:
                self._numbers.clear()
            same = [any(number.like(other) for other in one.numbers) for one in self.claims]
            kind = [any(number.of == other.of for other in one.numbers) for one in self.claims]
            holds = np.array(same, dtype=bool)
            self._numbers[number] = holds, np.array(kind, dtype=bool) & ~holds
        return self._numbers[number]
