"""Desks with known answers whose agents differ from each other."""

from __future__ import annotations

import math

from twin.experiments.case import Case, desk, exponential
from twin.measures import chains
from twin.measures.skilled import draining, skilled


def member_cases() -> list[Case]:
    """The cases, in the order in which they are shown."""
    return [_skilled(), _coming(), _draining()]


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


_RATES = {"after_touch": 0.3, "while_idle": 3 / 60, "returns": 12 / 60, "returns_per_queued": 0.1}
_AWAY = {"after_touch": 0.3, "while_idle": "3/h", "returns": "12/h", "returns_per_queued": "6/h"}


def _coming() -> Case:
    """Erlang-S again, with agents told apart: of equal agents it is the same whoever leaves."""
    found = chains.erlang_s(3, 12 / 60, 8, 5, **_RATES)
    return Case(
        "agents come and go, told apart, any of the free takes a ticket",
        "Azriel, Feigin and Mandelbaum 2019",
        {
            **desk(
                "Erlang-S-told-apart",
                3,
                exponential("8min"),
                pool={"away": _AWAY},
                customers={"patience": exponential("5min")},
                arrivals={"rate": "12/h"},
                horizon="30d",
                warm_up="12h",
                replications=16,
            ),
            "routing": {"choice": "random"},
        },
        {
            ("agent_wait_share", ""): found.wait_share,
            ("agent_wait_mean", ""): 60 * found.wait,
            ("abandonment_rate", ""): found.abandoned,
            ("away_share", ""): found.away,
        },
    )


def _draining() -> Case:
    """Two tickets in hand: who leaves takes no new one, and is away when the last is done."""
    found = draining(2, 2, 18 / 60, 10, 4, **_RATES)
    return Case(
        "agents with two tickets in hand finish them before they are away",
        "its Markov chain",
        desk(
            "Erlang-S-in-hand",
            2,
            exponential("10min"),
            pool={"away": _AWAY, "concurrency": 2, "slow_down": "none"},
            queue={"capacity": 4},
            arrivals={"rate": "18/h"},
            horizon="20d",
            warm_up="12h",
            replications=16,
        ),
        {
            ("blocked_share", ""): found.blocked,
            ("agent_wait_mean", ""): 60 * found.wait,
            ("backlog", ""): found.number,
            ("away_share", ""): found.away,
        },
    )
