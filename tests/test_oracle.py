"""An exact oracle: desks computed without SimPy.

All luck is drawn before the clock starts. So a stage without feedback is a recursion over its
arrivals: a server is free at some moment, the next in line starts then or at arrival, and ends a
drawn time later. Desks whose stages feed back into each other (further touches, wrap-up, agents who
come and go, overflow) are played by a plain desk, `oracle`. The desk's moments must equal these to
the last bit.
"""

from collections import Counter
from heapq import heapify, heappop, heappush, heapreplace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import PlainDesk
from strategies import SETTINGS, sections

from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.desk.work import work_times
from twin.records.tables import HANDLE, REVIEW
from twin.scenario.model import from_data

NAN = float("nan")
SKEWED = {"distribution": "lognormal", "mean": "9min", "cv": 1.2}
ARRIVALS = {
    "poisson": {"rate": "20/h"},
    "constant": {"kind": "constant", "rate": "20/h"},
    "hourly": {
        "kind": "hourly",
        "rate": "20/h",
        "week": {"hours": [1.0] * 8 + [4.0] * 10 + [0] * 6},
    },
    "bursty": {"rate": "20/h", "bursts": {"factor": 8, "mean_quiet": "5h", "mean_burst": "1h"}},
}
# Mean handle times that keep so many agents nearly always busy at 20 tickets an hour.
SERVERS = {1: "3min", 3: "8min", 14: "40min"}
NOBODY_RETURNS = {"reopen_rate": 0.0}
SEEDS = (1, 2, 3)


def serve(arrived, work, servers):
    """Start and end of each visit to a first-come c-server stage."""
    free = [0.0] * servers
    started, ended = np.empty(len(arrived)), np.empty(len(arrived))
    for k in np.argsort(arrived, kind="stable"):
        started[k] = max(arrived[k], free[0])
        ended[k] = started[k] + work[k]
        heapreplace(free, ended[k])
    return started, ended


def serve_by_priority(arrived, work, priority, patience, servers):
    """Start and end of each visit where the highest priority goes first, and who leaves when.

    A customer whose patience ends at the moment an agent comes free has left.
    """
    n = len(arrived)
    started, ended, left = np.full(n, NAN), np.full(n, NAN), np.full(n, NAN)
    # At equal moments who is done goes first, as all ends are 0 and arrivals 1.
    events = [(arrived[k], 1, k) for k in range(n)]
    heapify(events)
    line, free = [], servers
    while events:
        now, kind, k = heappop(events)
        if kind == 1:
            heappush(line, (priority[k], k))
        else:
            free += 1
        while free and line:
            _, k = heappop(line)
            if now > arrived[k] and arrived[k] + patience[k] <= now:
                left[k] = arrived[k] + patience[k]
                continue
            free -= 1
            started[k], ended[k] = now, now + work[k]
            heappush(events, (ended[k], 0, k))
    return started, ended, left


def desk(seed, heads, arrivals, **sections):
    pool = {"heads": heads, "handle_time": SKEWED} if heads else None
    return from_data(
        {
            # Not a whole number of anything, so that it cuts visits and calls.
            "horizon": "50h13min7s",
            "seed": seed,
            "arrivals": ARRIVALS[arrivals],
            "customers": NOBODY_RETURNS,
            "agents": {"all": pool} if pool else {},
            **sections,
        }
    )


def handle_times(scenario, demand):
    pool = scenario.agents["all"]
    return work_times(pool, HANDLE, demand.uniform(Stream.HANDLE), demand)


def before(moments, horizon):
    """Tables without any moment from the horizon on."""
    return np.where(moments < horizon, moments, NAN)


def check_visits(log, queued, started, ended):
    """Every visit's moments, to the last bit; those that would queue after the horizon are none."""
    visits = log.visits.sort_values("ticket_id", kind="stable")
    came = queued < log.horizon_s
    np.testing.assert_array_equal(visits["ticket_id"], np.flatnonzero(came) + 1)
    np.testing.assert_array_equal(visits["queued_s"], queued[came])
    np.testing.assert_array_equal(visits["started_s"], before(started, log.horizon_s)[came])
    np.testing.assert_array_equal(visits["ended_s"], before(ended, log.horizon_s)[came])


def check_tickets(log, responded, resolved):
    tickets = log.tickets
    np.testing.assert_array_equal(tickets["responded_s"], before(responded, log.horizon_s))
    np.testing.assert_array_equal(tickets["resolved_s"], before(resolved, log.horizon_s))
    closed = resolved + 86400.0
    status = np.where(resolved < log.horizon_s, "Resolved", tickets["status"].astype(object))
    status = np.where(closed < log.horizon_s, "Closed", status)
    np.testing.assert_array_equal(tickets["status"].astype(object), status)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("arrivals", ARRIVALS)
@pytest.mark.parametrize("heads", SERVERS)
def test_humans_only(seed, arrivals, heads):
    mean = SERVERS[heads]
    scenario = desk(
        seed,
        heads,
        arrivals,
        tickets={"category_mix": {"Login": 3, "Payment": 1}},
        agents={
            "all": {
                "heads": heads,
                "handle_time": {**SKEWED, "mean": mean},
                "handle_times": {"Payment": {"distribution": "exponential", "mean": mean}},
            }
        },
    )
    demand = draw(scenario)
    work = handle_times(scenario, demand)
    started, ended = serve(demand.arrived_s, work, heads)
    log = simulate(scenario, demand)
    check_visits(log, demand.arrived_s, started, ended)
    check_tickets(log, responded=started, resolved=ended)
    assert len(demand) > 500
    assert (started > demand.arrived_s).sum() > 100


@pytest.mark.parametrize("heads", SERVERS)
def test_ties_of_constant_times(heads):
    """Everything is a multiple of three minutes: many events at once, and still in order."""
    pool = {"heads": heads, "handle_time": f"{3 * heads}min"}
    scenario = desk(1, heads, "constant", agents={"all": pool}, horizon="10h")
    demand = draw(scenario)
    started, ended = serve(demand.arrived_s, handle_times(scenario, demand), heads)
    log = simulate(scenario, demand)
    check_visits(log, demand.arrived_s, started, ended)
    # Who is done at a moment is replaced by who arrives then: nobody waits.
    np.testing.assert_array_equal(started, demand.arrived_s)


def assistant(role, **settings):
    exponential = {"distribution": "exponential", "mean": "100s"}
    profile = {"categorize_latency": exponential, "respond_latency": SKEWED}
    return {"role": role, "backend": "profile", "profile": profile, **settings}


def provider(concurrency=None):
    limit = {"concurrency": concurrency} if concurrency else {}
    return {"plan": "unlimited", "timeout": "30d", **limit}


def latencies(scenario, demand):
    profile = scenario.assistant.profile
    first = profile.categorize_latency.quantile(demand.uniform(Stream.CATEGORIZE_LATENCY))
    return first, profile.respond_latency.quantile(demand.uniform(Stream.RESPOND_LATENCY))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("arrivals", ARRIVALS)
@pytest.mark.parametrize(("connections", "heads"), [(1, 3), (2, 1), (1, 14)])
def test_triage_then_agents(seed, arrivals, connections, heads):
    scenario = desk(
        seed, heads, arrivals, assistant=assistant("triage"), provider=provider(connections)
    )
    demand = draw(scenario)
    sent, answered = serve(demand.arrived_s, latencies(scenario, demand)[0], connections)
    started, ended = serve(answered, handle_times(scenario, demand), heads)
    log = simulate(scenario, demand)
    done = answered < scenario.horizon
    calls = log.calls[log.calls["ended_s"].notna()].sort_values("ticket_id")
    np.testing.assert_array_equal(calls["asked_s"], demand.arrived_s[done])
    np.testing.assert_array_equal(calls["started_s"], sent[done])
    np.testing.assert_array_equal(calls["ended_s"], answered[done])
    check_visits(log, answered, started, ended)
    check_tickets(log, responded=started, resolved=ended)


@pytest.mark.parametrize("seed", SEEDS)
def test_assistant_alone(seed):
    scenario = desk(seed, 0, "bursty", assistant=assistant("full"), provider=provider())
    demand = draw(scenario)
    first, second = latencies(scenario, demand)
    answered = demand.arrived_s + first + second
    log = simulate(scenario, demand)
    assert log.visits.empty
    check_tickets(log, responded=answered, resolved=answered)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("heads", [1, 3])
def test_assistant_then_review(seed, heads):
    scenario = desk(
        seed,
        heads,
        "hourly",
        assistant=assistant("full", review_categories=["*"]),
        provider=provider(),
    )
    demand = draw(scenario)
    first, second = latencies(scenario, demand)
    drafted = demand.arrived_s + first + second
    pool = scenario.agents["all"]
    work = work_times(pool, REVIEW, demand.uniform(Stream.REVIEW), demand)
    started, ended = serve(drafted, work, heads)
    log = simulate(scenario, demand)
    check_visits(log, drafted, started, ended)
    # A draft is no response until an agent has approved it.
    check_tickets(log, responded=ended, resolved=ended)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("arrivals", ["poisson", "bursty"])
@pytest.mark.parametrize("heads", [1, 3, 14])
def test_priorities_and_patience(seed, arrivals, heads):
    scenario = desk(
        seed,
        heads,
        arrivals,
        tickets={"priority_mix": {"urgent": 1, "high": 2, "normal": 5, "low": 2}},
        customers={**NOBODY_RETURNS, "patience": {"distribution": "exponential", "mean": "20min"}},
    )
    demand = draw(scenario)
    patience = scenario.customers.patience.quantile(demand.uniform(Stream.PATIENCE))
    started, ended, left = serve_by_priority(
        demand.arrived_s.tolist(),
        handle_times(scenario, demand).tolist(),
        demand.priority.tolist(),
        patience.tolist(),
        heads,
    )
    log = simulate(scenario, demand)
    horizon = scenario.horizon
    check_visits(log, demand.arrived_s, started, np.where(np.isnan(left), ended, left))
    np.testing.assert_array_equal(log.tickets["resolved_s"], before(ended, horizon))
    gone = (log.tickets["status"] == "Abandoned").to_numpy()
    np.testing.assert_array_equal(gone, left < horizon)
    assert gone.any() or heads == 14
    timeline = log.timeline[log.timeline["status"] == "Abandoned"].sort_values("ticket_id")
    np.testing.assert_array_equal(timeline["time_s"], left[gone])


TIMES = st.sampled_from(["4min", "15min"]) | st.builds(
    lambda kind, mean: {**kind, "mean": mean},
    st.sampled_from([{"distribution": "exponential"}, {"distribution": "gamma", "cv": 0.4}]),
    st.sampled_from(["3min", "12min", "40min"]),
)
CLOCKS = st.sampled_from(["around the clock", "desk hours"])
CHANCES = st.sampled_from([0.2, 0.45])
WAITS = sections(
    {
        "waiting": sections(
            {"chance": CHANCES, "delay": TIMES, "clock": CLOCKS, "close_after": TIMES},
            never=st.just(0.3),
        ),
        "on_hold": sections({"chance": CHANCES, "delay": TIMES, "clock": CLOCKS}),
        "most": st.integers(1, 3),
    }
)
OVERFLOW = {
    "overflow_after": st.sampled_from(["0s", "2min", "10min"]),
    "overflow_at": st.integers(1, 3),
}
AWAY = sections(
    {"returns": st.sampled_from(["2/h", "12/h"])},
    after_touch=st.sampled_from([0.3, 1.0]),
    while_idle=st.sampled_from(["1/h", "6/h"]),
    returns_per_queued=st.just("6/h"),
)
DAYTIME = st.integers(1, 3).map(
    lambda heads: {"shifts": [{"start": "08:00", "end": "18:00", "heads": heads}]}
)
STAFFED = DAYTIME | st.integers(1, 3).map(lambda heads: {"heads": heads})


@st.composite
def in_hand(draw, pool):
    """A pool whose agents are there all the time, with several tickets in hand."""
    most = draw(st.integers(2, 3))
    places = st.sampled_from([(1, 1), (2, 1), (1, most), (2, most)])
    weights = dict(zip(("Login", "Payment"), draw(places), strict=True))
    more = {"heads": 1, "concurrency": most, "slow_down": "none"}
    return {k: v for k, v in pool.items() if k != "shifts"} | more | {"weights": weights}


@st.composite
def full_desks(draw, features):
    """A desk of two pools that help each other, with some of the features on."""
    names = {"front": ["Login"], "back": ["Payment"]}
    agents = {}
    for name, other in zip(names, reversed(names), strict=True):
        pool = draw(sections({"handle_time": TIMES}, follow_up_time=TIMES)) | draw(STAFFED)
        pool["skills"] = draw(st.sampled_from([names[name], []] if features != "weights" else [[]]))
        if "overflow" in features and draw(st.booleans() if agents else st.just(True)):
            pool |= {"skills": names[name], "overflow_to": [other]} | draw(sections({}, **OVERFLOW))
        if "wrap-up" in features:
            pool["wrap_up"] = draw(TIMES)
        if "away" in features:
            pool["away"] = draw(AWAY)
        if "weights" in features:
            pool = draw(in_hand(pool))
        agents[name] = pool
    mix = st.sampled_from([{"normal": 1}, {"urgent": 1, "normal": 3}])
    rates = ["6/h", "9/h"] if features == "weights" else ["2/h", "5/h"]
    return {
        "horizon": "29h13min7s",
        "seed": draw(st.integers(0, 99)),
        "arrivals": {"rate": draw(st.sampled_from(rates))},
        "tickets": {"category_mix": {"Login": 3, "Payment": 2}, "priority_mix": draw(mix)},
        "agents": agents,
        "customers": NOBODY_RETURNS
        | draw(sections({"close_after": st.just("3h")}, patience=TIMES)),
        **({"touches": draw(WAITS)} if "waits" in features else {}),
    }


def check_table(found, rows, columns, exact, by="ticket_id"):
    """All rows of a table, those of a ticket in order; exact, or within a microsecond."""
    found = found[columns].astype({c: object for c in columns if found[c].dtype == "category"})
    tables = [
        table.sort_values(by, kind="stable", ignore_index=True)
        for table in (found, pd.DataFrame(rows, columns=columns))
    ]
    close = {"check_exact": True} if exact else {"rtol": 0, "atol": 1e-6}
    pd.testing.assert_frame_equal(*tables, check_dtype=False, **close)


# What must have happened, and often, for the examples to have tried a feature.
SHOWN = {
    "waits": ["Waiting for customer", "On hold", "Reopened", "follow up"],
    "wrap-up": ["wrap-up"],
    "away": ["changes of staffing"],
    "overflow": ["by another pool"],
}
ALL = "+".join(SHOWN)
# Without agents who come and go, and shifts.
WEIGHTS = "waits+wrap-up+overflow+weights"
SHOWN["weights"] = ["passed over"]


@pytest.mark.parametrize("features", [*SHOWN, ALL, WEIGHTS])
def test_a_plain_desk_plays_the_same(features):
    """Replies and third parties, wrap-up, agents who come and go, overflow: alone and together.

    Tickets that take several places, too.
    """
    seen = Counter()

    @settings(SETTINGS, max_examples={ALL: 15, WEIGHTS: 12}.get(features, 10))
    @given(full_desks(features))
    def plays(data):
        scenario = from_data(data)
        demand = draw(scenario)
        plain, log = PlainDesk(scenario, demand).play(), simulate(scenario, demand)
        # By integrated rates, and through hours of the desk, sums are added up in other orders.
        exact = "away" not in features and "desk hours" not in repr(data)
        columns = ["ticket_id", "pool", "activity", "queued_s", "started_s", "ended_s", "end"]
        # In both, the rows of who waits at the end come last, and touches of a ticket in order.
        check_table(log.visits, plain.visits, columns, exact)
        columns = ["ticket_id", "time_s", "status"]
        check_table(log.timeline, plain.timeline, columns, exact)
        tickets = [
            (k + 1, plain.responded_s.get(k, NAN), *plain.outcome.get(k, (NAN, None, NAN)),
             plain.reopens[k]) for k in range(len(demand))
        ]  # fmt: skip
        columns = ["ticket_id", "responded_s", "resolved_s", "resolved_by", "solved", "reopens"]
        check_table(log.tickets, tickets, columns, exact)
        columns = ["pool", "time_s", "on_shift", "away"]
        check_table(log.staffing, plain.staffing, columns, exact, by="pool")
        seen.update([*(row[2] for row in plain.visits), *(row[2] for row in plain.timeline)])
        seen["changes of staffing"] += len(plain.staffing)
        seen["passed over"] += plain.passed_over
        for ticket, pool, *_ in plain.visits:
            topic = demand.categories[demand.category[ticket - 1]]
            seen["by another pool"] += pool is not None and not scenario.agents[pool].takes(topic)

    plays()
    assert all(seen[name] for one in features.split("+") for name in SHOWN[one]), seen
