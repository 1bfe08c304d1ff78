"""Writes of histories and calibrated desks, killed at each of their steps on disk.

    python -m tests.killed_writes FOLDER [EVERY]

A child process writes; at its n-th step (a file opened, renamed, removed, a folder made or
removed) it kills itself as the system would (SIGKILL): for every n until it comes to its end, or
for each EVERY-th and the last ones, in which the new takes the place of the old. After each, the
old one must be there or the new one, whole; after the next write that succeeds, nothing else.
Prints the number of steps of each kind of write as JSON.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import twin
from twin.experiments.checks import check
from twin.history.desk_history import DeskHistory

STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod"}
WRITE = os.O_WRONLY | os.O_RDWR


def export(folder: Path, count: int) -> DeskHistory:
    """A history of some tickets; their number tells which it is."""
    rows = ["case,activity,timestamp"]
    for k in range(count):
        day = f"2026-03-{1 + k % 28:02d}T{8 + k % 9:02d}"
        rows += [f"{k},New,{day}:00:00", f"{k},Resolved,{day}:{10 + k % 40}:00"]
    path = folder / "log.csv"
    path.write_text("\n".join(rows))
    return twin.read_history(path, zone="UTC")


LAST = 10


def child(write, at: int | None, after_s: float | None = None) -> int | None:
    """Write in a process that is killed at a step or a moment; its steps if it came to its end."""
    process = os.fork()
    if not process:
        steps = 0

        def count(event, arguments):
            nonlocal steps
            changes = event != "open" or (isinstance(arguments[2], int) and arguments[2] & WRITE)
            if event in STEPS and changes:
                if steps == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                steps += 1

        sys.addaudithook(count)
        try:
            while True:
                write()
                if after_s is None:
                    os._exit(steps)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(255)
    if after_s is not None:
        time.sleep(after_s)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        return None
    assert os.WEXITSTATUS(status) < 255
    return os.WEXITSTATUS(status)


def attack(write, whole, place: Path, left: set[str], every: int) -> int:
    """Kill at steps of a write; the number of steps.

    Parameters
    ----------
    write : callable
        Writes the first (0) or the second one (1).
    whole : callable
        Says which of both is there, after a look at all of it; fails if it is neither.
    place : Path
        The folder in which all lies.
    left : set of str
        Names that may lie there.
    every : int
    """
    write(0)
    steps = child(lambda: write(1), None)
    assert steps is not None
    assert whole() == 1
    there = 1
    for nth, at in enumerate(sorted({*range(0, steps, every), *range(steps - LAST, steps)})):
        new = 1 - there
        assert child(lambda new=new: write(new), at) is None
        there = whole()
        # Every few kills the next one succeeds, and nothing else is left.
        if nth % 5 == 0:
            there = 1 - there
            write(there)
            assert whole() == there
            names = {one.name for one in place.iterdir()}
            assert names <= left, names
    return steps


def main(folder: Path, every: int) -> None:
    """Attack both kinds of writes."""
    histories = [export(folder, count) for count in (60, 70)]
    place = folder / "place"
    place.mkdir()

    def write_history(which: int) -> None:
        histories[which].save(place / "h", replace_old=True)

    def whole_history() -> int:
        return [60, 70].index(len(twin.read_history(place / "h").log.tickets))

    done = {"history": attack(write_history, whole_history, place, {"h"}, every)}
    desks = [twin.calibrate(one) for one in histories]
    path = folder / "desks" / "d.toml"

    def write_desk(which: int) -> None:
        twin.write_calibrated(desks[which], histories[which], path, replace_old=True)

    texts = []
    for k in (0, 1):
        twin.write_calibrated(desks[k], histories[k], path, replace_old=True)
        texts.append((path.read_text(), tables(path)))

    def whole_desk() -> int:
        scenario = twin.load(path)
        check(scenario)
        now = path.read_text().replace("d-data-2/", "d-data/")
        (which,) = [k for k in (0, 1) if now == texts[k][0].replace("d-data-2/", "d-data/")]
        assert tables(path) == texts[which][1]
        return which

    names = {"d.toml", "d-data", "d-data-2"}
    done["desk"] = attack(write_desk, whole_desk, path.parent, names, every)
    # A kill at any moment.
    chance = random.Random(1)
    for _ in range(4):
        child(lambda: [write_desk(k) for k in (0, 1)], None, chance.uniform(0.02, 0.3))
        whole_desk()
        child(lambda: [write_history(k) for k in (0, 1)], None, chance.uniform(0.02, 0.3))
        whole_history()
    write_desk(0)
    write_history(0)
    assert len([*path.parent.iterdir()]) == 2
    assert len([*place.iterdir()]) == 1
    print(json.dumps(done))


def tables(path: Path) -> dict[str, bytes]:
    """Tables that a scenario reads, by their names."""
    name = "d-data-2" if "d-data-2/" in path.read_text() else "d-data"
    return {one.name: one.read_bytes() for one in (path.parent / name).iterdir()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
