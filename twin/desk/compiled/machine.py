"""The desk as one machine over columns, which numba compiles: same events, order and arithmetic.

It goes from event to event as the SimPy desk does. `twin.desk.lifecycle`, `agents`, `availability`,
`waiting` and `provider` are where the rules are explained; each function names the one that it
repeats. What it does not know, `twin.desk.compiled.coverage` keeps away.
"""

from __future__ import annotations

from math import inf, nan
from typing import Any

from twin.desk.compiled.columns import (
    AGAIN,
    ALARM,
    ASK,
    ASKS,
    BACK,
    CALL,
    CLOSE,
    END,
    ENDED,
    FINISHED,
    FREE,
    GIVE_UP,
    GROW,
    HEARD,
    KIND,
    MORE,
    NORMAL,
    ORDERED,
    ORDINAL,
    ORDINALS,
    OVERFLOW,
    READY,
    REPLIED,
    REPLY,
    RETRY,
    ROOM,
    STAGE_OF,
    STATUSES,
    TICKET_OF,
    TOUCHED_BY,
    TRY_AGAIN,
    VISIT,
    WRAPPED_UP,
)  # fmt: skip
from twin.desk.compiled.coming import change, refresh, settle, wake
from twin.desk.compiled.crew import place_of
from twin.desk.compiled.heap import compiled, drop_first
from twin.desk.compiled.life import (
    ask_model,
    begin,
    done,
    heard,
    reopen,
    replied,
    resolve_unanswered,
)  # fmt: skip
from twin.desk.compiled.lines import abandon, head, unlink
from twin.desk.compiled.ordering import put_in_order
from twin.desk.compiled.provider import free_connection, has_ended, send
from twin.desk.compiled.rows import never_served
from twin.desk.compiled.serving import (
    end_visit,
    fill,
    give_up,
    go_on,
    has_wrapped_up,
    overflow,
    release,
    try_again,
    visit_agents,
)  # fmt: skip
from twin.desk.compiled.statuses import live_on, ready
from twin.desk.compiled.stopping import change_crew, stop_work
from twin.desk.compiled.tables import (
    agents,
    agents_luck,
    calls,
    changes,
    changes_to,
    events,
    expiries,
    hands,
    lines,
    opening,
    patience_ends,
    ratings,
    staffing,
    teams,
    tickets,
    timeline,
    visits,
)  # fmt: skip
from twin.records.tables import STILL_OPEN, WRAP_UP

_STAGES = (1 << (KIND - STAGE_OF)) - 1
_AGENTS = (1 << (KIND - ORDINAL)) - 1


@compiled
def _change(d: Any) -> None:
    """AgentPools._change: heads of all teams that change now."""
    if d.comes:
        settle(d)
    for row in range(changes(d)[d.changed].first, changes(d)[d.changed].to):
        k, heads = changes_to(d)[row, 0], changes_to(d)[row, 1]
        if teams(d)[k].comes:
            change(d, k, heads)
        elif teams(d)[k].crew:
            change_crew(d, k, heads)
        else:
            teams(d)[k].staffed = heads
        if teams(d)[k].stops:
            stop_work(d, k)
    d.changed += 1
    for k in range(teams(d).size):
        fill(d, k)
    for k in range(teams(d).size):
        if teams(d)[k].comes:
            refresh(d, k)


@compiled
def ring(d: Any, a: int, key: int) -> None:
    """Crew._ring: an agent has ended what is first to end, if that is still so."""
    if agents(d)[a].alarm_key != key:
        return
    row = agents(d)[a].alarm_row
    hand = hands(d)[a, place_of(d, a, row)]
    if hand.activity == WRAP_UP:
        has_wrapped_up(d, a, row)
    else:
        i = hand.ticket
        end_visit(d, i)
        done(d, i)


@compiled
def _happen(d: Any) -> None:
    """The first event of the heap."""
    key, who = events(d)[0].key, events(d)[0].who
    drop_first(events(d), d.events)
    d.events -= 1
    kind, i = who >> KIND, who & TICKET_OF
    ordinal = (who >> ORDINAL) & ORDINALS
    if kind == END:
        # Of work that was stopped nothing ends now.
        if tickets(d)[i].ordinal == ordinal:
            end_visit(d, i)
            done(d, i)
    elif kind == FREE:
        release(d, i)
    elif kind == WRAPPED_UP:
        has_wrapped_up(d, who >> ORDINAL & _AGENTS, i)
    elif kind == ALARM:
        ring(d, i, key)
    elif kind == BACK:
        reopen(d, i)
    elif kind == OVERFLOW:
        overflow(d, (who >> STAGE_OF) & _STAGES, ordinal, i)
    elif kind == GIVE_UP:
        give_up(d, ordinal, i)
    elif kind == TRY_AGAIN:
        try_again(d, i)
    elif kind == REPLY:
        replied(d, i)
    elif kind == CLOSE:
        resolve_unanswered(d, i)
    elif kind == READY:
        if tickets(d)[i].to_work:
            ready(d, i)
        else:
            go_on(d, i, STATUSES)
    elif kind == CALL:
        free_connection(d, i)
        go_on(d, i, ENDED)
    elif kind == AGAIN:
        send(d, i)
    elif kind == RETRY:
        tickets(d)[i].model = 0
        go_on(d, i, ASK)
    elif teams(d)[i].event_key == key:
        if wake(d, i):
            fill(d, i)
        refresh(d, i)


@compiled
def _goes_on(d: Any) -> None:
    """Go on with a ticket, at the end of an event or when what it needs is there."""
    i = d.pending
    d.pending = -1
    if d.resume == VISIT:
        visit_agents(d, i)
    elif d.resume == ASK:
        ask_model(d, i)
    elif d.resume == ENDED:
        if has_ended(d, i):
            go_on(d, i, HEARD)
    elif d.resume == HEARD:
        heard(d, i)
    elif d.resume == TOUCHED_BY:
        done(d, i)
    elif d.resume == STATUSES:
        live_on(d, i)
    elif d.resume == REPLIED:
        replied(d, i)
    else:
        reopen(d, i)


@compiled
def _is_full(d: Any) -> bool:
    """True if the next event may need more room than there is, or more luck of agents."""
    may_wait = d.queued + d.places
    if d.stops:
        for team in teams(d):
            may_wait += team.busy
    room = (3 + d.most_stages) * may_wait + d.most_stages + ROOM
    d.room = room
    if (
        d.timeline + room > timeline(d).size
        or d.visits + room > visits(d).size
        or d.events + room > events(d).size
        or d.calls + ROOM > calls(d).size
        or d.ratings + ROOM > ratings(d).size
        or d.staffing + 2 * teams(d).size + ROOM > staffing(d).size
        or d.patience_ends + ROOM > patience_ends(d).size
        or d.expiries + ROOM > expiries(d).size
    ):
        return True
    if d.comes:
        for team in teams(d):
            used = max(team.leavings, team.returnings, team.touched) + 1
            if max(used, team.going_home + d.most_heads) >= agents_luck(d).shape[2]:
                return True
    return False


@compiled
def _open(d: Any) -> None:
    """The opening backlog is there; simulation._arrivals waits for the first to come."""
    if d.arrived < tickets(d).size:
        d.arrival_key = NORMAL + d.seq
        d.seq += 1
    # SimPy's own event at the horizon.
    d.stop_key = d.seq
    d.seq += 1


@compiled
def _has_come(d: Any) -> None:
    """simulation._arrivals goes on to the next ticket."""
    d.came = 0
    if d.arrived < tickets(d).size:
        d.arrival_key = NORMAL + d.seq
        d.seq += 1


@compiled
def _next(d: Any) -> bool:
    """The next thing that happens; False where nothing does before the horizon."""
    time, key, which = inf, 0, 0
    if d.changed < changes(d).size:
        # They were scheduled before all others.
        time, key, which = changes(d)[d.changed].time, d.changed, 1
    if d.events > 0:
        time_2, key_2 = events(d)[0].time, events(d)[0].key
        if which == 0 or time_2 < time or (time_2 == time and key_2 < key):
            time, key, which = time_2, key_2, 2
    if d.arrived < tickets(d).size:
        time_3 = tickets(d)[d.arrived].arrived_s
        if which == 0 or time_3 < time or (time_3 == time and d.arrival_key < key):
            time, key, which = time_3, d.arrival_key, 3
    if which == 0 or time > d.horizon or (time == d.horizon and key > d.stop_key):
        return False
    d.now = time
    if which == 1:
        _change(d)
    elif which == 2:
        _happen(d)
    else:
        d.arrived += 1
        d.came = 1
        begin(d, d.arrived - 1)
    return True


@compiled
def _close(d: Any) -> None:
    """AgentPools.close."""
    d.now = d.horizon
    for line in range(lines(d).size):
        i = head(d, line)
        while i >= 0:
            unlink(d, i)
            if tickets(d)[i].deadline_s < d.horizon:
                abandon(d, i)
            else:
                never_served(d, i, nan, STILL_OPEN)
            i = head(d, line)


def play(d: Any) -> int:
    """Play on until the horizon, or until something is used up or missing.

    Returns FINISHED, GROW, ASKS, or MORE where the next ticket is of a block to come; all that it
    keeps in between is in the tables. Called again at the end with `ordering`, it puts the timeline
    in order, and returns ORDERED if it could. The function to call is that of
    `twin.desk.compiled.code`, which compiles this one.
    """
    if d.ordering:
        return ORDERED if put_in_order(d) else FINISHED
    while True:
        if _is_full(d):
            return GROW
        if d.pending < 0:
            if d.came:
                if d.more and d.arrived == tickets(d).size:
                    return MORE
                _has_come(d)
            if d.opened < opening(d).size:
                d.opened += 1
                begin(d, opening(d)[d.opened - 1])
            else:
                if d.stop_key < 0:
                    _open(d)
                if not _next(d):
                    break
        while d.pending >= 0 and d.asks_for < 0:
            _goes_on(d)
        if d.pending >= 0:
            return ASKS
    _close(d)
    return FINISHED
