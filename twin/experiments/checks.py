"""Faults that no single section of a scenario shows: between sections, and against other files."""

from __future__ import annotations

from collections.abc import Iterable

from twin.assistant import catalogue, prompts
from twin.common.errors import Fault, ScenarioError, nearest
from twin.demand.arrivals import MAX_TICKETS, expected
from twin.demand.corpus import load_corpus
from twin.demand.tickets import category_names, check_categories
from twin.measures.figures import figure_of
from twin.scenario.model import Scenario


def check(scenario: Scenario) -> None:
    """Check what other files decide: categories and texts of the corpus, models of the catalogue.

    Raises
    ------
    ScenarioError
        With one fault for everything that is wrong.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> twin.check(desk)
    """
    where = str(scenario._path or scenario.name)
    faults = [*_load_fault(scenario), *_model_faults(scenario)]
    categories = category_names(scenario)
    try:
        check_categories(scenario, categories)
    except ScenarioError as error:
        faults += error.faults
    faults += [*_text_faults(scenario), *_figure_faults(scenario)]
    if faults:
        raise ScenarioError(where, faults)


def _text_faults(scenario: Scenario) -> Iterable[Fault]:
    """Categories of the mix for which the corpus has no text that customers send."""
    tickets = scenario.tickets
    if tickets.corpus is None or tickets.category_mix is None or scenario.arrivals.kind == "trace":
        return
    corpus = load_corpus(tickets.corpus)
    sent = {corpus.categories[code] for code in corpus.category[~corpus.train]}
    for name, weight in tickets.category_mix.items():
        # Else the replications in which one happens to come would fail, and the others not.
        if weight > 0 and name in corpus.categories and name not in sent:
            reason = "all its tickets in the corpus are for training: customers have none to send"
            yield Fault("tickets.category_mix", reason, name, 'mark some rows split = "desk"')


def _figure_faults(scenario: Scenario) -> Iterable[Fault]:
    """Names under targets.matters that are no figures."""
    for name in scenario.targets.matters:
        try:
            figure_of(name)
        except ValueError as error:
            yield Fault("targets.matters", str(error))


def _load_fault(scenario: Scenario) -> Iterable[Fault]:
    if scenario.arrivals.kind == "trace":
        return
    total = expected(scenario).between(0.0, scenario.horizon)
    if total > MAX_TICKETS:
        reason = f"about {total:.3g} tickets in a replication; at most {MAX_TICKETS:,}"
        yield Fault("arrivals.rate", reason)


def _model_faults(scenario: Scenario) -> Iterable[Fault]:
    assistant = scenario.assistant
    if assistant.role == "off":
        return
    for version in assistant.learning.versions:
        if version not in prompts.VERSIONS:
            hint = f"known: {', '.join(prompts.VERSIONS)}"
            yield Fault("assistant.learning.versions", "no such prompt version", version, hint)
    for key in ("model", "fallback_model", "judge_model"):
        name = getattr(assistant, key)
        if name is not None and name not in catalogue.models():
            hint = nearest(name, catalogue.models())
            yield Fault(f"assistant.{key}", "not in the catalogue", name, hint)
