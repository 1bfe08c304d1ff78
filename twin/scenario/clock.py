"""Local time of a run: its moments, in seconds since the start, on the clock of a time zone.

Days are not 86,400 s where the clocks change, and hours do not begin at whole hours since the start
where they change by 30 min. All that shows or counts by local time goes through here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HOUR_S, DAY_S, WEEK_S = 3600.0, 86400.0, 604_800.0


def midnight(day: date, zone: tzinfo = UTC) -> datetime:
    """The first moment of a day in a zone, from which a run counts its seconds.

    Where midnight comes twice it is the first; where the clocks skip it, the moment they do.
    """
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def local(moment_s: float, start: datetime) -> datetime:
    """A moment of a run as a local time.

    Parameters
    ----------
    moment_s : float
        Seconds since the start.
    start : datetime
        Start of the run, as `Scenario.midnight`; its zone is the one that counts.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> start = midnight(date(2026, 10, 25), ZoneInfo("Europe/London"))  # the clocks go back
    >>> f"{local(36_000.0, start):%H:%M}"
    '09:00'
    """
    return (start.astimezone(UTC) + timedelta(seconds=moment_s)).astimezone(start.tzinfo)


def moment(day: date, clock_s: float, start: datetime, zone: tzinfo | None = None) -> float:
    """The moment at which a local clock shows a time of a day; seconds since the start.

    A time that comes twice is the first; one that the clocks skip goes by the clock before that.

    Parameters
    ----------
    day : date
    clock_s : float
        Seconds after midnight by the clock, also above 24 h.
    start : datetime
        Start of the run, as `Scenario.midnight`.
    zone : tzinfo, optional
        Of the clock; by default that of the start.
    """
    return _timestamp(day, clock_s, zone or start.tzinfo) - start.timestamp()


# A roster by date asks for the same moments again and again.
@lru_cache(maxsize=1 << 14)
def _timestamp(day: date, clock_s: float, zone: tzinfo | None) -> float:
    shown = datetime(day.year, day.month, day.day) + timedelta(seconds=clock_s)
    return shown.replace(tzinfo=zone).timestamp()


def changes(start: datetime, end_s: float) -> list[tuple[float, float]]:
    """Changes of the clocks within a run.

    Returns
    -------
    list of (float, float)
        Moment, and by how many seconds the clocks go forward (negative: back).
    """
    edges, ahead = _ahead(start, int(max(end_s, 0.0) // DAY_S) + 2)
    found = zip(edges[1:].tolist(), np.diff(ahead).tolist(), strict=True)
    return [(at, by) for at, by in found if at < end_s]


def local_s(moments_s: npt.ArrayLike, start: datetime) -> Floats:
    """Local clock at moments, in seconds of the clock since midnight of the first day.

    Hours and days of the clock are then whole numbers of 3,600 and 86,400 of these seconds.

    Parameters
    ----------
    moments_s : array of float
        Seconds since the start, none before it.
    start : datetime
        As `Scenario.midnight`.
    """
    at = np.asarray(moments_s, dtype=np.float64)
    edges, ahead = _ahead(start, int(at.max(initial=0.0) // DAY_S) + 2)
    shown: Floats = at + ahead[np.searchsorted(edges, at, side="right") - 1]
    return shown


def hour_of_week(moments_s: npt.ArrayLike, start: datetime) -> Ints:
    """Local hour of the week at moments, 0 is Monday midnight."""
    hours = np.floor(local_s(moments_s, start) / HOUR_S).astype(np.int64)
    return (hours + start.weekday() * 24) % 168


def by_hour(factors: list[float], moments_s: npt.ArrayLike, start: datetime) -> Floats:
    """Factors at moments, from 24 by local hour of the day or 168 by hour of the week.

    What came before the start counts as come at it.
    """
    hour = hour_of_week(np.maximum(np.asarray(moments_s, dtype=np.float64), 0.0), start)
    found: Floats = np.resize(np.asarray(factors, dtype=np.float64), 168)[hour]
    return found


def hours(start: datetime, end_s: float) -> Floats:
    """Moments at which local hours begin and at which the clocks change, from 0 on, beyond the end.

    Between two of them the local hour and the local day are the same.
    """
    edges = [0.0, *(at for at, _ in changes(start, end_s)), end_s]
    ahead = local_s(edges[:-1], start) - edges[:-1]
    parts = [
        np.arange(np.floor((low + by) / HOUR_S), np.ceil((high + by) / HOUR_S)) * HOUR_S - by
        for low, high, by in zip(edges, edges[1:], ahead.tolist(), strict=False)
    ]
    inside = np.concatenate([part[part > low] for part, low in zip(parts, edges, strict=False)])
    last = np.ceil((end_s + ahead[-1]) / HOUR_S) * HOUR_S - ahead[-1]
    return np.union1d(np.append(inside, last), edges[:-1])


def days(start: datetime, end_s: float) -> Iterator[tuple[date, float]]:
    """Local days of a run, each with the moment of its midnight; the first begins at 0."""
    day = start.date()
    while (at := max(0.0, moment(day, 0.0, start))) < end_s:
        yield day, at
        day += timedelta(days=1)


@lru_cache(maxsize=64)
def _ahead_in(start_utc: datetime, day: date, zone: tzinfo, count: int) -> tuple[Floats, Floats]:
    first = datetime(day.year, day.month, day.day)

    def ahead(at: int) -> float:
        """Lead of the local clock over the time that has passed."""
        shown = (start_utc + timedelta(seconds=at)).astimezone(zone).replace(tzinfo=None)
        return (shown - first).total_seconds() - at

    edges, values = [0], [ahead(0)]
    for k in range(count):
        until = (k + 1) * 86_400
        last = ahead(until)
        while values[-1] != last:
            low, high = max(edges[-1], k * 86_400), until
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if ahead(middle) == values[-1] else (low, middle)
            edges.append(high)
            values.append(ahead(high))
    return np.array(edges, dtype=np.float64), np.array(values)


def _ahead(start: datetime, count: int) -> tuple[Floats, Floats]:
    """Steps of how far the local clock is ahead, over so many days: their edges and values."""
    # Runs of about the same length share a search.
    count = 8 << max(0, count // 8).bit_length()
    assert start.tzinfo is not None
    return _ahead_in(start.astimezone(UTC), start.date(), start.tzinfo, count)
