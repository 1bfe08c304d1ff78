"""Yes or no against the targets of a desk, with a stated chance of error.

The chance is that of any wrong "met" or "missed" of a desk, of all desks that are judged together
(Bonferroni). A desk meets its targets only if it meets each of them, so "met" needs no correction
for their number (the intersection-union test, Berger 1982, Technometrics 24); "missed" of one of
several does. A desk either meets all or not: only one of the two errors can be made of it.

Replications are few and skewed (most days are calm, some are bad), so a t interval errs more often
than it says on the side of the bad days. Bounds are moved for the skewness that is seen, and most
of the error is kept for that which is not; `tests/test_targets.py` counts what comes of it.

Where all replications give the same value, there is no spread to go by, and days that are bad once
in a while may not have come yet. So nothing is said before they would have come with a stated
chance. Shares have bounds of their own for that, and what a roster costs is the same every day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from twin.common.text import amount, label
from twin.experiments.comparison import compare
from twin.experiments.guards import lost
from twin.experiments.results import Results
from twin.measures.figures import FIGURES, GUARDS, figure_of
from twin.scenario.model import Target, Targets
from twin.stats.intervals import quantile_t, summarize
from twin.stats.limits import MET, MISSED, OPEN
from twin.stats.skewness import widening
from twin.stats.sums import matrices
from twin.stats.verdicts import UNJUDGED

_COLUMNS = ["scenario", "target", "kpi", "group", "unit", "at_most", "limit", "value", "low",
            "high", "verdict", "more", "replications"]  # fmt: skip
# With less of the variance from luck, more replications hardly make an interval narrower.
_LITTLE = 0.1
# Part of the allowed error that the intervals are made for.
_SPENT = 0.3
# Replications that nobody plays.
_MOST = 1e12
# Part of the days that a bad day must be to be looked for where all replications are alike.
_BAD_DAYS = 0.1


@dataclass(frozen=True)
class Answers:
    """Verdicts on desks against their targets.

    Attributes
    ----------
    table : DataFrame
        A row a scenario and target: scenario, target (as "service_level:urgent"), kpi, group, unit,
        at_most (else at least), limit, value, low, high (joint bounds), verdict ("met", "missed"
        or "open"), more (replications that would decide, if the value and its spread stay;
        infinite where no number of them would, missing where that cannot be told), replications.
    verdicts : dict of str to str
        By scenario with targets: "met" (each of them), "missed" (some), "open", or "not judged"
        (met, in a figure that can look good because customers are lost).
    reasons : dict of str to str
        Why a scenario is not judged.
    level : float
        All verdicts together are right with at least this chance.
    """

    table: pd.DataFrame
    verdicts: dict[str, str]
    reasons: dict[str, str]
    level: float

    def rows(self, scenario: str) -> list[dict[str, Any]]:
        """Rows of one scenario."""
        own = self.table[self.table["scenario"] == scenario]
        return [{str(k): v for k, v in row.items()} for row in own.to_dict("records")]


def answers(
    results: Results,
    baseline: str | None = None,
    targets: Mapping[str, Target] | None = None,
    level: float = 0.95,
) -> Answers:
    """Judge each scenario against its targets.

    Parameters
    ----------
    results : Results
    baseline : str, optional
        Name of a scenario against which the others must not lose customers, where a target is on a
        figure that leaves lost ones out.
    targets : mapping of str to Target, optional
        By figure; they go before the scenarios' own, ``targets.figures``.
    level : float
        Chance that all verdicts are right, at least.

    Returns
    -------
    Answers
        Empty where no scenario has targets.

    Raises
    ------
    ValueError
        If a target names no figure.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "targets": {"figures": {"occupancy": {"at_most": 0.9}}},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> answers(twin.run(desk, replications=5)).verdicts
    {'scenario': 'met'}
    """
    for name in targets or {}:
        figure_of(name)
    there = set(results.kpis["scenario"])
    wanted = {
        run.scenario: {**_own(run.manifest), **(targets or {})}
        for run in results.runs
        if run.scenario in there
    }
    wanted = {name: own for name, own in wanted.items() if own}
    table = judged(results.kpis, wanted, level, results.sources)
    verdicts = {name: _all(table[table["scenario"] == name]["verdict"]) for name in wanted}
    reasons = {}
    for name, found in verdicts.items():
        guarded = [target for target in wanted[name] if FIGURES[figure_of(target)[0]].guarded]
        against = baseline in there and name != baseline
        reason = ""
        if found == MET and guarded and against:
            reason = _lost(results, str(baseline), name, level)
        if reason:
            verdicts[name], reasons[name] = UNJUDGED, reason
    return Answers(table, verdicts, reasons, level)


def judged(
    kpis: pd.DataFrame,
    wanted: Mapping[str, Mapping[str, Target]],
    level: float = 0.95,
    sources: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Figures against targets; see `Answers.table`.

    Parameters
    ----------
    kpis : DataFrame
        As `Results.kpis`.
    wanted : mapping of str to mapping of str to Target
        By scenario and figure.
    level : float
        Joint level of all verdicts on scenarios.
    sources : mapping of str to sequence of str, optional
        As in `twin.stats.intervals.summarize`.
    """
    error = (1 - level) / max(1, len(wanted))
    names = {figure_of(name)[0] for own in wanted.values() for name in own}
    few = kpis[kpis["kpi"].isin(names) & kpis["scenario"].isin(list(wanted))]
    # "Missed" can be said by mistake of each target, "met" only where all look good.
    counts = {count for own in wanted.values() for count in (1, len(own))} if len(few) else set()
    bounds = {count: _bounds(few, error / count, sources) for count in counts}
    rows = []
    for scenario, own in wanted.items():
        for name, target in own.items():
            kpi, group = figure_of(name)
            keys = (scenario, kpi, group)
            near, far = (bounds.get(count, {}).get(keys, {}) for count in (1, len(own)))
            alike = _alike(near, error)
            found = OPEN if alike else _judge(near, far, target)
            more = alike
            if found == OPEN and not alike:
                # What is on its way to "missed" is judged by the wider bound.
                misses = bool(near) and (near["value"] > target.limit) == target.upper
                side, count = (far, len(own)) if misses else (near, 1)
                more = _more(side, target.limit, error / count)
            values = [near.get(one, math.nan) for one in ("value", "low", "high")]
            counted = int(near.get("replications", 0))
            kind = [FIGURES[kpi].unit, target.upper, target.limit]
            rows.append([scenario, name, kpi, group, *kind, *values, found, more, counted])
    return pd.DataFrame(rows, columns=_COLUMNS)


def words(row: Mapping[str, Any]) -> str:
    """A target as words.

    Examples
    --------
    >>> words({"kpi": "service_level", "group": "", "unit": "share", "at_most": False,
    ...        "limit": 0.95})
    'service level at least 95 %'
    """
    limit = amount(row["limit"], row["unit"])
    for zeros in (".00", ".0"):
        limit = limit.replace(f"{zeros} ", " ")
    side = "at most" if row["at_most"] else "at least"
    return f"{label(row['kpi'], row['group'])} {side} {limit}"


def _own(manifest: Any) -> dict[str, Target]:
    """Targets of a scenario as run; of runs from before there were any, none."""
    data = ((manifest or {}).get("scenario_as_run") or {}).get("targets", {})
    return dict(Targets.model_validate({"figures": data.get("figures", {})}).figures)


def _all(verdicts: pd.Series[str]) -> str:
    seen = set(verdicts)
    return next((one for one in (MISSED, OPEN) if one in seen), MET)


def _bounds(
    kpis: pd.DataFrame, error: float, sources: Mapping[str, Sequence[str]] | None
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Rows of figures by scenario, name and group; either bound errs with at most that chance."""
    summary = summarize(kpis, 1 - 2 * error * _SPENT, sources)
    table, sums, _ = matrices(kpis)
    below, above = widening(sums, error * _SPENT)
    keys = ["scenario", "kpi", "group"]
    found = summary.merge(table[keys].assign(below=below, above=above), on=keys)
    rows = {}
    for row in found.to_dict("records"):
        low = row["value"] - row["below"] * (row["value"] - row["low"])
        high = row["value"] + row["above"] * (row["high"] - row["value"])
        if row["unit"] == "share":
            low, high = max(low, 0.0), min(high, 1.0)
        one = {str(name): value for name, value in row.items()} | {"low": low, "high": high}
        rows[row["scenario"], row["kpi"], row["group"]] = one
    return rows


def _alike(row: Mapping[str, Any], error: float) -> float:
    """Replications to add where all are alike, so that bad days would have come; 0 elsewhere."""
    unit = str(row.get("unit", "share"))
    if unit == "share" or unit.startswith("USD") or row["low"] != row["high"]:
        return 0.0
    wanted = math.ceil(math.log(error) / math.log(1 - _BAD_DAYS))
    return float(max(wanted - int(row["replications"]), 0))


def _judge(near: Mapping[str, Any], far: Mapping[str, Any], target: Target) -> str:
    """Verdict by the bound that lies towards the limit; open where there is none."""
    if not near:
        return OPEN
    if target.upper:
        met, missed = near["high"] <= target.limit, far["low"] > target.limit
    else:
        met, missed = near["low"] >= target.limit, far["high"] < target.limit
    return MET if met else MISSED if missed else OPEN


def _more(row: Mapping[str, Any], limit: float, error: float) -> float:
    """Replications beside those played that would decide, by the bound towards the limit."""
    if not row or math.isnan(row["low"]):
        return math.nan
    gap = float(row["value"] - limit)
    reach = float(row["high"] - row["value"] if gap < 0 else row["value"] - row["low"])
    if not reach > 0 or gap == 0:
        return math.inf
    # What texts, the history or assumptions leave open, replications do not tell.
    fixed = math.hypot(*(row.get(one, 0.0) or 0.0 for one in ("text_error", "data", "assumed")))
    rest = min(1.0, (NormalDist().inv_cdf(1 - error * _SPENT) * fixed / reach) ** 2)
    room = (gap / reach) ** 2 - rest
    if room <= 0 or 1 - rest < _LITTLE:
        return math.inf
    return _decided(int(row["replications"]), (1 - rest) / room, error * _SPENT)


def _decided(played: int, squares: float, tail: float) -> float:
    """Replications beside those played by which the square of a reach is so many times smaller.

    A reach is a quantile of Student's t times a standard error, and with few replications much of
    it is the quantile: that of two is ten times that of many.
    """

    def wanted(number: int) -> float:
        now, then = quantile_t(np.array([played, number]) - 1, 1 - tail)
        return played * squares * float(then / now) ** 2

    few, enough = played, max(played + 1, math.ceil(min(played * squares, _MOST)))
    if enough < wanted(enough):
        return math.inf
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if middle >= wanted(middle) else (middle, enough)
    return float(enough - played)


def _lost(results: Results, baseline: str, name: str, level: float) -> str:
    """Reason to call nothing met: against the baseline customers are lost, or may be."""
    pair = [one for one in results.runs if one.scenario in (baseline, name)]
    kpis = results.kpis[results.kpis["scenario"].isin([baseline, name])]
    both = Results(kpis, results.failures, tuple(pair))
    rows = compare(both, baseline, GUARDS, level).table.to_dict("records")
    named: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in rows]
    return lost({row["kpi"]: row for row in named})
