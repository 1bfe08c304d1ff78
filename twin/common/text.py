"""Figures as people read them: 3.4 min, 81 %, $0.12."""

from __future__ import annotations

import math
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

# Said where models are compared.
EMBEDDED = (
    "Backend embedded says the same under every model: only latency, tokens and price are the "
    "model's; its quality takes a recording (twin record) or a profile"
)

_MISSING = "-"
# Bounds of a share are both shown where one is so many times as far as the other.
_LOPSIDED = 1.25


def scaled(unit: str, size: float) -> tuple[float, str, str]:
    """Factor, text before and text after a number of this unit and size.

    Examples
    --------
    >>> scaled("share", 0.5), scaled("USD/week", 12.0)
    ((100.0, '', ' %'), (1.0, '$', ''))
    """
    size = abs(size)
    if unit == "s":
        for limit, seconds, name in ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h")):
            if size < limit:
                return 1 / seconds, "", f" {name}"
        return 1 / 86400, "", " d"
    if unit == "share":
        return 100.0, "", " %"
    if unit.startswith("USD"):
        return 1.0, "$", ""
    return 1.0, "", "/h" if unit.endswith("/h") else ""


def _number(value: float, size: float) -> str:
    size = abs(size)
    if size >= 100 or (value == 0 and size == 0):
        return f"{value:,.0f}"
    # Three figures of the larger of value and interval.
    decimals = min(8, max(1, 2 - math.floor(math.log10(size)))) if size > 0 else 1
    return f"{value:,.{decimals}f}"


def amount(value: float, unit: str, size: float | None = None) -> str:
    """A figure with its unit, or in the unit that suits another size.

    Examples
    --------
    >>> amount(205.3, "s"), amount(0.8126, "share"), amount(0.000093, "USD/ticket")
    ('3.42 min', '81.3 %', '$0.0000930')
    >>> amount(float("nan"), "s")
    '-'
    """
    if math.isnan(value):
        return _MISSING
    factor, before, after = scaled(unit, size or value)
    sign = "-" if value < 0 else ""
    return f"{sign}{before}{_number(abs(value) * factor, value * factor)}{after}"


def level(value: Any) -> str:
    """A level of a factor, or another value of a table that has no unit.

    Examples
    --------
    >>> level(0.1 + 0.2), level("small"), level(float("nan"))
    ('0.3', 'small', '-')
    """
    if isinstance(value, float):
        return _MISSING if math.isnan(value) else f"{value:.4g}"
    return str(value)


def with_interval(value: float, half_width: float, unit: str) -> str:
    """A figure with the half width of its interval.

    Examples
    --------
    >>> with_interval(205.3, 12.0, "s")
    '3.42 min ± 0.20'
    """
    if math.isnan(value) or math.isnan(half_width):
        return amount(value, unit)
    factor, _, _ = scaled(unit, value)
    return f"{amount(value, unit)} ± {_number(half_width * factor, value * factor)}"


def estimate(row: Mapping[Any, Any]) -> str:
    """A row of a summary as a figure with its interval; both bounds where they are not alike.

    Examples
    --------
    >>> estimate({"value": 1.0, "half_width": 0.012, "low": 0.988, "high": 1.0, "unit": "share"})
    '100 % (98.8 to 100)'
    >>> estimate({"value": 0.96, "half_width": 0.01, "low": 0.95, "high": 0.969, "unit": "share"})
    '96.0 % ± 1.0'
    """
    value, low, high, unit = (row[name] for name in ("value", "low", "high", "unit"))
    below, above = value - low, high - value
    if unit != "share" or not max(below, above) > _LOPSIDED * min(below, above):
        return with_interval(value, row["half_width"], unit)
    # An amount that is nearly nothing is 0, not a power of ten.
    first, last = (f"{100 * bound:.3g}" if bound > 1e-6 else "0" for bound in (low, high))
    return f"{amount(value, unit)} ({first} to {last})"


def alike(values: Sequence[float], unit: str, size: float | None = None) -> list[str]:
    """Numbers with their signs, all in the unit that suits the largest; the first alone names it.

    Examples
    --------
    >>> alike((-43.1, -86.4, 0.3), "s")
    ['-0.72 min', '-1.44', '+0.01']
    >>> alike((1.9, 1.84, 1.96), "USD/ticket")
    ['+$1.90', '+1.84', '+1.96']
    """
    largest = max(map(abs, values))
    factor, before, after = scaled(unit, size or largest)
    signs = ("-" if value < 0 else "+" if value > 0 else "" for value in values)
    numbers = [
        (sign, _number(abs(value) * factor, largest * factor))
        for sign, value in zip(signs, values, strict=True)
    ]
    (sign, first), *others = numbers
    return [f"{sign}{before}{first}{after}", *(f"{sign}{number}" for sign, number in others)]


def in_words(seconds: float) -> str:
    """A length of time as it is said in a sentence.

    Examples
    --------
    >>> in_words(604800), in_words(3600), in_words(5400)
    ('7 days', '1 hour', '1.5 hours')
    """
    units = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    size, name = next((size, name) for size, name in units if seconds >= size or size == 1)
    count = f"{seconds / size:g}"
    return f"{count} {name}" if count == "1" else f"{count} {name}s"


def duration(seconds: float) -> str:
    """A length of time, as a scenario file might say it.

    Examples
    --------
    >>> duration(604800), duration(90), duration(70500)
    ('7 d', '1.5 min', '19.58 h')
    """
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{round(seconds / size, 2):g} {name}"
    return f"{seconds:g} s"


def interval(row: Mapping[str, Any]) -> str:
    """A difference with its interval, as "-5.24 min (-6.61 to -3.87)", in the unit of its row."""
    return change_of(row["difference"], row["low"], row["high"], row["unit"], size_in(row))


def size_in(row: Mapping[Any, Any]) -> float | None:
    """Size whose unit all numbers of a row of differences are given in: one unit a row.

    Examples
    --------
    >>> row = {"baseline": 23.4, "what_if": 18.9, "difference": -4.5, "low": -70.0, "high": 61.0}
    >>> amount(23.4, "s", size_in(row)), interval(row | {"unit": "s"})
    ('23.4 s', '-4.5 s (-70.0 to +61.0)')
    """
    sizes = [abs(row[name]) for name in ("baseline", "what_if") if name in row]
    return max((size for size in sizes if not math.isnan(size)), default=None)


def change_of(
    difference: float, low: float, high: float, unit: str, size: float | None = None
) -> str:
    """A difference with the bounds of its interval in the same unit; of shares in points.

    Examples
    --------
    >>> change_of(-43.1, -86.4, 0.3, "s"), change_of(0.0213, 0.01, 0.0326, "share")
    ('-0.72 min (-1.44 to +0.01)', '+2.13 points (+1.00 to +3.26)')
    >>> change_of(-43.1, float("nan"), float("nan"), "s")
    '-43.1 s'
    """
    if math.isnan(low) or math.isnan(high):
        return signed(difference, unit, size)
    whole, *bounds = alike((difference, low, high), unit, size)
    return f"{whole} ({' to '.join(bounds)})".replace(" %", " points")


def signed(value: float, unit: str, size: float | None = None) -> str:
    """A difference with its sign and unit; of shares in points.

    Examples
    --------
    >>> signed(0.021, "share"), signed(-90.0, "s")
    ('+2.10 points', '-1.50 min')
    """
    text = f"+{amount(value, unit, size)}" if value > 0 else amount(value, unit, size)
    return text.replace(" %", " points")


def label(kpi: str, group: str = "") -> str:
    """The name of a figure as words.

    Examples
    --------
    >>> label("service_level", "urgent"), label("csat")
    ('service level, urgent', 'CSAT')
    """
    words = {"csat": "CSAT", "csat_all": "CSAT of all"}.get(kpi, kpi.replace("_", " "))
    return f"{words}, {group}" if group else words


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Keys by their last parts, as few as tell them apart.

    Examples
    --------
    >>> list(short_names(["model", "arrivals.scale", "agents.a.shifts.0.heads"]).values())
    ['model', 'arrivals.scale', 'shifts.0.heads']
    """
    found = {}
    for key in keys:
        parts = key.split(".")
        # A last part alone, such as scale or heads, would leave open of what.
        for k in range(max(len(parts) - 2, 0), -1, -1):
            short = ".".join(parts[k:])
            alone = sum(f".{other}".endswith(f".{short}") for other in keys) == 1
            # A number alone is the place in a list, and says nothing without the list.
            if alone and not parts[k].isdigit():
                break
        found[key] = short
    return found


def moment(at: float | None) -> str | None:
    """A moment as ISO 8601 in UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def command(*words: object) -> str:
    """A command to be typed or pasted into a shell: words that need it are quoted.

    Examples
    --------
    >>> command("twin", "run", "my desk/$HOME.toml")
    "twin run 'my desk/$HOME.toml'"
    """
    if os.name == "nt":
        return subprocess.list2cmdline(map(str, words))
    return shlex.join(map(str, words))
