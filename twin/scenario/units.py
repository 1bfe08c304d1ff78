"""Durations, rates and clock times as people write them, as seconds and per-second floats.

Inside the twin time is seconds as floats; only scenario files speak "90s", "15min", "8h", "7d"
and "40/h". The pydantic types here do both directions, so a dumped scenario loads again.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

SECONDS = {
    "ms": 0.001,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
# Nothing at a desk takes longer; far beyond it, floats and calendars end.
MAX_DURATION_S = 10_000_000 * 86400.0
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|h|d|w)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:ms|min|s|h|d|w)\s*)+")
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?(?:e-?\d+)?)\s*/\s*(\d+(?:\.\d+)?)?\s*(ms|min|s|h|d|w)\s*")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|24:00")

DURATION_HELP = 'a duration with its unit, such as "90s", "15min", "8h", "7d" or "1h30min"'
RATE_HELP = 'a rate with its unit, such as "40/h", "0.2/min" or "100/30min"'
CLOCK_HELP = 'a time of day such as "09:00" (24 hours; "24:00" is midnight at the end of the day)'


def parse_duration(text: object) -> float:
    """Seconds of a duration such as ``"1h30min"``.

    Raises
    ------
    ValueError
        If `text` is not a string of numbers with units, or more than 10,000,000 days.

    Examples
    --------
    >>> parse_duration("1h30min")
    5400.0
    """
    if isinstance(text, str) and _WHOLE.fullmatch(text.strip()):
        seconds = math.fsum(float(n) * SECONDS[unit] for n, unit in _PART.findall(text))
        if seconds > MAX_DURATION_S:
            raise ValueError("must be at most 10000000d")
        return seconds
    raise ValueError(f"must be {DURATION_HELP}")


def format_duration(seconds: float) -> str:
    """Exact text of a duration, in the largest unit that divides it.

    Examples
    --------
    >>> format_duration(5400.0), format_duration(0.25)
    ('90min', '0.25s')
    """
    for unit in ("d", "h", "min"):
        size = SECONDS[unit]
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    # repr would write 1e-05 for tiny values, which is not a duration.
    text = format(seconds, ".17f").rstrip("0").rstrip(".") if seconds < 1e-3 else repr(seconds)
    return f"{text.removesuffix('.0')}s"


def parse_rate(text: object) -> float:
    """Events a second of a rate such as ``"40/h"``.

    Raises
    ------
    ValueError
        If `text` is not a number over a unit of time.

    Examples
    --------
    >>> parse_rate("3600/h")
    1.0
    """
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"must be {RATE_HELP}")
    number, count, unit = match.groups()
    span = float(count or 1) * SECONDS[unit]
    if span == 0:
        raise ValueError(f"must be {RATE_HELP}")
    return float(number) / span


def parse_clock(text: object) -> float:
    """Seconds after midnight of a time of day such as ``"09:30"``.

    Raises
    ------
    ValueError
        If `text` is not a time of day.

    Examples
    --------
    >>> parse_clock("09:30")
    34200.0
    """
    if isinstance(text, str) and _CLOCK.fullmatch(text):
        hours, minutes = text.split(":")
        return int(hours) * 3600.0 + int(minutes) * 60.0
    raise ValueError(f"must be {CLOCK_HELP}")


def format_clock(seconds: float) -> str:
    """Return a time of day as text: the inverse of `parse_clock`."""
    return f"{int(seconds // 3600):02d}:{int(seconds % 3600 // 60):02d}"


def _format_rate(per_second: float) -> str:
    return f"{format(per_second, '.17g')}/s"


def short_rate(text: str) -> str:
    """A rate as `Scenario` writes it, in the unit in which the same number is shortest.

    Examples
    --------
    >>> short_rate("0.0061111111111111114/s"), short_rate("2/s"), short_rate("tickets/s")
    ('22/h', '2/s', 'tickets/s')
    """
    if not text.endswith("/s") or not _RATE.fullmatch(text):
        return text
    per_second = parse_rate(text)
    others = (f"{per_second * SECONDS[unit]:.6g}/{unit}" for unit in ("h", "min", "d"))
    same = (rate for rate in others if _RATE.fullmatch(rate) and parse_rate(rate) == per_second)
    return min((text, *same), key=len)


def _checked(parse: Any) -> BeforeValidator:
    def check(given: Any) -> float:
        try:
            return float(parse(given))
        except ValueError as error:
            raise PydanticCustomError("unit", "{reason}", {"reason": str(error)}) from None

    return BeforeValidator(check)


def _text_schema(help_text: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "description": help_text})


Duration = Annotated[
    float, _checked(parse_duration), PlainSerializer(format_duration), _text_schema(DURATION_HELP)
]
Rate = Annotated[
    float, _checked(parse_rate), PlainSerializer(_format_rate), _text_schema(RATE_HELP)
]
ClockTime = Annotated[
    float, _checked(parse_clock), PlainSerializer(format_clock), _text_schema(CLOCK_HELP)
]
