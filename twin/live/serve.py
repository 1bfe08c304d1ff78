"""Backend and page as two processes of one command: started together, ended together."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from twin.common.errors import TwinError

PAGE = Path(__file__).with_name("page") / "app.py"
LOCAL = "127.0.0.1"
START_S, END_S = 120.0, 12.0
_LOOK_S = 0.1
_PR_SET_PDEATHSIG = 1


class ServeError(TwinError, RuntimeError):
    """The live desk cannot be started, or a part of it ended; the message says what to do."""


@dataclass(frozen=True)
class Part:
    """A process of the live desk.

    Attributes
    ----------
    name : str
        For messages.
    command : sequence of str
    host : str
        Address at which it answers.
    port : int
    health : str
        Path that answers 200 once it is ready.
    option : str
        Of the command line, by which another port is chosen.
    """

    name: str
    command: Sequence[str]
    host: str
    port: int
    health: str
    option: str

    @property
    def url(self) -> str:
        """Address at which it answers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def near(self) -> str:
        """Address under which this machine reaches it."""
        return {"0.0.0.0": LOCAL, "::": "::1", "": LOCAL}.get(self.host, self.host)


# The report's blue and ink, with the contrast that WCAG 2 AA asks for: captions are the text's
# colour at 60 %, words on buttons are white in the dark, too.
COLOURS = {
    "theme.light.primaryColor": "#005a91",
    "theme.light.textColor": "#16191c",
    "theme.dark.primaryColor": "#1f78b4",
}


def backend(arguments: Sequence[str], host: str, port: int) -> Part:
    """The backend, with the arguments of `twin.live.server`."""
    command = [sys.executable, "-m", "twin.live.server", *arguments]
    command += ["--host", host, "--port", str(port)]
    return Part("backend", command, host, port, "/health", "--port")


def connector(arguments: Sequence[str], port: int) -> Part:
    """The connector to a help desk, with the arguments of `twin.live.connectors.server`."""
    command = [sys.executable, "-m", "twin.live.connectors.server", *arguments]
    command += ["--host", LOCAL, "--port", str(port)]
    return Part("connector", command, LOCAL, port, "/health", "--connect-port")


def page(port: int) -> Part | None:
    """The page; None where it is not installed. It answers this machine only."""
    if not PAGE.is_file() or importlib.util.find_spec("streamlit") is None:
        return None
    settings = {
        "server.address": LOCAL,
        "server.port": str(port),
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
        "server.fileWatcherType": "none",
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        **COLOURS,
    }
    command = [sys.executable, "-m", "streamlit", "run", str(PAGE)]
    for name, value in settings.items():
        command += [f"--{name}", value]
    return Part("page", command, LOCAL, port, "/_stcore/health", "--page-port")


# The desk that runs, for the page: its scenario file, and the changes to it as a JSON list.
DESK, DESK_CHANGES = "TWIN_DESK", "TWIN_DESK_CHANGES"


def desk_of(scenario: Path, changes: Sequence[str]) -> dict[str, str]:
    """Environment in which the page knows the desk that runs."""
    return {DESK: str(scenario), DESK_CHANGES: json.dumps(list(changes))}


def check_port(part: Part) -> None:
    """See that a part's port is free.

    Raises
    ------
    ServeError
    """
    try:
        family = socket.getaddrinfo(part.host or None, part.port)[0][0]
        with socket.socket(family) as probe:
            # As the servers do: a port whose last user left a moment ago is free.
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((part.host, part.port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "cannot be used"
        raise ServeError(
            f"port {part.port} of {part.host} for the {part.name}: {reason}; choose another with "
            f"{part.option}"
        ) from None


def _answers(part: Part) -> bool:
    connection = http.client.HTTPConnection(part.near, part.port, timeout=5)
    try:
        connection.request("GET", part.health)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _die_with_parent() -> None:
    # If this command is killed, nothing else would end its parts.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Running:
    """Parts that run, as a context: on leaving, all have ended.

    Parameters
    ----------
    parts : sequence of Part
    environment : dict of str to str
        Added to this process's.
    """

    def __init__(self, parts: Sequence[Part], environment: dict[str, str]) -> None:
        self._parts = parts
        self._environment = {**os.environ, **environment}
        self._processes: list[tuple[Part, subprocess.Popen[bytes]]] = []
        self._stop = threading.Event()

    def __enter__(self) -> Running:
        for number, part in enumerate(self._parts):
            check_port(part)
            if part.port in {other.port for other in self._parts[:number]}:
                raise ServeError(
                    f"port {part.port} is asked for twice; choose another for the {part.name} with "
                    f"{part.option}"
                )
        self._before = {
            name: signal.signal(name, self._ask_to_stop) for name in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            for part in self._parts:
                process = subprocess.Popen(
                    part.command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    # Ctrl-C is for this process; it ends the parts in order.
                    start_new_session=True,
                    preexec_fn=_die_with_parent if sys.platform == "linux" else None,
                )
                self._processes.append((part, process))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _end(self) -> None:
        for _, process in self._processes:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + END_S
        for _, process in self._processes:
            try:
                process.wait(max(until - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _check(self) -> None:
        for part, process in self._processes:
            code = process.poll()
            if code is not None:
                how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
                raise ServeError(f"the {part.name} ended {how}; see above")

    def wait_ready(self) -> bool:
        """Wait until all parts answer; False if asked to stop before.

        Raises
        ------
        ServeError
            If one ends, or takes too long.
        """
        until = time.monotonic() + START_S
        for part in self._parts:
            while not _answers(part):
                self._check()
                if self._stop.wait(_LOOK_S):
                    return False
                if time.monotonic() > until:
                    raise ServeError(f"the {part.name} does not answer at {part.url}")
        return True

    def wait(self) -> None:
        """Wait until asked to stop.

        Raises
        ------
        ServeError
            If a part ends by itself.
        """
        while not self._stop.wait(_LOOK_S):
            self._check()


def serve(
    parts: Sequence[Part], environment: dict[str, str], ready: Callable[[Sequence[Part]], None]
) -> None:
    """Run parts until Ctrl-C or SIGTERM.

    Parameters
    ----------
    parts : sequence of Part
    environment : dict of str to str
    ready : callable
        Called once all answer.

    Raises
    ------
    ServeError
        If a port is taken, or a part does not start or ends by itself.
    """
    with Running(parts, environment) as running:
        if running.wait_ready():
            ready(parts)
            running.wait()
