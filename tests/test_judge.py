import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.assistant.embedded import write_answer, write_generic
from twin.assistant.judging.judge import NO_ARTICLE, Judge
from twin.assistant.judging.reading import statements
from twin.assistant.knowledge import knowledge
from twin.assistant.knowledge.article import Article
from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.protocol import OK, SERVER_ERROR, Answers, Luck, Questions, Written

RESET = Article(
    "reset",
    "Reset your password",
    "Login",
    "body",
    "For customers who forgot their password.",
    (
        'Open the sign-in page and press "Forgot password".',
        "Enter the email address of your account and confirm.",
        "Follow the link in the mail within one hour.",
        "Choose a new password of at least twelve characters.",
    ),
    "Look in the spam folder.",
)
CARD = Article(
    "card",
    "Card is declined",
    "Payment",
    "body",
    "For payments that the bank refuses.",
    (
        "Check the card number, expiry date and security code.",
        "Ask your bank whether a daily limit is reached.",
        "Try another card or a bank transfer.",
    ),
    "",
)
PARAPHRASE = (
    "Sorry about that! Go to the sign-in page and click on Forgot password. Type in your account's "
    "email address. You then get a mail: please follow its link within an hour. Finally choose a "
    "new password with twelve characters or more."
)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield Judge(Knowledge([RESET, CARD]))


def batch(text, written, texts, category=None, truth=None, outcome=None, quality=None):
    n = len(text)
    zeros = np.zeros(n, int)
    luck = Luck.neutral(n)
    category = zeros if category is None else np.array(category)
    truth = zeros if truth is None else np.array(truth)
    asked = Questions(
        "respond",
        ["Login", "Payment"],
        ["a", "b"],
        np.array(text, int),
        category,
        truth,
        zeros,
        luck,
    )
    answers = Answers(
        np.zeros(n),
        zeros,
        zeros,
        zeros + OK if outcome is None else np.array(outcome),
        quality=quality,
        written=None if written is None else np.array(written, int),
        texts=[Written(t) for t in texts],
    )
    return asked, answers


def test_answers_are_ordered_by_how_much_they_solve(judge):
    whole = judge.judge("reset", write_answer(RESET, 200))
    paraphrase = judge.judge("reset", PARAPHRASE)
    part = judge.judge("reset", RESET.steps[0])
    other = judge.judge("reset", write_answer(CARD, 200))
    generic = judge.judge("reset", write_generic("Login", 200))
    # A brief answer in other words is not below the article quoted.
    assert min(whole, paraphrase) > 0.95
    assert min(whole, paraphrase) > part > max(other, generic)
    assert max(other, generic) < 0.15


def test_an_empty_answer_solves_nothing(judge):
    assert judge.judge("reset", "") == 0
    assert judge.judge("reset", " \n 1. \n") == 0


def test_quality_by_row(judge):
    asked, answers = batch([0, 1, 0, 1], [0, 0, 1, 1], [write_answer(RESET, 200), "no idea"])
    quality = judge.quality(asked, answers, ["reset", "card"])
    assert quality[0] > 0.95
    assert (quality[1:] < 0.15).all()


def test_without_an_article_the_category_decides(judge):
    asked, answers = batch([0, 0, 1], [0, 0, 0], ["text"], category=[0, 1, 1], truth=[0, 0, 1])
    for blind in (judge, Judge(None)):
        quality = blind.quality(asked, answers, ["", "no such article"])
        assert quality.tolist() == [NO_ARTICLE, 0, NO_ARTICLE]


def test_a_failed_call_is_not_bad_quality(judge):
    text = write_answer(RESET, 200)
    asked, answers = batch([0, 0, 0], [0, -1, 0], [text], outcome=[OK, SERVER_ERROR, SERVER_ERROR])
    quality = judge.quality(asked, answers, ["reset", ""])
    assert quality[0] > 0.95
    assert np.isnan(quality[1:]).all()


def test_a_backends_own_quality_is_kept(judge):
    own = np.array([0.3, 0.9])
    asked, answers = batch([0, 0], None, [], quality=own, outcome=[OK, SERVER_ERROR])
    np.testing.assert_array_equal(judge.quality(asked, answers, ["reset", ""]), [0.3, np.nan])


def test_answers_without_texts_cannot_be_judged(judge):
    asked, answers = batch([0], None, [])
    with pytest.raises(ValueError, match="with texts"):
        judge.quality(asked, answers, ["reset", ""])


def test_no_answers_no_quality(judge):
    asked, answers = batch([], [], [])
    assert judge.quality(asked, answers, []).shape == (0,)


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(codec=None), max_size=200))
def test_any_answer_gets_a_quality_from_0_to_1(answer):
    if not _shared:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(knowledge, "stored_vectors", lambda _kind, _key, texts, make: make(texts))
            _shared.append(Judge(Knowledge([RESET, CARD])))
    assert 0 <= _shared[0].judge("reset", answer) <= 1


_shared: list[Judge] = []


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0"])
def test_runs_of_blanks_change_nothing(blank):
    plain = "It is not possible to sign in. Do not wait and press it, but open the page"
    wide = plain.replace(" ", blank * 3)
    # As long as a text may be: the time to read it stays small, too.
    assert statements(wide + blank * 7_000 + "again.") == statements(f"{plain} again.")


def test_more_steps_never_judge_lower(judge):
    judged = [judge.judge("reset", "\n".join(RESET.steps[:k])) for k in range(1, 5)]
    assert judged == sorted(judged)
