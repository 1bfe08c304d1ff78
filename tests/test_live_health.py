"""A live desk's words about itself, and its own rounds, also when its store is gone."""

import shutil
import threading
import time

import pytest

from tests.live_desk import CATEGORIES, MODEL, within
from twin.live import server
from twin.live.database import StoreError


def test_health_says_who_answers(small):
    said = small.client.get("/health").get_json()
    assert said["status"] == "ok"
    assert said["backend"] == "embedded"
    assert "No key is in use" in said["note"]


def test_health_says_when_the_store_is_gone(small, monkeypatch):
    monkeypatch.setattr(small.store, "ping", lambda: (_ for _ in ()).throw(StoreError("gone")))
    answer = small.client.get("/health")
    assert answer.status_code == 503
    assert "error" in answer.get_json()


def test_models_and_desk(small):
    said = small.client.get("/models").get_json()
    assert said["default"] == MODEL
    assert {"gemma-7b-it", "llama3-8b-8192", MODEL} <= {m["name"] for m in said["models"]}
    about = small.client.get("/desk").get_json()
    assert about["categories"] == list(CATEGORIES)
    assert about["transitions"]["Closed"] == []


def test_a_fault_of_ours_is_told_without_a_word_of_the_customer(small, monkeypatch, caplog):
    words = "I cannot log in, code 4711"

    def broken(*_):
        raise LookupError(words)

    monkeypatch.setattr(small.desk, "process", broken)
    answer = small.file(words)
    assert answer.status_code == 500
    assert set(answer.get_json()) == {"error"}
    assert "LookupError" in caplog.text
    assert "4711" not in caplog.text


def test_a_full_disk_is_told_and_changes_nothing(small):
    small.file()
    with small.store.database.reading() as connection:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    small.store.database._engine.dispose()
    from sqlalchemy import event

    def limit(connection, _):
        connection.execute(f"PRAGMA max_page_count={used}")

    event.listen(small.store.database._engine, "connect", limit)
    body = {"description": "x" * 8000, "model": MODEL, "rating": 5, "feedback": "y" * 8000}
    answers = [small.client.post("/submit_feedback", json=body) for _ in range(3)]
    assert answers[-1].status_code == 507
    assert answers[-1].is_json
    kept = sum(answer.status_code == 200 for answer in answers)
    assert len(small.store.feedback()) == kept
    filed = len(small.store.tickets())
    assert small.file("z" * 8000).status_code == 507
    assert len(small.store.tickets()) == filed


def test_a_store_whose_file_is_taken_away_acknowledges_nothing_until_it_is_back(small, tmp_path):
    small.file()
    path, away = tmp_path / "desk.sqlite", tmp_path / "away.sqlite"
    body = {"description": "x", "rating": 5}
    asks = [
        lambda: small.client.get("/health"), lambda: small.client.get("/tickets"), small.file,
        lambda: small.client.post("/submit_feedback", json=body),
        lambda: small.change(1, status="Reopened"),
    ]  # fmt: skip

    def refused():
        for ask in asks:
            answer = ask()
            assert answer.status_code == 503
            assert set(answer.get_json()) == {"error"}

    path.rename(away)
    refused()
    # No empty store takes its place, and another one is not taken for it.
    assert not path.exists()
    shutil.copy(away, path)
    refused()
    path.unlink()
    tmp_path.joinpath("desk.sqlite").mkdir()
    refused()
    path.rmdir()
    away.rename(path)
    assert [ask().status_code for ask in asks] == [200] * len(asks)
    assert (len(small.store.tickets()), len(small.store.feedback())) == (2, 1)


def test_a_file_that_goes_in_the_midst_of_a_change_is_not_acknowledged(small, tmp_path):
    def change():
        with small.store.database.writing() as connection:
            connection.exec_driver_sql("UPDATE schema_version SET version = version")
            (tmp_path / "desk.sqlite").rename(tmp_path / "away.sqlite")

    with pytest.raises(StoreError, match="removed"):
        change()


def test_a_round_of_tidying_that_fails_is_not_the_last(small, monkeypatch, caplog):
    rounds = []

    def fail():
        rounds.append(1)
        raise [StoreError("gone"), KeyError("words of a customer")][len(rounds) % 2]

    monkeypatch.setattr(small.desk, "tidy", fail)
    monkeypatch.setattr(server, "_TIDY_S", 0.01)
    stop = threading.Event()
    thread = threading.Thread(target=server._tidy, args=(small.desk, stop))
    thread.start()
    within(20, lambda: len(rounds) > 4)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert "KeyError" in caplog.text
    assert "words" not in caplog.text


def test_a_stuck_ticket_goes_to_agents_and_a_resolved_one_closes(small):
    small.file()
    now = time.time()
    values = {
        "key": None, "received_at": now, "description": "stuck", "priority": "normal",
        "model": MODEL, "use_rag": True, "held_until": now - 1,
    }  # fmt: skip
    small.store.receive(values)
    small.desk.tidy()
    assert small.path(2) == ["Open", "Escalated"]
    assert small.ticket(1)["status"] == "Waiting for customer"
    small.store.tidy(now + 10 * 86400, small.scenario.customers.close_after)
    assert small.path(1)[-2:] == ["Resolved", "Closed"]
