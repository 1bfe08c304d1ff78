"""Tables that the twin writes are harmless in a spreadsheet, and come back as they were."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest
from exports import HOUR, at, write_csv
from hypothesis import given
from hypothesis import strategies as st

import twin
from twin.common.formulas import guarded, harmless, unguarded
from twin.common.tables import read_table
from twin.history.calibrated import Calibration
from twin.history.calibrated_file import write_calibrated
from twin.history.corpus_folder import open_corpus, write_corpus
from twin.history.found_sections import trace
from twin.history.own_corpus import own_corpus
from twin.history.told import Told
from twin.records.export import write_csv as write_event_csv

HOSTILE = '=HYPERLINK("http://x";A1)'
SIGNS = "=+-@＝＋－＠"
WORDS = ["invoice", "parcel", "password", "refund", "courier", "update", "phone", "mail", "card",
         "window", "garden", "engine", "ticket", "holiday", "printer", "account"]  # fmt: skip
CELLS = st.text(st.sampled_from("=+-@'\"; \t\r\na1.＝"), max_size=12)


def dangerous(text):
    """Cells of a CSV that a spreadsheet would calculate, whatever sign parts its cells."""
    found = []
    for sign in (",", ";", "\t"):
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign):
            for cell in row:
                inner = cell.lstrip(" \t\r\n\"'")
                # An apostrophe before the sign makes it a text.
                guard = cell[: len(cell) - len(inner)].endswith("'")
                # Numbers, and several of them where another sign parts cells.
                number = re.fullmatch(r"-?[\d.]+([,;\t]-?[\d.]+)*", cell)
                if inner[:1] in set(SIGNS) and not guard and not number:
                    found.append(cell)
    return found


@given(CELLS)
def test_a_cell_comes_back_as_it_was_and_is_no_formula(cell):
    assert unguarded(guarded(cell)) == cell
    if guarded(cell) != cell:
        assert not dangerous(pd.DataFrame({"a": [guarded(cell)]}).to_csv(index=False))


@pytest.mark.parametrize("cell", [f"{sign}1+1" for sign in SIGNS] + [
    "\t=1", "a;=1+cmd", "a\n@x", ' "=1"', "'=1",
])  # fmt: skip
def test_what_a_spreadsheet_would_calculate_is_guarded(cell, tmp_path):
    assert guarded(cell) != cell
    numbers, texts = [1.0, 2.0, 3.0, 4.0], [cell, "plain", "-5", "don't"]
    frame = pd.DataFrame({"n": numbers, "text": texts})
    frame.to_csv(tmp_path / "raw.csv", index=False)
    harmless(frame).to_csv(tmp_path / "t.csv", index=False)
    if cell != "'=1":
        assert dangerous((tmp_path / "raw.csv").read_text(encoding="utf-8"))
    assert not dangerous((tmp_path / "t.csv").read_text(encoding="utf-8"))
    table = read_table(tmp_path / "t.csv", ["text", "n"])
    assert table.texts("text") == frame["text"].tolist()
    assert table.texts("n")[0] == "1.0"
    # What is given is left as it is.
    assert frame["text"][0] == cell


def test_a_desk_calibrated_to_a_hostile_export_is_harmless_and_the_same(tmp_path):
    rows = ["call,queued,answered,ended,agent,category"]
    for k in range(400):
        start = (k // 40) * 24 * HOUR + 9 * HOUR + (k % 40) * 200
        name = (HOSTILE, "Bills", "@sum")[k % 3].replace('"', '""')
        rows.append(f'{k},{at(start)},{at(start + 5)},{at(start + 150)},=agent{k % 2},"{name}"')
    (tmp_path / "calls.csv").write_text("\n".join(rows), encoding="utf-8")
    history = twin.read_history(tmp_path / "calls.csv", zone="UTC", keep_names=True)
    table = trace(history.log, Told.of(history.log))
    assert HOSTILE in set(table["category"])
    data = {
        "name": "desk", "question": "Is it harmless?", "start": "2026-03-02", "horizon": "10d",
        "arrivals": {"kind": "trace", "trace": "arrivals.csv"},
        "agents": {"agents": {"heads": 1, "handle_time": "1min",
                              "handle_times": {HOSTILE: "2min"}}},
    }  # fmt: skip
    found = Calibration(data, data, {"arrivals.csv": table}, (), (history.desk.start,), ())
    write_calibrated(found, history, tmp_path / "desk.toml")
    text = (tmp_path / "desk-data" / "arrivals.csv").read_text(encoding="utf-8")
    assert "'=HYPERLINK" in text
    assert not dangerous(text)
    drawn = twin.draw(twin.load(tmp_path / "desk.toml"))
    assert set(drawn.categories) == {HOSTILE, "Bills", "@sum"}


def test_an_event_log_is_harmless_and_read_back_with_the_same_names(tmp_path):
    desk = twin.from_data({
        "horizon": "1h", "start": "2026-03-02", "time_zone": "UTC", "arrivals": {"rate": "60/h"},
        "agents": {"all": {"heads": 2, "handle_time": "1min", }},
    })  # fmt: skip
    log = twin.simulate(desk, twin.draw(desk), None)
    log.visits["pool"], log.visits["agent"] = "@all", float("nan")
    with (tmp_path / "log.csv").open("w", newline="") as out:
        write_event_csv(log, desk, out)
    text = (tmp_path / "log.csv").read_text()
    assert "'@all" in text
    assert not dangerous(text)
    history = twin.read_history(tmp_path / "log.csv", zone="UTC", keep_names=True)
    assert history.extra["spells"]["agent"].dropna().str.startswith("@all").all()


def test_a_corpus_of_hostile_texts_is_harmless_and_the_same(tmp_path):
    luck = np.random.default_rng(1)
    words = [f"=cmd {' '.join(luck.permutation(WORDS)[:6])}" for _ in range(120)]
    rows = [
        {"id": k + 1, "created": at(3600.0 * k), "solved": at(3600.0 * k + 60),
         "type": ("=A", "B")[k % 2], "subject": said, "description": "+1"}
        for k, said in enumerate(words)
    ]  # fmt: skip
    history = twin.read_history(write_csv(tmp_path / "t.csv", rows), zone="UTC", texts=True)
    found = own_corpus(history, floor=20)
    assert found.tickets["text"].str.startswith("=").all()
    folder = write_corpus(found, None, tmp_path / "corpus")
    for name in ("tickets.csv", "categories.csv"):
        text = (tmp_path / "corpus" / name).read_text(encoding="utf-8")
        assert "'=" in text
        assert not dangerous(text)
    assert set(folder.categories()["category"]) == set(found.categories["category"])
    read = read_table(tmp_path / "corpus" / "tickets.csv", ["text", "category"])
    assert read.texts("text") == found.tickets["text"].tolist()
    assert open_corpus(tmp_path / "corpus").categories()["category"].isin(["=A", "B"]).all()
