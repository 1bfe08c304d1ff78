"""The roster of the test for a twin that was fitted to another one.

A twin's heads need not be those on shift: a fit corrects them hour by hour. So the heads that were
seen in the test are taken times the factor by which the twin's differ from those seen in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.history.fidelity.rungs import at
from twin.measures.levels import count_between
from twin.scenario import clock
from twin.scenario.calendars import Staircase, staffing
from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]

# Whole heads change so often at most; in between a fraction is carried on.
_PARTS = 4


def heads_seen(sessions: pd.DataFrame, scenario: Scenario, days: Sequence[int]) -> pd.DataFrame:
    """Heads on shift by day and local hour, from sessions of agents.

    Parameters
    ----------
    sessions : DataFrame
        A row a session: pool, start_s, end_s (seconds since the start of the history).
    scenario : Scenario
        It says when the history starts, and on which clock.
    days : sequence of int
        Ordinals of local dates.

    Returns
    -------
    DataFrame
        Columns day, hour, pool, heads (mean number on shift); hours in which nobody was are left
        out.
    """
    rows = []
    for pool, part in sessions.groupby("pool"):
        start, end = (part[name].to_numpy(dtype=np.float64) for name in ("start_s", "end_s"))
        level = count_between(np.maximum(start, 0.0), np.maximum(end, 0.0))
        for day in days:
            mean = _by_hour(level, scenario, day)
            rows += [(day, hour, pool, mean[hour]) for hour in np.flatnonzero(mean > 0).tolist()]
    return pd.DataFrame(rows, columns=["day", "hour", "pool", "heads"])


def _by_hour(level: Staircase, scenario: Scenario, day: int) -> Floats:
    """Mean of a level in each local hour of a day, shape (24,)."""
    first = date.fromordinal(day)
    edges = [clock.moment(first, hour * 3600.0, scenario.midnight) for hour in range(24)]
    edges.append(clock.moment(first + timedelta(days=1), 0.0, scenario.midnight))
    found: Floats = np.diff(level.integral(np.maximum(edges, 0.0))) / 3600.0
    return found


def roster_of(
    scenario: Scenario, seen: pd.DataFrame, trained: Sequence[int], tested: Sequence[int]
) -> pd.DataFrame:
    """A roster by date of the test, from the heads that were seen at work.

    Parameters
    ----------
    scenario : Scenario
        The twin, with shifts of its own.
    seen : DataFrame
        Columns day (ordinal of the local date), hour (local), pool, heads (mean number on shift).
    trained, tested : sequence of int
        Ordinals of the days that the twin was fitted to, and of the test.

    Returns
    -------
    DataFrame
        Columns date, start, end, heads, pool, as a roster file has them: a row a quarter of an
        hour, with whole heads whose mean over time is what was asked for.
    """
    rows = []
    for pool, part in seen.groupby("pool"):
        factor = _factors(scenario, str(pool), part, trained)
        carried = 0.0
        for row in part[part["day"].isin(tested)].sort_values(["day", "hour"]).to_dict("records"):
            hour = int(row["hour"])
            for quarter in range(_PARTS):
                carried += float(row["heads"]) * factor[hour]
                heads = round(carried)
                carried -= heads
                if heads > 0:
                    start = hour * 60 + quarter * 60 // _PARTS
                    day = date.fromordinal(int(row["day"])).isoformat()
                    rows.append((day, _clock(start), _clock(start + 60 // _PARTS), heads, pool))
    return pd.DataFrame(rows, columns=["date", "start", "end", "heads", "pool"])


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def _factors(
    scenario: Scenario, pool: str, seen: pd.DataFrame, trained: Sequence[int]
) -> list[float]:
    """By local hour, the twin's heads over those seen in training; 1 where nobody was seen."""
    played = at(scenario, trained, "training")
    level = staffing(played.agents[pool], played)
    planned, found = np.zeros(24), np.zeros(24)
    there = seen[seen["day"].isin(trained)]
    np.add.at(found, there["hour"].to_numpy(dtype=np.int64), there["heads"].to_numpy(dtype=float))
    for day in sorted({int(day) for day in there["day"]}):
        planned += _by_hour(level, played, day)
    return [float(p / f) if f > 0 else 1.0 for p, f in zip(planned, found, strict=True)]
