"""The twin against queueing theory: desks with known answers, played and judged.

Each case is a scenario like any other; nothing is told the answer. A figure passes where its
interval over replications holds the known answer. Intervals are simultaneous over all figures
(Bonferroni), and a fixed seed makes the outcome the same every time: a failure is a change of the
twin, not luck.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from twin.experiments.agents_cases import agents_cases
from twin.experiments.case import Case
from twin.experiments.case import desk as _desk
from twin.experiments.case import exponential as _exponential
from twin.experiments.demand_cases import demand_cases
from twin.experiments.in_hand_cases import in_hand_cases
from twin.experiments.member_cases import member_cases
from twin.experiments.networks import network_cases
from twin.experiments.run import run
from twin.experiments.weighed_cases import weighed_cases
from twin.measures import theory
from twin.stats import intervals

# All intervals together hold their true values with this probability.
LEVEL = 0.99


def cases() -> list[Case]:
    """The cases, in the order in which they are shown."""
    urgent, normal = theory.priority_sojourns([0.2, 0.6], 1)
    share, abandoned, occupancy, wait = theory.erlang_a(14, 100 / 30, service=3, patience=5)
    one_place = theory.limited(2, 3, 1 / 4, places=1)
    five_places = theory.limited(12, 4.2, 2, places=5)
    pool = {"handle_time": _exponential("10min")}
    lost, used_first, used_second = theory.overflow_loss((3, 2), (16 / 60, 8 / 60), 10)
    # A hundred wait as good as never.
    put_off = theory.limited(2, 0.3, 10, places=100, balking=0.2)
    wait_share, wait_mean = ("agent_wait_share", ""), ("agent_wait_mean", "")
    used, queue = ("occupancy", "all"), ("queue", "")
    calls = {
        "arrivals": {"rate": "100/30min"},
        "horizon": "3d",
        "warm_up": "2h",
        "replications": 12,
        "targets": {"first_response": {"normal": "20s"}},
    }
    talk = _exponential("3min")
    triage = {
        "role": "triage",
        "backend": "profile",
        "profile": {"categorize_latency": _exponential("10min")},
    }
    return [
        Case(
            "M/M/3",
            "Erlang 1917",
            _desk(
                "M-M-3",
                3,
                _exponential("10min"),
                arrivals={"rate": "0.2/min"},
                horizon="40d",
                warm_up="1d",
                replications=20,
            ),
            {
                wait_mean: 60 * theory.erlang_c_wait(3, 2, 10),
                wait_share: theory.erlang_c(3, 2),
                used: 2 / 3,
                ("backlog", ""): 2 + 0.2 * theory.erlang_c_wait(3, 2, 10),
            },
        ),
        Case(
            "Erlang C: 14 agents, 10 erlang",
            "Erlang 1917",
            _desk("Erlang-C", 14, talk, **calls),
            {
                wait_share: theory.erlang_c(14, 10),
                ("service_level", ""): theory.erlang_c_level(14, 10, 180, 20),
                used: 10 / 14,
            },
        ),
        Case(
            "Erlang A: the same, customers give up",
            "Palm 1957",
            _desk("Erlang-A", 14, talk, customers={"patience": _exponential("5min")}, **calls),
            {
                wait_share: share,
                ("abandonment_rate", ""): abandoned,
                used: occupancy,
                wait_mean: 60 * wait,
            },
        ),
        Case(
            "M/G/1, lognormal, cv 2, load 0.7",
            "Pollaczek 1930, Khinchine 1932",
            _desk(
                "M-G-1",
                1,
                {"distribution": "lognormal", "mean": "1min", "cv": 2.0},
                arrivals={"rate": "0.7/min"},
                horizon="10d",
                warm_up="12h",
                replications=20,
            ),
            {queue: theory.pollaczek_khinchine(0.7, 2), used: 0.7},
        ),
        Case(
            "priorities on M/M/1",
            "Cobham 1954",
            _desk(
                "priorities",
                1,
                _exponential("1min"),
                arrivals={"rate": "0.8/min"},
                tickets={"priority_mix": {"urgent": 0.2, "normal": 0.6}},
                horizon="10d",
                warm_up="12h",
                replications=20,
            ),
            {
                ("resolution_mean", "urgent"): 60 * urgent,
                ("resolution_mean", "normal"): 60 * normal,
            },
        ),
        Case(
            "returns: M/M/3, two in five come back from the customer",
            "Yom-Tov and Mandelbaum 2014; Jackson 1957",
            _desk(
                "Erlang-R",
                3,
                _exponential("6min"),
                arrivals={"rate": "12/h"},
                touches={"waiting": {"chance": 0.4, "delay": _exponential("2h")}, "most": 1000},
                horizon="100d",
                warm_up="5d",
                replications=20,
            ),
            {
                wait_mean: 60 * theory.erlang_c_wait(3, 2, 6),
                wait_share: theory.erlang_c(3, 2),
                used: 2 / 3,
                # In service, in the queue, and with the customer.
                ("backlog", ""): 2 + 20 / 60 * theory.erlang_c_wait(3, 2, 6) + 8 * 2,
                ("touches_mean", ""): 1 / 0.6,
            },
        ),
        Case(
            "tandem: one assistant call at a time, one agent",
            "Burke 1956",
            _desk(
                "tandem",
                1,
                _exponential("8.571428571428571min"),
                arrivals={"rate": "4/h"},
                assistant=triage,
                provider={"concurrency": 1, "plan": "unlimited", "timeout": "30d"},
                horizon="200d",
                warm_up="5d",
                replications=20,
            ),
            {
                ("backlog", ""): theory.mm1_number(4 / 6) + theory.mm1_number(4 / 7),
                queue: theory.mm1_number(4 / 7) - 4 / 7,
                used: 4 / 7,
            },
        ),
        Case(
            "M/G/1 of handle time and wrap-up, load 0.7",
            "Pollaczek 1930, Khinchine 1932",
            _desk(
                "wrap-up",
                1,
                _exponential("0.4min"),
                pool={"wrap_up": _exponential("0.3min")},
                arrivals={"rate": "1/min"},
                horizon="10d",
                warm_up="12h",
                replications=20,
            ),
            {
                queue: theory.pollaczek_khinchine(0.7, 0.5 / 0.7),
                used: 0.7,
                # The ticket is resolved before the wrap-up, so a stay holds the handle time only.
                ("resolution_mean", ""): 60 * (0.4 + theory.pollaczek_khinchine(0.7, 0.5 / 0.7)),
            },
        ),
        Case(
            "M/M/2/3: one place to wait",
            "Erlang 1917",
            _desk(
                "places-1",
                2,
                _exponential("15min"),
                queue={"capacity": 1},
                arrivals={"rate": "3/h"},
                horizon="60d",
                warm_up="1d",
                replications=20,
            ),
            {("backlog", ""): one_place.number, ("blocked_share", ""): one_place.blocked},
        ),
        Case(
            "M/M/12/17: five places to wait",
            "Erlang 1917",
            _desk(
                "places-5",
                12,
                _exponential("2min"),
                queue={"capacity": 5},
                arrivals={"rate": "4.2/min"},
                horizon="4d",
                warm_up="1h",
                replications=12,
            ),
            {
                ("blocked_share", ""): five_places.blocked,
                wait_mean: 60 * five_places.wait,
                used: five_places.used,
            },
        ),
        Case(
            "overflow from three agents to two, nobody waits",
            "its Markov chain",
            {
                **_desk(
                    "overflow",
                    3,
                    _exponential("10min"),
                    queue={"capacity": 0},
                    tickets={"category_mix": {"Login": 2.0, "Payment": 1.0}},
                    arrivals={"rate": "24/h"},
                    horizon="20d",
                    warm_up="1d",
                    replications=20,
                ),
                "agents": {
                    "login": pool | {"heads": 3, "skills": ["Login"], "overflow_to": ["payment"]},
                    "payment": pool | {"heads": 2, "skills": ["Payment"]},
                },
            },
            {
                ("blocked_share", ""): lost,
                ("occupancy", "login"): used_first,
                ("occupancy", "payment"): used_second,
            },
        ),
        Case(
            "M/M/2, each who waits puts off a fifth",
            "Haight 1957",
            _desk(
                "places-balking",
                2,
                _exponential("10min"),
                queue={"balking": 0.2},
                arrivals={"rate": "18/h"},
                horizon="20d",
                warm_up="1d",
                replications=20,
            ),
            {
                ("abandonment_rate", ""): put_off.balked,
                wait_mean: 60 * put_off.wait,
                used: put_off.used,
            },
        ),
        *in_hand_cases(),
        *agents_cases(),
        *demand_cases(),
        *network_cases(),
        *member_cases(),
        *weighed_cases(),
    ]


def chosen(only: str = "") -> list[Case]:
    """Cases whose names hold some letters, large or small.

    Raises
    ------
    ValueError
        If there is none.
    """
    every = cases()
    some = [case for case in every if only.lower() in case.name.lower()]
    if not some:
        names = "; ".join(case.name for case in every)
        raise ValueError(f"no case has {only!r} in its name; the cases are: {names}")
    return some


def validate(
    workers: int = 1,
    replications: int | None = None,
    progress: Callable[[float, int], None] | None = None,
    only: str = "",
) -> pd.DataFrame:
    """Play all cases, or some, and judge them.

    Parameters
    ----------
    workers : int
    replications : int, optional
        Of each case, instead of its own.
    progress : callable, optional
        Called with the replications done and all of them.
    only : str
        Play the cases whose names hold these letters, large or small.

    Returns
    -------
    DataFrame
        Columns case, source, kpi, group, unit, expected, simulated, low, high, precision (half
        width over expected), ok.

    Raises
    ------
    ValueError
        If no case has such a name.
    RuntimeError
        If a replication fails.

    Examples
    --------
    >>> import twin
    >>> cases = twin.validate(replications=2, only="Erlang C")
    >>> cases["case"].unique().tolist()
    ['Erlang C: 14 agents, 10 erlang']
    """
    given = chosen(only)
    names = {case.name for case in given}
    results = run(
        [case.scenario(seed) for seed, case in enumerate(cases(), start=1) if case.name in names],
        replications=replications,
        workers=workers,
        progress=progress,
    )
    if len(results.failures):
        first = results.failures.iloc[0]
        raise RuntimeError(f"{first['scenario']}: {first['type']}: {first['message']}")
    count = sum(len(case.answers) for case in given)
    table = intervals.summarize(results.kpis, 1 - (1 - LEVEL) / count)
    found = {(row["scenario"], row["kpi"], row["group"]): row for row in table.to_dict("records")}
    rows = []
    for case in given:
        for (kpi, group), expected in case.answers.items():
            row = found[case.data["name"], kpi, group]
            value, low, high = float(row["value"]), float(row["low"]), float(row["high"])
            precision, ok = (high - low) / 2 / expected, low <= expected <= high
            labels = (case.name, case.source, kpi, group, row["unit"])
            rows.append((*labels, expected, value, low, high, precision, ok))
    columns = ["case", "source", "kpi", "group", "unit", "expected", "simulated", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "precision", "ok"])
