"""Measured workflows: traced lives, absorbing chains, clocks, queues in a status, and faults."""

import json
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import test_invariants as invariants
from days import DAY, HOUR, MIN, desk, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import MAX_TICKETS, SETTINGS, scenarios, workflows

import twin
from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.clocks import PacedClock, clock_of
from twin.desk.simulation import simulate
from twin.experiments.checks import notes
from twin.experiments.workload import workload
from twin.measures.inputs import unset
from twin.measures.levels import backlog, spells
from twin.measures.promises import paused_s
from twin.measures.theory import erlang_bounds
from twin.records import storage
from twin.records.tables import OPEN_STATUSES, STATUSES
from twin.report.assumptions import assumptions
from twin.report.page import page
from twin.scenario.chain import Chain
from twin.scenario.model import from_data
from twin.scenario.sections.workflow import FINAL, Core

ONE = {"kind": "constant", "rate": "1/h"}
# One of them only: an hour after the start.
FIRST = {"arrivals": ONE, "horizon": "119min"}
DAYTIME = {"all": {"handle_time": "10min", "follow_up_time": "5min",
                   "shifts": [{"start": "08:00", "end": "16:00", "heads": 1}]}}  # fmt: skip


def exponential(mean):
    return {"distribution": "exponential", "mean": mean}


def flow(start, statuses, **more):
    return {"start": {start: 1.0} if isinstance(start, str) else start,
            "statuses": statuses, **more}  # fmt: skip


def known(workflow, **more):
    """A desk known by its statuses alone."""
    return {**FIRST, "horizon": "10d", "agents": {}, "customers": {"survey_rate": 0.0},
            "workflow": workflow, **more}  # fmt: skip


def told(log, ticket=1):
    """The ticket's own statuses with their moments and what they count as."""
    rows = log.timeline[log.timeline["ticket_id"] == ticket]
    return list(zip(rows["time_s"], rows["detail"], rows["status"], strict=True))


LINE = {
    "Logged": {"counts_as": "Open", "delay": "30min", "next": {"Assigned": 1.0}},
    "Assigned": {
        "counts_as": "In Progress",
        "next": {"Wait - user": {"chance": 1.0, "delay": "1h"}},
        "after": {"Wait - user": {"Done": {"chance": 1.0, "delay": "2h"}}},
    },
    "Wait - user": {"counts_as": "Waiting for customer", "delay": "20h", "next": {"Assigned": 1}},
    "Done": {
        "counts_as": "Resolved",
        "delay": "1h",
        "next": {"Closed": 1.0},
        "after": {"Assigned": {"Redone": {"chance": 1.0, "delay": "10h"}}},
    },
    "Redone": {"counts_as": "Reopened", "delay": "3h", "next": {"Done": 1.0}},
    "Closed": {"counts_as": "Closed"},
}


def test_a_life_goes_from_status_to_status_by_the_last_two(play):
    log = play(known(flow("Logged", LINE), arrivals=ONE, horizon="65h"))
    at = HOUR
    assert told(log) == [
        (at, "Logged", "Open"),
        (at := at + 30 * MIN, "Assigned", "In Progress"),
        (at := at + HOUR, "Wait - user", "Waiting for customer"),
        (at := at + 20 * HOUR, "Assigned", "In Progress"),
        (at := at + 2 * HOUR, "Done", "Resolved"),
        (at := at + 10 * HOUR, "Redone", "Reopened"),
        (at := at + 3 * HOUR, "Done", "Resolved"),
        (at := at + HOUR, "Closed", "Closed"),
    ]
    ticket = log.tickets.iloc[0]
    assert ticket["responded_s"] == HOUR + 30 * MIN
    assert ticket["resolved_s"] == at - HOUR
    assert (ticket["reopens"], ticket["status"], ticket["resolved_by"]) == (1, "Closed", "agent")
    assert log.visits.empty
    # Open until it was first done, and again for the three hours after it came back.
    ticket, begun, ended = spells(log, ["Reopened"])
    assert (ticket[0], ended[0] - begun[0]) == (0, 3 * HOUR)
    open_of_first = backlog(play(known(flow("Logged", LINE), **{**FIRST, "horizon": "119min"})))
    assert open_of_first.values.tolist()[-1] == 1


def test_two_of_its_statuses_may_count_as_the_same(play):
    """Figures hold where the twin's status repeats, and where a ticket is open from the start."""
    statuses = {
        "One": {"counts_as": "Open", "delay": "1h", "next": {"Two": 1}},
        "Two": {"counts_as": "Open", "delay": "1h", "next": {"Three": 1}},
        "Three": {"counts_as": "Resolved", "delay": "1h", "next": {"Four": 1}},
        "Four": {"counts_as": "Resolved", "delay": "1h", "next": {"Five": 1}},
        "Five": {"counts_as": "Open", "delay": "1h", "next": {"Dropped": 1}},
        "Dropped": {"counts_as": "Abandoned"},
    }
    data = known(flow("One", statuses), arrivals={"kind": "constant", "rate": "1/d"}, horizon="30h")
    found = twin.play(from_data(data))
    assert [status for _, _, status in told(found.log)] == [
        "Open", "Open", "Resolved", "Resolved", "Open", "Abandoned",
    ]  # fmt: skip
    row = found.log.tickets.iloc[0]
    assert (row["resolved_s"], row["reopens"], row["solved"]) == (26 * HOUR, 1, 0)
    level = backlog(found.log)
    at = np.array([24.5, 25.5, 26.5, 27.5, 28.5, 29.5]) * HOUR
    assert level.values[np.searchsorted(level.times, at, side="right") - 1].tolist() == [
        1, 1, 0, 0, 1, 0,
    ]  # fmt: skip
    assert found.sanity["ok"].all()


def test_delays_pass_by_the_clock_that_each_is_given(play):
    """Desk hours are 8 to 16 o'clock; the ticket comes at one in the night."""
    statuses = {
        "A": {"counts_as": "Open", "delay": "2h", "clock": "desk hours", "next": {"B": 1}},
        "B": {"counts_as": "In Progress", "delay": "7h",
              "next": {"C": {"chance": 1, "clock": "desk hours"}}},
        "C": {"counts_as": "On hold", "delay": "3h", "next": {"D": 1}},
        "D": {"counts_as": "In Progress", "delay": "1h", "clock": "nights", "next": {"E": 1}},
        "E": {"counts_as": "Resolved"},
    }  # fmt: skip
    nights = ([1.0] * 6 + [0.0] * 18) * 7
    data = desk(ONE, horizon="3d", agents=DAYTIME,
                workflow=flow("A", statuses, clocks={"nights": nights}))  # fmt: skip
    moments = [moment / HOUR for moment, *_ in told(play(data))]
    # Two of 8 h on Monday, 7 more end on Tuesday at 9; three hours later it is noon. At night a
    # quarter of the time passes four times as fast: an hour is a quarter of one.
    assert moments == [1.0, 10.0, 24 + 9.0, 24 + 12.0, 48.25]


def test_a_delay_may_hang_on_the_age_of_the_ticket(play):
    statuses = {
        "A": {"counts_as": "In Progress",
              "next": {"A": {"chance": 1, "delay_by_age": ["1h", "5h", "1d"]}},
              "after": {"A": {"A": 1}}},
    }  # fmt: skip
    statuses["A"]["after"]["A"]["A"] = 0.9
    data = known(flow("A", statuses, ages=["2h", "10h"]), horizon="4d")
    log = play(data)
    gaps = np.diff([moment for moment, *_ in max((told(log, k) for k in range(1, 20)), key=len)])
    assert gaps[:6].tolist() == [HOUR, HOUR, 5 * HOUR, 5 * HOUR, DAY, DAY]


def test_the_later_of_delay_and_agent_decides(play, arrive):
    """An agent takes a ticket once its delay is over, at the place of the moment it came."""
    data = desk(
        arrive(0, 60, 120, 180, category=["A", "B", "B", "C"]),
        horizon="1d",
        tickets={"category_mix": {"A": 1, "B": 1, "C": 1}},
        workflow=flow({"Slow": 1}, {
            "Slow": {"counts_as": "In Progress", "work": True, "delay": "5min",
                     "next": {"Done": 1}},
            "Done": {"counts_as": "Resolved"},
        }),
    )  # fmt: skip
    # Each is free to be taken five minutes after it came; the agent needs ten for each.
    log = play(data)
    assert visits(log, "queued_s", "started_s", "ended_s") == [
        (1, 300, 300, 900), (2, 360, 900, 1500), (3, 420, 1500, 2100), (4, 480, 2100, 2700),
    ]  # fmt: skip
    assert log.tickets["responded_s"].tolist() == [300, 900, 1500, 2100]
    assert log.tickets["resolved_s"].tolist() == [900, 1500, 2100, 2700]
    assert set(log.timeline["detail"]) == {"Slow", "Done"}


def test_the_place_in_the_queue_is_that_of_the_moment_it_came(play, arrive):
    """The first to come is the first to be served, though its delay ended last."""
    statuses = {
        "Long": {"counts_as": "Open", "work": True, "delay": "8min", "next": {"Done": 1}},
        "Short": {"counts_as": "Open", "work": True, "next": {"Done": 1}},
        "Done": {"counts_as": "Resolved"},
    }
    # By their luck the four tickets start in both statuses: each order is told by its queue.
    data = desk(arrive(0, 60, 120, 180, 240, 300), horizon="1d",
                workflow=flow({"Long": 0.5, "Short": 0.5}, statuses), seed=3)  # fmt: skip
    log = play(data)
    came = log.tickets["arrived_s"].to_numpy()
    first = log.timeline.drop_duplicates("ticket_id")["detail"].to_numpy()
    assert set(first) == {"Long", "Short"}
    ready = came + np.where(first == "Long", 480.0, 0.0)
    # One agent, ten minutes each: of those who are ready, who came first.
    free, left, starts = 0.0, set(range(6)), {}
    while left:
        free = max(free, min(ready[k] for k in left))
        chosen = min((k for k in left if ready[k] <= free), key=lambda k: came[k])
        starts[chosen] = free
        free += 600
        left.remove(chosen)
    found = [started for _, started in visits(log, "started_s")]
    assert found == [starts[k] for k in range(6)]
    overtakes = [k for k in range(5) if starts[k] > starts[k + 1]]
    assert overtakes, "some short one goes before a long one that came earlier"


def test_a_ticket_changes_its_status_as_an_agent_takes_it(play, arrive):
    """The status before is the queue: it lasts until its delay is over and an agent is free."""
    statuses = {
        "New": {"counts_as": "Open", "until_taken": True, "delay": "5min", "next": {"In hand": 1}},
        "In hand": {"counts_as": "In Progress", "work": True, "next": {"Done": 1}},
        "Done": {"counts_as": "Resolved"},
    }
    log = play(desk(arrive(0, 60, 120), horizon="20min", workflow=flow("New", statuses)))
    assert visits(log, "queued_s", "started_s")[:2] == [(1, 300, 300), (2, 360, 900)]
    assert told(log, 1) == [
        (0, "New", "Open"), (300, "In hand", "In Progress"), (900, "Done", "Resolved"),
    ]  # fmt: skip
    # In work at the end, and still waiting at the end.
    assert told(log, 2) == [(60, "New", "Open"), (900, "In hand", "In Progress")]
    assert told(log, 3) == [(120, "New", "Open")]
    assert log.tickets["responded_s"].tolist()[:2] == [300, 900]
    # Where another status comes next, its own delay decides, and no agent.
    statuses["New"]["next"] = {"Done": 1, "In hand": 0}
    assert told(play(desk(ONE, horizon="2h", workflow=flow("New", statuses)))) == [
        (HOUR, "New", "Open"), (HOUR + 5 * MIN, "Done", "Resolved"),
    ]  # fmt: skip


def test_waiting_in_a_status_of_its_own_changes_no_moment(play):
    """Open until taken, then In Progress: as the plain desk, change by change."""
    plain = desk({"rate": "15/h"}, horizon="3d", customers={"patience": exponential("30min")},
                 agents={"all": {"heads": 3, "handle_time": exponential("11min")}})  # fmt: skip
    statuses = {
        "Open": {"counts_as": "Open", "until_taken": True, "next": {"In Progress": 1}},
        "In Progress": {"counts_as": "In Progress", "work": True, "next": {"Resolved": 1}},
        "Resolved": {"counts_as": "Resolved"},
    }
    own, log = play({**plain, "workflow": flow("Open", statuses)}), play(plain)
    pd.testing.assert_frame_equal(own.visits, log.visits)
    columns = ["ticket_id", "time_s", "status"]
    known = log.timeline[log.timeline["status"] != "Closed"][columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(own.timeline[columns], known, check_categorical=False)


def test_one_status_with_work_is_the_plain_desk(play):
    plain = desk({"rate": "15/h"}, horizon="3d", customers={"patience": exponential("30min")},
                 agents={"all": {"heads": 3, "handle_time": exponential("11min")}})  # fmt: skip
    statuses = {
        "Work": {"counts_as": "Open", "work": True, "next": {"Done": 1}},
        "Done": {"counts_as": "Resolved"},
    }
    own = play({**plain, "workflow": flow("Work", statuses)})
    log = play(plain)
    pd.testing.assert_frame_equal(own.visits, log.visits)
    columns = ["arrived_s", "responded_s", "resolved_s", "solved", "reopens", "transfers"]
    pd.testing.assert_frame_equal(own.tickets[columns], log.tickets[columns])
    gone = [set(one.tickets["ticket_id"][one.tickets["status"] == "Abandoned"])
            for one in (own, log)]  # fmt: skip
    assert gone[0] == gone[1] != set()


def test_touches_and_waits_are_a_workflow_too(play):
    """The traced day of a desk with touches, its wait as a status of its own."""
    agents = {"all": {**DAYTIME["all"], "shifts": [{"start": "00:00", "end": "08:00", "heads": 1}]}}
    statuses = {
        "New": {"counts_as": "Open", "work": True, "next": {"Asked": 1.0},
                "after": {"Asked": {"Done": 1}}},
        "Asked": {"counts_as": "Waiting for customer", "delay": "20min", "next": {"New": 1}},
        "Done": {"counts_as": "Resolved"},
    }  # fmt: skip
    log = play(desk(ONE, horizon="119min", agents=agents, workflow=flow("New", statuses)))
    assert visits(log, "activity", "queued_s", "started_s", "ended_s") == [
        (1, "handle", HOUR, HOUR, HOUR + 10 * MIN),
        (1, "follow up", HOUR + 30 * MIN, HOUR + 30 * MIN, HOUR + 35 * MIN),
    ]
    assert [moment for moment, *_ in told(log)] == [
        HOUR, HOUR + 10 * MIN, HOUR + 30 * MIN, HOUR + 35 * MIN,
    ]  # fmt: skip


def test_an_opening_backlog_begins_in_the_status_that_it_is_in(play, tmp_path):
    """Two are in hand, one waits, and of one it is not known: it begins as all do."""
    path = tmp_path / "open.csv"
    path.write_text("timestamp,status\n-9000,Assigned\n-7200,Wait - user\n-3600,\n-60,Assigned\n")
    data = known(flow("Logged", LINE), arrivals={"rate": "0/h"}, backlog={"file": str(path)})
    log = play(data)
    assert [told(log, k)[0] for k in range(1, 5)] == [
        (0, "Assigned", "In Progress"), (0, "Wait - user", "Waiting for customer"),
        (0, "Logged", "Open"), (0, "Assigned", "In Progress"),
    ]  # fmt: skip
    assert [told(log, k)[1][0] for k in range(1, 5)] == [HOUR, 20 * HOUR, HOUR / 2, HOUR]
    assert log.tickets["arrived_s"].tolist() == [-9000, -7200, -3600, -60]
    assert twin.play(from_data(data)).sanity["ok"].all()
    path.write_text("timestamp,status\n-60,Closed\n")
    with pytest.raises(ScenarioError, match='unknown status "Closed"'):
        play(data)
    workflow = from_data(data).workflow
    assert {workflow.statuses[name].counts_as for name in workflow.open_statuses} <= set(
        OPEN_STATUSES
    )


MEANS = {"A": "1h", "B": "5h", "C": "30min", "D": "2h"}
CHAIN = {
    "A": {"counts_as": "Open", "next": {"B": 0.7, "C": 0.2}},
    "B": {"counts_as": "In Progress", "next": {"A": 0.2, "C": 0.5, "D": 0.3}},
    "C": {"counts_as": "Waiting for customer", "next": {"B": 0.6, "C": 0.3}},
    "D": {"counts_as": "Resolved", "next": {"B": 0.1}},
}
# By the status before, in two of them.
SECOND = {"B": {"C": {"D": 0.9}, "A": {"C": 1.0}}, "C": {"B": {"B": 0.2, "end": 0.8}}}


def mean_visits(order):
    """Mean visits and mean time to rest of the chain above, solved here, pair by pair."""
    names = list(CHAIN)
    pairs = [(before, now) for before in ["", *names] for now in names]
    moves, start = np.zeros((len(pairs), len(pairs))), np.zeros(len(pairs))
    start[pairs.index(("", "A"))] = 1.0
    for k, (before, now) in enumerate(pairs):
        given = CHAIN[now]["next"]
        if order == 2:
            given = SECOND.get(now, {}).get(before, given)
        for other, chance in given.items():
            if other != "end":
                moves[k, pairs.index((now, other))] = chance
    often = np.linalg.inv(np.eye(len(pairs)) - moves.T) @ start
    return {name: sum(often[k] for k, p in enumerate(pairs) if p[1] == name) for name in names}


@pytest.mark.parametrize("order", [1, 2])
def test_visits_and_time_to_rest_are_those_of_the_absorbing_chain(order):
    statuses = {
        name: {**status, "delay": exponential(MEANS[name]),
               **({"after": SECOND[name]} if order == 2 and name in SECOND else {})}
        for name, status in CHAIN.items()
    }  # fmt: skip
    data = known(flow("A", statuses), arrivals={"kind": "constant", "rate": "200/h"},
                 horizon="100d")  # fmt: skip
    data["arrivals"]["surges"] = [{"start": "2d", "length": "98d", "factor": 0.0}]
    scenario = from_data(data)
    log = simulate(scenario, draw(scenario))
    n = len(log.tickets)
    assert n > 9000
    expected = mean_visits(order)
    counts = pd.crosstab(log.timeline["ticket_id"], log.timeline["detail"])
    for name, mean in expected.items():
        assert abs(counts[name].mean() - mean) < 4 * counts[name].std() / np.sqrt(n)
    # The twin's own solution of the chain, which `twin check` goes by.
    chain = Chain.of(scenario.workflow)
    assert chain.visits() == pytest.approx([expected[name] for name in chain.names])
    # Time to rest: every stay but the last, which has no end. Stays are independent of the way.
    span = log.timeline.groupby("ticket_id")["time_s"].agg(np.ptp)
    rows = log.timeline.sort_values(["ticket_id", "time_s"], kind="stable")
    last = rows.groupby("ticket_id")["detail"].last().value_counts() / n
    hours = {"A": 1.0, "B": 5.0, "C": 0.5, "D": 2.0}
    mean = sum(hours[name] * (expected[name] - last.get(name, 0.0)) for name in CHAIN)
    assert abs(span.mean() / HOUR - mean) < 4 * span.std() / HOUR / np.sqrt(n)


@given(
    hours=st.lists(st.sampled_from([0.0, 0.1, 1.0, 3.0]), min_size=24, max_size=24).filter(any),
    days=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=7, max_size=7).filter(any),
    begun=st.integers(0, 20 * 1440).map(lambda minutes: 60.0 * minutes),
    delay=st.floats(0, 15 * DAY),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
@SETTINGS
def test_a_weighted_clock_agrees_with_numerical_integration(hours, days, begun, delay, zone):
    weights = [hour * day for day in days for hour in hours]
    statuses = {"A": {"counts_as": "Open", "delay": "1h", "next": {"B": 1}},
                "B": {"counts_as": "Closed"}}  # fmt: skip
    scenario = from_data(known(flow("A", statuses, clock="own", clocks={"own": weights}),
                               start="2026-03-20", time_zone=zone, horizon="60d"))  # fmt: skip
    end = clock_of("own", scenario).after(begun, delay)
    # Speed minute by minute, by the hour that Python's clock shows.
    step = 60.0
    grid = np.arange(begun, min(end, begun + 59 * DAY), step)
    local = pd.to_datetime(grid + step / 2 + scenario.midnight.timestamp(), unit="s", utc=True)
    local = local.tz_convert(zone)
    speed = np.array(weights)[local.day_of_week * 24 + local.hour] / np.mean(weights)
    passed = clock_of("own", scenario).between(begun, end)
    if end < begun + 59 * DAY:
        # But for the minute in which it ends.
        last = step * max(weights) / np.mean(weights)
        assert speed.sum() * step == pytest.approx(delay, abs=last + 1e-3)
        assert passed == pytest.approx(delay, abs=1e-3)


@given(
    edges=st.lists(st.integers(1, 50), min_size=1, max_size=6, unique=True),
    begun=st.integers(0, 60),
    delay=st.integers(0, 60),
    speeds=st.lists(st.sampled_from([0.0, 0.5, 2.0]), min_size=7, max_size=7),
)
@SETTINGS
def test_a_paced_clock_comes_to_the_first_moment_of_its_time(edges, begun, delay, speeds):
    times = np.array([0.0, *sorted(map(float, edges))])
    clock = PacedClock(times, np.array(speeds[: len(times)]))
    end = clock.after(float(begun), float(delay))
    if np.isinf(end):
        assert clock.between(begun, 1e6) < delay
        return
    assert clock.between(begun, end) == pytest.approx(delay)
    assert end == begun or clock.between(begun, end - 0.01) < delay


def test_measured_values_are_drawn_as_listed():
    values = {"distribution": "empirical", "values": [60, 600, 6000], "unit": "1s"}
    statuses = {"A": {"counts_as": "Open", "delay": values, "next": {"B": 1}},
                "B": {"counts_as": "Resolved"}}  # fmt: skip
    scenario = from_data(known(flow("A", statuses), arrivals={"rate": "10/h"}, horizon="10d"))
    found = twin.play(scenario).log.tickets
    spent = (found["resolved_s"] - found["arrived_s"]).dropna().round(6).value_counts()
    assert set(spent.index) == {60.0, 600.0, 6000.0}
    assert (spent / spent.sum()).tolist() == pytest.approx([1 / 3] * 3, abs=0.06)


def test_the_ways_of_tickets_do_not_hang_on_the_delays_or_the_agents():
    """Common random numbers: another delay moves the moments and nothing else."""
    statuses = {name: {**status, "delay": exponential("10min")} for name, status in CHAIN.items()}
    data = known(flow("A", statuses), arrivals={"rate": "5/h"})
    scenario = from_data(data)
    slower = scenario.vary({"workflow.statuses.B.delay.mean": "20min"})
    ways = [twin.play(one).log.timeline.sort_values(["ticket_id", "time_s"], kind="stable")
            for one in (scenario, slower)]  # fmt: skip
    lives = [one["detail"].astype(str).groupby(one["ticket_id"]).agg(list) for one in ways]
    early = [k for k in lives[0].index if len(lives[0][k]) == len(lives[1][k])]
    assert len(early) > 0.95 * len(lives[0])
    assert all(lives[0][k] == lives[1][k] for k in early)
    assert not ways[0]["time_s"].equals(ways[1]["time_s"])


@given(scenario=scenarios(roles=("off",)), workflow=workflows())
@SETTINGS
def test_every_desk_of_statuses_adds_up(scenario, workflow):
    data = scenario.as_data() | {"workflow": workflow}
    data.pop("touches", None)
    data["customers"].pop("retrial", None)
    data["targets"] = {"resolution": {"normal": "3h"}, "pauses": ["Waiting for customer"]}
    scenario = from_data(data)
    found = twin.play(scenario)
    assert found.sanity["ok"].all()
    log, inside = found.log, 0.0
    for name in STATUSES:
        _, begun, ended = spells(log, [name])
        assert (ended >= begun).all()
        inside += (ended - begun).sum()
    here = (log.horizon_s - np.maximum(log.tickets["arrived_s"], 0.0)).sum()
    assert inside == pytest.approx(here)
    assert (paused_s(log, scenario) >= 0).all()
    statuses = workflow["statuses"]
    rows = log.timeline.sort_values(["ticket_id", "time_s"], kind="stable")
    worked = log.visits.groupby("ticket_id")["ended_s"].agg(list).to_dict()
    for ticket, own in rows.groupby("ticket_id"):
        names = [None if pd.isna(name) else name for name in own["detail"]]
        core = own["status"].astype(str).tolist()
        # What has no name of its own is a customer who gave up, and the end.
        assert [k for k, name in enumerate(names) if name is None] in ([], [len(names) - 1])
        if names[-1] is None:
            assert core.pop() == "Abandoned"
            assert names.pop() is None
        assert core == [statuses[name]["counts_as"] for name in names]
        assert names[0] in workflow["start"]
        for k, (now, after) in enumerate(pairwise(names)):
            before = names[k - 1] if k else "start"
            given_ = statuses[now].get("after", {}).get(before, statuses[now].get("next", {}))
            assert after in given_
        if any(statuses[name].get("work") for name in names[:-1]):
            assert ticket in worked
    resolved = log.tickets["resolved_s"].notna()
    assert log.tickets["responded_s"][resolved].notna().all()


QUEUES = (
    invariants.no_pool_begins_work_above_its_staffing,
    invariants.handed_over_work_leaves_no_pool_above_its_staffing_at_any_moment,
    invariants.no_skill_is_violated_but_by_misrouted_visits,
    invariants.nobody_waits_while_an_agent_who_could_take_them_is_free,
    invariants.the_next_is_the_most_urgent_then_the_longest_waiting,
    invariants.who_is_picked_up_stays_and_who_leaves_was_never_picked_up,
    invariants.who_finds_no_place_is_turned_away_and_nobody_else,
)


@given(scenario=scenarios(roles=("off",)), workflow=workflows())
@SETTINGS
def test_agents_keep_their_rules_in_statuses_too(scenario, workflow):
    data = scenario.as_data() | {"workflow": workflow}
    data.pop("touches", None)
    data["customers"].pop("retrial", None)
    # By it, the place of work that is delayed is that of the moment the ticket came.
    data["routing"].pop("wait_bonus", None)
    run = invariants.play(from_data(data))
    if len(run.demand) <= MAX_TICKETS:
        for invariant in QUEUES:
            invariant(run)


BAD = {
    "no such next": (flow("A", {"A": {"counts_as": "Open", "next": {"B": 1}}}),
                     r"workflow.statuses.A.next: no such status"),
    "no such start": (flow("B", {"A": {"counts_as": "Open"}}), "workflow.start: no such status"),
    "start below 1": (flow({"A": 0.5}, {"A": {"counts_as": "Open"}}), "must add up to 1"),
    "too likely": (flow("A", {"A": {"counts_as": "Open", "next": {"A": 0.7, "end": 0.5}}}),
                   "at most 1"),
    "counts as nothing": (flow("A", {"A": {"counts_as": "Opened"}}), 'did you mean "Open"'),
    "final": (flow("A", {"A": {"counts_as": "Closed", "next": {"A": 0.5}}}),
              "Closed is final: nothing follows"),
    "for ever": (flow("A", {"A": {"counts_as": "Open", "next": {"B": 1}},
                            "B": {"counts_as": "Open", "next": {"A": 1}}}),
                 "workflow.statuses.A: tickets in it never come to rest"),
    "for ever, by the last two": (
        flow("A", {"A": {"counts_as": "Open", "next": {"B": 0.5}, "after": {"B": {"B": 1}}},
                   "B": {"counts_as": "Open", "next": {"A": 1}}}), "statuses.B: tickets in it"),
    "no such clock": (flow("A", {"A": {"counts_as": "Open", "clock": "desk hour"}}),
                      "statuses.A.clock: no such clock"),
    "no such clock of a step": (
        flow("A", {"A": {"counts_as": "Open", "next": {"A": {"chance": 0.1, "clock": "x"}}}}),
        "next.A.clock: no such clock"),
    "a week of 24 hours": (flow("A", {"A": {"counts_as": "Open"}}, clocks={"x": [1.0] * 24}),
                           "must hold at least 168"),
    "no time passes": (flow("A", {"A": {"counts_as": "Open"}}, clocks={"x": [0.0] * 168}),
                       "time must pass in some hour"),
    "ages": (flow("A", {"A": {"counts_as": "Open", "next": {
        "A": {"chance": 0.5, "delay_by_age": ["1h"]}}}}, ages=["1d"]), "must hold 2, one more"),
    "ages fall": (flow("A", {"A": {"counts_as": "Open"}}, ages=["2d", "1d"]), "ages: must rise"),
    "a word": (flow("end", {"end": {"counts_as": "Open"}}), "take another name"),
    "after nothing": (flow("A", {"A": {"counts_as": "Open", "after": {"B": {"A": 0.1}}}}),
                      "statuses.A.after: no such status"),
    "taken by nobody": (
        flow("A", {"A": {"counts_as": "Open", "until_taken": True, "next": {"B": 1}},
                   "B": {"counts_as": "Resolved"}}), "until_taken: no status with work comes next"),
    "taken twice": (
        flow("A", {"A": {"counts_as": "Open", "until_taken": True, "work": True, "next": {"B": 1}},
                   "B": {"counts_as": "In Progress", "work": True}}), "work, or until_taken"),
    "work by nobody": (flow("A", {"A": {"counts_as": "Open", "work": True}}),
                       r"give \[agents.NAME\]"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_faults_say_what_is_allowed(name):
    workflow, said = BAD[name]
    with pytest.raises(ScenarioError, match=said):
        from_data(known(workflow))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"touches": {"on_hold": {"chance": 0.1, "delay": "1h"}}}, "leave out touches"),
        ({"customers": {"retrial": {"chance": 0.1, "delay": "1h"}}}, "by the workflow alone"),
        ({"assistant": {"backend": "profile"}}, 'set assistant.role = "off"'),
    ],
)
def test_a_workflow_goes_with_neither_touches_nor_an_assistant(more, said):
    with pytest.raises(ScenarioError, match=said):
        from_data(desk(ONE, workflow=flow("Logged", LINE), **more))


def test_check_and_report_tell_of_it(tmp_path):
    statuses = {**LINE, "Assigned": {**LINE["Assigned"], "work": True}}
    data = desk({"rate": "2/h"}, {"reopen_rate": 0.5}, horizon="2d", name="own", replications=2,
                workflow=flow("Logged", statuses))  # fmt: skip
    scenario = from_data(data)
    said = "\n".join(twin.explain(scenario))
    assert "Statuses of its own: Logged, Assigned, Wait - user, Done, Redone, Closed" in said
    assert "the next by the last two. A ticket is in 8 of them on average." in said
    assert "Agents work in Assigned; delays, there and elsewhere, use nobody" in said
    assert notes(scenario) == ["customers.reopen_rate is not used: the workflow says what follows"]
    assert not erlang_bounds(scenario)
    assert "customers.reopen_rate" not in {one.key for one in unset(scenario)}
    assert "workflow" in {key for _, _, key, _ in assumptions(scenario)}
    said = page(twin.run(scenario, out=tmp_path))
    assert said.startswith("<!doctype html>")
    # The desk's own words, not those that they count as.
    assert re.search(r"tickets are open they are: [^.]*Wait - user", said)
    alone = from_data(known(flow("Logged", LINE)))
    assert "what other staffing would change cannot be said" in "\n".join(twin.explain(alone))


def test_check_counts_the_work_that_its_statuses_bring():
    statuses = {name: {**status, "work": name in "BC"} for name, status in CHAIN.items()}
    pool = {"heads": 500, "handle_time": "10min", "follow_up_time": "4min"}
    scenario = from_data(desk({"rate": "40/h"}, horizon="10d", agents={"all": pool},
                              workflow=flow({"A": 0.5, "D": 0.5}, statuses)))  # fmt: skip
    demand = draw(scenario)
    log = simulate(scenario, demand)
    done = float((log.visits["ended_s"] - log.visits["started_s"]).sum()) / len(log.tickets)
    assert workload(scenario, demand).ticket_s == pytest.approx(done, rel=0.02)


def test_runs_from_before_the_column_are_still_read(tmp_path, play):
    log = play(desk({"rate": "4/h"}))
    path = tmp_path / "timeline"
    path.mkdir()
    old = storage.as_arrow("timeline", 0, log.timeline).drop_columns(["detail"])
    joined = storage.join([("was", old), ("is", storage.as_arrow("timeline", 0, log.timeline))],
                          "timeline")  # fmt: skip
    assert joined["detail"].isna().all()
    assert joined["status"][: len(log.timeline)].tolist() == log.timeline["status"].tolist()
    assert pa.Table.from_pandas(joined).num_rows == 2 * len(log.timeline)


def test_the_example_of_the_page_plays_as_it_says():
    text = (Path(__file__).parents[1] / "scenarios" / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n([^`]*\[workflow\][^`]*)```", text)
    scenario = from_data(tomllib.loads(example))
    log = twin.play(scenario).log
    assert set(log.timeline["detail"]) == {"New", "In hand", "Waiting", "Resolved", "Closed"}
    # Office hours are its busiest: of first touches, nothing happens at night or on Sunday.
    begun = log.timeline["time_s"][(log.timeline["detail"] == "In hand").to_numpy()]
    hour = ((begun.groupby(log.timeline["ticket_id"]).min() % (7 * DAY)) // HOUR).astype(int)
    by_hour = np.bincount(hour, minlength=168).reshape(7, 24)
    assert by_hour[:, :7].sum() == by_hour[:, 18:].sum() == by_hour[6].sum() == 0
    assert by_hour[:5, 10].sum() > 1.5 * by_hour[:5, 12].sum() > 0


def test_statuses_it_may_count_as_are_those_of_the_tables():
    assert get_args(Core) == STATUSES
    assert set(FINAL) == {"Closed", "Abandoned"}


def test_a_workflow_survives_being_written_out():
    scenario = from_data(known(flow("Logged", LINE)))
    assert from_data(json.loads(json.dumps(scenario.as_data()))) == scenario
