"""Demand that is drawn once: the same as drawn anew, and never that of another desk."""

import numpy as np
import pytest

import twin
from twin.common.errors import ScenarioError
from twin.demand.once import DrawnOnce
from twin.demand.tickets import draw

DESK = {
    "horizon": "2d",
    "arrivals": {"rate": "6/h"},
    "tickets": {"category_mix": {"Short": 3, "Long": 1}},
    "agents": {"all": {"heads": 2, "handle_time": "8min"}},
}


def same(one, other):
    columns = ("arrived_s", "category", "priority", "text")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in columns)


def test_desks_that_differ_in_their_agents_share_what_is_drawn():
    drawn, desk = DrawnOnce(), twin.from_data(DESK)
    first = drawn.draw(desk, 1)
    assert same(first, draw(desk, 1))
    changes = {"agents.all.heads": 3, "customers.patience": "5min", "routing.wait_bonus": "1min"}
    assert drawn.draw(desk.vary(changes), 1) is first
    assert drawn.draw(desk, 2) is not first


@pytest.mark.parametrize("change", [{"seed": 2}, {"arrivals.rate": "7/h"}, {"horizon": "1d"},
                                    {"tickets.category_mix": {"Short": 1, "Long": 1}}])  # fmt: skip
def test_another_demand_is_drawn_anew(change):
    drawn, desk = DrawnOnce(), twin.from_data(DESK)
    drawn.draw(desk)
    other = desk.vary(change)
    assert same(drawn.draw(other), draw(other))
    assert not same(drawn.draw(other), draw(desk))


def test_a_trace_that_changes_is_read_again(tmp_path):
    path = tmp_path / "trace.csv"
    path.write_text("timestamp\n60\n120\n", encoding="utf-8")
    arrivals = {"kind": "trace", "trace": str(path)}
    desk, drawn = twin.from_data(DESK | {"arrivals": arrivals}), DrawnOnce()
    assert len(drawn.draw(desk)) == 2
    path.write_text("timestamp\n60\n120\n180\n", encoding="utf-8")
    assert len(drawn.draw(desk)) == 3


def test_a_category_that_no_ticket_has_is_refused_each_time():
    drawn, desk = DrawnOnce(), twin.from_data(DESK)
    drawn.draw(desk)
    with pytest.raises(ScenarioError, match="no ticket has this category"):
        drawn.draw(desk.vary({"agents.all.skills": ["Shrot"]}))


def test_the_oldest_is_let_go():
    drawn, desk = DrawnOnce(most=2), twin.from_data(DESK)
    first = drawn.draw(desk, 0)
    drawn.draw(desk, 1)
    assert drawn.draw(desk, 0) is first
    drawn.draw(desk, 2)
    assert drawn.draw(desk, 0) is first
    drawn.draw(desk, 1)
    assert drawn.draw(desk, 0) is first
