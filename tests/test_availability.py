"""Agents on shift who come and go: against a day by hand, a Markov chain, and integrated rates."""

import json
import shutil
from dataclasses import replace
from itertools import chain, repeat
from unittest.mock import patch

import numpy as np
import pytest
import test_invariants as invariants
from days import MIN, desk, value, visits
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import MAX_TICKETS, SETTINGS, aways, scenarios

import twin
from twin.common.errors import ScenarioError
from twin.demand.luck import Stream, of_agents
from twin.demand.tickets import draw
from twin.desk import availability
from twin.desk.individuals import Crew
from twin.desk.shifts import Turnout
from twin.desk.simulation import simulate
from twin.experiments import validate
from twin.measures import chains, levels, theory
from twin.measures.skilled import draining
from twin.scenario.calendars import staffing
from twin.scenario.model import from_data

POOL = {"heads": 2, "handle_time": "10min"}


def staffed(log):
    """Rows of the table staffing: minute, on shift, away."""
    rows = log.staffing
    return list(zip((rows["time_s"] / MIN).round(9), rows["on_shift"], rows["away"], strict=True))


@pytest.fixture
def luck(monkeypatch):
    """Luck by hand: integrals to the next leaving and returning, then uniforms, pool by pool."""

    def given_luck(leave=(), returns=(), touched=(), home=()):
        exponentials, uniforms = [], []

        # New for each desk that is put together: one that is played on two engines is so twice.
        def next_exponentials(_):
            if not exponentials:
                exponentials.extend(chain(first, repeat(1e9)) for first in (leave, returns))
                # Of agents told apart: who leaves and who returns, always the first.
                uniforms[:] = [chain(first, repeat(0.999)) for first in (touched, home)]
                uniforms.extend([repeat(0.0), repeat(0.0)])
            return exponentials.pop(0)

        monkeypatch.setattr(availability, "_exponentials", next_exponentials)
        monkeypatch.setattr(availability, "_uniforms", lambda _: uniforms.pop(0))

    return given_luck


def test_a_day_by_hand(play, arrive, luck):
    # Both free, they leave at 2 x 3/h: the integral .3 is full after 3 min.
    # Then one is away and returns at 6/h, and at 6/h more for each who waits.
    luck(leave=[0.3], returns=[0.9, 0.35], touched=[0.9, 0.2])
    away = {"after_touch": 0.5, "while_idle": "3/h", "returns": "6/h", "returns_per_queued": "6/h"}
    agents = {"all": POOL | {"away": away, "cost": 60.0}}
    data = desk(arrive(4 * MIN, 5 * MIN), horizon="40min", agents=agents)
    log = play(data)
    # From 3 min on .1 a minute, from 5 min on .2: .2 at 5 min, and .9 after 3.5 min more.
    # The first touch ends at 14 min (u = .9: stays, and is free), the second at 18.5 (u = .2).
    # Away from then, with nobody waiting: .35 takes 3.5 min.
    assert staffed(log) == [(0, 2, 0), (3, 2, 1), (8.5, 2, 0), (18.5, 2, 1), (22, 2, 0)]
    assert visits(log, "started_s", "ended_s") == [
        (1, 4 * MIN, 14 * MIN),
        (2, 8.5 * MIN, 18.5 * MIN),
    ]
    assert value(log, data, "away_share") == value(log, data, "away_share", "all")
    assert value(log, data, "away_share") == pytest.approx(9 / 80)
    assert value(log, data, "occupancy") == pytest.approx(20 / 80)
    # Agents are paid on shift, also while they are away.
    assert value(log, data, "human_cost") == pytest.approx(2 * 40 / 2)
    table = levels.levels(log, from_data(data), every_s=40 * MIN).set_index("level")["mean"]
    assert table["away"] == pytest.approx(9 / 40)
    assert table["staffed"] == 2


def test_who_is_counted_as_waiting_is_so_until_their_patience_ends(play, arrive, luck):
    # One agent, away from 1 min on; returns only for those who wait: .1 a minute for each.
    luck(leave=[0.1], returns=[0.65])
    away = {"while_idle": "6/h", "returns": "0/h", "returns_per_queued": "6/h"}
    agents = {"all": POOL | {"heads": 1, "away": away}}
    customers = {"patience_by_category": {"hasty": "3min"}}
    arrivals = arrive(2 * MIN, 4 * MIN, category=["hasty", "calm"])
    log = play(desk(arrivals, customers, horizon="1h", agents=agents))
    # One waits from 2 to 4 (.2), two to 5 (.2), and one from then: .25 in 2.5 minutes.
    assert staffed(log) == [(0, 1, 0), (1, 1, 1), (7.5, 1, 0)]
    assert visits(log, "started_s", "ended_s", "end")[1] == (2, 7.5 * MIN, 17.5 * MIN, "done")


def test_agents_go_home_from_work_free_or_away(play, arrive, luck):
    shifts = [{"start": "00:00", "end": end, "heads": 1} for end in ("00:30", "00:40", "00:50")]
    away = {"while_idle": "6/h", "returns": "0/h", "returns_per_queued": "1/h"}
    pool = {"shifts": shifts, "handle_time": "10min", "away": away}
    # Two leave, after .3 at 3 x 6/h and .2 at 2 x 6/h. At 00:30 one of three goes: it is one of
    # the two away where u < 2/3. At 00:40 of two: where u < 1/2. The last one has no choice.
    luck(leave=[0.3, 0.2], home=[0.7, 0.4, 0.0])
    log = play(desk(arrive(55 * MIN), horizon="1h", agents={"all": pool}))
    assert staffed(log) == [(0, 3, 0), (1, 3, 1), (2, 3, 2), (30, 2, 2), (40, 1, 1), (50, 0, 0)]


def test_who_finishes_past_their_shift_goes_home_and_not_away(play, arrive, luck):
    shifts = [{"start": "00:00", "end": "00:30", "heads": 2}]
    pool = {
        "shifts": shifts,
        "handle_time": "20min",
        "away": {"after_touch": 1.0, "returns": "1/h"},
    }
    luck(touched=[0.0, 0.0, 0.0])
    log = play(desk(arrive(0, 20 * MIN), horizon="1h", agents={"all": pool}))
    assert staffed(log) == [(0, 2, 0), (20, 2, 1), (30, 0, 0)]
    assert visits(log, "started_s", "ended_s")[1] == (2, 20 * MIN, 40 * MIN)


def test_an_agent_leaves_after_the_wrap_up(play, arrive, luck):
    pool = POOL | {"wrap_up": "5min", "away": {"after_touch": 1.0, "returns": "6/h"}}
    luck(touched=[0.0], returns=[0.5])
    log = play(desk(arrive(0), horizon="1h", agents={"all": pool}))
    assert staffed(log) == [(0, 2, 0), (15, 2, 1), (20, 2, 0)]


@st.composite
def comes_and_goes(draw):
    """A desk of which each pool has agents who come and go."""
    scenario = draw(scenarios(roles=("off", "triage"), told_apart=st.just(False)))
    changes = {f"agents.{name}.away": draw(aways) for name in scenario.agents}
    # Two are on shift at least: else little happens.
    return scenario.vary(changes | {f"agents.{name}.extra_heads": 1 for name in scenario.agents})


runs = comes_and_goes().map(invariants.play).filter(lambda run: len(run.demand) <= MAX_TICKETS)


@SETTINGS
@given(runs)
def test_integrated_rates_are_the_luck_of_the_pool(run):
    """Rates as the tables tell them, added up by brute force from one event to the next."""
    taken = run.visits
    ends_s = run.log.visits["ended_s"].to_numpy()
    moments = [run.log.visits[["queued_s", "started_s"]].to_numpy().ravel(), ends_s,
               invariants.leaves_s(taken), run.log.staffing["time_s"]]  # fmt: skip
    for name, pool in run.scenario.agents.items():
        since_s = invariants.may_take_s(run, run.teams_of(name)[0], taken)
        at = np.unique(np.concatenate([*moments, since_s]))
        at = at[(at >= 0) & (at < run.scenario.horizon)]
        waiting = (since_s <= at[:, None]) & (invariants.leaves_s(taken) > at[:, None])
        # Work that stopped at the end of a shift waits for the pool, too.
        stopped_s, again_s = invariants.pauses_s(run, name)
        stopped = (stopped_s <= at[:, None]) & (again_s > at[:, None])
        queued = waiting.sum(axis=1) + stopped.sum(axis=1)
        away = invariants.level_at(levels.away(run.log, run.scenario, name), at)
        free = np.maximum(run.present(name, at) - run.in_hand(name, at), 0)
        rates = {
            1: pool.away.while_idle * free,
            -1: away * (pool.away.returns + pool.away.returns_per_queued * queued),
        }
        rows = run.log.staffing[run.log.staffing["pool"] == name]
        change, when = np.diff(rows["away"], prepend=0), rows["time_s"].to_numpy()
        touched = np.isin(when, ends_s[(run.log.visits["pool"] == name).to_numpy()])
        shift = np.isin(when, staffing(pool, run.scenario, Turnout(pool, run.demand)).times)
        for sign, purpose in ((1, 0), (-1, 1)):
            found = when[(change == sign) & ~(touched if sign > 0 else shift)]
            total = np.concatenate([[0.0], np.cumsum(rates[sign][:-1] * np.diff(at))])
            integral = np.diff(total[np.searchsorted(at, found)], prepend=0.0)
            drawn = of_agents(run.demand.seed, 0, Stream.AWAY, name, purpose)
            expected = drawn.standard_exponential(9999)[: len(found)]
            assert integral == pytest.approx(expected, rel=1e-6, abs=1e-6)


@settings(SETTINGS, max_examples=12)
@given(comes_and_goes(), st.sampled_from(["least loaded", "longest idle", "in order", "random"]))
def test_agents_told_apart_come_and_go_as_those_who_are_not_to_the_last_bit(scenario, choice):
    """With one ticket in hand and equal speeds: so all figures are Erlang-S's, too."""
    told = scenario.vary({"routing.choice": choice})
    logs = [simulate(one, draw(one)) for one in (scenario, told)]
    for table in ("tickets", "timeline", "visits", "calls", "ratings", "staffing"):
        frames = [getattr(log, table) for log in logs]
        if table == "visits":
            assert frames[1]["agent"].notna().equals(frames[1]["pool"].notna())
            frames = [frame.assign(agent=0) for frame in frames]
        assert frames[0].equals(frames[1]), table


def drained(play, arrive, luck, touched, **more):
    """Two tickets in hand of each of two agents at no cost; the first touch ends at 10 min."""
    luck(touched=touched, returns=[0.5])
    away = {"after_touch": 0.5, "returns": "6/h"}
    pool = POOL | {"concurrency": 2, "slow_down": "none", "handle_times": {"b": "20min"}}
    kinds = ["a", "b", "b", "b", "a", "a"]
    data = desk(arrive(0, 0, 60, 60, 11 * MIN, 12 * MIN, category=kinds), horizon="1h",
                agents={"all": pool | {"away": away} | more},
                routing={"choice": "in order"})  # fmt: skip
    log = play(data)
    rows = visits(log, "agent", "started_s", "ended_s")
    return staffed(log), [(k, agent, a / MIN, b / MIN) for k, agent, a, b in rows]


@pytest.mark.parametrize("more", [{}, {"routing": {"choice": "in order"}}], ids=["counted", "told"])
def test_who_is_back_goes_home_in_place_of_one_still_at_work(play, arrive, luck, more):
    # The one with nothing in hand leaves at 1 min and is back at 20. At 15 one of two goes, not the
    # one away (u >= 1/2), but the other has work until 30: so who is back goes, the other stays.
    luck(leave=[0.1], returns=[1.9], home=[0.7])
    shifts = [{"start": "00:00", "end": end, "heads": 1} for end in ("00:15", "02:00")]
    pool = {"shifts": shifts, "handle_time": "10min", "handle_times": {"b": "30min"}}
    agents = {"all": pool | {"away": {"while_idle": "6/h", "returns": "6/h"}}}
    arrivals = arrive(0, 21 * MIN, category=["b", "a"])
    log = play(desk(arrivals, horizon="1h", agents=agents, **more))
    assert staffed(log)[:4] == [(0, 2, 0), (1, 2, 1), (15, 1, 1), (20, 1, 0)]
    assert visits(log, "started_s", "ended_s") == [(1, 0, 30 * MIN), (2, 30 * MIN, 40 * MIN)]


def test_who_leaves_with_more_in_hand_takes_no_new_one_and_goes_when_it_is_done(play, arrive, luck):
    # Agent 1 has tickets 1 and 2, agent 2 has 3 and 4. The touch of ticket 1 ends at 10 (leaves).
    # At 20 the last in hand of agent 1 ends: away until .5 at 6/h, 5 min later.
    rows, found = drained(play, arrive, luck, [0.1, 0.9, 0.9, 0.9])
    assert rows == [(0, 2, 0), (20, 2, 1), (25, 2, 0)]
    assert found == [
        (1, 1, 0, 10), (2, 1, 0, 20), (3, 2, 1, 21), (4, 2, 1, 21),
        (5, 2, 21, 31), (6, 2, 21, 31),
    ]  # fmt: skip
    # Who stays takes the fifth at once.
    rows, found = drained(play, arrive, luck, [0.9, 0.9, 0.9, 0.9])
    assert rows == [(0, 2, 0)]
    assert found[4:] == [(5, 1, 11, 21), (6, 1, 20, 30)]


def test_who_leaves_takes_all_places_of_what_they_have_in_hand_along(play, arrive, luck):
    # Agent 1 has 1 and 2, which takes two places, and leaves at 10; agent 2 has one place left.
    luck(touched=[0.1, 0.9, 0.9, 0.9])
    pool = POOL | {
        "concurrency": 3,
        "slow_down": "none",
        "handle_times": {"b": "20min"},
        "weights": {"b": 2},
        "away": {"after_touch": 0.5, "returns": "1/h"},
    }
    arrivals = arrive(0, 0, 60, 11 * MIN, category=["a", "b", "b", "a"])
    data = desk(arrivals, horizon="1h", agents={"all": pool}, routing={"choice": "in order"})
    assert visits(play(data), "agent", "started_s")[2:] == [(3, 2, 60), (4, 2, 11 * MIN)]


def test_a_shift_that_ends_takes_who_is_about_to_leave_home(play, arrive, luck):
    shifts = [{"start": "00:00", "end": end, "heads": 1} for end in ("00:15", "02:00")]
    more = {"heads": None, "shifts": shifts}
    # Of both, agent 1 has one left in hand and so is first to go: home at 20, and not away.
    rows, found = drained(play, arrive, luck, [0.1, 0.9, 0.9, 0.9], **more)
    assert rows == [(0, 2, 0), (15, 1, 0)]
    assert found[4:] == [(5, 2, 21, 31), (6, 2, 21, 31)]


def test_who_waits_for_one_who_leaves_is_anybodys(play, arrive, luck):
    # Agent 1 asks at 10; the reply comes at 15, when they have the second ticket until 20.5. Agent
    # 2 is free. Agent 1 leaves at 20.5, and the follow-up is agent 2's.
    luck(touched=[0.9, 0.1, 0.9, 0.9])
    away = {"after_touch": 0.5, "returns": "1/h"}
    data = desk(arrive(0, 10.5 * MIN), horizon="1h",
                agents={"all": POOL | {"away": away, "follow_up_time": "4min"}},
                touches={"waiting": {"chance": 1.0, "delay": "5min"}, "most": 1},
                routing={"choice": "in order", "same_agent": 1.0})  # fmt: skip
    log = play(data)
    assert visits(log, "agent", "started_s", "ended_s")[:3] == [
        (1, 1, 0, 10 * MIN),
        (1, 2, 20.5 * MIN, 24.5 * MIN),
        (2, 1, 10.5 * MIN, 20.5 * MIN),
    ]


@settings(SETTINGS, max_examples=8)
@given(scenarios(roles=("off", "triage"), told_apart=st.just(True)), aways)
def test_no_touch_begins_while_its_agent_is_away(scenario, away):
    scenario = scenario.vary({f"agents.{name}.away": away for name in scenario.agents})
    taken = []

    def checked(crew, visit, work_s):
        take(crew, visit, work_s)
        agent = visit.agent
        taken.append(agent.on_shift and not agent.away and not agent.drains)

    take = Crew.take
    with patch.object(Crew, "take", checked):
        run = invariants.play(scenario)
    assert all(taken)
    for one in (
        invariants.arrivals_are_the_sum_of_outcomes,
        invariants.agents_away_are_on_shift_and_do_not_work,
        invariants.no_pool_begins_work_above_its_staffing,
        invariants.no_agent_has_more_in_hand_than_they_may,
        invariants.nobody_begins_work_outside_their_own_shifts,
    ):
        one(run)


@SETTINGS
@given(scenarios(told_apart=st.just(False)), aways)
def test_nobody_who_leaves_is_the_desk_without_it(scenario, away):
    never = away | {"after_touch": 0.0, "while_idle": "0/h"}
    plain = scenario.vary({f"agents.{name}.away": None for name in scenario.agents})
    same = scenario.vary({f"agents.{name}.away": never for name in scenario.agents})
    logs = [simulate(one, draw(one)) for one in (plain, same)]
    for table in ("tickets", "timeline", "visits", "calls", "ratings"):
        assert getattr(logs[0], table).equals(getattr(logs[1], table))
    for name in scenario.agents:
        known, played = (
            levels.on_shift(log, one, name) for log, one in zip(logs, (plain, same), strict=True)
        )
        at = known.times[known.times < scenario.horizon]
        assert (invariants.level_at(played, at) == invariants.level_at(known, at)).all()


def test_a_run_from_before_there_was_such_a_table_was_staffed_as_scheduled(tmp_path):
    data = desk({"rate": "6/h"}, horizon="3h", replications=2, agents={"all": POOL})
    folder = twin.run(from_data(data), out=tmp_path).paths[0]
    shutil.rmtree(folder / "staffing")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tables"].remove("staffing")
    del manifest["checksum"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    results = twin.open_results(folder)
    assert results.runs[0].status == "complete"
    assert results.table("staffing").empty
    assert len(results.table("visits")) > 0


def test_a_log_without_rows_was_staffed_as_scheduled(play, arrive):
    away = {"after_touch": 1.0, "returns": "1/h"}
    scenario = from_data(desk(arrive(0), horizon="1h", agents={"all": POOL | {"away": away}}))
    log = simulate(scenario, draw(scenario))
    old = replace(log, staffing=log.staffing[:0])
    assert levels.on_shift(old, scenario, "all").values.tolist() == [2]
    assert levels.away(old, scenario, "all") is None
    assert value(old, scenario.as_data(), "occupancy") == value(
        log, scenario.as_data(), "occupancy"
    )


def busy_desk(**away):
    exponential = {"distribution": "exponential", "mean": "8min"}
    pool = {"heads": 3, "handle_time": exponential}
    return from_data(desk({"rate": "18/h"}, horizon="10d", agents={"all": pool | {"away": away}}))


@pytest.mark.parametrize(
    "returns", [{"returns": "100/s"}, {"returns": "1/h", "returns_per_queued": "100/s"}]
)
def test_agents_who_return_at_once_are_always_there_when_needed(returns):
    away = busy_desk(after_touch=0.5, while_idle="2/min", **returns)
    plain = away.vary({"agents.all.away": None})
    waits = []
    for one in (away, plain):
        rows = simulate(one, draw(one)).visits.sort_values("ticket_id")
        waits.append((rows["started_s"] - rows["queued_s"]).to_numpy())
    assert np.nanmean(waits[1]) > MIN
    # Each takes a moment to be back.
    assert waits[0] == pytest.approx(waits[1], abs=1.0, nan_ok=True)


def test_luck_belongs_to_the_pool_and_the_replication():
    one = busy_desk(after_touch=0.2, while_idle="6/h", returns="12/h")
    other = one.vary({"agents.more": {"heads": 0, "handle_time": "1min"}})
    tables = [simulate(s, draw(s, k)).staffing for s, k in ((one, 0), (other, 0), (one, 1))]
    for name in ("time_s", "on_shift", "away"):
        assert (tables[0][name] == tables[1][name]).all()
    assert len(tables[0]) > 100
    assert tables[0]["time_s"].iloc[1] != tables[2]["time_s"].iloc[1]


def test_a_run_of_a_small_desk_comes_near_its_markov_chain():
    away = {"after_touch": 0.3, "while_idle": "3/h", "returns": "12/h", "returns_per_queued": "6/h"}
    patience = {"distribution": "exponential", "mean": "5min"}
    chain = chains.erlang_s(3, 18 / 60, 8, 5, after_touch=0.3, while_idle=3 / 60, returns=12 / 60,
                            returns_per_queued=6 / 60)  # fmt: skip
    scenario = busy_desk(**away).vary({"customers.patience": patience, "horizon": "60d"})
    log = simulate(scenario, draw(scenario))
    area = levels.area(levels.away(log, scenario, "all"), 0, log.horizon_s) / log.horizon_s
    # 26,000 tickets: three standard errors are some 3 %.
    assert area / 3 == pytest.approx(chain.away, rel=0.03)
    assert value(log, scenario.as_data(), "abandonment_rate") == pytest.approx(
        chain.abandoned, rel=0.06
    )


def test_the_chain_is_erlangs_where_nobody_leaves():
    never = {"after_touch": 0.0, "while_idle": 0.0, "returns": 1.0}
    found = chains.erlang_s(4, 0.5, 10, 7, **never)
    share, abandoned, used, wait = theory.erlang_a(4, 0.5, 10, 7)
    assert found[:4] == pytest.approx((share, wait, abandoned, used), rel=1e-9)
    assert found.away == pytest.approx(0.0, abs=1e-12)


def test_no_bound_of_erlangs_holds_where_agents_leave():
    scenario = busy_desk(while_idle="1/h", returns="1/h")
    assert theory.erlang_bounds(scenario) == {}
    assert theory.erlang_bounds(scenario.vary({"agents.all.away": None}))


@pytest.mark.parametrize(
    ("away", "said"),
    [
        ({"returns": "0/h"}, "who leaves must return"),
        ({"after_touch": 0.1}, "returns: must be given"),
        ({"returns": "1/h", "after_touch": 1.1}, "after_touch: must be at most 1"),
        ({"returns": 4}, "must be a rate with its unit"),
    ],
)
def test_faults_are_named(away, said):
    with pytest.raises(ScenarioError, match=said):
        busy_desk(**away)


def test_validate_has_cases_of_it():
    names = [case.name for case in validate.cases()]
    assert sum("come and go" in name for name in names) == 3


def test_the_chain_of_who_finishes_first_has_the_known_limits():
    rates = {"after_touch": 0.3, "while_idle": 0.05, "returns": 0.2, "returns_per_queued": 0.1}
    # With one in hand, and enough places: Erlang-S without patience.
    one, known = draining(2, 1, 0.1, 8, 40, **rates), chains.erlang_s(2, 0.1, 8, np.inf, **rates)
    assert (one.wait, one.away) == pytest.approx((known.wait, known.away), rel=1e-4)
    # Nobody leaves: as many agents as places in hand.
    never = {"after_touch": 0.0, "while_idle": 0.0, "returns": 1.0}
    found, limited = draining(2, 2, 0.4, 10, 3, **never), theory.limited(4, 0.4, 10, places=3)
    assert found[:3] == pytest.approx((limited.blocked, limited.wait, limited.number))
    assert found.away == pytest.approx(0.0, abs=1e-12)
