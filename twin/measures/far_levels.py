"""Levels of a run whose tables do not fit in memory: areas up to moments that are asked ahead.

What changes levels is read in windows of time, in which it is put in order. The areas are those of
`twin.measures.run_levels.RunLevels` to the last bit, as they are added up in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.measures import levels
from twin.measures.run_levels import HIGHER_OF, LOWER_OF, Level, Levels
from twin.records.far_tables import FarTable, in_ranges, numbers
from twin.scenario.calendars import Staircase, staffing

if TYPE_CHECKING:
    import pyarrow as pa

    from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Rows of visits, about, whose changes are put in order together.
_ROWS = 100_000
# A change: of the queue, or the work of a pool (its number); and a level of a pool that is told.
_CHANGE = np.dtype([("time_s", "f8"), ("of", "i2"), ("by", "i4")])
_QUEUE = -1


class ToldLevel:
    """A level that is told piece by piece; it knows the area up to some moments.

    Parameters
    ----------
    at : array of float, shape (n,)
        The moments, rising.
    """

    def __init__(self, at: Floats) -> None:
        self._at, self._areas, self._done = at, np.zeros(len(at)), 0
        self._time, self._value, self._area = 0.0, 0.0, 0.0

    @property
    def values(self) -> npt.NDArray[Any]:
        """The value that was told last."""
        return np.array([self._value])

    def local(self, times: Floats, values: npt.NDArray[Any]) -> Staircase:
        """The level from the moment that was told last on, through these."""
        return Staircase(
            np.concatenate([[self._time], times]), np.concatenate([[self._value], values])
        )

    def add(self, level: Staircase, until: float) -> None:
        """Go on with a level that begins where it was left; it is known before a moment."""
        times, values = level.times, level.values
        # Added up one by one from where it was left, as in one piece.
        area = np.cumsum(np.concatenate([[self._area], np.diff(times) * values[:-1]]))
        stop = int(np.searchsorted(self._at, until))
        asked = self._at[self._done : stop]
        k = np.searchsorted(times, asked, side="right") - 1
        self._areas[self._done : stop] = area[k] + (asked - times[k]) * values[k]
        self._done = stop
        self._time, self._value, self._area = times[-1], values[-1], area[-1]

    def integral(self, t: Floats) -> Floats:
        """Area under the level from 0 to each moment, which must be asked ahead."""
        k = np.searchsorted(self._at, t)
        assert np.array_equal(self._at[k], t)
        return self._areas[k]


class FarLevels(Levels):
    """Levels of a run on disk.

    Parameters
    ----------
    tables : dict of str to FarTable
        Tickets, timeline, visits and staffing.
    scenario : Scenario
        No agents are told apart in it, and no statuses are its own.
    every_s : float
        Length of the intervals of the table levels.
    """

    def __init__(
        self, tables: dict[str, FarTable], scenario: Scenario, every_s: float = 900.0
    ) -> None:
        self._scenario, self._tables = scenario, tables
        self.edges = levels.edges(scenario.horizon, every_s)
        self._moments = np.unique([*self.edges, 0.0, scenario.warm_up, scenario.horizon])
        self._pools = list(scenario.agents)
        self._told: dict[tuple[str, str], ToldLevel] = {}
        self._read_backlog()
        self._read_people()

    def level(self, kind: str, pool: str = "") -> Level:
        """A level of the run, or of a pool; see `Levels.level`."""
        # In hand is what is busy, where agents are not told apart.
        return self._told["busy" if kind == "in hand" else kind, pool]

    def has(self, kind: str, pool: str = "") -> bool:
        """True if the run has such a level."""
        return (kind, pool) in self._told

    def _new(self, kind: str, pool: str = "") -> ToldLevel:
        found = self._told[kind, pool] = ToldLevel(self._moments)
        return found

    def _read_backlog(self) -> None:
        told, timeline = self._new("backlog"), self._tables["timeline"]
        # A ticket that waited for the customer was open all the time; a byte a ticket.
        opened = np.zeros(len(self._tables["tickets"]) + 1, np.bool_)
        for frame in timeline.frames(["ticket_id", "time_s", "status"]):
            status, ids = frame["status"].array, frame["ticket_id"].to_numpy()
            by = np.array([levels.CHANGES.get(str(name), 0) for name in status.categories])
            change = by[status.codes]
            opens = np.flatnonzero(np.asarray(status == "Open"))
            change[opens[opened[ids[opens]]]] = 0
            first = np.zeros(len(opens), np.bool_)
            first[np.unique(ids[opens], return_index=True)[1]] = True
            change[opens[~first]] = 0
            opened[ids[opens]] = True
            counts = change != 0
            times = frame["time_s"].to_numpy()[counts]
            if len(times):
                values = told.values[-1] + np.cumsum(change[counts])
                told.add(told.local(times, values), float(times[-1]))
        told.add(told.local(np.zeros(0), np.zeros(0)), np.inf)

    def _read_people(self) -> None:
        scenario, horizon_s = self._scenario, self._scenario.horizon
        visits, played = self._tables["visits"], self._tables["staffing"]
        windows = max(1, len(visits) // _ROWS, len(played) // _ROWS)
        bounds = np.linspace(0.0, horizon_s, windows + 1)
        self._new("queue")
        by_calendar: dict[str, Staircase] = {}
        told = self._pools_with_rows(played)
        for name, pool in scenario.agents.items():
            for kind in ("busy", "staffed", "used", "paid"):
                self._new(kind, name)
            if name not in told:
                by_calendar[name] = staffing(pool, scenario)
            elif pool.away is not None:
                self._new("away", name)
        changes = self._changes(visits, bounds)
        staffed = self._staffed(played, bounds)
        for k in range(windows):
            until = np.inf if k == windows - 1 else float(bounds[k + 1])
            self._window(next(changes), next(staffed), by_calendar, float(bounds[k]), until)

    def _window(
        self,
        changes: npt.NDArray[Any],
        played: npt.NDArray[Any],
        by_calendar: dict[str, Staircase],
        since: float,
        until: float,
    ) -> None:
        changes = changes[np.argsort(changes["time_s"], kind="stable")]

        def level(told: ToldLevel, of: int) -> Staircase:
            here = changes[changes["of"] == of]
            return told.local(here["time_s"], told.values[-1] + np.cumsum(here["by"]))

        queue = self._told["queue", ""]
        queue.add(level(queue, _QUEUE), until)
        for number, name in enumerate(self._pools):
            told = {kind: self._told[kind, name] for kind in ("busy", "staffed", "used", "paid")}
            busy = level(told["busy"], number)
            if name in by_calendar:
                whole = by_calendar[name]
                of = (whole.times >= since) & (whole.times < until)
                staffed = told["staffed"].local(whole.times[of], whole.values[of])
            else:
                rows = played[played["of"] == number]
                staffed = told["staffed"].local(rows["time_s"], rows["on_shift"])
                if ("away", name) in self._told:
                    away = self._told["away", name]
                    away.add(away.local(rows["time_s"], rows["away"]), until)
            times = np.sort(np.concatenate([busy.times[1:], staffed.times[1:]]), kind="stable")
            for kind, how in (("used", LOWER_OF), ("paid", HIGHER_OF)):
                both = told[kind].local(times, how(busy.at(times), staffed.at(times)))
                told[kind].add(both, until)
            told["busy"].add(busy, until)
            told["staffed"].add(staffed, until)

    def _pool_numbers(self, rows: pa.Table) -> Ints:
        """Number of the pool of each row; -1 where nobody took it."""
        pools = rows.column("pool").to_pandas().array
        places = [self._pools.index(name) if name in self._pools else -1
                  for name in pools.categories]  # fmt: skip
        found: Ints = np.array([*places, -1], np.int64)[pools.codes]
        return found

    def _pools_with_rows(self, played: FarTable) -> set[str]:
        found: set[int] = set()
        for k in range(played.groups):
            found |= set(np.unique(self._pool_numbers(played.group(k, ["pool"]))).tolist())
        return {self._pools[number] for number in found if number >= 0}

    def _changes(self, visits: FarTable, bounds: Floats) -> Iterator[npt.NDArray[Any]]:
        """Changes of the queue and of the pools' work, window by window."""

        def read(k: int) -> tuple[Ints, npt.NDArray[Any]]:
            rows = visits.group(k, ["pool", "queued_s", "started_s", "ended_s"])
            queued, started, ended = (
                numbers(rows, name) for name in ("queued_s", "started_s", "ended_s")
            )
            pool = self._pool_numbers(rows)
            left = np.where(np.isnan(started), ended, started)
            waits, works = ~np.isnan(queued), ~np.isnan(started) & (pool >= 0)
            found = [
                _made(queued[waits], _QUEUE, 1),
                _made(left[waits], _QUEUE, -1),
                _made(started[works], pool[works], 1),
                _made(ended[works], pool[works], -1),
            ]
            changes = np.concatenate(found)
            changes = changes[~np.isnan(changes["time_s"])]
            return _window_of(changes["time_s"], bounds), changes

        yield from _in_windows(visits.groups, read, bounds, _CHANGE)

    def _staffed(self, played: FarTable, bounds: Floats) -> Iterator[npt.NDArray[Any]]:
        """Rows of the table staffing, window by window."""
        kind = np.dtype([("time_s", "f8"), ("of", "i2"), ("on_shift", "i8"), ("away", "i8")])

        def read(k: int) -> tuple[Ints, npt.NDArray[Any]]:
            rows = played.group(k, ["pool", "time_s", "on_shift", "away"])
            found = np.zeros(len(rows), kind)
            found["of"] = self._pool_numbers(rows)
            for name in ("time_s", "on_shift", "away"):
                found[name] = numbers(rows, name)
            return _window_of(found["time_s"], bounds), found

        yield from _in_windows(played.groups, read, bounds, kind)


def _made(times: Floats, of: Any, by: int) -> npt.NDArray[Any]:
    found = np.empty(len(times), _CHANGE)
    found["time_s"], found["of"], found["by"] = times, of, by
    return found


def _window_of(times: Floats, bounds: Floats) -> Ints:
    found = np.searchsorted(bounds, times, side="right") - 1
    return np.clip(found, 0, len(bounds) - 2).astype(np.int64)


def _in_windows(
    groups: int, read: Any, bounds: Floats, kind: np.dtype[Any]
) -> Iterator[npt.NDArray[Any]]:
    def take(rows: npt.NDArray[Any], mask: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        some: npt.NDArray[Any] = rows[mask]
        return some

    for pieces in in_ranges(groups, len(bounds) - 1, lambda k: read(k)[0], read, take):
        yield np.concatenate([np.empty(0, kind), *pieces])
