"""Tickets that take several places in the hand of an agent: limits, days by hand, known answers."""

import numpy as np
import pytest
from days import MIN, desk, value, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, scenarios

import twin
from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments.workload import workload
from twin.measures import theory
from twin.measures.weighed import kaufman_roberts, weighed
from twin.report.assumptions import assumptions
from twin.report.explain import explain
from twin.scenario.model import from_data

TABLES = ("tickets", "timeline", "visits", "calls", "ratings", "staffing")
CHAT = {"heads": 1, "handle_time": "10min", "concurrency": 3, "slow_down": "none",
        "weights": {"phone": 3}}  # fmt: skip
DAY = 24 * 60


def chat(**more):
    return {"all": CHAT | more}


def begun(log):
    """Ticket, agent and start in minutes of all touches, in order of the start."""
    rows = log.visits[log.visits["started_s"].notna() & (log.visits["activity"] != "wrap-up")]
    rows = rows.sort_values("started_s", kind="stable")
    return [(row.ticket_id, row.agent, row.started_s / MIN) for row in rows.itertuples()]


def started(log):
    return [(ticket, moment) for ticket, _, moment in begun(log)]


def the_same(one, other):
    return all(getattr(one, name).equals(getattr(other, name)) for name in TABLES)


def scaled(scenario, by, weight=1):
    """The same desk with more places, all tickets taking so many of them."""
    data = scenario.as_data()
    for pool in data["agents"].values():
        most = pool.get("concurrency", 1)
        slow = pool.get("slow_down", "shared")
        pool |= {"individuals": True, "weights_by_channel": {}, "concurrency": by * most,
                 "slow_down": slow if isinstance(slow, str) else slow + [0.1] * (by - 1) * most,
                 "weights": dict.fromkeys(draw(scenario).categories, weight)}  # fmt: skip
    return from_data(data)


@SETTINGS
@given(scenarios(told_apart=st.just(True)), st.sampled_from([1, 2, 3]))
def test_the_same_weight_of_all_is_so_many_places_less_to_the_last_bit(scenario, by):
    """Weights of 1 are none; weights of the concurrency are one ticket in hand."""
    demand = draw(scenario)
    plain = scaled(scenario, 1)
    without = plain.as_data()
    for pool in without["agents"].values():
        del pool["weights"]
    log = simulate(from_data(without), demand)
    assert the_same(log, simulate(plain, demand))
    assert the_same(log, simulate(scaled(scenario, by, by), demand))


@pytest.mark.parametrize("choice", [None, "longest idle", "in order", "random"])
def test_a_call_waits_for_an_agent_with_nothing_in_hand_and_is_passed_over(play, arrive, choice):
    moments = [k * MIN for k in (0, 1, 2, 3, 4, 22)]
    kinds = ["chat", "chat", "phone", "chat", "chat", "chat"]
    data = desk(arrive(*moments, category=kinds), horizon="1h", agents=chat(),
                **({"routing": {"choice": choice}} if choice else {}))  # fmt: skip
    log = play(data)
    # At 3 a chat fits, the call of 2 does not. At 10 the chat of 4 does. It ends at 20: the call
    # begins, and the chat of 22 waits for its end.
    assert started(log) == [(1, 0), (2, 1), (4, 3), (5, 10), (3, 20), (6, 30)]
    assert value(log, data, "occupancy") == pytest.approx(40 / 60)
    assert value(log, data, "concurrency_mean") == pytest.approx(60 / 40)
    assert value(log, data, "agent_wait_mean") == pytest.approx((18 + 6 + 8) / 6 * MIN)


def test_a_call_goes_to_the_idle_agent_and_fewest_in_hand_is_fewest_places(play, arrive):
    kinds = ["mail", "chat", "chat", "chat", "phone"]
    agents = chat(heads=2, weights={"phone": 3, "mail": 2})
    log = play(desk(arrive(0, 60, 120, 180, 240, category=kinds), agents=agents))
    # At 2 each has one ticket, the mail takes two places. At 3 each has two places taken, and the
    # first took theirs earlier. The second has nothing in hand at 12, the first at 13.
    assert begun(log) == [(1, 1, 0), (2, 2, 1), (3, 2, 2), (4, 1, 3), (5, 2, 12)]


def test_the_slow_down_goes_by_tickets_and_a_wrap_up_keeps_its_places(play, arrive):
    arrivals = arrive(0, 0, 60, category=["mail", "chat", "chat"])
    pool = chat(slow_down="shared", wrap_up="3min", weights={"mail": 2})
    log = play(desk(arrivals, agents=pool))
    rows = log.visits.sort_values(["started_s", "ticket_id"])
    spans = (rows[["started_s", "ended_s"]] / MIN).to_numpy().round(9).tolist()
    # Two tickets of three places: half speed each. Wrapped up at 26, they leave their places.
    assert spans == [[0, 20], [0, 20], [20, 26], [20, 26], [26, 36], [36, 39]]


@pytest.mark.parametrize(("end", "rest"), [("finish", 11), ("continue", 24 * 60)])
def test_a_shift_ends_with_a_call_and_a_chat_in_hand(play, arrive, end, rest):
    shift = {"shifts": [{"start": "00:00", "end": "00:08", "heads": 1}], "heads": None}
    agents = chat(**shift, at_shift_end=end, weights={"phone": 2})
    arrivals = arrive(0, 60, 5 * MIN, 6 * MIN, category=["phone", "chat", "phone", "chat"])
    log = play(desk(arrivals, horizon="2d", agents=agents))
    # Tomorrow two phone calls and two chats are there; of three places. Paused work goes first.
    first = [(1, 0), (2, 1)]
    if end == "finish":
        assert started(log) == [*first, (3, DAY), (4, DAY)]
    else:
        # 2 and 3 min are left: the second call begins when the first has let go of its places, the
        # chat of today when yesterday's has.
        assert started(log) == [*first, (1, DAY), (2, DAY), (3, DAY + 2), (4, DAY + 3)]


def test_work_that_waits_for_tomorrow_is_passed_over_too_where_it_does_not_fit(play, arrive):
    shifts = [{"start": "00:00", "end": "00:08", "heads": 2},
              {"days": "Tue", "start": "00:00", "end": "01:00", "heads": 1}]  # fmt: skip
    shifts[0]["days"] = "Mon"
    agents = chat(shifts=shifts, heads=None, at_shift_end="continue")
    arrivals = arrive(0, 60, 120, 7 * MIN, category=["chat", "phone", "chat", "phone"])
    log = play(desk(arrivals, horizon="2d", agents=agents))
    # The first agent had two chats, the second a call, of which 2, 3 and 4 min are left.
    assert begun(log) == [
        (1, 1, 0), (2, 2, 1), (3, 1, 2), (1, 1, DAY), (3, 1, DAY), (2, 1, DAY + 4),
        (4, 1, DAY + 7),
    ]  # fmt: skip


def test_a_ticket_handed_over_takes_the_places_of_the_pool_that_it_goes_to(play, arrive):
    early = CHAT | {"shifts": [{"start": "00:00", "end": "00:08", "heads": 1}], "heads": None,
                    "at_shift_end": "hand over"}  # fmt: skip
    late = {"heads": 1, "handle_time": "10min", "concurrency": 2, "slow_down": "none",
            "weights": {"chat": 2}}  # fmt: skip
    arrivals = arrive(0, 7 * MIN, 8.5 * MIN, 9 * MIN, category=["phone", "chat", "chat", "phone"])
    log = play(desk(arrivals, agents={"early": early, "late": late}))
    # The chat does not fit beside the call with the first, and is alone with the second. At 8 the
    # call is handed over, 2 min of it are left: it waits until 17, with the call of 9 beside it.
    # The chat of 8.5 came before that one, and is passed over by it.
    pools = [pool for _, pool in visits(log, "pool")]
    assert pools == ["early", "late", "late", "late", "late"]
    assert started(log) == [(1, 0), (2, 7), (1, 17), (4, 17), (3, 27)]


def test_overflow_after_a_while_and_at_a_length_whoever_waits(play, arrive):
    helper = {"heads": 1, "handle_time": "10min", "skills": ["other"], "concurrency": 2,
              "slow_down": "none", "weights": {"phone": 2}}  # fmt: skip
    kinds = ["phone", "other", "phone", "chat", "chat"]
    arrivals = arrive(0, 60, 120, 180, 240, category=kinds)

    def play_with(**when):
        front = CHAT | {"skills": ["phone", "chat"], "overflow_to": ["help"], **when}
        return play(desk(arrivals, agents={"front": front, "help": helper}))

    # At 4 the call may go to the helper, who has one of two places; at 5 the first chat fits there,
    # at 11 the other one. The call begins where all is free first.
    assert started(play_with(overflow_after="2min")) == [(1, 0), (2, 1), (4, 5), (3, 10), (5, 11)]
    # At 4 three wait, of two weights: the first who fits is the chat of 3. Later too few wait.
    assert started(play_with(overflow_at=3)) == [(1, 0), (2, 1), (4, 4), (3, 10), (5, 20)]


def test_places_to_wait_are_for_tickets_of_all_weights(play, arrive):
    arrivals = arrive(0, 60, 120, 180, category=["chat", "phone", "phone", "chat"])
    log = play(desk(arrivals, agents=chat(), queue={"capacity": 1}))
    # A call waits: the next finds no place, but the chat goes to the agent at once.
    assert [end for _, end in visits(log, "end")] == ["done", "done", "blocked", "done"]
    assert started(log) == [(1, 0), (4, 3), (2, 13)]


def test_who_gives_up_is_passed_over_as_before(play, arrive):
    arrivals = arrive(0, 60, 120, 7 * MIN, category=["phone", "phone", "chat", "phone"])
    log = play(desk(arrivals, {"patience": "6min"}, agents=chat()))
    assert visits(log, "end", "ended_s")[1:] == [
        (2, "abandoned", 7 * MIN), (3, "abandoned", 8 * MIN), (4, "done", 20 * MIN),
    ]  # fmt: skip


def test_more_urgent_heavy_tickets_are_passed_over_as_well(play, arrive):
    arrivals = arrive(0, 60, 120, 180, 240, category=["chat", "chat", "chat", "phone", "chat"],
                      priority=["normal", "normal", "normal", "urgent", "normal"])  # fmt: skip
    log = play(desk(arrivals, agents=chat()))
    assert started(log) == [(1, 0), (2, 1), (3, 2), (5, 10), (4, 20)]


def test_returning_tickets_wait_for_their_agent_and_who_fits_goes_first(play, arrive):
    touches = {"on_hold": {"chance": 1.0, "delay": "5min"}, "most": 1}
    pool = chat(weights={"phone": 3, "mail": 2}, follow_up_time="4min")
    arrivals = arrive(0, 10 * MIN, 12 * MIN, 13 * MIN, category=["phone", "mail", "chat", "phone"])
    data = desk(arrivals, agents=pool, touches=touches, horizon="3h",
                routing={"same_agent": 1.0, "same_agent_for": "1h"})  # fmt: skip
    log = play(data)
    # The call comes back at 15, when mail and chat are in hand; these end at 20 and 22, and the new
    # call of 13 came first. It ends at 32; mail (back at 25) and chat (27) fit only together then,
    # after the old call, which is first in the agent's own queue.
    assert started(log) == [
        (1, 0), (2, 10), (3, 12), (4, 22), (1, 32), (2, 36), (3, 36), (4, 40),
    ]  # fmt: skip


def test_in_the_places_of_a_call_fit_several_of_both_queues(play, arrive):
    touches = {"on_hold": {"chance": 1.0, "delay": "5min"}, "most": 1}
    arrivals = arrive(0, 2 * MIN, 12.5 * MIN, 16 * MIN, category=["chat", "chat", "phone", "chat"])
    data = desk(arrivals, agents=chat(follow_up_time="4min"), touches=touches, horizon="3h",
                routing={"same_agent": 1.0, "same_agent_for": "1h"})  # fmt: skip
    # The call ends at 22.5. The first chat is back at 15 and the second at 17, in the agent's own
    # queue; a new one came at 16.
    assert started(play(data)) == [
        (1, 0), (2, 2), (3, 12.5), (1, 22.5), (4, 22.5), (2, 22.5), (3, 32.5), (4, 37.5),
    ]  # fmt: skip


def test_who_has_waited_for_their_agent_waits_for_one_with_room(play, arrive):
    touches = {"on_hold": {"chance": 1.0, "delay": "5min"}, "most": 1}
    moments = [k * MIN for k in (0, 11, 12, 13)]
    pool = chat(heads=2, concurrency=2, weights={"phone": 2}, follow_up_time="4min")
    data = desk(
        arrive(*moments, category=["phone", "chat", "chat", "chat"]),
        agents=pool,
        touches=touches,
        horizon="3h",
        routing={"choice": "in order", "same_agent": 1.0, "same_agent_for": "3min"},
    )
    # Back at 15, when the first agent has two chats, it is anybody's at 18: the second has one.
    assert begun(play(data))[:5] == [(1, 1, 0), (2, 1, 11), (3, 1, 12), (4, 2, 13), (1, 1, 22)]


def test_pools_are_chosen_among_those_with_room_by_places(play, arrive):
    pool = CHAT | {"weights": {"phone": 3, "mail": 2}}
    arrivals = arrive(0, 60, 120, 180, category=["mail", "chat", "chat", "phone"])
    log = play(desk(arrivals, agents={"a": pool, "b": pool},
                    routing={"pool_choice": "longest idle"}))  # fmt: skip
    # At 2 each has one ticket, a took its earlier, and it takes two places.
    assert [pool for _, pool in visits(log, "pool")] == ["a", "b", "b", "a"]
    assert started(log) == [(1, 0), (2, 1), (3, 2), (4, 10)]


def test_what_is_passed_on_to_another_pool_goes_by_what_it_is_about(play, arrive):
    front = {"heads": 2, "handle_time": "10min", "transfers_to": {"second": 1.0}}
    second = CHAT | {"transfers_only": True, "concurrency": 2, "weights": {"phone": 2}}
    arrivals = arrive(0, 60, category=["chat", "phone"])
    log = play(desk(arrivals, agents={"front": front, "second": second}))
    assert started(log) == [(1, 0), (2, 1), (1, 10), (2, 20)]


def test_members_with_skills_of_their_own_have_places_of_their_own(play, arrive):
    members = [{"name": "a", "skills": ["chat"]}, {"name": "b"}]
    arrivals = arrive(0, 60, 120, 180, category=["chat", "phone", "chat", "phone"])
    log = play(desk(arrivals, agents=chat(heads=2, members=members)))
    # The choice is among all members who may take it and have the places.
    assert begun(log) == [(1, 1, 0), (2, 2, 1), (3, 1, 2), (4, 2, 11)]


@pytest.mark.parametrize(
    ("loads", "weights", "places"),
    [([1.0, 0.5], [1, 2], 4), ([2.0, 1.0, 0.3], [1, 2, 3], 6), ([3.0], [2], 5)],
)
def test_the_recursion_is_the_chain_of_one_agent(loads, weights, places):
    found = weighed(1, places, loads, [1.0] * len(loads), weights, 0, [1.0] * places)
    assert kaufman_roberts(places, loads, weights) == pytest.approx(found.blocked)


def test_the_chain_has_the_known_limits():
    # Of one place each: so many servers, or as many as the agents with weights of all places.
    for agents, places, weight, servers in ((2, 3, 1, 6), (3, 2, 2, 3), (1, 5, 2, 2)):
        found = weighed(agents, places, [0.5], [8.0], [weight], 2, [1.0] * places)
        known = theory.limited(servers, 0.5, 8.0, places=2)
        assert found.blocked == pytest.approx([known.blocked])
        assert found.wait == pytest.approx([known.wait])
    with_slow_down = weighed(1, 60, [0.5], [1.0], [1], 0, [1 / n for n in range(1, 61)])
    assert (with_slow_down.used, with_slow_down.in_hand) == pytest.approx((0.5, 2.0))


def test_one_agent_with_places_turns_away_what_is_known():
    """Kaufman and Roberts: whatever the distribution of handle times."""
    spread = {"distribution": "lognormal", "cv": 1.5}
    pool = chat(concurrency=4, weights={"phone": 2}, handle_time=spread | {"mean": "8min"},
                handle_times={"phone": spread | {"mean": "12min"}})  # fmt: skip
    data = desk({"rate": "12/h"}, agents=pool, queue={"capacity": 0}, horizon="20d",
                tickets={"category_mix": {"chat": 2, "phone": 1}})  # fmt: skip
    known = kaufman_roberts(4, [8 * 8 / 60, 4 * 12 / 60], [1, 2])
    logs = [simulate(from_data(data), draw(from_data(data), k)) for k in range(6)]
    for name, share in zip(("chat", "phone"), known, strict=True):
        lost = [
            (log.tickets["status"] == "Abandoned")[log.tickets["category_true"] == name].mean()
            for log in logs
        ]
        error = np.std(lost, ddof=1) / np.sqrt(len(lost))
        assert abs(np.mean(lost) - share) < 3.5 * error
        assert error < 0.02 * share


def test_calls_beside_chats_are_as_their_chain_says():
    """As `twin validate` plays them; the slow test of all cases plays all replications."""
    found = twin.validate(replications=4, only="a call beside up to three chats")
    assert found["ok"].all()
    assert (found["precision"] < 0.25).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": {"phone": 4}}, "weights gives phone 4 places, concurrency is 3"),
        ({"weights_by_channel": {"x": 4}}, "weights_by_channel gives x 4 places.*no agent"),
        ({"weights": {"phone": 0}}, r"agents.all.weights.phone.*at least 1"),
        ({"weights": {"phone": 1.5}}, r"agents.all.weights.phone.*whole number"),
        ({"concurrency": 1}, "weights gives phone 3 places, concurrency is 1"),
    ],
)
def test_faults_name_the_key(change, words):
    with pytest.raises(ScenarioError, match=words):
        from_data(desk({"rate": "1/h"}, agents=chat(**change)))


def test_names_that_no_ticket_has_are_found():
    for key, name in (("weights", "Phone"), ("weights_by_channel", "phone")):
        mix = {"category_mix": {"phone": 1.0}, "channel_mix": {"call": 1.0}}
        agents = chat(weights={}) | {"all": CHAT | {"weights": {}, key: {name: 2}}}
        scenario = from_data(desk({"rate": "1/h"}, agents=agents, tickets=mix))
        with pytest.raises(ScenarioError, match=rf"agents.all.{key}.*no ticket has this"):
            twin.check(scenario)


def test_check_and_the_report_count_them():
    def said(**more):
        mix = {"category_mix": {"chat": 1, "phone": 1}, "channel_mix": {"web": 1, "app": 3}}
        scenario = from_data(desk({"rate": "9/h"}, agents=chat(**more), tickets=mix))
        return workload(scenario, draw(scenario)).ticket_s, scenario

    # Of chats three fit at once, of calls one: a half of 200 s, a half of 600 s.
    assert said()[0] == pytest.approx(400.0)
    assert said(slow_down=[1.0, 0.75, 0.5])[0] == pytest.approx(500.0)
    assert said(weights_by_channel={"web": 1})[0] == pytest.approx(350.0)
    assert said(weights={"phone": 2})[0] == pytest.approx(400.0)
    _, scenario = said(weights_by_channel={"web": 2})
    words = " ".join(explain(scenario))
    assert (
        "up to 3 tickets in hand (phone takes the place of 3, web takes the place of 2)." in words
    )
    rows = {key: text for _, text, key, _ in assumptions(scenario)}
    assert rows["agents.all.weights_by_channel"] == (
        "all: of 3 tickets in hand phone takes the place of 3, web takes the place of 2; who has "
        "too few free places for the first in line takes the first who fits"
    )
