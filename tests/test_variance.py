"""Variance, split: the components by hand and by coverage, swapped luck, whole desks."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments.replication import _play
from twin.experiments.variance import MODEL, RATERS, split_variance
from twin.stats.components import SOURCES, components

DESK = {
    "horizon": "12h",
    "arrivals": {"rate": "12/h"},
    "tickets": {"category_mix": {"Login": 2, "Payment": 1, "Other": 1}},
    "assistant": {"role": "full", "backend": "profile", "profile": {"accuracy": 0.7}},
    "agents": {"all": {"heads": 2, "handle_time": {"distribution": "exponential", "mean": "9min"}}},
    "customers": {"survey_rate": 0.5},
}


def test_an_unknown_figure_is_told_before_anything_is_played():
    with pytest.raises(ValueError, match=r'no figure "occupncy".*occupancy'):
        split_variance(twin.from_data(DESK), kpis=["occupncy"])
    with pytest.raises(ValueError, match="occupancy:all: only figures of all tickets"):
        split_variance(twin.from_data(DESK), kpis=["occupancy:all"])


def test_components_by_hand():
    # Two days, two answers, two ratings: means of answers 2, 4 | 8, 10; of days 3 | 9.
    y = np.array([[[1, 3], [4, 4]], [[7, 9], [10, 10]]], dtype=float)
    table = components(y).set_index("source")
    raters = (1 + 1 + 0 + 0 + 1 + 1 + 0 + 0) / 4
    answers = 2 * (1 + 1 + 1 + 1) / 2
    days = 4 * (9 + 9) / 1
    expected = [(days - answers) / 4, (answers - raters) / 2, raters]
    assert table.loc[list(SOURCES), "variance"].to_numpy() == pytest.approx(expected)
    assert table.loc["a run", "variance"] == pytest.approx(sum(expected))
    assert table.loc["a run", "share"] == pytest.approx(1)
    assert table["share"].iloc[:3].sum() == pytest.approx(1)
    assert table.loc["raters", "deviation"] == pytest.approx(1)


@pytest.mark.parametrize("deviations", [(1, 1, 1), (2, 0.5, 0.1), (0.3, 1, 2)])
def test_intervals_of_components_cover(deviations):
    generator = np.random.default_rng(7)
    hits = np.zeros(3)
    for _ in range(200):
        parts = [generator.normal(size=shape) for shape in ((10, 1, 1), (10, 2, 1), (10, 2, 2))]
        y = sum(part * scale for part, scale in zip(parts, deviations, strict=True))
        table = components(y)
        true = np.square(deviations)
        hits += (table["low"][:3] <= true) & (true <= table["high"][:3])
    assert (hits / 200 >= 0.91).all()
    assert (hits / 200 <= 0.99).all()


def test_a_component_that_is_not_there_is_none():
    day = np.array([1.0, 5.0, 2.0, 8.0])[:, None, None]
    table = components(np.broadcast_to(day, (4, 2, 3))).set_index("source")
    assert table.loc["the model's answers", "variance"] == 0
    assert table.loc["raters", "high"] == 0
    assert table.loc["arrivals and queues", "share"] == 1
    assert table.loc["arrivals and queues", "variance"] == pytest.approx(np.var(day, ddof=1))
    flat = components(np.ones((2, 2, 2))).set_index("source")
    assert math.isnan(flat.loc["raters", "share"])
    with pytest.raises(ValueError, match="two or more"):
        components(np.ones((3, 1, 2)))
    with pytest.raises(ValueError, match="level"):
        components(np.ones((2, 2, 2)), level=95)


def test_swapped_luck_is_that_of_the_other_replication_and_all_else_stays():
    desk = twin.from_data(DESK)
    one, other = draw(desk, 0), draw(desk, 5)
    swapped = one.swapped(RATERS, 5)
    n = min(len(one), len(other))
    for stream in Stream:
        source = other if stream in RATERS else one
        assert (swapped.uniform(stream)[:n] == source.uniform(stream)[:n]).all()
    assert (swapped.arrived_s == one.arrived_s).all()
    assert (one.swapped(RATERS, 0).uniform(Stream.RATING) == one.uniform(Stream.RATING)).all()
    twice = one.swapped(MODEL, 5).swapped(RATERS, 6)
    expected = draw(desk, 6).uniform(Stream.RATING)[:3]
    assert (twice.uniform(Stream.RATING)[:3] == expected).all()
    assert (twice.uniform(Stream.SAMPLE)[:n] == other.uniform(Stream.SAMPLE)[:n]).all()


def test_other_raters_change_ratings_alone_and_another_model_no_arrival():
    desk = twin.from_data(DESK)
    demand = draw(desk, 0)
    plain, raters, model = (
        _play(desk, luck, lambda stage: None).log
        for luck in (demand, demand.swapped(RATERS, 9), demand.swapped(MODEL, 9))
    )
    assert plain.tickets.equals(raters.tickets)
    assert plain.timeline.equals(raters.timeline)
    assert plain.calls.equals(raters.calls)
    assert not plain.ratings.equals(raters.ratings)
    assert (plain.tickets["arrived_s"] == model.tickets["arrived_s"]).all()
    assert not plain.tickets["category"].equals(model.tickets["category"])
    again = simulate(desk.vary({"assistant.role": "off"}), demand)
    assert len(again.tickets) == len(plain.tickets)


def test_a_desk_is_split():
    found = split_variance(twin.from_data(DESK), days=3, kpis=["csat", "categorization_accuracy"])
    assert list(found["source"]) == [*SOURCES, "a run"] * 2
    table = found.set_index(["kpi", "source"])["variance"]
    # Categories are the model's and the day's alone, ratings everybody's.
    assert table["categorization_accuracy", "raters"] == 0
    assert table["categorization_accuracy", "the model's answers"] > 0
    assert table["csat", "raters"] > 0
    same = split_variance(
        twin.from_data(DESK), days=3, kpis=["csat", "categorization_accuracy"], workers=2
    )
    assert found.equals(same)


def test_too_small_a_design_and_broken_scenarios_are_refused():
    desk = twin.from_data(DESK)
    with pytest.raises(ValueError, match="two or more"):
        split_variance(desk, ratings=1)
    with pytest.raises(twin.ScenarioError):
        split_variance(desk.vary({"assistant.model": "nobody/knows"}))


def test_the_command_splits(tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text(
        'horizon = "12h"\narrivals.rate = "10/h"\ncustomers.survey_rate = 1.0\n'
        'agents.all = { heads = 2, handle_time = "8min" }\n'
    )
    words = ["variance", str(path), "--days", "2", "--workers", "1", "--quiet", "--kpi", "csat"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    assert "csat" in found.stdout
    assert "raters" in found.stdout
    rows = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert [row["source"] for row in rows] == [*SOURCES, "a run"]
    none = CliRunner().invoke(app, [*words[:-1], "categorization_accuracy"])
    assert none.exit_code == 1
    assert "no such figure" in none.stderr


def test_one_answer_a_text_hides_the_models_part():
    """Where the assistant says the same every time, nobody can see how much it varies."""
    desk = twin.load(
        Path(__file__).parents[1] / "scenarios" / "baseline.toml",
        {"horizon": "1d", "warm_up": "0s"},
    )
    found = twin.split_variance(desk, days=2, kpis=["csat", "model_latency_mean"])
    parts = found.set_index(["kpi", "source"])
    assert np.isnan(parts.at[("csat", "the model's answers"), "variance"])
    assert np.isfinite(parts.at[("csat", "raters"), "variance"])
    assert np.isfinite(parts.at[("model_latency_mean", "the model's answers"), "variance"])
