"""Findings of a search: in memory, on disk, and as tables for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from twin.common.files import read_json, write_json, write_parquet
from twin.common.text import amount, label, level, signed
from twin.experiments import manifest as provenance
from twin.experiments.display import figure_rows, search_html
from twin.experiments.studies.design import as_in_base
from twin.experiments.studies.file import Plan
from twin.experiments.studies.results import MANIFEST as STUDY
from twin.experiments.studies.results import age, as_run, home
from twin.experiments.studies.store import StudyStore
from twin.measures.figures import FIGURES, MAIN, figure_of
from twin.records import storage
from twin.scenario import roster as rosters
from twin.scenario.model import Scenario
from twin.stats import intervals
from twin.stats.feasibility import MISSED, OPEN, Cheapest, Judged

MANIFEST = "search.json"
FOUND, TODAY = "found", "today"
_MOST = 1_000_000
# A table for people names no more near misses than these.
_NAMED = 10


@dataclass(frozen=True)
class SearchResults:
    """Findings of a search.

    Attributes
    ----------
    name, question : str
        Of the study.
    scenario : Scenario or None
        The cheapest setting that was shown to meet the targets; None if none was.
    statement : str
        The finding in a sentence.
    method : str
        The way in which the space was searched.
    table : DataFrame
        A row a setting that was played: the factors, cost, a column a target, met (all by the
        replications of the search, so only where to look), verdict (of the fresh replications:
        met, missed, open), replications (fresh ones).
    finalists : DataFrame
        A row a setting that met the targets in the search or was not dropped since, cheapest first:
        the factors, then of the fresh replications cost (of others than the one found its cost and
        the difference on the same customers), a column a target, and verdict.
    near_misses : DataFrame
        A row a setting that may be what was looked for, cheapest first: the factors, cost,
        difference (to the cost of the one found), replications, takes (what would tell, in words).
    changes : DataFrame
        A row a factor: factor (its key), name, today, found.
    roster : DataFrame
        The week of the one found (no rows without one): columns of
        `twin.scenario.roster.roster`, and heads today where the same shift is there.
    figures : DataFrame
        Figures of the one found (scenario "found") and of the scenario as it is ("today") on the
        same fresh replications, as from `twin.summarize`.
    played : int
        Replications that this call played; the others were there from before.
    notes : tuple of str
        Remarks that a reader needs.
    path : Path or None
        Folder it was saved in.
    manifest : mapping
        The study and its scenario as run, versions and more, as in its search.json.
    """

    name: str
    question: str
    scenario: Scenario | None
    statement: str
    method: str
    table: pd.DataFrame
    finalists: pd.DataFrame
    near_misses: pd.DataFrame
    changes: pd.DataFrame
    roster: pd.DataFrame
    figures: pd.DataFrame
    played: int
    notes: tuple[str, ...] = ()
    path: Path | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Caption, heads and rows of the tables that answer, as people read them.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> plan = {"scenario": desk, "factors": {"agents.all.heads": [1, 2]},
        ...         "minimise": "occupancy", "targets": {"agent_wait_mean": {"at_most": 60.0}}}
        >>> [caption for caption, heads, rows in twin.search(plan, 2).tables()]
        ['What changes', 'Roster of a week', 'Main figures']
        """
        found = []
        if self.scenario is not None:
            found = [
                ("What changes", ["", TODAY, FOUND], _texts(self.changes[["name", TODAY, FOUND]])),
                ("Roster of a week", list(_ROSTER), _roster_rows(self.roster)),
                ("Main figures", ["figure", TODAY, FOUND],
                 figure_rows(self.figures, MAIN, [TODAY, FOUND])),
            ]  # fmt: skip
        names = dict(zip(self.changes["factor"], self.changes["name"], strict=True))
        cost = str(self.near_misses.columns[len(names)])
        unit = FIGURES[figure_of(cost)[0]].unit
        near = [
            [*map(level, row[: len(names)]), amount(row[len(names)], unit), str(row[-1])]
            for row in self.near_misses.head(_NAMED).itertuples(index=False)
        ]
        heads = [*names.values(), label(*figure_of(cost)), "what it would take to tell"]
        more = len(self.near_misses) - _NAMED
        caption = "Near misses" + (f", the cheapest {_NAMED} of {more + _NAMED}" * (more > 0))
        return [table for table in [*found, (caption, heads, near)] if table[2]]

    def _repr_html_(self) -> str:
        return search_html((self.name, self.question), self.statement, self.tables(), self.notes)


_ROSTER = ("pool", "days", "hours", "heads", TODAY, "agent hours a week", "cost a week")
_FRAMES = tuple(one.name for one in fields(SearchResults) if one.type == "pd.DataFrame")


def _texts(frame: pd.DataFrame) -> list[list[str]]:
    return [[level(cell) for cell in row] for row in frame.itertuples(index=False)]


def _roster_rows(roster: pd.DataFrame) -> list[list[str]]:
    rows = [
        [str(row["pool"]), str(row["days"]), str(row["hours"]), level(row["heads"]),
         level(float(row[TODAY])), f"{row['agent_hours']:,.0f}", amount(row["cost"], "USD")]
        for row in roster.to_dict("records")
    ]  # fmt: skip
    if len(rows) > 1:
        hours, cost = roster["agent_hours"].sum(), roster["cost"].sum(skipna=False)
        rows.append(["all", "", "", "", "", f"{hours:,.0f}", amount(cost, "USD")])
    return rows


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
    near = [
        {**settings[k], cost: cost_of(k), "difference": judged.ahead[k][0],
         "replications": judged.replications[k], "takes": _takes(plan, judged, k)}
        for k in (judged.near if best is not None else sorted(judged.near, key=own_cost))
    ]  # fmt: skip
    found = None if best is None else scenarios[best]
    tables = {}
    if found is not None and best is not None:
        store.play((base, k) for k in numbers[best])
        tables = {FOUND: (found, numbers[best]), TODAY: (base, numbers[best])}
    names = rosters.names(plan.file.factors, base)
    changes = [
        {"factor": factor, "name": name, TODAY: level(as_in_base(base, plan, factor)),
         FOUND: "-" if best is None else level(settings[best][factor])}
        for factor, name in names.items()
    ]  # fmt: skip
    order = ["met", cost]
    table = table.assign(verdict=judged.verdicts, replications=judged.replications)
    finalist_columns = [*plan.file.factors, cost, *targets, "verdict"]
    near_columns = [*plan.file.factors, cost, "difference", "replications", "takes"]
    return SearchResults(
        name=plan.file.name,
        question=plan.file.question or base.question,
        scenario=found,
        statement=_statement(plan, judged, changes, own_cost, confidence, method),
        method=method,
        table=table.sort_values(order, ascending=[False, True]).reset_index(drop=True),
        finalists=_frame(finalists, finalist_columns).sort_values(cost, ignore_index=True),
        near_misses=_frame(near, near_columns),
        changes=pd.DataFrame(changes),
        roster=_roster(found, base),
        figures=_figures(store, tables),
        played=store.played,
        notes=(*_remarks(table, cost), *store.remarks()),
        manifest=as_run(plan),
    )


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame([[row[name] for name in columns] for row in rows], columns=list(columns))


def _remarks(table: pd.DataFrame, cost: str) -> list[str]:
    if table[cost].notna().any():
        return []
    return [f"{cost} is missing in every setting, so none can be the cheapest"]


def _statement(
    plan: Plan,
    judged: Cheapest,
    changes: Sequence[Mapping[str, Any]],
    own_cost: Any,
    confidence: float,
    method: str,
) -> str:
    near, best = len(judged.near), judged.best
    sure = f"{confidence * 100:g} %"
    settings = f"{near} setting{'s' if near > 1 else ''}"
    if best is None:
        text = f"no setting was found that meets the targets; {method}"
        if near:
            text += (
                f"; {settings} may meet them, but {sum(judged.replications)} fresh replications "
            )
            text += f"do not show it at {sure}: see the near misses"
        return text
    cost = plan.file.minimise
    price = amount(own_cost(best), FIGURES[figure_of(cost)[0]].unit)
    setting = "; ".join(f"{row['name']} = {row[FOUND]}" for row in changes)
    left = "every cheaper one that was played misses a target"
    if near:
        left = f"{settings} may be as good and no costlier: see the near misses"
    shown = f"shown by {judged.replications[best]} fresh replications at {sure}"
    return f"cheapest by {cost} ({price}) that meets the targets ({shown}): {setting}; {left}; " + (
        method
    )


def _takes(plan: Plan, judged: Cheapest, k: int) -> str:
    """Words for what is open about a near miss, and for what would settle it."""
    if not judged.judged[k]:
        return "not judged: the budget of replications was used up before"
    parts = [
        _one(name, one)
        for name, one in zip(plan.file.targets, judged.judged[k], strict=True)
        if one.verdict == OPEN and judged.verdicts[k] == OPEN
    ]
    ahead, low, high = judged.ahead[k]
    if not parts:
        parts.append("meets the targets")
    if low <= 0 <= high:
        unit = FIGURES[figure_of(plan.file.minimise)[0]].unit
        much = f"{amount(abs(ahead), unit)} {'less' if ahead < 0 else 'more'}"
        parts.append(
            f"costs {much}, which may be luck" if ahead else "costs the same as the one found"
        )
    return "; ".join(parts)


def _one(name: str, one: Judged) -> str:
    unit = FIGURES[figure_of(name)[0]].unit
    gap = signed(abs(one.gap), unit).removeprefix("+")
    more = "over a million" if one.more > _MOST else f"about {math.ceil(one.more):,}"
    if math.isnan(one.more):
        more = "an unknown number of"
    what = f"{label(*figure_of(name))} {amount(one.value, unit)}"
    if one.gap > 0:
        return f"{what} misses the target by {gap}, which may be luck: {more} more replications"
    return f"{what} meets the target by {gap}, which may be luck: {more} more replications"


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


def _figures(
    store: StudyStore, wanted: Mapping[str, tuple[Scenario, Sequence[int]]]
) -> pd.DataFrame:
    frames = []
    for name, (scenario, numbers) in wanted.items():
        for k in numbers:
            table = store.figures(scenario, k)
            if table is not None:
                frame = table.to_pandas().drop(columns=["scenario", "replication"], errors="ignore")
                frames.append(frame.assign(scenario=name, replication=k))
    return intervals.summarize(pd.concat(frames)) if frames else pd.DataFrame()


def save_search(results: SearchResults, out: Path) -> SearchResults:
    """Write the frames and a manifest into a new folder beside the replications."""
    folder = storage.new_run_folder(home(out, results.name), "", provenance.code_digest())
    for name in _FRAMES:
        table = pa.Table.from_pandas(getattr(results, name), preserve_index=False)
        write_parquet(folder / f"{name}.parquet", table)
    manifest = {
        "study": results.name,
        "question": results.question,
        "statement": results.statement,
        "method": results.method,
        "found": None if results.scenario is None else results.scenario.as_data(),
        "notes": list(results.notes),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "played": results.played,
        **results.manifest,
    }
    # Last, so that a folder with a manifest is whole.
    write_json(folder / MANIFEST, manifest)
    return replace(results, path=folder, manifest=manifest)


def newest_search(path: Path) -> Path | None:
    """Folder of the search in it, or of the newest of its folders if that holds one."""
    if (path / MANIFEST).is_file():
        return path
    inside = [p.parent for name in (MANIFEST, STUDY) for p in path.glob(f"*/{name}")]
    newest = max(inside, key=age, default=None)
    return newest if newest is not None and (newest / MANIFEST).is_file() else None


def open_search(path: str | Path) -> SearchResults:
    """Open a saved search.

    Parameters
    ----------
    path : str or Path
        Its folder, which has a search.json.

    Raises
    ------
    ValueError
        If it is none, or a file is damaged.
    """
    path = Path(path)
    try:
        manifest = read_json(path / MANIFEST, "the manifest of a search")
        frames = {name: pd.read_parquet(path / f"{name}.parquet") for name in _FRAMES}
        found = manifest["found"]
        return SearchResults(
            name=manifest["study"],
            question=manifest["question"],
            scenario=None if found is None else Scenario.model_validate(found),
            statement=manifest["statement"],
            method=manifest["method"],
            played=0,
            notes=tuple(manifest["notes"]),
            path=path,
            manifest=manifest,
            **frames,
        )
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
