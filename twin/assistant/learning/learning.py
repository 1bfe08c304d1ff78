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
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twin.assistant import prompts
from twin.assistant.knowledge.embedding import embed, similarity
from twin.assistant.protocol import Floats, Guidance

GOOD_RATING = 4
# Tickets so similar count as the same question.
SAME_QUESTION = 0.75
# Fewer ratings than this say nothing about an answer, whatever the test says.
FEWEST_RATINGS = 4
# A held-out loss below this share of quality is no loss.
NO_LOSS = 0.005

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
    """A version of the prompts: a template and the lessons that go into it.

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
    """Interface of a way to learn, as the desk uses it."""

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


def worse(a: Sequence[int], b: Sequence[int]) -> float:
    """One-sided p-value that good ratings are rarer in `a` than in `b`; 1 where too few ratings.

    Fisher's exact test, because its level holds for few ratings and for any shape: where nearly
    all customers give five stars, tests by ranks in their normal approximation (Mann-Whitney) were
    seen to promote something in a third of runs where ratings say nothing.
    """
    if min(len(a), len(b)) < FEWEST_RATINGS:
        return 1.0
    # Imported here: it takes long to import, and only a desk that learns needs it.
    from scipy import stats

    here, there = (sum(rating >= GOOD_RATING for rating in ratings) for ratings in (a, b))
    return float(stats.hypergeom.cdf(here, len(a) + len(b), here + there, len(a)))


def spend(alpha: float, look: int) -> float:
    """Error rate that look `look` (1 first) may use; over all looks it sums to `alpha`."""
    return alpha / (look * (look + 1))


def exploring(share: float, u: float, choices: int) -> int | None:
    """Number of the version drawn at random, or None where the ticket does not explore."""
    return int(u / share * choices) if u < share else None


def paired_gain(before: Floats, after: Floats) -> float:
    """Mean gain of paired qualities where both are known; NaN where none is.

    The guard asks for no loss, so a gain that noise could explain is enough; a loss is not excused
    by its noise either.
    """
    known = ~(np.isnan(before) | np.isnan(after))
    return float((after - before)[known].mean()) if known.any() else float("nan")
