"""Scenarios beside the one that a search found: as it is, and with another level in its place.

These say what the setting that was found is worth. They are judged by the same rules, on the same
fresh replications. How often these are played depends on the setting that was found, and so on its
luck: it is one of the few numbers at which a setting is judged, and the error is divided by how
many these are, so that it holds whichever it was (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from twin.experiments.checks import check, check_recording
from twin.experiments.studies.design import levels_of
from twin.experiments.studies.file import Plan, Range, limit_of
from twin.experiments.studies.findings import FOUND
from twin.experiments.studies.store import StudyStore
from twin.measures.figures import FIGURES, figure_of
from twin.scenario.model import Scenario
from twin.stats.differences import differences
from twin.stats.limits import MET, MISSED, OPEN, judge
from twin.stats.nested import Drawn

# Levels with names that are played in the place of the one found, at most.
_MOST = 3


def in_its_place(plan: Plan, setting: Mapping[str, Any]) -> Iterator[tuple[str, str, Scenario]]:
    """The setting that was found with other named levels, such as models: one changed at a time.

    Parameters
    ----------
    plan : Plan
    setting : mapping
        Level by factor, as in the column of the factor.

    Yields
    ------
    factor, level : str
    scenario : Scenario
    """
    others = [
        (name, other)
        for name, factor in plan.file.factors.items()
        if isinstance(factor, dict)
        for other in factor
        if other != setting[name]
    ]
    for name, other in others[:_MOST]:
        changes: dict[str, Any] = {}
        for one, value in {**setting, name: other}.items():
            factor = plan.file.factors[one]
            if isinstance(factor, Range) and not factor.whole:
                changes[one] = value
            else:
                changes |= next(keys for shown, keys in levels_of(plan, one) if shown == value)
        base = plan.bases[0]
        scenario = base.vary(changes, name=base.name)
        check(scenario)
        check_recording(scenario)
        yield name, other, scenario


def judged_beside(
    plan: Plan,
    store: StudyStore,
    scenario: Scenario,
    numbers: Sequence[int],
    looks: int,
    confidence: float,
    sources: Sequence[str],
) -> dict[str, Any]:
    """Judge a scenario against the targets of a search.

    Parameters
    ----------
    plan : Plan
    store : StudyStore
        Holds these replications.
    scenario : Scenario
    numbers : sequence of int
        Replications, none of which the search has seen.
    looks : int
        Numbers of replications that there may be.
    confidence : float
        Chance that the verdict is right, at least.
    sources : sequence of str
        Of uncertainty beside luck.

    Returns
    -------
    dict
        verdict ("met": each target, "missed": some, "open"), confidence, replications, and targets:
        a list with a dict a target (target, verdict, more: replications that would decide, None
        where none would or that cannot be told).

    Raises
    ------
    RuntimeError
        If one of the replications failed.
    """
    targets = plan.file.targets
    error = (1 - confidence) / looks
    drawn = Drawn(np.array(numbers), tuple(sources)) if sources else None
    rows = []
    for name, target in targets.items():
        over, under = np.transpose(store.values(scenario, figure_of(name), numbers))
        # "Met" can be said by mistake only where all look good, "missed" of each.
        found = judge(over, under, limit_of(name, target), error, error / len(targets), drawn)
        more = found.more if math.isfinite(found.more) else None
        rows.append({"target": name, "verdict": found.verdict, "more": more})
    seen = {row["verdict"] for row in rows}
    verdict = next((one for one in (MISSED, OPEN) if one in seen), MET)
    played = len(numbers)
    return {"verdict": verdict, "confidence": confidence, "replications": played, "targets": rows}


def changes_from(
    kpis: pd.DataFrame, name: str, figures: Sequence[str], sources: Sequence[str]
) -> list[dict[str, Any]]:
    """Figures of the one found less those of another, with intervals that hold together at 95 %.

    Parameters
    ----------
    kpis : DataFrame
        Figures by scenario and replication, on the same customers.
    name : str
        Name of the other.
    figures : sequence of str
    sources : sequence of str
        Of uncertainty beside luck.

    Returns
    -------
    list of dict
        A dict a figure that was counted in both: figure, kpi, group, unit, difference, low, high.
    """
    both = kpis[kpis["scenario"].isin([FOUND, name])]
    if both["scenario"].nunique() < 2:
        return []
    keys = [figure_of(one) for one in dict.fromkeys(figures)]
    known = dict.fromkeys((FOUND, name), tuple(sources)) if sources else None
    rows = differences(both, name, keys, sources=known).to_dict("records")
    return [
        {"figure": one, "kpi": key[0], "group": key[1], "unit": FIGURES[key[0]].unit}
        | {bound: float(row[bound]) for bound in ("difference", "low", "high")}
        for one, key, row in zip(dict.fromkeys(figures), keys, rows, strict=True)
        if not math.isnan(row["difference"])
    ]
