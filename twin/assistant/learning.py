"""Feedback that improves answers: from ratings to better prompts, with a stated error rate.

Two ways, chosen by the scenario. `examples`: answers that customers rate worse (or better) than the
rest of their category, on tickets alike, become what to avoid (or follow) in the prompt. `bandit`:
prompt versions compete in each category by Thompson sampling (Thompson 1933, Biometrika 25) on the
share of good ratings.

What makes it trustworthy is the same for both. A share of the tickets (`explore`) is answered by a
version drawn at random, whatever has been learned, and only these ratings compare versions; they
are looked at at fixed times, look k spending alpha / (k (k + 1)) of the error rate, which sums to
alpha. So where ratings say nothing, anything is promoted in at most a share alpha of runs. A
version must also lose nothing on held-out tickets, and is rolled back when its ratings fall.

Nothing here knows of simulated time: `look` is called by whoever keeps the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy import special, stats

from twin.assistant import prompts
from twin.assistant.embedding import embed, similarity
from twin.assistant.protocol import Floats, Guidance
from twin.scenario import Learning

GOOD_RATING = 4
# Tickets so similar count as the same question.
SAME_QUESTION = 0.75
# Fewer ratings than this say nothing about an answer, whatever the test says.
_FEWEST_RATINGS = 4
# A held-out loss below this share of quality is no loss.
_NO_LOSS = 0.005

EVENTS = ("held back", "live", "promoted", "rolled back")
HELD_BACK, LIVE, PROMOTED, ROLLED_BACK = range(len(EVENTS))


@dataclass(frozen=True)
class Lesson:
    """An answer to follow or to avoid for tickets like one in a category."""

    category: int
    ticket: str
    answer: str
    good: bool


@dataclass(frozen=True)
class Version:
    """What is asked with: a template and the lessons that go into it.

    Attributes
    ----------
    name : str
        As recorded on each call.
    template : str
        Version of the templates in `twin.assistant.prompts`.
    lessons : tuple of Lesson
    """

    name: str
    template: str = prompts.PROMPT_VERSION
    lessons: tuple[Lesson, ...] = ()

    def guidance(self, texts: Sequence[str], category: Sequence[int], most: int) -> list[Guidance]:
        """The lessons that fit each ticket, at most `most` to follow and as many to avoid."""
        if not self.lessons:
            return [Guidance()] * len(texts)
        alike = similarity(embed(texts), embed([lesson.ticket for lesson in self.lessons]))
        found = []
        for row, code in zip(alike, category, strict=True):
            near = [
                self.lessons[k]
                for k in np.argsort(-row, kind="stable")
                if row[k] >= SAME_QUESTION and self.lessons[k].category == code
            ]
            good = [(lesson.ticket, lesson.answer) for lesson in near if lesson.good]
            bad = [(lesson.ticket, lesson.answer) for lesson in near if not lesson.good]
            found.append(Guidance(tuple(good[:most]), tuple(bad[:most])))
        return found


@dataclass(frozen=True)
class Rated:
    """A rating and what it is about; `explored` where the version was drawn at random."""

    category: int
    version: int
    explored: bool
    ticket: str
    answer: str
    rating: int


@dataclass(frozen=True)
class Event:
    """Something that happened to a version: index into `EVENTS`, and the evidence (a p-value).

    `category` is -1 where all categories are meant.
    """

    category: int
    version: int
    event: int
    evidence: float


Guard = Callable[[Version, Version], float]
"""Mean gain in quality of the second version over the first on held-out tickets, NaN if unknown."""


class Learner(Protocol):
    """What the desk needs of a way to learn."""

    versions: list[Version]

    def choose(self, category: int, u: float, draws: Callable[[int], float]) -> tuple[int, bool]:
        """Version to answer with, and whether it was drawn at random.

        Parameters
        ----------
        category : int
        u : float
            The ticket's uniform for exploring.
        draws : callable
            The ticket's uniform for version k.
        """
        ...

    def rated(self, rated: Rated) -> None:
        """Take in a rating."""
        ...

    def look(self) -> list[Event]:
        """Look at the ratings so far and change what is used."""
        ...


def start(settings: Learning, categories: int, guard: Guard) -> tuple[Learner, list[Event]]:
    """A learner as the scenario asks for, and what the guard said of its first versions."""
    if settings.mode == "bandit":
        bandit = Bandit(settings, categories)
        return bandit, bandit.check(guard)
    return Examples(settings, guard), []


def worse(a: Sequence[int], b: Sequence[int]) -> float:
    """One-sided p-value that ratings `a` are lower than `b` (Mann-Whitney); 1 where too few."""
    if min(len(a), len(b)) < _FEWEST_RATINGS:
        return 1.0
    if len({*a, *b}) == 1:
        return 1.0
    test = stats.mannwhitneyu(a, b, alternative="less", method="asymptotic")
    return float(test.pvalue)


def spend(alpha: float, look: int) -> float:
    """Error rate that look `look` (1 first) may use; over all looks it sums to `alpha`."""
    return alpha / (look * (look + 1))


def _exploring(share: float, u: float, choices: int) -> int | None:
    """Number of the version drawn at random, or None where the ticket does not explore."""
    return int(u / share * choices) if u < share else None


@dataclass
class _Arm:
    """A version in a category: its good and bad ratings, and those that may be compared."""

    good: int = 0
    bad: int = 0
    compared: list[int] = field(default_factory=list)


class Bandit:
    """Prompt versions compete in each category."""

    def __init__(self, settings: Learning, categories: int) -> None:
        self._settings = settings
        self.versions = [Version(name, name) for name in settings.versions]
        self._open = list(range(len(self.versions)))
        self._arms = [[_Arm() for _ in self.versions] for _ in range(categories)]
        self._promoted: dict[int, int] = {}
        self._banned: set[tuple[int, int]] = set()
        self._looks = 0

    def check(self, guard: Guard) -> list[Event]:
        """Hold back the versions that lose on held-out tickets against the first."""
        events = []
        for k in self._open[1:]:
            gain = guard(self.versions[0], self.versions[k])
            lost = gain < -_NO_LOSS
            events.append(Event(-1, k, HELD_BACK if lost else LIVE, gain))
        held = {event.version for event in events if event.event == HELD_BACK}
        self._open = [k for k in self._open if k not in held]
        return events

    def choose(self, category: int, u: float, draws: Callable[[int], float]) -> tuple[int, bool]:
        choices = [k for k in self._open if (category, k) not in self._banned]
        explored = _exploring(self._settings.explore, u, len(choices))
        if explored is not None:
            return choices[explored], True
        if category in self._promoted:
            return self._promoted[category], False
        arms = self._arms[category]
        drawn = [
            float(special.betaincinv(1 + arms[k].good, 1 + arms[k].bad, draws(k))) for k in choices
        ]
        return choices[int(np.argmax(drawn))], False

    def rated(self, rated: Rated) -> None:
        arm = self._arms[rated.category][rated.version]
        if rated.rating >= GOOD_RATING:
            arm.good += 1
        else:
            arm.bad += 1
        if rated.explored:
            arm.compared.append(rated.rating)

    def look(self) -> list[Event]:
        self._looks += 1
        tests = len(self._arms) * max(1, len(self._open) - 1)
        level = spend(self._settings.error_rate, self._looks) / tests
        events = []
        for category, arms in enumerate(self._arms):
            now = self._promoted.get(category, 0)
            if now and (p := worse(arms[now].compared, arms[0].compared)) < level:
                del self._promoted[category]
                self._banned.add((category, now))
                events.append(Event(category, now, ROLLED_BACK, p))
                continue
            for k in self._open:
                if k in (now, 0) or (category, k) in self._banned:
                    continue
                p = worse(arms[now].compared, arms[k].compared)
                if p < level:
                    self._promoted[category] = now = k
                    # From here its ratings are looked at anew: it may yet fall.
                    arms[0].compared, arms[k].compared = [], []
                    events.append(Event(category, k, PROMOTED, p))
        return events


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
        self.versions = [Version(prompts.PROMPT_VERSION)]
        self._live, self._before = 0, 0
        self._questions: dict[tuple[int, str], list[_Question]] = {}
        self._known: dict[tuple[int, str, str], _Question] = {}
        self._compared: dict[int, list[int]] = {}
        self._rejected: set[Lesson] = set()
        self._looks = 0

    def choose(self, category: int, u: float, draws: Callable[[int], float]) -> tuple[int, bool]:
        if self._live == self._before:
            return self._live, False
        explored = _exploring(self._settings.explore, u, 2)
        if explored is None:
            return self._live, False
        return (self._live, self._before)[explored], True

    def rated(self, rated: Rated) -> None:
        if rated.explored:
            self._compared.setdefault(rated.version, []).append(rated.rating)
        self._question(rated).ratings.append(rated.rating)

    def _question(self, rated: Rated) -> _Question:
        """Where the rating counts: the question that this ticket asks again, or a new one."""
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
            name = f"{prompts.PROMPT_VERSION}+{len(self.versions)}"
            candidate = Version(name, lessons=(*current.lessons, *new))
            self.versions.append(candidate)
            number = len(self.versions) - 1
            if self._guard(current, candidate) < -_NO_LOSS:
                self._rejected |= set(new)
                events.append(Event(-1, number, HELD_BACK, p))
            else:
                self._before, self._live = self._live, number
                self._compared.clear()
                events.append(Event(-1, number, LIVE, p))
        return events

    def _lessons(self, level: float) -> tuple[list[Lesson], float]:
        """What ratings teach at an error rate, by Benjamini and Hochberg (1995); largest p used.

        Each question's ratings are tested against all others of its category, both ways. Where
        ratings say nothing at all, the chance of any lesson is at most `level`.
        """
        asked = [q for questions in self._questions.values() for q in questions]
        tests: list[tuple[float, Lesson]] = []
        for category in sorted({q.category for q in asked}):
            mine = [q for q in asked if q.category == category]
            for question in mine:
                if len(question.ratings) < _FEWEST_RATINGS:
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


def paired_gain(before: Floats, after: Floats) -> float:
    """Mean gain of paired qualities where both are known; NaN where none is.

    The guard asks for no loss, so a gain that noise could explain is enough; a loss is not excused
    by its noise either.
    """
    known = ~(np.isnan(before) | np.isnan(after))
    return float((after - before)[known].mean()) if known.any() else float("nan")
