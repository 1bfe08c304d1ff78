"""Numbers of a desk that are not known for sure, and words on what changes of it rest on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from twin.scenario.distributions import Amount
from twin.scenario.sections.base import Section, fail

Range = Annotated[list[Amount], Field(min_length=2, max_length=2)]


class Uncertainty(Section):
    """Numbers that are not known for sure: replications play other values of them."""

    file: str | None = Field(
        None,
        description="versions of this desk as resampled days of its history give them (JSON, "
        "written by `twin calibrate`); two replications in a row (four with `forecast` or "
        "`assumed`, eight with both) play the same version. A number that is changed here or in a "
        "file that extends this one is as it was set in all of them",
    )
    forecast: str | None = Field(
        None,
        description="versions of the arrivals ahead (JSON, written by `twin forecast`): each is "
        "one way in which they may go on; two replications in a row play the same one (four with "
        "`assumed`), within one version of the history where there is a `file`",
    )
    assumed: dict[str, Range] = Field(
        {},
        description="stated ranges of assumed numbers by dotted key, as "
        '`"customers.solved.agent" = [0.85, 0.95]`: values between are drawn, all alike, two '
        "replications each, whatever the key itself says",
    )

    @model_validator(mode="after")
    def _check(self) -> Uncertainty:
        if self.file is None and self.forecast is None and not self.assumed:
            raise fail(
                "give file (versions of the desk), forecast (of the arrivals), assumed (ranges), "
                "or several of them"
            )
        for key, (low, high) in self.assumed.items():
            if type(low) is not type(high):
                raise fail(f"the range of {key} must be two numbers, or two durations")
            if not low < high:
                raise fail(f"the range of {key} must go from the lower value to the higher one")
        return self


class Evidence(Section):
    """Sentences of `twin calibrate`, repeated where a comparison changes what they are about."""

    volume: str = Field("", description="on more or fewer tickets, or another mix of them")
    staffing: str = Field("", description="on agents: how many, when, and how far they are there")
    handle_time: str = Field("", description="on quicker or slower work")
    assistant: str = Field("", description="on an assistant, and what it takes off the agents")
    other: str = Field("", description="on anything else: customers, routing, statuses")
    assumed: list[str] = Field(
        [],
        description="keys of numbers in the file that its history does not tell, as "
        '`["customers.solved.agent"]`: figures that rest on them say so, and no answer leads with '
        "them; take out what you have measured",
    )

    @property
    def said(self) -> dict[str, str]:
        """Sentences by kind of change."""
        return {kind: said for kind, said in self if kind != "assumed"}
