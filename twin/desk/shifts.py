"""Shifts as they are played: who comes, and when what changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from twin.demand.luck import Stream, of_agents
from twin.demand.tickets import Demand
from twin.desk.ledger import Ledger
from twin.scenario.calendars import Staircase, staffing
from twin.scenario.model import Pool, Scenario


class Turnout:
    """Number of agents who come to each shift of a pool, by the pool's luck.

    Parameters
    ----------
    pool : Pool
    demand : Demand
        For the luck.

    Attributes
    ----------
    drawn : bool
        Whether any shift had to be drawn.
    """

    def __init__(self, pool: Pool, demand: Demand) -> None:
        self._pool = pool
        self._demand = demand
        self.drawn = False

    def __call__(self, day: date, number: int, heads: float) -> int:
        """Heads who come to the shift of a day with a number, of those scheduled."""
        pool, least = self._pool, int(heads)
        if heads == least and not pool.shrinkage:
            return least
        self.drawn = True
        seed, replication = self._demand.seed, self._demand.replication
        luck = of_agents(seed, replication, Stream.TURNOUT, pool.name, day.toordinal(), number)
        # One for the fraction, then one for each agent: who is added changes nothing for others.
        u = luck.random(least + 2)
        scheduled = least + (u[0] < heads - least)
        return int((u[1 : scheduled + 1] >= pool.shrinkage).sum())


def played(
    pool: Pool, number: int, scenario: Scenario, demand: Demand, ledger: Ledger
) -> Staircase:
    """Heads of a pool over a run; written down where they are not as scheduled.

    Raises
    ------
    ScenarioError
        If its roster file is unusable.
    """
    turnout = Turnout(pool, demand)
    calendar = staffing(pool, scenario, turnout)
    # Where agents come and go, each change is written down when it happens.
    if turnout.drawn and pool.away is None:
        for moment, heads in zip(calendar.times.tolist(), calendar.values.tolist(), strict=True):
            if moment < scenario.horizon:
                ledger.staffed(number, moment, heads)
    return calendar


def changes_of(
    calendars: Sequence[Staircase], horizon_s: float
) -> dict[float, list[tuple[int, int]]]:
    """Changes of heads during a run by their moment, each as (number of the calendar, heads)."""
    changes: dict[float, list[tuple[int, int]]] = {}
    for number, calendar in enumerate(calendars):
        steps = zip(calendar.times.tolist(), calendar.values.tolist(), strict=True)
        for moment, heads in steps:
            if 0 < moment < horizon_s:
                changes.setdefault(moment, []).append((number, heads))
    return changes
