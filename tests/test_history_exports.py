"""Exports as people have them: each is understood, or a clear fault with row and column."""

import csv
import gzip
import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from exports import DAY, HOUR, at, desk, write_csv, write_json
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.history import sheet, sheets
from twin.history.cells import durations, times
from twin.history.sheet import Place

ROWS = desk(count=80, days=25)


def lines(form="plain", **more):
    return [
        {"id": r["id"], "created": at(r["created"], form), "solved": at(r["solved"], form)}
        | {name: of(r) for name, of in more.items()}
        for r in ROWS
    ]  # fmt: skip


def same(history, slack_s=0.001):
    found = history.log.tickets
    assert len(found) == len(ROWS)
    created = [r["created"] for r in ROWS]
    assert found["arrived_s"].to_numpy() == pytest.approx(created, abs=slack_s)
    spent = [r["solved"] for r in ROWS if r["solved"]]
    assert found["resolved_s"].dropna().to_numpy() == pytest.approx(spent, abs=slack_s)
    return history


def read(path, **settings):
    return twin.read_history(path, **{"zone": "UTC", **settings})


@pytest.mark.parametrize("sep", [";", "\t", "|"])
def test_other_signs_between_cells(tmp_path, sep):
    same(read(write_csv(tmp_path / "t.csv", lines(), sep=sep)))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_other_encodings(tmp_path, encoding):
    path = write_csv(tmp_path / "t.csv", lines(category=lambda r: "Zürich"), encoding=encoding)
    history = same(read(path))
    assert set(history.log.tickets["category"]) == {"Zürich"}


def test_days_first_without_seconds(tmp_path):
    # 29/2/2016 01:16, as in the log of incidents that researchers share.
    rows = [{"number": 1, "opened": "29/2/2016 01:16", "resolved": "29/2/2016 11:29"},
            {"number": 2, "opened": "1/3/2016 09:00", "resolved": "2/3/2016 09:30"}]  # fmt: skip
    history = read(write_csv(tmp_path / "t.csv", rows), zone="Europe/Rome")
    assert history.desk.start.isoformat() == "2016-02-29"
    assert history.log.tickets["resolved_s"].tolist() == [41340.0, 86400 * 2 + 34200.0]


def test_a_clock_of_twelve_hours_with_months_first(tmp_path):
    same(read(write_csv(tmp_path / "t.csv", lines("twelve"))), slack_s=60)


def test_two_orders_of_day_and_month_in_one_table_are_a_fault(tmp_path):
    rows = lines("minutes")
    rows[3]["solved"] = "03/25/2026 10:00"
    with pytest.raises(ScenarioError, match="day and month change places between its rows"):
        read(write_csv(tmp_path / "t.csv", rows))


def test_days_and_months_that_no_row_tells_apart_are_asked_for(tmp_path):
    rows = [{"id": 1, "created": "03/04/2026 10:00"}, {"id": 2, "created": "05/04/2026 10:00"}]
    path = write_csv(tmp_path / "t.csv", rows)
    with pytest.raises(ScenarioError, match='row 1, column "created": "03/04/2026 10:00" may'):
        read(path)
    assert read(path, days_first=True).desk.start.isoformat() == "2026-04-03"
    assert read(path, days_first=False).desk.start.isoformat() == "2026-03-04"


@pytest.mark.parametrize("scale", [1, 1000])
def test_seconds_and_thousandths_since_1970(tmp_path, scale):
    from exports import START

    first = START.timestamp()
    rows = [
        {"id": r["id"], "created": int((first + r["created"]) * scale),
         "solved": r["solved"] and int((first + r["solved"]) * scale)}
        for r in ROWS
    ]  # fmt: skip
    same(read(write_json(tmp_path / "t.json", rows)))


def test_days_as_spreadsheets_count_them(tmp_path):
    serial = 46083.0  # 2 March 2026
    rows = [
        {"id": r["id"], "created": f"{serial + r['created'] / DAY:.10f}",
         "solved": "" if not r["solved"] else f"{serial + r['solved'] / DAY:.10f}"}
        for r in ROWS
    ]  # fmt: skip
    same(read(write_csv(tmp_path / "t.csv", rows)), slack_s=0.51)


def test_times_with_offsets_of_their_own(tmp_path):
    rows = lines("iso")
    for k, row in enumerate(rows):
        if k % 2:
            row["created"] = pd.Timestamp(row["created"]).tz_convert("Asia/Tokyo").isoformat()
    same(read(write_csv(tmp_path / "t.csv", rows)))


def test_a_time_without_an_offset_among_others_is_a_fault_with_its_place(tmp_path):
    rows = lines("iso")
    rows[6]["solved"] = "2026-03-09 10:00:00"
    with pytest.raises(ScenarioError, match=r'row 7, column "solved": .* names no offset'):
        read(write_csv(tmp_path / "t.csv", rows))


@pytest.mark.parametrize("cell", ["tomorrow", "2026-02-30 10:00:00", "45/45/2026", "\x1b[2J"])
def test_a_cell_that_is_no_time_is_a_fault_with_row_and_column(tmp_path, cell):
    rows = lines()
    rows[4]["created"] = cell
    with pytest.raises(ScenarioError, match='row 5, column "created"') as caught:
        read(write_csv(tmp_path / "t.csv", rows))
    assert "\x1b" not in str(caught.value)


def test_words_for_nothing_are_no_times(tmp_path):
    rows = lines()
    for row, word in zip(
        rows, ("-", "N/A", "null", "None", "", "0000-00-00 00:00:00"), strict=False
    ):
        row["solved"] = word
    history = read(write_csv(tmp_path / "t.csv", rows))
    assert history.log.tickets["resolved_s"].isna().sum() == 6 + 8


def test_a_ticket_without_a_creation_is_a_fault_or_left_out(tmp_path):
    rows = lines()
    rows[2]["created"] = ""
    path = write_csv(tmp_path / "t.csv", rows)
    with pytest.raises(ScenarioError, match="row 3 has no moment of creation; leave such rows out"):
        read(path)
    assert len(read(path, skip_bad=True).log.tickets) == 79


@pytest.mark.parametrize(
    ("cell", "column", "unit_s", "seconds"),
    [
        ("1:30", "Talk time", 1.0, 5400), ("1:30", "Talk (mm:ss)", 1.0, 90),
        ("01:02:03", "AHT", 1.0, 3723), ("2 days 3 hours", "x", 1.0, 183_600),
        ("1h 30m", "x", 1.0, 5400), ("90", "x", 60.0, 5400), ("1,5", "x", 60.0, 90),
        ("1,234", "x", 1.0, 1234), ("", "x", 1.0, np.nan), ("-", "x", 1.0, np.nan),
    ],
)  # fmt: skip
def test_lengths_of_time_as_people_write_them(cell, column, unit_s, seconds):
    found = durations(pd.Series([cell], dtype="str"), unit_s, Place("t.csv", column))
    assert found[0] == pytest.approx(seconds, nan_ok=True)


def test_a_cell_that_is_no_length_of_time_is_a_fault_with_row_and_column():
    with pytest.raises(ScenarioError, match='row 2, column "Talk": "soon" is no length of time'):
        durations(pd.Series(["5", "soon"], dtype="str"), 1.0, Place("t.csv", "Talk"))


def test_the_unit_of_a_length_is_in_the_name_of_its_column(tmp_path):
    rows = lines(first=lambda r: (r["replied"] - r["created"]) / HOUR)
    for row in rows:
        row["First response time (hours)"] = f"{row.pop('first'):.6f}"
    path = write_csv(tmp_path / "t.csv", rows)
    columns = {"first_reply_after": "First response time (hours)"}
    history = read(path, columns=columns)
    waits = history.log.tickets["responded_s"] - history.log.tickets["arrived_s"]
    assert waits.to_numpy() == pytest.approx([r["replied"] - r["created"] for r in ROWS], abs=0.01)


def test_blank_assignees_markup_in_subjects_emojis_and_300_categories(tmp_path):
    rows = lines(
        agent=lambda r: "" if r["id"] % 2 else "Ann",
        category=lambda r: f"Kind {r['id'] % 300} 🎉",
        subject=lambda r: '<script>alert(1)</script>\n"quoted", and\nmore lines 😀',
    )
    history = same(read(write_csv(tmp_path / "t.csv", rows), texts=True))
    assert history.log.tickets["category"].nunique() == 80
    assert history.texts["subject"].str.contains("😀").all()
    assert set(history.extra["keys"]["agent"].dropna()) == {"A001"}


def test_cells_behind_the_last_column_and_blank_rows(tmp_path):
    path = write_csv(tmp_path / "t.csv", lines())
    text = path.read_text().splitlines()
    path.write_text("\n".join([text[0], *(f"{line},," for line in text[1:]), ",,,,", ""]))
    same(read(path))


def test_a_row_with_more_cells_than_names_is_a_fault_with_its_row(tmp_path):
    path = write_csv(tmp_path / "t.csv", lines())
    text = path.read_text().splitlines()
    text[9] += ",a, b"
    path.write_text("\n".join(text))
    with pytest.raises(ScenarioError, match="row 9 has 5 cells, the first has 3"):
        read(path)


def call_rows(count=60):
    """Calls of people's own words, as rows of text."""
    rows = ["Ring;Picked up;Hung up;Taken by"]
    for k in range(count):
        day = f"2026-03-{2 + k // 12:02d} {8 + k % 12:02d}"
        rows.append(f"{day}:00:00;{day}:00:{10 + k % 40};{day}:05:00;Ann")
    return rows


def test_rows_of_other_lengths_are_faults_or_are_left_out_and_told(tmp_path):
    rows = call_rows()
    rows[0] = rows[0].replace("Ring", "Arrived")
    rows[7] = rows[7].replace("Ann;", "").rpartition(";")[0]
    rows[20] += ";more"
    # Blanks behind the last cell are of a spreadsheet.
    rows[30] += ";;"
    path = tmp_path / "calls.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"row 7 has 3 cells, the first has 4; .*--skip-bad"):
        read(path)
    history = read(path, skip_bad=True)
    assert len(history.log.tickets) == 58
    (note,) = [one for one in history.notes if one.startswith("Left out as unreadable")]
    assert "2 rows of calls.csv" in note
    assert "row 7, has 3 cells, the first has 4; row 20, has 5 cells" in note


def test_times_that_cannot_be_read_are_left_out_and_told(tmp_path):
    rows = call_rows()
    rows[0] = rows[0].replace("Ring", "Arrived")
    rows[3] = "x"
    rows[5] = rows[5].replace("2026-03-02 12:00:14", "later")
    rows[9] = rows[9].replace("2026-03-02 16:05:00", "12345")
    path = tmp_path / "calls.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(ScenarioError, match="row 3 has 1 cells"):
        read(path)
    rows[3] = call_rows()[3]
    path.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r'row 5, column "Picked up": .*; leave such rows out'):
        read(path)
    rows[3] = "x"
    path.write_text("\n".join(rows), encoding="utf-8")
    found = CliRunner().invoke(
        app, ["import", str(path), "--out", str(tmp_path / "h"), "--skip-bad", "--yes"]
    )
    assert found.exit_code == 0, found.output
    said = " ".join(found.output.split())
    assert "Left out as unreadable, 3 rows of calls.csv: row 3, has 1 cells" in said
    assert 'row 5, column "Picked up": "later" is no time' in said
    assert 'row 9, column "Hung up": "12345"' in said
    assert len(twin.read_history(tmp_path / "h").log.tickets) == 57
    # A column that holds something else is no matter of some rows.
    wrong = [rows[0], *(f"{k} th;{row.partition(';')[2]}" for k, row in enumerate(call_rows(300)))]
    path.write_text("\n".join([wrong[0], *wrong[2:]]), encoding="utf-8")
    with pytest.raises(ScenarioError):
        read(path, skip_bad=True, columns={"queued": "Arrived"})


def test_lengths_that_cannot_be_read_are_left_out_and_told(tmp_path):
    rows = ["Queued at,Waiting time,Talk time,Agent"]
    rows += [f"2026-03-02 {8 + k // 6:02d}:{k % 6}0:00,{k},1:0{k % 6},Ann" for k in range(60)]
    rows[4] = rows[4].replace(",1:0", ",soon")
    rows[9] = rows[9].replace(",8,", ",1e999,")
    path = tmp_path / "calls.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r'"1e999" is no length of time; .*--skip-bad'):
        read(path, tool="calls")
    # Below zero: without --skip-bad they count as over at once.
    rows[12] = rows[12].replace(",11,", ",-11,")
    rows[13] = rows[13].replace(",1:0", ",-1:0")
    path.write_text("\n".join(rows), encoding="utf-8")
    history = read(path, tool="calls", skip_bad=True)
    (note,) = [one for one in history.notes if one.startswith("Left out as unreadable")]
    assert "4 rows of calls.csv" in note
    assert 'row 4, column "Talk time": "soon' in note
    assert 'row 9, column "Waiting time": "1e999" is no length of time' in note
    assert 'row 12, column "Waiting time": "-11" is below zero' in note
    assert 'row 13, column "Talk time": "-1:00" is below zero' in note
    assert len(history.log.tickets) == 56
    # The others are as they would be alone.
    path.write_text("\n".join(r for k, r in enumerate(rows) if k not in (4, 9, 12, 13)))
    alone = read(path, tool="calls", skip_bad=True)
    columns = ["queued_s", "started_s", "ended_s"]
    pd.testing.assert_frame_equal(history.log.visits[columns], alone.log.visits[columns])
    assert not any("Left out" in note for note in alone.notes)


def test_numbers_that_cannot_be_read_are_left_out_and_told(tmp_path):
    rows = ["Ticket,Created,Resolved,Reopens"]
    rows += [f"{k},2026-03-02 09:{k:02d},2026-03-02 10:{k:02d},{k % 2}" for k in range(40)]
    rows[3] = "2,2026-03-02 09:02,2026-03-02 10:02,some"
    rows[5] = "4,2026-03-02 09:04,2026-03-02 10:04,inf"
    rows[7] = "6,2026-03-02 09:06,2026-03-02 10:06,-1"
    path = tmp_path / "tickets.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(ScenarioError, match='"some" is no number; leave such rows out'):
        read(path)
    history = read(path, skip_bad=True)
    (note,) = [one for one in history.notes if one.startswith("Left out as unreadable")]
    assert "3 rows of tickets.csv" in note
    assert '"some" is no number; row 5, column "Reopens": "inf" is no number' in note
    assert 'row 7, column "Reopens": "-1" is below zero' in note
    assert len(history.log.tickets) == 37


def test_calls_and_work_that_end_before_they_begin_are_left_out_and_told(tmp_path):
    rows = call_rows()
    rows[0] = rows[0].replace("Ring", "Arrived")
    rows[6] = rows[6].replace("13:05:00", "12:05:00")
    rows[8] = rows[8].replace("15:00:17", "14:00:17")
    path = tmp_path / "calls.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    kept = read(path)
    assert len(kept.log.tickets) == 60
    assert sum("taken to be so at once" in note for note in kept.notes) == 2
    history = read(path, skip_bad=True)
    assert len(history.log.tickets) == 58
    assert not any("at once" in note for note in history.notes)
    (note,) = [one for one in history.notes if one.startswith("Left out as unreadable")]
    assert "row 6, ended before it came or was answered; row 8, was answered before" in note
    events = ["case,activity,start,end,resource"]
    for k in range(20):
        events += [f"{k},Handle,2026-03-02 09:{k:02d}:00,2026-03-02 09:{k:02d}:30,Ann"]
    events[5] = events[5].replace(":30,Ann", ":00,Ann").replace("09:04:00,2", "09:05:00,2")
    path.write_text("\n".join(events), encoding="utf-8")
    history = read(path, tool="events", skip_bad=True)
    assert any("row 5, ended before it began" in note for note in history.notes)
    assert len(history.log.tickets) == 19


def test_an_export_that_is_not_understood_is_offered_the_likely_options(tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text("\n".join(call_rows()), encoding="utf-8")
    offer = 'it looks like a log of calls: --tool calls --map queued="Ring"'
    with pytest.raises(ScenarioError, match=offer):
        read(path)
    with pytest.raises(ScenarioError, match='perhaps --map queued="Ring"'):
        read(path, tool="calls")
    assert len(read(path, tool="calls", columns={"queued": "Ring"}).log.tickets) == 60
    path.write_text("\n".join(row.partition(";")[0] for row in call_rows()).replace("Ring", "On"))
    with pytest.raises(ScenarioError, match='--tool tickets --map created="On"'):
        read(path)


@pytest.mark.parametrize(("short", "quote"), [(True, ""), (False, '"')])
def test_a_mail_in_a_cell_is_no_fault(tmp_path, short, quote):
    # Python's reader of CSV takes 131,072 letters of a cell, unless told otherwise.
    rows = [f"{k},2026-03-{2 + k:02d} 09:00,2026-03-{2 + k:02d} 12:00,{k}{quote * (k == 3)} of it"
            for k in range(20)]  # fmt: skip
    rows[5] = rows[5].replace("of it", "of it " * 30_000)
    rows[9] += ",," * short
    path = tmp_path / "export.csv"
    path.write_text("\n".join(["id,created,solved,subject", *rows, ""]))
    before = csv.field_size_limit()
    assert len(read(path).log.tickets) == 20
    assert csv.field_size_limit() == before


def test_a_quote_that_is_never_closed_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("twin.history.delimited._LONGEST_ROW", 4096)
    path = write_csv(tmp_path / "t.csv", lines(topic=lambda r: "x" * 100))
    text = path.read_text().splitlines()
    text[5] = text[5].replace(",x", ',"x', 1)
    path.write_text("\n".join(text))
    with pytest.raises(ScenarioError, match=r"cells|never closed|not readable as CSV"):
        read(path)


@pytest.mark.parametrize("sep", [",", ";"])
@pytest.mark.parametrize("quoted", ["one", "all before"])
def test_a_stray_quote_drops_no_rows_in_silence(tmp_path, sep, quoted):
    """All rows up to the next quote would be one cell, and what is left look like a whole file."""
    path = write_csv(tmp_path / "t.csv", lines(), sep=sep)
    text = path.read_text().splitlines()
    if quoted == "all before":
        text[1:5] = [sep.join(f'"{cell}"' for cell in line.split(sep)) for line in text[1:5]]
    head, _, last = text[5].rpartition(sep)
    text[5] = f'{head}{sep}"{last}'
    path.write_text("\n".join(text))
    with pytest.raises(ScenarioError, match=r"row 5 opens a quote that is never closed"):
        read(path)


def test_a_quote_within_a_cell_opens_nothing(tmp_path):
    topics = ['monitor of 24" is dark', "other"]
    path = write_csv(tmp_path / "t.csv", lines())
    text = path.read_text().splitlines()
    text = [f"{text[0]},topic", *(f"{line},{topics[k > 0]}" for k, line in enumerate(text[1:]))]
    path.write_text("\n".join(text))
    history = same(read(path))
    assert topics[0] in set(history.log.tickets["category"].astype(str))


def test_a_log_of_calls_in_the_words_of_people_is_known(tmp_path):
    """In minutes, with commas elsewhere, and nothing named by hand."""
    rows = ["Call no;Topic;Entered queue;Picked up;Hung up;Taken by"]
    for k in range(40):
        day, hour = 2 + k % 5, 9 + k % 8
        rows.append(f"{k};Orders;{day}/3/2026 {hour}:10;{day}/3/2026 {hour}:12;"
                    f"{day}/3/2026 {hour}:{20 + k % 9};agent {k % 3}")  # fmt: skip
    rows.append("40;Orders;19/3/2026 9:10;;19/3/2026 9:13;")
    path = tmp_path / "calls.csv"
    path.write_text("\n".join(rows))
    history = twin.read_history(path, zone="Europe/London")
    assert len(history.log.visits) == 40 + 1
    assert (history.log.tickets["status"] == "Abandoned").sum() == 1
    assert history.log.visits["started_s"].notna().sum() == 40


def test_two_columns_of_one_name_and_names_in_other_cases(tmp_path):
    path = write_csv(tmp_path / "t.csv", lines())
    text = path.read_text().splitlines()
    path.write_text("\n".join(["ID,CREATED AT,Solved At,ID", *(f"{t},9" for t in text[1:])]))
    history = same(read(path))
    assert {o.column for o in history.understood} == {"ID", "CREATED AT", "Solved At", "ID (2)"}


def test_rows_of_one_ticket_again_and_tickets_without_a_number(tmp_path):
    rows = lines()
    rows.append(rows[0] | {"solved": at(ROWS[0]["solved"] + 60, "plain")})
    history = read(write_csv(tmp_path / "t.csv", rows))
    assert len(history.log.tickets) == 80
    assert history.log.tickets["resolved_s"].iloc[0] == ROWS[0]["solved"] + 60
    assert any("the last row of each ticket counts" in note for note in history.notes)
    without = [{k: v for k, v in row.items() if k != "id"} for row in lines()]
    history = same(read(write_csv(tmp_path / "u.csv", without)))
    assert any("each row is taken for one" in note for note in history.notes)


def test_several_files_of_one_desk_are_one_history(tmp_path):
    rows = lines()
    first = write_csv(tmp_path / "a.csv", rows[:40])
    second = write_csv(tmp_path / "b.csv", rows[40:], sep=";")
    same(twin.read_history(first, second, zone="UTC"))


def test_a_table_without_what_is_needed_says_what_it_has(tmp_path):
    rows = [{"a": 1, "b": "x"}]
    with pytest.raises(ScenarioError, match='moment it was filed; name it, as --map created="Its'):
        read(write_csv(tmp_path / "t.csv", rows))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("t.csv", b"", "it is empty"), ("t.csv", b"id,created\n", "holds no rows"),
        ("t.json", b"{", "not valid JSON at line 1"), ("t.json", b"[1, 2]", "holds no objects"),
        ("t.json", b"[" * 100_000, "nested too deeply"),
        ("t.xls", b"\xd0\xcf\x11\xe0" + b"\0" * 50, "save it as .xlsx or CSV"),
        ("t.bin", b"ab\0\0" * 9, "neither CSV, Parquet"),
        ("t.parquet", b"PAR1" + b"x" * 99, "not readable as Parquet"),
        ("t.csv.gz", gzip.compress(b"id,created\n1,2\n" * 9999)[:-20], "packed, and damaged"),
        ("t.sqlite", b"SQLite format 3\0" + b"x" * 99, "no store of the live desk"),
        ("t.xes", b"<log><trace>", "not readable as XES: line 1"),
        ("t.xes", b"<a/>", "it has no <log>"),
    ],
)  # fmt: skip
def test_damaged_and_foreign_files_are_refused_in_words(tmp_path, name, data, words):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ScenarioError, match=words) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_entities_and_packed_bombs_are_refused_before_they_unpack(tmp_path, monkeypatch):
    bomb = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><log>&b;</log>'
    (tmp_path / "t.xes").write_text(bomb)
    with pytest.raises(ScenarioError, match="declares a document type"):
        read(tmp_path / "t.xes")
    for module in (sheet, sheets):
        monkeypatch.setattr(module, "MOST_WHOLE_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", " " * 100_000)
    with pytest.raises(ScenarioError, match="unpacks to more than"):
        read(tmp_path / "t.xlsx")
    text = json.dumps([{"id": k, "created": at(k)} for k in range(9999)]).encode()
    (tmp_path / "t.json.gz").write_bytes(gzip.compress(text))
    with pytest.raises(ScenarioError, match="unpacks to more than is read"):
        read(tmp_path / "t.json.gz")


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "MOST_BYTES", 2000)
    with pytest.raises(ScenarioError, match=r"larger than .* GB; export fewer months"):
        read(write_csv(tmp_path / "t.csv", lines()))


def test_texts_that_nobody_wants_are_never_loaded(tmp_path):
    path = write_csv(tmp_path / "t.csv", lines(description=lambda r: "x" * 20_000))
    (table,) = sheets.read_sheets(path)
    assert set(table.load(["id", "created"])) == {"id", "created"}
    same(read(path))


def test_an_hour_that_comes_twice_is_the_first_one():
    cells = pd.Series(["2026-10-25 02:30:00", "2026-03-29 02:30:00"], dtype="str")
    found, local = times(cells, "Europe/Rome", Place("t.csv", "created"))
    assert local
    assert found.tolist() == [1792888200.0, 1774746000.0]


def test_a_large_column_that_comes_in_pieces_is_read_as_one():
    # As pandas holds the texts of a million rows.
    pieces = pa.chunked_array([["1/2/2026 10:00"], ["25/2/2026 10:00"]], pa.large_string())
    whole = pa.table({"a": pieces}).to_pandas()["a"]
    assert whole.dtype == "str"
    found, _ = times(whole, "UTC", Place("t.csv", "created"), True)
    assert found.tolist() == [1769940000.0, 1772013600.0]
