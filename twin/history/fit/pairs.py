"""Pairs of customers who waited in the same queue at the same time, when one of them was taken."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Pairs of one who is taken with others, at most: a long queue tells the same many times.
_MOST_OTHERS = 40


@dataclass(frozen=True)
class Pairs:
    """Pairs of customers of different priority who waited together; columns of shape (n,).

    Attributes
    ----------
    lag_s : array of float
        Time by which one came later, above 0.
    ahead : array of int
        Levels by which the later one is of higher priority; below 0: of lower priority.
    later_first : array of bool
    day : array of int
    weight : array of float
        One over the pairs of the same later customer in the same direction.
    alike_s : array of float, shape (m,)
        Lags of neighbours of the lowest priority, who came one after the other and both waited.
    alike_turned : array of bool, shape (m,)
        Whether the later one of those went first.
    """

    lag_s: Floats
    ahead: Ints
    later_first: Mask
    day: Ints
    weight: Floats
    alike_s: Floats = field(default_factory=lambda: np.zeros(0))
    alike_turned: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.lag_s)

    def some(self, rows: Mask) -> Pairs:
        """Some of the pairs."""
        return Pairs(
            self.lag_s[rows], self.ahead[rows], self.later_first[rows], self.day[rows],
            self.weight[rows], self.alike_s, self.alike_turned,
        )  # fmt: skip

    @property
    def turned(self) -> Pairs:
        """The same, with the priorities the other way round."""
        return Pairs(self.lag_s, -self.ahead, self.later_first, self.day, self.weight)


def pairs_of(
    queued_s: Floats, until_s: Floats, served: Mask, level: Ints, queue: Ints, day: Ints
) -> Pairs:
    """Pairs of waits; arrays of shape (n,), a wait each.

    Parameters
    ----------
    queued_s, until_s : array of float
        When it began, and when an agent took the customer or they gave up.
    served : array of bool
    level : array of int
        Of the priority, the highest is 0; below 0: not known.
    queue : array of int
        Only those of the same queue are compared.
    day : array of int
    """
    used = np.flatnonzero((level >= 0) & (until_s > queued_s))
    rows: list[tuple[int, int]] = []
    for one in np.unique(queue[used]):
        mine = used[queue[used] == one]
        if len(np.unique(level[mine])) > 1:
            rows += _together(mine, queued_s, until_s, served, level)
    first, other = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    later_first = queued_s[first] > queued_s[other]
    late, early = np.where(later_first, (first, other), (other, first))
    lag_s = queued_s[late] - queued_s[early]
    apart = lag_s > 0
    late, early, later_first, lag_s = late[apart], early[apart], later_first[apart], lag_s[apart]
    ahead = level[early] - level[late]
    # One who overtakes five has one head start, not five.
    _, which, number = np.unique(
        np.stack([late, np.sign(ahead)]), axis=1, return_inverse=True, return_counts=True
    )
    weight = 1.0 / number[which.ravel()]
    alike = _neighbours(used, queued_s, until_s, served, level, queue)
    return Pairs(lag_s, ahead, later_first, day[late], weight, *alike)


def _neighbours(
    used: Ints, queued_s: Floats, until_s: Floats, served: Mask, level: Ints, queue: Ints
) -> tuple[Floats, Mask]:
    """Neighbours of the lowest priority: by how much one came later, and whether it went first."""
    lowest = used[level[used] == level[used].max(initial=0)]
    order = lowest[np.lexsort((queued_s[lowest], queue[lowest]))]
    one, other = order[:-1], order[1:]
    together = (queue[one] == queue[other]) & (queued_s[other] < until_s[one])
    one, other = one[together], other[together]
    turned: Mask = served[other] & (until_s[other] < until_s[one])
    return queued_s[other] - queued_s[one], turned


def _together(
    mine: Ints, queued_s: Floats, until_s: Floats, served: Mask, level: Ints
) -> list[tuple[int, int]]:
    """Each who was taken, with those of other levels who waited on at that moment."""
    came = mine[np.argsort(queued_s[mine], kind="stable")]
    went = mine[np.argsort(until_s[mine], kind="stable")]
    waiting: dict[int, None] = {}
    rows, k = [], 0
    for one in went.tolist():
        now_s = until_s[one]
        while k < len(came) and queued_s[came[k]] < now_s:
            waiting[int(came[k])] = None
            k += 1
        waiting.pop(one, None)
        if not served[one]:
            continue
        others = [i for i in waiting if level[i] != level[one] and until_s[i] > now_s]
        step = max(1, -(-len(others) // _MOST_OTHERS))
        rows += [(one, i) for i in others[::step]]
    return rows
