"""Plots draw the numbers of their frames, figure by figure."""

import matplotlib

matplotlib.use("Agg")

import itertools
import re
from datetime import date
from io import StringIO
from xml.etree import ElementTree

import frames
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from twin.records.tables import STATUSES
from twin.report import plots
from twin.report.plots import over_time, picture, style
from twin.report.plots.front import MOST_NAMED
from twin.report.plots.over_time import STATUS_COLOURS, status_colours

EVERY = {
    "throughput": (plots.throughput, frames.flows),
    "backlog": (plots.backlog, frames.levels),
    "statuses": (plots.statuses, frames.statuses),
    "ticket_lives": (plots.ticket_lives, frames.lives),
    "response_times": (plots.response_times, frames.times),
    "service_by_hour": (plots.service_by_hour, frames.service),
    "arrivals_by_hour": (plots.arrivals_by_hour, frames.arrivals_week),
    "ratings": (plots.ratings, frames.stars),
    "ratings_by_category": (plots.ratings_by_category, frames.by_category),
    "ratings_over_time": (plots.ratings_over_time, frames.ratings_over_time),
    "confusion": (plots.confusion, frames.confusion),
    "call_latency": (plots.call_latency, frames.calls),
    "quota_wait": (plots.quota_wait, frames.quota),
    "rate_limited": (plots.rate_limited, frames.quota),
    "forest": (plots.forest, frames.differences),
    "decision": (plots.decision, frames.decision),
    "overlaid": (plots.overlaid, frames.overlaid),
    "responses_overlaid": (plots.responses_overlaid, frames.responses_overlaid),
    "against_load": (plots.against_load, frames.load),
    "pareto": (plots.pareto, frames.front),
    "warm_up": (plots.warm_up, frames.warm_up),
    "rungs": (plots.rungs, frames.fidelity_rungs),
    "hourly_waits": (plots.hourly_waits, frames.fidelity_hours),
}


@pytest.fixture
def ax():
    figure = Figure(figsize=(5, 3.1), layout="constrained")
    return figure.subplots()


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def line(ax, label):
    (found,) = [one for one in ax.lines if one.get_label() == label]
    return found


def texts(ax):
    return [text.get_text().replace(r"\$", "$") for text in ax.texts]


def ticks(axis):
    return [tick.get_text() for tick in axis.get_ticklabels()]


def test_every_figure_is_tried_here():
    helpers = {"decision_height", "forest_height", "rows_of", "svg"}
    assert set(plots.__all__) - helpers == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_a_figure_draws_into_the_axes_it_is_given_or_into_new_ones(name, ax):
    draw, frame = EVERY[name]
    assert draw(frame(), ax) is ax
    new = draw(frame())
    assert new is not ax
    assert pyplot.fignum_exists(new.figure.number)
    ax.figure.canvas.draw()
    assert ax.get_title("left") == new.get_title("left") != ""


@pytest.mark.parametrize("name", EVERY)
def test_a_figure_leaves_its_frame_as_it_was(name, ax):
    draw, make = EVERY[name]
    frame = make()
    draw(frame, ax)
    pd.testing.assert_frame_equal(frame, make())


@pytest.mark.parametrize("name", EVERY)
def test_an_empty_frame_makes_a_figure_that_says_so(name, ax):
    draw, frame = EVERY[name]
    draw(frame().iloc[:0], ax)
    ax.figure.canvas.draw()
    assert texts(ax)[0].startswith("no")


@pytest.mark.parametrize("name", EVERY)
def test_axes_say_what_they_measure(name, ax):
    draw, frame = EVERY[name]
    draw(frame(), ax)
    without = {
        "service_by_hour": "y", "arrivals_by_hour": "y", "ticket_lives": "y",
        "ratings_by_category": "y", "confusion": "y", "forest": "y", "decision": "y",
    }  # fmt: skip
    charts = [one for one in ax.figure.axes if one.get_label() != "<colorbar>"]
    for one in charts:
        # The time of several charts is named below the last.
        assert one.get_xlabel() or name == "backlog"
        assert one.get_ylabel() or without[name] == "y"
    assert charts[-1].get_xlabel()


def test_rungs_and_hours_of_a_fidelity_report(ax):
    frame = frames.fidelity_rungs()
    plots.rungs(frame, ax)
    assert line(ax, "twin").get_ydata().tolist() == frame["value"].tolist()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == frame["rung"].tolist()
    # Limit and replay of the forecast, across all rungs.
    assert [one.get_ydata()[0] for one in ax.lines if one.get_linestyle() in ("--", ":")] == [6, 9]
    ax.clear()
    hours = frames.fidelity_hours()
    plots.hourly_waits(hours, ax)
    for name, label in (("real", "desk"), ("twin", "twin")):
        assert line(ax, label).get_ydata().tolist() == hours[name].tolist()
    (band,) = ax.collections
    assert set(hours["low"]) | set(hours["high"]) <= set(band.get_paths()[0].vertices[:, 1])


def middle(frame):
    return ((frame["start_s"] + frame["end_s"]) / 2).tolist()


def test_lines_and_bands_over_time(ax):
    cases = (
        (plots.throughput, frames.flows(), "flow", ["arrivals", "resolved"], None),
        (plots.backlog, frames.levels(), "level", ["backlog", "busy", "staffed"],
         ["open tickets", "agents busy", "agents on shift"]),
    )  # fmt: skip
    for draw, frame, by, names, labels in cases:
        top = Figure(figsize=(5, 4.3), layout="constrained").subplots()
        draw(frame, top, start=date(2026, 1, 5), warm_up_s=86400.0)
        for name, label in zip(names, labels or names, strict=True):
            rows = frame[frame[by] == name]
            # Agents have a chart of their own below the tickets.
            (ax,) = [one for one in top.figure.axes if label in texts(one)]
            drawn = line(ax, label)
            assert drawn.get_xdata().tolist() == middle(rows)
            assert drawn.get_ydata().tolist() == rows["mean"].tolist()
            (band,) = [c for c in ax.collections if c.get_label() == f"{label} band"]
            vertices = band.get_paths()[0].vertices
            assert set(rows["low"]) | set(rows["high"]) <= set(vertices[:, 1])
            assert label in texts(ax)
        for chart in top.figure.axes:
            (shade,) = [p for p in chart.patches if p.get_gid() == "warm-up"]
            assert (shade.get_x(), shade.get_width()) == (0, 86400.0)
        assert any("80 %" in text for text in texts(top))


def test_tickets_and_agents_have_scales_of_their_own(ax):
    frame = frames.levels()
    of = frame["level"] == "backlog"
    frame.loc[of, ["mean", "low", "high"]] *= 100
    plots.backlog(frame, ax, start=date(2026, 1, 5))
    tickets, agents = ax.figure.axes
    assert tickets.get_ylim()[1] > 20 * agents.get_ylim()[1]
    # One local time for both, named once.
    assert tickets.get_xlim() == agents.get_xlim()
    ax.figure.canvas.draw()
    assert not any(one.label1.get_visible() for one in tickets.xaxis.get_major_ticks())
    assert agents.get_xticklabels()[0].get_text() == "Mon"


def test_axes_put_by_hand_are_divided(ax):
    figure = Figure(figsize=(5, 4))
    by_hand = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    plots.backlog(frames.levels(), by_hand)
    upper, lower = (one.get_position() for one in figure.axes)
    assert upper.y1 == pytest.approx(0.9)
    assert lower.y0 == pytest.approx(0.1)
    assert lower.y1 < upper.y0


def test_scenarios_lie_over_each_other_in_one_figure(ax):
    frame = frames.overlaid()
    plots.overlaid(frame, ax, start=date(2026, 1, 5))
    for name in ("calm", "busy"):
        rows = frame[frame["scenario"] == name]
        assert line(ax, name).get_ydata().tolist() == rows["mean"].tolist()
        assert name in texts(ax)
    ax.figure.canvas.draw()
    assert ticks(ax.xaxis)[0] == "Mon"


def test_response_curves_of_scenarios_lie_over_each_other_and_end_at_their_last_share(ax):
    frame = frames.responses_overlaid()
    plots.responses_overlaid(frame, ax)
    for name, rows in frame.groupby("scenario"):
        drawn = line(ax, name).get_ydata().tolist()
        assert drawn == [*rows["share"], rows["share"].iloc[-1]]
        assert name in texts(ax)
    # What took no time stands at the axis' lower end, which is logarithmic.
    assert line(ax, "calm").get_xdata()[0] == 0.1


def test_a_decision_shows_each_scenario_beside_its_target(ax):
    frame = frames.decision()
    plots.decision(frame, ax)
    level, cost = ax.figure.axes
    assert [one.get_text() for one in level.get_yticklabels()] == ["calm", "busy"]
    for chart, kpi in ((level, "service_level"), (cost, "cost_week")):
        rows = frame[frame["kpi"] == kpi]
        points = [one.get_xdata()[0] for one in chart.lines if one.get_gid() == "value"]
        assert points == rows["value"].tolist()
    limits = [one.get_xdata()[0] for one in level.lines if one.get_gid() == "limit"]
    assert limits == [0.9, 0.9]
    assert not [one for one in cost.lines if one.get_gid() == "limit"]
    cost.figure.canvas.draw()
    assert all(text.startswith("\\$") for text in ticks(cost.xaxis))
    assert level.get_xlim()[1] <= 1.01


def test_who_is_away_is_drawn_where_agents_come_and_go(ax):
    frame = frames.over_time(["away", "busy", "staffed", "backlog"], "level")
    plots.backlog(frame, ax)
    away = frame.loc[frame["level"] == "away", "mean"]
    assert line(ax.figure.axes[1], "agents away").get_ydata().tolist() == away.tolist()
    figure = Figure()
    plots.backlog(frames.levels(), figure.subplots())
    assert not any("agents away" in texts(one) for one in figure.axes)


def test_names_of_a_long_life_do_not_meet(ax):
    for high_s, names in ((2 * 86400.0, ["1 s", "1 min", "10 min"]), (8e5, ["1 s", "10 min"])):
        ax.clear()
        style.stretched_axis(ax, high_s)
        shown = [ax.xaxis.get_major_formatter()(s, 0) for s in ax.xaxis.get_major_locator()()]
        assert shown[: len(names) + 1] == [*names, "1 h"]


def test_without_replications_no_band_is_promised(ax):
    plots.throughput(frames.over_time(["arrivals"], "flow", banded=False), ax)
    assert not any("80 %" in text for text in texts(ax))
    assert ax.get_xlabel() == "days since the start"


def test_statuses_are_stacked(ax):
    frame = frames.statuses()
    plots.statuses(frame, ax)
    table = frame.pivot(index="start_s", columns="status", values="mean")
    heights = {}
    for area in ax.collections:
        edges = area.get_paths()[0].vertices
        for x in (middle(frame)[0], middle(frame)[5]):
            ys = edges[np.isclose(edges[:, 0], x), 1]
            heights[area.get_label(), x] = ys.max() - ys.min()
    for k in (0, 5):
        for name in table:
            expected = table[name].iloc[k]
            assert heights[name, middle(frame)[k]] == pytest.approx(expected)
    assert set(table) <= set(texts(ax))


def own_statuses(count):
    """Statuses of a desk's own, in turn of two of the twin's; the later, the more tickets."""
    frame = frames.over_time([f"Step {k}" for k in range(count)], "name")
    core = {f"Step {k}": ("Open", "In Progress")[k % 2] for k in range(count)}
    return frame.assign(status=frame["name"].map(core)).drop(columns=["low", "high"])


def test_own_statuses_have_their_names_and_colours_of_their_own(ax):
    frame = own_statuses(6)
    colours = status_colours(frame)
    assert colours["Step 4"] == STATUS_COLOURS["Open"]
    assert colours["Step 5"] == STATUS_COLOURS["In Progress"]
    assert len(set(colours.values())) == 6
    plots.statuses(frame, ax)
    assert [area.get_label() for area in ax.collections] == [f"Step {k}" for k in range(6)][::-1]
    drawn = {area.get_label(): to_hex(area.get_facecolor()[0]) for area in ax.collections}
    assert drawn == colours
    lives = frames.lives()
    lives["name"] = lives["status"].replace({"In Progress": "Step 5", "Open": "Step 4"})
    figure, other = pyplot.subplots()
    plots.ticket_lives(lives, other, colours=colours)
    bars = {bar.get_label(): to_hex(bar.patches[0].get_facecolor()) for bar in other.containers}
    assert bars["Step 5"] == colours["Step 5"]
    assert bars["Resolved"] == STATUS_COLOURS["Resolved"]
    assert {"Step 4", "Step 5"} < {text.get_text() for text in other.get_legend().get_texts()}
    pyplot.close(figure)


def test_of_many_statuses_the_rarest_are_one_area(ax):
    frame = own_statuses(15)
    plots.statuses(frame, ax)
    areas = [area.get_label() for area in ax.collections]
    assert areas == [*(f"Step {k}" for k in range(14, 5, -1)), "others"]
    edges = np.concatenate([area.get_paths()[0].vertices for area in ax.collections])
    assert edges[:, 1].max() == pytest.approx(frame.groupby("start_s")["mean"].sum().max())


def test_lives_are_bars_from_start_to_end(ax):
    frame = frames.lives()
    plots.ticket_lives(frame, ax)
    bars = [
        (bar.get_label(), p.get_x(), p.get_width(), round(p.get_y() + p.get_height() / 2))
        for bar in ax.containers
        for p in bar
    ]
    expected = [
        (row.status, row.start_s, row.end_s - row.start_s, 0 if row.ticket_id == 7 else 1)
        for row in frame.itertuples()
        if row.end_s > row.start_s
    ]
    assert bars == expected
    ends = [(one.get_xdata()[0], one.get_ydata()[0]) for one in ax.lines]
    assert ends == [(86400.0, 0), (14400.0, 1)]
    assert texts(ax) == ["#7: answered by the assistant", "#9: abandoned"]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert set(legend) == set(frame["status"])


def test_curves_and_promises(ax):
    frame = frames.times()
    plots.response_times(frame, ax)
    for name, rows in frame.groupby("priority"):
        drawn = line(ax, name)
        assert drawn.get_xdata().tolist()[:-1] == rows["seconds"].tolist()
        assert drawn.get_ydata().tolist()[:-1] == rows["share"].tolist()
        assert drawn.get_drawstyle() == "steps-post"
    promised = [one.get_xdata()[0] for one in ax.lines if str(one.get_gid()).startswith("target")]
    assert promised == [900.0]


def test_the_heat_map_has_a_cell_an_hour(ax):
    frame = frames.service()
    plots.service_by_hour(frame, ax)
    drawn = np.ma.filled(ax.collections[0].get_array(), np.nan)
    np.testing.assert_array_equal(drawn, frame["share"].to_numpy().reshape(7, 24))
    assert ticks(ax.yaxis) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    # The first row is the top one.
    assert ax.get_ylim() == (7, 0)


def test_bars_of_stars_with_intervals(ax):
    frame = frames.stars()
    plots.ratings(frame, ax)
    assert [bar.get_height() for bar in ax.patches] == frame["share"].tolist()
    lines = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert lines == frame[["low", "high"]].to_numpy().tolist()
    assert "70.0 %" in texts(ax)


def test_ratings_by_category_are_points_with_intervals(ax):
    frame = frames.by_category()
    plots.ratings_by_category(frame, ax)
    assert line(ax, "mean").get_xdata().tolist() == frame["mean"].tolist()
    segments = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert segments == frame[["low", "high"]].to_numpy().tolist()
    ax.figure.canvas.draw()
    names = [name.replace(r"\$", "$") for name in ticks(ax.yaxis)]
    assert names == frame["category"].tolist()


def test_changes_of_prompts_are_marked(ax):
    frame = frames.ratings_over_time()
    plots.ratings_over_time(frame, ax)
    assert line(ax, "mean rating").get_ydata().tolist() == frame["mean"].tolist()
    marks = [one.get_xdata()[0] for one in ax.lines if one.get_gid() == "version"]
    assert marks == [0.0, 6 * 6 * 3600.0]
    assert [text for text in texts(ax) if "prompts" in text] == [" prompts 1 ", " prompts 1+2 "]


def test_of_many_versions_of_prompts_the_first_and_last_are_named(ax):
    frame = frames.ratings_over_time()
    frame["version"] = [f"1+{k}" for k in range(len(frame))]
    plots.ratings_over_time(frame, ax)
    marks = [one.get_xdata()[0] for one in ax.lines if one.get_gid() == "version"]
    assert marks == frame["start_s"].tolist()
    named = [text for text in texts(ax) if "prompts 1" in text]
    assert named == [" prompts 1+0 ", f" prompts 1+{len(frame) - 1} "]
    assert f"dashed: other prompts, {len(frame) - 1} times" in texts(ax)


def test_the_confusion_matrix_is_the_frame(ax):
    frame = frames.confusion()
    plots.confusion(frame, ax)
    drawn = np.ma.filled(ax.collections[0].get_array(), np.nan)
    shares = frame["share"].to_numpy().reshape(3, 3)
    # What is not written has no colour: a white cell glares on a dark page.
    np.testing.assert_array_equal(drawn, np.where(shares < 0.005, np.nan, shares))
    written = [text for text in texts(ax) if text.isdigit()]
    assert written == ["90", "10", "20", "50", "30", "100"]
    assert [tick.split()[0] for tick in ticks(ax.yaxis)] == ["Login", "Other", "Payment"]


def test_calls_are_points_by_step(ax):
    frame = frames.calls()
    plots.call_latency(frame, ax)
    for points, (step, rows) in zip(ax.collections, frame.groupby("step"), strict=True):
        assert points.get_label().startswith(step)
        assert points.get_offsets().tolist() == rows[["tokens", "latency_s"]].to_numpy().tolist()


@pytest.mark.parametrize(
    ("draw", "column"), [(plots.quota_wait, "quota_wait_s"), (plots.rate_limited, "rate_limited")]
)
def test_quota_is_steps_over_time(ax, draw, column):
    frame = frames.quota()
    draw(frame, ax)
    values, edges, _ = ax.patches[0].get_data()
    assert values.tolist() == frame[column].fillna(0).tolist()
    assert edges.tolist() == [*frame["start_s"], 86400.0]
    quiet = frame.assign(**{column: 0.0})
    ax.clear()
    draw(quiet, ax)
    assert texts(ax)[0].startswith("no call")
    assert not ax.patches


def drawn_differences(ax):
    points = [(one.get_ydata()[0], one.get_xdata()[0]) for one in ax.lines
              if one.get_gid() == "difference"]  # fmt: skip
    intervals = [one.get_xdata() for one in ax.lines if len(one.get_xdata()) == 2][1:]
    return points, intervals


def test_differences_have_a_chart_a_kind_of_unit(ax):
    frame = frames.differences()
    plots.forest(frame, ax)
    shares, times, others = ax.figure.axes
    # Shares in points, though one of them is of a baseline near 1: nothing else flattens them.
    points, intervals = drawn_differences(shares)
    rows = frame[frame["unit"] == "share"]
    assert points == list(enumerate(rows["difference"]))
    np.testing.assert_array_equal(intervals, rows[["low", "high"]])
    assert shares.get_xlabel() == "difference, points"
    assert shares.get_xlim()[1] < 0.06
    # All else in per cent of the baseline, which is nothing for one of them.
    for chart, unit in ((times, "s"), (others, "tickets")):
        rows = frame[(frame["unit"] == unit) & (frame["baseline"] != 0)]
        points, intervals = drawn_differences(chart)
        scale = 100 / rows["baseline"]
        assert [x for _, x in points] == pytest.approx((rows["difference"] * scale).tolist())
        expected = (rows[["low", "high"]].to_numpy() * scale.to_numpy()[:, None]).tolist()
        np.testing.assert_allclose(intervals, expected)
        assert chart.get_xlabel().endswith("change in %")
    assert "-2.00 min" in texts(times)
    assert "+3.00 pts" in texts(shares)
    # Ten times as much would dwarf all others: an arrow stands for it.
    (beyond,) = [one for one in times.lines if one.get_gid() == "beyond"]
    assert beyond.get_ydata()[0] == 1
    assert times.get_xlim()[1] == 150
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["better", "no difference shown", "worse"]


def test_differences_of_one_unit_are_absolute(ax):
    frame = frames.differences()
    frame = frame[frame["unit"] == "s"]
    plots.forest(frame, ax)
    points, intervals = drawn_differences(ax)
    assert [x for _, x in points] == frame["difference"].tolist()
    np.testing.assert_array_equal(intervals, frame[["low", "high"]])
    assert ax.get_xlabel() == "difference (seconds)"


def test_load_is_a_line_a_model_in_order_of_load(ax):
    frame = frames.load()
    plots.against_load(frame, ax)
    for model, rows in frame.groupby("assistant.model"):
        rows = rows.sort_values("arrivals.scale")
        assert line(ax, model).get_xdata().tolist() == [1.0, 2.0, 3.0]
        assert line(ax, model).get_ydata().tolist() == rows["value"].tolist()
        assert model in texts(ax)
    both = pd.concat([frame, frame.assign(kpi="csat")])
    with pytest.raises(ValueError, match="one key figure a chart"):
        plots.against_load(both, ax)


def test_many_lines_stand_beside_each_other_and_few_have_bands(ax):
    frame = frames.load()
    plots.against_load(frame, ax)
    assert len(ax.collections) == 2
    assert "shaded: 95 % interval" in texts(ax)
    ax.clear()
    many = pd.concat([frame.assign(**{"assistant.model": f"m{k}"}) for k in range(2)] + [frame])
    plots.against_load(many.drop_duplicates(["assistant.model", "arrivals.scale"]), ax)
    assert "upright lines: 95 % interval" in texts(ax)
    ax.figure.draw_without_rendering()
    places = [
        one.get_transform().transform((1.0, 0.0))[0]
        for one in ax.lines
        if len(one.get_xdata()) == 3
    ]
    assert len({round(place, 3) for place in places}) == 4
    for one in ax.lines:
        if len(one.get_xdata()) == 3:
            assert one.get_xdata().tolist() == [1.0, 2.0, 3.0]


def test_lines_with_long_names_are_told_apart_by_what_differs(ax):
    begin = "frontline heads, Mon-Fri 12:00-20:00"
    frame = frames.load()
    models = list(dict.fromkeys(frame["assistant.model"]))
    named = frame["assistant.model"].map({one: f"{begin} {k}" for k, one in enumerate(models)})
    plots.against_load(frame.assign(**{"assistant.model": named}), ax)
    shown = texts(ax)
    assert {str(k) for k in range(len(models))} <= set(shown)
    assert any(text.startswith(f"lines: {begin}\n") for text in shown)


def test_a_limit_is_marked_and_charts_may_have_one_span(ax):
    plots.against_load(frames.load(), ax, limit=50.0, span=(0.0, 5000.0))
    (mark,) = [one for one in ax.lines if one.get_gid() == "limit"]
    assert mark.get_ydata()[0] == 50.0
    assert ax.get_ylim()[1] >= 5000.0
    assert any("dashed: limit" in text for text in texts(ax))


def test_intervals_are_cut_off_where_no_value_can_be(ax):
    frame = frames.load().assign(unit="share", value=0.5, low=-0.4, high=1.4)
    plots.against_load(frame, ax)
    drawn = np.concatenate([one.get_paths()[0].vertices[:, 1] for one in ax.collections])
    assert drawn.min() == 0.0
    assert drawn.max() == 1.0


@pytest.mark.parametrize(
    ("high_s", "unit", "shown"),
    [(90.0, "seconds", 1.0), (600.0, "minutes", 60.0), (9000.0, "hours", 3600.0),
     (400000.0, "days", 86400.0)],
)  # fmt: skip
def test_seconds_are_read_in_the_unit_that_suits(ax, high_s, unit, shown):
    ax.set_ylim(0, high_s)
    assert style.time_axis(ax) == unit
    for place, text in zip(ax.get_yticks(), ticks(ax.yaxis), strict=True):
        assert float(text) == pytest.approx(place / shown)


def test_levels_that_grow_by_ratio_make_the_axis_do_so(ax):
    style.levels_axis(ax, pd.Series([0.1, 0.4, 1.6, 0.1]))
    assert ax.get_xscale() == "log"
    assert ticks(ax.xaxis) == ["0.1", "0.4", "1.6"]
    ax.clear()
    style.levels_axis(ax, pd.Series([-1, 0, 2]))
    assert ax.get_xscale() == "linear"
    assert ticks(ax.xaxis) == ["-1", "0", "2"]


def crowd(count):
    """Points in a small place, each with a name."""
    places = np.random.default_rng(3).uniform(0.4, 0.6, (count, 2))
    # What is dearer tends to be better, so that many are on the front.
    places[:, 1] = places[:, 0] + 0.2 * (places[:, 1] - 0.5)
    columns = {
        "cost": places[:, 0],
        "good": places[:, 1],
        "scenario": [f"name {k}" for k in range(count)],
    }
    frame = pd.DataFrame(columns)
    for name in ("cost", "good"):
        frame[f"{name}_low"], frame[f"{name}_high"] = frame[name] - 0.01, frame[name] + 0.01
    frame = frame.sort_values("cost", ignore_index=True)
    best = frame["good"].cummax().shift(fill_value=-1)
    return frame.assign(front=frame["good"] > best)


def test_names_of_points_keep_apart(ax):
    frame = crowd(8)
    plots.pareto(frame, ax)
    assert {*frame["scenario"]} <= set(texts(ax))
    ax.figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in ax.texts if t.get_text().startswith("name")]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.shrunk(0.98, 0.98).overlaps(other.shrunk(0.98, 0.98))


def test_of_many_points_some_of_the_front_are_named(ax):
    frame = crowd(60)
    plots.pareto(frame, ax)
    named = {text for text in texts(ax) if text.startswith("name")}
    front = frame.loc[frame["front"], "scenario"]
    assert named <= set(front)
    assert {front.iloc[0], front.iloc[-1]} <= named
    assert 2 <= len(named) <= MOST_NAMED
    assert len(line(ax, "beaten").get_xdata()) == 60 - len(front)


def test_the_front_is_a_line_and_the_beaten_are_not_on_it(ax):
    frame = frames.front()
    plots.pareto(frame, ax)
    on = frame[frame["front"]]
    for label in ("front", "on the front"):
        drawn = line(ax, label)
        assert drawn.get_xdata().tolist() == on["cost"].tolist()
        assert drawn.get_ydata().tolist() == on["good"].tolist()
    assert line(ax, "beaten").get_xdata().tolist() == [4.8]
    assert {*frame["scenario"]} <= set(texts(ax))


def test_the_warm_up_is_suggested_where_the_frame_says(ax):
    frame = frames.warm_up()
    plots.warm_up(frame, ax, name="open tickets", warm_up_s=86400.0)
    assert line(ax, "mean").get_ydata().tolist() == frame["mean"].tolist()
    np.testing.assert_array_equal(line(ax, "smoothed").get_ydata(), frame["smoothed"])
    (mark,) = [one for one in ax.lines if one.get_gid() == "suggestion"]
    assert mark.get_xdata()[0] == 2 * 86400.0
    ax.clear()
    plots.warm_up(frame.assign(suggestion=np.nan), ax)
    assert not [one for one in ax.lines if one.get_gid() == "suggestion"]


def test_dollars_in_names_are_no_formulas(ax):
    frame = frames.by_category().assign(category=["a $x$ b", "$$", r"$\frac$"])
    plots.ratings_by_category(frame, ax)
    ax.figure.canvas.draw()


def test_colours_differ_and_keep_their_meaning():
    assert len(set(style.COLOURS)) == len(style.COLOURS)
    assert set(over_time.STATUS_COLOURS) == set(STATUSES)
    assert len(set(over_time.STATUS_COLOURS.values())) == len(STATUSES)
    assert {to_hex(c) for c in style.COLOURS} == set(style.COLOURS)


def test_labels_keep_apart():
    places = style.spread([0.0, 0.01, 0.02, 0.9, 1.0], 0.1)
    assert all(b - a >= 0.1 - 1e-6 for a, b in itertools.pairwise(places))
    assert places[0] >= 0
    assert places[-1] <= 1
    assert style.spread([0.2, 0.8], 0.1) == [0.2, 0.8]


def test_days_are_named_and_hours_counted(ax):
    style.clock_axis(ax, 3 * 86400.0, date(2026, 1, 5))
    ax.figure.canvas.draw()
    assert [t for t in ticks(ax.xaxis) if ":" not in t] == ["Mon", "Tue", "Wed", "Thu"]
    style.clock_axis(ax, 60 * 86400.0, date(2026, 1, 5))
    ax.figure.canvas.draw()
    assert "19 Jan" in ticks(ax.xaxis)
    style.clock_axis(ax, 8 * 3600.0, None)
    ax.figure.canvas.draw()
    assert ticks(ax.xaxis) == ["0", "2", "4", "6", "8"]
    assert ax.get_xlabel() == "hours since the start"


@pytest.mark.parametrize("name", EVERY)
def test_pictures_for_pages_are_sound_xml_with_names_of_their_own(name):
    draw, frame = EVERY[name]
    text = plots.svg(lambda ax: draw(frame(), ax), "first")
    if name == "call_latency":
        assert text == plots.svg(lambda ax: draw(frame(), ax), "first")
    ElementTree.fromstring(text)
    names = set(re.findall(r' id="([^"]*)"', text))
    pointers = set(re.findall(r'(?:url\(|href=")#([^")]*)', text))
    assert pointers <= names
    assert all(one.startswith("first-") for one in names)
    assert style.INK not in text
    assert "http" not in re.sub(r'xmlns[^=]*="[^"]*"', "", text)


def points_of(path):
    """The points of a path of straight lines, given by where or by how far they go."""
    at, found = np.zeros(2), []
    for command, numbers in re.findall(r"([MLlz])([^MLlz]*)", path):
        values = [float(n) for n in re.findall(r"-?[\d.]+", numbers)]
        for pair in np.reshape(values, (-1, 2)):
            at = at + pair if command == "l" else pair
            found.append(at)
    return np.array(found)


def test_short_paths_go_where_the_long_ones_go(ax):
    x = np.linspace(0, 40, 300)
    ax.plot(x, np.cumsum(np.sin(x * 3) + 0.2))
    file = StringIO()
    ax.figure.savefig(file, format="svg")
    long = re.findall(r' d="([^"]*)"', re.sub(r"\s+", " ", file.getvalue()))
    short = re.findall(r' d="([^"]*)"', picture.compact(file.getvalue(), "a"))
    pairs = [(one, other) for one, other in zip(long, short, strict=True) if not {*"CQ"} & {*one}]
    assert max(len(one) for one, _ in pairs) > 1000
    for one, other in pairs:
        assert len(other) < len(one)
        # Rounding does not add up along the way.
        np.testing.assert_allclose(points_of(other), points_of(one), atol=0.0501)
