"""A roster: agents needed by interval, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from twin.common.files import write_text
from twin.common.formulas import harmless
from twin.experiments.checks import check, check_recording
from twin.experiments.rostering.needs import Needs, needs
from twin.experiments.rostering.sample import Player, Progress
from twin.experiments.rostering.week import Week, check_pool
from twin.scenario.model import Scenario

# Four calls in five within the time promised: the convention of call centres ("80/20"); assumed.
TARGET = 0.8
REPLICATIONS = 10


@dataclass(frozen=True)
class Roster:
    """Agents of a pool by interval, and what the simulation says of them.

    Attributes
    ----------
    scenario : Scenario
    pool : str
    week : Week
    needs : Needs
    replications, played : int
        Of each setting; of all.
    """

    scenario: Scenario
    pool: str
    week: Week
    needs: Needs
    replications: int
    played: int

    @property
    def target(self) -> float:
        """Share of the tickets to be answered in time."""
        return self.needs.target

    @property
    def statement(self) -> str:
        """The finding in a sentence."""
        table = self.needs.table
        hours = self.week.length_s / 3600
        short = int((table["served"] < self.target).sum())
        judged = int(table["served"].notna().sum())
        found = (
            f"{self.pool} as it is answers {self.target:.0%} in time in {judged - short} of the "
            f"{judged} intervals of a week with tickets"
        )
        if not self.needs.met:
            return f"{found}; no number of agents was found with which all do"
        asked, by_erlang, there = (
            f"{table[name].sum() * hours:,.0f}" for name in ("simulated", "scheduled", "agents")
        )
        return (
            f"{found}; for all of them the simulation asks for {asked} agent hours a week, Erlang "
            f"A for {by_erlang}, and {there} are there"
        )

    def by_day(self) -> pd.DataFrame:
        """Agents needed in the simulation (on shift): a row a time, a column a day."""
        table = self.needs.table
        cells = [
            f"{row.simulated} ({row.agents:.3g})" if row.simulated or row.agents else ""
            for row in table.itertuples()
        ]
        wide = table.assign(cell=cells).pivot(index="start", columns="day", values="cell")
        wide = wide[list(dict.fromkeys(table["day"]))].fillna("")
        return wide[(wide != "").any(axis=1)].reset_index()


def roster(
    scenario: Scenario,
    pool: str | None = None,
    *,
    target: float = TARGET,
    interval_s: float = 1800.0,
    replications: int = REPLICATIONS,
    workers: int = 1,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Roster:
    """Agents of a pool by interval of the week: on shift, needed by Erlang A, needed in the twin.

    Parameters
    ----------
    scenario : Scenario
        Its targets.first_response say what is promised.
    pool : str, optional
        By default the only one.
    target : float
        Share of the tickets to be answered in time, in each interval.
    interval_s : float
        Length of an interval.
    replications : int
        Played for each setting, the same customers for all.
    workers, engine, progress
        As for `twin.study`.

    Returns
    -------
    Roster

    Raises
    ------
    ScenarioError
        If the pool cannot be told, or nothing is promised.
    ValueError
        If a parameter is out of range.
    RuntimeError
        If a replication fails.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"horizon": "1d", "arrivals": {"rate": "20/h"},
    ...     "agents": {"all": {"heads": 2, "handle_time": "5min"}},
    ...     "targets": {"first_response": {"normal": "1min"}}})
    >>> found = roster(desk, interval_s=14400, replications=2)
    >>> found.needs.table["erlang_a"].tolist()[0]
    3
    """
    if not 0 < target < 1 or replications < 2:
        raise ValueError("the target must lie between 0 and 1, replications be 2 or more")
    check(scenario)
    check_recording(scenario)
    found = check_pool(scenario, pool)
    player = Player(Week(scenario, interval_s), found, workers, engine, progress)
    need = needs(player, target, replications)
    return Roster(scenario, found, player.week, need, replications, player.played)


def save(found: Roster, folder: Path, page: str) -> list[Path]:
    """Write the tables and the page into a folder, each file whole or not at all.

    Returns
    -------
    list of Path
        Files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "needs.csv": harmless(found.needs.table).to_csv(index=False),
        "roster.html": page,
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]
