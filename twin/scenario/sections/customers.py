"""The simulated customer: patience, answers that solve, ratings, and coming back."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from twin.scenario.distributions import Lognormal, TimeDistribution
from twin.scenario.sections.base import Count, HourFactors, Priority, Section, Share
from twin.scenario.units import Duration


class Solved(Section):
    """Chance that an answer solves the ticket."""

    agent: Share = Field(0.92, description="an agent's answer (assumed, as in the fit of ratings)")
    reviewed: Share = Field(
        0.92, description="a draft that an agent approved or mended (assumed: as an agent's)"
    )
    assistant: Share = Field(
        0.95, description="the assistant's, in the right category at quality 1 (assumed)"
    )
    wrong_category: Share = Field(
        0.05, description="the assistant's, in the wrong category (assumed)"
    )


class Satisfaction(Section):
    """Shifts of the rating on a logit scale (see `twin.desk.customers`)."""

    unsolved: float = Field(
        3.0, ge=0, description="fall when the answer did not solve it (assumed)"
    )
    wrong_category: float = Field(
        0.5, ge=0, description="fall when answered in a wrong category (assumed)"
    )
    transfer: float = Field(0.25, ge=0, description="fall with each transfer (assumed)")
    reopened: float = Field(0.5, ge=0, description="fall with each reopening (assumed)")
    wait: float = Field(
        1.0,
        ge=0,
        description="weight of the fall with response time that was fitted to a public log of an "
        "e-commerce desk (n = 85,907 contacts; mean ratings 4.48 within 5 minutes to 3.87 after 8 "
        "hours; no interval is published)",
    )
    repair: Share = Field(
        0.0,
        description="share of the fall with transfers and reopenings that is made good where an "
        "agent solves what the assistant handed over (assumed: none; arXiv 2605.14830 is said to "
        "find much of it for technical matters)",
    )
    emotional_categories: list[str] = Field(
        [], description="categories whose matter is emotional rather than technical"
    )
    emotional_repair: Share | None = Field(
        None,
        description="repair in emotional_categories; default: as repair (assumed; hardly any by "
        "the same source)",
    )


class Retrial(Section):
    """Customers who left without an agent (gave up, turned away, put off) and try again.

    It is the same ticket, for which the desk waits until then; patience is as long as before.
    """

    chance: Share = Field(description="share of those who left who try again, each time")
    delay: TimeDistribution = Field(description="until they do")
    most: Annotated[int, Field(ge=1, le=1000)] = Field(
        5, description="times that a customer tries again at most (assumed)"
    )


class Callback(Section):
    """A number left instead of a wait: the customer keeps their place and does not give up."""

    chance: Share = Field(description="share of those who are offered a callback who take it")
    queue: Count = Field(
        0,
        description="offered to who joins a queue in which so many wait; 0: to all who wait",
    )


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
    retrial: Retrial | None = Field(
        None, description="of who left without an agent; not given: they are lost"
    )
    callback: Callback | None = Field(None, description="not given: none is offered")
    survey_rate: Share = Field(
        0.3, description="share of resolved tickets that are rated (assumed)"
    )
    solved: Solved = Solved()
    reopen_rate: Share = Field(
        0.7, description="share of unsolved tickets that come back (assumed)"
    )
    reopen_delay: TimeDistribution = Field(
        default_factory=lambda: _lognormal("4h", 1.5), description="until they come back (assumed)"
    )
    max_reopens: Annotated[int, Field(ge=0, le=10)] = Field(
        2, description="times a customer comes back at most (assumed)"
    )
    close_after: Duration = Field(
        86400.0, description="quiet time until Resolved becomes Closed (assumed)"
    )
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
