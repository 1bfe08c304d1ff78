"""Verdicts on differences, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# Figures without a better direction are higher or lower.
BETTER, WORSE, HIGHER, LOWER = "better", "worse", "higher", "lower"
OPEN, EQUAL, UNKNOWN = "no difference shown", "equal", "not known"


def verdict(row: Mapping[str, Any], better: str, level: float) -> str:
    """Verdict on a row of `twin.stats.differences`.

    Parameters
    ----------
    row : mapping
        Its difference, low, high, p and p_adjusted.
    better : {"higher", "lower", ""}
        Which direction of the figure is better, if any.
    level : float
        Joint level of all rows.

    Examples
    --------
    >>> row = {"difference": -2.0, "low": -3.0, "high": -1.0, "p": 0.001, "p_adjusted": 0.01}
    >>> verdict(row, "lower", 0.95), verdict(row, "", 0.95), verdict(row, "lower", 0.999)
    ('better', 'lower', 'no difference shown')
    """
    if math.isnan(row["p"]):
        return UNKNOWN
    if row["difference"] == 0 and row["low"] == row["high"]:
        return EQUAL
    if row["p_adjusted"] > 1 - level:
        return OPEN
    direction = HIGHER if row["difference"] > 0 else LOWER
    if not better:
        return direction
    return BETTER if direction == better else WORSE
