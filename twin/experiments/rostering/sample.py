"""Replications of a desk under rosters, counted by interval; the same customers under each."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count as numbered
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from twin.assistant.backends import build
from twin.assistant.protocol import Assistant
from twin.common.errors import TwinError
from twin.demand.tickets import draw
from twin.desk.engines import engine_of
from twin.desk.served import AnsweredOnce
from twin.desk.simulation import simulate
from twin.experiments import engine
from twin.experiments.rostering.week import Week
from twin.experiments.shared import shared_by
from twin.experiments.versions import as_played
from twin.measures import levels
from twin.measures.population import Population
from twin.measures.promises import human_targets, promise_kept
from twin.records.tables import RunLog
from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]


class Counted(NamedTuple):
    """One replication, by interval of the week; arrays of shape (n,).

    Attributes
    ----------
    kept, judged : array of float
        Tickets that arrived in the interval: answered in time, and judged at all; as in the figure
        service_level. Beside an assistant, who answers most of them whatever the roster is: those
        that first wait for a person in the interval, as in human_service_level.
    came : array of float
        Tickets that joined the pool's queue.
    waiting : array of float
        Tickets in its queue when the interval began, summed over the weeks of the run.
    busy_s : array of float
        Time that its agents were busy.
    visits, work_s : float
        Its visits, and the agents' time on them, wrap-up included.
    """

    kept: Floats
    judged: Floats
    came: Floats
    waiting: Floats
    busy_s: Floats
    visits: float
    work_s: float


@dataclass(frozen=True)
class _Task:
    number: int
    scenario: Scenario
    replication: int
    pool: str
    length_s: float
    engine: str
    # Name of the player for whose desks tickets and answers are kept.
    share: str = ""


_players = numbered()


@dataclass
class Player:
    """Plays rosters and counts by interval.

    Attributes
    ----------
    week : Week
    pool : str
    workers : int
    engine : str
        See `twin.simulate`.
    progress : callable, optional
        Told how many replications were played, and how many are expected.
    played, expected : int
    sample : int
        The first so many replications are played again and again: tickets and answers are kept.
    """

    week: Week
    pool: str
    workers: int = 1
    engine: str = "auto"
    progress: Progress | None = None
    played: int = 0
    expected: int = 0
    sample: int = 0
    _name: str = field(default_factory=lambda: f"roster {next(_players)}", init=False)
    _drawn: set[int] = field(default_factory=set, init=False)

    def play(self, desks: Sequence[Scenario], numbers: Sequence[int]) -> list[list[Counted]]:
        """Play desks in replications of these numbers.

        Returns
        -------
        list of (list of Counted)
            By desk, then by replication.

        Raises
        ------
        RuntimeError
            If a replication fails.
        """
        width = len(numbers)
        tasks = [self._task(k * width + i, desk, number)
                 for i, number in enumerate(numbers) for k, desk in enumerate(desks)]  # fmt: skip
        # Once in this process: what is drawn then, workers that are copies of it have, too.
        first = [task for task in tasks if task.share and task.replication not in self._drawn]
        first = list({task.replication: task for task in reversed(first)}.values())[::-1]
        self._drawn |= {task.replication for task in first}
        here = {task.number for task in first}
        found: dict[int, Counted] = {}
        for part, most in ((first, 1), ([t for t in tasks if t.number not in here], self.workers)):
            workers = max(1, min(most, len(part)))
            with closing(engine.each(_count, part, workers, _lost)) as outcomes:
                for number, counted, fault in outcomes:
                    if counted is None:
                        raise RuntimeError(f"a replication failed: {fault}")
                    found[number] = counted
                    self.played += 1
                    if self.progress is not None:
                        self.expected = max(self.expected, self.played)
                        self.progress(self.played, self.expected)
        return [[found[k * width + i] for i in range(width)] for k in range(len(desks))]

    def expect(self, more: int) -> None:
        """So many replications are still to come, about: for the time left."""
        self.expected = self.played + more

    def _task(self, number: int, desk: Scenario, replication: int) -> _Task:
        share = self._name if replication < self.sample else ""
        plays = engine_of(desk, self.engine)
        return _Task(number, desk, replication, self.pool, self.week.length_s, plays, share)


def total(counted: Sequence[Counted]) -> Counted:
    """Sums over replications."""
    return Counted(*(np.sum(values, axis=0) for values in zip(*counted, strict=True)))


def _lost(task: _Task) -> tuple[int, None, str]:
    return task.number, None, "every worker process that took it on was killed (out of memory?)"


def _count(task: _Task) -> tuple[int, Counted | None, str]:
    """Play one replication and count it; what it raises is told."""
    try:
        desk = as_played(task.scenario, task.replication)
        shared = shared_by(task.share, again=True)
        demand = (draw if shared is None else shared.demand)(desk, task.replication)
        assistant: Assistant | AnsweredOnce | None = None
        if shared is not None:
            assistant = shared.models(desk, demand)
        if assistant is None and desk.assistant.role != "off":
            assistant = build(desk, demand.categories, demand.corpus)
        log = simulate(desk, demand, assistant, task.engine)
        return task.number, count(log, Week(desk, task.length_s), task.pool), ""
    except Exception as error:
        if isinstance(error, TwinError) and error.__cause__ is None:
            return task.number, None, str(error)
        # Without its message: some library may have put a customer's words into it.
        place = traceback.extract_tb(error.__traceback__)[-1]
        return task.number, None, f"{type(error).__name__} in {place.name}, line {place.lineno}"


def count(log: RunLog, week: Week, pool: str) -> Counted:
    """Count a run by interval.

    Parameters
    ----------
    log : RunLog
    week : Week
    pool : str
        Visits that nobody took count for it by its share of the others.
    """
    scenario, size = week.scenario, week.size
    begin, end = week.span_s

    def seen(moments_s: Floats) -> npt.NDArray[np.bool_]:
        # What is missing is not seen.
        return (moments_s >= begin) & (moments_s < end)

    run = Population(log, scenario)
    tickets, targets = run.tickets, scenario.targets
    by_priority: Mapping[Any, float] = targets.first_response
    by_channel: Mapping[str, float] = targets.first_response_by_channel
    begun_s, done_s = tickets["arrived_s"], tickets["responded_s"]
    if for_people(scenario):
        by_priority, by_channel = human_targets(targets)
        begun_s, done_s = run.human_wanted_s, run.human_replied_s
    kept = promise_kept(
        tickets, done_s, by_priority, scenario, log.horizon_s, begun_s, by_channel=by_channel
    )
    judged = ~np.isnan(kept) & seen(begun_s)
    slot = week.slot(begun_s[judged])

    visits = log.arrays("visits")
    taken = visits.codes("pool")[0] >= 0
    own = visits.among("pool", [pool])
    share = own.sum() / taken.sum() if taken.any() else 1.0
    queued = seen(visits["queued_s"])
    weight = np.where(own, 1.0, np.where(taken, 0.0, share))
    came = visits.at(queued & (weight > 0))
    waits_until = np.nan_to_num(levels.wait_ends(came), nan=log.horizon_s)
    starts = week.starts_s
    there = _before(came["queued_s"], starts, weight[queued & (weight > 0)])
    there -= _before(waits_until, starts, weight[queued & (weight > 0)])

    work = visits.at(own & seen(visits["started_s"]))
    over = np.nan_to_num(work["ended_s"], nan=log.horizon_s)
    busy = levels.busy(log, pool)
    work_s = float((over - work["started_s"]).sum())
    if scenario.agents[pool].concurrency > 1:
        # Tickets in hand at once share their agent's time.
        work_s = float(np.diff(busy.integral(np.array([begin, end])))[0])
    busy_s = busy.integral(starts + week.length_s) - busy.integral(starts)
    return Counted(
        kept=_sums(slot, kept[judged], size),
        judged=np.bincount(slot, minlength=size).astype(np.float64),
        came=_sums(week.slot(came["queued_s"]), weight[queued & (weight > 0)], size),
        waiting=_sums(week.slot(starts), there, size),
        busy_s=_sums(week.slot(starts), busy_s, size),
        visits=float(np.count_nonzero(own & queued & visits.known("started_s"))),
        work_s=work_s,
    )


def for_people(scenario: Scenario) -> bool:
    """True if what is judged is the reply of a person, as most tickets do not need one."""
    return scenario.assistant.role != "off"


def _sums(slot: npt.NDArray[np.int64], weights: Floats, size: int) -> Floats:
    """Sum of weights of each interval."""
    return np.bincount(slot, weights, size).astype(np.float64)


def _before(moments_s: Floats, at: Floats, weights: Floats) -> Floats:
    """Sum of weights of moments up to each of `at`."""
    order = np.argsort(moments_s, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(weights[order])])
    found: Floats = sums[np.searchsorted(moments_s[order], at, side="right")]
    return found
