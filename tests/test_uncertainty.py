"""Intervals hold the numbers that a history leaves open, and those that are assumed.

The share of intervals that hold the truth is measured in `tests/test_uncertainty_study.py`.
"""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.errors import DamagedFile, ScenarioError
from twin.common.files import write_sealed
from twin.experiments.versions import as_played, read, spend
from twin.measures.theory import erlang_bounds
from twin.stats.intervals import quantile_t
from twin.stats.nested import ASSUMED, DATA, only_luck, parts

# Constant arrivals and work: no luck at all.
DESK = {
    "horizon": "10h",
    "replications": 6,
    "arrivals": {"kind": "constant", "rate": "10/h"},
    "agents": {
        "all": {
            "shifts": [
                {"start": "00:00", "end": "05:00", "heads": 3},
                {"start": "05:00", "end": "10:00", "heads": 4},
            ],
            "handle_time": "1min",
        }
    },
    "customers": {"survey_rate": 0.0, "solved": {"agent": 1.0}},
}
RATES = [8.0, 12.0, 13.0]


def versions_file(path, *numbers):
    rows = [
        {"key": key.split("/"), "calibrated": was, "versions": list(new)}
        for key, was, new in numbers
    ]
    write_sealed(path, {"numbers": rows})
    return str(path)


@pytest.fixture
def desk(tmp_path):
    """A desk with three versions of its rate and of the heads of its shifts."""
    base = twin.from_data(DESK)
    rate = base.as_data()["arrivals"]["rate"]
    file = versions_file(
        tmp_path / "versions.json",
        ("arrivals/rate", rate, [f"{rate}/h" for rate in RATES]),
        ("agents/all/shifts/*/heads", [3, 4], [[2, 3], [3, 4], [5, 5]]),
    )
    return twin.from_data({**DESK, "name": "desk", "uncertainty": {"file": file}})


# The estimator


@pytest.mark.parametrize("groups", [5, 10, 40])
@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 3.0])
def test_the_interval_holds_the_truth_in_95_of_100_cases(groups, spread):
    """Truth 0; what was found in the history is off, and versions lie about what was found."""
    rng, number = np.random.default_rng(5), 3000
    found = spread * rng.normal(size=(number, 1))
    means = found + spread * rng.normal(size=(number, groups))
    values = np.repeat(means, 2, axis=1) + rng.normal(size=(number, 2 * groups))
    split = parts(values, np.arange(2 * groups), [DATA])
    half = quantile_t(split.freedom, 0.975) * np.sqrt(split.whole)
    held = (np.abs(values.mean(axis=1)) <= half).mean()
    # 2.5 standard errors of 3,000.
    assert held >= 0.95 - 2.5 * (0.95 * 0.05 / number) ** 0.5
    if groups == 40:
        # What replications alone say is far too sure wherever data count.
        naive = 1.96 * values.std(axis=1, ddof=1) / np.sqrt(2 * groups)
        assert (np.abs(values.mean(axis=1)) <= naive).mean() < 0.96 - 0.3 * min(spread, 1)
        assert np.sqrt(split.data.mean()) == pytest.approx(spread, abs=0.08 if spread else 0.3)


def test_a_mean_of_data_has_the_variance_that_books_give():
    """A mean of 25 data with variance 4: 0.16, as resampled data show it; luck comes on top."""
    rng, number, size, groups = np.random.default_rng(2), 400, 25, 40
    data = rng.normal(0.0, 2.0, (number, size))
    # 24 of 25 drawn again: the variance of their mean is that of a mean of 25, without bias.
    chosen = rng.integers(0, size, (number, groups, size - 1))
    means = np.take_along_axis(data[:, None, :], chosen, axis=2).mean(axis=2)
    values = np.repeat(means, 2, axis=1) + 0.3 * rng.normal(size=(number, 2 * groups))
    split = parts(values, np.arange(2 * groups), [DATA])
    assert split.data.mean() == pytest.approx(4 / 25, rel=0.05)
    luck = 4 / 25 / groups + 0.3**2 / (2 * groups)
    assert split.luck.mean() == pytest.approx(luck, rel=0.05)
    half = quantile_t(split.freedom, 0.975) * np.sqrt(split.whole)
    assert (np.abs(values.mean(axis=1)) <= half).mean() >= 0.94


def test_data_and_assumptions_are_told_apart():
    rng, number, groups = np.random.default_rng(3), 500, 12
    data = np.repeat(rng.normal(size=(number, groups)), 4, axis=1)
    assumed = np.repeat(0.5 * rng.normal(size=(number, 2 * groups)), 2, axis=1)
    values = data + assumed + 0.2 * rng.normal(size=(number, 4 * groups))
    split = parts(values, np.arange(4 * groups), [DATA, ASSUMED])
    assert split.data.mean() == pytest.approx(1.0, rel=0.06)
    assert split.assumed.mean() == pytest.approx(0.25, rel=0.06)
    assert split.luck.mean() == pytest.approx((1 + 0.25 / 2 + 0.04 / 4) / groups, rel=0.06)


def test_by_hand_and_with_replications_that_are_missing():
    values = np.array([[9.0, 1.0, 2.0, 5.0, 4.0, 7.0]])
    # Replication 1 is missing, so 0 stands alone: means 1.5, 4.5 and 7 is alone, too.
    split = parts(values, np.array([0, 2, 3, 5, 4, 6]), [DATA])
    assert split.luck[0] == pytest.approx(4.5 / 2)
    assert split.data[0] == pytest.approx(4.5 - 0.5 / 2)
    assert split.freedom[0] == 1
    assert np.isnan(parts(values[:, :2], np.array([0, 1]), [DATA]).whole[0])
    both = only_luck(np.array([1.0]), [3]) + split
    assert both.whole[0] == pytest.approx(1.0 + split.whole[0])


# What is played


def test_two_replications_in_a_row_play_a_version(desk):
    played = [as_played(desk, k) for k in range(8)]
    rates = [round(3600 * one.arrivals.rate, 6) for one in played]
    assert rates == [8, 8, 12, 12, 13, 13, 8, 8]
    assert [shift.heads for shift in played[5].agents["all"].shifts] == [5, 5]
    assert all(one.uncertainty is None for one in played)
    assert as_played(twin.from_data(DESK), 3) == twin.from_data(DESK)


def test_what_a_what_if_sets_stays_and_other_changes_come_on_top(desk):
    busier = desk.vary({"arrivals.scale": 2, "agents.all.extra_heads": -1}, name="busier")
    one = as_played(busier, 4)
    assert one.arrivals.scale == 2
    assert one.arrivals.rate * 3600 == pytest.approx(13)
    assert one.agents["all"].extra_heads == -1
    set_rate = desk.vary({"arrivals.rate": "20/h", "agents.all.shifts.1.heads": 9}, name="set")
    for k in range(6):
        assert as_played(set_rate, k).arrivals.rate * 3600 == pytest.approx(20)
    assert [shift.heads for shift in as_played(set_rate, 4).agents["all"].shifts] == [5, 9]
    assert any("taken as set" in note and "arrivals.rate" in note
               for note in twin.run(set_rate, replications=2).notes)  # fmt: skip
    other = desk.vary({"agents.all.shifts": [{"start": "00:00", "end": "10:00", "heads": 7}]})
    assert [shift.heads for shift in as_played(other, 4).agents["all"].shifts] == [7]


def test_a_file_that_extends_another_carries_its_versions(desk, tmp_path):
    from twin.common.toml import dump

    (tmp_path / "desk.toml").write_text(dump(desk.as_data()))
    (tmp_path / "less.toml").write_text('extends = "desk.toml"\nagents.all.extra_heads = -1\n')
    less = twin.load(tmp_path / "less.toml")
    assert as_played(less, 2).arrivals.rate * 3600 == pytest.approx(12)
    assert as_played(less, 2).agents["all"].extra_heads == -1


def test_the_figures_of_a_desk_without_luck_by_hand(desk):
    results = twin.run(desk)
    row = results.summary().query("kpi == 'arrivals'").iloc[0]
    # 79, 119 and 129 tickets, each twice.
    variance = np.var([79, 119, 129], ddof=1)
    assert row["value"] == pytest.approx(109)
    assert row["data"] == pytest.approx(variance**0.5)
    assert row["luck"] == pytest.approx((variance / 3) ** 0.5)
    assert row["assumed"] == 0
    # One standard error of the variance, from 2 degrees of freedom, is itself.
    half = quantile_t(2, 0.975) * (variance / 3 + 2 * variance) ** 0.5
    assert row["half_width"] == pytest.approx(half)
    assert (
        "the history 75 %, luck 25 %; a longer history" in spend(results.summary(), ["arrivals"])[0]
    )
    plain = twin.run(twin.from_data(DESK)).summary()
    assert "data" not in plain
    assert spend(plain, ["arrivals"]) == []


def test_a_comparison_pairs_the_same_version_with_itself(desk):
    double = desk.vary({"arrivals.scale": 2}, name="double")
    same = desk.vary({"agents.all.handle_time": "2min"}, name="slower")
    results = twin.run([desk, double, same])
    found = twin.compare(results, "desk", ["arrivals"])
    row = found.table.iloc[0]
    assert bool(row["paired"])
    assert row["difference"] == pytest.approx(110)
    assert row["data"] == pytest.approx(np.std([79, 119, 129], ddof=1))
    assert "more history, or fewer assumptions, not replications, would" in found.sentences()[0]
    assert found.notes[0].startswith(
        "double: uncertainty of these differences by its source: the h"
    )
    row = found.table.iloc[1]
    assert row["difference"] == row["low"] == row["high"] == 0
    bare = twin.from_data({**DESK, "name": "bare"})
    found = twin.compare(twin.run([desk, bare]), "desk", ["arrivals"])
    assert not found.table["paired"].any()
    assert any("other versions of what is not known" in note for note in found.notes)
    assert found.table.iloc[0]["data"] == pytest.approx(np.std([79, 119, 129], ddof=1))


def test_stated_ranges_of_assumed_numbers(tmp_path, desk):
    assumed = {"arrivals.scale": [0.5, 1.5], "agents.all.handle_time": ["1min", "3min"]}
    data = desk.as_data()
    data["uncertainty"]["assumed"] = assumed
    both = twin.from_data(data)
    played = [as_played(both, k) for k in range(12)]
    assert [round(3600 * one.arrivals.rate) for one in played[::4]] == [8, 12, 13]
    scales = [one.arrivals.scale for one in played]
    assert scales[::2] == scales[1::2]
    assert len(set(scales)) == 6
    assert all(0.5 <= scale <= 1.5 for scale in scales)
    assert all(60 <= one.agents["all"].handle_time.mean_value() <= 180 for one in played)
    # The same draws whatever else is assumed, and in any what-if.
    data["uncertainty"]["assumed"] = {"arrivals.scale": [0.5, 1.5]}
    assert [as_played(twin.from_data(data), k).arrivals.scale for k in range(12)] == scales
    only = twin.from_data({**DESK, "uncertainty": {"assumed": {"arrivals.scale": [0.5, 1.5]}}})
    row = twin.run(only, replications=16).summary().query("kpi == 'arrivals'").iloc[0]
    # Of a range of 100 tickets, all alike likely; of 8 draws.
    scales = [as_played(only, k).arrivals.scale for k in range(16)]
    assert row["assumed"] == pytest.approx(100 * np.std(scales[::2], ddof=1), rel=0.05)
    assert row["data"] == 0
    assert only.as_data() == twin.from_data(only.as_data()).as_data()


def test_a_change_of_a_number_with_a_range_is_said_to_show_nothing():
    base = twin.from_data({**DESK, "uncertainty": {"assumed": {"arrivals.scale": [0.5, 1.5]}}})
    more = base.vary({"arrivals.scale": 1.4}, name="more")
    found = twin.compare(twin.run([base, more], replications=4), kpis=["arrivals"])
    assert found.table["difference"].tolist() == [0]
    assert any("more changes arrivals.scale, but that is drawn" in note for note in found.notes)
    other = base.vary({"customers.survey_rate": 0.3}, name="other")
    plain = twin.compare(twin.run([base, other], replications=4), kpis=["arrivals"])
    assert not any("is drawn from its range" in note for note in plain.notes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give file"),
        ({"assumed": {"arrivals.scale": [2, 1]}}, "from the lower value to the higher one"),
        ({"assumed": {"arrivals.scale": [1, "2min"]}}, "two numbers, or two durations"),
        ({"assumed": {"arrivals.scale": [2, 3]}}, "its range is 2 to 3, and it is set to 1"),
        ({"assumed": {"arrivals.skale": [2, 3]}}, "arrivals.skale"),
        ({"file": "nowhere.json"}, "no such file"),
    ],
)
def test_faults(given, said):
    with pytest.raises(ScenarioError, match=said):
        twin.check(twin.from_data({**DESK, "uncertainty": given}))


def test_a_file_of_versions_that_is_damaged_is_refused(desk, tmp_path):
    path = tmp_path / "versions.json"
    path.write_text(path.read_text().replace("12.0", "99.0"))
    with pytest.raises(DamagedFile, match="is damaged"):
        twin.check(desk)
    for numbers in ([], [{"key": ["a"], "calibrated": 1, "versions": []}], [3]):
        write_sealed(path, {"numbers": numbers})
        with pytest.raises(DamagedFile, match="no versions of a desk"):
            read(path)
    path.write_text("[]")
    with pytest.raises(DamagedFile, match="no versions of a desk"):
        read(path)


def test_a_wanted_precision_is_of_luck_alone(desk):
    results = twin.run(desk, precision={"arrivals": 1000.0})
    assert any(note.startswith("precision is that of luck alone") for note in results.notes)


def test_a_study_has_it_at_every_point(desk):
    found = twin.study({"scenario": desk, "factors": {"arrivals.scale": [1, 2]}}, replications=6)
    rows = found.summary().query("kpi == 'arrivals'")
    assert rows["data"].tolist() == pytest.approx([26.4575, 52.915], rel=1e-4)


def test_run_says_what_to_spend_on(desk, tmp_path):
    from twin.common.toml import dump

    path = tmp_path / "desk.toml"
    path.write_text(dump(desk.as_data()))
    out = tmp_path / "results"
    told = CliRunner().invoke(app, ["run", str(path), "--out", str(out), "--workers", "1"])
    assert told.exit_code == 0, told.output
    assert "a longer history makes the intervals narrower" in told.stdout
    again = twin.open_results(out / "desk").summary()
    assert again.query("kpi == 'arrivals'")["data"].iloc[0] == pytest.approx(26.4575, rel=1e-4)
    told = CliRunner().invoke(app, ["check", str(path)])
    assert "3 versions of what its history leaves open" in told.stdout
    told = CliRunner().invoke(
        app, ["run", str(path), "--out", str(out), "--workers", "1", "--json"]
    )
    assert json.loads(told.stdout)["spend"][0].startswith("desk: uncertainty of these figures")


def test_theory_judges_no_desk_that_plays_versions():
    data = {"horizon": "1d", "arrivals": {"rate": "20/h"}, "agents": {"all": {"heads": 3,
            "handle_time": {"distribution": "exponential", "mean": "6min"}}},
            "customers": {"solved": {"agent": 1.0}}}  # fmt: skip
    assert erlang_bounds(twin.from_data(data))
    # At 28 an hour they wait ten times as long, at 12 a sixth: longer on average.
    assumed = {"assumed": {"arrivals.scale": [0.6, 1.4]}}
    assert erlang_bounds(twin.from_data({**data, "uncertainty": assumed})) == {}


def test_the_split_of_variance_says_that_versions_are_not_played(tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text("""
        horizon = "4h"
        arrivals.rate = "20/h"
        agents.all = { heads = 3, handle_time = "6min" }
        uncertainty.assumed = { "arrivals.scale" = [0.6, 1.4] }
        """)
    words = ["variance", str(path), "--days", "2", "--kpi", "occupancy", "--workers", "1"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "leave open is not in it" in done.stdout
