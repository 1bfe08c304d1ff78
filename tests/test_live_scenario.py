"""From the live desk's history to a scenario: what went in is what the twin plays."""

import heapq
import json
import os
import random
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

import twin
from tests.live_desk import MODEL, Small
from tests.live_server import ROOT, environment, scenario_file, served
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.history.live_scenario import hourly_rates, write_scenario
from twin.history.log import sample_of
from twin.live import tables
from twin.live.history import read_history
from twin.live.store import Store

MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0


def call(step, at, latency_s, tokens=(300, 30), outcome="ok", **more):
    return {
        "step": step, "backend": "embedded", "model": MODEL, "prompt_version": "1",
        "asked_at": at, "started_at": at, "ended_at": at + latency_s,
        "latency_s": latency_s if outcome == "ok" else None, "prompt_tokens": tokens[0],
        "completion_tokens": tokens[1], "max_tokens": 200, "articles": 1, "outcome": outcome,
        "category": None, "confidence": None, **more,
    }  # fmt: skip


def answered(store, at, category="Login", latency_s=0.5, rating=None, extra_s=0.25):
    """A ticket that the assistant answered: two calls, and what went on beside them."""
    row, _ = store.receive(
        {
            "key": None, "received_at": at, "description": f"{category} {at}", "model": MODEL,
            "use_rag": True, "priority": "normal",
        }
    )  # fmt: skip
    done = at + 2 * latency_s + extra_s
    changes = [(s, done, "assistant") for s in ("Categorized", "In Progress", "Resolved")]
    calls = [
        call("categorize", at, latency_s, (300, 12), category=category, confidence=0.9),
        call("respond", at + latency_s, latency_s),
    ]
    values = {
        "category": category, "confidence": 0.9, "categorized_by": "assistant",
        "response": "As it stands.", "responded_at": done, "resolved_at": done,
        "resolved_by": "assistant", "prompt_version": "1",
    }  # fmt: skip
    store.move(row, changes, values, calls)
    if rating is not None:
        store.add_feedback(
            {
                "key": None, "at": done, "ticket_id": row["id"], "description": row["description"],
                "model": MODEL, "rating": rating, "feedback": "", "category": category,
                "answer": "As it stands.", "prompt_version": "1",
            }
        )  # fmt: skip
    return row["id"]


def handled(store, at, handle_s, category="Payment"):
    """A ticket that an agent handled."""
    row, _ = store.receive(
        {
            "key": None, "received_at": at, "description": f"hard {at}", "model": MODEL,
            "use_rag": True, "priority": "high",
        }
    )  # fmt: skip
    first = call("categorize", at, 0.5, (300, 12), category=category, confidence=0.2)
    row = store.move(row, [("Escalated", at + 0.5, "assistant")], {"confidence": 0.2}, [first])
    taken = at + 600
    row = store.move(row, [("In Progress", taken, "agent")], {"responded_at": taken})
    done = taken + handle_s
    values = {"category": category, "resolved_at": done, "resolved_by": "agent"}
    store.move(row, [("Resolved", done, "agent")], values)


def fortnight(store):
    """Two weeks: four tickets an hour from 9 to 17 on weekdays, of which the first is hard."""
    for day in range(14):
        if day % 7 >= 5:
            continue
        for hour in range(9, 17):
            at = MONDAY + day * DAY + hour * HOUR
            handled(store, at + 60, 120.0 + 10 * hour)
            for k in range(3):
                rating = (5, 4, None)[k]
                answered(store, at + 600 * (k + 1), ("Login", "Login", "Other")[k], rating=rating)


def test_a_fortnight_becomes_a_scenario(small, tmp_path):
    fortnight(small.store)
    history = read_history(small.store, MONDAY, MONDAY + 14 * DAY)
    out = tmp_path / "measured.toml"
    notes = write_scenario(history, out)
    desk = twin.load(out)
    assert desk.question.endswith("?")
    assert desk.arrivals.kind == "hourly"
    # 4 an hour, 8 hours, 5 of 7 days.
    assert desk.arrivals.rate * HOUR == pytest.approx(4 * 8 * 5 / 168, rel=1e-4)
    weights = np.array(desk.arrivals.week.weights).reshape(7, 24)
    assert (weights[:5, 9:17] > 0).all()
    assert weights.sum() == pytest.approx(weights[:5, 9:17].sum())
    assert desk.tickets.category_mix == {"Login": 160, "Payment": 80, "Other": 80}
    assert desk.tickets.priority_mix == {"high": 80, "normal": 240}
    measured = desk.assistant.profile.measured
    assert desk.assistant.backend == "profile"
    assert measured.respond.calls == 240
    assert measured.categorize.calls == 320
    assert (measured.model, desk.assistant.model) == ("embedded", MODEL)
    assert any("no language model" in note for note in notes)
    assert desk.customers.survey_rate == 0.5
    handle = desk.agents["all"].handle_time
    assert handle.mean_value() == pytest.approx(120 + 10 * 12.5)
    assert any("80 calls" not in note and "560 calls" in note for note in notes)
    lessons = json.loads((tmp_path / "measured-feedback.json").read_text(encoding="utf-8"))
    assert len(lessons) == 160
    assert str(tmp_path) not in out.read_text(encoding="utf-8")
    results = twin.run(desk, replications=2, out=tmp_path / "results")
    kpis = results.summary().set_index(["kpi", "group"])["value"]
    assert results.failures.empty
    assert kpis["escalation_rate", ""] > 0.15


def test_the_simulation_starts_from_what_was_learned_live(small, tmp_path):
    for _ in range(40):
        good = small.file("I cannot log into my account.").get_json()["ticket_id"]
        bad = small.file("Login: the page says nothing at all").get_json()["ticket_id"]
        for number, rating in ((good, 5), (bad, 1)):
            body = {"description": small.ticket(number)["description"], "model": MODEL}
            body |= {"rating": rating, "ticket_id": number}
            assert small.client.post("/submit_feedback", json=body).status_code == 200
    out = tmp_path / "measured.toml"
    write_scenario(read_history(small.store), out)
    changes = {
        "assistant.backend": "embedded", "assistant.learning.mode": "examples",
        "assistant.learning.every": "1h", "arrivals.scale": 0.01, "horizon": "3h",
        # Nobody rates in the simulation: whatever is learned there comes from here.
        "customers.survey_rate": 0.0,
    }  # fmt: skip
    desk = twin.load(out, changes)
    learned = twin.run(desk, 1, out=tmp_path / "results").table("learning")
    assert len(learned) > 0
    without = desk.vary({"assistant.learning.feedback": None})
    assert twin.run(without, 1, out=tmp_path / "results").table("learning").empty


def test_response_times_are_as_measured(small, tmp_path):
    rng = random.Random(1)
    truth = []
    for k in range(600):
        latency = rng.lognormvariate(0, 0.5)
        answered(small.store, MONDAY + 20 * k, latency_s=latency, extra_s=0.1)
        truth.append(2 * latency + 0.1)
    out = tmp_path / "measured.toml"
    write_scenario(read_history(small.store), out)
    changes = {"assistant.confidence_threshold": 0, "assistant.profile.accuracy": 1}
    # Both calls of a ticket are alike here, which the profile does not know: only means must fit.
    results = twin.run(twin.load(out, changes), replications=2, out=tmp_path / "results")
    kpis = results.summary().set_index(["kpi", "group"])["value"]
    assert kpis["first_response_mean", ""] == pytest.approx(np.mean(truth), rel=0.1)


def test_ratings_are_as_measured(small, tmp_path):
    rng = random.Random(1)
    ratings = rng.choices([1, 2, 3, 4, 5], [13, 2, 3, 13, 69], k=600)
    for k, rating in enumerate(ratings):
        answered(small.store, MONDAY + 20 * k, rating=rating)
    out = tmp_path / "measured.toml"
    notes = write_scenario(read_history(small.store), out)
    assert any("600 ratings" in note for note in notes)
    # Live ratings are of the first answer; the twin's are of the last. Here nobody comes back.
    changes = {"assistant.confidence_threshold": 0}
    assert twin.load(out).customers.reopen_rate == 0
    results = twin.run(twin.load(out, changes), replications=2, out=tmp_path / "results")
    kpis = results.summary().set_index(["kpi", "group"])["value"]
    assert kpis["rating_mean", ""] == pytest.approx(np.mean(ratings), abs=0.2)


def test_as_many_come_back_as_did(small, tmp_path):
    reopened = 0
    for k in range(400):
        number = answered(small.store, MONDAY + 900 * k)
        if k % 5 == 0:
            row = small.store.ticket(number)
            at = row["resolved_at"] + 3600
            row = small.store.move(row, [("Reopened", at, "customer")], {"reopens": 1})
            row = small.store.move(row, [("In Progress", at + 60, "agent")], {})
            small.store.move(row, [("Resolved", at + 90, "agent")], {"resolved_by": "agent"})
            reopened += 1
    out = tmp_path / "measured.toml"
    notes = write_scenario(read_history(small.store), out)
    assert any(note.startswith(f"{reopened} of 400 answered") for note in notes)
    changes = {"assistant.confidence_threshold": 0, "customers.max_reopens": 1}
    results = twin.run(twin.load(out, changes), replications=2, out=tmp_path / "results")
    tickets = results.table("tickets")
    ended = tickets[tickets["resolved_s"].notna()]
    assert (ended["reopens"] > 0).mean() == pytest.approx(0.2, abs=0.03)


def test_minutes_do_not_say_who_comes_back_later(small, tmp_path):
    for k in range(60):
        answered(small.store, MONDAY + 10 * k)
    out = tmp_path / "measured.toml"
    notes = write_scenario(read_history(small.store), out)
    assert any("too short to see how many customers come back" in note for note in notes)
    assert twin.load(out).customers.reopen_rate == 0


def queue(store, rho, number):
    """A model with one place, as it would be seen live: calls first come first served.

    Lengths of calls are drawn apart, as the twin does; tickets come at random.
    """
    rng = np.random.default_rng(5)
    length = [rng.lognormal(np.log(median), 0.3, number) for median in (0.9, 1.1)]
    rate = rho / sum(column.mean() for column in length)
    arrival = MONDAY + np.cumsum(rng.exponential(1 / rate, number))
    waiting = [(at, k, 0) for k, at in enumerate(arrival)]
    heapq.heapify(waiting)
    free, spans = 0.0, [[], []]
    while waiting:
        asked, k, step = heapq.heappop(waiting)
        began = max(asked, free)
        free = began + length[step][k]
        spans[step].append((k, asked, began, free))
        if step == 0:
            heapq.heappush(waiting, (free, k, 1))
    done = {k: end for k, _, _, end in spans[1]}
    common = {"digest": "", "origin": "live", "priority": "normal", "model": MODEL}
    common |= {"use_rag": False, "status": "Resolved", "category": "Login", "articles": "[]"}
    common |= {"resolved_by": "assistant", "reopens": 0, "prompt_version": "1"}
    rows = [
        {"id": k + 1, "received_at": at, "description": f"{k}", "responded_at": done[k],
         "resolved_at": done[k], **common}
        for k, at in enumerate(arrival)
    ]  # fmt: skip
    calls = [
        call(name, asked, end - began, ticket_id=k + 1, started_at=began, ended_at=end,
             backend="groq", confidence=0.9)
        for name, column in zip(("categorize", "respond"), spans, strict=True)
        for k, asked, began, end in column
    ]  # fmt: skip
    with store.database.writing() as connection:
        connection.execute(insert(tables.tickets), rows)
        connection.execute(insert(tables.calls), calls)


@pytest.mark.parametrize("rho", [0.1, 0.4])
def test_waits_for_a_place_are_as_they_were(tmp_path, rho):
    small = Small(
        tmp_path, retrieval=False, confidence_threshold=0.0, review_categories=[],
        changes={"provider": {"plan": "unlimited", "concurrency": 1}, "agents": {}},
    )  # fmt: skip
    queue(small.store, rho, 6000)
    history = read_history(small.store)
    small.store.close()
    write_scenario(history, tmp_path / "measured.toml")
    results = twin.run(twin.load(tmp_path / "measured.toml"), 2, out=tmp_path / "results")
    kpis = results.summary().set_index(["kpi", "group"])["value"]
    found = [kpis["first_response_median", ""], kpis["first_response_p90", ""]]
    assert found == pytest.approx(list(np.quantile(history.response_s, [0.5, 0.9])), rel=0.06)


def test_the_trace_plays_the_tickets_that_came(small, tmp_path):
    texts = ['My payment was declined, "twice"', "I cannot log in\nat all", "other: =1+1"]
    for text in texts:
        small.file(text)
    out = tmp_path / "trace.toml"
    write_scenario(read_history(small.store), out, trace=True)
    desk = twin.load(out)
    demand = twin.draw(desk)
    assert [demand.texts[k] for k in demand.text] == texts
    assert [demand.categories[k] for k in demand.category] == ["Payment", "Login", "Other"]
    again = twin.load(out, {"assistant.backend": "embedded"})
    assert len(twin.draw(again)) == 3
    results = twin.run(desk, replications=1, out=tmp_path / "results")
    assert results.failures.empty


def test_hours_never_seen_take_the_rate_of_others(small):
    # Monday and Tuesday, 9 to 11 only, one ticket a quarter of an hour; then 12 to 13, none.
    for day in range(2):
        for k in range(8):
            answered(small.store, MONDAY + day * DAY + 9 * HOUR + 900 * k)
    history = read_history(small.store, MONDAY + 9 * HOUR, MONDAY + DAY + 11 * HOUR)
    rates = hourly_rates(history, small.scenario.zone).reshape(7, 24) * HOUR
    assert rates[0, 9] == rates[1, 10] == 4
    assert rates[0, 12] == 0
    # Not covered on other days: as on the days that were.
    assert rates[4, 9] == 4
    assert rates[1, 12] == rates[0, 12] == 0


def test_quota_waits_are_no_latency(small):
    at = MONDAY
    answered(small.store, at)
    answered(small.store, at + 60)
    history = read_history(small.store)
    for row in history.calls:
        # Waited for a place or for quota: the twin's provider does that itself.
        row["asked_at"] -= 5
    for row in history.tickets:
        row["received_at"] -= 5 * 2
    sample = sample_of(history)
    assert sample.steps["respond"].latency_s == pytest.approx([0.5, 0.5])
    assert sample.steps["categorize"].latency_s == pytest.approx([0.75, 0.75])


@pytest.mark.parametrize("number", [0, 1])
def test_too_little_is_told(small, number):
    for _ in range(number):
        answered(small.store, MONDAY)
    with pytest.raises(ScenarioError, match="fewer than two"):
        read_history(small.store)


def test_a_model_that_was_not_asked_is_told(small):
    answered(small.store, MONDAY)
    answered(small.store, MONDAY + 60)
    with pytest.raises(ScenarioError, match="no answered calls of that model"):
        read_history(small.store, model="gemma-7b-it")


def test_imported_tickets_say_nothing_of_arrivals(small, tmp_path):
    from twin.live import exchange

    answered(small.store, MONDAY)
    out = tmp_path / "tickets.json"
    exchange.export_tickets(small.store, out)
    exchange.import_tickets(small.store, out)
    with pytest.raises(ScenarioError, match="fewer than two"):
        read_history(small.store)


def test_nothing_is_written_over_and_nothing_half(small, tmp_path, monkeypatch):
    fortnight(small.store)
    history = read_history(small.store)
    out = tmp_path / "measured.toml"
    (tmp_path / "measured-handle.csv").write_text("mine")
    with pytest.raises(ScenarioError, match="already"):
        write_scenario(history, out)
    assert (tmp_path / "measured-handle.csv").read_text() == "mine"
    (tmp_path / "measured-handle.csv").unlink()
    before = set(tmp_path.iterdir())
    monkeypatch.setattr("twin.history.live_scenario.check", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_scenario(history, out)
    assert set(tmp_path.iterdir()) == before


def test_on_the_command_line(small, tmp_path, monkeypatch):
    fortnight(small.store)
    monkeypatch.chdir(tmp_path)
    words = ["live-scenario", "--database", "desk.sqlite", "--out", "measured.toml"]
    result = CliRunner().invoke(app, [*words, "--since", "2026-03-09", "--until", "2026-03-14"])
    assert result.exit_code == 0, result.output
    assert "twin run measured.toml" in result.stdout
    assert CliRunner().invoke(app, ["check", "measured.toml"]).exit_code == 0
    assert twin.load("measured.toml").tickets.category_mix["Login"] == 80
    assert CliRunner().invoke(app, words).exit_code == 2


# The proof: minutes that it had not seen

# In all. One in three is seen, so that a machine that is slower for a while is so in both parts;
# the unseen minutes are more, as theirs is most of the chance in it.
MINUTES = int(os.environ.get("TWIN_LIVE_MINUTES", "24"))
SEEN_IN = 3
# Share of the time that the model is busy: more makes quantiles of few hundred tickets chancy.
BUSY = 0.2


def drive(server, number, seconds, texts, seed):
    """So many tickets at random moments, whatever becomes of the ones before."""
    rng = random.Random(seed)
    began, threads = time.monotonic(), []
    for at in sorted(rng.uniform(0, seconds) for _ in range(number)):
        time.sleep(max(began + at - time.monotonic(), 0))
        body = {"description": rng.choice(texts)}
        thread = threading.Thread(
            target=server.ask, args=("POST", "/process_ticket", body), kwargs={"timeout": 120}
        )
        thread.start()
        threads.append(thread)
    time.sleep(max(began + seconds - time.monotonic(), 0))
    for thread in threads:
        thread.join()


def alone(server, texts):
    """Median time of a ticket that meets no other; seconds."""
    times = []
    for text in texts:
        began = time.monotonic()
        server.ask("POST", "/process_ticket", {"description": text}, timeout=120)
        times.append(time.monotonic() - began)
    return float(np.median(times))


def split(history):
    """The minutes of a history that are seen, and the others."""
    parts = []
    for seen in (True, False):
        minutes = {k for k in range(MINUTES) if (k % SEEN_IN == 0) == seen}
        tickets = [
            t for t in history.tickets if int((t["received_at"] - history.began) // 60) in minutes
        ]
        here = {t["id"] for t in tickets}
        calls = [c for c in history.calls if c["ticket_id"] in here]
        ended = history.began + 60 * len(minutes)
        parts.append(replace(history, tickets=tickets, calls=calls, ended=ended))
    return parts


def quantiles(response_s):
    return [float(level) for level in np.quantile(response_s, [0.5, 0.9])]


def predicted(folder, seen):
    """Median and p90 of first response times of the twin of a history."""
    write_scenario(seen, folder / "measured.toml")
    results = twin.run(twin.load(folder / "measured.toml"), replications=3, out=folder / "results")
    kpis = results.summary().set_index(["kpi", "group"])["value"]
    return [float(kpis[f"first_response_{name}", ""]) for name in ("median", "p90")]


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.enable_socket
def test_the_twin_of_a_local_model_predicts_minutes_it_had_not_seen(tmp_path, capsys):
    pytest.importorskip("xllamacpp")
    from twin.assistant.live.local_server import DEFAULT_MODEL, LocalModelError, default_gguf
    from twin.assistant.live.local_server import serve as serve_model

    try:
        default_gguf()
    except LocalModelError as error:
        pytest.skip(str(error))
    from twin.demand.corpus import load_corpus

    # Short answers, and prompts whose beginning is kept: enough tickets for quantiles in minutes.
    limits = {"categorize": 40, "respond": 20}
    scenario = scenario_file(
        tmp_path, model=DEFAULT_MODEL, retrieval=False, confidence_threshold=0.0,
        review_categories=[], max_tokens=limits,
    )  # fmt: skip
    texts = load_corpus(str(ROOT / "scenarios" / "corpus" / "tickets.csv")).texts
    database = str(tmp_path / "desk.sqlite")
    seconds = MINUTES * 60
    with serve_model(prompt_cache=True) as url:
        env = environment() | {"GROQ_BASE_URL": url, "GROQ_API_KEY": "local"}
        more = ("provider.concurrency=1", "provider.retries=0", "agents={}")
        options = ["--backend", "groq", "--timeout", "100"]
        options += [word for change in more for word in ("--set", change)]
        with served(tmp_path, database, *options, scenario=scenario, env=env) as server:
            alone_s = alone(server, texts[:15])
            began = time.time()
            drive(server, round(BUSY * seconds / alone_s), seconds, texts, seed=1)
    store = Store(database)
    seen, unseen = split(read_history(store, began, began + seconds))
    store.close()
    twins, measured = predicted(tmp_path, seen), quantiles(unseen.response_s)
    with capsys.disabled():
        print(
            f"\na ticket alone {alone_s:.2f} s; p50 and p90 of first response: seen "
            f"{quantiles(seen.response_s)} ({len(seen.tickets)} tickets), twin {twins}, unseen "
            f"{measured} ({len(unseen.tickets)} tickets)"
        )
    assert twins == pytest.approx(measured, rel=0.15)


def test_calls_and_ratings_of_several_speakers_are_not_mixed(small, tmp_path):
    """A desk that ran without a key at first, then with one: each model is measured by itself."""
    for k in range(60):
        number = answered(small.store, MONDAY + 20 * k, latency_s=3.0, rating=1)
        if k < 40:
            continue
        with small.store.database.writing() as connection:
            here = tables.calls.c.ticket_id == number
            connection.execute(tables.calls.update().where(here).values(backend="groq"))
    for model, rows in (("embedded", 40), (MODEL, 20)):
        history = read_history(small.store, model=model)
        assert len(history.own) == rows
        out = tmp_path / f"{rows}.toml"
        notes = write_scenario(history, out)
        assert twin.load(out).assistant.profile.measured.respond.calls == rows
        assert twin.load(out).assistant.profile.measured.model == model
        assert any(f"{2 * rows} calls of " in note for note in notes)
        lessons = json.loads((tmp_path / f"{rows}-feedback.json").read_text(encoding="utf-8"))
        assert len(lessons) == rows
    with pytest.raises(ScenarioError, match="no answered calls"):
        read_history(small.store, model="openai/gpt-oss-120b")
