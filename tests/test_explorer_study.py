"""Share of an explorer's intervals that hold fresh runs, and how often its "surely" is wrong.

`python tests/test_explorer_study.py DESK FIRST NUMBER [PLACES] [TIMES]` plays so many studies of a
desk, each with a seed of its own, asks each explorer for the figures at ten random places of its
grid, plays each place afresh and prints how often the interval holds the figure. Of targets chosen
at random, three times, it prints how often the setting that is called best and surely meeting them
misses one. The rates are quoted in `tests/benchmarks/README.md`. It takes about 20 s of the
processor a study.
"""

import os
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import twin
from twin.experiments.studies.explorer import explorer
from twin.experiments.studies.store import StudyStore
from twin.scenario.model import Target
from twin.stats.intervals import ratio_interval

PLACES, TIMES, FRESH = 10, 3, 60
PHONE = {
    "name": "phone", "horizon": "1d", "warm_up": "4h",
    "arrivals": {"rate": "20/h"},
    "customers": {"patience": {"distribution": "exponential", "mean": "20min"},
                  "solved": {"agent": 1.0}},
    "targets": {"first_response": {"normal": "5min"}},
    "agents": {"all": {"heads": 4, "cost": 25.0,
                       "handle_time": {"distribution": "exponential", "mean": "10min"}}},
}  # fmt: skip
ASSISTED = {
    "name": "assisted",
    "horizon": "1d",
    "warm_up": "4h",
    "arrivals": {"rate": "20/h"},
    "assistant": {"role": "full", "backend": "profile", "confidence_threshold": 0.3},
    "targets": {"first_response": {"normal": "10min"}},
    "agents": {"all": {"heads": 2, "handle_time": "12min", "cost": 25.0}},
}
# Desk, factors, figures, and what a target and what a goal may be set for.
DESKS = {
    "phone": (
        PHONE,
        {"arrivals.scale": [0.6, 0.8, 1.0, 1.2, 1.4], "agents.all.heads": [2, 3, 4, 5, 6],
         "agents.all.handle_scale": [0.8, 0.95, 1.1, 1.25]},
        ["service_level", "abandonment_rate", "agent_wait_mean", "first_response_p90",
         "resolution_mean", "occupancy", "csat_all", "cost_per_resolution", "cost_week"],
        ["service_level", "abandonment_rate", "agent_wait_mean", "csat_all"],
        ["cost_week", "cost_per_resolution"],
    ),
    "assisted": (
        ASSISTED,
        {"assistant.profile.quality": [0.2, 0.4, 0.6, 0.8, 1.0],
         "assistant.confidence_threshold": [0.0, 0.25, 0.5, 0.75, 1.0],
         "agents.all.heads": [2, 4, 6, 8]},
        ["service_level", "agent_wait_mean", "resolution_mean", "containment", "csat_all",
         "escalation_rate", "occupancy", "cost_per_resolution", "cost_week"],
        ["service_level", "agent_wait_mean", "csat_all", "containment"],
        ["cost_week", "cost_per_resolution"],
    ),
}  # fmt: skip
WORKERS = max(1, (os.cpu_count() or 2) // 2)


def explored(name, seed, replications=5):
    """An explorer of a study of a desk with a seed of its own."""
    data, factors, figures, *_ = DESKS[name]
    desk = twin.from_data(data | {"seed": seed})
    plan = {"name": name, "scenario": desk, "factors": factors, "kpis": figures}
    return explorer(twin.study(plan, replications=replications, workers=WORKERS), figures)


@cache
def fresh(name, setting):
    """Figures of a setting by replications that no study has seen."""
    data, _, figures, *_ = DESKS[name]
    desk = twin.from_data(data | {"seed": 987_654}).vary(dict(setting))
    with tempfile.TemporaryDirectory() as folder:
        store = StudyStore(Path(folder), WORKERS, asked=figures)
        store.play((desk, k) for k in range(FRESH))
        pairs = {kpi: store.values(desk, (kpi, ""), range(FRESH)) for kpi in figures}
    return {kpi: ratio_interval(*zip(*one, strict=True))[0] for kpi, one in pairs.items()}


def values_of(explorer, texts):
    """A setting as a scenario takes it."""
    return tuple((key, float(text)) for key, text in texts.items())


def asked(name, seed, places):
    """A row a place and figure: whether its interval holds what fresh runs show."""
    found, luck, rows = explored(name, seed), np.random.default_rng(seed), []
    for _ in range(places):
        texts = {f.axis.key: str(luck.choice(f.texts)) for f in found.factors}
        true = fresh(name, values_of(found, texts))
        for row in found.at(texts).to_dict("records"):
            value = true[row["figure"]]
            rows.append({
                "seed": seed, "figure": row["figure"], "known": not np.isnan(row["low"]),
                "played": row["interpolation"] == 0,
                "held": bool(row["low"] - 1e-9 <= value <= row["high"] + 1e-9),
                "half": (row["high"] - row["low"]) / 2, "interpolation": row["interpolation"],
                "off": abs(row["value"] - value),
            })  # fmt: skip
    return pd.DataFrame(rows), found


def judged(name, found, seed, times):
    """For random targets: whether a best setting was called sure, and misses one."""
    _, _, _, limited, goals = DESKS[name]
    luck, rows = np.random.default_rng([seed, 1]), []
    for _ in range(times):
        chosen = luck.choice(limited, size=int(luck.integers(1, 3)), replace=False)
        targets = {}
        for kpi in map(str, chosen):
            one = found.figure(kpi)
            limit = float(luck.uniform(*np.nanquantile(one.surrogate.values, [0.1, 0.9])))
            bound = "at_least" if one.better == "higher" else "at_most"
            targets[kpi] = Target(**{bound: limit})
        held = {f.axis.key: int(luck.integers(len(f.stops))) for f in found.factors
                if f.axis.met}  # fmt: skip
        best = found.best(targets, str(luck.choice(goals)), held)
        if best.surely is not None:
            true = fresh(name, values_of(found, best.surely))
            missed = [k for k, t in targets.items()
                      if (t.at_least is not None and true[k] < t.at_least)
                      or (t.at_most is not None and true[k] > t.at_most)]  # fmt: skip
            rows.append({"seed": seed, "targets": len(targets), "wrong": bool(missed)})
        else:
            rows.append({"seed": seed, "targets": len(targets), "wrong": None})
    return rows


def study(name, first, number, places=PLACES, times=TIMES):
    """Both tables over so many studies."""
    tables, verdicts = [], []
    for seed in range(first, first + number):
        table, found = asked(name, seed, places)
        tables.append(table)
        verdicts += judged(name, found, seed, times)
    return pd.concat(tables), pd.DataFrame(verdicts)


@pytest.mark.slow
def test_intervals_hold_fresh_runs_and_surely_is_seldom_wrong():
    places, verdicts = study("phone", 1, 5, places=40, times=10)
    assert places.groupby("seed").size().sum() == 200 * 9
    assert places["known"].all()
    assert places["held"].mean() >= 0.95
    said = verdicts["wrong"].dropna()
    assert len(said) >= 30
    assert said.mean() <= 0.05


if __name__ == "__main__":
    places, verdicts = study(sys.argv[1], *map(int, sys.argv[2:]))
    known = places[places["known"]]
    by = known.groupby("figure", sort=False).agg(
        places=("held", "size"), held=("held", "mean"), half=("half", "median"),
        interpolation=("interpolation", "median"), off=("off", "median"),
    )  # fmt: skip
    print(by.to_string(float_format="{:.4g}".format))
    print(f"places known: {len(known)} of {len(places)}; held {known['held'].mean():.4f}")
    said = verdicts[verdicts["wrong"].notna()]
    print(f"surely: {len(said)} of {len(verdicts)}, wrong {int(said['wrong'].sum())}")
