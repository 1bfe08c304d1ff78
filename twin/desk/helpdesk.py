"""The assistant as the desk sees it: a script of answers behind a provider, and a second model."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from twin.assistant.protocol import OK, Step
from twin.desk.kernel import Clock
from twin.desk.provider import Provider
from twin.desk.script import Given, Lines, Script
from twin.records import STEPS
from twin.scenario import Assistant as Settings

# A return to an assistant-only desk asks with luck far from that of retries.
_REPEATS_A_VISIT = 100


@dataclass(frozen=True)
class Line:
    """One model: what it says, and the provider that runs it."""

    number: int
    version: int
    script: Script
    provider: Provider


class HelpDesk:
    """Asks the first model, and where it fails does what the scenario says.

    Parameters
    ----------
    clock : Clock
    settings : twin.scenario.Assistant
    lines : list of Line
        The model and, for on_failure "fallback", the second one.
    """

    def __init__(self, clock: Clock, settings: Settings, lines: list[Line]) -> None:
        self._clock = clock
        self._settings = settings
        self._lines = lines
        self._answered_by: dict[int, Line] = {}

    def ask(
        self,
        ticket: int,
        step: Step,
        given: Given = "own",
        visit: int = 0,
    ) -> Generator[Any, Any, Lines | None]:
        """The answer to a step, in simulated time; None where nobody could give one."""
        code = STEPS.index(step)
        while True:
            for line in self._lines:
                answers = line.script.lines(step, given, visit * _REPEATS_A_VISIT)
                if not line.script.assistant.columnar:
                    line.script.need(answers, step, given, ticket)
                provider = line.provider
                outcome = yield from provider.ask(ticket, code, line.number, line.version, answers)
                if outcome == OK:
                    if line is not self._lines[0]:
                        self._answered_by[ticket] = line
                    return answers
            if self._settings.on_failure != "retry":
                return None
            yield self._clock.at(self._clock.now + self._settings.retry_after)

    def signature(self, ticket: int) -> tuple[int, int]:
        """Numbers of the model and of the prompt version that answered a ticket."""
        line = self._answered_by.get(ticket, self._lines[0])
        return line.number, line.version
