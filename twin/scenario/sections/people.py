"""Agents, queues, and promises of the desk."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, model_validator

from twin.scenario.distributions import TimeDistribution
from twin.scenario.sections.base import (
    Day,
    Days,
    Growth,
    Heads,
    HourFactors,
    Section,
    Share,
    TimeZone,
    fail,
)
from twin.scenario.sections.individuals import (
    MOST_IN_HAND,
    InHand,
    Member,
    SlowDown,
    check_break,
    check_weights,
    speeds,
)
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
        for pause in self.breaks:
            check_break(self.start, self.end, pause.start, pause.end)
        return self


class Away(Section):
    """Agents on shift who come and go (Erlang-S: Azriel, Feigin and Mandelbaum 2019).

    An agent on shift is free, busy or away. All times are exponential.
    """

    after_touch: Share = Field(
        0.0,
        description="chance that an agent leaves after a touch, wrap-up included; with more "
        "tickets in hand they take no new one, and leave when the last is done",
    )
    while_idle: Rate = Field(
        0.0, description="rate at which each free agent leaves, with nothing in hand"
    )
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
    """A pool of agents with the same skills, but for members who have their own."""

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
        description="how long a ticket waits before they may, which drops the limits of skills "
        "and channels; 0s: as soon as nobody here is free, unless overflow_at is given",
    )
    overflow_at: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="they may take the next ticket while so many wait in a queue of this pool; "
        "with overflow_after: or once a ticket has waited so long",
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
    weights: dict[str, InHand] = Field(
        {},
        description="places that a ticket takes of the `concurrency` of its agent, by the category "
        "that it goes by, until the agent lets go of it; none given: 1. Beside chats of 1 a call "
        "of `concurrency` needs an agent with nothing in hand. Who has too few free places for the "
        "first in line takes the first who fits: so heavy tickets may wait long beside many light "
        "ones, whatever their priority. `slow_down` goes by the number of tickets; who has fewest "
        "in hand is who has fewest places taken",
    )
    weights_by_channel: dict[str, InHand] = Field(
        {}, description="by channel; it goes before that by category"
    )
    members: list[Member] = Field(
        [],
        description="agents by name, as [[agents.NAME.members]]; heads, shifts or a roster still "
        "say how many are there: the first of them who have no shifts of their own, and agents of "
        "speed 1 beyond them; given: agents are told apart; what overflows or is transferred to "
        "the pool goes to any of them, whatever their skills",
    )
    tenure: TimeDistribution | None = Field(
        None,
        description="time that agents have been in the job when the run starts: it counts where "
        "an assistant supports them (see assistant.support); default: not known",
    )
    turnover: Annotated[float, Field(ge=0, le=100)] = Field(
        0.0,
        description="agents who leave in a year (365 days), as a share of all: each is replaced at "
        "once by one of tenure 0; above 0 agents are told apart",
    )
    transfers_to: dict[str, Share] = Field(
        {},
        description="other pools, with the chance that a touch here (to handle, to follow up) ends "
        "with a transfer to it for a further touch, of its follow_up_time; default: none",
    )
    transfers_only: bool = Field(False, description="it takes only what others transfer to it")
    time_zone: TimeZone | None = Field(None, description="default: the scenario's")
    holidays: list[Day] = Field([], description="days on which no shift starts")
    at_shift_end: Literal["finish", "hand over", "continue"] = Field(
        "finish",
        description="what happens to work in hand: continue stops it, and the pool goes on with it "
        "as soon as it has an agent again, before anything else",
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
        None, description="to approve a draft; default: a fifth of the handle time (assumed)"
    )
    triage_time: TimeDistribution | None = Field(
        None, description="to categorize only; default: a tenth of the handle time (assumed)"
    )
    follow_up_time: TimeDistribution | None = Field(
        None, description="a further touch (see touches); default: the handle time (assumed)"
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
        skilled = self.skills or any(member.skills for member in self.members)
        if self.transfers_only and skilled:
            raise fail("give skills, or transfers_only, not both")
        if self.overflow_after and not self.overflow_to:
            raise fail("overflow_after needs overflow_to: say which pools take the tickets")
        if self.overflow_at is not None and not self.overflow_to:
            raise fail("overflow_at needs overflow_to: say which pools take the tickets")
        if isinstance(self.slow_down, list) and len(self.slow_down) < self.concurrency:
            speeds, most = len(self.slow_down), self.concurrency
            raise fail(f"slow_down gives {speeds} speeds, concurrency is {most}: one for each")
        by_channel = self.weights_by_channel
        check_weights(self.concurrency, weights=self.weights, weights_by_channel=by_channel)
        names = [member.name for member in self.members]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise fail(f'members has two of the name "{twice[:40]}": give each one of its own')
        return self

    @property
    def overflows_after_s(self) -> float:
        """Wait after which other pools may take a ticket; infinite where only numbers count."""
        if self.overflow_at is not None and "overflow_after" not in self.model_fields_set:
            return math.inf
        return self.overflow_after

    @property
    def name(self) -> str:
        """Its key under [agents]."""
        return self._name

    @property
    def speeds(self) -> tuple[float, ...]:
        """Speed of each ticket of an agent who has 1, 2, ... of them in hand."""
        return speeds(self.concurrency, self.slow_down)

    def weight(self, category: str, channel: str = "") -> int:
        """Places that a ticket takes in the hand of its agent."""
        return self.weights_by_channel.get(channel, self.weights.get(category, 1))

    def pace(self, weight: int = 1) -> float:
        """Work that an agent does in a second at most, with as many in hand as is fastest.

        All of them of the same weight. Mean over the agents of the pool; where heads are not given,
        over its members. One with shifts of their own counts like any other.
        """
        fit = self.speeds[: self.concurrency // weight]
        most = max(k * speed for k, speed in enumerate(fit, 1))
        if not self.members:
            return most
        hours = [member.speed for member in self.members if member.shifts is not None]
        named = [member.speed for member in self.members if member.shifts is None]
        heads: float = len(named)
        if self.heads is not None:
            heads = max(0 if hours else 1, self.heads + self.extra_heads)
        own = named[: math.ceil(heads)] + hours
        rest = max(0, heads - len(named))
        return most * math.fsum([*own, rest]) / (len(own) + rest)

    @property
    def anonymous(self) -> bool:
        """True if agents may come who are no members: more than come by the pool's calendar."""
        extra = self.extra_heads
        named = len([member for member in self.members if member.shifts is None])
        if self.roster is not None:
            return True
        given = [self.heads or 0] if self.shifts is None else [s.heads for s in self.shifts]
        return math.fsum(max(0, math.ceil(heads + extra)) for heads in given) > named

    def on(self, channel: str) -> Pool:
        """The pool as it is for tickets of a channel."""
        own = self.handle_times_by_channel.get(channel)
        if own is None:
            return self
        return self.model_copy(update={"handle_time": own, "handle_times": {}})

    def takes(self, category: str) -> bool:
        """True if tickets of a category come to it, not only from other pools."""
        taken = self.takes_only
        return taken is None or category in taken

    @property
    def takes_only(self) -> set[str] | None:
        """Categories whose tickets come to it, not only from other pools; None: all do."""
        if self.transfers_only:
            return set()
        skills = [member.skills or self.skills for member in self.members]
        if not self.members or self.anonymous:
            skills.append(self.skills)
        return {name for own in skills for name in own} if all(skills) else None

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
