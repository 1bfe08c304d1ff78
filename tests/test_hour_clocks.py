"""Clocks of hours learnt from a log, what a log resolves, and how sure a back-test is."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from twin.history.fit.delay_scores import StepTest
from twin.history.fit.delay_ways import NOTHING
from twin.history.fit.held_back import ALL, better
from twin.history.fit.hour_clocks import HourClock
from twin.history.fit.spells import spells_of
from twin.history.fit.status_numbers import resolution_s

H = 3600.0
MONDAY = pd.Timestamp("2026-01-05")
# Monday to Friday, 8 to 18.
WEEK = np.zeros((7, 24))
WEEK[:5, 8:18] = 1.0


START = datetime(2026, 1, 5, tzinfo=ZoneInfo("UTC"))


def office(midnight=START):
    return HourClock(midnight, 60 * 24 * H, WEEK.ravel())


@pytest.mark.parametrize(
    ("begun_h", "ended_h"),
    [(8, 18), (17, 18), (12, 24 + 18), (20, 24 + 18), (4 * 24 + 8, 4 * 24 + 18)],
)
def test_work_that_fills_the_day_ends_with_it(begun_h, ended_h):
    """Not with the next morning, until which no more passes."""
    clock = office()
    passed = clock.passed(np.array([begun_h * H, ended_h * H]))
    assert clock.moment(passed[1:]) == pytest.approx(ended_h * H)
    assert clock.moment(passed[:1] + np.diff(passed)) == pytest.approx(ended_h * H)


def test_moments_at_work_are_read_back():
    clock = office()
    at = np.array([8.5, 12.0, 17.99, 24 + 9.0, 4 * 24 + 17.0, 7 * 24 + 8.25]) * H
    np.testing.assert_allclose(clock.moment(clock.passed(at)), at)


def test_a_delay_of_nothing_at_night_ends_that_night():
    rows = [
        row for k in range(40) for row in (
            (k, "New", MONDAY + pd.Timedelta(days=k, hours=3)),
            (k, "Taken", MONDAY + pd.Timedelta(days=k, hours=3)),
            (k, "Closed", MONDAY + pd.Timedelta(days=k, hours=10)),
        )
    ]  # fmt: skip
    spells, _ = spells_of(pd.DataFrame(rows, columns=["case", "status", "moment"]))
    new = spells.some(spells.status == spells.names.index("New"))
    clock = office(spells.midnight)
    test = StepTest(new, new, {"office": (clock, clock)}, lambda life: np.ones(len(new)))
    assert not test.error_h("office", NOTHING, ALL).any()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(
    ("step", "resolution"), [("1D", 86_400), ("6h", 3_600), ("45min", 60), ("77s", 1)]
)
def test_a_log_of_days_is_one_of_days_also_where_clocks_change(zone, step, resolution):
    days = pd.date_range("2026-02-20", "2026-04-20", freq="D")
    rows = [
        (k, name, day + j * pd.Timedelta(step))
        for k, day in enumerate(days)
        for j, name in enumerate(("New", "Taken", "Closed"))
    ]
    events = pd.DataFrame(rows, columns=["case", "status", "moment"])
    assert resolution_s(spells_of(events, ZoneInfo(zone))[0]) == resolution


@pytest.mark.parametrize("n", [2, 3, 5, 10, 100])
def test_a_way_that_is_no_better_is_seldom_believed_to_be(n):
    """As seldom of a few days as of many: 2.3 in 100 of normal gains."""
    rng = np.random.default_rng(n)
    wrong = np.mean([better(gains, 0.0) for gains in rng.normal(size=(4000, n))])
    assert 0.015 < wrong < 0.032
    assert better(np.full(n, 1.0), 0.5)
    assert not better(np.full(n, 1.0), 1.5)
    assert not better(np.zeros(1), 0.0)
