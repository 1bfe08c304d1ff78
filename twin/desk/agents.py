"""Human pools: skills, shifts, priorities, and who is next.

A queue for each set of pools that can take a category. A free agent takes, among the queues that
fit the pool's skills, the highest priority, then the longest waiting. Who has run out of patience
is found when they would be next, with the moment they left: so abandonment costs no event. Where it
matters earlier how many wait, they are counted (`twin.desk.waiting`).
"""

from __future__ import annotations

from functools import partial
from heapq import heappop, heappush
from math import inf, nan

from twin.demand.luck import Lazy, view
from twin.demand.tickets import Demand
from twin.desk.agent import Agent, Ties
from twin.desk.choice import fill, first_pool, pool_choice
from twin.desk.individuals import Crew
from twin.desk.kernel import Clock, Happening
from twin.desk.ledger import Ledger
from twin.desk.returns import Returns
from twin.desk.routes import Routes
from twin.desk.shifts import parts, schedule_changes
from twin.desk.teams import Team, Times, abilities, pauses, share_pauses, weights_of
from twin.desk.waiting import Entrance, Line, Overflow, Place, Visit, places
from twin.desk.work import drawn, drawn_after
from twin.records.tables import HANDED_OVER, HANDLE, LEFT, PAUSED, STILL_OPEN, TRIAGE
from twin.scenario.model import Pool, Scenario


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
        self.place = places(clock, scenario.routing.wait_bonus, demand)
        self._truth = view(demand.category)
        # Behind the categories: codes of tickets that are passed on to one pool alone.
        self._one_pool = len(demand.categories)
        self._returns: Returns | None = None
        if scenario.routing.same_agent:
            services = self._wait_for, self._anybody
            self._returns = Returns(clock, scenario.routing, demand, *services)
        self.names = list(scenario.agents)
        self.teams: list[Team] = []
        for number, pool in enumerate(scenario.agents.values()):
            self.teams += self._teams_of(number, pool, scenario)
        divided = any(team.mates for team in self.teams)
        self._choice = pool_choice(scenario.routing, demand, divided)
        self._chosen = first_pool if divided else None
        self._entrance = Entrance.of(scenario, demand)
        counted = self._entrance is not None
        self._routes = Routes(self.teams, scenario, demand, counted)
        self._route, self._weighs = self._routes.by_category, self._routes.weighs
        self._lines = [*self._routes.lines, *pauses(self.teams)]
        # Who will try again leaves on time, not when found to have left.
        self._on_time = scenario.customers.retrial is not None
        calendars = [team.calendar for team in self.teams]
        schedule_changes(clock, calendars, scenario.horizon, self._change)

    def _teams_of(self, number: int, pool: Pool, scenario: Scenario) -> list[Team]:
        """The team of a pool; several where members have skills or shifts of their own."""
        times: Times = Lazy(lambda key: drawn(pool, *key, self._demand, self._start))
        after: Times = Lazy(lambda key: drawn_after(pool, *key, self._demand, self._start))
        # Looked up once, here, and not for each ticket.
        done = self._release if pool.wrap_up is None else self._wrap_up
        teams = []
        for part in parts(pool, number, scenario, self._demand, self._ledger):
            categories = self._demand.categories
            own, knows = abilities(pool, number, part.skills, scenario, categories)
            heads = int(part.calendar.values[0])
            team = Team(number, pool, part.calendar, own, knows, heads, done, part.numbers)
            team.times, team.after, team.weights = times, after, weights_of(pool, self._demand)
            teams.append(team)
        share_pauses(teams, len(self._demand.categories) + len(scenario.agents))
        for team in teams:
            team.mates = tuple(teams) if len(teams) > 1 else ()
            team.fill = partial(self._fill, team)
            if team.mates:
                team.fill = partial(fill, team.mates, self._first, self._pick_up)
            if scenario.told_apart(pool):
                ties = self._ties(team)
                team.crew = self._crew(pool)(
                    self._clock, self._ledger, team, scenario, self._demand, ties
                )
        return teams

    def _crew(self, _: Pool) -> type[Crew]:
        return Crew

    def _ties(self, team: Team) -> Ties:
        return Ties(
            fill=team.fill,
            stop=lambda visit: self._stop(team, visit),
            after_s=team.after_s,
            pick_up=lambda visit: self._pick_up(team, visit),
            first=lambda: self._first(team),
            abandon=self._abandon,
            wait=self._wait,
            anybody=self._anybody,
            worked=None if self._returns is None else self._returns.worked,
        )

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
            Times that the customer came back before; at a follow-up, further touches so far, this
            one included. For the luck.
        patience_s : float
            The customer leaves after waiting this long.
        place : (float, int), optional
            In the queue, from `place`; by default that of now.
        """
        visit = Visit(self._clock, ticket, category, activity, returns)
        visit.place = self.place(ticket) if place is None else place
        if self._weighs:
            visit.weights = self._line_of(visit).weights
        # What is passed on goes to another pool, not to the agent who passed it on.
        if returns and self._returns is not None and category < self._one_pool:
            visit.deadline_s = visit.queued_s + patience_s
            if self._returns.goes_on(visit):
                if visit.row < 0 and not visit.abandoned:
                    self._leaves_on_time(visit)
                    self._call_helpers(visit, self._line_of(visit))
                return visit
        # As `Routes.of`, without its call where all channels go one way.
        route = self._routes.of(ticket, category) if self._route is None else self._route[category]
        able, queue = route
        if self._choice is not None:
            able = self._choice(able, visit)
        for team in able:
            # As `Team.has_room`, without its call where each takes one place.
            if team.busy < team.staffed and (not self._weighs or team.has_room(visit)):
                self._pick_up(team, visit)
                return visit
        visit.deadline_s = visit.queued_s + patience_s
        if queue.waiting is not None:
            if not self._let_in(visit, queue):
                return visit
            queue.waiting.expect(visit)
        self._join(queue, visit)
        self._leaves_on_time(visit)
        if queue.helpers:
            self._call_helpers(visit, queue)
        return visit

    def _line_of(self, visit: Visit) -> Line:
        return self._routes.of(visit.ticket, visit.category)[1]

    def _let_in(self, visit: Visit, line: Line) -> bool:
        """True if a customer joins a line."""
        if self._entrance is not None and line.waiting is not None:
            end = self._entrance.ends(visit, line.waiting.now(visit.queued_s))
            if end is not None:
                visit.deadline_s = visit.queued_s
                self._leave(visit, end)
                return False
        return True

    def _wait_for(self, agent: Agent, visit: Visit) -> bool:
        """Let a visit wait for one agent; False: there is no place to wait."""
        line = self._line_of(visit)
        if self._let_in(visit, line):
            agent.own.put(visit, line.waiting)
        return not visit.abandoned

    def _call_helpers(self, visit: Visit, line: Line) -> None:
        """Let other pools take who is next where so many wait by now."""
        for least, helper in line.helpers:
            if line.waiting is not None and line.waiting.now(visit.queued_s) >= least:
                helper.fill()

    def _anybody(self, visit: Visit) -> None:
        """Let anybody who is free take a visit that waited for one agent; else it waits on."""
        if visit.deadline_s <= self._clock.now:
            self._abandon(visit)
            return
        able, _ = self._routes.of(visit.ticket, visit.category)
        for team in able if self._choice is None else self._choice(able, visit):
            if team.has_room(visit):
                self._pick_up(team, visit)
                return
        self._wait(visit)

    def _wait(self, visit: Visit) -> None:
        """Let a visit that has waited for one agent wait in the line of all."""
        line = self._line_of(visit)
        if line.waiting is not None:
            line.waiting.expect(visit)
        self._join(line, visit)

    def _join(self, line: Line, visit: Visit) -> None:
        self._wait_in(line, visit)
        for overflow in line.overflows:
            self._overflow_later(line, overflow, visit)

    def _wait_in(self, line: Line, visit: Visit) -> None:
        heappush(line, (visit.place, visit))

    def _overflow_later(self, line: Line, to: Overflow, visit: Visit) -> None:
        event = self._clock.at(max(visit.queued_s + to.after_s, self._clock.now))
        event.callbacks = [lambda _: self._overflow(line, to, visit)]

    def _overflow(self, first: Line, to: Overflow, visit: Visit) -> None:
        """The visit has waited so long that other teams may take it, too."""
        if visit.row >= 0 or visit.abandoned or visit.deadline_s <= self._clock.now:
            return
        first.take_out(visit)
        for team in to.teams if self._chosen is None else self._chosen(to.teams, visit):
            if team.has_room(visit):
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
        ends_s = visit.ends_s = self._clock._now + duration
        done = team.done
        visit.callbacks.insert(0, lambda _: done(team, visit))
        visit.row = self._ledger.picked_up(
            ticket, team.number, visit.activity, visit.queued_s, ends_s, visit.fresh
        )
        self._clock.schedule_at(visit, ends_s)
        if team.stops:
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
        lasts_s = team.after_s(visit)
        if not lasts_s:
            self._release(team, visit)
            return
        # It is not handed over at the end of a shift, as the visit itself has ended.
        ends_s = self._clock.now + lasts_s
        self._ledger.wraps_up(visit.ticket, team.number, ends_s)
        free = Happening(self._clock)
        free.callbacks = [lambda _: self._release(team, visit)]
        self._clock.schedule_at(free, ends_s)

    def _fill(self, team: Team) -> None:
        """Give the team's free agents their next visits."""
        while team.busy < team.staffed:
            first = self._first(team)
            if first is None:
                return
            self._pick_up(team, heappop(first)[1])

    def _leaves_on_time(self, visit: Visit) -> None:
        """Let a customer who will try again leave when their patience ends, wherever they wait."""
        if self._on_time and visit.deadline_s < inf:
            event = self._clock.at(visit.deadline_s)
            event.callbacks = [lambda _: self._give_up(visit)]

    def _give_up(self, visit: Visit) -> None:
        if visit.row >= 0 or visit.abandoned:
            return
        self._line_of(visit).take_out(visit)
        if self._returns is not None:
            self._returns.take_out(visit)
        self._abandon(visit)

    def _first(self, team: Team) -> Line | None:
        """The line of the team whose head is next and finds room; None where there is none."""
        first, now_s, weighs = None, self._clock._now, self._weighs
        for queue in team.queues if not team.helps else team.may_take(now_s):
            while queue and queue[0][1].deadline_s <= now_s:
                self._abandon(heappop(queue)[1])
            if queue and (first is None or queue[0] < first[0]):
                first = queue if not weighs or team.has_room(queue[0][1]) else first
        return first

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

    def _change(self, changes: list[tuple[int, int]]) -> None:
        """Agents come on shift or go off it: number of the team, heads."""
        for number, heads in changes:
            team = self.teams[number]
            self._staff(team, heads)
            # The agent who began last stops first; work that ends now is left to end.
            for visit in list(reversed(team.in_work)):
                if team.busy > team.staffed and visit.ends_s > self._clock.now:
                    self._stop(team, visit)
        # All of them: what one pool hands over, another may take.
        for team in self.teams:
            team.fill()

    def _staff(self, team: Team, heads: int) -> None:
        if team.crew is not None:
            team.crew.change(heads)
        else:
            team.staffed = heads

    def _stop(self, team: Team, visit: Visit) -> None:
        """Put what is left of the work in hand to the head of its queue, or of the team's own."""
        self._ledger.stopped(visit.row, PAUSED if team.pauses else HANDED_OVER)
        if team.crew is not None:
            remaining_s = team.crew.let_go(visit)
        else:
            remaining_s = visit.ends_s - self._clock.now
            team.busy -= 1
            team.in_work.remove(visit)
        category = visit.category
        if visit.activity == HANDLE and not visit.misrouted:
            # An agent who has worked on it knows what it is about.
            category = self._truth[visit.ticket]
        rest = visit.rest(self._clock, category, remaining_s)
        line = self._line_of(rest)
        rest.weights = line.weights
        if team.pauses:
            # It waits for this team alone, before anything else, and not in the queue.
            rest.queued_s, rest.place = nan, (-inf, visit.place[1])
            self._wait_in(team.paused[category, rest.places(team.number)], rest)
            return
        self._ledger.transfers[visit.ticket] += 1
        self._join(line, rest)

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        if self._returns is not None:
            self._returns.forget()
        for team in self.teams:
            team.times.clear()
            team.after.clear()
            if team.crew is not None:
                team.crew.forget()

    def close(self) -> None:
        """Note the end of the run for all who still wait."""
        crews = [team.crew for team in self.teams if team.crew is not None]
        own = [agent.own for crew in crews for agent in crew.agents]
        for queue in (*self._lines, *own):
            for _, visit in sorted(queue):
                if visit.deadline_s < self._clock.now:
                    self._abandon(visit)
                else:
                    ticket, activity = visit.ticket, visit.activity
                    self._ledger.never_served(ticket, activity, visit.queued_s, nan, STILL_OPEN)
