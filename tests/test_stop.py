"""Commands that are ended: by a signal, by a full disk, or by a file that hides a module."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

import twin
from tests.children import ROOT, alive, children, start, wait_for
from twin.cli.app import app
from twin.records import storage
from twin.records.columns import RUN_TABLES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
DESK = """
horizon = "12h"
replications = 5000
[arrivals]
rate = "12/h"
[tickets]
category_mix = { A = 1, B = 2 }
[agents.all]
heads = 2
handle_time = "7min"
cost = 30.0
[assistant]
backend = "profile"
"""
STUDY = """
name = "load"
scenario = "desk.toml"
minimise = "human_cost"
[factors]
"arrivals.scale" = [0.5, 1.0, 2.0]
[targets]
service_level = { at_least = 0.5 }
"""
PLAYED = "results/**/kpis/r*.parquet"
PROGRESS = re.compile(r"\d+ of \d+ \w+(, about \d+ (s|min) left)?\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "desk.toml").write_text(DESK)
    (tmp_path / "busy.toml").write_text('extends = "desk.toml"\narrivals.scale = 2.0\n')
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


COMMANDS = {
    "run": ["run", "desk.toml"],
    "compare": ["compare", "desk.toml", "busy.toml"],
    "study": ["study", "study.toml"],
    "select": ["select", "study.toml", "--kpi", "agent_wait_mean", "--within", "1s"],
    "search": ["search", "study.toml"],
}


def said(child: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str, str]:
    """Exit code and output of a command at its end, without its progress."""
    stdout, stderr = child.communicate(timeout=seconds)
    return child.returncode, stdout, PROGRESS.sub("", stderr)


def stopped(
    folder: Path, words: list[str], number: signal.Signals, *, group: bool = False
) -> tuple[int, str, str]:
    """Exit code and output of a command that got a signal while its workers played."""
    child = start([*words, "--workers", "2"], folder)
    try:
        wait_for(lambda: child.poll() is not None or len([*folder.glob(PLAYED)]) >= 4)
        assert child.poll() is None, child.communicate()
        started = children(child.pid)
        assert len(started) >= 2
        (os.killpg if group else os.kill)(child.pid, number)
        found = said(child)
    finally:
        child.kill()
    wait_for(lambda: not alive(started), 20)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_sigterm_ends_a_command_and_its_workers_as_ctrl_c_does(folder: Path, name: str) -> None:
    code, stdout, stderr = stopped(folder, COMMANDS[name], signal.SIGTERM)
    assert (code, stdout) == (143, "")
    assert "Traceback" not in stderr
    assert "interrupted" in stderr
    for path in folder.glob("results/*/*/manifest.json"):
        if "studies" not in path.parts:
            whole = len(storage.whole(path.parent))
            manifest = json.loads(path.read_text())
            assert (manifest["status"], manifest["replications"]["whole"]) == ("interrupted", whole)
            assert all(len(storage.parts(path.parent, table)) == whole for table in RUN_TABLES)
            assert not [*path.parent.glob(".*")]


@pytest.mark.parametrize(
    ("number", "group", "code"),
    [
        (signal.SIGINT, False, 130),
        (signal.SIGINT, True, 130),
        (signal.SIGTERM, True, 143),
        (signal.SIGHUP, False, 129),
        (signal.SIGHUP, True, 129),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_any_ending_signal_leaves_a_run_that_opens(
    folder: Path, number: signal.Signals, group: bool, code: int
) -> None:
    found, _, stderr = stopped(folder, COMMANDS["run"], number, group=group)
    assert found == code
    told = re.fullmatch(
        r"desk: interrupted, (\d+) of 5000 replications are whole, in (.+)\n", stderr
    )
    assert told, stderr
    run = twin.open_results(folder / told[2]).runs[0]
    assert (run.status, run.whole) == ("interrupted", int(told[1]))


def test_a_terminal_may_close_under_nohup(folder: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "twin", *COMMANDS["run"], "--replications", "40"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    wait_for(lambda: len([*folder.glob(PLAYED)]) >= 4)
    os.killpg(child.pid, signal.SIGHUP)
    assert child.wait(60) == 0


@pytest.mark.parametrize("name", ["run", "study"])
def test_workers_of_a_killed_command_end_and_let_go_of_its_output(folder: Path, name: str) -> None:
    # Its output ends only when nobody holds it any more.
    code, stdout, stderr = stopped(folder, COMMANDS[name], signal.SIGKILL)
    assert (code, stdout) == (-signal.SIGKILL, "")
    # The helper that clears up after dead workers says so.
    assert not [
        line for line in stderr.splitlines() if not re.search("resource_tracker|warn", line)
    ]


def test_a_file_named_like_a_module_hides_none_from_workers(folder: Path) -> None:
    names = ["enum", "random", "pandas", "numpy", "joblib", "twin", "types", "json", "re",
             "threading", "signal", "time", "tokenize", "statistics", "pickle"]  # fmt: skip
    for name in names:
        (folder / f"{name}.py").write_text(f'raise SystemExit("{name}: taken for a module")\n')
    child = start([*COMMANDS["run"], "--replications", "4", "--workers", "2"], folder)
    code, stdout, stderr = said(child)
    assert (code, stderr) == (0, "")
    assert "taken for" not in stdout
    assert twin.open_results(folder / "results" / "desk").runs[0].whole == 4


def test_nor_from_the_workers_of_a_notebook(folder: Path) -> None:
    (folder / "pandas.py").write_text('raise SystemExit("taken for a module")\n')
    # A kernel puts the working folder first, after its own imports.
    code = (
        "import sys, twin, pandas\n"
        "desk = twin.load('desk.toml')\n"
        "sys.path.insert(0, '')\n"
        "results = twin.run(desk, replications=4, workers=2)\n"
        "print(results.runs[0].whole, sys.path[0] == '')\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("4 True\n", "")


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A folder of results on a disk of one megabyte."""
    path = folder / "results"
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small disk can be mounted here (that takes root on Linux)")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_full_disk_leaves_a_run_that_says_what_is_whole(folder: Path, small_disk: Path) -> None:
    child = start([*COMMANDS["run"], "--replications", "80", "--workers", "2"], folder)
    wait_for(lambda: child.poll() is not None or len(children(child.pid)) >= 2)
    started = children(child.pid)
    code, _, stderr = said(child)
    assert code == 1
    assert "No space left on device" in stderr
    wait_for(lambda: not alive(started), 20)
    (folder_of_run,) = small_disk.glob("desk/*")
    run = twin.open_results(folder_of_run).runs[0]
    whole = len(storage.whole(folder_of_run))
    assert 0 < whole < 80
    assert (run.status, run.whole, run.failed) == ("complete", whole, 80 - whole)
    assert run.manifest["replications"] == {"asked": 80, "whole": whole, "failed": 80 - whole}
    for table in RUN_TABLES:
        assert len(storage.parts(folder_of_run, table)) == whole


def test_a_full_disk_ends_a_study_that_goes_on_later(folder: Path, small_disk: Path) -> None:
    words = [*COMMANDS["study"], "--replications", "120", "--workers", "2", "--quiet"]
    child = start(words, folder)
    wait_for(lambda: child.poll() is not None or len(children(child.pid)) >= 2)
    started = children(child.pid)
    code, _, stderr = said(child)
    assert code == 1
    assert re.fullmatch(
        r".+r\d+\.parquet: No space left on device; name another place with --out\n", stderr
    )
    wait_for(lambda: not alive(started), 20)
    there = len([*small_disk.glob("studies/load/replications/*/kpis/r*.parquet")])
    assert there > 0
    subprocess.run(["mount", "-o", "remount,size=40m", str(small_disk)], check=True)
    child = start([*words[:3], "12", *words[4:]], folder)
    code, stdout, stderr = said(child)
    assert (code, stderr) == (0, "")
    assert "were there from before" in stdout


def test_a_disk_that_is_full_from_the_start_gets_no_folder(folder: Path, small_disk: Path) -> None:
    with (small_disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass
    child = start([*COMMANDS["run"], "--workers", "2"], folder)
    code, stdout, stderr = said(child)
    assert (code, stdout) == (1, "")
    assert "No space left on device" in stderr
    assert "Traceback" not in stderr
    assert not [*small_disk.glob("desk/*")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_that_cannot_be_written_names_the_option(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    words = [*COMMANDS[name], "--workers", "1"]
    results = folder / "results"
    results.write_text("in the way")
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    results.unlink()
    results.mkdir()
    if subprocess.run(["chattr", "+i", str(results)], check=False).returncode:
        pytest.skip("no folder can be closed to root here")
    try:
        done = CliRunner().invoke(app, words)
    finally:
        subprocess.run(["chattr", "-i", str(results)], check=True)
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    said = PROGRESS.sub("", done.stderr)
    assert re.fullmatch(r".*results.*: .+; name another place with --out\n", said)
