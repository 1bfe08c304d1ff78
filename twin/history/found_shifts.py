"""Shifts of a week to come as found in a history, hour by hour, and how sure their heads are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from twin.history.calibrated import Data
from twin.history.fit.arrivals import ArrivalsFit, predictor
from twin.history.fit.estimate import Estimate, jackknife
from twin.history.fit.rosters import Sessions
from twin.history.whole_days import Days
from twin.scenario.model import days_text

Floats = npt.NDArray[np.float64]
# Fewer heads are a roster's rounding.
FEWEST_HEADS = 0.05


def week_shifts(
    days: Days, worked: Sessions, hours: Floats, came: ArrivalsFit, key: str
) -> tuple[list[Data], list[Estimate]]:
    """Heads of a week to come, hour by hour, from the rosters as worked.

    Parameters
    ----------
    days : Days
    worked : Sessions
    hours : array of float, shape (24,)
        Factors by which heads were corrected to fit the waits.
    came : ArrivalsFit
    key : str
        Of the shifts in the scenario.

    Returns
    -------
    list of dict
        The key shifts of a pool.
    list of Estimate
        Of the heads of each, with the place of the shift behind the key; their intervals are of the
        heads that were seen at work, times the same factor.
    """
    moments = np.concatenate([
        start + np.arange(25) * (end - start) / 24
        for start, end in pairwise(days.starts)
    ]).reshape(-1, 25)  # fmt: skip
    known = days.only_known(np.array([worked.heads(edges) for edges in moments]))

    def week(kept: npt.NDArray[np.bool_]) -> Floats:
        # As arrivals: where days are alike in one and not in the other, no day would fit.
        return predictor(known.some(kept), came.shape, came.level)[0]

    n = len(known.days)
    heads = np.round(week(np.ones(n, dtype=np.bool_)).reshape(7, 24) * hours, 2)
    low, high = (edge.reshape(7, 24) * hours for edge in jackknife(week, n))
    section: list[Data] = []
    estimates: list[Estimate] = []
    for hour in range(24):
        column = heads[:, hour]
        for value in np.unique(column[column >= FEWEST_HEADS]):
            on = np.flatnonzero(column == value)
            times = {"start": f"{hour:02d}:00", "end": f"{(hour + 1) % 24:02d}:00"}
            fitted = f", x {hours[hour]:.3g} fitted to the waits" if hours[hour] != 1.0 else ""
            method = f"days; sessions of work{fitted}"
            edges = (max(float(low[on, hour].min()), 0.0), float(high[on, hour].max()))
            name = f"{key}[{len(section)}]"
            estimates.append(Estimate(name, float(value), "", *edges, n, method))
            section.append({"days": days_text(on.tolist()), **times, "heads": float(value)})
    return section, estimates
