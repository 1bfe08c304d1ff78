"""The assistant as the desk sees it: a script of answers behind a provider, and a second model."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from twin.assistant.protocol import Step
from twin.desk.answers import BY_HUMAN, Lines, Script
from twin.desk.kernel import Clock
from twin.desk.learning import Coach
from twin.desk.provider import Provider
from twin.scenario.model import Assistant as Settings

# A return to an assistant-only desk asks with luck far from that of retries.
_REPEATS_A_VISIT = 100


@dataclass(frozen=True)
class Line:
    """One model: what it says, and the provider that runs it."""

    script: Script
    provider: Provider


class HelpDesk:
    """Asks the first model, and where it fails does what the scenario says.

    Parameters
    ----------
    clock : Clock
    settings : twin.scenario.Assistant
    lines : list of Line
        The model and, for on_failure "fallback", the second one; by their numbers.
    coach : Coach, optional
        Lets the first model learn from ratings.
    """

    def __init__(
        self, clock: Clock, settings: Settings, lines: list[Line], coach: Coach | None = None
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._lines = lines
        self._first = lines[0]
        columnar = all(line.script.assistant.columnar for line in lines)
        self._once = columnar and settings.on_failure == "escalate" and coach is None
        self._coach = coach
        # Number of the model that last answered a step of a ticket, where it was not the first.
        self._other: dict[tuple[int, Step], int] = {}
        self._signed: dict[int, tuple[int, int]] = {}

    def ask(
        self, ticket: int, step: Step, by_human: bool = False, visit: int = 0
    ) -> Generator[Any, Any, Lines | None]:
        """The answer to a step, in simulated time; None where nobody could give one.

        Parameters
        ----------
        ticket : int
        step : {"categorize", "respond"}
        by_human : bool
            For respond: whether the category is from a human.
        visit : int
            How often the customer came back before.
        """
        if self._once:
            lines = self._first.script.lines[
                step, BY_HUMAN if by_human else 0, visit * _REPEATS_A_VISIT, 0
            ]
            return self._first.provider.ask(ticket, lines)
        return self._insist(ticket, step, by_human, visit)

    def _insist(
        self, ticket: int, step: Step, by_human: bool, visit: int
    ) -> Generator[Any, Any, Lines | None]:
        given = BY_HUMAN if by_human else self._other.get((ticket, "categorize"), 0)
        version = 0
        if self._coach is not None and step == "respond":
            version = self._coach.choose(ticket)
        once_more: Lines | None = None
        while True:
            for number, line in enumerate(self._lines):
                asked = version if number == 0 else 0
                lines = line.script.get(step, given, visit * _REPEATS_A_VISIT, asked)
                lines.need(ticket)
                answered = yield from line.provider.ask(ticket, once_more or lines)
                if answered is not None:
                    if number:
                        self._other[ticket, step] = number
                    else:
                        self._other.pop((ticket, step), None)
                    if step == "respond":
                        self._signed[ticket] = (lines.model, lines.version)
                    return lines
            if self._settings.on_failure != "retry":
                return None
            # Only the first model is asked again: a second one is for "fallback".
            once_more = self._first.provider.once_more()
            yield self._clock.at(self._clock.now + self._settings.retry_after)

    def signature(self, ticket: int) -> tuple[int, int]:
        """Numbers of the model and of the prompt version that answered a ticket."""
        if self._once:
            script = self._first.script
            return script.model, script.version_number(0)
        return self._signed[ticket]

    def rated(self, ticket: int, rating: int) -> None:
        """A customer rated an answer of the assistant."""
        if self._coach is not None and (ticket, "respond") not in self._other:
            self._coach.rated(ticket, rating)
