"""The live desk's API: tickets answered as the twin's lifecycle says."""

import pytest

from tests.live_desk import CATEGORIES, MODEL, THANKS, Small
from twin.assistant.protocol import (
    SERVER_ERROR,
)
from twin.live.bodies import FOR_AGENTS
from twin.live.desk import FOR_REVIEW
from twin.records.tables import STATUSES, TRANSITIONS

EMPTY = {"error": "Please provide a ticket description."}


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
