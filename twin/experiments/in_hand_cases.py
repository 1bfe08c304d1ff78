"""Desks with known answers whose agents are told apart, with several tickets in hand."""

from __future__ import annotations

from twin.experiments.case import Case, desk, exponential
from twin.measures import chains, theory


def in_hand_cases() -> list[Case]:
    """The cases, in the order in which they are shown."""
    several = theory.sharing(1 / 10, 11, (1.0, 0.7, 0.5))
    chats = {"concurrency": 60}
    return [
        Case(
            "M/M/1 with processor sharing, load 0.7",
            "Kleinrock 1967",
            desk(
                "M-M-1-PS",
                1,
                exponential("1min"),
                pool=chats,
                arrivals={"rate": "0.7/min"},
                horizon="8d",
                warm_up="12h",
                replications=16,
            ),
            {
                ("resolution_mean", ""): 60 / (1 - 0.7),
                ("backlog", ""): theory.mm1_number(0.7),
                ("concurrency_mean", ""): 1 / (1 - 0.7),
                ("occupancy", "all"): 0.7,
            },
        ),
        Case(
            "M/G/1 with processor sharing, cv 2: the same",
            "Sakata, Noguchi and Oizumi 1971",
            desk(
                "M-G-1-PS",
                1,
                {"distribution": "lognormal", "mean": "1min", "cv": 2.0},
                pool=chats,
                arrivals={"rate": "0.7/min"},
                horizon="8d",
                warm_up="12h",
                replications=16,
            ),
            {("resolution_mean", ""): 60 / (1 - 0.7), ("backlog", ""): theory.mm1_number(0.7)},
        ),
        Case(
            "up to three tickets in hand, at speeds 1, 0.7, 0.5",
            "its birth-death equations",
            desk(
                "in-hand",
                1,
                exponential("11min"),
                pool={"concurrency": 3, "slow_down": [1.0, 0.7, 0.5]},
                arrivals={"rate": "6/h"},
                horizon="60d",
                warm_up="1d",
                replications=16,
            ),
            {
                ("backlog", ""): several.number,
                ("agent_wait_mean", ""): 60 * several.wait,
                ("occupancy", "all"): several.used,
                ("concurrency_mean", ""): several.in_hand,
            },
        ),
        Case(
            "M/M/6 as three agents with two tickets each, at no cost",
            "Erlang 1917",
            desk(
                "M-M-6",
                3,
                exponential("10min"),
                pool={"concurrency": 2, "slow_down": "none"},
                arrivals={"rate": "30/h"},
                horizon="20d",
                warm_up="12h",
                replications=16,
            ),
            {
                ("agent_wait_mean", ""): 60 * theory.erlang_c_wait(6, 5, 10),
                ("backlog", ""): 5 + 0.5 * theory.erlang_c_wait(6, 5, 10),
            },
        ),
        *(_two_speeds(choice) for choice in ("in order", "longest idle")),
        _supported(),
    ]


def _two_speeds(choice: str) -> Case:
    """Two agents, one twice as fast as the other, by who takes a ticket that finds both free."""
    found = chains.two_speeds(6 / 60, (7.5, 15), choice)
    members = [{"name": "fast", "speed": 2.0}, {"name": "slow"}]
    return Case(
        f"M/M/2 of speeds 2 and 1, {choice}",
        "Gumbel 1960; its Markov chain",
        {
            **desk(
                f"two-speeds {choice}",
                2,
                exponential("15min"),
                pool={"members": members},
                arrivals={"rate": "6/h"},
                horizon="60d",
                warm_up="1d",
                replications=16,
            ),
            "routing": {"choice": choice},
        },
        {
            ("agent_wait_mean", ""): 60 * found.wait,
            ("backlog", ""): found.number,
            ("occupancy", "all"): found.used,
        },
    )


def _supported() -> Case:
    """A new agent whom an assistant makes faster, and an experienced one whom it does not."""
    found = chains.two_speeds(6 / 60, (15 / 1.3, 15), "in order")
    # So long a time that a run changes nothing in it.
    support = {"gain_new": 0.3, "experienced_after": "36500d"}
    members = [{"name": "new", "tenure": "0s"}, {"name": "old", "tenure": "36500d"}]
    return Case(
        "M/M/2, one of them with support",
        "its Markov chain",
        {
            **desk(
                "supported",
                2,
                exponential("15min"),
                pool={"members": members},
                arrivals={"rate": "6/h"},
                horizon="60d",
                warm_up="1d",
                replications=16,
            ),
            "routing": {"choice": "in order"},
            "assistant": {"role": "off", "support": support},
        },
        {("agent_wait_mean", ""): 60 * found.wait, ("occupancy", "all"): found.used},
    )
