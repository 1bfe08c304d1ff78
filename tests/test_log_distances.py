"""Log distances: what they are for logs that differ in one way, and without their package."""

import sys

import pandas as pd
import pytest

from twin.common.errors import TwinError
from twin.history.log_distances import log_distances

MONDAY = pd.Timestamp("2026-01-05 10:00")
DELAYS_H = {"New": 0, "Active": 3, "Closed": 10}


def log(tickets=20, later_h=0.0, slower=1.0, skip=None):
    rows = [(case, status, MONDAY + pd.Timedelta(days=case // 4, hours=later_h + slower * hours))
            for case in range(tickets) for status, hours in DELAYS_H.items()
            if status != skip]  # fmt: skip
    return pd.DataFrame(rows, columns=["case", "status", "moment"])


def test_distances_of_logs_that_differ_in_one_way():
    pytest.importorskip("log_distance_measures")
    assert tuple(log_distances(log(), log())) == (0.0, 0.0, 0.0, 0.0)
    # Two hours later all day long, on five days of seven.
    assert tuple(log_distances(log(), log(later_h=2))) == pytest.approx((0, 2 * 5 / 7, 0, 0))
    slower = log_distances(log(), log(slower=1.1))
    assert (slower.ngd3, slower.ctd) == (0.0, pytest.approx(1.0))
    # Of 5 and 4 grams of three (with two blanks at either end) the first and the last are alike.
    skipped = log_distances(log(), log(skip="Active"))
    assert skipped.ngd3 == pytest.approx((3 + 2) / (5 + 4))


def test_without_the_package_there_is_advice(monkeypatch):
    monkeypatch.setitem(sys.modules, "log_distance_measures", None)
    with pytest.raises(TwinError, match="pip install --no-deps log-distance-measures"):
        log_distances(log(), log())
