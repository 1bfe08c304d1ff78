"""Priorities of a history: filled in where they are not told, and what calibration does of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import twin
from twin.history import call_desk
from twin.history.fit import capacity
from twin.history.fit.priority import HeadStart
from twin.history.priorities import (
    head_start,
    priorities_of,
    routing_section,
    said_of,
    with_priorities,
)
from twin.history.whole_days import days_of


@dataclass(frozen=True)
class SimpleLog:
    tickets: pd.DataFrame


HOURS = [0] * 8 + [3, 5, 6, 5, 4, 4, 5, 5, 4, 3] + [0] * 6


def planted(tmp_path, routing, days=8):
    """A log of calls of a desk whose order is known, read back as a history."""
    shift = {"days": "daily", "start": "08:00", "end": "18:00", "heads": 3}
    desk = twin.from_data({
        "start": "2026-03-02", "horizon": f"{days}d", "routing": routing,
        "arrivals": {"kind": "hourly", "rate": "18/h", "week": {"hours": HOURS}},
        "tickets": {"category_mix": {"Short": 3, "Long": 1},
                    "priority_mix": {"high": 1, "normal": 2}},
        "agents": {"line": {"shifts": [shift], "handle_time": "4min", "individuals": True}},
        "customers": {"patience": {"distribution": "exponential", "mean": "6min"}},
    })  # fmt: skip
    log = twin.simulate(desk, twin.draw(desk))
    rows = log.visits.merge(log.tickets[["ticket_id", "category_true", "priority"]])
    begin = pd.Timestamp("2026-03-02")

    def at(column):
        return (begin + pd.to_timedelta(rows[column], unit="s")).dt.strftime("%FT%T.%f")

    served = rows["started_s"].notna()
    pd.DataFrame({
        "call": rows["ticket_id"], "arrived": at("queued_s"), "answered": at("started_s"),
        "ended": at("ended_s"), "kind": rows["category_true"], "customer rank": rows["priority"],
        "outcome": np.where(served, "served", "abandoned"),
        "agent": rows["agent"].where(served, ""),
    }).to_csv(tmp_path / "calls.csv", index=False)  # fmt: skip
    return twin.read_history(tmp_path / "calls.csv", zone="UTC")


@pytest.fixture
def quick(monkeypatch):
    for name, value in (("_ROUNDS", 1), ("_RATE_PLAYS", 5), ("_HOUR_PLAYS", 1)):
        monkeypatch.setattr(capacity, name, value)
    monkeypatch.setattr(call_desk, "_BACK_TESTS", 1)


def test_a_head_start_goes_into_the_scenario_with_its_interval(tmp_path, quick):
    history = planted(tmp_path, {"wait_bonus": "90s"})
    found = twin.calibrate(history)
    bonus_s = float(found.data["routing"]["wait_bonus"].removesuffix("s"))
    assert bonus_s == pytest.approx(90, abs=8)
    (told,) = (one for one in found.estimates if one.key == "routing.wait_bonus")
    assert told.low <= 90 <= told.high
    assert told.n > 100
    assert any("as if they had come" in line for line in found.said)
    assert set(found.data["tickets"]["priority_mix"]) == {"high", "normal"}
    assert set(found.files["arrivals.csv"]["priority"]) == {"high", "normal"}


@pytest.mark.parametrize(
    ("routing", "section", "words"),
    [({"wait_bonus": "0s"}, {"wait_bonus": "0s"}, "no priority is taken ahead"),
     ({}, {}, "always taken first")],
)  # fmt: skip
def test_other_orders_are_told(tmp_path, routing, section, words):
    history = planted(tmp_path, routing, days=14)
    days = days_of(history)
    found = head_start(history.log, days)
    assert routing_section(found) == section
    assert words in said_of(found, days)


def test_words_for_each_outcome(tmp_path):
    days = days_of(planted(tmp_path, {}))
    some = HeadStart(90.0, 88.0, 91.0, 0.6, 2, 500, 99.0)
    assert "60 % of customers" in said_of(some, days)
    assert "since 2026-03-04" in said_of(some, days)
    assert routing_section(some) == {"wait_bonus": "54s"}
    turned = HeadStart(0.0, 0.0, 0.0, 0.0, None, 500, 0.0, turned=True)
    assert "--priority OWN=PRIORITY" in said_of(turned, days)
    assert routing_section(turned) == routing_section(None) == {"wait_bonus": "0s"}
    assert "has no priorities" in said_of(None, days)


def test_missing_priorities_are_mixed_as_the_known_ones_of_their_category():
    rng = np.random.default_rng(3)
    kind = np.array(["a", "b"])[rng.integers(0, 2, 4000)]
    level = np.where(rng.random(4000) < np.where(kind == "a", 0.8, 0.1), "high", "normal")
    known = rng.random(4000) < 0.6
    given = pd.Series(np.where(known, level, None))
    found = priorities_of(pd.DataFrame({"priority": given, "category_true": kind}))
    assert (found[known] == level[known]).all()
    for name, share in (("a", 0.8), ("b", 0.1)):
        rows = ~known & (kind == name)
        assert (found[rows] == "high").mean() == pytest.approx(share, abs=0.03)
    frame = pd.DataFrame({"priority": given, "category_true": kind})
    log = SimpleLog(frame)
    assert with_priorities(log).tickets["priority"].tolist() == found.tolist()
    whole = SimpleLog(frame.assign(priority=found))
    assert with_priorities(whole) is whole
    hardly = pd.DataFrame({"priority": given.where(rng.random(4000) < 0.5), "category_true": kind})
    assert priorities_of(hardly) is None
    assert priorities_of(hardly.iloc[:0]) is None
