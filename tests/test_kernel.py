"""The fast kernel is plain SimPy: the same moments, the same order, fewer events."""

import itertools
from unittest.mock import patch

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DATA, SETTINGS

from twin.demand.luck import Stream, Use
from twin.demand.tickets import draw
from twin.desk import simulation
from twin.desk.customers import Customers
from twin.desk.kernel import Clock, Process
from twin.desk.simulation import simulate
from twin.desk.work import work_times
from twin.records.tables import BY_AGENT, HANDLE
from twin.scenario.model import from_data


class PlainDesk:
    """The same small desk as a tutorial writes it: a simpy.Process a ticket, `with request()`."""

    def __init__(self, scenario, demand):
        (self.pool,) = scenario.agents.values()
        self.scenario, self.demand = scenario, demand
        self.customers = Customers(scenario, demand)
        self.env = simpy.Environment()
        self.staff = simpy.PriorityResource(self.env, self.pool.heads)
        most = scenario.provider.concurrency or len(demand) + 1
        self.provider = simpy.Resource(self.env, most)
        latency = scenario.assistant.profile.categorize_latency
        self.latency_s = latency.quantile(demand.uniform(Stream.CATEGORIZE_LATENCY)).tolist()
        self.calls, self.visits = [], []
        for ticket in range(len(demand)):
            self.env.process(self.life(ticket))
        self.env.run(until=scenario.horizon)

    def work_s(self, ticket, visit):
        u = self.demand.uniform(Stream.HANDLE, Use(visit))
        return float(work_times(self.pool, HANDLE, u, self.demand)[ticket])

    def life(self, ticket):
        env, customers = self.env, self.customers
        yield env.timeout(float(self.demand.arrived_s[ticket]))
        asked_s = env.now
        with self.provider.request() as connection:
            yield connection
            started_s = env.now
            yield env.timeout(self.latency_s[ticket])
        self.calls.append((ticket, asked_s, started_s, env.now))
        for visit in itertools.count():
            queued_s = env.now
            with self.staff.request(priority=int(self.demand.priority[ticket])) as turn:
                yield turn | env.timeout(customers.patience_s(ticket))
                if not turn.triggered:
                    self.visits.append((ticket, queued_s, np.nan, env.now))
                    return
                started_s = env.now
                yield env.timeout(self.work_s(ticket, visit))
            self.visits.append((ticket, queued_s, started_s, env.now))
            if customers.is_solved(ticket, BY_AGENT, True, 1.0, visit):
                return
            if not customers.comes_back(ticket, visit):
                return
            yield env.timeout(customers.reopen_delay_s(ticket, visit))


def small_desk(**changes):
    """One pool behind an assistant that only categorizes, always rightly."""
    latency = {"distribution": "exponential", "mean": "20s"}
    data = {
        "horizon": "8h",
        "arrivals": {"rate": "30/h"},
        "tickets": {"corpus": str(DATA / "corpus.csv")},
        "assistant": {
            "role": "triage",
            "backend": "profile",
            "profile": {"accuracy": 1.0, "categorize_latency": latency},
        },
        "provider": {"plan": "unlimited", "timeout": "30d"},
        "agents": {
            "all": {
                "heads": 3,
                "handle_time": {"distribution": "lognormal", "mean": "5min", "cv": 1.0},
            }
        },
        "customers": {"reopen_delay": {"distribution": "exponential", "mean": "30min"}},
    }
    return from_data(data).vary(changes)


@settings(SETTINGS, max_examples=30)
@given(
    st.fixed_dictionaries(
        {
            "seed": st.integers(0, 10_000),
            "agents.all.heads": st.integers(1, 4),
            "arrivals.scale": st.sampled_from([0.3, 1.0, 1.5]),
            "customers.solved.agent": st.sampled_from([0.4, 0.92, 1.0]),
        },
        optional={
            "provider.concurrency": st.integers(1, 2),
            "customers.patience": st.sampled_from(
                ["3min", {"distribution": "exponential", "mean": "10min"}]
            ),
            "tickets.priority_mix": st.just({"urgent": 1, "normal": 1, "low": 1}),
        },
    )
)
def test_visits_and_calls_are_those_of_plain_simpy_to_the_last_bit(changes):
    desk = small_desk(**changes)
    demand = draw(desk)
    plain = PlainDesk(desk, demand)
    log = simulate(desk, demand)
    calls = log.calls[log.calls["ended_s"].notna()]
    found = calls[["ticket_id", "asked_s", "started_s", "ended_s"]].to_numpy() - [1, 0, 0, 0]
    assert sorted(map(tuple, found)) == sorted(plain.calls)
    visits = log.visits[log.visits["end"] != "open"]
    found = visits[["ticket_id", "queued_s", "started_s", "ended_s"]].fillna(-1.0).to_numpy()
    expected = np.nan_to_num(np.array(plain.visits, dtype=float).reshape(-1, 4), nan=-1.0)
    assert sorted(map(tuple, found - [1, 0, 0, 0])) == sorted(map(tuple, expected))


# The clock and its processes

moments = st.floats(0, 1e7, allow_subnormal=False)


@given(st.lists(moments, min_size=1, max_size=10))
def test_an_event_comes_at_its_moment_to_the_last_bit(at):
    clock = Clock()
    seen = []

    def life():
        for moment in sorted(at):
            yield clock.at(moment)
            seen.append(clock.now)

    Process(life())
    clock.run()
    assert seen == sorted(at)


def test_a_process_runs_to_its_first_wait_at_once_and_costs_no_event_of_its_own():
    clock = Clock()
    seen = []

    def life():
        seen.append("begun")
        yield clock.at(5.0)
        seen.append("ended")

    Process(life())
    assert seen == ["begun"]
    assert clock.peek() == 5
    clock.step()
    assert seen == ["begun", "ended"]
    assert clock.peek() == np.inf


def test_what_ends_comes_before_what_begins_and_then_the_order_of_scheduling():
    clock = Clock()
    seen = []

    def note(name):
        return lambda _: seen.append(name)

    for name in ("begins first", "begins second"):
        clock.at(1.0).callbacks.append(note(name))
    for name in ("ends first", "ends second"):
        event = simpy.Event(clock)
        event._ok, event._value = True, None
        event.callbacks.append(note(name))
        clock.schedule_at(event, 1.0)
    clock.run()
    assert seen == ["ends first", "ends second", "begins first", "begins second"]


def test_an_exception_in_a_life_ends_the_run_with_its_traceback():
    clock = Clock()

    def step_that_fails():
        yield clock.at(7.0)
        raise RuntimeError("something is wrong with ticket 7")

    def life():
        yield clock.at(3.0)
        yield from step_that_fails()

    Process(life())
    with pytest.raises(RuntimeError, match="ticket 7") as caught:
        clock.run(until=10)
    assert clock.now == 7
    assert {"life", "step_that_fails"} <= {entry.name for entry in caught.traceback}


def test_an_exception_before_the_first_wait_is_raised_where_the_life_begins():
    def life():
        raise RuntimeError("at once")
        yield

    with pytest.raises(RuntimeError, match="at once"):
        Process(life())


def test_an_exception_in_a_desk_comes_out_of_simulate():
    desk = small_desk()
    with (
        patch.object(Customers, "is_solved", side_effect=ZeroDivisionError),
        pytest.raises(ZeroDivisionError) as caught,
    ):
        simulate(desk, draw(desk))
    assert "life" in {entry.name for entry in caught.traceback}


# What happens first at the same moment


@pytest.fixture
def ten_minutes(arrive):
    """One agent, a ticket every ten minutes on the dot, each ten minutes' work."""
    data = {
        "horizon": "1h",
        "arrivals": arrive(600, 1200, 1800, 2400, 3000),
        "agents": {"all": {"heads": 1, "handle_time": "10min"}},
        "customers": {"solved": {"agent": 1.0}},
    }
    return from_data(data)


def visits_of(desk, **changes):
    desk = desk.vary(changes)
    return simulate(desk, draw(desk)).visits.set_index("ticket_id")


def test_an_agent_who_is_done_takes_the_ticket_that_arrives_at_that_moment(ten_minutes):
    visits = visits_of(ten_minutes)
    assert (visits["started_s"] == visits["queued_s"]).all()
    assert visits["ended_s"].tolist()[:-1] == [1200, 1800, 2400, 3000]


def test_who_waits_goes_before_a_more_urgent_ticket_that_arrives_at_that_moment(
    ten_minutes, arrive
):
    arrivals = arrive(0, 100, 600, 700, priority=["low", "low", "urgent", "urgent"])
    visits = visits_of(ten_minutes, arrivals=arrivals)
    # The agent is free before the third ticket arrives; the fourth goes by the urgent rule.
    assert visits["started_s"].to_dict() == {1: 0, 2: 600, 3: 1200, 4: 1800}


def test_a_shift_begins_and_ends_before_the_tickets_of_that_moment(ten_minutes):
    shift = {"start": "00:20", "end": "00:40", "heads": 5}
    pool = {"shifts": [shift], "handle_time": "30min"}
    started_s = visits_of(ten_minutes, agents={"all": pool})["started_s"]
    # Tickets at 10, 20 and 30 minutes are taken; the one at 40 is too late.
    assert started_s.dropna().to_dict() == {1: 1200, 2: 1200, 3: 1800}


@pytest.mark.parametrize(("end", "how"), [("00:20", "done"), ("00:19", "handed over")])
def test_work_that_ends_with_the_shift_is_done_not_handed_over(ten_minutes, end, how):
    shift = {"start": "00:00", "end": end, "heads": 1}
    pool = {"shifts": [shift], "handle_time": "10min", "at_shift_end": "hand over"}
    assert visits_of(ten_minutes, agents={"all": pool})["end"].iloc[0] == how


LATE = {"shifts": [{"start": "00:15", "end": "01:00", "heads": 1}]}


@pytest.mark.parametrize("late", [LATE, {"heads": 1}], ids=["comes on", "was there"])
def test_work_that_is_handed_over_goes_to_another_pool_that_is_free(ten_minutes, late):
    early = {"shifts": [{"start": "00:00", "end": "00:15", "heads": 1}]}
    work = {"handle_time": "10min", "at_shift_end": "hand over"}
    first = visits_of(ten_minutes, agents={"early": early | work, "late": late | work}).loc[1]
    assert first["pool"].tolist() == ["early", "late"]
    assert first["started_s"].tolist() == [600, 900]
    assert first["ended_s"].tolist() == [900, 1200]


def test_two_pools_that_end_together_hand_nothing_to_each_other(ten_minutes):
    shift = {"start": "00:00", "end": "00:15", "heads": 1}
    work = {"shifts": [shift], "handle_time": "10min", "at_shift_end": "hand over"}
    visits = visits_of(ten_minutes, agents={"one": work, "other": work})
    assert visits["started_s"].dropna().tolist() == [600]


@pytest.mark.parametrize(("patience", "end"), [("5min", "abandoned"), ("301s", "done")])
def test_who_is_out_of_patience_at_the_moment_an_agent_is_free_has_left(
    ten_minutes, arrive, patience, end
):
    visits = visits_of(ten_minutes, arrivals=arrive(0, 300), **{"customers.patience": patience})
    assert visits["end"][2] == end


def test_a_call_that_ends_makes_room_for_the_call_of_that_moment(ten_minutes):
    assistant = {
        "role": "triage",
        "backend": "profile",
        "profile": {"categorize_latency": "10min"},
    }
    desk = ten_minutes.vary(
        {"assistant": assistant, "provider": {"concurrency": 1, "timeout": "1h"}}
    )
    calls = simulate(desk, draw(desk)).calls
    assert (calls["started_s"] == calls["asked_s"]).all()


def test_who_comes_back_when_told_to_is_let_in(ten_minutes, arrive):
    # The limit holds one call of 365 tokens. Of each pair the second is told to come back when
    # there is room; nobody else asks until then, so that a second refusal could only be rounding.
    pairs = [moment for k in range(300) for moment in (1000.3 * k, 1000.3 * k + 7.7)]
    desk = ten_minutes.vary(
        {
            "horizon": "4d",
            "arrivals": arrive(*pairs),
            "assistant": {"role": "triage", "backend": "profile"},
            "provider": {"plan": "unlimited", "tpm": 365, "backoff": "1ms"},
        }
    )
    calls = simulate(desk, draw(desk)).calls
    assert (calls["outcome"] == "ok").all()
    assert calls["rate_limited"].tolist() == [0, 1] * 300


# How many events there are


class CountingClock(Clock):
    steps = 0

    def step(self):
        CountingClock.steps += 1
        super().step()


def play_counted(desk):
    CountingClock.steps = 0
    with patch.object(simulation, "Clock", CountingClock):
        log = simulate(desk, draw(desk))
    return log, CountingClock.steps


@pytest.mark.parametrize("role", ["off", "triage", "full"])
def test_a_ticket_costs_an_arrival_and_one_event_a_visit_a_call_and_a_return(role):
    shifts = [
        {"start": "06:00", "end": "14:00", "heads": 3},
        {"start": "12:00", "end": "20:00", "heads": 2},
    ]
    pool = {"shifts": shifts, "handle_time": {"distribution": "exponential", "mean": "9min"}}
    desk = small_desk(
        **{
            "horizon": "3d",
            "arrivals.rate": "20/h",
            "agents.all": {**pool, "at_shift_end": "hand over"},
            "assistant.role": role,
            "assistant.confidence_threshold": 0.6,
            "assistant.review_categories": ["Other"],
            "customers.patience": {"distribution": "exponential", "mean": "2h"},
        }
    )
    log, steps = play_counted(desk)
    visits, timeline = log.visits, log.timeline
    taken = visits["started_s"].notna() & visits["ended_s"].notna()
    expected = {
        "arrivals": len(log.tickets),
        "visits": int(taken.sum()),
        "calls": int(log.calls["attempts"].sum()),
        "returns": int((timeline["status"] == "Reopened").sum()),
        "shift changes": 3 * 4,
        "the end": 1,
    }
    # Handed-over work keeps its old event, which comes with nobody to call, if not after the end.
    handed = int((visits["end"] == "handed over").sum())
    assert handed < 60
    assert sum(expected.values()) - handed <= steps <= sum(expected.values())
    assert (visits["end"] == "abandoned").sum() > 50  # leaving costs no event


def test_a_desk_of_people_that_never_change_costs_two_events_a_ticket():
    data = {
        "horizon": "30d",
        "arrivals": {"kind": "constant", "rate": "6/h"},
        "agents": {"all": {"heads": 2, "handle_time": "10min"}},
        "customers": {"solved": {"agent": 1.0}},
    }
    desk = from_data(data)
    log, steps = play_counted(desk)
    assert steps == 2 * len(log.tickets) - int(log.visits["ended_s"].isna().sum()) + 1
