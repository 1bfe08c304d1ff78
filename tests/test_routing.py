"""Order in which agents take tickets: priority that ages."""

from heapq import heappop, heappush

import numpy as np
import pytest
from days import MIN, desk, visits

from twin.common.errors import ScenarioError
from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.desk.work import work_times
from twin.measures.theory import erlang_bounds
from twin.records.tables import HANDLE
from twin.report.assumptions import assumptions
from twin.scenario.model import from_data

MIX = {"urgent": 1, "high": 1, "normal": 3, "low": 1}


@pytest.mark.parametrize(
    ("bonus", "order"),
    [
        # Came at 1, 2 and 3 min: low, urgent, normal. Urgent is three steps ahead of low.
        ({}, [1, 3, 4, 2]),
        ({"wait_bonus": "1h"}, [1, 3, 4, 2]),
        ({"wait_bonus": "21s"}, [1, 3, 2, 4]),
        ({"wait_bonus": "121s"}, [1, 3, 4, 2]),
        ({"wait_bonus": "15s"}, [1, 2, 3, 4]),
        ({"wait_bonus": "0s"}, [1, 2, 3, 4]),
    ],
)
def test_who_waited_long_enough_goes_before_a_higher_priority(play, arrive, bonus, order):
    arrivals = arrive(0, 1 * MIN, 2 * MIN, 3 * MIN, priority=["normal", "low", "urgent", "normal"])
    log = play(desk(arrivals, routing=bonus))
    started = dict(visits(log, "started_s"))
    assert sorted(started, key=started.get) == order
    assert sorted(started.values()) == [0, 10 * MIN, 20 * MIN, 30 * MIN]


def test_work_that_is_handed_over_keeps_its_place(play, arrive):
    shifts = [{"start": "00:00", "end": "00:05", "heads": 1},
              {"start": "01:00", "end": "09:00", "heads": 1}]  # fmt: skip
    pool = {"shifts": shifts, "handle_time": "10min", "at_shift_end": "hand over"}
    arrivals = arrive(0, 6 * MIN, 7 * MIN, priority=["normal", "normal", "urgent"])
    log = play(desk(arrivals, agents={"all": pool}, routing={"wait_bonus": "2min"}))
    # Urgent is 4 min ahead of normal: it came as if at 3 min, after the first and before the other.
    assert visits(log, "started_s")[1:] == [(1, 60 * MIN), (2, 75 * MIN), (3, 65 * MIN)]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("bonus_s", [0.0, 400.0, 1e7])
def test_starts_are_those_of_a_recursion_to_the_last_bit(seed, bonus_s):
    skewed = {"distribution": "lognormal", "mean": "2.8min", "cv": 1.2}
    data = desk({"rate": "20/h"}, horizon="60h", seed=seed, tickets={"priority_mix": MIX},
                agents={"all": {"heads": 1, "handle_time": skewed}},
                routing={"wait_bonus": f"{bonus_s:.0f}s"})  # fmt: skip
    scenario = from_data(data)
    demand = draw(scenario)
    work = work_times(scenario.agents["all"], HANDLE, demand.uniform(Stream.HANDLE), demand)
    arrived = demand.arrived_s
    started, line, free, k = np.full(len(demand), np.nan), [], 0.0, 0
    while k < len(demand) or line:
        if not line:
            free = max(free, arrived[k])
        while k < len(demand) and (arrived[k] < free or not line):
            heappush(line, (arrived[k] + demand.priority[k] * bonus_s, k))
            k += 1
            if arrived[k - 1] == free:
                break
        _, one = heappop(line)
        started[one] = free
        free = free + work[one]
    log = simulate(scenario, demand)
    found = log.visits.sort_values("ticket_id")["started_s"]
    shown = np.where(started < scenario.horizon, started, np.nan)
    np.testing.assert_array_equal(found, shown)
    assert (started > arrived).mean() > 0.7


def test_a_long_bonus_is_strict_priority_and_none_is_first_come_first_served():
    def logs(routing, mix):
        data = desk({"rate": "20/h"}, {"patience": "30min", "solved": {"agent": 0.7}},
                    agents={"all": {"heads": 2, "handle_time": "7min"}}, horizon="3d",
                    tickets={"priority_mix": mix}, routing=routing)  # fmt: skip
        scenario = from_data(data)
        return simulate(scenario, draw(scenario))

    for one, other in (
        (logs({}, MIX), logs({"wait_bonus": "10000d"}, MIX)),
        (logs({}, {"normal": 1}), logs({"wait_bonus": "0s"}, {"normal": 1})),
    ):
        for name in ("tickets", "timeline", "visits"):
            assert getattr(one, name).equals(getattr(other, name))


def test_the_order_changes_who_waits_and_not_how_much_is_waited():
    """Kleinrock's conservation law (1965), exact in a run in which all take equally long."""
    waits = {}
    for bonus in ("0s", "5min", "10000d"):
        data = desk({"rate": "5.5/h"}, horizon="60d", tickets={"priority_mix": MIX},
                    routing={"wait_bonus": bonus})  # fmt: skip
        scenario = from_data(data)
        demand = draw(scenario)
        visits = simulate(scenario, demand).visits.dropna(subset="started_s")
        wait_s = visits["started_s"] - visits["queued_s"]
        urgent = demand.priority[visits["ticket_id"] - 1] == 0
        waits[bonus] = wait_s.mean(), wait_s[urgent].mean()
    mean_s = [mean for mean, _ in waits.values()]
    assert mean_s == pytest.approx([mean_s[0]] * 3, rel=2e-3)
    assert waits["0s"][1] > 1.1 * waits["5min"][1] > 1.5 * waits["10000d"][1]


def test_a_bonus_below_zero_is_a_fault():
    with pytest.raises(ScenarioError, match=r"routing.wait_bonus"):
        from_data(desk({"rate": "1/h"}, routing={"wait_bonus": "-1s"}))


def test_reports_say_it_and_erlangs_bounds_still_hold():
    handle = {"distribution": "exponential", "mean": "10min"}
    data = desk({"rate": "3/h"}, agents={"all": {"heads": 1, "handle_time": handle}})
    scenario = from_data(data | {"routing": {"wait_bonus": "15min"}})
    assert "with 15 min of it for each step of priority" in str(assumptions(scenario))
    assert "priority, then waiting time" in str(assumptions(from_data(data)))
    assert erlang_bounds(scenario) == erlang_bounds(from_data(data)) != {}
