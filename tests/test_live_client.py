"""The client by which the page asks the live desk: its words, and faults of whatever answers."""

import io
import json
import time
import urllib.error
from dataclasses import replace
from email.message import Message as Headers
from pathlib import Path

import pytest
from stub_desk import AppTest, rate, texts, whole

from twin.live.page import desk as customers_page
from twin.live.page.client import Client, DeskError, Search, Ticket, _in_words
from twin.scenario.file import load


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
