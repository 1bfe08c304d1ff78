"""Agents by name, each as fast as they are: days traced by hand, and two speeds as a chain."""

import io

import numpy as np
import pytest
from days import MIN, desk, value, visits

from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments.workload import workload
from twin.measures import chains, theory
from twin.records.export import events, write_csv
from twin.report.assumptions import assumptions
from twin.report.explain import explain
from twin.scenario.model import from_data

MEMBERS = [{"name": "Ann", "speed": 2.0}, {"name": "Bob"}, {"name": "Cy", "speed": 0.5}]


def team(**more):
    return {"all": {"heads": 3, "handle_time": "10min", "members": MEMBERS} | more}


def test_each_works_at_their_own_speed(play, arrive):
    data = desk(arrive(0, 60, 120, 6 * MIN), agents=team(wrap_up="2min"), horizon="1h")
    log = play(data)
    done = log.visits[log.visits["activity"] == "handle"]
    assert (done[["agent", "started_s", "ended_s"]].to_numpy() / [1, MIN, MIN]).tolist() == [
        [1, 0, 5], [2, 1, 11], [3, 2, 22], [1, 6, 11],
    ]  # fmt: skip
    after = log.visits[log.visits["activity"] == "wrap-up"]
    assert dict(zip(after["ticket_id"], after["ended_s"] / MIN, strict=True)) == {
        1: 6, 2: 13, 3: 26, 4: 12,
    }  # fmt: skip
    assert value(log, data, "occupancy") == pytest.approx((12 + 12 + 24) / 180)


def test_what_a_fast_one_leaves_is_work_for_a_slow_one(play, arrive):
    pool = {"handle_time": "10min", "at_shift_end": "hand over", "heads": None}
    early = pool | {"shifts": [{"start": "00:00", "end": "00:04", "heads": 1}],
                    "members": MEMBERS[:1]}  # fmt: skip
    late = pool | {"shifts": [{"start": "00:04", "end": "02:00", "heads": 1}],
                   "members": MEMBERS[2:]}  # fmt: skip
    log = play(desk(arrive(0), agents={"early": early, "late": late}))
    # 8 of 10 min are done by 4, so 2 are left, which take 4.
    assert visits(log, "pool", "started_s", "ended_s") == [
        (1, "early", 0, 4 * MIN), (1, "late", 4 * MIN, 8 * MIN),
    ]  # fmt: skip


def test_several_in_a_fast_hand_share_its_speed(play, arrive):
    one = team(heads=1, concurrency=2)
    log = play(desk(arrive(0, 2 * MIN), agents=one))
    # 4 of 10 done by 2, then half of twice the speed: until 8, when 6 are done of the other.
    assert [end / MIN for _, end in visits(log, "ended_s")] == [8, 10]


def test_more_heads_than_members_are_of_speed_1_and_fewer_are_the_first(play, arrive):
    # Two are both free at 10: first the one who began first, at speed 1.
    for heads, ends in ((4, [5, 10, 20, 10]), (2, [5, 10, 10, 20])):
        log = play(desk(arrive(0, 0, 0, 0), agents=team(heads=heads)))
        assert [end / MIN for _, end in visits(log, "ended_s")] == ends


def test_the_event_log_names_them(play, arrive):
    data = desk(arrive(0, 0), agents=team(members=MEMBERS[:1]))
    log = play(data)
    assert events(log, from_data(data))["resource"].dropna().tolist() == ["all Ann", "all 2"]
    assert events(log)["resource"].dropna().tolist() == ["all 1", "all 2"]
    file = io.StringIO()
    write_csv(log, from_data(data), file)
    assert "handle,all Ann,2026-01-05T00:00:00.000+00:00" in file.getvalue()


def test_the_chain_of_two_speeds_has_the_known_limits():
    for choice in ("in order", "longest idle", "random"):
        same = chains.two_speeds(0.1, (10, 10), choice)
        assert same.wait == pytest.approx(theory.erlang_c_wait(2, 1, 10))
        assert same.used == pytest.approx(0.5)
    chance = chains.two_speeds(0.1, (10, 10), "random").first_share
    assert chance == pytest.approx(0.5)
    assert chains.two_speeds(0.1, (10, 10), "in order").first_share > 0.5
    # Next to nobody comes: the first one takes all, or half of them.
    assert chains.two_speeds(1e-6, (10, 30), "in order").first_share == pytest.approx(1, abs=1e-4)
    assert chains.two_speeds(1e-6, (10, 30), "random").first_share == pytest.approx(0.5, abs=1e-4)
    # As many: who is free more often has been idle for longer.
    assert chains.two_speeds(1e-6, (10, 30), "longest idle").number == pytest.approx(2e-5, rel=1e-3)


@pytest.mark.parametrize("replications", [8, pytest.param(150, marks=pytest.mark.slow)])
@pytest.mark.parametrize("choice", ["in order", "longest idle", "random"])
def test_a_fast_and_a_slow_agent_are_their_chain(choice, replications):
    handle = {"distribution": "exponential", "mean": "15min"}
    pool = {"heads": 2, "handle_time": handle, "members": MEMBERS[:2]}
    data = desk({"rate": "6/h"}, agents={"all": pool}, horizon="12d", warm_up="12h", seed=3,
                routing={"choice": choice})  # fmt: skip
    scenario = from_data(data)
    known = chains.two_speeds(0.1, (7.5, 15), choice)
    found = []
    for k in range(replications):
        log = simulate(scenario, draw(scenario, k))
        used = value(log, data, "occupancy")
        found.append([(log.visits["agent"] == 1).mean(), used, value(log, data, "backlog")])
    expected = np.array([known.first_share, known.used, known.number])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(replications)
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error).all()
    assert (error / expected < 0.2 / np.sqrt(replications)).all()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([{"name": "Ann"}, {"name": "Ann"}], r'agents.all.*two of the name "Ann"'),
        ([{"name": "Ann", "speed": 0}], r"agents.all.members.0.speed.*above 0"),
        ([{"speed": 1.0}], r"agents.all.members.0.name.*must be given"),
        ([{"name": "Ann", "sped": 1.0}], r"agents.all.members.0.sped.*unknown key.*speed"),
    ],
)
def test_faults_name_the_key(members, words):
    with pytest.raises(ScenarioError, match=words):
        from_data(desk({"rate": "1/h"}, agents=team(members=members)))


def test_check_and_the_report_count_their_speeds():
    handle = {"distribution": "exponential", "mean": "10min"}

    def said(**more):
        scenario = from_data(desk({"rate": "9/h"}, agents=team(handle_time=handle, **more)))
        return workload(scenario, draw(scenario)).ticket_s, scenario

    assert said()[0] == pytest.approx(600 / (3.5 / 3))
    assert said(heads=2)[0] == pytest.approx(600 / 1.5)
    assert said(heads=4)[0] == pytest.approx(600 / (4.5 / 4))
    _, scenario = said()
    assert "3 agents by name, at speeds from 0.5 to 2." in " ".join(explain(scenario))
    texts = [text for _, text, _, _ in assumptions(scenario)]
    assert any("equally fast unless a member's speed says otherwise" in text for text in texts)
    assert theory.erlang_bounds(scenario) == {}
    assert theory.erlang_bounds(said(members=[])[1])
