"""Some minutes or hours of a history, and the twin's prediction of them.

Where days are tested, their luck is told from the spread of days
(`twin.history.fidelity.fidelity`). Minutes have no such days. So each run of the twin plays the
same length of time, and the interval is where such a stretch lies in 95 of 100 runs: it holds the
luck of the stretch, and by the versions of a calibrated desk what its calibration left open.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.text import amount, moment
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments.versions import as_played
from twin.history.fidelity.records import Recorded
from twin.history.fidelity.rungs import at, lead_of, with_arrivals
from twin.history.part import asked_moment
from twin.history.several import in_order
from twin.records.tables import RunLog
from twin.scenario import clock
from twin.scenario.clock import DAY_S
from twin.scenario.model import Scenario, from_data

Floats = npt.NDArray[np.float64]

# Runs of each rung: the ends of a 95 % interval take more than a median does.
RUNS = 100
# A run fills up for so long before what it is compared with (assumed to be enough for a queue).
LEAD_S = 1800.0
# Shifts of a desk that is calibrated to a stretch.
ROUND_THE_CLOCK = [("Mon-Sun", 0.0, DAY_S / 2), ("Mon-Sun", DAY_S / 2, 0.0)]
# More than this is no stretch of minutes: days are tested as days.
LONGEST_S = 24 * 3600.0
FORECAST, ARRIVALS = "forecast", "arrivals given"
# Figures of a stretch: words and unit.
FIGURES = {
    "tickets": ("tickets that came", ""),
    "p50": ("first response, median", "s"),
    "p90": ("first response, 90th percentile", "s"),
    "mean": ("first response, mean", "s"),
    "wait_p50": ("wait for an agent, median", "s"),
    "wait_p90": ("wait for an agent, 90th percentile", "s"),
}


@dataclass(frozen=True)
class Minutes:
    """A stretch of a history beside the twin's prediction of it.

    Attributes
    ----------
    name : str
        Of the scenario.
    test : str
        The stretch, in words.
    runs : int
        Of each rung.
    table : DataFrame
        A row a rung and figure: rung, figure, label, unit, real, twin (median over runs), low, high
        (where a stretch lies in 95 of 100 runs), apart (twin over real, less 1), inside.
    """

    name: str
    test: str
    runs: int
    table: pd.DataFrame

    def sentences(self) -> list[str]:
        """The answer: how far the first responses are off, and whether luck explains it."""
        rows = self.table[self.table["real"].notna().to_numpy()]
        lines = []
        for rung, own in rows.groupby("rung", sort=False):
            first = own[own["figure"].isin(["p50", "p90"]).to_numpy()]
            off = " and ".join(
                f"{100 * one['apart']:+.0f} % ({one['label']})" for one in first.to_dict("records")
            )
            out = own["label"][~own["inside"].to_numpy(dtype=bool)]
            luck = "all figures lie where the luck of such a stretch leaves them"
            if len(out):
                luck = f"beyond what the luck of such a stretch explains: {', '.join(out)}"
            lines.append(f"{str(rung).capitalize()}: {off}; {luck}.")
        return lines


def is_stretch(text: str | None) -> bool:
    """True if a test is named by moments, not by days."""
    return text is not None and re.search(r"\d[T ]\d", text) is not None


def minutes(
    scenario: Scenario,
    history: Recorded,
    test: str,
    *,
    runs: int = RUNS,
    workers: int = 1,
    progress: Callable[[float, int], None] | None = None,
) -> Minutes:
    """Compare a twin with a stretch of a history: nothing known of it, and its arrivals given.

    Parameters
    ----------
    scenario : Scenario
        The twin, made from what lies before the test; with the change that the test holds, if any.
    history : Recorded
        Anything with a `log` and a `desk`.
    test : str
        Two moments, as 2026-11-27T06:32..2026-11-27T06:40; or one, and all after it.
    runs : int
        Of each rung.
    workers : int
        Processes that play.
    progress : callable, optional
        Called with the runs done and all of them, after each.

    Raises
    ------
    ScenarioError
        If these are no moments, or no ticket came between them.
    """
    desk = history.desk if isinstance(history.desk, Scenario) else from_data(history.desk)
    began, ended = _named(test, history.log, desk)
    real = figures(history.log, began, ended)
    if not real["tickets"]:
        raise ScenarioError("the history", [Fault("--test", "no ticket came in it", test)])
    rows = []
    with tempfile.TemporaryDirectory() as name:
        tasks = [
            _Task(rung, scenario, history.log, desk, (began, ended), Path(name), k)
            for rung in (FORECAST, ARRIVALS) for k in range(runs)
        ]  # fmt: skip
        played = []
        for found in in_order(_played, tasks, workers):
            played.append(found)
            if progress is not None:
                progress(len(played), len(tasks))
    for rung, own in ((FORECAST, played[:runs]), (ARRIVALS, played[runs:])):
        for figure, (label, unit) in FIGURES.items():
            values = np.array([one[figure] for one in own])
            known = values[~np.isnan(values)]
            # None where nobody was answered in any run, as at night.
            low, middle, high = np.quantile(known if len(known) else [np.nan], [0.025, 0.5, 0.975])
            rows.append({
                "rung": rung, "figure": figure, "label": label, "unit": unit,
                "real": real[figure], "twin": middle, "low": low, "high": high,
                "apart": middle / real[figure] - 1 if real[figure] else np.nan,
                "inside": bool(low <= real[figure] <= high),
            })  # fmt: skip
    midnight = desk.midnight.timestamp()
    words = f"{moment(midnight + began)} to {moment(midnight + ended)}"
    return Minutes(scenario.name, words, runs, pd.DataFrame(rows))


def figures(log: RunLog, began: float, ended: float) -> dict[str, float]:
    """Figures of the tickets that arrived in a stretch, as known at its end.

    Who was not answered by then has no response yet: in a history as in a run.
    """
    arrived, responded = (
        log.tickets[name].to_numpy(dtype=np.float64) for name in ("arrived_s", "responded_s")
    )
    came = (arrived >= began) & (arrived < ended)
    response = (responded - arrived)[came & (responded < ended)]
    queued, started = (
        log.visits[name].to_numpy(dtype=np.float64) for name in ("queued_s", "started_s")
    )
    wait = (started - queued)[(queued >= began) & (started < ended)]
    found = {"tickets": float(came.sum())}
    for name, values in (("", response), ("wait_", wait)):
        levels = np.quantile(values, [0.5, 0.9]) if len(values) else [np.nan, np.nan]
        found |= {f"{name}p50": float(levels[0]), f"{name}p90": float(levels[1])}
    return found | {"mean": float(response.mean()) if len(response) else np.nan}


def _named(text: str, log: RunLog, desk: Scenario) -> tuple[float, float]:
    """Seconds since the start of the history of two moments."""
    start, found = desk.midnight.timestamp(), []
    for part in text.split(".."):
        at = asked_moment(part.strip(), desk.zone, "--test")
        assert at is not None
        found.append(at - start)
    found = [*found, log.horizon_s] if len(found) == 1 else found
    hint = "give two moments, as 2026-11-27T06:32..2026-11-27T06:40"
    if len(found) != 2 or not found[0] < found[1]:
        raise ScenarioError("--test", [Fault("", "ends before it begins", text, hint)])
    if found[1] - found[0] > LONGEST_S:
        raise ScenarioError("--test", [Fault("", "is longer than a day: name days", text)])
    return max(found[0], 0.0), min(found[1], log.horizon_s)


class _Task(NamedTuple):
    """A run: rung, twin, the history, the stretch in it, a folder for files, number."""

    rung: str
    scenario: Scenario
    log: RunLog
    desk: Scenario
    stretch: tuple[float, float]
    folder: Path
    number: int


def _steady(scenario: Scenario) -> bool:
    """True if the hours of a desk are alike, as of one that is calibrated to a stretch."""
    pools = [list(pool.shifts or ()) for pool in scenario.agents.values()]
    hours = [[(shift.days, shift.start, shift.end) for shift in own] for own in pools]
    return (
        scenario.arrivals.kind == "poisson"
        and all(own in ([], ROUND_THE_CLOCK) for own in hours)
        and all(len({shift.heads for shift in own}) <= 1 for own in pools)
        and not any(pool.roster for pool in scenario.agents.values())
    )


def _played(task: _Task) -> Mapping[str, float]:
    """Figures of the stretch in a run."""
    began, ended = task.stretch
    scenario = as_played(task.scenario, task.number)
    if task.rung == ARRIVALS:
        length = {"start": task.desk.start.isoformat(), "horizon": f"{ended:.6f}s", "warm_up": "0s"}
        scenario = scenario.vary(length, name=scenario.name)
        file = task.folder / f"arrivals-{task.number}.csv"
        scenario = with_arrivals(scenario, task.log, task.desk, file)
    elif _steady(scenario):
        length = {"horizon": f"{LEAD_S + ended - began:.6f}s", "warm_up": "0s"}
        scenario = scenario.vary(length, name=scenario.name)
        began, ended = LEAD_S, scenario.horizon
    else:
        # By the calendar: from the midnight before, or earlier where tickets stay open for days.
        first = clock.local(began, task.desk.midnight).date().toordinal()
        scenario = at(scenario, [first], scenario.name, lead_of(task.log, task.desk, [first]))
        ahead_s = scenario.midnight.timestamp() - task.desk.midnight.timestamp()
        began, ended = began - ahead_s, ended - ahead_s
        scenario = scenario.vary({"horizon": f"{ended:.6f}s", "warm_up": "0s"}, name=scenario.name)
    log = simulate(scenario, draw(scenario, task.number), engine="auto")
    return figures(log, began, ended)


def cells(found: Minutes) -> list[list[str]]:
    """Rows of the table as texts: rung, figure, real, twin with its interval, apart."""
    rows = []
    for one in found.table.to_dict("records"):
        real, twin, low, high = (
            amount(one[name], one["unit"]) for name in ("real", "twin", "low", "high")
        )
        apart = "-" if np.isnan(one["apart"]) else f"{100 * one['apart']:+.1f} %"
        # Nobody was answered, as at night: there is nothing to lie anywhere.
        lies = "-" if np.isnan(one["real"]) else "inside" if one["inside"] else "outside"
        rows.append(
            [str(one["rung"]), str(one["label"]), real, f"{twin} ({low} to {high})", apart, lies]
        )
    return rows
