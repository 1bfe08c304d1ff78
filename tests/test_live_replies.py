"""Customers come back to the live desk: whether an answer helped, replies, ratings, the thread."""

import threading
import time

import pytest

import twin
from tests.live_desk import Small
from twin.live.desk import QUIET_S
from twin.live.history import read_history
from twin.records.tables import FINAL_STATUSES, OPEN_STATUSES

WAITING, DAY = "Waiting for customer", 86_400.0


def reply(small, number, key=None, **said):
    headers = {"Idempotency-Key": key} if key else {}
    return small.client.post(f"/tickets/{number}/reply", json=said, headers=headers)


def rate(small, number, rating, key=None, **more):
    body = {"description": "x", "rating": rating, "ticket_id": number, **more}
    headers = {"Idempotency-Key": key} if key else {}
    return small.client.post("/submit_feedback", json=body, headers=headers)


def thread(small, number):
    return [(m["by"], m["text"]) for m in small.ticket(number)["messages"]]


def test_an_answer_waits_for_the_customer_who_says_that_it_helped(small):
    said = small.file("My payment was declined").get_json()
    assert (said["status"], said["answered_by"], said["resolved_by"]) == (
        WAITING, "assistant", None,
    )  # fmt: skip
    done = reply(small, 1, helped=True, text="Thanks!").get_json()
    assert (done["status"], done["resolved_by"], done["reopens"]) == ("Resolved", "assistant", 0)
    assert done["resolved_at"] >= done["answered_at"]
    assert done["changes"][-1]["by"] == "customer"
    assert [(m["by"], m["text"], m["helped"]) for m in done["messages"]] == [
        ("customer", "My payment was declined", None),
        ("assistant", "This is how Payment works.", None),
        ("customer", "Thanks!", True),
    ]


@pytest.mark.parametrize(
    "said",
    [{"helped": False}, {"text": "That is not it."}, {"person": True},
     {"helped": False, "person": True, "text": "A person, please."}],
)  # fmt: skip
@pytest.mark.parametrize("resolved", [False, True])
def test_what_did_not_help_is_reopened_and_waits_for_a_person(small, said, resolved):
    small.file("My payment was declined")
    if resolved:
        reply(small, 1, helped=True)
    back = reply(small, 1, **said).get_json()
    assert (back["status"], back["reopens"]) == ("Reopened", 1)
    assert [t["ticket_id"] for t in small.client.get("/queue").get_json()["tickets"]] == [1]
    # Said again while a person has it, it is part of the thread and changes nothing.
    again = reply(small, 1, **said).get_json()
    assert (again["status"], again["reopens"]) == ("Reopened", 1)
    # The assistant's answer stays, whatever an agent answers then.
    small.change(1, status="In Progress")
    small.change(1, status="Resolved", response="Use another card.")
    words = [text for _, text in thread(small, 1)]
    assert words[1] == "This is how Payment works."
    assert words[-1] == "Use another card."
    assert small.ticket(1)["answered_by"] == "agent"
    assert reply(small, 1, helped=False).get_json()["reopens"] == 2


def test_nothing_that_was_answered_is_lost_when_a_ticket_is_handed_back(small):
    small.file("unsure")
    for category in ("Payment", "Login"):
        small.change(1, status="In Progress")
        small.change(1, status="Categorized", category=category)
        reply(small, 1, helped=False, text=f"No {category}.")
    assert thread(small, 1) == [
        ("customer", "unsure"),
        ("assistant", "This is how Payment works."), ("customer", "No Payment."),
        ("assistant", "This is how Login works."), ("customer", "No Login."),
    ]  # fmt: skip


def test_a_person_can_be_asked_for_while_the_assistant_is_at_work(small):
    small.assistant.hold.clear()
    box = []
    worker = threading.Thread(target=lambda: box.append(small.file("login")))
    worker.start()
    until = time.monotonic() + 20
    while not small.assistant.asked:
        assert time.monotonic() < until
        time.sleep(0.005)
    asked = reply(small, 1, person=True).get_json()
    assert (asked["status"], asked["reopens"]) == ("Escalated", 0)
    small.assistant.hold.set()
    worker.join(20)
    # Whatever it would have said comes too late.
    assert box[0].get_json()["status"] == "Escalated"
    assert small.path(1) == ["Open", "Escalated"]
    assert [m["person"] for m in small.ticket(1)["messages"]] == [False, True]


@pytest.mark.parametrize("text", ["unsure", "other things"])
def test_who_waits_for_a_person_may_say_more(small, text):
    before = small.file(text).get_json()["status"]
    assert before in ("Escalated", "Pending Review")
    for said in ({"text": "It is urgent."}, {"person": True}):
        assert reply(small, 1, **said).get_json()["status"] == before
    assert thread(small, 1)[1:] == [("customer", "It is urgent."), ("customer", "")]
    # Nobody has answered yet.
    for helped in (True, False):
        answer = reply(small, 1, helped=helped)
        assert (answer.status_code, answer.get_json()) == (
            409, {"error": "this ticket has no answer yet"},
        )  # fmt: skip
    assert len(thread(small, 1)) == 3


def test_an_agents_question_waits_and_its_answer_is_no_return(small):
    small.file("unsure")
    small.change(1, status="In Progress")
    asked = small.change(1, status=WAITING, response="Which card?").get_json()
    # An answer it is not, so nothing but the customer ends the wait: as in the twin.
    assert (asked["response"], asked["resolves_at"]) == ("", None)
    back = reply(small, 1, text="The blue one.").get_json()
    assert (back["status"], back["reopens"]) == ("Open", 0)
    assert small.change(1, status="In Progress").status_code == 200
    assert small.change(1, status="Resolved", response="Done.").get_json()["status"] == "Resolved"
    assert [by for by, _ in thread(small, 1)] == ["customer", "agent", "customer", "agent"]


def test_a_question_that_helped_is_resolved_by_the_agent(small):
    small.file("unsure")
    small.change(1, status="In Progress")
    small.change(1, status=WAITING, response="Did you switch it on?")
    done = reply(small, 1, helped=True).get_json()
    assert (done["status"], done["resolved_by"]) == ("Resolved", "agent")


@pytest.mark.parametrize("close_after", [None, "2h"])
def test_silence_resolves_an_answer_and_then_closes_it(tmp_path, close_after):
    waiting = {"chance": 0.5, "delay": "1h", "close_after": "2h"}
    small = Small(tmp_path, changes={"touches": {"waiting": waiting}} if close_after else None)
    quiet_s = 7200.0 if close_after else QUIET_S
    small.file("login")
    small.file("unsure")
    small.change(2, status="In Progress")
    small.change(2, status=WAITING, response="Which?")
    answered = small.store.ticket(1)["answered_at"]
    close_s = small.scenario.customers.close_after
    small.store.tidy(answered + quiet_s - 60, close_s)
    assert small.ticket(1)["status"] == WAITING
    small.store.tidy(answered + quiet_s + 60, close_s)
    row = small.store.ticket(1)
    assert (row["status"], row["resolved_by"]) == ("Resolved", "assistant")
    assert row["resolved_at"] == answered + quiet_s
    assert small.ticket(1)["changes"][-1]["by"] == "desk"
    asked = small.store.ticket(2)
    expected = ("Resolved", "automatic") if close_after else (WAITING, None)
    assert (asked["status"], asked["resolved_by"]) == expected
    # Who comes back after that, but before it is closed, is heard.
    assert reply(small, 1, helped=False).get_json()["status"] == "Reopened"
    small.store.close()


def test_a_closed_ticket_is_over(small):
    small.file("login")
    small.store.tidy(time.time() + 10 * DAY, small.scenario.customers.close_after)
    assert small.ticket(1)["status"] == "Closed"
    for said in ({"helped": False}, {"text": "Again!"}, {"person": True}):
        answer = reply(small, 1, **said)
        assert answer.status_code == 409
        assert "stays as it is" in answer.get_json()["error"]
    assert rate(small, 1, 1).status_code == 200
    assert small.ticket(1)["status"] == "Closed"
    assert len(thread(small, 1)) == 2


@pytest.mark.parametrize("rating", [1, 2, 3, 5])
def test_a_bad_rating_reopens_and_another_does_not(small, rating):
    small.file("login")
    assert rate(small, 1, rating, "r1", feedback="Hm.").status_code == 200
    assert rate(small, 1, rating, "r1", feedback="Hm.").status_code == 200
    found = small.ticket(1)
    bad = rating <= 2
    assert (found["status"], found["reopens"]) == (("Reopened", 1) if bad else (WAITING, 0))
    assert ([(m["text"], m["helped"]) for m in found["messages"][2:]] == [("Hm.", False)]) == bad
    (kept,) = small.store.feedback()
    assert (kept["rating"], kept["answer"]) == (rating, "This is how Login works.")


def test_a_rating_that_only_words_lead_to_a_ticket_reopens_nothing(small):
    small.file("login")
    body = {"description": "login", "rating": 1}
    assert small.client.post("/submit_feedback", json=body).status_code == 200
    assert small.store.feedback()[0]["ticket_id"] == 1
    assert small.ticket(1)["status"] == WAITING


def test_a_key_is_heard_once(small):
    for _ in range(2):
        small.file("login")
    first = reply(small, 1, "k", helped=False, text="No.")
    assert first.get_json()["reopens"] == 1
    small.change(1, status="In Progress")
    small.change(1, status="Resolved", response="So.")
    # Sent again, it is not a second return, though the ticket is resolved by now.
    again = reply(small, 1, "k", helped=False, text="No.").get_json()
    assert (again["status"], again["reopens"], len(again["messages"])) == ("Resolved", 1, 4)
    for number, said in ((1, {"helped": True, "text": "No."}), (1, {"helped": False}),
                         (1, {"helped": False, "text": "No.", "person": True}),
                         (2, {"helped": False, "text": "No."})):  # fmt: skip
        answer = reply(small, number, "k", **said)
        assert answer.status_code == 409
        assert "Idempotency-Key" in answer.get_json()["error"]


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({}, 422, "says nothing"), ({"text": " \n"}, 422, "says nothing"),
        ({"text": "\u200b\u2060"}, 422, "says nothing"),
        ({"helped": None, "person": False, "text": ""}, 422, "says nothing"),
        ({"helped": True, "person": True}, 422, "do not go together"),
        ({"helped": "yes"}, 422, "true or false"), ({"person": 1}, 422, "true or false"),
        ({"text": "x" * 8001}, 422, "at most 8000"), ({"text": "\0"}, 422, "not text"),
        ({"text": 7}, 422, "must be text"), ({"text": "x", "by": "agent"}, 422, "not a field"),
    ],
)  # fmt: skip
def test_a_reply_that_says_nothing_or_nonsense_is_refused(small, said, status, words):
    small.file("login")
    answer = reply(small, 1, **said)
    assert answer.status_code == status
    assert words in answer.get_json()["error"]
    assert len(thread(small, 1)) == 2
    assert reply(small, 99, text="x").status_code == 404
    assert reply(small, 2**40, text="x").status_code == 404


def test_many_who_press_no_at_once_come_back_once(small):
    small.file("login")
    gate = threading.Barrier(6)
    codes = []

    def press(n):
        gate.wait()
        codes.append(reply(small, 1, f"k{n}", helped=False).status_code)

    threads = [threading.Thread(target=press, args=(n,)) for n in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert codes == [200] * 6
    found = small.ticket(1)
    assert (found["reopens"], len(found["messages"])) == (1, 8)
    assert small.path(1).count("Reopened") == 1


@pytest.mark.parametrize("role", ["off", "triage"])
def test_a_desk_of_agents_hears_replies_as_they_come(tmp_path, role):
    small = Small(tmp_path, role=role)
    before = small.file("login").get_json()["status"]
    assert reply(small, 1, person=True).get_json()["status"] == before
    small.change(1, status="In Progress")
    small.change(1, status="Resolved", response="So.")
    assert reply(small, 1, helped=True).get_json()["status"] == "Resolved"
    assert reply(small, 1, helped=False).get_json()["status"] == "Reopened"
    small.store.close()


def test_an_agent_may_let_an_answer_stand_or_take_it_back(small):
    for _ in range(2):
        small.file("login")
    stands = small.change(1, status="Resolved").get_json()
    assert (stands["resolved_by"], stands["response"]) == ("assistant", "This is how Login works.")
    assert small.change(2, status="Open").get_json()["resolves_at"] is None
    assert small.change(2, status="In Progress").status_code == 200
    assert set(OPEN_STATUSES).isdisjoint(FINAL_STATUSES)


def test_a_rating_that_comes_last_is_in_the_record(small, tmp_path):
    small.file("login")
    small.file("payment")
    reply(small, 1, helped=True)
    assert rate(small, 1, 5).status_code == 200
    history = twin.read_history(tmp_path / "desk.sqlite", zone="UTC")
    figures = twin.measure(history.log, history.desk).set_index(["kpi", "group"])["value"]
    assert figures["csat", ""] == 1
    assert history.log.timeline["status"].astype(str).tolist() == ["Open", *[
        "Categorized", "In Progress", "Resolved"], "Open", "Categorized", "In Progress", "Resolved",
    ]  # fmt: skip


def test_both_readers_see_answers_and_returns_and_no_wait_for_the_customer(small, tmp_path):
    for k in range(4):
        small.file(f"login {k}")
    reply(small, 1, helped=True)
    reply(small, 2, helped=False)
    small.change(2, status="In Progress")
    small.change(2, status="Resolved", response="By hand.")
    small.file("unsure")
    small.change(5, status="In Progress")
    small.change(5, status=WAITING, response="Which?")
    reply(small, 5, text="That.")
    small.change(5, status="In Progress")
    small.change(5, status="Resolved", response="So.")
    # A day later the customers of 3 and 4 have said nothing.
    small.store.tidy(time.time() + DAY, 1e9)
    record = read_history(small.store)
    by = {t["id"]: (t["resolved_by"], t["reopens"]) for t in record.tickets}
    assert by == {1: ("assistant", 0), 2: ("agent", 1), 3: ("assistant", 0), 4: ("assistant", 0),
                  5: ("agent", 0)}  # fmt: skip
    assert record.own == {1, 3, 4}
    # Both touches of the fifth ticket are an agent's work, as is that of the second.
    assert len(record.handle_s) == 3
    history = twin.read_history(tmp_path / "desk.sqlite", zone="UTC")
    log = history.log.tickets.set_index("ticket_id")
    assert log["reopens"].tolist() == [0, 1, 0, 0, 0]
    assert log["resolved_by"].astype(str).tolist() == [
        "assistant", "agent", "assistant", "assistant", "agent",
    ]  # fmt: skip
    assert log["status"].astype(str).tolist() == ["Resolved"] * 5
    for number in (1, 3, 4):
        assert log["resolved_s"][number] == pytest.approx(log["responded_s"][number])
    waits = history.log.timeline
    asked = waits[waits["status"] == WAITING]["ticket_id"].tolist()
    assert asked == [5]
    figures = twin.measure(history.log, history.desk).set_index(["kpi", "group"])["value"]
    assert figures["containment", ""] == pytest.approx(3 / 5)
    assert figures["reopen_rate", ""] == pytest.approx(1 / 5)
