"""`twin search` against enumeration: small staffing problems whose figures are known exactly.

Desks of one pool with exponential handle times, endlessly patient (Erlang C) or not (Erlang A). A
setting is a number of agents and a crew: dear, or slow and cheap.
"""

from __future__ import annotations

import numpy as np
import pytest

import twin
from twin.measures.theory import erlang_a, erlang_c_level, erlang_c_wait

WITHIN_MIN = 5.0
CREWS = {"usual": (11.0, 25.0), "slow": (13.0, 19.0)}
MARGINS = (0.02, 0.02, 0.05, 0.1, 0.2)


def exact(figure, heads, handle_min, rate_h, patience_min):
    """A figure of a setting by the formulas; waits in seconds."""
    load = rate_h * handle_min / 60
    if patience_min is not None:
        _, gone, _, wait = erlang_a(heads, rate_h / 60, handle_min, patience_min)
        return gone if figure == "abandonment_rate" else 60 * wait
    if load >= heads:
        return 0.0 if figure == "service_level" else np.inf
    if figure == "service_level":
        return erlang_c_level(heads, load, handle_min, WITHIN_MIN)
    return 60 * erlang_c_wait(heads, load, handle_min)


def problem(number):
    """A study, and by (heads, crew) cost and whether the target is met, the worst margin first."""
    rng = np.random.default_rng(number)
    rate, patient = float(rng.integers(12, 31)), number % 2 == 0
    patience = None if patient else float(rng.uniform(10, 40))
    figure = ("service_level", "agent_wait_mean")[number // 2 % 2] if patient else (
        "abandonment_rate", "agent_wait_mean")[number // 2 % 2]  # fmt: skip
    least = int(np.ceil(rate * 11 / 60))
    heads = list(range(least, least + 4))
    settings = {
        (h, crew): (h * cost, exact(figure, h, handle, rate, patience))
        for h in heads
        for crew, (handle, cost) in CREWS.items()
    }
    # A limit just above or just below the figure of one setting.
    values = {
        key: v
        for key, (_, v) in settings.items()
        if 0.02 < v < (0.98 if figure != "agent_wait_mean" else 900)
    }
    pivot = list(values)[int(rng.integers(len(values)))]
    margin = MARGINS[number % len(MARGINS)] * (1 if number // 5 % 2 else -1)
    more = figure == "service_level"
    # Of a service level the margin is one of what is late.
    limit = 1 - (1 - values[pivot]) * (1 + margin) if more else values[pivot] * (1 + margin)
    met = {k: (v >= limit) if more else (v <= limit) for k, (_, v) in settings.items()}
    gives_up = {"distribution": "exponential", "mean": f"{patience}min"}
    desk = twin.from_data({
        "name": f"desk {number}", "horizon": "5d", "warm_up": "1d", "seed": number,
        "arrivals": {"rate": f"{rate}/h"},
        "customers": {"solved": {"agent": 1.0}, "survey_rate": 0.0}
        | ({} if patient else {"patience": gives_up}),
        "targets": {"first_response": {"normal": f"{WITHIN_MIN}min"}},
        "agents": {"all": {"heads": least, "handle_time": "10min", "cost": 25.0}},
    })  # fmt: skip
    crews = {
        crew: {"agents.all.handle_time": {"distribution": "exponential", "mean": f"{handle}min"},
               "agents.all.cost": cost}
        for crew, (handle, cost) in CREWS.items()
    }  # fmt: skip
    study = {
        "name": f"staffing {number}", "scenario": desk, "minimise": "human_cost",
        "factors": {"agents.all.heads": heads, "crew": crews},
        "targets": {figure: {"at_least" if more else "at_most": limit}},
    }  # fmt: skip
    return study, settings, met, figure, margin


def key_of(row):
    return int(row["agents.all.heads"]), str(row["crew"])


@pytest.mark.slow
def test_search_finds_what_enumeration_finds_or_names_it():
    print(
        "\nproblem figure            margin  optimum       found         near misses  replications"
    )
    wrong, found_it = [], 0
    for number in range(30):
        study, settings, met, figure, margin = problem(number)
        good = [key for key in settings if met[key]]
        best = min(good, key=lambda key: settings[key][0], default=None)
        found = twin.search(study, replications=2, checks=5, budget=200)
        near = [key_of(row) for row in found.near_misses.to_dict("records")]
        pick = None
        if found.scenario is not None:
            pick = tuple(found.changes["found"])
            pick = int(pick[0]), pick[1]
        named = {pick, *near}
        # Of settings that cost the same any will do.
        price = None if best is None else settings[best][0]
        as_good = {key for key in good if settings[key][0] == price}
        right = (pick is None or met[pick]) and (best is None or bool(named & as_good))
        found_it += pick in as_good
        fresh = int(found.table["replications"].sum())
        words = ["-" if key is None else f"{key[0]} {key[1]}" for key in (best, pick)]
        print(f"{number:7} {figure:17} {margin:+7.0%}  {words[0]:12}  {words[1]:12}  {len(near):11}"
              f"  {fresh:12}{'' if right else '  WRONG'}")  # fmt: skip
        if not right:
            wrong.append(number)
    print(f"the optimum in {found_it}, the optimum or a near miss in {30 - len(wrong)} of 30")
    assert not wrong
    assert found_it >= 10
