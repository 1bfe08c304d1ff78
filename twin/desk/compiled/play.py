"""A run on the compiled desk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from twin.assistant.protocol import Assistant
from twin.demand.blocks import DemandInBlocks, in_blocks
from twin.demand.tickets import Demand
from twin.desk.assistant import ServedModel
from twin.desk.availability import agent_pools
from twin.desk.compiled.blocks import Blocks, Taker
from twin.desk.compiled.code import machine
from twin.desk.compiled.columns import FINISHED, GROW, MORE
from twin.desk.compiled.coverage import why_not_in_blocks
from twin.desk.compiled.filed import filing
from twin.desk.compiled.kept import Kept
from twin.desk.compiled.state import State
from twin.desk.customers import ALL_COMMENTS, Customers
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.desk.names import Names
from twin.desk.served import AnsweredOnce, notes_on, served_models
from twin.desk.touches import Transfers, Waits
from twin.desk.workflow import Ways, WorkflowLife, own_statuses
from twin.records.tables import RunLog
from twin.scenario.model import Scenario

# Tickets of a block of a long run.
BLOCK = 20_000


def simulate(
    scenario: Scenario, demand: Demand, assistant: Assistant | AnsweredOnce | None = None
) -> RunLog:
    """Play a scenario that the machine covers; all tables are those of the SimPy desk.

    Parameters
    ----------
    scenario : Scenario
        See `twin.desk.compiled.coverage`.
    demand : Demand
    assistant : Assistant, optional
        By default the backend that the scenario names.
    """
    names = Names()
    if len(demand) > 2 * BLOCK and why_not_in_blocks(scenario) is None:
        return _in_memory(scenario, demand, assistant, names)
    ledger, pools, models = _played(scenario, demand, assistant, names)
    backend = scenario.assistant.backend if models else ""
    notes = notes_on(scenario, models)
    return ledger.log(pools, names, ALL_COMMENTS, notes, scenario.models, backend)


def _in_memory(
    scenario: Scenario, demand: Demand, assistant: Assistant | AnsweredOnce | None, names: Names
) -> RunLog:
    """A long run: in blocks, so that what is over takes no memory but that of its tables."""
    flow = in_blocks(demand, BLOCK)
    desk = Desk(scenario, flow, assistant, names)
    kept = Kept(demand, desk.ledger, desk.pools.names, names, scenario.models)
    play_in_blocks(desk, flow, kept)
    backend = scenario.assistant.backend if desk.models else ""
    notes = notes_on(scenario, desk.models)
    # What the machine played is not needed for the tables, which take memory of their own.
    del desk, flow
    return kept.log(scenario.horizon, notes, backend)


def write(
    scenario: Scenario,
    demand: DemandInBlocks,
    folder: Path,
    assistant: Assistant | None = None,
    at: Callable[[float], None] | None = None,
) -> list[str]:
    """Play a scenario whose tickets come in blocks, and write its tables; the notes on it.

    Parameters
    ----------
    scenario : Scenario
        Covered, and in blocks: see `twin.desk.compiled.coverage`.
    demand : DemandInBlocks
        From `twin.demand.blocks.draw_in_blocks`.
    folder : Path
        Of the run: tables, learning and answers are there when all are whole.
    assistant : Assistant, optional
        By default the backend that the scenario names.
    at : callable, optional
        Told the share of the run's time that is played, after each block.
    """
    names = Names()
    desk = Desk(scenario, demand, assistant, names)
    pools = desk.pools.names
    of = folder, demand.replication, scenario, desk.ledger, pools, names, demand.most
    with filing(*of) as filed:
        play_in_blocks(desk, demand, filed, at)
    return notes_on(scenario, desk.models)


def play_in_blocks(
    desk: Desk,
    demand: DemandInBlocks,
    taker: Taker,
    at: Callable[[float], None] | None = None,
) -> None:
    """Play a desk whose tickets come in blocks; all that it writes goes to the taker."""
    state = desk.state
    blocks = Blocks(state, demand, taker)
    play = machine()
    while (why := play(state.whole)) != FINISHED:
        if why == GROW:
            state.grow()
        elif why == MORE:
            blocks.go_on()
            if at is not None:
                at(float(state.numbers["now"] / state.numbers["horizon"]))
        else:
            state.provide()
    blocks.end()


def visits(scenario: Scenario, demand: Demand) -> pd.DataFrame:
    """The table visits alone, of a scenario that the machine covers."""
    ledger, pools, _ = _played(scenario, demand, None, Names())
    return ledger.visits(pools).frame()


def _played(
    scenario: Scenario, demand: Demand, assistant: Assistant | AnsweredOnce | None, names: Names
) -> tuple[Ledger, list[str], list[ServedModel]]:
    """The ledger of a run, the names of its pools, and the models that answered."""
    desk = Desk(scenario, demand, assistant, names)
    state = desk.state
    play = machine()
    while (why := play(state.whole)) != FINISHED:
        if why == GROW:
            state.grow()
        else:
            state.provide()
    state.order(play)
    state.write(desk.ledger)
    # The draws are not needed for the tables, which take memory of their own.
    for served in desk.models:
        served.answers.forget()
    return desk.ledger, desk.pools.names, desk.models


class Desk:
    """A desk before its clock starts, put together as SimPy's, and as tables for the machine.

    Parameters
    ----------
    scenario : Scenario
    demand : Demand
    assistant : Assistant or None
    names : Names
    """

    def __init__(
        self,
        scenario: Scenario,
        demand: Demand,
        assistant: Assistant | AnsweredOnce | None,
        names: Names,
    ) -> None:
        clock = Clock()
        ways = Ways.of(scenario, demand)
        self.ledger = Ledger(clock, demand, scenario.horizon, own_statuses(scenario, ways))
        self.pools = agent_pools(clock, scenario, demand, self.ledger)
        customers = Customers(scenario, demand)
        self.models: list[ServedModel] = []
        if scenario.assistant.role != "off":
            self.models = served_models(clock, scenario, demand, assistant, self.ledger, names)
        waits = None if scenario.touches is None else Waits(scenario, demand)
        passing = any(pool.transfers_to for pool in scenario.agents.values())
        transfers = Transfers(scenario, demand) if passing else None
        life = None
        if ways is not None:
            people = (clock, scenario, demand, customers, self.pools)
            life = WorkflowLife(*people, self.ledger, ways, transfers)
        self.state = State(
            clock, scenario, demand, self.ledger, self.pools, customers, self.models, waits,
            transfers, life,
        )  # fmt: skip
