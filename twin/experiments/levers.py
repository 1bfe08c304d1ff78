"""Numbers of a scenario that a person may move while looking at its figures: staff and load."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twin.scenario.model import Pool, Scenario
from twin.scenario.sections.base import whole

# A pool of more shifts is moved as a whole: nobody finds one of fifty sliders.
MOST_SHIFTS = 12
# The load may be moved up to this many times the scenario's own.
MOST_LOAD = 4.0
SCALE = "arrivals.scale"


@dataclass(frozen=True)
class Lever:
    """Agents of a pool on one of its shifts, or on all of them.

    Attributes
    ----------
    pool : str
    shift : int or None
        Place in the pool's list of shifts; None: agents around the clock, or added to all shifts.
    name : str
        The pool and when it works, for people.
    value : float
        Agents as the scenario has them; of a whole pool: agents added to each shift.
    least, most : float
        Bounds within which it may be moved.
    """

    pool: str
    shift: int | None
    name: str
    value: float
    least: float
    most: float


def levers(scenario: Scenario) -> list[Lever]:
    """Levers of a scenario's staff, pool by pool in the order of the file.

    Examples
    --------
    >>> import twin
    >>> shifts = [{"days": "Mon-Fri", "start": "09:00", "end": "17:00", "heads": 2}]
    >>> desk = twin.from_data({"arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"shifts": shifts, "handle_time": "5min"}}})
    >>> [(one.name, one.value, one.most) for one in levers(desk)]
    [('all, Mon-Fri 09:00 to 17:00', 2, 7)]
    """
    return [lever for pool in scenario.agents.values() for lever in _of_pool(scenario, pool)]


def _of_pool(scenario: Scenario, pool: Pool) -> list[Lever]:
    extra = pool.extra_heads
    if pool.heads is not None:
        return [_heads(pool.name, None, "around the clock", pool.heads + extra)]
    if pool.shifts is None or len(pool.shifts) > MOST_SHIFTS:
        reach = 5 + abs(extra)
        return [Lever(pool.name, None, f"{pool.name}, added to every shift", extra, -reach, reach)]
    data = scenario.as_data()["agents"][pool.name]["shifts"]
    return [
        _heads(pool.name, number, _when(one), shift.heads + extra)
        for number, (shift, one) in enumerate(zip(pool.shifts, data, strict=True))
    ]


def _heads(pool: str, shift: int | None, when: str, heads: float) -> Lever:
    heads = whole(float(max(0.0, heads)))
    return Lever(pool, shift, f"{pool}, {when}", heads, 0, math.ceil(max(2 * heads, heads + 5)))


def _when(shift: Mapping[str, Any]) -> str:
    return f"{shift.get('days', 'daily')} {shift['start']} to {shift['end']}"


def changes(
    scenario: Scenario, heads: Mapping[Lever, float], load: float | None = None
) -> dict[str, Any]:
    """Changes to a scenario by levers that were moved, as for `Scenario.vary` and ``--set``.

    Parameters
    ----------
    scenario : Scenario
    heads : mapping of Lever to float
        Where levers stand now; beyond its bounds a lever stands at them.
    load : float, optional
        `arrivals.scale`, from 0 to `MOST_LOAD` times the scenario's own, or 1 if that is below 1.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> changes(desk, {levers(desk)[0]: 3}), changes(desk, {}, load=1.0)
    ({'agents.all.heads': 3}, {})
    """
    found: dict[str, Any] = {}
    for lever, asked in heads.items():
        if not math.isfinite(asked):
            continue
        now = whole(float(min(max(asked, lever.least), lever.most)))
        if now == lever.value:
            continue
        pool = scenario.agents[lever.pool]
        if lever.shift is not None or pool.heads is not None:
            found |= _without_extra(scenario, pool, found)
        found[_key(lever, pool)] = now
    own = scenario.arrivals.scale
    if load is not None and math.isfinite(load) and load != own:
        found[SCALE] = min(max(load, 0.0), most_load(scenario))
    return found


def most_load(scenario: Scenario) -> float:
    """Largest `arrivals.scale` to which the load may be moved."""
    return MOST_LOAD * max(scenario.arrivals.scale, 1.0)


def _key(lever: Lever, pool: Pool) -> str:
    if lever.shift is not None:
        return f"agents.{pool.name}.shifts.{lever.shift}.heads"
    return f"agents.{pool.name}.{'extra_heads' if pool.heads is None else 'heads'}"


def _without_extra(scenario: Scenario, pool: Pool, found: Mapping[str, Any]) -> dict[str, Any]:
    """Heads of all levers of a pool as they are with `extra_heads`, and none of these."""
    key = f"agents.{pool.name}.extra_heads"
    if not pool.extra_heads or key in found:
        return {}
    return {key: 0} | {_key(lever, pool): lever.value for lever in _of_pool(scenario, pool)}


def as_tables(varied: Scenario, moved: Mapping[str, Any]) -> dict[str, Any]:
    """Changes as a scenario file can hold them: a list of shifts is one value there.

    Parameters
    ----------
    varied : Scenario
        With the changes.
    moved : mapping of str to value
        From `changes`.
    """
    found: dict[str, Any] = {}
    for key, value in moved.items():
        table, of_shift, _ = key.partition(".shifts.")
        if of_shift:
            pool = varied.as_data()["agents"][table.removeprefix("agents.")]
            found[f"{table}.shifts"] = pool["shifts"]
        else:
            found[key] = value
    return found
