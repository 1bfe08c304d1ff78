"""Measures of one set of records against another, each defined once: name, unit, words, function.

Nothing here knows which set is the desk's and which the twin's, but for signs (the other one less
the first) and weights (the first one's).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.history.fidelity.period import Period
from twin.stats.distance import wasserstein

Floats = npt.NDArray[np.float64]

# Clocks of exports count whole seconds: a shorter wait is none.
NO_WAIT_S = 0.5
# A weekday is like the usual ones if its daily load is within this factor of their median: open
# desks differ by half, weekends and half days by more (assumed).
ALIKE = 0.6
# Hours with less of the load of a day than this are too few to be judged by hour (assumed).
LEAST_OF_DAY = 0.01


@dataclass(frozen=True)
class Alike:
    """The weekdays that are alike, and their hours that are compared one by one.

    Attributes
    ----------
    weekdays : tuple of int
        0 is Monday.
    hours : tuple of int
        Local hours.
    """

    weekdays: tuple[int, ...]
    hours: tuple[int, ...]

    def of(self, tickets: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """True for tickets of these weekdays and hours."""
        weekday, hour = np.zeros(7, dtype=np.bool_), np.zeros(24, dtype=np.bool_)
        weekday[list(self.weekdays)] = hour[list(self.hours)] = True
        there: npt.NDArray[np.bool_] = weekday[tickets["weekday"].to_numpy(dtype=np.int64)]
        there &= hour[tickets["hour"].to_numpy(dtype=np.int64)]
        return there


def alike(real: Period) -> Alike:
    """Weekdays and hours by which a desk's days are compared hour by hour.

    Weekdays whose mean number of arrivals a day is between 0.6 and 1 / 0.6 times the median of all
    weekdays; of these the local hours with at least 1 % of their arrivals.

    Parameters
    ----------
    real : Period
        The desk's records: all there are, so that it is the same for each test.
    """
    load = real.days.groupby("weekday")["arrivals"].mean()
    usual = float(load.median())
    near = (load >= ALIKE * usual) & (load <= usual / ALIKE) & (load > 0)
    weekdays = tuple(int(day) for day in load.index[near])
    here = real.tickets[real.tickets["weekday"].isin(weekdays).to_numpy()]
    count = np.bincount(here["hour"].to_numpy(dtype=np.int64), minlength=24)
    hours = np.flatnonzero(count >= LEAST_OF_DAY * max(len(here), 1))
    return Alike(weekdays, tuple(hours.tolist()))


def served_waits(one: Period) -> Floats:
    """Waits of tickets that an agent took; seconds."""
    found: Floats = one.tickets["wait_s"].to_numpy()[one.tickets["served"].to_numpy()]
    return found[~np.isnan(found)]


def _known(values: pd.Series[float]) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    return found[~np.isnan(found)]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def wait_mean(one: Period) -> float:
    """Mean wait of served tickets."""
    waits = served_waits(one)
    return float(waits.mean()) if len(waits) else float("nan")


def waiting_share(one: Period) -> float:
    """Share of served tickets that waited longer than 0.5 s."""
    waits = served_waits(one)
    return float((waits > NO_WAIT_S).mean()) if len(waits) else float("nan")


def abandoned_share(one: Period) -> float:
    """Share of tickets that joined and were abandoned."""
    return _share(float(one.tickets["abandoned"].sum()), float(len(one.tickets)))


def handle_mean(one: Period) -> float:
    """Mean length of a finished spell of work, wrap-up left out."""
    return float(one.touches["handle_s"].mean()) if len(one.touches) else float("nan")


def arrivals_a_day(one: Period) -> float:
    """Tickets a day that joined."""
    return _share(len(one.tickets) / one.copies, float(len(one.days)))


def resolved_a_day(one: Period) -> float:
    """Tickets resolved a day, by the moment of their last resolution."""
    return _share(float(one.days["resolved"].to_numpy().sum()) / one.copies, float(len(one.days)))


def open_mean(one: Period) -> float:
    """Tickets open, on average over the time of the days."""
    length = float(one.days["length_s"].to_numpy().sum())
    return _share(float(one.days["open_s"].to_numpy().sum()) / one.copies, length)


def wait_distance(real: Period, other: Period, _: Alike) -> float:
    """1-Wasserstein distance between the waits of served tickets."""
    return wasserstein(served_waits(real), served_waits(other))


def abandonment(real: Period, other: Period, _: Alike) -> float:
    """Abandoned tickets as a share of those that joined, the other's less the desk's."""
    return 100 * (abandoned_share(other) - abandoned_share(real))


def waiting(real: Period, other: Period, _: Alike) -> float:
    """Share of served tickets that waited longer than 0.5 s, the other's less the desk's."""
    return 100 * (waiting_share(other) - waiting_share(real))


def hourly(real: Period, other: Period, alike: Alike) -> float:
    """Mean absolute error of the mean wait by local hour, on the weekdays that are alike.

    Of each hour the mean wait of served tickets that arrived in it, all days together; errors are
    weighted by the desk's served tickets of the hour. An hour in which the other has served nobody
    counts with a mean of 0. See `alike` for the weekdays and hours.
    """
    (number, mine), (_, theirs) = hour_means(real, alike), hour_means(other, alike)
    if not number.any():
        return float("nan")
    return float(np.average(np.abs(mine - theirs), weights=number))


def hour_means(one: Period, alike: Alike) -> tuple[Floats, Floats]:
    """Served tickets and their mean wait by local hour, shape (24,) each; 0 where none was."""
    there = one.tickets["served"].to_numpy() & alike.of(one.tickets)
    hour, wait = (one.tickets[name].to_numpy()[there] for name in ("hour", "wait_s"))
    number = np.bincount(hour, minlength=24).astype(np.float64)
    total = np.bincount(hour, wait, 24)
    mean: Floats = np.zeros(24)
    np.divide(total, number, out=mean, where=number > 0)
    return number, mean


def response_distance(real: Period, other: Period, _: Alike) -> float:
    """1-Wasserstein distance between times to first response."""
    return wasserstein(_known(real.tickets["response_s"]), _known(other.tickets["response_s"]))


def resolution_distance(real: Period, other: Period, _: Alike) -> float:
    """1-Wasserstein distance between times from arrival to last resolution, of resolved tickets."""
    return wasserstein(_known(real.tickets["resolution_s"]), _known(other.tickets["resolution_s"]))


def handle_distance(real: Period, other: Period, _: Alike) -> float:
    """1-Wasserstein distance between lengths of finished spells of work, wrap-up left out."""
    return wasserstein(_known(real.touches["handle_s"]), _known(other.touches["handle_s"]))


def backlog(real: Period, other: Period, _: Alike) -> float:
    """Mean number of open tickets, the other's relative to the desk's, less 1."""
    return 100 * (_share(open_mean(other), open_mean(real)) - 1)


def throughput(real: Period, other: Period, _: Alike) -> float:
    """Tickets resolved a day, the other's relative to the desk's, less 1."""
    return 100 * (_share(resolved_a_day(other), resolved_a_day(real)) - 1)


# Facts that measures and figures rest on; where records do not hold one, they are missing.
NEEDS: dict[str, tuple[str, ...]] = {
    "work": ("wait", "waiting", "hourly", "handle", "wait_mean", "waiting_share", "handle_mean"),
    "abandonments": ("abandonment", "abandoned_share"),
    "responses": ("response",),
    "resolutions": ("resolution", "backlog", "throughput", "open_mean", "resolved_a_day"),
}

Unit = Literal["s", "points", "%"]


@dataclass(frozen=True)
class Measure:
    """A measure of one set of records against another; 0 is no difference.

    Attributes
    ----------
    name, label : str
    unit : {"s", "points", "%"}
    of : callable
        Takes the desk's records, the other ones, and the weekdays and hours that are alike.
    """

    name: str
    label: str
    unit: Unit
    of: Callable[[Period, Period, Alike], float]

    @property
    def definition(self) -> str:
        """First paragraphs of the docstring of its function, in one line."""
        return " ".join((self.of.__doc__ or "").split())


MEASURES: dict[str, Measure] = {
    one.name: one
    for one in (
        Measure("wait", "wait", "s", wait_distance),
        Measure("abandonment", "abandonment", "points", abandonment),
        Measure("waiting", "share waiting", "points", waiting),
        Measure("hourly", "hourly mean wait", "s", hourly),
        Measure("response", "first response", "s", response_distance),
        Measure("resolution", "resolution", "s", resolution_distance),
        Measure("handle", "handle time", "s", handle_distance),
        Measure("backlog", "open tickets", "%", backlog),
        Measure("throughput", "throughput", "%", throughput),
    )
}

# Figures of one set of records, shown beside the measures.
FIGURES: dict[str, tuple[str, str, Callable[[Period], float]]] = {
    "arrivals_a_day": ("arrivals a day", "tickets", arrivals_a_day),
    "wait_mean": ("mean wait", "s", wait_mean),
    "waiting_share": ("share waiting", "share", waiting_share),
    "abandoned_share": ("abandoned", "share", abandoned_share),
    "handle_mean": ("mean handle time", "s", handle_mean),
    "open_mean": ("open tickets", "tickets", open_mean),
    "resolved_a_day": ("resolved a day", "tickets", resolved_a_day),
}


def _missing(unknown: frozenset[str]) -> set[str]:
    return {name for fact in unknown for name in NEEDS.get(fact, ())}


def compared(real: Period, other: Period, alike: Alike) -> dict[str, float]:
    """All measures of some records against the desk's; missing where a fact is."""
    gone = _missing(real.unknown | other.unknown)
    return {
        name: float("nan") if name in gone else measure.of(real, other, alike)
        for name, measure in MEASURES.items()
    }


def figures(one: Period) -> dict[str, float]:
    """All figures of one set of records; missing where a fact is."""
    gone = _missing(one.unknown)
    return {name: float("nan") if name in gone else of(one) for name, (_, _, of) in FIGURES.items()}


def by_group(real: Period, other: Period, alike: Alike, least: int = 30) -> pd.DataFrame:
    """Measures by kind, by priority and by channel.

    Parameters
    ----------
    real, other : Period
    alike : Alike
    least : int
        Groups with fewer of the desk's tickets are left out.

    Returns
    -------
    DataFrame
        Columns by ("kind", "priority" or "channel"), group, tickets (the desk's), other_tickets,
        and a column a measure; open work and throughput are missing.
    """
    rows: list[dict[str, Any]] = []
    for column in ("kind", "priority", "channel"):
        counts = real.tickets[column].value_counts()
        names = sorted(str(name) for name in counts.index[counts >= least] if name)
        for name in names if len(names) > 1 else ():
            mine, theirs = real.where(column, name), other.where(column, name)
            row: dict[str, Any] = {"by": column, "group": name, "tickets": len(mine.tickets)}
            row["other_tickets"] = len(theirs.tickets) / other.copies
            rows.append(row | compared(mine, theirs, alike))
    return pd.DataFrame(rows, columns=["by", "group", "tickets", "other_tickets", *MEASURES])
