"""The live desk's backend as a process of its own, for tests that kill it or load it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from tests.live_desk import desk_data
from twin.common.toml import dump

ROOT = Path(__file__).parent.parent
JSON_TYPE = {"Content-Type": "application/json"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**more):
    """Of this process, without a key, and with this package."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GROQ_")}
    return kept | {"PYTHONPATH": str(ROOT)} | more


def scenario_file(folder, **assistant):
    data = desk_data(folder, **assistant)
    name = data.pop("name")
    path = folder / f"{name}.toml"
    path.write_text(dump(data), encoding="utf-8")
    return path


class Server:
    """A backend that can be killed and started again on the same port and store."""

    def __init__(self, folder, database, *arguments, scenario=None, env=None):
        self.port = free_port()
        scenario = scenario or scenario_file(folder)
        self._command = [
            sys.executable, "-m", "twin.live.server", "--scenario", str(scenario),
            "--database", database, "--port", str(self.port), "--backend", "embedded",
            "--rate", "0", *arguments,
        ]  # fmt: skip
        self._folder = folder
        self._env = env or environment()
        self._process = None

    def start(self):
        # The folder has no .env of whoever runs the tests.
        self._process = subprocess.Popen(self._command, cwd=self._folder, env=self._env)
        until = time.monotonic() + 90
        while True:
            try:
                if self.ask("GET", "/health")[0] == 200:
                    return self
            except OSError:
                assert self._process.poll() is None, "the server ended"
                assert time.monotonic() < until
                time.sleep(0.05)

    def kill(self):
        """As by kill -9."""
        self._process.kill()
        self._process.wait()

    def stop(self):
        """As by kill; the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def connect(self, timeout=30):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, timeout=30):
        connection = self.connect(timeout)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path, content, {**JSON_TYPE, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@contextmanager
def served(folder, database, *arguments, **options):
    """A backend while the context lasts."""
    server = Server(folder, database, *arguments, **options).start()
    try:
        yield server
    finally:
        if server._process.poll() is None:
            server.kill()


def submit_all(server, total, writers, kills):
    """Submit feedback from many writers while the server is killed; what was acknowledged.

    A writer sends each entry until it is acknowledged, under one key. Kills are spread evenly.

    Returns
    -------
    acknowledged : list of str
        The comment of each entry, as often as it was acknowledged.
    retries : int
    """
    acknowledged, retries = [], [0] * writers
    lock = threading.Lock()

    def write(writer):
        connection = None
        for k in range(writer, total, writers):
            body = {"description": "login", "model": "m", "rating": k % 5 + 1, "feedback": f"{k}"}
            headers = JSON_TYPE | {"Idempotency-Key": f"entry-{k}"}
            while True:
                try:
                    if connection is None:
                        connection = server.connect()
                    connection.request("POST", "/submit_feedback", json.dumps(body), headers)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 200:
                        break
                    assert answer.status == 503
                except (OSError, http.client.HTTPException):
                    if connection is not None:
                        connection.close()
                    connection = None
                retries[writer] += 1
                time.sleep(0.05)
            with lock:
                acknowledged.append(f"{k}")
        if connection is not None:
            connection.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(writers)]
    for thread in threads:
        thread.start()
    for number in range(1, kills + 1):
        while len(acknowledged) < total * number / (kills + 1):
            time.sleep(0.002)
        server.kill()
        server.start()
    for thread in threads:
        thread.join()
    return acknowledged, sum(retries)
