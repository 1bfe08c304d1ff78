"""Shifts, breaks, holidays and changes of clocks as heads over simulated time."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, shifts

from twin.scenario.calendars import staffing, staircase
from twin.scenario.model import Scenario, from_data

H = 3600.0


def heads_of(pool, start="2026-01-05", time_zone="UTC", horizon="4d"):
    """Steps of a pool as (hours since the start, heads)."""
    scenario = Scenario.model_validate(
        {
            "horizon": horizon,
            "start": start,
            "time_zone": time_zone,
            "arrivals": {"rate": "1/h"},
            "agents": {"all": {"handle_time": "1min", **pool}},
        }
    )
    level = staffing(scenario.agents["all"], scenario)
    inside = level.times < scenario.horizon
    return list(zip((level.times[inside] / H).tolist(), level.values[inside].tolist(), strict=True))


def shift(start, end, heads=2, **more):
    return {"start": start, "end": end, "heads": heads, **more}


def test_heads_around_the_clock():
    assert heads_of({"heads": 3}) == [(0, 3)]
    assert heads_of({"heads": 3, "extra_heads": 2}) == [(0, 5)]
    assert heads_of({"heads": 3, "extra_heads": -4}) == [(0, 0)]


def test_a_day_shift():
    assert heads_of({"shifts": [shift("09:00", "17:00")]}, horizon="2d") == [
        (0, 0), (9, 2), (17, 0), (33, 2), (41, 0),
    ]  # fmt: skip


def test_a_shift_over_midnight_was_already_on_when_the_run_starts():
    assert heads_of({"shifts": [shift("22:00", "06:00")]}, horizon="2d") == [
        (0, 2), (6, 0), (22, 2), (30, 0), (46, 2),
    ]  # fmt: skip


def test_a_night_shift_of_fridays_ends_on_saturday():
    week = heads_of({"shifts": [shift("22:00", "06:00", days="Fri")]}, horizon="7d")
    assert week == [(0, 0), (4 * 24 + 22, 2), (5 * 24 + 6, 0)]
    # And one of Sundays is still on when a run starts on Monday.
    sunday = heads_of({"shifts": [shift("22:00", "06:00", days="Sun")]}, horizon="1d")
    assert sunday == [(0, 2), (6, 0)]


def test_a_shift_around_the_clock_has_no_seam():
    assert heads_of({"shifts": [shift("00:00", "24:00")]}) == [(0, 2)]
    assert heads_of({"shifts": [shift("08:00", "08:00")]}) == [(0, 2)]


def test_shifts_that_overlap_add_up():
    two = [shift("08:00", "16:00", 3), shift("12:00", "20:00", 1)]
    day = [(0, 0), (8, 3), (12, 4), (16, 1), (20, 0)]
    assert heads_of({"shifts": two}, horizon="1d") == day


def test_breaks_take_heads_away():
    lunch = {"start": "12:00", "end": "13:00", "heads": 1}
    day = [(0, 0), (9, 2), (12, 1), (13, 2), (17, 0)]
    pool = {"shifts": [shift("09:00", "17:00", breaks=[lunch])]}
    assert heads_of(pool, horizon="1d") == day


def test_breaks_of_a_night_shift_lie_after_midnight_too():
    rests = [
        {"start": "02:00", "end": "03:00", "heads": 1},
        {"start": "23:30", "end": "00:30", "heads": 2},
    ]
    pool = {"shifts": [shift("22:00", "06:00", breaks=rests, days="Mon")]}
    expected = [(0, 0), (22, 2), (23.5, 0), (24.5, 2), (26, 1), (27, 2), (30, 0)]
    assert heads_of(pool, horizon="2d") == expected


def test_more_heads_on_a_break_than_on_shift_leave_nobody():
    lunch = {"start": "12:00", "end": "13:00", "heads": 5}
    tea = {"start": "12:30", "end": "13:30", "heads": 1}
    pool = {"shifts": [shift("09:00", "17:00", breaks=[lunch, tea])]}
    assert heads_of(pool, horizon="1d") == [(0, 0), (9, 2), (12, 0), (13, 1), (13.5, 2), (17, 0)]


def test_extra_heads_come_and_go_with_each_shift():
    two = [shift("08:00", "10:00", 3), shift("12:00", "14:00", 0)]
    more = [(0, 0), (8, 4), (10, 0), (12, 1), (14, 0)]
    assert heads_of({"shifts": two, "extra_heads": 1}, horizon="1d") == more
    fewer = heads_of({"shifts": two, "extra_heads": -1}, horizon="1d")
    assert fewer == [(0, 0), (8, 2), (10, 0)]


def test_days_and_holidays():
    pool = {"shifts": [shift("09:00", "17:00", days="Mon-Wed,Sat")], "holidays": ["2026-01-06"]}
    week = heads_of(pool, horizon="7d")
    begins = [t for t, heads in week if heads]
    assert begins == [9, 2 * 24 + 9, 5 * 24 + 9]


def test_a_holiday_keeps_the_night_shift_of_the_day_before():
    pool = {"shifts": [shift("22:00", "06:00")], "holidays": ["2026-01-06"]}
    assert heads_of(pool, horizon="3d") == [
        (0, 2), (6, 0), (22, 2), (30, 0), (70, 2),
    ]  # fmt: skip


def test_a_pool_in_another_time_zone():
    pool = {"shifts": [shift("09:00", "17:00")], "time_zone": "Asia/Kolkata"}
    # 09:00 there is 03:30 in UTC and 22:30 of the day before in New York.
    assert heads_of(pool, horizon="1d") == [(0, 0), (3.5, 2), (11.5, 0)]
    there = heads_of(pool, horizon="1d", time_zone="America/New_York")
    assert there == [(0, 2), (6.5, 0), (22.5, 2)]


@pytest.mark.parametrize(("start", "length"), [("2026-03-28", 23), ("2026-10-24", 25)])
def test_a_shift_keeps_its_local_hours_when_the_clocks_change(start, length):
    pool = {"shifts": [shift("09:00", "17:00")]}
    days = heads_of(pool, start=start, time_zone="Europe/London", horizon="2d")
    assert days[1:5] == [(9, 2), (17, 0), (9 + length, 2), (17 + length, 0)]


@pytest.mark.parametrize(("start", "hours"), [("2026-03-28", 7), ("2026-10-24", 9)])
def test_a_night_shift_is_shorter_or_longer_when_the_clocks_change(start, hours):
    pool = {"shifts": [shift("22:00", "06:00", days="Sat")]}
    days = heads_of(pool, start=start, time_zone="Europe/London", horizon="2d")
    assert days == [(0, 0), (22, 2), (22 + hours, 0)]


@SETTINGS
@given(st.lists(shifts(), min_size=1, max_size=3), st.integers(-2, 2))
def test_heads_are_never_negative_and_their_hours_add_up(some, extra):
    data = {
        "horizon": "1w",
        "arrivals": {"rate": "1/h"},
        "agents": {"all": {"handle_time": "1min", "shifts": some, "extra_heads": extra}},
    }
    scenario = Scenario.model_validate(data)
    level = staffing(scenario.agents["all"], scenario)
    assert level.times[0] == 0
    assert (np.diff(level.times) > 0).all()
    assert (level.values >= 0).all()
    # A pool is the sum of its shifts.
    parts = []
    for one in some:
        alone = scenario.vary({"agents.all.shifts": [one]})
        parts.append(staffing(alone.agents["all"], alone))
    at = np.unique(np.concatenate([level.times, *(part.times for part in parts)]))
    values = [part.values[np.searchsorted(part.times, at, side="right") - 1] for part in parts]
    whole = level.values[np.searchsorted(level.times, at, side="right") - 1]
    assert (sum(values) == whole).all()


changes = st.lists(st.tuples(st.integers(-50, 100).map(float), st.integers(-3, 3)), max_size=8)


@given(changes, st.lists(st.floats(0, 200), min_size=1, max_size=5))
def test_the_area_under_a_staircase(steps, moments):
    level = staircase(steps)
    for t in moments:
        expected = sum(d * (t - max(at, 0.0)) for at, d in steps if max(at, 0.0) <= t)
        assert level.integral(np.array([t]))[0] == pytest.approx(expected, abs=1e-6)
    assert all(a != b for a, b in itertools.pairwise(level.values))


def test_a_level_is_kept_for_a_pool_and_made_anew_for_another_start_or_length():
    shift = {"days": "Mon-Fri", "start": "08:00", "end": "16:00", "heads": 3}
    desk = from_data({"horizon": "7d", "arrivals": {"rate": "6/h"},
                      "agents": {"front": {"shifts": [shift], "handle_time": "5min"}}})  # fmt: skip
    pool = desk.agents["front"]
    level = staffing(pool, desk)
    assert staffing(pool, desk) is level
    for changes in ({"start": "2026-01-06"}, {"horizon": "3d"}, {"time_zone": "Asia/Tokyo"}):
        other = desk.vary(changes)
        anew = staffing(other.agents["front"], other)
        # The same pool at another time, as of a week that is looked at beside a run.
        assert staffing(pool, other).times.tolist() == anew.times.tolist()
    more = desk.vary({"agents.front.shifts.0.heads": 4})
    assert staffing(more.agents["front"], more).values.max() == 4
