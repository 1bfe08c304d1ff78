"""Answers that come as streams: the same words, the time to the first token, and their faults."""

import asyncio
import dataclasses
import json
import time

import pytest
from fault_server import KEY
from hypothesis import given
from hypothesis import strategies as st
from recorded_models import Skill, replies, write
from test_groq import CATEGORIES, ask, desk
from typer.testing import CliRunner

from twin.assistant import catalogue, errors
from twin.assistant.live import streaming
from twin.assistant.live.groq import Caller, GroqAssistant, Settings
from twin.assistant.protocol import OK, SERVER_ERROR
from twin.assistant.recorded.recording import Recording, Reply
from twin.cli.app import app
from twin.experiments import model_table as figures
from twin.experiments.model_table import read_models
from twin.report import attempts as attempts_page
from twin.report import models as models_page

network = [pytest.mark.network, pytest.mark.allow_hosts(["127.0.0.1", "localhost"])]


def gathered(lines):
    async def given():
        for line in lines:
            yield line

    return asyncio.run(streaming.gather(given(), time.perf_counter()))


def piece(text=None, finish=None, **more):
    return "data: " + json.dumps(
        {"choices": [{"delta": {"content": text}, "finish_reason": finish}]} | more
    )


def test_pieces_are_put_together_with_finish_and_counts():
    counts = piece(x_groq={"usage": {"prompt_tokens": 3}}, choices=[])
    lines = [piece(""), "", ": comment", piece("Do "), piece("this."), piece(None, "stop"), counts]
    lines += ["data: [DONE]", "junk"]
    body, first_s = gathered(lines)
    assert json.loads(body) == {
        "choices": [{"message": {"content": "Do this."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3},
    }
    assert 0 <= first_s < 1


def test_an_answer_that_comes_whole_is_left_as_it_is():
    whole = json.dumps({"choices": [{"message": {"content": "Hello"}}]}, indent=1)
    body, first_s = gathered(whole.splitlines())
    assert json.loads(body) == json.loads(whole)
    assert first_s is None
    assert gathered([]) == (b"", None)


@pytest.mark.parametrize(
    "lines", [[piece("Do this.")], ["data: nonsense"], ["data: [1]"], ["data: " + "[" * 100_000]]
)
def test_a_stream_that_is_none_or_not_whole_is_a_fault(lines):
    with pytest.raises(ValueError):  # noqa: PT011
        gathered(lines)


@given(st.lists(st.text(max_size=12).filter(lambda t: len(t.splitlines()) < 2), max_size=6))
def test_whatever_a_server_writes_it_is_a_body_or_a_fault(lines):
    try:
        body, first_s = gathered([f"data: {line}" for line in lines])
    except ValueError:
        return
    assert isinstance(body, bytes)
    assert first_s is None


class TestLive:
    pytestmark = network

    @pytest.fixture
    def make(self, tmp_path):
        made = []

        def build(stream=True, **assistant):
            path = tmp_path / "tickets.csv"
            path.write_text("text,category\na,Login\nb,Other\nc,Payment\n", encoding="utf-8")
            scenario = desk(path, **assistant)
            model = catalogue.model(scenario.assistant.model)
            made.append(GroqAssistant(scenario, CATEGORIES, model, stream=stream))
            return made[-1]

        yield build
        for one in made:
            one.close()

    def test_the_same_answer_under_the_same_key_with_its_first_token(self, server, make):
        server.streams_s = 0.2
        one, other = make(), make(stream=False)
        questions = ask("respond", ["Help"], category=1)
        streamed, whole = one.answer(questions), other.answer(questions)
        assert streamed.texts == whole.texts
        assert streamed.replies == whole.replies
        assert streamed.prompt_tokens.tolist() == whole.prompt_tokens.tolist()
        assert [body.get("stream") for body in server.bodies] == [True, None]
        assert server.bodies[0]["stream_options"] == {"include_usage": True}
        (mine,), (theirs,) = one.recording.replies(), other.recording.replies()
        assert "stream" not in mine.request
        first_s = mine.timings["first_token_time"]
        assert 0 < first_s < mine.latency_s - 0.19
        assert "first_token_time" not in theirs.timings
        assert mine.timings["queue_time"] == theirs.timings["queue_time"] == 0.01

    def test_an_answer_of_a_given_form_comes_whole(self, server, make):
        assert make().answer(ask("categorize", ["Help"])).outcome.tolist() == [OK]
        assert "stream" not in server.bodies[0]

    @pytest.mark.parametrize("fault", ["endless_stream", "error_in_stream", "cut_connection", 500])
    def test_a_stream_that_breaks_is_asked_for_again(self, server, make, fault):
        server.faults = [fault]
        one = make()
        answers = one.answer(ask("respond", ["Help"], category=1))
        assert answers.outcome.tolist() == [OK]
        assert len(server.bodies) == 2
        server.faults = [fault] * 4
        again = one.answer(ask("respond", ["Help"], category=0))
        assert again.outcome.tolist() == [SERVER_ERROR]

    @pytest.mark.parametrize(
        ("fault", "error", "message"),
        [
            ("cut_stream", errors.Unreachable, "the connection broke"),
            ("long_stream", errors.BrokenResponse, "too long"),
            ("still_stream", errors.TimedOut, "time"),
        ],
    )
    def test_a_stream_that_fails_is_named_by_its_fault(self, server, fault, error, message):
        server.faults, server.streams_s = [fault], 5.0 if fault == "still_stream" else 0.0
        caller = Caller(Settings(KEY, server.url), 0.5, catalogue.model("openai/gpt-oss-20b"), True)
        request = {
            "model": "openai/gpt-oss-20b", "max_completion_tokens": 40,
            "messages": [{"role": "user", "content": "Help"}],
        }  # fmt: skip

        async def send():
            try:
                await caller.send(request)
            finally:
                await caller.close()

        with pytest.raises(error, match=message):
            asyncio.run(send())

    def test_a_server_that_knows_no_streams_is_read_all_the_same(self, server, make):
        server.faults = ["whole"]
        one = make()
        assert one.answer(ask("respond", ["Help"], category=1)).outcome.tolist() == [OK]
        assert "first_token_time" not in one.recording.replies()[0].timings

    def test_calls_at_once_are_counted_when_they_are_sent(self, server, make):
        server.latency_s = 0.2
        one = make(provider={"concurrency": 3})
        one.answer(ask("respond", [f"Help {k}" for k in range(8)], category=1))
        # The first goes alone, as the provider's limits are not known yet.
        counts = [reply.at_once for reply in one.recording.replies()]
        assert (min(counts), max(counts)) == (1, 3)
        one.answer(ask("respond", ["More"], category=1))
        assert one.recording.replies()[-1].at_once == 1

    def test_the_command_records_streams(self, server, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "t.csv").write_text(
            "text,category\na,Login\nb,Other\nc,Login\nd,Other\ne,Login\n", encoding="utf-8"
        )
        (tmp_path / "d.toml").write_text(
            'horizon = "1h"\nreplications = 1\n[arrivals]\nrate = "4/h"\n[tickets]\n'
            'corpus = "t.csv"\n[assistant]\nrole = "full"\nbackend = "groq"\n'
            '[agents.all]\nheads = 1\nhandle_time = "5min"\n',
            encoding="utf-8",
        )
        done = CliRunner().invoke(app, ["record", "d.toml", "--stream", "--yes"])
        assert done.exit_code == 0, done.output
        written = Recording(tmp_path / "recordings" / "d.jsonl").replies()
        assert {reply.step for reply in written if "first_token_time" in reply.timings} == {
            "respond"
        }
        assert all(reply.at_once >= 1 for reply in written)


def test_older_recordings_do_not_tell_the_load_and_odd_ones_are_damaged(tmp_path):
    one = next(replies("m", Skill()))
    data = json.loads(one.to_line())
    del data["checksum"], data["at_once"]
    assert Reply.from_line(json.dumps(data).encode()).at_once == 0
    for odd in (-1, "3", True, 2.5):
        with pytest.raises(ValueError, match="number of calls"):
            Reply.from_line(json.dumps(data | {"at_once": odd}).encode())


def test_latency_is_told_apart_from_the_load(tmp_path):
    made = [
        dataclasses.replace(
            one,
            at_once=1 + k % 2,
            latency_s=0.4 if k % 2 else 0.2,
            timings={"first_token_time": 0.1} if one.step == "respond" else {},
        )
        for k, one in enumerate(replies("m", Skill(), 12, 2))
    ]
    several = read_models([write(tmp_path / "r.jsonl", made)])
    found = figures.load(several[0])
    assert found["at_once"] == pytest.approx(1.5)
    assert (found["alone_p50_s"], found["beside_p50_s"]) == (0.2, 0.4)
    assert (found["first_token_p50_s"], found["first_token_p90_s"]) == (0.1, 0.1)
    html = models_page.page(several, 0.5, "a test").replace("\xa0", " ")
    for words in ("first token, p50", "latency alone, p50", "0.200 s", "0.100 s"):
        assert words in html
    assert "calls at once" in attempts_page.page(several, "a test")
    bare = read_models([write(tmp_path / "s.jsonl", replies("m", Skill(), 12, 2))])
    assert figures.load(bare[0]) == pytest.approx(dict.fromkeys(found, float("nan")), nan_ok=True)
