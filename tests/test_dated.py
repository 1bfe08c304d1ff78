"""Rosters by date: exact shifts from a file, played as they stand, with faults by line."""

from datetime import timedelta

import numpy as np
import pytest
from days import ALWAYS, HOUR, MIN, spans
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, shifts

import twin
from twin.common.errors import ScenarioError
from twin.experiments.warmup import cycle
from twin.scenario.calendars import staffing
from twin.scenario.model import parse_days
from twin.scenario.roster import roster

HEAD = "date,start,end,heads\n"
WEEK = HEAD + "".join(f"2026-01-{day:02d},09:00,17:00,2\n" for day in range(5, 10))


@pytest.fixture
def write(tmp_path):
    def to(text, name="roster.csv"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return to


def desk(path, horizon="4d", start="2026-01-05", time_zone="UTC", pool=None, **more):
    return twin.from_data(
        {
            "horizon": horizon,
            "start": start,
            "time_zone": time_zone,
            "arrivals": {"rate": "1/h"},
            "agents": {"all": {"handle_time": "1min", "roster": path, **(pool or {})}},
            **more,
        }
    )


def heads_of(scenario, name="all"):
    """Steps of a pool as (hours since the start, heads)."""
    level = staffing(scenario.agents[name], scenario)
    inside = level.times < scenario.horizon
    return list(
        zip((level.times[inside] / HOUR).tolist(), level.values[inside].tolist(), strict=True)
    )


def test_rows_are_shifts_of_their_days_and_overlaps_add_up(write):
    rows = "2026-01-05,09:00,17:00,2\n2026-01-07,08:00,12:00,3\n2026-01-07,10:00,14:00,1\n"
    assert heads_of(desk(write(HEAD + rows))) == [
        (0, 0), (9, 2), (17, 0), (56, 3), (58, 4), (60, 1), (62, 0),
    ]  # fmt: skip


def test_a_night_shift_ends_on_the_next_day_and_one_before_the_run_is_still_on(write):
    rows = "2026-01-04,22:00,06:00,1\n2026-01-05,22:00,06:00,2\n2026-01-06,22:00,24:00,3\n"
    night = [(0, 1), (6, 0), (22, 2), (30, 0), (46, 3), (48, 0)]
    assert heads_of(desk(write(HEAD + rows))) == night


def test_rows_outside_the_run_do_not_matter(write):
    rows = "2025-01-05,09:00,17:00,2\n2026-01-05,09:00,17:00,2\n2027-01-05,09:00,17:00,2\n"
    assert heads_of(desk(write(HEAD + rows))) == [(0, 0), (9, 2), (17, 0)]
    assert heads_of(desk(write(HEAD + rows), start="2026-02-01")) == [(0, 0)]


def test_extra_heads_come_and_go_with_each_row(write):
    rows = "2026-01-05,09:00,10:00,0\n2026-01-05,12:00,13:00,3\n"
    more = desk(write(HEAD + rows), pool={"extra_heads": 1})
    assert heads_of(more) == [(0, 0), (9, 1), (10, 0), (12, 4), (13, 0)]
    assert heads_of(more.vary({"agents.all.extra_heads": -5})) == [(0, 0)]


def test_one_file_serves_several_pools(write):
    rows = "back,2026-01-05,09:00,10:00,1\nfront,2026-01-05,09:00,11:00,2\n"
    path = write("pool," + HEAD + rows)
    pools = {name: {"handle_time": "1min", "roster": path} for name in ("front", "back")}
    both = twin.from_data({"horizon": "1d", "arrivals": {"rate": "1/h"}, "agents": pools})
    assert heads_of(both, "front") == [(0, 0), (9, 2), (11, 0)]
    assert heads_of(both, "back") == [(0, 0), (9, 1), (10, 0)]
    with pytest.raises(ScenarioError, match=r'line 2: no pool is named "back"; did you mean "pack'):
        twin.check(both.vary({"agents": {"front": pools["front"], "pack": pools["back"]}}))


@pytest.mark.parametrize(("start", "length"), [("2026-03-28", 23), ("2026-10-24", 25)])
def test_a_roster_keeps_local_hours_when_the_clocks_change(write, start, length):
    days = np.arange(np.datetime64(start), np.datetime64(start) + np.timedelta64(2, "D"))
    path = write(HEAD + "".join(f"{day},09:00,17:00,2\n" for day in days))
    found = heads_of(desk(path, start=start, time_zone="Europe/London", horizon="2d"))
    assert found[1:] == [(9, 2), (17, 0), (9 + length, 2), (17 + length, 0)]


def test_a_roster_is_in_the_time_zone_of_its_pool(write):
    path = write(HEAD + "2026-01-05,09:00,17:00,2\n")
    there = desk(path, horizon="1d", pool={"time_zone": "Asia/Kolkata"})
    assert heads_of(there) == [(0, 0), (3.5, 2), (11.5, 0)]


@SETTINGS
@given(
    st.lists(shifts(), min_size=1, max_size=3),
    st.sampled_from(["2026-01-05", "2026-03-28", "2026-10-24"]),
    st.sampled_from([-1, 0, 1]),
)
def test_the_days_of_a_weekly_calendar_as_a_roster_are_that_calendar(
    tmp_path_factory, some, start, extra
):
    plain = [{**shift, "breaks": []} for shift in some]
    path = tmp_path_factory.mktemp("roster") / "roster.csv"
    path.write_text(HEAD)
    by_date = desk(str(path), "8d", start, "Europe/London", {"extra_heads": extra})
    with path.open("a") as file:
        for k in range(-2, 11):
            day = by_date.start + timedelta(days=k)
            for shift in plain:
                if day.weekday() in parse_days(shift["days"]):
                    file.write(f"{day},{shift['start']},{shift['end']},{shift['heads']}\n")
        file.write("1999-01-01,09:00,10:00,1\n")
    data = by_date.as_data()
    del data["agents"]["all"]["roster"]
    data["agents"]["all"]["shifts"] = plain
    assert heads_of(by_date) == heads_of(twin.from_data(data))


def test_a_day_by_hand(write):
    """Two at work from 9:00 to 9:30 and one from 11:00 to 12:00 on Monday; nobody on Tuesday.

    A ticket comes every 40 minutes and takes 30.
    """
    path = write(HEAD + "2026-01-05,09:00,09:30,2\n2026-01-05,11:00,12:00,1\n")
    data = {
        "horizon": "2d",
        "arrivals": {"kind": "constant", "rate": "1/40min"},
        "agents": {"all": {"handle_time": "30min", "roster": path}},
        "customers": {"survey_rate": 0.0, "solved": ALWAYS},
    }
    played = twin.play(twin.from_data(data))
    begun = [span for span in spans(played.log) if span[0] == span[0]]
    half = 30 * MIN
    assert begun == [[at, at + half] for at in (9 * HOUR, 9 * HOUR, 11 * HOUR, 11 * HOUR + half)]
    staffed = played.levels[played.levels["level"] == "staffed"]
    hours = (staffed["mean"] * (staffed["end_s"] - staffed["start_s"])).sum() / HOUR
    assert hours == pytest.approx(2.0)
    assert bool(played.sanity["ok"].all())


def test_the_cost_of_a_week_is_that_of_the_days_in_the_run(write):
    priced = desk(write(WEEK), horizon="2d", pool={"cost": 20.0})
    figures = twin.play(priced).kpis.set_index(["kpi", "group"])["value"]
    # Two days of two agents for 8 hours, as 3.5 times as many in a week.
    assert figures["cost_week", ""] == pytest.approx(3.5 * 2 * 2 * 8 * 20)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a readable CSV file"),
        (HEAD, "holds no shifts"),
        ("date,start,end\n2026-01-05,09:00,17:00\n", "no column heads; it has: date, start, end"),
        (HEAD + "2026-01-05,09:00,17:00,\n", "line 2 has no heads"),
        ("pool," + HEAD + ",2026-01-05,09:00,17:00,1\n", "line 2 has no pool"),
        (WEEK + "5.1.2026,09:00,17:00,1\n", r'line 7: date must be a day.*given: "5.1.2026"'),
        (WEEK + "2026-02-30,09:00,17:00,1\n", r'line 7: date must be a day.*given: "2026-02-30"'),
        (WEEK + "20260105,09:00,17:00,1\n", r'line 7: date must be a day.*given: "20260105"'),
        (WEEK + "2026-01-05,9h,17:00,1\n", r'line 7: start must be a time of day.*given: "9h"'),
        (WEEK + "2026-01-05,09:00,25:00,1\n", r'line 7: end must be a time of day.*"25:00"'),
        (WEEK + "2026-01-05,09:00,17:00:30,1\n", r'line 7: end must be.*given: "17:00:30"'),
        (WEEK + "2026-01-05,09:00,17:00,-1\n", r'line 7: heads must be a number.*"-1"'),
            (WEEK + "2026-01-05,09:00,17:00,two\n", r'line 7: heads must be a number.*"two"'),
        (WEEK + "2026-01-05,09:00,17:00,1e9\n", r'line 7: heads must be a number.*"1e9"'),
        (WEEK + "2026-01-05,09:00,17:00,100001\n", r"line 7: heads.*from 0 to 100,000"),
        (WEEK + "2026-01-05,09:00,17:00,2,x\n", "not a readable CSV file"),
        ("pool," + HEAD + "al,2026-01-05,09:00,17:00,2\n", 'line 2: no pool is named "al"'),
    ],
)  # fmt: skip
def test_a_bad_roster_says_line_column_and_value(write, text, reason):
    path = write(text, "people.csv")
    with pytest.raises(ScenarioError, match=f"people.csv.*{reason}"):
        twin.check(desk(path))
    with pytest.raises(ScenarioError, match=reason):
        twin.play(desk(path))


def test_cells_as_spreadsheets_write_them(write):
    path = write("heads,date,note,start,end\n2.0,2026-01-05,early, 9:00 ,17:00:00\n")
    assert heads_of(desk(path)) == [(0, 0), (9, 2), (17, 0)]


@pytest.mark.parametrize(
    ("pool", "reason"),
    [
        ({"heads": 2}, "give heads .* or a roster, one of them"),
        ({"shifts": []}, "give heads .* or a roster, one of them"),
        ({"holidays": ["2026-01-06"]}, "a roster says its days itself"),
        ({"roster": "nowhere.csv"}, r'agents.all.roster: no such file \(given: "nowhere.csv"'),
    ],
)
def test_a_roster_stands_alone(write, pool, reason):
    with pytest.raises(ScenarioError, match=reason):
        desk(write(WEEK), pool=pool)


def test_check_says_on_how_many_days_nobody_starts(write):
    def said(horizon, **more):
        return " ".join(twin.explain(desk(write(WEEK), horizon, **more)))

    assert "no row" not in said("5d")
    whole = said("7d")
    assert "Pool all: 80 agent hours in the run, by its roster, takes everything" in whole
    assert (
        "Its roster has no row for 2 of the 7 days of the run (first on Saturday 10 January): "
        "nobody starts a shift then." in whole
    )
    assert "1 of the 6 days of the run (on Saturday 10 January)" in said("6d")
    assert "4 of the 4 days" in said("4d", start="2026-02-02")
    assert "$1,600 in the run, takes" in said("7d", pool={"cost": 20.0})


def test_the_roster_of_a_week_has_one_row_for_it(write):
    table = roster(desk(write(WEEK), "14d", pool={"cost": 20.0, "extra_heads": 1}))
    assert table.to_numpy().tolist() == [["all", "by date", "by date", 3, 60.0, 1200.0]]


def test_a_roster_has_a_week_of_its_own_and_is_not_made_longer(write):
    scenario = desk(write(WEEK), "4d")
    assert cycle(scenario) == 7 * 86400
    assert twin.warm_up(scenario, replications=2).horizon_s == 4 * 86400


def test_a_roster_file_is_found_beside_the_scenario_and_read_again_when_it_changes(write, tmp_path):
    write(WEEK)
    (tmp_path / "desk.toml").write_text(
        'horizon = "1d"\narrivals.rate = "1/h"\n'
        'agents.all = { roster = "roster.csv", handle_time = "5min" }\n'
    )
    scenario = twin.load(tmp_path / "desk.toml")
    assert heads_of(scenario) == [(0, 0), (9, 2), (17, 0)]
    write(WEEK + "2026-01-05,09:00,17:00,1\n")
    assert heads_of(scenario) == [(0, 0), (9, 3), (17, 0)]
    assert twin.from_data(scenario.as_data()).as_data() == scenario.as_data()


def test_a_run_that_goes_on_beyond_its_roster_says_that_nobody_works(write):
    def notes(**more):
        one = desk(write(WEEK), **more)
        return twin.simulate(one, twin.draw(one)).notes

    # The weekend after the five days is none; from the second week on there is nobody.
    assert notes(horizon="7d") == ()
    (note,) = notes(horizon="21d")
    assert note == (
        "the roster of all (roster.csv) has no shift for a week or more, from 2026-01-10 on: "
        "nobody works then"
    )
    (note,) = notes(start="2026-03-02", horizon="7d")
    assert "from 2026-03-02 on" in note
