"""Choice among pools that may take a ticket."""

from __future__ import annotations

from collections.abc import Callable

from twin.demand.luck import Lazy, Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.teams import Team
from twin.desk.waiting import Visit
from twin.scenario.model import Routing


def pool_choice(
    routing: Routing, demand: Demand
) -> Callable[[tuple[Team, ...], Visit], tuple[Team, ...]] | None:
    """Order in which pools are asked to take a visit; the first with a free place takes it.

    None: always as in the file.
    """
    if routing.pool_choice == "in order":
        return None
    luck: Lazy[Use, memoryview] = Lazy(
        lambda use: view(demand.uniform(Stream.POOL_CHOICE, use=use))
    )

    def order(able: tuple[Team, ...], visit: Visit) -> tuple[Team, ...]:
        free = [team for team in able if team.busy < team.staffed]
        own = [team for team in free if visit.category in team.skills]
        if len(own) < 2:
            return tuple(free)
        if routing.pool_choice == "random":
            u = luck[Use(visit.returns, visit.activity)][visit.ticket]
            return (own[int(u * len(own))],)
        # Where two have been idle as long, the first in the file.
        return (min(own, key=_idle_since),)

    return order


def _idle_since(team: Team) -> tuple[int, float]:
    assert team.crew is not None
    return team.crew.idle_since()
