"""A report over one million tickets: its time and its memory.

    python tests/benchmarks/bench_report.py [TICKETS]

Plays two runs of that many tickets with the statistical backend, one of a single replication and
one of many, writes a report of each in a process of its own, and prints seconds and the most memory
held (GB). Aim: under 60 s and under 1.5 GB for a million.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import twin
from twin.scenario.model import from_data

DAYS = 7


def desk(tickets, replications):
    days = DAYS if replications > 1 else 365
    return {
        "name": f"{replications}-replications",
        "horizon": f"{days}d",
        "replications": replications,
        "arrivals": {
            "kind": "hourly",
            "rate": f"{tickets / replications / days / 24:.6f}/h",
            "week": {"hours": [1] * 7 + [8] * 12 + [3] * 5},
        },
        "tickets": {
            "category_mix": {"Login": 2, "Payment": 1, "Technical": 1, "Shipping": 1},
            "priority_mix": {"urgent": 1, "high": 2, "normal": 5, "low": 2},
        },
        "assistant": {"role": "full", "backend": "profile", "confidence_threshold": 0.4},
        "provider": {"plan": "unlimited"},
        "agents": {"all": {"heads": 20, "handle_time": "9min"}},
        "targets": {
            "first_response": {"urgent": "15min", "normal": "4h"},
            "resolution": {"urgent": "2h", "normal": "1d"},
        },
    }


def main(tickets):
    with tempfile.TemporaryDirectory() as folder:
        for replications in (1, 50):
            done = twin.run(from_data(desk(tickets, replications)), out=folder)
            count = int(done.kpis.query("kpi == 'arrivals'")["numerator"].sum())
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            started = time.perf_counter()
            page = Path(folder) / "page.html"
            words = [sys.executable, "-m", "twin", "report", str(done.paths[0]), "--out", str(page)]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            wall = time.perf_counter() - started
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            print(
                f"{count:,} tickets in {replications} replications: {wall:.1f} s "
                f"({used.ru_utime - before:.1f} s of processor), at most "
                f"{used.ru_maxrss / 1e6:.2f} GB, page {page.stat().st_size / 1e3:.0f} kB"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
