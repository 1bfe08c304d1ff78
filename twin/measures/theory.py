"""Closed forms of queueing theory: what a simple desk must come to."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from twin.scenario.distributions import Exponential

if TYPE_CHECKING:
    from twin.scenario.model import Scenario


def erlang_c(servers: int, load: float) -> float:
    """P(wait) of M/M/c at an offered load in erlang (Erlang 1917), by the recursion of Erlang B."""
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def erlang_c_wait(servers: int, load: float, service: float) -> float:
    """Mean wait of M/M/c, in the unit of the mean service time."""
    return erlang_c(servers, load) * service / (servers - load)


def erlang_c_level(servers: int, load: float, service: float, within: float) -> float:
    """Share of M/M/c that waits no longer than `within`: the wait, if any, is exponential."""
    return 1 - erlang_c(servers, load) * math.exp(-(servers - load) * within / service)


def erlang_a(
    servers: int, arrivals: float, service: float, patience: float
) -> tuple[float, float, float, float]:
    """P(wait), P(abandon), occupancy and mean wait of M/M/c+M.

    From the birth-death equations (Palm 1957; Mandelbaum and Zeltyn 2007, Service engineering in
    action: the Palm/Erlang-A queue). Mean times in one unit, arrivals per that unit.
    """
    # Beyond `most` customers leave at twice the rate at which they come: the rest is nothing.
    most = servers + 200 + math.ceil(2 * arrivals * patience)
    number = np.arange(most + 1)
    busy, waiting = np.minimum(number, servers), np.maximum(number - servers, 0)
    leave = busy / service + waiting / patience
    # In logarithms: with many servers the weights themselves would overflow.
    weights = np.concatenate([[0.0], np.cumsum(math.log(arrivals) - np.log(leave[1:]))])
    chance = np.exp(weights - weights.max())
    chance /= chance.sum()
    wait = float(chance @ waiting) / arrivals  # Little's law
    return float(chance[servers:].sum()), wait / patience, float(chance @ busy) / servers, wait


def pollaczek_khinchine(load: float, cv: float) -> float:
    """Mean queue of M/G/1 (Pollaczek 1930, Khinchine 1932)."""
    return load**2 * (1 + cv**2) / (2 * (1 - load))


def priority_sojourns(arrivals: list[float], service: float) -> list[float]:
    """Mean sojourns of non-preemptive priority M/M/1, first class first (Cobham 1954)."""
    residual = math.fsum(arrivals) * service**2
    sigma = np.concatenate([[0.0], np.cumsum(arrivals) * service])
    return [float(residual / ((1 - a) * (1 - b)) + service) for a, b in pairwise(sigma)]


def mm1_number(load: float) -> float:
    """Mean number in M/M/1; in a tandem too, as its departures are Poisson (Burke 1956)."""
    return load / (1 - load)


def erlang_bounds(scenario: Scenario) -> dict[str, float]:
    """Upper bounds of a desk's mean waits, where a formula of Erlang's applies.

    That is where one pool of agents, always as many, answers all tickets, which come as a Poisson
    process of constant rate and stay away once resolved, with exponential handle times: Erlang C,
    or with exponential patience Erlang A. Priorities change neither figure. As the desk starts
    empty, its waits approach these values from below.

    Returns
    -------
    dict of str to float
        By figure: agent_wait_share, agent_wait_mean (seconds). Empty where none applies, or where
        the queue of an endlessly patient crowd grows without bound.
    """
    arrivals, customers = scenario.arrivals, scenario.customers
    pools = list(scenario.agents.values())
    if scenario.assistant.role != "off" or len(pools) != 1 or pools[0].heads is None:
        return {}
    pool, heads = pools[0], pools[0].heads + pools[0].extra_heads
    changing = arrivals.busyness or arrivals.bursts or arrivals.surges
    returning = customers.solved.agent < 1 and customers.reopen_rate > 0 and customers.max_reopens
    memoryless = isinstance(pool.handle_time, Exponential) and not pool.handle_times
    rate = (arrivals.rate or 0.0) * arrivals.scale
    limited = bool(pool.skills) or heads < 1 or rate == 0
    if arrivals.kind != "poisson" or changing or returning or not memoryless or limited:
        return {}
    service, load = pool.handle_time.mean_value(), rate * pool.handle_time.mean_value()
    if isinstance(customers.patience, Exponential):
        share, _, _, wait = erlang_a(heads, rate, service, customers.patience.mean_value())
    elif load < heads and customers.patience is None:
        share, wait = erlang_c(heads, load), erlang_c_wait(heads, load, service)
    else:
        return {}
    return {"agent_wait_share": share, "agent_wait_mean": wait}
