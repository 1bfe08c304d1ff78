"""Durations, rates and clock times survive the way to text and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from twin.scenario import units
from twin.scenario.units import (
    ClockTime,
    Duration,
    Rate,
    format_duration,
    parse_duration,
    parse_rate,
)

seconds = st.floats(0, 1e9, allow_subnormal=False) | st.integers(0, 10**9).map(float)


@given(seconds)
def test_a_duration_survives_its_text(value):
    assert parse_duration(format_duration(value)) == pytest.approx(value, rel=1e-15, abs=1e-16)


@given(st.integers(0, 10**7), st.sampled_from(["s", "min", "h", "d"]))
def test_a_whole_duration_survives_exactly_and_short(count, unit):
    value = count * units.SECONDS[unit]
    text = format_duration(value)
    assert parse_duration(text) == value
    # In the largest unit that divides it, so the number never grows.
    assert float(re.match(r"[\d.]+", text)[0]) <= count


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.sampled_from(["", " ", "  "]))
def test_parts_add_up(hours, minutes, rest, gap):
    text = f"{hours}h{gap}{minutes}min{gap}{rest}s"
    assert parse_duration(text) == hours * 3600 + minutes * 60 + rest


@given(st.floats(1e-12, 1e6))
def test_a_rate_survives_a_dump(value):
    adapter = TypeAdapter(Rate)
    text = adapter.dump_python(value)
    assert adapter.validate_python(text) == value


@given(seconds)
def test_a_duration_survives_a_dump(value):
    adapter = TypeAdapter(Duration)
    loaded = adapter.validate_python(adapter.dump_python(value))
    assert loaded == pytest.approx(value, rel=1e-15, abs=1e-16)


@given(st.integers(0, 24 * 60))
def test_a_clock_time_survives_a_dump(minutes):
    adapter = TypeAdapter(ClockTime)
    text = adapter.dump_python(minutes * 60.0)
    assert re.fullmatch(r"\d\d:\d\d", text)
    assert adapter.validate_python(text) == minutes * 60.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", 90.0),
        ("15min", 900.0),
        ("8h", 28800.0),
        ("7d", 604800.0),
        ("2w", 1209600.0),
        ("250ms", 0.25),
        ("1h30min", 5400.0),
        ("1.5 h", 5400.0),
        (" 0s ", 0.0),
    ],
)
def test_durations_as_people_write_them(text, value):
    assert parse_duration(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("3600/h", 1.0), ("0.2/min", 0.2 / 60), ("100/30min", 100 / 1800), (" 7 / d ", 7 / 86400)],
)
def test_rates_as_people_write_them(text, value):
    assert parse_rate(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "bad", ["", "5", 5, 5.0, None, True, "-5s", "5 parsecs", "s", "1e3s", "5 5s"]
)
def test_what_is_no_duration(bad):
    with pytest.raises(ValueError, match="must be a duration"):
        parse_duration(bad)


@pytest.mark.parametrize("bad", ["", "40", 40, "40h", "/h", "40/", "40/0h", "-1/h", "40/fortnight"])
def test_what_is_no_rate(bad):
    with pytest.raises(ValueError, match="must be a rate"):
        parse_rate(bad)


@pytest.mark.parametrize("bad", ["", "9", 9, "24:01", "12:60", "-1:00", "9:0", "12:00:00", "noon"])
def test_what_is_no_clock_time(bad):
    with pytest.raises(ValidationError, match="must be a time of day"):
        TypeAdapter(ClockTime).validate_python(bad)
