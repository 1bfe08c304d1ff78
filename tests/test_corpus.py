"""The corpus file: what is read, who may learn from it, and what a bad one says."""

import numpy as np
import pytest
from strategies import DATA

from twin.common.errors import ScenarioError
from twin.demand.corpus import load_corpus
from twin.scenario.model import PRIORITIES


def test_columns_of_a_corpus():
    corpus = load_corpus(str(DATA / "corpus.csv"))
    assert corpus.categories == ("Login", "Other", "Payment")
    assert len(corpus.texts) == 10
    assert corpus.texts[0] == "I cannot log into my account."
    assert [corpus.categories[k] for k in corpus.category[:2]] == ["Login", "Login"]
    assert PRIORITIES[corpus.priority[2]] == "urgent"
    assert corpus.train.tolist() == [False] * 3 + [True] + [False] * 2 + [True] + [False] * 2 + [
        True
    ]
    assert corpus.article == ("",) * 10


def write(tmp_path, text):
    path = tmp_path / "corpus.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_what_is_not_given_has_a_default(tmp_path):
    rows = "".join(f"text {k},{'AB'[k % 2]}\n" for k in range(12))
    corpus = load_corpus(write(tmp_path, "text,category\n" + rows))
    assert {PRIORITIES[k] for k in corpus.priority} == {"normal"}
    # Every third of a category is held back for customers.
    for code in (0, 1):
        assert corpus.train[corpus.category == code].tolist() == [True, True, False] * 2


def test_texts_are_read_as_they_stand(tmp_path):
    odd = ["NA", "", "null", "1,5", 'she said "no"', "zwei\nZeilen", " gap ", "ünïcode 🙂"]
    quoted = ('"' + text.replace('"', '""') + '"' for text in odd if text)
    path = write(tmp_path, "text,category,split\n" + "".join(f"{t},A,desk\n" for t in quoted))
    assert load_corpus(path).texts == tuple(text for text in odd if text)


def test_a_corpus_that_changed_is_read_again(tmp_path):
    path = write(tmp_path, "text,category,split\na,A,desk\n")
    assert load_corpus(path).texts == ("a",)
    assert load_corpus(path) is load_corpus(path)
    write(tmp_path, "text,category,split\na,A,desk\nlonger,B,desk\n")
    assert load_corpus(path).texts == ("a", "longer")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a readable CSV"),
        ("text,category\n", "holds no tickets"),
        ("text\na\n", "no column category; it has: text"),
        ("text,category\na,A\n,A\n", "line 3 has no text"),
        ("text,category\na, \n", "line 2 has no category"),
        ("text,category,priority\na,A,hgih\n", 'line 2: unknown priority "hgih"; allowed: urgent'),
        ("text,category,split\na,A,train\n", "no ticket is left for customers"),
    ],
)
def test_a_bad_corpus_says_what_is_wrong(tmp_path, text, reason):
    path = write(tmp_path, text)
    with pytest.raises(ScenarioError, match=reason) as caught:
        load_corpus(path)
    assert str(caught.value).startswith(path)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(ScenarioError, match="no such file"):
        load_corpus(str(tmp_path / "none.csv"))
    path = tmp_path / "latin.csv"
    path.write_bytes("text,category\nfür,A\n".encode("latin-1"))
    with pytest.raises(ScenarioError, match="not a readable CSV"):
        load_corpus(str(path))


def test_the_shipped_corpus_is_what_was_promised():
    path = DATA.parents[1] / "scenarios" / "corpus" / "tickets.csv"
    corpus = load_corpus(str(path))
    assert len(corpus.texts) >= 300
    assert len(corpus.categories) >= 10
    assert {"Authentication/Login Issues", "Payment Issues"} <= set(corpus.categories)
    counts = np.bincount(corpus.category[~corpus.train])
    assert (counts > 0).all()
    assert set(corpus.priority) == set(range(len(PRIORITIES)))
    assert {
        "I cannot log into my account.",
        "My payment was declined, but I have sufficient balance.",
        "The app crashes whenever I try to open it.",
        "I need help resetting my password.",
        "I was charged twice for my subscription.",
    } <= set(corpus.texts)
