"""Cost of a run beside that of another checkout of the project, as of an older commit.

    git worktree add OTHER COMMIT
    python -m tests.benchmarks.cost_beside OTHER [SCENARIO ...] [--rounds 40]

plays shipped scenarios (by default `baseline.toml` and `humans-only.toml`, each as its own checkout
has it) in one process for each checkout, in turn. Prints the median and the quartiles, over the
rounds, of this checkout's time of the processor over the other's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Only names that older commits have, too.
_PLAYER = """
import gc, sys, time
from twin.assistant.backends import build
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.scenario.file import load
scenario = load(sys.argv[1])
demand = draw(scenario)
used = scenario.assistant.role != "off"
assistant = build(scenario, demand.categories, demand.corpus) if used else None
simulate(scenario, demand, assistant)
for _ in sys.stdin:
    gc.collect()
    begun = time.process_time()
    simulate(scenario, demand, assistant)
    print(time.process_time() - begun, flush=True)
"""


def player(checkout: Path, scenario: str) -> subprocess.Popen[str]:
    """A process that plays a scenario once for each line that it is sent."""
    return subprocess.Popen(
        [sys.executable, "-c", _PLAYER, str(checkout / "scenarios" / scenario)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_s(process: subprocess.Popen[str]) -> float:
    """Time of the processor that the next run of a process takes."""
    assert process.stdin is not None
    assert process.stdout is not None
    print("go", file=process.stdin, flush=True)
    return float(process.stdout.readline())


def ratios(other: Path, scenario: str, rounds: int) -> list[float]:
    """This checkout's times over the other's, round by round; who is first takes turns."""
    with player(ROOT, scenario) as ours, player(other, scenario) as theirs:
        found = []
        for k in range(rounds):
            order = (ours, theirs) if k % 2 else (theirs, ours)
            times = {process.pid: run_s(process) for process in order}
            found.append(times[ours.pid] / times[theirs.pid])
    return found


def main() -> None:
    """Print a line for each scenario."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("scenarios", nargs="*", default=["baseline.toml", "humans-only.toml"])
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    for scenario in given.scenarios:
        found = ratios(given.other.resolve(), scenario, given.rounds)
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{scenario}: {middle:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
