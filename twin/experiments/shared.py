"""Demand, luck and answers of replications, for desks that differ in none of them.

The points of a study or a search mostly differ in who works. Luck belongs to the ticket, so tickets
and what the assistant answers to them are the same in all of these points: made once a replication.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from twin.demand.once import LATER, DrawnOnce
from twin.demand.tickets import Demand
from twin.desk.served import AnsweredOnce, may_keep
from twin.scenario.model import Scenario

# Replications that are kept: as many as settings take turns in; and where all of them come again
# and again, as in a search.
_MOST, _MOST_AGAIN = 4, 64


class Shared:
    """Demand and answers of a group of replications; files are read when the first is played.

    Parameters
    ----------
    name : str
        Of the group.
    most : int
        Replications of which they are kept.
    """

    def __init__(self, name: str, most: int = _MOST) -> None:
        self.name = name
        self._most = most
        self._asked: set[str] = set()
        self._drawn = DrawnOnce(most, luck=True)
        # The last ones, with what they were made of.
        self._models: tuple[tuple[str, tuple[str, ...]], AnsweredOnce] | None = None
        # By the demand's id; it is kept, too, as ids of what is gone are given again.
        self._answered: OrderedDict[int, tuple[Demand, AnsweredOnce]] = OrderedDict()

    def is_first(self, what: str) -> bool:
        """True when it is asked of something for the first time."""
        first = what not in self._asked
        self._asked.add(what)
        return first

    def demand(self, scenario: Scenario, replication: int) -> Demand:
        """As `twin.demand.tickets.draw`."""
        return self._drawn.draw(scenario, replication)

    def models(self, scenario: Scenario, demand: Demand) -> AnsweredOnce | None:
        """Models of a desk, for `simulate`; None where they are not shared, or there are none."""
        if not may_keep(scenario):
            return None
        known = self._answered.pop(id(demand), None)
        if known is None:
            known = demand, replace(self._made(scenario, demand), said={})
        self._answered[id(demand)] = known
        while len(self._answered) > self._most:
            self._answered.popitem(last=False)
        return known[1]

    def _made(self, scenario: Scenario, demand: Demand) -> AnsweredOnce:
        """Models that have answered nothing, made once for all replications."""
        of = scenario.model_dump_json(exclude=LATER), demand.categories
        if self._models is None or self._models[0] != of:
            self._models = of, AnsweredOnce.of(scenario, demand)
        return self._models[1]


_last = Shared("")


def shared_by(name: str, again: bool = False) -> Shared | None:
    """Demand and answers that a group shares in this process; of the last group alone they stay.

    Parameters
    ----------
    name : str
        Empty: nothing is shared.
    again : bool
        Whether replications come again and again, so that more of them are kept.
    """
    global _last
    if not name:
        return None
    if _last.name != name:
        _last = Shared(name, _MOST_AGAIN if again else _MOST)
    return _last
