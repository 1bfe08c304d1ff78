"""Results of runs: figures, failures and tables, in memory or opened from their folders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from twin.common.errors import nearest
from twin.experiments import versions
from twin.experiments.display import results_html
from twin.measures import sanity
from twin.measures.figures import FIGURES
from twin.measures.inputs import told
from twin.records import storage
from twin.records.columns import RUN_TABLES, TABLES
from twin.records.far_tables import FarTable
from twin.scenario.model import Scenario
from twin.stats import batches, intervals

# So many missing files are named in a note.
_MOST_NAMED = 3

if TYPE_CHECKING:
    from twin.records.tables import RunLog


@dataclass(frozen=True)
class Run:
    """Facts about one scenario's run.

    Attributes
    ----------
    scenario, question : str
        Name of the scenario, and what it answers.
    status : str
        complete, interrupted, failed, incomplete (files of it are missing since), or running (also
        if it was killed).
    asked, whole, failed : int
        Replications: wanted, finished with all their tables, ended by an exception.
    path : Path or None
        Its folder; None if it was not saved.
    notes : tuple of str
        What the reader of the results must know.
    manifest : mapping
        The scenario as run, seed, versions, code and more, as in its manifest.json.
    """

    scenario: str
    question: str
    status: str
    asked: int
    whole: int
    failed: int
    path: Path | None = None
    notes: tuple[str, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Results:
    """Results of one or several runs.

    Attributes
    ----------
    kpis : DataFrame
        Columns scenario, replication and those of the table kpis.
    failures : DataFrame
        A row a replication that raised: columns replication and those of the table failures.
    runs : tuple of Run
    """

    kpis: pd.DataFrame
    failures: pd.DataFrame
    runs: tuple[Run, ...]
    _logs: Mapping[tuple[str, int], tuple[RunLog, pd.DataFrame]] = field(
        default_factory=dict, repr=False
    )
    _checks: pd.DataFrame = field(default_factory=lambda: storage.join([], "sanity"), repr=False)

    def summary(self, level: float = 0.95) -> pd.DataFrame:
        """Every figure over its replications, with its interval; see `twin.summarize`.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> summary = twin.run(desk, replications=3).summary()
        >>> list(summary)[4:9]
        ['value', 'low', 'high', 'half_width', 'replications']
        """
        return intervals.summarize(self.kpis, level, self.sources)

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Sources of uncertainty beside luck, of the scenarios that are played in versions."""
        found = {}
        for run in self.runs:
            given = run.manifest.get("scenario_as_run", {}).get("uncertainty")
            if wanted := versions.sources(given):
                found[run.scenario] = wanted
        return found

    def _repr_html_(self) -> str:
        summary = self.summary() if len(self.kpis) else self.kpis
        whole, asked, failed = (
            sum(getattr(run, name) for run in self.runs) for name in ("whole", "asked", "failed")
        )
        return results_html(summary, whole, asked, failed, (*self.unset(), *self.notes))

    def sanity(self) -> pd.DataFrame:
        """Checks that runs add up: conservation, Little's law, Erlang's bound where one applies.

        Returns
        -------
        DataFrame
            Columns scenario, check, replications, expected, found, ok; of each check the worst
            replication. See `twin.measures.sanity`.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> bool(twin.run(desk, replications=2).sanity()["ok"].all())
        True
        """
        tables = [sanity.overall(self._checks)]
        for run in self.runs:
            kpis = self.kpis[self.kpis["scenario"] == run.scenario]
            tables.append(sanity.erlang(kpis, run.scenario, run.manifest.get("erlang_bounds", {})))
        return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)

    def long_run(self, scenario: str | None = None) -> pd.DataFrame:
        """Intervals from batch means of the first replication, for a run with just one.

        See `twin.stats.batches.long_run`; the tables must have been saved or kept.

        Raises
        ------
        ValueError
            If there is no such scenario, or the tables are not there.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> results = twin.run(desk.vary({"horizon": "28d"}), replications=1, keep_logs=True)
        >>> row = results.long_run().query("kpi == 'backlog'").iloc[0]
        >>> bool(row["low"] < row["value"] < row["high"])
        True
        """
        runs = {run.scenario: run for run in self.runs}
        name = scenario or self.runs[0].scenario
        if name not in runs:
            raise ValueError(f"no scenario {name!r}; {nearest(name, runs)}")
        run = runs[name]
        warm_up_s = float(run.manifest.get("pairs_by", {}).get("warm_up_s", 0.0))
        if run.path is not None and run.manifest.get("streamed"):
            far = {name: FarTable(run.path, name, 0) for name in batches.COLUMNS}
            return batches.long_run_of(lambda n: far[n].frames(batches.COLUMNS[n]), warm_up_s)
        tables = (self.table(table) for table in ("tickets", "levels"))
        first = [
            table[(table["scenario"] == name) & (table["replication"] == 0)] for table in tables
        ]
        return batches.long_run(first[0], first[1], warm_up_s)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Folders of the runs that were saved."""
        return tuple(run.path for run in self.runs if run.path is not None)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks that the reader needs, each once."""
        return tuple(dict.fromkeys(note for run in self.runs for note in run.notes))

    def unset(self, figures: Collection[str] = tuple(FIGURES)) -> tuple[str, ...]:
        """Keys that nobody set and that figures rest on, a line each; see `twin.measures.inputs`.

        Parameters
        ----------
        figures : collection of str
            Lines about none of these are left out.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> twin.run(desk, replications=2).unset(["human_cost"])
        ('not known: human_cost; set agents.all.cost',)
        """
        lines: dict[str, list[str]] = {}
        for run in self.runs:
            data = run.manifest.get("scenario_as_run")
            for line in told(Scenario.model_validate(data), figures) if data else ():
                lines.setdefault(line, []).append(run.scenario)
        return tuple(
            line if len(names) == len(self.runs) else f"{line} ({', '.join(names)})"
            for line, names in lines.items()
        )

    def log(self, scenario: str, replication: int = 0) -> RunLog:
        """The log of a replication, if ``twin.run(..., keep_logs=True)`` kept it.

        Raises
        ------
        KeyError
            If it was not kept.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> log = twin.run(desk, replications=2, keep_logs=True).log("scenario", replication=1)
        >>> log.horizon_s
        86400.0
        """
        try:
            return self._logs[scenario, replication][0]
        except KeyError:
            raise KeyError(
                f"no log of replication {replication} of {scenario!r}: run with keep_logs=True"
            ) from None

    def table(self, name: str) -> pd.DataFrame:
        """A table of all runs and replications.

        Parameters
        ----------
        name : str
            A key of `twin.records.columns.TABLES`, such as "tickets".

        Returns
        -------
        DataFrame
            Columns scenario and replication in front of the table's own.

        Raises
        ------
        KeyError
            If there is no such table.
        ValueError
            If the run was neither saved nor its logs kept, or a file is damaged.

        Examples
        --------
        >>> import twin
        >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
        ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
        >>> tickets = twin.run(desk, replications=2, keep_logs=True).table("tickets")
        >>> sorted(set(tickets["replication"]))
        [0, 1]
        """
        if name not in TABLES:
            raise KeyError(f"no table {name!r}; tables: {', '.join(TABLES)}")
        own = {"kpis": self.kpis, "failures": self.failures, "sanity": self._checks}
        if name in own:
            return own[name]
        if self.paths:
            return storage.read_table(_named(self.runs), name)
        if not self._logs:
            raise ValueError("tables were not kept: run with out=FOLDER or keep_logs=True")
        tables = [
            (
                scenario,
                storage.as_arrow(name, k, levels if name == "levels" else getattr(log, name)),
            )
            for (scenario, k), (log, levels) in self._logs.items()
        ]
        return storage.join(tables, name)


def _named(runs: Iterable[Run]) -> list[tuple[str, Path]]:
    return [(run.scenario, run.path) for run in runs if run.path is not None]


def open_results(*paths: str | Path) -> Results:
    """Open saved runs.

    Parameters
    ----------
    *paths : str or Path
        Folders of runs, or of scenarios (the newest run in it is taken).

    Raises
    ------
    ValueError
        If a folder is neither, holds nothing whole, or two runs are of the same scenario.

    Examples
    --------
    >>> import tempfile, twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = twin.run(desk, replications=2, out=folder)
    ...     again = twin.open_results(*saved.paths)
    >>> again.kpis.equals(saved.kpis)
    True
    """
    if not paths:
        raise ValueError("give the folder of a run")
    runs = tuple(_open(_run_folder(Path(path))) for path in paths)
    names = [run.scenario for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two of these runs are of the scenario {name!r}: open them apart")
    named = _named(runs)
    # Runs from before there was such a table have none.
    checked = [pair for pair in named if storage.parts(pair[1], "sanity")]
    return Results(
        storage.read_table(named, "kpis"),
        storage.read_table(named, "failures"),
        runs,
        _checks=storage.read_table(checked, "sanity"),
    )


def _run_folder(path: Path) -> Path:
    if path.is_file():
        raise ValueError(f"{path} is a file: name a folder of results, as `twin run` prints it")
    if not path.is_dir():
        raise ValueError(f"no such folder: {path}")
    if (path / storage.MANIFEST).is_file():
        return path
    inside = sorted(p.parent for p in path.glob(f"*/{storage.MANIFEST}"))
    if inside:
        return max(inside, key=storage.age)
    below = sorted({p.parent.parent.name for p in path.glob(f"*/*/{storage.MANIFEST}")})
    if below:
        raise ValueError(f"{path} holds several scenarios, open one of them: {', '.join(below)}")
    raise ValueError(f"{path} holds no run: no {storage.MANIFEST} in it or in its folders")


def _missing(folder: Path, tables: Iterable[str], whole: Sequence[int]) -> list[str]:
    """Parts of whole replications that are not there, as table/replication."""
    found = {table: storage.parts(folder, table) for table in tables}
    return [
        f"{table}/r{number:04d}.parquet"
        for table, there in found.items()
        for number in whole
        if number not in there
    ]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _open(folder: Path) -> Run:
    manifest: dict[str, Any] = storage.read_manifest(folder)
    whole, failed = storage.whole(folder), storage.parts(folder, "failures")
    told = {k: n for k, n in manifest.get("replications", {}).items() if type(n) is int}
    asked = told.get("asked", len(whole))
    # On a full disk a failure is counted, but there is no file of it.
    failures = max(len(failed), told.get("failed", 0))
    status = str(manifest["status"])
    notes = [str(note) for note in manifest.get("notes", [])]
    if not whole and not failed:
        raise ValueError(f"{folder}: no replication is whole (status: {status})")
    # Older runs do not say which tables they have.
    lost = _missing(folder, map(str, manifest.get("tables", ())), whole)
    gone = asked - len(whole) - failures
    if status == "complete" and (lost or gone > 0):
        status = "incomplete"
        lost = lost or [f"{gone} replications"]
        notes.append(f"{manifest['scenario']}: files of the run are missing: {_some(lost)}")
    if len(whole) < asked:
        why = {
            "running": "it is still under way or was killed",
            "interrupted": "it was interrupted",
            "incomplete": f"{failures} failed, the others are missing",
        }.get(status, f"{failures} failed")
        notes.append(
            f"{manifest['scenario']}: {len(whole)} of {asked} replications are whole; {why}"
        )
    begun = {n for table in RUN_TABLES for n in storage.parts(folder, table)}
    torn = len(begun - set(whole) - set(failed))
    if torn:
        notes.append(f"{manifest['scenario']}: {torn} unfinished replications are left out")
    return Run(
        scenario=str(manifest["scenario"]),
        question=str(manifest.get("question", "")),
        status=status,
        asked=asked,
        whole=len(whole),
        failed=failures,
        path=folder,
        notes=tuple(notes),
        manifest=manifest,
    )
