"""Assumptions of a run in words, each with the key that changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twin.common.text import duration
from twin.measures.inputs import stood_in_for
from twin.scenario.diff import set_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twin.scenario.model import Pool, Scenario, Support

_BACKENDS = {
    "embedded": "a small sentence-embedding model categorizes and retrieves; latency and tokens "
    "are those the catalogue gives for the model",
    "profile": "statistical: answers, latency, tokens and quality are drawn from distributions",
    "groq": "the live model's own answers and latency, recorded",
    "replay": "recorded answers and latency of the live model",
}


def assumptions(scenario: Scenario) -> list[tuple[str, str, str, str]]:
    """Assumptions as (about, assumption, key, "set", "assumed" or "default").

    Assumed are numbers that a calibration had to set, as no history tells them, and stated ranges.
    """
    given = [key for key, _ in set_values(scenario)]
    stood_in = stood_in_for(scenario)

    def origin(key: str) -> str:
        if key in stood_in:
            return "assumed"
        return "set" if any(k == key or k.startswith(f"{key}.") for k in given) else "default"

    rows = [*_demand(scenario), *_assistant(scenario), *_people(scenario), *_customers(scenario)]
    if scenario.evidence is not None:
        rows += [
            (f"Changes of {kind.replace('_', ' ')}", said, f"evidence.{kind}")
            for kind, said in scenario.evidence.said.items()
            if said
        ]
    return [(about, text, key, origin(key)) for about, text, key in rows]


def _demand(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    arrivals = scenario.arrivals
    kinds = {
        "poisson": "independent of each other, at one rate",
        "hourly": "independent of each other, at a rate by hour of week",
        "constant": "evenly spaced",
        "trace": "as recorded",
    }
    text = kinds[arrivals.kind]
    busyness = arrivals.busyness
    if busyness is not None and busyness.cv is not None:
        text += f"; whole days are busier or calmer (cv {busyness.cv:g})"
    if busyness is not None and busyness.part_cv is not None:
        text += f"; parts of a day are busier or calmer (cv {busyness.part_cv:g})"
    yield "Arrivals", text, "arrivals"
    if scenario.tickets.corpus:
        yield (
            "Tickets",
            "texts are drawn from the corpus, each as likely as any other of its category",
            "tickets.corpus",
        )


def _assistant(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    assistant, provider = scenario.assistant, scenario.provider
    if assistant.role == "off":
        yield "Assistant", "there is none", "assistant.role"
        return
    yield "Assistant", _BACKENDS[assistant.backend], "assistant.backend"
    text = f"limits of the {provider.plan} plan, up to {provider.retries} more tries a call"
    yield "Provider", text, "provider"
    outages = "planned and at random" if provider.outages and provider.random_outages else (
        "planned" if provider.outages else "at random" if provider.random_outages else "none"
    )  # fmt: skip
    yield "Outages", outages, "provider.outages"


def _people(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    for name, pool in scenario.agents.items():
        mean = duration(round(pool.handle_scale * pool.handle_time.mean_value(), 1))
        after = ""
        if pool.wrap_up is not None:
            after = f", and {duration(round(pool.wrap_up.mean_value(), 1))} after each touch"
        ends = f"agents {pool.at_shift_end} their work"
        if pool.at_shift_end == "continue":
            ends = "work stops, to go on when the pool is there again"
        text = (
            f"{name}: work on a ticket takes {mean} on average{after}; at the end of a shift {ends}"
        )
        yield "Agents", text, f"agents.{name}.handle_time"
        if pool.concurrency > 1:
            speeds = ", ".join(f"{speed:.3g}" for speed in pool.speeds[:5])
            more = ", ..." if pool.concurrency > 5 else ""
            text = f"{name}: up to {pool.concurrency} tickets in hand, each at speed {speeds}{more}"
            yield "Agents", text, f"agents.{name}.slow_down"
        if heavy := places_words(pool):
            text = (
                f"{name}: of {pool.concurrency} tickets in hand {heavy}; who has too few free "
                "places for the first in line takes the first who fits"
            )
            key = "weights_by_channel" if pool.weights_by_channel else "weights"
            yield "Agents", text, f"agents.{name}.{key}"
        if pool.shrinkage:
            text = f"{name}: each agent comes to a shift or not, independent of all others"
            yield "Agents", text, f"agents.{name}.shrinkage"
        if pool.away is not None:
            text = f"{name}: they come and go, with exponential times, and are paid while away"
            yield "Agents", text, f"agents.{name}.away"
    always = all(pool.away is None and not pool.shrinkage for pool in scenario.agents.values())
    rest = ", never ill, and do nothing else on shift" if always else ""
    support = scenario.assistant.support
    if support is not None and scenario.agents:
        yield "Agents", support_words(support), "assistant.support"
    if scenario.agents:
        named = any(pool.members for pool in scenario.agents.values())
        unless = " unless a member's speed says otherwise" if named else ""
        yield (
            "Agents",
            f"take tickets by skill, then {_order(scenario)}; all of a pool are equally "
            f"fast{unless}{rest}",
            "agents",
        )


def places_words(pool: Pool) -> str:
    """Places that kinds of tickets take in the hand of an agent, in words; empty: one each."""
    weights = {**pool.weights, **pool.weights_by_channel}
    return ", ".join(
        f"{name} takes the place of {weight}" for name, weight in weights.items() if weight > 1
    )


def support_words(support: Support) -> str:
    """Effect of an assistant's support on agents, in words."""
    old = f"those of {duration(support.experienced_after)} and longer"
    words = (
        f"work with an assistant's drafts and suggestions, which makes new ones "
        f"{_more(support.gain_new)}, {old} {_more(support.gain_experienced)}, and those of unknown "
        f"tenure {_more(support.gain)}"
    )
    if not support.changes_quality:
        return words
    return (
        f"{words}; the share of their answers that solve changes by "
        f"{_points(support.solved_new)} of new ones, {_points(support.solved_experienced)} of "
        f"{old}, and {_points(support.solved)} of those of unknown tenure"
    )


def _points(change: float) -> str:
    return f"{100 * change:+.3g} points"


def _more(gain: float) -> str:
    return f"{abs(100 * gain):.3g} % {'faster' if gain >= 0 else 'slower'}"


def _order(scenario: Scenario) -> str:
    bonus_s = scenario.routing.wait_bonus
    if bonus_s is None:
        return "priority, then waiting time"
    return f"waiting time, with {duration(bonus_s)} of it for each step of priority"


def _customers(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    customers = scenario.customers
    solved = customers.solved
    if scenario.agents or scenario.workflow is not None:
        text = f"an agent's answer solves {solved.agent:.0%} of tickets"
        yield "Customers", text.replace("%", " %"), "customers.solved.agent"
    if scenario.assistant.role == "full":
        text = (
            f"the assistant's solves up to {solved.assistant:.0%} in the right category (at "
            f"quality 1), {solved.wrong_category:.0%} in a wrong one"
        )
        yield "Customers", text.replace("%", " %"), "customers.solved"
    if scenario.workflow is None:
        text = f"{customers.reopen_rate:.0%} of the unsolved come back, at most "
        text += f"{customers.max_reopens} times each"
        yield "Customers", text.replace("%", " %"), "customers.reopen_rate"
    else:
        text = "tickets go from status to status by chances and delays that do not hang on the load"
        yield "Workflow", text, "workflow"
    patience = "wait for an agent without end"
    if customers.patience is not None:
        mean = duration(round(customers.patience.mean_value(), 1))
        patience = f"give up waiting for an agent after {mean} on average"
    kinds = [kind for kind in ("channel", "category", "priority")
             if getattr(customers, f"patience_by_{kind}")]  # fmt: skip
    if kinds:
        patience += f", or by a patience of their {' or '.join(kinds)}"
    yield "Customers", patience, "customers.patience"
    queue = scenario.queue
    if queue.capacity is not None:
        text = f"who finds {queue.capacity:,} waiting is turned away"
        text += ", and does not try again" if customers.retrial is None else ""
        yield "Customers", text, "queue.capacity"
    if customers.retrial is not None:
        chance, most = customers.retrial.chance, customers.retrial.most
        text = f"{chance:.0%} of those who left without an agent try again, at most {most} times"
        yield "Customers", text.replace("%", " %"), "customers.retrial"
    if customers.callback is not None:
        text = "who leaves a number is always reached, in the turn that they would have had"
        yield "Customers", text, "customers.callback"
    if queue.balking:
        text = f"each ticket that waits puts off {queue.balking:.3g} of those who come"
        yield "Customers", text, "queue.balking"
    text = (
        f"{customers.survey_rate:.0%} of resolved tickets are rated; ratings fall with waits, "
        "wrong categories, transfers and reopenings as in published surveys"
    )
    yield "Customers", text.replace("%", " %"), "customers.survey_rate"
