"""Customers who left without an agent and try again, and callbacks in place of waits."""

import numpy as np
import pytest
from days import assistant, desk, life, provider, value, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from twin.common.errors import ScenarioError
from twin.demand.luck import Stream, Use
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.measures import chains, theory
from twin.measures.figures import measure
from twin.measures.sanity import sanity
from twin.report.assumptions import assumptions
from twin.report.explain import explain
from twin.scenario.model import from_data

NAN = pytest.approx(np.nan, nan_ok=True)
AGAIN = {"chance": 1.0, "delay": "7min"}


def test_who_is_turned_away_tries_again_until_there_is_a_place(play, arrive):
    data = desk(arrive(0, 1, 2), {"retrial": AGAIN}, queue={"capacity": 1}, horizon="2h")
    log = play(data)
    # The third finds both places taken at 2 s and at 7 min, a place to wait at 14 min.
    assert visits(log, "queued_s", "started_s", "ended_s", "end") == [
        (1, 0, 0, 600, "done"),
        (2, 1, 600, 1200, "done"),
        (3, 2, NAN, 2, "blocked"),
        (3, 422, NAN, 422, "blocked"),
        (3, 842, 1200, 1800, "done"),
    ]
    assert life(log, 3) == [
        (2, "Open"),
        (2, "Waiting for customer"),
        (422, "Open"),
        (422, "Waiting for customer"),
        (842, "Open"),
        (1200, "In Progress"),
        (1800, "Resolved"),
    ]
    # Not lost: only the first attempt was.
    assert value(log, data, "abandonment_rate") == 0
    assert value(log, data, "first_attempt_abandonment") == 1 / 3
    assert value(log, data, "blocked_share") == 1 / 3
    assert value(log, data, "solved") == 1
    # It is open while they will try again.
    assert value(log, data, "backlog") == pytest.approx((600 + 1199 + 1798) / 7200)
    assert sanity(log, from_data(data))["ok"].all()


def test_who_gives_up_leaves_on_time_and_calls_again(play, arrive):
    data = desk(arrive(0, 60), {"patience": "5min", "retrial": {"chance": 1.0, "delay": "2min"}})
    log = play(data)
    # Gone at 6 min, though the agent is free at 10 min only: back at 8 min, and served.
    assert visits(log, "queued_s", "started_s", "ended_s", "end") == [
        (1, 0, 0, 600, "done"),
        (2, 60, NAN, 360, "abandoned"),
        (2, 480, 600, 1200, "done"),
    ]
    assert value(log, data, "abandonment_rate") == 0
    # 5 min for nothing, and 2 min.
    assert value(log, data, "agent_wait_mean") == (0 + 300 + 120) / 3


def test_after_the_last_try_they_are_lost(play, arrive):
    retrial = {"chance": 1.0, "delay": "1min", "most": 2}
    data = desk(arrive(0, 60), {"patience": "1min", "retrial": retrial})
    log = play(data)
    assert life(log, 2) == [
        (60, "Open"),
        (120, "Waiting for customer"),
        (180, "Open"),
        (240, "Waiting for customer"),
        (300, "Open"),
        (360, "Abandoned"),
    ]
    assert value(log, data, "abandonment_rate") == 0.5
    assert value(log, data, "first_attempt_abandonment") == 0.5
    # Who would try again after the end is open: no customer is called lost too early.
    late = data | {"customers": data["customers"] | {"retrial": AGAIN | {"delay": "2d"}}}
    assert play(late).tickets["status"].tolist() == ["Resolved", "Waiting for customer"]
    assert value(play(late), late, "abandonment_rate") == 0
    assert value(play(late), late, "first_attempt_abandonment") == 0.5


def test_a_place_is_free_at_the_moment_at_which_somebody_leaves(play, arrive):
    retrial = {"chance": 1.0, "delay": "1h"}
    data = desk(arrive(0, 60, 119, 121, 130), {"patience": "1min", "retrial": retrial},
                queue={"capacity": 1}, horizon="10min")  # fmt: skip
    ends = [end for _, end in visits(play(data), "end")]
    assert ends == ["open", "abandoned", "blocked", "abandoned", "blocked"]


def test_a_review_that_nobody_waited_for_is_pending_again(play, arrive):
    reviewing = {"all": {"heads": 1, "handle_time": "5min", "review_time": "10min"}}
    data = desk(arrive(0, 1), {"patience": "3min", "retrial": {"chance": 1.0, "delay": "4min"}},
                assistant=assistant(review_categories=["*"]), provider=provider(),
                agents=reviewing)  # fmt: skip
    assert life(play(data), 2)[3:] == [
        (8, "Pending Review"),
        (188, "Waiting for customer"),
        (428, "Pending Review"),
        (1207, "Resolved"),
    ]


def test_each_try_has_luck_of_its_own(arrive):
    retrial = {"chance": 0.5, "delay": {"distribution": "exponential", "mean": "10min"}, "most": 3}
    scenario = from_data(desk(arrive(*range(40)), {"patience": "1s", "retrial": retrial},
                              agents={"all": {"heads": 0, "handle_time": "1min"}}))  # fmt: skip
    demand = draw(scenario)
    log = simulate(scenario, demand)
    again = np.array([demand.uniform(Stream.RETRIAL, Use(k)) < 0.5 for k in range(3)])
    tries = 1 + np.cumprod(again, axis=0).sum(axis=0)
    assert log.visits["ticket_id"].value_counts().sort_index().tolist() == tries.tolist()
    delay = scenario.customers.retrial.delay
    for k in range(3):
        waits = delay.quantile(demand.uniform(Stream.RETRIAL_DELAY, Use(k)))
        for ticket in np.flatnonzero(tries > k + 1):
            queued = log.visits.loc[log.visits["ticket_id"] == ticket + 1, "queued_s"].tolist()
            assert sorted(queued)[k + 1] - sorted(queued)[k] == pytest.approx(1 + waits[ticket])


@SETTINGS
@given(st.integers(0, 1000), st.sampled_from([{}, {"capacity": 2, "balking": 0.1}]))
def test_nobody_who_tries_again_is_the_desk_without_retrials(seed, queue):
    impatient = {"patience": "10min", "solved": {"agent": 0.5}}
    never = impatient | {"retrial": {"chance": 0.0, "delay": "1min"}}
    desks = [desk({"rate": "20/h"}, customers, horizon="10h", seed=seed, queue=queue)
             for customers in (impatient, never)]  # fmt: skip
    logs = [simulate(one, draw(one)) for one in map(from_data, desks)]
    for name in ("tickets", "timeline"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))
    # Who leaves is written down on time, not when found: another order of rows.
    rows = [log.visits.sort_values(["ticket_id", "queued_s"]).reset_index(drop=True)
            for log in logs]  # fmt: skip
    assert rows[0].equals(rows[1])


def test_the_chains_have_the_known_limits():
    # Nobody tries again: M/M/c/K. All do, at once and for ever: nobody is lost.
    none = chains.retrials(2, 3, 1 / 4, places=1, again=0.0, delay=1.0)
    known = theory.limited(2, 3, 1 / 4, places=1)
    assert none.first_blocked == none.lost == pytest.approx(known.blocked)
    assert (none.number, none.used) == pytest.approx((known.number, known.used))
    some = chains.retrials(3, 2, 1, places=2, again=0.6, delay=4)
    assert some.lost < some.first_blocked
    # What is not lost is worked off.
    assert some.used == pytest.approx(2 * (1 - some.lost) / 3)
    endless = chains.patience_of_some(3, 0.2, 10, patience=5, endless=1.0)
    assert endless[0] == pytest.approx(theory.erlang_c(3, 2), rel=1e-6)
    assert endless[1] == pytest.approx(0, abs=1e-6)
    assert endless[2] == pytest.approx(theory.erlang_c_wait(3, 2, 10), rel=1e-6)
    all_leave = chains.patience_of_some(14, 100 / 30, 3, patience=5, endless=0.0)
    share, lost, _, wait = theory.erlang_a(14, 100 / 30, 3, 5)
    assert all_leave == pytest.approx((share, lost, wait), rel=1e-6)


# Callbacks.
def test_who_leaves_a_number_keeps_their_place_and_never_gives_up(play, arrive):
    customers = {"patience": "5min", "callback": {"chance": 1.0, "queue": 1}}
    data = desk(arrive(0, 60, 120, 400), customers)
    log = play(data)
    # The second finds nobody waiting, so it is not offered one; the third does.
    assert visits(log, "queued_s", "started_s", "ended_s", "end") == [
        (1, 0, 0, 600, "done"),
        (2, 60, NAN, 360, "abandoned"),
        (3, 120, 600, 1200, "done"),
        # At 400 the second has left, but the third, who left a number, counts as waiting.
        (4, 400, 1200, 1800, "done"),
    ]
    assert value(log, data, "abandonment_rate") == 0.25


def test_callbacks_of_all_are_the_desk_without_patience():
    patient = from_data(desk({"rate": "9/h"}, horizon="5d"))
    customers = {"patience": "2min", "callback": {"chance": 1.0}}
    called = from_data(desk({"rate": "9/h"}, customers, horizon="5d"))
    logs = [simulate(one, draw(one)) for one in (patient, called)]
    for name in ("tickets", "timeline", "visits"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))
    assert theory.erlang_bounds(called) == {}


def test_callbacks_go_by_the_customers_own_luck(arrive):
    customers = {"patience": "1min", "callback": {"chance": 0.3}}
    scenario = from_data(desk(arrive(*range(60)), customers))
    demand = draw(scenario)
    log = simulate(scenario, demand)
    takes = demand.uniform(Stream.CALLBACK)[1:] < 0.3
    ends = log.visits.sort_values("ticket_id")["end"].astype(object).tolist()[1:]
    assert ends == ["done" if one else "abandoned" for one in takes]


def test_who_is_turned_away_is_offered_no_callback(play, arrive):
    customers = {"patience": "1min", "callback": {"chance": 1.0}}
    log = play(desk(arrive(0, 1, 2), customers, queue={"capacity": 1}))
    assert [end for _, end in visits(log, "end")] == ["done", "done", "blocked"]


def test_reports_say_it():
    customers = {"patience": "5min", "callback": {"chance": 0.4, "queue": 3},
                 "retrial": {"chance": 0.6, "delay": "10min"}}  # fmt: skip
    scenario = from_data(desk({"rate": "1/h"}, customers, queue={"capacity": 2}))
    said = explain(scenario)[-1]
    assert "40 % take a callback where 3 wait" in said
    assert "60 % of who left try again after 10 min" in said
    told = str(assumptions(scenario))
    assert "60 % of those who left without an agent try again, at most 5 times" in told
    assert "who leaves a number is always reached" in told
    assert "who finds 2 waiting is turned away'" in told
    kpis = measure(simulate(scenario, draw(scenario)), scenario)["kpi"].tolist()
    assert "first_attempt_abandonment" in kpis


@pytest.mark.parametrize(
    ("customers", "words"),
    [
        ({"retrial": {"chance": 1.5, "delay": "1min"}}, "customers.retrial.chance"),
        ({"retrial": {"chance": 0.5}}, "customers.retrial.delay"),
        ({"retrial": {"chance": 0.5, "delay": "1min", "most": 0}}, "customers.retrial.most"),
        ({"callback": {"chance": -0.1}}, "customers.callback.chance"),
        ({"callback": {"chance": 0.1, "queue": -1}}, "customers.callback.queue"),
    ],
)
def test_faults_name_the_key(customers, words):
    with pytest.raises(ScenarioError, match=words):
        from_data(desk({"rate": "1/h"}, customers))
