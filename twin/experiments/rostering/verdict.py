"""Verdict on whether a roster meets its target, by replications that its search has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.experiments.rostering.sample import Counted
from twin.experiments.rostering.week import Week
from twin.scenario.model import DAYS
from twin.stats.intervals import ratio_interval
from twin.stats.limits import MET, MISSED, OPEN, Limit, judge

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """Verdict on a roster.

    Attributes
    ----------
    verdict : {"met", "missed", "open"}
        Met: each period meets the target, and where one does not this is said with at most the
        stated chance. Missed: some period misses it, likewise.
    table : DataFrame
        A row a period: period, served, low, high (95 % interval), verdict.
    replications : int
    """

    verdict: str
    table: pd.DataFrame
    replications: int


def periods(week: Week, slow: bool) -> dict[str, npt.NDArray[np.bool_]]:
    """Periods in which a target is to be met, with their intervals: days, or the whole week.

    Parameters
    ----------
    week : Week
    slow : bool
        Whether what is promised takes longer than an interval: then days hang together.
    """
    if slow:
        return {"week": np.ones(week.size, dtype=np.bool_)}
    day = np.arange(week.size) // week.a_day
    return {DAYS[k]: day == k for k in week.days}


def judged(
    counted: Sequence[Counted], parts: dict[str, npt.NDArray[np.bool_]], target: float, error: float
) -> Verdict:
    """Judge replications of a roster.

    Parameters
    ----------
    counted : sequence of Counted
        Replications that the search has not seen.
    parts : dict of str to array of bool
        See `periods`.
    target : float
    error : float
        Chance allowed of "met" where some period misses the target, and of "missed" where none
        does. All periods must be shown to meet it, so "met" needs no correction for their number;
        "missed" of one of many does (Bonferroni).
    """
    limit, rows = Limit(target, at_most=False, share=True), []
    for name, slots in parts.items():
        kept = np.array([one.kept[slots].sum() for one in counted])
        asked = np.array([one.judged[slots].sum() for one in counted])
        if not asked.any():
            continue
        found = judge(kept, asked, limit, error, error / len(parts))
        rows.append((name, *ratio_interval(kept, asked, share=True), found.verdict))
    table = pd.DataFrame(rows, columns=["period", "served", "low", "high", "verdict"])
    seen = set(table["verdict"])
    verdict = next((one for one in (MISSED, OPEN) if one in seen), MET)
    return Verdict(verdict if len(table) else OPEN, table, len(counted))
