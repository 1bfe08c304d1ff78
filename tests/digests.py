"""Digests of all tables of the shipped scenarios: to see that a change of code changes no figure.

    python -m tests.digests            # play all, and name what differs from the stored table
    python -m tests.digests --rewrite  # store what is played now

Digests are to the last bit, so they hold on one kind of processor and with one set of packages
only: for a change that must change nothing, rewrite them before it and compare after it. The suite
plays some of the same runs with tolerances (`test_reference`, `test_backtest`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import pandas as pd

import twin

ROOT = Path(__file__).resolve().parents[1]
STORED = Path(__file__).parent / "data" / "digests.json"
TABLES = ("tickets", "timeline", "visits", "calls", "ratings", "answers", "learning",
          "levels", "kpis", "sanity")  # fmt: skip
# The longest run is cut: its first two weeks hold all that it has.
MOST_S = 14 * 86400.0


def digest(frame: pd.DataFrame) -> str:
    """Short hash of names, types and values of a table; floats to the last bit."""
    total = hashlib.sha256()
    for name in frame:
        column = frame[name]
        total.update(f"{name}\0{column.dtype.kind if column.dtype.kind in 'if' else ''}\0".encode())
        if column.dtype.kind in "if":
            total.update(column.to_numpy().tobytes())
        else:
            total.update("\0".join(map(repr, column.astype(object).tolist())).encode())
    return total.hexdigest()[:16]


def played(path: Path, replication: int = 1) -> dict[str, str]:
    """Digests of the tables of one replication of a scenario file."""
    desk = twin.load(path)
    if desk.horizon > MOST_S:
        desk = desk.vary({"horizon": f"{MOST_S / 86400:g}d"}, name=desk.name)
    found = twin.play(desk, replication)
    return {
        name: digest(getattr(found if hasattr(found, name) else found.log, name)) for name in TABLES
    }


def everything() -> dict[str, dict[str, str]]:
    """Digests of all shipped scenarios, by their names."""
    return {path.stem: played(path) for path in sorted((ROOT / "scenarios").glob("*.toml"))}


def main() -> int:
    """Compare or rewrite; returns how many tables differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rewrite", action="store_true", help="store what is played now")
    now = everything()
    if parser.parse_args().rewrite:
        STORED.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        return 0
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    odd = [
        f"{name}: {table}"
        for name in sorted({*stored, *now})
        for table in TABLES
        if stored.get(name, {}).get(table) != now.get(name, {}).get(table)
    ]
    print("\n".join(odd) or f"{len(now)} scenarios, {len(TABLES)} tables each: as stored")
    return len(odd)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
