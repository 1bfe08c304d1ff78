"""Hours of a week: agents of a pool on shift, as it is and in another roster, and tickets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twin.common.errors import ScenarioError
from twin.demand.arrivals import expected
from twin.experiments.rostering.week import Week
from twin.scenario.model import Scenario

_HOUR_S = 3600.0


def agents_by_hour(today: Scenario, found: Scenario, pool: str) -> pd.DataFrame:
    """Agents of a pool on shift in each hour of the local week, in two scenarios.

    Parameters
    ----------
    today, found : Scenario
        With the same start, time zone, warm-up and horizon, and both with the pool.
    pool : str

    Returns
    -------
    DataFrame
        A row an hour that the run holds: day, start, today, agents (of `found`), both without
        breaks, and tickets expected at the load of `found`, a mean over weeks (missing where the
        files of the scenario are gone).

    Examples
    --------
    >>> import twin
    >>> shift = {"days": "Mon-Fri", "start": "08:00", "end": "10:00", "heads": 2}
    >>> desk = twin.from_data({"horizon": "1d", "start": "2026-01-05", "arrivals": {"rate": "6/h"},
    ...     "agents": {"front": {"shifts": [shift], "handle_time": "5min"}}})
    >>> more = desk.vary({"agents.front.shifts.0.heads": 3})
    >>> print(agents_by_hour(desk, more, "front").query("agents > 0").to_string(index=False))
    day start  today  agents  tickets
    Mon 08:00    2.0     3.0      6.0
    Mon 09:00    2.0     3.0      6.0
    """
    week = Week(found, _HOUR_S)
    seen = week.seen > 0
    try:
        came = expected(found)
        each = came.before(week.starts_s + _HOUR_S) - came.before(week.starts_s)
        total = np.bincount(week.slot(week.starts_s), each, week.size)
        tickets = total[seen] / week.seen[seen]
    except (ScenarioError, OSError):
        tickets = np.full(int(seen.sum()), np.nan)
    places = [week.label(int(k)) for k in np.flatnonzero(seen)]
    return pd.DataFrame({
        "day": [day for day, _, _ in places],
        "start": [start for _, start, _ in places],
        "today": Week(today, _HOUR_S).agents(pool)[seen],
        "agents": week.agents(pool)[seen],
        "tickets": tickets,
    })  # fmt: skip
