"""A desk as calibrated to its history: its scenario, and what each number of it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.history.fit.capacity import CapacityFit
from twin.history.fit.estimate import Estimate
from twin.scenario import clock

Data = dict[str, Any]
# Length of the forecast that a calibrated scenario plays.
FORECAST_DAYS = 28


def whole_days(first: date, days: int, time_zone: str) -> str:
    """Length of whole days of the desk's clock, as scenario files write it.

    Examples
    --------
    >>> whole_days(date(2026, 3, 22), 28, "Europe/London"), whole_days(date(2026, 3, 22), 28, "UTC")
    ('671h', '28d')
    """
    start = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(time_zone))
    length_s = clock.moment(first + timedelta(days=days), 0.0, start)
    return f"{days}d" if length_s == days * clock.DAY_S else f"{length_s / clock.HOUR_S:g}h"


@dataclass(frozen=True)
class Factors:
    """Factors of a number of the scenario, or of the numbers of a list, in all versions.

    Attributes
    ----------
    key : tuple of str
        As of `twin.experiments.versions.Number`.
    values : array of float, shape (versions,) or (versions, length of the list)
    """

    key: tuple[str, ...]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """A desk as calibrated.

    Attributes
    ----------
    data : dict
        The scenario, a forecast from the end of the history on; its files are named in `files`.
    as_it_was : dict or None
        The scenario of the history itself: its arrivals as a trace, its roster as worked. None
        where that is not known.
    files : dict of str to DataFrame
        Tables that the scenarios name.
    estimates : tuple of Estimate
    days : tuple of date
        Days that it rests on.
    said : tuple of str
        Sentences that stand at the head of the file: how well it fits, what was left out or chosen,
        and what must not be concluded from it.
    capacity : CapacityFit or None
        How far agents are there, fitted by simulation; None where no work was seen.
    pools : dict of str to CapacityFit
        The same of each pool for itself, by its name.
    versions : tuple of Factors
        Its numbers as resampled days of the history give them; see `twin.history.versions`.
    """

    data: Data
    as_it_was: Data | None
    files: dict[str, pd.DataFrame]
    estimates: tuple[Estimate, ...]
    days: tuple[date, ...]
    said: tuple[str, ...]
    capacity: CapacityFit | None = None
    pools: dict[str, CapacityFit] = field(default_factory=dict)
    versions: tuple[Factors, ...] = ()
