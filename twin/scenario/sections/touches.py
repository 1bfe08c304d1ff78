"""Touches of a ticket: it waits for the customer or a third party, and comes back to the agents."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.scenario.distributions import TimeDistribution
from twin.scenario.sections.base import Section, Share, fail

Clock = Literal["around the clock", "desk hours"]


class Reply(Section):
    """Waiting for the customer: an agent has asked something."""

    chance: Share = Field(description="share of agents' touches that end with a question")
    delay: TimeDistribution = Field(description="until the customer replies")
    clock: Clock = Field(
        "around the clock",
        description="of the delay; desk hours: it passes while an agent is on shift",
    )
    never: Share = Field(0.0, description="share of questions that get no reply")
    close_after: TimeDistribution | None = Field(
        None,
        description="time without a reply after which the ticket is resolved automatically; a "
        "later reply reopens it until it is closed (customers.close_after); default: it waits on",
    )
    solved: Share = Field(
        0.5, description="chance that a ticket resolved so is solved nevertheless (assumed)"
    )

    @model_validator(mode="after")
    def _check(self) -> Reply:
        if self.never == 1 and self.close_after is None:
            raise fail("nobody replies, so tickets would wait for ever: give close_after")
        return self


class Hold(Section):
    """On hold: a third party (a vendor, another team) has to act."""

    chance: Share = Field(description="share of agents' touches after which a third party must act")
    delay: TimeDistribution = Field(description="until the third party has acted")
    clock: Clock = Field(
        "around the clock",
        description="of the delay; desk hours: it passes while an agent is on shift",
    )


class Touches(Section):
    """Further touches: an agent's work ends without an answer, and the ticket comes back."""

    waiting: Reply | None = Field(None, description="for the customer")
    on_hold: Hold | None = Field(None, description="for a third party")
    most: Annotated[int, Field(ge=1, le=1000)] = Field(
        20,
        description="most waits of a ticket (assumed); after them an agent's touch always answers",
    )

    @model_validator(mode="after")
    def _check(self) -> Touches:
        parts = [part for part in (self.waiting, self.on_hold) if part is not None]
        if not parts:
            raise fail("give waiting, on_hold, or both")
        if math.fsum(part.chance for part in parts) > 1:
            raise fail("the chances of waiting and on_hold must not be above 1 together")
        return self
