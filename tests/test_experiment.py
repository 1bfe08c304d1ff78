"""Runs: the same results in any number of workers, failures as data, folders that are whole."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

import twin
from twin.common.errors import TwinError
from twin.desk.simulation import _rare_collections
from twin.experiments import replication
from twin.experiments import run as experiment
from twin.records import storage
from twin.records.columns import RUN_TABLES, TABLES
from twin.scenario.model import Scenario

AGENTS: dict[str, Any] = {
    "name": "agents",
    "question": "Do two agents suffice?",
    "horizon": "12h",
    "replications": 3,
    "arrivals": {"rate": "12/h"},
    "agents": {"all": {"heads": 2, "handle_time": "7min"}},
}
PROFILE: dict[str, Any] = {
    "name": "profile",
    "horizon": "12h",
    "replications": 3,
    "arrivals": {"rate": "12/h"},
    "tickets": {"category_mix": {"A": 1, "B": 2}},
    "agents": {"all": {"heads": 2, "handle_time": "7min"}},
    "assistant": {"backend": "profile"},
}


@pytest.fixture
def desk() -> Scenario:
    return twin.from_data(AGENTS)


@pytest.fixture
def assisted() -> Scenario:
    return twin.from_data(PROFILE)


def fail_in(
    monkeypatch: pytest.MonkeyPatch, numbers: set[int], text: str = "out of coffee"
) -> None:
    draw = replication.draw

    def broken(scenario: Scenario, number: int) -> Any:
        if number in numbers:
            raise RuntimeError(text)
        return draw(scenario, number)

    monkeypatch.setattr(replication, "draw", broken)


def test_results_hold_every_figure_of_every_replication(desk: Scenario, assisted: Scenario) -> None:
    results = twin.run([desk, assisted])
    counts = results.kpis.groupby(["scenario", "replication"]).size()
    assert [*counts.index] == [(name, k) for name in ("agents", "profile") for k in range(3)]
    assert [*results.kpis] == ["scenario", "replication", *(c.name for c in TABLES["kpis"])]
    assert [(run.status, run.whole, run.failed) for run in results.runs] == [("complete", 3, 0)] * 2
    summary = results.summary()
    assert set(summary["scenario"]) == {"agents", "profile"}
    assert not len(results.failures)


def test_a_replication_is_a_pure_function_of_its_number(desk: Scenario) -> None:
    one, again, other = twin.play(desk, 1), twin.play(desk, 1), twin.play(desk, 2)
    assert_frame_equal(one.log.tickets, again.log.tickets)
    assert_frame_equal(one.kpis, again.kpis)
    assert not one.log.tickets["arrived_s"].equals(other.log.tickets["arrived_s"])


def test_replications_and_seed_can_be_given(desk: Scenario) -> None:
    results = twin.run(desk, replications=1, seed=5)
    assert results.runs[0].asked == 1
    expected = twin.play(desk.vary({"seed": 5})).kpis
    assert results.kpis["value"].equals(expected["value"])


def test_workers_change_nothing(desk: Scenario, assisted: Scenario, tmp_path: Path) -> None:
    here = twin.run([desk, assisted], keep_logs=True)
    there = twin.run([desk, assisted], workers=2, out=tmp_path)
    assert_frame_equal(here.kpis, there.kpis)
    for name in TABLES:
        assert_frame_equal(here.table(name), there.table(name))


def test_the_same_run_writes_the_same_bytes(desk: Scenario, tmp_path: Path) -> None:
    first, second = (twin.run(desk, out=tmp_path).paths[0] for _ in range(2))
    assert first != second
    for table in RUN_TABLES:
        for number, path in storage.parts(first, table).items():
            assert path.read_bytes() == storage.parts(second, table)[number].read_bytes()


def test_what_was_saved_opens_as_it_was(assisted: Scenario, tmp_path: Path) -> None:
    saved = twin.run(assisted, out=tmp_path)
    opened = twin.open_results(saved.paths[0])
    assert_frame_equal(opened.kpis, saved.kpis)
    assert opened.runs == saved.runs
    tickets = opened.table("tickets")
    assert [*tickets][:3] == ["scenario", "replication", "ticket_id"]
    assert str(tickets["replication"].dtype) == "int32"
    for column in TABLES["tickets"]:
        assert str(tickets[column.name].dtype) in (column.dtype, "str", "object")


def test_parts_on_disk_have_the_documented_columns(assisted: Scenario, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = twin.run(assisted, replications=1, out=tmp_path).paths[0]
    for table in RUN_TABLES:
        part = pq.ParquetFile(storage.parts(path, table)[0])
        assert part.schema_arrow.names == ["replication", *(c.name for c in TABLES[table])]
        assert part.schema_arrow.field("replication").type == pa.int32()
        assert part.metadata.row_group(0).column(0).compression == "LZ4"


def test_the_manifest_says_what_was_run(desk: Scenario, tmp_path: Path) -> None:
    results = twin.run(desk, seed=9, replications=2, out=tmp_path)
    manifest = json.loads((results.paths[0] / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["question"] == "Do two agents suffice?"
    assert manifest["replications"] == {"asked": 2, "whole": 2, "failed": 0}
    assert {"python", "twin", "simpy", "numpy", "pandas"} <= set(manifest["versions"])
    assert manifest["seed"] == 9
    again = twin.run(twin.from_data(manifest["scenario_as_run"]))
    assert_frame_equal(again.kpis, results.kpis)


def test_the_manifest_tells_other_files_from_the_same_name(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.csv"
    data = AGENTS | {"tickets": {"corpus": str(corpus)}}
    hashes = []
    for text in ("one", "two"):
        corpus.write_text(f"text,category,split\n{text},A,desk\n")
        path = twin.run(twin.from_data(data), replications=1, out=tmp_path / "out").paths[0]
        hashes.append(storage.read_manifest(path)["files"]["tickets.corpus"])
    assert hashes[0] != hashes[1]


def test_a_run_never_overwrites_another(desk: Scenario, tmp_path: Path) -> None:
    paths = {twin.run(desk, replications=1, out=tmp_path).paths[0] for _ in range(4)}
    assert len(paths) == 4
    assert twin.open_results(tmp_path / "agents").paths[0] in paths


def test_the_newest_run_of_a_scenario_is_opened(desk: Scenario, tmp_path: Path) -> None:
    for _ in range(2):
        last = twin.run(desk, replications=1, out=tmp_path).paths[0]
    assert twin.open_results(tmp_path / "agents").paths == (last,)


def test_one_failure_does_not_end_the_study(
    desk: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_in(monkeypatch, {1})
    results = twin.run(desk, out=tmp_path)
    (row,) = results.failures.to_dict("records")
    assert (row["scenario"], row["replication"], row["stage"]) == ("agents", 1, "draw")
    assert (row["type"], row["message"]) == ("RuntimeError", "out of coffee")
    assert "out of coffee" in row["traceback"]
    assert set(results.kpis["replication"]) == {0, 2}
    assert (results.runs[0].status, results.runs[0].failed) == ("complete", 1)
    opened = twin.open_results(results.paths[0])
    assert_frame_equal(opened.failures, results.failures)
    assert any("2 of 3 replications are whole; 1 failed" in note for note in opened.notes)


@pytest.mark.parametrize("stage", ["answer", "simulate", "measure", "save"])
def test_a_failure_names_its_stage(
    assisted: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("broken")

    names = {"answer": "build", "simulate": "simulate", "measure": "measured", "save": "_save"}
    monkeypatch.setattr(replication, names[stage], broken)
    results = twin.run(assisted, replications=1, out=tmp_path)
    assert [*results.failures["stage"]] == [stage]
    assert results.runs[0].status == "failed"
    assert not len(results.kpis)
    assert not len(results.table("tickets"))


def test_a_full_disk_is_a_failure_like_any_other(
    desk: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.pq, "write_table", full)
    results = twin.run(desk, replications=2, out=tmp_path)
    assert [*results.failures["message"]] == ["[Errno 28] No space left on device"] * 2
    assert not [*results.paths[0].glob("**/*.part")]


def test_failures_hold_neither_tickets_nor_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "corpus.csv").write_text("text,category,split\nmy card number is 4,A,desk\n")
    desk = twin.from_data(AGENTS | {"tickets": {"corpus": str(tmp_path / "corpus.csv")}})

    def broken(*_: Any) -> None:
        raise ValueError("cannot read 'my card number is 4' with key gsk_123 or gsk_456")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROQ_API_KEY", "gsk_123")
    (tmp_path / ".env").write_text("GROQ_API_KEY=gsk_456")
    monkeypatch.setattr(replication, "simulate", broken)
    row = twin.run(desk, replications=1).failures.iloc[0]
    for text in (row["message"], row["traceback"]):
        assert "[ticket text]" in text
        assert "[key]" in text
        assert "card" not in text
        assert "gsk_" not in text


def test_a_text_within_a_text_a_quoted_one_and_a_blank_one_are_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = pd.DataFrame({"timestamp": [1, 2, 3]})
    trace["text"] = ["help", "help me, I am Ann", "first line\nit's 5 o'clock"]
    trace.to_csv(tmp_path / "trace.csv", index=False)
    arrivals = {"kind": "trace", "trace": str(tmp_path / "trace.csv")}

    def broken(*_: Any) -> None:
        raise ValueError(f"bad words: {'help me, I am Ann'!r}, {trace['text'][2]!r}")

    monkeypatch.setattr(replication, "simulate", broken)
    failures = twin.run(twin.from_data(AGENTS | {"arrivals": arrivals}), replications=1).failures
    message = failures["message"].iloc[0]
    assert message.replace('"', "'") == "bad words: '[ticket text]', '[ticket text]'"
    assert replication._redact("bad words: help me", ["", "help"]) == "bad words: [ticket text] me"


@pytest.mark.parametrize(
    "message",
    [
        "could not convert string to float: 'my card ends in 42'",
        "MY CARD ENDS in",
        '{"text": "My card ends in 4242\\nand I"}',
        "('my', 'card', 'ends')",
        "invalid literal for int() with base 10: '424242'",
        "a@b: ann.lee@example.com is taken",
        "bad text My%20card ends; in 424242 then",
        r"b'My card ends in\n424242'",
        "unterminated: in 424242\u00a0and",
        "MyError(My card\tends)",
    ],
)  # fmt: skip
def test_parts_of_a_text_are_hidden_in_what_a_library_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    trace = pd.DataFrame({"timestamp": [1, 2, 3]})
    trace["text"] = ["My card ends in 424242, and I", "write to ann.lee@example.com", "hi"]
    trace.to_csv(tmp_path / "trace.csv", index=False)
    arrivals = {"kind": "trace", "trace": str(tmp_path / "trace.csv")}
    desk = twin.from_data(AGENTS | {"arrivals": arrivals})
    simulate = replication.simulate

    def broken(*_: Any) -> None:
        raise ValueError(message)

    def warns(*given: Any) -> Any:
        warnings.warn(message, stacklevel=1)
        return simulate(*given)

    monkeypatch.setattr(replication, "simulate", broken)
    row = twin.run(desk, replications=1).failures.iloc[0]
    monkeypatch.setattr(replication, "simulate", warns)
    for told in (row["message"], row["traceback"], *twin.run(desk, replications=1).notes):
        if told in row.to_list() or "[" in told:
            assert "[ticket text]" in told
        for words in ("card ends", "424242", "ann.lee", "example"):
            assert words not in told.lower()


def test_the_twins_own_errors_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = pd.DataFrame({"timestamp": [1, 2], "text": ["there is no such file", "x"]})
    trace.to_csv(tmp_path / "trace.csv", index=False)
    arrivals = {"kind": "trace", "trace": str(tmp_path / "trace.csv")}

    def broken(*_: Any) -> None:
        raise TwinError("kept.jsonl: no such file or folder")

    monkeypatch.setattr(replication, "simulate", broken)
    row = twin.run(twin.from_data(AGENTS | {"arrivals": arrivals}), replications=1).failures.iloc[0]
    assert row["message"] == "kept.jsonl: no such file or folder"


def test_the_manifest_has_every_file_that_the_scenario_names(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("minutes\n5\n9\n")
    measured = {"distribution": "empirical", "file": str(tmp_path / "times.csv")}
    measured |= {"column": "minutes", "unit": "1min"}
    pools = {"all": {"heads": 1, "handle_time": "5min", "handle_times": {"General": measured}}}
    run = twin.run(twin.from_data(AGENTS | {"agents": pools}), replications=1).runs[0]
    assert list(run.manifest["files"]) == ["agents.all.handle_times.General.file"]


def test_runs_that_overlap_in_threads_leave_the_collector_as_it_was() -> None:
    before = gc.get_threshold()
    first, second = _rare_collections(), _rare_collections()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold() != before
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_unknown_scenarios_are_told_with_those_that_are_there(desk: Scenario) -> None:
    with pytest.raises(ValueError, match=f"no scenario 'none'.*{desk.name}"):
        twin.run(desk, replications=1, keep_logs=True).long_run("none")


def test_warnings_become_notes(desk: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = replication.measured

    def warned(*given: Any) -> pd.DataFrame:
        warnings.warn("prices are old", UserWarning, stacklevel=1)
        return measure(*given)

    monkeypatch.setattr(replication, "measured", warned)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        results = twin.run(desk, replications=2)
    assert results.notes == ("prices are old",)


def test_progress_is_told_after_each(desk: Scenario) -> None:
    seen: list[tuple[int, int]] = []
    twin.run(desk, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_bad_scenario_stops_before_anything_is_played(desk: Scenario, tmp_path: Path) -> None:
    bad = desk.vary({"agents.all.skills": ["No such"]}, name="bad")
    with pytest.raises(twin.ScenarioError, match="no ticket has this category"):
        twin.run([desk, bad], out=tmp_path)
    assert not [*tmp_path.iterdir()]
    with pytest.raises(twin.ScenarioError, match="two scenarios have this name"):
        twin.run([desk, desk])
    with pytest.raises(ValueError, match="workers"):
        twin.run(desk, workers=0)


def test_ctrl_c_keeps_what_is_whole(desk: Scenario, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(experiment.Interrupted, match="2 of 3 replications are whole, in "):
        twin.run(desk, out=tmp_path, progress=stop)
    results = twin.open_results(tmp_path / "agents")
    assert (results.runs[0].status, results.runs[0].whole) == ("interrupted", 2)
    assert any("it was interrupted" in note for note in results.notes)


def test_ctrl_c_before_anything_is_whole_leaves_nothing(
    desk: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(replication, "measured", stop)
    with pytest.raises(experiment.Interrupted, match="nothing was kept"):
        twin.run(desk, out=tmp_path)
    assert not [*tmp_path.glob("agents/*")]


def test_ctrl_c_sweeps_up_half_a_replication(
    desk: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = storage.write_part

    def stop(folder: Path, table: str, number: int, frame: pd.DataFrame) -> None:
        if (table, number) == ("ratings", 1):
            raise KeyboardInterrupt
        write(folder, table, number, frame)

    monkeypatch.setattr(storage, "write_part", stop)
    with pytest.raises(experiment.Interrupted, match="1 of 3"):
        twin.run(desk, out=tmp_path)
    (folder,) = tmp_path.glob("agents/*")
    for table in RUN_TABLES:
        assert [*storage.parts(folder, table)] == [0]


def test_a_killed_run_opens_with_what_is_whole(desk: Scenario, tmp_path: Path) -> None:
    path = twin.run(desk, out=tmp_path).paths[0]
    # As kill -9 leaves it: still running, one replication half written.
    storage.write_manifest(path, storage.read_manifest(path) | {"status": "running"})
    storage.parts(path, "kpis")[2].unlink()
    results = twin.open_results(path)
    assert set(results.table("tickets")["replication"]) == {0, 1}
    assert any("2 of 3 replications are whole" in note for note in results.notes)
    assert any("under way or was killed" in note for note in results.notes)
    assert any("1 unfinished replications are left out" in note for note in results.notes)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_kill_9_leaves_whole_parts(tmp_path: Path) -> None:
    code = (
        "import twin, sys, pathlib\n"
        f"desk = twin.from_data({AGENTS!r})\n"
        f"twin.run(desk, replications=100000, out={str(tmp_path)!r})\n"
    )
    root = Path(__file__).parent.parent
    child = subprocess.Popen([sys.executable, "-c", code], cwd=root)
    try:
        deadline = time.monotonic() + 60
        while not [*tmp_path.glob("agents/*/kpis/r0003.parquet")]:
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    results = twin.open_results(tmp_path / "agents")
    assert results.runs[0].status == "running"
    numbers = results.runs[0].whole
    assert numbers >= 4
    for table in RUN_TABLES:
        assert results.table(table) is not None
    assert results.table("tickets")["replication"].nunique() == numbers


def test_opening_what_is_no_run_says_so(desk: Scenario, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder"):
        twin.open_results(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no run"):
        twin.open_results(tmp_path)
    with pytest.raises(ValueError, match="give the folder"):
        twin.open_results()
    path = twin.run(desk, replications=1, out=tmp_path / "out").paths[0]
    with pytest.raises(ValueError, match="several scenarios, open one of them: agents"):
        twin.open_results(tmp_path / "out")
    with pytest.raises(ValueError, match="open them apart"):
        twin.open_results(path, path)
    (path / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        twin.open_results(path)
    (path / "manifest.json").write_text("[]")
    with pytest.raises(ValueError, match="not the manifest of a run"):
        twin.open_results(path)


def test_a_damaged_part_is_named(desk: Scenario, tmp_path: Path) -> None:
    results = twin.run(desk, replications=1, out=tmp_path)
    part = storage.parts(results.paths[0], "tickets")[0]
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"r0000\.parquet is damaged"):
        results.table("tickets")
    part.unlink()
    with pytest.raises(ValueError, match="replication 0 of the table tickets is missing"):
        results.table("tickets")


def test_two_scenarios_open_together(desk: Scenario, assisted: Scenario, tmp_path: Path) -> None:
    saved = twin.run([desk, assisted], out=tmp_path)
    opened = twin.open_results(tmp_path / "agents", tmp_path / "profile")
    assert_frame_equal(opened.kpis, saved.kpis)
    assert set(opened.table("calls")["scenario"].unique()) == {"profile"}


def test_tables_that_were_not_kept_say_how_to_keep_them(desk: Scenario) -> None:
    results = twin.run(desk, replications=1)
    with pytest.raises(ValueError, match="keep_logs"):
        results.table("tickets")
    with pytest.raises(KeyError, match="keep_logs"):
        results.log("agents")
    with pytest.raises(KeyError, match="no table 'tikets'; tables: tickets"):
        results.table("tikets")
    kept = twin.run(desk, replications=1, keep_logs=True)
    assert len(kept.log("agents").tickets) == len(kept.table("tickets"))


def test_the_public_names_are_there() -> None:
    for name in twin.__all__:
        assert getattr(twin, name) is not None
    assert set(twin.__all__) <= set(dir(twin))
    with pytest.raises(AttributeError):
        twin.nothing  # noqa: B018


def test_the_version_is_that_of_the_package() -> None:
    # Stated once, in the package; the wheel's own is tested where it is built.
    text = (Path(__file__).parent.parent / "twin" / "common" / "version.py").read_text()
    assert f'VERSION = "{twin.__version__}"' in text
