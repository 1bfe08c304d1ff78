"""The models of a desk, each with all its answers and behind its provider."""

from __future__ import annotations

from twin.assistant import catalogue
from twin.assistant.backends import build
from twin.assistant.judging.model_judge import build_judge
from twin.assistant.knowledge.knowledge import knowledge_of
from twin.assistant.protocol import Assistant
from twin.demand.luck import Stream, view
from twin.demand.tickets import Demand
from twin.desk.answers import ModelAnswers, Names
from twin.desk.assistant import ServedModel
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.desk.provider import Provider, outages
from twin.scenario.model import Scenario


def served_models(
    clock: Clock,
    scenario: Scenario,
    demand: Demand,
    assistant: Assistant | None,
    ledger: Ledger,
    names: Names,
) -> list[ServedModel]:
    """The model of a desk, and the second one of on_failure "fallback", behind their providers.

    Parameters
    ----------
    clock : Clock
    scenario : Scenario
    demand : Demand
    assistant : Assistant or None
        None: the backend that the scenario names.
    ledger : Ledger
    names : Names
        Of the run.
    """
    settings = scenario.assistant
    first = assistant or build(scenario, demand.categories, demand.corpus)
    assistants = [first]
    if settings.fallback_model is not None:
        second = settings.fallback_model
        assistants.append(build(scenario, demand.categories, demand.corpus, model=second))
    knowledge = knowledge_of(settings)
    judge = build_judge(scenario, knowledge, first)
    down = outages(scenario, demand.seed, demand.replication)
    jitter = view(demand.uniform(Stream.BACKOFF))
    models: list[ServedModel] = []
    answers: list[ModelAnswers] = []
    for one in assistants:
        limits = catalogue.limits_of(catalogue.model(one.model, scenario.models), scenario.provider)
        provider = Provider(clock, scenario.provider, limits, down, jitter, ledger)
        said = ModelAnswers(one, scenario, demand, judge, names, answers)
        models.append(ServedModel(said, provider))
    return models


def notes_on(scenario: Scenario, models: list[ServedModel]) -> list[str]:
    """Notes on the assistant that a reader of the results must know."""
    notes = []
    for served in models:
        name = served.answers.assistant.model
        model = catalogue.model(name, scenario.models)
        if not model.limits(scenario.provider.plan).known:
            notes.append(
                f"{name}: no limits are published for the {scenario.provider.plan} plan, "
                "so none apply but those given"
            )
        if model.price_in is None or model.price_out is None:
            notes.append(f"{name}: price unknown, so its cost is missing")
        if scenario.assistant.learning.effect:
            notes.append(
                "what a prompt version is worth is an assumption of the scenario "
                "(assistant.learning.effect), not a result"
            )
        notes += getattr(served.answers.assistant, "notes", [])
    # One judge for all.
    for served in models[:1]:
        notes += served.answers.judge.notes
    return notes
