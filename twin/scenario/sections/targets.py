"""Promises of a desk to its customers, and what its figures must reach."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.scenario.distributions import Amount
from twin.scenario.sections.base import LongDuration, PriorityTimes, Section, fail


class Target(Section):
    """A bound that a figure must keep."""

    at_least: Amount | None = Field(None, description="smallest value allowed, in its unit")
    at_most: Amount | None = Field(None, description="largest value allowed, in its unit")

    @model_validator(mode="after")
    def _check(self) -> Target:
        if (self.at_least is None) == (self.at_most is None):
            raise fail("give at_least or at_most, one of them")
        return self

    @property
    def limit(self) -> float:
        """The bound, in the figure's unit."""
        return float(self.at_least if self.at_most is None else self.at_most)  # type: ignore[arg-type]

    @property
    def upper(self) -> bool:
        """True where the figure must be at most so much, false where at least."""
        return self.at_most is not None


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

    figures: dict[str, Target] = Field(
        {},
        description="what figures must reach, by figure, as "
        "`service_level = { at_least = 0.95 }` or `cost_week = { at_most = 9000 }`: the first page "
        "of `twin report` answers yes or no by them",
    )

    @property
    def of_channels(self) -> bool:
        """True where a channel has a promise of its own."""
        return bool(
            self.first_response_by_channel
            or self.first_human_response_by_channel
            or self.resolution_by_channel
        )
