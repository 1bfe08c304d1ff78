"""The choice of the backend: the one place that knows all four."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import cast

from twin.assistant import catalogue
from twin.assistant.careful import Careful, classify_of, doubts_of
from twin.assistant.embedded import EmbeddedAssistant
from twin.assistant.guard import Guard
from twin.assistant.knowledge.knowledge import knowledge_of
from twin.assistant.profile import ProfileAssistant
from twin.assistant.protocol import Assistant
from twin.common.errors import Fault, ScenarioError
from twin.demand.corpus import Corpus
from twin.scenario.model import Scenario

# Imported when asked for only: a run without them needs neither the SDK nor a recording.
_LAZY = {
    "groq": ("twin.assistant.live.groq", "GroqAssistant"),
    "replay": ("twin.assistant.recorded.replay", "ReplayAssistant"),
}


def build(
    scenario: Scenario,
    categories: Sequence[str],
    corpus: Corpus | None = None,
    model: str | None = None,
) -> Assistant:
    """The assistant of a scenario; with `assistant.unclear`, one that is not sure of unclear texts.

    Parameters
    ----------
    scenario : Scenario
    categories : sequence of str
        Categories to choose from; questions hold indices into them.
    corpus : Corpus, optional
        Where `embedded` learns (train rows only).
    model : str, optional
        Instead of `scenario.assistant.model`; such as its fallback.

    Raises
    ------
    ScenarioError
        If model or backend are not there, or the scenario lacks what the backend needs.
    """
    made = _built(scenario, categories, corpus, model)
    settings = scenario.assistant
    # A profile reads no text: its confidence is as measured or assumed.
    if settings.unclear == "answer" or settings.backend == "profile":
        return made
    return Careful(made, doubts_of(scenario, categories, corpus))


def _built(
    scenario: Scenario, categories: Sequence[str], corpus: Corpus | None, model: str | None
) -> Assistant:
    settings = scenario.assistant
    entry = catalogue.model(model or settings.model, scenario.models)
    if settings.backend == "profile":
        return ProfileAssistant(scenario, categories, entry)
    if settings.backend == "embedded":
        knowledge = knowledge_of(settings)
        return EmbeddedAssistant(scenario, categories, corpus, knowledge, entry)
    module, name = _LAZY[settings.backend]
    try:
        backend = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        reason = f"this backend cannot run here: no module {error.name}"
        fault = Fault("assistant.backend", reason, settings.backend)
        raise ScenarioError(scenario.name, [fault]) from None
    made = backend(scenario, categories, entry)
    # Its classifier is trained only where a ticket may have steered the model.
    made.asking.guard = Guard(categories, partial(classify_of, scenario, categories, corpus))
    return cast(Assistant, made)
