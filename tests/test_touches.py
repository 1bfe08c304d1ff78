"""Touches and waits: traced days, pauses on a grid of minutes, queues with returns."""

import re

import numpy as np
import pytest
from days import DAY, HOUR, MIN, desk, life, value, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, scenarios
from strategies import touches as random_touches

import twin
from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.clocks import PacedClock
from twin.desk.simulation import simulate
from twin.experiments.workload import workload
from twin.measures.inputs import unset
from twin.measures.levels import spells
from twin.measures.promises import paused_s
from twin.measures.theory import erlang_bounds
from twin.records.tables import OWNERS, STATUSES, TRANSITIONS
from twin.report.page import page
from twin.scenario.calendars import Staircase, desk_hours
from twin.scenario.model import from_data

ONCE = {"kind": "constant", "rate": "1/h"}
DAYTIME = {"all": {"handle_time": "10min", "follow_up_time": "5min", "cost": 30,
                   "shifts": [{"start": "00:00", "end": "08:00", "heads": 1}]}}  # fmt: skip


def asks(chance=1.0, most=1, **more):
    return {"waiting": {"chance": chance, "delay": "2h", **more}, "most": most}


def test_a_ticket_waits_for_the_customer_and_comes_back(play):
    log = play(desk(ONCE, horizon="119min", touches=asks(delay="20min"), agents=DAYTIME))
    begun = HOUR
    assert life(log, 1) == [
        (begun, "Open"),
        (begun, "In Progress"),
        (begun + 10 * MIN, "Waiting for customer"),
        (begun + 30 * MIN, "Open"),
        (begun + 30 * MIN, "In Progress"),
        (begun + 35 * MIN, "Resolved"),
    ]
    assert visits(log, "activity", "queued_s", "started_s", "ended_s") == [
        (1, "handle", begun, begun, begun + 10 * MIN),
        (1, "follow up", begun + 30 * MIN, begun + 30 * MIN, begun + 35 * MIN),
    ]
    ticket = log.tickets.iloc[0]
    assert (ticket["responded_s"], ticket["resolved_by"]) == (begun, "agent")
    assert (ticket["reopens"], ticket["transfers"]) == (0, 0)


def test_figures_of_a_traced_day(play):
    data = desk(ONCE, horizon="119min", touches=asks(delay="20min"), agents=DAYTIME,
                targets={"resolution": {"normal": "16min"}})  # fmt: skip
    log = play(data)
    assert value(log, data, "touches_mean") == 2
    assert value(log, data, "resolution_mean") == 35 * MIN
    assert value(log, data, "resolution_less_waits_mean") == 15 * MIN
    assert value(log, data, "waiting_share") == pytest.approx(20 / 35)
    assert value(log, data, "unanswered_share") == 0
    # The ticket is open while it waits: 35 minutes of 119.
    assert value(log, data, "backlog") == pytest.approx(35 / 119)
    assert value(log, data, "resolution_within_target") == 0
    paused = {**data, "targets": {**data["targets"], "pauses": ["Waiting for customer"]}}
    assert value(log, paused, "resolution_within_target") == 1
    on_hold = {**data, "targets": {**data["targets"], "pauses": ["On hold"]}}
    assert value(log, on_hold, "resolution_within_target") == 0


def test_on_hold_by_the_hours_of_the_desk(play):
    """Asked at 07:10, after 2 hours of desk hours: 50 minutes today, 70 tomorrow from midnight."""
    touches = {"on_hold": {"chance": 1.0, "delay": "2h", "clock": "desk hours"}, "most": 1}
    log = play(desk({"kind": "constant", "rate": "1/7h"}, horizon="2d",
                    touches=touches, agents=DAYTIME))  # fmt: skip
    when, statuses = zip(*life(log, 1), strict=True)
    assert statuses[2:5] == ("On hold", "Open", "In Progress")
    assert when[2] == pytest.approx(7 * HOUR + 10 * MIN)
    assert when[3] == pytest.approx(DAY + 70 * MIN)


def test_without_a_reply_a_ticket_is_resolved_and_closed(play):
    touches = asks(never=1.0, close_after="1h", solved=1.0)
    data = desk(ONCE, horizon="5h", touches=touches, customers={"close_after": "1h"})
    log = play(data)
    begun = HOUR
    assert life(log, 1) == [
        (begun, "Open"),
        (begun, "In Progress"),
        (begun + 10 * MIN, "Waiting for customer"),
        (begun + 70 * MIN, "Resolved"),
        (begun + 130 * MIN, "Closed"),
    ]
    assert (log.tickets["resolved_by"].iloc[0], log.tickets["solved"].iloc[0]) == ("automatic", 1)
    assert value(log, data, "unanswered_share") == 1


def test_a_late_reply_reopens_until_the_ticket_is_closed(play):
    late = asks(delay="90min", close_after="1h", solved=0.0)
    log = play(desk(ONCE, horizon="4h", touches=late, customers={"close_after": "1h"}))
    begun = HOUR
    assert life(log, 1) == [
        (begun, "Open"),
        (begun, "In Progress"),
        (begun + 10 * MIN, "Waiting for customer"),
        (begun + 70 * MIN, "Resolved"),
        (begun + 100 * MIN, "Reopened"),
        (begun + 100 * MIN, "In Progress"),
        (begun + 110 * MIN, "Resolved"),
        (begun + 170 * MIN, "Closed"),
    ]
    assert log.tickets["reopens"].iloc[0] == 1
    assert log.tickets["resolved_by"].iloc[0] == "agent"
    too_late = asks(delay="3h", close_after="1h", solved=0.0)
    log = play(desk(ONCE, horizon="8h", touches=too_late, customers={"close_after": "1h"}))
    assert life(log, 1)[-1] == (begun + 130 * MIN, "Closed")


def test_a_customer_who_gives_up_after_a_reply_is_abandoned(play):
    """Two customers, one agent: the reply of the first finds the agent with the second."""
    arrivals = {"kind": "constant", "rate": "3/h"}
    data = desk(arrivals, horizon="45min", touches=asks(delay="11min"),
                agents={"all": {"heads": 1, "handle_time": "10min"}},
                customers={"patience": "5min"})  # fmt: skip
    log = play(data)
    assert life(log, 1) == [
        (20 * MIN, "Open"),
        (20 * MIN, "In Progress"),
        (30 * MIN, "Waiting for customer"),
        (41 * MIN, "Open"),
    ]
    log = play({**data, "horizon": "51min"})
    assert life(log, 1)[-1] == (46 * MIN, "Abandoned")


def test_no_chance_plays_as_without(play):
    data = desk({"rate": "20/h"}, customers={"survey_rate": 0.5})
    plain, never = play(data), play({**data, "touches": asks(0.0)})
    for name in ("tickets", "timeline", "visits", "ratings"):
        assert getattr(plain, name).equals(getattr(never, name))


def test_delays_leave_the_customers_as_they_are(play):
    """Luck of waits is their own: who comes, and the first touch, stay the same."""
    data = desk({"rate": "20/h"}, agents={"all": {"heads": 90, "handle_time": {
        "distribution": "exponential", "mean": "10min"}}})  # fmt: skip
    plain, asked = play(data), play({**data, "touches": asks(0.5, most=9)})
    assert plain.tickets["arrived_s"].equals(asked.tickets["arrived_s"])
    first = asked.visits[asked.visits["activity"] == "handle"]
    columns = ["ticket_id", "started_s", "ended_s"]
    handled = first[columns].reset_index(drop=True)
    ever = plain.visits[columns].reset_index(drop=True)
    first_of = handled.groupby("ticket_id").first()
    assert first_of.equals(ever.groupby("ticket_id").first())


@given(scenario=scenarios(), waits=random_touches())
@SETTINGS
def test_the_clock_of_a_promise_stands_still_on_a_grid_of_minutes(scenario, waits):
    data = scenario.as_data() | {"touches": waits}
    data["targets"] = {**data.get("targets", {}), "pauses": ["Waiting for customer"],
                       "clock": "desk hours"}  # fmt: skip
    scenario = from_data(data)
    log = simulate(scenario, draw(scenario))
    found = paused_s(log, scenario)
    hours = desk_hours(scenario)
    grid = np.arange(0.0, log.horizon_s, 60.0) + 30.0
    opened = hours.values[np.searchsorted(hours.times, grid, side="right") - 1]
    # Exact but for the minutes in which a spell, or the desk, begins or ends.
    expected, edges = np.zeros(len(log.tickets)), np.zeros(len(log.tickets))
    for ticket in range(len(log.tickets)):
        rows = log.timeline[log.timeline["ticket_id"] == ticket + 1]
        until = [*rows["time_s"].tolist()[1:], log.horizon_s]
        for begun, ended, status in zip(rows["time_s"], until, rows["status"], strict=True):
            if status == "Waiting for customer":
                inside = (grid >= begun) & (grid < ended)
                expected[ticket] += 60.0 * (inside & (opened > 0)).sum()
                edges[ticket] += 60.0 * (1 + (np.diff(opened[inside]) != 0).sum() + 1)
    assert (np.abs(found - expected) <= edges + 1e-6).all()


@given(scenario=scenarios(), waits=random_touches())
@SETTINGS
def test_little_holds_status_by_status(scenario, waits):
    """Average number of tickets in each status is their rate times their mean stay."""
    scenario = from_data(scenario.as_data() | {"touches": waits})
    found = twin.play(scenario)
    assert found.sanity["ok"].all()
    log = found.log
    inside = 0.0
    for name in STATUSES:
        ticket, begun, ended = spells(log, [name])
        assert (ended >= begun).all()
        assert len(ticket) == (log.timeline["status"] == name).sum()
        inside += (ended - begun).sum()
    # Tickets of an opening backlog are there from the start of the run.
    here = (log.horizon_s - log.tickets["arrived_s"].clip(lower=0.0)).sum()
    assert inside == pytest.approx(here)


def test_erlangs_bound_is_not_held_against_a_desk_with_returns():
    data = {"arrivals": {"rate": "12/h"}, "agents": {"all": {"heads": 3, "handle_time": {
        "distribution": "exponential", "mean": "6min"}}},
        "customers": {"solved": {"agent": 1.0}}}  # fmt: skip
    assert erlang_bounds(from_data(data))
    assert not erlang_bounds(from_data({**data, "touches": asks(0.4)}))


def test_a_report_tells_waits_by_their_status(tmp_path):
    targets = {"resolution": {"normal": "1h"}, "pauses": ["Waiting for customer"]}
    data = desk({"rate": "10/h"}, horizon="2d", name="mail", replications=2,
                touches=asks(0.5, most=9), targets=targets)  # fmt: skip
    said = page(twin.run(from_data(data), out=tmp_path))
    assert "Times are whole; what is promised leaves out: Waiting for customer." in said
    assert re.search(r"tickets are open they are: [^.]*Waiting for customer", said)
    assert "No time is promised" not in said.partition("Time to resolution")[2].partition("<h3")[0]


def test_every_status_has_an_owner():
    assert set(OWNERS) == set(range(len(STATUSES))) == set(TRANSITIONS) - {None}
    assert {STATUSES[k] for k, owner in OWNERS.items() if owner == "customer"} == {
        "Waiting for customer"
    }
    assert all((owner == "nobody") == (not TRANSITIONS[k]) for k, owner in OWNERS.items())


@given(
    edges=st.lists(st.integers(1, 50), min_size=1, max_size=6, unique=True),
    begun=st.integers(0, 60),
    delay=st.integers(0, 60),
    first=st.integers(0, 1),
)
def test_desk_hours_pass_only_while_the_desk_is_open(edges, begun, delay, first):
    times = np.array([0.0, *sorted(map(float, edges))])
    values = (np.arange(len(times)) + first) % 2
    hours = Staircase(times, values)
    end = PacedClock(times, values.astype(float)).after(float(begun), float(delay))
    if np.isinf(end):
        assert values[-1] == 0
        assert hours.integral(np.array([1e6]))[0] - hours.integral(np.array([begun]))[
            0
        ] < delay or (delay == 0)
        return
    passed = np.diff(hours.integral(np.array([float(begun), end])))[0]
    assert passed == pytest.approx(delay)
    # Not earlier: just before there is less.
    if delay:
        assert np.diff(hours.integral(np.array([float(begun), end - 0.01])))[0] < delay


def walked(hours, moment_s, delay_s):
    """End of a delay of desk hours, step by step: the plain form of the clock."""
    times, is_open = hours.times.tolist(), hours.values.tolist()
    k = int(np.searchsorted(times, moment_s, side="right")) - 1
    left, at = delay_s, moment_s
    while k + 1 < len(times):
        spell = (times[k + 1] - at) * is_open[k]
        if is_open[k] and left <= spell:
            return at + left
        left, k, at = left - spell, k + 1, times[k + 1]
    return at + left if is_open[k] else np.inf


@given(
    steps=st.lists(st.integers(1, 60_000), min_size=1, max_size=30),
    begun=st.floats(0, 900_000),
    delay=st.floats(1e-9, 900_000),
    first=st.integers(0, 1),
)
def test_desk_hours_are_a_walk_over_shifts_to_the_last_bit(steps, begun, delay, first):
    times = np.concatenate([[0.0], np.cumsum(steps)])
    hours = Staircase(times, (np.arange(len(times)) + first) % 2)
    clock = PacedClock(times, hours.values.astype(float))
    assert clock.after(begun, delay) == walked(hours, begun, delay)


BAD = {
    "waiting nor hold": ({}, "give waiting, on_hold, or both"),
    "too likely": (
        {"waiting": {"chance": 0.7, "delay": "1h"}, "on_hold": {"chance": 0.5, "delay": "1h"}},
        "must not be above 1 together",
    ),
    "for ever": ({"waiting": {"chance": 0.5, "delay": "1h", "never": 1.0}}, "give close_after"),
    "no delay": ({"waiting": {"chance": 0.5}}, "delay"),
    "clock": ({"on_hold": {"chance": 0.5, "delay": "1h", "clock": "moon"}}, "around the clock"),
}


@pytest.mark.parametrize("name", BAD)
def test_faults_say_what_is_allowed(name):
    touches, said = BAD[name]
    with pytest.raises(ScenarioError, match=said):
        from_data(desk(ONCE, touches=touches))


def test_check_tells_the_work_of_further_touches():
    """As many as a run has in which all of it is done."""
    data = {
        "horizon": "20d",
        "arrivals": {"rate": "20/h", "surges": [{"start": "8d", "length": "12d", "factor": 0.0}]},
        "agents": {"all": {"heads": 900, "handle_time": "10min", "follow_up_time": "4min"}},
        "customers": {"max_reopens": 1, "reopen_rate": 0.5, "reopen_delay": "4h",
                      "close_after": "1d", "survey_rate": 0.0},
        "touches": {
            "waiting": {"chance": 0.4, "never": 0.2, "close_after": "1d",
                        "delay": {"distribution": "exponential", "mean": "1d"}},
            "on_hold": {"chance": 0.1, "delay": "4h"},
        },
    }  # fmt: skip
    scenario = from_data(data)
    demand = draw(scenario)
    log = simulate(scenario, demand)
    done = float((log.visits["ended_s"] - log.visits["started_s"]).sum()) / len(log.tickets)
    assert workload(scenario, demand).ticket_s == pytest.approx(done, rel=0.03)
    told = "\n".join(twin.explain(scenario))
    assert "Of agents' touches end: 40 % with a question" in told
    assert "to 20 % never; after 1 d without one they are resolved; 10 % on hold" in told
    assert "touches.waiting.solved = 0.5 (default)" in "\n".join(
        str(one) for one in unset(scenario)
    )


def test_offered_load_with_returns_follows_its_differential_equations():
    """With so many agents that nobody waits, as many are busy as Yom-Tov and Mandelbaum's ODE says.

    R1' = rate(t) + R2 / reply - R1 / handle and R2' = p R1 / handle - R2 / reply (Erlang-R: A
    time-varying queue with reentrant customers, Manufacturing and Service Operations Management 16,
    2014): exact for the means of infinite-server stations with time-varying Poisson arrivals.
    """
    handle_s, reply_s, back = 600.0, 5400.0, 0.5
    hours = [0.2] * 8 + [2.0] * 4 + [1.0] * 6 + [0.2] * 6
    exponential = {"distribution": "exponential"}
    data = {
        "horizon": "1d", "replications": 60,
        "arrivals": {"kind": "hourly", "rate": "60/h", "week": {"hours": hours, "days": [1] * 7}},
        "agents": {"all": {"heads": 500, "handle_time": {**exponential, "mean": "10min"}}},
        "customers": {"survey_rate": 0.0, "solved": {"agent": 1.0}},
        "touches": {"waiting": {"chance": back, "delay": {**exponential, "mean": "90min"}},
                    "most": 1000},
    }  # fmt: skip
    scenario = from_data(data)
    step = 5.0
    moments = np.arange(0.0, DAY, step)
    rate = 60.0 / HOUR * np.array(hours)[(moments // HOUR).astype(int)] / np.mean(hours)
    busy, away = np.zeros(len(moments) + 1), np.zeros(len(moments) + 1)
    for k, per_s in enumerate(rate):
        touched, replied = busy[k] / handle_s, away[k] / reply_s
        busy[k + 1] = busy[k] + step * (per_s + replied - touched)
        away[k + 1] = away[k] + step * (back * touched - replied)
    expected = busy[:-1].reshape(24, -1).mean(axis=1)
    found = []
    for k in range(scenario.replications):
        levels = twin.play(scenario, k).levels
        seen = levels[(levels["level"] == "busy").to_numpy()]["mean"].to_numpy()
        found.append(seen.reshape(24, -1).mean(axis=1))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    # 24 hours, so the largest of as many deviations.
    assert (np.abs(mean - expected) < 4 * error + 0.01 * expected).all()
