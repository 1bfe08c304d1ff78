"""Files of results after bit rot: each damage is a named error, or changes nothing that is told."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

import twin
from twin.assistant.recorded.recording import Recording, Reply
from twin.common.errors import DamagedFile, TwinError
from twin.experiments.studies.findings import open_search
from twin.records import storage
from twin.records.columns import RUN_TABLES

DESK: dict[str, Any] = {
    "name": "desk",
    "horizon": "6h",
    "replications": 3,
    "arrivals": {"rate": "12/h"},
    "tickets": {"category_mix": {"A": 1, "B": 2}},
    "agents": {"all": {"heads": 2, "handle_time": "7min", "cost": 30.0}},
    "assistant": {"backend": "profile"},
}
PLAN: dict[str, Any] = {
    "name": "load",
    "factors": {"agents.all.heads": [1, 2]},
    "minimise": "human_cost",
    "targets": {"service_level": {"at_least": 0.1}},
}
FLIPS = 200


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a study and a search."""
    out = tmp_path_factory.mktemp("results")
    desk = twin.from_data(DESK)
    twin.run(desk, out=out)
    twin.study(PLAN | {"scenario": desk}, replications=2, out=out)
    twin.search(PLAN | {"name": "found", "scenario": desk}, replications=2, checks=3, out=out)
    return out


def of_run(out: Path) -> dict[str, pd.DataFrame]:
    results = twin.open_results(out / "desk")
    return {"summary": results.summary(), "sanity": results.sanity()} | {
        table: results.table(table) for table in RUN_TABLES
    }


def of_study(out: Path) -> dict[str, pd.DataFrame]:
    found = twin.open_study(out / "studies" / "load")
    return {"summary": found.summary(), "points": found.points, "failures": found.failures}


def of_search(out: Path) -> dict[str, pd.DataFrame]:
    (manifest,) = (out / "studies" / "found").glob("*/search.json")
    found = open_search(manifest.parent)
    return {"table": found.table, "finalists": found.finalists, "figures": found.figures}


CASES = [
    *((f"desk/*/{table}/r0001.parquet", of_run, 100 if table == "kpis" else 20)
      for table in RUN_TABLES),
    ("desk/*/manifest.json", of_run, 60),
    *((f"studies/load/2*/{name}", of_study, 60)
      for name in ("frame.parquet", "points.parquet", "failures.parquet", "study.json")),
    ("studies/found/2*/table.parquet", of_search, 60),
    ("studies/found/2*/search.json", of_search, 60),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "read", "flips"), CASES, ids=[case[0] for case in CASES])
def test_a_flipped_bit_is_a_named_error_or_changes_nothing(
    saved: Path, pattern: str, read: Callable[[Path], dict[str, pd.DataFrame]], flips: int
) -> None:
    (path,) = saved.glob(pattern)
    before, whole = read(saved), path.read_bytes()
    luck = random.Random(pattern)
    named = 0
    try:
        for _ in range(flips):
            data = bytearray(whole)
            data[luck.randrange(len(data))] ^= 1 << luck.randrange(8)
            path.write_bytes(data)
            try:
                after = read(saved)
            except ValueError as error:
                assert path.name in str(error) or path.parent.name in str(error)  # noqa: PT017
                named += 1
                continue
            assert list(after) == list(before)
            for name, frame in before.items():
                assert_frame_equal(after[name], frame, check_exact=True)
    finally:
        path.write_bytes(whole)
    # Nearly all flips are named: a flip in the checksum's own name is none of the content.
    assert named >= 0.9 * flips


@pytest.mark.parametrize("how", ["cut", "blank", "swap", "grow", "empty", "other"])
def test_other_damage_is_named_as_well(saved: Path, tmp_path: Path, how: str) -> None:
    shutil.copytree(saved / "desk", tmp_path / "desk")
    parts = [*storage.parts(next((tmp_path / "desk").iterdir()), "kpis").values()]
    path, data = parts[1], bytearray(parts[1].read_bytes())
    at = len(data) // 3
    if how == "cut":
        data = data[:-9]
    elif how == "blank":
        data[at : at + 64] = bytes(64)
    elif how == "swap":
        data[at : at + 64], data[at + 64 : at + 128] = data[at + 64 : at + 128], data[at : at + 64]
    elif how == "grow":
        data += b"\0"
    elif how == "empty":
        data = bytearray()
    else:
        data = bytearray(b"PAR1" + bytes(40) + b"PAR1")
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match=r"r0001\.parquet is damaged"):
        twin.open_results(tmp_path / "desk")


def test_a_study_store_names_a_damaged_part(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "out")
    part = min((tmp_path / "out" / "studies" / "load" / "replications").glob("*/kpis/r0001.*"))
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 4
    part.write_bytes(data)
    with pytest.raises(
        ValueError, match=r"r0001\.parquet is damaged: its checksum differs; remove"
    ):
        twin.study(PLAN | {"scenario": twin.from_data(DESK)}, replications=2, out=tmp_path / "out")
    part.unlink()
    again = twin.study(
        PLAN | {"scenario": twin.from_data(DESK)}, replications=2, out=tmp_path / "out"
    )
    assert again.played == 1


def test_files_of_others_and_of_older_versions_are_read(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved / "desk", tmp_path / "desk")
    (folder,) = (tmp_path / "desk").iterdir()
    before = of_run(tmp_path)
    for path in folder.glob("*/r*.parquet"):
        table = pq.read_table(path).replace_schema_metadata(None)
        pq.write_table(table, path)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["checksum"], manifest["tables"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for name, frame in of_run(tmp_path).items():
        assert_frame_equal(frame, before[name], check_exact=True)
    # Other programs read the parts as they are.
    part = pd.read_parquet(saved / "desk" / folder.name / "kpis" / "r0000.parquet")
    assert len(part) == (before["tickets"]["replication"] >= 0).any() * len(part) > 0


def test_a_manifest_that_was_changed_says_how_to_keep_the_change(
    saved: Path, tmp_path: Path
) -> None:
    shutil.copytree(saved / "desk", tmp_path / "desk")
    (path,) = (tmp_path / "desk").glob("*/manifest.json")
    manifest = json.loads(path.read_text()) | {"question": "Is it mine?"}
    path.write_text(json.dumps(manifest))
    with pytest.raises(DamagedFile, match="remove the key checksum"):
        twin.open_results(path.parent)
    del manifest["checksum"]
    path.write_text(json.dumps(manifest))
    assert twin.open_results(path.parent).runs[0].question == "Is it mine?"


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("tickets/r0001.parquet", "files of the run are missing: tickets/r0001.parquet"),
        ("kpis/r0001.parquet", "files of the run are missing: 1 replications"),
        ("calls", "calls/r0000.parquet, calls/r0001.parquet, calls/r0002.parquet"),
        ("levels/r0000.parquet", "levels/r0000.parquet"),
    ],
)
def test_a_run_that_lost_a_file_is_incomplete(
    saved: Path, tmp_path: Path, lost: str, said: str
) -> None:
    shutil.copytree(saved / "desk", tmp_path / "desk")
    (folder,) = (tmp_path / "desk").iterdir()
    assert twin.open_results(folder).runs[0].status == "complete"
    path = folder / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    run = twin.open_results(folder).runs[0]
    assert run.status == "incomplete"
    assert any(said in note for note in run.notes)
    assert run.whole == (2 if lost.startswith("kpis") else 3)


def reply(number: int) -> Reply:
    request = {"model": "m", "messages": [{"role": "user", "content": f"Ticket {number}: ça va?"}]}
    return Reply(
        key=f"{number:064x}", step="respond", model="m", prompt_version="1", sample=0,
        request=request, answer=f"Do this and that, {number} times.", finish="stop",
        repaired=False, prompt_tokens=100 + number, completion_tokens=20, latency_s=0.25,
        cost_usd=1e-4, recorded="2026-11-01T00:00:00+00:00",
    )  # fmt: skip


def test_a_flipped_bit_in_a_recording_is_named_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    recording = Recording(path)
    for number in range(12):
        recording.add(reply(number))
    recording.close()
    before, whole = Recording(path).replies(), path.read_bytes()
    assert before == [reply(number) for number in range(12)]
    luck = random.Random(1)
    named = 0
    for _ in range(FLIPS):
        data = bytearray(whole)
        data[luck.randrange(len(data))] ^= 1 << luck.randrange(8)
        path.write_bytes(data)
        try:
            found = Recording(path)
        except TwinError as error:
            assert str(path) in str(error)  # noqa: PT017
            assert "this and that" not in str(error)  # noqa: PT017
            named += 1
            continue
        # The end of the last line is all that may be missing, and then it is told.
        assert found.replies() == before or (found.note and found.replies() == before[:-1])
    assert named >= 0.9 * FLIPS


def test_lines_of_older_recordings_have_no_checksum(tmp_path: Path) -> None:
    data = json.loads(reply(1).to_line())
    assert Reply.from_line(json.dumps(data).encode()) == reply(1)
    data["answer"] = "Another."
    with pytest.raises(ValueError, match="checksum"):
        Reply.from_line(json.dumps(data).encode())
    del data["checksum"]
    assert Reply.from_line(json.dumps(data).encode()).answer == "Another."
