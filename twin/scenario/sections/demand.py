"""Arrivals of tickets, and their topics."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.scenario.sections.base import LongDuration, Priority, Section, Weight, fail
from twin.scenario.units import Duration, Rate


class Busyness(Section):
    """A factor a day, gamma distributed with mean 1: some days are simply busier."""

    cv: Annotated[float, Field(ge=1e-6, le=3)] = Field(description="cv of the day factor")


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
    busyness: Busyness | None = None
    bursts: Bursts | None = None
    surges: list[Surge] = Field([], description="planned changes of the rate")
    trace: str | None = Field(
        None,
        description="CSV or Parquet with a column `timestamp` (times, or seconds since the start) "
        "and, where known, `text`, `category`, `priority`",
    )

    @model_validator(mode="after")
    def _check(self) -> Arrivals:
        if self.kind == "trace":
            if self.trace is None:
                raise fail('kind "trace" needs trace = "file.csv"')
            if self.rate or self.week or self.busyness or self.bursts or self.surges:
                raise fail("a trace brings its own times: rate, week, busyness, bursts and "
                            "surges do not apply (scale does)")  # fmt: skip
            return self
        if self.trace is not None:
            raise fail('trace is given, so kind must be "trace"')
        if self.rate is None:
            raise fail('needs a rate, such as rate = "40/h"')
        if (self.kind == "hourly") != (self.week is not None):
            raise fail('week and kind = "hourly" go together')
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
    priority_mix: dict[Priority, Weight] | None = Field(
        None, description="weight by priority; default: each ticket's own, or all normal"
    )

    @model_validator(mode="after")
    def _check(self) -> Tickets:
        for name in ("category_mix", "priority_mix"):
            mix = getattr(self, name)
            if mix is not None and math.fsum(mix.values()) <= 0:
                raise fail(f"{name} must have a weight above 0")
        return self
