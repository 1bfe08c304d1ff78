"""Agents and groups in a log of status changes: same agent, hand-overs, tickets in hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.history.fit.estimate import Estimate, jackknife
from twin.history.fit.spells import Spells, final_statuses
from twin.stats.shares import wilson

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_FEWEST = 30
# An agent who takes next to nothing but final statuses is a program or a routine.
_ROUTINE = 0.9


@dataclass(frozen=True)
class Hands:
    """Agents and groups at work on tickets.

    Attributes
    ----------
    same_agent : dict of (int, int) to Estimate
        Chance that the agent who took a status takes the next one, too, by both.
    hand_overs : array of float, shape (g, g)
        Chance, by the group of a status, of the group of the ticket's next one; empty without
        groups.
    hand_over_counts : array of int, shape (g, g)
    estimates : tuple of Estimate
        Of the whole desk.
    """

    same_agent: dict[tuple[int, int], Estimate]
    hand_overs: Floats
    hand_over_counts: Ints
    estimates: tuple[Estimate, ...]


def fit_hands(spells: Spells, working: Mask) -> Hands:
    """Fit who works on tickets to a log with resources or groups.

    Parameters
    ----------
    spells : Spells
    working : array of bool
        By status: whether it is the desk's turn.
    """
    goes_on = ~np.r_[spells.first[1:], True] if len(spells) else np.zeros(0, dtype=np.bool_)
    here, there = np.flatnonzero(goes_on), np.flatnonzero(goes_on) + 1
    estimates: list[Estimate] = []
    same: dict[tuple[int, int], Estimate] = {}
    known = (spells.resource[here] >= 0) & (spells.resource[there] >= 0)
    if known.any():
        human = ~np.isin(spells.resource[there], _routines(spells))
        used = known & human
        kept = spells.resource[here] == spells.resource[there]
        if used.any():
            estimates.append(_share("workflow.same_agent", kept[used]))
        steps = np.stack([spells.status[here], spells.status[there]], axis=1)[used]
        for status, other in np.unique(steps, axis=0).tolist() if used.any() else ():
            mine = (steps == (status, other)).all(axis=1)
            if mine.sum() >= _FEWEST:
                names = f"{spells.names[status]}.next.{spells.names[other]}"
                key = f"workflow.statuses.{names}.same_agent"
                same[status, other] = _share(key, kept[used][mine])
    if (spells.resource >= 0).any() and (in_hand := _in_hand(spells, working)) is not None:
        estimates.append(in_hand)
    counts = np.zeros((0, 0), dtype=np.int64)
    grouped = (spells.group[here] >= 0) & (spells.group[there] >= 0)
    if grouped.any():
        size = int(spells.group.max()) + 1
        counts = np.zeros((size, size), dtype=np.int64)
        np.add.at(counts, (spells.group[here][grouped], spells.group[there][grouped]), 1)
        moved = spells.group[here][grouped] != spells.group[there][grouped]
        estimates.append(_share("workflow.hand_over", moved))
    chances = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Hands(same, chances, counts, tuple(estimates))


def _routines(spells: Spells) -> Ints:
    """Resources that take next to nothing but final statuses, such as a program that closes."""
    known = spells.resource >= 0
    size = int(spells.resource.max(initial=-1)) + 1
    n = np.bincount(spells.resource[known], minlength=size)
    last = known & final_statuses(spells)[spells.status]
    ends = np.bincount(spells.resource[last], minlength=size)
    return np.flatnonzero((n > 0) & (ends >= _ROUTINE * n))


def _share(key: str, values: Mask) -> Estimate:
    n, value = len(values), float(values.mean())
    method = "counted over status changes; the scenario has no place for it yet"
    return Estimate(key, value, "share", *wilson(value, n), n, method)


def _in_hand(spells: Spells, working: Mask) -> Estimate | None:
    """Tickets that an agent has in hand, on average over the time with any."""
    used = (spells.resource >= 0) & working[spells.status] & (spells.end_s > spells.start_s)
    used &= ~np.isin(spells.resource, _routines(spells))
    agents = np.unique(spells.resource[used])
    if len(agents) < 2:
        return None
    held, busy = np.zeros(len(agents)), np.zeros(len(agents))
    for k, agent in enumerate(agents.tolist()):
        mine = used & (spells.resource == agent)
        order = np.argsort(spells.start_s[mine], kind="stable")
        start_s, end_s = spells.start_s[mine][order], spells.end_s[mine][order]
        held[k] = (end_s - start_s).sum()
        reach = np.r_[start_s[0], np.maximum.accumulate(end_s)[:-1]]
        busy[k] = np.maximum(end_s - np.maximum(start_s, reach), 0.0).sum()

    def mean(kept: Mask) -> Floats:
        return np.array([held[kept].sum() / max(busy[kept].sum(), 1e-9)])

    low, high = jackknife(mean, len(agents))
    value = float(mean(np.ones(len(agents), dtype=np.bool_))[0])
    method = "tickets whose last status an agent took, while it is the desk's turn; over agents"
    return Estimate(
        "workflow.in_hand", value, "", max(float(low[0]), 1.0), float(high[0]), len(agents), method
    )
