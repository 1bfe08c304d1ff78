"""Scenarios that the compiled desk covers: a list of what it knows, so a new key is outside.

SimPy's desk is the reference. A key that the machine learns to play moves from `OUTSIDE` to
`COVERED`; a key in neither is refused wherever it is set (`tests/test_compiled.py` names it).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from twin.scenario.model import Scenario

# Keys with any value, all below them included. The desk reads none of the first ones: they say what
# comes (it is drawn before), what is measured, and what stands beside a scenario.
COVERED = frozenset(
    {
        "name", "question", "warm_up", "seed", "replications", "arrivals", "tickets", "backlog",
        "targets", "uncertainty", "evidence", "work_rules", "workflow",
        # Calendars are worked out before, too.
        "horizon", "start", "time_zone", "agents.*.heads", "agents.*.shifts", "agents.*.roster",
        "agents.*.extra_heads", "agents.*.shrinkage", "agents.*.time_zone", "agents.*.holidays",
        # So is all work that agents do.
        "agents.*.handle_time", "agents.*.handle_times", "agents.*.handle_times_by_channel",
        "agents.*.handle_scale", "agents.*.handle_hours", "agents.*.handle_growth",
        "agents.*.wrap_up", "agents.*.cost", "agents.*.review_time", "agents.*.triage_time",
        "agents.*.follow_up_time", "touches",
        # Who takes a ticket, and who waits for it.
        "agents.*.skills", "agents.*.channels", "agents.*.overflow_to", "agents.*.overflow_after",
        "agents.*.overflow_at", "agents.*.transfers_to", "routing.max_transfers",
        "agents.*.at_shift_end",
        "agents.*.away.after_touch", "agents.*.away.while_idle", "agents.*.away.returns",
        "agents.*.away.returns_per_queued", "queue.capacity", "queue.balking",
        "routing.wait_bonus",
        "routing.pool_choice", "routing.choice", "agents.*.individuals", "agents.*.concurrency",
        # Not used unless others are given that are outside.
        "agents.*.slow_down", "agents.*.tenure", "agents.*.transfers_only",
        "routing.same_agent_for",
        # Customers.
        "customers.patience", "customers.patience_by_category", "customers.patience_by_channel",
        "customers.patience_by_priority", "customers.patience_hours", "customers.survey_rate",
        "customers.solved", "customers.reopen_rate", "customers.reopen_delay",
        "customers.max_reopens", "customers.retrial", "customers.callback",
        "customers.close_after", "customers.satisfaction",
        # The assistant, all of whose answers are columns.
        "provider", "models", "assistant.role", "assistant.backend", "assistant.model",
        "assistant.temperature", "assistant.max_tokens", "assistant.retrieval",
        "assistant.knowledge", "assistant.skip_bad_articles", "assistant.articles",
        "assistant.floor", "assistant.confidence_threshold", "assistant.unsure",
        "assistant.unclear",
        "assistant.human_categories", "assistant.review_categories", "assistant.on_failure",
        "assistant.retry_after", "assistant.fallback_model", "assistant.recording",
        "assistant.samples", "assistant.judge", "assistant.judge_model", "assistant.profile",
        # Not read unless it learns.
        "assistant.learning.versions", "assistant.learning.every", "assistant.learning.explore",
        "assistant.learning.error_rate", "assistant.learning.examples",
        "assistant.learning.feedback", "assistant.learning.effect",
        # In the prompts, so in the answers that are columns.
        "assistant.learning.change",
    }
)  # fmt: skip
# Keys that are covered at one value only, in words: what a desk has that sets another.
OUTSIDE = {
    "assistant.learning.mode": "an assistant that learns",
    "assistant.support": "agents whom an assistant supports",
    "agents.*.weights": "tickets that take several places",
    "agents.*.weights_by_channel": "tickets that take several places",
    "agents.*.members": "agents by name",
    "agents.*.turnover": "agents who are replaced",
    "routing.same_agent": "tickets that return to the same agent",
}


def why_not(scenario: Scenario) -> str | None:
    """The reason why a scenario is outside of what the compiled desk covers; None: it is covered.

    Examples
    --------
    >>> import twin
    >>> pool = {"heads": 1, "handle_time": "5min"}
    >>> desk = twin.from_data({"arrivals": {"rate": "6/h"}, "agents": {"all": pool}})
    >>> why_not(desk)
    >>> why_not(desk.vary({"routing.same_agent": 0.5}))
    'tickets that return to the same agent (routing.same_agent)'
    """
    for path, key in _set_otherwise(scenario):
        return f"{OUTSIDE.get(key, 'a key that the compiled desk does not know')} ({path})"
    for pool in scenario.agents.values():
        if pool.away is not None and scenario.told_apart(pool):
            return f"agents who are told apart and come and go (agents.{pool.name}.away)"
    return None


def why_not_in_blocks(scenario: Scenario) -> str | None:
    """The reason why a covered scenario cannot be played in blocks of tickets; None: it can be."""
    settings = scenario.assistant
    if scenario.workflow is not None:
        return "statuses of its own, whose ways are drawn for all tickets at once"
    if any(scenario.told_apart(pool) for pool in scenario.agents.values()):
        return "agents who are told apart"
    if settings.role == "off":
        return None
    if settings.backend not in ("embedded", "profile"):
        return f'answers of backend "{settings.backend}", which are asked one by one'
    if settings.fallback_model is not None:
        return "a second model (assistant.fallback_model)"
    return None


def _set_otherwise(section: BaseModel, path: str = "", key: str = "") -> Iterator[tuple[str, str]]:
    """Keys of a section that are not covered and not at their default, as (path, key)."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        here, known = f"{path}{name}", f"{key}{name}"
        if known in COVERED:
            continue
        if known == "agents":
            for pool, settings in value.items():
                yield from _set_otherwise(settings, f"{here}.{pool}.", f"{known}.*.")
        elif _holds_more(known) and isinstance(value, BaseModel):
            yield from _set_otherwise(value, f"{here}.", f"{known}.")
        elif value != _default(type(section), name):
            yield here, known


@cache
def _default(section: type[BaseModel], name: str) -> Any:
    # Made once: it is looked at, not changed.
    return section.model_fields[name].get_default(call_default_factory=True)


@cache
def _holds_more(key: str) -> bool:
    return any(name.startswith(f"{key}.") for name in (*COVERED, *OUTSIDE))


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """All keys of a section, a pool of agents being ``agents.*``, as deep as the list goes."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        inner = [kind for kind in _models(field.annotation) if _holds_more(key)]
        if inner:
            for kind in inner:
                yield from keys(kind, f"{key}.*." if key == "agents" else f"{key}.")
        else:
            yield key


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]
