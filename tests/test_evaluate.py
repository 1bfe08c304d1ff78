"""Models side by side from recordings whose chances are known, on the page and in the terminal."""

import json

import numpy as np
import pandas as pd
import pytest
from recorded_models import CORPUS, KNOWLEDGE, SCENARIO, Skill, replies, write
from typer.testing import CliRunner

from twin.assistant.errors import RecordingError
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.recorded.attempts import read_attempts, with_ratings
from twin.assistant.recorded.ratings import read_ratings
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.demand.corpus import load_corpus
from twin.experiments import judges
from twin.experiments import model_table as figures
from twin.report import models as page_of
from twin.stats.passes import passed_all

GOOD = Skill(chance=0.85, spread=0.5, judged=True)
POOR = Skill(chance=0.4, spread=0.5, seconds=0.1, per_token=0.01, every=0.05)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "both.jsonl"
    return write(path, replies("good", GOOD), replies("poor", POOR, seed=2))


@pytest.fixture(scope="module")
def several(recording):
    return read_attempts(recording, load_corpus(str(CORPUS)), load_knowledge(str(KNOWLEDGE)))


def test_both_steps_of_an_attempt_stand_in_a_row_with_their_keys(several, recording):
    good, poor = several
    assert (good.name, poor.name) == ("good", "poor")
    assert len(good.table) == 160
    assert good.table.groupby("ticket")["sample"].apply(sorted).iloc[0] == [0, 1, 2, 3]
    lines = [json.loads(line) for line in recording.read_bytes().splitlines()]
    keys = {line["key"]: line for line in lines}
    row = good.table.iloc[5]
    assert keys[row.respond_key]["answer"] == row.answer
    assert keys[row.categorize_key]["sample"] == row["sample"]
    both = [keys[row.categorize_key], keys[row.respond_key]]
    assert row.latency_s == pytest.approx(sum(line["latency_s"] for line in both))
    assert row.tokens_out == sum(line["completion_tokens"] for line in both)
    right = json.loads(keys[row.categorize_key]["answer"])["category"] == row.truth
    assert row.right == float(right)
    assert good.requests[row.respond_key][0]["role"] == "system"


def test_shares_are_means_over_tickets(several):
    for one in several:
        by_hand = one.table.groupby("ticket")["right"].mean().mean()
        value, low, high = figures.shares(one, "right")
        assert value == pytest.approx(by_hand)
        assert low < value < high
    table = figures.model_table(several).set_index("model")
    assert table.loc["good", "accuracy"] > table.loc["poor", "accuracy"] + 0.2
    assert table.loc["good", "cost_usd"] == pytest.approx(several[0].table["cost_usd"].mean())
    assert table["cut"].tolist() == table["repaired"].tolist() == [0.0, 0.0]


def test_passes_are_the_unbiased_estimates(several):
    frame = figures.passes(several[0], 4)
    counts = several[0].table.groupby("ticket")["solved"].sum()
    for row in frame.itertuples():
        assert row.value == pytest.approx(passed_all(counts, 4, row.k).mean())
    assert figures.most_attempts(several) == 4
    assert (np.diff(frame["value"]) <= 0).all()
    # Tickets keep their difficulty: far above independent coins.
    assert frame["value"].iloc[3] > frame["value"].iloc[0] ** 4 + 0.1


def test_latency_by_tokens_is_what_the_recording_was_made_with(several):
    table = figures.model_table(several).set_index("model")
    for name, skill in (("good", GOOD), ("poor", POOR)):
        assert table.loc[name, "call_s"] == pytest.approx(skill.seconds, abs=1e-6)
        assert table.loc[name, "s_per_1k_out"] == pytest.approx(1000 * skill.per_token, abs=1e-6)
        assert table.loc[name, "s_per_1k_in"] == pytest.approx(0, abs=1e-6)
    # One call every five seconds is alone; one every 50 ms that lasts some 400 is not.
    assert table.loc["good", "concurrency"] == pytest.approx(1.0)
    seconds = several[1].calls["latency_s"].mean()
    assert table.loc["poor", "concurrency"] == pytest.approx(seconds / 0.05, rel=0.15)


def test_a_difference_is_of_the_same_tickets_and_a_plan_follows(several):
    found = figures.differences(several).iloc[0]
    assert (found["first"], found["second"], found["tickets"]) == ("good", "poor", 40)
    by_ticket = [one.table.groupby("ticket")["solved"].mean() for one in several]
    assert found["value"] == pytest.approx((by_ticket[1] - by_ticket[0]).mean())
    assert found["differs"]
    plan = figures.plan(*several)
    assert plan["tickets"].iloc[0] < 60
    assert (figures.plan(*several, apart=0.05)["tickets"] > plan["tickets"]).all()


def test_judges_agree_as_far_as_they_do(several):
    found = judges.agreement(several)
    # Answers of both models that are the same words were judged once.
    assert found["model"].tolist() == ["good", "poor"]
    assert set(found["second"]) == {"judge"}
    assert found["answers"].iloc[0] > found["answers"].iloc[1]
    assert found["low"].iloc[0] <= found["alpha"].iloc[0] <= found["high"].iloc[0]


def test_ratings_of_people_calibrate_quality(several, tmp_path):
    rows = several[0].table.drop_duplicates(["ticket", "answer"]).head(30)
    path = tmp_path / "people.csv"
    pd.DataFrame(
        {"ticket": rows["ticket"], "answer": rows["answer"], "rating": 1 + 4 * rows["right"]}
    ).to_csv(path, index=False)
    rated = with_ratings(several[0], read_ratings(path))
    assert set(rated.table["quality_by_people"].dropna()) <= {0.0, 1.0}
    found = judges.by_people([rated]).iloc[0]
    assert found["rated"] == len(rows)
    assert found["low"] < found["value"] < found["high"]
    path.write_text("ticket,answer,rating,rater\na,b,2,\na,b,5,Ana\na,b,4,\na,c,1,\n")
    assert {key: [*given] for key, given in read_ratings(path).by_answer.items()} == {
        ("a", "b"): ["rater 1", "Ana", "rater 3"], ("a", "c"): ["rater 1"],
    }  # fmt: skip
    path.write_text("ticket,answer,rating,rater\na,b,2,\na,b,5,rater 1\n")
    with pytest.raises(ScenarioError, match="rated this answer twice"):
        read_ratings(path)
    path.write_text("ticket,answer,rating\na,b,6\n")
    with pytest.raises(ScenarioError, match="1 to 5"):
        read_ratings(path)


def test_the_page_says_all_of_it_and_runs_nothing(several, tmp_path):
    hostile = replies("<script>alert(1)</script>", POOR, tickets=3, extra=("<img src=x>",))
    path = write(tmp_path / "x.jsonl", hostile)
    attacked = read_attempts(path, load_corpus(str(CORPUS)), load_knowledge(str(KNOWLEDGE)))
    html = page_of.page([*several, *attacked], 0.5, "from a test")
    for words in (
        "pass^1",
        "poor solves less than good",
        "alpha",
        "calls at once",
        "tell them apart",
    ):
        assert words in html
    assert "<script" not in html
    assert "&lt;script" in html


def test_the_command_prints_compares_and_writes_the_page(recording, tmp_path):
    call = CliRunner().invoke
    words = ["evaluate", str(recording), "--scenario", str(SCENARIO)]
    shown = call(app, [*words, "--out", str(tmp_path / "models.html"), "--apart", "0.1"])
    assert shown.exit_code == 0, shown.output
    assert "poor solves less than good" in shown.stdout
    assert "by 10 points" in shown.stdout
    assert (tmp_path / "models.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    found = json.loads(call(app, [*words, "--json"]).stdout)
    assert {row["model"] for row in found["models"]} == {"good", "poor"}
    # The same recording twice: models are told apart by their files.
    again = json.loads(call(app, [*words, str(write_copy(recording, tmp_path)), "--json"]).stdout)
    assert {row["model"] for row in again["models"]} == {
        "good, both", "poor, both", "good, copy", "poor, copy",
    }  # fmt: skip
    assert call(app, ["evaluate", str(tmp_path / "none.jsonl")]).exit_code == 2


def write_copy(recording, folder):
    path = folder / "copy.jsonl"
    path.write_bytes(recording.read_bytes())
    return path


def test_without_a_corpus_nothing_is_called_right(recording, tmp_path):
    bare = read_attempts(recording)
    assert bare[0].table["right"].isna().all()
    assert figures.model_table(bare)["accuracy"].isna().all()
    said = list(page_of.sentences(bare, figures.model_table(bare), 1))
    assert "nothing tells which tickets it solved" in said[0]
    assert page_of.page(bare, 0.5, "x")
    with pytest.raises(RecordingError):
        read_attempts(tmp_path / "none.jsonl")
