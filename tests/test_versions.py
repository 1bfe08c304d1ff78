"""Versions of a calibrated desk: what days drawn again say of its numbers."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from twin.history.calibrated_file import _times
from twin.history.fit.arrivals import ALIKE_DAYS, EACH_HOUR, DailyCounts, fit_arrivals
from twin.history.slopes import Slopes
from twin.history.versions import _cells, arrivals_factors, draws, steady


def counts(days, seed=1, spread=0.2):
    rng = np.random.default_rng(seed)
    level = 1 + spread * rng.normal(size=(days, 1))
    first = date(2026, 3, 2)
    return DailyCounts(
        tuple(first + timedelta(days=k) for k in range(days)),
        rng.poisson(np.clip(level, 0.2, None) * np.r_[np.zeros(8), [40.0] * 10, np.zeros(6)]) * 1.0,
    )


def test_days_are_drawn_by_kind_and_one_fewer_than_there_are():
    usual = counts(21)
    alike = fit_arrivals(usual)
    each = replace(alike, shape=EACH_HOUR)
    for one in draws(usual, each, 5):
        assert np.bincount(usual.weekday[one], minlength=7).tolist() == [2] * 7
        assert (np.diff(one) >= 0).all()
    all_days = draws(usual, replace(alike, shape=ALIKE_DAYS), 5)
    assert all(len(one) == 20 for one in all_days)
    # The same each time.
    again = draws(usual, replace(alike, shape=ALIKE_DAYS), 5)
    assert all((one == other).all() for one, other in zip(all_days, again, strict=True))
    # A weekday of which there is one day keeps it.
    assert [len(one) for one in draws(counts(8), each, 1)] == [7]


def test_a_long_history_is_drawn_by_weeks():
    usual = counts(60)
    for one in draws(usual, fit_arrivals(usual), 4):
        week = (usual.number // 7)[one]
        whole, times = np.unique(week, return_counts=True)
        of_week = np.bincount(usual.number // 7)
        assert all(n % of_week[k] == 0 for k, n in zip(whole, times, strict=True))


def test_the_rate_of_versions_spreads_as_a_mean_of_its_days():
    usual = counts(28, spread=0.3)
    came = replace(fit_arrivals(usual), shape=ALIKE_DAYS, level="all days alike")
    data = {"arrivals": {"rate": "1/h", "week": {}}}
    found = {
        one.key: one.values for one in arrivals_factors(data, usual, came, draws(usual, came, 2000))
    }
    rate = found["arrivals", "rate"]
    error = usual.totals.std(ddof=1) / 28**0.5 / usual.totals.mean()
    assert rate.mean() == pytest.approx(1.0, abs=1e-6)
    assert rate.std() == pytest.approx(error, rel=0.05)
    hours = found["arrivals", "week", "hours"]
    assert hours.shape == (2000, 168)
    # Hours in which nobody came are as they were.
    assert (hours[:, :8] == 1).all()


def test_factors_lie_around_one_and_are_never_wild():
    assert steady(np.array([1.0, 3.0])).tolist() == [0.5, 1.5]
    assert steady(np.array([0.0, 1e9])).max() < 2


def by_hand(away, agents, work, patience):
    size = len(away)
    return Slopes(np.zeros((size, 3)), np.array(away), np.array(agents), np.array(work),
                  np.array(patience))  # fmt: skip


def test_the_step_along_the_slope_of_waits_by_hand():
    known = by_hand([False], [[-100.0]], [[50.0]], [10.0])
    one, whole = np.ones(1), np.ones((1, 1))
    # Waits of 10 s more than played: a tenth fewer heads, in logarithms.
    assert known.step(10.0 * whole, whole, one)[0, 0] == pytest.approx(np.exp(-0.1))
    # Where work is 10 % more, half of that is told by it already.
    found = known.step(10.0 * whole, 1.1 * whole, one)[0, 0]
    assert found == pytest.approx(np.exp(-(10 - 50 * np.log(1.1)) / 100))
    assert known.step(1e6 * whole, whole, one)[0, 0] == pytest.approx(np.exp(-0.25))
    flat = replace(known, agents=np.zeros((1, 1)))
    assert flat.step(10.0 * whole, whole, one)[0, 0] == 1
    # Agents who come and go: they are away a tenth longer.
    gone = replace(known, away=np.array([True]), agents=np.array([[100.0]]))
    assert gone.step(10.0 * whole, whole, one)[0, 0] == pytest.approx(1.1)
    assert gone.step(-1e6 * whole, whole, one)[0, 0] == 0.25
    assert replace(gone, agents=-gone.agents).step(10.0 * whole, whole, one)[0, 0] == 1


def test_each_pool_takes_the_step_that_its_own_waits_ask_for():
    one, two = np.ones(1), np.ones((1, 2))
    none = [[0.0, 0.0], [0.0, 0.0]]
    apart = by_hand([True, False], [[50.0, 0.0], [0.0, -100.0]], none, [0.0, 0.0])
    # Only the first one's waits are longer.
    assert apart.step(np.array([[10.0, 0.0]]), two, one)[0] == pytest.approx([1.2, 1.0])
    # The second one helps the first, so its waits tell of both.
    helps = replace(apart, agents=np.array([[50.0, -20.0], [0.0, -100.0]]))
    found = helps.step(np.array([[10.0, 10.0]]), two, one)[0]
    assert found == pytest.approx([1 + (10 - 20 * 0.1) / 50, np.exp(-0.1)])
    # A pool whose waits say nothing of its agents is left, and the other one is not.
    blind = replace(helps, agents=np.array([[50.0, -20.0], [0.0, 0.0]]))
    assert blind.step(np.array([[10.0, 10.0]]), two, one)[0] == pytest.approx([1.2, 1.0])


def test_times_away_keep_their_mean_over_versions():
    known = by_hand([True], [[20.0]], [[0.0]], [0.0])
    missing = np.random.default_rng(5).normal(0, 8, (400, 1))
    away = steady(known.step(missing, np.ones((400, 1)), np.ones(400)))
    assert away.mean() == pytest.approx(1, abs=1e-5)
    assert away.std() == pytest.approx(0.4, rel=0.1)


def test_hours_of_shifts_and_values_in_their_units():
    shift = {"days": "Mon,Sun", "start": "23:00", "end": "01:00"}
    assert _cells(shift) == ([0, 1, 6, 0], [23, 0, 23, 0])
    assert _cells({"days": "Tue", "start": "08:00", "end": "09:00"}) == ([1], [8])
    assert _times("2/s", 1.5) == "3/s"
    assert _times("90s", 2) == "3min"
    assert _times([1, 2], [2, 0.5]) == [2.0, 1.0]
