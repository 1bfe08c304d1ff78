"""Wrap-up: the ticket is resolved, and its agent busy for a while longer."""

import numpy as np
import pytest
from days import HOUR, MIN, assistant, desk, provider, value
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, times

from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.desk.work import work_times
from twin.experiments.workload import workload
from twin.measures.balance import little
from twin.measures.levels import levels
from twin.measures.theory import erlang_bounds
from twin.records.export import events
from twin.records.tables import HANDLE, WRAP_UP
from twin.report.explain import explain
from twin.scenario.model import from_data

POOL = {"heads": 1, "handle_time": "10min", "wrap_up": "5min"}


def rows(log, *columns):
    """The visits in the order in which they began, those that never did last."""
    table = log.visits.sort_values("started_s", kind="stable")
    return list(table[["ticket_id", "activity", *columns]].itertuples(index=False, name=None))


def test_an_agent_who_has_answered_is_busy_a_while_longer(play, arrive):
    agents = {"all": POOL | {"cost": 36.0}}
    data = desk(arrive(0, 4 * MIN), horizon="1h", agents=agents)
    log = play(data)
    assert rows(log, "started_s", "ended_s", "end") == [
        (1, "handle", 0, 10 * MIN, "done"),
        (1, "wrap-up", 10 * MIN, 15 * MIN, "done"),
        (2, "handle", 15 * MIN, 25 * MIN, "done"),
        (2, "wrap-up", 25 * MIN, 30 * MIN, "done"),
    ]
    # Nobody waits for a wrap-up.
    of = log.visits["activity"] == "wrap-up"
    assert log.visits["queued_s"][of].isna().all()
    assert log.tickets["resolved_s"].tolist() == [10 * MIN, 25 * MIN]
    assert log.tickets["responded_s"].tolist() == [0, 15 * MIN]
    assert value(log, data, "occupancy") == 0.5
    assert value(log, data, "workload_ratio") == 0.5
    assert value(log, data, "resolution_mean") == (10 + 21) / 2 * MIN
    # Two visits waited 0 and 11 minutes: wrap-ups would halve the mean.
    assert value(log, data, "agent_wait_mean") == 11 / 2 * MIN
    assert value(log, data, "agent_wait_share") == 0.5
    assert value(log, data, "queue") == pytest.approx(11 / 60)
    busy = levels(log, from_data(data), every_s=HOUR).query("level == 'busy'")
    assert busy["mean"].tolist() == [0.5]
    law = little(log, from_data(data)).set_index("of")
    assert law.loc["queue", "stay_s"] == 11 / 2 * MIN
    assert law["level"].to_numpy() == pytest.approx(law["product"].to_numpy())


def test_a_wrap_up_goes_on_past_the_shift_and_is_paid(play, arrive):
    shift = {"start": "00:00", "end": "00:12", "heads": 1}
    for how in ("finish", "hand over"):
        pool = {"shifts": [shift], "handle_time": "10min", "wrap_up": "5min", "cost": 60.0}
        data = desk(arrive(0), horizon="1h", agents={"all": pool | {"at_shift_end": how}})
        log = play(data)
        assert rows(log, "started_s", "ended_s", "end")[1] == (
            1, "wrap-up", 10 * MIN, 15 * MIN, "done",
        )  # fmt: skip
        assert value(log, data, "human_cost") == pytest.approx(15.0)
        assert value(log, data, "occupancy") == 1.0
        assert value(log, data, "workload_ratio") == 15 / 12


def test_what_is_handed_over_is_wrapped_up_by_who_answers(play, arrive):
    early = {"shifts": [{"start": "00:00", "end": "00:04", "heads": 1}], "handle_time": "10min"}
    late = {"heads": 1, "handle_time": "10min", "wrap_up": "2min"}
    agents = {"early": early | {"at_shift_end": "hand over", "wrap_up": "9min"}, "late": late}
    assert rows(play(desk(arrive(0), agents=agents)), "pool", "started_s", "ended_s") == [
        (1, "handle", "early", 0, 4 * MIN),
        (1, "handle", "late", 4 * MIN, 10 * MIN),
        (1, "wrap-up", "late", 10 * MIN, 12 * MIN),
    ]


def test_at_the_end_of_a_shift_work_is_handed_over_and_a_wrap_up_is_not(play, arrive):
    shifts = [{"start": "00:00", "end": "01:00", "heads": 1},
              {"start": "00:00", "end": "00:12", "heads": 1}]  # fmt: skip
    pool = {"shifts": shifts, "handle_time": "10min", "at_shift_end": "hand over"}
    log = play(desk(arrive(0, 5 * MIN), agents={"all": pool | {"wrap_up": "5min"}}))
    assert rows(log, "started_s", "ended_s", "end") == [
        (1, "handle", 0, 10 * MIN, "done"),
        (2, "handle", 5 * MIN, 12 * MIN, "handed over"),
        (1, "wrap-up", 10 * MIN, 15 * MIN, "done"),
        (2, "handle", 15 * MIN, 18 * MIN, "done"),
        (2, "wrap-up", 18 * MIN, 23 * MIN, "done"),
    ]


def test_each_touch_is_wrapped_up_while_the_customer_is_asked(play, arrive):
    pool = POOL | {"follow_up_time": "3min"}
    touches = {"waiting": {"chance": 1.0, "delay": "12min"}, "most": 1}
    log = play(desk(arrive(0), agents={"all": pool}, touches=touches))
    assert rows(log, "started_s", "ended_s") == [
        (1, "handle", 0, 10 * MIN),
        (1, "wrap-up", 10 * MIN, 15 * MIN),
        (1, "follow up", 22 * MIN, 25 * MIN),
        (1, "wrap-up", 25 * MIN, 30 * MIN),
    ]
    assert log.tickets["resolved_s"].tolist() == [25 * MIN]


def test_sorting_and_approving_are_not_wrapped_up(play, arrive):
    pool = POOL | {"triage_time": "1min", "review_time": "2min"}
    settings = {"confidence_threshold": 1.0, "review_categories": ["*"]}
    data = desk(
        arrive(0), agents={"all": pool}, assistant=assistant(**settings), provider=provider()
    )
    assert [row[1] for row in rows(play(data))] == ["triage", "review"]


def test_who_passes_a_ticket_on_has_nothing_to_wrap_up(play, arrive):
    pool = POOL | {"triage_time": "1min"}
    data = desk(
        arrive(0, 7200, category=["Payment", "Login"]),
        agents={"login": pool | {"skills": ["Login"]}, "pay": pool | {"skills": ["Payment"]}},
        assistant=assistant("triage", {"confusion": {"Payment": {"Login": 1.0}}}),
        provider=provider(),
    )
    found = rows(play(data), "pool")
    assert found[:3] == [(1, "handle", "login"), (1, "handle", "pay"), (1, "wrap-up", "pay")]


def test_a_wrap_up_under_way_at_the_end_of_the_run_is_open(play, arrive):
    log = play(desk(arrive(0, 60), horizon="13min", agents={"all": POOL}))
    assert rows(log, "ended_s", "end")[1][3] == "open"
    assert log.tickets["status"].tolist() == ["Resolved", "Open"]
    last = events(log).iloc[-2]
    assert (last["activity"], last["resource"], last["start_s"]) == ("wrap-up", "all", 600.0)


def test_it_has_luck_of_its_own_for_each_answer():
    wrap_up = {"distribution": "exponential", "mean": "3min"}
    data = desk({"rate": "6/h"}, {"solved": {"agent": 0.0}, "reopen_rate": 1.0},
                agents={"all": POOL | {"heads": 9, "wrap_up": wrap_up}})  # fmt: skip
    scenario = from_data(data)
    demand = draw(scenario)
    log = simulate(scenario, demand)
    after = log.visits[(log.visits["activity"] == "wrap-up") & log.visits["ended_s"].notna()]
    lasts_s = after["ended_s"] - after["started_s"]
    first = after["ticket_id"].duplicated()
    luck = demand.uniform(Stream.WRAP_UP)[after["ticket_id"][~first] - 1]
    pool = scenario.agents["all"]
    assert lasts_s[~first].to_numpy() == pytest.approx(pool.wrap_up.quantile(luck))
    assert first.sum() > 50
    assert lasts_s.nunique() > 0.99 * len(after)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("heads", [1, 3])
def test_starts_are_those_of_a_recursion_to_the_last_bit(seed, heads):
    skewed = {"distribution": "lognormal", "mean": f"{2 * heads}min", "cv": 1.2}
    after = {"distribution": "exponential", "mean": f"{0.8 * heads}min"}
    pool = {"heads": heads, "handle_time": skewed, "wrap_up": after}
    data = desk({"rate": "20/h"}, horizon="50h13min7s", seed=seed, agents={"all": pool})
    scenario = from_data(data)
    demand, pool = draw(scenario), scenario.agents["all"]
    work = work_times(pool, HANDLE, demand.uniform(Stream.HANDLE), demand)
    wrap = work_times(pool, WRAP_UP, demand.uniform(Stream.WRAP_UP), demand)
    free = np.zeros(heads)
    started = np.empty(len(demand))
    for k, arrived_s in enumerate(demand.arrived_s):
        one = free.argmin()
        started[k] = max(arrived_s, free[one])
        free[one] = started[k] + work[k] + wrap[k]
    log = simulate(scenario, demand)
    handled = log.visits[log.visits["queued_s"].notna()].sort_values("ticket_id")
    shown = np.where(started < scenario.horizon, started, np.nan)
    np.testing.assert_array_equal(handled["started_s"], shown)
    assert (started > demand.arrived_s).sum() > 300


@SETTINGS
@given(st.integers(0, 1000), times(30, 2400))
def test_none_at_all_is_the_desk_without_it(seed, handle):
    pool = {"heads": 2, "handle_time": handle, "at_shift_end": "hand over"}
    data = desk({"rate": "20/h"}, {"solved": {"agent": 0.5}}, horizon="8h", seed=seed,
                agents={"all": pool})  # fmt: skip
    plain, none = from_data(data), from_data(data).vary({"agents.all.wrap_up": "0s"})
    logs = [simulate(one, draw(one)) for one in (plain, none)]
    for name in ("tickets", "timeline", "visits"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))


def test_check_and_reports_count_it_as_work():
    data = {"horizon": "1d", "arrivals": {"rate": "6/h"}, "agents": {"all": POOL},
            "customers": {"reopen_rate": 0.0}}  # fmt: skip
    scenario = from_data(data)
    assert workload(scenario, draw(scenario)).busy(0.0, 86400.0) == pytest.approx(1.5)
    touches = {"waiting": {"chance": 1.0, "delay": "12min"}, "most": 1}
    asked = from_data(data | {"touches": touches, "customers": {"solved": {"agent": 1.0}}})
    assert workload(asked, draw(asked)).busy(0.0, 86400.0) == pytest.approx(3.0)
    text = " ".join(explain(scenario))
    assert "10 min a ticket and 5 min of wrap-up on average" in text
    assert "more work than staff" in text


def test_erlangs_bounds_do_not_apply():
    handle = {"distribution": "exponential", "mean": "10min"}
    data = desk({"rate": "3/h"}, agents={"all": POOL | {"handle_time": handle}})
    assert erlang_bounds(from_data(data)) == {}
    del data["agents"]["all"]["wrap_up"]
    assert erlang_bounds(from_data(data))
