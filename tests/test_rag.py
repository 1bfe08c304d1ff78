import numpy as np
import pytest

from twin.assistant.knowledge.article import Article
from twin.assistant.knowledge.articles import load_articles
from twin.assistant.knowledge.knowledge import Knowledge, load_knowledge
from twin.assistant.knowledge.retrieval_eval import (
    BARE,
    METHODS,
    _ranks,
    evaluate,
    read_questions,
)
from twin.scenario.file import starter

ARTICLE = "---\ntitle: {0}\ncategory: {1}\n---\nFor {0}.\n\n## Steps\n1. {2}\n2. Confirm.\n{3}"
SAID = """
## If this does not help
Call us.

## Customers say
- the box never came
- I am still waiting
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "knowledge"
    folder.mkdir()
    for slug, *words in (
        ("card", "Card is declined", "Payment", "Try another card.", ""),
        ("parcel", "Parcel is late", "Shipping", "Open the tracking link.", SAID),
        ("reset", "Reset your password", "Login", "Press forgot password.", ""),
    ):
        (folder / f"{slug}.md").write_text(ARTICLE.format(*words), encoding="utf-8")
    return folder


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "questions.csv"
    rows = [
        "question,article,overlap",
        "my card is declined,card,high",
        "password reset,reset,high",
    ]
    rows += ["when will the box come to me,parcel,low", "qqq xxx,parcel,low"]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def value(frame, retrieval, group, figure):
    row = frame.set_index(["retrieval", "questions", "figure"]).loc[(retrieval, group, figure)]
    assert row["low"] <= row["value"] <= row["high"]
    return row["value"]


def test_figures_of_a_small_folder(folder, questions):
    found = evaluate(read_questions(questions), load_knowledge(folder), ks=(1, 3))
    assert list(dict.fromkeys(found["figure"])) == ["recall@1", "recall@3", "MRR", "answer quality"]
    assert list(dict.fromkeys(found["retrieval"])) == [*METHODS, *BARE]
    assert value(found, "default", "high", "recall@1") == 1
    assert value(found, "default", "low", "recall@1") == 0.5
    assert value(found, "default", "all", "MRR") == pytest.approx(0.75)
    assert value(found, "off", "all", "recall@3") == 0
    assert value(found, "default", "high", "answer quality") > 0.9
    assert value(found, "off", "high", "answer quality") < 0.2
    groups = found.groupby("questions")["n"].unique()
    assert {name: n.tolist() for name, n in groups.items()} == {"all": [4], "high": [2], "low": [2]}
    again = evaluate(read_questions(questions), load_knowledge(folder), ks=(1, 3))
    assert found.equals(again)


def test_phrases_are_left_out_where_the_rows_say_so(folder, questions):
    """Rows without phrases are those of the same folder that has none, and only then are there."""
    labelled = read_questions(questions)
    found = evaluate(labelled, load_knowledge(folder))
    assert value(found, "default", "low", "MRR") > value(found, "default, no phrases", "low", "MRR")
    parcel = folder / "parcel.md"
    parcel.write_text(parcel.read_text().split("## Customers say")[0], encoding="utf-8")
    bare = evaluate(labelled, load_knowledge(folder))
    assert list(dict.fromkeys(bare["retrieval"])) == list(METHODS)
    rows = found[found["retrieval"].isin(BARE)].reset_index(drop=True)
    same = bare[bare["retrieval"] != "off"].reset_index(drop=True)
    assert rows.drop(columns="retrieval").equals(same.drop(columns="retrieval"))


def test_floor_makes_misses(folder, questions):
    found = evaluate(read_questions(questions), load_knowledge(folder), floor=1.0)
    assert value(found, "default", "all", "recall@5") == 0


def test_ranks_count_ties_in_the_order_of_articles():
    score = np.array([[0.5, 0.5, 0.1], [0.5, 0.5, 0.1], [-np.inf, 0.2, -np.inf]])
    np.testing.assert_array_equal(_ranks(score, np.array([0, 1, 2])), [1, 2, np.inf])


def test_ranks_agree_with_what_is_retrieved():
    shipped = starter()
    index = load_knowledge(shipped / "knowledge")
    labelled = read_questions(shipped / "corpus" / "questions.csv")
    found = evaluate(labelled, index, ks=(3,), floor=0.2, methods=("default",))
    hits = index.retrieve(labelled.questions, 3, 0.2)
    inside = [
        slug in [hit.slug for hit in found_here]
        for slug, found_here in zip(labelled.articles, hits, strict=True)
    ]
    assert value(found, "default", "all", "recall@3") == np.mean(inside)


def test_the_shipped_questions_are_answered_from_the_first_three_articles():
    """The aim of the project: recall@3 of at least .90 with the default; half of them are hard."""
    shipped = starter()
    labelled = read_questions(shipped / "corpus" / "questions.csv")
    assert len(labelled) >= 100
    assert labelled.overlap.count("low") * 2 >= len(labelled)
    found = evaluate(labelled, load_knowledge(shipped / "knowledge"))
    assert value(found, "default", "all", "recall@3") >= 0.90
    assert value(found, "default", "high", "recall@3") >= 0.98
    assert value(found, "default", "all", "MRR") > value(found, "words only", "all", "MRR")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "no such file"),
        ("", "not a readable CSV"),
        ("question,overlap\nx,low", "no column article"),
        ("question,article\n", "holds no questions"),
        ("question,article\n  ,card", "line 2 has no question"),
        ("question,article\nx,card\ny,", "line 3 has no article"),
        (b"question,article\n\xff\xfe,card", "not a readable CSV"),
    ],
)
def test_bad_questions_are_named(tmp_path, content, fault):
    path = tmp_path / "questions.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=fault):
        read_questions(path)


def test_a_label_without_article_is_named(tmp_path, folder):
    path = tmp_path / "questions.csv"
    path.write_text("question,article\nx,card\ny,nowhere", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 3: no such article.*nowhere"):
        evaluate(read_questions(path), load_knowledge(folder))


def test_phrases_of_customers_help_to_find_and_are_shown_to_nobody(folder):
    _, parcel, reset = load_articles(folder)
    assert parcel.phrases == ("the box never came", "I am still waiting")
    assert reset.phrases == ()
    assert parcel.closing == "Call us."
    assert parcel.steps == ("Open the tracking link.", "Confirm.")
    assert "waiting" not in parcel.body
    assert "customers say" not in parcel.body.lower()
    with_phrases = load_knowledge(folder).scores(["still waiting for the box"])[0]
    bare = [Article(**{**vars(a), "phrases": ()}) for a in load_articles(folder)]
    without = Knowledge(bare).scores(["still waiting for the box"])[0]
    assert with_phrases[1] > without[1] + 0.1


def test_every_shipped_article_has_phrases_of_its_own():
    articles = load_articles(starter() / "knowledge")
    said = [phrase for article in articles for phrase in article.phrases]
    assert all(len(article.phrases) >= 8 for article in articles)
    assert len(set(said)) == len(said)


def test_no_labelled_question_stands_in_an_article():
    """The questions are held back: an article that quoted one would be tuned on it."""
    shipped = starter()
    labelled = read_questions(shipped / "corpus" / "questions.csv")
    said = {
        phrase.lower().strip(" .?!")
        for article in load_articles(shipped / "knowledge")
        for phrase in article.phrases
    }
    assert not said & {question.lower().strip(" .?!") for question in labelled.questions}
