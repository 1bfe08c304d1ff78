"""Parts of a figure's spread that come from the days, the model and the raters.

Luck belongs to streams (`demand.luck`), so one kind of it can be drawn anew while all other luck
stays: the same customers on the same days, but other answers; the same answers, but other ratings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twin.assistant.backends import build
from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments import engine
from twin.experiments.checks import check, check_recording
from twin.measures.figures import figure_of, measure
from twin.stats.components import ANSWERS, components

if TYPE_CHECKING:
    from twin.scenario.model import Scenario

# What the model's answers hang on: also which of several recorded answers a ticket gets.
MODEL = tuple(s for s in Stream if s.name.startswith(("CATEGORIZE_", "RESPOND_", "SAMPLE")))
RATERS = (Stream.SURVEY, Stream.RATING, Stream.COMMENT)
_Task = tuple["Scenario", int, int, int]


def split_variance(
    scenario: Scenario,
    days: int = 10,
    answers: int = 2,
    ratings: int = 2,
    kpis: Sequence[str] | None = None,
    level: float = 0.95,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Split the variance of figures by where it comes from.

    Parameters
    ----------
    scenario : Scenario
        Taken as it stands: versions of it (`[uncertainty]`) are not played.
    days : int
        Replications.
    answers : int
        Draws of the model's luck on each. A deterministic backend gives the same answers again, so
        its latency alone varies; with recorded answers, `assistant.samples` of them are drawn from.
    ratings : int
        Draws of the raters' luck (who answers the survey, rating, comment) for the same answers.
    kpis : sequence of str, optional
        Figures, of all tickets; by default all.
    level : float
        Confidence level of each component's interval.
    workers : int
    progress : callable, optional
        Called with the plays done and all of them.

    Returns
    -------
    DataFrame
        Rows of `twin.stats.components` with kpi and unit in front. Figures that some play has
        no data for are left out. Where the assistant has one answer a text, nobody can see how
        much its answers vary: that part is missing, except of its latency.

    Raises
    ------
    ScenarioError
        If the scenario cannot run.
    ValueError
        If there are fewer than two of anything, or a figure is unknown or of a group.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> found = twin.split_variance(desk, days=3, kpis=["occupancy"])
    >>> set(found["kpi"])
    {'occupancy'}
    """
    if min(days, answers, ratings) < 2:
        raise ValueError("two or more days, answers and ratings each are needed")
    for name, group in map(figure_of, kpis or ()):
        if group:
            raise ValueError(f"{name}:{group}: only figures of all tickets are split; give {name}")
    check(scenario)
    check_recording(scenario)
    plan = np.ndindex(days, answers, ratings)
    tasks: list[_Task] = [(scenario, day, answer, rating) for day, answer, rating in plan]
    found: dict[tuple[int, int, int], pd.DataFrame] = {}
    workers = 1 if scenario.assistant.asks_live else min(workers, len(tasks))
    with closing(engine.each(_figures, tasks, workers, _lost)) as played:
        for where, table in played:
            found[where] = table
            if progress is not None:
                progress(len(found), len(tasks))
    first = found[0, 0, 0]
    backend = scenario.assistant.backend
    one_answer = scenario.assistant.role != "off" and (
        backend == "embedded" or (backend != "profile" and scenario.assistant.samples == 1)
    )
    blocks = []
    for kpi, unit in zip(first["kpi"], first["unit"], strict=True):
        if kpis is not None and kpi not in kpis:
            continue
        values = np.array([found[task[1:]].set_index("kpi")["value"].get(kpi) for task in tasks])
        if np.isfinite(values).all():
            block = components(values.reshape(days, answers, ratings), level)
            if one_answer and kpi != "model_latency_mean":
                numbers = [name for name in block if name != "source"]
                block.loc[block["source"] == ANSWERS, numbers] = np.nan
            block.insert(0, "kpi", kpi)
            block.insert(1, "unit", unit)
            blocks.append(block)
    return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


def _figures(task: _Task) -> tuple[tuple[int, int, int], pd.DataFrame]:
    scenario, day, answer, rating = task
    # Numbers of their own for each day, so that draws are nested in days.
    demand = draw(scenario, day)
    demand = demand.swapped(MODEL, _number(day, answer)).swapped(
        RATERS, _number(_number(day, answer), rating)
    )
    assistant = None
    if scenario.assistant.role != "off":
        assistant = build(scenario, demand.categories, demand.corpus)
    table = measure(simulate(scenario, demand, assistant), scenario)
    return (day, answer, rating), table.loc[table["group"] == "", ["kpi", "unit", "value"]]


def _number(outer: int, inner: int) -> int:
    """A number for each pair, no two alike (Cantor's)."""
    return (outer + inner) * (outer + inner + 1) // 2 + inner


def _lost(task: _Task) -> tuple[tuple[int, int, int], pd.DataFrame]:
    raise RuntimeError(f"replication {task[1]}: every worker process that took it on was killed")
