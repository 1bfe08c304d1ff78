"""Moves of tickets and levels of one replication within a window, as an animation shows them.

Nothing is computed here that the figures do not use: moves are rows of the table timeline, and
agents, queue and open tickets are the step functions of which the table levels holds the averages.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from twin.measures import levels
from twin.records import storage
from twin.records.columns import TABLES
from twin.records.tables import ABANDONED, CLOSED, RESOLVED, STATUSES, RunLog
from twin.scenario import clock
from twin.scenario.calendars import Staircase

if TYPE_CHECKING:
    from twin.history.desk_history import DeskHistory
    from twin.report.source import Source
    from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
# More dots than these neither fit a screen nor move without stutter, and make a file of 4 MB.
MOST_TICKETS = 20_000
# Tables that it rests on; texts of customers are in none of them.
_NEEDED = ("tickets", "timeline", "visits", "calls", "staffing")
_OVER = (RESOLVED, CLOSED, ABANDONED)


@dataclass(frozen=True)
class Played:
    """One replication, or a history, to be animated.

    Attributes
    ----------
    name, question : str
    log : RunLog
        Of the tables only those that an animation needs are filled.
    scenario : Scenario
        As run.
    """

    name: str
    question: str
    log: RunLog
    scenario: Scenario


def of_run(source: Source, replication: int) -> Played:
    """A replication of a saved or kept run.

    Raises
    ------
    ValueError
        If the replication is not whole, or a table was not kept.
    """
    whole = source.results.kpis
    numbers = sorted(set(whole.loc[whole["scenario"] == source.name, "replication"].tolist()))
    if replication not in numbers:
        there = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else str(*numbers)
        raise ValueError(f"{source.name}: no whole replication {replication}; there is {there}")
    found: dict[str, Any] = {
        name: storage.empty(name) for name in ("ratings", "answers", "learning")
    }
    for name in _NEEDED:
        columns = [column.name for column in TABLES[name]]
        found[name] = source.table(name, columns, replication)[columns].reset_index(drop=True)
    scenario = source.scenario
    log = RunLog(horizon_s=scenario.horizon, **found)
    return Played(source.name, source.run.question, log, scenario)


def of_history(history: DeskHistory) -> Played:
    """A desk's history, in which nothing was simulated."""
    return Played("History", history.desk.question, history.log, history.desk)


def window(played: Sequence[Played], day: int | None = None) -> tuple[float, float]:
    """Bounds of what is shown, in seconds since the start: all that both runs cover, or one day.

    Parameters
    ----------
    played : sequence of Played
    day : int, optional
        Local day of the run, 1 is the first.

    Raises
    ------
    ValueError
        If there is no such day, or the runs begin at different moments.
    """
    first = played[0].scenario
    for other in played[1:]:
        if other.scenario.midnight != first.midnight or other.scenario.zone != first.zone:
            raise ValueError(
                f"{played[0].name} begins on {_begins(first)}, {other.name} on "
                f"{_begins(other.scenario)}: one clock cannot show both"
            )
    end_s = min(one.log.horizon_s for one in played)
    if day is None:
        return 0.0, end_s
    days = list(clock.days(first.midnight, end_s))
    if not 1 <= day <= len(days):
        (one, _), (last, _) = days[0], days[-1]
        raise ValueError(
            f"--day {day}: there is no such day; day 1 is {one:%A} {one}, "
            f"and the last one is day {len(days)}, {last:%A} {last}"
        )
    after = [at for _, at in days[day:]]
    return days[day - 1][1], min([*after, end_s])


def _begins(scenario: Scenario) -> str:
    return f"{scenario.start} in {scenario.time_zone}"


def shown(played: Sequence[Played], start_s: float, end_s: float) -> dict[str, Any]:
    """Moves, levels and clock as plain data, for the page's script.

    Parameters
    ----------
    played : sequence of Played
        One or two.
    start_s, end_s : float
        The window, in seconds since the start of the runs.

    Returns
    -------
    dict
        start, end, date, clock, ticks, statuses, rows, runs, same. Arrays are little-endian bytes
        in base64; moments are seconds since the start, to the last bit those of the tables.

    Raises
    ------
    ValueError
        If a run has more tickets in the window than can be shown.
    """
    runs = [_run(one, start_s, end_s) for one in played]
    # A desk's own status may stand for several of the twin's, as for Open and Reopened.
    first: dict[tuple[str, bool], int] = {}
    for status, name in sorted({field for run in runs for field in run["fields"]}):
        first.setdefault((name, status in _OVER), status)
    fields = list(first)
    for run in runs:
        own = [fields.index((name, status in _OVER)) for status, name in run.pop("fields")]
        run["status"] = _packed(np.array(own, dtype=np.uint8)[run["status"]], "<u1")
    rows: list[dict[str, Any]] = [
        {"label": name, "status": k} for k, (name, _) in enumerate(fields)
    ]
    # Kinds of one pool beside each other; the provider is last.
    named = dict.fromkeys(key for run in runs for key in run["levels"])
    pools = list(dict.fromkeys(key.partition(":")[2] for key in named))
    in_order = sorted(named, key=lambda key: (key in _CALLS, pools.index(key.partition(":")[2])))
    rows += [{"label": _label(key), "level": key} for key in in_order]
    begin = played[0].scenario.midnight
    changes = [(0.0, 0.0), *clock.changes(begin, end_s)]
    ahead = clock.local_s([at for at, _ in changes], begin) - [at for at, _ in changes]
    return {
        "start": start_s, "end": end_s,
        "date": [begin.year, begin.month, begin.day],
        "clock": [[at, by] for (at, _), by in zip(changes, ahead.tolist(), strict=True)],
        "ticks": _ticks(played[0].scenario, start_s, end_s),
        "statuses": [
            {"code": k, "name": name, "over": over} for k, (name, over) in enumerate(fields)
        ],
        "rows": rows, "runs": runs,
        "same": len(played) > 1 and _same(*played[:2]),
    }  # fmt: skip


def _same(one: Played, other: Played) -> bool:
    """True if the same customers come at the same moments in both, up to the shorter one's end."""
    until_s = min(run.log.horizon_s for run in (one, other))
    both = (run.log.arrays("tickets") for run in (one, other))
    mine, theirs = (tickets.at(tickets["arrived_s"] < until_s) for tickets in both)
    return all(np.array_equal(mine[name], theirs[name]) for name in ("ticket_id", "arrived_s"))


def _label(key: str) -> str:
    kind, _, pool = key.partition(":")
    return f"{_LABELS[kind]} {pool}".strip()


_CALLS = ("asked", "calls")
_LABELS = {
    "open": "All open tickets", "queue": "Tickets that wait for an agent",
    "asked": "Model calls that wait for the provider", "calls": "Model calls under way",
    "staffed": "On shift:", "busy": "Busy:", "away": "Away:", "in hand": "Tickets in hand:",
}  # fmt: skip


def _run(played: Played, start_s: float, end_s: float) -> dict[str, Any]:
    """Moves and levels of one run in a window."""
    log = played.log
    timeline = log.arrays("timeline")
    codes, names = timeline.codes("status")
    status = np.array([STATUSES.index(str(name)) for name in names], dtype=np.int64)[codes]
    # A desk's own statuses have fields of their own.
    own, own_names = timeline.codes("detail")
    kinds, kind = np.unique(np.stack([status, own], axis=1), axis=0, return_inverse=True)
    time_s, ids = timeline["time_s"], timeline["ticket_id"]
    order = np.argsort(time_s, kind="stable")
    time_s, ids, status, kind = time_s[order], ids[order], status[order], kind.ravel()[order]
    # What a ticket was in before the window it is in at the start. Of those that were over only
    # the ones are shown that change again.
    before = int(np.searchsorted(time_s, start_s, side="right"))
    inside = np.arange(before, np.searchsorted(time_s, end_s, side="right"))
    last = before - 1 - np.unique(ids[:before][::-1], return_index=True)[1]
    if start_s > 0:
        last = last[~np.isin(status[last], _OVER) | np.isin(ids[last], ids[inside])]
    last = np.sort(last)
    rows = np.concatenate([last, inside])
    used = np.unique(kind[rows])
    there, index = np.unique(ids[rows], return_inverse=True)
    if len(there) > MOST_TICKETS:
        # A day has at most 25 hours, where the clocks go back.
        fewer = "; choose one day, as --day 2" if end_s - start_s > 25 * clock.HOUR_S else ""
        raise ValueError(
            f"{played.name}: {len(there):,} tickets are too many for an animation "
            f"(at most {MOST_TICKETS:,}){fewer}"
        )
    return {
        "name": played.name, "question": played.question,
        "ids": _packed(there, "<i4"),
        "ticket": _packed(index, "<i4"),
        "time": _packed(np.maximum(time_s[rows], start_s), "<f8"),
        "status": np.searchsorted(used, kind[rows]),
        "answered": _packed(_answered(log, there), "<f8"),
        "levels": {
            key: _level(level, start_s, end_s) for key, level in _levels(played).items()
        },
        "pools": [] if "work" in log.unknown else list(played.scenario.agents),
        "fields": [
            (int(status), str(own_names[own]) if own >= 0 else STATUSES[status])
            for status, own in kinds[used].tolist()
        ],
    }  # fmt: skip


def _answered(log: RunLog, ids: npt.NDArray[Any]) -> Floats:
    """Moment of the first response to each ticket, infinite without one."""
    tickets = log.arrays("tickets")
    responded_s = tickets["responded_s"]
    if "responses" in log.unknown:
        responded_s = np.full(len(tickets), -np.inf)
    row = np.searchsorted(tickets["ticket_id"], ids)
    found: Floats = np.where(np.isnan(responded_s), np.inf, responded_s)[row]
    # What was resolved was answered, also where a log does not say when.
    done, resolved_s, _ = levels.spells(log, [STATUSES[RESOLVED]])
    first = np.full(len(tickets), np.inf)
    np.minimum.at(first, done, resolved_s)
    np.minimum(found, first[row], out=found)
    return found


def _levels(played: Played) -> dict[str, Staircase]:
    """Levels by kind and, after a colon, pool."""
    log, scenario = played.log, played.scenario
    found = {"open": levels.backlog(log)}
    if "work" not in log.unknown:
        found["queue"] = levels.queue(log)
        for pool, of in scenario.agents.items():
            if "staffing" not in log.unknown:
                found[f"staffed:{pool}"] = levels.on_shift(log, scenario, pool)
            found[f"busy:{pool}"] = levels.busy(log, pool)
            absent = levels.away(log, scenario, pool)
            if absent is not None:
                found[f"away:{pool}"] = absent
            if of.concurrency > 1:
                found[f"in hand:{pool}"] = levels.in_hand(log, pool)
    calls = log.arrays("calls")
    if len(calls):
        # Some calls fail without being sent: they wait until then.
        sent = np.where(calls.known("started_s"), calls["started_s"], calls["ended_s"])
        found["asked"] = levels.count_between(calls["asked_s"], sent)
        found["calls"] = levels.count_between(sent, calls["ended_s"])
    return found


def _level(level: Staircase, start_s: float, end_s: float) -> list[str]:
    """A level within a window: moments and values, the first at its start."""
    at = max(int(np.searchsorted(level.times, start_s, side="right")) - 1, 0)
    until = int(np.searchsorted(level.times, end_s, side="right"))
    times, values = level.times[at:until].copy(), level.values[at:until]
    times[0] = start_s
    # Of changes at one moment only the last is seen.
    kept = np.append(times[1:] != times[:-1], True)
    times, values = times[kept], values[kept]
    kept = np.append(True, values[1:] != values[:-1])
    return [_packed(times[kept], "<f8"), _packed(values[kept], "<i4")]


def _ticks(scenario: Scenario, start_s: float, end_s: float) -> list[list[Any]]:
    """Moments to be named below the slider: midnights, or hours of a day."""
    begin = scenario.midnight
    days = [(day, at) for day, at in clock.days(begin, end_s) if start_s <= at]
    if end_s - start_s > 2 * clock.DAY_S:
        step = -(-len(days) // 10)
        form = "%a" if len(days) <= 10 else "%d %b"
        return [[at, f"{day:{form}}"] for day, at in days[::step]]
    first = clock.local(start_s, begin).date()
    wanted = [(first + timedelta(days=k), hour) for k in range(3) for hour in range(0, 24, 3)]
    moments = [(clock.moment(day, hour * 3600.0, begin), hour) for day, hour in wanted]
    return [[at, f"{hour:02}:00"] for at, hour in moments if start_s <= at < end_s]


def _packed(values: npt.ArrayLike, kind: str) -> str:
    return b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
