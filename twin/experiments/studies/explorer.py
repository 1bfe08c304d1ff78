"""A study's grid as something to be asked: any setting within it, and the best one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.text import level as shown
from twin.experiments.studies.file import number_of, unit_of
from twin.experiments.studies.grid import Axis, axes_of, order_of, parts_of, plan_of, start_of
from twin.experiments.studies.results import StudyResults
from twin.measures.figures import FIGURES, MAIN, figure_of
from twin.scenario.model import Target
from twin.stats import surrogate
from twin.stats.surrogate import Surrogate

Floats = npt.NDArray[np.float64]
SURELY, PERHAPS, NO, UNKNOWN = "surely", "perhaps", "no", "not known"
VERDICTS = (SURELY, PERHAPS, NO, UNKNOWN)
# Of numbers of the grid, so that a page holds what Python computes with.
_DIGITS = 7
# Of a value: less is no difference.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Factor:
    """A factor as its slider shows it.

    Attributes
    ----------
    axis : Axis
    stops : array of float
        Positions that can be chosen; all levels are among them.
    texts : tuple of str
        The stops as texts.
    start : int
        Stop of the scenario as it is, or a middle one.
    """

    axis: Axis
    stops: Floats
    texts: tuple[str, ...]
    start: int

    def position(self, value: Any) -> float:
        """Position of a level, or of a number between levels.

        Raises
        ------
        ValueError
            If there is none.
        """
        text = shown(value)
        if text in self.texts:
            return float(self.stops[self.texts.index(text)])
        axis = self.axis
        if axis.numbers is not None and unit_of(str(value)) == axis.unit:
            try:
                number = number_of(value)
            except ValueError:
                number = math.nan
            if axis.numbers[0] <= number <= axis.numbers[-1]:
                return float(axis.placed(np.array([number]))[0])
        known = ", ".join(axis.levels)
        raise ValueError(f'"{axis.key}" has nothing played at or around "{text}": {known}')


@dataclass(frozen=True)
class Explored:
    """A figure over the grid.

    Attributes
    ----------
    kpi, group, unit : str
    better : {"higher", "lower", ""}
    surrogate : Surrogate
    """

    kpi: str
    group: str
    unit: str
    better: str
    surrogate: Surrogate

    @property
    def name(self) -> str:
        """As "kpi" or "kpi:group"."""
        return f"{self.kpi}:{self.group}" if self.group else self.kpi

    @property
    def key(self) -> tuple[str, str]:
        """Figure and group."""
        return self.kpi, self.group

    @property
    def counted(self) -> bool:
        """True if anything was counted at some point."""
        return not bool(np.isnan(self.surrogate.values).all())

    @property
    def moves(self) -> bool:
        """True if it is not the same at all points."""
        return self.counted and bool(np.nanmin(self.surrogate.values)
                                     < np.nanmax(self.surrogate.values))  # fmt: skip


@dataclass(frozen=True)
class Best:
    """The best settings under targets.

    Attributes
    ----------
    counts : mapping of str to int
        Number of settings by verdict: surely, perhaps, no, not known.
    rivals : int
        Others that surely meet all targets and may be as good as the best of those: their
        intervals meet its interval.
    surely : mapping of str to str, or None
        The best of those that surely meet all targets: text of each factor by its key.
    perhaps : mapping of str to str, or None
        The best of those that perhaps do, if it is better than that.
    """

    counts: Mapping[str, int]
    rivals: int
    surely: Mapping[str, str] | None
    perhaps: Mapping[str, str] | None


@dataclass(frozen=True)
class Explorer:
    """A study's grid with its figures, interpolated where that was checked.

    Attributes
    ----------
    study : StudyResults
    factors : tuple of Factor
    figures : tuple of Explored
    targets : mapping of str to Target
        Of the study; also those on figures that no point counted, so that none surely meets them.
    goal : str
        Figure that is to be low, of the study; the first one where it is not known.
    first : int
        Number of the figures that the study asks for; the others are main ones.
    """

    study: StudyResults
    factors: tuple[Factor, ...]
    figures: tuple[Explored, ...]
    targets: Mapping[str, Target]
    goal: str
    first: int

    def at(self, setting: Mapping[str, Any]) -> pd.DataFrame:
        """Figures of a setting.

        Parameters
        ----------
        setting : mapping
            By key, a level as the study shows it or, of a factor with numbers, one between; a
            factor that is left out is at its start.

        Returns
        -------
        DataFrame
            A row a figure: figure, unit, value, low, high, interpolation (what it adds to the
            distance to each bound); missing where the figure is not known.

        Raises
        ------
        ValueError
            If there is no such factor or level, or it lies outside of the grid.
        """
        known = [factor.axis.key for factor in self.factors]
        for key in setting:
            if key not in known:
                raise ValueError(f'no factor "{key}" in this study; there are: {", ".join(known)}')
        place = [
            factor.position(setting[key]) if key in setting else factor.stops[factor.start]
            for key, factor in zip(known, self.factors, strict=True)
        ]
        rows = [
            (one.name, one.unit, *(float(x[0]) for x in one.surrogate.at([place])))
            for one in self.figures
        ]
        columns = ["figure", "unit", "value", "low", "high", "interpolation"]
        return pd.DataFrame(rows, columns=columns)

    def best(
        self,
        targets: Mapping[str, Target],
        goal: str,
        held: Mapping[str, int] | None = None,
        *,
        highest: bool = False,
    ) -> Best:
        """The best of all settings that meet targets.

        Parameters
        ----------
        targets : mapping of str to Target
        goal : str
            Figure that is to be low.
        held : mapping of str to int, optional
            Number of the stop of each factor that is not chosen, by key.
        highest : bool
            The figure is to be high instead.

        Raises
        ------
        ValueError
            If a figure is not among those of the explorer.
        """
        held = held or {}
        choices = [
            np.array([held[key]]) if (key := one.axis.key) in held else np.arange(len(one.stops))
            for one in self.factors
        ]
        stops = np.stack([one.ravel() for one in np.meshgrid(*choices, indexing="ij")], axis=1)
        places = np.stack([one.stops[stops[:, k]] for k, one in enumerate(self.factors)], axis=1)
        values, low, high, _ = self.figure(goal).surrogate.at(places)
        if highest:
            values, low, high = -values, -high, -low
        verdicts = self.verdicts(targets, places)
        verdicts[np.isnan(values)] = VERDICTS.index(UNKNOWN)
        counts = {name: int((verdicts == k).sum()) for k, name in enumerate(VERDICTS)}
        sure, may = (_least(values, verdicts == k) for k in (0, 1))
        if sure is not None and may is not None:
            saved = values[sure] - values[may]
            may = may if saved > ROUNDING * abs(values[sure]) else None
        rivals = 0
        if sure is not None:
            rivals = int(((verdicts == 0) & ~(low > high[sure])).sum()) - 1
        surely, perhaps = (
            None if k is None else
            {f.axis.key: f.texts[stop] for f, stop in zip(self.factors, stops[k], strict=True)}
            for k in (sure, may)
        )  # fmt: skip
        return Best(counts, rivals, surely, perhaps)

    def verdicts(self, targets: Mapping[str, Target], places: Floats) -> npt.NDArray[np.int64]:
        """Verdicts on places against all targets: numbers in `VERDICTS`, shape (m,).

        Surely where each interval lies on the right side of its limit; no where one lies on the
        wrong side; not known where a figure or its interval is missing; else perhaps.
        """
        found = np.zeros(len(places), dtype=np.int64)
        for name, target in targets.items():
            _, low, high, _ = self.figure(name).surrogate.at(places)
            if target.at_most is not None:
                good, bad = high <= target.at_most, low > target.at_most
            else:
                good, bad = low >= (target.at_least or 0.0), high < (target.at_least or 0.0)
            one = np.where(good, 0, np.where(bad, 2, 1))
            one[np.isnan(low) | np.isnan(high)] = 3
            # What misses one target misses, whatever is not known of another.
            found = np.where((one == 2) | (found == 2), 2, np.maximum(found, one))
        return found

    def figure(self, name: str) -> Explored:
        """The figure of a name; ValueError if it is not among them."""
        for one in self.figures:
            if one.key == figure_of(name):
                return one
        raise ValueError(f'"{name}" is not among the figures of this explorer')


def _least(values: Floats, among: npt.NDArray[np.bool_]) -> int | None:
    """The first of the smallest values; what differs by rounding alone is equal."""
    least = float(np.min(values, where=among, initial=np.inf))
    within = among & (values <= least + ROUNDING * abs(least))
    return int(np.argmax(within)) if within.any() else None


def explorer(
    study: StudyResults, kpis: Sequence[str] | None = None, level: float = 0.95
) -> Explorer:
    """Build an explorer of a study's grid.

    Parameters
    ----------
    study : StudyResults
        Of a full factorial design.
    kpis : sequence of str, optional
        Figures, as "kpi" or "kpi:group"; by default those that the study names, then the main
        ones, as far as anything was counted. Those that it has targets for come with any.
    level : float
        Confidence level of each interval.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        If the points are no full grid, no replication is whole, or a figure is unknown.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 2, "handle_time": "5min"}}})
    >>> plan = {"scenario": desk, "factors": {"arrivals.scale": [0.5, 1, 1.5, 2]}}
    >>> found = twin.explorer(twin.study(plan, replications=3), ["occupancy:all"])
    >>> row = found.at({"arrivals.scale": 1.2}).iloc[0]
    >>> bool(row["low"] < row["value"] < row["high"])
    True
    """
    if not len(study.frame):
        raise ValueError("nothing to explore: no replication is whole")
    if not study.factors:
        raise ValueError("nothing to explore: the study has no factors")
    plan = plan_of(study)
    axes = axes_of(study, plan)
    points = study.points["point"].to_numpy()[order_of(study, axes)]
    targets = dict(plan.file.targets) if plan is not None else {}
    named = [*targets, *(one["kpi"] for one in study.crossings), *study.shown]
    goal = [plan.file.minimise] if plan is not None else []
    first = [figure_of(name) for name in kpis or [*named, *goal]]
    # Without a target of the study another setting would be the best.
    aims = [figure_of(name) for name in targets]
    asked = dict.fromkeys([*first, *aims])
    wanted = dict.fromkeys([*asked, *([] if kpis else map(figure_of, MAIN))])
    summary = study.summary(level)
    figures = [_explored(summary, axes, points, *one) for one in wanted]
    there = tuple(
        one for one in figures
        if one.moves or one.key in aims or (one.key in asked and one.counted)
    )  # fmt: skip
    if not any(one.counted and (not kpis or one.key in first) for one in there):
        raise ValueError("nothing to explore: nothing was counted of these figures")
    between = [
        any(one.surrogate.errors[k] is not None for one in there) for k in range(len(axes))
    ]  # fmt: skip
    parts = parts_of(axes, between)
    factors = []
    for axis, used in zip(axes, between, strict=True):
        stops, texts = axis.stops(parts if used else 1)
        factors.append(Factor(axis, stops, texts, start_of(axis, plan, texts, stops)))
    names = [one.name for one in there]
    return Explorer(
        study,
        tuple(factors),
        there,
        targets,
        next((name for name in goal if name in names), names[0]),
        sum(one.key in asked for one in there),
    )


def _explored(
    summary: pd.DataFrame, axes: Sequence[Axis], points: npt.NDArray[Any], kpi: str, group: str
) -> Explored:
    rows = summary[(summary["kpi"] == kpi) & (summary["group"] == group)]
    rows = rows.set_index("point").reindex(points)
    shape = [len(axis.levels) for axis in axes]
    value, low, high = (
        _rounded(rows[name].to_numpy(float)).reshape(shape) for name in ("value", "low", "high")
    )
    figure = FIGURES[kpi]
    found = surrogate.fit(
        [axis.positions for axis in axes], [axis.open for axis in axes], value, low, high,
        share=figure.unit == "share",
    )  # fmt: skip
    errors = tuple(None if one is None else _rounded(one) for one in found.errors)
    fitted = replace(found, below=_rounded(found.below), above=_rounded(found.above), errors=errors)
    return Explored(kpi, group, figure.unit, figure.better, fitted)


def _rounded(values: Floats) -> Floats:
    return np.array([float(f"{x:.{_DIGITS}g}") for x in values.flat]).reshape(values.shape)
