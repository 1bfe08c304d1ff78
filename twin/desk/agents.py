"""Human pools: skills, shifts, priorities, and who is next.

A queue for each set of pools that can take a category. A free agent takes, among the queues that
fit the pool's skills, the highest priority, then the longest waiting. Who has run out of patience
is found when they would be next, with the moment they left: nothing depends on it earlier, so
abandonment costs no event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf, nan

from simpy.events import URGENT

from twin.demand.luck import Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.kernel import Clock, Happening
from twin.desk.ledger import Ledger
from twin.records.tables import FOLLOW_UP, HANDLE, REVIEW, TRIAGE
from twin.scenario.calendars import Staircase, staffing
from twin.scenario.clock import WEEK_S
from twin.scenario.distributions import Floats
from twin.scenario.model import Pool, Scenario
from twin.scenario.sections.people import REVIEW_SHARE, TRIAGE_SHARE

_STREAM = {
    HANDLE: Stream.HANDLE,
    TRIAGE: Stream.TRIAGE,
    REVIEW: Stream.REVIEW,
    FOLLOW_UP: Stream.FOLLOW_UP,
}
_SHARE = {TRIAGE: TRIAGE_SHARE, REVIEW: REVIEW_SHARE}


class Visit(Happening):
    """A ticket's stay with the agents: it waits, then an agent works on it.

    As a process's event it happens when the agent is done or the customer has left.
    """

    deadline_s = inf
    remaining_s = nan
    abandoned = False
    misrouted = False
    fresh = True
    place = (0, 0)
    row = -1
    ends_s = inf

    def __init__(
        self, clock: Clock, ticket: int, category: int, activity: int, returns: int
    ) -> None:
        super().__init__(clock)
        self.ticket = ticket
        self.category = category
        self.activity = activity
        self.returns = returns
        self.queued_s = clock.now


@dataclass(eq=False)
class Team:
    """A pool at work: how many are on shift, how many of them busy."""

    number: int
    pool: Pool
    calendar: Staircase
    skills: frozenset[int]
    staffed: int
    busy: int = 0
    queues: list[list[tuple[tuple[int, int], Visit]]] = field(default_factory=list)
    in_work: list[Visit] = field(default_factory=list)
    times: dict[tuple[int, int], memoryview] = field(default_factory=dict)


class AgentPools:
    """All human pools of a desk.

    Parameters
    ----------
    clock : Clock
    scenario : Scenario
    demand : Demand
    ledger : Ledger
    """

    def __init__(self, clock: Clock, scenario: Scenario, demand: Demand, ledger: Ledger) -> None:
        self._clock = clock
        self._demand = demand
        self._ledger = ledger
        self._arrival = count()
        self._priority = view(demand.priority)
        self._truth = view(demand.category)
        self.names = list(scenario.agents)
        self.teams = [
            self._team(number, pool, scenario)
            for number, pool in enumerate(scenario.agents.values())
        ]
        # Categories that the same teams can take share a queue.
        queues: dict[tuple[Team, ...], list[tuple[tuple[int, int], Visit]]] = {}
        self._route = []
        for code in range(len(demand.categories)):
            able = tuple(team for team in self.teams if code in team.skills)
            queue = queues.setdefault(able, [])
            self._route.append((able, queue))
        for able, queue in queues.items():
            for team in able:
                team.queues.append(queue)
        self._schedule_changes(scenario.horizon)

    def _team(self, number: int, pool: Pool, scenario: Scenario) -> Team:
        calendar = staffing(pool, scenario)
        categories = self._demand.categories
        skills = pool.skills or categories
        known = frozenset(k for k, name in enumerate(categories) if name in skills)
        return Team(number, pool, calendar, known, staffed=int(calendar.values[0]))

    def _schedule_changes(self, horizon_s: float) -> None:
        """One event for all pools that change at a moment: nobody is given work in between."""
        changes: dict[float, list[tuple[Team, int]]] = {}
        for team in self.teams:
            steps = zip(team.calendar.times.tolist(), team.calendar.values.tolist(), strict=True)
            for moment, heads in steps:
                if 0 < moment < horizon_s:
                    changes.setdefault(moment, []).append((team, heads))
        for moment in sorted(changes):
            self._change_at(moment, changes[moment])

    def _change_at(self, moment: float, changes: list[tuple[Team, int]]) -> None:
        event = Happening(self._clock)
        event.callbacks = [lambda _: self._change(changes)]
        self._clock.schedule_at(event, moment, URGENT)

    def visit(
        self,
        ticket: int,
        category: int,
        activity: int,
        returns: int = 0,
        patience_s: float = inf,
    ) -> Visit:
        """Ask for an agent with the skill for `category`; the event is the end of the visit.

        Parameters
        ----------
        ticket : int
        category : int
            Decides which pools may take it.
        activity : int
            HANDLE, TRIAGE, REVIEW or FOLLOW_UP.
        returns : int
            Times that the customer came back before, or waits before a follow-up: for the luck.
        patience_s : float
            The customer leaves after waiting this long.
        """
        visit = Visit(self._clock, ticket, category, activity, returns)
        visit.place = (self._priority[ticket], next(self._arrival))
        able, queue = self._route[category]
        for team in able:
            if team.busy < team.staffed:
                self._pick_up(team, visit)
                return visit
        visit.deadline_s = visit.queued_s + patience_s
        heappush(queue, (visit.place, visit))
        return visit

    def _pick_up(self, team: Team, visit: Visit) -> None:
        ticket, activity = visit.ticket, visit.activity
        if activity == HANDLE and self._truth[ticket] not in team.skills:
            # The category was wrong: an agent finds out as fast as they could categorize.
            visit.misrouted = True
            activity = TRIAGE
        if visit.remaining_s == visit.remaining_s:
            duration = visit.remaining_s
        else:
            duration = (
                team.times.get((activity, visit.returns))
                or self._draw_times(team, activity, visit.returns)
            )[ticket]
        team.busy += 1
        ends_s = visit.ends_s = self._clock.now + duration
        visit.callbacks.insert(0, lambda _: self._release(team, visit))
        visit.row = self._ledger.picked_up(
            ticket, team.number, visit.activity, visit.queued_s, ends_s, visit.fresh
        )
        self._clock.schedule_at(visit, ends_s)
        if team.pool.at_shift_end == "hand over":
            team.in_work.append(visit)

    def _release(self, team: Team, visit: Visit) -> None:
        team.busy -= 1
        if team.in_work:
            team.in_work.remove(visit)
        if team.busy < team.staffed:
            self._fill(team)

    def _fill(self, team: Team) -> None:
        """Give the team's free agents their next visits."""
        while team.busy < team.staffed:
            first = None
            for queue in team.queues:
                while queue and queue[0][1].deadline_s <= self._clock.now:
                    self._abandon(heappop(queue)[1])
                if queue and (first is None or queue[0] < first[0]):
                    first = queue
            if first is None:
                return
            self._pick_up(team, heappop(first)[1])

    def _abandon(self, visit: Visit) -> None:
        visit.abandoned = True
        self._ledger.never_served(visit.ticket, visit.activity, visit.queued_s, visit.deadline_s)
        # Not an event: it happened at the deadline, and the process has only to note it.
        for resume in visit.callbacks or ():
            resume(visit)

    def _change(self, changes: list[tuple[Team, int]]) -> None:
        """Agents come on shift or go off it."""
        for team, heads in changes:
            team.staffed = heads
            # The agent who began last hands over first; work that ends now is left to end.
            for visit in list(reversed(team.in_work)):
                if team.busy > heads and visit.ends_s > self._clock.now:
                    self._hand_over(team, visit)
        # All of them: what one pool hands over, another may take.
        for team in self.teams:
            self._fill(team)

    def _hand_over(self, team: Team, visit: Visit) -> None:
        """Put the work in hand back to the head of its queue, with what is left of it."""
        now = self._clock.now
        self._ledger.handed_over(visit.row)
        self._ledger.transfers[visit.ticket] += 1
        team.busy -= 1
        team.in_work.remove(visit)
        category = visit.category
        if visit.activity == HANDLE and not visit.misrouted:
            # An agent who has worked on it knows what it is about.
            category = self._truth[visit.ticket]
        rest = Visit(self._clock, visit.ticket, category, visit.activity, visit.returns)
        # The old event stays in SimPy's heap with nobody to call.
        rest.callbacks, visit.callbacks = visit.callbacks[1:], []
        rest.remaining_s = visit.ends_s - now
        rest.misrouted = visit.misrouted
        rest.fresh = False
        rest.queued_s = now
        rest.place = visit.place
        heappush(self._route[category][1], (rest.place, rest))

    def _draw_times(self, team: Team, activity: int, returns: int) -> memoryview:
        """Work of each ticket with this team, shape (n,), from the ticket's luck; seconds."""
        u = self._demand.uniform(_STREAM[activity], Use(returns))
        times = work_times(team.pool, activity, u, self._demand)
        drawn = team.times[activity, returns] = view(times)
        return drawn

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        for team in self.teams:
            team.times.clear()

    def close(self) -> None:
        """Note the end of the run for all who still wait."""
        for queue in {id(queue): queue for _, queue in self._route}.values():
            for _, visit in sorted(queue):
                if visit.deadline_s < self._clock.now:
                    self._abandon(visit)
                else:
                    self._ledger.never_served(visit.ticket, visit.activity, visit.queued_s, nan)


def work_times(pool: Pool, activity: int, u: Floats, demand: Demand) -> Floats:
    """Work of each ticket with a pool, shape (n,); seconds.

    Parameters
    ----------
    pool : Pool
    activity : int
        HANDLE, TRIAGE, REVIEW or FOLLOW_UP.
    u : array of float, shape (n,)
        The tickets' luck.
    demand : Demand
        For the true categories.
    """
    own = {
        TRIAGE: pool.triage_time,
        REVIEW: pool.review_time,
        FOLLOW_UP: pool.follow_up_time,
    }.get(activity)
    if own is not None:
        return own.quantile(u)
    times = pool.handle_time.quantile(u)
    for name, distribution in pool.handle_times.items():
        here = demand.category == demand.categories.index(name)
        times[here] = distribution.quantile(u[here])
    if pool.handle_scale != 1.0 or pool.handle_growth:
        times *= pool.handle_scale * (1 + pool.handle_growth) ** (demand.arrived_s / WEEK_S)
    return times * _SHARE.get(activity, 1.0)
