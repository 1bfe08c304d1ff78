"""Number of replications until a figure is as precise as wanted; takes frames only.

The rule looks at variances alone, never at the figures themselves:

1. A first stage of n0 >= 10 replications gives for each figure a half-width h0. At least
   ``N = n0 (h0 / wanted)^2`` replications are played. With this alone, the two-stage rule of Stein
   (1945), "A two-sample test for a linear hypothesis whose power is independent of the variance",
   Annals of Mathematical Statistics 16, the value found lies within the wanted half-width of the
   true one with at least the stated level, exactly so for normal figures, however few the
   replications.
2. If the half-width of all replications together is still too wide then, more are added until it
   is not, so that the interval that is printed is as narrow as was wanted. Because for normal
   figures the sample mean is independent of the sample variances, on which all stopping depends,
   going on beyond N can only raise the coverage.

The promise holds for each figure on its own. It is not exact for figures that are far from normal
over replications (a very short run): one that shows no spread at all in the first stage stops
there. Not so shares of counted things: what nobody has seen yet may only be rare, which their
intervals allow for (`shares`), so replications go on until there are enough to say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from twin.stats.intervals import ratio_interval, summarize

FIRST_STAGE = 10
MAX_REPLICATIONS = 1000
# An interval with texts is told where it is so many times as wide.
_MORE = 1.1


# A figure and its group; "" is all.
Key = tuple[str, str]


def wanted_replications(
    kpis: pd.DataFrame,
    precision: Mapping[Key, float],
    played: int,
    first: int = FIRST_STAGE,
    most: int = MAX_REPLICATIONS,
    level: float = 0.95,
) -> int:
    """Replications that the rule wants in all, given those that have been played.

    Parameters
    ----------
    kpis : DataFrame
        Figures of one scenario: kpi, group, unit, replication, numerator, denominator.
    precision : mapping of (str, str) to float
        Wanted half-width by figure and group, in the figure's unit.
    played : int
        Replications so far, numbers 0 to played - 1, failed ones included.
    first : int
        Of them, those of the first stage.
    most : int
        Never more than these.
    level : float
        Confidence level of each figure on its own.

    Returns
    -------
    int
        Not above those played: stop. A figure without data wants nothing.
    """
    if played < first:
        return min(first, most)
    wanted = played
    for key, target in precision.items():
        rows = _rows(kpis, key)
        spread, now = _spread(rows, level), _half_width(rows, level)
        at_first = _spread(rows[rows["replication"] < first], level)
        if math.isfinite(at_first):
            # A ratio of half-widths of nearly equal size must not ask for one more by rounding.
            wanted = max(wanted, math.ceil(_times(first, at_first / target) * (1 - 1e-12)))
        if math.isfinite(now) and now > target:
            # Where nothing was seen, the bound falls as one over the tickets, not as its root.
            more = _times(played, now / target) if spread > 0 else played * min(now / target, 1e9)
            wanted = max(wanted, played + 1, math.ceil(more))
    return min(wanted, most)


def _times(replications: int, ratio: float) -> float:
    """Replications for half-widths that are narrower by a factor, up to a limit."""
    return replications * min(ratio, 1e9) ** 2


def reached(
    kpis: pd.DataFrame, precision: Mapping[Key, float], level: float = 0.95
) -> pd.DataFrame:
    """State of each wanted precision.

    Parameters
    ----------
    kpis, precision, level
        As for `wanted_replications`.

    Returns
    -------
    DataFrame
        Columns kpi, group, unit, wanted, half_width (over replications; missing without data),
        replications (with data), reached, with_texts (half-width with the spread over texts).
    """
    rows = []
    for key, target in precision.items():
        table = _rows(kpis, key)
        half_width = _half_width(table, level)
        with_texts = _half_width(table, level, texts=True)
        unit = str(table["unit"].iloc[0]) if len(table) else ""
        counted = int(((table["numerator"] != 0) | (table["denominator"] != 0)).sum())
        met = bool(half_width <= target)
        rows.append((*key, unit, float(target), half_width, counted, met, with_texts))
    columns = ["kpi", "group", "unit", "wanted", "half_width", "replications", "reached"]
    columns.append("with_texts")
    return pd.DataFrame(rows, columns=columns)


def sentences(table: pd.DataFrame, level: float = 0.95) -> list[str]:
    """Results of `reached` at a confidence level, a sentence a figure."""
    found = []
    for row in table.to_dict("records"):
        unit = "" if row["unit"] in ("", "share") else f" {row['unit']}"
        wanted = f"{row['wanted']:g}{unit}"
        name = f"{row['kpi']}:{row['group']}" if row["group"] else row["kpi"]
        if math.isnan(row["half_width"]):
            found.append(f"{name}: no data to reach a half-width of {wanted}")
            continue
        said = (
            f"{name}: half-width {row['half_width']:.3g}{unit} ({level * 100:g} % interval) after "
            f"{row['replications']} replications, {wanted} wanted: "
        )
        if row["reached"]:
            unseen = "; no spread was seen, so what is rare may only not have come yet"
            found.append(f"{said}reached{'' if row['half_width'] else unseen}{_beyond(row, unit)}")
            continue
        # Half-widths fall as one over the root of the number of replications.
        needed = math.ceil(_times(row["replications"], row["half_width"] / row["wanted"]))
        found.append(
            f"{said}not reached, it takes about {needed:,} replications{_beyond(row, unit)}"
        )
    return found


def _beyond(row: Mapping[Any, Any], unit: str) -> str:
    if not row["with_texts"] > _MORE * row["half_width"]:
        return ""
    return (
        f"; with which texts and answers there are it is {row['with_texts']:.3g}{unit}, which "
        "only more texts make narrower"
    )


def _rows(kpis: pd.DataFrame, key: Key) -> pd.DataFrame:
    kpi, group = key
    return kpis[(kpis["kpi"] == kpi).to_numpy() & (kpis["group"] == group).to_numpy()]


def _half_width(rows: pd.DataFrame, level: float, *, texts: bool = False) -> float:
    """Half-width over replications; if told, with the spread over texts."""
    if rows.empty:
        return np.nan
    columns = ["kpi", "group", "unit", "replication", "numerator", "denominator"]
    columns += ["by_text"] if texts and "by_text" in rows else []
    return float(summarize(rows[columns], level)["half_width"].iloc[0])


def _spread(rows: pd.DataFrame, level: float) -> float:
    """Half-width by what was seen to vary between replications alone."""
    if rows.empty:
        return np.nan
    _, low, high = ratio_interval(rows["numerator"], rows["denominator"], level)
    return (high - low) / 2
