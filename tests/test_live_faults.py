"""Faults of the provider at a live desk: agents get the ticket, and nobody waits for long."""

import logging

import pytest

from tests.live_desk import MODEL, in_thread, within
from twin.assistant.errors import ModelRetired, WrongKey
from twin.assistant.protocol import (
    BAD_ANSWER,
    OUTAGE,
    RATE_LIMITED,
    REFUSED,
    SERVER_ERROR,
    TIMEOUT,
)
from twin.live.api import Settings
from twin.live.desk import FAILED


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (RATE_LIMITED, 503), (OUTAGE, 503), (TIMEOUT, 504),
        (SERVER_ERROR, 502), (REFUSED, 502), (BAD_ANSWER, 502),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", ["categorize", "respond"])
def test_a_failed_call_leaves_the_ticket_with_agents(small, step, outcome, status):
    small.assistant.outcomes[step] = outcome
    answer = small.file()
    assert answer.status_code == status
    assert answer.get_json() == {"error": FAILED, "ticket_id": 1, "status": "Escalated"}
    assert small.path(1)[-1] == "Escalated"
    assert small.store.calls()[0]["outcome"] != "ok"
    # The next ticket finds it mended.
    small.assistant.outcomes.clear()
    assert small.file().status_code == 200


@pytest.mark.parametrize(
    "error", [WrongKey(401), ModelRetired("x", "y"), RuntimeError("key gsk_1, text I cannot log")]
)
def test_no_word_of_an_error_reaches_client_or_log(small, caplog, error):
    small.assistant.raises["categorize"] = error
    with caplog.at_level(logging.DEBUG):
        answer = small.file("I cannot log in, code 4711")
    assert answer.status_code == 502
    assert answer.get_json()["error"] == FAILED
    assert "gsk" not in caplog.text
    assert "4711" not in caplog.text + answer.get_data(as_text=True)


def test_a_second_model_stands_in(open_desk):
    other = "openai/gpt-oss-120b"
    desk = open_desk(on_failure="fallback", fallback_model=other)
    desk.assistant.outcomes["respond"] = SERVER_ERROR
    assert desk.file().get_json()["status"] == "Waiting for customer"
    said = [(c["model"], c["outcome"]) for c in desk.store.calls()[::-1]]
    assert said == [(MODEL, "ok"), (MODEL, "server error"), (other, "ok")]


def test_a_slow_provider_is_given_up_and_others_are_served(open_desk):
    desk = open_desk(timeout_s=2.0)
    desk.assistant.hold.clear()
    box, thread = in_thread(desk.file)
    within(20, lambda: desk.assistant.asked)
    # Meanwhile everything else works.
    assert desk.client.get("/health").status_code == 200
    (waiting,) = desk.client.get("/tickets").get_json()["tickets"]
    assert waiting["status"] == "Open"
    assert desk.change(1, status="In Progress").status_code == 409
    thread.join()
    assert box[0].status_code == 504
    assert box[0].get_json()["status"] == "Escalated"
    desk.assistant.hold.set()


def test_places_at_the_assistant_are_bounded(open_desk):
    desk = open_desk(timeout_s=0.4, changes={"provider": {"concurrency": 1}})
    desk.assistant.hold.clear()
    box, thread = in_thread(desk.file)
    within(20, lambda: desk.assistant.asked)
    # It has no place for the second, which is told so in time.
    assert desk.file().status_code == 504
    thread.join()
    assert box[0].status_code == 504
    assert len(desk.assistant.asked) == 1
    rows = desk.store.calls()
    assert sum(row["started_at"] is None for row in rows) == 1
    desk.assistant.hold.set()
    within(20, lambda: desk.file().status_code == 200)


def test_too_many_tickets_at_once_are_turned_away(open_desk):
    desk = open_desk(settings=Settings(rate=0, places=1))
    desk.assistant.hold.clear()
    _, thread = in_thread(desk.file)
    within(20, lambda: desk.assistant.asked)
    answer = desk.file()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert len(desk.store.tickets()) == 1
    assert desk.client.get("/tickets").status_code == 200
    desk.assistant.hold.set()
    thread.join()
