"""The feedback loop on a whole desk: it mends bad answers, and nothing where luck alone rates."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

import twin
from twin.assistant.backends import build
from twin.assistant.judging.judge import Judge
from twin.assistant.knowledge.article import Article
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.learning.feedback import Entry, save_feedback
from twin.assistant.learning.heldout import HeldOut
from twin.assistant.learning.learning import Lesson, Version
from twin.common.errors import ScenarioError
from twin.demand.corpus import load_corpus
from twin.scenario.model import from_data
from twin.stats.intervals import ratio_interval

STARTER = Path(__file__).parents[1] / "scenarios"
CORPUS, KNOWLEDGE = str(STARTER / "corpus" / "tickets.csv"), str(STARTER / "knowledge")
BAD, OTHER = "Product Questions", "Authentication/Login Issues"
DAY = 86400.0
LUCK_ONLY = dict.fromkeys(("unsolved", "wrong_category", "transfer", "reopened", "wait"), 0.0)


def desk(days=12, rate="30/h", learning=None, customers=None, **assistant):
    """Two categories, one of which retrieval answers badly; nearly all customers rate."""
    return from_data(
        {
            "horizon": f"{days}d",
            "seed": 7,
            "arrivals": {"rate": rate},
            "tickets": {"corpus": CORPUS, "category_mix": {BAD: 1.0, OTHER: 1.0}},
            "assistant": {"knowledge": KNOWLEDGE, "learning": learning or {}, **assistant},
            "agents": {"all": {"heads": 20, "handle_time": "5min"}},
            "customers": {"survey_rate": 0.9, **(customers or {})},
        }
    )


def final_means(results, name, days, category=BAD):
    """Mean rating of what the assistant answered in a category in the last days, by replication."""
    tickets, ratings = (
        frame[frame["scenario"] == name].drop(columns="scenario")
        for frame in (results.table("tickets"), results.table("ratings"))
    )
    joined = ratings.merge(tickets, on=["replication", "ticket_id"])
    last = joined[
        (joined["arrived_s"] >= tickets["arrived_s"].max() - days * DAY)
        & (joined["category_true"] == category)
        & (joined["resolved_by"] == "assistant")
    ]
    return last.groupby("replication")["rating"].mean().to_numpy()


class TestItMends:
    @pytest.mark.parametrize(
        "learning",
        [
            {"mode": "examples"},
            # The desk starts with answers of one step, which serve badly in every category.
            {"mode": "bandit", "versions": ["brief", "1"]},
        ],
        ids=["examples", "bandit"],
    )
    def test_the_mean_rating_rises_beyond_noise(self, learning):
        on = desk(8, "25/h", learning=learning)
        off = on.vary({"assistant.learning.mode": "off"}, name="off")
        results = twin.run([off, on], replications=4, keep_logs=True)
        assert results.failures.empty
        before, after = (final_means(results, name, 4) for name in ("off", on.name))
        gain, low, high = ratio_interval(after - before, np.ones(4))
        assert low > 0, f"{gain:.3f} [{low:.3f}, {high:.3f}]"
        learned = results.table("learning")
        assert set(learned["scenario"]) == {on.name}
        assert {"live", "promoted"} & set(learned["event"])

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "learning", [{"mode": "examples"}, {"mode": "bandit", "versions": ["brief", "1"]}]
    )
    def test_no_more_is_promoted_than_stated_where_ratings_are_luck(self, learning):
        runs, rate = 60, 0.2
        idle = desk(
            8, learning=learning | {"error_rate": rate}, customers={"satisfaction": LUCK_ONLY}
        )
        learned = twin.run(idle, replications=runs, keep_logs=True, workers=2).table("learning")
        events = learned[(learned["time_s"] > 0) & learned["event"].isin(["live", "promoted"])]
        assert events["replication"].nunique() <= scipy_stats.binom.ppf(0.9999, runs, rate)


@pytest.fixture(scope="module")
def played():
    scenario = desk(16, "60/h", learning={"mode": "bandit", "versions": ["brief", "1"]})
    return scenario, twin.play(scenario).log


@pytest.fixture(scope="module")
def held_out():
    scenario = desk()
    corpus, knowledge = load_corpus(CORPUS), load_knowledge(KNOWLEDGE)
    assistant = build(scenario, corpus.categories, corpus)
    return HeldOut(assistant, Judge(knowledge), corpus, corpus.categories, 2), corpus


class TestWhatIsKept:
    def test_the_version_of_each_call_and_rating(self, played):
        _, log = played
        respond = log.calls[log.calls["step"] == "respond"]
        assert set(respond["prompt_version"]) == {"brief", "1"}
        assert set(log.calls.loc[log.calls["step"] == "categorize", "prompt_version"]) == {"brief"}
        last = respond.groupby("ticket_id")["prompt_version"].last().astype(str)
        rated = log.ratings[log.ratings["model"].notna()].set_index("ticket_id")
        same = rated["prompt_version"].astype(str) == last.reindex(rated.index)
        assert len(same) > 1000
        assert same.all()

    def test_brief_answers_are_shorter_and_worse(self, played):
        _, log = played
        answered = log.tickets.merge(log.calls[log.calls["step"] == "respond"], on="ticket_id")
        means = answered.groupby(answered["prompt_version"].astype(str))[
            ["quality", "completion_tokens"]
        ].mean()
        assert (means.loc["brief"] < means.loc["1"]).all()

    def test_the_table_tells_when_and_on_what_evidence(self, played):
        _, log = played
        learned = log.learning
        first = learned.iloc[0]
        assert (first["time_s"], first["event"], first["prompt_version"]) == (0.0, "live", "1")
        assert first["evidence"] > 0.1
        promoted = learned[learned["event"] == "promoted"]
        assert set(promoted["category"]) <= {BAD, OTHER}
        assert len(promoted)
        assert (promoted["time_s"] % DAY == 0).all()
        assert (promoted["evidence"] < 0.05).all()

    def test_what_is_promoted_answers_all_but_those_who_explore(self, played):
        _, log = played
        promoted = log.learning[log.learning["event"] == "promoted"].set_index("category")
        category, since = promoted.index[0], promoted["time_s"].iloc[0]
        tickets = log.tickets[log.tickets["category"] == category]["ticket_id"]
        calls = log.calls[(log.calls["step"] == "respond") & log.calls["ticket_id"].isin(tickets)]
        after = calls[calls["asked_s"] > since]["prompt_version"]
        assert (after == "1").mean() == pytest.approx(0.9, abs=0.04)

    def test_the_same_twice(self, played):
        scenario, log = played
        again = twin.play(scenario).log
        for name in ("tickets", "calls", "ratings", "learning", "answers"):
            pd.testing.assert_frame_equal(getattr(log, name), getattr(again, name))

    def test_the_same_customers_as_without(self, played):
        scenario, log = played
        off = twin.play(scenario.vary({"assistant.learning.mode": "off"})).log
        columns = ["arrived_s", "text_id", "category_true"]
        pd.testing.assert_frame_equal(log.tickets[columns], off.tickets[columns])
        assert off.learning.empty
        # The first version is in use where nothing is learned, too.
        assert set(off.calls["prompt_version"]) == {"brief"}

    def test_results_hold_the_table(self, tmp_path, played):
        scenario, log = played
        results = twin.run(scenario, replications=1, out=tmp_path)
        kept = results.table("learning").drop(columns=["scenario", "replication"])
        assert kept.astype(str).values.tolist() == log.learning.astype(str).values.tolist()


class TestHeldOut:
    def test_brief_answers_lose(self, held_out):
        guard, _ = held_out
        full, brief = Version("1", "1"), Version("brief", "brief")
        assert guard.gain(full, brief) < -0.2
        assert guard.gain(brief, full) == pytest.approx(-guard.gain(full, brief))
        assert guard.gain(full, full) == 0.0

    def test_an_example_of_a_wrong_answer_loses(self, held_out):
        guard, corpus = held_out
        rows = [k for k in np.flatnonzero(corpus.train) if corpus.article[k]]
        lessons = tuple(
            Lesson(int(corpus.category[k]), corpus.texts[k], "Turn it off and on.", good=True)
            for k in rows
        )
        assert guard.gain(Version("1", "1"), Version("1+1", "1", lessons)) < -0.3

    def test_a_hundred_tickets_that_no_customer_sends(self, held_out):
        guard, corpus = held_out
        rows = guard._rows
        assert len(rows) == 100
        assert corpus.train[rows].all()
        assert len({int(k) for k in corpus.category[rows]}) > 5

    def test_nothing_is_known_without_a_corpus(self):
        scenario = from_data({"arrivals": {"rate": "6/h"}, "assistant": {"backend": "profile"}})
        assistant = build(scenario, ("General",))
        guard = HeldOut(assistant, Judge(None), None, ("General",), 2)
        assert np.isnan(guard.gain(Version("1", "1"), Version("brief", "brief")))


class TestStore:
    def entries(self):
        """Customers of another month: one answer is always bad, another always good."""
        articles: dict[str, Article] = dict(load_knowledge(KNOWLEDGE).articles)
        corpus = load_corpus(CORPUS)
        rows = [k for k in np.flatnonzero(~corpus.train) if corpus.article[k]]
        named = corpus.categories.index(BAD)
        texts = [corpus.texts[k] for k in rows if corpus.category[k] == named][:2]
        answers = [articles[slug].title for slug in sorted(articles)[:2]]
        return [
            Entry(text, "m", stars, "", category=BAD, answer=answer, prompt_version="1")
            for text, answer, stars in zip(texts, answers, (1, 5), strict=True)
            for _ in range(40)
        ]

    def test_a_run_starts_from_it(self, tmp_path):
        path = tmp_path / "feedback.json"
        save_feedback(path, self.entries())
        learning = {"mode": "examples", "feedback": str(path)}
        nobody_rates = {"survey_rate": 0.0}
        log = twin.play(desk(2, "10/h", learning=learning, customers=nobody_rates)).log
        assert log.learning["event"].tolist() == ["live"]
        assert log.learning["time_s"].tolist() == [DAY]
        assert "1+1" in set(log.calls["prompt_version"])
        without = twin.play(desk(2, "10/h", learning={"mode": "examples"}, customers=nobody_rates))
        assert without.log.learning.empty

    def test_entries_of_other_categories_and_without_answers_teach_nothing(self, tmp_path):
        path = tmp_path / "feedback.json"
        other = [
            Entry(e.description, e.model, e.rating, "", category=name, answer=answer)
            for e in self.entries()
            for name, answer in (("Elsewhere", e.answer), (BAD, ""))
        ]
        save_feedback(path, other)
        learning = {"mode": "examples", "feedback": str(path)}
        log = twin.play(desk(2, "10/h", learning=learning, customers={"survey_rate": 0.0})).log
        assert log.learning.empty

    def test_words_of_another_assistant_teach_nothing(self, tmp_path):
        path = tmp_path / "feedback.json"
        save_feedback(path, [dataclasses.replace(e, backend="groq") for e in self.entries()])
        learning = {"mode": "examples", "feedback": str(path)}
        log = twin.play(desk(2, "10/h", learning=learning, customers={"survey_rate": 0.0})).log
        assert log.learning.empty
        assert any("80 of 80 rated answers" in note for note in log.notes)

    def test_what_a_run_leaves_is_a_start_for_the_next(self, tmp_path):
        first = desk(4)
        twin.run(first, replications=1, out=tmp_path)
        kept = next(tmp_path.glob("*/*/feedback.json"))
        log = twin.play(
            desk(
                2,
                "10/h",
                learning={"mode": "examples", "feedback": str(kept)},
                customers={"survey_rate": 0.0},
            )
        ).log
        assert "live" in set(log.learning["event"])

    def test_a_broken_store_ends_before_the_run(self, tmp_path):
        path = tmp_path / "feedback.json"
        path.write_text('[{"description": ')
        learning = {"mode": "examples", "feedback": str(path)}
        with pytest.raises(ScenarioError, match="not valid JSON at line 1"):
            twin.play(desk(1, learning=learning))
        with pytest.raises(ScenarioError, match=r"assistant\.learning\.feedback.*no such file"):
            desk(1, learning=learning | {"feedback": str(tmp_path / "gone.json")})


class TestProfile:
    def scenario(self, effect, **sections):
        learning = {"mode": "bandit", "effect": effect}
        return from_data(
            {
                "horizon": "4d",
                "arrivals": {"rate": "60/h"},
                "assistant": {
                    "backend": "profile",
                    "profile": {"quality": 0.4},
                    "learning": learning,
                },
                "customers": {"survey_rate": 1.0},
                **sections,
            }
        )

    def test_the_effect_is_an_assumption_and_is_said_to_be(self):
        log = twin.play(self.scenario({"brief": 0.5})).log
        assert any("assumption of the scenario" in note for note in log.notes)
        promoted = log.learning[log.learning["event"] == "promoted"]
        assert promoted["prompt_version"].tolist() == ["brief"]
        quality = log.tickets.merge(log.ratings, on="ticket_id")
        means = quality.groupby(quality["prompt_version"].astype(str))["quality"].mean()
        assert means["brief"] - means["1"] == pytest.approx(0.5)

    def test_a_loss_is_held_back_where_there_are_tickets_to_see_it(self):
        log = twin.play(self.scenario({"brief": -0.2}, tickets={"corpus": CORPUS})).log
        assert log.learning["event"].tolist() == ["held back"]
        assert set(log.calls["prompt_version"]) == {"1"}
        log = twin.play(self.scenario({"brief": -0.2})).log
        assert log.learning["event"].tolist() == ["live"]
        assert log.learning["evidence"].isna().all()

    def test_no_effect_no_run(self):
        with pytest.raises(ScenarioError, match=r"assistant\.learning\.effect"):
            self.scenario({})
        with pytest.raises(ScenarioError, match="no texts to take examples from"):
            from_data(
                {
                    "arrivals": {"rate": "6/h"},
                    "assistant": {"backend": "profile", "learning": {"mode": "examples"}},
                }
            )
