"""Time that a desk takes to settle when it starts empty; a warm-up is suggested, not applied."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pandas as pd

from twin.common.text import duration
from twin.experiments import engine
from twin.experiments.replication import play
from twin.measures.levels import levels
from twin.records.tables import RunLog
from twin.scenario.calendars import own_shifts
from twin.scenario.clock import DAY_S, WEEK_S
from twin.scenario.model import Scenario, parse_days
from twin.stats.mser import Settling, settling

FIGURES = ("backlog", "queue", "first_response_mean")
_CYCLES = 4
_STEPS = (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0, 43200.0)


@dataclass(frozen=True)
class WarmUp:
    """Start-up of a desk.

    Attributes
    ----------
    suggestion_s : float
        Longest of the figures' warm-ups; missing if one of them did not settle.
    low_s, high_s : float
        Spread of it by luck; see `twin.stats.mser.Settling`.
    own_s : float
        The scenario's own warm-up, which is not changed.
    horizon_s : float
        What was played, from empty.
    cycle_s : float
        After which time hours are alike again; 0 if all hours are alike.
    replications : int
    figures : dict of str to Settling
        By figure: backlog, queue, first_response_mean (by arrival).
    """

    suggestion_s: float
    low_s: float
    high_s: float
    own_s: float
    horizon_s: float
    cycle_s: float
    replications: int
    figures: dict[str, Settling]

    @property
    def reason(self) -> str:
        """The suggestion against the scenario's own warm-up, in a sentence or two."""
        own = duration(self.own_s) if self.own_s else "none"
        if math.isnan(self.suggestion_s):
            late = [k for k, figure in self.figures.items() if math.isnan(figure.suggestion_s)]
            return (
                f"Not settled within the horizon ({duration(self.horizon_s)}): "
                f"{', '.join(late)}. The desk is overloaded, or the run too short to tell; no "
                "warm-up is suggested."
            )
        latest = max(self.figures, key=lambda name: self.figures[name].suggestion_s)
        if self.suggestion_s == 0:
            return f"No start-up shows in any figure; the scenario's own warm-up is {own}."
        start = f"All figures have settled after {duration(self.suggestion_s)}"
        if self.high_s > self.low_s:
            high = "not within the run" if math.isinf(self.high_s) else duration(self.high_s)
            start += f" ({duration(self.low_s) if self.low_s else 'at once'} to {high} by luck)"
        start += f", {latest} last"
        if self.own_s >= self.suggestion_s:
            return f"{start}; the scenario's own warm-up ({own}) covers that."
        return f"{start}; the scenario's own warm-up is shorter ({own})."

    def table(self) -> pd.DataFrame:
        """A row a figure: its name and the numbers of `twin.stats.mser.Settling`."""
        columns = ["suggestion_s", "low_s", "high_s", "before", "usual"]
        rows = [
            (name, *(getattr(figure, column) for column in columns))
            for name, figure in self.figures.items()
        ]
        return pd.DataFrame(rows, columns=["figure", *columns])


def cycle(scenario: Scenario) -> float:
    """Seconds after which a desk's hours are alike again: a week, a day, or 0 if all are alike."""
    arrivals, shifts = scenario.arrivals, []
    for pool in scenario.agents.values():
        shifts += pool.shifts or []
        shifts += [shift for member in pool.members for shift in own_shifts(member)]
    if _dated(scenario):
        return WEEK_S
    by_hour = [*scenario.tickets.category_hours.values(), scenario.customers.patience_hours]
    by_hour += [pool.handle_hours for pool in scenario.agents.values()]
    by_hour = [factors for factors in by_hour if factors]
    weeks = [] if scenario.workflow is None else list(scenario.workflow.clocks.values())
    weeks += [arrivals.week.weights] if arrivals.week else []
    if not shifts and not by_hour and not weeks:
        return 0.0
    days = np.array(weeks).reshape(-1, 7, 24)
    alike = bool(np.allclose(days, days[:, :1])) and all(len(hours) == 24 for hours in by_hour)
    return DAY_S if alike and all(len(parse_days(s.days)) == 7 for s in shifts) else WEEK_S


def _dated(scenario: Scenario) -> bool:
    """True where what comes, or who works, is known for some days only."""
    rosters = any(pool.roster is not None for pool in scenario.agents.values())
    return scenario.arrivals.kind == "trace" or rosters


def warm_up(
    scenario: Scenario,
    replications: int = 10,
    horizon_s: float | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> WarmUp:
    """Play a desk from empty and see when backlog, queue and first response settle.

    Parameters
    ----------
    scenario : Scenario
    replications : int
        They are judged together: more of them show a shorter start-up, and say it more surely.
    horizon_s : float, optional
        Length of each; by default the scenario's own, but at least four cycles of a desk whose
        hours differ (four weeks if its weekdays do). A recorded trace or a roster by date is never
        made longer.
    workers : int
    progress : callable, optional
        Called with the replications done and all of them.

    Returns
    -------
    WarmUp

    Raises
    ------
    ValueError
        If the run is too short (under 50 intervals or three cycles), or nothing is to be played.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "6/h"},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> twin.warm_up(desk, replications=3).replications
    3
    """
    if replications < 1:
        raise ValueError("replications must be 1 or more")
    cycle_s, length_s = cycle(scenario), horizon_s or scenario.horizon
    if horizon_s is None and not _dated(scenario):
        length_s = max(length_s, _CYCLES * cycle_s)
    if cycle_s == WEEK_S and length_s < 3 * WEEK_S:
        # Weekdays are mixed then; better than nothing for a trace of ten days.
        cycle_s = DAY_S
    desk = scenario.vary({"horizon": f"{length_s!r}s", "warm_up": "0s"}, name=scenario.name)
    every_s = min((s for s in _STEPS if length_s / s <= 700), default=_STEPS[-1])
    if cycle_s:
        every_s = max(every_s, 3600.0)
    parts: list[pd.DataFrame] = []
    tasks = [(desk, k, every_s) for k in range(replications)]
    workers = 1 if scenario.assistant.asks_live else min(workers, replications)
    with closing(engine.each(_points, tasks, workers, _lost)) as played:
        for part in played:
            parts.append(part)
            if progress is not None:
                progress(len(parts), replications)
    # In order, so that sums of floats do not hang on which worker was first.
    parts.sort(key=lambda part: int(part["replication"].iloc[0]))
    points = pd.concat(parts)
    figures = {
        name: settling(
            points[points["figure"] == name],
            every_s,
            cycle_s,
            level=name != "first_response_mean",
        )
        for name in FIGURES
        if points.loc[points["figure"] == name, "denominator"].any()
    }
    found = [figure.suggestion_s for figure in figures.values()]
    suggestion_s = math.nan if any(map(math.isnan, found)) else max(found, default=0.0)
    low_s, high_s = (
        max((getattr(figure, end) for figure in figures.values()), default=math.nan)
        for end in ("low_s", "high_s")
    )
    return WarmUp(
        suggestion_s, low_s, high_s, scenario.warm_up, length_s, cycle_s, replications, figures
    )


def _lost(task: tuple[Scenario, int, float]) -> pd.DataFrame:
    raise RuntimeError(f"replication {task[1]}: every worker process that took it on was killed")


def _points(task: tuple[Scenario, int, float]) -> pd.DataFrame:
    """Figures of one replication over time: figure, replication, time_s, numerator, denominator."""
    desk, replication, every_s = task
    log = play(desk, replication).log
    table = levels(log, desk, every_s)
    tables = [_responses(log, every_s)]
    for name in ("backlog", "queue"):
        rows = table[table["level"] == name]
        length = (rows["end_s"] - rows["start_s"]).to_numpy()
        tables.append(_frame(name, rows["start_s"], rows["mean"].to_numpy() * length, length))
    return pd.concat(tables).assign(replication=replication)


def _responses(log: RunLog, every_s: float) -> pd.DataFrame:
    arrived = log.tickets["arrived_s"].to_numpy()
    waited = log.tickets["responded_s"].to_numpy() - arrived
    # A ticket of the opening backlog arrived before the run.
    answered = ~np.isnan(waited) & (arrived >= 0)
    count = math.ceil(log.horizon_s / every_s)
    row = np.minimum((arrived[answered] / every_s).astype(int), count - 1)
    total = np.bincount(row, waited[answered], minlength=count)
    tickets = np.bincount(row, minlength=count).astype(float)
    return _frame("first_response_mean", np.arange(count) * every_s, total, tickets)


def _frame(figure: str, time_s: object, over: object, under: object) -> pd.DataFrame:
    columns = {"time_s": time_s, "numerator": over, "denominator": under}
    return pd.DataFrame(columns).assign(figure=figure)
