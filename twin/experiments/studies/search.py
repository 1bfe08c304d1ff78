"""Search: the cheapest setting of a study's factors that meets its targets.

Small spaces are played in full; larger ones are searched by differential evolution (scipy; Storn
and Price 1997), with every setting played on the same replications (common random numbers). The
cheapest few that met the targets are then played on replications that the search has not seen: who
is picked for having looked good looks better than it is. If all of these miss, the next few are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.text import amount
from twin.experiments.studies.choice import UNITS
from twin.experiments.studies.file import figure_of, read_study
from twin.experiments.studies.hunt import SearchInProgress, Setting
from twin.experiments.studies.store import Progress
from twin.experiments.studies.study import store_for
from twin.scenario.model import Scenario


@dataclass(frozen=True)
class SearchResults:
    """What a search found.

    Attributes
    ----------
    scenario : Scenario or None
        The cheapest setting that meets the targets; None if none was found.
    table : DataFrame
        A row a setting that was played: the factors, cost, a column a target, met (by the
        replications of the search).
    finalists : DataFrame
        A row a finalist, cheapest first: the factors, then of the fresh replications cost, a column
        a target, and verdict (met, likely, missed).
    statement : str
        What was found, in a sentence.
    method : str
        How the space was searched.
    played : int
        Replications that this call played; the others were there from before.
    """

    scenario: Scenario | None
    table: pd.DataFrame
    finalists: pd.DataFrame
    statement: str
    method: str
    played: int


def search(
    source: str | Path | Mapping[str, Any],
    replications: int | None = None,
    *,
    checks: int = 20,
    points: int = 200,
    confidence: float = 0.95,
    workers: int = 1,
    out: str | Path | None = None,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> SearchResults:
    """Find the cheapest setting that meets the targets.

    Parameters
    ----------
    source : path or mapping
        A study with `minimise` and `targets`, see `studies.file.StudyFile`; its design
        does not apply.
    replications : int, optional
        Of each setting in the search, instead of the study's own.
    checks : int
        Fresh replications of each finalist.
    points : int
        Most settings played in the search.
    confidence : float
        Of all the finalists' bounds together: one-sided intervals, Bonferroni over rounds,
        finalists and targets.
    workers, out, cluster, progress
        As for `twin.study`; `progress` is told the settings played and the most there can be.

    Returns
    -------
    SearchResults

    Raises
    ------
    ScenarioError
        If there are no targets, several scenarios, or a setting is no valid scenario.
    ValueError
        If there are to be no replications or points, or fewer than two checks.
    RuntimeError
        If a replication fails.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> plan = {"scenario": desk, "factors": {"agents.all.heads": [1, 2]},
    ...         "minimise": "occupancy", "targets": {"agent_wait_mean": {"at_most": 60.0}}}
    >>> found = twin.search(plan, replications=2, checks=3)
    >>> found.scenario.agents["all"].heads
    2
    """
    if (replications is not None and replications < 1) or points < 1 or checks < 2:
        raise ValueError("replications and points must be 1 or more, checks 2 or more")
    plan = read_study(source)
    file = plan.file
    if not file.targets:
        reason = 'needs what must be reached, as "service_level" = { at_least = 0.9 }'
        raise ScenarioError(file.name, [Fault("targets", reason)])
    if len(plan.bases) != 1 or not file.factors:
        reason = "a search varies factors of one scenario"
        raise ScenarioError(file.name, [Fault("factors", reason)])
    with store_for(plan, out, workers, cluster) as store:
        found = SearchInProgress(
            plan, store, replications or plan.bases[0].replications, points, progress
        )
        method = found.run()
        finalists, verdicts = found.finals(checks, confidence)
        return _results(found, finalists, verdicts, method, checks, confidence)


def _results(
    found: SearchInProgress,
    finalists: Sequence[Setting],
    verdicts: list[dict[str, Any]],
    method: str,
    checks: int,
    confidence: float,
) -> SearchResults:
    rows = [
        found.shown(setting) | figures | {"met": found.met(setting)}
        for setting, figures in found.seen.items()
    ]
    table = pd.DataFrame(rows).sort_values(
        ["met", found.plan.file.minimise], ascending=[False, True]
    )
    words = [row["verdict"] for row in verdicts]
    pick = next((k for w in ("met", "likely") for k, word in enumerate(words) if word == w), None)
    cost = found.plan.file.minimise
    if pick is None:
        statement = f"no setting was found that meets the targets; {method}"
    else:
        setting = ", ".join(f"{k} = {v}" for k, v in found.shown(finalists[pick]).items())
        sure = f"shown by {checks} fresh replications at {confidence:.0%}"
        if words[pick] == "likely":
            sure = f"likely, but {checks} fresh replications do not show it at {confidence:.0%}"
        price = amount(verdicts[pick][cost], UNITS[figure_of(cost)[0]])
        statement = (
            f"cheapest by {cost} ({price}) that meets the targets ({sure}): {setting}; {method}"
        )
    return SearchResults(
        scenario=None if pick is None else found.scenario(finalists[pick]),
        table=table.reset_index(drop=True),
        finalists=pd.DataFrame(verdicts),
        statement=statement,
        method=method,
        played=found.store.played,
    )
