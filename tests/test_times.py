"""Times as programs write them, each read as the moment that it is."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from twin.common.times import BadTime, instant, instants, seconds

NINE = datetime(2026, 10, 24, 9, tzinfo=UTC)


def read(*cells, zone="UTC"):
    return [datetime.fromtimestamp(us / 1e6, UTC) for us in instants(cells, zone).tolist()]


@pytest.mark.parametrize(
    "text",
    [
        # ISO 8601.
        "2026-10-24T09:00:00Z", "2026-10-24T09:00:00", "2026-10-24 09:00", "2026-10-24t09:00z",
        "2026-10-24T09", "20261024T090000Z", "20261024T0900", "20261024T09", "2026-W43-6T09:00",
        "2026W436T0900", "2026-297T09:00", "2026297T0900", "2026-10-24T09:00:00,000",
        "2026-10-24T10:00:00+01:00", "2026-10-24T10:00:00+0100", "2026-10-24T10:00:00+01",
        "2026-10-24T06:30\u221202:30", "2026-10-24T08:59:60Z",
        "2026-10-24T10:00+01:00[Europe/London]", "2026-10-24T09:00:00.000000000Z",
        # PostgreSQL, BigQuery, ServiceNow.
        "2026-10-24 10:00:00+01", "2026-10-24 06:00:00-03", "2026-10-24 09:00:00.000000+00",
        "2026-10-24 14:30:15+05:30:15", "2026-10-24 09:00:00 UTC", "2026-10-24 09:00:00.000 UTC",
        "24-10-2026 09:00:00", "10-24-2026 09:00:00 AM", "24.10.2026 09.00.00", "24/10/2026 09:00",
        # Spreadsheets.
        "10/24/2026 9:00", "10/24/2026 9:00:00 AM", "10/24/2026, 9:00:00\u202fAM", "10/24/26 9:00",
        "24.10.2026 09:00", "24/10/2026 9:00:00", "2026/10/24 9:00", "24-Oct-2026 09:00",
        "24-Oct-26 9:00", "Oct 24, 2026 9:00 AM", "24 October 2026 09:00", "2026-10-24 9:00 a.m.",
        # Mail and browsers.
        "Sat, 24 Oct 2026 10:00:00 +0100", "Sat, 24 Oct 2026 09:00:00 GMT",
        "Sat Oct 24 2026 10:00:00 GMT+0100 (British Summer Time)",
        "  2026-10-24 09:00 ", "\ufeff2026-10-24 09:00",
    ],
)  # fmt: skip
def test_nine_o_clock_however_it_is_written(text):
    assert read(text) == [NINE]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-10-24", datetime(2026, 10, 24)),
        ("20261024T093015.25", datetime(2026, 10, 24, 9, 30, 15, 250_000)),
        ("2026-10-24T09:30,5", datetime(2026, 10, 24, 9, 30, 30)),
        ("2026-10-24T09.5", datetime(2026, 10, 24, 9, 30)),
        ("2026-10-24T24:00", datetime(2026, 10, 25)),
        ("2026-W43", datetime(2026, 10, 19)),
        ("2024-366", datetime(2024, 12, 31)),
        ("2026-10", datetime(2026, 10, 1)),
        ("10/24/2026 12:30 AM", datetime(2026, 10, 24, 0, 30)),
        ("10/24/2026 12:30 PM", datetime(2026, 10, 24, 12, 30)),
        ("05/05/2026", datetime(2026, 5, 5)),
    ],
)
def test_other_moments(text, moment):
    assert read(text) == [moment.replace(tzinfo=UTC)]


@pytest.mark.parametrize(
    "text",
    [
        "yesterday", "2026-02-30", "2026-13-01", "2026-366", "2026-10-24 25:00", "9:00", "1e308",
        "2026-10-24 09:61", "2026-10-24 24:01", "2026-10-24 13:00 PM", "infinity", "-infinity",
        "0001-01-01 00:00:00 BC", "2026-10-24 09:00 CEST", "2026-10-24 09:00+99", "31/31/2026",
        "2026-10 09:00", "99999-01-01", "0001-01-01", "9999-12-31T24:00", "24.13.2026", "=A1",
        "2026-W54-1", "2026-W43-8", "2026-10-24T09:00:00ZZ", "9" * 5000, "1" * 60 + "/1/2026",
    ],
)  # fmt: skip
def test_what_is_no_time_is_named(text):
    with pytest.raises(BadTime, match="no time that is understood") as caught:
        instants(["2026-10-24", text], "UTC")
    assert caught.value.row == 1
    assert text[:40] in str(caught.value)
    assert len(str(caught.value)) < 120


def test_day_and_month_are_told_apart_by_the_other_rows_and_never_guessed():
    assert read("03/04/2026", "13/04/2026")[0] == datetime(2026, 4, 3, tzinfo=UTC)
    assert read("03/04/2026", "04/13/2026")[0] == datetime(2026, 3, 4, tzinfo=UTC)
    assert read("03.04.2026") == [datetime(2026, 4, 3, tzinfo=UTC)]
    with pytest.raises(BadTime, match="no row tells which is the day"):
        read("03/04/2026")
    with pytest.raises(BadTime, match=r"changed places") as caught:
        read("13/04/2026", "01/02/2026", "04/13/2026")
    assert caught.value.row == 2
    with pytest.raises(BadTime, match="half past nine"):
        read("24.10.2026 09.30")


def test_offsets_change_with_the_clocks_and_all_have_one_or_none():
    found = instants(["2026-10-24 09:00:00+01", "2026-10-25 10:00:00+00"], "Europe/London")
    midnight = instants([date(2026, 10, 24)], "Europe/London")[0]
    assert [(us - midnight) / 3.6e9 for us in found] == [9, 35]
    for cells in (["2026-10-24 09:00Z", "2026-10-24 10:00"], ["2026-10-24", "2026-10-24 10:00Z"]):
        with pytest.raises(BadTime, match="not clear which clock") as caught:
            instants(cells, "UTC")
        assert caught.value.row == 1


def test_local_times_follow_the_zone():
    assert read("2026-07-01 09:00", zone="America/New_York")[0].hour == 13
    # One comes twice, one does not come.
    assert read("2026-10-25 01:30", zone="Europe/London")[0].hour == 0
    assert read("2026-03-29 01:30", zone="Europe/London") == [datetime(2026, 3, 29, 1, tzinfo=UTC)]


def test_values_of_parquet_are_times_too():
    east = timezone(timedelta(hours=2))
    assert read(datetime(2026, 10, 24, 9)) == [NINE]
    assert read(datetime(2026, 10, 24, 11, tzinfo=east)) == [NINE]
    assert read(date(2026, 10, 24)) == [NINE.replace(hour=0)]
    for odd in (True, b"x", 1.5, [1]):
        with pytest.raises(BadTime):
            instants([odd], "UTC")


def test_numbers_are_seconds_where_all_are():
    assert seconds(["1", " 2.5", "-3e2", ".5", "+4."]) == [1, 2.5, -300, 0.5, 4]
    assert seconds([1, 2.5]) == [1, 2.5]
    assert seconds(["2026-01-05", "7"]) is None
    assert seconds(["inf"]) is None
    for cells, said in [(["1", "inf"], '"inf" is no moment'), (["1", "1e999"], "no moment")]:
        with pytest.raises(BadTime, match=said) as caught:
            seconds(cells)
        assert caught.value.row == 1
    for blank in ("", " ", "NaN", "null", None, float("nan")):
        with pytest.raises(BadTime, match="has no timestamp"):
            seconds([1, blank])
        with pytest.raises(BadTime, match="has no timestamp"):
            instants(["2026-10-24", blank], "UTC")


def test_a_time_of_a_file_of_the_twin_is_in_utc_where_it_does_not_say():
    assert instant("2026-10-24T09:00") == instant("2026-10-24T10:00+01:00") == NINE.timestamp()
