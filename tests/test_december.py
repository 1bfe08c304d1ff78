"""The December question: one file and two commands lead to an answer on at most two sheets."""

import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import browser
import pytest
from engines import COMPILED
from test_report import Reader
from test_report_browser import CONTRAST, HIDDEN, LETTERS, sheets
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.toml import dump
from twin.experiments.studies.findings import open_search
from twin.report import searched
from twin.report.page import page
from twin.scenario.model import Target

ROOT = Path(__file__).parents[1]
FILE = ROOT / "scenarios" / "studies" / "december.toml"
SHIFTS = "agents.frontline.shifts.{}.heads"


def quick(folder: Path) -> Path:
    """The shipped file with fewer rosters and days, and targets that so few can show."""
    plan = tomllib.loads(FILE.read_text(encoding="utf-8"))
    base = os.path.relpath(ROOT / "scenarios" / "baseline.toml", folder)
    desk = f'extends = "{base}"\nstart = 2026-01-02\nhorizon = "3d"\nwarm_up = "0s"\n'
    (folder / "desk.toml").write_text(desk, encoding="utf-8")
    plan["scenario"] = "desk.toml"
    for place, heads in enumerate(([3, 5], [4], [4])):
        plan["factors"][SHIFTS.format(place)] = heads
    plan["targets"] = {"service_level": {"at_least": 0.9}, "abandonment_rate": {"at_most": 0.1}}
    (folder / "december.toml").write_text(dump(plan), encoding="utf-8")
    return folder / "december.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The results of the search, and the page that the second command wrote."""
    place = tmp_path_factory.mktemp("december")
    options = ["--out", str(place), "--budget", "40", "--replications", "2", "--workers", "1"]
    options += ["--engine", "compiled"] if COMPILED else []
    done = CliRunner().invoke(app, ["search", str(quick(place)), *options, "--quiet"])
    assert done.exit_code == 0, done.output
    found = place / "studies" / "december"
    done = CliRunner().invoke(app, ["report", str(found), "--brief"])
    assert done.exit_code == 0, done.output
    return found


@pytest.fixture(scope="module")
def found(folder):
    return open_search(next(folder.glob("*/search.json")).parent)


@pytest.fixture(scope="module")
def brief(found):
    return found.path / "report-brief.html"


def told(found, **changes):
    return Reader(page(replace(found, **changes), brief=True)).text


def test_the_commands_are_those_of_the_file():
    said = FILE.read_text(encoding="utf-8")
    assert "#     twin search scenarios/studies/december.toml\n" in said
    assert "#     twin report results/studies/december --brief\n" in said


def test_every_part_of_the_question_is_answered(found, brief):
    reader = Reader(brief.read_text(encoding="utf-8"))
    text = reader.text
    assert "30 % more tickets in December: do we keep 95 %" in text
    # Do we keep it?
    assert re.search(
        r"As it is: yes\s?\. Service level is 9\d.* %, and at least 90 % is asked", text
    )
    assert re.search(r"Found: yes\s?\.", text)
    assert "With a chance of at least 95 %, each of these answers is right." in text
    # With how many agents on which shifts?
    for row in found.roster.to_dict("records"):
        assert f"{row['pool']}, {row['days']} {row['hours']}" in text
    assert found.roster["heads"].tolist() == [3, 4, 4, 1]
    assert found.roster["today"].tolist() == [5, 5, 4, 1]
    # Is the larger model worth it?
    assert "Model large or small? Large against small, all else the same:" in text
    assert re.search(r"tickets given up \(1\.?\d* points fewer\)", text)
    assert "small meets every target, too." in text
    # At what cost, what to do, and what it rests on.
    assert re.search(r"That is \$2,8\d\d less a week \(between", text)
    assert "frontline heads, Mon-Fri 08:00-16:00: 3 in place of 5" in text
    assert "model: large in place of small" in text
    assert f"twin roster {found.path.parent} --pool frontline" in text
    assert "Assumed how good the model is (assistant.profile), arrivals.scale from 1.2 to" in text
    assert "no history was given to compare it with" in text
    assert len(reader.all("figure")) == 1
    assert "All settings" not in text


def test_nothing_is_said_that_was_not_shown(found):
    today, small = found.beside
    missed = [{**row, "verdict": "missed"} for row in today["targets"]]
    text = told(found, beside=({**today, "verdict": "missed", "targets": missed}, small))
    assert re.search(r"As it is: no\s?\.", text)
    assert "Change frontline heads, Mon-Fri 08:00-16:00: 3 in place of 5" in text
    assert "It can stay as it is" not in text
    # Nothing of a difference within its interval.
    same = [{**row, "low": -1.0, "high": 1.0} for row in small["changes"]]
    text = told(found, beside=(today, {**small, "verdict": "open", "changes": same}))
    assert "no difference in a target or the cost is shown; small may or may not meet" in text
    text = told(found, beside=({**today, "changes": same}, small))
    assert "That one of them costs less is not shown." in text
    assert "less a week" not in text
    # The near miss has the small model; without it the promise of the search names the level.
    assert found.near_misses["model"].tolist() == ["small"]
    assert "1 other setting with small would meet them at less cost is not known yet." in told(
        found
    )
    assert (
        "Of all settings that were played, the cheapest that meets every target has large."
        in told(found, near_misses=found.near_misses.iloc[:0])
    )


def test_a_search_without_an_answer_says_what_is_open(found):
    today = found.beside[0]
    nothing = {"scenario": None, "roster": found.roster.iloc[:0],
               "changes": found.changes.assign(found="-")}  # fmt: skip
    open_ = {**today, "verdict": "open",
             "targets": [{**row, "verdict": "open"} for row in today["targets"]]}  # fmt: skip
    text = told(found, **nothing, beside=(open_,))
    assert re.search(r"As it is: not known yet\s?\.", text)
    assert re.search(r"Another setting: not known yet\s?\. 1 other setting may meet", text)
    assert "Decide nothing yet." in text
    assert "With a chance of at least" not in text
    text = told(found, **nothing, beside=(today,), near_misses=found.near_misses.iloc[:0])
    assert re.search(r"Another setting: no\s?\. None of those that were played meets", text)
    assert "Keep it as it is: every target is met" in text
    # What is no ground is not among them.
    again = "7 replications were played again, because another version of the code had stored them"
    assert "played again" not in told(found, notes=(again, "Mind the gap"))
    assert "Mind the gap." in told(found, notes=(again, "Mind the gap"))
    # One that an older version saved knows nothing of today.
    text = told(found, beside=())
    assert "As it is:" not in text
    assert "Model large or small?" in text


def test_the_whole_report_opens_with_the_same_page(found):
    text = Reader(page(found)).text
    for part in ("The answer", "The finding in full", "Near misses", "All settings",
                 "How it was searched"):  # fmt: skip
        assert part in text
    with pytest.raises(ValueError, match="a search has the targets of its study file"):
        page(found, brief=True, targets={"solved": Target(at_least=0.5)})


def test_nothing_of_a_name_becomes_markup(found):
    text = page(replace(found, question="<b>Now?</b>"), brief=True)
    assert "<b>Now?" not in text
    assert "&lt;b&gt;Now?" in text


def test_other_searches_have_a_picture_of_what_decides():
    desk = twin.from_data(
        {"horizon": "6h", "arrivals": {"rate": "12/h"}, "agents": {"all": {
            "heads": 1, "handle_time": "5min", "cost": 20.0}}}
    )  # fmt: skip
    plan = {"scenario": desk, "factors": {"agents.all.heads": [1, 2]}, "minimise": "occupancy",
            "targets": {"agent_wait_mean": {"at_most": 600.0}}}  # fmt: skip
    found = twin.search(plan, 2, checks=5, budget=40)
    text = Reader(page(found, brief=True)).text
    assert "What it costs" in text
    assert "Agent wait mean and occupancy" in text
    assert "twin roster" not in text
    assert list(searched.levels_said(found)) == []


browsers = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@browsers
def test_it_is_printed_on_two_sheets_at_most(chromium, brief):
    chromium.open(brief)
    chromium.scheme("light", media="print")
    assert sheets(chromium) <= 2
    chromium.scheme("light")


@browsers
@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_it_can_be_read_by_anyone_anywhere(chromium, brief, width, dark):
    chromium.open(brief, width, phone=width == 390, dark=dark)
    assert chromium.complaints() == []
    assert chromium.requests()[0] == brief.as_uri()
    assert all(address.startswith("data:") for address in chromium.requests()[1:])
    assert chromium.run(HIDDEN) == []
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.run(CONTRAST) >= 4.5
    smallest, cut = chromium.run(LETTERS)
    assert cut == []
    assert smallest >= 8
    if browser.axe_path() is not None:
        assert chromium.barriers() == []
