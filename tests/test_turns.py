"""Capacity or delay at desks known by their statuses: planted queues and planted clocks.

    python tests/test_turns.py [--first 201] [--of 24]

plays so many desks of each kind, half of them with the agents' work in a status of its own, prints
what came of each, and sums up (about 4 minutes on one core). Numbers up to 20 were used to build
the fit. `tests/benchmarks/README.md` has the results.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import planted
import pytest

import twin
from twin.history.calibrated_file import write_calibrated
from twin.history.fit.spells import final_statuses, spells_of
from twin.history.fit.statuses import fit_statuses
from twin.history.fit.turns import Stage, begun_s, fit_turns, jobs_of
from twin.history.fit.turns_choice import crps, stages_of
from twin.history.fit.turns_found import POOL, shifts_of
from twin.history.what_ifs import FOLLOWS, of_statuses

DAYS = 56
_TRUTH, _TWIN = 24, 20


def desk(number, agents, days=DAYS):
    """A desk of statuses drawn by number: agents who take tickets in turn, or a clock alone.

    Its load is made of a busyness of each day, days of twice as many tickets, and a rise over two
    weeks, all of which the clock does not feel.
    """
    luck = np.random.default_rng([31, number])
    heads, work_h = int(luck.integers(2, 6)), float(luck.uniform(0.4, 1.2))
    asks = round(float(luck.uniform(0.05, 0.25)), 2)
    busy = luck.uniform(0.7, 0.85)
    delay = {"distribution": "lognormal", "mean": f"{work_h * luck.uniform(2, 8):.2f}h",
             "cv": round(float(luck.uniform(0.7, 1.5)), 2)}  # fmt: skip
    work = {"distribution": "lognormal", "mean": f"{60 * work_h:.1f}min",
            "cv": round(float(luck.uniform(0.6, 1.1)), 2)}  # fmt: skip
    active = {"counts_as": "In Progress", "next": {"Waiting": asks, "Resolved": round(1 - asks, 2)}}
    active |= {"work": True} if agents else {"delay": delay, "clock": "office"}
    new = {"counts_as": "Open", "next": {"Active": 1.0}}
    new |= {"until_taken": True} if agents else {"delay": delay, "clock": "office"}
    statuses = {
        "Active": active,
        "Waiting": {"counts_as": "Waiting for customer", "clock": "office",
                    "delay": {"distribution": "exponential", "mean": "9h"},
                    "next": {"New" if number % 2 else "Active": 1.0}},
        "Resolved": {"counts_as": "Resolved", "delay": "24h", "next": {"Closed": 1.0}},
        "Closed": {"counts_as": "Closed"},
    }  # fmt: skip
    # Work in a status of its own, with one before it to wait in; or both in one.
    if number % 2:
        statuses = {"New": new, **statuses}
    first = float(luck.integers(10, days - 24))
    odd = luck.choice(days // 7, 3, replace=False) * 7 + luck.integers(0, 5, 3)
    surges = [{"start": f"{day}d", "length": "1d", "factor": 2.0} for day in sorted(odd.tolist())]
    surges.append({"start": f"{first:.0f}d", "length": "14d", "factor": 1.15})
    return twin.from_data({
        "name": f"desk-{number}", "start": planted.START, "horizon": f"{days}d",
        "seed": 4000 + number,
        "arrivals": {
            "kind": "hourly", "rate": f"{busy * heads / work_h * (1 - asks) * 50 / 168:.4g}/h",
            "week": {"hours": planted.OFFICE}, "busyness": {"cv": 0.2}, "surges": surges,
        },
        "agents": {POOL: {
            "shifts": [{"days": "Mon-Fri", "start": "08:00", "end": "18:00", "heads": heads}],
            "handle_time": work, "at_shift_end": "continue",
        }} if agents else {},
        "assistant": {"role": "off"}, "customers": {"survey_rate": 0.0},
        "workflow": {"start": {"New" if number % 2 else "Active": 1.0}, "statuses": statuses,
                     "clocks": {"office": planted.OFFICE}},
    })  # fmt: skip


def calibrated(number, agents, folder):
    """A planted desk, and what calibration finds in its export."""
    plant = desk(number, agents)
    log = twin.simulate(plant, twin.draw(plant))
    path = planted.as_event_log(planted.changes_of(log), folder / "export")
    history = twin.read_history(path, zone="UTC")
    return plant, history, twin.calibrate(history)


def effect(scenario, replications):
    """Difference that a fifth more load makes to the mean time to resolution, and its interval."""
    more = scenario.vary({"arrivals.scale": 1.2}, name="more")
    results = twin.run([scenario, more], replications=replications)
    row = twin.compare(results, scenario.name, ["resolution_mean"], 0.95).table.iloc[0]
    return [float(row[name]) for name in ("difference", "low", "high")]


def judged(number, agents, folder):
    """The choice for a desk; where agents are chosen, their heads, their work, more load."""
    plant, history, found = calibrated(number, agents, folder)
    one = {"chosen": bool(found.data["agents"]),
           "says": found.data["evidence"]["volume"].startswith(FOLLOWS)}  # fmt: skip
    if agents and one["chosen"]:
        pool = found.data["agents"][POOL]
        one["heads"] = (pool["shifts"][0]["heads"], plant.agents[POOL].shifts[0].heads)
        known = {est.key: est for est in found.estimates}[f"agents.{POOL}.handle_time"]
        truth = plant.agents[POOL].handle_time.mean_value()
        one["work"] = (known.value / truth, bool(known.low <= truth <= known.high))
        # The same tickets come to both, and are the same in all versions, so that nothing but
        # what calibration says of statuses and agents is compared.
        own = tuple(one for one in found.versions if one.key[0] != "arrivals")
        found = replace(found, versions=own)
        desk_file = write_calibrated(found, history, folder / "desk.toml")
        data = twin.load(desk_file).as_data()
        same = {key: plant.as_data()[key] for key in ("arrivals", "start", "horizon")}
        ours = effect(twin.from_data(data | same | {"warm_up": "0s"}), _TWIN)
        right = effect(plant, _TRUTH)
        one["effect"] = (right[0], *ours, bool(ours[1] <= right[0] <= ours[2]))
    return one


@pytest.mark.parametrize("number", [2, 5])
def test_a_queue_for_agents_is_told_from_a_clock(number, tmp_path):
    """Work in the one status, or in the next one; the study below plays many more."""
    plant, history, found = calibrated(number, True, tmp_path)
    read = twin.load(write_calibrated(found, history, tmp_path / "desk.toml"))
    own, true = read.agents[POOL], plant.agents[POOL]
    assert own.shifts == true.shifts
    assert own.handle_time.mean_value() == pytest.approx(true.handle_time.mean_value(), rel=0.1)
    statuses = read.workflow.statuses
    assert statuses["Active"].work
    assert statuses["Active"].next["Resolved"].delay is None
    if number % 2:
        assert statuses["New"].until_taken
        assert statuses["New"].next["Active"].delay is None
    assert statuses["Waiting"].next
    assert read.evidence.volume.startswith(FOLLOWS)
    assert read.evidence.staffing.startswith(FOLLOWS)
    text = (tmp_path / "desk.toml").read_text(encoding="utf-8")
    said = f"wait for {true.shifts[0].heads} agents who take them in turn, by back-test"
    assert said in text
    assert "h with agents" in text
    assert "nobody is named in the log" in text
    (tmp_path / "clock").mkdir()
    _, history, found = calibrated(number, False, tmp_path / "clock")
    assert found.data["agents"] == {}
    assert not found.data["evidence"]["volume"].startswith(FOLLOWS)
    assert any("were tried, and a delay is used in" in line for line in found.said)


@pytest.mark.slow
def test_the_study():
    queues, clocks = main(201, 20)
    assert sum(one["chosen"] for one in queues) >= 17
    assert sum(one["chosen"] for one in clocks) <= 2
    used = [one for one in queues if one["chosen"]]
    assert np.mean([one["effect"][-1] for one in used]) >= 0.9


def test_what_was_begun_when_is_read_off_by_hand():
    # Two agents: the third waits for the first of two ends, the fourth for the next; one is open.
    came, left = np.array([0.0, 1.0, 2.0, 3.0, 30.0]), np.array([10.0, 4.0, 12.0, 13.0, np.inf])
    assert begun_s(came, left, 2).tolist() == [0.0, 1.0, 4.0, 10.0, 30.0]
    assert begun_s(came, left, 9).tolist() == came.tolist()
    # Nobody is there to begin what comes behind one that never ends.
    assert begun_s(np.array([0.0, 1.0]), np.array([np.inf, 5.0]), 1).tolist() == [0.0, np.inf]


def test_the_score_of_what_was_played_is_fair():
    rng = np.random.default_rng(1)
    happened = rng.normal(size=20_000)
    # Of a normal distribution, whatever the replications: 1 / sqrt(pi).
    for count in (2, 20):
        played = rng.normal(size=(20_000, count))
        assert crps(played, happened).mean() == pytest.approx(np.pi**-0.5, abs=0.02)
    assert crps(np.array([[1.0, 2.0, 6.0]]), np.array([2.0]))[0] == pytest.approx(5 / 3 - 10 / 6)


def log_of(*given):
    """Spells of a log; statuses, and rows of case and hours at which it took them in turn."""
    monday = pd.Timestamp(planted.START)
    return spells_of(pd.DataFrame([
        (case, name, monday + pd.Timedelta(hours=float(at)))
        for statuses, rows in zip(given[::2], given[1::2], strict=True)
        for case, *moments in rows for name, at in zip(statuses, moments, strict=True)
    ], columns=["case", "status", "moment"]))[0]  # fmt: skip


def three_agents():
    """Rows of a plain queue around the clock, the work in each, and which agent did it."""
    rng = np.random.default_rng(2)
    rows, free, whose = [], [0.0] * 3, []
    works = rng.gamma(2.0, 1.3, 900)
    for case, (came, work) in enumerate(zip(np.sort(rng.uniform(0, 900, 900)), works, strict=True)):
        agent = int(np.argmin(free))
        free[agent] = max(came, free[agent]) + work
        rows.append((case, came, free[agent]))
        whose.append(f"A{agent}")
    return rows, works, whose


def test_staffing_follows_only_where_the_number_of_agents_is_told():
    rows, _, whose = three_agents()
    monday = pd.Timestamp(planted.START)
    log = pd.DataFrame([
        (case, name, monday + pd.Timedelta(hours=float(at)), who)
        for (case, *moments), agent in zip(rows, whose, strict=True)
        for name, at, who in zip(("Open", "Closed"), moments, (None, agent), strict=True)
    ], columns=["case", "status", "moment", "resource"])  # fmt: skip
    work = fit_statuses(log).work
    assert work.seen == pytest.approx(3.0, abs=0.2)
    assert work.follows
    assert work.heads_known

    def says(one):
        said = of_statuses(one.sentence(), one)
        return [said[kind].startswith(FOLLOWS) for kind in ("volume", "staffing", "handle_time")]

    assert says(work) == [True, True, True]
    # Nine who have other things to do, too; two numbers that explain the log alike; a poor fit;
    # times that do not follow the load.
    assert says(replace(work, seen=9.0)) == [True, False, True]
    unsure = replace(work, chosen=replace(work.chosen, like=(3, 4)))
    assert says(unsure) == [True, False, True]
    assert "CAPACITY IS NOT IDENTIFIED: 3 to 4 heads" in unsure.sentence()
    far = replace(work, played_h=3 * work.played_h)
    assert says(far) == [False, False, False]
    assert "THE FIT IS POOR" in far.sentence()
    assert says(replace(work, load=replace(work.load, correlation=0.1))) == [False, False, False]


def test_heads_and_work_of_a_plain_queue_are_found_to_the_second():
    rows, works, _ = three_agents()
    spells = log_of(("Open", "Closed"), rows)
    stages = stages_of(spells, ~final_statuses(spells))
    assert stages == [Stage(0, 0)]
    jobs = jobs_of(spells, stages[0])
    best, *_ = fit_turns(spells, jobs)
    assert best.heads == 3
    assert best.hours.all()
    assert best.work_s / 3600 == pytest.approx(works, abs=1e-3)


def test_a_status_to_wait_in_and_one_to_work_in_are_one_stage():
    rows = [(k, 2.0 * k, 2.0 * k + 1, 2.0 * k + 1.5) for k in range(400)]
    spells = log_of(("New", "In hand", "Closed"), rows)
    working = ~final_statuses(spells)
    assert stages_of(spells, working) == [Stage(0, 1)]
    jobs = jobs_of(spells, Stage(0, 1))
    assert (jobs.taken_s - jobs.came_s).tolist() == pytest.approx([3600.0] * 400)
    assert (jobs.left_s - jobs.taken_s).tolist() == pytest.approx([1800.0] * 400)
    # With another way to the work each is for itself: who came by it may have waited, too.
    more = [(k + 500, *moments) for k, *moments in rows]
    spells = log_of(("New", "In hand", "Closed"), rows, ("Asked", "In hand", "Closed"), more)
    assert stages_of(spells, ~final_statuses(spells)) == [Stage(0, 0), Stage(1, 1), Stage(3, 3)]


def test_shifts_cover_the_hours_of_work():
    hours = np.zeros((7, 24), dtype=bool)
    hours[:5, 8:12] = hours[:5, 13:18] = hours[5, 20:] = True
    assert shifts_of(hours.ravel(), 3) == [
        {"days": "Mon-Fri", "start": "08:00", "end": "12:00", "heads": 3},
        {"days": "Mon-Fri", "start": "13:00", "end": "18:00", "heads": 3},
        {"days": "Sat", "start": "20:00", "end": "00:00", "heads": 3},
    ]


def main(first, of):
    """Play desks of both kinds, print each, and sum up."""
    found = {}
    for agents in (True, False):
        for number in range(first, first + of):
            with tempfile.TemporaryDirectory() as scratch:
                one = found[agents, number] = judged(number, agents, Path(scratch))
            print("agents" if agents else "clock", number, one, flush=True)
    queues = [one for (agents, _), one in found.items() if agents]
    clocks = [one for (agents, _), one in found.items() if not agents]
    used = [one for one in queues if one["chosen"]]
    print(f"agents chosen: {len(used)} of {len(queues)} with agents, "
          f"{sum(one['chosen'] for one in clocks)} of {len(clocks)} with a clock")  # fmt: skip
    print(f"says that volume follows: {sum(one['says'] for one in used)} of {len(used)}; "
          f"{sum(one['says'] for one in clocks)} of {len(clocks)}")  # fmt: skip
    print(f"heads right: {sum(a == b for a, b in (one['heads'] for one in used))}; work inside "
          f"its interval: {sum(one['work'][1] for one in used)} of {len(used)}")  # fmt: skip
    print(f"effect inside: {sum(one['effect'][-1] for one in used)} of {len(used)}")
    return queues, clocks


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=201, help="number of the first desk")
    parser.add_argument("--of", type=int, default=20, help="desks of each kind")
    given = parser.parse_args()
    main(given.first, given.of)
