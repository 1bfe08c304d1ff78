"""Recursions that play simple desks without clocks; closed forms are in `measures.theory`."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from twin.measures.theory import (
    erlang_a,
    erlang_c,
    erlang_c_level,
    erlang_c_wait,
    mm1_number,
    pollaczek_khinchine,
    priority_sojourns,
)

__all__ = [
    "erlang_a",
    "erlang_c",
    "erlang_c_level",
    "erlang_c_wait",
    "fifo_starts",
    "mm1_number",
    "pollaczek_khinchine",
    "priority_sojourns",
    "priority_starts",
]

Floats = npt.NDArray[np.float64]


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
