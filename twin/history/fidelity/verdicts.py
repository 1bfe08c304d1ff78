"""Verdicts on a twin's records: within the floor, better than replay, or worse.

A verdict is a promise. *Within the floor*: the twin's distance, as the median of its runs, is at
most its limit, and 95 of 100 right twins stay below the limits of all measures at once. Limits come
from the desk's own days, of training and test: the distances between random halves of them, where
two neighbouring Mondays never lie in one half (see `twin.history.fidelity.lines.halves`), brought
to the length of the test. Each is the 0.95 quantile of its measure, times the one factor with which
all hold in 95 of 100 halves. *Better* or *worse than replay*: the interval of the difference of the
two distances keeps off 0. It is the jackknife's over days, each left out of the desk's, the twin's
and the replayed records alike, with the spread of the twin's runs on top. How often verdicts are
wrong is measured in `tests/test_fidelity_study.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri
from scipy.stats import binom

from twin.history.fidelity.lines import FEWEST_DAYS, pairs, wider
from twin.history.fidelity.measures import MEASURES, Alike, compared
from twin.history.fidelity.period import Period
from twin.stats.intervals import quantile_t

Floats = npt.NDArray[np.float64]

WITHIN, BETTER, WORSE = "within the floor", "better than replay", "worse than replay"
BEYOND = "beyond the floor"
SAME, UNKNOWN = "not told from replay", "not known"
# Share of right twins that are called within the floor, measure by measure.
LEVEL = 0.95


def limits(halves: pd.DataFrame, dates: list[int], days: int, level: float = LEVEL) -> pd.DataFrame:
    """Distances of right twins: of half of them, and nearly all of them in all measures at once.

    Parameters
    ----------
    halves : DataFrame
        From `twin.history.fidelity.lines.random_halves`.
    dates : list of int
        The days that they are halves of; those on which nobody comes tell nothing.
    days : int
        Number of such days that the twin is judged by.
    level : float
        Share of right twins that keep the limits.

    Returns
    -------
    DataFrame
        A row a measure: typical (half of all right twins are nearer), limit; missing without
        halves.
    """
    found = pd.DataFrame(math.nan, index=list(MEASURES), columns=["typical", "limit"])
    if days < FEWEST_DAYS or not len(halves):
        return found
    size = halves.abs()
    each = size.quantile(level)
    worst = (size / each.where(each > 0)).max(axis=1).fillna(1.0)
    joint = max(float(worst.quantile(level)), 1.0)
    longer = math.sqrt(len(pairs(dates)) / days)
    found["typical"] = size.median() * longer
    found["limit"] = each * joint * longer * wider(dates, joint * float(ndtri((1 + level) / 2)))
    return found


def middle(values: Sequence[float]) -> tuple[float, float, float]:
    """Median with the interval of order statistics that holds the true one in 95 of 100 cases.

    With fewer than six values no such interval exists: it is from the least to the greatest then
    (with five it holds the true median in 94 of 100).
    """
    known = np.sort([v for v in values if not math.isnan(v)])
    if not len(known):
        return math.nan, math.nan, math.nan
    n = len(known)
    # The k-th least and the k-th greatest value miss it with chance 2 P(X < k), X ~ Bin(n, 1/2).
    k = max(1, int((binom.cdf(np.arange(n), n, 0.5) <= 0.025).sum()))
    return float(np.median(known)), float(known[k - 1]), float(known[n - k])


def next_one(values: Floats, level: float = LEVEL) -> tuple[float, float, float]:
    """Mean of times or counts, and the prediction interval of one more, never below 0.

    Examples
    --------
    >>> [round(v, 2) for v in next_one(np.array([9.0, 10.0, 11.0, 10.0, 10.0]))]
    [10.0, 7.85, 12.15]
    """
    n, mean = len(values), float(values.mean())
    half = float(quantile_t(n - 1, (1 + level) / 2) * values.std(ddof=1)) * math.sqrt(1 + 1 / n)
    return mean, max(mean - half, 0.0), mean + half


def judged(
    real: Period,
    twins: Sequence[Period],
    alike: Alike,
    limit: pd.DataFrame,
    replayed: Period | None = None,
) -> pd.DataFrame:
    """Verdicts on a twin's runs, measure by measure.

    Parameters
    ----------
    real : Period
    twins : sequence of Period
        A run each, of the same days.
    alike : Alike
    limit : DataFrame
        From `limits`.
    replayed : Period, optional
        The training weeks as a forecast of the same days.

    Returns
    -------
    DataFrame
        A row a measure: measure, unit, value (median over runs of the distance, signed measures by
        size), low, high, signed (median as it is), typical, limit, replay, difference (value less
        replay), difference_low, difference_high, verdict.
    """
    whole = _sizes([compared(real, one, alike) for one in twins])
    signed = pd.DataFrame([compared(real, one, alike) for one in twins])
    old = None if replayed is None else _sizes([compared(real, replayed, alike)]).iloc[0]
    differs = None if replayed is None else _differences(real, twins, replayed, alike, whole)
    rows: list[dict[str, Any]] = []
    for name, measure in MEASURES.items():
        value, low, high = middle(whole[name].tolist())
        row: dict[str, Any] = {"measure": name, "unit": measure.unit, "value": value}
        row |= {"low": low, "high": high, "signed": float(signed[name].median())}
        row |= {key: float(limit[key].loc[name]) for key in ("typical", "limit")}
        row |= {"replay": math.nan, "difference": math.nan}
        row |= {"difference_low": math.nan, "difference_high": math.nan}
        if old is not None and differs is not None:
            half = differs[name]
            row |= {"replay": float(old[name]), "difference": value - float(old[name])}
            row |= {"difference_low": row["difference"] - half}
            row |= {"difference_high": row["difference"] + half}
        rows.append(row | {"verdict": verdict(row)})
    return pd.DataFrame(rows)


def verdict(row: Mapping[str, Any]) -> str:
    """Verdict on a row of `judged`.

    Examples
    --------
    >>> row = {"value": 3.0, "limit": 4.0, "replay": 9.0, "difference_low": -8.0,
    ...        "difference_high": -4.0}
    >>> verdict(row), verdict(row | {"limit": 2.0})
    ('within the floor', 'better than replay')
    """
    if math.isnan(row["value"]) or math.isnan(row["limit"]):
        return UNKNOWN
    if row["value"] <= row["limit"]:
        return WITHIN
    if math.isnan(row["replay"]):
        return BEYOND
    if row["difference_high"] < 0:
        return BETTER
    return WORSE if row["difference_low"] > 0 else SAME


def _sizes(rows: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows).abs()


def _differences(
    real: Period, twins: Sequence[Period], replayed: Period, alike: Alike, whole: pd.DataFrame
) -> dict[str, float]:
    """Half-width of the interval of the twin's distance less that of replay, by measure."""
    days = real.dates
    n = len(days)
    if n < 3:
        return dict.fromkeys(MEASURES, math.inf)
    left = []
    real, replayed, twins = real.lean(), replayed.lean(), [one.lean() for one in twins]
    for day in days:
        rest = [other for other in days if other != day]
        mine, old = real.on(rest), replayed.on(rest)
        each = _sizes([compared(mine, one.on(rest), alike) for one in twins]).median()
        left.append(each - _sizes([compared(mine, old, alike)]).iloc[0])
    table = pd.DataFrame(left)
    t = float(quantile_t(n - 1, 0.975))
    found = {}
    for name in MEASURES:
        one, each_run = table[name].to_numpy(), whole[name].to_numpy()
        error = (n - 1) / n * float(((one - one.mean()) ** 2).sum())
        error += float(each_run.var(ddof=1)) / len(each_run) if len(each_run) > 1 else 0.0
        found[name] = t * math.sqrt(error)
    return found
