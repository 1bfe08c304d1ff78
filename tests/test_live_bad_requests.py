"""Two hundred bad requests, made by hand: each is met by a fitting 4xx, as JSON, and keeps nothing.

They go through a real server on loopback, byte for byte, so that paths and headers are as bad on
the wire as they are here.
"""

import http.client
import json
import socket
import threading

import pytest

from tests.live_desk import MODEL, Small
from twin.live.server import PLACES
from twin.live.web import make_server

pytestmark = [pytest.mark.network, pytest.mark.enable_socket]

GOOD = {"description": "login", "model": MODEL, "use_rag": True}
RATED = {"description": "login", "model": MODEL, "rating": 5, "feedback": "fine"}
SQL = [
    "'; DROP TABLE tickets; --", "1 OR 1=1", "' UNION SELECT * FROM feedback --",
    'Robert"); DELETE FROM feedback;--', "1; ATTACH DATABASE 'x' AS y",
]  # fmt: skip
HTML = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</title><svg/onload=alert(1)>",
]
WRONG = [7, 1.5, True, [], ["x"], {}, {"a": 1}]
DEEP = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
JSON_TYPE = {"Content-Type": "application/json"}


def cases():
    """Each case: method, path, headers, body, the statuses that fit."""
    post = "POST"

    def ticket(statuses, **fields):
        return post, "/process_ticket", JSON_TYPE, json.dumps(GOOD | fields).encode(), statuses

    def rated(statuses, **fields):
        return post, "/submit_feedback", JSON_TYPE, json.dumps(RATED | fields).encode(), statuses

    def change(statuses, **fields):
        return "PATCH", "/tickets/1", JSON_TYPE, json.dumps(fields).encode(), statuses

    def raw(body, statuses, path="/process_ticket", headers=JSON_TYPE):
        return post, path, headers, body, statuses

    def get(path, statuses):
        return "GET", path, {}, b"", statuses

    # Wrong types in every field.
    for wrong in WRONG:
        yield ticket({422}, description=wrong)
        yield ticket({422}, model=wrong)
        yield ticket({422}, priority=wrong)
        yield rated({422}, description=wrong)
        yield rated({422}, model=wrong)
        yield rated({422}, feedback=wrong)
        yield change({422}, status=wrong)
        yield change({422}, response=wrong, status="Resolved")
        yield change({422}, category=wrong)
    for wrong in (7, 1.5, [], ["x"], {}, "true", "", "1"):
        yield ticket({422}, use_rag=wrong)
    for wrong in (0, 6, -1, 3.5, True, None, "5", [], {}, 10**20, 1e300):
        yield rated({422}, rating=wrong)
    for wrong in (0, -1, 1.5, True, "1", [], {}, 2**31, 10**30):
        yield rated({422}, ticket_id=wrong)
    # What is missing, empty, too much, or not ours.
    for empty in ("", " ", "\n\t ", "\u00a0\u2003", None):
        yield ticket({400}, description=empty)
        yield rated({400}, description=empty)
    yield raw(b"{}", {400})
    yield raw(b"{}", {400}, "/submit_feedback")
    yield "PATCH", "/tickets/1", JSON_TYPE, b"{}", {422}
    for body in (b"[]", b'"text"', b"7", b"true", b"null"):
        yield raw(body, {422})
        yield raw(body, {422}, "/submit_feedback")
    yield ticket({422}, use_rga=True)
    yield ticket({422}, ticket_id=1)
    yield rated({422}, stars=5)
    yield change({422}, description="another")
    yield change({422}, response="an answer without a status")
    yield change({422}, status="Closed", response="an answer to a closed ticket")
    yield change({422}, response="   ", status="Resolved")
    yield ticket({422}, description="x" * 8_001)
    yield ticket({422}, model="x" * 201)
    yield rated({422}, feedback="x" * 8_001)
    yield ticket({422}, description="a\x00b")
    yield rated({422}, feedback="a\x00b")
    yield rated({422}, model="a\x00b")
    yield raw(b'{"description": "a\\ud800b"}', {422})
    yield raw(
        b'{"description": "x", "rating": 5, "feedback": "\\udfff"}', {422}, "/submit_feedback"
    )
    # SQL and HTML where they cannot be what was meant; in a description they are text.
    for text in SQL + HTML:
        yield ticket({422}, model=text)
        yield ticket({422}, use_rag=text)
        yield ticket({422}, priority=text)
        yield rated({422}, rating=text)
        yield rated({422}, ticket_id=text)
        yield change({422}, status=text)
        yield change({422}, category=text)
        yield change({422}, priority=text)
        quoted = "".join(f"%{byte:02x}" for byte in text.encode())
        yield get(f"/tickets/{quoted}", {404})
        yield get(f"/tickets?status={quoted}", {422})
        yield get(f"/tickets?limit={quoted}", {422})
        yield get(f"/feedback?before={quoted}", {422})
    # Bytes that are no JSON.
    for body in (
        b"", b"{", b'{"description"', b'{"description": "x"', b'{"description": "x",}',
        b"{'description': 'x'}", b"description=x", b"<xml/>", b"\xff\xfe",
        b'{"description": "\xff"}',
        b'{"description": "\xc3"}', '{"description": "x"}'.encode("utf-16"),
        '{"description": "x"}'.encode("utf-32"), b"\xef\xbb\xbf{}", b'{"description": NaN}',
        b'{"description": "x", "use_rag": Infinity}', b'{"description": "x"} {}',
        b'{"description": "x", "description": "y"}', b"[" * 100_000, DEEP,
        b'{"description": "a\nb"}', b"1" * 5_000, b'{"description": ' + b"9" * 5_000 + b"}",
    ):  # fmt: skip
        yield raw(body, {400})
    # Too large.
    yield raw(b'{"description": "' + b"x" * 300_000 + b'"}', {413})
    yield raw(b" " * 5_000_000, {413})
    yield raw(b'{"rating": 5, "description": "' + b"x" * 400_000 + b'"}', {413}, "/submit_feedback")
    # Not said to be JSON.
    body = json.dumps(GOOD).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
                 "application/xml", "application/json5", "",
                 "application/json; charset=latin-1"):  # fmt: skip
        yield raw(body, {415}, headers={"Content-Type": kind})
    yield raw(body, {415}, headers={})
    yield raw(body, {415}, headers=JSON_TYPE | {"Content-Encoding": "gzip"})
    # Keys that are none.
    for key in ("", "a b", "x" * 129, "\x7f", "k\xe4se"):
        yield raw(body, {400}, headers=JSON_TYPE | {"Idempotency-Key": key})
    # Paths, methods, numbers.
    for path in (
        "/nothing", "/process_ticket/", "/tickets/", "/tickets/0", "/tickets/-1",
        "/tickets/99", "/tickets/1.5", "/tickets/1e3", "/tickets/2147483648", f"/tickets/{10**40}",
        "/tickets/../health", "/tickets/%2e%2e/health", "/../../etc/passwd",
        "/%2e%2e%2fetc%2fpasswd",
        "/..%5c..%5cwindows", "/health%00", "/tickets/1%00", "/static/../api.py", "/tickets/%ff",
        "/tickets/1/changes", "/.env", "/openapi.json/..",
    ):  # fmt: skip
        yield get(path, {404})
    for query in ("limit=0", "limit=-1", "limit=501", "limit=x", "limit=1.5", "limit=", "before=0",
                  "before=99999999999", "status=", "status=open", "status=Nobody"):  # fmt: skip
        yield get(f"/tickets?{query}", {422})
    for method, path in (
        ("GET", "/process_ticket"), ("GET", "//process_ticket"), ("DELETE", "/process_ticket"),
        ("PUT", "/submit_feedback"),
        ("GET", "/submit_feedback"), ("POST", "/tickets"), ("DELETE", "/tickets/1"),
        ("POST", "/tickets/1"), ("PUT", "/tickets/1"), ("POST", "/health"), ("DELETE", "/feedback"),
        ("PATCH", "/models"), ("TRACE", "/health"),
    ):  # fmt: skip
        yield method, path, {}, b"", {405}
    # Names that lead here from elsewhere.
    for host in ("evil.example.org", "127.0.0.1.evil.example.org", "localhost@evil", ""):
        yield "GET", "/health", {"Host": host}, b"", {400, 421}


CASES = list(cases())


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    small = Small(tmp_path_factory.mktemp("desk"))
    small.file("login")
    server = make_server(small.app, "127.0.0.1", 0, PLACES)
    threading.Thread(target=server.run, daemon=True).start()
    yield small, server.effective_port
    server.close()


def ask(port, method, path, headers, body):
    """Send a request as it stands; status, type and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection._validate_path = connection._validate_host = lambda *_: None
        connection._encode_request = lambda line: line.encode("latin-1")
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value.encode("latin-1"))
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        connection.close()


def test_there_are_two_hundred():
    assert len(CASES) >= 200


def test_each_is_met_by_a_fitting_answer(served):
    small, port = served
    before = (small.store.tickets(), small.store.feedback())
    odd = []
    for method, path, headers, body, statuses in CASES:
        status, kind, said = ask(port, method, path, headers, body)
        fits = status in statuses and kind == "application/json"
        if not fits or not isinstance(json.loads(said).get("error"), str):
            odd.append((method, path, headers, body[:80], status, kind, said[:200]))
        assert b"Traceback" not in said
    assert not odd, "\n".join(map(repr, odd))
    assert (small.store.tickets(), small.store.feedback()) == before
    assert ask(port, "GET", "/health", {}, b"")[0] == 200


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (b"GARBAGE\r\n\r\n", {400}),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n", {400}),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", {431}),
        (b"POST /process_ticket HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", {400}),
        (b"POST /process_ticket HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
         {413}),
        (b"POST /process_ticket HTTP/1.1\r\nHost: localhost\r\n"
         b"Transfer-Encoding: chunked\r\n\r\nzz", {400, 501}),
    ],
)  # fmt: skip
def test_what_is_hardly_http_gets_json_too(served, sent, statuses):
    with socket.create_connection(("127.0.0.1", served[1]), timeout=10) as connection:
        connection.sendall(sent + b"\r\n\r\n")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status in statuses
        assert answer.getheader("Content-Type") == "application/json"
        assert isinstance(json.loads(answer.read())["error"], str)


@pytest.mark.parametrize("text", [*SQL, *HTML, "%s %(x)s {0} \\", "\u202eabc"])
def test_sql_and_html_in_a_description_are_words(served, text):
    small, port = served
    body = json.dumps({"description": text, "model": MODEL, "rating": 3, "feedback": text})
    assert ask(port, "POST", "/submit_feedback", JSON_TYPE, body.encode())[0] == 200
    kept = small.store.feedback(limit=1)[0]
    assert (kept["description"], kept["feedback"]) == (text, text)
    ticket = json.dumps({"description": text}).encode()
    status, kind, said = ask(port, "POST", "/process_ticket", JSON_TYPE, ticket)
    assert (status, kind) == (200, "application/json")
    assert small.store.ticket(json.loads(said)["ticket_id"])["description"] == text
