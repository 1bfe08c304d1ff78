"""A guess of a desk's time zone from moments in UTC: its hours of work, and clocks that change."""

from __future__ import annotations

from datetime import UTC, datetime
from math import pi

import numpy as np
import numpy.typing as npt

from twin.history.fit.summer_time import clocks_ahead
from twin.scenario.clock import DAY_S, HOUR_S, WEEK_S

Floats = npt.NDArray[np.float64]
# Fewer moments tell nothing.
_FEWEST = 200
# Office hours: their middle by the desk's own clock, half their length, and the share of work that
# must lie in them. Without such hours there is nothing to go by.
_MIDDLE, _HALF, _SHARE = 13.0, 6.0, 0.8
# Hours by which a desk's middle may differ from that.
_NEAR = 1.5
# Zones by the region whose clocks change with them, and by their distance from UTC in winter.
_ZONES = {
    "Europe/Berlin": {0: "Europe/London", 1: "Europe/Berlin", 2: "Europe/Helsinki"},
    "America/New_York": {-5: "America/New_York", -6: "America/Chicago", -7: "America/Denver",
                         -8: "America/Los_Angeles"},
}  # fmt: skip


def zone_guess(at: Floats) -> str:
    """A sentence with a guess of the zone; empty where the hours of work tell none.

    People begin earlier here and later there, so the hour is known to one or two; a change of the
    clocks tells the region.

    Parameters
    ----------
    at : array of float
        Moments at which people worked, in seconds since 1970 by the clock that is doubted.
    """
    if len(at) < _FEWEST:
        return ""
    start = float(at.min()) // WEEK_S * WEEK_S
    midnight = datetime.fromtimestamp(start, UTC)
    hour = at % DAY_S / HOUR_S
    angle = np.angle(np.exp(2j * pi * hour / 24).mean()) * 24 / (2 * pi)
    away = np.abs((hour - angle + 12) % 24 - 12)
    if float(np.mean(away <= _HALF)) < _SHARE:
        return ""
    offset = (_MIDDLE - angle + 12) % 24 - 12
    ahead = {k: one for k, one in clocks_ahead(at - start, midnight).items() if one.low > 0}
    if ahead:
        # Part of the year is an hour ahead.
        offset -= 0.5
    said = (
        f"most of the work lies around {int(angle % 24):02d}:{int(angle % 1 * 60):02d}; at a desk "
        f"with office hours that is about {_named(offset)}"
    )
    # The days of Europe and of America on which clocks change are close: the hours tell them apart.
    near = [(abs(hours - offset), region, zone) for region in ahead
            for hours, zone in _ZONES[region].items() if abs(hours - offset) <= _NEAR]  # fmt: skip
    if near:
        _, region, zone = min(near)
        said += f", and its clocks change as in {region}: perhaps --zone {zone}"
    return said


def _named(offset: float) -> str:
    hours = round(offset)
    return f"UTC{hours:+d}" if hours else "UTC"
