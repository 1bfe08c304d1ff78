"""Customers rate like the published ones, and give each thing that goes wrong its weight."""

import numpy as np
import pytest
from days import ALWAYS, assistant, desk, provider
from hypothesis import given
from hypothesis import strategies as st

from twin.common.errors import ScenarioError
from twin.demand.luck import Places, Stream
from twin.demand.tickets import Demand, draw
from twin.desk.customers import (
    ALL_COMMENTS,
    BAND_MINUTES,
    COMMENTS,
    Customers,
    fall_with_wait,
    patience_s,
)
from twin.desk.simulation import simulate
from twin.records.tables import BY_AGENT, BY_ASSISTANT, BY_REVIEW
from twin.scenario.model import from_data

# Published: share of each rating from 5 to 1, and mean rating by minutes to the first response.
SHARES = {5: 0.694, 4: 0.131, 3: 0.030, 2: 0.015, 1: 0.131}
BANDS = {
    (0, 5): 4.48,
    (6, 15): 4.26,
    (16, 30): 4.02,
    (31, 60): 3.96,
    (121, 240): 3.92,
    (481, 960): 3.87,
}
# Not published: how many were answered in each band (see twin.desk.customers).
MIX = (0.46, 0.16, 0.10, 0.10, 0.09, 0.09)
PEOPLE = {"agents": {"all": {"heads": 1, "handle_time": "5min"}}, "arrivals": {"rate": "1/h"}}


def customers(n, seed=1, **settings):
    """So many customers with the luck of a replication, no desk around them."""
    scenario = from_data({**PEOPLE, "seed": seed, "customers": settings})
    return Customers(scenario, all_at_once(n, seed))


def all_at_once(n, seed=1):
    zero = np.zeros(n, dtype=np.int64)
    places = Places(zero, np.arange(n))
    return Demand(seed, 0, np.zeros(n), zero, zero, zero, ("General",), (), (), None, places)


def rate_all(them, n, waits_s, worker=BY_AGENT):
    """Ratings of customers of agents, who come back while they may; shape (n,)."""
    stars = np.empty(n, dtype=np.int64)
    for ticket, wait_s in enumerate(waits_s.tolist()):
        visit = 0
        while not (solved := them.is_solved(ticket, worker, True, 1.0, visit)):
            if not them.comes_back(ticket, visit):
                break
            visit += 1
        stars[ticket] = them.rating(ticket, solved, True, 0, visit, wait_s)
    return stars


def reference_waits(n, rng):
    """The reference mix of response times, anywhere within their bands; seconds."""
    band = np.searchsorted(np.cumsum(MIX)[:-1], (np.arange(n) + 0.5) / n)
    low, high = np.array(list(BANDS), dtype=float).T
    return band, (low[band] + (high - low)[band] * rng.random(n)) * 60


def test_the_defaults_reproduce_the_published_ratings():
    n = 200_000
    rng = np.random.default_rng(1)
    band, waits_s = reference_waits(n, rng)
    for at in (waits_s, np.array(BAND_MINUTES)[band] * 60):
        stars = rate_all(customers(n), n, at)
        for star, share in SHARES.items():
            assert (stars == star).mean() == pytest.approx(share, abs=0.02)
        for k, mean in enumerate(BANDS.values()):
            assert stars[band == k].mean() == pytest.approx(mean, abs=0.08)
        assert stars.mean() == pytest.approx(4.24, abs=0.05)


def test_ratings_fall_with_response_time_on_a_whole_desk():
    # One agent at load .95: waits are close to exponential with a mean of an hour.
    work = {"distribution": "exponential", "mean": "3min"}
    desk = from_data(
        {
            "horizon": "360d",
            "seed": 3,
            "arrivals": {"rate": "18/h"},
            "agents": {"all": {"heads": 1, "handle_time": work}},
            "customers": {"survey_rate": 1.0},
        }
    )
    log = simulate(desk, draw(desk))
    rated = log.ratings.merge(log.tickets, on="ticket_id")
    response_min = ((rated["responded_s"] - rated["arrived_s"]) / 60).to_numpy()
    band = np.digitize(response_min, [5, 15, 30, 60, 240])
    assert (np.bincount(band) > 300).all()
    means = rated["rating"].groupby(band).mean().to_numpy()
    assert means == pytest.approx(list(BANDS.values()), abs=0.15)
    assert (np.diff(means[[0, 1, 2]]) < 0).all()
    # The published fall is slow beyond half an hour: .15 over the last four bands.
    assert means[3:].mean() < means[2]
    # J-shaped: the ends are the highest bars.
    share = rated["rating"].value_counts(normalize=True)
    assert share[5] > share[4] > share[3] > share[2]
    assert share[1] > share[2]


waits = st.floats(0, 2e5)


@given(waits, waits)
def test_the_fall_with_response_time_never_reverses(one, other):
    low, high = sorted((one, other))
    assert (
        0
        == fall_with_wait(0.0)
        <= fall_with_wait(low)
        <= fall_with_wait(high)
        <= fall_with_wait(1e9)
    )
    # A second more is no jump.
    assert fall_with_wait(low + 1) - fall_with_wait(low) < 0.01


things = st.fixed_dictionaries(
    {
        "solved": st.booleans(),
        "right": st.booleans(),
        "transfers": st.integers(0, 3),
        "reopens": st.integers(0, 2),
        "response_s": waits,
    }
)
THEM = customers(500)


@given(st.integers(0, 499), things)
def test_nobody_rates_higher_when_more_goes_wrong(ticket, case):
    rating = THEM.rating(ticket, **case)
    assert 1 <= rating <= 5
    worse = (
        {"solved": False},
        {"right": False},
        {"transfers": case["transfers"] + 1},
        {"reopens": case["reopens"] + 1},
        {"response_s": case["response_s"] * 10},
    )
    assert all(THEM.rating(ticket, **case | more) <= rating for more in worse)


def test_each_thing_that_goes_wrong_lowers_the_mean():
    n = 20_000
    them = customers(n)
    good = {"solved": True, "right": True, "transfers": 0, "reopens": 0, "response_s": 60.0}

    def mean(**changed):
        return np.mean([them.rating(k, **good | changed) for k in range(n)])

    best = mean()
    falls = [mean(transfers=1), mean(transfers=3), mean(right=False), mean(reopens=1)]
    assert all(value < best - 0.05 for value in falls)
    assert falls[1] < falls[0]
    assert mean(solved=False) < best - 1.5


@pytest.mark.parametrize("category", ["General", "Complaint"])
def test_a_hand_over_repairs_by_what_the_ticket_is_about(category):
    """A technical one all of its fall, an emotional one none; by default neither does."""
    n = 4000
    satisfaction = {"repair": 1.0, "emotional_repair": 0.0, "emotional_categories": [category]}
    plain, them = customers(n), customers(n, satisfaction=satisfaction)
    bad = (True, True, 2, 1, 60.0)
    for k in range(n):
        best, fallen = plain.rating(k, True, True, 0, 0, 60.0), plain.rating(k, *bad)
        assert plain.rating(k, *bad, handed_over=True) == fallen
        # The customers here come with General.
        repaired = fallen if category == "General" else best
        assert them.rating(k, *bad, handed_over=True) == repaired
        # Only what was solved, and was the assistant's before.
        assert them.rating(k, *bad) == fallen
        unsolved = (False, *bad[1:])
        assert them.rating(k, *unsolved, handed_over=True) == plain.rating(k, *unsolved)


def test_a_hand_over_from_the_assistant_repairs_on_a_desk():
    people = {"survey_rate": 1.0, "solved": ALWAYS}

    def stars(repair, **more):
        customers = people | {"satisfaction": {"transfer": 2.0, "repair": repair}}
        data = desk({"rate": "20/h"}, customers, horizon="5d", **more,
                    agents={"all": {"heads": 9, "handle_time": "5min"}})  # fmt: skip
        scenario = from_data(data)
        log = simulate(scenario, draw(scenario))
        return log.ratings.set_index("ticket_id")["rating"]

    helped = {"assistant": assistant(human_categories=["General"]), "provider": provider()}
    fallen, half, repaired = (stars(share, **helped) for share in (0.0, 0.5, 1.0))
    assert fallen.mean() < half.mean() - 0.1
    assert half.mean() < repaired.mean() - 0.1
    assert (fallen <= repaired).all()
    # Where there is no assistant, nobody is handed over by it.
    assert stars(1.0).equals(stars(0.0))


def test_satisfaction_weights_switch_each_fall_off():
    flat = dict.fromkeys(("unsolved", "wrong_category", "transfer", "reopened", "wait"), 0.0)
    them = customers(300, satisfaction=flat)
    for k in range(300):
        best = them.rating(k, True, True, 0, 0, 0.0)
        assert them.rating(k, False, False, 5, 2, 1e6) == best


@pytest.mark.parametrize(
    ("worker", "right", "quality", "chance"),
    [
        (BY_AGENT, True, np.nan, 0.8),
        (BY_REVIEW, True, 0.1, 0.7),
        (BY_REVIEW, False, 0.1, 0.7),
        (BY_ASSISTANT, True, 1.0, 0.6),
        (BY_ASSISTANT, True, 0.5, 0.3),
        (BY_ASSISTANT, False, 1.0, 0.2),
    ],
)
def test_answers_solve_as_often_as_set(worker, right, quality, chance):
    n = 20_000
    them = customers(
        n, solved={"agent": 0.8, "reviewed": 0.7, "assistant": 0.6, "wrong_category": 0.2}
    )
    for visit in (0, 1):
        solved = [them.is_solved(k, worker, right, quality, visit) for k in range(n)]
        assert np.mean(solved) == pytest.approx(chance, abs=0.015)


def test_customers_come_back_and_answer_the_survey_as_often_as_set():
    n = 20_000
    delay = {"distribution": "exponential", "mean": "2h"}
    them = customers(n, survey_rate=0.35, reopen_rate=0.6, max_reopens=1, reopen_delay=delay)
    assert np.mean([them.comes_back(k, 0) for k in range(n)]) == pytest.approx(0.6, abs=0.015)
    assert not any(them.comes_back(k, 1) for k in range(n))
    assert np.mean([them.answers_survey(k) for k in range(n)]) == pytest.approx(0.35, abs=0.015)
    delays = [them.reopen_delay_s(k, 0) for k in range(n)]
    assert np.mean(delays) == pytest.approx(7200, rel=0.03)


def test_patience_is_endless_unless_set_and_belongs_to_the_ticket():
    assert customers(3).patience_s(2) == np.inf
    patience = {"distribution": "exponential", "mean": "10min"}
    short = customers(5, patience=patience)
    double = customers(5, patience={**patience, "mean": "20min"})
    for k in range(5):
        assert double.patience_s(k) == pytest.approx(2 * short.patience_s(k))


def test_comments_suit_the_rating():
    them = customers(400)
    for rating in range(1, 6):
        said = {ALL_COMMENTS[them.comment(k, rating)] for k in range(400)}
        assert said == set(COMMENTS[rating - 1])


def test_opinions_are_independent_of_the_other_luck():
    them = customers(20_000)
    stars = np.array([them.rating(k, True, True, 0, 0, 0.0) for k in range(20_000)])
    for stream in (Stream.SOLVED, Stream.SURVEY, Stream.PATIENCE, Stream.REOPEN):
        other = all_at_once(20_000).uniform(stream)
        assert abs(np.corrcoef(stars, other)[0, 1]) < 0.03


def waiting(tmp_path, **patience):
    """An agent who is busy for an hour, and four who come meanwhile; seconds that each waits."""
    trace = tmp_path / "trace.csv"
    trace.write_text(
        "timestamp,category,priority\n0,Other,urgent\n600,Login,urgent\n1200,Login,normal\n"
        "1800,Other,normal\n2400,Other,low\n"
    )
    scenario = from_data(
        {
            "horizon": "1d",
            "arrivals": {"kind": "trace", "trace": str(trace)},
            "agents": {"all": {"heads": 1, "handle_time": "1h"}},
            "customers": patience,
        }
    )
    visits = simulate(scenario, draw(scenario)).visits
    visits = visits[(visits["ticket_id"] > 1) & ~visits.duplicated("ticket_id")]
    left = visits[visits["end"] == "abandoned"].set_index("ticket_id")
    return (left["ended_s"] - left["queued_s"]).to_dict()


def test_patience_goes_by_category_then_by_priority_then_by_all(tmp_path):
    by_priority = {"urgent": "700s", "low": "300s"}
    all_of_them = {
        "patience": "1000s",
        "patience_by_priority": by_priority,
        "patience_by_category": {"Login": "1500s"},
    }
    assert waiting(tmp_path, **all_of_them) == {2: 1500, 3: 1500, 4: 1000, 5: 300}
    # Without one for all, who is not named waits without end.
    assert waiting(tmp_path, patience_by_priority=by_priority) == {2: 700, 5: 300}
    assert waiting(tmp_path, patience_by_category={"Other": "20min"}) == {4: 1200, 5: 1200}
    assert waiting(tmp_path) == {}


def test_patience_by_kind_has_the_luck_of_patience():
    long, short = ({"distribution": "exponential", "mean": mean} for mean in ("1h", "1min"))
    plain = patience_s(from_data({**PEOPLE, "customers": {"patience": long}}), all_at_once(500))
    one = {"patience": "1s", "patience_by_priority": {"urgent": long, "high": short}}
    same = patience_s(from_data({**PEOPLE, "customers": one}), all_at_once(500))
    assert (same == plain).all()
    assert plain.mean() == pytest.approx(3600, rel=0.15)


def test_patience_of_a_category_that_no_ticket_has_is_a_fault():
    scenario = from_data({**PEOPLE, "customers": {"patience_by_category": {"Genreal": "1h"}}})
    with pytest.raises(ScenarioError, match=r'patience_by_category: no ticket.*mean "General"'):
        draw(scenario)
    with pytest.raises(ScenarioError, match=r"customers\.patience_by_priority"):
        from_data({**PEOPLE, "customers": {"patience_by_priority": {"hgih": "1h"}}})
