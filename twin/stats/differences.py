"""Differences of figures between scenarios, tested all at once; takes frames only.

Under common random numbers replication k of two scenarios is the same customers on the same days,
so what varies is their difference: it is judged by leaving out the same replication of both in
turn (the jackknife of `intervals`). Where replications do not pair, the two errors add up and the
degrees of freedom are those of Welch (1947), Biometrika 34.

Where few tickets tell two shares apart, the spread between replications may be nothing by chance.
So the error of a difference of counted shares is never below that of its tickets: of pairs that
of McNemar (1947), Psychometrika 12, at its least, |d| (1 - |d|) / n; of unrelated runs that of
Agresti and Caffo (2000), The American Statistician 54, with a hit and a miss added to each.

Where two scenarios are equal in every replication, no spread tells what is too rare to have come:
the interval has no width then, and says what was played. Of 2,000 pairs of tickets, of which one in
3,000 ends otherwise, none does with chance (1 - 1/3000)^2000, which is 51 %.

With many figures some differ by luck. So intervals and p-values are those of all rows together, by
Bonferroni's rule: with probability `level` all intervals hold their true difference, and the chance
to call any difference where there is none is at most 1 - level. The rule of Holm (1979) would call
a few more, but has no intervals to go with it: some would deny what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from twin.stats.intervals import check_level
from twin.stats.intervals import quantile_t as t_quantile
from twin.stats.nested import PARTS, Parts, influence, only_luck, parts
from twin.stats.shares import are_counts
from twin.stats.sums import (
    Floats,
    Mask,
    StandardErrors,
    Sums,
    divide,
    jackknife_error,
    jackknife_variance,
    joined,
    matrices,
)

# Differences below this share of the figures are the rounding of sums of floats.
_ROUNDING = 1e-9
# Chance to show a difference of the size found, at the number of replications that is advised.
POWER = 0.8
_MOST = 1_000_000

Found = dict[str, Any]


@dataclass(frozen=True)
class Terms:
    """The terms of a comparison of two scenarios.

    Attributes
    ----------
    share : array of bool, shape (figures,)
        True for shares.
    same_texts : bool
        Whether both were asked about the same texts.
    sources : (sequence of str, sequence of str)
        Sources of uncertainty beside luck, of the baseline and the other one.
    """

    share: Mask
    same_texts: bool
    sources: tuple[Sequence[str], Sequence[str]] = ((), ())


def differences(
    kpis: pd.DataFrame,
    baseline: str,
    rows: Sequence[tuple[str, str]],
    paired: Mapping[str, bool] | None = None,
    level: float = 0.95,
    same_texts: Mapping[str, bool] | None = None,
    matters: Sequence[tuple[float, float]] | None = None,
    sources: Mapping[str, Sequence[str]] | None = None,
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
    same_texts : mapping of str to bool, optional
        Whether a scenario's tickets have the texts of the baseline's; by default they have.
    matters : sequence of (float, float), optional
        Smallest difference of each of `rows` that matters: absolute, and as a share of the
        baseline; the larger counts.
    sources : mapping of str to sequence of str, optional
        Scenarios of which replications play versions, with the sources of their uncertainty beside
        luck; see `twin.stats.nested`. Replications that pair play the same version in both. There
        are columns of standard errors by what they come from then: luck, data, forecast and
        assumed.

    Returns
    -------
    DataFrame
        A row a scenario and figure: scenario, kpi, group, unit, baseline, what_if, difference
        (what_if - baseline), low, high, p (of this row alone), p_adjusted, replications (of the
        scenario with fewer), more_replications (of each scenario, for an 80 % chance to show a
        difference of the size found, or the smallest that matters where that is larger; missing
        where it is settled, or where replications alone never would, or a million are too few),
        texts (distinct ones; 0 for figures of no texts), more_texts (the same for texts, with as
        many replications as it takes), paired, matters (the smallest difference that does). Bounds
        and p are missing where a figure has no data or one replication.

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
    blocks, given = [], dict(sources or {})
    for name in names:
        if name == baseline:
            continue
        what_if = wanted[wanted["scenario"] == name]
        pairs = True if paired is None else paired[name]
        terms = Terms(
            share=(units.reindex(keys) == "share").to_numpy(),
            same_texts=same_texts is None or same_texts[name],
            sources=(given.get(baseline, ()), given.get(name, ())),
        )
        found = (_paired if pairs else _unpaired)(base, what_if, keys, terms)
        labels = {"kpi": keys.get_level_values(0), "group": keys.get_level_values(1)}
        sizes = np.array(matters if matters is not None else [(0.0, 0.0)] * len(keys))
        found["matters"] = np.fmax(sizes[:, 0], sizes[:, 1] * np.abs(found["baseline"]))
        block = pd.DataFrame({"scenario": name, **labels, **found, "paired": pairs})
        blocks.append(block.assign(unit=units.reindex(keys).to_numpy()))
    table = pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=_COLUMNS)
    table = table[table["baseline"].notna() | table["what_if"].notna()].reset_index(drop=True)
    return _judged(table, level)[[*_COLUMNS, *(PARTS if given else ())]]


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
    "texts",
    "more_texts",
    "paired",
    "matters",
]


def _aligned(frame: pd.DataFrame, keys: pd.MultiIndex, numbers: npt.NDArray[np.int64]) -> Sums:
    """Sums of the figures in the replications with these numbers; 0 where there are none."""
    table, sums, replications = matrices(frame)
    rows = pd.MultiIndex.from_frame(table[["kpi", "group"]]).get_indexer(keys)
    return sums.chosen(rows, pd.Index(replications).get_indexer(pd.Index(numbers)))


def _paired(base: pd.DataFrame, what_if: pd.DataFrame, keys: pd.MultiIndex, terms: Terms) -> Found:
    numbers = np.intersect1d(base["replication"], what_if["replication"])
    a, b = (_aligned(frame, keys, numbers) for frame in (base, what_if))
    seen = a.seen | b.seen
    n = seen.sum(axis=-1)
    of_replications = jackknife_error(b.without_each() - a.without_each(), seen)
    d = np.minimum(np.abs(b.value - a.value), 1.0)  # beyond 1 it is no difference of shares
    tickets = np.minimum(a.under.sum(axis=-1), b.under.sum(axis=-1))
    least = np.sqrt(divide(d * (1 - d), tickets))
    counts = terms.share & are_counts(a.over, a.under) & are_counts(b.over, b.under)
    of_replications = np.where(counts, np.fmax(of_replications, least), of_replications)
    texts, freedom = _text_variance(a, b, terms, paired=True)
    if not terms.sources[0]:
        error = joined(of_replications, n - 1, texts, freedom)
        return _found(a, b, error, n, of_replications**2 * n)
    split = parts(influence(b) - influence(a), numbers, terms.sources[0])
    whole = np.where(counts, np.fmax(np.sqrt(split.whole), least), np.sqrt(split.whole))
    error = joined(whole, split.freedom, texts, freedom)
    return _found(a, b, error, n, split.luck * n, split)


def _unpaired(
    base: pd.DataFrame, what_if: pd.DataFrame, keys: pd.MultiIndex, terms: Terms
) -> Found:
    both, squares, counts, splits, free = [], [], [], [], []
    for frame, sources in zip((base, what_if), terms.sources, strict=True):
        numbers = np.unique(frame["replication"])
        sums = _aligned(frame, keys, numbers)
        hits, tickets = sums.over.sum(axis=-1), sums.under.sum(axis=-1)
        p = (hits + 1) / (tickets + 2)
        counted = terms.share & are_counts(sums.over, sums.under)
        least = np.where(counted, divide(p * (1 - p), tickets), 0.0)
        seen = sums.seen.sum(axis=-1)
        luck = jackknife_error(sums.without_each(), sums.seen) ** 2
        split = parts(influence(sums), numbers, sources) if sources else only_luck(luck, seen - 1)
        squares.append(np.maximum(split.whole, least))
        counts.append(seen)
        both.append(sums)
        splits.append(split)
        free.append(split.freedom)
    total = squares[0] + squares[1]
    shares = sum(divide(s**2, np.maximum(f, 1)) for s, f in zip(squares, free, strict=True))
    freedom = np.maximum(divide(total**2, shares), 1.0)
    # Without any spread there is nothing to be free.
    freedom = np.where(np.isnan(freedom), 1.0, freedom)
    a, b = both
    texts, text_freedom = _text_variance(a, b, terms, paired=False)
    error = joined(np.sqrt(total), freedom, texts, text_freedom)
    one, two = splits
    spread = (squares[0] - one.fixed) * counts[0] + (squares[1] - two.fixed) * counts[1]
    return _found(a, b, error, np.minimum(counts[0], counts[1]), spread, one + two)


def _text_variance(a: Sums, b: Sums, terms: Terms, *, paired: bool) -> tuple[Floats, Floats]:
    """Variance of a difference between texts less that of single cells, and degrees of freedom.

    Both scenarios were asked about the same texts, so texts pair even where replications do not.
    """
    none = np.zeros(len(a.over))
    sides = [sums for sums in (a, b) if sums.left is not None]
    if len(sides) == 2 and terms.same_texts:
        (was, groups), (now, others) = a.without_texts(), b.without_texts()
        seen = groups | others
        by_text = jackknife_variance(now - was, seen)
        freedom = seen.sum(axis=-1) - 1
        if paired:
            (was, cells), (now, others) = a.without_cells(), b.without_cells()
            return by_text - jackknife_variance(now - was, cells | others), freedom
    else:
        by_text, freedom = none, none
        for sums in sides:
            left_out, seen = sums.without_texts()
            by_text = by_text + jackknife_variance(left_out, seen)
            freedom = np.maximum(freedom, seen.sum(axis=-1) - 1)
    return by_text - sum(jackknife_variance(*sums.without_cells()) for sums in sides), freedom


def _found(
    base: Sums,
    what_if: Sums,
    error: StandardErrors,
    counted: Any,
    spread: Floats,
    split: Parts | None = None,
) -> Found:
    was, now = base.value, what_if.value
    difference = now - was
    scale = _ROUNDING * np.maximum(np.abs(was), np.abs(now))
    difference = np.where(np.abs(difference) <= scale, 0.0, difference)
    whole = np.where(error.whole <= scale, 0.0, error.whole)
    none = np.full(len(was), np.nan)
    return {
        "baseline": was,
        "what_if": now,
        "difference": difference,
        "error": whole,
        "freedom": error.freedom,
        "replications": counted,
        "spread": np.sqrt(spread),
        "text_error": error.texts,
        # What more replications do not make smaller.
        "fixed": error.texts if split is None else np.hypot(error.texts, np.sqrt(split.fixed)),
        "texts": np.maximum(base.texts, what_if.texts),
        **{part: none if split is None else np.sqrt(getattr(split, part)) for part in PARTS},
    }


def _judged(table: pd.DataFrame, level: float) -> pd.DataFrame:
    if table.empty:
        return pd.DataFrame(columns=[*_COLUMNS, *PARTS])
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
    # A difference that is there is shown sooner than the smallest one that matters.
    size = np.maximum(matters, np.abs(difference))
    open_ = (adjusted > 1 - level) & (error > 0) & (size > 0)
    open_ &= np.abs(difference) + half_width > matters
    text_error, texts = (table[name].to_numpy(dtype=float) for name in ("text_error", "texts"))
    more = [
        _more(d, s, n, tail, e) if still else np.nan
        for d, s, n, e, still in zip(
            size, spread, table["replications"], table["fixed"], open_, strict=True
        )
    ]
    # The error falls with the root of the number of texts; replications are taken to be no limit.
    reach = float(special.ndtri(1 - tail) + special.ndtri(POWER))
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.ceil(texts * (reach * text_error / size) ** 2)
    more_texts = np.where(open_ & (wanted > texts) & (wanted < _MOST), wanted - texts, np.nan)
    # Shares differ by no more than the whole.
    most = np.where(table["unit"] == "share", 1.0, np.inf)
    return table.assign(
        low=np.maximum(difference - half_width, -most),
        high=np.minimum(difference + half_width, most),
        p=p,
        p_adjusted=adjusted,
        more_replications=more,
        more_texts=more_texts,
    )


def _more(difference: float, spread: float, counted: int, tail: float, fixed: float) -> float:
    """Further replications until a difference of this size is shown with probability `POWER`.

    Missing where an error that replications do not make smaller (of texts, of the history, of
    assumptions) hides it alone.
    """
    wanted = float(counted)
    for _ in range(50):
        freedom = max(wanted - 1, 1.0)
        reach = float(t_quantile(freedom, 1 - tail) + t_quantile(freedom, POWER))
        room = (difference / reach) ** 2 - fixed**2
        # Nothing is known of an error that one version of the history left open.
        if not (room > 0 and math.isfinite(spread)):
            return math.nan
        needed = max(2.0, math.ceil(spread**2 / room))
        if needed > _MOST:
            return math.nan
        if needed == wanted:
            break
        # Halfway, as the two sides pull in turn.
        wanted = math.ceil((wanted + needed) / 2)
    return max(1.0, wanted - counted)
