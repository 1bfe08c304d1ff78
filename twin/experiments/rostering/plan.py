"""A plan of shifts: who starts when, with breaks, and the scenario that is staffed by it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.experiments.rostering.assign import Assigned, assign
from twin.experiments.rostering.cover import Cover, Covered, Kind, kinds
from twin.experiments.rostering.week import Week, shift, staffed
from twin.scenario.clock import DAY_S
from twin.scenario.model import DAYS, Scenario
from twin.scenario.sections.work_rules import WorkRules
from twin.scenario.units import format_clock

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """Shifts of a week that keep the rules of work.

    Attributes
    ----------
    covered : Covered
        How many of each kind start on each day, and the bound on what any plan costs.
    assigned : list
        Shift of each agent on each day of `cover.days`.
    cover : Cover
    shifts : DataFrame
        A row a shift: agent, day, start, end, break_start, break_end (missing without one), hours
        (paid).
    scenario : Scenario
        With the pool on these shifts.
    """

    covered: Covered
    assigned: Assigned
    cover: Cover
    shifts: pd.DataFrame
    scenario: Scenario

    @property
    def agents(self) -> int:
        """Agents who have a shift."""
        return len(self.assigned)

    @property
    def hours(self) -> float:
        """Paid hours a week."""
        return float(self.shifts["hours"].sum())


def cover_of(week: Week, rules: WorkRules) -> Cover:
    """The days of a week that are to be covered, and the shifts that the rules allow.

    Raises
    ------
    ScenarioError
        If a rule is no whole number of intervals.
    """
    return Cover(kinds(rules, week.length_s), rules, week.length_s, week.days)


def plan_of(week: Week, pool: str, cover: Cover, covered: Covered) -> Plan | None:
    """The plan of some shifts: given to as few agents as was found possible.

    Returns
    -------
    Plan or None
        None if the agents that the rules allow cannot do it.
    """
    covered = cover.with_fewest(covered)
    most = cover.rules.agents or 2 * covered.agents + 1
    for agents in range(covered.agents, most + 1):
        assigned = assign(cover, covered.number, agents)
        if assigned is not None:
            shifts = _table(week, pool, cover, assigned)
            made = staffed(week.scenario, pool, scenario_shifts(cover, covered.number))
            return Plan(covered, assigned, cover, shifts, made)
    return None


def scenario_shifts(cover: Cover, number: Ints) -> list[dict[str, Any]]:
    """Shifts as a scenario file says them: those with the same hours are one, with their breaks."""
    days = defaultdict(list)
    for place, day in enumerate(cover.days):
        breaks: dict[tuple[int, int], Counter[tuple[int, int]]] = defaultdict(Counter)
        for kind, many in zip(cover.kinds, number[place].tolist(), strict=True):
            if many:
                breaks[kind.start, kind.length][kind.pause, kind.pause_length] += many
        for hours, pauses in breaks.items():
            days[hours, tuple(sorted(pauses.items()))].append(day)
    length_s, found = cover.length_s, []
    for ((start, length), counts), on in sorted(days.items()):
        heads = int(np.sum([many for _, many in counts]))
        made = shift(on, start * length_s, (start + length) * length_s, heads)
        made["breaks"] = [
            {"start": _clock((start + at) * length_s), "heads": many,
             "end": _clock((start + at + pause) * length_s)}
            for (at, pause), many in counts if pause
        ]  # fmt: skip
        found.append(made)
    return found


def steady_shifts(
    cover: Cover, number: Ints, known: dict[tuple[int, int, int], None]
) -> list[dict[str, Any]]:
    """As `scenario_shifts`, each day's hours at the same place in the list for all plans.

    Who comes to a shift is drawn by its place, so plans compared have the same luck there.

    Parameters
    ----------
    cover : Cover
    number : array of int, shape (days, kinds)
    known : dict
        Days, starts and lengths so far, in order; new ones are added.
    """
    made: dict[tuple[int, int, int], dict[str, Any]] = {}
    for place in range(len(cover.days)):
        alone = np.zeros_like(number)
        alone[place] = number[place]
        hours = [
            (k.start, k.length) for k, many in zip(cover.kinds, number[place], strict=True) if many
        ]
        shifts = scenario_shifts(cover, alone)
        made |= {(place, *at): one for at, one in zip(sorted(set(hours)), shifts, strict=True)}
    known |= dict.fromkeys(made)
    length_s = cover.length_s
    return [
        made.get(at) or shift([cover.days[at[0]]], at[1] * length_s, (at[1] + at[2]) * length_s, 0)
        for at in known
    ]


def by_date(plan: Plan, pool: str) -> pd.DataFrame:
    """A roster by date, as `agents.NAME.roster` reads it: a row a stretch of work of one day.

    Columns pool, date, start, end, heads; all days of the run, and the one before it, whose shifts
    may reach into it.
    """
    scenario, cover = plan.scenario, plan.cover
    last = scenario.start + timedelta(days=int(scenario.horizon // DAY_S))
    rows: Counter[tuple[date, str, str]] = Counter()
    day = scenario.start - timedelta(days=1)
    while day <= last:
        if day.weekday() in cover.days:
            for kind, many in zip(
                cover.kinds, plan.covered.number[cover.days.index(day.weekday())].tolist(),
                strict=True,
            ):  # fmt: skip
                for begin, end in _stretches(kind):
                    # A stretch after midnight is one of the next day.
                    on = day + timedelta(days=begin // cover.a_day)
                    times = _clock(begin * cover.length_s), _clock(end * cover.length_s)
                    rows[(on, *times)] += many
        day += timedelta(days=1)
    found = [
        (pool, on.isoformat(), start, end, heads)
        for (on, start, end), heads in sorted(rows.items())
        if heads
    ]
    return pd.DataFrame(found, columns=["pool", "date", "start", "end", "heads"])


def _stretches(kind: Kind) -> list[tuple[int, int]]:
    """Start and end of the work before and after a break, in intervals of its day."""
    end = kind.start + kind.length
    if not kind.pause_length:
        return [(kind.start, end)]
    pause = kind.start + kind.pause
    parts = [(kind.start, pause), (pause + kind.pause_length, end)]
    return [(begin, over) for begin, over in parts if over > begin]


def _clock(seconds: float) -> str:
    return format_clock(seconds % DAY_S)


def _table(week: Week, pool: str, cover: Cover, assigned: Assigned) -> pd.DataFrame:
    members = [member.name for member in week.scenario.agents[pool].members]
    length_s, rows = cover.length_s, []
    for k, of_agent in enumerate(assigned):
        name = members[k] if k < len(members) else f"{pool} {k + 1}"
        for place, kind in enumerate(of_agent):
            if kind is None:
                continue
            pause = kind.start + kind.pause
            away = [pause, pause + kind.pause_length] if kind.pause_length else []
            rows.append({
                "agent": name, "day": DAYS[cover.days[place]],
                "start": _clock(kind.start * length_s),
                "end": _clock((kind.start + kind.length) * length_s),
                "break_start": _clock(away[0] * length_s) if away else None,
                "break_end": _clock(away[1] * length_s) if away else None,
                "hours": kind.work * length_s / 3600,
            })  # fmt: skip
    columns = ["agent", "day", "start", "end", "break_start", "break_end", "hours"]
    return pd.DataFrame(rows, columns=columns)
