"""From a planted desk's log to a scenario: what was put in is found, said and played again."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from datetime import timedelta

import children
import numpy as np
import pandas as pd
import pytest
from engines import COMPILED
from planted import log_of_calls
from typer.testing import CliRunner

import twin
from twin.cli import calibrations
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.desk import engines
from twin.experiments.versions import as_played
from twin.history import calibrated_file, call_desk, slopes
from twin.history.fit import capacity
from twin.history.fit.away import SeenAway
from twin.history.fit.capacity import Availability, fit_capacity
from twin.history.fit.waits import Waits, gap
from twin.history.kept_plays import KeptPlays, forget
from twin.history.part import days_after, part_of
from twin.history.status_desk import calibrate_statuses
from twin.history.what_ifs import said_of_fit
from twin.measures.inputs import assumed_by, unset
from twin.report.answer import of_runs
from twin.report.assumptions import assumptions
from twin.report.source import Source

AWAY = {
    "after_touch": 0.6, "while_idle": "6/h", "returns": "20/h", "returns_per_queued": "15/h"
}  # fmt: skip
SHIFT = {"days": "daily", "start": "08:00", "end": "18:00", "heads": 4}
HOURS = [0] * 8 + [3, 5, 6, 5, 4, 4, 5, 5, 4, 3] + [0] * 6


def phone_desk(**more):
    pool = {
        "shifts": [SHIFT],
        "handle_time": {"distribution": "lognormal", "mean": "4min", "cv": 1.0},
        "handle_times": {"Long": {"distribution": "lognormal", "mean": "8min", "cv": 0.8}},
        "away": AWAY,
        "individuals": False,
    }
    return twin.from_data(
        {
            "start": "2026-03-02",
            "horizon": "14d",
            "arrivals": {"kind": "hourly", "rate": "9/h", "week": {"hours": HOURS}},
            "tickets": {"category_mix": {"Short": 3, "Long": 1}},
            "agents": {"line": pool},
            "customers": {
                "patience": {"distribution": "exponential", "mean": "6min"},
                "survey_rate": 0.0,
                "solved": {"agent": 1.0},
            },
            **more,
        }
    )


def export(desk, path, replication=0):
    """A planted log of calls, as a help desk exports it."""
    return log_of_calls(twin.simulate(desk, twin.draw(desk, replication)), path)


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    return export(phone_desk(), tmp_path_factory.mktemp("calls") / "calls.csv")


def set_quick(patch):
    """A search of few plays."""
    for name, value in (("_ROUNDS", 1), ("_RATE_PLAYS", 12), ("_HOUR_PLAYS", 3)):
        patch.setattr(capacity, name, value)
    patch.setattr(call_desk, "_BACK_TESTS", 1)
    patch.setattr(slopes, "_PLAYS", 1)


@pytest.fixture
def quick(monkeypatch):
    set_quick(monkeypatch)


@pytest.fixture(scope="module")
def history(calls):
    return twin.read_history(calls, zone="UTC")


@pytest.fixture(scope="module")
def week(calls):
    """Eight days of it."""
    return twin.read_history(calls, zone="UTC", until="2026-03-10")


@pytest.fixture(scope="module")
def found(history):
    with pytest.MonkeyPatch.context() as patch:
        set_quick(patch)
        return twin.calibrate(history)


def test_work_patience_and_load_of_a_planted_desk_are_found(found):
    estimates = {one.key: one for one in found.estimates}
    for key, truth in (
        ("arrivals.rate", 9.0),
        ("customers.patience", 360.0),
        ("agents.agents.handle_times.Short", 240.0),
        ("agents.agents.handle_times.Long", 480.0),
        ("tickets.category_mix.Long", 0.25),
    ):
        one = estimates[key]
        assert one.low <= truth <= one.high, (key, str(one))
        assert one.value == pytest.approx(truth, rel=0.15)
    assert (
        "busyness" not in found.data["arrivals"] or found.data["arrivals"]["busyness"]["cv"] < 0.1
    )


def test_agents_who_come_and_go_explain_the_waits(found):
    fit = found.capacity
    # All agents of the roster always there: the waits are too short.
    assert fit.plain.loss > 1.2 * fit.gap.loss
    assert abs(fit.gap.gave_up) < 0.03
    assert any("come and go" in line for line in found.said)


def test_the_calibrated_desk_does_what_the_planted_one_did(found, history, tmp_path):
    path = calibrated_file.write_calibrated(found, history, tmp_path / "desk.toml")
    truth = twin.measure(history.log, history.desk).set_index(["kpi", "group"])["value"]
    results = twin.run([twin.load(path)], replications=3)
    shown = results.summary().query("group == ''").set_index("kpi")["value"]
    assert shown["abandonment_rate"] == pytest.approx(truth["abandonment_rate", ""], abs=0.04)
    # After a search of few plays.
    assert shown["agent_wait_mean"] == pytest.approx(truth["agent_wait_mean", ""], rel=0.5)
    text = path.read_text(encoding="utf-8")
    assert "# assumed: a log of calls does not tell who calls again" in text
    assert "measured over 14 days" in text
    as_it_was = twin.load(tmp_path / "desk-data" / "as-it-was.toml")
    assert len(twin.draw(as_it_was)) == len(history.log.tickets)


def test_what_the_history_leaves_open_is_in_versions(found, history, tmp_path):
    path = calibrated_file.write_calibrated(found, history, tmp_path / "desk.toml")
    (tmp_path / "less.toml").write_text(
        'extends = "desk.toml"\n[agents.agents]\nextra_heads = -1\n', encoding="utf-8"
    )
    desk, less = twin.load(path), twin.load(tmp_path / "less.toml")
    assert desk.replications == 20
    assert "50 versions of these numbers, from days drawn again" in path.read_text("utf-8")
    played = [as_played(desk, k) for k in range(0, 40, 2)]
    rates = np.array([one.arrivals.rate for one in played]) / desk.arrivals.rate
    # About 3,000 tickets, and no more luck than that of Poisson.
    assert 0.006 < rates.std() < 0.04
    work = [one.agents["agents"].handle_times["Long"].mean_value() for one in played]
    assert np.mean(work) == pytest.approx(
        desk.agents["agents"].handle_times["Long"].mean_value(), rel=0.04
    )
    assert len({one.agents["agents"].shifts[3].heads for one in played}) > 10
    one = as_played(less, 2)
    assert one.agents["agents"].extra_heads == -1
    assert one.arrivals == played[1].arrivals
    results = twin.run([desk, less], replications=4)
    table = twin.compare(results, "desk", ["abandonment_rate"]).table
    assert bool(table["paired"].all())
    assert table["difference"].iloc[0] > 0
    assert table["data"].notna().all()
    assert 'file = "desk-data/versions.json"' in path.read_text("utf-8")


# Of the file, not of the desk.
NO_ESTIMATE = ("time_zone", "start", "horizon", "replications", "question", "unit", "file")


def without_comment(text):
    """Lines of a scenario file with a number that has no comment of its own."""
    lines = text.splitlines()
    section = False
    for above, line in zip(["", *lines], lines, strict=False):
        if line.startswith("["):
            section = above.startswith("#")
        key, sign, value = line.partition(" = ")
        told = section or above.startswith("#") or "  # " in line
        if sign and key not in NO_ESTIMATE and any(c.isdigit() for c in value) and not told:
            yield line


def test_each_number_of_the_file_says_what_it_rests_on(found, history, tmp_path):
    path = calibrated_file.write_calibrated(found, history, tmp_path / "desk.toml")
    text = path.read_text(encoding="utf-8")
    assert list(without_comment(text)) == []
    assert list(without_comment(text.replace("# ", ""))) != []
    rows = [line for line in text.splitlines() if line.startswith("    {")]
    assert all('days = "' in row and "sessions of work" in row for row in rows)
    estimates = {one.key: one for one in found.estimates}
    shifts = found.data["agents"]["agents"]["shifts"]
    for k, shift in enumerate(shifts):
        one = estimates[f"agents.agents.shifts[{k}]"]
        assert one.value == shift["heads"]
        assert one.low <= one.value <= one.high
        assert one.n == 14
    assert "seen while somebody waited where that was often" in text
    # Each rate of agents who come and go has an interval or says why it has none.
    rates = [str(one) for key, one in estimates.items() if ".away." in key]
    assert len(rates) == 4
    assert all("not identified one by one: no interval of its own" in one for one in rates)
    assert "what was found is the fit to the waits, not each rate" in text


@pytest.fixture(scope="module")
def of_the_week(week, tmp_path_factory):
    """All files of a desk that is calibrated to the week, by a search of few plays."""
    with pytest.MonkeyPatch.context() as patch:
        set_quick(patch)
        return files_of(twin.calibrate(week), week, tmp_path_factory.mktemp("week"))


def files_of(found, history, folder):
    calibrated_file.write_calibrated(found, history, folder / "my-desk.toml")
    return written(folder)


def test_it_is_the_same_each_time_and_in_two_processes(week, quick, of_the_week, tmp_path):
    assert files_of(twin.calibrate(week, workers=2), week, tmp_path) == of_the_week


@pytest.mark.skipif(not COMPILED, reason="the extra [fast] is not installed")
def test_it_is_the_same_on_either_engine(week, quick, of_the_week, tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "has_numba", lambda: False)
    assert files_of(twin.calibrate(week), week, tmp_path) == of_the_week


def test_another_seed_is_other_luck(week, quick, of_the_week, tmp_path):
    files = files_of(twin.calibrate(week, seed=2), week, tmp_path)
    mine, others = (tomllib.loads(one["my-desk.toml"].decode()) for one in (files, of_the_week))
    assert mine["seed"] == 2
    assert "seed" not in others
    assert mine["agents"]["agents"]["away"] != others["agents"]["agents"]["away"]
    assert mine["arrivals"] == others["arrivals"]
    versions = [json.loads(one["versions.json"]) for one in (files, of_the_week)]
    assert versions[0] != versions[1]


def test_nothing_that_is_there_is_replaced_unless_asked(found, history, tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text("mine")
    with pytest.raises(ScenarioError, match=r"is there already; name another file, or.*--replace"):
        calibrated_file.write_calibrated(found, history, path)
    assert path.read_text() == "mine"
    calibrated_file.write_calibrated(found, history, path, replace_old=True)
    assert twin.load(path).agents


def test_a_scenario_that_cannot_be_written_leaves_the_old_one_whole(
    found, history, tmp_path, monkeypatch
):
    path = calibrated_file.write_calibrated(found, history, tmp_path / "desk.toml")
    before = {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    whole = calibrated_file.write_text

    def full(one, text):
        if one == path:
            raise OSError(28, "No space left on device", str(one))
        whole(one, text)

    monkeypatch.setattr(calibrated_file, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        calibrated_file.write_calibrated(found, history, path, replace_old=True)
    assert {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == before


def test_a_folder_of_somebody_else_is_never_replaced(found, history, tmp_path):
    (tmp_path / "desk-data").mkdir()
    (tmp_path / "desk-data" / "mine.txt").write_text("mine")
    with pytest.raises(ScenarioError, match="is no folder of a calibration"):
        calibrated_file.write_calibrated(found, history, tmp_path / "desk.toml", replace_old=True)
    assert (tmp_path / "desk-data" / "mine.txt").read_text() == "mine"
    (tmp_path / "other.toml").mkdir()
    with pytest.raises(ScenarioError, match="is a folder; name a file"):
        calibrated_file.write_calibrated(found, history, tmp_path / "other.toml", replace_old=True)


def test_a_category_that_is_not_told_is_one_of_its_own(calls, tmp_path, quick):
    frame = pd.read_csv(calls, keep_default_na=False)
    frame = frame[frame["arrived"] < "2026-03-10"]
    frame.iloc[::10, frame.columns.get_loc("kind")] = ""
    frame.to_csv(tmp_path / "blank.csv", index=False)
    found = twin.calibrate(twin.read_history(tmp_path / "blank.csv", zone="UTC"))
    assert found.data["tickets"]["category_mix"]["not told"] == pytest.approx(0.1, abs=0.01)


def test_calls_without_agents_are_refused(calls, tmp_path):
    frame = pd.read_csv(calls, keep_default_na=False).drop(columns="agent")
    frame.to_csv(tmp_path / "no-agents.csv", index=False)
    history = twin.read_history(tmp_path / "no-agents.csv", zone="UTC")
    with pytest.raises(ScenarioError, match=r"does not tell which agent worked.*--map agent="):
        twin.calibrate(history)


def test_a_poor_fit_is_called_poor():
    good = capacity.Gap(1.0, 1.0, 0.0, 0.0, 0.1)
    poor = capacity.Gap(400.0, 300.0, 0.3, 0.5, 5.0)
    spread = Availability(0.5, 1.0, 1.0, 1.0, np.ones(24))
    away = SeenAway(0.5, 100, 20.0, 10.0, 50, 3.0)
    said = said_of_fit(capacity.CapacityFit(spread, poor, poor, 1), away)
    assert said[0].startswith("THE FIT IS POOR")
    assert any("no better" in line for line in said)
    said = said_of_fit(capacity.CapacityFit(spread, good, poor, 1), away)
    assert not any("POOR" in line for line in said)


def test_the_command_says_what_it_found(week, tmp_path, quick):
    folder = week.save(tmp_path / "history")
    out = tmp_path / "my-desk.toml"
    answer = CliRunner().invoke(app, ["calibrate", str(folder), "--out", str(out), "--json"])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert told["gap"]["gave_up"] == pytest.approx(0.0, abs=0.1)
    assert {"arrivals.rate", "customers.patience"} <= {one["key"] for one in told["estimates"]}
    again = CliRunner().invoke(app, ["calibrate", str(folder), "--out", str(out)])
    assert again.exit_code == 2
    assert "--replace" in again.output


def test_the_command_says_what_to_do_next_and_what_makes_a_large_log_quick(
    week, tmp_path, quick, monkeypatch
):
    monkeypatch.setattr(engines, "has_numba", lambda: False)
    folder, out = week.save(tmp_path / "history"), tmp_path / "my-desk.toml"
    words = ["calibrate", str(folder), "--out", str(out), "--quiet"]
    monkeypatch.setattr(calibrations, "_MANY_TICKETS", 10)
    ends = week.desk.start + timedelta(days=7)
    answer = CliRunner().invoke(app, [*words, "--workers", "1", "--until", str(ends)])
    assert answer.exit_code == 0, answer.output
    assert "with numba (pip install 'support-desk-twin[fast]')" in answer.stderr
    assert f"next: twin fidelity {out} {folder} --test {ends}\n" in answer.output


def test_days_that_a_part_of_a_history_leaves_to_be_predicted(history):
    assert days_after(history, history) == []
    first, last = (history.desk.start + timedelta(days=k) for k in (9, 13))
    part = part_of(history, until=f"{first}")
    assert days_after(history, part) == [first + timedelta(days=k) for k in range(5)]
    # A day of which an hour is known is not to be predicted.
    assert days_after(history, part_of(history, until=f"{last}T01:00")) == []


def test_a_history_that_is_too_short_is_refused(calls):
    short = twin.read_history(calls, zone="UTC", until="2026-03-06")
    with pytest.raises(ScenarioError, match="4 whole days with data; at least 7 are needed"):
        twin.calibrate(short)


def test_names_of_categories_may_hold_anything(calls, tmp_path, quick):
    frame = pd.read_csv(calls, keep_default_na=False)
    frame["kind"] = frame["kind"].map({"Short": 'A "b" = [c.d]\\', "Long": "Ü.#x"})
    frame[frame["arrived"] < "2026-03-10"].to_csv(tmp_path / "odd.csv", index=False)
    history = twin.read_history(tmp_path / "odd.csv", zone="UTC")
    path = calibrated_file.write_calibrated(twin.calibrate(history), history, tmp_path / "d.toml")
    assert set(twin.load(path).tickets.category_mix) == {'A "b" = [c.d]\\', "Ü.#x"}
    lines = path.read_text(encoding="utf-8").splitlines()
    for name in (r'"A \"b\" = [c.d]\\"', '"Ü.#x"'):
        rows = [k for k, line in enumerate(lines) if line.startswith(f"{name} = 0")]
        assert all("counted" in lines[k - 1] for k in rows)
        assert rows


def test_a_desk_of_statuses_becomes_a_workflow_and_says_what_it_cannot_tell(tmp_path):
    rng = np.random.default_rng(7)
    rows = []
    for case in range(400):
        at = pd.Timestamp("2026-03-02") + pd.Timedelta(hours=float(rng.uniform(0, 28 * 24)))
        steps = ["New", "Work", *(["Waiting", "Work"] if rng.random() < 0.3 else []), "Resolved"]
        for name in steps:
            rows.append((case, name, at.isoformat()))
            at += pd.Timedelta(hours=float(rng.exponential({"Waiting": 24}.get(name, 2))))
    path = tmp_path / "log.csv"
    pd.DataFrame(rows, columns=["case", "activity", "timestamp"]).to_csv(path, index=False)
    history = twin.read_history(path, zone="UTC")
    found = twin.calibrate(history)
    assert found.as_it_was is None
    assert found.capacity is None
    assert set(found.data["workflow"]["statuses"]) == {"New", "Work", "Waiting", "Resolved"}
    assert any("what one agent less would do" in line for line in found.said)
    written = calibrated_file.write_calibrated(found, history, tmp_path / "desk.toml")
    log = twin.play(twin.load(written)).log
    share = (log.timeline["detail"] == "Waiting").sum() / len(log.tickets)
    assert share == pytest.approx(0.3, abs=0.08)


def test_the_forecast_ends_at_midnight_where_the_clocks_change(tmp_path):
    rows = ["case,activity,timestamp"]
    for k in range(60):
        day = f"2026-03-{1 + k % 28:02d}T{8 + k % 9:02d}"
        rows += [f"{k},New,{day}:00:00", f"{k},Resolved,{day}:{10 + k % 40}:00"]
    (tmp_path / "log.csv").write_text("\n".join(rows), encoding="utf-8")
    history = twin.read_history(tmp_path / "log.csv", zone="Europe/London")
    data = calibrate_statuses(history).data
    desk = twin.from_data(data)
    # Twelve weeks, with the night that is an hour shorter.
    assert (data["horizon"], data["warm_up"]) == (f"{84 * 24 - 1}h", "56d")
    assert "the clocks change on the way" not in "\n".join(twin.explain(desk))


def test_figures_that_rest_on_what_no_history_tells_say_so_and_lead_no_answer(
    found, history, tmp_path
):
    path = calibrated_file.write_calibrated(found, history, tmp_path / "desk.toml")
    less = tmp_path / "less.toml"
    less.write_text('extends = "desk.toml"\n[agents.agents]\nextra_heads = -2\n', "utf-8")
    # One version of the numbers: six replications tell no more of several.
    text = path.read_text("utf-8").partition("[uncertainty]")[0]
    path.write_text(text.replace('"28d"', '"7d"'), "utf-8")
    desk = twin.load(path)
    carried = assumed_by(desk)
    assert carried["solved"] == ("customers.solved.agent",)
    assert "abandonment_rate" not in carried
    said = "\n".join(map(str, unset(desk)))
    assert "customers.solved.agent = 1 (not in the history), which carries solved" in said
    # Where every answer solves, nobody comes back, and nobody rates: these carry nothing.
    assert "customers.reopen_rate" not in said
    assert "customers.satisfaction" not in said
    results = twin.run([desk, twin.load(less)], replications=6)
    compared = twin.compare(results)
    table = compared.table.set_index("kpi")
    assert table.loc["solved", "verdict"] == table.loc["abandonment_rate", "verdict"] == "worse"
    assert table.loc["solved", "rests_on"] == "customers.solved.agent"
    assert table.loc["abandonment_rate", "rests_on"] == ""
    lines = [line for line in compared.sentences() if ": solved " in line]
    assert lines[0].endswith("rests on the assumed customers.solved.agent")
    sources = [Source(results, run, results.summary()) for run in results.runs]
    worse = of_runs(sources, compared)[2]
    assert "tickets given up: " in worse
    assert "customers who are helped" not in worse.partition("tickets given up: ")[0]
    rows = {about[2]: about[3] for about in assumptions(desk)}
    assert rows["customers.solved.agent"] == "assumed"


def test_a_history_without_work_and_statuses_is_refused(history):
    from dataclasses import replace

    bare = replace(history, extra={**history.extra, "events": history.extra["events"].iloc[:0]})
    with pytest.raises(ScenarioError, match="neither when agents worked nor when statuses"):
        calibrate_statuses(bare)


def test_the_gap_of_waits_by_hand():
    hour = np.array([9, 9, 10, 10])
    seen = Waits(hour, np.array([0.0, 60.0, 30.0, 90.0]), np.array([True, True, True, False]))
    same = gap(seen, seen)
    assert same.loss == 0
    other = Waits(hour, np.array([0.0, 60.0, 60.0, 90.0]), np.array([True, True, True, True]))
    found = gap(seen, other)
    # Served: 0, 30, 60 against 0, 60, 60, 90; by hour 30 and 30 s against 30 and 75 s.
    assert found.wait_s == pytest.approx(22.5)
    assert found.hourly_s == pytest.approx(15.0)
    assert found.gave_up == pytest.approx(-0.25)
    assert found.waited == pytest.approx(3 / 4 - 2 / 3)


def test_the_search_finds_the_availability_that_gives_the_waits(quick, monkeypatch):
    """A stand-in for the desk: longer waits with fewer agents, known to the last bit."""
    monkeypatch.setattr(capacity, "_RATE_PLAYS", 40)
    rng = np.random.default_rng(1)
    hour, base = rng.integers(8, 18, 4000), rng.exponential(30, 4000)

    def play(availability, replications):
        here = Availability(0.0, 1.0, 60.0, 60.0, np.ones(24)) if availability is None else (
            availability
        )  # fmt: skip
        away = (0.2 + here.after_touch) * 60 / (here.returns + here.returns_per_queued)
        wait_s = base * away / here.hours[hour]
        patience = 4 * base[::-1]
        return [Waits(hour, np.minimum(wait_s, patience), wait_s < patience)] * len(replications)

    truth = Availability(0.8, 10.0, 40.0, 20.0, np.ones(24))
    calls = []
    fit = fit_capacity(*play(truth, [0]), play, lambda done, total: calls.append((done, total)))
    assert fit.gap.loss < 0.05 < fit.plain.loss
    assert calls[-1][0] <= calls[-1][1]
    assert fit.plays == len(calls)


# The command in a process of its own, with a search of few plays.
QUICKLY = """
from twin.history import call_desk
from twin.history.fit import capacity
capacity._ROUNDS, capacity._RATE_PLAYS, capacity._HOUR_PLAYS = 1, 12, 3
call_desk._BACK_TESTS = 1
from twin.cli.app import app
app()
"""


def calibrating(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-c", QUICKLY, "calibrate", "history", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(children.ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=children.interruptible,
    )


def written(folder):
    """All files of a calibrated desk."""
    rest = sorted((folder / "my-desk-data").iterdir())
    return {one.name: one.read_bytes() for one in (folder / "my-desk.toml", *rest)}


def test_a_calibration_that_was_killed_goes_on_to_the_same_desk(
    history, tmp_path, quick, monkeypatch
):
    """Killed outright, stopped by Ctrl-C, then with a play half written and one of another desk."""
    history.save(tmp_path / "history")
    week = part_of(history, until="2026-03-10")
    played, counted = call_desk.play_waits, []

    def counting(*what):
        counted.append(what)
        return played(*what)

    monkeypatch.setattr(call_desk, "play_waits", counting)
    calibrated_file.write_calibrated(twin.calibrate(week), week, tmp_path / "once" / "my-desk.toml")
    once = len(counted)
    plays, desk = tmp_path / ".my-desk-plays", tmp_path / "my-desk.toml"
    child = calibrating(tmp_path, "--until", "2026-03-10")
    try:
        children.wait_for(lambda: len([*plays.glob("*.parquet")]) >= 3 or child.poll())
    finally:
        child.kill()
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    before = {*plays.glob("*.parquet")}

    def stopped(*what):
        if len([*plays.glob("*.parquet")]) == len(before) + 2:
            raise KeyboardInterrupt
        return played(*what)

    command = ["calibrate", str(tmp_path / "history"), "--out", str(desk), "--until", "2026-03-10"]
    with monkeypatch.context() as patch:
        patch.setattr(call_desk, "play_waits", stopped)
        answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 130
    assert "the same command goes on from there" in answer.stderr
    assert not desk.exists()
    torn = min(before)
    whole = torn.read_bytes()
    torn.write_bytes(whole[:-100])
    (plays / f"{'0' * 32}.parquet").write_bytes(whole)
    counted.clear()
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    assert written(tmp_path) == written(tmp_path / "once")
    # The torn play was played again, and what was whole was not.
    assert len(counted) <= once - len(before) - 1
    assert not plays.exists()


def test_plays_of_another_history_seed_or_table_are_not_taken(tmp_path):
    waits = Waits(np.array([9, 10]), np.array([0.1, 1 / 3]), np.array([True, False]))
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "arrivals.csv").write_text("timestamp\n1\n")
    plays = KeptPlays(lambda *_: waits, tmp_path / "plays")
    for _ in range(2):
        found = plays.play(tables, {"seed": 1}, 0)
        for name in ("hour", "wait_s", "served"):
            one, other = getattr(found, name), getattr(waits, name)
            assert one.tobytes() == other.tobytes()
            assert one.dtype == other.dtype
    assert plays.taken_up == 1
    plays.play(tables, {"seed": 2}, 0)
    plays.play(tables, {"seed": 1}, 1)
    (tables / "arrivals.csv").write_text("timestamp\n2\n")
    plays.play(tables, {"seed": 1}, 0)
    assert plays.taken_up == 1
    (tmp_path / "plays" / "mine.txt").write_text("mine")
    forget(tmp_path / "plays")
    assert [one.name for one in (tmp_path / "plays").iterdir()] == ["mine.txt"]


def test_what_the_twin_may_know_is_chosen_without_a_second_import(history, week, tmp_path, quick):
    one = twin.calibrate(history, until="2026-03-10")
    other = twin.calibrate(week)
    assert one.data == other.data
    assert list(map(str, one.estimates)) == list(map(str, other.estimates))
    for name, frame in one.files.items():
        pd.testing.assert_frame_equal(frame, other.files[name])
    assert calibrated_file.summary(one, history) == calibrated_file.summary(other, week)


@pytest.mark.slow
def test_the_effect_of_one_agent_less_is_about_right(history, tmp_path):
    """The whole search; `python -m tests.benchmarks.planted` has desks by the dozen."""
    found = twin.calibrate(history)
    path = calibrated_file.write_calibrated(found, history, tmp_path / "desk.toml")
    effects = []
    for desk in (phone_desk(), twin.load(path)):
        name = next(iter(desk.agents))
        fewer = desk.vary({f"agents.{name}.extra_heads": -1}, name="fewer")
        results = twin.run([desk, fewer], replications=10)
        rows = twin.compare(results, baseline=desk.name).table.set_index(["kpi", "group"])
        effects.append(rows.loc[("abandonment_rate", ""), "difference"])
    print("share who give up with one agent less: planted, calibrated", effects)
    assert 0.75 < effects[1] / effects[0] < 1.33


def test_traps_of_the_export_are_told_at_the_head_of_the_file(tmp_path):
    rows = ["case,activity,timestamp"]
    for k in range(60):
        day = f"2026-03-{1 + k % 28:02d}T{8 + k % 9:02d}"
        rows += [f"{k},New,{day}:00:00", f"{k},Resolved,{day}:{10 + k % 40}:00"]
    (tmp_path / "log.csv").write_text("\n".join(rows))
    history = twin.read_history(tmp_path / "log.csv", zone="UTC")
    (said,) = [trap.said for trap in history.traps if trap.name == "minutes only"]
    assert "rest on waits that may be off by a minute." in said
    found = twin.calibrate(history)
    path = twin.write_calibrated(found, history, tmp_path / "desk.toml")
    head = " ".join(path.read_text(encoding="utf-8").partition("\n[")[0].replace("#", " ").split())
    assert f"Trap in the export, minutes only: {said}" in head
