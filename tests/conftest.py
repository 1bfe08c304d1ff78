"""Fixtures of several test modules: a desk played from data, and recorded arrivals."""

import os
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
import pytest
from engines import COMPILED, odd, plays_compiled
from fault_server import KEY, FaultServer

from twin.demand.tickets import draw
from twin.desk.compiled import code
from twin.desk.compiled.code import is_kept
from twin.desk.simulation import simulate
from twin.scenario.model import from_data

ROOT = Path(__file__).parents[1]

# The suite tries the same examples every time, so that red means changed. To seek new ones:
# pytest --hypothesis-profile=seek
hypothesis.settings.register_profile("same", derandomize=True, database=None)
hypothesis.settings.register_profile("seek", print_blob=True)
hypothesis.settings.load_profile("same")


def pytest_xdist_auto_num_workers(config):
    """One worker more than cores, for `-n auto`: tests wait for servers, pages and kills.

    Two more keep no core busier, and each reads all tests anew, which takes it half a minute.
    """
    return (os.cpu_count() or 1) + 1


def pytest_sessionstart(session):
    """Begin to compile the engine, so that no two workers do so when the first test needs it."""
    if COMPILED and not is_kept() and session.config.getoption("numprocesses", None):
        words = "from twin.desk.engines import ready; ready()"
        session.config.compiling = subprocess.Popen([sys.executable, "-c", words], cwd=ROOT)


def pytest_sessionfinish(session):
    """End it with the session, where it did not end by itself."""
    compiling = getattr(session.config, "compiling", None)
    if compiling is not None:
        compiling.kill()
        compiling.wait()


@pytest.fixture(scope="session", autouse=True)
def _compiled_once(request):
    """Wait for the engine that the session compiles, and do not compile it beside it.

    Three workers that all need it at first would take a minute of both cores.
    """
    place, compiled = next(code._places()), code._compiled

    def once():
        give_up = time.monotonic() + 120
        while next(code._places()) == place and not place.exists() and time.monotonic() < give_up:
            time.sleep(0.2)
        return (place.exists() and code._kept()) or compiled()

    with pytest.MonkeyPatch.context() as patch:
        if COMPILED and not place.exists() and hasattr(request.config, "workerinput"):
            patch.setattr(code, "_compiled", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _simpy_by_default():
    """Runs of the suite play on SimPy, the reference, unless a test asks for another engine.

    Else it would hang on which test came first and left compiled code on disk.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twin.desk.engines.is_kept", lambda: False)
        yield


@pytest.fixture
def play():
    """Play a scenario given as data; the log of one replication.

    A desk that the compiled engine covers is played on both: they must agree to the byte.
    """

    def run(data, replication=0):
        scenario = from_data(data)
        demand = draw(scenario, replication)
        log = simulate(scenario, demand)
        if plays_compiled(scenario):
            assert odd(log, simulate(scenario, demand, engine="compiled")) == []
        return log

    return run


@pytest.fixture
def arrive(tmp_path):
    """Arrivals at given moments (seconds), each with what else the trace knows of it."""

    def arrivals(*moments, **columns):
        lines = [",".join(["timestamp", *columns])]
        rows = zip(moments, *columns.values(), strict=True)
        lines += [",".join(map(str, row)) for row in rows]
        path = tmp_path / "trace.csv"
        path.write_text("\n".join(lines))
        return {"kind": "trace", "trace": str(path)}

    return arrivals


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A provider with faults, found by the environment, and an empty working folder."""
    monkeypatch.chdir(tmp_path)
    with FaultServer() as running:
        monkeypatch.setenv("GROQ_API_KEY", KEY)
        monkeypatch.setenv("GROQ_BASE_URL", running.url)
        yield running


@pytest.fixture
def small(tmp_path):
    """A small live desk; see `tests.live_desk`."""
    # Imported here: it takes the extra `live`.
    from tests.live_desk import Small

    made = Small(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def open_desk(tmp_path):
    """Makes small live desks with other settings; closes them."""
    from tests.live_desk import Small

    made = []

    def make(**options):
        made.append(Small(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.store.close()
