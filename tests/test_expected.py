"""Expectations without a run: arrivals against draws, work against runs, sentences about both."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DATA, SETTINGS, arrivals, scenarios

import twin
from twin.demand.arrivals import expected
from twin.demand.tickets import draw
from twin.experiments.workload import known_habits, workload
from twin.scenario.model import from_data

H, DAY = 3600.0, 86400.0
POOL = {"heads": 3, "handle_time": "5min"}


def desk(arriving, **more):
    return from_data({"horizon": "1d", "agents": {"all": POOL}, "arrivals": arriving, **more})


@SETTINGS
@given(scenarios(), st.floats(0, 1), st.floats(0, 1))
def test_the_expectation_is_the_mean_of_many_draws(scenario, one, other):
    start_s, end_s = sorted([one * scenario.horizon, other * scenario.horizon])
    counts = np.array([
        np.diff(np.searchsorted(draw(scenario, k).arrived_s, [start_s, end_s]))[0]
        for k in range(120)
    ])  # fmt: skip
    found = expected(scenario).between(start_s, end_s)
    # Rare bursts are seldom seen, so the spread is also that of the expectation; evenly spaced
    # tickets are whole.
    spread = max(counts.std(), np.sqrt(found))
    even = 1.0 if scenario.arrivals.kind == "constant" else 0.0
    assert counts.mean() == pytest.approx(found, abs=5 * spread / np.sqrt(120) + even + 1e-6)


@SETTINGS
@given(arrivals(30), st.sampled_from([60.0, H, 5 * H, DAY]))
def test_the_busiest_time_is_found(section, length_s):
    scenario = desk(section, horizon="30h", start="2026-01-05")
    found = expected(scenario)
    start_s, most = found.busiest(length_s)
    assert found.between(start_s, start_s + length_s) == pytest.approx(most)
    for at in np.linspace(0, 30 * H - length_s, 200):
        assert found.between(at, at + length_s) <= most + 1e-6


def test_counts_of_surges_calendars_and_traces():
    surge = {"start": "0s", "length": "1d", "factor": 10.0}
    assert expected(desk({"rate": "10/h", "surges": [surge]})).between(0, DAY) == 2400
    week = {"kind": "hourly", "rate": "40/h", "week": {"days": [1, 1, 1, 1, 1, 0, 0]}}
    assert expected(desk(week, start="2026-01-04")).between(0, DAY) == 0
    trace = {"kind": "trace", "trace": str(DATA / "trace.csv")}
    for scale in (0.0, 0.5, 1.0, 2.3):
        found = expected(desk({**trace, "scale": scale}, start="2026-01-05")).between(0, DAY)
        assert found == pytest.approx(60 * scale)
    shipped = twin.load("scenarios/black-friday.toml")
    assert expected(shipped).between(0, shipped.horizon) == pytest.approx(17_404, abs=1)


PROFILE = {"accuracy": 0.7, "quality": 0.6, "error_rate": 0.4}
TWO = {
    "a": {"heads": 900, "skills": ["A"], "handle_time": "10min", "triage_time": "1min"},
    "b": {"heads": 900, "skills": ["B", "C"], "handle_time": "4min", "review_time": "2min"},
}


@pytest.mark.parametrize(
    "assistant",
    [
        {"role": "off"},
        {"role": "triage", "confidence_threshold": 0.6},
        {"role": "full"},
        {"role": "full", "confidence_threshold": 0.7, "human_categories": ["A"]},
        {"role": "full", "review_categories": ["*"]},
        {"role": "full", "confidence_threshold": 0.7, "unsure": "handle"},
    ],
)
@pytest.mark.parametrize("max_reopens", [0, 1, 3])
def test_work_is_that_of_a_run_in_which_all_of_it_is_done(assistant, max_reopens):
    if assistant["role"] != "off":
        assistant = {**assistant, "backend": "profile", "profile": PROFILE}
    scenario = from_data({
        "horizon": "8d",
        "arrivals": {"rate": "60/h", "surges": [{"start": "3d", "length": "5d", "factor": 0.0}]},
        "tickets": {"category_mix": {"A": 3, "B": 2, "C": 1}},
        "assistant": assistant,
        "provider": {"plan": "unlimited", "retries": 1},
        "agents": TWO,
        "customers": {"max_reopens": max_reopens, "reopen_rate": 0.9, "reopen_delay": "4h",
                      "solved": {"agent": 0.6}},
    })  # fmt: skip
    work, total, tickets = None, 0.0, 0
    for k in range(3):
        log = twin.play(scenario, k).log
        demand = draw(scenario)
        work = workload(scenario, demand, known_habits(scenario, demand))
        total += float((log.visits["ended_s"] - log.visits["started_s"]).sum())
        tickets += len(log.tickets)
    # About 13,000 tickets, whose work varies by about its mean.
    assert work.ticket_s == pytest.approx(total / tickets, rel=0.03)
    assert (work.returns_s > 0) == (max_reopens > 0)


def test_work_that_embedded_leaves_is_known_before_the_run():
    base = twin.load("scenarios/baseline.toml")
    demand = draw(base)
    work = workload(base, demand, known_habits(base, demand))
    busy = work.busy(0.0, base.horizon)
    log = twin.play(base, 0).log
    # Returns are counted as if they came at once: those of the last days come after the run.
    assert busy == pytest.approx(
        float((log.visits["ended_s"] - log.visits["started_s"]).sum()) / base.horizon, rel=0.15
    )
    triage = base.vary({"assistant.role": "triage"})
    alone = workload(base, demand).busy(0.0, base.horizon)
    sorted_only = workload(triage, demand, known_habits(triage, demand))
    assert busy < 0.5 * alone
    # An assistant that only sorts spares agents little, and sends some to the wrong pool.
    assert sorted_only.busy(0.0, base.horizon) == pytest.approx(alone, rel=0.05)


def test_days_with_too_much_work_for_an_embedded_assistant_are_told():
    told = "\n".join(twin.explain(twin.load("scenarios/black-friday.toml")))
    assert "Warning: more work than staff on 4 days, most on Friday 27 November" in told
    assert "without the assistant" in told
    assert "always right" not in told


def told(data):
    return "\n".join(twin.explain(from_data(data)))


def test_a_day_and_an_hour_of_too_much_work_are_named():
    base = {"horizon": "1w", "agents": {"all": POOL}, "arrivals": {"rate": "20/h"}}
    assert "more work than staff" not in told(base)
    day = {"rate": "20/h", "surges": [{"start": "2d", "length": "1d", "factor": 2.0}]}
    said = (
        "more work than staff on 1 day, most on Wednesday 7 January (3.53 agents busy, 3 staffed)"
    )
    assert said in told({**base, "arrivals": day})
    hour = {"rate": "20/h", "surges": [{"start": "33h", "length": "2h", "factor": 3.0}]}
    said = "more work than staff in 2 hours, most from Tuesday 6 January 09:00 (5.3 agents busy"
    assert said in told({**base, "arrivals": hour})
    all_day = {"rate": "10/h", "surges": [{"start": "0s", "length": "1d", "factor": 10.0}]}
    text = told({**base, "horizon": "1d", "arrivals": all_day})
    assert "About 2,400 tickets (100 an hour)" in text
    assert (
        "Work: 8.83 agents would be busy on average (6 % of it on returns); 3 are staffed" in text
    )
    assert "so the queue grows for as long as it runs" in text


def test_quotas_are_held_against_the_busiest_minute_and_day():
    surge = {"start": "8h", "length": "2h", "factor": 120.0}
    data = {"horizon": "2d", "arrivals": {"rate": "10/h", "surges": [surge]},
            "assistant": {"backend": "profile"}, "provider": {"plan": "free"}}  # fmt: skip
    text = told(data)
    assert "40 calls in the busiest minute (from Monday 5 January 08:00) against 30" in text
    assert "5,240 calls in the busiest 24 hours" in text
    assert "calls will wait" not in told({**data, "arrivals": {"rate": "10/h"}})


def test_a_week_in_which_the_clocks_change_is_told_as_people_count():
    shift = {"start": "23:00", "end": "24:00", "heads": 1}
    data = {"start": "2026-10-25", "time_zone": "Europe/London", "horizon": "7d",
            "arrivals": {"rate": "10/h"},
            "agents": {"a": {"shifts": [shift], "handle_time": "3min", "cost": 10}}}  # fmt: skip
    text = told(data)
    assert "Pool a: 7 agent hours a week, $70 a week" in text
    assert (
        'ends not at midnight but on Saturday 31 October 23:00 (at midnight with horizon = "169h")'
        in text
    )
    whole = told({**data, "horizon": "169h"})
    assert "ends not" not in whole
    assert "7 agent hours" in whole
    spring = told({**data, "start": "2026-03-29"})
    assert "7 agent hours" in spring
    assert 'Sunday 5 April 01:00 (at midnight with horizon = "167h")' in spring
    assert "clocks" not in told({**data, "start": "2026-11-25"})


def test_only_texts_that_customers_send_are_counted(tmp_path):
    rows = [f"text {k},{'AB'[k % 2]},{'desk' if k < 30 else 'train'}" for k in range(330)]
    file = tmp_path / "corpus.csv"
    file.write_text("text,category,split\n" + "\n".join(rows) + "\n")
    data = json.loads(desk({"rate": "1/h"}, tickets={"corpus": str(file)}).model_dump_json(
        exclude_unset=True))  # fmt: skip
    assert "30 texts of the corpus are sent" in told(data)
    data["tickets"]["category_mix"] = {"A": 1}
    assert "15 texts of the corpus are sent" in told(data)


def test_work_takes_in_the_level_and_growth_of_handle_times():
    pool = {"heads": 20, "handle_time": "10min", "handle_scale": 1.5, "handle_growth": 0.2}
    customers = {"reopen_rate": 0.0}
    scenario = desk({"rate": "6/h"}, agents={"all": pool}, horizon="28d", customers=customers)
    found = workload(scenario, draw(scenario)).busy(0.0, scenario.horizon)
    # The mean of 1.2 to the week over four weeks.
    assert found == pytest.approx(1.5 * (1.2**4 - 1) / (4 * np.log(1.2)))
    played = [
        twin.play(scenario, k).log.visits[["started_s", "ended_s"]].diff(axis=1)["ended_s"].sum()
        for k in range(3)
    ]
    assert np.mean(played) / scenario.horizon == pytest.approx(found, rel=0.03)
    # Growth of load and of work together: the late tickets are the long ones, and more.
    both = scenario.vary({"arrivals.growth": 0.3})
    played = [
        twin.play(both, k).log.visits[["started_s", "ended_s"]].diff(axis=1)["ended_s"].sum()
        for k in range(3)
    ]
    found = workload(both, draw(both)).busy(0.0, both.horizon)
    assert np.mean(played) / scenario.horizon == pytest.approx(found, rel=0.03)


def test_growth_mix_by_hour_and_patience_by_kind_are_told():
    told = " ".join(
        twin.explain(
            desk(
                {"rate": "6/h", "growth": -0.02,
                 "busyness": {"cv": 0.2, "part_cv": 0.3, "part": "2h"}},
                tickets={"category_mix": {"Login": 1, "Other": 1},
                         "category_hours": {"Login": [0.5] * 24}},
                agents={"all": POOL | {"handle_scale": 2.0, "handle_growth": 0.01}},
                customers={"patience": "1h", "patience_by_priority": {"urgent": "5min"}},
            )
        )
    )  # fmt: skip
    for words in (
        "; 2 % less load each week",
        "; some days busier than others (cv 0.2), parts of 2 h too (cv 0.3)",
        "They are of 2 categories in a mix that differs by hour, without texts.",
        ", 1 % more work a ticket each week, takes everything, 10 min a ticket on average.",
        "Customers wait for an agent 1 h on average before they give up (by kind: urgent 5 min);",
    ):
        assert words in told
