"""The grid of a study: levels of its factors as positions, and what can be chosen between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from twin.common.errors import ScenarioError
from twin.common.text import level
from twin.experiments.studies.design import as_in_base
from twin.experiments.studies.file import Plan, Range, StudyFile, number_of, unit_of
from twin.experiments.studies.results import StudyResults
from twin.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
# Places between two neighbouring levels: the most of which a page looks through all settings.
_PARTS = (20, 10, 5, 4, 2)
_MOST_SETTINGS = 60_000
# Of a gap: no whole number lies there, whatever the gap.
_WITHIN = 0.37
# Load, customers and how long their work takes are met, not chosen.
_MET = ("arrivals.", "customers.", "corpus")


@dataclass(frozen=True)
class Axis:
    """A factor along a grid.

    Attributes
    ----------
    key : str
        Dotted key path, or "base".
    name : str
        As people name it.
    levels : tuple of str
        As the study shows them.
    numbers : array of float, or None
        Of a factor with numbers, increasing.
    unit : str
        Behind the numbers, as "/h".
    whole : bool
        Whether only whole numbers can be set.
    """

    key: str
    name: str
    levels: tuple[str, ...]
    numbers: Floats | None
    unit: str = ""
    whole: bool = False

    @property
    def by_ratio(self) -> bool:
        """True if levels are spread by ratio: positions are logarithms then."""
        if self.numbers is None or self.whole or len(self.numbers) < 3 or self.numbers[0] <= 0:
            return False
        gaps, ratios = np.diff(self.numbers), np.diff(np.log(self.numbers))
        return bool(ratios.std() / ratios.mean() < 0.5 * gaps.std() / gaps.mean())

    @property
    def positions(self) -> Floats:
        """Positions of the levels."""
        if self.numbers is None:
            return np.arange(len(self.levels), dtype=float)
        return self.placed(self.numbers)

    def placed(self, numbers: Floats) -> Floats:
        """Positions of numbers."""
        return np.log(numbers) if self.by_ratio else numbers

    @property
    def open(self) -> bool:
        """True if there is anything between its levels."""
        if self.numbers is None:
            return False
        return not self.whole or bool((np.diff(self.numbers) > 1).any())

    @property
    def met(self) -> bool:
        """True if nobody chooses it, as load."""
        return self.key.startswith(_MET) or self.key.rpartition(".")[2].startswith("handle")

    def stops(self, parts: int) -> tuple[Floats, tuple[str, ...]]:
        """Positions that can be chosen, and their texts: so many between neighbouring levels."""
        if self.numbers is None or parts < 2 or not self.open:
            return self.positions, self.levels
        found = dict(zip(self.numbers.tolist(), self.levels, strict=True))
        for low, high in zip(self.numbers[:-1], self.numbers[1:], strict=True):
            spread = np.geomspace if self.by_ratio else np.linspace
            between = spread(low, high, parts + 1)[1:-1]
            # What is shown is what is meant: four figures, as a level has.
            inner = [float(f"{x:.4g}") for x in (between.round() if self.whole else between)]
            for number in inner:
                if low < number < high:
                    found.setdefault(number, f"{level(number)}{self.unit}")
        numbers = np.array(sorted(found))
        return self.placed(numbers), tuple(found[number] for number in numbers)


def plan_of(study: StudyResults) -> Plan | None:
    """The study file as run with its scenarios; None in a study of an older version."""
    data = dict(study.manifest.get("study_as_run", {}))
    try:
        file = StudyFile.model_validate(data | {"scenario": study.name})
        bases = tuple(map(Scenario.model_validate, study.manifest.get("base_as_run", [])))
    except ValidationError:
        return None
    return Plan(file, bases, Path()) if bases else None


def axes_of(study: StudyResults, plan: Plan | None) -> tuple[Axis, ...]:
    """The factors of a study as axes."""
    return tuple(_axis(study, plan, key) for key in study.factors)


def _axis(study: StudyResults, plan: Plan | None, key: str) -> Axis:
    column = study.points[key]
    name = study.names[key]
    levels = list(dict.fromkeys(column))
    named = plan is None or key not in plan.file.factors or isinstance(plan.file.factors[key], dict)
    unit = "" if named else _unit(levels)
    if named or unit is None:
        return Axis(key, name, tuple(map(level, levels)), None)
    numbers = np.array([number_of(one) for one in levels])
    order = np.argsort(numbers)
    texts = tuple(level(levels[k]) for k in order)
    assert plan is not None
    numbers = numbers[order]
    whole = bool((numbers % 1 == 0).all())
    factor = plan.file.factors[key]
    # Half an agent is one who comes every other day; who lists whole agents does not mean that.
    counted = whole and (key.endswith("heads") or (isinstance(factor, Range) and factor.whole))
    gap = numbers[1] - numbers[0] if len(numbers) > 1 else 0.0
    if not counted and gap and _may_be(plan, key, numbers[0] + _WITHIN * gap, unit):
        return Axis(key, name, texts, numbers, unit)
    return Axis(key, name, texts, numbers if whole else None, unit, whole)


def _unit(levels: Sequence[Any]) -> str | None:
    """The unit of levels with numbers, empty if they are bare; None if they are texts."""
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in levels):
        return ""
    units = {unit_of(str(one)) for one in levels}
    if len(units) != 1 or units == {""}:
        return None
    try:
        for one in levels:
            number_of(str(one))
    except ValueError:
        return None
    return units.pop()


def _may_be(plan: Plan, key: str, number: float, unit: str) -> bool:
    """True if a factor can have a value that was not played: its scenario says so."""
    value = float(f"{number:.4g}")
    try:
        plan.bases[0].vary({key: f"{value:g}{unit}" if unit else value})
    except ScenarioError:
        return False
    return True


def order_of(study: StudyResults, axes: Sequence[Axis]) -> npt.NDArray[np.int64]:
    """Rows of a study's points in the order of the grid, the last factor first to change.

    Raises
    ------
    ValueError
        If the points are no full grid.
    """
    shape = tuple(len(axis.levels) for axis in axes)
    index = [[axis.levels.index(level(one)) for one in study.points[axis.key]] for axis in axes]
    flat = np.ravel_multi_index(index, shape)
    size = math.prod(shape)
    if len(np.unique(flat)) < size or len(flat) != size:
        raise ValueError(
            f"nothing to explore: the {len(flat)} points are no full grid of {size} settings; "
            'it takes design = "full factorial" without a level given twice'
        )
    return np.asarray(np.argsort(flat), dtype=np.int64)


def parts_of(axes: Sequence[Axis], between: Sequence[bool]) -> int:
    """Parts that each gap is cut into, so that all settings can be looked through."""
    for parts in _PARTS:
        counts = [
            len(axis.stops(parts)[0]) if used else len(axis.levels)
            for axis, used in zip(axes, between, strict=True)
        ]
        if math.prod(counts) <= _MOST_SETTINGS:
            return parts
    return 1


def start_of(axis: Axis, plan: Plan | None, texts: Sequence[str], stops: Floats) -> int:
    """The stop of the scenario as it is; the middle one where that is not on the grid."""
    middle = len(stops) // 2 if axis.numbers is not None else 0
    if plan is None or axis.key not in plan.file.factors:
        return middle
    try:
        own = as_in_base(plan.bases[0], plan, axis.key)
        if level(own) in texts:
            return texts.index(level(own))
        if axis.numbers is None:
            return middle
        # A scenario holds seconds, whatever unit its file says: a level tells how many.
        first = plan.bases[0].vary({axis.key: axis.levels[0]}) if axis.unit else None
        known = None if first is None else as_in_base(first, _without(plan, axis.key), axis.key)
        number = number_of(own)
        if known is not None:
            number *= axis.numbers[0] / number_of(known)
    except (ScenarioError, TypeError, ValueError, ZeroDivisionError):
        return middle
    if not axis.numbers[0] <= number <= axis.numbers[-1]:
        return middle
    return int(np.argmin(np.abs(stops - axis.placed(np.array([number])))))


def _without(plan: Plan, key: str) -> Plan:
    """The plan with a range that has no levels, so that a value is shown as the scenario has it."""
    one = Range(low=0, high=1)
    return replace(plan, file=plan.file.model_copy(update={"factors": {key: one}}))
