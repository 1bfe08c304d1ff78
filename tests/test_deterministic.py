"""Days traced by hand: constant times, so that every moment is known without statistics."""

import numpy as np
import pytest
from days import ALWAYS, HOUR, MIN, ONE, assistant, desk, life, provider, spans, value, visits

# Time in the system is the sum of its parts.
REVIEWING = {"all": {"heads": 1, "handle_time": "5min", "review_time": "1min"}}
ROUTES = {
    "humans only": ({}, [("Open", 0), ("In Progress", 0), ("Resolved", 600)]),
    "triage": (
        {"assistant": assistant("triage")},
        [("Open", 0), ("Categorized", 2), ("In Progress", 0), ("Resolved", 600)],
    ),
    "assistant only": (
        {"assistant": assistant(), "agents": {}},
        [("Open", 0), ("Categorized", 2), ("In Progress", 0), ("Resolved", 5)],
    ),
    "to humans": (
        {"assistant": assistant(human_categories=["General"])},
        [("Open", 0), ("Categorized", 2), ("Escalated", 0), ("In Progress", 0), ("Resolved", 600)],
    ),
    "review": (
        {"assistant": assistant(review_categories=["General"]), "agents": REVIEWING},
        [("Open", 0), ("Categorized", 2), ("In Progress", 0), ("Pending Review", 5),
         ("Resolved", 60)],
    ),
    "review takes a fifth": (
        {"assistant": assistant(review_categories=["*"])},
        [("Open", 0), ("Categorized", 2), ("In Progress", 0), ("Pending Review", 5),
         ("Resolved", 120)],
    ),
    "unsure": (
        {"assistant": assistant(confidence_threshold=0.95)},
        [("Open", 0), ("Escalated", 2), ("In Progress", 0), ("Categorized", 60),
         ("In Progress", 0), ("Resolved", 5)],
    ),
    "unsure, and an agent answers": (
        {"assistant": assistant(confidence_threshold=0.95, unsure="handle")},
        [("Open", 0), ("Escalated", 2), ("In Progress", 0), ("Resolved", 600)],
    ),
    "just sure enough": (
        {"assistant": assistant(confidence_threshold=0.9)},
        [("Open", 0), ("Categorized", 2), ("In Progress", 0), ("Resolved", 5)],
    ),
    "unsure triage": (
        {"assistant": assistant("triage", confidence_threshold=0.95)},
        [("Open", 0), ("Escalated", 2), ("In Progress", 0), ("Categorized", 60),
         ("In Progress", 0), ("Resolved", 600)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_time_in_system_is_the_sum_of_the_parts(play, route):
    sections, parts = ROUTES[route]
    data = desk({"kind": "constant", "rate": "2/h"}, horizon="3h", provider=provider(), **sections)
    log = play(data)
    lasts = sum(length for _, length in parts)
    assert log.tickets["arrived_s"].tolist() == [1800, 3600, 5400, 7200, 9000]
    for ticket, arrived in enumerate(log.tickets["arrived_s"], start=1):
        moments = arrived + np.cumsum([length for _, length in parts])
        expected = [(moment, status) for moment, (status, _) in zip(moments, parts, strict=True)]
        assert life(log, ticket) == expected
    assert (log.tickets["resolved_s"] - log.tickets["arrived_s"] == lasts).all()
    assert value(log, data, "resolution_mean") == lasts
    assert value(log, data, "backlog") == pytest.approx(5 * lasts / 10800)


def test_who_did_what(play):
    def columns(name, *wanted):
        sections, _ = ROUTES[name]
        arrivals = {"kind": "constant", "rate": "1/h"}
        log = play(desk(arrivals, horizon="90min", provider=provider(), **sections))
        return log.tickets[list(wanted)].astype(object).iloc[0].tolist()

    who = ("categorized_by", "resolved_by", "transfers", "responded_s")
    assert columns("humans only", *who) == ["agent", "agent", 0, HOUR]
    assert columns("triage", *who) == ["assistant", "agent", 0, HOUR + 2]
    assert columns("assistant only", *who) == ["assistant", "assistant", 0, HOUR + 7]
    assert columns("to humans", *who) == ["assistant", "agent", 1, HOUR + 2]
    assert columns("review", *who) == ["assistant", "reviewed draft", 0, HOUR + 67]
    assert columns("unsure", *who) == ["agent", "assistant", 1, HOUR + 67]


# Who is next.
def test_pools_by_skill(play, arrive):
    agents = {
        "tech": {"heads": 1, "handle_time": "10min", "skills": ["Login"]},
        "all": {"heads": 1, "handle_time": "10min"},
    }
    arrivals = arrive(0, 60, 120, 180, category=["Login", "Login", "Payment", "Login"])
    log = play(desk(arrivals, agents=agents))
    # A Login waits for whoever is free first, a Payment for the second pool only.
    assert visits(log, "pool", "started_s", "ended_s") == [
        (1, "tech", 0, 600),
        (2, "all", 60, 660),
        (3, "all", 660, 1260),
        (4, "tech", 600, 1200),
    ]


def test_a_wrong_category_goes_to_the_wrong_pool_and_on(play, arrive):
    agents = {
        "billing": {
            "heads": 1, "handle_time": "10min", "triage_time": "1min", "skills": ["Payment"]
        },
        "tech": {"heads": 1, "handle_time": "20min", "skills": ["Login"]},
    }  # fmt: skip
    confusion = {"Login": {"Payment": 1}}
    data = desk(
        arrive(0, 30, category=["Login", "Payment"]),
        agents=agents,
        provider=provider(),
        assistant=assistant("triage", profile={"confusion": confusion, "confidence_wrong": 0.9}),
    )
    log = play(data)
    assert life(log, 1) == [
        (0, "Open"),
        (2, "Categorized"),
        (2, "In Progress"),
        (62, "Escalated"),
        (62, "In Progress"),
        (1262, "Resolved"),
    ]
    assert visits(log, "pool", "started_s", "ended_s") == [
        (1, "billing", 2, 62),
        (1, "tech", 62, 1262),
        (2, "billing", 62, 662),
    ]
    assert log.tickets["category"].astype(object).tolist() == ["Payment", "Payment"]
    assert log.tickets["transfers"].tolist() == [1, 0]
    assert value(log, data, "categorization_accuracy") == 0.5


def test_priority_then_waiting_time_and_no_interruption(play, arrive):
    priority = ["normal", "low", "urgent", "high", "normal", "urgent"]
    log = play(desk(arrive(0, 60, 120, 180, 240, 300, priority=priority)))
    order = sorted(visits(log, "started_s"), key=lambda visit: visit[1])
    assert order == [(1, 0), (3, 600), (6, 1200), (4, 1800), (5, 2400), (2, 3000)]


def test_who_is_done_makes_room_for_who_arrives_at_that_moment(play, arrive):
    log = play(desk(arrive(*range(0, 6000, 600))))
    assert (log.visits["started_s"] == log.visits["queued_s"]).all()
    # Whenever either was planned: the fourth finds the first pool free, not only the second.
    agents = {"first": ONE["all"], "second": ONE["all"]}
    log = play(desk(arrive(0, 10, 20, 1200), agents=agents))
    assert visits(log, "pool", "started_s") == [
        (1, "first", 0),
        (2, "second", 10),
        (3, "first", 600),
        (4, "first", 1200),
    ]


# Customers.
def test_customers_leave_when_their_patience_ends(play, arrive):
    data = desk(arrive(0, 60, 400, 900, 901), {"patience": "5min"})
    log = play(data)
    assert visits(log, "queued_s", "started_s", "ended_s", "end") == [
        (1, 0, 0, 600, "done"),
        (2, 60, pytest.approx(np.nan, nan_ok=True), 360, "abandoned"),
        (3, 400, 600, 1200, "done"),
        # The agent is free just when their patience ends: too late.
        (4, 900, pytest.approx(np.nan, nan_ok=True), 1200, "abandoned"),
        (5, 901, 1200, 1800, "done"),
    ]
    assert life(log, 2) == [(60, "Open"), (360, "Abandoned")]
    assert value(log, data, "abandonment_rate") == 2 / 5
    assert value(log, data, "agent_wait_mean") == (0 + 300 + 200 + 300 + 299) / 5


def test_customers_come_back_until_they_give_up(play, arrive):
    unsolved = {
        "solved": {**ALWAYS, "agent": 0.0},
        "reopen_rate": 1.0,
        "reopen_delay": "1h",
        "max_reopens": 2,
        "close_after": "2h",
        "survey_rate": 1.0,
    }
    log = play(desk(arrive(0), unsolved))
    assert life(log, 1) == [
        (0, "Open"),
        (0, "In Progress"),
        (600, "Resolved"),
        (4200, "Reopened"),
        (4200, "In Progress"),
        (4800, "Resolved"),
        (8400, "Reopened"),
        (8400, "In Progress"),
        (9000, "Resolved"),
        (16200, "Closed"),
    ]
    ticket = log.tickets.iloc[0]
    assert (ticket["reopens"], ticket["solved"], ticket["responded_s"]) == (2, 0, 0)
    assert ticket["resolved_s"] == 9000
    assert log.ratings["rated_s"].tolist() == [9000]


FAILING = {"solved": {**ALWAYS, "assistant": 0.0}, "reopen_rate": 1.0, "reopen_delay": "1h"}


def test_customers_come_back_to_a_human(play, arrive):
    log = play(desk(arrive(0), FAILING, assistant=assistant(), provider=provider()))
    assert life(log, 1)[3:] == [
        (7, "Resolved"),
        (3607, "Reopened"),
        (3607, "In Progress"),
        (4207, "Resolved"),
    ]
    ticket = log.tickets.iloc[0]
    assert (ticket["resolved_by"], ticket["transfers"], ticket["responded_s"]) == ("agent", 1, 7)


def test_customers_come_back_to_the_assistant_where_there_is_nobody_else(play, arrive):
    customers = {**FAILING, "max_reopens": 1}
    data = desk(arrive(0), customers, assistant=assistant(), provider=provider(), agents={})
    assert life(play(data), 1)[3:] == [
        (7, "Resolved"),
        (3607, "Reopened"),
        (3607, "In Progress"),
        (3612, "Resolved"),
    ]


def test_who_comes_back_in_vain_is_escalated(play, arrive):
    down = provider(retries=0, outages=[{"start": "30min", "length": "1d"}])
    customers = {**FAILING, "patience": "5min"}
    data = desk(arrive(0), customers, assistant=assistant(), provider=down, agents={})
    assert life(play(data), 1)[4:] == [
        (3607, "Reopened"),
        (3607, "In Progress"),
        (3607, "Escalated"),
        (3907, "Abandoned"),
    ]


def test_handle_times_have_a_level_and_grow_by_the_week(play):
    pool = {"heads": 1, "handle_time": "10min", "handle_scale": 2.0, "handle_growth": 0.5}
    log = play(desk({"kind": "constant", "rate": "1/w"}, horizon="29d", agents={"all": pool}))
    worked = [ended - started for started, ended in spans(log)]
    # One a week: after 1, 2, 3 and 4 weeks.
    assert worked == pytest.approx([20 * MIN * 1.5**week for week in (1, 2, 3, 4)])
