"""Work that a run is expected to bring to its agents, without playing it.

Wrap-up is work like any other. Returns, transfers and further touches are counted as if they came
at once, nobody gives up or is turned away, no pool overflows to another, and the provider never
refuses a call. A ticket that a pool takes is as likely to go to any of its agents, also where some
have skills of their own. Agents who come and go count as if they were there all the time; those
with several tickets in hand count as fast as they are at most: with few in hand they are busy
longer. What changes by hour (the mix of categories, handle times) and handle times that grow count
by their mean over the tickets of the run, the same in each hour and channel. Work of an opening
backlog is not in it. Support by an assistant counts by the agents' tenure when the run starts,
and only for their speed: not for how many of their answers solve.
Delays of a workflow use nobody: only the statuses in which agents work count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np
import numpy.typing as npt

from twin.assistant.backends import build
from twin.assistant.judging.model_judge import build_judge
from twin.assistant.knowledge.knowledge import knowledge_of
from twin.assistant.profile import Habits, habits
from twin.assistant.protocol import Ints, Luck, Questions, Step
from twin.demand.arrivals import Expected, Steps, expected
from twin.demand.tickets import Demand, category_shares, channel_shares
from twin.desk.rules import Rules
from twin.scenario import clock
from twin.scenario.calendars import Floats, Staircase, staffing
from twin.scenario.chain import Chain
from twin.scenario.clock import WEEK_S
from twin.scenario.model import Pool, Scenario, Workflow


@dataclass(frozen=True)
class Workload:
    """Expected work of a desk's agents.

    Attributes
    ----------
    arrivals : Expected
    ticket_s : float
        Work a ticket that arrives, returns included: mean over the tickets, in seconds.
    returns_s : float
        Work on returns in it.
    pools : tuple of Staircase
        Heads of each pool.
    """

    arrivals: Expected
    ticket_s: float
    returns_s: float
    pools: tuple[Staircase, ...]

    def busy(self, start_s: float, end_s: float) -> float:
        """Agents that the tickets of a time keep busy, on average over it."""
        return self.arrivals.between(start_s, end_s) * self.ticket_s / (end_s - start_s)

    def staffed(self, start_s: float, end_s: float) -> float:
        """Agents on shift, on average over a time."""
        at = np.array([start_s, end_s])
        return float(
            math.fsum(np.diff(pool.integral(at))[0] for pool in self.pools) / (end_s - start_s)
        )

    def tight_days(self, scenario: Scenario) -> list[tuple[float, float, float]]:
        """Local days, whole and with agents on shift, that bring more work than these can do.

        Returns
        -------
        list of (float, float, float)
            Start in seconds, agents busy, agents staffed; the tightest first.
        """
        starts = [at for _, at in clock.days(scenario.midnight, scenario.horizon + 1)]
        return self._tight(np.array(starts))

    def tight_hours(self, scenario: Scenario) -> list[tuple[float, float, float]]:
        """Local hours that bring more work than the agents on shift can do; as `tight_days`."""
        edges = clock.hours(scenario.midnight, scenario.horizon)
        return self._tight(edges[edges <= scenario.horizon])

    def _tight(self, edges: Floats) -> list[tuple[float, float, float]]:
        length_s = np.diff(edges)
        busy = np.diff(self.arrivals.before(edges)) * self.ticket_s / length_s
        heads = sum((np.diff(p.integral(edges)) for p in self.pools), np.zeros(len(length_s)))
        staffed = heads / length_s
        tight = np.flatnonzero((busy >= staffed) & (staffed > 0))
        tight = tight[np.argsort(staffed[tight] - busy[tight], kind="stable")]
        return [(float(edges[k]), float(busy[k]), float(staffed[k])) for k in tight]


def workload(scenario: Scenario, demand: Demand, assistant: Habits | None = None) -> Workload:
    """The work that a scenario's agents are expected to have.

    Parameters
    ----------
    scenario : Scenario
    demand : Demand
        Of any replication, for its categories.
    assistant : Habits, optional
        How the assistant answers; without it agents answer all tickets.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}},
    ...                        "customers": {"reopen_rate": 0.0}})
    >>> workload(desk, twin.draw(desk)).busy(0.0, 86400.0)
    0.5
    """
    arrivals = expected(scenario)
    grown = {
        name: pool.model_copy(
            update={"handle_scale": pool.handle_scale * _factor(pool, scenario, arrivals)}
        )
        for name, pool in scenario.agents.items()
    }
    desk = scenario.model_copy(update={"agents": grown})
    first, returns = 0.0, 0.0
    for channel, share in channel_shares(scenario, demand).items():
        parts = _a_ticket(_on(desk, channel), demand, assistant, channel)
        first, returns = first + share * parts[0], returns + share * parts[1]
    pools = tuple(staffing(pool, scenario) for pool in scenario.agents.values())
    return Workload(arrivals, first + returns, returns, pools)


def _factor(pool: Pool, scenario: Scenario, arrivals: Expected) -> float:
    """Mean factor of a pool's handle times, by growth and hour, over the expected tickets."""
    if not pool.handle_growth and not pool.handle_hours:
        return 1.0
    rate, number, start = arrivals.rate, arrivals.number, scenario.midnight
    total = float(np.diff(rate.edges) @ rate.values + number.sum())
    if pool.handle_hours:
        edges = clock.hours(start, scenario.horizon)
        rate = rate.times(Steps(edges, clock.by_hour(pool.handle_hours, edges[:-1], start)))
        number = number * clock.by_hour(pool.handle_hours, arrivals.time_s, start)
    weeks, grows = rate.edges / WEEK_S, log1p(pool.handle_growth)
    # The integral of growth over each step, and its value at recorded moments.
    steps = np.diff(np.exp(grows * weeks)) / grows * WEEK_S if grows else np.diff(rate.edges)
    there = np.exp(grows * arrivals.time_s / WEEK_S) * number
    return (float(steps @ rate.values) + float(there.sum())) / total if total else 1.0


def _on(scenario: Scenario, channel: str) -> Scenario:
    """The desk as it is for tickets of a channel: the pools that take it, with their times."""
    pools = {
        name: pool.on(channel)
        for name, pool in scenario.agents.items()
        if not pool.channels or channel in pool.channels
    }
    return scenario.model_copy(update={"agents": pools})


def best_case(categories: tuple[str, ...]) -> Habits:
    """An assistant that is always right, sure and at its best."""
    return Habits(np.eye(len(categories)), 0.0, 0.0, 1.0, 0.0)


def known_habits(scenario: Scenario, demand: Demand) -> Habits | None:
    """Habits of the assistant, where they can be known before a run.

    Backend `profile` states them, and `embedded` can be asked about each text at no cost. What is
    recorded, or live, is not asked here.
    """
    if scenario.assistant.role == "off":
        return None
    if scenario.assistant.backend == "profile":
        return habits(scenario, demand.categories)
    return _asked(scenario, demand) if scenario.assistant.backend == "embedded" else None


def _asked(scenario: Scenario, demand: Demand) -> Habits:
    """Habits by what the assistant says to each text that customers send, as often as they do."""
    settings, size = scenario.assistant, len(demand.categories)
    assistant = build(scenario, demand.categories, demand.corpus)
    text, first, count = np.unique(demand.text, return_index=True, return_counts=True)
    truth = demand.category[first]

    def question(step: Step, category: Ints | None) -> Questions:
        luck = Luck.neutral(len(text))
        return Questions(step, demand.categories, demand.texts, text, category, truth, text, luck)

    said = assistant.answer(question("categorize", None))
    assert said.category is not None
    assert said.confidence is not None
    rules = Rules.of(scenario, ())
    given = said.category
    unsure, doubted = said.confidence < rules.threshold, said.confidence < rules.handled_below
    chances = np.zeros((size, size))
    np.add.at(chances, (truth, given), count)
    total = chances.sum(axis=1, keepdims=True)
    chances = np.where(total > 0, chances / np.maximum(total, 1), np.eye(size))
    right = given == truth
    quality = 1.0
    if settings.role == "full" and right.any():
        knowledge = knowledge_of(settings)
        asked = question("respond", truth)
        judged = build_judge(scenario, knowledge).quality(
            asked, assistant.answer(asked), demand.articles
        )
        quality = float(np.average(judged[right], weights=count[right]))

    def shares(rows: npt.NDArray[np.bool_]) -> list[float]:
        return [
            float(np.average(rows[of], weights=count[of])) if of.any() else 0.0
            for of in (right, ~right)
        ]

    (sure_not, wrong_not), (doubted_right, doubted_wrong) = shares(unsure), shares(doubted)
    return Habits(chances, sure_not, wrong_not, quality, 0.0, doubted_right, doubted_wrong)


def _a_ticket(
    scenario: Scenario, demand: Demand, assistant: Habits | None, channel: str
) -> tuple[float, float]:
    """Agents' work a ticket: before it is first resolved, and after; seconds.

    A ticket of several places is reckoned as if its agent had in hand only such as it.
    """
    names, customers, settings = demand.categories, scenario.customers, scenario.assistant
    pools = list(scenario.agents.values())
    able = _able(pools, names)
    # By the category that a ticket goes by.
    pace = {p.name: _paces(p, names, channel) * _support(p, scenario) for p in pools}
    then = _after_touch(scenario, names, pace)
    follow_up = np.array([
        _mean([p.follow_up(c) / pace[p.name][k] + then[p.name][k] for p in able[k]])
        for k, c in enumerate(names)
    ])  # fmt: skip
    handle = np.array([
        _mean([p.handle(c) / pace[p.name][k] + then[p.name][k] for p in able[k]])
        for k, c in enumerate(names)
    ])  # fmt: skip
    if scenario.workflow is not None:
        once, later = _workflow_touches(scenario.workflow)
        return float(category_shares(scenario, demand) @ (once * handle + later * follow_up)), 0.0
    touches, answered_share = _touches(scenario)
    further = touches * follow_up
    handle = handle + further
    again = answered_share * (1 - customers.solved.agent) * customers.reopen_rate
    # Work on those who come back to an agent once, and again after that.
    later = math.fsum(again**k for k in range(customers.max_reopens))
    first, returns = handle.copy(), handle * again * later
    shares = category_shares(scenario, demand)
    if assistant is None:
        return float(shares @ first), float(shares @ returns)

    def by_agent(truth: int, given: int) -> float:
        """Work of an agent who is given a ticket by its category, which may be wrong."""
        return _mean([
            p.handle(names[truth]) / pace[p.name][given] + then[p.name][truth] + further[truth]
            if p in able[truth]
            else p.triage(names[truth]) / pace[p.name][given] + handle[truth]
            for p in able[given]
        ])  # fmt: skip

    def answered(truth: int, given: int) -> tuple[float, float]:
        if settings.role != "full" or names[given] in settings.human_categories:
            return by_agent(truth, given), handle[truth] * again * later
        solved, work = customers.solved, 0.0
        if {"*", names[given]} & set(settings.review_categories):
            chance = solved.reviewed
            work = _mean([p.review(names[truth]) / pace[p.name][given] for p in able[given]])
        elif given == truth:
            chance = solved.assistant * assistant.quality
        else:
            chance = solved.wrong_category
        back = (1 - chance) * customers.reopen_rate * (customers.max_reopens > 0)
        more = handle[truth] * again * max(0.0, later - again ** (customers.max_reopens - 1))
        failed = assistant.failed
        return (
            (1 - failed) * work + failed * by_agent(truth, given),
            (1 - failed) * back * (by_agent(truth, given) + more)
            + failed * handle[truth] * again * later,
        )

    for truth in range(len(names)):
        parts, whole = np.zeros(2), np.array([first[truth], returns[truth]])
        for given, chance in enumerate(assistant.chances[truth]):
            hit = given == truth
            unsure = assistant.unsure_right if hit else assistant.unsure_wrong
            # What is not clear, an agent answers at once: see `Rules.handled`.
            doubted = assistant.doubted_right if hit else assistant.doubted_wrong
            triage = _mean([p.triage(names[truth]) / pace[p.name][given] for p in able[given]])
            handed = np.array([triage, 0.0]) + answered(truth, truth)
            parts += chance * (doubted * whole + (unsure - doubted) * handed)
            parts += chance * (1 - unsure) * np.array(answered(truth, given))
        first[truth], returns[truth] = (1 - assistant.failed) * parts + assistant.failed * whole
    return float(shares @ first), float(shares @ returns)


def _able(pools: Sequence[Pool], names: Sequence[str]) -> list[list[Pool]]:
    """Pools that take tickets of each category; of thousands of both most pairs are never met."""
    place = {name: k for k, name in enumerate(names)}
    found: list[list[Pool]] = [[] for _ in names]
    for pool in pools:
        taken = pool.takes_only
        for k in range(len(names)) if taken is None else sorted(place[c] for c in taken & {*place}):
            found[k].append(pool)
    return found


def _paces(pool: Pool, names: Sequence[str], channel: str) -> Floats:
    """Pace of a pool's agents at tickets of each category."""
    if not pool.weights and not pool.weights_by_channel:
        return np.full(len(names), pool.pace())
    weights = [pool.weight(name, channel) for name in names]
    by_weight = {weight: pool.pace(weight) for weight in set(weights)}
    return np.array([by_weight[weight] for weight in weights])


def _support(pool: Pool, scenario: Scenario) -> float:
    """Mean factor on the speed of a pool's agents by the support of an assistant, at the start."""
    support = scenario.assistant.support
    if support is None:
        return 1.0
    usual = support.factor(None)
    if pool.tenure is not None:
        tenures = pool.tenure.quantile((np.arange(200) + 0.5) / 200).tolist()
        usual = _mean([support.factor(tenure_s) for tenure_s in tenures])
    given = [member.tenure for member in pool.members]
    own = [usual if tenure_s is None else support.factor(tenure_s) for tenure_s in given]
    return _mean(own) if own else usual


def _after_touch(
    scenario: Scenario, names: tuple[str, ...], pace: dict[str, Floats]
) -> dict[str, Floats]:
    """Mean work that follows a touch of each pool: wrap-up, and touches after transfers, by kind.

    With as many transfers as a ticket may have, whatever number it had before.
    """
    pools = list(scenario.agents.values())
    if not any(any(pool.transfers_to.values()) for pool in pools):
        return {pool.name: pool.after / pace[pool.name] for pool in pools}
    place = {pool.name: k for k, pool in enumerate(pools)}
    moves = np.zeros((len(pools), len(pools)))
    for k, pool in enumerate(pools):
        for name, chance in pool.transfers_to.items():
            if name in place:
                moves[k, place[name]] = chance
    after = np.array([pool.after / pace[pool.name] for pool in pools])
    after = after.reshape(len(pools), len(names))
    touch = [[pool.follow_up(name) for name in names] / pace[pool.name] for pool in pools]
    total, step = after.copy(), after + np.array(touch).reshape(after.shape)
    for _ in range(scenario.routing.max_transfers):
        step = moves @ step
        total += step
        if step.max(initial=0.0) < 1e-9:
            break
    return {pool.name: total[k] for k, pool in enumerate(pools)}


def _workflow_touches(workflow: Workflow) -> tuple[float, float]:
    """Share of tickets that agents work on, and touches after the first, a ticket."""
    works = np.flatnonzero([status.work for status in workflow.statuses.values()])
    chain = Chain.of(workflow)
    once = chain.ever(works)
    return once, float(chain.visits()[works].sum()) - once


def _touches(scenario: Scenario) -> tuple[float, float]:
    """Further touches that follow an agent's first on average, and the share answered in the end.

    Delays are compared as they are, also where they go by different clocks.
    """
    touches = scenario.touches
    if touches is None:
        return 0.0, 1.0
    back, lost = 0.0, 0.0
    if touches.on_hold is not None:
        back += touches.on_hold.chance
    waiting = touches.waiting
    if waiting is not None:
        in_time = 1.0
        if waiting.close_after is not None:
            u = (np.arange(200) + 0.5) / 200
            over_s = waiting.close_after.quantile(u) + scenario.customers.close_after
            in_time = float((waiting.delay.quantile(u)[:, None] < over_s[None, :]).mean())
        returns = waiting.chance * (1 - waiting.never) * in_time
        back, lost = back + returns, waiting.chance - returns
    further = math.fsum(back**k for k in range(1, touches.most + 1))
    return further, 1.0 - lost * (1.0 + further)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
