"""`twin serve`: two processes of one command, started together and ended together."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from tests.children import interruptible
from tests.live_server import environment, free_port, scenario_file
from twin.assistant.errors import NoKey
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.live import serve, server
from twin.live.database import StoreError
from twin.live.serve import Part, ServeError, check_port
from twin.live.server import choose_backend, find_token, is_loopback
from twin.live.store import Store
from twin.scenario.file import load

TOKEN = "a-token-of-enough-characters"
SMALL_PAGE = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


def part(name, code, port, *arguments):
    command = [sys.executable, "-c", code, str(port), *arguments]
    return Part(name, command, "127.0.0.1", port, "/health", "--port")


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def within(seconds, check):
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until
        time.sleep(0.05)


class Command:
    """`twin serve` as a process."""

    def __init__(self, folder, *arguments, **env):
        self.port = free_port()
        command = [
            sys.executable, "-m", "twin", "serve", "--scenario", str(scenario_file(folder)),
            "--database", str(folder / "desk.sqlite"), "--port", str(self.port), *arguments,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment(**env), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=interruptible,
        )  # fmt: skip

    def lines(self, number):
        return [self.process.stdout.readline().strip() for _ in range(number)]

    def end(self, number):
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=40)
        return self.process.returncode, out, err

    def get(self, path, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@pytest.mark.network
@pytest.mark.enable_socket
def test_it_says_where_it_is_and_stops_cleanly(tmp_path):
    command = Command(tmp_path, "--no-page")
    assert command.lines(1) == [f"backend: http://127.0.0.1:{command.port}"]
    assert (tmp_path / "desk.sqlite").exists()
    status, said = command.get("/health")
    assert (status, said["backend"]) == (200, "embedded")
    code, _, err = command.end(signal.SIGINT)
    assert code == 0
    assert "no key is in use" in err
    assert err.strip().endswith("stopped")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", command.port), timeout=5)


@pytest.mark.network
@pytest.mark.enable_socket
def test_elsewhere_it_asks_for_a_token(tmp_path):
    command = Command(tmp_path, "--no-page", "--host", "0.0.0.0", TWIN_TOKEN=TOKEN)
    command.lines(1)
    assert command.get("/tickets")[0] == 401
    assert command.get("/tickets", Authorization=f"Bearer {TOKEN}")[0] == 200
    code, out, err = command.end(signal.SIGTERM)
    assert code == 0
    assert TOKEN not in out + err


@pytest.mark.network
@pytest.mark.enable_socket
def test_a_port_in_use_is_named_with_the_option_that_helps(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = CliRunner().invoke(
            app,
            ["serve", "--scenario", str(scenario_file(tmp_path)), "--no-page", "--backend",
             "embedded", "--database", str(tmp_path / "desk.sqlite"), "--port", str(port)],
        )  # fmt: skip
    assert result.exit_code == 1
    assert f"port {port} of 127.0.0.1" in result.stderr
    assert "--port" in result.stderr
    assert not (tmp_path / "desk.sqlite").exists()


@pytest.mark.network
@pytest.mark.enable_socket
def test_two_parts_do_not_share_a_port():
    port = free_port()
    parts = [part("backend", SMALL_PAGE, port), part("page", SMALL_PAGE, port)]
    with pytest.raises(ServeError, match=f"port {port} is asked for twice.* the page with --port"):
        serve.serve(parts, {}, print)


@pytest.mark.network
@pytest.mark.enable_socket
def test_when_one_dies_the_other_is_stopped(tmp_path):
    dying = "import os, sys, time; time.sleep(0.6); os._exit(3)"
    first = part("backend", SMALL_PAGE, free_port())
    ready = []
    with pytest.raises(ServeError, match="the page ended with exit code 3"):
        serve.serve([first, part("page", dying, free_port())], {}, ready.append)
    assert ready == []
    check_port(first)


@pytest.mark.network
@pytest.mark.enable_socket
def test_when_one_dies_later_the_other_is_stopped(tmp_path):
    parts = [part(name, SMALL_PAGE, free_port()) for name in ("backend", "page")]
    with serve.Running(parts, {}) as running:
        assert running.wait_ready()
        (_, first), (_, second) = running._processes
        second.kill()
        with pytest.raises(ServeError, match="the page ended by signal 9"):
            running.wait()
        assert first.poll() is None
    assert first.poll() is not None


@pytest.mark.network
@pytest.mark.enable_socket
def test_a_part_that_does_not_stop_is_killed(monkeypatch):
    monkeypatch.setattr(serve, "END_S", 0.5)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SMALL_PAGE
    with serve.Running([part("page", stubborn, free_port())], {}) as running:
        assert running.wait_ready()
        process = running._processes[0][1]
    assert process.returncode == -signal.SIGKILL


@pytest.mark.network
@pytest.mark.enable_socket
def test_a_part_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(serve, "START_S", 0.5)
    silent = "import time; time.sleep(60)"
    with pytest.raises(ServeError, match=r"the page does not answer at http://127\.0\.0\.1"):
        serve.serve([part("page", silent, free_port())], {}, print)


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.skipif(
    sys.platform != "linux", reason="how parts end with a killed command is Linux's"
)
def test_killed_outright_it_leaves_nothing_behind():
    port = free_port()
    code = (
        "from tests.test_live_serve import *\n"
        "def ready(parts): print('ready', flush=True)\n"
        f"serve.serve([part('page', SMALL_PAGE, {port})], {{}}, ready)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
    within(20, lambda: not answers(port))


def test_without_streamlit_there_is_no_page(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert serve.page(8501) is None


def test_the_page_listens_here_only_and_tells_nobody(monkeypatch, tmp_path):
    monkeypatch.setattr(serve, "PAGE", tmp_path / "page.py")
    assert serve.page(8501) is None
    (tmp_path / "page.py").write_text("")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    made = serve.page(8600)
    words = " ".join(made.command)
    assert "--server.address 127.0.0.1 --server.port 8600 --server.headless true" in words
    assert "--browser.gatherUsageStats false" in words


@pytest.mark.parametrize(
    ("host", "token", "good"),
    [
        ("127.0.0.1", "", True), ("localhost", "", True), ("::1", "", True),
        ("127.0.0.1", TOKEN, True), ("0.0.0.0", TOKEN, True), ("desk.example.org", TOKEN, True),
        ("0.0.0.0", "", False), ("::", "", False), ("192.168.1.5", "", False),
        ("0.0.0.0", "short", False), ("127.0.0.1", "short", False),
        ("0.0.0.0", "with spaces in the token", False), ("0.0.0.0", "tök" * 9, False),
    ],
)  # fmt: skip
def test_who_may_listen_where(monkeypatch, host, token, good):
    monkeypatch.setenv("TWIN_TOKEN", token)
    if good:
        assert find_token(host) == token
        return
    with pytest.raises(ScenarioError, match="TWIN_TOKEN") as error:
        find_token(host)
    assert not token or token not in str(error.value)
    assert is_loopback(host) == (host == "127.0.0.1")


def test_the_backend_is_groq_where_there_is_a_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("GROQ_API_KEY", "GROQ_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    desk = load(scenario_file(tmp_path))
    assert choose_backend(desk).assistant.backend == "embedded"
    with pytest.raises(NoKey):
        choose_backend(desk, "groq")
    monkeypatch.setenv("GROQ_API_KEY", "a-key")
    assert choose_backend(desk).assistant.backend == "groq"
    assert choose_backend(desk, "embedded").assistant.backend == "embedded"


def test_a_store_that_cannot_be_written_to_is_said_without_a_traceback(
    tmp_path, monkeypatch, capsys
):
    def refuse(*_):
        raise StoreError("attempt to write a readonly database")

    monkeypatch.setattr(Store, "claim", refuse)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    words = ["server", "--scenario", str(scenario_file(tmp_path)), "--backend", "embedded"]
    monkeypatch.setattr(sys, "argv", [*words, "--database", str(tmp_path / "desk.sqlite")])
    with pytest.raises(SystemExit) as ended:
        server.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == "the store cannot be written to: attempt to write a readonly database\n"


@pytest.mark.network
@pytest.mark.enable_socket
def test_a_second_desk_on_the_same_file_is_refused_and_the_first_goes_on(tmp_path):
    first = Command(tmp_path, "--no-page")
    first.lines(1)
    second = Command(tmp_path, "--no-page")
    out, err = second.process.communicate(timeout=60)
    assert (second.process.returncode, out) == (1, "")
    assert "another desk runs on this store" in err
    assert "Traceback" not in err
    assert first.get("/health")[0] == 200
    # Killed outright it leaves the store to the next one.
    first.process.kill()
    first.process.communicate(timeout=60)
    within(30, lambda: not answers(first.port))
    third = Command(tmp_path, "--no-page")
    third.lines(1)
    assert third.end(signal.SIGINT)[0] == 0


def test_feedback_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"description": "login", "model": "m", "rating": 5, "feedback": "Good"}
    (tmp_path / "in.json").write_text(json.dumps([entry]))
    run = CliRunner().invoke
    assert run(app, ["feedback", "export", "out.json"]).exit_code == 2
    # An address without its beginning is no file, and may hold a password.
    lost = run(app, ["feedback", "export", "out.json", "--database", "u:secret-word@host/x"])
    assert lost.exit_code == 2
    assert "host/x: no such store" in lost.output
    assert "secret-word" not in lost.output
    result = run(app, ["feedback", "import", "in.json"])
    assert (result.exit_code, result.stdout) == (0, "1 entries stored, 0 were there\n")
    assert run(app, ["feedback", "export", "out.json"]).exit_code == 0
    assert json.loads((tmp_path / "out.json").read_text()) == [entry]
    assert run(app, ["feedback", "export", "out.json"]).exit_code == 2
    assert run(app, ["feedback", "export", "out.json", "--replace"]).exit_code == 0
    (tmp_path / "in.json").write_text('[{"description": ')
    damaged = run(app, ["feedback", "import", "in.json"])
    assert damaged.exit_code == 2
    assert "line 1, column" in damaged.stderr
    assert run(app, ["tickets", "export", "tickets.json"]).exit_code == 0
    assert run(app, ["tickets", "import", "tickets.json"]).exit_code == 0
    bad = run(app, ["feedback", "export", "x.json", "--database", "mysql://x"])
    assert (bad.exit_code, "Traceback" in bad.stderr) == (1, False)
