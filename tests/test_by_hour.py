"""Handle times and patience that differ by the local hour in which a ticket arrives."""

import numpy as np
import pytest
from days import HOUR, MIN, desk, spans, visits

from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments.workload import workload
from twin.measures.theory import erlang_bounds
from twin.report.explain import explain
from twin.scenario.model import from_data

# Twice the work from 9 to 12, half of it at night.
DAY = [0.5] * 6 + [1.0] * 3 + [2.0] * 3 + [1.0] * 12


def pool(**more):
    return {"all": {"heads": 1, "handle_time": "10min", **more}}


def test_handle_times_go_by_the_hour_of_arrival(play, arrive):
    # The third comes at 8:50 and waits until 9: its work is that of its arrival.
    moments = [5 * HOUR, 8 * HOUR + 40 * MIN, 8 * HOUR + 45 * MIN, 9 * HOUR, 12 * HOUR]
    data = desk(arrive(*moments), agents=pool(handle_hours=DAY))
    assert [ended - began for began, ended in spans(play(data))] == [
        5 * MIN, 10 * MIN, 10 * MIN, 20 * MIN, 10 * MIN,
    ]  # fmt: skip
    # By the clock of the desk, which is an hour ahead; the 6th of January is a Tuesday.
    local = data | {"time_zone": "Europe/Berlin", "start": "2026-01-06"}
    assert [ended - began for began, ended in spans(play(local))][1:4] == [600, 600, 1200]
    week = [1.0] * 24 + DAY + [1.0] * 120
    tuesday = local | {"agents": pool(handle_hours=week)}
    assert play(tuesday).visits.equals(play(local).visits)
    monday = tuesday | {"start": "2026-01-05"}
    assert [ended - began for began, ended in spans(play(monday))] == [600] * 5


def test_a_level_a_trend_and_the_hour_multiply(play, arrive):
    agents = pool(handle_hours=DAY, handle_scale=1.5, handle_growth=0.21, triage_time="1min")
    at = 3 * 86400 + 9.5 * HOUR
    ((began, ended),) = spans(play(desk(arrive(at), horizon="6d", agents=agents)))
    assert began == at
    assert ended - began == pytest.approx(2 * 10 * MIN * 1.5 * 1.21 ** (at / 604800))


def test_patience_goes_by_the_hour_of_arrival(play, arrive):
    shifts = [{"start": "20:00", "end": "21:00", "heads": 1}]
    hours = [0.5] * 12 + [2.0] * 12
    moments = [5 * HOUR, 11.9 * HOUR, 12 * HOUR]
    data = desk(arrive(*moments), {"patience": "1h", "patience_hours": hours},
                agents={"all": {"shifts": shifts, "handle_time": "10min"}})  # fmt: skip
    left = [end for _, end in visits(play(data), "ended_s")]
    assert left == [5.5 * HOUR, 12.4 * HOUR, 14 * HOUR]


def test_tickets_of_the_opening_backlog_have_the_first_hour(play, arrive, tmp_path):
    (tmp_path / "open.csv").write_text("timestamp\n-18000\n")
    data = desk(arrive(9 * HOUR), agents=pool(handle_hours=[3.0] + [1.0] * 23))
    log = play(data | {"backlog": {"file": str(tmp_path / "open.csv")}})
    assert spans(log) == [[0, 30 * MIN], [9 * HOUR, 9 * HOUR + 10 * MIN]]


def test_factors_of_one_change_nothing():
    plain = desk({"rate": "8/h"}, {"patience": "10min"}, horizon="2d")
    same = desk({"rate": "8/h"}, {"patience": "10min", "patience_hours": [1.0] * 168},
                horizon="2d", agents=pool(handle_hours=[1.0] * 24))  # fmt: skip
    logs = [simulate(one, draw(one)) for one in map(from_data, (plain, same))]
    for name in ("tickets", "timeline", "visits"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))


def test_expected_work_takes_them_in():
    week = {"hours": [1] * 9 + [3] * 3 + [2] * 12, "days": [1, 1, 1, 1, 1, 0, 0]}
    arrivals = {"kind": "hourly", "rate": "12/h", "week": week, "growth": 0.3}
    agents = {"all": {"heads": 40, "handle_time": "10min", "handle_growth": 0.2,
                      "handle_hours": DAY}}  # fmt: skip
    scenario = from_data(desk(arrivals, horizon="28d", agents=agents))
    demand = draw(scenario)
    found = workload(scenario, demand).ticket_s
    log = simulate(scenario, demand)
    worked = log.visits["ended_s"] - log.visits["started_s"]
    assert worked.mean() == pytest.approx(found, rel=0.01)
    steady = from_data(desk({"rate": "12/h"}, horizon="7d", agents=pool(handle_hours=DAY)))
    assert workload(steady, draw(steady)).ticket_s == pytest.approx(np.mean(DAY) * 600)
    assert erlang_bounds(steady) == {}
    assert "10 min (by hour) a ticket" in "\n".join(explain(steady))


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"agents": pool(handle_hours=[1.0] * 23)}, "handle_hours.*24 or 168 factors, not 23"),
        ({"agents": pool(handle_hours=[0.0] * 24)}, "handle_hours"),
        ({"customers": {"patience_hours": [-1.0] * 168}}, "patience_hours"),
        ({"customers": {"patience_hours": [1.0]}}, "patience_hours.*24 or 168 factors, not 1"),
    ],
)
def test_faults_name_the_key(sections, words):
    with pytest.raises(ScenarioError, match=words):
        from_data({**desk({"rate": "1/h"}), **sections})
