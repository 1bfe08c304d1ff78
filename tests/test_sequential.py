"""The rule that adds replications: its steps by hand, its end to end, what it promises."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.measures.figures import figure_of
from twin.stats.sequential import reached, sentences, wanted_replications

DESK = {
    "horizon": "12h",
    "replications": 3,
    "arrivals": {"rate": "20/h"},
    "agents": {"all": {"heads": 2, "handle_time": {"distribution": "exponential", "mean": "5min"}}},
}


def figures(values, kpi="wait", group=""):
    values = np.asarray(values, dtype=float)
    return pd.DataFrame(
        {
            "kpi": kpi,
            "group": group,
            "unit": "s",
            "replication": np.arange(len(values)),
            "numerator": values,
            "denominator": 1.0,
        }
    )


def half_width(values):
    return stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)


def test_the_first_stage_comes_first():
    assert wanted_replications(figures([1, 2]), {("wait", ""): 100}, 2) == 10
    assert wanted_replications(figures([1, 2]), {("wait", ""): 100}, 2, first=20) == 20


def test_the_number_is_that_of_stein():
    values = np.random.default_rng(1).normal(size=10)
    expected = math.ceil(10 * (half_width(values) / 0.2) ** 2)
    assert wanted_replications(figures(values), {("wait", ""): 0.2}, 10) == expected
    assert wanted_replications(figures(values), {("wait", ""): 0.2}, 10, most=15) == 15
    assert wanted_replications(figures(values), {("wait", ""): 5.0}, 10) == 10


def test_the_first_stage_alone_tells_the_number_however_the_rest_comes_out():
    generator = np.random.default_rng(2)
    values = np.concatenate([generator.normal(size=10), np.full(30, 0.0)])
    expected = math.ceil(10 * (half_width(values[:10]) / 0.1) ** 2)
    assert half_width(values) < 0.4
    assert wanted_replications(figures(values), {("wait", ""): 0.1}, 40) == expected > 40


def test_an_interval_that_is_still_too_wide_goes_on():
    generator = np.random.default_rng(3)
    values = np.concatenate([generator.normal(size=10), generator.normal(size=10) * 9])
    now, target = half_width(values), 1.5
    assert half_width(values[:10]) < target < now
    expected = math.ceil(20 * (now / target) ** 2)
    assert wanted_replications(figures(values), {("wait", ""): target}, 20) == expected


def test_the_most_demanding_figure_decides_and_one_without_data_asks_for_nothing():
    values = np.random.default_rng(1).normal(size=10)
    both = pd.concat([figures(values), figures(values, "queue", "urgent")])
    alone = wanted_replications(both, {("queue", "urgent"): 0.1}, 10)
    assert wanted_replications(both, {("wait", ""): 5, ("queue", "urgent"): 0.1}, 10) == alone > 10
    assert wanted_replications(both, {("queue", "low"): 0.1}, 10) == 10


def test_names():
    assert figure_of("service_level") == ("service_level", "")
    assert figure_of("service_level: urgent") == ("service_level", "urgent")


def test_what_was_reached_is_said():
    values = np.random.default_rng(1).normal(size=12)
    table = reached(figures(values), {("wait", ""): 5.0, ("wait", "low"): 1.0})
    assert table["reached"].tolist() == [True, False]
    assert table["replications"].tolist() == [12, 0]
    first, second = sentences(table)
    assert first.startswith("wait: half-width")
    assert first.endswith("5 s wanted: reached")
    assert "no data" in second
    (short,) = sentences(reached(figures(values), {("wait", ""): table["half_width"][0] / 3}))
    assert short.endswith("not reached, it takes about 108 replications")


def test_a_run_stops_at_the_precision():
    desk = twin.from_data(DESK)
    results = twin.run(desk, precision={"agent_wait_share": 0.04})
    (run,) = results.runs
    assert run.asked == run.whole == results.kpis["replication"].nunique() > 10
    (row,) = results.summary().query("kpi == 'agent_wait_share'").to_dict("records")
    assert row["half_width"] <= 0.04
    assert any("reached" in note and "not reached" not in note for note in results.notes)
    # Replications are the same ones as ever.
    plain = twin.run(desk, replications=run.asked)
    pd.testing.assert_frame_equal(plain.kpis, results.kpis)


def test_a_run_stops_at_the_cap_and_says_so(tmp_path):
    desk = twin.from_data(DESK)
    results = twin.run(
        desk, precision={"agent_wait_share": 1e-4}, max_replications=12, out=tmp_path, workers=2
    )
    assert results.runs[0].asked == 12
    assert any("not reached, it takes about" in note for note in results.notes)
    opened = twin.open_results(results.paths[0])
    assert opened.runs[0].manifest["precision"]["wanted"] == {"agent_wait_share": 1e-4}
    assert any("not reached" in note for note in opened.notes)
    assert opened.runs[0].whole == 12


@pytest.mark.parametrize(
    ("precision", "most", "text"),
    [
        ({"agent_wait_shar": 0.1}, 100, "did you mean"),
        ({"agent_wait_share": 0.0}, 100, "above 0"),
        ({"agent_wait_share": 0.1}, 5, "at least 10"),
    ],
)
def test_what_cannot_be_is_refused(precision, most, text):
    with pytest.raises(ValueError, match=text):
        twin.run(twin.from_data(DESK), precision=precision, max_replications=most)


def test_the_command_takes_durations_and_per_cents(tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text(
        'horizon = "12h"\nreplications = 3\narrivals.rate = "20/h"\n'
        'agents.all = { heads = 2, handle_time = "5min" }\n'
    )
    words = ["run", str(path), "--out", str(tmp_path), "--workers", "1"]
    found = CliRunner().invoke(
        app,
        [*words, "--precision", "agent_wait_mean=2min", "--precision", "occupancy:all=10%"],
    )
    assert found.exit_code == 0, found.output
    assert "120 s wanted: reached" in found.stderr
    assert "occupancy:all" in found.stderr
    assert "sanity: all" in found.stdout
    for bad, text in [("occupancy=x", "occupancy=x"), ("nothing=1", "no figure")]:
        found = CliRunner().invoke(app, [*words, "--precision", bad])
        assert found.exit_code == 2
        assert text in found.stderr


def test_a_precision_reached_without_any_spread_is_told():
    (said,) = sentences(reached(figures([0.0] * 12), {("wait", ""): 1.0}))
    assert said.endswith("reached; no spread was seen, so what is rare may only not have come yet")
    (said,) = sentences(reached(figures([0.0, 1.0] * 50), {("wait", ""): 1.0}))
    assert said.endswith("reached")
    (said,) = sentences(reached(figures([0.0, 1.0] * 50), {("wait", ""): 1.0}, 0.8), 0.8)
    assert "(80 % interval)" in said
