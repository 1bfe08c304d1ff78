"""Faults of a load beside the length of a run: growth without end, factors of too few days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from math import log, log1p

from twin.common.errors import Fault
from twin.scenario.clock import WEEK_S, days
from twin.scenario.sections.demand import Arrivals

_MOST_GROWTH = 1000


def load_faults(
    arrivals: Arrivals, work: Mapping[str, float], start: datetime, horizon_s: float
) -> Iterator[Fault]:
    """Growth that a run is too long for, and factors of fewer days than it has.

    Parameters
    ----------
    arrivals : Arrivals
    work : mapping of str to float
        Growth of handle times a week, by key.
    start : datetime
    horizon_s : float
    """
    weeks = horizon_s / WEEK_S
    for key, growth in {"arrivals.growth": arrivals.growth, **work}.items():
        # A slip of the pen, or a week meant as a year; in logarithms: the power itself may be more
        # than any number.
        if weeks * log1p(growth) > log(_MOST_GROWTH):
            reason = f"grows to over {_MOST_GROWTH:,} times its size in the {weeks:,.3g} weeks"
            yield Fault(key, f"{reason} of the run", growth, "it is a share a week")
    count = len(list(days(start, horizon_s))) if arrivals.day_factors else 0
    if len(arrivals.day_factors) < count:
        reason = f"holds the factors of {len(arrivals.day_factors)} days, and the run has {count}"
        hint = "end the run earlier (horizon), or leave them out with day_factors = []"
        yield Fault("arrivals.day_factors", reason, hint=hint)
