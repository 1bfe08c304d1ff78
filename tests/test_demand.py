"""Tickets keep their luck whatever changes, and come in the mix that was asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from strategies import CATEGORIES, DATA, SETTINGS, scenarios

import twin
from twin.common.errors import ScenarioError
from twin.demand.luck import Stream, Use, uniforms
from twin.demand.tickets import category_shares, draw
from twin.scenario.model import PRIORITIES, from_data

PEOPLE = {"all": {"heads": 1, "handle_time": "5min"}}


def desk(arrivals, **more):
    return from_data({"agents": PEOPLE, "arrivals": arrivals, **more})


# Whose luck is whose


@SETTINGS
@given(scenarios(traces=False), st.sampled_from([1.3, 2.0, 7.0]))
def test_a_longer_horizon_keeps_the_first_tickets(scenario, factor):
    longer = scenario.vary({"horizon": f"{scenario.horizon * factor:.0f}s"})
    short, long = draw(scenario), draw(longer)
    n = len(short)
    assert len(long) >= n
    assert long.arrived_s[:n] == pytest.approx(short.arrived_s, rel=1e-12)
    assert (long.arrived_s[n:] >= scenario.horizon * (1 - 1e-12)).all()
    for name in ("category", "priority", "text"):
        assert (getattr(long, name)[:n] == getattr(short, name)).all()


def test_twice_the_load_is_the_same_tickets_and_as_many_more():
    one = draw(desk({"rate": "40/h"}, horizon="100h"))
    two = draw(desk({"rate": "40/h", "scale": 2.0}, horizon="100h"))
    first = two.places.layer == 0
    assert (two.arrived_s[first] == one.arrived_s).all()
    assert len(two) - len(one) == pytest.approx(4000, abs=4 * np.sqrt(4000))
    assert (np.diff(two.arrived_s) >= 0).all()
    for stream in Stream:
        luck = two.uniform(stream)
        assert (luck[first] == one.uniform(stream)).all()
        # What comes on top has luck of its own, as uniform and unrelated to the first's.
        more = luck[~first]
        assert stats.kstest(more, "uniform").pvalue > 1e-4
        n = min(len(more), len(one))
        assert abs(np.corrcoef(more[:n], luck[first][:n])[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize("scales", [(0.2, 0.7), (0.7, 1.4), (1.0, 2.5), (2.2, 2.9)])
def test_tickets_of_a_lower_load_are_all_among_those_of_a_higher(scales):
    few, many = (draw(desk({"rate": "60/h", "scale": s}, horizon="50h")) for s in scales)
    for demand, scale in ((few, scales[0]), (many, scales[1])):
        expected = 3000 * scale
        assert len(demand) == pytest.approx(expected, abs=4 * np.sqrt(expected))
    among = np.isin(many.arrived_s, few.arrived_s)
    assert (many.arrived_s[among] == few.arrived_s).all()
    assert (many.category[among] == few.category).all()
    assert (many.uniform(Stream.HANDLE)[among] == few.uniform(Stream.HANDLE)).all()


def test_a_surge_leaves_everybody_else_as_they_were():
    surge = {"start": "10h", "length": "5h", "factor": 3.5}
    plain = draw(desk({"rate": "60/h"}, horizon="50h"))
    busy = draw(desk({"rate": "60/h", "surges": [surge]}, horizon="50h"))
    kept = np.isin(busy.arrived_s, plain.arrived_s)
    assert (busy.arrived_s[kept] == plain.arrived_s).all()
    assert ((busy.arrived_s[~kept] >= 36_000) & (busy.arrived_s[~kept] < 54_000)).all()
    assert (~kept).sum() == pytest.approx(750, abs=4 * np.sqrt(750))
    assert (busy.uniform(Stream.SOLVED)[kept] == plain.uniform(Stream.SOLVED)).all()


def test_a_replication_is_a_function_of_seed_and_number_alone():
    base = desk({"rate": "40/h"}, horizon="4h")
    again = draw(base.vary({"replications": 50}), 3)
    assert (again.arrived_s == draw(base, 3).arrived_s).all()
    others = [draw(base, 2), draw(base.vary({"seed": 2}), 3), draw(base.vary({"seed": 3}), 1)]
    for other in others:
        n = min(len(other), len(again))
        assert (other.arrived_s[:n] != again.arrived_s[:n]).all()


def test_streams_repeats_and_replications_are_uniform_and_unrelated():
    n = 20_000
    columns = [
        uniforms(1, 0, Stream.HANDLE, n),
        uniforms(1, 0, Stream.HANDLE, n, use=Use(visit=1)),
        uniforms(1, 0, Stream.TRIAGE, n),
        uniforms(1, 1, Stream.HANDLE, n),
        uniforms(2, 0, Stream.HANDLE, n),
    ]
    for column in columns:
        assert stats.kstest(column, "uniform").pvalue > 0.001
    assert np.abs(np.corrcoef(columns) - np.eye(len(columns))).max() < 0.03
    assert (uniforms(1, 0, Stream.HANDLE, 10) == columns[0][:10]).all()


# What they are about


def shares(codes, names):
    return dict(zip(names, np.bincount(codes, minlength=len(names)) / len(codes), strict=True))


def test_categories_come_by_the_mix():
    mix = {"Login": 6, "Other": 1, "Payment": 3, "Never": 0}
    demand = draw(desk({"rate": "200/h"}, horizon="100h", tickets={"category_mix": mix}))
    assert demand.categories == tuple(mix)
    found = shares(demand.category, demand.categories)
    assert found == pytest.approx(
        {"Login": 0.6, "Other": 0.1, "Payment": 0.3, "Never": 0}, abs=0.015
    )
    assert found["Never"] == 0
    assert set(demand.priority) == {PRIORITIES.index("normal")}
    assert set(demand.text) == {-1}


NIGHT = {"Login": [0.0] * 12 + [1.0] * 12, "Other": [2.0] * 6 + [0.5] * 18}


def test_the_mix_of_an_hour_is_the_mix_times_its_factors():
    tickets = {"category_mix": {"Login": 2, "Other": 1, "Payment": 1}, "category_hours": NIGHT}
    demand = draw(desk({"rate": "400/h"}, horizon="240h", tickets=tickets))
    hour = demand.arrived_s // 3600 % 24
    for low, high, weights in ((0, 6, [0, 2, 1]), (6, 12, [0, 0.5, 1]), (12, 24, [2, 0.5, 1])):
        there = demand.category[(hour >= low) & (hour < high)]
        found = np.bincount(there, minlength=3) / len(there)
        assert found == pytest.approx(np.array(weights) / sum(weights), abs=0.015)
        assert (found[np.array(weights) == 0] == 0).all()
    # What is expected of the whole run is the mean over its hours.
    expected = np.array([12 * 2 / 3.5, 6 * 2 / 3 + 6 / 3 + 12 * 0.5 / 3.5, 2 + 4 + 12 / 3.5]) / 24
    scenario = desk({"rate": "400/h"}, horizon="240h", tickets=tickets)
    assert category_shares(scenario, demand) == pytest.approx(expected)
    # Hours that bring more tickets weigh more in it: here all of them are of the first six.
    early = {"kind": "hourly", "rate": "1/h", "week": {"hours": [1.0] * 6 + [0.0] * 18}}
    scenario = desk(early, horizon="240h", tickets=tickets)
    assert category_shares(scenario, draw(scenario)) == pytest.approx([0, 2 / 3, 1 / 3])


def test_the_hours_of_a_mix_are_local_hours_of_the_week():
    only = {"Login": [0.0] * 168, "Other": [1.0] * 168}
    for k in range(2 * 24 + 9, 2 * 24 + 10):
        only["Login"][k], only["Other"][k] = 1.0, 0.0
    tickets = {"category_mix": {"Login": 1, "Other": 1}, "category_hours": only}
    zone = {"start": "2026-03-26", "time_zone": "Europe/London", "horizon": "14d"}
    demand = draw(desk({"rate": "60/h"}, tickets=tickets, **zone))
    login_h = demand.arrived_s[demand.category == 0] / 3600
    # Wednesdays from 9 to 10, six days on and, as the clocks went forward, an hour early.
    begins = 6 * 24 + 8
    assert ((login_h % 168 >= begins) & (login_h % 168 < begins + 1)).all()
    assert len(login_h) == pytest.approx(120, abs=4 * np.sqrt(120))


def test_factors_of_one_change_nobody_and_others_only_the_hours_that_they_name():
    mix = {"category_mix": {"Login": 2, "Other": 1, "Payment": 1}}
    plain = draw(desk({"rate": "100/h"}, horizon="240h", tickets=mix))
    same = {**mix, "category_hours": {"Login": [1.0] * 24, "Other": [3.0 / 3] * 168}}
    assert (draw(desk({"rate": "100/h"}, horizon="240h", tickets=same)).category
            == plain.category).all()  # fmt: skip
    noon = {**mix, "category_hours": {"Login": [1.0] * 12 + [9.0] + [1.0] * 11}}
    changed = draw(desk({"rate": "100/h"}, horizon="240h", tickets=noon))
    assert (changed.arrived_s == plain.arrived_s).all()
    differs = changed.category != plain.category
    assert set(plain.arrived_s[differs] // 3600 % 24) == {12}
    # More of one category are others' tickets, and who was in it stays.
    assert (plain.category[differs] != 0).all()
    assert (changed.category[differs] == 0).sum() > 100


@pytest.mark.parametrize(
    ("hours", "reason"),
    [
        ({"Login": [1.0] * 23}, "category_hours: Login must hold 24 or 168 factors, not 23"),
        ({"Lgoin": [1.0] * 24}, r'tickets.category_hours: no ticket .*"Lgoin".*mean "Login"'),
        (dict.fromkeys(["Login", "Other"], [1.0] * 30 + [0.0] + [1.0] * 137),
         "tickets.category_hours: no category is left on Tue from 06:00 to 07:00"),
        ({"Login": [-1.0] * 24}, "tickets.category_hours.Login.0"),
    ],
)  # fmt: skip
def test_a_mix_by_hour_that_cannot_be_is_a_fault(hours, reason):
    tickets = {"category_mix": {"Login": 1, "Other": 1}, "category_hours": hours}
    with pytest.raises(ScenarioError, match=reason):
        draw(desk({"rate": "1/h"}, tickets=tickets))
    with pytest.raises(ScenarioError, match=reason):
        twin.check(desk({"rate": "1/h"}, tickets=tickets))


def test_a_corpus_gives_texts_of_the_category_with_their_priority():
    tickets = {"corpus": str(DATA / "corpus.csv")}
    demand = draw(desk({"rate": "200/h"}, horizon="100h", tickets=tickets))
    corpus = demand.corpus
    assert demand.categories == CATEGORIES
    assert (corpus.category[demand.text] == demand.category).all()
    assert (corpus.priority[demand.text] == demand.priority).all()
    # What customers send is never what the assistant learned from, and all of it is sent.
    assert set(demand.text) == set(np.flatnonzero(~corpus.train))
    # Without a mix each category is as frequent as among the texts that customers send.
    found = shares(demand.category, CATEGORIES)
    assert found == pytest.approx({"Login": 3 / 7, "Other": 2 / 7, "Payment": 2 / 7}, abs=0.015)
    mixed = {**tickets, "category_mix": {"Payment": 1}, "priority_mix": {"low": 1, "urgent": 3}}
    demand = draw(desk({"rate": "200/h"}, horizon="100h", tickets=mixed))
    assert set(demand.category) == {CATEGORIES.index("Payment")}
    assert (demand.corpus.category[demand.text] == demand.category).all()
    found = shares(demand.priority, PRIORITIES)
    assert found == pytest.approx({"urgent": 0.75, "high": 0, "normal": 0, "low": 0.25}, abs=0.015)


@pytest.mark.parametrize(
    ("tickets", "key"),
    [
        ({"category_mix": {"Login": 1, "Lgoin": 1}}, 'tickets.category_mix.*"Login"'),
        ({"category_mix": {"Refunds": 1}}, "tickets.category_mix"),
    ],
)
def test_a_category_that_no_ticket_has_is_a_fault(tickets, key):
    tickets = {"corpus": str(DATA / "corpus.csv"), **tickets}
    with pytest.raises(ScenarioError, match=key):
        draw(desk({"rate": "1/h"}, tickets=tickets))
