"""Tenure of agents: how long each has been there, who leaves and is replaced, and what follows."""

from __future__ import annotations

from math import inf, log1p

import numpy as np

from twin.demand.luck import Stream, Use, generator
from twin.demand.tickets import Demand
from twin.scenario.model import Pool, Support

YEAR_S = 365 * 86400.0


class Tenures:
    """Moments at which the agents of a pool joined, and their speed with support by an assistant.

    Who leaves is replaced at once by one of tenure 0, who goes on with the work in hand. The luck
    belongs to (replication, pool, agent): more agents change nothing for the others.

    Parameters
    ----------
    number : int
        Of the pool.
    pool : Pool
    support : Support or None
    demand : Demand
    """

    def __init__(self, number: int, pool: Pool, support: Support | None, demand: Demand) -> None:
        self._number, self._pool, self._support = number, pool, support
        self._demand = demand
        self._agents: dict[int, _Post] = {}

    def joined_s(self, agent: int, now_s: float) -> float | None:
        """Moment at which an agent joined; None where it is not known. Time goes forward only."""
        post = self._agents.get(agent)
        if post is None:
            post = self._agents[agent] = self._post(agent)
        while post.leaves_s <= now_s:
            post.joined_s = post.leaves_s
            post.leaves_s += self._stays_s(post.luck)
        return post.joined_s

    def factor(self, agent: int, now_s: float) -> float:
        """Factor on the speed of an agent by what the assistant does for one of their tenure."""
        if self._support is None:
            return 1.0
        joined_s = self.joined_s(agent, now_s)
        return self._support.factor(None if joined_s is None else now_s - joined_s)

    def solves_more(self, agent: int, now_s: float) -> float:
        """Change of the share of an agent's answers that solve, by what the assistant does."""
        if self._support is None:
            return 0.0
        joined_s = self.joined_s(agent, now_s)
        return self._support.solves_more(None if joined_s is None else now_s - joined_s)

    def _post(self, agent: int) -> _Post:
        luck = generator(
            self._demand.seed, self._demand.replication, Stream.TENURE, self._number, Use(agent)
        )
        u, members = luck.random(1), self._pool.members
        tenure_s = members[agent - 1].tenure if agent <= len(members) else None
        if tenure_s is None and self._pool.tenure is not None:
            tenure_s = float(self._pool.tenure.quantile(u)[0])
        return _Post(None if tenure_s is None else -tenure_s, self._stays_s(luck), luck)

    def _stays_s(self, luck: np.random.Generator) -> float:
        u = float(luck.random())
        return -log1p(-u) * YEAR_S / self._pool.turnover if self._pool.turnover else inf


class _Post:
    """The place of an agent: who has it joined then, and leaves then."""

    def __init__(self, joined_s: float | None, leaves_s: float, luck: np.random.Generator) -> None:
        self.joined_s = joined_s
        self.leaves_s = leaves_s
        self.luck = luck
