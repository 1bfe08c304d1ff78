"""The strict model of all sections, and types of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, cached_property
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import PydanticCustomError

from twin.common.files import unmakeable
from twin.scenario.units import Duration

Priority = Literal["urgent", "high", "normal", "low"]
PRIORITIES: tuple[str, ...] = get_args(Priority)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


def whole(value: float) -> float:
    """The value, as an integer where it is one."""
    return int(value) if value.is_integer() else value


# Agents; a fraction is a chance of one more. Whole ones stay integers, also as data. No desk has
# more, and the clock of the desk could not count many more.
_MOST_HEADS = 1_000_000
Heads = Annotated[
    float,
    Field(ge=0, le=_MOST_HEADS),
    AfterValidator(whole),
    PlainSerializer(lambda heads: heads),
]
# Well within what TOML, JSON and tables have as integers.
Seed = Annotated[int, Field(ge=0, le=10**18)]
# Relative sizes; bounded, so that their sum is a number.
Weight = Annotated[float, Field(ge=0, le=1e9)]
# A week; 1 is twice as much each week.
Growth = Annotated[float, Field(ge=-0.9, le=9)]
Positive = Annotated[float, Field(gt=0)]
Quantiles = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1, max_length=1001)]


def _day(given: object) -> object:
    """Refuse numbers: pydantic would count seconds since 1970."""
    if isinstance(given, int | float):
        raise fail('must be a day such as "2026-01-05"')
    return given


# Not strict: a scenario that was written out holds its days as text.
Day = Annotated[date, BeforeValidator(_day), Field(strict=False)]


def fail(reason: str) -> PydanticCustomError:
    """An error of a section, in our words."""
    return PydanticCustomError("value", "{reason}", {"reason": reason})


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise fail("must be longer than 0s")
    return seconds


@cache
def _zones() -> set[str]:
    # It reads a directory tree: 36 ms that every zoned scenario would pay. Some systems have a name
    # for the zone of the machine, on which no result may hang.
    return available_timezones() - {"localtime", "Factory"}


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise fail(f'unknown time zone "{name[:40]}"; names look like "Europe/London" or "UTC"')
    return name


def _makeable(name: str) -> str:
    if reason := unmakeable(name):
        raise fail(f"{reason}: it names a folder of results")
    return name


# Of a scenario or a study: its results lie in a folder of that name.
Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+=,@-]{0,120}$"), AfterValidator(_makeable)
]


def parse_days(text: str) -> tuple[int, ...]:
    """Weekday numbers (Monday 0) of ``"Mon-Fri"``, ``"Sat,Sun"`` or ``"daily"``.

    Raises
    ------
    ValueError
        If a day is not one of Mon ... Sun.

    Examples
    --------
    >>> parse_days("Mon-Wed,Sun")
    (0, 1, 2, 6)
    """
    if text.strip().lower() == "daily":
        return tuple(range(7))
    names = {day.lower(): k for k, day in enumerate(DAYS)}
    found: set[int] = set()
    for part in text.split(","):
        ends = [names.get(name.strip().lower(), -1) for name in part.split("-")]
        if -1 in ends or len(ends) > 2:
            raise ValueError('must be days such as "Mon-Fri", "Sat,Sun" or "daily"')
        first, last = ends[0], ends[-1]
        found.update((first + k) % 7 for k in range((last - first) % 7 + 1))
    return tuple(sorted(found))


def days_text(numbers: Sequence[int]) -> str:
    """Days as a scenario file says them, 0 is Monday.

    Examples
    --------
    >>> days_text([0, 1, 2, 6]), days_text([0, 1, 5]), days_text(range(7))
    ('Mon-Wed,Sun', 'Mon,Tue,Sat', 'daily')
    """
    if len(numbers) == len(DAYS):
        return "daily"
    runs: list[list[int]] = []
    for day in sorted(numbers):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    # Two days are named, as people do.
    texts = [f"{DAYS[run[0]]}-{DAYS[run[-1]]}" if len(run) > 2 else ",".join(DAYS[k] for k in run)
             for run in runs]  # fmt: skip
    return ",".join(texts)


def _checked_days(text: str) -> str:
    try:
        parse_days(text)
    except ValueError as error:
        raise fail(str(error)) from None
    return text


def _by_hour(factors: list[float]) -> list[float]:
    if len(factors) not in (0, 24, 168):
        raise fail(f"must hold 24 or 168 factors, not {len(factors)}")
    return factors


LongDuration = Annotated[Duration, AfterValidator(_positive)]
# Of what is the same in all hours there are none.
HourFactors = Annotated[list[Annotated[float, Field(gt=0, le=1000)]], AfterValidator(_by_hour)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
Days = Annotated[str, AfterValidator(_checked_days)]
PriorityTimes = dict[Priority, LongDuration]


class Section(BaseModel):
    """Base of all sections: frozen, strict in types, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As of pydantic, but what was worked out for the old values is worked out anew."""
        copied = super().model_copy(update=update, deep=deep)
        for kind in type(self).__mro__:
            for name, value in vars(kind).items():
                if isinstance(value, cached_property):
                    vars(copied).pop(name, None)
        return copied
