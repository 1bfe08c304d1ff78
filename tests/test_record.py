"""`twin record`: at the provider's pace, nothing paid twice, stopped and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import typer
from fault_server import KEY, Limit
from typer.testing import CliRunner

import twin
from tests.children import interruptible
from twin.assistant.live import pacing
from twin.assistant.recorded.recording import Recording
from twin.cli.app import app as twin_app
from twin.cli.record import register
from twin.experiments import record as recording_of
from twin.experiments.versions import as_played
from twin.scenario.file import load

pytestmark = [pytest.mark.network, pytest.mark.allow_hosts(["127.0.0.1", "localhost"])]


@pytest.fixture
def desk(tmp_path):
    """A scenario file of so many tickets, each with a text of its own."""

    def write(tickets, role="full", backend="replay", **assistant):
        names = ("Login", "Other", "Payment")
        rows = [
            f"{60 * k},Trouble number {k} with my things,{names[k % 3]}" for k in range(tickets)
        ]
        (tmp_path / "trace.csv").write_text("\n".join(["timestamp,text,category", *rows]) + "\n")
        corpus = [f"Old trouble {k},{names[k % 3]}" for k in range(9)]
        (tmp_path / "corpus.csv").write_text("\n".join(["text,category", *corpus]) + "\n")
        more = "\n".join(f"{key} = {json.dumps(value)}" for key, value in assistant.items())
        path = tmp_path / "desk.toml"
        path.write_text(
            f"""
            horizon = "10h"
            replications = 1
            [arrivals]
            kind = "trace"
            trace = "trace.csv"
            [tickets]
            corpus = "corpus.csv"
            [assistant]
            role = "{role}"
            backend = "{backend}"
            recording = "kept.jsonl"
            {more}
            [provider]
            plan = "unlimited"
            timeout = "5s"
            retries = 2
            backoff = "20ms"
            [agents.all]
            heads = 5
            handle_time = {{ distribution = "constant", value = "5min" }}
            """
        )
        return path

    return write


def run(*arguments):
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_all_first_answers_and_nothing_twice(server, desk, tmp_path):
    path = desk(30)
    first = run(path, "--yes")
    assert first.exit_code == 0, first.stderr
    assert first.stdout.strip() == str(tmp_path / "kept.jsonl")
    assert "estimate: 60 calls" in first.stderr
    assert "answered: 60, failed: 0" in first.stderr
    assert set(server.seen.values()) == {1}
    assert len(server.seen) == 60
    second = run(path, "--yes")
    assert second.exit_code == 0
    assert "recorded already: 60" in second.stderr
    assert "answered: 0, failed: 0; recorded in all: 60" in second.stderr
    assert len(server.bodies) == 60
    for shown in (first.stdout, first.stderr, (tmp_path / "kept.jsonl").read_text()):
        assert KEY not in shown
    assert "Trouble number" not in first.stderr


def test_the_address_is_named_before_it_is_asked(server, desk, tmp_path):
    told = f"live answers come from {server.url}, with the key of the environment"
    assert told in run(desk(3), "--yes", "--limit", 1).stderr
    study = tmp_path / "study.toml"
    study.write_text(
        'scenario = "desk.toml"\n[set]\n"assistant.backend" = "groq"\n[factors]\n"seed" = [1]\n'
    )
    live = ["--set", "assistant.backend=groq"]
    path = str(desk(3))
    (tmp_path / "other.toml").write_text('extends = "desk.toml"\nname = "other"')
    for command, quiet in (
        (["run", path, *live], True),
        (["compare", path, path.replace("desk.toml", "other.toml"), *live], False),
        (["study", str(study)], False),
    ):
        command = [*command, "--replications", "2", "--workers", "1"]
        result = CliRunner().invoke(twin_app, command)
        assert told in result.stderr.splitlines(), result.output
        assert KEY not in result.output
        if quiet:
            assert told not in CliRunner().invoke(twin_app, [*command, "--quiet"]).output
    # Nothing is said where nothing is asked.
    replayed = CliRunner().invoke(twin_app, ["run", path, "--workers", "1"])
    assert "live answers" not in replayed.output


def test_tokens_that_nobody_counted_are_told(server, desk):
    server.choose = lambda body, number: "no_usage"
    told = run(desk(3), "--yes").stderr
    assert "6 answers came without token counts: theirs are estimated" in told


def test_the_estimate_is_close(server, desk):
    plan = recording_of.plan(load(desk(30)))
    session = recording_of.Session(plan)
    session.run()
    done = session.close()
    assert plan.calls == done.tally.answered
    assert done.tally.spent_usd <= plan.most_usd
    assert 0.4 < plan.prompt_tokens / done.tally.prompt_tokens < 1.5
    assert recording_of.plan(load(desk(30))).calls == 0


def test_each_replication_records_the_version_that_it_plays(server, desk):
    path = desk(30)
    path.write_text(path.read_text().replace("replications = 1", "replications = 4")
                    + '\n[uncertainty]\nassumed = { "arrivals.scale" = [0.2, 1.0] }\n')  # fmt: skip
    planned = recording_of.plan(load(path))
    played = [as_played(load(path), k) for k in range(4)]
    assert [len(demand) for demand in planned.demands] == [
        len(twin.draw(one, k)) for k, one in enumerate(played)
    ]
    session = recording_of.Session(planned)
    session.run()
    assert session.close().tally.answered == planned.calls
    assert not twin.run(load(path)).failures.shape[0]


def test_only_some_tickets(server, desk):
    result = run(desk(30), "--limit", 7, "--yes", "--quiet")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert len(server.seen) == 14
    # The rest is recorded later, and only that.
    assert run(desk(30), "--yes").exit_code == 0
    assert len(server.seen) == 60
    assert set(server.seen.values()) == {1}


def test_never_above_a_cost(server, desk, tmp_path):
    plan = recording_of.plan(load(desk(60, role="triage")))
    limit = plan.cost_usd / 3
    result = run(desk(60, role="triage"), "--max-cost", limit, "--yes")
    assert result.exit_code == 1
    assert "--max-cost" in result.stderr
    recorded = Recording(tmp_path / "kept.jsonl")
    spent = sum(reply.cost_usd for reply in recorded.replies())
    assert 0 < spent <= limit
    # What was answered was recorded, and all that was asked was answered.
    assert len(recorded) == len(server.bodies)


def test_a_cost_needs_a_price(server, desk, monkeypatch):
    from twin.assistant import catalogue

    name = "openai/gpt-oss-20b"
    unknown = catalogue.model(name).model_copy(update={"price_in": None})
    monkeypatch.setattr(catalogue, "model", lambda *_: unknown)
    result = run(desk(5), "--max-cost", 1, "--yes")
    assert result.exit_code == 1
    assert "price" in result.stderr
    assert server.bodies == []
    free = run(desk(5), "--yes")
    assert free.exit_code == 0
    assert "cost unknown" in free.stderr


def test_failures_are_said_and_not_recorded(server, desk, tmp_path):
    bad = 4

    def choose(body, number):
        return 413 if any(f"number {k} " in str(body["messages"]) for k in range(bad)) else "ok"

    server.choose = choose
    result = run(desk(20), "--yes")
    assert result.exit_code == 1
    assert f"failed, TooLarge: {bad}" in result.stderr
    server.choose = None
    assert run(desk(20), "--yes").exit_code == 0
    assert len(Recording(tmp_path / "kept.jsonl")) == 40


def test_gives_up_where_nothing_works(server, desk, monkeypatch):
    monkeypatch.setattr(recording_of, "ENOUGH_FAILURES", 5)
    server.choose = lambda body, number: 422
    result = run(desk(200, role="triage"), "--yes", "--concurrency", 2)
    assert result.exit_code == 1
    assert "gave up after 5 failed calls" in result.stderr
    assert len(server.bodies) < 12


@pytest.mark.parametrize(
    ("fault", "words"), [(401, "GROQ_API_KEY"), (404, "twin models"), ("retired", "retired")]
)
def test_stops_where_going_on_is_useless(server, desk, fault, words):
    server.choose = lambda body, number: fault
    result = run(desk(20), "--yes")
    assert result.exit_code == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert len(server.bodies) == 1


def test_clear_refusals(server, desk, monkeypatch, tmp_path):
    assert run(tmp_path / "none.toml").exit_code == 2
    assert "there is no assistant" in run(desk(3, role="off"), "--yes").stderr
    retired = run(desk(3), "--yes", "--set", "assistant.model=gemma-7b-it")
    assert retired.exit_code == 1
    assert "openai/gpt-oss-20b" in retired.stderr
    monkeypatch.delenv("GROQ_API_KEY")
    monkeypatch.delenv("GROQ_BASE_URL")
    assert "console.groq.com/keys" in run(desk(3), "--yes").stderr
    assert server.bodies == []


def test_the_plan_is_kept_to(server, desk, monkeypatch):
    """300 tickets, 600 calls; the minute is made short, the provider drains evenly."""
    period = 1.5
    monkeypatch.setattr(pacing, "MINUTE_S", period)
    limits = {"requests": Limit(170, period), "tokens": Limit(40_000, period)}
    server.limits = limits
    server.latency_s = 0.02
    session = recording_of.Session(recording_of.plan(load(desk(300))))
    session.run()
    done = session.close()
    check_pace(server, done, limits, period)


def test_a_server_that_counts_in_windows_and_tells_nothing(server, desk, monkeypatch):
    """It knows only the scenario's limits, and a 429 would come at once above them."""
    period = 2.0
    monkeypatch.setattr(pacing, "MINUTE_S", period)
    limits = {"requests": Limit(60, period, sliding=True)}
    server.limits, server.headers = limits, False
    scenario = load(desk(300, role="triage"), {"provider.rpm": 60})
    session = recording_of.Session(recording_of.plan(scenario))
    session.run()
    # A window begins anew a period after its calls' ends: much of so short a period.
    check_pace(server, session.close(), limits, period, least=0.75)


def check_pace(server, done, limits, period, least=0.9):
    calls = done.tally.answered
    assert calls == len(server.seen) == sum(server.answered.values())
    assert server.statuses[429] < 0.01 * calls
    took = server.moments[-1][0] - server.moments[0][0]
    # At least nine tenths of what was allowed after the first period's worth, by what binds.
    totals = {"requests": calls, "tokens": sum(tokens for _, tokens in server.moments)}
    shares = [
        (totals[kind] - limit.limit) / (limit.limit * took / period)
        for kind, limit in limits.items()
    ]
    assert max(shares) >= least
    assert took > 4 * period


def start(path, *more):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "twin", "record", str(path), "--yes", *more]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        preexec_fn=interruptible,
    )


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_killed_half_way_and_started_again_pays_nothing_twice(server, desk, tmp_path):
    server.latency_s = 0.03
    path = desk(300, role="triage")
    child = start(path, "--concurrency", "4")
    try:
        wait_for(lambda: sum(server.answered.values()) >= 150)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=20)
    time.sleep(0.2)
    kept = tmp_path / "kept.jsonl"
    recorded = Recording(kept)
    asked = dict(server.seen)
    # Of what was under way at that moment nobody can know.
    assert len(asked) - len(recorded) <= 4
    assert len(recorded) >= 140
    result = run(path, "--yes", "--concurrency", 4)
    assert result.exit_code == 0, result.stderr
    twice = [key for key, count in server.seen.items() if count > 1]
    assert len(twice) == len(asked) - len(recorded)
    assert len(server.seen) == 300
    assert len(Recording(kept)) == 300


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_keeps_what_was_paid(server, desk, tmp_path, number, code):
    server.latency_s = 0.05
    child = start(desk(300, role="triage"), "--concurrency", "4")
    try:
        wait_for(lambda: sum(server.answered.values()) >= 40)
        child.send_signal(number)
        _, said = child.communicate(timeout=20)
    finally:
        child.kill()
    assert child.returncode == code
    assert "interrupted" in said
    assert "answered: " in said
    assert "Traceback" not in said
    # Calls under way came to their end.
    assert len(Recording(tmp_path / "kept.jsonl")) == sum(server.answered.values())


def test_another_process_records(server, desk, tmp_path):
    server.latency_s = 0.1
    path = desk(100, role="triage")
    child = start(path, "--concurrency", "2")
    try:
        wait_for(lambda: len(server.bodies) >= 5)
        result = run(path, "--yes")
    finally:
        child.kill()
        child.communicate(timeout=20)
    assert result.exit_code == 1
    assert "another process is writing" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["run", "desk.toml", "--replications", "4"],
        ["study", "study.toml"],
        ["compare", "desk.toml", "other.toml", "--replications", "2"],
        ["warmup", "desk.toml", "--replications", "4", "--horizon", "7d"],
        ["variance", "desk.toml", "--days", "2"],
    ],
    ids=lambda words: words[0],
)
def test_a_live_model_and_many_workers_share_a_recording(server, desk, tmp_path, words):
    desk(12, role="triage", backend="groq")
    (tmp_path / "other.toml").write_text('extends = "desk.toml"\nagents.all.heads = 4\n')
    (tmp_path / "study.toml").write_text(
        'name = "live"\nscenario = "desk.toml"\n[factors]\n"agents.all.heads" = [4, 5]\n'
    )
    done = CliRunner().invoke(twin_app, [*words, "--workers", "4"], catch_exceptions=False)
    # So few tickets show no start-up.
    few = words[0] == "warmup"
    assert done.exit_code == (2 if few else 0), done.stderr
    assert ("at least 10 batches with data, not 0" in done.stderr) == few
    assert "replications failed" not in done.stderr
    assert set(server.seen.values()) == {1}
    assert len(Recording(tmp_path / "kept.jsonl")) == len(server.seen) == 12
    if words[0] == "run":
        found = twin.open_results(tmp_path / "results" / "desk").runs[0]
        assert (found.whole, found.failed, found.manifest["workers"]) == (4, 0, 1)


def test_a_live_desk_is_played_here_and_a_recorded_one_by_workers(server, desk, tmp_path):
    live = load(desk(12, role="triage", backend="groq"))
    other = live.vary({"assistant.role": "off", "replications": 3}, name="other")
    results = twin.run([live, other], workers=2, out=tmp_path / "out")
    assert [(run.status, run.manifest["workers"]) for run in results.runs] == [
        ("complete", 1), ("complete", 2)
    ]  # fmt: skip
    assert set(server.seen.values()) == {1}


def test_a_torn_line_is_asked_again(server, desk, tmp_path):
    path = desk(10, role="triage")
    assert run(path, "--yes").exit_code == 0
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(kept.read_bytes()[:-7])
    result = run(path, "--yes")
    assert result.exit_code == 0
    assert "cut short" in result.stderr
    assert len(server.bodies) == 11
    assert len(Recording(kept)) == 10


def test_not_to_be_written(server, desk, tmp_path):
    (tmp_path / "file").write_text("")
    result = run(desk(3), "--yes", "--recording", tmp_path / "file" / "r.jsonl")
    assert result.exit_code == 1
    assert "name another recording" in result.stderr
    assert server.bodies == []


def test_a_fallback_model_is_recorded_apart(server, desk):
    path = desk(6, fallback_model="openai/gpt-oss-120b", on_failure="fallback")
    result = run(path, "--yes")
    assert result.exit_code == 0, result.stderr
    assert "--set assistant.model=openai/gpt-oss-120b" in result.stderr
    assert {body["model"] for body in server.bodies} == {"openai/gpt-oss-20b"}
    assert run(path, "--yes", "--set", "assistant.model=openai/gpt-oss-120b").exit_code == 0
    assert len(server.bodies) == 24
