"""Shifts as people name them, and the roster of a week."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from twin.common.text import short_names
from twin.scenario.calendars import own_shifts, pool_hours, shift_changes
from twin.scenario.clock import WEEK_S
from twin.scenario.model import Pool, Scenario, Shift, parse_days
from twin.scenario.sections.base import whole
from twin.scenario.units import format_clock

_WEEK_H = 168.0


def _hours(shift: Shift) -> str:
    return f"{format_clock(shift.start)}-{format_clock(shift.end)}"


def in_words(key: str, scenario: Scenario) -> str | None:
    """A key of a shift as people name it; None for any other key.

    Parameters
    ----------
    key : str
        Dotted path.
    scenario : Scenario
        Its shifts give days and hours.

    Examples
    --------
    >>> import twin
    >>> shift = {"days": "Mon-Fri", "start": "08:00", "end": "16:00", "heads": 3}
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...     "agents": {"front": {"shifts": [shift], "handle_time": "5min"}}})
    >>> in_words("agents.front.shifts.0.heads", desk)
    'front heads, Mon-Fri 08:00-16:00'
    """
    section, name, list_, k, *rest = [*key.split("."), "", "", ""]
    what = " ".join(part for part in rest if part).replace("_", " ")
    if (section, list_) != ("agents", "shifts") or name not in scenario.agents or not what:
        return None
    shifts = scenario.agents[name].shifts or []
    if not k.isdigit() or int(k) >= len(shifts):
        return None
    shift = shifts[int(k)]
    return f"{name} {what}, {shift.days} {_hours(shift)}"


def names(keys: Iterable[str], scenario: Scenario | None) -> dict[str, str]:
    """Keys as people name them, each by a name of its own.

    Keys of shifts are named by `in_words`; the others by their last parts, as few as tell them
    apart.

    Examples
    --------
    >>> names(["arrivals.scale", "assistant.model"], None)
    {'arrivals.scale': 'arrivals.scale', 'assistant.model': 'assistant.model'}
    """
    keys = list(keys)
    found = short_names(keys)
    if scenario is None:
        return found
    words = {key: in_words(key, scenario) for key in keys}
    said = list(words.values())
    return {key: w if (w := words[key]) and said.count(w) == 1 else found[key] for key in keys}


def roster(scenario: Scenario) -> pd.DataFrame:
    """The shifts of an ordinary week, without holidays.

    Returns
    -------
    DataFrame
        A row a shift (first those that members have of their own): pool, days, hours, heads (with
        extra heads), agent_hours (a week, without breaks and who does not come), cost (USD a week
        by the pool's rate; missing where it has none). Work past the end of a shift is not in it.
        A roster by date is one row: the most heads at once, and the hours of a week of the run, on
        average.

    Examples
    --------
    >>> import twin
    >>> shift = {"days": "Mon-Fri", "start": "08:00", "end": "16:00", "heads": 3}
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...     "agents": {"front": {"shifts": [shift], "handle_time": "5min", "cost": 20}}})
    >>> print(roster(desk).to_string(index=False))
     pool    days       hours  heads  agent_hours   cost
    front Mon-Fri 08:00-16:00      3        120.0 2400.0
    """
    rows = []
    for name, pool in scenario.agents.items():
        rows += [_of_shift(name, pool, shift, having) for shift, having in _own_shifts(pool)]
        if pool.roster is not None:
            level, end = pool_hours(pool, scenario), np.array([scenario.horizon])
            most = whole(float(level.values[level.times < scenario.horizon].max()))
            hours = float(level.integral(end)[0]) / 3600 * WEEK_S / scenario.horizon
            rows.append(_row(name, pool, "by date", "by date", most, hours))
            continue
        if pool.shifts is None:
            heads = whole(float(max(0, (pool.heads or 0) + pool.extra_heads)))
            hours = heads * (1 - pool.shrinkage) * _WEEK_H
            rows.append(_row(name, pool, "daily", "around the clock", heads, hours))
            continue
        for shift in pool.shifts:
            heads = whole(float(max(0, shift.heads + pool.extra_heads)))
            rows.append(_of_shift(name, pool, shift, heads))
    return pd.DataFrame(rows, columns=["pool", "days", "hours", "heads", "agent_hours", "cost"])


def _own_shifts(pool: Pool) -> list[tuple[Shift, int]]:
    """Shifts of members who have their own, each with how many have it."""
    found: dict[str, tuple[Shift, int]] = {}
    for member in pool.members:
        for shift in own_shifts(member):
            found[repr(shift)] = shift, found.get(repr(shift), (shift, 0))[1] + 1
    return list(found.values())


def _of_shift(
    name: str, pool: Pool, shift: Shift, heads: float
) -> tuple[str, str, str, float, float, float]:
    steps = shift_changes(shift, heads, pool.shrinkage)
    a_day = -math.fsum(at * more for at, more in steps) / 3600
    return _row(name, pool, shift.days, _hours(shift), heads, a_day * len(parse_days(shift.days)))


def _row(
    name: str, pool: Pool, days: str, hours: str, heads: float, agent_hours: float
) -> tuple[str, str, str, float, float, float]:
    cost = float("nan") if pool.cost is None else agent_hours * pool.cost
    return name, days, hours, heads, agent_hours, cost
