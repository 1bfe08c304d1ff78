"""Agents told apart, as Markov chains solved exactly by NumPy: by skills, and who come and go."""

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


class Draining(NamedTuple):
    """A desk whose agents have several tickets in hand, and come and go.

    Attributes
    ----------
    blocked : float
        Share of customers who are turned away.
    wait : float
        Mean wait of the others.
    number : float
        Mean number at the desk.
    away : float
        Share of the agents who are away.
    """

    blocked: float
    wait: float
    number: float
    away: float


def draining(
    agents: int,
    in_hand: int,
    arrivals: float,
    service: float,
    places: int,
    *,
    after_touch: float,
    while_idle: float,
    returns: float,
    returns_per_queued: float = 0.0,
) -> Draining:
    """Agents who finish what they have in hand before they are away; each ticket at full speed.

    A customer goes to who has fewest in hand. A state is, agent by agent, what they have in hand,
    and whether they are there, about to leave, or away; and how many wait. Mean times in one unit,
    rates per that unit.
    """
    there, leaving, away = range(3)

    def state_of(hands: list[tuple[int, int]], queue: int) -> State:
        # Agents are alike: in what order does not matter.
        return (*(part for one in sorted(hands) for part in one), queue)

    def moves(state: State) -> Iterable[tuple[State, float]]:
        queue, hands = state[-1], list(zip(state[:-1:2], state[1:-1:2], strict=True))

        def now(k: int, number: int, mode: int, waiting: int) -> State:
            return state_of([*hands[:k], (number, mode), *hands[k + 1 :]], waiting)

        free = [k for k, (number, mode) in enumerate(hands) if mode == there and number < in_hand]
        if free:
            k = min(free, key=lambda k: hands[k][0])
            yield now(k, hands[k][0] + 1, there, queue), arrivals
        elif queue < places:
            yield state_of(hands, queue + 1), arrivals
        for k, (number, mode) in enumerate(hands):
            ends, left = number / service, number - 1
            goes = now(k, left, leaving if left else away, queue)
            if mode == there:
                stays = now(k, number, there, queue - 1) if queue else now(k, left, there, 0)
                yield goes, ends * after_touch
                yield stays, ends * (1 - after_touch)
                yield now(k, 0, away, queue), while_idle * (number == 0)
            elif mode == leaving:
                yield goes, ends
            else:
                takes = min(in_hand, queue)
                back = returns + returns_per_queued * queue
                yield now(k, takes, there, queue - takes), back

    found = solve(state_of([(0, there)] * agents, 0), moves)
    hands, modes, waiting = found.states[:, :-1:2], found.states[:, 1:-1:2], found.states[:, -1]
    none_free = ((modes != there) | (hands >= in_hand)).all(axis=1)
    blocked, queue = found.mean(none_free & (waiting >= places)), found.mean(waiting)
    return Draining(
        blocked,
        queue / (arrivals * (1 - blocked)),
        queue + found.mean(hands.sum(axis=1)),
        found.mean((modes == away).sum(axis=1)) / agents,
    )
