"""Single tickets of a run: what is told of each, and the page and command that show it."""

import json
import re
from html import unescape

import pytest
from recorded_models import recorded_desk
from typer.testing import CliRunner

import twin
from twin.cli.app import app
from twin.experiments.single_tickets import read_tickets
from twin.report import single_tickets as page_of


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single")
    desk, _ = recorded_desk(folder)
    done = twin.run(desk, out=folder / "results", keep_logs=True)
    return done.paths[0], done.log("recorded"), folder


def test_a_ticket_has_all_its_rows_its_words_and_its_prompts(saved):
    folder, log, _ = saved
    found = read_tickets(folder)
    assert found.notes == ()
    assert found.whole == len(found.tickets) == len(log.tickets)
    for one, row in zip(found.tickets, log.tickets.itertuples(), strict=True):
        assert one.row["ticket_id"] == row.ticket_id
        assert one.text == log.texts[row.text_id]
        said = log.answers["text"][row.answer_id] if row.answer_id >= 0 else ""
        assert one.answer == said
        for name, rows in one.happened.items():
            table = getattr(log, name)
            assert len(rows) == (table["ticket_id"] == row.ticket_id).sum()
        assert set(one.prompts) == {call["key"] for call in one.happened["calls"]}
        for messages in one.prompts.values():
            assert json.loads(messages[1]["content"])["ticket"] == one.text


def test_tickets_are_chosen_by_number_or_the_first_ones(saved):
    folder = saved[0]
    chosen = read_tickets(folder, numbers=[7, 3, 7]).tickets
    assert [one.row["ticket_id"] for one in chosen] == [3, 7]
    assert [one.row["ticket_id"] for one in read_tickets(folder, most=2).tickets] == [1, 2]
    with pytest.raises(ValueError, match="no ticket 9999"):
        read_tickets(folder, numbers=[9999])
    with pytest.raises(ValueError, match="replication 3"):
        read_tickets(folder, 3)


def test_the_page_tells_moments_in_order_and_shows_no_markup_of_others(saved):
    found = read_tickets(saved[0])
    html = page_of.page(found)
    assert "&lt;b&gt;Do this&lt;/b&gt;" in html
    assert "<b>" not in html
    assert html.count("<details data-outcome") == len(found.tickets)
    for one in found.tickets:
        moments = [moment for moment, _, _ in sorted(page_of._events(one), key=lambda e: e[0])]
        happened = one.happened
        assert len(moments) == sum(map(len, happened.values()))
        went = page_of.outcome(one.row)
        if one.row["status"] == "Resolved":
            assert went == ("solved" if one.row["solved"] else "unsolved")
    keys = {call["key"][:12] for one in found.tickets for call in one.happened["calls"]}
    assert keys <= set(re.findall(r"key (\w{12})", unescape(html)))
    assert "sample 1" in html
    assert "of 5 stars" in html


def test_marks_of_other_raters_stand_beside_the_runs_own(saved):
    done = CliRunner().invoke(app, ["rate", str(saved[0])])
    assert done.exit_code == 0, done.output
    one = next(t for t in read_tickets(saved[0]).tickets if t.answer)
    assert one.marks
    (rater,) = one.marks
    assert f"quality, by {rater}" in page_of.page(read_tickets(saved[0]))


def test_what_is_gone_is_said(saved):
    _, _, folder = saved
    recording = folder / "recording.jsonl"
    kept = recording.read_bytes()
    try:
        recording.write_bytes(kept[: kept.index(b"\n") + 1])
        found = read_tickets(saved[0])
        assert "gone or has changed" in found.notes[0]
        recording.unlink()
        assert sum(len(one.prompts) for one in read_tickets(saved[0]).tickets) == 0
    finally:
        recording.write_bytes(kept)


def test_a_desk_without_texts_has_timelines_all_the_same(tmp_path):
    desk = twin.from_data(
        {
            "name": "bare",
            "horizon": "6h",
            "replications": 1,
            "arrivals": {"rate": "6/h"},
            "agents": {"all": {"heads": 1, "handle_time": "20min"}},
            "customers": {"patience": {"distribution": "constant", "value": "10min"}},
        }
    )
    found = read_tickets(twin.run(desk, out=tmp_path).paths[0])
    assert found.notes == ("Tickets of this run have no texts.",)
    html = page_of.page(found)
    assert {page_of.outcome(one.row) for one in found.tickets} >= {"solved", "abandoned"}
    assert "agents: handle" in html
    assert "waited 10.0 min" in html.replace("\xa0", " ")


def test_the_command_writes_the_page_beside_the_run(saved):
    invoke = CliRunner().invoke
    done = invoke(app, ["view", str(saved[0]), "--ticket", "2"])
    assert done.exit_code == 0, done.output
    assert f"1 of {len(saved[1].tickets)} tickets" in done.output
    assert "<!doctype html>" in (saved[0] / "tickets.html").read_text(encoding="utf-8")
    assert invoke(app, ["view", str(saved[0]), "--ticket", "99999"]).exit_code == 2
    assert invoke(app, ["view", str(saved[2])]).exit_code == 2
