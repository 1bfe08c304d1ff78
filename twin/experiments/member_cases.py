"""Desks with known answers whose agents differ from each other."""

from __future__ import annotations

import math

from twin.experiments.case import Case, desk, exponential
from twin.measures.skilled import skilled


def member_cases() -> list[Case]:
    """The cases, in the order in which they are shown."""
    return [_skilled()]


def _skilled() -> Case:
    """The N-design: of two kinds of tickets one agent takes both, the other one, faster, one."""
    kinds = frozenset((0, 1)), frozenset((0,))
    found = skilled((5 / 60, 4 / 60), ((kinds[0], 12), (kinds[1], 8)), 3, "random")
    members = [{"name": "both"}, {"name": "login", "speed": 1.5, "skills": ["Login"]}]
    return Case(
        "N-design: an agent of two skills and one of one",
        "Garnett and Mandelbaum 2000; its Markov chain",
        {
            **desk(
                "N-design",
                2,
                exponential("12min"),
                pool={"members": members},
                queue={"capacity": 3},
                tickets={"category_mix": {"Login": 5, "Payment": 4}},
                arrivals={"rate": "9/h"},
                horizon="30d",
                warm_up="12h",
                replications=16,
            ),
            "routing": {"choice": "random"},
        },
        {
            ("blocked_share", ""): found.blocked,
            ("agent_wait_mean", ""): 60 * found.wait,
            ("backlog", ""): found.number,
            ("occupancy", "all"): math.fsum(found.used) / 2,
        },
    )
