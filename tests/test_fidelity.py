"""Fidelity from end to end: variants, rungs, culprits, the alarm, the command and the page."""

import json
from datetime import date

import browser
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.cli.fidelity import as_data
from twin.history.fidelity import rungs, verdicts, words
from twin.history.fidelity.fidelity import rolling
from twin.history.fidelity.measures import alike, by_group, compared
from twin.history.fidelity.period import period
from twin.history.fidelity.records import Records, open_records
from twin.history.fidelity.rosters import heads_seen, roster_of
from twin.history.fidelity.tables import answer, tables
from twin.report.fidelity import page, write
from twin.scenario.calendars import staffing

DAY = 86400.0
SHIFT = {"days": "Mon-Fri", "start": "08:00", "end": "16:30", "heads": 3}
EXPONENTIAL = {"distribution": "exponential"}
PLAN = {
    "name": "calls",
    "horizon": "28d",
    "arrivals": {
        "kind": "hourly",
        "rate": "6.5/h",
        "week": {"hours": [0] * 8 + [1] * 8 + [0] * 8, "days": [1, 1, 1, 1, 1, 0, 0]},
    },
    "tickets": {"category_mix": {"billing": 2, "access": 1}},
    "customers": {"patience": EXPONENTIAL | {"mean": "6min"}},
    "agents": {"front": {"shifts": [SHIFT], "handle_time": EXPONENTIAL | {"mean": "5min"}}},
}
TEST = "2026-01-19..2026-02-01"


def plan(**changes):
    desk = twin.from_data(PLAN)
    return desk.vary(changes, name="calls") if changes else desk


def history(**changes):
    desk = plan(seed=99, **changes)
    return Records(twin.simulate(desk, twin.draw(desk)), desk)


@pytest.fixture(scope="module")
def real():
    return history()


@pytest.fixture(scope="module")
def right(real):
    return twin.fidelity(plan(), real, TEST)


def roster_file(path, heads):
    days = pd.date_range("2026-01-05", periods=28)
    rows = [f"{day.date()},08:00,16:30,{heads}" for day in days if day.weekday() < 5]
    path.write_text("\n".join(["date,start,end,heads", *rows]), encoding="utf-8")
    return path


def test_a_scenario_over_other_days_keeps_its_dates():
    surge = {"start": "10d", "length": "2d", "factor": 2}
    changes = {"warm_up": "1d", "arrivals.growth": 0.1, "arrivals.surges": [surge],
               "agents.front.handle_growth": -0.02}  # fmt: skip
    desk = plan(**changes)
    first = date(2026, 1, 13).toordinal()
    found = rungs.at(desk, range(first, first + 14), "F")
    # A day of warm-up before, and the surge on the days on which it was.
    assert found.start == date(2026, 1, 12)
    assert (found.warm_up, found.horizon) == (DAY, 15 * DAY)
    assert [(s.start, s.length) for s in found.arrivals.surges] == [(3 * DAY, 2 * DAY)]
    assert found.arrivals.scale == pytest.approx(1.1)
    assert found.agents["front"].handle_scale == pytest.approx(0.98)
    later = rungs.at(desk, range(first + 3, first + 10), "F")
    assert [(s.start, s.length) for s in later.arrivals.surges] == [(0.0, 2 * DAY)]
    assert not rungs.at(desk, range(first + 30, first + 37), "F").arrivals.surges
    assert rungs.at(desk, range(first - 7, first), "F").arrivals.scale == 1.0


def test_a_desk_that_is_never_empty_is_filled_up_first(tmp_path):
    # Tickets stay open for days: an answer waits for the customer.
    busy = plan(**{"agents.front.shifts": [{**SHIFT, "heads": 2, "end": "15:00"}],
                   "customers": {"solved": {"agent": 1}}})  # fmt: skip
    log = twin.simulate(busy, twin.draw(busy))
    first = date(2026, 1, 19).toordinal()
    days = range(first, first + 7)
    lead = rungs.lead_of(log, busy, days)
    assert lead == 14
    found = rungs.at(busy, days, "F", lead)
    assert (found.start, found.warm_up) == (date(2026, 1, 5), 14 * DAY)
    given = rungs.with_arrivals(found, log, busy, tmp_path / "trace.csv")
    same = twin.simulate(given, twin.draw(given))
    start = [period(one, desk, days).days["open_s"].iloc[0] for one, desk in
             ((log, busy), (same, given))]  # fmt: skip
    assert start[1] == pytest.approx(start[0], rel=0.1)
    calm = history()
    assert rungs.lead_of(calm.log, calm.desk, days) == 0


def test_given_arrivals_are_those_of_the_log(real, tmp_path):
    first = date(2026, 1, 19).toordinal()
    days = range(first, first + 14)
    found = rungs.with_arrivals(
        rungs.at(plan(), days, "V"), real.log, real.desk, tmp_path / "trace.csv"
    )
    mine = period(twin.simulate(found, twin.draw(found)), found, days)
    theirs = period(real.log, real.desk, days)
    for column in ("day", "hour", "kind", "priority"):
        assert mine.tickets[column].tolist() == theirs.tickets[column].tolist()
    arrived = real.log.tickets["arrived_s"].to_numpy()
    there = arrived[(arrived >= 14 * DAY) & (arrived < 28 * DAY)] - 14 * DAY
    np.testing.assert_allclose(twin.draw(found).arrived_s, there, atol=1e-6)


def test_sessions_of_agents_become_heads_by_the_hour():
    sessions = pd.DataFrame(
        [("front", 8 * 3600, 10 * 3600), ("front", 9.5 * 3600, 33 * 3600), ("back", 0, 1800)],
        columns=["pool", "start_s", "end_s"],
    )
    first = date(2026, 1, 5).toordinal()
    found = heads_seen(sessions, plan(), [first, first + 1]).set_index(["pool", "day", "hour"])
    heads = found["heads"]
    assert heads["back"].to_dict() == {(first, 0): 0.5}
    front = heads["front"].to_dict()
    assert [front[first, hour] for hour in (8, 9, 10, 23)] == [1.0, 1.5, 1.0, 1.0]
    assert front[first + 1, 8] == 1.0
    assert (first + 1, 9) not in front


def test_names_of_which_none_comes_stay_names_that_tickets_have(real, tmp_path):
    front = PLAN["agents"]["front"] | {"handle_times": {"sales": "9min"}, "channels": ["chat"]}
    data = PLAN | {
        "tickets": {"category_mix": {"billing": 2, "access": 1, "sales": 1}},
        "agents": {"front": front, "back": PLAN["agents"]["front"] | {"skills": ["sales"]}},
    }
    data["tickets"]["channel_mix"] = {"chat": 1, "mail": 1}
    desk = twin.from_data(data)
    first = date(2026, 1, 19).toordinal()
    days = range(first, first + 7)
    found = rungs.with_arrivals(
        rungs.at(desk, days, "V"), real.log, real.desk, tmp_path / "trace.csv"
    )
    twin.check(found)
    assert found.agents == desk.agents
    log = twin.simulate(found, twin.draw(found))
    mine, theirs = period(log, found, days), period(real.log, real.desk, days)
    # The log has no channels, so the mix stays; one ticket of sales comes when all is over.
    assert mine.tickets["kind"].tolist() == theirs.tickets["kind"].tolist()
    assert set(mine.tickets["channel"]) == {"chat", "mail"}
    assert log.tickets["category_true"].tolist().count("sales") == 1
    # Categories of another desk are no categories of this one: the mix stays.
    other = twin.from_data(PLAN | {"tickets": {"category_mix": {"x": 1, "y": 1}}})
    at = rungs.at(other, days, "V")
    kept = rungs.with_arrivals(at, real.log, real.desk, tmp_path / "other.csv")
    assert kept.tickets.category_mix == {"x": 1, "y": 1}
    assert set(twin.draw(kept).categories) == {"x", "y"}


def test_channels_of_a_log_are_those_of_the_trace(tmp_path):
    desk = plan(**{"tickets.channel_mix": {"chat": 1, "mail": 3}})
    log = twin.simulate(desk, twin.draw(desk))
    first = date(2026, 1, 19).toordinal()
    days = range(first, first + 7)
    found = rungs.with_arrivals(rungs.at(desk, days, "V"), log, desk, tmp_path / "trace.csv")
    mine = period(twin.simulate(found, twin.draw(found)), found, days)
    theirs = period(log, desk, days)
    assert mine.tickets["channel"].tolist() == theirs.tickets["channel"].tolist()
    groups = by_group(theirs, mine, alike(theirs))
    assert groups["group"].tolist() == ["access", "billing", "chat", "mail"]


def test_a_given_roster_takes_the_place_of_shifts(tmp_path):
    desk = plan(**{"agents.front.extra_heads": 2, "agents.front.holidays": ["2026-01-06"]})
    found = rungs.with_roster(desk, roster_file(tmp_path / "roster.csv", 2))
    level = staffing(found.agents["front"], found)
    assert level.integral(np.array([28 * DAY]))[0] == 2 * 20 * 8.5 * 3600


def test_a_roster_that_was_seen_is_scaled_as_the_twin_is_to_the_one_it_was_fitted_to():
    first = date(2026, 1, 5).toordinal()
    trained, tested = range(first, first + 14), range(first + 14, first + 21)
    # Four were seen in training where the twin has three, two in the test.
    rows = [
        (day, hour, "front", 4.0 if day < first + 14 else 2.0)
        for day in range(first, first + 21) if (day - 1) % 7 < 5 for hour in range(8, 16)
    ]  # fmt: skip
    seen = pd.DataFrame(rows, columns=["day", "hour", "pool", "heads"])
    found = roster_of(plan(), seen, trained, tested)
    assert set(found["date"]) == {f"2026-01-{day}" for day in range(19, 24)}
    # 1.5 heads on average, in whole ones.
    assert found["heads"].sum() / (5 * 8 * 4) == pytest.approx(1.5, abs=0.01)
    assert set(found["heads"]) == {1, 2}
    assert found[["start", "end"]].iloc[0].tolist() == ["08:00", "08:15"]


def test_a_desk_without_luck_is_met_to_the_second(tmp_path):
    constant = PLAN | {
        "tickets": {}, "customers": {"solved": {"agent": 1}},
        "agents": {"front": {"heads": 5, "handle_time": "9min"}},
    }  # fmt: skip
    desk = twin.from_data(constant)
    log = twin.simulate(desk, twin.draw(desk))
    first = date(2026, 1, 19).toordinal()
    days = range(first, first + 7)
    given = rungs.with_arrivals(rungs.at(desk, days, "V"), log, desk, tmp_path / "trace.csv")
    (found,) = rungs.played({"V": given}, {"V": days}, 1)["V"]
    # With the same arrivals and the same work it is the same desk.
    real = period(log, desk, days)
    assert len(real.tickets) > 500
    same = compared(real, found, alike(real))
    assert same.pop("response") == same.pop("wait") == pytest.approx(0.0, abs=1e-4)
    assert list(same.values()) == pytest.approx([0.0] * len(same), abs=1e-3)


def test_a_right_twin(right):
    assert right.test == "2026-01-19 to 2026-02-01 (14 days)"
    assert right.training == "2026-01-05 to 2026-01-18 (14 days)"
    assert right.verdict() == verdicts.WITHIN
    assert right.culprit == "None: the forecast is within the floor."
    assert right.alarm == ""
    assert list(dict.fromkeys(right.rungs["rung"])) == ["F", "V", "in sample"]
    assert right.lines["line"].tolist() == [
        "real", "floor: odd and even days", "floor: every other ticket", "replay",
        "Erlang A by hour", "twin, F", "twin, V",
    ]  # fmt: skip
    assert right.weeks["week"].nunique() == 3
    assert set(right.groups["group"]) == {"billing", "access"}
    assert right.hours["hour"].tolist() == list(range(8, 16))
    real = right.lines.set_index("line").loc["real"]
    assert real["arrivals_a_day"] == right.lines.set_index("line").loc["twin, V", "arrivals_a_day"]


def test_a_roster_that_changed_is_the_culprit(tmp_path):
    # One agent is ill in the last two weeks; the twin only knows the first two.
    file = tmp_path / "roster.csv"
    days = [day for day in pd.date_range("2026-01-05", periods=28) if day.weekday() < 5]
    heads = [3 if day < pd.Timestamp("2026-01-19") else 2 for day in days]
    rows = [f"{day.date()},08:00,16:30,{n}" for day, n in zip(days, heads, strict=True)]
    file.write_text("\n".join(["date,start,end,heads", *rows]), encoding="utf-8")
    pool = PLAN["agents"]["front"].copy()
    pool.pop("shifts")
    desk = twin.from_data(PLAN | {"agents": {"front": pool | {"roster": str(file)}}, "seed": 99})
    real = Records(twin.simulate(desk, twin.draw(desk)), desk)
    first = pd.Timestamp("2026-01-05")
    sessions = pd.DataFrame(
        [
            ("front", (day - first).total_seconds() + 8 * 3600,
             (day - first).total_seconds() + 16.5 * 3600)
            for day, n in zip(days, heads, strict=True) for _ in range(n)
        ],
        columns=["pool", "start_s", "end_s"],
    )  # fmt: skip
    found = twin.fidelity(plan(), real, TEST, sessions=sessions)
    assert list(dict.fromkeys(found.rungs["rung"])) == ["F", "V", "VR", "in sample"]
    assert found.verdict() != verdicts.WITHIN
    assert "wait" in found.beyond("V")
    assert found.verdict(rung="VR") == found.verdict(rung="in sample") == verdicts.WITHIN
    assert found.culprit.startswith("Roster: who works when (")
    assert found.alarm == ""


def steps(**rows):
    """Rungs of waits: value, with an interval of 1 s to either side, and a limit of 5 s."""
    return pd.DataFrame(
        [
            {"rung": rung.replace("_", " "), "measure": "wait", "value": value, "low": value - 1,
             "high": value + 1, "verdict": verdicts.WITHIN if value <= 5 else verdicts.WORSE}
            for rung, value in rows.items()
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"F": 4.0, "V": 4.0}, "None: the forecast is within the floor."),
        ({"F": 20.0, "V": 4.0, "VR": 3.0}, "Forecast: how many come, and when (16.0 s of 20.0 s)."),
        ({"F": 16e3, "V": 8e3, "VR": 6e3},
         "Forecast: how many come, and when (2.22 h of 4.44 h)."),
        ({"F": 20.0, "V": 18.0, "VR": 3.0}, "Roster: who works when (15.0 s of 20.0 s)."),
        ({"F": 20.0, "V": 18.0, "VR": 17.0, "in_sample": 3.0},
         "with arrivals and roster as they were (17.0 s of 20.0 s). In sample it fits: the desk "
         "has changed since; see the inputs."),
        ({"F": 20.0, "V": 18.0, "in_sample": 17.0},
         "Mechanics or roster, with arrivals as they were (a roster of the test tells them apart) "
         "(18.0 s of 20.0 s). In sample it does not fit either."),
    ],
)  # fmt: skip
def test_the_culprit_is_where_the_error_jumps(rows, said):
    assert words.culprit(steps(**rows)).endswith(said)


def test_no_culprit_within_the_spread_of_the_runs():
    table = steps(F=6.0, V=5.9).assign(low=0.0, high=12.0)
    assert words.culprit(table) == "Not told: no step is larger than the spread of the runs."


def test_errors_that_cancel_ring_the_alarm(real):
    # Talk 20 % too long, and more agents than there are, at about the same waits.
    changes = {"agents.front.handle_scale": 1.25, "agents.front.extra_heads": 1,
               "customers.patience": EXPONENTIAL | {"mean": "9min"}}  # fmt: skip
    found = twin.fidelity(plan(**changes), real, TEST)
    off = found.inputs.set_index("input")["off"]
    assert off["handle"]
    assert off["busy"]
    assert found.verdict() == verdicts.WITHIN, found.rungs
    assert found.alarm.startswith("Errors cancel: waits are within the floor, but inputs are off")
    assert "handle time +" in found.alarm
    said = answer(found)
    # First comes that it is not to be believed, and nothing beside it says that all is well.
    assert said[0] == found.alarm
    assert not any(s.startswith(("All measures", "Where the error")) for s in said)
    assert found.alarm in page(found)


def test_each_rolling_week_may_have_a_twin_of_its_own():
    first = date(2026, 1, 5).toordinal()
    weeks = [list(range(first + 7 * k, first + 7 * k + 7)) for k in (1, 2, 3)]
    wanted = weeks[1] + weeks[2]
    # Without a fit the runs of the test hold its weeks.
    assert list(rolling(plan(), None, weeks, wanted)) == ["week 2026-01-12"]
    asked = []

    def fit(day):
        asked.append(day)
        return plan(seed=day.day)

    found = rolling(plan(), fit, weeks, wanted)
    assert asked == [date(2026, 1, 12), date(2026, 1, 19), date(2026, 1, 26)]
    assert [one.seed for one, _ in found.values()] == [12, 19, 26]
    assert [days for _, days in found.values()] == weeks


def test_what_cannot_be_compared_is_said(real):
    with pytest.raises(ValueError, match="at least 5 runs"):
        twin.fidelity(plan(), real, TEST, runs=4)
    with pytest.raises(twin.ScenarioError, match="no whole day with data lies in it"):
        twin.fidelity(plan(), real, "2027-01")
    whole = twin.fidelity(plan(), real, "2026-01-05..2026-01-07")
    assert whole.verdict() == verdicts.UNKNOWN
    assert any("Nothing lies before the test" in note for note in whole.notes)
    known = "it knows 2 of the 3 days that it is to predict"
    assert not any("that it is to predict" in note for note in whole.notes)
    later = twin.fidelity(plan(start="2026-01-07"), real, "2026-01-05..2026-01-07")
    assert any(known in note for note in later.notes)
    assert any("no floor, so no verdict" in note for note in whole.notes)
    assert whole.training == ""
    assert [one.name for one in tables(whole)][:2] == ["inputs", "distances"]


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    import tomli_w

    (tmp_path / "calls.toml").write_text(tomli_w.dumps(PLAN), encoding="utf-8")
    twin.run(plan(seed=99, horizon="14d"), replications=1, out=tmp_path / "history")
    asked = ["fidelity", "calls.toml", "history/calls", "--test", "2026-01-12", "--workers", "1"]
    result = CliRunner().invoke(app, [*asked, "--page", "out.html"])
    assert result.exit_code == 0, result.output
    assert "calls: test 2026-01-12 to 2026-01-18 (7 days)" in result.stdout
    for heading in ("Inputs before outputs", "Where the error comes from", "Rolling weeks"):
        assert heading in result.stdout
    assert "rung VR is left out" in result.stderr
    assert (tmp_path / "out.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    wrong = CliRunner().invoke(app, ["fidelity", "calls.toml", "history/calls", "--test", "soon"])
    assert wrong.exit_code == 2
    assert "is no time" in wrong.stderr
    nothing = CliRunner().invoke(app, ["fidelity", "calls.toml", "none"])
    assert nothing.exit_code == 2
    assert "no such folder" in nothing.stderr


def test_a_report_as_data(right):
    data = json.loads(json.dumps(as_data(right), default=str))
    assert data["test"] == "2026-01-19 to 2026-02-01 (14 days)"
    assert {row["rung"] for row in data["rungs"]} == {"F", "V", "in sample"}
    assert {"inputs", "lines", "hours", "groups", "weeks", "definitions"} <= set(data)


def test_quiet_still_says_the_answer(right, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    import tomli_w

    (tmp_path / "calls.toml").write_text(tomli_w.dumps(PLAN), encoding="utf-8")
    twin.run(plan(seed=99, horizon="2d"), replications=1, out=tmp_path / "history")
    monkeypatch.setattr("twin.history.fidelity.fidelity.fidelity", lambda *_, **__: right)
    told = CliRunner().invoke(app, ["fidelity", "calls.toml", "history/calls", "--quiet"])
    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines() == answer(right)
    assert told.stderr == ""


def test_a_saved_run_stands_in_for_a_history(tmp_path):
    desk = plan(seed=99, horizon="7d")
    results = twin.run(desk, replications=2, out=tmp_path)
    found = open_records(results.runs[0].path)
    assert found.desk.start == desk.start
    log = twin.simulate(desk, twin.draw(desk))
    pd.testing.assert_frame_equal(
        period(found.log, found.desk).tickets, period(log, desk).tickets, check_dtype=False
    )


def test_the_page_has_all_parts(right, tmp_path):
    text = write(right, tmp_path / "folder" / "page.html").read_text(encoding="utf-8")
    for part in ("answer", "notes", "inputs", "distances", "figures", "rungs", "hours", "groups",
                 "weeks", "definitions"):  # fmt: skip
        assert f'id="{part}"' in text
    assert text.count("<svg ") == 2
    for name in right.definitions["label"]:
        assert f">{name}</th>" in text


@pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
def test_the_page_in_a_browser(right, tmp_path):
    from test_report_browser import CONTRAST, HIDDEN, LETTERS

    path = write(right, tmp_path / "page.html")
    with browser.Browser(tmp_path / "profile") as tab:
        for width, phone, dark in ((1280, False, False), (390, True, True)):
            tab.open(path, width, phone=phone, dark=dark)
            assert tab.complaints() == []
            assert tab.run(HIDDEN) == []
            assert tab.run("document.documentElement.scrollWidth") <= width
            smallest, cut = tab.run(LETTERS)
            assert cut == []
            assert smallest >= 8
            assert tab.run(CONTRAST) >= 4.5
