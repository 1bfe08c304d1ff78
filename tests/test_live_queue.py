"""The live desk's page for agents, drawn without a browser."""

import time
from dataclasses import replace

import pytest
from stub_desk import draw, labels, press, stubbed, texts, whole

from twin.live.page.client import NOBODY, DeskError, Search, Suggestion


@pytest.fixture
def desk(monkeypatch):
    return stubbed(monkeypatch)


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
