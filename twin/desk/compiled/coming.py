"""Agents who come and go, compiled: `twin.desk.availability` says why and how."""

from __future__ import annotations

from math import inf
from typing import Any

from twin.desk.compiled.columns import (
    GOING_HOME,
    KIND,
    LEAVING,
    ORDINAL,
    RETURNING,
    TICKET_OF,
    TOUCHED,
    WAKE,
)  # fmt: skip
from twin.desk.compiled.heap import compiled, drop_first
from twin.desk.compiled.rows import schedule, staffing_row
from twin.desk.compiled.tables import agents_luck, patience_ends, teams, tickets, watches


@compiled
def reckon(team: Any, moment: float) -> None:
    """Absence._reckon."""
    passed_s = moment - team.since_s
    team.to_leave -= team.leave_rate * passed_s
    team.to_return -= team.return_rate * passed_s
    team.since_s = moment


@compiled
def rate_of_returns(team: Any) -> float:
    """Absence._rate_of_returns."""
    rate: float = team.away * (team.returns + team.per_queued * team.queued)
    return rate


@compiled
def refresh(d: Any, k: int) -> None:
    """Absence.refresh."""
    team = teams(d)[k]
    free = team.staffed - team.busy
    leave_rate = team.while_idle * free if free > 0 else 0.0
    return_rate = rate_of_returns(team)
    same = leave_rate == team.leave_rate and return_rate == team.return_rate
    if same and team.event_key >= 0:
        return
    reckon(team, d.now)
    team.leave_rate = leave_rate
    team.return_rate = return_rate
    moment = inf
    if leave_rate != 0.0:
        moment = team.since_s + team.to_leave / leave_rate
    if return_rate != 0.0:
        moment = min(moment, team.since_s + team.to_return / return_rate)
    if moment < team.event_s:
        team.event_s = max(moment, team.since_s)
        team.event_key = d.seq
        schedule(d, team.event_s, 0, (WAKE << KIND) + k)


@compiled
def settle(d: Any) -> None:
    """ComingAndGoing.settle."""
    while d.patience_ends > 0 and patience_ends(d)[0].time <= d.now:
        first = patience_ends(d)[0]
        moment, ordinal, i = first.time, first.who >> ORDINAL, first.who & TICKET_OF
        drop_first(patience_ends(d), d.patience_ends)
        d.patience_ends -= 1
        line = tickets(d)[i].watched_in
        # It is of an older visit of the ticket, or nobody watches it any more.
        if tickets(d)[i].ordinal != ordinal or line < 0:
            continue
        for k in range(teams(d).size):
            if watches(d)[line, k]:
                reckon(teams(d)[k], moment)
                teams(d)[k].queued -= 1
                teams(d)[k].return_rate = rate_of_returns(teams(d)[k])
        tickets(d)[i].watched_in = -1


@compiled
def _goes(d: Any, k: int) -> None:
    team = teams(d)[k]
    team.staffed -= 1
    team.away += 1
    staffing_row(d, team)


@compiled
def leaves_after_touch(d: Any, k: int) -> None:
    """Absence.after_touch."""
    team = teams(d)[k]
    leaves = agents_luck(d)[TOUCHED, k, team.touched] < team.after_touch
    team.touched += 1
    if leaves and team.busy - 1 + team.away < team.heads:
        _goes(d, k)


@compiled
def change(d: Any, k: int, heads: int) -> None:
    """Absence.change."""
    team = teams(d)[k]
    for before in range(team.heads, heads, -1):
        if agents_luck(d)[GOING_HOME, k, team.going_home] * before < team.away:
            team.away -= 1
        team.going_home += 1
    team.heads = heads
    team.staffed = heads - team.away
    staffing_row(d, team)


@compiled
def wake(d: Any, k: int) -> bool:
    """Absence._wake: an agent leaves, or one is back (True), who takes who waits."""
    team = teams(d)[k]
    team.event_key = -1
    team.event_s = inf
    settle(d)
    reckon(team, d.now)
    if team.return_rate != 0.0 and d.now + team.to_return / team.return_rate <= d.now:
        team.to_return = agents_luck(d)[RETURNING, k, team.returnings]
        team.returnings += 1
        team.away -= 1
        team.staffed += 1
        staffing_row(d, team)
        return True
    if team.leave_rate != 0.0 and d.now + team.to_leave / team.leave_rate <= d.now:
        team.to_leave = agents_luck(d)[LEAVING, k, team.leavings]
        team.leavings += 1
        _goes(d, k)
    return False
