"""Runs that are never in memory as a whole have the results of those that are, to the byte."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from engines import COMPILED, covered
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from strategies import SETTINGS

import twin
from twin.cli import terminal
from twin.common.errors import DamagedFile
from twin.demand.tickets import draw
from twin.desk.compiled.coverage import why_not_in_blocks
from twin.desk.engines import EngineError
from twin.experiments import replication, streamed
from twin.experiments.run import Interrupted
from twin.measures import far, far_levels
from twin.measures.figures import measure
from twin.records import far_tables, in_parts, row_groups, storage
from twin.records.columns import RUN_TABLES
from twin.records.far_tables import FarTable, in_ranges
from twin.report import far_source
from twin.report.page import _remark as page_remark
from twin.report.page import page
from twin.report.pictures import of_run
from twin.report.source import Source
from twin.stats import far_quantiles
from twin.stats.far_quantiles import RankedInFile
from twin.stats.quantiles import Ranked

needs_numba = pytest.mark.skipif(not COMPILED, reason="the extra [fast] is not installed")
ROOT = Path(__file__).parents[1]
DESK = {
    "horizon": "2d",
    "arrivals": {"rate": "12/h"},
    "agents": {"all": {"heads": 2, "handle_time": "8min"}},
}


@pytest.fixture
def small(monkeypatch):
    """Blocks, parts, row groups and windows of few rows: a short run has many of each."""

    def of(size):
        monkeypatch.setattr(replication, "BLOCK", size)
        monkeypatch.setattr(in_parts, "PART", size)
        monkeypatch.setattr(row_groups, "_ROWS", size)
        monkeypatch.setattr(far_levels, "_ROWS", max(1, size // 2))
        monkeypatch.setattr(far_quantiles, "_AT_ONCE", size)

    return of


def both(scenario, out, **keys):
    """A run that is streamed and one that is not."""
    return [
        twin.run(scenario, out=out / str(stream), engine="compiled", stream=stream, **keys)
        for stream in (True, False)
    ]


def odd(one, other):
    """Tables and files in which two runs differ."""
    found = []
    for table in RUN_TABLES:
        frames = [results.table(table) for results in (one, other)]
        try:
            assert_frame_equal(*frames, check_exact=True)
        except AssertionError as error:
            found.append(f"{table}: {error}")
    for name in ("tickets.json", "feedback.json"):
        texts = [(results.paths[0] / name).read_bytes() for results in (one, other)]
        if texts[0] != texts[1]:
            found.append(name)
    return found


@needs_numba
@pytest.mark.parametrize(
    ("stem", "horizon", "size"),
    [
        ("baseline", "3d", 260),
        ("phone-desk", "2d", 150),
        pytest.param("night-shift", "8d", 1500, marks=pytest.mark.slow),
    ],
)
def test_a_shipped_scenario_streamed_is_the_same_to_the_byte(small, tmp_path, stem, horizon, size):
    small(size)
    scenario = twin.load(ROOT / f"scenarios/{stem}.toml", {"horizon": horizon})
    one, other = both(scenario, tmp_path, replications=1)
    assert odd(one, other) == []
    assert one.notes == other.notes
    assert not list(tmp_path.rglob("*.part"))
    manifests = [json.loads((r.paths[0] / "manifest.json").read_text()) for r in (one, other)]
    assert [m["streamed"] for m in manifests] == [True, False]
    assert manifests[0]["tables"] == manifests[1]["tables"] == list(RUN_TABLES)
    assert one.sanity()["ok"].all()


def check_streamed(tmp_path_factory, scenario, size):
    if why_not_in_blocks(scenario) is not None:
        return
    with pytest.MonkeyPatch.context() as patch:
        small.__wrapped__(patch)(size)
        out = tmp_path_factory.mktemp("runs")
        one, other = both(scenario, out, replications=1)
        assert [*one.failures["traceback"]] == [*other.failures["traceback"]]
        if not len(one.failures):
            assert odd(one, other) == []
        shutil.rmtree(out)


SIZES = st.sampled_from([5, 30])


@needs_numba
@given(covered(), SIZES)
@settings(SETTINGS, max_examples=6)
def test_random_desks_streamed_are_the_same_to_the_byte(tmp_path_factory, scenario, size):
    check_streamed(tmp_path_factory, scenario, size)


@pytest.mark.slow
@needs_numba
@given(covered(), SIZES)
@settings(SETTINGS, max_examples=200)
def test_many_random_desks_streamed_are_the_same_to_the_byte(tmp_path_factory, scenario, size):
    check_streamed(tmp_path_factory, scenario, size)


@needs_numba
def test_agents_who_come_and_go_and_returns_are_streamed_too(small, tmp_path):
    small(40)
    scenario = twin.from_data(DESK | {
        "touches": {"waiting": {"chance": 0.5, "delay": "3h"}},
        "agents": {
            "a": {"heads": 2, "handle_time": "8min", "overflow_to": ["b"],
                  "overflow_after": "5min", "wrap_up": "2min",
                  "away": {"after_touch": 0.3, "returns": "3/h"}},
            "b": {"handle_time": "6min", "shifts": [
                {"days": "mon-fri", "start": "08:00", "end": "16:00", "heads": 2}]},
        },
    })  # fmt: skip
    one, other = both(scenario, tmp_path, replications=1)
    assert odd(one, other) == []
    assert {"away", "busy", "staffed"} <= set(one.table("levels")["level"])


@needs_numba
def test_parts_change_figures_by_rounding_alone(small):
    scenario = twin.load(ROOT / "scenarios/baseline.toml", {"horizon": "9d"})
    log = twin.simulate(scenario, draw(scenario), engine="compiled")
    whole = measure(log, scenario)
    small(333)
    parts = measure(log, scenario)
    names = ["kpi", "group", "unit", "denominator"]
    assert_frame_equal(whole[names], parts[names], check_exact=True)
    assert np.allclose(whole["value"], parts["value"], rtol=1e-13, atol=0, equal_nan=True)
    kinds = twin.kpi_table().set_index("kpi")["estimation"]
    exact = (whole["kpi"].map(kinds) == "quantile") | (whole["unit"] == "share")
    exact &= ~whole["kpi"].isin(["occupancy", "away_share", "waiting_share"])
    assert exact.sum() > 100
    assert whole.loc[exact, "value"].equals(parts.loc[exact, "value"])


@needs_numba
def test_only_the_figures_that_are_asked_for_are_made_in_parts(small):
    scenario = twin.from_data(DESK)
    log = twin.simulate(scenario, draw(scenario))
    small(50)
    some = measure(log, scenario, ["solved", "backlog", "first_response_p90"])
    every = measure(log, scenario)
    wanted = every[every["kpi"].isin(set(some["kpi"]))].reset_index(drop=True)
    assert_frame_equal(some, wanted, check_exact=True)


floats = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 60.0, 60.0 + 1e-9, 86400.0]))


@given(
    st.lists(st.lists(st.tuples(floats, st.integers(0, 3)), max_size=40), min_size=1, max_size=4),
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.95, 1.0]),
    st.sampled_from([2, 1000]),
)
@settings(SETTINGS, max_examples=100)
def test_quantiles_of_values_in_a_file_are_exact(tmp_path_factory, parts, q, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(far_quantiles, "_AT_ONCE", at_once)
        far = RankedInFile(tmp_path_factory.mktemp("values") / "v", 4)
        for part in parts:
            far.add(np.array([v for v, _ in part]), np.array([g for _, g in part], np.int64))
        rows = [row for part in parts for row in part]
        near = Ranked(np.array([v for v, _ in rows]), np.array([g for _, g in rows], int), 4)
        assert len(far) == len(near) == len(rows)
        if not rows:
            return
        assert far.quantile(q) == near.quantile(q)
        for one, other in zip(far.without_each(q), near.without_each(q), strict=True):
            assert np.array_equal(one, other)


@given(st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=8))
@settings(SETTINGS, max_examples=100)
def test_rows_come_range_by_range_in_the_order_of_their_groups(groups):
    keys = [np.array(group, np.int64) for group in groups]
    rows = [np.arange(len(group)) + 100 * k for k, group in enumerate(groups)]
    found = in_ranges(
        len(keys), 10, lambda k: keys[k], lambda k: (keys[k], rows[k]), lambda r, mask: r[mask]
    )
    all_keys, all_rows = (np.concatenate([np.zeros(0, np.int64), *of]) for of in (keys, rows))
    for number, pieces in enumerate(found):
        joined = np.concatenate([np.zeros(0, np.int64), *pieces])
        assert np.array_equal(joined, all_rows[all_keys == number])
    assert number == 9


@needs_numba
@pytest.mark.parametrize("at_once", [4999, 1 << 22])
def test_a_table_that_was_changed_on_disk_is_not_read(tmp_path, monkeypatch, at_once):
    # With the smaller one the digits of the checksum lie in two parts of the file.
    monkeypatch.setattr(far_tables, "_AT_ONCE", at_once)
    folder = both(twin.from_data(DESK), tmp_path, replications=1)[0].paths[0]
    assert len(FarTable(folder, "tickets", 0)) > 100
    path = storage.part_path(folder, "tickets", 0)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match="checksum"):
        FarTable(folder, "tickets", 0)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedFile):
        FarTable(folder, "tickets", 0)


@needs_numba
def test_what_cannot_be_streamed_says_why(tmp_path):
    desk = twin.from_data(DESK)
    keys = {"replications": 1, "stream": True, "out": tmp_path}
    for more, reason in (
        ({"out": None}, "it is not saved"),
        ({"keep_logs": True}, "kept in memory"),
        ({"event_log": True}, "an event log"),
        ({"engine": "simpy"}, "it takes the compiled engine"),
    ):
        with pytest.raises(EngineError, match=f"cannot be streamed: .*{reason}"):
            twin.run(desk, **(keys | more))
    several = twin.load(ROOT / "scenarios/chat-desk.toml")
    with pytest.raises(EngineError, match="agents who are told apart"):
        twin.run(several, **keys)
    assert list(tmp_path.iterdir()) == []


@needs_numba
def test_a_long_replication_is_streamed_by_itself(tmp_path, monkeypatch):
    desk = twin.from_data(DESK)
    monkeypatch.setattr(streamed, "FROM", 300)
    streams = [
        twin.run(
            desk.vary({"horizon": horizon}), replications=1, out=tmp_path, engine=engine, stream=s
        ).runs[0].manifest["streamed"]
        for horizon, engine, s in (
            ("2d", "compiled", None), ("20h", "compiled", None), ("2d", "simpy", None),
            ("2d", "compiled", False),
        )
    ]  # fmt: skip
    assert streams == [True, False, False, False]


@needs_numba
def test_tables_that_were_not_asked_for_are_not_there(tmp_path):
    results = twin.run(twin.from_data(DESK), replications=1, out=tmp_path, engine="compiled",
                       stream=True, tables=["visits"])  # fmt: skip
    there = {path.parent.name for path in results.paths[0].rglob("*.parquet")}
    assert there == {"visits", "sanity", "kpis"}
    assert not (results.paths[0] / "tickets.json").exists()


@needs_numba
def test_progress_is_told_within_a_replication(small, tmp_path):
    small(100)
    told = []
    twin.run(twin.from_data(DESK), replications=2, out=tmp_path, engine="compiled", stream=True,
             progress=lambda done, of: told.append((done, of)))  # fmt: skip
    assert len(told) > 10
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {of for _, of in told} == {2}
    assert told[-1] == (2, 2)
    # In workers, only whole ones are.
    told.clear()
    twin.run(twin.from_data(DESK), replications=2, out=tmp_path, engine="compiled", stream=True,
             workers=2, progress=lambda done, of: told.append((done, of)))  # fmt: skip
    assert told == [(1, 2), (2, 2)]


@needs_numba
@pytest.mark.parametrize("after", [3, 18])
def test_a_run_that_is_interrupted_leaves_nothing(small, tmp_path, after):
    small(50)
    told = []

    def stop(done, of):
        told.append(done)
        if len(told) == after:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        twin.run(twin.from_data(DESK), replications=1, out=tmp_path, engine="compiled",
                 stream=True, progress=stop)  # fmt: skip
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@needs_numba
@pytest.mark.parametrize("broken", ["write_first", "checks_of", "RowGroups"])
def test_a_replication_that_fails_is_told_and_leaves_nothing_whole(tmp_path, monkeypatch, broken):
    def fails(*args, **keys):
        raise OSError(28, "No space left on device")

    place = {"write_first": streamed.export, "checks_of": far, "RowGroups": streamed}[broken]
    monkeypatch.setattr(place, broken, fails)
    results = twin.run(twin.from_data(DESK), replications=1, out=tmp_path, engine="compiled",
                       stream=True)  # fmt: skip
    assert results.failures["type"].tolist() == ["OSError"]
    files = [p for p in tmp_path.rglob("*") if p.suffix in (".parquet", ".part")]
    assert [path.parent.name for path in files] == ["failures"]


@needs_numba
@pytest.mark.skipif(os.name == "nt", reason="a kill there is another")
@pytest.mark.parametrize(
    "seen", ["calls/r0000.parquet", pytest.param(".tickets-*.part", marks=pytest.mark.slow)]
)
def test_nothing_half_written_is_taken_for_whole_after_a_kill(tmp_path, seen):
    words = [sys.executable, "-m", "twin", "run", "scenarios/baseline.toml", "--set",
             "horizon=60d", "--replications", "1", "--stream", "--quiet", "--out",
             str(tmp_path)]  # fmt: skip
    child = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL)
    while child.poll() is None and not list(tmp_path.rglob(seen)):
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    (folder,) = tmp_path.glob("*/*")
    assert storage.whole(folder) == []
    with pytest.raises(ValueError, match="no replication is whole"):
        twin.open_results(folder)
    storage.sweep(folder)
    assert not folder.exists()


@pytest.mark.slow
@needs_numba
def test_a_report_of_a_streamed_run_is_that_of_any_run(small, tmp_path):
    small(300)
    scenario = twin.load(ROOT / "scenarios/phone-desk.toml", {"horizon": "3d", "warm_up": "1d"})
    pages = [page(twin.open_results(*r.paths)) for r in both(scenario, tmp_path, replications=2)]
    # Only how it was played differs, and when.
    at = [text.index('id="again"') for text in pages]
    one, other = (text[:k] for text, k in zip(pages, at, strict=True))
    assert one == other
    assert one.count("<svg") > 5
    assert "one ticket in" not in one


@needs_numba
def test_of_a_long_run_the_report_shows_one_ticket_in_so_many(small, tmp_path, monkeypatch):
    small(300)
    monkeypatch.setattr(far_source, "MOST", 350)
    scenario = twin.load(ROOT / "scenarios/phone-desk.toml", {"horizon": "2d"})
    one, other = (
        Source(r, r.runs[0], r.summary()) for r in both(scenario, tmp_path, replications=1)
    )
    count = len(other.table("tickets", ["ticket_id"]))
    assert one.one_in == -(-count // 350) > 2
    some = one.sampled("tickets", ["ticket_id", "priority"])
    assert (some["ticket_id"] % one.one_in == 0).all()
    assert len(some) == count // one.one_in
    # Lines of what is told of all tickets are the same; areas are about the same.
    drawn = [{p.name: p for p in of_run(source, "run")} for source in (one, other)]
    assert list(drawn[0]) == list(drawn[1])
    for name in ("run-throughput", "run-backlog", "run-lives"):
        assert drawn[0][name] == drawn[1][name]
    assert drawn[0]["run-statuses"] != drawn[1]["run-statuses"]
    shares = [[int(n) for n in re.findall(r"(\d+) %", d["run-statuses"].alt)] for d in drawn]
    assert np.allclose(shares[0][:1], shares[1][:1], atol=10)
    assert f"one ticket in {one.one_in}, evenly spread" in page_remark(one)


@needs_numba
def test_batch_means_of_a_streamed_run_are_those_of_any_run(small, tmp_path):
    small(300)
    desk = twin.from_data(DESK).vary({"horizon": "20d"})
    one, other = (results.long_run() for results in both(desk, tmp_path, replications=1))
    assert len(one) == 4
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


def test_lines_of_progress_tell_what_is_left_of_a_long_replication(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "_EVERY_S", 0.0)
    seconds = iter([0.0, 10.0, 20.0, 30.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(seconds))
    with terminal.progress(2, shown=True) as say:
        for done in (0.25, 0.75, 1):
            say(done, 2)
    assert capsys.readouterr().err.splitlines() == [
        "0 of 2 replications (25 % of the next), about 70 s left",
        "0 of 2 replications (75 % of the next), about 25 s left",
        "1 of 2 replications, about 40 s left",
    ]


def test_a_sentence_on_a_very_long_run_looks_at_its_first_tickets_alone(monkeypatch):
    desk = twin.load("scenarios/phone-desk.toml")
    whole = twin.explain(desk)
    monkeypatch.setattr("twin.demand.blocks.SOME", 2_000)
    monkeypatch.setattr("twin.demand.blocks.draw", None)
    assert twin.explain(desk) == whole
