"""Ratings of customers, compiled: `twin.desk.lifecycle` and `customers`."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from twin.desk.compiled.heap import compiled
from twin.desk.compiled.rows import rating_row
from twin.desk.compiled.tables import rules, slots, tickets
from twin.desk.customers import BAND_FALL, BAND_MINUTES, COMMENTS, THRESHOLDS
from twin.records.tables import BY_AGENT

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
def _rating(d: Any, i: int, worker: int, solved: bool, right: bool) -> int:
    """Customers.rating."""
    ticket = tickets(d)[i]
    felt = ticket.opinion - d.weight_wait * fall_with_wait(ticket.responded_s - ticket.arrived_s)
    fall = d.weight_transfer * ticket.transfers + d.weight_reopened * ticket.reopens
    if ticket.transfers > 0 and worker == BY_AGENT and d.assistant and solved:
        fall *= 1.0 - rules(d)[ticket.truth].repair
    felt -= fall
    if not solved:
        felt -= d.weight_unsolved
    if not right:
        felt -= d.weight_wrong
    rating = 1
    for k in range(_THRESHOLDS.size):
        if _THRESHOLDS[k] <= felt:
            rating += 1
    return rating


@compiled
def collect_feedback(d: Any, i: int, worker: int, solved: bool, right: bool) -> None:
    """Lifecycle.collect_feedback."""
    rating = _rating(d, i, worker, solved, right)
    model = version = -1
    if worker != BY_AGENT and d.assistant:
        slot = slots(d)[tickets(d)[i].signed]
        model = slot.name
        version = slot.version
    comment = (rating - 1) * _COMMENTS + tickets(d)[i].comment
    rating_row(d, i, rating, model, version, comment)
