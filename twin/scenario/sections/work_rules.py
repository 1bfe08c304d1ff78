"""Rules of work that a plan of shifts keeps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.scenario.sections.base import LongDuration, Section, fail
from twin.scenario.units import ClockTime, Duration


class WorkRules(Section):
    """Limits of shifts by law and contract; for `twin roster`, the desk reads none."""

    shortest: LongDuration = Field(
        28800.0, description="shortest shift, break included; 8 h by default (assumed)"
    )
    longest: LongDuration = Field(
        28800.0, description="longest shift, break included; 8 h by default (assumed)"
    )
    length_step: LongDuration = Field(
        3600.0, description="lengths allowed between the shortest and the longest: every so much"
    )
    starts: list[ClockTime] = Field(
        [], description="local times at which a shift may start; none given: see start_every"
    )
    start_every: LongDuration = Field(
        3600.0, description="from midnight on, where no starts are given"
    )
    break_over: LongDuration = Field(
        21600.0,
        description="shifts longer than this have a break; 6 h by default (Directive 2003/88/EC, "
        "article 4)",
    )
    break_length: Duration = Field(
        1800.0,
        description="not paid; 30 min by default (as German law has it: ArbZG, section 4); 0s: no "
        "breaks",
    )
    break_earliest: Duration = Field(
        10800.0, description="from the start of the shift to that of the break, at least (assumed)"
    )
    break_latest: Duration = Field(
        18000.0, description="from the start of the shift to that of the break, at most (assumed)"
    )
    days_a_week: Annotated[int, Field(ge=1, le=7)] = Field(
        5, description="most shifts of an agent in a week (assumed)"
    )
    hours_a_week: LongDuration = Field(
        144000.0,
        description="most paid time of an agent in a week; 40 h by default (assumed; Directive "
        "2003/88/EC, article 6, allows 48 h on average)",
    )
    rest: Duration = Field(
        39600.0,
        description="from the end of a shift to the start of the next; 11 h by default (Directive "
        "2003/88/EC, article 3)",
    )
    agents: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="most agents; default: as many as it takes"
    )
    minimise: Literal["hours", "agents"] = Field(
        "hours", description="what is to be low first: paid hours, or agents; then the other"
    )

    @model_validator(mode="after")
    def _check(self) -> WorkRules:
        if self.longest < self.shortest:
            raise fail("longest must not be below shortest")
        if self.longest > 86400:
            raise fail("longest must be 24h or less")
        if self.break_latest < self.break_earliest:
            raise fail("break_latest must not be below break_earliest")
        broken = max(self.break_over, self.shortest)
        needs_one = self.break_length and self.longest > self.break_over
        if needs_one and self.break_earliest + self.break_length > broken:
            raise fail("break_earliest and break_length leave no room in the shortest shift")
        return self
