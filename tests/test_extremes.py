"""Extreme values: no tickets, nobody at work, a thousand agents, a provider that is never there."""

import numpy as np
import pytest
from days import assistant, desk, provider, value, visits

from twin.demand.tickets import draw
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.desk.names import Names
from twin.desk.simulation import simulate
from twin.measures.figures import measure
from twin.scenario.model import from_data

EVERY_HOUR = {"kind": "constant", "rate": "1/h"}


def test_more_pools_than_a_byte_counts():
    pools = {f"p{k}": {"heads": 1, "handle_time": "2h"} for k in range(200)}
    arrivals = {"kind": "constant", "rate": "300/h"}
    scenario = from_data({"horizon": "1h", "arrivals": arrivals, "agents": pools})
    log = simulate(scenario, draw(scenario))
    assert log.visits["pool"].dropna().tolist() == list(pools)


def test_more_prompt_versions_than_a_byte_counts():
    scenario = from_data(desk(EVERY_HOUR))
    ledger = Ledger(Clock(), draw(scenario), scenario.horizon)
    names = Names()
    numbers = [names.versions.number(f"1+{k}") for k in range(300)]
    ledger.rated(0, 5, names.models.number("openai/gpt-oss-20b"), numbers[-1], 0)
    ledger.learned(-1, numbers[-1], 0, 0.01)
    log = ledger.log([], names, ["fine"], [])
    assert log.ratings["prompt_version"].tolist() == ["1+299"]
    assert log.learning["prompt_version"].tolist() == ["1+299"]


@pytest.mark.parametrize(
    "arrivals",
    [{"rate": "40/h", "scale": 0.0}, {**EVERY_HOUR, "scale": 0.0}, {**EVERY_HOUR, "rate": "1/2d"}],
)
@pytest.mark.parametrize("role", ["off", "full"])
def test_nobody_comes(arrivals, role):
    data = desk(arrivals, assistant=assistant(role))
    scenario = from_data(data)
    log = simulate(scenario, draw(scenario))
    for table in (log.tickets, log.timeline, log.visits, log.calls, log.ratings):
        assert table.empty
    kpis = measure(log, scenario).set_index(["kpi", "group"])["value"]
    assert kpis["arrivals", ""] == kpis["backlog", ""] == kpis["occupancy", ""] == 0
    assert np.isnan(kpis["resolution_mean", ""])
    assert np.isnan(kpis["containment", ""])


def test_nobody_works(play):
    nobody = {"all": {"heads": 0, "handle_time": "10min"}}
    data = desk(EVERY_HOUR, agents=nobody)
    log = play(data)
    assert log.tickets["status"].tolist() == ["Open"] * 23
    assert log.visits["end"].tolist() == ["open"] * 23
    assert np.isnan(value(log, data, "occupancy"))
    log = play(desk(EVERY_HOUR, {"patience": "5min"}, agents=nobody))
    assert log.tickets["status"].tolist() == ["Abandoned"] * 23
    assert (log.visits["ended_s"] == log.visits["queued_s"] + 300).all()


def test_fewer_agents_than_none(play):
    fewer = {"all": {"heads": 2, "extra_heads": -5, "handle_time": "10min"}}
    assert play(desk(EVERY_HOUR, agents=fewer)).tickets["status"].tolist() == ["Open"] * 23


def test_one_category_only(play):
    data = desk(EVERY_HOUR, assistant=assistant(profile={"accuracy": 0.0}))
    log = play(data)
    # There is no other category to take it for.
    assert value(log, data, "categorization_accuracy") == 1


def test_no_patience_at_all(play, arrive):
    log = play(desk(arrive(*range(0, 3600, 300)), {"patience": "0s"}, horizon="1h"))
    # Every second one finds the agent free; who does not leaves at once.
    statuses = log.tickets["status"].astype(object).tolist()
    assert statuses == ["Resolved", "Abandoned"] * 5 + ["In Progress", "Abandoned"]
    gone = log.timeline[log.timeline["status"] == "Abandoned"]
    assert gone["time_s"].tolist() == [300, 900, 1500, 2100, 2700, 3300]


def test_a_thousand_agents(play):
    time = {"distribution": "lognormal", "mean": "20min", "cv": 1.0}
    data = desk({"rate": "100/h"}, agents={"all": {"heads": 1000, "handle_time": time}})
    log = play(data)
    assert value(log, data, "agent_wait_share") == 0
    assert value(log, data, "first_response_mean") == 0
    assert value(log, data, "queue") == 0


@pytest.mark.parametrize(("rate", "rated"), [(0.0, 0), (1.0, 23)])
def test_everybody_or_nobody_rates(play, rate, rated):
    data = desk(EVERY_HOUR, {"survey_rate": rate})
    log = play(data)
    assert len(log.ratings) == rated
    assert value(log, data, "rated_share") == rate


def test_work_without_end(play):
    slow = {"all": {"heads": 1, "handle_time": "10000d"}}
    data = desk(EVERY_HOUR, agents=slow)
    log = play(data)
    assert log.tickets["status"].tolist() == ["In Progress"] + ["Open"] * 22
    assert log.visits["end"].tolist() == ["open"] * 23
    assert value(log, data, "occupancy") == pytest.approx(23 / 24)
    assert value(log, data, "throughput") == 0


def test_the_horizon_cuts_what_is_under_way(play, arrive):
    data = desk(arrive(0, 3000, 3000, 3595), assistant=assistant("triage"), horizon="1h",
                provider=provider())  # fmt: skip
    log = play(data)
    # What would happen at the horizon itself does not.
    assert visits(log, "started_s", "end") == [
        (1, 2, "done"),
        (2, 3002, "open"),
        (3, pytest.approx(np.nan, nan_ok=True), "open"),
        (4, pytest.approx(np.nan, nan_ok=True), "open"),
    ]
    exact = play({**data, "horizon": "3602s"})
    assert visits(exact, "started_s", "end")[1] == (2, 3002, "open")
    later = play({**data, "horizon": "3603s"})
    assert visits(later, "started_s", "end")[1] == (2, 3002, "done")


DOWN = provider(retries=1, backoff="1s", outages=[{"start": "0s", "length": "30d"}])


def test_a_provider_that_is_never_there(play):
    data = desk(EVERY_HOUR, assistant=assistant(), provider=DOWN)
    log = play(data)
    assert (log.calls["outcome"] == "outage").all()
    assert log.tickets["resolved_by"].tolist() == ["agent"] * 23
    assert value(log, data, "containment") == 0
    assert value(log, data, "call_failure_share") == 1


@pytest.mark.parametrize("on_failure", ["escalate", "retry"])
def test_an_assistant_alone_behind_a_provider_that_is_never_there(play, on_failure):
    alone = assistant(on_failure=on_failure)
    log = play(desk(EVERY_HOUR, assistant=alone, agents={}, provider=DOWN))
    status = {"escalate": "Escalated", "retry": "Open"}[on_failure]
    assert log.tickets["status"].tolist() == [status] * 23
    assert log.tickets["resolved_s"].isna().all()


def test_every_call_fails(play):
    broken = assistant(profile={"error_rate": 1.0})
    data = desk(EVERY_HOUR, assistant=broken, provider=provider(retries=2, backoff="1s"))
    log = play(data)
    assert set(log.calls["outcome"]) == {"server error"}
    assert set(log.calls["attempts"]) == {3}
    assert log.tickets["resolved_by"].tolist() == ["agent"] * 23
