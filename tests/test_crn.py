"""Common random numbers: the same customers in both scenarios make differences sharper."""

import sys
from pathlib import Path

import pytest

import twin
from twin.demand.luck import Stream
from twin.demand.tickets import draw

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))
from common_random_numbers import gains

DESK = {
    "name": "baseline",
    "horizon": "1d",
    "arrivals": {"rate": "20/h"},
    "tickets": {"priority_mix": {"urgent": 1, "high": 2, "normal": 5, "low": 2}},
    "targets": {
        "first_response": {"urgent": "5min", "high": "10min", "normal": "15min", "low": "30min"}
    },
    "agents": {
        "all": {
            "heads": 5,
            "handle_time": {"distribution": "lognormal", "mean": "14min", "cv": 1.0},
        }
    },
    "customers": {"patience": {"distribution": "exponential", "mean": "1h"}},
}


@pytest.mark.parametrize(
    "change", [{"agents.all.handle_time.mean": "13min"}, {"arrivals.scale": 0.95}]
)
def test_the_variance_of_the_difference_falls_at_least_five_times(change):
    """A small priority desk with abandonment."""
    base = twin.from_data(DESK)
    table = gains(base, change, 20).set_index("figure")
    print(table)
    assert table.loc["service_level", "ratio"] >= 5
    assert table.loc["agent_wait_mean", "ratio"] >= 5
    # It is a difference worth showing, not nothing against nothing.
    change = table["what_if"] - table["baseline"]
    assert change["service_level"] > 0.02
    assert change["agent_wait_mean"] < -30


@pytest.mark.parametrize(
    "changes",
    [
        {"agents.all.heads": 9},
        {"customers.patience": None},
        {"targets.first_response": {}},
        {"assistant.role": "full", "assistant.backend": "profile"},
    ],
)
def test_scenarios_see_the_same_customers(changes):
    data = {**DESK}
    base = twin.from_data(data)
    other = base.vary({key: value for key, value in changes.items() if value is not None})
    for k in (0, 3):
        one, two = draw(base, k), draw(other, k)
        assert (one.arrived_s == two.arrived_s).all()
        assert (one.priority == two.priority).all()
        for stream in Stream:
            assert (one.uniform(stream) == two.uniform(stream)).all()


def test_replications_and_seeds_have_luck_of_their_own():
    base = twin.from_data(DESK)
    first = draw(base, 0)
    for other in (draw(base, 1), draw(base.vary({"seed": 2}), 0)):
        n = min(len(first), len(other))
        assert (first.arrived_s[:n] != other.arrived_s[:n]).all()
        assert (first.uniform(Stream.HANDLE)[:n] != other.uniform(Stream.HANDLE)[:n]).all()
