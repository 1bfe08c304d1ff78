"""Closed forms of queueing theory, and recursions that play simple desks without a clock."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


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
    weight, weights = 1.0, [1.0]
    for k in range(1, servers + 2000):
        leave = min(k, servers) / service + max(0, k - servers) / patience
        weight *= arrivals / leave
        weights.append(weight)
    chance = np.array(weights) / math.fsum(weights)
    number = np.arange(len(chance))
    queue = float(chance @ np.maximum(number - servers, 0))
    busy = float(chance @ np.minimum(number, servers))
    wait = queue / arrivals  # Little's law
    return float(chance[servers:].sum()), wait / patience, busy / servers, wait


def pollaczek_khinchine(load: float, cv: float) -> float:
    """Mean queue of M/G/1 (Pollaczek 1930, Khinchine 1932)."""
    return load**2 * (1 + cv**2) / (2 * (1 - load))


def priority_sojourns(arrivals: list[float], service: float) -> list[float]:
    """Mean sojourns of non-preemptive priority M/M/1, first class first (Cobham 1954)."""
    residual = sum(arrivals) * service**2
    sigma = np.concatenate([[0.0], np.cumsum(arrivals) * service])
    return [float(residual / ((1 - a) * (1 - b)) + service) for a, b in pairwise(sigma)]


def mm1_number(load: float) -> float:
    """Mean number in M/M/1; in a tandem too, as its departures are Poisson (Burke 1956)."""
    return load / (1 - load)


def fifo_starts(
    arrived: Floats, work: Floats, servers: int, patience: Floats | float = math.inf
) -> Floats:
    """Starts of service in a first-come c-server queue, by the Kiefer-Wolfowitz recursion (1955).

    Parameters
    ----------
    arrived, work : array of float, shape (n, replications)
        Replications side by side, so that a step is one operation for all of them. Columns shorter
        than the longest end in arrivals at infinity.
    servers : int
    patience : array of float, shape (n, replications), or float

    Returns
    -------
    array of float, shape (n, replications)
        NaN where the customer left: when an agent would have begun, patience had run out.
    """
    patience = np.broadcast_to(patience, arrived.shape)
    free = np.zeros((arrived.shape[1], servers))
    column = np.arange(arrived.shape[1])
    starts = np.empty(arrived.shape)
    for k in range(len(arrived)):
        first = free.argmin(axis=1)
        earliest = free[column, first]
        start = np.maximum(arrived[k], earliest)
        stays = (start == arrived[k]) | (start < arrived[k] + patience[k])
        free[column, first] = np.where(stays, start + work[k], earliest)
        starts[k] = np.where(stays, start, np.nan)
    return starts


def priority_starts(arrived: Floats, work: Floats, first_class: npt.NDArray[np.bool_]) -> Floats:
    """Starts of service with one server that takes a first class before a second, never preempting.

    Each step serves one customer of every replication: the first class if one is there, else the
    second, else whoever comes next. Parameters and result as in `fifo_starts`.
    """
    n, replications = arrived.shape
    column = np.arange(replications)
    # Rows of the first class, then of the second, each in order of arrival; then nobody (n).
    rows = [
        np.vstack(
            [np.sort(np.where(mask, np.arange(n)[:, None], n), axis=0), np.full(replications, n)]
        )
        for mask in (first_class, ~first_class)
    ]
    arrived = np.vstack([arrived, np.full(replications, np.inf)])
    work = np.vstack([work, np.zeros(replications)])
    starts = np.full(arrived.shape, np.nan)
    served = np.zeros((2, replications), dtype=np.int64)
    free = np.zeros(replications)
    for _ in range(n):
        high, low = rows[0][served[0], column], rows[1][served[1], column]
        come_high, come_low = arrived[high, column], arrived[low, column]
        takes_high = (come_high <= free) | ((come_low > free) & (come_high <= come_low))
        row = np.where(takes_high, high, low)
        start = np.maximum(free, np.where(takes_high, come_high, come_low))
        starts[row, column] = start
        free = start + work[row, column]
        served[0] += takes_high
        served[1] += ~takes_high
    return starts[:n]
