"""Tickets streamed through the compiled desk to Parquet: memory at the most, and cost a ticket.

    python -m tests.benchmarks.streamed [--scenario scenarios/baseline.toml] [TICKETS ...]

Each number of tickets is played in a process of its own, as a peak of memory never falls. Of each
it prints the most memory held (all of the process), time of the processor, and both a ticket; the
first second, imports and what the assistant learns, is left out of the time and not of the memory.
Needs the extra `fast`, and 150 bytes of disk a ticket.
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

PLAY = """
    import sys, time
    from pathlib import Path
    import twin
    from twin.demand.blocks import draw_in_blocks
    from twin.desk.compiled import play

    def peak():
        for line in open("/proc/self/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024

    path, hours, folder = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    for name, length in (("warm", 48.0), ("run", hours)):
        desk = twin.load(path, {"horizon": f"{length}h", "warm_up": "0h"})
        (folder / name).mkdir()
        begun = time.process_time()
        demand = draw_in_blocks(desk, 0, play.BLOCK)
        play.write(desk, demand, folder / name)
        seconds = time.process_time() - begun
    size = sum(path.stat().st_size for path in (folder / "run").rglob("*") if path.is_file())
    print(demand.come, seconds, peak(), size)
"""


def main(scenario: str, numbers: list[int]) -> None:
    """Play each number of tickets, and print a line of it."""
    for number in numbers:
        hours = number / WEEK_TICKETS * 168
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-c", textwrap.dedent(PLAY), scenario, f"{hours:.3f}", folder]
            done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
        tickets, seconds, megabytes, size = map(float, done.stdout.split())
        print(
            f"{tickets:>12,.0f} tickets: {megabytes:6.0f} MB at the most, {seconds:7.1f} s of "
            f"processor, {seconds / tickets * 1e6:.2f} us and {size / tickets:.0f} bytes of disk "
            "a ticket",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenario", default="scenarios/baseline.toml")
    parser.add_argument("tickets", nargs="*", type=int, default=[100_000, 1_000_000, 10_000_000])
    given = parser.parse_args()
    main(given.scenario, given.tickets)
