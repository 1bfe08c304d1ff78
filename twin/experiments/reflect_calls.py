"""Replies to what a reflection asks: from a recording, and live where it lacks one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twin.assistant.asking import Ask
from twin.assistant.catalogue import Model
from twin.assistant.errors import AssistantError, RecordingMiss
from twin.assistant.judging.model_judge import Fetch
from twin.assistant.recorded.recording import Reply, open_recording
from twin.common.errors import Fault, ScenarioError
from twin.scenario.model import Scenario

if TYPE_CHECKING:
    from twin.assistant.live.groq import GroqAssistant


def recording_of(scenario: Scenario, recording: Path | None = None) -> Path:
    """File of the replies: the one that is named, else the scenario's own, else one by its name."""
    return Path(
        recording or scenario.assistant.recording or Path("recordings", f"{scenario.name}.jsonl")
    )


@contextmanager
def calls(
    scenario: Scenario, recording: Path, max_cost_usd: float | None = None
) -> Iterator[Callable[[Model], Fetch]]:
    """Give what gets replies of a model, while the context lasts.

    Parameters
    ----------
    scenario : Scenario
        With backend groq what the recording lacks is asked for; with replay it is a
        `RecordingMiss`.
    recording : Path
    max_cost_usd : float, optional
        Stop before calls could cost more.

    Raises
    ------
    ScenarioError
        If no model answers on this desk.
    """
    settings = scenario.assistant
    if settings.role != "full" or settings.backend not in ("groq", "replay"):
        given = "triage" if settings.role != "full" else settings.backend
        key = "role" if settings.role != "full" else "backend"
        fault = Fault(
            f"assistant.{key}",
            "a change of the prompt takes a model that answers by it",
            given if settings.role != "off" else "off",
            'role must be "full", and backend "groq" or "replay" (twin llm serves a local model)',
        )
        raise ScenarioError(scenario.name, [fault])
    there = open_recording(recording)
    live: list[GroqAssistant] = []

    def asked_live(model: Model, asks: Sequence[Ask]) -> dict[str, Reply | AssistantError]:
        # Not before: replies that are recorded take neither key nor SDK.
        from twin.assistant.live.groq import GroqAssistant

        if not live:
            desk = scenario.vary({"assistant.recording": str(recording)}, name=scenario.name)
            live.append(GroqAssistant(desk, (), model, max_cost_usd=max_cost_usd))
        found = live[0].beside(model)
        if found is not live[0] and found not in live:
            live.append(found)
        return found.fetch(asks)

    def fetch_of(model: Model) -> Fetch:
        def fetch(asks: Sequence[Ask]) -> dict[str, Reply | AssistantError]:
            known: dict[str, Reply | AssistantError] = {}
            for ask in asks:
                if (reply := there.get(ask.key)) is not None:
                    known[ask.key] = reply
            if len(known) == len({ask.key for ask in asks}):
                return known
            if settings.backend == "replay":
                missing = len({ask.key for ask in asks}) - len(known)
                raise RecordingMiss(
                    f'{recording} lacks {missing:,} replies of "{model.name}" that this change of '
                    "the prompt asks for: run it with backend groq first"
                )
            return asked_live(model, asks)

        return fetch

    try:
        yield fetch_of
    finally:
        for assistant in live[::-1]:
            assistant.close()
