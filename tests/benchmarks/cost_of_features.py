"""Cost of a visit to the agents, feature by feature.

    python -m tests.benchmarks.cost_of_features [--rounds 9] [--days 43]

plays the baseline's agents without an assistant, then the same tickets with one feature at a time,
with all that go together, and with an assistant as shipped. All are played in turn, round after
round, in one process; a ratio is the median over the rounds of that of two neighbours' times of the
processor. A visit is an agent's work on a ticket, or a wait for it that ended otherwise; wrap-up is
part of the visit before it.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

import twin
from twin.assistant.backends import build
from twin.demand.tickets import draw
from twin.desk.simulation import simulate

BASELINE = Path(__file__).parents[2] / "scenarios" / "baseline.toml"

# What the same agents can do alone, replies and wrap-up included.
ALONE = {"assistant.role": "off", "arrivals.scale": 0.24}

TOUCHES = {
    "touches.waiting": {"chance": 0.35, "delay": "18h", "never": 0.15, "close_after": "4d"},
    "touches.on_hold": {"chance": 0.08, "delay": "10h", "clock": "desk hours"},
}
WRAP_UP = {
    f"agents.{pool}.wrap_up": {"distribution": "lognormal", "mean": "80s", "cv": 0.7}
    for pool in ("frontline", "payments")
}
AWAY = {
    "agents.frontline.away": {
        "after_touch": 0.25,
        "while_idle": "1/h",
        "returns": "10/h",
        "returns_per_queued": "10/h",
    }
}
IN_HAND = {
    "agents.frontline.concurrency": 3,
    "agents.frontline.slow_down": [1.0, 0.8, 0.6],
}
WEIGHTS = IN_HAND | {"agents.frontline.weights_by_channel": {"email": 1, "chat": 2}}
OVERFLOW = {
    "agents.frontline.overflow_to": ["payments"],
    "agents.frontline.overflow_after": "90s",
}
QUEUE_LENGTH = {"agents.frontline.overflow_to": ["payments"], "agents.frontline.overflow_at": 3}
RETRIALS = {
    "customers.patience": {"distribution": "exponential", "mean": "2h"},
    "customers.retrial": {"chance": 0.5, "delay": "1h", "most": 3},
    "customers.callback": {"chance": 0.3, "queue": 5},
}
CHANNELS = {
    "tickets.channel_mix": {"chat": 1, "email": 3},
    "agents.frontline.channels": ["chat", "email"],
    "customers.patience_by_channel": {"chat": "30min"},
}
TRANSFERS = {
    "agents.frontline.transfers_to": {"payments": 0.05},
    "agents.payments.transfers_to": {"frontline": 0.2},
}
SAME_AGENT = {"routing.same_agent": 0.8}
WORKFLOW = {
    "workflow": {
        "start": {"New": 1.0},
        "statuses": {
            "New": {"counts_as": "Open", "next": {"Work": 1.0}},
            "Work": {
                "counts_as": "In Progress",
                "work": True,
                "next": {"Asked": 0.35, "Vendor": 0.08, "Done": 0.57},
            },
            "Asked": {
                "counts_as": "Waiting for customer",
                "delay": "18h",
                "next": {"Work": 0.85, "Done": 0.15},
            },
            "Vendor": {
                "counts_as": "On hold",
                "delay": "10h",
                "clock": "desk hours",
                "next": {"Work": 1.0},
            },
            "Done": {"counts_as": "Resolved"},
        },
    }
}

EITHER_WAY = WRAP_UP | OVERFLOW | CHANNELS | TRANSFERS
# Agents who come and go are not told apart, so with tickets in hand they do not go together;
# nor do a workflow and the touches and retrials of the twin's own life cycle.
DESKS: dict[str, dict[str, Any]] = {
    "touches": TOUCHES,
    "wrap-up": WRAP_UP,
    "away": AWAY,
    "concurrency": IN_HAND,
    "concurrency with weights": CHANNELS | WEIGHTS,
    "same agent, with touches": TOUCHES | SAME_AGENT,
    "overflow after a wait": OVERFLOW,
    "overflow at a length": QUEUE_LENGTH,
    "retrials and callbacks": RETRIALS,
    "channels": CHANNELS,
    "transfers": TRANSFERS,
    "workflow": WORKFLOW,
    "all with away": EITHER_WAY | TOUCHES | RETRIALS | AWAY,
    "all with concurrency": EITHER_WAY | TOUCHES | RETRIALS | IN_HAND | SAME_AGENT,
    "all with weights": EITHER_WAY | TOUCHES | RETRIALS | WEIGHTS | SAME_AGENT,
    "workflow, all with away": EITHER_WAY | WORKFLOW | AWAY,
    "workflow, all with concurrency": EITHER_WAY | WORKFLOW | IN_HAND | SAME_AGENT,
    "shipped baseline, its assistant included": {"assistant.role": "full", "arrivals.scale": 1},
}


def played(changes: dict[str, Any], days: int) -> tuple[Callable[[], object], int]:
    """A desk ready to play, and the visits of a run."""
    scenario = twin.load(BASELINE, ALONE | {"horizon": f"{days}d"}).vary(changes, name="desk")
    demand = draw(scenario)
    assistant = None
    if scenario.assistant.role != "off":
        assistant = build(scenario, demand.categories, demand.corpus)
    play = partial(simulate, scenario, demand, assistant)
    visits = play().visits
    return play, int((visits["activity"] != "wrap-up").sum())


def cpu_s(play: Callable[[], object]) -> float:
    """Time of the processor that a run takes."""
    gc.collect()
    begun = time.process_time()
    play()
    return time.process_time() - begun


def costs(rounds: int, days: int) -> pd.DataFrame:
    """Cost of a visit of each desk, beside that of the desk without features.

    Returns
    -------
    DataFrame
        Columns desk, visits, us (a visit, least of the rounds), ratio, low, high (quartiles).
    """
    plain, plain_visits = played({}, days)
    least, rows = min(cpu_s(plain) for _ in range(3)), []
    desks = {name: played(changes, days) for name, changes in DESKS.items()}
    times: dict[str, list[float]] = {name: [] for name in desks}
    ratios: dict[str, list[float]] = {name: [] for name in desks}
    for _ in range(rounds):
        for name, (play, visits) in desks.items():
            beside = cpu_s(plain)
            least = min(least, beside)
            times[name].append(cpu_s(play))
            ratios[name].append(times[name][-1] / visits / (beside / plain_visits))
    rows.append(("without features", plain_visits, least / plain_visits * 1e6, 1.0, 1.0, 1.0))
    for name, (_, visits) in desks.items():
        low, middle, high = statistics.quantiles(ratios[name], n=4)
        rows.append((name, visits, min(times[name]) / visits * 1e6, middle, low, high))
    return pd.DataFrame(rows, columns=["desk", "visits", "us", "ratio", "low", "high"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--days", type=int, default=43)
    given = parser.parse_args()
    table = costs(given.rounds, given.days)
    print(table.to_string(index=False, float_format=lambda x: f"{x:.2f}"))


if __name__ == "__main__":
    main()
