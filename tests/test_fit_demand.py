"""Fits of demand and work, from planted histories: what was put in is found again."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import twin
from twin.history.fit.arrivals import (
    ALIKE_DAYS,
    ALIKE_HOURS,
    EACH_HOUR,
    TREND,
    DailyCounts,
    fit_arrivals,
    unusual_days,
    week_shape,
)
from twin.history.fit.estimate import Estimate, jackknife
from twin.history.fit.mix import fit_mix
from twin.history.fit.patience import fit_patience, waits
from twin.history.fit.rosters import sessions
from twin.history.fit.work import fit_work, work_growth

HOURS = [0, 0, 0, 0, 0, 0, 1, 3, 8, 12, 14, 15, 13, 12, 13, 14, 13, 10, 7, 5, 4, 3, 2, 1]
DAYS = [1, 1, 1, 1, 1, 0.3, 0.2]


def counts_of(desk, replication):
    """Arrivals of a drawn replication, day by day and hour by hour."""
    hour = (twin.draw(desk, replication).arrived_s // 3600).astype(int)
    days = int(desk.horizon // 86400)
    counts = np.zeros((days, 24))
    np.add.at(counts, (hour // 24, hour % 24), 1)
    return DailyCounts(tuple(desk.start + timedelta(days=k) for k in range(days)), counts)


def desk_with(weeks, growth=0.0, busyness=None):
    arrivals = {
        "kind": "hourly",
        "rate": "40/h",
        "growth": growth,
        "week": {"hours": HOURS, "days": DAYS},
    }
    if busyness:
        arrivals["busyness"] = busyness
    pool = {"heads": 1, "handle_time": "1min"}
    horizon = {"horizon": f"{7 * weeks}d", "start": "2026-01-05"}
    return twin.from_data({**horizon, "arrivals": arrivals, "agents": {"all": pool}})


def shares_held(desk, truth, replications):
    """Share of replications in which each estimate's interval holds the truth."""
    held = []
    for replication in range(replications):
        fit = fit_arrivals(counts_of(desk, replication))
        pairs = zip(fit.estimates, truth, strict=True)
        held.append([one.low <= value <= one.high for one, value in pairs])
    return np.mean(held, axis=0)


def test_a_planted_spread_of_days_and_hours_is_found():
    desk = desk_with(10, 0.0, {"cv": 0.15, "part_cv": 0.25, "correlation": 0.6})
    held = shares_held(desk, [40.0, 0.0, 0.15, 0.25, 0.6], 20)
    assert (held >= 0.85).all()


def test_hours_of_the_week_are_as_sure_as_is_said():
    desk = desk_with(8, 0.0, {"cv": 0.15, "part_cv": 0.25, "correlation": 0.6})
    truth = np.outer(DAYS, HOURS).ravel() / np.outer(DAYS, HOURS).mean()
    held = []
    for replication in range(5):
        fit = fit_arrivals(counts_of(desk, replication))
        there = truth > 1
        over = (fit.rates / fit.rates.mean())[there] / truth[there]
        held.append((fit.hours.low <= over) & (over <= fit.hours.high))
    assert 0.85 <= np.concatenate(held).mean() <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("weeks", [5, 10])
@pytest.mark.parametrize("growth", [0.0, -0.03])
def test_intervals_of_arrivals_hold_the_truth(weeks, growth):
    desk = desk_with(weeks, growth, {"cv": 0.15, "part_cv": 0.25, "correlation": 0.6})
    held = shares_held(desk, [40 * (1 + growth) ** (weeks - 1 / 7), growth, 0.15, 0.25, 0.6], 100)
    print(weeks, growth, held)
    # The level of a history with a trend that five weeks cannot show is behind.
    assert (held[1:] >= 0.88).all()
    assert held[0] >= (0.88 if growth == 0 else 0.6)


def test_arrivals_that_are_poisson_have_no_more_spread():
    fits = [fit_arrivals(counts_of(desk_with(6), k)) for k in range(20)]
    assert np.mean([fit.spread.hour_cv == 0 for fit in fits]) >= 0.9
    assert np.mean([fit.spread.day_cv for fit in fits]) < 0.03
    assert abs(np.mean([fit.spread.dispersion for fit in fits]) - 1) < 0.03


def test_a_trend_is_chosen_where_it_predicts_better_and_not_without_one():
    grown = [fit_arrivals(counts_of(desk_with(12, 0.08), k)) for k in range(5)]
    level = [fit_arrivals(counts_of(desk_with(12), k)) for k in range(5)]
    assert sum(fit.level == TREND for fit in grown) >= 4
    assert all(abs(fit.growth - 0.08) < 0.02 for fit in grown if fit.level == TREND)
    assert all(abs(fit.growth) < 0.01 for fit in level)


def test_a_holiday_is_unusual_and_left_out_of_the_rates():
    history = counts_of(desk_with(6), 0)
    history.counts[9] = 0
    fit = fit_arrivals(history)
    assert fit.unusual == (date(2026, 1, 14),)
    without = fit_arrivals(history.some(np.arange(42) != 9))
    assert (fit.rates == without.rates).all()


def test_a_quiet_day_that_chance_gives_is_not_unusual():
    days = tuple(date(2026, 1, 5) + timedelta(days=k) for k in range(21))
    counts = np.zeros((21, 24))
    counts[:, 12] = 3
    counts[8, 12] = 0
    assert not unusual_days(DailyCounts(days, counts)).any()


def test_shapes_of_the_week_by_hand():
    days = tuple(date(2026, 1, 5) + timedelta(days=k) for k in range(7))
    counts = np.zeros((7, 24))
    counts[0, 9], counts[0, 10] = 6, 2
    counts[1, 9], counts[1, 10] = 2, 6
    counts[5, 12] = 1
    rates = week_shape(DailyCounts(days, counts), EACH_HOUR).reshape(7, 24)
    assert (rates == counts).all()
    counts[1] *= 0.75
    hours = week_shape(DailyCounts(days, counts), ALIKE_HOURS).reshape(7, 24)
    assert hours[0, [9, 10]] == pytest.approx([8 * 7.5 / 14, 8 * 6.5 / 14])
    assert hours[1].sum() == pytest.approx(6)
    assert hours[5, 12] == 1
    days_ = week_shape(DailyCounts(days, counts), ALIKE_DAYS).reshape(7, 24)
    assert days_[0].tolist() == days_[1].tolist()
    assert days_[0, [9, 10]].tolist() == [3.75, 3.25]
    assert days_[5, 12] == 1


def test_a_history_of_a_few_days_is_taken_as_it_is():
    history = counts_of(desk_with(1), 0)
    fit = fit_arrivals(history)
    assert fit.scores == {}
    assert fit.rates.sum() == pytest.approx(history.counts.sum())


def test_patience_by_hand():
    # 100 s of waiting in all, and two who gave up.
    wait_s = np.array([10.0, 20.0, 30.0, 40.0])
    fit = fit_patience(wait_s, np.array([True, False, True, False]))
    assert fit.mean_s == 50.0
    assert fit.as_data() == {"distribution": "exponential", "mean": "50s"}
    assert fit.estimate.n == 2


def test_patience_where_nobody_gave_up_is_not_known():
    fit = fit_patience(np.array([5.0]), np.array([False]))
    assert fit.mean_s == np.inf
    assert "nobody gave up" in str(fit.estimate)


def planted_waits(rng, n, shape):
    patience = 300 * rng.weibull(shape, n)
    offered = rng.exponential(90, n)
    return np.minimum(patience, offered), patience < offered


def test_the_interval_of_patience_holds_the_truth_and_exponential_is_chosen():
    rng = np.random.default_rng(1)
    fits = [fit_patience(*planted_waits(rng, 400, 1.0)) for _ in range(60)]
    held = np.mean([fit.estimate.low <= 300 <= fit.estimate.high for fit in fits])
    assert held >= 0.9
    assert np.mean([fit.cv == 1.0 for fit in fits]) >= 0.99


def test_patience_of_another_shape_is_told():
    rng = np.random.default_rng(2)
    fits = [fit_patience(*planted_waits(rng, 2000, 2.0)) for _ in range(15)]
    mean = 300 * 0.886227
    assert all(fit.cv == pytest.approx(0.5227, rel=0.1) for fit in fits)
    assert np.mean([fit.estimate.low <= mean <= fit.estimate.high for fit in fits]) >= 0.9


def test_the_interval_of_patience_knows_how_little_of_it_was_seen():
    """Of short waits: made of the count alone it held the mean in half of such desks."""
    rng = np.random.default_rng(3)
    fits = []
    for _ in range(12):
        patience, offered = 600 * rng.weibull(0.6, 800), rng.exponential(60, 800)
        fits.append(fit_patience(np.minimum(patience, offered), patience < offered))
    mean = 600 * 1.504575
    assert all("Weibull" in fit.estimate.method for fit in fits)
    assert np.mean([fit.estimate.low <= mean <= fit.estimate.high for fit in fits]) >= 0.85


def test_waits_leave_out_who_was_turned_away_and_who_did_not_wait():
    visits = pd.DataFrame(
        {
            "queued_s": [0.0, 0.0, 0.0, 5.0, 7.0, np.nan],
            "started_s": [0.0, 30.0, np.nan, np.nan, np.nan, 9.0],
            "ended_s": [9.0, 40.0, 0.0, 25.0, np.nan, 12.0],
            "end": ["done", "done", "blocked", "abandoned", "open", "done"],
        }
    )
    _, wait_s, gave_up = waits(visits, 100.0)
    assert wait_s.tolist() == [30.0, 20.0, 93.0]
    assert gave_up.tolist() == [False, True, False]


def test_handle_times_by_hand_and_the_interval_of_their_mean():
    fit = fit_work(np.array([60.0, 120.0, 60.0, 120.0]), np.array([0, 0, 1, 1]), "agents.a.handle")
    assert fit.mean_s == 90.0
    assert fit.as_data()["mean"] == "90s"
    # Days alike: nothing to be unsure of.
    assert (fit.estimate.low, fit.estimate.high) == (90.0, 90.0)
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(200):
        day = np.repeat(np.arange(20), 10)
        values = rng.gamma(2, 100, 200) * rng.normal(1, 0.1, 20)[day]
        found = fit_work(values, day, "x").estimate
        held += found.low <= 200 <= found.high
    assert 0.9 <= held / 200 <= 0.985


def test_growth_of_handle_times_within_categories():
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(60):
        at_s = np.sort(rng.random(800)) * 8 * 604_800
        # More of the long category later: no growth by itself.
        category = (rng.random(800) < at_s / at_s.max()).astype(np.int64)
        values = np.exp(rng.normal(0, 0.8, 800)) * (100 + 400 * category) * 0.98 ** (at_s / 604_800)
        found = work_growth(values, at_s, category, "growth")
        held += found.low <= -0.02 <= found.high
    assert held >= 54
    assert work_growth(values[:10], at_s[:10], category[:10], "growth").assumed


def test_the_mix_and_its_hours():
    rng = np.random.default_rng(5)
    hour, day = rng.integers(0, 24, 6000), rng.integers(0, 28, 6000)
    flat = fit_mix((rng.random(6000) < 0.3).astype(np.int64), hour, day, ("a", "b"), "mix")
    assert flat.hours is None
    assert flat.estimates[1].low <= 0.3 <= flat.estimates[1].high
    night = (rng.random(6000) < np.where(hour < 6, 0.8, 0.2)).astype(np.int64)
    found = fit_mix(night, hour, day, ("a", "b"), "mix")
    assert found.hours is not None
    shares = found.shares * found.hours
    shares /= shares.sum(axis=1, keepdims=True)
    assert np.abs(shares[:6, 1] - 0.8).max() < 0.15
    assert np.abs(shares[6:, 1] - 0.2).max() < 0.1


spells = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 50_000), st.integers(0, 4_000)), max_size=30
)


@given(spells)
def test_sessions_cover_the_work_and_lie_apart(given_spells):
    visits = pd.DataFrame(given_spells, columns=["agent", "started_s", "ended_s"], dtype=float)
    visits["ended_s"] += visits["started_s"]
    found = sessions(visits)
    for agent, rows in visits.groupby("agent"):
        code = pd.factorize(visits["agent"])[0][rows.index[0]]
        mine = np.flatnonzero(found.agent == code)
        for start, end in zip(rows["started_s"], rows["ended_s"], strict=True):
            inside = (found.start_s[mine] <= start) & (end <= found.end_s[mine])
            assert inside.sum() == 1, agent
        assert all(found.start_s[b] - found.end_s[a] > 1800 for a, b in pairwise(mine))


@given(spells, arrays.arrays(float, 5, elements=st.floats(1, 20_000)))
def test_heads_of_sessions_are_areas(given_spells, steps):
    visits = pd.DataFrame(given_spells, columns=["agent", "started_s", "ended_s"], dtype=float)
    visits["ended_s"] += visits["started_s"]
    found = sessions(visits)
    edges = np.cumsum(np.append(0.0, steps))
    for low, high, mean in zip(edges, edges[1:], found.heads(edges), strict=False):
        inside = np.clip(np.minimum(found.end_s, high) - np.maximum(found.start_s, low), 0, None)
        assert mean * (high - low) == pytest.approx(inside.sum(), abs=1e-6)


def test_the_jackknife_of_a_mean_is_its_usual_interval():
    values = np.random.default_rng(6).normal(size=30)
    low, high = jackknife(lambda kept: np.array([values[kept].mean()]), 30)
    half = 2.04523 * values.std(ddof=1) / np.sqrt(30)
    assert low[0] == pytest.approx(values.mean() - half, rel=1e-4)
    assert high[0] == pytest.approx(values.mean() + half, rel=1e-4)


def test_an_estimate_says_what_it_rests_on():
    assert str(Estimate("a.b", 0.5, "share", n=3, method="counted")) == "50.0 % (n 3; counted)"
