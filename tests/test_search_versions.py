"""Searches and selections on a desk with versions: what its history leaves open is in the answer.

How often an answer is wrong of the desk behind a history is tested in `tests/test_feasibility.py`
and, on calibrated desks, in `tests/test_uncertainty_study.py`.
"""

import numpy as np
import pytest
from test_uncertainty import versions_file

import twin

DESK = {
    "name": "desk",
    "horizon": "6h",
    "arrivals": {"rate": "17/h"},
    "agents": {"all": {"heads": 2, "handle_time": "4min", "cost": 20.0}},
    "customers": {"survey_rate": 0.0, "solved": {"agent": 1.0}},
    "targets": {"first_response": {"normal": "5min"}},
}
CREWS = {
    "crew": {
        "quick two": {"agents.all.heads": 2, "agents.all.handle_time": "4min"},
        "slow four": {"agents.all.heads": 4, "agents.all.handle_time": "6min"},
    }
}


@pytest.fixture
def desk(tmp_path):
    """A desk whose history leaves open how many tickets come: a factor of 0.6 to 1.4."""
    base = twin.from_data(DESK)
    rate = base.as_data()["arrivals"]["rate"]
    factors = np.random.default_rng(1).permutation(np.linspace(0.6, 1.4, 12))
    file = versions_file(
        tmp_path / "versions.json", ("arrivals/rate", rate, [f"{17 * f:.4f}/h" for f in factors])
    )
    return twin.from_data({**DESK, "uncertainty": {"file": file}})


def searched(scenario, at_least):
    return twin.search(
        {"scenario": scenario, "factors": {"agents.all.heads": [1, 2, 3]},
         "minimise": "human_cost", "targets": {"service_level": {"at_least": at_least}}},
        replications=4, checks=10, budget=120,
    )  # fmt: skip


def test_a_search_has_in_its_answer_what_versions_leave_open(desk):
    found = searched(desk, 0.7)
    assert "at 95 %, with what the history leaves open)" in found.statement
    wide, spend = found.notes[:2]
    assert wide.startswith("intervals are so many times as wide as by replications alone")
    assert "the history" in spend
    table = found.table.set_index("agents.all.heads")
    assert table["verdict"].to_dict() == {1: "open", 2: "open", 3: "met"}
    # What only more history could tell is said to be that, and no budget is spent on it.
    assert found.near_misses["takes"].str.contains("a longer history may tell").all()
    assert table["replications"].sum() < 90
    plain = searched(twin.from_data(DESK), 0.7)
    assert plain.scenario.agents["all"].heads == 2
    assert "leave" not in plain.statement
    assert not any("times as wide" in note for note in plain.notes)


def test_a_selection_names_what_the_history_leaves_open(desk):
    study = {"scenario": desk, "factors": CREWS}
    found = twin.select(study, "resolution_mean", 20, first=20, budget=400)
    assert "versions leave open whether" in found.statement
    assert "times as wide as by replications alone" in found.statement
    plain = twin.select(
        {"scenario": twin.from_data(DESK), "factors": CREWS}, "resolution_mean", 20, budget=200
    )
    assert "versions" not in plain.statement
    # Whatever comes, a minute less work is a minute less.
    sure = {"scenario": desk, "factors": {"agents.all.handle_time": ["4min", "3min"]}}
    found = twin.select(sure, "resolution_mean", 20, first=20, budget=400)
    assert found.statement.endswith("that holds with what versions leave open, too")
