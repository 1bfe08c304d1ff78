"""Replications of scenarios: played in this process or in workers, saved as they finish.

A replication is a pure function of its scenario (with the seed in it) and its number, so results
are the same whatever the number of workers. One that raises becomes a row in the failures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.desk.engines import engine_of
from twin.experiments import engine as places
from twin.experiments.checks import check, check_recording, expected_tickets
from twin.experiments.replication import (
    Played,
    Task,
    asks_live,
    lost,
    play,
    prepare,
    replicate,
    telling,
)
from twin.experiments.results import Results
from twin.experiments.streamed import streams
from twin.experiments.under_way import RunInProgress, under_way
from twin.measures.figures import figure_of
from twin.records import storage
from twin.records.columns import tables_kept
from twin.records.tables import RunLog
from twin.scenario.model import Scenario
from twin.stats import sequential

__all__ = ["Interrupted", "Played", "play", "run"]

Progress = Callable[[float, int], None]


class Interrupted(KeyboardInterrupt):
    """Runs that were cut short; the text says what is whole and where."""


def run(
    scenarios: Scenario | Sequence[Scenario],
    replications: int | None = None,
    workers: int = 1,
    seed: int | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
    *,
    precision: Mapping[str, float] | None = None,
    max_replications: int = sequential.MAX_REPLICATIONS,
    keep_logs: bool = False,
    event_log: bool = False,
    cluster: str | None = None,
    engine: str = "auto",
    tables: Sequence[str] | None = None,
    stream: bool | None = None,
) -> Results:
    """Play scenarios, each as often as it says, and measure.

    Parameters
    ----------
    scenarios : Scenario or sequence of Scenario
        With different names.
    replications, seed : int, optional
        Instead of the scenarios' own. The same seed in all means common random numbers.
    workers : int
        Processes; 1 plays everything in this one. Results do not depend on it. Calls of a live
        model are made by this process, whatever workers or cluster there are: there is one pace to
        keep, and one recording to write.
    out : path, optional
        Folder of results; each scenario's run gets a new folder in it. By default nothing is saved.
    progress : callable, optional
        Called with the replications done and all of them (so far), after each; also within one
        that is streamed, which counts as the share of it that is done.
    precision : mapping of str to float, optional
        Half-width of the 95 % interval wanted by figure ("service_level") or figure and group
        ("service_level:urgent"), in the figure's unit. Replications are added until it is reached;
        the scenario's own number, 10 or more, is the first stage. See `twin.stats.sequential` for
        what is promised. The notes say what was reached.
    max_replications : int
        With `precision`: never more than these for a scenario.
    keep_logs : bool
        Keep the tables in memory, for `Results.table` and `Results.log` without a folder.
    event_log : bool
        Also write an event log of each replication, as CSV and XES (with `out`).
    cluster : str, optional
        Address of a Dask scheduler: its workers play instead, and reach `out` by the same path.
    engine : str
        "simpy", "compiled" or "auto": see `twin.simulate`. Auto takes the compiled one where that
        is compiled already, or some millions of tickets are to come. The manifest says which one
        played.
    tables : sequence of str, optional
        Tables to write, with `out`: keys of `twin.records.columns.TABLES`; by default all. Figures
        and checks (kpis, sanity) are always written. What is not asked for is not there later.
    stream : bool, optional
        Whether a replication is never in memory as a whole: it is played to its tables and measured
        from them, with the same results (with `out` and the compiled engine). By default those of
        more than a million tickets are, where that can be. The manifest says so.

    Returns
    -------
    Results

    Raises
    ------
    ScenarioError
        If a scenario cannot run; nothing is played then.
    ValueError
        If a precision names no figure or is not above 0, or the engine cannot play or stream
        (EngineError).
    Interrupted
        On Ctrl-C; what was whole by then stays in its folder.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> results = twin.run(desk, replications=3)
    >>> [(run.scenario, run.status, run.whole) for run in results.runs]
    [('scenario', 'complete', 3)]
    """
    if workers < 1:
        raise ValueError("workers must be 1 or more")
    _check_precision(precision or {}, max_replications)
    kept = tables_kept(tables)
    desks = _prepare(scenarios, replications, seed)
    runs = [under_way(desk, precision, max_replications) for desk in desks]
    for one in runs:
        one.engine, one.tables = _engine(one, engine, cluster, stream), kept
        one.stream = _streams(one, stream, out is not None, keep_logs, event_log)
    workers = max(1, min(workers, sum(one.asked for one in runs if not one.live)))
    alone = workers == 1 and cluster is None
    done = 0

    def tell(done: float) -> None:
        if progress is not None:
            progress(done, sum(one.asked for one in runs))

    def within(share: float) -> None:
        tell(done + share)

    try:
        for one in runs:
            one.workers = 1 if one.live else workers if cluster is None else None
            one.begin(None if out is None else Path(out))
        while any(one.status == "running" for one in runs):
            tasks = [
                Task(
                    number,
                    one.scenario,
                    k,
                    one.folder,
                    keep_logs,
                    event_log,
                    one.engine,
                    kept,
                    stream=one.stream,
                )
                for number, one in enumerate(runs)
                for k in range(len(one.outcomes), one.asked)
            ]
            # Closed before anything is swept up: no worker writes after that.
            files = [path for one in runs if not one.live for path in one.read]
            played = places.each(
                replicate,
                tasks,
                workers,
                lost,
                cluster,
                here=asks_live,
                files=files,
                prepare=prepare,
            )
            with (
                closing(played) as outcomes,
                telling(within if alone else None),
            ):
                for outcome in outcomes:
                    runs[outcome.number].add(outcome)
                    done += 1
                    tell(done)
    except KeyboardInterrupt:
        _end_all(runs, "interrupted")
        raise Interrupted(_what_is_left(runs)) from None
    except BaseException:
        _end_all(runs, "failed")
        raise
    return _results(runs)


def _engine(one: RunInProgress, engine: str, cluster: str | None, stream: bool | None) -> str:
    if engine != "auto":
        return engine_of(one.scenario, engine)
    # Nobody knows whether the workers of a cluster have numba.
    if cluster is not None:
        return "simpy"
    tickets = math.inf if stream else one.asked * expected_tickets(one.scenario)
    return engine_of(one.scenario, engine, tickets)


def _streams(
    one: RunInProgress, wanted: bool | None, saved: bool, keep_logs: bool, event_log: bool
) -> bool:
    keeps = ""
    if not saved:
        keeps = "it is not saved"
    elif keep_logs:
        keeps = "its logs are kept in memory"
    elif event_log:
        keeps = "an event log is made of all its tickets"
    return streams(one.scenario, wanted, one.engine, expected_tickets(one.scenario), keeps)


def _check_precision(precision: Mapping[str, float], most: int) -> None:
    for name, half_width in precision.items():
        figure_of(name)
        if not (half_width > 0 and math.isfinite(half_width)):
            raise ValueError(f"precision of {name}: the half-width must be above 0")
    if precision and most < sequential.FIRST_STAGE:
        raise ValueError(f"a precision needs at least {sequential.FIRST_STAGE} replications")


def _prepare(
    scenarios: Scenario | Sequence[Scenario], replications: int | None, seed: int | None
) -> list[Scenario]:
    given = [scenarios] if isinstance(scenarios, Scenario) else list(scenarios)
    changes = {"replications": replications, "seed": seed}
    changes = {key: value for key, value in changes.items() if value is not None}
    desks = [desk.vary(changes, name=desk.name) if changes else desk for desk in given]
    names = [desk.name for desk in desks]
    for desk in desks:
        if names.count(desk.name) > 1:
            raise ScenarioError(desk.name, [Fault("name", "two scenarios have this name")])
        check(desk)
        check_recording(desk)
    return desks


def _end_all(runs: list[RunInProgress], status: str) -> None:
    for one in runs:
        if one.status == "running":
            # The error that ends all of them is told, not that one could not be written any more.
            with suppress(OSError):
                one.end(status)


def _what_is_left(runs: list[RunInProgress]) -> str:
    lines = []
    for one in runs:
        asked = one.asked
        where = f"in {one.folder}" if one.folder else "nothing was kept"
        whole = len(storage.whole(one.folder)) if one.folder else 0
        name = one.scenario.name
        lines.append(f"{name}: {one.status}, {whole} of {asked} replications are whole, {where}")
    return "\n".join(lines)


def _results(runs: list[RunInProgress]) -> Results:
    kpis, checks, failures = [], [], []
    logs: dict[tuple[str, int], tuple[RunLog, pd.DataFrame]] = {}
    for one in runs:
        name = one.scenario.name
        for outcome in sorted(one.outcomes, key=lambda outcome: outcome.replication):
            k = outcome.replication
            if outcome.kpis is not None:
                kpis.append((name, storage.as_arrow("kpis", k, outcome.kpis)))
            if outcome.sanity is not None:
                checks.append((name, storage.as_arrow("sanity", k, outcome.sanity)))
            if outcome.failure is not None:
                failures.append((name, storage.as_arrow("failures", k, outcome.failure)))
            if outcome.log is not None:
                logs[name, k] = outcome.log
    return Results(
        storage.join(kpis, "kpis"),
        storage.join(failures, "failures"),
        tuple(one.run() for one in runs),
        logs,
        storage.join(checks, "sanity"),
    )
