"""A run on the compiled desk."""

from __future__ import annotations

from twin.demand.tickets import Demand
from twin.desk.answers import Names
from twin.desk.availability import agent_pools
from twin.desk.compiled.machine import GROW, play
from twin.desk.compiled.state import State
from twin.desk.customers import ALL_COMMENTS, Customers
from twin.desk.kernel import Clock
from twin.desk.ledger import Ledger
from twin.records.tables import RunLog
from twin.scenario.model import Scenario


def simulate(scenario: Scenario, demand: Demand) -> RunLog:
    """Play a scenario that the machine covers; all tables are those of the SimPy desk.

    Parameters
    ----------
    scenario : Scenario
        See `twin.desk.compiled.coverage`.
    demand : Demand
    """
    clock = Clock()
    ledger = Ledger(clock, demand, scenario.horizon)
    pools = agent_pools(clock, scenario, demand, ledger)
    state = State(clock, scenario, demand, ledger, pools, Customers(scenario, demand))
    while play(*state.columns) == GROW:
        state.grow()
    state.write(ledger)
    names = pools.names
    # The draws are not needed for the tables, which take memory of their own.
    del state, pools
    return ledger.log(names, Names(), ALL_COMMENTS, [])
