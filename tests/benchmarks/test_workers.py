"""Two workers against two bare processes of the same work, in the same run; a Dask cluster, too.

Run with ``pytest tests/benchmarks/test_workers.py -o addopts= -s``. Bare processes play half of 96
replications each of the baseline's first two days, on one thread as workers do, and keep nothing;
the study plays the same with two workers, and files their figures; all on SimPy. So many, because a
study checks its scenario and collects its results once, whatever its length. They take turns, so
that both meet the same machine. Compared are seconds of the processor, which other work on the
machine changes little: those of the workers and of the process that hands out the work. All are
measured with their processes started, as starting is paid once whatever the length of a study.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

import twin

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "scenarios" / "baseline.toml"
CUT = {"horizon": "48h"}
ROUNDS = 9
REPLICATIONS = 96
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

BARE = f"""
import sys
import time
import twin
desk = twin.load({str(BASELINE)!r}, {CUT!r})
twin.play(desk, 99)
print("ready", flush=True)
for line in sys.stdin:
    first, begun = int(line), time.process_time()
    for k in range(first, {REPLICATIONS}, 2):
        twin.play(desk, k)
    print(time.process_time() - begun, flush=True)
"""


def bare_round(children: list[subprocess.Popen[str]]) -> float:
    """Seconds of the processor that the bare processes take for all replications."""
    for first, child in enumerate(children):
        assert child.stdin is not None
        child.stdin.write(f"{first}\n")
        child.stdin.flush()
    return sum(float(child.stdout.readline()) for child in children if child.stdout is not None)


def ratio(tmp_path: Path, seconds: Callable[[], float], **places: object) -> float:
    """Seconds of bare processes over those of a study, the median over the rounds."""
    desk = twin.load(BASELINE, CUT)
    study = {"scenario": desk}
    twin.study(study, replications=2, out=tmp_path / "start", engine="simpy", **places)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", BARE], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | ONE_THREAD,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        ratios = []
        for number in range(ROUNDS):
            bare_s = bare_round(children)
            begun = seconds()
            found = twin.study(
                study, replications=REPLICATIONS, out=tmp_path / str(number), engine="simpy",
                **places,
            )  # fmt: skip
            study_s = seconds() - begun
            assert found.played == REPLICATIONS
            ratios.append(bare_s / study_s)
            print(f"bare {bare_s:.2f} s, study {study_s:.2f} s: {ratios[-1]:.1%}")
    finally:
        for child in children:
            child.kill()
            child.communicate()
    print(f"median {median(ratios):.1%} of two bare processes")
    return median(ratios)


def of_this_process_and_its_children() -> float:
    """Seconds of the processor; those of children that have ended or work on, too (Linux)."""
    told = os.times()
    found = told.user + told.system + told.children_user + told.children_system
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            found += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def test_what_two_workers_cost(tmp_path: Path) -> None:
    # In a process of its own, without threads, workers are copies, as those of the command.
    words = (
        "from pathlib import Path; from tests.benchmarks.test_workers import *;"
        f"print(ratio(Path({str(tmp_path)!r}), of_this_process_and_its_children, workers=2))"
    )
    said = subprocess.run(
        [sys.executable, "-c", words], cwd=ROOT, env=os.environ | ONE_THREAD, text=True,
        stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    print(said)
    assert float(said.splitlines()[-1]) >= 0.9


def test_what_a_dask_cluster_of_two_costs(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):

        def seconds() -> float:
            return time.process_time() + sum(client.run(time.process_time).values())

        found = ratio(tmp_path, seconds, cluster=cluster.scheduler_address)
    # A tenth less than two workers' goal.
    assert found >= 0.81
