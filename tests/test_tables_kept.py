"""Runs that write only the tables that are asked for, and what says so where one is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.records import storage
from twin.records.columns import RUN_TABLES, tables_kept

DESK = """
horizon = "12h"
replications = 2
arrivals.rate = "12/h"
agents.all = { heads = 2, handle_time = "7min" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "desk.toml").write_text(DESK)
    (tmp_path / "busy.toml").write_text('extends = "desk.toml"\narrivals.scale = 1.5\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_only_what_is_asked_for_is_written_and_figures_are_the_same(folder: Path) -> None:
    desk = twin.load("desk.toml")
    all_of_it = twin.run(desk, out="all")
    few = twin.run(desk, out="few", tables=["tickets"])
    (home,) = few.paths
    assert {path.name for path in home.iterdir()} == {
        "kpis", "manifest.json", "sanity", "tickets", "tickets.json"}  # fmt: skip
    again = twin.open_results(home)
    assert (again.runs[0].status, again.runs[0].whole, again.notes) == ("complete", 2, ())
    assert_frame_equal(again.kpis, all_of_it.kpis)
    assert_frame_equal(again.sanity(), all_of_it.sanity())
    assert_frame_equal(again.table("tickets"), all_of_it.table("tickets"))
    with pytest.raises(ValueError, match=r"kept no table visits \(tables: tickets, sanity, kpis\)"):
        again.table("visits")
    # What is missing of those that were kept is told as before.
    storage.parts(home, "tickets")[1].unlink()
    with pytest.raises(ValueError, match="replication 1 of the table tickets is missing"):
        twin.open_results(home).table("tickets")


def test_commands_say_which_table_is_missing_and_how_to_make_it(folder: Path) -> None:
    def say(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, list(words))
        return done.exit_code, done.stdout, " ".join(done.stderr.split())

    few = ("--tables", "kpis", "--workers", "1")
    for name in ("desk", "busy"):
        code, stdout, stderr = say("run", f"{name}.toml", *few)
        assert (code, stderr) == (0, "")
        assert "sanity: all" in stdout
    # A single replication has no interval by batches then.
    assert say("run", "desk.toml", "--replications", "1", *few)[0] == 0
    assert say("run", "desk.toml", *few)[0] == 0
    code, stdout, _ = say("compare", "results/desk", "results/busy")
    assert code == 0
    assert "busy" in stdout
    code, _, stderr = say("report", "results/desk")
    assert code == 2
    assert "this run kept no table" in stderr
    assert "play it again without --tables" in stderr
    code, _, stderr = say("rate", str(next(Path("results/desk").iterdir())))
    assert code == 2
    assert "this run kept no table tickets" in stderr
    code, _, stderr = say("run", "desk.toml", "--tables", "kpi")
    assert (code, stderr) == (2, "--tables: no table 'kpi'; did you mean \"kpis\"?")


def test_tables_are_kept_in_the_order_in_which_they_are_written() -> None:
    assert tables_kept(None) == RUN_TABLES
    assert tables_kept([]) == ("sanity", "kpis")
    assert tables_kept(["kpis", "levels", "visits"]) == ("visits", "levels", "sanity", "kpis")
