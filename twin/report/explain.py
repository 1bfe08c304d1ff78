"""A scenario in plain sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

import numpy as np

from twin.assistant import catalogue
from twin.common.text import EMBEDDED, duration
from twin.demand.tickets import Demand, draw
from twin.scenario.calendars import staffing
from twin.scenario.model import MeasuredStep, Pool, Priority, Profile, Scenario
from twin.stats.shares import wilson

WEEK_S = 604_800.0
_LIMITS = {"rpm": "requests a minute", "rpd": "requests a day"} | {
    "tpm": "tokens a minute",
    "tpd": "tokens a day",
}


def explain(scenario: Scenario) -> list[str]:
    """A few sentences: load, staffing, assistant, provider, targets and customers.

    Raises
    ------
    ScenarioError
        If the scenario cannot run.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> twin.explain(desk)[1]
    'About 144 tickets (6 an hour) arrive at random. They are of one category, without texts.'
    """
    demand = draw(scenario, 0)
    runs = (
        f"Runs {duration(scenario.horizon)} from {scenario.start} ({scenario.time_zone}), "
        f"{scenario.replications} replications, seed {scenario.seed}"
    )
    if scenario.warm_up:
        runs += f"; the first {duration(scenario.warm_up)} are not measured"
    return [
        f"{runs}.",
        _load(scenario, demand),
        *_people(scenario, demand),
        *_assistant(scenario),
        *_targets(scenario),
        _customers(scenario),
    ]


def _rate(scenario: Scenario, demand: Demand) -> float:
    """Mean arrival rate, a second."""
    if scenario.arrivals.rate is None:
        return len(demand) / scenario.horizon
    return scenario.arrivals.rate * scenario.arrivals.scale


def _load(scenario: Scenario, demand: Demand) -> str:
    arrivals = scenario.arrivals
    rate = _rate(scenario, demand)
    kind = {"poisson": "at random", "constant": "evenly spaced", "trace": "as recorded"}
    text = f"About {rate * scenario.horizon:,.0f} tickets ({rate * 3600:.3g} an hour) arrive "
    text += kind.get(arrivals.kind, "by hour of week")
    if arrivals.week is not None:
        weights = arrivals.week.weights
        text += f", {max(weights) / np.mean(weights) * rate * 3600:.3g} in the busiest hour"
    extras = []
    if arrivals.busyness is not None:
        extras.append(f"some days busier than others (cv {arrivals.busyness.cv:g})")
    if arrivals.bursts is not None:
        extras.append(f"bursts of {arrivals.bursts.factor:g} times the quiet rate")
    extras += [
        f"{surge.factor:g} times the rate for {duration(surge.length)} "
        f"after {duration(surge.start)}"
        for surge in arrivals.surges
    ]
    if extras:
        text += "; " + "; ".join(extras)
    mix = scenario.tickets.category_mix
    none = [name for name in demand.categories if mix is not None and not mix.get(name)]
    count = len(demand.categories) - len(none)
    about = f"{count} categories" if count > 1 else "one category"
    if none:
        about += f" (category_mix has none of {', '.join(none)})"
    texts = f", {len(demand.texts)} texts in the corpus" if demand.texts else ", without texts"
    return f"{text}. They are of {about}{texts}."


def _mean_staffed(pool: Pool, scenario: Scenario) -> float:
    """Agents on shift, on average over whole weeks: a second Sunday must not count twice."""
    weeks_s = max(1, scenario.horizon // WEEK_S) * WEEK_S
    whole = scenario.model_copy(update={"horizon": weeks_s})
    return float(staffing(pool, whole).integral(np.array([weeks_s]))[0]) / weeks_s


def _people(scenario: Scenario, demand: Demand) -> Iterator[str]:
    if not scenario.agents:
        yield "No agents: what the assistant cannot do, nobody does."
        return
    staffed = 0.0
    for name, pool in scenario.agents.items():
        mean = _mean_staffed(pool, scenario)
        staffed += mean
        hours = mean * WEEK_S / 3600
        skills = f"takes {', '.join(pool.skills)}" if pool.skills else "takes everything"
        cost = f", ${hours * pool.cost:,.0f} a week" if pool.cost else ""
        handle = duration(round(pool.handle_time.mean_value(), 1))
        yield (
            f"Pool {name}: {hours:,.0f} agent hours a week{cost}, {skills}, "
            f"{handle} a ticket on average."
        )
    yield from _capacity(scenario, demand, staffed)


def _capacity(scenario: Scenario, demand: Demand, staffed: float) -> Iterator[str]:
    count = len(demand.categories)
    shares = np.bincount(demand.category, minlength=count) / max(1, len(demand))
    work = 0.0
    for name, share in zip(demand.categories, shares.tolist(), strict=True):
        pools = [p for p in scenario.agents.values() if not p.skills or name in p.skills]
        if not pools:
            if share > 0:
                yield f'Warning: no pool takes "{name}": agents never handle such tickets.'
            continue
        means = [p.handle_times.get(name, p.handle_time).mean_value() for p in pools]
        work += share * float(np.mean(means))
    needed = _rate(scenario, demand) * work
    answers = scenario.assistant.role == "full"
    yield (
        f"Work: {'without the assistant ' if answers else ''}{needed:.3g} agents would be busy on "
        f"average; {staffed:.3g} are staffed."
    )
    if needed >= staffed and not answers and scenario.customers.patience is None:
        yield "Warning: more work than staff, so the queue grows for as long as it runs."


def _assistant(scenario: Scenario) -> Iterator[str]:
    assistant = scenario.assistant
    if assistant.role == "off":
        yield "No assistant."
        return
    does = "categorizes and responds" if assistant.role == "full" else "only categorizes"
    articles = f", with up to {assistant.articles} articles" if assistant.retrieval else ""
    text = f"The assistant {does} as {assistant.model} (backend {assistant.backend}{articles})"
    if assistant.confidence_threshold:
        text += f"; below confidence {assistant.confidence_threshold:g} an agent categorizes"
    if assistant.human_categories:
        text += f"; always to agents: {', '.join(assistant.human_categories)}"
    if assistant.review_categories:
        whose = ", ".join("all" if name == "*" else name for name in assistant.review_categories)
        text += f"; drafts that an agent approves: {whose}"
    yield text + "."
    if assistant.backend == "embedded":
        yield f"{EMBEDDED}."
    if assistant.backend == "profile":
        yield from profile_rests_on(assistant.profile, assistant.role == "full")
    for name in (assistant.model, assistant.fallback_model):
        model = catalogue.model(name) if name else None
        if model is not None and model.is_retired(scenario.start):
            successor = model.live_successor(scenario.start)
            hint = f"; {successor.name} follows it" if successor else ""
            yield f"Warning: {model.name} was retired on {model.retired}{hint}."
    yield from _provider(scenario)


def profile_rests_on(profile: Profile, responds: bool) -> Iterator[str]:
    """Sentences on what the accuracy and the latency of a profile rest on."""
    measured, confusion = profile.measured, profile.confusion
    if measured is not None and measured.accuracy_texts and confusion:
        right = sum(row.get(name, 0.0) for name, row in confusion.items())
        share = right / sum(sum(row.values()) for row in confusion.values())
        low, high = wilson(share, measured.accuracy_texts)
        text = (
            f"Its accuracy, {share:.1%}, was measured on {measured.accuracy_texts:,} texts "
            f"({measured.accuracy_answers:,} answers): {low:.1%} to {high:.1%} at 95 %."
        )
        yield re.sub(r"(?<=\d)%", " %", text)
    else:
        yield (
            f"Its accuracy, {profile.accuracy:.1%}, is assumed (assistant.profile.accuracy)."
        ).replace("%,", " %,")
    for name in ("categorize", "respond") if responds else ("categorize",):
        stated = getattr(profile, f"{name}_latency")
        step: MeasuredStep | None = getattr(measured, name, None)
        if step is not None and stated is None:
            texts = f" ({step.texts:,} texts)" if step.texts else ""
            yield f"Its latency to {name} was measured on {step.calls:,} calls{texts}."
        else:
            source = "" if stated else ", from the catalogue's speeds"
            yield f"Its latency to {name} is assumed{source} (assistant.profile.{name}_latency)."


def _provider(scenario: Scenario) -> Iterator[str]:
    provider = scenario.provider
    limits = catalogue.limits_of(catalogue.model(scenario.assistant.model), provider)
    words = [f"{limits[key]:,} {name}" for key, name in _LIMITS.items() if key in limits]
    if provider.concurrency:
        words.append(f"{provider.concurrency} calls at once")
    yield f"Provider ({provider.plan} plan): {', '.join(words) or 'no limits'}."
    calls = 2 if scenario.assistant.role == "full" else 1
    rate = (scenario.arrivals.rate or 0.0) * scenario.arrivals.scale * calls
    for key in ("rpm", "rpd"):
        limit, span = limits.get(key), catalogue.LIMITS[key]
        if limit and rate * span > limit:
            yield (
                f"Warning: about {rate * span:,.0f} calls against {limit:,} {_LIMITS[key]}: "
                "calls will wait and fail."
            )
    planned = [f"{duration(o.length)} after {duration(o.start)}" for o in provider.outages]
    if planned:
        yield f"Outages: {'; '.join(planned)}."
    if provider.random_outages:
        up = duration(provider.random_outages.mean_time_between_failures)
        down = duration(provider.random_outages.mean_time_to_repair)
        yield f"Outages at random: {down} after {up}, on average."


def _targets(scenario: Scenario) -> Iterator[str]:
    targets = scenario.targets
    for label, times in (
        ("First response", targets.first_response),
        ("Resolution", targets.resolution),
    ):
        if times:
            parts = [
                f"{name} {duration(times[name])}" for name in get_args(Priority) if name in times
            ]
            yield f"{label} is promised within: {', '.join(parts)} ({targets.clock})."


def _customers(scenario: Scenario) -> str:
    customers = scenario.customers
    patience = "wait for as long as it takes"
    if customers.patience is not None:
        mean = duration(round(customers.patience.mean_value(), 1))
        patience = f"wait for an agent {mean} on average before they give up"
    return f"Customers {patience}; {customers.survey_rate:.0%} of the resolved rate the answer."
