"""The models of a desk, each with all its answers and behind its provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twin.assistant import catalogue
from twin.assistant.backends import build
from twin.assistant.judging.model_judge import build_judge
from twin.assistant.knowledge.knowledge import knowledge_of
from twin.assistant.protocol import Assistant
from twin.demand.luck import Stream
from twin.demand.tickets import Demand
from twin.desk.answers import ModelAnswers, Said
from twin.desk.assistant import ServedModel
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.desk.names import Names
from twin.desk.provider import Provider, outages
from twin.scenario import dated
from twin.scenario.model import Scenario

if TYPE_CHECKING:
    from twin.assistant.judging.judge import Rater


@dataclass(frozen=True)
class AnsweredOnce:
    """Models of a desk and their judge, for runs of the same demand: each answers once.

    Attributes
    ----------
    assistants : list of Assistant
        The model of the desk, and the second one of on_failure "fallback".
    judge : Rater
    said : dict or None
        What was answered; None: it is not kept.
    """

    assistants: list[Assistant]
    judge: Rater
    said: Said | None = None

    @classmethod
    def of(
        cls, scenario: Scenario, demand: Demand, first: Assistant | AnsweredOnce | None = None
    ) -> AnsweredOnce:
        """The models of a desk: as given, or the first of them, or by the backend it names."""
        if isinstance(first, AnsweredOnce):
            return first
        settings = scenario.assistant
        first = first or build(scenario, demand.categories, demand.corpus)
        assistants = [first]
        if settings.fallback_model is not None:
            second = settings.fallback_model
            assistants.append(build(scenario, demand.categories, demand.corpus, model=second))
        return cls(assistants, build_judge(scenario, knowledge_of(settings), first))


def may_keep(scenario: Scenario) -> bool:
    """True where what is answered to a ticket hangs on nothing that a run does.

    Not where a provider is asked ticket by ticket, the assistant learns, or answers bring notes.
    """
    settings = scenario.assistant
    if settings.role == "off" or settings.learning.mode != "off" or settings.judge == "model":
        return False
    measured = settings.profile.measured is not None
    return settings.backend == "embedded" or (settings.backend == "profile" and not measured)


def served_models(
    clock: Clock,
    scenario: Scenario,
    demand: Demand,
    assistant: Assistant | AnsweredOnce | None,
    ledger: Ledger,
    names: Names,
) -> list[ServedModel]:
    """The model of a desk, and the second one of on_failure "fallback", behind their providers.

    Parameters
    ----------
    clock : Clock
    scenario : Scenario
    demand : Demand
    assistant : Assistant, AnsweredOnce or None
        None: the backend that the scenario names.
    ledger : Ledger
    names : Names
        Of the run.
    """
    desk_models = AnsweredOnce.of(scenario, demand, assistant)
    judge, said = desk_models.judge, desk_models.said
    down = outages(scenario, demand.seed, demand.replication)
    jitter = demand.column(lambda: demand.uniform(Stream.BACKOFF))
    models: list[ServedModel] = []
    answers: list[ModelAnswers] = []
    for one in desk_models.assistants:
        limits = catalogue.limits_of(catalogue.model(one.model, scenario.models), scenario.provider)
        provider = Provider(clock, scenario.provider, limits, down, jitter, ledger)
        of_model = ModelAnswers(one, scenario, demand, judge, names, answers, said)
        models.append(ServedModel(of_model, provider))
    return models


def notes_on(scenario: Scenario, models: list[ServedModel]) -> list[str]:
    """Notes on rosters and the assistant that a reader of the results must know."""
    notes = dated.notes(scenario)
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
