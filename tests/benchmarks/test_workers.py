"""Two workers against two bare processes of the same work, in the same run.

Run with ``pytest tests/benchmarks/test_workers.py -s``. Bare processes play eight replications each
of the baseline's first two days, on one thread as workers do, and keep nothing; the study plays the
same sixteen with two workers, and files their figures. They take turns, so that both meet the same
machine. Both are measured with their processes started, as starting is paid once whatever the
length of a study; the start is told as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import twin

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "scenarios" / "baseline.toml"
CUT = {"horizon": "48h"}
ROUNDS = 3
REPLICATIONS = 16
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

BARE = f"""
import sys
import twin
desk = twin.load({str(BASELINE)!r}, {CUT!r})
twin.play(desk, 99)
print("ready", flush=True)
for line in sys.stdin:
    first = int(line)
    for k in range(first, {REPLICATIONS}, 2):
        twin.play(desk, k)
    print("done", flush=True)
"""


def bare_round(children: list[subprocess.Popen[str]]) -> float:
    begun = time.perf_counter()
    for first, child in enumerate(children):
        assert child.stdin is not None
        child.stdin.write(f"{first}\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
    return time.perf_counter() - begun


def test_two_workers_reach_85_percent_of_two_bare_processes(tmp_path: Path) -> None:
    desk = twin.load(BASELINE, CUT)
    begun = time.perf_counter()
    twin.study({"scenario": desk}, replications=2, workers=2, out=tmp_path / "start")
    start_s = time.perf_counter() - begun
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
            begun = time.perf_counter()
            found = twin.study(
                {"scenario": desk}, replications=REPLICATIONS, workers=2, out=tmp_path / str(number)
            )
            study_s = time.perf_counter() - begun
            assert found.played == REPLICATIONS
            ratios.append(bare_s / study_s)
            print(f"bare {bare_s:.2f} s, study {study_s:.2f} s: {ratios[-1]:.1%}")
    finally:
        for child in children:
            child.kill()
            child.communicate()
    print(
        f"median {median(ratios):.1%} of two bare processes; first two with start {start_s:.1f} s"
    )
    assert median(ratios) >= 0.85
