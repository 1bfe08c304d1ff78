"""Rows of a comparison in words: a sentence, what would settle it, what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from twin.common.text import amount, interval, signed, size_in
from twin.stats.verdicts import OPEN, SMALL, UNJUDGED, UNKNOWN

# More assumed numbers beside a figure are counted, not named.
_MOST_KEYS = 2


def sentence(row: Mapping[str, Any]) -> str:
    """A sentence on a figure of a what-if against the baseline."""
    name = f"{row['kpi']} ({row['group']})" if row["group"] else row["kpi"]
    start = f"{row['scenario']}: {name}"
    if row["verdict"] == UNKNOWN:
        return f"{start}: not known: no data, or too little"
    unit = row["unit"]
    was, now = (amount(row[name], unit, size_in(row)) for name in ("baseline", "what_if"))
    change = f"by {interval(row)}{resting(row)}"
    if row["verdict"] == UNJUDGED:
        return f"{start} is not judged ({now} against {was}, {change}): {row['reason']}"
    if row["verdict"] == SMALL:
        size = signed(row["matters"], unit).removeprefix("+")
        return f"{start}: {SMALL} ({now} against {was}, {change}; {size} would)"
    if row["verdict"] != OPEN:
        return f"{start} is {row['verdict']}: {now} against {was}, {change}"
    settle = f"{to_settle(row)} would settle it"
    return f"{start}: no difference shown ({now} against {was}, {change}); {settle}"


def resting(row: Mapping[str, Any]) -> str:
    """Words for the assumed numbers that a figure rests on, to stand beside it.

    Examples
    --------
    >>> resting({"rests_on": "customers.solved.agent"})
    ', rests on the assumed customers.solved.agent'
    >>> resting({"rests_on": ""})
    ''
    """
    keys = row["rests_on"].split(", ")
    if len(keys) > _MOST_KEYS:
        keys = [*keys[: _MOST_KEYS - 1], f"{len(keys) - _MOST_KEYS + 1} more"]
    return f", rests on the assumed {' and '.join(keys)}" if keys[0] else ""


def to_settle(row: Mapping[str, Any]) -> str:
    """Words for what would show a difference of the size found; see `stats.differences`.

    Examples
    --------
    >>> nan = float("nan")
    >>> to_settle({"more_replications": 120.0, "texts": 0.0, "more_texts": nan})
    'about 120 more replications'
    >>> to_settle({"more_replications": nan, "texts": 150.0, "more_texts": 820.0})
    'about 820 more texts beside the 150, not replications,'
    >>> to_settle({"more_replications": nan, "texts": 150.0, "more_texts": nan})
    'not even a million replications'
    """
    if not math.isnan(row["more_replications"]):
        return f"about {row['more_replications']:,.0f} more replications"
    if not math.isnan(row["more_texts"]):
        texts = f"about {row['more_texts']:,.0f} more texts beside the {row['texts']:,.0f}"
        return f"{texts}, not replications,"
    if max(row.get("data", 0.0), row.get("assumed", 0.0)) > 0:
        return "more history, or fewer assumptions, not replications,"
    return "not even a million replications"
