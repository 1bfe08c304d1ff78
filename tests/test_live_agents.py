"""Agents at one queue: they find, assign, recategorise and merge, and overwrite nobody's work."""

import json
import threading
import time

import pytest
from sqlalchemy import update

import twin
from tests.live_desk import MODEL, Small
from twin.assistant import backends
from twin.assistant.protocol import SERVER_ERROR
from twin.live import tables
from twin.live.history import read_history

WAITING = "Waiting for customer"
OLD_DRAFT = json.dumps({"text": "Do.", "backend": "groq", "model": "", "prompt_version": "",
                        "articles": [], "messages": 1})  # fmt: skip


class Embedded(Small):
    """A small desk with the product's own assistant in place of the obedient one."""

    def build(self, *of):
        return backends.build(*of)


def reply(small, number, **said):
    return small.client.post(f"/tickets/{number}/reply", json=said)


def merge(small, number, into, **more):
    return small.client.post(f"/tickets/{number}/merge", json={"into": into, **more})


def draft(small, number):
    return small.client.post(f"/tickets/{number}/draft")


def numbers(small, path):
    answer = small.client.get(path)
    assert answer.status_code == 200, answer.get_json()
    return [t["ticket_id"] for t in answer.get_json()["tickets"]]


# Finding


def test_a_search_knows_capitals_of_every_alphabet(small):
    small.file("Ärger mit der Straße, payment")
    small.file("ПЛАТЁЖ не прошёл, payment")
    assert numbers(small, "/tickets?text=ärger MIT") == [1]
    assert numbers(small, "/tickets?text=STRASSE") == []
    assert numbers(small, "/tickets?text=платёж") == [2]
    reply(small, 1, text="ÇA VA")
    assert numbers(small, "/tickets?text=ça va") == [1]


def test_a_queue_is_searched_and_filtered(small):
    for text in ("unsure: my CARD is 100% gone", "unsure login", "unsure card_no", "login"):
        small.file(text)
    reply(small, 2, text="It is about a card after all.")
    small.change(3, assignee=" Ana  Lu ", priority="urgent", category="Payment")
    assert sorted(numbers(small, "/queue?text=card")) == [1, 2, 3]
    # What stands for anything in SQL stands for itself here.
    assert numbers(small, "/queue?text=100%25") == [1]
    assert numbers(small, "/queue?text=card_n") == [3]
    assert numbers(small, "/queue?text=rd_is") == []
    assert numbers(small, "/queue?text=3") == [3]
    assert numbers(small, "/queue?assignee=Ana%20Lu") == [3]
    assert sorted(numbers(small, "/queue?assignee=")) == [1, 2]
    assert numbers(small, "/queue?category=Payment&priority=urgent") == [3]
    assert numbers(small, "/queue?category=Payment&priority=low") == []
    assert numbers(small, f"/tickets?status={WAITING}&text=login") == [4]
    first = small.client.get("/queue?text=card&limit=1").get_json()
    rest = numbers(small, f"/queue?text=card&after={first['next_after']}")
    assert {first["tickets"][0]["ticket_id"], *rest} == {1, 2, 3}
    for odd in ("priority=none", "text=%00", "assignee=" + "x" * 201, "category=%00"):
        assert small.client.get(f"/queue?{odd}").status_code == 422


# At once


def test_the_second_of_two_agents_sees_what_the_first_did(small):
    small.file("unsure")
    seen = small.ticket(1)["version"]
    assert small.change(1, status="In Progress", assignee="Ana", version=seen).status_code == 200
    late = small.change(1, status="In Progress", assignee="Bo", version=seen)
    assert late.status_code == 409
    assert "look again" in late.get_json()["error"]
    now = late.get_json()["ticket"]
    assert (now["status"], now["assignee"]) == ("In Progress", "Ana")
    assert small.ticket(1)["assignee"] == "Ana"
    # Who has looked again may go on.
    assert small.change(1, assignee="Bo", version=now["version"]).get_json()["assignee"] == "Bo"


@pytest.mark.parametrize(
    "change", [{"priority": "urgent"}, {"category": "Payment"}, {"assignee": "Ana"}]
)
def test_no_change_is_overwritten_unseen(small, change):
    small.file("unsure")
    seen = small.ticket(1)["version"]
    assert small.change(1, **change).status_code == 200
    answer = small.change(1, status="In Progress", version=seen)
    assert answer.status_code == 409
    assert answer.get_json()["ticket"]["status"] == "Escalated"


def test_an_answer_does_not_cross_a_word_of_the_customer(small):
    small.file("unsure")
    seen = small.change(1, status="In Progress").get_json()["version"]
    reply(small, 1, text="It works again.")
    answer = small.change(1, status="Resolved", response="Press it.", version=seen)
    assert answer.status_code == 409
    assert [m["text"] for m in small.ticket(1)["messages"]] == ["unsure", "It works again."]


def test_of_many_agents_at_once_one_wins(small):
    small.file("unsure")
    seen = small.ticket(1)["version"]
    gate, codes = threading.Barrier(6), []

    def take(n):
        gate.wait()
        body = {"status": "In Progress", "assignee": f"agent {n}", "version": seen}
        codes.append((small.client.patch("/tickets/1", json=body).status_code, n))

    threads = [threading.Thread(target=take, args=(n,)) for n in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    won = [n for code, n in codes if code == 200]
    assert sorted(code for code, _ in codes) == [200] + [409] * 5
    assert small.ticket(1)["assignee"] == f"agent {won[0]}"
    assert small.path(1).count("In Progress") == 1


# Merging


def test_a_ticket_becomes_a_part_of_another_and_both_keep_their_threads(small):
    for text in ("unsure login", "unsure login again", "unsure, a third time"):
        small.file(text)
    reply(small, 1, text="Hello?")
    merged = merge(small, 1, 2).get_json()
    assert (merged["status"], merged["merged_into"]) == ("Closed", 2)
    assert [m["text"] for m in merged["messages"]] == ["unsure login", "Hello?"]
    assert small.ticket(2)["parts"] == [1]
    assert small.ticket(2)["status"] == "Escalated"
    assert numbers(small, "/queue") == [2, 3]
    # What is a part of a part is a part of the whole.
    assert merge(small, 2, 3).status_code == 200
    assert small.ticket(3)["parts"] == [1, 2]
    for said in ({"text": "And?"}, {"person": True}, {"helped": True}, {"helped": False}):
        answer = reply(small, 1, **said)
        assert answer.status_code == 409
        assert answer.get_json()["error"] == "this ticket is a part of ticket 3 now: write there"


def test_what_cannot_be_merged_is_told(small):
    for text in ("unsure", "unsure", "login"):
        small.file(text)
    assert merge(small, 1, 1).status_code == 409
    assert merge(small, 1, 9).status_code == 404
    assert merge(small, 9, 1).status_code == 404
    assert merge(small, 1, 2, version=99).status_code == 409
    assert "ticket" in merge(small, 1, 2, version=99).get_json()
    assert merge(small, 1, 2).status_code == 200
    # Neither one that is over already, nor into one.
    assert merge(small, 1, 3).status_code == 409
    assert merge(small, 3, 1).status_code == 409
    assert small.ticket(3)["parts"] == []
    for body in ({}, {"into": "2"}, {"into": 0}, {"into": 2, "x": 1}):
        assert small.client.post("/tickets/3/merge", json=body).status_code == 422


def test_two_tickets_are_not_merged_into_each_other(small):
    for _ in range(2):
        small.file("unsure")
    gate, codes = threading.Barrier(2), []

    def go(one, other):
        gate.wait()
        codes.append(merge(small, one, other).status_code)

    threads = [threading.Thread(target=go, args=pair) for pair in ((1, 2), (2, 1))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(codes) == [200, 409]
    assert len(numbers(small, "/queue")) == 1


def test_parts_are_no_tickets_of_their_own_in_histories(small, tmp_path):
    for text in ("login", "login 2", "unsure", "unsure again"):
        small.file(text)
    assert merge(small, 4, 3).status_code == 200
    assert [t["id"] for t in read_history(small.store).tickets] == [1, 2, 3]
    history = twin.read_history(tmp_path / "desk.sqlite", zone="UTC")
    assert len(history.log.tickets) == 3


# Help for agents


def test_an_escalated_ticket_gets_a_draft_once_and_it_is_no_answer(small):
    small.file("unsure payment")
    asked = len(small.assistant.asked)
    made = draft(small, 1).get_json()
    assert made["status"] == "Escalated"
    assert (made["response"], made["answered_by"]) == ("", None)
    found = made["suggestion"]
    assert (found["text"], found["backend"]) == ("This is how Payment works.", "embedded")
    assert found["articles"] == [{"slug": "reset", "title": "Reset your password", "score": 0.8}]
    assert [m["by"] for m in made["messages"]] == ["customer"]
    # Asked for again it is the same one, until the customer writes more.
    assert draft(small, 1).get_json()["suggestion"] == found
    assert len(small.assistant.asked) == asked + 1
    reply(small, 1, text="Other things, too.")
    assert draft(small, 1).status_code == 200
    assert small.assistant.asked[-1] == ("respond", "unsure payment\n\nOther things, too.")
    # It changed nothing that an agent saw.
    assert (
        small.change(1, status="In Progress", version=small.ticket(1)["version"]).status_code == 200
    )


def test_a_reopened_ticket_gets_another_draft_and_its_answer_stays(small):
    small.file("login")
    reply(small, 1, helped=False, text="It is the payment.")
    made = draft(small, 1).get_json()
    assert made["response"] == "This is how Login works."
    assert made["backend"] == "embedded"
    assert small.assistant.asked[-1][1] == "login\n\nIt is the payment."
    # This assistant has but one answer: the agent is told that the customer had it.
    assert made["suggestion"]["text"] == "This is how Login works."
    assert made["suggestion"]["sent"] is True
    assert small.assistant.guidance.bad == (("login", "This is how Login works."),)


def test_a_draft_is_not_the_answer_that_did_not_help(tmp_path):
    """The next article that fits is used, until each was tried."""
    small = Embedded(tmp_path, articles=2, floor=-1)
    first = small.file("I cannot log into my account").get_json()["response"]
    assert first.startswith("Reset your password")
    reply(small, 1, helped=False)
    second = draft(small, 1).get_json()["suggestion"]
    assert (second["text"].split(":")[0], second["sent"]) == ("Card is declined", False)
    assert small.change(1, status="In Progress").status_code == 200
    assert small.change(1, status="Resolved", response=second["text"]).status_code == 200
    reply(small, 1, helped=False)
    third = draft(small, 1).get_json()["suggestion"]
    assert third["text"] in {first, second["text"]}
    assert third["sent"] is True
    small.store.close()


def test_a_draft_from_before_sent_was_told_is_shown(small):
    small.file("unsure")
    draft(small, 1)
    with small.store.database.writing() as connection:
        connection.execute(update(tables.tickets).values(suggestion=OLD_DRAFT))
    assert small.ticket(1)["suggestion"]["sent"] is False


def test_a_ticket_whose_category_is_not_known_is_categorized_for_its_draft(small):
    small.assistant.outcomes["categorize"] = SERVER_ERROR
    small.file("payment")
    small.assistant.outcomes.clear()
    assert draft(small, 1).get_json()["suggestion"]["text"] == "This is how Payment works."
    assert small.ticket(1)["category"] == ""


def test_a_draft_that_fails_is_told_and_nothing_is_lost(small):
    small.file("unsure")
    small.assistant.outcomes["respond"] = SERVER_ERROR
    answer = draft(small, 1)
    assert answer.status_code == 502
    assert "could not write a draft" in answer.get_json()["error"]
    assert small.ticket(1)["suggestion"] is None
    assert small.store.calls(1)[0]["outcome"] == "server error"
    small.assistant.outcomes.clear()
    assert draft(small, 1).status_code == 200
    assert draft(small, 9).status_code == 404


def test_two_agents_do_not_pay_for_the_same_draft(small):
    small.file("unsure")
    small.assistant.hold.clear()
    box = []
    worker = threading.Thread(target=lambda: box.append(draft(small, 1).status_code))
    before = len(small.assistant.asked)
    worker.start()
    until = time.monotonic() + 20
    while len(small.assistant.asked) == before:
        assert time.monotonic() < until
        time.sleep(0.005)
    assert draft(small, 1).status_code == 409
    # Nor does the draft keep anybody from the ticket.
    assert small.change(1, status="In Progress").status_code == 200
    small.assistant.hold.set()
    worker.join(20)
    assert box == [200]
    assert small.ticket(1)["suggestion"]["text"]


@pytest.mark.parametrize("role", ["off", "triage"])
def test_a_desk_whose_assistant_does_not_answer_has_no_drafts(tmp_path, role):
    small = Small(tmp_path, role=role)
    small.file("login")
    assert draft(small, 1).status_code == 422
    small.store.close()


def test_articles_that_fit_are_there_for_every_ticket(tmp_path):
    small = Small(tmp_path, floor=-1)
    small.file("unsure, I forgot my password")
    (found,) = small.client.get("/tickets/1/articles").get_json()["articles"]
    assert (found["slug"], found["title"]) == ("reset", "Reset your password")
    assert "Press Forgot password." in found["text"]
    assert not small.store.ticket(1)["suggestion"]
    assert small.client.get("/tickets/9/articles").status_code == 404
    assert small.ticket(1)["model_wanted"] == MODEL
    small.store.close()
