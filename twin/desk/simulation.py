"""A run: put the desk together, run the clock, return the tables."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import pandas as pd

from twin.assistant.learning.heldout import HeldOut
from twin.assistant.protocol import Assistant
from twin.demand.luck import view
from twin.demand.tickets import Demand
from twin.desk.answers import ModelAnswers
from twin.desk.assistant import AssistantDesk, ServedModel
from twin.desk.availability import agent_pools
from twin.desk.customers import ALL_COMMENTS, Customers
from twin.desk.engines import engine_of
from twin.desk.kernel import Clock, Process
from twin.desk.learning import FeedbackLoop
from twin.desk.ledger import Ledger
from twin.desk.lifecycle import Life, Lifecycle
from twin.desk.names import Names
from twin.desk.served import AnsweredOnce, notes_on, served_models
from twin.desk.touches import Transfers, Waits
from twin.desk.workflow import Ways, WorkflowLife, own_statuses
from twin.records.tables import RunLog
from twin.scenario.model import Scenario


def simulate(
    scenario: Scenario,
    demand: Demand,
    assistant: Assistant | AnsweredOnce | None = None,
    engine: str = "simpy",
) -> RunLog:
    """Play a scenario's desk over its tickets.

    Parameters
    ----------
    scenario : Scenario
    demand : Demand
        From `twin.demand.draw`.
    assistant : Assistant, optional
        By default the backend that the scenario names.
    engine : str
        "simpy", "compiled" (needs the extra ``fast``), or "auto": compiled where it covers the
        scenario and is installed, else SimPy. The tables are the same to the last bit.

    Returns
    -------
    RunLog
        All tables of the run; a pure function of the scenario, the demand and the assistant.

    Raises
    ------
    EngineError
        If the engine asked for cannot play the scenario.

    Examples
    --------
    >>> from twin.demand.tickets import draw
    >>> from twin.scenario.file import from_data
    >>> pool = {"heads": 1, "handle_time": "5min"}
    >>> desk = from_data({"horizon": "1h", "agents": {"all": pool},
    ...                   "arrivals": {"kind": "constant", "rate": "6/h"}})
    >>> log = simulate(desk, draw(desk))
    >>> log.tickets["resolved_s"].tolist()
    [900.0, 1500.0, 2100.0, 2700.0, 3300.0]
    """
    if engine_of(scenario, engine) == "compiled":
        # It takes numba, which takes half a second to import.
        from twin.desk.compiled.play import simulate as play

        return play(scenario, demand, assistant)
    clock = Clock()
    ways = Ways.of(scenario, demand)
    ledger = Ledger(clock, demand, scenario.horizon, own_statuses(scenario, ways))
    agents = agent_pools(clock, scenario, demand, ledger)
    customers = Customers(scenario, demand)
    models: list[ServedModel] = []
    names = Names()
    assistant_desk = feedback = None
    if scenario.assistant.role != "off":
        models = served_models(clock, scenario, demand, assistant, ledger, names)
        feedback = _feedback(clock, scenario, demand, models[0].answers, ledger)
        assistant_desk = AssistantDesk(clock, scenario.assistant, models, feedback)
    waits = None if scenario.touches is None else Waits(scenario, demand)
    passing = any(pool.transfers_to for pool in scenario.agents.values())
    transfers = Transfers(scenario, demand) if passing else None
    people = (clock, scenario, demand, customers, agents)
    lifecycle: Lifecycle
    if ways is not None:
        lifecycle = WorkflowLife(*people, ledger, ways, transfers)
    else:
        lifecycle = Lifecycle(*people, assistant_desk, ledger, waits, transfers)
    Process(_arrivals(clock, lifecycle, demand))
    with _rare_collections():
        clock.run(until=scenario.horizon)
    agents.close()
    # The draws are not needed for the tables, which take memory of their own.
    agents.forget()
    customers.forget()
    for following in (waits, transfers):
        if following is not None:
            following.forget()
    for model in models:
        model.answers.forget()
    notes = notes_on(scenario, models) + (feedback.notes if feedback else [])
    backend = scenario.assistant.backend if models else ""
    return ledger.log(agents.names, names, ALL_COMMENTS, notes, scenario.models, backend)


def simulate_visits(scenario: Scenario, demand: Demand, engine: str = "simpy") -> pd.DataFrame:
    """The table visits of `simulate`, where no other is needed: quicker on the compiled engine.

    Examples
    --------
    >>> from twin.demand.tickets import draw
    >>> from twin.scenario.file import from_data
    >>> pool = {"heads": 1, "handle_time": "5min"}
    >>> desk = from_data({"horizon": "1h", "agents": {"all": pool},
    ...                   "arrivals": {"kind": "constant", "rate": "6/h"}})
    >>> simulate_visits(desk, draw(desk))["ended_s"].tolist()
    [900.0, 1500.0, 2100.0, 2700.0, 3300.0]
    """
    if engine_of(scenario, engine) == "compiled":
        from twin.desk.compiled.play import visits

        return visits(scenario, demand)
    return simulate(scenario, demand).visits


def _arrivals(clock: Clock, lifecycle: Lifecycle, demand: Demand) -> Life:
    # All of the backlog are there at once: by priority, then age, as an agent would take them.
    for ticket in sorted(demand.opening, key=lambda ticket: demand.priority[ticket]):
        Process(lifecycle.life(ticket, demand.opening[ticket]))
    first = len(demand.opening)
    for ticket, moment in enumerate(view(demand.arrived_s)[first:], first):
        yield clock.at(moment)
        Process(lifecycle.life(ticket))


def _feedback(
    clock: Clock, scenario: Scenario, demand: Demand, answers: ModelAnswers, ledger: Ledger
) -> FeedbackLoop | None:
    settings = scenario.assistant
    if settings.learning.mode == "off":
        return None
    most = settings.learning.examples
    held_out = HeldOut(answers.assistant, answers.judge, demand.corpus, demand.categories, most)
    return FeedbackLoop(clock, settings, demand, answers, held_out, ledger)


_collector = Lock()
_runs = 0
_threshold = gc.get_threshold()


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the garbage collector look less often: a run makes many objects and no cycles of note.

    Measured at 1.14 times the speed; what stood before the run is left alone. Runs in several
    threads share the collector: the first changes it, the last puts it back.
    """
    global _runs, _threshold
    with _collector:
        _runs += 1
        if _runs == 1:
            _threshold = gc.get_threshold()
            gc.freeze()
            gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        with _collector:
            _runs -= 1
            if _runs == 0:
                gc.set_threshold(*_threshold)
                gc.unfreeze()
