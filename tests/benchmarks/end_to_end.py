"""Time of whole commands, imports and workers included, as a user waits for them.

    python -m tests.benchmarks.end_to_end [WHAT ...] [--rounds 3] [--engine NAME] [--beside OTHER]

plays commands on what is shipped (`WHAT`: run, notebook, cell, again, compare, study, points,
settings, search, roster, report, calibrate; by default all) and prints for each the seconds of the
processor, of all its processes, and of the clock: the median over the rounds. Of points and
settings, the seconds of the processor are those of one replication, without the start of Python; of
cell and again, those of the first and the second call of `twin.run` in a process. With `--beside`,
another checkout of the project, as of an older commit (`git worktree add OTHER COMMIT`), plays the
same in turn, and the ratio of the seconds of the processor is printed, with the lowest and the
highest of a round. `--engine` goes to the commands that take it, of this checkout alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXPORT = "scenarios/example-export"
_NOTEBOOK = "import twin\ntwin.run(twin.load('scenarios/baseline.toml')).summary()"
# Prints the seconds of the processor of the first such call where twin is imported already, as in a
# notebook's cell; and of the next.
_CALL = """
import os
import twin
desk = twin.load("scenarios/baseline.toml")
for k in range({}):
    before = os.times()
    twin.run(desk).summary()
    after = os.times()
print(sum(after[k] - before[k] for k in range(4)))
"""
# Prints the seconds of the processor a replication, with all that a study or search does for it,
# but for what a process does once.
_EACH = """
import os
import twin
def timed(play):
    before = os.times()
    played = play().played
    after = os.times()
    print(sum(after[k] - before[k] for k in range(4)) / played)
"""
# Twenty points of a small desk, ten replications each.
_POINTS = (
    _EACH
    + """
desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"}, "replications": 10,
                       "agents": {"all": {"heads": 2, "handle_time": "5min"}}})
twin.study({"scenario": desk, "factors": {"agents.all.heads": [1]}}, replications=1)
heads = [1 + k for k in range(20)]
timed(lambda: twin.study({"scenario": desk, "factors": {"agents.all.heads": heads}}))
"""
)
# Four settings of two shifts of the baseline, as a search of them plays: three replications, and
# ten fresh ones.
_SETTINGS = (
    _EACH
    + """
desk = twin.load("scenarios/baseline.toml")
shift = "agents.frontline.shifts.{}.heads"
def plan(levels):
    return {"scenario": desk, "minimise": "human_cost",
            "factors": {shift.format(k): levels for k in range(2)},
            "targets": {"service_level": {"at_least": 0.95}, "abandonment_rate": {"at_most": 0.05}}}
twin.search(plan([3]), 1, checks=2, budget=2)
timed(lambda: twin.search(plan([3, 5]), 3, checks=10, budget=40))
"""
)
# Those that print what they take.
_PRINTED = ("cell", "again", "points", "settings")
# What is timed, with what comes before it, which is not. OUT is a folder that is new each time.
Words = list[str]
COMMANDS: dict[str, tuple[list[Words], Words]] = {
    "run": ([], ["-m", "twin", "run", "scenarios/baseline.toml", "--out", "OUT"]),
    "notebook": ([], ["-c", _NOTEBOOK]),
    "cell": ([], ["-c", _CALL.format(1)]),
    "again": ([], ["-c", _CALL.format(2)]),
    "compare": (
        [],
        ["-m", "twin", "compare", "scenarios/baseline.toml", "scenarios/staffing.toml",
         "--out", "OUT"],
    ),
    "study": (
        [],
        ["-m", "twin", "study", "scenarios/studies/escalation-threshold.toml", "--out", "OUT"],
    ),
    "points": ([], ["-c", _POINTS]),
    "settings": ([], ["-c", _SETTINGS]),
    "search": (
        [], ["-m", "twin", "search", "scenarios/studies/fewest-agents.toml", "--out", "OUT"]
    ),
    "roster": (
        [],
        ["-m", "twin", "roster", "scenarios/baseline.toml", "--pool", "frontline",
         "--set", "work_rules.shortest=8h", "--out", "OUT"],
    ),
    "report": (
        [["-m", "twin", "run", "scenarios/baseline.toml", "--out", "OUT"]],
        ["-m", "twin", "report", "OUT/baseline"],
    ),
    "calibrate": (
        [["-m", "twin", "import", f"{EXPORT}/calls.csv", "--zone", "Europe/London",
          "--yes", "--out", "OUT/history"]],
        ["-m", "twin", "calibrate", "OUT/history", "--until", "2026-03-21",
         "--out", "OUT/desk.toml"],
    ),
}  # fmt: skip
# Commands that take the option --engine.
ENGINES = ("run",)


def seconds(checkout: Path, words: Words, printed: bool = False) -> tuple[float, float]:
    """Seconds of the processor, of all its processes, and of the clock that a command takes.

    Parameters
    ----------
    checkout : Path
    words : list of str
    printed : bool
        Whether it prints those of the processor itself.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE if printed else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    # It prints a line at most, which a pipe holds.
    assert process.stderr is not None
    said = process.stderr.read()
    told = process.stdout.read() if process.stdout is not None else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} in {checkout}: {said}")
    taken = float(told) if printed else usage.ru_utime + usage.ru_stime
    return taken, time.perf_counter() - begun


def once(checkout: Path, what: str, engine: str | None) -> tuple[float, float]:
    """Seconds of a command in a folder of its own, which is gone afterwards."""
    before, timed = COMMANDS[what]
    if engine is not None and what in ENGINES:
        timed = [*timed, "--engine", engine]
    folder = tempfile.mkdtemp(prefix="twin-end-to-end-")
    try:
        for words in before:
            seconds(checkout, [word.replace("OUT", folder) for word in words])
        words = [word.replace("OUT", folder) for word in timed]
        return seconds(checkout, words, what in _PRINTED)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[*COMMANDS, []], metavar="WHAT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine")
    parser.add_argument("--beside", type=Path)
    given = parser.parse_args()
    places: list[tuple[Path, str | None]] = [(ROOT, given.engine)]
    if given.beside is not None:
        places.append((given.beside.resolve(), None))
    for what in given.what or COMMANDS:
        found: list[list[tuple[float, float]]] = [[] for _ in places]
        for place in places:
            # Python, and the compiled engine, keep what they have compiled.
            once(place[0], what, place[1])
        for k in range(given.rounds):
            for number in range(len(places))[:: 1 if k % 2 else -1]:
                found[number].append(once(places[number][0], what, places[number][1]))
        cpu, clock = (statistics.median(one[k] for one in found[0]) for k in (0, 1))
        line = f"{what}: {cpu:.3g} s of the processor, {clock:.2f} s"
        if given.beside is not None:
            old, before = (statistics.median(one[k] for one in found[1]) for k in (0, 1))
            ratios = [ours[0] / theirs[0] for ours, theirs in zip(*found, strict=True)]
            line += (
                f"; beside: {old:.3g} s, {before:.2f} s; ratio {statistics.median(ratios):.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f})"
            )
        print(line, flush=True)


if __name__ == "__main__":
    main()
