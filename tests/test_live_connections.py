"""Clients that connect and dawdle: they are closed in the end, and keep nobody else out."""

import http.client
import json
import socket
import threading
import time
from contextlib import closing, contextmanager

import pytest

from twin.live import web
from twin.live.server import PLACES
from twin.live.web import make_server

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

HALF = b"POST /process_ticket HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"


@contextmanager
def serving(small, host="127.0.0.1"):
    server = make_server(small.app, host, 0, PLACES)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.effective_port
    finally:
        # From inside, as waitress ends by an exception only.
        server.asyncore.dispatcher.readable = server.readable
        server.readable = end
        server.pull_trigger()
        thread.join(20)
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        server.close()
        assert not thread.is_alive()


def end():
    raise SystemExit


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def closed(connection):
    """Wait until the other side has closed it."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def ask(connection, path="/health"):
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_dawdlers_do_not_keep_others_out(small, monkeypatch):
    monkeypatch.setattr(web, "CONNECTIONS", 20)
    with serving(small) as port, closing(http.client.HTTPConnection("127.0.0.1", port)) as steady:
        assert ask(steady)[0] == 200
        kept = steady.sock
        dawdlers = []
        try:
            for number in range(60):
                dawdlers.append(connect(port))
                if number % 2:
                    dawdlers[-1].sendall(HALF)
                # A client that asks now and then is none of those that go first. Connections are
                # taken in the order in which they came: once the probe is answered, no dawdler
                # waits to be taken after the steady client has asked.
                if number % 10 == 0:
                    with closing(
                        http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                    ) as probe:
                        assert ask(probe)[0] == 200
                    assert ask(steady)[0] == 200
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as fresh:
                assert ask(fresh)[0] == 200
            assert all(closed(dawdler) for dawdler in dawdlers[:30])
        finally:
            for dawdler in dawdlers:
                dawdler.close()
        assert ask(steady)[0] == 200
        assert steady.sock is kept


def test_a_request_that_takes_too_long_to_come_is_given_up(small, monkeypatch):
    monkeypatch.setattr(web, "REQUEST_S", 0.3)
    with serving(small) as port, closing(connect(port)) as slow:
        slow.sendall(HALF)
        began = time.monotonic()
        assert closed(slow)
        assert time.monotonic() - began < 10
    assert small.store.tickets() == []


def test_a_client_that_leaves_before_its_answer_is_no_fault(small, caplog):
    body = json.dumps({"description": "login"}).encode()
    request = b"POST /process_ticket HTTP/1.1\r\nHost: localhost\r\n"
    request += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with serving(small) as port:
        for _ in range(5):
            with closing(connect(port)) as hasty:
                hasty.sendall(request + body)
        until = time.monotonic() + 20
        while len([t for t in small.store.tickets() if t["status"] == "Waiting for customer"]) < 5:
            assert time.monotonic() < until
            time.sleep(0.02)
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as fresh:
            assert ask(fresh)[0] == 200
    assert "Traceback" not in caplog.text


def test_a_name_with_many_addresses_is_served_like_any(small):
    with serving(small, "localhost") as port, closing(connect(port)) as connection:
        connection.sendall(b"NONSENSE\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400
        assert "error" in json.loads(answer.read())
