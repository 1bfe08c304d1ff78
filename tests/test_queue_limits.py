"""Places to wait, and customers whom a long queue puts off."""

from heapq import heappop, heappush

import numpy as np
import pytest
from days import MIN, assistant, desk, life, provider, value, visits
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from twin.common.errors import ScenarioError
from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.desk.work import work_times
from twin.measures import theory
from twin.measures.figures import measure
from twin.measures.sanity import sanity
from twin.records.export import events
from twin.records.tables import HANDLE
from twin.report.assumptions import assumptions
from twin.report.explain import explain
from twin.scenario.model import from_data


def test_the_formula_gives_the_published_figures():
    # simmer's example: rates 3 and 4, two servers, a place to wait.
    small = theory.limited(2, 3, 1 / 4, places=1)
    assert small.number == pytest.approx(0.7623, abs=5e-5)
    assert small.blocked == pytest.approx(0.0494, abs=5e-5)
    # ContactCenters' example: 19.1 blocked in a day of 8 hours, who is served waits .0611 minutes.
    centre = theory.limited(12, 4.2, 2, places=5)
    assert centre.blocked * 4.2 * 480 == pytest.approx(19.1, abs=0.1)
    assert centre.wait == pytest.approx(0.0611, abs=5e-5)
    assert centre.used == pytest.approx(4.2 * 2 / 12 * (1 - centre.blocked))


def test_the_formula_has_the_known_limits():
    # No place at all: Erlang B. Places without end: Erlang C.
    loss = theory.limited(5, 3, 1, places=0)
    b = 1.0
    for k in range(1, 6):
        b = 3 * b / (k + 3 * b)
    assert loss.blocked == pytest.approx(b)
    assert loss.wait == 0
    endless = theory.limited(3, 0.2, 10, places=500)
    assert endless.wait == pytest.approx(theory.erlang_c_wait(3, 2, 10))
    assert endless.blocked == pytest.approx(0, abs=1e-9)
    # Everybody is put off by a queue of one: as if there were one place.
    shy, one = (theory.limited(2, 3, 1 / 4, *more) for more in ((9, 1.0 - 1e-12), (1,)))
    assert shy.balked == pytest.approx(one.blocked)
    assert shy.number == pytest.approx(one.number)


def test_who_finds_all_places_taken_is_turned_away_at_once(play, arrive):
    data = desk(arrive(0, 60, 120, 600, 700), horizon="1h", queue={"capacity": 1})
    log = play(data)
    assert visits(log, "queued_s", "started_s", "ended_s", "end") == [
        (1, 0, 0, 10 * MIN, "done"),
        (2, 60, 10 * MIN, 20 * MIN, "done"),
        (3, 120, pytest.approx(np.nan, nan_ok=True), 120, "blocked"),
        (4, 600, 20 * MIN, 30 * MIN, "done"),
        (5, 700, pytest.approx(np.nan, nan_ok=True), 700, "blocked"),
    ]
    assert life(log, 3) == [(120, "Open"), (120, "Abandoned")]
    assert log.tickets["responded_s"].isna().tolist() == [False, False, True, False, True]
    assert value(log, data, "blocked_share") == 2 / 5
    assert value(log, data, "abandonment_rate") == 2 / 5
    assert value(log, data, "solved") == 3 / 5
    # A caller who is turned away does not wait; the others wait 0, 9 and 10 minutes.
    assert value(log, data, "agent_wait_mean") == pytest.approx((0 + 540 + 600) / 3)
    assert value(log, data, "queue") == pytest.approx(1140 / 3600)
    assert sanity(log, from_data(data))["ok"].all()
    turned = events(log).query("case == 3")
    assert turned["activity"].tolist() == ["Open", "Abandoned"]


def test_a_promise_to_who_is_turned_away_is_broken(play, arrive):
    targets = {"first_response": {"normal": "1h"}}
    data = desk(arrive(0, 60, 120), queue={"capacity": 1}, targets=targets)
    log = play(data)
    assert value(log, data, "service_level") == 2 / 3
    assert value(log, data, "human_service_level") == 2 / 3


def test_without_a_place_nobody_waits(play, arrive):
    log = play(desk(arrive(0, 60, 600), queue={"capacity": 0}))
    assert log.visits.sort_values("ticket_id")["end"].tolist() == ["done", "blocked", "done"]


def test_who_gave_up_leaves_a_place(play, arrive):
    # The second gives up at 2 min; the third then has their place, the fourth finds none.
    data = desk(arrive(0, 60, 120, 130), {"patience": "1min"}, queue={"capacity": 1})
    assert visits(play(data), "ended_s", "end") == [
        (1, 600, "done"), (2, 120, "abandoned"), (3, 180, "abandoned"), (4, 130, "blocked"),
    ]  # fmt: skip


def test_work_that_is_handed_over_keeps_its_place(play, arrive):
    shift = {"start": "00:00", "end": "00:05", "heads": 1}
    night = {"start": "01:00", "end": "02:00", "heads": 1}
    pool = {"shifts": [shift, night], "handle_time": "10min", "at_shift_end": "hand over"}
    data = desk(arrive(0, 400), agents={"all": pool}, queue={"capacity": 1})
    assert visits(play(data), "queued_s", "end") == [
        (1, 0, "handed over"), (1, 300, "done"), (2, 400, "blocked"),
    ]  # fmt: skip


def test_each_queue_has_places_of_its_own(play, arrive):
    pool = {"heads": 1, "handle_time": "10min"}
    data = desk(
        arrive(0, 1, 2, 3, 4, 5, category=["a", "b", "a", "b", "a", "b"]),
        agents={"a": pool | {"skills": ["a"]}, "b": pool | {"skills": ["b"]}},
        queue={"capacity": 1},
    )
    assert [end for _, end in visits(play(data), "end")] == ["done"] * 4 + ["blocked"] * 2


def test_a_draft_that_finds_no_place_for_review_is_lost_and_who_comes_back_too(play, arrive):
    data = desk(
        arrive(0, 1, 2),
        assistant=assistant(review_categories=["*"]),
        provider=provider(),
        queue={"capacity": 0},
    )
    log = play(data)
    assert [status for _, status in life(log, 2)][-2:] == ["Pending Review", "Abandoned"]
    back = {"solved": {"agent": 0.0}, "reopen_rate": 1.0, "reopen_delay": "1min"}
    log = play(desk(arrive(0, 630), back, queue={"capacity": 0}))
    assert [status for _, status in life(log, 1)] == [
        "Open", "In Progress", "Resolved", "Reopened", "Abandoned",
    ]  # fmt: skip


def test_a_long_queue_puts_customers_off_by_their_own_luck(arrive):
    scenario = from_data(desk(arrive(*range(200)), queue={"balking": 0.1}))
    demand = draw(scenario)
    log = simulate(scenario, demand)
    luck = 1 - demand.uniform(Stream.BALKING)
    waiting, ends = 0, ["done"]
    for ticket in range(1, 200):
        stays = luck[ticket] <= 0.9**waiting
        waiting += stays
        ends.append("stays" if stays else "balked")
    found = log.visits.sort_values("ticket_id")["end"].astype(object)
    assert (found == "balked").tolist() == [end == "balked" for end in ends]
    assert 5 < waiting < 60
    # They are abandoned, not blocked.
    kpis = measure(log, scenario).set_index("kpi")["value"]
    assert kpis["abandonment_rate"] > 0.5
    assert "blocked_share" not in kpis


def test_balking_of_one_leaves_nobody_behind_another(play, arrive):
    log = play(desk(arrive(0, 1, 2, 3), queue={"balking": 1.0}))
    assert [end for _, end in visits(log, "end")] == ["done", "done", "balked", "balked"]


def serve(arrived, work, patience, most_ahead, heads, places):
    """Start, or moment of leaving, of each visit, and its end, first come, first served."""
    found, line, free, ends = {}, [], heads, []
    for k, now in enumerate(arrived):
        while ends and ends[0] <= now:
            end = heappop(ends)
            free += 1
            while line:
                j = line.pop(0)
                if arrived[j] + patience[j] <= end:
                    found[j] = (arrived[j] + patience[j], "abandoned")
                    continue
                found[j] = (end, "done")
                heappush(ends, end + work[j])
                free -= 1
                break
        waiting = sum(arrived[j] + patience[j] > now for j in line)
        if free:
            free -= 1
            found[k] = (now, "done")
            heappush(ends, now + work[k])
        elif waiting >= places:
            found[k] = (now, "blocked")
        elif waiting > most_ahead[k]:
            found[k] = (now, "balked")
        else:
            line.append(k)
    return found | {j: (arrived[j] + patience[j], "abandoned") for j in line}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("heads", "mean"), [(1, "4min"), (3, "12min")])
@pytest.mark.parametrize("queue", [{"capacity": 2}, {"capacity": 3, "balking": 0.15}])
def test_visits_are_those_of_a_recursion_to_the_last_bit(seed, heads, mean, queue):
    skewed = {"distribution": "lognormal", "mean": mean, "cv": 1.2}
    impatient = {"patience": {"distribution": "exponential", "mean": "8min"}}
    agents = {"all": {"heads": heads, "handle_time": skewed}}
    data = desk({"rate": "20/h"}, impatient, horizon="60h", seed=seed, agents=agents, queue=queue)
    scenario = from_data(data)
    demand = draw(scenario)
    work = work_times(scenario.agents["all"], HANDLE, demand.uniform(Stream.HANDLE), demand)
    patience = scenario.customers.patience.quantile(demand.uniform(Stream.PATIENCE))
    with np.errstate(divide="ignore"):
        u = 1 - demand.uniform(Stream.BALKING)
        most = np.log(u) / np.log1p(-queue.get("balking", 0.0)) if "balking" in queue else u + 1e9
    arrived = demand.arrived_s.tolist()
    expected = serve(arrived, work.tolist(), patience.tolist(), most, heads, queue["capacity"])
    log = simulate(scenario, demand)
    assert {end for _, end in expected.values()} >= {"done", "abandoned", "blocked"}
    for row in log.visits.itertuples():
        if row.end == "open":
            continue
        moment, end = expected[row.ticket_id - 1]
        assert row.end == end
        assert (row.started_s if end == "done" else row.ended_s) == moment


@SETTINGS
@given(st.integers(0, 1000), st.sampled_from([{"capacity": 10_000}, {"balking": 0.0}]))
def test_places_enough_are_the_desk_without_limits(seed, queue):
    impatient = {"patience": "10min", "solved": {"agent": 0.5}}
    plain = from_data(desk({"rate": "20/h"}, impatient, horizon="10h", seed=seed))
    enough = from_data(desk({"rate": "20/h"}, impatient, horizon="10h", seed=seed, queue=queue))
    logs = [simulate(one, draw(one)) for one in (plain, enough)]
    for name in ("tickets", "timeline", "visits"):
        assert getattr(logs[0], name).equals(getattr(logs[1], name))


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        ({"capacity": -1}, "queue.capacity"),
        ({"capacity": 2.5}, "queue.capacity"),
        ({"balking": 1.2}, "queue.balking"),
        ({"places": 3}, "queue.places"),
    ],
)
def test_faults_name_the_key(queue, words):
    with pytest.raises(ScenarioError, match=words):
        from_data(desk({"rate": "1/h"}, queue=queue))


def test_check_and_reports_say_it():
    scenario = from_data(desk({"rate": "1/h"}, queue={"capacity": 5, "balking": 0.1}))
    said = explain(scenario)[-1]
    assert "at most 5 at once, others are turned away" in said
    assert "puts off 0.1 of those who come" in said
    assert "who finds 5 waiting is turned away" in str(assumptions(scenario))
    assert theory.erlang_bounds(scenario) == {}
