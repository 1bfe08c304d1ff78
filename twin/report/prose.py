"""Figures in the words of a page that anyone may read: money, minutes, per cent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin.common.text import amount, label

# Names in sentences, where those of the figures are terms of the trade.
NAMES = {
    "abandonment_rate": "tickets given up",
    "agent_wait_mean": "wait for an agent",
    "backlog": "open tickets",
    "containment": "tickets that the assistant resolves alone",
    "cost_per_resolution": "cost of a resolution",
    "cost_week": "cost of a week",
    "csat": "satisfied customers of those who rate",
    "csat_all": "satisfied customers of all",
    "first_response_mean": "time to a first response",
    "first_response_p90": "time within which 9 in 10 get a first response",
    "human_service_level": "tickets that a person answers in time",
    "resolution_mean": "time to resolution",
    "resolution_p90": "time within which 9 in 10 are resolved",
    "resolution_within_target": "tickets resolved in time",
    "service_level": "tickets with a first response in time",
    "solved": "customers who are helped",
}
_TIMES = ((120.0, 1.0, "second"), (7200.0, 60.0, "minute"), (172_800.0, 3600.0, "hour"))
_DAY_S = 86400.0
_PER = {"USD/ticket": " per ticket", "USD/week": " a week"}
_AFTER = {"tickets": " tickets", "visits": " visits", "tickets/h": " tickets an hour",
          "1-5": " of 5"}  # fmt: skip


def name(kpi: str, group: str = "") -> str:
    """A figure as it is called in a sentence.

    Examples
    --------
    >>> name("solved"), name("service_level", "urgent"), name("queue")
    ('customers who are helped', 'tickets with a first response in time (urgent)', 'queue')
    """
    words = NAMES.get(kpi, label(kpi))
    return f"{words} ({group})" if group else words


def said(row: Mapping[str, Any]) -> str:
    """A figure, no finer than its interval tells.

    Examples
    --------
    >>> said({"value": 0.97123, "low": 0.968, "high": 0.974, "unit": "share"})
    '97.1 %'
    >>> said({"value": 9310.4, "low": 9290.0, "high": 9330.0, "unit": "USD/week"})
    '$9,310 a week'
    >>> said({"value": 0.0, "low": 0.0, "high": 0.00003, "unit": "share"})
    '0 %'
    >>> said({"value": 700.0, "low": 640.0, "high": 760.0, "unit": "s"})
    '12 minutes'
    """
    return _shown([row["value"]], row["value"], _half(row), row["unit"])


def between(row: Mapping[str, Any]) -> str:
    """The interval of a figure in words; empty without one.

    Examples
    --------
    >>> between({"value": 0.97123, "low": 0.968, "high": 0.974, "unit": "share"})
    '96.8 to 97.4 %'
    >>> between({"value": 2.0, "low": 1.9, "high": 2.1, "unit": "USD/ticket"})
    '$1.90 to $2.10 per ticket'
    >>> between({"value": 2.0, "low": float("nan"), "high": float("nan"), "unit": "s"})
    ''
    """
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return ""
    return _shown([row["low"], row["high"]], row["value"], _half(row), row["unit"])


def change(row: Mapping[str, Any]) -> str:
    """A difference in words.

    Examples
    --------
    >>> row = {"low": -0.503, "high": -0.34, "unit": "USD/ticket"}
    >>> change({"difference": -0.421, **row})
    '$0.42 less per ticket'
    >>> change({"difference": 720.0, "low": 600.0, "high": 840.0, "unit": "s"})
    '12 minutes longer'
    >>> change({"difference": -0.0213, "low": -0.03, "high": -0.01, "unit": "share"})
    '2 points fewer'
    """
    unit, difference = row["unit"], row["difference"]
    up = difference > 0
    size = {**row, "value": abs(difference)}
    if unit.startswith("USD"):
        money = _shown([abs(difference)], abs(difference), _half(size), "USD")
        return f"{money} {'more' if up else 'less'}{_PER.get(unit, '')}"
    text = _shown([abs(difference)], abs(difference), _half(size), unit)
    if unit == "s":
        return f"{text} {'longer' if up else 'shorter'}"
    text = text.replace(" %", " points")
    return f"{text} {'more' if up else 'fewer'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a list in a sentence.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def _half(row: Mapping[str, Any]) -> float:
    return abs(float(row["high"] - row["low"])) / 2


def _shown(values: Sequence[float], middle: float, half: float, unit: str) -> str:
    """Numbers with their unit, said once, with the decimals that the half width supports."""
    if math.isnan(middle):
        return "-"
    factor, before, after = 1.0, "", _AFTER.get(unit, "")
    if unit == "share":
        factor, after = 100.0, " %"
    elif unit.startswith("USD"):
        before, after = "$", _PER.get(unit, "")
    elif unit == "s":
        size, word = next(
            ((size, word) for most, size, word in _TIMES if abs(middle) < most), (_DAY_S, "day")
        )
        factor, after = 1 / size, f" {word}s"
    elif unit.endswith("/USD"):
        return " to ".join(amount(value, unit) for value in values)
    # Nothing at all has no decimals, however little its interval leaves open.
    decimals = _decimals(abs(middle) * factor, half * factor, money=bool(before))
    decimals *= any(values)
    numbers = [f"{before}{value * factor:,.{decimals}f}".replace("$-", "-$") for value in values]
    if unit == "s" and numbers[-1] == "1":
        after = after.removesuffix("s")
    return f"{' to '.join(numbers)}{after}"


def _decimals(size: float, half: float, *, money: bool) -> int:
    """Decimals of a number: to the first figure of its half width, of money to the cent."""
    if money and size < 100:
        return 2 if size >= 0.01 or size == 0 else 4
    # Without an interval three figures.
    finest = half if half > 0 and not math.isnan(half) else size / 100
    if finest <= 0:
        return 0
    return min(3 if not money else 0, max(0, -math.floor(math.log10(finest) + 1e-9)))
