"""Marks of an answer against the claims of an article: what it covers, what it contradicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.assistant.judging.amounts import MANY, Number
from twin.assistant.judging.claims import NUMBER, Bools, Sheet
from twin.assistant.judging.reading import Statement, says_yes, statements, turned
from twin.assistant.protocol import Floats

Ints = npt.NDArray[np.int64]

# All chosen on the first half of tests/data/rated_answers.csv.
# How steeply need grows with likeness of fact and ticket, and what a fact that is not marked as
# main is worth beside one that is.
_STEEP, _MINOR = 5.0, 0.6
# Share of what is needed that an answer must say for full quality: a brief one says little else.
_ENOUGH = 0.4
# What the ticket says already counts towards a fact, but less than what the answer says.
_GIVEN, _GIVEN_WRONG, _DENIAL = 0.8, 0.5, 0.3
# A fact is covered from this share of its words on, and fully so much further on.
_SAID, _FURTHER = 0.2, 0.55
# Any fact of the right article is worth this much.
_ANY = 0.35
# What is told beyond the need costs so much of the quality where all facts are told.
_LONG = 0.3
# A statement contradicts a claim that it is so like, and likelier than any that it agrees with.
_CONTRADICTS, _CLEARLY, _SURE = 0.5, 0.1, 0.2
_OWN, _OWN_WRONG = 0.34, 0.5
_DENIED, _DENIED_WRONG, _PLAINLY = 0.3, 0.12, 0.25
_WITHIN = 0.8
# A statement has nearly the words of a claim; a word that is the same, but denied.
_NEARLY, _PLAIN = 0.8, 0.95
# What a contradiction takes away; of that an invented number, a wrong order, a lost condition.
_SINK, _INVENTED, _DISORDER, _LOOSE = 0.9, 0.7, 0.8, 0.8
# Statements that are so like their steps have an order.
_IN_ORDER = 0.6
_ASKS = re.compile(
    r"\b((?:can|may|do|does|did|is|are|should|shall|will|would|must|could|have|has)\b[^?.!]*)\?",
    re.I,
)


@dataclass(frozen=True)
class Asked:
    """A ticket as an article sees it.

    Attributes
    ----------
    given : array of float, shape (columns,)
        Likeness of each word of the claims with a word of the ticket.
    need : array of float, shape (facts,)
        Share of each fact in what the ticket needs; sums to 1.
    numbers : tuple of Number
    """

    given: Floats
    need: Floats
    numbers: tuple[Number, ...]


def asked(sheet: Sheet, ticket: str) -> Asked:
    """The facts that a ticket needs: those that are like it, and those that most need."""
    said = statements(ticket)
    prior = np.where(sheet.main, 1.0, _MINOR)
    if not said:
        return Asked(np.zeros(len(sheet.weight)), prior / prior.sum(), ())
    rows, weights, _ = sheet.rows(said)
    given = rows.max(axis=0)
    by_claim = np.maximum.reduceat(rows, sheet.start, axis=1)
    # A word that most facts of the article share does not tell which of them is needed.
    n = len(sheet.facts)
    by_fact = np.zeros((len(weights), n))
    own = sheet.fact >= 0
    for claim in np.flatnonzero(own):
        fact = sheet.fact[claim]
        by_fact[:, fact] = np.maximum(by_fact[:, fact], by_claim[:, claim])
    shared = (by_fact >= 0.5).sum(axis=1)
    weights = weights * np.clip(np.log((n + 1) / (shared + 0.5)) / np.log(n + 1), 0.05, 1.0)
    words = np.add.reduceat(sheet.weight, sheet.start)
    of_claim = np.add.reduceat(given * sheet.weight, sheet.start) / np.maximum(words, 1e-9)
    of_ticket = by_claim.T @ weights / max(float(weights.sum()), 1e-9)
    like = _mean(of_claim, of_ticket) * np.where(sheet.right, 1.0, 0.9)
    best = np.zeros(n)
    np.maximum.at(best, sheet.fact[own], like[own])
    need = prior * np.exp(_STEEP * best)
    numbers = tuple(number for one in said for number in one.numbers)
    return Asked(given, need / need.sum(), numbers)


def _mean(a: Floats, b: Floats) -> Floats:
    """Harmonic mean, 0 where both are."""
    mean: Floats = 2 * a * b / np.maximum(a + b, 1e-9)
    return mean


def mark(sheet: Sheet, ticket: str, about: Asked, answer: str) -> float:
    """Quality of an answer to a ticket, 0 to 1.

    What it says of the facts that the ticket needs, less what it contradicts.
    """
    said = statements(answer)
    yes = says_yes(answer)
    if not said and yes:
        # "No." says what the question asks, denied.
        found = _ASKS.findall(ticket)
        said = turned(statements(found[-1]), yes) if found else []
        about = Asked(np.zeros_like(about.given), about.need, about.numbers)
    if not said or not len(sheet.forms):
        return 0.0
    held = _Held(sheet, about, said)
    covered = held.covered()
    quality = max(float(about.need @ covered) / _ENOUGH, _ANY * float(covered.max()))
    needed = max(1 / float((about.need**2).sum()), 2.0)
    beyond = max(float(covered.sum()) - needed, 0.0) / len(covered)
    quality = min(quality, 1.0) * (1 - _LONG * beyond)
    return quality * (1 - held.contradicted())


class _Held:
    """Statements held against all claims: arrays of shape (statements, claims or columns)."""

    def __init__(self, sheet: Sheet, about: Asked, said: Sequence[Statement]) -> None:
        self.sheet, self.about, self.said = sheet, about, said
        rows, weights, signs = sheet.rows(said)
        sizes = [max(len(one.words), 1) for one in said]
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        product = signs[:, None] * sheet.sign[None, :]
        same = np.where(product > 0, rows, 0.0)
        denied = rows - same
        # By word and claim: a word agrees where it agrees better than it is denied.
        agrees = np.maximum.reduceat(same, sheet.start, axis=1)
        denies = np.maximum.reduceat(denied, sheet.start, axis=1)
        denies = np.where(denies > agrees, denies, 0.0)
        agrees = np.where(denies > 0, 0.0, agrees)
        self.agreed = np.add.reduceat(weights[:, None] * agrees, first, axis=0)
        self.denied = np.add.reduceat(weights[:, None] * denies, first, axis=0)
        self.plainly_agreed = np.add.reduceat(agrees, first, axis=0)
        self.plainly_denied = np.add.reduceat(denies, first, axis=0)
        self.words = np.add.reduceat(weights, first)
        self.same = np.maximum.reduceat(same, first, axis=0)
        self.opposite = np.maximum.reduceat(denied, first, axis=0)
        self._count()

    def _count(self) -> None:
        """Numbers of the statements that claims hold, or hold another one of."""
        shape = len(self.said), len(self.sheet.claims)
        self.held, self.other = np.zeros(shape), np.zeros(shape)
        self.missed = np.zeros(shape, dtype=bool)
        self.known = np.ones(len(self.said), dtype=bool)
        self.invented = np.zeros(len(self.said), dtype=bool)
        for k, one in enumerate(self.said):
            for number in one.numbers:
                holds, differs = self.sheet.number(number)
                self.held[k] += NUMBER * holds
                self.other[k] += NUMBER * differs
                self.missed[k] |= differs
                known = bool((holds & self.sheet.right).any())
                self.known[k] &= known
                given = any(number.like(other) for other in self.about.numbers)
                made = bool(number.of) and number.count != MANY
                self.invented[k] |= made and not known and not given
        counted = np.array([len(one.numbers) for one in self.said], dtype=float)
        self.size = np.maximum(self.words + NUMBER * counted, 1e-6)

    def _share(self, columns: Floats, numbers: Floats) -> Floats:
        """Share of each claim that is there."""
        sheet = self.sheet
        there = np.add.reduceat(columns * sheet.weight, sheet.start, axis=1) + numbers
        share: Floats = np.minimum(there / sheet.total, 1.0)
        return share

    def contradicted(self) -> float:
        """Share that contradictions take away, 0 to 1."""
        sheet, given = self.sheet, self.about.given
        either = np.maximum(self.same, self.opposite)
        size = self.size[:, None]
        of_said = (self.agreed + self.held) / size
        of_said_either = (self.agreed + self.denied + self.held + self.other) / size
        matched = self.agreed + self.denied
        denied = self.denied / np.maximum(matched, 1e-6)
        words = np.maximum(self.words, 1e-6)[:, None]
        apart = (self.other > 0) & (self.held == 0)
        plainly = self.plainly_denied / np.maximum(self.plainly_denied + self.plainly_agreed, 1e-6)
        opposed = ((denied > _DENIED) & (self.denied > 0.2)) | (plainly >= _PLAINLY)
        # What repeats a claim nearly word for word is held against each of its numbers and denials.
        nearly = self._nearly(either)
        opposed |= nearly & (self.plainly_denied >= _PLAIN)
        apart |= nearly & self.missed
        # Another number contradicts where the article does not know it, or all words agree.
        close = self.agreed / words
        unknown = ~self.known[:, None]
        miscounted = apart & (
            (unknown & ((close > 0.2) | (words < 0.3)))
            | ((close > 0.7) & self._leads(either))
            | nearly
        )

        about = self._leads(np.maximum(either, given))
        agree = np.where(
            opposed | apart,
            0.0,
            _mean(of_said, self._share(np.maximum(self.same, _GIVEN * given), self.held)),
        )
        deny = np.where(
            about & (opposed | miscounted) & (self._share(either, self.held + self.other) > _OWN),
            _mean(
                of_said_either,
                self._share(np.maximum(either, _GIVEN * given), self.held + self.other),
            ),
            0.0,
        )
        repeat = np.where(
            about
            & (denied < _DENIED_WRONG)
            & ~apart
            & (self._share(self.same, self.held) > _OWN_WRONG),
            _mean(of_said, self._share(np.maximum(self.same, _GIVEN_WRONG * given), self.held)),
            0.0,
        )
        right = np.where(sheet.right, agree, 0.0)
        # All of it stands in a claim, which says more.
        within = np.where(sheet.right & ~opposed & ~apart, _WITHIN * of_said, 0.0)
        best = np.maximum(right, within).max(axis=1)
        worst = np.where(sheet.right, deny, repeat).max(axis=1)
        clear = (worst >= _CONTRADICTS) & (worst > best + _CLEARLY)
        sink = np.where(clear, np.minimum((worst - best) / _SURE, 1.0), 0.0)
        sink = np.maximum(sink, np.where(self._told_wrong() & (best < 0.95), 1.0, 0.0))
        loose = ~np.array([one.bound for one in self.said])[:, None] & sheet.only
        sink = np.maximum(
            sink,
            np.where((loose & (right > 0.6) & (right >= best[:, None])).any(axis=1), _LOOSE, 0.0),
        )
        sink = np.maximum(sink, np.where(self.invented & (best < 0.8), _INVENTED, 0.0))
        if self._disorder(right):
            sink = np.maximum(sink, _DISORDER)
        return _SINK * float(sink.max())

    def _nearly(self, either: Floats) -> Bools:
        """True if nearly all words of a statement and of a claim are the same, but for signs."""
        sheet = self.sheet
        words = sheet.total - NUMBER * sheet.counted
        there = np.add.reduceat(either * sheet.weight, sheet.start, axis=1)
        of_claim = there >= _NEARLY * np.maximum(words, 1e-6)
        of_said = self.agreed + self.denied >= _NEARLY * np.maximum(self.words, 1e-6)[:, None]
        return np.asarray(of_claim & of_said & (words > 0), dtype=bool)

    def _leads(self, there: Floats) -> Bools:
        """True if a statement has the rarest words of a claim."""
        sheet = self.sheet
        leads = sheet.leading & (there >= 0.4)
        first: Bools = np.maximum.reduceat(leads, sheet.start, axis=1)
        return np.logical_or(first, sheet.wordless)

    def _told_wrong(self) -> Bools:
        """Statements that hold a contradiction whole, with the words that no right claim has."""
        sheet = self.sheet
        telling = np.add.reduceat(self.same * sheet.telling, sheet.start, axis=1)
        has = sheet.tells > 0
        told = has & (telling >= 0.8 * sheet.tells)
        whole = self._share(self.same, self.held) >= 0.7
        return np.asarray((told & whole).any(axis=1), dtype=bool)

    def _disorder(self, right: Floats) -> bool:
        """True if a step is said to follow one that comes after it in the article."""
        sheet = self.sheet
        steps = np.where(sheet.step >= 0, right, 0.0)
        last = -1
        for one, row in zip(self.said, steps, strict=True):
            most = float(row.max())
            if most < _IN_ORDER:
                continue
            # Steps that it is as good as alike: the order that does no wrong counts.
            alike = sheet.step[row >= most - 0.1]
            if one.follows and int(alike.max()) < last:
                return True
            last = int(alike.min())
        return False

    def covered(self) -> Floats:
        """Share of each fact that is said, 0 to 1: in one sentence or in two in a row."""
        sheet = self.sheet
        sentence = np.array([one.sentence for one in self.said])
        first = np.flatnonzero(np.diff(sentence, prepend=-1))
        same = self._windows(np.maximum.reduceat(self.same[:, : sheet.formed], first, axis=0))
        against = self._windows(
            np.maximum.reduceat(self.opposite[:, : sheet.formed], first, axis=0)
        )
        there = np.where(against > same, 0.0, same)
        weight = sheet.weight[: sheet.formed]
        given = _GIVEN * self.about.given[: sheet.formed]
        counted = NUMBER * sheet.counted[: sheet.n_formed]
        numbers = np.add.reduceat(self.held[:, : sheet.n_formed], first, axis=0)
        numbers = np.minimum(self._windows(numbers, added=True), counted)
        # What a ticket asks about is not yet denied.
        fresh = weight * (1 - np.where(sheet.sign[: sheet.formed] < 0, _DENIAL, 1.0) * given)
        both, new = np.maximum(there, given) * weight, there * fresh
        best = np.zeros(len(sheet.facts))
        # A fact is said by all of one of its wordings, or by a clause that is much of one.
        for first_column, first_claim, fact, worth in (
            (sheet.forms, sheet.form_claims, sheet.form_fact, 1.0),
            (
                sheet.start[: sheet.n_formed],
                np.arange(sheet.n_formed),
                sheet.fact[: sheet.n_formed],
                sheet.worth,
            ),
        ):
            counted_here = np.add.reduceat(numbers, first_claim, axis=1)
            most = np.add.reduceat(counted, first_claim)
            share = np.sqrt(
                _part(both, weight, first_column, counted_here, most)
                * _part(new, fresh, first_column, counted_here, most)
            )
            value = np.clip((share - _SAID) / _FURTHER, 0.0, 1.0).max(axis=0) * worth
            np.maximum.at(best, fact, value)
        return best

    @staticmethod
    def _windows(rows: Floats, added: bool = False) -> Floats:
        """Rows of sentences, and of each sentence with the next."""
        join = np.add if added else np.maximum
        return np.concatenate([rows, join(rows[:-1], rows[1:])])


def _part(there: Floats, most: Floats, first: Ints, numbers: Floats, all_numbers: Floats) -> Floats:
    """Share of words and numbers that are there, by groups of columns."""
    found = np.add.reduceat(there, first, axis=1) + numbers
    part: Floats = found / np.maximum(np.add.reduceat(most, first) + all_numbers, 1e-6)
    return part
