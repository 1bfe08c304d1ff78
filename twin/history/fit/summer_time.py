"""Summer time in a log: whether all happens an hour earlier while the clocks are ahead."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from twin.history.fit.estimate import Estimate
from twin.history.fit.spells import Mask, Spells
from twin.scenario import clock
from twin.stats.intervals import quantile_t

Floats = npt.NDArray[np.float64]

# Regions by one of their zones: the clocks of each change on the same days.
_REGIONS = ("Europe/Berlin", "America/New_York")
# Weeks of summer and of winter that are needed, and events in each.
_FEWEST_WEEKS, _FEWEST_EVENTS = 6, 10


def summer_shift(spells: Spells, human: Mask) -> Estimate | None:
    """Fit of a log's summers to its winters an hour earlier, over the fit without a shift.

    Parameters
    ----------
    spells : Spells
    human : array of bool
        By status: whether people take it.

    Returns
    -------
    Estimate or None
        Mean gain of the logarithm of the chance of an hour of the day, in nats, over the weeks with
        clocks ahead; above 0: the log seems to have UTC. Of the region whose clocks tell most. None
        where the log is too short, or its zone has summer time itself.
    """
    used = human[spells.status]
    if not used.any() or clock.changes(spells.midnight, spells.until_s):
        return None
    found = clocks_ahead(spells.start_s[used], spells.midnight)
    return max(found.values(), key=lambda one: one.low, default=None)


def clocks_ahead(at_s: Floats, midnight: datetime) -> dict[str, Estimate]:
    """As `summer_shift`, of moments in seconds since a midnight, at or after it; by region."""
    week = (at_s // clock.WEEK_S).astype(np.int64)
    hour = (at_s % clock.DAY_S // clock.HOUR_S).astype(np.int64)
    table = np.zeros((int(week.max()) + 1, 24))
    np.add.at(table, (week, hour), 1)
    kept = np.flatnonzero(table.sum(axis=1) >= _FEWEST_EVENTS)
    noons = [clock.local((float(k) + 0.5) * clock.WEEK_S, midnight) for k in kept]
    found = {}
    for region in _REGIONS:
        ahead = np.array([bool(noon.astimezone(ZoneInfo(region)).dst()) for noon in noons], bool)
        if min(ahead.sum(), (~ahead).sum()) < _FEWEST_WEEKS:
            continue
        # An hour that no winter had may come.
        winter = table[kept[~ahead]].sum(axis=0) + 1.0
        gain = np.log(np.roll(winter, -1) / winter)
        summer = table[kept[ahead]]
        gains = summer @ gain / summer.sum(axis=1)
        error = float(gains.std(ddof=1)) / np.sqrt(len(gains))
        half, value = float(quantile_t(len(gains) - 1, 0.975)) * error, float(gains.mean())
        method = f"hours of {len(gains)} weeks with clocks ahead as in {region}, by the other weeks"
        found[region] = Estimate(
            "time_zone", value, "", value - half, value + half, len(kept), method
        )
    return found


def summer_note(shift: Estimate | None) -> list[str]:
    """Words about a log that seems to have UTC, though its desk has summer time."""
    if shift is None or shift.low <= 0:
        return []
    return [
        "all happens an hour earlier while clocks are ahead in summer: the moments look like those "
        "of UTC, at a desk whose clocks change; give its time zone"
    ]
