"""Waits and transfers between the touches of a ticket, compiled: `twin.desk.touches`."""

from __future__ import annotations

from math import inf
from typing import Any

from twin.desk.compiled.clocks import after
from twin.desk.compiled.columns import CLOSE, KIND, REPLY, TOUCH, TOUCHED_BY
from twin.desk.compiled.heap import compiled
from twin.desk.compiled.rows import later, status_now
from twin.desk.compiled.serving import ask_for
from twin.desk.compiled.tables import number_of, passing, teams, tickets, touch_luck
from twin.records.tables import ON_HOLD, WAITING_FOR_CUSTOMER


@compiled
def touch_is_drawn(d: Any, i: int) -> bool:
    """True if the luck of what an agent's touch ends with is drawn; else it is asked for."""
    ticket = tickets(d)[i]
    ready = True
    if d.passes and touch_luck(d)[ticket.touched].transfer == 0:
        ready = False
    if d.touches and ticket.waited < d.most_waits and touch_luck(d)[ticket.waited].kind == 0:
        ready = False
    if not ready:
        ask_for(d, i, TOUCH, TOUCHED_BY)
    return ready


@compiled
def next_pool(d: Any, i: int) -> int:
    """Transfers.after_touch: the pool that a ticket goes on to; -1: to no other."""
    ticket = tickets(d)[i]
    team = teams(d)[ticket.taken_by]
    if team.to_from == team.to_to or ticket.passed >= d.most_passed:
        return -1
    u = number_of(touch_luck(d)[ticket.touched].transfer, i)
    ticket.touched += 1
    for k in range(team.to_from, team.to_to):
        if u < passing(d)[k].chance:
            ticket.passed += 1
            return int(passing(d)[k].pool)
    return -1


@compiled
def waits(d: Any, i: int) -> bool:
    """Waits.after_touch, and follow_up as far as the wait; False: the touch ends with an answer."""
    ticket = tickets(d)[i]
    if ticket.waited >= d.most_waits:
        return False
    luck = touch_luck(d)[ticket.waited]
    u = number_of(luck.kind, i)
    ticket.closes_s = inf
    if u < d.asks:
        ticket.waited += 1
        if d.closes:
            ticket.closes_s = d.now + number_of(luck.close_s, i)
        ticket.back_s = inf
        if not number_of(luck.never, i) < d.never:
            ticket.back_s = after(d, d.reply_from, d.reply_to, d.now, number_of(luck.reply_s, i))
        ticket.unanswered = number_of(luck.solved, i) < d.reply_solved
        status_now(d, i, WAITING_FOR_CUSTOMER)
    elif u < d.asks + d.holds:
        ticket.waited += 1
        ticket.back_s = after(d, d.hold_from, d.hold_to, d.now, number_of(luck.hold_s, i))
        status_now(d, i, ON_HOLD)
    else:
        return False
    ticket.late = not ticket.back_s <= ticket.closes_s
    if ticket.late:
        later(d, ticket.closes_s, (CLOSE << KIND) + i)
    else:
        later(d, ticket.back_s, (REPLY << KIND) + i)
    return True
