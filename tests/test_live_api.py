"""The live desk's API: tickets answered as the twin's lifecycle says, and faults told as JSON."""

import logging
import shutil
import threading
import time
from functools import partial

import pytest

from tests.live_desk import CATEGORIES, MODEL, Small
from twin.assistant.errors import ModelRetired, WrongKey
from twin.assistant.protocol import (
    BAD_ANSWER,
    OUTAGE,
    RATE_LIMITED,
    REFUSED,
    SERVER_ERROR,
    TIMEOUT,
)
from twin.live import server
from twin.live.api import Settings
from twin.live.bodies import FOR_AGENTS
from twin.live.database import StoreError
from twin.live.desk import FAILED, FOR_REVIEW
from twin.records.tables import STATUSES, TRANSITIONS
from twin.scenario.model import PRIORITIES

EMPTY = {"error": "Please provide a ticket description."}
THANKS = {"message": "Feedback submitted successfully."}
TOKEN = "a-token-of-enough-characters"


@pytest.fixture
def small(tmp_path):
    made = Small(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def open_desk(tmp_path):
    """Makes desks with other settings; closes them."""
    made = []

    def make(**options):
        made.append(Small(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


def within(seconds, check):
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until
        time.sleep(0.005)


def in_thread(call):
    """Start a call; returns where its answer will be, and the thread."""
    box = []
    thread = threading.Thread(target=lambda: box.append(call()))
    thread.start()
    return box, thread


def test_a_ticket_is_categorized_and_answered(small):
    answer = small.file("My payment was declined")
    assert answer.status_code == 200
    said = answer.get_json()
    assert (said["category"], said["response"]) == ("Payment", "This is how Payment works.")
    assert said["ticket_id"] == 1
    assert said["status"] == "Waiting for customer"
    assert said["confidence"] == 0.9
    assert said["articles"] == [{"slug": "reset", "title": "Reset your password", "score": 0.8}]
    assert (said["prompt_tokens"], said["completion_tokens"]) == (180, 40)
    assert 0 < said["latency_s"] < 5
    assert small.path(1) == ["Open", "Categorized", "In Progress", "Waiting for customer"]


def test_retrieval_can_be_left_out(small):
    assert small.file(use_rag=False).get_json()["articles"] == []
    assert (MODEL, False) in small.assistants


def test_an_embedded_desk_answers_from_its_articles(tmp_path):
    from twin.assistant.backends import build

    small = Small(tmp_path, confidence_threshold=0)
    small.desk.asker._build = build
    said = small.file("I cannot log into my account").get_json()
    assert said["category"] == "Login"
    assert "Forgot password" in said["response"]
    assert said["articles"][0]["title"] == "Reset your password"
    assert "Forgot" not in small.file("I cannot log in", use_rag=False).get_json()["response"]
    small.store.close()


@pytest.mark.parametrize("body", [{}, {"description": ""}, {"description": " \n\t"},
                                  {"description": None},
                                  {"model": MODEL, "use_rag": True}])  # fmt: skip
@pytest.mark.parametrize("path", ["/process_ticket", "/submit_feedback"])
def test_without_a_description_nothing_is_filed(small, path, body):
    answer = small.client.post(path, json=body)
    assert (answer.status_code, answer.get_json()) == (400, EMPTY)
    assert small.store.tickets() == []
    assert small.store.feedback() == []


def test_feedback_is_kept_with_its_ticket(small):
    small.file("My payment was declined")
    body = {
        "description": "My payment was declined", "model": MODEL, "rating": 5, "feedback": "Good",
    }  # fmt: skip
    answer = small.client.post("/submit_feedback", json=body)
    assert (answer.status_code, answer.get_json()) == (200, THANKS)
    (kept,) = small.client.get("/feedback").get_json()["feedback"]
    said = {"backend": "embedded", "model": "", "model_wanted": MODEL, "prompt_version": "1"}
    assert {key: kept[key] for key in body | said} == body | said
    assert (kept["ticket_id"], kept["category"]) == (1, "Payment")
    (row,) = small.store.feedback()
    assert (row["answer"], row["prompt_version"]) == ("This is how Payment works.", "1")


WHO = ("backend", "model", "model_wanted", "prompt_version")


@pytest.mark.parametrize("backend", ["embedded", "groq"])
def test_an_answer_and_its_rating_tell_what_answered_and_not_what_was_wanted(open_desk, backend):
    desk, other = open_desk(backend=backend, recording=None), "openai/gpt-oss-120b"
    said = [desk.file("login", model=model).get_json() for model in (MODEL, other)]
    for number, (ticket, model) in enumerate(zip(said, (MODEL, other), strict=True), start=1):
        answered = model if backend == "groq" else ""
        expected = dict(zip(WHO, (backend, answered, model, "1"), strict=True))
        # Whatever the client claims.
        body = {"description": "login", "model": MODEL, "rating": 4, "ticket_id": number}
        assert desk.client.post("/submit_feedback", json=body).status_code == 200
        (kept, *_) = desk.client.get("/feedback").get_json()["feedback"]
        assert {key: ticket[key] for key in WHO} == expected
        assert {key: desk.ticket(number)[key] for key in WHO} == expected
        assert {key: kept[key] for key in WHO} == expected | {"model_wanted": MODEL}


def test_a_second_model_that_stands_in_is_the_one_that_is_rated(open_desk):
    other = "openai/gpt-oss-120b"
    desk = open_desk(backend="groq", on_failure="fallback", fallback_model=other)
    desk.assistant.outcomes["respond"] = SERVER_ERROR
    assert desk.file("login").get_json()["model"] == other
    body = {"description": "login", "model": MODEL, "rating": 4}
    assert desk.client.post("/submit_feedback", json=body).status_code == 200
    (kept,) = desk.client.get("/feedback").get_json()["feedback"]
    assert (kept["ticket_id"], kept["model"], kept["model_wanted"]) == (1, other, MODEL)


def test_words_of_agents_are_no_models(open_desk):
    desk = open_desk(backend="groq")
    for response, model in ((None, MODEL), ("Mended.", "")):
        number = desk.file("other things").get_json()["ticket_id"]
        assert desk.ticket(number)["model"] == MODEL
        changed = desk.change(
            number, status="Resolved", **({"response": response} if response else {})
        )
        assert changed.get_json()["model"] == model
        body = {"description": "other things", "rating": 4, "ticket_id": number}
        assert desk.client.post("/submit_feedback", json=body).status_code == 200
        (kept, *_) = desk.client.get("/feedback").get_json()["feedback"]
        assert (kept["model"], kept["backend"]) == (model, "groq" if model else "")


def test_feedback_without_a_ticket_is_kept(small):
    body = {"description": "an old one", "model": "gemma-7b-it", "rating": 1, "feedback": ""}
    assert small.client.post("/submit_feedback", json=body).get_json() == THANKS
    (kept,) = small.client.get("/feedback").get_json()["feedback"]
    assert kept["ticket_id"] is None
    # Nobody knows what answered.
    assert (kept["model"], kept["backend"], kept["model_wanted"]) == ("", "", "gemma-7b-it")
    assert small.client.post("/submit_feedback", json=body | {"ticket_id": 7}).status_code == 404


def test_lists_go_by_pages_and_status(small):
    for k in range(5):
        small.file(f"login {k}" + (" unsure" if k == 2 else ""))
    first = small.client.get("/tickets?limit=3").get_json()
    assert [t["ticket_id"] for t in first["tickets"]] == [5, 4, 3]
    second = small.client.get(f"/tickets?limit=3&before={first['next_before']}").get_json()
    assert [t["ticket_id"] for t in second["tickets"]] == [2, 1]
    assert second["next_before"] is None
    assert first["counts"] == {"Waiting for customer": 4, "Escalated": 1}
    escalated = small.client.get("/tickets?status=Escalated").get_json()["tickets"]
    assert [t["ticket_id"] for t in escalated] == [3]
    received, due = escalated[0]["received_at"], escalated[0]["first_response_due"]
    assert received[:10] <= due[:10]


def test_a_draft_waits_for_approval(small):
    said = small.file("other things").get_json()
    assert (said["status"], said["response"]) == ("Pending Review", FOR_REVIEW)
    assert small.ticket(1)["draft"] == "This is how Other works."
    answered = small.change(1, status="Resolved").get_json()
    assert answered["response"] == "This is how Other works."
    assert answered["resolved_by"] == "reviewed draft"
    small.file("other things")
    mended = small.change(2, status="Resolved", response="Mended.").get_json()
    assert (mended["response"], mended["resolved_by"]) == ("Mended.", "reviewed draft")


def test_an_agent_may_answer_a_draft_anew(small):
    small.file("other things")
    assert small.change(1, status="In Progress").status_code == 200
    own = small.change(1, status="Resolved", response="My own.").get_json()
    assert (own["response"], own["resolved_by"]) == ("My own.", "agent")


def test_an_unsure_category_goes_to_agents_who_may_hand_it_back(small):
    said = small.file("unsure login or payment").get_json()
    assert (said["status"], said["response"]) == ("Escalated", FOR_AGENTS)
    small.change(1, status="In Progress")
    back = small.change(1, status="Categorized", category="Payment").get_json()
    assert (back["status"], back["category"]) == ("Waiting for customer", "Payment")
    assert back["response"] == "This is how Payment works."
    assert back["categorized_by"] == "agent"
    assert small.path(1) == [
        "Open", "Escalated", "In Progress", "Categorized", "In Progress", "Waiting for customer",
    ]  # fmt: skip


def test_a_ticket_handed_back_returns_to_agents_where_the_assistant_fails(small):
    small.file("unsure")
    small.change(1, status="In Progress")
    small.assistant.outcomes["respond"] = SERVER_ERROR
    back = small.change(1, status="Categorized", category="Payment")
    assert (back.status_code, back.get_json()["status"]) == (200, "Escalated")


def test_a_customer_comes_back(small):
    small.file()
    assert small.change(1, status="Reopened").get_json()["reopens"] == 1
    small.change(1, status="In Progress")
    assert small.change(1, status="Resolved").get_json()["resolved_by"] == "agent"
    assert small.change(1, status="Closed").get_json()["status"] == "Closed"


@pytest.mark.parametrize("before", [code for code in TRANSITIONS if code is not None])
def test_only_allowed_transitions(small, before):
    for after, name in enumerate(STATUSES):
        small.file()
        row = small.store.tickets(limit=1)[0]
        with small.store.database.writing() as connection:
            from sqlalchemy import update

            from twin.live.tables import tickets

            changed = update(tickets).where(tickets.c.id == row["id"])
            connection.execute(changed.values(status=STATUSES[before]))
        answer = small.change(row["id"], status=name)
        allowed = after in TRANSITIONS[before]
        assert answer.status_code == (200 if allowed else 409), name
        if not allowed:
            assert STATUSES[before] in answer.get_json()["error"]
            assert small.ticket(row["id"])["status"] == STATUSES[before]


def test_a_category_must_be_one_of_the_desk(small):
    small.file()
    assert small.change(1, category="Payment", priority="urgent").get_json()["priority"] == "urgent"
    answer = small.change(1, category="Weather")
    assert answer.status_code == 422
    assert all(name in answer.get_json()["error"] for name in CATEGORIES)
    assert small.change(99, status="Closed").status_code == 404


def test_a_desk_that_only_categorizes_leaves_the_answer_to_agents(open_desk):
    desk = open_desk(role="triage")
    said = desk.file("payment").get_json()
    assert (said["category"], said["status"]) == ("Payment", "Categorized")
    desk.change(1, status="In Progress")
    assert desk.change(1, status="Categorized", category="Login").status_code == 422


def test_a_desk_without_an_assistant_files_tickets_for_agents(open_desk):
    desk = open_desk(role="off")
    said = desk.file("payment").get_json()
    assert (said["status"], said["response"]) == ("Open", FOR_AGENTS)
    assert desk.change(1, status="In Progress").status_code == 200


# Faults of the provider


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


# The agents' queue


def queue(client, most=100, **where):
    """All numbers of a queue, asked for part by part."""
    found, after = [], {}
    while True:
        said = client.get("/queue", query_string={"limit": most, **where, **after}).get_json()
        found += said["tickets"]
        if said["next_after"] is None:
            return found
        after = {"after": said["next_after"]}


def next_due(shown):
    first, last = shown["first_response_due"], shown["resolution_due"]
    return first if shown["responded_at"] is None and first else last


# Moments as text sort as they are: all are of one form, in UTC.
def pressing(shown):
    return (next_due(shown) or "9", PRIORITIES.index(shown["priority"]), shown["ticket_id"])


TARGETS = [
    {"first_response": {"urgent": "15min", "high": "1h"}, "resolution": {"normal": "4h"}},
    {"first_response": dict.fromkeys(PRIORITIES, "1h"), "resolution": {"low": "1min"}},
    {"resolution": {"high": "2h"}},
    {},
]


@pytest.mark.parametrize("targets", TARGETS)
def test_the_queue_begins_with_the_most_overdue_and_ends_with_the_last(open_desk, targets):
    desk = open_desk(changes={"targets": targets})
    fill(desk.store)
    every = queue(desk.client)
    assert len(every) == 48
    assert every == sorted(every, key=pressing)
    for status in ("Escalated", "Reopened", "Resolved"):
        of_it = [t["ticket_id"] for t in queue(desk.client, status=status)]
        numbers = [r["id"] for r in desk.store.tickets(status)]
        assert len(of_it) == 24
        assert sorted(of_it) == sorted(numbers)
        # In parts of any size the order is the same, and all are reached.
        for most in (1, 7, 24):
            part = [t["ticket_id"] for t in queue(desk.client, most, status=status)]
            assert part == of_it
    if not targets:
        ranks = [PRIORITIES.index(t["priority"]) for t in every]
        assert ranks == sorted(ranks)


def test_a_promise_for_ages_hence_is_none(open_desk):
    longest = dict.fromkeys(PRIORITIES, "10000000d")
    desk = open_desk(changes={"targets": {"first_response": longest, "resolution": longest}})
    desk.file("unsure")
    for path in ("/tickets", "/queue"):
        (shown,) = desk.client.get(path).get_json()["tickets"]
        assert (shown["first_response_due"], shown["resolution_due"]) == (None, None)


def fill(store):
    """Tickets of three statuses, all priorities and many ages, some of them responded to."""
    now = time.time()
    for k in range(72):
        row, _ = store.receive(
            {
                "key": None, "received_at": now - 1000.0 * (k * 37 % 72), "description": f"{k}",
                "priority": PRIORITIES[k % 4], "model": MODEL, "use_rag": True,
            }
        )  # fmt: skip
        answered = {"responded_at": now - 5.0} if k % 3 or k % 5 == 0 else {}
        path = [("Escalated",), ("In Progress", "Resolved"),
                ("In Progress", "Resolved", "Reopened")][k % 3]  # fmt: skip
        store.move(row, [(status, now, "agent") for status in path], answered)


def test_tickets_that_wait_for_others_are_in_the_queue_of_their_status_only(small):
    for _ in range(3):
        small.file("unsure")
    for number, status in ((1, "Waiting for customer"), (2, "On hold")):
        assert small.change(number, status="In Progress").status_code == 200
        assert small.change(number, status=status).status_code == 200
        assert [t["ticket_id"] for t in queue(small.client, status=status)] == [number]
    assert [t["ticket_id"] for t in queue(small.client)] == [3]


def test_a_ticket_that_agents_opened_again_is_not_asked_about_when_it_is_sent_again(small):
    key = {"Idempotency-Key": "k1"}
    small.file("unsure", headers=key)
    asked = len(small.assistant.asked)
    for status in ("In Progress", "Waiting for customer", "Open"):
        assert small.change(1, status=status).status_code == 200
    said = small.file("unsure", headers=key)
    assert (said.status_code, said.get_json()["status"]) == (200, "Open")
    assert len(small.assistant.asked) == asked


def test_tickets_that_leave_a_queue_hide_no_others(small):
    fill(small.store)
    every = [t["ticket_id"] for t in queue(small.client)]
    first = small.client.get("/queue?limit=10").get_json()
    # Some of those that were seen are answered, and a new one comes.
    for shown in first["tickets"][:5]:
        assert small.change(shown["ticket_id"], status="In Progress").status_code == 200
        assert small.change(shown["ticket_id"], status="Resolved", response="x").status_code == 200
    small.file("unsure")
    rest = small.client.get(f"/queue?after={first['next_after']}").get_json()["tickets"]
    assert [t["ticket_id"] for t in rest if t["description"] != "unsure"] == every[10:]


@pytest.mark.parametrize(
    "asked",
    ["after=1", "after=x", "after=", "after=-1.0_0_1", "after=nan_0_1", "after=1e9_0_1",
     "after=1.0_0_1_2", "status=Nobody", "limit=0", "limit=501",
     "after=%D9%A1.0_0_1"],
)  # fmt: skip
def test_an_odd_place_in_the_queue_is_told(small, asked):
    answer = small.client.get(f"/queue?{asked}")
    assert answer.status_code == 422
    assert set(answer.get_json()) == {"error"}


# Sent twice


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


# Who may ask, and how often


def test_a_token_is_asked_for(open_desk):
    desk = open_desk(settings=Settings(token=TOKEN, rate=0))
    for path in ("/tickets", "/models", "/feedback", "/desk"):
        assert desk.client.get(path).status_code == 401
        assert desk.client.get(path).headers["WWW-Authenticate"] == "Bearer"
        for wrong in ("Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \udcff"):
            answer = desk.client.get(
                path, headers={"Authorization": wrong.encode("utf-8", "replace").decode("latin-1")}
            )
            assert answer.status_code == 401
        right = desk.client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert right.status_code == 200
    assert desk.file().status_code == 401
    assert desk.client.get("/health").status_code == 200
    assert "security" in desk.client.get("/openapi.json").get_json()["paths"]["/tickets"]["get"]
    # With a token any name may lead here.
    named = {"Authorization": f"Bearer {TOKEN}", "Host": "desk.example.org"}
    assert desk.client.get("/tickets", headers=named).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("127.0.0.1:5000", 200), ("[::1]:5000", 200), ("LOCALHOST", 200),
        ("evil.example.org", 421), ("127.0.0.1.example.org", 421), ("localhost.example.org", 421),
    ],
)  # fmt: skip
def test_without_a_token_only_this_machine_is_answered(small, host, status):
    assert small.client.get("/health", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8501", 200), ("http://127.0.0.1", 200), ("https://[::1]:1", 200),
        ("https://evil.example.org", 403), ("null", 403), ("", 403), ("http://localhost.evil", 403),
        ("https://evil.example.org//localhost", 403), ("http://evil@localhost", 403),
    ],
)  # fmt: skip
def test_a_page_of_another_site_sends_nothing_to_this_machine(small, origin, status):
    """A draft takes no body, so a form of any page could have it written, and paid."""
    small.file()
    asked = len(small.assistant.asked)
    found = small.client.post("/tickets/1/draft", headers={"Origin": origin})
    assert found.status_code == status
    assert (len(small.assistant.asked) > asked) == (status == 200)


def test_with_a_token_a_page_of_another_site_may_hold_it(open_desk):
    desk = open_desk(settings=Settings(token=TOKEN, rate=0))
    named = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://desk.example.org"}
    assert desk.client.get("/tickets", headers=named).status_code == 200


def test_a_client_that_asks_too_often_is_told_when_to_come_back(open_desk):
    desk = open_desk(settings=Settings(rate=2))
    codes = [desk.client.get("/health").status_code for _ in range(6)]
    assert codes[:4] == [200] * 4
    assert codes[-1] == 429
    answer = desk.client.get("/health")
    assert int(answer.headers["Retry-After"]) >= 1
    other = desk.client.get("/health", environ_overrides={"REMOTE_ADDR": "127.0.0.2"})
    assert other.status_code == 200


# What the desk says of itself


def test_health_says_who_answers(small):
    said = small.client.get("/health").get_json()
    assert said["status"] == "ok"
    assert said["backend"] == "embedded"
    assert "No key is in use" in said["note"]


def test_health_says_when_the_store_is_gone(small, monkeypatch):
    from twin.live.database import StoreError

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


# What happens by itself


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
