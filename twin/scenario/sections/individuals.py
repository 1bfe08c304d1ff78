"""Agents told apart: how many tickets each has in hand, and who gets the next one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from twin.scenario.sections.base import Days, Section, fail
from twin.scenario.units import ClockTime, Duration

# How fast each of several tickets in one hand goes on, by name.
SLOW_DOWNS = ("shared", "none")
MOST_IN_HAND = 100

# Places that a ticket takes in the hand of its agent.
InHand = Annotated[int, Field(ge=1, le=MOST_IN_HAND)]

# Who of the free agents of a pool takes a ticket.
AgentChoice = Literal["least loaded", "longest idle", "random", "in order"]

# Which of the pools with a free agent takes it.
PoolChoice = Literal["in order", "longest idle", "random"]


def _slow_down(given: Any) -> Any:
    """Check by hand: of a name or a list, pydantic would say what both of them are not."""
    if isinstance(given, str) and given in SLOW_DOWNS:
        return given
    if isinstance(given, list) and given:
        numbers = [v for v in given if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) == len(given) and all(0 < value <= 1 for value in numbers):
            return [float(value) for value in numbers]
    names = " or ".join(f'"{name}"' for name in SLOW_DOWNS)
    raise fail(f"must be {names}, or a list of speeds above 0 up to 1, as [1, 0.7, 0.5]")


SlowDown = Annotated[str | list[float], BeforeValidator(_slow_down)]


def speeds(concurrency: int, slow_down: str | list[float]) -> tuple[float, ...]:
    """Speed of each ticket in hand, where there are 1, 2, ... of them.

    Examples
    --------
    >>> speeds(2, "shared"), speeds(2, "none"), speeds(2, [1.0, 0.7, 0.5])
    ((1.0, 0.5), (1.0, 1.0), (1.0, 0.7))
    """
    if isinstance(slow_down, list):
        return tuple(slow_down[:concurrency])
    shared = slow_down == "shared"
    return tuple(1.0 / n if shared else 1.0 for n in range(1, concurrency + 1))


def check_weights(concurrency: int, **weights: dict[str, int]) -> None:
    """Check that an agent with nothing in hand has places enough for any ticket."""
    for key, by_name in weights.items():
        for name, weight in by_name.items():
            if weight > concurrency:
                reason = f"{key} gives {name[:40]} {weight} places, concurrency is {concurrency}"
                raise fail(f"{reason}: no agent could take it")


def check_break(start: float, end: float, pause_start: float, pause_end: float) -> None:
    """Check that a break lies in a shift; all are seconds of the local clock."""
    length = end - start if end > start else end + 86400 - start
    after = (pause_start - start) % 86400
    lasts = (pause_end - pause_start) % 86400
    if not lasts or after + lasts > length:
        raise fail("a break must lie within its shift, and end after it starts")


class OwnBreak(Section):
    """Time in a shift of a member when they are away."""

    start: ClockTime = Field(description="local time")
    end: ClockTime = Field(description="local time")


class OwnShift(Section):
    """Hours of a member on the weekly calendar; an end before the start is on the next day."""

    days: Days = Field("daily", description="weekdays on which it starts")
    start: ClockTime = Field(description="local time of the pool")
    end: ClockTime = Field(description="local time; not after the start: on the next day")
    breaks: list[OwnBreak] = Field([], description="when they are away")

    @model_validator(mode="after")
    def _check(self) -> OwnShift:
        for pause in self.breaks:
            check_break(self.start, self.end, pause.start, pause.end)
        return self


class Member(Section):
    """An agent by name: the first of the list is agent 1 of the pool."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="in the event log; no other of the pool has it"
    )
    speed: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0, description="of all work: at 2 it takes half the time"
    )
    tenure: Duration | None = Field(
        None, description="time in the job when the run starts; default: by the pool's tenure"
    )
    skills: list[str] = Field(
        [], description="categories that they take, in place of the pool's; none given: the pool's"
    )
    shifts: list[OwnShift] | None = Field(
        None,
        description="when they work, week by week, beside the heads, shifts or roster of the pool, "
        "which then say how many of the others are there (none: heads = 0); default: by these",
    )

    @model_validator(mode="before")
    @classmethod
    def _check(cls, given: Any) -> Any:
        if isinstance(given, dict) and "roster" in given:
            raise fail(
                "a member has shifts, no roster: put those who work by a plan of dates into a pool "
                "of their own with that roster"
            )
        return given
