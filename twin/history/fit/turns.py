"""Queues for agents in a log of status changes: tickets that are worked on in turn.

Where so many agents take tickets in the order in which these came, the moments at which tickets
leave tell when each was begun: as it came, or as one of those before it left and fewer than all
agents were at work. So the work in each is known, but for the number of agents; and the number is
told by how well its works explain the moments (Larson 1990, "The queue inference engine", reads
queues off their departures; here arrivals are known, too).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappush, heappushpop, heapreplace

import numpy as np
import numpy.typing as npt

from twin.history.fit.delay_scores import log_density
from twin.history.fit.hour_clocks import WEEK_HOURS, HourClock, weights_of
from twin.history.fit.spells import Spells

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Numbers of agents that are tried.
HEADS = (*range(1, 11), 12, 14, 17, 20, 25, 30, 40, 50, 70, 100, 140, 200)
# An hour of the week is worked in that has this share of what the busiest ones have (assumed).
_OPEN, _BUSIEST = 0.2, 30
# With so many hours of the week, a desk works around the clock.
_ALL_HOURS = 150
# So soon after a moment at which agents come back, work has begun.
_SOON_S = 0.01


@dataclass(frozen=True)
class Stage:
    """A status in which agents may work, or two: one to wait in, the next one for the work.

    Attributes
    ----------
    waits, works : int
        Numbers of the statuses; the same where one status holds both.
    """

    waits: int
    works: int

    @property
    def told_apart(self) -> bool:
        """True if the log tells when work began."""
        return self.waits != self.works

    def holds(self, status: int, next_: int) -> bool:
        """True if a change from one status to the next is made by its agents."""
        return status == self.works or (status, next_) == (self.waits, self.works)


@dataclass(frozen=True)
class Jobs:
    """Tickets in a stage, in the order in which they came; all columns have length n.

    Attributes
    ----------
    came_s, taken_s, left_s : array of float
        Seconds since midnight; infinite where it is yet to be. Taken is missing where the log does
        not tell.
    row : array of int
        Of the spell that the ticket came with.
    """

    came_s: Floats
    taken_s: Floats
    left_s: Floats
    row: Ints

    def __len__(self) -> int:
        return len(self.came_s)

    @property
    def ends_s(self) -> Floats:
        """End of the spell that the ticket came with: taken, or left where that is not told."""
        return np.where(np.isnan(self.taken_s), self.left_s, self.taken_s)

    def some(self, rows: Mask) -> Jobs:
        """Only some of them."""
        return replace(self, came_s=self.came_s[rows], taken_s=self.taken_s[rows],
                       left_s=self.left_s[rows], row=self.row[rows])  # fmt: skip


def jobs_of(spells: Spells, stage: Stage) -> Jobs:
    """Tickets in a stage, as far as a log shows them."""
    end_s = np.where(spells.over, spells.end_s, np.inf)
    if not stage.told_apart:
        row = np.flatnonzero(spells.status == stage.works)
        came_s, left_s = spells.start_s[row], end_s[row]
        taken_s = np.full(len(row), np.nan)
    else:
        waits = (spells.status == stage.waits) & ((spells.next == stage.works) | ~spells.over)
        # Some come to the work by other ways, and are taken at once.
        straight = (spells.status == stage.works) & (spells.before != stage.waits)
        row = np.flatnonzero(waits | straight)
        came_s = spells.start_s[row]
        taken_s = np.where(straight[row], came_s, end_s[row])
        work = np.minimum(np.where(straight[row], row, row + 1), len(spells) - 1)
        left_s = np.where(np.isinf(taken_s), np.inf, end_s[work])
    order = np.argsort(came_s, kind="stable")
    return Jobs(came_s[order], taken_s[order], left_s[order], row[order])


def open_hours(spells: Spells, jobs: Jobs) -> Mask:
    """Hours of the week in which work is begun or done, shape (168,)."""
    plain = HourClock(spells.midnight, spells.until_s)
    lasted = np.maximum(plain.exposure(spells.until_s), 1e-9)
    moments = np.concatenate([jobs.left_s, jobs.taken_s])
    hour = plain.hour(moments[np.isfinite(moments)])
    speeds = weights_of(hour, 1.0 / lasted[hour])
    found: Mask = speeds >= _OPEN * np.sort(speeds)[-_BUSIEST:].mean()
    return found if found.sum() < _ALL_HOURS else np.ones(WEEK_HOURS, dtype=np.bool_)


@dataclass(frozen=True)
class Turns:
    """So many agents who take tickets in turn.

    Attributes
    ----------
    heads : int
    hours : array of bool, shape (168,)
        Of the week, in which they work.
    work_s : array of float
        Work in each ticket that left, in seconds of these hours, by the order of the tickets.
    log : array of float
        Logarithm of the density, an hour, of the moment at which each of these left.
    left : array of bool
        Which of the tickets these are.
    """

    heads: int
    hours: Mask
    work_s: Floats
    log: Floats
    left: Mask


def begun_s(came_s: Floats, left_s: Floats, heads: int) -> Floats:
    """Moments at which so many agents began each of the tickets that they take in turn.

    Examples
    --------
    >>> begun_s(np.array([0.0, 1.0, 2.0]), np.array([5.0, 7.0, 6.0]), 1).tolist()
    [0.0, 5.0, 7.0]
    """
    last: list[float] = []
    found = []
    for came, left in zip(came_s.tolist(), left_s.tolist(), strict=True):
        if len(last) < heads:
            found.append(came)
            heappush(last, left)
        else:
            found.append(max(came, last[0]))
            heappushpop(last, left)
    return np.array(found)


def fit_turns(spells: Spells, jobs: Jobs, heads: Sequence[int] = HEADS) -> list[Turns]:
    """Agents in each number that is tried, the likeliest first; then what no queue explains.

    The last one has no agents, heads 0: each ticket is as if begun as it came.
    """
    tried = [np.ones(WEEK_HOURS, dtype=np.bool_)]
    own = open_hours(spells, jobs)
    if not own.all():
        tried.append(own)
    left = np.isfinite(jobs.left_s)
    found: list[Turns] = []
    free: list[Turns] = []
    for hours in tried:
        pace = HourClock(spells.midnight, spells.until_s, hours.astype(np.float64))
        came_s = pace.passed(jobs.came_s)
        left_s = np.where(left, pace.passed(np.where(left, jobs.left_s, 0.0)), np.inf)
        speed = pace.speed(np.where(left, jobs.left_s, 0.0))[left]
        lasted_s = (jobs.left_s - jobs.came_s)[left]
        for number in (0, *heads):
            start_s = begun_s(came_s, left_s, number) if number else came_s
            with np.errstate(invalid="ignore"):
                work_s = (left_s - start_s)[left]
            log = log_density(work_s[work_s >= 0], work_s, speed, lasted_s)
            one = Turns(number, hours, work_s * hours.mean(), log, left)
            (found if number else free).append(one)
            if number and not (start_s > came_s).any():
                # More would not change anything.
                break
    found.sort(key=lambda one: -float(one.log.mean()))
    return [*found, max(free, key=lambda one: float(one.log.mean()))]


class Replay:
    """Agents who go on taking tickets in turn, from any moment on.

    Parameters
    ----------
    turns : Turns
        As found in what was known.
    spells : Spells
        For the calendar, up to the end of what is predicted.
    jobs : Jobs
        All tickets; those who are there at a moment are still to be worked on, and of those who
        come later only counts when.
    """

    def __init__(self, turns: Turns, spells: Spells, jobs: Jobs) -> None:
        self._heads, self._jobs = turns.heads, jobs
        hours = turns.hours.astype(np.float64)
        self._pace = HourClock(spells.midnight, spells.until_s, hours)
        self._works = np.sort(np.maximum(turns.work_s, 0.0)) / hours.mean()
        left = np.isfinite(jobs.left_s)
        self._came = self._pace.passed(jobs.came_s)
        left_s = np.where(left, self._pace.passed(np.where(left, jobs.left_s, 0.0)), np.inf)
        self._began = begun_s(self._came, left_s, turns.heads)
        taken = np.isfinite(jobs.taken_s)
        self._began[taken] = self._pace.passed(jobs.taken_s[taken])
        self._told = bool(taken.any())

    def ends_s(
        self, at_s: float, later: Mask, luck: np.random.Generator, replications: int
    ) -> Floats:
        """Ends of the spells of tickets that come after a moment, shape (n, replications).

        Parameters
        ----------
        at_s : float
        later : array of bool
            Which of the tickets come after it, one after the other.
        luck : Generator
        replications : int
        """
        jobs, works = self._jobs, self._works
        now = float(self._pace.passed(np.array([at_s]))[0])
        there = (jobs.came_s < at_s) & (jobs.left_s > at_s)
        start_s = self._began[there]
        in_hand = start_s <= now
        # Those in hand go first; a work that is not done is one of the longer ones.
        spent = np.sort(now - start_s[in_hand])[::-1]
        longer = np.searchsorted(works, spent, side="right")
        spent, longer = spent[longer < len(works)], longer[longer < len(works)]
        come = self._came[later].tolist()
        waiting = int((~in_hand).sum())
        ends = np.empty((len(come), replications))
        for k in range(replications):
            free = [now] * self._heads
            rests = works[luck.integers(longer, len(works))] - spent
            drawn = works[luck.integers(0, len(works), waiting + len(come))].tolist()
            for rest in (*rests.tolist(), *drawn[:waiting]):
                heapreplace(free, free[0] + rest)
            for i, (arrival, work) in enumerate(zip(come, drawn[waiting:], strict=True)):
                begin = max(arrival, free[0])
                heapreplace(free, begin + work)
                ends[i, k] = begin + _SOON_S if self._told else begin + work
        return np.maximum(self._pace.moment(ends), jobs.came_s[later][:, None])
