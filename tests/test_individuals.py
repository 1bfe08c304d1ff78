"""Agents told apart: one ticket a hand changes nothing; several in hand share the agent."""

import numpy as np
from days import desk
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import SETTINGS, scenarios

from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.scenario.model import from_data

TABLES = ("tickets", "timeline", "visits", "calls", "ratings")


def apart(scenario, **routing):
    """The same desk with its agents told apart."""
    data = scenario.as_data()
    for pool in data["agents"].values():
        pool["individuals"] = True
    data["routing"] = data.get("routing", {}) | routing
    return from_data(data)


def always_there(scenario):
    """The same desk with agents who do not come and go: these are not told apart."""
    return scenario.vary({f"agents.{name}.away": None for name in scenario.agents})


@SETTINGS
@given(scenarios().map(always_there), st.sampled_from([None, "longest idle", "in order", "random"]))
def test_one_ticket_a_hand_is_the_desk_that_only_counts_to_the_last_bit(scenario, choice):
    # Agents who come and go are not told apart.
    assume(all(pool.away is None for pool in scenario.agents.values()))
    demand = draw(scenario)
    plain = simulate(scenario, demand)
    told = apart(scenario, **({"choice": choice} if choice else {}))
    log = simulate(told, demand)
    for name in TABLES:
        shown = getattr(log, name)
        if name == "visits":
            assert shown["agent"].notna().equals(shown["pool"].notna())
            shown = shown.assign(agent=np.nan)
        assert shown.equals(getattr(plain, name))


@SETTINGS
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(2, 4))
def test_several_in_hand_at_no_cost_are_so_many_more_agents_to_the_last_bit(seed, heads, most):
    handle = {"distribution": "lognormal", "mean": "20min", "cv": 1.5}
    pool = {"handle_time": handle, "wrap_up": {"distribution": "exponential", "mean": "5min"}}
    logs = []
    for more in (
        {"heads": heads * most},
        {"heads": heads, "concurrency": most, "slow_down": "none"},
    ):
        data = desk({"rate": f"{4 * heads * most}/h"}, {"patience": "30min"}, seed=seed,
                    horizon="10h", agents={"all": pool | more})  # fmt: skip
        scenario = from_data(data)
        logs.append(simulate(scenario, draw(scenario)))
    assert logs[0].visits.drop(columns="agent").equals(logs[1].visits.drop(columns="agent"))
    assert logs[0].timeline.equals(logs[1].timeline)
    assert logs[1].visits["agent"].max() == heads
