"""Designs: the points of a study, each a scenario with some keys changed.

Every point keeps the seed of its base, so that all of them meet the same customers on the same days
(common random numbers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from twin.common.errors import Fault, ScenarioError
from twin.experiments.checks import check, check_recording
from twin.experiments.studies.file import Plan, Range, unit_of
from twin.scenario.changes import clean_name
from twin.scenario.model import Scenario

# More would be a slip of the pen: each is played several times.
MAX_POINTS = 100_000

Changes = dict[str, Any]
# The text or number in a factor's column, and the keys that the level sets.
Level = tuple[Any, Changes]


@dataclass(frozen=True)
class Point:
    """A point of a design.

    Attributes
    ----------
    number : int
        0 first.
    factors : dict
        Level by factor, as its column shows it; a column holds numbers or texts.
    scenario : Scenario
        As played.
    base : str
        Name of the scenario that it varies.
    changes : dict
        What it changes in that, by dotted key path.
    """

    number: int
    factors: dict[str, Any]
    scenario: Scenario
    base: str
    changes: Changes


def design(plan: Plan) -> list[Point]:
    """The points of a study.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of Point
        With several scenarios each of them is varied, and they are the factor "base".

    Raises
    ------
    ScenarioError
        If a point is no valid scenario.
    """
    file = plan.file
    points: list[Point] = []
    several = len(plan.bases) > 1
    faults: dict[str, Fault] = {}
    combined = _combined(plan)
    _require_few(plan, len(combined) * len(plan.bases))
    for base in plan.bases:
        for levels in combined:
            own = {"base": base.name} if several else {}
            shown = {name: level[0] for name, level in levels.items() if level is not None}
            changes: Changes = {}
            for level in levels.values():
                changes |= level[1] if level is not None else {}
            try:
                scenario = base.vary(changes, name=_name(len(points), own, shown))
                check(scenario, beside=points[-1].scenario if points else None)
                check_recording(scenario)
            except ScenarioError as error:
                faults |= {str(fault): fault for fault in error.faults}
                continue
            for name, level in levels.items():
                shown.setdefault(name, as_in_base(base, plan, name) if level is None else None)
            ordered = {name: shown[name] for name in file.factors}
            points.append(Point(len(points), own | ordered, scenario, base.name, changes))
    if faults:
        raise ScenarioError(file.name, list(faults.values()))
    return _of_one_kind(points)


def _require_few(plan: Plan, count: float) -> None:
    """Refuse too many points, before memory does."""
    if count > MAX_POINTS:
        reason = f"{count:.15g} points; at most {MAX_POINTS}"
        raise ScenarioError(plan.file.name, [Fault("factors", reason)])


def _of_one_kind(points: list[Point]) -> list[Point]:
    """Points whose factors are columns: all numbers, or else all texts."""
    for name in points[0].factors:
        column = [point.factors[name] for point in points]
        if not all(isinstance(x, int | float) and not isinstance(x, bool) for x in column):
            for point in points:
                point.factors[name] = str(point.factors[name])
    return points


def levels_of(plan: Plan, name: str) -> list[Level]:
    """The levels of a factor: those listed, or every whole number of a range.

    Raises
    ------
    ScenarioError
        If it is a range of which not only whole numbers are meant.
    """
    factor = plan.file.factors[name]
    if isinstance(factor, list):
        return [(_shown(value), {name: plan.anchored(name, value)}) for value in factor]
    if isinstance(factor, dict):
        return [
            (label, {key: plan.anchored(key, value) for key, value in changes.items()})
            for label, changes in factor.items()
        ]
    if not factor.whole:
        reason = 'a range needs whole = true here, or design = "latin hypercube"'
        raise ScenarioError(plan.file.name, [Fault(f"factors.{name}", reason)])
    low, high = factor.bounds
    _require_few(plan, high - low + 1)
    unit = unit_of(factor.low)
    values = [_with_unit(k, unit) for k in range(int(low), int(high) + 1)]
    return [(value, {name: value}) for value in values]


def _combined(plan: Plan) -> list[dict[str, Level | None]]:
    """Levels by factor for each point of one base; None stands for the base's own."""
    file = plan.file
    if file.design == "latin hypercube":
        return _hypercube(plan)
    listed = {name: levels_of(plan, name) for name in file.factors}
    if file.design == "one at a time":
        return _one_at_a_time(plan, listed)
    _require_few(plan, math.prod(len(levels) for levels in listed.values()))
    return [dict(zip(listed, levels, strict=True)) for levels in product(*listed.values())]


def _one_at_a_time(plan: Plan, listed: dict[str, list[Level]]) -> list[dict[str, Level | None]]:
    """The base, and each other level of each factor alone."""
    own: dict[str, Level | None] = dict.fromkeys(listed)
    points = [own]
    for name, levels in listed.items():
        points += [own | {name: level} for level in levels if not _is_base(plan.bases[0], level)]
    return points


def _hypercube(plan: Plan) -> list[dict[str, Level | None]]:
    """A Latin hypercube: each factor's range cut into as many slices as points, one in each."""
    file = plan.file
    seed = plan.bases[0].seed
    # Imported here, as it is slow and most studies are grids.
    from scipy.stats import qmc

    sampler = qmc.LatinHypercube(len(file.factors), rng=np.random.default_rng(seed))
    points: list[dict[str, Level | None]] = []
    for row in sampler.random(file.points) if file.factors else [()]:
        levels: dict[str, Level | None] = {}
        for (name, factor), u in zip(file.factors.items(), row, strict=True):
            if isinstance(factor, Range):
                value = at_share(factor, float(u))
                levels[name] = (value, {name: value})
            else:
                listed = levels_of(plan, name)
                levels[name] = listed[int(u * len(listed))]
        points.append(levels)
    return points


def at_share(factor: Range, u: float) -> Any:
    """The value of a range at a share of it."""
    low, high = factor.bounds
    if factor.whole:
        # Each whole number gets a slice of the same width.
        value = min(np.floor(low + u * (high - low + 1)), high)
        if factor.log:
            value = np.round(low * (high / low) ** u)
        return _with_unit(int(value), unit_of(factor.low))
    value = low * (high / low) ** u if factor.log else low + u * (high - low)
    # Four figures are enough for people to read; rounding must not leave the range.
    value = min(max(float(f"{value:.4g}"), low), high)
    return _with_unit(value, unit_of(factor.low))


def _with_unit(value: float, unit: str) -> Any:
    if not unit:
        return value
    return f"{value}{unit}" if isinstance(value, int) else f"{value:g}{unit}"


def _shown(value: Any) -> Any:
    """A level as its column shows it: numbers and texts as they are, all else as text."""
    return value if isinstance(value, bool | int | float | str) else repr(value)


def _is_base(base: Scenario, level: Level) -> bool:
    same = base.vary(level[1], name=base.name)
    return same.model_dump() == base.model_dump()


def as_in_base(base: Scenario, plan: Plan, name: str) -> Any:
    """Text or number in a factor's column for the base's own level."""
    factor = plan.file.factors[name]
    ranged = isinstance(factor, Range) and not factor.whole
    for level in [] if ranged else levels_of(plan, name):
        if _is_base(base, level):
            return level[0]
    node: Any = base.model_dump(mode="json")
    for part in name.split("."):
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return "as in the scenario"
    return _shown(node)


def _name(number: int, base: dict[str, Any], shown: dict[str, Any]) -> str:
    """A name that tells the changes; the number in front keeps names apart."""
    if base and not shown:
        return str(base["base"])
    words = [*base.values(), *(f"{name.split('.')[-1]}={value}" for name, value in shown.items())]
    return clean_name(" ".join([f"p{number}", *map(str, words)]))
