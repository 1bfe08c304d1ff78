"""The live desk's page, drawn without a browser: what it shows, asks of the desk, and says."""

import io
import json
import re
import time
import urllib.error
from dataclasses import replace
from email.message import Message as Headers
from pathlib import Path

import pytest

pytest.importorskip("streamlit", reason="the page takes the extra [live]")
from streamlit.testing.v1 import AppTest

from twin.live.page import agent_card, agent_queue, parts, results
from twin.live.page import desk as customers_page
from twin.live.page.client import (
    NOBODY,
    Client,
    DeskError,
    Message,
    Search,
    Suggestion,
    Ticket,
    _in_words,
)
from twin.scenario.file import load

NASTY = "<script>alert(1)</script> **bold** :red[x] $a$ [y](http://evil.example) `z`"
PAGES = {"desk": customers_page, "agent_queue": agent_queue}


class StubDesk:
    """Stands in for the client: answers at once, and remembers what it was asked."""

    def __init__(self):
        self.known = {}
        self.asked = []
        self.fault = None
        self.note = ""
        self.searches, self.versions = [], []

    def add(self, **values):
        number = len(self.known) + 1
        usual = {"category": "Login", "response": "", "status": "Escalated", "received": 1e9}
        ticket = Ticket(number, **{"description": "help", **usual, **values})
        self.known[number] = ticket
        return ticket

    def health(self):
        return {"status": "ok", "backend": "embedded", "note": self.note}

    def models(self):
        return ["small", "large"]

    def file(self, description, model, use_rag, key):
        self.asked.append(("file", description, model, use_rag, key))
        self._fail()
        return self.add(
            description=description,
            model=model,
            response=f"Answer to {description}",
            status="Resolved",
            articles=("Reset a password", NASTY) if use_rag else (),
        )

    def rate(self, ticket, rating, feedback, key):
        self.asked.append(("rate", ticket.number, rating, feedback, key))
        self._fail()

    def ticket(self, number):
        if number not in self.known:
            raise DeskError("gone", 404)
        return self.known[number]

    def reply(self, number, key, **said):
        self.asked.append(("reply", number, said, key))
        self._fail()
        now = self.known[number]
        message = Message("customer", said.get("text", ""), 1e9, said.get("helped"),
                          said.get("person", False))  # fmt: skip
        status = "Resolved" if said.get("helped") else "Reopened"
        self.known[number] = replace(
            now, messages=(*now.thread, message), status=status, resolves=None
        )

    def counts(self):
        self._fail()
        statuses = [ticket.status for ticket in self.known.values()]
        return {status: statuses.count(status) for status in statuses}

    def categories(self):
        return ["Login", "Payment"]

    def articles(self, number):
        self.asked.append(("articles", number))
        return [("Reset a password", "Press it."), (NASTY, NASTY)]

    def draft(self, number):
        self.asked.append(("draft", number))
        self._fail()
        made = Suggestion(f"Draft for {number}", "embedded", "", ("Reset a password",))
        self.known[number] = replace(self.known[number], suggestion=made)
        return self.known[number]

    def merge(self, number, into, version):
        self.asked.append(("merge", number, into, version))
        self._fail()

    def queue(self, status, most, place="", search=None):
        self.searches.append(search)
        found = sorted(
            (t for t in self.known.values() if t.status == status),
            key=lambda t: (agent_card._due(t)[1] or 1e18, t.number),
        )
        behind = int(place or 0)
        more = len(found) > behind + most
        return found[behind : behind + most], str(behind + most) if more else ""

    def change(self, number, status=None, response=None, version=None, **more):
        self.asked.append(("change", number, status, response, *([more] if more else [])))
        self.versions.append(version)
        self._fail()
        return self.known[number]

    def _fail(self):
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def desk(monkeypatch):
    stub = StubDesk()
    for module in PAGES.values():
        monkeypatch.setattr(module, "Client", lambda: stub)
    return stub


def draw(name, **address):
    """The page's script, run once; with what stands in the address."""
    app = AppTest.from_string(
        f"from twin.live.page import desk, {name}\ndesk.remember()\n{name}.show()",
        default_timeout=60,
    )
    for key, value in address.items():
        app.query_params[key] = value
    return whole(app.run())


def whole(app):
    assert not app.exception, [one.message for one in app.exception]
    return app


def press(app, label):
    button = next(b for b in app.button if b.label == label)
    return whole(button.click().run())


def texts(elements):
    return [element.value for element in elements]


def send(app, text):
    app.text_area[0].set_value(text)
    return press(app, "Send")


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


def rate(app, stars):
    app.feedback[0].set_value(stars - 1)
    return press(app, "Send rating")


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


def labels(app):
    return [b.label for b in app.button]


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


def protos(app):
    """All that goes to the browser, as text by kind of element."""
    found = []

    def walk(block):
        for node in block.children.values():
            if hasattr(node, "children"):
                walk(node)
            found.append(node)

    walk(app.main)
    return found


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


# The queue


def test_the_queue_shows_what_is_most_pressing_first(desk):
    now = time.time()
    desk.add(description="calm", received=now - 60, first_response_due=now + 7200)
    desk.add(description="late", received=now - 7200, first_response_due=now - 3600)
    desk.add(
        description="answered",
        received=now,
        responded=now,
        first_response_due=now - 9,
        resolution_due=now + 600,
    )
    app = draw("agent_queue")
    assert [e.label for e in app.expander] == [
        r"2: :red[overdue] late",
        "3: answered",
        "1: calm",
    ]
    assert app.pills[0].options == ["Escalated (3)"]
    badges = " ".join(texts(app.markdown))
    assert "first response overdue by 1 h" in badges
    assert "resolution due in 9 min" in badges
    assert "received 2 h ago" in " ".join(texts(app.caption))


def numbers_on(app):
    return [int(e.label.split(":")[0]) for e in app.expander]


def usable(app):
    """Buttons of the list that can be pressed."""
    names = ("Refresh", "First", "Previous", "Next")
    return {b.label for b in app.button if b.label in names and not b.disabled}


def test_all_of_a_long_queue_can_be_reached(desk):
    now = time.time()
    # The newest are the least overdue.
    for n in range(60):
        desk.add(received=now - 60 * (60 - n), first_response_due=now + 60 * n - 1800)
    app = draw("agent_queue")
    assert numbers_on(app) == list(range(1, 26))
    assert "Part 1 of 3; the most overdue first." in texts(app.caption)
    app = press(app, "Next")
    assert numbers_on(app) == list(range(26, 51))
    app = press(app, "Next")
    assert numbers_on(app) == list(range(51, 61))
    assert usable(app) == {"Refresh", "First", "Previous"}
    app = press(app, "Previous")
    assert numbers_on(app) == list(range(26, 51))
    app = press(app, "First")
    assert numbers_on(app) == list(range(1, 26))
    assert usable(app) == {"Refresh", "Next"}
    # Another status begins at its own beginning, and so does the first one after it.
    app = press(app, "Next")
    for _ in range(30):
        desk.add(status="Resolved", response="Done.")
    whole(app.run())
    app.pills[0].set_value("Resolved")
    app = whole(app.run())
    assert len(numbers_on(app)) == 25
    assert "Part 1 of 2; the newest first." in texts(app.caption)
    app.pills[0].set_value("Escalated")
    assert numbers_on(whole(app.run())) == list(range(1, 26))


def test_a_part_whose_tickets_are_gone_leads_back(desk):
    for _ in range(26):
        desk.add()
    app = press(draw("agent_queue"), "Next")
    assert numbers_on(app) == [26]
    del desk.known[26]
    app = press(app, "Refresh")
    assert "No more tickets are here now." in texts(app.markdown)
    assert numbers_on(press(app, "First")) == list(range(1, 26))


def test_the_status_that_is_looked_at_is_in_the_address(desk):
    desk.add()
    for _ in range(2):
        desk.add(status="Resolved", response="Done.")
    app = draw("agent_queue")
    assert app.query_params["status"] == "Escalated"
    app.pills[0].set_value("Resolved")
    whole(app.run())
    assert app.query_params["status"] == "Resolved"
    # More of them, as after a reload or while somebody works.
    desk.add(status="Resolved", response="Done.")
    app = draw("agent_queue", status="Resolved")
    assert app.pills[0].value == "Resolved"
    assert len(app.expander) == 3
    for gone in ("Closed", "<b>", ""):
        assert draw("agent_queue", status=gone).pills[0].value == "Escalated"


def test_an_agent_approves_a_draft_as_it_is_or_mended(desk):
    desk.add(draft="Do this.", status="Pending Review")
    app = draw("agent_queue")
    assert app.text_area[0].value == "Do this."
    press(app, "Approve and send")
    assert desk.asked == [("change", 1, "Resolved", "Do this.")]
    app = draw("agent_queue")
    app.text_area[0].set_value("Do that.")
    press(app, "Approve and send")
    assert desk.asked[-1] == ("change", 1, "Resolved", "Do that.")


def test_an_agent_picks_up_answers_and_reopens(desk):
    desk.add()
    app = press(draw("agent_queue"), "Send answer")
    assert texts(app.error) == ["Please write an answer first."]
    app.text_area[0].set_value("Here you are.")
    press(app, "Send answer")
    assert desk.asked == [
        ("change", 1, "In Progress", None),
        ("change", 1, "Resolved", "Here you are."),
    ]
    press(draw("agent_queue"), "Take")
    assert desk.asked[-1] == ("change", 1, "In Progress", None)
    desk.known.clear()
    desk.add(status="Resolved", response="Done.")
    app = draw("agent_queue")
    assert "Done." in texts(app.text)
    assert not [b for b in app.button if b.label == "Send answer"]
    press(app, "Reopen")
    assert desk.asked[-1] == ("change", 1, "Reopened", None)


def test_who_comes_too_late_is_told(desk):
    desk.add()
    app = draw("agent_queue")
    next(b for b in app.button if b.label == "Take").click()

    def late(number, status, response=None, **more):
        raise DeskError("Somebody else changed this ticket just now", 409)

    desk.change = late
    app = whole(app.run())
    assert texts(app.error) == ["Somebody else changed this ticket just now"]


def test_who_comes_too_late_sees_what_changed_and_keeps_the_text(desk, monkeypatch):
    seen = desk.add(version=3)
    app = draw("agent_queue")
    app.text_area[0].set_value("My words.")
    app = whole(app.run())

    def late(number, status=None, response=None, version=None, **more):
        assert version == 3
        now = replace(seen, status="In Progress", assignee="Ana <b>", version=5)
        desk.known[1] = now
        raise DeskError("Somebody else changed this ticket", 409, now=now)

    # Another agent was quicker: what was shown counts, not what the page reads on the click.
    desk.known[1] = replace(seen, priority="high", version=4)
    monkeypatch.setattr(desk, "change", late)
    app = press(app, "Send answer")
    (said,) = texts(app.error)
    plain = said.replace("\\", "").replace("\u200b", "")
    assert "Now: status In Progress (was Escalated), assigned to Ana <b> (was nobody)" in plain
    app = look_at(whole(app.run()), "In Progress")
    assert app.text_area[0].value == "My words."


def test_a_queue_is_searched_under_the_agents_own_name(desk):
    desk.add()
    app = draw("agent_queue")
    next(t for t in app.text_input if t.label.startswith("Your name")).set_value(" Ana  Lu ")
    next(t for t in app.text_input if t.label == "Search in tickets").set_value("card")
    app = whole(app.run())
    assert app.query_params["agent"] == "Ana Lu"
    next(b for b in app.selectbox if b.label == "Assigned to").set_value("Ana Lu")
    next(b for b in app.selectbox if b.label == "Priority").set_value("urgent")
    app = whole(app.run())
    assert desk.searches[-1] == Search("card", "", "urgent", "Ana Lu")
    assert desk.searches[-1].query == {"text": "card", "priority": "urgent", "assignee": "Ana Lu"}
    assert Search(assignee=NOBODY).query == {"assignee": ""}
    press(app, "Take")
    assert desk.asked[-1] == ("change", 1, "In Progress", None, {"assignee": "Ana Lu"})
    # The name is in the address, so it is there after a reload.
    again = draw("agent_queue", agent="Ana Lu")
    assert next(t for t in again.text_input if t.label.startswith("Your name")).value == "Ana Lu"


def test_an_agent_gets_articles_and_a_draft_to_use(desk):
    desk.add(description="help")
    app = draw("agent_queue")
    assert "Use this draft" not in labels(app)
    app = press(app, "Draft by the assistant")
    assert ("draft", 1) in desk.asked
    assert "Draft for 1" in texts(app.text)
    assert any("nothing of it was sent" in text for text in texts(app.caption))
    app = press(app, "Use this draft")
    assert app.text_area[0].value == "Draft for 1"
    press(app, "Send answer")
    assert desk.asked[-1] == ("change", 1, "Resolved", "Draft for 1")


@pytest.mark.parametrize("sent", [False, True])
def test_a_draft_that_the_customer_had_already_is_told(desk, sent):
    desk.add(suggestion=Suggestion("Do this.", "embedded", sent=sent))
    said = [text for text in texts(draw("agent_queue").caption) if "already had" in text]
    assert len(said) == sent


def test_an_agent_asks_recategorises_assigns_and_merges(desk):
    desk.add(version=7)
    app = draw("agent_queue")
    next(b for b in app.selectbox if b.key.startswith("category 1")).set_value("Payment")
    next(t for t in app.text_input if t.label == "Assigned to").set_value("Bo")
    app = press(whole(app.run()), "Save")
    assert desk.asked[-1] == ("change", 1, None, None, {"category": "Payment", "assignee": "Bo"})
    assert desk.versions[-1] == 7
    app = press(app, "Merge")
    assert texts(app.error) == ["Please give the number of the other ticket."]
    app.number_input[0].set_value(9)
    app = press(app, "Merge")
    assert desk.asked[-1] == ("merge", 1, 9, 7)
    app.text_area[0].set_value("Which card?")
    press(app, "Ask the customer")
    assert desk.asked[-1] == ("change", 1, "Waiting for customer", "Which card?")


def look_at(app, status):
    app.pills[0].set_value(status)
    return whole(app.run())


def test_what_an_agent_typed_is_not_lost_when_the_ticket_changes(desk, monkeypatch):
    def change(number, status, response=None, **more):
        now = desk.known[number]
        desk.known[number] = replace(now, status=status, response=response or now.response)
        return desk.known[number]

    monkeypatch.setattr(desk, "change", change)
    desk.add()
    desk.add(status="Pending Review", draft="Do this.")
    app = draw("agent_queue")
    app.text_area[0].set_value("A long answer.")
    app = press(app, "Take")
    assert app.text_area[0].value == "Do this."
    app = look_at(app, "In Progress")
    assert app.text_area[0].value == "A long answer."
    # Another ticket's draft is its own, and a look elsewhere changes nothing.
    assert look_at(app, "Pending Review").text_area[0].value == "Do this."
    app = look_at(app, "In Progress")
    assert app.text_area[0].value == "A long answer."
    press(app, "Send answer")
    assert (desk.known[1].status, desk.known[1].response) == ("Resolved", "A long answer.")
    # Once it is sent, it is not offered again.
    desk.known[1] = replace(desk.known[1], status="Reopened", response="Sent by another.")
    app = look_at(whole(app.run()), "Reopened")
    assert "Sent by another." in texts(app.text)
    assert app.text_area[0].value == ""


def test_nothing_waits(desk):
    assert texts(draw("agent_queue").markdown) == ["No ticket was filed yet."]
    desk.add(status="Closed", response="Bye.")
    app = draw("agent_queue")
    assert [b.label for b in app.button] == ["Refresh"]


# What-if and results


@pytest.fixture
def folders(tmp_path, monkeypatch):
    scenarios, results = tmp_path / "scenarios", tmp_path / "results"
    scenarios.mkdir()
    (scenarios / "baseline.toml").write_text(
        'question = "A day?"\nhorizon = "1d"\nreplications = 3\n[arrivals]\nrate = "6/h"\n'
        '[agents.all]\nheads = 1\nhandle_time = "9min"\ncost = 20.0\n[targets.first_response]\n'
        'normal = "30min"\n'
    )
    (scenarios / "two.toml").write_text('extends = "baseline.toml"\n[agents.all]\nheads = 2\n')
    monkeypatch.setenv("TWIN_SCENARIOS", str(scenarios))
    monkeypatch.setenv("TWIN_RESULTS", str(results))
    return scenarios, results


def slider(app, label):
    return next(s for s in app.slider if s.label == label)


def html_of(app):
    return " ".join(element.proto.body for element in app.get("html"))


def test_a_what_if_is_played_and_compared_and_saved(folders):
    scenarios, results = folders
    app = draw("whatif")
    assert [s.label for s in app.slider] == ["Load", "Agents more or less: all"]
    slider(app, "Load").set_value(3.0)
    slider(app, "Agents more or less: all").set_value(1)
    app.number_input[0].set_value(8)
    app = press(app, "Run")
    assert [h.value for h in app.subheader] == [r"baseline what\-if against baseline"]
    table = html_of(app)
    assert all(f">{word}<" in table for word in ("arrivals", "occupancy", "cost per resolution"))
    assert "better: " in table or "worse: " in table
    pictures = [one for image in app.image for one in image.proto.imgs]
    assert len(pictures) >= 3
    assert all(picture.alt for picture in pictures)
    assert len(list(results.glob("*/*/manifest.json"))) == 2
    app = press(app, "Save")
    made = scenarios / "baseline-what-if.toml"
    assert texts(app.success) == [f"Saved as {parts.escaped(str(made))}."]
    assert 'extends = "baseline.toml"' in made.read_text()
    saved = load(made)
    assert (saved.arrivals.scale, saved.agents["all"].extra_heads) == (3.0, 1)
    app = press(app, "Save")
    assert texts(app.error) == ["There is a file of this name already; choose another."]
    for name in ("../out", "", "a/b", ".hidden"):
        next(t for t in app.text_input if t.label == "Name").set_value(name)
        app = whole(app.run())
        assert "A name starts with a letter" in texts(app.error)[0]
    assert sorted(p.name for p in scenarios.parent.rglob("*.toml")) == [
        "baseline-what-if.toml",
        "baseline.toml",
        "two.toml",
    ]


def test_another_file_can_be_the_baseline_and_without_changes_there_is_none(folders):
    app = draw("whatif")
    app.number_input[0].set_value(2)
    app = press(app, "Run")
    assert [h.value for h in app.subheader] == ["baseline"]
    assert "difference" not in html_of(app)
    next(s for s in app.selectbox if s.label == "Compare with").set_value("two")
    app = press(whole(app.run()), "Run")
    assert [h.value for h in app.subheader] == ["baseline against two"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('horizn = "1d"', 'did you mean "horizon"'),
        ("a = = b", "not valid TOML"),
        (None, "no such file"),
    ],
)
def test_a_broken_scenario_file_is_explained(folders, content, words):
    path = folders[0] / "broken.toml"
    if content is not None:
        path.write_text(content)
    app = draw("whatif")
    app.selectbox[0].set_value("another file ...")
    app = whole(app.run())
    assert [b.label for b in app.button] == []
    next(t for t in app.text_input if t.label == "Scenario file").set_value(str(path))
    app = whole(app.run())
    assert words in texts(app.text)[0]
    assert not [b for b in app.button if b.label == "Run"]


def test_only_scenario_files_are_read(folders, tmp_path):
    (tmp_path / "secret.txt").write_text("secret = 1")
    app = draw("whatif")
    app.selectbox[0].set_value("another file ...")
    app = whole(app.run())
    app.text_input[0].set_value(str(tmp_path / "secret.txt"))
    app = whole(app.run())
    assert "not a scenario file" in texts(app.text)[0]


def test_results_are_found_compared_and_reported(folders):
    assert "Nothing was run yet" in texts(draw("results").markdown)[0]
    app = draw("whatif")
    slider(app, "Load").set_value(1.5)
    app.number_input[0].set_value(2)
    press(app, "Run")
    broken = folders[1] / "odd" / "20990101T000000Z-0"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text(
        json.dumps({"scenario": NASTY, "status": "running", "scenario_as_run": {}})
    )
    (folders[1] / "odd" / "none").mkdir()
    (folders[1] / "odd" / "none" / "manifest.json").write_text("{")
    app = draw("results")
    assert texts(app.error) == ["This cannot be opened:"]
    assert "no replication is whole" in texts(app.text)[0]
    runs = results.saved_runs(folders[1])
    assert len(runs) == 3
    app.selectbox[0].set_value(runs[1][0])
    app = whole(app.run())
    assert "arrivals" in html_of(app)
    # Figures as pictures, not only a table.
    assert len([one for image in app.image for one in image.proto.imgs]) >= 3
    app.selectbox[1].set_value(runs[2][0])
    app = press(whole(app.run()), "Open the report")
    page = app.get("iframe")[0].proto.srcdoc
    assert page.startswith("<!doctype html>")
    assert "script" not in page.lower().replace("description", "")
    assert [b.label for b in app.get("download_button")] == ["Download it"]


def test_the_live_desks_own_record_is_shown_with_figures_and_report(folders, tmp_path, monkeypatch):
    from tests.live_desk import Small

    database = tmp_path / "desk.sqlite"
    monkeypatch.setenv("TWIN_DATABASE", str(database))
    small = Small(tmp_path)
    app = draw("results")
    assert texts(app.error) == ["There is nothing to show yet:"]
    assert "no ticket was filed yet" in texts(app.text)[0]
    for text in ("login", "login", "unsure"):
        small.file(text)
    body = {"description": "x", "rating": 5, "ticket_id": 1}
    assert small.client.post("/submit_feedback", json=body).status_code == 200
    small.client.post("/tickets/2/reply", json={"helped": False})
    small.store.close()
    app = press(app, "Read again")
    assert any("`twin live-scenario` measures" in text for text in texts(app.caption))
    table = html_of(app)
    assert all(
        f">{word}<" in table for word in ("arrivals", "CSAT", "reopen rate", "service level")
    )
    assert re.search(r"reopen rate.{1,80}50\.0.%", table)
    pictures = [one for image in app.image for one in image.proto.imgs]
    assert len(pictures) >= 2
    assert all(picture.alt for picture in pictures)
    app = press(app, "Open the report")
    page = app.get("iframe")[0].proto.srcdoc
    assert page.startswith("<!doctype html>")
    assert "<code>twin live-scenario</code> measures" in page


def test_all_pages_are_there(desk, monkeypatch):
    script = Path(customers_page.__file__).with_name("app.py")
    app = AppTest.from_file(str(script), default_timeout=60)
    app = whole(app.run())
    assert texts(app.title) == ["How can we help?"]


# The client


def fault(status, body=b"", **headers):
    message = Headers()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return urllib.error.HTTPError("http://x", status, "no", message, io.BytesIO(body))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (fault(400, b'{"error": "please say more"}'), "Please say more"),
        (fault(409, b'{"error": "a ticket that is Closed stays as it is"}'), "stays as it is"),
        (fault(422, b'{"error": "this Idempotency-Key was used"}'), "sent before"),
        (fault(429, b"{}", Retry_After="7"), "in 7 seconds"),
        (fault(429, b"{}", Retry_After="soon"), "in a minute"),
        (fault(413), "too long"),
        (fault(502, b'{"error": "not lost", "ticket_id": 3}'), "Not lost"),
        (fault(502, b"<html>Bad gateway</html>"), "assistant cannot answer"),
        (fault(503, b'{"error": "sqlite: disk I/O error"}'), "desk is busy"),
        (fault(500, b'{"error": "KeyError"}'), "Something went wrong"),
        (fault(401), "desk's token"),
        (fault(400, b"[1]"), "Something went wrong"),
    ],
)
def test_faults_are_told_in_words_for_customers(error, words):
    told = _in_words(error)
    assert words in str(told)
    assert "sqlite" not in str(told)
    assert (told.ticket == 3) == ("Not lost" in words)


TICKET = {"ticket_id": 1, "status": "Open", "received_at": "2026-01-01T00:00:00Z"}
ODD = [
    b"", b"null", b"[]", b"7", b'"x"', b"{}", b"[" * 100_000, b'{"a":' * 50_000, b"\xff", b"{",
    b'{"tickets": 7, "models": 7, "counts": 7, "default": []}',
    b'{"tickets": [7], "models": [7], "counts": {"Open": "x"}, "default": "m"}',
    b'{"tickets": [{}], "models": [{}], "counts": [], "default": "m", "next_after": []}',
    *(json.dumps({**TICKET, **odd, "tickets": [{**TICKET, **odd}]}).encode() for odd in (
        {"ticket_id": "x"}, {"ticket_id": None}, {"received_at": "yesterday"}, {"received_at": 7},
        {"articles": [7]}, {"articles": [{}]}, {"articles": 7}, {"reopens": "x"},
        {"reopens": [1]}, {"ticket_id": 1e400},
    )),
]  # fmt: skip


@pytest.fixture
def odd_desk():
    """Something that answers any request with given bytes; its address, and where to put them."""
    import socket
    import threading

    said = [b""]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(said[0])

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", said
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.network
@pytest.mark.enable_socket
def test_whatever_answers_in_the_desks_place_is_told_in_words(odd_desk):
    url, said = odd_desk
    client = Client(url)
    asks = [
        client.models, client.counts, lambda: client.ticket(1), lambda: client.queue("Open", 5),
        lambda: client.queue("Closed", 5), lambda: client.file("x", "m", True, "k"),
        lambda: client.change(1, "Closed"), lambda: client.draft(1), client.categories,
        lambda: client.articles(1), lambda: client.merge(1, 2, 3),
        lambda: client.reply(1, "k", helped=True),
    ]  # fmt: skip
    whole = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(b), b) for b in ODD]
    faulty = [b"HTTP/1.1 502 X\r\nContent-Length: %d\r\n\r\n%s" % (len(b), b) for b in ODD]
    cut = [b"", b"GARBAGE\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
           b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
           b"HTTP/1.1 502 X\r\nContent-Length: 99\r\n\r\n{}", b"HTTP/1.1 xx\r\n\r\n",
           b"HTTP/1.1 302 X\r\nLocation: file:///etc/passwd\r\n\r\n"]  # fmt: skip
    told = []
    for answer in [*whole, *faulty, *cut]:
        said[0] = answer
        for ask in asks:
            try:
                ask()
            except DeskError as error:
                told.append(str(error))
    assert len(told) > 6 * len(whole)
    assert not any("passwd" in words or not words for words in told)


@pytest.fixture
def live_client(tmp_path):
    """A client of a real desk on loopback, with a small scenario."""
    import threading

    from twin.live.api import create_app
    from twin.live.desk import Desk
    from twin.live.server import PLACES
    from twin.live.store import Store
    from twin.live.web import make_server

    root = Path(customers_page.__file__).parents[3] / "scenarios"
    scenario = load(root / "baseline.toml", {"assistant.confidence_threshold": 0.0})
    store = Store(str(tmp_path / "desk.sqlite"))
    server = make_server(create_app(Desk(scenario, store)), "127.0.0.1", 0, PLACES)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield Client(f"http://127.0.0.1:{server.effective_port}")
    server.close()
    store.close()


@pytest.mark.network
@pytest.mark.enable_socket
def test_the_client_speaks_the_desks_language(live_client):
    client = live_client
    assert client.health()["backend"] == "embedded"
    assert client.models()[0] == "openai/gpt-oss-20b"
    ticket = client.file("I cannot log into my account.", client.models()[0], True, "a-key")
    assert ticket.category
    assert ticket.articles
    assert client.file("I cannot log into my account.", client.models()[0], True, "a-key") == ticket
    shown = client.ticket(ticket.number)
    assert shown.response == ticket.response
    assert abs(shown.received - time.time()) < 60
    assert shown.resolution_due is not None
    assert [message.by for message in shown.thread] == ["customer", "assistant"]
    assert client.counts() == {"Waiting for customer": 1}
    assert client.queue("Waiting for customer", 25) == ([replace(shown, messages=())], "")
    assert client.reply(1, "helped", helped=True, text="Yes.").thread[-1].helped
    assert client.counts() == {"Resolved": 1}
    client.rate(shown, 5, "well done", "rating")
    with pytest.raises(DeskError, match="sent before"):
        client.rate(shown, 1, "", "rating")
    seen = client.change(1, "Reopened")
    assert seen.reopens == 1
    assert client.change(1, priority="high", version=seen.version).priority == "high"
    with pytest.raises(DeskError, match="look again") as late:
        client.change(1, "In Progress", version=seen.version)
    assert late.value.now.priority == "high"
    assert "Login" not in client.categories()
    assert client.articles(1)
    assert client.draft(1).suggestion.text
    assert client.queue("Reopened", 25, "", Search("log", priority="high"))[0][0].number == 1
    assert client.queue("Reopened", 25, "", Search("nothing like it"))[0] == []
    client.change(1, "In Progress")
    assert client.change(1, "Resolved", "By hand.").response == "By hand."
    with pytest.raises(DeskError, match="can only become"):
        client.change(1, "Escalated")
    with pytest.raises(DeskError, match="not there"):
        client.ticket(99)
    with pytest.raises(DeskError, match="Please provide a ticket description") as told:
        client.file(" ", client.models()[0], True, "b-key")
    assert told.value.status == 400


@pytest.mark.network
@pytest.mark.enable_socket
def test_another_clients_rating_takes_no_customers_place(live_client):
    """As anybody could who knew the keys of the page: a ticket's number and how often it came."""
    client = live_client
    ticket = client.file("I cannot log into my account.", client.models()[0], True, "a-key")
    other = Ticket(ticket.number, "something else", "", "", "Resolved")
    client.rate(other, 1, "bad", "page-1-0")
    app = AppTest.from_string(
        f"import os\nos.environ['TWIN_BACKEND'] = {client.backend!r}\n"
        "from twin.live.page import desk\ndesk.remember()\ndesk.show()",
        default_timeout=60,
    )
    app.query_params["tickets"] = "1"
    app = rate(whole(app.run()), 5)
    assert texts(app.success) == ["Thank you for your 5 stars!"]
    found = client._ask("GET", "/feedback")["feedback"]
    assert [entry["rating"] for entry in found] == [5, 1]


@pytest.mark.network
@pytest.mark.enable_socket
def test_the_client_turns_the_pages_of_a_queue(live_client):
    client = live_client
    for k in range(7):
        client.file(f"I cannot log into my account {k}.", client.models()[0], True, f"key-{k}")
    for number in range(1, 6):
        client.change(number, "Reopened")
    for status, expected in (("Reopened", [1, 2, 3, 4, 5]), ("Waiting for customer", [6, 7])):
        seen, place = [], ""
        while True:
            tickets, place = client.queue(status, 2, place)
            seen += [ticket.number for ticket in tickets]
            if not place:
                break
        assert seen == expected


@pytest.mark.network
@pytest.mark.enable_socket
def test_nobody_at_the_address_is_told():
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(DeskError, match="cannot be reached"):
            Client(f"http://127.0.0.1:{held.getsockname()[1]}").health()
