"""Agents told apart, compiled: `twin.desk.individuals` says why and how.

Its heaps of free agents are a look at all agents of the team here: they are few, and rows beside
each other.
"""

from __future__ import annotations

from math import inf, nan
from typing import Any

from twin.desk.compiled.columns import (
    ALARM,
    END,
    IN_ORDER,
    KIND,
    LEAST_LOADED,
    ORDINAL,
    RANDOM,
    WRAPPED_UP,
)  # fmt: skip
from twin.desk.compiled.heap import compiled
from twin.desk.compiled.rows import begun, schedule
from twin.desk.compiled.tables import (
    agent_choices,
    agents,
    hands,
    number_of,
    speeds,
    teams,
    tickets,
)  # fmt: skip
from twin.records.tables import WRAP_UP


@compiled
def _is_free(d: Any, a: int, most: int) -> bool:
    """Crew.is_free, of a ticket of one place."""
    one = agents(d)[a]
    return bool(one.on_shift and not one.leaving and one.in_hand < most)


@compiled
def _comes_before(d: Any, a: int, b: int) -> bool:
    """True if an agent is chosen before one of a smaller number."""
    one, other = agents(d)[a], agents(d)[b]
    if d.choice == IN_ORDER:
        return False
    if d.choice == LEAST_LOADED and one.in_hand != other.in_hand:
        return bool(one.in_hand < other.in_hand)
    return bool(one.since_s < other.since_s)


@compiled
def next_agent(d: Any, k: int, i: int) -> int:
    """Crew._next: the agent who takes a visit; there is one with a free place."""
    team, visit = teams(d)[k], tickets(d)[i]
    if d.choice == RANDOM:
        free = 0
        for a in range(team.agents_from, team.agents_to):
            free += _is_free(d, a, team.most)
        left = int(number_of(agent_choices(d)[visit.activity, visit.returns], i) * free)
        for a in range(team.agents_from, team.agents_to):
            if _is_free(d, a, team.most):
                if left == 0:
                    return int(a)
                left -= 1
    best = -1
    for a in range(team.agents_from, team.agents_to):
        if _is_free(d, a, team.most) and (best < 0 or _comes_before(d, a, best)):
            best = a
    return int(best)


@compiled
def idle_before(d: Any, k: int, other: int) -> bool:
    """True if an agent of a team has fewer in hand, or is idle longer, than all of another one."""
    a, b = _idlest(d, k), _idlest(d, other)
    if b < 0 or a < 0:
        return False
    one, two = agents(d)[a], agents(d)[b]
    if one.in_hand != two.in_hand:
        return bool(one.in_hand < two.in_hand)
    return bool(one.since_s < two.since_s)


@compiled
def _idlest(d: Any, k: int) -> int:
    """Crew.idle_since, as the agent of whom it is."""
    team, best = teams(d)[k], -1
    for a in range(team.agents_from, team.agents_to):
        if not _is_free(d, a, team.most):
            continue
        one = agents(d)[a]
        if best >= 0:
            least = agents(d)[best]
            fewer = one.in_hand < least.in_hand
            if not fewer and not (one.in_hand == least.in_hand and one.since_s < least.since_s):
                continue
        best = a
    return int(best)


@compiled
def ends_s(d: Any, k: int, a: int, work_s: float) -> float:
    """End of a visit that an agent takes now, as far as it is known when it begins."""
    if not teams(d)[k].steady:
        return inf
    return float(d.now + work_s / speeds(d)[k, agents(d)[a].in_hand + 1])


@compiled
def takes(d: Any, k: int, i: int, work_s: float) -> None:
    """Crew.take, when the visit is written down."""
    team, a = teams(d)[k], tickets(d)[i].agent
    one = agents(d)[a]
    team.busy += 1
    team.took += 1
    one.latest = team.took
    hand = hands(d)[a, one.in_hand]
    hand.ticket = i
    hand.row = tickets(d)[i].row
    hand.activity = tickets(d)[i].activity
    one.in_hand += 1
    _changed(d, a, one.in_hand - 1, work_s)


@compiled
def place_of(d: Any, a: int, row: int) -> int:
    """The place of a visit among those that an agent has in hand."""
    place = 0
    while hands(d)[a, place].row != row:
        place += 1
    return place


@compiled
def drop(d: Any, a: int, place: int) -> None:
    """Crew._drop."""
    one = agents(d)[a]
    for k in range(place, one.in_hand - 1):
        hand, next_ = hands(d)[a, k], hands(d)[a, k + 1]
        hand.ends_s = next_.ends_s
        hand.ticket = next_.ticket
        hand.row = next_.row
        hand.activity = next_.activity
    one.in_hand -= 1
    if not one.leaving:
        teams(d)[one.team].busy -= 1
    _changed(d, a, -1, 0.0)


@compiled
def _changed(d: Any, a: int, new: int, work_s: float) -> None:
    """Crew._changed."""
    one = agents(d)[a]
    one.since_s = d.now
    before, rate = one.rate, speeds(d)[one.team, one.in_hand]
    one.rate = rate
    if rate != before:
        for place in range(one.in_hand):
            if place != new:
                hand = hands(d)[a, place]
                hand.ends_s = d.now + (hand.ends_s - d.now) * before / rate
    if new >= 0:
        hands(d)[a, new].ends_s = d.now + work_s / rate
    if not teams(d)[one.team].steady:
        _set_alarm(d, a)
    elif new >= 0:
        i = hands(d)[a, new].ticket
        who = (END << KIND) + (tickets(d)[i].ordinal << ORDINAL) + i
        schedule(d, hands(d)[a, new].ends_s, 0, who)


@compiled
def _set_alarm(d: Any, a: int) -> None:
    """Crew._set_alarm."""
    one = agents(d)[a]
    one.alarm_key = -1
    if one.in_hand == 0:
        return
    first = 0
    for place in range(1, one.in_hand):
        if hands(d)[a, place].ends_s < hands(d)[a, first].ends_s:
            first = place
    one.alarm_key = d.seq
    one.alarm_row = hands(d)[a, first].row
    schedule(d, hands(d)[a, first].ends_s, 0, (ALARM << KIND) + a)


@compiled
def wraps_up(d: Any, k: int, a: int, place: int, lasts_s: float) -> None:
    """Crew._done, where after-contact work follows: it stays in hand."""
    hand = hands(d)[a, place]
    ends = d.now + lasts_s / agents(d)[a].rate
    steady = teams(d)[k].steady
    row = d.visits
    known_s = ends if steady else inf
    begun(d, hand.ticket, teams(d)[k].pool, WRAP_UP, nan, known_s, agents(d)[a].number)
    hand.row = row
    hand.activity = WRAP_UP
    hand.ends_s = ends
    if steady:
        schedule(d, ends, 0, (WRAPPED_UP << KIND) + (a << ORDINAL) + row)
    else:
        _set_alarm(d, a)


@compiled
def stays(d: Any, a: int) -> None:
    """Crew._stays."""
    one = agents(d)[a]
    team = teams(d)[one.team]
    one.leaving = 0
    team.going -= 1
    team.staffed += team.most
    team.busy += one.in_hand


@compiled
def is_to_go(d: Any, a: int) -> None:
    """Crew._is_to_go."""
    one = agents(d)[a]
    team = teams(d)[one.team]
    team.left += 1
    one.left = team.left
    one.leaving = 1
    team.going += 1
    team.staffed -= team.most
    team.busy -= one.in_hand


@compiled
def goes(d: Any, a: int) -> None:
    """Crew._goes."""
    one = agents(d)[a]
    one.on_shift = 0
    one.leaving = 0
    teams(d)[one.team].going -= 1


@compiled
def goes_home(d: Any, a: int) -> None:
    """Crew._goes_home."""
    if not agents(d)[a].leaving:
        team, first = teams(d)[agents(d)[a].team], -1
        for b in range(team.agents_from, team.agents_to):
            one = agents(d)[b]
            if one.leaving and (first < 0 or one.left < agents(d)[first].left):
                first = b
        stays(d, first)
        is_to_go(d, a)
    goes(d, a)


@compiled
def may_stop(d: Any, a: int, place: int) -> bool:
    """Crew._may_stop."""
    hand = hands(d)[a, place]
    return bool(hand.activity != WRAP_UP and hand.ends_s > d.now)


@compiled
def _goes_before(d: Any, k: int, a: int, b: int) -> bool:
    """True if an agent is first to go, of two: Crew._first_to_go."""
    one, other = agents(d)[a], agents(d)[b]
    if one.in_hand == 0 or other.in_hand == 0:
        if one.in_hand == 0 and other.in_hand == 0:
            return a > b
        return bool(one.in_hand == 0)
    if teams(d)[k].stops:
        must_stay, other_must = False, False
        for place in range(one.in_hand):
            must_stay = must_stay or not may_stop(d, a, place)
        for place in range(other.in_hand):
            other_must = other_must or not may_stop(d, b, place)
        if must_stay != other_must:
            return other_must
    if one.in_hand != other.in_hand:
        return bool(one.in_hand < other.in_hand)
    return bool(one.latest > other.latest)


@compiled
def change(d: Any, k: int, heads: int) -> int:
    """Crew.change, but for those who go: `goes` says of each as how many-th; returns how many."""
    team, there = teams(d)[k], 0
    for a in range(team.agents_from, team.agents_to):
        agents(d)[a].goes = 0
        there += agents(d)[a].on_shift
    going = max(there - heads, 0)
    for number in range(going):
        first = -1
        for a in range(team.agents_from, team.agents_to):
            one = agents(d)[a]
            fits = one.on_shift and one.goes == 0
            if fits and (first < 0 or _goes_before(d, k, a, first)):
                first = a
        agents(d)[first].goes = number + 1
    for a in range(team.agents_from, team.agents_to):
        if agents(d)[a].leaving and agents(d)[a].goes == 0:
            stays(d, a)
    for _ in range(heads - there):
        a = team.agents_from
        while agents(d)[a].on_shift:
            a += 1
        agents(d)[a].on_shift = 1
        agents(d)[a].since_s = d.now
        team.staffed += team.most
    return going
