"""Transfers from pool to pool: traced days, bounds, networks of queues, and faults."""

import numpy as np
import pytest
from days import HOUR, MIN, desk, life, value, visits

import twin
from twin.common.errors import ScenarioError
from twin.demand.luck import Stream, Use
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments.workload import workload
from twin.measures.levels import area, count_between
from twin.measures.theory import erlang_bounds, jackson
from twin.scenario.model import from_data

ONCE = {"kind": "constant", "rate": "1/h"}
SECOND = {"heads": 1, "handle_time": "30min", "follow_up_time": "20min", "transfers_only": True}


def two(chance=1.0, **first):
    return {"front": {"heads": 1, "handle_time": "10min", "transfers_to": {"second": chance},
                      **first}, "second": SECOND}  # fmt: skip


def test_a_ticket_goes_on_to_another_pool(play):
    data = desk(ONCE, horizon="119min", agents=two())
    log = play(data)
    assert life(log, 1) == [
        (HOUR, "Open"),
        (HOUR, "In Progress"),
        (HOUR + 10 * MIN, "Escalated"),
        (HOUR + 10 * MIN, "In Progress"),
        (HOUR + 30 * MIN, "Resolved"),
    ]
    assert visits(log, "pool", "activity", "queued_s", "started_s", "ended_s") == [
        (1, "front", "handle", HOUR, HOUR, HOUR + 10 * MIN),
        (1, "second", "follow up", HOUR + 10 * MIN, HOUR + 10 * MIN, HOUR + 30 * MIN),
    ]
    ticket = log.tickets.iloc[0]
    assert (ticket["transfers"], ticket["responded_s"]) == (1, HOUR)
    assert value(log, data, "touches_mean") == 2
    assert value(log, data, "escalation_rate") == 1


def test_nobody_of_the_first_pool_waits_for_the_second(play, arrive):
    """Tickets come each ten minutes; the second pool needs twenty for each."""
    log = play(desk(arrive(600, 1200, 1800), horizon="69min", agents=two()))
    assert visits(log, "pool", "queued_s", "started_s")[:5] == [
        (1, "front", 10 * MIN, 10 * MIN),
        (1, "second", 20 * MIN, 20 * MIN),
        (2, "front", 20 * MIN, 20 * MIN),
        (2, "second", 30 * MIN, 40 * MIN),
        (3, "front", 30 * MIN, 30 * MIN),
    ]


def test_a_ticket_goes_to_and_fro_no_more_often_than_it_may(play):
    agents = {name: {"heads": 1, "handle_time": "1min", "transfers_to": {other: 1.0}}
              for name, other in (("a", "b"), ("b", "a"))}  # fmt: skip
    log = play(desk(ONCE, horizon="119min", agents=agents, routing={"max_transfers": 5}))
    assert [pool for _, pool in visits(log, "pool")] == ["a", "b", "a", "b", "a", "b"]
    assert log.tickets["transfers"].tolist() == [5]
    assert log.tickets["status"].tolist() == ["Resolved"]


def test_no_chance_plays_as_without(play):
    data = desk(
        {"rate": "20/h"},
        horizon="3d",
        agents={"a": {"heads": 2, "handle_time": "9min"}, "b": {"heads": 1, "handle_time": "4min"}},
    )
    plain = play(data)
    data["agents"]["a"]["transfers_to"] = {"b": 0.0}
    log = play(data)
    assert log.visits.equals(plain.visits)
    assert log.tickets.equals(plain.tickets)
    assert log.timeline.equals(plain.timeline)


def test_each_touch_decides_by_luck_of_its_own(play):
    """The first touch of a ticket goes on where its luck is below the chance, and so on."""
    agents = {"a": {"heads": 9, "handle_time": "1min", "transfers_to": {"b": 0.4}},
              "b": {"heads": 9, "handle_time": "1min", "transfers_to": {"a": 0.4},
                    "transfers_only": True}}  # fmt: skip
    scenario = from_data(desk({"rate": "20/h"}, horizon="2d", agents=agents))
    demand = draw(scenario)
    log = simulate(scenario, demand)
    luck = np.array([demand.uniform(Stream.TRANSFER, Use(k)) for k in range(21)])
    expected = (luck < 0.4).argmin(axis=0)
    ended = log.tickets["resolved_s"].notna()
    assert log.tickets["transfers"][ended].tolist() == expected[ended].tolist()


def test_further_touches_and_transfers_have_luck_of_their_own(play):
    spread = {"distribution": "exponential", "mean": "3min"}
    agents = {"a": {"heads": 50, "handle_time": spread, "transfers_to": {"b": 0.5}},
              "b": {"heads": 50, "handle_time": spread}}  # fmt: skip
    log = play(desk({"rate": "40/h"}, horizon="4d", agents=agents,
                    touches={"on_hold": {"chance": 0.6, "delay": "1min"}}))  # fmt: skip
    spent = (log.visits["ended_s"] - log.visits["started_s"]).dropna().round(6)
    assert spent.is_unique
    assert log.visits.groupby("ticket_id").size().max() > 4


def test_a_customer_may_give_up_on_the_second_pool(play):
    agents = two() | {"second": SECOND | {"heads": 0}}
    log = play(desk(ONCE, {"patience": "30min"}, horizon="119min", agents=agents))
    assert life(log, 1)[-2:] == [(HOUR + 10 * MIN, "Escalated"), (HOUR + 40 * MIN, "Abandoned")]


def test_a_workflow_transfers_within_a_status(play):
    statuses = {
        "Active": {"counts_as": "In Progress", "work": True, "next": {"Asked": 0.5, "Done": 0.5},
                   "after": {"Asked": {"Done": 1.0}}},
        "Asked": {"counts_as": "Waiting for customer", "delay": "5min", "next": {"Active": 1.0}},
        "Done": {"counts_as": "Resolved"},
    }  # fmt: skip
    data = desk({"kind": "constant", "rate": "1/h"}, horizon="20h", agents=two(),
                workflow={"start": {"Active": 1}, "statuses": statuses})  # fmt: skip
    log = play(data)
    assert set(log.timeline["detail"]) == {"Active", "Asked", "Done"}
    own = {k: [row[1:] for row in visits(log, "pool", "activity") if row[0] == k] for k in (1, 2)}
    once = [("front", "handle"), ("second", "follow up")]
    again = [("front", "follow up"), ("second", "follow up")]
    lives = log.timeline.groupby("ticket_id")["detail"].agg(list)
    assert {tuple(one) for one in lives[:15]} == {
        ("Active", "Done"), ("Active", "Asked", "Active", "Done"),
    }  # fmt: skip
    for ticket in (1, 2):
        assert own[ticket] == once + (again if len(lives[ticket]) > 2 else [])
    done = log.tickets["status"] == "Resolved"
    asked = np.array(["Asked" in one for one in lives])
    assert log.tickets["transfers"][done].tolist() == (1 + asked[done]).tolist()


def test_a_network_of_pools_has_the_product_form():
    """Each pool holds as many tickets as if it were alone (Jackson 1957)."""
    exponential = {"distribution": "exponential"}
    agents = {
        "a": {"heads": 2, "handle_time": {**exponential, "mean": "10min"},
              "transfers_to": {"b": 0.4}},
        "b": {"heads": 1, "handle_time": {**exponential, "mean": "12min"}, "transfers_only": True,
              "transfers_to": {"a": 0.3}},
    }  # fmt: skip
    data = desk({"rate": "7/h"}, horizon="40d", warm_up="1d", agents=agents, replications=10,
                routing={"max_transfers": 1000})  # fmt: skip
    used, number = jackson(np.array([7.0, 0.0]), np.array([[0.0, 0.4], [0.3, 0.0]]), [2, 1],
                           np.array([10.0, 12.0]) / 60)  # fmt: skip
    begin, end = 86400.0, 40 * 86400.0
    found = []
    for k in range(10):
        log = twin.play(from_data(data), k).log
        own = [log.visits[log.visits["pool"] == name] for name in agents]
        levels = [[count_between(one[since].to_numpy(), one["ended_s"].to_numpy())
                   for since in ("started_s", "queued_s")] for one in own]  # fmt: skip
        found.append([[area(level, begin, end) / (end - begin) for level in two] for two in levels])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(10)
    expected = np.stack([used * [2, 1], number], axis=1)
    assert (np.abs(mean - expected) < 4.5 * error).all()


def test_check_tells_the_work_after_transfers():
    agents = {
        "a": {"heads": 300, "handle_time": "10min", "follow_up_time": "5min", "wrap_up": "1min",
              "transfers_to": {"b": 0.4, "c": 0.2}},
        "b": {"heads": 300, "handle_time": "6min", "transfers_only": True,
              "transfers_to": {"a": 0.5}},
        "c": {"heads": 300, "handle_time": "20min", "transfers_only": True},
    }  # fmt: skip
    scenario = from_data(desk({"rate": "40/h"}, horizon="10d", agents=agents))
    demand = draw(scenario)
    log = simulate(scenario, demand)
    done = float((log.visits["ended_s"] - log.visits["started_s"]).sum()) / len(log.tickets)
    assert workload(scenario, demand).ticket_s == pytest.approx(done, rel=0.02)
    said = "\n".join(twin.explain(scenario))
    assert "Pool a: 50,400 agent hours a week, takes everything, transfers 40 % on to b" in said
    assert "Pool c: 50,400 agent hours a week, takes what others transfer to it" in said


BAD = {
    "to itself": ({"a": {"transfers_to": {"a": 0.1}}}, "agents.a.transfers_to: not another pool"),
    "to nobody": ({"a": {"transfers_to": {"c": 0.1}}}, "other pools: b"),
    "too likely": ({"a": {"transfers_to": {"b": 1.5}}}, "at most 1"),
    "too likely together": (
        {"a": {"transfers_to": {"b": 0.6, "c": 0.6}}, "c": {}}, "must not be above 1 together"),
    "skills of a second line": ({"b": {"transfers_only": True, "skills": ["General"]}},
                                "give skills, or transfers_only, not both"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_faults_say_what_is_allowed(name):
    agents, said = BAD[name]
    pool = {"heads": 1, "handle_time": "1min"}
    agents = {name: pool | agents.get(name, {}) for name in {"a": 0, "b": 0, **agents}}
    with pytest.raises(ScenarioError, match=said):
        from_data(desk(ONCE, agents=agents))


def test_erlangs_bound_is_not_held_against_a_second_line():
    pool = {"heads": 3, "handle_time": {"distribution": "exponential", "mean": "6min"}}
    data = {"arrivals": {"rate": "12/h"}, "agents": {"all": pool},
            "customers": {"solved": {"agent": 1.0}}}  # fmt: skip
    assert erlang_bounds(from_data(data))
    data["agents"] = {"all": {**pool, "transfers_only": True}}
    assert not erlang_bounds(from_data(data))
