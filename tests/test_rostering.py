"""Agents needed by interval: by formulas, by the simulation, and the command that shows them."""

import math

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.experiments.rostering.needs import erlang_heads, promised
from twin.experiments.rostering.roster import roster
from twin.experiments.rostering.sample import count
from twin.experiments.rostering.week import Week, check_pool, staffed
from twin.experiments.rostering.written import save
from twin.measures.theory import erlang_a, erlang_a_level, erlang_c_level
from twin.scenario.calendars import staffing


def desk(**changes):
    hours = [0.0] * 9 + [1.0] * 8 + [0.0] * 7
    data = {
        "name": "phones",
        "start": "2026-01-05",
        "horizon": "2d",
        "arrivals": {"kind": "hourly", "rate": "10/h", "week": {"hours": hours}},
        "tickets": {"priority_mix": {"normal": 1}},
        "customers": {"patience": {"distribution": "exponential", "mean": "3min"}},
        "agents": {
            "front": {
                "shifts": [{"days": "daily", "start": "09:00", "end": "17:00", "heads": 3}],
                "handle_time": {"distribution": "exponential", "mean": "4min"},
            }
        },
        "targets": {"first_response": {"normal": "30s"}},
    }
    made = twin.from_data(data)
    return made.vary(changes, name="phones") if changes else made


@pytest.mark.parametrize(("servers", "rate", "patience"), [(10, 2.0, 6.0), (3, 0.9, 0.5)])
def test_erlang_a_level_between_its_ends(servers, rate, patience):
    """At once: all who need not wait; within any time: all who do not give up."""
    waits, gives_up, _, _ = erlang_a(servers, rate, 5.0, patience)
    assert erlang_a_level(servers, rate, 5.0, patience, 0.0) == pytest.approx(1 - waits)
    assert erlang_a_level(servers, rate, 5.0, patience, 1e5) == pytest.approx(1 - gives_up)


def test_erlang_a_level_of_endless_patience_is_erlang_c():
    assert erlang_a_level(12, 2.0, 5.0, 1e4, 0.3) == pytest.approx(
        erlang_c_level(12, 10.0, 5.0, 0.3), abs=1e-3
    )
    assert erlang_a_level(0, 2.0, 5.0, 1.0, 0.3) == 0.0


def test_erlang_a_level_by_its_transient_chain():
    """The chain of those ahead of a customer who waits, by its matrix exponential."""
    from scipy.linalg import expm

    servers, rate, service, patience, within = 4, 1.1, 3.0, 2.0, 0.7
    most = 60
    leave = [min(k, servers) / service + max(k - servers, 0) / patience for k in range(1, most)]
    weights = np.cumprod([1.0, *(rate / one for one in leave)])
    chance = weights / weights.sum()
    total = chance[:servers].sum()
    for ahead in range(most - servers):
        # States: ahead, ..., 0 others before them, then served, or given up.
        n = ahead + 1
        flow = np.zeros((n + 2, n + 2))
        for k in range(n):
            left = ahead - k
            flow[k, k + 1] = servers / service + left / patience
            flow[k, n + 1] += 1 / patience
            flow[k, k] = -flow[k].sum()
        total += chance[servers + ahead] * expm(flow * within)[0, n]
    assert erlang_a_level(servers, rate, service, patience, within) == pytest.approx(total)


def test_textbook_erlang_c():
    """100 calls an hour of 3 minutes, 80 % in 20 s: 8 agents."""
    assert erlang_heads(100 / 3600, 180.0, math.inf, ((20.0, 1.0),), 0.8) == 8
    assert erlang_heads(0.0, 180.0, math.inf, ((20.0, 1.0),), 0.8) == 0
    fewer = erlang_heads(100 / 3600, 180.0, 60.0, ((20.0, 1.0),), 0.8)
    assert fewer < 8
    assert erlang_a_level(fewer, 100 / 3600, 180.0, 60.0, 20.0) >= 0.8
    assert erlang_a_level(fewer - 1, 100 / 3600, 180.0, 60.0, 20.0) < 0.8


def test_heads_by_interval_are_read_back():
    week = Week(desk(horizon="7d"), 1800.0)
    rng = np.random.default_rng(3)
    heads = rng.integers(0, 4, week.size)
    made = staffed(week.scenario, "front", week.shifts(heads))
    assert Week(made, 1800.0).agents("front") == pytest.approx(heads)


def test_counts_agree_with_the_figures():
    one = desk()
    log = twin.simulate(one, twin.draw(one))
    counted = count(log, Week(one, 3600.0), "front")
    kpis = twin.measure(log, one).query("group == ''").set_index("kpi")
    level = kpis.loc["service_level"]
    assert (counted.kept.sum(), counted.judged.sum()) == (level.numerator, level.denominator)
    assert counted.came.sum() == len(log.visits)
    queue = log.visits
    nine = 9 * 3600.0
    there = (
        (queue["queued_s"] <= nine) & (queue["started_s"].fillna(queue["ended_s"]) > nine)
    ).sum()
    assert counted.waiting[9] == there
    busy = (queue["ended_s"] - queue["started_s"]).sum()
    assert counted.busy_s.sum() == pytest.approx(busy)


def test_beside_an_assistant_those_who_need_a_person_are_judged():
    """It answers most tickets whatever the roster is: by them nobody would be needed."""
    assistant = {"backend": "profile", "model": "openai/gpt-oss-20b",
                 "profile": {"accuracy": 0.9, "quality": 0.8}}  # fmt: skip
    one = desk(assistant=assistant, horizon="7d", **{"arrivals.rate": "30/h"})
    log = twin.simulate(one, twin.draw(one))
    counted = count(log, Week(one, 3600.0), "front")
    kpis = twin.measure(log, one).query("group == ''").set_index("kpi")
    level = kpis.loc["human_service_level"]
    assert (counted.kept.sum(), counted.judged.sum()) == (level.numerator, level.denominator)
    assert 0 < level.denominator < kpis.loc["service_level"].denominator
    found = roster(one, interval_s=4 * 3600.0, replications=2).needs
    assert found.table["simulated"].sum() > 0
    assert any("a person's reply to those who need one" in note for note in found.notes)


def test_a_steady_desk_needs_what_erlang_a_says():
    """Constant rate, around the clock, long intervals: the formula's own case."""
    steady = desk(
        **{
            "arrivals": {"rate": "60/h"},
            "warm_up": "1d",
            "horizon": "2d",
            "agents.front.shifts": [
                {"days": "daily", "start": "00:00", "end": "00:00", "heads": 6}
            ],
        }
    )
    found = roster(steady, interval_s=86400.0, replications=4)
    table = found.needs.table
    assert found.needs.met
    assert (table["simulated"] - table["erlang_a"]).abs().max() <= 1
    assert found.needs.handle_s == pytest.approx(240, rel=0.05)


def test_what_intervals_take_over_and_shrinkage_show():
    """A rush at ten of long calls: at eleven the agents are still busy with it."""
    rush = desk(
        **{
            "arrivals.week.hours": [0] * 9 + [1, 12, 1, 1, 1, 1, 1, 1] + [0] * 7,
            "arrivals.rate": "8/h",
            "agents.front.handle_time": "30min",
            "agents.front.shrinkage": 0.2,
        }
    )
    found = roster(rush, interval_s=3600.0, replications=3)
    table = found.needs.table.set_index(["day", "start"])
    eleven = table.loc[("Mon", "11:00")]
    assert eleven["rest"] > 3
    assert eleven["scheduled"] > eleven["erlang_a"]
    parts = table[["erlang_c", "patience", "shrinkage", "rest"]].sum(axis=1)
    assert (parts == table["simulated"]).all()


def test_promises_of_channels_go_before_those_of_priorities():
    tickets = {"priority_mix": {"urgent": 1, "normal": 3}, "channel_mix": {"mail": 3, "chat": 1}}
    targets = {"first_response": {"urgent": "1min", "normal": "5min"}}
    slow = {"first_response_by_channel": {"mail": "4h"}}

    def within(channels, **more):
        given = {"tickets": {**tickets, "channel_mix": channels}, "targets": targets | more}
        return dict(promised(twin.from_data(desk().as_data() | given)))

    assert within(tickets["channel_mix"]) == {60.0: 0.25, 300.0: 0.75}
    both = within(tickets["channel_mix"], **slow)
    assert both == pytest.approx({14400.0: 0.75, 60.0: 0.0625, 300.0: 0.1875})
    assert within({"mail": 1}, **slow) == {14400.0: 1.0}


@pytest.mark.parametrize("heads", [4, 8])
@pytest.mark.parametrize("slow_down", ["shared", "none"])
def test_tickets_in_hand_at_once_share_an_agent(heads, slow_down):
    """Chats that slow each other down take as much of an agent's time as calls; else a quarter."""
    data = {
        "horizon": "7d", "start": "2026-03-02", "arrivals": {"rate": "16/h"},
        "agents": {"all": {"heads": heads, "handle_time": "15min"}},
        "targets": {"first_response": {"normal": "2min"}},
    }  # fmt: skip
    chats = {"agents.all.concurrency": 4, "agents.all.slow_down": slow_down}
    one, several = (
        roster(twin.from_data(data).vary(changes), interval_s=86400.0, replications=2).needs
        for changes in ({}, chats)
    )
    whole = 4.0 if slow_down == "shared" else 1.0
    assert one.load.mean() == pytest.approx(4.0, rel=0.1)
    # Where agents rarely have several in hand, it looks like less than it is: no bound is too high.
    assert whole * 0.2 < several.load.mean() < whole * 1.15
    assert several.table["simulated"].max() <= one.table["simulated"].max()
    assert several.table["erlang_a"].max() <= one.table["erlang_a"].max()
    assert any("4 tickets in hand" in note for note in several.notes)


def test_the_same_seed_gives_the_same_needs():
    one = roster(desk(horizon="1d"), interval_s=14400.0, replications=2)
    two = roster(desk(horizon="1d"), interval_s=14400.0, replications=2, workers=2)
    pd.testing.assert_frame_equal(one.needs.table, two.needs.table)


@pytest.mark.parametrize(
    ("changes", "pool", "words"),
    [
        ({}, "back", "no pool is named"),
        ({"targets.first_response": {}}, None, "what is promised"),
        ({"agents.front.time_zone": "Asia/Tokyo"}, None, "time zone"),
    ],
)
def test_faults_are_told(changes, pool, words):
    with pytest.raises(ScenarioError, match=words):
        check_pool(desk(**changes), pool)


def test_a_failed_replication_is_told(monkeypatch):
    from twin.experiments.rostering import sample

    def fail(*args):
        raise KeyError("words of a customer")

    monkeypatch.setattr(sample, "simulate", fail)
    with pytest.raises(RuntimeError, match="KeyError in fail") as caught:
        roster(desk(), replications=2)
    assert "customer" not in str(caught.value)


def test_command(tmp_path):
    path = tmp_path / "phones.toml"
    import tomli_w

    data = desk(horizon="1d").as_data()
    path.write_text(tomli_w.dumps({k: v for k, v in data.items() if v is not None}))
    args = ["roster", str(path), "--interval", "4h", "--replications", "2", "--workers", "1"]
    ran = CliRunner().invoke(app, [*args, "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    assert "answers 80 % in time" in ran.output
    needs = pd.read_csv(tmp_path / "out" / "needs.csv")
    assert {"agents", "erlang_a", "simulated", "rest"} <= set(needs)
    page = (tmp_path / "out" / "roster.html").read_text()
    assert page.count("<svg ") == 2
    assert "phones" in page or "front" in page
    bad = CliRunner().invoke(app, ["roster", str(path), "--at-least", "120%"])
    assert bad.exit_code == 2


def test_files_hold_no_formulas(tmp_path):
    found = roster(desk(horizon="1d"), interval_s=14400.0, replications=2)
    (needs, page) = save(found, tmp_path / "a" / "b", "<p>")
    assert page.read_text() == "<p>"
    assert needs.read_text().startswith("day,start,end,agents,")


def test_staffed_replaces_every_other_calendar():
    one = desk(**{"agents.front.extra_heads": 4})
    made = staffed(one, "front", [])
    assert staffing(made.agents["front"], made).values.max() == 0
