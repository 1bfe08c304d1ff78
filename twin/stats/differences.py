"""Differences of figures between scenarios, tested all at once; takes frames only.

Under common random numbers replication k of two scenarios is the same customers on the same days,
so what varies is their difference: it is judged by leaving out the same replication of both in
turn (the jackknife of `intervals`). Where replications do not pair, the two errors add up and the
degrees of freedom are those of Welch (1947), Biometrika 34.

Where few tickets tell two shares apart, the spread between replications may be nothing by chance.
So the error of a difference of counted shares is never below that of its tickets: of pairs that
of McNemar (1947), Psychometrika 12, at its least, |d| (1 - |d|) / n; of unrelated runs that of
Agresti and Caffo (2000), The American Statistician 54, with a hit and a miss added to each.

With many figures some differ by luck. So intervals and p-values are those of all rows together, by
Bonferroni's rule: with probability `level` all intervals hold their true difference, and the chance
to call any difference where there is none is at most 1 - level. The rule of Holm (1979) would call
a few more, but has no intervals to go with it: some would deny what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from twin.stats.intervals import (
    Floats,
    check_level,
    divide,
    jackknife_error,
    leave_one_out,
    matrices,
)
from twin.stats.intervals import quantile_t as t_quantile
from twin.stats.shares import are_counts

# Differences below this share of the figures are the rounding of sums of floats.
_ROUNDING = 1e-9
# Chance to show a difference of the size found, at the number of replications that is advised.
POWER = 0.8
_MOST = 1_000_000


Mask = npt.NDArray[np.bool_]


def differences(
    kpis: pd.DataFrame,
    baseline: str,
    rows: Sequence[tuple[str, str]],
    paired: Mapping[str, bool] | None = None,
    level: float = 0.95,
    matters: Sequence[tuple[float, float]] | None = None,
) -> pd.DataFrame:
    """Compare what-if scenarios with a baseline, figure by figure.

    Parameters
    ----------
    kpis : DataFrame
        Columns of the table kpis, scenario and replication.
    baseline : str
        Name of the scenario to compare with; all others are compared.
    rows : sequence of (str, str)
        The figures and groups to compare.
    paired : mapping of str to bool, optional
        Whether the replications of a scenario are those of the baseline; by default they are.
    level : float
        Joint level of all intervals and tests.
    matters : sequence of (float, float), optional
        Smallest difference of each of `rows` that matters: absolute, and as a share of the
        baseline; the larger counts.

    Returns
    -------
    DataFrame
        A row a scenario and figure: scenario, kpi, group, unit, baseline, what_if, difference
        (what_if - baseline), low, high, p (of this row alone), p_adjusted, replications (of the
        scenario with fewer), more_replications (of each scenario, for an 80 % chance to show the
        smallest difference that matters, or one of the size found where none is given; missing
        where it is settled or where a million are too few), paired, matters (the smallest
        difference that does). Bounds and p are missing where a figure has no data or one
        replication.

    Raises
    ------
    ValueError
        If the level is out of range, or the baseline is not there.
    """
    check_level(level)
    names = list(dict.fromkeys(kpis["scenario"]))
    if baseline not in names:
        raise ValueError(f"no scenario {baseline!r} to compare with; there are: {', '.join(names)}")
    keys = pd.MultiIndex.from_tuples(rows, names=["kpi", "group"])
    wanted = kpis[pd.MultiIndex.from_frame(kpis[["kpi", "group"]]).isin(keys)]
    units = wanted.drop_duplicates(["kpi", "group"]).set_index(["kpi", "group"])["unit"]
    base = wanted[wanted["scenario"] == baseline]
    blocks = []
    for name in names:
        if name == baseline:
            continue
        what_if = wanted[wanted["scenario"] == name]
        pairs = True if paired is None else paired[name]
        share = (units.reindex(keys) == "share").to_numpy()
        how = _paired if pairs else _unpaired
        found = how(base, what_if, keys, share)
        labels = {"kpi": keys.get_level_values(0), "group": keys.get_level_values(1)}
        sizes = np.array(matters if matters is not None else [(0.0, 0.0)] * len(keys))
        found["matters"] = np.fmax(sizes[:, 0], sizes[:, 1] * np.abs(found["baseline"]))
        block = pd.DataFrame({"scenario": name, **labels, **found, "paired": pairs})
        blocks.append(block.assign(unit=units.reindex(keys).to_numpy()))
    table = pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=_COLUMNS)
    table = table[table["baseline"].notna() | table["what_if"].notna()].reset_index(drop=True)
    return _judged(table, level)


_COLUMNS = [
    "scenario",
    "kpi",
    "group",
    "unit",
    "baseline",
    "what_if",
    "difference",
    "low",
    "high",
    "p",
    "p_adjusted",
    "replications",
    "more_replications",
    "paired",
    "matters",
]


def _aligned(
    frame: pd.DataFrame, keys: pd.MultiIndex, numbers: npt.NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Numerators and denominators of shape (figures, replications); 0 where there are none."""
    table, over, under, replications = matrices(frame)
    row = pd.MultiIndex.from_frame(table[["kpi", "group"]]).get_indexer(keys)
    column = pd.Index(replications).get_indexer(pd.Index(numbers))
    there = np.outer(row >= 0, column >= 0)
    shape = (len(keys), len(numbers))
    out = np.zeros((2, *shape))
    for k, values in enumerate((over, under)):
        if values.size:
            out[k] = np.where(there, values[np.ix_(row, column)], 0.0)
    return out[0], out[1]


def _paired(
    base: pd.DataFrame, what_if: pd.DataFrame, keys: pd.MultiIndex, share: Mask
) -> dict[str, Any]:
    numbers = np.intersect1d(base["replication"], what_if["replication"])
    a, b = (_aligned(frame, keys, numbers) for frame in (base, what_if))
    seen = ((a[0] != 0) | (a[1] != 0)) | ((b[0] != 0) | (b[1] != 0))
    n = seen.sum(axis=-1)
    left_out = leave_one_out(*b) - leave_one_out(*a)
    was, now = (divide(over.sum(axis=-1), under.sum(axis=-1)) for over, under in (a, b))
    error = jackknife_error(left_out, seen)
    # Beyond 1 it is no difference of shares, and not used below.
    d = np.minimum(np.abs(now - was), 1.0)
    tickets = np.minimum(a[1].sum(axis=-1), b[1].sum(axis=-1))
    least = np.sqrt(divide(d * (1 - d), tickets))
    error = np.where(share & are_counts(*a) & are_counts(*b), np.fmax(error, least), error)
    return _found(was, now, error, n - 1, n, error * np.sqrt(n))


def _unpaired(
    base: pd.DataFrame, what_if: pd.DataFrame, keys: pd.MultiIndex, share: Mask
) -> dict[str, Any]:
    values, squares, counts = [], [], []
    for frame in (base, what_if):
        over, under = _aligned(frame, keys, np.unique(frame["replication"]))
        seen = (over != 0) | (under != 0)
        values.append(divide(over.sum(axis=-1), under.sum(axis=-1)))
        hits, tickets = over.sum(axis=-1), under.sum(axis=-1)
        p = (hits + 1) / (tickets + 2)
        least = np.where(share & are_counts(over, under), divide(p * (1 - p), tickets), 0.0)
        squares.append(np.maximum(jackknife_error(leave_one_out(over, under), seen) ** 2, least))
        counts.append(seen.sum(axis=-1))
    total = squares[0] + squares[1]
    parts = sum(divide(s**2, np.maximum(n - 1, 1)) for s, n in zip(squares, counts, strict=True))
    freedom = np.maximum(divide(total**2, parts), 1.0)
    # Without any spread there are no degrees of freedom.
    freedom = np.where(np.isnan(freedom), 1.0, freedom)
    spread = np.sqrt(squares[0] * counts[0] + squares[1] * counts[1])
    least = np.minimum(counts[0], counts[1])
    return _found(values[0], values[1], np.sqrt(total), freedom, least, spread)


def _found(
    base: Floats, what_if: Floats, error: Floats, freedom: Any, counted: Any, spread: Floats
) -> dict[str, Any]:
    difference = what_if - base
    scale = _ROUNDING * np.maximum(np.abs(base), np.abs(what_if))
    difference = np.where(np.abs(difference) <= scale, 0.0, difference)
    error = np.where(error <= scale, 0.0, error)
    return {
        "baseline": base,
        "what_if": what_if,
        "difference": difference,
        "error": error,
        "freedom": freedom,
        "replications": counted,
        "spread": spread,
    }


def _judged(table: pd.DataFrame, level: float) -> pd.DataFrame:
    if table.empty:
        return pd.DataFrame(columns=_COLUMNS)
    difference, error, freedom, spread = (
        table[name].to_numpy(dtype=float) for name in ("difference", "error", "freedom", "spread")
    )
    # No spread at all: the difference is exact.
    exact = np.where(difference == 0, 0.0, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(error == 0, exact, np.abs(difference) / error)
    p = 2 * special.stdtr(np.maximum(freedom, 1), -score)
    p[np.isnan(error) | np.isnan(difference)] = np.nan
    known = int(np.isfinite(p).sum())
    tail = (1 - level) / (2 * max(known, 1))
    half_width = t_quantile(freedom, 1 - tail) * error
    # The rule of the intervals: a difference is shown if its interval leaves out 0.
    adjusted = np.minimum(p * max(known, 1), 1.0)
    matters = table["matters"].to_numpy(dtype=float)
    size = np.where(matters > 0, matters, np.abs(difference))
    open_ = (adjusted > 1 - level) & (error > 0) & (size > 0)
    open_ &= np.abs(difference) + half_width > matters
    more = [
        _more(d, s, n, tail) if still else np.nan
        for d, s, n, still in zip(size, spread, table["replications"], open_, strict=True)
    ]
    return table.assign(
        low=difference - half_width,
        high=difference + half_width,
        p=p,
        p_adjusted=adjusted,
        more_replications=more,
    )[_COLUMNS]


def _more(difference: float, spread: float, counted: int, tail: float) -> float:
    """Further replications until a difference of this size is shown with probability `POWER`."""
    wanted = float(counted)
    for _ in range(50):
        freedom = max(wanted - 1, 1.0)
        reach = float(t_quantile(freedom, 1 - tail) + t_quantile(freedom, POWER))
        needed = max(2.0, math.ceil((reach * spread / abs(difference)) ** 2))
        if needed > _MOST:
            return math.nan
        if needed == wanted:
            break
        # Halfway, as the two sides pull in turn.
        wanted = math.ceil((wanted + needed) / 2)
    return max(1.0, wanted - counted)
