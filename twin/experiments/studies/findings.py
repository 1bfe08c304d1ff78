"""Findings of a search: in memory, on disk, and as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from twin.common.files import read_sealed
from twin.common.text import amount, label, level
from twin.experiments import manifest as provenance
from twin.experiments.display import figure_rows, search_html
from twin.experiments.studies.results import MANIFEST as STUDY
from twin.experiments.studies.results import home
from twin.measures.figures import FIGURES, MAIN, figure_of
from twin.records import storage
from twin.scenario.model import Scenario

MANIFEST = "search.json"
FOUND, TODAY = "found", "today"
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
        A row a setting that was judged, and met the targets in the search or was not dropped since,
        cheapest first: the factors, then of the fresh replications cost (of others than the one
        found its cost and the difference on the same customers), a column a target, and verdict.
    near_misses : DataFrame
        A row a setting that may be what was looked for, cheapest first: the factors, cost,
        difference (to the cost of the one found), replications, takes (what would tell, in words).
    changes : DataFrame
        A row a factor: factor (its key), name, today, found.
    roster : DataFrame
        The week of the one found (no rows without one): columns of `twin.scenario.roster.roster`,
        and heads today where the same shift is there.
    figures : DataFrame
        Figures of the one found (scenario "found"), of the scenario as it is ("today") and of those
        beside it, on the same fresh replications, as from `twin.summarize`; without one found those
        of today alone.
    beside : tuple of mapping
        The scenario as it is, and the one found with another named level in its place, against the
        targets: scenario (its name in `figures`), of another level factor and level, all of
        `beside.judged_beside`, and changes, from `beside.changes_from`. Empty for a search of an
        older version.
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
    beside: tuple[Mapping[str, Any], ...] = ()
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


def save_search(results: SearchResults, out: Path) -> SearchResults:
    """Write the frames and a manifest into a new folder beside the replications."""
    folder = storage.new_run_folder(home(out, results.name), "", provenance.code_digest())
    manifest = {
        "study": results.name,
        "question": results.question,
        "statement": results.statement,
        "method": results.method,
        "found": None if results.scenario is None else results.scenario.as_data(),
        "notes": list(results.notes),
        "beside": [dict(one) for one in results.beside],
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "played": results.played,
        **results.manifest,
    }
    frames = {name: getattr(results, name) for name in _FRAMES}
    storage.write_frames(folder, frames, MANIFEST, manifest)
    return replace(results, path=folder, manifest=manifest)


def newest_search(path: Path) -> Path | None:
    """Folder of the search in it, or of the newest of its folders if that holds one."""
    if (path / MANIFEST).is_file():
        return path
    inside = [p.parent for name in (MANIFEST, STUDY) for p in path.glob(f"*/{name}")]
    newest = max(inside, key=storage.age, default=None)
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
        manifest = read_sealed(path / MANIFEST, "the manifest of a search")
        frames = {name: storage.read_frame(path / f"{name}.parquet") for name in _FRAMES}
        found = manifest["found"]
        return SearchResults(
            name=manifest["study"],
            question=manifest["question"],
            scenario=None if found is None else Scenario.model_validate(found),
            statement=manifest["statement"],
            method=manifest["method"],
            played=0,
            notes=tuple(manifest["notes"]),
            beside=tuple(manifest.get("beside", ())),
            path=path,
            manifest=manifest,
            **frames,
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} cannot be read: {why}") from None
