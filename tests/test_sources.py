"""Behaviour by default: each number says where it comes from, or that it is assumed."""

import re

import pytest

import twin.scenario.model  # noqa: F401  (all sections)
from twin.scenario.sections.base import Section

# How people and models behave, where a scenario does not say it.
BEHAVIOUR = {
    "Busyness": {"correlation"},
    "Customers": {"close_after", "max_reopens", "reopen_delay", "reopen_rate", "survey_rate"},
    "Pool": {"follow_up_time", "review_time", "slow_down", "triage_time"},
    "Profile": {
        "accuracy", "categorize_tokens", "confidence_right", "confidence_wrong", "error_rate",
        "prompt_tokens", "quality", "respond_tokens",
    },
    "Reply": {"solved"},
    "Retrial": {"most"},
    "Satisfaction": {
        "emotional_repair", "reopened", "repair", "transfer", "unsolved", "wait", "wrong_category",
    },
    "Routing": {"max_transfers", "same_agent_for"},
    "Solved": {"agent", "assistant", "reviewed", "wrong_category"},
    "Support": {"experienced_after", "gain", "gain_new"},
    "Touches": {"most"},
    "Workflow": {"most"},
}  # fmt: skip
# Settings of a run, of a desk or of a service: choices, not behaviour.
CHOICES = {
    "Arrivals": {"scale"},
    "Assistant": {"articles", "floor", "retry_after", "samples", "temperature"},
    "Learning": {"error_rate", "every", "examples", "explore"},
    "MaxTokens": {"categorize", "respond"},
    "MeasuredStep": {"spread"},
    "Member": {"speed"},
    "Pool": {"concurrency", "handle_scale"},
    "Provider": {"backoff", "max_backoff", "retries", "timeout"},
    "Scenario": {"horizon", "replications", "seed"},
    "Week": {"days", "hours"},
    # Limits of law and contract, each with its source or the word; no desk reads them.
    "WorkRules": {
        "break_earliest",
        "break_latest",
        "break_length",
        "break_over",
        "days_a_week",
        "hours_a_week",
        "length_step",
        "longest",
        "rest",
        "shortest",
        "start_every",
    },
}
# Source with n, or the word.
SAID = re.compile(r"assumed|n = [\d,]+|[\d,]+ agents|same source")


def sections(of=Section):
    for one in of.__subclasses__():
        yield one
        yield from sections(one)


def numbers(section):
    """Fields that are numbers other than 0, distributions or lists of numbers by default."""
    for name, field in section.model_fields.items():
        value = field.get_default(call_default_factory=True)
        first = value[0] if isinstance(value, list) and value else value
        drawn = hasattr(value, "mean_value")
        if drawn or (isinstance(first, int | float) and not isinstance(first, bool) and first):
            yield name


FOUND = {one.__name__: one for one in sections() if one.__module__.startswith("twin.scenario.")}


@pytest.mark.parametrize("name", BEHAVIOUR)
def test_what_people_do_by_default_has_a_source_or_is_called_assumed(name):
    for key in BEHAVIOUR[name]:
        said = FOUND[name].model_fields[key].description or ""
        assert SAID.search(said), f"{name}.{key}: {said}"


@pytest.mark.parametrize("name", sorted(FOUND))
def test_every_number_by_default_is_known_here(name):
    known = BEHAVIOUR.get(name, set()) | CHOICES.get(name, set())
    assert set(numbers(FOUND[name])) <= known
    assert known <= set(FOUND[name].model_fields)
