"""Desks with known answers: customers who try again, call back or come in circles; overflow."""

from __future__ import annotations

from typing import Any

from twin.experiments.case import Case, desk, exponential
from twin.measures import chains


def demand_cases() -> list[Case]:
    """Cases of customers and of overflow, in the order in which they are shown."""
    wait_share, wait_mean = ("agent_wait_share", ""), ("agent_wait_mean", "")
    used, queue = ("occupancy", "all"), ("queue", "")
    retrials = chains.retrials(2, 10 / 60, 10, places=1, again=0.7, delay=20)
    some = chains.patience_of_some(3, 0.33, 10, patience=8, endless=0.4)
    helped = chains.overflow_at(2, 1, 0.22, (10, 12), at=3)
    wrapped = chains.wrap_up(3, 0.22, 6, 4)
    circle = chains.finite_source(2, 8, 10, 60)
    pool: dict[str, Any] = {"handle_time": exponential("10min")}
    twenty = {"warm_up": "1d", "replications": 20}
    return [
        Case(
            "M/M/2/3 with retrials",
            "its Markov chain; Falin and Templeton 1997",
            desk(
                "retrials",
                2,
                exponential("10min"),
                queue={"capacity": 1},
                customers={"retrial": {"chance": 0.7, "delay": exponential("20min"), "most": 1000}},
                arrivals={"rate": "10/h"},
                horizon="30d",
                **twenty,
            ),
            {
                ("first_attempt_abandonment", ""): retrials.first_blocked,
                ("abandonment_rate", ""): retrials.lost,
                ("backlog", ""): retrials.number,
                used: retrials.used,
            },
        ),
        Case(
            "callbacks: two in five leave a number, the others give up",
            "Baccelli and Hebuterne 1981; Zeltyn and Mandelbaum 2005",
            desk(
                "callbacks",
                3,
                exponential("10min"),
                customers={"patience": exponential("8min"), "callback": {"chance": 0.4}},
                arrivals={"rate": "0.33/min"},
                horizon="20d",
                **twenty,
            ),
            {
                wait_share: some[0],
                ("abandonment_rate", ""): some[1],
                wait_mean: 60 * some[2],
            },
        ),
        Case(
            "overflow from two agents to a third while three wait",
            "its Markov chain",
            {
                **desk(
                    "overflow-at",
                    2,
                    exponential("10min"),
                    tickets={"category_mix": {"Login": 1.0, "Payment": 0.0}},
                    arrivals={"rate": "0.22/min"},
                    horizon="30d",
                    **twenty,
                ),
                "agents": {
                    "login": pool
                    | {"heads": 2, "skills": ["Login"], "overflow_to": ["help"], "overflow_at": 3},
                    "help": {
                        "heads": 1,
                        "skills": ["Payment"],
                        "handle_time": exponential("12min"),
                    },
                },
            },
            {
                queue: helped.queue,
                wait_mean: 60 * helped.wait,
                ("occupancy", "login"): helped.used,
                ("occupancy", "help"): helped.helper_used,
            },
        ),
        Case(
            "M/PH/3: three agents, handle time and wrap-up",
            "its Markov chain; Neuts 1981",
            desk(
                "wrap-up-3",
                3,
                exponential("6min"),
                pool={"wrap_up": exponential("4min")},
                arrivals={"rate": "0.22/min"},
                horizon="20d",
                **twenty,
            ),
            {
                wait_share: wrapped.wait_share,
                wait_mean: 60 * wrapped.wait,
                used: wrapped.used,
                ("resolution_mean", ""): 60 * (6 + wrapped.wait),
            },
        ),
        Case(
            "a finite population: M/M/2//8",
            "Palm 1947",
            desk(
                "finite-source",
                2,
                exponential("10min"),
                # Nobody new comes: those who are there come back for ever.
                arrivals={"rate": "1/h", "scale": 0.0},
                backlog={"tickets": 8, "age": "1h"},
                touches={"on_hold": {"chance": 1.0, "delay": exponential("1h")}, "most": 1000},
                horizon="20d",
                **twenty,
            ),
            {queue: circle[0], used: circle[2]},
        ),
    ]
