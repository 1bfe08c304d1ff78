"""Ramps at the edges of a history: first or last days that are not like those beside them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from twin.history.fit.arrivals import DailyCounts
from twin.history.forecast.level import fit_level

_EDGE = 7
# Days beside an edge that it is held against.
_FEWEST = 14
_PATHS = 2000
_SEED = 19
# Far below what the days beside it let expect: the tail of a forecast, and the share of its middle.
_TAIL, _SHARE = 0.002, 0.6
# Tickets that were to be expected later on the last day, where it is not whole: exp(-7) of none.
_CERTAIN = 7.0


def edges(history: DailyCounts) -> list[str]:
    """Sentences on a first or last week with far fewer arrivals than the days beside it.

    An export that was cut off, or a desk that moved to another tool, looks so; the level of the
    last days is what all days ahead rest on.

    Parameters
    ----------
    history : DailyCounts
        Without unusual days.
    """
    found = []
    if _far_fewer(history):
        start = history.days[-1] - timedelta(days=_EDGE - 1)
        found.append(
            f"Far fewer tickets came in the last week, from {start}, than the days before it let "
            f"expect: is the export complete? --until {start} leaves that week out."
        )
    if _far_fewer(_turned(history)):
        first = history.days[0] + timedelta(days=_EDGE)
        found.append(
            f"Far fewer tickets came in the first week, before {first}, than in the days after it: "
            f"did the desk begin then, or the export? --since {first} leaves that week out."
        )
    return found


def cut_short(history: DailyCounts) -> bool:
    """True if the last day ends long before tickets cease to come on others: it is not whole.

    Parameters
    ----------
    history : DailyCounts
    """
    last = history.counts[-1]
    hours = np.flatnonzero(last)
    alike = history.some(history.weekday == history.weekday[-1]).counts[:-1]
    if not len(hours) or len(alike) < 2:
        return False
    later = float(alike[:, hours[-1] + 1 :].sum(axis=1).mean())
    # By chance none would come so late in less than one case of a thousand.
    return bool(later > _CERTAIN)


def _turned(history: DailyCounts) -> DailyCounts:
    """The days in the other order, each on a day of its own weekday."""
    weeks = int(history.number[-1]) // 7 + 1
    last = history.days[0] + timedelta(days=7 * weeks)
    # A day k weeks and d days after the first lies k weeks before the last, on the same weekday.
    days = [
        last - timedelta(days=7 * (k // 7 + 1)) + timedelta(days=k % 7)
        for k in map(int, history.number)
    ]
    order = np.argsort([day.toordinal() for day in days])
    return DailyCounts(tuple(days[k] for k in order), history.counts[order])


def _far_fewer(history: DailyCounts) -> bool:
    last = history.days[-1]
    late = np.array([(last - day).days < _EDGE for day in history.days])
    before, after = history.some(~late), history.some(late)
    if len(before.days) < _FEWEST:
        return False
    begin = before.days[-1] + timedelta(days=1)
    place = np.array([(day - begin).days for day in after.days])
    rng = np.random.default_rng(np.random.SeedSequence(_SEED))
    drawn = fit_level(before).paths(int(place[-1]) + 1, _PATHS, rng).counts(rng)[:, place]
    ways, seen = drawn.sum(axis=1), float(after.totals.sum())
    return bool((ways <= seen).mean() < _TAIL and seen < _SHARE * np.median(ways))
