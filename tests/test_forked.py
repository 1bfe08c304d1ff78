"""Workers that are copies of a command's process: the same results, and nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.children import ROOT
from twin.experiments import forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there alone copies are made")

# A process of its own: this one has threads, so it is not copied.
_CHECKS = """
import multiprocessing, os, signal, threading, time, traceback
import pandas
from twin.experiments import engine, forked
from twin.scenario.file import from_data
from twin.scenario.model import Scenario

def deadly(task):
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task * 10

def refuses(task):
    raise ZeroDivisionError(str(task))

def who(task):
    time.sleep(0.02)
    return os.getpid(), memory

class Two(Exception):
    def __init__(self, one, two):
        super().__init__(one + two)

def cannot_be_sent(task):
    if task == 0:
        return lambda: task
    raise Two("a", "b") if task == 1 else ValueError("words", lambda: task)

def leaves_a_thread(task):
    threading.Thread(target=time.sleep, args=(300,)).start()
    return task

def of_a_pool():
    os._exit(0 if sorted(engine.each(abs, range(4), 2, str)) == [0, 1, 2, 3] else 9)

memory = "before"
def prepare(tasks):
    global memory
    memory = f"prepared for {len(tasks)}"

assert forked.can_fork()
assert sorted(engine.each(deadly, range(8), 2, lambda task: -task)) == [
    -3, 0, 10, 20, 40, 50, 60, 70]
found = list(engine.each(who, range(12), 2, str, prepare=prepare))
assert len({pid for pid, _ in found}) == 2 and os.getpid() not in {pid for pid, _ in found}
assert {told for _, told in found} == {"prepared for 12"}
assert sorted(engine.each(str, [1, 2], 9, str)) == ["1", "2"]
try:
    list(engine.each(refuses, range(4), 2, str))
except ZeroDivisionError as error:
    assert str(error) in "0123"
else:
    raise SystemExit("nothing raised")
one = engine.each(who, range(100), 2, str)
workers = [next(one)[0] for _ in range(8)]
one.close()
assert not [pid for pid in set(workers) if os.path.exists(f"/proc/{pid}")]
# An error, or a result, that cannot be sent is told as what it is, not as a lack of memory.
for task, kind, words in [(0, "AttributeError", "pickle"), (1, "RuntimeError", "Two: ab"),
                          (2, "RuntimeError", "ValueError: ('words'")]:
    try:
        list(engine.each(cannot_be_sent, [task], 2, lambda task: "lost"))
    except Exception as error:
        assert (type(error).__name__, words in str(error)) == (kind, True), repr(error)
        assert task == 0 or "in cannot_be_sent" in "".join(traceback.format_exception(error))
    else:
        raise SystemExit("nothing raised")
assert sorted(engine.each(leaves_a_thread, range(3), 2, str)) == [0, 1, 2]
pool = multiprocessing.get_context("fork").Process(target=of_a_pool, daemon=True)
pool.start()
pool.join()
assert pool.exitcode == 0
# No Ctrl-C comes between the ends of two workers: the other would stay.
one = engine.each(who, range(100), 2, str)
workers = {next(one)[0] for _ in range(8)}
kill = multiprocessing.process.BaseProcess.kill
def interrupted_kill(process):
    kill(process)
    os.kill(os.getpid(), signal.SIGINT)
multiprocessing.process.BaseProcess.kill = interrupted_kill
try:
    one.close()
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("the interruption is lost")
multiprocessing.process.BaseProcess.kill = kill
assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]
# Copies of the caller's own stay, have what was prepared at first, and see a scenario once.
copies = forked.Copies(2)
def stays(tasks, **more):
    return list(engine.each(ids, tasks, 2, str, copies=copies, prepare=prepare))
def ids(task):
    time.sleep(0.02)
    return os.getpid(), memory, id(task) if isinstance(task, Scenario) else task
first = stays(range(6))
assert copies.are_there and {told for _, told, _ in first} == {"prepared for 6"}
assert stays(range(9))[0][1] == "prepared for 6" and memory == "prepared for 6"
pids = {pid for pid, _, _ in first}
assert {pid for pid, _, _ in stays(range(9))} == pids and len(pids) == 2
desk = from_data({"horizon": "1h", "arrivals": {"rate": "6/h"},
                  "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
same = stays([desk] * 6) + stays([desk] * 6)
assert len({(pid, number) for pid, _, number in same}) == 2
try:
    list(engine.each(refuses, range(4), 2, str, copies=copies))
except ZeroDivisionError:
    pass
assert not copies.are_there and not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
# One that ends while nobody waits for it costs nothing but its memory.
pids = {pid for pid, _, _ in stays(range(4))}
os.kill(min(pids), signal.SIGKILL)
while open(f"/proc/{min(pids)}/stat").read().split()[2] != "Z":
    time.sleep(0.01)
again = stays(range(8))
assert [task for _, _, task in sorted(again, key=lambda one: one[2])] == list(range(8))
assert not pids & {pid for pid, _, _ in again}
# A task that ends every copy is lost alone; then there are as many copies again.
assert sorted(engine.each(deadly, range(8), 2, lambda task: -task, copies=copies)) == [
    -3, 0, 10, 20, 40, 50, 60, 70]
assert len({pid for pid, _, _ in stays(range(9))}) == 2
copies.close()
assert not copies.are_there
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
assert not forked.can_fork()
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
stop = threading.Event()
other = threading.Thread(target=stop.wait)
other.start()
assert not forked.can_fork()
stop.set()
other.join()
for _ in range(500):
    # It is off the list of the system a moment later.
    if forked.can_fork():
        break
    time.sleep(0.01)
assert forked.can_fork()
# Copies that nobody closed do not keep the process from its end.
left = forked.Copies(2)
assert len(list(engine.each(who, range(4), 2, str, copies=left))) == 4
print("done")
"""


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-P", *words], cwd=folder, env=env, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def test_copies_compute_the_same_and_lose_nothing(tmp_path: Path) -> None:
    done = run(["-c", _CHECKS], tmp_path)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_process_with_threads_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forked.sys, "platform", "darwin")
    assert not forked.can_fork()


def test_a_run_in_copies_writes_the_same_bytes(tmp_path: Path) -> None:
    words = ["-m", "twin", "run", str(ROOT / "scenarios" / "baseline.toml"), "--quiet",
             "--set", "horizon=1d", "--set", "warm_up=0s", "--replications", "3"]  # fmt: skip
    for workers in ("1", "2"):
        run([*words, "--workers", workers, "--out", workers], tmp_path)
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in folder.glob("*/r*.parquet")}
        for folder in (next((tmp_path / name / "baseline").iterdir()) for name in "12")
    )
    assert len(one) == 3 * 11
    assert one == two


_SECOND = """
import twin
from twin.experiments import forked
desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"}, "replications": 2,
                       "agents": {"all": {"heads": 2, "handle_time": "5min"}}})
for k in range(2):
    assert forked.can_fork(), k
    found = twin.study({"scenario": desk}, workers=2, out=f"{k}")
    assert len(found.frame)
assert forked.can_fork()
print("done")
"""


def test_a_study_leaves_no_thread_that_keeps_the_next_from_copies(tmp_path: Path) -> None:
    # To begin two workers anew takes two seconds of the processor.
    assert run(["-c", _SECOND], tmp_path).stdout == "done\n"
