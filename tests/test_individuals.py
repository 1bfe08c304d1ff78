"""Agents told apart: who of the free ones takes a ticket, and whom it returns to."""

import numpy as np
import pytest
from days import MIN, desk, life, value, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, scenarios

from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.scenario.model import from_data

TABLES = ("tickets", "timeline", "visits", "calls", "ratings", "staffing")


def one_in_hand(scenario, told_apart=False, **routing):
    """The same desk with one ticket a hand, and its agents told apart or not."""
    data = scenario.as_data()
    for pool in data["agents"].values():
        pool |= {"concurrency": 1, "slow_down": "shared", "individuals": told_apart,
                 "members": [], "weights": {}, "weights_by_channel": {}}  # fmt: skip
    kept = {k: v for k, v in data.get("routing", {}).items() if k == "wait_bonus"}
    data["routing"] = kept | routing
    return from_data(data)


@SETTINGS
@given(scenarios(), st.sampled_from([None, "longest idle", "in order", "random"]))
def test_one_ticket_a_hand_is_the_desk_that_only_counts_to_the_last_bit(scenario, choice):
    demand = draw(scenario)
    plain = simulate(one_in_hand(scenario), demand)
    told = one_in_hand(scenario, True, **({"choice": choice} if choice else {}))
    log = simulate(told, demand)
    assert plain.visits["agent"].isna().all()
    for name in TABLES:
        shown = getattr(log, name)
        if name == "visits":
            assert shown["agent"].notna().equals(shown["pool"].notna())
            shown = shown.assign(agent=np.nan)
        assert shown.equals(getattr(plain, name))


@SETTINGS
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(2, 4))
def test_several_in_hand_at_no_cost_are_so_many_more_agents_to_the_last_bit(seed, heads, most):
    handle = {"distribution": "lognormal", "mean": "20min", "cv": 1.5}
    pool = {"handle_time": handle, "wrap_up": {"distribution": "exponential", "mean": "5min"}}
    logs = []
    for more in (
        {"heads": heads * most},
        {"heads": heads, "concurrency": most, "slow_down": "none"},
    ):
        data = desk({"rate": f"{4 * heads * most}/h"}, {"patience": "30min"}, seed=seed,
                    horizon="10h", agents={"all": pool | more})  # fmt: skip
        scenario = from_data(data)
        logs.append(simulate(scenario, draw(scenario)))
    assert logs[0].visits.drop(columns="agent").equals(logs[1].visits.drop(columns="agent"))
    assert logs[0].timeline.equals(logs[1].timeline)
    assert logs[1].visits["agent"].max() == heads


def agents_of(log):
    return [int(agent) for _, agent in visits(log, "agent")]


MOMENTS = [0, 1 * MIN, 12 * MIN, 13 * MIN, 23.5 * MIN]


@pytest.mark.parametrize(
    ("choice", "agents"),
    [
        # Done at 10, 11, 22 and 23: the first was idle longer at 12, the second at 23.5.
        ("longest idle", [1, 2, 3, 1, 2]),
        ("least loaded", [1, 2, 3, 1, 2]),
        ("in order", [1, 2, 1, 2, 1]),
    ],
)
def test_who_of_the_free_takes_a_ticket(play, arrive, choice, agents):
    data = desk(arrive(*MOMENTS), agents={"all": {"heads": 3, "handle_time": "10min"}},
                routing={"choice": choice})  # fmt: skip
    assert agents_of(play(data)) == agents


def test_of_several_in_hand_fewest_is_not_the_longest_without_a_new_one(play, arrive):
    pool = {"heads": 2, "concurrency": 3, "slow_down": "none", "handle_time": "10min",
            "handle_times": {"short": "2min"}}  # fmt: skip
    arrivals = arrive(6, 30, 1 * MIN, 2 * MIN, 3.5 * MIN, category=["a", "a", "short", "a", "a"])
    for choice, agents in (("least loaded", [1, 2, 1, 2, 1]), ("longest idle", [1, 2, 1, 2, 2])):
        log = play(desk(arrivals, agents={"all": pool}, routing={"choice": choice}))
        # At 3.5 the first has one and ended another at 3; the second has two, the last from 2.
        assert agents_of(log) == agents


def test_by_chance_each_is_as_likely_and_a_ticket_keeps_its_luck():
    pool = {"heads": 4, "handle_time": "1min"}
    data = desk({"rate": "6/h"}, horizon="20d", agents={"all": pool}, routing={"choice": "random"})
    demand = draw(from_data(data))
    log = simulate(from_data(data), demand)
    counts = log.visits["agent"].value_counts()
    n = counts.sum()
    assert len(counts) == 4
    assert ((counts - n / 4).abs() < 4 * np.sqrt(n * 3 / 16)).all()
    # Of those who find nobody busy the ticket's luck alone decides.
    before_s = log.visits["ended_s"].cummax().shift(fill_value=0.0)
    alone = (log.visits["started_s"] > before_s).to_numpy()
    luck = demand.uniform(Stream.AGENT_CHOICE)[log.visits["ticket_id"] - 1]
    assert alone.sum() > 0.8 * n
    assert ((1 + (luck * 4).astype(int)) == log.visits["agent"])[alone].all()


@pytest.mark.parametrize(
    ("choice", "pools"),
    [("in order", "ababab"), ("longest idle", "abbaba")],
)
def test_which_pool_takes_a_ticket_that_both_may_take(play, arrive, choice, pools):
    agents = {"a": {"heads": 1, "handle_time": "10min"}, "b": {"heads": 1, "handle_time": "5min"}}
    # b is done at 6, a at 10.
    arrivals = arrive(0, 1 * MIN, 11 * MIN, 12 * MIN, 24 * MIN, 25 * MIN)
    log = play(desk(arrivals, agents=agents, routing={"pool_choice": choice}))
    assert "".join(pool for _, pool in visits(log, "pool")) == pools


def test_by_chance_each_pool_is_as_likely_and_overflow_comes_last():
    pool = {"heads": 1, "handle_time": "10s"}
    data = desk({"rate": "20/h"}, horizon="10d", routing={"pool_choice": "random"},
                tickets={"category_mix": {"x": 1, "y": 1}},
                agents={"a": pool | {"skills": ["x"], "overflow_to": ["c"]},
                        "b": pool | {"skills": ["x"]}, "c": pool | {"skills": ["y"]}})  # fmt: skip
    log = simulate(from_data(data), draw(from_data(data)))
    truth = log.tickets["category_true"].astype(str).to_numpy()[log.visits["ticket_id"] - 1]
    counts = log.visits["pool"].astype(str)[truth == "x"].value_counts()
    n = counts.sum()
    assert abs(counts["a"] - counts["b"]) < 4 * np.sqrt(n)
    # Both are busy about once in six hundred times.
    assert counts.get("c", 0) < n / 100
    assert log.visits["agent"].isna().all()


def asks(arrivals, routing, **more):
    """A desk of two agents whose first touch always asks; replies come after 5 min."""
    pool = {"heads": 2, "handle_time": "10min", "follow_up_time": "4min"}
    touches = {"waiting": {"chance": 1.0, "delay": "5min"}, "most": 1}
    return desk(arrivals, horizon="4h", routing=routing, touches=touches,
                agents={"all": pool | more})  # fmt: skip


@pytest.mark.parametrize(
    ("routing", "back"),
    [
        # At 15 min agent 1, who asked, has ticket 2 in hand until 19; agent 2 is free. At 24 the
        # second one comes back, and agent 1 is free.
        ({"choice": "in order"}, (2, 15, 15, 19)),
        ({"choice": "in order", "same_agent": 1.0}, (1, 15, 19, 23)),
        ({"choice": "in order", "same_agent": 1.0, "same_agent_for": "4min"}, (1, 15, 19, 23)),
        ({"choice": "in order", "same_agent": 1.0, "same_agent_for": "3min"}, (2, 15, 18, 22)),
        ({"choice": "in order", "same_agent": 1.0, "same_agent_for": "0s"}, (2, 15, 15, 19)),
    ],
)
def test_a_ticket_that_returns_waits_a_while_for_who_knows_it(play, arrive, routing, back):
    arrivals = arrive(0, 10.5 * MIN, category=["a", "long"])
    data = asks(arrivals, routing, handle_times={"long": "8.5min"})
    log = play(data)
    row = log.visits[(log.visits["ticket_id"] == 1) & (log.visits["activity"] == "follow up")]
    found = row[["agent", "queued_s", "started_s", "ended_s"]].to_numpy()[0]
    assert (found[0], *(found[1:] / MIN)) == back
    assert value(log, data, "same_agent_share") == (1.0 if back[0] == 1 else 0.5)


def test_who_has_gone_home_is_not_waited_for(play, arrive):
    shifts = [{"start": "00:00", "end": "00:12", "heads": 1},
              {"start": "00:11", "end": "02:00", "heads": 1}]  # fmt: skip
    one = {"heads": None, "shifts": shifts, "at_shift_end": "hand over"}
    data = asks(arrive(0, 10.5 * MIN), {"same_agent": 1.0}, **one)
    log = play(data)
    # Agent 2 comes at 11; agent 1, who has ticket 2 since 10.5, stays at 12 as agent 2 has none.
    rows = visits(log, "agent", "started_s")
    assert rows[0] == (1, 1, 0)
    assert rows[1:3] == [(1, 1, 20.5 * MIN), (2, 1, 10.5 * MIN)]


def test_what_waits_for_one_who_goes_is_anybodys(play, arrive):
    shifts = [{"start": "00:00", "end": "04:00", "heads": 1},
              {"start": "00:00", "end": "00:17", "heads": 1}]  # fmt: skip
    arrivals = arrive(0, 0, 10.5 * MIN, category=["a", "25", "30"])
    one = {"heads": None, "shifts": shifts, "at_shift_end": "hand over",
           "handle_times": {"25": "25min", "30": "30min"}}  # fmt: skip
    log = play(asks(arrivals, {"same_agent": 1.0, "choice": "in order"}, **one))
    # Ticket 1 returns at 15, while agent 1 has ticket 3. At 17 agent 1, who began last, hands it
    # over and goes. Agent 2 is free at 25, goes on with ticket 3 for 23.5 min, and takes ticket 1.
    assert visits(log, "agent", "queued_s", "started_s")[1] == (1, 2, 15 * MIN, 48.5 * MIN)


def returning(seed, heads, individuals=False, **routing):
    pool = {
        "heads": heads,
        "individuals": individuals,
        "handle_time": {"distribution": "exponential", "mean": "12min"},
    }
    touches = {"waiting": {"chance": 0.4, "delay": {"distribution": "exponential", "mean": "2h"}}}
    data = desk({"rate": f"{2.4 * heads}/h"}, {"solved": {"agent": 0.6}, "patience": "3h"},
                horizon="2d", seed=seed, agents={"all": pool}, touches=touches,
                routing=routing)  # fmt: skip
    scenario = from_data(data)
    return data, simulate(scenario, draw(scenario))


@pytest.mark.parametrize("seed", range(4))
def test_a_chance_of_0_or_no_time_to_wait_is_the_desk_without_it(seed):
    _, plain = returning(seed, 1, individuals=True)
    for more in ({"same_agent": 0.0, "same_agent_for": "5min"},
                 {"same_agent": 1.0, "same_agent_for": "0s"}):  # fmt: skip
        _, same = returning(seed, 1, **more)
        for name in ("tickets", "timeline"):
            assert getattr(plain, name).equals(getattr(same, name))


@pytest.mark.parametrize("seed", range(6))
def test_with_one_agent_it_makes_no_difference(seed):
    _, plain = returning(seed, 1, choice="in order")
    _, same = returning(seed, 1, choice="in order", same_agent=1.0, same_agent_for="10d")
    assert plain.tickets.equals(same.tickets)
    # Who has left is found at another time, and written down then.
    rows = [log.visits.sort_values(["ticket_id", "queued_s"], ignore_index=True)
            for log in (plain, same)]  # fmt: skip
    assert rows[0].equals(rows[1])
    assert (rows[0]["activity"] == "follow up").sum() > 10


def test_who_knows_a_ticket_always_takes_it_where_it_may_wait_for_ever():
    shares = []
    for chance in (0.0, 0.5, 1.0):
        data, log = returning(1, 4, choice="random", same_agent=chance, same_agent_for="10d")
        shares.append(value(log, data, "same_agent_share"))
    # Without it, one in four or so.
    assert shares[0] < 0.4
    assert shares[1] == pytest.approx((1 + shares[0]) / 2, abs=0.08)
    assert shares[2] == 1.0


def test_who_waits_for_one_agent_may_run_out_of_patience(play, arrive):
    routing = {"choice": "in order", "same_agent": 1.0}
    data = asks(arrive(0, 10.5 * MIN, category=["a", "long"]), routing,
                handle_times={"long": "1h"})  # fmt: skip
    data["customers"]["patience"] = "10min"
    log = play(data)
    assert visits(log, "agent", "queued_s", "ended_s", "end")[1][2:] == (
        15 * MIN, 25 * MIN, "abandoned",
    )  # fmt: skip
    assert log.tickets["status"].iloc[0] == "Abandoned"
    # And who still waits at the end of the run is open.
    data["horizon"] = f"{20 * MIN:.0f}s"
    assert play(data).visits["end"].tolist() == ["done", "open", "open"]


def test_what_is_passed_on_goes_to_the_other_pool_and_not_back_to_who_knows_it(play, arrive):
    agents = {
        "first": {"heads": 1, "handle_time": "5min", "transfers_to": {"second": 1.0}},
        "second": {"heads": 1, "handle_time": "7min", "transfers_only": True},
    }
    log = play(desk(arrive(0), agents=agents, routing={"same_agent": 1.0}))
    assert visits(log, "pool", "started_s", "ended_s") == [
        (1, "first", 0, 5 * MIN),
        (1, "second", 5 * MIN, 12 * MIN),
    ]


def test_who_gives_up_waiting_for_one_agent_leaves_on_time_and_tries_again(play, arrive):
    """The agent who asked the first ticket back is busy with the second when it returns."""
    customers = {"patience": "5min", "retrial": {"chance": 1.0, "delay": "30min", "most": 1}}
    log = play(
        desk(
            arrive(0, 12 * MIN),
            customers,
            agents={"all": {"heads": 1, "handle_time": "10min", "follow_up_time": "10min"}},
            touches={"waiting": {"chance": 1.0, "delay": "5min"}, "most": 1},
            routing={"same_agent": 1.0, "same_agent_for": "10h"},
        )
    )
    assert life(log, 1) == [
        (0, "Open"),
        (0, "In Progress"),
        (10 * MIN, "Waiting for customer"),
        (15 * MIN, "Open"),
        # The second ticket keeps the agent until minute 22.
        (20 * MIN, "Waiting for customer"),
        (50 * MIN, "Open"),
        (50 * MIN, "In Progress"),
        (60 * MIN, "Resolved"),
    ]


@pytest.mark.parametrize(
    ("capacity", "ends"),
    [
        (None, ["done"] * 6),
        # Ticket by ticket. At 15 the first is back, waits for the agent, who has the second, and
        # holds the only place: the third is turned away at 16. Without a place, the first is, too.
        (1, ["done"] * 4 + ["blocked"]),
        (0, ["done", "blocked", "done", "done", "blocked"]),
    ],
)
def test_who_waits_for_one_agent_takes_a_place_in_the_queue(play, arrive, capacity, ends):
    routing = {"choice": "in order", "same_agent": 1.0}
    arrivals = arrive(0, 10.5 * MIN, 16 * MIN, category=["a", "long", "a"])
    data = asks(arrivals, routing, heads=1, handle_times={"long": "30min"})
    log = play(data | ({} if capacity is None else {"queue": {"capacity": capacity}}))
    assert [end for _, end in visits(log, "end")] == ends
