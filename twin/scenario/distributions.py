"""The named distributions of scenario files, as vectorised quantile functions.

A distribution is given by the parameters people know: mean and cv (standard deviation over mean),
or two quantiles. Each turns uniforms into values, so the luck stays with the ticket: the same
uniform gives a long handle time in every scenario.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from pydantic_core import PydanticCustomError

from twin.scenario.families import (
    Amount,
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Floats,
    Gamma,
    Lognormal,
    Seconds,
    Triangular,
    Uniform,
    Weibull,
)
from twin.scenario.units import DURATION_HELP

__all__ = [
    "KINDS",
    "Amount",
    "AnyDistribution",
    "Constant",
    "Distribution",
    "Empirical",
    "Exponential",
    "Floats",
    "Gamma",
    "Lognormal",
    "Mixture",
    "NumberDistribution",
    "Part",
    "Seconds",
    "TimeDistribution",
    "Triangular",
    "Uniform",
    "Weibull",
]


class Part(BaseModel):
    """One part of a mixture."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    weight: float = Field(gt=0, le=1e9, description="how often, relative to the other parts")
    of: AnyDistribution = Field(description="the distribution of this part")


class Mixture(Distribution):
    """One of several distributions, chosen by weight.

    The uniform picks the part and, rescaled, the value within it (composition): exact in
    distribution, though not monotone across parts.
    """

    distribution: Literal["mixture"]
    parts: list[Part] = Field(min_length=1)

    def quantile(self, u: Floats) -> Floats:  # noqa: D102 - see the base
        u = np.asarray(u, dtype=float)
        weights = np.array([part.weight for part in self.parts])
        edges = np.concatenate([[0.0], np.cumsum(weights / weights.sum())])
        edges[-1] = 1.0
        chosen = np.clip(np.searchsorted(edges, u, side="right") - 1, 0, len(self.parts) - 1)
        out = np.empty(u.shape)
        for k, part in enumerate(self.parts):
            here = chosen == k
            width = edges[k + 1] - edges[k]
            inside = np.clip((u[here] - edges[k]) / width, 0.0, np.nextafter(1.0, 0.0))
            out[here] = part.of.quantile(inside)
        return out

    def mean_value(self) -> float:  # noqa: D102
        total = math.fsum(part.weight for part in self.parts)
        return math.fsum(part.weight * part.of.mean_value() for part in self.parts) / total


KINDS = {
    "constant": Constant,
    "uniform": Uniform,
    "triangular": Triangular,
    "exponential": Exponential,
    "lognormal": Lognormal,
    "gamma": Gamma,
    "weibull": Weibull,
    "empirical": Empirical,
    "mixture": Mixture,
}


def _shorthand(given: Any) -> Any:
    """Read a bare amount as a constant."""
    if isinstance(given, str | int | float) and not isinstance(given, bool):
        return {"distribution": "constant", "value": given}
    return given


def _kind(given: Any) -> str | None:
    name = given.get("distribution") if isinstance(given, dict) else given.distribution
    if not isinstance(name, str) or name not in KINDS:
        raise PydanticCustomError(
            "distribution_kind",
            'must name its distribution, as { distribution = "lognormal", ... }; known: {known}',
            {"known": ", ".join(KINDS)},
        )
    return str(name)


def _checked_kind(given: Any) -> Any:
    if not isinstance(given, dict | Distribution):
        raise PydanticCustomError(
            "distribution_kind",
            "must be an amount or a table with a distribution in it",
        )
    _kind(given)
    return given


AnyDistribution = Annotated[
    Annotated[Constant, Tag("constant")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[Triangular, Tag("triangular")]
    | Annotated[Exponential, Tag("exponential")]
    | Annotated[Lognormal, Tag("lognormal")]
    | Annotated[Gamma, Tag("gamma")]
    | Annotated[Weibull, Tag("weibull")]
    | Annotated[Empirical, Tag("empirical")]
    | Annotated[Mixture, Tag("mixture")],
    Discriminator(_kind),
    BeforeValidator(_checked_kind),
    BeforeValidator(_shorthand),
]
Part.model_rebuild()
Mixture.model_rebuild()


def _amounts(distribution: Distribution) -> list[tuple[str, Any]]:
    """Every amount with its key, nested parts included; the ones that carry a unit."""
    found: list[tuple[str, Any]] = []
    for key in ("value", "low", "mode", "high", "mean"):
        value = getattr(distribution, key, None)
        if value is not None:
            found.append((key, value))
    for name, value in (getattr(distribution, "quantiles", None) or {}).items():
        found.append((f"quantiles.{name}", value))
    if isinstance(distribution, Empirical):
        found.append(("unit", distribution.unit))
    if isinstance(distribution, Mixture):
        for k, part in enumerate(distribution.parts):
            found += [(f"parts.{k}.of.{key}", value) for key, value in _amounts(part.of)]
    return found


def _timed(distribution: Any) -> Any:
    for key, value in _amounts(distribution):
        # A bare zero is the same in every unit.
        if not isinstance(value, Seconds) and value != 0:
            raise PydanticCustomError(
                "unit", '"{key}" must be {help}', {"key": key, "help": DURATION_HELP}
            )
    return distribution


def _plain(distribution: Any) -> Any:
    for key, value in _amounts(distribution):
        if isinstance(value, Seconds):
            raise PydanticCustomError("unit", '"{key}" must be a plain number', {"key": key})
    return distribution


TimeDistribution = Annotated[AnyDistribution, AfterValidator(_timed)]
NumberDistribution = Annotated[AnyDistribution, AfterValidator(_plain)]
