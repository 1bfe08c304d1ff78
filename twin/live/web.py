"""A web server in which clients that dawdle keep no others out."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from waitress import create_server
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

# Requests beyond those that wait for something slow: lists, feedback, health.
_OTHERS = 8
_READ_BYTES = 8 * 1024 * 1024
# Beyond this many connections each new one closes the one that was idle longest.
CONNECTIONS = 200
# A connection that is idle, or busy sending one request, for so long is closed.
IDLE_S, REQUEST_S = 30, 60


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


def make_server(app: Any, host: str, port: int, places: int, most_bytes: int = _READ_BYTES) -> Any:
    """A waitress server; its `run` serves until SystemExit or KeyboardInterrupt.

    Parameters
    ----------
    app : WSGI application
    host : str
    port : int
    places : int
        Requests that may wait for something slow at once, such as a model.
    most_bytes : int
        Bodies up to this are read before they are refused, so that clients hear why.

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
        clear_untrusted_proxy_headers=True,
        max_request_body_size=most_bytes,
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
