"""A desk that is known by its statuses only: from a log of status changes to a section workflow.

What follows what, after how long and on which clock is learnt from the log; which of the ways to
say it predicts best is chosen by rolling back-test within the log. What such a log does not hold,
like the work in a status and who was on shift, is not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from math import fsum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.history.fit.arrivals import ArrivalsFit, DailyCounts, fit_arrivals
from twin.history.fit.chances import Chances, fit_chances
from twin.history.fit.delay_ways import AROUND, BEFORE
from twin.history.fit.delays import DelaysFit, Step, fit_delays
from twin.history.fit.estimate import Estimate
from twin.history.fit.held_back import ALL
from twin.history.fit.spells import Spells, cut_at_final, final_statuses, spells_of
from twin.history.fit.status_hands import Hands, fit_hands
from twin.history.fit.status_load import LoadTest, load_tests, sentence
from twin.history.fit.status_names import Guess, guess
from twin.history.fit.status_numbers import Estimates
from twin.history.fit.summer_time import summer_note, summer_shift
from twin.history.fit.turns_choice import choose
from twin.history.fit.turns_found import Work, note_on, work_of
from twin.records.tables import DESK, OWNERS, STATUSES
from twin.scenario import clock

Floats = npt.NDArray[np.float64]
Section = dict[str, Any]

# With fewer delays their mean and cv say all that they tell; from so many on they are listed.
_LISTED = 20
# Whole weeks of arrivals that a fit of these needs.
_FEWEST_DAYS = 14


@dataclass(frozen=True)
class WorkflowFit:
    """A workflow as found.

    Attributes
    ----------
    spells : Spells
        That it rests on.
    cores : dict of str to Guess
        What each status stands for.
    start : dict of str to float
        Chances of the first status.
    chances : dict of int to Chances
        By the number of the status.
    delays : DelaysFit
    arrivals : ArrivalsFit or None
        None where the log is too short.
    hands : Hands
        Who works on tickets, as far as the log says.
    load : tuple of LoadTest
        Whether delays follow the load, by status.
    work : Work or None
        Agents who work in a status, where they predict it better than a delay.
    estimates : tuple of Estimate
    notes : tuple of str
        What was left out, changed, or seems to be missing.
    tried : tuple of str
        Where agents were tried in place of a delay, and predicted no better.
    """

    spells: Spells
    cores: dict[str, Guess]
    start: dict[str, float]
    chances: dict[int, Chances]
    delays: DelaysFit
    arrivals: ArrivalsFit | None
    hands: Hands
    load: tuple[LoadTest, ...]
    work: Work | None
    estimates: tuple[Estimate, ...]
    notes: tuple[str, ...]
    tried: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Statuses by number."""
        return self.spells.names

    @property
    def staffing(self) -> str:
        """Sentence that must stand beside a what-if of staffing on this desk."""
        return sentence(self.load) if self.work is None else self.work.sentence()

    def as_data(self) -> Section:
        """The section workflow of a scenario file, as plain data."""
        bounds_s = np.unique(np.concatenate([np.zeros(0), *(s.bounds_s for s in self._played)]))
        statuses = {name: self._status(k, bounds_s) for k, name in enumerate(self.names)}
        section: Section = {"clock": AROUND, "start": self.start, "statuses": statuses}
        used = {step.way.clock for step in self._played}
        clocks = {
            name: [round(float(speed), 4) for speed in speeds]
            for name, speeds in self.delays.clocks.items()
            if name in used
        }
        if clocks:
            section["clocks"] = clocks
        if len(bounds_s):
            section["ages"] = [f"{bound:.0f}s" for bound in bounds_s]
        return section

    def agents(self) -> Section:
        """The section agents of a scenario file: empty where nobody is known to work."""
        return {} if self.work is None else self.work.as_data()

    def _waits_for_agents(self, step: Step) -> bool:
        """True if agents end it, and no delay."""
        return self.work is not None and self.work.chosen.stage.holds(step.status, step.next)

    @property
    def _played(self) -> list[Step]:
        """Steps whose delays are played."""
        return [step for step in self.delays.steps
                if step.status in self.chances and not self._waits_for_agents(step)]  # fmt: skip

    def _status(self, status: int, bounds_s: Floats) -> Section:
        found: Section = {"counts_as": self.cores[self.names[status]].core}
        if status not in self.chances:
            return found
        chances = self.chances[status]
        steps = {step.next: step for step in self.delays.steps if step.status == status}
        found["next"] = {
            self.names[other]: {"chance": chance}
            | ({} if self._waits_for_agents(steps[other])
               else _delay(steps[other], None, bounds_s))
            for other, chance in _rounded(chances.usual)
        }  # fmt: skip
        stage = None if self.work is None else self.work.chosen.stage
        if stage is not None and status == stage.works:
            found["work"] = True
        elif stage is not None and status == stage.waits:
            found["until_taken"] = True
        befores = {*chances.after}
        for step in steps.values():
            if step.way.split == BEFORE and not self._waits_for_agents(step):
                befores |= {*step.parts}
        after = {}
        for before in sorted(befores):
            table = {}
            for other, chance in _rounded(chances.after.get(before, chances.usual)):
                step = steps[other]
                own = step.way.split == BEFORE and before in step.parts
                own = own and not self._waits_for_agents(step)
                delay = _delay(step, before, bounds_s) if own else {}
                table[self.names[other]] = {"chance": chance, **delay} if delay else chance
            after["start" if before == len(self.names) else self.names[before]] = table
        return {**found, "after": after} if after else found


def fit_statuses(
    events: pd.DataFrame, zone: tzinfo = UTC, cores: Mapping[str, str] | None = None
) -> WorkflowFit:
    """Fit a workflow to a log of status changes.

    Parameters
    ----------
    events : DataFrame
        A row for each change: case, status (the new one), moment, and perhaps resource and group.
    zone : tzinfo, optional
        Of the desk: its hours count, and moments without a zone are of it.
    cores : mapping of str to str, optional
        The twin's statuses for some of the desk's own, where they are known; else they are guessed.
    """
    spells, notes = spells_of(events, zone)
    final = final_statuses(spells)
    stands_for = {
        name: guess(name, bool(final[k]), (cores or {}).get(name))
        for k, name in enumerate(spells.names)
    }
    working = ~final & np.array(
        [OWNERS[STATUSES.index(stands_for[name].core)] == DESK for name in spells.names]
    )
    hands = fit_hands(spells, working)
    spells = cut_at_final(spells, final, notes)
    chances = fit_chances(spells, final)
    delays = fit_delays(spells, final)
    load = load_tests(spells, working)
    chosen, trials = choose(spells, delays, working)
    work = None if chosen is None else work_of(spells, chosen, trials, load)
    for name, one in stands_for.items():
        if one.assumed:
            notes.append(f"{name} counts as {one.core} (assumed: {one.reason})")
    notes += [*summer_note(summer_shift(spells, ~final)), *_drift(chances, delays)]
    started = np.bincount(spells.status[spells.first], minlength=spells.none)
    share = started / started.sum()
    arrivals = _arrivals(spells)
    start = {spells.names[k]: chance for k, chance in _rounded(np.r_[share, 0.0])}
    found = WorkflowFit(
        spells,
        stands_for,
        start,
        chances,
        delays,
        arrivals,
        hands,
        load,
        work,
        (),
        tuple(notes),
        tuple(note_on(spells, trials, chosen)),
    )
    estimates = [
        *Estimates(spells, chances, delays).of(found.as_data()),
        *(work.estimates() if work is not None else ()),
        *(arrivals.estimates if arrivals is not None else ()),
        *hands.estimates,
    ]
    return replace(found, estimates=tuple(estimates))


def _rounded(share: Floats) -> list[tuple[int, float]]:
    """Chances above 0 but for the last, that add up as before."""
    whole = float(share[:-1].sum())
    kept = [(k, round(float(share[k]), 6)) for k in np.flatnonzero(share[:-1] >= 1e-6).tolist()]
    if not kept:
        return []
    most = max(range(len(kept)), key=lambda i: kept[i][1])
    rest = whole - fsum(chance for i, (_, chance) in enumerate(kept) if i != most)
    kept[most] = (kept[most][0], round(rest, 6))
    return kept


def _delay(step: Step, before: int | None, bounds_s: Floats) -> Section:
    """The delay of a step with its clock: usual, or by the status before."""
    found: Section = {"clock": step.way.clock}
    if before is not None:
        found["delay"] = _distribution(step.parts[before])
    elif len(step.bounds_s):
        edges_s = np.r_[0.0, bounds_s]
        bands = [int(np.searchsorted(step.bounds_s, edge, side="right")) for edge in edges_s]
        found["delay_by_age"] = [_distribution(step.parts.get(k, step.values_s)) for k in bands]
    else:
        found["delay"] = _distribution(step.values_s)
    return found


def _distribution(values_s: Floats) -> Section:
    """Delays as a scenario file has them: listed, or by their mean and cv where they are few."""
    mean = float(values_s.mean())
    if len(values_s) >= _LISTED:
        listed = [round(float(value), 1) for value in values_s]
        return {"distribution": "empirical", "values": listed, "unit": "1s"}
    cv = float(values_s.std(ddof=1)) / mean if len(values_s) > 1 and mean > 0 else 0.0
    if cv <= 0.001:
        return {"distribution": "constant", "value": f"{mean:.1f}s"}
    return {"distribution": "lognormal", "mean": f"{mean:.1f}s", "cv": round(min(cv, 20.0), 4)}


def _arrivals(spells: Spells) -> ArrivalsFit | None:
    """Arrivals by whole local days."""
    born_s = spells.start_s[spells.first]
    local = clock.local_s(born_s, spells.midnight)
    day, hour = np.divmod((local // clock.HOUR_S).astype(np.int64), 24)
    # The log may begin and end within a day.
    days = [at for at, _ in clock.days(spells.midnight, float(born_s.max()) + 1.0)][1:-1]
    if len(days) < _FEWEST_DAYS:
        return None
    counts = np.zeros((len(days) + 2, 24))
    np.add.at(counts, (np.clip(day, 0, len(days) + 1), hour), 1)
    return fit_arrivals(DailyCounts(tuple(days), counts[1:-1]))


def _drift(chances: dict[int, Chances], delays: DelaysFit) -> list[str]:
    lives = [one.half_life for one in chances.values() if one.half_life < ALL]
    lives += [step.way.half_life for step in delays.steps if step.way.half_life < ALL]
    if not lives:
        return []
    return [
        f"the desk changed within the log: {len(lives)} chances and delays predict better with "
        f"older tickets counted for less (half-lives of {min(lives):g} to {max(lives):g} days); "
        "what it will do later is less sure than the intervals say"
    ]
