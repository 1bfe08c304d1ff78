"""A run on the compiled desk."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from twin.assistant.protocol import Assistant
from twin.demand.tickets import Demand
from twin.desk.answers import Names
from twin.desk.assistant import ServedModel
from twin.desk.availability import agent_pools
from twin.desk.compiled.code import machine
from twin.desk.compiled.columns import FINISHED, GROW
from twin.desk.compiled.state import State
from twin.desk.customers import ALL_COMMENTS, Customers
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.desk.served import AnsweredOnce, notes_on, served_models
from twin.desk.touches import Transfers, Waits
from twin.records.tables import RunLog
from twin.scenario.model import Scenario


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
    ledger, pools, models = _played(scenario, demand, assistant, names)
    log = ledger.log(pools, names, ALL_COMMENTS, notes_on(scenario, models), scenario.models)
    return replace(log, backend=scenario.assistant.backend if models else "")


def visits(scenario: Scenario, demand: Demand) -> pd.DataFrame:
    """The table visits alone, of a scenario that the machine covers."""
    ledger, pools, _ = _played(scenario, demand, None, Names())
    return ledger.visits(pools)


def _played(
    scenario: Scenario, demand: Demand, assistant: Assistant | AnsweredOnce | None, names: Names
) -> tuple[Ledger, list[str], list[ServedModel]]:
    """The ledger of a run, the names of its pools, and the models that answered."""
    clock = Clock()
    ledger = Ledger(clock, demand, scenario.horizon)
    pools = agent_pools(clock, scenario, demand, ledger)
    customers = Customers(scenario, demand)
    models: list[ServedModel] = []
    if scenario.assistant.role != "off":
        models = served_models(clock, scenario, demand, assistant, ledger, names)
    waits = None if scenario.touches is None else Waits(scenario, demand)
    passing = any(pool.transfers_to for pool in scenario.agents.values())
    transfers = Transfers(scenario, demand) if passing else None
    state = State(clock, scenario, demand, ledger, pools, customers, models, waits, transfers)
    play = machine()
    while (why := play(state.whole)) != FINISHED:
        if why == GROW:
            state.grow()
        else:
            state.provide()
    state.write(ledger)
    # The draws are not needed for the tables, which take memory of their own.
    for served in models:
        served.answers.forget()
    return ledger, pools.names, models
