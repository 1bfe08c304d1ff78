"""Share of the intervals of calibrated desks that hold the truth, on planted desks.

`python tests/test_uncertainty_study.py DESK FIRST NUMBER` calibrates desks to so many histories of
a planted one and prints how often the interval of each figure, and of the effect of a change (one
agent less; of a desk of statuses a fifth more tickets), holds what the planted desk does in the
long run; the rates are quoted in `tests/benchmarks/README.md`. It takes about 15 s a history.
`python tests/test_uncertainty_study.py search FIRST NUMBER` asks each of these desks for the fewest
agents that keep a limit, and counts answers that are wrong of the planted desk.
"""

import sys
import tempfile
from functools import cache
from pathlib import Path

import pandas as pd
import planted
import pytest
from test_calibrate import export, phone_desk

import twin
from twin.history.calibrated_file import write_calibrated
from twin.stats.intervals import summarize

FIGURES = ("arrivals", "occupancy", "abandonment_rate", "agent_wait_mean")
STATUS_FIGURES = ("arrivals", "resolution_mean", "first_response_mean", "backlog")
STATUSES = "statuses"
DESKS = {
    "come and go": phone_desk,
    "always there": lambda: _without_away(phone_desk()),
    STATUSES: lambda: planted.status_desk(8),
}
# Search: agents more or less, and limits of abandonment: halfway between what these do.
HEADS, LIMITS = (-1, 0, 1, 2), (0.2, 0.08)


def _without_away(desk):
    data = desk.as_data()
    del data["agents"]["line"]["away"]
    data["agents"]["line"]["shifts"][0]["heads"] = 2
    data["arrivals"] |= {"busyness": {"cv": 0.15}}
    return twin.from_data(data)


def changed(desk):
    """Figures to measure of a desk, the desk changed, and the figure that shows the effect."""
    if desk.workflow is not None:
        return STATUS_FIGURES, desk.vary({"arrivals.scale": 1.2}, name="changed"), "backlog"
    (pool,) = desk.agents
    less = desk.vary({f"agents.{pool}.extra_heads": -1}, name="changed")
    return FIGURES, less, "abandonment_rate"


@cache
def truth(name):
    """Figures of the planted desk in the long run, and the effect of the change."""
    days = {"horizon": "84d", "warm_up": "56d"} if name == STATUSES else {"horizon": "28d"}
    desk = DESKS[name]().vary(days, name="desk")
    figures, other, figure = changed(desk)
    table = twin.run([desk, other], replications=40, seed=77).summary()
    value = table[table["group"] == ""].set_index(["scenario", "kpi"])["value"]
    effect = value["changed", figure] - value["desk", figure]
    return {**{kpi: value["desk", kpi] for kpi in figures}, "change": effect}


def calibrated(name, number, folder):
    """A desk calibrated to a history of the planted one."""
    desk = DESKS[name]()
    if name == STATUSES:
        log = twin.simulate(desk, twin.draw(desk.vary({"seed": 5000 + number})))
        path = planted.as_event_log(planted.changes_of(log), folder / "log")
    else:
        path = export(desk, folder / "calls.csv", 1000 + number)
    history = twin.read_history(path, zone="UTC")
    found = twin.calibrate(history)
    return twin.load(write_calibrated(found, history, folder / "desk.toml"))


def scored(name, number):
    """True for intervals that hold the truth: with versions, and by replications alone."""
    true = truth(name)
    with tempfile.TemporaryDirectory() as folder:
        desk = calibrated(name, number, Path(folder))
        figures, other, figure = changed(desk)
        results = twin.run([desk, other])
    row = {"history": number}
    alone = summarize(results.kpis)
    for said, table in (("", results.summary()), (" (replications alone)", alone)):
        mine = table[(table["scenario"] == "desk") & (table["group"] == "")].set_index("kpi")
        for kpi in figures:
            low, high = mine.loc[kpi, ["low", "high"]]
            row[kpi + said] = bool(low <= true[kpi] <= high)
            row[f"{kpi}: half-width{said}"] = float(mine.loc[kpi, "half_width"])
        row |= {f"{kpi}: value": float(mine.loc[kpi, "value"]) for kpi in figures}
    one = twin.compare(results, "desk", [figure]).table.iloc[0]
    row["change"] = bool(one["low"] <= true["change"] <= one["high"])
    row["change: value"] = float(one["difference"])
    return row


@cache
def kept():
    """Abandonment of the planted desk in the long run, by agents more or less."""
    desk = DESKS["always there"]().vary({"horizon": "28d"})
    each = [desk.vary({"agents.line.extra_heads": more}, name=f"heads{more}") for more in HEADS]
    table = twin.run(each, replications=20, seed=77).summary()
    value = table[(table["group"] == "") & (table["kpi"] == "abandonment_rate")]
    value = value.set_index("scenario")["value"]
    return {more: float(value[f"heads{more}"]) for more in HEADS}


def searched(number):
    """Answers to two searches of a desk calibrated to a history, and whether they are wrong."""
    true, row = kept(), {"history": number}
    with tempfile.TemporaryDirectory() as folder:
        desk = calibrated("always there", number, Path(folder))
        desk = desk.vary({"agents.agents.cost": 20.0}, name="desk")
        for limit in LIMITS:
            right = min((k for k in HEADS if true[k] <= limit), default=None)
            plan = {
                "scenario": desk, "factors": {"agents.agents.extra_heads": list(HEADS)},
                "minimise": "human_cost", "targets": {"abandonment_rate": {"at_most": limit}},
            }  # fmt: skip
            found = twin.search(plan, replications=4, checks=10, budget=160)
            named = found.near_misses["agents.agents.extra_heads"].tolist()
            best = None
            if found.scenario is not None:
                best = int(found.scenario.agents["agents"].extra_heads)
            bad = best is not None and true[best] > limit
            missing = right is not None and right not in [best, *named]
            row |= {f"wrong: {limit}": bad or missing, f"best: {limit}": best,
                    f"decided: {limit}": best is not None, f"near: {limit}": named}  # fmt: skip
            # By the figure of the search's replications alone, as of the mean.
            seen = found.table.set_index("agents.agents.extra_heads")["abandonment_rate"]
            plain = min((k for k in HEADS if seen[k] <= limit), default=None)
            row[f"wrong by means: {limit}"] = plain != right
    return row


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_promise():
    table = pd.DataFrame([scored("always there", k) for k in range(20)])
    # 95 of 100, less 2.5 standard errors of 20.
    for kpi in ("arrivals", "occupancy"):
        assert table[kpi].mean() >= 0.95 - 2.5 * (0.95 * 0.05 / 20) ** 0.5


if __name__ == "__main__":
    which, first, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(kept() if which == "search" else truth(which))
    rows = []
    for k in range(first, first + number):
        rows.append(searched(k) if which == "search" else scored(which, k))
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows).drop(columns="history")
    print(table.select_dtypes(["bool", "number"]).mean().to_string())
