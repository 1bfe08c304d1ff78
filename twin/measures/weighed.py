"""Tickets that take several places of an agent: answers by recursion and by Markov chain."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from twin.measures.chains import State, solve


def kaufman_roberts(
    places: int, loads: Sequence[float], weights: Sequence[int]
) -> tuple[float, ...]:
    """Share of each kind that is turned away by one agent with some places, and no place to wait.

    Kaufman 1981, Blocking in a shared resource environment, IEEE Transactions on Communications
    29(10), 1474-1481; Roberts 1981. It holds for service times of any distribution.

    Parameters
    ----------
    places : int
    loads : sequence of float
        Arrivals of each kind in a mean service time of it.
    weights : sequence of int
        Places that one of each kind takes.

    Examples
    --------
    >>> kaufman_roberts(1, [1.0], [1])
    (0.5,)
    """
    taken = [1.0]
    for n in range(1, places + 1):
        kinds = [(a, b) for a, b in zip(loads, weights, strict=True) if b <= n]
        taken.append(math.fsum(a * b * taken[n - b] for a, b in kinds) / n)
    total = math.fsum(taken)
    return tuple(math.fsum(taken[places - b + 1 :]) / total for b in weights)


class Weighed(NamedTuple):
    """A desk whose kinds of tickets take places of their own number.

    Attributes
    ----------
    blocked, wait : tuple of float
        Share of each kind that is turned away; mean wait of the others.
    used : float
        Share of time in which an agent has anything in hand.
    in_hand : float
        Tickets that such an agent has in hand.
    """

    blocked: tuple[float, ...]
    wait: tuple[float, ...]
    used: float
    in_hand: float


def weighed(
    agents: int,
    places: int,
    arrivals: Sequence[float],
    services: Sequence[float],
    weights: Sequence[int],
    waiting: int,
    speeds: Sequence[float],
) -> Weighed:
    """Several tickets in hand, by kinds that take some places each; who fits first is taken first.

    A customer goes to the agent with the most free places. A state is what each agent has in hand,
    and the kinds of those who wait in the order in which they came. Kinds must be such that agents
    with as many places taken have the same in hand, unless they are full: as with weights 1 and
    `places`.

    Parameters
    ----------
    agents, places : int
        Places are those of an agent.
    arrivals, services : sequence of float
        Rate and mean service time of each kind.
    weights : sequence of int
        Places that one of each kind takes.
    waiting : int
        Customers who may wait.
    speeds : sequence of float
        Of each ticket of an agent who has 1, 2, ... in hand.
    """
    kinds = range(len(arrivals))

    def taken(hand: State) -> int:
        return int(np.dot(hand, weights))

    def with_one(hands: Sequence[State], k: int, kind: int, more: int) -> list[State]:
        hand = tuple(n + more * (kind == other) for other, n in enumerate(hands[k]))
        return [*hands[:k], hand, *hands[k + 1 :]]

    def state_of(hands: Sequence[State], line: Sequence[int]) -> State:
        # Agents are alike: in what order does not matter.
        flat = (n for hand in sorted(hands) for n in hand)
        return (*flat, *line, *[-1] * (waiting - len(line)))

    def settled(hands: list[State], line: Sequence[int]) -> tuple[list[State], list[int]]:
        """Give agents the first of those who fit, until nobody does."""
        left = []
        for kind in line:
            k = min(range(agents), key=lambda k: taken(hands[k]))
            if taken(hands[k]) + weights[kind] <= places:
                hands = with_one(hands, k, kind, 1)
            else:
                left.append(kind)
        return hands, left

    def parts(state: State) -> tuple[list[State], list[int]]:
        edge = agents * len(kinds)
        hands = [state[k : k + len(kinds)] for k in range(0, edge, len(kinds))]
        return hands, [kind for kind in state[edge:] if kind >= 0]

    def moves(state: State) -> Iterable[tuple[State, float]]:
        hands, line = parts(state)
        for kind in kinds:
            then = settled(hands, [*line, kind])
            if len(then[1]) <= waiting:
                yield state_of(*then), arrivals[kind]
        for k, hand in enumerate(hands):
            for kind, n in enumerate(hand):
                if n:
                    rate = n * speeds[int(np.sum(hand)) - 1] / services[kind]
                    yield state_of(*settled(with_one(hands, k, kind, -1), line)), rate

    found = solve(state_of([(0,) * len(kinds)] * agents, []), moves)
    edge = agents * len(kinds)
    hands = found.states[:, :edge].reshape(-1, agents, len(kinds))
    lines = found.states[:, edge:]
    most_free = places - (hands @ np.array(weights)).min(axis=1)
    full = (lines >= 0).sum(axis=1) >= waiting
    blocked = [found.mean(full & (most_free < weight)) for weight in weights]
    queued = [found.mean((lines == kind).sum(axis=1)) for kind in kinds]
    busy = found.mean((hands.sum(axis=2) > 0).sum(axis=1))
    return Weighed(
        tuple(blocked),
        tuple(queued[k] / (arrivals[k] * (1 - blocked[k])) for k in kinds),
        busy / agents,
        found.mean(hands.sum(axis=(1, 2))) / busy,
    )
