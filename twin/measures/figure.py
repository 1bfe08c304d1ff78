"""One key figure: its name, unit and direction, what it covers, and how it is estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from twin.measures.population import Population
from twin.measures.rows import Rows

Better = Literal["higher", "lower", ""]
Estimation = Literal["mean", "ratio", "quantile"]
Section = Literal["Demand", "Speed", "Outcome", "People", "Model", "Cost", ""]
MEAN: Estimation = "mean"
RATIO: Estimation = "ratio"
QUANTILE: Estimation = "quantile"

# What tickets that were abandoned, or are open at the horizon, do to figures of a population.
GONE: dict[str, str] = {
    "arrivals": "all count",
    "time after warm-up": "count while they are open",
    "resolutions after warm-up": "left out",
    "tickets with a first response": "left out where they had none",
    "tickets that needed a person and got a reply": "left out where no person replied",
    "resolved tickets": "left out",
    "tickets whose promise is kept or broken": "abandoned without it: missed; open: missed once "
    "past the target, left out before",
    "tickets that need a person, promise kept or broken": "abandoned without a reply: missed; "
    "open: missed once past the target, left out before",
    "visits started or abandoned": "abandoned count; those still waiting are left out",
    "returns to agents": "theirs count",
    "staffed time after warm-up": "work on them counts",
    "tickets resolved or abandoned": "abandoned count; open are left out",
    "tickets ever resolved": "left out unless resolved before",
    "tickets that go by the assistant's category": "both count",
    "answers of the assistant": "both count where it had answered",
    "ratings": "left out: who got no solution is not asked",
    "tickets resolved after warm-up": "their cost counts, they do not",
    "spending after warm-up": "their cost counts",
    "model calls that ended": "their calls count",
    "model calls that were answered": "their calls count",
    "attempts of model calls": "their calls count",
}

# Smallest difference that matters, by unit: absolute, and as a share of the baseline; the larger.
MATTERS: dict[str, tuple[float, float]] = {
    "share": (0.005, 0.0),
    "1-5": (0.05, 0.0),
    "ratio": (0.005, 0.0),
    "0-1": (0.01, 0.0),
    "s": (0.05, 0.02),
    "tickets": (0.1, 0.02),
    "visits": (0.1, 0.02),
}
_OTHER_UNITS = (0.0, 0.02)


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
    guarded : bool
        Whether it can look better because customers are lost: then it is called better only where
        those of `twin.measures.figures.GUARDS` did not get worse.
    follows_load : bool
        Whether it moves with the number of arrivals: then no verdict where the load differs.
    rows : callable
        Group, numerator and denominator, once in all (group "") and by group, from a population.
    """

    name: str
    unit: str
    better: Better
    population: str
    estimation: Estimation
    main: Section
    guarded: bool
    follows_load: bool
    rows: Callable[[Population], Rows]

    @property
    def needs_person(self) -> bool:
        """True where it covers tickets that need a person: the assistant decides which do."""
        return "person" in self.population

    @property
    def description(self) -> str:
        """First line of the docstring of its function."""
        return (self.rows.__doc__ or "").splitlines()[0]

    @property
    def gone(self) -> str:
        """Effect on it of tickets that were abandoned, or are open at the horizon."""
        return GONE[self.population]

    @property
    def matters(self) -> tuple[float, float]:
        """Smallest difference that matters: absolute, and as a share of the baseline."""
        return MATTERS.get(self.unit, _OTHER_UNITS)

    @property
    def when_judged(self) -> str:
        """Condition on which a difference of it is called better or worse."""
        if not self.better:
            return "never: higher or lower only"
        parts = ["the same load"] if self.follows_load else []
        parts += ["the same assistant"] if self.needs_person else []
        parts += ["better only if no customers are lost"] if self.guarded else []
        return "; ".join(parts) or "always"


def figure(
    unit: str,
    better: Better,
    population: str,
    estimation: Estimation,
    main: Section = "",
    *,
    guarded: bool = True,
    follows_load: bool = False,
) -> Callable[[Callable[[Population], Rows]], Figure]:
    """Make a figure of a function; its name and description are those of the function."""

    def made(rows: Callable[[Population], Rows]) -> Figure:
        return Figure(
            rows.__name__, unit, better, population, estimation, main, guarded, follows_load, rows
        )

    return made
