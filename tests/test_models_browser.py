"""Pages of recorded models in a real browser: to be seen, to be searched, to be rated by hand."""

import json
import time

import browser
import pytest
from recorded_models import CORPUS, KNOWLEDGE, Skill, recorded_desk, replies, write
from test_report_browser import HIDDEN, LETTERS

import twin
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.demand.corpus import load_corpus
from twin.experiments.blind import pairs_of
from twin.experiments.model_table import read_models
from twin.experiments.single_tickets import read_tickets
from twin.report import attempts, blind, models, single_tickets

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium is installed")
EVIL = "<img src=x onerror=\"document.title='run'\"> " + "w" * 300


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    names = [f"a-model-of-a-very-long-name-{'x' * 60}", "openai/gpt-oss-20b"]
    recording = write(
        folder / "r.jsonl",
        replies(names[0], Skill(0.9, judged=True), 8, 3, extra=(EVIL,)),
        replies(names[1], Skill(0.4), 8, 3, seed=2),
    )
    several = read_models([recording], load_corpus(str(CORPUS)), load_knowledge(str(KNOWLEDGE)))
    made = pairs_of(*several, most=4)
    desk, _ = recorded_desk(folder)
    return {
        "models": models.write(several, folder / "models.html", 0.5, "from a test"),
        "attempts": attempts.write(several, folder / "attempts.html", "from a test"),
        "blind": blind.write(made, folder / "blind.html"),
        "single": single_tickets.write(
            read_tickets(twin.run(desk, out=folder / "results").paths[0]), folder / "single.html"
        ),
    }


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.mark.parametrize("which", ["models", "attempts", "blind", "single"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_everything_is_to_be_seen_and_nothing_bars_the_way(chromium, pages, which, width, dark):
    chromium.open(pages[which], width, phone=width == 390, dark=dark)
    assert chromium.complaints() == []
    assert chromium.run("document.title") != "run"
    assert chromium.run(HIDDEN) == []
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.run(LETTERS)[1] == []
    if browser.axe_path() is not None:
        assert chromium.barriers() == []


SHOWN = "document.querySelectorAll('#attempts > details:not([hidden])').length"
TYPE = """
(() => { for (const [name, value] of Object.entries(%s)) {
    const field = document.getElementById(name); field.value = value;
    field.dispatchEvent(new Event('input', {bubbles: true})); } })()
"""


def test_attempts_are_searched_by_text_model_and_outcome(chromium, pages):
    chromium.open(pages["attempts"])
    whole = chromium.run(SHOWN)
    assert whole == 8 * 3 * 2 + 3
    chromium.run(TYPE % json.dumps({"model": "openai/gpt-oss-20b"}))
    assert chromium.run(SHOWN) == 24
    chromium.run(TYPE % json.dumps({"outcome": "wrong"}))
    wrong = chromium.run(SHOWN)
    assert 0 < wrong < 24
    assert chromium.run("document.getElementById('shown').textContent") == f"{wrong} of 51 attempts"
    chromium.run(TYPE % json.dumps({"model": "", "outcome": "", "words": "ONERROR title"}))
    assert chromium.run(SHOWN) == 3


def test_tickets_of_a_run_are_searched_alike(chromium, pages):
    chromium.open(pages["single"])
    shown = SHOWN.replace("#attempts", "#tickets")
    whole = chromium.run(shown)
    chromium.run(TYPE % json.dumps({"resolved": "agent"}))
    agents = chromium.run(shown)
    assert 0 < agents < whole
    chromium.run(TYPE % json.dumps({"outcome": "unsolved"}))
    assert chromium.run(shown) < agents
    assert chromium.run("document.getElementById('shown').textContent").endswith(
        f"of {whole} tickets"
    )


def test_votes_are_kept_and_saved_when_all_are_given(chromium, pages):
    chromium.open(pages["blind"])
    assert chromium.run("document.getElementById('save').disabled")
    vote = "document.querySelectorAll('fieldset')[%d].querySelectorAll('input')[%d].click()"
    for number in range(3):
        chromium.run(vote % (number, number % 3))
    assert chromium.run("document.getElementById('done').textContent") == "3 of 4 rated"
    # The browser may open the page in another process, which learns a moment later what was kept.
    for _ in range(50):
        chromium.open(pages["blind"])
        if (told := chromium.run("document.getElementById('done').textContent")) != "0 of 4 rated":
            break
        time.sleep(0.1)
    assert told == "3 of 4 rated"
    chromium.run(vote % (3, 2))
    assert not chromium.run("document.getElementById('save').disabled")
    # What would be saved is what was clicked.
    keeps = "window.kept = []; window.Blob = function (parts) { kept.push(parts[0]); };"
    chromium.run(f"{keeps} URL.createObjectURL = () => '#';")
    chromium.run("document.getElementById('save').click()")
    saved = json.loads(chromium.run("kept[0]"))
    assert saved["votes"] == ["left", "equal", "right", "right"]
