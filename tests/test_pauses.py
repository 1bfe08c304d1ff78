"""Work that stops at the end of a shift and goes on in the next: by hand, and no work is lost."""

import pytest
import test_invariants as invariants
from days import DAY, HOUR, MIN, desk, life, value, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, times

from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.desk.work import work_times
from twin.measures.balance import little
from twin.measures.levels import levels
from twin.records.tables import HANDLE
from twin.scenario.model import from_data

SHIFT = {"start": "09:00", "end": "17:00", "heads": 1}
POOL = {"shifts": [SHIFT], "handle_time": "30min", "at_shift_end": "continue"}


def at(day, hour, minute=0):
    return day * DAY + hour * HOUR + minute * MIN


def test_work_goes_on_where_it_stopped_before_anything_else(play, arrive):
    # The second is urgent and waits since 16:55, but what is begun comes first.
    arrivals = arrive(at(0, 16, 50), at(0, 16, 55), priority=["low", "urgent"])
    data = desk(arrivals, horizon="2d", agents={"all": POOL | {"cost": 36.0}})
    log = play(data)
    assert visits(log, "started_s", "ended_s", "end") == [
        (1, at(0, 16, 50), at(0, 17), "paused"),
        (1, at(1, 9), at(1, 9, 20), "done"),
        (2, at(1, 9, 20), at(1, 9, 50), "done"),
    ]
    assert log.visits["queued_s"].isna().tolist() == [False, True, False]
    assert log.tickets["transfers"].tolist() == [0, 0]
    assert [status for _, status in life(log, 1)] == ["Open", "In Progress", "Resolved"]
    assert log.tickets["responded_s"].tolist() == [at(0, 16, 50), at(1, 9, 20)]
    # The night is no wait in the queue and no work; the ticket is open meanwhile.
    assert value(log, data, "agent_wait_mean") == (at(1, 9, 20) - at(0, 16, 55)) / 2
    assert value(log, data, "queue") == pytest.approx((at(1, 9, 20) - at(0, 16, 55)) / (2 * DAY))
    assert value(log, data, "occupancy") == value(log, data, "workload_ratio") == 1 / 16
    assert value(log, data, "human_cost") == 36 * 16 / 2
    assert value(log, data, "resolution_mean", "low") == at(1, 9, 20) - at(0, 16, 50)
    law = little(log, from_data(data))
    assert law["level"].to_numpy() == pytest.approx(law["product"].to_numpy())


def test_a_colleague_who_gets_free_goes_on_with_it(play, arrive):
    # At 12:00 one of two goes: who began last stops, until 12:20 when the other is done.
    pool = POOL | {"shifts": [SHIFT, SHIFT | {"end": "12:00"}]}
    arrivals = arrive(at(0, 11, 50), at(0, 11, 55), at(0, 11, 57))
    assert visits(play(desk(arrivals, agents={"all": pool})), "started_s", "ended_s", "end") == [
        (1, at(0, 11, 50), at(0, 12, 20), "done"),
        (2, at(0, 11, 55), at(0, 12), "paused"),
        (2, at(0, 12, 20), at(0, 12, 45), "done"),
        (3, at(0, 12, 45), at(0, 13, 15), "done"),
    ]


def test_who_began_first_goes_on_first_and_may_stop_again(play, arrive):
    hour = [
        {"start": f"{h:02d}:00", "end": f"{h:02d}:30", "heads": n} for h, n in ((9, 2), (11, 1))
    ]
    pool = POOL | {"shifts": [*hour, {"start": "13:00", "end": "15:00", "heads": 1}]}
    pool |= {"handle_time": "1h"}
    arrivals = arrive(at(0, 9, 10), at(0, 9, 20))
    assert visits(play(desk(arrivals, agents={"all": pool})), "started_s", "ended_s", "end") == [
        (1, at(0, 9, 10), at(0, 9, 30), "paused"),
        (1, at(0, 11), at(0, 11, 30), "paused"),
        (1, at(0, 13), at(0, 13, 10), "done"),
        (2, at(0, 9, 20), at(0, 9, 30), "paused"),
        (2, at(0, 13, 10), at(0, 14), "done"),
    ]


def test_an_agent_with_several_tickets_in_hand_goes_on_with_all_of_them(play, arrive):
    # Two share the agent's time: by 17:00 15 minutes of the first are done, 5 of the second.
    arrivals = arrive(at(0, 16, 40), at(0, 16, 50), at(0, 16, 55))
    log = play(desk(arrivals, horizon="2d", agents={"all": POOL | {"concurrency": 2}}))
    assert visits(log, "started_s", "ended_s", "end") == [
        (1, at(0, 16, 40), at(0, 17), "paused"),
        (1, at(1, 9), at(1, 9, 30), "done"),
        (2, at(0, 16, 50), at(0, 17), "paused"),
        (2, at(1, 9), at(1, 9, 50), "done"),
        (3, at(1, 9, 30), at(1, 10, 10), "done"),
    ]
    assert log.visits["agent"].tolist() == [1] * 5
    assert log.tickets["transfers"].tolist() == [0, 0, 0]


def test_other_pools_do_not_take_it_and_customers_do_not_give_up(play, arrive):
    agents = {"all": POOL, "late": {"heads": 1, "handle_time": "30min"}}
    arrivals = arrive(at(0, 16, 50))
    log = play(desk(arrivals, {"patience": "1h"}, horizon="2d", agents=agents))
    assert visits(log, "pool", "started_s") == [(1, "all", at(0, 16, 50)), (1, "all", at(1, 9))]


def test_what_ends_with_the_shift_does_not_stop(play, arrive):
    log = play(desk(arrive(at(0, 16, 30)), agents={"all": POOL}))
    assert visits(log, "started_s", "ended_s", "end") == [(1, at(0, 16, 30), at(0, 17), "done")]


def test_what_is_stopped_at_the_end_of_the_run_is_open(play, arrive):
    data = desk(arrive(at(0, 16, 50)), agents={"all": POOL})
    log = play(data)
    assert visits(log, "pool", "end")[0] == (1, "all", "paused")
    assert log.visits["end"].tolist() == ["paused", "open"]
    assert log.visits["started_s"].isna().tolist() == [False, True]
    assert log.tickets["status"].tolist() == ["In Progress"]
    busy = levels(log, from_data(data), every_s=DAY).query("level == 'busy'")["mean"]
    assert busy.tolist() == [600 / DAY]


def test_a_wrap_up_is_finished_past_the_shift(play, arrive):
    log = play(desk(arrive(at(0, 16, 20)), agents={"all": POOL | {"wrap_up": "20min"}}))
    assert visits(log, "started_s", "ended_s", "end")[1] == (
        1, at(0, 16, 50), at(0, 17, 10), "done",
    )  # fmt: skip


@SETTINGS
@given(st.integers(0, 1000), times(60, 20_000), st.sampled_from([0.0, 0.3]))
def test_no_work_is_lost_or_done_twice(seed, handle, shrinkage):
    pool = POOL | {"handle_time": handle, "shrinkage": shrinkage}
    pool |= {"shifts": [SHIFT | {"heads": 3}, SHIFT | {"start": "16:00", "end": "20:00"}]}
    scenario = from_data(desk({"rate": "2/h"}, horizon="5d", seed=seed, agents={"all": pool}))
    demand = draw(scenario)
    log = simulate(scenario, demand)
    work_s = work_times(scenario.agents["all"], HANDLE, demand.uniform(Stream.HANDLE), demand)
    parts = log.visits.assign(took=log.visits["ended_s"] - log.visits["started_s"])
    done = parts.loc[parts["end"] == "done", "ticket_id"].unique()
    took_s = parts.groupby("ticket_id")["took"].sum()
    assert took_s[done].to_numpy() == pytest.approx(work_s[done - 1], abs=1e-6)
    assert (took_s.to_numpy() <= work_s[took_s.index - 1] + 1e-6).all()
    assert (log.tickets["transfers"] == 0).all()


@SETTINGS
@given(st.integers(0, 1000), times(60, 20_000))
def test_around_the_clock_it_is_as_to_finish(seed, handle):
    pool = {"heads": 2, "handle_time": handle}
    logs = []
    for how in ("finish", "continue"):
        data = desk({"rate": "6/h"}, horizon="1d", seed=seed,
                    agents={"all": pool | {"at_shift_end": how}})  # fmt: skip
        scenario = from_data(data)
        logs.append(simulate(scenario, draw(scenario)))
    for table in ("tickets", "timeline", "visits"):
        assert getattr(logs[0], table).equals(getattr(logs[1], table))


def test_ratings_do_not_fall_with_a_pause():
    """Handed over, the same tickets lose by each transfer."""
    rates = []
    for how in ("continue", "hand over"):
        pool = POOL | {"at_shift_end": how, "handle_time": "3h"}
        customers = {"survey_rate": 1.0, "solved": {"agent": 1.0}}
        data = desk({"rate": "1/h"}, customers, horizon="60d", agents={"all": pool})
        data["agents"]["all"]["shifts"] = [SHIFT | {"heads": 20}]
        scenario = from_data(data)
        log = simulate(scenario, draw(scenario))
        rates.append((log.ratings["rating"].mean(), log.tickets["transfers"].sum()))
    assert rates[0][1] == 0 < rates[1][1]
    assert rates[0][0] > rates[1][0]


@pytest.mark.parametrize("seed", range(6))
def test_all_that_holds_of_desks_holds_with_pauses_absence_and_shrinkage_together(seed):
    away = {"after_touch": 0.3, "while_idle": "1/h", "returns": "4/h", "returns_per_queued": "2/h"}
    shifts = [
        {"start": f"{hour:02d}:00", "end": f"{hour + 2:02d}:30", "heads": 1.5 + hour % 2}
        for hour in range(0, 21, 3)
    ]
    mean = {"distribution": "exponential", "mean": "50min"}
    pool = {"shifts": shifts, "handle_time": mean, "away": away, "shrinkage": 0.2}
    agents = {"a": pool | {"at_shift_end": "continue", "skills": ["A"]},
              "b": pool | {"at_shift_end": "hand over", "wrap_up": "5min"}}  # fmt: skip
    customers = {"patience": "2h", "solved": {"agent": 0.8}}
    data = desk({"rate": "3/h"}, customers, horizon="30h", seed=seed, agents=agents,
                tickets={"category_mix": {"A": 1, "B": 1}})  # fmt: skip
    run = invariants.play(from_data(data))
    assert (run.log.visits["end"] == "paused").any()
    assert (run.log.staffing["away"] > 0).any()
    for check in invariants.INVARIANTS:
        check(run)
