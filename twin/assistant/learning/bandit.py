"""Learning as a competition: prompt versions, category by category (Thompson sampling)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from twin.assistant.learning.learning import (
    GOOD_RATING,
    HELD_BACK,
    LIVE,
    NO_LOSS,
    PROMOTED,
    ROLLED_BACK,
    Event,
    Guard,
    Rated,
    Version,
    exploring,
    spend,
    worse,
)
from twin.scenario.model import Learning


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
            lost = gain < -NO_LOSS
            events.append(Event(-1, k, HELD_BACK if lost else LIVE, gain))
        held = {event.version for event in events if event.event == HELD_BACK}
        self._open = [k for k in self._open if k not in held]
        return events

    def choose(self, category: int, u: float, draws: Callable[[int], float]) -> tuple[int, bool]:
        """See `Learner.choose`."""
        choices = [k for k in self._open if (category, k) not in self._banned]
        explored = exploring(self._settings.explore, u, len(choices))
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
        """See `Learner.rated`."""
        arm = self._arms[rated.category][rated.version]
        if rated.rating >= GOOD_RATING:
            arm.good += 1
        else:
            arm.bad += 1
        if rated.explored:
            arm.compared.append(rated.rating)

    def look(self) -> list[Event]:
        """See `Learner.look`."""
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
