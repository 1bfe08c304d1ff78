"""The backend process: a desk behind waitress, run as ``python -m twin.live.server``."""

from __future__ import annotations

import argparse
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

from waitress import create_server
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from twin.assistant.errors import NoKey
from twin.assistant.live.settings import Settings as Provider
from twin.common.errors import Fault, ScenarioError
from twin.live.api import Settings, create_app
from twin.live.database import StoreError, StoreUnusable
from twin.live.desk import TIMEOUT_S, Desk
from twin.live.process import plain_errors, say, start_log
from twin.live.store import Store
from twin.scenario.changes import parse_change
from twin.scenario.file import load
from twin.scenario.model import Scenario

_log = logging.getLogger("twin.live")

TOKEN, DATABASE = "TWIN_TOKEN", "TWIN_DATABASE"
SHORTEST_TOKEN = 16
# Requests a second of one client, on this machine and from elsewhere.
RATE, RATE_ELSEWHERE = 1000.0, 20.0
PLACES = 40
# Requests beyond those that wait for a model: lists, feedback, health.
_OTHERS = 8
# Bodies up to this are read before they are refused, so that clients hear why.
_READ_BYTES = 8 * 1024 * 1024
# Beyond this many connections each new one closes the one that was idle longest.
CONNECTIONS = 200
# A connection that is idle, or busy sending one request, for so long is closed.
IDLE_S, REQUEST_S = 30, 60
_TIDY_S = 60.0


def is_loopback(host: str) -> bool:
    """True if an address is of this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def find_token(host: str) -> str:
    """The API token of the environment.

    Raises
    ------
    ScenarioError
        If the token cannot be used, or there is none and other machines may call.
    """
    token = os.environ.get(TOKEN, "")
    if (token or not is_loopback(host)) and len(token) < SHORTEST_TOKEN:
        reason = (
            f"to listen on {host} takes an API token of at least {SHORTEST_TOKEN} characters in "
            f"the environment variable {TOKEN}"
        )
        raise ScenarioError("twin serve", [Fault("--host", reason)])
    if not all("!" <= c <= "~" for c in token):
        reason = f"{TOKEN} may hold printable ASCII characters only"
        raise ScenarioError("twin serve", [Fault("--host", reason)])
    return token


def choose_backend(scenario: Scenario, wanted: str = "auto") -> Scenario:
    """The scenario with the backend that answers live.

    Parameters
    ----------
    scenario : Scenario
    wanted : {"auto", "groq", "embedded"}
        auto: groq where there is a key, else embedded.

    Raises
    ------
    AssistantError
        If groq is wanted and there is no key, or the key or the address cannot be used.
    """
    if wanted == "auto":
        wanted = "groq"
        try:
            Provider.find()
        except NoKey:
            wanted = "embedded"
    elif wanted == "groq":
        Provider.find()
    return scenario.vary({"assistant.backend": wanted}, name=scenario.name)


class _JsonErrorTask(ErrorTask):
    """JSON also for requests that waitress itself refuses, such as a broken request line."""

    def execute(self) -> None:
        error = self.request.error
        body = json.dumps({"error": error.reason.lower()}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):
    """A connection that cannot keep others out by sending its request a byte at a time.

    The one whose last whole request is longest ago goes first where there are too many.
    """

    error_task_class = _JsonErrorTask

    def __init__(self, server: Any, *more: Any, **options: Any) -> None:
        self.useful_at = time.monotonic()
        super().__init__(server, *more, **options)
        others = [c for c in server.active_channels.values() if not c.will_close]
        if len(others) > CONNECTIONS:
            waiting = [c for c in others if not c.requests]
            min(waiting, key=lambda c: c.useful_at).will_close = True

    def readable(self) -> bool:
        """True if to read on; asked at least once a second."""
        late = time.monotonic() - self.useful_at > REQUEST_S
        if late and self.request is not None and not self.requests:
            self.will_close = True
        return bool(super().readable())

    def service(self) -> None:
        """Answer a request that has come whole."""
        # Before, too: a client that has its answer is none of those that go first.
        self.useful_at = time.monotonic()
        super().service()
        self.useful_at = time.monotonic()


def _address(host: str) -> str:
    """One address of a host: a server for each would be another kind of server."""
    found = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)
    return str(found[0][4][0])


def make_server(app: Any, host: str, port: int, places: int = PLACES) -> Any:
    """A waitress server; its `run` serves until SystemExit or KeyboardInterrupt.

    Raises
    ------
    OSError
        If the port cannot be used.
    """
    server = create_server(
        app,
        host=_address(host),
        port=port,
        threads=places + _OTHERS,
        ident=None,
        max_request_body_size=_READ_BYTES,
        max_request_header_size=64 * 1024,
        # Never reached, as those beyond CONNECTIONS go.
        connection_limit=2 * CONNECTIONS,
        channel_timeout=IDLE_S,
        cleanup_interval=IDLE_S // 3,
        log_socket_errors=False,
        asyncore_use_poll=True,
    )
    server.channel_class = _Channel
    return server


def _tidy(desk: Desk, stop: threading.Event) -> None:
    while not stop.wait(_TIDY_S):
        try:
            desk.tidy()
        except StoreError as error:
            _log.error("%s: %s", type(error).__name__, error)
        except Exception as error:
            # One ticket that it cannot understand ends it for this time, not for good.
            _log.error("a round of tidying failed: %s", type(error).__name__)


def run(options: argparse.Namespace) -> None:
    """Serve until a signal says stop."""
    token = find_token(options.host)
    changes = dict(parse_change(text) for text in options.changes)
    scenario = choose_backend(load(options.scenario, changes), options.backend)
    store = Store(options.database)
    store.claim()
    desk = Desk(scenario, store, timeout_s=options.timeout)
    desk.asker.warm_up()
    rate = options.rate
    if rate is None:
        rate = RATE if is_loopback(options.host) else RATE_ELSEWHERE
    app = create_app(desk, Settings(token=token, rate=rate, places=PLACES))
    server = make_server(app, options.host, options.port)
    stop = threading.Event()
    threading.Thread(target=_tidy, args=(desk, stop), daemon=True).start()
    answers = Provider.find().words if desk.asker.backend == "groq" else "on this machine"
    where = desk.asker.backend, answers, store.database.name
    _log.warning("the desk is open (backend %s: %s; %s)", *where)
    try:
        server.run()
    finally:
        stop.set()
        server.close()
        store.close()


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="twin.live.server", description=__doc__)
    parser.add_argument("--scenario", required=True)
    parser.add_argument("--set", dest="changes", action="append", default=[])
    # A password in it is safer in the environment.
    known = os.environ.get(DATABASE)
    parser.add_argument("--database", default=known, required=known is None)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--backend", choices=("auto", "groq", "embedded"), default="auto")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S)
    return parser


def _stop(*_: Any) -> None:
    raise SystemExit(0)


def main() -> None:
    """Entry point of the process."""
    start_log()
    signal.signal(signal.SIGTERM, _stop)
    options = _options().parse_args()
    with plain_errors(options.host, options.port):
        try:
            run(options)
        except StoreUnusable:
            raise
        except StoreError as error:
            # It could be opened, so it is the first thing written that fails.
            sys.exit(say(f"the store cannot be written to: {error}"))


if __name__ == "__main__":
    main()
