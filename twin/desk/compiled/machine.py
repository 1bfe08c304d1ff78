"""The desk as one machine over columns, which numba compiles: same events, order and arithmetic.

It goes from event to event as the SimPy desk does. `twin.desk.lifecycle`, `agents`, `availability`
and `waiting` are where the rules are explained; each function names the one that it repeats. What
it does not know, `twin.desk.compiled.coverage` keeps away.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any, cast
from zlib import crc32

from numba import njit

from twin.desk.compiled.columns import (
    BACK,
    END,
    FREE,
    KIND,
    NORMAL,
    ORDINAL,
    OVERFLOW,
    ROOM,
    STAGE_OF,
)  # fmt: skip
from twin.desk.compiled.coming import change, refresh, settle, wake
from twin.desk.compiled.heap import compiled, drop_first
from twin.desk.compiled.lines import abandon, head, unlink
from twin.desk.compiled.rows import status_row, visit_row
from twin.desk.compiled.serving import come, end_visit, fill, overflow, release
from twin.records.tables import HANDLE, REOPENED, STILL_OPEN

# Reasons for which the machine comes back.
FINISHED, GROW = range(2)
_TICKET = (1 << ORDINAL) - 1
_ORDINALS = (1 << (STAGE_OF - ORDINAL)) - 1
_STAGES = (1 << (KIND - STAGE_OF)) - 1


@compiled
def _change(
    d: Any, events: Any, patience_ends: Any, tickets: Any, teams: Any, lines: Any, ends: Any,
   queues: Any, watches: Any, changes: Any, changes_to: Any, luck: Any, work: Any, timeline: Any,
   visits: Any, staffing: Any,
) -> None:  # fmt: skip
    """AgentPools._change: heads of all teams that change now."""
    if d.comes:
        settle(d, patience_ends, tickets, teams, watches)
    for row in range(changes[d.changed].first, changes[d.changed].to):
        k, heads = changes_to[row, 0], changes_to[row, 1]
        if teams[k].comes:
            change(d, teams, luck, staffing, k, heads)
        else:
            teams[k].staffed = heads
    d.changed += 1
    for k in range(teams.size):
        fill(
            d, events, patience_ends, tickets, teams, lines, ends, queues, watches, work, timeline,
            visits, k,
        )  # fmt: skip
    for k in range(teams.size):
        if teams[k].comes:
            refresh(d, events, teams, k)


@compiled
def _happen(
    d: Any, events: Any, patience_ends: Any, expiries: Any, tickets: Any, teams: Any, lines: Any,
    ends: Any, queues: Any, able: Any, skilled: Any, stages: Any, watches: Any, luck: Any,
    work: Any, wrap_up: Any, solves: Any, delays: Any, choices: Any, timeline: Any, visits: Any,
    ratings: Any, staffing: Any,
) -> None:  # fmt: skip
    """The first event of the heap."""
    key, who = events[0].key, events[0].who
    drop_first(events, d.events)
    d.events -= 1
    kind, i = who >> KIND, who & _TICKET
    if kind == END:
        end_visit(
            d, events, patience_ends, tickets, teams, lines, ends, queues, watches, luck, work,
            wrap_up, solves, delays, timeline, visits, ratings, staffing, i,
        )  # fmt: skip
    elif kind == FREE:
        release(
            d, events, patience_ends, tickets, teams, lines, ends, queues, watches, luck, work,
            timeline, visits, staffing, i,
        )  # fmt: skip
    elif kind == BACK:
        # Lifecycle.reopen
        tickets[i].reopens += 1
        status_row(d, timeline, i, d.now, REOPENED)
        come(
            d, events, patience_ends, expiries, tickets, teams, lines, ends, able, skilled, stages,
            watches, work, choices, timeline, visits, i,
        )  # fmt: skip
    elif kind == OVERFLOW:
        overflow(
            d,
            events,
            patience_ends,
            tickets,
            teams,
            lines,
            ends,
            able,
            stages,
            watches,
            work,
            timeline,
            visits,
            (who >> STAGE_OF) & _STAGES,
            (who >> ORDINAL) & _ORDINALS,
            i,
        )
    elif teams[i].event_key == key:
        if wake(d, patience_ends, tickets, teams, watches, luck, staffing, i):
            fill(
                d, events, patience_ends, tickets, teams, lines, ends, queues, watches, work,
                timeline, visits, i,
            )  # fmt: skip
        refresh(d, events, teams, i)


@compiled
def _is_full(
    d: Any, events: Any, patience_ends: Any, expiries: Any, teams: Any, luck: Any, timeline: Any,
   visits: Any, ratings: Any, staffing: Any,
) -> bool:  # fmt: skip
    """True if the next event may need more room than there is, or more luck of agents."""
    room = 3 * d.queued + ROOM
    if (
        d.timeline + room > timeline.size
        or d.visits + room > visits.size
        or d.events + room > events.size
        or d.ratings + ROOM > ratings.size
        or d.staffing + 2 * teams.size + ROOM > staffing.size
        or d.patience_ends + ROOM > patience_ends.size
        or d.expiries + ROOM > expiries.size
    ):
        return True
    if d.comes:
        for team in teams:
            used = max(team.leavings, team.returnings, team.touched) + 1
            if max(used, team.going_home + d.most_heads) >= luck.shape[2]:
                return True
    return False


@compiled
def _open(d: Any, tickets: Any) -> None:
    """The opening backlog is there; simulation._arrivals waits for the first to come."""
    if d.arrived < tickets.size:
        d.arrival_key = NORMAL + d.seq
        d.seq += 1
    # SimPy's own event at the horizon.
    d.stop_key = d.seq
    d.seq += 1


@compiled
def _close(d: Any, tickets: Any, lines: Any, ends: Any, timeline: Any, visits: Any) -> None:
    """AgentPools.close."""
    d.now = d.horizon
    for line in range(lines.size):
        i = head(d, tickets, ends, line)
        while i >= 0:
            unlink(d, tickets, lines, ends, i)
            if tickets[i].deadline_s < d.horizon:
                abandon(d, tickets, lines, timeline, visits, i)
            else:
                visit_row(d, visits, i, -1, HANDLE, tickets[i].queued_s, nan, nan, STILL_OPEN)
            i = head(d, tickets, ends, line)


def _whole(code: int) -> Callable[..., int]:
    """The machine, compiled when first called and kept on disk.

    numba looks whether this file has changed, and not those that it uses: so their digest is a
    part of what is compiled.
    """

    def play(
        numbers: Any, events: Any, patience_ends: Any, expiries: Any, tickets: Any, teams: Any,
        lines: Any, ends: Any, queues: Any, able: Any, skilled: Any, stages: Any, watches: Any,
        opening: Any, changes: Any, changes_to: Any, luck: Any, work: Any, wrap_up: Any,
        solves: Any, delays: Any, choices: Any, timeline: Any, visits: Any, ratings: Any,
        staffing: Any,
    ) -> int:  # fmt: skip
        """Play on until the horizon, or until a table, a heap or the luck of agents is used up.

        Returns FINISHED or GROW; all that it keeps in between is in the columns.
        """
        d = numbers[0]
        d.code = code
        while True:
            if _is_full(
                d, events, patience_ends, expiries, teams, luck, timeline, visits, ratings, staffing
            ):
                return GROW
            if d.opened < opening.size:
                d.opened += 1
                come(
                    d, events, patience_ends, expiries, tickets, teams, lines, ends, able, skilled,
                    stages, watches, work, choices, timeline, visits, opening[d.opened - 1],
                )  # fmt: skip
                continue
            if d.stop_key < 0:
                _open(d, tickets)
            time, key, which = inf, 0, 0
            if d.changed < changes.size:
                # They were scheduled before all others.
                time, key, which = changes[d.changed].time, d.changed, 1
            if d.events > 0:
                time_2, key_2 = events[0].time, events[0].key
                if which == 0 or time_2 < time or (time_2 == time and key_2 < key):
                    time, key, which = time_2, key_2, 2
            if d.arrived < tickets.size:
                time_3 = tickets[d.arrived].arrived_s
                if which == 0 or time_3 < time or (time_3 == time and d.arrival_key < key):
                    time, key, which = time_3, d.arrival_key, 3
            if which == 0 or time > d.horizon or (time == d.horizon and key > d.stop_key):
                break
            d.now = time
            if which == 1:
                _change(
                    d, events, patience_ends, tickets, teams, lines, ends, queues, watches, changes,
                    changes_to, luck, work, timeline, visits, staffing,
                )  # fmt: skip
            elif which == 2:
                _happen(
                    d, events, patience_ends, expiries, tickets, teams, lines, ends, queues, able,
                    skilled, stages, watches, luck, work, wrap_up, solves, delays, choices,
                    timeline, visits, ratings, staffing,
                )  # fmt: skip
            else:
                d.arrived += 1
                come(
                    d, events, patience_ends, expiries, tickets, teams, lines, ends, able, skilled,
                    stages, watches, work, choices, timeline, visits, d.arrived - 1,
                )  # fmt: skip
                if d.arrived < tickets.size:
                    d.arrival_key = NORMAL + d.seq
                    d.seq += 1
        _close(d, tickets, lines, ends, timeline, visits)
        return FINISHED

    try:
        return cast(Callable[..., int], njit(cache=True, error_model="numpy")(play))
    except RuntimeError:
        # There is no folder to keep it in.
        return cast(Callable[..., int], njit(error_model="numpy")(play))


def _digest() -> int:
    total = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        total = crc32(path.read_bytes(), total)
    return total


play = _whole(_digest())
