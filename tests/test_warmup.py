"""Warm-up: MSER-5 by hand and on series that are known, Welch's average, desks, the command."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.experiments.warmup import cycle, warm_up
from twin.stats.mser import mser5, settling, smooth

DESK = {
    "horizon": "4d",
    "arrivals": {"rate": "10/h"},
    "agents": {
        "all": {"heads": 3, "handle_time": {"distribution": "exponential", "mean": "15min"}}
    },
}
SHIFTS = [{"start": "08:00", "end": "18:00", "heads": 3}]
WEEKDAYS = [{**SHIFTS[0], "days": "Mon-Fri"}]


def frame(values, every_s=3600.0):
    times = np.arange(len(values)) * every_s
    return pd.DataFrame({"time_s": times, "numerator": values, "denominator": 1.0})


def test_mser_by_hand():
    means = np.array([0.0, 10, 9, 11, 10, 9, 10, 11, 10, 10])
    cut, statistic = mser5(np.repeat(means, 5))
    by_hand = [((means[d:] - means[d:].mean()) ** 2).sum() / (10 - d) ** 2 for d in range(6)]
    assert statistic == pytest.approx(by_hand)
    assert cut == 5 * int(np.argmin(by_hand)) == 5


def test_missing_points_are_left_out_of_their_batch():
    values = np.repeat([0.0, *[5.0, 7.0] * 6], 5)
    holes = values.copy()
    holes[[3, 12, 40]] = np.nan
    assert mser5(holes)[0] == mser5(values)[0] == 5
    assert mser5(holes)[1] == pytest.approx(mser5(values)[1])


def test_a_series_without_a_start_up_is_not_cut_and_a_drifting_one_not_settled():
    assert mser5(np.ones(100))[0] == 0
    assert mser5(np.tile([1.0, 2, 3, 2, 1], 30))[0] == 0
    assert mser5(np.arange(500.0))[0] == -1
    with pytest.raises(ValueError, match="at least 50"):
        mser5(np.ones(49))
    with pytest.raises(ValueError, match="with data"):
        mser5([1.0] * 20 + [math.nan] * 80)


def test_the_start_up_of_a_known_series_is_found():
    generator = np.random.default_rng(1)
    times = np.arange(1000)
    cuts = [
        mser5(10 * (1 - np.exp(-times / 40)) + generator.normal(size=1000))[0] for _ in range(100)
    ]
    # By 80 points the bias is 1.4, by 250 it is 0.02: a fiftieth of the noise of one point.
    assert 80 <= np.median(cuts) <= 250
    assert np.mean(np.array(cuts) >= 60) > 0.95


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40), st.integers(0, 12))
def test_welchs_average_is_the_mean_of_its_window(values, width):
    values = np.array(values)
    found = smooth(values, width)
    for i in range(len(values)):
        if i >= len(values) - width:
            assert math.isnan(found[i])
        else:
            reach = min(i, width)
            mean = values[i - reach : i + reach + 1].mean()
            assert found[i] == pytest.approx(mean, rel=1e-6, abs=1e-6)


def test_replications_are_pooled_and_the_plot_has_its_columns():
    values = np.concatenate([np.linspace(0, 4, 20), np.tile([4.0, 5.0], 90)])
    points = pd.concat([frame(values + 1), frame(values - 1)])
    found = settling(points, 3600.0)
    assert found.frame["mean"].to_numpy() == pytest.approx(values)
    assert list(found.frame) == ["time_s", "mean", "smoothed", "suggestion"]
    assert set(found.frame["suggestion"]) == {found.suggestion_s}
    assert 15 * 3600 <= found.suggestion_s <= 25 * 3600
    assert found.before < 4 < found.usual


def test_hours_that_differ_are_compared_with_their_own_kind():
    # A day of 24 different hours; the first two days are half empty.
    day = np.sin(np.arange(24) / 24 * 2 * np.pi) * 5 + 10
    generator = np.random.default_rng(2)
    values = np.tile(day, 28) + generator.normal(scale=0.5, size=28 * 24)
    values[:48] /= 2
    found = settling(frame(values), 3600.0, 86400.0)
    assert found.suggestion_s == 2 * 86400
    assert found.usual == pytest.approx(10, abs=0.2)
    assert found.before == pytest.approx(5, abs=0.2)
    # Without being told of days it sees swings, not a start-up of two days.
    with pytest.raises(ValueError, match="three cycles"):
        settling(frame(values), 3600.0, 604800.0 * 2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 0.0),
        ({"agents.all.heads": None, "agents.all.shifts": SHIFTS}, 86400.0),
        ({"agents.all.heads": None, "agents.all.shifts": WEEKDAYS}, 604800.0),
        ({"arrivals": {"kind": "hourly", "rate": "9/h", "week": {"hours": [*range(24)]}}}, 86400.0),
        ({"arrivals": {"kind": "hourly", "rate": "9/h", "week": {"days": [*range(7)]}}}, 604800.0),
    ],
)  # fmt: skip
def test_the_cycle_of_a_desk(changes, expected):
    data = {**DESK, "agents": {"all": dict(DESK["agents"]["all"])}}
    for key, value in changes.items():
        *path, last = key.split(".")
        section = data
        for name in path:
            section = section[name]
        section[last] = value
    data["agents"]["all"] = {k: v for k, v in data["agents"]["all"].items() if v is not None}
    assert cycle(twin.from_data(data)) == expected


def test_a_desk_from_empty_settles_and_nothing_is_applied():
    desk = twin.from_data({**DESK, "warm_up": "1h"})
    found = warm_up(desk, replications=8)
    assert 0 < found.suggestion_s <= 0.4 * desk.horizon
    assert found.own_s == desk.warm_up == 3600
    assert found.horizon_s == desk.horizon
    assert "shorter" in found.reason
    table = found.table().set_index("figure")
    assert list(table.index) == ["backlog", "queue", "first_response_mean"]
    assert table.loc["backlog", "before"] < table.loc["backlog", "usual"]
    covered = warm_up(desk.vary({"warm_up": "3d"}), replications=8)
    assert covered.suggestion_s == found.suggestion_s
    assert "covers" in covered.reason


def test_an_overloaded_desk_does_not_settle():
    found = warm_up(twin.from_data(DESK).vary({"agents.all.heads": 1}), replications=3)
    assert math.isnan(found.suggestion_s)
    assert "overloaded" in found.reason


def test_a_desk_with_shifts_is_played_for_whole_cycles():
    desk = twin.from_data({**DESK, "agents": {"all": {"shifts": SHIFTS, "handle_time": "5min"}}})
    found = warm_up(desk, replications=2)
    assert found.cycle_s == 86400
    assert found.horizon_s == 4 * 86400
    assert found.suggestion_s % 86400 == 0 or math.isnan(found.suggestion_s)
    with pytest.raises(ValueError, match="three cycles"):
        warm_up(desk, replications=2, horizon_s=2 * 86400)


def test_workers_change_nothing():
    desk = twin.from_data(DESK)
    one, two = warm_up(desk, 3), warm_up(desk, 3, workers=2)
    pd.testing.assert_frame_equal(one.table(), two.table())


def test_the_command_suggests(tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text(
        'horizon = "2d"\narrivals.rate = "10/h"\nagents.all = { heads = 2, handle_time = "8min" }\n'
    )
    words = ["warmup", str(path), "--replications", "3", "--workers", "1", "--quiet"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    assert "MSER-5 on 3 replications of 2 d" in found.stdout
    assert "own warm-up" in found.stdout
    data = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert {"suggestion_s", "own_s", "reason", "figures"} <= set(data)
    plot = tmp_path / "new" / "welch.svg"
    drawn = CliRunner().invoke(app, [*words, "--plot", str(plot)])
    assert f"Welch's plot: {plot}" in drawn.stdout
    assert plot.read_text().count("suggestion") >= 1
    bad = CliRunner().invoke(app, [*words, "--plot", str(tmp_path / "welch.doc")])
    assert bad.exit_code == 2
    assert "must end in .svg, .png, .pdf" in bad.stderr
    bad = CliRunner().invoke(app, [*words, "--horizon", "soon"])
    assert bad.exit_code == 2
    assert "duration" in bad.stderr


def test_nothing_to_play_is_told():
    with pytest.raises(ValueError, match="replications must be 1 or more"):
        warm_up(twin.from_data(DESK), replications=0)
