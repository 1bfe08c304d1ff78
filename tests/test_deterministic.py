"""Days traced by hand: constant times, so that every moment is known without statistics."""

import numpy as np
import pytest

from twin.demand import draw
from twin.desk import simulate
from twin.kpis import measure
from twin.luck import Stream
from twin.records import STATUSES, TRANSITIONS
from twin.scenario_file import from_data

MIN, HOUR, DAY = 60.0, 3600.0, 86400.0
ALWAYS = {"agent": 1.0, "reviewed": 1.0, "assistant": 1.0}
ONE = {"all": {"heads": 1, "handle_time": "10min"}}


def desk(arrivals, customers=None, **sections):
    """Plain data of a desk: one agent, 10 minutes a ticket, every answer solves."""
    return {
        "horizon": "1d",
        "arrivals": arrivals,
        "agents": ONE,
        "customers": {"survey_rate": 0.0, "solved": ALWAYS, **(customers or {})},
        **sections,
    }


def assistant(role="full", profile=None, **settings):
    """Categorizes in 2 s, responds in 5 s, always right."""
    constants = {
        "accuracy": 1.0,
        "confidence_right": 0.9,
        "quality": 1.0,
        "categorize_latency": "2s",
        "respond_latency": "5s",
        **(profile or {}),
    }
    return {"role": role, "backend": "profile", "profile": constants, **settings}


def provider(**settings):
    return {"plan": "unlimited", **settings}


def life(log, ticket):
    """The ticket's statuses with their moments; each must be allowed to follow the last."""
    rows = log.timeline[log.timeline["ticket_id"] == ticket]
    statuses = rows["status"].astype(object).tolist()
    codes = [None, *map(STATUSES.index, statuses)]
    for before, after in zip(codes, codes[1:], strict=False):
        assert after in TRANSITIONS[before]
    return list(zip(rows["time_s"], statuses, strict=True))


def visits(log, *columns):
    """Columns of the visits, in order of ticket and time."""
    rows = log.visits.sort_values(["ticket_id", "queued_s"], kind="stable")
    return list(rows[["ticket_id", *columns]].itertuples(index=False, name=None))


def spans(log):
    return [span for _, *span in visits(log, "started_s", "ended_s")]


def value(log, data, kpi, group=""):
    return measure(log, from_data(data)).set_index(["kpi", "group"])["value"][kpi, group]


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


# Shifts.
def shift(start="09:00", end="17:00", heads=1, **more):
    return {"start": start, "end": end, "heads": heads, **more}


def pool(*shifts, **more):
    return {"shifts": list(shifts), "handle_time": "30min", **more}


def at(day, hour, minute=0):
    return day * DAY + hour * HOUR + minute * MIN


def test_work_in_hand_at_shift_end_is_finished(play, arrive):
    agents = {"day": pool(shift(), cost=36.0)}
    data = desk(arrive(at(0, 16, 50), at(0, 16, 55)), horizon="2d", agents=agents)
    log = play(data)
    assert spans(log) == [[at(0, 16, 50), at(0, 17, 20)], [at(1, 9), at(1, 9, 30)]]
    # 10 minutes before the end of the first shift and 30 in the second are on shift, out of 16 h;
    # the 20 minutes after it are paid too.
    assert value(log, data, "occupancy") == pytest.approx(40 / (16 * 60))
    assert value(log, data, "human_cost") == pytest.approx(36 * (16 + 1 / 3) / 2)


def test_work_in_hand_at_shift_end_is_handed_over(play, arrive):
    agents = {"day": pool(shift(), at_shift_end="hand over")}
    log = play(desk(arrive(at(0, 16, 50), at(0, 16, 55)), horizon="2d", agents=agents))
    assert visits(log, "queued_s", "started_s", "ended_s", "end") == [
        (1, at(0, 16, 50), at(0, 16, 50), at(0, 17), "handed over"),
        (1, at(0, 17), at(1, 9), at(1, 9, 20), "done"),
        (2, at(0, 16, 55), at(1, 9, 20), at(1, 9, 50), "done"),
    ]
    assert log.tickets["transfers"].tolist() == [1, 0]
    assert log.tickets["responded_s"].tolist() == [at(0, 16, 50), at(1, 9, 20)]
    assert [status for _, status in life(log, 1)] == ["Open", "In Progress", "Resolved"]


@pytest.mark.parametrize(
    "other", [pool(shift("17:00", "01:00")), {"heads": 1, "handle_time": "30min"}]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_colleague_of_another_pool_takes_over_at_once(play, arrive, other, first):
    # Their skill keeps the others from taking the ticket in the first place.
    day = pool(shift(), at_shift_end="hand over")
    agents = {"day": day, "other": other} if first else {"other": other, "day": day}
    busy = "heads" in other and not first
    # Where the other pool comes first and is there, a ticket before keeps it busy until 16:55.
    moments = [at(0, 16, 25), at(0, 16, 50)] if busy else [at(0, 16, 50)]
    log = play(desk(arrive(*moments), agents=agents))
    assert visits(log, "pool", "started_s", "ended_s")[-2:] == [
        (len(moments), "day", at(0, 16, 50), at(0, 17)),
        (len(moments), "other", at(0, 17), at(0, 17, 20)),
    ]


def test_who_began_last_hands_over_first(play, arrive):
    agents = {"day": pool(shift(), shift(end="13:00"), at_shift_end="hand over")}
    agents["day"]["handle_time"] = "1h"
    log = play(desk(arrive(at(0, 12, 30), at(0, 12, 40)), agents=agents))
    assert visits(log, "started_s", "ended_s") == [
        (1, at(0, 12, 30), at(0, 13, 30)),
        (2, at(0, 12, 40), at(0, 13)),
        (2, at(0, 13, 30), at(0, 14, 10)),
    ]


def test_work_that_ends_with_the_shift_is_not_handed_over(play, arrive):
    agents = {"day": pool(shift(), at_shift_end="hand over")}
    log = play(desk(arrive(at(0, 16, 30)), agents=agents))
    assert visits(log, "started_s", "ended_s", "end") == [(1, at(0, 16, 30), at(0, 17), "done")]


@pytest.mark.parametrize(
    ("at_shift_end", "expected"),
    [
        ("finish", [[at(0, 11, 50), at(0, 12, 20)], [at(0, 13), at(0, 13, 30)]]),
        (
            "hand over",
            [
                [at(0, 11, 50), at(0, 12)],
                [at(0, 13), at(0, 13, 20)],
                [at(0, 13, 20), at(0, 13, 50)],
            ],
        ),
    ],
)
def test_breaks(play, arrive, at_shift_end, expected):
    lunch = {"start": "12:00", "end": "13:00", "heads": 1}
    agents = {"day": pool(shift(breaks=[lunch]), at_shift_end=at_shift_end)}
    assert spans(play(desk(arrive(at(0, 11, 50), at(0, 11, 55)), agents=agents))) == expected


def test_holidays_and_weekends(play, arrive):
    # The run starts on Monday the 5th: Tuesday is off, and Saturday and Sunday.
    agents = {"day": pool(shift(days="Mon-Fri"), holidays=["2026-01-06"])}
    moments = [at(0, 8), at(1, 10), at(4, 17), at(5, 12)]
    log = play(desk(arrive(*moments), horizon="8d", agents=agents))
    started = [start for start, _ in spans(log)]
    assert started == [at(0, 9), at(2, 9), at(7, 9), at(7, 9, 30)]


def test_a_night_shift_belongs_to_the_day_on_which_it_starts(play, arrive):
    agents = {"night": pool(shift("22:00", "06:00", days="Mon"), holidays=["2026-01-12"])}
    log = play(desk(arrive(at(0, 1), at(1, 5)), horizon="9d", agents=agents))
    # Nobody is there in the first morning; the next Monday is a holiday, its night too.
    assert spans(log) == [[at(0, 22), at(0, 22, 30)], [at(1, 5), at(1, 5, 30)]]
    log = play(desk(arrive(at(1, 6), at(7, 23)), horizon="9d", agents=agents))
    assert log.tickets["status"].tolist() == ["Open", "Open"]


@pytest.mark.parametrize(
    ("start", "hour", "night_h"), [("2026-03-28", 8, 7), ("2026-10-24", 10, 9), ("2026-05-02", 9, 8)]
)
def test_shifts_keep_their_local_hours_when_the_clocks_change(play, arrive, start, hour, night_h):
    # In London the clocks change in the night of the run's first day, a Saturday, to Sunday.
    london = {"start": start, "time_zone": "Europe/London", "horizon": "2d"}
    agents = {"day": pool(shift())}
    log = play(desk(arrive(at(0, 8), at(0, 18)), agents=agents, **london))
    assert [began for began, _ in spans(log)] == [at(0, 9), at(1, hour)]
    # A night shift is an hour shorter or longer.
    agents = {"night": pool(shift("22:00", "06:00", days="Sat"), at_shift_end="hand over")}
    agents["night"]["handle_time"] = "1d"
    log = play(desk(arrive(at(0, 12)), agents=agents, **london))
    assert spans(log)[0] == [at(0, 22), at(0, 22) + night_h * HOUR]


def test_a_pool_in_another_time_zone(play, arrive):
    agents = {"york": pool(shift(), time_zone="America/New_York")}
    log = play(desk(arrive(at(0, 0), at(0, 22)), horizon="2d", agents=agents))
    assert [began for began, _ in spans(log)] == [at(0, 14), at(1, 14)]


def test_arrivals_keep_their_local_hours_when_the_clocks_change():
    nine = {"hours": [0.0] * 9 + [1.0] + [0.0] * 14}
    arrivals = {"kind": "hourly", "rate": "20/h", "week": nine}
    london = {"start": "2026-03-28", "time_zone": "Europe/London", "horizon": "2d"}
    arrived = draw(from_data(desk(arrivals, **london))).arrived_s
    hours = np.floor(arrived / HOUR)
    assert set(hours) == {9, 24 + 8}


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


# The provider.
def pauses(data, ticket, *unjittered):
    """Back-offs of a ticket: shortened by its luck by up to a quarter."""
    luck = draw(from_data(data)).uniform(Stream.BACKOFF)[ticket - 1]
    return [pause * (1 - 0.25 * luck) for pause in unjittered]


def calls(log, *columns):
    rows = log.calls.sort_values(["ticket_id", "asked_s", "started_s"], kind="stable")
    return list(rows[list(columns)].itertuples(index=False, name=None))


BACKOFF = {"retries": 3, "backoff": "10s", "max_backoff": "30s"}


def test_an_outage_that_outlasts_the_retries_escalates(play, arrive):
    down = provider(**BACKOFF, outages=[{"start": "0s", "length": "1h"}])
    data = desk(arrive(0, 1000), assistant=assistant(), provider=down)
    log = play(data)
    for ticket, arrived in ((1, 0.0), (2, 1000.0)):
        now = arrived
        for pause in pauses(data, ticket, 10, 20, 30):
            now = now + pause
        assert calls(log, "asked_s", "ended_s", "attempts", "outcome")[ticket - 1] == (
            arrived, now, 4, "outage"
        )  # fmt: skip
        assert life(log, ticket) == [
            (arrived, "Open"),
            (now, "Escalated"),
            (now, "In Progress"),
            (now + 600, "Resolved"),
        ]
    assert log.tickets["categorized_by"].tolist() == ["agent", "agent"]
    assert log.calls["cost_usd"].tolist() == [0, 0]


def test_an_outage_that_ends_in_time_delays(play, arrive):
    down = provider(**BACKOFF, outages=[{"start": "0s", "length": "15s"}])
    data = desk(arrive(0), assistant=assistant(), provider=down)
    log = play(data)
    first, second = pauses(data, 1, 10, 20)
    sent = first + second
    assert calls(log, "started_s", "ended_s", "attempts", "outcome") == [
        (sent, sent + 2, 3, "ok"),
        (sent + 2, sent + 2 + 5, 1, "ok"),
    ]


def test_an_outage_begins_at_its_start_and_is_over_at_its_end(play, arrive):
    down = provider(retries=0, outages=[{"start": "100s", "length": "50s"}])
    arrivals = arrive(99, 100, 149, 150)
    log = play(desk(arrivals, assistant=assistant("triage"), provider=down))
    assert [outcome for (outcome,) in calls(log, "outcome")] == ["ok", "outage", "outage", "ok"]


def test_on_failure_retry_tries_again_later(play, arrive):
    down = provider(retries=0, outages=[{"start": "0s", "length": "25min"}])
    patient = assistant("triage", on_failure="retry", retry_after="10min")
    log = play(desk(arrive(0), assistant=patient, provider=down))
    assert calls(log, "asked_s", "ended_s", "outcome") == [
        (0, 0, "outage"),
        (600, 600, "outage"),
        (1200, 1200, "outage"),
        (1800, 1802, "ok"),
    ]
    assert life(log, 1)[1] == (1802, "Categorized")


def test_on_failure_retry_has_fresh_luck_each_time(play):
    flaky = assistant(
        "triage", on_failure="retry", retry_after="1min", profile={"error_rate": 0.5}
    )
    data = desk({"kind": "constant", "rate": "4/h"}, assistant=flaky)
    log = play(desk(data["arrivals"], assistant=flaky, provider=provider(retries=1, backoff="1s")))
    assert len(log.tickets) == 95
    assert log.tickets["category"].notna().all()
    # Half of all calls of two tries each fail at both: a quarter.
    assert (log.calls["outcome"] == "server error").mean() == pytest.approx(0.25, abs=0.1)


def test_on_failure_fallback_asks_the_second_model(play, arrive):
    spare = assistant("triage", on_failure="fallback", fallback_model="openai/gpt-oss-120b")
    data = desk(arrive(0, 0), assistant=spare, provider=provider(retries=0, rpm=1))
    assert calls(play(data), "ticket_id", "model", "asked_s", "ended_s", "outcome") == [
        (1, "openai/gpt-oss-20b", 0, 2, "ok"),
        (2, "openai/gpt-oss-20b", 0, 0, "rate limited"),
        (2, "openai/gpt-oss-120b", 0, 2, "ok"),
    ]


def test_a_slow_call_is_given_up(play, arrive):
    slow = assistant("triage", profile={"categorize_latency": "40s"})
    limits = provider(timeout="30s", retries=1, backoff="10s")
    data = desk(arrive(0), assistant=slow, provider=limits)
    (pause,) = pauses(data, 1, 10)
    sent = 30 + pause
    log = play(data)
    assert calls(log, "started_s", "ended_s", "attempts", "outcome") == [
        (sent, sent + 30, 2, "timeout")
    ]


def test_requests_a_minute_leak(play, arrive):
    # Two fit at once and one more each half minute; each who is told to wait waits that long.
    limits = provider(rpm=2, retries=9, backoff="1ms")
    log = play(desk(arrive(0, 0, 0, 0), assistant=assistant("triage"), provider=limits))
    assert calls(log, "started_s", "attempts", "rate_limited", "quota_wait_s") == [
        (0, 1, 0, 0),
        (0, 1, 0, 0),
        (30, 2, 1, 30),
        (60, 3, 2, 60),
    ]


@pytest.mark.parametrize(
    ("limits", "wait_s"), [({"rpd": 1}, DAY), ({"tpd": 300}, DAY / 2), ({"tpm": 300}, MIN / 2)]
)
def test_quotas_a_day_and_of_tokens_leak(play, arrive, limits, wait_s):
    # 225 tokens a call: the second has to wait until 150 of the first have drained.
    tokens = {"prompt_tokens": 200, "categorize_tokens": 25}
    few = assistant("triage", profile=tokens)
    quotas = provider(**limits, backoff="1ms")
    log = play(desk(arrive(0, 0), horizon="2d", assistant=few, provider=quotas))
    assert calls(log, "started_s", "attempts", "quota_wait_s") == [
        (0, 1, 0),
        (wait_s, 2, wait_s),
    ]


def test_the_published_message_of_the_provider(play, arrive):
    # "Limit 8000, Used 6956, Requested 3570. Please try again in 18.945s."
    tokens = {
        "prompt_tokens": 100,
        "categorize_tokens": 6856,
        "respond_tokens": 3470,
        "categorize_latency": "0s",
        "respond_latency": "0s",
    }
    wordy = assistant(profile=tokens, max_tokens={"categorize": 9000, "respond": 9000})
    data = desk(arrive(0), assistant=wordy, provider=provider(tpm=8000, backoff="1ms"))
    log = play(data)
    waited = pytest.approx(18.945, abs=1e-9)
    assert calls(log, "step", "started_s", "attempts", "quota_wait_s") == [
        ("categorize", 0, 1, 0),
        ("respond", waited, 2, waited),
    ]
    assert value(log, data, "rate_limited_share") == 1 / 3


def test_a_request_larger_than_the_quota_is_refused_for_good(play, arrive):
    log = play(desk(arrive(0), assistant=assistant(), provider=provider(tpm=100)))
    assert calls(log, "ended_s", "attempts", "outcome") == [(0, 1, "refused")]
    assert life(log, 1)[1] == (0, "Escalated")


def test_calls_wait_for_a_free_connection(play, arrive):
    # Waiting for a connection is no part of the call: 15 s are enough for each.
    one = provider(concurrency=1, timeout="15s")
    busy = assistant("triage", profile={"categorize_latency": "10s"})
    log = play(desk(arrive(0, 0, 0, 35), assistant=busy, provider=one))
    assert calls(log, "started_s", "ended_s", "attempts") == [
        (0, 10, 1),
        (10, 20, 1),
        (20, 30, 1),
        (35, 45, 1),
    ]


# Extreme values.
EVERY_HOUR = {"kind": "constant", "rate": "1/h"}


@pytest.mark.parametrize(
    "arrivals",
    [{"rate": "40/h", "scale": 0.0}, {**EVERY_HOUR, "scale": 0.0}, {**EVERY_HOUR, "rate": "1/2d"}],
)
@pytest.mark.parametrize("role", ["off", "full"])
def test_nobody_comes(arrivals, role):
    data = desk(arrivals, assistant=assistant(role))
    scenario = from_data(data)
    log = simulate(scenario, draw(scenario))
    for table in (log.tickets, log.timeline, log.visits, log.calls, log.ratings):
        assert table.empty
    kpis = measure(log, scenario).set_index(["kpi", "group"])["value"]
    assert kpis["arrivals", ""] == kpis["backlog", ""] == kpis["occupancy", ""] == 0
    assert np.isnan(kpis["resolution_mean", ""])
    assert np.isnan(kpis["containment", ""])


def test_nobody_works(play):
    nobody = {"all": {"heads": 0, "handle_time": "10min"}}
    data = desk(EVERY_HOUR, agents=nobody)
    log = play(data)
    assert log.tickets["status"].tolist() == ["Open"] * 23
    assert log.visits["end"].tolist() == ["open"] * 23
    assert np.isnan(value(log, data, "occupancy"))
    log = play(desk(EVERY_HOUR, {"patience": "5min"}, agents=nobody))
    assert log.tickets["status"].tolist() == ["Abandoned"] * 23
    assert (log.visits["ended_s"] == log.visits["queued_s"] + 300).all()


def test_fewer_agents_than_none(play):
    fewer = {"all": {"heads": 2, "extra_heads": -5, "handle_time": "10min"}}
    assert play(desk(EVERY_HOUR, agents=fewer)).tickets["status"].tolist() == ["Open"] * 23


def test_one_category_only(play):
    data = desk(EVERY_HOUR, assistant=assistant(profile={"accuracy": 0.0}))
    log = play(data)
    # There is no other category to take it for.
    assert value(log, data, "categorization_accuracy") == 1


def test_no_patience_at_all(play, arrive):
    log = play(desk(arrive(*range(0, 3600, 300)), {"patience": "0s"}, horizon="1h"))
    # Every second one finds the agent free; who does not leaves at once.
    statuses = log.tickets["status"].astype(object).tolist()
    assert statuses == ["Resolved", "Abandoned"] * 5 + ["In Progress", "Abandoned"]
    gone = log.timeline[log.timeline["status"] == "Abandoned"]
    assert gone["time_s"].tolist() == [300, 900, 1500, 2100, 2700, 3300]


def test_a_thousand_agents(play):
    time = {"distribution": "lognormal", "mean": "20min", "cv": 1.0}
    data = desk({"rate": "100/h"}, agents={"all": {"heads": 1000, "handle_time": time}})
    log = play(data)
    assert value(log, data, "agent_wait_share") == 0
    assert value(log, data, "first_response_mean") == 0
    assert value(log, data, "queue") == 0


@pytest.mark.parametrize(("rate", "rated"), [(0.0, 0), (1.0, 23)])
def test_everybody_or_nobody_rates(play, rate, rated):
    data = desk(EVERY_HOUR, {"survey_rate": rate})
    log = play(data)
    assert len(log.ratings) == rated
    assert value(log, data, "rated_share") == rate


def test_work_without_end(play):
    slow = {"all": {"heads": 1, "handle_time": "10000d"}}
    data = desk(EVERY_HOUR, agents=slow)
    log = play(data)
    assert log.tickets["status"].tolist() == ["In Progress"] + ["Open"] * 22
    assert log.visits["end"].tolist() == ["open"] * 23
    assert value(log, data, "occupancy") == pytest.approx(23 / 24)
    assert value(log, data, "throughput") == 0


def test_the_horizon_cuts_what_is_under_way(play, arrive):
    data = desk(arrive(0, 3000, 3000, 3595), assistant=assistant("triage"), horizon="1h",
                provider=provider())  # fmt: skip
    log = play(data)
    # What would happen at the horizon itself does not.
    assert visits(log, "started_s", "end") == [
        (1, 2, "done"),
        (2, 3002, "open"),
        (3, pytest.approx(np.nan, nan_ok=True), "open"),
        (4, pytest.approx(np.nan, nan_ok=True), "open"),
    ]
    exact = play({**data, "horizon": "3602s"})
    assert visits(exact, "started_s", "end")[1] == (2, 3002, "open")
    later = play({**data, "horizon": "3603s"})
    assert visits(later, "started_s", "end")[1] == (2, 3002, "done")


DOWN = provider(retries=1, backoff="1s", outages=[{"start": "0s", "length": "30d"}])


def test_a_provider_that_is_never_there(play):
    data = desk(EVERY_HOUR, assistant=assistant(), provider=DOWN)
    log = play(data)
    assert (log.calls["outcome"] == "outage").all()
    assert log.tickets["resolved_by"].tolist() == ["agent"] * 23
    assert value(log, data, "containment") == 0
    assert value(log, data, "call_failure_share") == 1


@pytest.mark.parametrize("on_failure", ["escalate", "retry"])
def test_an_assistant_alone_behind_a_provider_that_is_never_there(play, on_failure):
    alone = assistant(on_failure=on_failure)
    log = play(desk(EVERY_HOUR, assistant=alone, agents={}, provider=DOWN))
    status = {"escalate": "Escalated", "retry": "Open"}[on_failure]
    assert log.tickets["status"].tolist() == [status] * 23
    assert log.tickets["resolved_s"].isna().all()


def test_every_call_fails(play):
    broken = assistant(profile={"error_rate": 1.0})
    data = desk(EVERY_HOUR, assistant=broken, provider=provider(retries=2, backoff="1s"))
    log = play(data)
    assert set(log.calls["outcome"]) == {"server error"}
    assert set(log.calls["attempts"]) == {3}
    assert log.tickets["resolved_by"].tolist() == ["agent"] * 23
