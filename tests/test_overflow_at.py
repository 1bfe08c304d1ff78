"""Pools that help another one while many wait in its queue."""

import numpy as np
import pytest
from days import MIN, desk, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.measures import chains, theory
from twin.report.explain import explain
from twin.scenario.model import from_data

TEN = {"heads": 1, "handle_time": "10min"}
NAN = pytest.approx(np.nan, nan_ok=True)


def two(**more):
    """Pool a is helped by pool b, which has work of its own and takes 20 minutes a ticket."""
    first = TEN | {"skills": ["a"], "overflow_to": ["b"], **more}
    return {"a": first, "b": TEN | {"skills": ["b"], "handle_time": "20min"}}


def test_the_longest_waiting_is_taken_as_soon_as_so_many_wait(play, arrive):
    arrivals = arrive(0, 60, 120, 180, 1500, category=["a", "a", "a", "a", "b"])
    log = play(desk(arrivals, agents=two(overflow_at=2)))
    # At 2 min two wait: the first of them goes to b. Then one waits, at 3 min two; b is busy.
    assert visits(log, "pool", "started_s") == [
        (1, "a", 0),
        (2, "b", 120),
        (3, "a", 600),
        (4, "a", 1200),
        # At 22 min b was free, and nobody of a waited.
        (5, "b", 1500),
    ]


def test_a_helper_who_is_done_takes_one_while_so_many_wait(play, arrive):
    arrivals = arrive(0, 60, 120, 180, 240, 300, category=["b", *"aaaaa"])
    log = play(desk(arrivals, agents=two(overflow_at=2, handle_time="2h")))
    # b is done at 20 and 40 min, and 4 and 3 wait; at 60 min 2 wait, at 80 min only one.
    assert visits(log, "pool", "started_s") == [
        (1, "b", 0),
        (2, "a", 60),
        (3, "b", 20 * MIN),
        (4, "b", 40 * MIN),
        (5, "b", 60 * MIN),
        (6, "a", 121 * MIN),
    ]


def test_who_left_does_not_count(play, arrive):
    arrivals = arrive(0, 60, 200, 210, category=["a", "a", "a", "b"])
    impatient = {"patience_by_category": {"a": "2min"}}
    log = play(desk(arrivals, impatient, agents=two(overflow_at=2)))
    assert [end for _, end in visits(log, "end")] == ["done", "abandoned", "abandoned", "done"]
    log = play(desk(arrivals, {"patience": "141s"}, agents=two(overflow_at=2)))
    assert visits(log, "pool")[1:] == [(2, "b"), (3, NAN), (4, NAN)]


def test_a_helpers_own_work_goes_first_by_place(play, arrive):
    # b is free at 20 min: its own ticket came before those of a, then theirs.
    arrivals = arrive(0, 0, 60, 120, 180, category=["b", "a", "b", "a", "a"])
    log = play(desk(arrivals, agents=two(overflow_at=2, handle_time="3h")))
    assert visits(log, "pool", "started_s")[2:] == [
        (3, "b", 20 * MIN),
        (4, "b", 40 * MIN),
        (5, "a", 180 * MIN),
    ]


def test_it_overflows_by_number_or_after_a_wait(play, arrive):
    arrivals = arrive(0, 60, 3600, 3610, 3620, 9000, category=[*"aaaaab"])
    log = play(desk(arrivals, agents=two(overflow_at=2, overflow_after="4min")))
    assert visits(log, "pool", "started_s") == [
        (1, "a", 0),
        (2, "b", 5 * MIN),
        (3, "a", 3600),
        (4, "b", 3620),
        (5, "a", 3600 + 10 * MIN),
        (6, "b", 9000),
    ]
    # Of a wait alone nothing is said: then only the number counts.
    log = play(desk(arrivals, agents=two(overflow_at=2)))
    assert visits(log, "pool", "started_s")[1] == (2, "a", 10 * MIN)


@SETTINGS
@given(st.integers(0, 1000), st.sampled_from(["finish", "hand over"]))
def test_one_is_enough_is_overflow_at_once(seed, end):
    shift = [{"start": "00:00", "end": "05:00", "heads": 2}]
    busy = {"distribution": "exponential", "mean": "20min"}

    def played(**more):
        agents = two(**more)
        agents["a"] = {"shifts": shift, "at_shift_end": end} | {
            k: v for k, v in agents["a"].items() if k != "heads"
        }
        for pool in agents.values():
            pool["handle_time"] = busy
        scenario = from_data(desk({"rate": "12/h"}, {"patience": "15min"}, seed=seed, horizon="8h",
                                  agents=agents, tickets={"category_mix": {"a": 2, "b": 1}},
                                  queue={"capacity": 4}))  # fmt: skip
        return simulate(scenario, draw(scenario))

    logs = [played(overflow_after="0s"), played(overflow_at=1)]
    for name in ("tickets", "timeline"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))
    assert (logs[0].visits["pool"] == "b").sum() == (logs[1].visits["pool"] == "b").sum()


def test_so_many_never_wait_is_the_desk_without_overflow():
    data = desk({"rate": "9/h"}, horizon="5d", tickets={"category_mix": {"a": 1, "b": 1}})
    alone = data | {"agents": {"a": TEN | {"skills": ["a"]}, "b": two()["b"]}}
    logs = [simulate(one, draw(one)) for one in map(
        from_data, (alone, data | {"agents": two(overflow_at=100_000)}))]  # fmt: skip
    for name in ("tickets", "timeline", "visits"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))


def test_the_chain_has_the_known_limits():
    never = chains.overflow_at(2, 1, 0.15, (10, 10), at=10**6)
    assert never.wait == pytest.approx(theory.erlang_c_wait(2, 1.5, 10))
    assert never.helper_used == 0
    # One is enough, at one speed: as many agents as both pools have.
    once = chains.overflow_at(2, 1, 0.2, (10, 10), at=1)
    assert once.wait == pytest.approx(theory.erlang_c_wait(3, 2, 10))
    assert 2 * once.used + once.helper_used == pytest.approx(2)
    waits = [chains.overflow_at(2, 1, 0.15, (10, 12), at).wait for at in (1, 2, 3, 5, 9)]
    assert waits == sorted(waits)


def test_a_desk_agrees_with_its_chain_for_other_numbers():
    found = chains.overflow_at(1, 2, 0.15, (10, 15), at=2)
    slow = {"distribution": "exponential", "mean": "15min"}
    agents = {
        "a": two(overflow_at=2)["a"] | {"handle_time": slow | {"mean": "10min"}},
        "b": {"heads": 2, "skills": ["b"], "handle_time": slow},
    }
    scenario = from_data(desk({"rate": "0.15/min"}, horizon="150d", agents=agents,
                              tickets={"category_mix": {"a": 1, "b": 0}}))  # fmt: skip
    log = simulate(scenario, draw(scenario))
    waits = (log.visits["started_s"] - log.visits["queued_s"]) / 60
    # By parts, so that their spread is known.
    means = waits.groupby(np.arange(len(waits)) // 1000).mean()
    assert means.mean() == pytest.approx(found.wait, abs=4 * means.std() / np.sqrt(len(means)))
    helped = (log.visits["pool"] == "b").mean()
    assert helped == pytest.approx(found.helper_used * 2 / 15 / 0.15, rel=0.03)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"overflow_at": 0}, "overflow_at"),
        ({"overflow_at": 2, "overflow_to": []}, "overflow_at needs overflow_to"),
    ],
)
def test_faults_name_the_key(change, words):
    agents = two()
    agents["a"] |= change
    with pytest.raises(ScenarioError, match=words):
        from_data(desk({"rate": "1/h"}, agents=agents))


def test_check_says_it():
    data = desk({"rate": "1/h"}, tickets={"category_mix": {"a": 1, "b": 1}})
    said = "\n".join(explain(from_data(data | {"agents": two(overflow_at=3)})))
    assert "(overflow while 3 wait to b)" in said
    both = two(overflow_at=3, overflow_after="5min")
    said = "\n".join(explain(from_data(data | {"agents": both})))
    assert "(overflow after 5 min, or while 3 wait, to b)" in said
