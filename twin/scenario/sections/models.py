"""Language models that the catalogue lacks, or knows with other figures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from twin.scenario.sections.base import Day, Positive, Section
from twin.scenario.units import Duration

Price = Annotated[float, Field(ge=0)]
Limit = Annotated[int, Field(ge=1)]

# As in the catalogue; a name with a point in it cannot be reached by --set.
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./:@+-]{0,99}$")]


class OwnLimits(Section):
    """Limits of a model of your own, on the plans free and developer; not given: no limit."""

    rpm: Limit | None = Field(None, description="requests a minute")
    rpd: Limit | None = Field(None, description="requests a day")
    tpm: Limit | None = Field(None, description="tokens a minute")
    tpd: Limit | None = Field(None, description="tokens a day")


class OwnModel(Section):
    """A model outside the catalogue, or other figures for one in it."""

    context: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="longest prompt and answer together, in tokens; must be given for a model that "
        "the catalogue lacks",
    )
    tokens_per_s: Positive | None = Field(
        None, description="speed of writing; must be given likewise"
    )
    input_tokens_per_s: Positive | None = Field(
        None, description="speed of reading the prompt; default: as it writes (assumed)"
    )
    queue: Duration | None = Field(
        None, description="median time in the provider's queue; default: 0s (assumed)"
    )
    price_in: Price | None = Field(
        None, description="USD a million tokens in; not given: unknown, never free"
    )
    price_out: Price | None = Field(None, description="likewise, out")
    limits: OwnLimits | None = Field(None, description="requests and tokens; default: no limits")
    strict_schema: bool | None = Field(
        None, description="answers can be forced into a JSON schema; default: no"
    )
    reasoning_effort: Literal["none", "low", "medium", "high"] | None = Field(
        None, description="asked of a model that thinks before it answers"
    )
    reasoning_tokens: Annotated[int, Field(ge=0)] | None = Field(
        None, description="room for its thoughts, beside max_tokens; default: 0"
    )
    retired: Day | None = Field(None, description="first day on which it is refused")
    successor: str | None = Field(None, description="a model of the catalogue that follows it")
    source: str | None = Field(None, description="where these figures are from")
    as_of: Day | None = Field(None, description="day of these figures")
