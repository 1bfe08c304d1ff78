"""Tickets and ratings that are sent twice to a live desk count once, whatever its clock does."""

import time
from functools import partial

import pytest

from tests.live_desk import MODEL, THANKS, in_thread, within


def test_the_same_key_files_a_ticket_once(small):
    key = {"Idempotency-Key": "k1"}
    first = small.file("My payment", headers=key).get_json()
    again = small.file("My payment", headers=key).get_json()
    assert again == first
    assert len(small.store.tickets()) == 1
    assert len(small.assistant.asked) == 2
    other = small.file("Another", headers=key)
    assert other.status_code == 409
    assert "Idempotency-Key" in other.get_json()["error"]


def test_the_same_key_while_it_is_being_answered(small):
    key = {"Idempotency-Key": "k1"}
    small.assistant.hold.clear()
    box, thread = in_thread(lambda: small.file(headers=key))
    within(20, lambda: small.assistant.asked)
    answer = small.file(headers=key)
    assert answer.status_code == 409
    assert "Retry-After" in answer.headers
    small.assistant.hold.set()
    thread.join()
    assert box[0].status_code == 200
    assert len(small.store.tickets()) == 1


def test_a_ticket_that_a_dead_desk_left_is_answered_on_retry(small):
    key = {"Idempotency-Key": "k1"}
    values = {
        "key": "client:k1", "received_at": time.time(), "description": "payment",
        "priority": "normal", "model": MODEL, "use_rag": True, **small.store.lease(60),
    }  # fmt: skip
    small.store.receive(values)
    assert small.file("payment", headers=key).status_code == 409
    small.store.claim()
    assert small.file("payment", headers=key).get_json()["category"] == "Payment"


def test_a_clock_that_is_set_back_neither_holds_tickets_nor_makes_times_negative(
    small, monkeypatch
):
    asked = small.assistant
    real, back = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() - back[0])
    key = {"Idempotency-Key": "k1"}
    values = {
        "key": "client:k1", "received_at": real(), "description": "payment",
        "priority": "normal", "model": MODEL, "use_rag": True, **small.store.lease(60),
    }  # fmt: skip
    small.store.receive(values)
    back[0] = 3600.0
    # The desk that held it died, and the clock says that this is an hour ahead.
    small.store.claim()
    said = small.file("payment", headers=key).get_json()
    assert said["status"] == "Waiting for customer"
    assert 0 <= said["latency_s"] < 5
    moments = [change["at"] for change in small.ticket(1)["changes"]]
    assert moments == sorted(moments)

    # Set back in the midst of an answer.
    back[0] = 0.0
    asked.hold.clear()
    box, thread = in_thread(lambda: small.file("login"))
    within(20, lambda: len(asked.asked) == 3)
    time.sleep(0.05)
    back[0] = 3600.0
    asked.hold.set()
    thread.join()
    assert 0.05 <= box[0].get_json()["latency_s"] < 60
    # Newest first: the two calls of the second ticket, then those of the first.
    for row in small.store.calls():
        assert row["asked_at"] <= row["started_at"] <= row["ended_at"]
        assert 0 <= row["latency_s"] < 60
    back[0] = 0.0
    small.file("unsure")
    back[0] = 3600.0
    assert small.change(3, status="In Progress").status_code == 200
    assert small.change(3, status="Resolved", response="Yes.").status_code == 200
    moments = [change["at"] for change in small.ticket(3)["changes"]]
    assert moments == sorted(moments)
    assert small.ticket(3)["responded_at"] >= small.ticket(3)["received_at"]


@pytest.mark.parametrize("set_by", [-3600.0, 3600.0])
def test_a_clock_that_is_set_in_the_midst_of_an_answer_gives_the_ticket_to_nobody_else(
    small, monkeypatch, set_by
):
    key = {"Idempotency-Key": "k1"}
    small.assistant.hold.clear()
    box, thread = in_thread(lambda: small.file("payment", headers=key))
    within(20, lambda: small.assistant.asked)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + set_by)
    small.desk.tidy()
    assert small.file("payment", headers=key).status_code == 409
    assert small.change(1, status="In Progress").status_code == 409
    small.assistant.hold.set()
    thread.join()
    assert box[0].get_json()["status"] == "Waiting for customer"
    assert len(small.assistant.asked) == 2


def test_a_clock_that_is_set_back_between_an_agents_steps_keeps_them_in_order(small, monkeypatch):
    real, back = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() - back[0])
    small.file("unsure")
    steps = [
        {"status": "In Progress"}, {"status": "Categorized", "category": "Payment"},
        {"status": "Reopened"}, {"status": "In Progress"}, {"status": "Resolved", "response": "x"},
    ]  # fmt: skip
    for step in steps:
        back[0] += 3600.0
        assert small.change(1, **step).status_code == 200, step
    shown = small.ticket(1)
    moments = [change["at"] for change in shown["changes"]]
    assert len(moments) == 9
    assert moments == sorted(moments)
    assert shown["received_at"] <= shown["responded_at"] <= shown["resolved_at"] == moments[-1]


def test_the_same_key_counts_feedback_once(small):
    body = {"description": "x", "model": MODEL, "rating": 4, "feedback": ""}
    for _ in range(3):
        answer = small.client.post("/submit_feedback", json=body, headers={"Idempotency-Key": "f1"})
        assert answer.get_json() == THANKS
    assert len(small.store.feedback()) == 1
    changed = small.client.post(
        "/submit_feedback", json=body | {"rating": 1}, headers={"Idempotency-Key": "f1"}
    )
    assert changed.status_code == 409


def test_a_ticket_sent_again_to_a_desk_of_other_rules_is_the_same_ticket(open_desk):
    key = {"Idempotency-Key": "k1"}
    first = open_desk().file("payment", headers=key).get_json()
    later = open_desk(model="llama-3.1-8b-instant", retrieval=False)
    assert later.file("payment", headers=key).get_json() == first
    assert not later.assistants
    for other in ({"model": "gemma-7b-it"}, {"use_rag": False}, {"priority": "low"}):
        assert later.file("payment", headers=key, **other).status_code == 409
    assert later.file("payment", headers=key, model=MODEL, use_rag=True).get_json() == first


def test_a_key_of_feedback_counts_for_the_same_ticket_only(small):
    for _ in range(2):
        small.file("login")
    body = {"description": "login", "rating": 4}
    post = partial(small.client.post, "/submit_feedback")
    key = {"Idempotency-Key": "f1"}
    assert post(json=body | {"ticket_id": 1}, headers=key).status_code == 200
    assert post(json=body | {"ticket_id": 1}, headers=key).status_code == 200
    for other in (
        {"ticket_id": 2},
        {"ticket_id": 1, "feedback": "x"},
        {"ticket_id": 1, "model": "x"},
    ):
        assert post(json=body | other, headers=key).status_code == 409
    assert [row["ticket_id"] for row in small.store.feedback()] == [1]


def test_feedback_that_is_sent_again_counts_once_though_its_words_lead_to_a_newer_ticket(small):
    small.file("login")
    body = {"description": "login", "rating": 4}
    key = {"Idempotency-Key": "f1"}
    post = partial(small.client.post, "/submit_feedback", json=body, headers=key)
    assert post().status_code == 200
    small.file("login", model="gemma-7b-it")
    assert post().status_code == 200
    assert [row["ticket_id"] for row in small.store.feedback()] == [1]
