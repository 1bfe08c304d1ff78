"""Choice among pools that may take a ticket, and among all agents of a pool of several teams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop
from itertools import groupby

from twin.demand.luck import Lazy, Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.teams import Team
from twin.desk.waiting import Line, Visit
from twin.scenario.model import Routing

# Order in which teams are asked to take a visit; the first with a free place takes it.
Order = Callable[[Sequence[Team], Visit], tuple[Team, ...]]


def pool_choice(routing: Routing, demand: Demand, divided: bool) -> Order | None:
    """The order by the choice of pools; None: always as in the file.

    Parameters
    ----------
    routing : Routing
    demand : Demand
        For the luck.
    divided : bool
        Whether a pool is several teams: the agent is chosen among all of them.
    """
    if routing.pool_choice == "in order":
        return first_pool if divided else None
    luck: Lazy[Use, memoryview] = Lazy(
        lambda use: view(demand.uniform(Stream.POOL_CHOICE, use=use))
    )

    def order(able: Sequence[Team], visit: Visit) -> tuple[Team, ...]:
        pools = _free(able, visit)
        own = [pool for pool in pools if any(visit.category in team.skills for team in pool)]
        if len(own) < 2:
            chosen = pools[:1]
        elif routing.pool_choice == "random":
            u = luck[Use(visit.returns, visit.activity)][visit.ticket]
            chosen = [own[int(u * len(own))]]
        else:
            # Where two have been idle as long, the first in the file.
            chosen = [min(own, key=lambda pool: _idle_since(pool, visit))]
        return tuple(among(pool, visit) for pool in chosen)

    return order


def first_pool(able: Sequence[Team], visit: Visit) -> tuple[Team, ...]:
    """The team of the first pool with a free agent who may take a visit; empty: nobody may."""
    return tuple(among(pool, visit) for pool in _free(able, visit)[:1])


def among(teams: Sequence[Team], visit: Visit) -> Team:
    """The team of a pool whose agent takes a visit: each of these has a free one."""
    if len(teams) == 1:
        return teams[0]
    crews = [(team.crew, team) for team in teams if team.crew is not None]
    first, _ = crews[0]
    if first.by_chance:
        team_of = {agent.number: team for crew, team in crews for agent in crew.free(visit)}
        agents = [agent for crew, _ in crews for agent in crew.free(visit)]
        visit.agent = first.drawn(visit, sorted(agents, key=lambda agent: agent.number))
        return team_of[visit.agent.number]
    return min(crews, key=lambda one: one[0].offer(visit))[1]


def fill(
    mates: Sequence[Team],
    first: Callable[[Team], Line | None],
    pick_up: Callable[[Team, Visit], None],
) -> None:
    """Give the free agents of a pool of several teams their next visits, one by one.

    Each visit goes to whom the choice finds among all of them.

    Parameters
    ----------
    mates : sequence of Team
    first : callable
        The line whose head is next for a team; None where nobody waits.
    pick_up : callable
        Let a team take a visit.
    """
    while True:
        free = [mate for mate in mates if mate.busy < mate.staffed]
        firsts = [(first(mate), mate) for mate in free]
        lines = [line for line, _ in firsts if line is not None]
        if not lines:
            return
        next_ = min(lines, key=lambda line: line[0][0])
        _, visit = heappop(next_)
        pick_up(among([mate for line, mate in firsts if line is next_], visit), visit)


def _free(able: Sequence[Team], visit: Visit) -> list[list[Team]]:
    """Teams with an agent who may take a visit, pool by pool, in order."""
    free = [team for team in able if team.has_room(visit)]
    return [list(pool) for _, pool in groupby(free, key=lambda team: team.number)]


def _idle_since(pool: Sequence[Team], visit: Visit) -> tuple[int, float]:
    return min(team.crew.idle_since(visit) for team in pool if team.crew is not None)
