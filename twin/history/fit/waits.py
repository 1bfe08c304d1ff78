"""Waits for an agent, as seen or as played, and how far they differ."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Waits are compared by the logarithm of wait plus so many seconds, so that an hour without any wait
# does not outweigh all others.
SMALL_S = 4.0
# Levels at which the waits of a stretch are compared; and what is added to each, of the mean wait.
_LEVELS, _ADDED = np.arange(0.05, 1.0, 0.05), 0.3


@dataclass(frozen=True)
class Waits:
    """Waits for an agent, one a visit; columns of shape (n,).

    Attributes
    ----------
    hour : array of int
        Local hour of the day in which it began, 0 to 23.
    wait_s : array of float
    served : array of bool
        False: the customer gave up after that time.
    day : array of int, optional
        Number of the day; None: all of one day.
    kind : array of str, optional
        Category of the ticket.
    """

    hour: Ints
    wait_s: Floats
    served: Mask
    day: Ints | None = None
    kind: npt.NDArray[np.object_] | None = None

    def some(self, rows: Mask) -> Waits:
        """Some of them."""
        day = None if self.day is None else self.day[rows]
        kind = None if self.kind is None else self.kind[rows]
        return Waits(self.hour[rows], self.wait_s[rows], self.served[rows], day, kind)

    def on(self, days: Ints) -> Waits:
        """Those of some days."""
        assert self.day is not None
        return self.some(np.isin(self.day, days))

    def of(self, kinds: Collection[str]) -> Waits:
        """Those of some categories; none named: all."""
        if not kinds or self.kind is None:
            return self
        return self.some(np.isin(self.kind.astype(str), list(kinds)))

    def hourly(self) -> tuple[Floats, Floats]:
        """Mean wait of those who were served, by hour, and their number; shape (24,) each."""
        number = np.bincount(self.hour[self.served], minlength=24).astype(np.float64)
        total = np.bincount(self.hour[self.served], self.wait_s[self.served], minlength=24)
        return total / np.maximum(number, 1.0), number

    def hourly_error(self) -> Floats:
        """Standard error of the logarithm of each hour's mean wait, from day to day."""
        mean, number = self.hourly()
        if self.day is None:
            return np.zeros(24)
        cell = self.day[self.served] * 24 + self.hour[self.served]
        off = self.wait_s[self.served] - mean[self.hour[self.served]]
        cells, which = np.unique(cell, return_inverse=True)
        squares = np.bincount(cells % 24, np.bincount(which, off) ** 2, minlength=24)
        found: Floats = np.sqrt(squares) / np.maximum(number, 1.0) / (mean + SMALL_S)
        return found


def together(parts: list[Waits]) -> Waits:
    """Waits of several replications as one."""
    return Waits(*(
        np.concatenate([getattr(one, name) for one in parts])
        for name in ("hour", "wait_s", "served")
    ))  # fmt: skip


@dataclass(frozen=True)
class Gap:
    """Differences between waits that were seen and played.

    Attributes
    ----------
    wait_s : float
        1-Wasserstein distance of the waits of those who were served.
    hourly_s : float
        Mean absolute difference of hourly mean waits, each hour by its customers.
    gave_up, waited : float
        Differences of the share who gave up, and of those served who waited at all.
    loss : float
        What is made small: the first two over the mean wait seen (the second by a third, as it
        holds the first's difference again), three times the third, and the fourth.
    """

    wait_s: float
    hourly_s: float
    gave_up: float
    waited: float
    loss: float


def gap(seen: Waits, played: Waits) -> Gap:
    """Compare waits that were seen with waits as played."""
    waits, others = seen.wait_s[seen.served], played.wait_s[played.served]
    if not len(waits) or not len(others):
        return Gap(np.inf, np.inf, 1.0, 1.0, np.inf)
    distance = float(stats.wasserstein_distance(waits, others))
    hourly, number = seen.hourly()
    theirs, _ = played.hourly()
    hourly_s = float(np.abs(hourly - theirs) @ number / number.sum())
    gave_up = float(seen.served.mean() - played.served.mean())
    # A call is answered at once within half a second.
    waited = float((others > 0.5).mean() - (waits > 0.5).mean())
    scale = max(float(waits.mean()), 1.0)
    loss = distance / scale + hourly_s / (3 * scale) + 3 * abs(gave_up) + abs(waited)
    return Gap(distance, hourly_s, gave_up, waited, loss)


def unlike(seen: Waits, played: Waits) -> float:
    """Mean absolute difference of the logarithms of their quantiles, and of the shares who gave up.

    Of a stretch of minutes: short waits count as much as long ones, where the distance of `gap`
    is nearly all of the longest. So it tells agents who look for work by themselves from such whom
    a queue calls back, which have the same mean wait.
    """
    waits, others = seen.wait_s[seen.served], played.wait_s[played.served]
    if not len(waits) or not len(others):
        return np.inf
    logs = [np.log(np.quantile(one, _LEVELS) + _ADDED * waits.mean()) for one in (waits, others)]
    gave_up = float(seen.served.mean() - played.served.mean())
    return float(np.abs(logs[0] - logs[1]).mean()) + 3 * abs(gave_up)
