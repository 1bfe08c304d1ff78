"""Distances between two logs of status changes, by the package log-distance-measures.

The package is by the authors of the measures (Chapela-Campa and others, Information Systems 127,
2025), under Apache 2.0; version 2.2.0 was the newest in November 2026. It asks for pandas below 3,
with which the twin does not run, but works with newer ones. So it cannot be a dependency; install
it with
`pip install --no-deps log-distance-measures==2.2.0 pulp jellyfish`.
"""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import Any, NamedTuple

import pandas as pd

from twin.common.errors import TwinError

_COLUMNS = {"case": "case", "activity": "status", "resource": "case", "start_time": "moment",
            "end_time": "moment"}  # fmt: skip


class Distances(NamedTuple):
    """Distances of a simulated log from a real one; the smaller, the more alike.

    Attributes
    ----------
    ngd3 : float
        Of what follows what: 3-grams of statuses, 0 to 1.
    ced : float
        Of the hours of the day at which things happen, by weekday; hours.
    red : float
        Of the moments since a ticket's first status; hours.
    ctd : float
        Of whole lives, from a ticket's first status to its last; hours.
    """

    ngd3: float
    ced: float
    red: float
    ctd: float


def log_distances(real: pd.DataFrame, simulated: pd.DataFrame) -> Distances:
    """Distances of a simulated log of status changes from a real one.

    Parameters
    ----------
    real, simulated : DataFrame
        Columns case, status, moment (local times, without a zone).

    Raises
    ------
    TwinError
        If the package is not installed.
    """
    try:
        from log_distance_measures import (
            circadian_event_distribution,
            config,
            cycle_time_distribution,
            n_gram_distribution,
            relative_event_distribution,
        )
    except ImportError:
        raise TwinError(
            "log distances need the package log-distance-measures: "
            "pip install --no-deps log-distance-measures==2.2.0 pulp jellyfish"
        ) from None
    names = config.EventLogIDs(**_COLUMNS)
    logs: tuple[Any, ...] = (real, names, simulated, names)
    hour = timedelta(hours=1)
    with warnings.catch_warnings():
        # What pandas will drop one day is the package's to change.
        warnings.simplefilter("ignore", DeprecationWarning)
        return Distances(
            float(n_gram_distribution.n_gram_distribution_distance(*logs, n=3)),
            float(circadian_event_distribution.circadian_event_distribution_distance(*logs)),
            float(relative_event_distribution.relative_event_distribution_distance(*logs)),
            float(cycle_time_distribution.cycle_time_distribution_distance(*logs, bin_size=hour)),
        )
