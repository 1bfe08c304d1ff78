"""The assistant and its provider in plain sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from twin.assistant import catalogue
from twin.assistant.profile import passes
from twin.common.text import EMBEDDED, duration
from twin.demand.arrivals import Expected
from twin.scenario import clock
from twin.scenario.clock import DAY_S
from twin.scenario.model import MeasuredStep, Profile, Scenario
from twin.stats.passes import spread_of
from twin.stats.shares import wilson

_LIMITS = {"rpm": "requests a minute", "rpd": "requests a day"} | {
    "tpm": "tokens a minute",
    "tpd": "tokens a day",
}


def assistant_sentences(scenario: Scenario, arrivals: Expected) -> Iterator[str]:
    """Sentences on the assistant and its provider."""
    assistant = scenario.assistant
    if assistant.role == "off":
        yield "No assistant."
        return
    does = "categorizes and responds" if assistant.role == "full" else "only categorizes"
    articles = f", with up to {assistant.articles} articles" if assistant.retrieval else ""
    text = f"The assistant {does} as {assistant.model} (backend {assistant.backend}{articles})"
    if assistant.confidence_threshold:
        text += f"; below confidence {assistant.confidence_threshold:g} an agent "
        text += "answers" if assistant.unsure == "handle" else "categorizes"
    if assistant.unclear != "answer":
        text += "; tickets that are not clear go to an agent"
    if assistant.human_categories:
        text += f"; always to agents: {', '.join(assistant.human_categories)}"
    if assistant.review_categories:
        whose = ", ".join("all" if name == "*" else name for name in assistant.review_categories)
        text += f"; drafts that an agent approves: {whose}"
    yield text + "."
    if assistant.learning.change is not None:
        file = Path(assistant.learning.change).name
        yield f"Its answers are asked for with a change of the prompt: {file}."
    if assistant.backend == "embedded":
        yield f"{EMBEDDED}."
    if assistant.backend == "profile":
        yield from profile_rests_on(assistant.profile, assistant.role == "full")
        yield from _hard_tickets(scenario)
    for name in (assistant.model, assistant.fallback_model):
        model = catalogue.model(name, scenario.models) if name else None
        if model is not None and model.is_retired(scenario.start):
            successor = model.live_successor(scenario.start)
            hint = f"; {successor.name} follows it" if successor else ""
            yield f"Warning: {model.name} was retired on {model.retired}{hint}."
    yield from _provider(scenario, arrivals)


def profile_rests_on(profile: Profile, responds: bool) -> Iterator[str]:
    """Sentences on what the accuracy and the latency of a profile rest on."""
    measured, confusion = profile.measured, profile.confusion
    if measured is not None and measured.accuracy_texts and confusion:
        right = math.fsum(row.get(name, 0.0) for name, row in confusion.items())
        share = right / math.fsum(math.fsum(row.values()) for row in confusion.values())
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
    yield from _spreads(profile)
    for name in ("categorize", "respond") if responds else ("categorize",):
        stated = getattr(profile, f"{name}_latency")
        step: MeasuredStep | None = getattr(measured, name, None)
        if step is not None and stated is None:
            texts = f" ({step.texts:,} texts)" if step.texts else ""
            yield f"Its latency to {name} was measured on {step.calls:,} calls{texts}."
        else:
            source = "" if stated else ", from the catalogue's speeds"
            yield f"Its latency to {name} is assumed{source} (assistant.profile.{name}_latency)."


def _spreads(profile: Profile) -> Iterator[str]:
    """Sentences on how alike attempts at a ticket are, where that was measured."""
    measured, given = profile.measured, profile.difficulty
    if measured is None or given is None:
        return
    answer = given.answer if given.tickets is None else spread_of(given.tickets)
    for what, value, seen in (
        ("finding the category", given.category, measured.category_spread),
        ("answering", answer, measured.answer_spread),
    ):
        if seen is not None:
            yield (
                f"Two attempts at a ticket go alike in {what} by a correlation of {value:.2f}, "
                f"measured on {seen.tickets:,} tickets with {seen.attempts:,} attempts: "
                f"{seen.low:.2f} to {seen.high:.2f} at 95 %."
            )


def _hard_tickets(scenario: Scenario) -> Iterator[str]:
    """A sentence on what further attempts at a ticket do, where tickets are hard or easy."""
    profile = scenario.assistant.profile
    if profile.difficulty is None or scenario.assistant.role != "full":
        return
    rows = profile.confusion or {"one": {}, "another": {}}
    names = dict.fromkeys([*rows, *(name for row in rows.values() for name in row)])
    once, twice, *_, often = passes(scenario, list(names), 4)
    yield (
        f"At one attempt it solves {once:.1%} of tickets, at both of two {twice:.1%}, at each of "
        f"four {often:.1%} (pass^4): hard tickets stay hard (assistant.profile.difficulty)."
    ).replace("%", " %")


def _provider(scenario: Scenario, arrivals: Expected) -> Iterator[str]:
    provider = scenario.provider
    model = catalogue.model(scenario.assistant.model, scenario.models)
    limits = catalogue.limits_of(model, provider)
    words = [f"{limits[key]:,} {name}" for key, name in _LIMITS.items() if key in limits]
    if provider.concurrency:
        words.append(f"{provider.concurrency} calls at once")
    yield f"Provider ({provider.plan} plan): {', '.join(words) or 'no limits'}."
    calls = 2 if scenario.assistant.role == "full" else 1
    for key, span, name in (("rpm", 60.0, "minute"), ("rpd", DAY_S, "24 hours")):
        limit, (start_s, most) = limits.get(key), arrivals.busiest(span)
        if limit and most * calls > limit:
            yield (
                f"Warning: about {most * calls:,.0f} calls in the busiest {name} (from "
                f"{when(start_s, scenario)}) against {limit:,} {_LIMITS[key]}: "
                "calls will wait and fail."
            )
    planned = [
        f"{duration(o.length)} after {duration(o.start)} ({when(o.start, scenario)})"
        for o in provider.outages
    ]
    if planned:
        yield f"Outages: {'; '.join(planned)}."
    if provider.random_outages:
        up = duration(provider.random_outages.mean_time_between_failures)
        down = duration(provider.random_outages.mean_time_to_repair)
        yield f"Outages at random: {down} after {up}, on average."


def when(moment_s: float, scenario: Scenario) -> str:
    """Weekday, day and local time of a moment of the run."""
    then = clock.local(moment_s, scenario.midnight)
    return f"{then:%A} {then.day} {then:%B} {then:%H:%M}"
