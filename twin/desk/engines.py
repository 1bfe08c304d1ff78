"""Engines that play a desk: SimPy, the reference, or the compiled machine, for what it covers."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from math import inf
from typing import Literal, get_args

from twin.common.errors import TwinError
from twin.common.kept import MadeOnce
from twin.desk.compiled.code import is_kept, machine
from twin.desk.compiled.coverage import why_not
from twin.scenario.model import Scenario

# Auto: compiled where it can be and pays, else SimPy. The tables are the same.
EngineName = Literal["simpy", "compiled", "auto"]
INSTALL = "pip install 'support-desk-twin[fast]'"
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
# Tickets that take SimPy as much longer as compiling takes: 20 s, at 10 us a ticket.
PAYS = 2_000_000
# A scenario is asked about again for each replication.
_REASONS = MadeOnce[str | None](most=1024)


class EngineError(TwinError, ValueError):
    """An engine that cannot play a scenario, or is not there."""


def engine_of(scenario: Scenario, engine: str, tickets: float = inf) -> EngineName:
    """The engine that plays a scenario where `engine` is asked for: "simpy" or "compiled".

    Parameters
    ----------
    scenario : Scenario
    engine : str
        With "auto" it is the compiled one if numba is there, the scenario is covered, and the
        machine is compiled already or so many tickets come that compiling it pays.
    tickets : float
        About how many will be played, in all replications; by default many.

    Raises
    ------
    EngineError
        If the compiled machine is asked for and cannot play it, or there is no such engine.

    Examples
    --------
    >>> import twin
    >>> desk = twin.from_data({"arrivals": {"rate": "6/h"}, "routing": {"same_agent": 0.5},
    ...                        "agents": {"all": {"heads": 1, "handle_time": "5min"}}})
    >>> engine_of(desk, "auto")
    'simpy'
    """
    if engine not in ENGINES:
        raise EngineError(f'engine "{engine}": one of {", ".join(ENGINES)}')
    if engine == "simpy":
        return "simpy"
    if engine == "auto" and not (has_numba() and (tickets >= PAYS or is_kept())):
        return "simpy"
    reason = _REASONS.get(scenario, lambda: why_not(scenario))
    if reason is None and has_numba():
        return "compiled"
    if engine == "auto":
        return "simpy"
    if reason is not None:
        why = f"does not cover {reason}; take simpy or auto"
        raise EngineError(f"{scenario.name}: the compiled engine {why}")
    raise EngineError(f"the compiled engine needs numba: {INSTALL}, or take simpy")


def ready() -> None:
    """Load the compiled engine, or compile it: a copy of this process has it then."""
    # All that plays is imported with it.
    from twin.desk.compiled import play  # noqa: F401

    machine()


@cache
def has_numba() -> bool:
    """True if numba is installed, which the compiled engine takes (the extra `fast`)."""
    return find_spec("numba") is not None
