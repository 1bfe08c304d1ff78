"""A pool of agents at work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, product

from twin.demand.luck import Lazy
from twin.demand.tickets import Demand
from twin.desk.individuals import Crew
from twin.desk.waiting import Line, Visit
from twin.desk.work import WRAPPED_UP
from twin.scenario.calendars import Staircase
from twin.scenario.model import Pool, Scenario

Times = Lazy[tuple[int, int], memoryview]


@dataclass(eq=False)
class Team:
    """A pool at work: how many of those on shift may work, how many are busy.

    A pool whose members differ in skills or shifts is several teams of the same number.

    Attributes
    ----------
    numbers : tuple of int
        Members of the pool who belong to it, from 1.
    mates : tuple of Team
        All teams of its pool, where there are several.
    fill : callable
        Give free agents of its pool their next visits.
    skills, knows : frozenset of int
        Categories that go to it; categories that it can handle, those that overflow to it included.
    queues, helps : list
        Lines from which it takes visits; those from which it does while so many wait in them.
    done : callable
        Called with the team and a visit that an agent of the team has ended.
    staffed, busy : int
        Of agents who are told apart: places for tickets in hand, and places taken.
    weights : tuple of int
        Places that tickets may take, each number once.
    stops, pauses : bool
        Whether work in hand stops at the end of a shift; whether it then waits for this pool.
    paused : dict
        Lines of work that waits so, by category and places.
    crew : Crew or None
        The agents, where they are told apart.
    in_work : list of Visit
        In the order in which they began; only where work in hand stops at the end of a shift.
    times, after : Lazy
        Work and wrap-up of each ticket, by (activity, number of the visit).
    """

    number: int
    pool: Pool
    calendar: Staircase
    skills: frozenset[int]
    knows: frozenset[int]
    staffed: int
    done: Callable[[Team, Visit], None]
    numbers: tuple[int, ...] = ()
    mates: tuple[Team, ...] = ()
    fill: Callable[[], None] = field(init=False)
    busy: int = 0
    crew: Crew | None = None
    weights: tuple[int, ...] = (1,)
    stops: bool = field(init=False)
    pauses: bool = field(init=False)
    paused: dict[tuple[int, int], Line] = field(default_factory=dict)
    queues: list[Line] = field(default_factory=list)
    helps: list[tuple[int, Line]] = field(default_factory=list)
    in_work: list[Visit] = field(default_factory=list)
    times: Times = field(init=False)
    after: Times = field(init=False)

    def __post_init__(self) -> None:
        self.stops = self.pool.at_shift_end != "finish"
        self.pauses = self.pool.at_shift_end == "continue"

    def has_room(self, visit: Visit) -> bool:
        """True if an agent may take a visit: with as many free places as it takes."""
        if self.busy >= self.staffed:
            return False
        # Where there are weights, agents are told apart.
        return self.crew is None or self.crew.has_room(visit)

    def may_take(self, now_s: float) -> list[Line]:
        """Lines from which it takes visits now: its own, and those in which too many wait."""
        need = [
            line.stages
            for least, line in self.helps
            if line.waiting is not None and line.waiting.now(now_s) >= least
        ]
        return [*self.queues, *chain.from_iterable(need)]

    def after_s(self, visit: Visit) -> float:
        """Wrap-up of a visit, seconds of work."""
        if self.pool.wrap_up is None or visit.activity not in WRAPPED_UP or visit.misrouted:
            return 0.0
        return self.after[visit.activity, visit.returns][visit.ticket]


def share_pauses(teams: Sequence[Team], codes: int) -> None:
    """Let all teams of a pool go on with work that one of them stopped, if they can handle it."""
    if not teams[0].pauses:
        return
    lines: dict[tuple[tuple[Team, ...], int], Line] = {}
    for code, places in product(range(codes), teams[0].weights):
        able = tuple(team for team in teams if code in team.knows) or tuple(teams)
        if (able, places) not in lines:
            line = lines[able, places] = Line()
            for team in able:
                team.queues.append(line)
        for team in teams:
            team.paused[code, places] = lines[able, places]


def pauses(teams: Sequence[Team]) -> list[Line]:
    """Lines of work that stopped at the end of a shift; one of several teams or kinds is one."""
    lines = {id(line): line for team in teams for line in team.paused.values()}
    return list(lines.values())


def weights_of(pool: Pool, demand: Demand) -> tuple[int, ...]:
    """Places that tickets may take in the hand of an agent of a pool, each number once."""
    channels = set(demand.channels)
    if demand.channel is None or (demand.channel < 0).any():
        channels.add("")
    found = {pool.weight(name, channel) for name in demand.categories for channel in channels}
    return tuple(sorted(found)) or (1,)


def abilities(
    pool: Pool, number: int, skills: list[str], scenario: Scenario, categories: tuple[str, ...]
) -> tuple[frozenset[int], frozenset[int]]:
    """Categories (codes) that go to a team of a pool, and those that it can handle.

    These include what overflows. Behind the categories is a code of the pool's own: of tickets that
    are passed on to it alone.
    """
    takes = not pool.transfers_only
    own = frozenset(
        k for k, name in enumerate(categories) if takes and (not skills or name in skills)
    )
    own |= {len(categories) + number}
    knows = own.union(
        k
        for other in scenario.agents.values()
        if pool.name in other.overflow_to
        for k, name in enumerate(categories)
        if other.takes(name)
    )
    return own, knows
