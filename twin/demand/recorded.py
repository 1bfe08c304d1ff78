"""Recorded tickets: the arrivals of a trace, and files of tickets that are open at the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from twin.common import times
from twin.common.errors import Fault, ScenarioError
from twin.common.files import reason
from twin.common.tables import Table, read_table, trimmed
from twin.scenario import clock
from twin.scenario.model import PRIORITIES, Scenario

# Of tickets that are open when a run starts: not looked at, or waiting for an agent.
OPENING_STATUSES = ("Open", "Escalated")


@dataclass(frozen=True)
class Trace:
    """Recorded arrivals.

    Attributes
    ----------
    rows : DataFrame
        Those within the horizon, in order: time_s and, where the file has them, category, priority,
        text and channel (empty where it is not known).
    before, after : int
        Rows of the file that lie before the start of the run, and after its end.
    """

    rows: pd.DataFrame
    before: int
    after: int

    @property
    def left_out(self) -> str:
        """Rows that are not played, in words; empty where all are."""
        if not self.before + self.after:
            return ""
        total = self.before + self.after + len(self.rows)
        return (
            f"{self.before + self.after:,} of {total:,} rows of the trace lie outside the run and "
            f"are left out: {self.before:,} before it, {self.after:,} after it"
        )


def read_trace(scenario: Scenario) -> Trace:
    """The recorded arrivals of a scenario (kept in memory until the file changes).

    Raises
    ------
    ScenarioError
        Naming the file and what is wrong with it.
    """
    path = Path(scenario.arrivals.trace or "")
    try:
        stat = path.stat()
    except OSError as error:
        raise ScenarioError(str(path), [Fault("", reason(error))]) from None
    stamp = (stat.st_mtime_ns, stat.st_size)
    return _read_trace(str(path), stamp, scenario.start, scenario.time_zone, scenario.horizon)


@lru_cache(maxsize=4)
def _read_trace(
    path: str, _stamp: tuple[int, int], start: date, time_zone: str, horizon: float
) -> Trace:
    table, frame, numbers = read_recorded(
        path, ("category", "priority", "text", "channel"), start, time_zone
    )
    before, after = frame["time_s"] < 0, frame["time_s"] >= horizon
    inside = frame[~before & ~after].reset_index(drop=True)
    if inside.empty:
        low, high = frame["time_s"].iloc[[0, -1]] / clock.DAY_S
        where = f"they lie {low:,.1f} to {high:,.1f} days after its start"
        epoch = numbers and low > 365 * 10
        hint = "numbers are seconds after the start of the run, not since 1970" if epoch else ""
        why = f"no timestamp lies in the run, {start} and the horizon after it: {where}"
        raise table.fail(why, hint)
    return Trace(inside, int(before.sum()), int(after.sum()))


def read_recorded(
    path: str,
    known: tuple[str, ...],
    start: date,
    time_zone: str,
    statuses: tuple[tuple[str, ...], str] = (OPENING_STATUSES, OPENING_STATUSES[0]),
) -> tuple[Table, pd.DataFrame, bool]:
    """Recorded tickets in order of time, with time_s (after the start) and the columns it has.

    Parameters
    ----------
    path : str
    known : tuple of str
        Columns that are read where they are there, beside timestamp.
    start : date
    time_zone : str
        Of times without one.
    statuses : (tuple of str, str)
        Those that a column status may hold, and what a blank means.

    Returns
    -------
    Table, DataFrame, bool
        The file, its rows, and whether its timestamps are numbers.

    Raises
    ------
    ScenarioError
        Naming the file, the line, and what is wrong with it.
    """
    table = replace(read_table(path, ("timestamp",), known, "arrivals"), rows_too=True)
    time_s, numbers = _moments(table, table.columns["timestamp"], start, time_zone)
    frame = pd.DataFrame({"time_s": np.array(time_s, dtype=float)})
    for name in ("category", "text"):
        if name in table:
            found = table.names(name) if name == "category" else table.need(name)
            frame[name] = np.array(found, dtype=object)
    if "channel" in known and "channel" in table:
        # A channel may be unknown, of some tickets.
        frame["channel"] = np.array([trimmed(name) for name in table.texts("channel")], object)
    for name, allowed, default in (
        ("priority", PRIORITIES, "normal"),
        ("status", *statuses),
    ):
        if name in known and name in table:
            frame[name] = np.array(table.one_of(name, allowed, default), dtype=object)
    if "status_since" in known and "status_since" in table:
        cells = table.columns["status_since"]
        # Of some it may not be known: theirs is read as that of another, and taken out.
        blank = np.array([times.is_missing(cell) or trimmed(str(cell)) == "" for cell in cells])
        if not blank.all():
            other = cells[int(np.argmin(blank))]
            whole = [other if gone else cell for cell, gone in zip(cells, blank, strict=True)]
            since_s, _ = _moments(table, whole, start, time_zone)
            frame["since_s"] = np.where(blank, np.nan, since_s)
    return table, frame.sort_values("time_s", kind="stable"), numbers


def _moments(
    table: Table, cells: Sequence[object], start: date, time_zone: str
) -> tuple[list[float], bool]:
    """Cells as seconds after the start, and whether they are numbers of them."""
    try:
        numbers = times.seconds(cells)
        if numbers is not None:
            return numbers, True
        since = times.instants(cells, time_zone) - times.instants([start], time_zone)[0]
        return [int(us) / 10**6 for us in since], False
    except times.BadTime as error:
        hint = "timestamps are numbers of seconds or ISO times, as 2026-01-31 09:00"
        raise table.fail(f"{table.place(error.row)} {error}", hint) from None
