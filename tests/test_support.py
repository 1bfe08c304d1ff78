"""An assistant that helps agents, by their tenure: who comes, who goes, and how fast they are."""

import math

import numpy as np
import pytest
from days import MIN, desk, visits

from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.desk.tenure import YEAR_S, Tenures
from twin.experiments.workload import workload
from twin.measures.theory import erlang_bounds
from twin.report.assumptions import assumptions
from twin.report.explain import explain
from twin.scenario.model import Support, from_data

OFF = {"role": "off"}
MEMBERS = [{"name": "new", "tenure": "0s"}, {"name": "half", "tenure": "4380h"},
           {"name": "old", "tenure": "3650d"}, {"name": "unknown"}]  # fmt: skip


def helped(support=None, **pool):
    base = {"heads": 4, "handle_time": "13min", "members": MEMBERS}
    more = {} if support is None else {"assistant": OFF | {"support": support}}
    return {"agents": {"all": base | pool}, **more}


def test_new_ones_gain_most_and_old_ones_nothing(play, arrive):
    # Within a day tenure grows by next to nothing.
    log = play(desk(arrive(0, 0, 0, 0), **helped({})))
    found = [end for _, end in visits(log, "ended_s")]
    expected = [13 * MIN / 1.3, 13 * MIN / 1.15, 13 * MIN, 13 * MIN / 1.15]
    assert found == pytest.approx(expected, rel=1e-9)
    log = play(desk(arrive(0, 0, 0, 0), **helped({"gain": 0.3, "gain_new": -0.5})))
    found = [end for _, end in visits(log, "ended_s")]
    expected = [26 * MIN, 13 * MIN / 0.75, 13 * MIN, 10 * MIN]
    assert found == pytest.approx(expected, rel=1e-9)


SOLVES = {"solved_new": 1.0, "solved_experienced": -1.0, "solved": 0.0}


@pytest.mark.parametrize("concurrency", [1, 2])
def test_answers_of_new_ones_solve_more_and_of_old_ones_less(play, arrive, concurrency):
    """With half of all answers solving, +1 is all of them, -1 none, and half way is as before."""
    solved = {"solved": {"agent": 0.5}, "reopen_rate": 0.0}
    helpers = {"members": [*MEMBERS[:1], MEMBERS[2]], "heads": 2, "concurrency": concurrency}
    moments = [60 * k for k in range(120)]
    pool = helped(SOLVES, handle_time="90s", **helpers)
    log = play(desk(arrive(*moments), solved, horizon="1d", **pool))
    # A ticket is worked on once here.
    by_agent = log.visits.merge(log.tickets[["ticket_id", "solved"]], on="ticket_id")
    found = by_agent.groupby("agent")["solved"]
    assert found.count().min() > 20
    assert found.mean().tolist() == [1.0, 0.0]
    middle = {"heads": 1, "members": [MEMBERS[1]], "concurrency": concurrency}
    half = play(desk(arrive(*moments), solved, horizon="1d",
                     **helped(SOLVES, handle_time="30s", **middle)))  # fmt: skip
    plain = play(desk(arrive(*moments), solved, horizon="1d",
                      **helped({}, handle_time="30s", **middle)))  # fmt: skip
    assert half.tickets["solved"].tolist() == plain.tickets["solved"].tolist()
    assert 0.3 < plain.tickets["solved"].mean() < 0.7


def test_what_support_does_to_quality_is_said():
    plain = from_data(desk({"rate": "6/h"}, **helped({})))
    better = from_data(desk({"rate": "6/h"}, **helped({"solved_new": 0.1})))
    words = "the share of their answers that solve changes by +10 points of new ones, +0 points"
    for how in (explain, lambda one: [row[1] for row in assumptions(one)]):
        assert words in " ".join(how(better))
        assert words not in " ".join(how(plain))


@pytest.mark.parametrize("concurrency", [1, 2])
def test_who_works_along_gains_less_day_by_day(play, arrive, concurrency):
    support = {"gain_new": 1.0, "experienced_after": "10d"}
    pool = {"heads": 1, "handle_time": "30min", "concurrency": concurrency}
    day = 86400
    data = desk(arrive(0, 5 * day, 20 * day), horizon="21d", **helped(support, **pool))
    starts, ends = np.array([pair for _, *pair in visits(play(data), "started_s", "ended_s")]).T
    assert ends - starts == pytest.approx([15 * MIN, 20 * MIN, 30 * MIN])


def busy_desk(seed, assistant=None, **pool):
    handle = {"distribution": "lognormal", "mean": "20min", "cv": 1.2}
    wrap_up = {"distribution": "exponential", "mean": "3min"}
    base = {"heads": 3, "handle_time": handle, "wrap_up": wrap_up, "individuals": True}
    data = desk({"rate": "9/h"}, {"solved": {"agent": 0.6}, "patience": "1h"}, horizon="2d",
                seed=seed, agents={"all": base | pool}, assistant=assistant or OFF)  # fmt: skip
    scenario = from_data(data)
    return scenario, simulate(scenario, draw(scenario))


NONE = {"gain": 0.0, "gain_new": 0.0, "gain_experienced": 0.0}
USUAL = {"distribution": "exponential", "mean": "200d"}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pool", [{}, {"concurrency": 2}, {"concurrency": 2, "slow_down": "none"}])
def test_without_effect_it_is_the_desk_without_it_to_the_last_bit(seed, pool):
    _, plain = busy_desk(seed, **pool)
    more = pool | {"tenure": USUAL, "turnover": 20.0}
    _, log = busy_desk(seed, OFF | {"support": NONE}, **more)
    if pool.get("slow_down") == "none":
        # There its ends are set anew with each change: the same but for rounding.
        assert np.allclose(log.visits["ended_s"], plain.visits["ended_s"], equal_nan=True)
        return
    for name in ("tickets", "timeline", "visits"):
        assert getattr(log, name).equals(getattr(plain, name))


@pytest.mark.parametrize("pool", [{}, {"concurrency": 3}])
def test_of_one_tenure_it_is_a_factor_on_the_handle_time(pool):
    same = {"gain": 0.25, "gain_new": 0.25, "gain_experienced": 0.25}
    after = {"distribution": "exponential", "mean": "2.4min"}
    _, scaled = busy_desk(5, **pool, handle_scale=0.8, wrap_up=after)
    for more in ({}, {"tenure": USUAL, "turnover": 20.0}):
        _, log = busy_desk(5, OFF | {"support": same}, **pool, **more)
        for name in ("started_s", "ended_s"):
            assert np.allclose(log.visits[name], scaled.visits[name], equal_nan=True)
        assert log.visits["agent"].equals(scaled.visits["agent"])


def tenures(turnover=0.0, tenure=None, replication=0, **more):
    pool = {"turnover": turnover} | ({} if tenure is None else {"tenure": tenure})
    scenario = from_data(desk({"rate": "1/h"}, agents={"all": {"heads": 1, "handle_time": "1min"}
                                                       | pool | more}))  # fmt: skip
    return Tenures(0, scenario.agents["all"], Support(), draw(scenario, replication))


def test_who_leaves_is_replaced_and_has_luck_of_their_own():
    of = tenures(turnover=2.0, tenure=USUAL)
    first = [of.joined_s(k, 0.0) for k in range(1, 400)]
    assert np.mean(first) == pytest.approx(-200 * 86400, rel=0.2)
    # Twice a year each: exponential stays.
    last_s = 10 * YEAR_S
    stays = last_s - np.array([of.joined_s(k, last_s) for k in range(1, 400)])
    assert stays.mean() == pytest.approx(YEAR_S / 2, rel=0.2)
    assert (stays > YEAR_S).mean() == pytest.approx(math.exp(-2), abs=0.05)
    # The luck is that of (replication, pool, agent), whoever was asked for before.
    again = tenures(turnover=2.0, tenure=USUAL)
    assert again.joined_s(7, last_s) == of.joined_s(7, last_s)
    assert tenures(tenure=USUAL, replication=1).joined_s(7, 0.0) != first[6]
    # It is the same whatever the turnover.
    assert tenures(tenure=USUAL).joined_s(7, 0.0) == first[6]
    assert tenures().joined_s(7, 0.0) is None
    assert tenures(turnover=100.0).joined_s(7, last_s) > 0.99 * last_s


def test_who_joined_later_does_not_know_the_ticket():
    shares = []
    for turnover in (0.0, 100.0):
        data = desk({"rate": "2/h"}, horizon="20d", routing={"same_agent": 1.0},
                    touches={"waiting": {"chance": 0.5, "delay": "2d"}, "most": 1},
                    agents={"all": {"heads": 12, "handle_time": "10min", "turnover": turnover}},
                    )  # fmt: skip
        log = simulate(from_data(data), draw(from_data(data)))
        again = log.visits[log.visits["activity"] == "follow up"].set_index("ticket_id")["agent"]
        before = log.visits.drop_duplicates("ticket_id").set_index("ticket_id")["agent"]
        shares.append((again == before[again.index]).mean())
    assert shares[0] == 1.0
    # Two days of a stay of 3.65 on average; one in twelve or so comes back by chance.
    stays = math.exp(-2 / 3.65)
    assert shares[1] == pytest.approx(stays + (1 - stays) / 12, abs=0.06)


def test_check_and_the_report_count_it():
    def said(**more):
        scenario = from_data(desk({"rate": "9/h"}, **helped({}, **more)))
        return workload(scenario, draw(scenario)).ticket_s, scenario

    assert said()[0] == pytest.approx(13 * MIN / ((1.3 + 1.15 + 1.0 + 1.15) / 4))
    assert said(members=[])[0] == pytest.approx(13 * MIN / 1.15)
    assert said(members=[], tenure="0s")[0] == pytest.approx(10 * MIN)
    uniform = {"distribution": "uniform", "low": "0d", "high": "365d"}
    ticket_s, scenario = said(members=[], tenure=uniform)
    assert ticket_s == pytest.approx(13 * MIN / 1.15, rel=1e-6)
    rows = {key: text for _, text, key, _ in assumptions(scenario)}
    assert "new ones 30 % faster, those of 365 d and longer 0 % faster" in rows["assistant.support"]
    assert erlang_bounds(scenario) == {}
    told = (
        "Agents work with an assistant's drafts and suggestions, which makes new ones 30 % faster"
    )
    assert told in " ".join(explain(scenario))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"assistant": OFF | {"support": {"gain": -1.0}}}, r"assistant.support.gain.*at least"),
        ({"assistant": OFF | {"support": {"experienced_after": "0s"}}}, r"experienced_after"),
        ({"agents": {"all": {"heads": 1, "handle_time": "1min", "turnover": -1}}}, r"turnover"),
    ],
)
def test_faults_name_the_key(change, words):
    with pytest.raises(ScenarioError, match=words):
        from_data(desk({"rate": "1/h"}) | change)
