"""The connector as a process: ``python -m twin.live.connectors.server``, started by `twin serve`.

It looks for what is new every now and then, and at once where a signed webhook says so. It is a
process of its own: the live desk's answers wait for nothing of it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

from twin.live.connectors.accounts import find_account
from twin.live.connectors.bridge import Bridge, Manner
from twin.live.connectors.choose import HELP_DESKS, help_desk, wire_of
from twin.live.connectors.help_desk import Writing
from twin.live.connectors.live_desk import LiveDesk
from twin.live.connectors.outbox import Outbox
from twin.live.connectors.settings import read_settings
from twin.live.connectors.signatures import SIGNATURE, TIMESTAMP, BadSignature, Signatures
from twin.live.connectors.wire import AskedToWait, ConnectorError
from twin.live.database import Database, StoreError
from twin.live.process import plain_errors, start_log
from twin.live.web import make_server

_log = logging.getLogger("twin.connect")

BACKEND, TOKEN, DATABASE = "TWIN_BACKEND", "TWIN_TOKEN", "TWIN_DATABASE"
_MOST_BODY, _PLACES = 256 * 1024, 2
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Inbox:
    """A web server for webhooks: it notes that a ticket is there, and nothing else of what it says.

    Parameters
    ----------
    outbox : Outbox
    secret : str
        Of the help desk's webhooks; without one none is taken.
    wake : callable
        Called after each.
    """

    def __init__(self, outbox: Outbox, secret: str, wake: Callable[[], None]) -> None:
        self._outbox, self._wake = outbox, wake
        self._secret = secret
        self._signatures = Signatures(secret)
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """Answer a request (WSGI)."""
        status, said = self._answer(environ)
        body = json.dumps(said).encode()
        start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        path, method = environ.get("PATH_INFO", ""), environ.get("REQUEST_METHOD", "")
        if path == "/health":
            return "200 OK", {"status": "ok"}
        if path != "/webhook" or not self._secret:
            return "404 Not Found", {"error": "not found"}
        if method != "POST":
            return "405 Method Not Allowed", {"error": "method not allowed"}
        body = environ["wsgi.input"].read(_MOST_BODY + 1)
        if len(body) > _MOST_BODY:
            return "413 Content Too Large", {"error": "too large"}
        given, moment = (environ.get(f"HTTP_{name.upper().replace('-', '_')}", "")
                         for name in (SIGNATURE, TIMESTAMP))  # fmt: skip
        try:
            with self._lock:
                self._signatures.check(given, moment, body, time.time())
        except BadSignature as error:
            return "401 Unauthorized", {"error": str(error)}
        ticket = _ticket_of(body)
        if not ticket:
            return "400 Bad Request", {"error": "no ticket's number"}
        try:
            self._outbox.add(ticket)
        except StoreError:
            # The help desk sends it again, which is no second request.
            with self._lock:
                self._signatures.forget(given)
            return "503 Service Unavailable", {"error": "the store cannot be used now"}
        self._wake()
        return "200 OK", {"status": "noted"}


def _ticket_of(body: bytes) -> str:
    """The number of a ticket in a webhook's body: of a trigger, or of an event."""
    try:
        data = json.loads(body)
        found = data.get("ticket_id") or data.get("detail", {}).get("id") or ""
    except (ValueError, AttributeError, RecursionError):
        return ""
    text = str(found)
    return text if text.isascii() and text.isdigit() and len(text) <= 18 else ""


def _show(remote: str, writing: Writing) -> None:
    how = "a reply to the customer" if writing.public else "an internal note"
    fields = ", ".join(filter(None, [
        writing.category and f"category {writing.category}",
        writing.priority and f"priority {writing.priority}",
    ]))  # fmt: skip
    sys.stderr.write(f"ticket {remote}: {how}{f', {fields}' if fields else ''}\n")
    sys.stderr.write("".join(f"    {line}\n" for line in writing.text.splitlines()))


def keep_on(bridge: Bridge, wake: threading.Event, stop: threading.Event, poll_s: float) -> None:
    """Round after round, until told to stop; what fails is told, and tried again."""
    while not stop.is_set():
        wait_s, until = poll_s, wake
        try:
            bridge.round()
        except AskedToWait as busy:
            _log.warning("%s: it asks to wait for %.0f s", busy, busy.wait_s)
            # A webhook must not ask it sooner.
            wait_s, until = max(busy.wait_s, poll_s), stop
        except (ConnectorError, StoreError) as error:
            _log.error("%s; tried again in %.0f s", error, poll_s)
        except Exception as error:
            # Its words could hold a customer's.
            _log.error("a round failed: %s; tried again in %.0f s", type(error).__name__, poll_s)
        until.wait(wait_s)
        wake.clear()


def run(options: argparse.Namespace) -> None:
    """Connect until a signal says stop."""
    settings = read_settings(options.settings)
    account = find_account(options.tool, settings.url, settings.user)
    database = Database(options.database)
    stop, wake = threading.Event(), threading.Event()

    def end(*_: Any) -> None:
        stop.set()
        wake.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, end)
    wire = wire_of(account)
    desk = LiveDesk(options.backend, account.name, os.environ.get(TOKEN, ""))
    with closing(database), closing(wire), closing(desk):
        # Two at work for one help desk would each look for markers that the other writes.
        database.hold(f"connect-{options.tool}")
        outbox = Outbox(database, account.name)
        manner = Manner(options.reply, settings.priorities, settings.settle_s)
        bridge = Bridge(
            help_desk(account, wire, settings.rules), desk, outbox, manner,
            settings.began(time.time()), _show if options.dry_run else None,
        )  # fmt: skip
        inbox = Inbox(outbox, account.secret, wake.set)
        server = make_server(inbox, options.host, options.port, _PLACES, _MOST_BODY)
        threading.Thread(target=server.run, daemon=True).start()
        keep_on(bridge, wake, stop, settings.poll_s)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="twin.live.connectors.server", description=__doc__)
    parser.add_argument("--tool", choices=HELP_DESKS, required=True)
    parser.add_argument("--settings", default="")
    parser.add_argument("--reply", choices=("note", "public"), default="note")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5001)
    # Both may hold secrets, or come from `twin serve`.
    parser.add_argument("--backend", default=os.environ.get(BACKEND, "http://127.0.0.1:5000"))
    parser.add_argument("--database", default=os.environ.get(DATABASE, "live/desk.sqlite"))
    return parser


def main() -> None:
    """Entry point of the process."""
    start_log()
    options = _options().parse_args()
    with plain_errors(options.host, options.port):
        run(options)


if __name__ == "__main__":
    main()
