"""Days traced by hand: outages, retries and back-off, quotas, connections."""

import pytest
from days import DAY, MIN, assistant, calls, desk, life, provider, value

from twin.demand.luck import Stream
from twin.demand.tickets import draw
from twin.scenario.model import from_data


def pauses(data, ticket, *unjittered):
    """Back-offs of a ticket: shortened by its luck by up to a quarter."""
    luck = draw(from_data(data)).uniform(Stream.BACKOFF)[ticket - 1]
    return [pause * (1 - 0.25 * luck) for pause in unjittered]


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
    flaky = assistant("triage", on_failure="retry", retry_after="1min", profile={"error_rate": 0.5})
    tries = provider(retries=1, backoff="1s")
    log = play(desk({"kind": "constant", "rate": "4/h"}, assistant=flaky, provider=tries))
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


def test_a_second_model_has_luck_of_its_own(play):
    flaky = {"on_failure": "fallback", "fallback_model": "openai/gpt-oss-120b"}
    spare = assistant("triage", profile={"error_rate": 0.5}, **flaky)
    arrivals = {"kind": "constant", "rate": "100/h"}
    log = play(desk(arrivals, assistant=spare, provider=provider(retries=0), horizon="4h"))
    second = log.calls[log.calls["model"] == "openai/gpt-oss-120b"]
    # Half of all fail at the first model, and half of those at the second.
    assert len(second) == pytest.approx(200, abs=40)
    assert (second["outcome"] == "ok").mean() == pytest.approx(0.5, abs=0.15)


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


def test_who_waited_as_long_as_they_were_told_is_let_through(play, arrive):
    # At crooked moments a bucket may be over its limit by rounding, which must cost no attempt.
    moments = [k * 100.37 for k in range(400) for _ in range(2)]
    tokens = {"prompt_tokens": 211, "categorize_tokens": 6}
    few = assistant("triage", profile=tokens)
    quotas = provider(tpm=307, backoff="1ms")
    log = play(desk(arrive(*moments), assistant=few, provider=quotas))
    assert set(calls(log, "attempts", "rate_limited")) == {(1, 0), (2, 1)}


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
