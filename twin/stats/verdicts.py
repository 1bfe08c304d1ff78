"""Verdicts on differences, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# Figures without a better direction are higher or lower.
BETTER, WORSE, HIGHER, LOWER = "better", "worse", "higher", "lower"
OPEN, EQUAL, UNKNOWN = "no difference shown", "equal", "not known"
# The whole interval lies within the smallest difference that matters.
SMALL = "no difference that matters"
# Shown, but no praise or blame: customers were lost, or another load came.
UNJUDGED = "not judged"


def verdict(row: Mapping[str, Any], better: str, level: float) -> str:
    """Verdict on a row of `twin.stats.differences`.

    Parameters
    ----------
    row : mapping
        Its difference, low, high, p, p_adjusted and, where given, matters: the smallest
        difference that matters.
    better : {"higher", "lower", ""}
        Which direction of the figure is better, if any.
    level : float
        Joint level of all rows.

    Examples
    --------
    >>> row = {"difference": -2.0, "low": -3.0, "high": -1.0, "p": 0.001, "p_adjusted": 0.01}
    >>> verdict(row, "lower", 0.95), verdict(row, "", 0.95), verdict(row, "lower", 0.999)
    ('better', 'lower', 'no difference shown')
    >>> verdict(row | {"matters": 5.0}, "lower", 0.95)
    'no difference that matters'
    """
    if math.isnan(row["p"]):
        return UNKNOWN
    if row["difference"] == 0 and row["low"] == row["high"]:
        return EQUAL
    if max(abs(row["low"]), abs(row["high"])) <= row.get("matters", 0.0):
        return SMALL
    if row["p_adjusted"] > 1 - level:
        return OPEN
    direction = HIGHER if row["difference"] > 0 else LOWER
    if not better:
        return direction
    return BETTER if direction == better else WORSE
