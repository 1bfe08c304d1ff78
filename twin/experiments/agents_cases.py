"""Desks with known answers whose agents are not always there."""

from __future__ import annotations

import numpy as np
from scipy import stats

from twin.experiments.case import Case, desk, exponential
from twin.measures import chains, theory


def agents_cases() -> list[Case]:
    """The cases, in the order in which they are shown."""
    few = chains.erlang_s(3, 12 / 60, 8, 5, after_touch=0.3, while_idle=3 / 60, returns=12 / 60,
                          returns_per_queued=6 / 60)  # fmt: skip
    many = chains.erlang_s(14, 3, 3, 5, after_touch=0.4, while_idle=0, returns=12 / 60,
                           returns_per_queued=3 / 60)  # fmt: skip
    number = np.arange(5)
    come = 0.5 * stats.binom.pmf(number, 3, 0.8) + 0.5 * stats.binom.pmf(number, 4, 0.8)
    # Where nobody comes all are turned away.
    blocked = [1.0, *(theory.limited(heads, 0.5, 4, places=0).blocked for heads in range(1, 5))]
    lost = float(come @ blocked)
    return [
        Case(
            "agents come and go: three agents, customers give up",
            "Azriel, Feigin and Mandelbaum 2019",
            desk(
                "Erlang-S-3",
                3,
                exponential("8min"),
                pool={
                    "away": {
                        "after_touch": 0.3,
                        "while_idle": "3/h",
                        "returns": "12/h",
                        "returns_per_queued": "6/h",
                    }
                },
                customers={"patience": exponential("5min")},
                arrivals={"rate": "12/h"},
                horizon="60d",
                warm_up="1d",
                replications=20,
            ),
            {
                ("agent_wait_share", ""): few.wait_share,
                ("agent_wait_mean", ""): 60 * few.wait,
                ("abandonment_rate", ""): few.abandoned,
                ("away_share", ""): few.away,
            },
        ),
        Case(
            "agents come and go: 14 agents, sooner back where many wait",
            "Azriel, Feigin and Mandelbaum 2019",
            desk(
                "Erlang-S-14",
                14,
                exponential("3min"),
                pool={"away": {"after_touch": 0.4, "returns": "12/h", "returns_per_queued": "3/h"}},
                customers={"patience": exponential("5min")},
                arrivals={"rate": "3/min"},
                horizon="3d",
                warm_up="2h",
                replications=12,
            ),
            {
                ("agent_wait_share", ""): many.wait_share,
                ("agent_wait_mean", ""): 60 * many.wait,
                ("abandonment_rate", ""): many.abandoned,
                ("occupancy", "all"): many.used,
                ("away_share", ""): many.away,
            },
        ),
        Case(
            "agents drawn each day: of 3.5 a fifth do not come; nobody waits",
            "Erlang 1917, mixed over the binomial",
            desk(
                "turnout",
                3.5,
                exponential("4min"),
                pool={"shrinkage": 0.2},
                queue={"capacity": 0},
                arrivals={"rate": "30/h"},
                horizon="60d",
                warm_up="1d",
                replications=20,
            ),
            # A loss desk is as good as stationary minutes after midnight.
            {("blocked_share", ""): lost},
        ),
    ]
