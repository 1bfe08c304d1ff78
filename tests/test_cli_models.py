import json
import re
import tomllib
from datetime import date

import pytest
import typer
from typer.testing import CliRunner

from twin.assistant import catalogue
from twin.assistant.recorded.recording import Reply
from twin.cli.models import register
from twin.scenario.file import starter

CORPUS = starter() / "corpus" / "tickets.csv"
QUESTIONS = starter() / "corpus" / "questions.csv"


@pytest.fixture
def twin():
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    register(app)

    def call(*words):
        return CliRunner().invoke(app, [str(word) for word in words])

    return call


@pytest.fixture
def recording(tmp_path):
    """A recording of twelve calls about shipped tickets, all answered rightly."""
    import pandas as pd

    tickets = pd.read_csv(CORPUS, keep_default_na=False).head(6)
    lines = []
    for k, row in enumerate(tickets.itertuples()):
        for step in ("categorize", "respond"):
            data = {"ticket": row.text, "category": row.category, "articles": []}
            answer = json.dumps({"category": row.category, "confidence": 0.8})
            messages = [
                {"role": "system", "content": "s"},
                {"role": "user", "content": json.dumps(data)},
            ]
            reply = Reply(
                key=f"{step}{k}".rjust(64, "0"),
                step=step,
                model="openai/gpt-oss-20b",
                prompt_version="1",
                sample=0,
                request={"messages": messages, "max_completion_tokens": 200},
                answer=answer if step == "categorize" else "Open the app.",
                finish="stop",
                repaired=False,
                prompt_tokens=300 + k,
                completion_tokens=20,
                latency_s=0.3 + 0.01 * k,
                timings={"queue_time": 0.1, "prompt_time": 0.05, "completion_time": 0.1},
                recorded="2026-11-01T10:00:00+00:00",
            )
            lines.append(reply.to_line())
    path = tmp_path / "recording.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def test_models_shows_live_ones_and_all_of_them_when_asked(twin):
    live, every = twin("models"), twin("models", "--all")
    assert live.exit_code == every.exit_code == 0
    assert "openai/gpt-oss-20b" in live.stdout
    assert "gemma-7b-it" not in live.stdout
    assert "twin models --all" in live.stdout
    retired = next(line for line in every.stdout.splitlines() if line.startswith("gemma-7b-it "))
    assert re.search(r"2024-12-18 +gemma2-9b-it", retired)
    unknown = [line for line in every.stdout.splitlines() if line.startswith("llama-3.1-8b")]
    assert unknown[0].count("unknown") == 4
    assert "console.groq.com" in every.stdout


def test_an_old_price_is_marked(twin, monkeypatch):
    class Later(date):
        @classmethod
        def today(cls):
            return cls(2028, 1, 1)

    monkeypatch.setattr("twin.cli.models.date", Later)
    shown = twin("models")
    assert "0.075!" in shown.stdout
    assert "more than a year ago" in shown.stdout
    (first, *_) = json.loads(twin("models", "--json").stdout)
    assert first["price_stale"] is True


def test_models_as_json(twin):
    found = {entry["name"]: entry for entry in json.loads(twin("models", "--json").stdout)}
    assert list(found) == list(catalogue.models())
    assert found["openai/gpt-oss-20b"]["limits"]["free"]["rpm"] == 30
    assert found["llama-3.1-8b-instant"]["price_in"] is None
    assert found["llama-3.1-8b-instant"]["price_known"] is False
    assert found["gemma-7b-it"]["is_retired"] is True


def test_rag_finds_the_articles_beside_the_corpus(twin):
    shown = twin("rag", QUESTIONS)
    assert shown.exit_code == 0, shown.output
    assert "130 questions" in shown.stdout
    for words in ("recall@1", "recall@3", "recall@5", "MRR", "high", "low", "words only", "off"):
        assert words in shown.stdout


def test_rag_as_json_with_other_ks(twin):
    folder = starter() / "knowledge"
    shown = twin("rag", QUESTIONS, "--k", 2, "--k", 10, "--knowledge", folder, "--json")
    found = json.loads(shown.stdout)
    assert {row["figure"] for row in found} == {"recall@2", "recall@10", "MRR", "answer quality"}


def test_rag_without_articles_says_where_it_looked(twin, tmp_path):
    path = tmp_path / "corpus" / "questions.csv"
    path.parent.mkdir()
    path.write_text("question,article\nx,y\n")
    shown = twin("rag", path)
    assert shown.exit_code == 2
    assert "--knowledge" in shown.stderr


def test_profile_prints_both_and_writes_a_scenario(twin, recording, tmp_path):
    scenario = starter() / "baseline.toml"
    out = tmp_path / "measured.toml"
    shown = twin("profile", recording, "--scenario", scenario, "--out", out, "--error-rate", 0.01)
    assert shown.exit_code == 0, shown.output
    for words in ("latency p50", "latency p99", "prompt tokens", "accuracy", "difference"):
        assert words in shown.stdout
    assert "recordings hold no failed calls" not in shown.stderr
    from twin.scenario.file import load

    desk = load(out)
    assert desk.assistant.profile.accuracy == 1
    assert desk.assistant.profile.error_rate == 0.01
    assert desk.assistant.profile.measured.respond.calls == 6
    assert desk.assistant.knowledge
    again = twin("profile", recording, "--scenario", scenario, "--out", out)
    assert again.exit_code == 2
    assert "is there already" in again.stderr


def test_profile_without_a_corpus_says_what_is_missing(twin, recording, tmp_path):
    out = tmp_path / "bare.toml"
    shown = twin("profile", recording, "--out", out)
    assert shown.exit_code == 0
    assert "accuracy, confusion and confidence are the profile's defaults" in shown.stderr
    assert "quality is the profile's default" in shown.stderr
    assert "error_rate is 0" in shown.stderr
    assert "extends" in shown.stdout
    assert "measured" in tomllib.loads(out.read_text())["assistant"]["profile"]


def test_profile_as_json(twin, recording):
    found = json.loads(twin("profile", recording, "--corpus", CORPUS, "--json").stdout)
    assert found["profile"]["accuracy"] == 1
    assert {row["figure"] for row in found["reproduction"]} >= {"latency p90", "accuracy"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("profile", "nowhere.jsonl"), "no such recording"),
        (("profile", CORPUS), "not a line of a recording"),
        (("rag", "nowhere.csv"), "no such file"),
        (("rag", CORPUS), "no column question"),
    ],
)
def test_faults_are_one_line_and_an_exit_code(twin, words, reason):
    shown = twin(*words)
    assert shown.exit_code == 2
    assert reason in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1


def test_llm_names_a_bad_file(twin, tmp_path):
    path = tmp_path / "x.gguf"
    path.write_text("no model")
    shown = twin("llm", "--gguf", path)
    assert shown.exit_code == 1
    assert "not a GGUF model" in shown.stderr
