"""A live desk's store as customers and agents of `tests.benchmarks.live_people` would fill it.

Played here by a plain loop, without any of the twin's code, so that its truth is known: agents
whose look at the queue finds nobody look again after a time of their own, and work it off
otherwise.
"""

import heapq
import math
import random

from sqlalchemy import insert

from twin.live import tables
from twin.live.store import Store

BEGAN = 1_772_442_000.0  # Monday 2 March 2026, 09:00 UTC


def played(seed, seconds, *, rate=3.2, agents=12, handle_s=2.0, cv=0.6, look_s=8.0, share=0.25):
    """Tickets in order: came, by whom (0: the assistant), taken, over; seconds."""
    luck = random.Random(seed)
    spread = math.log(1 + cv * cv)
    middle = math.log(handle_s) - spread / 2
    waiting, found, coming = [], [], []
    at = luck.expovariate(rate)
    while at < seconds:
        coming.append(at)
        at += luck.expovariate(rate)
    looks = [(luck.expovariate(1 / look_s), k + 1) for k in range(agents)]
    heapq.heapify(looks)
    for came in [*coming, seconds]:
        while looks[0][0] < came:
            now, who = heapq.heappop(looks)
            if waiting:
                first = waiting.pop(0)
                over = now + luck.lognormvariate(middle, math.sqrt(spread))
                found.append((first, who, now, over))
                heapq.heappush(looks, (over, who))
            else:
                heapq.heappush(looks, (now + luck.expovariate(1 / look_s), who))
        if came < seconds:
            if luck.random() < share:
                found.append((came, 0, came + 0.02, came + 0.02))
            else:
                waiting.append(came + 0.01)
    found += [(one, None, None, None) for one in waiting]
    return sorted(found, key=lambda row: row[0])


def responses(tickets, began, ended):
    """First response times of the tickets of a stretch, as known at its end."""
    return [
        taken - came for came, _, taken, _ in tickets
        if began <= came < ended and taken is not None and taken < ended
    ]  # fmt: skip


def store_of(path, tickets, seconds):
    """A store of such tickets, as it is after so many seconds."""
    rows, changes = [], []
    for k, (came, who, taken, over) in enumerate(tickets):
        moments = [("Open", came, "customer")]
        if who == 0:
            moments.append(("Waiting for customer", taken, "assistant"))
        else:
            moments.append(("Escalated", came, "assistant"))
            if taken is not None and taken < seconds:
                moments.append(("In Progress", taken, "agent"))
                if over < seconds:
                    moments.append(("Resolved", over, "agent"))
        status, ends = moments[-1][0], moments[-1][1]
        answered = status in ("Waiting for customer", "Resolved")
        by = None if not answered else "assistant" if who == 0 else "agent"
        rows.append({
            "id": k + 1, "origin": "live", "received_at": BEGAN + came, "description": f"{k}",
            "digest": "", "priority": "normal", "model": "m", "use_rag": False, "status": status,
            "category": "Login", "articles": "[]", "prompt_version": "1", "reopens": 0,
            "responded_at": BEGAN + taken if len(moments) > 2 or who == 0 else None,
            "resolved_at": BEGAN + ends if status == "Resolved" else None,
            "answered_at": BEGAN + ends if answered else None, "answered_by": by,
            "resolved_by": by if status == "Resolved" else None,
            "assignee": f"agent {who}" if who and len(moments) > 2 else "",
        })  # fmt: skip
        changes += [
            {"ticket_id": k + 1, "at": BEGAN + at, "status": name, "by": one}
            for name, at, one in moments
        ]
    store = Store(str(path))
    with store.database.writing() as connection:
        connection.execute(insert(tables.tickets), rows)
        connection.execute(insert(tables.changes), changes)
    store.close()
