"""Agents who come to a shift: fractional heads and shrinkage, against exact binomial mixtures."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from days import DAY, HOUR, desk, value
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from strategies import SETTINGS

import twin
from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.shifts import Turnout
from twin.desk.simulation import simulate
from twin.experiments import validate
from twin.experiments.workload import workload
from twin.measures import levels, theory
from twin.report.explain import explain
from twin.scenario.calendars import pool_hours, shift_changes, staffing
from twin.scenario.model import Shift, from_data
from twin.scenario.roster import roster

MONDAY = date(2026, 1, 5)


def made(pool, horizon="4d", **more):
    agents = {"all": {"handle_time": "10min", **pool}}
    return from_data(desk({"rate": "1/h"}, horizon=horizon, agents=agents, **more))


def mixture(heads, shrinkage):
    """Chances of 0, 1, 2, ... who come."""
    least = int(heads)
    number = np.arange(least + 2)
    few, more = (stats.binom.pmf(number, n, 1 - shrinkage) for n in (least, least + 1))
    return (1 - heads + least) * few + (heads - least) * more


def steps(level, horizon_s):
    inside = level.times < horizon_s
    return list(
        zip((level.times[inside] / HOUR).tolist(), level.values[inside].tolist(), strict=True)
    )


@pytest.mark.parametrize(("heads", "shrinkage"), [(2.5, 0.0), (3, 0.2), (4.25, 0.35), (0.5, 0.5)])
def test_who_comes_is_a_binomial_mixture(heads, shrinkage):
    scenario = made({"heads": heads, "shrinkage": shrinkage})
    turnout = Turnout(scenario.agents["all"], draw(scenario))
    days = [date.fromordinal(MONDAY.toordinal() + k) for k in range(3000)]
    found = np.bincount([turnout(day, 0, heads) for day in days], minlength=int(heads) + 2)
    chance = mixture(heads, shrinkage)
    assert found[chance == 0].sum() == 0
    likely = chance * len(days) > 5
    test = stats.chisquare(
        found[likely], chance[likely] / chance[likely].sum() * found[likely].sum()
    )
    assert test.pvalue > 0.01
    assert (found[~likely] < 20).all()


def test_whole_heads_without_shrinkage_are_not_drawn():
    scenario = made({"shifts": [{"start": "09:00", "end": "17:00", "heads": 2}]})
    turnout = Turnout(scenario.agents["all"], draw(scenario))
    assert turnout(MONDAY, 0, 2) == 2
    assert not turnout.drawn
    log = simulate(scenario, draw(scenario))
    assert log.staffing.empty
    assert isinstance(scenario.agents["all"].shifts[0].heads, int)
    assert scenario.as_data()["agents"]["all"]["shifts"][0]["heads"] == 2


def test_each_agent_has_luck_of_their_own():
    """An agent more, or a smaller share that does not come, keeps all who came."""
    scenario = made({"heads": 1})
    came = []
    for heads, shrinkage in ((3, 0.5), (4, 0.5), (4, 0.3), (4.5, 0.3)):
        pool = scenario.agents["all"].model_copy(update={"shrinkage": shrinkage})
        pool._name = "all"
        turnout = Turnout(pool, draw(scenario))
        came.append([turnout(MONDAY, number, heads) for number in range(50)])
    for fewer, more in pairwise(came):
        assert (np.array(more) >= fewer).all()
        assert more != fewer


def test_what_was_played_is_written_down_and_measured():
    shifts = [{"start": "08:00", "end": "16:00", "heads": 3}]
    pool = {"shifts": shifts, "shrinkage": 0.4, "cost": 10.0}
    scenario = made(pool, horizon="20d")
    demand = draw(scenario)
    log = simulate(scenario, demand)
    turnout = Turnout(scenario.agents["all"], demand)
    came = [turnout(date.fromordinal(MONDAY.toordinal() + k), 0, 3) for k in range(20)]
    assert 0 < came.count(3) < 20
    played = levels.on_shift(log, scenario, "all")
    noon = (np.arange(20) + 0.5) * DAY
    assert played.values[np.searchsorted(played.times, noon) - 1].tolist() == came
    assert (log.staffing["away"] == 0).all()
    paid = value(log, scenario.as_data(), "human_cost") * len(log.tickets)
    late_s = played.integral(np.array([20 * DAY]))[0]
    assert late_s == sum(came) * 8 * HOUR
    # Work past the end of a shift is paid on top.
    assert sum(came) * 80 <= paid < sum(came) * 80 + 20 * 10
    table = levels.levels(log, scenario, every_s=DAY).query("level == 'staffed'")
    assert table["mean"].to_numpy() == pytest.approx(np.array(came) / 3)


def test_around_the_clock_is_drawn_anew_each_local_day():
    scenario = made({"heads": 5, "shrinkage": 0.5, "time_zone": "America/New_York"}, horizon="30d")
    demand = draw(scenario)
    log = simulate(scenario, demand)
    at_h = log.staffing["time_s"].to_numpy()[1:] / HOUR
    # Midnight there is 05:00 in UTC.
    assert (at_h % 24 == 5).all()
    turnout = Turnout(scenario.agents["all"], demand)
    # At the start it is still Sunday there.
    assert log.staffing["on_shift"].iloc[0] == turnout(date(2026, 1, 4), 0, 5)
    assert log.staffing["on_shift"].nunique() > 3


def test_each_row_of_a_roster_is_drawn(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text("date,start,end,heads\n2026-01-05,09:00,17:00,1\n2026-01-05,09:00,17:00,1.5\n")
    scenario = made({"roster": str(path), "shrinkage": 0.2}, horizon="1d")
    expected = staffing(scenario.agents["all"], scenario)
    assert steps(expected, DAY) == [(0, 0), (9, 2.0), (17, 0)]
    found = set()
    for k in range(40):
        turnout = Turnout(scenario.agents["all"], draw(scenario, k))
        level = staffing(scenario.agents["all"], scenario, turnout)
        came = turnout(MONDAY, 0, 1) + turnout(MONDAY, 1, 1.5)
        assert steps(level, DAY) == ([(0, 0), (9, came), (17, 0)] if came else [(0, 0)])
        found.add(came)
    assert found == {0, 1, 2, 3} or found == {1, 2, 3}
    assert roster(scenario)["agent_hours"].tolist() == [pytest.approx(2.0 * 8 * 7)]


pauses = st.lists(st.tuples(st.integers(9, 15), st.integers(1, 3)), max_size=3)


@SETTINGS
@given(st.floats(0, 4), st.sampled_from([0.0, 0.1, 0.5]), pauses)
def test_expected_heads_are_the_mean_of_those_who_may_come(heads, shrinkage, pauses):
    breaks = [
        {"start": f"{hour:02d}:15", "end": f"{hour:02d}:45", "heads": n} for hour, n in pauses
    ]
    shift = Shift.model_validate(
        {"start": "08:00", "end": "17:00", "heads": heads, "breaks": breaks}
    )
    found = dict(shift_changes(shift, shift.heads, shrinkage))
    mean: dict[float, float] = {}
    for number, chance in enumerate(mixture(heads, shrinkage)):
        for moment, more in shift_changes(shift, number):
            mean[moment] = mean.get(moment, 0.0) + chance * more
    for moment in {*found, *mean}:
        assert found.get(moment, 0.0) == pytest.approx(mean.get(moment, 0.0), abs=1e-9)


def test_expected_hours_are_told_before_a_run():
    shifts = [{"start": "08:00", "end": "16:00", "heads": 2.5}]
    scenario = made({"shifts": shifts, "shrinkage": 0.2, "cost": 10.0}, horizon="7d")
    assert roster(scenario).iloc[0].tolist() == [
        "all", "daily", "08:00-16:00", 2.5, pytest.approx(112.0), pytest.approx(1120.0),
    ]  # fmt: skip
    work = workload(scenario, draw(scenario))
    assert work.staffed(0.0, 7 * DAY) == pytest.approx(2 / 3)
    text = " ".join(explain(scenario))
    assert "Pool all: 112 agent hours a week" in text
    assert "20 % of those scheduled do not come" in text


def test_no_bound_of_erlangs_holds_where_it_is_drawn_who_comes():
    handle = {"distribution": "exponential", "mean": "10min"}
    assert theory.erlang_bounds(made({"heads": 2, "handle_time": handle}))
    for pool in ({"heads": 2.5}, {"heads": 2, "shrinkage": 0.1}):
        assert theory.erlang_bounds(made(pool | {"handle_time": handle})) == {}


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"heads": 2, "shrinkage": 1.0}, "shrinkage: must be below 1"),
        ({"heads": -0.5}, "heads: must be at least 0"),
        ({"heads": "many"}, "heads: must be a number"),
    ],
)
def test_faults_are_named(pool, said):
    with pytest.raises(ScenarioError, match=said):
        made(pool)


def test_validate_has_a_case_of_it():
    assert any("do not come" in case.name for case in validate.cases())
    assert twin.from_data(made({"heads": 2.5}).as_data()).agents["all"].heads == 2.5


@given(
    heads=st.sampled_from([0, 1, 3, 2.5]),
    shifts=st.lists(st.sampled_from([1, 4.0, 0.5]), max_size=2),
    shrinkage=st.sampled_from([0.0, 0.3]),
    extra=st.sampled_from([0, 2]),
)
def test_nothing_is_drawn_where_nothing_is_a_matter_of_chance(heads, shifts, shrinkage, extra):
    pool = {"shrinkage": shrinkage, "extra_heads": extra}
    hours = [{"days": "Mon-Sun", "start": f"{6 + 8 * k:02}:00", "end": f"{13 + 8 * k:02}:00",
              "heads": one} for k, one in enumerate(shifts)]  # fmt: skip
    pool |= {"shifts": hours} if hours else {"heads": heads or 1}
    scenario = made(pool)
    of_pool, demand = scenario.agents["all"], draw(scenario)
    turnout = Turnout(of_pool, demand)
    played = pool_hours(of_pool, scenario, turnout)
    assert turnout.may_draw == turnout.drawn
    if not turnout.may_draw:
        plain = pool_hours(of_pool, scenario)
        assert (plain.times.tolist(), plain.values.tolist()) == (
            played.times.tolist(), played.values.tolist())  # fmt: skip
        assert plain.values.dtype == played.values.dtype


def test_levels_of_a_pool_are_its_own_in_each_scenario():
    pool = {"shifts": [{"days": "Mon", "start": "09:00", "end": "17:00", "heads": 2}]}
    scenario = made(pool)
    longer = scenario.model_copy(update={"horizon": 14 * DAY})
    of_pool = scenario.agents["all"]
    for _ in range(2):
        assert len(pool_hours(of_pool, scenario).times) < len(pool_hours(of_pool, longer).times)
        assert staffing(of_pool, scenario).integral(np.array([4 * DAY]))[0] == 16 * HOUR
    assert pool_hours(of_pool, scenario) is pool_hours(of_pool, scenario)
