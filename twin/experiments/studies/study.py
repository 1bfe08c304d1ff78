"""Studies: every point of a design played, in one tidy frame; what is done is not done again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic_core import to_jsonable_python

from twin.common.parquet import as_frame
from twin.experiments.studies.design import Point, design
from twin.experiments.studies.file import Plan, read_study
from twin.experiments.studies.results import StudyResults, as_run, home, save_study
from twin.experiments.studies.store import Progress, StudyStore
from twin.records import storage

# Reasons of failures told in notes; the frame of failures has all.
_MOST_REASONS = 3


class StudyInterrupted(KeyboardInterrupt):
    """A study that was cut short; its text says what is whole and where."""


def study(
    source: str | Path | Mapping[str, Any],
    replications: int | None = None,
    workers: int = 1,
    out: str | Path | None = None,
    *,
    cluster: str | None = None,
    engine: str = "auto",
    resume: bool = True,
    progress: Progress | None = None,
) -> StudyResults:
    """Play every point of a study, with the same customers in each (common random numbers).

    Parameters
    ----------
    source : path or mapping
        A study file (TOML), or the same as data; see `twin.experiments.studies.file.StudyFile`.
    replications : int, optional
        Of each point, instead of the study's own.
    workers : int
        Processes; results do not depend on it.
    out : path, optional
        Folder of results. Figures go there as they come; what is there is not played again, and
        what failed is tried again. By default nothing is saved.
    cluster : str, optional
        Address of a Dask scheduler: its workers play instead.
    engine : str
        "simpy", "compiled" or "auto": see `twin.simulate`.
    resume : bool
        False plays everything, whatever is there.
    progress : callable, optional
        Called with the replications done and all of them.

    Returns
    -------
    StudyResults

    Raises
    ------
    ScenarioError
        If a point is no valid scenario; nothing is played then.
    ValueError
        If there are to be no replications or workers.
    StudyInterrupted
        On Ctrl-C; what was whole by then stays.
    ClusterError
        If the cluster cannot be used.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> plan = {"scenario": desk, "factors": {"arrivals.scale": [1, 1.5]}}
    >>> found = twin.study(plan, replications=2)
    >>> found.points["arrivals.scale"].tolist()
    [1.0, 1.5]
    """
    if replications is not None and replications < 1:
        raise ValueError("replications must be 1 or more")
    plan = read_study(source)
    points = design(plan)
    with store_for(plan, out, workers, cluster, engine) as store:
        wanted = [
            (point.scenario, k)
            for point in points
            for k in range(replications or point.scenario.replications)
        ]
        try:
            store.play(wanted, progress, again=not resume)
        except KeyboardInterrupt:
            raise StudyInterrupted(_what_is_left(store, wanted, out)) from None
        results = _collect(plan, points, store, replications)
        return results if out is None else save_study(results, Path(out))


@contextmanager
def store_for(
    plan: Plan,
    out: str | Path | None,
    workers: int,
    cluster: str | None,
    engine: str = "auto",
    asked: Iterable[str] = (),
    again: bool = False,
) -> Iterator[StudyStore]:
    """The store of a study's replications: below `out`, or in a folder that is gone afterwards."""
    if workers < 1:
        raise ValueError("workers must be 1 or more")
    if out is not None:
        folder = home(Path(out), plan.file.name) / "replications"
        with closing(StudyStore(folder.resolve(), workers, cluster, engine, asked, again)) as store:
            yield store
        return
    with TemporaryDirectory(prefix="twin-study-") as name:
        folder = Path(name).resolve()
        with closing(StudyStore(folder, workers, cluster, engine, asked, again)) as store:
            yield store


def _what_is_left(
    store: StudyStore, wanted: Sequence[tuple[Any, int]], out: str | Path | None
) -> str:
    parts = {(store.home(scenario), k) for scenario, k in wanted}
    whole = {home: set(storage.whole(home)) for home, _ in parts}
    done = sum(k in whole[home] for home, k in parts)
    there = f"in {store.folder}; the same command goes on from there"
    where = "nothing was kept" if out is None else there
    return f"interrupted: {done} of {len(wanted)} replications are whole, {where}"


def _collect(
    plan: Plan, points: Sequence[Point], store: StudyStore, replications: int | None
) -> StudyResults:
    kpis, failures, rows = [], [], []
    notes: dict[str, None] = {}
    for point in points:
        asked = replications or point.scenario.replications
        tables = [store.figures(point.scenario, k) for k in range(asked)]
        whole = [table for table in tables if table is not None]
        kpis += [(point, table) for table in whole]
        for k in range(asked):
            failed = store.failure(point.scenario, k) if tables[k] is None else None
            if failed is not None:
                failures.append((point, failed))
        labels = {"point": point.number, "scenario": point.scenario.name}
        rows.append(labels | point.factors | {"asked": asked, "whole": len(whole)})
        notes |= dict.fromkeys(store.notes(point.scenario))
    factors = tuple(points[0].factors)
    failed_rows = _joined(failures, "failures", factors)
    notes |= dict.fromkeys([*_said_of(failed_rows), *store.remarks()])
    file = plan.file
    return StudyResults(
        name=file.name,
        question=file.question or (plan.bases[0].question if len(plan.bases) == 1 else ""),
        factors=factors,
        frame=_joined(kpis, "kpis", factors),
        failures=failed_rows,
        points=pd.DataFrame(rows),
        shown=tuple(file.kpis),
        crossings=tuple(crossing.model_dump() for crossing in file.crossings),
        notes=tuple(notes),
        played=store.played,
        manifest=as_run(plan) | {"points_as_run": _as_run(points)},
    )


def _as_run(points: Iterable[Point]) -> dict[str, Any]:
    """Base and changes of each point for the manifest, as plain data, by the point's name."""
    data = {point.scenario.name: {"base": point.base, "changes": point.changes} for point in points}
    plain: dict[str, Any] = to_jsonable_python(data, fallback=str)
    return plain


def _said_of(table: pd.DataFrame) -> list[str]:
    """Reasons of failures, a sentence each; of many reasons the first few."""
    if table.empty:
        return []
    found = []
    for reason, rows in table.groupby(["stage", "type", "message"], sort=False):
        count = f"{len(rows)} replication{'s' if len(rows) > 1 else ''} failed"
        where = f"first at {rows['scenario'].iloc[0]}"
        found.append(f"{count}, {where} ({': '.join(map(str, reason))})")
    more = len(found) - _MOST_REASONS
    if more > 0:
        found[_MOST_REASONS:] = [f"replications failed for {more} more reasons: see the failures"]
    return found


def _joined(
    parts: Sequence[tuple[Point, pa.Table]], table: str, factors: Iterable[str]
) -> pd.DataFrame:
    """Tables of replications below each other, with their points' numbers, names and factors."""
    if not parts:
        own = storage.empty(table).drop(columns=["scenario"], errors="ignore")
        return pd.DataFrame(columns=["point", "scenario", *factors, "replication", *own])
    given = [one.drop_columns(["scenario"]) if "scenario" in one.column_names else one
             for _, one in parts]  # fmt: skip
    frame = as_frame(pa.concat_tables(given))
    points = pd.DataFrame([
        {"point": point.number, "scenario": point.scenario.name} | point.factors
        for point, _ in parts
    ])  # fmt: skip
    labels = points.iloc[np.repeat(np.arange(len(parts)), [len(one) for one in given])]
    return pd.concat([labels.reset_index(drop=True), frame], axis=1)
