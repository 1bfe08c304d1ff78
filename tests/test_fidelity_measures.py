"""Measures, lines and inputs of a fidelity report, on records written by hand."""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from handmade import run_log, timeline, visit
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

import twin
from twin.history.fidelity import lines, stretch, verdicts
from twin.history.fidelity.inputs import cancelling, inputs
from twin.history.fidelity.measures import Alike, alike, by_group, compared, figures
from twin.history.fidelity.period import period, pooled, whole_days, with_data
from twin.measures.theory import erlang_a
from twin.stats.distance import wasserstein

HOUR, DAY = 3600.0, 86400.0
MONDAY = date(2026, 1, 5).toordinal()
ALL = Alike(tuple(range(7)), tuple(range(24)))


def desk(days=7, **more):
    pool = {"heads": 1, "handle_time": "5min"}
    return twin.from_data(
        {"horizon": f"{days}d", "arrivals": {"rate": "1/h"}, "agents": {"front": pool}, **more}
    )


def served(number, at, wait=0.0, handle=60.0, **more):
    start, end = at + wait, at + wait + handle
    ticket = {"arrived_s": at, "responded_s": start, "resolved_s": end, "status": "Closed", **more}
    changes = timeline(number, (at, "Open"), (start, "In Progress"), (end, "Resolved"))
    return ticket, changes, [visit(number, at, start, end, "done", pool="front")]


def left(number, at, wait):
    ticket = {"arrived_s": at, "status": "Abandoned"}
    changes = timeline(number, (at, "Open"), (at + wait, "Abandoned"))
    return ticket, changes, [visit(number, at, np.nan, at + wait, "abandoned")]


def turned_away(number, at):
    ticket = {"arrived_s": at, "status": "Abandoned"}
    changes = timeline(number, (at, "Open"), (at, "Abandoned"))
    return ticket, changes, [visit(number, at, np.nan, at, "blocked")]


def log_of(days, *made):
    parts = [one(k + 1) for k, one in enumerate(made)]
    rows = sorted((row for _, changes, _ in parts for row in changes), key=lambda r: r["time_s"])
    return run_log(
        days * DAY,
        tickets=[ticket for ticket, _, _ in parts],
        timeline=rows,
        visits=[row for _, _, visits in parts for row in visits],
    )


def make(how, *args, **more):
    return lambda number: how(number, *args, **more)


def a_day(start, waits, handle=60.0):
    return [make(served, start + 9 * HOUR + 600 * k, w, handle) for k, w in enumerate(waits)]


def test_definitions_by_hand():
    log = log_of(
        1,
        make(served, 9 * HOUR, wait=10.0, handle=100.0),
        make(served, 9 * HOUR + 60, wait=0.0, handle=200.0),
        make(left, 10 * HOUR, 30.0),
        make(turned_away, 11 * HOUR),
    )
    found = period(log, desk(1))
    assert found.dates == [MONDAY]
    # Who never joined is neither load nor abandonment.
    assert len(found.tickets) == 3
    assert figures(found) == pytest.approx(
        {
            "arrivals_a_day": 3.0,
            "wait_mean": 5.0,
            "waiting_share": 0.5,
            "abandoned_share": 1 / 3,
            "handle_mean": 150.0,
            # 110, 200 and 30 s of open tickets in a day.
            "open_mean": 340 / DAY,
            "resolved_a_day": 2.0,
        }
    )
    (day,) = found.days.to_dict("records")
    assert day["busy_s"] == 300.0


def test_measures_by_hand():
    real = period(log_of(1, *a_day(0, [0.0, 10.0]), make(left, 15 * HOUR, 60.0)), desk(1))
    other = period(log_of(1, *a_day(0, [20.0, 40.0], 90.0)), desk(1))
    found = compared(real, other, ALL)
    assert found["wait"] == pytest.approx(25.0)
    assert found["response"] == found["wait"]
    assert found["handle"] == pytest.approx(30.0)
    assert found["resolution"] == pytest.approx(55.0)
    assert found["abandonment"] == pytest.approx(-100 / 3)
    assert found["waiting"] == pytest.approx(50.0)
    assert found["hourly"] == pytest.approx(25.0)
    assert found["throughput"] == pytest.approx(0.0)
    # Open: 60 + 70 and 60 s of the one who left, against 110 + 130.
    assert found["backlog"] == pytest.approx(100 * (240 / 190 - 1))
    same = compared(real, real, ALL)
    assert set(same.values()) == {0.0}


def test_hourly_error_is_weighted_by_the_desks_tickets_and_an_empty_hour_counts_as_no_wait():
    real = period(log_of(1, *a_day(0, [30.0] * 3), make(served, 15 * HOUR, 50.0)), desk(1))
    other = period(log_of(1, *a_day(0, [10.0])), desk(1))
    # Three tickets at 9 with an error of 20 s, one at 15 with 50 s.
    assert compared(real, other, ALL)["hourly"] == pytest.approx((3 * 20 + 50) / 4)
    only = Alike((0,), (9,))
    assert compared(real, other, only)["hourly"] == pytest.approx(20.0)


def test_a_day_without_data_is_missing_not_empty():
    made = [one for day in (0, 1, 3, 4, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18)
            for one in a_day(day * DAY, [5.0])]  # fmt: skip
    log, scenario = log_of(21, *made), desk(21)
    days = [day - MONDAY for day in with_data(log, scenario)]
    # A Wednesday is gone; nobody ever comes on weekends, which is no gap.
    assert 2 not in days
    assert {5, 6, 12, 13} <= set(days)
    assert figures(period(log, scenario, [MONDAY, MONDAY + 1]))["arrivals_a_day"] == 1.0
    named = with_data(log, scenario, [date(2026, 1, 6)])
    assert MONDAY + 1 not in named


def test_a_day_that_ends_after_the_records_is_no_whole_day():
    log = log_of(1.5, *a_day(0, [5.0]))
    assert whole_days(log, desk(2)) == [MONDAY]


def test_a_last_day_that_is_nearly_over_counts():
    made = [one for day in range(7) for one in a_day(day * DAY, [5.0] * 40)]
    for ends, days in ((15.7, 7), (11.0, 6)):
        # Tickets come from 9:00 to 15:30.
        log = log_of(6 + ends / 24, *made)
        assert len(with_data(log, desk(7))) == days
        assert len(whole_days(log, desk(7))) == 6


def test_open_work_from_before_counts_and_days_go_by_the_local_clock():
    # Open over midnight from Saturday, on the night in which the clocks go forward.
    log = log_of(3, make(served, 20 * HOUR, 0.0, 10 * HOUR))
    scenario = desk(3, start="2026-03-28", time_zone="Europe/Berlin")
    days = period(log, scenario, whole_days(log, scenario)).days
    assert days["length_s"].tolist()[:2] == [24 * HOUR, 23 * HOUR]
    assert days["open_s"].tolist()[:2] == [4 * HOUR, 6 * HOUR]
    assert days["resolved"].tolist()[:2] == [0.0, 1.0]


def test_every_other_ticket_takes_half_of_each_and_counts_double():
    log = log_of(1, *a_day(0, [0.0, 10.0, 20.0, 30.0]))
    halves = [period(log, desk(1), None, (k, 2)) for k in (0, 1)]
    assert [half.tickets["wait_s"].tolist() for half in halves] == [[0.0, 20.0], [10.0, 30.0]]
    assert [figures(half)["arrivals_a_day"] for half in halves] == [4.0, 4.0]
    assert figures(halves[0])["open_mean"] == pytest.approx(2 * (60 + 80) / DAY)


def test_runs_pooled_are_one_period_of_as_many_days():
    one = period(log_of(2, *a_day(0, [0.0]), *a_day(DAY, [4.0])), desk(2))
    two = period(log_of(2, *a_day(0, [8.0])), desk(2), one.dates)
    both = pooled([one, two])
    assert both.copies == 2
    assert both.dates == one.dates
    assert figures(both)["arrivals_a_day"] == pytest.approx(3 / 4)
    assert figures(both)["wait_mean"] == pytest.approx(4.0)


def test_replay_is_aligned_by_weekday_and_the_last_one_stands_for_the_rest():
    train, test = list(range(MONDAY, MONDAY + 9)), list(range(MONDAY + 14, MONDAY + 35))
    found = lines.source_days(train, test)
    assert all((new - old) % 7 == 0 for new, old in found.items())
    assert [found[MONDAY + 14 + 7 * k] - MONDAY for k in range(3)] == [0, 7, 7]
    assert [found[MONDAY + 16 + 7 * k] - MONDAY for k in range(3)] == [2, 2, 2]
    log = log_of(14, *a_day(0, [3.0]), *a_day(7 * DAY, [9.0]))
    whole = period(log, desk(14), range(MONDAY, MONDAY + 14))
    old = lines.replay(
        whole.on(range(MONDAY, MONDAY + 7)), whole.on(range(MONDAY + 7, MONDAY + 14))
    )
    assert old.tickets["day"].tolist() == [MONDAY + 7]
    assert old.tickets["wait_s"].tolist() == [3.0]
    assert old.dates == list(range(MONDAY + 7, MONDAY + 14))


def test_halves_part_each_weekday():
    days = list(range(MONDAY, MONDAY + 28))
    for first, second in lines.halves(days, 20):
        assert sorted(first + second) == days
        for half in (first, second):
            assert np.bincount([(day - 1) % 7 for day in half]).tolist() == [2] * 7
    # Neighbours are apart, and of an odd number the oldest is left out.
    for first, _ in lines.halves(days[:21], 5):
        assert len(first) == 7
        assert not {(day - 7) in first for day in first if day >= MONDAY + 14} - {False}
    # A single week has no pairs of a weekday: its days are paired with each other.
    assert {len(first) for first, _ in lines.halves(days[:7], 20)} == {3}
    assert lines.halves(days[:3]) == []
    assert lines.halves([]) == []
    # As t of 14 is to the normal.
    assert lines.wider(days) == pytest.approx(2.1448 / 1.95996, abs=1e-4)


def test_alike_weekdays_leave_out_weekends_and_rare_hours():
    made = []
    for day in range(14):
        many = 40 if day % 7 < 5 else 8
        made += [make(served, day * DAY + 10 * HOUR + k, 0.0) for k in range(many)]
    made += [make(served, 3 * HOUR, 0.0)]
    found = alike(period(log_of(14, *sorted(made, key=lambda m: m(1)[0]["arrived_s"])), desk(14)))
    assert found == Alike((0, 1, 2, 3, 4), (10,))


def test_groups_by_kind_and_priority():
    made = [
        make(served, HOUR + k, 10.0, category_true="Login" if k % 2 else "Payment",
             priority="high" if k < 40 else "low") for k in range(80)
    ]  # fmt: skip
    one = period(log_of(1, *made), desk(1))
    found = by_group(one, one, ALL)
    assert found[["by", "group", "tickets"]].to_numpy().tolist() == [
        ["kind", "Login", 40], ["kind", "Payment", 40],
        ["priority", "high", 40], ["priority", "low", 40],
    ]  # fmt: skip
    assert (found["wait"] == 0).all()
    assert by_group(one, one, ALL, least=41).empty


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30),
)
def test_the_distance_is_that_of_scipy(one, two):
    assert wasserstein(one, two) == pytest.approx(wasserstein_distance(one, two), abs=1e-6)


def test_no_distance_from_nothing():
    assert math.isnan(wasserstein([], [1.0]))


def test_erlang_a_by_hour_gives_the_waits_of_the_formula():
    rng = np.random.default_rng(5)
    rate, handle, patience, heads = 30 / HOUR, 300.0, 240.0, 3
    _, gone, _, mean = erlang_a(heads, rate, handle, patience)
    made, days = [], 28
    # Waits with the mean and the share of the formula, by hand: only these are read.
    for day in range(days):
        for k in range(30):
            at = day * DAY + 10 * HOUR + 100.0 * k
            if rng.random() < gone:
                made.append(make(left, at, mean))
            else:
                made.append(make(served, at, mean, handle))
    whole = period(log_of(days, *made), desk(days))
    train, test = whole.on(whole.dates[:14]), whole.on(whole.dates[14:])
    assert lines.one_touch(train) == ""
    found = lines.erlang_by_hour(train, test, alike(whole))
    shown = figures(found)
    assert shown["arrivals_a_day"] == pytest.approx(30)
    assert found.tickets["wait_s"].mean() == pytest.approx(mean, rel=0.25)
    assert shown["abandoned_share"] == pytest.approx(gone, rel=0.25)
    assert set(found.tickets["hour"]) == {10}


def test_erlang_a_keeps_the_hours_in_which_nobody_waits():
    """Left out, its waits would be those of the busy hours, and a twin would look better."""
    days = 28
    made = [
        one
        for day in range(days)
        for k in range(10)
        for one in (
            make(served, day * DAY + 3 * HOUR + 300.0 * k, 0.0, 100.0),
            make(served, day * DAY + 10 * HOUR + 300.0 * k, 20.0, 100.0),
        )
    ] + [make(left, day * DAY + 10 * HOUR + 10.0, 20.0) for day in range(days)]
    whole = period(log_of(days, *made), desk(days))
    train, test = whole.on(whole.dates[:14]), whole.on(whole.dates[14:])
    found = lines.erlang_by_hour(train, test, alike(whole))
    by_hour = found.tickets.groupby("hour")["wait_s"].mean()
    assert figures(found)["arrivals_a_day"] == pytest.approx(21, abs=0.1)
    assert by_hour[3] < 0.1
    assert by_hour[10] == pytest.approx(20.0, rel=0.3)


def test_erlang_a_says_why_it_does_not_apply():
    nobody_left = period(log_of(1, *a_day(0, [5.0])), desk(1))
    assert lines.one_touch(nobody_left) == "nobody gives up"
    twice = log_of(1, *a_day(0, [5.0]), make(left, 20 * HOUR, 5.0))
    again = [visit(1, 10 * HOUR, 10 * HOUR, 11 * HOUR, "done", pool="front")] * 2
    more = run_log(DAY, tickets=[{"arrived_s": 0.0, "status": "Open"}], visits=again)
    assert lines.one_touch(period(more, desk(1))) == "tickets take more than one touch"
    assert lines.one_touch(period(twice, desk(1))) == ""


def test_inputs_by_hand_and_the_alarm():
    def days(handle, waits=(5.0, 6.0, 7.0)):
        made = [one for day in range(14) for one in a_day(day * DAY, waits, handle + day % 3)]
        made += [make(left, 12 * HOUR + day * DAY, 30.0 + day) for day in range(14)]
        return period(log_of(14, *made), desk(14))

    real, longer = days(100.0), days(120.0)
    table = inputs(real, longer, ALL, train=real).set_index("input")
    assert table.loc["load", ["training", "test", "twin"]].tolist() == [4.0, 4.0, 4.0]
    assert table.loc["handle", "gap"] == pytest.approx(121 / 101 - 1, abs=0.01)
    assert table.loc["busy", "gap"] == pytest.approx(table.loc["handle", "gap"])
    waited = 14 * 18 + sum(30 + day for day in range(14))
    assert table.loc["patience", "test"] == pytest.approx(waited / 14)
    assert table["off"].to_dict() == {
        "load": False, "handle": True, "busy": True, "patience": False, "hours": False, "mix": False
    }  # fmt: skip
    assert not table["drift"].any()
    assert cancelling(table.reset_index(), True) == ["handle time", "agents at work"]
    assert cancelling(table.reset_index(), False) == []
    turned = inputs(longer, longer, ALL, train=real).set_index("input")
    assert turned["drift"].to_dict()["handle"]
    assert not turned["off"].any()


def test_what_records_do_not_hold_is_missing():
    whole = period(log_of(14, *(m for d in range(14) for m in a_day(d * DAY, [5.0]))), desk(14))
    blind = replace(whole, unknown=frozenset({"work", "abandonments"}))
    found = compared(blind, whole, ALL)
    gone = {name for name, value in found.items() if math.isnan(value)}
    assert gone == {"wait", "waiting", "hourly", "handle", "abandonment"}
    assert math.isnan(figures(blind)["abandoned_share"])
    assert figures(blind)["open_mean"] == figures(whole)["open_mean"]
    table = inputs(blind, whole, ALL).set_index("input")
    assert table["gap"].isna().to_dict() == {
        "load": False, "handle": True, "busy": True, "patience": True, "hours": False, "mix": False
    }  # fmt: skip
    assert lines.one_touch(blind) == "the starts of work are not known"


def test_verdicts():
    row = {"value": 3.0, "limit": 2.0, "replay": 9.0, "difference_low": -8.0,
           "difference_high": -4.0}  # fmt: skip
    worse = {"difference_low": 1.0, "difference_high": 4.0}
    open_ = {"difference_low": -1.0, "difference_high": 4.0}
    assert verdicts.verdict(row) == verdicts.BETTER
    assert verdicts.verdict(row | worse) == verdicts.WORSE
    assert verdicts.verdict(row | open_) == verdicts.SAME
    assert verdicts.verdict(row | {"replay": math.nan}) == verdicts.BEYOND
    assert verdicts.verdict(row | worse | {"limit": 3.0}) == verdicts.WITHIN
    assert verdicts.verdict(row | {"limit": math.nan}) == verdicts.UNKNOWN


def test_limits_hold_all_measures_at_once_and_shrink_with_the_length():
    rng = np.random.default_rng(2)
    names = list(verdicts.MEASURES)
    halves = pd.DataFrame(rng.normal(0.0, 3.0, (4000, len(names))), columns=names)
    days = list(range(MONDAY, MONDAY + 56))
    found = verdicts.limits(halves, days, 28)
    wider = lines.wider(days, 2.77)
    # Nine normal ones stay together below the quantile of their largest size.
    share = (halves.abs() <= found["limit"] / wider).all(axis=1).mean()
    assert share == pytest.approx(0.95, abs=0.01)
    assert found["limit"]["wait"] / wider / 3 == pytest.approx(2.77, rel=0.06)
    assert found["typical"]["wait"] / 3 == pytest.approx(0.674, rel=0.08)
    longer = verdicts.limits(halves, days, 7)
    assert longer["limit"]["wait"] == pytest.approx(2 * found["limit"]["wait"])
    assert verdicts.limits(halves, days, 3)["limit"].isna().all()
    assert verdicts.limits(halves.iloc[:0], days, 28)["limit"].isna().all()


def test_work_that_ended_nobody_knows_when_is_no_work_in_hand():
    log = run_log(
        DAY,
        tickets=[{"arrived_s": HOUR, "status": "Closed"}, {"arrived_s": HOUR, "status": "Open"}],
        visits=[visit(1, HOUR, HOUR, np.nan, "done"), visit(2, HOUR, 2 * HOUR, np.nan, "open")],
    )
    assert period(log, desk(1)).days["busy_s"].tolist() == [22 * HOUR]


def test_paused_work_is_one_spell():
    rows = [
        visit(1, HOUR, HOUR, HOUR + 100, "paused"),
        visit(1, np.nan, 9 * HOUR, 9 * HOUR + 50, "done"),
        visit(2, HOUR, HOUR, HOUR + 10, "done"),
        visit(2, 2 * HOUR, 2 * HOUR, 2 * HOUR + 20, "handed over"),
        visit(2, np.nan, 2 * HOUR, 2 * HOUR + 5, "done", activity="wrap-up"),
        visit(3, HOUR, HOUR, HOUR + 70, "paused"),
        visit(4, HOUR, HOUR, np.nan, "open"),
    ]
    log = run_log(DAY, tickets=[{"arrived_s": HOUR, "status": "Closed"}] * 4, visits=rows)
    found = period(log, desk(1))
    assert found.touches["handle_s"].tolist() == [150.0, 10.0, 20.0]
    assert found.tickets["wait_s"].tolist() == [0.0] * 4


def test_medians_and_bands():
    assert verdicts.middle([5.0, 1.0, 3.0, 2.0, 4.0]) == (3.0, 1.0, 5.0)
    # Of nine values the second and the eighth hold the median in 96 of 100 cases.
    assert verdicts.middle([float(k) for k in range(9)]) == (4.0, 1.0, 7.0)
    assert all(map(math.isnan, verdicts.middle([math.nan])))
    _, low, high = verdicts.next_one(np.array([0.0, 1.0, 0.0, 1.0, 0.5]))
    assert low == 0.0
    assert high > 1.0


def test_the_median_lies_in_its_interval_as_often_as_said():
    rng = np.random.default_rng(3)
    for n, stated in ((5, 0.9375), (9, 0.95), (20, 0.95)):
        hits = 0
        for _ in range(2000):
            _, low, high = verdicts.middle(rng.exponential(1.0, n).tolist())
            hits += low <= math.log(2) <= high
        assert hits / 2000 > stated - 0.015


def test_days_of_the_test():
    days = list(range(MONDAY, MONDAY + 60))
    words = stretch.in_words
    assert words(stretch.tested("2026-02", days)) == "2026-02-01 to 2026-02-28 (28 days)"
    assert words(stretch.tested("2026-02-20", days)) == "2026-02-20 to 2026-03-05 (14 days)"
    both = stretch.tested("2026-02-02..2026-02-08", days)
    assert words(both) == "2026-02-02 to 2026-02-08 (7 days)"
    assert words(stretch.tested(None, days)) == "2026-02-20 to 2026-03-05 (14 days)"
    assert stretch.before(days, both)[-1] == both[0] - 1
    assert len(stretch.last_of(stretch.before(days, both), both)) == 7
    for text in ("soon", "2026-13", "2026-02-02..", "2026-02-02..2026-02-03..2026-02-04"):
        with pytest.raises(twin.ScenarioError, match="--test: is no time"):
            stretch.tested(text, days)
    with pytest.raises(twin.ScenarioError, match="no whole day with data"):
        stretch.tested("2027-01", days)
    with pytest.raises(twin.ScenarioError, match="--test: ends before it begins"):
        stretch.tested("2026-02-08..2026-02-02", days)
    for text, missing in (
        (None, 0),
        ("2026-02-20", 0),
        ("2026-03", 26),
        ("2026-03-01..2026-03-09", 4),
    ):
        assert stretch.missing(text, stretch.tested(text, days)) == missing


def test_rolling_weeks_are_four_where_there_are():
    days = list(range(MONDAY, MONDAY + 60))
    test = stretch.tested("2026-02-16..2026-03-01", days)
    found = stretch.weeks(days, test)
    assert [date.fromordinal(week[0]).isoformat() for week in found] == [
        "2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23",
    ]  # fmt: skip
    # A week is left before the first, and a gap does not make one.
    short = stretch.weeks(days[:21], days[14:21])
    assert [week[0] - MONDAY for week in short] == [7, 14]
    assert [len(week) for week in stretch.weeks([d for d in days if d % 9], test)] != [7] * 4
