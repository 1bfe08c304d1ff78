"""Time and memory of `twin import` on a million rows.

    python -m tests.benchmarks.history_import [ROWS]

writes four synthetic exports into a temporary folder (tickets of Zendesk with a text each, calls
with local dates, a ServiceNow log with four rows an incident, an event log in XES), reads each in
a process of its own and prints its seconds and the most memory it took. The import of the package
counts.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

_CODE = """
import sys
import twin
history = twin.read_history(sys.argv[1], zone="Europe/Rome")
history.save(sys.argv[2])
print(history.tool, len(history.log.tickets), len(history.log.timeline))
"""


def _tickets(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    created = np.sort(rng.uniform(0, 365 * 86_400, rows)) + 1_767_225_600
    stamps = pd.Series(pd.to_datetime(created.round(), unit="s"))
    reply, solved = rng.exponential(3000, rows), rng.exponential(80_000, rows)
    return pd.DataFrame({
        "id": np.arange(rows), "created_at": stamps.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "updated_at": stamps.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), "status": "closed",
        "priority": rng.choice(["low", "normal", "high", "urgent"], rows), "requester_id": 7,
        "assignee_id": rng.integers(0, 80, rows), "group_id": rng.integers(0, 12, rows),
        "via.channel": rng.choice(["email", "chat", "web"], rows),
        "satisfaction_rating.score": rng.choice(["offered", "good", "bad"], rows),
        "tags": "vip billing", "subject": "My order has not come",
        "description": "I ordered it two weeks ago and heard nothing since. " * 8,
        "reply_time_in_minutes.calendar": (reply / 60).astype(int),
        "solved_at": (stamps + pd.to_timedelta(solved.round(), unit="s")).dt.strftime(
            "%Y-%m-%dT%H:%M:%SZ"),
    })  # fmt: skip


def _calls(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    queued = pd.Series(pd.to_datetime(np.sort(rng.uniform(0, 3e7, rows)).round(), unit="s",
                                      origin="2026-01-01"))  # fmt: skip
    waits, talks = rng.exponential(40, rows), rng.exponential(200, rows)
    answered = queued + pd.to_timedelta(waits.round(), unit="s")
    ended = answered + pd.to_timedelta(talks.round(), unit="s")
    form = "%d/%m/%Y %H:%M:%S"
    return pd.DataFrame({
        "call id": np.arange(rows), "queued at": queued.dt.strftime(form),
        "answered at": answered.dt.strftime(form), "ended at": ended.dt.strftime(form),
        "agent": rng.integers(0, 90, rows), "queue": rng.integers(0, 5, rows),
    })  # fmt: skip


def _updates(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    cases = rows // 4
    opened = np.sort(rng.uniform(0, 3e7, cases))
    steps = np.cumsum(rng.exponential(20_000, (cases, 4)), axis=1) - 1
    at = pd.Series(pd.to_datetime((opened[:, None] + steps).ravel().round(), unit="s",
                                  origin="2026-01-01"))  # fmt: skip
    begun = pd.Series(pd.to_datetime(np.repeat(opened, 4).round(), unit="s", origin="2026-01-01"))
    form = "%d/%m/%Y %H:%M"
    return pd.DataFrame({
        "number": np.repeat([f"INC{k:07d}" for k in range(cases)], 4),
        "incident_state": np.tile(["New", "Active", "Resolved", "Closed"], cases),
        "sys_mod_count": np.tile(range(4), cases), "sys_updated_at": at.dt.strftime(form),
        "sys_updated_by": rng.integers(0, 300, 4 * cases), "opened_at": begun.dt.strftime(form),
        "priority": "3 - Moderate", "assignment_group": rng.integers(0, 40, 4 * cases),
    })  # fmt: skip


def _xes(frame: pd.DataFrame, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("<log>")
        at = pd.to_datetime(frame["sys_updated_at"], format="%d/%m/%Y %H:%M")
        rows = zip(frame["number"], frame["incident_state"], at.dt.strftime("%Y-%m-%dT%H:%M:%S"),
                   strict=True)  # fmt: skip
        last = None
        for case, state, moment in rows:
            if case != last:
                file.write("</trace>" if last else "")
                file.write(f'<trace><string key="concept:name" value="{case}"/>')
                last = case
            file.write(f'<event><string key="concept:name" value="{state}"/>'
                       f'<date key="time:timestamp" value="{moment}+00:00"/></event>')  # fmt: skip
        file.write("</trace></log>")


def main(rows: int) -> None:
    """Write the exports, read each, and print what it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, make in (("tickets", _tickets), ("calls", _calls), ("updates", _updates)):
            make(rows).to_csv(folder / f"{kind}.csv", index=False)
        _xes(_updates(rows), folder / "events.xes")
        busy = 0.0
        for path in sorted(folder.glob("*.*")):
            before = time.monotonic()
            out = str(folder / f"h-{path.stem}")
            done = subprocess.run([sys.executable, "-c", _CODE, str(path), out], check=True,
                                  capture_output=True, text=True)  # fmt: skip
            spent = time.monotonic() - before
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu, busy = used.ru_utime + used.ru_stime - busy, used.ru_utime + used.ru_stime
            # The most of all children so far: each is read alone, the largest last would hide.
            most = used.ru_maxrss / 1e6
            size = path.stat().st_size / 1e6
            print(
                f"{path.name}: {size:,.0f} MB, {spent:.1f} s ({cpu:.1f} s of CPU), at most "
                f"{most:.2f} GB so far; {done.stdout.strip()}", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
