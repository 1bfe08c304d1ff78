"""Inputs that figures rest on and nobody set: a cost that is missing, a chance that is assumed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from twin.scenario.diff import set_values

if TYPE_CHECKING:
    from twin.scenario.model import Scenario

_COSTS = ("human_cost", "cost_per_arrival", "cost_per_resolution", "cost_week", "helped_per_dollar")
_SOLVING = ("solved", "reopen_rate", "csat", "csat_all", "helped_per_dollar")
_OPINIONS = ("csat", "csat_all", "rating_mean")


@dataclass(frozen=True)
class Unset:
    """A key that nobody set, and the figures that rest on it.

    Attributes
    ----------
    key : str
        Where to set it.
    value : str
        Value that stands in for it; empty: nothing does, and the figures are missing.
    figures : tuple of str
    why : str
        Where that value is from.
    """

    key: str
    value: str
    figures: tuple[str, ...]
    why: str = "default"

    def __str__(self) -> str:
        carried = ", ".join(self.figures)
        if not self.value:
            return f"not known: {carried}; set {self.key}"
        return f"assumed: {self.key} = {self.value} ({self.why}), which carries {carried}"


# Key, default in words, figures, and on which desks it counts.
_Rule = tuple[str, Callable[["Scenario"], str], tuple[str, ...], Callable[["Scenario"], bool]]


def _answers(desk: Scenario) -> bool:
    return desk.assistant.role == "full"


def _profile(desk: Scenario, measured: bool = False) -> bool:
    """True if the assistant is drawn from a profile and not from what was measured."""
    assistant = desk.assistant
    known = measured and assistant.profile.measured is not None
    return assistant.role != "off" and assistant.backend == "profile" and not known


def _closes_unanswered(desk: Scenario) -> bool:
    waiting = None if desk.touches is None else desk.touches.waiting
    return waiting is not None and waiting.close_after is not None


def _solved_unanswered(desk: Scenario) -> str:
    assert desk.touches is not None
    assert desk.touches.waiting is not None
    return f"{desk.touches.waiting.solved:g}"


def _may_fail(desk: Scenario) -> bool:
    """True if an answer may solve nothing, so that customers may come back."""
    solved = desk.customers.solved
    waiting = None if desk.touches is None else desk.touches.waiting
    return (
        _answers(desk)
        or solved.agent < 1
        or (waiting is not None and waiting.solved < 1)
        or (desk.assistant.support is not None and desk.assistant.support.changes_quality)
    )


_ASSUMED: tuple[_Rule, ...] = (
    ("assistant.profile.accuracy", lambda d: f"{d.assistant.profile.accuracy:g}",
     ("categorization_accuracy", "containment", *_SOLVING),
     lambda d: _profile(d) and d.assistant.profile.confusion is None),
    ("assistant.profile.quality", lambda d: "0.8", ("quality", "containment", *_SOLVING),
     lambda d: _profile(d) and _answers(d)
     and getattr(d.assistant.profile.measured, "quality", None) is None),
    ("assistant.profile.respond_latency", lambda d: "by the catalogue", ("model_latency_mean",),
     lambda d: _profile(d, measured=True)),
    ("assistant.profile.error_rate", lambda d: f"{d.assistant.profile.error_rate:g}",
     ("call_failure_share", "escalation_rate"), _profile),
    ("customers.solved.agent", lambda d: f"{d.customers.solved.agent:g}", _SOLVING,
     lambda d: bool(d.agents) or d.workflow is not None),
    ("customers.solved.reviewed", lambda d: f"{d.customers.solved.reviewed:g}", _SOLVING,
     lambda d: _answers(d) and bool(d.assistant.review_categories)),
    ("customers.solved.assistant", lambda d: f"{d.customers.solved.assistant:g}",
     ("containment", *_SOLVING), _answers),
    ("customers.solved.wrong_category", lambda d: f"{d.customers.solved.wrong_category:g}",
     ("containment", *_SOLVING), _answers),
    ("touches.waiting.solved", _solved_unanswered, ("solved", "csat_all", "helped_per_dollar"),
     _closes_unanswered),
    ("customers.reopen_rate", lambda d: f"{d.customers.reopen_rate:g}",
     ("reopen_rate", "containment", "solved"), lambda d: d.workflow is None and _may_fail(d)),
    ("customers.patience", lambda d: "endless", ("abandonment_rate", "agent_wait_mean", "solved"),
     lambda d: bool(d.agents)),
    ("customers.survey_rate", lambda d: f"{d.customers.survey_rate:g}", ("rated_share",),
     lambda d: True),
    ("customers.satisfaction", lambda d: "as in published surveys", _OPINIONS,
     lambda d: d.customers.survey_rate > 0),
)  # fmt: skip
_MISSING: tuple[_Rule, ...] = (
    ("targets.first_response", lambda d: "", ("service_level", "human_service_level"),
     lambda d: not d.targets.first_human_response),
    ("targets.first_response", lambda d: "", ("service_level",),
     lambda d: bool(d.targets.first_human_response)),
    ("targets.resolution", lambda d: "", ("resolution_within_target",), lambda d: True),
)  # fmt: skip


# Facts that the history of a real desk may not hold, with the figures that rest on them.
RESTS_ON: dict[str, tuple[str, ...]] = {
    "responses": ("first_response_mean", "first_response_median", "first_response_p90",
                  "first_response_p95", "service_level"),
    "resolutions": ("throughput", "resolution_mean", "resolution_median", "resolution_p90",
                    "resolution_p95", "resolution_within_target", "backlog", "solved",
                    "containment", "reopen_rate", "abandonment_rate", "csat_all", "rated_share",
                    "cost_per_resolution", "helped_per_dollar"),
    "reopens": ("reopen_rate", "containment"),
    "abandonments": ("abandonment_rate",),
    "work": ("human_response_mean", "human_response_median", "human_response_p90",
             "human_response_p95", "human_service_level", "agent_wait_mean", "agent_wait_share",
             "queue", "occupancy", "workload_ratio", "concurrency_mean", "containment"),
    "staffing": ("occupancy", "workload_ratio", "human_cost", "cost_per_arrival",
                 "cost_per_resolution", "cost_week", "helped_per_dollar"),
    "assistant": ("containment", "escalation_rate", "model_cost", "prompt_tokens",
                  "completion_tokens", "quota_wait_mean", "rate_limited_share",
                  "call_failure_share", "model_latency_mean", "quality",
                  "categorization_accuracy", "confusion"),
    "ratings": ("csat", "csat_all", "rating_mean", "rating_share", "rated_share"),
    "solved": ("solved", "helped_per_dollar"),
}  # fmt: skip


def not_known(unknown: Collection[str]) -> dict[str, str]:
    """Figures that are missing where facts are not known, each with the first such fact.

    Examples
    --------
    >>> not_known({"abandonments"})
    {'abandonment_rate': 'abandonments'}
    """
    facts = [fact for fact in RESTS_ON if fact in unknown]
    return {name: fact for fact in reversed(facts) for name in RESTS_ON[fact]}


def unset(scenario: Scenario) -> list[Unset]:
    """Keys that a scenario leaves open and that figures rest on; first those that are missing.

    Parameters
    ----------
    scenario : Scenario

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"}, "agents":
    ...                        {"all": {"heads": 1, "handle_time": "5min", "cost": 20}}})
    >>> [one.key for one in unset(desk)][-2:]
    ['customers.survey_rate', 'customers.satisfaction']
    """
    given = [key for key, _ in set_values(scenario)]
    stood_in = stood_in_for(scenario)

    def is_set(key: str) -> bool:
        return key not in stood_in and any(k == key or k.startswith(f"{key}.") for k in given)

    found = [*_costs(scenario), *_apply(_MISSING, scenario, is_set),
             *_apply(_ASSUMED, scenario, is_set)]  # fmt: skip
    return [replace(one, **stood_in.get(one.key, {})) for one in found]


def stood_in_for(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Keys that are set and assumed nevertheless, with what `Unset` says of them.

    A calibration writes numbers that no history tells; of others a range is stated.
    """
    found: dict[str, dict[str, Any]] = {}
    if scenario.evidence is not None:
        found |= {key: {"why": "not in the history"} for key in scenario.evidence.assumed}
    if scenario.uncertainty is not None:
        found |= {
            key: {"value": f"{low} to {high}", "why": "a stated range"}
            for key, (low, high) in scenario.uncertainty.assumed.items()
        }
    return found


def assumed_by(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Keys of the assumed numbers that each figure rests on; of figures that rest on some.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"}, "agents":
    ...                        {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> assumed_by(desk)["abandonment_rate"]
    ('customers.patience',)
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in unset(scenario):
        for name in one.figures if one.value else ():
            found[name] = (*found.get(name, ()), one.key)
    return found


def told(scenario: Scenario, figures: Collection[str]) -> list[str]:
    """Lines on what a scenario leaves open, about some figures only."""
    found = []
    for one in unset(scenario):
        about = tuple(name for name in one.figures if name in figures)
        if about:
            found.append(str(replace(one, figures=about)))
    return found


def _costs(scenario: Scenario) -> Iterator[Unset]:
    without = [name for name, pool in scenario.agents.items() if pool.cost is None]
    if without:
        yield Unset(" and ".join(f"agents.{name}.cost" for name in without), "", _COSTS)


def _apply(
    rules: tuple[_Rule, ...], scenario: Scenario, is_set: Callable[[str], bool]
) -> Iterator[Unset]:
    for key, value, figures, counts in rules:
        if counts(scenario) and not is_set(key):
            yield Unset(key, value(scenario), figures)
