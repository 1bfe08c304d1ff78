"""Input made to break the twin: each ends in one clear line, none in a traceback, a hang or a
silent wrong result."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import twin
import twin.experiments.manifest
from twin.assistant.catalogue import model
from twin.assistant.errors import RecordingError, WrongEnvironment
from twin.assistant.knowledge.articles import load_articles
from twin.assistant.live.groq import Caller, Settings
from twin.assistant.recorded.recording import read_lines
from twin.cli.app import app
from twin.common import files
from twin.common.errors import ScenarioError
from twin.common.tables import read_table
from twin.demand.corpus import load_corpus
from twin.experiments.checks import cost
from twin.experiments.cluster import ClusterError, connect
from twin.experiments.results import open_results
from twin.experiments.studies.design import design
from twin.experiments.studies.file import read_study
from twin.records import storage
from twin.scenario.changes import parse_change
from twin.stats.sequential import reached, sentences, wanted_replications

DESK = {
    "horizon": "1d",
    "arrivals": {"rate": "12/h"},
    "agents": {"all": {"heads": 2, "handle_time": "5min"}},
}
FILE = 'arrivals.rate = "12/h"\nhorizon = "1d"\nagents.all = { heads = 2, handle_time = "5min" }\n'


def desk_with(key, value):
    return twin.from_data(DESK).vary({key: value})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text(FILE)
    return path


def test_thousands_of_unknown_keys_are_told_by_the_first_and_their_number(tmp_path):
    path = tmp_path / "desk.toml"
    path.write_text("".join(f"k{k} = 1\n" for k in range(40_000)))
    with pytest.raises(ScenarioError) as caught:
        twin.load(path)
    assert str(caught.value).count("\n") == 100
    assert str(caught.value).endswith("faults more")


def test_the_cost_of_a_large_run_is_told_before_it_begins(path, monkeypatch):
    desk = twin.from_data(DESK)
    assert cost(desk, 1000) == ""
    large = desk.vary({"arrivals.rate": "1000000/h"})
    assert "about 24,000,000 tickets in each of 10 replications" in cost(large, 10)
    assert "hours on one core, and 14.4 GB" in cost(large, 10)
    begun = []
    monkeypatch.setattr("twin.experiments.run.run", lambda *_, **__: begun.append(1) or 1 / 0)
    words = ["run", str(path), "--set", "arrivals.rate=1000000/h", "--workers", "1"]
    result = CliRunner().invoke(app, words)
    assert begun
    assert "24,000,000 tickets in each of 10" in result.stderr


# The terminal.


@pytest.mark.parametrize("command", [["check"], ["run", "--workers", "1", "--replications", "2"]])
def test_no_text_of_a_file_acts_on_the_terminal(tmp_path, command):
    path = tmp_path / "desk.toml"
    path.write_text(FILE + 'question = "\\u001b[31mred\\u001b]0;title\\u0007 \\u202Etxet\\u009b"\n')
    out = ["--out", str(tmp_path / "out")] if command[0] == "run" else []
    result = CliRunner().invoke(app, [command[0], str(path), *command[1:], *out])
    assert result.exit_code == 0
    assert "?[31mred?]0;title? ?txet?" in result.stdout
    assert all(c.isprintable() or c == "\n" for c in result.stdout)


def test_a_file_name_does_not_act_on_the_terminal(tmp_path):
    path = tmp_path / "\x1b[31mred.toml"
    path.write_text(FILE + "nope = 1\n")
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert "?[31mred.toml: nope: unknown key" in result.stderr


@pytest.mark.parametrize("asked", [[], ["--json"]])
def test_a_terminal_of_few_signs_is_no_fault(path, asked):
    done = subprocess.run(
        [sys.executable, "-m", "twin", "run", str(path), "--workers", "1", "--replications", "2",
         "--out", str(path.parent / "out"), *asked],
        env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    if asked:
        assert json.loads(done.stdout)["runs"]


# Scenario files and changes.


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("read", [twin.load, read_study])
def test_a_pipe_is_no_file_to_wait_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(ScenarioError, match="not a regular file"):
        read(tmp_path / "pipe.toml")


@pytest.mark.parametrize("key", ["tickets.corpus", "arrivals.trace", "assistant.knowledge"])
@pytest.mark.parametrize("name", ["a" * 5000, "a\0b"])
def test_a_name_that_no_file_can_have_is_a_fault(path, key, name):
    with pytest.raises(ScenarioError, match=r"no such|not a file name|is given"):
        twin.load(path, {key: name})


def test_a_base_that_no_file_can_have_is_a_fault(path):
    path.write_text(f'extends = "{"a" * 5000}"\n')
    with pytest.raises(ScenarioError, match="extends: no such file"):
        twin.load(path)


def test_a_broken_link_is_not_its_own_remedy(tmp_path):
    (tmp_path / "lost.toml").symlink_to("nowhere")
    with pytest.raises(ScenarioError, match=r"no such file$"):
        twin.load(tmp_path / "lost.toml")


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000, "0x" + "f" * 5000])
def test_a_change_beyond_toml_is_a_text(value):
    assert parse_change(f"seed={value}") == ("seed", value)


def test_a_change_does_not_swallow_a_second_line():
    assert parse_change("arrivals.scale=1\nseed=5") == ("arrivals.scale", "1\nseed=5")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("start", "0001-01-01", "start must lie in the years 1900 to 2999"),
        ("start", "9999-12-31", "start must lie in the years 1900 to 2999"),
        ("horizon", "36526d", "horizon must be at most 100 years"),
        ("agents.all.handle_time", "9" * 400 + "d", "must be at most 10000000d"),
        ("agents.all.handle_time",
         {"distribution": "gamma", "mean": "5min", "cv": 1e-200}, "must be at least 1e-6"),
        ("agents.all.handle_time",
         {"distribution": "mixture", "parts": [{"weight": float("inf"), "of": "1min"}]},
         "must be at most 1000000000"),
        ("agents.all.heads", 1e308, "heads: must be at most 1000000"),
        ("agents.all.heads", 10**21, "heads: must be at most 1000000"),
        ("seed", 10**18 + 1, "seed: must be at most 1000000000000000000"),
        ("arrivals.busyness", {"cv": 5e-324}, "must be at least 1e-06"),
        ("arrivals.week", {"hours": [1e308] * 24}, "must be at most 1000000000"),
        ("tickets.priority_mix", {"urgent": 1e308, "low": 1e308}, "must be at most 1000000000"),
    ],
)  # fmt: skip
def test_a_number_beyond_all_bounds_is_a_fault(key, value, words):
    with pytest.raises(ScenarioError, match=words):
        desk_with(key, value)


def test_a_number_too_long_to_be_written_is_a_fault_all_the_same(tmp_path):
    (tmp_path / "desk.toml").write_text(f"seed = 0x{'f' * 5000}\n{FILE}")
    with pytest.raises(ScenarioError, match=r"seed: must be at most .*a number too long to show"):
        twin.load(tmp_path / "desk.toml")


def test_an_absurd_rate_is_refused_without_a_warning():
    with pytest.raises(ScenarioError, match="about inf tickets"):
        twin.check(desk_with("arrivals.rate", "1e308/h"))


@pytest.mark.parametrize("zone", ["localtime", "Factory", "../etc/localtime", "UTC\0"])
def test_the_zone_of_this_machine_is_none_of_a_scenario(zone):
    with pytest.raises(ScenarioError, match="unknown time zone"):
        desk_with("time_zone", zone)


def test_a_long_name_of_a_zone_is_not_repeated_whole():
    with pytest.raises(ScenarioError) as caught:
        desk_with("time_zone", "a" * 10_000)
    assert len(str(caught.value)) < 300


def test_a_file_beside_articles_may_have_a_name_that_is_no_text(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.md")).write_text("x")
    digest = twin.experiments.manifest.digest(tmp_path)
    (tmp_path / os.fsdecode(b"\xff.md")).write_text("y")
    assert twin.experiments.manifest.digest(tmp_path) != digest


# Tables.


ROWS = "text,category,split\nhello,A,desk\nbye,B,train\n"


def test_cells_never_move_to_another_column(tmp_path):
    path = tmp_path / "corpus.csv"
    path.write_text("text,category,split\nhello,A,desk,1\nbye,B,train,2\n")
    with pytest.raises(ScenarioError, match="more cells than its first line has names"):
        load_corpus(str(path))
    with pytest.raises(ValueError, match="line 2 has 4, the first has 3"):
        read_table(path, ("text",))


def test_a_split_that_is_neither_is_a_fault(tmp_path):
    path = tmp_path / "corpus.csv"
    path.write_text(ROWS.replace("train", "TRAIN"))
    with pytest.raises(ScenarioError, match='line 3: unknown split "TRAIN"; allowed: train, desk'):
        load_corpus(str(path))


def test_a_column_of_all_different_words_is_no_category(tmp_path):
    path = tmp_path / "corpus.csv"
    rows = "".join(f"text {k},word {k},desk\n" for k in range(1001))
    path.write_text(f"text,category,split\n{rows}")
    with pytest.raises(ScenarioError, match="1,001 different categories"):
        load_corpus(str(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_no_article(tmp_path):
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(ScenarioError, match=r"pipe\.md: not a regular file"):
        load_articles(tmp_path)


# Studies.


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({"agents.all.heads": {"low": 1, "high": 1e300, "whole": True}}, "at most 100000"),
        ({f"k{j}": {"low": 1, "high": 90_000, "whole": True} for j in range(3)}, "at most 100000"),
        ({"replications": [1, 2]}, 'a factor cannot be called "replications"'),
    ],
)
def test_a_design_too_large_or_unreadable_is_refused_at_once(factors, words):
    with pytest.raises(ScenarioError, match=words):
        design(read_study({"scenario": twin.from_data(DESK), "factors": factors}))


@pytest.mark.parametrize(
    ("names", "words"), [([], "at least one"), (["desk.toml", "desk.toml"], "two have this name")]
)
def test_scenarios_of_a_study_are_some_and_different(path, names, words):
    study = path.with_name("study.toml")
    study.write_text(f"scenarios = {names}\n")
    with pytest.raises(ScenarioError, match=words):
        read_study(study)


def test_a_study_nested_without_end_is_a_fault(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text("x = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(ScenarioError, match="nested too deeply"):
        read_study(study)


# What is asked of a run.


def test_a_precision_out_of_reach_asks_for_all_there_may_be():
    kpis = pd.DataFrame(
        {"kpi": "csat", "group": "", "unit": "share", "numerator": [1.0, 2, 2, 1, 2, 1, 2, 1, 2, 1],
         "denominator": 3.0, "replication": range(10)}
    )  # fmt: skip
    assert wanted_replications(kpis, {("csat", ""): 1e-300}, 10, 10, 12) == 12
    assert "it takes about" in sentences(reached(kpis, {("csat", ""): 1e-300}))[0]


@pytest.mark.parametrize("address", ["tcp://", "tcp://host", "tls://:"])
def test_an_address_without_a_port_is_no_cluster(address):
    with pytest.raises(ClusterError, match="as tcp://host:8786"):
        connect(address)


# Folders of results.


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return twin.run(twin.from_data(DESK), replications=2, out=out).paths[0]


@pytest.mark.parametrize(
    "changed",
    [{"replications": 3}, {"notes": 5}, {"scenario": ["x"]}, {"base": 4}, {"status": None}],
)
def test_a_manifest_of_other_kinds_is_named(saved, tmp_path, changed):
    folder = shutil.copytree(saved, tmp_path / "run")
    manifest = storage.read_manifest(folder) | changed
    (folder / storage.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(
        ValueError, match=rf"is not the manifest of a run: see its {next(iter(changed))}"
    ):
        open_results(folder)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"scenario": "x", "status": "complete"}'])
def test_a_manifest_that_is_none_is_named(saved, tmp_path, text):
    folder: Path = shutil.copytree(saved, tmp_path / "run")
    (folder / storage.MANIFEST).write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json"):
        open_results(folder)


def test_a_full_disk_is_named_with_its_file(tmp_path, monkeypatch):
    def full(self, *args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left") as caught:
        files.write_text(tmp_path / "a.json", "x")
    assert caught.value.filename == str(tmp_path / "a.json")


# Recordings and the provider.


REPLY = {
    "key": "0" * 64, "step": "respond", "model": "m", "prompt_version": "1", "sample": 0,
    "request": {}, "answer": "a", "finish": "stop", "repaired": False, "prompt_tokens": 5,
    "completion_tokens": 5, "latency_s": 0.5,
}  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [{"latency_s": -5.0}, {"latency_s": 1e300}, {"latency_s": float("nan")},
     {"prompt_tokens": -5}, {"completion_tokens": 10**30}],
)  # fmt: skip
def test_a_reply_that_no_model_gave_is_no_line_of_a_recording(tmp_path, changed):
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps(REPLY) + "\n")
    assert len(read_lines(path)[0]) == 1
    path.write_text(json.dumps(REPLY | changed) + "\n")
    with pytest.raises(RecordingError, match="line 1: not a line of a recording"):
        read_lines(path)


def test_a_line_nested_without_end_is_no_line_of_a_recording(tmp_path):
    path = tmp_path / "calls.jsonl"
    path.write_text("[" * 200_000 + "\n")
    with pytest.raises(RecordingError, match="line 1: not a line of a recording"):
        read_lines(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_no_recording(tmp_path):
    os.mkfifo(tmp_path / "calls.jsonl")
    with pytest.raises(RecordingError, match="not a regular file"):
        read_lines(tmp_path / "calls.jsonl")


@pytest.mark.parametrize("proxy", ["http://me:secret@host:::", "smoke://me:secret@host"])
def test_a_proxy_that_is_none_is_named_and_not_shown(monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    caller = Caller(Settings("key", "http://127.0.0.1:1"), 1.0, model("openai/gpt-oss-20b"))
    with pytest.raises(WrongEnvironment) as caught:
        asyncio.run(caller.send({"model": "m", "messages": []}))
    assert "ALL_PROXY" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_counts_processes_is_named_where_it_is_no_number(path):
    done = subprocess.run(
        [sys.executable, "-m", "twin", "run", str(path), "--out", str(path.parent / "out")],
        env=os.environ | {"LOKY_MAX_CPU_COUNT": "x"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("LOKY_MAX_CPU_COUNT")
    assert "Traceback" not in done.stderr
