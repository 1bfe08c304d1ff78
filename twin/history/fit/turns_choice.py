"""Capacity or delay: whether tickets in a status wait for agents, chosen by rolling back-test.

Both ways predict when tickets leave a status, from what was known before; given is when they came
to it. A delay knows nothing of the tickets before them; agents who take tickets in turn do. Agents
are chosen where they predict better beyond chance and by enough to matter: a delay is simpler.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.history.fit.delay_scores import Part
from twin.history.fit.delay_ways import pairs_of
from twin.history.fit.delays import DelaysFit, clocks_of
from twin.history.fit.held_back import Fold, better, folds
from twin.history.fit.spells import Spells
from twin.history.fit.turns import Jobs, Replay, Stage, Turns, fit_turns, jobs_of
from twin.scenario.clock import DAY_S, HOUR_S

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Spells of a status below which agents are not looked for in it.
FEWEST = 300
# Agents must predict better than delays by this share (assumed; as of one pool or several).
NEARER = 0.05
# Share of the spells of a status to wait in that go on to the one in which the work is.
_NEARLY_ALL = 0.9
# Replications of each prediction.
_PLAYS = 20


@dataclass(frozen=True)
class Trial:
    """Agents against delays in a stage.

    Attributes
    ----------
    stage : Stage
    delay_h, agents_h : float
        Continuous ranked probability score of the ends that were predicted, in hours; missing where
        nothing was predicted, as no queue explains the log better than none.
    n, days : int
        Ends that were predicted, and the days on which these tickets came.
    better : bool
        True if agents predict better, beyond chance and by enough to matter.
    """

    stage: Stage
    delay_h: float
    agents_h: float
    n: int
    days: int
    better: bool


@dataclass(frozen=True)
class Chosen:
    """Agents as chosen in a stage.

    Attributes
    ----------
    stage : Stage
    jobs : Jobs
    turns : Turns
    like : tuple of int
        Numbers of agents that explain the log as well, but for chance; with the one that is used.
    """

    stage: Stage
    jobs: Jobs
    turns: Turns
    like: tuple[int, ...]


def stages_of(spells: Spells, working: Mask) -> list[Stage]:
    """Stages in which agents may work, of those in which it is the desk's turn."""
    over = spells.over
    n = np.bincount(spells.status[over], minlength=spells.none + 1)
    came = np.bincount(spells.status, minlength=spells.none + 1)
    steps = np.zeros((spells.none + 1, spells.none + 1))
    np.add.at(steps, (spells.status[over], spells.next[over]), 1)
    apart = [
        Stage(waits, works)
        for waits, works in np.argwhere(steps >= FEWEST).tolist()
        if waits != works
        and working[waits]
        and working[works]
        and steps[waits, works] >= _NEARLY_ALL * max(n[waits], came[works])
    ]
    held = {status for stage in apart for status in (stage.waits, stage.works)}
    one = [Stage(status, status) for status in np.flatnonzero(working).tolist()
           if n[status] >= FEWEST and status not in held]  # fmt: skip
    return [*apart, *one]


def choose(
    spells: Spells, delays: DelaysFit, working: Mask, seed: int = 14
) -> tuple[Chosen | None, tuple[Trial, ...]]:
    """Try agents in all stages; the one in which they gain most, if they are better in any.

    Parameters
    ----------
    spells : Spells
        Up to final statuses.
    delays : DelaysFit
        The simpler way.
    working : array of bool
        By status: whether it is the desk's turn.
    seed : int
    """
    trials, best, most = [], None, 0.0
    parts: list[tuple[Fold, Part]] | None = None
    for stage in stages_of(spells, working):
        jobs = jobs_of(spells, stage)
        *queues, none = fit_turns(spells, jobs)
        if parts is None:
            parts = [(fold, Part(fold, clocks_of(fold.known, delays.human), spells))
                     for fold in folds(spells)]  # fmt: skip
        luck = np.random.default_rng([seed, stage.waits, stage.works])
        tested = [errors_of(spells, stage, fold, part, delays, luck) for fold, part in parts]
        came_s, delay_h, agents_h = (
            np.concatenate(columns) for columns in zip(*tested, strict=True)
        )
        # Nothing is a queue whose works explain the log no better than the times themselves.
        gains = _by_day(queues[0].log - none.log, jobs.came_s[none.left])
        trial = judged(stage, came_s, delay_h, agents_h, better(gains, 0.0))
        trials.append(trial)
        gain = 1 - trial.agents_h / trial.delay_h if trial.better else 0.0
        if gain > most:
            most, best = gain, Chosen(stage, jobs, queues[0], _alike(queues, jobs))
    return best, tuple(trials)


def judged(
    stage: Stage, came_s: Floats, delay_h: Floats, agents_h: Floats, explains: bool
) -> Trial:
    """Agents against delays by their errors; see `errors_of`.

    Parameters
    ----------
    stage : Stage
    came_s, delay_h, agents_h : array of float, shape (n,)
    explains : bool
        Whether agents explain the log itself better than none.
    """
    if not len(came_s):
        return Trial(stage, np.nan, np.nan, 0, 0, False)
    _, which = np.unique(came_s // DAY_S, return_inverse=True)
    delays, agents = np.bincount(which, delay_h), np.bincount(which, agents_h)
    # Shares of each day: a few days with long queues have most of the error, and would hide that
    # all others say the same.
    shares = (delays - agents) / np.maximum(delays + agents, 1e-12)
    gains = shares * np.bincount(which) * (len(delays) / len(came_s))
    matters = agents.sum() < (1 - NEARER) * delays.sum()
    return Trial(stage, float(delay_h.mean()), float(agents_h.mean()), len(came_s), len(delays),
                 explains and bool(matters) and better(gains, 0.0))  # fmt: skip


def _by_day(gains: Floats, came_s: Floats) -> Floats:
    """Gains by day, their mean that of all: tickets of one day are alike."""
    _, which = np.unique(came_s // DAY_S, return_inverse=True)
    days: Floats = np.bincount(which, gains).astype(np.float64)
    days *= len(days) / max(len(gains), 1)
    return days


def _alike(queues: list[Turns], jobs: Jobs) -> tuple[int, ...]:
    """Numbers of agents in the same hours that the best one is not better than, beyond chance."""
    best = queues[0]
    same = [one for one in queues if (one.hours == best.hours).all()]
    return tuple(sorted(
        one.heads for one in same
        if one is best or not better(_by_day(best.log - one.log, jobs.came_s[best.left]), 0.0)
    ))  # fmt: skip


def errors_of(
    spells: Spells, stage: Stage, fold: Fold, part: Part, delays: DelaysFit,
    luck: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Errors on the tickets of a part: when these came to a stage, those of delays and of agents.

    Parameters
    ----------
    spells : Spells
        The whole log.
    stage : Stage
    fold : Fold
        What was known before the part.
    part : Part
        The same with its clocks.
    delays : DelaysFit
        Says in which way delays are told.
    luck : Generator

    Returns
    -------
    array of float, shape (n,), three times
        Moments in seconds; errors in hours.
    """
    nothing = (np.zeros(0),) * 3
    known = jobs_of(fold.known, stage)
    if np.isfinite(known.left_s).sum() < FEWEST / 2 or not len(fold.part):
        return nothing
    queues = fit_turns(fold.known, known)[:-1]
    if not queues:
        return nothing
    low_s, high_s = fold.known.until_s, float(fold.part.born_s.max())
    jobs = jobs_of(spells, stage)
    replay = Replay(queues[0], spells, jobs)
    delay_h = _delay_errors(spells, stage, fold, part, delays)[jobs.row]
    # Who came to the work by other ways did not wait.
    scored = (spells.status[jobs.row] == stage.waits) & np.isfinite(jobs.ends_s + delay_h)
    agents_h = np.full(len(jobs), np.nan)
    for day_s in np.arange(low_s, high_s, DAY_S).tolist():
        later = (jobs.came_s >= day_s) & (jobs.came_s < min(day_s + DAY_S, high_s))
        if (later & scored).any():
            ends_s = replay.ends_s(day_s, later, luck, _PLAYS)
            agents_h[later] = crps(ends_s, jobs.ends_s[later]) / HOUR_S
    kept = scored & np.isfinite(agents_h)
    return jobs.came_s[kept], delay_h[kept], agents_h[kept]


def _delay_errors(
    spells: Spells, stage: Stage, fold: Fold, part: Part, delays: DelaysFit
) -> Floats:
    """Errors of delays by spell, missing where they predict nothing, shape (n,)."""
    found = np.full(len(spells), np.nan)
    for step in delays.steps:
        if step.status != stage.waits:
            continue
        pair = step.status * (spells.none + 1) + step.next
        test = part.of(pair)
        if test is not None and step.way.clock in test.clocks:
            mine = fold.rows[pairs_of(fold.part) == pair]
            found[mine] = test.error_h(step.way.clock, step.way.split, step.way.half_life)
    return found


def crps(played: Floats, happened: Floats) -> Floats:
    """Continuous ranked probability score of what was played against what happened, shape (n,).

    Fair to few replications: each is compared with the others, not with itself (Ferro 2014, "Fair
    scores for ensemble forecasts").

    Parameters
    ----------
    played : array of float, shape (n, replications)
    happened : array of float, shape (n,)

    Examples
    --------
    >>> crps(np.array([[1.0, 3.0]]), np.array([2.0])).tolist()
    [0.0]
    """
    count = played.shape[1]
    ranked = np.sort(played, axis=1)
    # Sum of the differences of all pairs.
    apart = ranked @ (2.0 * np.arange(count) - count + 1)
    off = np.abs(played - happened[:, None]).mean(axis=1)
    found: Floats = off - apart / (count * (count - 1))
    return found


def name_of(spells: Spells, stage: Stage) -> str:
    """Name of a stage for people."""
    if not stage.told_apart:
        return spells.names[stage.works]
    return f"{spells.names[stage.waits]}, then {spells.names[stage.works]}"
