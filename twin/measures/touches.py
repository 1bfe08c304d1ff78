"""Figures of touches and waits, and of tickets in hand: there only on desks that have these.

A real desk's history has those of waits where its statuses tell them.
"""

from __future__ import annotations

import math

import numpy as np

from twin.measures.figure import MEAN, RATIO, figure
from twin.measures.population import Population
from twin.measures.rows import Row, Rows
from twin.records import tables

_TOUCHES = (tables.ACTIVITIES[tables.HANDLE], tables.ACTIVITIES[tables.FOLLOW_UP])
_OTHERS = (tables.STATUSES[tables.WAITING_FOR_CUSTOMER], tables.STATUSES[tables.ON_HOLD])


def _tells_waits(run: Population) -> bool:
    """True where others than the agents may have a ticket, and in a history where they had."""
    if run.scenario.touches is not None or run.scenario.workflow is not None:
        return True
    # A run holds all facts, and knows no waits without touches.
    if not run.log.unknown:
        return False
    timeline = run.log.arrays("timeline")
    return run.totals.ever(("waits",), timeline.among("status", _OTHERS))


@figure("s", "lower", "resolved tickets", MEAN)
def resolution_less_waits_mean(run: Population) -> Rows:
    """Mean time from arrival to last resolution, less the time that others had the ticket.

    Left out is the time in Waiting for customer and On hold. Only with a section touches or
    workflow, or in a history whose statuses tell such waits.
    """
    if not _tells_waits(run):
        return []
    others_s = run.spent_in(*_OTHERS)
    return run.split(run.resolved_s - run.arrived_s - others_s)


@figure("share", "", "resolved tickets", RATIO, main="Speed")
def waiting_share(run: Population) -> Rows:
    """Share of the time from arrival to last resolution that tickets waited for the customer.

    Over resolved tickets; not in it is time on hold for a third party. Only with a section touches
    or workflow, or in a history whose statuses tell such waits.
    """
    if not _tells_waits(run):
        return []
    waiting_s = run.spent_in(tables.STATUSES[tables.WAITING_FOR_CUSTOMER])
    spent_s = np.nan_to_num(run.resolved_s - run.arrived_s)
    return [run.row(np.where(run.resolved, waiting_s, 0.0), spent_s)]


@figure("touches", "", "resolved tickets", MEAN, main="People")
def touches_mean(run: Population) -> Rows:
    """Touches of agents a ticket: spells of work to answer or to follow up, over resolved tickets.

    Only with a section touches or workflow, or with transfers from pool to pool.
    """
    desk = run.scenario
    passed_on = any(pool.transfers_to for pool in desk.agents.values())
    if desk.touches is None and desk.workflow is None and not passed_on:
        return []
    visits = run.visits
    done = visits.at(visits.among("activity", _TOUCHES) & visits.among("end", ["done"]))
    count = run.by_ticket(done)
    return [run.row(np.where(run.resolved, count, 0.0), run.resolved)]


@figure("share", "", "resolved tickets", RATIO)
def unanswered_share(run: Population) -> Rows:
    """Share resolved automatically because the customer did not reply, over resolved tickets.

    Only with a section touches.
    """
    if run.scenario.touches is None:
        return []
    automatic = run.tickets.among("resolved_by", [tables.WORKERS[tables.AUTOMATIC]])
    return [run.row(automatic & run.resolved, run.resolved)]


@figure("tickets", "", "staffed time after warm-up", RATIO)
def concurrency_mean(run: Population) -> Rows:
    """Tickets that a busy agent has in hand on average, in all and by pool.

    Over the time in which agents are busy, past the end of shifts, too; wrap-up is in hand. A
    ticket counts as one, also where it takes several places (agents.POOL.weights). Only with pools
    whose concurrency is above 1.
    """
    rows = []
    for p in run.pools:
        if run.scenario.agents[p.pool].concurrency > 1:
            in_hand = run.area("in hand", p.pool)
            rows.append(Row(p.pool, in_hand, p.busy))
    if not rows:
        return []
    over = math.fsum(row.numerator for row in rows)
    return [Row("", over, math.fsum(row.denominator for row in rows)), *rows]


@figure("share", "", "returns to agents", RATIO)
def same_agent_share(run: Population) -> Rows:
    """Share of returns that the same agent took as before, over returns that an agent took.

    A return is a touch of a ticket, to answer or to follow up, that joined the queue after an agent
    was done with the one before: a further touch, or a ticket that is reopened. Only where agents
    are told apart.
    """
    if not any(map(run.scenario.told_apart, run.scenario.agents.values())):
        return []
    visits = run.visits
    touches = visits.at(visits.among("activity", _TOUCHES) & visits.known("started_s"))
    touches = touches.at(np.lexsort((touches["started_s"], touches["ticket_id"])))
    # Each with the touch before it in the list; the first one has none.
    places = np.arange(len(touches))
    after, before = touches.at(places[1:]), touches.at(places[:-1])
    again = (after["ticket_id"] == before["ticket_id"]) & before.among("end", ["done"])
    # What is passed on, or handed over, joins the queue at once.
    again &= (after["queued_s"] > before["ended_s"]) & after.known("agent")
    same = (after["agent"] == before["agent"]) & (after.codes("pool")[0] == before.codes("pool")[0])
    return [run.row(again & same, again, of=after)]
