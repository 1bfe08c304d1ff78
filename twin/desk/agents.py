"""Human pools: skills, shifts, priorities, and who is next.

A queue for each set of pools that can take a category. A free agent takes, among the queues that
fit the pool's skills, the highest priority, then the longest waiting. Who has run out of patience
is found when they would be next, with the moment they left: so abandonment costs no event. Where it
matters earlier how many wait, they are counted (`twin.desk.waiting`).
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from math import inf, nan

from simpy.events import URGENT

from twin.demand.luck import Lazy, Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.individuals import Crew, Ties
from twin.desk.kernel import Clock, Happening
from twin.desk.ledger import Ledger
from twin.desk.shifts import changes_of, played
from twin.desk.teams import Team
from twin.desk.waiting import Entrance, Line, Overflow, Place, Visit, WaitingCount
from twin.desk.work import work_times
from twin.records.tables import FOLLOW_UP, HANDLE, LEFT, REVIEW, STILL_OPEN, TRIAGE, WRAP_UP
from twin.scenario.model import Pool, Scenario

_STREAM = {HANDLE: Stream.HANDLE, TRIAGE: Stream.TRIAGE, REVIEW: Stream.REVIEW,
           FOLLOW_UP: Stream.FOLLOW_UP}  # fmt: skip
# Wrap-up of touches: those of a kind have luck of their own.
_WRAP_UP = {HANDLE: Stream.WRAP_UP, FOLLOW_UP: Stream.WRAP_UP_LATER}


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
        self._start = scenario.midnight
        self._arrival = count()
        self._priority = view(demand.priority)
        bonus_s = scenario.routing.wait_bonus
        # Time by which the next higher priority is ahead: None, for ever.
        self._behind_s = None if bonus_s is None else view(demand.priority * bonus_s)
        self._truth = view(demand.category)
        self.names = list(scenario.agents)
        self.teams = [
            self._team(number, pool, scenario)
            for number, pool in enumerate(scenario.agents.values())
        ]
        # Tickets that the same teams can take share a queue: by category, or channel and category.
        lines: dict[tuple[Team, ...], tuple[tuple[Team, ...], Line]] = {}
        # Behind the categories: tickets that are passed on to one team alone, by any channel.
        passing = any(pool.transfers_to for pool in scenario.agents.values())
        codes = range(len(demand.categories) + len(self.teams) * passing)

        def routes(teams: list[Team]) -> list[tuple[tuple[Team, ...], Line]]:
            found = []
            for code in codes:
                among = teams if code < len(demand.categories) else self.teams
                able = tuple(team for team in among if code in team.skills)
                if able not in lines:
                    lines[able] = self._line(able)
                found.append(lines[able])
            return found

        self._channel = None
        if any(team.pool.channels for team in self.teams):
            assert demand.channel is not None
            self._channel = view(demand.channel)
            # The last one is that of an unknown channel, -1.
            self._by_channel = [
                routes([t for t in self.teams if not t.pool.channels or name in t.pool.channels])
                for name in (*demand.channels, "")
            ]
        else:
            self._route = routes(self.teams)
        self._lines = [
            line
            for _, first in lines.values()
            for line in (first, *(overflow.line for overflow in first.overflows))
        ]
        self._entrance = Entrance.of(scenario.queue, demand)
        if self._entrance is not None:
            for _, first in lines.values():
                first.waiting = WaitingCount([first, *(one.line for one in first.overflows)])
        self._schedule_changes(scenario.horizon)

    def _line(self, able: tuple[Team, ...]) -> tuple[tuple[Team, ...], Line]:
        """Teams that may take a ticket at once, in order, and the line in which it waits for them.

        Lines that it overflows to are its own: no other line's tickets wait there.
        """
        after: dict[float, list[Team]] = {}
        for team in able:
            for name in team.pool.overflow_to:
                other = self.teams[self.names.index(name)]
                after.setdefault(team.pool.overflow_after, []).append(other)
        able = tuple(dict.fromkeys([*able, *after.pop(0.0, [])]))
        line, taken, overflows = Line(), list(able), []
        for after_s in sorted(after):
            more = tuple(team for team in dict.fromkeys(after[after_s]) if team not in taken)
            taken += more
            if more:
                overflows.append(Overflow(after_s, more, Line()))
        line.overflows = tuple(overflows)
        # Teams that may take a ticket after a while may take it later, too.
        stages = [(able, line), *((one.teams, one.line) for one in overflows)]
        for k, (teams, _) in enumerate(stages):
            for team in teams:
                team.queues += [later for _, later in stages[k:]]
        return able, line

    def _team(self, number: int, pool: Pool, scenario: Scenario) -> Team:
        calendar = played(pool, number, scenario, self._demand, self._ledger)
        categories = self._demand.categories
        own = frozenset(k for k, name in enumerate(categories) if pool.takes(name))
        # Besides categories, a code of its own: of tickets that are passed on to it alone.
        own |= {len(categories) + number}
        knows = own.union(
            k
            for other in scenario.agents.values()
            if self.names[number] in other.overflow_to
            for k, name in enumerate(categories)
            if other.takes(name)
        )
        # Looked up once, here, and not for each ticket.
        done = self._release if pool.wrap_up is None else self._wrap_up
        team = Team(number, pool, calendar, own, knows, int(calendar.values[0]), done)
        team.times = Lazy(lambda key: self._draw(pool, key[0], _STREAM[key[0]], key[1]))
        team.after = Lazy(lambda key: self._draw(pool, WRAP_UP, _WRAP_UP[key[0]], key[1]))
        if scenario.told_apart(pool):
            ties = Ties(
                fill=lambda: self._fill(team),
                hand_over=lambda visit: self._hand_over(team, visit),
                after_s=lambda visit: self._after_s(team, visit),
            )
            team.crew = Crew(self._clock, self._ledger, team, scenario, self._demand, ties)
        return team

    def _schedule_changes(self, horizon_s: float) -> None:
        """One event for all pools that change at a moment: nobody is given work in between."""
        changes = changes_of([team.calendar for team in self.teams], horizon_s)
        for moment in sorted(changes):
            self._change_at(moment, [(self.teams[k], heads) for k, heads in changes[moment]])

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
        place: Place | None = None,
    ) -> Visit:
        """Ask for an agent with the skill for `category`; the event is the end of the visit.

        Where the customer does not even join the queue, the visit comes back `abandoned`, and its
        event never happens.

        Parameters
        ----------
        ticket : int
        category : int
            Decides which pools may take it; above all categories: one pool alone, by its number.
        activity : int
            HANDLE, TRIAGE, REVIEW or FOLLOW_UP.
        returns : int
            Times that the customer came back before, or waits before a follow-up: for the luck.
        patience_s : float
            The customer leaves after waiting this long.
        place : (float, int), optional
            In the queue, from `place`; by default that of now.
        """
        visit = Visit(self._clock, ticket, category, activity, returns)
        visit.place = self.place(ticket) if place is None else place
        alike = self._channel is None
        able, queue = self._route[category] if alike else self._routed(ticket, category)
        for team in able:
            if team.busy < team.staffed:
                self._pick_up(team, visit)
                return visit
        visit.deadline_s = visit.queued_s + patience_s
        if queue.waiting is not None:
            assert self._entrance is not None
            end = self._entrance.refuses(ticket, queue.waiting.now(visit.queued_s))
            if end is not None:
                visit.deadline_s = visit.queued_s
                self._leave(visit, end)
                return visit
            queue.waiting.expect(visit)
        self._join(queue, visit)
        return visit

    def place(self, ticket: int) -> Place:
        """The place in the queues of a ticket that comes to wait now."""
        if self._behind_s is None:
            return self._priority[ticket], next(self._arrival)
        return self._clock.now + self._behind_s[ticket], next(self._arrival)

    def _routed(self, ticket: int, category: int) -> tuple[tuple[Team, ...], Line]:
        if self._channel is None:
            return self._route[category]
        return self._by_channel[self._channel[ticket]][category]

    def _join(self, line: Line, visit: Visit) -> None:
        self._wait_in(line, visit)
        for overflow in line.overflows:
            self._overflow_later(line, overflow, visit)

    def _wait_in(self, line: Line, visit: Visit) -> None:
        heappush(line, (visit.place, visit))

    def _overflow_later(self, line: Line, to: Overflow, visit: Visit) -> None:
        event = self._clock.at(visit.queued_s + to.after_s)
        event.callbacks = [lambda _: self._overflow(line, to, visit)]

    def _overflow(self, first: Line, to: Overflow, visit: Visit) -> None:
        """The visit has waited so long that other teams may take it, too."""
        if visit.row >= 0 or visit.abandoned or visit.deadline_s <= self._clock.now:
            return
        entry = (visit.place, visit)
        for line in (first, *(one.line for one in first.overflows)):
            if entry in line:
                line.remove(entry)
                heapify(line)
        for team in to.teams:
            if team.busy < team.staffed:
                self._pick_up(team, visit)
                return
        self._wait_in(to.line, visit)

    def _pick_up(self, team: Team, visit: Visit) -> None:
        ticket, activity, visit.pool = visit.ticket, visit.activity, team.number
        if activity == HANDLE and self._truth[ticket] not in team.knows:
            # The category was wrong: an agent finds out as fast as they could categorize.
            visit.misrouted = True
            activity = TRIAGE
        if visit.remaining_s == visit.remaining_s:
            duration = visit.remaining_s
        else:
            duration = team.times[activity, visit.returns][ticket]
        if team.crew is not None:
            team.crew.take(visit, duration)
            return
        team.busy += 1
        ends_s = visit.ends_s = self._clock.now + duration
        done = team.done
        visit.callbacks.insert(0, lambda _: done(team, visit))
        visit.row = self._ledger.picked_up(
            ticket, team.number, visit.activity, visit.queued_s, ends_s, visit.fresh
        )
        self._clock.schedule_at(visit, ends_s)
        if team.pool.at_shift_end == "hand over":
            team.in_work.append(visit)

    def _release(self, team: Team, visit: Visit) -> None:
        """A visit is over, and its agent free."""
        if team.in_work:
            team.in_work.remove(visit)
        team.busy -= 1
        if team.busy < team.staffed:
            self._fill(team)

    def _wrap_up(self, team: Team, visit: Visit) -> None:
        """The ticket goes on, the agent is not free yet: after-contact work, to its end."""
        lasts_s = self._after_s(team, visit)
        if not lasts_s:
            self._release(team, visit)
            return
        # It is not handed over at the end of a shift, as the visit itself has ended.
        ends_s = self._clock.now + lasts_s
        self._ledger.wraps_up(visit.ticket, team.number, ends_s)
        free = Happening(self._clock)
        free.callbacks = [lambda _: self._release(team, visit)]
        self._clock.schedule_at(free, ends_s)

    def _after_s(self, team: Team, visit: Visit) -> float:
        if team.pool.wrap_up is None or visit.activity not in _WRAP_UP or visit.misrouted:
            return 0.0
        return team.after[visit.activity, visit.returns][visit.ticket]

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

    def _leave(self, visit: Visit, end: int) -> None:
        visit.abandoned = True
        self._ledger.never_served(
            visit.ticket, visit.activity, visit.queued_s, visit.deadline_s, end
        )

    def _abandon(self, visit: Visit) -> None:
        self._leave(visit, LEFT)
        if visit.counted_out is not None:
            visit.counted_out.gone -= 1
        # Not an event: it happened at the deadline, and the process has only to note it.
        for resume in visit.callbacks or ():
            resume(visit)

    def _change(self, changes: list[tuple[Team, int]]) -> None:
        """Agents come on shift or go off it."""
        for team, heads in changes:
            self._staff(team, heads)
            # The agent who began last hands over first; work that ends now is left to end.
            for visit in list(reversed(team.in_work)):
                if team.busy > team.staffed and visit.ends_s > self._clock.now:
                    self._hand_over(team, visit)
        # All of them: what one pool hands over, another may take.
        for team in self.teams:
            self._fill(team)

    def _staff(self, team: Team, heads: int) -> None:
        if team.crew is not None:
            team.crew.change(heads)
        else:
            team.staffed = heads

    def _hand_over(self, team: Team, visit: Visit) -> None:
        """Put the work in hand back to the head of its queue, with what is left of it."""
        now = self._clock.now
        self._ledger.handed_over(visit.row)
        self._ledger.transfers[visit.ticket] += 1
        if team.crew is not None:
            remaining_s = team.crew.let_go(visit)
        else:
            remaining_s = visit.ends_s - now
            team.busy -= 1
            team.in_work.remove(visit)
        category = visit.category
        if visit.activity == HANDLE and not visit.misrouted:
            # An agent who has worked on it knows what it is about.
            category = self._truth[visit.ticket]
        rest = Visit(self._clock, visit.ticket, category, visit.activity, visit.returns)
        # The old event stays in SimPy's heap with nobody to call.
        rest.callbacks, visit.callbacks = visit.callbacks[1:], []
        rest.remaining_s = remaining_s
        rest.misrouted = visit.misrouted
        rest.fresh = False
        rest.queued_s = now
        rest.place = visit.place
        self._join(self._routed(visit.ticket, category)[1], rest)

    def _draw(self, pool: Pool, activity: int, stream: Stream, returns: int) -> memoryview:
        """Work of each ticket with a pool, shape (n,), from the ticket's luck; seconds."""
        u = self._demand.uniform(stream, Use(returns))
        return view(work_times(pool, activity, u, self._demand, self._start))

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        for team in self.teams:
            team.times.clear()
            team.after.clear()
            if team.crew is not None:
                team.crew.forget()

    def close(self) -> None:
        """Note the end of the run for all who still wait."""
        for queue in self._lines:
            for _, visit in sorted(queue):
                if visit.deadline_s < self._clock.now:
                    self._abandon(visit)
                else:
                    ticket, activity = visit.ticket, visit.activity
                    self._ledger.never_served(ticket, activity, visit.queued_s, nan, STILL_OPEN)
