"""Variants of a scenario, each told more of the test, and their runs.

Forecast (F): nothing of the test is known. Arrivals given (V): its tickets come when they came.
Roster given (VR): who worked is given, too. In sample: the training days with their arrivals given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twin.common.formulas import harmless, unguarded
from twin.demand.mix import channel_names
from twin.demand.tickets import category_names
from twin.experiments.run import run
from twin.history.fidelity.period import Period, period
from twin.history.priorities import priorities_of
from twin.history.told import Told
from twin.measures import levels
from twin.records.tables import RunLog
from twin.scenario import clock
from twin.scenario.clock import DAY_S, WEEK_S
from twin.scenario.model import PRIORITIES, Scenario, from_data

FORECAST, ARRIVALS, ROSTER, SAMPLE = "F", "V", "VR", "in sample"
WORDS = {
    FORECAST: "forecast: nothing of the test is known",
    ARRIVALS: "the test's arrivals are given",
    ROSTER: "the test's arrivals and roster are given",
    SAMPLE: "training days, with their arrivals given",
}
# Trace files have categories where at least this share of tickets has one that the scenario knows.
_KNOWN = 0.5
_EXACT = Told()
# Time after the last day for tickets of which none came.
_AFTER_S = 60.0
# A desk that has more of a day's tickets open at midnight does not start empty (both assumed).
CARRIED, LEAD = 0.05, 14


def at(scenario: Scenario, days: Sequence[int], name: str, lead: int = 0) -> Scenario:
    """A scenario played over other days: from so many before them as it warms up, to their end.

    What the scenario says of its first day (level of arrivals and of handle times, where they
    grow; factors of days, surges) keeps its date. Its versions are left out: its
    numbers are taken as they stand.

    Parameters
    ----------
    scenario : Scenario
    days : sequence of int
        Ordinals of local dates; gaps between them are played, too.
    name : str
        Of the new scenario.
    lead : int
        Days that it warms up for at least, where tickets stay open from day to day.
    """
    before = timedelta(days=max(lead, int(np.ceil(scenario.warm_up / DAY_S))))
    first, last = date.fromordinal(min(days)), date.fromordinal(max(days))
    start = first - before
    begun = clock.midnight(start, scenario.zone)
    moved_s = begun.timestamp() - scenario.midnight.timestamp()
    weeks = moved_s / WEEK_S
    data = scenario.as_data()
    data.pop("uncertainty", None)
    data["start"], data["name"] = start.isoformat(), name
    data["horizon"] = f"{clock.moment(last + timedelta(days=1), 0.0, begun)}s"
    data["warm_up"] = f"{clock.moment(first, 0.0, begun)}s"
    arrivals = data["arrivals"]
    if scenario.arrivals.growth:
        arrivals["scale"] = scenario.arrivals.scale * (1 + scenario.arrivals.growth) ** weeks
    if factors := scenario.arrivals.day_factors:
        dates = (start + timedelta(days=k) for k in range((last - start).days + 1))
        places = [(day - scenario.start).days for day in dates]
        arrivals["day_factors"] = [factors[k] if 0 <= k < len(factors) else 1.0 for k in places]
    surges = []
    for given, surge in zip(arrivals.get("surges", ()), scenario.arrivals.surges, strict=False):
        begin, end = surge.start - moved_s, surge.start + surge.length - moved_s
        if end > 0:
            begin = max(begin, 0.0)
            surges.append(given | {"start": f"{begin}s", "length": f"{end - begin}s"})
    if "surges" in arrivals:
        arrivals["surges"] = surges
    for key, pool in scenario.agents.items():
        if pool.handle_growth:
            scale = pool.handle_scale * (1 + pool.handle_growth) ** weeks
            data["agents"][key]["handle_scale"] = scale
    if moved_s > 0:
        # Open tickets of another day are not those of this one.
        data.pop("backlog", None)
    return from_data(data, name)


def lead_of(log: RunLog, desk: Scenario, days: Sequence[int]) -> int:
    """Days that a run takes to fill up as the desk was at the start of some days.

    None where next to nothing was open then; else 14 (assumed), or as many as the log has before.
    """
    first = date.fromordinal(min(days))
    at_s = clock.moment(first, 0.0, desk.midnight)
    level = levels.backlog(log)
    open_ = int(level.values[np.searchsorted(level.times, at_s, side="right") - 1])
    a_day = len(log.tickets) / (log.horizon_s / DAY_S)
    return min(LEAD, (first - desk.start).days) if open_ > CARRIED * a_day else 0


def with_arrivals(scenario: Scenario, log: RunLog, desk: Scenario, file: str | Path) -> Scenario:
    """A scenario whose tickets come as they came: a trace of a log, written to a file.

    Who left before joining the queue is left out. Categories, priorities and channels are the log's
    where it has them. A category or channel that the scenario names and of which none comes has one
    ticket in a minute after the end, which counts nowhere: so each name is one that tickets have.

    Parameters
    ----------
    scenario : Scenario
        Its start and horizon say which part of the log.
    log : RunLog
    desk : Scenario
        It says when the log starts.
    file : path
        A new CSV; it must stay while the scenario is in use.
    """
    ahead_s = scenario.midnight.timestamp() - desk.midnight.timestamp()
    first = desk.start.toordinal()
    every = range(first, first + int(log.horizon_s // DAY_S) + 2)
    ids = period(log, desk, every).tickets["ticket_id"].to_numpy()
    tickets = log.tickets[np.isin(log.tickets["ticket_id"].to_numpy(), ids)]
    moment = Told.of(log).spread(tickets["arrived_s"].to_numpy(dtype=np.float64)) - ahead_s
    inside = (moment >= 0) & (moment < scenario.horizon)
    tickets = tickets[inside]
    data = scenario.as_data()
    mine = data.setdefault("tickets", {})
    rows: dict[str, Any] = {"timestamp": moment[inside]}
    after: list[dict[str, Any]] = []
    for column, name, names, keys in (
        ("category_true", "category", category_names(scenario), ("category_mix", "category_hours")),
        ("channel", "channel", channel_names(scenario, None), ("channel_mix",)),
        ("priority", "priority", PRIORITIES, ("priority_mix",)),
    ):
        given = tickets[column].astype(object)
        if name == "priority":
            filled = priorities_of(tickets)
            given = given if filled is None else filled
        if not len(given) or not names or given.isin(names).mean() < _KNOWN:
            continue
        if name == "category" and given.isna().any():
            continue
        rows[name] = given.fillna("").to_numpy()
        for key in keys:
            mine.pop(key, None)
        if name != "priority":
            after += [{name: one} for one in names if one not in set(given)]
    blank = {"category": rows["category"][0] if "category" in rows else "", "priority": "normal"}
    more = [
        {"timestamp": scenario.horizon + 1.0} | {k: v for k, v in blank.items() if k in rows} | one
        for one in after
    ]
    table = pd.concat([pd.DataFrame(rows), pd.DataFrame(more, columns=list(rows))])
    # To the microsecond: a moment that is rounded may fall into another second.
    harmless(table).to_csv(file, index=False, float_format="%.6f")
    data["horizon"] = f"{scenario.horizon + _AFTER_S}s"
    data["arrivals"] = {"kind": "trace", "trace": str(file)}
    return from_data(data, scenario.name)


def with_roster(scenario: Scenario, file: str | Path) -> Scenario:
    """A scenario with the shifts of a roster by date instead of its own.

    Parameters
    ----------
    scenario : Scenario
    file : path
        CSV with columns date, start, end, heads and, where there are several pools, pool: those
        pools that it names change.
    """
    data = scenario.as_data()
    table = pd.read_csv(file, dtype=str).map(unguarded, na_action="ignore")
    named = set(table["pool"].dropna()) if "pool" in table else set(data["agents"])
    for key, pool in data["agents"].items():
        if key in named:
            for old in ("heads", "shifts", "holidays", "extra_heads", "shrinkage"):
                pool.pop(old, None)
            pool["roster"] = str(file)
    return from_data(data, scenario.name)


def played(
    scenarios: Mapping[str, Scenario],
    days: Mapping[str, Sequence[int]],
    runs: int,
    workers: int = 1,
    progress: Callable[[float, int], None] | None = None,
    told: Told = _EXACT,
) -> dict[str, list[Period]]:
    """Runs of scenarios, as the records of the days that are looked at.

    Parameters
    ----------
    scenarios : mapping of str to Scenario
    days : mapping of str to sequence of int
        Ordinals of the days of each that count.
    runs : int
        Replications of each.
    workers : int
    progress : callable, optional
        See `twin.run`.
    told : Told
        How exactly the desk's records tell moments: runs are told in the same way.

    Raises
    ------
    ValueError
        If a replication failed.
    """
    names = {key: f"{key.replace(' ', '-')}" for key in scenarios}
    desks = [one.vary({"name": names[key]}) for key, one in scenarios.items()]
    found = run(
        desks, replications=runs, workers=workers, progress=progress, keep_logs=True, engine="auto"
    )
    if len(found.failures):
        first = found.failures.iloc[0]
        raise ValueError(f"a run failed ({first['scenario']}): {first['message']}")
    return {
        key: [period(told.cut(found.log(names[key], k)), one, days[key]) for k in range(runs)]
        for key, one in scenarios.items()
    }
