"""The families of distributions: parameters that people know, vectorised quantile functions."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError
from scipy import special

from twin.common.errors import ScenarioError
from twin.common.tables import as_number, read_table, shown_cell
from twin.scenario.units import DURATION_HELP, format_duration, parse_duration

Floats = npt.NDArray[np.float64]


class Seconds(float):
    """A number that was written as a duration; it computes as a plain float."""


def _amount(given: Any) -> float:
    if isinstance(given, str):
        try:
            return Seconds(parse_duration(given))
        except ValueError as error:
            raise PydanticCustomError("unit", "{reason}", {"reason": str(error)}) from None
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise PydanticCustomError("unit", f"must be a number, or {DURATION_HELP}")
    return given if isinstance(given, Seconds) else float(given)


# Any: pydantic must not rebuild the float, or a Seconds would lose its type.
Amount = Annotated[
    Any,
    BeforeValidator(_amount),
    PlainSerializer(lambda v: format_duration(v) if isinstance(v, Seconds) else v),
    WithJsonSchema({"type": ["number", "string"], "description": f"a number, or {DURATION_HELP}"}),
]


class Distribution(BaseModel):
    """A distribution: quantiles and a mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def quantile(self, u: Floats) -> Floats:
        """Values at the probabilities `u` (any shape, in [0, 1))."""

    @abstractmethod
    def mean_value(self) -> float:
        """Mean, in the unit of the parameters."""

    def _require(self, condition: bool, reason: str) -> None:
        if not condition:
            raise PydanticCustomError("distribution", "{reason}", {"reason": reason})


class Constant(Distribution):
    """Always the same value."""

    distribution: Literal["constant"]
    value: Amount

    @model_validator(mode="after")
    def _check(self) -> Constant:
        self._require(self.value >= 0, "value must not be negative")
        return self

    def quantile(self, u: Floats) -> Floats:  # noqa: D102 - see the base
        return np.full(np.shape(u), float(self.value))

    def mean_value(self) -> float:  # noqa: D102
        return float(self.value)


class Uniform(Distribution):
    """Anything between low and high."""

    distribution: Literal["uniform"]
    low: Amount
    high: Amount

    @model_validator(mode="after")
    def _check(self) -> Uniform:
        self._require(0 <= self.low <= self.high, "must have 0 <= low <= high")
        return self

    def quantile(self, u: Floats) -> Floats:  # noqa: D102 - see the base
        return float(self.low) + (float(self.high) - float(self.low)) * u

    def mean_value(self) -> float:  # noqa: D102
        return (float(self.low) + float(self.high)) / 2


class Triangular(Distribution):
    """Between low and high, most often near mode."""

    distribution: Literal["triangular"]
    low: Amount
    mode: Amount
    high: Amount

    @model_validator(mode="after")
    def _check(self) -> Triangular:
        ordered = 0 <= self.low <= self.mode <= self.high and self.low < self.high
        self._require(ordered, "must have 0 <= low <= mode <= high and low < high")
        return self

    def quantile(self, u: Floats) -> Floats:  # noqa: D102 - see the base
        low, mode, high = float(self.low), float(self.mode), float(self.high)
        split = (mode - low) / (high - low)
        rising = low + np.sqrt(u * (high - low) * (mode - low))
        falling = high - np.sqrt((1 - u) * (high - low) * (high - mode))
        return np.where(u < split, rising, falling)

    def mean_value(self) -> float:  # noqa: D102
        return (float(self.low) + float(self.mode) + float(self.high)) / 3


class _Spread(Distribution):
    """A family given by mean and cv, or by two quantiles."""

    mean: Amount | None = Field(None, description="mean value")
    cv: Annotated[float, Field(gt=0, le=20)] | None = Field(
        None, description="coefficient of variation: standard deviation over mean"
    )
    quantiles: dict[str, Amount] | None = Field(
        None, description='two quantiles instead of mean and cv, as { p50 = "8min", p90 = "25min" }'
    )

    @model_validator(mode="after")
    def _check(self) -> _Spread:
        by_mean = self.mean is not None and self.cv is not None
        alone = self.mean is None and self.cv is None
        self._require(
            (by_mean and self.quantiles is None) or (alone and self.quantiles is not None),
            'give mean and cv, or quantiles = { p50 = "8min", p90 = "25min" }, not both',
        )
        if by_mean:
            self._require(float(self.mean or 0) > 0, "mean must be above 0")
        else:
            (p1, x1), (p2, x2) = self._two_quantiles()
            self._require(p1 < p2 and 0 < x1 < x2, "quantiles must rise and be above 0")
        self._parameters()
        return self

    def _mean_and_cv(self) -> tuple[float, float]:
        assert self.mean is not None
        assert self.cv is not None
        return float(self.mean), self.cv

    def _two_quantiles(self) -> tuple[tuple[float, float], tuple[float, float]]:
        given = self.quantiles or {}
        pairs = []
        for name, value in given.items():
            digits = name[1:]
            good = name[:1] == "p" and digits.replace(".", "", 1).isdigit()
            good = good and 0 < float(digits) < 100
            self._require(good, f'quantile names look like "p50" or "p99.5", not "{name}"')
            pairs.append((float(digits) / 100, float(value)))
        self._require(len(pairs) == 2, "give exactly two quantiles")
        first, second = sorted(pairs)
        return first, second

    @abstractmethod
    def _parameters(self) -> tuple[float, float]:
        """Location-free parameters of the family, (shape, scale)."""


class Lognormal(_Spread):
    """Right-skewed times; handle times are close to it."""

    distribution: Literal["lognormal"]

    def _parameters(self) -> tuple[float, float]:
        if self.quantiles is None:
            mean, cv = self._mean_and_cv()
            variance = math.log1p(cv**2)
            return math.sqrt(variance), math.log(mean) - variance / 2
        (p1, x1), (p2, x2) = self._two_quantiles()
        z1, z2 = float(special.ndtri(p1)), float(special.ndtri(p2))
        sigma = math.log(x2 / x1) / (z2 - z1)
        return sigma, math.log(x1) - sigma * z1

    def quantile(self, u: Floats) -> Floats:  # noqa: D102 - see the base
        sigma, mu = self._parameters()
        return np.asarray(np.exp(mu + sigma * special.ndtri(u)), dtype=float)

    def mean_value(self) -> float:  # noqa: D102
        sigma, mu = self._parameters()
        return math.exp(mu + sigma**2 / 2)


def _root(gap: Callable[[float], float], low: float, high: float) -> float:
    # Imported here: it takes long to import, and few scenarios need it.
    from scipy import optimize

    return float(optimize.brentq(gap, low, high))


class Gamma(_Spread):
    """Positive, skewed; cv 1 is the exponential, cv 1/sqrt(k) the Erlang of k phases."""

    distribution: Literal["gamma"]

    def _parameters(self) -> tuple[float, float]:
        if self.quantiles is None:
            mean, cv = self._mean_and_cv()
            self._require(cv >= 1e-6, "the cv of a gamma must be at least 1e-6")
            return 1 / cv**2, mean * cv**2
        (p1, x1), (p2, x2) = self._two_quantiles()

        def gap(log_shape: float) -> float:
            shape = math.exp(log_shape)
            ratio = special.gammaincinv(shape, p2) / special.gammaincinv(shape, p1)
            return float(math.log(ratio) - math.log(x2 / x1))

        try:
            shape = math.exp(_root(gap, math.log(0.02), math.log(1e5)))
        except ValueError:
            self._require(False, "no gamma distribution has these two quantiles")
            raise
        return shape, x1 / float(special.gammaincinv(shape, p1))

    def quantile(self, u: Floats) -> Floats:  # noqa: D102 - see the base
        shape, scale = self._parameters()
        return scale * np.asarray(special.gammaincinv(shape, u), dtype=float)

    def mean_value(self) -> float:  # noqa: D102
        shape, scale = self._parameters()
        return shape * scale


class Weibull(_Spread):
    """Times with a falling (cv > 1) or rising (cv < 1) hazard."""

    distribution: Literal["weibull"]

    def _parameters(self) -> tuple[float, float]:
        if self.quantiles is None:
            mean, cv = self._mean_and_cv()

            def gap(shape: float) -> float:
                log_ratio = special.gammaln(1 + 2 / shape) - 2 * special.gammaln(1 + 1 / shape)
                return float(log_ratio - math.log1p(cv**2))

            self._require(cv >= 0.003, "the cv of a weibull must be at least 0.003")
            # From cv 430 to cv .0026.
            shape = _root(gap, 0.1, 500.0)
            return shape, mean / float(special.gamma(1 + 1 / shape))
        (p1, x1), (p2, x2) = self._two_quantiles()
        h1, h2 = -math.log1p(-p1), -math.log1p(-p2)
        shape = math.log(h2 / h1) / math.log(x2 / x1)
        return shape, x1 / h1 ** (1 / shape)

    def quantile(self, u: Floats) -> Floats:  # noqa: D102 - see the base
        shape, scale = self._parameters()
        return scale * (-np.log1p(-u)) ** (1 / shape)

    def mean_value(self) -> float:  # noqa: D102
        shape, scale = self._parameters()
        return scale * float(special.gamma(1 + 1 / shape))


class Exponential(Distribution):
    """Memoryless; patience is close to it."""

    distribution: Literal["exponential"]
    mean: Amount

    @model_validator(mode="after")
    def _check(self) -> Exponential:
        self._require(self.mean > 0, "mean must be above 0")
        return self

    def quantile(self, u: Floats) -> Floats:  # noqa: D102 - see the base
        return -float(self.mean) * np.log1p(-u)

    def mean_value(self) -> float:  # noqa: D102
        return float(self.mean)


def _sorted_column(file: str, column: str) -> Floats:
    """A column of numbers, in order; kept in memory until the file changes."""
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"file not found: {file}")
    stat = path.stat()
    return _read_column(file, column, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=64)
def _read_column(file: str, column: str, _stamp: tuple[int, int]) -> Floats:
    try:
        table = read_table(file, (column,), rows="values")
    except ScenarioError as error:
        fault = error.faults[0]
        words = fault.reason.replace(f"no column {column}", f'no column "{column}"')
        hint = f"; {fault.hint}" if fault.hint else ""
        raise ValueError(f"{words}{hint}, in {file}") from None
    values = np.empty(len(table))
    for row, cell in enumerate(table.columns[column]):
        value = as_number(cell)
        if not (math.isfinite(value) and value >= 0):
            reason = "must hold numbers, none negative or missing"
            place = f"{table.place(row)} has {shown_cell(cell)}"
            raise ValueError(f'column "{column}" of {file} {reason}; {place}')
        values[row] = value
    return np.sort(values)


Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Empirical(Distribution):
    """Measured values, each equally likely: listed, or a column of a CSV or Parquet file."""

    distribution: Literal["empirical"]
    values: Annotated[list[Measure], Field(min_length=1, max_length=10_000)] | None = Field(
        None, description="numbers, as they were measured or as quantiles"
    )
    file: str | None = Field(
        None, description="instead: CSV or Parquet file, relative to the scenario file"
    )
    column: str | None = Field(
        None,
        description="its column of numbers; times are seconds, whatever `unit` says",
    )
    unit: Amount | None = Field(
        None, description='what 1 in the column means, such as "1s" or "1min"; needed for times'
    )

    @model_validator(mode="after")
    def _check(self) -> Empirical:
        listed, filed = self.values is not None, self.file is not None
        self._require(listed != filed, "give values, or file and column, not both")
        self._require(filed == (self.column is not None), "a column needs its file, and a file it")
        try:
            self._sorted()
        except (ValueError, OSError) as error:
            self._require(False, str(error))
        return self

    def _sorted(self) -> Floats:
        if self.values is not None:
            return np.sort(np.array(self.values, dtype=np.float64))
        assert self.file is not None
        assert self.column is not None
        return _sorted_column(self.file, self.column)

    def quantile(self, u: Floats) -> Floats:  # noqa: D102 - see the base
        values = self._sorted()
        scale = 1.0 if self.unit is None else float(self.unit)
        index = np.minimum((np.asarray(u) * len(values)).astype(np.int64), len(values) - 1)
        return values[index] * scale

    def mean_value(self) -> float:  # noqa: D102
        scale = 1.0 if self.unit is None else float(self.unit)
        return float(self._sorted().mean()) * scale
