"""Frames for figures: by hand where they are small, else against the key figures."""

import numpy as np
import pandas as pd
import pytest
from handmade import run_log, timeline

from twin.experiments.replication import play as play_desk
from twin.measures import series
from twin.measures.figures import measure
from twin.measures.levels import area, backlog, levels
from twin.scenario.model import from_data
from twin.stats.intervals import summarize

DAY = 86400.0
DESK = {
    "horizon": "3d",
    "warm_up": "1d",
    "time_zone": "Europe/London",
    "start": "2026-01-05",
    "arrivals": {"rate": "30/h"},
    "tickets": {"category_mix": {"Login": 2, "Payment": 1, "Other": 1}},
    "assistant": {"role": "full", "backend": "profile", "confidence_threshold": 0.4},
    "agents": {
        "all": {
            "shifts": [{"days": "daily", "start": "08:00", "end": "20:00", "heads": 3}],
            "handle_time": "8min",
        }
    },
    "targets": {
        "first_response": {"normal": "10min"},
        "resolution": {"normal": "4h"},
    },
    "customers": {"patience": {"distribution": "exponential", "mean": "6h"}},
}


@pytest.fixture(scope="module", params=["around the clock", "desk hours"])
def played(request):
    scenario = from_data(DESK | {"targets": DESK["targets"] | {"clock": request.param}})
    return scenario, play_desk(scenario)


def value(kpis, kpi, group=""):
    return kpis.set_index(["kpi", "group"]).loc[(kpi, group), "value"]


def test_throughput_counts_arrivals_and_last_resolutions_an_hour():
    log = run_log(
        7200.0,
        tickets=[
            {"arrived_s": 10.0, "resolved_s": 4000.0, "status": "Closed"},
            {"arrived_s": 20.0, "resolved_s": 4100.0, "status": "Reopened"},
            {"arrived_s": 3700.0},
        ],
    )
    frame = series.throughput(log.tickets, 7200.0, every_s=1800.0)
    assert frame["mean"].tolist() == [4, 0, 2, 0, 0, 0, 2, 0]
    assert frame["flow"].tolist() == ["arrivals"] * 4 + ["resolved"] * 4
    assert frame["low"].isna().all()


def test_the_band_holds_the_middle_of_the_replications():
    tickets = pd.DataFrame(
        {
            "replication": np.repeat(np.arange(5), [1, 2, 3, 4, 10]),
            "arrived_s": 1.0,
            "resolved_s": np.nan,
            "status": "Open",
        }
    )
    row = series.throughput(tickets, 3600.0).iloc[0]
    assert row["mean"] == 4
    assert (row["low"], row["high"]) == tuple(np.quantile([1, 2, 3, 4, 10], [0.1, 0.9]))


def test_levels_add_up_pools_and_keep_the_area(played):
    scenario, one = played
    fine = levels(one.log, scenario)
    frame = series.levels_over_time(fine, every_s=3 * 3600.0)
    width = frame["end_s"] - frame["start_s"]
    for name in ("backlog", "queue", "busy", "staffed"):
        rows = fine[fine["level"] == name]
        expected = (rows["mean"] * (rows["end_s"] - rows["start_s"])).sum()
        assert (frame["mean"] * width)[frame["level"] == name].sum() == pytest.approx(expected)


def test_statuses_are_averages_over_time():
    log = run_log(
        100.0,
        timeline=[
            *timeline(1, (0.0, "Open"), (25.0, "In Progress"), (50.0, "Resolved")),
            *timeline(2, (60.0, "Open")),
        ],
    )
    frame = series.statuses(log.timeline, 100.0, every_s=50.0)
    table = frame.pivot(index="status", columns="start_s", values="mean")
    assert table.loc["Open"].tolist() == pytest.approx([0.5, 0.8])
    assert table.loc["In Progress"].tolist() == pytest.approx([0.5, 0.0])
    assert table.loc["Resolved"].tolist() == pytest.approx([0.0, 1.0])


def test_a_desk_s_own_statuses_are_told_apart_by_name():
    """Two of one status, and a status without a name of its own."""
    rows = [(1, 0.0, "Open", "New"), (1, 25.0, "In Progress", "Triage"),
            (1, 50.0, "In Progress", "Repair"), (2, 60.0, "Open", "New"),
            (2, 80.0, "Abandoned", None)]  # fmt: skip
    own = pd.DataFrame(rows, columns=["ticket_id", "time_s", "status", "detail"])
    own = own.astype({"status": "category", "detail": "category"}).sort_values("time_s")
    frame = series.statuses(own, 100.0, every_s=50.0)
    table = frame.pivot(index=["status", "name"], columns="start_s", values="mean")
    assert {key: row.tolist() for key, row in table.iterrows()} == {
        ("Open", "New"): pytest.approx([0.5, 0.4]),
        ("In Progress", "Triage"): pytest.approx([0.5, 0.0]),
        ("In Progress", "Repair"): pytest.approx([0.0, 1.0]),
        ("Abandoned", "Abandoned"): pytest.approx([0.0, 0.4]),
    }
    core = series.statuses(own.drop(columns="detail"), 100.0, every_s=50.0)
    assert (core["name"] == core["status"]).all()
    summed = frame.groupby(["status", "start_s"])["mean"].sum()
    pd.testing.assert_series_equal(summed, core.groupby(["status", "start_s"])["mean"].sum())
    lives = series.ticket_lives(own, [1, 2], 100.0)
    assert lives["name"].tolist() == ["New", "Triage", "Repair", "New", "Abandoned"]
    assert lives["status"].tolist() == ["Open", "In Progress", "In Progress", "Open", "Abandoned"]


def test_open_statuses_add_up_to_the_backlog(played):
    scenario, one = played
    shuffled = one.log.timeline.sample(frac=1, random_state=1).sort_values("time_s", kind="stable")
    for table in (one.log.timeline, shuffled):
        frame = series.statuses(table, scenario.horizon)
        rows = frame[frame["status"].isin(series.OPEN_STATUSES)]
        total = (rows["mean"] * (rows["end_s"] - rows["start_s"])).sum()
        assert total == pytest.approx(area(backlog(one.log), 0.0, scenario.horizon))


def test_replications_are_averaged(played):
    scenario, one = played
    twice = pd.concat([one.log.timeline.assign(replication=k) for k in (0, 1)])
    single = series.statuses(one.log.timeline, scenario.horizon)
    pd.testing.assert_frame_equal(series.statuses(twice, scenario.horizon), single)


def test_service_by_hour_agrees_with_the_key_figures(played):
    scenario, one = played
    for of, kpi in (
        ("first response", "service_level"),
        ("resolution", "resolution_within_target"),
    ):
        frame = series.service_by_hour(one.log.tickets, scenario, of)
        assert len(frame) == 168
        kept = (frame["share"] * frame["tickets"]).sum()
        assert kept / frame["tickets"].sum() == pytest.approx(value(one.kpis, kpi))


def test_curves_agree_with_the_key_figures(played):
    scenario, one = played
    frame = series.response_times(one.log.tickets, scenario, points=10**6)
    normal = frame[frame["priority"] == "normal"]
    assert normal["seconds"].is_monotonic_increasing
    within = normal.loc[normal["seconds"] <= 600.0 + 1e-6, "share"].max()
    # The curve leaves all open tickets out, the figure only those that are not late yet.
    assert within == pytest.approx(value(one.kpis, "service_level"), abs=0.02)
    assert (normal["target_s"] == 600.0).all()
    few = series.response_times(one.log.tickets, scenario, points=7)
    assert len(few) == 7
    joined = few.merge(frame, on=["priority", "seconds", "share"])
    assert len(joined) == 7


def test_confusion_agrees_with_the_key_figures(played):
    scenario, one = played
    frame = series.confusion(one.log.tickets, scenario)
    assert len(frame) == 9
    for row in frame.itertuples():
        assert row.share == pytest.approx(
            value(one.kpis, "confusion", f"{row.true} -> {row.given}")
        )
    right = frame.loc[frame["true"] == frame["given"], "tickets"].sum()
    accuracy = value(one.kpis, "categorization_accuracy")
    assert right / frame["tickets"].sum() == pytest.approx(accuracy)


def test_the_hour_of_the_week_is_local_also_when_clocks_change():
    # Clocks go forward on Sunday 2026-03-29 at 01:00.
    scenario = from_data(DESK | {"start": "2026-03-28"})
    moments = np.array([0.0, 3600.0, DAY, DAY + 3600.0, DAY + 2 * 3600.0])
    saturday, sunday = 5 * 24, 6 * 24
    expected = [saturday, saturday + 1, sunday, sunday + 2, sunday + 3]
    assert series.hour_of_week(moments, scenario).tolist() == expected


def test_ratings_by_category_and_over_time_agree_with_the_mean(played):
    scenario, one = played
    tickets = series.measured(one.log.tickets, scenario)
    by = series.ratings_by_category(one.log.ratings, tickets)
    mean = (by["mean"] * by["ratings"]).sum() / by["ratings"].sum()
    assert mean == pytest.approx(value(one.kpis, "rating_mean"))
    assert by["mean"].is_monotonic_decreasing
    assert ((by["low"] < by["mean"]) & (by["mean"] < by["high"])).all()
    over = series.ratings_over_time(one.log.ratings, scenario.horizon)
    assert over["ratings"].sum() == len(one.log.ratings)
    total = (over["mean"] * over["ratings"]).sum()
    assert total == pytest.approx(one.log.ratings["rating"].sum())


def test_the_version_in_use_is_that_of_most_answers():
    ratings = pd.DataFrame(
        {
            "rated_s": [0.0, 1.0, 2.0, 60.0, 120.0],
            "rating": [5, 4, 3, 1, 2],
            "prompt_version": ["1", "1", "2", None, "2"],
        }
    )
    frame = series.ratings_over_time(ratings, 180.0, every_s=60.0)
    assert frame["version"].fillna("-").tolist() == ["1", "-", "2"]
    assert frame["mean"].tolist() == [4.0, 1.0, 2.0]


def test_shares_of_stars_come_with_their_intervals(played):
    _, one = played
    kpis = pd.concat([one.kpis.assign(replication=k, scenario="a") for k in (0, 1)])
    frame = series.rating_shares(summarize(kpis))
    assert frame["rating"].tolist() == [1, 2, 3, 4, 5]
    assert frame["share"].sum() == pytest.approx(1.0)
    assert (frame["low"] <= frame["share"]).all()


def test_calls_over_time_and_single_calls():
    calls = pd.DataFrame(
        {
            "step": ["categorize", "respond", "respond", "respond"],
            "model": "m",
            "asked_s": [0.0, 10.0, 70.0, 80.0],
            "started_s": [0.0, 12.0, 75.0, np.nan],
            "ended_s": [1.0, 14.0, 76.0, np.nan],
            "quota_wait_s": [0.0, 2.0, 4.0, 0.0],
            "rate_limited": [0, 1, 3, 0],
            "completion_tokens": [15, 120, 0, 0],
            "outcome": ["ok", "ok", "rate limited", None],
        }
    )
    frame = series.calls_over_time(calls, 180.0, every_s=60.0)
    assert frame["calls"].tolist() == [2, 2, 0]
    assert frame["quota_wait_s"].tolist()[:2] == [1.0, 2.0]
    assert np.isnan(frame["quota_wait_s"].iloc[2])
    assert frame["rate_limited"].tolist() == [1, 3, 0]
    assert frame["failed"].tolist() == [0, 1, 0]
    sample = series.call_sample(calls)
    assert sample["step"].tolist() == ["categorize", "respond"]
    assert sample["latency_s"].tolist() == [1.0, 2.0]
    many = pd.concat([calls] * 500)
    assert len(series.call_sample(many, most=20)) == 40


def test_lives_run_from_arrival_to_the_end():
    log = run_log(
        100.0,
        timeline=[
            *timeline(
                1, (10.0, "Open"), (10.0, "In Progress"), (12.0, "Resolved"), (42.0, "Closed")
            ),
            *timeline(2, (50.0, "Open")),
        ],
    )
    frame = series.ticket_lives(log.timeline, [2, 1], 100.0)
    assert frame["ticket_id"].tolist() == [2, 1, 1, 1]
    assert frame["status"].tolist() == ["Open", "In Progress", "Resolved", "Closed"]
    assert frame["start_s"].tolist() == [0.0, 0.0, 2.0, 32.0]
    assert frame["end_s"].tolist() == [50.0, 2.0, 32.0, 32.0]


def test_stories_tell_what_became_of_tickets(played):
    _, one = played
    told = series.stories(one.log.tickets).set_index("story")["ticket_id"]
    tickets = one.log.tickets.set_index("ticket_id")
    assert tickets.at[told["answered by the assistant"], "resolved_by"] == "assistant"
    assert tickets.at[told["reopened, then resolved"], "reopens"] > 0
    assert tickets.at[told["abandoned"], "status"] == "Abandoned"


def test_tickets_that_waited_for_the_customer_have_a_story_of_their_own():
    tickets = pd.DataFrame(
        {
            "ticket_id": [1, 2, 3, 4],
            "arrived_s": 0.0,
            "resolved_s": [5.0, 6.0, 7.0, 8.0],
            "resolved_by": ["agent", "agent", "automatic", "agent"],
            "transfers": 0,
            "reopens": [0, 0, 0, 1],
            "status": "Resolved",
        }
    )
    told = series.stories(tickets, [2, 3, 4]).set_index("ticket_id")["story"]
    assert told.to_dict() == {
        1: "resolved by an agent",
        2: "resolved by an agent who asked back",
        3: "resolved automatically",
        4: "reopened, then resolved",
    }


def test_the_front_is_what_nothing_beats():
    rows = [("cheap", 1, 0.5), ("good", 3, 0.9), ("bad", 3, 0.4), ("middle", 2, 0.7)]
    summary = pd.DataFrame(
        [
            {"scenario": name, "kpi": kpi, "group": "", "value": v, "low": v, "high": v}
            for name, cost, csat in rows
            for kpi, v in (("cost_per_arrival", cost), ("csat_all", csat))
        ]
    )
    frame = series.pareto(summary)
    assert frame.loc[frame["front"], "scenario"].tolist() == ["cheap", "middle", "good"]
    assert frame.loc[~frame["front"], "scenario"].tolist() == ["bad"]


def test_an_empty_run_makes_empty_frames():
    log = run_log(3600.0)
    scenario = from_data(DESK)
    assert (series.throughput(log.tickets, 3600.0)["mean"] == 0).all()
    assert not len(series.statuses(log.timeline, 3600.0))
    assert not len(series.stories(log.tickets))
    assert not len(series.response_times(log.tickets, scenario))
    assert series.service_by_hour(log.tickets, scenario)["share"].isna().all()
    assert not len(series.confusion(log.tickets, scenario))
    assert not len(series.call_sample(log.calls))
    assert not len(series.ratings_over_time(log.ratings, 3600.0))
    assert not len(series.ratings_by_category(log.ratings, log.tickets))
    assert not len(series.levels_over_time(pd.DataFrame(columns=["start_s", "end_s", "level",
                                                                 "pool", "mean"])))  # fmt: skip


@pytest.mark.parametrize("days", [0.01, 1, 8, 365, 36500])
def test_a_run_has_a_legible_number_of_intervals(days):
    length = series.interval_length(days * DAY)
    assert length >= 3600.0
    assert days * DAY / length <= 240


def test_measuring_is_left_to_the_key_figures(played):
    scenario, one = played
    pd.testing.assert_frame_equal(measure(one.log, scenario), one.kpis)


def test_along_a_factor_the_others_are_pooled_by_numerator_and_denominator():
    rows = [
        (load, staff, k, "csat", "", "share", good, rated, load + staff)
        for load, staff, k, good, rated in [
            (1, 2, 0, 8.0, 10.0), (1, 2, 1, 6.0, 10.0), (1, 3, 0, 1.0, 2.0), (1, 3, 1, 2.0, 2.0),
            (2, 2, 0, 3.0, 4.0), (2, 2, 1, 1.0, 4.0), (2, 3, 0, np.nan, 4.0), (2, 3, 1, 1.0, 4.0),
        ]
    ]  # fmt: skip
    columns = ["load", "staff", "replication", "kpi", "group", "unit", "numerator", "denominator"]
    frame = pd.DataFrame(rows, columns=[*columns, "scenario"])
    pooled = series.along(frame, "load").set_index("load")["value"]
    assert pooled[1] == pytest.approx((8 + 6 + 1 + 2) / (10 + 10 + 2 + 2))
    assert np.isnan(pooled[2])  # a price that nobody knows is not nothing
    apart = series.along(frame, "load", ["staff"]).set_index(["load", "staff"])
    assert apart.loc[(1, 3), "value"] == pytest.approx(3 / 4)
    assert apart.loc[(1, 2), "low"] < 0.7 < apart.loc[(1, 2), "high"]
