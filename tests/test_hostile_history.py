"""Exports, mappings and folders of histories made to break the twin: one clear line each."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import tomllib
import zipfile
from datetime import datetime, time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common import files
from twin.common.errors import DamagedFile, ScenarioError
from twin.common.tables import one_line
from twin.common.toml import dump
from twin.history import delimited, imported, sheet, xes
from twin.history.cells import names
from twin.history.mapping_file import read_mapping
from twin.history.sheet import names_of

ROWS = [f"{k},2026-01-{5 + k % 20:02d} 08:{k:02d}:11,2026-01-{5 + k % 20:02d} 18:00:00,A,Anna"
        for k in range(20)]  # fmt: skip
CSV = "\n".join(["id,created,solved,category,agent", *ROWS, ""])


def read(path, **choices):
    return twin.read_history(path, zone=choices.pop("zone", "UTC"), **choices)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(CSV)
    return path


def with_row(moment, solved="2026-01-30 10:00:00"):
    return f"{CSV}99,{moment},{solved},A,Bob\n"


# Texts.


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (CSV.encode("utf-16") + b"x", "begins as UTF-16 text, and is none at its end"),
        (CSV.encode() + b"99,2026-01-06 10:00:00,,Z\x81,J\xff\n", "neither UTF-8 nor Windows-1252"),
    ],
)
def test_bytes_that_are_no_text_are_a_fault_of_the_file(tmp_path, data, words):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(ScenarioError, match=words):
        read(path)


def test_halves_of_signs_in_json_are_no_end_of_the_import(tmp_path):
    path = tmp_path / "t.json"
    tickets = [{"id": f"{k}\ud800", "created_at": "2026-01-07T10:00:00Z", "category": "\udfff",
                "\ud83d": 1, "group": "\U0001f600"} for k in range(3)]  # fmt: skip
    path.write_text(json.dumps(tickets))
    history = read(path)
    assert list(history.extra["keys"]["key"]) == ["0?", "1?", "2?"]
    assert set(history.extra["keys"]["group"]) == {"\U0001f600"}


def test_a_number_too_long_to_be_one_is_told_without_advice_to_programmers(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('[{"id": ' + "9" * 5000 + "}]")
    with pytest.raises(ScenarioError, match="4300 digits") as caught:
        read(path)
    assert "sys." not in str(caught.value)


def test_many_columns_of_one_name_are_named_apart_at_once():
    found = names_of(["c"] * 4000 + ["c (2)", "c (2)"])
    assert len(set(found)) == 4002
    assert found[:3] == ["c", "c (2)", "c (3)"]


# Moments.


@pytest.mark.parametrize("moment", ["9999-12-31 23:59:59", "0001-01-01 00:00:00"])
def test_a_moment_at_the_ends_of_the_calendar_is_none(tmp_path, moment):
    path = tmp_path / "t.csv"
    path.write_text(with_row("2026-01-29 10:00:00", solved=moment))
    history = read(path, zone="America/Los_Angeles")
    assert history.log.tickets["resolved_s"].isna().tolist() == [False] * 20 + [True]
    path.write_text(with_row(moment))
    with pytest.raises(ScenarioError, match="row 21 has no moment of creation"):
        read(path, zone="America/Los_Angeles")
    assert len(read(path, skip_bad=True).log.tickets) == 20


@pytest.mark.parametrize("moment", ["1e400", "1e300", "-5e12", "90000000000"])
def test_seconds_beyond_all_bounds_are_no_moment(tmp_path, moment):
    path = tmp_path / "t.csv"
    numbers = [f"{k},{1_767_600_000 + 3600 * k},,A,Anna" for k in range(20)]
    path.write_text("\n".join(["id,created,solved,category,agent", *numbers, f"9,{moment},,A,Bob"]))
    with pytest.raises(ScenarioError, match="row 21 has no moment of creation"):
        read(path)


def test_a_word_among_numbers_of_seconds_is_named_not_the_numbers(tmp_path):
    path = tmp_path / "t.csv"
    numbers = [f"{k},{1_767_600_000 + 3600 * k}" for k in range(20)]
    path.write_text("\n".join(["id,created", *numbers, "20,inf"]))
    with pytest.raises(ScenarioError, match='row 21, column "created": "inf" is no number'):
        read(path)


# Packed and structured files.


def workbook(path, rows):
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type='
        f'"{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="S" '
        'sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData>'
        "</worksheet>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(name, text)


def row(number, **cells):
    inner = "".join(f'<c r="{name}{number}" t="inlineStr"><is><t>{text}</t></is></c>'
                    for name, text in cells.items())  # fmt: skip
    return f'<row r="{number}">{inner}</row>'


def sheet_rows(last=""):
    head = row(1, A="id", B="created")
    return head + "".join(row(k, A=k, B=f"2026-01-{k:02d} 10:00") for k in range(2, 9)) + last


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (row(1048576, XFD="x"), "goes to row 1,048,576 and column 16,384"),
        (row(99_999_999, ZZZZ="x"), "goes to row 99,999,999"),
        ("<row>" + "<c/>" * 9000 + "</row>" + "<row/>" * 9000, "column 9,000"),
    ],
)
def test_a_cell_far_from_all_others_does_not_take_all_memory(tmp_path, last, words):
    pytest.importorskip("python_calamine")
    path = tmp_path / "t.xlsx"
    workbook(path, sheet_rows(last))
    with pytest.raises(ScenarioError, match=words):
        read(path)


def test_blank_rows_of_a_workbook_are_no_tickets(tmp_path):
    pytest.importorskip("python_calamine")
    path = tmp_path / "t.xlsx"
    workbook(path, sheet_rows(row(2000, A="9", B="2026-01-20 10:00")))
    assert len(read(path).log.tickets) == 8
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ScenarioError, match="not readable as XLSX"):
        read(path)


def parquet(path, names, *columns):
    pq.write_table(pa.table(list(columns), names=names), path)


@pytest.mark.parametrize(
    ("names", "columns", "words"),
    [
        (("created", "created"), [[datetime(2026, 1, 1)]] * 2, 'two columns are called "created"'),
        (("created",), [[time(10)] * 3], "is no time that is understood"),
        (("created",), [pa.array([-(2**31), 2**31 - 1], pa.date32())], "out of range"),
        (("created", "category"), [["2026-01-01 10:00"], pa.Array.from_buffers(
            pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])],
         "not readable as Parquet: .*UTF8"),
    ],
)  # fmt: skip
def test_a_table_of_odd_columns_is_a_fault(tmp_path, names, columns, words):
    parquet(tmp_path / "t.parquet", names, *columns)
    with pytest.raises(ScenarioError, match=words):
        read(tmp_path / "t.parquet")


def test_more_rows_than_memory_holds_are_refused_while_they_are_read(tmp_path, path, monkeypatch):
    parquet(tmp_path / "t.parquet", ["created"], ["2026-01-01 10:00"] * 20)
    monkeypatch.setattr(sheet, "MOST_ROWS", 15)
    monkeypatch.setattr(delimited, "_LONGEST_ROW", 200)
    for one in (path, tmp_path / "t.parquet"):
        with pytest.raises(ScenarioError, match="has more than 15 rows; export fewer months"):
            read(one)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('<?xml version="1.0" encoding="nope"?><log/>', "unknown encoding"),
        ("<log><trace>" + '<event><int key="a" value="1"/></event>' * 30 + "</trace></log>",
         "1 keys in its first 21 events: more than is read"),
    ],
)  # fmt: skip
def test_an_event_log_is_bounded(tmp_path, monkeypatch, text, words):
    monkeypatch.setattr(xes, "_MOST_CELLS", 20)
    (tmp_path / "t.xes").write_text(text)
    with pytest.raises(ScenarioError, match=words):
        read(tmp_path / "t.xes")


def test_events_of_other_keys_stay_in_their_rows(tmp_path):
    parts = ('<string key="a" value="1"/>', "", '<string key="b" value="2"/>', "")
    path = tmp_path / "t.xes"
    path.write_text("<log><trace>" + "".join(f"<event>{p}</event>" for p in parts)
                    + "</trace></log>")  # fmt: skip
    with path.open("rb") as file:
        assert xes.read(file) == {"a": ["1", "", "", ""], "b": ["", "", "2", ""]}


# Mappings that people edit.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=" + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("zone = 5", "zone: must be a text"),
        ('zone = ["UTC"]', "zone: must be a text"),
        ("tool = 7", "tool: must be a text"),
        ('days_first = "maybe"', "days_first: must be true or false"),
        ("colums = {}", 'colums: unknown key; did you mean "columns"?'),
        ("statuses.a = 1", "statuses: must hold names"),
    ],
)
def test_a_mapping_edited_into_nonsense_is_a_fault(tmp_path, text, words):
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=words.replace("?", r"\?")):
        read_mapping(path)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no name in folders there")
def test_a_pipe_is_no_mapping(tmp_path, path):
    os.mkfifo(tmp_path / "mapping.toml")
    with pytest.raises(ScenarioError, match="not a regular file"):
        read(path, mapping=tmp_path / "mapping.toml")


def test_a_long_name_of_a_zone_is_not_repeated_whole(path):
    with pytest.raises(ScenarioError) as caught:
        read(path, zone="x" * 5000)
    assert len(str(caught.value)) < 200


# Files and folders that change.


def test_a_file_that_changes_while_it_is_read_is_not_taken(path, monkeypatch):
    real = imported.read_sheets

    def changing(where):
        found = real(where)
        Path(where).write_text(CSV.replace("id,created", "created,id"))
        return found

    monkeypatch.setattr(imported, "read_sheets", changing)
    with pytest.raises(ScenarioError, match="changed while it was read; import it again"):
        read(path)


def test_a_history_whose_replacement_was_cut_off_is_there_again(tmp_path, path):
    history = read(path)
    history.save(tmp_path / "h")
    (tmp_path / "h").rename(tmp_path / ".h.old")
    with pytest.raises(ScenarioError, match="is there already"):
        history.save(tmp_path / "h")
    history.save(tmp_path / "h", replace_old=True)
    assert not [*tmp_path.glob(".h*")]


def test_two_at_once_fill_folders_of_their_own_and_what_fails_leaves_the_old(tmp_path, monkeypatch):
    folder = tmp_path / "f"
    with files.whole_folder(folder) as first:
        (first / "a").write_text("1")
        monkeypatch.setattr(files, "get_ident", lambda: 1)
        with pytest.raises(OSError, match="disk"), files.whole_folder(folder):
            raise OSError("disk")
        assert (first / "a").exists()
    assert (folder / "a").read_text() == "1"
    with pytest.raises(FileNotFoundError), files.whole_folder(folder) as part:
        (part / "b" / "a").write_text("2")
    assert (folder / "a").read_text() == "1"
    assert [*tmp_path.iterdir()] == [folder]


def test_a_machine_without_enough_memory_says_so(path, monkeypatch):
    def greedy(*_):
        raise MemoryError

    monkeypatch.setattr(imported, "read_sheets", greedy)
    out = ["--out", str(path.parent / "h"), "--yes"]
    result = CliRunner().invoke(app, ["import", str(path), *out])
    assert result.exit_code == 1
    assert "not enough memory" in result.stderr


# Names that become keys, titles and comments.

EVIL = ('x\nhorizon = "1s"\n[arrivals]', '"""', "a]b[c", "a\r\nb", "#", "\\", "\u2028x\x1b[31m",
        "..", "n" * 5000)  # fmt: skip


def test_a_name_stays_on_its_line_and_short():
    cells = pd.Series([*EVIL, None, "\x1b", "plain"], dtype="str")
    found = names(cells).tolist()
    assert found[0] == 'x horizon = "1s" [arrivals]'
    assert found[6] == "x[31m"
    assert len(found[8]) == 200
    assert pd.isna(found[9])
    assert pd.isna(found[10])
    assert names(cells.tail(1)) is not None


def test_statuses_of_odd_names_are_no_lines_of_the_calibrated_file(tmp_path):
    log = tmp_path / "log.csv"
    with log.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["case", "activity", "timestamp"])
        for k in range(60):
            for j, name in enumerate(["New", *EVIL[:7], "Resolved"]):
                rows.writerow([k, name, f"2026-03-{1 + k % 20:02d} 1{j}:00:00"])
    history = read(log)
    path = twin.write_calibrated(twin.calibrate(history), history, tmp_path / "d.toml")
    desk = twin.load(path)
    assert desk.horizon == 84 * 86_400
    assert 'x horizon = "1s" [arrivals]' in desk.workflow.statuses
    # Comments are one line each, whatever the names in a history that was edited.
    assert one_line('x\nhorizon = "1s"') == 'x horizon = "1s"'


def test_lists_of_words_and_lines_of_json_end_where_their_format_says(tmp_path):
    assert tomllib.loads(dump({"a": ["b\u2028c", "d"]})) == {"a": ["b\u2028c", "d"]}
    path = tmp_path / "t.jsonl"
    tickets = [{"id": k, "created_at": "2026-01-07T10:00:00Z", "subject": "a\u2028b\x85"}
               for k in range(3)]  # fmt: skip
    path.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in tickets))
    assert len(read(path).log.tickets) == 3


# Folders of histories that were edited.


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    for name, text in (("a", CSV), ("b", CSV.replace("2026-01-1", "2026-01-2"))):
        (folder / f"{name}.csv").write_text(text)
        read(folder / f"{name}.csv").save(folder / name)
    return folder


@pytest.fixture
def history(saved, tmp_path):
    return Path(shutil.copytree(saved / "a", tmp_path / "h"))


@pytest.mark.parametrize("name", ["tickets", "timeline", "keys"])
def test_a_table_of_another_history_is_not_taken(saved, history, name):
    shutil.copy(saved / "b" / f"{name}.parquet", history)
    with pytest.raises(DamagedFile, match=f"{name}.parquet is damaged: is not the table"):
        twin.read_history(history)


def test_a_table_that_is_gone_is_missed_but_texts_may_be_removed(tmp_path, path):
    folder = read(path, texts=True, columns={"subject": "category"}).save(tmp_path / "h")
    assert (folder / "texts.parquet").exists()
    (folder / "texts.parquet").unlink()
    assert not len(twin.read_history(folder).texts)
    (folder / "staffing.parquet").unlink()
    with pytest.raises(DamagedFile, match=r"staffing\.parquet.* is missing"):
        twin.read_history(folder)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"version": 99}, "made by another version of the twin"),
        ({"horizon_s": 1e300}, "no length of a history"),
        ({"horizon_s": -5}, "no length of a history"),
        ({"horizon_s": float("nan")}, "no length of a history"),
        ({"notes": [1, None]}, "notes must be texts"),
        ({"files": [1]}, "files must have name, bytes and sha256"),
        ({"files": [{"name": "x"}]}, "files must have name, bytes and sha256"),
        ({"tables": 5}, "not the manifest of a history"),
    ],
)
def test_an_edited_manifest_is_named(history, changed, words):
    path = history / "history.json"
    told = json.loads(path.read_text()) | changed
    del told["checksum"]
    path.write_text(json.dumps(told))
    with pytest.raises(DamagedFile, match=words) as caught:
        twin.read_history(history)
    assert "history.json is damaged" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "old", "new"), [("start", "2026-", "1999-"), ("time_zone", '"UTC"', '"Asia/Tokyo"')]
)
def test_the_clock_of_a_history_cannot_be_moved_in_its_desk(history, key, old, new):
    path = history / "desk.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ScenarioError, match=f"{key}: the moments of the history count from it"):
        twin.read_history(history)


def test_a_history_of_an_earlier_version_is_read_without_what_it_does_not_tell(history):
    path = history / "history.json"
    told = json.loads(path.read_text())
    for key in ("tables", "start", "time_zone", "checksum"):
        del told[key]
    path.write_text(json.dumps(told))
    assert len(twin.read_history(history).log.tickets) == 20
