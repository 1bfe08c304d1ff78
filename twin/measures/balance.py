"""The balance of a run: where its tickets are, and Little's law.

Both sides are found independently. What is counted of tickets and visits adds up over parts of a
run; the other side is that of levels over time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.measures.levels import Floats, backlog, is_resolved, stays, wait_ends
from twin.measures.run_levels import Level, Levels, RunLevels
from twin.records import tables

if TYPE_CHECKING:
    from twin.records.tables import RunLog
    from twin.scenario.model import Scenario

# What is counted of all tickets, and of visits that queued.
TICKETS, QUEUE = "open tickets", "queue"


class Balance:
    """Counts of tickets and visits, and sums of their stays, over parts of a run.

    Parameters
    ----------
    scenario : Scenario
        As run; its pools are counted one by one.
    levels : Levels
        Of the whole run.
    """

    def __init__(self, scenario: Scenario, levels: Levels) -> None:
        self._scenario, self._levels = scenario, levels
        self._outcomes = np.zeros(3, np.int64)
        # By what stays: how many came, and for how long they stayed in all.
        self._came: dict[str, int] = {}
        self._stayed_s: dict[str, float] = {}

    def add(self, log: RunLog) -> None:
        """Count a part: some tickets, with all their visits and statuses."""
        self._outcomes += np.array(_outcomes(log))
        _, begun_s, ended_s = stays(log, tables.OPEN_STATUSES)
        self._add(TICKETS, len(log.arrays("tickets")), float((ended_s - begun_s).sum()))
        visits = log.arrays("visits")
        # Wrap-up never queued.
        queued = visits.at(visits.known("queued_s"))
        self._add(QUEUE, len(queued), _span_s(queued["queued_s"], wait_ends(queued), log))
        started = visits.known("started_s")
        for name in self._scenario.agents:
            taken = visits.at(visits.among("pool", [name]) & started)
            self._add(name, len(taken), _span_s(taken["started_s"], taken["ended_s"], log))

    def _add(self, of: str, came: int, stayed_s: float) -> None:
        self._came[of] = self._came.get(of, 0) + came
        self._stayed_s[of] = self._stayed_s[of] + stayed_s if of in self._stayed_s else stayed_s

    def conservation(self) -> dict[str, int]:
        """Balance of tickets; see `conservation`."""
        return _conserved(self._outcomes.tolist(), self._levels.level("backlog"))

    def law(self, horizon_s: float) -> list[tuple[str, float, float, float, float]]:
        """Little's law: rows of `little`."""
        rows = [(TICKETS, TICKETS, "backlog", ""), (QUEUE, QUEUE, "queue", "")]
        for name, pool in self._scenario.agents.items():
            kind = "in hand" if pool.concurrency > 1 else "busy"
            rows.append((name, f"{kind} {name}", kind, name))
        table = []
        for key, of, kind, pool_name in rows:
            n, total_s = self._came[key], self._stayed_s[key]
            area = self._levels.area(kind, pool_name, 0.0, horizon_s)
            stay_s = total_s / n if n else np.nan
            table.append((of, area / horizon_s, n / horizon_s, stay_s, total_s / horizon_s))
        return table


def _span_s(start_s: Floats, end_s: npt.NDArray[np.float64], log: RunLog) -> float:
    return float((np.where(np.isnan(end_s), log.horizon_s, end_s) - start_s).sum())


def _outcomes(log: RunLog) -> list[int]:
    """Tickets that came, that are resolved and that were abandoned."""
    tickets = log.arrays("tickets")
    abandoned = tickets.among("status", ["Abandoned"])
    return [len(tickets), int(is_resolved(tickets).sum()), int(abandoned.sum())]


def _conserved(outcomes: list[int], open_: Level) -> dict[str, int]:
    names = ("arrivals", "resolved", "abandoned")
    return dict(zip(names, outcomes, strict=True)) | {"open": int(open_.values[-1])}


def conservation(log: RunLog) -> dict[str, int]:
    """Balance of tickets: arrivals are the sum of resolved, abandoned and open.

    Arrivals and outcomes are counted in the table tickets, open ones in the timeline: a ticket
    lost or counted twice between the two shows.
    """
    return _conserved(_outcomes(log), backlog(log))


def little(log: RunLog, scenario: Scenario) -> pd.DataFrame:
    """Little's law L = lambda W over the whole run, both sides found independently.

    Stays are cut at the horizon, so the law holds exactly, in a run of any length (Little 1961;
    Stidham 1974): a difference beyond rounding is a fault in the tables.

    Parameters
    ----------
    log : RunLog
    scenario : Scenario
        As run; its pools are checked one by one.

    Returns
    -------
    DataFrame
        Rows "open tickets", "queue" and each pool's busy agents, or their tickets in hand where
        they may have several; columns of, level (L: average over
        time of the step function), per_s (lambda: how many came, a second), stay_s (W: mean stay,
        added up ticket by ticket or visit by visit; missing where nobody came), product (lambda W).
    """
    found = Balance(scenario, RunLevels(log, scenario))
    found.add(log)
    columns = ["of", "level", "per_s", "stay_s", "product"]
    return pd.DataFrame(found.law(log.horizon_s), columns=columns)
