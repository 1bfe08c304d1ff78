"""Several tickets in hand: days traced by hand, what is conserved, and known answers."""

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
from twin.experiments.workload import workload
from twin.measures import theory
from twin.measures.balance import little
from twin.measures.levels import busy, levels
from twin.records.export import events
from twin.records.storage import as_arrow, join
from twin.records.tables import HANDLE, WRAP_UP
from twin.report.assumptions import assumptions
from twin.report.explain import explain
from twin.scenario.model import from_data

CHAT = {"heads": 1, "handle_time": "10min", "concurrency": 2}


def chat(**more):
    return {"chat": CHAT | more}


def table(log, *columns):
    """Rows of the visits in the order in which they began; moments in minutes."""
    rows = log.visits.sort_values("started_s", kind="stable")
    rows = rows.assign(**{k: rows[k] / MIN for k in ("queued_s", "started_s", "ended_s")})
    return list(rows[["ticket_id", *columns]].round(9).itertuples(index=False, name=None))


def test_two_chats_in_one_hand_go_on_at_half_speed(play, arrive):
    data = desk(arrive(0, 4 * MIN, 5 * MIN), horizon="1h", agents=chat(cost=60.0))
    log = play(data)
    # The first alone for 4 min, then two at a time: 6 + 6 min of work until 16 min. Of the second
    # 4 are left and the third begins: 4 + 4 until 24, and 6 alone.
    assert table(log, "queued_s", "started_s", "ended_s", "end", "agent") == [
        (1, 0, 0, 16, "done", 1),
        (2, 4, 4, 24, "done", 1),
        (3, 5, 16, 30, "done", 1),
    ]
    assert log.tickets["resolved_s"].tolist() == [16 * MIN, 24 * MIN, 30 * MIN]
    assert value(log, data, "occupancy") == 0.5
    assert value(log, data, "workload_ratio") == 0.5
    assert value(log, data, "concurrency_mean") == pytest.approx((16 + 20 + 14) / 30)
    assert value(log, data, "concurrency_mean", "chat") == pytest.approx(5 / 3)
    assert value(log, data, "human_cost") == pytest.approx(20.0)
    assert value(log, data, "agent_wait_mean") == pytest.approx(11 / 3 * MIN)
    half = levels(log, from_data(data), every_s=30 * MIN).set_index("level")["mean"]
    assert half["busy"].tolist() == [1.0, 0.0]
    assert half["in hand"].tolist() == [pytest.approx(50 / 30), 0.0]
    law = little(log, from_data(data)).set_index("of")
    assert law.loc["in hand chat", "level"] == pytest.approx(50 / 60)
    assert law["level"].to_numpy() == pytest.approx(law["product"].to_numpy())
    resources = events(log)["resource"].dropna()
    assert resources.unique().tolist() == ["chat 1"]


@pytest.mark.parametrize(
    ("slow_down", "ends"),
    [("none", [10, 14, 20]), ([1.0, 0.8], [11.5, 16.5, 22.5]), ([0.5, 0.5], [20, 24, 40])],
)
def test_how_much_two_slow_each_other_down_is_said(play, arrive, slow_down, ends):
    log = play(desk(arrive(0, 4 * MIN, 5 * MIN), agents=chat(slow_down=slow_down)))
    assert [row[1] for row in table(log, "ended_s")] == ends


def test_the_one_with_fewest_in_hand_takes_the_next(play, arrive):
    agents = chat(heads=2, slow_down="none")
    moments = [k * MIN for k in (0, 1, 2, 11.5, 12.5, 13)]
    log = play(desk(arrive(*moments), agents=agents))
    # At 2 both have one, and the first took theirs earlier. At 11.5 the second has none, at 12.5
    # the first; at 13 both have one again, and the second took theirs earlier.
    assert [agent for _, agent in visits(log, "agent")] == [1, 2, 1, 2, 1, 2]


def test_a_wrap_up_stays_in_hand(play, arrive):
    log = play(desk(arrive(0, 0, 60), agents=chat(wrap_up="3min")))
    # Both done at 20 min by half speed, then 3 + 3 min of wrap-up, while the third waits.
    assert table(log, "activity", "started_s", "ended_s") == [
        (1, "handle", 0, 20),
        (2, "handle", 0, 20),
        (1, "wrap-up", 20, 26),
        (2, "wrap-up", 20, 26),
        (3, "handle", 26, 36),
        (3, "wrap-up", 36, 39),
    ]
    assert log.tickets["resolved_s"].tolist() == [20 * MIN, 20 * MIN, 36 * MIN]


def test_work_in_hand_at_the_end_of_a_shift_is_finished_and_nothing_new_taken(play, arrive):
    shift = {"shifts": [{"start": "00:00", "end": "00:08", "heads": 1}], "heads": None}
    log = play(desk(arrive(0, 4 * MIN, 9 * MIN), horizon="2d", agents=chat(**shift)))
    assert table(log, "started_s", "ended_s") == [
        (1, 0, 16), (2, 4, 20), (3, 24 * 60, 24 * 60 + 10),
    ]  # fmt: skip


def test_what_is_left_of_several_is_handed_over_as_work(play, arrive):
    early = {"shifts": [{"start": "00:00", "end": "00:08", "heads": 1}], "handle_time": "10min",
             "concurrency": 2, "at_shift_end": "hand over"}  # fmt: skip
    late = {"heads": 1, "handle_time": "1min"}
    log = play(desk(arrive(0, 4 * MIN), agents={"early": early, "late": late}))
    # By 8 min the first has had 6 min of work, the second 2. The first handed over is who began
    # last, and the first in line is who came first.
    assert table(log, "pool", "agent", "started_s", "ended_s", "end") == [
        (1, "early", 1, 0, 8, "handed over"),
        (2, "early", 1, 4, 8, "handed over"),
        (1, "late", pytest.approx(np.nan, nan_ok=True), 8, 12, "done"),
        (2, "late", pytest.approx(np.nan, nan_ok=True), 12, 20, "done"),
    ]


def test_agents_who_have_nothing_in_hand_go_first(play, arrive):
    shifts = [{"start": "00:00", "end": "01:00", "heads": 1},
              {"start": "00:00", "end": "00:08", "heads": 1}]  # fmt: skip
    pool = {"handle_time": "10min", "concurrency": 2, "slow_down": "none", "shifts": shifts}
    log = play(desk(arrive(0, 1 * MIN, 2 * MIN, 9 * MIN, 10.5 * MIN), agents={"all": pool}))
    # Agent 2 has one in hand at 8 min, agent 1 has two: agent 2 is to go, and takes nothing at 9.
    assert table(log, "agent", "started_s") == [
        (1, 1, 0), (2, 2, 1), (3, 1, 2), (4, 1, 10), (5, 1, 12),
    ]  # fmt: skip


def test_who_finds_out_that_a_ticket_is_not_theirs_shares_their_hand_too(play, arrive):
    pool = {"heads": 1, "handle_time": "10min", "triage_time": "2min", "concurrency": 2}
    data = desk(
        arrive(0, 0, category=["Payment", "Login"]),
        agents={"login": pool | {"skills": ["Login"]}, "pay": pool | {"skills": ["Payment"]}},
        assistant=assistant("triage", {"confusion": {"Payment": {"Login": 1.0}},
                                       "categorize_latency": "0s"}),
        provider=provider(),
    )  # fmt: skip
    log = play(data)
    assert table(log, "pool", "started_s", "ended_s") == [
        (1, "login", 0, 4), (2, "login", 0, 12), (1, "pay", 4, 14),
    ]  # fmt: skip
    assert "Escalated" in [status for _, status in life(log, 1)]


def test_what_is_in_hand_at_the_end_of_the_run_is_open(play, arrive):
    log = play(desk(arrive(0, 4 * MIN), horizon="17min", agents=chat()))
    assert table(log, "end") == [(1, "done"), (2, "open")]
    assert np.isnan(log.visits["ended_s"].iloc[1])
    assert log.tickets["status"].tolist() == ["Resolved", "In Progress"]


def in_hand_then(log, pool, agent, moments):
    """Tickets that an agent has in hand right after each moment."""
    here = log.visits[(log.visits["pool"] == pool) & (log.visits["agent"] == agent)]
    start_s = here["started_s"].to_numpy()
    end_s = here["ended_s"].fillna(np.inf).to_numpy()
    return ((start_s <= moments[:, None]) & (end_s > moments[:, None])).sum(axis=1)


def attained(log, pool, speeds):
    """Work that each visit of a pool has had: the speeds of its agent over the time it took."""
    edges = np.unique(log.visits[["started_s", "ended_s"]].to_numpy().ravel())
    edges = np.append(edges[~np.isnan(edges)], log.horizon_s)
    had = np.zeros(len(log.visits))
    for agent in log.visits["agent"].dropna().unique():
        here = ((log.visits["pool"] == pool) & (log.visits["agent"] == agent)).to_numpy()
        number = in_hand_then(log, pool, agent, edges[:-1])
        rate = np.concatenate([[0.0], speeds])[number] * np.diff(edges)
        done = np.concatenate([[0.0], np.cumsum(rate)])
        start_s = log.visits["started_s"].to_numpy()[here]
        end_s = log.visits["ended_s"].fillna(log.horizon_s).to_numpy()[here]
        had[here] = np.interp(end_s, edges, done) - np.interp(start_s, edges, done)
    return had


@SETTINGS
@given(
    st.integers(0, 1000),
    st.integers(1, 3),
    st.sampled_from(["shared", "none", [1.0, 0.7, 0.6], [0.9, 0.3, 0.3]]),
    st.sampled_from(["finish", "hand over"]),
    st.booleans(),
)
def test_speed_times_time_is_the_work_and_no_hand_is_overfull(seed, heads, slow_down, end, wraps):
    handle = {"distribution": "lognormal", "mean": "12min", "cv": 1.2}
    shifts = [{"start": "00:00", "end": "05:10", "heads": heads},
              {"start": "02:05", "end": "09:00", "heads": 1}]  # fmt: skip
    pool = {"shifts": shifts, "handle_time": handle, "concurrency": 3, "slow_down": slow_down,
            "at_shift_end": end, "follow_up_time": "4min"}  # fmt: skip
    pool |= {"wrap_up": {"distribution": "exponential", "mean": "2min"}} if wraps else {}
    touches = {"waiting": {"chance": 0.3, "delay": "40min"}}
    data = desk({"rate": "12/h"}, {"solved": {"agent": 0.7}, "patience": "2h"}, horizon="12h",
                seed=seed, agents={"all": pool}, touches=touches)  # fmt: skip
    scenario = from_data(data)
    demand = draw(scenario)
    log = simulate(scenario, demand)
    had = attained(log, "all", scenario.agents["all"].speeds)
    table = log.visits
    begun = table["started_s"].notna().to_numpy()
    assert begun.sum() > 20
    for agent in table["agent"].dropna().unique():
        assert in_hand_then(log, "all", agent, table["started_s"].dropna().to_numpy()).max() <= 3
    # Handle times of first touches, handed over or not; wrap-up of each of them.
    pool = scenario.agents["all"]
    checked = 0
    for activity, stream in ((HANDLE, Stream.HANDLE), (WRAP_UP, Stream.WRAP_UP)):
        if activity == WRAP_UP and not wraps:
            continue
        work = work_times(pool, activity, demand.uniform(stream), demand)
        own = table[(table["activity"] == {HANDLE: "handle", WRAP_UP: "wrap-up"}[activity]) & begun]
        for ticket, parts in own.groupby("ticket_id"):
            parts = parts.sort_values("started_s")
            stop = int((parts["end"] != "handed over").to_numpy().argmax())
            if parts["end"].iloc[stop] == "done":
                total = had[parts.index[: stop + 1]].sum()
                assert total == pytest.approx(work[ticket - 1], rel=1e-9, abs=1e-6)
                checked += 1
    assert checked > 20
    law = little(log, scenario)
    assert law["level"].to_numpy() == pytest.approx(law["product"].to_numpy(), rel=1e-9, abs=1e-9)
    used = busy(log, "all")
    assert used.values.max() <= heads + 1
    assert value(log, data, "occupancy") <= 1


def test_the_chain_of_one_who_shares_has_the_known_limits():
    one = theory.sharing(0.5, 1.0, [1.0])
    assert (one.number, one.wait) == (pytest.approx(1.0), pytest.approx(1.0))
    assert (one.used, one.in_hand) == (pytest.approx(0.5), pytest.approx(1.0))
    # As many as there are at an n-th of the speed: M/M/1 again, and nobody waits.
    shares = theory.sharing(0.5, 1.0, [1 / n for n in range(1, 101)])
    assert (shares.number, shares.wait) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-9))
    assert shares.in_hand == pytest.approx(2.0)
    # At no cost: M/M/3.
    free = theory.sharing(2.0, 1.0, [1.0, 1.0, 1.0])
    assert free.wait == pytest.approx(theory.erlang_c_wait(3, 2, 1.0))
    assert free.number == pytest.approx(2 + 2 * free.wait)


def stays(replications):
    """Mean stays of short and long tickets, and of all; a row a replication. Load 0.6."""
    agents = {"all": {"heads": 1, "concurrency": 60, "handle_time": "30s",
                      "handle_times": {"long": "5min"}}}  # fmt: skip
    # A work of 75 s on average.
    data = desk({"rate": "0.48/min"}, agents=agents, horizon="2d", warm_up="6h", seed=5,
                tickets={"category_mix": {"short": 5, "long": 1}})  # fmt: skip
    scenario = from_data(data)
    rows = []
    for k in range(replications):
        tickets = simulate(scenario, draw(scenario, k)).tickets
        tickets = tickets[(tickets["arrived_s"] >= 6 * 3600) & tickets["resolved_s"].notna()]
        stay_s = tickets["resolved_s"] - tickets["arrived_s"]
        by = stay_s.groupby(tickets["category_true"].astype(str)).mean()
        rows.append([by["short"], by["long"]])
    return np.array(rows)


@pytest.mark.parametrize("replications", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_who_shares_an_agent_stays_in_proportion_to_their_work(replications):
    # M/G/1 with processor sharing: a stay of x / (1 - load) for work of x, whatever the others'.
    found = stays(replications)
    expected = np.array([30.0, 300.0]) / 0.4
    off = found.mean(axis=0) / expected - 1
    error = found.std(axis=0, ddof=1) / expected / np.sqrt(replications)
    assert (np.abs(off) < 3.5 * error).all()
    assert (error < 0.2 / np.sqrt(replications)).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"concurrency": 0}, r"agents.chat.concurrency.*at least 1"),
        ({"concurrency": 101}, r"agents.chat.concurrency.*at most 100"),
        ({"slow_down": "fast"}, r'agents.chat.slow_down.*"shared" or "none", or a list of speeds'),
        ({"slow_down": [1.0, 0.0]}, r"agents.chat.slow_down.*above 0 up to 1"),
        ({"slow_down": []}, r"agents.chat.slow_down.*list of speeds"),
        ({"slow_down": [1.0]}, r"agents.chat.*gives 1 speeds, concurrency is 2"),
    ],
)
def test_faults_name_the_key(change, words):
    with pytest.raises(ScenarioError, match=words):
        from_data(desk({"rate": "1/h"}, agents=chat(**change)))


def test_check_and_the_report_count_it():
    def said(**more):
        scenario = from_data(desk({"rate": "9/h"}, agents=chat(**more)))
        return workload(scenario, draw(scenario)).ticket_s, explain(scenario), scenario

    assert said()[0] == 600.0
    assert said(slow_down="none")[0] == 300.0
    assert said(slow_down=[1.0, 0.75])[0] == 400.0
    # The third at a time would slow the desk down.
    assert said(slow_down=[1.0, 0.75, 0.2], concurrency=3)[0] == 400.0
    _, words, scenario = said(slow_down=[1.0, 0.75])
    assert "10 min a ticket on average, up to 2 tickets in hand." in " ".join(words)
    rows = {key: text for _, text, key, _ in assumptions(scenario)}
    assert rows["agents.chat.slow_down"] == "chat: up to 2 tickets in hand, each at speed 1, 0.75"
    assert theory.erlang_bounds(scenario) == {}


def test_a_run_from_before_there_were_agents_is_read(tmp_path):
    data = desk({"rate": "6/h"}, horizon="4h", agents=chat())
    log = simulate(from_data(data), draw(from_data(data)))
    old = as_arrow("visits", 0, log.visits).drop_columns(["agent"])
    read = join([("old", old)], "visits")
    assert read["agent"].isna().all()
    assert read["ended_s"].equals(log.visits["ended_s"])
    # What is read in part stays as it is.
    assert "agent" not in join([("old", old.select(["replication", "pool"]))], "visits")
