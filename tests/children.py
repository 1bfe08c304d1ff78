"""Commands as processes of their own, to be stopped; and who their children are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def interruptible() -> None:
    """Let a child heed the signals that end commands, as `preexec_fn`.

    A suite in the background ignores Ctrl-C, one under nohup the end of its terminal, and a child
    would inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(words: Sequence[str], folder: Path, **how: Any) -> subprocess.Popen[str]:
    """Start ``twin`` as the installed command does: without the working folder on its path."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "twin", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | how.pop("env", {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=interruptible,
        **how,
    )


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The value of a condition once it is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def children(pid: int) -> list[int]:
    """Processes that a process has started (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def alive(pids: Sequence[int]) -> list[int]:
    """Those of some processes that run."""
    return [pid for pid in pids if _state(pid) not in ("", "Z")]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
