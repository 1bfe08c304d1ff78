"""Every fault ends as one typed error of ours, or as the outcome of its call: over the real SDK."""

import io
import logging
import random
import time
import traceback
from collections import Counter

import numpy as np
import pytest
from fault_server import KEY
from llmock.scenarios import Fail, Reply
from test_groq import ask, corpus, make  # noqa: F401

from twin.assistant import catalogue, errors
from twin.assistant.errors import AssistantError
from twin.assistant.live import wire
from twin.assistant.live.pacing import parse_length
from twin.assistant.protocol import (
    BAD_ANSWER,
    OK,
    RATE_LIMITED,
    REFUSED,
    SERVER_ERROR,
    TIMEOUT,
)

pytestmark = [pytest.mark.network, pytest.mark.allow_hosts(["127.0.0.1", "localhost"])]

# A fault, the outcome of a call that meets nothing else, and its error.
FAULTS = [
    (500, SERVER_ERROR, errors.ServerError),
    (502, SERVER_ERROR, errors.ServerError),
    (503, SERVER_ERROR, errors.ServerError),
    (498, SERVER_ERROR, errors.NoCapacity),
    (413, REFUSED, errors.TooLarge),
    (422, REFUSED, errors.Refused),
    (400, REFUSED, errors.Refused),
    ("too_long", REFUSED, errors.TooLarge),
    ("html", SERVER_ERROR, errors.BrokenResponse),
    ("no_choices", SERVER_ERROR, errors.BrokenResponse),
    ("null_choices", SERVER_ERROR, errors.BrokenResponse),
    ("wrong_types", SERVER_ERROR, errors.BrokenResponse),
    ("array", SERVER_ERROR, errors.BrokenResponse),
    ("cut_json", SERVER_ERROR, errors.BrokenResponse),
    ("cut_connection", SERVER_ERROR, errors.Unreachable),
    ("hang_up", SERVER_ERROR, errors.Unreachable),
    ("limited", RATE_LIMITED, errors.RateLimited),
    ("limited_bare", RATE_LIMITED, errors.RateLimited),
    ("limited_long", RATE_LIMITED, errors.RateLimited),
    ("stall", TIMEOUT, errors.TimedOut),
    ("trickle", TIMEOUT, errors.TimedOut),
    ("bad_category", BAD_ANSWER, errors.BadAnswer),
    ("prose", BAD_ANSWER, errors.BadAnswer),
    ("empty", BAD_ANSWER, errors.BadAnswer),
    ("cut_answer", BAD_ANSWER, errors.BadAnswer),
    ("bad_json_mode", BAD_ANSWER, errors.BadAnswer),
]
FATAL = [
    (401, errors.WrongKey),
    (403, errors.WrongKey),
    (404, errors.UnknownModel),
    ("retired", errors.ModelRetired),
]


def everything_about(error, values=False):
    """All that a log or a screen might show of an exception; also its frames' values."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=values)
    seen = "".join(shown.format()) + repr(error) + str(error)
    while error is not None:
        seen += repr(vars(error))
        error = error.__cause__ or error.__context__
    return seen


@pytest.mark.parametrize(("fault", "outcome", "error"), FAULTS)
def test_a_fault_that_stays_is_the_outcome_of_its_call(server, make, fault, outcome, error):  # noqa: F811
    server.choose = lambda body, number: fault
    # Where no answer is late, a busy machine must not make one so.
    timeout = "300ms" if outcome == TIMEOUT else "30s"
    one = make(provider={"timeout": timeout, "retries": 1, "backoff": "10ms"})
    begun = time.monotonic()
    text = "My secret trouble"
    answers = one.answer(ask("categorize", [text]))
    assert answers.outcome.tolist() == [outcome]
    assert answers.category.tolist() == [-1]
    # Two attempts at most, each with its margin, and the pauses.
    assert time.monotonic() - begun < 2 * (0.3 + 1.0) + 1.5
    assert one.tally.failed == Counter({error.__name__: 1})
    words = one.tally.words[error.__name__]
    assert KEY not in words
    assert text not in words
    assert len(words) > 40
    assert len(one.recording) == 0


@pytest.mark.parametrize(("fault", "outcome", "error"), FAULTS)
def test_a_fault_that_passes_is_met_by_asking_again(server, make, fault, outcome, error):  # noqa: F811
    server.faults = [fault]
    timeout = "1s" if outcome == TIMEOUT else "30s"
    one = make(provider={"timeout": timeout, "retries": 1, "backoff": "10ms"})
    answers = one.answer(ask("categorize", ["Help"]))
    # Refusals are final, and a limit of a day's is not waited for.
    final = outcome == REFUSED or fault == "limited_long"
    assert answers.outcome.tolist() == [outcome if final else OK]
    assert len(server.bodies) == (1 if final else 2)


@pytest.mark.parametrize(("fault", "error"), FATAL)
def test_what_no_other_call_can_mend_is_raised_at_once(server, make, fault, error):  # noqa: F811
    server.choose = lambda body, number: fault
    one = make()
    texts = [f"{'Hush' * 2} {k}" for k in range(20)]
    with pytest.raises(error) as caught:
        one.answer(ask("categorize", texts))
    # The first call goes alone, so that the others are not even sent.
    assert len(server.bodies) == 1
    assert KEY not in everything_about(caught.value, values=True)
    assert "HushHush" not in everything_about(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_retired_model_names_its_successor(server, make):  # noqa: F811
    server.choose = lambda body, number: "retired"
    model = catalogue.model("llama-3.1-8b-instant")
    error = wire.failure(400, {"error": {"code": "model_decommissioned"}}, {}, model)
    assert isinstance(error, errors.ModelRetired)
    assert error.successor == "openai/gpt-oss-20b"
    assert "openai/gpt-oss-20b" in str(wire.failure(404, "<html>", {}, model))


def test_nobody_listens(server, make, monkeypatch):  # noqa: F811
    monkeypatch.setenv("GROQ_BASE_URL", "http://127.0.0.1:9")
    one = make(provider={"retries": 1, "backoff": "10ms"})
    assert one.answer(ask("categorize", ["Help"])).outcome.tolist() == [SERVER_ERROR]
    assert set(one.tally.failed) == {"Unreachable"}


def test_an_answer_outside_the_form_is_repaired_once(server, make):  # noqa: F811
    server.faults = ["prose"]
    one = make()
    answers = one.answer(ask("categorize", ["Help"]))
    assert answers.outcome.tolist() == [OK]
    roles = [message["role"] for message in server.bodies[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert "not JSON" in server.bodies[1]["messages"][3]["content"]
    (reply,) = one.recording.replies()
    assert reply.repaired
    # Both calls count, the request is the first.
    assert answers.completion_tokens.tolist() == [24]
    assert len(reply.request["messages"]) == 2


def test_retry_after_holds_everything_back(server, make):  # noqa: F811
    server.faults = ["ok", "limited"]
    one = make()
    assert one.answer(ask("categorize", ["a"])).outcome.tolist() == [OK]
    begun = time.monotonic()
    assert one.answer(ask("categorize", ["b"])).outcome.tolist() == [OK]
    assert time.monotonic() - begun >= 0.05
    assert one.tally.limited == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2m59.56s", 179.56),
        ("7.66s", 7.66),
        ("1h2m3s", 3723.0),
        ("250ms", 0.25),
        ("0", 0.0),
        ("2", 2.0),
        ("", None),
        (None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("nan", None),
        ("inf", None),
        ("-3", None),
        ("1.2.3s", None),
    ],
)
def test_lengths_in_headers(text, seconds):
    assert parse_length(text) == (None if seconds is None else pytest.approx(seconds))


def test_what_the_real_messages_say():
    message = (
        "Rate limit reached for model `x` in organization `org_1` on tokens per minute (TPM): "
        "Limit 8000, Used 6956, Requested 3570. Please try again in 18.945s. Need more tokens?"
    )
    model = catalogue.model("openai/gpt-oss-20b")
    error = wire.failure(429, {"error": {"message": message}}, {}, model)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after_s == pytest.approx(18.945)
    assert error.limit == ("tpm", 8000)


# -- llmock: another server, with the route of the real one ---------------------


@pytest.fixture
def mocked(llmock, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    # Its own address ends in what the SDK appends; ours mends that.
    monkeypatch.setenv("GROQ_BASE_URL", llmock.base_url("groq"))
    return llmock


def test_llmock_answers(mocked, make):  # noqa: F811
    answers = make().answer(ask("categorize", ["Help", "Me"]))
    assert answers.outcome.tolist() == [OK, OK]
    assert set(answers.category.tolist()) == {0}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, REFUSED), (408, OK), (409, OK), (413, REFUSED), (422, REFUSED), (429, OK),
        (498, OK), (500, OK), (502, OK), (503, OK), (504, OK), (529, OK),
    ],
)  # fmt: skip
def test_llmock_fails_once(mocked, make, status, outcome):  # noqa: F811
    mocked.add(Fail(status, retry_after=0.05 if status == 429 else None))
    assert make().answer(ask("categorize", ["Help"])).outcome.tolist() == [outcome]
    mocked.assert_resilient()


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, errors.WrongKey), (403, errors.WrongKey), (404, errors.UnknownModel)],
)
def test_llmock_fails_for_good(mocked, make, status, error):  # noqa: F811
    mocked.fail(status, times=None)
    with pytest.raises(error):
        make().answer(ask("categorize", ["Help"]))
    assert len(mocked.requests) == 1


def test_llmock_is_slow(mocked, make):  # noqa: F811
    mocked.delay(1.5)
    one = make(provider={"timeout": "200ms", "retries": 0})
    assert one.answer(ask("categorize", ["Help"])).outcome.tolist() == [TIMEOUT]


def test_llmock_breaks_json(mocked, make):  # noqa: F811
    mocked.add(Reply(text='{"category": "Login", "conf'))
    one = make()
    assert one.answer(ask("categorize", ["Help"])).outcome.tolist() == [OK]
    assert len(mocked.requests) == 2
    mocked.add(Reply(text="no", times=2))
    assert one.answer(ask("categorize", ["Me"])).outcome.tolist() == [BAD_ANSWER]


# -- 500 calls under mixed faults -----------------------------------------------


def test_five_hundred_calls_under_mixed_faults(server, make):  # noqa: F811
    luck = random.Random(5)
    final = {400, 413, "too_long"}
    passing = [500, 503, 498, "html", "no_choices", "null_choices", "wrong_types", "cut_json",
               "cut_connection", "hang_up", "limited", "prose", "bad_category"]  # fmt: skip
    rare = ["stall", "trickle"]

    def choose(body, number):
        draw = luck.random()
        if draw < 0.02:
            return luck.choice(sorted(final, key=str))
        if draw < 0.025:
            return luck.choice(rare)
        return luck.choice(passing) if draw < 0.25 else "ok"

    chosen = Counter()

    def noted(body, number):
        kind = choose(body, number)
        chosen[kind] += 1
        return kind

    server.choose = noted
    one = make(provider={"timeout": "500ms", "retries": 3, "backoff": "5ms", "plan": "unlimited"})
    one._fetcher._bounds = type(one._fetcher._bounds)(0.5, 3, 0.005, 0.05, concurrency=64)
    texts = [f"Trouble number {k}" for k in range(500)]
    begun = time.monotonic()
    answers = one.answer(ask("categorize", texts))
    took = time.monotonic() - begun
    ends = Counter(answers.outcome.tolist())
    assert sum(ends.values()) == 500
    assert set(ends) <= {OK, RATE_LIMITED, TIMEOUT, SERVER_ERROR, REFUSED, BAD_ANSWER}
    assert ends[OK] > 400
    assert ends[REFUSED] > 0
    # Counted once each, and recorded what was answered, nothing else.
    assert one.tally.answered == ends[OK] == len(one.recording)
    assert sum(one.tally.failed.values()) == 500 - ends[OK]
    # Some the server never saw: they met a connection that had just been cut (at most one for each
    # that was cut or given up), or were given up before a busy server read them.
    cut = sum(chosen[kind] for kind in ("cut_connection", "hang_up", "stall", "trickle"))
    assert len(server.bodies) <= one.tally.sent <= len(server.bodies) + server.unread + cut
    assert len(server.seen) == 500
    assert max(server.seen.values()) <= 1 + 3 + 1 + 8
    # None hung: no call takes longer than its attempts, each with margin, and its pauses.
    assert took < 4 * 1.5 + 20
    # What is not there is asked again, what is there is not.
    server.choose = None
    asked = len(server.bodies)
    again = one.answer(ask("categorize", texts))
    assert set(again.outcome.tolist()) == {OK}
    assert len(server.bodies) - asked == 500 - ends[OK]
    kept = answers.outcome == OK
    assert np.array_equal(answers.category[kept], again.category[kept])


# -- the key is nowhere ---------------------------------------------------------


def test_the_key_reaches_no_log_recording_error_or_traceback(server, make, tmp_path):  # noqa: F811
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    recording = tmp_path / "kept.jsonl"
    shown = ""
    try:
        server.faults = [500, "html", "limited", 413, "hang_up", "prose", "ok"]
        one = make(recording=str(recording), provider={"retries": 0, "timeout": "300ms"})
        one.answer(ask("categorize", [f"Private words {k}" for k in range(6)]))
        shown += repr(one) + repr(vars(one)) + repr(one.tally)
        for fault, _ in FATAL:
            server.faults = [fault]
            with pytest.raises(AssistantError) as caught:
                make(recording=str(recording)).answer(ask("categorize", [f"More {fault}"]))
            shown += everything_about(caught.value)
            assert KEY not in everything_about(caught.value, values=True)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    logged = heard.getvalue()
    assert "POST" in logged  # The log was listening.
    kept = recording.read_text()
    assert "categorize" in kept
    for text in (logged, shown, kept):
        assert KEY not in text
        assert "Bearer" not in text
    assert "Private words" not in logged + shown
    assert server.keys == {f"Bearer {KEY}"}  # It was sent, and nothing else was.


def test_connections_end_with_their_assistant_and_another_works_on(server, make):  # noqa: F811
    first, second = make(), make()
    first.answer(ask("categorize", ["Help"]))
    first.close()
    first.close()
    assert second.answer(ask("categorize", ["Help"])).outcome.tolist() == [OK]
