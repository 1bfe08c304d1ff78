"""A desk of which it is known when agents began and ended their work, as on the phone.

Demand, work, patience and rosters are estimated from the records; how far the agents of a roster
are there for the next customer is fitted by playing the history's own arrivals
(`twin.history.fit.capacity`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.formulas import harmless
from twin.common.toml import dump
from twin.demand.once import DrawnOnce
from twin.desk.simulation import simulate_visits
from twin.history.calibrated import FORECAST_DAYS, Calibration, Data, whole_days
from twin.history.call_pools import (
    POOL,
    Player,
    calibrated_pools,
    fit_parts,
    one_pool,
    pools_of_agents,
    rosters,
    several_pools,
    together,
)
from twin.history.call_work import Way
from twin.history.desk_history import DeskHistory
from twin.history.fidelity.records import Recorded
from twin.history.fit.arrivals import ArrivalsFit, fit_arrivals
from twin.history.fit.capacity import PLAYS as FIT_PLAYS
from twin.history.fit.estimate import Estimate
from twin.history.fit.rosters import sessions
from twin.history.fit.wait_load import WaitTest, wait_test
from twin.history.fit.waits import Waits, gap
from twin.history.found_sections import (
    arrivals_section,
    customers_section,
    tickets_section,
    trace,
)
from twin.history.found_shifts import week_shifts
from twin.history.kept_plays import EachOf, KeptPlays
from twin.history.kinds import with_kinds
from twin.history.pools_choice import PLAYS_TO_CHOOSE, choose, said_of_apart
from twin.history.priorities import head_start, routing_section, said_of
from twin.history.told import Told
from twin.history.what_ifs import evidence_of, said_of_fit
from twin.history.whole_days import days_of
from twin.records.tables import RunLog
from twin.scenario import clock
from twin.scenario.file import load
from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_EXACT = Told()
# Plays of a fit differ in the agents alone.
_DEMAND = DrawnOnce()
# Rosters go by half hours: agents come and go at these more often than not.
_SLOT_S = 1800.0
# Replications of each choice that is tried on the history.
_BACK_TESTS = 5
# All plays, at most: of the fit to the waits, and of three ways in which arrivals may vary.
PLAYS = FIT_PLAYS + 3 * _BACK_TESTS


def calibrate_calls(
    history: DeskHistory,
    progress: Callable[[int, int], None] | None = None,
    kept: Path | None = None,
    workers: int = 1,
    seed: int | None = None,
) -> Calibration:
    """Calibrate a desk to a log of calls, or of any work whose beginning and end are known.

    Agents are one pool, or several by what they take where that comes nearer to the waits.

    Parameters
    ----------
    history : DeskHistory
    progress : callable, optional
        Called with the plays done and all of them.
    kept : Path, optional
        Folder in which plays are kept, to go on after an end: see `twin.history.kept_plays`.
    workers : int
        Processes that play; what is found is the same whatever their number.
    seed : int, optional
        Of the luck of all plays.

    Raises
    ------
    ScenarioError
        If the history is too short, or says too little.
    """
    history, of_kinds = with_kinds(history)
    log, desk = history.log, history.desk
    if not log.visits["agent"].notna().any():
        hint = "give the column with twin import --map agent=COLUMN"
        reason = "does not tell which agent worked"
        raise ScenarioError("the history", [Fault("agent", reason, hint=hint)])
    days = days_of(history)
    arrived = log.tickets["arrived_s"].to_numpy(dtype=np.float64)
    came = fit_arrivals(days.counts(arrived, desk.midnight))
    # A day on which hardly anybody came tells nothing of who works on others.
    days = days.without(came.unusual)
    estimates = [*came.estimates, came.hours]
    told = Told.of(log)
    files = {"arrivals.csv": trace(log, told)}
    tickets = tickets_section(history, days, estimates)
    splits = [split for split in (one_pool(log), several_pools(log)) if split]
    ways = [Way.of(split, log, days, told) for split in splits]
    order = head_start(log, days)
    first_come = "first come, first served; the history has no priorities"
    by_turn = Estimate("routing.wait_bonus", 0.0, method=first_come, assumed=True)
    estimates.append(by_turn if order is None else order.estimate())
    base: Data = {} if seed is None else {"seed": seed}
    base |= {
        "time_zone": desk.time_zone,
        "customers": customers_section(log, estimates, told),
        "routing": routing_section(order),
    }
    as_it_was = base | {
        "name": "as-it-was",
        "question": "Does the twin wait as the desk did?",
        "start": desk.start.isoformat(),
        "horizon": f"{days.starts[-1]:.0f}s",
        "arrivals": {"kind": "trace", "trace": "arrivals.csv"},
    }
    edges = np.arange(0.0, days.starts[-1] + 1, _SLOT_S)
    seen = waits_of(log, desk)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for tables in (files, *(way.files for way in ways)):
            for file, frame in tables.items():
                harmless(frame).to_csv(folder / file, index=False)
        more = max(len(way.split.parts) for way in ways) - 1
        total = PLAYS + (more > 0) * PLAYS_TO_CHOOSE + more * FIT_PLAYS

        def told_alike(tables: Path, data: Data, replication: int) -> Waits:
            return play_waits(tables, data, replication, told)

        plays = KeptPlays(told_alike, kept, progress, total, workers)
        players = [
            Player(folder, as_it_was | way.sections(base), desk, edges, way.split.parts, plays.each)
            for way in ways
        ]
        used, of_pools = players[0], "All agents are one pool."
        if len(players) > 1 and ways[1].split.apart:
            used, of_pools = players[1], said_of_apart(players[1])
        elif len(players) > 1:
            used, of_pools = choose((players[0], players[1]), seen, days.starts, days.known)
        way = ways[players.index(used)]
        files |= way.files
        estimates += way.estimates
        away = {part.name: part.seen_away(log, told) for part in used.parts}
        fits = fit_parts(used, seen, away)
        fit = together(used, seen, fits)
        there = {name: one.availability if one.helps else None for name, one in fits.items()}
        files["roster.csv"] = rosters(desk, edges, used.parts, there)
        base |= way.sections(base)
        pools = base["agents"]
        for part in used.parts:
            if (one := there[part.name]) is not None and not one.always:
                number = len(seen.of(part.takes).wait_s)
                estimates += one.estimates(f"agents.{part.name}.away", number)
                pools[part.name] = pools[part.name] | {"away": one.away()}
        as_it_was |= base
        week = {}
        for part in used.parts:
            section = {key: value for key, value in pools[part.name].items() if key != "roster"}
            hours = np.ones(24) if (one := there[part.name]) is None else one.hours
            key = f"agents.{part.name}.shifts"
            shifts, sure = week_shifts(days, part.worked.on_shift(), hours, came, key)
            estimates += sure
            week[part.name] = section | {"shifts": shifts}
        over_again = as_it_was | {"tickets": tickets, "agents": week}
        arrivals, said = _busyness(folder, over_again, arrivals_section(came), seen, plays.each)
    first = days.days[-1] + timedelta(days=1)
    forecast = base | {
        "question": "How does this desk go on as it is?",
        "start": first.isoformat(),
        "horizon": whole_days(first, FORECAST_DAYS, desk.time_zone),
        "replications": 10,
        "arrivals": arrivals,
        "tickets": tickets,
        "agents": week,
        "evidence": evidence_of({
            part.name: (_wait_test(part.waiting(log), log, desk), away[part.name],
                        fits[part.name])
            for part in used.parts
        }),
    }  # fmt: skip
    over = days.only_known(np.zeros((len(days.days), 24))).days
    least = min(away.values(), key=lambda one: one.touches)
    about = (
        *said_of_fit(fit, least), told.said, of_pools, said_of(order, days),
        *_said_of_days(came), said,
    )  # fmt: skip
    about = tuple(line for line in (*about, of_kinds) if line)
    return Calibration(forecast, as_it_was, files, tuple(estimates), over, about, fit, fits)


def _said_of_days(came: ArrivalsFit) -> list[str]:
    if not came.unusual:
        return []
    return [f"Left out as unusual: {', '.join(map(str, came.unusual))}."]


def waits_of(log: RunLog, desk: Scenario) -> Waits:
    """The waits for an agent in the tables of a run or a history."""
    category = log.tickets.set_index("ticket_id")["category_true"].astype(object)
    kind = log.visits["ticket_id"].map(category).to_numpy(dtype=object)
    return _waits(log.visits, kind, log.horizon_s, desk)


def _waits(
    visits: pd.DataFrame, kind: npt.NDArray[np.object_], horizon_s: float, desk: Scenario
) -> Waits:
    waited = visits["queued_s"].notna() & ~visits["end"].isin(["blocked", "balked"])
    queued = visits[waited]
    at = queued["queued_s"].to_numpy(dtype=np.float64)
    until = queued["started_s"].fillna(queued["ended_s"]).fillna(horizon_s)
    return Waits(
        clock.hour_of_week(at, desk.midnight) % 24,
        until.to_numpy(dtype=np.float64) - at,
        queued["started_s"].notna().to_numpy(),
        (clock.local_s(at, desk.midnight) // clock.DAY_S).astype(np.int64),
        kind[waited.to_numpy()],
    )


def _wait_test(visits: pd.DataFrame, log: RunLog, desk: Scenario) -> WaitTest:
    """Test of whether the waits of visits follow the load."""
    visits = visits[(visits["queued_s"] >= 0).to_numpy()]
    at = visits["queued_s"].to_numpy(dtype=np.float64)
    until = visits["started_s"].fillna(visits["ended_s"]).fillna(log.horizon_s)
    wait_s = until.to_numpy(dtype=np.float64) - at
    work_s = float((visits["ended_s"] - visits["started_s"]).mean())
    return wait_test(clock.local_s(at, desk.midnight), wait_s, float(wait_s.mean()) + work_s)


def sessions_of(records: Recorded, scenario: Scenario) -> pd.DataFrame | None:
    """Sessions of agents in records, for a calibrated desk: columns pool, start_s, end_s.

    None where no agents are told apart, or the desk's pools are not those that calibration makes.
    Of several pools an agent is taken to be of the one that takes what they took.
    """
    log = records.log
    if not calibrated_pools(scenario) or "agent" not in log.visits:
        return None
    found = sessions(log.visits).on_shift()
    if not len(found.agent):
        return None
    pool: object = POOL
    if list(scenario.agents) != [POOL]:
        skills = {name: one.skills for name, one in scenario.agents.items()}
        pool = pools_of_agents(log, skills)[found.agent]
    return pd.DataFrame({"pool": pool, "start_s": found.start_s, "end_s": found.end_s})


def play_waits(folder: Path, data: Data, replication: int, told: Told = _EXACT) -> Waits:
    """Waits of a replication of a scenario whose tables lie in a folder, told as in the history."""
    path = folder / f"scenario-{replication}.toml"
    path.write_text(dump(data), encoding="utf-8")
    scenario = load(path)
    demand = _DEMAND.draw(scenario, replication)
    visits = told.cut_visits(simulate_visits(scenario, demand, engine="auto"))
    kind = np.array(demand.categories, dtype=object)[demand.category]
    return _waits(visits, kind[visits["ticket_id"].to_numpy() - 1], scenario.horizon, scenario)


def _busyness(
    folder: Path, data: Data, arrivals: Data, seen: Waits, play: EachOf
) -> tuple[Data, str]:
    """The section [arrivals] with as much busyness as gives the waits of the history again.

    Where a desk plans more agents for days that it knows to be busy, arrivals that vary beside a
    roster that does not would make waits too long. So all of it, that of hours alone, and none are
    tried on the history itself, and the nearest is taken.
    """
    none = {key: value for key, value in arrivals.items() if key != "busyness"}
    every: Data = arrivals.get("busyness", {})
    of_hours = {key: value for key, value in every.items() if key != "cv"}
    tried = {"none": none}
    if "part_cv" in of_hours and "cv" in every:
        tried["that of hours"] = none | {"busyness": of_hours}
    if every:
        tried["all"] = arrivals
    if len(tried) == 1:
        return none, "Arrivals vary no more than by chance."
    losses = {
        name: median(
            gap(seen, waits).loss
            for waits in play(folder, data | {"arrivals": section}, range(_BACK_TESTS))
        )
        for name, section in tried.items()
    }  # fmt: skip
    best = min(losses, key=losses.__getitem__)
    scores = ", ".join(f"{name} {loss:.3g}" for name, loss in losses.items())
    return tried[best], (
        "Busyness of days and hours that the roster does not follow, by the waits of the history "
        f"played again: {best} (loss: {scores})."
    )
