"""Names of categories and channels in a scenario: each must be one that tickets can have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twin.common.errors import Fault, ScenarioError, nearest
from twin.common.tables import said_twice, twins
from twin.demand.mix import channel_names
from twin.demand.recorded import read_trace
from twin.scenario.model import PRIORITIES, Scenario


def check_channels(scenario: Scenario, categories: Sequence[str]) -> None:
    """Every channel that the scenario names must be one that tickets can have.

    Figures of a channel are told from those of a priority or category by its name, so it has none
    of theirs.

    Raises
    ------
    ScenarioError
        With one fault for each name.
    """
    trace = read_trace(scenario).rows if scenario.arrivals.kind == "trace" else None
    channels = channel_names(scenario, trace)
    targets = scenario.targets
    named: list[tuple[str, Iterable[str]]] = [
        ("customers.patience_by_channel", scenario.customers.patience_by_channel),
        ("targets.first_response_by_channel", targets.first_response_by_channel),
        ("targets.first_human_response_by_channel", targets.first_human_response_by_channel),
        ("targets.resolution_by_channel", targets.resolution_by_channel),
    ]
    for name, pool in scenario.agents.items():
        named.append((f"agents.{name}.channels", pool.channels))
        named.append((f"agents.{name}.handle_times_by_channel", pool.handle_times_by_channel))
        named.append((f"agents.{name}.weights_by_channel", pool.weights_by_channel))
    no = 'none is known: give tickets.channel_mix, or a trace with a column "channel"'
    faults = [
        Fault(key, "no ticket has this channel", name, _nearest(name, channels) if channels else no)
        for key, names in named
        for name in names
        if name not in channels
    ]
    key = "tickets.channel_mix" if scenario.tickets.channel_mix else "arrivals.trace"
    for name in channels:
        if name in categories or name in PRIORITIES:
            yet = "a category" if name in categories else "a priority"
            faults.append(Fault(key, f"a channel is named like {yet}: give it another name", name))
    if faults:
        raise ScenarioError(str(scenario._path or scenario.name), faults)


def check_categories(scenario: Scenario, categories: Sequence[str]) -> None:
    """Every category that the scenario names must be one that tickets can have.

    Raises
    ------
    ScenarioError
        With one fault for each unknown name.
    """
    named: list[tuple[str, Iterable[str]]] = [
        ("tickets.category_mix", scenario.tickets.category_mix or ()),
        ("tickets.category_hours", scenario.tickets.category_hours),
        ("customers.patience_by_category", scenario.customers.patience_by_category),
        (
            "customers.satisfaction.emotional_categories",
            scenario.customers.satisfaction.emotional_categories,
        ),
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
        named.append((f"agents.{name}.weights", pool.weights))
        for k, member in enumerate(pool.members):
            named.append((f"agents.{name}.members.{k}.skills", member.skills))
    faults = [
        Fault(key, "no ticket has this category", name, _nearest(name, categories))
        for key, names in named
        for name in names
        if name not in categories
    ]
    if faults:
        raise ScenarioError(str(scenario._path or scenario.name), faults)


def _nearest(name: str, categories: Sequence[str]) -> str:
    pair = twins([*categories, name])
    return said_twice(*pair) if pair else nearest(name, categories)
