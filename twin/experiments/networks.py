"""Networks with known answers, of pools and of statuses, for `twin validate`."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.experiments.case import Case
from twin.measures import theory


def network_cases() -> list[Case]:
    """The cases, in the order in which they are shown."""
    return [
        Case("three pools that transfer tickets to and fro", "Jackson 1957", *_three_pools()),
        Case(
            "statuses by the last two, each with a delay", "Kemeny and Snell 1960", *_own_statuses()
        ),
    ]


def _three_pools() -> tuple[dict[str, Any], dict[tuple[str, str], float]]:
    """A desk of three pools that transfer tickets to and fro, and what its figures must come to.

    The third takes nothing but transfers.
    """

    def pool(heads: int, minutes: float, **more: Any) -> dict[str, Any]:
        work = {"distribution": "exponential", "mean": f"{minutes:g}min"}
        return {"heads": heads, "handle_time": work, **more}

    to = np.array([[0.0, 0.3, 0.0], [0.2, 0.0, 0.1], [0.0, 0.5, 0.0]])
    found = theory.jackson(np.array([6.0, 4.0, 0.0]) / 60, to, [2, 1, 1], np.array([8.0, 6.0, 20]))
    names = ("login", "payment", "lab")
    desk = {
        "name": "network",
        "arrivals": {"rate": "10/h"},
        "tickets": {"category_mix": {"Login": 3.0, "Payment": 2.0}},
        "agents": {
            "login": pool(2, 8, skills=["Login"], transfers_to={"payment": 0.3}),
            "payment": pool(1, 6, skills=["Payment"], transfers_to={"login": 0.2, "lab": 0.1}),
            "lab": pool(1, 20, transfers_only=True, transfers_to={"payment": 0.5}),
        },
        "routing": {"max_transfers": 1000},
        "customers": {"survey_rate": 0.0, "solved": {"agent": 1.0}},
        "horizon": "60d",
        "warm_up": "2d",
        "replications": 20,
    }
    used = zip(names, found.used.tolist(), strict=True)
    answers = {("occupancy", name): share for name, share in used}
    return desk, {**answers, ("backlog", ""): float(found.number.sum())}


def _own_statuses() -> tuple[dict[str, Any], dict[tuple[str, str], float]]:
    """A desk known by its statuses, the next by the last two, and what it must come to.

    After a wait it is more likely done, so Active after New and after Wait are two states.
    """

    def delay(minutes: float) -> dict[str, str]:
        return {"distribution": "exponential", "mean": f"{minutes:g}min"}

    minutes = np.array([20.0, 90.0, 90.0, 300.0])
    moves = np.zeros((4, 4))
    new, active, again, wait = range(4)
    moves[new, active] = moves[wait, again] = 1.0
    moves[active, wait], moves[again, wait] = 0.5, 0.2
    spent = theory.absorbing(np.array([1.0, 0, 0, 0]), moves) * minutes
    total = float(spent.sum())
    statuses = {
        "New": {"counts_as": "Open", "delay": delay(20), "next": {"Active": 1.0}},
        "Active": {
            "counts_as": "In Progress",
            "delay": delay(90),
            "next": {"Wait": 0.5, "Done": 0.5},
            "after": {"Wait": {"Wait": 0.2, "Done": 0.8}},
        },
        "Wait": {
            "counts_as": "Waiting for customer", "delay": delay(300), "next": {"Active": 1.0}
        },
        "Done": {"counts_as": "Resolved"},
    }  # fmt: skip
    desk = {
        "name": "statuses",
        # All that came is done before the end: who is not yet would be left out of the means.
        "arrivals": {"rate": "1/min", "surges": [{"start": "4d", "length": "4d", "factor": 0.0}]},
        "workflow": {"start": {"New": 1.0}, "statuses": statuses},
        "customers": {"survey_rate": 0.0},
        "horizon": "8d",
        "replications": 10,
    }
    answers = {
        ("resolution_mean", ""): 60 * total,
        ("waiting_share", ""): float(spent[wait]) / total,
        ("first_response_mean", ""): 60 * 20.0,
    }
    return desk, answers
