"""Waits and transfers between the touches of a ticket: for a reply, a third party, another pool."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from math import inf
from typing import NamedTuple

from twin.demand.luck import Lazy, Stream, Use
from twin.demand.tickets import Demand
from twin.desk.clocks import clock_of
from twin.records.tables import ON_HOLD, WAITING_FOR_CUSTOMER
from twin.scenario.distributions import TimeDistribution
from twin.scenario.model import Scenario
from twin.scenario.sections.touches import Clock


class Wait(NamedTuple):
    """A wait of a ticket.

    Attributes
    ----------
    status : int
        WAITING_FOR_CUSTOMER or ON_HOLD.
    back_s : float
        Moment at which it comes back to the agents; infinite: never.
    closes_s : float
        Moment at which it is resolved automatically unless it came back; infinite: never.
    solved : bool
        Whether a ticket that is resolved so is solved.
    """

    status: int
    back_s: float
    closes_s: float = inf
    solved: bool = False


class Waits:
    """All waits of a replication, with their luck: each wait of a ticket has its own.

    Parameters
    ----------
    scenario : Scenario
        With a section touches.
    demand : Demand
    """

    def __init__(self, scenario: Scenario, demand: Demand) -> None:
        assert scenario.touches is not None
        self._most = scenario.touches.most
        self._reply, self._hold = scenario.touches.waiting, scenario.touches.on_hold
        self._waited: defaultdict[int, int] = defaultdict(int)
        reply, hold = self._reply, self._hold
        self._clocks = {one.clock: clock_of(one.clock, scenario) for one in (reply, hold) if one}

        def luck(stream: Stream) -> Lazy[int, memoryview]:
            return Lazy(lambda wait: demand.column(lambda: demand.uniform(stream, Use(wait))))

        def times(distribution: TimeDistribution, stream: Stream) -> Lazy[int, memoryview]:
            return Lazy(
                lambda wait: demand.column(
                    lambda: distribution.quantile(demand.uniform(stream, Use(wait)))
                )
            )

        self._kind = luck(Stream.TOUCH)
        self._never = luck(Stream.NO_REPLY)
        self._solved = luck(Stream.SOLVED_UNANSWERED)
        if reply is not None:
            self._reply_s = times(reply.delay, Stream.REPLY)
            if reply.close_after is not None:
                self._close_s = times(reply.close_after, Stream.AUTO_CLOSE)
        if hold is not None:
            self._hold_s = times(hold.delay, Stream.HOLD)

    def after_touch(self, ticket: int, now_s: float) -> Wait | None:
        """The wait that an agent's touch ends with; None where it ends with an answer."""
        number = self._waited[ticket]
        if number >= self._most:
            return None
        u = self._kind[number][ticket]
        reply, hold = self._reply, self._hold
        asks = 0.0 if reply is None else reply.chance
        if reply is not None and u < asks:
            self._waited[ticket] += 1
            closes_s = inf
            if reply.close_after is not None:
                closes_s = now_s + self._close_s[number][ticket]
            back_s = inf
            if not self._never[number][ticket] < reply.never:
                back_s = self._after(now_s, self._reply_s[number][ticket], reply.clock)
            solved = self._solved[number][ticket] < reply.solved
            return Wait(WAITING_FOR_CUSTOMER, back_s, closes_s, solved)
        if hold is not None and u < asks + hold.chance:
            self._waited[ticket] += 1
            return Wait(ON_HOLD, self._after(now_s, self._hold_s[number][ticket], hold.clock))
        return None

    def _after(self, now_s: float, delay_s: float, clock: Clock) -> float:
        paced = self._clocks[clock]
        return now_s + delay_s if paced is None else paced.after(now_s, delay_s)

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        for columns in vars(self).values():
            if isinstance(columns, Lazy):
                columns.clear()


class Transfers:
    """Transfers of tickets from pool to pool, with their luck: each of a ticket has its own.

    Parameters
    ----------
    scenario : Scenario
        Some of its pools pass tickets on.
    demand : Demand
    """

    def __init__(self, scenario: Scenario, demand: Demand) -> None:
        names = list(scenario.agents)
        self._most = scenario.routing.max_transfers
        self._passed: defaultdict[int, int] = defaultdict(int)
        self._touched: defaultdict[int, int] = defaultdict(int)
        self._luck: Lazy[int, memoryview] = Lazy(
            lambda number: demand.column(lambda: demand.uniform(Stream.TRANSFER, Use(number)))
        )
        # By pool: chances, added up, with the number of the pool that each leads to.
        self._to = [
            list(zip(accumulate(pool.transfers_to.values()),
                     map(names.index, pool.transfers_to), strict=True))
            for pool in scenario.agents.values()
        ]  # fmt: skip

    def after_touch(self, ticket: int, pool: int) -> int | None:
        """The pool that a ticket goes on to after a touch of a pool; None: to no other."""
        if not self._to[pool] or self._passed[ticket] >= self._most:
            return None
        # Luck of each touch, not of each transfer: what it decided once it does not decide again.
        u = self._luck[self._touched[ticket]][ticket]
        self._touched[ticket] += 1
        for chance, other in self._to[pool]:
            if u < chance:
                self._passed[ticket] += 1
                return other
        return None

    def forget(self) -> None:
        """Let go of all columns; the run is over."""
        self._luck.clear()
