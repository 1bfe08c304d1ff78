"""Backend `replay`: reads a recording. No key, no network, and the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from twin.assistant import prompts
from twin.assistant.asking import Ask, Asking
from twin.assistant.catalogue import Model
from twin.assistant.errors import RecordingMiss
from twin.assistant.protocol import Answers, Questions
from twin.assistant.recorded.recording import open_recording
from twin.common.errors import Fault, ScenarioError
from twin.common.text import command
from twin.scenario.model import Scenario

# So many tickets are named in a message.
_NAMED = 5


class ReplayAssistant:
    """Assistant of backend `replay`.

    Parameters
    ----------
    scenario : Scenario
    categories : sequence of str
    model : Model

    Raises
    ------
    ScenarioError
        If the scenario names no recording, or it is not there.
    RecordingError
        If it cannot be read.
    """

    columnar = False
    prompt_version = prompts.PROMPT_VERSION

    def __init__(self, scenario: Scenario, categories: Sequence[str], model: Model) -> None:
        self.model = model.name
        self.asking = Asking(scenario, categories, model)
        self.prompt_version = self.asking.prompt_version
        self._command = record_command(scenario, model)
        path = scenario.assistant.recording
        if path is None:
            reason = 'backend "replay" needs a recording'
            hint = f"name one, and make it: {self._command}"
            raise ScenarioError(scenario.name, [Fault("assistant.recording", reason, hint=hint)])
        self._recording = open_recording(path)
        if not len(self._recording):
            fault = Fault("assistant.recording", "no such recording, or it is empty", path)
            hint = f"make it: {self._command}"
            raise ScenarioError(scenario.name, [Fault(fault.key, fault.reason, path, hint)])

    def answer(self, questions: Questions) -> Answers:
        """Answer a batch as recorded.

        Raises
        ------
        RecordingMiss
            If an answer is not in the recording, with the command that records it.
        """
        asks, row = self.asking.asks(questions)
        replies = {}
        missing = []
        for k, ask in enumerate(asks):
            reply = self._recording.get(ask.key)
            if reply is None:
                missing.append(k)
            else:
                replies[ask.key] = reply
        if missing:
            raise self._miss(questions, asks[missing[0]], np.isin(row, missing))
        return self.asking.answers(questions, asks, row, replies)

    def _miss(self, questions: Questions, ask: Ask, here: npt.NDArray[np.bool_]) -> RecordingMiss:
        # As numbered in the tables: from 1.
        tickets = [str(ticket + 1) for ticket in questions.ticket[here]]
        more = f" and {len(tickets) - _NAMED:,} more" if len(tickets) > _NAMED else ""
        which = f"ticket{'s' if len(tickets) > 1 else ''} {', '.join(tickets[:_NAMED])}{more}"
        sample = f", sample {ask.sample}" if ask.sample else ""
        return RecordingMiss(
            f"{self._recording.path} has no answer for {which} (step {ask.step}, model "
            f'"{self.model}", prompts of version {ask.version}{sample}): record it with '
            f"`{self._command}`"
        )


def record_command(scenario: Scenario, model: Model) -> str:
    """The command that records what a scenario needs of a model."""
    words = ["twin", "record", str(scenario._path or "SCENARIO")]
    if model.name != scenario.assistant.model:
        words += ["--set", f"assistant.model={model.name}"]
    return command(*words)
