"""Help desks that fail: each fault of the stand-ins ends as handled, retried or a named failure.

25 faults at the requests of a pull from Zendesk, a pull from Jira, and a ticket answered in
Zendesk: more than 300 cases. Nothing is lost or doubled in any of them.
"""

import logging

import httpx
import pytest

from tests.help_desks import FAULTS, START, TOKEN, Clock, Faulty, JiraStandIn, ZendeskStandIn
from twin.live.connectors.accounts import Account
from twin.live.connectors.bridge import Bridge, Manner
from twin.live.connectors.choose import help_desk, source, wire_of
from twin.live.connectors.help_desk import Exported, Rules
from twin.live.connectors.outbox import Outbox
from twin.live.connectors.pulled import Pulled, about_pull, fetch
from twin.live.connectors.wire import ConnectorError
from twin.live.store import Store

DAY = 86_400.0


def account(tool, name="desk"):
    return Account(tool, f"https://{name}.example", "a@desk.example", TOKEN)


def zendesk_history(clock):
    stand_in = ZendeskStandIn(clock)
    for k in range(5):
        number = stand_in.file("I cannot log in", START + k * DAY)
        stand_in.solve(number, START + k * DAY + 3600.0 * (k + 1))
    stand_in.touch(2, status="deleted", at=START + 20 * DAY)
    return stand_in


def jira_history(clock):
    stand_in = JiraStandIn(clock)
    for k in range(5):
        at = START + k * DAY
        stand_in.file(at, [(at + 60.0 * (j + 1), ("Waiting for customer", "In Progress")[j % 2])
                           for j in range(2 * k)])  # fmt: skip
    return stand_in


MADE = {"zendesk": zendesk_history, "jira": jira_history}


class InMemory(Pulled):
    """Parts of a pull that are kept in memory: the disk has tests of its own."""

    def __init__(self):
        self.parts = []
        self.about = about_pull("desk", START, False)

    def place(self):
        return self.parts[-1][1] if self.parts else {}

    def keep(self, items, place):
        self.parts.append((items, dict(place)))

    def exported(self):
        found = Exported()
        for items, _ in self.parts:
            for item in items:
                found.add(item)
        return found


def pulled(tool, transport, clock, kept):
    wire = wire_of(account(tool), transport, clock.sleep, clock)
    fetch(kept, source(account(tool), wire), START)


def whole(tool):
    clock = Clock()
    transport, kept = Faulty(MADE[tool](clock)), InMemory()
    pulled(tool, transport, clock, kept)
    return kept.exported().kinds, transport.count


@pytest.mark.parametrize("tool", MADE)
def test_a_pull_ends_whole_whatever_fails(tool):
    right, requests = whole(tool)
    assert requests >= 5
    ends, said = {"retried": 0, "named": 0}, []
    for fault in FAULTS:
        for at in {"zendesk": range(requests), "jira": (0, requests // 2, requests - 1)}[tool]:
            clock, kept = Clock(), InMemory()
            transport = Faulty(MADE[tool](clock), fault, at)
            try:
                pulled(tool, transport, clock, kept)
                ends["retried"] += 1
            except ConnectorError as error:
                ends["named"] += 1
                said.append(str(error))
                # Again, from where it was.
                pulled(tool, transport, clock, kept)
            assert kept.exported().kinds == right, (fault, at)
            numbers = [item["id"] for items, _ in kept.parts for item in items]
            assert len(numbers) == len(set(numbers)) or tool == "zendesk", (fault, at)
    assert min(ends.values()) > 20
    assert TOKEN not in "".join(said)


@pytest.mark.parametrize("tool", MADE)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_a_named_failure(tool, fault):
    clock = Clock()
    transport = Faulty(MADE[tool](clock), fault, 1, times=1000)
    kept = InMemory()
    with pytest.raises(ConnectorError) as caught:
        pulled(tool, transport, clock, kept)
    assert TOKEN not in str(caught.value)
    assert transport.count < 10
    transport.times = 0
    pulled(tool, transport, clock, kept)
    assert kept.exported().kinds == whole(tool)[0]


# Of the requests of a ticket's answer, the one that writes it.
WRITE = 6


class Answering:
    """A live desk that answers all, in memory."""

    def __init__(self, number):
        self.number, self.asked = number, []

    def process(self, remote, text, priority):
        self.asked.append((remote, text, priority))
        thread = [("customer", text), ("assistant", "Press it.")]
        return {
            "ticket_id": self.number, "category": "Login", "categorized_by": "assistant",
            "response": "Press it.", "draft": "Press it.", "priority": priority, "changes": [],
            "status": "Waiting for customer",
            "messages": [{"by": by, "text": said, "at": ""} for by, said in thread],
        }  # fmt: skip

    def reply(self, *_):
        raise AssertionError("the customer said nothing")

    rate = reply


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    found = Store(str(tmp_path_factory.mktemp("faults") / "desk.sqlite"))
    found.receive({"received_at": START, "description": "x", "priority": "normal", "model": "m",
                   "use_rag": True})  # fmt: skip
    yield found
    found.close()


class Case:
    """One ticket in Zendesk, and a bridge that answers it."""

    def __init__(self, store, name, fault=None, at=0, times=1, reply="public", late_s=0.0):
        self.clock = Clock()
        self.stand_in = ZendeskStandIn(self.clock, late_s)
        self.transport = Faulty(self.stand_in, fault, at, times)
        began = self.clock.now
        self.number = self.stand_in.file("I cannot log in")
        self.clock.now += 100.0
        self.account = account("zendesk", name)
        self.store, self.began, self.desk = store, began, Answering(1)
        self.said = []
        self.manner = Manner(reply, {"Login": "high"}, settle_s=60.0)
        self.start()

    def start(self):
        """Start the connector, anew."""
        wire = wire_of(self.account, self.transport, self.clock.sleep, self.clock)
        self.box = Outbox(self.store.database, self.account.name)
        remote = help_desk(self.account, wire, Rules(category_field="77"))
        self.bridge = Bridge(remote, self.desk, self.box, self.manner, self.began,
                             clock=self.clock)  # fmt: skip

    def rounds(self, most=12, step_s=70.0):
        """Rounds until nothing is left to do; the names of what failed."""
        failed = []
        for _ in range(most):
            try:
                self.bridge.round()
            except ConnectorError as error:
                failed.append(type(error).__name__)
                self.said.append(str(error))
            self.clock.now += step_s
            if self.is_over():
                break
        return failed

    def is_over(self):
        """True if nothing is left to do."""
        box = self.box
        if box.tickets("found") or box.tickets("read") or box.messages("planned", "begun"):
            return False
        return bool(box.counts()) and not box.tickets("taken", changed=True)

    def outcome(self):
        """handled, or the reason why not."""
        written = self.stand_in.written(self.number)
        (left, done) = (self.box.tickets("left"), self.box.messages("done", "failed"))
        if left:
            assert not written
            return left[0]["reason"]
        (message,) = done
        assert len(written) == (message["state"] == "done"), message
        return "handled" if written else message["reason"]


def test_a_ticket_is_answered_once_whatever_fails(store):
    plain = Case(store, "plain")
    assert plain.rounds(1) == []
    assert plain.transport.count == WRITE + 1
    assert plain.rounds() == []
    assert plain.outcome() == "handled"
    (audit,) = plain.stand_in.written(plain.number)
    (comment,) = audit["events"]
    assert (comment["body"], comment["public"]) == ("Press it.", True)
    ticket = plain.stand_in.tickets[plain.number]
    assert (ticket["priority"], ticket["status"]) == ("high", "pending")
    assert ticket["custom_fields"] == [{"id": 77, "value": "Login"}]
    ends = {}
    for fault in FAULTS:
        # Of what is done all the same, at each request; of all others, at a read and at the write.
        for at in range(8) if FAULTS[fault][0] else (0, 1, WRITE):
            case = Case(store, f"{list(FAULTS).index(fault)}-{at}", fault, at)
            failed = case.rounds()
            end = case.outcome()
            ends.setdefault(end, []).append((fault, at))
            assert len(case.desk.asked) == (0 if case.box.tickets("left") else 1)
            # Where a ticket was left, its reason is one of these.
            assert end in ("handled", "deleted", "the ticket is gone"), (fault, at, end, failed)
    assert sum(map(len, ends.values())) > 100
    assert {fault for end in ("deleted", "the ticket is gone") for fault, _ in ends[end]} == {"404"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_ticket_that_can_never_be_written_to_is_a_named_failure(store, fault, caplog):
    case = Case(store, f"never-{list(FAULTS).index(fault)}", reply="note")
    put = case.stand_in._put
    done, act = FAULTS[fault]

    def broken(number, update):
        response = put(number, update) if done else None
        return act(case.transport_request, response)

    def remember(request, handle=case.transport.stand_in):
        case.transport_request = request
        return handle(request)

    case.transport.stand_in = remember
    case.stand_in._put = broken
    with caplog.at_level(logging.WARNING):
        failed = case.rounds(12)
    waiting = case.box.messages("planned")
    if done:
        assert case.outcome() == "handled"
    elif waiting:
        # Nothing goes to a help desk that asks to wait, or whose token has ended: it is told.
        assert set(failed) <= {"AskedToWait", "WrongToken"}
        assert len(failed) > 8
    else:
        assert case.outcome() not in ("", "handled")
    assert TOKEN not in caplog.text + "".join(case.said)
    assert "cannot log in" not in caplog.text


def test_a_marker_that_is_read_late_makes_no_double_reply(store):
    case = Case(store, "late", "no answer after it was done", at=WRITE, late_s=50.0)
    case.rounds(step_s=20.0)
    assert case.outcome() == "handled"


def test_an_agent_who_was_quicker_is_not_spoken_over(store):
    case = Case(store, "quicker")
    case.stand_in.say(case.number, 500, "I will help you.")
    case.clock.now += 70.0
    case.rounds()
    (audit,) = case.stand_in.written(case.number)
    assert not audit["events"][0]["public"]
    assert "Press it." in audit["events"][0]["body"]
    assert case.outcome() == "handled"


def test_a_ticket_that_was_solved_meanwhile_is_not_opened_again(store):
    case = Case(store, "solved")
    process = case.desk.process

    def solves(*asked):
        case.stand_in.touch(case.number, status="solved")
        return process(*asked)

    case.desk.process = solves
    case.rounds()
    (audit,) = case.stand_in.written(case.number)
    assert not audit["events"][0]["public"]
    assert case.stand_in.tickets[case.number]["status"] == "solved"


def test_a_change_between_look_and_answer_is_seen(store):
    case = Case(store, "between")
    put = case.stand_in._put

    def late(number, update):
        if len(case.stand_in.audits[number]) == 1:
            case.stand_in.say(number, 500, "I will help you.")
        return put(number, update)

    case.stand_in._put = late
    case.rounds()
    (audit,) = case.stand_in.written(case.number)
    assert not audit["events"][0]["public"]


@pytest.mark.parametrize(
    ("fields", "reason"), [({"status": "closed"}, "closed"), ({"status": "deleted"}, "gone")]
)
def test_a_ticket_that_ends_before_it_is_answered(store, fields, reason):
    case = Case(store, f"ends-{reason}", reply="note")
    process = case.desk.process

    def ends(*asked):
        case.stand_in.touch(case.number, **fields)
        return process(*asked)

    case.desk.process = ends
    case.rounds(20)
    assert reason in case.outcome()


TICKET = {"id": 1, "Status": "new", "LastUpdated": "2026-01-01T00:00:00Z"}
ISSUE = {"id": "1", "key": "A-1", "fields": {"updated": "2026-01-01T00:00:00+00:00"}}


@pytest.mark.parametrize(
    ("tool", "said", "words"),
    [
        ("rt", {"items": [TICKET]}, "does not get on"),
        ("rt", {"items": [{"Subject": "x"}]}, "no numbers"),
        ("rt", {"items": [{"id": "a b"}]}, "no numbers"),
        ("jira", {"issues": [ISSUE | {"changelog": {"total": 2}}], "timeZone": "UTC",
                  "values": [{"items": []}], "isLast": False}, "does not get on"),
    ],
)  # fmt: skip
def test_a_list_that_does_not_get_on_ends_a_pull(tool, said, words):
    # As of a proxy that gives one answer to all requests.
    clock = Clock()
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=said))
    wire = wire_of(account(tool), transport, clock.sleep, clock)
    with pytest.raises(ConnectorError, match=words):
        source(account(tool), wire).export({}, START, False)
