"""Time from a move of a slider on the page Staffing to its figures, for shipped scenarios.

    python -m tests.benchmarks.staffing [SCENARIO ...] [--moves N] [--engine compiled]

The desk as it is has been played, as after a visit: each move is of one shift (or of the load,
where nobody works), to a setting that was not played before. Times are by the clock, of the first
figures and of the last ones; what the browser takes comes on top. Needs the extra `fast`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from twin.desk.compiled.coverage import why_not
from twin.experiments.levers import changes, levers
from twin.experiments.same_customers import ROUNDS, SameCustomers
from twin.scenario.file import load
from twin.scenario.model import Scenario

ROOT = Path(__file__).resolve().parents[2]


def moves(desk: Scenario, count: int) -> list[Scenario]:
    """Settings of a desk, each with another shift or another number of agents, or load."""
    there = levers(desk)
    if not there:
        return [desk.vary(changes(desk, {}, 1.05 + 0.05 * k)) for k in range(count)]
    found = []
    for k in range(count):
        lever = there[k % len(there)]
        found.append(desk.vary(changes(desk, {lever: lever.value + 1 + k // len(there)})))
    return found


def main() -> None:
    """Print a row a scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", type=Path)
    parser.add_argument("--moves", type=int, default=8)
    parser.add_argument("--engine", default="compiled")
    given = parser.parse_args()
    files = given.scenarios or sorted((ROOT / "scenarios").glob("*.toml"))
    print(f"scenario, first figures ({ROUNDS[0]} replications): middle and longest; last figures")
    for path in files:
        desk = load(path)
        if given.engine == "compiled" and (reason := why_not(desk)):
            print(f"{desk.name}: not covered: {reason}")
            continue
        quick = SameCustomers(desk, given.engine)
        list(quick.rounds(desk, limit_s=600.0))
        first, last = [], []
        for setting in moves(desk, given.moves):
            begun = time.monotonic()
            took = [time.monotonic() - begun for _ in quick.rounds(setting, limit_s=600.0)]
            first.append(took[0])
            last.append(took[-1])
        print(f"{desk.name}: {statistics.median(first):.2f} s, {max(first):.2f} s; "
              f"{statistics.median(last):.2f} s, {max(last):.2f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
