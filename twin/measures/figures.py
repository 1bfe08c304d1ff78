"""Key figures of a run: each a small function that says population, unit and what it leaves out.

Warm-up is applied here and nowhere else: figures of tickets cover those that arrived at or after
it, with all their visits, calls and ratings; figures over time (throughput, backlog, queue,
occupancy, workload, staffing costs) cover the time from its end to the horizon.

A figure is a numerator and a denominator, to be summed over replications before dividing. Where
the denominator is 0 the value is missing, never 0. Quantiles have the run's quantile as numerator
and 1 as denominator (0 and 0 without data): over replications the figure is the mean of the runs'
quantiles.

In the words below a ticket is *resolved* if its status at the horizon is Resolved or Closed,
*abandoned* if Abandoned, *open* otherwise (a reopened one too, until it is resolved again).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from twin.common.errors import nearest
from twin.measures import outcomes, speed, spending, touches
from twin.measures.figure import Figure, Section
from twin.measures.inputs import not_known
from twin.measures.population import Population
from twin.measures.rows import Row, Rows
from twin.measures.run_levels import Levels, RunLevels
from twin.measures.totals import PartTotals
from twin.records import in_parts, tables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from twin.records.tables import Columns, RunLog
    from twin.scenario.model import Scenario

# The one list of all figures, in the order in which they are defined.
FIGURES: dict[str, Figure] = {
    one.name: one
    for family in (speed, outcomes, spending, touches)
    for one in vars(family).values()
    if isinstance(one, Figure)
}

# The figures shown first, by section.
MAIN_FIGURES: dict[str, tuple[str, ...]] = {
    section: tuple(figure.name for figure in FIGURES.values() if figure.main == section)
    for section in get_args(Section)
    if section
}
MAIN = tuple(name for names in MAIN_FIGURES.values() for name in names)
# Those of them that can be better or worse: fewer rows of a comparison, so narrower intervals.
JUDGED = tuple(name for name in MAIN if FIGURES[name].better)
# Figures that get worse when customers are lost or left to wait.
GUARDS = ("solved", "abandonment_rate", "backlog")


def figure_of(name: str) -> tuple[str, str]:
    """Name and group of a figure given as "service_level" or "service_level:urgent".

    Raises
    ------
    ValueError
        If there is no such figure.

    Examples
    --------
    >>> figure_of("service_level"), figure_of("service_level: urgent")
    (('service_level', ''), ('service_level', 'urgent'))
    """
    kpi, _, group = (part.strip() for part in name.partition(":"))
    if kpi not in FIGURES:
        raise ValueError(f'no figure "{kpi}"; {nearest(kpi, FIGURES)} (`twin kpis` lists them)')
    return kpi, group


def beyond(name: str, limit: float) -> str:
    """Why no value of a figure lies at a limit; empty where one may.

    Examples
    --------
    >>> beyond("service_level:urgent", 95.0), beyond("service_level", 0.95), beyond("backlog", 95.0)
    ('is a share: a number from 0 to 1, as 0.95 for 95 %', '', '')
    """
    if FIGURES[figure_of(name)[0]].unit == "share" and limit > 1:
        return "is a share: a number from 0 to 1, as 0.95 for 95 %"
    return ""


def kpi_table() -> pd.DataFrame:
    """Every figure: its name, unit, which direction is better, and what it is.

    Returns
    -------
    DataFrame
        Columns kpi, unit, better ("higher", "lower" or "": neither), description, population
        (what it covers), estimation ("mean", "ratio" or "quantile"), main (section of the main
        figures, or ""), gone (what abandoned and open tickets do to it), judged (when a difference
        is called better or worse); see `twin.measures.figure.Figure`.

    Examples
    --------
    >>> import twin
    >>> twin.kpi_table().set_index("kpi").at["csat", "better"]
    'higher'
    """
    rows = [
        asdict(figure)
        | {"kpi": figure.name, "description": figure.description, "gone": figure.gone}
        | {"judged": figure.when_judged}
        for figure in FIGURES.values()
    ]
    columns = ["kpi", "unit", "better", "description", "population", "estimation", "main",
               "gone", "judged"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def measure(
    log: RunLog, scenario: Scenario, figures: Collection[str] | None = None
) -> pd.DataFrame:
    """Key figures of a run, warm-up left out.

    Parameters
    ----------
    log : RunLog
    scenario : Scenario
        As run: warm-up, targets, and pools with their shifts and costs.
    figures : collection of str, optional
        Names of those that are wanted, without groups: quicker than all.

    Returns
    -------
    DataFrame
        Columns of the table kpis, see `twin.records.tables`. Figures that are split have further
        rows with a group: the priorities that occur, the pools, the stars, categories, pairs of
        categories.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> log = twin.simulate(desk, twin.draw(desk))
    >>> kpis = twin.measure(log, desk)
    >>> float(kpis.query("kpi == 'arrivals'")["value"].iloc[0]) == len(log.tickets)
    True
    """
    return measured(log, scenario, figures).frame()


def measured(log: RunLog, scenario: Scenario, figures: Collection[str] | None = None) -> Columns:
    """As `measure`, as columns."""
    if len(log.arrays("tickets")) <= in_parts.PART:
        return _table(Population(log, scenario), figures)
    found = FiguresOfParts(scenario, RunLevels(log, scenario), figures)
    for part in in_parts.parts_of(log):
        found.add(part)
    return found.table(log)


class FiguresOfParts:
    """Figures of a run whose tickets come in parts; see `twin.measures.totals`.

    Parameters
    ----------
    scenario : Scenario
    levels : Levels
        Of the whole run.
    figures : collection of str, optional
        Names of those that are wanted.
    folder : Path, optional
        For files, where not all values of the run are to be in memory.
    """

    def __init__(
        self,
        scenario: Scenario,
        levels: Levels,
        figures: Collection[str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._scenario, self._levels, self._figures = scenario, levels, figures
        self._totals = PartTotals(folder)

    def add(self, log: RunLog) -> None:
        """Add a part: some tickets with all that belongs to them."""
        self._totals.next()
        run = Population(log, self._scenario, self._totals, self._levels)
        for _ in _rows(run, self._figures):
            pass
        # For the column by_text.
        _ = run.texts

    def table(self, log: RunLog) -> Columns:
        """The table kpis of all parts; the rows of the log are not looked at."""
        none = in_parts.without_rows(log)
        run = Population(none, self._scenario, self._totals.whole(), self._levels)
        return _table(run, self._figures)


def _rows(run: Population, figures: Collection[str] | None) -> Iterator[tuple[Figure, Row]]:
    missing = not_known(run.log.unknown)
    for figure in FIGURES.values():
        if figures is None or figure.name in figures:
            run.totals.figure = figure.name
            for row in _NOT_KNOWN if figure.name in missing else figure.rows(run):
                yield figure, row


def _table(run: Population, wanted: Collection[str] | None) -> Columns:
    rows = [
        (figure.name, row.group, figure.unit, row.numerator, row.denominator, _packed(run, row))
        for figure, row in _rows(run, wanted)
    ]
    names, groups, units, numerators, denominators, by_text = (
        [row[k] for row in rows] for k in range(6)
    )
    over, under = np.array(numerators), np.array(denominators)
    value = np.divide(over, under, out=np.full(len(over), np.nan), where=under != 0)
    return tables.columns_of(
        "kpis",
        {
            "kpi": names,
            "group": groups,
            "unit": units,
            "numerator": over,
            "denominator": under,
            "value": value,
            "by_text": by_text,
        },
    )


# A figure that rests on what a history does not hold.
_NOT_KNOWN: Rows = [Row("", 0.0, 0.0)]


def _packed(run: Population, row: Row) -> bytes:
    """The column by_text: number of texts, numerators, denominators; empty without texts."""
    if row.texts is None:
        return b""
    return np.concatenate([[float(run.texts)], row.texts.ravel()]).astype("<f8").tobytes()
