"""Histories pulled from stand-ins: whole after any kill, read as what the tools export."""

import json
import os
import signal
import sys

import pytest

from tests.help_desks import START, TOKEN, Clock, Faulty, ZendeskStandIn, iso
from tests.test_connect_faults import DAY, MADE, account
from twin.common.errors import DamagedFile, ScenarioError
from twin.live.connectors.choose import source, wire_of
from twin.live.connectors.pulled import Pulled, about_pull, fetch, folder_of, pull


def connected(tool, stand_in, clock):
    found = account(tool)
    return source(found, wire_of(found, Faulty(stand_in), clock.sleep, clock))


def of_disk(folder):
    return Pulled(folder, about_pull("desk", START, False)).exported().kinds


# Steps on the disk by which a process may be told apart before and after.
STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod"}


def killed(folder, tool, at):
    """Pull in a process that kills itself at a step on the disk; its steps where it ends itself."""
    number = os.fork()
    if number:
        status = os.waitpid(number, 0)[1]
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    steps = 0

    def count(event, arguments):
        nonlocal steps
        writes = event != "open" or (isinstance(arguments[2], int) and arguments[2] & os.O_WRONLY)
        if event in STEPS and writes:
            if steps == at:
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1

    sys.addaudithook(count)
    try:
        clock = Clock()
        kept = Pulled(folder, about_pull("desk", START, False))
        with kept.alone():
            fetch(kept, connected(tool, MADE[tool](clock), clock), START)
        os._exit(min(steps, 250))
    except BaseException:
        os._exit(255)


# Of Zendesk, whose pull has more parts, each third step.
@pytest.mark.parametrize(("tool", "every"), [("zendesk", 3), ("jira", 1)])
def test_a_pull_that_is_killed_goes_on_with_nothing_lost_or_doubled(tmp_path, tool, every):
    steps = killed(tmp_path / "whole", tool, None)
    assert 8 < steps < 250
    right = of_disk(tmp_path / "whole")
    assert sum(map(len, right.values())) >= 5
    for at in range(0, steps, every):
        folder = tmp_path / str(at)
        assert killed(folder, tool, at) is None
        assert killed(folder, tool, None) < 250
        assert of_disk(folder) == right
        left = {file.name.partition("-")[0] for file in folder.iterdir()}
        assert left == {"about.json", "lock", "part"}


def test_only_what_is_new_is_pulled_the_next_time(tmp_path):
    clock = Clock()
    stand_in = MADE["zendesk"](clock)
    about, out = about_pull("zendesk:desk.example", START, False), tmp_path / "history"
    first = pull(connected("zendesk", stand_in, clock), about, START, out, "zendesk", "UTC")
    assert len(first.log.tickets) == 5 - 1
    assert first.log.tickets["resolved_s"].notna().all()
    assert first.too_little == ""
    before = stand_in.requests
    files = len(list(folder_of(out).glob("part-*")))
    again = pull(connected("zendesk", stand_in, clock), about, START, out, "zendesk", "UTC")
    assert again.log.tickets.equals(first.log.tickets)
    assert stand_in.requests - before == 2
    number = stand_in.file("I cannot log in", clock() - 500.0)
    stand_in.solve(number, clock() - 100.0)
    stand_in.touch(1, clock() - 90.0, satisfaction_rating={"score": "bad"})
    more = pull(connected("zendesk", stand_in, clock), about, START, out, "zendesk", "UTC")
    assert len(more.log.tickets) == 5
    assert more.log.ratings["rating"].tolist() == [1]
    parts = sorted(folder_of(out).glob("part-*"))[files:]
    items = [item for part in parts for item in json.loads(part.read_text())["items"]]
    assert {item["id"] for item in items if item["kind"] == "tickets"} == {1, number}


def test_exports_keep_to_ten_a_minute_and_hold_back_nothing(tmp_path):
    clock = Clock()
    stand_in = ZendeskStandIn(clock)
    for k in range(60):
        stand_in.file("x", START + 60.0 * k)
    began = clock()
    kept = Pulled(tmp_path / "parts", about_pull("desk", START, False))
    fetch(kept, connected("zendesk", stand_in, clock), START)
    assert set(kept.exported().kinds["tickets"]) == {str(k) for k in range(1, 61)}
    # 20 pages of tickets and 15 of events: six seconds each, and never refused.
    assert clock() - began == pytest.approx(6.0 * (stand_in.requests - 1), abs=0.01)
    assert len(stand_in.exports) <= 10


def test_issues_of_jira_are_read_with_all_their_changes(tmp_path):
    clock = Clock()
    stand_in = MADE["jira"](clock)
    about = about_pull("jira:desk.example", START, False)
    out = tmp_path / "history"
    history = pull(connected("jira", stand_in, clock), about, START, out, "jira", "UTC")
    assert len(history.log.tickets) == 5
    # Eight changes, of which a search shows two.
    timeline = history.log.timeline
    last = timeline[timeline["ticket_id"] == history.log.tickets["ticket_id"].max()]
    assert len(last) == 9
    kept = b"".join(file.read_bytes() for file in folder_of(out).glob("part-*"))
    for word in (b"Bo Agent", b"Dear Ann", b"cannot log in", TOKEN.encode()):
        assert word not in kept


def test_texts_are_kept_only_where_they_are_asked_for(tmp_path):
    clock = Clock()
    stand_in = MADE["zendesk"](clock)
    for texts in (False, True):
        out = tmp_path / str(texts)
        about = about_pull("zendesk:desk.example", START, texts)
        history = pull(connected("zendesk", stand_in, clock), about, START, out, "zendesk", "UTC")
        kept = b"".join(file.read_bytes() for file in folder_of(out).glob("part-*"))
        assert (b"cannot log in" in kept) == texts
        assert bool(len(history.texts)) == texts
        assert all(file.stat().st_mode & 0o077 == 0 for file in folder_of(out).glob("*.json"))


def test_a_folder_of_another_pull_is_refused(tmp_path):
    Pulled(tmp_path, about_pull("zendesk:a.example", START, False))
    with pytest.raises(ScenarioError, match=r"--desk.*another --out"):
        Pulled(tmp_path, about_pull("zendesk:b.example", START, False))
    with pytest.raises(ScenarioError, match=f"--since.*{iso(START)}"):
        Pulled(tmp_path, about_pull("zendesk:a.example", START + DAY, False))


def test_two_pulls_at_once_are_refused(tmp_path):
    one, two = (Pulled(tmp_path, about_pull("desk", START, False)) for _ in range(2))
    with one.alone(), pytest.raises(ScenarioError, match="another pull"), two.alone():
        pass
    with two.alone():
        pass


def test_a_part_that_is_damaged_is_told(tmp_path):
    kept = Pulled(tmp_path, about_pull("desk", START, False))
    kept.keep([{"kind": "tickets", "id": 1}], {"cursor": "x"})
    (tmp_path / "part-00000001.json").write_text("{")
    with pytest.raises(DamagedFile, match=r"part-00000001.*pull again"):
        kept.place()


def test_nothing_to_pull_is_a_named_failure(tmp_path):
    clock = Clock()
    about = about_pull("zendesk:desk.example", START, False)
    desk = connected("zendesk", ZendeskStandIn(clock), clock)
    with pytest.raises(ScenarioError, match="no tickets were created"):
        pull(desk, about, START, tmp_path / "history", "zendesk")


def test_a_history_that_was_not_pulled_is_not_replaced(tmp_path):
    (tmp_path / "history").mkdir()
    about = about_pull("zendesk:desk.example", START, False)
    clock = Clock()
    with pytest.raises(ScenarioError):
        pull(connected("zendesk", MADE["zendesk"](clock), clock), about, START,
             tmp_path / "history", "zendesk")  # fmt: skip
    assert not folder_of(tmp_path / "history").exists()
