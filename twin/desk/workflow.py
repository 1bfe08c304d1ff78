"""Lives by measured statuses: a ticket goes from status to status as the desk's log says.

A ticket's way through the statuses does not depend on what happens at the desk, and its delays do
so only by its age. So both are drawn for all tickets before the clock starts: all first statuses,
then all second ones, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.demand.luck import Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.agents import AgentPools
from twin.desk.begun import Begun
from twin.desk.clocks import clock_of
from twin.desk.customers import Customers
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.desk.lifecycle import Life, Lifecycle
from twin.desk.statuses import OwnStatuses
from twin.desk.touches import Transfers
from twin.records.tables import (
    BY_AGENT,
    CLOSED,
    FOLLOW_UP,
    HANDLE,
    IN_PROGRESS,
    OPEN_STATUSES,
    RESOLVED,
    STATUSES,
    WAITING_FOR_CUSTOMER,
)
from twin.scenario.chain import Chain
from twin.scenario.model import Scenario
from twin.scenario.sections.workflow import Status

Ints = npt.NDArray[np.int64]

# Statuses that the customer hears of, unless the scenario says otherwise.
_RESPONSES = (IN_PROGRESS, WAITING_FOR_CUSTOMER, RESOLVED, CLOSED)


@dataclass(frozen=True)
class Ways:
    """The ways of all tickets through the statuses, one after the other.

    Attributes
    ----------
    begin : memoryview
        Place at which each ticket's way begins in the columns below; one more for the end.
    status : memoryview
        Numbers of the statuses.
    delay_s : list of memoryview
        Delay that ends each status, by band of age; the last status of a way may have one, too.
    delay : memoryview
        Index into the chain's delays; -1: none.
    """

    begin: memoryview
    status: memoryview
    delay_s: list[memoryview]
    delay: memoryview

    @classmethod
    def drawn(cls, chain: Chain, demand: Demand, most: int, begun: Begun | None = None) -> Ways:
        """The ways of a replication's tickets, of at most so many statuses each.

        Parameters
        ----------
        chain : Chain
        demand : Demand
        most : int
        begun : Begun, optional
            Tickets whose first status has begun before the run.
        """
        none = len(chain.names)
        bands = max((len(one.by_age) for one in chain.delays), default=1)
        cumulated = np.cumsum(chain.chances, axis=1)
        cumulated[:, -1] = 1.0
        ticket = np.arange(len(demand))
        u = demand.uniform(Stream.NEXT_STATUS, Use(0))
        now = np.searchsorted(np.cumsum(chain.start), u, side="right")
        now = np.minimum(now, np.flatnonzero(chain.start)[-1])
        now[list(demand.opening_status)] = list(demand.opening_status.values())
        before = np.full(len(demand), none)
        parts: list[tuple[Ints, Ints, Ints, npt.NDArray[np.float64]]] = []
        for k in range(1, most + 1):
            row = chain.row[before, now]
            # With most statuses behind it, a ticket rests.
            after = np.full(len(ticket), none)
            if k < most:
                u = demand.uniform(Stream.NEXT_STATUS, Use(k))[ticket]
                after = (u[:, None] >= cumulated[row]).sum(axis=1)
                if k == 1 and begun is not None:
                    after[begun.ticket] = begun.next(chain, row[begun.ticket], u[begun.ticket])
            which = chain.delay[row, after]
            luck = demand.uniform(Stream.STATUS_DELAY, Use(k))[ticket]
            delay_s = np.zeros((bands, len(ticket)))
            for number in np.unique(which[which >= 0]).tolist():
                here, by_age = which == number, chain.delays[number].by_age
                for band in range(bands):
                    one = by_age[min(band, len(by_age) - 1)]
                    delay_s[band, here] = one.quantile(luck[here])
            if k == 1 and begun is not None:
                of = begun.ticket
                delay_s[:, of] = begun.rest_s(chain, which[of], luck[of])
            parts.append((ticket, now, which, delay_s))
            on = after < none
            if not on.any():
                break
            ticket, before, now = ticket[on], now[on], after[on]
        whose = np.concatenate([part[0] for part in parts])
        order = np.argsort(whose, kind="stable")
        begin = np.searchsorted(whose[order], np.arange(len(demand) + 1))
        return cls(
            view(begin),
            view(np.concatenate([part[1] for part in parts])[order]),
            [view(np.concatenate([part[3][b] for part in parts])[order]) for b in range(bands)],
            view(np.concatenate([part[2] for part in parts])[order]),
        )

    @classmethod
    def of(cls, scenario: Scenario, demand: Demand) -> Ways | None:
        """The ways of a replication's tickets; None where the desk has no workflow."""
        if scenario.workflow is None:
            return None
        chain = Chain.of(scenario.workflow)
        begun = Begun.of(scenario, chain, demand)
        return cls.drawn(chain, demand, scenario.workflow.most, begun)

    def first(self) -> Ints:
        """Number of the first status of each ticket."""
        begin = np.asarray(self.begin)[:-1]
        return np.asarray(self.status)[begin] if len(begin) else np.zeros(0, dtype=np.int64)


class WorkflowLife(Lifecycle):
    """The rules by which tickets live on a desk that is known by its statuses.

    Parameters
    ----------
    clock : Clock
    scenario : Scenario
        With a section workflow.
    demand : Demand
    customers : Customers
    agents : AgentPools
    ledger : Ledger
    ways : Ways
    transfers : Transfers or None
    """

    def __init__(
        self,
        clock: Clock,
        scenario: Scenario,
        demand: Demand,
        customers: Customers,
        agents: AgentPools,
        ledger: Ledger,
        ways: Ways,
        transfers: Transfers | None = None,
    ) -> None:
        super().__init__(
            clock, scenario, demand, customers, agents, None, ledger, transfers=transfers
        )
        workflow = scenario.workflow
        assert workflow is not None
        self._ways = ways
        self._ages = workflow.ages
        statuses = list(workflow.statuses.values())
        self._works = [status.work for status in statuses]
        self._until_taken = [status.until_taken for status in statuses]
        self._responds = [_responds(status) for status in statuses]
        self._open = [status.counts_as in OPEN_STATUSES for status in statuses]
        self._resolves = [STATUSES.index(status.counts_as) in (RESOLVED, CLOSED)
                          for status in statuses]  # fmt: skip
        delays = Chain.of(workflow).delays
        names = {workflow.clock, *(one.clock for one in delays)}
        clocks = {name: clock_of(name, scenario) for name in names}
        self._paces = [clocks[one.clock] for one in delays]
        self._aging = clocks[workflow.clock]
        self._horizon_s = scenario.horizon

    def life(self, ticket: int, escalated: bool = False) -> Life:
        """The whole life of a ticket: its statuses, one after the other, as they were drawn.

        One of the opening backlog begins with its first status when the run starts.
        """
        ways, ledger, clock = self._ways, self._ledger, self._clock
        first, end = ways.begin[ticket], ways.begin[ticket + 1]
        resolved = touched = queued = False
        ready_s = clock.now
        for place in range(first, end):
            status = ways.status[place]
            if queued:
                ledger.taken_as[ticket] = OwnStatuses.FIRST + status
            elif place > first:
                ledger.status(ticket, OwnStatuses.FIRST + status)
            if self._responds[status] and not queued:
                ledger.responded(ticket)
            if resolved and self._open[status]:
                ledger.reopens[ticket] += 1
            if self._resolves[status] and not resolved:
                last = not any(self._open[ways.status[k]] for k in range(place + 1, end))
                self.resolve(ticket, last)
            resolved = not self._open[status]
            # Who queues already has waited in the status before.
            if not queued:
                ready_s = self.ready_s(ticket, place)
            if ready_s >= self._horizon_s:
                return
            next_works = place + 1 < end and self._works[ways.status[place + 1]]
            queued = self._until_taken[status] and next_works
            if queued:
                continue
            if self._works[status]:
                done = yield from self.work(ticket, ready_s, FOLLOW_UP if touched else HANDLE)
                if done is None:
                    return
                touched = True
            elif place + 1 < end and ready_s > clock.now:
                yield clock.at(ready_s)

    def ready_s(self, ticket: int, place: int) -> float:
        """Moment at which the delay of a status that begins now is over."""
        ways, now = self._ways, self._clock.now
        kind = ways.delay[place]
        if kind < 0:
            return now
        band, bounds = 0, self._ages
        if bounds:
            age_s = now - self._arrived_s[ticket]
            if self._aging is not None:
                age_s = self._aging.between(self._arrived_s[ticket], now)
            band = sum(age_s >= bound for bound in bounds)
        delay_s = ways.delay_s[min(band, len(ways.delay_s) - 1)][place]
        pace = self._paces[kind]
        return now + delay_s if pace is None else pace.after(now, delay_s)

    def work(self, ticket: int, ready_s: float, activity: int) -> Life:
        """An agent's touch: it begins when the delay is over and an agent is free, both.

        The place in the queue is that of now, so a delay that ends late costs none.
        """
        place = self._agents.place(ticket)
        if ready_s > self._clock.now:
            yield self._clock.at(ready_s)
        self._further[ticket] += activity == FOLLOW_UP
        category, number = self._truth[ticket], self._further[ticket]
        done = yield from self._agent(ticket, category, activity, number, place)
        if done is None or self._transfers is None:
            return done
        return (yield from self.pass_on(ticket, done, self._transfers))

    def resolve(self, ticket: int, last: bool) -> None:
        """The ticket is resolved; after the last time its customer may be asked to rate."""
        ledger, customers = self._ledger, self._customers
        ledger.responded(ticket)
        ledger.resolved_s[ticket] = self._clock.now
        ledger.resolved_by[ticket] = BY_AGENT
        # Who comes back was not helped.
        visit = ledger.reopens[ticket]
        solved = last and customers.is_solved(
            ticket, BY_AGENT, True, 1.0, visit, ledger.solves_more
        )
        ledger.solved[ticket] = solved
        if last and customers.answers_survey(ticket):
            self.collect_feedback(ticket, BY_AGENT, solved, right=True)


def own_statuses(scenario: Scenario, ways: Ways | None) -> OwnStatuses | None:
    """The statuses of a scenario's workflow as the ledger writes them down; None: no workflow."""
    if ways is None:
        return None
    assert scenario.workflow is not None
    statuses = scenario.workflow.statuses
    core = tuple(STATUSES.index(status.counts_as) for status in statuses.values())
    return OwnStatuses(tuple(statuses), core, ways.first())


def _responds(status: Status) -> bool:
    if status.responds is not None:
        return status.responds
    return not status.work and STATUSES.index(status.counts_as) in _RESPONSES
