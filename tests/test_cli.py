"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import twin
from tests.builders import docs as schema_docs
from tests.children import start, wait_for
from twin.cli import app as app_module
from twin.cli import groups, terminal
from twin.cli.app import app
from twin.common.text import amount, duration, with_interval
from twin.demand import once
from twin.experiments import replication, variance
from twin.measures.figures import MAIN_FIGURES, kpi_table
from twin.scenario.diff import differences
from twin.scenario.file import starter

ROOT = Path(__file__).parent.parent
GOOD = """
question = "Do two agents suffice?"
horizon = "12h"
replications = 2
[arrivals]
rate = "12/h"
[agents.frontline]
heads = 2
handle_time = "7min"
cost = 30.0
"""
SECRET = "my card ends in 4242"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "busy.toml").write_text('extends = "good.toml"\narrivals.scale = 2.0\n')
    (tmp_path / "bad.toml").write_text('horizn = "1d"\n[arrivals]\nrate = 3\n')
    return tmp_path


def call(*words: str) -> Any:
    return CliRunner().invoke(app, [*words], catch_exceptions=False)


def test_run_shows_figures_and_where_the_results_lie(folder: Path) -> None:
    done = call("run", "good.toml", "--workers", "1")
    assert done.exit_code == 0
    assert done.stdout.startswith("good: Do two agents suffice?\n")
    assert re.search(r"occupancy\s+\d\d\.\d % ± \d", done.stdout)
    assert re.search(r"human_cost\s+\$\d", done.stdout)
    # A desk of agents only has no calls to speak of.
    assert "quota_wait_mean" not in done.stdout
    path = Path(re.search(r"results: (.+)", done.stdout)[1])  # type: ignore[index]
    assert path.parent == Path("results/good")
    assert twin.open_results(path).runs[0].status == "complete"


def test_run_shows_scenarios_side_by_side(folder: Path) -> None:
    done = call("run", "good.toml", "busy.toml", "--workers", "1", "--replications", "1")
    header = next(line for line in done.stdout.splitlines() if line.startswith("figure"))
    assert header.index("good") < header.index("busy")
    assert done.stdout.count("results: ") == 2


def test_run_all_shows_every_figure(folder: Path) -> None:
    done = call("run", "good.toml", "--workers", "1", "--all")
    for name in twin.open_results("results/good").kpis["kpi"].unique():
        assert re.search(rf"^{name}\b", done.stdout, re.MULTILINE)
    assert "occupancy, frontline" in done.stdout


def test_run_takes_changes_seed_and_folder(folder: Path) -> None:
    words = ["--set", "arrivals.scale=2", "--set", "agents.frontline.heads=5"]
    words += ["--seed", "7", "--out", "here", "--workers", "1", "--event-log"]
    done = call("run", "good.toml", *words)
    assert "with arrivals.scale = 2" in done.stdout
    (run,) = Path("here/good").iterdir()
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["seed"] == 7
    assert manifest["scenario_as_run"]["agents"]["frontline"]["heads"] == 5
    assert (run / "event_log.xes").exists()


def test_run_json_is_only_json_on_stdout(folder: Path) -> None:
    done = call("run", "good.toml", "busy.toml", "--json", "--workers", "1")
    data = json.loads(done.stdout)
    assert [run["scenario"] for run in data["runs"]] == ["good", "busy"]
    assert {"scenario", "kpi", "group", "unit", "value", "low", "high"} <= set(data["kpis"][0])
    assert data["failures"] == []
    missing = [row for row in data["kpis"] if row["kpi"] == "categorization_accuracy"]
    assert missing[0]["value"] is None


def test_run_quiet_prints_the_folder_only(folder: Path) -> None:
    done = call("run", "good.toml", "--quiet", "--workers", "1")
    assert Path(done.stdout.strip()).is_dir()
    assert done.stderr == ""


def test_bad_files_get_their_faults_on_stderr(folder: Path) -> None:
    for command in ("run", "check"):
        done = call(command, "bad.toml", "good.toml", "nowhere.toml")
        assert done.exit_code == 2
        lines = done.stderr.splitlines()
        assert len(lines) == 3
        assert 'bad.toml: horizn: unknown key; did you mean "horizon"?' in lines
        assert any("arrivals.rate: must be a rate" in line for line in lines)
        assert any(line.startswith("nowhere.toml: file: no such file") for line in lines)
        assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--set", "arrivals.scale"], "must look like key.path=value"),
        (["--set", "arivals.scale=2"], 'did you mean "arrivals"?'),
        (["--set", "agents.frontline.skills=['X']"], "no ticket has this category"),
        (["--replications", "0"], "replications"),
        (["--workers", "0"], "workers"),
        (["--sed", "1"], "No such option"),
    ],
)
def test_bad_options_exit_with_2(folder: Path, words: list[str], fault: str) -> None:
    done = call("run", "good.toml", *words)
    assert done.exit_code == 2
    assert fault in done.stderr
    assert not Path("results").exists()


def test_unknown_commands_are_met(folder: Path) -> None:
    done = call("rum", "good.toml")
    assert done.exit_code == 2
    assert "No such command" in done.stderr


def test_a_folder_that_cannot_be_written_is_said(folder: Path) -> None:
    Path("file").write_text("")
    done = call("run", "good.toml", "--out", "file", "--workers", "1")
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert "file" in line


STUDY = """
name = "load"
scenario = "good.toml"
minimise = "human_cost"
[factors]
"arrivals.scale" = [1.0, 2.0]
[targets]
occupancy = { at_most = 1.0 }
"""


@pytest.mark.parametrize(
    ("words", "bad", "said"),
    [
        (["run", "good.toml"], {1}, "good: 1 of 2 replications failed (draw: RuntimeError: coffee"),
        (["run", "good.toml", "--json"], {1}, "good: 1 of 2 replications failed"),
        (["run", "good.toml", "--quiet"], {0}, "good: 1 of 2 replications failed"),
        (["run", "good.toml"], {0, 1}, "good: 2 of 2 replications failed"),
        (["compare", "good.toml", "busy.toml", "--replications", "4"], {3},
         "busy: 1 of 4 replications failed"),
        (["compare", "good.toml", "busy.toml", "--replications", "4", "--json"], {3},
         "busy: 1 of 4 replications failed"),
        (["study", "study.toml"], {1}, "2 replications failed"),
        (["study", "study.toml", "--json"], {1}, "2 replications failed"),
        (["select", "study.toml", "--kpi", "agent_wait_mean", "--within", "1h"], {3}, "coffee"),
        (["search", "study.toml"], {4}, "coffee"),
        (["warmup", "good.toml", "--replications", "3", "--horizon", "7d"], {2}, "coffee"),
        (["variance", "good.toml", "--days", "3"], {2}, "coffee"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_a_failed_replication_makes_the_exit_code_say_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], bad: set[int], said: str
) -> None:
    def broken(scenario: Any, number: int) -> Any:
        if number in bad:
            raise RuntimeError("coffee is out")
        return draw(scenario, number)

    draw = replication.draw
    for module in (replication, variance, once):
        monkeypatch.setattr(module, "draw", broken)
    (folder / "study.toml").write_text(STUDY)
    done = CliRunner().invoke(app, [*words, "--workers", "1"])
    assert done.exit_code == 1
    assert said in done.stderr + str(done.exception)
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, [*words, "--workers", "1"])
    assert (done.exit_code, done.exception) == (0, None)


def test_some_failures_are_said_and_all_are_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = replication.draw

    def broken(scenario: Any, number: int) -> Any:
        if number in bad:
            raise RuntimeError("out of coffee")
        return draw(scenario, number)

    monkeypatch.setattr(replication, "draw", broken)
    bad = {1}
    done = call("run", "good.toml", "--workers", "1")
    assert done.exit_code == 1
    said = "replications failed (draw: RuntimeError: out of coffee)"
    assert f"good: 1 of 2 {said}" in done.stderr
    bad = {0, 1}
    done = call("run", "good.toml", "--workers", "1")
    assert done.exit_code == 1
    assert f"good: 2 of 2 {said}" in done.stderr
    done = call("run", "good.toml", "--workers", "1", "--json")
    assert done.exit_code == 1
    assert len(json.loads(done.stdout)["failures"]) == 2


def test_check_explains(folder: Path) -> None:
    done = call("check", "good.toml", "busy.toml")
    assert done.exit_code == 0
    assert "good: Do two agents suffice?" in done.stdout
    assert "About 144 tickets (12 an hour) arrive at random" in done.stdout
    assert "Pool frontline: 336 agent hours a week, $10,080 a week" in done.stdout
    assert (
        "1.48 agents would be busy on average (6 % of it on returns); 2 are staffed" in done.stdout
    )
    assert "Warning: more work than staff" in done.stdout
    assert "differs from its base: arrivals.scale = 2.0 (was 1.0)" in done.stdout
    assert differences("good.toml") == []


def test_check_explains_the_rest(folder: Path) -> None:
    Path("rich.toml").write_text(
        GOOD
        + """
skills = ["A"]
[arrivals.bursts]
factor = 5.0
mean_quiet = "4h"
mean_burst = "1h"
[[arrivals.surges]]
start = "2h"
length = "1h"
factor = 3.0
[tickets]
category_mix = {A = 1, B = 1}
[assistant]
backend = "profile"
model = "llama-3.1-8b-instant"
review_categories = ["*"]
human_categories = ["B"]
confidence_threshold = 0.5
[provider]
plan = "free"
rpm = 1
concurrency = 2
outages = [{start = "3h", length = "30min"}]
random_outages = {mean_time_between_failures = "1d", mean_time_to_repair = "5min"}
[targets]
first_response = {urgent = "15min"}
[customers]
patience = "1h"
"""
    )
    done = call("check", "rich.toml", "--set", "start=2026-09-01", "--set", "arrivals.scale=9")
    assert done.exit_code == 0, done.output
    for words in (
        "bursts of 5 times the quiet rate",
        "3 times the rate for 1 h after 2 h",
        'no pool takes "B"',
        "below confidence 0.5 an agent categorizes",
        "drafts that an agent approves: all",
        "llama-3.1-8b-instant was retired on",
        "1 requests a minute",
        "calls will wait and fail",
        "Outages: 30 min after 3 h",
        "Outages at random: 5 min after 1 d",
        "First response is promised within: urgent 15 min",
        "wait for an agent 1 h on average",
    ):
        assert words in done.stdout


def test_ticket_texts_are_never_printed(folder: Path) -> None:
    Path("corpus.csv").write_text(f"text,category,split\n{SECRET},A,train\n{SECRET}!,A,desk\n")
    Path("text.toml").write_text(
        GOOD + '[tickets]\ncorpus = "corpus.csv"\n[assistant]\nbackend = "profile"\n'
    )
    for words in (["check"], ["run", "--workers", "1"], ["run", "--workers", "1", "--json"]):
        done = call(words[0], "text.toml", *words[1:])
        assert done.exit_code == 0
        assert "4242" not in done.output


def test_schema_is_json_and_knows_extends() -> None:
    schema = json.loads(call("schema").stdout)
    assert [*schema["properties"]][:2] == ["extends", "name"]
    assert "required" not in schema
    assert schema["properties"]["horizon"]["default"] == "7d"
    assert '"type": "null"' not in json.dumps(schema)
    handle = schema["$defs"]["Pool"]["properties"]["handle_time"]
    assert {"type": ["string", "number"]} in handle["anyOf"]
    # Every reference leads somewhere.
    for name in re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)):
        assert name in schema["$defs"]


def test_init_copies_and_never_overwrites(folder: Path) -> None:
    done = call("init", "mine")
    assert done.exit_code == 0
    count = sum(1 for path in starter().rglob("*") if path.is_file())
    assert f"{count} files copied to mine" in done.stdout
    assert "twin run mine/baseline.toml" in done.stdout
    Path("mine/baseline.toml").write_text(GOOD)
    Path("mine/README.md").unlink()
    again = call("init", "mine")
    assert f"1 files copied to mine, {count - 1} kept" in again.stdout
    assert "kept as it is: mine/baseline.toml" in again.stderr
    assert Path("mine/baseline.toml").read_text() == GOOD


def test_kpis_and_models_are_listed() -> None:
    done = call("kpis")
    for name in kpi_table()["kpi"]:
        assert re.search(rf"^{name}\b", done.stdout, re.MULTILINE)
    assert "openai/gpt-oss-20b" in call("models").stdout


def test_the_figures_shown_first_exist() -> None:
    names = [name for group in MAIN_FIGURES.values() for name in group]
    assert len(names) == len(set(names))
    assert set(names) <= set(kpi_table()["kpi"])


def test_version_and_help() -> None:
    assert call("--version").stdout == f"twin {twin.__version__}\n"
    assert "check" in call("--help").stdout


def test_help_names_every_command_once_by_what_it_is_for() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    grouped = [name for names in groups.GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(commands)
    said = call("--help").stdout
    assert [said.index(f"\n{title}:") for title in groups.GROUPS] == sorted(
        said.index(f"\n{title}:") for title in groups.GROUPS
    )
    for name in commands:
        assert len(re.findall(rf"^  {name}  ", said, re.M)) == 1
    # Whole sentences.
    assert "..." not in said.partition("Play a desk:")[2]
    assert "Others:" not in said


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, twin.cli.app\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'simpy', 'pyarrow', 'pydantic', 'joblib', 'groq'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_run_imports_no_statistics_that_it_does_not_use(folder: Path) -> None:
    """They would take as long to import as all else that a run needs."""
    code = (
        "import sys\nfrom twin.cli.app import app\n"
        "app(['run', 'good.toml', '--workers', '1'], standalone_mode=False)\n"
        "heavy = {'scipy.stats', 'scipy.optimize', 'sklearn', 'matplotlib'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, env=environment)


def test_a_command_does_not_look_for_garbage_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only afterwards: within a command what is let go must go.
    done = []

    def command(**named: str) -> None:
        done.append("command")
        raise SystemExit(3)

    monkeypatch.setattr(app_module, "app", command)
    monkeypatch.setattr(app_module, "heed_signals", lambda: None)
    monkeypatch.setattr("gc.freeze", lambda: done.append("freeze"))
    with pytest.raises(SystemExit, match="3"):
        app_module.main()
    assert done == ["command", "freeze"]


def test_a_broken_pipe_is_silent() -> None:
    command = f"{sys.executable} -m twin schema | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_says_what_is_whole(folder: Path, workers: str) -> None:
    child = start(["run", "good.toml", "--replications", "5000", "--workers", workers], folder)
    try:
        wait_for(lambda: [*folder.glob("results/good/*/kpis/r0003.parquet")] or child.poll())
        # The terminal sends it to the whole group, workers included.
        os.killpg(child.pid, signal.SIGINT)
        stdout, stderr = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130
    assert stdout == ""
    found = re.fullmatch(
        r"(?:\d+ of 5000 replications, about \d+ (?:s|min) left\n)*"
        r"good: interrupted, (\d+) of 5000 replications are whole, in (.+)\n",
        stderr,
    )
    assert found, stderr
    run = twin.open_results(folder / found[2]).runs[0]
    assert (run.status, run.whole) == ("interrupted", int(found[1]))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (0.405, "s", "0.405 s"),
        (59.0, "s", "59.0 s"),
        (205.3, "s", "3.42 min"),
        (20000.0, "s", "5.56 h"),
        (400000.0, "s", "4.63 d"),
        (0.9512, "share", "95.1 %"),
        (1.0, "share", "100 %"),
        (0.000122, "USD/ticket", "$0.000122"),
        (1.789, "USD/ticket", "$1.79"),
        (-1.5, "USD/ticket", "-$1.50"),
        (6862.2, "tickets", "6,862"),
        (38.62, "tickets/h", "38.6/h"),
        (4.0812, "1-5", "4.08"),
        (float("nan"), "s", "-"),
    ],
)
def test_amounts_read_well(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_intervals_have_the_scale_of_their_value() -> None:
    assert with_interval(205.3, 12.0, "s") == "3.42 min ± 0.20"
    assert with_interval(0.9512, 0.004, "share") == "95.1 % ± 0.4"
    assert with_interval(5.0, float("nan"), "s") == "5.00 s"
    assert duration(5400.0) == "1.5 h"


def test_the_reference_pages_are_up_to_date() -> None:
    for name, text in (
        ("scenarios/README.md", schema_docs.scenario_reference()),
        ("results/README.md", schema_docs.results_reference()),
    ):
        assert (ROOT / name).read_text(encoding="utf-8") == text, (
            f"{name} is out of date: run python -m tests.builders.docs"
        )


def test_every_key_has_a_meaning() -> None:
    assert "|  |\n" not in schema_docs.scenario_reference()


def test_time_left_is_told_when_more_than_the_start_was_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "err", terminal._Plain(stderr=True))
    clock = iter([0.0, 80.0, 90.0, 100.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    with terminal.progress(176, True, "plays") as moved:
        assert moved is not None
        for done in (1, 26, 51):
            moved(done, 176)
    first, *later = capsys.readouterr().err.splitlines()
    assert first == "1 of 176 plays"
    assert later == [
        "26 of 176 plays, about 60 s left", "51 of 176 plays, about 50 s left"
    ]  # fmt: skip
