"""Arrivals of tickets, and their topics."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.scenario.distributions import TimeDistribution
from twin.scenario.sections.base import Growth, LongDuration, Priority, Section, Weight, fail
from twin.scenario.units import Duration, Rate

Spread = Annotated[float, Field(ge=1e-6, le=3)]


class Busyness(Section):
    """Factors with mean 1, gamma distributed: some days, and parts of a day, are simply busier."""

    cv: Spread | None = Field(None, description="cv of the factor of a day")
    part_cv: Spread | None = Field(
        None, description="cv of the factor of a part of a day, on top of that of its day"
    )
    part: LongDuration | None = Field(
        None, description="length of a part: 1h (the default), 2h, 3h, 4h, 6h, 8h or 12h"
    )
    correlation: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None,
        description="between a part and the next, before they are made gamma distributed; "
        "default: 0.5 (assumed)",
    )

    @model_validator(mode="after")
    def _check(self) -> Busyness:
        if self.cv is None and self.part_cv is None:
            raise fail("give cv (of days), part_cv (of parts of a day) or both")
        if self.part_cv is None and (self.part, self.correlation) != (None, None):
            raise fail("part and correlation belong to parts of a day: give part_cv")
        if self.part_s not in [hours * 3600.0 for hours in (1, 2, 3, 4, 6, 8, 12)]:
            raise fail("part must be 1h, 2h, 3h, 4h, 6h, 8h or 12h")
        return self

    @property
    def part_s(self) -> float:
        """Length of a part of a day; seconds."""
        return 3600.0 if self.part is None else self.part

    @property
    def carried(self) -> float:
        """Correlation between a part and the next."""
        return 0.5 if self.correlation is None else self.correlation


class Bursts(Section):
    """Markov-modulated bursts: quiet and burst periods of exponential length alternate."""

    factor: Annotated[float, Field(gt=1, le=1000)] = Field(
        description="arrival rate in a burst, relative to the rate in quiet times"
    )
    mean_quiet: LongDuration = Field(description="mean length of a quiet period")
    mean_burst: LongDuration = Field(description="mean length of a burst")


class Surge(Section):
    """A planned rise (or fall) of the arrival rate."""

    start: Duration = Field(description="time since the start of the run")
    length: LongDuration = Field(description="how long it lasts")
    factor: Annotated[float, Field(ge=0, le=1000)] = Field(description="times the usual rate")


class Week(Section):
    """The shape of a week; `rate` is its mean, so only relative sizes matter."""

    hours: list[Weight] = Field(
        default=[1.0] * 24, description="24 weights, midnight first, or 168 from Monday midnight"
    )
    days: list[Weight] = Field(
        default=[1.0] * 7, min_length=7, max_length=7, description="7 weights, Monday first"
    )

    @model_validator(mode="after")
    def _check(self) -> Week:
        if len(self.hours) not in (24, 168):
            raise fail(f"hours must hold 24 or 168 weights, not {len(self.hours)}")
        if math.fsum(self.weights) <= 0:
            raise fail("hours and days must not all be 0")
        return self

    @property
    def weights(self) -> list[float]:
        """168 weights by hour of week, from Monday midnight."""
        hours = self.hours * 7 if len(self.hours) == 24 else self.hours
        return [weight * self.days[k // 24] for k, weight in enumerate(hours)]


class Arrivals(Section):
    """Arrivals of tickets over time."""

    kind: Literal["poisson", "hourly", "constant", "trace"] = Field(
        "poisson",
        description="poisson: one rate; hourly: Poisson by hour of week; constant: evenly spaced; "
        "trace: recorded times",
    )
    rate: Rate | None = Field(None, description="mean arrival rate over the week")
    week: Week | None = Field(None, description="shape of the week, for hourly")
    scale: Annotated[float, Field(ge=0, le=1000)] = Field(
        1.0, description="load: 2 is everybody who comes at 1, and as many more"
    )
    growth: Growth = Field(
        0.0,
        description="rise of the load a week, compounding day by day: 0.02 is 2 % more each week, "
        "-0.02 is 2 % fewer; `scale` holds on the first day",
    )
    day_factors: list[Annotated[float, Field(ge=0, le=1000)]] = Field(
        [],
        description="factor of the load on each day of the run, the first day first, as "
        "`twin forecast` writes them",
    )
    busyness: Busyness | None = None
    bursts: Bursts | None = None
    surges: list[Surge] = Field([], description="planned changes of the rate")
    trace: str | None = Field(
        None,
        description="CSV or Parquet with a column `timestamp` (times, or seconds since the start) "
        "and, where known, `text`, `category`, `priority`, `channel`",
    )

    @model_validator(mode="after")
    def _check(self) -> Arrivals:
        if self.kind == "trace":
            if self.trace is None:
                raise fail('kind "trace" needs trace = "file.csv"')
            own = (
                self.rate, self.week, self.busyness, self.bursts, self.surges, self.growth,
                self.day_factors,
            )  # fmt: skip
            if any(own):
                raise fail("a trace brings its own times: rate, week, day_factors, growth, "
                           "busyness, bursts and surges do not apply (scale does)")  # fmt: skip
            return self
        if self.trace is not None:
            raise fail('trace is given, so kind must be "trace"')
        if self.rate is None:
            raise fail('needs a rate, such as rate = "40/h"')
        if (self.kind == "hourly") != (self.week is not None):
            raise fail('week and kind = "hourly" go together')
        return self


class Backlog(Section):
    """Tickets that are open when the run starts."""

    tickets: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        None, description="how many, with topics and priorities as of all tickets; else give a file"
    )
    age: TimeDistribution | None = Field(
        None, description="time since each arrived, for a number of tickets"
    )
    file: str | None = Field(
        None,
        description="CSV or Parquet with a column `timestamp` (times before the start, or seconds "
        "since the start, below 0) and, where known, `category`, `priority`, `channel`, `status` "
        "(Open: not looked at, or Escalated: waits for an agent; with a workflow, one of its own) "
        "and, with a workflow, `status_since` (when it came into that status: its delay is then "
        "what is left of one that has lasted so long; blank: it begins as the run starts); else "
        "give a number",
    )

    @model_validator(mode="after")
    def _check(self) -> Backlog:
        if (self.tickets is None) == (self.file is None):
            raise fail("give tickets (how many) or a file, one of them")
        if (self.tickets is None) != (self.age is None):
            raise fail("tickets and age go together; a file has its own times")
        return self


class Tickets(Section):
    """Topics, texts and priorities of tickets."""

    corpus: str | None = Field(
        None,
        description="CSV with columns text, category, priority and, where known, article (the "
        "one that solves it) and split (train: the assistant may learn from it; desk: customers "
        "send it)",
    )
    category_mix: dict[str, Weight] | None = Field(
        None, description="weight by category; default: as frequent as in the corpus"
    )
    category_hours: dict[str, list[Weight]] = Field(
        {},
        description="by category: 24 factors of its weight by local hour, midnight first, or 168 "
        "from Monday midnight; a category that is not named keeps its weight in all hours",
    )
    priority_mix: dict[Priority, Weight] | None = Field(
        None, description="weight by priority; default: each ticket's own, or all normal"
    )
    channel_mix: dict[str, Weight] | None = Field(
        None,
        description="weight by channel, as { email = 3, chat = 1, phone = 1, web = 1 }, with names "
        "of your own; default: each ticket's own, or none is known",
    )

    @model_validator(mode="after")
    def _check(self) -> Tickets:
        for name in ("category_mix", "priority_mix", "channel_mix"):
            mix = getattr(self, name)
            if mix is not None and math.fsum(mix.values()) <= 0:
                raise fail(f"{name} must have a weight above 0")
        for name, factors in self.category_hours.items():
            if len(factors) not in (24, 168):
                reason = f"{name} must hold 24 or 168 factors, not {len(factors)}"
                raise fail(f"category_hours: {reason}")
        return self
