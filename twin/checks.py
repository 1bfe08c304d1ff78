"""Faults that no single section of a scenario shows: between sections, and against other files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from twin.faults import Fault, ScenarioError, nearest
from twin.scenario import Scenario


def consistency_faults(scenario: Scenario) -> Iterable[Fault]:
    """Faults between sections, and files that are not there."""
    tickets, assistant = scenario.tickets, scenario.assistant
    used = assistant.role != "off"
    files = {
        "tickets.corpus": tickets.corpus,
        "arrivals.trace": scenario.arrivals.trace,
        "assistant.knowledge": assistant.knowledge if used else None,
        "assistant.learning.feedback": assistant.learning.feedback if used else None,
    }
    for key, name in files.items():
        folder = key == "assistant.knowledge"
        if name is not None and not _is_there(Path(name), folder):
            yield Fault(key, "no such folder" if folder else "no such file", name)
    if used and assistant.backend != "profile" and tickets.corpus is None:
        reason = f'backend "{assistant.backend}" reads text, so tickets.corpus must be given'
        yield Fault("assistant.backend", reason, hint='or use backend = "profile"')
    answers = assistant.role == "full" and assistant.backend == "embedded"
    if answers and assistant.knowledge is None:
        reason = 'backend "embedded" answers from articles, so it needs a folder of them'
        yield Fault("assistant.knowledge", reason)
    learning = assistant.learning
    if used and learning.mode != "off" and assistant.backend == "profile":
        if learning.mode == "examples":
            reason = 'backend "profile" has no texts to take examples from'
            yield Fault("assistant.learning.mode", reason, hint='use "bandit", and say its effect')
        elif not learning.effect:
            reason = 'backend "profile" must be told what a prompt version is worth'
            yield Fault("assistant.learning.effect", reason, hint="as { brief = -0.2 }")
    if used and assistant.judge == "model" and assistant.backend not in ("groq", "replay"):
        reason = 'a model judges with backend "groq" (live) or "replay" (recorded) only'
        yield Fault("assistant.judge", reason, hint='use judge = "evidence"')
    if assistant.role == "triage" and not scenario.agents:
        yield Fault("assistant.role", "triage only needs agents who answer: give [agents.NAME]")


def _is_there(path: Path, folder: bool) -> bool:
    try:
        return path.is_dir() if folder else path.is_file()
    except OSError:  # a name too long to ask about, or a folder that nobody may look into
        return False


def check(scenario: Scenario) -> None:
    """What only other files can tell: categories and texts of the corpus, models of the catalogue.

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
    # Not at the top: both read scenarios themselves.
    from twin.demand import category_names

    where = str(scenario._path or scenario.name)
    faults = [*_load_fault(scenario), *_model_faults(scenario)]
    categories = category_names(scenario)
    try:
        check_categories(scenario, categories)
    except ScenarioError as error:
        faults += error.faults
    faults += _text_faults(scenario)
    if faults:
        raise ScenarioError(where, faults)


def _text_faults(scenario: Scenario) -> Iterable[Fault]:
    """Categories of the mix that the corpus knows and customers have no text of."""
    from twin.corpus import load_corpus

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


def _load_fault(scenario: Scenario) -> Iterable[Fault]:
    from twin.arrivals import MAX_TICKETS

    expected = (scenario.arrivals.rate or 0.0) * scenario.arrivals.scale * scenario.horizon
    if expected > MAX_TICKETS:
        reason = f"about {expected:.3g} tickets in a replication; at most {MAX_TICKETS:,}"
        yield Fault("arrivals.rate", reason)


def _model_faults(scenario: Scenario) -> Iterable[Fault]:
    from twin.assistant import catalogue, prompts

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


def check_categories(scenario: Scenario, categories: Sequence[str]) -> None:
    """Every category that the scenario names must be one that tickets can have.

    Raises
    ------
    ScenarioError
        With one fault for each unknown name.
    """
    named: list[tuple[str, Iterable[str]]] = [
        ("tickets.category_mix", scenario.tickets.category_mix or ()),
    ]
    assistant = scenario.assistant
    if assistant.role != "off":
        confusion = assistant.profile.confusion or {}
        named += [
            ("assistant.human_categories", assistant.human_categories),
            ("assistant.review_categories", [c for c in assistant.review_categories if c != "*"]),
            ("assistant.profile.confusion", confusion),
            *((f"assistant.profile.confusion.{true}", given) for true, given in confusion.items()),
        ]
    for name, pool in scenario.agents.items():
        named.append((f"agents.{name}.skills", pool.skills))
        named.append((f"agents.{name}.handle_times", pool.handle_times))
    faults = [
        Fault(key, "no ticket has this category", name, nearest(name, categories))
        for key, names in named
        for name in names
        if name not in categories
    ]
    if faults:
        raise ScenarioError(str(scenario._path or scenario.name), faults)
