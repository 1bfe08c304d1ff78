"""Agents with skills of their own as a Markov chain, solved exactly by NumPy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from twin.measures.chains import State, solve


class Skilled(NamedTuple):
    """A desk of few agents with skills of their own.

    Attributes
    ----------
    blocked : float
        Share of customers who are turned away.
    wait : float
        Mean wait of the others.
    number : float
        Mean number at the desk.
    used : tuple of float
        Occupancy of each agent.
    """

    blocked: float
    wait: float
    number: float
    used: tuple[float, ...]


def skilled(
    arrivals: Sequence[float],
    agents: Sequence[tuple[frozenset[int], float]],
    places: int,
    choice: str = "in order",
) -> Skilled:
    """Agents who take some kinds of customers only, first come, first served.

    With two agents, one of whom takes both kinds and the other one of them: the N-design (Garnett
    and Mandelbaum 2000, An introduction to skills-based routing). A state is who is busy, and the
    kinds of those who wait in the order in which they came.

    Parameters
    ----------
    arrivals : sequence of float
        Rate of each kind.
    agents : sequence of (frozenset of int, float)
        Kinds that each takes, and mean service time.
    places : int
        To wait, for kinds that the same agents take.
    choice : str
        Who of the free ones takes a customer: "in order" or "random".
    """
    n, kinds = len(agents), range(len(arrivals))
    able = [frozenset(a for a in range(n) if kind in agents[a][0]) for kind in kinds]
    most = places * len(set(able))

    def state_of(busy: Sequence[int], line: Sequence[int]) -> State:
        return (*busy, *line, *[-1] * (most - len(line)))

    def moves(state: State) -> Iterable[tuple[State, float]]:
        busy, line = list(state[:n]), [kind for kind in state[n:] if kind >= 0]
        for kind in kinds:
            free = [a for a in sorted(able[kind]) if not busy[a]]
            for a in free if choice == "random" else free[:1]:
                taken = [*busy[:a], 1, *busy[a + 1 :]]
                share = 1 / len(free) if choice == "random" else 1.0
                yield state_of(taken, line), arrivals[kind] * share
            if not free and sum(able[other] == able[kind] for other in line) < places:
                yield state_of(busy, [*line, kind]), arrivals[kind]
        for a, (takes, service) in enumerate(agents):
            if busy[a]:
                next_ = next((k for k, kind in enumerate(line) if kind in takes), None)
                rest = line if next_ is None else line[:next_] + line[next_ + 1 :]
                left = [*busy[:a], int(next_ is not None), *busy[a + 1 :]]
                yield state_of(left, rest), 1 / service

    found = solve(state_of([0] * n, []), moves)
    busy, lines = found.states[:, :n], found.states[:, n:]
    queue = found.mean((lines >= 0).sum(axis=1))
    lost = 0.0
    for kind, rate in enumerate(arrivals):
        alike = [other for other in kinds if able[other] == able[kind]]
        full = np.isin(lines, alike).sum(axis=1) >= places
        full &= busy[:, sorted(able[kind])].all(axis=1)
        lost += rate * found.mean(full)
    total = math.fsum(arrivals)
    return Skilled(
        lost / total,
        queue / (total - lost),
        found.mean(busy.sum(axis=1)) + queue,
        tuple(found.mean(busy[:, a]) for a in range(n)),
    )
