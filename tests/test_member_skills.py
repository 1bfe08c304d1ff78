"""Members with skills and shifts of their own: limiting cases, days by hand, an exact chain."""

import numpy as np
import pytest
import test_invariants as invariants
from days import HOUR, MIN, desk, value, visits
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import MAX_TICKETS, SETTINGS, own_shifts, scenarios, sections, some_categories

from twin.common.errors import ScenarioError
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.experiments.checks import check
from twin.measures import theory
from twin.measures.levels import on_shift
from twin.measures.skilled import skilled
from twin.report.explain import explain
from twin.scenario.model import from_data
from twin.scenario.roster import roster

TABLES = ("tickets", "timeline", "visits", "calls", "ratings", "staffing")
CHOICES = ["least loaded", "longest idle", "random", "in order"]
BOTH = ["Login", "Payment"]


def busy_desk(agents, choice="least loaded", seed=1, **more):
    """A day with all that agents do: waits, returns to the same agent, shifts that end."""
    exponential = {"distribution": "exponential", "mean": "12min"}
    base = {"handle_time": exponential, "wrap_up": "2min"}
    touches = {"waiting": {"chance": 0.3, "delay": {"distribution": "exponential", "mean": "1h"}}}
    routing = {"choice": choice, "same_agent": 0.7, "same_agent_for": "20min"}
    data = desk({"rate": "16/h"}, {"solved": {"agent": 0.7}, "patience": "2h"}, horizon="1d",
                seed=seed, agents={k: base | pool for k, pool in agents.items()},
                tickets={"category_mix": {"Login": 3, "Payment": 2}},
                touches=touches, routing=routing | more)  # fmt: skip
    scenario = from_data(data)
    return scenario, simulate(scenario, draw(scenario))


def same(one, other, **named):
    for name in TABLES:
        frames = [getattr(log, name) for log in (one, other)]
        if name in ("visits", "staffing"):
            frames = [frame.assign(**{k: v for k, v in named.items() if k in frame})
                      for frame in frames]  # fmt: skip
        assert frames[0].equals(frames[1]), name


members = st.lists(
    sections({"speed": st.sampled_from([1.0, 2.0]), "skills": some_categories},
             shifts=st.lists(own_shifts(), min_size=1, max_size=2)),
    min_size=2, max_size=4,
)  # fmt: skip


@st.composite
def desks(draw):
    """A desk of which each pool that has skills has members who differ."""
    scenario = draw(scenarios(roles=("off", "triage"), told_apart=st.just(True)))
    changes = {}
    for name, pool in scenario.agents.items():
        own = [{"name": f"{k}"} | member for k, member in enumerate(draw(members))]
        if pool.transfers_only:
            own = [member | {"skills": []} for member in own]
        changes |= {f"agents.{name}.members": own, f"agents.{name}.extra_heads": 1}
    return scenario.vary(changes)


INVARIANTS = [
    invariants.arrivals_are_the_sum_of_outcomes,
    invariants.littles_law_holds_exactly,
    invariants.no_pool_begins_work_above_its_staffing,
    invariants.nobody_begins_work_outside_their_own_shifts,
    invariants.no_agent_has_more_in_hand_than_they_may,
    invariants.handed_over_work_leaves_no_pool_above_its_staffing_at_any_moment,
    invariants.paused_work_goes_on_in_its_pool_before_anything_else,
    invariants.no_skill_is_violated_but_by_misrouted_visits,
    invariants.nobody_waits_while_an_agent_who_could_take_them_is_free,
    invariants.the_next_is_the_most_urgent_then_the_longest_waiting,
    invariants.who_finds_no_place_is_turned_away_and_nobody_else,
]


# Few here, as each looks at all of them; with --hypothesis-profile=seek at others.
@settings(SETTINGS, max_examples=5)
@given(desks().map(invariants.play).filter(lambda run: len(run.demand) <= MAX_TICKETS))
def test_all_invariants_hold_where_members_differ(run):
    for one in INVARIANTS:
        one(run)


DAY = [
    {"start": "07:00", "end": "15:00", "heads": 3},
    {"start": "11:00", "end": "19:00", "heads": 1},
]


@pytest.mark.parametrize("end", ["finish", "hand over", "continue"])
@pytest.mark.parametrize("choice", CHOICES)
def test_members_with_the_skills_of_the_pool_are_the_desk_without(choice, end):
    pool = {"shifts": DAY, "skills": BOTH, "at_shift_end": end, "concurrency": 2}
    names = [{"name": "a"}, {"name": "b", "speed": 2.0}, {"name": "c"}]
    own = [member | {"skills": skills} for member, skills in
           zip(names, (BOTH, BOTH[::-1], []), strict=True)]  # fmt: skip
    logs = [busy_desk({"all": pool | {"members": given}}, choice)[1] for given in (names, own)]
    same(*logs)
    assert logs[0].visits["agent"].nunique() > 3


@pytest.mark.parametrize("choice", CHOICES)
def test_members_with_the_hours_of_the_pool_are_the_desk_without(choice):
    shift = {"start": "07:00", "end": "15:00", "breaks": [{"start": "10:00", "end": "10:30"}]}
    breaks = [{"start": "10:00", "end": "10:30", "heads": 3}]
    names = [{"name": "a"}, {"name": "b", "speed": 2.0}, {"name": "c"}]
    one = {"shifts": [shift | {"heads": 3, "breaks": breaks}], "members": names}
    own = {"heads": 0, "members": [member | {"shifts": [shift]} for member in names]}
    logs = [busy_desk({"all": pool | {"at_shift_end": "hand over"}}, choice)[1]
            for pool in (one, own)]  # fmt: skip
    same(*logs)
    # And each in a team of their own, by who differs in nothing but in name.
    days = "daily", "Mon-Sun", "Mon,Tue,Wed,Thu,Fri,Sat,Sun"
    apart = [member | {"shifts": [shift | {"days": own}]}
             for member, own in zip(names, days, strict=True)]  # fmt: skip
    found = busy_desk({"all": {"heads": 0, "members": apart, "at_shift_end": "hand over"}}, choice)
    same(logs[0], found[1])


@pytest.mark.parametrize("seed", range(3))
def test_members_of_other_skills_are_so_many_pools(seed):
    names = [{"name": "a"}, {"name": "b", "speed": 2.0}]
    own = [member | {"skills": [skill]} for member, skill in zip(names, BOTH, strict=True)]
    one = busy_desk({"all": {"heads": 2, "members": own}}, seed=seed)
    pools = {skill: {"heads": 1, "members": [member], "skills": [skill]}
             for member, skill in zip(names, BOTH, strict=True)}  # fmt: skip
    two = busy_desk(pools, seed=seed)
    same(one[1], two[1], pool="", agent=0)
    by_pool = two[1].visits["pool"].astype(str).map({"Login": 1, "Payment": 2})
    here = two[1].visits["agent"].notna()
    assert one[1].visits["agent"][here].tolist() == by_pool[here].tolist()


MEMBERS = [{"name": "Ann"}, {"name": "Bob", "skills": ["Payment"]},
           {"name": "Cy", "skills": ["Login"],
            "shifts": [{"start": "01:00", "end": "02:00"}]}]  # fmt: skip


def test_a_day_by_hand(play, arrive):
    pool = {"heads": 2, "handle_time": "30min", "members": MEMBERS, "cost": 10.0}
    at = [0, 5, 10, 15, 61, 62, 115, 125]
    kinds = ["Login", "Payment", "Login", "Payment", "Payment", "Login", "Login", "Login"]
    data = desk(arrive(*(MIN * k for k in at), category=kinds), agents={"all": pool},
                routing={"choice": "in order"}, horizon="3h")  # fmt: skip
    log = play(data)
    found = visits(log, "agent", "started_s", "ended_s")
    rows = [(ticket, agent, start / MIN, end / MIN) for ticket, agent, start, end in found]
    assert rows == [
        (1, 1, 0, 30),  # Ann takes anything
        (2, 2, 5, 35),
        (3, 1, 30, 60),  # Bob does not take Login, Cy is not there
        (4, 2, 35, 65),  # Ann was busy
        (5, 1, 61, 91),  # of Ann and Cy (from 60) only she takes it
        (6, 3, 62, 92),
        (7, 1, 115, 145),  # Ann is before Cy
        (8, 1, 145, 175),  # Cy has gone at 120
    ]
    scenario = from_data(data)
    level = on_shift(log, scenario, "all")
    steps = zip(level.times / HOUR, level.values, strict=True)
    assert [step for step in steps if step[0] < 3] == [(0, 2), (1, 3), (2, 2)]
    assert value(log, data, "occupancy") == pytest.approx(8 * 30 / (2 * 180 + 60))
    assert value(log, data, "human_cost") == pytest.approx(10 * 7 / 8)


def test_choice_goes_over_all_who_can_take_a_ticket(play, arrive):
    members = [{"name": "a"}, {"name": "b", "skills": ["Login"]}, {"name": "c"}]
    pool = {"heads": 3, "handle_time": "10min", "members": members}
    moments = [0, 1, 2, 13, 14, 24, 36]
    found = {}
    for choice in ("longest idle", "in order"):
        data = desk(arrive(*(MIN * k for k in moments), category=["Login"] * 7),
                    agents={"all": pool}, routing={"choice": choice})  # fmt: skip
        found[choice] = [agent for _, agent in visits(play(data), "agent")]
    # Done at 10, 11, 12: a idle longest at 13, then b, then c at 24 though a is free from 23.
    assert found == {"longest idle": [1, 2, 3, 1, 2, 3, 1], "in order": [1, 2, 3, 1, 2, 1, 1]}


def test_by_chance_each_is_as_likely_whatever_their_team():
    members = [{"name": "a"}, {"name": "b", "skills": ["Login"]}, {"name": "c"}]
    pool = {"heads": 3, "handle_time": "1min", "members": members}
    data = desk({"rate": "10/h"}, horizon="10d", agents={"all": pool},
                tickets={"category_mix": {"Login": 1}}, routing={"choice": "random"})  # fmt: skip
    log = simulate(from_data(data), draw(from_data(data)))
    counts = log.visits["agent"].value_counts()
    n = counts.sum()
    assert len(counts) == 3
    assert ((counts - n / 3).abs() < 4 * np.sqrt(n * 2 / 9)).all()


def test_who_waits_when_shifts_begin_goes_to_whom_the_choice_finds(play, arrive):
    shift = [{"start": "01:00", "end": "03:00"}]
    members = [{"name": "a", "skills": ["Payment"]}, {"name": "b", "shifts": shift},
               {"name": "c", "skills": ["Login"], "shifts": shift}]  # fmt: skip
    pool = {"heads": 1, "handle_time": "30min", "members": members}
    for first, agents in (("Login", [2, 3, 2, 1]), ("Payment", [1, 2, 3, 1])):
        kinds = [first, "Login", "Login", "Payment"]
        data = desk(arrive(0, 60, 120, 5 * HOUR, category=kinds), agents={"all": pool},
                    routing={"choice": "in order"})  # fmt: skip
        assert [agent for _, agent in visits(play(data), "agent")] == agents


def test_paused_work_goes_on_with_another_of_the_pool_who_can(play, arrive):
    early, late = ([{"start": a, "end": b}] for a, b in (("00:00", "00:20"), ("00:30", "02:00")))
    members = [{"name": "a", "skills": ["Login"], "shifts": early},
               {"name": "b", "skills": ["Payment"], "shifts": late},
               {"name": "c", "skills": ["Login"],
                "shifts": [{"start": "00:50", "end": "02:00"}]}]  # fmt: skip
    pool = {"heads": 0, "handle_time": "30min", "members": members, "at_shift_end": "continue"}
    arrivals = arrive(0, 119 * MIN, category=BOTH)
    log = play(desk(arrivals, agents={"all": pool}, horizon="2h"))
    rows = log.visits[["agent", "started_s", "ended_s", "end"]].to_numpy().tolist()[:2]
    assert rows == [[1, 0, 20 * MIN, "paused"], [3, 50 * MIN, 60 * MIN, "done"]]


def test_a_ticket_returns_to_the_agent_who_knows_it_in_whatever_team(play, arrive):
    members = [{"name": "a"}, {"name": "b", "skills": ["Login"]}]
    pool = {"heads": 2, "handle_time": "10min", "follow_up_time": "4min", "members": members}
    data = desk(arrive(0, MIN, category=["Payment", "Login"]), horizon="4h", agents={"all": pool},
                touches={"waiting": {"chance": 1.0, "delay": "5min"}, "most": 1},
                routing={"choice": "in order", "same_agent": 1.0})  # fmt: skip
    assert [agent for _, agent in visits(play(data), "agent")] == [1, 1, 2, 2]


def test_who_has_not_the_skill_for_a_ticket_passes_it_on_in_the_pool(play, arrive):
    members = [{"name": "a", "skills": ["Login"]}, {"name": "b", "skills": ["Payment"]}]
    pool = {"heads": 2, "handle_time": "10min", "members": members}
    profile = {"accuracy": 0.0, "confidence_wrong": 0.99, "categorize_latency": "0.001s",
               "confusion": {"Payment": {"Login": 1}}}  # fmt: skip
    helper = {"role": "triage", "backend": "profile", "profile": profile}
    arrivals = arrive(0, 2 * HOUR, category=BOTH[::-1])
    data = desk(arrivals, agents={"all": pool}, assistant=helper, horizon="3h",
                provider={"plan": "unlimited"})  # fmt: skip
    log = play(data)
    assert visits(log, "agent")[:2] == [(1, 1), (1, 2)]
    assert "Escalated" in log.timeline["status"].tolist()


def test_more_heads_than_members_are_of_the_pools_skills_and_fewer_are_the_first(play, arrive):
    members = [{"name": "a", "skills": ["Login"]}, {"name": "b"}]
    for heads, agents in ((1, {1}), (2, {1, 2}), (3, {1, 2, 3})):
        pool = {"heads": heads, "handle_time": "10min", "members": members}
        log = play(desk(arrive(*[0] * 6, category=["Login"] * 6), agents={"all": pool}))
        assert set(log.visits["agent"]) == agents
    # The second kind waits for ever where only the first member is there.
    pool = {"heads": 1, "handle_time": "10min", "members": members}
    data = desk(arrive(0, 0, category=BOTH[::-1]), agents={"all": pool})
    assert play(data).visits["end"].tolist() == ["done", "open"]


def test_shrinkage_is_drawn_for_each_own_shift():
    shift = [{"start": "08:00", "end": "16:00"}]
    members = [{"name": f"{k}", "shifts": shift} for k in range(4)]
    pool = {"heads": 0, "handle_time": "10min", "members": members, "shrinkage": 0.3}
    scenario = from_data(desk({"rate": "2/h"}, agents={"all": pool}, horizon="60d"))
    log = simulate(scenario, draw(scenario))
    at_noon = np.arange(60) * 86400 + 12 * HOUR
    level = on_shift(log, scenario, "all")
    heads = level.values[np.searchsorted(level.times, at_noon, side="right") - 1]
    assert abs(heads.mean() - 4 * 0.7) < 4 * np.sqrt(4 * 0.21 / 60)
    # 4 agents of independent luck, not one of four.
    assert 0.84 / 2 < heads.var() < 0.84 * 2


def test_the_chain_has_the_known_limits():
    both = frozenset((0, 1))
    alike = skilled((0.05, 0.05), ((both, 12), (both, 12)), 4)
    known = theory.limited(2, 0.1, 12, places=4)
    assert alike[:3] == pytest.approx((known.blocked, known.wait, known.number))
    # Each kind has an agent of its own: two desks of one.
    apart = skilled((0.05, 0.03), ((frozenset((0,)), 12), (frozenset((1,)), 20)), 3)
    one, other = theory.limited(1, 0.05, 12, places=3), theory.limited(1, 0.03, 20, places=3)
    assert apart.number == pytest.approx(one.number + other.number)
    assert apart.used == pytest.approx((one.used, other.used))
    assert apart.blocked == pytest.approx((5 * one.blocked + 3 * other.blocked) / 8)
    # Nobody waits: the overflow of the first to the second.
    lost, first, second = theory.overflow_loss((1, 1), (0.05, 0.0), 12)
    found = skilled((0.05, 0.0), ((frozenset((0,)), 12), (both, 12)), 0)
    assert (found.blocked, *found.used) == pytest.approx((lost, first, second))


def test_two_skills_and_one_are_their_chain():
    kinds = frozenset((0, 1)), frozenset((0,))
    known = skilled((1 / 12, 1 / 15), ((kinds[0], 12), (kinds[1], 8)), 2, "random")
    members = [{"name": "both"}, {"name": "login", "speed": 1.5, "skills": ["Login"]}]
    pool = {"heads": 2, "members": members,
            "handle_time": {"distribution": "exponential", "mean": "12min"}}  # fmt: skip
    mix = {"category_mix": {"Login": 5, "Payment": 4}}
    data = desk({"rate": "9/h"}, agents={"all": pool}, horizon="15d", queue={"capacity": 2},
                tickets=mix, routing={"choice": "random"})  # fmt: skip
    found = []
    for k in range(6):
        log = simulate(from_data(data), draw(from_data(data), k))
        lasts_s = (log.visits["ended_s"] - log.visits["started_s"]).groupby(log.visits["agent"])
        used = lasts_s.sum() / log.horizon_s
        found.append([value(log, data, "blocked_share"), value(log, data, "backlog"), *used])
    expected = np.array([known.blocked, known.number, *known.used])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - expected) < 5 * error).all()
    assert (error / expected < 0.1).all()


def test_the_report_says_who_differs_and_the_roster_has_their_shifts():
    pool = {"heads": 2, "handle_time": "30min", "members": MEMBERS, "cost": 10.0}
    scenario = from_data(desk({"rate": "1/h"}, agents={"all": pool},
                              tickets={"category_mix": dict.fromkeys(BOTH, 1)}))  # fmt: skip
    said = " ".join(explain(scenario))
    assert "In all, Bob takes Payment; Cy takes Login." in said
    assert "1 agent works in all by shifts of their own, which are in its hours." in said
    assert "343 agent hours a week" in said
    frame = roster(scenario)
    assert frame["hours"].tolist() == ["01:00-02:00", "around the clock"]
    assert frame["agent_hours"].tolist() == [7.0, 336.0]
    # Nobody takes what no agent has the skill for.
    alone = [member | {"skills": ["Login"]} for member in MEMBERS]
    left = scenario.vary({"agents.all.members": alone})
    assert 'no pool takes "Payment"' in " ".join(explain(left))
    assert "no pool takes" not in " ".join(explain(left.vary({"agents.all.heads": 3})))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"skills": ["Logn"]}, r"agents.all.members.0.skills.*no ticket has this category"),
        ({"shifts": [{"start": "08:00"}]}, r"members.0.shifts.0.end.*must be given"),
        ({"shifts": [{"start": "08:00", "end": "16:00", "heads": 2}]},
         r"members.0.shifts.0.heads.*unknown key"),
        ({"shifts": [{"start": "08:00", "end": "16:00",
                      "breaks": [{"start": "07:00", "end": "07:30"}]}]}, "within its shift"),
        ({"roster": "plan.csv"}, r"members.0: a member has shifts, no roster: put those who work"),
    ],
)  # fmt: skip
def test_faults_are_named(more, said):
    pool = {"heads": 2, "handle_time": "30min", "members": [{"name": "a"} | more]}
    with pytest.raises(ScenarioError, match=said):
        check(from_data(desk({"rate": "1/h"}, agents={"all": pool},
                             tickets={"category_mix": {"Login": 1}})))  # fmt: skip


def test_who_takes_only_transfers_has_no_skills_of_their_own():
    pool = {"heads": 1, "handle_time": "5min", "transfers_only": True,
            "members": [{"name": "a", "skills": ["Login"]}]}  # fmt: skip
    with pytest.raises(ScenarioError, match="skills, or transfers_only"):
        from_data(desk({"rate": "1/h"}, agents={"all": pool}))
