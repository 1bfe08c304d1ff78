"""A second desk, written to be plain: what an event changes is done at once, and all is looked at.

It plays agents who wrap up, come and go, and help other pools, or have several tickets in hand that
take some places each, and tickets that wait for replies and third parties, from the same luck as
the desk does. It knows the scenario and the demand, and
nothing of `twin.desk`: no SimPy, no lines of waiting tickets, no clocks that are looked at late.
"""

from collections import Counter, defaultdict
from heapq import heappop, heappush
from itertools import count
from math import inf, nan

from twin.demand.luck import Stream, Use, of_agents

HOUR, DAY = 3600.0, 86400.0
# At equal moments: who has had enough leaves, then work ends, then the rest begins.
LEAVES, ENDS, BEGINS = range(3)


def heads_at(pool, moment):
    """Agents of a pool on shift; its shifts are daily, on whole hours, in UTC."""
    if pool.shifts is None:
        return pool.heads
    return sum(s.heads for s in pool.shifts if s.start <= moment % DAY < s.end)


class Away:
    """Agents of a pool who come and go, and their luck."""

    def __init__(self, pool, demand):
        def luck(purpose):
            return of_agents(demand.seed, demand.replication, Stream.AWAY, pool.name, purpose)

        leaving, returning, self.touched, self.home = map(luck, range(4))
        self.draw_leave = leaving.standard_exponential
        self.draw_return = returning.standard_exponential
        self.rates, self.number = pool.away, 0
        self.to_leave, self.to_return = self.draw_leave(), self.draw_return()


class Team:
    """A pool: agents on shift, agents at work, agents away.

    Of those who may have several tickets in hand, each at full speed: places taken, since when, and
    number.
    """

    def __init__(self, pool, demand):
        self.pool, self.busy, self.on_shift = pool, 0, heads_at(pool, 0.0)
        self.away = None if pool.away is None else Away(pool, demand)
        several = range(pool.heads) if pool.concurrency > 1 else ()
        self.hands = [[0, 0.0, number] for number in several]

    @property
    def free(self):
        return self.on_shift - (self.away.number if self.away else 0) - self.busy

    def hand(self, stay):
        """The hand into which a stay fits, of which the fewest places are taken; else None."""
        most = self.pool.concurrency - self.places(stay)
        return min((hand for hand in self.hands if hand[0] <= most), default=None)

    def places(self, stay):
        return self.pool.weights.get(stay.category, 1)

    def room(self, stay):
        return self.hand(stay) is not None if self.hands else self.free > 0


class Stay:
    """A ticket's wait for an agent, and the agent's work.

    `takers` are teams with the moment from which each may take it, `helpers` teams with the number
    of waiting tickets of its kind from which each may.
    """

    def __init__(self, ticket, activity, number, place, queued_s, deadline_s):
        self.ticket, self.activity, self.number = ticket, activity, number
        self.place, self.queued_s, self.deadline_s = place, queued_s, deadline_s


class PlainDesk:
    """A desk of humans.

    Attributes
    ----------
    visits : list of list
        Number of the ticket (1 is the first), pool, activity, queued, started, ended, end.
    timeline, staffing : list of tuple
        In order of time, but for tickets that close, which is written down ahead.
    responded_s : dict
        By ticket (0 is the first), as below.
    outcome : dict
        Of those ever resolved: when last, by whom, and whether it is solved.
    reopens : Counter
    """

    def __init__(self, scenario, demand):
        self.scenario, self.demand, self.now = scenario, demand, 0.0
        self.teams = [Team(pool, demand) for pool in scenario.agents.values()]
        self.events, self.order = [], count()
        self.waiting, self.passed_over = [], 0
        self.visits, self.timeline, self.staffing = [], [], []
        self.responded_s, self.outcome = {}, {}
        self.reopens, self.waits, self.touches = Counter(), Counter(), Counter()
        self.columns = {}
        patience = scenario.customers.patience
        self.patience_s = defaultdict(lambda: inf)
        if patience is not None:
            self.patience_s = patience.quantile(demand.uniform(Stream.PATIENCE)).tolist()

    def drawn(self, stream, number, ticket, distribution=None):
        """The ticket's luck in a stream at its use with a number, or what it draws."""
        key = stream, number, repr(distribution)
        if key not in self.columns:
            u = self.demand.uniform(stream, Use(number))
            self.columns[key] = (u if distribution is None else distribution.quantile(u)).tolist()
        return self.columns[key][ticket]

    def at(self, moment, rank, what, *args):
        heappush(self.events, (moment, rank, next(self.order), what, args))

    def play(self):
        hours = [hour * HOUR for hour in range(1, int(self.scenario.horizon // HOUR) + 1)]
        for moment in hours:
            if any(heads_at(t.pool, moment) != heads_at(t.pool, moment - 1) for t in self.teams):
                self.at(moment, ENDS, self.change_shift)
        for ticket, moment in enumerate(self.demand.arrived_s.tolist()):
            self.at(moment, BEGINS, self.arrive, ticket)
        for team in self.teams:
            self.note(team)
        while True:
            moment, what, args = self.next_event()
            if moment >= self.scenario.horizon:
                break
            self.pass_time(moment)
            what(*args)
            self.give_work()
        for stay in self.waiting:
            self.left(stay, nan, "open")
        return self

    def next_event(self):
        """The next event, also of those who come and go by the rates of now."""
        best = (inf, None, ())
        if self.events:
            moment, *_, what, args = self.events[0]
            best = (moment, what, args)
        for team in filter(lambda team: team.away, self.teams):
            leave, back = self.rates(team)
            if back and self.now + team.away.to_return / back < best[0]:
                best = (self.now + team.away.to_return / back, self.come_back, (team,))
            if leave and self.now + team.away.to_leave / leave < best[0]:
                best = (self.now + team.away.to_leave / leave, self.idle_leave, (team,))
        if self.events and best[1:] == (self.events[0][3], self.events[0][4]):
            heappop(self.events)
        return best

    def rates(self, team):
        """Rates at which the next agent leaves and returns."""
        away = team.away
        queued = sum(self.by_time(team, stay) for stay in self.waiting)
        returns = away.rates.returns + away.rates.returns_per_queued * queued
        return away.rates.while_idle * max(0, team.free), away.number * returns

    def pass_time(self, moment):
        for team in filter(lambda team: team.away, self.teams):
            leave, back = self.rates(team)
            team.away.to_leave -= leave * (moment - self.now)
            team.away.to_return -= back * (moment - self.now)
        self.now = moment

    def come_back(self, team):
        team.away.to_return = team.away.draw_return()
        team.away.number -= 1
        self.note(team)

    def idle_leave(self, team):
        team.away.to_leave = team.away.draw_leave()
        team.away.number += 1
        self.note(team)

    def note(self, team):
        if team.away:
            row = team.pool.name, self.now, team.on_shift, team.away.number
            self.staffing.append(row)

    def change_shift(self):
        for team in self.teams:
            heads = heads_at(team.pool, self.now)
            if heads == team.on_shift:
                continue
            while team.away and team.on_shift > heads:
                # Who goes home may be any of them.
                if team.away.home.random() * team.on_shift < team.away.number:
                    team.away.number -= 1
                team.on_shift -= 1
            team.on_shift = heads
            self.note(team)

    # The life of a ticket.

    def status(self, ticket, status, moment=None):
        self.timeline.append((ticket + 1, self.now if moment is None else moment, status))

    def arrive(self, ticket):
        self.status(ticket, "Open")
        self.join(ticket, "handle", 0)

    def join(self, ticket, activity, number):
        place = (self.demand.priority[ticket], next(self.order))
        stay = Stay(ticket, activity, number, place, self.now, self.now + self.patience_s[ticket])
        category = stay.category = self.demand.categories[self.demand.category[ticket]]
        stay.own = [t for t in self.teams if not t.pool.skills or category in t.pool.skills]
        stay.takers, stay.helpers = [(self.now, team) for team in stay.own], []
        for team in stay.own:
            pool = team.pool
            given = "overflow_after" in pool.model_fields_set
            others = [t for t in self.teams if t.pool.name in pool.overflow_to]
            if pool.overflow_at is not None:
                stay.helpers += [(pool.overflow_at, other) for other in others]
            if given or pool.overflow_at is None:
                moment = self.now + pool.overflow_after
                stay.takers += [(moment, other) for other in others]
        self.waiting.append(stay)
        if stay.deadline_s < inf:
            self.at(stay.deadline_s, LEAVES, self.give_up, stay)
        for moment in sorted({moment for moment, _ in stay.takers}):
            if moment > self.now:
                self.at(moment, BEGINS, self.offer, stay)
        self.offer(stay)

    def offer(self, stay):
        """Somebody free takes it, in order of who might first."""
        for _, team in sorted(stay.takers, key=lambda taker: taker[0]):
            if stay in self.waiting and team.room(stay) and self.by_time(team, stay):
                self.begin(team, stay)

    def by_time(self, team, stay):
        return any(team is other and self.now >= moment for moment, other in stay.takers)

    def may_take(self, team, stay):
        least = min((least for least, other in stay.helpers if team is other), default=inf)
        by_length = least < inf and sum(one.own == stay.own for one in self.waiting) >= least
        return by_length or self.by_time(team, stay)

    def give_work(self):
        """Each free agent takes the first of the tickets that they may take, and have room for."""
        for team in self.teams:
            while any(team.room(stay) for stay in self.waiting):
                able = [stay for stay in self.waiting if self.may_take(team, stay)]
                fit = [stay for stay in able if team.room(stay)]
                if not fit:
                    break
                self.begin(team, min(fit, key=lambda stay: stay.place))

    def give_up(self, stay):
        if stay in self.waiting:
            self.waiting.remove(stay)
            self.left(stay, self.now, "abandoned")
            self.status(stay.ticket, "Abandoned")

    def left(self, stay, moment, end):
        self.visits.append([stay.ticket + 1, None, stay.activity, stay.queued_s, nan, moment, end])

    def begin(self, team, stay):
        self.waiting.remove(stay)
        first = [one for one in self.waiting if one.place < stay.place]
        self.passed_over += any(self.by_time(team, one) for one in first)
        team.busy += 1
        if team.hands:
            stay.hand = team.hand(stay)
            stay.hand[:2] = stay.hand[0] + team.places(stay), self.now
        pool, ticket = team.pool, stay.ticket
        if stay.activity == "handle":
            work_s = self.drawn(Stream.HANDLE, 0, ticket, pool.handle_time)
            self.responded_s.setdefault(ticket, self.now)
        else:
            times = pool.follow_up_time or pool.handle_time
            work_s = self.drawn(Stream.FOLLOW_UP, stay.number, ticket, times)
        self.status(ticket, "In Progress")
        self.worked(team, stay, stay.activity, stay.queued_s, self.now + work_s)
        self.at(self.now + work_s, ENDS, self.end, team, stay)

    def worked(self, team, stay, activity, queued_s, ends_s):
        over = ends_s < self.scenario.horizon
        row = [stay.ticket + 1, team.pool.name, activity, queued_s, self.now]
        self.visits.append([*row, ends_s if over else nan, "done" if over else "open"])

    def end(self, team, stay):
        wrap_up = team.pool.wrap_up
        if wrap_up is None:
            self.release(team, stay)
        else:
            first = stay.activity == "handle"
            stream = Stream.WRAP_UP if first else Stream.WRAP_UP_LATER
            ends_s = self.now + self.drawn(stream, stay.number, stay.ticket, wrap_up)
            self.worked(team, stay, "wrap-up", nan, ends_s)
            self.at(ends_s, ENDS, self.release, team, stay)
        self.after_touch(stay.ticket)

    def release(self, team, stay):
        away = team.away
        team.busy -= 1
        if team.hands:
            stay.hand[:2] = stay.hand[0] - team.places(stay), self.now
        leaves = away and away.touched.random() < away.rates.after_touch
        # Who stayed on past their shift goes home instead.
        if leaves and team.busy + away.number < team.on_shift:
            away.number += 1
            self.note(team)
        self.give_work()

    def after_touch(self, ticket):
        touches, number = self.scenario.touches, self.waits[ticket]
        reply = hold = None
        if touches is not None and number < touches.most:
            reply, hold = touches.waiting, touches.on_hold
        u = self.drawn(Stream.TOUCH, number, ticket)
        asks = 0.0 if reply is None else reply.chance
        if reply is not None and u < asks:
            self.waits[ticket] += 1
            self.ask(ticket, reply, number)
        elif hold is not None and u < asks + hold.chance:
            self.waits[ticket] += 1
            self.status(ticket, "On hold")
            delay_s = self.drawn(Stream.HOLD, number, ticket, hold.delay)
            self.at(self.later(delay_s, hold.clock), BEGINS, self.come_again, ticket, "Open")
        else:
            self.resolve(ticket)

    def ask(self, ticket, reply, number):
        self.status(ticket, "Waiting for customer")
        back_s = closes_s = inf
        if self.drawn(Stream.NO_REPLY, number, ticket) >= reply.never:
            delay_s = self.drawn(Stream.REPLY, number, ticket, reply.delay)
            back_s = self.later(delay_s, reply.clock)
        if reply.close_after is not None:
            closes_s = self.now + self.drawn(Stream.AUTO_CLOSE, number, ticket, reply.close_after)
        if back_s <= closes_s:
            self.at(back_s, BEGINS, self.come_again, ticket, "Open")
        else:
            self.at(closes_s, BEGINS, self.give_up_asking, ticket, reply, number, back_s)

    def give_up_asking(self, ticket, reply, number, back_s):
        solved = self.drawn(Stream.SOLVED_UNANSWERED, number, ticket) < reply.solved
        self.outcome[ticket] = self.now, "automatic", solved
        self.status(ticket, "Resolved")
        closed_s = self.now + self.scenario.customers.close_after
        if back_s < closed_s:
            self.at(back_s, BEGINS, self.come_again, ticket, "Reopened")
        elif closed_s < self.scenario.horizon:
            self.status(ticket, "Closed", closed_s)

    def come_again(self, ticket, status):
        self.reopens[ticket] += status == "Reopened"
        self.status(ticket, status)
        self.touches[ticket] += 1
        self.join(ticket, "follow up", self.touches[ticket])

    def resolve(self, ticket):
        u = self.drawn(Stream.SOLVED, self.reopens[ticket], ticket)
        self.outcome[ticket] = self.now, "agent", u < self.scenario.customers.solved.agent
        self.status(ticket, "Resolved")
        closed_s = self.now + self.scenario.customers.close_after
        if closed_s < self.scenario.horizon:
            self.status(ticket, "Closed", closed_s)

    def later(self, delay_s, clock):
        """Moment after a delay: round the clock, or while anybody is on shift."""
        if clock == "around the clock":
            return self.now + delay_s
        at, left_s = self.now, delay_s
        while at < self.scenario.horizon:
            until = (at // HOUR + 1) * HOUR
            if any(heads_at(team.pool, at) for team in self.teams):
                if left_s <= until - at:
                    return at + left_s
                left_s -= until - at
            at = until
        return inf
