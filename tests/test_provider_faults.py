"""Each of 200 faults of a provider ends as an answer or a typed error, in bounded time.

They go through the real SDK. And what must hold around them: one odd word of a provider shuts
nothing for good, answers are clean wherever they are read, bodies are bounded.
"""

import asyncio
import dataclasses
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from types import SimpleNamespace

import httpx
import provider_faults
import pytest
from fault_server import KEY
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_faults import ANSWER, FAULTS, message, refuse, usage
from test_groq import CATEGORIES, ask, corpus, desk, make  # noqa: F401

from tests.live_desk import desk_data
from twin.assistant import catalogue
from twin.assistant.answer_text import clean
from twin.assistant.backends import build
from twin.assistant.errors import AssistantError, TimedOut
from twin.assistant.live import bounded, fetching, pacing, wire
from twin.assistant.live.pacing import DAY_S, Pacer, parse_length
from twin.assistant.protocol import BAD_ANSWER, OK, RATE_LIMITED, REFUSED, Written
from twin.assistant.recorded.recording import Reply
from twin.live.api import create_app
from twin.live.desk import Desk
from twin.live.store import Store
from twin.scenario.model import from_data

network = [pytest.mark.network, pytest.mark.allow_hosts(["127.0.0.1", "localhost"])]
QUICK = {"timeout": "400ms", "retries": 1, "backoff": "5ms", "max_backoff": "20ms"}
# Where no answer is late, a busy machine must not make one so.
PATIENT = {**QUICK, "timeout": "30s"}
# Two attempts, each with its margin, or nine with a pause; and a slow machine.
BOUND_S = 6.0
MODEL = catalogue.model("openai/gpt-oss-20b")


def test_there_are_two_hundred_of_different_names():
    assert len({name for name, _, _ in FAULTS}) == len(FAULTS) >= 200


def answered(one, questions):
    """The answers, and the error that came in their place."""
    try:
        return one.answer(questions), None
    except AssistantError as error:
        return None, error


@pytest.fixture(scope="module", autouse=True)
def bomb():
    """A bomb that is ready: packing it takes longer than a call may."""
    return provider_faults.bomb()


class TestFaults:
    pytestmark = network

    @pytest.mark.parametrize(
        ("fault", "end"), [(f, e) for _, f, e in FAULTS], ids=[n for n, _, _ in FAULTS]
    )
    def test_ends_as_an_answer_or_a_typed_error(self, server, make, fault, end):  # noqa: F811
        server.choose = lambda body, number: fault
        one = make(provider=QUICK if end is TimedOut else PATIENT)
        begun = time.monotonic()
        answers, error = answered(one, ask("categorize", ["My secret trouble"]))
        took = time.monotonic() - begun
        if end == ANSWER:
            said = ""
            assert answers.outcome.tolist() == [OK]
            assert 0 <= answers.prompt_tokens[0] < 1000
            assert 0 <= answers.completion_tokens[0] < 1000
        elif end.outcome is None:
            said = str(error)
            assert type(error) is end
            assert error.__context__ is None
        else:
            said = one.tally.words[end.__name__]
            assert answers.outcome.tolist() == [end.outcome]
            assert dict(one.tally.failed) == {end.__name__: 1}
        assert took < BOUND_S
        assert KEY not in said
        assert "secret trouble" not in said
        for kept in one.recording.replies():
            assert Reply.from_line(kept.to_line()) == kept


class TestHoldingBack:
    """A provider's words hold calls back, but never for good."""

    @pytest.mark.parametrize("told", [1764000000.0, 1e9, 1e300])
    def test_a_pause_is_believed_for_a_day_and_looked_at_every_minute(self, told):
        pacer = Pacer({"rpm": 100})
        pacer.end(pacer.send(1, 1, 0.0), 0.0)
        slot = pacer.send(1, 1, 1.0)
        pacer.limited(told, None, 1.0)
        pacer.end(slot, 1.0, refused=True)
        assert pacer.wait_s(1, 1, 2.0) == DAY_S - 1
        assert pacer.wait_s(1, 1, 60.5) > pacing.MINUTE_S
        assert pacer.wait_s(1, 1, 61.0) == 0
        # One goes alone; what it meets decides.
        probe = pacer.send(1, 1, 61.0)
        assert pacer.wait_s(1, 1, 62.0) > pacing.MINUTE_S
        pacer.end(probe, 62.0, prompt=1)
        assert pacer.wait_s(1, 1, 62.0) == 0

    def test_a_pause_that_is_meant_is_kept(self):
        pacer = Pacer({})
        now = 0.0
        for _ in range(5):
            assert pacer.wait_s(1, 1, now) == 0
            slot = pacer.send(1, 1, now)
            pacer.limited(3600.0, None, now)
            pacer.end(slot, now, refused=True)
            assert pacer.wait_s(1, 1, now + 59.0) == pytest.approx(3541.0)
            now += 60.0

    @pytest.mark.parametrize(
        "headers",
        [
            {"limit-requests": "5", "remaining-requests": "0", "reset-requests": "99999d"},
            {"limit-tokens": "5", "remaining-tokens": "0", "reset-tokens": "99999999"},
        ],
    )
    def test_a_reset_that_never_comes(self, headers):
        pacer = Pacer({})
        told = {f"x-ratelimit-{name}": value for name, value in headers.items()}
        slot = pacer.send(1, 1, 0.0)
        pacer.read(slot, told, 1.0)
        pacer.end(slot, 1.0, prompt=1)
        assert pacer.wait_s(1, 1, 2.0) > pacing.MINUTE_S
        pacer.end(pacer.send(1, 1, 61.0), 61.0, prompt=1)
        assert pacer.wait_s(1, 1, 62.0) == 0

    def test_a_days_limit_of_one_token(self):
        pacer = Pacer({"tpd": 1000})
        slot = pacer.send(10, 10, 0.0)
        pacer.limited(None, ("tpd", 1), 1.0)
        pacer.end(slot, 1.0, prompt=10, completion=10)
        assert pacer.wait_s(10, 10, 2.0) > pacing.MINUTE_S
        assert pacer.wait_s(10, 10, 61.0) == 0
        pacer.end(pacer.send(10, 10, 61.0), 61.0, prompt=10)
        assert pacer.limits == {"tpd": 1000}

    def test_limits_that_are_known_are_not_tried(self):
        pacer = Pacer({"rpd": 2}, {"tpd": 100})
        for now in (0.0, 1.0):
            pacer.end(pacer.send(1, 1, now), now, prompt=1)
        pacer.limited(1e9, ("rpd", 1), 2.0)
        assert pacer.wait_s(1, 1, 500.0) >= DAY_S - 500
        assert Pacer({}, {"tpd": 100}).fits(60, 41) is False

    pytestmark = network

    @pytest.mark.parametrize(
        "headers",
        [{"retry-after": "1764000000"}, {"retry-after": "1e9"}, {"retry-after-ms": "1e308"}],
    )
    def test_a_live_model_is_asked_again(
        self,
        server,
        make,  # noqa: F811
        monkeypatch,
        headers,
    ):
        ahead = [0.0]
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead[0])
        monkeypatch.setattr(fetching, "time", clock)
        server.faults = [refuse(429, headers)]
        one = make(provider=PATIENT)
        ends = [one.answer(ask("categorize", [f"Help {k}"])).outcome[0] for k in range(3)]
        assert ends == [RATE_LIMITED] * 3
        assert len(server.bodies) == 1
        ahead[0] = 61.0
        assert one.answer(ask("categorize", ["Help again"])).outcome.tolist() == [OK]
        assert one.answer(ask("categorize", ["And again"])).outcome.tolist() == [OK]

    def test_counts_that_no_model_has_close_nothing(self, server, make):  # noqa: F811
        server.faults = [usage({"prompt_tokens": 2_000_000_000})]
        one = make(provider={**PATIENT, "tpd": 100_000}, recording=None)
        for text in ("Help", "Help again"):
            assert one.answer(ask("categorize", [text])).outcome.tolist() == [OK]


class TestTooLarge:
    pytestmark = network

    @pytest.mark.parametrize("status", [429, 413])
    def test_a_request_that_says_so_is_sent_once(self, server, make, status):  # noqa: F811
        fault = refuse(status, message=provider_faults.TOO_LARGE)
        server.choose = lambda body, number: fault
        one = make(provider=PATIENT)
        assert one.answer(ask("categorize", ["Help"])).outcome.tolist() == [REFUSED]
        assert len(server.bodies) == 1

    @pytest.mark.parametrize("told", [{}, {"retry-after": "0.01"}])
    def test_one_that_is_larger_than_the_plan_is_sent_once(self, server, make, told):  # noqa: F811
        fault = refuse(429, told)
        server.choose = lambda body, number: fault
        one = make(provider={**PATIENT, "tpm": 150})
        assert one.answer(ask("categorize", ["Help"])).outcome.tolist() == [REFUSED]
        assert dict(one.tally.failed) == {"TooLarge": 1}
        assert len(server.bodies) == 1

    def test_one_that_fits_is_sent_again(self, server, make):  # noqa: F811
        server.faults = [refuse(429, message="on requests per minute (RPM): Limit 3, Used 3")]
        one = make(provider={**PATIENT, "rpm": None})
        assert one.answer(ask("categorize", ["Help"])).outcome.tolist() == [OK]

    @pytest.mark.parametrize("told", ["0", "0.0001", "1us"])
    def test_no_pause_is_still_a_pause(self, server, make, told):  # noqa: F811
        moments = []

        def noted(body, number):
            moments.append(time.monotonic())
            return refuse(429, {"retry-after": told})

        server.choose = noted
        one = make(provider={**PATIENT, "backoff": "40ms", "max_backoff": "40ms"})
        assert one.answer(ask("categorize", ["Help"])).outcome.tolist() == [RATE_LIMITED]
        assert len(moments) == 9
        assert min(b - a for a, b in pairwise(moments)) >= 0.03


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("350us", 350e-6), ("20\u00b5s", 20e-6), ("20\u03bcs", 20e-6), ("5ns", 5e-9),
        ("2 minutes", 120), ("1 minute", 60), ("1d2h3m", 93_780), ("1 hour and 5 minutes", 3900),
        ("1 hour, 5 min", 3900), ("1h 2m 3s", 3723), ("2 hrs", 7200), ("90 secs", 90),
        ("1.5 s", 1.5), ("300 milliseconds", 0.3), ("1e308", 1e308), ("99999d", 99999 * DAY_S),
        ("9" * 400, None), ("5 parsecs", None), ("m5", None), ("minutes", None), ("5mm", None),
    ],
)  # fmt: skip
def test_lengths_with_units(text, seconds):
    assert parse_length(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("try again in 350us.", 350e-6), ("Please try again in 2 minutes.", 120),
        ("Try again in 1d2h3m", 93_780), ("try again in 9m38.016s. Visit", 578.016),
        ("try again in 1 hour and 5 minutes, or", 3900), ("try again in 20", 20),
        ("try again in a while", None), ("try again later", None),
    ],
)  # fmt: skip
def test_lengths_in_messages(words, seconds):
    error = wire.failure(429, {"error": {"message": words}}, {}, MODEL)
    assert error.retry_after_s == (None if seconds is None else pytest.approx(seconds))


def test_retry_after_as_a_moment():
    now = datetime.now(UTC).replace(microsecond=0)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)

    def wait(**headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return wire.failure(429, None, named, MODEL).retry_after_s

    # By the server's clock where it tells it, also if that is wrong; else by ours.
    assert wait(retry_after=later, date=format_datetime(now, usegmt=True)) == 90
    old = now - timedelta(days=400)
    assert (
        wait(
            retry_after=format_datetime(old + timedelta(seconds=7), usegmt=True),
            date=format_datetime(old, usegmt=True),
        )
        == 7
    )
    assert wait(retry_after=later) == pytest.approx(90, abs=5)
    assert wait(retry_after=format_datetime(old, usegmt=True)) == 0
    assert wait(retry_after="Fri, 31 Dec 9999 23:59:59 GMT") == 7 * DAY_S
    assert wait(retry_after="Wed, 99 Oct 2026 07:28:00 GMT") is None
    assert wait(retry_after="1764000000") == 7 * DAY_S
    assert wait(retry_after_ms="1e308") == 7 * DAY_S
    assert wait(retry_after="1d2h3m") == 93_780


def test_words_of_articles_are_cleaned():
    assert Written("Press\x00 this.", ("card",), (0.5,)) == Written(
        "Press\ufffd this.", ("card",), (0.5,)
    )


@pytest.mark.parametrize(
    ("answer", "cleaned"),
    [
        ("Do this.", "Do this."),
        ("a\ud800b\x00c", "a\ufffdb\ufffdc"),
        ("\U0001f600", "\U0001f600"),
        ("<think>Hm</think>Do this.", "Do this."),
        ("<think>Hm</think>1<think>Hm</think>2", "12"),
        ("<THINKING>Hm</Thinking>Do this.", "Do this."),
        ("Hm</think>Do this.", "Do this."),
        ("<think>a<think>b</think>c</think>Do this.", "Do this."),
        ("<think>Hm", ""),
        ("Do this.<think>Hm", ""),
        ("<think></think>", ""),
        ("I think <b>so</b>", "I think <b>so</b>"),
        ("Type <thinkpad>", "Type <thinkpad>"),
    ],
)
def test_answers_are_cleaned(answer, cleaned):
    assert clean(answer) == cleaned
    assert clean(cleaned) == cleaned


def test_cleaning_takes_no_more_time_than_the_text_is_long():
    begun = time.perf_counter()
    assert clean("<think>" * 300_000) == ""
    assert clean("</think>" * 300_000 + "x") == "x"
    assert clean("<think" + " " * 1_000_000) != ""
    assert time.perf_counter() - begun < 5


def answer_in_json(content):
    """A whole answer, as data."""
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "queue_time": 0.1}
    choice = {"message": {"content": content}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": usage, "error": None}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
    | st.sampled_from([10**400, -1, 429, "429", "rate_limit_exceeded", "\ud800", "<think>"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["error", "code", "type", "status", "message", "content", "text"]),
        inner, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
PLACES = [
    (), ("choices",), ("choices", 0), ("choices", 0, "message"), ("choices", 0, "finish_reason"),
    ("choices", 0, "message", "content"), ("choices", 0, "error"), ("usage",), ("error",),
    ("code",), ("usage", "prompt_tokens"), ("usage", "queue_time"),
    ("usage", "prompt_tokens_details"),
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(PLACES), value=ANY_JSON, cut=st.integers(0, 400) | st.none())
def test_any_json_in_any_place(place, value, cut):
    data = answer_in_json("Do this.")
    if place:
        here = data
        for step in place[:-1]:
            here = here[step]
        here[place[-1]] = value
    else:
        data = value
    body = json.dumps(data).encode()[:cut]
    asked = [{"role": "user", "content": "Help"}]
    try:
        sent = wire.read_completion(body, 0.1, {}, asked, MODEL)
    except AssistantError:
        pass
    else:
        sent.answer.encode()
        assert sent.prompt_tokens + sent.completion_tokens <= 2 * MODEL.context
        json.dumps(dataclasses.asdict(sent), allow_nan=False).encode()
    assert isinstance(wire.failure(503, data, {}, MODEL), AssistantError)


ODD = "Do\ud800 this.\x00 <think>Hm.</think>Then that."
SEEN = "Do\ufffd this.\ufffd Then that."


class TestAnswers:
    """The same answer in a run, in its replay and at the live desk."""

    pytestmark = network

    def test_run_and_replay_see_the_same(self, server, corpus, tmp_path):  # noqa: F811
        server.choose = lambda body, number: message(content=ODD)
        path = tmp_path / "kept.jsonl"
        texts = []
        for backend in ("groq", "groq", "replay"):
            one = build(desk(corpus, backend=backend, recording=str(path)), CATEGORIES, None)
            answers = one.answer(ask("respond", ["Help"], category=0))
            texts.append(answers.texts[answers.written[0]].text)
            if backend == "groq":
                one.close()
        assert texts == [SEEN] * 3
        assert len(server.bodies) == 1

    def test_an_older_recording_is_cleaned_where_it_is_read(self, server, corpus, tmp_path):  # noqa: F811
        path = tmp_path / "kept.jsonl"
        one = build(desk(corpus, recording=str(path)), CATEGORIES, None)
        one.answer(ask("respond", ["Help", "Me"], category=0))
        one.close()
        first, second = one.recording.replies()
        odd = [
            dataclasses.replace(first, answer=ODD),
            dataclasses.replace(second, answer="1. Do thi", finish="length"),
        ]
        odd.append(dataclasses.replace(first, key="0" * 64, finish=None))
        # As other programs write JSON.
        path.write_text("".join(json.dumps(vars(reply)) + "\n" for reply in odd))
        for backend in ("replay", "groq"):
            one = build(desk(corpus, backend=backend, recording=str(path)), CATEGORIES, None)
            tickets = json.loads(first.request["messages"][1]["content"])["ticket"]
            order = ["Help", "Me"] if tickets == "Help" else ["Me", "Help"]
            answers = one.answer(ask("respond", order, category=0))
            assert answers.outcome.tolist() == [OK, BAD_ANSWER]
            assert [w.text for w in answers.texts] == [SEEN]
            assert answers.written.tolist() == [0, -1]
            if backend == "groq":
                one.close()

    @pytest.mark.parametrize(
        ("content", "finish"),
        [
            ("1. Do thi", "length"),
            ("1. Do thi", "content_filter"),
            ("1. Do thi", "max_tokens"),
            ("<think>The customer wants", "length"),
            ("<think>The customer wants", "stop"),
            ("<think>All thoughts</think>\n", "stop"),
            (None, "content_filter"),
        ],
    )
    def test_a_stump_is_no_answer(self, server, make, content, finish):  # noqa: F811
        server.choose = lambda body, number: message(content=content, finish=finish)
        one = make(provider=PATIENT)
        answers = one.answer(ask("respond", ["Help"], category=0))
        assert answers.outcome.tolist() == [BAD_ANSWER]
        assert answers.texts == []
        assert len(one.recording) == 0
        assert len(server.bodies) == 2
        said = server.bodies[1]["messages"][-1]["content"]
        assert ("filter" in said) == (finish == "content_filter")
        assert ("cut at the token limit" in said) == (finish in ("length", "max_tokens"))

    def test_a_stump_that_is_followed_by_an_answer(self, server, make):  # noqa: F811
        server.faults = [message(content="1. Do thi", finish="length")]
        answers = make(provider=PATIENT).answer(ask("respond", ["Help"], category=0))
        assert [w.text for w in answers.texts] == ["1. Do this.\n2. Then that."]

    def test_an_answer_with_a_surrogate_can_be_shown_to_the_model_again(self, server, make):  # noqa: F811
        server.faults = [message(content="\ud800\x00 no JSON")]
        assert make(provider=PATIENT).answer(ask("categorize", ["Help"])).outcome.tolist() == [OK]
        assert server.bodies[1]["messages"][2]["content"] == "\ufffd\ufffd no JSON"

    def test_tokens_that_nobody_counted_are_estimated_and_said_to_be(self, server, make):  # noqa: F811
        server.choose = lambda body, number: usage(None)
        one = make(provider=PATIENT)
        answers = one.answer(ask("respond", ["Help"], category=0))
        (kept,) = one.recording.replies()
        assert kept.usage["estimated"] == 1
        assert one.tally.uncounted == 1
        characters = sum(len(m["content"]) for m in server.bodies[0]["messages"])
        assert answers.prompt_tokens.tolist() == [-(-characters // 4)]
        assert answers.completion_tokens.tolist() == [7]  # Of 26 characters.
        # A budget counts what they may have cost at most.
        assert one.tally.spent_usd > kept.cost_usd

    def test_the_live_desk(self, server, tmp_path):
        serves(server, Store(str(tmp_path / "desk.sqlite")), tmp_path)


def serves(server, store, folder):
    """A live desk that asks the server, whose answers are odd, resolves with what can be kept."""

    def choose(body, number):
        return "ok" if body.get("response_format") else message(content=ODD)

    server.choose = choose
    data = desk_data(folder, backend="groq", confidence_threshold=0.0, review_categories=[])
    app = create_app(Desk(from_data(data), store, 20.0))
    client = app.test_client()
    headers = {"Idempotency-Key": "one"}
    body = {"description": "I cannot log in"}
    first = client.post("/process_ticket", json=body, headers=headers)
    assert first.status_code == 200
    assert first.get_json()["response"] == SEEN
    asked = len(server.bodies)
    assert asked == 2
    # Sent again it is neither asked nor paid again.
    again = client.post("/process_ticket", json=body, headers=headers)
    assert again.get_json()["response"] == SEEN
    assert len(server.bodies) == asked
    (ticket,) = store.tickets()
    assert ticket["status"] == "Waiting for customer"
    assert ticket["held_until"] is None
    # A stump goes to an agent.
    server.choose = lambda body, number: (
        "ok" if body.get("response_format") else message(content="1. Do thi", finish="length")
    )
    assert client.post("/process_ticket", json={"description": "Again"}).status_code == 502
    assert store.tickets()[0]["status"] == "Escalated"
    assert store.tickets()[0]["response"] is None
    store.close()


class TestBodies:
    """No body fills the memory."""

    def read(self, chunks, encoding=""):
        class Stream(httpx.AsyncByteStream):
            async def __aiter__(self):
                for chunk in chunks:
                    yield chunk

        async def whole():
            response = httpx.Response(200, headers={"content-encoding": encoding}, stream=Stream())
            await bounded.bound(response)
            return await response.aread()

        return asyncio.run(whole())

    def test_up_to_the_bound(self, monkeypatch):
        monkeypatch.setattr(bounded, "MOST_BYTES", 10)
        assert self.read([b"12345", b"67890"]) == b"1234567890"
        with pytest.raises(bounded.OutOfBounds):
            self.read([b"12345", b"678901"])

    def test_a_bomb_is_never_unpacked(self):
        packed = provider_faults.bomb()
        assert len(packed) < bounded.MOST_BYTES / 100
        with pytest.raises(bounded.OutOfBounds):
            self.read([packed], "gzip")

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "magic", "gzip;q=1"])
    def test_other_ways_of_packing(self, encoding):
        with pytest.raises(bounded.OutOfBounds):
            self.read([b"{}"], encoding)
