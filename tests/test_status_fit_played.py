"""Fitted workflows played by the twin: a planted desk is played, read back, and played again."""

import numpy as np
import pandas as pd
import pytest

from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.history.fit.delay_ways import AROUND, BEFORE
from twin.history.fit.statuses import fit_statuses
from twin.records.export import events
from twin.scenario.chain import Chain
from twin.scenario.model import from_data

# Monday to Friday from 8 to 18, half as fast at noon.
OFFICE = [0.0 if day > 4 or not 8 <= hour < 18 else 0.5 if hour == 12 else 1.0
          for day in range(7) for hour in range(24)]  # fmt: skip


def exponential(mean):
    return {"distribution": "exponential", "mean": mean}


PLANT = {
    "start": {"Logged": 0.9, "New call": 0.1},
    "clocks": {"office": OFFICE},
    "clock": "around the clock",
    "statuses": {
        "Logged": {"counts_as": "Open", "clock": "office", "delay": exponential("12h"),
                   "next": {"Active": 0.8, "Waiting for user": 0.2}},
        "New call": {"counts_as": "Open", "clock": "office", "delay": exponential("2h"),
                      "next": {"Active": 1.0}},
        "Active": {
            "counts_as": "In Progress", "clock": "office", "delay": exponential("24h"),
            "next": {"Solved": 0.7, "Waiting for user": 0.3},
            "after": {"Waiting for user": {"Solved": {"chance": 0.95, "delay": exponential("96h")},
                                           "Waiting for user": 0.05}},
        },
        "Waiting for user": {"counts_as": "Waiting for customer", "clock": "office",
                             "delay": exponential("30h"), "next": {"Active": 1.0}},
        "Solved": {"counts_as": "Resolved", "delay": "120h",
                   "next": {"Closed": 0.92, "Active": {"chance": 0.08, "clock": "office",
                                                       "delay": exponential("20h")}}},
        "Closed": {"counts_as": "Closed"},
    },
}  # fmt: skip


def scenario(workflow, rate="8/h"):
    week = {"hours": OFFICE}
    return from_data({
        "warm_up": "0s", "start": "2026-01-05", "horizon": "49d",
        "agents": {}, "assistant": {"role": "off"},
        "arrivals": {"kind": "hourly", "rate": rate, "week": week}, "workflow": workflow,
        "customers": {"survey_rate": 0.0},
    })  # fmt: skip


def log_of(played, replication=0):
    frame = events(simulate(played, draw(played, replication), None))
    begin = pd.Timestamp(played.midnight)
    moment = begin + pd.to_timedelta(frame["start_s"].to_numpy(), unit="s")
    return pd.DataFrame({"case": frame["case"], "status": frame["activity"], "moment": moment})


@pytest.fixture(scope="module")
def found():
    return fit_statuses(log_of(scenario(PLANT)))


def test_a_planted_workflow_is_read_back(found):
    known = {one.key: one for one in found.estimates}
    number = {name: k for k, name in enumerate(found.names)}
    for name, status in PLANT["statuses"].items():
        for other, step in status.get("next", {}).items():
            chance = step["chance"] if isinstance(step, dict) else step
            one = known[f"workflow.statuses.{name}.next.{other}.chance"]
            if name != "Active":
                assert one.low <= chance <= one.high or abs(one.value - chance) < 0.02
    after = found.chances[number["Active"]].after[number["Waiting for user"]]
    assert after[number["Solved"]] == pytest.approx(0.95, abs=0.02)
    steps = {(found.names[s.status], found.names[s.next]): s for s in found.delays.steps}
    for pair, hours in (("Logged", "Active"), 12), (("Waiting for user", "Active"), 30):
        assert steps[pair].mean_s / 3600 == pytest.approx(hours, rel=0.1)
        assert steps[pair].way.clock != AROUND
    active = steps["Active", "Solved"]
    assert active.way.split == BEFORE
    assert active.parts[number["Waiting for user"]].mean() / 3600 == pytest.approx(96, rel=0.1)
    assert active.parts[number["Logged"]].mean() / 3600 == pytest.approx(24, rel=0.1)
    assert steps["Solved", "Closed"].way.clock == AROUND
    assert steps["Solved", "Closed"].mean_s == pytest.approx(120 * 3600, rel=0.001)
    assert {name: guess.core for name, guess in found.cores.items()} == {
        "Logged": "Open", "New call": "Open", "Active": "In Progress", "Solved": "Resolved",
        "Waiting for user": "Waiting for customer", "Closed": "Closed",
    }  # fmt: skip


def test_what_was_found_plays_like_the_plant(found):
    again = scenario(found.as_data())
    assert again.workflow is not None
    chain, truth = Chain.of(again.workflow), Chain.of(scenario(PLANT).workflow)
    visits = dict(zip(chain.names, chain.visits(), strict=True))
    for name, often in zip(truth.names, truth.visits(), strict=True):
        assert visits[name] == pytest.approx(often, rel=0.06)
    real, played = log_of(scenario(PLANT), 1), log_of(again, 2)
    lives = [
        (log.groupby("case")["moment"].agg(np.ptp) / pd.Timedelta("1h"))[
            log.groupby("case")["status"].last() == "Closed"
        ]
        for log in (real, played)
    ]
    assert lives[1].mean() == pytest.approx(lives[0].mean(), rel=0.06)
    for q in (0.1, 0.5, 0.9):
        assert lives[1].quantile(q) == pytest.approx(lives[0].quantile(q), rel=0.1)
    # Nothing but closing happens at night.
    for log in (real, played):
        hours = log["moment"][log["status"] != "Closed"].dt.hour
        assert hours.between(8, 18).mean() > 0.999
