"""An agent has answered, compiled: what follows, as `twin.desk.lifecycle` and `customers` say."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from twin.desk.compiled.columns import BACK, KIND, NORMAL
from twin.desk.compiled.heap import compiled
from twin.desk.compiled.rows import schedule, status_row
from twin.desk.customers import BAND_FALL, BAND_MINUTES, COMMENTS, THRESHOLDS
from twin.records.tables import CLOSED, RESOLVED

_MINUTES = np.array(BAND_MINUTES)
_FALL = np.array(BAND_FALL)
_LOG_MINUTES = np.array([log(minutes) for minutes in BAND_MINUTES])
_THRESHOLDS = np.array(THRESHOLDS)
_COMMENTS = len(COMMENTS[0])


@compiled
def fall_with_wait(response_s: float) -> float:
    """As `twin.desk.customers.fall_with_wait`."""
    if response_s <= _MINUTES[0] * 60:
        return float(_FALL[0])
    if response_s >= _MINUTES[-1] * 60:
        return float(_FALL[-1])
    x = log(response_s / 60)
    k = 0
    while k < _LOG_MINUTES.size and _LOG_MINUTES[k] <= x:
        k += 1
    share = (x - _LOG_MINUTES[k - 1]) / (_LOG_MINUTES[k] - _LOG_MINUTES[k - 1])
    return float(_FALL[k - 1] + share * (_FALL[k] - _FALL[k - 1]))


@compiled
def feedback(
    d: Any, tickets: Any, ratings: Any, i: int, solved: bool, response_s: float, reopens: int
) -> None:
    """Lifecycle.collect_feedback and Customers.rating, of an agent's answer."""
    felt = tickets[i].opinion - d.weight_wait * fall_with_wait(response_s)
    felt -= d.weight_reopened * reopens
    if not solved:
        felt -= d.weight_unsolved
    rating = 1
    for k in range(_THRESHOLDS.size):
        if _THRESHOLDS[k] <= felt:
            rating += 1
    row = ratings[d.ratings]
    row.ticket = i
    row.when = d.now
    row.rating = rating
    row.model = -1
    row.version = -1
    row.feedback = (rating - 1) * _COMMENTS + tickets[i].comment
    d.ratings += 1


@compiled
def answered(
    d: Any, events: Any, tickets: Any, solves: Any, delays: Any, timeline: Any, ratings: Any, i: int
) -> None:
    """Lifecycle.update_status, after an agent's touch."""
    tickets[i].resolved_s = d.now
    status_row(d, timeline, i, d.now, RESOLVED)
    visit = tickets[i].reopens
    solves_it = solves[visit, i] < d.solves
    tickets[i].solved = solves_it
    if not solves_it and visit < d.most_returns and delays[visit, i] >= 0.0:
        schedule(d, events, d.now + delays[visit, i], NORMAL, (BACK << KIND) + i)
        return
    if d.now + d.close_after < d.horizon:
        status_row(d, timeline, i, d.now + d.close_after, CLOSED)
    if tickets[i].surveyed:
        response_s = tickets[i].responded_s - tickets[i].arrived_s
        feedback(d, tickets, ratings, i, solves_it, response_s, visit)
