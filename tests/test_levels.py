"""Levels are areas under steps, checked by hand and against a plain loop."""

import itertools

import numpy as np
import pytest
from handmade import run_log, timeline, visit
from hypothesis import given
from hypothesis import strategies as st

from twin.measures import balance, levels
from twin.records.columns import TABLES
from twin.scenario.calendars import combine, desk_hours
from twin.scenario.model import Scenario

NAN = np.nan
DESK = Scenario.model_validate(
    {
        "horizon": "100s",
        "arrivals": {"rate": "1/s"},
        "agents": {
            "front": {"heads": 2, "handle_time": "10s"},
            "back": {"heads": 1, "handle_time": "10s"},
        },
    }
)

# Ticket 1: open 0-30 and, reopened, 50-60. Ticket 2: open 20-100. Ticket 3: open 40-70.
LOG = run_log(
    100.0,
    tickets=[
        {"arrived_s": 0, "resolved_s": 60, "reopens": 1, "status": "Closed"},
        {"arrived_s": 20, "status": "In Progress"},
        {"arrived_s": 40, "status": "Abandoned"},
    ],
    timeline=[
        *timeline(1, (0, "Open"), (10, "In Progress"), (30, "Resolved"), (50, "Reopened")),
        *timeline(1, (50, "In Progress"), (60, "Resolved"), (80, "Closed")),
        *timeline(2, (20, "Open"), (30, "In Progress")),
        *timeline(3, (40, "Open"), (70, "Abandoned")),
    ],
    visits=[
        visit(1, 0, 10, 30, pool="front", end="done"),
        visit(1, 50, 50, 60, pool="back", end="done"),
        visit(2, 20, 30, pool="front"),
        visit(3, 40, ended_s=70, end="abandoned"),
        visit(1, 90),
    ],
)


def mean_of(frame, level, pool=None):
    rows = frame[frame["level"] == level]
    return rows[rows["pool"] == pool]["mean"].tolist() if pool else rows["mean"].tolist()


def test_levels_are_the_exact_averages():
    frame = levels.levels(LOG, DESK, every_s=40.0)
    assert list(frame) == [column.name for column in TABLES["levels"]]
    assert frame["start_s"].tolist()[:3] == [0, 40, 80]
    assert frame["end_s"].tolist()[:3] == [40, 80, 100]
    assert mean_of(frame, "backlog") == pytest.approx([50 / 40, 80 / 40, 20 / 20])
    assert mean_of(frame, "queue") == pytest.approx([20 / 40, 30 / 40, 10 / 20])
    assert mean_of(frame, "busy", "front") == pytest.approx([30 / 40, 1, 1])
    assert mean_of(frame, "busy", "back") == pytest.approx([0, 10 / 40, 0])
    assert mean_of(frame, "staffed", "front") == [2, 2, 2]
    assert mean_of(frame, "staffed", "back") == [1, 1, 1]


def test_interval_longer_than_the_run_is_the_run():
    frame = levels.levels(LOG, DESK, every_s=1e6)
    assert mean_of(frame, "backlog") == [1.5]
    assert frame["end_s"].unique().tolist() == [100.0]


def test_a_run_without_anything_has_levels_of_zero():
    frame = levels.levels(run_log(100.0), DESK, every_s=50.0)
    assert mean_of(frame, "backlog") == [0, 0]
    assert mean_of(frame, "busy", "front") == [0, 0]


@pytest.mark.parametrize("every_s", [0.0, -1.0, NAN])
def test_intervals_need_a_length(every_s):
    with pytest.raises(ValueError, match="longer than 0 s"):
        levels.levels(LOG, DESK, every_s=every_s)


def test_busy_past_the_shift_is_paid_but_not_occupied():
    staffed = levels.steps(np.array([10.0, 30.0]), np.array([2, -2]))
    busy = levels.count_between(np.array([5.0, 20.0, 25.0]), np.array([15.0, 40.0, NAN]))
    used = combine(busy, staffed, np.minimum)
    paid = combine(busy, staffed, np.maximum)
    assert levels.area(used, 0, 50) == 5 + 0 + 5 + 5 * 2
    assert levels.area(paid, 0, 50) == 5 + 20 * 2 + 10 * 2 + 10
    assert levels.area(paid, 30, 40) == 20


def test_desk_hours_are_those_with_an_agent_on_shift():
    day = [{"start": "09:00", "end": "17:00", "heads": 2}]
    late = [{"start": "16:00", "end": "20:00", "heads": 1}]
    desk = {
        "horizon": "1d",
        "arrivals": {"rate": "1/h"},
        "agents": {
            "day": {"shifts": day, "handle_time": "1min"},
            "late": {"shifts": late, "handle_time": "1min"},
        },
    }
    hours = desk_hours(Scenario.model_validate(desk))
    assert levels.area(hours, 0, 86400) == 11 * 3600
    nobody = Scenario.model_validate({**desk, "agents": {}, "assistant": {"role": "full"}})
    assert levels.area(desk_hours(nobody), 0, 86400) == 86400


def test_throughput_by_interval():
    frame = levels.throughput(LOG, every_s=40.0)
    assert frame["start_s"].tolist() == [0, 40, 80]
    assert frame["arrivals"].tolist() == [2, 1, 0]
    assert frame["resolved"].tolist() == [0, 1, 0]


def test_conservation_and_littles_law_by_hand():
    assert balance.conservation(LOG) == {"arrivals": 3, "resolved": 1, "abandoned": 1, "open": 1}
    sanity = balance.little(LOG, DESK).set_index("of")
    assert sanity["level"].tolist() == pytest.approx([1.5, 0.6, 0.9, 0.1])
    assert sanity["product"].tolist() == pytest.approx([1.5, 0.6, 0.9, 0.1])
    assert sanity.loc["open tickets", "stay_s"] == pytest.approx(50.0)
    assert sanity.loc["busy front", "per_s"] == pytest.approx(0.02)


def test_a_lost_ticket_breaks_conservation():
    tickets = [{"arrived_s": 0}, {"arrived_s": 50}]
    found = balance.conservation(run_log(100.0, tickets=tickets, timeline=timeline(1, (0, "Open"))))
    assert found["arrivals"] != found["resolved"] + found["abandoned"] + found["open"]


def test_a_status_recorded_twice_breaks_littles_law():
    twice = timeline(1, (0, "Open"), (10, "Resolved"), (20, "Resolved"))
    log = run_log(100.0, tickets=[{"arrived_s": 0}], timeline=twice)
    tickets = balance.little(log, DESK).iloc[0]
    assert tickets["level"] != pytest.approx(tickets["product"])


moments = st.floats(0, 100, allow_subnormal=False)


@given(st.lists(st.tuples(moments, moments).map(sorted), max_size=12), st.floats(0.5, 60))
def test_averages_equal_the_overlap_of_spans(spans, every_s):
    start_s, end_s = np.array(spans, dtype=float).reshape(-1, 2).T
    at = levels.edges(100.0, every_s)
    found = np.diff(levels.count_between(start_s, end_s).integral(at))
    expected = [
        sum(max(0.0, min(b, high) - max(a, low)) for a, b in spans)
        for low, high in itertools.pairwise(at)
    ]
    assert found == pytest.approx(expected, abs=1e-9)
    assert at[0] == 0
    assert at[-1] == 100
    assert (np.diff(at) > 0).all()


@given(
    st.lists(st.tuples(moments, moments).map(sorted), max_size=6),
    st.lists(st.tuples(moments, moments).map(sorted), max_size=6),
)
def test_used_and_paid_add_up_to_busy_and_staffed(busy_spans, staffed_spans):
    busy, staffed = (
        levels.count_between(*np.array(spans, dtype=float).reshape(-1, 2).T)
        for spans in (busy_spans, staffed_spans)
    )
    used, paid = (combine(busy, staffed, how) for how in (np.minimum, np.maximum))
    both = levels.area(busy, 0, 100) + levels.area(staffed, 0, 100)
    assert levels.area(used, 0, 100) + levels.area(paid, 0, 100) == pytest.approx(both, abs=1e-9)
    assert levels.area(used, 0, 100) <= levels.area(paid, 0, 100) + 1e-9


@given(st.lists(st.integers(1, 70_000), max_size=300))
def test_rows_of_a_ticket_keep_their_order(ids):
    ids = np.array(ids, dtype=np.int32)
    for some in (ids, ids % 7, ids % 65_536):
        assert levels.by_ticket(some).tolist() == np.argsort(some, kind="stable").tolist()


def test_areas_under_a_level_are_those_of_its_steps_whenever_asked():
    level = levels.steps(np.array([1.0, 4.0, 6.0]), np.array([2, 1, -3]))
    for _ in range(2):
        assert level.integral(np.array([0.0, 2.0, 5.0, 9.0])).tolist() == [0.0, 2.0, 9.0, 12.0]
