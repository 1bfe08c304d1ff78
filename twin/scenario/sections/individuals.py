"""Agents told apart: how many tickets each has in hand, and who gets the next one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from twin.scenario.sections.base import Section, fail
from twin.scenario.units import Duration

# How fast each of several tickets in one hand goes on, by name.
SLOW_DOWNS = ("shared", "none")
MOST_IN_HAND = 100

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
