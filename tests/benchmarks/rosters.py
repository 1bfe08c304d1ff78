"""Rosters of a phone desk: time of the processor, hours of the plan, and what is not ruled out.

    python -m tests.benchmarks.rosters [RATE ...]

plans a week of a desk of as many calls an hour (by default 25/h: 15 agents or so), open ten hours a
day, by `twin roster` with shifts of six to eight hours and breaks.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import tomli_w

from tests.benchmarks.end_to_end import ROOT, seconds

HOURS = [0.0] * 8 + [1.0, 1.6, 1.9, 1.8, 1.3, 1.4, 1.7, 1.6, 1.3, 1.0] + [0.0] * 6
WEEK = {"hours": HOURS, "days": [1.2, 1.1, 1.0, 1.0, 1.0, 0.6, 0.5]}


def desk(rate: str) -> dict[str, object]:
    """A phone desk whose callers are to be answered within 30 s."""
    return {
        "name": "phones", "start": "2026-01-05", "time_zone": "Europe/Berlin", "horizon": "7d",
        "arrivals": {"kind": "hourly", "rate": rate, "week": WEEK, "busyness": {"cv": 0.1}},
        "tickets": {"priority_mix": {"normal": 1}},
        "customers": {"patience": {"distribution": "exponential", "mean": "3min"}},
        "agents": {"front": {"heads": 1, "cost": 20, "handle_time": {
            "distribution": "lognormal", "mean": "4min", "cv": 0.8}}},
        "targets": {"first_response": {"normal": "30s"}},
        "work_rules": {"shortest": "6h", "longest": "8h"},
    }  # fmt: skip


def main() -> None:
    for rate in sys.argv[1:] or ["25/h"]:
        with tempfile.TemporaryDirectory() as name:
            path, out = Path(name) / "phones.toml", Path(name) / "roster"
            path.write_text(tomli_w.dumps(desk(rate)))
            words = ["-m", "twin", "roster", str(path), "--out", str(out), "--quiet"]
            processor, clock = seconds(ROOT, words)
            page = (out / "roster.html").read_text()
        answer = page[page.index(" agents on ") - 3 :].partition("<")[0].lstrip(">")
        print(f"{rate}: {answer}")
        print(f"  {processor:.1f} s of the processor, {clock:.1f} s by the clock")


if __name__ == "__main__":
    main()
