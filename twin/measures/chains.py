"""Desks as Markov chains small enough to be solved exactly, by NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from twin.measures.theory import Floats, birth_death, erlang_c_wait, stationary


class Solved(NamedTuple):
    """A chain in equilibrium.

    Attributes
    ----------
    states : array of int, shape (n, k)
    chance : array of float, shape (n,)
    """

    states: Any
    chance: Floats

    def mean(self, values: Any) -> float:
        """Mean of a value of each state."""
        return float(self.chance @ np.asarray(values, dtype=np.float64))


State = tuple[int, ...]


def solve(first: State, moves: Callable[[State], Iterable[tuple[State, float]]]) -> Solved:
    """Stationary chances of all states that are reached from the first one.

    Parameters
    ----------
    first : tuple of int
    moves : callable
        Gives each state's next states, with their rates.
    """
    number, states, found = {first: 0}, [first], []
    for state in states:
        for there, rate in moves(state):
            if rate <= 0:
                continue
            if there not in number:
                number[there] = len(states)
                states.append(there)
            found.append((number[state], number[there], rate))
    rates = np.zeros((len(states), len(states)))
    for here, there_, rate in found:
        rates[here, there_] += rate
    return Solved(np.array(states), stationary(rates))


class Retrials(NamedTuple):
    """A desk whose customers try again.

    Attributes
    ----------
    first_blocked, lost : float
        Shares of those who come: turned away at first; never served.
    number : float
        Mean number at the desk or about to try again.
    used : float
        Occupancy.
    """

    first_blocked: float
    lost: float
    number: float
    used: float


def retrials(
    servers: int, arrivals: float, service: float, places: int, again: float, delay: float
) -> Retrials:
    """M/M/c/K whose blocked customers try again with a chance, after an exponential delay.

    The main model of Falin and Templeton (1997, Retrial Queues, chapter 2) with impatience; the
    orbit is cut where hardly anybody is. Times in one unit, arrivals per it.
    """
    most = 20 + int(6 * arrivals * again * delay / max(1e-9, 1 - again))
    room, most = servers + places, min(most, 80)

    def moves(state: State) -> Iterable[tuple[State, float]]:
        here, orbit = state
        yield (here - 1, orbit), min(here, servers) / service
        if here < room:
            yield (here + 1, orbit), arrivals
            yield (here + 1, orbit - 1), orbit / delay
        else:
            yield (here, min(orbit + 1, most)), arrivals * again if orbit < most else 0.0
            yield (here, orbit - 1), orbit / delay * (1 - again)

    found = solve((0, 0), moves)
    here, orbit = found.states.T
    full = here == room
    lost = (1 - again) * found.mean(full * (arrivals + orbit / delay)) / arrivals
    used = found.mean(np.minimum(here, servers)) / servers
    return Retrials(found.mean(full), lost, found.mean(here + orbit), used)


class Helped(NamedTuple):
    """A pool that another one helps where its queue is long.

    Attributes
    ----------
    queue, wait : float
        Mean number that wait; mean wait of all, by Little's law.
    used, helper_used : float
        Occupancy of the pool and of the helpers.
    """

    queue: float
    wait: float
    used: float
    helper_used: float


def overflow_at(
    servers: int, helpers: int, arrivals: float, services: tuple[float, float], at: int
) -> Helped:
    """M/M/c whose next customer is taken by helpers, else idle, while at least `at` wait.

    Times in one unit, arrivals per it; mean services with the pool and with the helpers.
    """
    most = 120

    def moves(state: State) -> Iterable[tuple[State, float]]:
        own, helping, queue = state
        if own < servers:
            yield (own + 1, helping, queue), arrivals
        elif queue + 1 >= at and helping < helpers:
            yield (own, helping + 1, queue), arrivals
        elif queue < most:
            yield (own, helping, queue + 1), arrivals
        then = (own, helping, queue - 1) if queue else (own - 1, helping, 0)
        yield then, own / services[0]
        then = (own, helping, queue - 1) if queue >= at else (own, helping - 1, queue)
        yield then, helping / services[1]

    found = solve((0, 0, 0), moves)
    own, helping, queue = (found.mean(column) for column in found.states.T)
    return Helped(queue, queue / arrivals, own / servers, helping / helpers)


class WrapUp(NamedTuple):
    """A desk with after-contact work.

    Attributes
    ----------
    queue, wait : float
    wait_share : float
        Share of those who come who have to wait.
    used : float
        Occupancy.
    """

    queue: float
    wait: float
    wait_share: float
    used: float


def wrap_up(servers: int, arrivals: float, handle: float, after: float) -> WrapUp:
    """M/PH/c: each agent's work is an exponential handle time and then an exponential wrap-up.

    Times in one unit, arrivals per it.
    """
    most = 150

    def moves(state: State) -> Iterable[tuple[State, float]]:
        handling, wrapping, queue = state
        if handling + wrapping < servers:
            yield (handling + 1, wrapping, queue), arrivals
        elif queue < most:
            yield (handling, wrapping, queue + 1), arrivals
        yield (handling - 1, wrapping + 1, queue), handling / handle
        then = (handling + 1, wrapping - 1, queue - 1)
        yield then if queue else (handling, wrapping - 1, 0), wrapping / after

    found = solve((0, 0, 0), moves)
    handling, wrapping, queue = found.states.T
    busy = handling + wrapping
    mean = found.mean(queue)
    return WrapUp(mean, mean / arrivals, found.mean(busy == servers), found.mean(busy) / servers)


def two_moments(servers: int, arrivals: float, service: float, cv: float) -> float:
    """Mean wait of M/G/c by the first two moments of the service time: an approximation.

    Erlang C's, times (1 + cv^2) / 2 (Lee and Longton 1959); exact for one server and for
    exponential services.
    """
    return erlang_c_wait(servers, arrivals * service, service) * (1 + cv**2) / 2


def finite_source(
    servers: int, customers: int, service: float, away: float
) -> tuple[float, float, float]:
    """Queue, wait and occupancy of M/M/c//N: customers who come back after an exponential time.

    Machine repair (Palm 1947); times in one unit.
    """
    number = np.arange(customers + 1)
    busy, waiting = np.minimum(number, servers), np.maximum(number - servers, 0)
    chance = birth_death((customers - number[:-1]) / away, busy[1:] / service)
    queue, used = float(chance @ waiting), float(chance @ busy)
    return queue, queue * service / used, used / servers


def patience_of_some(
    servers: int, arrivals: float, service: float, patience: float, endless: float
) -> tuple[float, float, float]:
    """P(wait), P(abandon) and mean wait of M/M/c+G: exponential patience, endless of a share.

    Baccelli and Hebuterne 1981; the integrals of Zeltyn and Mandelbaum 2005 (Call centers with
    impatient customers: many-server asymptotics of the M/M/n+G queue, section 2), by the trapezoid
    rule. Times in one unit, arrivals per it; the endlessly patient alone must not overload it.
    """
    out, drift = servers / service, arrivals * endless
    x = np.linspace(0.0, 40.0 / max(out - drift, 1e-9), 400_001)
    stays = endless * x + (1 - endless) * patience * -np.expm1(-x / patience)
    density = np.exp(arrivals * stays - out * x)
    whole, wait = float(np.trapezoid(density, x)), float(np.trapezoid(stays * density, x))
    blocked = 1.0
    for k in range(1, servers):
        blocked = 1 + blocked * k / (arrivals * service)
    total = blocked + arrivals * whole
    return (
        arrivals * whole / total,
        (1 + (arrivals - out) * whole) / total,
        arrivals * wait / total,
    )


class TwoSpeeds(NamedTuple):
    """Two agents who are not equally fast.

    Attributes
    ----------
    number, wait : float
        Mean number of tickets; mean wait.
    used, first_share : float
        Occupancy of both; share of the work spells of the first one.
    """

    number: float
    wait: float
    used: float
    first_share: float


def two_speeds(
    arrivals: float, services: tuple[float, float], choice: str, most: int = 150
) -> TwoSpeeds:
    """M/M/2 with agents of two speeds, by who of them takes a ticket that finds both free.

    From the balance equations of its Markov chain (Gumbel 1960 for a choice by chance).

    Parameters
    ----------
    arrivals : float
        In a unit of time.
    services : (float, float)
        Mean service times of the first and of the second agent.
    choice : {"in order", "random", "longest idle"}
        In order: the first one takes it.
    most : int
        Number of tickets up to which the equations go.
    """
    leave = 1 / services[0], 1 / services[1]
    # None there, the first or the second idle longer; only the first or the second busy; 2, 3, ...
    none, only, several = (0, 1), (2, 3), 4
    rates = np.zeros((several + most - 1, several + most - 1))
    for longer in (0, 1):
        rules = {"in order": (1.0, 0.0), "random": (0.5, 0.5)}
        taken = rules.get(choice, (1.0 - longer, float(longer)))
        for agent in (0, 1):
            rates[none[longer], only[agent]] += arrivals * taken[agent]
    for agent in (0, 1):
        rates[only[agent], several] += arrivals
        # Of both idle, the other one is so for longer.
        rates[only[agent], none[1 - agent]] += leave[agent]
        rates[several, only[1 - agent]] += leave[agent]
    for k in range(several, len(rates) - 1):
        rates[k, k + 1] = arrivals
        rates[k + 1, k] = math.fsum(leave)
    chance = stationary(rates)
    beyond = chance[several:]
    waiting = float(beyond @ np.arange(len(beyond)))
    busy = [float(chance[only[agent]] + beyond.sum()) for agent in (0, 1)]
    spells = [busy[agent] * leave[agent] for agent in (0, 1)]
    in_work, first = math.fsum(busy), spells[0] / math.fsum(spells)
    return TwoSpeeds(waiting + in_work, waiting / arrivals, in_work / 2, first)


class Absent(NamedTuple):
    """A desk whose agents come and go.

    Attributes
    ----------
    wait_share, wait : float
        Share of customers who find nobody free; mean wait, of those who give up too.
    abandoned : float
        Share of customers who give up.
    used, away : float
        Shares of the agents on shift who are busy and away.
    queue : float
        Mean number that waits.
    """

    wait_share: float
    wait: float
    abandoned: float
    used: float
    away: float
    queue: float


def erlang_s(
    servers: int,
    arrivals: float,
    service: float,
    patience: float,
    *,
    after_touch: float,
    while_idle: float,
    returns: float,
    returns_per_queued: float = 0.0,
) -> Absent:
    """M/M/c+M whose servers come and go (Azriel, Feigin and Mandelbaum 2019).

    From the balance equations of its Markov chain: customers at the desk, servers away. Mean times
    in one unit, rates per that unit; patience may be infinite where the desk is stable.
    """
    most = servers + 30 + math.ceil(2 * arrivals * min(patience, 10 * service))
    states = np.array([(n, a) for a in range(servers + 1) for n in range(most + 1)])
    number, away = states.T
    busy = np.minimum(number, servers - away)
    waiting, free = number - busy, servers - away - busy
    here = np.arange(len(states))
    rates = np.zeros((len(states), len(states)))

    def go(more: int, more_away: int, rate: Floats) -> None:
        on = rate > 0
        rates[here[on], here[on] + more + more_away * (most + 1)] += rate[on]

    go(1, 0, np.where(number < most, arrivals, 0.0))
    go(-1, 0, busy / service * (1 - after_touch) + waiting / patience)
    go(-1, 1, busy / service * after_touch)
    go(0, 1, while_idle * free)
    go(0, -1, away * (returns + returns_per_queued * waiting))
    chance = stationary(rates)
    queue = float(chance @ waiting)
    return Absent(
        float(chance[free == 0].sum()),
        queue / arrivals,  # Little's law
        queue / patience / arrivals,
        float(chance @ busy) / servers,
        float(chance @ away) / servers,
        queue,
    )
