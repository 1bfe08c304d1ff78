"""Shifts as they are played: who comes, and when what changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from simpy.events import URGENT

from twin.demand.luck import Stream, of_agents
from twin.demand.tickets import Demand
from twin.desk.kernel import Clock, Happening
from twin.desk.ledger import Ledger
from twin.scenario.calendars import Staircase, member_hours, pool_hours, together
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

    @property
    def may_draw(self) -> bool:
        """True if it is a matter of chance who comes to any shift of the pool."""
        pool = self._pool
        if pool.shrinkage or pool.roster is not None:
            return True
        heads = [pool.heads or 0, *(shift.heads for shift in pool.shifts or [])]
        return any(one != int(one) for one in heads)

    def __call__(self, day: date, number: int, heads: float, member: int = 0, /) -> int:
        """Heads who come to the shift of a day with a number, of those scheduled.

        With the number of a member: to one of their own shifts.
        """
        pool, least = self._pool, int(heads)
        if heads == least and not pool.shrinkage:
            return least
        self.drawn = True
        seed, replication = self._demand.seed, self._demand.replication
        use: tuple[int, ...] = (day.toordinal(), number)
        stream = Stream.TURNOUT
        if member:
            use, stream = (*use, member), Stream.MEMBER_TURNOUT
        # One for the fraction, then one for each agent: who is added changes nothing for others.
        n = least + 2 if pool.shrinkage else 1
        u = _luck(seed, replication, stream, pool.name, use, n)
        scheduled = least + (u[0] < heads - least)
        if not pool.shrinkage:
            return scheduled
        return int(sum(one >= pool.shrinkage for one in u[1 : scheduled + 1]))


# A fit plays the same shifts again and again.
@lru_cache(maxsize=1 << 16)
def _luck(
    seed: int, replication: int, stream: Stream, pool: str, use: tuple[int, ...], n: int
) -> tuple[float, ...]:
    return tuple(of_agents(seed, replication, stream, pool, *use).random(n).tolist())


class Part(NamedTuple):
    """Agents of a pool with the same skills, who come and go by one calendar.

    Attributes
    ----------
    numbers : tuple of int
        Members among them, from 1.
    skills : list of str
        Categories that they take; none: all.
    calendar : Staircase
        Heads over a run. Agents who are no members come when all these are there.
    """

    numbers: tuple[int, ...]
    skills: list[str]
    calendar: Staircase


def parts(
    pool: Pool, number: int, scenario: Scenario, demand: Demand, ledger: Ledger
) -> list[Part]:
    """Parts of a pool over a run: one, unless members have skills or shifts of their own.

    Heads are written down where they are not as scheduled.

    Raises
    ------
    ScenarioError
        If its roster file is unusable.
    """
    turnout = Turnout(pool, demand)
    calendar = pool_hours(pool, scenario, turnout if turnout.may_draw else None)
    # By skills and calendar: numbers of members, and their ranks by the calendar of the pool.
    found: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    if pool.anonymous or not pool.members:
        found[frozenset(pool.skills), None] = []
    named = 0
    for k, member in enumerate(pool.members, 1):
        hours = None
        if member.shifts is not None:
            # Where it is drawn who comes, each comes alone.
            hours = member.shifts if not pool.shrinkage else k
        key = frozenset(member.skills or pool.skills), None if hours is None else repr(hours)
        found.setdefault(key, []).append((k, named))
        named += hours is None
    divided = []
    for (skills, hours), members in found.items():
        numbers = tuple(k for k, _ in members)
        if hours is not None:
            one = member_hours(pool, numbers[0], scenario, turnout)
            level = Staircase(one.times, one.values * len(numbers))
        elif len(found) == 1:
            level = calendar
        else:
            beyond = named if skills == frozenset(pool.skills) else None
            level = _share(calendar, [rank for _, rank in members], beyond)
        divided.append(Part(numbers, sorted(skills), level))
    # Where agents come and go, each change is written down when it happens.
    if turnout.drawn and pool.away is None:
        whole = calendar if len(divided) == 1 else together([part.calendar for part in divided])
        for moment, heads in zip(whole.times.tolist(), whole.values.tolist(), strict=True):
            if moment < scenario.horizon:
                ledger.staffed(number, moment, heads)
    return divided


def _share(heads: Staircase, ranks: list[int], beyond: int | None) -> Staircase:
    """Those of a pool's heads with some ranks, from 0, and where given all beyond a number."""
    values = np.zeros_like(heads.values)
    for rank in ranks:
        values += heads.values > rank
    if beyond is not None:
        values += np.maximum(heads.values - beyond, 0)
    keep = np.concatenate([[True], np.diff(values) != 0])
    return Staircase(heads.times[keep], values[keep])


def schedule_changes(
    clock: Clock,
    calendars: Sequence[Staircase],
    horizon_s: float,
    change: Callable[[list[tuple[int, int]]], None],
) -> None:
    """Call `change` at each moment at which calendars change: once for all that do so then."""

    def at(moment: float, changes: list[tuple[int, int]]) -> None:
        event = Happening(clock)
        event.callbacks = [lambda _: change(changes)]
        clock.schedule_at(event, moment, URGENT)

    found = changes_of(calendars, horizon_s)
    for moment in sorted(found):
        at(moment, found[moment])


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
