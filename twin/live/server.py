"""The backend process: a desk behind waitress, run as ``python -m twin.live.server``."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import os
import signal
import sys
import threading
from typing import Any

from twin.assistant.errors import NoKey
from twin.assistant.live.settings import Settings as Provider
from twin.common.errors import Fault, ScenarioError
from twin.live.api import Settings, create_app
from twin.live.database import StoreError, StoreUnusable
from twin.live.desk import TIMEOUT_S, Desk
from twin.live.process import plain_errors, say, start_log
from twin.live.store import Store
from twin.live.web import make_server
from twin.scenario.changes import parse_change
from twin.scenario.file import load
from twin.scenario.model import Scenario

_log = logging.getLogger("twin.live")

TOKEN, DATABASE = "TWIN_TOKEN", "TWIN_DATABASE"
SHORTEST_TOKEN = 16
# Requests a second of one client, on this machine and from elsewhere.
RATE, RATE_ELSEWHERE = 1000.0, 20.0
PLACES = 40
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
    server = make_server(app, options.host, options.port, PLACES)
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
