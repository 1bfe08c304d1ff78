"""The page Staffing, drawn without a browser: sliders, figures, checks, and what it refuses."""

import json
import shlex

import pytest

pytest.importorskip("streamlit", reason="the page takes the extra [live]")

import streamlit
from stub_desk import draw, html_of, press, slider, texts, whole

from twin.desk import engines
from twin.experiments import same_customers
from twin.live import serve
from twin.live.page import setting, staffing
from twin.scenario.changes import parse_change
from twin.scenario.file import load

SMALL = """question = "Are two enough?"
horizon = "3d"
warm_up = "1d"
[arrivals]
rate = "12/h"
[agents.all]
handle_time = "5min"
cost = 20.0
shifts = [{ start = "08:00", end = "20:00", heads = 2 }]
[targets.first_response]
normal = "30min"
"""
SHIFT = r"all\, daily 08\:" + "\u200b" + r"00 to 20\:" + "\u200b00"


@pytest.fixture
def scenarios(tmp_path, monkeypatch):
    """Two scenarios to choose from, played on SimPy so that nothing waits for a compiler."""
    (tmp_path / "baseline.toml").write_text(SMALL)
    (tmp_path / "night.toml").write_text('extends = "baseline.toml"\nquestion = "At night?"\n')
    monkeypatch.setenv("TWIN_SCENARIOS", str(tmp_path))
    monkeypatch.delenv(serve.DESK, raising=False)
    monkeypatch.setattr(engines, "has_numba", lambda: False)
    monkeypatch.setattr(same_customers, "ROUNDS", (2, 4))
    streamlit.cache_resource.clear()
    return tmp_path


def move(app, label, value):
    slider(app, label).set_value(value)
    return whole(app.run())


def test_a_slider_a_shift_shows_what_would_differ(scenarios):
    app = draw("staffing")
    assert [s.label for s in app.slider] == ["Load", SHIFT]
    assert "difference" not in html_of(app)
    app = move(app, SHIFT, 3)
    table = html_of(app)
    rows = ("first response p90", "service level", "occupancy", "backlog", "cost week")
    assert all(f">{word}<" in table for word in ("as it is", "as moved", "difference", *rows))
    assert any("From 4 replications, the same customers" in text for text in texts(app.caption))
    (picture,) = [one for image in app.image for one in image.proto.imgs]
    assert "as it is (dotted)" in picture.alt
    app = press(app, "Start again")
    assert slider(app, SHIFT).value == 2
    assert "difference" not in html_of(app)


def test_a_setting_can_be_taken_away_as_a_file_and_as_a_command(scenarios, monkeypatch):
    # With the changes by which the desk is served.
    environment = serve.desk_of(scenarios / "night.toml", ["customers.survey_rate=0.5"])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = draw("staffing")
    assert app.selectbox[0].options == ["The desk that runs here", "baseline", "night"]
    assert r"At night\?" in texts(app.caption)
    app = move(move(app, SHIFT, 3), "Load", 1.5)
    line = next(code.value for code in app.code if code.value.startswith("twin run"))
    words = shlex.split(line)
    assert words[:2] == ["twin", "run"]
    typed = load(words[2], dict(map(parse_change, words[4::2])))
    assert (typed.arrivals.scale, typed.agents["all"].shifts[0].heads) == (1.5, 3)
    app = press(app, "Save")
    saved = load(scenarios / "night-what-if.toml")
    # What is said of it is the visitor's own.
    apart = {"name", "question"}
    assert saved.model_dump(exclude=apart) == typed.model_dump(exclude=apart)
    assert saved.customers.survey_rate == 0.5
    assert [b.label for b in app.get("download_button")] == ["Download as a scenario file"]


def test_a_verdict_takes_customers_nobody_has_seen(scenarios, monkeypatch):
    monkeypatch.setattr(setting, "_CHECKED", 8)
    app = press(move(draw("staffing"), SHIFT, 4), "Check on fresh customers")
    table = html_of(app)
    assert ">Checked on fresh customers<" in table
    assert ">better: " in table
    said = next(text for text in texts(app.caption) if text.startswith("Check 1 of this visit"))
    assert "97" in said
    # A further check is told from the first, and another setting has none yet.
    app = press(app, "Check on fresh customers")
    assert any(text.startswith("Check 2 of this visit") for text in texts(app.caption))
    app = move(app, SHIFT, 5)
    assert "Checked on fresh customers" not in html_of(app)


def test_what_a_client_sends_beyond_the_bounds_is_not_played(scenarios, monkeypatch):
    played = []
    real = same_customers.SameCustomers.rounds
    monkeypatch.setattr(
        same_customers.SameCustomers, "rounds",
        lambda self, desk: played.append(desk) or real(self, desk),
    )  # fmt: skip
    app = move(draw("staffing"), SHIFT, 10**9)
    move(app, "Load", 10**9)
    assert len(played) == 3
    assert max(desk.agents["all"].shifts[0].heads for desk in played) <= 7
    assert max(desk.arrivals.scale for desk in played) <= 4


def test_a_desk_that_takes_too_long_is_refused(scenarios):
    (scenarios / "baseline.toml").write_text(SMALL.replace("12/h", "2000/h"))
    app = draw("staffing")
    assert "more than the 40,000 that one can wait for" in texts(app.text)[0]
    assert not app.slider


def test_a_load_that_takes_too_long_is_refused_and_can_be_moved_back(scenarios):
    (scenarios / "baseline.toml").write_text(SMALL.replace("12/h", "200/h"))
    app = move(draw("staffing"), "Load", 4.0)
    assert "more than the 40,000" in texts(app.error)[0].replace("\\", "")
    app = move(app, "Load", 1.0)
    assert not app.error
    assert ">occupancy<" in html_of(app)


def test_a_broken_desk_is_explained(scenarios):
    (scenarios / "baseline.toml").write_text('horizn = "1d"')
    app = draw("staffing")
    assert 'did you mean "horizon"' in texts(app.text)[0]
    assert not app.slider


def test_more_visitors_than_places_are_told_to_wait(scenarios, monkeypatch):
    from twin.live.limits import Gate

    monkeypatch.setattr(staffing, "_PLACES", Gate(0))
    app = draw("staffing")
    assert "Others are waiting" in texts(app.warning)[0]
    assert [s.label for s in app.slider] == ["Load", SHIFT]


def test_the_page_says_which_engine_plays(scenarios, monkeypatch):
    assert "support" in texts(draw("staffing").info)[0]
    monkeypatch.setattr(engines, "has_numba", lambda: True)
    path = scenarios / "baseline.toml"
    path.write_text(SMALL + "[routing]\nsame_agent = 0.5\n")
    said = texts(draw("staffing").info)[0].replace("\\", "")
    assert "does not cover tickets that return to the same agent" in said


def test_the_desk_that_runs_is_told_to_the_page(tmp_path):
    found = serve.desk_of(tmp_path / "my desk.toml", ["a.b=1", 'c="x y"'])
    assert found[serve.DESK] == str(tmp_path / "my desk.toml")
    assert json.loads(found[serve.DESK_CHANGES]) == ["a.b=1", 'c="x y"']
