"""`twin validate` and the sanity that every run carries: right desks pass, wrong figures do not."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from handmade import run_log, timeline, visit
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.experiments import validate
from twin.measures import sanity
from twin.measures.theory import erlang_a, erlang_bounds, erlang_c, erlang_c_wait
from twin.records.tables import Columns

DESK = {
    "name": "desk",
    "horizon": "5d",
    "replications": 4,
    "arrivals": {"rate": "9/h"},
    "agents": {
        "all": {"heads": 2, "handle_time": {"distribution": "exponential", "mean": "10min"}}
    },
    "customers": {"solved": {"agent": 1.0}},
}


@pytest.fixture
def short(monkeypatch):
    """Two cases only, each of them short."""
    chosen = [
        replace(case, data={**case.data, "horizon": "3d", "warm_up": "12h", "replications": 4})
        for case in validate.cases()
        if case.name == "M/M/3" or case.name.startswith("Erlang A")
    ]
    monkeypatch.setattr(validate, "cases", lambda: chosen)
    return chosen


def test_the_twin_agrees_with_theory(short):
    found = validate.validate()
    assert found["ok"].all()
    assert (found["low"] <= found["expected"]).all()
    assert list(dict.fromkeys(found["case"])) == [case.name for case in short]


def test_some_cases_are_played_as_they_are_among_all(short):
    found = validate.validate(only="erlang a")
    both = validate.validate()
    pd.testing.assert_frame_equal(
        found.drop(columns=["low", "high", "precision", "ok"]),
        both[both["case"].str.startswith("Erlang A")]
        .reset_index(drop=True)
        .drop(columns=["low", "high", "precision", "ok"]),
    )
    none = CliRunner().invoke(app, ["validate", "--only", "M/M/17"])
    assert none.exit_code == 2
    assert "--only: no case has 'M/M/17' in its name; the cases are: M/M/3; " in none.stderr


def test_a_wrong_answer_is_found_and_the_command_fails(short, monkeypatch):
    words = ["validate", "--workers", "1", "--quiet"]
    good = CliRunner().invoke(app, words)
    assert good.exit_code == 0, good.output
    assert "agree" in good.stdout
    wrong = [
        replace(case, answers={key: value * 1.4 for key, value in case.answers.items()})
        for case in short
    ]
    monkeypatch.setattr(validate, "cases", lambda: wrong)
    bad = CliRunner().invoke(app, words)
    assert bad.exit_code == 1
    assert "DIFFERS" in bad.stdout
    data = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert not all(row["ok"] for row in data)


def test_every_case_is_a_scenario_and_has_luck_of_its_own():
    given = validate.cases()
    assert len({case.data["name"] for case in given}) == len(given) == 34
    for seed, case in enumerate(given):
        assert case.scenario(seed).seed == seed
        assert case.answers


@pytest.mark.slow
def test_all_cases_agree():
    assert validate.validate(workers=2)["ok"].all()


def test_every_run_carries_its_sanity(tmp_path):
    results = twin.run(twin.from_data(DESK), out=tmp_path)
    table = results.sanity()
    assert table["ok"].all()
    assert list(table["check"]) == [
        "conservation",
        "Little's law, open tickets",
        "Little's law, queue",
        "Little's law, busy all",
        "Erlang bound, agent_wait_share",
        "Erlang bound, agent_wait_mean",
    ]
    assert set(table["replications"]) == {4}
    opened = twin.open_results(results.paths[0])
    pd.testing.assert_frame_equal(opened.sanity(), table)
    pd.testing.assert_frame_equal(opened.table("sanity"), results.table("sanity"))
    assert len(results.table("sanity")) == 4 * 4


def test_checks_of_a_good_log_hold_and_of_a_broken_one_do_not():
    agents = {"front": DESK["agents"]["all"]}
    scenario = twin.from_data({**DESK, "horizon": "100s", "agents": agents})
    tickets = [{"arrived_s": 10.0, "status": "Resolved", "resolved_s": 60.0}, {"arrived_s": 50.0}]
    log = run_log(
        100.0,
        tickets=tickets,
        timeline=[*timeline(1, (10, "Open"), (60, "Resolved")), *timeline(2, (50, "Open"))],
        visits=[visit(1, 10, 20, 60, "done", pool="front"), visit(2, 50)],
    )
    good = sanity.sanity(log, scenario)
    assert good["ok"].all()
    assert sanity.faults(good, 0) == []
    # A ticket that the timeline lost.
    lost = replace(log, timeline=log.timeline.iloc[:2])
    bad = sanity.sanity(lost, scenario).set_index("check")
    assert not bad.loc["conservation", "ok"]
    (sentence, *_) = sanity.faults(bad.reset_index(), 3)
    assert sentence.startswith("replication 3: conservation does not hold: expected 2, found 1")


def test_the_worst_replication_is_shown():
    rows = [("a", 0, "x", 1.0, 1.0, 1), ("a", 1, "x", 1.0, 3.0, 0), ("a", 2, "x", 1.0, 2.0, 0),
            ("a", 0, "y", 5.0, 5.0, 1), ("b", 0, "x", 7.0, 7.0, 1)]  # fmt: skip
    columns = ["scenario", "replication", "check", "expected", "found", "ok"]
    found = sanity.overall(pd.DataFrame(rows, columns=columns))
    assert found.to_dict("list") == {
        "scenario": ["a", "a", "b"],
        "check": ["x", "y", "x"],
        "replications": [3, 1, 1],
        "expected": [1.0, 5.0, 7.0],
        "found": [3.0, 5.0, 7.0],
        "ok": [False, True, True],
    }


def test_a_run_that_does_not_add_up_says_so(monkeypatch):
    def broken(log, scenario):
        checks = sanity.checked(log, scenario)
        return Columns(checks, ok=np.zeros(len(checks["ok"]), np.int8))

    monkeypatch.setattr("twin.experiments.replication.checked", broken)
    results = twin.run(twin.from_data(DESK), replications=1)
    assert any("replication 0: conservation does not hold" in note for note in results.notes)
    assert not results.sanity()["ok"].iloc[0]


def test_waits_above_the_bound_fail():
    waits = pd.DataFrame(
        {
            "scenario": "a",
            "replication": range(5),
            "kpi": "agent_wait_mean",
            "group": "",
            "unit": "s",
            "numerator": [10.0, 11, 12, 11, 10],
            "denominator": 1.0,
        }
    )
    assert not sanity.erlang(waits, "a", {"agent_wait_mean": 5.0})["ok"].iloc[0]
    assert sanity.erlang(waits, "a", {"agent_wait_mean": 10.0})["ok"].iloc[0]
    assert sanity.erlang(waits.head(1), "a", {"agent_wait_mean": 5.0})["ok"].iloc[0]


def test_where_a_bound_of_erlang_applies():
    desk = twin.from_data(DESK)
    assert erlang_bounds(desk) == {
        "agent_wait_share": pytest.approx(erlang_c(2, 1.5)),
        "agent_wait_mean": pytest.approx(erlang_c_wait(2, 1.5, 600)),
    }
    patient = {"customers.patience": {"distribution": "exponential", "mean": "5min"}}
    share, _, _, wait = erlang_a(2, 9 / 3600, 600, 300)
    assert erlang_bounds(desk.vary(patient)) == {
        "agent_wait_share": pytest.approx(share),
        "agent_wait_mean": pytest.approx(wait),
    }
    for changes in (
        {"agents.all.heads": 1},
        {"agents.all.handle_time": "5min"},
        {"customers.solved.agent": 0.9},
        {"arrivals.bursts": {"factor": 2.0, "mean_quiet": "1h", "mean_burst": "1h"}},
        {"arrivals.kind": "constant"},
        {"customers.patience": "5min"},
        {"assistant.role": "triage", "assistant.backend": "profile"},
    ):
        assert erlang_bounds(desk.vary(changes)) == {}, changes
    assert erlang_bounds(desk.vary({"customers.solved.agent": 0.9, "customers.reopen_rate": 0.0}))


def test_erlang_a_of_large_desks_does_not_overflow():
    share, abandoned, occupancy, wait = erlang_a(2000, 700, service=3, patience=5)
    assert 0 < share < 1
    assert 0.04 < abandoned < 0.06
    assert 0.99 < occupancy < 1
    assert wait == pytest.approx(abandoned * 5)
