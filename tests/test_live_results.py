"""The pages What-if and Results of a live desk, drawn without a browser."""

import json
import re

import pytest
from stub_desk import NASTY, draw, html_of, press, slider, texts, whole

from twin.live.page import parts, results
from twin.scenario.file import load


@pytest.fixture
def folders(tmp_path, monkeypatch):
    scenarios, results = tmp_path / "scenarios", tmp_path / "results"
    scenarios.mkdir()
    (scenarios / "baseline.toml").write_text(
        'question = "A day?"\nhorizon = "1d"\nreplications = 3\n[arrivals]\nrate = "6/h"\n'
        '[agents.all]\nheads = 1\nhandle_time = "9min"\ncost = 20.0\n[targets.first_response]\n'
        'normal = "30min"\n'
    )
    (scenarios / "two.toml").write_text('extends = "baseline.toml"\n[agents.all]\nheads = 2\n')
    monkeypatch.setenv("TWIN_SCENARIOS", str(scenarios))
    monkeypatch.setenv("TWIN_RESULTS", str(results))
    return scenarios, results


def test_a_what_if_is_played_and_compared_and_saved(folders):
    scenarios, results = folders
    app = draw("whatif")
    assert [s.label for s in app.slider] == ["Load", "Agents more or less: all"]
    slider(app, "Load").set_value(3.0)
    slider(app, "Agents more or less: all").set_value(1)
    app.number_input[0].set_value(8)
    app = press(app, "Run")
    assert [h.value for h in app.subheader] == [r"baseline what\-if against baseline"]
    table = html_of(app)
    assert all(f">{word}<" in table for word in ("arrivals", "occupancy", "cost per resolution"))
    assert "better: " in table or "worse: " in table
    pictures = [one for image in app.image for one in image.proto.imgs]
    assert len(pictures) >= 3
    assert all(picture.alt for picture in pictures)
    assert len(list(results.glob("*/*/manifest.json"))) == 2
    app = press(app, "Save")
    made = scenarios / "baseline-what-if.toml"
    assert texts(app.success) == [f"Saved as {parts.escaped(str(made))}."]
    assert 'extends = "baseline.toml"' in made.read_text()
    saved = load(made)
    assert (saved.arrivals.scale, saved.agents["all"].extra_heads) == (3.0, 1)
    app = press(app, "Save")
    assert texts(app.error) == ["There is a file of this name already; choose another."]
    for name in ("../out", "", "a/b", ".hidden"):
        next(t for t in app.text_input if t.label == "Name").set_value(name)
        app = whole(app.run())
        assert "A name starts with a letter" in texts(app.error)[0]
    assert sorted(p.name for p in scenarios.parent.rglob("*.toml")) == [
        "baseline-what-if.toml",
        "baseline.toml",
        "two.toml",
    ]


def test_another_file_can_be_the_baseline_and_without_changes_there_is_none(folders):
    app = draw("whatif")
    app.number_input[0].set_value(2)
    app = press(app, "Run")
    assert [h.value for h in app.subheader] == ["baseline"]
    assert "difference" not in html_of(app)
    next(s for s in app.selectbox if s.label == "Compare with").set_value("two")
    app = press(whole(app.run()), "Run")
    assert [h.value for h in app.subheader] == ["baseline against two"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('horizn = "1d"', 'did you mean "horizon"'),
        ("a = = b", "not valid TOML"),
        (None, "no such file"),
    ],
)
def test_a_broken_scenario_file_is_explained(folders, content, words):
    path = folders[0] / "broken.toml"
    if content is not None:
        path.write_text(content)
    app = draw("whatif")
    app.selectbox[0].set_value("another file ...")
    app = whole(app.run())
    assert [b.label for b in app.button] == []
    next(t for t in app.text_input if t.label == "Scenario file").set_value(str(path))
    app = whole(app.run())
    assert words in texts(app.text)[0]
    assert not [b for b in app.button if b.label == "Run"]


def test_only_scenario_files_are_read(folders, tmp_path):
    (tmp_path / "secret.txt").write_text("secret = 1")
    app = draw("whatif")
    app.selectbox[0].set_value("another file ...")
    app = whole(app.run())
    app.text_input[0].set_value(str(tmp_path / "secret.txt"))
    app = whole(app.run())
    assert "not a scenario file" in texts(app.text)[0]


def test_results_are_found_compared_and_reported(folders):
    assert "Nothing was run yet" in texts(draw("results").markdown)[0]
    app = draw("whatif")
    slider(app, "Load").set_value(1.5)
    app.number_input[0].set_value(2)
    press(app, "Run")
    broken = folders[1] / "odd" / "20990101T000000Z-0"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text(
        json.dumps({"scenario": NASTY, "status": "running", "scenario_as_run": {}})
    )
    (folders[1] / "odd" / "none").mkdir()
    (folders[1] / "odd" / "none" / "manifest.json").write_text("{")
    app = draw("results")
    assert texts(app.error) == ["This cannot be opened:"]
    assert "no replication is whole" in texts(app.text)[0]
    runs = results.saved_runs(folders[1])
    assert len(runs) == 3
    app.selectbox[0].set_value(runs[1][0])
    app = whole(app.run())
    assert "arrivals" in html_of(app)
    # Figures as pictures, not only a table.
    assert len([one for image in app.image for one in image.proto.imgs]) >= 3
    app.selectbox[1].set_value(runs[2][0])
    app = press(whole(app.run()), "Open the report")
    page = app.get("iframe")[0].proto.srcdoc
    assert page.startswith("<!doctype html>")
    assert "script" not in page.lower().replace("description", "")
    assert [b.label for b in app.get("download_button")] == ["Download it"]


def test_the_live_desks_own_record_is_shown_with_figures_and_report(folders, tmp_path, monkeypatch):
    from tests.live_desk import Small

    database = tmp_path / "desk.sqlite"
    monkeypatch.setenv("TWIN_DATABASE", str(database))
    small = Small(tmp_path)
    app = draw("results")
    assert texts(app.error) == ["There is nothing to show yet:"]
    assert "no ticket was filed yet" in texts(app.text)[0]
    for text in ("login", "login", "unsure"):
        small.file(text)
    body = {"description": "x", "rating": 5, "ticket_id": 1}
    assert small.client.post("/submit_feedback", json=body).status_code == 200
    small.client.post("/tickets/2/reply", json={"helped": False})
    small.store.close()
    app = press(app, "Read again")
    assert any("`twin live-scenario` measures" in text for text in texts(app.caption))
    table = html_of(app)
    assert all(
        f">{word}<" in table for word in ("arrivals", "CSAT", "reopen rate", "service level")
    )
    assert re.search(r"reopen rate.{1,80}50\.0.%", table)
    pictures = [one for image in app.image for one in image.proto.imgs]
    assert len(pictures) >= 2
    assert all(picture.alt for picture in pictures)
    app = press(app, "Open the report")
    page = app.get("iframe")[0].proto.srcdoc
    assert page.startswith("<!doctype html>")
    assert "<code>twin live-scenario</code> measures" in page
