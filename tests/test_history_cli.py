"""`twin import`: what it prints, keeps and asks."""

import json

import pytest
from exports import at, desk, write_csv

import twin
from twin.cli import histories
from twin.cli.app import app
from twin.history.gathered import Understood


def lines(**more):
    return [
        {"Ticket": r["id"], "Opened on": at(r["created"], "plain"),
         "Resolved on": at(r["solved"], "plain"), "Subject": "\x1b[31mhelp", "Caller": "Jo",
         "Odd \x1b]0;title\x07": "x"} | more
        for r in desk()
    ]  # fmt: skip


def run(*words):
    with pytest.raises(SystemExit) as ended:
        app(["import", *map(str, words)], prog_name="twin")
    return ended.value.code


def test_it_prints_columns_what_was_left_out_traps_and_the_next_step(tmp_path, capsys):
    path = write_csv(tmp_path / "t.csv", lines())
    assert run(path, "--out", tmp_path / "h", "--yes") == 0
    out, err = capsys.readouterr()
    assert "read as a table of tickets: 60 tickets in" in out
    assert "Opened on    created: moment it was filed" in out
    assert "left out (of a customer: not kept): Caller" in out
    assert "left out (texts: kept with --texts): Subject" in out
    assert "not known: " in out
    assert "look out, " in err
    assert f"next: twin report {tmp_path / 'h'}" in out
    assert "\x1b" not in out + err
    assert (tmp_path / "h" / "mapping.toml").read_text().count("Opened on") == 1


def test_it_replaces_a_history_only_where_told_and_reads_by_its_mapping(tmp_path, capsys):
    path = write_csv(tmp_path / "t.csv", [
        {"n": r["id"], "a": at(r["created"], "plain"), "s": "Parked"} for r in desk()
    ])  # fmt: skip
    out = tmp_path / "h"
    words = (path, "--out", out, "--yes")
    assert run(*words) == 2
    assert "no column is understood as moment it was filed" in capsys.readouterr().err
    assert not out.exists()
    given = ("--map", "created=a", "--map", "status=s", "--status", "Parked=On hold")
    assert run(*words, *given, "--zone", "Asia/Tokyo") == 0
    assert run(*words) == 2
    assert "replace it with --replace" in capsys.readouterr().err
    assert run(*words, "--replace") == 0
    history = twin.read_history(out)
    assert history.desk.time_zone == "Asia/Tokyo"
    assert set(history.extra["keys"]["status"]) == {"Parked"}


def test_it_tells_programs_in_json(tmp_path, capsys):
    path = write_csv(tmp_path / "t.csv", lines())
    assert run(path, "--out", tmp_path / "h", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tickets"] == 60
    assert {"column": "Ticket", "field": "id", "how": "guessed by its name"} in told["columns"]
    assert "staffing" in told["not_known"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--map", "created"), "--map: give it as NAME=VALUE"),
        (("--map", "craeted=a"), 'no field "craeted"'),
        (("--status", "x=Parked"), "no status of the twin"),
        (("--zone", "Mars/Base"), 'no time zone "Mars/Base"'),
        (("--tool", "zendsk"), 'did you mean "zendesk"'),
        (("--since", "soon"), "--since"),
        (("--since", "2030-01-01"), "no ticket lies in that time"),
        (("--mapping", "none.toml"), "no mapping"),
    ],
)
def test_slips_are_told_in_a_line_and_nothing_is_written(tmp_path, capsys, words, said):
    path = write_csv(tmp_path / "t.csv", lines())
    assert run(path, "--out", tmp_path / "h", *words) == 2
    assert said in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["t.csv"]


def test_a_wizard_asks_until_the_guesses_are_right(monkeypatch, capsys):
    rows = [Understood("t", "Opened on", "created", "guessed by its name"),
            Understood("t", "Due", "", "not known")]  # fmt: skip
    said = iter(["created = due", "nonsense", "solved = nowhere", "solved=", ""])
    monkeypatch.setattr(histories.typer, "prompt", lambda *_, **__: next(said))
    assert histories._ask(rows, ("Opened on", "Due")) == {"created": "Due", "solved": ""}
    out = capsys.readouterr().out
    assert "created: moment it was filed" in out
    assert "fields: id, created" in out
    assert "columns: Opened on, Due" in out
    assert "solved: left out" in out


def test_the_wizard_s_answers_count(tmp_path):
    path = write_csv(tmp_path / "t.csv", [
        {"id": r["id"], "created": at(r["created"]), "started": at(r["created"] - 60)}
        for r in desk()
    ])  # fmt: skip
    asked = []

    def confirm(rows, names):
        asked.append(({one.column for one in rows}, names))
        return {"created": "started"}

    history = twin.read_history(path, zone="UTC", confirm=confirm)
    assert asked == [({"id", "created", "started"}, ("id", "created", "started"))]
    first = desk()[0]["created"]
    assert history.log.tickets["arrived_s"].iloc[0] == pytest.approx(first - 60)
    assert history.mapping["columns"]["created"] == "started"
