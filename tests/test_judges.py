"""Several judges and people: their files, how far they agree, and what is shown of it."""

import json

import numpy as np
import pandas as pd
import pytest
from recorded_models import CORPUS, KNOWLEDGE, SCENARIO, Skill, replies, write
from typer.testing import CliRunner

from twin.assistant.judging.rubric import judge_messages
from twin.assistant.knowledge.knowledge import load_knowledge
from twin.assistant.recorded.attempts import read_attempts, with_ratings
from twin.assistant.recorded.ratings import read_ratings
from twin.assistant.recorded.recording import Reply, request_key
from twin.cli.app import app
from twin.common.errors import ScenarioError
from twin.demand.corpus import load_corpus
from twin.experiments import judges
from twin.report import models as page_of

MODELS = ("good", "poor")


def verdicts(several, judge, score_of, rubric="rubric-1"):
    """Verdicts of a judging model on all distinct answers."""
    rows = pd.concat([one.table for one in several]).drop_duplicates(["ticket", "answer"])
    for number, row in enumerate(rows.itertuples()):
        request = {"model": judge, "messages": judge_messages(row.ticket, row.answer, None)}
        said = json.dumps({"score": score_of(number, row), "reason": "so"})
        yield Reply(
            key=request_key(request, 0, rubric), step="judge", model=judge, prompt_version=rubric,
            sample=0, request=request, answer=said, finish="stop", repaired=False,
            prompt_tokens=10, completion_tokens=5, latency_s=0.1,
            recorded="2026-11-02T10:00:00+00:00",
        )  # fmt: skip


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Two models, and two judges of whom one gives what is right, the other at random."""
    folder = tmp_path_factory.mktemp("judges")
    path = write(
        folder / "r.jsonl",
        replies(MODELS[0], Skill(0.8), 40, 2),
        replies(MODELS[1], Skill(0.4), 40, 2, seed=2),
    )
    several = read_attempts(path, load_corpus(str(CORPUS)))
    rng = np.random.default_rng(1)
    fair = [*verdicts(several, "fair/judge", lambda _, row: 5 if row.right else 1)]
    blind = [*verdicts(several, "blind/judge", lambda *_: int(rng.integers(1, 6)))]
    old = [*verdicts(several, "fair/judge", lambda *_: 3, "rubric-0")]
    answers = [Reply.from_line(line) for line in path.read_bytes().splitlines()]
    return write(folder / "all.jsonl", answers, fair, blind, old)


@pytest.fixture(scope="module")
def several(recording):
    return read_attempts(recording, load_corpus(str(CORPUS)), load_knowledge(str(KNOWLEDGE)))


@pytest.fixture(scope="module")
def people(several, tmp_path_factory):
    """Two people who mostly rate by what is right; the second is kinder by a star."""
    folder = tmp_path_factory.mktemp("people")
    drawn = judges.to_rate(several, 60)
    right = {
        (row.ticket, row.answer): row.right
        for one in several for row in one.table.itertuples()
    }  # fmt: skip
    rng, rows = np.random.default_rng(2), []
    for row in drawn.itertuples():
        for name, kinder in (("Ann", 0), ("Bob", 1)):
            own = (4 if right[row.ticket, row.answer] else 1) if rng.random() < 0.9 else 3
            rows.append((row.ticket, row.answer, own + kinder, name))
    frame = pd.DataFrame(rows, columns=["ticket", "answer", "rating", "rater"])
    frame.to_csv(folder / "people.csv", index=False)
    lines = [json.dumps(row) for row in frame.to_dict("records")]
    (folder / "people.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def rated(several, people):
    return [with_ratings(one, read_ratings(people / "people.csv")) for one in several]


def test_each_judging_model_has_its_own_marks(several):
    for one in several:
        assert one.judges == ("blind/judge", "fair/judge", "fair/judge (rubric-0)")
        fair = one.table["judged by fair/judge"]
        np.testing.assert_array_equal(fair, one.table["right"])
        assert set(one.table["judged by fair/judge (rubric-0)"]) == {0.5}
        mean = one.table[[f"judged by {name}" for name in one.judges]].mean(axis=1)
        np.testing.assert_allclose(one.table["quality_by_model"], mean)


def test_csv_and_json_lines_say_the_same(people):
    one, other = (read_ratings(people / f"people.{kind}") for kind in ("csv", "jsonl"))
    assert one == other
    assert one.raters == ("Ann", "Bob")
    (ticket, answer), given = next(iter(one.by_answer.items()))
    assert one.mean(ticket, answer) == pytest.approx(np.mean([*given.values()]))
    assert np.isnan(one.mean("none", "such"))


def test_a_good_judge_is_told_from_one_that_guesses(rated):
    found = judges.against_people(rated).set_index("judge")
    assert set(found.index) == {
        "the offline judge", "blind/judge", "fair/judge", "fair/judge (rubric-0)",
    }  # fmt: skip
    fair, blind = found.loc["fair/judge"], found.loc["blind/judge"]
    assert fair["answers"] == 60
    assert blind["high"] < fair["low"]
    assert blind["low"] < 0.1 < 0.5 < fair["low"]
    # Ann's 4 and Bob's 5 are on average 0.875 where the judge gives 1, 0.125 where it gives 0.
    answers = pd.concat([one.table for one in rated]).drop_duplicates(["ticket", "answer"])
    both = answers.dropna(subset=["quality_by_people"])
    apart = (both["judged by fair/judge"] - both["quality_by_people"]).groupby(both["ticket"])
    assert fair["more"] == pytest.approx(apart.mean().mean())
    assert fair["more_low"] < fair["more"] < fair["more_high"]
    assert 0.8 < fair["near"] <= 1


def test_people_agree_among_themselves_as_far_as_they_do(rated, several):
    raters, answers, value, low, high = judges.among_people(rated)
    assert (raters, answers) == (2, 60)
    assert low < value < high
    assert 0.6 < value < 0.95
    assert judges.among_people(several)[:2] == (0, 0)


def test_answers_to_rate_are_drawn_from_all_models_and_name_none(several, tmp_path):
    drawn = judges.to_rate(several, 30)
    assert list(drawn) == ["ticket", "answer", "rating", "rater"]
    assert len(drawn.drop_duplicates(["ticket", "answer"])) == 30
    own = [set(zip(one.table["ticket"], one.table["answer"], strict=True)) for one in several]
    given = [*zip(drawn["ticket"], drawn["answer"], strict=True)]
    assert all(sum(both in mine for both in given) >= 12 for mine in own)
    assert judges.to_rate(several, 30).equals(drawn)
    # Not filled in, it rates nothing; filled in, it is found again whatever the texts begin with.
    path = judges.write_to_rate(several, tmp_path / "rate.csv", 30)
    with pytest.raises(ScenarioError, match="nothing is rated yet"):
        read_ratings(path)
    frame = pd.read_csv(path).assign(rating=4)
    frame.to_csv(path, index=False)
    assert set(read_ratings(path).by_answer) == set(given)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "ticket,answer,rating\na,b,6\n", "1 to 5"),
        ("a.csv", "ticket,answer,rating\na,b,good\n", "1 to 5"),
        ("a.csv", "ticket,answer\na,b\n", "no column rating"),
        ("a.csv", "ticket,answer,rating,rater\na,b,1,Ann\na,b,2,Ann\n", "twice"),
        ("a.csv", "ticket,answer,rating\na,b,\n", "nothing is rated"),
        ("a.jsonl", '{"ticket": "a", "answer": "b", "rating": 0}\n', "1 to 5"),
        ("a.jsonl", '{"ticket": "a", "answer": "b", "rating": true}\n', "line 1"),
        ("a.jsonl", '{"ticket": "a", "rating": 1}\n', "line 1"),
        ("a.jsonl", "[]\n", "line 1"),
        ("a.jsonl", "[" * 100_000 + "\n", "line 1"),
        ("a.jsonl", "\n", "nothing is rated"),
        ("none.jsonl", None, "cannot be read"),
    ],
)
def test_bad_ratings_are_told_with_their_place(tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=said):
        read_ratings(tmp_path / name)


def test_raters_without_names_are_numbered(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("ticket,answer,rating\na,b,1\na,b,5\n", encoding="utf-8")
    assert read_ratings(path).by_answer == {("a", "b"): {"rater 1": 0.0, "rater 2": 1.0}}


def test_the_page_and_the_command_show_judges_beside_people(rated, recording, people, tmp_path):
    html = page_of.page(rated, 0.5, "from a test")
    for words in ("Each judge beside people", "fair/judge", "2 people rated", "gives more"):
        assert words in html
    call = CliRunner().invoke
    words = ["evaluate", str(recording), "--scenario", str(SCENARIO)]
    rate = tmp_path / "rate.csv"
    done = call(app, [*words, "--ratings", str(people / "people.jsonl"), "--to-rate", str(rate),
                      "--answers", "12"])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "fair/judge beside people, 60 answers" in " ".join(done.stdout.split())
    assert len(pd.read_csv(rate)) == 12
    words += ["--json", "--ratings"]
    found = json.loads(call(app, [*words, str(people / "people.csv")]).stdout)
    assert {row["judge"] for row in found["against_people"]} >= {"fair/judge", "blind/judge"}
    assert call(app, [*words, str(tmp_path / "none.csv")]).exit_code == 2
