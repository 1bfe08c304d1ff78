"""Agents, promises of the desk, and customers."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from twin.scenario.distributions import Amount, Lognormal, TimeDistribution
from twin.scenario.sections.base import (
    Count,
    Day,
    Days,
    Growth,
    Heads,
    HourFactors,
    LongDuration,
    Priority,
    PriorityTimes,
    Section,
    Share,
    TimeZone,
    fail,
)
from twin.scenario.sections.individuals import MOST_IN_HAND, AgentChoice, SlowDown, speeds
from twin.scenario.units import ClockTime, Duration, Rate


class Break(Section):
    """Time in a shift when some agents are away."""

    start: ClockTime = Field(description="local time")
    end: ClockTime = Field(description="local time")
    heads: Annotated[int, Field(ge=1)] = Field(description="how many are away")


class Shift(Section):
    """Heads on the weekly calendar; an end before the start is on the next day."""

    days: Days = Field("daily", description="weekdays on which it starts")
    start: ClockTime = Field(description="local time")
    end: ClockTime = Field(description="local time; not after the start: on the next day")
    heads: Heads = Field(
        description="agents on shift; 2.5: two, and a third with chance 1/2 each time"
    )
    breaks: list[Break] = Field([], description="when some of them are away")

    @model_validator(mode="after")
    def _check(self) -> Shift:
        length = self.end - self.start if self.end > self.start else self.end + 86400 - self.start
        for pause in self.breaks:
            after = (pause.start - self.start) % 86400
            lasts = (pause.end - pause.start) % 86400
            if not lasts or after + lasts > length:
                raise fail("a break must lie within its shift, and end after it starts")
        return self


class Away(Section):
    """Agents on shift who come and go (Erlang-S: Azriel, Feigin and Mandelbaum 2019).

    An agent on shift is free, busy or away. All times are exponential.
    """

    after_touch: Share = Field(
        0.0, description="chance that an agent leaves after a touch, wrap-up included"
    )
    while_idle: Rate = Field(0.0, description="rate at which each free agent leaves")
    returns: Rate = Field(
        description="rate at which each agent who is away returns: with 15/h they are away for "
        "4 min on average"
    )
    returns_per_queued: Rate = Field(
        0.0, description="added to that rate for each ticket that waits for the pool"
    )

    @model_validator(mode="after")
    def _check(self) -> Away:
        if not self.returns and not self.returns_per_queued:
            raise fail("who leaves must return: returns or returns_per_queued must be above 0")
        return self


# Share of the handle time that the other work takes by default; said in `Pool`.
TRIAGE_SHARE, REVIEW_SHARE = 0.1, 0.2


class Pool(Section):
    """A pool of agents with the same skills."""

    heads: Heads | None = Field(
        None,
        description="agents around the clock; else give shifts or a roster; 2.5: two, and a third "
        "with chance 1/2 each day",
    )
    shifts: list[Shift] | None = Field(
        None, description="when how many work, week by week; else give heads or a roster"
    )
    roster: str | None = Field(
        None,
        description="shifts of exact days: CSV with columns `date` (`2026-01-05`), `start`, `end` "
        "(local time; an end not after the start is on the next day), `heads` and, where it serves "
        "several pools, `pool`; nobody works on a day without a row",
    )
    extra_heads: Annotated[int, Field(ge=-10_000, le=10_000)] = Field(
        0, description="added to every shift (negative: fewer agents), never below 0"
    )
    shrinkage: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="share of scheduled agents who do not come and are not paid: each of them is "
        "drawn for each shift, around the clock for each day; desk hours go by the schedule",
    )
    skills: list[str] = Field([], description="categories they take; none given: all")
    channels: list[str] = Field(
        [],
        description="channels that they take, of the categories of their skills; none given: all",
    )
    overflow_to: list[str] = Field(
        [], description="pools that may take this pool's tickets, too, whatever their skills"
    )
    overflow_after: Duration = Field(
        0.0,
        description="how long a ticket waits before they may; 0s: as soon as nobody here is free",
    )
    individuals: bool = Field(
        False,
        description="tell its agents apart: visits say which agent worked; implied by concurrency, "
        "routing.choice and other keys that need it",
    )
    concurrency: Annotated[int, Field(ge=1, le=MOST_IN_HAND)] = Field(
        1, description="tickets that an agent has in hand at once; who has fewest gets the next"
    )
    slow_down: SlowDown = Field(
        "shared",
        description='speed of each ticket in hand: `"shared"` (each of n goes on at 1/n: an agent '
        'does the work of one, assumed), `"none"` (each as fast as alone), or a list by the number '
        "in hand, as `[1, 0.7, 0.5]` (speeds of more than `concurrency` are not used)",
    )
    transfers_to: dict[str, Share] = Field(
        {},
        description="other pools, with the chance that a touch here (to handle, to follow up) ends "
        "with a transfer to it for a further touch, of its follow_up_time; default: none",
    )
    transfers_only: bool = Field(False, description="it takes only what others transfer to it")
    time_zone: TimeZone | None = Field(None, description="default: the scenario's")
    holidays: list[Day] = Field([], description="days on which no shift starts")
    at_shift_end: Literal["finish", "hand over"] = Field(
        "finish", description="what happens to work in hand"
    )
    away: Away | None = Field(
        None, description="agents on shift who come and go; not given: all are there all the time"
    )
    handle_time: TimeDistribution = Field(description="an agent's work on a ticket")
    handle_times: dict[str, TimeDistribution] = Field({}, description="by true category")
    handle_times_by_channel: dict[str, TimeDistribution] = Field(
        {}, description="by channel; it goes before that by category"
    )
    wrap_up: TimeDistribution | None = Field(
        None,
        description="after-contact work, after each touch: the agent stays busy, the ticket goes "
        "on (answered: it is resolved already); default: none",
    )
    handle_scale: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="factor of all handle times: 1.1 is 10 % more work a ticket"
    )
    handle_hours: HourFactors = Field(
        [],
        description="24 factors of handle times by the local hour in which a ticket arrives, "
        "midnight first, or 168 from Monday midnight; default: the same in all",
    )
    handle_growth: Growth = Field(
        0.0,
        description="rise of handle times a week, compounding, by the ticket's arrival: -0.01 is "
        "1 % less work each week",
    )
    review_time: TimeDistribution | None = Field(
        None, description="to approve a draft; default: a fifth of the handle time"
    )
    triage_time: TimeDistribution | None = Field(
        None, description="to categorize only; default: a tenth of the handle time"
    )
    follow_up_time: TimeDistribution | None = Field(
        None, description="a further touch (see touches); default: the handle time"
    )
    cost: Annotated[float, Field(ge=0)] | None = Field(
        None, description="USD an agent an hour; not given: costs are not known"
    )

    # Its key under [agents]; set by the scenario.
    _name: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _check(self) -> Pool:
        given = [self.heads, self.shifts, self.roster]
        if sum(value is not None for value in given) != 1:
            raise fail("give heads (around the clock) or shifts or a roster, one of them")
        if self.holidays and self.roster is not None:
            raise fail("a roster says its days itself: leave out its rows instead of holidays")
        if self.holidays and self.shifts is None:
            raise fail("holidays are days on which no shift starts: give shifts, not heads")
        if math.fsum(self.transfers_to.values()) > 1:
            raise fail("the chances of transfers_to must not be above 1 together")
        if self.transfers_only and self.skills:
            raise fail("give skills, or transfers_only, not both")
        if self.overflow_after and not self.overflow_to:
            raise fail("overflow_after needs overflow_to: say which pools take the tickets")
        if isinstance(self.slow_down, list) and len(self.slow_down) < self.concurrency:
            speeds, most = len(self.slow_down), self.concurrency
            raise fail(f"slow_down gives {speeds} speeds, concurrency is {most}: one for each")
        return self

    @property
    def name(self) -> str:
        """Its key under [agents]."""
        return self._name

    @property
    def speeds(self) -> tuple[float, ...]:
        """Speed of each ticket of an agent who has 1, 2, ... of them in hand."""
        return speeds(self.concurrency, self.slow_down)

    @property
    def pace(self) -> float:
        """Work that an agent does in a second at most, with as many in hand as is fastest."""
        return max((k + 1) * speed for k, speed in enumerate(self.speeds))

    def on(self, channel: str) -> Pool:
        """The pool as it is for tickets of a channel."""
        own = self.handle_times_by_channel.get(channel)
        if own is None:
            return self
        return self.model_copy(update={"handle_time": own, "handle_times": {}})

    def takes(self, category: str) -> bool:
        """True if tickets of a category come to it, not only from other pools."""
        return not self.transfers_only and (not self.skills or category in self.skills)

    def handle(self, category: str) -> float:
        """Mean work on a ticket of a category that arrives at the start; seconds."""
        return self.handle_scale * self.handle_times.get(category, self.handle_time).mean_value()

    @property
    def after(self) -> float:
        """Mean wrap-up after a touch; seconds."""
        return 0.0 if self.wrap_up is None else self.wrap_up.mean_value()

    def triage(self, category: str) -> float:
        """Mean time to categorize a ticket of a category; seconds."""
        own = self.triage_time
        return TRIAGE_SHARE * self.handle(category) if own is None else own.mean_value()

    def follow_up(self, category: str) -> float:
        """Mean work of a further touch on a ticket of a category; seconds."""
        own = self.follow_up_time
        return self.handle(category) if own is None else own.mean_value()

    def review(self, category: str) -> float:
        """Mean time to approve a draft on a ticket of a category; seconds."""
        own = self.review_time
        return REVIEW_SHARE * self.handle(category) if own is None else own.mean_value()


class Queue(Section):
    """Tickets that wait for agents: one queue for those that the same pools can take."""

    capacity: Count | None = Field(
        None,
        description="places to wait in a queue; who finds none is turned away at once (counted "
        "as abandoned); default: no limit",
    )
    balking: Share = Field(
        0.0,
        description="share that each ticket in the queue puts off: who finds n waiting stays with "
        "chance (1 - balking)^n, else leaves at once (counted as abandoned)",
    )


class Routing(Section):
    """Order in which agents take tickets."""

    wait_bonus: Duration | None = Field(
        None,
        description="a ticket that has waited so much longer goes before one of the next higher "
        "priority (0s: first come, first served); default: priority always comes first",
    )
    choice: AgentChoice | None = Field(
        None,
        description="who of a pool's free agents takes a ticket: who has fewest in hand and, of "
        "those, has been idle longest; who took or ended none for longest; by chance; or the first "
        "in order; given: agents are told apart; default: least loaded",
    )
    max_transfers: Annotated[int, Field(ge=1, le=10_000)] = Field(
        20,
        description="most transfers of a ticket from pool to pool (agents.POOL.transfers_to); "
        "after them it goes to no other (assumed)",
    )


class Targets(Section):
    """Promises of the desk to its customers."""

    clock: Literal["around the clock", "desk hours"] = Field(
        "around the clock", description="desk hours: time counts while an agent is on shift"
    )
    pauses: list[Literal["Waiting for customer", "On hold"]] = Field(
        [], description="statuses in which the time to resolution stands still"
    )
    first_response: PriorityTimes = Field({}, description="by priority")
    first_human_response: PriorityTimes = Field(
        {},
        description="by priority: until a person replies, from when a ticket first waits for one; "
        "default: those of first_response",
    )
    resolution: PriorityTimes = Field({}, description="by priority")
    first_response_by_channel: dict[str, LongDuration] = Field(
        {}, description="by channel; it goes before that by priority"
    )
    first_human_response_by_channel: dict[str, LongDuration] = Field(
        {}, description="by channel; default: those of first_response_by_channel"
    )
    resolution_by_channel: dict[str, LongDuration] = Field(
        {}, description="by channel; it goes before that by priority"
    )
    matters: dict[str, Annotated[Amount, Field(gt=0)]] = Field(
        {},
        description="smallest difference that matters, by figure, in its unit (shares 0 to 1): "
        "below it `twin compare` calls nothing better or worse",
    )


class Solved(Section):
    """Chance that an answer solves the ticket."""

    agent: Share = Field(0.92, description="an agent's answer")
    reviewed: Share = Field(0.92, description="a draft that an agent approved or mended")
    assistant: Share = Field(
        0.95, description="the assistant's, in the right category at quality 1"
    )
    wrong_category: Share = Field(0.05, description="the assistant's, in the wrong category")


class Satisfaction(Section):
    """Shifts of the rating on a logit scale (see `twin.desk.customers`)."""

    unsolved: float = Field(3.0, ge=0, description="fall when the answer did not solve it")
    wrong_category: float = Field(0.5, ge=0, description="fall when answered in a wrong category")
    transfer: float = Field(0.25, ge=0, description="fall with each transfer")
    reopened: float = Field(0.5, ge=0, description="fall with each reopening")
    wait: float = Field(1.0, ge=0, description="weight of the published fall with response time")


class Customers(Section):
    """The simulated customer."""

    patience: TimeDistribution | None = Field(
        None, description="longest wait for a human before giving up; default: endless"
    )
    patience_by_category: dict[str, TimeDistribution] = Field(
        {}, description="patience by true category; it goes before that by priority"
    )
    patience_by_channel: dict[str, TimeDistribution] = Field(
        {}, description="patience by channel; it goes before that by category"
    )
    patience_by_priority: dict[Priority, TimeDistribution] = Field(
        {}, description="patience by priority; default: `patience`"
    )
    patience_hours: HourFactors = Field(
        [],
        description="24 factors of patience by the local hour in which a ticket arrives, midnight "
        "first, or 168 from Monday midnight; default: the same in all",
    )
    survey_rate: Share = Field(0.3, description="share of resolved tickets that are rated")
    solved: Solved = Solved()
    reopen_rate: Share = Field(0.7, description="share of unsolved tickets that come back")
    reopen_delay: TimeDistribution = Field(
        default_factory=lambda: _lognormal("4h", 1.5), description="until they come back"
    )
    max_reopens: Annotated[int, Field(ge=0, le=10)] = Field(
        2, description="times a customer comes back at most"
    )
    close_after: Duration = Field(86400.0, description="quiet time until Resolved becomes Closed")
    satisfaction: Satisfaction = Satisfaction()

    @property
    def gives_up(self) -> bool:
        """True if any customer's patience ends."""
        return any(
            (
                self.patience,
                self.patience_by_category,
                self.patience_by_priority,
                self.patience_by_channel,
            )
        )


def _lognormal(mean: str, cv: float) -> Any:
    return Lognormal.model_validate({"distribution": "lognormal", "mean": mean, "cv": cv})
