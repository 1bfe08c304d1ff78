"""Nothing acknowledged is lost, though the server is killed outright in the midst of it."""

import threading
import time

import pytest

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
                    except OSError:
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
    assert all(row["status"] in ("Resolved", "Escalated") for row in rows)
    for k, said in answered.items():
        row = store.ticket(said["ticket_id"])
        assert (row["description"], row["category"]) == (texts[k], said["category"])
    store.close()
