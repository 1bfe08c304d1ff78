"""Desks with known answers on which tickets take several places in the hand of an agent."""

from __future__ import annotations

from twin.experiments.case import Case, desk, exponential
from twin.measures.weighed import kaufman_roberts, weighed


def weighed_cases() -> list[Case]:
    """The cases, in the order in which they are shown."""
    return [_loss(), _beside_chats()]


def _loss() -> Case:
    """One agent of four places, and nobody waits."""
    chats, calls = kaufman_roberts(4, [6 * 8 / 60, 3 * 10 / 60], [1, 2])
    return Case(
        "one agent of four places, calls take two: who is turned away",
        "Kaufman 1981, Roberts 1981",
        desk(
            "Kaufman-Roberts",
            1,
            exponential("8min"),
            pool={
                "concurrency": 4,
                "slow_down": "none",
                "weights_by_channel": {"phone": 2},
                "handle_times_by_channel": {"phone": exponential("10min")},
            },
            queue={"capacity": 0},
            tickets={"channel_mix": {"chat": 6, "phone": 3}},
            arrivals={"rate": "9/h"},
            horizon="40d",
            warm_up="12h",
            replications=16,
        ),
        {("abandonment_rate", "chat"): chats, ("abandonment_rate", "phone"): calls},
    )


def _beside_chats() -> Case:
    """Calls that need an agent with nothing in hand, beside chats of which three fit."""
    found = weighed(2, 3, [20 / 60, 4 / 60], [8, 10], [1, 3], 3, [1.0, 0.8, 0.6])
    return Case(
        "two agents, a call beside up to three chats: who fits first",
        "its Markov chain",
        desk(
            "calls-beside-chats",
            2,
            exponential("8min"),
            pool={
                "concurrency": 3,
                "slow_down": [1.0, 0.8, 0.6],
                "weights_by_channel": {"phone": 3},
                "handle_times_by_channel": {"phone": exponential("10min")},
            },
            queue={"capacity": 3},
            tickets={"channel_mix": {"chat": 20, "phone": 4}},
            arrivals={"rate": "24/h"},
            horizon="20d",
            warm_up="12h",
            replications=16,
        ),
        {
            ("abandonment_rate", "chat"): found.blocked[0],
            ("abandonment_rate", "phone"): found.blocked[1],
            ("agent_wait_mean", "chat"): 60 * found.wait[0],
            ("agent_wait_mean", "phone"): 60 * found.wait[1],
            ("occupancy", "all"): found.used,
            ("concurrency_mean", ""): found.in_hand,
        },
    )
