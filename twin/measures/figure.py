"""One key figure: its name, unit and direction, what it covers, and how it is estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from twin.measures.population import Population, Rows

Better = Literal["higher", "lower", ""]
Estimation = Literal["mean", "ratio", "quantile"]
Section = Literal["Demand", "Speed", "Outcome", "People", "Model", "Cost", ""]
MEAN: Estimation = "mean"
RATIO: Estimation = "ratio"
QUANTILE: Estimation = "quantile"


@dataclass(frozen=True)
class Figure:
    """A key figure of a run.

    Attributes
    ----------
    name, unit : str
    better : {"higher", "lower", ""}
        Empty where neither is better in itself.
    population : str
        The tickets, visits, calls or time that it covers.
    estimation : {"mean", "ratio", "quantile"}
        Meaning of numerator and denominator. Mean: the sum of a value, and how many have one.
        Ratio: two sums of a run, such as part and whole. Quantile: the run's quantile, and 1. Over
        replications all are added up before dividing, which averages the runs' quantiles.
    main : str
        Section that shows it among the main figures; empty: it is none of them.
    rows : callable
        Group, numerator and denominator, once in all (group "") and by group, from a population.
    """

    name: str
    unit: str
    better: Better
    population: str
    estimation: Estimation
    main: Section
    rows: Callable[[Population], Rows]

    @property
    def description(self) -> str:
        """First line of the docstring of its function."""
        return (self.rows.__doc__ or "").splitlines()[0]
