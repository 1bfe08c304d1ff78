"""Learning by example: rated answers go into the prompt, to follow or to avoid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from twin.assistant.knowledge.embedding import embed, similarity
from twin.assistant.learning.learning import (
    FEWEST_RATINGS,
    HELD_BACK,
    LIVE,
    NO_LOSS,
    ROLLED_BACK,
    SAME_QUESTION,
    Event,
    Guard,
    Lesson,
    Rated,
    Version,
    exploring,
    spend,
    worse,
)
from twin.scenario.model import Learning


@dataclass
class _Question:
    """Tickets alike that got the same answer, and their ratings."""

    category: int
    ticket: str
    answer: str
    ratings: list[int] = field(default_factory=list)


class Examples:
    """Rated answers become examples in the prompt, to follow or to avoid."""

    def __init__(self, settings: Learning, guard: Guard) -> None:
        self._settings = settings
        self._guard = guard
        self._template = settings.versions[0]
        self.versions = [Version(self._template, self._template)]
        self._live, self._before = 0, 0
        self._questions: dict[tuple[int, str], list[_Question]] = {}
        self._known: dict[tuple[int, str, str], _Question] = {}
        self._compared: dict[int, list[int]] = {}
        self._rejected: set[Lesson] = set()
        self._looks = 0

    def choose(self, category: int, u: float, draws: Callable[[int], float]) -> tuple[int, bool]:
        """See `Learner.choose`."""
        if self._live == self._before:
            return self._live, False
        explored = exploring(self._settings.explore, u, 2)
        if explored is None:
            return self._live, False
        return (self._live, self._before)[explored], True

    def rated(self, rated: Rated) -> None:
        """See `Learner.rated`."""
        if rated.explored:
            self._compared.setdefault(rated.version, []).append(rated.rating)
        self._question(rated).ratings.append(rated.rating)

    def _question(self, rated: Rated) -> _Question:
        """Question that the rating counts for: one that this ticket asks again, or a new one."""
        exact = (rated.category, rated.ticket, rated.answer)
        if exact not in self._known:
            asked = self._questions.setdefault((rated.category, rated.answer), [])
            alike = similarity(embed([rated.ticket]), embed([q.ticket for q in asked]))[0]
            near = int(np.argmax(alike)) if len(alike) else -1
            if near >= 0 and alike[near] >= SAME_QUESTION:
                self._known[exact] = asked[near]
            else:
                asked.append(_Question(*exact))
                self._known[exact] = asked[-1]
        return self._known[exact]

    def look(self) -> list[Event]:
        """See `Learner.look`."""
        self._looks += 1
        level = spend(self._settings.error_rate, self._looks) / 2
        events = []
        if self._live != self._before:
            live, before = (self._compared.get(k, []) for k in (self._live, self._before))
            if (p := worse(live, before)) < level:
                old = set(self.versions[self._before].lessons)
                self._rejected |= set(self.versions[self._live].lessons) - old
                events.append(Event(-1, self._live, ROLLED_BACK, p))
                self._live = self._before
        lessons, p = self._lessons(level)
        current = self.versions[self._live]
        new = [lesson for lesson in lessons if lesson not in current.lessons]
        if new:
            name = f"{self._template}+{len(self.versions)}"
            candidate = Version(name, self._template, (*current.lessons, *new))
            self.versions.append(candidate)
            number = len(self.versions) - 1
            if self._guard(current, candidate) < -NO_LOSS:
                self._rejected |= set(new)
                events.append(Event(-1, number, HELD_BACK, p))
            else:
                self._before, self._live = self._live, number
                self._compared.clear()
                events.append(Event(-1, number, LIVE, p))
        return events

    def _lessons(self, level: float) -> tuple[list[Lesson], float]:
        """Lessons from ratings at an error rate, by Benjamini and Hochberg (1995); largest p used.

        Each question's ratings are tested against all others of its category, both ways. Where
        ratings say nothing at all, the chance of any lesson is at most `level`.
        """
        asked = [q for questions in self._questions.values() for q in questions]
        tests: list[tuple[float, Lesson]] = []
        for category in sorted({q.category for q in asked}):
            mine = [q for q in asked if q.category == category]
            for question in mine:
                if len(question.ratings) < FEWEST_RATINGS:
                    continue
                rest = [r for q in mine if q is not question for r in q.ratings]
                for good in (False, True):
                    pair = (rest, question.ratings) if good else (question.ratings, rest)
                    lesson = Lesson(category, question.ticket, question.answer, good)
                    tests.append((worse(*pair), lesson))
        tests.sort(key=lambda test: test[0])
        last = 0
        for rank, (p, _) in enumerate(tests, start=1):
            if p <= level * rank / len(tests):
                last = rank
        kept = [lesson for _, lesson in tests[:last] if lesson not in self._rejected]
        return kept, tests[last - 1][0] if last else 1.0
