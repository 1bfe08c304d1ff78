"""Local time of a run, in many zones and over many changes of clocks."""

import itertools
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from strategies import SETTINGS

from twin.demand.tickets import draw
from twin.measures import series
from twin.records.export import _iso
from twin.report import pictures, plots
from twin.scenario import clock
from twin.scenario.model import from_data

DAY = 86400.0
# Changes by half an hour, at midnight, of a whole day, and often.
ODD = ["Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut",
       "America/Havana", "Pacific/Apia", "Africa/Casablanca", "Asia/Tehran", "Asia/Kathmandu",
       "America/St_Johns", "Europe/London", "America/New_York", "America/Santiago"]  # fmt: skip
zones = st.sampled_from(ODD) | st.sampled_from(sorted(available_timezones()))
dates = st.dates(date(2000, 1, 1), date(2030, 12, 31))


@st.composite
def starts(draw):
    """A day in a zone, as often as not one shortly before the clocks change."""
    zone, day = ZoneInfo(draw(zones)), draw(dates)
    if draw(st.booleans()):
        days = (day + timedelta(days=k) for k in range(400))
        shifts = (clock.midnight(d, zone) for d in days)
        day = next((m.date() for m in shifts if clock.changes(m, 3 * DAY)), day)
    return clock.midnight(day, zone)


def shown(start, moment_s):
    """The local time at a moment, by the standard library alone."""
    return datetime.fromtimestamp(start.timestamp() + float(moment_s), start.tzinfo)


def desk(start, horizon="4d", **arrivals):
    data = {"rate": "60/h", **arrivals}
    pool = {"heads": 1, "handle_time": "1s"}
    zone = str(start.tzinfo)
    return from_data({"start": start.date().isoformat(), "time_zone": zone, "horizon": horizon,
                      "arrivals": data, "agents": {"all": pool}})  # fmt: skip


@SETTINGS
@example(datetime(2000, 9, 28, tzinfo=ZoneInfo("Africa/Cairo")), [24 * 3600])
@given(starts(), st.lists(st.integers(0, 20 * 86_400), min_size=1, max_size=30))
def test_moments_are_shown_as_the_zone_shows_them(start, moments):
    moments = np.array(moments, dtype=float)
    local = clock.local_s(moments, start)
    midnight = datetime(*start.timetuple()[:3])
    for at, seconds in zip(moments, local, strict=True):
        then = shown(start, at)
        assert midnight + timedelta(seconds=seconds) == then.replace(tzinfo=None)
        assert clock.local(at, start) == then
    of_week = clock.hour_of_week(moments, start).tolist()
    assert of_week == [t.weekday() * 24 + t.hour for t in (shown(start, at) for at in moments)]
    assert of_week == series.hour_of_week(moments, desk(start)).tolist()
    stamps = _iso(SimpleNamespace(to_numpy=lambda: moments), desk(start))
    # By clock and offset: where an hour comes twice, moments of two kinds of zone are never equal.
    found = [(t.replace(tzinfo=None), t.utcoffset()) for t in map(datetime.fromisoformat, stamps)]
    expected = [(t.replace(tzinfo=None), t.utcoffset()) for t in (shown(start, m) for m in moments)]
    assert found == expected


@SETTINGS
@given(starts(), st.sampled_from([3600.0, 4 * DAY, 5.5 * 3600 + 7]))
def test_hours_of_the_clock_begin_where_it_shows_another_hour(start, end_s):
    edges = clock.hours(start, end_s)
    assert edges[0] == 0
    assert edges[-2] < end_s <= edges[-1]
    for low, high in itertools.pairwise(edges):
        inside = [shown(start, at) for at in np.linspace(low, high, 7)[:-1]]
        assert len({(t.date(), t.hour, t.utcoffset()) for t in inside}) == 1
        before, after = shown(start, high - 1), shown(start, high)
        assert (before.hour, before.utcoffset()) != (after.hour, after.utcoffset())


@SETTINGS
@given(starts(), st.floats(0.1, 10))
def test_days_begin_at_local_midnight_and_changes_are_all_found(start, length):
    days = list(clock.days(start, length * DAY))
    assert days[0] == (start.date(), 0.0)
    for day, at in days[1:]:
        # Where the clocks skip midnight, or a whole day, a day begins when they do.
        assert shown(start, at).date() >= day
        assert shown(start, at - 1).date() <= day
    for at, by in clock.changes(start, length * DAY):
        offsets = [shown(start, at - 1).utcoffset(), shown(start, at).utcoffset()]
        assert (offsets[1] - offsets[0]).total_seconds() == by != 0


@SETTINGS
@given(starts(), st.integers(0, 23))
def test_arrivals_come_in_the_local_hour_that_they_are_given(start, hour):
    hours = [float(k == hour) for k in range(24)]
    busy = desk(start, "2d", kind="hourly", week={"hours": hours}, busyness={"cv": 0.2})
    moments = draw(busy).arrived_s
    assert {shown(start, at).hour for at in moments} <= {hour}
    assert set(series.hour_of_week(moments, busy) % 24) <= {hour}


def axis(start, end_s):
    """Ticks of an axis over a run, as (moment, label)."""
    ax = Figure().subplots()
    plots.style.clock_axis(ax, end_s, start)
    ticks = ax.xaxis.get_major_locator()()
    return [(float(at), ax.xaxis.get_major_formatter()(at)) for at in ticks]


@SETTINGS
@given(starts(), st.sampled_from([0.25, 0.9, 2.0, 4.0, 8.0, 30.0]))
def test_ticks_stand_at_local_hours_and_midnights(start, length):
    ticks = axis(start, length * DAY)
    assert 2 <= len(ticks) <= 30
    for at, label in ticks:
        then = shown(start, at)
        if ":" in label:
            assert label == f"{then:%H:%M}"
            assert then.minute == 0
        else:
            assert label in (f"{then:%a}", f"{then.day} {then:%b}")
            # The first moment of its day, which is not always 00:00.
            assert at == 0 or shown(start, at - 1).date() < then.date()


@SETTINGS
@given(starts(), st.floats(301.0, 20_000.0))
def test_ticks_of_long_runs_are_first_days_of_months_and_years(start, length):
    ticks = axis(start, length * DAY)
    assert 2 <= len(ticks) <= 8
    for at, label in ticks:
        then = shown(start, at)
        assert (then.day, label) == (1, f"{then:%Y}" if then.month == 1 else f"{then:%b}")


@pytest.mark.parametrize(
    "days", [9, 13, 17, 28, 60, 100, 200, 299, 301, 400, 730, 1826, 3652, 9999]
)
def test_dates_of_an_axis_do_not_touch(days):
    figure = Figure(figsize=(plots.style.WIDTH, plots.style.HEIGHT))
    ax = figure.subplots()
    plots.style.clock_axis(ax, days * DAY, datetime(2026, 9, 27, tzinfo=ZoneInfo("Europe/Berlin")))
    # Beside the lines their names take room.
    figure.subplots_adjust(right=0.7)
    figure.canvas.draw()
    boxes = [one.get_window_extent() for one in ax.get_xticklabels() if one.get_text()]
    assert len(boxes) >= 2
    for left, right in itertools.pairwise(boxes):
        # A blank between them, at least.
        assert right.x0 - left.x1 > 3


@pytest.mark.parametrize(("day", "hour"), [("2026-10-24", 34.0), ("2026-03-28", 32.0)])
def test_a_peak_is_named_by_the_local_clock(day, hour):
    start = clock.midnight(date.fromisoformat(day), ZoneInfo("Europe/London"))
    source = SimpleNamespace(scenario=desk(start))
    assert pictures._when(source, hour * 3600, (hour + 1) * 3600) == "Sunday at 09:00"
    long = SimpleNamespace(scenario=desk(start, "30d"))
    for k in range(30):
        then = start.date() + timedelta(days=k)
        assert pictures._when(long, k * DAY, (k + 1) * DAY) == f"{then.day} {then:%B}"
    assert [label for _, label in axis(start, 4 * DAY)][:4] == ["Sat", "Sun", "Mon", "Tue"]


def test_a_day_without_a_zone_is_one_of_utc():
    assert axis(date(2026, 10, 25), 2 * DAY) == axis(datetime(2026, 10, 25, tzinfo=UTC), 2 * DAY)


def test_means_in_words_are_not_rounded_to_another_size():
    """An open ticket and a third, on average, are not one."""
    sizes = {0: "0", 0.3: "0.3", 1: "1", 1.3: "1.3", 9.96: "10", 12.4: "12", 140.6: "141"}
    assert {mean: pictures._size(mean) for mean in sizes} == sizes
