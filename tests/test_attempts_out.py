"""Single attempts as `twin evaluate` writes them: a page to search, CSV, and logs of Inspect."""

import base64
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
from html import unescape
from importlib import resources
from pathlib import Path

import pytest
from recorded_models import CORPUS, KNOWLEDGE, SCENARIO, Skill, replies, write
from typer.testing import CliRunner

from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.recorded.attempts import read_attempts
from twin.assistant.recorded.ratings import read_ratings
from twin.cli.app import app
from twin.demand.corpus import load_corpus
from twin.experiments.inspect_log import inspect_log, write_inspect
from twin.experiments.model_table import shares, write_attempts
from twin.report import attempts as page_of

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</details></main><iframe src=//x>",
    "=cmd|' /C calc'!A0",
)
# A folder of `inspect_ai` is none of the project's: its reader is tried where it is installed.
READER = shutil.which("inspect")


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("attempts") / "one.jsonl"
    return write(path, replies("m", Skill(judged=True), tickets=12, samples=2, extra=ATTACKS))


@pytest.fixture(scope="module")
def one(recording):
    return read_attempts(recording, load_corpus(str(CORPUS)), load_knowledge(str(KNOWLEDGE)))[0]


def test_the_page_shows_each_attempt_with_all_that_is_known_of_it(one):
    html = page_of.page([one], "from a test")
    assert html.count("<details data-model") == len(one.table) == 32
    row = one.table.iloc[0]
    for key in (row.categorize_key, row.respond_key):
        assert key[:12] in html
        for message in one.requests[key]:
            assert message["content"] in unescape(html)
    assert row.answer in unescape(html)
    for words in ("judge", "Timeline of sample 1", "Prompt to respond", "articles"):
        assert words in html
    found = [page_of.outcome(r) for r in one.table.to_dict("records")]
    shown = re.findall(r'data-outcome="(\w+)"', html)
    assert shown.count("wrong") == found.count("wrong")


def test_texts_of_attackers_stay_texts_and_only_the_own_script_runs(one):
    html = page_of.page([one], "from a test")
    script = (resources.files("twin.report") / "attempts.js").read_text(encoding="utf-8")
    assert re.findall(r"<script>(.*?)</script>", html, re.DOTALL) == [script]
    assert "<img" not in html
    assert "<iframe" not in html
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src &#x27;none&#x27;" in html
    assert f"script-src &#x27;sha256-{digest}&#x27;" in html
    assert "innerHTML" not in script
    for text in ATTACKS:
        assert text in unescape(html)


def test_a_page_of_too_many_says_how_many_it_holds(one, monkeypatch):
    monkeypatch.setattr(page_of, "MOST", 5)
    html = page_of.page([one], "from a test")
    assert html.count("<details data-model") == 5
    assert "the first 5 of 32" in html


def test_csv_holds_sample_and_keys_and_no_formula(one, tmp_path):
    path = write_attempts([one], tmp_path / "attempts.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["sample"], r["respond_key"]) for r in rows] == [
        (str(r["sample"]), r["respond_key"]) for r in one.table.to_dict("records")
    ]
    assert not any(cell.startswith("=") for row in rows for cell in row.values())
    # Rated there by people, it is read back.
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, ["ticket", "answer", "rating"], extrasaction="ignore")
        out.writeheader()
        out.writerows([{**row, "rating": 4} for row in rows])
    assert set(read_ratings(path).by_answer) == set(
        zip(one.table["ticket"], one.table["answer"], strict=True)
    )


@pytest.mark.skipif(os.name == "nt", reason="no such modes")
def test_texts_of_customers_are_for_their_owner_alone(one, tmp_path):
    tickets = set(one.table["ticket"])
    for make, name in (
        (lambda path: write_attempts([one], path), "attempts.csv"),
        (lambda path: page_of.write([one], path, "a test"), "attempts.html"),
        (lambda path: write_inspect(one, path), "inspect.json"),
    ):
        make(tmp_path / name)
        assert any(text in (tmp_path / name).read_text(encoding="utf-8") for text in tickets)
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


def test_the_log_of_inspect_holds_tickets_epochs_scores_and_keys(one):
    log = inspect_log(one)
    assert json.loads(json.dumps(log, allow_nan=False)) == log
    assert (log["version"], log["status"]) == (2, "success")
    assert log["eval"]["dataset"]["samples"] == 16
    assert log["eval"]["config"]["epochs"] == 2
    assert {(s["id"], s["epoch"]) for s in log["samples"]} == {
        (k, e) for k in range(1, 17) for e in (1, 2)
    }
    for sample, row in zip(log["samples"], one.table.to_dict("records"), strict=True):
        assert sample["input"] == row["ticket"]
        assert sample["target"] == row["truth"]
        assert sample["metadata"]["respond_key"] == row["respond_key"]
        assert sample["output"]["choices"][0]["message"]["content"] == row["answer"]
        known = {name for name, column in (("category", "right"), ("solved", "solved"),
                 ("quality", "quality")) if row[column] == row[column]}  # fmt: skip
        assert set(sample["scores"]) == known
    told = {score["name"]: score["metrics"]["mean"]["value"] for score in log["results"]["scores"]}
    assert told["category"] == shares(one, "right")[0]
    assert inspect_log(one) == log


@pytest.mark.skipif(READER is None, reason="inspect_ai is not installed")
def test_inspect_reads_the_log(one, tmp_path):
    path = write_inspect(one, tmp_path / "m.json")
    shown = subprocess.run(
        [str(READER), "log", "dump", str(path)], capture_output=True, text=True, check=True
    )
    assert len(json.loads(shown.stdout)["samples"]) == 32


def test_the_command_writes_all_of_them(recording, tmp_path):
    words = ["evaluate", str(recording), "--scenario", str(SCENARIO)]
    names = {"--tickets": "t.html", "--attempts": "a.csv", "--inspect": "logs"}
    for option, name in names.items():
        words += [option, str(tmp_path / name)]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    lines = [line for line in shown.stdout.splitlines() if "written" in line]
    assert [Path(line.split()[-1]).name for line in lines] == ["t.html", "a.csv", "m.json"]
    assert (tmp_path / "logs" / "m.json").is_file()
