"""Work that stops at the end of a shift, compiled: see `twin.desk.agents` and `individuals`."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from twin.desk.compiled.columns import ORDINALS
from twin.desk.compiled.crew import change, drop, goes, is_to_go, may_stop, place_of
from twin.desk.compiled.heap import compiled
from twin.desk.compiled.lines import join, wait_in
from twin.desk.compiled.rows import stopped
from twin.desk.compiled.tables import agents, hands, routes, teams, tickets
from twin.records.tables import HANDED_OVER, HANDLE, PAUSED


@compiled
def leaves_work(d: Any, k: int, i: int) -> None:
    """Take a visit out of Team.in_work."""
    visit = tickets(d)[i]
    if visit.behind >= 0:
        tickets(d)[visit.behind].before = visit.before
    else:
        teams(d)[k].last = visit.before
    if visit.before >= 0:
        tickets(d)[visit.before].behind = visit.behind


@compiled
def stop_work(d: Any, k: int) -> None:
    """AgentPools._change, of a team: the agent who began last stops first."""
    i = teams(d)[k].last
    while i >= 0:
        before = tickets(d)[i].before
        if teams(d)[k].busy > teams(d)[k].staffed and tickets(d)[i].ends_s > d.now:
            _stop(d, k, i)
        i = before


@compiled
def _stop(d: Any, k: int, i: int) -> None:
    """AgentPools._stop, and Visit.rest."""
    visit, team = tickets(d)[i], teams(d)[k]
    stopped(d, visit.row, PAUSED if team.paused >= 0 else HANDED_OVER)
    if team.crew:
        a = visit.agent
        place = place_of(d, a, visit.row)
        # Crew.let_go
        visit.remaining_s = (hands(d)[a, place].ends_s - d.now) * agents(d)[a].rate
        drop(d, a, place)
    else:
        visit.remaining_s = visit.ends_s - d.now
        team.busy -= 1
        leaves_work(d, k, i)
    if visit.activity == HANDLE and not visit.misrouted:
        visit.to = visit.truth
    visit.ordinal = (visit.ordinal + 1) & ORDINALS
    visit.deadline_s = inf
    visit.counted_out = 0
    if team.paused >= 0:
        visit.queued_s = nan
        visit.place = -inf
        wait_in(d, team.paused, i)
        return
    visit.queued_s = d.now
    visit.transfers += 1
    join(d, routes(d)[visit.channel, visit.to], i)


@compiled
def change_crew(d: Any, k: int, heads: int) -> None:
    """Crew.change and _send_home."""
    going = change(d, k, heads)
    team = teams(d)[k]
    for number in range(1, going + 1):
        for a in range(team.agents_from, team.agents_to):
            one = agents(d)[a]
            if one.goes == number:
                if one.leaving:
                    one.goes = 0
                else:
                    is_to_go(d, a)
    if team.stops:
        _stop_all(d, k)
    for a in range(team.agents_from, team.agents_to):
        if agents(d)[a].goes and agents(d)[a].in_hand == 0:
            goes(d, a)


@compiled
def _stop_all(d: Any, k: int) -> None:
    """Stop the work in hand of those who go; who began last stops first."""
    team, last = teams(d)[k], d.visits
    while True:
        row, who, place = -1, -1, -1
        for a in range(team.agents_from, team.agents_to):
            if agents(d)[a].goes:
                for one in range(agents(d)[a].in_hand):
                    if row < hands(d)[a, one].row < last:
                        row, who, place = hands(d)[a, one].row, a, one
        if who < 0:
            return
        last = row
        if may_stop(d, who, place):
            _stop(d, k, hands(d)[who, place].ticket)
