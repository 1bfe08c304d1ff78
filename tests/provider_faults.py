"""Faults of a provider as functions that send them; see `FAULTS`: name, what is sent, how it ends.

An end is "answer", or the error of `twin.assistant.errors` that a call ends in where the fault
stays. All are sent by the server of `fault_server` to the real SDK.
"""

import gzip
import json
import time
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache

from twin.assistant import errors

ANSWER = "answer"


def reply(content=None, status=200, kind="application/json", headers=None, change=None, **more):
    """Send a body: as it is, or a whole answer, changed by a function."""

    def fault(handler, body, told):
        sent = content
        if callable(sent):
            sent = sent(handler.data(body))
        elif sent is None:
            data = handler.data(body, **more)
            sent = json.dumps(change(data) if change else data)
        made = headers() if callable(headers) else headers
        handler.send(status, sent, told | (made or {}), kind)

    return fault


def refuse(status, headers=None, message="It failed.", **inner):
    """An HTTP error in the form that OpenAI's has."""
    error = {"message": message, "type": "error", "code": None} | inner
    return reply(json.dumps({"error": error}), status, headers=headers)


def within(**error):
    """An error that comes as HTTP 200."""
    return reply(json.dumps({"error": error}))


def message(**fields):
    """An answer whose message has other fields; `finish` is why it stopped."""
    finish = fields.pop("finish", "stop")

    def change(data):
        choice = {"index": 0, "message": {"role": "assistant", **fields}, "finish_reason": finish}
        return data | {"choices": [choice]}

    return reply(change=change)


def saying(text):
    """An answer of a text around the category that was asked for: `{}` stands for it."""

    def change(data):
        inner = data["choices"][0]["message"]
        inner["content"] = text.replace("{}", inner["content"])
        return data

    return reply(change=change)


def usage(changes, drop=()):
    """An answer whose usage is another."""

    def change(data):
        if not isinstance(changes, dict):
            return data | {"usage": changes}
        kept = {name: value for name, value in data["usage"].items() if name not in drop}
        return data | {"usage": kept | changes}

    return reply(change=change)


def encoded(pack, encoding):
    """A whole answer, packed."""
    return reply(
        lambda data: pack(json.dumps(data).encode()), headers={"content-encoding": encoding}
    )


def in_bytes(codec, prefix=b"", kind="application/json"):
    """A whole answer as bytes of a codec."""
    return reply(
        lambda data: prefix + json.dumps(data, ensure_ascii=False).encode(codec), kind=kind
    )


def raw(data, wait_s=0.0):
    """Bytes in place of a response, and the end of the connection."""

    def fault(handler, body, told):
        handler.wfile.write(data)
        handler.wfile.flush()
        handler.owner.closing.wait(wait_s)
        handler.close_connection = True

    return fault


@cache
def bomb(megabytes=100):
    """Zeros, packed as tightly as gzip can."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1_000_000)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def endless(handler, body, told):
    """An answer without end, as fast as it is read."""
    handler.send_response(200)
    handler.send_header("transfer-encoding", "chunked")
    handler.end_headers()
    block = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for _ in range(800):
        handler.wfile.write(block)
    handler.close_connection = True


def trickling(status):
    """An error whose body never ends."""

    def fault(handler, body, told):
        handler.send_response(status)
        handler.send_header("content-length", "100000")
        handler.end_headers()
        until = time.monotonic() + 4
        while time.monotonic() < until and not handler.owner.closing.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()
        handler.close_connection = True

    return fault


def in_two_hours():
    """A moment as HTTP writes it, by a clock that is an hour wrong."""
    now = datetime.now(UTC) + timedelta(hours=1)
    return {
        "date": format_datetime(now, usegmt=True),
        "retry-after": format_datetime(now + timedelta(hours=2), usegmt=True),
    }


DEEP = "[" * 100_000
LONG_NUMBER, LONGER_NUMBER = "9" * 400, "9" * 5_000
CATEGORY = '{"category": "Login", "confidence": 0.5}'
TOO_LARGE = (
    "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 7012, "
    "please reduce your message size and try again."
)

RETIRED = '{"error": {"code": "model_decommissioned"}}'
LIMITS = "x-ratelimit-"
E = errors
FAULTS = [
    # -- statuses, as each server words them ------------------------------------
    *((f"status {n}", refuse(n), E.Moved) for n in (300, 301, 302, 303, 307, 308)),
    ("moved elsewhere", refuse(307, {"location": "http://127.0.0.1:9/"}), E.Moved),
    *((f"status {n}", refuse(n), E.WrongKey) for n in (401, 403)),
    ("status 404", refuse(404), E.UnknownModel),
    ("status 408", refuse(408), E.TimedOut),
    ("status 413", refuse(413), E.TooLarge),
    ("status 429", refuse(429), E.RateLimited),
    ("status 498", refuse(498), E.NoCapacity),
    *(
        (f"status {n}", refuse(n), E.Refused)
        for n in (
            400,
            402,
            405,
            406,
            410,
            411,
            414,
            415,
            417,
            418,
            421,
            422,
            424,
            425,
            426,
            428,
            431,
            451,
            499,
        )
    ),
    *(
        (f"status {n}", refuse(n), E.ServerError)
        for n in (
            409,
            500,
            501,
            502,
            503,
            504,
            505,
            507,
            508,
            510,
            511,
            520,
            521,
            522,
            523,
            524,
            525,
            526,
            527,
            529,
            530,
            599,
        )
    ),
    # -- bodies of errors ---------------------------------------------------------
    ("error of no body", reply("", 500), E.ServerError),
    ("error of html", reply("<html>502</html>", 502, "text/html"), E.ServerError),
    ("error of a list", reply("[1, 2]", 500), E.ServerError),
    ("error of a text", reply('{"error": "no"}', 500), E.ServerError),
    ("error of null", reply("null", 503), E.ServerError),
    ("error nested deeply", reply(DEEP, 500), E.ServerError),
    ("error of a long number", reply(LONGER_NUMBER, 500), E.ServerError),
    ("error with a mark before it", reply("\ufeff" + RETIRED, 400), E.ModelRetired),
    ("error in a codec that is none", reply("{}", 500, "text/plain; charset=rot13"), E.ServerError),
    ("error in hex", reply("{}", 503, "text/plain; charset=hex"), E.ServerError),
    ("error in Latin-1", reply("Fehler: ü".encode("latin-1"), 500), E.ServerError),
    ("error of wrong types", refuse(500, code=[1], message={"a": 1}), E.ServerError),
    ("error with a key in it", refuse(401, message="Bearer gsk_SENTINEL_0123456789"), E.WrongKey),
    ("retired", refuse(400, code="model_decommissioned"), E.ModelRetired),
    ("too long", refuse(400, code="context_length_exceeded"), E.TooLarge),
    ("no json", refuse(400, code="json_validate_failed"), E.BadAnswer),
    (
        "error that is a bomb",
        reply(lambda _: bomb(), 500, headers={"content-encoding": "gzip"}),
        E.BrokenResponse,
    ),
    (
        "error packed wrongly",
        reply("no gzip", 500, headers={"content-encoding": "gzip"}),
        E.BrokenResponse,
    ),
    ("error without end", trickling(500), E.TimedOut),
    ("limit without end", trickling(429), E.TimedOut),
    # -- when to come back ----------------------------------------------------------
    *(
        (f"429 retry after {words}", refuse(429, {"retry-after": words}), E.RateLimited)
        for words in (
            "1764000000",
            "1e9",
            "1e308",
            "1e309",
            "inf",
            "nan",
            "-1",
            "soon",
            "0",
            "0.01",
            "2h",
            "1d2h3m",
            "90 minutes",
            "9" * 400,
            "0x10",
            "1_000",
            "\u00b2",
            "120, 130",
        )
    ),
    *(
        (f"429 retry after ms {words}", refuse(429, {"retry-after-ms": words}), E.RateLimited)
        for words in ("1e308", "-5", "nan", "x", "1", "1764000000000")
    ),
    ("429 until a moment", refuse(429, in_two_hours), E.RateLimited),
    (
        "429 until a moment that is past",
        refuse(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        E.RateLimited,
    ),
    (
        "429 until no moment",
        refuse(429, {"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}),
        E.RateLimited,
    ),
    (
        "429 until a year far away",
        refuse(429, {"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}),
        E.RateLimited,
    ),
    ("500 retry after long", refuse(500, {"retry-after": "1764000000"}), E.ServerError),
    ("503 retry after long", refuse(503, {"retry-after": "1e308"}), E.ServerError),
    ("498 retry after long", refuse(498, {"retry-after": "9" * 30}), E.NoCapacity),
    *(
        (f"429 saying {words}", refuse(429, message=f"Please try again in {words}."), E.RateLimited)
        for words in (
            "350us",
            "20 \u00b5s",
            "2 minutes",
            "1d2h3m",
            "1 hour and 5 minutes",
            "5ns",
            "9m38.016s",
            "a while",
            "9" * 5_000,
            "9" * 30 + "d",
            "1.2.3s",
        )
    ),
    # -- limits that are told ---------------------------------------------------------
    (
        "limit of 5,000 digits",
        refuse(429, message=f"(TPM): Limit {LONGER_NUMBER}, Used 1"),
        E.RateLimited,
    ),
    ("limit of 0", refuse(429, message="(RPD): Limit 0, Used 0, Requested 1."), E.RateLimited),
    ("limit of 1 a day", refuse(429, message="(TPD): Limit 1, Used 1."), E.TooLarge),
    ("larger than a limit", refuse(429, message=TOO_LARGE), E.TooLarge),
    (
        "larger than a limit, 413",
        refuse(413, message=TOO_LARGE, code="rate_limit_exceeded"),
        E.TooLarge,
    ),
    (
        "limit in headers of 400 digits",
        reply(headers={LIMITS + "limit-tokens": LONG_NUMBER, LIMITS + "remaining-tokens": "1"}),
        ANSWER,
    ),
    (
        "limit in headers of 20 digits",
        reply(headers={LIMITS + "limit-tokens": "9" * 20, LIMITS + "remaining-tokens": "0"}),
        ANSWER,
    ),
    (
        "limit in headers of 0",
        reply(headers={LIMITS + "limit-requests": "0", LIMITS + "remaining-requests": "0"}),
        ANSWER,
    ),
    (
        "limit that comes back never",
        reply(
            headers={
                LIMITS + "limit-requests": "5",
                LIMITS + "remaining-requests": "0",
                LIMITS + "reset-requests": "99999999d",
            }
        ),
        ANSWER,
    ),
    (
        "limit in other digits",
        reply(headers={LIMITS + "limit-tokens": "\u00b2", LIMITS + "remaining-tokens": "x"}),
        ANSWER,
    ),
    # -- errors within HTTP 200 ---------------------------------------------------------
    ("200: limit by number", within(code=429, message="slow"), E.RateLimited),
    ("200: limit by text of a number", within(code="429"), E.RateLimited),
    (
        "200: limit by word",
        within(code="rate_limit_exceeded", message="try again in 20ms"),
        E.RateLimited,
    ),
    ("200: limit by type", within(type="rate_limit_error"), E.RateLimited),
    ("200: key", within(code="invalid_api_key"), E.WrongKey),
    ("200: key by type", within(type="authentication_error", code=None), E.WrongKey),
    ("200: model", within(code="model_not_found", type="invalid_request_error"), E.UnknownModel),
    (
        "200: retired",
        within(code="model_decommissioned", type="invalid_request_error"),
        E.ModelRetired,
    ),
    ("200: too large", within(code="context_length_exceeded"), E.TooLarge),
    ("200: bad request", within(type="invalid_request_error"), E.Refused),
    ("200: no json", within(code="json_validate_failed"), E.BadAnswer),
    ("200: 502", within(code=502), E.ServerError),
    ("200: full", within(code="capacity_exceeded"), E.NoCapacity),
    ("200: overloaded", within(type="overloaded_error"), E.ServerError),
    ("200: internal", within(status=500), E.ServerError),
    ("200: status in words", within(code=13, status="INTERNAL_ERROR"), E.ServerError),
    ("200: of no kind", within(message="Something went wrong."), E.BrokenResponse),
    ("200: number of 5,000 digits", within(code=LONGER_NUMBER), E.BrokenResponse),
    ("200: a text", reply('{"error": "overloaded"}'), E.BrokenResponse),
    (
        "200: as vLLM has it",
        reply('{"object": "error", "type": "BadRequestError", "code": 400}'),
        E.Refused,
    ),
    (
        "200: without error around it",
        reply('{"code": 503, "message": "Loading model"}'),
        E.ServerError,
    ),
    ("200: beside choices", reply(change=lambda d: d | {"error": {"code": 502}}), E.ServerError),
    ("200: error is null", reply(change=lambda d: d | {"error": None}), ANSWER),
    (
        "200: within a choice",
        reply(
            change=lambda d: (
                d
                | {
                    "choices": [
                        {
                            "error": {"code": 502},
                            "message": {"content": "Do th"},
                            "finish_reason": "error",
                        }
                    ]
                }
            )
        ),
        E.ServerError,
    ),
    ("200: finish is error", message(content="Do th", finish="error"), E.BrokenResponse),
    # -- answers that others would choke on -------------------------------------------------
    ("usage null", usage(None), ANSWER),
    ("usage a list", usage([1]), ANSWER),
    ("usage without counts", usage({}, drop=("prompt_tokens", "completion_tokens")), ANSWER),
    ("counts of null", usage({"completion_tokens": None}), ANSWER),
    ("counts as words", usage({"prompt_tokens": "many"}), ANSWER),
    ("counts below 0", usage({"prompt_tokens": -5}), ANSWER),
    ("counts as floats", usage({"prompt_tokens": 80.0, "completion_tokens": 12.5}), ANSWER),
    ("counts of billions", usage({"prompt_tokens": 2_000_000_000}), ANSWER),
    ("counts of 400 digits", usage({"prompt_tokens": int(LONG_NUMBER)}), ANSWER),
    (
        "more cached than asked",
        usage({"prompt_tokens_details": {"cached_tokens": 100_000}}),
        ANSWER,
    ),
    (
        "details of another type",
        usage({"prompt_tokens_details": [5], "completion_tokens_details": 7}),
        ANSWER,
    ),
    ("queue time of 400 digits", usage({"queue_time": int(LONG_NUMBER)}), ANSWER),
    ("queue time below 0", usage({"queue_time": -0.02}), ANSWER),
    (
        "queue time infinite",
        usage({"queue_time": float("inf"), "prompt_time": float("nan")}),
        ANSWER,
    ),
    ("queue time true", usage({"queue_time": True, "total_time": "1s"}), ANSWER),
    (
        "number of 5,000 digits",
        reply(lambda d: json.dumps(d)[:-1] + f', "x": {LONGER_NUMBER}}}'),
        E.BrokenResponse,
    ),
    ("finish null", message(content=CATEGORY, finish=None), ANSWER),
    ("finish of another word", message(content=CATEGORY, finish="eos\ud800\x00"), ANSWER),
    ("finish a number", message(content=CATEGORY, finish=7), E.BrokenResponse),
    (
        "text in parts",
        message(
            content=[{"type": "text", "text": CATEGORY[:9]}, {"type": "text", "text": CATEGORY[9:]}]
        ),
        ANSWER,
    ),
    (
        "thoughts in parts",
        message(
            content=[{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": CATEGORY}]
        ),
        ANSWER,
    ),
    ("parts of words", message(content=["a"]), E.BrokenResponse),
    ("parts without text", message(content=[{"type": "text"}]), E.BrokenResponse),
    ("content a number", message(content=7), E.BrokenResponse),
    ("content null", message(content=None), E.BadAnswer),
    ("refusal", message(content=None, refusal="I cannot help."), E.BadAnswer),
    (
        "a tool is called",
        message(content=None, tool_calls=[{"id": "x"}], finish="tool_calls"),
        E.BadAnswer,
    ),
    ("mark before it", in_bytes("utf-8", b"\xef\xbb\xbf"), ANSWER),
    *(
        (f"charset {name}", in_bytes("utf-8", kind=f"application/json; charset={name}"), ANSWER)
        for name in (
            "rot13",
            "hex",
            "base64",
            "zip",
            "undefined",
            "punycode",
            "idna",
            "utf-16",
            "no-such",
            "utf_8_sig",
            "x" * 2000,
        )
    ),
    (
        "Latin-1 in it",
        reply(
            lambda d: json.dumps(d)[:-1].encode() + b', "x": "\xfc"}',
            kind="application/json; charset=latin-1",
        ),
        ANSWER,
    ),
    ("in UTF-16", in_bytes("utf-16"), E.BrokenResponse),
    ("thoughts before it", saying("<think>Which one?</think>\n{}"), ANSWER),
    ("thoughts whose beginning is missing", saying("Which one?</think>{}"), ANSWER),
    ("thoughts within thoughts", saying("<think>a<THINK >b</think>c</think>{}"), ANSWER),
    ("thoughts without end", saying("<think>Perhaps {}"), E.BadAnswer),
    ("a million tags", saying("<think>" * 120_000), E.BadAnswer),
    ("longer than a model may write", saying("a" * 1_100_000), E.BrokenResponse),
    ("a lone surrogate", saying("\ud800"), E.BadAnswer),
    ("a category with a NUL", saying('{"category": "Login\\u0000", "confidence": 1}'), E.BadAnswer),
    (
        "a confidence of 400 digits",
        saying(f'{{"category": "Login", "confidence": {LONG_NUMBER}}}'),
        E.BadAnswer,
    ),
    (
        "a confidence of 5,000 digits",
        saying(f'{{"category": "Login", "confidence": {LONGER_NUMBER}}}'),
        E.BadAnswer,
    ),
    ("an answer nested deeply", saying(DEEP), E.BadAnswer),
    ("nested deeply", reply(DEEP), E.BrokenResponse),
    ("null", reply("null"), E.BrokenResponse),
    ("a text", reply('"ok"'), E.BrokenResponse),
    ("no body", reply(""), E.BrokenResponse),
    ("two objects", reply(lambda d: json.dumps(d) * 2), E.BrokenResponse),
    (
        "a stream",
        reply('data: {"choices": []}\n\ndata: [DONE]\n\n', kind="text/event-stream"),
        E.BrokenResponse,
    ),
    ("choices an object", reply(change=lambda d: d | {"choices": {}}), E.BrokenResponse),
    ("choices of null", reply(change=lambda d: d | {"choices": [None]}), E.BrokenResponse),
    ("choices of a text", reply(change=lambda d: d | {"choices": ["a"]}), E.BrokenResponse),
    (
        "no message",
        reply(change=lambda d: d | {"choices": [{"finish_reason": "stop"}]}),
        E.BrokenResponse,
    ),
    (
        "message a text",
        reply(change=lambda d: d | {"choices": [{"message": "a"}]}),
        E.BrokenResponse,
    ),
    ("status 201", reply(status=201), ANSWER),
    ("status 204", raw(b"HTTP/1.1 204 No Content\r\n\r\n"), E.BrokenResponse),
    # -- bytes ----------------------------------------------------------------------
    ("packed", encoded(gzip.compress, "gzip"), ANSWER),
    ("packed, in capitals", encoded(gzip.compress, "GZIP"), ANSWER),
    ("packed by zlib", encoded(zlib.compress, "deflate"), ANSWER),
    ("not packed, it says", encoded(bytes, "identity"), ANSWER),
    (
        "packed twice",
        encoded(lambda d: gzip.compress(gzip.compress(d)), "gzip, gzip"),
        E.BrokenResponse,
    ),
    ("packed in a way not asked for", encoded(bytes, "br"), E.BrokenResponse),
    ("packed by nobody knows", encoded(bytes, "magic"), E.BrokenResponse),
    ("not packed at all", encoded(bytes, "gzip"), E.BrokenResponse),
    ("packed and cut", encoded(lambda d: gzip.compress(d)[:40], "gzip"), E.BrokenResponse),
    (
        "packed and damaged",
        encoded(lambda d: gzip.compress(d)[:30] + b"\xff" * 99, "gzip"),
        E.BrokenResponse,
    ),
    ("a bomb", reply(lambda _: bomb(), headers={"content-encoding": "gzip"}), E.BrokenResponse),
    ("30 MB", reply(lambda _: b" " * 30_000_000), E.BrokenResponse),
    ("without end", endless, E.BrokenResponse),
    ("no HTTP", raw(b"SSH-2.0-OpenSSH_9.6\r\n"), E.Unreachable),
    ("no status", raw(b"HTTP/1.1 \r\n\r\n"), E.Unreachable),
    ("status 999", raw(b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n"), E.ServerError),
    ("zeros", raw(b"\x00" * 500), E.Unreachable),
    ("headers without end", raw(b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"a" * 500_000), E.Unreachable),
    (
        "header of NUL",
        raw(b"HTTP/1.1 200 OK\r\nx-a: a\x00b\r\ncontent-length: 0\r\n\r\n"),
        E.Unreachable,
    ),
    (
        "two lengths",
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\nabcde"),
        E.Unreachable,
    ),
    ("length below 0", raw(b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nabcde"), E.Unreachable),
    (
        "length of 400 digits",
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 400 + b"\r\n\r\nabc"),
        E.Unreachable,
    ),
    (
        "chunks of no size",
        raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\nabc\r\n"),
        E.Unreachable,
    ),
    (
        "chunks cut",
        raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
        E.Unreachable,
    ),
    ("continue without end", raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 50), E.Unreachable),
    (
        "other protocol",
        raw(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
        E.Unreachable,
    ),
    ("silence", raw(b"", 2.0), E.TimedOut),
    (
        "silence after the headers",
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", 2.0),
        E.TimedOut,
    ),
    ("silence within them", raw(b"HTTP/1.1 200 OK\r\ncont", 2.0), E.TimedOut),
]
