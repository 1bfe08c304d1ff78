"""The live desk's page for customers, drawn without a browser: what it shows, asks and says."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from stub_desk import (
    NASTY,
    PAGES,
    AppTest,
    draw,
    labels,
    press,
    protos,
    rate,
    send,
    stubbed,
    texts,
    whole,
)

from twin.live.page import desk as customers_page
from twin.live.page import parts
from twin.live.page.client import DeskError, Message


@pytest.fixture
def desk(monkeypatch):
    return stubbed(monkeypatch)


def test_a_ticket_is_answered_rated_and_thanked_for(desk):
    app = send(draw("desk"), "login issue")
    assert [step[:4] for step in desk.asked] == [("file", "login issue", "small", True)]
    assert "Answer to login issue" in texts(app.text)
    assert any("Reset a password" in text for text in texts(app.caption))
    app = press(app, "Send rating")
    assert texts(app.error) == ["Please choose from one to five stars."]
    app.feedback[0].set_value(4)
    app.text_input[0].set_value("well done")
    app = press(app, "Send rating")
    assert desk.asked[-1][:4] == ("rate", 1, 5, "well done")
    assert texts(app.success) == ["Thank you for your 5 stars!"]
    assert not [b for b in app.button if b.label == "Send rating"]


def test_model_and_retrieval_are_the_customers_choice(desk):
    app = draw("desk")
    app.selectbox[0].set_value("large")
    app.toggle[0].set_value(False)
    app = send(app, "login issue")
    assert desk.asked[0][2:4] == ("large", False)
    assert not any("articles" in text for text in texts(app.caption))


def test_the_page_says_who_answers(desk):
    desk.note = "No key is in use."
    assert texts(draw("desk").info) == [r"No key is in use\."]


def test_an_empty_description_is_not_sent(desk):
    app = send(draw("desk"), " \n ")
    assert texts(app.error) == ["Please provide a ticket description."]
    assert desk.asked == []


def test_a_ticket_sent_again_after_a_fault_is_the_same_ticket(desk):
    desk.fault = DeskError("Please try again.", 503)
    app = send(draw("desk"), "login issue")
    assert texts(app.error) == [r"Please try again\."]
    # What was typed is still there to be sent again.
    assert app.text_area[0].value == "login issue"
    app = press(app, "Send")
    desk.fault = None
    app = press(app, "Send")
    keys = [step[-1] for step in desk.asked]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    # The next one is another, even in the same words.
    send(app, "login issue")
    assert desk.asked[-1][-1] not in keys


def test_a_second_press_of_send_does_not_file_the_ticket_twice(desk):
    app = send(draw("desk"), "login issue")
    assert app.text_area[0].value == ""
    app = press(app, "Send")
    assert texts(app.error) == ["Please provide a ticket description."]
    assert len(desk.known) == 1
    # The answer that was given stays in sight.
    assert "Answer to login issue" in texts(app.text)


def test_a_ticket_that_only_agents_can_answer_is_kept_in_the_history(desk):
    kept = desk.add(description="no answer", response="", status="Escalated")
    desk.fault = DeskError("Your ticket is not lost.", 502, kept.number)
    app = send(draw("desk"), "no answer")
    assert texts(app.error) == [r"Your ticket is not lost\."]
    assert app.text_area[0].value == ""
    assert app.query_params["tickets"] == "1"
    desk.fault = None
    app = whole(app.run())
    assert "Our people are looking into it." in texts(app.text)


def test_the_history_survives_a_reload(desk):
    app = send(draw("desk"), "first")
    app = send(app, "second")
    address = app.query_params["tickets"]
    assert address == "1-2"
    again = draw("desk", tickets=address)
    assert [e.label for e in again.expander] == ["2: second (Resolved)", "1: first (Resolved)"]
    assert {"first", "Answer to first", "second", "Answer to second"} <= set(texts(again.text))
    # What was answered in the meantime can be rated now, and only once.
    desk.fault = DeskError("This was sent before.", 409)
    again.feedback[0].set_value(3)
    again = press(again, "Send rating")
    assert texts(again.success) == ["Thank you! You have rated this answer before."]


def keys_of_ratings(desk):
    return [step[-1] for step in desk.asked if step[0] == "rate"]


def test_the_key_of_a_rating_is_the_visitors_own_secret(desk):
    app = send(draw("desk"), "login issue")
    address = {name: app.query_params[name] for name in ("tickets", "visitor")}
    rate(app, 4)
    # The same after a reload, so that it counts once; another one for whoever lacks the secret.
    rate(draw("desk", **address), 2)
    rate(draw("desk", tickets="1"), 1)
    for short in ("", "x", "guess", "a" * 21, "\u00e9" * 30, "a b" * 10):
        rate(draw("desk", tickets="1", visitor=short), 1)
    first, again, *others = keys_of_ratings(desk)
    assert first == again
    assert len({first, *others}) == 1 + len(others)
    # Neither the ticket's number nor anything of the desk leads to it.
    assert all(len(key) == 64 and address["visitor"] not in key for key in [first, *others])
    # What is answered anew can be rated anew.
    desk.known[1] = replace(desk.known[1], answered=2e9)
    rate(draw("desk", **address), 5)
    assert keys_of_ratings(desk)[-1] != first


def waiting(desk):
    answer = {"response": "Press it.", "answered_by": "assistant", "answered": 1e9}
    return desk.add(status="Waiting for customer", resolves=time.time() + 7300, **answer)


def test_an_answer_asks_whether_it_helped_and_thanks(desk):
    waiting(desk)
    app = draw("desk", tickets="1")
    assert {"Yes", "No", "I need a person", "Send reply"} <= set(labels(app))
    assert "Without a word from you it counts as solved in 3 hours." in texts(app.caption)
    app = press(app, "Yes")
    assert desk.asked[-1][:3] == ("reply", 1, {"helped": True})
    assert [t.value for t in app.toast] == [r"Good to hear\. Thank you\!"]
    assert "Yes" not in labels(app)
    assert any("This helped" in text for text in texts(app.caption))
    # Also after a reload, and who changes their mind may say so.
    again = draw("desk", tickets="1")
    assert "No" not in labels(again)
    assert "I need a person" in labels(again)


@pytest.mark.parametrize(
    ("label", "said"), [("No", {"helped": False}), ("I need a person", {"person": True})]
)
def test_what_did_not_help_goes_to_a_person(desk, label, said):
    waiting(desk)
    app = press(draw("desk", tickets="1"), label)
    assert desk.asked[-1][:3] == ("reply", 1, said)
    assert "Did this help?" not in " ".join(texts(app.markdown))
    assert "A person has your ticket. The answer will be here." in texts(app.caption)
    assert "I need a person" in labels(app)


def test_a_person_can_be_asked_for_before_there_is_an_answer(desk):
    desk.add()
    app = draw("desk", tickets="1")
    assert "Yes" not in labels(app)
    press(app, "I need a person")
    assert desk.asked[-1][:3] == ("reply", 1, {"person": True})


def test_a_reply_is_sent_once_though_it_is_pressed_twice(desk):
    waiting(desk)
    app = draw("desk", tickets="1")
    app = press(app, "Send reply")
    assert texts(app.error) == ["Please write something first."]
    desk.fault = DeskError("Please try again.", 503)
    app.text_area(key="text 1").set_value(NASTY)
    app = press(app, "Send reply")
    assert texts(app.error) == [r"Please try again\."]
    desk.fault = None
    # What was typed is gone from the box of a form that was sent, so it is typed again.
    app.text_area(key="text 1").set_value(NASTY)
    app = press(app, "Send reply")
    keys = [step[-1] for step in desk.asked]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert NASTY in texts(app.text)


def test_a_ticket_that_is_over_takes_no_more_words(desk):
    desk.add(status="Closed", response="Bye.", answered_by="agent")
    app = draw("desk", tickets="1")
    assert not {"Yes", "No", "I need a person", "Send reply"} & set(labels(app))
    assert any("please send a new one" in text for text in texts(app.caption))


def test_the_whole_thread_is_shown_to_customers_and_agents(desk):
    thread = tuple(Message(by, text, 1e9) for by, text in (
        ("customer", "help"), ("assistant", "Press it."), ("customer", "No."),
    ))  # fmt: skip
    desk.add(status="Reopened", response="Press it.", answered_by="assistant", messages=thread)
    assert texts(draw("desk", tickets="1").text) == ["help", "Press it.", "No."]
    assert texts(draw("agent_queue").text) == ["help", "Press it.", "No."]


@pytest.mark.parametrize("address", ["", "x", "7-7-999999999999-0", "1-2-<b>", "-" * 300, "9" * 9])
def test_an_odd_address_is_no_fault(desk, address):
    desk.add(description="mine")
    assert len(draw("desk", tickets=address).expander) <= 1


def test_a_desk_that_is_not_there_is_said_in_plain_words(desk, monkeypatch):
    def gone():
        raise DeskError("The desk cannot be reached at the moment.")

    monkeypatch.setattr(desk, "health", gone)
    app = draw("desk")
    assert texts(app.error) == [r"The desk cannot be reached at the moment\."]
    desk.fault = DeskError("The desk cannot be reached at the moment.")
    assert texts(draw("agent_queue").error) == texts(app.error)


@pytest.mark.parametrize("name", PAGES)
def test_text_of_tickets_is_shown_as_text(desk, name):
    for status in ("Escalated", "Pending Review", "Resolved"):
        desk.add(
            description=NASTY,
            category=NASTY,
            response=NASTY,
            draft=NASTY,
            status=status,
            model=NASTY,
            priority=NASTY,
        )
    app = draw(name, tickets="1-2-3")
    if name == "desk":
        app = send(app, NASTY)
    shown = [t for t in texts(app.text) if t.startswith("<script>")]
    assert NASTY in shown
    markdown = [*texts(app.markdown), *texts(app.caption), *texts(app.error), *texts(app.success)]
    markdown += [e.label for e in app.expander]
    markdown += [b.proto.label for b in protos(app) if hasattr(getattr(b, "proto", 0), "label")]
    assert any(r"\<script\>" in text for text in markdown)
    for text in markdown:
        for sign in ("<script", "**bold", ":red[x", "$a", "[y](", "`z", "http://"):
            bare = text.replace(f"\\{sign}", "")
            assert sign not in bare, text
    assert not any(getattr(e.proto, "allow_html", False) for e in app.markdown)


def test_labels_stay_on_one_line_and_make_no_links():
    made = parts.escaped("a\nb\x00\u2028 www.x.example me@x.example http://x", 0)
    assert "\n" not in made
    plain = made.replace("\\", "")
    assert not any(link in plain for link in ("www.x", "me@x", "http://"))
    assert parts.escaped("x" * 50, 10) == "x" * 9 + "…"


def test_commands_in_notes_are_code_and_nothing_else_is_markup():
    assert parts.with_code("See `twin run --out a_b` (*).") == r"See `twin run --out a_b` \(\*\)\."
    # What cannot be code is text, and in code there is no way out of it.
    assert parts.with_code("a ` b **c**") == r"a \` b \*\*c\*\*"
    assert parts.with_code("`` and ` `") == r"\`\` and \` \`"
    assert parts.with_code("`a\n\n# b`\u2028`<b>`") == "`a # b` `<b>`"


def test_all_pages_are_there(desk, monkeypatch):
    script = Path(customers_page.__file__).with_name("app.py")
    app = AppTest.from_file(str(script), default_timeout=60)
    app = whole(app.run())
    assert texts(app.title) == ["How can we help?"]
