"""The judge by facts that nobody wrote: steps of two other desks' articles."""

import numpy as np
import pytest
from judges import CLINIC, LIBRARY, judge, marks, passed, rated

from twin.assistant.judging.amounts import numbers_of
from twin.assistant.judging.reading import statements
from twin.stats.agreement import in_order


@pytest.fixture(scope="module")
def clinic():
    return judge(folder=CLINIC)


def signs(text):
    return {
        stem: sign
        for one in statements(text)
        for stem, sign in zip(one.stems, one.signs, strict=True)
    }


def test_another_desks_answers_rank_about_as_a_reader_ranks_them(clinic):
    rows = rated(None, CLINIC.with_name("rated_answers.csv"))
    found = marks(clinic, rows)
    kinds = np.array([row["kind"] for row in rows])
    agreed = in_order(np.array([(int(row["rating"]) - 1) / 4 for row in rows]), found)
    assert agreed.n >= 60
    assert agreed.rank >= 0.5
    assert found[kinds == "brief"].mean() > 0.7
    assert found[np.isin(kinds, ["false", "negated", "numbers"])].mean() < 0.2


@pytest.mark.parametrize("folder", [CLINIC, LIBRARY])
def test_sentences_pass_as_they_are_but_not_with_another_number_or_denied(folder):
    counts = passed(judge(folder=folder))
    shares = {name: right / n for name, (right, n) in counts.items()}
    assert min(n for _, n in counts.values()) >= 5
    assert shares["as they are"] > 0.95
    assert shares["a number changed"] < 0.1
    assert shares["denied"] < 0.1


def test_a_denial_is_read_where_it_stands():
    assert signs("Drink water; no coffee, tea or juice.")["coffe"] == -1
    assert (
        signs("No fee is charged.") == {"pric": -1, "charg": -1}
        or signs("No fee is charged.")["pric"] == -1
    )
    # "No, ..." is an answer, and denies nothing that follows.
    assert set(signs("No, drink water.").values()) == {1}
    told = signs("If the old number no longer works, come to reception.")
    assert (told["work"], told["reception"]) == (-1, 1)
    assert signs("Guest networks with a login do not work.")["guest"] == -1
    assert signs("Borrowing is not blocked while more than ten euros are owed.")["block"] == -1
    assert signs("The letter is kept apart from your record.")["record"] == -1
    assert signs("The letter is not kept apart from your record.")["record"] == 1


def test_days_in_order_are_numbers():
    found, _ = numbers_of(["from", "the", "eighth", "day", "on"])
    assert [(one.value, one.of) for one in found] == [(8 * 86400.0, "time")]
    assert numbers_of(["second", "try", "first"])[0] == []


@pytest.mark.parametrize(("words", "value"), [
    ("thirty thousand bags", 30_000), ("two thousand bags", 2000), ("two hundred bags", 200),
    ("twenty five thousand bags", 25_000), ("two hundred fifty two bags", 252),
    ("hundred five bags", 105), ("twenty five bags", 25), ("a hundred thousand bags", 100_000),
])  # fmt: skip
def test_numbers_of_several_words_are_one(words, value):
    assert [(one.value, one.of) for one in numbers_of(words.split())[0]] == [(value, "bag")]


def test_numbers_beside_each_other_stay_apart():
    found, _ = numbers_of(["fifty", "or", "forty", "bags"])
    assert [one.value for one in found] == [50, 40]


def test_what_follows_then_comes_after_also_behind_a_condition():
    found = statements("First unplug it; then, when the light is off, wait.")
    assert [one.follows for one in found][-1]


@pytest.mark.parametrize(
    "answer",
    [
        "After fifteen wrong passcodes the app is locked for one hour.",
        "After five wrong passcodes the app is not locked for one hour.",
        "After five wrong passcodes the app is locked for six hours.",
    ],
)
def test_each_number_and_denial_of_a_repeated_sentence_counts(clinic, answer):
    true = clinic.judge("app-login", "After five wrong passcodes the app is locked for one hour.")
    assert true > 0.5
    assert clinic.judge("app-login", answer) < 0.2
