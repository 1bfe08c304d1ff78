"""Closed forms of queueing theory: what a simple desk must come to."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.scenario.distributions import Exponential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]

# A chance that changes no figure.
_NOTHING = 1e-18


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


def birth_death(come: Floats, leave: Floats) -> Floats:
    """Stationary chances of 0, 1, 2, ... where one comes or one leaves at a time.

    Parameters
    ----------
    come : array of float, shape (n,)
        Rates above 0 from 0 to 1, from 1 to 2, ...
    leave : array of float, shape (n,)
        Rates from 1 to 0, from 2 to 1, ...
    """
    # In logarithms: with many servers the weights themselves would overflow.
    weights = np.concatenate([[0.0], np.cumsum(np.log(come) - np.log(leave))])
    chance = np.exp(weights - weights.max())
    found: Floats = chance / chance.sum()
    return found


class Sharing(NamedTuple):
    """An agent who has several tickets in hand.

    Attributes
    ----------
    number, wait : float
        Mean number of tickets that wait or are in hand; mean wait before a hand.
    used, in_hand : float
        Occupancy; mean number in hand while busy.
    """

    number: float
    wait: float
    used: float
    in_hand: float


def sharing(arrivals: float, service: float, speeds: Sequence[float]) -> Sharing:
    """M/M/1 whose agent works on several tickets at once, from its birth-death equations.

    With many at 1/n each it is M/M/1 with processor sharing; then all but `in_hand` and `wait`
    hold for service of any distribution (Kelly 1979), and a customer with x of work stays
    x / (1 - load) on average.

    Parameters
    ----------
    arrivals, service : float
        Arrivals in a unit of time, mean work in it.
    speeds : sequence of float
        Of each of 1, 2, ... tickets in hand.
    """
    most = len(speeds)
    total = np.arange(1, most + 1) * np.asarray(speeds) / service
    # The chance of more falls by `ratio` with each: what is left out is nothing.
    ratio = arrivals / total[-1]
    beyond = math.ceil(40 / -math.log(ratio))
    leave = np.concatenate([total, np.full(beyond, total[-1])])
    chance = birth_death(np.full(len(leave), arrivals), leave)
    number = np.arange(len(chance))
    in_hand = float(chance @ np.minimum(number, most))
    used = float(1 - chance[0])
    waiting = float(chance @ np.maximum(number - most, 0))
    return Sharing(in_hand + waiting, waiting / arrivals, used, in_hand / used)


class Limited(NamedTuple):
    """A desk with few places to wait, or whose queue puts customers off.

    Attributes
    ----------
    blocked, balked : float
        Shares of those who come.
    number, wait : float
        Mean number at the desk; mean wait of those who are served.
    used : float
        Occupancy.
    """

    blocked: float
    balked: float
    number: float
    wait: float
    used: float


def limited(
    servers: int, arrivals: float, service: float, places: int, balking: float = 0.0
) -> Limited:
    """M/M/c/K with `places` to wait (Erlang 1917), and balking (Haight 1957).

    Who finds n waiting stays with chance (1 - balking)^n. Times in one unit, arrivals per it.
    """
    number = np.arange(servers + places + 1)
    busy, waiting = np.minimum(number, servers), np.maximum(number - servers, 0)
    stays = (1 - balking) ** waiting
    chance = birth_death(arrivals * stays[:-1], busy[1:] / service)
    blocked, balked = float(chance[-1]), float(chance[:-1] @ (1 - stays[:-1]))
    wait = float(chance @ waiting) / (arrivals * (1 - blocked - balked))  # Little's law
    used = float(chance @ busy) / servers
    return Limited(blocked, balked, float(chance @ number), wait, used)


def overflow_loss(
    servers: tuple[int, int], arrivals: tuple[float, float], service: float
) -> tuple[float, float, float]:
    """Two pools without places to wait; the first one's customers overflow to the second.

    From the balance equations of its Markov chain: busy agents of the first, of the second.

    Returns
    -------
    (float, float, float)
        Share of all customers who are turned away; occupancy of the first and of the second pool.
    """
    first, second = servers
    states = [(i, j) for i in range(first + 1) for j in range(second + 1)]
    number = {state: k for k, state in enumerate(states)}
    rates = np.zeros((len(states), len(states)))
    for (i, j), k in number.items():
        # Own agents, else those of the second pool; nobody there: turned away.
        over = (i + 1, j) if i < first else (i, j + 1)
        for there, rate in (
            (over, arrivals[0]),
            ((i, j + 1), arrivals[1]),
            ((i - 1, j), i / service),
            ((i, j - 1), j / service),
        ):
            if there in number:
                rates[k, number[there]] += rate
    chance = stationary(rates)
    both = np.array(states)
    full = both[:, 1] == second
    lost = arrivals[0] * float(chance[full & (both[:, 0] == first)].sum())
    lost += arrivals[1] * float(chance[full].sum())
    used = chance @ both / np.array(servers)
    return lost / math.fsum(arrivals), float(used[0]), float(used[1])


def stationary(rates: Floats) -> Floats:
    """Stationary chances of a Markov chain.

    Parameters
    ----------
    rates : array of float, shape (n, n)
        From each state (row) to each other one; the diagonal is not read.
    """
    flow = rates - np.diag(np.diag(rates))
    flow -= np.diag(flow.sum(axis=1))
    # The chances add up to 1, in place of a balance equation that follows from the others.
    flow[:, -1] = 1.0
    right = np.zeros(len(flow))
    right[-1] = 1.0
    return np.asarray(np.linalg.solve(flow.T, right), dtype=np.float64)


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
    chance = birth_death(np.full(most, arrivals), leave[1:])
    wait = float(chance @ waiting) / arrivals  # Little's law
    return float(chance[servers:].sum()), wait / patience, float(chance @ busy) / servers, wait


def erlang_a_level(
    servers: int, arrivals: float, service: float, patience: float, within: float
) -> float:
    """Share of all who come to M/M/c+M that is served after a wait of at most `within`.

    Who finds j waiting has j + 1 departures before them, at rates c / service + k / patience for
    k = j, ..., 0. The sum of these times has the law of -patience * log(B), B of a beta
    distribution with c * patience / service and j + 1 (Renyi 1953, On the theory of order
    statistics); who is served has not lost patience before. Mandelbaum and Zeltyn 2007 give the
    same share by integrals.
    """
    # Imported here: few commands need it.
    from scipy import special

    if servers < 1:
        return 0.0
    most = servers + 200 + math.ceil(2 * arrivals * patience)
    number = np.arange(most + 1)
    busy, waiting = np.minimum(number, servers), np.maximum(number - servers, 0)
    chance = birth_death(np.full(most, arrivals), (busy / service + waiting / patience)[1:])
    # Of the many who might wait most never do.
    seen = chance[servers:] > _NOTHING
    first, ahead = servers * patience / service, waiting[servers:][seen]
    early = special.betaincc(first + 1, ahead + 1, math.exp(-within / patience))
    served = first / (first + ahead + 1) * early
    return float(chance[:servers].sum() + chance[servers:][seen] @ served)


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


class Network(NamedTuple):
    """An open network of queues; columns of shape (n,).

    Attributes
    ----------
    used, number : array of float
        Occupancy of each queue; mean number there, in service and waiting.
    """

    used: Floats
    number: Floats


def jackson(arrivals: Floats, moves: Floats, servers: list[int], service: Floats) -> Network:
    """An open network of M/M/c queues (Jackson 1957): each is as if it were alone.

    Parameters
    ----------
    arrivals : array of float, shape (n,)
        From outside, to each queue.
    moves : array of float, shape (n, n)
        Chances to go from one (row) to another when served; the rest leaves.
    servers : list of int
    service : array of float, shape (n,)
        Mean times; in the unit of the arrivals.

    """
    through = np.linalg.solve(np.eye(len(moves)) - moves.T, arrivals)
    load = through * service
    waits = [erlang_c_wait(c, a, s) for c, a, s in zip(servers, load, service, strict=True)]
    used: Floats = load / np.array(servers)
    return Network(used, load + through * np.array(waits))


def absorbing(start: Floats, moves: Floats) -> Floats:
    """Mean number of visits to each state of a Markov chain before it comes to rest.

    From its fundamental matrix (Kemeny and Snell 1960, Finite Markov chains).

    Parameters
    ----------
    start : array of float, shape (n,)
        Chances of the first state.
    moves : array of float, shape (n, n)
        Chances to follow one another; what is missing to 1 in a row is rest.
    """
    return np.asarray(np.linalg.solve(np.eye(len(start)) - moves.T, start), dtype=np.float64)


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
    pool, scheduled = pools[0], pools[0].heads + pools[0].extra_heads
    heads = int(scheduled)
    limits = bool(scenario.queue.capacity is not None or scenario.queue.balking)
    limits |= scenario.touches is not None or scenario.workflow is not None
    limits |= pool.away is not None
    # Drawn anew each day.
    limits |= bool(pool.shrinkage) or heads != scheduled
    changing = arrivals.busyness or arrivals.bursts or arrivals.surges or arrivals.growth
    changing = changing or bool(arrivals.day_factors)
    changing = changing or limits or pool.handle_growth or scenario.backlog is not None
    # Versions wait longer on average than the desk between them.
    changing = changing or scenario.uncertainty is not None
    returning = customers.solved.agent < 1 and customers.reopen_rate > 0 and customers.max_reopens
    memoryless = isinstance(pool.handle_time, Exponential) and not pool.handle_times
    memoryless = memoryless and pool.wrap_up is None and pool.concurrency == 1
    memoryless = memoryless and not pool.members and scenario.assistant.support is None
    rate = (arrivals.rate or 0.0) * arrivals.scale
    limited = bool(pool.skills) or pool.transfers_only or heads < 1 or rate == 0
    limited |= bool(customers.patience_by_category or customers.patience_by_priority)
    limited |= bool(customers.retrial or customers.callback)
    limited |= bool(customers.patience_hours or pool.handle_hours)
    limited |= bool(customers.patience_by_channel or pool.channels or pool.handle_times_by_channel)
    if arrivals.kind != "poisson" or changing or returning or not memoryless or limited:
        return {}
    service, load = pool.handle(""), rate * pool.handle("")
    if isinstance(customers.patience, Exponential):
        share, _, _, wait = erlang_a(heads, rate, service, customers.patience.mean_value())
    elif load < heads and customers.patience is None:
        share, wait = erlang_c(heads, load), erlang_c_wait(heads, load, service)
    else:
        return {}
    return {"agent_wait_share": share, "agent_wait_mean": wait}
