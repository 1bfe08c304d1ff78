"""Distances of a twin fitted to a log of status changes from what happened next.

    python -m tests.benchmarks.status_desks LOG [--from DAY] [--split DAY] [--zone ZONE] [--seeds 5]

LOG is a CSV file with columns case, status (or activity), moment (or completed), and perhaps
resource and group. Tickets that arrive before the split are known, with all that they did; the
later ones are to be predicted. Without a split it is the middle of the tickets. Moments are taken
as UTC; the zone is that of the desk. Prints the log distances (package log-distance-measures) of
the floor (the later tickets by halves), of a replay of the earlier ones, and of the twin, median of
the seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

import twin
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.history.fit.delay_scores import Part
from twin.history.fit.delays import clocks_of, fit_delays
from twin.history.fit.held_back import Fold
from twin.history.fit.spells import cut_at_final, final_statuses, spells_of
from twin.history.fit.statuses import WorkflowFit, fit_statuses
from twin.history.fit.turns_choice import errors_of, judged, name_of, stages_of
from twin.history.fit.turns_found import tried
from twin.history.log_distances import Distances, log_distances
from twin.records.export import events
from twin.records.tables import DESK, OWNERS, STATUSES
from twin.scenario.model import Scenario, from_data

# So long after the last arrival all tickets are over, or never will be.
_AFTERWARDS_DAYS = 400


def read(path: Path) -> pd.DataFrame:
    """A log of status changes, in order."""
    log = pd.read_csv(path).rename(
        columns={"activity": "status", "completed": "moment", "time": "moment"}
    )
    log["moment"] = pd.to_datetime(log["moment"])
    return log.sort_values(["case", "moment"], kind="stable").reset_index(drop=True)


def arrivals_of(log: pd.DataFrame) -> pd.Series:
    """First moment of each ticket, in order."""
    return log.groupby("case")["moment"].min().sort_values(kind="stable")


def split(log: pd.DataFrame, day: str | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tickets that arrived before a day, or the first half, and the later ones."""
    first = arrivals_of(log)
    cut = first.iloc[len(first) // 2] if day is None else pd.Timestamp(day)
    early = log["case"].isin(first.index[first < cut])
    return log[early].reset_index(drop=True), log[~early].reset_index(drop=True)


def scenario_of(found: WorkflowFit, later: pd.DataFrame, zone: str) -> Scenario:
    """A scenario of the fitted desk over the span of the later tickets, in their number."""
    first = arrivals_of(later)
    start = first.iloc[0].tz_localize("UTC").tz_convert(zone).date()
    days = (first.iloc[-1] - first.iloc[0]) / pd.Timedelta("1D")
    hours = pd.date_range(first.iloc[0], first.iloc[-1], freq="h", tz="UTC").tz_convert(zone)
    horizon = int(days) + 2 + _AFTERWARDS_DAYS
    rates = np.ones(168) if found.arrivals is None else found.arrivals.rates
    # As many as came, over the hours of the week that the span has.
    rate = len(first) * rates.mean() / rates[hours.day_of_week * 24 + hours.hour].sum()
    data: dict[str, Any] = {
        "name": "calibrated",
        "question": "Does the calibrated desk do what the real one did?",
        "start": start.isoformat(),
        "time_zone": zone,
        "horizon": f"{horizon}d",
        "warm_up": "0s",
        "arrivals": {
            "kind": "hourly",
            "rate": f"{rate:.6g}/h",
            "week": {"hours": [round(float(rate), 5) for rate in rates / rates.mean()]},
            # Nobody comes after the span that is predicted.
            "surges": [
                {"start": f"{int(days) + 2}d", "length": f"{_AFTERWARDS_DAYS}d", "factor": 0.0}
            ],
        },
        "assistant": {"role": "off"},
        "agents": found.agents(),
        "customers": {"survey_rate": 0.0},
        "workflow": found.as_data(),
    }
    return from_data(data)


def played(scenario: Scenario, replication: int, later: pd.DataFrame) -> pd.DataFrame:
    """The statuses of a run over the span of the later tickets, as a log in UTC."""
    demand = draw(scenario, replication)
    log = simulate(scenario, demand, None)
    frame = events(log)
    begin = pd.Timestamp(scenario.midnight).tz_convert("UTC").tz_localize(None)
    moment = begin + pd.to_timedelta(np.round(frame["start_s"].to_numpy()), unit="s")
    found = pd.DataFrame({"case": frame["case"], "status": frame["activity"], "moment": moment})
    first = arrivals_of(found)
    span = arrivals_of(later).iloc[[0, -1]]
    there = first.index[(first >= span.iloc[0]) & (first <= span.iloc[1])]
    return found[found["case"].isin(there)].reset_index(drop=True)


def replayed(early: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """The earlier tickets as if they came later, by whole weeks."""
    gap = arrivals_of(later).iloc[0] - arrivals_of(early).iloc[0]
    weeks = round(gap / pd.Timedelta("7D"))
    return early.assign(moment=early["moment"] + timedelta(weeks=weeks))


def halves(log: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every other ticket, and the rest."""
    cases = arrivals_of(log).index
    one = log["case"].isin(cases[::2])
    return log[one], log[~one]


def against_delays(
    log: pd.DataFrame, cut: pd.Timestamp, found: WorkflowFit, zone: str
) -> Iterator[str]:
    """Lines on agents who take tickets in turn against delays, on the later tickets."""
    moments = log["moment"].dt.tz_localize("UTC")
    spells, notes = spells_of(log.assign(moment=moments), ZoneInfo(zone))
    final = final_statuses(spells)
    spells = cut_at_final(spells, final, notes)
    cut_s = cut.tz_localize("UTC").timestamp() - spells.midnight.timestamp()
    here = (spells.born_s >= cut_s) & spells.over
    fold = Fold(spells.known_at(cut_s), spells.some(here), np.flatnonzero(here))
    delays = fit_delays(fold.known, final)
    part = Part(fold, clocks_of(fold.known, delays.human), spells)
    desk_s = {name for name, one in found.cores.items()
              if OWNERS[STATUSES.index(one.core)] == DESK}  # fmt: skip
    working = ~final & np.array([name in desk_s for name in spells.names])
    for stage in stages_of(fold.known, working):
        errors = errors_of(spells, stage, fold, part, delays, np.random.default_rng(14))
        trial = judged(stage, *errors, explains=True)
        yield f"later tickets, {tried(name_of(spells, stage), trial)}"


def show(name: str, found: Distances) -> None:
    """Print a row of the table."""
    print(f"{name:28s}" + "".join(f"{value:9.3f}" for value in found), flush=True)


def main() -> None:
    """Read, fit, play and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--from", dest="begin", type=date.fromisoformat)
    parser.add_argument("--split")
    parser.add_argument("--zone", default="UTC")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    log = read(given.log)
    if given.begin is not None:
        first = arrivals_of(log)
        log = log[log["case"].isin(first.index[first >= pd.Timestamp(given.begin)])]
    early, later = split(log, given.split)
    print(f"{early['case'].nunique():,} tickets known, {later['case'].nunique():,} to predict")
    print(f"{'':28s}" + "".join(f"{name:>9s}" for name in ("NGD3", "CED", "RED", "CTD")))
    show("floor", log_distances(*halves(later)))
    show("replay", log_distances(later, replayed(early, later)))
    begun = perf_counter()
    found = fit_statuses(early.assign(moment=early["moment"].dt.tz_localize("UTC")),
                         ZoneInfo(given.zone))  # fmt: skip
    took = perf_counter() - begun
    scenario = scenario_of(found, later, given.zone)
    rows = [log_distances(later, played(scenario, k, later)) for k in range(given.seeds)]
    for line in against_delays(log, arrivals_of(later).iloc[0], found, given.zone):
        print(line, flush=True)
    show(f"twin, median of {given.seeds}", Distances(*np.median(np.array(rows), axis=0)))
    print(f"fitted in {took:.0f} s; twin {twin.__version__}")
    for note in (*found.notes, found.staffing, *found.tried):
        print(f"- {note}")


if __name__ == "__main__":
    main()
