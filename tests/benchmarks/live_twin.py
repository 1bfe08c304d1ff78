"""The twin of a live desk that ran for twenty minutes, beside the minutes that it had not seen.

    python -m tests.benchmarks.live_people FOLDER
    python -m tests.benchmarks.live_twin FOLDER [FOLDER ...]

By commands alone: `twin import` of the desk's store, `twin calibrate` to the part "seen", and `twin
fidelity` of each other part, with the part's change and nothing else of it. Figures are printed
for each desk, and the mean of all.
"""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from tests.live_server import environment

# Agents who are to leave end their work first, and a queue takes a while to follow.
SETTLES = timedelta(seconds=30)
FIGURES = ("p50", "p90")


def twin(folder, *words):
    """Output of a command."""
    command = [sys.executable, "-m", "twin", *map(str, words)]
    done = subprocess.run(
        command, cwd=folder, env=environment(), check=True, capture_output=True, text=True
    )
    return done.stdout


def judged(folder, runs=100):
    """Rows of the fidelity of a desk's parts: part, rung, figure, real, twin, low, high, apart."""
    told = json.loads((folder / "parts.json").read_text(encoding="utf-8"))
    moments = [datetime.fromisoformat(at) for at in told["moments"]]
    history, desk = folder / "history", folder / "desk.toml"
    if not desk.exists():
        twin(folder, "import", "desk.sqlite", "--out", history, "--zone", "UTC", "--yes")
        until = moments[1].isoformat()
        twin(folder, "calibrate", history, "--until", until, "--out", desk, "--quiet")
    rows = []
    for k, part in enumerate(told["parts"]):
        began = moments[k] + (SETTLES if k else timedelta(minutes=1))
        test = f"{began.isoformat()}..{moments[k + 1].isoformat()}"
        changes = [f"agents.agents.extra_heads=-{part['fewer']}", f"arrivals.scale={part['load']}"]
        words = [word for change in changes for word in ("--set", change)]
        said = twin(
            folder, "fidelity", desk, history, "--test", test, "--runs", runs, "--json", *words
        )
        rows += [row | {"part": part["name"]} for row in json.loads(said)["table"]]
    return rows


def main():
    folders = [Path(word).resolve() for word in sys.argv[1:]]
    assert folders, __doc__
    every = {}
    print(f"{'part':24} {'given':16} figure      real  twin (95 of 100 runs)     apart")
    for folder in folders:
        for row in judged(folder):
            if row["figure"] not in FIGURES:
                continue
            key = row["part"], row["rung"], row["figure"]
            every.setdefault(key, []).append((row["real"], row["twin"]))
            inside = "" if row["inside"] else " outside"
            print(
                f"{key[0]:24} {key[1]:16} {key[2]:6} {row['real']:7.3f} s  {row['twin']:.3f} s "
                f"({row['low']:.3f} to {row['high']:.3f})  {100 * row['apart']:+6.1f} %{inside}"
            )
    if len(folders) > 1:
        print(f"\nmean of {len(folders)} desks")
        for key, pairs in every.items():
            real, found = np.mean(pairs, axis=0)
            print(f"{key[0]:24} {key[1]:16} {key[2]:6} {real:7.3f} s  {found:.3f} s "
                  f"{100 * (found / real - 1):+6.1f} %")  # fmt: skip


if __name__ == "__main__":
    main()
