"""A scenario in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import get_args

import numpy as np

from twin.common.text import duration
from twin.demand.arrivals import Expected, expected
from twin.demand.blocks import some_tickets
from twin.demand.tickets import Demand, category_shares, channel_shares
from twin.experiments.versions import sentence
from twin.experiments.workload import Workload, best_case, known_habits, workload
from twin.report.assumptions import places_words, support_words
from twin.report.explain_assistant import assistant_sentences, when
from twin.report.explain_members import of_members
from twin.scenario import clock
from twin.scenario.calendars import staffing
from twin.scenario.chain import Chain
from twin.scenario.clock import DAY_S, HOUR_S, WEEK_S
from twin.scenario.dated import days_without
from twin.scenario.distributions import TimeDistribution
from twin.scenario.model import Busyness, Pool, Priority, Scenario
from twin.scenario.units import format_duration


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
    demand, arrivals = some_tickets(scenario), expected(scenario)
    return [
        _runs(scenario),
        _load(scenario, demand, arrivals),
        *([_opening(scenario, demand)] if demand.opening else []),
        *_people(scenario, demand),
        *assistant_sentences(scenario, arrivals),
        *_targets(scenario),
        _customers(scenario),
        *_touches(scenario),
        *_workflow(scenario),
        *filter(None, [sentence(scenario)]),
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _runs(scenario: Scenario) -> str:
    text = f"Runs {duration(scenario.horizon)} from {scenario.start} ({scenario.time_zone})"
    changed = clock.changes(scenario.midnight, scenario.horizon)
    ahead = math.fsum(by for _, by in changed)
    if ahead and scenario.horizon % DAY_S == 0:
        text += (
            f": the clocks change on the way, so it ends not at midnight but on "
            f"{when(scenario.horizon, scenario)} (at midnight with horizon = "
            f'"{format_duration(scenario.horizon - ahead)}")'
        )
    text += f", {scenario.replications} replications, seed {scenario.seed}"
    if scenario.warm_up:
        text += f"; the first {duration(scenario.warm_up)} are not measured"
    return f"{text}."


def _load(scenario: Scenario, demand: Demand, expect: Expected) -> str:
    arrivals = scenario.arrivals
    total = expect.between(0.0, scenario.horizon)
    an_hour = total / scenario.horizon * HOUR_S
    kind = {"poisson": "at random", "constant": "evenly spaced", "trace": "as recorded"}
    text = f"About {total:,.0f} tickets ({_number(an_hour)} an hour) arrive "
    text += kind.get(arrivals.kind, "by hour of week")
    start_s, most = expect.busiest(HOUR_S)
    if scenario.horizon > HOUR_S and most > an_hour * 1.0005:
        text += f", {_number(most)} in the busiest hour ({when(start_s, scenario)})"
    extras = [_growth("load", arrivals.growth)] if arrivals.growth else []
    if each := arrivals.day_factors:
        extras.append(f"{min(each):.3g} to {max(each):.3g} times the rate by day, as was forecast")
    if arrivals.busyness is not None:
        extras.append(_busier(arrivals.busyness))
    if arrivals.bursts is not None:
        extras.append(f"bursts of {arrivals.bursts.factor:g} times the quiet rate")
    extras += [
        f"{surge.factor:g} times the rate for {duration(surge.length)} "
        f"after {duration(surge.start)} ({when(surge.start, scenario)})"
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
    elif count > 1 and scenario.tickets.category_hours and arrivals.kind != "trace":
        about += " in a mix that differs by hour"
    shares = channel_shares(scenario, demand)
    by = (f"{_share(share)} by {name or 'an unknown channel'}" for name, share in shares.items())
    come = f" They come {', '.join(by)}." if demand.channels else ""
    return f"{text}. They are of {about}, {_texts(scenario, demand)}.{come}"


def _opening(scenario: Scenario, demand: Demand) -> str:
    count, oldest = len(demand.opening), -float(demand.arrived_s[0])
    work_s = workload(scenario, demand, known_habits(scenario, demand)).ticket_s
    return (
        f"When it starts, {_count(count, 'ticket')} {'is' if count == 1 else 'are'} open, the "
        f"oldest for {duration(oldest)}: about {_number(count * work_s / HOUR_S)} hours of agents' "
        "work."
    )


def _growth(what: str, growth: float) -> str:
    return f"{abs(growth) * 100:.3g} % {'more' if growth > 0 else 'less'} {what} each week"


def _busier(busyness: Busyness) -> str:
    words = []
    if busyness.cv is not None:
        words.append(f"some days busier than others (cv {busyness.cv:g})")
    if busyness.part_cv is not None:
        usual, too = ("", " too") if words else ("some ", " busier than others")
        words.append(f"{usual}parts of {duration(busyness.part_s)}{too} (cv {busyness.part_cv:g})")
    return ", ".join(words)


def _texts(scenario: Scenario, demand: Demand) -> str:
    """Texts that customers send: those kept for the assistant to learn from are not among them."""
    if not demand.texts:
        return "without texts"
    if demand.corpus is None or demand.texts is not demand.corpus.texts:
        return f"{len(demand.texts)} texts in the trace"
    corpus = demand.corpus
    shares = category_shares(scenario, demand)
    sent = {name for name, share in zip(demand.categories, shares, strict=True) if share > 0}
    comes = np.array([name in sent for name in corpus.categories])[corpus.category]
    return f"{int((comes & ~corpus.train).sum())} texts of the corpus are sent"


def _hours_a_week(pool: Pool, scenario: Scenario) -> float:
    """Agent hours of whole weeks, from local midnight to local midnight, as people count them."""
    weeks = int(max(1, scenario.horizon // WEEK_S))
    last = scenario.start + timedelta(weeks=weeks)
    end_s = clock.moment(last, 0.0, scenario.midnight)
    return _hours(pool, scenario.model_copy(update={"horizon": end_s})) / weeks


def _hours(pool: Pool, scenario: Scenario) -> float:
    """Agent hours of the run."""
    end_s = scenario.horizon
    return float(staffing(pool, scenario).integral(np.array([end_s]))[0]) / HOUR_S


def _without_a_row(pool: Pool, scenario: Scenario) -> Iterator[str]:
    """Days of the run that a roster by date does not name."""
    without = days_without(pool, scenario)
    if not without:
        return
    days = list(clock.days(scenario.midnight, scenario.horizon))
    first = f"{without[0]:%A} {without[0].day} {without[0]:%B}"
    when = f"first on {first}" if len(without) > 1 else f"on {first}"
    yield (
        f"Its roster has no row for {len(without):,} of the {_count(len(days), 'day')} of the run "
        f"({when}): nobody starts a shift then."
    )


def _people(scenario: Scenario, demand: Demand) -> Iterator[str]:
    if not scenario.agents and scenario.workflow is not None:
        yield "No agents: tickets change their status after delays that use nobody."
        return
    if not scenario.agents:
        yield "No agents: what the assistant cannot do, nobody does."
        return
    for name, pool in scenario.agents.items():
        dated = pool.roster is not None
        hours = _hours(pool, scenario) if dated else _hours_a_week(pool, scenario)
        skills = f"takes {', '.join(pool.skills)}" if pool.skills else "takes everything"
        if pool.transfers_only:
            skills = "takes what others transfer to it"
        if pool.channels:
            skills += f" by {', '.join(pool.channels)}"
        if pool.overflow_to:
            skills += f" (overflow {_overflow(pool)} to {', '.join(pool.overflow_to)})"
        for other, chance in pool.transfers_to.items():
            skills += f", transfers {_share(chance)} on to {other}"
        span = "in the run, by its roster" if dated else "a week"
        cost = f", ${hours * pool.cost:,.0f} {span.partition(',')[0]}" if pool.cost else ""
        handle = duration(round(pool.handle_scale * pool.handle_time.mean_value(), 1))
        handle += " (by hour)" if pool.handle_hours else ""
        if pool.handle_growth:
            cost += f", {_growth('work a ticket', pool.handle_growth)}"
        after = ""
        if pool.wrap_up is not None:
            after = f" and {duration(round(pool.wrap_up.mean_value(), 1))} of wrap-up"
        in_hand = f", up to {pool.concurrency} tickets in hand" if pool.concurrency > 1 else ""
        if heavy := places_words(pool):
            in_hand += f" ({heavy})"
        if pool.members:
            speeds = sorted(member.speed for member in pool.members)
            at = f"speeds from {speeds[0]:g} to" if speeds[0] < speeds[-1] else "speed"
            in_hand += f", {_count(len(speeds), 'agent')} by name, at {at} {speeds[-1]:g}"
        yield (
            f"Pool {name}: {hours:,.0f} agent hours {span}{cost}, {skills}, "
            f"{handle} a ticket{after} on average{in_hand}."
        )
        yield from of_members(name, pool)
        yield from _without_a_row(pool, scenario) if dated else ()
        if pool.shrinkage:
            share = f"{100 * pool.shrinkage:.3g} %"
            yield f"{share} of those scheduled do not come; hours are those expected."
        if pool.away is not None:
            yield f"Agents of {name} come and go: fewer are there than on shift."
    if scenario.assistant.support is not None:
        yield f"Agents {support_words(scenario.assistant.support)}."
    yield from _capacity(scenario, demand)


def _overflow(pool: Pool) -> str:
    after = f"after {duration(pool.overflow_after)}" if pool.overflow_after else "at once"
    if pool.overflow_at is None:
        return after
    many = f"while {pool.overflow_at:,} wait"
    return many if math.isinf(pool.overflows_after_s) else f"{after}, or {many},"


def _capacity(scenario: Scenario, demand: Demand) -> Iterator[str]:
    shares = category_shares(scenario, demand).tolist()
    for channel in channel_shares(scenario, demand):
        pools = [p for p in scenario.agents.values() if not p.channels or channel in p.channels]
        by = f" by {channel or 'an unknown channel'}" if demand.channels else ""
        # Of thousands of pools each is asked once.
        taken = [p.takes_only for p in pools]
        known_ones = set().union(*(one for one in taken if one is not None))
        for name, share in zip(demand.categories, shares, strict=True):
            if share > 0 and name not in known_ones and None not in taken:
                yield f'Warning: no pool takes "{name}"{by}: agents never handle such tickets.'
    alone, horizon_s = workload(scenario, demand), scenario.horizon
    known = known_habits(scenario, demand)
    work, more, even = alone, "", ""
    if known is not None:
        work = workload(scenario, demand, known)
        more = f", {_number(alone.busy(0.0, horizon_s))} without the assistant"
    elif scenario.assistant.role == "full":
        best = workload(scenario, demand, best_case(demand.categories))
        more = f", {_number(best.busy(0.0, horizon_s))} with one that is always right"
        even = " even with an assistant that is always right"
    busy, staffed = work.busy(0.0, horizon_s), work.staffed(0.0, horizon_s)
    share = work.returns_s / work.ticket_s if busy else 0.0
    returns = f" ({share:.0%} of it on returns)".replace("%", " %") if share >= 0.005 else ""
    yield (
        f"Work: {'without the assistant ' if even else ''}{_number(busy)} agents would be busy on "
        f"average{returns}{more}; {_number(staffed)} are staffed."
    )
    yield from _too_much(scenario, best if even else work, even)


def _too_much(scenario: Scenario, work: Workload, even: str) -> Iterator[str]:
    """Times at which more work comes than the staff can do: at all, by day, by hour."""
    busy, staffed = (of(0.0, scenario.horizon) for of in (work.busy, work.staffed))
    days, hours = work.tight_days(scenario), work.tight_hours(scenario)
    said = f"Warning: more work than staff{even}"
    if busy >= staffed and busy > 0:
        gives_up = scenario.customers.gives_up
        after = "customers wait until they give up" if gives_up else "the queue grows"
        yield f"{said}, so {after} for as long as it runs."
    elif days:
        at, needed, heads = days[0]
        then = clock.local(at + DAY_S / 2, scenario.midnight)
        yield (
            f"{said} on {_count(len(days), 'day')}, most on {then:%A} {then.day} {then:%B} "
            f"({_number(needed)} agents busy, {_number(heads)} staffed): tickets wait for the "
            "days after."
        )
    elif hours:
        at, needed, heads = hours[0]
        yield (
            f"{said} in {_count(len(hours), 'hour')}, most from {when(at, scenario)} "
            f"({_number(needed)} agents busy, {_number(heads)} staffed): tickets wait."
        )


def _count(number: int, of: str) -> str:
    return f"{number:,} {of}{'s' if number > 1 else ''}"


def _targets(scenario: Scenario) -> Iterator[str]:
    targets = scenario.targets
    for label, times, own in (
        ("First response", targets.first_response, targets.first_response_by_channel),
        ("Resolution", targets.resolution, targets.resolution_by_channel),
    ):
        if times or own:
            parts = [
                f"{name} {duration(times[name])}" for name in get_args(Priority) if name in times
            ]
            parts += [f"{name} {duration(seconds)}" for name, seconds in own.items()]
            yield f"{label} is promised within: {', '.join(parts)} ({targets.clock})."


def _touches(scenario: Scenario) -> Iterator[str]:
    """Further touches: chances and delays of the waits between them."""
    touches = scenario.touches
    if touches is None:
        return

    def mean(delay: TimeDistribution, clock: str = "around the clock") -> str:
        said = duration(round(delay.mean_value(), 1))
        return f"{said} of desk hours" if clock == "desk hours" else said

    parts = []
    waiting, hold = touches.waiting, touches.on_hold
    if waiting is not None:
        part = f"{_share(waiting.chance)} with a question, and a reply comes after "
        part += f"{mean(waiting.delay, waiting.clock)} on average"
        if waiting.never:
            part += f", to {_share(waiting.never)} never"
        if waiting.close_after is not None:
            part += f"; after {mean(waiting.close_after)} without one they are resolved"
        parts.append(part)
    if hold is not None:
        part = f"{_share(hold.chance)} on hold for a third party, "
        parts.append(part + f"{mean(hold.delay, hold.clock)} on average")
    yield f"Of agents' touches end: {'; '.join(parts)}. The others answer."


def _workflow(scenario: Scenario) -> Iterator[str]:
    """Own statuses: how many, how often, and what in them follows the load."""
    workflow = scenario.workflow
    if workflow is None:
        return
    names = ", ".join(workflow.statuses)
    second = any(status.after for status in workflow.statuses.values())
    last = "last two" if second else "last"
    often = Chain.of(workflow).visits()
    yield (
        f"Statuses of its own: {names}; the next by the {last}. A ticket is in "
        f"{_number(float(often.sum()))} of them on average."
    )
    works = [name for name, status in workflow.statuses.items() if status.work]
    if works:
        yield (
            f"Agents work in {', '.join(works)}; delays, there and elsewhere, use nobody and do "
            "not follow the load."
        )
    else:
        yield (
            "No agent is needed for any of them: delays do not follow the load, so what other "
            "staffing would change cannot be said."
        )


def _share(share: float) -> str:
    return f"{share:.3g}" if share in (0, 1) else f"{100 * share:.3g} %"


def _customers(scenario: Scenario) -> str:
    customers = scenario.customers
    patience = "wait for as long as it takes"
    if customers.patience is not None:
        mean = duration(round(customers.patience.mean_value(), 1))
        patience = f"wait for an agent {mean} on average before they give up"
        patience += " (by hour)" if customers.patience_hours else ""
    own = [
        *customers.patience_by_priority.items(),
        *customers.patience_by_category.items(),
        *customers.patience_by_channel.items(),
    ]
    if own:
        parts = (f"{name} {duration(round(d.mean_value(), 1))}" for name, d in own)
        patience += f" (by kind: {', '.join(parts)})"
    if scenario.queue.capacity is not None:
        patience += f", at most {scenario.queue.capacity:,} at once, others are turned away"
    if scenario.queue.balking:
        patience += f", each one waiting puts off {scenario.queue.balking:.3g} of those who come"
    if customers.callback is not None:
        where = f" where {customers.callback.queue:,} wait" if customers.callback.queue else ""
        patience += f", {_share(customers.callback.chance)} take a callback{where}"
    if customers.retrial is not None:
        after = duration(round(customers.retrial.delay.mean_value(), 1))
        patience += f", {_share(customers.retrial.chance)} of who left try again after {after}"
    rate = f"{customers.survey_rate:.0%}".replace("%", " %")
    return f"Customers {patience}; {rate} of the resolved rate the answer."
