"""`twin import`: what it prints, keeps and asks."""

import json
from pathlib import Path

import pytest
from exports import at, desk, write_csv

import twin
from twin.cli import histories
from twin.cli.app import app
from twin.history.gathered import Understood
from twin.scenario.file import starter


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
    # A row a ticket tells no statuses and no work: that is said here, not after the next command.
    assert "not yet for twin calibrate: it tells neither when agents worked" in out
    assert "\x1b" not in out + err
    assert (tmp_path / "h" / "mapping.toml").read_text().count("Opened on") == 1


def test_what_is_to_be_added_is_said_with_the_file_as_it_is_found_from_here(tmp_path, capsys):
    """Both what the desk has not set and what an export cannot tell."""
    calls = starter() / "example-export" / "calls.csv"
    assert run(calls, "--out", tmp_path / "h", "--yes") == 0
    out = capsys.readouterr().out
    desk_file = tmp_path / "h" / "desk.toml"
    assert f"; set targets.first_response in {desk_file}\n" in out
    assert f"(give shifts of [agents.NAME] in {desk_file})" in out
    assert out.count("desk.toml") == out.count(str(desk_file))


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


ADDED = """
[targets.first_response]
normal = "8h"

[agents.Front-desk]
shifts = [{ start = "09:00", end = "17:00", heads = 2 }]
cost = 30

[agents.Front-desk.handle_time]
distribution = "exponential"
mean = "4min"
"""


def grouped(path, *groups):
    rows = [one | {"Group": groups[k % len(groups)]} for k, one in enumerate(lines())]
    return write_csv(path, rows)


def with_added(folder, text=ADDED):
    """The desk of a history as a person changes it: heads give way to shifts."""
    desk_file = folder / "desk.toml"
    now = desk_file.read_text()
    head, _, rest = now.partition("[agents.Front-desk]\n")
    # Its own two tables are those that the person gives.
    rest = rest.partition("[agents.Back]")[2]
    desk_file.write_text(f"{head}[agents.Back]{rest}\n{text}")


@pytest.mark.parametrize("older", [False, True])
def test_what_a_person_gave_stays_where_a_history_is_imported_again(tmp_path, capsys, older):
    path, out = grouped(tmp_path / "t.csv", "Front desk", "Back"), tmp_path / "h"
    words = (path, "--out", out, "--yes", "--zone", "UTC", "--replace")
    assert run(*words) == 0
    with_added(out)
    if older:
        # Written before the manifest held the desk.
        told = json.loads((out / "history.json").read_text())
        del told["desk"], told["checksum"]
        (out / "history.json").write_text(json.dumps(told))
    before = twin.read_history(out)
    capsys.readouterr()
    for _ in range(2):
        assert run(*words, "--since", "2026-03-03") == 0
        out_text, err = capsys.readouterr()
        said = " ".join(err.split())
        assert "note: Kept from desk.toml, as you gave it there: " in said
        kept = ["targets", "agents.Front-desk.shifts", "agents.Front-desk.cost"]
        assert all(key in said for key in [*kept, "agents.Front-desk.handle_time"])
        assert "agents.Back" not in said
        # Heads are told, so what rests on them is known.
        assert "how many agents were on shift" not in out_text
        after = twin.read_history(out)
        assert after.desk.targets == before.desk.targets
        pool = after.desk.agents["Front-desk"]
        assert pool.shifts == before.desk.agents["Front-desk"].shifts
        assert pool.cost == before.desk.agents["Front-desk"].cost
        assert str(after.desk.start) == "2026-03-03"
        assert after.desk.agents["Back"].heads == 0
    # What is taken out again is gone.
    text = (out / "desk.toml").read_text()
    assert "cost = 30.0\n" in text
    (out / "desk.toml").write_text(text.replace("cost = 30.0\n", ""))
    assert run(*words) == 0
    assert twin.read_history(out).desk.agents["Front-desk"].cost is None


def test_what_a_person_gave_is_refused_where_it_does_not_fit_and_nothing_is_lost(tmp_path, capsys):
    path, out = grouped(tmp_path / "t.csv", "Front desk", "Back"), tmp_path / "h"
    words = ("--out", out, "--yes", "--zone", "UTC", "--replace")
    assert run(path, *words) == 0
    with_added(out)
    wanted = (out / "desk.toml").read_bytes()
    other = grouped(tmp_path / "u.csv", "Second line", "Back")
    assert run(other, *words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "agents.Front-desk.shifts: was given there, and the new export has no such" in said
    assert "import into another folder with --out" in said
    assert (out / "desk.toml").read_bytes() == wanted
    # A file of the folder goes with it.
    roster = ADDED.replace("shifts = [{ start", 'roster = "r.csv" #')
    (out / "r.csv").write_text("date,start,end,heads\n2026-03-02,09:00,17:00,2\n")
    (out / "desk.toml").write_bytes(wanted.replace(ADDED.encode(), roster.encode()))
    assert run(path, *words) == 2
    assert "names a file of the folder that is replaced" in capsys.readouterr().err
    assert (out / "r.csv").exists()
    (out / "desk.toml").write_text("name = ")
    assert run(path, *words) == 2
    assert "so what you gave in it would be lost" in " ".join(capsys.readouterr().err.split())
    (out / "desk.toml").unlink()
    assert run(path, *words) == 0
    assert "Kept" not in capsys.readouterr().err


@pytest.mark.parametrize("place", ["file", "file/below"])
@pytest.mark.parametrize("command", ["run", "import", "report"])
def test_a_file_where_a_folder_is_to_be_made_is_named(tmp_path, capsys, command, place):
    """An error says where and what to do, not only the words of the operating system."""
    blocked = tmp_path / "file"
    blocked.write_text("kept")
    to = tmp_path / place / "page.html" if command == "report" else tmp_path / place
    export, history = write_csv(tmp_path / "t.csv", lines()), tmp_path / "h"
    if command == "report":
        assert run(export, "--out", history, "--yes") == 0
    capsys.readouterr()
    of = {"run": [starter() / "phone-desk.toml", "--replications", "1"],
          "import": [export, "--yes"], "report": [history]}  # fmt: skip
    code, said = ended(capsys, command, *of[command], "--out", to)
    if (command, place) == ("import", "file"):
        assert code == 2
        assert said.endswith("is there already, and is no history; name a new folder\n")
    else:
        assert code == 1
        assert said.endswith(f"{to} cannot be written: {blocked} is a file, and a folder is needed "
                             "there; name another place with --out\n")  # fmt: skip
    assert blocked.read_text() == "kept"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a place where nothing can be made")
@pytest.mark.parametrize("command", ["run", "import"])
def test_a_place_where_nothing_can_be_made_is_named(tmp_path, capsys, command):
    of = {"run": [starter() / "phone-desk.toml", "--replications", "1"],
          "import": [write_csv(tmp_path / "t.csv", lines()), "--yes"]}  # fmt: skip
    code, said = ended(capsys, command, *of[command], "--out", "/proc/x")
    assert code == 1
    assert said.endswith("/proc/x cannot be written: nothing can be made in /proc; name another "
                         "place with --out\n")  # fmt: skip


def test_a_report_goes_to_a_file_and_not_over_a_folder(tmp_path, capsys):
    code, said = ended(capsys, "report", "anything", "--out", tmp_path)
    assert (code, said) == (2, f"{tmp_path} is a folder: name a file with --out, as "
                               f"{tmp_path / 'report.html'}\n")  # fmt: skip


def ended(capsys, *words):
    """Exit code of a command, and what it said of its fault, on one line."""
    with pytest.raises(SystemExit) as end:
        app([*map(str, words)], prog_name="twin")
    return end.value.code, capsys.readouterr().err
