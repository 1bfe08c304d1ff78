"""A change that a history holds, predicted from the days before it and scored against those after.

The desk is planted, so it is known which prediction is right. `python tests/test_change.py N`
prints how often verdicts are wrong over N histories each (2 s a history); the rates are quoted in
`tests/benchmarks/README.md`.
"""

import json
import sys
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.common.toml import dump
from twin.history.fidelity.change import AS_PREDICTED, OFF, UNKNOWN, _verdict, back_test
from twin.history.fidelity.records import Records

AT, DAYS = "2026-01-11", 12
SHIFT = {"days": "daily", "start": "08:00", "end": "16:30", "heads": 2}
DESK = {
    "name": "calls",
    "horizon": f"{DAYS}d",
    "arrivals": {
        "kind": "hourly",
        "rate": "5/h",
        "week": {"hours": [0] * 8 + [1] * 8 + [0] * 8},
        "busyness": {"cv": 0.1},
    },
    "customers": {
        "patience": {"distribution": "exponential", "mean": "6min"},
        "survey_rate": 0.0,
        "solved": {"agent": 1.0},
    },
    "agents": {
        "front": {
            "shifts": [SHIFT],
            "handle_time": {"distribution": "exponential", "mean": "5min"},
        }
    },
}
# Twins: the change as it was, another one, none worth the name.
LESS = {"agents.front.extra_heads": -1}


def planted(folder, number, heads_after):
    """A history in which the heads change on a day."""
    first = date(2026, 1, 5)
    at = date.fromisoformat(AT)
    rows = [
        (day.isoformat(), "08:00", "16:30", 2 if day < at else heads_after)
        for day in (first + timedelta(days=k) for k in range(DAYS))
    ]
    roster = Path(folder) / f"roster-{number}.csv"
    pd.DataFrame(rows, columns=["date", "start", "end", "heads"]).to_csv(roster, index=False)
    data = {**DESK, "seed": 4000 + number}
    pool = {"roster": str(roster), "handle_time": DESK["agents"]["front"]["handle_time"]}
    desk = twin.from_data({**data, "agents": {"front": pool}})
    return Records(twin.simulate(desk, twin.draw(desk)), desk)


def outcome(changes, real, runs=5, seed=1, base=DESK):
    desk = twin.from_data({**base, "seed": seed})
    return back_test(desk, desk.vary(changes, name="change"), real, AT, runs=runs)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("roster"), 0, 1)


@pytest.fixture(scope="module")
def right(real):
    return outcome(LESS, real)


def test_the_right_change_is_as_predicted_and_needed(right):
    assert right.as_predicted
    assert right.needed
    table = right.table.set_index("figure")
    assert set(table.index) == {
        "wait_mean", "waiting_share", "abandoned_share", "handle_mean", "open_mean",
    }  # fmt: skip
    row = table.loc["abandoned_share"]
    assert row["real"] > 0.05
    assert row["predicted"] == pytest.approx(row["real"], abs=0.08)
    assert row["predicted_low"] < row["predicted"] < row["predicted_high"]
    assert row["real_low"] < row["real"] < row["real_high"]
    assert row["miss_low"] < 0 < row["miss_high"]
    assert row["without"] == pytest.approx(0.0, abs=0.03)
    assert row["without_low"] > 0
    # Handle times did not change, and nobody says they did.
    assert not table.loc["handle_mean", "needed"]
    assert right.before == "2026-01-05 to 2026-01-10 (6 days)"
    assert right.sentences()[0] == "The change: agents.front.extra_heads = -1 (was 0)."
    assert right.sentences()[1].startswith("What happened is as predicted, and not explained")


def test_a_change_that_did_something_else_is_not_as_predicted(real):
    found = outcome({"agents.front.extra_heads": 1}, real)
    assert not found.as_predicted
    assert found.sentences()[1].startswith("What happened is not as predicted: mean wait (real +")


def test_where_nothing_changed_the_control_is_right(tmp_path):
    same = planted(tmp_path, 0, 2)
    found = outcome(LESS, same)
    assert not found.as_predicted
    assert not found.needed
    assert found.sentences()[-1] == "The twin without the change comes nearer."
    small = replace(found, table=found.table.assign(verdict="as predicted"))
    assert small.as_predicted
    assert "these days are no test" in small.sentences()[1]


def test_a_twin_that_is_off_before_and_after_alike_may_predict_the_change(real):
    """An error before and after alike is not in the difference."""
    slow = {**DESK, "agents": {"front": DESK["agents"]["front"] | {"handle_scale": 1.05}}}
    found = outcome(LESS, real, base=slow)
    handle = found.table.set_index("figure").loc["handle_mean"]
    assert handle["verdict"] == "as predicted"
    assert abs(handle["miss"]) < 15


def test_versions_widen_what_is_predicted(right, real, tmp_path):
    from test_uncertainty import versions_file

    work = [270.0 + 5 * k for k in range(12)]
    file = versions_file(
        tmp_path / "versions.json",
        ("agents/front/handle_time/mean", "5min", [f"{mean}s" for mean in work]),
    )
    base = {**DESK, "uncertainty": {"file": file}}
    wide = outcome(LESS, real, runs=8, base=base).table.set_index("figure").loc["wait_mean"]
    plain = right.table.set_index("figure").loc["wait_mean"]
    assert wide["predicted_high"] - wide["predicted_low"] > (
        plain["predicted_high"] - plain["predicted_low"]
    )


def test_ranges_do_not_change_the_tickets_that_came(right, real):
    base = {**DESK, "uncertainty": {"assumed": {"arrivals.scale": [0.4, 1.6]}}}
    found = outcome(LESS, real, base=base)
    pd.testing.assert_frame_equal(found.table, right.table)


def test_what_has_no_interval_is_not_judged(right):
    assert _verdict(0.1, float("nan")) == UNKNOWN
    assert _verdict(float("nan"), 1.0) == UNKNOWN
    assert (_verdict(2.0, 1.0), _verdict(-0.5, 1.0)) == (OFF, AS_PREDICTED)
    for table in (right.table.assign(verdict=UNKNOWN), right.table.head(0)):
        nothing = replace(right, table=table)
        assert not nothing.as_predicted
        assert (
            nothing.sentences()[1] == "What happened cannot be judged: no figure has an interval."
        )


def test_versions_and_ranges_take_more_runs(real, tmp_path):
    ranges = {"assumed": {"agents.front.handle_scale": [0.9, 1.1]}}
    outcome(LESS, real, runs=5, base={**DESK, "uncertainty": ranges})
    from test_uncertainty import versions_file

    both = {"file": versions_file(tmp_path / "v.json", ("arrivals/scale", 1.0, [0.9, 1.1]))}
    with pytest.raises(ValueError, match="takes at least 8 runs"):
        outcome(LESS, real, runs=7, base={**DESK, "uncertainty": ranges | both})


def test_faults(real):
    desk = twin.from_data(DESK)
    less = desk.vary(LESS, name="less")
    for at, said in (
        ("2026-01-07", "2 whole days with data lie before it; 4 are needed"),
        ("2026-01-15", "whole days with data lie from it; 4 are needed"),
        ("yesterday", "is no day"),
    ):
        with pytest.raises(ScenarioError, match=said):
            back_test(desk, less, real, at)
    with pytest.raises(ScenarioError, match="changes nothing"):
        back_test(desk, desk.vary({}, name="same"), real, AT)


def test_the_command(tmp_path, monkeypatch):
    from twin.history.fidelity import change

    monkeypatch.setattr(change, "RUNS", 5)
    real = planted(tmp_path, 0, 1)
    run = twin.run(real.desk, replications=1, out=tmp_path / "results")
    (tmp_path / "desk.toml").write_text(dump({**DESK, "start": "2026-02-02"}))
    (tmp_path / "less.toml").write_text(
        'extends = "desk.toml"\narrivals.scale = 1.1\n[agents.front]\nextra_heads = -1\n'
    )
    words = ["fidelity", str(tmp_path / "desk.toml"), str(run.paths[0])]
    words += ["--change", str(tmp_path / "less.toml"), "--at", AT, "--workers", "1"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert "What happened is as predicted" in told.stdout
    assert "if it was calibrated to the days before, it knows" in told.stderr
    assert "Not tested, as the tickets come when they came: arrivals.scale" in told.stderr
    told = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(told.stdout)["as_predicted"] is True
    for odd in (words[:5], [*words, "--test", AT]):
        assert CliRunner().invoke(app, odd).exit_code == 2


def study(changes, heads_after, number):
    with tempfile.TemporaryDirectory() as folder:
        found = [
            outcome(changes, planted(folder, k, heads_after), runs=10, seed=9000 + k)
            for k in range(number)
        ]
    rows = [{"as predicted": one.as_predicted, "needed": one.needed} for one in found]
    return pd.DataFrame(rows).mean()


@pytest.mark.slow
def test_verdicts_are_as_often_right_as_said():
    right = study(LESS, 1, 100)
    # 95 of 100, less 2.5 standard errors of 100.
    assert right["as predicted"] >= 0.95 - 2.5 * (0.95 * 0.05 / 100) ** 0.5
    assert right["needed"] >= 0.95
    wrong = study(LESS, 2, 40)
    assert wrong["as predicted"] <= 0.05
    assert wrong["needed"] <= 0.05 + 2.5 * (0.95 * 0.05 / 40) ** 0.5


if __name__ == "__main__":
    count = int(sys.argv[1])
    print("one agent less, as predicted:", dict(study(LESS, 1, count)), flush=True)
    print("no change, one agent less predicted:", dict(study(LESS, 2, count)), flush=True)
    print(
        "one agent less, half as much work more predicted:",
        dict(study({"agents.front.handle_scale": 1.5}, 1, count)),
    )
