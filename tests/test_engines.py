"""The same results in one process, in two, and on a cluster; and nothing lost when workers die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from pandas.testing import assert_frame_equal

import twin
from twin.experiments import cluster as dask
from twin.experiments import engine
from twin.experiments import manifest as provenance
from twin.scenario.model import Scenario

ROOT = Path(__file__).parent.parent
DESK: dict[str, Any] = {
    "name": "desk",
    "horizon": "6h",
    "replications": 3,
    "arrivals": {"rate": "12/h"},
    "tickets": {"category_mix": {"A": 1, "B": 2}},
    "agents": {"all": {"heads": 2, "handle_time": "7min"}},
    "assistant": {"backend": "profile"},
}
STUDY = {"factors": {"arrivals.scale": [0.5, 2.0], "agents.all.heads": [1, 2]}}


@pytest.fixture
def desk() -> Scenario:
    return twin.from_data(DESK)


@pytest.fixture
def workers() -> int:
    """Workers of the cluster."""
    return 2


@pytest.fixture
def cluster(workers: int) -> Iterator[str]:
    """Address of a Dask cluster on loopback."""
    pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    code = (
        "from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        f"    cluster = LocalCluster(n_workers={workers}, threads_per_worker=1,\n"
        "                           dashboard_address=None)\n"
        "    print(cluster.scheduler_address, flush=True)\n"
        "    input()\n"
    )
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        address = server.stdout.readline().strip()
        assert address.startswith("tcp://127.0.0.1:")
        yield address
    finally:
        server.stdin.close()
        server.stdout.close()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def test_workers_change_nothing(desk: Scenario) -> None:
    one = twin.study(STUDY | {"scenario": desk})
    two = twin.study(STUDY | {"scenario": desk}, workers=2)
    assert_frame_equal(one.frame, two.frame)
    assert_frame_equal(one.points, two.points)


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_changes_nothing(
    desk: Scenario, cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = twin.study(STUDY | {"scenario": desk})
    there = twin.study(STUDY | {"scenario": desk}, cluster=cluster, out=tmp_path)
    assert_frame_equal(here.frame, there.frame)
    assert there.played == 12
    run_here, run_there = twin.run(desk), twin.run(desk, cluster=cluster, out=tmp_path)
    assert_frame_equal(run_here.kpis, run_there.kpis)
    manifest = run_there.runs[0].manifest
    assert (manifest["place"], manifest["workers"]) == ("Dask cluster", None)
    # Killed while it works: the scheduler hands its tasks to another.
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if done == 3 and not killed:
            killed.append(_worker_of(cluster))
            os.kill(killed[0], signal.SIGKILL)

    again = twin.study(STUDY | {"scenario": desk}, cluster=cluster, progress=kill_one)
    assert killed
    assert_frame_equal(here.frame, again.frame)
    monkeypatch.setattr(dask, "_CONNECT_S", 1.0)
    with pytest.raises(dask.ClusterError, match="no Dask scheduler answers"):
        twin.study(STUDY | {"scenario": desk}, cluster="tcp://127.0.0.1:1")


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", [1])
@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="reads /proc")
def test_a_cluster_of_one_worker_plays_there(desk: Scenario, cluster: str, workers: int) -> None:
    # The number of the process that reads the link.
    there = {int(pid) for pid in engine.each(os.readlink, ["/proc/self"] * 4, 1, str, cluster)}
    assert len(there) == workers
    assert os.getpid() not in there


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", [1])
def test_workers_that_do_not_find_the_files_are_refused_at_once(
    cluster: str, tmp_path: Path, workers: int
) -> None:
    path = tmp_path / "corpus.csv"
    path.write_text("text,category,split\nhelp,A,desk\n")
    with closing(dask.connect(cluster, [path])):
        pass
    # As from another machine: what the workers see there is something else, or nothing.
    own: list[str | None] = [provenance.digest(path)]
    for found, said in (([None], "do not find it"), (["0"], "find other content in it")):
        with pytest.raises(dask.ClusterError, match=f"corpus.csv: its workers {said}"):
            dask._same_files(Seen({"tcp://1": own, "tcp://2": found}), cluster, [path])
    assert dask._same_files(Seen({"tcp://1": own}), cluster, [path]) is None


class Seen:
    """A client whose workers see these digests."""

    def __init__(self, found: dict[str, list[str | None]]) -> None:
        self.found = found

    def run(self, *_: Any) -> dict[str, list[str | None]]:
        return self.found


def test_other_line_ends_are_the_same_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "twin" / "experiments"
    home.mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(home / "manifest.py"))
    found = set()
    for ends in (b"\n", b"\r\n"):
        (home / "manifest.py").write_bytes(b"a = 1" + ends + b"b = 2" + ends)
        found.add(provenance.code_digest.__wrapped__())
    assert len(found) == 1
    (home / "manifest.py").write_bytes(b"a = 1\nb = 3\n")
    assert provenance.code_digest.__wrapped__() not in found


def threads(_task: int) -> set[int]:
    import threadpoolctl

    return {one["num_threads"] for one in threadpoolctl.threadpool_info()}


@pytest.mark.parametrize("workers", [1, 2])
def test_linear_algebra_has_one_thread_with_any_number_of_workers(workers: int) -> None:
    import threadpoolctl

    with threadpoolctl.threadpool_limits(2):
        found = list(engine.each(threads, range(3), workers, minus))
        assert found == [{1}] * 3
        # Between tasks, what else the process computes has its own.
        assert threads(0) == {2}


def test_a_signal_is_not_lost_while_libraries_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threadpoolctl

    look = threadpoolctl.ThreadpoolController

    def ended_meanwhile() -> object:
        # What a callback of C raises is printed and dropped.
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return look()

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", ended_meanwhile)
    engine._algebra.cache_clear()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        list(engine.each(threads, range(3), 1, minus))
    assert signal.getsignal(signal.SIGINT) is before


class _Interrupts:
    def __del__(self) -> None:
        # What a destructor raises is printed and dropped.
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def _interrupted_while_clearing_up(task: int) -> int:
    _Interrupts()
    return task


def test_a_signal_is_not_lost_while_garbage_is_collected() -> None:
    before = signal.getsignal(signal.SIGINT)
    found = engine.each(_interrupted_while_clearing_up, range(3), 1, minus)
    with pytest.raises(KeyboardInterrupt):
        next(found)
    assert signal.getsignal(signal.SIGINT) is before


def _ends(number: int, frame: object) -> None:
    # As a command does: a second signal must not cut short the clean end.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _terminated(task: int) -> int:
    signal.raise_signal(signal.SIGTERM)
    return task


def test_a_handler_may_put_another_in_its_place() -> None:
    before = signal.signal(signal.SIGTERM, _ends)
    try:
        with pytest.raises(KeyboardInterrupt):
            next(engine.each(_terminated, range(3), 1, minus))
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def _worker_of(cluster: str) -> int:
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        return next(iter(client.run(os.getpid).values()))


def test_an_address_that_is_none_is_refused(desk: Scenario) -> None:
    with pytest.raises(dask.ClusterError, match="a Dask scheduler's address"):
        twin.study(STUDY | {"scenario": desk}, cluster="here:8786")
    with pytest.raises(dask.ClusterError, match="Ray cannot hand over results"):
        twin.study(STUDY | {"scenario": desk}, cluster="ray://here:10001")


def test_a_worker_that_dies_takes_nothing_with_it(desk: Scenario, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if done == 3 and not killed:
            killed.append(_loky_worker())
            os.kill(killed[0], signal.SIGKILL)

    found = twin.study(STUDY | {"scenario": desk}, workers=2, out=tmp_path, progress=kill_one)
    assert killed
    assert not len(found.failures)
    assert_frame_equal(found.frame, twin.study(STUDY | {"scenario": desk}).frame)


def test_a_run_goes_on_when_a_worker_dies(desk: Scenario, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if done == 2 and not killed:
            killed.append(_loky_worker())
            os.kill(killed[0], signal.SIGKILL)

    found = twin.run(desk, replications=8, workers=2, out=tmp_path, progress=kill_one)
    assert killed
    assert (found.runs[0].whole, found.runs[0].failed) == (8, 0)
    assert_frame_equal(found.kpis, twin.run(desk, replications=8).kpis)


def _loky_worker() -> int:
    from joblib.externals.loky import get_reusable_executor

    return next(iter(get_reusable_executor(reuse=True)._processes))


def deadly(task: int) -> int:
    """Ends the process that takes on task 3."""
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task * 10


def minus(task: int) -> int:
    return -task


def test_a_task_that_kills_its_workers_is_lost_alone() -> None:
    found = list(engine.each(deadly, range(8), 2, lost=minus))
    assert sorted(found) == sorted([0, 10, 20, -3, 40, 50, 60, 70])


def refuses(task: int) -> int:
    raise ZeroDivisionError


def test_what_a_task_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(engine.each(refuses, range(4), 2, lost=minus))


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_killed_study_goes_on_where_it_was(desk: Scenario, tmp_path: Path) -> None:
    code = (
        "import twin\n"
        f"desk = twin.from_data({DESK!r})\n"
        f"twin.study({STUDY!r} | {{'scenario': desk}}, replications=30, out={str(tmp_path)!r})\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    parts = "studies/study/replications/*/kpis/r*.parquet"
    try:
        deadline = time.monotonic() + 60
        while len([*tmp_path.glob(parts)]) < 5:
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    whole = {path: path.stat().st_mtime_ns for path in tmp_path.glob(parts)}
    found = twin.study(STUDY | {"scenario": desk}, replications=8, out=tmp_path)
    wanted = {path for path in whole if int(path.stem[1:]) < 8}
    assert found.played == 32 - len(wanted)
    assert {path: path.stat().st_mtime_ns for path in whole} == whole
    assert_frame_equal(found.frame, twin.study(STUDY | {"scenario": desk}, replications=8).frame)
