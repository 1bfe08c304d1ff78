"""Tickets that overflow: after a wait, other pools may take them, too."""

import numpy as np
import pytest
from days import HOUR, MIN, desk, value, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.measures import theory
from twin.report.explain import explain
from twin.scenario.model import from_data

TEN = {"heads": 1, "handle_time": "10min"}


def two(after="4min", **more):
    """Pool a overflows to pool b, which has work of its own and takes 20 minutes a ticket."""
    first = TEN | {"skills": ["a"], "overflow_to": ["b"], "overflow_after": after, **more}
    return {"a": first, "b": TEN | {"skills": ["b"], "handle_time": "20min"}}


def test_a_ticket_goes_to_another_pool_after_a_wait(play, arrive):
    data = desk(arrive(0, 60, 3600, category=["a", "a", "b"]), agents=two())
    log = play(data)
    # By then its own pool is still busy; the other one works at its own speed.
    assert visits(log, "pool", "queued_s", "started_s", "ended_s") == [
        (1, "a", 0, 0, 10 * MIN),
        (2, "b", 60, 5 * MIN, 25 * MIN),
        (3, "b", HOUR, HOUR, HOUR + 20 * MIN),
    ]
    assert log.tickets["transfers"].tolist() == [0, 0, 0]
    assert value(log, data, "agent_wait_mean") == pytest.approx(4 * MIN / 3)


def test_its_own_pool_takes_it_where_that_is_free_first(play, arrive):
    log = play(desk(arrive(0, 8 * MIN, 9 * MIN, category=["a", "a", "b"]), agents=two()))
    assert [row[1] for row in visits(log, "pool")] == ["a", "a", "b"]


def test_a_busy_pool_takes_it_later_and_the_longest_waiting_first(play, arrive):
    # b is busy until 20 min. At 4 min after coming, tickets of a may be theirs too, but a takes
    # them at 10 min; the third, of b, came before the fourth, of a.
    moments, kinds = (0, 0, 1 * MIN, 2 * MIN, 3 * MIN), ["a", "b", "a", "b", "a"]
    log = play(desk(arrive(*moments, category=kinds), agents=two(handle_time="19min")))
    assert visits(log, "pool", "started_s") == [
        (1, "a", 0),
        (2, "b", 0),
        (3, "a", 19 * MIN),
        (4, "b", 20 * MIN),
        (5, "a", 38 * MIN),
    ]
    log = play(desk(arrive(*moments, category=kinds), agents=two(handle_time="2h")))
    assert visits(log, "pool", "started_s") == [
        (1, "a", 0),
        (2, "b", 0),
        (3, "b", 20 * MIN),
        (4, "b", 40 * MIN),
        (5, "b", 60 * MIN),
    ]


def test_an_urgent_ticket_goes_first_where_it_overflows_to(play, arrive):
    arrivals = arrive(0, 0, 60, 120, category=["a", "b", "b", "a"],
                      priority=["low", "low", "low", "urgent"])  # fmt: skip
    log = play(desk(arrivals, agents=two(handle_time="2h")))
    assert visits(log, "pool", "started_s")[2:] == [(3, "b", 40 * MIN), (4, "b", 20 * MIN)]


@pytest.mark.parametrize(("patience", "end"), [("4min", "abandoned"), ("241s", "done")])
def test_who_is_out_of_patience_does_not_overflow(play, arrive, patience, end):
    arrivals = arrive(0, 60, 7200, category=["a", "a", "b"])
    log = play(desk(arrivals, {"patience": patience}, agents=two()))
    assert visits(log, "end")[1][1] == end


def test_at_once_where_nobody_of_its_own_is_free(play, arrive):
    log = play(desk(arrive(0, 60, 120, category=["a", "a", "b"]), agents=two("0s")))
    assert visits(log, "pool", "started_s") == [(1, "a", 0), (2, "b", 60), (3, "b", 21 * MIN)]


def test_it_overflows_by_steps(play, arrive):
    agents = {
        "a": TEN | {"skills": ["a"], "overflow_to": ["b"], "overflow_after": "4min"},
        "b": TEN | {"skills": ["b"]},
        "c": TEN | {"skills": ["c"]},
    }
    agents["a2"] = agents["a"] | {"heads": 0, "overflow_to": ["b", "c"], "overflow_after": "6min"}
    kinds = ["a", "b", "a", "a", "c"]
    log = play(desk(arrive(0, 0, 60, 61, 3 * HOUR, category=kinds), agents=agents))
    # b is busy at 5 min, c free at 7; the fourth finds c busy by then, and a and b at 10 min.
    assert visits(log, "pool", "started_s")[:4] == [
        (1, "a", 0), (2, "b", 0), (3, "c", 7 * MIN), (4, "a", 10 * MIN),
    ]  # fmt: skip


def test_what_overflows_and_is_handed_over_waits_for_its_own_pool_again(play, arrive):
    day = {"shifts": [{"start": "00:00", "end": "00:10", "heads": 1}], "handle_time": "20min"}
    agents = two(handle_time="2h") | {"b": day | {"skills": ["b"], "at_shift_end": "hand over"}}
    log = play(desk(arrive(0, 60, 7200 - 1, category=["a", "a", "b"]), agents=agents))
    assert visits(log, "pool", "queued_s", "started_s", "ended_s", "end")[1:3] == [
        (2, "b", 60, 5 * MIN, 10 * MIN, "handed over"),
        (2, "a", 10 * MIN, 2 * HOUR, 2 * HOUR + 15 * MIN, "done"),
    ]


def test_places_to_wait_count_those_that_may_overflow(play, arrive):
    arrivals = arrive(0, 0, 60, 400, 401, category=["a", "b", "a", "a", "b"])
    log = play(desk(arrivals, agents=two(), queue={"capacity": 1}))
    # The third waits for both pools at 400 s, but in the queue of a; b's is empty.
    assert [end for _, end in visits(log, "end")] == ["done", "done", "done", "blocked", "done"]


def test_where_nobody_ever_has_to_wait_so_long_nothing_overflows():
    for seed in range(10):
        agents = two("9d", heads=1)
        plain = {name: {k: v for k, v in pool.items() if not k.startswith("overflow")}
                 for name, pool in agents.items()}  # fmt: skip
        logs = []
        for pools in (plain, agents):
            scenario = from_data(
                desk({"rate": "9/h"}, {"solved": {"agent": 0.6}}, agents=pools, seed=seed,
                     tickets={"category_mix": {"a": 1, "b": 1}})
            )  # fmt: skip
            logs.append(simulate(scenario, draw(scenario)))
        for name in ("tickets", "timeline", "visits"):
            assert getattr(logs[0], name).equals(getattr(logs[1], name))


@SETTINGS
@given(st.integers(0, 1000))
def test_at_once_is_a_second_skill_that_comes_last(seed):
    handle = {"distribution": "exponential", "mean": "10min"}
    first = {"heads": 2, "skills": ["a"], "handle_time": handle}
    second = {"heads": 1, "skills": ["b"], "handle_time": handle}
    logs = []
    for pools in (
        {"one": first | {"overflow_to": ["two"]}, "two": second},
        {"one": first, "two": second | {"skills": ["b", "a"]}},
    ):
        data = desk({"rate": "18/h"}, {"patience": "20min"}, agents=pools, seed=seed,
                    tickets={"category_mix": {"a": 2, "b": 1}})  # fmt: skip
        logs.append(simulate(from_data(data), draw(from_data(data))))
    for name in ("tickets", "timeline", "visits"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))


def test_the_chain_has_the_known_limits():
    def erlang_b(servers, load):
        blocked = 1.0
        for k in range(1, servers + 1):
            blocked = load * blocked / (k + load * blocked)
        return blocked

    # Nobody of the first kind: the second pool alone. Nobody of the second: five agents.
    lost, first, _ = theory.overflow_loss((3, 2), (1e-12, 0.2), 10)
    assert (lost, first) == (pytest.approx(erlang_b(2, 2)), pytest.approx(0, abs=1e-9))
    lost, first, second = theory.overflow_loss((3, 2), (0.3, 1e-12), 10)
    assert lost == pytest.approx(erlang_b(5, 3))
    assert first == pytest.approx(3 * (1 - erlang_b(3, 3)) / 3)
    assert 3 * first + 2 * second == pytest.approx(3 * (1 - erlang_b(5, 3)))
    chance = theory.stationary(np.array([[7.0, 2.0], [1.0, 0.0]]))
    assert chance == pytest.approx([1 / 3, 2 / 3])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a": {"overflow_to": ["c"]}}, r"agents.a.overflow_to.*not another pool.*other pools: b"),
        ({"a": {"overflow_to": ["a"]}}, r"agents.a.overflow_to.*not another pool"),
        ({"b": {"overflow_after": "5min"}}, r"agents.b.*needs overflow_to"),
        ({"b": {"overflow_after": "-5min"}}, r"agents.b.overflow_after"),
    ],
)
def test_faults_name_the_key(change, words):
    agents = two()
    for name, more in change.items():
        agents[name] |= more
    with pytest.raises(ScenarioError, match=words):
        from_data(desk({"rate": "1/h"}, agents=agents))


def test_check_says_it():
    data = desk({"rate": "1/h"}, agents=two(), tickets={"category_mix": {"a": 1, "b": 1}})
    assert "takes a (overflow after 4 min to b)" in " ".join(explain(from_data(data)))
