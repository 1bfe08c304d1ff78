"""Nothing acknowledged is lost, though the server is killed outright in the midst of it."""

import threading
import time
from http.client import HTTPException

import pytest

from tests.live_crowd import Crowd, faults, trouble
from tests.live_desk import Small
from tests.live_server import served, submit_all
from twin.live.store import Store

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]


def kept(database):
    store = Store(database)
    found = [row["feedback"] for row in store.feedback()]
    store.close()
    return found


def check(folder, database, total, writers, kills):
    with served(folder, database) as server:
        acknowledged, retries = submit_all(server, total, writers, kills)
        assert server.ask("GET", "/health")[0] == 200
        assert server.stop() == 0
    assert len(acknowledged) == total
    assert sorted(kept(database), key=int) == [str(k) for k in range(total)]
    assert retries >= kills
    return retries


def test_feedback_survives_kills(tmp_path):
    check(tmp_path, str(tmp_path / "desk.sqlite"), total=400, writers=16, kills=1)


@pytest.mark.slow
def test_ten_thousand_submissions_survive_five_kills(tmp_path):
    check(tmp_path, str(tmp_path / "desk.sqlite"), total=10_000, writers=16, kills=5)


def test_a_ticket_cut_off_by_a_kill_is_answered_when_sent_again(tmp_path):
    database = str(tmp_path / "desk.sqlite")
    texts = [f"My card was declined, order {k}" for k in range(60)]
    with served(tmp_path, database) as server:
        answered = {}

        def write(part):
            for k in range(part, len(texts), 4):
                while k not in answered:
                    try:
                        status, said = server.ask(
                            "POST", "/process_ticket", {"description": texts[k]},
                            {"Idempotency-Key": f"ticket-{k}"},
                        )  # fmt: skip
                        if status == 200:
                            answered[k] = said
                    # Killed before its answer, or within it.
                    except (OSError, HTTPException):
                        time.sleep(0.05)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        while len(answered) < 20:
            time.sleep(0.002)
        server.kill()
        server.start()
        for thread in threads:
            thread.join()
        assert server.stop() == 0
    store = Store(database)
    rows = store.tickets()
    assert sorted(row["description"] for row in rows) == sorted(texts)
    assert all(row["status"] in ("Waiting for customer", "Escalated") for row in rows)
    for k, said in answered.items():
        row = store.ticket(said["ticket_id"])
        assert (row["description"], row["category"]) == (texts[k], said["category"])
    store.close()


def check_history(folder, database, **how):
    crowd, asked = trouble(folder, database, **how)
    store = Store(database)
    try:
        assert faults(store, crowd, asked) == []
        total = how["total"]
        assert len(store.tickets()) == len(store.feedback()) == len(crowd.ratings) == total
        # All of it happened: answers by the assistant and by hand, hand-backs, lost requests.
        changes = [status for made in crowd.changes.values() for status in made]
        assert {"In Progress", "Resolved", "Reopened", "Categorized"} <= set(changes)
        assert ["Resolved"] in crowd.changes.values()
        assert crowd.retries >= how["kills"]
    finally:
        store.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (None, None),
        ("UPDATE changes SET status = 'Closed' WHERE ticket_id = 1 AND status = 'In Progress'",
         "follows"),
        ("UPDATE tickets SET status = 'Open' WHERE id = 1", "is Open, its last change"),
        ("UPDATE changes SET at = at - 9 WHERE id = 3", "times go back"),
        ("UPDATE tickets SET held_by = 'x' WHERE id = 1", "is held"),
        ("UPDATE tickets SET response = 'x' WHERE id = 1", "another answer"),
        ("UPDATE messages SET text = 'x' WHERE ticket_id = 1", "its thread ends with"),
        ("INSERT INTO messages (ticket_id, at, by, text) SELECT 1, at, by, text FROM messages",
         "is there twice"),
        ("UPDATE tickets SET description = 'first' WHERE id = 2", "first: 2 tickets"),
        ("UPDATE tickets SET description = 'gone' WHERE id = 1", "first: acknowledged and lost"),
        ("UPDATE feedback SET feedback = 'gone'", "rating of first: 0 times"),
        ("DELETE FROM changes WHERE ticket_id = 2 AND by = 'agent'", "acknowledged"),
        ("INSERT INTO calls SELECT 99, ticket_id, step, backend, model, prompt_version, asked_at, "
         "started_at, ended_at, latency_s, prompt_tokens, completion_tokens, max_tokens, articles, "
         "outcome, category, confidence FROM calls WHERE id = 1", "categorize is paid for 2 times"),
        ("UPDATE calls SET ended_at = ended_at - 9 WHERE step = 'respond'", "respond was asked"),
    ],
)  # fmt: skip
def test_the_check_of_a_history_sees_what_is_wrong(tmp_path, damage, words):
    small = Small(tmp_path)
    crowd = Crowd([], 0)
    asked = []
    for text in ("first", "unsure second"):
        crowd.answers[text] = small.file(text).get_json()
        asked += [(time.time() - 4.5, "respond", text)]
    assert small.change(2, status="In Progress").status_code == 200
    crowd.changes = {1: [], 2: ["In Progress"]}
    body = {"description": "first", "rating": 4, "feedback": "first"}
    assert small.client.post("/submit_feedback", json=body).status_code == 200
    crowd.ratings = ["first"]
    if damage is not None:
        with small.store.database.writing() as connection:
            connection.exec_driver_sql(damage)
    found = faults(small.store, crowd, asked)
    assert (found == []) == (damage is None), found
    assert damage is None or any(words in fault for fault in found), found
    small.store.close()


def test_a_history_without_a_fault_though_the_desk_is_killed(tmp_path):
    check_history(
        tmp_path, str(tmp_path / "desk.sqlite"), desks=1, total=30, members=6, kills=2
    )  # fmt: skip


@pytest.mark.slow
def test_a_long_history_without_a_fault_though_the_desk_is_killed(tmp_path):
    check_history(
        tmp_path, str(tmp_path / "desk.sqlite"), desks=1, total=600, members=16, kills=12
    )  # fmt: skip
