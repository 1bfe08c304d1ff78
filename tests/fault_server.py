"""A chat-completions server on loopback that fails as told, limits as told, and counts.

with FaultServer() as server:
    server.faults = ["html", "ok", 503]      # of the next requests; then all is well
    ...                                      # GROQ_BASE_URL = server.url
    server.answered                          # answers given, by request body
"""

import hashlib
import json
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from twin.assistant.live.bounded import MOST_BYTES

KEY = "gsk_SENTINEL_0123456789"
ERRORS = {
    400: "invalid_request",
    401: "invalid_api_key",
    404: "model_not_found",
    413: "request_too_large",
    422: "unprocessable",
    498: "capacity_exceeded",
    500: "internal_error",
    502: "bad_gateway",
    503: "service_unavailable",
}


class Limit:
    """A limit on requests or tokens that drains evenly, as the real ones; or in windows."""

    def __init__(self, limit, period_s, sliding=False):
        self.limit, self.period_s, self.sliding = limit, period_s, sliding
        self.level, self.at, self.log = 0.0, time.monotonic(), deque()

    def used(self, now):
        if self.sliding:
            while self.log and self.log[0][0] <= now - self.period_s:
                self.log.popleft()
            return sum(amount for _, amount in self.log)
        self.level = max(0.0, self.level - (now - self.at) * self.limit / self.period_s)
        self.at = now
        return self.level

    def wait(self, amount, now):
        over = self.used(now) + amount - self.limit
        if over <= 0:
            return 0.0
        if self.sliding:
            for moment, taken in self.log:
                over -= taken
                if over <= 0:
                    return moment + self.period_s - now
        return over * self.period_s / self.limit

    def take(self, amount, now):
        self.used(now)
        self.level += amount
        self.log.append((now, amount))

    def headers(self, kind, now):
        used = self.used(now)
        reset = used * self.period_s / self.limit
        return {
            f"x-ratelimit-limit-{kind}": str(self.limit),
            f"x-ratelimit-remaining-{kind}": str(max(0, int(self.limit - used))),
            f"x-ratelimit-reset-{kind}": f"{reset:.3f}s",
        }


class Server(ThreadingHTTPServer):
    """With room for many connections at once."""

    request_queue_size = 256
    daemon_threads = True
    block_on_close = False


class FaultServer:
    """See the module.

    Attributes
    ----------
    faults : list
        What the next requests get: a status, the name of a fault in `Handler`, or a function of
        the handler, the body and the limits to tell, which sends what it likes.
    choose : callable or None
        Instead: the fault of a request, from its body and its number.
    limits : dict
        "requests" and "tokens" to `Limit`.
    headers : bool
        Whether limits are told in headers.
    latency_s, streams_s : float
        Before an answer, and after the first token of one that is asked for as a stream.
    seen, answered : Counter
        Requests, and whole answers sent, by their body without what a repair adds.
    keys : set
        Authorization headers.
    bodies : list
    unread : int
        Requests that were given up, or cut off, before the server could read them.
    """

    def __init__(self):
        self.faults, self.choose = [], None
        self.limits, self.headers = {}, True
        self.latency_s, self.stall_s, self.streams_s = 0.0, 30.0, 0.0
        self.seen, self.answered, self.statuses = Counter(), Counter(), Counter()
        self.keys, self.bodies, self.paths = set(), [], set()
        self.unread = 0
        self.moments = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        server = self

        class Bound(Handler):
            owner = server

        self.http = Server(("127.0.0.1", 0), Bound)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.http.shutdown()
        self.thread.join(5)
        self.http.server_close()

    def next_fault(self, body):
        if self.choose is not None:
            return self.choose(body, len(self.bodies))
        return self.faults.pop(0) if self.faults else "ok"


def fingerprint(body):
    """A request's own first two messages: a repair of it is the same call."""
    text = json.dumps([body.get("model"), body["messages"][:2], body.get("seed")])
    return hashlib.sha256(text.encode()).hexdigest()


def tokens_of(body):
    return sum(len(m["content"]) for m in body["messages"]) // 4 + 70


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    owner = None
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Head and body in one packet, or each answer waits 40 ms for the other side.
    wbufsize = -1

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionResetError:
            self.unread()

    def unread(self):
        with self.owner.lock:
            self.owner.unread += 1
        self.close_connection = True

    def do_POST(self):
        owner = self.owner
        length = int(self.headers["content-length"])
        text = self.rfile.read(length)
        if len(text) < length:
            self.unread()
            return
        body = json.loads(text)
        now = time.monotonic()
        with owner.lock:
            owner.bodies.append(body)
            owner.paths.add(self.path)
            owner.keys.add(self.headers.get("authorization"))
            owner.seen[fingerprint(body)] += 1
            fault = owner.next_fault(body)
            refused = self.refused(body, now)
            told = self.told(now)
        try:
            if refused is not None:
                self.error(429, "rate_limit_exceeded", refused[1], told | refused[0])
            else:
                self.act(fault, body, told)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def refused(self, body, now):
        asked = {"requests": 1, "tokens": tokens_of(body) + body["max_completion_tokens"]}
        limits = self.owner.limits
        waits = {kind: limit.wait(asked[kind], now) for kind, limit in limits.items()}
        if any(waits.values()):
            kind, wait = max(waits.items(), key=lambda item: item[1])
            name = {"requests": "RPM", "tokens": "TPM"}[kind]
            text = (
                f"Rate limit reached for model in organization `org` on {kind} per minute ({name}):"
                f" Limit {limits[kind].limit}, Used 1, Requested 1. Try again in {wait:.3f}s."
            )
            return {"retry-after": f"{wait:.3f}"}, text
        for kind, limit in limits.items():
            limit.take(asked[kind], now)
        if self.owner.limits:
            self.owner.moments.append((now, asked["tokens"]))
        return None

    def told(self, now):
        told = {}
        for kind, limit in self.owner.limits.items():
            if self.owner.headers:
                told |= limit.headers(kind, now)
        return told

    def act(self, fault, body, told):
        owner = self.owner
        if owner.latency_s:
            owner.closing.wait(owner.latency_s)
        if isinstance(fault, int):
            self.error(fault, ERRORS.get(fault, "error"), "It failed.", told)
        elif callable(fault):
            fault(self, body, told)
        elif hasattr(self, f"do_{fault}"):
            getattr(self, f"do_{fault}")(body, told)
        else:
            self.completion(body, told)

    # -- what is sent ----------------------------------------------------------

    def send(self, status, content, headers, kind="application/json", length=None):
        data = content if isinstance(content, bytes) else content.encode()
        with self.owner.lock:
            self.owner.statuses[status] += 1
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def error(self, status, code, message, headers):
        # Real servers quote what they were sent; ours is as careless.
        quoted = f"{message} [{self.headers.get('authorization')}]"
        inner = {"message": quoted, "type": "error", "code": code}
        self.send(status, json.dumps({"error": inner}), headers)

    def content(self, body):
        form = body.get("response_format")
        if form is None:
            return "1. Do this.\n2. Then that."
        system = body["messages"][0]["content"]
        names = [json.loads(line[2:]) for line in system.splitlines() if line.startswith("- ")]
        pick = int(fingerprint(body)[:8], 16)
        if not names:  # Not a category is asked for but a verdict.
            return json.dumps({"score": 1 + pick % 5, "reason": "It says so."})
        said = {"category": names[pick % len(names)], "confidence": round(pick % 97 / 97, 2)}
        return json.dumps(said)

    def data(self, body, content=None, **changes):
        content = self.content(body) if content is None else content
        message = {"role": "assistant", "content": content}
        usage = {
            "prompt_tokens": tokens_of(body),
            "completion_tokens": 12,
            "total_tokens": tokens_of(body) + 12,
            "queue_time": 0.01,
            "prompt_time": 0.002,
            "completion_time": 0.02,
            "total_time": 0.022,
            "prompt_tokens_details": {"cached_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 3},
        }
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": usage,
        } | changes

    def completion(self, body, told, content=None, **changes):
        with self.owner.lock:
            self.owner.answered[fingerprint(body)] += 1
        if body.get("stream"):
            self.stream(self.data(body, content, **changes), told)
        else:
            self.send(200, json.dumps(self.data(body, content, **changes)), told)

    def stream(self, data, told, end="data: [DONE]\n\n", cut=False):
        """The answer in pieces; after the first token time passes, or the connection is cut."""
        text, usage = data["choices"][0]["message"]["content"], data.pop("usage")
        deltas = [
            {"role": "assistant", "content": ""},
            {"content": text[:5]},
            {"content": text[5:]},
        ]
        choices = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
        choices += [[{"index": 0, "delta": {}, "finish_reason": "stop"}]]
        parts = [f"data: {json.dumps(data | {'choices': one})}\n\n" for one in choices]
        parts.append(f": a comment\n\ndata: {json.dumps({'choices': [], 'usage': usage})}\n\n")
        pieces = [piece.encode() for piece in (*parts[:2], "".join(parts[2:]) + end)]
        with self.owner.lock:
            self.owner.statuses[200] += 1
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(sum(map(len, pieces))))
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        for number, piece in enumerate(pieces):
            if number == 2:
                self.owner.closing.wait(self.owner.streams_s)
            if number == 2 and cut:
                self.close_connection = True
                return
            self.wfile.write(piece)
            self.wfile.flush()

    # -- faults by name --------------------------------------------------------

    def do_html(self, body, told):
        self.send(200, "<html><body>Sign in to the network</body></html>", told, "text/html")

    def do_no_choices(self, body, told):
        self.completion(body, told, choices=[])

    def do_null_choices(self, body, told):
        self.completion(body, told, choices=None)

    def do_wrong_types(self, body, told):
        choice = {"index": 0, "message": {"content": ["a"]}, "finish_reason": 7}
        self.completion(body, told, choices=[choice], usage={"prompt_tokens": "many"})

    def do_no_usage(self, body, told):
        self.completion(body, told, usage=None)

    def do_array(self, body, told):
        self.send(200, "[1, 2]", told)

    def do_cut_json(self, body, told):
        self.send(200, json.dumps(self.data(body))[:80], told)

    def do_cut_connection(self, body, told):
        data = json.dumps(self.data(body)).encode()
        self.send(200, data[:50], told, length=len(data))
        self.close_connection = True

    def do_hang_up(self, body, told):
        self.close_connection = True
        self.connection.close()

    def do_endless_stream(self, body, told):
        self.stream(self.data(body), told, end="")

    def do_cut_stream(self, body, told):
        self.stream(self.data(body), told, cut=True)

    def do_still_stream(self, body, told):
        self.stream(self.data(body), told)

    def do_long_stream(self, body, told):
        self.stream(self.data(body), told, end=f": {'x' * MOST_BYTES}\n\n")

    def do_whole(self, body, told):
        self.send(200, json.dumps(self.data(body)), told)

    def do_error_in_stream(self, body, told):
        error = {"error": {"message": "It broke.", "code": "internal_server_error"}}
        self.send(200, f"data: {json.dumps(error)}\n\n", told, "text/event-stream")

    def do_stall(self, body, told):
        self.owner.closing.wait(self.owner.stall_s)
        self.close_connection = True

    def do_trickle(self, body, told):
        """Bytes without end: no single read times out."""
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "100000")
        self.end_headers()
        for _ in range(int(self.owner.stall_s / 0.05)):
            if self.owner.closing.wait(0.05):
                break
            self.wfile.write(b" ")
            self.wfile.flush()
        self.close_connection = True

    def do_retired(self, body, told):
        self.error(400, "model_decommissioned", "The model has been decommissioned.", told)

    def do_bad_json_mode(self, body, told):
        self.error(400, "json_validate_failed", "Failed to generate JSON.", told)

    def do_too_long(self, body, told):
        self.error(400, "context_length_exceeded", "Please reduce the length.", told)

    def do_limited(self, body, told):
        self.error(429, "rate_limit_exceeded", "Slow down.", told | {"retry-after": "0.05"})

    def do_limited_bare(self, body, told):
        self.error(429, "rate_limit_exceeded", "Slow down.", told)

    def do_limited_long(self, body, told):
        text = "on tokens per day (TPD): Limit 100000, Used 97050. Please try again in 9m38.016s."
        self.error(429, "rate_limit_exceeded", text, told)

    def do_bad_category(self, body, told):
        self.completion(body, told, json.dumps({"category": "No such", "confidence": 0.5}))

    def do_prose(self, body, told):
        self.completion(body, told, "I think that it is about payments.")

    def do_empty(self, body, told):
        self.completion(body, told, "")

    def do_cut_answer(self, body, told):
        message = {"role": "assistant", "content": '{"categ'}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        self.completion(body, told, choices=[choice])

    def do_bad_score(self, body, told):
        self.completion(body, told, json.dumps({"score": 9, "reason": "Very good."}))
