"""Faults that no single section of a scenario shows: between sections, and against other files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from twin.assistant import catalogue, prompts
from twin.assistant.errors import RecordingError
from twin.assistant.knowledge.article import Article
from twin.assistant.knowledge.articles import left_out, load_articles
from twin.assistant.learning.change import guidelines_of
from twin.assistant.learning.feedback import load_feedback
from twin.assistant.recorded.recording import read_lines
from twin.common.errors import Fault, ScenarioError, TwinError, nearest
from twin.common.tables import said_twice, same_form, twins
from twin.demand.arrivals import MAX_TICKETS, expected
from twin.demand.backlog import opening
from twin.demand.corpus import load_corpus
from twin.demand.mix import channel_names
from twin.demand.names import check_categories, check_channels
from twin.demand.recorded import read_trace
from twin.demand.sent import check_trace
from twin.demand.tickets import category_names, check_mix
from twin.desk.compiled.coverage import why_not, why_not_in_blocks
from twin.desk.engines import has_numba
from twin.experiments import versions
from twin.measures.figures import beyond, figure_of
from twin.scenario.dated import dated_shifts
from twin.scenario.model import Scenario

# Keys of customers that the twin's own life cycle goes by.
_NOT_IN_A_WORKFLOW = ("reopen_rate", "reopen_delay", "max_reopens", "close_after")
# Tickets of a replication from which on its cost is told before it begins. What one takes was
# measured on a desk of one pool, with figures (288,000 tickets, a shared core, 26 November 2026).
_LARGE, _A_SECOND, _BYTES = 1_000_000, 12_000, 600


def check(scenario: Scenario, beside: Scenario | None = None) -> None:
    """Check what other files decide, and read them all: no fault of an input comes after this.

    Rosters by date are read.

    Parameters
    ----------
    scenario : Scenario
    beside : Scenario, optional
        One that was checked just now, as another setting of a study: articles that both name are
        not read and compared again.

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
    faults = [*_load_fault(scenario), *_model_faults(scenario), *versions.faults(scenario)]
    faults += _evidence_faults(scenario)
    articles = [] if beside is not None and _same_texts(scenario, beside) else _read_files(scenario)
    for pool in scenario.agents.values():
        if pool.roster is not None:
            dated_shifts(pool, scenario)
    categories = category_names(scenario)
    for found in (check_categories, check_channels, check_trace):
        try:
            found(scenario, categories)
        except ScenarioError as error:
            faults += error.faults
    if not faults:
        check_mix(scenario)
    faults += [*_text_faults(scenario), *_figure_faults(scenario)]
    faults += _form_faults(scenario, articles, categories)
    if faults:
        raise ScenarioError(where, faults)
    if scenario.backlog is not None:
        trace = read_trace(scenario).rows if scenario.arrivals.kind == "trace" else None
        opening(scenario, 0, categories, channel_names(scenario, trace))


def check_recording(scenario: Scenario) -> None:
    """Check that what is replayed can be read; not of a scenario that is yet to be recorded.

    Raises
    ------
    ScenarioError
        If it cannot.
    """
    settings = scenario.assistant
    if settings.role == "off" or settings.backend != "replay" or settings.recording is None:
        return
    try:
        read_lines(Path(settings.recording))
    except RecordingError as error:
        fault = Fault("assistant.recording", str(error))
        raise ScenarioError(str(scenario._path or scenario.name), [fault]) from None


def notes(scenario: Scenario) -> list[str]:
    """Parts of a scenario's files that are not used, in sentences; mostly none."""
    found = versions.notes(scenario)
    if scenario.arrivals.kind == "trace":
        found.append(read_trace(scenario).left_out)
    folder = scenario.assistant.knowledge
    if scenario.assistant.role != "off" and folder is not None:
        found.append(left_out(folder))
    if scenario.workflow is not None:
        given = scenario.customers.model_fields_set & set(_NOT_IN_A_WORKFLOW)
        found += [f"customers.{key} is not used: the workflow says what follows"
                  for key in _NOT_IN_A_WORKFLOW if key in given]  # fmt: skip
    return [sentence for sentence in found if sentence]


def _same_texts(scenario: Scenario, other: Scenario) -> bool:
    """True if two scenarios name the same articles, and the same categories to compare with."""
    return all(getattr(scenario, key) == getattr(other, key)
               for key in ("assistant", "tickets", "arrivals"))  # fmt: skip


def _read_files(scenario: Scenario) -> list[Article]:
    """Read what is otherwise read when a replication begins; the articles are given back."""
    settings = scenario.assistant
    if settings.role == "off":
        return []
    articles = []
    if settings.knowledge is not None:
        articles = load_articles(settings.knowledge, settings.skip_bad_articles)
    if settings.learning.mode != "off" and settings.learning.feedback is not None:
        load_feedback(settings.learning.feedback)
    guidelines_of(settings)
    return articles


def _evidence_faults(scenario: Scenario) -> Iterable[Fault]:
    sections = sorted(Scenario.model_fields)
    for key in () if scenario.evidence is None else scenario.evidence.assumed:
        first = key.partition(".")[0]
        if first not in sections:
            hint = nearest(first, sections) or 'keys look like "customers.solved.agent"'
            yield Fault("evidence.assumed", "no key of a scenario", key, hint)


def _form_faults(
    scenario: Scenario, articles: Sequence[Article], categories: Sequence[str]
) -> Iterable[Fault]:
    """Names that differ from those of the articles by blanks or Unicode normalisation only."""
    if not articles:
        return
    for article in articles:
        pair = twins([*categories, article.category])
        if pair is not None and article.category not in categories:
            reason = f"category of {article.slug}.md: {said_twice(*pair)}"
            yield Fault("assistant.knowledge", reason)
    tickets = scenario.tickets
    if tickets.corpus is None:
        return
    slugs = [article.slug for article in articles]
    forms = {same_form(slug): slug for slug in slugs}
    for named in sorted(set(load_corpus(tickets.corpus).article) - {"", *slugs}):
        if (other := forms.get(same_form(named))) is not None:
            yield Fault("tickets.corpus", f"article {said_twice(named, other)}")


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
    """Names under targets.matters and targets.figures that are no figures."""
    targets = scenario.targets
    for key, names in (("matters", targets.matters), ("figures", targets.figures)):
        for name in names:
            try:
                figure_of(name)
            except ValueError as error:
                yield Fault(f"targets.{key}", str(error))
                continue
            limit = targets.figures[name].limit if key == "figures" else targets.matters[name]
            if reason := beyond(name, limit):
                yield Fault(f"targets.{key}.{name}", reason, limit)


def cost(scenario: Scenario, replications: int) -> str:
    """A sentence on the time and the memory of a large run, before it begins; else empty."""
    try:
        total = expected_tickets(scenario)
    except (TwinError, OSError):
        # It is told with all other faults.
        return ""
    if total < _LARGE and total * replications < 20 * _LARGE:
        return ""
    hours = total * replications / _A_SECOND / 3600
    time = f"{hours:.0f} hours" if hours >= 2 else f"{max(60 * hours, 1):.0f} minutes"
    return (
        f"{scenario.name}: about {total:,.0f} tickets in each of {replications:,} replications: it "
        f"may take {time} on one core, and {total * _BYTES / 1e9:.1f} GB of memory a process"
        + (" (less than 1 GB with --stream)" if _can_stream(scenario) else "")
    )


def _can_stream(scenario: Scenario) -> bool:
    covered = why_not(scenario) is None and why_not_in_blocks(scenario) is None
    return covered and has_numba()


def expected_tickets(scenario: Scenario) -> float:
    """Tickets that are expected in a replication."""
    if scenario.arrivals.kind == "trace":
        return scenario.arrivals.scale * len(read_trace(scenario).rows)
    return expected(scenario).between(0.0, scenario.horizon)


def _load_fault(scenario: Scenario) -> Iterable[Fault]:
    if (total := expected_tickets(scenario)) > MAX_TICKETS:
        reason = f"about {total:.3g} tickets in a replication; at most {MAX_TICKETS:,}"
        key = "arrivals.scale" if scenario.arrivals.kind == "trace" else "arrivals.rate"
        yield Fault(key, reason)


def _model_faults(scenario: Scenario) -> Iterable[Fault]:
    assistant = scenario.assistant
    if assistant.role == "off":
        return
    for version in assistant.learning.versions:
        if version not in prompts.VERSIONS:
            hint = f"known: {', '.join(prompts.VERSIONS)}"
            yield Fault("assistant.learning.versions", "no such prompt version", version, hint)
    if faults := list(catalogue.own_faults(scenario.models)):
        yield from faults
        return
    known = catalogue.models(scenario.models)
    for key in ("model", "fallback_model", "judge_model"):
        name = getattr(assistant, key)
        if name is not None and name not in known:
            hint = nearest(name, known)
            yield Fault(f"assistant.{key}", "not in the catalogue", name, hint)
