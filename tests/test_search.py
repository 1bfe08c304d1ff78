"""Search: the cheapest setting that meets targets, checked on replications it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import twin
from twin.common.errors import ScenarioError
from twin.experiments.studies import hunt
from twin.scenario.model import Scenario

DESK: dict[str, Any] = {
    "name": "desk",
    "horizon": "6h",
    "replications": 3,
    "arrivals": {"rate": "12/h"},
    "tickets": {"category_mix": {"A": 1, "B": 1}},
    "targets": {"first_response": {"normal": "10min"}},
    "agents": {
        "a": {
            "shifts": [
                {"start": "00:00", "end": "03:00", "heads": 1},
                {"start": "03:00", "end": "06:00", "heads": 1},
            ],
            "handle_time": "7min",
            "cost": 20.0,
        }
    },
}
HEADS = {f"agents.a.shifts.{k}.heads": {"low": 0, "high": 3, "whole": True} for k in (0, 1)}
GOOD = {"service_level": {"at_least": 0.8}}


@pytest.fixture
def desk() -> Scenario:
    return twin.from_data(DESK)


@pytest.fixture
def plan(desk: Scenario) -> dict[str, Any]:
    return {"scenario": desk, "factors": HEADS, "minimise": "human_cost", "targets": GOOD}


def test_a_small_space_is_played_in_full(plan: dict[str, Any], tmp_path: Path) -> None:
    found = twin.search(plan, checks=15, out=tmp_path)
    assert len(found.table) == 16
    assert "all 16 settings were played" in found.statement
    # No setting that met the targets in the search is cheaper than the first finalist.
    met = found.table[found.table["met"]]
    assert found.finalists.columns.tolist() == [*HEADS, "human_cost", "service_level", "verdict"]
    first = found.finalists.iloc[0][list(HEADS)].tolist()
    assert met.sort_values("human_cost").iloc[0][list(HEADS)].tolist() == first
    assert found.scenario is not None
    pick = found.finalists[found.finalists["verdict"] == "met"].iloc[0]
    heads = [shift.heads for shift in found.scenario.agents["a"].shifts or ()]
    assert heads == pick[list(HEADS)].tolist()
    # By brute force, on replications of another seed: it does meet the target.
    other = twin.run(found.scenario, replications=20, seed=99).summary()
    level = other[(other["kpi"] == "service_level") & (other["group"] == "")]["value"].iloc[0]
    assert level > 0.8
    again = twin.search(plan, checks=15, out=tmp_path)
    assert again.played == 0
    assert again.statement == found.statement


def test_a_large_space_is_searched_as_well(
    plan: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = twin.search(plan, checks=5, out=tmp_path)
    monkeypatch.setattr(hunt, "SMALL_SPACE", 1)
    found = twin.search(plan, checks=5, out=tmp_path, points=16)
    assert "differential evolution" in found.method
    assert found.finalists["human_cost"].min() == pytest.approx(whole.finalists["human_cost"].min())
    few = twin.search(plan, checks=5, out=tmp_path, points=5)
    assert len(few.table) == 5


def test_continuous_ranges_and_named_levels_are_searched(desk: Scenario) -> None:
    factors = {
        "arrivals.scale": {"low": 0.5, "high": 2.0},
        "crew": {"one": {"agents.a.shifts.0.heads": 1}, "two": {"agents.a.shifts.0.heads": 2}},
    }
    targets = {"service_level": {"at_least": 0.5}, "occupancy": {"at_most": 0.95}}
    study = {"scenario": desk, "factors": factors, "targets": targets, "minimise": "human_cost"}
    found = twin.search(study, replications=2, checks=3, points=20)
    assert "of a continuous space" in found.method
    assert len(found.table) <= 20
    assert found.table["arrivals.scale"].between(0.5, 2.0).all()
    assert set(found.table["crew"]) <= {"one", "two"}
    assert {"service_level", "occupancy", "human_cost"} <= set(found.table)


def test_targets_that_nothing_meets_are_said(plan: dict[str, Any]) -> None:
    impossible = plan | {"targets": {"first_response_mean": {"at_most": 0.001}}}
    found = twin.search(impossible, replications=1, checks=2)
    assert found.scenario is None
    assert found.statement.startswith("no setting was found that meets the targets")
    assert not found.table["met"].any()
    assert not len(found.finalists)


def test_who_only_looked_good_is_found_out(desk: Scenario) -> None:
    def level(seed: int) -> float:
        kpis = twin.play(desk.vary({"seed": seed})).kpis.set_index(["kpi", "group"])
        return float(kpis["value"]["service_level", ""])

    # The luckiest of some first replications is just good enough, and is all that the search sees.
    lucky = max(range(8), key=level)
    study = {
        "scenario": desk,
        "seed": lucky,
        "factors": {"agents.a.cost": [10.0, 20.0]},
        "targets": {"service_level": {"at_least": level(lucky)}},
    }
    found = twin.search(study, 1, checks=6)
    assert found.table["met"].all()
    assert found.finalists["verdict"].tolist() == ["missed", "missed"]
    assert found.scenario is None


def test_a_missing_figure_meets_no_target(desk: Scenario) -> None:
    # Nobody is rated on a desk whose customers answer no survey.
    study = {
        "scenario": desk.vary({"customers.survey_rate": 0.0}, name="silent"),
        "factors": {"agents.a.cost": [10.0, 20.0]},
        "targets": {"csat": {"at_least": 0.1}},
    }
    found = twin.search(study, replications=1)
    assert found.scenario is None
    assert np.isnan(found.table["csat"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": {}}, "needs what must be reached"),
        ({"factors": {}}, "varies factors of one scenario"),
    ],
)
def test_a_study_that_is_no_search_is_refused(
    plan: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ScenarioError, match=message):
        twin.search(plan | change)


def test_if_the_cheapest_few_miss_the_next_few_are_checked(
    plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    check = hunt.SearchInProgress.check

    def strict(self: hunt.SearchInProgress, few: Any, checks: int, confidence: float) -> Any:
        asked.append(confidence)
        rows = check(self, few, checks, confidence)
        # The first two rounds looked good by luck alone.
        return [row | {"verdict": "missed"} if len(asked) < 3 else row for row in rows]

    monkeypatch.setattr(hunt, "FINALISTS", 1)
    monkeypatch.setattr(hunt.SearchInProgress, "check", strict)
    found = twin.search(plan, checks=20)
    assert found.scenario is not None
    assert found.finalists["verdict"].tolist()[:2] == ["missed", "missed"]
    assert found.finalists["verdict"].iloc[-1] != "missed"
    # The errors that are allowed add up to that of the whole.
    assert asked[:3] == pytest.approx([0.955, 0.9955, 0.99955])
