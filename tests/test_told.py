"""Logs that tell waits in whole minutes: patience, the fit to the waits, and what is said of them.

`pytest -m slow -s tests/test_told.py` prints how often patience lies within its interval.
`python tests/test_planted_study.py FOLDER --of minutes` judges whole calibrated desks.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import planted
import pytest

import twin
from twin.history.fidelity.records import Records
from twin.history.fit.away import seen_nobody
from twin.history.fit.patience import fit_patience, waits
from twin.history.fit.rosters import sessions
from twin.history.told import Told
from twin.records.tables import RunLog

MOMENTS, LENGTHS = Told(60.0), Told(60.0, lengths=True)


@pytest.fixture(scope="module")
def run():
    desk = planted.call_desk(1, 14)
    return desk, twin.simulate(desk, twin.draw(desk))


def patience(log, told):
    _, wait_s, gave_up = waits(log.visits, log.horizon_s, told)
    return fit_patience(wait_s, gave_up, told=told)


def test_waits_by_hand():
    """From 59 s to 61 s is a minute, from 61 s to 119 s none; 119 s long is a minute, too."""
    visits = pd.DataFrame({"queued_s": [59.0, 61.0, 0.0], "started_s": [61.0, 119.0, 119.0],
                           "ended_s": [100.0, 200.0, 300.0]})  # fmt: skip
    nothing = pd.DataFrame({"arrived_s": [59.0], "responded_s": [61.0], "resolved_s": [100.0]})
    log = RunLog(400.0, visits=visits, tickets=nothing, timeline=nothing, ratings=nothing,
                 calls=nothing, answers=nothing, learning=nothing)  # fmt: skip
    cut = MOMENTS.cut(log)
    assert (cut.visits["started_s"] - cut.visits["queued_s"]).tolist() == [60, 0, 60]
    assert cut.tickets.iloc[0].tolist() == [0, 60, 60]
    cut = LENGTHS.cut(log).visits
    assert (cut["started_s"] - cut["queued_s"]).tolist() == [0, 0, 60]
    assert (cut["ended_s"] - cut["started_s"]).tolist() == [39, 81, 181]
    assert Told().cut(log) is log


def test_the_unit_is_found(run):
    _, log = run
    assert Told.of(log) == Told()
    assert Told.of(MOMENTS.cut(log)) == MOMENTS
    assert Told.of(LENGTHS.cut(log)) == LENGTHS
    seconds = log.visits.assign(**{
        name: np.floor(log.visits[name]) for name in ("queued_s", "started_s", "ended_s")
    })  # fmt: skip
    assert Told.of(replace(log, visits=seconds)) == Told()
    few = log.visits.iloc[:10]
    assert Told.of(replace(MOMENTS.cut(log), visits=MOMENTS.cut(log).visits.iloc[:10])) == Told()
    assert Told.of(replace(log, visits=few)) == Told()


def test_customers_of_a_minute_come_anywhere_in_it():
    at_s = np.repeat([0.0, 60.0, 300.0], [40, 30, 1])
    spread = MOMENTS.spread(at_s)
    assert (np.floor(spread / 60) * 60 == at_s).all()
    assert (np.diff(spread) > 0).all()
    assert np.diff(spread[:40]).max() < 5
    assert (LENGTHS.spread(at_s) == at_s).all()
    assert (Told().spread(at_s) == at_s).all()


def test_patience_in_whole_minutes_is_what_it_is_in_seconds(run):
    """Customers who gave up within the first minute count; left out, patience is too long."""
    desk, log = run
    truth = desk.customers.patience.mean_value()
    exact = patience(log, Told())
    for told in (MOMENTS, LENGTHS):
        cut = told.cut(log)
        found = patience(cut, told).estimate
        assert found.low <= truth <= found.high
        assert found.value == pytest.approx(exact.mean_s, rel=0.03)
        assert "stands for" in found.method
        assert found.high / found.low > exact.estimate.high / exact.estimate.low
        # Taken as they are told, without those of 0: a Weibull that is not there, or too long.
        taken = patience(cut, Told())
        assert taken.cv != 1 or taken.mean_s > 1.03 * exact.mean_s
    assert "stands for" not in exact.estimate.method


def test_nobody_away_is_seen_in_whole_minutes(run):
    _, come_and_go = run
    desk = planted.call_desk(6, 14)
    always = twin.simulate(desk, twin.draw(desk))
    for log, nobody in ((come_and_go, False), (always, True)):
        cut = MOMENTS.cut(log)
        visits = cut.visits.assign(agent=planted.who_worked(log))
        visits["agent"] = visits["agent"].where(visits["agent"] != "")
        found = seen_nobody(visits, sessions(visits))
        assert found.nobody is nobody
        # Rates are not read off whole minutes.
        assert not found.enough


def test_what_waits_rest_on_is_said(run, tmp_path):
    _, log = run
    path = planted.log_of_calls(log, tmp_path / "calls.csv", minutes=True)
    history = twin.read_history(path, zone="UTC")
    (line,) = [one for one in history.missing() if "whole minutes" in one]
    assert "within 20 s" in line
    assert Told.of(history.log) == MOMENTS
    assert MOMENTS.said in history.results().unset()
    exact = twin.read_history(planted.log_of_calls(log, tmp_path / "exact.csv"), zone="UTC")
    assert not any("whole minutes" in one for one in exact.missing())


def test_a_twin_is_told_in_the_same_way_before_it_is_compared():
    """The twin is the desk, so what is cut off in the log is no error of the twin."""
    shift = {"days": "daily", "start": "09:00", "end": "17:00", "heads": 2}
    desk = twin.from_data({
        "horizon": "14d",
        "arrivals": {"rate": "6/h", "kind": "hourly",
                     "week": {"hours": [0] * 9 + [1] * 8 + [0] * 7}},
        "agents": {"all": {"shifts": [shift], "handle_time": "4min"}},
    })  # fmt: skip
    log = twin.simulate(desk, twin.draw(desk, 7))
    cut = twin.fidelity(desk, Records(MOMENTS.cut(log), desk))
    assert sum("whole minutes" in note for note in cut.notes) == 1
    assert cut.verdict() == "within the floor"
    share = cut.lines.set_index("line")["waiting_share"]
    wait_s = log.visits["started_s"] - log.visits["queued_s"]
    assert share["real"] < (wait_s > 0.5).mean() - 0.03
    assert share["twin, F"] == pytest.approx(share["real"], abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("told", [MOMENTS, LENGTHS], ids=["moments", "lengths"])
def test_how_often_patience_lies_within_its_interval(told):
    """Of planted desks from 201 on, which were not looked at while this was built."""
    inside = near = 0
    for number in range(201, 301):
        desk = planted.call_desk(number, 14)
        truth = desk.customers.patience.mean_value()
        found = patience(told.cut(twin.simulate(desk, twin.draw(desk))), told).estimate
        inside += found.low <= truth <= found.high
        near += abs(found.value / truth - 1) <= 0.1
    print(f"{told}: within its 95 % interval {inside} of 100, within 10 % {near} of 100")
    assert inside >= 90
