"""Streamed runs with tables, figures, checks and a report: memory at the most, cost a ticket.

    python -m tests.benchmarks.streamed [--scenario scenarios/baseline.toml] [--no-report]
                                        [TICKETS ...]

Each number of tickets is played by `twin.run(..., stream=True)` in a process of its own, as a peak
of memory never falls, and reported in another one. Of each it prints the most memory held (all of
the process), time of the processor, and both a ticket; the first second, imports and what the
assistant learns, is left out of the time and not of the memory. Needs the extra `fast`, and 250
bytes of disk a ticket.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
WEEK_TICKETS = 6_730

START = """
    import sys, time
    from pathlib import Path

    def peak():
        for line in open("/proc/self/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
"""
PLAY = """
    import twin

    path, hours, folder = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    for name, length in (("warm", 48.0), ("run", hours)):
        desk = twin.load(path, {"horizon": f"{length}h", "warm_up": "0h"})
        begun = time.process_time()
        found = twin.run(desk, 1, out=folder / name, engine="compiled", stream=True)
        seconds = time.process_time() - begun
    (row,) = found.kpis.query("kpi == 'arrivals' and group == ''")["value"]
    assert found.sanity()["ok"].all()
    size = sum(path.stat().st_size for path in (folder / "run").rglob("*") if path.is_file())
    print(row, seconds, peak(), size)
"""
REPORT = """
    from twin.experiments.results import open_results
    from twin.report.page import write

    folder = Path(sys.argv[1])
    begun = time.process_time()
    write(open_results(next((folder / "run").glob("*"))), folder / "report.html")
    print(time.process_time() - begun, peak())
"""


def _numbers(code: str, *words: str) -> list[float]:
    """The numbers that a process of its own prints."""
    command = [sys.executable, "-c", textwrap.dedent(START) + textwrap.dedent(code), *words]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return [float(word) for word in done.stdout.split()]


def main(scenario: str, numbers: list[int], report: bool) -> None:
    """Play each number of tickets, and print a line of it."""
    for number in numbers:
        hours = number / WEEK_TICKETS * 168
        with tempfile.TemporaryDirectory() as folder:
            tickets, seconds, megabytes, size = _numbers(PLAY, scenario, f"{hours:.3f}", folder)
            said = (
                f"{tickets:>12,.0f} tickets: {megabytes:6.0f} MB at the most, {seconds:7.1f} s of "
                f"processor, {seconds / tickets * 1e6:.2f} us and {size / tickets:.0f} bytes of "
                "disk a ticket"
            )
            if report:
                seconds, megabytes = _numbers(REPORT, folder)
                said += f"; report: {megabytes:.0f} MB, {seconds:.1f} s"
        print(said, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", default="scenarios/baseline.toml")
    parser.add_argument("tickets", nargs="*", type=int, default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--no-report", dest="report", action="store_false")
    given = parser.parse_args()
    main(given.scenario, given.tickets, given.report)
