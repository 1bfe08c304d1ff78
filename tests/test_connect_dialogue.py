"""Several messages a ticket: questions, follow-up answers and hand-overs, each written once."""

import itertools
from dataclasses import replace

import httpx
import pytest

from tests.help_desks import FAULTS, Faulty
from tests.live_desk import Obedient, Small
from tests.test_connect_server import Joined
from twin.live.bodies import FOR_AGENTS
from twin.live.connectors.messages import own_words
from twin.live.connectors.wire import ConnectorError, Unclear
from twin.live.desk import QUESTIONS

VAGUE, ASKED = "Hi there", QUESTIONS["empty"]
LOGIN, PAYMENT = "This is how Login works.", "This is how Payment works."


class Asking(Obedient):
    """An assistant that does not know at all what a ticket is about unless it is said."""

    def answer(self, questions):
        found = super().answer(questions)
        if found.confidence is not None:
            known = any(
                word in questions.texts[0].lower() for word in ("log in", "payment", "other")
            )
            found.confidence[0] *= known
        return found


class Asks(Small):
    """A small desk that asks what a vague ticket is about."""

    def __init__(self, folder, **more):
        super().__init__(folder, unclear="ask", **more)

    def build(self, scenario, categories, corpus, model):
        return Asking(model, scenario.assistant.retrieval)


@pytest.fixture
def small(tmp_path):
    found = Asks(tmp_path)
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    found = Asks(tmp_path_factory.mktemp("dialogue"))
    yield found
    found.store.close()


def written(joined, number):
    """Messages written to a ticket: pairs of text and whether the customer sees it."""
    events = [audit["events"][0] for audit in joined.stand_in.written(number)]
    return [(event["body"], event["public"]) for event in events]


def says(joined, number, text, author=9):
    """A word of the customer, or of an agent."""
    joined.stand_in.say(number, author, text)
    if author == 9:
        joined.stand_in.touch(number, status="open")


def rounds(joined, count=3):
    for _ in range(count):
        joined.round()


def test_a_question_is_asked_and_its_reply_answered_and_the_next_goes_to_a_person(small):
    joined = Joined(small, reply="public", category_field="77")
    number = joined.stand_in.file(VAGUE)
    ticket = joined.stand_in.tickets[number]
    rounds(joined)
    assert written(joined, number) == [(ASKED, True)]
    assert (ticket["status"], ticket["custom_fields"][0]["value"]) == ("pending", None)
    says(joined, number, "My payment was declined.")
    rounds(joined)
    assert written(joined, number)[1:] == [(PAYMENT, True)]
    ticket = joined.stand_in.tickets[number]
    assert (ticket["status"], ticket["custom_fields"][0]["value"]) == ("pending", "Payment")
    assert small.ticket(1)["status"] == "Waiting for customer"
    says(joined, number, "It still fails.")
    rounds(joined)
    assert written(joined, number)[2:] == [(FOR_AGENTS, True)]
    # It waits for a person now, and who writes again is not told so again.
    assert joined.stand_in.tickets[number]["status"] == "open"
    says(joined, number, "Hello?")
    rounds(joined)
    assert len(written(joined, number)) == 3
    found = small.ticket(1)
    assert (found["status"], found["reopens"]) == ("Reopened", 1)
    thread = [(m["by"], m["text"]) for m in found["messages"]]
    assert thread[1:] == [
        ("assistant", ASKED), ("customer", "My payment was declined."), ("assistant", PAYMENT),
        ("customer", "It still fails."), ("customer", "Hello?"),
    ]  # fmt: skip
    markers = [a["metadata"]["custom"]["twin"] for a in joined.stand_in.written(number)]
    assert len(set(markers)) == 3


def test_without_public_replies_all_is_a_note_and_agents_are_told_nothing_twice(small):
    joined = Joined(small)
    number = joined.stand_in.file(VAGUE)
    rounds(joined)
    guessed = small.ticket(1)["category"]
    says(joined, number, "My payment was declined.")
    rounds(joined)
    says(joined, number, "It still fails.")
    rounds(joined)
    joined.stand_in.touch(number, satisfaction_rating={"score": "bad"})
    rounds(joined)
    assert written(joined, number) == [
        (
            f"Category: {guessed} (not sure)\n\nSuggested question to the customer:\n\n{ASKED}",
            False,
        ),
        (f"Category: Payment\n\nSuggested answer:\n\n{PAYMENT}", False),
    ]  # fmt: skip
    assert joined.stand_in.tickets[number]["status"] == "open"
    assert small.ticket(1)["status"] == "Reopened"


def test_what_is_still_not_clear_goes_to_a_person_and_the_customer_is_told(small):
    joined = Joined(small, reply="public")
    number = joined.stand_in.file(VAGUE)
    rounds(joined)
    says(joined, number, "help please")
    rounds(joined)
    assert written(joined, number) == [(ASKED, True), (FOR_AGENTS, True)]
    assert small.ticket(1)["status"] == "Escalated"


def test_a_reply_that_takes_a_review_has_its_draft_noted(small):
    joined = Joined(small, reply="public")
    number = joined.stand_in.file(VAGUE)
    rounds(joined)
    says(joined, number, "Other things")
    rounds(joined)
    ((_, _), (text, public)) = written(joined, number)
    assert not public
    assert "Draft, to be looked over:\n\nThis is how Other works." in text
    assert joined.stand_in.tickets[number]["status"] == "open"


@pytest.mark.parametrize(
    ("score", "told"),
    [("bad", ["The customer gave 1 of 5 stars: a person is needed."]), ("good", [])],
)
def test_a_bad_rating_of_the_assistants_answer_is_told_to_agents(small, score, told):
    joined = Joined(small, reply="public")
    number = joined.stand_in.file("I cannot log in")
    rounds(joined)
    joined.stand_in.touch(number, status="solved", satisfaction_rating={"score": score})
    rounds(joined)
    assert written(joined, number) == [(LOGIN, True), *((text, False) for text in told)]
    assert small.ticket(1)["status"] == ("Reopened" if told else "Waiting for customer")


def test_the_assistant_does_not_speak_where_a_person_has_spoken(small):
    joined = Joined(small, reply="public")
    number, other = joined.stand_in.file(VAGUE), joined.stand_in.file("I cannot log in")
    rounds(joined)
    for one, text in ((number, "My payment was declined."), (other, "It still fails.")):
        says(joined, one, "I will help you.", author=500)
        says(joined, one, text)
    rounds(joined)
    assert written(joined, number) == [
        (ASKED, True), (f"Category: Payment\n\nSuggested answer:\n\n{PAYMENT}", False),
    ]  # fmt: skip
    assert written(joined, other) == [(LOGIN, True)]
    reasons = [row["reason"] for row in joined.box.messages("done")]
    assert sum("a person has the ticket" in reason for reason in reasons) == 1
    assert [small.ticket(n)["status"] for n in (1, 2)] == ["Waiting for customer", "Reopened"]


def test_what_was_planned_for_the_customer_is_a_note_where_replies_are_no_longer_public(small):
    joined = Joined(small, reply="public")
    number = joined.stand_in.file("I cannot log in")
    joined.clock.now += 70.0
    joined.bridge._look()
    for step, state in ((joined.bridge._read, "found"), (joined.bridge._take, "read")):
        step(joined.box.tickets(state)[0])
    joined.start("note")
    rounds(joined)
    assert written(joined, number) == [(f"Category: Login\n\nSuggested answer:\n\n{LOGIN}", False)]


def test_a_later_message_waits_for_the_one_before(small):
    joined = Joined(small, reply="public")
    bridge = joined.bridge
    bridge._manner = replace(bridge._manner, settle_s=300.0)
    write, lost = bridge._remote.write, []

    def once(*asked):
        bridge._remote.write = write
        lost.append(asked)
        raise Unclear("no answer in time")

    bridge._remote.write = once
    number = joined.stand_in.file(VAGUE)
    joined.round()
    says(joined, number, "My payment was declined.")
    other = joined.stand_in.file("I cannot log in")
    rounds(joined)
    assert len(lost) == 1
    states = [(m["word"], m["state"]) for m in joined.box.messages("planned", "begun")]
    assert states == [(0, "begun"), (1, "planned")]
    # Other tickets do not wait.
    assert (written(joined, number), written(joined, other)) == ([], [(LOGIN, True)])
    rounds(joined)
    assert written(joined, number) == [(ASKED, True), (PAYMENT, True)]


def test_a_dry_run_shows_all_messages_and_writes_none(small):
    shown = []
    joined = Joined(small, show=lambda ticket, writing: shown.append(writing), reply="public")
    number = joined.stand_in.file(VAGUE)
    rounds(joined)
    says(joined, number, "My payment was declined.")
    rounds(joined)
    assert [(one.text, one.public) for one in shown] == [(ASKED, True), (PAYMENT, True)]
    assert written(joined, number) == []


ANGRY = "I cannot log in! THIS IS OUTRAGEOUS, I AM FURIOUS!!!"


@pytest.mark.parametrize(
    ("text", "set_", "rules", "expected"),
    [
        (ANGRY, None, {}, "high"),
        (ANGRY, "low", {}, "low"),
        (ANGRY, None, {"Login": "urgent"}, "urgent"),
        (ANGRY, None, {"Login": "low"}, "high"),
        ("I cannot log in", None, {"Login": "low"}, "low"),
        ("I cannot log in", None, {}, None),
        # Not sure of the category, but the anger is heard.
        ("unsure THIS IS OUTRAGEOUS, I AM FURIOUS!!!", None, {"Login": "urgent"}, "high"),
    ],
)
def test_the_priority_goes_back_where_nobody_has_set_one(small, text, set_, rules, expected):
    joined = Joined(small, priorities=rules)
    number = joined.stand_in.file(text, priority=set_)
    rounds(joined, 2)
    assert len(written(joined, number)) == 1
    assert joined.stand_in.tickets[number]["priority"] == expected


def test_the_tag_of_a_category_is_set_once_and_stays(small):
    joined = Joined(small, reply="public", category_field="tags")
    number = joined.stand_in.file("I cannot log in", tags=["vip"])
    rounds(joined)
    says(joined, number, "It still fails.")
    rounds(joined)
    assert len(written(joined, number)) == 2
    assert joined.stand_in.tickets[number]["tags"] == ["vip", "twin_login"]


def test_a_word_of_the_same_second_as_what_was_seen_is_not_lost(small):
    joined = Joined(small)
    number = joined.stand_in.file("I cannot log in")
    rounds(joined)
    says(joined, number, "It still fails.")
    updated = joined.stand_in.tickets[number]["updated_at"]
    # As of a help desk that tells changes at once.
    now = joined.bridge._remote.ticket(str(number))
    joined.box.found([now], 0.0, joined.bridge._place)
    # The first look is within that second; then one more word comes in it.
    (row,) = joined.box.tickets("taken", changed=True)
    joined.bridge._hear(row)
    joined.stand_in.say(number, 9, "And now?")
    joined.stand_in.tickets[number]["updated_at"] = updated
    rounds(joined)
    said = [m["text"] for m in small.ticket(1)["messages"] if m["by"] == "customer"]
    assert said[1:] == ["It still fails.", "And now?"]


@pytest.mark.parametrize(
    ("mail", "words"),
    [
        ("It fails.\n\nOn Fri Nov 27 06:11:35 2026, twin wrote:\n> What\n> is it?", "It fails."),
        ("Am 27.11.2026 schrieb rt@desk.example:\n\n> Hello\n\nIt fails.", "\nIt fails."),
        ("These fail:\n> 1\nand this one", "These fail:\nand this one"),
        ("It fails.\n-----Original Message-----\nFrom: twin\nHello", "It fails."),
        ("> Hello\nIt fails.\n> Bye", "It fails."),
        ("It fails since 2026:\nHelp", "It fails since 2026:\nHelp"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_reply_is_read_without_the_mail_that_it_quotes(mail, words):
    assert own_words(mail).rstrip("\n") == words


# Whatever fails or ends


class Killed(BaseException):
    """As if the process were ended."""


class Deadly:
    """A counter of the moments before and behind each operation; at one of them it ends."""

    def __init__(self, at=None):
        self.at, self.count = at, 0

    def __call__(self):
        self.count += 1
        if self.count - 1 == self.at:
            raise Killed

    def around(self, call):
        def run(*given, **more):
            self()
            result = call(*given, **more)
            self()
            return result

        return run


WORDS = ("My payment was declined.", "It still fails.")
ALL = [ASKED, PAYMENT, FOR_AGENTS]


class Dialogue:
    """A customer who replies to each message, in Zendesk, and the connector between."""

    def __init__(self, small, name, fault=None, at=0, kill_at=None):
        self.joined = Joined(small, reply="public", name=name)
        self.kill = Deadly(kill_at)
        self.joined.transport = Faulty(self.joined.stand_in, fault, at)
        self.joined.transport.handler = self.kill.around(self.joined.transport.handler)
        near = httpx.WSGITransport(app=small.app)
        near.handle_request = self.kill.around(near.handle_request)
        self.joined.near = near
        self.start()
        self.number = self.joined.stand_in.file(VAGUE)

    def start(self):
        self.joined.start("public")
        box = self.joined.box
        for name in ("found", "note", "looked_at", "plan", "mark"):
            setattr(box, name, self.kill.around(getattr(box, name)))

    def play(self, most=40):
        """Rounds until the customer has said all and nothing is left to do; the named failures."""
        joined, said, failed, quiet = self.joined, 0, [], 0
        for _ in range(most):
            try:
                joined.round()
            except ConnectorError as error:
                failed.append(type(error).__name__)
            except Killed:
                self.start()
            if said < len(written(joined, self.number)) and said < len(WORDS):
                says(joined, self.number, WORDS[said])
                said += 1
                quiet = 0
            quiet = quiet + 1 if self.is_over() else 0
            if quiet == 3:
                break
        return failed

    def is_over(self):
        box = self.joined.box
        busy = box.messages("planned", "begun") or box.tickets("found") or box.tickets("read")
        return not busy and not box.tickets("taken", changed=True)

    def check(self):
        assert written(self.joined, self.number) == [(text, True) for text in ALL]
        (row,) = self.joined.box.tickets("taken")
        thread = self.joined.small.ticket(row["ticket_id"])["messages"]
        assert [m["text"] for m in thread[1:]] == [ASKED, WORDS[0], PAYMENT, WORDS[1]]


def test_a_dialogue_is_whole_wherever_the_connector_is_killed(shared):
    plain = Dialogue(shared, "plain")
    plain.play()
    plain.check()
    moments = plain.kill.count
    assert moments > 100
    for at in range(0, moments, 5):
        case = Dialogue(shared, f"killed-{at}", kill_at=at)
        case.play()
        assert case.kill.count > at
        case.check()


DONE = [name for name, (done, _) in FAULTS.items() if done]


def test_a_dialogue_is_whole_whatever_fails(shared):
    plain = Dialogue(shared, "sound")
    plain.play()
    plain.check()
    requests, ends = plain.joined.transport.count, 0
    cases = [
        *zip(itertools.cycle(FAULTS), range(requests)),
        *zip(itertools.cycle(DONE), range(1, requests, 4)),
    ]
    for k, (fault, at) in enumerate(cases):
        case = Dialogue(shared, f"fault-{k}", fault, at)
        case.play()
        if fault == "404" and case.joined.box.counts().get("taken") != 1:
            continue
        states = case.joined.box.counts()
        if states.get("failed"):
            # Named, and no other one is lost or out of its order.
            assert fault == "404", (fault, at)
            texts = [text for text, _ in written(case.joined, case.number)]
            assert texts == [text for text in ALL if text in texts]
            continue
        case.check()
        ends += 1
    assert ends > 40
