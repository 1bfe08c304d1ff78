"""Two models on one recorded week: the same tickets; accuracy, latency, cost and CSAT side by side.

The recording is made by hand: a fine and slow model of a high price, a poor and quick one of a low.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import twin
from twin.assistant import catalogue
from twin.assistant.asking import Asking
from twin.assistant.catalogue import cost_usd
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.recorded.recording import Recording, Reply
from twin.demand.corpus import load_corpus
from twin.demand.tickets import draw
from twin.desk.simulation import simulate
from twin.scenario.model import from_data

STARTER = Path(__file__).parents[1] / "scenarios"
FINE, POOR = "openai/gpt-oss-120b", "openai/gpt-oss-20b"
# Share of right categories, steps of the article told, latency (s), tokens out.
SKILL = {FINE: (0.95, 99, 0.9, 180), POOR: (0.6, 1, 0.2, 60)}


class ByHand:
    """An assistant of known skill; what it says is recorded as if a provider had said it."""

    columnar = False
    prompt_version = "1"

    def __init__(self, scenario, categories, model, recording):
        self.model = model
        self._asking = Asking(scenario, categories, catalogue.model(model))
        self._knowledge = load_knowledge(scenario.assistant.knowledge)
        corpus = load_corpus(scenario.tickets.corpus)
        self._solves = dict(zip(corpus.texts, corpus.article, strict=True))
        self._categories, self._recording = categories, recording

    def answer(self, questions):
        asks, row = self._asking.asks(questions)
        first = np.unique(row, return_index=True)[1]
        replies = {
            ask.key: self._reply(ask, questions, k) for ask, k in zip(asks, first, strict=True)
        }
        for reply in replies.values():
            self._recording.add(reply)
        return self._asking.answers(questions, asks, row, replies)

    def _reply(self, ask, questions, k):
        right, steps, latency_s, tokens_out = SKILL[self.model]
        text = questions.texts[questions.text[k]]
        if ask.step == "categorize":
            # By its text alone, so that the same text gets the same answer.
            lucky = sum(text.encode()) % 100 < 100 * right
            code = questions.truth[k] if lucky else (questions.truth[k] + 1) % len(self._categories)
            said = json.dumps({"category": self._categories[code], "confidence": 0.9})
            tokens_out = 15
        else:
            article = self._knowledge.articles.get(self._solves[text])
            said = "\n".join(article.steps[:steps]) if article else "An agent will help you."
        model = catalogue.model(self.model)
        return Reply(
            key=ask.key,
            step=ask.step,
            model=self.model,
            prompt_version="1",
            sample=0,
            request=ask.request,
            answer=said,
            finish="stop",
            repaired=False,
            prompt_tokens=ask.prompt_tokens,
            completion_tokens=tokens_out,
            latency_s=latency_s,
            cost_usd=cost_usd(model, ask.prompt_tokens, tokens_out),
            recorded="2026-11-01T10:00:00.000+00:00",
        )


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    """One recording that holds a week of both models, and the scenario of each."""
    path = tmp_path_factory.mktemp("recording") / "week.jsonl"
    data = {
        "horizon": "7d",
        "replications": 3,
        "arrivals": {"rate": "6/h"},
        "tickets": {"corpus": str(STARTER / "corpus" / "tickets.csv")},
        "assistant": {
            "backend": "replay",
            "knowledge": str(STARTER / "knowledge"),
            "recording": str(path),
        },
        "provider": {"plan": "developer"},
        "agents": {"all": {"heads": 5, "handle_time": "8min", "cost": 24.0}},
        "customers": {"survey_rate": 1.0},
    }
    recording = Recording(path)
    desks = [
        from_data(data).vary({"assistant.model": model}, name=name)
        for name, model in (("fine", FINE), ("poor", POOR))
    ]
    for desk in desks:
        for k in range(desk.replications):
            demand = draw(desk, k)
            assistant = ByHand(desk, demand.categories, desk.assistant.model, recording)
            simulate(desk, demand, assistant)
    recording.close()
    return desks


@pytest.fixture(scope="module")
def results(week):
    done = twin.run(week, keep_logs=True)
    assert done.failures.empty
    return done


def side_by_side(results):
    summary = results.summary()
    whole = summary[summary["group"] == ""]
    return whole.pivot_table(index="kpi", columns="scenario", values="value")


def test_the_same_tickets(results):
    tickets = results.table("tickets")
    fine, poor = (tickets[tickets["scenario"] == name] for name in ("fine", "poor"))
    for column in ("replication", "ticket_id", "arrived_s", "text_id", "category_true"):
        assert fine[column].tolist() == poor[column].tolist()


def test_accuracy_latency_cost_and_csat_side_by_side(results):
    table = side_by_side(results)
    fine, poor = table["fine"], table["poor"]
    assert fine["categorization_accuracy"] - poor["categorization_accuracy"] > 0.2
    assert fine["csat"] - poor["csat"] > 0.05
    assert fine["rating_mean"] > poor["rating_mean"]
    assert fine["model_latency_mean"] > 2 * poor["model_latency_mean"]
    assert fine["model_cost"] > 1.5 * poor["model_cost"]
    assert fine["containment"] > poor["containment"]


def test_figures_are_those_of_the_recording(results):
    """Latency and cost of a run are sums over recorded calls, not estimates of the catalogue."""
    calls = results.table("calls")
    assert set(calls["outcome"].astype(str)) == {"ok"}
    for name, model in (("fine", FINE), ("poor", POOR)):
        mine = calls[calls["scenario"] == name]
        assert set(mine["model"].astype(str)) == {model}
        waited = mine["ended_s"] - mine["started_s"]
        np.testing.assert_allclose(waited, SKILL[model][2], atol=1e-6)
        by_hand = cost_usd(catalogue.model(model), mine["prompt_tokens"], mine["completion_tokens"])
        np.testing.assert_allclose(mine["cost_usd"], by_hand)


def test_answers_cost_what_the_calls_say(results):
    calls, tickets = results.table("calls"), results.table("tickets")
    table = side_by_side(results)
    for name in ("fine", "poor"):
        spent = calls.loc[calls["scenario"] == name, "cost_usd"].sum()
        count = (tickets["scenario"] == name).sum()
        assert table.loc["model_cost", name] == pytest.approx(spent / count)


def test_replayed_again_it_is_the_same(week, results):
    again = twin.run(week)
    assert again.kpis.equals(results.kpis)


def test_differences_are_of_pairs_with_their_interval(results):
    compared = twin.compare(results, baseline="poor", kpis=["categorization_accuracy", "csat"])
    table = compared.table.set_index("kpi")
    assert table["paired"].all()
    assert (table["verdict"] == "better").all()
    assert (table["low"] > 0).all()
