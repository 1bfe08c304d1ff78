"""Pools of agents, out of what each of them took: agents who take the same are one pool.

An agent takes a kind of ticket if it is not much rarer in their work than in that of all who worked
at the same time. Where too little of it came for that to be told, they go with agents who are
alike in the rest. Small pools are merged into the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# An agent takes a kind from this share of what was to be expected of them on, and nothing is said
# where less than so many were to be expected: of ten by chance fewer than two come once in 2,000.
_SELDOM, _EVIDENCE = 0.2, 10.0
# Kinds that are rarer tell no agents apart (assumed).
_RARE = 0.02
# Share of what is due to others that an agent takes by the way (assumed).
_ODD = 0.05
# A pool that did less of the work is merged into the nearest, and so are the smallest of more
# pools (both assumed).
_SMALL, MOST = 0.1, 4


@dataclass(frozen=True)
class PoolsFit:
    """Pools of agents; those that take fewest kinds first.

    Attributes
    ----------
    pool : array of int, shape (agents,)
        Of each agent.
    takes : array of bool, shape (pools, kinds)
    work : array of float, shape (pools, kinds)
        Tickets that it took.
    """

    pool: Ints
    takes: Mask
    work: Floats

    def __len__(self) -> int:
        return len(self.takes)


def expected_work(agent: Ints, kind: Ints, at_s: Floats, sessions: tuple[Ints, Floats, Floats],
                  kinds: int) -> tuple[Floats, Floats]:  # fmt: skip
    """Tickets of each kind that agents took, and would have taken if all took all alike.

    Parameters
    ----------
    agent, kind : array of int, shape (n,)
        Of tickets that were taken.
    at_s : array of float, shape (n,)
        When.
    sessions : (agent, start_s, end_s)
        Sessions of agents, arrays of the same shape.
    kinds : int

    Returns
    -------
    took, expected : array of float, shape (agents, kinds)
    """
    whose, start, end = sessions
    agents = int(max(agent.max(initial=-1), whose.max(initial=-1))) + 1
    took = np.zeros((agents, kinds))
    np.add.at(took, (agent, kind), 1)
    there = np.zeros((agents, kinds))
    for k in range(kinds):
        mine = np.sort(at_s[kind == k])
        within = np.searchsorted(mine, end, side="right") - np.searchsorted(mine, start)
        np.add.at(there[:, k], whose, within)
    share = there / np.maximum(there.sum(axis=1, keepdims=True), 1.0)
    return took, took.sum(axis=1, keepdims=True) * share


def fit_pools(took: Floats, expected: Floats) -> PoolsFit:
    """Pools of agents by the kinds that they take.

    Parameters
    ----------
    took, expected : array of float, shape (agents, kinds)
        See `expected_work`.
    """
    often = took.sum(axis=0) >= _RARE * took.sum()
    told = (expected >= _EVIDENCE) & often
    yes = took >= _SELDOM * expected
    pool = np.full(len(took), -1, dtype=np.int64)
    # Of each pool so far: kinds that it takes or does not take, and those of which that is told.
    found: list[tuple[Mask, Mask]] = []
    for one in np.argsort(-took.sum(axis=1), kind="stable"):
        alike = [
            (int((told[one] & known).sum()), -k)
            for k, (takes, known) in enumerate(found)
            if not (told[one] & known & (yes[one] != takes)).any()
        ]
        if alike:
            k = -max(alike)[1]
            takes, known = found[k]
            found[k] = np.where(told[one], yes[one], takes), known | told[one]
        else:
            k = len(found)
            found.append((yes[one], told[one]))
        pool[one] = k
    return _merged(pool, took, expected)


def nearest(took: Floats, expected: Floats, takes: Mask) -> Ints:
    """The pool of each agent, of pools that are known: the likeliest by what they took.

    Parameters
    ----------
    took, expected : array of float, shape (agents, kinds)
        See `expected_work`.
    takes : array of bool, shape (pools, kinds)
    """
    due = expected[:, None, :] * np.where(takes, 1.0, _ODD) + 1e-9
    share = due / due.sum(axis=2, keepdims=True)
    found: Ints = np.argmax((took[:, None, :] * np.log(share)).sum(axis=2), axis=1)
    return found


def _merged(pool: Ints, took: Floats, expected: Floats) -> PoolsFit:
    """Pools that are large enough and differ."""
    every = took.sum()
    weight = took.sum(axis=0) / max(every, 1.0)
    while True:
        pool, takes, work = _numbered(pool, took, expected)
        size = work.sum(axis=1) / max(every, 1.0)
        apart = (takes[:, None, :] != takes[None, :, :]) @ weight
        np.fill_diagonal(apart, np.inf)
        same = np.argwhere(apart < _RARE)
        if len(same):
            one, other = same[0]
        elif len(takes) > 1 and (size.min() < _SMALL or len(takes) > MOST):
            one = int(np.argmin(size))
            other = int(np.argmin(apart[one]))
        else:
            break
        pool = np.where(pool == one, other, pool)
    # A kind that hardly anybody takes is taken by those who took most of it.
    nobody = ~takes.any(axis=0)
    takes[np.argmax(work[:, nobody], axis=0), np.flatnonzero(nobody)] = True
    return PoolsFit(pool, takes, work)


def _numbered(pool: Ints, took: Floats, expected: Floats) -> tuple[Ints, Mask, Floats]:
    """Pools anew, by the number of kinds that they take: their number by agent, kinds, work."""
    _, pool = np.unique(pool, return_inverse=True)
    pool = pool.astype(np.int64)
    size = int(pool.max(initial=0)) + 1
    work, due = np.zeros((size, took.shape[1])), np.zeros((size, took.shape[1]))
    np.add.at(work, pool, took)
    np.add.at(due, pool, expected)
    takes = (work > 0) & (work >= _SELDOM * due)
    order = np.lexsort((-work.sum(axis=1), takes.sum(axis=1)))
    return np.argsort(order).astype(np.int64)[pool], takes[order], work[order]
