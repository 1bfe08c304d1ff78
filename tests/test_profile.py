import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.assistant import catalogue
from twin.assistant.profile import ProfileAssistant
from twin.assistant.protocol import OK, SERVER_ERROR, Luck, Questions
from twin.scenario.model import Scenario

CATEGORIES = ["A", "B", "C", "D"]
MODEL = catalogue.model("openai/gpt-oss-20b")


def assistant(categories=CATEGORIES, max_tokens=None, **profile):
    settings = {"role": "full", "backend": "profile", "profile": profile}
    if max_tokens:
        settings["max_tokens"] = max_tokens
    data = {"arrivals": {"rate": "6/h"}, "assistant": settings}
    return ProfileAssistant(Scenario.model_validate(data), categories, MODEL)


def questions(n, step="categorize", seed=0, categories=CATEGORIES):
    rng = np.random.default_rng(seed)
    luck = Luck.drawn(n, rng)
    truth = rng.integers(0, len(categories), n)
    category = truth if step == "respond" else None
    return Questions(step, categories, [], np.zeros(n, int), category, truth, np.arange(n), luck)


def test_accuracy_confidence_and_errors_are_as_profiled():
    asked = questions(100_000)
    given_answers = assistant(accuracy=0.7, error_rate=0.1).answer(asked)
    right = given_answers.category == asked.truth
    assert right.mean() == pytest.approx(0.7, abs=0.01)
    # Means of the default triangular distributions.
    assert given_answers.confidence[right].mean() == pytest.approx(2.35 / 3, abs=0.01)
    assert given_answers.confidence[~right].mean() == pytest.approx(1.45 / 3, abs=0.01)
    failed = given_answers.outcome == SERVER_ERROR
    assert failed.mean() == pytest.approx(0.1, abs=0.01)
    assert (given_answers.completion_tokens[failed] == 0).all()
    assert (given_answers.completion_tokens[~failed] == 15).all()
    assert given_answers.quality is None


def test_wrong_answers_are_spread_evenly_over_the_others():
    asked = questions(100_000)
    category = assistant(accuracy=0.4).answer(asked).category
    for truth in range(4):
        answers = np.bincount(category[asked.truth == truth], minlength=4)
        shares = answers / answers.sum()
        np.testing.assert_allclose(shares, np.where(np.arange(4) == truth, 0.4, 0.2), atol=0.015)


def test_confusion_replaces_accuracy_where_it_is_given():
    asked = questions(100_000)
    confusion = {"B": {"B": 1, "C": 3}, "D": {"A": 1}}
    category = assistant(accuracy=1.0, confusion=confusion).answer(asked).category
    by = {t: np.bincount(category[asked.truth == t], minlength=4) for t in range(4)}
    assert by[0].tolist()[1:] == [0, 0, 0]
    np.testing.assert_allclose(by[1] / by[1].sum(), [0, 0.25, 0.75, 0], atol=0.01)
    assert by[3].tolist()[1:] == [0, 0, 0]


def test_the_better_profile_is_right_wherever_the_worse_one_is():
    asked = questions(10_000)
    worse = assistant(accuracy=0.6).answer(asked).category == asked.truth
    better = assistant(accuracy=0.8).answer(asked).category == asked.truth
    assert better[worse].all()


@pytest.mark.parametrize(
    ("confusion", "message"),
    [
        ({"X": {"A": 1}}, 'unknown category.*"?X'),
        ({"A": {"Y": 1}}, "unknown category.*Y"),
        ({"A": {"B": 0}}, "weight above 0"),
    ],
)
def test_bad_confusion_is_named(confusion, message):
    with pytest.raises(ValueError, match=message):
        assistant(confusion=confusion)


def test_respond_gives_quality_tokens_and_the_catalogues_latency():
    asked = questions(10_000, "respond")
    written = assistant().answer(asked)
    assert (written.quality == 0.8).all()
    assert (written.completion_tokens == 120).all()
    assert (written.prompt_tokens == 350).all()
    expected = catalogue.latency_s(MODEL, 350, 120, asked.luck.latency)
    np.testing.assert_array_equal(written.latency_s, expected)
    assert written.written is None
    assert written.category is None


def test_given_distributions_are_used_and_bounded():
    asked = questions(2_000, "respond")
    written = assistant(
        max_tokens={"respond": 100},
        quality={"distribution": "uniform", "low": 0.5, "high": 1.5},
        respond_latency="2s",
        prompt_tokens={"distribution": "uniform", "low": 100, "high": 300},
    ).answer(asked)
    assert (written.latency_s == 2.0).all()
    assert written.quality.max() == 1.0
    assert 0.5 <= written.quality.min() < 0.51
    assert (written.completion_tokens == 100).all()
    assert 100 <= written.prompt_tokens.min() < written.prompt_tokens.max() <= 300


@given(
    st.floats(0, 1),
    st.integers(1, 6),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20),
)
def test_every_luck_gives_an_allowed_answer_that_the_batch_does_not_change(
    accuracy, size, uniforms
):
    categories = [f"c{k}" for k in range(size)]
    backend = assistant(categories, accuracy=accuracy, error_rate=0.5)
    u = np.array(uniforms)
    truth = np.arange(len(u)) % size

    def ask(rows):
        luck = Luck(*(u[rows] for _ in range(7)))
        texts = np.zeros(len(rows), int)
        return backend.answer(
            Questions("categorize", categories, [], texts, None, truth[rows], rows, luck)
        )

    together = ask(np.arange(len(u)))
    assert ((together.category >= 0) & (together.category < size)).all()
    assert ((together.confidence >= 0) & (together.confidence <= 1)).all()
    assert set(together.outcome) <= {OK, SERVER_ERROR}
    alone = [ask(np.array([k])) for k in range(len(u))]
    for name in ("category", "confidence", "latency_s", "outcome", "completion_tokens"):
        column = [getattr(answers, name)[0] for answers in alone]
        np.testing.assert_array_equal(getattr(together, name), column)


def test_no_questions_no_answers():
    for step in ("categorize", "respond"):
        assert len(assistant().answer(questions(0, step)).outcome) == 0


def test_luck_of_a_batch_outside_of_runs():
    assert {tuple(vars(Luck.neutral(2))[name]) for name in vars(Luck.neutral(2))} == {(0.5, 0.5)}
    drawn = vars(Luck.drawn(3, np.random.default_rng(1)))
    rng = np.random.default_rng(1)
    assert all((column == rng.random(3)).all() for column in drawn.values())
