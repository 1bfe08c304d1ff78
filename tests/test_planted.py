"""Planted desks: what was put in is read off their logs, and what is not in them is said.

`python -m tests.benchmarks.planted` calibrates desks by the dozen and judges what comes of it.
"""

import numpy as np
import pandas as pd
import pytest
from planted import call_desk, clock_only, who_worked

import twin
from twin.experiments.evidence import kinds
from twin.history.fit.away import SeenAway, seen_away
from twin.history.fit.capacity import Availability, CapacityFit, _steady
from twin.history.fit.rosters import sessions
from twin.history.fit.wait_load import WaitTest, wait_test
from twin.history.fit.waits import Gap, Waits
from twin.history.what_ifs import ASSUMED, FOLLOWS, of_agents, of_statuses
from twin.report.page import page


def worked(number, days=21):
    """A planted desk, and its visits with the agents who took them."""
    desk = call_desk(number, days)
    log = twin.simulate(desk, twin.draw(desk))
    names = [name or None for name in who_worked(log)]
    return desk, log, log.visits.assign(agent=names)


@pytest.fixture(scope="module")
def coming_and_going():
    return worked(7)


def test_nobody_takes_two_tickets_at_a_time(coming_and_going):
    _, log, visits = coming_and_going
    taken = visits[visits["started_s"].notna()].sort_values(["agent", "started_s"])
    assert taken["agent"].notna().all()
    before = taken.groupby("agent")["ended_s"].shift()
    assert not (taken["started_s"] < before).any()
    assert taken["agent"].nunique() == log.staffing["on_shift"].max()


def test_rates_are_seen_while_somebody_waits(coming_and_going):
    desk, _, visits = coming_and_going
    truth = desk.agents["line"].away
    found = seen_away(visits, sessions(visits))
    assert found.enough
    assert not found.nobody
    # Four standard errors of a share of so many.
    error = (truth.after_touch * (1 - truth.after_touch) / found.touches) ** 0.5
    assert found.after_touch == pytest.approx(truth.after_touch, abs=4 * error)
    for queue in (1, 2):
        rate = 3600 * (truth.returns + queue * truth.returns_per_queued)
        seen = found.returns + queue * found.returns_per_queued
        assert seen == pytest.approx(rate, rel=4 / found.returned**0.5)


def test_where_nobody_goes_away_that_is_seen():
    desk, _, visits = worked(4, 8)
    assert not desk.agents["line"].away.after_touch
    found = seen_away(visits, sessions(visits))
    assert found.after_touch == pytest.approx(0.0, abs=0.01)
    assert found.nobody


@pytest.mark.parametrize("number", [7, 4])
def test_hours_on_shift_are_read_off_work(number, coming_and_going):
    _, log, visits = coming_and_going if number == 7 else worked(number, 8)
    staffing, end = log.staffing, log.horizon_s
    planted = float(staffing["on_shift"] @ np.diff([*staffing["time_s"], end]))
    edges = np.array([-3600.0, end + 3600])
    seen = sessions(visits).on_shift().heads(edges)[0] * (end + 7200)
    assert seen == pytest.approx(planted, rel=0.03)


def test_a_longer_gap_is_a_break_where_work_is_frequent():
    """A call each five minutes: an hour away is a break; a call an hour: it is not."""
    for gap_s, breaks in ((300.0, True), (2400.0, False)):
        starts = np.cumsum(np.full(60, gap_s))
        starts[30:] += 3600
        visits = pd.DataFrame({"agent": "A", "started_s": starts, "ended_s": starts + 60})
        assert (len(sessions(visits).agent) == 2) == breaks


def test_waits_that_follow_the_load_are_told_from_those_of_the_clock(coming_and_going):
    _, _, visits = coming_and_going
    wait_s = visits["started_s"].fillna(visits["ended_s"]) - visits["queued_s"]
    found = wait_test(visits["queued_s"].to_numpy(), wait_s.to_numpy(), 600.0)
    assert found.follows
    assert found.correlation > 0.3
    said = [wait_test(*clock_only(number), 400.0) for number in range(12)]
    # One in a hundred by chance; of twelve, two would be very many.
    assert sum(one.follows for one in said) <= 1
    assert sum(one.clock_only for one in said) >= 10


def test_hours_are_corrected_by_what_is_no_chance():
    luck = np.random.default_rng(1)
    hour, day = luck.integers(8, 18, 8000), luck.integers(0, 20, 8000)
    seen = Waits(hour, luck.exponential(60, 8000), np.ones(8000, dtype=bool), day)
    known = np.isin(np.arange(24), np.arange(8, 18))
    noise = np.exp(0.35 * seen.hourly_error() * luck.standard_normal(24))
    assert np.abs(np.log(_steady(noise, known, seen))).max() < 0.02
    real = np.where(known, np.linspace(0.7, 1.4, 24), 1.0)
    assert _steady(real, known, seen) == pytest.approx(real, rel=0.03)


def test_each_kind_of_change_has_its_words():
    assert kinds(["agents.line.extra_heads", "agents.line.away.returns"]) == ("staffing",)
    assert kinds(["agents.line.handle_scale"]) == ("handle_time",)
    assert kinds(["arrivals.scale", "assistant.role"]) == ("volume", "assistant")
    assert kinds(["customers.patience.mean"]) == ("other",)
    assert kinds(["seed", "horizon", "question", "agents.line.cost"]) == ()


FIT = CapacityFit(
    Availability(0.5, 3.0, 20.0, 10.0, np.ones(24)),
    Gap(1, 1, 0.0, 0.0, 0.1), Gap(9, 9, 0.1, 0.1, 0.9), 1,
)  # fmt: skip
AWAY = SeenAway(0.5, 900, 20.0, 10.0, 800, 20.0)


def evidence(correlation, error):
    return of_agents(WaitTest(correlation, error, 3000, 21, 0.4), AWAY, FIT)


def test_what_follows_from_the_data_and_what_is_assumed():
    right = evidence(0.4, 0.02)
    for kind in ("volume", "staffing", "handle_time"):
        assert right[kind].startswith(FOLLOWS)
    assert right["assistant"].startswith(ASSUMED)
    by_clock = evidence(0.0, 0.02)
    unknown = evidence(0.1, 0.2)
    for kind in right:
        assert by_clock[kind].startswith(ASSUMED)
        assert unknown[kind].startswith(ASSUMED)
    assert "follow the clock alone" in by_clock["staffing"]
    assert "cannot be told" in unknown["staffing"]
    assert all(one.startswith(ASSUMED) for one in of_statuses("Delays hardly follow.").values())


def test_a_comparison_and_its_report_repeat_them_word_by_word():
    said = evidence(0.4, 0.02)
    pool = {"heads": 1, "handle_time": "5min"}
    desk = twin.from_data({
        "name": "mine", "horizon": "4h", "arrivals": {"rate": "6/h"}, "agents": {"line": pool},
        "evidence": said,
    })  # fmt: skip
    more = desk.vary({"agents.line.extra_heads": 1}, name="more")
    busier = desk.vary({"arrivals.scale": 1.2}, name="busier")
    results = twin.run([desk, more, busier], replications=2, keep_logs=True)
    notes = twin.compare(results, baseline="mine").notes
    assert f"more changes staffing: {said['staffing']}" in notes
    assert f"busier changes volume: {said['volume']}" in notes
    assert sum("changes" in note for note in notes) == 2
    html = page(results)
    for kind in said:
        assert said[kind] in html
