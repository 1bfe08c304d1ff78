"""Share of the intervals of calibrated desks that hold the truth, on planted desks.

`python tests/test_uncertainty_study.py DESK FIRST NUMBER` calibrates desks to so many histories of
a planted one and prints how often the interval of each figure, and of the effect of one agent
less, holds what the planted desk does in the long run; the rates are quoted in
`tests/benchmarks/README.md`. It takes about 15 s a history.
"""

import sys
import tempfile
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from test_calibrate import export, phone_desk

import twin
from twin.history.calibrated_file import write_calibrated
from twin.stats.intervals import summarize

FIGURES = ("arrivals", "occupancy", "abandonment_rate", "agent_wait_mean")
DESKS = {
    "come and go": phone_desk,
    "always there": lambda: _without_away(phone_desk()),
}


def _without_away(desk):
    data = desk.as_data()
    del data["agents"]["line"]["away"]
    data["agents"]["line"]["shifts"][0]["heads"] = 2
    data["arrivals"] |= {"busyness": {"cv": 0.15}}
    return twin.from_data(data)


@cache
def truth(name):
    """Figures of the planted desk in the long run, and the effect of one agent less."""
    desk = DESKS[name]().vary({"horizon": "28d"}, name="desk")
    less = desk.vary({"agents.line.extra_heads": -1}, name="less")
    table = twin.run([desk, less], replications=40, seed=77).summary()
    value = table[table["group"] == ""].set_index(["scenario", "kpi"])["value"]
    effect = value["less", "abandonment_rate"] - value["desk", "abandonment_rate"]
    return {**{kpi: value["desk", kpi] for kpi in FIGURES}, "one agent less": effect}


def scored(name, number):
    """True for intervals that hold the truth: with versions, and by replications alone."""
    planted, true = DESKS[name](), truth(name)
    with tempfile.TemporaryDirectory() as folder:
        path = export(planted, Path(folder) / "calls.csv", 1000 + number)
        history = twin.read_history(path, zone="UTC")
        found = twin.calibrate(history)
        desk = twin.load(write_calibrated(found, history, Path(folder) / "desk.toml"))
        less = desk.vary({"agents.agents.extra_heads": -1}, name="less")
        results = twin.run([desk, less])
    row = {"history": number}
    alone = summarize(results.kpis)
    for said, table in (("", results.summary()), (" (replications alone)", alone)):
        mine = table[(table["scenario"] == "desk") & (table["group"] == "")].set_index("kpi")
        for kpi in FIGURES:
            low, high = mine.loc[kpi, ["low", "high"]]
            row[kpi + said] = bool(low <= true[kpi] <= high)
            row[f"{kpi}: half-width{said}"] = float(mine.loc[kpi, "half_width"])
        row |= {f"{kpi}: value": float(mine.loc[kpi, "value"]) for kpi in FIGURES}
    one = twin.compare(results, "desk", ["abandonment_rate"]).table.iloc[0]
    row["one agent less"] = bool(one["low"] <= true["one agent less"] <= one["high"])
    row["one agent less: value"] = float(one["difference"])
    return row


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_promise():
    table = pd.DataFrame([scored("always there", k) for k in range(20)])
    # 95 of 100, less 2.5 standard errors of 20.
    for kpi in ("arrivals", "occupancy"):
        assert table[kpi].mean() >= 0.95 - 2.5 * (0.95 * 0.05 / 20) ** 0.5


if __name__ == "__main__":
    which, first, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(truth(which))
    rows = []
    for k in range(first, first + number):
        rows.append(scored(which, k))
        print(rows[-1], flush=True)
    print(pd.DataFrame(rows).drop(columns="history").mean().to_string())
