"""Conclusion of a search: what was played and judged, as findings in words and tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from twin.common.text import amount, label, level, signed
from twin.experiments import versions
from twin.experiments.studies.beside import changes_from, in_its_place, judged_beside
from twin.experiments.studies.design import as_in_base
from twin.experiments.studies.file import Plan, limit_of
from twin.experiments.studies.findings import FOUND, TODAY, SearchResults
from twin.experiments.studies.results import as_run
from twin.experiments.studies.store import StudyStore
from twin.experiments.versions import sources_of
from twin.measures.figures import FIGURES, figure_of
from twin.scenario import roster as rosters
from twin.scenario.model import Scenario
from twin.stats import intervals
from twin.stats.feasibility import Cheapest
from twin.stats.limits import MISSED, OPEN, Judged
from twin.stats.nested import ASSUMED, DATA, FORECAST

_MOST = 1_000_000
# Ends what is said of a setting that only versions leave open.
NO_MORE = "more replications do not"
# Where no setting is found, the scenario as it is is judged at this look.
_LOOKS = 2
# What may tell more than replications, by the source of what is open.
_MORE = {
    DATA: "a longer history may tell",
    FORECAST: "a forecast nearer to its days may tell",
    ASSUMED: "measuring what is assumed may tell",
}


def results_of(
    plan: Plan,
    store: StudyStore,
    settings: Sequence[Mapping[str, Any]],
    scenarios: Sequence[Scenario],
    table: pd.DataFrame,
    judged: Cheapest,
    early: int,
    confidence: float,
    method: str,
) -> SearchResults:
    """Findings from what was played and judged.

    Parameters
    ----------
    plan : Plan
    store : StudyStore
    settings : sequence of mapping
        Level by factor; `scenarios`, `table` and `judged` have the same order.
    scenarios : sequence of Scenario
    table : DataFrame
        As in `SearchResults`, without verdict and replications.
    judged : Cheapest
    early : int
        Replications of the search, before the fresh ones.
    confidence : float
    method : str
    """
    base, best, cost = plan.bases[0], judged.best, plan.file.minimise
    numbers = [range(early, early + n) for n in judged.replications]

    def own_cost(k: int) -> float:
        pairs = store.values(scenarios[k], figure_of(cost), numbers[k] or range(early))
        over, under = zip(*pairs, strict=True)
        return intervals.ratio_interval(over, under)[0]

    def cost_of(k: int) -> float:
        return own_cost(k) if best is None else own_cost(best) + judged.ahead[k][0]

    targets = list(plan.file.targets)
    finalists = [
        {**settings[k], cost: cost_of(k)}
        | {name: one.value for name, one in zip(targets, judged.judged[k], strict=True)}
        | {"verdict": verdict}
        for k, verdict in enumerate(judged.verdicts)
        if judged.judged[k] and (verdict != MISSED or table["met"].iloc[k])
    ]
    wanted = sources_of(base)
    near = [
        {**settings[k], cost: cost_of(k), "difference": judged.ahead[k][0],
         "replications": judged.replications[k], "takes": _takes(plan, judged, k, wanted)}
        for k in (judged.near if best is not None else sorted(judged.near, key=own_cost))
    ]  # fmt: skip
    found = None if best is None else scenarios[best]
    # Without one found a number that no luck decides.
    same = range(early, early + judged.looks[:_LOOKS][-1]) if best is None else numbers[best]
    others: list[tuple[dict[str, str], Scenario]] = [({"scenario": TODAY}, base)]
    if best is not None:
        others += [
            ({"scenario": f"{name}={other}", "factor": name, "level": other}, one)
            for name, other, one in in_its_place(plan, settings[best])
        ]
    played = [
        *([(FOUND, found)] if found else []),
        *((about["scenario"], one) for about, one in others),
    ]
    # With all their figures.
    store.play([(one, k) for _, one in played for k in same], every=True)
    looks = len(judged.looks)
    # It raises where one of them failed.
    verdicts = [
        about | judged_beside(plan, store, one, same, looks, confidence, wanted)
        for about, one in others
    ]
    kpis = _kpis(store, played, same)
    figures = _figures(kpis, wanted)
    beside = tuple(
        row | {"changes": changes_from(kpis, row["scenario"], [*targets, cost], wanted)}
        for row in verdicts
    )
    names = rosters.names(plan.file.factors, base)
    changes = [
        {"factor": factor, "name": name, TODAY: level(as_in_base(base, plan, factor)),
         FOUND: "-" if best is None else level(settings[best][factor])}
        for factor, name in names.items()
    ]  # fmt: skip
    order = ["met", cost]
    table = table.assign(verdict=judged.verdicts, replications=judged.replications)
    # What is to be low may have a target, too.
    finalist_columns = [*dict.fromkeys((*plan.file.factors, cost, *targets, "verdict"))]
    near_columns = [*plan.file.factors, cost, "difference", "replications", "takes"]
    return SearchResults(
        name=plan.file.name,
        question=plan.file.question or base.question,
        scenario=found,
        statement=_statement(plan, judged, changes, own_cost, confidence, method, wanted)
        + _untold(plan, figures),
        method=method,
        table=table.sort_values(order, ascending=[False, True]).reset_index(drop=True),
        finalists=_frame(finalists, finalist_columns).sort_values(cost, ignore_index=True),
        near_misses=_frame(near, near_columns),
        changes=pd.DataFrame(changes),
        roster=_roster(found, base),
        figures=figures,
        beside=beside,
        played=store.played,
        notes=(*_remarks(table, cost), *_sources(plan, figures, wanted), *store.remarks()),
        manifest=as_run(plan),
    )


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame([[row[name] for name in columns] for row in rows], columns=list(columns))


def _remarks(table: pd.DataFrame, cost: str) -> list[str]:
    if table[cost].notna().any():
        return []
    return [f"{cost} is missing in every setting, so the cheapest one cannot be told"]


def _statement(
    plan: Plan,
    judged: Cheapest,
    changes: Sequence[Mapping[str, Any]],
    own_cost: Callable[[int], float],
    confidence: float,
    method: str,
    sources: Sequence[str],
) -> str:
    near, best = len(judged.near), judged.best
    sure = f"{confidence * 100:g} %"
    settings = f"{near} setting{'s' if near > 1 else ''}"
    if best is None:
        if not near:
            return f"no setting was found that meets the targets; {method}"
        played = sum(judged.replications)
        by_luck = any(one.more < math.inf for k in judged.near for one in judged.judged[k])
        more = "a larger budget may"
        if sources and not by_luck:
            more = f"{_MORE[sources[0]]}, a larger budget not"
        return (
            f"undecided: {settings} may meet the targets, but the {played} fresh replications that "
            f"were played do not show it at {sure} (see the near misses; {more}); {method}"
        )
    cost = plan.file.minimise
    price = amount(own_cost(best), FIGURES[figure_of(cost)[0]].unit)
    setting = "; ".join(f"{row['name']} = {row[FOUND]}" for row in changes)
    left = "every cheaper one that was played misses a target"
    if near:
        left = f"{settings} may be as good and no costlier: see the near misses"
    shown = f"shown by {judged.replications[best]} fresh replications at {sure}"
    if sources:
        shown += f", with what {_names(sources)} {_leave(sources)} open"
    return f"cheapest by {cost} ({price}) that meets the targets ({shown}): {setting}; {left}; " + (
        method
    )


def _sources(plan: Plan, figures: pd.DataFrame, sources: Sequence[str]) -> list[str]:
    """Sentences on what versions add to the intervals of cost and targets."""
    if not sources or figures.empty or FOUND not in set(figures["scenario"]):
        return []
    wanted = [figure_of(name) for name in (plan.file.minimise, *plan.file.targets)]
    rows = figures[figures["scenario"] == FOUND]
    told = [
        f"{label(row['kpi'], row['group'])} {row['half_width'] / row['alone']:.1f}"
        for row in rows.to_dict("records")
        if (row["kpi"], row["group"]) in wanted and row["alone"] > 0
    ]
    found = versions.spend(rows, [name for name, _ in wanted])
    wide = "as wide as by replications alone, with what versions leave open: "
    return [f"intervals are so many times {wide}{', '.join(told)}"] * bool(told) + found


def _leave(sources: Sequence[str]) -> str:
    return "leaves" if len(sources) == 1 and sources[0] != ASSUMED else "leave"


def _names(sources: Sequence[str]) -> str:
    return " and ".join(versions.NAMES[name] for name in sources)


def _untold(plan: Plan, figures: pd.DataFrame) -> str:
    """Warning where the one found may miss a target with other texts: no replication tells."""
    told = []
    for name, target in plan.file.targets.items():
        kpi, group = figure_of(name)
        for row in figures.to_dict("records"):
            if (row["scenario"], row["kpi"], row["group"]) == (FOUND, kpi, group) and row["texts"]:
                limit = limit_of(name, target)
                passed = row["high"] > limit.value if limit.at_most else row["low"] < limit.value
                if passed:
                    low, high = (amount(row[bound], row["unit"]) for bound in ("low", "high"))
                    told.append(
                        f"{label(kpi, group)} ({low} to {high} over {row['texts']:,} texts)"
                    )
    return f"; but with other texts it may miss a target: {', '.join(told)}" if told else ""


def _takes(plan: Plan, judged: Cheapest, k: int, sources: Sequence[str]) -> str:
    """Words for what is open about a near miss, and for what would settle it."""
    if not judged.judged[k]:
        return "not judged: the budget of replications was used up before"
    parts = [
        _one(name, one, sources)
        for name, one in zip(plan.file.targets, judged.judged[k], strict=True)
        if one.verdict == OPEN and judged.verdicts[k] == OPEN
    ]
    ahead, low, high = judged.ahead[k]
    unsure = " or ".join(["luck", *map(versions.NAMES.__getitem__, sources)])
    if not parts:
        parts.append("meets the targets")
    if low <= 0 <= high:
        unit = FIGURES[figure_of(plan.file.minimise)[0]].unit
        much = f"{amount(abs(ahead), unit)} {'less' if ahead < 0 else 'more'}"
        parts.append(
            f"costs {much}, which may be {unsure}" if ahead else "costs the same as the one found"
        )
    return "; ".join(parts)


def _one(name: str, one: Judged, sources: Sequence[str]) -> str:
    unit = FIGURES[figure_of(name)[0]].unit
    gap = signed(abs(one.gap), unit).removeprefix("+")
    more = "over a million" if one.more > _MOST else f"about {math.ceil(one.more):,}"
    if math.isnan(one.more):
        more = "an unknown number of"
    does = "misses" if one.gap > 0 else "meets"
    what = f"{label(*figure_of(name))} {amount(one.value, unit)} {does} the target by {gap}"
    if one.luck < 1 and one.more == math.inf:
        more = "a longer history may tell" if not sources else _MORE[sources[0]]
        return f"{what}, within what versions leave open: {more}, {NO_MORE}"
    return f"{what}, which may be luck: {more} more replications"


def _roster(found: Scenario | None, base: Scenario) -> pd.DataFrame:
    today = rosters.roster(base)
    if found is None:
        return today.assign(today=today["heads"]).iloc[:0]
    frame = rosters.roster(found)
    shift = ["pool", "days", "hours"]
    heads = {tuple(row[:3]): row[3] for row in today[[*shift, "heads"]].to_numpy()}
    # Two shifts with the same hours cannot be told apart.
    twice = today.duplicated(shift, keep=False).any() or frame.duplicated(shift).any()
    own = [None if twice else heads.get(tuple(row)) for row in frame[shift].to_numpy()]
    return frame.assign(today=pd.array(own, dtype="Float64").to_numpy(float, na_value=math.nan))


def _kpis(
    store: StudyStore, wanted: Sequence[tuple[str, Scenario]], numbers: Sequence[int]
) -> pd.DataFrame:
    """Figures by scenario and replication."""
    frames = []
    for name, scenario in wanted:
        for k in numbers:
            table = store.figures(scenario, k)
            if table is not None:
                frame = table.to_pandas().drop(columns=["scenario", "replication"], errors="ignore")
                frames.append(frame.assign(scenario=name, replication=k))
    return pd.concat(frames) if frames else pd.DataFrame()


def _figures(kpis: pd.DataFrame, sources: Sequence[str]) -> pd.DataFrame:
    """Figures with their intervals; with versions also `alone`, the half-width of luck alone."""
    if kpis.empty:
        return kpis
    alone = intervals.summarize(kpis)
    if not sources:
        return alone
    found = intervals.summarize(kpis, sources=dict.fromkeys(kpis["scenario"].unique(), sources))
    return found.assign(alone=alone["half_width"])
