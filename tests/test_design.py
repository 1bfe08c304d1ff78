"""Designs: which points a study has, and clear words where a study file is wrong."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin
from twin.common.errors import ScenarioError
from twin.experiments.studies.design import at_share, design
from twin.experiments.studies.file import Range, StudyFile, read_study
from twin.scenario.model import Scenario

STUDIES = Path(__file__).parent.parent / "scenarios" / "studies"
DESK: dict[str, Any] = {
    "name": "desk",
    "horizon": "1h",
    "replications": 2,
    "arrivals": {"rate": "12/h"},
    "agents": {"all": {"heads": 2, "handle_time": "7min", "cost": 20.0}},
}


@pytest.fixture
def desk() -> Scenario:
    return twin.from_data(DESK)


def points_of(desk: Scenario, **study: Any) -> list[dict[str, Any]]:
    return [point.factors for point in design(read_study({"scenario": desk, **study}))]


def test_a_full_factorial_has_every_combination(desk: Scenario) -> None:
    factors = {
        "arrivals.scale": [0.5, 2.0],
        "agents.all.heads": {"low": 1, "high": 3, "whole": True},
    }
    found = design(read_study({"scenario": desk, "factors": factors}))
    assert [tuple(p.factors.values()) for p in found] == [
        (scale, heads) for scale in (0.5, 2.0) for heads in (1, 2, 3)
    ]
    assert [p.number for p in found] == list(range(6))
    assert [p.scenario.arrivals.scale for p in found] == [0.5] * 3 + [2.0] * 3
    assert len({p.scenario.name for p in found}) == 6
    assert {p.scenario.seed for p in found} == {desk.seed}


def test_one_at_a_time_is_the_base_and_each_other_level(desk: Scenario) -> None:
    factors = {"arrivals.scale": [0.5, 1.0, 2.0], "agents.all.heads": [1, 2]}
    found = points_of(desk, design="one at a time", factors=factors)
    assert [tuple(f.values()) for f in found] == [(1.0, 2), (0.5, 2), (2.0, 2), (1.0, 1)]


def test_the_base_value_of_a_factor_stands_in_its_column(desk: Scenario) -> None:
    factors: dict[str, Any] = {"agents.all.heads": [5], "agents.all.cost": [1.0]}
    found = points_of(desk, design="one at a time", factors=factors)
    assert [f["agents.all.heads"] for f in found] == [2, 5, 2]
    assert [f["agents.all.cost"] for f in found] == [20.0, 20.0, 1.0]


def test_levels_with_names_set_several_keys(desk: Scenario) -> None:
    plans = {
        "few": {"agents.all.heads": 1, "agents.all.cost": 30.0},
        "many": {"agents.all.heads": 4},
    }
    found = design(read_study({"scenario": desk, "factors": {"plan": plans}}))
    assert [p.factors["plan"] for p in found] == ["few", "many"]
    assert [p.scenario.agents["all"].heads for p in found] == [1, 4]
    assert [p.scenario.agents["all"].cost for p in found] == [30.0, 20.0]


def test_several_scenarios_are_a_factor_of_their_own(desk: Scenario) -> None:
    other = desk.vary({"agents.all.heads": 3}, name="other")
    alone = design(read_study({"scenarios": [desk, other]}))
    assert [(p.scenario.name, p.factors) for p in alone] == [
        ("desk", {"base": "desk"}),
        ("other", {"base": "other"}),
    ]
    crossed = points_of(
        desk, scenario=None, scenarios=[desk, other], factors={"arrivals.scale": [1, 2]}
    )
    assert [tuple(f.values()) for f in crossed] == [
        ("desk", 1), ("desk", 2), ("other", 1), ("other", 2)
    ]  # fmt: skip


def test_set_changes_every_point(desk: Scenario) -> None:
    study = {"scenario": desk, "set": {"horizon": "2h"}, "seed": 9, "replications": 7}
    (point,) = design(read_study(study))
    assert (point.scenario.horizon, point.scenario.seed, point.scenario.replications) == (
        7200,
        9,
        7,
    )


@settings(max_examples=15, deadline=None)
@given(points=st.integers(2, 12), seed=st.integers(0, 99))
def test_a_latin_hypercube_has_one_point_in_each_slice(points: int, seed: int) -> None:
    factors = {
        "arrivals.rate": {"low": "10/h", "high": "20/h"},
        "agents.all.cost": {"low": 1.0, "high": 100.0, "log": True},
    }
    study = {"scenario": twin.from_data(DESK), "seed": seed, "factors": factors}
    study |= {"design": "latin hypercube", "points": points}
    found = [p.factors for p in design(read_study(study))]
    rate = np.array([float(f["arrivals.rate"].removesuffix("/h")) for f in found])
    cost = np.log10(np.array([f["agents.all.cost"] for f in found])) / 2
    # Values are rounded to four figures, which may step over the edge of a slice.
    for share in ((rate - 10) / 10, cost):
        edges = np.arange(points + 1) / points
        counts = [((share > a - 1e-3) & (share < b + 1e-3)).sum() for a, b in pairwise(edges)]
        assert min(counts) >= 1
    again = [p.factors for p in design(read_study(study))]
    assert again == found


def test_whole_numbers_and_levels_in_a_hypercube_are_used_evenly(desk: Scenario) -> None:
    factors = {
        "agents.all.heads": {"low": 1, "high": 4, "whole": True},
        "arrivals.scale": [0.5, 1.0],
    }
    found = points_of(desk, design="latin hypercube", points=16, factors=factors)
    heads = [f["agents.all.heads"] for f in found]
    assert {h: heads.count(h) for h in (1, 2, 3, 4)} == dict.fromkeys((1, 2, 3, 4), 4)
    assert [f["arrivals.scale"] for f in found].count(0.5) == 8


@pytest.mark.parametrize(
    ("study", "message"),
    [
        ({"factors": {"arrivals.skale": [1]}}, 'unknown key; did you mean "scale"?'),
        ({"factors": {"arrivals.scale": []}}, 'factor "arrivals.scale" has no levels'),
        ({"factors": {"arrivals": {"scale": [1, 2]}}}, "key paths stand in quotes"),
        ({"factors": {"arrivals.scale": {"low": 2.0, "high": 1.0}}}, "low must be below high"),
        ({"factors": {"arrivals.scale": {"low": 1.0, "high": 2.0}}}, "needs whole = true here"),
        ({"factors": {"arrivals.scale": {"low": "1/h", "high": "2/d"}}}, "the same unit"),
        ({"factors": {"arrivals.scale": [-1, -1]}}, "arrivals.scale"),
        ({"factors": {"kpi": [1]}}, 'a factor cannot be called "kpi"'),
        ({"kpis": ["csatt"]}, 'no figure "csatt"; did you mean "csat"?'),
        ({"desing": "full factorial"}, 'desing: unknown key; did you mean "design"?'),
        ({"design": "full factor"}, 'did you mean "full factorial"?'),
        ({"replications": 0}, "replications: must be at least 1"),
        ({"scenario": None}, 'give scenario = "FILE" or scenarios'),
        ({"scenario": "nowhere.toml"}, "no such file"),
        ({"targets": {"csat": {}}}, "give at_least or at_most"),
        ({"crossings": [{"kpi": "csat", "along": "x", "limit": 1.0}]}, '"x" is no factor'),
        ({"design": "one at a time", "factors": {"x": {"low": 1, "high": 2}}}, "needs a list"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(desk: Scenario, study: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        design(read_study({"scenario": desk} | study))
    assert message in str(caught.value)
    assert len(caught.value.faults) == 1


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    for text in ("a = [", "\xff"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(ScenarioError, match=r"bad\.toml: file: not (valid TOML|UTF-8)"):
            read_study(path)
    with pytest.raises(ScenarioError, match=r"none\.toml: file: no such file"):
        read_study(tmp_path / "none.toml")


def test_files_that_a_study_names_are_found_from_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "desk.toml").write_text(
        'horizon = "1h"\narrivals = { rate = "6/h" }\n'
        'agents = { all = { heads = 1, handle_time = "5min" } }\n'
    )
    for name in ("a", "b"):
        (tmp_path / "deep" / f"{name}.csv").write_text("text,category,split\nhello,A,desk\n")
    study = tmp_path / "deep" / "corpora.toml"
    study.write_text(
        'scenario = "../desk.toml"\n[factors]\n"tickets.corpus" = ["a.csv", "b.csv"]\n'
    )
    found = design(read_study(study))
    assert [p.factors["tickets.corpus"] for p in found] == ["a.csv", "b.csv"]
    assert found[1].scenario.tickets.corpus == str((tmp_path / "deep" / "b.csv").resolve())


def test_every_key_of_a_study_is_explained() -> None:
    text = (STUDIES / "README.md").read_text(encoding="utf-8")
    for key in StudyFile.model_fields:
        assert f"`{key}`" in text, key


def test_values_of_a_range_stay_in_it_and_whole_ones_are_exact() -> None:
    whole = Range(low=12_341, high=12_346, whole=True)
    assert {at_share(whole, u) for u in np.linspace(0, 0.999, 50)} == {*range(12_341, 12_347)}
    assert at_share(Range(low="1234567s", high="2000000s", whole=True), 0.0) == "1234567s"
    share = Range(low=0.90001, high=0.99999)
    assert at_share(share, 0.0) == 0.90001
    assert at_share(share, 0.9999999) == 0.99999


def test_a_study_file_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text(
        'arrivals.rate = "12/h"\nagents.all = { heads = 1, handle_time = "5min" }\n'
    )
    path = tmp_path / "Wie viele? (Kopie).toml"
    path.write_text('scenario = "desk.toml"\n')
    assert read_study(path).file.name == "Wie viele- -Kopie-"


def test_a_study_of_no_replications_is_told(desk: Scenario) -> None:
    plan = {"scenario": desk, "factors": {"agents.all.heads": [1, 2]}}
    with pytest.raises(ValueError, match="replications must be 1 or more"):
        twin.study(plan, replications=0)
    with pytest.raises(ValueError, match="checks 2 or more"):
        twin.search(plan | {"targets": {"csat": {"at_least": 0.5}}}, checks=1)
