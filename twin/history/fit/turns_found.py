"""Agents who take tickets in turn, as a scenario has them, and words on what they rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.history.fit.delay_ways import listed_of
from twin.history.fit.estimate import Estimate, jackknife
from twin.history.fit.spells import Spells
from twin.history.fit.status_load import LoadTest
from twin.history.fit.turns import Jobs, Replay, Turns
from twin.history.fit.turns_choice import Chosen, Trial, name_of
from twin.scenario.clock import DAY_S, HOUR_S
from twin.scenario.sections.base import days_text

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Section = dict[str, Any]

# Name of the pool.
POOL = "desk"
# Agents who were seen are as many as those who are at work within this share (assumed).
_AS_MANY = 0.25
# Times of the log lie among those that are played, or this far beyond; else the fit is poor.
_BEYOND = 0.1
_PLAYS = 40
_DAYS, _HOURS = 7, 24


@dataclass(frozen=True)
class Work:
    """Agents at work in a status, and what that rests on.

    Attributes
    ----------
    chosen : Chosen
    trial : Trial
    load : LoadTest or None
        Whether times there follow the load; None where it could not be tested.
    name : str
        Of the status, or of the two.
    seen : float
        Agents who were seen there on a day of work, on average; missing where nobody is named.
    lasted_h : float
        Mean time in it, in the log.
    played_h : array of float
        The same as played with the same tickets, over and over.
    """

    chosen: Chosen
    trial: Trial
    load: LoadTest | None
    name: str
    seen: float
    lasted_h: float
    played_h: Floats

    @property
    def follows(self) -> bool:
        """True if times follow the load by the test of that, too, and the played ones are right."""
        return self.load is not None and self.load.follows and self.agrees

    @property
    def agrees(self) -> bool:
        """True if the times as played are those of the log."""
        low, high = np.quantile(self.played_h, [0.025, 0.975]).tolist()
        return bool((1 - _BEYOND) * low <= self.lasted_h <= (1 + _BEYOND) * high)

    @property
    def heads_known(self) -> bool:
        """True if the log tells one number of heads from all others."""
        return len(self.chosen.like) == 1

    @property
    def as_many_seen(self) -> bool:
        """True if as many agents were seen as are played, or nobody is named."""
        heads = self.chosen.turns.heads
        return not abs(self.seen - heads) > _AS_MANY * heads

    def estimates(self) -> list[Estimate]:
        """Heads and handle time with their intervals."""
        turns, jobs, like = self.chosen.turns, self.chosen.jobs, self.chosen.like
        method = "the number whose work explains best when tickets left; all hours alike (assumed)"
        method += "; nobody is named in the log" if np.isnan(self.seen) else (
            f"; {self.seen:.1f} agents were seen a day"
        )  # fmt: skip
        where = "heads" if turns.hours.all() else "shifts"
        n = int(turns.left.sum())
        heads = Estimate(f"agents.{POOL}.{where}", turns.heads, "", min(like), max(like), n, method)
        day = np.floor(jobs.came_s[turns.left] / DAY_S).astype(np.int64)
        _, which = np.unique(day, return_inverse=True)
        work_s = np.maximum(turns.work_s, 0.0)

        def mean(kept: Mask) -> Floats:
            return np.array([work_s[kept[which]].mean()])

        low, high = jackknife(mean, int(which.max()) + 1)
        value, apart = float(work_s.mean()), self.chosen.stage.told_apart
        method = "read off when tickets left"
        method += "" if apart else f", with {turns.heads} heads who take them in turn"
        work = Estimate(
            f"agents.{POOL}.handle_time", value, "s", float(low[0]), float(high[0]), n, method
        )
        return [heads, work]

    def factors(self, times: Floats) -> Floats:
        """Mean work where tickets count so often, over that of all; shape (versions,).

        Parameters
        ----------
        times : array of float, shape (versions, spells)
        """
        turns = self.chosen.turns
        work_s = np.maximum(turns.work_s, 0.0)
        weight = times[:, self.chosen.jobs.row[turns.left]]
        found: Floats = weight @ work_s / np.maximum(weight.sum(axis=1), 1e-12) / work_s.mean()
        return found

    def as_data(self) -> Section:
        """The section [agents]."""
        turns = self.chosen.turns
        work_s = np.maximum(turns.work_s, 0.0)
        listed = listed_of(work_s, np.ones(len(work_s)))
        values = [round(float(value), 1) for value in listed]
        pool: Section = {"heads": turns.heads}
        if not turns.hours.all():
            pool = {"shifts": shifts_of(turns.hours, turns.heads)}
        pool["handle_time"] = {"distribution": "empirical", "values": values, "unit": "1s"}
        pool["at_shift_end"] = "continue"
        return {POOL: pool}

    def sentence(self) -> str:
        """Words at the head of the file."""
        turns, trial = self.chosen.turns, self.trial
        count = f"{turns.heads} agents" if turns.heads > 1 else "one agent"
        low, high = np.quantile(self.played_h, [0.025, 0.975]).tolist()
        early = float((turns.work_s < 0).mean())
        lines = [
            f"Tickets in {self.name} wait for {count} who take them in turn, by back-test "
            f"within the history ({tried(self.name, trial)}).",
            f"Played with the tickets that came they are in it for {self.played_h.mean():.3g} h on "
            f"average ({low:.3g} to {high:.3g} h by luck), in the history {self.lasted_h:.3g} h.",
        ]
        if early > 0.01:
            lines.append(f"{early:.0%} were over before it was their turn.")
        if not self.heads_known:
            like = f"{min(self.chosen.like)} to {max(self.chosen.like)}"
            lines.append(f"CAPACITY IS NOT IDENTIFIED: {like} heads explain the log as well.")
        if not self.agrees:
            lines.append("THE FIT IS POOR: these times are not those of the history.")
        lines.append("All other statuses keep delays as they were measured.")
        return " ".join(lines)


def work_of(
    spells: Spells, chosen: Chosen, trials: tuple[Trial, ...], load: tuple[LoadTest, ...]
) -> Work:
    """Agents in a stage, and what they rest on."""
    stage, jobs, turns = chosen.stage, chosen.jobs, chosen.turns
    trial = next(one for one in trials if one.stage == stage)
    waits = spells.names[stage.waits]
    test = next((one for one in load if one.status == waits), None)
    over = np.isfinite(jobs.ends_s)
    later = np.arange(len(jobs)) > 0
    ends_s = Replay(turns, spells, jobs).ends_s(
        float(jobs.came_s[0]), later, np.random.default_rng(14), _PLAYS
    )
    both = over[later]
    came_s = jobs.came_s[later]
    return Work(
        chosen, trial, test, name_of(spells, stage), seen_a_day(spells, jobs, turns),
        float((jobs.ends_s[later] - came_s)[both].mean()) / HOUR_S,
        (ends_s - came_s[:, None])[both].mean(axis=0) / HOUR_S,
    )  # fmt: skip


def seen_a_day(spells: Spells, jobs: Jobs, turns: Turns) -> float:
    """Agents who took or ended work on a day, on average over days; missing if none is named."""
    over = np.flatnonzero(np.isfinite(jobs.ends_s))
    # Who changes the status is known of the status that comes next.
    after = np.minimum(jobs.row[over] + 1, len(spells) - 1)
    who, day = spells.resource[after], (jobs.ends_s[over] // DAY_S).astype(np.int64)
    known = who >= 0
    if known.sum() < len(over) / 2:
        return float("nan")
    pairs = np.unique(np.stack([day[known], who[known]]), axis=1)
    # Days with hardly anything are none of work.
    _, count = np.unique(pairs[0], return_counts=True)
    number = np.bincount(np.unique(day[known], return_inverse=True)[1])
    return float(np.average(count, weights=number))


def shifts_of(hours: Mask, heads: int) -> list[Section]:
    """Shifts that cover some hours of the week.

    Examples
    --------
    >>> hours = np.zeros((7, 24), dtype=bool)
    >>> hours[:5, 8:18] = True
    >>> shifts_of(hours.ravel(), 2)
    [{'days': 'Mon-Fri', 'start': '08:00', 'end': '18:00', 'heads': 2}]
    """
    days: dict[tuple[int, int], list[int]] = {}
    for day, row in enumerate(hours.reshape(_DAYS, _HOURS)):
        edges = np.flatnonzero(np.diff(np.r_[False, row, False].astype(np.int8)))
        for first, last in edges.reshape(-1, 2).tolist():
            days.setdefault((first, last), []).append(day)
    return [
        {"days": days_text(which), "start": f"{first:02d}:00", "end": f"{last % _HOURS:02d}:00",
         "heads": heads}
        for (first, last), which in days.items()
    ]  # fmt: skip


def tried(name: str, trial: Trial) -> str:
    """Words on a trial: how far off both ways were."""
    if not trial.n:
        return f"{name}: too few to predict"
    return (
        f"{name}: {trial.n:,} ends of {trial.days} days, each predicted from what was known "
        f"before its day: off by {trial.agents_h:.3g} h with agents, {trial.delay_h:.3g} h with "
        "a delay"
    )


def note_on(spells: Spells, trials: tuple[Trial, ...], chosen: Chosen | None) -> list[str]:
    """Sentences on what was tried and not used."""
    rest = [one for one in trials if chosen is None or one.stage != chosen.stage]
    also = " They are better there, too, but agents in two places at once are not played."
    return [
        "Agents who take tickets in turn were tried, and a delay is used in "
        f"{tried(name_of(spells, one.stage), one)}.{also if one.better else ''}"
        for one in rest
    ]
