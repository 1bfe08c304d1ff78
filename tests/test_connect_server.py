"""The connector's process: webhooks, accounts, settings, `twin serve --connect` and a dry run."""

import io
import json
import logging
import sys
import threading
import time
from types import SimpleNamespace

import httpx
import pytest
import typer

from tests.help_desks import TOKEN, Clock, Faulty, ZendeskStandIn, iso
from tests.test_connect_faults import account
from twin.cli.live import _connector, _kept_in
from twin.common.errors import ScenarioError
from twin.live.bodies import FOR_AGENTS
from twin.live.connectors import accounts, server
from twin.live.connectors.bridge import Bridge, Manner
from twin.live.connectors.choose import help_desk, wire_of
from twin.live.connectors.help_desk import Rules, Writing
from twin.live.connectors.live_desk import LiveDesk
from twin.live.connectors.outbox import Outbox
from twin.live.connectors.settings import read_settings
from twin.live.connectors.signatures import FRESH_S, BadSignature, Signatures, signature
from twin.live.connectors.wire import MOST_BYTES, AskedToWait, Unclear, Wire
from twin.live.database import Database, StoreUnusable
from twin.live.process import BAD_INPUT

SECRET = "of-the-webhook"


class Joined:
    """Zendesk's stand-in and a small live desk, joined by its API."""

    def __init__(self, small, show=None, reply="note", priorities=None, name="desk", **rules):
        self.clock, self.small = Clock(now=time.time()), small
        self.stand_in = ZendeskStandIn(self.clock)
        self.account, self.rules, self.began = account("zendesk", name), rules, self.clock.now
        self.transport = Faulty(self.stand_in)
        self.near = httpx.WSGITransport(app=small.app)
        self.show, self.priorities = show, priorities or {}
        self.start(reply)

    def start(self, reply):
        """Start the connector, anew."""
        found = self.account
        wire = wire_of(found, self.transport, self.clock.sleep, self.clock)
        self.desk = LiveDesk("http://localhost", found.name, transport=self.near)
        self.box = Outbox(self.small.store.database, found.name)
        manner = Manner(reply, self.priorities)
        self.bridge = Bridge(help_desk(found, wire, Rules(**self.rules)), self.desk, self.box,
                             manner, self.began, self.show, self.clock)  # fmt: skip

    def round(self):
        self.clock.now += 70.0
        self.bridge.round()


def test_nothing_goes_to_a_customer_unless_it_is_asked_for(small):
    joined = Joined(small)
    numbers = [joined.stand_in.file(text) for text in ("I cannot log in", "unsure", "other things")]
    joined.round()
    events = [event for n in numbers for a in joined.stand_in.written(n) for event in a["events"]]
    assert [event["public"] for event in events] == [False] * 3
    assert events[0]["body"] == "Category: Login\n\nSuggested answer:\n\nThis is how Login works."
    assert events[1]["body"].startswith("Category: Login (not sure)\n\nThe assistant suggests no")
    assert "Draft, to be looked over:\n\nThis is how Other works." in events[2]["body"]
    assert [joined.stand_in.tickets[n]["status"] for n in numbers] == ["new"] * 3


def test_only_what_the_assistant_answers_on_its_own_is_public(small):
    joined = Joined(small, reply="public", category_field="tags")
    numbers = [joined.stand_in.file(text) for text in ("I cannot log in", "unsure", "other things")]
    joined.round()
    public = [joined.stand_in.written(n)[0]["events"][0]["public"] for n in numbers]
    assert public == [True, False, False]
    assert [joined.stand_in.tickets[n]["tags"] for n in numbers] == [
        ["twin_login"], [], ["twin_other"],
    ]  # fmt: skip


def test_a_customers_words_and_stars_come_back_once(small):
    joined = Joined(small, reply="public")
    number = joined.stand_in.file("I cannot log in")
    joined.round()
    assert small.ticket(1)["status"] == "Waiting for customer"
    joined.stand_in.say(number, 9, "> This is how Login works.\nIt still fails.")
    for _ in range(3):
        joined.round()
    found = small.ticket(1)
    assert (found["status"], found["reopens"]) == ("Reopened", 1)
    assert [m["text"] for m in found["messages"]][2:] == ["It still fails."]
    joined.stand_in.touch(number, satisfaction_rating={"score": "bad"})
    for _ in range(3):
        joined.round()
    (rating,) = small.store.feedback()
    assert (rating["ticket_id"], rating["rating"]) == (1, 1)
    # The answer, and once that a person has the ticket.
    said = [audit["events"][0]["body"] for audit in joined.stand_in.written(number)]
    assert said == ["This is how Login works.", FOR_AGENTS]


def test_tickets_from_before_and_of_no_text_are_left_to_people(small):
    joined = Joined(small)
    old = joined.stand_in.file("I cannot log in", joined.clock.now - 100.0)
    empty = joined.stand_in.file("\u200b\x00", subject="")
    joined.round()
    assert [row["reason"] for row in joined.box.tickets("left")] == ["has no text"]
    assert joined.stand_in.written(old) == joined.stand_in.written(empty) == []
    assert small.store.tickets() == []


def test_a_dry_run_shows_and_writes_nothing(small):
    shown = []
    joined = Joined(small, show=lambda ticket, writing: shown.append((ticket, writing)))
    number = joined.stand_in.file("I cannot log in")
    for _ in range(3):
        joined.round()
    ((ticket, writing),) = shown
    assert (ticket, writing.public) == (str(number), False)
    assert "This is how Login works." in writing.text
    assert joined.stand_in.written(number) == []
    assert joined.stand_in.tickets[number]["updated_at"] == iso(joined.clock.now - 210.0)


def test_a_live_desk_that_does_not_answer_is_asked_again(small, caplog):
    joined = Joined(small)
    number = joined.stand_in.file("I cannot log in")
    good, joined.desk._client = (
        joined.desk._client,
        httpx.Client(
            base_url="http://localhost",
            transport=httpx.MockTransport(lambda request: httpx.Response(503, json={})),
        ),
    )
    with caplog.at_level(logging.WARNING):
        joined.round()
    assert "status 503; tried again later" in caplog.text
    assert len(joined.box.tickets("read")) == 1
    joined.desk._client.close()
    joined.desk._client = good
    joined.round()
    assert len(joined.stand_in.written(number)) == 1


def test_a_ticket_whose_model_call_failed_goes_to_people_with_a_note(small):
    from twin.assistant.protocol import OUTAGE

    small.assistant.outcomes["categorize"] = OUTAGE
    joined = Joined(small, reply="public")
    number = joined.stand_in.file("I cannot log in")
    joined.round()
    (event,) = joined.stand_in.written(number)[0]["events"]
    assert not event["public"]
    assert (
        event["body"] == "Category: none\n\nThe assistant suggests no answer: a person is needed."
    )


# Webhooks


def send(inbox, body, secret=SECRET, at=None, path="/webhook", method="POST", **more):
    """The status of a request to the inbox."""
    moment = iso(time.time() if at is None else at)
    environ = {
        "PATH_INFO": path, "REQUEST_METHOD": method, "wsgi.input": io.BytesIO(body),
        "HTTP_X_ZENDESK_WEBHOOK_SIGNATURE": signature(secret, moment, body),
        "HTTP_X_ZENDESK_WEBHOOK_SIGNATURE_TIMESTAMP": moment, **more,
    }  # fmt: skip
    said = []
    inbox(environ, lambda status, headers: said.append(int(status[:3])))
    return said[0]


def test_a_signed_webhook_has_its_ticket_answered(small):
    joined, woken = Joined(small), []
    inbox = server.Inbox(joined.box, SECRET, lambda: woken.append(1))
    # Not yet in the export, which keeps back a minute.
    number = joined.stand_in.file("I cannot log in")
    body, at = json.dumps({"ticket_id": number}).encode(), time.time()
    assert send(inbox, body, at=at) == 200
    joined.bridge.round()
    assert woken == [1]
    assert len(joined.stand_in.written(number)) == 1
    # The same one again, an old one, and others' change nothing.
    assert send(inbox, body, at=at) == 401
    assert send(inbox, body, at=time.time() - FRESH_S - 5.0) == 401
    assert send(inbox, body, secret="guessed") == 401
    assert send(inbox, b"{}") == 400
    assert send(inbox, b"[" * 100_000) == 400
    assert send(inbox, b'{"ticket_id": "../1"}') == 400
    assert send(inbox, b"x" * 300_000) == 413
    assert send(inbox, b"", path="/tickets") == 404
    assert send(inbox, b"", method="GET") == 405
    assert send(inbox, b"", path="/health") == 200
    assert send(inbox, json.dumps({"detail": {"id": str(number)}}).encode()) == 200
    joined.round()
    assert len(joined.stand_in.written(number)) == len(small.store.tickets()) == 1
    assert send(server.Inbox(joined.box, "", woken.clear), body) == 404


def test_a_webhook_that_the_store_could_not_take_may_come_again(small, monkeypatch):
    joined, woken = Joined(small), []
    inbox = server.Inbox(joined.box, SECRET, lambda: woken.append(1))
    body, at = b'{"ticket_id": "12"}', time.time()

    def full(_):
        raise server.StoreError("the disk is full")

    with monkeypatch.context() as for_now:
        for_now.setattr(joined.box, "add", full)
        assert send(inbox, body, at=at) == 503
    assert woken == []
    assert send(inbox, body, at=at) == 200
    assert send(inbox, body, at=at) == 401
    assert woken == [1]


def test_a_webhook_before_its_ticket_can_be_read_loses_nothing(small):
    joined = Joined(small)
    joined.box.add("1")
    joined.bridge.round()
    assert [row["reason"] for row in joined.box.tickets("left")] == ["not there yet"]
    number = joined.stand_in.file("I cannot log in")
    joined.round()
    assert len(joined.stand_in.written(number)) == 1


def test_the_signature_is_that_of_the_documentation():
    # developer.zendesk.com, "Verifying webhooks": base64 of HMAC-SHA256 of timestamp and body.
    secret = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
    given = signature(secret, "2021-03-25T05:09:27Z", b"")
    assert len(given) == 44
    seen = Signatures(secret)
    seen.check(given, "2021-03-25T05:09:27Z", b"", 1_616_648_967.0)
    with pytest.raises(BadSignature, match="before"):
        seen.check(given, "2021-03-25T05:09:27Z", b"", 1_616_648_968.0)
    with pytest.raises(BadSignature, match="wrong"):
        Signatures("").check(signature("", "x", b""), "x", b"", 0.0)


# Accounts and settings


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setattr(accounts, "_of_keyring", lambda name: "")
    monkeypatch.setenv("TWIN_ZENDESK_URL", "https://desk.example/")
    monkeypatch.setenv("TWIN_ZENDESK_USER", "a@desk.example")
    monkeypatch.setenv("TWIN_ZENDESK_TOKEN", TOKEN)
    return monkeypatch


def test_an_account_is_found_and_never_shows_its_token(environment):
    found = accounts.find_account("zendesk")
    assert (found.url, found.name, found.token) == (
        "https://desk.example", "zendesk:desk.example", TOKEN,
    )  # fmt: skip
    assert TOKEN not in repr(found)
    environment.delenv("TWIN_ZENDESK_TOKEN")
    with pytest.raises(ScenarioError, match="keyring set support-desk-twin zendesk"):
        accounts.find_account("zendesk")
    environment.setattr(accounts, "_of_keyring", lambda name: f"of {name}".replace(" ", "-"))
    kept = accounts.find_account("zendesk")
    assert (kept.token, kept.secret) == ("of-zendesk", "of-zendesk-webhook")


@pytest.mark.parametrize(
    "url",
    ["", "desk.example", "http://desk.example", "ftp://localhost", "https://a:b@desk.example",
     "https://desk.example/?x=1", "https://desk.example/#x", "https://[", "http://127.0.0.1.evil.example",
     "https://desk.example\n"],
)  # fmt: skip
def test_a_token_goes_to_encrypted_addresses_only(environment, url):
    with pytest.raises(ScenarioError, match=r"https address|address alone"):
        accounts.check_url(url, "--url")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80"])
def test_this_machine_may_be_asked_in_the_open(url):
    assert accounts.check_url(url + "/", "--url") == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('token = "x"', "token: is for the environment or the keyring"),
        ("poll_s = 0", "poll_s: input should be greater"),
        ("colour = 1", "colour: extra inputs"),
        ('priorities = { Login = "soon" }', "priorities.Login"),
        ("= 1", "not TOML"),
    ],
)
def test_settings_that_cannot_be_used_are_told(tmp_path, text, words):
    file = tmp_path / "connect.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read_settings(str(file))
    assert words in str(caught.value)
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_settings(str(tmp_path / "none.toml"))


def test_rules_that_do_not_fit_are_told():
    wire = wire_of(account("zendesk"), Faulty(None))
    with pytest.raises(ScenarioError, match="number of a custom field"):
        help_desk(account("zendesk"), wire, Rules(category_field="Category"))
    with pytest.raises(ScenarioError, match="without quotes"):
        help_desk(account("rt"), wire, Rules(queue="x' OR id > 0"))


def test_an_answer_without_end_is_not_read(monkeypatch):
    def endless():
        while True:
            yield b" " * 1_000_000

    respond = httpx.MockTransport(lambda request: httpx.Response(200, content=endless()))
    wire = Wire("https://desk.example", {}, respond, sleep=lambda wait_s: None)
    monkeypatch.setattr("twin.live.connectors.wire.TRIES", 1)
    with pytest.raises(Unclear, match=f"more than {MOST_BYTES >> 20} MB"):
        wire.get("/x")


@pytest.mark.parametrize(
    ("asked", "wait_s"),
    [("7", 7.0), ("nan", 10.0), ("soon", 10.0), ("", 10.0), ("inf", 900.0), ("-5", 1.0),
     ("Fri, 27 Nov 2026 00:00:00 +99999999999999999999", 10.0)],
)  # fmt: skip
def test_a_wait_that_is_none_does_not_end_the_connector(asked, wait_s):
    transport = httpx.MockTransport(
        lambda request: httpx.Response(429, headers={"Retry-After": asked})
    )
    wire = Wire("https://desk.example", {}, transport)
    with pytest.raises(AskedToWait) as found:
        wire.send("PUT", "/x", {})
    assert found.value.wait_s == wait_s


def test_two_connectors_of_one_help_desk_do_not_share_a_store(tmp_path):
    one, two = (Database(str(tmp_path / "desk.sqlite")) for _ in range(2))
    try:
        one.hold("connect-rt")
        with pytest.raises(StoreUnusable):
            two.hold("connect-rt")
        two.hold("connect-zendesk")
    finally:
        one.close()
        two.close()


# The process and the command


def test_a_webhook_does_not_end_the_wait_that_the_help_desk_asked_for():
    stop, wake = threading.Event(), threading.Event()
    begun = []

    def round():
        begun.append(time.monotonic())
        if len(begun) == 2:
            stop.set()
            return
        wake.set()
        raise AskedToWait("/x: status 429", 0.3)

    server.keep_on(SimpleNamespace(round=round), wake, stop, 0.01)
    assert begun[1] - begun[0] >= 0.3


def test_a_round_that_fails_is_told_and_tried_again(caplog):
    stop, wake = threading.Event(), threading.Event()
    errors = [RuntimeError("a customer's words"), Unclear("/x: status 500"), None]

    def round():
        error = errors.pop(0)
        wake.set()
        if error is None:
            stop.set()
            return
        raise error

    with caplog.at_level(logging.WARNING):
        server.keep_on(SimpleNamespace(round=round), wake, stop, 30.0)
    assert errors == []
    assert "a round failed: RuntimeError" in caplog.text
    assert "/x: status 500; tried again" in caplog.text
    assert "words" not in caplog.text


def test_what_would_be_written_is_shown(capsys):
    server._show("7", Writing("Press it.\nThen wait.", False, "twin-1", "Login", "high"))
    server._show("8", Writing("Press it.", True, "twin-2"))
    assert capsys.readouterr().err.splitlines() == [
        "ticket 7: an internal note, category Login, priority high",
        "    Press it.", "    Then wait.", "ticket 8: a reply to the customer", "    Press it.",
    ]  # fmt: skip


def test_serve_starts_the_connector_beside_the_desk(environment, tmp_path):
    part = _connector("zendesk", None, 5001, "note", False)
    assert part.command[2:7] == [
        "twin.live.connectors.server", "--tool", "zendesk", "--reply", "note",
    ]  # fmt: skip
    assert TOKEN not in " ".join(part.command)
    assert "--dry-run" not in part.command
    assert "--dry-run" in _connector("zendesk", None, 5001, "public", True).command
    assert _connector(None, None, 5001, "note", False) is None
    with _kept_in("live/desk.sqlite", False) as kept:
        assert kept == "live/desk.sqlite"
    with _kept_in("live/desk.sqlite", True) as kept:
        assert kept != "live/desk.sqlite"
    environment.setattr(sys, "argv", ["connector", "--tool", "zendesk", "--settings", "none.toml"])
    with pytest.raises(SystemExit) as ended:
        server.main()
    assert ended.value.code == BAD_INPUT


@pytest.mark.parametrize("options", [{"reply": "public"}, {"dry_run": True}])
def test_options_of_a_connection_go_with_it(options, capsys):
    values = {"tool": None, "file": None, "port": 5001, "reply": "note", "dry_run": False}
    with pytest.raises(typer.Exit):
        _connector(**(values | options))
    assert "go with --connect" in capsys.readouterr().err
