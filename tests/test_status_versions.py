"""Desks known by their statuses: what each number rests on, and versions of all of them.

The share of intervals that hold the planted truth is measured in `tests/test_planted_study.py`
(parameters) and `tests/test_uncertainty_study.py` (figures and what-ifs).
"""

import numpy as np
import pandas as pd
import planted
import pytest
from test_calibrate import without_comment

import twin
from twin.experiments.versions import as_played, read
from twin.history.calibrated_file import write_calibrated
from twin.history.fit.drawn_again import DrawnAgain
from twin.history.fit.held_back import CutShort
from twin.history.fit.hour_clocks import HourClock
from twin.history.fit.spells import spells_of
from twin.history.fit.status_numbers import blocks, resolution_s
from twin.history.fit.statuses import fit_statuses

MONDAY = pd.Timestamp("2026-03-02", tz="UTC")


def log_of(number, days):
    changes = planted.changes_of(twin.play(planted.status_desk(number, days)).log)
    return changes.assign(moment=MONDAY + pd.to_timedelta(changes["moment"], unit="s"))


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A desk in which delays are told apart in two ways, calibrated: folder, calibration."""
    folder = tmp_path_factory.mktemp("statuses")
    changes = planted.changes_of(twin.play(planted.status_desk(4, 42)).log)
    # What comes back from the customer takes much longer, and old tickets are closed much later.
    of = changes.groupby("case")
    slow = (of["status"].shift(2) == "Waiting for user") & (changes["status"] == "Resolved")
    age = changes["moment"] - of["moment"].transform("first")
    late = (changes["status"] == "Closed") & (age > age[changes["status"] == "Closed"].median())
    more = 400_000.0 * slow + 900_000.0 * late
    changes["moment"] += more.groupby(changes["case"]).cumsum()
    history = twin.read_history(planted.as_event_log(changes, folder / "log"), zone="UTC")
    found = twin.calibrate(history)
    write_calibrated(found, history, folder / "desk.toml")
    return folder, found


def test_each_number_of_the_file_says_what_it_rests_on(calibrated):
    folder, found = calibrated
    text = (folder / "desk.toml").read_text(encoding="utf-8")
    assert list(without_comment(text)) == []
    assert ".after." in text
    assert "delay_by_age" in text
    estimates = {one.key: one for one in found.estimates}
    data = twin.load(folder / "desk.toml").as_data()["workflow"]
    checked = 0
    for name, status in data["statuses"].items():
        tables = {"next": status.get("next", {})}
        tables |= {f"after.{k}": v for k, v in status.get("after", {}).items()}
        for where, table in tables.items():
            for other, step in table.items():
                key = f"workflow.statuses.{name}.{where}.{other}"
                one = estimates.get(f"{key}.chance") or estimates[key]
                assert one.low <= one.value <= one.high
                assert one.value == pytest.approx(step["chance"], abs=1e-5)
                delays = {f"{key}.delay": step["delay"]} if step.get("delay") else {}
                delays |= {f"{key}.delay_by_age[{k}]": delay
                           for k, delay in enumerate(step.get("delay_by_age") or ())}  # fmt: skip
                for own, delay in delays.items():
                    one = estimates[own]
                    assert one.low <= one.value <= one.high
                    assert one.n > 0
                    assert one.value == pytest.approx(np.mean(delay["values"]), rel=1e-3)
                    assert text.count(f"# {one}") >= 1
                    checked += 1
    assert checked > 8
    clocks = [estimates[f"workflow.clocks.{name}"] for name in data["clocks"]]
    assert all(0 < one.low < 1 < one.high and one.n > 60 for one in clocks)


def test_versions_hold_all_numbers_of_the_workflow_and_play(calibrated):
    folder, found = calibrated
    desk = twin.load(folder / "desk.toml")
    assert desk.replications == 20
    assert "50 versions of these numbers" in (folder / "desk.toml").read_text(encoding="utf-8")
    keys = {one.key for one in read(folder / "desk-data" / "versions.json")}
    kinds = {key[-1] for key in keys} | {key[1] for key in keys}
    assert {"rate", "hours", "chance", "unit", "clocks", "start"} <= kinds
    assert any("delay_by_age" in key for key in keys)
    assert any("after" in key for key in keys)
    # Numbers that estimates call unsure differ as much from version to version.
    known = {one.key: one for one in found.estimates}
    wide = {}
    for one in read(folder / "desk-data" / "versions.json"):
        if one.key[-1] != "chance" or not 0.02 < one.calibrated < 0.98:
            continue
        estimate = known.get(".".join(one.key)) or known[".".join(one.key[:-1])]
        assert np.mean(one.versions) == pytest.approx(one.calibrated, abs=0.03)
        if estimate.n > 200:
            wide[one.key] = np.std(one.versions) / ((estimate.high - estimate.low) / 3.92)
    assert len(wide) > 3
    assert 0.6 < np.median([*wide.values()]) < 1.3
    played = [as_played(desk, k) for k in range(0, 8, 2)]
    assert len({one.workflow.clocks["learnt hours"][10] for one in played}) > 2
    less = desk.vary({"arrivals.scale": 1.2, "horizon": "14d", "warm_up": "7d"}, name="more")
    results = twin.run(
        [desk.vary({"horizon": "14d", "warm_up": "7d"}, name="desk"), less], replications=4
    )
    table = twin.compare(results, "desk", ["arrivals"]).table
    assert bool(table["paired"].all())
    assert table["data"].iloc[0] > 0
    # The folder is ours, so it may be replaced.
    history = twin.read_history(folder / "log.csv", zone="UTC")
    write_calibrated(found, history, folder / "desk.toml", replace_old=True)


def test_every_ticket_once_gives_the_numbers_of_the_fit():
    fit = fit_statuses(log_of(5, 42))
    again = DrawnAgain(fit.spells, fit.chances, fit.delays).numbers(np.ones(len(fit.spells)))
    for status, one in fit.chances.items():
        assert again.chances[status, None] == pytest.approx(one.usual)
        for before, share in one.after.items():
            assert again.chances[status, before] == pytest.approx(share)
    for step in fit.delays.steps:
        assert again.means_s[step.status, step.next, None] == pytest.approx(step.mean_s)
    for name, speeds in fit.delays.clocks.items():
        assert again.speeds[name] == pytest.approx(speeds)
    # To draw each ticket twice is to draw each once.
    double = DrawnAgain(fit.spells, fit.chances, fit.delays).numbers(np.full(len(fit.spells), 2.0))
    assert double.start == pytest.approx(again.start)
    assert double.means_s == pytest.approx(again.means_s)


def test_what_tickets_of_a_day_share_makes_intervals_wider():
    """Half of the days all tickets go one way, the other half the other one: 42 days, not 840."""
    rows = []
    for case in range(840):
        day, hour = divmod(case, 20)
        at = MONDAY + pd.Timedelta(days=day, hours=hour)
        rows += [(case, "New", at), (case, "Left" if day * 7919 % 11 < 5 else "Right",
                                     at + pd.Timedelta(hours=1))]  # fmt: skip
    log = pd.DataFrame(rows, columns=["case", "status", "moment"])
    alike = log.copy()
    alike.loc[1::2, "status"] = np.where(np.arange(840) % 20 < 9, "Left", "Right")
    half = []
    for one in (log, alike):
        known = {found.key: found for found in fit_statuses(one).estimates}
        share = known["workflow.statuses.New.next.Left.chance"]
        half.append((share.high - share.low) / 2)
    assert half[1] == pytest.approx(1.96 * (0.45 * 0.55 / 840) ** 0.5, rel=0.15)
    assert half[0] > 2.5 * half[1]


def test_equal_delays_are_known_as_far_as_the_log_resolves_them():
    log = log_of(6, 28)
    for size, text in ((1.0, "s"), (60.0, "min")):
        rounded = log.assign(moment=log["moment"].dt.floor(text))
        assert resolution_s(spells_of(rounded)[0]) == size
        known = {one.key: one for one in fit_statuses(rounded).estimates}
        one = known["workflow.statuses.Resolved.next.Closed.delay"]
        assert one.low <= 259_200 <= one.high
        assert one.high - one.low >= 2 * size


def test_who_is_cut_short_is_told_by_the_hours_at_which_the_desk_works():
    """Around the clock, what begins on a Friday lasts long, and looks as if much was cut short."""
    errors = []
    for number in range(120, 128):
        desk = planted.status_desk(number, 28)
        log = planted.changes_of(twin.play(desk).log)
        log["moment"] = MONDAY + pd.to_timedelta(log["moment"], unit="s")
        spells = spells_of(log)[0]
        pace = HourClock(spells.midnight, spells.until_s, np.array(planted.OFFICE))
        delay_s = pace.passed(spells.end_s) - pace.passed(spells.start_s)
        names = spells.names
        here = spells.over & (spells.status == names.index("Waiting for user"))
        true_s = desk.workflow.statuses["Waiting for user"].delay.mean_value()
        both = [CutShort(spells, lasted).weights()[here] for lasted in (None, delay_s)]
        errors.append([np.average(delay_s[here], weights=w) / true_s - 1 for w in both])
    around, hours = np.abs(np.mean(errors, axis=0))
    assert hours < around


def test_blocks_hold_neighbouring_days_and_weigh_alike():
    spells = spells_of(log_of(7, 42))[0]
    for life in (np.inf, 7.0):
        block = blocks(spells, life)
        assert (np.diff(block[np.argsort(spells.born_s, kind="stable")]) >= 0).all()
        first = spells.first
        weight = 0.5 ** ((spells.born_s.max() - spells.born_s) / 86400 / life)
        share = np.bincount(block[first], weight[first])
        share = share[share > 0] / share.sum()
        assert 8 <= len(share) <= 20
        assert share.max() < 0.2


def test_a_log_of_one_day_has_the_intervals_of_single_tickets():
    log = pd.DataFrame([
        (case, name, MONDAY + pd.Timedelta(minutes=5 * case + late))
        for case in range(100) for name, late in (("New", 0), ("Closed", 30 + case % 7))
    ], columns=["case", "status", "moment"])  # fmt: skip
    found = {one.key: one for one in fit_statuses(log).estimates}
    one = found["workflow.statuses.New.next.Closed.delay"]
    assert one.low < 33 * 60 < one.high
    assert one.high - one.low < 600
