"""Selection of the best point of a study: replications go where they tell most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.parquet import as_frame
from twin.common.text import signed
from twin.experiments.guards import lost, sizes, unlike
from twin.experiments.studies.design import Point, design
from twin.experiments.studies.file import Plan, limit_of, read_study
from twin.experiments.studies.store import Progress, StudyStore
from twin.experiments.studies.study import store_for
from twin.experiments.versions import sources_of
from twin.measures.figures import FIGURES, GUARDS, figure_of
from twin.scenario import roster
from twin.stats.differences import differences
from twin.stats.intervals import quantile_t
from twin.stats.limits import MET, MISSED, OPEN, judge
from twin.stats.nested import parts
from twin.stats.selection import Selection, kn, ocba

Method = Literal["kn", "ocba"]
# Replications of each point in a round; not the number of workers, on which nothing may depend.
_ROUND_KN, _ROUND_OCBA = 4, 10
_KEPT = {
    MET: "it meets the study's targets",
    MISSED: "it misses a target of the study",
    OPEN: "its intervals leave open whether it meets the study's targets",
}


@dataclass(frozen=True)
class Choice:
    """The best point of a study.

    Attributes
    ----------
    kpi : str
        The figure it is best in, as "kpi" or "kpi:group".
    best : str
        Name of the selected point.
    table : DataFrame
        A row a point: point, scenario, the factors, mean, replications, verdict (selected, ruled
        out, or not ruled out); if the study has targets also targets (met, missed or open, by the
        intervals of all points together).
    selection : Selection
        The procedure's own account.
    statement : str
        The claim, in a sentence.
    played : int
        Replications that this call played; the others were there from before.
    notes : tuple of str
        Remarks that a reader needs.
    names : dict of str to str
        Factors as people name them.
    """

    kpi: str
    best: str
    table: pd.DataFrame
    selection: Selection
    statement: str
    played: int
    notes: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)


def select(
    source: str | Path | Mapping[str, Any],
    kpi: str,
    indifference: float,
    *,
    method: Method = "kn",
    confidence: float = 0.95,
    first: int = 10,
    budget: int = 10_000,
    workers: int = 1,
    out: str | Path | None = None,
    cluster: str | None = None,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Choice:
    """Select the best point of a study.

    Parameters
    ----------
    source : path or mapping
        A study, see `twin.study`; its own number of replications does not apply.
    kpi : str
        A figure, with its group as in "service_level:urgent". Compared is its value a replication,
        averaged over replications.
    indifference : float
        The smallest difference that matters, in the figure's unit.
    method : {"kn", "ocba"}
        See `twin.stats.selection`.
    confidence : float
        Probability that the selected point is best, or within `indifference` of the best. On a
        desk with versions it is that of the luck of replications; points of which its history
        leaves open whether they are better are named.
    first : int
        Replications of every point before any is ruled out.
    budget : int
        Most replications in all.
    workers, out, cluster, engine, progress
        As for `twin.study`; `progress` is told what was played and the budget.

    Returns
    -------
    Choice

    Raises
    ------
    ScenarioError
        If a point is no valid scenario, or the figure has no better direction.
    RuntimeError
        If a replication fails: then nothing can be promised.
    ValueError
        If a parameter is out of range or the figure is missing in a replication.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> plan = {"scenario": desk, "factors": {"agents.all.heads": [1, 3]}}
    >>> twin.select(plan, "first_response_mean", 60, first=5).best
    'p1 heads=3'
    """
    figure = figure_of(kpi)
    better = FIGURES[figure[0]].better
    plan = read_study(source)
    if not better:
        reason = "neither more nor less of it is better, so none is best in it"
        raise ScenarioError(plan.file.name, [Fault("kpi", reason, kpi)])
    points = design(plan)
    asked = (kpi, *GUARDS, *plan.file.targets)
    with store_for(plan, out, workers, cluster, engine, asked) as store:

        def sample(settings: Sequence[int], begin: int, end: int) -> list[list[float]]:
            scenarios = [points[k].scenario for k in settings]
            store.play((one, r) for one in scenarios for r in range(begin, end))
            if progress is not None:
                progress(store.played, budget)
            found = [store.values(one, figure, range(begin, end)) for one in scenarios]
            return [[n / d if d else float("nan") for n, d in row] for row in found]

        larger = better == "higher"
        common: dict[str, Any] = {"larger": larger, "first": first, "budget": budget}
        if method == "kn":
            found = kn(sample, len(points), indifference, confidence, step=_ROUND_KN, **common)
        else:
            found = ocba(sample, len(points), indifference, confidence, step=_ROUND_OCBA, **common)
        kept = _targets(plan, points, store, found, confidence)
        flaw = _flaw(store, points, found, kpi)
        untold = _untold(store, points, found, kpi)
        left_open = _left_open(store, points, found, kpi, indifference, confidence)
        played, notes = store.played, (*_versions(plan), *store.remarks())
    rows: list[dict[str, Any]] = []
    for k, point in enumerate(points):
        verdict = "not ruled out" if k in found.left_in else "ruled out"
        rows.append(
            {"point": point.number, "scenario": point.scenario.name}
            | point.factors
            | {
                "mean": found.means[k],
                "replications": int(found.replications[k]),
                "verdict": "selected" if k == found.best else verdict,
            }
            | ({"targets": kept[k]} if kept else {})
        )
    best = points[found.best].scenario.name
    # Without "best", where the points do not tell it.
    place = "first" if flaw else "best"
    statement = _statement(found, best, kpi, indifference, method, place) + flaw
    if left_open is not None:
        statement = _with_versions(statement, best, kpi, left_open, found.decided)
    statement += untold
    if kept:
        statement += f"; {_KEPT[kept[found.best]]}"
    names = roster.names(points[0].factors, plan.bases[0] if len(plan.bases) == 1 else None)
    return Choice(kpi, best, pd.DataFrame(rows), found, statement, played, notes, names)


def _targets(
    plan: Plan, points: Sequence[Point], store: StudyStore, found: Selection, confidence: float
) -> list[str]:
    """Verdict on the study's targets for each point, by its intervals; empty without targets."""
    targets = plan.file.targets
    # As in `twin.stats.feasibility`, for one look: a point that misses must look good there too.
    met_error = (1 - confidence) / len(points)
    verdicts = []
    for point, played in zip(points, found.replications.tolist(), strict=True):
        of_point = set()
        for name, target in targets.items():
            pairs = store.values(point.scenario, figure_of(name), range(played))
            over, under = np.transpose(pairs)
            limit = limit_of(name, target)
            of_point.add(judge(over, under, limit, met_error, met_error / len(targets)).verdict)
        verdicts.append(next(one for one in (MISSED, OPEN, MET) if one in of_point or one == MET))
    return verdicts if targets else []


def _flaw(store: StudyStore, points: Sequence[Point], found: Selection, kpi: str) -> str:
    """Reason not to call the selected point the best: points are unlike, or customers are lost."""
    figure = FIGURES[figure_of(kpi)[0]]
    best = points[found.best]
    if reason := unlike(figure, (point.scenario for point in points)):
        return f"; the points {reason}, so none is called the best"
    if not figure.guarded:
        return ""
    # The rival that helps most customers shows what is lost.
    frames, helped = [], []
    for k, point in enumerate(points):
        for name in GUARDS:
            pairs = store.values(point.scenario, (name, ""), range(found.replications[k]))
            over, under = np.array(pairs).T
            frames.append(pd.DataFrame({
                "scenario": point.scenario.name, "replication": np.arange(len(pairs)), "kpi": name,
                "group": "", "unit": FIGURES[name].unit, "numerator": over, "denominator": under,
            }))  # fmt: skip
            if name == "solved":
                total = under.sum()
                helped.append(over.sum() / total if total and np.isfinite(over.sum()) else -1.0)
    rival = points[int(np.argmax(helped))].scenario.name
    if rival == best.scenario.name:
        return ""
    both = pd.concat(frames)
    both = both[both["scenario"].isin([best.scenario.name, rival])]
    rows = [(name, "") for name in GUARDS]
    table = differences(both, rival, rows, matters=sizes(best.scenario.targets.matters))
    watched: dict[str, Any] = {row["kpi"]: row for row in table.to_dict("records")}
    reason = lost(watched)
    return f"; it is not called the best, as against {rival} {reason}" if reason else ""


def _versions(plan: Plan) -> list[str]:
    """Note where replications are not independent, as versions of a desk are played."""
    if all(base.uncertainty is None for base in plan.bases):
        return []
    return [
        "the probability takes replications to be independent, but some in a row play the same "
        "version of the desk: it may be too high, and it is of luck alone; what the history or "
        "stated assumptions leave open is said beside it"
    ]


def _untold(store: StudyStore, points: Sequence[Point], found: Selection, kpi: str) -> str:
    """Warning where other texts may put the next best first: no number of replications tells."""
    name, group = figure_of(kpi)
    means = np.array(found.means) * (1 if FIGURES[name].better == "higher" else -1)
    means[found.best] = -np.inf
    rival = int(np.nanargmax(means)) if np.isfinite(means).any() else found.best
    if rival == found.best:
        return ""
    frames = []
    for k in (found.best, rival):
        for number in range(int(found.replications[k])):
            table = store.figures(points[k].scenario, number)
            if table is not None:
                one = as_frame(table)
                one = one[(one["kpi"] == name) & (one["group"] == group)]
                labels: dict[str, Any] = {"scenario": str(k), "replication": number}
                frames.append(one.assign(**labels))
    row = differences(pd.concat(frames, ignore_index=True), str(found.best), [(name, group)])
    if row.empty or not row["texts"].iloc[0] or not row["low"].iloc[0] <= 0 <= row["high"].iloc[0]:
        return ""
    return (
        f"; but it rests on {row['texts'].iloc[0]:,.0f} texts, and with other texts "
        f"{points[rival].scenario.name} may lead"
    )


@dataclass(frozen=True)
class _LeftOpen:
    """Points that may be better by more than matters, as far as versions tell.

    Attributes
    ----------
    rivals : tuple of str
    wide : float
        Most times by which an interval of a difference is wider than by replications alone.
    """

    rivals: tuple[str, ...]
    wide: float


def _left_open(
    store: StudyStore,
    points: Sequence[Point],
    found: Selection,
    kpi: str,
    indifference: float,
    confidence: float,
) -> _LeftOpen | None:
    """Points that versions leave open, by differences on the same versions; None without any.

    The selection promises what more replications would show, of the mean over versions.
    """
    sources = sources_of(points[found.best].scenario)
    if not sources or len({sources_of(point.scenario) for point in points}) > 1:
        return None
    sign = 1.0 if FIGURES[figure_of(kpi)[0]].better == "higher" else -1.0
    rivals, wide = [], 1.0
    for k, point in enumerate(points):
        if k == found.best:
            continue
        numbers = np.arange(int(min(found.replications[k], found.replications[found.best])))
        best, own = (
            np.array(store.values(one.scenario, figure_of(kpi), range(len(numbers)))).T
            for one in (points[found.best], point)
        )
        ahead = sign * (best[0] / best[1] - own[0] / own[1])
        split = parts(ahead[None, :], numbers, sources)
        # Each of the rivals may be the better one, so they share the error (Bonferroni).
        error = (1 - confidence) / (len(points) - 1)
        half = float((quantile_t(split.freedom, 1 - error) * np.sqrt(split.whole))[0])
        alone = float(quantile_t(len(numbers) - 1, 1 - error)) * ahead.std(ddof=1)
        alone /= np.sqrt(len(numbers))
        if not ahead.mean() - half >= -indifference:
            rivals.append(point.scenario.name)
        if k in found.left_in or point.scenario.name in rivals:
            wide = max(wide, half / alone if alone > 0 else 1.0)
    return _LeftOpen(tuple(rivals), wide)


def _with_versions(statement: str, best: str, kpi: str, left: _LeftOpen, decided: bool) -> str:
    """The claim with what the desk's history or stated ranges leave open of it."""
    if not decided:
        return (
            f"{statement}; with what versions leave open, intervals of differences from it are up "
            f"to {left.wide:.1f} times as wide as by replications alone"
        )
    if not left.rivals:
        return f"{statement}; that holds with what versions leave open, too"
    names = ", ".join(left.rivals[:3])
    names += f" and {len(left.rivals) - 3} more" if len(left.rivals) > 3 else ""
    return (
        f"{best} leads in {kpi}, but versions leave open whether {names} would be better by more "
        f"than matters: intervals of these differences are up to {left.wide:.1f} times as wide as "
        f"by replications alone, and a longer history makes them narrower, more replications do "
        f"not; of the luck of replications alone: {statement}"
    )


def _statement(
    found: Selection, best: str, kpi: str, indifference: float, method: Method, place: str
) -> str:
    size = signed(indifference, FIGURES[figure_of(kpi)[0]].unit).removeprefix("+")
    within = f"{place} in {kpi} or within {size} of the {place}"
    if not found.decided:
        return (
            f"{best} leads in {kpi}, but the budget ended before that was clear: "
            f"{len(found.left_in)} points are not ruled out after {found.total} replications"
        )
    if method == "kn":
        return (
            f"{best} is {within}, with probability at least {found.probability:g} "
            f"({found.total} replications; promised for normally distributed figures)"
        )
    return (
        f"{best} is {within}, with an estimated probability of {_probability(found)} "
        f"({found.total} replications)"
    )


def _probability(found: Selection) -> str:
    return "above 0.999" if found.probability > 0.999 else f"{found.probability:.3f}"
