"""The live backend over the real SDK, against a server of our own on loopback."""

import asyncio
import json
import logging
from datetime import date

import numpy as np
import pytest
from fault_server import KEY

from twin.assistant import catalogue, errors
from twin.assistant.backends import build
from twin.assistant.live import groq, wire
from twin.assistant.protocol import OK, OUTCOMES, Guidance, Luck, Questions
from twin.scenario.model import from_data

network = [pytest.mark.network, pytest.mark.allow_hosts(["127.0.0.1", "localhost"])]
CATEGORIES = ("Login", "Other", "Payment")


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "tickets.csv"
    rows = [f'"My problem {k}",{name}' for k, name in enumerate(CATEGORIES * 4)]
    path.write_text("\n".join(["text,category", *rows]) + "\n", encoding="utf-8")
    return path


def desk(corpus, **assistant):
    provider = assistant.pop("provider", {})
    return from_data(
        {
            "arrivals": {"rate": "6/h"},
            "tickets": {"corpus": str(corpus)},
            "assistant": {"role": "full", "backend": "groq", **assistant},
            "provider": {"timeout": "30s", "retries": 1, "backoff": "20ms", **provider},
        }
    )


@pytest.fixture
def make(corpus):
    made = []

    def build_one(**assistant):
        scenario = desk(corpus, **assistant)
        made.append(build(scenario, CATEGORIES, None))
        return made[-1]

    yield build_one
    for one in made:
        one.close()


def ask(step, texts, category=None, **more):
    n = len(texts)
    return Questions(
        step=step,
        categories=CATEGORIES,
        texts=texts,
        text=np.arange(n),
        category=None if category is None else np.full(n, category),
        truth=np.zeros(n, dtype=np.int64),
        ticket=np.arange(n),
        luck=Luck.neutral(n),
        **more,
    )


class TestAnswers:
    pytestmark = network

    def test_a_category_with_its_confidence(self, server, make):
        answers = make().answer(ask("categorize", ["Help", "My card"]))
        assert answers.outcome.tolist() == [OK, OK]
        assert set(answers.category.tolist()) <= {0, 1, 2}
        assert ((answers.confidence >= 0) & (answers.confidence <= 1)).all()
        assert (answers.latency_s > 0).all()
        assert answers.completion_tokens.tolist() == [12, 12]
        assert (answers.prompt_tokens > 70).all()
        assert server.paths == {"/openai/v1/chat/completions"}
        assert server.keys == {f"Bearer {KEY}"}

    def test_an_answer(self, server, make):
        answers = make().answer(ask("respond", ["Help"], category=1))
        assert answers.texts[answers.written[0]].text == "1. Do this.\n2. Then that."
        user = json.loads(server.bodies[0]["messages"][1]["content"])
        assert user == {"ticket": "Help", "category": "Other", "articles": []}

    def test_what_is_sent(self, server, make):
        one = make(model="openai/gpt-oss-120b", temperature=0.7)
        one.answer(ask("categorize", ["Help"]))
        body = server.bodies[0]
        assert body["model"] == "openai/gpt-oss-120b"
        assert body["temperature"] == 0.7
        assert body["seed"] == 0
        # 50 for the answer, and room for the thoughts of a model that thinks.
        assert body["max_completion_tokens"] == 200
        assert body["reasoning_effort"] == "low"
        form = body["response_format"]
        assert form["type"] == "json_schema"
        assert form["json_schema"]["strict"] is True
        assert not {"tools", "n", "logprobs", "stream", "max_tokens"} & set(body)
        assert [m["role"] for m in body["messages"]] == ["system", "user"]

    def test_json_in_words_where_there_is_no_strict_schema(self, server, make):
        make(model="qwen/qwen3.8-27b").answer(ask("categorize", ["Help"]))
        assert server.bodies[0]["response_format"] == {"type": "json_object"}
        assert "JSON object" in server.bodies[0]["messages"][0]["content"]

    def test_a_prompt_is_asked_once_and_each_sample_of_it(self, server, make):
        one = make()
        questions = ask("categorize", ["Help", "Help"])
        # Distinct texts of the same words are the same prompt.
        twice = one.answer(questions)
        same = one.answer(ask("categorize", ["Help"]))
        assert twice.category.tolist() == same.category.tolist() * 2
        assert twice.latency_s.tolist() == same.latency_s.tolist() * 2
        assert len(server.bodies) == 1
        one.answer(ask("categorize", ["Help"], sample=np.array([1])))
        assert [body["seed"] for body in server.bodies] == [0, 1]

    def test_guidance_is_data_in_the_prompt(self, server, make):
        guidance = [Guidance(good=(("Old", "Did well"),)), Guidance()]
        make().answer(ask("respond", ["Help", "Me"], category=0, guidance=guidance))
        users = [json.loads(body["messages"][1]["content"]) for body in server.bodies]
        by_ticket = {user["ticket"]: user for user in users}
        assert by_ticket["Help"]["good"] == [{"ticket": "Old", "answer": "Did well"}]
        assert "good" not in by_ticket["Me"]

    def test_inside_a_running_loop_as_in_a_notebook(self, server, make):
        one = make()

        async def cell():
            return one.answer(ask("categorize", ["Help"]))

        assert asyncio.run(cell()).outcome.tolist() == [OK]

    def test_awaited(self, server, make):
        one = make()

        async def two():
            batches = [ask("categorize", ["Help"]), ask("categorize", ["Me"])]
            return await asyncio.gather(*map(one.answer_async, batches))

        assert [answers.outcome.tolist() for answers in asyncio.run(two())] == [[OK], [OK]]

    def test_other_categories_are_refused(self, make, server):
        one = make()
        with pytest.raises(ValueError, match="categories"):
            one.answer(
                Questions(**{**vars(ask("categorize", ["Help"])), "categories": ("Another",)})
            )

    def test_a_ticket_of_unknown_category_is_not_answered(self, make, server):
        with pytest.raises(ValueError, match="not known"):
            make().answer(ask("respond", ["Help"], category=-1))


class TestKeyAndAddress:
    def test_from_the_environment_first(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        (tmp_path / ".env").write_text("GROQ_API_KEY=gsk_file\nGROQ_BASE_URL=http://127.0.0.1:9\n")
        monkeypatch.delenv("GROQ_API_KEY", raising=False)
        monkeypatch.delenv("GROQ_BASE_URL", raising=False)
        assert groq.Settings.find() == groq.Settings("gsk_file", "http://127.0.0.1:9")
        monkeypatch.setenv("GROQ_API_KEY", KEY)
        found = groq.Settings.find()
        assert found.key == KEY
        assert KEY not in repr(found)
        # The file is read, never loaded into the environment of the process and its children.
        import os

        assert "GROQ_BASE_URL" not in os.environ

    @pytest.fixture
    def places(self, monkeypatch, tmp_path):
        """Write the environment and .env: K, U and P are key, address and leave for plain HTTP."""
        monkeypatch.chdir(tmp_path)
        names = {"K": "GROQ_API_KEY", "U": "GROQ_BASE_URL", "P": "TWIN_PLAIN_HTTP"}

        def write(here, there):
            for short, name in names.items():
                monkeypatch.delenv(name, raising=False)
                if short in here:
                    monkeypatch.setenv(name, here[short])
            lines = [f"{names[short]}={value}" for short, value in there.items()]
            (tmp_path / ".env").write_text("\n".join(lines))

        return write

    @pytest.mark.parametrize(
        ("here", "there", "key", "url", "source"),
        [
            ({"K": "real"}, {"U": "https://evil.test"}, "real", "https://api.groq.com", 0),
            ({"K": "real"}, {"U": "http://127.0.0.1:9"}, "real", "https://api.groq.com", 0),
            ({"K": "real"}, {"K": "b", "U": "https://evil"}, "real", "https://api.groq.com", 0),
            ({"K": "real", "U": "https://mine.test"}, {"U": "https://evil.test"}, "real",
             "https://mine.test", 0),
            ({"U": "http://127.0.0.1:9"}, {"K": "b", "U": "https://b.test"}, "none",
             "http://127.0.0.1:9", 0),
            ({}, {"K": "b", "U": "https://b.test/openai/v1"}, "b", "https://b.test", 1),
            ({}, {"K": "b"}, "b", "https://api.groq.com", 1),
            ({"K": " ", "U": ""}, {"K": "b"}, "b", "https://api.groq.com", 1),
        ],
    )  # fmt: skip
    def test_key_and_address_are_of_one_source(self, places, here, there, key, url, source):
        places(here, there)
        found = groq.Settings.find()
        assert (found.key, found.url) == (key, url)
        assert found.source == ("the environment", ".env")[source]
        assert url.removeprefix("https://") in found.words
        assert ("no key" if key == "none" else "key of " + found.source) in found.words
        for secret in {"real", "evil"} & {key, "evil"}:
            assert secret not in found.words
        unused = "U" in there and "U" not in here and source == 0
        assert ("GROQ_BASE_URL of .env is not used" in found.words) == unused

    def test_a_key_of_the_file_goes_to_no_address_of_the_environment(self, places):
        places({"U": "https://gateway.test"}, {"K": "b"})
        with pytest.raises(errors.NoKey, match="same place"):
            groq.Settings.find()

    @pytest.mark.parametrize(
        "url",
        ["http://api.groq.com", "http://10.0.0.5:8000", "http://localhost.evil.test", "http://0.0.0.0",
         "http://127.0.0.1.evil.test", "HTTP://gateway", "http://[2001:db8::1]", "http://0x7f.1",
         "http://localhost."],
    )  # fmt: skip
    def test_plain_http_off_this_machine_takes_leave(self, places, url):
        places({"K": "real", "U": url}, {"P": "1"})
        with pytest.raises(errors.PlainAddress, match="TWIN_PLAIN_HTTP=1") as caught:
            groq.Settings.find()
        assert "real" not in str(caught.value)
        places({"K": "real", "U": url, "P": "no"}, {})
        with pytest.raises(errors.PlainAddress):
            groq.Settings.find()
        places({"K": "real", "U": url, "P": "1"}, {})
        assert groq.Settings.find().url == url
        # Leave comes from where the address does.
        places({}, {"K": "b", "U": url, "P": "1"})
        assert groq.Settings.find().source == ".env"
        places({"P": "1"}, {"K": "b", "U": url})
        with pytest.raises(errors.PlainAddress):
            groq.Settings.find()

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:1", "http://127.9.9.9", "http://localhost:8080", "http://[::1]:9"]
    )
    def test_plain_http_on_this_machine(self, places, url):
        places({"K": "real", "U": url}, {})
        assert groq.Settings.find().url == url

    def test_no_key(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("GROQ_API_KEY", raising=False)
        monkeypatch.delenv("GROQ_BASE_URL", raising=False)
        with pytest.raises(errors.NoKey, match=r"console\.groq\.com/keys"):
            groq.Settings.find()
        monkeypatch.setenv("GROQ_BASE_URL", "http://localhost:8080")
        assert groq.Settings.find().url == "http://localhost:8080"

    @pytest.mark.parametrize("end", ["", "/", "/openai/v1", "/openai/v1/"])
    def test_the_path_that_the_sdk_adds_is_mended(self, monkeypatch, tmp_path, end):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GROQ_API_KEY", KEY)
        monkeypatch.setenv("GROQ_BASE_URL", f"https://api.groq.com{end}")
        assert groq.Settings.find().url == "https://api.groq.com"

    @pytest.mark.parametrize(
        "url",
        ["api.groq.com", "ftp://x", "http://", "http://me:pw@host", "[x", "https://host?pw=1",
         "https://host#pw", "https://evil.test\\@api.groq.com", "https://me@host", "https://a b",
         "https://host:99999", "https://host:x", "https:///pw", "https://host\tpw", "file:///pw"],
    )  # fmt: skip
    def test_no_address(self, monkeypatch, tmp_path, url):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GROQ_API_KEY", KEY)
        monkeypatch.setenv("GROQ_BASE_URL", url)
        with pytest.raises(errors.WrongAddress) as caught:
            groq.Settings.find()
        assert "pw" not in str(caught.value)

    @pytest.mark.parametrize("key", ["gsk_ü", "gsk_a\nb"])
    def test_a_key_that_can_be_no_header(self, monkeypatch, tmp_path, key):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("GROQ_API_KEY", key)
        monkeypatch.delenv("GROQ_BASE_URL", raising=False)
        with pytest.raises(errors.WrongKey) as caught:
            groq.Settings.find()
        assert key not in str(caught.value)

    def test_a_retired_model_is_refused_before_any_call(self, monkeypatch, corpus):
        monkeypatch.setattr(wire, "today", lambda: date(2026, 10, 1))
        for model in ("gemma-7b-it", "llama3-8b-8192"):
            with pytest.raises(errors.ModelRetired, match="openai/gpt-oss-20b") as caught:
                build(desk(corpus, model=model), CATEGORIES, None)
            assert caught.value.successor == "openai/gpt-oss-20b"

    def test_the_sdk_logs_no_requests(self):
        groq.Caller(groq.Settings(KEY, "http://127.0.0.1:9"), 1.0, catalogue.model("gemma-7b-it"))
        assert OUTCOMES[OK] == "ok"
        assert logging.getLogger("groq._base_client") is not None
